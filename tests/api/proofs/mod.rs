//! Statements with proofs, exports of the ledger and what the audit finds in them, verification in
//! parts.

mod corruption;

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary::audit::{Audit, Difference, Report, check_statement};
use tributary::domain::limit::network;
use tributary::domain::time::{Zone, parse_rfc3339};

use super::payouts::pay;
use crate::support::shop::{clicked, coded, goodwill, later, order, refund, with};
use crate::support::{NOW_MS, OPERATOR, PHONE, Product, Programme};

const DAY_MS: i64 = 86_400_000;

async fn seal(product: &Product) {
    tributary::jobs::run_all(&product.app).await;
}

/// A brand with orders by code, by click and by nothing, refunds, fees, a payout that arrives and one
/// that comes back, new terms, a closed deal, holds that end.
async fn busy(product: &Product) -> (Programme, String) {
    let p = Programme::new(product).await;
    let deal = format!("/v1/deals/{}", p.deal);
    p.post(product, &format!("{deal}/codes"), json!({ "code": "ANNA", "create_in_store": false }))
        .await
        .expect(201);
    p.post(product, &format!("{deal}/links"), json!({})).await.expect(201);
    let (rival, berta) = p.rival(product, "BERTA").await;
    product.set_now(NOW_MS - 7_200_000);
    let location = product.visit("", "anna-home", "", PHONE).await.unwrap();
    let click = location.rsplit('=').next().unwrap().to_owned();
    product.set_now(NOW_MS);
    for (id, body) in [
        (1, coded(order(1), "ANNA")),
        (2, clicked(order(2), &click)),
        (3, coded(order(3), "BERTA")),
        (4, order(4)),
        (5, clicked(order(5), "AZ4DAwMDAwMDAwMDAwMDAwMDAaH4PU_LAQIDBAUGecyzQP8JaNC3juvaLbJ2Ew")),
        (
            6,
            with(
                coded(order(6), "ANNA"),
                json!({ "email": "anna@creator.example",
            "customer": { "id": 1, "email": "anna@creator.example" } }),
            ),
        ),
        (7, with(order(7), json!({ "landing_site": "/?ref=anna-home" }))),
        (9_007_199_254_740_995_u64, coded(order(9_007_199_254_740_995), "ANNA")),
    ] {
        assert_eq!(p.deliver(product, &body).await, 200, "{id}");
    }
    p.deliver(product, &refund(11, 1, &[(2, 1, "22.50")])).await;
    p.deliver(product, &goodwill(12, 3, "10.00")).await;
    p.deliver(
        product,
        &later(coded(order(2), "ANNA"), 5, json!({ "cancelled_at": "2026-11-22T08:00:00Z" })),
    )
    .await;
    p.post(product, &format!("{deal}/terms"), json!({ "commission_percent": "25" }))
        .await
        .expect(201);
    product
        .call("PATCH", &format!("/v1/deals/{rival}"), Some(json!({ "state": "closed" })), &p.key)
        .await
        .expect(200);
    let at = tributary::domain::time::to_rfc3339(NOW_MS + 1000);
    let placed = json!({ "created_at": at, "updated_at": at });
    product.pass(2000);
    p.deliver(product, &with(coded(order(8), "ANNA"), placed.clone())).await;
    p.deliver(product, &with(coded(order(9), "BERTA"), placed)).await;
    product
        .call("PATCH", &format!("/v1/deals/{rival}"), Some(json!({ "state": "open" })), &p.key)
        .await
        .expect(200);
    product
        .call(
            "PATCH",
            "/v1/brand",
            Some(json!({ "hold_days": 5,
        "attribution": { "window_days": 7, "precedence": "link_first" } })),
            &p.key,
        )
        .await
        .expect(200);
    let fee = json!({ "amount": { "amount": "40.00", "currency": "USD" }, "note": "A post" });
    pay(product, &p.key, "f", &format!("{deal}/fees"), fee).await.expect(201);
    let back = json!({ "amount": { "amount": "-3.00", "currency": "USD" }, "reason": "A slip" });
    pay(product, &p.key, "a", &format!("/v1/creators/{}/adjustments", p.creator), back)
        .await
        .expect(201);
    let token = async || {
        let path = format!("{deal}/invitation");
        let invitation = product.call("POST", &path, None, &p.key).await.expect(201);
        let token =
            json!({ "token": invitation["url"].as_str().unwrap().split_once('#').unwrap().1 });
        let accepted = product.call("POST", "/v1/invitations/acceptance", Some(token), "").await;
        accepted.expect(201)["access_token"].as_str().unwrap().to_owned()
    };
    let details = json!({ "method": "paypal", "email": "anna@pay.example" });
    product.call("PUT", "/v1/me/payment-details", Some(details), &token().await).await.expect(200);
    for (name, outcome) in [("1", "failed"), ("2", "settled")] {
        let draft = pay(
            product,
            &p.key,
            &format!("d{name}"),
            "/v1/payouts",
            json!({ "currency": "USD", "creator_ids": [p.creator] }),
        )
        .await
        .expect(201);
        let path = format!("/v1/payouts/{}", draft["id"].as_str().unwrap());
        pay(product, &p.key, &format!("p{name}"), &format!("{path}/approval"), Value::Null)
            .await
            .expect(200);
        let line = draft["lines"][0]["id"].as_str().unwrap();
        pay(
            product,
            &p.key,
            &format!("s{name}"),
            &format!("{path}/lines/{line}/settlement"),
            json!({ "outcome": outcome }),
        )
        .await
        .expect(200);
        product.pass(1);
    }
    seal(product).await;
    product.pass(31 * DAY_MS);
    seal(product).await;
    p.deliver(product, &refund(13, 8, &[(1, 1, "90.00")])).await;
    assert!(!berta.is_empty());
    let token = token().await;
    (p, token)
}

