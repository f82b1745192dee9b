//! Shopify's three topics about shoppers' data, told by their shape: topic headers are unsigned.
//!
//! What they say of the customer (address, telephone, id) is passed over: orders are named by ids.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::objects::{object, read};
use super::{Unusable, amount};
use crate::domain::privacy::{Ask, Request};

/// More orders than one customer has.
const MAX_ORDERS: usize = 10_000;

object! {
    /// A body of one of the three.
    struct Compliance<'a> {
        shop_id: Option<IgnoredAny>,
        shop_domain: Option<&'a str>,
        customer: Option<IgnoredAny>,
        orders_to_redact: Option<&'a RawValue>,
        orders_requested: Option<&'a RawValue>,
        data_request: Option<DataRequest<'a>>,
    }

    struct DataRequest<'a> {
        id: Option<&'a RawValue>,
    }
}

/// The request in a body that is no order, refund or edit; `None` if it is another topic.
///
/// # Errors
/// It is one, but names its orders or itself as no request does.
pub(super) fn request(text: &str) -> Result<Option<Request>, Unusable> {
    let mut body = Compliance::default();
    let Ok(seen) = read(text, &mut body) else { return Ok(None) };
    let Some(shop) = body.shop_domain.filter(|_| body.shop_id.is_some()) else { return Ok(None) };
    let ask = if let Some(list) = body.orders_to_redact {
        Ask::ForgetCustomer { orders: orders(list)? }
    } else if let Some(asked) = &body.data_request {
        let list = body.orders_requested;
        let orders = list.map(orders).transpose()?.unwrap_or_default();
        Ask::Tell { request: amount::id(asked.id)?.to_string(), orders }
    } else if seen.only_the_first(2) {
        Ask::ForgetShop
    } else {
        return Ok(None);
    };
    Ok(Some(Request { shop_domain: shop.to_ascii_lowercase(), ask }))
}

/// A list of ids: of JSON, only a list of whole numbers survives this.
fn orders(list: &RawValue) -> Result<Vec<String>, Unusable> {
    let inner = list.get().strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let inner = inner.ok_or(Unusable::UnexpectedType)?.trim();
    let mut ids = Vec::new();
    for id in inner.split(',').map(str::trim).filter(|_| !inner.is_empty()) {
        let id: u64 = id.parse().ok().filter(|id| *id > 0).ok_or(Unusable::Id)?;
        ids.push(id.to_string());
    }
    if ids.len() > MAX_ORDERS { Err(Unusable::TooMany) } else { Ok(ids) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = r#""shop_id":954889,"shop_domain":"Casa.myshopify.com""#;

    fn asked(rest: &str) -> Result<Option<Ask>, Unusable> {
        request(&format!("{{{SHOP}{rest}}}")).map(|found| {
            found.map(|request| {
                assert_eq!(request.shop_domain, "casa.myshopify.com");
                request.ask
            })
        })
    }

    #[test]
    fn the_three_are_told_by_their_shape() {
        let customer = r#","customer":{"id":1,"email":"a@b.c","phone":"5"}"#;
        let orders = || vec!["299938".to_owned(), "9007199254740993".to_owned()];
        let list = "[299938, 9007199254740993]";
        assert_eq!(asked(""), Ok(Some(Ask::ForgetShop)));
        let redact = format!(r#"{customer},"orders_to_redact":{list}"#);
        assert_eq!(asked(&redact), Ok(Some(Ask::ForgetCustomer { orders: orders() })));
        let tell = format!(r#"{customer},"orders_requested":{list},"data_request":{{"id":9999}}"#);
        let told = Ask::Tell { request: "9999".into(), orders: orders() };
        assert_eq!(asked(&tell), Ok(Some(told)));
        // Nobody ordered anything, and nothing is known of the customer.
        let none = Ok(Some(Ask::ForgetCustomer { orders: vec![] }));
        assert_eq!(asked(r#","customer":{},"orders_to_redact":[ ]"#), none);
    }

    #[test]
    fn others_are_none_of_them() {
        // A shop's scopes, a shop, a customer.
        for other in [r#","previous":[]"#, r#","name":"Casa""#, r#","customer":{}"#] {
            assert_eq!(asked(other), Ok(None), "{other}");
        }
        for other in [
            r#"{"shop_domain":"casa.myshopify.com"}"#,
            r#"{"shop_id":1}"#,
            r#"{"shop_id":1,"shop_domain":7}"#,
            r#"{"shop_id":1,"shop_id":1,"shop_domain":"casa.myshopify.com"}"#,
            r#"{"orders_to_redact":[1]}"#,
            "{}",
        ] {
            assert_eq!(request(other), Ok(None), "{other}");
        }
        for bad in ["{}", "[0]", "[-1]", "[1.5]", "[\"1\"]", "[1,[2]]", "[null]", "7"] {
            let bad = format!(r#","orders_to_redact":{bad}"#);
            assert!(asked(&bad).is_err(), "{bad}");
        }
    }
}
