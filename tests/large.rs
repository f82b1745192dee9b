//! Large books: verification, proofs, an export and a simulation in bounded memory. Small in CI; large by
//! `LARGE=1 cargo test --release --test large -- --nocapture` (bench/README.md), which prints how long it took.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test stops where an expectation fails"
)]

mod support;

use std::time::Instant;

use serde_json::{Value, json};
use support::shop::{coded, order};
use support::sqlite::most_steps;
use support::{Product, Programme};
use tributary::audit::{Audit, check_statement};

/// Entries, and orders.
fn sizes() -> (i64, i64) {
    if std::env::var("LARGE").is_ok() { (1_000_000, 100_000) } else { (20_000, 6_000) }
}

fn timed(what: &str, since: Instant) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default().to_owned();
    println!("{what}: {} ms; {most}", since.elapsed().as_millis());
}

/// A ledger of so many entries of 500 creators: fees, which nothing else is needed for.
fn fill(product: &Product, p: &Programme, entries: i64) {
    let brand = p.brand["id"].as_str().unwrap();
    let creator = &p.creator;
    for sql in [
        format!("INSERT INTO creators (brand_id, id, name, handle, tags, created_at_ms)
          WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
          SELECT '{brand}', printf('creator_%026d', i), '', '', '[]', 0 FROM n"),
        format!("INSERT INTO fees (brand_id, id, deal_id, creator_id, currency, amount_minor, created_at_ms)
          WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {entries} / 2)
          SELECT '{brand}', printf('fee_%026d', i), '', iif(i % 501 = 0, '{creator}', printf('creator_%026d', i % 501)), 'USD', i % 97 + 1, 0 FROM n"),
        format!("INSERT INTO entries (brand_id, sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id, posted_at_ms)
          WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {entries})
          SELECT '{brand}', i, (i - 1) / 2 * 2 + 1, iif(i % 2, 'commission', 'available'),
            iif(i % 2, NULL, iif((i / 2) % 501 = 0, '{creator}', printf('creator_%026d', (i / 2) % 501))), 0, 'USD',
            iif(i % 2, -((i + 1) / 2 % 97 + 1), i / 2 % 97 + 1), 'fee', printf('fee_%026d', (i + 1) / 2), 1795334400000 FROM n"),
    ] {
        product.db.execute(&sql).unwrap();
    }
}

#[tokio::test]
async fn a_large_ledger_is_sealed_verified_proven_and_exported() {
    let (entries, _) = sizes();
    let product = Product::new();
    let p = Programme::new(&product).await;
    let started = Instant::now();
    fill(&product, &p, entries);
    timed(&format!("made {entries} entries"), started);
    let started = Instant::now();
    for _ in 0..3 {
        tributary::jobs::run_all(&product.app).await;
    }
    timed("sealed", started);
    let head =
        product.db.rows("SELECT max(size) AS size, count(*) AS n FROM ledger_seals").remove(0);
    assert_eq!(head["size"], entries);

    let started = Instant::now();
    let (mut path, mut calls) = ("/v1/ledger/verification".to_owned(), 0);
    let found = loop {
        let found = p.get(&product, &path).await;
        calls += 1;
        match found["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/ledger/verification?cursor={cursor}"),
            None => break found,
        }
    };
    timed(&format!("verified in {calls} calls"), started);
    assert_eq!((&found["entries"], &found["transactions"]), (&json!(entries), &json!(entries / 2)));
    assert_eq!((&found["balances_match"], &found["chain_intact"]), (&json!(true), &json!(true)));
    // A part ends at the first sealed head after 200,000 entries; a run of the job seals as many at most.
    assert!(calls >= entries / 420_000, "{calls}");

    let started = Instant::now();
    let path = format!("/v1/creators/{}/statement?month=2026-11&proofs=true&limit=200", p.creator);
    let page = p.get(&product, &path).await;
    timed("a statement with proofs", started);
    assert!(page["next_cursor"].is_string() || entries < 300_000);
    assert!(check_statement(&[page], &[]).unwrap().proven > 10);

    let started = Instant::now();
    let bearer = format!("Bearer {}", p.key);
    let mut audit = Audit::default();
    let (mut cursor, mut rest, mut largest) = (String::new(), String::new(), 0);
    loop {
        let request = tributary::web::message::Request {
            id: "r",
            method: "GET",
            uri: &format!("/v1/ledger/export{cursor}"),
            headers: vec![("authorization", &bearer)],
            body: b"",
            too_large: false,
            network: "n",
            user_agent: "",
        };
        let mut answer = tributary::web::serve_api(&product.app, request).await;
        let stream = answer.stream.as_mut().unwrap();
        let mut next = None;
        while let Some(chunk) = stream.next().await.unwrap() {
            largest = largest.max(chunk.len());
            rest.push_str(&String::from_utf8(chunk).unwrap());
            for line in rest.lines() {
                if line.starts_with(r#"{"kind":"continue""#) {
                    let line: Value = line.parse().unwrap();
                    next = Some(line["cursor"].as_str().unwrap().to_owned());
                }
                audit.line(line).unwrap();
            }
            rest.clear();
        }
        let Some(next) = next else { break };
        cursor = format!("?cursor={next}");
    }
    let report = audit.end().unwrap();
    timed(&format!("exported and audited; largest chunk {largest} bytes"), started);
    assert_eq!(report.entries, entries as u64);
    assert!(largest < 2_000_000, "{largest}");
}

