//! Sequences of messages, and the deals that are in them.

use super::{Database, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, DealId, EnrolmentId, SequenceId, TemplateId};
use crate::domain::json::json;
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO sequences (brand_id, id, name, steps, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";

    ARCHIVE = "
UPDATE sequences SET archived_at_ms = ?3 WHERE brand_id = ?1 AND id = ?2 AND archived_at_ms IS NULL";

    FIND = "
SELECT id, name, steps, created_at_ms, archived_at_ms FROM sequences WHERE brand_id = ?1 AND id = ?2";

    LIST = "
SELECT id, name, steps, created_at_ms, archived_at_ms FROM sequences
WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

    /// NULL, which aborts, if the sequence was archived (`step`) or the deal closed (`state`) meanwhile. A second running one aborts too.
    ENROL = "
INSERT INTO enrolments (brand_id, deal_id, id, sequence_id, step, state, due_at_ms, created_at_ms)
VALUES (?1, ?2, ?3, ?4, iif((SELECT archived_at_ms IS NULL FROM sequences WHERE brand_id = ?1 AND id = ?4),
  0, NULL), iif((SELECT closed_at_ms IS NULL FROM deals WHERE brand_id = ?1 AND id = ?2), 'running', NULL), ?5, ?6)";

    /// ?4 the step that was sent: if another did it, or it was stopped, NULL aborts. ?5 when the next is
    /// due; NULL: that was the last.
    ADVANCE = "
UPDATE enrolments SET step = iif(step = ?4 AND state = 'running', step + 1, NULL),
  state = iif(?5 IS NULL, 'finished', 'running'), due_at_ms = ?5
WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3";

    STOP = "
UPDATE enrolments SET state = 'stopped', reason = ?4, due_at_ms = NULL
WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3 AND state = 'running'";

    /// A step that waits for its window; the last one does when its enrolment is finished.
    CANCEL_STEP = "
UPDATE messages SET state = 'cancelled', reason = ?4, due_at_ms = NULL
WHERE brand_id = ?1 AND deal_id = ?2 AND enrolment_id = ?3 AND state = 'scheduled'";

    DUE = "
SELECT e.brand_id, e.deal_id, e.id, e.step, s.steps FROM enrolments e INDEXED BY enrolments_due
CROSS JOIN sequences s ON s.brand_id = e.brand_id AND s.id = e.sequence_id
WHERE e.state = 'running' AND e.due_at_ms <= ?1 ORDER BY e.due_at_ms LIMIT ?2";

    OF_DEAL = "
SELECT id, sequence_id, step, state, reason, due_at_ms, created_at_ms FROM enrolments
WHERE brand_id = ?1 AND deal_id = ?2 ORDER BY id DESC LIMIT 200";
}

row! {
    /// A sequence.
    #[derive(Debug, Clone)]
    pub struct SequenceRow {
        /// Its id.
        pub id: SequenceId,
        /// What the brand calls it.
        pub name: String,
        /// Its steps in order.
        pub steps: Vec<Step>,
        /// Since when.
        pub created_at_ms: Millis,
        /// Since when it takes no more deals.
        pub archived_at_ms: Option<Millis>,
    }
    /// A step.
    #[derive(Debug, Clone)]
    pub struct Step {
        /// What is sent.
        pub template_id: TemplateId,
        /// So many hours after the step before, or after the enrolment.
        pub delay_hours: i64,
    }
    /// A deal in a sequence.
    #[derive(Debug, Clone)]
    pub struct EnrolmentRow {
        /// Its id.
        pub id: EnrolmentId,
        /// Which sequence.
        pub sequence_id: SequenceId,
        /// How many steps were sent.
        pub step: i64,
        /// `running`, `finished` or `stopped`.
        pub state: String,
        /// Why it was stopped.
        pub reason: String,
        /// When the next step is due.
        pub due_at_ms: Option<Millis>,
        /// Since when.
        pub created_at_ms: Millis,
    }
    /// An enrolment whose step is due.
    #[derive(Debug, Clone)]
    pub struct DueRow {
        /// Whose.
        pub brand_id: BrandId,
        /// Which deal.
        pub deal_id: DealId,
        /// Which enrolment.
        pub id: EnrolmentId,
        /// Which step.
        pub step: i64,
        /// All steps.
        pub steps: Vec<Step>,
    }
}

/// Stores a sequence.
#[must_use]
pub fn insert(brand: BrandId, row: &SequenceRow) -> Statement {
    let step = |s: &Step| json!({ "template_id": s.template_id, "delay_hours": s.delay_hours });
    let steps: Vec<String> = row.steps.iter().map(step).collect();
    let steps = format!("[{}]", steps.join(","));
    bind!(INSERT, brand, row.id, &row.name, steps, row.created_at_ms)
}

/// Takes no more deals into a sequence.
#[must_use]
pub fn archive(brand: BrandId, id: SequenceId, now_ms: Millis) -> Statement {
    bind!(ARCHIVE, brand, id, now_ms)
}

/// One sequence.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: SequenceId) -> Reading<'_, Option<SequenceRow>> {
    db.first(bind!(FIND, brand, id))
}

/// A page of sequences.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    page: &Page,
) -> Reading<'a, Vec<SequenceRow>> {
    db.all(bind!(LIST, brand, &page.after, page.limit))
}

/// An enrolment by its deal.
pub type EnrolmentName = (BrandId, DealId, EnrolmentId);

/// Takes a deal into a sequence.
#[must_use]
pub fn enrol(
    name: EnrolmentName,
    sequence: SequenceId,
    due_at_ms: Millis,
    now_ms: Millis,
) -> Statement {
    let (brand, deal, id) = name;
    bind!(ENROL, brand, deal, id, sequence, due_at_ms, now_ms)
}

/// Goes on after a step; if somebody else did, or it was stopped, the batch aborts.
#[must_use]
pub fn advance(name: EnrolmentName, step: i64, due_at_ms: Option<Millis>) -> Statement {
    let (brand, deal, id) = name;
    bind!(ADVANCE, brand, deal, id, step, due_at_ms)
}

/// Stops an enrolment that runs.
#[must_use]
pub fn stop(name: EnrolmentName, reason: &str) -> Statement {
    let (brand, deal, id) = name;
    bind!(STOP, brand, deal, id, reason)
}

/// Cancels the message of an enrolment that waits for its window, if one does.
#[must_use]
pub fn cancel_step(name: EnrolmentName, reason: &str) -> Statement {
    let (brand, deal, id) = name;
    bind!(CANCEL_STEP, brand, deal, id, reason)
}

/// Enrolments whose step is due.
///
/// # Errors
/// [`super::DbError`].
pub fn due(db: &dyn Database, now_ms: Millis, most: u32) -> Reading<'_, Vec<DueRow>> {
    db.all(bind!(DUE, now_ms, most))
}

/// A deal's enrolments, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn of_deal(db: &dyn Database, brand: BrandId, deal: DealId) -> Reading<'_, Vec<EnrolmentRow>> {
    db.all(bind!(OF_DEAL, brand, deal))
}
