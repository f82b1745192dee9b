//! Tasks at a shop: the token, the lease, and what becomes of a task that the platform hinders.

use serde_json::{Value, json};

use crate::support::{Product, Programme};
use tributary::app::WebAnswer;
use tributary::domain::ids::{BrandId, StoreId, TaskId};
use tributary::domain::task::Kind;
use tributary::jobs::outbox as work;
use tributary::storage::outbox::{self, Lease, NewTask};

const GRAPHQL: &str = "https://casa.myshopify.com/admin/api/2026-10/graphql.json";
const TOKEN: &str = "https://casa.myshopify.com/admin/oauth/access_token";

fn answer(status: u16, body: &Value) -> WebAnswer {
    WebAnswer { status, retry_after: String::new(), body: body.to_string() }
}

fn shop_data() -> Value {
    json!({ "data": { "currentAppInstallation": { "accessScopes": [{ "handle": "read_orders" }] },
        "shop": { "currencyCode": "USD", "ianaTimezone": "America/New_York" } } })
}

/// A shop of a deployment, with one task to do.
struct Shop {
    product: Product,
}

async fn with_task() -> (Shop, BrandId, StoreId) {
    let (product, shop) = Product::with_shop();
    shop.shop().tokens.extend(["shpat_1", "a", "b"].map(str::to_owned));
    let p = Programme::new(&product).await;
    let shop = Shop { product };
    let brand = shop.product.db.rows("SELECT id FROM brands")[0]["id"].as_str().unwrap().to_owned();
    let (brand, store): (BrandId, StoreId) = (brand.parse().unwrap(), p.store.parse().unwrap());
    let id = TaskId::new(0, [1; 10]);
    let kind = Kind::RegisterWebhooks;
    let task = NewTask { id, store, kind, subject: "", payload: "{}", due_at_ms: 0 };
    shop.product.app.db().run(vec![outbox::put(brand, &task, 0)]).await.unwrap();
    (shop, brand, store)
}

#[tokio::test]
async fn a_task_is_done_with_a_token_of_its_own() {
    let (shop, ..) = with_task().await;
    let web = &shop.product.web;
    web.script(
        TOKEN,
        vec![Ok(answer(
            200,
            &json!({ "access_token": "shpat_1", "scope": "read_orders", "expires_in": 86_399 }),
        ))],
    );
    web.script(GRAPHQL, vec![Ok(answer(200, &shop_data()))]);
    work::run_due(&shop.product.app).await.unwrap();
    let row =
        &shop.product.db.rows("SELECT state, scopes, currency, token_sealed FROM store_access")[0];
    assert_eq!(
        (&row["state"], &row["scopes"], &row["currency"]),
        (&json!("connected"), &json!("read_orders"), &json!("USD"))
    );
    assert!(!row["token_sealed"].as_str().unwrap().contains("shpat_1"), "tokens are sealed");
    assert_eq!(shop.product.db.rows("SELECT state FROM outbox")[0]["state"], "done");
    assert_eq!(web.asked(TOKEN).len(), 1);
}

#[tokio::test]
async fn nobody_works_where_somebody_does() {
    let (shop, brand, store) = with_task().await;
    let db = shop.product.app.db();
    let now_ms = shop.product.app.now_ms();
    let other = Lease { brand, store, holder: "other".to_owned() };
    assert!(outbox::take(db, &other, now_ms + 90_000, now_ms).await.unwrap());
    assert_eq!(work::run_due(&shop.product.app).await.unwrap(), 0);
    assert_eq!(shop.product.web.asked(TOKEN).len(), 0);
    // Who died keeps nobody out for long.
    shop.product.pass(90_001);
    shop.product.web.script(
        TOKEN,
        vec![Ok(answer(200, &json!({ "access_token": "a", "expires_in": 86_399 })))],
    );
    shop.product.web.script(GRAPHQL, vec![Ok(answer(200, &shop_data()))]);
    // The look, and what follows a first connection.
    assert!(work::run_due(&shop.product.app).await.unwrap() >= 1);
}

