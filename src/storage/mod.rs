//! Every line of SQL, and the port it runs through.
//!
//! Statements are constants in [`statements!`] blocks, so that tests can prepare each one, look at
//! its query plan and check that it is scoped by brand. Reads return typed rows; commands return
//! [`Statement`]s, because one [`Database::run`] is one atomic batch and the caller decides what
//! belongs together. Integers cross as numbers that D1 binds as REAL, so SQL never divides or
//! multiplies a bound parameter, and STRICT tables turn them back.

pub mod access;
pub mod actions;
pub mod affiliates;
pub mod audit;
pub mod automation_looks;
pub mod automation_runs;
pub mod automations;
pub mod boards;
pub mod brands;
pub mod bulk;
pub mod claims;
pub mod click_counter;
pub mod clicks;
pub mod code_work;
pub mod codes;
pub mod collections;
pub mod counting;
pub mod creators;
pub mod deals;
pub mod export;
pub mod fees;
pub mod filter;
pub mod goaffpro;
pub mod groups;
pub mod hooks;
pub mod hosts;
pub mod imports;
pub mod jobs;
pub mod kept;
pub mod ledger;
pub mod links;
pub mod mails;
pub mod members;
pub mod messages;
pub mod mine;
pub mod notes;
pub mod offers;
pub mod order_facts;
pub mod orders;
pub mod outbox;
pub mod overview;
pub mod owed;
pub mod payment;
pub mod payouts;
pub mod personal;
pub mod posts;
pub mod privacy;
pub mod proofs;
pub mod quarantine;
pub mod ranks;
pub mod reports;
pub mod retention;
pub mod rewrap;
pub mod rows;
pub mod segments;
pub mod sendings;
pub mod sequences;
pub mod sessions;
pub mod simulations;
pub mod statement;
pub mod store_access;
pub mod stores;
pub mod syncs;
pub mod templates;
pub mod term_templates;
pub mod tiers;
pub mod timeline;

pub(crate) use rows::{Columns, FromColumn, FromRow, Reading, row, spelling};

pub use rows::Rows;

use std::borrow::Cow;

use crate::app::Pending;
use crate::domain::json::json;

/// A bound parameter. What it holds is printed nowhere: it may be anybody's.
#[derive(Clone, PartialEq, Eq)]
pub enum Param {
    /// NULL.
    Null,
    /// An integer within ±2^53.
    Int(i64),
    /// Text, or JSON for `json_each`.
    Text(String),
}

impl std::fmt::Debug for Param {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Int(_) => "Int(…)",
            Self::Text(_) => "Text(…)",
        })
    }
}

