//! Orders and refunds that a shop's own server reports.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use serde_json::{Value, json};
use sha2::Sha256;
use tributary::domain::time::to_rfc3339;

use crate::support::{Answer, NOW_MS, Product, Programme, at_once};

/// What [`the_stores_secret_is_told_once_and_rotated`] tries; reports note nothing, as webhooks don't:
/// orders are told by themselves and by the ledger.
pub const CONVERSION_COMMANDS: [&str; 5] = [
    "post /v1/stores/{id}/signing-secret",
    "post /v1/conversions",
    "post /v1/conversions/{external_id}/refunds",
    "post /webhooks/custom/{id}/conversions",
    "post /webhooks/custom/{id}/conversions/{external_id}/refunds",
];

/// A programme whose deal has the code ANNA, and its custom store with its secret.
struct Shop {
    p: Programme,
    store: String,
    secret: String,
}

impl Shop {
    async fn new(product: &Product) -> Self {
        Self::with(product, "USD", "10").await
    }

    async fn with(product: &Product, currency: &str, percent: &str) -> Self {
        let p = Programme::with(product, currency, percent).await;
        let code = json!({ "code": "ANNA", "create_in_store": false });
        p.post(product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
        let new = json!({ "platform": "custom", "storefront_url": "https://own.casa.example" });
        let made = p.post(product, "/v1/stores", new).await.expect(201);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        let (store, secret) = (text("id"), text("signing_secret"));
        Self { p, store, secret }
    }

    async fn report(&self, product: &Product, mut body: Value) -> Answer {
        body["store_id"] = json!(self.store);
        self.p.post(product, "/v1/conversions", body).await
    }

    async fn refund(&self, product: &Product, order: &str, mut body: Value) -> Answer {
        body["store_id"] = json!(self.store);
        self.p.post(product, &format!("/v1/conversions/{order}/refunds"), body).await
    }

    async fn signed(&self, product: &Product, path: &str, body: &Value, secret: &str) -> u16 {
        let at = product.app.now_ms() / 1000;
        let body = body.to_string();
        let signature = sign(secret, "msg_1", at, &body);
        self.sent(product, path, &body, &[&at.to_string(), &signature, "msg_1"]).await.status
    }

    async fn sent(&self, product: &Product, path: &str, body: &str, told: &[&str; 3]) -> Answer {
        let path = format!("/webhooks/custom/{}/conversions{path}", self.store);
        let request = Request::builder().method("POST").uri(path);
        let request = request.header("content-type", "application/json");
        let [at, signature, id] = told;
        let request = request.header("webhook-timestamp", *at).header("webhook-id", *id);
        let request = request.header("webhook-signature", *signature);
        product.raw(request.body(body.as_bytes().to_vec()).unwrap()).await
    }

    async fn earns(&self, product: &Product, external: &str) -> (String, String, String) {
        let path = format!("/v1/orders?external_id={external}");
        let found = self.p.get(product, &path).await["data"][0].clone();
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        self.p.verify(product).await;
        let (base, commission) = (&found["base"]["amount"], &found["commission"]["amount"]);
        (text(&found["state"]), text(base), text(commission))
    }
}

fn sign(secret: &str, id: &str, at_s: i64, body: &str) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{at_s}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The worked example of the contract.
fn worked(id: &str) -> Value {
    json!({ "external_id": id, "placed_at": to_rfc3339(NOW_MS - 3_600_000), "currency": "USD",
        "updated_at": to_rfc3339(NOW_MS - 3_000_000), "customer_email": "buyer@example.com",
        "codes": [{ "code": "anna", "discount": "15.00" }], "lines": [
            { "id": "A", "product_id": "9001", "quantity": 1, "unit_price": "100.00", "discount": "10.00" },
            { "id": "B", "quantity": 2, "unit_price": "25", "discount": "5.0" }] })
}

#[tokio::test]
async fn a_product_that_is_told_no_more_makes_no_news_and_another_one_does() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    let told = |id: Option<&str>| {
        let mut body = worked("1001");
        body.as_object_mut().unwrap().remove("updated_at");
        if let Some(id) = id {
            body["lines"][0]["product_id"] = json!(id);
        } else {
            body["lines"][0].as_object_mut().unwrap().remove("product_id");
        }
        body
    };
    shop.report(&product, told(Some("9001"))).await.expect(201);
    for (id, outcome) in [
        (None, "unchanged"),
        (None, "unchanged"),
        (Some("9001"), "unchanged"),
        (Some("77"), "committed"),
        (Some("77"), "unchanged"),
        (None, "unchanged"),
    ] {
        product.pass(60_000);
        let again = shop.report(&product, told(id)).await.expect(200);
        assert_eq!(again["outcome"], outcome, "{id:?}");
    }
    let order = shop.p.get(&product, "/v1/orders?external_id=1001").await["data"][0].clone();
    let path = format!("/v1/orders/{}/commission", order["id"].as_str().unwrap());
    let commission = shop.p.get(&product, &path).await;
    assert_eq!(commission["lines"][0]["product_id"], "77", "{commission}");
    shop.p.audit(&product).await;
}

