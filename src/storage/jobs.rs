//! The last run of every job.

use super::{Database, Reading, Statement, bind, row, statements};
use crate::domain::time::Millis;

statements! {
    RECORD = "
INSERT INTO job_runs (name, started_at_ms, finished_at_ms, succeeded, handled, detail)
VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO UPDATE SET
  started_at_ms = excluded.started_at_ms, finished_at_ms = excluded.finished_at_ms,
  succeeded = excluded.succeeded, handled = excluded.handled, detail = excluded.detail";

    LIST = "
SELECT name, started_at_ms, finished_at_ms, succeeded, handled, detail FROM job_runs ORDER BY name";
}

row! {
    /// A run of a job.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct JobRun {
        /// Which job.
        pub name: String,
        /// When it began.
        pub started_at_ms: Millis,
        /// When it ended.
        pub finished_at_ms: Millis,
        /// 1 if it did what it should.
        pub succeeded: i64,
        /// How many things it handled.
        pub handled: i64,
        /// What went wrong, if something did.
        pub detail: String,
    }
}

/// Stores a run in place of the one before.
#[must_use]
pub fn record(run: &JobRun) -> Statement {
    bind!(
        RECORD,
        &run.name,
        run.started_at_ms,
        run.finished_at_ms,
        run.succeeded,
        run.handled,
        &run.detail
    )
}

/// The last run of every job.
///
/// # Errors
/// [`super::DbError`].
pub fn list(db: &dyn Database) -> Reading<'_, Vec<JobRun>> {
    db.all(bind!(LIST))
}