impl From<i64> for Param {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<u16> for Param {
    fn from(value: u16) -> Self {
        Self::Int(i64::from(value))
    }
}
impl From<u32> for Param {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}
impl From<bool> for Param {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}
impl From<&str> for Param {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Param {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<&String> for Param {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}
impl<K: crate::domain::ids::Kind> From<crate::domain::ids::Id<K>> for Param {
    fn from(id: crate::domain::ids::Id<K>) -> Self {
        Self::Text(id.to_string())
    }
}
impl<T: Into<Self>> From<Option<T>> for Param {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One SQL statement with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The text: one of the constants of this ring, or what a filter became ([`filter`]).
    pub sql: Cow<'static, str>,
    /// Bound to `?1`, `?2`, …
    pub params: Vec<Param>,
}

/// Builds a [`Statement`].
macro_rules! bind {
    ($sql:expr $(, $param:expr)* $(,)?) => {
        $crate::storage::Statement { sql: std::borrow::Cow::Borrowed($sql), params: vec![$($crate::storage::Param::from($param)),*] }
    };
}
pub(crate) use bind;

/// Declares a module's SQL, and lists it for the tests.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {
        $($(#[$doc])* const $name: &str = {
            const BYTES: [u8; $crate::storage::squeezed_len($sql)] = $crate::storage::squeezed($sql);
            match core::str::from_utf8(&BYTES) {
                Ok(sql) => sql,
                Err(_) => "",
            }
        };)*
        /// Every statement of this module with its name.
        pub const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use statements;

/// The length of what [`squeezed`] makes.
pub(crate) const fn squeezed_len(sql: &str) -> usize {
    squeeze(sql.as_bytes(), &mut [])
}

/// A statement without the layout it has in the source: D1 looks at every character of every
/// statement, and its text travels with each call.
pub(crate) const fn squeezed<const LENGTH: usize>(sql: &str) -> [u8; LENGTH] {
    let mut squeezed = [b' '; LENGTH];
    squeeze(sql.as_bytes(), &mut squeezed);
    squeezed
}

/// Puts into `out`, as far as it reaches, the text with runs of white space made one space, or
/// none at the ends and beside punctuation; what is quoted stays. Answers the whole length.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks it")]
const fn squeeze(sql: &[u8], out: &mut [u8]) -> usize {
    let (mut at, mut length, mut quoted, mut last) = (0, 0, false, b'(');
    while at < sql.len() {
        let byte = sql[at];
        at += 1;
        let byte = if quoted || !byte.is_ascii_whitespace() {
            byte
        } else {
            while at < sql.len() && sql[at].is_ascii_whitespace() {
                at += 1;
            }
            let ends = at == sql.len() || matches!(sql[at], b')' | b',' | b'=' | b'<' | b'>');
            if ends || matches!(last, b'(' | b',' | b'=' | b'<' | b'>') {
                continue;
            }
            b' '
        };
        if byte == b'\'' {
            quoted = !quoted;
        }
        if length < out.len() {
            out[length] = byte;
        }
        length += 1;
        last = byte;
    }
    length
}

/// Every statement of the D1 database by module, for the tests.
#[must_use]
pub fn all_statements() -> Vec<(&'static str, &'static [(&'static str, &'static str)])> {
    vec![
        ("access", access::STATEMENTS),
        ("actions", actions::STATEMENTS),
        ("affiliates", affiliates::STATEMENTS),
        ("audit", audit::STATEMENTS),
        ("automation_looks", automation_looks::STATEMENTS),
        ("automation_runs", automation_runs::STATEMENTS),
        ("automations", automations::STATEMENTS),
        ("boards", boards::STATEMENTS),
        ("brands", brands::STATEMENTS),
        ("bulk", bulk::STATEMENTS),
        ("claims", claims::STATEMENTS),
        ("posts", posts::STATEMENTS),
        ("imports", imports::STATEMENTS),
        ("clicks", clicks::STATEMENTS),
        ("code_work", code_work::STATEMENTS),
        ("codes", codes::STATEMENTS),
        ("creators", creators::STATEMENTS),
        ("deals", deals::STATEMENTS),
        ("export", export::STATEMENTS),
        ("fees", fees::STATEMENTS),
        ("hooks", hooks::STATEMENTS),
        ("hosts", hosts::STATEMENTS),
        ("goaffpro", goaffpro::STATEMENTS),
        ("groups", groups::STATEMENTS),
        ("jobs", jobs::STATEMENTS),
        ("ledger", ledger::STATEMENTS),
        ("links", links::STATEMENTS),
        ("mails", mails::STATEMENTS),
        ("members", members::STATEMENTS),
        ("notes", notes::STATEMENTS),
        ("messages", messages::STATEMENTS),
        ("offers", offers::STATEMENTS),
        ("order_facts", order_facts::STATEMENTS),
        ("orders", orders::STATEMENTS),
        ("outbox", outbox::STATEMENTS),
        ("overview", overview::STATEMENTS),
        ("payment", payment::STATEMENTS),
        ("payouts", payouts::STATEMENTS),
        ("payouts::drafts", payouts::drafts::STATEMENTS),
        ("personal", personal::STATEMENTS),
        ("privacy", privacy::STATEMENTS),
        ("proofs", proofs::STATEMENTS),
        ("quarantine", quarantine::STATEMENTS),
        ("reports", reports::STATEMENTS),
        ("ranks", ranks::STATEMENTS),
        ("retention", retention::STATEMENTS),
        ("rewrap", rewrap::STATEMENTS),
        ("segments", segments::STATEMENTS),
        ("sendings", sendings::STATEMENTS),
        ("sequences", sequences::STATEMENTS),
        ("sessions", sessions::STATEMENTS),
        ("simulations", simulations::STATEMENTS),
        ("statement", statement::STATEMENTS),
        ("store_access", store_access::STATEMENTS),
        ("stores", stores::STATEMENTS),
        ("syncs", syncs::STATEMENTS),
        ("templates", templates::STATEMENTS),
        ("term_templates", term_templates::STATEMENTS),
        ("tiers", tiers::STATEMENTS),
        ("timeline", timeline::STATEMENTS),
    ]
}

/// Why the database did not do what it was asked. In every case nothing was changed, except that
/// an `Unavailable` may hide a commit: whoever repeats must be able to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// A constraint, trigger or guard refused; the text names it.
    #[error("refused by a constraint: {0}")]
    Constraint(String),
    /// Overloaded, unreachable or reset.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Anything else: a fault of ours.
    #[error("failed: {0}")]
    Failed(String),
}

impl DbError {
    /// Sorts an error text of D1 or SQLite.
    #[must_use]
    pub fn classify(message: String) -> Self {
        const REFUSED: [&str; 6] = [
            "constraint failed",
            "append-only",
            "terms_before_decided_order",
            "decided_from_stale_facts",
            "SQLITE_CONSTRAINT",
            "FOREIGN KEY",
        ];
        const AWAY: [&str; 12] = [
            "overloaded",
            "Network connection lost",
            "object to be reset",
            "code was updated",
            "transient issue",
            "timed out",
            "timeout",
            "Internal error",
            "too many requests",
            "database is locked",
            "fetch failed",
            "binding failed",
        ];
        if REFUSED.iter().any(|sign| message.contains(sign)) {
            Self::Constraint(message)
        } else if AWAY.iter().any(|sign| message.contains(sign)) {
            Self::Unavailable(message)
        } else {
            Self::Failed(message)
        }
    }

