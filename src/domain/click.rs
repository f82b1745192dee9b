//! Clicks: the signed id that a shopper carries into the store, what counts as a shopper, and the
//! way of counted clicks from an isolate's memory to the counter objects.
//!
//! Click ids decide attribution; counters never decide money.

mod batch;
mod bots;
mod token;
mod visit;
mod waiting;

pub use batch::{Batch, NotABatch, Part, SHARDS, Visitor, batches, object_name, shard_of};
pub use token::{Click, ClickIds, ClickKeys, LENGTH};
pub use visit::{Filter, Purpose, RawVisit, Visit, classify, visitor_fingerprint};
pub use waiting::{MAX_WAITING, Role, TERM_MS, Term, Waiting, WaitingClick};
