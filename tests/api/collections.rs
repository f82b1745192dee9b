//! Rates for the products of a collection that is kept in step with the shop.

use serde_json::{Value, json};
use tributary::domain::time::to_rfc3339;
use tributary::jobs::{collections, outbox};

use crate::support::shop::{coded, later, line, order, with};
use crate::support::shopify::SmallShop;
use crate::support::{Answer, NOW_MS, Product, Programme, SECRET};

/// A brand whose connected shop has the collection `bedding` of the products 9001 and 9003.
struct Shop {
    product: Product,
    p: Programme,
    shop: SmallShop,
}

const UPDATED: &str = r#"{"id":841,"handle":"bedding","title":"Bedding","updated_at":"2026-11-22T12:00:00Z","admin_graphql_api_id":"gid://shopify/Collection/841"}"#;
const DELETED: &str =
    r#"{"id":841,"published_scope":"web","admin_graphql_api_id":"gid://shopify/Collection/841"}"#;
const PRODUCT: &str = r#"{"id":9002,"title":"Cushion","tags":"linen","variants":[],"admin_graphql_api_id":"gid://shopify/Product/9002"}"#;

impl Shop {
    async fn new(scope: bool) -> Self {
        let (product, shop) = Product::with_shop();
        let p = Programme::new(&product).await;
        if scope {
            shop.shop().scopes.push("read_products".to_owned());
        }
        let bedding = ("bedding".to_owned(), 841, "Bedding".to_owned(), vec![9001, 9003]);
        shop.shop().collections.push(bedding);
        let codes = format!("/v1/deals/{}/codes", p.deal);
        let code = json!({ "code": "ANNA", "create_in_store": false });
        p.post(&product, &codes, code).await.expect(201);
        let this = Self { product, p, shop };
        this.check().await;
        this
    }

    fn path(&self, more: &str) -> String {
        format!("/v1/stores/{}{more}", self.p.store)
    }

    async fn check(&self) -> Value {
        self.product.call("POST", &self.path("/connection"), None, &self.p.key).await.expect(200)
    }

    async fn agree(&self, collection: Value) -> Answer {
        let rates = json!([{ "commission_percent": "20", "collection": collection }]);
        let terms = json!({ "commission_percent": "10", "rates": rates,
            "starts_at": "2026-02-01T00:00:00Z" });
        self.p.post(&self.product, &format!("/v1/deals/{}/terms", self.p.deal), terms).await
    }

    fn has(&self, products: &[u64]) {
        self.shop.shop().collections[0].3 = products.to_vec();
    }

    async fn tell(&self, body: &str) {
        assert_eq!(self.product.deliver(&self.p.store, SECRET, body.as_bytes()).await, 200);
    }

    async fn work(&self, seconds: i64) {
        self.product.pass(seconds * 1000);
        outbox::run_due(&self.product.app).await.unwrap();
    }

    async fn known(&self) -> Value {
        self.p.get(&self.product, &self.path("/collections")).await["data"].clone()
    }

    async fn deliver(&self, body: Value) {
        assert_eq!(self.p.deliver(&self.product, &body).await, 200);
    }

    async fn why(&self, id: u64) -> Value {
        let order = self.p.order(&self.product, id).await;
        let path = format!("/v1/orders/{}/commission", order["id"].as_str().unwrap());
        let why = self.p.get(&self.product, &path).await;
        assert_eq!(why["commission"], order["commission"], "what is explained is what is posted");
        why
    }

    async fn earned(&self, id: u64) -> String {
        self.why(id).await["commission"]["amount"].as_str().unwrap().to_owned()
    }

    /// An order that is placed now: 90.00 of product 9001 and 45.00 of 9002.
    fn now(&self, id: u64) -> Value {
        let at = to_rfc3339(self.product.app.now_ms());
        with(coded(order(id), "ANNA"), json!({ "created_at": at, "updated_at": at }))
    }
}