    /// Whether the constraint that refused is this one, by a part of its text.
    #[must_use]
    pub fn is_constraint(&self, part: &str) -> bool {
        matches!(self, Self::Constraint(text) if text.contains(part))
    }
}

/// Which copy of the database may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The primary: what a decision loads.
    Primary,
    /// The nearest replica: redirects and reports.
    Nearest,
}

/// The database port.
pub trait Database: Send + Sync {
    /// Runs the statements as one atomic batch and returns the rows of each.
    ///
    /// # Errors
    /// [`DbError`]; the batch then had no effect (but see there).
    fn run_on(
        &self,
        freshness: Freshness,
        statements: Vec<Statement>,
    ) -> Pending<'_, Result<Vec<Rows>, DbError>>;
}

impl dyn Database + '_ {
    /// Runs a batch on the primary.
    ///
    /// # Errors
    /// As [`Database::run_on`].
    pub fn run(&self, statements: Vec<Statement>) -> Pending<'_, Result<Vec<Rows>, DbError>> {
        self.run_on(Freshness::Primary, statements)
    }

    /// What `read` makes of the rows of one statement.
    ///
    /// # Errors
    /// As [`Database::run_on`], and what `read` refuses.
    pub fn ask<T>(
        &self,
        freshness: Freshness,
        statement: Statement,
        read: fn(Rows) -> Result<T, DbError>,
    ) -> Reading<'_, T> {
        Reading { running: self.run_on(freshness, vec![statement]), read }
    }

    /// The rows of one statement.
    ///
    /// # Errors
    /// As [`Database::run_on`].
    pub fn rows(&self, statement: Statement) -> Reading<'_, Rows> {
        self.ask(Freshness::Primary, statement, Ok)
    }

    /// All rows of one statement.
    ///
    /// # Errors
    /// As [`Database::run_on`]; a row of another form.
    pub fn all<T: FromRow>(&self, statement: Statement) -> Reading<'_, Vec<T>> {
        self.ask(Freshness::Primary, statement, |rows| rows.all())
    }

    /// The first row of one statement.
    ///
    /// # Errors
    /// As [`Database::run_on`]; a row of another form.
    pub fn first<T: FromRow>(&self, statement: Statement) -> Reading<'_, Option<T>> {
        self.ask(Freshness::Primary, statement, |rows| rows.first())
    }
}

/// A list as JSON, for `json_each`.
fn json_list<T: ToString>(items: &[T]) -> String {
    json!(items.iter().map(T::to_string).collect::<Vec<_>>())
}

/// A list of numbers as JSON: `json_each` knows them for numbers.
fn json_numbers(items: &[u64]) -> String {
    let mut list = String::from("[");
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            list.push(',');
        }
        list.push_str(&item.to_string());
    }
    list.push(']');
    list
}

/// A page of a list: how many rows to ask for, after which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// At most so many rows.
    pub limit: i64,
    /// The key of the last row of the page before; empty for the first page.
    pub after: String,
}

#[cfg(test)]
mod tests {
    #[test]
    fn statements_lose_their_layout_only() {
        const SQL: &str =
            "\nSELECT a,  ' b  c ' ->> '$.x'\n  FROM t WHERE ( x  =  ?1 AND y <> ?2 )";
        const BYTES: [u8; super::squeezed_len(SQL)] = super::squeezed(SQL);
        let text = core::str::from_utf8(&BYTES).unwrap();
        assert_eq!(text, "SELECT a,' b  c ' ->>'$.x' FROM t WHERE (x=?1 AND y<>?2)");
        let param = super::Param::from("ada@example.com");
        assert_eq!(format!("{param:?}"), "Text(…)");
        for (module, statements) in super::all_statements() {
            for (name, sql) in statements {
                assert!(!sql.contains("--") && !sql.contains('\n'), "{module}::{name}: {sql}");
            }
        }
    }
}
