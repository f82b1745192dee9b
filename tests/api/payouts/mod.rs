//! Paying creators: fees, adjustments, payment details, payouts.

mod details;

use http::Request;
use serde_json::{Value, json};

use crate::support::people::{Authenticator, Browser, Member, invited};
use crate::support::shop::{coded, order, refund};
use crate::support::{Answer, Product, Programme};

const HOUR_MS: i64 = 3_600_000;
const IBAN: &str = "DE89370400440532013000";

/// What [`money_is_attributable`] tries.
pub const MONEY_COMMANDS: [&str; 7] = [
    "post /v1/deals/{id}/fees",
    "post /v1/creators/{id}/adjustments",
    "post /v1/payouts",
    "post /v1/payouts/{id}/approval",
    "delete /v1/payouts/{id}",
    "post /v1/payouts/{id}/lines/{line_id}/settlement",
    "put /v1/me/payment-details",
];

/// A money call with its key.
pub async fn pay(product: &Product, key: &str, name: &str, path: &str, body: Value) -> Answer {
    let request = Request::builder()
        .method("POST")
        .uri(path)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .header("idempotency-key", name);
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    product.raw(request.body(body).unwrap()).await
}

/// The creator's token, by a new invitation to her deal.
pub async fn token(product: &Product, p: &Programme, deal: &str) -> String {
    let path = format!("/v1/deals/{deal}/invitation");
    let made = product.call("POST", &path, None, &p.key).await.expect(201);
    let token = json!({ "token": made["url"].as_str().unwrap().split_once('#').unwrap().1 });
    let accepted = product.call("POST", "/v1/invitations/acceptance", Some(token), "").await;
    accepted.expect(201)["access_token"].as_str().unwrap().to_owned()
}

fn iban() -> Value {
    json!({ "method": "iban", "holder": "Anna Muster", "iban": "DE89 3704 0044 0532 0130 00" })
}

