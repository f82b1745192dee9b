//! Payouts: drafts, approvals, settlements; what statements tell.

pub mod drafts;

pub use drafts::{NewLine, PayableRow, Skipped, currencies, insert, payable, ran, run};

use super::{
    Database, DbError, Freshness, Page, Reading, Statement, bind, row, spelling, statements,
};
use crate::domain::ids::{BrandId, CreatorId, MemberId, PayoutId, PayoutLineId};
use crate::domain::json::{self, json};
use crate::domain::money::Currency;
use crate::domain::sending::State;
use crate::domain::time::Millis;

statements! {
    FIND = "
SELECT id, currency, state, revision, created_at_ms, approved_at_ms, needs_two, skipped, skipped_total
FROM payouts
WHERE brand_id = ?1 AND id = ?2";

    LIST = "
SELECT id, currency, state, revision, created_at_ms, approved_at_ms, needs_two, '[]' AS skipped,
  0 AS skipped_total FROM payouts WHERE brand_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

    /// With the sending of its present try; but a try of which the provider told later that it arrived
    /// after all is what people must see.
    LINES = "
SELECT l.id, l.creator_id, l.amount_minor, l.state, l.revision, l.reference, l.reason,
  l.settled_at_ms, l.attempt, l.way, s.state AS sending, s.batch, s.told, s.due_at_ms,
  s.attempt AS sending_attempt, EXISTS (SELECT 1 FROM payout_sendings f WHERE f.brand_id = ?1
    AND f.line_id = l.id AND f.attempt = l.attempt AND f.state IN ('waiting', 'sending', 'sent')) AS in_flight
FROM payout_lines l LEFT JOIN payout_sendings s ON s.brand_id = l.brand_id AND s.line_id = l.id
  AND s.attempt = coalesce((SELECT max(w.attempt) FROM payout_sendings w WHERE w.brand_id = ?1
    AND w.line_id = l.id AND w.state = 'contradicted'), l.attempt)
WHERE l.brand_id = ?1 AND l.payout_id = ?2 ORDER BY l.id";

    /// How the creators of what isn't over would be paid now, as far as anyone sees that.
    DESTINATIONS = "
SELECT l.id, d.method, d.last4, d.updated_at_ms FROM payout_lines l JOIN payment_details d
  ON d.brand_id = l.brand_id AND d.creator_id = l.creator_id
WHERE l.brand_id = ?1 AND l.payout_id = ?2 AND l.state IN ('draft', 'in_payout', 'failed')";

    /// Of the payout and of the tries of its lines.
    APPROVALS = "
SELECT a.subject, a.person_id, a.member_id, a.approved_at_ms, EXISTS (SELECT 1 FROM members m
    WHERE m.brand_id = ?1 AND m.person_id = a.person_id AND m.role <> 'viewer') AS counts
FROM payout_approvals a WHERE a.brand_id = ?1 AND a.subject IN (SELECT ?2 UNION ALL
    SELECT id || '/' || (attempt + 1) FROM payout_lines WHERE brand_id = ?1 AND payout_id = ?2)
ORDER BY a.approved_at_ms, a.person_id";

    /// By whoever the member is now; nobody approves twice, whatever she is called. Of a member that is
    /// gone, or may not any more, there is no person: that aborts.
    APPROVE = "
INSERT INTO payout_approvals (brand_id, subject, person_id, member_id, approved_at_ms)
VALUES (?1, ?2, (SELECT person_id FROM members WHERE brand_id = ?1 AND id = ?3
  AND role <> 'viewer'), ?3, ?4)";

    PERSON_OF = "
SELECT person_id FROM members WHERE brand_id = ?1 AND id = ?2";

    /// A first approval is a change too: whoever cancels or approves meanwhile decides anew.
    COUNT_UP = "
UPDATE payouts SET revision = iif(revision = ?3, revision + 1, NULL) WHERE brand_id = ?1 AND id = ?2";

    /// As [`DECIDE`], of a line that failed; what became of the try before is in the trail and the books.
    RETRY = "
UPDATE payout_lines SET revision = iif(revision = ?4, revision + 1, NULL), state = 'in_payout',
  attempt = attempt + 1, way = NULL, reference = NULL, reason = NULL, settled_at_ms = NULL
WHERE brand_id = ?1 AND payout_id = ?2 AND id = ?3";

    /// As [`COUNT_UP`], of a line.
    COUNT_LINE_UP = "
UPDATE payout_lines SET revision = iif(revision = ?4, revision + 1, NULL)
WHERE brand_id = ?1 AND payout_id = ?2 AND id = ?3";

    /// ?3 lines with their tries, as they stood: those of an object by their ids. One that has another way already, or
    /// moved on, aborts. (Joined with a list, all lines of the payout are looked for in it, or all of the list for
    /// each.)
    TAKE_WAY = "
UPDATE payout_lines SET way = iif(state = 'in_payout' AND attempt = ?3 ->> id AND NOT EXISTS (SELECT 1
    FROM payout_sendings s WHERE s.brand_id = ?1 AND s.line_id = payout_lines.id AND s.state = 'contradicted'),
  ?4, 'none')
WHERE brand_id = ?1 AND payout_id = ?2 AND id IN (SELECT j.key FROM json_each(?3) j)";

    LINES_OF = "
SELECT l.id, l.payout_id, l.amount_minor, l.state, l.reference, l.reason, l.settled_at_ms,
  p.currency, p.approved_at_ms
FROM payout_lines l JOIN payouts p ON p.brand_id = l.brand_id AND p.id = l.payout_id
WHERE l.brand_id = ?1 AND l.creator_id = ?2 AND l.id < ?3
  AND l.state IN ('in_payout', 'settled', 'failed')
ORDER BY l.id DESC LIMIT ?4";

    /// ?3 the revision that was decided from: another aborts, because revision can't be NULL.
    DECIDE = "
UPDATE payouts SET revision = iif(revision = ?3, revision + 1, NULL), state = ?4,
  approved_at_ms = ?5 WHERE brand_id = ?1 AND id = ?2";

    MOVE_LINES = "
UPDATE payout_lines SET state = ?3, revision = revision + 1 WHERE brand_id = ?1 AND payout_id = ?2";

    /// As [`DECIDE`], of a line.
    SETTLE = "
UPDATE payout_lines SET revision = iif(revision = ?4, revision + 1, NULL), state = ?5,
  reference = ?6, reason = ?7, settled_at_ms = ?8
WHERE brand_id = ?1 AND payout_id = ?2 AND id = ?3";

    /// As [`SETTLE`], of many: ?3 a JSON list of id, revision, state, reference, reason.
    SETTLE_MANY = "
UPDATE payout_lines SET revision = iif(revision = j.value ->> 1, revision + 1, NULL),
  state = j.value ->> 2, reference = j.value ->> 3, reason = j.value ->> 4, settled_at_ms = ?4
FROM json_each(?3) j WHERE brand_id = ?1 AND payout_id = ?2 AND payout_lines.id = j.value ->> 0";

    /// Where the money of a payout goes.
    TARGETS = "
SELECT l.id, l.creator_id, c.name, l.amount_minor, l.state, l.attempt, l.way, d.method, d.sealed,
  d.version, d.usable_at_ms
FROM payout_lines l JOIN creators c ON c.brand_id = l.brand_id AND c.id = l.creator_id
LEFT JOIN payment_details d ON d.brand_id = l.brand_id AND d.creator_id = l.creator_id
WHERE l.brand_id = ?1 AND l.payout_id = ?2 ORDER BY l.id";
}

