//! Orders that are fetched from the shop: they come to the same books as their webhooks would have.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::graphql_order::graphql;
use crate::support::shop::{coded, later, order, refund, with};
use crate::support::sqlite::Sqlite;
use crate::support::{NOW_MS, Product, Programme};
use tributary::app::{WebAnswer, WebRequest};
use tributary::domain::time::{parse_rfc3339, to_rfc3339};
use tributary::jobs::{outbox, sync};

/// A shop's orders, as its webhooks tell them; and what it was asked.
#[derive(Clone, Default)]
struct Shop(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    orders: Vec<Value>,
    journeys: Vec<(u64, Value)>,
    asked: Vec<String>,
    /// The file of a bulk operation.
    file: String,
    bulks: Vec<String>,
    /// More of these operations break off.
    broken: Vec<String>,
}

fn answer(status: u16, body: &Value) -> Result<WebAnswer, String> {
    Ok(WebAnswer { status, retry_after: String::new(), body: body.to_string() })
}

/// The times between which a search looks.
fn times(search: &str) -> (i64, i64) {
    let mut quoted = search.split('\'').skip(1).step_by(2).map(|text| parse_rfc3339(text).unwrap());
    (quoted.next().unwrap(), quoted.next().unwrap())
}

impl State {
    fn found(&self, search: &str) -> Vec<&Value> {
        let (from, to) = times(search);
        let field = if search.starts_with("created_at") { "created_at" } else { "updated_at" };
        let at = |order: &Value| parse_rfc3339(order[field].as_str().unwrap()).unwrap();
        self.orders.iter().filter(|order| (from..to).contains(&at(order))).collect()
    }

    fn shown(&self, order: &Value) -> Value {
        let mut shown = graphql(order, true);
        let told = self.journeys.iter().find(|(id, _)| order["id"] == json!(id));
        shown["customerJourneySummary"] = told.map_or(Value::Null, |(_, told)| told.clone());
        shown
    }

    fn by_ids(&self, ids: &Value) -> Value {
        let one = |gid: &Value| {
            let found = self
                .orders
                .iter()
                .find(|o| gid.as_str().unwrap().ends_with(&format!("/{}", o["id"])));
            found.map_or(Value::Null, |order| self.shown(order))
        };
        json!({ "nodes": ids.as_array().unwrap().iter().map(one).collect::<Vec<_>>() })
    }

    fn page(&self, variables: &Value, size: usize) -> Value {
        let found = self.found(variables["query"].as_str().unwrap());
        let after: usize = variables["after"].as_str().map_or(0, |text| text.parse().unwrap());
        let nodes: Vec<Value> =
            found.iter().skip(after).take(size).map(|order| self.shown(order)).collect();
        let more = found.len() > after + nodes.len();
        let page = json!({ "hasNextPage": more, "endCursor": (after + nodes.len()).to_string() });
        json!({ "orders": { "nodes": nodes, "pageInfo": page } })
    }

