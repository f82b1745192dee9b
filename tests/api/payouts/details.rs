//! Payment details, and who opens them.

use super::*;

#[tokio::test]
async fn payment_details_are_checked_sealed_and_never_shown() {
    let product = Product::new();
    let (p, token) = earned(&product).await;
    // The first entry is told her too: a stranger may have had her invitation.
    let mail = product.mailer.last();
    assert_eq!(mail["to"], "anna@creator.example");
    assert!(mail["text"].as_str().unwrap().contains("Payment details were entered"), "{mail}");
    let shown = product.call("GET", "/v1/me/payment-details", None, &token).await;
    assert!(!shown.text.contains(IBAN) && !shown.text.contains("Muster"), "{}", shown.text);
    let shown = shown.expect(200);
    assert_eq!(
        (&shown["method"], &shown["last4"], &shown["country"]),
        (&json!("iban"), &json!("3000"), &json!("DE"))
    );
    let stored = product.db.rows("SELECT * FROM payment_details");
    let everything = product.db.checksum();
    for trace in [IBAN, "Muster", "37040044"] {
        assert!(!everything.contains(trace), "{trace}");
    }
    assert!(stored[0]["sealed"].as_str().unwrap().len() > 340, "padded");

    // Another creator, nothing entered yet.
    let (deal, _) = p.rival(&product, "BERTA").await;
    let other = self::token(&product, &p, &deal).await;
    let put =
        async |body: Value| product.call("PUT", "/v1/me/payment-details", Some(body), &other).await;
    assert_eq!(product.call("GET", "/v1/me/payment-details", None, &other).await.status, 404);
    let secret = "4111111111111111";
    for bad in [
        json!({ "method": "card", "number": secret }),
        json!({ "method": "paypal" }),
        json!({ "method": "paypal", "email": "anna" }),
        json!({ "method": "paypal", "email": "a@b.example", "iban": IBAN }),
        json!({ "method": "iban", "holder": "A", "iban": "DE88370400440532013000" }),
        json!({ "method": "iban", "holder": "A", "iban": IBAN, "bic": "X" }),
        json!({ "method": "iban", "holder": "", "iban": IBAN }),
        json!({ "method": "iban", "holder": "A\u{7}", "iban": IBAN }),
        json!({ "method": "iban", "holder": "A", "iban": "x".repeat(5000) }),
        json!({ "method": "ach", "holder": "A", "routing_number": "021000021",
            "account_number": secret, "account_type": "checking" }),
        json!({ "method": "ach", "holder": "A", "routing_number": "021000022",
            "account_number": "12345678", "account_type": "checking" }),
        json!({ "method": "ach", "holder": "A", "routing_number": "021000021",
            "account_number": "12345678", "account_type": "gold" }),
    ] {
        let before = product.db.checksum();
        let answer = put(bad.clone()).await;
        assert_eq!(answer.status, 422, "{bad}");
        assert!(
            !answer.text.contains(secret) && !answer.text.contains("37040044"),
            "{}",
            answer.text
        );
        assert_eq!(product.db.checksum(), before);
    }
    put(json!({ "method": "paypal", "email": "berta@pay.example" })).await.expect(200);
    let logs = serde_json::to_string(&*product.log.0.lock().unwrap()).unwrap();
    assert!(!logs.contains(secret) && !logs.contains(IBAN));
    // Put into another's place, they don't open.
    p.deliver(&product, &coded(order(5), "BERTA")).await;
    product
        .db
        .execute("UPDATE payment_details SET sealed = (SELECT max(sealed) FROM payment_details), method = 'paypal'")
        .unwrap();
    let draft =
        pay(&product, &p.key, "d", "/v1/payouts", json!({ "currency": "USD" })).await.expect(201);
    let path = format!("/v1/payouts/{}", draft["id"].as_str().unwrap());
    pay(&product, &p.key, "a", &format!("{path}/approval"), Value::Null).await.expect(200);
    let export = product.call("GET", &format!("{path}/export"), None, &p.key).await;
    assert_eq!(export.status, 409, "{}", export.text);
}

