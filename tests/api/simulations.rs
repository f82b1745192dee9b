//! What past orders would have earned: against a second product in which the other rules really held.

use serde_json::{Value, json};

use crate::support::shop::{clicked, coded, order, refund, with};
use crate::support::{NOW_MS, PHONE, Product, Programme};

/// Orders by code, by click, by both and by a rival's code, of two customers, one refunded.
async fn shop(product: &Product, percent: &str) -> (Programme, String) {
    let p = Programme::with(product, "USD", percent).await;
    let deal = format!("/v1/deals/{}", p.deal);
    p.post(product, &format!("{deal}/codes"), json!({ "code": "ANNA", "create_in_store": false }))
        .await
        .expect(201);
    p.post(product, &format!("{deal}/links"), json!({})).await.expect(201);
    let (rival, _) = p.rival(product, "BERTA").await;
    (p, rival)
}

async fn deliver(product: &Product, p: &Programme, refunded: bool) {
    product.set_now(NOW_MS - 40 * 86_400_000);
    let visit = async || product.visit("", "anna-home", "", PHONE).await.unwrap();
    let old = visit().await.rsplit('=').next().unwrap().to_owned();
    product.set_now(NOW_MS - 7_200_000);
    let new = visit().await.rsplit('=').next().unwrap().to_owned();
    product.set_now(NOW_MS);
    let at = |n: i64, body: Value| {
        let at = tributary::domain::time::to_rfc3339(NOW_MS - 3_600_000 + n * 1000);
        with(body, json!({ "created_at": at, "updated_at": at }))
    };
    let other = json!({ "email": "other@example.com", "customer": { "id": 8, "email": "other@example.com" } });
    for (n, body) in [
        (1, coded(order(1), "ANNA")),
        (2, clicked(order(2), &new)),
        (3, clicked(coded(order(3), "BERTA"), &new)),
        (4, clicked(order(4), &old)),
        (5, with(coded(order(5), "ANNA"), other)),
        (6, order(6)),
        (7, coded(order(7), "BERTA")),
    ] {
        assert_eq!(p.deliver(product, &at(n, body)).await, 200);
    }
    if refunded {
        p.deliver(product, &refund(11, 1, &[(2, 1, "22.50")])).await;
    }
}

/// Commission by the deal's place in the brand: hers, the rival's.
async fn earned(product: &Product, p: &Programme, rival: &str) -> Vec<String> {
    let mut all = Vec::new();
    for deal in [&p.deal, rival] {
        let found = p.get(product, &format!("/v1/deals/{deal}/performance")).await;
        all.push(found["commission"][0]["amount"].as_str().unwrap_or("0.00").to_owned());
    }
    all
}

async fn simulated(
    product: &Product,
    p: &Programme,
    rival: &str,
    body: Value,
) -> (Vec<String>, Value) {
    let before = product.db.checksum();
    let answer = p.post(product, "/v1/simulations", body).await.expect(200);
    assert!(product.db.checksum() == before, "a simulation writes nothing");
    let after = |deal: &str| {
        let deals = answer["deals"].as_array().unwrap();
        let found = deals.iter().find(|row| row["deal_id"] == deal);
        found.map_or("0.00", |row| row["after"].as_str().unwrap()).to_owned()
    };
    (vec![after(&p.deal), after(rival)], answer)
}

#[tokio::test]
async fn a_simulation_says_what_would_have_been() {
    let product = Product::new();
    let (p, rival) = shop(&product, "10").await;
    deliver(&product, &p, true).await;
    let really = earned(&product, &p, &rival).await;
    let terms = json!({ "commission_percent": "15" });
    let rate_rules = json!({ "commission_percent": "15", "first_order_only": true });
    let month_cap = json!({ "commission_percent": "15", "cap_per_month": { "amount": "30.00", "currency": "USD" } });
    let more = json!({ "commission_percent": "5", "flat_per_order": { "amount": "2.00", "currency": "USD" },
        "rates": [{ "commission_percent": "20", "product_ids": ["9001"] }],
        "cap_per_order": { "amount": "20.00", "currency": "USD" } });
    for changed in [&terms, &rate_rules, &more] {
        let other = Product::new();
        let (q, other_rival) = shop(&other, "10").await;
        let mut new = changed.clone();
        new["starts_at"] = json!("2026-01-02T00:00:00Z");
        q.post(&other, &format!("/v1/deals/{}/terms", q.deal), new).await.expect(201);
        deliver(&other, &q, true).await;
        let wanted = earned(&other, &q, &other_rival).await;
        let body = json!({ "changes": { "terms": changed }, "filter": { "deal_ids": [p.deal] } });
        let (after, answer) = simulated(&product, &p, &rival, body).await;
        // The rival's orders aren't looked at; one that she won over hers is, and stays.
        assert_eq!(after[0], wanted[0], "{changed}: {answer}");
        assert_ne!(wanted[0], really[0]);
    }
    // How orders stand now is what counts: of a refund that came after the cap was reached nothing is
    // known.
    let (first, other) = (Product::new(), Product::new());
    let (p1, rival1) = shop(&first, "10").await;
    let (q, other_rival) = shop(&other, "10").await;
    let mut new = month_cap.clone();
    new["starts_at"] = json!("2026-01-02T00:00:00Z");
    q.post(&other, &format!("/v1/deals/{}/terms", q.deal), new).await.expect(201);
    deliver(&first, &p1, false).await;
    deliver(&other, &q, false).await;
    let wanted = earned(&other, &q, &other_rival).await;
    let body = json!({ "changes": { "terms": month_cap }, "filter": { "deal_ids": [p1.deal] } });
    let (after, answer) = simulated(&first, &p1, &rival1, body).await;
    assert_eq!((after[0].as_str(), &after[0]), ("30.00", &wanted[0]), "{answer}");
    for rules in [
        json!({ "precedence": "link_first" }),
        json!({ "window_days": 60 }),
        json!({ "window_days": 60, "clicks": "first", "precedence": "link_first" }),
    ] {
        let other = Product::new();
        let (q, other_rival) = shop(&other, "10").await;
        other.set_now(NOW_MS - 50 * 86_400_000);
        let settings = json!({ "attribution": rules });
        other.call("PATCH", "/v1/brand", Some(settings), &q.key).await.expect(200);
        deliver(&other, &q, true).await;
        let wanted = earned(&other, &q, &other_rival).await;
        let body = json!({ "changes": { "attribution": rules } });
        let (after, answer) = simulated(&product, &p, &rival, body).await;
        assert_eq!(after, wanted, "{rules}: {answer}");
        assert_ne!(after, really, "{rules}");
    }
}

