//! Members with their roles, invitations, and one sign-in for several brands.

use super::*;

#[tokio::test]
async fn members_are_invited_given_roles_and_removed_at_once() {
    let (product, p, owner) = owned().await;
    let b = &owner.browser;
    let invite = json!({ "email": "Mia@Casa.example", "role": "viewer" });
    let made = b.post(&product, "/v1/members", invite.clone()).await.expect(201);
    assert_eq!((&made["state"], &made["email"]), (&json!("invited"), &json!("mia@casa.example")));
    let first = invited(&product, "mia@casa.example");
    b.post(&product, "/v1/members", invite.clone()).await.expect(201);
    let anyone = Browser::default();
    let begin = async |body: Value| anyone.post(&product, "/v1/sign-in", body).await;
    assert_eq!(begin(json!({ "invitation": first })).await.status, 404, "replaced by the second");
    let second = invited(&product, "mia@casa.example");
    let other = json!({ "invitation": second, "email": "eve@casa.example" });
    assert_eq!(begin(other).await.status, 403, "for another address");

    let mia = Member::joins(&product, "mia@casa.example", 2).await;
    let again = b.post(&product, "/v1/members", invite).await.expect(409);
    assert_eq!(again["type"], "/problems/member-exists");
    assert_eq!(mia.browser.get(&product, "/v1/creators").await.status, 200);
    let creator = json!({ "name": "X", "handle": "x" });
    let add = async |who: &Member| {
        who.browser.post(&product, "/v1/creators", creator.clone()).await.status
    };
    assert_eq!(add(&mia).await, 403, "a viewer");
    let path = format!("/v1/members/{}", mia.id);
    let role = async |role: &str| {
        b.send(&product, "PATCH", &path, Some(json!({ "role": role }))).await.expect(200)
    };
    assert_eq!(role("manager").await["role"], "manager");
    assert_eq!(add(&mia).await, 201, "at once");
    assert_eq!(mia.browser.get(&product, "/v1/members").await.status, 403);
    assert_eq!(mia.browser.get(&product, "/v1/keys").await.status, 403);
    assert_eq!(b.delete(&product, &path).await.status, 204);
    assert_eq!(add(&mia).await, 403, "removed, at once");
    assert_eq!(mia.browser.get(&product, "/v1/session").await.status, 200, "still herself");

    // The last owner stays one.
    let mine = format!("/v1/members/{}", owner.id);
    for answer in [
        b.delete(&product, &mine).await,
        b.send(&product, "PATCH", &mine, Some(json!({ "role": "viewer" }))).await,
    ] {
        assert_eq!(answer.expect(409)["type"], "/problems/last-owner");
    }
    b.post(&product, "/v1/members", json!({ "email": "two@casa.example", "role": "owner" }))
        .await
        .expect(201);
    assert_eq!(b.delete(&product, &mine).await.status, 409, "an invited owner is none yet");
    let two = Member::joins(&product, "two@casa.example", 3).await;
    assert_eq!(two.browser.delete(&product, &mine).await.status, 204);
    assert_eq!(b.get(&product, "/v1/brand").await.status, 403);
    // The trail knows them.
    let trail = p.get(&product, &format!("/v1/audit?actor_id={}", owner.id)).await;
    let actions: Vec<&str> =
        trail["data"].as_array().unwrap().iter().map(|r| r["action"].as_str().unwrap()).collect();
    for action in ["member.invite", "member.update", "member.remove", "member.join", "passkey.add"]
    {
        assert!(actions.contains(&action), "{action} in {actions:?}");
    }
}