    fn answer(&mut self, request: &WebRequest<'_>) -> Option<Result<WebAnswer, String>> {
        if request.url.contains("/oauth/") {
            return Some(answer(
                200,
                &json!({ "access_token": "t", "expires_in": 86_399, "scope": "read_orders read_products" }),
            ));
        }
        if request.url.starts_with("https://storage.googleapis.com/") {
            let range = request.headers.iter().find(|(name, _)| *name == "range")?.1.clone();
            let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
            let piece = self.file.as_bytes().get(from.parse().unwrap()..=to.parse().unwrap())?;
            let body = String::from_utf8_lossy(piece).into_owned();
            return Some(Ok(WebAnswer { status: 206, retry_after: String::new(), body }));
        }
        if !request.url.ends_with("/graphql.json") {
            return None;
        }
        let body: Value = serde_json::from_str(request.body.unwrap()).unwrap();
        let (text, variables) = (body["query"].as_str().unwrap(), &body["variables"]);
        let name = text.split([' ', '(', '{']).nth(1).unwrap().to_owned();
        self.asked.push(name.clone());
        if let Some(at) = self.broken.iter().position(|broken| *broken == name) {
            self.broken.remove(at);
            return Some(Err("reset".to_owned()));
        }
        let data = match name.as_str() {
            "Shop" => {
                json!({ "currentAppInstallation": { "accessScopes": [{ "handle": "read_orders" }, { "handle": "read_products" }] },
                "shop": { "currencyCode": "USD", "ianaTimezone": "America/New_York" } })
            }
            "Webhooks" => json!({ "webhookSubscriptions": { "nodes": [], "pageInfo": {} } }),
            "WebhookCreate" => json!({ "webhookSubscriptionCreate": { "userErrors": [] } }),
            "OrdersCount" => {
                json!({ "ordersCount": { "count": self.found(variables["query"].as_str().unwrap()).len() } })
            }
            "OrdersPage" => self.page(variables, 50),
            "OrderIds" => self.page(variables, 250),
            "OrdersById" | "OrderRefunds" | "Journeys" => self.by_ids(&variables["ids"]),
            "BulkList" => json!({ "bulkOperations": { "nodes": self.bulks.iter()
                .map(|q| json!({ "id": "gid://shopify/BulkOperation/1", "status": "RUNNING", "query": q })).collect::<Vec<_>>() } }),
            "BulkRun" => {
                let query = variables["query"].as_str().unwrap().to_owned();
                self.write_file(query.split('"').nth(1).unwrap());
                self.bulks.push(query);
                json!({ "bulkOperationRunQuery": { "bulkOperation": { "id": "gid://shopify/BulkOperation/1" }, "userErrors": [] } })
            }
            "BulkStatus" => {
                json!({ "bulkOperation": { "id": "gid://shopify/BulkOperation/1", "status": "COMPLETED",
                "fileSize": self.file.len().to_string(), "url": "https://storage.googleapis.com/file" } })
            }
            other => panic!("asked {other}"),
        };
        Some(answer(200, &json!({ "data": data })))
    }

    fn write_file(&mut self, search: &str) {
        let mut file = String::new();
        for order in self.found(search) {
            let mut shown = self.shown(order);
            let mut children = Vec::new();
            for name in ["discountApplications", "shippingLines", "lineItems"] {
                let taken = shown.as_object_mut().unwrap().remove(name).unwrap();
                children.extend(taken["nodes"].as_array().unwrap().clone());
            }
            file.push_str(&format!("{shown}\n"));
            for mut child in children {
                child["__parentId"] = shown["id"].clone();
                file.push_str(&format!("{child}\n"));
            }
        }
        self.file = file;
    }
}

impl Shop {
    fn of(product: &Product) -> Self {
        let shop = Self::default();
        let state = shop.clone();
        product.web.answer_by(Box::new(move |request| state.0.lock().unwrap().answer(request)));
        shop
    }
    fn add(&self, orders: impl IntoIterator<Item = Value>) {
        self.0.lock().unwrap().orders.extend(orders);
    }
    fn put(&self, order: Value) {
        let mut state = self.0.lock().unwrap();
        state.orders.retain(|known| known["id"] != order["id"]);
        state.orders.push(order);
    }
    fn asked(&self, name: &str) -> usize {
        self.0.lock().unwrap().asked.iter().filter(|asked| *asked == name).count()
    }
}