#[tokio::test]
async fn a_change_of_payment_details_needs_a_passkey_and_waits() {
    let product = Product::new();
    let (p, token) = earned(&product).await;
    let changed = json!({ "method": "paypal", "email": "thief@evil.example" });
    let by_token =
        product.call("PUT", "/v1/me/payment-details", Some(changed.clone()), &token).await;
    assert_eq!(by_token.expect(403)["type"], "/problems/step-up");
    let browser = Browser::default();
    let path = format!("/v1/deals/{}/invitation", p.deal);
    product.call("POST", &path, None, &p.key).await.expect(201);
    let invitation = invited(&product, "anna@creator.example");
    browser.sign_in(&product, json!({ "invitation": invitation })).await;
    let put = async || {
        browser.send(&product, "PUT", "/v1/me/payment-details", Some(changed.clone())).await
    };
    assert_eq!(put().await.expect(403)["type"], "/problems/step-up", "signed in, no passkey");
    browser.enroll(&product, &Authenticator::new(7)).await;
    let draft =
        pay(&product, &p.key, "d0", "/v1/payouts", json!({ "currency": "USD" })).await.expect(201);
    let told = put().await.expect(200);
    assert_eq!(told["method"], "paypal");
    let mail = product.mailer.last();
    assert_eq!(mail["to"], "anna@creator.example");
    assert!(mail["text"].as_str().unwrap().contains("payment details"), "{mail}");
    // For two days nothing is paid there, drafted before or not.
    let draft_now = async |name: &str| {
        let body = json!({ "currency": "USD", "creator_ids": [p.creator] });
        pay(&product, &p.key, name, "/v1/payouts", body).await
    };
    assert_eq!(draft_now("d1").await.expect(409)["type"], "/problems/payment-details-changed");
    let approval = format!("/v1/payouts/{}/approval", draft["id"].as_str().unwrap());
    let refused = pay(&product, &p.key, "a1", &approval, Value::Null).await.expect(409);
    assert_eq!(refused["type"], "/problems/payment-details-changed");
    product.pass(48 * HOUR_MS);
    pay(&product, &p.key, "a2", &approval, Value::Null).await.expect(200);
    let export = format!("/v1/payouts/{}/export?format=paypal", draft["id"].as_str().unwrap());
    let file = product.call("GET", &export, None, &p.key).await;
    let line = draft["lines"][0]["id"].as_str().unwrap();
    assert_eq!(file.text, format!("thief@evil.example,13.50,USD,{line}\r\n"));
    // Changed again after the approval: the file leaves her out.
    browser.sign_in(&product, json!({ "email": "anna@creator.example" })).await;
    browser
        .show(&product, &{
            let key = Authenticator::new(7);
            key.count.set(50);
            key
        })
        .await;
    put().await.expect(200);
    assert_eq!(product.call("GET", &export, None, &p.key).await.text, "");
    let csv = product.call("GET", &export.replace("paypal", "csv"), None, &p.key).await;
    assert!(csv.text.contains("details_missing") && !csv.text.contains("thief"), "{}", csv.text);
}

#[tokio::test]
async fn members_approve_and_export_with_a_fresh_passkey() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let owner = Member::joins(&product, "owner@casa.example", 1).await;
    let draft =
        pay(&product, &p.key, "d", "/v1/payouts", json!({ "currency": "USD" })).await.expect(201);
    let path = format!("/v1/payouts/{}", draft["id"].as_str().unwrap());
    let approve = async |name: &str| {
        let headers = [("sec-fetch-site", "same-origin"), ("idempotency-key", name)];
        owner.browser.send_with(&product, "POST", &format!("{path}/approval"), None, &headers).await
    };
    product.pass(10 * 60_000);
    assert_eq!(approve("1").await.expect(403)["type"], "/problems/step-up");
    owner.browser.show(&product, &owner.key).await;
    assert_eq!(approve("1").await.expect(200)["state"], "approved");
    product.pass(10 * 60_000);
    let export = format!("{path}/export");
    let late = owner.browser.get(&product, &export).await.expect(403);
    assert_eq!(late["type"], "/problems/step-up");
    // A brand may keep keys from moving money.
    product
        .call("PATCH", "/v1/brand", Some(json!({ "money_keys": false })), &p.key)
        .await
        .expect(200);
    assert_eq!(product.call("GET", &export, None, &p.key).await.status, 403);
    owner.browser.show(&product, &owner.key).await;
    assert_eq!(owner.browser.get(&product, &export).await.status, 200);
}
