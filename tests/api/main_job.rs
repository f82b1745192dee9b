//! Link → click → order → commission → balance → the creator's earnings, and what a brand sets up.

use serde_json::json;

use crate::support::shop::{clicked, coded, order};
use crate::support::{NOW_MS, OPERATOR, PHONE, Product, Programme};

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn a_creator_reads_what_she_earned() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let link = p
        .post(&product, &format!("/v1/deals/{}/links", p.deal), json!({ "target": "/products/x" }))
        .await
        .expect(201);
    assert_eq!(link["slug"], "anna-home");
    assert_eq!(link["url"], "https://app.tributary.test/go/anna-home");

    product.set_now(NOW_MS - 2 * 3_600_000);
    let location = product.visit("", "Anna-Home", "utm_source=ig", PHONE).await.unwrap();
    let expected = "https://shop.casa.example/products/x?utm_source=ig&ref=anna-home&click_id=";
    assert!(location.starts_with(expected), "{location}");
    let click_id = location.rsplit('=').next().unwrap().to_owned();
    assert!(click_id.len() <= 64);
    product.set_now(NOW_MS);

    assert_eq!(p.deliver(&product, &clicked(order(1001), &click_id)).await, 200);
    let stored = p.order(&product, 1001).await;
    assert_eq!(stored["base"], json!({ "amount": "135.00", "currency": "USD" }));
    assert_eq!(stored["commission"], json!({ "amount": "13.50", "currency": "USD" }));
    assert_eq!(stored["state"], "paid");
    assert_eq!(stored["deal_id"], p.deal);
    let why = p
        .get(&product, &format!("/v1/orders/{}/attribution", stored["id"].as_str().unwrap()))
        .await;
    assert_eq!((&why["method"], &why["reason"]), (&json!("link"), &json!("won")));
    assert_eq!(why["candidates"][0]["evidence"], click_id);
    assert_eq!(why["candidates"][0]["at"], "2026-11-22T06:00:00.000Z");
    assert_eq!(why["rules"]["window_days"], 30);

    let balance = p.balance(&product, &p.creator, "USD").await;
    assert_eq!((&balance["pending"], &balance["available"]), (&json!("13.50"), &json!("0.00")));
    let performance = p.get(&product, &format!("/v1/deals/{}/performance", p.deal)).await;
    assert_eq!(performance["clicks"], json!({ "total": 1, "unique": 1, "filtered": 0 }));
    assert_eq!(
        (&performance["orders"], &performance["conversion_percent"]),
        (&json!(1), &json!("100"))
    );

    let invitation = product
        .call("POST", &format!("/v1/deals/{}/invitation", p.deal), None, &p.key)
        .await
        .expect(201);
    let token = invitation["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let accept =
        || product.call("POST", "/v1/invitations/acceptance", Some(json!({ "token": token })), "");
    let accepted = accept().await.expect(201);
    assert_eq!(accept().await.status, 409, "once only");
    let access = accepted["access_token"].as_str().unwrap();
    let earnings = product.call("GET", "/v1/me/earnings", None, access).await.expect(200);
    assert_eq!(earnings["balances"][0]["pending"], "13.50");
    let deal = &earnings["deals"][0];
    assert_eq!((&deal["brand"], &deal["campaign"]), (&json!("Casa"), &json!("Autumn")));
    assert_eq!((&deal["clicks"], &deal["orders"]), (&json!(1), &json!(1)));
    assert_eq!(deal["commission"], json!([{ "amount": "13.50", "currency": "USD" }]));
    let orders = product.call("GET", "/v1/me/orders", None, access).await.expect(200);
    assert_eq!(orders["data"][0]["commission"]["amount"], "13.50");
    p.verify(&product).await;
}

