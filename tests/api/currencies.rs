//! One worked example through tiers, fees, payouts and a claw-back, in currencies with two decimals,
//! with tax in the price, with none and with three. Every amount was reckoned by hand.

use serde_json::{Value, json};
use tributary::domain::time::to_rfc3339;

use super::payouts::{buckets, pay, token};
use crate::support::shop::{coded, line, money, order, refund, with};
use crate::support::{Product, Programme};

/// What comes of it in one currency.
#[derive(Clone, Copy)]
struct Example {
    currency: &'static str,
    /// Price of the one line, and the tax that it includes.
    price: &'static str,
    tax: &'static str,
    base: &'static str,
    /// At 12.5 %: half away from zero.
    first: &'static str,
    /// At 20 %, the level that the first order's base reaches.
    second: &'static str,
    fee: &'static str,
    /// Both commissions and the fee.
    paid: &'static str,
    /// What a second fee leaves after the second commission is owed back.
    after: &'static str,
    /// An amount that the currency doesn't have.
    wrong: &'static str,
    nothing: &'static str,
}

const EXAMPLES: [Example; 4] = [
    // 119.99 × 12.5 % = 14.99875; × 20 % = 23.998.
    Example {
        currency: "USD",
        price: "119.99",
        tax: "0.00",
        base: "119.99",
        first: "15.00",
        second: "24.00",
        fee: "50.05",
        paid: "89.05",
        after: "26.05",
        wrong: "50.005",
        nothing: "0.00",
    },
    Example {
        currency: "EUR",
        price: "119.00",
        tax: "19.00",
        base: "100.00",
        first: "12.50",
        second: "20.00",
        fee: "50.05",
        paid: "82.55",
        after: "30.05",
        wrong: "50.055",
        nothing: "0.00",
    },
    // 999 × 12.5 % = 124.875; × 20 % = 199.8.
    Example {
        currency: "JPY",
        price: "999",
        tax: "0",
        base: "999",
        first: "125",
        second: "200",
        fee: "5005",
        paid: "5330",
        after: "4805",
        wrong: "50.5",
        nothing: "0",
    },
    // 99.999 × 12.5 % = 12.499875; × 20 % = 19.9998.
    Example {
        currency: "KWD",
        price: "99.999",
        tax: "0.000",
        base: "99.999",
        first: "12.500",
        second: "20.000",
        fee: "50.005",
        paid: "82.505",
        after: "30.005",
        wrong: "50.0005",
        nothing: "0.000",
    },
];

fn bought(example: &Example, id: u64, at_ms: i64) -> Value {
    let Example { currency, price, tax, nothing, .. } = *example;
    let mut one = line(1, 1, price, nothing, currency);
    one["tax_lines"] = json!([{ "price": tax, "rate": 0.19, "price_set": money(tax, currency) }]);
    let at = to_rfc3339(at_ms);
    let changes = json!({ "currency": currency, "taxes_included": true, "created_at": at,
        "updated_at": at, "line_items": [one], "shipping_lines": [], "total_price": price });
    with(coded(order(id), "ANNA"), changes)
}

/// The refund of the one line: its subtotal includes the tax, as its price does.
fn returned(example: &Example, id: u64, order: u64) -> Value {
    let mut body = refund(id, order, &[(1, 1, example.price)]);
    let currency = example.currency;
    let entry = &mut body["refund_line_items"][0];
    entry["subtotal_set"] = money(example.price, currency);
    entry["total_tax_set"] = money(example.tax, currency);
    body
}

#[tokio::test]
async fn a_season_of_a_creator_in_each_kind_of_currency() {
    for example in &EXAMPLES {
        let Example { currency, base, first, second, fee, paid, after, wrong, nothing, .. } =
            *example;
        let product = Product::new();
        let p = Programme::with(&product, currency, "12.5").await;
        let settings = json!({ "hold_days": 0,
            "payout_minimum": { "amount": paid, "currency": currency } });
        product.call("PATCH", "/v1/brand", Some(settings), &p.key).await.expect(200);
        let code = json!({ "code": "ANNA", "create_in_store": false });
        p.post(&product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
        let levels = json!([{ "name": "Gold", "threshold": base, "commission_percent": "20" }]);
        let tiers = json!({ "metric": "revenue", "period": "month", "levels": levels });
        p.post(&product, "/v1/tiers", tiers).await.expect(201);

        for (id, expected) in [(1, first), (2, second)] {
            product.pass(60_000);
            p.deliver(&product, &bought(example, id, product.app.now_ms())).await;
            let order = p.order(&product, id).await;
            assert_eq!(order["base"]["amount"], base, "{currency}");
            assert_eq!(order["commission"]["amount"], expected, "{currency}, order {id}");
            product.pass(1_000);
        }
        let fees = format!("/v1/deals/{}/fees", p.deal);
        let of = |amount: &str| json!({ "amount": { "amount": amount, "currency": currency } });
        pay(&product, &p.key, "f0", &fees, of(wrong)).await.expect(422);
        pay(&product, &p.key, "f1", &fees, of(fee)).await.expect(201);

        let hers = token(&product, &p, &p.deal).await;
        let details =
            json!({ "method": "iban", "holder": "Anna", "iban": "DE89370400440532013000" });
        product.call("PUT", "/v1/me/payment-details", Some(details), &hers).await.expect(200);
        // Exactly the minimum is enough.
        let draft = json!({ "currency": currency });
        let draft = pay(&product, &p.key, "d1", "/v1/payouts", draft).await.expect(201);
        assert_eq!(draft["total"], json!({ "amount": paid, "currency": currency }));
        let path = format!("/v1/payouts/{}", draft["id"].as_str().unwrap());
        pay(&product, &p.key, "a1", &format!("{path}/approval"), Value::Null).await.expect(200);
        let export = product.call("GET", &format!("{path}/export?format=csv"), None, &p.key).await;
        assert!(export.text.contains(&format!(",{paid},{currency},iban,")), "{}", export.text);
        let line = draft["lines"][0]["id"].as_str().unwrap();
        let settlement = format!("{path}/lines/{line}/settlement");
        let settled = json!({ "outcome": "settled" });
        pay(&product, &p.key, "s1", &settlement, settled).await.expect(200);
        let held = p.balance(&product, &p.creator, currency).await;
        assert_eq!(buckets(&held), [nothing, nothing, nothing, paid, nothing], "{currency}");

        // What comes back after it was paid is owed, and paid off by the next fee.
        p.deliver(&product, &returned(example, 9, 2)).await;
        let held = p.balance(&product, &p.creator, currency).await;
        assert_eq!(buckets(&held)[4], second, "{currency}");
        pay(&product, &p.key, "f2", &fees, of(fee)).await.expect(201);
        let held = p.balance(&product, &p.creator, currency).await;
        assert_eq!(buckets(&held), [nothing, after, nothing, paid, nothing], "{currency}");
        let path = format!("/v1/creators/{}/statement?month=2026-11", p.creator);
        let statement = p.get(&product, &path).await;
        assert_eq!(statement["balances"][0]["closing"], after, "{currency}");
        p.verify(&product).await;
    }
}
