//! What deliveries do to orders and books, in every order and at the same time.

use serde_json::{Value, json};

use crate::support::shop::{coded, goodwill, later, line, order, refund, shipping_refund, with};
use crate::support::{NOW_MS, Product, Programme};

async fn programme(product: &Product) -> Programme {
    let p = Programme::new(product).await;
    p.post(
        product,
        &format!("/v1/deals/{}/codes", p.deal),
        json!({ "code": "ANNA", "create_in_store": false }),
    )
    .await
    .expect(201);
    p
}

async fn commission(product: &Product, p: &Programme, id: u64) -> (Value, Value, Value) {
    let order = p.order(product, id).await;
    (order["base"]["amount"].clone(), order["commission"]["amount"].clone(), order["state"].clone())
}

#[tokio::test]
async fn the_worked_example() {
    for old_shape in [true, false] {
        let product = Product::new();
        let p = programme(&product).await;
        let placed = coded(order(1), "anna");
        let deliveries = [
            (placed.clone(), ("135.00", "13.50", "paid")),
            (refund(91, 1, &[(2, 1, "22.50")]), ("112.50", "11.25", "partially_refunded")),
            (shipping_refund(92, 1, old_shape), ("112.50", "11.25", "partially_refunded")),
            (
                later(placed.clone(), 9, json!({ "cancelled_at": "2026-11-22T07:30:00Z" })),
                ("0.00", "0.00", "cancelled"),
            ),
        ];
        for (body, (base, earned, state)) in &deliveries {
            assert_eq!(p.deliver(&product, body).await, 200);
            let expected = (json!(base), json!(earned), json!(state));
            assert_eq!(commission(&product, &p, 1).await, expected);
            p.verify(&product).await;
        }
        let books = product.db.rows("SELECT * FROM entries");
        // The same deliveries again, backwards: not a row changes.
        for (body, _) in deliveries.iter().rev() {
            assert_eq!(p.deliver(&product, body).await, 200);
        }
        assert_eq!(product.db.rows("SELECT * FROM entries"), books);
        assert_eq!(p.balance(&product, &p.creator, "USD").await["lifetime"], "0.00");
    }
}

#[tokio::test]
async fn included_tax_yen_and_half_cents() {
    let product = Product::new();
    let p = programme(&product).await;
    let (rival, _) = p.rival(&product, "TWELVE").await;
    p.post(
        &product,
        &format!("/v1/deals/{rival}/terms"),
        json!({ "commission_percent": "12.5", "starts_at": "2026-02-01T00:00:00Z" }),
    )
    .await
    .expect(201);
    let mut taxed =
        with(coded(order(1), "ANNA"), json!({ "currency": "EUR", "taxes_included": true }));
    taxed["line_items"] = json!([line(1, 1, "119.00", "0.00", "EUR")]);
    taxed["line_items"][0]["tax_lines"] = json!([{ "price": "19.00" }]);
    let yen = |id, price: &str| {
        with(
            coded(order(id), "TWELVE"),
            json!({ "currency": "JPY", "line_items": [line(1, 1, price, "0", "JPY")],
            "discount_codes": [{ "code": "TWELVE", "amount": "15", "type": "fixed_amount" }] }),
        )
    };
    let cent =
        with(coded(order(4), "ANNA"), json!({ "line_items": [line(1, 1, "0.05", "0.00", "USD")] }));
    for (body, base, earned) in [
        (taxed, "100.00", "10.00"),
        (yen(2, "1000"), "1000", "125"),
        (yen(3, "999"), "999", "125"),
        (cent, "0.05", "0.01"),
    ] {
        let id = body["id"].as_u64().unwrap();
        assert_eq!(p.deliver(&product, &body).await, 200, "{id}");
        assert_eq!(
            commission(&product, &p, id).await,
            (json!(base), json!(earned), json!("paid")),
            "{id}"
        );
    }
    // Currencies never mix.
    assert_eq!(p.balance(&product, &p.creator, "EUR").await["pending"], "10.00");
    assert_eq!(p.balance(&product, &p.creator, "USD").await["pending"], "0.01");
    p.verify(&product).await;
}