/// A brand that pays at once, whose creator has 13.50 and a bank account.
pub async fn earned(product: &Product) -> (Programme, String) {
    let p = Programme::new(product).await;
    let brand = json!({ "hold_days": 0 });
    product.call("PATCH", "/v1/brand", Some(brand), &p.key).await.expect(200);
    let code = json!({ "code": "ANNA", "create_in_store": false });
    p.post(product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
    p.deliver(product, &coded(order(1), "ANNA")).await;
    let token = token(product, &p, &p.deal).await;
    product.call("PUT", "/v1/me/payment-details", Some(iban()), &token).await.expect(200);
    (p, token)
}

pub fn buckets(balance: &Value) -> [&str; 5] {
    ["pending", "available", "in_payout", "paid", "clawback"]
        .map(|name| balance[name].as_str().unwrap_or("-"))
}

#[tokio::test]
async fn money_goes_from_an_order_to_a_bank() {
    let product = Product::new();
    let (p, token) = earned(&product).await;
    let balance = async || p.balance(&product, &p.creator, "USD").await;
    assert_eq!(buckets(&balance().await), ["0.00", "13.50", "0.00", "0.00", "0.00"]);
    let fees = format!("/v1/deals/{}/fees", p.deal);
    let fee = json!({ "amount": { "amount": "100.00", "currency": "USD" }, "note": "A post" });
    let made = pay(&product, &p.key, "f1", &fees, fee).await.expect(201);
    assert_eq!(made["amount"], json!({ "amount": "100.00", "currency": "USD" }));
    assert_eq!(p.get(&product, &fees).await["data"][0], made);
    assert_eq!(buckets(&balance().await), ["0.00", "113.50", "0.00", "0.00", "0.00"]);

    let draft = pay(&product, &p.key, "d1", "/v1/payouts", json!({ "currency": "USD" })).await;
    let draft = draft.expect(201);
    assert_eq!((&draft["state"], &draft["total"]["amount"]), (&json!("draft"), &json!("113.50")));
    assert_eq!(draft["lines"][0]["creator_id"], p.creator.as_str());
    let path = format!("/v1/payouts/{}", draft["id"].as_str().unwrap());
    let export = async |format: &str| {
        product.call("GET", &format!("{path}/export?format={format}"), None, &p.key).await
    };
    assert_eq!(export("csv").await.expect(409)["type"], "/problems/payout-not-approved");
    assert_eq!(buckets(&balance().await), ["0.00", "113.50", "0.00", "0.00", "0.00"]);

    let approval = format!("{path}/approval");
    let approved = pay(&product, &p.key, "a1", &approval, Value::Null).await.expect(200);
    assert_eq!((&approved["state"], &approved["id"]), (&json!("approved"), &draft["id"]));
    assert_eq!(buckets(&balance().await), ["0.00", "0.00", "113.50", "0.00", "0.00"]);
    let again = pay(&product, &p.key, "a2", &approval, Value::Null).await.expect(409);
    assert_eq!(again["type"], "/problems/payout-approved");
    let cancelled = product.call("DELETE", &path, None, &p.key).await.expect(409);
    assert_eq!(cancelled["type"], "/problems/payout-approved");
    p.verify(&product).await;

    let file = export("csv").await;
    assert_eq!(
        (file.status, file.headers["content-type"].to_str().unwrap()),
        (200, "text/csv; charset=utf-8")
    );
    assert!(file.text.contains(IBAN) && file.text.contains(",113.50,USD,iban,"), "{}", file.text);
    assert_eq!(export("paypal").await.text, "", "nobody is paid by PayPal");
    assert_eq!(export("pdf").await.status, 422);
    let trail = p.get(&product, "/v1/audit?action=payout.export").await;
    assert_eq!(trail["data"].as_array().unwrap().len(), 2);

    // It comes back, is paid again, and arrives.
    let line = draft["lines"][0]["id"].as_str().unwrap().to_owned();
    let settlement = format!("{path}/lines/{line}/settlement");
    let failed = json!({ "outcome": "failed", "reason": "account closed" });
    let told = pay(&product, &p.key, "s1", &settlement, failed).await.expect(200);
    assert_eq!((&told["state"], &told["reason"]), (&json!("failed"), &json!("account closed")));
    assert_eq!(buckets(&balance().await), ["0.00", "113.50", "0.00", "0.00", "0.00"]);
    let settled = json!({ "outcome": "settled", "reference": "TX-1" });
    let twice = pay(&product, &p.key, "s2", &settlement, settled.clone()).await.expect(409);
    assert_eq!(twice["type"], "/problems/not-in-payout");
    product.pass(1);
    let draft = json!({ "currency": "USD", "creator_ids": [p.creator] });
    let draft = pay(&product, &p.key, "d2", "/v1/payouts", draft).await.expect(201);
    let path = format!("/v1/payouts/{}", draft["id"].as_str().unwrap());
    pay(&product, &p.key, "a3", &format!("{path}/approval"), Value::Null).await.expect(200);
    let line = draft["lines"][0]["id"].as_str().unwrap();
    let settlement = format!("{path}/lines/{line}/settlement");
    pay(&product, &p.key, "s3", &settlement, settled).await.expect(200);
    assert_eq!(buckets(&balance().await), ["0.00", "0.00", "0.00", "113.50", "0.00"]);
    p.verify(&product).await;
    let mine = product.call("GET", "/v1/me/payouts", None, &token).await.expect(200);
    let states: Vec<&Value> =
        mine["data"].as_array().unwrap().iter().map(|l| &l["state"]).collect();
    assert_eq!(states, ["settled", "failed"]);
    assert_eq!(mine["data"][0]["reference"], "TX-1");

    // What was paid and then refunded is owed back, and earned off first.
    p.deliver(&product, &refund(9, 1, &[(2, 1, "22.50")])).await;
    assert_eq!(buckets(&balance().await)[4], "2.25");
    let fee = json!({ "amount": { "amount": "10.00", "currency": "USD" } });
    pay(&product, &p.key, "f2", &fees, fee).await.expect(201);
    assert_eq!(buckets(&balance().await), ["0.00", "7.75", "0.00", "113.50", "0.00"]);
    p.verify(&product).await;
}

#[tokio::test]
async fn a_call_with_the_same_key_does_nothing_twice() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let fees = format!("/v1/deals/{}/fees", p.deal);
    let fee = |amount: &str| json!({ "amount": { "amount": amount, "currency": "USD" } });
    let first = pay(&product, &p.key, "k", &fees, fee("5.00")).await;
    let before = product.db.checksum();
    for _ in 0..50 {
        let again = pay(&product, &p.key, "k", &fees, fee("5.00")).await;
        assert_eq!((again.status, &again.text), (201, &first.text));
    }
    assert_eq!(pay(&product, &p.key, "k", &fees, fee("6.00")).await.status, 422);
    assert_eq!(
        pay(&product, &p.key, "k", "/v1/payouts", json!({ "currency": "USD" })).await.status,
        422
    );
    for bad in ["", " ", "a b", "ü", &"x".repeat(256)] {
        let Ok(value) = http::HeaderValue::from_str(bad) else { continue };
        if value.to_str().is_err() {
            continue;
        }
        assert_eq!(pay(&product, &p.key, bad, &fees, fee("5.00")).await.status, 400, "{bad}");
    }
    assert_eq!(p.post(&product, &fees, fee("5.00")).await.status, 400, "without a key");
    assert_eq!(product.db.checksum(), before);
    // Another brand's keys are its own.
    let q = Programme::new(&product).await;
    let theirs = format!("/v1/deals/{}/fees", q.deal);
    assert_eq!(pay(&product, &q.key, "k", &theirs, fee("5.00")).await.status, 201);
    // So is an approval: the first answer, whatever happened since.
    let draft =
        pay(&product, &p.key, "d", "/v1/payouts", json!({ "currency": "USD" })).await.expect(201);
    let approval = format!("/v1/payouts/{}/approval", draft["id"].as_str().unwrap());
    let first = pay(&product, &p.key, "a", &approval, Value::Null).await;
    let again = pay(&product, &p.key, "a", &approval, Value::Null).await;
    assert_eq!((first.status, &first.text), (200, &again.text));
    p.verify(&product).await;
}