#[tokio::test]
async fn many_orders_are_simulated_at_once() {
    let (_, orders) = sizes();
    let product = Product::new();
    let p = Programme::new(&product).await;
    let codes = format!("/v1/deals/{}/codes", p.deal);
    p.post(&product, &codes, json!({ "code": "ANNA", "create_in_store": false })).await.expect(201);
    p.deliver(&product, &coded(order(1), "ANNA")).await;
    // Copies of the one, a millisecond apart, without the triggers that nothing here looks at.
    for sql in [
        "DROP TRIGGER orders_add_totals",
        "DROP TRIGGER orders_insert_posts",
        "DROP TRIGGER orders_insert_decided",
    ] {
        product.db.execute(sql).unwrap();
    }
    product
        .db
        .execute(&format!(
            "INSERT INTO orders (brand_id, id, store_id, external_id, revision, name, placed_at_ms, state, currency,
               base_minor, commission_minor, deal_id, creator_id, available_day, facts, decision, placed_day)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {orders} - 1)
             SELECT brand_id, printf('order_%026d', i), store_id, i, 1, name, placed_at_ms + i, state, currency,
               base_minor, commission_minor, deal_id, creator_id, available_day, facts, decision, placed_day
             FROM n, orders"
        ))
        .unwrap();
    for changes in [
        json!({ "terms": { "commission_percent": "20" } }),
        json!({ "attribution": { "precedence": "link_first" } }),
    ] {
        let started = Instant::now();
        let body = json!({ "changes": changes });
        most_steps();
        let found = p.post(&product, "/v1/simulations", body).await.expect(200);
        timed(&format!("{orders} orders by {changes}"), started);
        assert_eq!(found["orders"], orders);
        // No page walks over those before it.
        let most = most_steps();
        assert!(most < 60_000, "{most} steps in one statement");
    }
    // Neither do those of a list, however far in.
    let mut page = p.get(&product, "/v1/orders?limit=1").await;
    let first = most_steps();
    for _ in 0..4 {
        let cursor = page["next_cursor"].as_str().unwrap();
        page = p.get(&product, &format!("/v1/orders?limit=200&cursor={cursor}")).await;
    }
    most_steps();
    let cursor = page["next_cursor"].as_str().unwrap();
    p.get(&product, &format!("/v1/orders?limit=1&cursor={cursor}")).await;
    let later = most_steps();
    assert!(later <= first + 100, "{first} steps for the first page, {later} for one far in");
    product
        .db
        .execute(
            "INSERT INTO orders (brand_id, id, store_id, external_id, revision, name, placed_at_ms, state, currency,
               base_minor, commission_minor, deal_id, creator_id, available_day, facts, decision, placed_day)
             SELECT brand_id, printf('order_%026d', 77777777), store_id, 'x', 1, name, placed_at_ms, state, currency, base_minor,
               commission_minor, deal_id, creator_id, available_day, facts, decision, placed_day FROM orders LIMIT 1",
        )
        .unwrap();
    if orders == 100_000 {
        let body = json!({ "changes": { "terms": { "commission_percent": "20" } } });
        let found = p.post(&product, "/v1/simulations", body).await.expect(409);
        assert_eq!(found["type"], "/problems/simulation-too-large");
    }
}