#[tokio::test]
async fn a_refund_or_cancellation_may_come_first() {
    let product = Product::new();
    let p = programme(&product).await;
    assert_eq!(p.deliver(&product, &refund(91, 1, &[(2, 1, "22.50")])).await, 200);
    assert_eq!(p.deliver(&product, &json!({ "id": 2 })).await, 200);
    let held = p.order(&product, 1).await;
    assert_eq!((&held["placed_at"], &held["commission"]["amount"]), (&json!(null), &json!("0.00")));
    p.deliver(&product, &coded(order(1), "ANNA")).await;
    p.deliver(&product, &coded(order(2), "ANNA")).await;
    assert_eq!(commission(&product, &p, 1).await.1, "11.25");
    assert_eq!(
        commission(&product, &p, 2).await,
        (json!("0.00"), json!("0.00"), json!("cancelled"))
    );
    let performance = p.get(&product, &format!("/v1/deals/{}/performance", p.deal)).await;
    assert_eq!(performance["orders"], 1, "cancelled orders are left out");
    p.verify(&product).await;
}

#[tokio::test]
async fn payment_decides_and_stale_snapshots_do_not() {
    let product = Product::new();
    let p = programme(&product).await;
    let pending = with(coded(order(1), "ANNA"), json!({ "financial_status": "pending" }));
    let paid = later(pending.clone(), 5, json!({ "financial_status": "paid" }));
    p.deliver(&product, &pending).await;
    assert_eq!(
        commission(&product, &p, 1).await,
        (json!("135.00"), json!("0.00"), json!("unpaid"))
    );
    p.deliver(&product, &paid).await;
    assert_eq!(commission(&product, &p, 1).await.1, "13.50");
    p.deliver(&product, &pending).await;
    assert_eq!(commission(&product, &p, 1).await.1, "13.50", "older facts change nothing");
    p.deliver(&product, &later(pending, 6, json!({ "financial_status": "voided" }))).await;
    assert_eq!(
        commission(&product, &p, 1).await,
        (json!("0.00"), json!("0.00"), json!("cancelled"))
    );
    p.verify(&product).await;
}

#[tokio::test]
async fn a_refund_after_the_hold_debits_what_is_available_then_claws_back() {
    let product = Product::new();
    let p = programme(&product).await;
    p.deliver(&product, &coded(order(1), "ANNA")).await;
    product.pass(31 * 86_400_000);
    tributary::jobs::run_all(&product.app).await;
    p.deliver(&product, &goodwill(91, 1, "35.00")).await;
    let balance = p.balance(&product, &p.creator, "USD").await;
    assert_eq!((&balance["available"], &balance["clawback"]), (&json!("10.00"), &json!("0.00")));
    // As if ten dollars had been paid out: what is available is gone.
    let brand = p.brand["id"].as_str().unwrap();
    for (sequence, account, minor) in [(1, "available", -1000), (2, "paid", 1000)] {
        product
            .db
            .execute(&format!(
                "INSERT INTO entries (brand_id, sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id, posted_at_ms)
                 SELECT '{brand}', max(sequence) + 1, max(sequence) + 2 - {sequence}, '{account}', '{}', 0, 'USD', {minor}, 'release', 'payout', 0 FROM entries",
                p.creator
            ))
            .unwrap();
    }
    p.deliver(&product, &goodwill(92, 1, "100.00")).await;
    let balance = p.balance(&product, &p.creator, "USD").await;
    assert_eq!(
        (&balance["available"], &balance["clawback"], &balance["paid"], &balance["lifetime"]),
        (&json!("0.00"), &json!("10.00"), &json!("10.00"), &json!("0.00"))
    );
    // The next commission pays it off first.
    let now = tributary::domain::time::to_rfc3339(product.app.now_ms());
    p.deliver(
        &product,
        &with(coded(order(2), "ANNA"), json!({ "created_at": now, "updated_at": now })),
    )
    .await;
    product.pass(31 * 86_400_000);
    tributary::jobs::run_all(&product.app).await;
    let balance = p.balance(&product, &p.creator, "USD").await;
    assert_eq!((&balance["available"], &balance["clawback"]), (&json!("3.50"), &json!("0.00")));
    p.verify(&product).await;
}

