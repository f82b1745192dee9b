//! Money on its way: planned fees, drafts by schedule, two approvers, retries, PayPal.

use serde_json::{Value, json};
use tributary::jobs;

use super::payouts::{buckets, earned, pay, token};
use crate::support::paypal::Fault;
use crate::support::people::{Authenticator, Browser, Member, invited};
use crate::support::shop::{coded, order};
use crate::support::{Answer, Product, Programme};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What [`payments_are_attributable`] tries.
pub const PAYMENT_COMMANDS: [&str; 5] = [
    "post /v1/deals/{id}/fees/{fee_id}/cancellation",
    "post /v1/payouts/{id}/lines/{line_id}/retry",
    "post /v1/payouts/{id}/sending",
    "put /v1/brand/payout-provider",
    "delete /v1/brand/payout-provider",
];

fn usd(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "USD" })
}

/// A member in her browser with an Idempotency-Key.
async fn by(member: &Member, product: &Product, method: &str, path: &str, key: &str) -> Answer {
    with(&member.browser, product, method, path, key, None).await
}

async fn with(
    browser: &Browser,
    product: &Product,
    method: &str,
    path: &str,
    key: &str,
    body: Option<Value>,
) -> Answer {
    let headers = [("sec-fetch-site", "same-origin"), ("idempotency-key", key)];
    browser.send_with(product, method, path, body, &headers).await
}

async fn manager(product: &Product, p: &Programme, name: &str, seed: u8) -> Member {
    let email = format!("{name}@casa.example");
    let body = json!({ "email": email, "role": "manager" });
    p.post(product, "/v1/members", body).await.expect(201);
    Member::joins(product, &email, seed).await
}

async fn available(product: &Product, p: &Programme) -> String {
    p.balance(product, &p.creator, "USD").await["available"].as_str().unwrap().to_owned()
}

async fn draft(product: &Product, p: &Programme, key: &str) -> Value {
    let body = json!({ "currency": "USD", "creator_ids": [p.creator] });
    pay(product, &p.key, key, "/v1/payouts", body).await.expect(201)
}

fn path_of(payout: &Value) -> String {
    format!("/v1/payouts/{}", payout["id"].as_str().unwrap())
}

