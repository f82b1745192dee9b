//! Stores on GoAffPro: what commands about them leave in the trail, and what is forgotten with a creator.
//! What becomes of GoAffPro's answers is tried in workerd (tests/workerd/goaffpro.test.mjs).

use serde_json::{Value, json};

use crate::support::sqlite::Sqlite;
use crate::support::{Product, Programme};
use tributary::app::WebAnswer;

/// Tried here.
pub const STORE_COMMANDS: [&str; 7] = [
    "patch /v1/stores/{id}/comparison/{external_id}",
    "post /v1/stores/{id}/connection",
    "patch /v1/stores/{id}/goaffpro",
    "post /v1/stores/{id}/affiliates/{affiliate_id}/assignment",
    "delete /v1/stores/{id}/affiliates/{affiliate_id}/assignment",
    "post /v1/deals/{id}/affiliate",
    // A hint changes when something is done, not what: no row.
    "post /webhooks/goaffpro/{id}",
];

const CONFIG: &str = "https://api.goaffpro.com/v1/admin/store/config?keys=site_id,store_name,default_currency,website";

/// An affiliate as if it had been read.
pub fn affiliate(product: &Product, brand: &str, store: &str, id: u32, name: &str) {
    let sql = format!(
        "INSERT INTO affiliates (brand_id, store_id, id, name, email_hash, ref_codes, coupons, status,
         commission, read_at_ms) VALUES ('{brand}', '{store}', '{id}', '{name}', 'hash{id}', '[\"{name}\"]',
         '[]', 'approved', '', 0)"
    );
    product.db.execute(&sql).unwrap();
}

struct Connected {
    product: Product,
    p: Programme,
    brand: String,
    store: String,
}

async fn store() -> Connected {
    let product = Product::over(Sqlite::new(), false);
    let p = Programme::new(&product).await;
    let new = json!({ "platform": "goaffpro", "storefront_url": "https://gap.casa.example",
        "access_token": "gap-token" });
    let made = p.post(&product, "/v1/stores", new).await.expect(201);
    assert_eq!(made["platform"], "goaffpro");
    let store = made["id"].as_str().unwrap().to_owned();
    let hook = made["webhook_url"].as_str().unwrap();
    assert!(hook.starts_with(&format!("https://app.tributary.test/webhooks/goaffpro/{store}.")));
    let brand = p.brand["id"].as_str().unwrap().to_owned();
    Connected { product, p, brand, store }
}

#[tokio::test]
async fn commands_about_stores_on_goaffpro_are_attributable() {
    let Connected { product, p, brand, store } = store().await;
    let config = json!({ "default_currency": "USD", "website": "gap.casa.example" });
    let answer = WebAnswer { status: 200, retry_after: String::new(), body: config.to_string() };
    product.web.script(CONFIG, vec![Ok(answer)]);
    affiliate(&product, &brand, &store, 7, "seven");
    let at = |what: &str| format!("/v1/stores/{store}{what}");
    let deal = json!({ "deal_id": p.deal });
    let asked = format!("/v1/deals/{}/affiliate", p.deal);
    let assignment = at("/affiliates/7/assignment");
    let commands = [
        ("POST", at("/connection"), Value::Null, "store.connect"),
        (
            "PATCH",
            at("/goaffpro"),
            json!({ "orders_from": p.store, "access_token": "other-token" }),
            "store.update",
        ),
        ("POST", assignment.clone(), deal, "affiliate.assign"),
        ("DELETE", assignment, Value::Null, "affiliate.unassign"),
        ("POST", asked, json!({ "store_id": store, "ref_code": "anna" }), "affiliate.create"),
    ];
    let rows = || product.db.rows("SELECT * FROM audit ORDER BY id");
    for (method, path, body, action) in commands {
        product.pass(1);
        let before = rows().len();
        let body = (!body.is_null()).then_some(body);
        let answer = product.call(method, &path, body, &p.key).await;
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text);
        let all = rows();
        assert_eq!(all.len(), before + 1, "{method} {path}");
        let row = all.last().unwrap();
        assert_eq!(row["action"], action);
        assert!(!row.to_string().contains("-token"), "{row}");
    }
    let shown = p.get(&product, &at("/goaffpro")).await;
    assert_eq!((&shown["currency"], &shown["orders_from"]), (&json!("USD"), &json!(p.store)));
    assert!(!shown.to_string().contains("-token"));
    let kept = &product
        .db
        .rows(&format!("SELECT token_sealed FROM store_access WHERE store_id = '{store}'"))[0];
    assert!(!kept["token_sealed"].as_str().unwrap().contains("token"), "tokens are sealed");
}