#[tokio::test]
async fn an_order_earns_by_the_products_of_its_time() {
    let s = Shop::new(true).await;
    let terms = s.agree(json!({ "store_id": s.p.store, "handle": "bedding" })).await.expect(201);
    let rate = &terms["rates"][0];
    assert_eq!((&rate["label"], &rate["product_ids"]), (&json!("Bedding"), &json!([])));
    let id = &rate["collection_id"];
    let known = s.known().await;
    assert_eq!(known[0]["id"], *id);
    assert_eq!((&known[0]["state"], &known[0]["products"]), (&json!("current"), &json!(2)));
    assert_eq!((&known[0]["products_since"], &known[0]["problem"]), (&Value::Null, &Value::Null));
    // 20 % of 90.00 and 10 % of 45.00.
    s.deliver(coded(order(1), "ANNA")).await;
    let why = s.why(1).await;
    assert_eq!(why["commission"]["amount"], "22.50");
    assert_eq!(why["lines"][0]["collection"], json!({ "id": id, "title": "Bedding" }));
    assert_eq!(why["lines"][0]["commission_percent"], "20");
    assert_eq!(why["lines"][1]["collection"], Value::Null);
    // Other products from now on.
    s.has(&[9002]);
    s.tell(UPDATED).await;
    assert_eq!(s.known().await[0]["products"], 2, "a hint is only a hint");
    s.work(6).await;
    let known = s.known().await;
    assert_eq!(known[0]["products"], 1);
    assert_eq!(known[0]["products_since"], known[0]["looked_at"]);
    // What was placed before earns as it did, also if it is told only now, or tells more of itself.
    s.deliver(coded(order(2), "ANNA")).await;
    assert_eq!(s.earned(2).await, "22.50");
    let more = line(3, 1, "10.00", "0.00", "USD");
    let more = with(more, json!({ "product_id": 9003 }));
    let mut lines = order(1)["line_items"].clone();
    lines.as_array_mut().unwrap().push(more);
    s.deliver(later(coded(order(1), "ANNA"), 90, json!({ "line_items": lines }))).await;
    assert_eq!(s.earned(1).await, "24.50", "9003 was in it then");
    // 10 % of 90.00 and 20 % of 45.00.
    s.product.pass(1_000);
    s.deliver(s.now(3)).await;
    assert_eq!(s.earned(3).await, "18.00");
    s.p.audit(&s.product).await;
    s.p.verify(&s.product).await;
}

#[tokio::test]
async fn a_change_never_reaches_an_order_that_is_known() {
    let s = Shop::new(true).await;
    s.agree(json!({ "handle": "bedding" })).await.expect(201);
    // The shop's clock is a minute ahead.
    let ahead = to_rfc3339(s.product.app.now_ms() + 60_000);
    let ahead = with(s.now(1), json!({ "created_at": ahead, "updated_at": ahead }));
    s.deliver(ahead.clone()).await;
    s.has(&[9002]);
    s.tell(UPDATED).await;
    s.work(6).await;
    s.deliver(s.now(2)).await;
    assert_eq!(s.earned(2).await, "22.50", "it holds after the last order that is known");
    let mut lines = order(1)["line_items"].clone();
    let more = line(3, 1, "10.00", "0.00", "USD");
    lines.as_array_mut().unwrap().push(with(more, json!({ "product_id": 9003 })));
    let at = to_rfc3339(s.product.app.now_ms() + 120_000);
    s.deliver(with(ahead, json!({ "updated_at": at, "line_items": lines }))).await;
    assert_eq!(s.earned(1).await, "24.50");
    s.product.pass(120_000);
    s.deliver(s.now(3)).await;
    assert_eq!(s.earned(3).await, "18.00");
    s.p.audit(&s.product).await;
    // Nobody rewrites it: neither what was, nor from when on something holds.
    for change in [
        "UPDATE collections SET changed_at_ms = changed_at_ms + 1",
        "UPDATE collection_products SET from_ms = 1",
        "UPDATE collection_products SET to_ms = NULL WHERE to_ms IS NOT NULL",
        "DELETE FROM collection_products",
    ] {
        assert!(s.product.db.execute(change).is_err(), "{change}");
    }
    let forged = json!({ "product": 9001 });
    let export = s.product.call("GET", "/v1/ledger/export", None, &s.p.key).await.text;
    let found = export.lines().find(|line| line.contains("\"members\"")).unwrap();
    assert!(!found.contains(&forged.to_string()));
    let text =
        export.replacen("{\"product\":9001,\"collections\":[", "{\"product\":9001,\"x\":[", 1);
    assert_ne!(text, export);
    let mut audit = tributary::audit::Audit::default();
    let told = text.lines().try_for_each(|line| audit.line(line)).and_then(|()| audit.end());
    assert!(format!("{:?}", told.unwrap_err()).contains("the journal says"));
}