/// A programme with Anna's code, whose store is connected.
async fn connected() -> (Product, Programme, Shop) {
    let product = Product::over(Sqlite::new(), false);
    let p = Programme::new(&product).await;
    let code = json!({ "code": "ANNA", "create_in_store": false });
    p.post(&product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
    product.db.execute("UPDATE orders SET name = name").unwrap();
    let shop = Shop::of(&product);
    let brand = product.db.rows("SELECT id FROM brands")[0]["id"].as_str().unwrap().to_owned();
    let task = tributary::storage::outbox::NewTask {
        id: product.app.new_id(),
        store: p.store.parse().unwrap(),
        kind: tributary::domain::task::Kind::RegisterWebhooks,
        subject: "",
        payload: "{}",
        due_at_ms: 0,
    };
    let put = tributary::storage::outbox::put(brand.parse().unwrap(), &task, 0);
    product.app.db().run(vec![put]).await.unwrap();
    work(&product).await;
    assert_eq!(product.db.rows("SELECT state FROM store_access")[0]["state"], "connected");
    // A store that is reached for the first time is filled by itself.
    let filled = product.db.rows("SELECT state, orders_total FROM store_syncs").remove(0);
    assert_eq!(filled, json!({ "state": "done", "orders_total": 0 }));
    for table in ["store_syncs", "store_days", "outbox"] {
        product.db.execute(&format!("DELETE FROM {table}")).unwrap();
    }
    shop.0.lock().unwrap().asked.clear();
    (product, p, shop)
}

/// All that is due, until nothing is.
async fn work(product: &Product) {
    for _ in 0..40 {
        outbox::run_due(&product.app).await.unwrap();
        product.pass(10_000);
    }
}

/// An order of so many minutes ago, by Anna's code or by nobody.
fn placed(id: u64, minutes_ago: i64, code: bool) -> Value {
    let at = to_rfc3339(NOW_MS - minutes_ago * 60_000);
    let mut one = with(
        order(id),
        json!({ "created_at": at, "updated_at": at, "email": format!("{id}@example.com") }),
    );
    for line in one["line_items"].as_array_mut().unwrap() {
        line["current_quantity"] = line["quantity"].clone();
    }
    if code { coded(one, "ANNA") } else { one }
}

fn books(product: &Product) -> Vec<Value> {
    product.db.rows(
        "SELECT external_id, state, base_minor, commission_minor, deal_id IS NULL AS nobody, placed_at_ms,
           facts -> '$.snapshot' AS snapshot, facts -> '$.refunds' AS refunds FROM orders ORDER BY external_id",
    )
}

#[tokio::test]
async fn a_backfill_comes_to_the_books_that_webhooks_make() {
    let (product, p, shop) = connected().await;
    let mut all: Vec<Value> =
        (1..=130).map(|n| placed(n, 100 + 7 * n as i64, n % 3 == 0)).collect();
    all[2]["refunds"] = json!([refund(900, 3, &[(2, 1, "22.50")])]);
    all[2]["financial_status"] = json!("partially_refunded");
    all[6]["cancelled_at"] = all[6]["updated_at"].clone();
    shop.add(all.clone());
    let backfill = format!("/v1/stores/{}/backfill", p.store);
    assert_eq!(p.get(&product, &backfill).await["state"], "none");
    let begun = p.post(&product, &backfill, json!({})).await.expect(202);
    assert_eq!((&begun["state"], &begun["orders_total"]), (&json!("waiting"), &Value::Null));
    product.db.execute("UPDATE store_syncs SET state = 'running'").unwrap();
    assert_eq!(p.post(&product, &backfill, json!({})).await.status, 409);
    product.db.execute("UPDATE store_syncs SET state = 'done'").unwrap();
    work(&product).await;
    let done = p.get(&product, &backfill).await;
    let counts = ["orders_total", "orders_done", "ingested", "unchanged", "quarantined"]
        .map(|n| done[n].as_i64().unwrap());
    assert_eq!((done["state"].as_str(), counts), (Some("done"), [130, 130, 130, 0, 0]), "{done}");
    assert!(done["problem"].as_str().unwrap().contains("60 days"), "{done}");
    p.verify(&product).await;
    p.audit(&product).await;

    let other = Product::over(Sqlite::new(), false);
    let q = Programme::new(&other).await;
    let code = json!({ "code": "ANNA", "create_in_store": false });
    q.post(&other, &format!("/v1/deals/{}/codes", q.deal), code).await.expect(201);
    for body in &all {
        assert_eq!(q.deliver(&other, body).await, 200);
    }
    assert_eq!(books(&product), books(&other));
    // The webhooks say nothing new after that, and neither does a second back-fill.
    let revisions = || product.db.rows("SELECT sum(revision) AS n FROM orders");
    let before = revisions();
    for body in &all {
        assert_eq!(p.deliver(&product, body).await, 200);
    }
    p.post(&product, &backfill, json!({ "from": "2026-11-01" })).await.expect(202);
    work(&product).await;
    assert_eq!(revisions(), before);
    let again = p.get(&product, &backfill).await;
    assert_eq!((&again["unchanged"], &again["ingested"]), (&json!(130), &json!(0)), "{again}");
    // Nothing was missed: all of it was there before webhooks should have told.
    let days = p.get(&product, &format!("/v1/stores/{}/completeness", p.store)).await;
    let days = days["data"].as_array().unwrap();
    assert!(
        days.iter().all(|day| day["missed"] == 0 && day["platform"] == day["known"]),
        "{days:?}"
    );
    for bad in [
        json!({ "from": "tomorrow" }),
        json!({ "from": "2027-01-01" }),
        json!({ "from": 7 }),
        json!({ "x": 1 }),
    ] {
        let answer = p.post(&product, &backfill, bad.clone()).await;
        assert!(matches!(answer.status, 400 | 422), "{bad}: {}", answer.text);
    }
}

#[tokio::test]
async fn many_orders_come_by_a_bulk_operation_that_is_begun_once() {
    let (product, p, shop) = connected().await;
    shop.add((1..=5_100).map(|n| placed(n, 100 + n as i64, n % 50 == 0)));
    shop.0.lock().unwrap().broken = vec!["BulkStatus".into(), "OrdersCount".into()];
    p.post(&product, &format!("/v1/stores/{}/backfill", p.store), json!({})).await.expect(202);
    work(&product).await;
    let done = p.get(&product, &format!("/v1/stores/{}/backfill", p.store)).await;
    assert_eq!(
        (&done["state"], &done["orders_done"], &done["ingested"]),
        (&json!("done"), &json!(5_100), &json!(5_100)),
        "{done}"
    );
    assert_eq!(
        (shop.asked("BulkRun"), shop.asked("OrdersPage")),
        (1, 1),
        "one page: what changed since"
    );
    assert_eq!(product.db.rows("SELECT count(*) AS n FROM orders")[0]["n"], 5_100);
    p.verify(&product).await;
}

#[tokio::test]
async fn what_was_missed_is_found_and_told() {
    let (product, p, shop) = connected().await;
    product.pass(3 * 3_600_000);
    let now = product.app.now_ms();
    let ago = |id, minutes: i64| {
        let at = to_rfc3339(now - minutes * 60_000);
        with(placed(id, 0, true), json!({ "created_at": at, "updated_at": at }))
    };
    let all: Vec<Value> = (1..=6).map(|n| ago(n, 30 + n as i64)).collect();
    shop.add(all.clone());
    for body in &all[..4] {
        assert_eq!(p.deliver(&product, body).await, 200);
    }
    // What is under way now isn't missed yet.
    shop.add([ago(7, 1)]);
    sync::schedule(&product.app, sync::Due::at(4)).await.unwrap();
    outbox::run_due(&product.app).await.unwrap();
    let known = || product.db.rows("SELECT count(*) AS n FROM orders")[0]["n"].clone();
    assert_eq!(known(), 6);
    let missed = || product.db.rows("SELECT sum(missed) AS n FROM store_days")[0]["n"].clone();
    assert_eq!(missed(), 2);
    let noted = product
        .db
        .rows("SELECT after FROM audit WHERE action IN ('orders.reconcile', 'orders.compare')");
    assert_eq!(noted.len(), 1);
    assert!(noted[0]["after"].as_str().unwrap().contains("\"missed\":2"), "{noted:?}");
    let completeness = format!("/v1/stores/{}/completeness", p.store);
    let today =
        p.get(&product, &completeness).await["data"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&today["platform"], &today["known"], &today["percent"]),
        (&json!(6), &json!(6), &Value::Null),
        "{today}"
    );
    // The day is over: it is compared once more, and complete.
    product.pass(26 * 3_600_000);
    shop.0.lock().unwrap().broken = vec!["OrderIds".into()];
    product.db.execute("DELETE FROM store_days WHERE missed = 0").unwrap();
    assert_eq!(p.deliver(&product, &ago(7, 1)).await, 200);
    sync::schedule(&product.app, sync::Due::ALL).await.unwrap();
    work(&product).await;
    let days = p.get(&product, &completeness).await;
    let day =
        days["data"].as_array().unwrap().iter().find(|day| day["platform"] == 7).unwrap().clone();
    assert_eq!(
        (&day["known"], &day["missed"], &day["percent"]),
        (&json!(7), &json!(2), &json!("100")),
        "{day}"
    );
    p.verify(&product).await;
}

