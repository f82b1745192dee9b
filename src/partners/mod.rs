//! Other systems' formats, translated to the domain's types. Nothing here stores or decides.

pub mod email_events;
pub mod paypal;
pub mod shopify;