#[tokio::test]
async fn holds_end_and_the_books_are_sealed() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    p.post(
        &product,
        &format!("/v1/deals/{}/codes", p.deal),
        json!({ "code": "ANNA10", "create_in_store": false }),
    )
    .await
    .expect(201);
    assert_eq!(p.deliver(&product, &coded(order(1), "anna10")).await, 200);
    product.pass(30 * DAY_MS - 1000 - 8 * 3_600_000);
    assert_eq!(p.balance(&product, &p.creator, "USD").await["available"], "0.00");
    product.pass(8 * 3_600_000);
    // Due days count as available before the job has moved them, and after.
    for _ in 0..3 {
        let balance = p.balance(&product, &p.creator, "USD").await;
        assert_eq!((&balance["pending"], &balance["available"]), (&json!("0.00"), &json!("13.50")));
        tributary::jobs::run_all(&product.app).await;
        p.verify(&product).await;
    }
    let verified = p.get(&product, "/v1/ledger/verification").await;
    assert_eq!((&verified["transactions"], &verified["entries"]), (&json!(2), &json!(4)));
    assert_eq!(verified["head"]["size"], 4);
    let status = product.call("GET", "/v1/status", None, "").await.expect(200);
    assert_eq!(status["unsealed_age_seconds"], json!(null));
    assert!(status["jobs"].as_array().unwrap().iter().all(|job| job["succeeded"] == true));
}

#[tokio::test]
async fn a_flipped_digit_in_the_ledger_is_found() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let (deal, _) = p.rival(&product, "B20").await;
    assert!(deal.starts_with("deal_"));
    assert_eq!(p.deliver(&product, &coded(order(1), "B20")).await, 200);
    tributary::jobs::run_all(&product.app).await;
    p.verify(&product).await;
    product.db.execute("DROP TRIGGER entries_never_change").unwrap();
    // Both legs, so that the sums still agree: only the tree can tell.
    product.db.execute("UPDATE entries SET amount_minor = amount_minor * 2").unwrap();
    product.db.execute("UPDATE balances SET amount_minor = amount_minor * 2").unwrap();
    let found = p.get(&product, "/v1/ledger/verification").await;
    assert_eq!((&found["balances_match"], &found["chain_intact"]), (&json!(true), &json!(false)));
    product.db.execute("UPDATE balances SET amount_minor = amount_minor + 1").unwrap();
    assert_eq!(p.get(&product, "/v1/ledger/verification").await["balances_match"], false);
}

#[tokio::test]
async fn links_are_closed_retargeted_and_moved_to_a_domain() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let links = format!("/v1/deals/{}/links", p.deal);
    let link = p.post(&product, &links, json!({ "slug": "Sommer" })).await.expect(201);
    let path = format!("/v1/links/{}", link["id"].as_str().unwrap());
    let patch = async |body| product.call("PATCH", &path, Some(body), &p.key).await.expect(200);
    assert_eq!(product.visit("", "unknown", "", PHONE).await, Err(404));
    let to = product.visit("", "sommer", "", PHONE).await.unwrap();
    assert!(to.starts_with("https://shop.casa.example/?ref=Sommer&click_id="), "{to}");

    patch(json!({ "target": "/collections/all?sort=new" })).await;
    let to = product.visit("", "sommer", "a=1", PHONE).await.unwrap();
    assert!(
        to.starts_with("https://shop.casa.example/collections/all?sort=new&a=1&ref=Sommer"),
        "{to}"
    );
    patch(json!({ "state": "closed" })).await;
    assert_eq!(
        product.visit("", "sommer", "a=1", PHONE).await.unwrap(),
        "https://shop.casa.example/"
    );
    patch(json!({ "state": "open" })).await;
    assert!(product.visit("", "sommer", "", PHONE).await.unwrap().contains("click_id="));

    // A second suggestion gets the next free suffix; taken and reserved slugs are refused.
    assert_eq!(p.post(&product, &links, json!({})).await.expect(201)["slug"], "anna-home");
    assert_eq!(p.post(&product, &links, json!({})).await.expect(201)["slug"], "anna-home-2");
    for slug in ["sommer", "SOMMER", "api", "Go"] {
        assert_eq!(p.post(&product, &links, json!({ "slug": slug })).await.status, 409, "{slug}");
    }

    // The domain serves every link, old and new, and the product's own host the old ones.
    let brand = json!({ "link_domain": "Go.Casa.Example" });
    let brand = product.call("PATCH", "/v1/brand", Some(brand), &p.key).await.expect(200);
    assert_eq!(brand["link_domain"], "go.casa.example");
    let moved = p.get(&product, &path).await;
    assert_eq!(moved["url"], "https://go.casa.example/Sommer");
    for host in ["", "go.casa.example"] {
        assert!(product.visit(host, "sommer", "", PHONE).await.is_ok(), "{host}");
    }
    let fresh = p.post(&product, &links, json!({ "slug": "winter" })).await.expect(201);
    assert_eq!(fresh["url"], "https://go.casa.example/winter");
    assert!(product.visit("go.casa.example", "winter", "", PHONE).await.is_ok());
    assert_eq!(product.visit("", "winter", "", PHONE).await, Err(404), "unique on its host only");

    // Another brand may have the slug on /go, but not the domain.
    let other = Programme::new(&product).await;
    other
        .post(&product, &format!("/v1/deals/{}/links", other.deal), json!({ "slug": "winter" }))
        .await
        .expect(201);
    for host in ["go.casa.example", "app.tributary.test"] {
        let taken = product
            .call("PATCH", "/v1/brand", Some(json!({ "link_domain": host })), &other.key)
            .await;
        assert_eq!(taken.status, 409, "{host}");
    }
    let loop_back = product
        .call("PATCH", "/v1/brand", Some(json!({ "link_domain": "shop.casa.example" })), &p.key)
        .await;
    assert_eq!(loop_back.status, 409, "a storefront is no link domain");
}