/// Where a payout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayoutState {
    /// Proposed: nothing has moved.
    Draft,
    /// The money is on its way.
    Approved,
    /// Given up as a draft.
    Cancelled,
}
spelling!(PayoutState { Draft = "draft", Approved = "approved", Cancelled = "cancelled" });

/// Where a line of a payout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// Proposed.
    Draft,
    /// On its way.
    InPayout,
    /// It arrived.
    Settled,
    /// It came back.
    Failed,
    /// Given up with its draft.
    Cancelled,
}
spelling!(LineState {
    Draft = "draft",
    InPayout = "in_payout",
    Settled = "settled",
    Failed = "failed",
    Cancelled = "cancelled",
});

row! {
    /// A payout.
    pub struct PayoutRow {
        /// Its id.
        pub id: PayoutId,
        /// In which currency.
        pub currency: Currency,
        /// Where it stands.
        pub state: PayoutState,
        /// How often it was decided.
        pub revision: i64,
        /// When it was drafted.
        pub created_at_ms: Millis,
        /// When it was approved.
        pub approved_at_ms: Option<Millis>,
        /// Whether it needed two people when it was drafted.
        pub needs_two: bool,
        /// Who has something and wasn't drafted: of many some.
        pub skipped: Vec<Skipped>,
        /// How many that were.
        pub skipped_total: i64,
    }
    /// That somebody approved.
    pub struct ApprovalRow {
        /// A payout, or another try of a line: `line/attempt`.
        pub subject: String,
        /// Who.
        pub person_id: String,
        /// As which member.
        pub member_id: MemberId,
        /// When.
        pub approved_at_ms: Millis,
        /// Whether she still may.
        pub counts: bool,
    }
    /// A line of a payout.
    pub struct LineRow {
        /// Its id.
        pub id: PayoutLineId,
        /// Whose.
        pub creator_id: CreatorId,
        /// How much.
        pub amount_minor: i64,
        /// Where it stands.
        pub state: LineState,
        /// How often it was decided.
        pub revision: i64,
        /// The bank's, or the provider's.
        pub reference: Option<String>,
        /// Why it came back.
        pub reason: Option<String>,
        /// When it arrived or came back.
        pub settled_at_ms: Option<Millis>,
        /// Which try it is, from 1.
        pub attempt: i64,
        /// `file` or `paypal`, once it went one of these ways.
        pub way: Option<String>,
        /// Where this try stands with the provider, if it went there; or an earlier one that was
        /// contradicted.
        pub sending: Option<State>,
        /// The provider's name of it.
        pub batch: Option<String>,
        /// What the provider told last.
        pub told: Option<String>,
        /// When it is asked next.
        pub due_at_ms: Option<Millis>,
        /// Which try that is.
        pub sending_attempt: Option<i64>,
        /// Whether only the provider knows what becomes of the present try.
        pub in_flight: bool,
    }
    /// How a line's creator would be paid now.
    pub struct DestinationRow {
        /// The line.
        pub id: PayoutLineId,
        /// `paypal`, `iban` or `ach`.
        pub method: String,
        /// Of the account.
        pub last4: Option<String>,
        /// Since when.
        pub updated_at_ms: Millis,
    }
    /// A payment as its creator sees it.
    pub struct MyLineRow {
        /// Its id.
        pub id: PayoutLineId,
        /// With which payout.
        pub payout_id: PayoutId,
        /// How much.
        pub amount_minor: i64,
        /// Where it stands.
        pub state: LineState,
        /// The bank's, or the provider's.
        pub reference: Option<String>,
        /// Why it came back.
        pub reason: Option<String>,
        /// When it arrived or came back.
        pub settled_at_ms: Option<Millis>,
        /// In which currency.
        pub currency: Currency,
        /// When it was approved.
        pub approved_at_ms: Option<Millis>,
    }
    /// Where the money of a line goes.
    pub struct TargetRow {
        /// The line.
        pub id: PayoutLineId,
        /// To whom.
        pub creator_id: CreatorId,
        /// Her name.
        pub name: String,
        /// How much.
        pub amount_minor: i64,
        /// Where the line stands.
        pub state: LineState,
        /// Which try it is, from 1.
        pub attempt: i64,
        /// `file` or `paypal`, once it went one of these ways.
        pub way: Option<String>,
        /// How she is paid.
        pub method: Option<String>,
        /// Her payment details.
        pub sealed: Option<String>,
        /// Their version.
        pub version: Option<i64>,
        /// From when on they are used.
        pub usable_at_ms: Option<Millis>,
    }
}

