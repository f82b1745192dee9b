//! What can be agreed in a deal, and what orders earn by it.

use serde_json::{Value, json};

use crate::support::shop::{coded, goodwill, later, line, order, refund, with};
use tributary::domain::time::DAY_MS;

use crate::support::{NOW_MS, Product, Programme};

/// A programme whose deal has these terms since February, with the code ANNA.
async fn agreed(product: &Product, currency: &str, terms: Value) -> Programme {
    let p = Programme::with(product, currency, "10").await;
    let codes = format!("/v1/deals/{}/codes", p.deal);
    p.post(product, &codes, json!({ "code": "ANNA", "create_in_store": false })).await.expect(201);
    agree(product, &p, terms).await.expect(201);
    p
}

async fn agree(product: &Product, p: &Programme, terms: Value) -> crate::support::Answer {
    let terms = with(terms, json!({}));
    let starts = json!({ "starts_at": "2026-02-01T00:00:00Z" });
    let terms = if terms.get("starts_at").is_none() { with(terms, starts) } else { terms };
    p.post(product, &format!("/v1/deals/{}/terms", p.deal), terms).await
}

async fn commission(product: &Product, p: &Programme, id: u64) -> Value {
    let order = p.order(product, id).await;
    let path = format!("/v1/orders/{}/commission", order["id"].as_str().unwrap());
    let why = p.get(product, &path).await;
    assert_eq!(why["commission"], order["commission"], "what is explained is what is posted");
    why
}

async fn earned(product: &Product, p: &Programme, id: u64) -> Value {
    commission(product, p, id).await["commission"]["amount"].clone()
}

fn of(id: u64, email: &str) -> Value {
    with(coded(order(id), "ANNA"), json!({ "email": email, "customer": { "email": email } }))
}

#[tokio::test]
async fn the_rule_that_won_is_kept_and_shown_line_by_line() {
    let product = Product::new();
    let rates = json!([
        { "commission_percent": "20", "label": "Cushions", "product_ids": ["9001", "77"] },
        { "commission_percent": "5", "customer": "returning" },
    ]);
    let p = agreed(&product, "USD", json!({ "commission_percent": "10", "rates": rates })).await;
    p.deliver(&product, &of(1, "a@example.com")).await;
    // 20 % of 90.00 and 10 % of 45.00.
    let why = commission(&product, &p, 1).await;
    assert_eq!(why["commission"]["amount"], "22.50");
    assert_eq!(why["customer_order"], 1);
    assert_eq!(
        why["lines"],
        json!([
            { "line_id": "1", "product_id": "9001", "base": { "amount": "90.00", "currency": "USD" },
              "commission_percent": "20", "rate": 1, "label": "Cushions", "collection": null },
            { "line_id": "2", "product_id": "9002", "base": { "amount": "45.00", "currency": "USD" },
              "commission_percent": "10", "rate": null, "label": null,
              "collection": null },
        ])
    );
    // The same customer again: 20 % of 90.00 and 5 % of 45.00.
    p.deliver(&product, &of(2, "A@example.com ")).await;
    let why = commission(&product, &p, 2).await;
    assert_eq!(
        (&why["commission"]["amount"], &why["customer_order"]),
        (&json!("20.25"), &json!(2))
    );
    assert_eq!(why["lines"][1]["rate"], 2);
    // A refund of a cushion takes its own rate back.
    p.deliver(&product, &refund(91, 1, &[(1, 1, "45.00")])).await;
    assert_eq!(earned(&product, &p, 1).await, "13.50");
    // New terms don't change what was ordered before.
    agree(&product, &p, json!({ "commission_percent": "50", "starts_at": "2026-11-22T12:00:00Z" }))
        .await
        .expect(201);
    p.deliver(&product, &goodwill(92, 1, "45.00")).await;
    assert_eq!(earned(&product, &p, 1).await, "6.75");
    p.verify(&product).await;
}