#[tokio::test]
async fn what_is_dangerous_needs_a_fresh_passkey_but_not_from_keys() {
    let (product, p, owner) = owned().await;
    product.pass(10 * MINUTE_MS);
    let b = &owner.browser;
    // That it is in use is noted with its next request.
    b.get(&product, "/v1/session").await.expect(200);
    let keys = p.get(&product, "/v1/keys").await;
    let key = format!("/v1/keys/{}", keys["data"][0]["id"].as_str().unwrap());
    let member = format!("/v1/members/{}", owner.id);
    let store = format!("/v1/stores/{}", p.store);
    let dangerous = [
        ("POST", "/v1/keys", Some(json!({ "name": "K", "scopes": ["read"] }))),
        ("DELETE", key.as_str(), None),
        ("POST", "/v1/members", Some(json!({ "email": "x@casa.example", "role": "viewer" }))),
        ("PATCH", member.as_str(), Some(json!({ "role": "owner" }))),
        ("DELETE", member.as_str(), None),
        ("PATCH", "/v1/brand", Some(json!({ "money_keys": false }))),
        ("PATCH", "/v1/brand", Some(json!({ "hold_days": 0 }))),
        (
            "POST",
            "/v1/stores",
            Some(json!({ "platform": "shopify", "shop_domain": "x.myshopify.com",
            "storefront_url": "https://x.example", "client_id": "c", "client_secret": "s" })),
        ),
        ("PATCH", store.as_str(), Some(json!({ "client_secret": "mine" }))),
        ("POST", "/v1/recovery-codes", None),
    ];
    for (method, path, body) in &dangerous {
        let before = product.db.checksum();
        let answer = b.send(&product, method, path, body.clone()).await.expect(403);
        assert_eq!(answer["type"], "/problems/step-up", "{method} {path}");
        assert_eq!(product.db.checksum(), before);
    }
    b.show(&product, &owner.key).await;
    let made =
        b.post(&product, "/v1/keys", json!({ "name": "K", "scopes": ["money", "read"] })).await;
    let money = made.expect(201)["api_key"].as_str().unwrap().to_owned();
    // Keys need no passkey, unless the brand says that they may not move money at all.
    let brand = b.send(&product, "PATCH", "/v1/brand", Some(json!({ "money_keys": false }))).await;
    assert_eq!(brand.expect(200)["money_keys"], false);
    assert_eq!(product.call("GET", "/v1/brand", None, &money).await.status, 200);
    let scopes = product.db.rows("SELECT money_keys FROM brands");
    assert_eq!(scopes[0]["money_keys"], 0);
}