fn of(state: &str, base: &str, commission: &str) -> (String, String, String) {
    (state.to_owned(), base.to_owned(), commission.to_owned())
}

#[tokio::test]
async fn the_worked_example_comes_by_this_door_too() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    let told = shop.report(&product, worked("1001")).await.expect(201);
    assert_eq!(told["outcome"], "committed");
    assert_eq!(told["attribution"], "code");
    assert_eq!(told["order"]["deal_id"], shop.p.deal.as_str());
    assert_eq!(told["order"]["commission"], json!({ "amount": "13.50", "currency": "USD" }));
    let listed = shop.p.get(&product, "/v1/orders?external_id=1001").await;
    assert_eq!(listed["data"][0], told["order"], "as the list tells it");

    // One unit of B: its share of the line.
    let one =
        json!({ "id": "r1", "currency": "USD", "lines": [{ "line_id": "B", "quantity": 1 }] });
    let told = shop.refund(&product, "1001", one.clone()).await.expect(201);
    assert_eq!(told["order"]["commission"]["amount"], "11.25");
    assert_eq!(told["order"]["state"], "partially_refunded");
    assert_eq!(shop.refund(&product, "1001", one).await.expect(200)["outcome"], "unchanged");
    assert_eq!(shop.earns(&product, "1001").await, of("partially_refunded", "112.50", "11.25"));

    let mut cancelled = worked("1001");
    cancelled["state"] = json!("cancelled");
    cancelled["updated_at"] = json!(to_rfc3339(NOW_MS - 1000));
    let told = shop.report(&product, cancelled).await.expect(200);
    assert_eq!(
        (&told["outcome"], &told["order"]["state"]),
        (&json!("committed"), &json!("cancelled"))
    );
    assert_eq!(shop.earns(&product, "1001").await.2, "0.00");
}

#[tokio::test]
async fn the_same_report_twice_is_one_and_the_later_one_counts() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    shop.report(&product, worked("1001")).await.expect(201);
    let checksum = product.db.checksum();
    let again = shop.report(&product, worked("1001")).await.expect(200);
    assert_eq!((&again["outcome"], &again["attribution"]), (&json!("unchanged"), &json!("code")));
    assert_eq!(product.db.checksum(), checksum);

    let mut later = worked("1001");
    later["lines"][0]["unit_price"] = json!("110.00");
    later["updated_at"] = json!(to_rfc3339(NOW_MS - 2_000_000));
    assert_eq!(shop.report(&product, later).await.expect(200)["outcome"], "committed");
    assert_eq!(shop.earns(&product, "1001").await, of("paid", "145.00", "14.50"));
    assert_eq!(shop.report(&product, worked("1001")).await.expect(200)["outcome"], "unchanged");
    assert_eq!(shop.earns(&product, "1001").await.1, "145.00");

    // 20 at once, of which each would be the first.
    let reports = (0..20).map(|_| shop.report(&product, worked("1002")));
    let answers = at_once(reports).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)));
    assert_eq!(shop.earns(&product, "1002").await, of("paid", "135.00", "13.50"));
}