#[tokio::test]
async fn rates_change_only_what_comes_after_them() {
    let product = Product::new();
    let p = programme(&product).await;
    p.deliver(&product, &coded(order(1), "ANNA")).await;
    let terms = format!("/v1/deals/{}/terms", p.deal);
    p.post(&product, &terms, json!({ "commission_percent": "50" })).await.expect(201);
    p.deliver(&product, &later(coded(order(1), "ANNA"), 5, json!({ "tags": "vip" }))).await;
    assert_eq!(commission(&product, &p, 1).await.1, "13.50");
    let before = product.db.checksum();
    let back = p
        .post(
            &product,
            &terms,
            json!({ "commission_percent": "1", "starts_at": "2026-11-22T06:00:00Z" }),
        )
        .await;
    assert_eq!(back.status, 422);
    assert_eq!(product.db.checksum(), before);
    let now = tributary::domain::time::to_rfc3339(NOW_MS + 1000);
    product.pass(2000);
    p.deliver(
        &product,
        &with(coded(order(2), "ANNA"), json!({ "created_at": now, "updated_at": now })),
    )
    .await;
    assert_eq!(commission(&product, &p, 2).await.1, "67.50");
    // Terms from now on never meet a decided order: they start right after the last.
    let at = tributary::domain::time::to_rfc3339(NOW_MS + 2500);
    product.pass(600);
    let third = with(coded(order(3), "ANNA"), json!({ "created_at": at, "updated_at": at }));
    p.deliver(&product, &third).await;
    let soonest = p.post(&product, &terms, json!({ "commission_percent": "40" })).await;
    let expected = tributary::domain::time::to_rfc3339(NOW_MS + 2600);
    assert_eq!(soonest.expect(201)["starts_at"], expected);
    assert_eq!(commission(&product, &p, 3).await.1, "67.50");
    p.verify(&product).await;
}

#[tokio::test]
async fn an_earlier_snapshot_with_other_evidence_decides_again() {
    let product = Product::new();
    let p = programme(&product).await;
    let (rival, berta) = p.rival(&product, "BERTA").await;
    // What the shop says last has Berta's code; what it said first, Anna's, comes late.
    p.deliver(&product, &later(coded(order(1), "BERTA"), 9, json!({}))).await;
    assert_eq!(p.order(&product, 1).await["deal_id"], rival);
    p.deliver(&product, &coded(order(1), "ANNA")).await;
    assert_eq!(p.order(&product, 1).await["deal_id"], p.deal);
    assert_eq!(p.balance(&product, &berta, "USD").await["lifetime"], "0.00");
    assert_eq!(p.balance(&product, &p.creator, "USD").await["lifetime"], "13.50");
    p.verify(&product).await;
    // In the other order, the later edit moves nothing.
    p.deliver(&product, &coded(order(2), "ANNA")).await;
    p.deliver(&product, &later(coded(order(2), "BERTA"), 9, json!({}))).await;
    assert_eq!(p.order(&product, 2).await["deal_id"], p.deal);
    p.verify(&product).await;
}