#[tokio::test]
async fn who_cannot_be_paid_is_told_and_nothing_moves() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let (_, berta) = p.rival(&product, "BERTA").await;
    let draft =
        async |name: &str, body: Value| pay(&product, &p.key, name, "/v1/payouts", body).await;
    let named = |currency: &str| json!({ "currency": currency, "creator_ids": [berta] });
    assert_eq!(draft("1", named("USD")).await.expect(409)["type"], "/problems/nothing-available");
    p.deliver(&product, &coded(order(2), "BERTA")).await;
    assert_eq!(draft("2", named("USD")).await.expect(409)["type"], "/problems/no-payment-details");
    assert_eq!(draft("3", named("EUR")).await.expect(409)["type"], "/problems/nothing-available");
    assert_eq!(
        draft("4", json!({ "currency": "EUR" })).await.expect(409)["type"],
        "/problems/nothing-to-pay"
    );
    for bad in [
        json!({ "currency": "XXX" }),
        json!({ "currency": "usd" }),
        json!({}),
        json!({ "currency": "USD", "creator_ids": [] }),
        json!({ "currency": "USD", "creator_ids": ["creator_01h455vb4pex5vsknk084sn02q"] }),
        json!({ "currency": "USD", "creator_ids": [p.deal] }),
        json!({ "currency": "USD", "state": "approved" }),
    ] {
        let before = product.db.checksum();
        assert_eq!(draft("5", bad.clone()).await.status, 422, "{bad}");
        assert_eq!(product.db.checksum(), before);
    }
    // Without names: whoever can be paid is, the others are listed.
    let all = draft("6", json!({ "currency": "USD" })).await.expect(201);
    assert_eq!(all["lines"].as_array().unwrap().len(), 1);
    assert_eq!(all["skipped"][0]["creator_id"], berta.as_str());
    assert_eq!(all["skipped"][0]["reason"], "no_payment_details");
    let minimum = json!({ "payout_minimum": { "amount": "50.00", "currency": "USD" } });
    product.call("PATCH", "/v1/brand", Some(minimum), &p.key).await.expect(200);
    assert_eq!(draft("7", json!({ "currency": "USD" })).await.status, 409, "below the minimum");

    // A refund between draft and approval: nothing moves, and the line is named.
    p.deliver(&product, &refund(9, 1, &[(2, 1, "22.50")])).await;
    let path = format!("/v1/payouts/{}", all["id"].as_str().unwrap());
    let before = product.db.checksum();
    let refused =
        pay(&product, &p.key, "8", &format!("{path}/approval"), Value::Null).await.expect(409);
    assert_eq!(refused["type"], "/problems/not-enough-available");
    assert!(refused["detail"].as_str().unwrap().contains(all["lines"][0]["id"].as_str().unwrap()));
    assert_eq!(product.db.checksum(), before);
    let gone = product.call("DELETE", &path, None, &p.key).await.expect(200);
    assert_eq!(
        (&gone["state"], &gone["lines"][0]["state"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    let late =
        pay(&product, &p.key, "9", &format!("{path}/approval"), Value::Null).await.expect(409);
    assert_eq!(late["type"], "/problems/payout-cancelled");
    // The same money in two drafts is paid once.
    let one =
        draft("10", json!({ "currency": "USD", "creator_ids": [p.creator] })).await.expect(201);
    let two =
        draft("11", json!({ "currency": "USD", "creator_ids": [p.creator] })).await.expect(201);
    let approval =
        |draft: &Value| format!("/v1/payouts/{}/approval", draft["id"].as_str().unwrap());
    pay(&product, &p.key, "12", &approval(&one), Value::Null).await.expect(200);
    let second = pay(&product, &p.key, "13", &approval(&two), Value::Null).await.expect(409);
    assert_eq!(second["type"], "/problems/not-enough-available");
    p.verify(&product).await;
}

#[tokio::test]
async fn an_approval_ends_holds_that_are_due() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    product.call("PATCH", "/v1/brand", Some(json!({ "hold_days": 10 })), &p.key).await.expect(200);
    p.deliver(&product, &coded(order(2), "ANNA")).await;
    product.pass(9 * 24 * HOUR_MS);
    let draft = async |name: &str| {
        pay(&product, &p.key, name, "/v1/payouts", json!({ "currency": "USD" })).await.expect(201)
    };
    assert_eq!(draft("1").await["total"]["amount"], "13.50");
    product.pass(2 * 24 * HOUR_MS);
    let both = draft("2").await;
    assert_eq!(both["total"]["amount"], "27.00", "no job has run");
    let approval = format!("/v1/payouts/{}/approval", both["id"].as_str().unwrap());
    pay(&product, &p.key, "3", &approval, Value::Null).await.expect(200);
    assert_eq!(
        buckets(&p.balance(&product, &p.creator, "USD").await),
        ["0.00", "0.00", "27.00", "0.00", "0.00"]
    );
    tributary::jobs::run_all(&product.app).await;
    p.verify(&product).await;
}

#[tokio::test]
async fn corrections_have_a_reason_and_may_take_back() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let path = format!("/v1/creators/{}/adjustments", p.creator);
    let adjust = |amount: &str| json!({ "amount": { "amount": amount, "currency": "USD" }, "reason": "Agreed by phone" });
    pay(&product, &p.key, "1", &path, adjust("1.50")).await.expect(201);
    pay(&product, &p.key, "2", &path, adjust("-20.00")).await.expect(201);
    assert_eq!(
        buckets(&p.balance(&product, &p.creator, "USD").await),
        ["0.00", "0.00", "0.00", "0.00", "5.00"]
    );
    for bad in [
        json!({ "amount": { "amount": "0.00", "currency": "USD" }, "reason": "x" }),
        json!({ "amount": { "amount": "1.00", "currency": "USD" } }),
        json!({ "amount": { "amount": "1.00", "currency": "USD" }, "reason": " " }),
    ] {
        assert_eq!(pay(&product, &p.key, "3", &path, bad).await.status, 422);
    }
    p.verify(&product).await;
}