/// One payout with its lines.
///
/// # Errors
/// [`DbError`].
pub async fn find(
    db: &dyn Database,
    brand: BrandId,
    id: PayoutId,
) -> Result<Option<Found>, DbError> {
    let batch = vec![bind!(FIND, brand, id), bind!(LINES, brand, id), bind!(APPROVALS, brand, id)];
    let rows = db.run(batch).await?;
    let [payout, lines, approvals] = rows.as_slice() else { return Ok(None) };
    let Some(payout) = payout.first()? else { return Ok(None) };
    Ok(Some(Found { payout, lines: lines.all()?, approvals: approvals.all()? }))
}

/// A payout with all that belongs to it.
pub struct Found {
    /// It.
    pub payout: PayoutRow,
    /// Its lines.
    pub lines: Vec<LineRow>,
    /// Who approved it, or another try of one of its lines.
    pub approvals: Vec<ApprovalRow>,
}

/// Notes that a member approves a payout, or another try of a line; a second time aborts, and so does
/// somebody who isn't a member any more.
#[must_use]
pub fn approve(brand: BrandId, subject: &str, member: MemberId, now_ms: Millis) -> Statement {
    bind!(APPROVE, brand, subject, member, now_ms)
}

/// Which person a member is.
///
/// # Errors
/// [`DbError`].
pub fn person_of(
    db: &dyn Database,
    brand: BrandId,
    member: MemberId,
) -> Reading<'_, Option<String>> {
    db.ask(Freshness::Primary, bind!(PERSON_OF, brand, member), |rows| {
        Ok(rows.column("person_id")?.pop().flatten())
    })
}

