//! Other systems' formats, translated to the domain's types. Nothing here stores or decides.

pub mod cloudflare;
pub mod email_events;
pub mod goaffpro;
pub mod inbound_mail;
pub mod paypal;
pub mod shopify;
pub mod signed;
pub mod trouble;

use serde_json::Value;

/// What stands at a path such as `/shop/name` of an answer; null if nothing does.
#[must_use]
pub fn at<'a>(answer: &'a Value, path: &str) -> &'a Value {
    answer.pointer(path).unwrap_or(&Value::Null)
}