#[tokio::test]
async fn one_sign_in_for_a_creator_of_several_brands() {
    let product = Product::new();
    let casa = Programme::new(&product).await;
    let other = Programme::with(&product, "EUR", "5").await;
    let browser = Browser::default();
    for p in [&casa, &other] {
        let path = format!("/v1/deals/{}/invitation", p.deal);
        product.call("POST", &path, None, &p.key).await.expect(201);
        let invitation = invited(&product, "anna@creator.example");
        assert!(invitation.starts_with("tbi_"));
        browser.sign_in(&product, json!({ "invitation": invitation })).await;
    }
    let session = browser.get(&product, "/v1/session").await.expect(200);
    assert_eq!(session["creators"].as_array().unwrap().len(), 2);
    assert_eq!(session["session"]["second_factor"], "none");
    let which = browser.get(&product, "/v1/me/earnings").await.expect(400);
    assert_eq!(which["type"], "/problems/which-brand");
    for p in [&casa, &other] {
        let brand = p.brand["id"].as_str().unwrap();
        let mine = browser
            .send_with(&product, "GET", "/v1/me/earnings", None, &[("tributary-brand", brand)])
            .await
            .expect(200);
        assert_eq!(mine["deals"][0]["id"], p.deal.as_str());
        assert_eq!(mine["deals"].as_array().unwrap().len(), 1, "only this brand's");
        let brands = browser
            .send_with(&product, "GET", "/v1/creators", None, &[("tributary-brand", brand)])
            .await;
        assert_eq!(brands.status, 403, "she is no member");
    }
    // Whoever has taken an invitation to her up can't be replaced by another address.
    let path = format!("/v1/deals/{}/invitation", casa.deal);
    let again = product.call("POST", &path, None, &casa.key).await.expect(201);
    product.db.execute("UPDATE creators SET email = 'eve@evil.example'").unwrap();
    let token = again["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let eve = Browser::default();
    let refused = eve.post(&product, "/v1/sign-in", json!({ "invitation": token })).await;
    assert_eq!(refused.expect(409)["type"], "/problems/creator-connected");
}

/// Whoever comes too late with an invitation is nobody, as before.
#[tokio::test]
async fn an_invitation_that_is_gone_makes_nobody_a_person() {
    let (product, p, owner) = owned().await;
    let creator = p.post(&product, "/v1/creators", json!({ "name": "Zoe", "handle": "zoe" })).await;
    let creator = creator.expect(201);
    let deal = json!({ "creator_id": creator["id"], "campaign_id": p.campaign });
    let deal =
        p.post(&product, "/v1/deals", deal).await.expect(201)["id"].as_str().unwrap().to_owned();
    let made = p.post(&product, &format!("/v1/deals/{deal}/invitation"), json!({})).await;
    let token = made.expect(201)["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let begin = async |invitation: &str, email: &str| {
        let browser = Browser::default();
        let body = json!({ "invitation": invitation, "email": email });
        browser.post(&product, "/v1/sign-in", body).await.expect(202);
        (browser, json!({ "token": mailed(&product).0 }))
    };
    let (first, first_link) = begin(&token, "first@zoe.example").await;
    let (second, second_link) = begin(&token, "second@zoe.example").await;
    let invite = json!({ "email": "mia@casa.example", "role": "viewer" });
    let mia = owner.browser.post(&product, "/v1/members", invite).await.expect(201);
    let (third, third_link) =
        begin(&invited(&product, "mia@casa.example"), "mia@casa.example").await;
    let path = format!("/v1/members/{}", mia["id"].as_str().unwrap());
    assert_eq!(owner.browser.delete(&product, &path).await.status, 204);
    let session = first.post(&product, "/v1/sign-in/link", first_link).await.expect(200);
    assert_eq!(session["creators"][0]["creator_id"], creator["id"]);
    for (browser, link) in [(second, second_link), (third, third_link)] {
        let before = product.db.checksum();
        let late = browser.post(&product, "/v1/sign-in/link", link).await.expect(400);
        assert_eq!(late["type"], "/problems/sign-in-failed");
        assert_eq!(product.db.checksum(), before);
    }
}

/// A creator's link opens less and less: a new one ends it, her account ends it, the brand can.
#[tokio::test]
async fn an_invitation_is_no_lasting_key() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let path = format!("/v1/deals/{}/invitation", p.deal);
    let invite = async || {
        let made = product.call("POST", &path, None, &p.key).await.expect(201);
        made["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned()
    };
    let accept = async |token: &str| {
        let body = Some(json!({ "token": token }));
        product.call("POST", "/v1/invitations/acceptance", body, "").await
    };
    let first = invite().await;
    let second = invite().await;
    assert_eq!(accept(&first).await.status, 404, "replaced");
    let access = accept(&second).await.expect(201)["access_token"].as_str().unwrap().to_owned();
    let mine = async || product.call("GET", "/v1/me/earnings", None, &access).await.status;
    assert_eq!(mine().await, 200);
    let third = invite().await;
    assert_eq!(product.call("DELETE", &path, None, &p.key).await.status, 204);
    assert_eq!((accept(&third).await.status, mine().await), (404, 401), "withdrawn");

    // She signs in: from now on no link alone opens anything.
    let anna = Browser::default();
    let token = invite().await;
    let access = accept(&token).await.expect(201)["access_token"].as_str().unwrap().to_owned();
    let mine = async || product.call("GET", "/v1/me/earnings", None, &access).await.status;
    assert_eq!(mine().await, 200);
    let fourth = invite().await;
    anna.sign_in(&product, json!({ "invitation": fourth })).await;
    assert_eq!(mine().await, 401);
    let fifth = invite().await;
    assert_eq!(accept(&fifth).await.expect(409)["type"], "/problems/creator-connected");
    // Mails to one address come to an end.
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(product.call("POST", &path, None, &p.key).await.status);
    }
    assert_eq!((answers[0], answers[19]), (201, 429));

    // Nothing new is agreed with one who was erased, and nothing personal comes back.
    let erasure = format!("/v1/creators/{}/erasure", p.creator);
    p.post(&product, &erasure, json!({ "confirm": "@anna.home" })).await.expect(200);
    product.pass(25 * HOUR_MS);
    let deal = format!("/v1/deals/{}", p.deal);
    let reopen = Some(json!({ "state": "open", "tags": ["Anna"] }));
    let new = Some(json!({ "creator_id": p.creator, "campaign_id": p.campaign }));
    for (method, path, body) in
        [("POST", path.as_str(), None), ("PATCH", &deal, reopen), ("POST", "/v1/deals", new)]
    {
        let refused = product.call(method, path, body, &p.key).await.expect(409);
        assert_eq!(refused["type"], "/problems/creator-erased", "{method} {path}");
    }
    assert!(product.db.rows("SELECT * FROM audit_personal").is_empty());
}

#[tokio::test]
async fn the_operator_helps_a_brand_without_an_owner() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let path = format!("/v1/brands/{}/owners", p.brand["id"].as_str().unwrap());
    let body = Some(json!({ "email": "new@casa.example" }));
    assert_eq!(product.call("POST", &path, body.clone(), &p.key).await.status, 403);
    assert_eq!(product.call("POST", &path, body, OPERATOR).await.expect(201)["role"], "owner");
    Member::joins(&product, "new@casa.example", 4).await;
    // An invitation ends after a week.
    product.set_now(NOW_MS + 7 * 24 * HOUR_MS);
    let late = Browser::default();
    let token = invited(&product, OWNER);
    let answer = late.post(&product, "/v1/sign-in", json!({ "invitation": token })).await;
    assert_eq!(answer.status, 404);
    let states = p.get(&product, "/v1/members").await;
    for member in states["data"].as_array().unwrap() {
        let expected = if member["email"] == OWNER { "expired" } else { "active" };
        assert_eq!(member["state"], expected);
    }
}