#[tokio::test]
async fn an_order_that_no_page_showed_is_found_by_its_id() {
    let (product, p, shop) = connected().await;
    product.pass(50 * 3_600_000);
    product.db.execute("UPDATE store_access SET connected_at_ms = 0").unwrap();
    shop.add((1..=3).map(|n| placed(n, 60 * n as i64, true)));
    // Reconciled by now, so that only comparing finds it.
    let now = product.app.now_ms();
    product.db.execute(&format!("INSERT INTO store_syncs (brand_id, store_id, state, reconciled_to_ms) SELECT brand_id, store_id, 'none', {now} FROM store_access")).unwrap();
    assert_eq!(p.deliver(&product, &placed(1, 60, true)).await, 200);
    sync::schedule(&product.app, sync::Due::ALL).await.unwrap();
    work(&product).await;
    assert_eq!(product.db.rows("SELECT sum(missed) AS n, sum(known) AS k, min(over) AS o FROM store_days WHERE platform > 0")[0], json!({ "n": 2, "k": 3, "o": 1 }));
    assert!(shop.asked("OrderIds") > 0);
    // A deleted order is known and not there: the day stays complete.
    shop.0.lock().unwrap().orders.remove(0);
    sync::schedule(&product.app, sync::Due::ALL).await.unwrap();
    work(&product).await;
    let day = &product.db.rows("SELECT sum(platform) AS p, sum(known) AS k FROM store_days")[0];
    assert_eq!(*day, json!({ "p": 2, "k": 2 }));
}