/// Only whoever knows the address, and only of a store that was reached; once a minute.
#[tokio::test]
async fn a_hint_is_told_with_its_time() {
    let Connected { product, p, store, .. } = store().await;
    let path = format!("/v1/stores/{store}");
    let hook = p.get(&product, &path).await["webhook_url"].as_str().unwrap().to_owned();
    let hook = hook.strip_prefix("https://app.tributary.test").unwrap().to_owned();
    let at = format!("{path}/goaffpro");
    let hinted = async || p.get(&product, &at).await["hinted_at"].clone();
    let waiting = || product.db.rows("SELECT id FROM outbox WHERE kind = 'goaffpro_sync'").len();
    let tell = async |path: &str| product.call("POST", path, None, "").await.status;
    assert_eq!((tell(&hook).await, hinted().await), (204, Value::Null), "never reached");
    let config = json!({ "default_currency": "USD", "website": "gap.casa.example" });
    let answer = WebAnswer { status: 200, retry_after: String::new(), body: config.to_string() };
    product.web.script(CONFIG, vec![Ok(answer)]);
    p.post(&product, &format!("{path}/connection"), json!({})).await.expect(200);
    product.db.execute("DELETE FROM outbox").unwrap();
    let wrong = format!("{}x", &hook[..hook.len() - 1]);
    assert_eq!((tell(&wrong).await, hinted().await, waiting()), (404, Value::Null, 0));
    assert_eq!((tell(&hook).await, waiting()), (204, 1));
    let first = hinted().await;
    assert!(first.is_string(), "{first}");
    product.pass(1_000);
    assert_eq!((tell(&hook).await, hinted().await), (204, first.clone()), "a minute is not over");
    product.pass(60_000);
    assert_eq!(tell(&hook).await, 204);
    assert_ne!(hinted().await, first);
}

#[tokio::test]
async fn a_store_that_is_slow_once_is_not_broken() {
    let Connected { product, p, store, .. } = store().await;
    let answer = |status, body: Value| {
        Ok(WebAnswer { status, retry_after: String::new(), body: body.to_string() })
    };
    let config = json!({ "default_currency": "USD", "website": "gap.casa.example" });
    let path = format!("/v1/stores/{store}/connection");
    for (told, status, problem) in [
        (Err("timeout".to_owned()), "created", true),
        (answer(200, config), "connected", false),
        (Err("timeout".to_owned()), "connected", true),
        (answer(429, json!({})), "connected", true),
        (answer(500, json!({})), "connected", true),
        (answer(401, json!({})), "broken", true),
    ] {
        product.web.script(CONFIG, vec![told]);
        product.pass(60_000);
        let view = p.post(&product, &path, json!({})).await.expect(200);
        assert_eq!(
            (&view["status"], view["problem"].is_string()),
            (&json!(status), problem),
            "{view}"
        );
    }
}

