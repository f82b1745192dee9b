//! Keys with scopes, and the trail of who changed what.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tributary::web::api::ROUTES;

use crate::support::{NOW_MS, OPERATOR, Product, Programme};

const HOUR_MS: i64 = 3_600_000;

async fn key(product: &Product, by: &str, body: Value) -> (String, String) {
    let made = product.call("POST", "/v1/keys", Some(body), by).await.expect(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["key"]["id"]), text(&made["api_key"]))
}

#[tokio::test]
async fn keys_are_made_used_rotated_and_revoked() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let reader =
        json!({ "name": "Report", "scopes": ["read"], "expires_at": "2026-11-22T10:00:00Z" });
    let (id, text) = key(&product, &p.key, reader).await;
    let get = async |path: &str, key: &str| product.call("GET", path, None, key).await;
    assert_eq!(get("/v1/brand", &text).await.status, 200);
    let shown = get(&format!("/v1/keys/{id}"), &p.key).await.expect(200);
    assert_eq!(shown["scopes"], json!(["read"]));
    assert_eq!((&shown["state"], &shown["name"]), (&json!("active"), &json!("Report")));
    assert_eq!(shown["last_used_at"], "2026-11-22T08:00:00.000Z");
    assert!(!get("/v1/keys", &p.key).await.text.contains(&text), "shown once only");
    assert!(
        !product.db.rows("SELECT * FROM api_keys").iter().any(|r| r.to_string().contains(&text))
    );

    // Its last use is noted once an hour.
    let noted = || {
        product.db.rows("SELECT last_used_at_ms FROM api_keys ORDER BY id")[1]["last_used_at_ms"]
            .clone()
    };
    product.pass(HOUR_MS - 1);
    get("/v1/brand", &text).await.expect(200);
    assert_eq!(noted(), NOW_MS);
    product.pass(1);
    get("/v1/brand", &text).await.expect(200);
    assert_eq!(noted(), NOW_MS + HOUR_MS);
    product.pass(HOUR_MS);
    assert_eq!(get("/v1/brand", &text).await.status, 401, "it has expired");
    assert_eq!(get(&format!("/v1/keys/{id}"), &p.key).await.expect(200)["state"], "expired");

    // Two overlap while one is rotated; the last that may make others stays.
    let admin = json!({ "name": "Next", "scopes": ["admin", "read"] });
    let (next_id, next) = key(&product, &p.key, admin).await;
    let first =
        get("/v1/keys", &next).await.expect(200)["data"][0]["id"].as_str().unwrap().to_owned();
    let revoke = async |id: &str, by: &str| {
        product.call("DELETE", &format!("/v1/keys/{id}"), None, by).await
    };
    assert_eq!(revoke(&first, &next).await.expect(200)["state"], "revoked");
    assert_eq!(get("/v1/brand", &p.key).await.status, 401);
    assert_eq!(revoke(&first, &next).await.status, 200, "again is no fault");
    let refused = revoke(&next_id, &next).await.expect(409);
    assert_eq!(refused["type"], "/problems/last-admin-key");
    assert_eq!(get("/v1/brand", &next).await.status, 200);

    // One that leaked goes all the same; the operator helps out.
    assert_eq!(get(&format!("/v1/brand?key={next}"), "").await.status, 400);
    assert_eq!(get("/v1/brand", &next).await.status, 401);
    assert_eq!(get(&format!("/v1/brand?key={next}"), "").await.status, 400);
    let leaks = product.db.rows("SELECT subject_id FROM audit WHERE action = 'key.leak'");
    assert_eq!(leaks.len(), 1, "noted once");
    assert_eq!(leaks[0]["subject_id"], next_id);
    let path = format!("/v1/brands/{}/keys", p.brand["id"].as_str().unwrap());
    let rescue = Some(json!({ "name": "Rescue" }));
    assert_eq!(product.call("POST", &path, rescue.clone(), &next).await.status, 401);
    let rescued = product.call("POST", &path, rescue, OPERATOR).await.expect(201);
    assert_eq!(get("/v1/brand", rescued["api_key"].as_str().unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_key_never_makes_one_that_may_do_more() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let (_, admin) = key(&product, &p.key, json!({ "name": "A", "scopes": ["admin"] })).await;
    let more = json!({ "name": "B", "scopes": ["admin", "money"] });
    assert_eq!(product.call("POST", "/v1/keys", Some(more), &admin).await.status, 403);
    for (body, field) in [
        (json!({ "name": "", "scopes": ["read"] }), "name"),
        (json!({ "name": "B", "scopes": [] }), "scopes"),
        (json!({ "name": "B", "scopes": ["sudo"] }), "scopes[0]"),
        (
            json!({ "name": "B", "scopes": ["read"], "expires_at": "2026-11-22T07:59:59Z" }),
            "expires_at",
        ),
        (json!({ "name": "B", "scopes": ["read"], "brand_id": "x" }), "brand_id"),
    ] {
        let before = product.db.checksum();
        let answer = product.call("POST", "/v1/keys", Some(body), &p.key).await.expect(422);
        assert_eq!(answer["errors"][0]["field"], field);
        assert_eq!(product.db.checksum(), before);
    }
}

/// Every route asks for the scope that its description names, and nothing happens without it.
#[tokio::test]
async fn a_key_opens_what_its_scopes_say_and_nothing_else() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let mut keys = Vec::new();
    for scope in ["read", "deals", "money", "admin"] {
        let (_, text) = key(&product, &p.key, json!({ "name": scope, "scopes": [scope] })).await;
        product.call("GET", "/v1/me/orders", None, &text).await;
        keys.push((scope, text));
    }
    let document = product.call("GET", "/openapi.json", None, "").await.expect(200);
    let mut asked = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let scope = operation["security"][0]["api_key"][0].as_str();
            let Some(needed) = scope else { continue };
            asked.insert(needed.to_owned());
            let path = path.replace("{id}", "none").replace("{line_id}", "none");
            for (scope, text) in &keys {
                let before = product.db.checksum();
                let answer = product.call(&method.to_uppercase(), &path, None, text).await;
                assert_eq!(answer.status == 403, *scope != needed, "{method} {path} with {scope}");
                assert_ne!(answer.status, 401, "{method} {path} with {scope}");
                assert_eq!(product.db.checksum(), before, "{method} {path} with {scope}");
            }
        }
    }
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), ["admin", "deals", "money", "read"]);
}

