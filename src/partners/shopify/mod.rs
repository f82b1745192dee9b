//! Shopify's webhook bodies: is one authentic, and what does it say?
//!
//! [`verify`] looks at the raw bytes and the signature alone, [`parse`] at the body alone: topic,
//! shop and id headers are unsigned, so nothing here ever sees them. Neither does I/O, and neither
//! panics, whatever the bytes are. What a body says about the shopper is dropped while it is read:
//! only ids, amounts, codes, click ids and a keyed hash of the e-mail address leave this module.

pub mod admin;
mod amount;
mod compliance;
mod dispute;
mod evidence;
mod news;
mod oauth;
mod objects;
mod order;
mod payload;
mod refund;
#[cfg(test)]
mod tests;
mod webhook;

pub use evidence::Landing;
pub use news::News;
pub use oauth::{Callback, authorize_url, callback, shop_name};
pub use webhook::{Parsed, Unusable, parse, verify};
