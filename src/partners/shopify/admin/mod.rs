//! Shopify's Admin API: what is asked, and what an answer says. Nothing here does I/O.
//!
//! Every document is a file beside this one, with one operation, so that tests can hold all of them
//! against Shopify's own schema.

mod answer;
pub mod orders;
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
/// A page of orders, with what most of them need of their lines.
pub const ORDERS_PAGE: Document = query!("orders_page");
/// The same of orders by their ids.
pub const ORDERS_BY_ID: Document = query!("orders_by_id");
/// The rest of an order's lines.
pub const ORDER_LINES: Document = query!("order_lines");
/// The refunds of some orders.
pub const ORDER_REFUNDS: Document = query!("order_refunds");
/// The rest of a refund's lines.
pub const REFUND_LINES: Document = query!("refund_lines");
/// How many orders there are.
pub const ORDERS_COUNT: Document = query!("orders_count");
/// A page of orders' ids.
pub const ORDER_IDS: Document = query!("order_ids");
/// What the shop saw of the visits before some orders.
pub const JOURNEYS: Document = query!("journeys");
/// Begins a bulk operation.
pub const BULK_RUN: Document = mutation!("bulk_run");
/// How far a bulk operation is.
pub const BULK_STATUS: Document = query!("bulk_status");
/// The latest bulk operations: what one that nobody answered for became.
pub const BULK_LIST: Document = query!("bulk_list");
/// What a bulk operation over orders asks, with a filter to be put in: see [`orders::bulk_query`].
pub const BULK_ORDERS: Document = query!("bulk_orders");