#[tokio::test]
async fn only_the_first_order_of_a_customer_earns() {
    let product = Product::new();
    let cap = json!({ "amount": "900.00", "currency": "USD" });
    let terms =
        json!({ "commission_percent": "10", "first_order_only": true, "cap_per_month": cap });
    let p = agreed(&product, "USD", terms).await;
    // Counted when it is placed, and not again when it is paid and asks for the month's cap.
    let unpaid = with(of(1, "a@example.com"), json!({ "financial_status": "pending" }));
    p.deliver(&product, &unpaid).await;
    p.deliver(&product, &later(unpaid, 1, json!({ "financial_status": "paid" }))).await;
    p.deliver(&product, &of(2, "a@example.com")).await;
    p.deliver(&product, &of(3, "b@example.com")).await;
    assert_eq!(earned(&product, &p, 1).await, "13.50");
    assert_eq!(earned(&product, &p, 2).await, "0.00");
    assert_eq!(earned(&product, &p, 3).await, "13.50");
    // An order that nobody led to counts too: the customer isn't new any more.
    p.deliver(&product, &with(order(4), json!({ "email": "c@example.com" }))).await;
    p.deliver(&product, &of(5, "c@example.com")).await;
    assert_eq!(earned(&product, &p, 5).await, "0.00");
    // What was seen is a fact: repeats and the first order's cancellation change nothing.
    let cancelled = json!({ "cancelled_at": "2026-11-22T07:30:00Z" });
    p.deliver(&product, &later(of(1, "a@example.com"), 9, cancelled)).await;
    p.deliver(&product, &of(2, "a@example.com")).await;
    assert_eq!(earned(&product, &p, 2).await, "0.00");
    let counted = product.db.rows("SELECT sum(orders) AS n FROM customers")[0]["n"].as_i64();
    assert_eq!(counted, Some(5), "each order once");
    p.verify(&product).await;
}

#[tokio::test]
async fn customers_before_such_terms_are_known_and_forgotten_ones_are_not() {
    let product = Product::new();
    let p = agreed(&product, "USD", json!({ "commission_percent": "10" })).await;
    p.deliver(&product, &of(1, "a@example.com")).await;
    p.deliver(&product, &of(2, "b@example.com")).await;
    p.deliver(&product, &with(of(3, "t@example.com"), json!({ "test": true }))).await;
    assert!(product.db.rows("SELECT * FROM customers").is_empty(), "nobody asked");
    let terms = json!({ "commission_percent": "10", "first_order_only": true,
        "starts_at": "2026-11-22T08:00:00Z" });
    agree(&product, &p, terms).await.expect(201);
    assert_eq!(product.db.rows("SELECT * FROM customers").len(), 2);
    product.set_now(NOW_MS + DAY_MS);
    let at = json!({ "created_at": "2026-11-22T09:00:00Z", "updated_at": "2026-11-22T09:00:00Z" });
    for (id, email, expected) in
        [(4, "a@example.com", "0.00"), (5, "t@example.com", "13.50"), (6, "n@example.com", "13.50")]
    {
        p.deliver(&product, &with(of(id, email), at.clone())).await;
        assert_eq!(earned(&product, &p, id).await, expected, "{email}");
    }
    // Forgetting one of his orders forgets the customer.
    let redact = json!({ "shop_id": 1, "shop_domain": "casa.myshopify.com",
        "customer": { "email": "a@example.com" }, "orders_to_redact": [1] });
    p.deliver(&product, &redact).await;
    tributary::jobs::run_all(&product.app).await;
    assert_eq!(product.db.rows("SELECT * FROM customers").len(), 3);
    p.deliver(&product, &with(of(7, "a@example.com"), at)).await;
    assert_eq!(earned(&product, &p, 7).await, "13.50");
    // Earlier orders of theirs keep what was seen.
    assert_eq!(earned(&product, &p, 4).await, "0.00");
    p.verify(&product).await;
}

