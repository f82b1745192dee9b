//! Shopify's Admin API: what is asked, and what an answer says. Nothing here does I/O.
//!
//! Every document is a file beside this one, with one operation, so that tests can hold all of them
//! against Shopify's own schema.

mod answer;
mod throttle;
mod topics;

pub use answer::{Answer, NOT_INSTALLED, Token, Told, UserError, token, user_errors};
pub use throttle::Budget;
pub use topics::{
    Change, NEEDED_SCOPES, OPTIONAL_SCOPES, Subscription, Topic, change, is_taken, subscriptions,
    topics,
};

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

/// A document that changes something.
macro_rules! mutation {
    ($file:literal) => {
        Document { text: include_str!(concat!($file, ".graphql")), changes: true }
    };
}

/// The shop itself, and what it grants.
pub const SHOP: Document = query!("shop");
/// Which webhooks it delivers.
pub const WEBHOOKS: Document = query!("webhooks");
/// Delivers one topic to an address.
pub const WEBHOOK_CREATE: Document = mutation!("webhook_create");
/// Delivers to another address from now on.
pub const WEBHOOK_MOVE: Document = mutation!("webhook_move");
/// Delivers no more.
pub const WEBHOOK_DELETE: Document = mutation!("webhook_delete");