#[tokio::test]
async fn a_deployed_domain_is_served_once_it_is_verified() {
    let product = Product::over(crate::support::sqlite::Sqlite::new(), false);
    let p = Programme::new(&product).await;
    p.post(&product, &format!("/v1/deals/{}/links", p.deal), json!({ "slug": "anna" }))
        .await
        .expect(201);
    let brand = product
        .call("PATCH", "/v1/brand", Some(json!({ "link_domain": "go.casa.example" })), &p.key)
        .await
        .expect(200);
    assert_eq!(
        (&brand["link_domain"], &brand["link_domain_pending"]),
        (&json!(null), &json!("go.casa.example"))
    );
    tributary::jobs::run_all(&product.app).await;
    assert_eq!(product.visit("go.casa.example", "anna", "", PHONE).await, Err(404));
    let url = "https://go.casa.example/.well-known/tributary".to_owned();
    product.web.0.lock().unwrap().insert(url.clone(), "a parked page".to_owned());
    tributary::jobs::run_all(&product.app).await;
    assert_eq!(product.visit("go.casa.example", "anna", "", PHONE).await, Err(404));
    let proof = tributary::jobs::domains::proof(&product.app, "go.casa.example");
    product.web.0.lock().unwrap().insert(url, proof);
    tributary::jobs::run_all(&product.app).await;
    product.cache.0.lock().unwrap().clear();
    assert!(product.visit("go.casa.example", "anna", "", PHONE).await.is_ok());
    assert_eq!(p.get(&product, "/v1/brand").await["link_domain"], "go.casa.example");
}

#[tokio::test]
async fn lists_are_paged_and_narrowed() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let (rival, berta) = p.rival(&product, "B20").await;
    for id in 1..=7 {
        let placed = tributary::domain::time::to_rfc3339(NOW_MS - id as i64 * DAY_MS);
        let body = crate::support::shop::with(
            order(id),
            json!({ "created_at": placed, "updated_at": placed }),
        );
        let body = if id % 2 == 0 { coded(body, "b20") } else { body };
        assert_eq!(p.deliver(&product, &body).await, 200);
    }
    let ids = async |query: &str| {
        let found = p.get(&product, &format!("/v1/orders{query}")).await;
        let ids: Vec<String> = found["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|o| o["external_id"].as_str().unwrap().to_owned())
            .collect();
        (ids, found["next_cursor"].as_str().map(str::to_owned))
    };
    let (first, cursor) = ids("?limit=3").await;
    assert_eq!(first, ["1", "2", "3"]);
    let (second, cursor) = ids(&format!("?limit=3&cursor={}", cursor.unwrap())).await;
    assert_eq!(second, ["4", "5", "6"]);
    assert_eq!(
        ids(&format!("?limit=3&cursor={}", cursor.unwrap())).await,
        (vec!["7".to_owned()], None)
    );
    assert_eq!(ids(&format!("?deal_id={rival}")).await.0, ["2", "4", "6"]);
    assert_eq!(ids(&format!("?creator_id={berta}&limit=2")).await.0, ["2", "4"]);
    assert_eq!(ids(&format!("?creator_id={}", p.creator)).await.0, Vec::<String>::new());
    assert_eq!(ids("?from=2026-11-17&to=2026-11-18").await.0, ["4", "5"]);
    assert_eq!(ids(&format!("?store_id={}&external_id=5", p.store)).await.0, ["5"]);
    assert_eq!(ids("?external_id=99").await.0, Vec::<String>::new());
    for bad in [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=!",
        "from=2026-02-30",
        "from=2026-11-20&to=2026-11-01",
        "sort=;DROP",
        "deal_id=1",
    ] {
        let answer = product.call("GET", &format!("/v1/orders?{bad}"), None, &p.key).await;
        assert_eq!(answer.status, 422, "{bad}");
    }
}