#[tokio::test]
async fn a_month_is_capped_in_the_order_of_commits() {
    let product = Product::new();
    let cap = json!({ "amount": "30.00", "currency": "USD" });
    let terms = json!({ "commission_percent": "10", "cap_per_month": cap });
    let p = agreed(&product, "USD", terms).await;
    for (id, expected, left) in [(1, "13.50", "30.00"), (2, "13.50", "16.50"), (3, "3.00", "3.00")]
    {
        p.deliver(&product, &of(id, "a@example.com")).await;
        let why = commission(&product, &p, id).await;
        assert_eq!(
            (&why["commission"]["amount"], &why["left_of_month"]["amount"]),
            (&json!(expected), &json!(left))
        );
    }
    // An order that isn't paid yet takes nothing; paid, it takes what is left then.
    let unpaid = with(of(4, "a@example.com"), json!({ "financial_status": "pending" }));
    p.deliver(&product, &unpaid).await;
    assert_eq!(commission(&product, &p, 4).await["left_of_month"], Value::Null);
    p.deliver(&product, &refund(91, 1, &[(1, 1, "90.00")])).await;
    assert_eq!(earned(&product, &p, 1).await, "4.50");
    p.deliver(&product, &later(of(3, "a@example.com"), 7, json!({}))).await;
    assert_eq!(earned(&product, &p, 3).await, "3.00", "no other order changes it afterwards");
    p.deliver(&product, &later(unpaid, 5, json!({ "financial_status": "paid" }))).await;
    assert_eq!(earned(&product, &p, 4).await, "9.00", "what the refund made room for");
    // Another month has a cap of its own; so has another currency none.
    let october =
        json!({ "created_at": "2026-10-31T09:00:00Z", "updated_at": "2026-10-31T09:00:00Z" });
    p.deliver(&product, &with(of(5, "a@example.com"), october)).await;
    assert_eq!(earned(&product, &p, 5).await, "13.50");
    let euros = json!([line(1, 1, "500.00", "0.00", "EUR")]);
    p.deliver(
        &product,
        &with(of(6, "a@example.com"), json!({ "currency": "EUR", "line_items": euros })),
    )
    .await;
    assert_eq!(earned(&product, &p, 6).await, "50.00");
    p.verify(&product).await;
}

#[tokio::test]
async fn flat_amounts_and_caps_of_orders_in_yen_and_dinars() {
    for (currency, price, flat, cap, expected) in [
        ("JPY", "1000", "300", "350", "350"),
        ("JPY", "1000", "300", "900", "400"),
        ("KWD", "10.000", "0.255", "9.000", "1.255"),
        ("EUR", "10.00", "0.50", "1.25", "1.25"),
    ] {
        let product = Product::new();
        let money = |amount: &str| json!({ "amount": amount, "currency": currency });
        let terms = json!({ "commission_percent": "10", "flat_per_order": money(flat),
            "cap_per_order": money(cap) });
        let p = agreed(&product, currency, terms).await;
        let lines = json!([line(1, 1, price, "0", currency)]);
        p.deliver(
            &product,
            &with(of(1, "a@example.com"), json!({ "currency": currency, "line_items": lines })),
        )
        .await;
        assert_eq!(earned(&product, &p, 1).await, expected, "{currency}");
        p.verify(&product).await;
    }
}

