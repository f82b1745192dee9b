//! Sending by PayPal: at most one payment, whatever the network and PayPal do.

use super::*;

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
            for format in ["csv", "paypal"] {
                let file = format!("{}/export?format={format}", path_of(&payout));
                let file = product.call("GET", &file, None, &p.key).await;
                assert!(file.status == 200 && !file.text.contains("anna@pay"), "{}", file.text);
            }
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

/// The first try is told to have arrived while the second is with PayPal: nobody says by hand what becomes of it.
#[tokio::test]
async fn a_contradicted_try_does_not_hide_the_one_that_is_in_flight() {
    let product = Product::new();
    let (p, _, payout) = at_paypal(&product).await;
    product.web.1.settle("RETURNED");
    send(&product, &p, &payout, "s").await.expect(200);
    minutes(&product, 5).await;
    let retry = format!("{}/retry", line_of(&payout));
    pay(&product, &p.key, "r", &retry, Value::Null).await.expect(200);
    send(&product, &p, &payout, "s2").await.expect(200);
    product
        .db
        .execute("UPDATE payout_sendings SET state = 'contradicted' WHERE attempt = 1")
        .unwrap();
    let state = sending(&product, &p, &payout).await;
    assert_eq!((&state["state"], &state["in_flight"]), (&json!("contradicted"), &json!(true)));
    let before = product.db.checksum();
    let all = json!({ "outcome": "settled" });
    let path = format!("{}/settlement", path_of(&payout));
    let told = pay(&product, &p.key, "h", &path, all).await.expect(409);
    assert_eq!(told["type"], "/problems/nothing-to-settle");
    let path = format!("{}/settlement", line_of(&payout));
    let one = json!({ "outcome": "settled" });
    let told = pay(&product, &p.key, "i", &path, one).await.expect(409);
    assert_eq!(told["type"], "/problems/in-flight");
    let early = json!({ "outcome": "settled", "attempt": 1 });
    let told = pay(&product, &p.key, "j", &path, early).await.expect(409);
    assert_eq!(told["type"], "/problems/tried-again");
    assert_eq!(product.db.checksum(), before);
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

/// The page sends what the API would: not what was told in a file, and a form that is sent twice sends once.
#[tokio::test]
async fn the_page_sends_what_waits_for_paypal() {
    let product = Product::new();
    let (p, owner, payout) = at_paypal(&product).await;
    let at = |what: &str| {
        format!(
            "/b/{}/payouts/{}{what}",
            p.brand["id"].as_str().unwrap(),
            payout["id"].as_str().unwrap()
        )
    };
    let shown = async || owner.browser.sees(&product, &at("")).await.text;
    let page = shown().await;
    assert!(page.contains("Send 1 by PayPal"));
    let form = page.split("/sending\"").nth(1).unwrap();
    let once = hidden(form, "once");
    let send = async || owner.browser.fills(&product, &at("/sending"), &[("once", &once)]).await;
    // An old passkey doesn't do, and whoever only looks can't.
    product.db.execute("UPDATE sessions SET stepped_up_at_ms = 0").unwrap();
    assert!(matches!(send().await.status, 401 | 403));
    assert!(product.db.rows("SELECT * FROM payout_sendings").is_empty());
    owner.browser.show(&product, &owner.key).await;
    for _ in 0..2 {
        assert_eq!(send().await.status, 303);
        minutes(&product, 1).await;
    }
    assert_eq!(product.web.1.paid()["anna@pay.example"], ["13.50"]);
    assert_eq!(product.web.1.asked_to_pay(), 1);
    let page = shown().await;
    assert!(
        !page.contains("by PayPal</button>") && page.contains("PayPal: "),
        "nothing more to send"
    );
    product.web.1.settle("SUCCESS");
    product.pass(DAY_MS);
    minutes(&product, 1).await;
    assert_eq!(sending(&product, &p, &payout).await["state"], "settled");
    p.verify(&product).await;
}

/// What stands in a file for PayPal isn't counted among what can be sent.
#[tokio::test]
async fn what_went_by_a_file_is_not_offered_to_be_sent() {
    let product = Product::new();
    let (p, owner, payout) = at_paypal(&product).await;
    let file = format!("{}/export?format=paypal", path_of(&payout));
    product.call("GET", &file, None, &p.key).await;
    assert_eq!(p.get(&product, &path_of(&payout)).await["lines"][0]["way"], "file");
    let at = format!(
        "/b/{}/payouts/{}",
        p.brand["id"].as_str().unwrap(),
        payout["id"].as_str().unwrap()
    );
    let page = owner.browser.sees(&product, &at).await.text;
    assert!(!page.contains("by PayPal</button>") && page.contains("in a payment file"), "{page}");
    let again = super::send(&product, &p, &payout, "late").await.expect(409);
    assert_eq!(again["type"], "/problems/nothing-to-send");
}