#[tokio::test(flavor = "current_thread")]
async fn fifty_deliveries_of_one_order_at_once_end_in_the_same_books() {
    let product = Product::new();
    let p = programme(&product).await;
    let mut bodies = Vec::new();
    for n in 0..20 {
        let status = if n == 0 { "pending" } else { "paid" };
        bodies.push(later(
            coded(order(1), "ANNA"),
            n,
            json!({ "financial_status": status, "tags": n.to_string() }),
        ));
    }
    for n in 0..25 {
        bodies.push(goodwill(900 + n, 1, "1.00"));
    }
    bodies.extend((0..5).map(|_| refund(990, 1, &[(2, 1, "22.50")])));
    // Losers of the guard try five times, then the queue has them, and its consumer goes on.
    let deliveries = bodies.iter().map(|body| p.deliver(&product, body));
    for status in futures(deliveries).await {
        assert_eq!(status, 200);
    }
    loop {
        let message = product.queue.messages.lock().unwrap().pop();
        let Some(message) = message else { break };
        tributary::jobs::order::consume(&product.app, &message).await.unwrap();
    }
    // 135.00 − 25 × 1.00 − 22.50 = 87.50
    assert_eq!(
        commission(&product, &p, 1).await,
        (json!("87.50"), json!("8.75"), json!("partially_refunded"))
    );
    assert_eq!(p.balance(&product, &p.creator, "USD").await["lifetime"], "8.75");
    p.verify(&product).await;
}

/// Runs futures side by side on this thread.
pub async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = all.map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in &mut running {
            if output.is_none()
                && let std::task::Poll::Ready(done) = future.as_mut().poll(cx)
            {
                *output = Some(done);
            }
        }
        if running.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

#[tokio::test]
async fn an_order_costs_few_calls_and_rows() {
    let product = Product::new();
    let p = programme(&product).await;
    p.deliver(&product, &coded(order(99), "ANNA")).await;
    let calls = async |body: &Value| {
        let before = product.db.calls();
        p.deliver(&product, body).await;
        product.db.calls() - before
    };
    assert_eq!(calls(&coded(order(1), "ANNA")).await, 1, "attributed, from memory: commit");
    assert_eq!(calls(&coded(order(1), "ANNA")).await, 1, "an exact repeat: load");
    assert_eq!(calls(&later(coded(order(1), "ANNA"), 3, json!({}))).await, 2);
    assert_eq!(calls(&order(2)).await, 1, "unattributed");
    assert_eq!(calls(&coded(order(3), "NEW-TO-US")).await, 2, "load and commit");
    let elsewhere = Product::over(product.db.clone(), true);
    let before = product.db.calls();
    p.deliver(&elsewhere, &coded(order(4), "NEW-TO-US")).await;
    assert_eq!(product.db.calls() - before, 3, "a new isolate: the secret, load and commit");
    p.deliver(&product, &coded(order(4), "NEW-TO-US")).await;
    assert_eq!(product.db.calls() - before, 5, "known to another isolate: refused, then loaded");
}

/// Whatever changes between two orders, the second is decided as by an isolate without a memory.
#[tokio::test]
async fn memory_never_decides_by_old_facts() {
    let product = Product::new();
    let p = programme(&product).await;
    let (rival, _) = p.rival(&product, "BERTA").await;
    let of = |deal: &str, what: &str| format!("/v1/deals/{deal}/{what}");
    let deal = format!("/v1/deals/{}", p.deal);
    let brand = "/v1/brand".to_owned();
    let changes = [
        ("POST", of(&p.deal, "terms"), json!({ "commission_percent": "20" })),
        ("POST", of(&rival, "links"), json!({ "slug": "late" })),
        ("PATCH", brand.clone(), json!({ "attribution": { "precedence": "link_first" } })),
        ("PATCH", brand.clone(), json!({ "attribution": { "precedence": "code_first" } })),
        ("POST", of(&rival, "codes"), json!({ "code": "LATE", "create_in_store": false })),
        ("PATCH", brand, json!({ "earn_on": "placed" })),
        ("PATCH", deal.clone(), json!({ "state": "closed" })),
        ("PATCH", deal, json!({ "state": "open" })),
    ];
    let mut number = 0;
    let mut seen = std::collections::BTreeSet::new();
    for (method, path, change) in changes {
        // Before the change, so that all that it makes stale is remembered, and after it.
        for after in [false, true] {
            if after {
                let answer = product.call(method, &path, Some(change.clone()), &p.key).await;
                assert!(answer.status < 300, "{method} {path}: {}", answer.status);
            }
            product.pass(2_000);
            let at = tributary::domain::time::to_rfc3339(product.app.now_ms() - 1_000);
            let forgetful = Product::over(product.db.clone(), true);
            forgetful.set_now(product.app.now_ms());
            let mut decided = Vec::new();
            for isolate in [&product, &forgetful] {
                for (code, payment) in [("ANNA", "paid"), ("LATE", "paid"), ("ANNA", "pending")] {
                    number += 1;
                    let body = json!({ "created_at": at, "updated_at": at,
                        "financial_status": payment, "landing_site": "/?ref=late" });
                    p.deliver(isolate, &with(coded(order(number), code), body)).await;
                    let found = p.order(&product, number).await;
                    decided.push(json!([found["deal_id"], found["commission"], found["state"]]));
                }
            }
            let (remembered, loaded) = decided.split_at(3);
            assert_eq!(remembered, loaded, "{method} {path}, after it: {after}");
            seen.insert(json!(loaded).to_string());
        }
    }
    assert!(seen.len() >= 6, "the changes decide something: {seen:?}");
    p.verify(&product).await;
}