#[tokio::test]
async fn what_a_store_on_goaffpro_is_told_is_checked() {
    let Connected { product, p, store, .. } = store().await;
    let new = |more: Value| {
        let mut body = json!({ "platform": "goaffpro", "storefront_url": "https://two.casa.example",
            "access_token": "t" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (bad, status) in [
        (json!({ "access_token": "" }), 422),
        (json!({ "access_token": "a b" }), 422),
        (json!({ "access_token": "é" }), 422),
        (json!({ "access_token": 7 }), 422),
        (json!({ "ref_parameter": "click_id" }), 422),
        (json!({ "ref_parameter": "a&b" }), 422),
        (json!({ "orders_from": store }), 422),
        (json!({ "orders_from": "store_x" }), 422),
        (json!({ "shop_domain": "casa.myshopify.com" }), 422),
        (json!({ "storefront_url": "http://shop.example" }), 422),
        (json!({ "storefront_url": "https://gap.casa.example" }), 409),
    ] {
        p.post(&product, "/v1/stores", new(bad)).await.expect(status);
    }
    // Nothing is signed by it: whoever delivers there gets what everybody gets.
    assert_eq!(product.deliver(&store, "", b"{}").await, 401);
    let shopify = |what: &str| format!("/v1/stores/{}{what}", p.store);
    for what in ["/goaffpro", "/affiliates", "/comparison"] {
        product.call("GET", &shopify(what), None, &p.key).await.expect(404);
    }
    let at = |what: &str| format!("/v1/stores/{store}{what}");
    for bad in [
        "/affiliates?state=x",
        "/comparison?state=x",
        "/comparison?differs=1",
        "/affiliates?limit=0",
    ] {
        product.call("GET", &at(bad), None, &p.key).await.expect(422);
    }
    for bad in ["0x7", "-1", "7%00", "999999999999999999999"] {
        let path = at(&format!("/affiliates/{bad}/assignment"));
        product.call("POST", &path, Some(json!({ "deal_id": p.deal })), &p.key).await.expect(404);
    }
}

#[tokio::test]
async fn an_affiliate_is_forgotten_with_its_creator() {
    let Connected { product, p, brand, store } = store().await;
    affiliate(&product, &brand, &store, 7, "seven");
    affiliate(&product, &brand, &store, 8, "eight");
    let path = format!("/v1/stores/{store}/affiliates/7/assignment");
    p.post(&product, &path, json!({ "deal_id": p.deal })).await.expect(200);
    let export =
        product.call("GET", &format!("/v1/creators/{}/export", p.creator), None, &p.key).await;
    assert!(
        export.text.contains("\"affiliate\"") && export.text.contains("seven"),
        "{}",
        export.text
    );
    // Others that are told with her address, or one of somebody who was merged into her, and belong to no
    // deal.
    affiliate(&product, &brand, &store, 6, "six");
    let addresses =
        "UPDATE creators SET other_hashes = 'first second' WHERE email_hash IS NOT NULL";
    product.db.execute(addresses).unwrap();
    product
        .db
        .execute("UPDATE affiliates SET email_hash = (SELECT email_hash FROM creators WHERE email_hash IS NOT NULL LIMIT 1) WHERE id = '8'")
        .unwrap();
    product.db.execute("UPDATE affiliates SET email_hash = 'second' WHERE id = '6'").unwrap();
    let erasure = format!("/v1/creators/{}/erasure", p.creator);
    p.post(&product, &erasure, json!({ "confirm": "@anna.home" })).await.expect(200);
    // What its ledger tells the night after is kept of nobody who was erased.
    affiliate(&product, &brand, &store, 9, "nine");
    let sums = r#"[["7",{"orders":3}],["8",{"orders":4}],["9",{"orders":5}]]"#;
    let (of, at) = (brand.parse().unwrap(), store.parse().unwrap());
    let told = tributary::storage::affiliates::tell_sums(of, at, sums);
    product.app.db().run(vec![told]).await.unwrap();
    let nine = product.db.rows("SELECT sums FROM affiliates WHERE id = '9'").remove(0);
    assert_eq!(nine["sums"], r#"{"orders":5}"#);
    let erased = "SELECT id, name, email_hash, erased_at_ms, sums FROM affiliates WHERE id <> '9'";
    assert_eq!(product.db.rows(erased).len(), 3);
    for row in product.db.rows(erased) {
        assert_eq!((&row["name"], &row["email_hash"]), (&Value::Null, &Value::Null), "{row}");
        assert!(!row["sums"].as_str().unwrap().contains("orders"), "{row}");
        assert!(row["erased_at_ms"].is_number(), "{row}");
    }
}

#[test]
fn an_odd_commission_loses_no_order() {
    for odd in [json!("1e-7"), json!("0.1234567"), json!("-3.00"), json!(["x"])] {
        let row = json!({ "id": "7", "number": "#1001", "subtotal": "100.00", "commission": odd,
            "status": "approved", "created": "2026-11-20T10:00:00Z" });
        let currency = "USD".parse().unwrap();
        let told = tributary::partners::goaffpro::order(&row, currency, crate::support::NOW_MS);
        let told = told.unwrap_or_else(|why| panic!("{odd}: {why}"));
        assert_eq!(
            (told.subtotal.to_string().as_str(), told.commission),
            ("100.00", None),
            "{odd}"
        );
    }
}

/// An order of another store, and GoAffPro's row of the same, of affiliate 7; nothing else is due.
async fn told_twice(subtotal: &str) -> (Connected, Value) {
    let c = store().await;
    let config = json!({ "default_currency": "USD", "website": "" });
    let answer = WebAnswer { status: 200, retry_after: String::new(), body: config.to_string() };
    c.product.web.script(CONFIG, vec![Ok(answer)]);
    let path = format!("/v1/stores/{}/connection", c.store);
    c.product.call("POST", &path, None, &c.p.key).await.expect(200);
    assert_eq!(c.p.deliver(&c.product, &crate::support::shop::order(1001)).await, 200);
    let theirs = c.product.db.rows("SELECT * FROM orders")[0].clone();
    let (name, at) = (theirs["name"].as_str().unwrap(), &theirs["placed_at_ms"]);
    let subtotal = if subtotal.is_empty() {
        let minor = theirs["base_minor"].as_i64().unwrap();
        format!("{}.{:02}", minor / 100, minor % 100)
    } else {
        subtotal.to_owned()
    };
    let sql = format!(
        "INSERT INTO goaffpro_orders (brand_id, store_id, external_id, number, affiliate_id, subtotal, status,
         paid, coupons, placed_at_ms, told_at_ms, as_of_ms, due_at_ms)
         VALUES ('{}', '{}', '7', '{name}', '7', '{subtotal}', 'approved', 0, '[]', {at}, {at}, {at}, 0)",
        c.brand, c.store
    );
    c.product.db.execute(&sql).unwrap();
    (c, theirs)
}

/// What waits is told to our orders, after this changed. Tells its standing and what it is worth here.
async fn apply(c: &Connected, change: &str) -> (String, i64) {
    c.product.pass(60_000);
    let now = c.product.app.now_ms();
    c.product
        .db
        .execute(&format!(
            "UPDATE goaffpro_orders SET {change}, due_at_ms = 0, told_at_ms = {now}, as_of_ms = {now}, revision = revision + 1"
        ))
        .unwrap();
    c.product
        .db
        .execute("DELETE FROM outbox WHERE kind <> 'goaffpro_sync' OR subject <> 'orders'")
        .unwrap();
    c.product.db.execute("UPDATE outbox SET payload = '{\"applied\":0}', due_at_ms = 0").unwrap();
    tributary::jobs::outbox::run_due(&c.product.app).await.unwrap();
    let row = c.product.db.rows("SELECT standing FROM goaffpro_orders")[0].clone();
    let own = c
        .product
        .db
        .rows(&format!("SELECT base_minor, state FROM orders WHERE store_id = '{}'", c.store));
    let counts = own.first().filter(|own| own["state"] != "cancelled");
    (
        row["standing"].as_str().unwrap().to_owned(),
        counts.map_or(0, |own| own["base_minor"].as_i64().unwrap()),
    )
}

#[tokio::test]
async fn an_order_whose_row_forgot_it_is_taken_back_when_another_store_tells_it() {
    let (c, _) = told_twice("55.00").await;
    assert_eq!(apply(&c, "paid = 0, another = 1").await, ("ours".to_owned(), 5500));
    let forgotten = format!("UPDATE goaffpro_stores SET orders_from = '{}'", c.p.store);
    c.product.db.execute(&forgotten).unwrap();
    assert_eq!(
        apply(&c, "standing = 'new', order_id = NULL, another = 0").await,
        ("matched".to_owned(), 0)
    );
}

#[tokio::test]
async fn an_order_that_was_held_back_stays_so_whatever_its_amount_becomes() {
    let (c, _) = told_twice("").await;
    assert_eq!(apply(&c, "paid = 0").await, ("held".to_owned(), 0));
    assert_eq!(apply(&c, "subtotal = '12.00'").await, ("held".to_owned(), 0));
    c.product
        .db
        .execute(&format!("UPDATE stores SET closed_at_ms = 1 WHERE id = '{}'", c.p.store))
        .unwrap();
    assert_eq!(apply(&c, "subtotal = '13.00'").await, ("held".to_owned(), 0));
}

#[tokio::test]
async fn an_order_that_two_stores_tell_with_different_amounts_counts_once_until_the_brand_says_more()
 {
    let (c, theirs) = told_twice("55.00").await;
    assert_eq!(apply(&c, "paid = 0").await, ("held".to_owned(), 0));
    let list = c.p.get(&c.product, &format!("/v1/stores/{}/comparison?state=held", c.store)).await;
    let shown = &list["data"][0];
    assert_eq!((&shown["order_id"], &shown["another_order"]), (&theirs["id"], &json!(false)));
    // Another order of the same name, so the brand says: it counts by itself, and is noted.
    let path = format!("/v1/stores/{}/comparison/7", c.store);
    let say = async |another: bool| {
        c.product.pass(60_000);
        let body = json!({ "another_order": another });
        c.product.call("PATCH", &path, Some(body), &c.p.key).await.expect(200)
    };
    let noted = || c.product.db.rows("SELECT * FROM audit WHERE action = 'store.compare'").len();
    assert_eq!(say(true).await["another_order"], true);
    assert_eq!(apply(&c, "paid = 0").await, ("ours".to_owned(), 5500));
    say(true).await;
    assert_eq!(noted(), 1);
    let nobodys = format!("/v1/stores/{}/comparison/8", c.store);
    for (path, body, status) in [
        (&nobodys, json!({ "another_order": true }), 404),
        (&path, json!({ "another_order": "true" }), 422),
        (&path, json!({}), 422),
    ] {
        c.product.call("PATCH", path, Some(body), &c.p.key).await.expect(status);
    }
    // It was the same after all.
    assert_eq!(say(false).await["another_order"], false);
    assert_eq!(apply(&c, "paid = 0").await, ("held".to_owned(), 0));
    assert_eq!(noted(), 2);
}

#[tokio::test]
async fn a_rejection_is_heard_whosever_the_order_is_by_then() {
    for change in [
        // It is nobody's there any more; it was given to another, whom nobody assigned; it is gone.
        "affiliate_id = NULL, status = 'rejected'",
        "affiliate_id = '9', status = 'rejected'",
        "affiliate_id = NULL, status = 'gone'",
    ] {
        let (c, theirs) = told_twice("").await;
        c.product
            .db
            .execute(&format!("UPDATE goaffpro_stores SET orders_from = '{}'", c.p.store))
            .unwrap();
        affiliate(&c.product, &c.brand, &c.store, 7, "seven");
        let assignment = format!("/v1/stores/{}/affiliates/7/assignment", c.store);
        let body = json!({ "deal_id": c.p.deal, "starts_at": "2026-01-01T00:00:00Z" });
        c.product.call("POST", &assignment, Some(body), &c.p.key).await.expect(200);
        let deal = || {
            let sql = format!(
                "SELECT deal_id FROM orders WHERE id = '{}'",
                theirs["id"].as_str().unwrap()
            );
            c.product.db.rows(&sql)[0]["deal_id"].clone()
        };
        assert_eq!(apply(&c, "paid = 0").await.0, "matched");
        assert_eq!(deal(), json!(c.p.deal));
        c.product.call("DELETE", &assignment, None, &c.p.key).await.expect(200);
        assert_eq!(apply(&c, "affiliate_id = NULL").await.0, "matched");
        assert_eq!(deal(), json!(c.p.deal), "what was decided stays");
        assert_eq!(apply(&c, change).await.0, "matched");
        assert_eq!(deal(), Value::Null, "{change}");
    }
}