fn line_of(payout: &Value) -> String {
    format!("{}/lines/{}", path_of(payout), payout["lines"][0]["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_fee_waits_for_its_day_for_its_stage_or_for_both() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let fees = format!("/v1/deals/{}/fees", p.deal);
    let deal = format!("/v1/deals/{}", p.deal);
    let agree = async |key: &str, more: Value| {
        let mut fee = json!({ "amount": usd("1.00") });
        fee.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        pay(&product, &p.key, key, &fees, fee).await
    };
    let state = async |key: &str| {
        let all = p.get(&product, &fees).await;
        let all = all["data"].as_array().unwrap().clone();
        all.into_iter().find(|fee| fee["note"] == key).unwrap()["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let stage = async |stage: &str| {
        let body = Some(json!({ "stage": stage }));
        product.call("PATCH", &deal, body, &p.key).await.expect(200)
    };
    // In Berlin's calendar it is the 23rd an hour before it is in UTC.
    let zone = json!({ "timezone": "UTC" });
    product.call("PATCH", "/v1/brand", Some(zone), &p.key).await.expect(200);
    assert_eq!(agree("1", json!({ "note": "now" })).await.expect(201)["state"], "posted");
    let past = json!({ "note": "past", "due_on": "2026-11-22" });
    assert_eq!(agree("2", past).await.expect(201)["state"], "posted");
    let day = json!({ "note": "day", "due_on": "2026-11-23" });
    let planned = agree("3", day).await.expect(201);
    assert_eq!((&planned["state"], &planned["due_on"]), (&json!("planned"), &json!("2026-11-23")));
    assert_eq!(planned["posted_at"], Value::Null);
    for (key, more) in [
        ("4", json!({ "note": "stage", "stage": "Posted" })),
        ("5", json!({ "note": "both", "stage": "Posted", "due_on": "2026-11-24" })),
        ("6", json!({ "note": "later", "stage": "Lost" })),
    ] {
        assert_eq!(agree(key, more).await.expect(201)["state"], "planned");
    }
    let there = json!({ "note": "there", "stage": "Outreach" });
    assert_eq!(agree("7", there).await.expect(201)["state"], "posted", "the deal is there");
    for bad in [
        json!({ "stage": "Nowhere" }),
        json!({ "due_on": "2026-02-30" }),
        json!({ "due_on": "tomorrow" }),
        json!({ "due_on": 5 }),
        json!({ "due_on": "0001-01-01" }),
        json!({ "stage": 5 }),
        json!({ "state": "posted" }),
    ] {
        let before = product.db.checksum();
        assert_eq!(agree("bad", bad.clone()).await.status, 422, "{bad}");
        assert_eq!(product.db.checksum(), before);
    }
    // 13.50 of an order, three posted fees.
    assert_eq!(available(&product, &p).await, "16.50");
    stage("Posted").await;
    assert_eq!(available(&product, &p).await, "17.50", "with the stage, in its batch");
    stage("Negotiation").await;
    stage("Posted").await;
    assert_eq!(available(&product, &p).await, "17.50", "once");
    assert_eq!((state("stage").await, state("both").await), ("posted".into(), "planned".into()));
    jobs::run_all(&product.app).await;
    assert_eq!(available(&product, &p).await, "17.50", "not their day yet");
    product.pass(16 * HOUR_MS);
    assert_eq!((state("day").await, state("both").await), ("due".into(), "planned".into()));
    jobs::run_all(&product.app).await;
    jobs::run_all(&product.app).await;
    assert_eq!(
        (state("day").await, available(&product, &p).await),
        ("posted".into(), "18.50".into())
    );
    stage("Negotiation").await;
    product.pass(DAY_MS);
    jobs::run_all(&product.app).await;
    assert_eq!(state("both").await, "posted", "the stage was reached before its day");
    // Closing the deal leaves what was agreed.
    product.call("PATCH", &deal, Some(json!({ "state": "closed" })), &p.key).await.expect(200);
    assert_eq!(state("later").await, "planned");
    // Fees of one millisecond have no order.
    let all = p.get(&product, &fees).await["data"].as_array().unwrap().clone();
    let later = all.into_iter().find(|fee| fee["note"] == "later").unwrap();
    let cancel = format!("{fees}/{}/cancellation", later["id"].as_str().unwrap());
    for _ in 0..2 {
        let gone = product.call("POST", &cancel, None, &p.key).await.expect(200);
        assert_eq!(gone["state"], "cancelled");
    }
    stage("Lost").await;
    assert_eq!(
        (state("later").await, available(&product, &p).await),
        ("cancelled".into(), "19.50".into())
    );
    let posted = format!("{fees}/{}/cancellation", planned["id"].as_str().unwrap());
    let refused = product.call("POST", &posted, None, &p.key).await.expect(409);
    assert_eq!(refused["type"], "/problems/fee-posted");
    // Of another deal it is nobody's.
    let (other, _) = p.rival(&product, "BERTA").await;
    let elsewhere = posted.replace(&p.deal, &other);
    assert_eq!(product.call("POST", &elsewhere, None, &p.key).await.status, 404);
    p.verify(&product).await;
    let causes = product.db.rows("SELECT DISTINCT cause_id FROM entries WHERE cause = 'fee'");
    assert_eq!(causes.len(), 6);
    let twice = "SELECT cause_id FROM entries WHERE cause = 'fee' AND account = 'commission' GROUP BY cause_id HAVING count(*) > 1";
    assert_eq!(product.db.rows(twice).len(), 0);
}

/// Whatever changes a deal's stage has to take its fees along: the database sees to it.
#[tokio::test]
async fn no_fee_is_posted_twice_or_passed_by() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let fees = format!("/v1/deals/{}/fees", p.deal);
    let fee = json!({ "amount": usd("1.00"), "stage": "Posted" });
    let planned = pay(&product, &p.key, "1", &fees, fee).await.expect(201);
    for sql in [
        // A stage that passes by what waits for it.
        "UPDATE deals SET stage = 'Posted'",
        // A fee that waits for the stage at which its deal is.
        "INSERT INTO fees SELECT brand_id, 'x', deal_id, creator_id, currency, amount_minor, note, created_at_ms, due_day, 'Outreach', NULL, state, NULL FROM fees",
    ] {
        assert!(product.db.execute(sql).is_err(), "{sql}");
    }
    product.db.execute("UPDATE fees SET state = 'posted'").unwrap();
    for state in ["posted", "planned", "cancelled"] {
        assert!(
            product.db.execute(&format!("UPDATE fees SET state = '{state}'")).is_err(),
            "{state}"
        );
    }
    assert_eq!(planned["state"], "planned");
}

#[tokio::test]
async fn an_erasure_cancels_what_was_planned() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let (deal, creator) = p.rival(&product, "BERTA").await;
    let fees = format!("/v1/deals/{deal}/fees");
    let fee = json!({ "amount": usd("1.00"), "due_on": "2026-11-30" });
    pay(&product, &p.key, "1", &fees, fee.clone()).await.expect(201);
    let path = format!("/v1/creators/{creator}/erasure");
    let confirm = json!({ "confirm": "berta-BERTA" });
    let erased = p.post(&product, &path, confirm).await;
    assert!(erased.status < 300, "{}", erased.text);
    product.pass(10 * DAY_MS);
    jobs::run_all(&product.app).await;
    assert_eq!(p.get(&product, &fees).await["data"][0]["state"], "cancelled");
    let refused = pay(&product, &p.key, "2", &fees, fee).await.expect(409);
    assert_eq!(refused["type"], "/problems/creator-erased");
    p.verify(&product).await;
}

#[tokio::test]
async fn drafts_are_made_by_schedule_once_a_month_and_never_approved() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let (berta, _) = p.rival(&product, "BERTA").await;
    p.deliver(&product, &coded(order(2), "BERTA")).await;
    let patch = async |body: Value| product.call("PATCH", "/v1/brand", Some(body), &p.key).await;
    for bad in [
        json!({ "day": 0 }),
        json!({ "day": 29 }),
        json!({}),
        json!({ "day": 5, "currencies": [] }),
        json!({ "day": 5, "currencies": ["usd"] }),
        json!({ "day": 5, "hour": 1 }),
    ] {
        let body = json!({ "payout_schedule": bad });
        assert_eq!(patch(body).await.status, 422, "{bad}");
    }
    let set = json!({ "payout_schedule": { "day": 24 } });
    let shown = patch(set).await.expect(200);
    assert_eq!(shown["payout_schedule"], json!({ "day": 24, "currencies": null }));
    let payouts = async || p.get(&product, "/v1/payouts").await["data"].as_array().unwrap().clone();
    jobs::run_all(&product.app).await;
    assert_eq!(payouts().await.len(), 0, "not the day");
    // The job missed the day and the end of the month.
    product.pass(10 * DAY_MS);
    for _ in 0..3 {
        jobs::run_all(&product.app).await;
    }
    let made = payouts().await;
    assert_eq!(made.len(), 1, "once");
    let draft = p.get(&product, &path_of(&made[0])).await;
    assert_eq!((&draft["state"], &draft["total"]["amount"]), (&json!("draft"), &json!("13.50")));
    assert_eq!(draft["skipped"][0]["reason"], "no_payment_details");
    assert_eq!(draft["skipped"].as_array().unwrap().len(), 1, "listed, not dropped");
    let trail =
        product.db.rows("SELECT actor_kind, actor_id FROM audit WHERE action = 'payout.draft'");
    assert_eq!(trail, [json!({ "actor_kind": "job", "actor_id": "draft_payouts" })]);
    assert_eq!(available(&product, &p).await, "13.50", "nothing moved");
    let status = p.get(&product, "/v1/status").await;
    assert!(status["jobs"].as_array().unwrap().iter().any(|job| job["name"] == "draft_payouts"));
    // Next month there is a second; who was there when nobody was to be paid gets no draft later.
    product.pass(23 * DAY_MS);
    jobs::run_all(&product.app).await;
    assert_eq!(payouts().await.len(), 2);
    // Saved again as it is on the day after, it isn't set anew: the day isn't passed by.
    product.pass(31 * DAY_MS);
    patch(json!({ "payout_schedule": { "day": 24 } })).await.expect(200);
    jobs::run_all(&product.app).await;
    assert_eq!(payouts().await.len(), 3);
    // Set on the 25th for the 24th: not this month's.
    patch(json!({ "payout_schedule": null })).await.expect(200);
    product.pass(31 * DAY_MS);
    jobs::run_all(&product.app).await;
    assert_eq!(payouts().await.len(), 3, "none without a schedule");
    patch(json!({ "payout_schedule": { "day": 24, "currencies": ["EUR", "USD"] } }))
        .await
        .expect(200);
    jobs::run_all(&product.app).await;
    assert_eq!(payouts().await.len(), 3, "not for a day before it was set");
    let _ = berta;
    p.verify(&product).await;
}