#[tokio::test]
async fn settings_are_versions_and_the_time_zone_is_fixed_by_orders() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let patch = async |body| product.call("PATCH", "/v1/brand", Some(body), &p.key).await;
    patch(json!({ "timezone": "Europe/Berlin", "hold_days": 0, "payout_minimum": { "amount": "25.00", "currency": "USD" } })).await.expect(200);
    p.post(&product, &format!("/v1/deals/{}/links", p.deal), json!({ "slug": "anna" }))
        .await
        .expect(201);
    let (rival, _) = p.rival(&product, "B20").await;
    product.set_now(NOW_MS - 7_200_000);
    let click =
        product.visit("", "anna", "", PHONE).await.unwrap().rsplit('=').next().unwrap().to_owned();
    product.set_now(NOW_MS);
    // The order was placed an hour ago, when codes went first; from now on links do.
    patch(json!({ "attribution": { "precedence": "link_first" } })).await.expect(200);
    let both = |id| clicked(coded(order(id), "B20"), &click);
    p.deliver(&product, &both(1)).await;
    assert_eq!(p.order(&product, 1).await["deal_id"], rival);
    product.pass(1);
    let now = tributary::domain::time::to_rfc3339(NOW_MS + 1);
    let fresh =
        crate::support::shop::with(both(2), json!({ "created_at": now, "updated_at": now }));
    p.deliver(&product, &fresh).await;
    assert_eq!(p.order(&product, 2).await["deal_id"], p.deal);
    // No hold: available at once.
    assert_eq!(p.balance(&product, &p.creator, "USD").await["available"], "13.50");
    assert_eq!(patch(json!({ "timezone": "UTC" })).await.status, 409);
    assert_eq!(patch(json!({ "currency": "EUR" })).await.status, 422);
    assert_eq!(
        patch(json!({ "payout_minimum": { "amount": "25.00", "currency": "EUR" } })).await.status,
        422
    );
    assert_eq!(
        patch(json!({ "payout_minimum": null })).await.expect(200)["payout_minimum"],
        json!(null)
    );
}

#[tokio::test]
async fn keys_open_only_their_own_brand() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let q = Programme::new(&product).await;
    let before = product.db.checksum();
    for path in [
        format!("/v1/deals/{}", q.deal),
        format!("/v1/deals/{}/performance", q.deal),
        format!("/v1/creators/{}", q.creator),
        format!("/v1/creators/{}/balances", q.creator),
        format!("/v1/campaigns/{}", q.campaign),
        format!("/v1/stores/{}", q.store),
        "/v1/orders/order_01h455vb4pex5vsknk084sn02q".to_owned(),
        "/v1/orders/order_01h455vb4pex5vsknk084sn02q/attribution".to_owned(),
    ] {
        assert_eq!(product.call("GET", &path, None, &p.key).await.status, 404, "{path}");
    }
    for (path, body) in [
        (format!("/v1/deals/{}/links", q.deal), json!({})),
        (format!("/v1/deals/{}/terms", q.deal), json!({ "commission_percent": "1" })),
        (format!("/v1/deals/{}/codes", q.deal), json!({ "code": "X", "create_in_store": false })),
        (format!("/v1/deals/{}/links", p.deal), json!({ "store_id": q.store })),
        ("/v1/deals".to_owned(), json!({ "creator_id": q.creator, "campaign_id": p.campaign })),
        ("/v1/deals".to_owned(), json!({ "creator_id": p.creator, "campaign_id": q.campaign })),
    ] {
        assert_eq!(p.post(&product, &path, body).await.status, 404, "{path}");
    }
    let patch = product
        .call(
            "PATCH",
            &format!("/v1/stores/{}", q.store),
            Some(json!({ "client_secret": "x" })),
            &p.key,
        )
        .await;
    assert_eq!(patch.status, 404);
    let invite =
        product.call("POST", &format!("/v1/deals/{}/invitation", q.deal), None, &p.key).await;
    assert_eq!(invite.status, 404);
    assert_eq!(product.db.checksum(), before);
    // Only hashes of keys are stored.
    let stored = product.db.rows("SELECT * FROM api_keys");
    assert!(!serde_json::to_string(&stored).unwrap().contains(&p.key));
    assert_eq!(product.call("POST", "/v1/brands", Some(json!({})), &p.key).await.status, 403);
    assert_eq!(product.call("GET", "/v1/brand", None, OPERATOR).await.status, 403);
}

