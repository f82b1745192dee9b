//! Drafts and who approves them, what is paid by file, and what is tried again.

use super::*;

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