/// Every command leaves exactly one row in the trail, in the batch that does it.
#[tokio::test]
async fn every_change_is_attributable() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let link =
        p.post(&product, &format!("/v1/deals/{}/links", p.deal), json!({})).await.expect(201);
    let deliver = async |body: &[u8]| product.deliver(&p.store, crate::support::SECRET, body).await;
    assert_eq!(deliver(b"not json").await, 200);
    let quarantined = p.get(&product, "/v1/quarantine").await["data"][0]["id"].clone();
    let (key_id, _) = key(&product, &p.key, json!({ "name": "Gone", "scopes": ["read"] })).await;
    let invitation = format!("/v1/deals/{}/invitation", p.deal);
    let invited = product.call("POST", &invitation, None, &p.key).await.expect(201);
    let token = invited["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let brand = p.brand["id"].as_str().unwrap();
    let deal = |what: &str| format!("/v1/deals/{}{what}", p.deal);
    let at = |path: &str, id: &Value| format!("{path}/{}", id.as_str().unwrap());
    let new_brand = json!({ "name": "Other", "currency": "EUR", "homepage_url": "https://o.example",
        "owner_email": "o@o.example" });
    let new_store = json!({ "platform": "shopify", "shop_domain": "two.myshopify.com",
        "storefront_url": "https://two.example", "client_id": "c", "client_secret": "s" });
    let new_deal = json!({ "creator_id": p.creator, "campaign_id": p.campaign });
    let code = json!({ "code": "NEW", "create_in_store": false });
    let mut commands = vec![
        ("post", "/v1/brands", "/v1/brands".to_owned(), new_brand, OPERATOR, "brand.create"),
        (
            "post",
            "/v1/brands/{id}/keys",
            format!("/v1/brands/{brand}/keys"),
            json!({ "name": "R" }),
            OPERATOR,
            "key.create",
        ),
        (
            "patch",
            "/v1/brand",
            "/v1/brand".to_owned(),
            json!({ "hold_days": 7 }),
            "",
            "brand.update",
        ),
        ("post", "/v1/stores", "/v1/stores".to_owned(), new_store, "", "store.create"),
        (
            "patch",
            "/v1/stores/{id}",
            at("/v1/stores", &json!(p.store)),
            json!({ "client_secret": "other" }),
            "",
            "store.rotate_secret",
        ),
        (
            "post",
            "/v1/stores/{id}/connection",
            at("/v1/stores", &json!(p.store)) + "/connection",
            Value::Null,
            "",
            "store.check",
        ),
        (
            "delete",
            "/v1/stores/{id}/connection",
            at("/v1/stores", &json!(p.store)) + "/connection",
            Value::Null,
            "",
            "store.disconnect",
        ),
        (
            "post",
            "/v1/stores/{id}/authorization",
            at("/v1/stores", &json!(p.store)) + "/authorization",
            Value::Null,
            "",
            "store.begin_authorization",
        ),
        (
            "post",
            "/v1/stores/{id}/backfill",
            at("/v1/stores", &json!(p.store)) + "/backfill",
            json!({ "from": "2026-10-01" }),
            "",
            "store.backfill",
        ),
        (
            "post",
            "/v1/keys",
            "/v1/keys".to_owned(),
            json!({ "name": "K", "scopes": ["read"] }),
            "",
            "key.create",
        ),
        ("delete", "/v1/keys/{id}", at("/v1/keys", &json!(key_id)), Value::Null, "", "key.revoke"),
        (
            "post",
            "/v1/creators",
            "/v1/creators".to_owned(),
            json!({ "name": "B", "handle": "b" }),
            "",
            "creator.create",
        ),
        (
            "post",
            "/v1/campaigns",
            "/v1/campaigns".to_owned(),
            json!({ "name": "C" }),
            "",
            "campaign.create",
        ),
        ("post", "/v1/deals", "/v1/deals".to_owned(), new_deal, "", "deal.create"),
        ("patch", "/v1/deals/{id}", deal(""), json!({ "tags": ["vip"] }), "", "deal.update"),
        (
            "post",
            "/v1/deals/{id}/terms",
            deal("/terms"),
            json!({ "commission_percent": "12" }),
            "",
            "terms.create",
        ),
        ("post", "/v1/deals/{id}/links", deal("/links"), json!({}), "", "link.create"),
        (
            "patch",
            "/v1/links/{id}",
            at("/v1/links", &link["id"]),
            json!({ "state": "closed" }),
            "",
            "link.update",
        ),
        ("post", "/v1/deals/{id}/codes", deal("/codes"), code, "", "code.create"),
        (
            "post",
            "/v1/invitations/acceptance",
            "/v1/invitations/acceptance".to_owned(),
            json!({ "token": token }),
            "",
            "invitation.accept",
        ),
        (
            "delete",
            "/v1/deals/{id}/invitation",
            deal("/invitation"),
            Value::Null,
            "",
            "deal.uninvite",
        ),
        ("post", "/v1/deals/{id}/invitation", deal("/invitation"), Value::Null, "", "deal.invite"),
    ];
    let asked = json!({ "shop_id": 1, "shop_domain": "casa.myshopify.com", "orders_requested": [],
        "data_request": { "id": 5 } });
    assert_eq!(deliver(asked.to_string().as_bytes()).await, 200);
    let request = p.get(&product, "/v1/data-requests").await["data"][0]["id"].clone();
    let completion = format!("/v1/data-requests/{}/completion", request.as_str().unwrap());
    let erasure = format!("/v1/creators/{}/erasure", p.creator);
    commands.extend([
        (
            "post",
            "/v1/data-requests/{id}/completion",
            completion,
            Value::Null,
            "",
            "data_request.complete",
        ),
        (
            "post",
            "/v1/creators/{id}/erasure",
            erasure,
            json!({ "confirm": "@anna.home" }),
            "",
            "creator.erase",
        ),
    ]);
    // A replay that is still unusable changes nothing, and notes nothing; what people do to their own
    // access and to members is tried in sign_in.rs.
    let mut covered = BTreeSet::from(["post /v1/quarantine/{id}/replay".to_owned()]);
    // It changes nothing: simulations.rs.
    covered.insert("post /v1/simulations".to_owned());
    covered.extend(super::sign_in::PEOPLES_COMMANDS.map(str::to_owned));
    covered.insert("post /v1/payouts/{id}/settlement".to_owned()); // pages_payouts.rs
    covered.extend(super::payouts::MONEY_COMMANDS.map(str::to_owned));
    covered.extend(super::posts::POST_COMMANDS.map(str::to_owned));
    covered.extend(super::creator_pages::LINK_COMMANDS.map(str::to_owned));
    covered.extend(super::order_life::LIFE_COMMANDS.map(str::to_owned));
    covered.extend(super::conversions::CONVERSION_COMMANDS.map(str::to_owned));
    covered.extend(super::domains::DOMAIN_COMMANDS.map(str::to_owned));
    covered.extend(super::payments::PAYMENT_COMMANDS.map(str::to_owned));
    covered.extend(super::goaffpro::STORE_COMMANDS.map(str::to_owned));
    covered.extend(super::filters::SEGMENT_COMMANDS.map(str::to_owned));
    covered.extend(super::offers::TERMS_COMMANDS.map(str::to_owned));
    covered.extend(super::webhooks_out::HOOK_COMMANDS.map(str::to_owned));
    covered.extend(super::codes::CODE_COMMANDS.map(str::to_owned));
    covered.extend(super::imports::IMPORT_COMMANDS.map(str::to_owned));
    covered.extend(super::crm_timeline::CRM_COMMANDS.map(str::to_owned));
    covered.extend(super::outreach::sequences::OUTREACH_COMMANDS.map(str::to_owned));
    covered.extend(super::automations::AUTOMATION_COMMANDS.map(str::to_owned));
    covered.extend(super::bulk::BULK_COMMANDS.map(str::to_owned));
    covered.extend(super::pages_deal::DEAL_COMMANDS.map(str::to_owned));
    covered.extend(super::term_templates::TEMPLATE_COMMANDS.map(str::to_owned));
    let replay = format!("/v1/quarantine/{}/replay", quarantined.as_str().unwrap());
    let rows = || product.db.rows("SELECT * FROM audit ORDER BY id");
    let before = rows().len();
    product.call("POST", &replay, None, &p.key).await.expect(200);
    assert_eq!(rows().len(), before);
    for (method, route, path, body, by, action) in commands {
        product.pass(1);
        let before = rows().len();
        let body = (!body.is_null()).then_some(body);
        let by = if by.is_empty() { &p.key } else { by };
        let answer = product.call(&method.to_uppercase(), &path, body, by).await;
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text);
        let all = rows();
        assert_eq!(all.len(), before + 1, "{method} {path}");
        let row = all.last().unwrap();
        assert_eq!(row["action"], action);
        assert_eq!(row["request_id"], answer.headers["x-request-id"].to_str().unwrap());
        assert!(!row["subject_id"].as_str().unwrap().is_empty(), "{row}");
        for secret in ["client_secret", "tbk_", "tbc_", "tbi_", "other"] {
            let told = format!("{} {}", row["before"], row["after"]);
            assert!(!told.contains(secret), "{told}");
        }
        covered.insert(format!("{method} {route}"));
    }
    let changing: BTreeSet<String> = ROUTES
        .iter()
        .flat_map(|(path, methods)| methods.iter().map(move |method| format!("{method} {path}")))
        .filter(|route| !route.starts_with("get "))
        .collect();
    assert_eq!(covered, changing, "every command is tried here");

    // What was refused left nothing behind.
    let before = rows().len();
    p.post(&product, &deal("/codes"), json!({ "code": "NEW", "create_in_store": false }))
        .await
        .expect(409);
    assert_eq!(rows().len(), before);
}