#[tokio::test]
async fn what_a_lost_webhook_told_is_found_by_night() {
    let s = Shop::new(true).await;
    s.shop.shop().page = 2;
    s.has(&[1, 2, 3, 4, 9_007_199_254_740_993]);
    s.agree(json!({ "id": "gid://shopify/Collection/841" })).await.expect(201);
    assert_eq!((s.known().await[0]["products"].clone(), s.shop.count("Collection")), (json!(5), 3));
    // Naming it again asks nobody.
    let id = s.known().await[0]["id"].clone();
    s.agree(json!({ "collection_id": id })).await.expect(201);
    s.agree(json!({ "id": "841" })).await.expect(201);
    assert_eq!(s.shop.count("Collection"), 3);
    s.has(&[1, 9001, 9_007_199_254_740_993]);
    collections::watch_all(&s.product.app).await.unwrap();
    s.work(1).await;
    assert_eq!(s.known().await[0]["products"], 3);
    s.product.pass(1_000);
    s.deliver(s.now(1)).await;
    assert_eq!(s.earned(1).await, "22.50");
    // A product that changed may be in other collections: at most every ten minutes they are looked at.
    s.has(&[9002]);
    s.tell(PRODUCT).await;
    s.work(60).await;
    assert_eq!(s.known().await[0]["products"], 3);
    s.tell(PRODUCT).await;
    s.work(541).await;
    assert_eq!(s.known().await[0]["products"], 1);
    // A look that finds nothing new decides nothing new.
    let version = || s.product.db.rows("SELECT version FROM brands")[0]["version"].clone();
    let before = version();
    collections::watch_all(&s.product.app).await.unwrap();
    s.work(1).await;
    assert_eq!(version(), before);
    s.p.audit(&s.product).await;
}

#[tokio::test]
async fn a_collection_that_goes_keeps_the_products_that_it_had() {
    let s = Shop::new(true).await;
    s.agree(json!({ "handle": "bedding" })).await.expect(201);
    let bedding = s.shop.shop().collections.pop().unwrap();
    s.tell(DELETED).await;
    s.work(6).await;
    let known = s.known().await;
    assert_eq!((&known[0]["state"], &known[0]["products"]), (&json!("gone"), &json!(2)));
    assert!(known[0]["problem"].as_str().unwrap().contains("deleted in the shop"), "{known}");
    s.product.pass(1_000);
    s.deliver(s.now(1)).await;
    assert_eq!(s.earned(1).await, "22.50", "a rate that was agreed doesn't end so");
    let refused = s.agree(json!({ "id": "841" })).await;
    assert_eq!(refused.status, 422, "nobody agrees on what is gone: {}", refused.text);
    // It came back, too large by now, and then as it was.
    s.shop.shop().collections.push(bedding);
    s.has(&(1..=5_001).collect::<Vec<u64>>());
    s.tell(UPDATED).await;
    s.work(6).await;
    let known = s.known().await;
    assert_eq!((&known[0]["state"], &known[0]["products"]), (&json!("too_large"), &json!(2)));
    s.has(&(9_000..14_000).collect::<Vec<u64>>());
    s.tell(UPDATED).await;
    s.work(6).await;
    let known = s.known().await;
    assert_eq!((&known[0]["state"], &known[0]["products"]), (&json!("current"), &json!(5_000)));
    s.p.audit(&s.product).await;
}

