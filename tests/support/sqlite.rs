//! SQLite behind the database port, as close to D1 as it gets: integers are bound as REAL, foreign
//! keys hold, a batch is one transaction, and the n-th call can be made to fail.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rusqlite::types::{ToSqlOutput, Value as Sql, ValueRef};
use rusqlite::{Connection, StatementStatus};
use serde_json::{Map, Value, json};
use tributary::app::Pending;
use tributary::storage::click_counter::{SqlError, SyncSql};
use tributary::storage::{Database, DbError, Freshness, Param, Rows, Statement};

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was done.
    Before,
    /// All was done, but the answer was lost.
    After,
}

#[derive(Default)]
struct Calls {
    so_far: u64,
    /// Which of them fails how.
    failing: Option<(u64, Fault)>,
    away: bool,
    /// What somebody else does right before the next batch with such a statement.
    meanwhile: Option<(&'static str, String)>,
}

#[derive(Clone)]
pub struct Sqlite {
    connection: Arc<Mutex<Connection>>,
    calls: Arc<Mutex<Calls>>,
}

struct Bound<'a>(&'a Param);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Param::Null => ToSqlOutput::Owned(Sql::Null),
            // D1 binds every number as REAL.
            Param::Int(n) => ToSqlOutput::Owned(Sql::Real(*n as f64)),
            Param::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

impl Sqlite {
    pub fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        connection.execute_batch(include_str!("../../schema.sql")).unwrap();
        Self { connection: Arc::new(Mutex::new(connection)), calls: Arc::default() }
    }

    /// The `n`-th call from now on (0 is the next) fails.
    pub fn fail_call(&self, n: u64, fault: Fault) {
        let mut calls = self.calls.lock().unwrap();
        calls.failing = Some((calls.so_far + n, fault));
    }

    /// No further call fails.
    pub fn fail_no_call(&self) {
        self.calls.lock().unwrap().failing = None;
    }

    /// Every call fails from now on, or none.
    pub fn away(&self, away: bool) {
        self.calls.lock().unwrap().away = away;
    }

    /// Right before the next batch with a statement that contains `part`, `sql` is done.
    pub fn before(&self, part: &'static str, sql: &str) {
        self.calls.lock().unwrap().meanwhile = Some((part, sql.to_owned()));
    }

    pub fn calls(&self) -> u64 {
        self.calls.lock().unwrap().so_far
    }

    pub fn execute(&self, sql: &str) -> Result<usize, String> {
        self.connection.lock().unwrap().execute(sql, []).map_err(|e| e.to_string())
    }

    pub fn with<T>(&self, look: impl FnOnce(&Connection) -> T) -> T {
        look(&self.connection.lock().unwrap())
    }

    /// The rows of a query, for looking at what the API does not show.
    pub fn rows(&self, sql: &str) -> Vec<Value> {
        run_one(&self.connection.lock().unwrap(), sql, &[]).unwrap()
    }

    /// Every table's content as text: for "nothing changed".
    pub fn checksum(&self) -> String {
        let tables = self.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
        let mut all = String::new();
        for table in tables {
            let name = table["name"].as_str().unwrap();
            // What search keeps follows from `search_docs`; ranks are brought up to date by who reads.
            if !matches!(
                name,
                "job_runs"
                    | "quarantine"
                    | "deal_totals"
                    | "totals_told"
                    | "totals_to_tell"
                    | "deal_ranks"
                    | "deal_money_ranks"
            ) && !is_of_search(name)
            {
                all.push_str(
                    &json!(self.rows(&format!("SELECT * FROM {name} ORDER BY 1, 2, 3")))
                        .to_string(),
                );
            }
        }
        all
    }

    /// What `deal_days` must be: the orders added up in Rust.
    pub fn fold_of_orders(&self) -> Vec<Value> {
        let orders = self.rows(
            "SELECT o.deal_id, o.placed_at_ms, o.currency, o.state, o.base_minor, o.commission_minor, b.timezone
             FROM orders o JOIN brands b ON b.id = o.brand_id WHERE o.deal_id IS NOT NULL",
        );
        let mut totals: BTreeMap<(String, i64, String), [i64; 3]> = BTreeMap::new();
        for order in orders {
            let zone =
                tributary::domain::time::Zone::named(order["timezone"].as_str().unwrap()).unwrap();
            let day = zone.day(order["placed_at_ms"].as_i64().unwrap()).0;
            let text = |name: &str| order[name].as_str().unwrap().to_owned();
            let total = totals.entry((text("deal_id"), day, text("currency"))).or_default();
            total[0] += i64::from(order["state"] != "cancelled");
            total[1] += order["base_minor"].as_i64().unwrap();
            total[2] += order["commission_minor"].as_i64().unwrap();
        }
        totals
            .into_iter()
            .filter(|(_, total)| *total != [0; 3])
            .map(|((deal_id, day, currency), [orders, base_minor, commission_minor])| {
                json!({ "deal_id": deal_id, "day": day, "currency": currency, "orders": orders,
                    "base_minor": base_minor, "commission_minor": commission_minor })
            })
            .collect()
    }
}

