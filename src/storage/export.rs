//! A brand's ledger as lines of JSON: what decides orders, the orders, what causes entries, balances,
//! heads, entries. Each statement makes whole lines, so that they are only handed on.
//!
//! Lines tell the last sequence that the ledger had when they were read (`as_of`): a statement sees one
//! moment, and what is compared with entries is compared with those up to there. docs/proofs.md has
//! the form.

use serde_json::Value;

use super::{Database, DbError, FromColumn, Reading, Statement, bind, row, statements};
use crate::domain::ids::BrandId;

statements! {
    MOMENT = "
SELECT b.version,
  (SELECT coalesce(max(sequence), 0) FROM entries WHERE brand_id = ?1) AS as_of
FROM brands b WHERE b.id = ?1";

    /// ?1 brand, ?2 after version, kind ?3 and subject ?4, ?5 up to version, ?6 limit.
    RULES = "
SELECT version || '/' || kind || '/' || subject_id AS key, json_object('kind', 'rule',
  'version', version, 'of', kind, 'id', subject_id, 'value', json(value)) AS line
FROM rule_journal WHERE brand_id = ?1 AND version <= ?5
  AND (version, kind, subject_id) > (CAST(?2 AS INTEGER), ?3, ?4)
ORDER BY version, kind, subject_id LIMIT ?6";

    /// Of these: ?1 brand, ?2 after key, ?3 limit. Orders may be large: of a page only the first
    /// megabyte and what it ends in.
    ORDERS = "
SELECT key, line FROM (
  SELECT o.id AS key, length(o.facts) + coalesce(length(o.decision), 0) AS size,
    sum(length(o.facts) + coalesce(length(o.decision), 0)) OVER (ORDER BY o.id) AS so_far,
    json_object('kind', 'order', 'as_of',
      (SELECT coalesce(max(sequence), 0) FROM entries WHERE brand_id = ?1), 'id', o.id,
      'store', o.store_id, 'external_id', o.external_id, 'state', o.state,
      'placed_at_ms', o.placed_at_ms, 'placed_day', o.placed_day, 'currency', o.currency,
      'base_minor', o.base_minor, 'commission_minor', o.commission_minor, 'deal', o.deal_id,
      'creator', o.creator_id, 'available_day', o.available_day,
      'decision_version', o.decision_version, 'facts', json(o.facts),
      'decision', json(o.decision)) AS line
  FROM orders o WHERE o.brand_id = ?1 AND o.id > ?2 ORDER BY o.id LIMIT ?3) part
WHERE so_far - size < 1000000 ORDER BY key";

    FEES = "
SELECT f.id AS key, json_object('kind', 'fee', 'as_of',
  (SELECT coalesce(max(sequence), 0) FROM entries WHERE brand_id = ?1), 'id', f.id,
  'deal', f.deal_id, 'creator', f.creator_id, 'currency', f.currency,
  'amount_minor', f.amount_minor, 'state', f.state, 'note', f.note) AS line
FROM fees f WHERE f.brand_id = ?1 AND f.id > ?2 ORDER BY f.id LIMIT ?3";

    ADJUSTMENTS = "
SELECT a.id AS key, json_object('kind', 'adjustment', 'as_of',
  (SELECT coalesce(max(sequence), 0) FROM entries WHERE brand_id = ?1), 'id', a.id,
  'creator', a.creator_id, 'currency', a.currency, 'amount_minor', a.amount_minor,
  'reason', a.reason) AS line
FROM adjustments a WHERE a.brand_id = ?1 AND a.id > ?2 ORDER BY a.id LIMIT ?3";

    PAYOUT_LINES = "
SELECT l.payout_id || '/' || l.id AS key, json_object('kind', 'payout_line', 'as_of',
  (SELECT coalesce(max(sequence), 0) FROM entries WHERE brand_id = ?1), 'id', l.id,
  'payout', l.payout_id, 'creator', l.creator_id, 'currency', p.currency,
  'amount_minor', l.amount_minor, 'state', l.state, 'attempt', l.attempt) AS line
FROM payout_lines l CROSS JOIN payouts p ON p.brand_id = ?1 AND p.id = l.payout_id
WHERE l.brand_id = ?1 AND (l.payout_id, l.id) >
  (substr(?2, 1, instr(?2, '/') - 1), substr(?2, instr(?2, '/') + 1))
ORDER BY l.payout_id, l.id LIMIT ?3";

    BALANCES = "
SELECT creator_id || '/' || currency || '/' || account || '/' || day AS key,
  json_object('kind', 'balance', 'as_of',
    (SELECT coalesce(max(sequence), 0) FROM entries WHERE brand_id = ?1), 'creator', creator_id,
    'currency', currency, 'account', account, 'day', day, 'amount_minor', amount_minor) AS line
FROM balances WHERE brand_id = ?1 AND amount_minor <> 0 AND (creator_id, currency, account, day) >
  (?4, ?5, ?6, CAST(?7 AS INTEGER)) AND ?2 IS NOT NULL
ORDER BY creator_id, currency, account, day LIMIT ?3";

    HEADS = "
SELECT size AS key, json_object('kind', 'head', 'size', size, 'root', root,
  'sealed_at_ms', sealed_at_ms) AS line
FROM ledger_seals WHERE brand_id = ?1 AND size > CAST(?2 AS INTEGER) ORDER BY size LIMIT ?3";

    ENTRIES = "
SELECT sequence AS key, json_object('kind', 'entry', 'sequence', sequence, 'txn', txn,
  'account', account, 'creator', creator_id, 'day', day, 'currency', currency,
  'amount_minor', amount_minor, 'cause', cause, 'cause_id', cause_id,
  'posted_at_ms', posted_at_ms) AS line
FROM entries WHERE brand_id = ?1 AND sequence > CAST(?2 AS INTEGER) ORDER BY sequence LIMIT ?3";
}

