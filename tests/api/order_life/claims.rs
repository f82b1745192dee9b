//! Claims: what a creator is told about an order that she misses, and what a grant does.

use super::*;

/// A creator's claims: what she is told, and nothing of others.
#[tokio::test]
async fn a_claim_is_answered_by_her_own_evidence_only() {
    let product = Product::new();
    let (p, berta_deal, berta) = programme(&product).await;
    let anna = token(&product, &p, &p.deal).await;
    p.deliver(&product, &coded(order(1001), "ANNA")).await;
    p.deliver(&product, &coded(order(1002), "BERTA")).await;
    p.deliver(&product, &with(order(1003), json!({ "name": "EU-1003" }))).await;
    let mut both = coded(order(1004), "BERTA");
    both["discount_codes"] = json!([{ "code": "BERTA", "amount": "15.00", "type": "percentage" },
        { "code": "ANNA", "amount": "5.00", "type": "percentage" }]);
    both["discount_applications"] = json!([{ "type": "discount_code", "code": "BERTA" },
        { "type": "discount_code", "code": "ANNA" }]);
    p.deliver(&product, &both).await;
    let claim = async |number: &str| {
        product.pass(1);
        product.call("POST", "/v1/me/claims", Some(json!({ "order_number": number })), &anna).await
    };
    let mut all = String::new();
    for (number, state, result, reason, another, candidates) in [
        ("#1001", "hers", "hers", json!("won"), Value::Null, 1),
        ("1001", "hers", "hers", json!("won"), Value::Null, 1),
        ("1002", "open", "not_hers", json!("no_candidate"), json!("code"), 0),
        ("EU-1003", "open", "not_hers", json!("no_candidate"), Value::Null, 0),
        ("#1004", "open", "not_hers", json!("smaller_discount"), json!("code"), 1),
        ("1005", "unknown", "unknown_order", Value::Null, Value::Null, 0),
        ("' OR 1=1--", "unknown", "unknown_order", Value::Null, Value::Null, 0),
    ] {
        let answer = claim(number).await;
        all.push_str(&answer.text);
        let told = answer.expect(201);
        assert_eq!(
            (told["state"].as_str(), told["answer"]["result"].as_str()),
            (Some(state), Some(result)),
            "{told}"
        );
        assert_eq!(told["answer"]["reason"], reason, "{told}");
        assert_eq!(told["answer"]["another_creators"], another, "{told}");
        assert_eq!(told["answer"]["candidates"].as_array().unwrap().len(), candidates, "{told}");
    }
    let again = claim("#1002").await.expect(409);
    assert_eq!(again["type"], "/problems/claim-open");
    let mine = product.call("GET", "/v1/me/claims?limit=2", None, &anna).await;
    all.push_str(&mine.text);
    let mine = mine.expect(200);
    assert_eq!(mine["data"][1]["order_number"], "1005");
    let cursor = mine["next_cursor"].as_str().unwrap();
    let rest = format!("/v1/me/claims?limit=200&cursor={cursor}");
    let rest = product.call("GET", &rest, None, &anna).await;
    all.push_str(&rest.text);
    assert_eq!(rest.expect(200)["data"].as_array().unwrap().len(), 5);
    for secret in ["BERTA", "Berta", &berta, &berta_deal, "\"order_id\"", "order_0", "buyer@"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    // Nor does Berta see Anna's.
    let hers = token(&product, &p, &berta_deal).await;
    let none = product.call("GET", "/v1/me/claims", None, &hers).await.expect(200);
    assert_eq!(none["data"], json!([]));
    for bad in [
        json!({}),
        json!({ "order_number": "" }),
        json!({ "order_number": "x".repeat(65) }),
        json!({ "order_number": 1001 }),
        json!({ "order_number": "1", "deal_id": berta_deal }),
        json!({ "order_number": "1", "store_id": "x" }),
        json!({ "order_number": "1", "note": "x".repeat(501) }),
        json!({ "order_number": "1", "creator_id": berta }),
    ] {
        let before = product.db.checksum();
        let answer = product.call("POST", "/v1/me/claims", Some(bad.clone()), &anna).await;
        assert_eq!(answer.status, 422, "{bad}");
        assert_eq!(product.db.checksum(), before);
    }
}

/// Twenty within a day, also when they come at once; the order must be of the last 400 days.
#[tokio::test]
async fn nobody_asks_through_all_orders() {
    let product = Product::new();
    let (p, ..) = programme(&product).await;
    let anna = token(&product, &p, &p.deal).await;
    let claim = async |number: String| {
        let body = Some(json!({ "order_number": number }));
        product.call("POST", "/v1/me/claims", body, &anna).await
    };
    let claims = (0..50).map(|n| claim(n.to_string()));
    let answers = at_once(claims).await;
    assert_eq!(answers.iter().filter(|a| a.status == 201).count(), 20);
    let refused: Vec<_> = answers.iter().filter(|a| a.status != 201).collect();
    assert!(refused.iter().all(|a| a.status == 429 && a.headers.contains_key("retry-after")));
    product.pass(DAY_MS - 1);
    assert_eq!(claim("x".into()).await.status, 429);
    product.pass(1);
    p.deliver(&product, &coded(order(7), "ANNA")).await;
    assert_eq!(claim("7".into()).await.expect(201)["state"], "hers");
    product.pass(400 * DAY_MS);
    let anna = token(&product, &p, &p.deal).await;
    let body = Some(json!({ "order_number": "7" }));
    let old = product.call("POST", "/v1/me/claims", body, &anna).await.expect(201);
    assert_eq!(old["answer"]["result"], "unknown_order");
}

#[tokio::test]
async fn two_shops_may_have_the_same_number() {
    let product = Product::new();
    let (p, ..) = programme(&product).await;
    let anna = token(&product, &p, &p.deal).await;
    let second = json!({ "platform": "shopify", "shop_domain": "two.myshopify.com",
        "storefront_url": "https://two.example", "client_id": "c", "client_secret": "two" });
    let second = p.post(&product, "/v1/stores", second).await.expect(201)["id"].clone();
    p.deliver(&product, &coded(order(7), "ANNA")).await;
    let theirs = order(7).to_string();
    product.deliver(second.as_str().unwrap(), "two", theirs.as_bytes()).await;
    let claim = async |body: Value| {
        product.call("POST", "/v1/me/claims", Some(body), &anna).await.expect(201)
    };
    let both = claim(json!({ "order_number": "7" })).await;
    assert_eq!(
        (&both["state"], &both["answer"]["result"]),
        (&json!("unknown"), &json!("several_stores"))
    );
    assert_eq!(both["answer"]["stores"].as_array().unwrap().len(), 2);
    let one = claim(json!({ "order_number": "7", "store_id": p.store })).await;
    assert_eq!(one["state"], "hers");
    assert_eq!(claim(json!({ "order_number": "7", "store_id": second })).await["state"], "open");
}

#[tokio::test]
async fn a_granted_claim_moves_the_order_and_a_declined_one_does_not() {
    let product = Product::new();
    let (p, berta_deal, berta) = programme(&product).await;
    let anna = token(&product, &p, &p.deal).await;
    for external in [1, 2] {
        p.deliver(&product, &coded(order(external), "BERTA")).await;
        let body = json!({ "order_number": external.to_string(), "note": "she saw my video" });
        product.call("POST", "/v1/me/claims", Some(body), &anna).await.expect(201);
        product.pass(1);
    }
    let open = p.get(&product, "/v1/claims?state=open").await;
    let ids: Vec<&str> =
        open["data"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), &open["data"][1]["creator_id"]), (2, &json!(p.creator)));
    assert_eq!(open["data"][1]["note"], "she saw my video");
    let decide = async |key: &str, id: &str, body: Value| {
        pay(&product, &p.key, key, &format!("/v1/claims/{id}/decision"), body).await
    };
    for bad in [
        json!({}),
        json!({ "outcome": "maybe" }),
        json!({ "outcome": "granted", "note": "" }),
        json!({ "outcome": "granted", "deal_id": berta_deal }),
    ] {
        let before = product.db.checksum();
        assert_eq!(decide("bad", ids[1], bad.clone()).await.status, 422, "{bad}");
        assert_eq!(product.db.checksum(), before);
    }
    // Fifty at once, of which one counts.
    let all = (0..50).map(|n| {
        let body = json!({ "outcome": "granted", "note": "we looked" });
        let (id, decide) = (ids[1], &decide);
        async move { decide(&format!("g{n}"), id, body).await }
    });
    let answers = at_once(all).await;
    let counted: Vec<_> = answers.iter().filter(|a| a.status == 200).collect();
    assert_eq!(counted.len(), 1);
    assert!(answers.iter().all(|a| [200, 409].contains(&a.status)));
    assert_eq!(counted[0].json["state"], "granted");
    assert_eq!(counted[0].json["deal_id"], p.deal.as_str());
    assert_eq!(p.order(&product, 1).await["deal_id"], p.deal.as_str());
    assert_eq!(pending(&product, &p, &p.creator).await, "13.50");
    assert_eq!(pending(&product, &p, &berta).await, "27.00");
    let why = format!("/v1/orders/{}/attribution", id_of(&product, &p, 1).await);
    let told = p.get(&product, &why).await;
    assert_eq!(
        (&told["moved"]["claim_id"], &told["moved"]["reason"]),
        (&json!(ids[1]), &json!("her claim was granted"))
    );
    let mail = product.mailer.last();
    assert_eq!(mail["to"], "anna@creator.example");
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains("order 1") && text.contains("yours now"), "{text}");

    // Nothing but the claim itself guards this.
    let all = (0..50).map(|n| {
        let (id, decide) = (ids[0], &decide);
        async move { decide(&format!("d{n}"), id, json!({ "outcome": "declined" })).await }
    });
    let answers = at_once(all).await;
    let counted = answers.iter().position(|a| a.status == 200).unwrap();
    assert_eq!(answers.iter().filter(|a| a.status == 200).count(), 1);
    let (key, declined) = (format!("d{counted}"), answers[counted].json.clone());
    assert_eq!(declined["state"], "declined");
    assert_eq!(p.order(&product, 2).await["deal_id"], berta_deal.as_str());
    let again = decide("e", ids[0], json!({ "outcome": "granted" })).await.expect(409);
    assert_eq!(again["type"], "/problems/claim-not-open");
    assert_eq!(decide(&key, ids[0], json!({ "outcome": "declined" })).await.expect(200), declined);
    let hers = product.call("GET", "/v1/me/claims", None, &anna).await.expect(200);
    assert_eq!(hers["data"][1]["decision_note"], "we looked");
    assert_eq!(p.get(&product, "/v1/claims?state=open").await["data"], json!([]));
    p.verify(&product).await;

    // One who has two deals says which; an order that was moved by hand meanwhile is granted as it is.
    let second = json!({ "creator_id": p.creator, "campaign_id": p.campaign, "commission_percent": "30",
        "starts_at": "2026-01-01T00:00:00Z" });
    let second = p.post(&product, "/v1/deals", second).await.expect(201)["id"].clone();
    product.pass(1);
    let body = json!({ "order_number": "2" });
    product.call("POST", "/v1/me/claims", Some(body), &anna).await.expect(201);
    let id = p.get(&product, "/v1/claims").await["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(decide("f", &id, json!({ "outcome": "granted" })).await.status, 422);
    move_to(&product, &p, "by-hand", 2, second.clone()).await.expect(200);
    let granted = json!({ "outcome": "granted", "deal_id": second });
    decide("g", &id, granted).await.expect(200);
    assert_eq!(pending(&product, &p, &p.creator).await, "54.00");
    p.verify(&product).await;

    // She is told all of it, and it goes with her.
    let told = product.call("GET", "/v1/me/export", None, &anna).await;
    assert_eq!(told.text.matches("she saw my video").count(), 2, "{}", told.text);
    product.db.execute("DELETE FROM balances").unwrap();
    let path = format!("/v1/creators/{}/erasure", p.creator);
    p.post(&product, &path, json!({ "confirm": "@anna.home" })).await.expect(200);
    assert_eq!(product.db.rows("SELECT * FROM claims"), Vec::<Value>::new());
    for said in ["she saw my video", "we looked", "agreed with both"] {
        let left: Vec<_> =
            product.db.rows("SELECT after FROM audit").into_iter().map(|r| r.to_string()).collect();
        assert!(!left.join("").contains(said), "{said} stays in the trail");
    }
    assert!(!product.db.checksum().contains("she saw my video"));
    assert!(!product.db.checksum().contains("we looked"));
}