#[tokio::test]
async fn a_shop_without_clocks_tells_the_latest() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    let report = |amount: &str| {
        json!({ "external_id": "n/1 ä"[..3].to_owned(), "currency": "USD", "amount": amount,
            "codes": [{ "code": "ANNA" }] })
    };
    let first = shop.report(&product, report("50.00")).await.expect(201);
    assert_eq!(first["order"]["placed_at"], to_rfc3339(product.app.now_ms()));
    product.pass(60_000);
    let same = shop.report(&product, report("50.00")).await.expect(200);
    assert_eq!(same["outcome"], "unchanged");
    assert_eq!(same["order"], first["order"]);
    let changed = shop.report(&product, report("60.00")).await.expect(200);
    assert_eq!(changed["order"]["base"]["amount"], "60.00");
    assert_eq!(changed["order"]["placed_at"], first["order"]["placed_at"]);
    // Back again is a change too.
    assert_eq!(shop.report(&product, report("50.00")).await.expect(200)["outcome"], "committed");
    // A repetition that tells a click as well: it is looked at once, and is none here.
    let mut more = report("50.00");
    more["click_id"] = json!("");
    assert_eq!(shop.report(&product, more).await.expect(200)["outcome"], "unchanged");
    let back = json!({ "id": "r/1", "currency": "USD", "amount": "20" });
    let told = shop.refund(&product, "n%2F1", back).await.expect(201);
    assert_eq!(told["order"]["base"]["amount"], "30.00");
    assert_eq!(shop.earns(&product, "n%2F1").await, of("partially_refunded", "30.00", "3.00"));
}

/// All orders of arrival of an order, its change, a refund and a cancellation end alike.
#[tokio::test]
async fn reports_may_come_in_any_order() {
    let mut changed = worked("1");
    changed["updated_at"] = json!(to_rfc3339(NOW_MS - 2_000_000));
    changed["lines"][1]["quantity"] = json!(4);
    let refund = |id: &str| {
        json!({ "id": id, "currency": "USD",
            "lines": [{ "line_id": "B", "quantity": 1, "amount": "22.50" }] })
    };
    let reports = [worked("1"), changed, refund("r1"), refund("r2")];
    for turn in 0..24 {
        let mut rest: Vec<usize> = (0..4).collect();
        let order: Vec<usize> =
            [turn / 6, turn / 2 % 3, turn % 2, 0].map(|at| rest.remove(at)).to_vec();
        let product = Product::new();
        let shop = Shop::new(&product).await;
        for at in order.iter().chain(&order) {
            let body = reports[*at].clone();
            let answer = if *at < 2 {
                shop.report(&product, body).await
            } else {
                shop.refund(&product, "1", body).await
            };
            assert!(matches!(answer.status, 200 | 201), "{order:?}: {}", answer.text);
        }
        // 90 + 95 − 45
        let end = of("partially_refunded", "140.00", "14.00");
        assert_eq!(shop.earns(&product, "1").await, end, "{order:?}");
    }
}

#[tokio::test]
async fn a_refund_may_come_first_if_it_tells_its_amount() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    let one =
        json!({ "id": "r1", "currency": "USD", "lines": [{ "line_id": "B", "quantity": 1 }] });
    let told = shop.refund(&product, "1", one).await.expect(422);
    assert_eq!(told["errors"][0]["field"], "lines[0].amount");
    let two = json!({ "id": "r1", "currency": "USD",
        "lines": [{ "line_id": "B", "quantity": 1, "amount": "22.50" }] });
    let told = shop.refund(&product, "1", two).await.expect(201);
    assert_eq!((&told["order"], &told["attribution"]), (&Value::Null, &Value::Null));
    shop.report(&product, worked("1")).await.expect(201);
    assert_eq!(shop.earns(&product, "1").await, of("partially_refunded", "112.50", "11.25"));
}