#[tokio::test]
async fn the_trail_is_listed_filtered_and_given_as_csv() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let evil = json!({ "name": "=cmd(), \"x\"", "handle": "evil" });
    product.pass(5_000);
    let creator = p.post(&product, "/v1/creators", evil).await.expect(201)["id"].clone();
    let list = async |query: &str| p.get(&product, &format!("/v1/audit?{query}")).await;
    let all = list("").await;
    let entries = all["data"].as_array().unwrap();
    assert_eq!(entries[0]["action"], "creator.create", "latest first");
    assert_eq!(entries[0]["subject_id"], creator);
    assert_eq!(entries[0]["actor"]["kind"], "key");
    assert_eq!(entries[0]["after"]["name"], "=cmd(), \"x\"");
    assert!(entries[0]["before"].is_null());
    let actions = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().unwrap().iter();
        data.map(|e| e["action"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(actions(&list("action=store.create").await), ["store.create"]);
    assert_eq!(actions(&list(&format!("subject_id={}", p.deal)).await), ["deal.create"]);
    assert_eq!(actions(&list("from=2026-11-22T08:00:05Z").await), ["creator.create"]);
    assert_eq!(actions(&list("to=2026-11-22T08:00:00Z").await), Vec::<String>::new());
    let first = list("limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = list(&format!("limit=200&cursor={cursor}")).await;
    assert_eq!([actions(&first), actions(&second)].concat(), actions(&all));

    let csv = product.call("GET", "/v1/audit?format=csv&limit=1", None, &p.key).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<&str> = csv.text.split("\r\n").collect();
    assert_eq!(lines.len(), 3, "{}", csv.text);
    assert!(lines[1].contains(",key,"), "{}", lines[1]);
    for bad in ["format=xml", "from=yesterday", "sort=;DROP"] {
        let answer = product.call("GET", &format!("/v1/audit?{bad}"), None, &p.key).await;
        assert_eq!(answer.status, 422, "{bad}");
    }
    // The trail can't be rewritten.
    for sql in [
        "UPDATE audit SET actor_id = 'x'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT brand_id, id, 0, 'operator', '', 'x', '', '', NULL, NULL FROM audit",
    ] {
        assert!(product.db.execute(sql).is_err(), "{sql}");
    }
}

/// A key with `admin` can neither let keys move money nor make a member who may do more than it.
#[tokio::test]
async fn a_key_gives_away_nothing_that_it_has_not() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let patch = async |body: Value| product.call("PATCH", "/v1/brand", Some(body), &p.key).await;
    assert_eq!(patch(json!({ "money_keys": false })).await.status, 200);
    assert_eq!(patch(json!({ "money_keys": true })).await.status, 403);
    let (_, admin) = key(&product, &p.key, json!({ "name": "A", "scopes": ["admin"] })).await;
    for role in ["owner", "manager", "viewer"] {
        let body = Some(json!({ "email": "eve@evil.example", "role": role }));
        assert_eq!(product.call("POST", "/v1/members", body, &admin).await.status, 403, "{role}");
    }
    let members = p.get(&product, "/v1/members").await;
    let owner = format!("/v1/members/{}", members["data"][0]["id"].as_str().unwrap());
    let body = Some(json!({ "role": "manager" }));
    assert_eq!(product.call("PATCH", &owner, body, &admin).await.status, 403);
    // Without the last key that may make others, the rest can be revoked still.
    let (reader, _) = key(&product, &admin, json!({ "name": "R", "scopes": ["admin"] })).await;
    product.db.execute("UPDATE api_keys SET scopes = 'read' WHERE name = 'R'").unwrap();
    product.db.execute("UPDATE api_keys SET expires_at_ms = 9e15 WHERE name = 'A'").unwrap();
    let gone = |id: &str| format!("/v1/keys/{id}");
    product.call("DELETE", &gone(&reader), None, &admin).await.expect(200);
}