#[tokio::test]
async fn above_an_amount_two_people_approve() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let owner = Member::joins(&product, "owner@casa.example", 1).await;
    let ben = manager(&product, &p, "ben", 2).await;
    let cleo = manager(&product, &p, "cleo", 3).await;
    let limit = json!({ "second_approver_above": usd("13.49") });
    let by_key = product.call("PATCH", "/v1/brand", Some(limit.clone()), &p.key).await;
    assert_eq!(by_key.status, 403);
    let set = async |browser: &Browser, body: Value| {
        browser.send(&product, "PATCH", "/v1/brand", Some(body)).await
    };
    assert_eq!(set(&ben.browser, limit.clone()).await.status, 403, "a manager");
    let shown = set(&owner.browser, limit.clone()).await.expect(200);
    assert_eq!(shown["second_approver_above"], usd("13.49"));
    let bad = json!({ "second_approver_above": { "amount": "5.00", "currency": "EUR" } });
    assert_eq!(set(&owner.browser, bad).await.status, 422);

    let payout = draft(&product, &p, "d1").await;
    assert_eq!(payout["approvals_needed"], 2);
    let approval = format!("{}/approval", path_of(&payout));
    let refused = pay(&product, &p.key, "k", &approval, Value::Null).await.expect(403);
    assert_eq!(refused["type"], "/problems/needs-two-people");
    let first = by(&ben, &product, "POST", &approval, "b1").await.expect(200);
    assert_eq!(
        (&first["state"], &first["approvals"][0]["member_id"]),
        (&json!("draft"), &json!(ben.id))
    );
    assert_eq!(available(&product, &p).await, "13.50", "nothing moved");
    let again = by(&ben, &product, "POST", &approval, "b2").await.expect(409);
    assert_eq!(again["type"], "/problems/approved-by-you");
    assert_eq!(by(&ben, &product, "POST", &approval, "b1").await.expect(200), first);
    // Raised by the owner, it is no way round for what was drafted before.
    set(&owner.browser, json!({ "second_approver_above": null })).await.expect(200);
    let again = by(&ben, &product, "POST", &approval, "b3").await.expect(409);
    assert_eq!(again["type"], "/problems/approved-by-you");
    // Nor is SQL that forgets to ask.
    assert!(product.db.execute("UPDATE payouts SET state = 'approved'").is_err());
    // Whoever may no longer approve doesn't count.
    let path = format!("/v1/members/{}", ben.id);
    owner
        .browser
        .send(&product, "PATCH", &path, Some(json!({ "role": "viewer" })))
        .await
        .expect(200);
    let second = by(&cleo, &product, "POST", &approval, "c1").await.expect(200);
    assert_eq!(second["state"], "draft", "hers is the only one that counts");
    assert_eq!(available(&product, &p).await, "13.50");
    product.pass(10 * 60_000);
    assert_eq!(
        by(&owner, &product, "POST", &approval, "o1").await.expect(403)["type"],
        "/problems/step-up"
    );
    owner.browser.show(&product, &owner.key).await;
    let third = by(&owner, &product, "POST", &approval, "o1").await.expect(200);
    assert_eq!(third["state"], "approved");
    assert_eq!(buckets(&p.balance(&product, &p.creator, "USD").await)[1..3], ["0.00", "13.50"]);
    let trail = product
        .db
        .rows("SELECT action FROM audit WHERE action LIKE 'payout.approve%' ORDER BY at_ms, id");
    let actions: Vec<&str> = trail.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["payout.approve_first", "payout.approve_first", "payout.approve"]);

    // Another try of what failed needs two as well.
    let settlement = format!("{}/settlement", line_of(&payout));
    pay(&product, &p.key, "f", &settlement, json!({ "outcome": "failed" })).await.expect(200);
    let retry = format!("{}/retry", line_of(&payout));
    assert_eq!(pay(&product, &p.key, "r1", &retry, Value::Null).await.status, 403);
    cleo.browser.show(&product, &cleo.key).await;
    let told = by(&cleo, &product, "POST", &retry, "r2").await.expect(200);
    assert_eq!((&told["state"], &told["attempt"]), (&json!("failed"), &json!(1)));
    assert!(
        product.db.execute("UPDATE payout_lines SET state = 'in_payout', attempt = 2").is_err()
    );
    let told = by(&owner, &product, "POST", &retry, "r3").await.expect(200);
    assert_eq!((&told["state"], &told["attempt"]), (&json!("in_payout"), &json!(2)));
    p.verify(&product).await;

    // In another currency nothing can be compared: two. Up to the amount: one.
    set(&owner.browser, json!({ "second_approver_above": usd("100.00") })).await.expect(200);
    let fees = format!("/v1/deals/{}/fees", p.deal);
    for currency in ["EUR", "USD"] {
        let fee = json!({ "amount": { "amount": "100.00", "currency": currency } });
        pay(&product, &p.key, currency, &fees, fee).await.expect(201);
        let body = json!({ "currency": currency });
        let made =
            pay(&product, &p.key, &format!("d{currency}"), "/v1/payouts", body).await.expect(201);
        assert_eq!(made["approvals_needed"], if currency == "EUR" { 2 } else { 1 });
        let approval = format!("{}/approval", path_of(&made));
        let by_key = pay(&product, &p.key, &format!("a{currency}"), &approval, Value::Null).await;
        assert_eq!(by_key.status, if currency == "EUR" { 403 } else { 200 });
    }
    // Made stricter after the draft, the new rule holds too.
    let fee = json!({ "amount": usd("50.00") });
    pay(&product, &p.key, "f9", &fees, fee).await.expect(201);
    let made = draft(&product, &p, "d9").await;
    set(&owner.browser, json!({ "second_approver_above": usd("0.00") })).await.expect(200);
    let approval = format!("{}/approval", path_of(&made));
    assert_eq!(pay(&product, &p.key, "a9", &approval, Value::Null).await.status, 403);
    assert_eq!(p.get(&product, &path_of(&made)).await["approvals_needed"], 2);
    p.verify(&product).await;
}

#[tokio::test]
async fn a_failed_payment_is_tried_again_under_another_name() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let payout = draft(&product, &p, "d").await;
    let path = path_of(&payout);
    let retry = format!("{}/retry", line_of(&payout));
    let settlement = format!("{}/settlement", line_of(&payout));
    let post =
        async |key: &str, path: &str, body: Value| pay(&product, &p.key, key, path, body).await;
    assert_eq!(post("1", &retry, Value::Null).await.expect(409)["type"], "/problems/not-failed");
    post("2", &format!("{path}/approval"), Value::Null).await.expect(200);
    assert_eq!(post("3", &retry, Value::Null).await.expect(409)["type"], "/problems/not-failed");
    let csv = product.call("GET", &format!("{path}/export"), None, &p.key).await.text;
    let line = payout["lines"][0]["id"].as_str().unwrap();
    assert!(csv.contains(&format!(",{line}\r\n")), "{csv}");
    post("4", &settlement, json!({ "outcome": "failed", "reason": "closed" })).await.expect(200);
    // Its money went elsewhere meanwhile.
    let adjust = format!("/v1/creators/{}/adjustments", p.creator);
    post("5", &adjust, json!({ "amount": usd("-5.00"), "reason": "r" })).await.expect(201);
    let before = product.db.checksum();
    assert_eq!(
        post("6", &retry, Value::Null).await.expect(409)["type"],
        "/problems/not-enough-available"
    );
    assert_eq!(product.db.checksum(), before);
    post("7", &adjust, json!({ "amount": usd("5.00"), "reason": "r" })).await.expect(201);
    let told = post("8", &retry, Value::Null).await.expect(200);
    assert_eq!(
        (&told["state"], &told["attempt"], &told["reason"]),
        (&json!("in_payout"), &json!(2), &Value::Null)
    );
    assert_eq!(post("8", &retry, Value::Null).await.expect(200), told, "the first answer");
    assert_eq!(post("9", &retry, Value::Null).await.expect(409)["type"], "/problems/not-failed");
    assert_eq!(buckets(&p.balance(&product, &p.creator, "USD").await)[1..3], ["0.00", "13.50"]);
    let csv = product.call("GET", &format!("{path}/export"), None, &p.key).await.text;
    assert!(csv.contains(&format!(",{line}-2\r\n")), "{csv}");
    post("10", &settlement, json!({ "outcome": "settled", "reference": "TX" })).await.expect(200);
    assert_eq!(buckets(&p.balance(&product, &p.creator, "USD").await)[3], "13.50");
    p.verify(&product).await;
}

