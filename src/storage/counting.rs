//! How many statements are run: D1 takes a thousand in one request, whoever sends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Database, DbError, Freshness, Rows, Statement};
use crate::app::Pending;

/// A database that counts what it is asked.
pub struct Counting {
    /// What it asks.
    pub inner: Arc<dyn Database>,
    /// How many statements it was asked, also those that failed.
    pub count: Arc<AtomicU32>,
}

impl Database for Counting {
    fn run_on(
        &self,
        freshness: Freshness,
        statements: Vec<Statement>,
    ) -> Pending<'_, Result<Vec<Rows>, DbError>> {
        let more = u32::try_from(statements.len()).unwrap_or(u32::MAX);
        self.count.fetch_add(more, Ordering::Relaxed);
        self.inner.run_on(freshness, statements)
    }
}