#[tokio::test]
async fn amounts_that_are_none_change_nothing() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let fees = format!("/v1/deals/{}/fees", p.deal);
    for (amount, currency) in [
        ("0.00", "USD"),
        ("-1.00", "USD"),
        ("90071992547409.93", "USD"),
        ("0.001", "USD"),
        ("1.5", "JPY"),
        ("1e3", "USD"),
        ("NaN", "USD"),
        ("", "USD"),
        ("1", "XXX"),
        ("1", "usd"),
    ] {
        let before = product.db.checksum();
        let fee = json!({ "amount": { "amount": amount, "currency": currency } });
        assert_eq!(pay(&product, &p.key, "k", &fees, fee).await.status, 422, "{amount} {currency}");
        assert_eq!(product.db.checksum(), before);
    }
    for bad in
        [json!({ "amount": 5 }), json!({ "amount": { "amount": 5, "currency": "USD" } }), json!({})]
    {
        assert_eq!(pay(&product, &p.key, "k", &fees, bad).await.status, 422);
    }
    let yen = json!({ "amount": { "amount": "1000", "currency": "JPY" } });
    pay(&product, &p.key, "y", &fees, yen).await.expect(201);
    assert_eq!(p.balance(&product, &p.creator, "JPY").await["available"], "1000");
    p.verify(&product).await;
}

