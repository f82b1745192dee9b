//! Shopify's Admin API: what is asked, and what an answer says. Nothing here does I/O.
//!
//! Every document is a file beside this one, with one operation, so that tests can hold all of them
//! against Shopify's own schema.

mod answer;
pub mod discounts;
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

/// A document that changes something.
macro_rules! mutation {
    ($file:literal) => {
        Document { text: include_str!(concat!($file, ".graphql")), changes: true }
    };
}

/// The shop itself, and what it grants.
pub const SHOP: Document = query!("shop");

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