/// A brand with an account at PayPal, whose creator has 13.50 in an approved payout.
async fn at_paypal(product: &Product) -> (Programme, Member, Value) {
    let (p, _) = earned(product).await;
    product.db.execute("DELETE FROM payment_details").unwrap();
    let hers = token(product, &p, &p.deal).await;
    let details = json!({ "method": "paypal", "email": "anna@pay.example" });
    product.call("PUT", "/v1/me/payment-details", Some(details), &hers).await.expect(200);
    product.web.1.0.lock().unwrap().secret = "hush".into();
    let owner = Member::joins(product, "owner@casa.example", 1).await;
    let account = json!({ "provider": "paypal", "client_id": "client", "client_secret": "hush" });
    let put = owner.browser.send(product, "PUT", "/v1/brand/payout-provider", Some(account)).await;
    put.expect(200);
    let payout = draft(product, &p, "draft").await;
    let path = format!("{}/approval", path_of(&payout));
    let approved = pay(product, &p.key, "approve", &path, Value::Null).await.expect(200);
    (p, owner, approved)
}

async fn send(product: &Product, p: &Programme, payout: &Value, key: &str) -> Answer {
    pay(product, &p.key, key, &format!("{}/sending", path_of(payout)), Value::Null).await
}

async fn sending(product: &Product, p: &Programme, payout: &Value) -> Value {
    p.get(product, &path_of(payout)).await["lines"][0]["sending"].clone()
}

/// Lets the job run for so many minutes.
async fn minutes(product: &Product, minutes: i64) {
    for _ in 0..minutes {
        product.pass(60_000);
        jobs::payments::send_due(&product.app).await.unwrap();
    }
}

#[tokio::test]
async fn paypal_pays_and_tells_later() {
    let product = Product::new();
    let (p, _, payout) = at_paypal(&product).await;
    let paypal = &product.web.1;
    let told = send(&product, &p, &payout, "s").await.expect(200);
    assert_eq!(told["lines"][0]["sending"]["state"], "waiting");
    assert_eq!(send(&product, &p, &payout, "s").await.expect(200), told, "the first answer");
    let state = sending(&product, &p, &payout).await;
    assert_eq!((&state["state"], &state["provider_id"]), (&json!("sent"), &json!("BATCH0")));
    assert_eq!(paypal.paid()["anna@pay.example"], ["13.50"]);
    let again = send(&product, &p, &payout, "s2").await.expect(409);
    assert_eq!(again["type"], "/problems/nothing-to-send");
    // In flight nobody settles it by hand, and it stands in no file.
    let settlement = format!("{}/settlement", line_of(&payout));
    let by_hand = pay(&product, &p.key, "h", &settlement, json!({ "outcome": "failed" })).await;
    assert_eq!(by_hand.expect(409)["type"], "/problems/in-flight");
    assert!(product.db.execute("UPDATE payout_lines SET state = 'failed'").is_err());
    for format in ["csv", "paypal"] {
        let file = format!("{}/export?format={format}", path_of(&payout));
        let file = product.call("GET", &file, None, &p.key).await;
        assert!(!file.text.contains("anna@pay"), "{}", file.text);
    }
    // Asked several times, told in the end.
    minutes(&product, 20).await;
    assert_eq!(sending(&product, &p, &payout).await["told"], "PENDING");
    paypal.settle("UNCLAIMED");
    product.pass(DAY_MS);
    minutes(&product, 1).await;
    assert_eq!(sending(&product, &p, &payout).await["told"], "UNCLAIMED");
    assert_eq!(buckets(&p.balance(&product, &p.creator, "USD").await)[2], "13.50", "in flight");
    paypal.settle("SUCCESS");
    product.pass(DAY_MS);
    minutes(&product, 1).await;
    assert_eq!(sending(&product, &p, &payout).await["state"], "settled");
    assert_eq!(buckets(&p.balance(&product, &p.creator, "USD").await)[3], "13.50");
    assert_eq!(paypal.asked_to_pay(), 1);
    p.verify(&product).await;
    // The trail: queued, sent (details were read), settled.
    let trail = product.db.rows(
        "SELECT action, actor_kind FROM audit WHERE action LIKE 'payout.%' ORDER BY at_ms, id",
    );
    let mut trail: Vec<String> = trail
        .iter()
        .map(|row| {
            format!("{} {}", row["actor_kind"].as_str().unwrap(), row["action"].as_str().unwrap())
        })
        .collect();
    let expected = [
        "job payout.send",
        "job payout.settle",
        "key payout.approve",
        "key payout.draft",
        "key payout.export",
        "key payout.export",
        "key payout.queue",
    ];
    // What happens in one millisecond has no order in the trail.
    trail.sort_unstable();
    assert_eq!(trail, expected);
    assert!(!product.db.checksum().contains("anna@pay"), "nowhere in clear");
    let logs = serde_json::to_string(&*product.log.0.lock().unwrap()).unwrap();
    assert!(!logs.contains("anna@pay") && !logs.contains("hush"));
    // A day later it doesn't answer: what is known stays, and it is asked again.
    paypal.settle("REVERSED");
    paypal.0.lock().unwrap().secret = "away".into();
    product.pass(DAY_MS);
    minutes(&product, 1).await;
    let state = sending(&product, &p, &payout).await;
    assert_eq!((&state["state"], &state["told"]), (&json!("settled"), &json!("SUCCESS")));
    assert_ne!(state["next_at"], Value::Null);
    paypal.0.lock().unwrap().secret = "hush".into();
    // It changes its mind: nothing is reversed, people are told.
    product.pass(6 * HOUR_MS);
    minutes(&product, 1).await;
    assert_eq!(sending(&product, &p, &payout).await["state"], "contradicted");
    assert_eq!(buckets(&p.balance(&product, &p.creator, "USD").await)[3], "13.50");
    assert_eq!(
        product.db.rows("SELECT 1 FROM audit WHERE action = 'payout.contradiction'").len(),
        1
    );
    let logs = serde_json::to_string(&*product.log.0.lock().unwrap()).unwrap();
    assert!(logs.contains("payout_contradiction"), "{logs}");
    p.verify(&product).await;
}