#[tokio::test]
async fn money_is_attributable() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let rows = || product.db.rows("SELECT * FROM audit ORDER BY at_ms, id");
    let seen = std::cell::Cell::new(rows().len());
    let noted = |action: &str| {
        let all = rows();
        assert_eq!(all.len(), seen.replace(all.len()) + 1, "{action}");
        assert_eq!(all.last().unwrap()["action"], action);
        assert!(!all.last().unwrap().to_string().contains(IBAN));
    };
    let fee = json!({ "amount": { "amount": "5.00", "currency": "USD" } });
    product.pass(1);
    pay(&product, &p.key, "1", &format!("/v1/deals/{}/fees", p.deal), fee.clone())
        .await
        .expect(201);
    noted("fee.create");
    product.pass(1);
    let adjustment = json!({ "amount": fee["amount"], "reason": "r" });
    let path = format!("/v1/creators/{}/adjustments", p.creator);
    pay(&product, &p.key, "2", &path, adjustment).await.expect(201);
    noted("adjustment.create");
    for (name, gone) in [("3", true), ("4", false)] {
        product.pass(1);
        let draft = pay(&product, &p.key, name, "/v1/payouts", json!({ "currency": "USD" })).await;
        let draft = draft.expect(201);
        noted("payout.draft");
        product.pass(1);
        let path = format!("/v1/payouts/{}", draft["id"].as_str().unwrap());
        if gone {
            product.call("DELETE", &path, None, &p.key).await.expect(200);
            noted("payout.cancel");
            continue;
        }
        pay(&product, &p.key, "5", &format!("{path}/approval"), Value::Null).await.expect(200);
        noted("payout.approve");
        product.pass(1);
        let line = draft["lines"][0]["id"].as_str().unwrap();
        let settlement = format!("{path}/lines/{line}/settlement");
        pay(&product, &p.key, "6", &settlement, json!({ "outcome": "settled" })).await.expect(200);
        noted("payout.settle");
    }
    product.pass(1);
    let (deal, _) = p.rival(&product, "BERTA").await;
    let token = token(&product, &p, &deal).await;
    seen.set(rows().len());
    product.pass(1);
    product.call("PUT", "/v1/me/payment-details", Some(iban()), &token).await.expect(200);
    noted("payment_details.update");
}

