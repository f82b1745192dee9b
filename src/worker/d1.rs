//! D1 behind the database port: one crossing in, one out, whatever the batch.

use serde_json::{Value, json};
use worker::send::{SendFuture, SendWrapper};
use worker::wasm_bindgen::JsValue;

use super::glue::run_batch;
use crate::app::Pending;
use crate::storage::{Database, DbError, Freshness, Param, Rows, Statement};

/// The D1 binding.
pub struct D1(SendWrapper<JsValue>);

impl D1 {
    pub fn new(binding: JsValue) -> Self {
        Self(SendWrapper::new(binding))
    }
}

impl Database for D1 {
    fn run_on(
        &self,
        freshness: Freshness,
        statements: Vec<Statement>,
    ) -> Pending<'_, Result<Vec<Rows>, DbError>> {
        Box::pin(SendFuture::new(async move {
            let batch: Vec<_> = statements.iter().map(|s| json!([s.sql, bound(s)])).collect();
            let batch = Value::Array(batch).to_string();
            let nearest = freshness == Freshness::Nearest;
            read(&run_batch(&self.0, nearest, &batch).await)
        }))
    }
}

fn bound(statement: &Statement) -> Vec<Value> {
    let value = |param: &Param| match param {
        Param::Null => Value::Null,
        Param::Int(n) => (*n).into(),
        Param::Text(text) => text.as_str().into(),
    };
    statement.params.iter().map(value).collect()
}

fn read(answer: &str) -> Result<Vec<Rows>, DbError> {
    if let Some(error) = answer.strip_prefix('E') {
        return Err(DbError::classify(error.to_owned()));
    }
    let rows = answer.strip_prefix('R').unwrap_or_default();
    let results: Vec<Vec<Value>> =
        serde_json::from_str(rows).map_err(|e| DbError::Failed(format!("rows: {e}")))?;
    Ok(results.into_iter().map(Rows).collect())
}