/// Whatever the network and PayPal do: at most one payment, and in the end the books say so.
#[tokio::test]
async fn whatever_goes_wrong_paypal_pays_once() {
    use Fault::{After, Before, Expired, LostAfter, LostBefore, Refuse};
    for (faults, requests) in [
        (vec![LostBefore], 2),
        (vec![LostAfter], 2),
        (vec![Before(500)], 2),
        (vec![After(500)], 2),
        (vec![After(201)], 2),
        (vec![Expired], 2),
        (vec![Before(429)], 2),
        (vec![LostAfter, LostAfter, LostBefore], 4),
        (vec![LostAfter, Refuse(400, "VALIDATION_ERROR"), Before(403)], 4),
        (vec![LostBefore, Refuse(422, "INSUFFICIENT_FUNDS")], 3),
        (vec![Refuse(422, "INSUFFICIENT_FUNDS"), LostAfter], 3),
    ] {
        let product = Product::new();
        let (p, _, payout) = at_paypal(&product).await;
        let paypal = &product.web.1;
        paypal.fail(&faults);
        send(&product, &p, &payout, "s").await.expect(200);
        minutes(&product, 20).await;
        assert_eq!(sending(&product, &p, &payout).await["state"], "sent", "{faults:?}");
        paypal.settle("SUCCESS");
        minutes(&product, 20).await;
        assert_eq!(sending(&product, &p, &payout).await["state"], "settled", "{faults:?}");
        assert_eq!(paypal.asked_to_pay(), requests, "{faults:?}");
        assert_eq!(paypal.paid()["anna@pay.example"], ["13.50"], "{faults:?}");
        assert_eq!(paypal.references().len(), 1);
        assert_eq!(buckets(&p.balance(&product, &p.creator, "USD").await)[3], "13.50");
        p.verify(&product).await;
    }
}

#[tokio::test]
async fn what_surely_was_not_taken_comes_back_and_may_be_tried_again() {
    let product = Product::new();
    let (p, _, payout) = at_paypal(&product).await;
    let paypal = &product.web.1;
    paypal.fail(&[Fault::Refuse(400, "VALIDATION_ERROR")]);
    send(&product, &p, &payout, "s").await.expect(200);
    let line = p.get(&product, &path_of(&payout)).await["lines"][0].clone();
    assert_eq!(
        (&line["state"], &line["reason"]),
        (&json!("failed"), &json!("400 VALIDATION_ERROR"))
    );
    assert_eq!(available(&product, &p).await, "13.50");
    let retry = format!("{}/retry", line_of(&payout));
    pay(&product, &p.key, "r", &retry, Value::Null).await.expect(200);
    paypal.settle("RETURNED");
    send(&product, &p, &payout, "s2").await.expect(200);
    minutes(&product, 5).await;
    let line = p.get(&product, &path_of(&payout)).await["lines"][0].clone();
    assert_eq!(
        (&line["state"], &line["reason"], &line["attempt"]),
        (&json!("failed"), &json!("RETURNED"), &json!(2))
    );
    pay(&product, &p.key, "r2", &retry, Value::Null).await.expect(200);
    paypal.0.lock().unwrap().status = "SUCCESS".into();
    send(&product, &p, &payout, "s3").await.expect(200);
    minutes(&product, 5).await;
    let id = payout["lines"][0]["id"].as_str().unwrap();
    assert_eq!(paypal.references(), [format!("{id}-2"), format!("{id}-3")]);
    assert_eq!(paypal.paid()["anna@pay.example"], ["13.50"]);
    assert_eq!(buckets(&p.balance(&product, &p.creator, "USD").await)[3], "13.50");
    p.verify(&product).await;
}

/// PayPal says that it came back, and a day later that it arrived: whoever tries again pays twice.
#[tokio::test]
async fn what_arrived_after_all_is_not_tried_again() {
    for retried in [false, true] {
        let product = Product::new();
        let (p, _, payout) = at_paypal(&product).await;
        let paypal = &product.web.1;
        paypal.settle("RETURNED");
        send(&product, &p, &payout, "s").await.expect(200);
        minutes(&product, 5).await;
        let retry = format!("{}/retry", line_of(&payout));
        let retry = async |key: &str| pay(&product, &p.key, key, &retry, Value::Null).await;
        if retried {
            retry("r0").await.expect(200);
        }
        paypal.settle("SUCCESS");
        product.pass(DAY_MS);
        minutes(&product, 1).await;
        // The try that was contradicted is what the payout shows, whatever came after it.
        let state = sending(&product, &p, &payout).await;
        assert_eq!(
            (&state["state"], &state["reference"]),
            (&json!("contradicted"), &payout["lines"][0]["id"])
        );
        if retried {
            let refused = send(&product, &p, &payout, "s2").await.expect(409);
            assert_eq!(refused["type"], "/problems/nothing-to-send");
            let queue = "INSERT INTO payout_sendings (brand_id, line_id, attempt, payout_id, reference, state, queued_at_ms) SELECT brand_id, line_id, 2, payout_id, 'x', 'waiting', 0 FROM payout_sendings";
            product.db.execute("UPDATE payout_lines SET way = 'paypal'").unwrap();
            assert!(product.db.execute(queue).is_err(), "nor by SQL that forgets to ask");
            let settlement = format!("{}/settlement", line_of(&payout));
            let failed = json!({ "outcome": "failed", "reason": "paid before" });
            pay(&product, &p.key, "h", &settlement, failed).await.expect(200);
        }
        let before = product.db.checksum();
        assert_eq!(retry("r1").await.expect(409)["type"], "/problems/contradicted");
        let again = "UPDATE payout_lines SET state = 'in_payout', attempt = attempt + 1";
        assert!(product.db.execute(again).is_err(), "nor by SQL that forgets to ask");
        assert_eq!(product.db.checksum(), before);
        assert_eq!(paypal.paid()["anna@pay.example"], ["13.50"]);
        p.verify(&product).await;
    }
}

/// What is decided from a line as it stood doesn't hold for another try of it, nor by somebody gone.
#[tokio::test]
async fn tries_and_members_that_are_gone_abort() {
    use tributary::storage::payouts as rows;
    let product = Product::new();
    let (p, owner, payout) = at_paypal(&product).await;
    let brand = product.db.rows("SELECT id FROM brands")[0]["id"].as_str().unwrap().to_owned();
    let brand = brand.parse().unwrap();
    let id = payout["id"].as_str().unwrap().parse().unwrap();
    let line = payout["lines"][0]["id"].as_str().unwrap().parse().unwrap();
    let run = async |statement| product.app.db().run(vec![statement]).await;
    for (attempt, way) in [(2, "file"), (2, "paypal"), (0, "file")] {
        let taken = run(rows::take_way(brand, id, &[(line, attempt)], way)).await;
        assert!(taken.is_err(), "{attempt} {way}");
    }
    run(rows::take_way(brand, id, &[(line, 1)], "file")).await.unwrap();
    assert!(run(rows::take_way(brand, id, &[(line, 1)], "paypal")).await.is_err());
    let vic = manager(&product, &p, "vic", 3).await;
    let approve = |member: &Member, subject: &str| {
        rows::approve(brand, subject, member.id.parse().unwrap(), 0)
    };
    run(approve(&vic, "one")).await.unwrap();
    assert!(run(approve(&vic, "one")).await.is_err(), "twice");
    product.db.execute("UPDATE members SET role = 'viewer' WHERE role = 'manager'").unwrap();
    assert!(run(approve(&vic, "two")).await.is_err(), "a viewer");
    product.db.execute("DELETE FROM members WHERE role = 'viewer'").unwrap();
    assert!(run(approve(&vic, "three")).await.is_err(), "nobody any more");
    run(approve(&owner, "three")).await.unwrap();
}