#[tokio::test]
async fn edits_and_strange_refunds_have_the_order_fetched_once() {
    let (product, p, shop) = connected().await;
    let one = placed(1, 30, true);
    assert_eq!(p.deliver(&product, &one).await, 200);
    let mut edited = later(one.clone(), 40, json!({}));
    edited["line_items"][1]["current_quantity"] = json!(1);
    shop.put(edited);
    for id in [70, 71] {
        let edit = json!({ "order_edit": { "id": id, "order_id": 1, "line_items": { "additions": [], "removals": [{ "id": 2, "delta": 1 }] } } });
        assert_eq!(p.deliver(&product, &edit).await, 200);
    }
    assert_eq!(p.order(&product, 1).await["base"]["amount"], "135.00");
    let waiting = || {
        product
            .db
            .rows("SELECT subject FROM outbox WHERE kind = 'refetch_order' AND state = 'waiting'")
    };
    assert_eq!(waiting().len(), 1);
    work(&product).await;
    assert_eq!(p.order(&product, 1).await["base"]["amount"], "112.50");
    // A refund of an order that never came.
    shop.put(placed(2, 20, true));
    assert_eq!(p.deliver(&product, &refund(901, 2, &[(2, 1, "22.50")])).await, 200);
    work(&product).await;
    let other = p.order(&product, 2).await;
    assert_eq!(
        (&other["deal_id"], &other["base"]["amount"]),
        (&json!(p.deal), &json!("112.50")),
        "{other}"
    );
    assert_eq!(shop.asked("OrdersById"), 2);
    // One that the shop doesn't show stays as it is known.
    assert_eq!(p.deliver(&product, &refund(902, 3, &[])).await, 200);
    work(&product).await;
    assert_eq!(waiting().len(), 0);
    p.verify(&product).await;
    // Where nobody is connected nothing waits.
    product.db.execute("UPDATE store_access SET state = 'uninstalled'").unwrap();
    assert_eq!(p.deliver(&product, &refund(903, 4, &[])).await, 200);
    assert_eq!(waiting().len(), 0);
}