#[tokio::test]
async fn clicks_landing_pages_and_refs_lead_to_deals() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    let links = format!("/v1/deals/{}/links", shop.p.deal);
    let link = json!({ "slug": "anna", "store_id": shop.store });
    shop.p.post(&product, &links, link).await.expect(201);
    let location = product.visit("", "anna", "", "Mozilla/5.0 (iPhone)").await.unwrap();
    assert!(location.starts_with("https://own.casa.example/?ref=anna&click_id="), "{location}");
    let click = location.split("click_id=").nth(1).unwrap();
    product.pass(60_000);
    for (number, evidence, method) in [
        (1, json!({ "click_id": click }), "link"),
        (2, json!({ "landing_page": location }), "link"),
        (3, json!({ "ref": "anna" }), "link"),
        (4, json!({ "landing_page": "/x?ref=anna" }), "link"),
        (5, json!({ "click_id": "forged", "ref": "anna" }), ""),
        (6, json!({ "click_id": click, "codes": [{ "code": "ANNA" }] }), "code"),
        (7, json!({}), ""),
        (9, json!({ "landing_page": format!("https://x.example/?click_id={click}#top") }), "link"),
        (8, json!({ "click_id": click, "customer_email": " Anna@Creator.example" }), ""),
    ] {
        let mut body =
            json!({ "external_id": number.to_string(), "currency": "USD", "amount": "10" });
        body.as_object_mut().unwrap().extend(evidence.as_object().unwrap().clone());
        let told = shop.report(&product, body).await.expect(201);
        assert_eq!(told["attribution"].as_str().unwrap_or(""), method, "{number}: {told}");
    }
    let rows = product.db.rows("SELECT facts FROM orders");
    assert!(!format!("{rows:?}").contains("reator.example"), "addresses are hashed");
}

#[tokio::test]
async fn currencies_have_their_own_decimals_and_taxes_their_part() {
    for (currency, percent, price, base, commission) in [
        ("JPY", "12.5", "999", "999", "125"),
        ("KWD", "10", "1.005", "1.005", "0.101"),
        ("USD", "10", "0.05", "0.05", "0.01"),
    ] {
        let product = Product::new();
        let shop = Shop::with(&product, currency, percent).await;
        let body = json!({ "external_id": "1", "currency": currency, "codes": [{ "code": "ANNA" }],
            "lines": [{ "quantity": 1, "unit_price": price }] });
        shop.report(&product, body).await.expect(201);
        assert_eq!(shop.earns(&product, "1").await, of("paid", base, commission), "{currency}");
    }
    let product = Product::new();
    let shop = Shop::new(&product).await;
    let body = json!({ "external_id": "1", "currency": "USD", "codes": [{ "code": "ANNA" }],
        "taxes_included": true,
        "lines": [{ "id": "a", "quantity": 2, "unit_price": "119.00", "tax": "38.00" },
            { "id": "g", "quantity": 1, "unit_price": "50", "gift_card": true }] });
    shop.report(&product, body).await.expect(201);
    assert_eq!(shop.earns(&product, "1").await, of("paid", "200.00", "20.00"));
    let back =
        json!({ "id": "r", "currency": "USD", "lines": [{ "line_id": "a", "quantity": 1 }] });
    shop.refund(&product, "1", back).await.expect(201);
    assert_eq!(shop.earns(&product, "1").await.1, "100.00");
}

#[tokio::test]
async fn tests_and_unpaid_orders_earn_nothing_yet() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    let body = |id: &str, state: &str, test: bool| {
        json!({ "external_id": id, "currency": "USD", "amount": "10", "state": state, "test": test,
            "codes": [{ "code": "ANNA" }] })
    };
    shop.report(&product, body("1", "unpaid", false)).await.expect(201);
    assert_eq!(shop.earns(&product, "1").await, of("unpaid", "10.00", "0.00"));
    shop.report(&product, body("1", "paid", false)).await.expect(200);
    assert_eq!(shop.earns(&product, "1").await, of("paid", "10.00", "1.00"));
    shop.report(&product, body("2", "paid", true)).await.expect(201);
    assert_eq!(shop.earns(&product, "2").await.2, "0.00");
}