/// Closing is the next opening, and the entries between them are the difference.
#[tokio::test]
async fn statements_add_up_from_month_to_month() {
    let product = Product::new();
    let (p, token) = earned(&product).await;
    let path = format!("/v1/creators/{}/statement", p.creator);
    let get =
        async |query: &str| product.call("GET", &format!("{path}?{query}"), None, &p.key).await;
    let mine = "/v1/me/statement?month=2026-11";
    let mine = product.call("GET", mine, None, &token).await.expect(200);
    assert_eq!(mine, get("month=2026-11").await.expect(200));
    let draft =
        pay(&product, &p.key, "d", "/v1/payouts", json!({ "currency": "USD" })).await.expect(201);
    let payout = format!("/v1/payouts/{}", draft["id"].as_str().unwrap());
    pay(&product, &p.key, "a", &format!("{payout}/approval"), Value::Null).await.expect(200);
    product.pass(20 * 24 * HOUR_MS);
    let line = draft["lines"][0]["id"].as_str().unwrap();
    let settlement = format!("{payout}/lines/{line}/settlement");
    pay(&product, &p.key, "s", &settlement, json!({ "outcome": "settled" })).await.expect(200);
    let fee = json!({ "amount": { "amount": "7.00", "currency": "USD" }, "note": "=A post" });
    pay(&product, &p.key, "f", &format!("/v1/deals/{}/fees", p.deal), fee).await.expect(201);
    let mut opening = "0.00".to_owned();
    for (month, closing, paid) in [
        ("2026-10", None, ""),
        ("2026-11", Some("13.50"), "0.00"),
        ("2026-12", Some("7.00"), "13.50"),
    ] {
        let told = get(&format!("month={month}")).await.expect(200);
        let Some(closing) = closing else {
            assert_eq!((&told["balances"], &told["data"]), (&json!([]), &json!([])));
            continue;
        };
        let balance = &told["balances"][0];
        assert_eq!(balance["opening"], opening.as_str(), "{month}");
        assert_eq!((&balance["closing"], &balance["paid"]), (&json!(closing), &json!(paid)));
        let minor = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
        let owed: i64 = told["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["account"] != "paid")
            .map(|entry| minor(entry["amount"]["amount"].as_str().unwrap()))
            .sum();
        assert_eq!(minor(&opening) + owed, minor(closing), "{month}");
        opening = closing.to_owned();
    }
    let december = get("month=2026-12").await.expect(200);
    let last = december["data"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["cause"], &last["text"]), (&json!("fee"), &json!("=A post")));
    let november = get("month=2026-11&limit=1").await.expect(200);
    assert_eq!(november["data"][0]["text"], "#1");
    let rest =
        get(&format!("month=2026-11&cursor={}", november["next_cursor"].as_str().unwrap())).await;
    let rest = rest.expect(200)["data"].as_array().unwrap().len();
    assert_eq!(rest + 1, get("month=2026-11").await.expect(200)["data"].as_array().unwrap().len());
    let csv = get("month=2026-12&format=csv").await.text;
    for bad in ["limit=5", "cursor=NQ"] {
        assert_eq!(get(&format!("month=2026-12&format=csv&{bad}")).await.status, 422, "{bad}");
    }
    assert!(csv.contains(",7.00,USD,fee,") && csv.contains("'=A post"), "{csv}");
    for bad in [
        "",
        "month=2026-13",
        "month=2026",
        "month=x",
        "month=2026-11&cursor=eA",
        "month=2026-11&x=1",
    ] {
        assert_eq!(get(bad).await.status, 422, "{bad}");
    }
}

/// A file is the whole month, not its first page; what is too large for one says so.
#[tokio::test]
async fn a_statement_as_a_file_is_whole() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let more = async |entries: i64| {
        let sql = format!(
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {entries})
             INSERT INTO entries SELECT e.brand_id, e.sequence + n.i, e.sequence + n.i, 'available',
               '{}', 0, 'USD', 1, 'adjustment', 'x', e.posted_at_ms
             FROM n, (SELECT * FROM entries ORDER BY sequence DESC LIMIT 1) e",
            p.creator
        );
        product.db.execute(&sql).unwrap();
        let path = format!("/v1/creators/{}/statement?month=2026-11&format=csv", p.creator);
        product.call("GET", &path, None, &p.key).await
    };
    let hers =
        || product.db.rows("SELECT sequence FROM entries WHERE creator_id IS NOT NULL ORDER BY 1");
    for entries in [996, 4, 700] {
        let file = more(entries).await;
        let told: Vec<i64> = file
            .text
            .lines()
            .skip(1)
            .map(|l| l.split(',').next().unwrap().parse().unwrap())
            .collect();
        let posted: Vec<i64> = hers().iter().map(|row| row["sequence"].as_i64().unwrap()).collect();
        assert!(told.len() > 900, "{}", told.len());
        assert_eq!(told, posted, "each once, in order");
    }
    let most = 20_000 - i64::try_from(hers().len()).unwrap();
    assert_eq!(more(most).await.text.lines().count(), 20_001);
    assert_eq!(more(1).await.expect(409)["type"], "/problems/statement-too-large");
}