/// Guards a first approval against whatever else is decided about a payout.
#[must_use]
pub fn count_up(brand: BrandId, payout: &PayoutRow) -> Statement {
    bind!(COUNT_UP, brand, payout.id, payout.revision)
}

/// Puts a line that failed on its way again, as another try.
#[must_use]
pub fn retry(brand: BrandId, payout: PayoutId, line: &LineRow) -> Statement {
    bind!(RETRY, brand, payout, line.id, line.revision)
}

/// Guards a first approval of another try.
#[must_use]
pub fn count_line_up(brand: BrandId, payout: PayoutId, line: &LineRow) -> Statement {
    bind!(COUNT_LINE_UP, brand, payout, line.id, line.revision)
}

/// Marks tries of lines as paid this way: `file` or `paypal`. One that went the other way, or another try
/// of it, aborts.
#[must_use]
pub fn take_way(
    brand: BrandId,
    payout: PayoutId,
    lines: &[(PayoutLineId, i64)],
    way: &'static str,
) -> Statement {
    let named: Vec<(String, i64)> = lines.iter().map(|(line, n)| (line.to_string(), *n)).collect();
    let named: Vec<(&str, &dyn json::ToJson)> =
        named.iter().map(|(line, n)| (line.as_str(), n as &dyn json::ToJson)).collect();
    bind!(TAKE_WAY, brand, payout, json::text(&json::Fields(&named)), way)
}

/// How the creators of a payout would be paid now.
///
/// # Errors
/// [`DbError`].
pub fn destinations(
    db: &dyn Database,
    brand: BrandId,
    id: PayoutId,
) -> Reading<'_, Vec<DestinationRow>> {
    db.all(bind!(DESTINATIONS, brand, id))
}

/// A page of the brand's payouts, latest first; the page's key is the id of its last row.
///
/// # Errors
/// [`DbError`].
pub fn list<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<PayoutRow>> {
    // After all ids, whose alphabet ends with z.
    let before = if page.after.is_empty() { "payout_~" } else { &page.after };
    db.all(bind!(LIST, brand, before, page.limit))
}

/// A page of a creator's payments, latest first.
///
/// # Errors
/// [`DbError`].
pub fn of_creator<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    creator: CreatorId,
    page: &Page,
) -> Reading<'a, Vec<MyLineRow>> {
    let before = if page.after.is_empty() { "line_~" } else { &page.after };
    db.all(bind!(LINES_OF, brand, creator, before, page.limit))
}

/// Decides a draft, with all its lines; the batch aborts if somebody else did.
#[must_use]
pub fn decide(
    brand: BrandId,
    payout: &PayoutRow,
    state: PayoutState,
    now_ms: Millis,
) -> Vec<Statement> {
    let approved = state == PayoutState::Approved;
    let lines = if approved { LineState::InPayout } else { LineState::Cancelled };
    let approved_at_ms = approved.then_some(now_ms);
    vec![
        bind!(DECIDE, brand, payout.id, payout.revision, state, approved_at_ms),
        bind!(MOVE_LINES, brand, payout.id, lines),
    ]
}

/// Stores what became of a line; the batch aborts if somebody else did.
#[must_use]
pub fn settle(
    brand: BrandId,
    payout: PayoutId,
    line: &LineRow,
    state: LineState,
    (reference, reason): (Option<&str>, Option<&str>),
    now_ms: Millis,
) -> Statement {
    bind!(SETTLE, brand, payout, line.id, line.revision, state, reference, reason, now_ms)
}

/// How a line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub line: PayoutLineId,
    /// How often it was decided when it was looked at.
    pub revision: i64,
    /// `Settled`: it arrived; anything else: it came back.
    pub state: LineState,
    /// The bank's, or the provider's.
    pub reference: Option<String>,
    /// Why it came back.
    pub reason: Option<String>,
}

/// Stores what became of lines; the batch aborts if somebody else did of one.
#[must_use]
pub fn settle_many(brand: BrandId, payout: PayoutId, ends: &[Ended], now_ms: Millis) -> Statement {
    let each = ends.iter().map(|end| {
        let state = if end.state == LineState::Settled { "settled" } else { "failed" };
        json!([end.line, end.revision, state, end.reference, end.reason])
    });
    bind!(SETTLE_MANY, brand, payout, json::list_of(&each.collect::<Vec<_>>()), now_ms)
}

/// Where the money of a payout goes.
///
/// # Errors
/// [`DbError`].
pub fn targets(db: &dyn Database, brand: BrandId, id: PayoutId) -> Reading<'_, Vec<TargetRow>> {
    db.all(bind!(TARGETS, brand, id))
}