#[tokio::test]
async fn only_what_the_store_signed_now_is_taken() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    let body = worked("1001");
    assert_eq!(shop.signed(&product, "", &body, &shop.secret).await, 201);
    assert_eq!(shop.signed(&product, "", &body, &shop.secret).await, 200);
    let back =
        json!({ "id": "r1", "currency": "USD", "lines": [{ "line_id": "B", "quantity": 1 }] });
    assert_eq!(shop.signed(&product, "/1001/refunds", &back, &shop.secret).await, 201);
    assert_eq!(shop.earns(&product, "1001").await, of("partially_refunded", "112.50", "11.25"));

    let (text, at) = (worked("1002").to_string(), product.app.now_ms() / 1000);
    let good = sign(&shop.secret, "m", at, &text);
    let checksum = product.db.checksum();
    let stale = (at - 301).to_string();
    let at_text = at.to_string();
    let other = sign(&format!("whsec_{}", STANDARD.encode([7; 32])), "m", at, &text);
    for told in [
        [&at_text, other.as_str(), "m"],
        [&at_text, &good, "n"],
        [&at_text, "", "m"],
        [&stale, &sign(&shop.secret, "m", at - 301, &text), "m"],
        [&(at + 1).to_string(), &good, "m"],
        ["", &good, "m"],
        [&at_text, &good, ""],
    ] {
        let answer = shop.sent(&product, "", &text, &told).await;
        assert_eq!(answer.status, 401, "{told:?}");
        assert_eq!(answer.json["type"], "/problems/unauthenticated");
    }
    let told = [at_text.as_str(), &good, "m"];
    assert_eq!(shop.sent(&product, "", &text.replace("100.00", "900.00"), &told).await.status, 401);
    assert_eq!(
        shop.sent(&product, "/1002/refunds", &text, &told).await.status,
        422,
        "another body"
    );
    assert_eq!(product.db.checksum(), checksum);
    // Another store's, unknown ones, Shopify's.
    let elsewhere = Shop::new(&Product::new()).await;
    let there = Shop { store: "store_01h455vb4pex5vsknk084sn02q".to_owned(), ..elsewhere };
    assert_eq!(there.sent(&product, "", &text, &told).await.status, 401);
    let theirs = Shop { store: shop.p.store.clone(), ..there };
    assert_eq!(theirs.sent(&product, "", &text, &told).await.status, 401);
    assert_eq!(product.deliver(&shop.store, &shop.secret, text.as_bytes()).await, 401);
    assert_eq!(shop.sent(&product, "", &text, &told).await.status, 201);
    // A store of Shopify's with a secret of this form signs there, not here.
    let new = json!({ "platform": "shopify", "shop_domain": "two.myshopify.com", "client_id": "c",
        "storefront_url": "https://two.example", "client_secret": shop.secret });
    let two = shop.p.post(&product, "/v1/stores", new).await.expect(201);
    let two = Shop { store: two["id"].as_str().unwrap().to_owned(), ..theirs };
    assert_eq!(two.sent(&product, "", &text, &told).await.status, 401);
    // Signed, and wrong: told as to anybody, but only then.
    let wrong = json!({ "external_id": "1", "store_id": shop.p.store });
    assert_eq!(shop.signed(&product, "", &wrong, &shop.secret).await, 422);
}

