//! Connecting a shop: three ways in, what it is told to deliver, what it tells, and coming back.

use http::Request;
use serde_json::{Value, json};

use crate::support::shop::{order, sign};
use crate::support::shopify::{SHOP, SmallShop, answer};
use crate::support::{Answer, Product, Programme, SECRET};
use tributary::jobs::{connecting, outbox};

/// A brand whose store is the small shop.
struct Connected {
    product: Product,
    p: Programme,
    shop: SmallShop,
}

impl Connected {
    async fn new() -> Self {
        let (product, shop) = Product::with_shop();
        let p = Programme::new(&product).await;
        Self { product, p, shop }
    }

    fn path(&self, more: &str) -> String {
        format!("/v1/stores/{}{more}", self.p.store)
    }

    async fn check(&self) -> Value {
        self.product.call("POST", &self.path("/connection"), None, &self.p.key).await.expect(200)
    }

    async fn store(&self) -> Value {
        self.p.get(&self.product, &self.path("")).await
    }

    async fn patch(&self, body: Value) -> Answer {
        self.product.call("PATCH", &self.path(""), Some(body), &self.p.key).await
    }

    async fn jobs(&self) {
        connecting::look_at_due(&self.product.app).await.unwrap();
        outbox::run_due(&self.product.app).await.unwrap();
    }

    fn url(&self) -> String {
        format!("https://app.tributary.test/webhooks/shopify/{}", self.p.store)
    }