#[tokio::test]
async fn what_changes_nothing_costs_nothing() {
    let product = Product::new();
    let (p, rival) = shop(&product, "10").await;
    deliver(&product, &p, true).await;
    let really = earned(&product, &p, &rival).await;
    let same = json!({ "changes": { "attribution": { "window_days": 30 } } });
    let (after, answer) = simulated(&product, &p, &rival, same).await;
    assert_eq!(after, really);
    assert_eq!(answer["cost"][0]["difference"], "0.00", "{answer}");
    assert_eq!((&answer["cost"][0]["orders_changed"], &answer["orders"]), (&json!(0), &json!(7)));
    // Of a creator, of a campaign, of a period.
    let terms = json!({ "commission_percent": "0" });
    let body = |filter: Value| json!({ "changes": { "terms": terms }, "filter": filter });
    let (after, answer) =
        simulated(&product, &p, &rival, body(json!({ "creator_ids": [p.creator] }))).await;
    assert_eq!(
        (after[0].as_str(), answer["creators"].as_array().unwrap().len()),
        ("0.00", 2),
        "{answer}"
    );
    assert_eq!(answer["creators"][0]["difference"], json!(format!("-{}", really[0])));
    let (after, _) =
        simulated(&product, &p, &rival, body(json!({ "campaign_id": p.campaign }))).await;
    assert_eq!(after, ["0.00", "0.00"]);
    let none = body(json!({ "deal_ids": [p.deal], "creator_ids": [] }));
    assert_eq!(simulated(&product, &p, &rival, none).await.1["orders"], 0);
    let day = json!({ "changes": { "terms": terms }, "from": "2026-11-23", "to": "2026-11-24" });
    assert_eq!(simulated(&product, &p, &rival, day).await.1["orders"], 0);
    let day = json!({ "changes": { "terms": terms }, "from": "2026-11-22", "to": "2026-11-22" });
    assert_eq!(simulated(&product, &p, &rival, day).await.1["orders"], 7);
    for bad in [
        json!({}),
        json!({ "changes": {} }),
        json!({ "changes": { "terms": { "commission_percent": "101" } } }),
        json!({ "changes": { "terms": { "commission_percent": "1", "starts_at": "2026-01-01T00:00:00Z" } } }),
        json!({ "changes": { "attribution": { "window_days": 0 } } }),
        json!({ "changes": { "terms": terms }, "from": "2026-13-01" }),
        json!({ "changes": { "terms": terms }, "from": "2026-11-23", "to": "2026-11-22" }),
        json!({ "changes": { "terms": terms }, "filter": { "deal_ids": ["deal_x"] } }),
        json!({ "changes": { "tiers": [] } }),
    ] {
        let answer = p.post(&product, "/v1/simulations", bad.clone()).await;
        assert_eq!(answer.status, 422, "{bad}: {}", answer.text);
    }
}

/// Tiers that a brand thinks of cost what they would have cost.
#[tokio::test]
async fn tiers_cost_what_they_would_have_cost() {
    let levels = json!([
        { "name": "A", "threshold": "2", "commission_percent": "12" },
        { "name": "B", "threshold": "4", "commission_percent": "15" },
    ]);
    for falls_back in [true, false] {
        let tiers = json!({ "metric": "orders", "period": "month", "falls_back": falls_back,
            "levels": levels });
        let run = async |really: bool| {
            let product = Product::new();
            let (p, rival) = shop(&product, "10").await;
            if really {
                p.post(&product, "/v1/tiers", tiers.clone()).await.expect(201);
            }
            // Five orders in November, three in December.
            for n in 1..=8 {
                product.pass(if n == 6 { 12 * 86_400_000 } else { 60_000 });
                let at = tributary::domain::time::to_rfc3339(product.app.now_ms());
                let at = json!({ "created_at": at, "updated_at": at });
                assert_eq!(p.deliver(&product, &with(coded(order(n), "ANNA"), at)).await, 200);
                product.pass(1);
            }
            let earned = earned(&product, &p, &rival).await[0].clone();
            (product, p, earned)
        };
        let (_, _, really) = run(true).await;
        let (product, p, before) = run(false).await;
        assert_ne!(really, before);
        let before_all = product.db.checksum();
        let body = json!({ "changes": { "tiers": tiers } });
        let told = p.post(&product, "/v1/simulations", body).await.expect(200);
        assert_eq!(told["cost"][0]["before"], before);
        assert_eq!(told["cost"][0]["after"], really, "falls back: {falls_back}");
        assert_eq!(product.db.checksum(), before_all, "nothing is written");
        let mut elsewhere = tiers.clone();
        elsewhere["campaign_id"] = json!(p.campaign);
        let body = json!({ "changes": { "tiers": elsewhere } });
        p.post(&product, "/v1/simulations", body).await.expect(422);
    }
}
