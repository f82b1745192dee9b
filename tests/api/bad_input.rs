//! Bad input gets a clear error and changes nothing (reliability review: A1 to A9 and more).

use http::Request;
use serde_json::{Value, json};

use crate::support::shop::{coded, order};
use crate::support::{OPERATOR, Product, Programme};

#[tokio::test]
async fn who_is_not_known_gets_in_nowhere() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let before = product.db.checksum();
    let revoked = "tbk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (path, methods) in tributary::web::api::ROUTES {
        let open = [
            "/healthz",
            "/openapi.json",
            "/v1/status",
            "/v1/invitations/acceptance",
            // Its address is its secret.
            "/webhooks/goaffpro/{id}",
        ];
        if open.contains(path) || path.starts_with("/v1/sign-in") {
            continue;
        }
        let path = path.replace("{id}", &p.deal);
        for method in *methods {
            for token in ["", "garbage", revoked, "tbk_", "tbc_x"] {
                let answer = product.call(&method.to_uppercase(), &path, None, token).await;
                assert_eq!(answer.status, 401, "{method} {path} {token}");
                assert_eq!(answer.json["type"], "/problems/unauthenticated");
                assert_eq!(answer.headers["content-type"], "application/problem+json");
            }
        }
    }
    assert_eq!(product.db.checksum(), before);
}

#[tokio::test]
async fn a_key_in_an_address_is_refused_and_revoked() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let answer = product.call("GET", &format!("/v1/brand?api_key={}", p.key), None, "").await;
    assert_eq!(answer.status, 400);
    assert!(!answer.text.contains(&p.key));
    assert_eq!(product.call("GET", "/v1/brand", None, &p.key).await.status, 401);
}