#[tokio::test]
async fn visits_are_asked_for_of_every_order_of_a_busy_second() {
    let (product, p, shop) = connected().await;
    p.post(&product, &format!("/v1/deals/{}/links", p.deal), json!({ "slug": "spring" }))
        .await
        .expect(201);
    product.pass(60_000);
    let at = to_rfc3339(product.app.now_ms() - 5 * 60_000);
    let told = json!({ "ready": true, "customerOrderIndex": 1, "firstVisit": null,
        "lastVisit": { "landingPage": "https://casa.example/", "referralCode": "spring" } });
    for id in 1..=60 {
        let times = json!({ "created_at": at, "updated_at": at, "source_name": "web" });
        let body = with(placed(id, 0, false), times);
        assert_eq!(p.deliver(&product, &body).await, 200);
        shop.put(body);
        shop.0.lock().unwrap().journeys.push((id, told.clone()));
    }
    sync::schedule(&product.app, sync::Due::at(9)).await.unwrap();
    for _ in 0..3 {
        outbox::run_due(&product.app).await.unwrap();
    }
    assert_eq!(shop.asked("Journeys"), 2);
    assert_eq!(books(&product).iter().filter(|order| order["nobody"] == 1).count(), 0);
}

#[tokio::test]
async fn a_visit_that_is_told_later_attributes_what_is_nobodys() {
    let (product, p, shop) = connected().await;
    let link = p
        .post(&product, &format!("/v1/deals/{}/links", p.deal), json!({ "slug": "spring" }))
        .await
        .expect(201);
    assert_eq!(link["slug"], "spring");
    product.pass(60_000);
    let ago = |id, source: &str| {
        let at = to_rfc3339(product.app.now_ms() - 5 * 60_000);
        with(
            placed(id, 0, false),
            json!({ "created_at": at, "updated_at": at, "source_name": source }),
        )
    };
    let all = [ago(1, "web"), ago(2, "pos"), ago(3, "web")];
    for body in &all {
        assert_eq!(p.deliver(&product, body).await, 200);
    }
    shop.add(all.clone());
    let told = |ready: bool, code: &str| {
        json!({ "ready": ready, "customerOrderIndex": 6, "firstVisit": null,
            "lastVisit": { "landingPage": "https://casa.example/", "referralCode": code } })
    };
    shop.0.lock().unwrap().journeys =
        vec![(1, told(false, "spring")), (2, told(true, "spring")), (3, told(true, "nobody"))];
    let ask = async || {
        sync::schedule(&product.app, sync::Due::at(9)).await.unwrap();
        outbox::run_due(&product.app).await.unwrap();
    };
    ask().await;
    let deal = async |id| p.order(&product, id).await["deal_id"].clone();
    assert_eq!(deal(1).await, Value::Null);
    shop.0.lock().unwrap().journeys[0] = (1, told(true, "Spring"));
    ask().await;
    assert_eq!(deal(1).await, json!(p.deal));
    assert_eq!((deal(2).await, deal(3).await), (Value::Null, Value::Null));
    let id = p.order(&product, 1).await["id"].as_str().unwrap().to_owned();
    let why = p.get(&product, &format!("/v1/orders/{id}/attribution")).await;
    assert_eq!(
        (&why["method"], &why["candidates"][0]["reason"]),
        (&json!("journey"), &json!("won")),
        "{why}"
    );
    let commission = p.get(&product, &format!("/v1/orders/{id}/commission")).await;
    assert_eq!(commission["customer_order_index"], 6);
    // A later webhook changes nothing of that, and what was told isn't asked for again.
    assert_eq!(
        p.deliver(&product, &later(all[0].clone(), 500, json!({ "name": "#1b" }))).await,
        200
    );
    assert_eq!(deal(1).await, json!(p.deal));
    let asked = shop.asked("Journeys");
    ask().await;
    assert_eq!(shop.asked("Journeys"), asked, "all of them told");
    p.verify(&product).await;
    p.audit(&product).await;
}