#[tokio::test]
async fn what_cant_be_kept_in_step_cant_be_named() {
    let s = Shop::new(false).await;
    let told = async |collection: Value| {
        let answer = s.agree(collection).await;
        (answer.status, answer.text)
    };
    let (status, text) = told(json!({ "handle": "bedding" })).await;
    assert_eq!(status, 409);
    assert!(text.contains("scope-missing") && text.contains("read_products"), "{text}");
    s.shop.shop().scopes.push("read_products".to_owned());
    assert_eq!(s.check().await["problem"], Value::Null);
    for (bad, words) in [
        (json!({ "handle": "nothing" }), "the shop has no such collection"),
        (json!({ "id": "842" }), "the shop has no such collection"),
        (json!({ "id": "x" }), "digits"),
        (json!({ "id": "9223372036854775808" }), "digits"),
        (json!({ "handle": "" }), "handle must be"),
        (json!({ "handle": "bedding", "id": "841" }), "either id or handle"),
        (json!({}), "either id or handle"),
        (json!({ "collection_id": "deal_00000000000000000000000000" }), "not an id"),
        (json!({ "collection_id": "collection_00000000000000000000000000" }), "no such collection"),
        (json!({ "handle": "bedding", "store_id": "x" }), "store_id"),
    ] {
        let (status, text) = told(bad.clone()).await;
        assert_eq!(status, 422, "{bad}: {text}");
        assert!(text.contains(words) && text.contains("rates[0].collection"), "{bad}: {text}");
    }
    s.has(&(1..=5_001).collect::<Vec<u64>>());
    let (status, text) = told(json!({ "handle": "bedding" })).await;
    assert_eq!(status, 422);
    assert!(text.contains("more than 5,000 products"), "{text}");
    assert_eq!(s.known().await, json!([]), "nothing is kept of what was refused");
    assert_eq!(s.product.db.rows("SELECT id FROM terms").len(), 1);
    // The scope goes later: that is said, and what was known counts on.
    s.has(&[9001]);
    s.agree(json!({ "handle": "bedding" })).await.expect(201);
    s.shop.shop().scopes.retain(|scope| scope != "read_products");
    let problem = s.check().await["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("read_products") && problem.contains("collections"), "{problem}");
    s.product.set_now(NOW_MS + 86_400_000);
    s.deliver(s.now(1)).await;
    assert_eq!(s.earned(1).await, "22.50");
    // Where nobody is let in, nothing can be named.
    s.shop.shop().collections.push(("new".to_owned(), 850, "New".to_owned(), vec![1]));
    s.shop.uninstall();
    s.check().await;
    let (status, text) = told(json!({ "handle": "new" })).await;
    assert_eq!((status, text.contains("store-not-connected")), (409, true), "{text}");
}

#[tokio::test]
async fn a_simulation_knows_what_was_in_a_collection_when() {
    let s = Shop::new(true).await;
    s.agree(json!({ "handle": "bedding" })).await.expect(201);
    s.deliver(coded(order(1), "ANNA")).await;
    s.has(&[9002]);
    s.tell(UPDATED).await;
    s.work(6).await;
    s.product.pass(1_000);
    s.deliver(s.now(2)).await;
    let id = s.known().await[0]["id"].clone();
    let simulate = async |collection: Value| {
        let rates = json!([{ "commission_percent": "40", "collection": collection }]);
        let terms = json!({ "commission_percent": "10", "rates": rates });
        let asked = json!({ "changes": { "terms": terms } });
        s.p.post(&s.product, "/v1/simulations", asked).await
    };
    let told = simulate(json!({ "collection_id": id })).await.expect(200);
    // 22.50 and 18.00 before; 40.50 and 27.00.
    assert_eq!(told["cost"][0]["before"], "40.50");
    assert_eq!(told["cost"][0]["after"], "67.50");
    let unknown = simulate(json!({ "id": "850" })).await;
    assert_eq!(unknown.status, 422, "{}", unknown.text);
}