#[tokio::test]
async fn changes_at_the_same_time_do_not_undo_each_other() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let links = format!("/v1/deals/{}/links", p.deal);
    let link = p.post(&product, &links, json!({ "slug": "anna" })).await.expect(201);
    let link = format!("/v1/links/{}", link["id"].as_str().unwrap());
    let deal = format!("/v1/deals/{}", p.deal);
    let patches = [
        (link.as_str(), json!({ "state": "closed" })),
        (&link, json!({ "target": "/x" })),
        (&deal, json!({ "stage": "Posted" })),
        (&deal, json!({ "tags": ["vip"] })),
        (&deal, json!({ "state": "closed" })),
        ("/v1/brand", json!({ "hold_days": 60 })),
        ("/v1/brand", json!({ "name": "Casa Nova" })),
        ("/v1/brand", json!({ "payout_minimum": { "amount": "5.00", "currency": "USD" } })),
    ];
    let all =
        patches.iter().map(|(path, body)| product.call("PATCH", path, Some(body.clone()), &p.key));
    for answer in crate::api::orders::futures(all).await {
        answer.expect(200);
    }
    let link = p.get(&product, &link).await;
    assert_eq!((&link["state"], &link["target"]), (&json!("closed"), &json!("/x")));
    let deal = p.get(&product, &deal).await;
    assert_eq!(
        (&deal["stage"], &deal["tags"], &deal["state"]),
        (&json!("Posted"), &json!(["vip"]), &json!("closed"))
    );
    let brand = p.get(&product, "/v1/brand").await;
    assert_eq!(
        (&brand["hold_days"], &brand["name"], &brand["payout_minimum"]["amount"]),
        (&json!(60), &json!("Casa Nova"), &json!("5.00"))
    );
}

#[tokio::test]
async fn handles_that_everyone_has_still_get_links() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    for n in 0..50 {
        let creator = p
            .post(&product, "/v1/creators", json!({ "name": "X", "handle": "小红" }))
            .await
            .expect(201);
        let deal = json!({ "creator_id": creator["id"], "campaign_id": p.campaign });
        let deal = p.post(&product, "/v1/deals", deal).await.expect(201);
        let path = format!("/v1/deals/{}/links", deal["id"].as_str().unwrap());
        let link = p.post(&product, &path, json!({})).await.expect(201);
        let slug = link["slug"].as_str().unwrap();
        assert!(slug.starts_with("creator"), "{n}: {slug}");
    }
}

/// A deployed product with a brand, and what the world answers for its domains.
async fn deployed() -> (Product, Programme) {
    let product = Product::over(crate::support::sqlite::Sqlite::new(), false);
    let p = Programme::new(&product).await;
    (product, p)
}

async fn point_here(product: &Product, host: &str) {
    let proof = tributary::jobs::domains::proof(&product.app, host);
    let url = format!("https://{host}/.well-known/tributary");
    product.web.0.lock().unwrap().insert(url, proof);
    // The trail is listed by its times.
    product.pass(1);
    tributary::jobs::run_all(&product.app).await;
}

