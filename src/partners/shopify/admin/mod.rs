//! Shopify's Admin API: what is asked, and what an answer says. Nothing here does I/O.
//!
//! Every document is a file beside this one, with one operation, so that tests can hold all of them
//! against Shopify's own schema.

mod answer;
mod throttle;

pub use answer::{Answer, Token, Told, UserError, token, user_errors};
pub use throttle::Budget;

/// The version of the API that the documents are written for.
pub const VERSION: &str = "2026-10";

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document {
    /// Its text.
    pub text: &'static str,
    /// Whether it changes something: then nothing is asked twice without a look.
    pub changes: bool,
}

/// A document that looks.
macro_rules! query {
    ($file:literal) => {
        Document { text: include_str!(concat!($file, ".graphql")), changes: false }
    };
}

/// The shop itself, and what it grants.
pub const SHOP: Document = query!("shop");