#[tokio::test]
async fn an_order_that_is_missing_beside_one_that_the_shop_deleted_is_found_at_night() {
    let (product, p, shop) = connected().await;
    product.pass(72 * 3_600_000);
    product.db.execute("UPDATE store_access SET connected_at_ms = 0").unwrap();
    let now = product.app.now_ms();
    let days_ago = |id, days: i64| {
        let at = to_rfc3339(now - days * 24 * 3_600_000);
        // Nothing of it changed lately.
        let before = to_rfc3339(now - 70 * 24 * 3_600_000);
        with(placed(id, 0, true), json!({ "created_at": at, "updated_at": before }))
    };
    let told = [days_ago(1, 1), days_ago(2, 1), days_ago(9, 1)];
    for body in &told {
        assert_eq!(p.deliver(&product, body).await, 200);
    }
    // Three are known, and three are there: one of them is another.
    shop.add([days_ago(1, 1), days_ago(2, 1), days_ago(3, 1)]);
    product.db.execute(&format!("INSERT INTO store_syncs (brand_id, store_id, state, reconciled_to_ms) SELECT brand_id, store_id, 'none', {now} FROM store_access")).unwrap();
    sync::schedule(&product.app, sync::Due::ALL).await.unwrap();
    work(&product).await;
    let known = product.db.rows("SELECT external_id FROM orders ORDER BY external_id");
    assert_eq!(known.len(), 4, "{known:?}");
    assert_eq!(product.db.rows("SELECT sum(missed) AS n FROM store_days")[0]["n"], 1);
    // What it costs: a question a day, and one for what was missing.
    assert_eq!((shop.asked("OrderIds"), shop.asked("OrdersById")), (2, 1));
    // Of a time before the store was connected nobody asks.
    product.db.execute(&format!("UPDATE store_access SET connected_at_ms = {now}")).unwrap();
    sync::schedule(&product.app, sync::Due::ALL).await.unwrap();
    let put = "SELECT count(*) AS n FROM outbox WHERE state = 'waiting' AND subject LIKE '20%'";
    assert_eq!(product.db.rows(put)[0]["n"], 0);
}

#[tokio::test]
async fn a_run_ends_before_d1_takes_no_more() {
    let (product, p, shop) = connected().await;
    let brand = p.brand["id"].as_str().unwrap().parse().unwrap();
    for n in 0..400_u32 {
        let subject = (1_000 + n).to_string();
        let task = tributary::storage::outbox::NewTask {
            id: product.app.new_id(),
            store: p.store.parse().unwrap(),
            kind: tributary::domain::task::Kind::RefetchOrder,
            subject: &subject,
            payload: "{}",
            due_at_ms: 0,
        };
        let put = tributary::storage::outbox::put(brand, &task, 0);
        product.app.db().run(vec![put]).await.unwrap();
    }
    let waits = || {
        product.db.rows("SELECT count(*) AS n FROM outbox WHERE state = 'waiting'")[0]["n"]
            .as_i64()
            .unwrap()
    };
    let (mut runs, mut waiting) = (0, waits());
    while waiting > 0 {
        let (app, count) = product.app.counting();
        outbox::run_due(&app).await.unwrap();
        let count = count.load(std::sync::atomic::Ordering::Relaxed);
        assert!(count <= 900, "{count} statements in a run");
        assert!(waits() < waiting, "each run gets on");
        (runs, waiting) = (runs + 1, waits());
    }
    assert!(runs > 1, "{runs}");
    assert_eq!(shop.asked("OrdersById"), 400);
}