/// What an export consists of, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Orders: facts, decision, standing.
    Orders,
    /// Fees.
    Fees,
    /// Corrections by hand.
    Adjustments,
    /// Payments to creators.
    PayoutLines,
    /// What accounts hold.
    Balances,
    /// Sealed heads.
    Heads,
    /// Entries.
    Entries,
}

impl Section {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Orders,
        Self::Fees,
        Self::Adjustments,
        Self::PayoutLines,
        Self::Balances,
        Self::Heads,
        Self::Entries,
    ];

    /// Its name in the export.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Fees => "fees",
            Self::Adjustments => "adjustments",
            Self::PayoutLines => "payout_lines",
            Self::Balances => "balances",
            Self::Heads => "heads",
            Self::Entries => "entries",
        }
    }

    /// So many of its rows are read at once.
    const fn page(self) -> i64 {
        match self {
            Self::Orders => 400,
            _ => 2000,
        }
    }
}

row! {
    /// A moment of a brand's books.
    pub struct Moment {
        /// The version of what decides orders.
        pub version: i64,
        /// The last entry.
        pub as_of: i64,
    }
    /// A line of the export.
    pub struct Line {
        /// After what the next one comes.
        pub key: Key,
        /// The line.
        pub line: String,
    }
}

/// A key as text, whatever the column is.
pub struct Key(pub String);

impl FromColumn for Key {
    fn from_column(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self(text.clone())),
            Value::Number(number) => Some(Self(number.to_string())),
            _ => None,
        }
    }
    fn placeholder() -> Self {
        Self(String::new())
    }
}

/// The present moment.
///
/// # Errors
/// [`DbError`].
pub fn moment(db: &dyn Database, brand: BrandId) -> Reading<'_, Option<Moment>> {
    db.first(bind!(MOMENT, brand))
}

/// A page of what decides orders, after a key, up to a version. The last page is the one that isn't
/// full: its second part is false.
///
/// # Errors
/// [`DbError`].
pub async fn rules(
    db: &dyn Database,
    brand: BrandId,
    after: &str,
    version: i64,
) -> Result<(Vec<Line>, bool), DbError> {
    const PAGE: i64 = 2000;
    let mut parts = after.splitn(3, '/');
    let mut part = || parts.next().unwrap_or_default().to_owned();
    let (of, kind, subject) = (part(), part(), part());
    let lines: Vec<Line> = db.all(bind!(RULES, brand, of, kind, subject, version, PAGE)).await?;
    let more = i64::try_from(lines.len()).is_ok_and(|n| n >= PAGE);
    Ok((lines, more))
}

/// A page of a section after a key, and whether there may be more.
///
/// # Errors
/// [`DbError`].
pub async fn page(
    db: &dyn Database,
    brand: BrandId,
    section: Section,
    after: &str,
) -> Result<(Vec<Line>, bool), DbError> {
    let statement = |sql| bind!(sql, brand, after, section.page());
    let statement: Statement = match section {
        Section::Orders => statement(ORDERS),
        Section::Fees => statement(FEES),
        Section::Adjustments => statement(ADJUSTMENTS),
        Section::PayoutLines => statement(PAYOUT_LINES),
        Section::Heads => statement(HEADS),
        Section::Entries => statement(ENTRIES),
        Section::Balances => {
            let mut statement = statement(BALANCES);
            let mut parts = after.split('/');
            statement
                .params
                .extend((0..4).map(|_| super::Param::from(parts.next().unwrap_or_default())));
            statement
        }
    };
    let lines: Vec<Line> = db.all(statement).await?;
    // A page of orders may be cut where they are large: then an empty one is the last.
    let more = match section {
        Section::Orders => !lines.is_empty(),
        _ => i64::try_from(lines.len()).is_ok_and(|n| n >= section.page()),
    };
    Ok((lines, more))
}
