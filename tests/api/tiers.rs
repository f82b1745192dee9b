//! Commission tiers: what is reached, from when on, and what stays as it was.

use serde_json::{Value, json};
use tributary::domain::time::{DAY_MS, to_rfc3339};

use crate::support::shop::{coded, order, refund, with};
use crate::support::{NOW_MS, Product, Programme};

/// A programme with the code ANNA and tiers: from two orders of a period on 12 %, from four on 15 %.
async fn tiered(product: &Product, changes: Value) -> Programme {
    let p = Programme::with(product, "USD", "10").await;
    let codes = format!("/v1/deals/{}/codes", p.deal);
    p.post(product, &codes, json!({ "code": "ANNA", "create_in_store": false })).await.expect(201);
    p.post(product, "/v1/tiers", with(tiers(), changes)).await.expect(201);
    p
}

fn tiers() -> Value {
    json!({ "metric": "orders", "period": "month", "levels": [
        { "name": "Silver", "threshold": "2", "commission_percent": "12" },
        { "name": "Gold", "threshold": "4", "commission_percent": "15" },
    ] })
}

/// Delivers an order that is placed now, a minute after the one before.
async fn place(product: &Product, p: &Programme, id: u64) -> Value {
    product.pass(60_000);
    let at = to_rfc3339(product.app.now_ms());
    let body = with(coded(order(id), "ANNA"), json!({ "created_at": at, "updated_at": at }));
    assert_eq!(p.deliver(product, &body).await, 200);
    // An order that is placed in the same millisecond as a level is reached has the new rate.
    product.pass(1);
    p.order(product, id).await["commission"]["amount"].clone()
}

async fn steps(product: &Product, p: &Programme) -> Vec<(Value, Value)> {
    let found = p.get(product, &format!("/v1/deals/{}/tiers", p.deal)).await;
    let all = found["data"].as_array().unwrap().iter();
    all.map(|step| (step["name"].clone(), step["measured"].clone())).collect()
}