#[tokio::test]
async fn what_was_signed_earlier_is_no_later_change_when_it_is_repeated() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    let report = |state: &str| {
        json!({ "external_id": "1", "currency": "USD", "amount": "50.00", "state": state,
            "codes": [{ "code": "ANNA" }] })
        .to_string()
    };
    let signed = |state: &str| {
        let (text, at) = (report(state), product.app.now_ms() / 1000);
        let signature = sign(&shop.secret, state, at, &text);
        (text, at.to_string(), signature, state.to_owned())
    };
    let send = async |(text, at, signature, id): &(String, String, String, String)| {
        let answer = shop.sent(&product, "", text, &[at, signature, id]).await;
        assert!(answer.status < 300, "{}", answer.text);
        answer.json["outcome"].clone()
    };
    let paid = signed("paid");
    assert_eq!(send(&paid).await, "committed");
    product.pass(60_000);
    let cancelled = signed("cancelled");
    assert_eq!(send(&cancelled).await, "committed");
    let books = shop.earns(&product, "1").await;
    assert_eq!(books.2, "0.00");
    product.pass(60_000);
    assert_eq!(send(&paid).await, "unchanged", "recorded, or late");
    assert_eq!(shop.earns(&product, "1").await, books);
    assert_eq!(send(&cancelled).await, "unchanged");
}

#[tokio::test]
async fn the_stores_secret_is_told_once_and_rotated() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    let path = format!("/v1/stores/{}", shop.store);
    let shown = shop.p.get(&product, &path).await;
    assert_eq!(shown["platform"], "custom");
    assert_eq!(shown["shop_domain"], "own.casa.example");
    assert_eq!(shown["signing_secret"], Value::Null);
    let url = format!("https://app.tributary.test/webhooks/custom/{}/conversions", shop.store);
    assert_eq!(shown["webhook_url"], url);
    let everything = format!("{:?}", product.db.rows("SELECT * FROM stores"))
        + &format!("{:?}", product.db.rows("SELECT * FROM audit"));
    assert!(!everything.contains("whsec_"), "sealed, and in no trail");

    let rotate = format!("{path}/signing-secret");
    let notes =
        || product.db.rows("SELECT * FROM audit WHERE action = 'store.rotate_secret'").len();
    assert_eq!(notes(), 0);
    let made = shop.p.post(&product, &rotate, json!({})).await.expect(201);
    assert_eq!(notes(), 1);
    let next = made["signing_secret"].as_str().unwrap();
    assert_ne!(next, shop.secret);
    assert_eq!(shop.signed(&product, "", &worked("1"), &shop.secret).await, 201);
    assert_eq!(shop.signed(&product, "", &worked("2"), next).await, 201);
    product.pass(86_400_000);
    assert_eq!(shop.signed(&product, "", &worked("3"), &shop.secret).await, 401);
    assert_eq!(shop.signed(&product, "", &worked("3"), next).await, 201);

    let theirs = format!("/v1/stores/{}/signing-secret", shop.p.store);
    shop.p.post(&product, &theirs, json!({})).await.expect(409);
    let chosen = Some(json!({ "client_secret": "chosen" }));
    product.call("PATCH", &path, chosen, &shop.p.key).await.expect(409);
    let again = json!({ "platform": "custom", "storefront_url": "https://own.casa.example" });
    shop.p.post(&product, "/v1/stores", again.clone()).await.expect(409);
    let mut named = again;
    named["name"] = json!("Second till");
    let made = shop.p.post(&product, "/v1/stores", named).await.expect(201);
    assert_eq!(made["shop_domain"], "Second till");
}