#[tokio::test]
async fn what_is_hindered_waits_and_tells() {
    let (shop, ..) = with_task().await;
    let web = &shop.product.web;
    let row = || shop.product.db.rows("SELECT state, told, tries, due_at_ms FROM outbox").remove(0);
    web.script(TOKEN, vec![Err("reset".to_owned())]);
    work::run_due(&shop.product.app).await.unwrap();
    assert_eq!((&row()["state"], &row()["tries"]), (&json!("waiting"), &json!(1)));
    shop.product.pass(120_000);
    web.script(TOKEN, vec![Ok(answer(401, &json!({ "error": "invalid_client" })))]);
    work::run_due(&shop.product.app).await.unwrap();
    assert!(row()["told"].as_str().unwrap().contains("client secret"), "{}", row());
    let access = &shop.product.db.rows("SELECT state, problem FROM store_access")[0];
    assert_eq!(access["state"], "broken");
    // No storm: the next try is an hour away.
    let asked = web.asked(TOKEN).len();
    for _ in 0..30 {
        shop.product.pass(60_000);
        work::run_due(&shop.product.app).await.unwrap();
    }
    assert_eq!(web.asked(TOKEN).len(), asked);
    shop.product.pass(3_600_000);
    web.script(TOKEN, vec![Ok(answer(200, &json!({ "access_token": "a", "expires_in": 86_399 })))]);
    let throttled = json!({ "data": null, "errors": [{ "message": "Throttled", "extensions": { "code": "THROTTLED" } }] });
    web.script(
        GRAPHQL,
        vec![
            Ok(answer(200, &throttled)),
            Ok(answer(401, &json!({}))),
            Ok(answer(200, &shop_data())),
        ],
    );
    web.script(TOKEN, vec![Ok(answer(200, &json!({ "access_token": "b", "expires_in": 86_399 })))]);
    work::run_due(&shop.product.app).await.unwrap();
    assert_eq!(row()["state"], "done", "{}", row());
}

/// What our own database refuses for ever keeps nothing else from its turn, and the shop its peace.
#[tokio::test]
async fn what_can_not_be_kept_waits_like_everything_else() {
    let (shop, brand, store) = with_task().await;
    let db = &shop.product.db;
    db.execute(
        "CREATE TRIGGER never BEFORE UPDATE ON store_access WHEN NEW.state = 'connected'
         BEGIN SELECT RAISE(ABORT, 'constraint failed: never'); END",
    )
    .unwrap();
    let app = &shop.product.app;
    let token = json!({ "access_token": "shpat_1", "expires_in": 86_399 });
    shop.product.web.script(TOKEN, vec![Ok(answer(200, &token))]);
    work::run_due(app).await.unwrap();
    let row = db.rows("SELECT state, tries, due_at_ms, told FROM outbox").remove(0);
    assert_eq!((&row["state"], &row["tries"]), (&json!("waiting"), &json!(1)), "{row}");
    assert!(row["due_at_ms"].as_i64().unwrap() > app.now_ms(), "{row}");
    assert!(row["told"].as_str().unwrap().contains("can't be kept"), "{row}");
    // Nobody waits for the lease.
    let next = Lease { brand, store, holder: "next".to_owned() };
    assert!(outbox::take(app.db(), &next, app.now_ms() + 1, app.now_ms()).await.unwrap());
}

#[tokio::test]
async fn what_comes_back_by_itself_is_kept_for_a_day_once_it_is_done() {
    let (shop, brand, store) = with_task().await;
    let db = &shop.product.db;
    db.execute("DELETE FROM outbox").unwrap();
    let now = shop.product.app.now_ms();
    let rows = [
        ("reconcile", "done", 2),
        ("reconcile", "failed", 2),
        ("compare_days", "done", 2),
        ("look_at_codes", "done", 0),
        ("make_code", "done", 2),
        ("make_code", "done", 31),
        ("reconcile", "failed", 31),
        ("goaffpro_sync", "waiting", 40),
    ];
    for (n, (kind, state, days)) in rows.into_iter().enumerate() {
        let at = now - days * 86_400_000;
        db.execute(&format!(
            "INSERT INTO outbox (brand_id, id, store_id, kind, subject, payload, state, due_at_ms,
             created_at_ms, changed_at_ms) VALUES ('{brand}', 'task_{n}', '{store}', '{kind}', '{n}', '{{}}',
             '{state}', {at}, {at}, {at})"
        ))
        .unwrap();
    }
    tributary::jobs::retention::sweep(&shop.product.app).await.unwrap();
    let left: Vec<Value> =
        db.rows("SELECT id FROM outbox ORDER BY id").iter().map(|row| row["id"].clone()).collect();
    assert_eq!(left, ["task_1", "task_3", "task_4", "task_7"]);
}