#[tokio::test]
async fn a_level_starts_terms_from_that_moment_on() {
    let product = Product::new();
    let p = tiered(&product, json!({})).await;
    for (id, expected) in
        [(1, "13.50"), (2, "13.50"), (3, "16.20"), (4, "16.20"), (5, "20.25"), (6, "20.25")]
    {
        assert_eq!(place(&product, &p, id).await, expected, "order {id}");
    }
    assert_eq!(steps(&product, &p).await, [(json!("Gold"), json!(4)), (json!("Silver"), json!(2))]);
    // Never retroactive, whatever comes back.
    for id in 1..=4 {
        p.deliver(&product, &refund(90 + id, id, &[(1, 1, "90.00"), (2, 2, "45.00")])).await;
    }
    assert_eq!(place(&product, &p, 7).await, "20.25", "a level that was reached stays");
    let terms = p.get(&product, &format!("/v1/deals/{}/terms", p.deal)).await;
    let terms = terms["data"].as_array().unwrap();
    let of = |n: usize| (&terms[n]["commission_percent"], terms[n]["reason"].as_str().unwrap());
    assert_eq!(of(0).0, "15");
    assert!(of(0).1.starts_with("tiers_") && of(0).1.ends_with(" Gold"), "{}", of(0).1);
    let trail = p.get(&product, &format!("/v1/audit?subject_id={}", p.deal)).await;
    let reached: Vec<_> = trail["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["action"] == "tiers.reach")
        .map(|row| row["after"]["level"].clone())
        .collect();
    assert_eq!(reached, ["Gold", "Silver"]);
    p.verify(&product).await;
}

#[tokio::test]
async fn a_rate_falls_back_with_the_month_where_the_brand_wants_it() {
    let product = Product::new();
    let p = tiered(&product, json!({ "falls_back": true })).await;
    for (id, expected) in [(1, "13.50"), (2, "13.50"), (3, "16.20")] {
        assert_eq!(place(&product, &p, id).await, expected);
    }
    product.set_now(NOW_MS + 12 * DAY_MS); // December
    for (id, expected) in [(4, "13.50"), (5, "13.50"), (6, "16.20")] {
        assert_eq!(place(&product, &p, id).await, expected, "order {id} of December");
    }
    assert_eq!(steps(&product, &p).await.len(), 2);
}

#[tokio::test]
async fn amounts_campaigns_and_ended_tiers() {
    let product = Product::new();
    let levels = json!([{ "name": "A", "threshold": "200.00", "commission_percent": "20" }]);
    let revenue = json!({ "metric": "revenue", "period": "quarter", "levels": levels });
    let p = tiered(&product, revenue.clone()).await;
    let made = p.get(&product, "/v1/tiers").await["data"][0].clone();
    assert_eq!(
        (&made["levels"][0]["threshold"], &made["currency"]),
        (&json!("200.00"), &json!("USD"))
    );
    assert_eq!(place(&product, &p, 1).await, "13.50");
    assert_eq!(place(&product, &p, 2).await, "13.50");
    assert_eq!(place(&product, &p, 3).await, "27.00");
    // Another campaign's tiers are not hers.
    let other = p.post(&product, "/v1/campaigns", json!({ "name": "Other" })).await.expect(201);
    let levels = json!([{ "name": "B", "threshold": "1", "commission_percent": "50" }]);
    let theirs = json!({ "campaign_id": other["id"], "metric": "orders", "period": "all", "levels": levels });
    p.post(&product, "/v1/tiers", theirs).await.expect(201);
    assert_eq!(place(&product, &p, 4).await, "27.00");
    let all = json!({ "metric": "commission", "period": "all", "levels":
        [{ "name": "C", "threshold": "100.00", "commission_percent": "60" }] });
    let ended = p.post(&product, "/v1/tiers", all).await.expect(201);
    let path = format!("/v1/tiers/{}", ended["id"].as_str().unwrap());
    for _ in 0..2 {
        product.call("DELETE", &path, None, &p.key).await.expect(204);
    }
    assert_eq!(place(&product, &p, 5).await, "27.00");
    assert_eq!(place(&product, &p, 6).await, "27.00", "what ended isn't reached");
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_and_nothing_is_reached_twice() {
    let product = Product::new();
    let p = tiered(&product, json!({})).await;
    place(&product, &p, 1).await;
    // Something else gave the deal terms while it was decided: nothing is written, the job looks again.
    product.db.before(
        "INSERT INTO tier_steps",
        "INSERT INTO terms SELECT brand_id, deal_id, (SELECT max(placed_at_ms) + 1 FROM orders), version + 1,
           id, rate_bp, created_at_ms, ends_at_ms, rules, reason FROM terms",
    );
    place(&product, &p, 2).await;
    assert!(steps(&product, &p).await.is_empty());
    tributary::jobs::run_all(&product.app).await;
    tributary::jobs::run_all(&product.app).await;
    assert_eq!(steps(&product, &p).await, [(json!("Silver"), json!(2))]);
    assert_eq!(place(&product, &p, 3).await, "16.20");
}

#[tokio::test]
async fn bad_tiers_are_refused() {
    let product = Product::new();
    let p = tiered(&product, json!({})).await;
    let level = |threshold: &str, percent: &str| {
        json!({ "name": "A", "threshold": threshold,
        "commission_percent": percent })
    };
    for (field, changes) in [
        ("levels", json!({ "levels": [] })),
        ("levels", json!({ "levels": vec![level("1", "1"); 21] })),
        ("levels[0].threshold", json!({ "levels": [level("0", "10")] })),
        ("levels[0].threshold", json!({ "levels": [level("-1", "10")] })),
        ("levels[0].threshold", json!({ "levels": [level("1.5", "10")] })),
        ("levels[0].threshold", json!({ "levels": [level("1e3", "10")] })),
        ("levels[0].threshold", json!({ "metric": "revenue", "levels": [level("1.005", "10")] })),
        ("levels[1].threshold", json!({ "levels": [level("2", "10"), level("2", "11")] })),
        ("levels[1].commission_percent", json!({ "levels": [level("2", "10"), level("3", "10")] })),
        ("levels.[0].commission_percent", json!({ "levels": [level("2", "101")] })),
        ("metric", json!({ "metric": "clicks" })),
        ("period", json!({ "period": "week" })),
        ("currency", json!({ "currency": "XXX" })),
        ("campaign_id", json!({ "campaign_id": "deal_x" })),
    ] {
        let problem = p.post(&product, "/v1/tiers", with(tiers(), changes)).await.expect(422);
        let named = problem["errors"][0]["field"].as_str().unwrap().replace(".[", "[");
        assert_eq!(named, field.replace(".[", "["), "{problem}");
    }
    let foreign = json!({ "campaign_id": "campaign_00000000000000000000000000" });
    p.post(&product, "/v1/tiers", with(tiers(), foreign)).await.expect(404);
    assert_eq!(p.get(&product, "/v1/tiers").await["data"].as_array().unwrap().len(), 1);
}