#[tokio::test]
async fn after_a_season_the_terms_before_hold_again() {
    let product = Product::new();
    let p = agreed(&product, "USD", json!({ "commission_percent": "10" })).await;
    let season = json!({ "commission_percent": "30", "starts_at": "2026-11-20T00:00:00Z",
        "ends_at": "2026-11-23T00:00:00Z" });
    let season = agree(&product, &p, season).await.expect(201);
    assert_eq!(season["ends_at"], "2026-11-23T00:00:00.000Z");
    let placed =
        |id, at: &str| with(of(id, "a@example.com"), json!({ "created_at": at, "updated_at": at }));
    product.set_now(NOW_MS + 5 * DAY_MS);
    for (id, at, expected) in [
        (1, "2026-11-19T23:59:59Z", "13.50"),
        (2, "2026-11-20T00:00:00Z", "40.50"),
        (3, "2026-11-22T23:59:59Z", "40.50"),
        (4, "2026-11-23T00:00:00Z", "13.50"),
    ] {
        p.deliver(&product, &placed(id, at)).await;
        assert_eq!(earned(&product, &p, id).await, expected, "{at}");
    }
    let deal = p.get(&product, &format!("/v1/deals/{}", p.deal)).await;
    assert_eq!(deal["terms"]["commission_percent"], "10", "the season is over");
    let all = p.get(&product, &format!("/v1/deals/{}/terms", p.deal)).await;
    let rates: Vec<_> =
        all["data"].as_array().unwrap().iter().map(|t| &t["commission_percent"]).collect();
    assert_eq!(rates, ["30", "10", "10"]);
    // A season of the past in which nothing was ordered may be agreed still, another not.
    let past = |from: &str, to: &str| json!({ "commission_percent": "1", "starts_at": from, "ends_at": to });
    agree(&product, &p, past("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")).await.expect(201);
    agree(&product, &p, past("2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z")).await.expect(422);
}

#[tokio::test]
async fn bad_terms_are_refused_and_change_nothing() {
    let product = Product::new();
    let p = agreed(&product, "USD", json!({ "commission_percent": "10" })).await;
    let before = product.db.rows("SELECT * FROM terms");
    let usd = |amount: &str| json!({ "amount": amount, "currency": "USD" });
    let many: Vec<_> = (1..=251).map(|n| n.to_string()).collect();
    for (field, value) in [
        ("ends_at", json!("2026-01-31T23:59:59Z")),
        ("ends_at", json!("2026-02-01T00:00:00Z")),
        ("ends_at", json!(5)),
        ("flat_per_order", usd("0.00")),
        ("flat_per_order", usd("-1.00")),
        ("flat_per_order", usd("0.001")),
        ("flat_per_order", json!({ "amount": "1.5", "currency": "JPY" })),
        ("flat_per_order", json!("5.00")),
        ("cap_per_order", usd("0")),
        ("cap_per_month", usd("-0.01")),
        ("cap_per_month", usd("9999999999999999.99")),
        ("first_order_only", json!("yes")),
        ("first_order_only", json!(1)),
        ("rates", json!([{ "commission_percent": "10" }])),
        ("rates", json!([{ "commission_percent": "10", "product_ids": [] }])),
        ("rates", json!([{ "commission_percent": "10", "product_ids": ["x"] }])),
        ("rates", json!([{ "commission_percent": "10", "product_ids": ["0"] }])),
        ("rates", json!([{ "commission_percent": "10", "product_ids": ["-1"] }])),
        ("rates", json!([{ "commission_percent": "10", "product_ids": ["9223372036854775808"] }])),
        ("rates", json!([{ "commission_percent": "10", "product_ids": [71] }])),
        ("rates", json!([{ "commission_percent": "10", "product_ids": many }])),
        ("rates", json!([{ "commission_percent": "100.01", "customer": "new" }])),
        ("rates", json!([{ "commission_percent": "10.005", "customer": "new" }])),
        ("rates", json!([{ "commission_percent": 10, "customer": "new" }])),
        ("rates", json!([{ "commission_percent": "10", "customer": "old" }])),
        ("rates", json!([{ "commission_percent": "10", "customer": "new", "label": "" }])),
        ("rates", json!([{ "commission_percent": "10", "customer": "new", "label": "a\u{0}b" }])),
        ("rates", json!([{ "commission_percent": "10", "customer": "new", "brand_id": "x" }])),
        ("rates", json!(vec![json!({ "commission_percent": "10", "customer": "new" }); 51])),
        ("commission_percent", json!("-1")),
        ("commission_percent", json!("1e1")),
        ("commission_percent", json!(null)),
        ("starts_at", json!("1999-12-31T23:59:59Z")),
    ] {
        let mut terms = json!({ "commission_percent": "10" });
        terms[field] = value.clone();
        let problem = agree(&product, &p, terms).await.expect(422);
        let named = problem["errors"][0]["field"].as_str().unwrap();
        assert!(named.starts_with(field), "{named} {value}");
    }
    assert_eq!(product.db.rows("SELECT * FROM terms"), before);
}

