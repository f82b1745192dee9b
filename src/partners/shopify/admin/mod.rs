//! Shopify's Admin API: what is asked, and what an answer says. Nothing here does I/O.
//!
//! Every document is a file beside this one, with one operation, so that tests can hold all of them
//! against Shopify's own schema.

mod answer;
pub mod collections;
pub mod discounts;
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
/// A page of a collection's products.
pub const COLLECTION: Document = query!("collection");
/// Begins a bulk operation.
pub const BULK_RUN: Document = mutation!("bulk_run");
/// How far a bulk operation is.
pub const BULK_STATUS: Document = query!("bulk_status");
/// The latest bulk operations: what one that nobody answered for became.
pub const BULK_LIST: Document = query!("bulk_list");
/// What a bulk operation over orders asks, with a filter to be put in: see [`orders::bulk_query`].
pub const BULK_ORDERS: Document = query!("bulk_orders");

/// Make a discount off the order, or off some of it.
pub const MAKE_BASIC: Document = mutation!("discount_basic_create");
/// Change one.
pub const CHANGE_BASIC: Document = mutation!("discount_basic_update");
/// Make a discount for who buys something else.
pub const MAKE_BXGY: Document = mutation!("discount_bxgy_create");
/// Change one.
pub const CHANGE_BXGY: Document = mutation!("discount_bxgy_update");
/// Make a discount of the shipping.
pub const MAKE_FREE_SHIPPING: Document = mutation!("discount_free_shipping_create");
/// Change one.
pub const CHANGE_FREE_SHIPPING: Document = mutation!("discount_free_shipping_update");
/// Switch a discount on.
pub const ACTIVATE_DISCOUNT: Document = mutation!("discount_activate");
/// Switch a discount off.
pub const DEACTIVATE_DISCOUNT: Document = mutation!("discount_deactivate");
/// Begin to add codes to a discount.
pub const ADD_CODES: Document = mutation!("redeem_codes_add");
/// How far that is.
pub const ADDING_CODES: Document = query!("redeem_codes_adding");
/// Take codes out of a discount.
pub const DELETE_CODES: Document = mutation!("redeem_codes_delete");
/// A page of a discount's codes.
pub const CODES_OF_DISCOUNT: Document = query!("redeem_codes");
/// The discount that has a code.
pub const CODE_OWNER: Document = query!("code_owner");
/// Whether some codes are somebody's.
pub const CODE_OWNERS: Document = query!("code_owners");
/// What has become of some codes.
pub const CODES_IN_SHOP: Document = query!("codes_in_shop");