#[tokio::test]
async fn a_key_that_may_only_report_does_only_that() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    let new = json!({ "name": "till", "scopes": ["conversions"] });
    let made = shop.p.post(&product, "/v1/keys", new).await.expect(201);
    assert_eq!(made["key"]["scopes"], json!(["conversions"]));
    let key = made["api_key"].as_str().unwrap();
    let mut body = worked("1");
    body["store_id"] = json!(shop.store);
    let report = async |body: &Value, key: &str| {
        product.call("POST", "/v1/conversions", Some(body.clone()), key).await.status
    };
    assert_eq!(report(&body, key).await, 201);
    for (method, path) in [("GET", "/v1/orders"), ("POST", "/v1/creators"), ("GET", "/v1/keys")] {
        let body = (method == "POST").then(|| json!({ "name": "x", "handle": "x" }));
        assert_eq!(product.call(method, path, body, key).await.status, 403, "{path}");
    }
    for (scopes, status) in [(["read"], 403), (["deals"], 200), (["money"], 403), (["admin"], 403)]
    {
        let new = json!({ "name": "k", "scopes": scopes });
        let made = shop.p.post(&product, "/v1/keys", new).await.expect(201);
        assert_eq!(report(&body, made["api_key"].as_str().unwrap()).await, status, "{scopes:?}");
    }
    // Another brand's store is none; Shopify's orders come from Shopify.
    let other = Programme::new(&product).await;
    assert_eq!(report(&body, &other.key).await, 404);
    body["store_id"] = json!(shop.p.store);
    assert_eq!(report(&body, key).await, 409);
    assert_eq!(report(&body, "").await, 401);
}