/// Two orders of one customer, or of one deal with a cap, that are decided at the same time: the
/// second one's decision is refused and made again.
#[tokio::test]
async fn what_was_seen_must_still_be_true_when_it_is_committed() {
    let product = Product::new();
    let cap = json!({ "amount": "20.00", "currency": "USD" });
    let terms = json!({ "commission_percent": "10", "cap_per_month": cap,
        "rates": [{ "commission_percent": "20", "customer": "new", "product_ids": ["9001"] }] });
    let p = agreed(&product, "USD", terms).await;
    p.deliver(&product, &of(1, "a@example.com")).await;
    assert_eq!(earned(&product, &p, 1).await, "20.00");
    // While order 2 is decided (from what memory knows), the customer's order 1 is counted again
    // and its deal earns more: as another delivery would do it.
    let sql = "UPDATE customers SET orders = orders + 1";
    product.db.before("INSERT INTO orders", sql);
    assert_eq!(p.deliver(&product, &of(2, "a@example.com")).await, 200);
    assert_eq!(commission(&product, &p, 2).await["customer_order"], 3, "decided again");
    p.deliver(&product, &refund(91, 1, &[(1, 1, "90.00"), (2, 1, "22.50")])).await;
    assert_eq!(earned(&product, &p, 1).await, "2.25");
    product.db.before(
        "INSERT INTO orders",
        "UPDATE deal_days SET commission_minor = commission_minor + 100",
    );
    p.deliver(&product, &of(3, "b@example.com")).await;
    assert_eq!(commission(&product, &p, 3).await["left_of_month"]["amount"], "16.75");
}

/// An order that is told in whole seconds sees the terms of its second: none may start within it any more.
#[tokio::test]
async fn terms_that_start_soonest_start_after_the_whole_second_of_the_last_order() {
    let product = Product::new();
    let p = agreed(&product, "USD", json!({ "commission_percent": "10" })).await;
    p.deliver(&product, &of(1, "a@example.com")).await;
    let placed = product.db.rows("SELECT max(placed_at_ms) AS at FROM orders")[0]["at"].clone();
    let placed = placed.as_i64().unwrap();
    assert_eq!(placed % 1000, 0);
    // Exactly within that second: refused; they would decide it otherwise when it is decided again.
    product.set_now(placed + 60_000);
    for (ms, status) in [(0, 422), (1, 422), (999, 422), (1000, 201)] {
        let at = tributary::domain::time::to_rfc3339(placed + ms);
        let told =
            agree(&product, &p, json!({ "commission_percent": "20", "starts_at": at })).await;
        assert_eq!(told.status, status, "{ms}: {}", told.text);
    }
    // At once, by a clock that shows that second still.
    let product = Product::new();
    let p = agreed(&product, "USD", json!({ "commission_percent": "10" })).await;
    p.deliver(&product, &of(1, "a@example.com")).await;
    product.set_now(placed + 5);
    let path = format!("/v1/deals/{}/terms", p.deal);
    p.post(&product, &path, json!({ "commission_percent": "20" })).await.expect(201);
    let starts = product.db.rows("SELECT max(starts_at_ms) AS at FROM terms")[0]["at"].clone();
    assert_eq!(starts.as_i64().unwrap(), placed + 1000);
}