/// Who isn't paid is listed up to a number and counted; what isn't due isn't even loaded.
#[tokio::test]
async fn drafts_stay_small_in_large_programmes() {
    use tributary::domain::time::Day;
    use tributary::storage::payouts as rows;
    let product = Product::new();
    let (p, _) = earned(&product).await;
    for number in 0..501 {
        let body = json!({ "name": "N", "handle": format!("n{number}") });
        let made = p.post(&product, "/v1/creators", body).await.expect(201);
        let path = format!("/v1/creators/{}/adjustments", made["id"].as_str().unwrap());
        let body = json!({ "amount": usd("1.00"), "reason": "r" });
        pay(&product, &p.key, &format!("a{number}"), &path, body).await.expect(201);
    }
    let body = json!({ "currency": "USD" });
    let made = pay(&product, &p.key, "d", "/v1/payouts", body).await.expect(201);
    assert_eq!(made["skipped"].as_array().unwrap().len(), 500);
    assert_eq!(made["skipped_total"], 501);
    let shown = p.get(&product, &path_of(&made)).await;
    assert_eq!((&shown["skipped"], &shown["skipped_total"]), (&made["skipped"], &json!(501)));
    let hold = json!({ "hold_days": 10 });
    product.call("PATCH", "/v1/brand", Some(hold), &p.key).await.expect(200);
    p.deliver(&product, &coded(order(2), "ANNA")).await;
    let row = &product
        .db
        .rows("SELECT brand_id, day FROM balances WHERE account = 'pending' ORDER BY day DESC")[0];
    let (brand, day) = (row["brand_id"].as_str().unwrap(), row["day"].as_i64().unwrap());
    let creators = [p.creator.parse().unwrap()];
    for (day, expected) in [(day - 1, 1), (day, 2)] {
        let until = ("USD".parse().unwrap(), Day(day));
        let db = product.app.db();
        let found = rows::payable(db, brand.parse().unwrap(), until, Some(&creators)).await;
        assert_eq!(found.unwrap().len(), expected);
    }
}

/// Whoever approves sees how a line would be paid, and since when; what is kept doesn't tell it.
#[tokio::test]
async fn an_approver_sees_where_the_money_goes() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let made = draft(&product, &p, "d").await;
    assert_eq!(made["lines"][0]["last4"], Value::Null);
    let line = async || p.get(&product, &path_of(&made)).await["lines"][0].clone();
    let told = |line: &Value| {
        ["method", "last4", "details_since"].map(|name| line[name].as_str().map(str::to_owned))
    };
    let since = tributary::domain::time::to_rfc3339(crate::support::NOW_MS);
    let expected = [Some("iban".into()), Some("3000".into()), Some(since)];
    let shown = line().await;
    let mut seen = told(&shown);
    // To the day: `earned` lets some moments pass.
    for text in [&mut seen, &mut expected.clone()] {
        text[2] = text[2].take().map(|at| at[..10].to_owned());
    }
    assert_eq!(seen[..2], expected[..2]);
    assert_eq!(seen[2].as_deref(), expected[2].as_deref().map(|at: &str| &at[..10]));
    let approval = format!("{}/approval", path_of(&made));
    pay(&product, &p.key, "a", &approval, Value::Null).await.expect(200);
    assert_eq!(line().await["last4"], "3000");
    let kept = product.db.rows("SELECT after FROM audit WHERE action LIKE 'payout.%'");
    let kept = format!("{kept:?}{:?}", product.db.rows("SELECT answer FROM idempotency"));
    assert!(!kept.contains("3000") && kept.contains("last4"), "{kept}");
    let settlement = format!("{}/settlement", line_of(&made));
    pay(&product, &p.key, "s", &settlement, json!({ "outcome": "settled" })).await.expect(200);
    assert_eq!(told(&line().await), [None, None, None], "today's details are another matter");
}

/// A file's cell that would be a formula is altered; whom money goes to never is.
#[tokio::test]
async fn a_file_never_alters_a_receiver() {
    let product = Product::new();
    let (p, _, payout) = at_paypal(&product).await;
    let hers = token(&product, &p, &p.deal).await;
    product.db.execute("DELETE FROM payment_details").unwrap();
    let details = json!({ "method": "paypal", "email": "+anna@pay.example" });
    product.call("PUT", "/v1/me/payment-details", Some(details), &hers).await.expect(200);
    let path = format!("{}/export", path_of(&payout));
    let file = async |method: &str, format: &str| {
        product.call(method, &format!("{path}?format={format}"), None, &p.key).await
    };
    assert_eq!(file("GET", "paypal").await.text, "");
    let csv = file("GET", "csv").await.text;
    assert!(csv.contains("receiver_not_for_files") && !csv.contains("anna@pay"), "{csv}");
    // It stands in no file: it may be sent.
    let way = || product.db.rows("SELECT way FROM payout_lines")[0]["way"].clone();
    assert_eq!(way(), Value::Null);
    send(&product, &p, &payout, "s").await.expect(200);
    assert_eq!(product.web.1.paid()["+anna@pay.example"], ["13.50"]);
    // Nobody gets a file by HEAD, and nothing is marked by it.
    let product = Product::new();
    let (p, _, payout) = at_paypal(&product).await;
    let path = format!("{}/export", path_of(&payout));
    let before = product.db.checksum();
    let head = product.call("HEAD", &path, None, &p.key).await;
    assert_eq!((head.status, &head.headers["allow"]), (405, &"GET".parse().unwrap()));
    assert_eq!(product.db.checksum(), before);
    assert!(product.call("GET", &path, None, &p.key).await.text.contains("anna@pay.example"));
    assert_eq!(product.call("HEAD", "/v1/payouts", None, &p.key).await.status, 200);
}

/// The first answer is for whoever asked: the same key by somebody else is a mistake.
#[tokio::test]
async fn a_key_of_one_person_answers_no_other() {
    let product = Product::new();
    let (p, owner, payout) = at_paypal(&product).await;
    let ben = manager(&product, &p, "ben", 2).await;
    let sending = format!("{}/sending", path_of(&payout));
    let first = by(&ben, &product, "POST", &sending, "same").await.expect(200);
    assert_eq!(by(&ben, &product, "POST", &sending, "same").await.expect(200), first);
    assert_eq!(by(&owner, &product, "POST", &sending, "same").await.status, 422);
    assert_eq!(send(&product, &p, &payout, "same").await.status, 422, "nor an API key's");
    assert_eq!(product.web.1.asked_to_pay(), 1);
}