async fn exported(product: &Product, p: &Programme) -> String {
    product.call("GET", "/v1/ledger/export", None, &p.key).await.text
}

fn audited(text: &str) -> Result<Report, Difference> {
    let mut audit = Audit::default();
    for line in text.lines() {
        audit.line(line)?;
    }
    audit.end()
}

#[tokio::test]
async fn an_export_rebuilds_the_books() {
    let product = Product::new();
    let (p, _) = busy(&product).await;
    p.verify(&product).await;
    let text = exported(&product, &p).await;
    let found = audited(&text).unwrap();
    assert_eq!(
        (found.orders, found.decisions, found.given, found.forgotten),
        (10, 10, 0, 0),
        "{found:?}"
    );
    assert_eq!((found.heads, found.unknown), (2, 0), "{found:?}");
    assert_eq!(found.unsealed, 2, "the refund: {found:?}");
    assert!(found.transactions > 12 && found.balances >= 3, "{found:?}");
    assert_eq!(text, exported(&product, &p).await, "the same every time");
    assert!(text.contains(r#""external_id":"9007199254740995""#));
    // Without a key, or with one that may only read.
    let reader =
        p.post(&product, "/v1/keys", json!({ "name": "r", "scopes": ["read"] })).await.expect(201);
    let reader = reader["api_key"].as_str().unwrap();
    assert_eq!(product.call("GET", "/v1/ledger/export", None, reader).await.status, 403);
    // In parts: every place is one to go on from.
    for line in ["x", "MQ", "MS8xLzk"] {
        let path = format!("/v1/ledger/export?cursor={line}");
        assert_eq!(product.call("GET", &path, None, &p.key).await.status, 422, "{line}");
    }
    // People are forgotten; the books can still be rebuilt.
    let erased = Product::new();
    let (p, _) = busy(&erased).await;
    erased.db.execute("DELETE FROM balances WHERE account <> 'paid' AND amount_minor < 0").ok();
    let before = audited(&exported(&erased, &p).await).unwrap();
    assert_eq!(before.forgotten, 0);
    erased.db.execute("UPDATE creators SET email_hash = NULL, erased_at_ms = 1").unwrap();
    let text = exported(&erased, &p).await;
    let journal = |line: &&str| line.contains(r#""of":"creator""#);
    assert!(
        text.lines().filter(journal).all(|line| line.contains(r#""email_hash":null"#)),
        "{text}"
    );
    assert_eq!(audited(&text).unwrap().forgotten, 1);
    for sql in [
        "DELETE FROM rule_journal",
        "UPDATE rule_journal SET value = NULL",
        "DELETE FROM ledger_tiles",
        "UPDATE ledger_tiles SET hashes = replace(hashes, 'a', 'b')",
        "UPDATE ledger_seals SET root = replace(root, 'a', 'b')",
        "DELETE FROM ledger_seals",
    ] {
        assert!(erased.db.execute(sql).is_err(), "{sql}");
    }
}

/// An export is many reads; the books go on between them. No alarm, and all is compared that can be.
#[tokio::test]
async fn writes_in_between_are_no_difference() {
    let product = Product::new();
    let (p, _) = busy(&product).await;
    let bearer = format!("Bearer {}", p.key);
    let request = tributary::web::message::Request {
        id: "r",
        method: "GET",
        uri: "/v1/ledger/export",
        headers: vec![("authorization", &bearer)],
        body: b"",
        too_large: false,
        network: &network("203.0.113.9"),
        user_agent: "",
    };
    let mut answer = tributary::web::serve_api(&product.app, request).await;
    let (mut text, mut n) = (String::new(), 100);
    let stream = answer.stream.as_mut().unwrap();
    let order_at = |n: u64, code: &str| {
        let at = tributary::domain::time::to_rfc3339(product.app.now_ms());
        with(coded(order(n), code), json!({ "created_at": at, "updated_at": at }))
    };
    while let Some(chunk) = stream.next().await.unwrap() {
        text.push_str(&String::from_utf8(chunk).unwrap());
        n += 1;
        // New rules, an order decided by them, a refund of one that was told, a fee, a release.
        let code = json!({ "code": format!("NEW{n}"), "create_in_store": false });
        p.post(&product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
        p.deliver(&product, &order_at(n, &format!("NEW{n}"))).await;
        p.deliver(&product, &refund(n, 1, &[(1, 1, "1.00")])).await;
        let fee = json!({ "amount": { "amount": "1.00", "currency": "USD" } });
        pay(&product, &p.key, &n.to_string(), &format!("/v1/deals/{}/fees", p.deal), fee)
            .await
            .expect(201);
        product.pass(3 * DAY_MS);
        seal(&product).await;
    }
    assert!(n > 108, "{n}");
    let found = audited(&text).unwrap();
    assert!(found.orders >= 10 && found.decisions == found.orders, "{found:?}");
    assert_eq!(audited(&exported(&product, &p).await).unwrap().given, 0);
}

#[tokio::test]
async fn a_creator_sees_that_nothing_was_rewritten() {
    let product = Product::new();
    let (p, token) = busy(&product).await;
    let get = async |path: &str| product.call("GET", path, None, &token).await;
    let november = get("/v1/me/statement?month=2026-11&proofs=true").await.expect(200);
    let shown = check_statement(std::slice::from_ref(&november), &[]).unwrap();
    assert!(shown.proven > 10 && shown.unsealed == 0 && shown.adds_up, "{shown:?}");
    let december = get("/v1/me/statement?month=2026-12&proofs=true").await.expect(200);
    let shown = check_statement(std::slice::from_ref(&december), &[]).unwrap();
    assert_eq!((shown.unsealed, shown.adds_up), (1, true), "the refund: {december}");
    // The head is the same: then a later one, and in pages.
    check_statement(std::slice::from_ref(&december), std::slice::from_ref(&november)).unwrap();
    let size = november["head"]["size"].as_i64().unwrap();
    seal(&product).await;
    let unproven = get("/v1/me/statement?month=2026-12&proofs=true").await.expect(200);
    let refused = check_statement(&[unproven], std::slice::from_ref(&november)).unwrap_err();
    assert!(refused.words.contains(&format!("since={size}")), "{refused:?}");
    let path = format!("/v1/me/statement?month=2026-12&proofs=true&since={size}&limit=1");
    let mut pages = vec![get(&path).await.expect(200)];
    p.deliver(&product, &goodwill(14, 8, "1.00")).await;
    seal(&product).await;
    while let Some(cursor) = pages.last().unwrap()["next_cursor"].as_str() {
        let next = get(&format!("{path}&cursor={cursor}")).await.expect(200);
        if next["data"] == json!([]) {
            pages.push(next);
            break;
        }
        pages.push(next);
    }
    // The goodwill came meanwhile: balances of pages differ, so it is asked again.
    let path = format!("/v1/me/statement?month=2026-12&proofs=true&since={size}");
    assert!(pages.iter().all(|page| page["head"] == pages[0]["head"]));
    let whole = get(&path).await.expect(200);
    let shown =
        check_statement(std::slice::from_ref(&whole), std::slice::from_ref(&november)).unwrap();
    assert_eq!((shown.since, shown.unsealed), (Some(size as u64), 0));

    // What the brand shows is what it shows of her.
    let of_brand =
        format!("/v1/creators/{}/statement?month=2026-12&proofs=true&since={size}", p.creator);
    assert_eq!(p.get(&product, &of_brand).await, whole);
    let alter = |pointer: &str, value: Value| {
        let mut altered = whole.clone();
        *altered.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        altered
    };
    let rehash = |path: &str| {
        let hash = whole.pointer(path).unwrap().as_str().unwrap();
        json!(hash.chars().rev().collect::<String>())
    };
    for (pointer, value, words) in [
        ("/data/0/amount/amount", json!("1.00"), "but sealed as"),
        ("/data/0/proof/salt", json!("00".repeat(16)), "doesn't stand in the ledger"),
        ("/data/0/proof/index", json!(0), "about another place"),
        ("/data/0/proof/path/0", rehash("/data/0/proof/path/0"), "doesn't stand in the ledger"),
        ("/data/0/proof", Value::Null, "has no proof"),
        ("/head/root", rehash("/head/root"), "doesn't stand in the ledger"),
        ("/consistency/path/0", rehash("/consistency/path/0"), "doesn't begin with"),
        ("/consistency/since", json!(1), "no proof of consistency"),
        ("/balances/0/closing", json!("0.01"), "but the closing balance is 0.01"),
        ("/balances/0/opening", json!("0.01"), "but the closing balance is"),
        ("/balances/0/paid", json!("0.01"), "was paid"),
        ("/creator_id", json!("creator_01h455vb4pex5vsknk084sn02q"), "but sealed as"),
        ("/data", json!([]), "but the closing balance is"),
    ] {
        let found = check_statement(&[alter(pointer, value)], std::slice::from_ref(&november))
            .expect_err(pointer);
        assert!(found.words.contains(words), "{pointer}: {found:?}");
    }
    let mut old = november.clone();
    old["balances"][0]["closing"] = json!("1.00");
    assert!(check_statement(std::slice::from_ref(&whole), &[old]).is_err());

    // An entry that was rewritten behind our back, with all that D1 keeps of it but the sealed hashes.
    let sequence = whole["data"][0]["sequence"].as_i64().unwrap();
    product.db.execute("DROP TRIGGER entries_never_change").unwrap();
    product
        .db
        .execute(&format!(
            "UPDATE entries SET posted_at_ms = posted_at_ms + 1 WHERE sequence = {sequence}"
        ))
        .unwrap();
    let found = check_statement(&[get(&path).await.expect(200)], &[november]).unwrap_err();
    assert!(
        found.words.contains(&format!("entry {sequence} doesn't stand in the ledger")),
        "{found:?}"
    );

    for bad in [
        "proofs=yes",
        "since=1",
        "proofs=true&since=0",
        "proofs=true&since=x",
        "proofs=true&since=999999",
        "proofs=true&cursor=MS8y&cursor=MS8y",
    ] {
        assert_eq!(
            get(&format!("/v1/me/statement?month=2026-12&{bad}")).await.status,
            422,
            "{bad}"
        );
    }
    assert!(get("/v1/me/statement?month=2026-12").await.expect(200)["head"].is_null());
}

/// Trees from before there were tiles get them, and are proven like others.
#[tokio::test]
async fn an_older_tree_gets_its_tiles() {
    let product = Product::new();
    let (_, token) = busy(&product).await;
    let sealed = product.db.rows("SELECT max(size) AS size FROM ledger_seals")[0]["size"].clone();
    product.db.execute("DROP TRIGGER ledger_tiles_never_go").unwrap();
    product.db.execute("DELETE FROM ledger_tiles").unwrap();
    let path = "/v1/me/statement?month=2026-11&proofs=true";
    let without = product.call("GET", path, None, &token).await.expect(200);
    assert!(without["data"][0]["proof"].is_null());
    product.db.execute("DROP TRIGGER ledger_seals_never_go").unwrap();
    seal(&product).await;
    let with = product.call("GET", path, None, &token).await.expect(200);
    assert!(check_statement(std::slice::from_ref(&with), &[]).unwrap().proven > 10);
    assert!(with["head"]["size"].as_i64() >= sealed.as_i64());
}

/// Part by part as in one, whatever is wrong.
#[tokio::test]
async fn verification_goes_on_where_it_stopped() {
    use tributary::jobs::verify::{Verification, verify};
    let product = Product::new();
    let (p, _) = busy(&product).await;
    for n in 20..24 {
        p.deliver(&product, &coded(order(n), "ANNA")).await;
        seal(&product).await;
    }
    let brand = p.brand["id"].as_str().unwrap().parse().unwrap();
    let parts = async |most: i64| {
        let (mut found, mut calls) = (Verification::default(), 0);
        loop {
            calls += 1;
            let (so_far, left, _) = verify(&product.app, brand, found, most).await.unwrap();
            if !left {
                return (so_far, calls);
            }
            found = Verification::of_key(&so_far.key()).unwrap();
            assert_eq!(found, so_far);
        }
    };
    let (whole, once) = parts(i64::MAX >> 11).await;
    let (again, calls) = parts(1).await;
    assert_eq!((whole.entries, whole.transactions), (again.entries, again.transactions));
    assert!(
        once == 1 && calls >= 4 && again.balances_match && again.chain_intact,
        "{calls} {again:?}"
    );
    for bad in ["cursor=x", "cursor=MS8xLzMvLQ", "x=1"] {
        let path = format!("/v1/ledger/verification?{bad}");
        assert_eq!(product.call("GET", &path, None, &p.key).await.status, 422, "{bad}");
    }
    for sql in ["DROP TRIGGER entries_never_change", "DROP TRIGGER entries_never_go"] {
        product.db.execute(sql).unwrap();
    }
    let tampered = async |sql: &str, back: &str| {
        product.db.execute(sql).unwrap();
        let (whole, _) = parts(i64::MAX >> 11).await;
        let (again, _) = parts(1).await;
        assert_eq!(
            (whole.balances_match, whole.chain_intact),
            (again.balances_match, again.chain_intact),
            "{sql}"
        );
        if !back.is_empty() {
            product.db.execute(back).unwrap();
        }
        (whole.balances_match, whole.chain_intact)
    };
    let change = "UPDATE entries SET amount_minor = amount_minor + 1 WHERE sequence = 2";
    let back = "UPDATE entries SET amount_minor = amount_minor - 1 WHERE sequence = 2";
    assert_eq!(tampered(change, back).await, (false, false));
    let change = "UPDATE entries SET posted_at_ms = posted_at_ms + 1 WHERE sequence = 2";
    let back = "UPDATE entries SET posted_at_ms = posted_at_ms - 1 WHERE sequence = 2";
    assert_eq!(tampered(change, back).await, (true, false));
    let change = "UPDATE balances SET amount_minor = amount_minor + 1 WHERE account = 'paid'";
    let back = "UPDATE balances SET amount_minor = amount_minor - 1 WHERE account = 'paid'";
    assert_eq!(tampered(change, back).await, (false, true));
    let missing = "DELETE FROM entries WHERE sequence = (SELECT max(sequence) FROM entries)";
    assert_eq!(tampered(missing, "").await, (false, false));
}

/// Months in any calendar, whatever was posted whenever: a month closes with what the next opens with,
/// and its entries are what lies between.
#[test]
fn months_follow_each_other_in_any_calendar() {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let zones = [
        "UTC",
        "Pacific/Apia",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "Asia/Kathmandu",
        "Pacific/Kiritimati",
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let product = Product::new();
    let p = runtime.block_on(Programme::new(&product));
    let start = parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    let entry = (0i64..120 * 24 * 60, -5_000i64..20_000, 0usize..3);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(24));
    let strategy = (prop::sample::select(zones.to_vec()), prop::collection::vec(entry, 1..25));
    let run = |(zone, entries): (&str, Vec<(i64, i64, usize)>)| {
        let creator = format!("creator_{:0>26}", NEXT.fetch_add(1, Ordering::SeqCst));
        let brand = p.brand["id"].as_str().unwrap();
        product.db.execute(&format!("UPDATE brands SET timezone = '{zone}'")).unwrap();
        product.db.execute(&format!("INSERT INTO creators (brand_id, id, name, handle, tags, created_at_ms) VALUES ('{brand}', '{creator}', '', '', '[]', 0)")).unwrap();
        let mut borders = vec![];
        for month in 1..=6 {
            let day = tributary::domain::time::Day::from_iso(&format!("2026-0{month}-01")).unwrap();
            borders.push(Zone::named(zone).unwrap().start_of(day));
        }
        for (n, (minute, amount, near)) in entries.iter().enumerate() {
            // Some right at a border, to the millisecond.
            let at = if *near == 0 {
                borders[n % 4] - 1 + (n as i64 % 3)
            } else {
                start + minute * 60_000
            };
            let account = if *near == 2 { "paid" } else { "available" };
            let sequence =
                product.db.rows("SELECT coalesce(max(sequence), 0) + 1 AS n FROM entries")[0]["n"]
                    .clone();
            let amount = if *amount == 0 { 1 } else { amount.abs() };
            product.db.execute(&format!("INSERT INTO entries (brand_id, sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id, posted_at_ms) VALUES ('{brand}', {sequence}, {sequence}, '{account}', '{creator}', 0, 'USD', {amount}, 'order', 'x', {at})")).unwrap();
        }
        let (mut closing, mut seen) = ("0.00".to_owned(), 0);
        for month in ["2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06"] {
            let path = format!("/v1/creators/{creator}/statement?month={month}&limit=200");
            let statement = runtime.block_on(p.get(&product, &path));
            check_statement(std::slice::from_ref(&statement), &[])
                .map_err(|d| TestCaseError::fail(d.words))?;
            seen += statement["data"].as_array().unwrap().len();
            if let Some(balance) = statement["balances"].get(0) {
                prop_assert_eq!(
                    balance["opening"].as_str().unwrap(),
                    &closing,
                    "{} {}",
                    zone,
                    month
                );
                closing = balance["closing"].as_str().unwrap().to_owned();
            }
        }
        prop_assert_eq!(seen, entries.len());
        Ok(())
    };
    runner.run(&strategy, run).unwrap();
    assert!(!OPERATOR.is_empty());
}
