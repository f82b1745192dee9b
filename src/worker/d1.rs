//! D1 behind the database port: one crossing in, one out, whatever the batch.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value;

use worker::send::{SendFuture, SendWrapper};
use worker::wasm_bindgen::JsValue;

use super::glue::{kept, run_batch};
use crate::app::Pending;
use crate::storage::rows::parse;
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
            let batch = written(&statements);
            let nearest = freshness == Freshness::Nearest;
            read(&run_batch(&self.0, nearest, &batch).await)
        }))
    }
}

/// The batch as [`run_batch`] takes it.
fn written(statements: &[Statement]) -> String {
    let (mut head, mut texts) = (String::new(), String::from("\n"));
    for (place, statement) in statements.iter().enumerate() {
        let separator = if place == 0 { "" } else { ";" };
        head.push_str(separator);
        match &statement.sql {
            Cow::Borrowed(sql) => _ = write!(head, "{}", kept(sql)),
            // What is made for one call isn't kept. (It is ASCII.)
            Cow::Owned(sql) => {
                let _ = write!(head, "s{}", sql.len());
                texts.push_str(sql);
            }
        }
        for param in &statement.params {
            head.push(' ');
            match param {
                Param::Null => {}
                Param::Int(n) => _ = write!(head, "{n}"),
                Param::Text(text) => {
                    // JavaScript counts UTF-16.
                    let ascii = text.is_ascii();
                    let units = if ascii { text.len() } else { text.encode_utf16().count() };
                    let _ = write!(head, "t{units}");
                    texts.push_str(text);
                }
            }
        }
    }
    head + &texts
}

fn read(answer: &str) -> Result<Vec<Rows>, DbError> {
    if let Some(error) = answer.strip_prefix('E') {
        return Err(DbError::classify(error.to_owned()));
    }
    let rows = answer.strip_prefix('R').unwrap_or_default();
    let results = parse(rows).map_err(|e| DbError::Failed(format!("rows: {e}")))?;
    let form = || DbError::Failed("rows: they have another form".to_owned());
    let Value::Array(results) = results else { return Err(form()) };
    let rows = |result| match result {
        Value::Array(rows) => Ok(Rows(rows)),
        _ => Err(form()),
    };
    results.into_iter().map(rows).collect()
}