/// A claim that is granted because the order is hers already is granted only if it still is.
#[tokio::test]
async fn what_a_grant_relies_on_must_still_be_true() {
    let product = Product::new();
    let (p, berta_deal, berta) = programme(&product).await;
    let anna = token(&product, &p, &p.deal).await;
    p.deliver(&product, &coded(order(1), "BERTA")).await;
    let claim = Some(json!({ "order_number": "1" }));
    let claim = product.call("POST", "/v1/me/claims", claim, &anna).await.expect(201);
    let path = format!("/v1/claims/{}/decision", claim["id"].as_str().unwrap());
    move_to(&product, &p, "hers", 1, json!(p.deal)).await.expect(200);
    // Somebody changes the order while the claim is decided: it is looked at again.
    let sql = format!(
        "UPDATE orders SET revision = revision + 1, deal_id = '{berta_deal}', creator_id = '{berta}',
           decision = json_set(decision, '$.winner.deal', '{berta_deal}', '$.winner.creator', '{berta}')"
    );
    product.db.before("UPDATE claims", &sql);
    let granted = pay(&product, &p.key, "g", &path, json!({ "outcome": "granted" })).await;
    assert_eq!(granted.expect(200)["state"], "granted");
    assert_eq!(p.order(&product, 1).await["deal_id"], p.deal.as_str(), "moved, not only told");

    // A claim that went away meanwhile moves nothing.
    p.deliver(&product, &coded(order(2), "BERTA")).await;
    product.pass(1);
    let claim = Some(json!({ "order_number": "2" }));
    let claim = product.call("POST", "/v1/me/claims", claim, &anna).await.expect(201);
    let path = format!("/v1/claims/{}/decision", claim["id"].as_str().unwrap());
    product.db.before("UPDATE claims", "DELETE FROM claims");
    pay(&product, &p.key, "h", &path, json!({ "outcome": "granted" })).await.expect(404);
    assert_eq!(p.order(&product, 2).await["deal_id"], berta_deal.as_str());
}
