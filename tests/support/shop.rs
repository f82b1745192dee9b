//! A shop's signed webhooks: paid web orders, refunds, deletions.

use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tributary::domain::time::to_rfc3339;

use super::NOW_MS;

/// Base64 of the HMAC-SHA256 of a body.
pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

pub fn money(amount: &str, currency: &str) -> Value {
    json!({ "shop_money": { "amount": amount, "currency_code": currency },
        "presentment_money": { "amount": amount, "currency_code": currency } })
}

/// A line: id, quantity, price of one unit, discount of the line.
pub fn line(id: u64, quantity: i64, price: &str, discount: &str, currency: &str) -> Value {
    json!({ "id": id, "product_id": 9000 + id, "quantity": quantity, "price": price,
        "price_set": money(price, currency), "gift_card": false, "title": "Linen cushion",
        "total_discount": "0.00", "tax_lines": [],
        "discount_allocations": [{ "amount": discount, "amount_set": money(discount, currency),
            "discount_application_index": 0 }] })
}

/// The worked example of the contract: a paid web order with a base of 135.00.
pub fn order(id: u64) -> Value {
    let at = to_rfc3339(NOW_MS - 3_600_000);
    json!({
        "id": id, "admin_graphql_api_id": format!("gid://shopify/Order/{id}"), "name": format!("#{id}"),
        "order_number": id, "created_at": at, "updated_at": at, "cancelled_at": null,
        "currency": "USD", "financial_status": "paid", "taxes_included": false, "test": false,
        "total_price": "142.00", "email": "buyer@example.com", "landing_site": null,
        "note_attributes": [], "discount_codes": [], "discount_applications": [], "refunds": [],
        "source_name": "web", "customer": { "id": 77, "email": "buyer@example.com" },
        "line_items": [line(1, 1, "100.00", "10.00", "USD"), line(2, 2, "25.00", "5.00", "USD")],
        "shipping_lines": [{ "id": 5, "price": "7.00", "price_set": money("7.00", "USD") }],
    })
}

/// Sets fields of an order.
pub fn with(mut order: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

/// The order as it was `minutes` after it was placed.
pub fn later(order: Value, minutes: i64, changes: Value) -> Value {
    let at = to_rfc3339(NOW_MS - 3_600_000 + minutes * 60_000);
    with(with(order, json!({ "updated_at": at })), changes)
}

/// The order with a code that took 15.00 off.
pub fn coded(order: Value, code: &str) -> Value {
    with(
        order,
        json!({ "discount_codes": [{ "code": code, "amount": "15.00", "type": "percentage" }],
            "discount_applications": [{ "type": "discount_code", "code": code, "value": "10.0",
                "value_type": "percentage", "target_type": "line_item" }] }),
    )
}

/// The order with a click id in its landing page.
pub fn clicked(order: Value, click_id: &str) -> Value {
    with(order, json!({ "landing_site": format!("/products/x?ref=anna&click_id={click_id}") }))
}

/// A refund of lines: line id, quantity, subtotal.
pub fn refund(id: u64, order_id: u64, lines: &[(u64, i64, &str)]) -> Value {
    let lines: Vec<Value> = lines
        .iter()
        .map(|(line, quantity, subtotal)| {
            json!({ "line_item_id": line, "quantity": quantity, "restock_type": "return",
                "subtotal_set": money(subtotal, "USD"), "total_tax_set": money("0.00", "USD"),
                "subtotal": serde_json::from_str::<Value>(subtotal).unwrap(), "total_tax": 0 })
        })
        .collect();
    json!({ "id": id, "order_id": order_id, "created_at": to_rfc3339(NOW_MS), "note": null,
        "refund_line_items": lines, "order_adjustments": [], "refund_shipping_lines": [],
        "transactions": [] })
}

/// Money back without lines.
pub fn goodwill(id: u64, order_id: u64, amount: &str) -> Value {
    let mut body = refund(id, order_id, &[]);
    body["transactions"] =
        json!([{ "kind": "refund", "status": "success", "amount": amount, "currency": "USD" }]);
    body["order_adjustments"] = json!([{ "amount": format!("-{amount}"), "tax_amount": "0.00",
        "amount_set": money(&format!("-{amount}"), "USD"), "tax_amount_set": money("0.00", "USD"),
        "reason": "Refund discrepancy" }]);
    body
}

/// A refund of the shipping, in the shape of before or after API version 2024-10.
pub fn shipping_refund(id: u64, order_id: u64, old_shape: bool) -> Value {
    let mut body = refund(id, order_id, &[]);
    body["transactions"] =
        json!([{ "kind": "refund", "status": "success", "amount": "7.00", "currency": "USD" }]);
    if old_shape {
        body["order_adjustments"] = json!([{ "kind": "shipping_refund", "amount": "-7.00",
            "tax_amount": "0.00", "amount_set": money("-7.00", "USD"),
            "tax_amount_set": money("0.00", "USD"), "reason": "Shipping refund" }]);
    } else {
        body["refund_shipping_lines"] = json!([{ "id": 1, "subtotal_amount_set": money("7.00", "USD"),
            "shipping_line": { "id": 5, "price": "7.00" } }]);
    }
    body
}