/// A worker that died after its claim, one that comes too late, details that changed, accounts too.
#[tokio::test]
async fn a_claim_that_was_lost_is_asked_about_and_given_up_in_time() {
    let product = Product::new();
    let (p, owner, payout) = at_paypal(&product).await;
    let paypal = &product.web.1;
    paypal.fail(&vec![Fault::LostAfter; 40]);
    send(&product, &p, &payout, "s").await.expect(200);
    assert_eq!(sending(&product, &p, &payout).await["state"], "sending");
    // The account stays while only it knows.
    let account = |id: &str, secret: &str| {
        Some(json!({ "provider": "paypal", "client_id": id, "client_secret": secret }))
    };
    let path = "/v1/brand/payout-provider";
    let put = async |body| owner.browser.send(&product, "PUT", path, body).await;
    assert_eq!(
        put(account("other", "x")).await.expect(409)["type"],
        "/problems/payments-in-flight"
    );
    assert_eq!(
        owner.browser.delete(&product, path).await.expect(409)["type"],
        "/problems/payments-in-flight"
    );
    put(account("client", "hush")).await.expect(200);
    // Whose account it is an owner says, whatever else somebody may.
    let ben = manager(&product, &p, "ben", 2).await;
    assert_eq!(ben.browser.delete(&product, path).await.status, 403, "a manager");
    assert_eq!(product.call("DELETE", path, None, &p.key).await.status, 403, "a key");
    // With other details it would be another request: it isn't made.
    let requests = paypal.asked_to_pay();
    product.db.execute("UPDATE payment_details SET version = version + 1").unwrap();
    minutes(&product, 3).await;
    assert_eq!(paypal.asked_to_pay(), requests);
    assert_eq!(sending(&product, &p, &payout).await["state"], "sending");
    product.db.execute("UPDATE payment_details SET version = version - 1").unwrap();
    product.pass(20 * DAY_MS);
    minutes(&product, 2).await;
    let state = sending(&product, &p, &payout).await;
    assert_eq!((&state["state"], &state["next_at"]), (&json!("unknown"), &Value::Null));
    assert_eq!(paypal.asked_to_pay(), requests, "too late to tell a repetition");
    assert_eq!(
        buckets(&p.balance(&product, &p.creator, "USD").await)[2],
        "13.50",
        "still in flight"
    );
    assert_eq!(product.db.rows("SELECT 1 FROM audit WHERE action = 'payout.lost'").len(), 1);
    // People decide.
    let settlement = format!("{}/settlement", line_of(&payout));
    pay(&product, &p.key, "h", &settlement, json!({ "outcome": "settled", "reference": "BATCH0" }))
        .await
        .expect(200);
    owner.browser.sign_in(&product, json!({ "email": owner.email })).await;
    owner.browser.show(&product, &owner.key).await;
    put(account("other", "x")).await.expect(200);
    assert_eq!(paypal.paid()["anna@pay.example"], ["13.50"]);
    p.verify(&product).await;
}

#[tokio::test]
async fn without_an_account_or_with_a_wrong_secret_nothing_is_sent() {
    let product = Product::new();
    let (p, owner, payout) = at_paypal(&product).await;
    let paypal = &product.web.1;
    let path = "/v1/brand/payout-provider";
    let shown = p.get(&product, path).await;
    assert_eq!((&shown["client_id"], shown.get("client_secret")), (&json!("client"), None));
    assert!(!product.db.checksum().contains("hush"));
    owner.browser.delete(&product, path).await;
    assert_eq!(product.call("GET", path, None, &p.key).await.status, 404);
    let refused = send(&product, &p, &payout, "s").await.expect(409);
    assert_eq!(refused["type"], "/problems/no-payout-provider");
    for (field, value) in
        [("client_id", ""), ("client_id", "a:b"), ("client_secret", "a b"), ("client_secret", "ü")]
    {
        let mut bad = json!({ "provider": "paypal", "client_id": "c", "client_secret": "s" });
        bad[field] = json!(value);
        let answer = owner.browser.send(&product, "PUT", path, Some(bad)).await.expect(422);
        assert_eq!(answer["errors"][0]["field"], field);
    }
    let wrong = json!({ "provider": "paypal", "client_id": "client", "client_secret": "wrong" });
    assert_eq!(product.call("PUT", path, Some(wrong.clone()), &p.key).await.status, 403, "no key");
    owner.browser.send(&product, "PUT", path, Some(wrong)).await.expect(200);
    send(&product, &p, &payout, "s2").await.expect(200);
    minutes(&product, 3).await;
    assert_eq!(
        (paypal.asked_to_pay(), &sending(&product, &p, &payout).await["state"]),
        (0, &json!("waiting"))
    );
    // For good: the money comes back.
    product.pass(HOUR_MS);
    for _ in 0..12 {
        product.pass(6 * HOUR_MS);
        minutes(&product, 1).await;
    }
    assert_eq!(sending(&product, &p, &payout).await["state"], "failed");
    assert_eq!((available(&product, &p).await, paypal.asked_to_pay()), ("13.50".into(), 0));
    // A file that was downloaded is another way: not both.
    let retry = format!("{}/retry", line_of(&payout));
    pay(&product, &p.key, "r", &retry, Value::Null).await.expect(200);
    let file = format!("{}/export?format=paypal", path_of(&payout));
    assert!(product.call("GET", &file, None, &p.key).await.text.contains("anna@pay.example"));
    assert_eq!(
        send(&product, &p, &payout, "s3").await.expect(409)["type"],
        "/problems/nothing-to-send"
    );
    assert!(product.db.execute("UPDATE payout_lines SET way = 'paypal'").is_err());
    p.verify(&product).await;
}

#[tokio::test]
async fn secrets_of_payments_outlive_a_rotation() {
    use crate::support::KEYS;
    let product = Product::new();
    let (p, _, payout) = at_paypal(&product).await;
    let next = format!("1:verify:{},2:active:CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=", KEYS.0);
    let hash = Some(KEYS.0);
    let rotated = Product::with_keys(product.db.clone(), true, (&next, hash));
    jobs::rewrap::rewrap_all(&rotated.app).await.unwrap();
    let status = p.get(&rotated, "/v1/status").await;
    assert_eq!(status["sealed_under_older_keys"], 0);
    let after = "2:active:CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=,1:retired";
    let last = Product::with_keys(product.db.clone(), true, (after, hash));
    last.web.1.0.lock().unwrap().secret = "hush".into();
    send(&last, &p, &payout, "s").await.expect(200);
    assert_eq!(last.web.1.paid()["anna@pay.example"], ["13.50"]);
}

