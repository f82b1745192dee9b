//! The pure core: values in (time, ids and randomness too), values out.
//!
//! Nothing here is async, does I/O, reads a clock or draws randomness, and nothing here names an
//! outer ring. Input is parsed at the edges; the core never validates the same thing twice.

pub mod attribution;
pub mod auth;
pub mod automation;
pub mod brand;
pub mod claim;
pub mod click;
pub mod code;
pub mod collection;
pub mod commission;
pub mod counter;
pub mod creator;
pub mod deal;
pub mod decimal;
pub mod discount;
pub mod dispute;
pub mod filter;
pub mod hooks;
pub mod ids;
pub mod ingest;
pub mod json;
pub mod ledger;
pub mod letter;
pub mod limit;
pub mod link;
pub mod locale;
pub mod merkle;
pub mod micros;
pub mod money;
pub mod moved;
pub mod order;
pub mod outreach;
pub mod passkey;
pub mod payment;
pub mod payout;
pub mod post;
pub mod privacy;
pub mod qr;
pub mod report;
pub mod secret;
pub mod sending;
pub mod session;
pub mod simulation;
pub mod sorted;
pub mod store;
pub mod task;
pub mod template;
pub mod terms;
pub mod tiers;
pub mod time;