#[tokio::test]
async fn bodies_that_are_wrong_change_nothing() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deals = json!({ "creator_id": p.creator, "campaign_id": p.campaign });
    let deal = |changes: Value| {
        let mut body = deals.clone();
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let links = format!("/v1/deals/{}/links", p.deal);
    let terms = format!("/v1/deals/{}/terms", p.deal);
    let long = "x".repeat(8192);
    let mut cases: Vec<(&str, &str, Value, u16, &str)> = Vec::new();
    for rate in [
        json!("-1"),
        json!("100.01"),
        json!("10%"),
        json!("1e309"),
        json!("10.005"),
        json!(null),
        json!(10),
        json!(""),
    ] {
        cases.push((
            "POST",
            &terms,
            json!({ "commission_percent": rate }),
            422,
            "commission_percent",
        ));
        cases.push((
            "POST",
            "/v1/deals",
            deal(json!({ "commission_percent": rate })),
            422,
            "commission_percent",
        ));
    }
    for (field, value) in [
        ("brand_id", json!("brand_x")),
        ("role", json!("owner")),
        ("balance", json!(1)),
        ("status", json!("paid")),
    ] {
        cases.push(("POST", "/v1/deals", deal(json!({ field: value })), 422, field));
        cases.push(("PATCH", "/v1/brand", json!({ field: value }), 422, field));
    }
    for target in [
        "javascript:alert(1)",
        "data:x",
        "http://shop",
        "https://shop@evil",
        "shop.com.evil",
        "/\\evil",
        "//evil.test",
        &long,
    ] {
        cases.push(("POST", &links, json!({ "target": target }), 422, "target"));
    }
    for slug in ["", "-x", "a b", "ä", "a.b", ".well-known", &long] {
        cases.push(("POST", &links, json!({ "slug": slug }), 422, "slug"));
    }
    for amount in ["-1", "9007199254740992", "0.001", "1.5.0", "1e3"] {
        cases.push((
            "PATCH",
            "/v1/brand",
            json!({ "payout_minimum": { "amount": amount, "currency": "USD" } }),
            422,
            "payout_minimum",
        ));
    }
    cases.extend([
        ("PATCH", "/v1/brand", json!({ "payout_minimum": { "amount": 5, "currency": "USD" } }), 422, "payout_minimum.amount"),
        ("PATCH", "/v1/brand", json!({ "hold_days": 366 }), 422, "hold_days"),
        ("PATCH", "/v1/brand", json!({ "hold_days": "30" }), 422, "hold_days"),
        ("PATCH", "/v1/brand", json!({ "attribution": { "window_days": 0 } }), 422, "attribution.window_days"),
        ("PATCH", "/v1/brand", json!({ "attribution": { "x": 0 } }), 422, "attribution.x"),
        ("PATCH", "/v1/brand", json!({ "link_domain": "http://x.example" }), 422, "link_domain"),
        ("PATCH", "/v1/brand", json!({ "link_domain": "10.0.0.1" }), 422, "link_domain"),
        ("PATCH", "/v1/brand", json!({ "timezone": "Mars/Olympus" }), 422, "timezone"),
        ("PATCH", "/v1/brand", json!({ "name": " \u{0} " }), 422, "name"),
        ("POST", "/v1/creators", json!({ "name": "A" }), 422, "handle"),
        ("POST", "/v1/creators", json!({ "name": "A", "handle": "a", "email": "a@b,c@d" }), 422, "email"),
        ("POST", "/v1/creators", json!({ "name": "A\r\nBcc: x", "handle": "a" }), 422, "name"),
        ("POST", "/v1/creators", json!({ "name": 5, "handle": "a" }), 422, "name"),
        ("POST", "/v1/creators", json!({ "name": "A", "handle": "a", "followers": -1 }), 422, "followers"),
        ("POST", "/v1/creators", json!({ "name": "A", "handle": "a", "tags": ["", "b"] }), 422, "tags[0]"),
        ("POST", "/v1/campaigns", json!({ "name": "A", "stages": [] }), 422, "stages"),
        ("POST", "/v1/campaigns", json!({ "name": "A", "stages": ["X", "X"] }), 422, "stages[1]"),
        ("POST", "/v1/deals", deal(json!({ "stage": "Nowhere" })), 422, "stage"),
        ("POST", "/v1/deals", deal(json!({ "creator_id": 7 })), 422, "creator_id"),
        ("POST", "/v1/deals", deal(json!({ "creator_id": "deal_x" })), 422, "creator_id"),
        ("POST", "/v1/deals", deal(json!({ "commission_percent": "1", "starts_at": "yesterday" })), 422, "starts_at"),
        ("POST", "/v1/stores", json!({ "platform": "shopify", "shop_domain": "evil.example", "storefront_url": "https://x.example", "client_id": "a", "client_secret": "b" }), 422, "shop_domain"),
        ("POST", "/v1/stores", json!({ "platform": "magento", "shop_domain": "x.myshopify.com", "storefront_url": "https://x.example", "client_id": "a", "client_secret": "b" }), 422, "platform"),
        ("POST", "/v1/stores", json!({ "platform": "shopify", "shop_domain": "x.myshopify.com", "storefront_url": "javascript:x", "client_id": "a", "client_secret": "b" }), 422, "storefront_url"),
        ("POST", "/v1/stores", json!({ "platform": "shopify", "shop_domain": "casa.myshopify.com", "storefront_url": "https://x.example", "client_id": "a", "client_secret": "b" }), 409, ""),
    ]);
    let before = product.db.checksum();
    for (method, path, body, status, field) in cases {
        let answer = product.call(method, path, Some(body.clone()), &p.key).await;
        assert_eq!(answer.status, status, "{method} {path} {body} → {}", answer.text);
        if !field.is_empty() {
            let named: Vec<&str> = answer.json["errors"]
                .as_array()
                .unwrap()
                .iter()
                .map(|e| e["field"].as_str().unwrap())
                .collect();
            assert!(named.contains(&field), "{method} {path} {body} → {named:?}");
        }
        assert_eq!(product.db.checksum(), before, "{method} {path} {body}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let before = product.db.checksum();
    let send = async |content_type: Option<&str>, body: Vec<u8>| {
        let mut request = Request::builder()
            .method("POST")
            .uri("/v1/creators")
            .header("authorization", format!("Bearer {}", p.key));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        product.raw(request.body(body).unwrap()).await.status
    };
    let json_type = Some("application/json; charset=utf-8");
    for bad in [
        "",
        "{",
        r#"{"name":"a","handle":"b"} x"#,
        r#"{"name":"a","name":"b","handle":"c"}"#,
        "[]",
        "null",
        "\u{feff}{}",
    ] {
        assert_eq!(send(json_type, bad.as_bytes().to_vec()).await, 400, "{bad}");
    }
    assert_eq!(send(json_type, vec![0xff, 0xfe]).await, 400);
    assert_eq!(
        send(json_type, format!("{}1{}", "[".repeat(1000), "]".repeat(1000)).into_bytes()).await,
        400
    );
    assert_eq!(send(json_type, vec![b' '; 2 * 1024 * 1024]).await, 413);
    for wrong in [
        None,
        Some("text/plain"),
        Some("multipart/form-data; boundary=x"),
        Some("application/jsonp"),
    ] {
        assert_eq!(send(wrong, br#"{"name":"a","handle":"b"}"#.to_vec()).await, 415, "{wrong:?}");
    }
    assert_eq!(product.db.checksum(), before);
}

#[tokio::test]
async fn unknown_paths_and_methods_say_so() {
    let product = Product::new();
    assert_eq!(product.call("GET", "/v1/nothing", None, "").await.status, 404);
    assert_eq!(product.call("GET", "/.git/config", None, "").await.status, 404);
    let answer = product.call("DELETE", "/v1/brand", None, "").await;
    assert_eq!(answer.status, 405);
    let allow = answer.headers["allow"].to_str().unwrap();
    assert!(allow.contains("GET") && allow.contains("PATCH"), "{allow}");
    assert_eq!(answer.json["type"], "/problems/method-not-allowed");
    let long = format!("/v1/orders?external_id={}", "9".repeat(10_000));
    assert_eq!(product.call("GET", &long, None, OPERATOR).await.status, 414);
    for path in
        ["/v1/deals/deal_x", "/v1/deals/..%2f..%2f", "/v1/orders/%ff", "/v1/deals/1'%20OR%201=1--"]
    {
        let p = Programme::new(&product).await;
        assert_eq!(product.call("GET", path, None, &p.key).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn slugs_and_queries_that_are_no_shoppers() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    p.post(&product, &format!("/v1/deals/{}/links", p.deal), json!({ "slug": "anna" }))
        .await
        .expect(201);
    for slug in [
        "",
        "/evil.test",
        "%2f%2fevil.test",
        "\\evil.test",
        "@evil.test",
        "a%0d%0aSet-Cookie:x=1",
        "%ff%fe",
        "anna\u{0}",
        "anna\u{202e}",
        "аnna",
        "anna/x",
        "v1/brand",
    ] {
        assert_eq!(product.visit("", slug, "", "x").await, Err(404), "{slug}");
    }
    let long = "a".repeat(10_000);
    assert_eq!(product.visit("", &long, "", "x").await, Err(414));
    assert_eq!(product.visit("", "anna", &long.repeat(10), "x").await, Err(414));
    assert_eq!(product.visit("", "anna", &"a=1&".repeat(500), "x").await, Err(400));
    let to = product
        .visit("", "anna", "url=https://evil.test&next=//evil.test&click_id=forged&a=%0d%0aX", "x")
        .await
        .unwrap();
    assert!(to.starts_with("https://shop.casa.example/?url=https://evil.test&next=//evil.test&a=%0d%0aX&ref=anna&click_id="), "{to}");
    // A target that nobody's API wrote is not followed.
    product.db.execute("UPDATE links SET target = 'javascript:alert(1)'").unwrap();
    product.pass(300_000);
    product.cache.0.lock().unwrap().clear();
    let to = product.visit("", "anna", "", "x").await.unwrap();
    assert!(to.starts_with("https://shop.casa.example/?ref=anna&click_id="), "{to}");
    product.db.execute("UPDATE stores SET storefront_url = 'https://evil.test/path'").unwrap();
    product.pass(300_000);
    product.cache.0.lock().unwrap().clear();
    assert_eq!(product.visit("", "anna", "", "x").await, Err(404));
    let logged = product.log.0.lock().unwrap();
    assert!(logged.iter().any(|line| line["event"] == "stored_link_untrusted"));
}

#[tokio::test]
async fn any_doubt_about_a_delivery_gets_the_same_answer() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let q = Programme::new(&product).await;
    product
        .call(
            "PATCH",
            &format!("/v1/stores/{}", q.store),
            Some(json!({ "client_secret": "theirs" })),
            &q.key,
        )
        .await
        .expect(200);
    product.pass(3_600_001);
    let before = product.db.checksum();
    let body = coded(order(1), "X").to_string();
    let good = crate::support::shop::sign(crate::support::SECRET, body.as_bytes());
    let mut flipped = body.clone().into_bytes();
    flipped[10] ^= 1;
    for (store, signature, body) in [
        (p.store.as_str(), None, body.as_bytes()),
        (&p.store, Some(""), body.as_bytes()),
        (&p.store, Some("AAAA"), body.as_bytes()),
        (&p.store, Some(good.as_str()), &flipped),
        (&q.store, Some(&good), body.as_bytes()),
        ("store_01h455vb4pex5vsknk084sn02q", Some(&good), body.as_bytes()),
        ("../etc", Some(&good), body.as_bytes()),
        ("", Some(&good), body.as_bytes()),
    ] {
        assert_eq!(
            product.deliver_signed(store, signature, body).await,
            401,
            "{store} {signature:?}"
        );
    }
    assert_eq!(product.db.checksum(), before);
    let large = vec![b' '; 8 * 1024 * 1024 + 1];
    assert_eq!(product.deliver(&p.store, crate::support::SECRET, &large).await, 413);
}