    /// Begins an authorization: the state, and the browser's cookie.
    async fn begin(&self) -> (String, String) {
        let path = self.path("/authorization");
        let begun = self.product.call("POST", &path, None, &self.p.key).await;
        assert_eq!(begun.status, 200, "{}", begun.text);
        let url = begun.json["url"].as_str().unwrap();
        let start = "https://casa.myshopify.com/admin/oauth/authorize?client_id=client&scope=read_orders%2Cread_discounts%2Cwrite_discounts&redirect_uri=https%3A%2F%2Fapp.tributary.test%2Fconnect%2Fshopify%2Fcallback&state=";
        let state = url.strip_prefix(start).unwrap_or_else(|| panic!("{url}")).to_owned();
        assert!(state.len() >= 43, "at least 128 bits");
        let cookie = begun.headers["set-cookie"].to_str().unwrap();
        for part in ["__Host-connect=", "SameSite=Lax", "Secure", "HttpOnly", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        (state, cookie.split(';').next().unwrap().to_owned())
    }

    fn seconds(&self) -> i64 {
        self.product.app.now_ms() / 1000
    }

    /// What the shop sends the browser back with.
    fn back(&self, code: &str, shop: &str, state: &str, seconds: i64) -> String {
        let query = format!("code={code}&shop={shop}&state={state}&timestamp={seconds}");
        format!("{query}&hmac={}", query_hmac(SECRET, &query))
    }

    async fn call_back(&self, query: &str, cookie: &str) -> Answer {
        let uri = format!("/connect/shopify/callback?{query}");
        let request = Request::get(uri).header("cookie", cookie).header("accept", "text/html");
        self.product.raw(request.body(Vec::new()).unwrap()).await
    }

    fn code(&self, code: &str) {
        self.shop.shop().codes.insert(code.to_owned());
    }

    fn no_token_is_told(&self) {
        let told = self.product.db.rows("SELECT * FROM audit");
        let kept = self.product.db.checksum();
        let log = json!(*self.product.log.0.lock().unwrap()).to_string();
        for text in [json!(told).to_string(), kept, log] {
            for secret in ["shpat_secret", "shprt_secret", "shpss_hush"] {
                assert!(!text.contains(secret), "{secret}");
            }
        }
    }
}

fn query_hmac(secret: &str, query: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(query.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn states(view: &Value, state: &str) -> usize {
    view["webhooks"].as_array().unwrap().iter().filter(|hook| hook["state"] == state).count()
}

#[tokio::test]
async fn client_credentials_connect_a_shop() {
    let c = Connected::new().await;
    let before = c.store().await;
    assert_eq!(
        (&before["status"], &before["way"]),
        (&json!("created"), &json!("client_credentials"))
    );
    assert!(before["missing_scopes"].is_null() && before["checked_at"].is_null());
    c.shop.shop().hooks.push((
        "x".into(),
        "ORDERS_CREATE".into(),
        "https://neighbour.example/h".into(),
    ));
    let told = c.check().await;
    assert_eq!((&told["status"], &told["problem"]), (&json!("connected"), &Value::Null), "{told}");
    assert_eq!((states(&told, "registered"), told["webhooks"].as_array().unwrap().len()), (14, 14));
    assert_eq!(told["missing_scopes"], json!([]));
    let hints = told["hints"].to_string();
    assert!(hints.contains("casa.example") && hints.contains("EUR"), "{hints}");
    let brings = told["optional_scopes"].as_array().unwrap();
    assert!(brings.iter().any(|one| one["scope"] == "read_all_orders"));
    let hooks = c.shop.shop().hooks.clone();
    assert_eq!(hooks.len(), 15, "the neighbour's stays");
    assert!(hooks.iter().skip(1).all(|(_, _, uri)| *uri == c.url()));
    let store = c.store().await;
    assert_eq!(store["status"], "connected");
    assert_eq!((&store["currency"], &store["timezone"]), (&json!("EUR"), &json!("Europe/Madrid")));
    assert_eq!(store["scopes"], json!(["read_orders", "read_discounts", "write_discounts"]));
    assert_eq!(states(&store, "registered"), 14);
    // Again: one token, nothing registered twice.
    c.check().await;
    assert_eq!((c.shop.count("client_credentials"), c.shop.count("WebhookCreate")), (1, 14));
    c.no_token_is_told();
}

#[tokio::test]
async fn a_pasted_token_connects_a_shop() {
    let c = Connected::new().await;
    let new = |domain: &str, token: Value| {
        json!({ "platform": "shopify", "shop_domain": domain,
        "storefront_url": "https://old.example", "client_secret": "shpss_key", "access_token": token })
    };
    for bad in [json!("short"), json!("with spaces in it"), json!("line\nbreak_in_it"), json!("")] {
        let refused =
            c.p.post(&c.product, "/v1/stores", new("old.myshopify.com", bad)).await.expect(422);
        assert_eq!(refused["errors"][0]["field"], "access_token");
    }
    let none = json!({ "platform": "shopify", "shop_domain": "old.myshopify.com",
        "storefront_url": "https://old.example", "client_secret": "s" });
    let refused = c.p.post(&c.product, "/v1/stores", none).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "client_id");
    let made =
        c.p.post(&c.product, "/v1/stores", new("old.myshopify.com", json!("shpat_secret_old")))
            .await;
    let made = made.expect(201);
    assert_eq!((&made["way"], &made["status"]), (&json!("access_token"), &json!("created")));
    c.no_token_is_told();
    // The same way for the shop that is there.
    c.shop.shop().tokens.extend(["shpat_secret_pasted".to_owned(), "shpat_secret_next".to_owned()]);
    let told = c.patch(json!({ "access_token": "shpat_secret_pasted" })).await.expect(200);
    assert_eq!(told["way"], "access_token");
    let told = c.check().await;
    assert_eq!(told["status"], "connected");
    assert!(told["hints"].to_string().contains("webhook_seen_at"), "{told}");
    assert_eq!(c.shop.count("client_credentials"), 0);
    // Taken back in the shop: told in words, healed by another one.
    c.shop.shop().tokens.remove("shpat_secret_pasted");
    let told = c.check().await;
    assert_eq!(told["status"], "broken");
    assert!(told["problem"].as_str().unwrap().contains("pasted"), "{told}");
    assert_eq!(c.store().await["status"], "broken");
    c.patch(json!({ "access_token": "shpat_secret_next" })).await.expect(200);
    assert_eq!(c.store().await["status"], "connected", "it is looked at after the answer");
}

#[tokio::test]
async fn a_shop_approves_in_the_browser_that_began() {
    let c = Connected::new().await;
    let (state, cookie) = c.begin().await;
    let now = c.seconds();
    c.code("code1");
    let good = c.back("code1", SHOP, &state, now);
    let refused = async |query: &str, cookie: &str, why: &str| {
        let told = c.call_back(query, cookie).await;
        assert!(!told.headers.contains_key("set-cookie"), "{why}");
        assert_eq!(told.status, 400, "{why}");
        assert_eq!(c.shop.count("code"), 0, "{why}: no code is used");
    };
    refused(&good, "", "no cookie").await;
    refused(&good, "__Host-connect=other", "another browser").await;
    refused(&format!("{good}0"), &cookie, "another signature").await;
    refused(&good.replace("code1", "code2"), &cookie, "another code").await;
    refused(&c.back("code1", SHOP, "other", now), &cookie, "another state").await;
    refused(&c.back("code1", "other.myshopify.com", &state, now), &cookie, "another shop").await;
    refused(&c.back("code1", "casa.example", &state, now), &cookie, "no shop").await;
    refused(&c.back("code1", SHOP, &state, now - 601), &cookie, "long ago").await;
    refused("", &cookie, "nothing").await;
    let done = c.call_back(&good, &cookie).await;
    assert_eq!(
        (done.status, done.headers["location"].to_str().unwrap()),
        (303, "/connect/shopify/done")
    );
    assert!(done.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    // The look follows the answer.
    let store = c.store().await;
    assert_eq!((&store["status"], &store["way"]), (&json!("connected"), &json!("authorization")));
    let row = &c
        .product
        .db
        .rows("SELECT refresh_sealed, refresh_until_ms, token_until_ms FROM store_access")[0];
    assert!(row["refresh_sealed"].is_string());
    // Once.
    c.code("code3");
    let again = c.call_back(&c.back("code3", SHOP, &state, now), &cookie).await;
    assert_eq!((again.status, c.shop.count("code")), (400, 1));
    let noted =
        c.product.db.rows("SELECT actor_kind, after FROM audit WHERE action = 'store.authorize'");
    assert_eq!(noted[0]["actor_kind"], "key");
    // One that was begun before the latest doesn't count, nor one that is over.
    let (first, cookie) = c.begin().await;
    let (latest, fresh) = c.begin().await;
    assert_eq!(c.call_back(&c.back("code3", SHOP, &first, now), &cookie).await.status, 400);
    c.product.pass(10 * 60_000);
    let late = c.back("code3", SHOP, &latest, c.seconds());
    assert_eq!(c.call_back(&late, &fresh).await.status, 400);
    c.no_token_is_told();
}

#[tokio::test]
async fn what_is_missing_is_told_in_words() {
    let c = Connected::new().await;
    c.shop.shop().scopes = vec!["read_orders".to_owned()];
    let told = c.check().await;
    assert_eq!(told["status"], "connected");
    assert_eq!(told["missing_scopes"], json!(["read_discounts", "write_discounts"]));
    assert!(told["problem"].as_str().unwrap().contains("write_discounts"));
    assert_eq!((states(&told, "registered"), states(&told, "missing")), (10, 4));
    let lacking =
        told["webhooks"].as_array().unwrap().iter().find(|h| h["topic"] == "DISCOUNTS_DELETE");
    assert_eq!(lacking.unwrap()["reason"], "it needs the scope read_discounts");
    // Looked at again within the hour.
    c.shop
        .shop()
        .scopes
        .extend(["write_discounts".to_owned(), "read_shopify_payments_disputes".to_owned()]);
    c.product.pass(3_600_001);
    c.jobs().await;
    let store = c.store().await;
    assert_eq!((states(&store, "registered"), &store["problem"]), (16, &Value::Null), "{store}");
    // A topic that the shop refuses.
    c.shop.shop().hooks.retain(|(_, topic, _)| topic != "REFUNDS_CREATE");
    let complaint = json!({ "data": { "webhookSubscriptionCreate": { "userErrors": [
        { "field": ["topic"], "message": "You cannot create a webhook subscription with the specified topic" }] } } });
    c.shop.fail("WebhookCreate", Ok(answer(200, &complaint)));
    let told = c.check().await;
    assert_eq!(states(&told, "refused"), 1);
    assert!(told.to_string().contains("You cannot create"), "{told}");
    // Wrong secret, frozen, another shop, no answer.
    let expire = || c.product.db.execute("UPDATE store_access SET token_until_ms = 1").unwrap();
    expire();
    c.shop.shop().secret = "another".to_owned();
    let told = c.check().await;
    assert_eq!(told["status"], "broken");
    assert!(told["problem"].as_str().unwrap().contains("client secret"), "{told}");
    c.shop.shop().secret = SECRET.to_owned();
    c.shop.fail("Shop", Ok(answer(402, &json!({ "errors": "x" }))));
    let told = c.check().await;
    assert!(told["problem"].as_str().unwrap().contains("frozen"), "{told}");
    c.shop.shop().name = "other.myshopify.com".to_owned();
    let told = c.check().await;
    assert!(told["problem"].as_str().unwrap().contains("another shop"), "{told}");
    c.shop.shop().name = SHOP.to_owned();
    for _ in 0..8 {
        c.shop.fail("Shop", Err("reset".to_owned()));
    }
    let told = c.check().await;
    assert!(told["problem"].as_str().unwrap().contains("no answer"), "{told}");
    c.shop.shop().faults.clear();
    assert_eq!(c.check().await["status"], "connected");
}

#[tokio::test]
async fn webhooks_are_ensured_by_themselves() {
    let c = Connected::new().await;
    c.check().await;
    // Shopify dropped them; some deliver to where this deployment was before.
    {
        let mut shop = c.shop.shop();
        shop.hooks.truncate(3);
        for hook in &mut shop.hooks {
            hook.2 = hook.2.replace("app.tributary.test", "old.tributary.test");
        }
        let first = shop.hooks[0].clone();
        shop.hooks.push(("double".into(), first.1, first.2));
    }
    c.product.pass(3_600_000);
    c.jobs().await;
    assert_eq!(c.shop.shop().hooks.len(), 4, "not due");
    c.product.pass(24 * 3_600_000);
    c.jobs().await;
    let hooks = c.shop.shop().hooks.clone();
    assert_eq!(hooks.len(), 14);
    assert!(hooks.iter().all(|(_, _, uri)| *uri == c.url()), "{hooks:?}");
    assert_eq!((c.shop.count("WebhookMove"), c.shop.count("WebhookDelete")), (3, 1));
    // A registration of which nobody knows is looked for, not repeated blindly.
    c.shop.shop().hooks.clear();
    c.shop.fail("WebhookCreate", Err("reset".to_owned()));
    c.product.pass(24 * 3_600_000);
    c.jobs().await;
    assert_eq!(c.shop.shop().hooks.len(), 0);
    assert_eq!(states(&c.store().await, "missing"), 14);
    let waiting =
        &c.product.db.rows("SELECT state, payload FROM outbox WHERE state = 'waiting'")[0];
    assert_eq!(waiting["payload"], r#"{"tries":1}"#);
    c.product.pass(120_000);
    c.jobs().await;
    assert_eq!(c.shop.shop().hooks.len(), 14);
    let never = c.product.db.rows("SELECT 1 FROM outbox WHERE state = 'waiting'");
    assert!(never.is_empty());
}

fn shop_body(domain: Value) -> Vec<u8> {
    let body = json!({ "id": 548380009, "name": "Casa", "email": "a@b.example", "domain": null,
        "created_at": "2007-12-31T19:00:00-05:00", "updated_at": "2026-11-22T01:00:00Z",
        "currency": "USD", "shop_owner": "J", "plan_name": "basic", "myshopify_domain": domain });
    body.to_string().into_bytes()
}

#[tokio::test]
async fn a_shop_that_removed_the_app_comes_back_with_its_history() {
    let c = Connected::new().await;
    c.check().await;
    assert_eq!(c.p.deliver(&c.product, &order(1)).await, 200);
    let entries = || c.product.db.rows("SELECT count(*) AS n FROM orders")[0]["n"].clone();
    assert_eq!(entries(), 1);
    // A body that only resembles does nothing: the token still opens the shop.
    let told =
        async |body: &[u8]| assert_eq!(c.product.deliver(&c.p.store, SECRET, body).await, 200);
    told(&shop_body(json!("casa.myshopify.com"))).await;
    told(&shop_body(json!("neighbour.myshopify.com"))).await;
    assert_eq!(c.product.db.rows("SELECT subject FROM outbox WHERE state = 'waiting'").len(), 1);
    c.jobs().await;
    assert_eq!(c.store().await["status"], "connected");
    // Now it is true.
    c.shop.uninstall();
    told(&shop_body(json!("casa.myshopify.com"))).await;
    c.jobs().await;
    let store = c.store().await;
    assert_eq!(
        (&store["status"], states(&store, "registered")),
        (&json!("uninstalled"), 0),
        "{store}"
    );
    let row =
        &c.product.db.rows("SELECT token_sealed, refresh_sealed, look_at_ms FROM store_access")[0];
    assert!(row["token_sealed"].is_null() && row["look_at_ms"].is_null());
    let noted = c.product.db.rows("SELECT 1 FROM audit WHERE action = 'store.uninstalled'");
    assert_eq!(noted.len(), 1);
    // W26: what still arrives is acknowledged, changes nothing, and waits.
    assert_eq!(c.p.deliver(&c.product, &order(2)).await, 200);
    assert_eq!(entries(), 1);
    let waits = c.p.get(&c.product, "/v1/quarantine").await["data"][0].clone();
    assert!(waits["reason"].as_str().unwrap().contains("removed the app"), "{waits}");
    // Nothing is asked of a shop that is gone, however often something is due there.
    let asked = c.shop.shop().asked.len();
    for _ in 0..5 {
        c.product.pass(24 * 3_600_000);
        c.jobs().await;
    }
    assert_eq!(c.shop.shop().asked.len(), asked);
    // Not while it is there, nor by another brand's call.
    let again = json!({ "platform": "shopify", "shop_domain": "Casa.myshopify.com",
        "storefront_url": "https://new.casa.example", "client_id": "client2", "client_secret": "shpss_new" });
    {
        let mut shop = c.shop.shop();
        shop.installed = true;
        shop.secret = "shpss_new".to_owned();
    }
    let back = c.p.post(&c.product, "/v1/stores", again.clone()).await.expect(201);
    assert_eq!((&back["id"], &back["status"]), (&json!(c.p.store), &json!("created")), "{back}");
    assert_eq!(back["storefront_url"], "https://new.casa.example");
    assert!(back["connected_at"].is_string(), "it was connected before");
    assert_eq!(c.check().await["status"], "connected");
    c.p.post(&c.product, "/v1/stores", again).await.expect(409);
    // Its history is there, the next orders join it, and what waited can be replayed.
    let body = order(3).to_string();
    assert_eq!(c.product.deliver(&c.p.store, "shpss_new", body.as_bytes()).await, 200);
    let replay = format!("/v1/quarantine/{}/replay", waits["id"].as_str().unwrap());
    c.product.call("POST", &replay, None, &c.p.key).await.expect(200);
    assert_eq!(entries(), 3);
    c.p.verify(&c.product).await;
    c.no_token_is_told();
}

#[tokio::test]
async fn scopes_that_change_are_looked_at() {
    let c = Connected::new().await;
    let body = json!({ "id": "gid://shopify/App/1", "shop_id": "gid://shopify/Shop/1", "previous": ["read_orders"],
        "current": ["read_orders", "read_products"], "updated_at": "2026-11-22T08:00:00Z" }).to_string();
    assert_eq!(c.product.deliver(&c.p.store, SECRET, body.as_bytes()).await, 200);
    assert!(c.product.db.rows("SELECT 1 FROM outbox").is_empty(), "nobody tried to reach it yet");
    c.check().await;
    c.product.pass(60_000);
    c.shop.shop().scopes.push("read_products".to_owned());
    assert_eq!(c.product.deliver(&c.p.store, SECRET, body.as_bytes()).await, 200);
    c.jobs().await;
    let store = c.store().await;
    assert!(store["scopes"].to_string().contains("read_products"), "{store}");
    assert_eq!(states(&store, "registered"), 17);
}

#[tokio::test]
async fn a_verified_delivery_is_noted_at_most_once_an_hour() {
    let c = Connected::new().await;
    let seen = async || c.store().await["webhook_seen_at"].clone();
    c.p.deliver(&c.product, &order(1)).await;
    assert!(seen().await.is_null(), "nothing is written for a shop that nobody tried to reach");
    c.check().await;
    c.p.deliver(&c.product, &order(2)).await;
    let first = seen().await;
    assert!(first.is_string());
    let calls = c.product.db.calls();
    c.product.pass(1_000);
    c.p.deliver(&c.product, &order(3)).await;
    let more = c.product.db.calls() - calls;
    assert!(more <= 2, "{more}: an order costs what it did");
    assert_eq!(seen().await, first);
    c.product.pass(2 * 3_600_000);
    c.p.deliver(&c.product, &order(4)).await;
    assert_ne!(seen().await, first);
    let forged = sign("other", b"{}");
    assert_eq!(c.product.deliver_signed(&c.p.store, Some(&forged), b"{}").await, 401);
}

#[tokio::test]
async fn a_forgotten_shop_leaves_no_token_and_no_task() {
    let c = Connected::new().await;
    c.begin().await;
    c.check().await;
    c.patch(json!({ "client_secret": "shpss_next" })).await.expect(200);
    c.product
        .db
        .execute("UPDATE outbox SET state = 'waiting', payload = '{\"x\":1}', due_at_ms = 9e15")
        .unwrap();
    let body = json!({ "shop_id": 1, "shop_domain": SHOP }).to_string();
    assert_eq!(c.product.deliver(&c.p.store, "shpss_next", body.as_bytes()).await, 200);
    let row = &c.product.db.rows("SELECT * FROM store_access")[0];
    for name in ["token_sealed", "refresh_sealed", "look_at_ms"] {
        assert!(row[name].is_null(), "{name}");
    }
    let tasks = c.product.db.rows("SELECT state, payload FROM outbox");
    assert!(!tasks.is_empty());
    assert!(
        tasks.iter().all(|task| task["state"] == "failed" && task["payload"] == "{}"),
        "{tasks:?}"
    );
    assert!(c.product.db.rows("SELECT 1 FROM store_authorizations").is_empty());
    assert_eq!(c.store().await["status"], "closed");
    for what in ["/connection", "/authorization"] {
        let refused = c.product.call("POST", &c.path(what), None, &c.p.key).await.expect(409);
        assert_eq!(refused["type"], "/problems/store-closed");
    }
    // The same shop, connected anew.
    c.shop.shop().secret = "shpss_back".to_owned();
    let again = json!({ "platform": "shopify", "shop_domain": SHOP, "storefront_url": "https://shop.casa.example",
        "client_id": "client", "client_secret": "shpss_back" });
    let back = c.p.post(&c.product, "/v1/stores", again).await.expect(201);
    assert_eq!((&back["id"], &back["status"]), (&json!(c.p.store), &json!("created")));
    assert_eq!(c.check().await["status"], "connected");
}

#[tokio::test]
async fn credentials_are_changed_one_by_one() {
    let c = Connected::new().await;
    c.check().await;
    let refused = c.patch(json!({})).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "client_secret");
    for (body, field) in [
        (json!({ "storefront_url": "http://evil.example" }), "storefront_url"),
        (json!({ "storefront_url": "https://app.tributary.test" }), "storefront_url"),
        (json!({ "client_id": "" }), "client_id"),
        (json!({ "access_token": "x y z 1 2 3" }), "access_token"),
    ] {
        assert_eq!(c.patch(body).await.expect(422)["errors"][0]["field"], field);
    }
    // Where links lead changes nothing of what opens the shop.
    let token =
        || c.product.db.rows("SELECT token_sealed FROM store_access")[0]["token_sealed"].clone();
    let before = token();
    let told = c.patch(json!({ "storefront_url": "https://moved.casa.example" })).await.expect(200);
    assert_eq!(
        (&told["storefront_url"], &told["status"]),
        (&json!("https://moved.casa.example"), &json!("connected"))
    );
    assert_eq!(token(), before);
    // A token that was got with the old secret isn't used any more.
    c.shop.shop().secret = "shpss_next".to_owned();
    c.patch(json!({ "client_secret": "shpss_next" })).await.expect(200);
    assert_eq!(
        (c.shop.count("client_credentials"), c.store().await["status"].clone()),
        (2, json!("connected"))
    );
    // The same again is no change.
    let rows = c.product.db.rows("SELECT 1 FROM audit").len();
    c.patch(json!({ "client_secret": "shpss_next", "client_id": "client" })).await.expect(200);
    assert_eq!(c.product.db.rows("SELECT 1 FROM audit").len(), rows);
    // From a pasted token back to the app.
    c.shop.shop().tokens.insert("shpat_secret_pasted".to_owned());
    let told = c.patch(json!({ "access_token": "shpat_secret_pasted" })).await.expect(200);
    assert_eq!(told["way"], "access_token");
    let told = c.patch(json!({ "client_id": "client" })).await.expect(200);
    assert_eq!(told["way"], "client_credentials");
    c.no_token_is_told();
}

#[tokio::test]
async fn who_works_there_is_waited_for() {
    let c = Connected::new().await;
    c.product
        .db
        .execute(&format!(
            "INSERT INTO store_leases VALUES ('{}', '{}', 'x', 9e15)",
            c.p.brand["id"].as_str().unwrap(),
            c.p.store
        ))
        .unwrap();
    let busy = c.product.call("POST", &c.path("/connection"), None, &c.p.key).await.expect(202);
    assert_eq!(busy["status"], "created");
    c.product.db.execute("DELETE FROM store_leases").unwrap();
    c.jobs().await;
    assert_eq!(c.store().await["status"], "connected", "it is looked at then");
    // And the lease was given back.
    assert_eq!(c.check().await["status"], "connected");
    let status = c.product.call("GET", "/v1/status", None, "").await.expect(200);
    assert_eq!(status["outbox"], json!({ "waiting": 0, "oldest_due_seconds": null }));
}

#[tokio::test]
async fn a_laptop_without_a_shop_says_so() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let path = format!("/v1/stores/{}/connection", p.store);
    let told = product.call("POST", &path, None, &p.key).await.expect(200);
    assert!(told["problem"].as_str().unwrap().contains("SHOPIFY_ORIGIN"), "{told}");
    assert!(product.db.rows("SELECT 1 FROM outbox").is_empty());
    product.db.away(true);
    assert_eq!(product.call("POST", &path, None, &p.key).await.status, 503);
}

#[tokio::test]
async fn tasks_that_wait_are_told_in_status() {
    let c = Connected::new().await;
    c.check().await;
    for _ in 0..20 {
        c.shop.fail("Shop", Err("reset".to_owned()));
    }
    c.check().await;
    c.product.pass(10 * 60_000);
    c.product.app.memory.remember_status(None, 0);
    let status = c.product.call("GET", "/v1/status", None, "").await.expect(200);
    assert_eq!(status["outbox"]["waiting"], 1);
    let age = status["outbox"]["oldest_due_seconds"].as_i64().unwrap();
    assert!((500..700).contains(&age), "{age}");
}
