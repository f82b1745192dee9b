//! The Durable Object that counts: a thin shell around [`crate::storage::click_counter`].

use std::cell::RefCell;

use worker::wasm_bindgen::JsValue;
use worker::{
    DurableObject, Env, Method, Request, Response, Result, State, console_error, durable_object,
    js_sys,
};

use super::bindings;
use super::d1::D1;
use super::glue::now_ms;
use crate::domain::click::{Batch, SHARDS, object_name};
use crate::domain::ids::LinkId;
use crate::domain::time::Day;
use crate::storage::click_counter::{Counter, Push, SqlError, SyncSql};
use crate::storage::rows::from_json;
use crate::storage::{Database, clicks};

/// So many rows travel to D1 in one statement.
const CHUNK: usize = 500;

/// The object's SQLite, reached through its state, behind the port of the counter.
struct ObjectSql(JsValue);

impl SyncSql for ObjectSql {
    fn exec(&self, sql: &str, input: Option<&str>) -> std::result::Result<Vec<String>, SqlError> {
        bindings::exec(&self.0, sql, input).map_err(SqlError)
    }
}

/// A counter object: one of [`SHARDS`], holding many links each.
#[durable_object(alarm)]
pub struct ClickCounter {
    state: State,
    env: Env,
    counter: RefCell<Option<Counter<ObjectSql>>>,
}

impl DurableObject for ClickCounter {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, counter: RefCell::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        if request.method() != Method::Post {
            return Response::error("POST only", 405);
        }
        let path = request.path();
        let body = request.bytes().await?;
        if let Err(error) = self.open().await {
            console_error!("{{\"event\":\"counter_closed\",\"detail\":\"{}\"}}", error.0);
            return Response::error("not open", 503);
        }
        match path.as_str() {
            "/absorb" => self.absorb(&body).await,
            "/totals" => self.totals(&body),
            _ => Response::error("no such thing", 404),
        }
    }

    async fn alarm(&self) -> Result<Response> {
        if self.open().await.is_ok()
            && let Err(error) = self.push().await
        {
            console_error!("{{\"event\":\"clicks_not_pushed\",\"detail\":\"{error}\"}}");
        }
        self.arm().await;
        Response::empty()
    }
}

impl ClickCounter {
    /// Opens the counter with the first call after the object came to life.
    async fn open(&self) -> std::result::Result<(), SqlError> {
        if self.counter.borrow().is_some() {
            return Ok(());
        }
        let armed_at = bindings::alarm(&self.state).await;
        let name = self.state.id().name().unwrap_or_default();
        let shard = (0..SHARDS).find(|n| object_name(*n) == name).unwrap_or(0);
        let mut slot = self.counter.borrow_mut();
        if slot.is_none() {
            let state: &JsValue = self.state.as_raw();
            *slot = Some(Counter::open(ObjectSql(state.clone()), shard, armed_at)?);
        }
        Ok(())
    }

    async fn absorb(&self, body: &[u8]) -> Result<Response> {
        let Ok(batch) = Batch::decode(body) else {
            return Response::error("no batch", 400);
        };
        let mut random = [0; 32];
        if getrandom::fill(&mut random).is_err() {
            return Response::error("no randomness", 503);
        }
        let absorbed = match self.counter.borrow_mut().as_mut() {
            Some(counter) => counter.absorb(&batch, now_ms(), random),
            None => Err(SqlError("not open".to_owned())),
        };
        self.arm().await;
        match absorbed {
            Ok(_) => Response::empty(),
            Err(error) => {
                console_error!("{{\"event\":\"clicks_not_written\",\"detail\":\"{}\"}}", error.0);
                Response::error("not written", 503)
            }
        }
    }

    fn totals(&self, body: &[u8]) -> Result<Response> {
        let question = std::str::from_utf8(body).ok().and_then(from_json);
        let Some((links, from, to)): Option<(Vec<LinkId>, Day, Day)> = question else {
            return Response::error("no question", 400);
        };
        match self.counter.borrow().as_ref().map(|counter| counter.totals(&links, from, to)) {
            Some(Ok(rows)) => Response::from_json(&rows),
            _ => Response::error("not readable", 503),
        }
    }

    /// Hands totals on to D1. They are stored before they are pushed, so a repeat is harmless.
    async fn push(&self) -> std::result::Result<(), String> {
        let push: Option<Push> = match self.counter.borrow_mut().as_mut() {
            Some(counter) => counter.alarm(now_ms()).map_err(|e| e.0)?,
            None => None,
        };
        let Some(push) = push else { return Ok(()) };
        let binding = js_sys::Reflect::get(&self.env, &"DB".into()).map_err(|_| "no DB")?;
        let db = D1::new(binding);
        let db: &dyn Database = &db;
        for rows in push.rows.chunks(CHUNK) {
            db.run(vec![clicks::push(rows)]).await.map_err(|e| e.to_string())?;
        }
        match self.counter.borrow_mut().as_mut() {
            Some(counter) => counter.pushed(&push).map_err(|e| e.0),
            None => Ok(()),
        }
    }

    async fn arm(&self) {
        let at = self.counter.borrow_mut().as_mut().and_then(|counter| counter.arm(now_ms()));
        if let Some(at) = at {
            let in_ms = u32::try_from(at - now_ms()).unwrap_or(0);
            if bindings::arm(&self.state, in_ms).await.is_err() {
                console_error!("{{\"event\":\"alarm_not_set\"}}");
            }
        }
    }
}
