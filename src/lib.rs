//! Tributary: affiliate tracking and payments for influencer programmes, at the edge.
//!
//! The rings, dependencies only inward: `domain ← storage, partners ← web, jobs ← worker`.
//! `domain` is pure. `storage` holds every line of SQL. `partners` translates other people's
//! formats. `web` and `jobs` are the ways in. `worker` is the only ring that names workers-rs and
//! is compiled for WebAssembly only; all else also runs natively, over the same SQL on SQLite.
//! `tests/architecture.rs` holds these rules.

pub mod app;
#[cfg(not(target_arch = "wasm32"))]
pub mod audit;
pub mod domain;
pub mod error;
pub mod jobs;
pub mod partners;
pub mod storage;
pub mod web;

#[cfg(target_arch = "wasm32")]
mod worker;