#[tokio::test]
async fn unusable_deliveries_are_quarantined_and_can_be_replayed() {
    let product = Product::new();
    let p = programme(&product).await;
    let before = product.db.checksum();
    let euro = with(refund(91, 1, &[]), json!({ "transactions": [] }));
    assert_eq!(
        p.deliver(&product, &with(coded(order(1), "ANNA"), json!({ "currency": "XXX" }))).await,
        200
    );
    assert_eq!(product.deliver(&p.store, crate::support::SECRET, b"not json").await, 200);
    assert_eq!(product.deliver(&p.store, crate::support::SECRET, b"not json").await, 200);
    assert_eq!(product.db.checksum(), before);
    drop(euro);
    let listed = p.get(&product, "/v1/quarantine").await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "the same delivery twice is one row");
    let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
    let replay = product
        .call("POST", &format!("/v1/quarantine/{id}/replay"), None, &p.key)
        .await
        .expect(200);
    assert_eq!(replay["outcome"], "unusable");
    // Bodies are sealed at rest and go after 14 days.
    let stored = product.db.rows("SELECT body FROM quarantine");
    assert!(stored.iter().all(|row| !row["body"].as_str().unwrap().contains("not json")));
    product.pass(15 * 86_400_000);
    tributary::jobs::run_all(&product.app).await;
    let gone = product.call("POST", &format!("/v1/quarantine/{id}/replay"), None, &p.key).await;
    assert_eq!(gone.status, 409);
    // What could not be committed for long is kept as extracted facts and replays well.
    product.db.away(true);
    assert_eq!(p.deliver(&product, &coded(order(5), "ANNA")).await, 200);
    product.db.away(false);
    let message = product.queue.messages.lock().unwrap().pop().unwrap();
    assert!(!message.contains("buyer@example.com"));
    tributary::jobs::order::consume_dead(&product.app, &message).await.unwrap();
    let listed = p.get(&product, "/v1/quarantine").await;
    let dead =
        listed["data"].as_array().unwrap().iter().find(|row| row["replayable"] == true).unwrap();
    let path = format!("/v1/quarantine/{}/replay", dead["id"].as_str().unwrap());
    assert_eq!(product.call("POST", &path, None, &p.key).await.expect(200)["outcome"], "committed");
    assert_eq!(product.call("POST", &path, None, &p.key).await.status, 409);
    assert_eq!(commission(&product, &p, 5).await.1, "13.50");
    p.verify(&product).await;
}

