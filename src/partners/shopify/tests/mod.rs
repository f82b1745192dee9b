//! What Shopify's bodies must come to. Signatures are tested beside `verify`.

mod admin;
mod arbitrary;
mod fixtures;
mod kinds;
mod orders;
mod refunds;

use serde_json::{Value, json};

use super::{Parsed, Unusable, parse};
use crate::domain::order::{Delivery, Refund, Report, Snapshot};
use crate::domain::time::{Millis, parse_rfc3339};

fn now() -> Millis {
    parse_rfc3339("2026-11-22T12:00:00Z").unwrap()
}

fn read_text(body: &str) -> Result<Parsed, Unusable> {
    parse(body.as_bytes(), now(), &|address| format!("hash of {address}"))
}

fn read(body: &Value) -> Result<Parsed, Unusable> {
    read_text(&body.to_string())
}

fn delivery(body: &Value) -> Delivery {
    let Ok(Parsed::Delivery(delivery)) = read(body) else { panic!("{:?}: {body}", read(body)) };
    let stored = serde_json::to_string(&delivery).unwrap();
    assert_eq!(
        crate::storage::rows::from_json::<Delivery>(&stored).unwrap(),
        delivery,
        "the overflow queue"
    );
    delivery
}

fn order(body: &Value) -> (Snapshot, Vec<Refund>) {
    match delivery(body).report {
        Report::Snapshot(snapshot, refunds) => (*snapshot, refunds),
        other => panic!("no order: {other:?}"),
    }
}

fn refund(body: &Value) -> Refund {
    match delivery(body).report {
        Report::Refund(refund) => refund,
        other => panic!("no refund: {other:?}"),
    }
}

/// The body with the value at a JSON pointer replaced, or added to its object.
fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(parent).unwrap() {
        Value::Object(map) => {
            map.insert(key.to_owned(), value);
        }
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        other => panic!("{pointer} leads into {other}"),
    }
    body
}

fn without(mut body: Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    body
}

/// An amount in both currencies, of which only the shop's may count.
fn set(amount: &str, currency: &str) -> Value {
    json!({
        "shop_money": {"amount": amount, "currency_code": currency},
        "presentment_money": {"amount": "987654.32", "currency_code": "CHF"},
    })
}

fn usd(amount: &str) -> Value {
    set(amount, "USD")
}

fn line(id: u64, quantity: u64, price: &str, discount: &str) -> Value {
    json!({
        "id": id, "product_id": id + 1000, "title": "Blue jeans", "name": "Blue jeans - 32",
        "quantity": quantity, "current_quantity": quantity, "gift_card": false,
        "price": price, "price_set": usd(price),
        "total_discount": "0.00", "total_discount_set": usd("0.00"),
        "discount_allocations": [{
            "amount": discount, "amount_set": usd(discount), "discount_application_index": 0,
        }],
        "tax_lines": [{"title": "VAT", "rate": 0.0, "price": "0.00", "price_set": usd("0.00")}],
    })
}

/// The order of the contract's worked example.
fn worked_example() -> Value {
    json!({
        "id": 820_982_911_946_154_508_u64,
        "admin_graphql_api_id": "gid://shopify/Order/820982911946154508",
        "name": "#1001", "order_number": 1001,
        "created_at": "2026-11-20T10:15:30+01:00", "updated_at": "2026-11-20T10:16:00+01:00",
        "cancelled_at": null, "test": false, "financial_status": "paid",
        "currency": "USD", "presentment_currency": "CHF", "taxes_included": false,
        "email": " Jane.Doe@Example.com ", "contact_email": "other@example.com",
        "customer": {"id": 7, "email": "third@example.com", "first_name": "Jane"},
        "landing_site": "/products/blue-jeans?ref=anna&click_id=landing.token~1_-",
        "note_attributes": [{"name": "_tributary_click", "value": "cart.token"}],
        "discount_applications": [{
            "type": "discount_code", "code": "ANNA10", "value": "10.0", "value_type": "percentage",
        }],
        "discount_codes": [{"code": "anna10", "amount": "15.00", "type": "percentage"}],
        "line_items": [line(1, 1, "100.00", "10.00"), line(2, 2, "25.00", "5.00")],
        "shipping_lines": [{"id": 5, "price": "7.00", "price_set": usd("7.00")}],
        "subtotal_price": "135.00", "total_price": "142.00", "total_tax": "0.00",
        "refunds": [],
    })
}

/// A refund of one unit of line 2, as the worked example has it.
fn unit_refund() -> Value {
    json!({
        "id": 890_088_186_047_892_319_u64, "order_id": 820_982_911_946_154_508_u64,
        "created_at": "2026-11-21T10:00:00+01:00", "note": "too small",
        "refund_line_items": [{
            "id": 77, "line_item_id": 2, "quantity": 1,
            "subtotal": 22.5, "subtotal_set": usd("22.50"),
            "total_tax": 0, "total_tax_set": usd("0.00"),
            "line_item": {"id": 2, "quantity": 2, "price": "25.00", "gift_card": false},
        }],
        "refund_shipping_lines": [], "order_adjustments": [],
        "transactions": [{
            "id": 9, "kind": "refund", "status": "success", "amount": "22.50", "currency": "USD",
        }],
    })
}