#[tokio::test]
async fn the_domain_that_was_chosen_last_is_the_one() {
    let (product, p) = deployed().await;
    let choose = async |host: serde_json::Value| {
        product
            .call("PATCH", "/v1/brand", Some(json!({ "link_domain": host })), &p.key)
            .await
            .expect(200)
    };
    choose(json!("a.casa.example")).await;
    point_here(&product, "a.casa.example").await;
    // Of what happens in one millisecond the trail keeps no order.
    product.pass(1);
    choose(json!("b.casa.example")).await;
    point_here(&product, "b.casa.example").await;
    assert_eq!(p.get(&product, "/v1/brand").await["link_domain"], "b.casa.example");
    assert_eq!(
        choose(json!("a.casa.example")).await["link_domain"],
        "a.casa.example",
        "verified before"
    );
    choose(json!("c.casa.example")).await;
    assert_eq!(choose(json!(null)).await["link_domain_pending"], json!(null));
    point_here(&product, "c.casa.example").await;
    assert_eq!(p.get(&product, "/v1/brand").await["link_domain"], json!(null), "no longer wanted");

    // Somebody else's by the time it was asked: the batch that would activate it aborts.
    let brand = p.brand["id"].as_str().unwrap().parse().unwrap();
    for host in ["a.casa.example", "nobodys.example"] {
        let require = tributary::storage::brands::require_pending(brand, host);
        assert!(product.app.db().run(vec![require]).await.is_err(), "{host}");
    }

    // What the job did stands in the trail, and that nobody pointed one here for a week.
    choose(json!("d.casa.example")).await;
    product.pass(8 * 24 * 3_600_000);
    tributary::jobs::run_all(&product.app).await;
    let trail = p.get(&product, "/v1/audit?actor_id=verify_domains").await;
    let told = |row: &serde_json::Value| {
        (row["action"].clone(), row["before"].clone(), row["after"].clone(), row["actor"].clone())
    };
    let rows: Vec<_> = trail["data"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(rows.len(), 3, "{trail}");
    assert_eq!(
        (&rows[0].0, &rows[0].1),
        (&json!("domain.expire"), &json!({ "link_domain_pending": "d.casa.example" }))
    );
    assert_eq!(
        (&rows[1].0, &rows[1].2),
        (&json!("domain.activate"), &json!({ "link_domain": "b.casa.example" }))
    );
    assert_eq!(rows[2].3, json!({ "kind": "job", "id": "verify_domains" }));
}

#[tokio::test]
async fn a_claim_alone_keeps_nobody_out() {
    let (product, p) = deployed().await;
    let q = Programme::new(&product).await;
    let claim = async |who: &Programme, host: &str| {
        product
            .call("PATCH", "/v1/brand", Some(json!({ "link_domain": host })), &who.key)
            .await
            .status
    };
    assert_eq!(claim(&q, "go.victim.example").await, 200);
    assert_eq!(claim(&p, "go.victim.example").await, 200);
    point_here(&product, "go.victim.example").await;
    assert_eq!(p.get(&product, "/v1/brand").await["link_domain"], "go.victim.example");
    assert_eq!(claim(&q, "go.victim.example").await, 409);
    // Nor does it keep a shop from being connected.
    assert_eq!(claim(&q, "shop.other.example").await, 200);
    let store = json!({ "platform": "shopify", "shop_domain": "other.myshopify.com",
        "storefront_url": "https://shop.other.example", "client_id": "a", "client_secret": "b" });
    p.post(&product, "/v1/stores", store).await.expect(201);
}

#[tokio::test]
async fn figures_at_the_edges() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    p.post(&product, &format!("/v1/deals/{}/links", p.deal), json!({ "slug": "anna" }))
        .await
        .expect(201);
    p.post(
        &product,
        &format!("/v1/deals/{}/codes", p.deal),
        json!({ "code": "A", "create_in_store": false }),
    )
    .await
    .expect(201);
    for _ in 0..3 {
        product.visit("", "anna", "", PHONE).await.unwrap();
        product.pass(3_600_000);
    }
    for id in 1..=5 {
        p.deliver(&product, &coded(order(id), "A")).await;
    }
    for period in ["", "?to=9999-12-30", "?from=1970-01-01&to=9999-12-31"] {
        let found = p.get(&product, &format!("/v1/deals/{}/performance{period}", p.deal)).await;
        assert_eq!(
            (&found["orders"], &found["conversion_percent"]),
            (&json!(5), &json!("166.67")),
            "{period}"
        );
    }
    let listed = p.get(&product, "/v1/orders?external_id=1&limit=1").await;
    assert_eq!(listed["next_cursor"], json!(null));
    let cursor = product.call("GET", "/v1/orders?cursor=YWJj", None, &p.key).await;
    assert_eq!(cursor.status, 422);
}