fn is_of_search(table: &str) -> bool {
    table == "search" || (table.starts_with("search_") && table != "search_docs")
}

fn run_one(connection: &Connection, sql: &str, params: &[Param]) -> rusqlite::Result<Vec<Value>> {
    let mut statement = connection.prepare_cached(sql)?;
    for (index, param) in params.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, Bound(param))?;
    }
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let mut object = Map::new();
        for (index, name) in names.iter().enumerate() {
            let value = match row.get_ref(index)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(n) => n.into(),
                ValueRef::Real(x) => json!(x),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
                // Only the full-text index has any: whoever looks for a word sees it.
                ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
            };
            object.insert(name.clone(), value);
        }
        found.push(Value::Object(object));
    }
    drop(rows);
    let steps = statement.reset_status(StatementStatus::VmStep);
    STEPS.with(|most| most.set(most.get().max(steps)));
    Ok(found)
}

thread_local! {
    /// The most steps of SQLite's machine that one statement of this thread took.
    static STEPS: Cell<i32> = const { Cell::new(0) };
}

/// The most steps that a statement took since this was last asked: what grows with what it walks over,
/// and is the same on every machine.
pub fn most_steps() -> i32 {
    STEPS.with(|most| most.replace(0))
}

impl Database for Sqlite {
    fn run_on(
        &self,
        _: Freshness,
        statements: Vec<Statement>,
    ) -> Pending<'_, Result<Vec<Rows>, DbError>> {
        let outcome = self.run_batch(&statements);
        // Others get their turn between two calls, as they do on D1.
        Box::pin(async move {
            tokio::task::yield_now().await;
            outcome
        })
    }
}

impl Sqlite {
    fn run_batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, DbError> {
        let (fault, meanwhile) = {
            let mut calls = self.calls.lock().unwrap();
            let this = calls.so_far;
            calls.so_far += 1;
            if calls.away {
                return Err(DbError::Unavailable("D1 is away".into()));
            }
            let fault = calls.failing.filter(|(n, _)| *n == this).map(|(_, fault)| fault);
            let hit =
                |(part, _): &mut (&str, String)| statements.iter().any(|s| s.sql.contains(*part));
            (fault, calls.meanwhile.take_if(hit))
        };
        if let Some((_, sql)) = meanwhile {
            self.with(|connection| connection.execute_batch(&sql)).unwrap();
        }
        let lost = || DbError::Unavailable("Network connection lost.".into());
        if fault == Some(Fault::Before) {
            return Err(lost());
        }
        let mut connection = self.connection.lock().unwrap();
        let transaction = connection.transaction().unwrap();
        let mut results = Vec::new();
        for statement in statements {
            match run_one(&transaction, &statement.sql, &statement.params) {
                Ok(rows) => results.push(Rows(rows)),
                Err(error) => return Err(DbError::classify(error.to_string())),
            }
        }
        transaction.commit().unwrap();
        if fault == Some(Fault::After) { Err(lost()) } else { Ok(results) }
    }
}

/// A counter object's own SQLite.
pub struct ObjectSql(Connection);

impl ObjectSql {
    pub fn new() -> Self {
        Self(Connection::open_in_memory().unwrap())
    }
}

impl SyncSql for ObjectSql {
    fn exec(&self, sql: &str, input: Option<&str>) -> Result<Vec<String>, SqlError> {
        let failed = |e: rusqlite::Error| SqlError(e.to_string());
        let Some(input) = input else {
            if !sql.trim_start().to_ascii_uppercase().starts_with("SELECT") {
                self.0.execute_batch(sql).map_err(failed)?;
                return Ok(Vec::new());
            }
            let mut statement = self.0.prepare(sql).map_err(failed)?;
            let rows = statement.query_map([], |row| row.get(0)).map_err(failed)?;
            return rows.collect::<Result<_, _>>().map_err(failed);
        };
        let mut statement = self.0.prepare(sql).map_err(failed)?;
        if statement.column_count() == 0 {
            statement.execute([input]).map_err(failed)?;
            return Ok(Vec::new());
        }
        let rows = statement.query_map([input], |row| row.get(0)).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }
}