#[tokio::test]
async fn a_refund_in_another_currency_counts_nothing_whichever_came_first() {
    let foreign = || {
        let mut body = goodwill(91, 1, "20.00");
        body["transactions"][0]["currency"] = json!("EUR");
        for set in ["amount_set", "tax_amount_set"] {
            body["order_adjustments"][0][set]["shop_money"]["currency_code"] = json!("EUR");
        }
        body
    };
    for refund_first in [true, false] {
        let product = Product::new();
        let p = programme(&product).await;
        let mut deliveries = [coded(order(1), "ANNA"), foreign()];
        if refund_first {
            deliveries.reverse();
        }
        for body in &deliveries {
            assert_eq!(p.deliver(&product, body).await, 200);
        }
        assert_eq!(commission(&product, &p, 1).await.1, "13.50", "refund first: {refund_first}");
        let told = p.get(&product, "/v1/quarantine").await;
        let reason = told["data"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("another currency"), "{reason}");
        p.deliver(
            &product,
            &later(coded(order(1), "ANNA"), 5, json!({ "financial_status": "voided" })),
        )
        .await;
        assert_eq!(commission(&product, &p, 1).await.1, "0.00", "later snapshots are taken");
        p.verify(&product).await;
    }
}

#[tokio::test]
async fn a_title_of_a_manual_discount_keeps_no_click_away() {
    let product = Product::new();
    let p = programme(&product).await;
    p.post(&product, &format!("/v1/deals/{}/links", p.deal), json!({ "slug": "anna" }))
        .await
        .expect(201);
    product.set_now(NOW_MS - 7_200_000);
    let click = product.visit("", "anna", "", crate::support::PHONE).await.unwrap();
    let click = click.rsplit('=').next().unwrap().to_owned();
    product.set_now(NOW_MS);
    let titled = with(
        order(1),
        json!({ "discount_codes": [{ "code": "For a friend", "amount": "5.00" }],
        "discount_applications": [{ "type": "manual", "title": "For a friend" }] }),
    );
    p.deliver(&product, &titled).await;
    assert_eq!(p.order(&product, 1).await["deal_id"], json!(null));
    p.deliver(&product, &later(crate::support::shop::clicked(titled, &click), 5, json!({}))).await;
    assert_eq!(p.order(&product, 1).await["deal_id"], p.deal);
    p.verify(&product).await;
}

/// Shops tell whole seconds: what takes effect now holds for orders of this second too.
#[tokio::test]
async fn what_takes_effect_now_takes_effect_with_the_second() {
    let product = Product::new();
    product.pass(700);
    let p = programme(&product).await;
    let creator =
        p.post(&product, "/v1/creators", json!({ "name": "C", "handle": "c" })).await.expect(201);
    let deal = json!({ "creator_id": creator["id"], "campaign_id": p.campaign, "commission_percent": "10" });
    let deal =
        p.post(&product, "/v1/deals", deal).await.expect(201)["id"].as_str().unwrap().to_owned();
    let code = json!({ "code": "CARLA", "create_in_store": false });
    p.post(&product, &format!("/v1/deals/{deal}/codes"), code).await.expect(201);
    let second = tributary::domain::time::to_rfc3339(NOW_MS);
    let placed = |id, code| {
        with(coded(order(id), code), json!({ "created_at": second, "updated_at": second }))
    };
    p.deliver(&product, &placed(1, "CARLA")).await;
    assert_eq!(commission(&product, &p, 1).await.1, "13.50");
    product
        .call("PATCH", &format!("/v1/deals/{deal}"), Some(json!({ "state": "closed" })), &p.key)
        .await
        .expect(200);
    p.deliver(&product, &placed(2, "CARLA")).await;
    assert_eq!(p.order(&product, 2).await["deal_id"], json!(null));
    let rules = json!({ "attribution": { "window_days": 7 } });
    product.call("PATCH", "/v1/brand", Some(rules), &p.key).await.expect(200);
    p.deliver(&product, &placed(3, "ANNA")).await;
    let id = p.order(&product, 3).await["id"].as_str().unwrap().to_owned();
    let why = p.get(&product, &format!("/v1/orders/{id}/attribution")).await;
    assert_eq!(why["rules"]["window_days"], 7);
    p.verify(&product).await;
}
