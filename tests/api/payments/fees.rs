//! Fees that are planned: posted once, when their day and their stage came.

use super::*;

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