#[tokio::test]
async fn everything_that_is_wrong_is_named() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    shop.report(&product, worked("known")).await.expect(201);
    let long = "x".repeat(256);
    let many = json!(vec![json!({ "quantity": 1, "unit_price": "1" }); 1001]);
    let cases = [
        (json!({ "external_id": "" }), "external_id"),
        (json!({ "external_id": "a b" }), "external_id"),
        (json!({ "external_id": "x".repeat(201) }), "external_id"),
        (json!({ "external_id": 1001 }), "external_id"),
        (json!({ "currency": "usd" }), "currency"),
        (json!({ "currency": "XXX" }), "currency"),
        (json!({ "currency": "JPY" }), "lines[0].unit_price"),
        (json!({ "amount": "1.00" }), "amount"),
        (json!({ "lines": null }), "lines"),
        (json!({ "lines": [] }), "lines"),
        (json!({ "lines": many }), "lines"),
        (json!({ "lines": [{ "quantity": 1, "unit_price": 1.5 }] }), "lines[0].unit_price"),
        (json!({ "lines": [{ "quantity": 1, "unit_price": "-1" }] }), "lines[0].unit_price"),
        (json!({ "lines": [{ "quantity": 1, "unit_price": "-0" }] }), "lines[0].unit_price"),
        (json!({ "lines": [{ "quantity": 1, "unit_price": "1e3" }] }), "lines[0].unit_price"),
        (json!({ "lines": [{ "quantity": 1, "unit_price": "1.001" }] }), "lines[0].unit_price"),
        (json!({ "lines": [{ "quantity": 0, "unit_price": "1" }] }), "lines[0].quantity"),
        (json!({ "lines": [{ "quantity": 1_000_001, "unit_price": "1" }] }), "lines[0].quantity"),
        (json!({ "lines": [{ "quantity": 1_000_000, "unit_price": "9000000000000" }] }), "lines"),
        (
            json!({ "lines": [{ "quantity": 1, "unit_price": "1", "discount": "1.01" }] }),
            "lines[0].discount",
        ),
        (
            json!({ "lines": [{ "quantity": 1, "unit_price": "1", "product_id": "SKU" }] }),
            "lines[0].product_id",
        ),
        (json!({ "lines": [{ "quantity": 1, "unit_price": "1", "id": "" }] }), "lines[0].id"),
        (
            json!({ "lines": [{ "quantity": 1, "unit_price": "1" }, { "id": "1", "quantity": 1, "unit_price": "1" }] }),
            "lines[1].id",
        ),
        (json!({ "lines": [{ "quantity": 1, "unit_price": "1", "vat": "1" }] }), "lines[0].vat"),
        (json!({ "codes": [{ "code": "" }] }), "codes[0].code"),
        (json!({ "codes": [{ "code": long }] }), "codes[0].code"),
        (json!({ "codes": [{ "code": "A", "discount": "x" }] }), "codes[0].discount"),
        (json!({ "codes": vec![json!({ "code": "A" }); 21] }), "codes"),
        (json!({ "click_id": long }), "click_id"),
        (json!({ "ref": "a\u{0}" }), "ref"),
        (json!({ "placed_at": "2005-12-31T00:00:00Z" }), "placed_at"),
        (json!({ "placed_at": "2026-11-24T00:00:00Z" }), "placed_at"),
        (json!({ "placed_at": 1_795_166_130 }), "placed_at"),
        (json!({ "updated_at": "2300-01-01T00:00:00Z" }), "updated_at"),
        (json!({ "updated_at": "yesterday" }), "updated_at"),
        (json!({ "state": "shipped" }), "state"),
        (json!({ "test": "no" }), "test"),
        (json!({ "name": "" }), "name"),
        (json!({ "total": "1" }), "total"),
        (json!({ "store_id": "store_x" }), "store_id"),
    ];
    let checksum = product.db.checksum();
    for (change, field) in cases {
        let mut body = worked("new");
        body["store_id"] = json!(shop.store);
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = shop.p.post(&product, "/v1/conversions", body).await;
        assert_eq!(answer.status, 422, "{change}");
        let told = answer.expect(422);
        assert_eq!(told["errors"][0]["field"], field, "{change}: {told}");
    }
    let mut foreign = worked("known");
    foreign["currency"] = json!("EUR");
    assert_eq!(shop.report(&product, foreign).await.expect(422)["errors"][0]["field"], "currency");
    let line = |more: Value| {
        let mut line = json!({ "line_id": "A", "quantity": 1 });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "lines": [line] })
    };
    for (change, field) in [
        (json!({}), "amount"),
        (json!({ "amount": "1", "lines": [] }), "amount"),
        (json!({ "amount": "-1" }), "amount"),
        (json!({ "amount": "1", "currency": "EUR" }), "currency"),
        (json!({ "amount": "1", "id": "" }), "id"),
        (line(json!({ "line_id": "C" })), "lines[0].line_id"),
        (line(json!({ "quantity": 2 })), "lines[0].quantity"),
        (line(json!({ "amount": "x" })), "lines[0].amount"),
        (line(json!({ "amount": "1", "tax": "2" })), "lines[0].tax"),
    ] {
        let mut body = json!({ "id": "r", "currency": "USD" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let told = shop.refund(&product, "known", body).await.expect(422);
        assert_eq!(told["errors"][0]["field"], field, "{change}: {told}");
    }
    let whole = json!({ "id": "r", "currency": "USD", "amount": "1" });
    let told = shop.refund(&product, "a%20b", whole).await.expect(422);
    assert_eq!(told["errors"][0]["field"], "external_id");
    assert_eq!(product.db.checksum(), checksum);
    let new = |more: Value| {
        let mut body = json!({ "platform": "custom", "storefront_url": "https://x.example" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (body, field) in [
        (new(json!({ "client_secret": "mine" })), "client_secret"),
        (new(json!({ "storefront_url": "ftp://x" })), "storefront_url"),
        (new(json!({ "name": "" })), "name"),
        (new(json!({ "platform": "shopify" })), "shop_domain"),
        (new(json!({ "platform": "woo" })), "platform"),
    ] {
        let told = shop.p.post(&product, "/v1/stores", body).await.expect(422);
        assert_eq!(told["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn without_the_database_the_shop_is_asked_to_come_back() {
    let product = Product::new();
    let shop = Shop::new(&product).await;
    let mut body = worked("1");
    body["store_id"] = json!(shop.store);
    product.db.away(true);
    let text = body.to_string();
    let at = product.app.now_ms() / 1000;
    let signature = sign(&shop.secret, "m", at, &text);
    let told = [&*at.to_string(), &signature, "m"];
    let answer = shop.sent(&product, "", &text, &told).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.headers.contains_key("retry-after"));
    product.db.away(false);
    assert_eq!(shop.sent(&product, "", &text, &told).await.status, 201);
}