#[tokio::test]
async fn a_stale_if_match_changes_nothing() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deal = format!("/v1/deals/{}", p.deal);
    for (path, change) in
        [("/v1/brand", json!({ "name": "Casa 2" })), (&*deal, json!({ "stage": "Posted" }))]
    {
        let patch = async |tag: &str, body: &Value| {
            let request = http::Request::builder()
                .method("PATCH")
                .uri(path)
                .header("authorization", format!("Bearer {}", p.key))
                .header("content-type", "application/json")
                .header("if-match", tag);
            product.raw(request.body(body.to_string().into_bytes()).unwrap()).await
        };
        let shown = product.call("GET", path, None, &p.key).await;
        let tag = shown.headers["etag"].to_str().unwrap().to_owned();
        for stale in ["\"x\"", "W/\"x\"", &tag[..tag.len() - 2], ""] {
            let before = product.db.checksum();
            assert_eq!(patch(stale, &change).await.expect(412)["type"], "/problems/stale");
            assert_eq!(product.db.checksum(), before);
        }
        let changed = patch(&format!("\"x\", {tag}"), &change).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        assert_ne!(changed.headers["etag"].to_str().unwrap(), tag);
        assert_eq!(patch(&tag, &change).await.status, 412, "it was changed since");
        assert_eq!(patch("*", &change).await.status, 200);
    }
}

/// A10 and what issue 4 names: who may not be paid isn't, by a named rule, and the books stay.
#[tokio::test]
async fn payouts_that_break_a_rule_change_nothing() {
    let product = Product::new();
    let (p, hers) = earned(&product).await;
    let (deal_b, berta) = p.rival(&product, "BERTA").await;
    let (_, cleo) = p.rival(&product, "CLEO").await;
    p.deliver(&product, &coded(order(2), "BERTA")).await;
    // Cleo owes.
    let adjust = format!("/v1/creators/{cleo}/adjustments");
    let debt = json!({ "amount": usd("-5.00"), "reason": "r" });
    pay(&product, &p.key, "debt", &adjust, debt).await.expect(201);
    let viewer = json!({ "email": "vic@casa.example", "role": "viewer" });
    p.post(&product, "/v1/members", viewer).await.expect(201);
    let viewer = Member::joins(&product, "vic@casa.example", 4).await;
    let one = draft(&product, &p, "one").await;
    let gone = draft(&product, &p, "gone").await;
    product.call("DELETE", &path_of(&gone), None, &p.key).await.expect(200);
    let approved = draft(&product, &p, "two").await;
    let approval = |payout: &Value| format!("{}/approval", path_of(payout));
    pay(&product, &p.key, "three", &approval(&approved), Value::Null).await.expect(200);
    let nobody = json!({ "currency": "USD", "creator_ids": [berta] });
    let owing = json!({ "currency": "USD", "creator_ids": [cleo] });
    let other = json!({ "currency": "EUR", "creator_ids": [p.creator] });
    let again = json!({ "currency": "USD", "creator_ids": [p.creator] });
    let none = Value::Null;
    let lines = line_of(&approved);
    let (settle, retry) = (format!("{lines}/settlement"), format!("{lines}/retry"));
    let sending = format!("{}/sending", path_of(&approved));
    let books = || product.db.rows("SELECT * FROM entries").len();
    for (what, path, body, status, rule) in [
        ("without details", "/v1/payouts", &nobody, 409, "no-payment-details"),
        ("with an open claw-back", "/v1/payouts", &owing, 409, "nothing-available"),
        ("of another currency", "/v1/payouts", &other, 409, "nothing-available"),
        ("of what is in a payout", "/v1/payouts", &again, 409, "nothing-available"),
        ("more than there is", &approval(&one), &none, 409, "not-enough-available"),
        ("approved twice", &approval(&approved), &none, 409, "payout-approved"),
        ("approved after it was cancelled", &approval(&gone), &none, 409, "payout-cancelled"),
        ("no outcome", &settle, &json!({ "outcome": "sent" }), 422, "invalid"),
        ("tried again while on its way", &retry, &none, 409, "not-failed"),
        ("sent without an account", &sending, &none, 409, "no-payout-provider"),
    ] {
        let (before, entries) = (product.db.checksum(), books());
        let answer =
            pay(&product, &p.key, what.replace(' ', "-").as_str(), path, body.clone()).await;
        assert_eq!(answer.expect(status)["type"], format!("/problems/{rule}"), "{what}");
        assert_eq!((product.db.checksum(), books()), (before, entries), "{what}");
    }
    let before = product.db.checksum();
    let cancelled = product.call("DELETE", &path_of(&approved), None, &p.key).await.expect(409);
    assert_eq!(cancelled["type"], "/problems/payout-approved", "cancelled after approval");
    for (method, path) in
        [("POST", approval(&one)), ("DELETE", path_of(&one)), ("POST", sending), ("POST", retry)]
    {
        assert_eq!(
            by(&viewer, &product, method, &path, "v").await.status,
            403,
            "a viewer: {method} {path}"
        );
        let creator = pay(&product, &hers, "c", &path, Value::Null).await;
        assert!(matches!(creator.status, 403 | 405), "a creator: {path}");
    }
    assert_eq!(product.db.checksum(), before);
    let _ = deal_b;
    p.verify(&product).await;
}

#[tokio::test]
async fn payments_are_attributable() {
    let product = Product::new();
    let (p, owner, payout) = at_paypal(&product).await;
    let rows = || product.db.rows("SELECT * FROM audit ORDER BY at_ms, id");
    let seen = std::cell::Cell::new(rows().len());
    let noted = |actions: &[&str]| {
        let all = rows();
        let mut new: Vec<&str> = all[seen.replace(all.len())..]
            .iter()
            .map(|row| row["action"].as_str().unwrap())
            .collect();
        // What happens in one millisecond has no order in the trail.
        new.sort_unstable();
        assert_eq!(new, actions);
        assert!(!serde_json::to_string(&all).unwrap().contains("hush"));
    };
    let fees = format!("/v1/deals/{}/fees", p.deal);
    let fee = json!({ "amount": usd("5.00"), "stage": "Posted" });
    product.pass(1);
    let fee = pay(&product, &p.key, "1", &fees, fee).await.expect(201);
    noted(&["fee.create"]);
    product.pass(1);
    let path = format!("{fees}/{}/cancellation", fee["id"].as_str().unwrap());
    product.call("POST", &path, None, &p.key).await.expect(200);
    noted(&["fee.cancel"]);
    product.pass(1);
    product.web.1.fail(&[Fault::Refuse(400, "VALIDATION_ERROR")]);
    send(&product, &p, &payout, "2").await.expect(200);
    noted(&["payout.queue", "payout.send", "payout.settle"]);
    product.pass(1);
    pay(&product, &p.key, "3", &format!("{}/retry", line_of(&payout)), Value::Null)
        .await
        .expect(200);
    noted(&["payout.retry"]);
    product.pass(1);
    let account = json!({ "provider": "paypal", "client_id": "other", "client_secret": "hush" });
    let path = "/v1/brand/payout-provider";
    owner.browser.send(&product, "PUT", path, Some(account)).await.expect(200);
    noted(&["payout_provider.update"]);
    product.pass(1);
    owner.browser.delete(&product, path).await;
    noted(&["payout_provider.remove"]);
    let _ = (Authenticator::new(9), invited);
}
