//! The Admin client where it gets rough: throttling, renewals, answers that are none.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::shopify::{GRAPHQL, SmallShop, TOKEN, answer};
use crate::support::sqlite::Fault;
use crate::support::{NOW_MS, Product, Programme, at_once, turn};
use tributary::app::{App, Clock, Pending, Ports, WebAnswer};
use tributary::domain::ids::{BrandId, StoreId};
use tributary::jobs::shopify::{Admin, Failed};
use tributary::partners::shopify::admin;
use tributary::partners::trouble::Trouble;

struct Shop {
    product: Product,
    shop: SmallShop,
    brand: BrandId,
    store: StoreId,
}

impl Shop {
    async fn new() -> Self {
        let (product, shop) = Product::with_shop();
        let p = Programme::new(&product).await;
        let brand = p.brand["id"].as_str().unwrap().parse().unwrap();
        Self { product, shop, brand, store: p.store.parse().unwrap() }
    }

    async fn open(&self) -> Result<Admin, Failed> {
        Admin::open(&self.product.app, self.brand, self.store).await
    }

    /// What comes of a question, as `data` or as the words of its trouble, and how long it took.
    async fn ask(&self, document: admin::Document) -> (Result<Value, Trouble>, i64) {
        let begun = self.product.app.now_ms();
        let asked = async {
            let variables =
                json!({ "topic": "ORDERS_PAID", "uri": "https://x.example" }).to_string();
            self.open().await?.ask(&self.product.app, document, &variables).await
        };
        let told = asked.await.map_err(|failed| match failed {
            Failed::Platform(trouble) => trouble,
            Failed::Database(error) => panic!("{error}"),
        });
        (told, self.product.app.now_ms() - begun)
    }

    fn script(&self, answers: Vec<Result<WebAnswer, String>>) {
        self.product.web.script(GRAPHQL, answers);
    }

    /// As a shop that approved the app, whose token is over.
    fn authorized(&self) {
        self.shop.shop().refreshes.insert("shprt_secret_0".to_owned());
        let seal = |context: String, text: &str| {
            self.product.app.config.data_key.seal(&context, text.as_bytes(), [1; 24]).unwrap()
        };
        let store = self.store;
        let refresh = seal(format!("{store}/refresh"), "shprt_secret_0");
        let token = seal(format!("{store}/token"), "shpat_secret_0");
        self.product.db.execute(&format!(
            "INSERT INTO store_access (brand_id, store_id, way, state, token_sealed, token_until_ms, refresh_sealed,
               refresh_until_ms) VALUES ('{}', '{store}', 'code', 'connected', '{token}', 1, '{refresh}', {})",
            self.brand, NOW_MS + 90 * 86_400_000)).unwrap();
    }
}

fn with_wait(status: u16, retry_after: &str) -> WebAnswer {
    WebAnswer { status, retry_after: retry_after.to_owned(), body: String::new() }
}

fn throttled(available: i64) -> Value {
    json!({ "data": null, "errors": [{ "message": "Throttled", "extensions": { "code": "THROTTLED" } }],
        "extensions": { "cost": { "requestedQueryCost": 500, "actualQueryCost": null, "throttleStatus": {
            "maximumAvailable": 2000.0, "currentlyAvailable": available, "restoreRate": 100.0 } } } })
}

#[tokio::test]
async fn throttling_is_minded() {
    let s = Shop::new().await;
    // 400 points are missing, 100 come a second.
    s.script(vec![Ok(answer(200, &throttled(100)))]);
    let (told, took) = s.ask(admin::SHOP).await;
    assert!(told.is_ok(), "{told:?}");
    assert!((4_000..4_200).contains(&took), "{took}");
    // What the bucket lacks is waited for before it is asked.
    let mut admin = s.open().await.unwrap();
    let mut data = throttled(100);
    data["data"] = json!({ "shop": {} });
    data.as_object_mut().unwrap().remove("errors");
    s.script(vec![Ok(answer(200, &data))]);
    admin.ask(&s.product.app, admin::SHOP, "{}").await.unwrap();
    let before = s.product.app.now_ms();
    admin.ask(&s.product.app, admin::SHOP, "{}").await.unwrap();
    let took = s.product.app.now_ms() - before;
    assert!((4_000..4_200).contains(&took), "{took}");
    // Longer waits are for the task, not for the worker.
    for status in [429, 430] {
        s.script(vec![Ok(with_wait(status, "60"))]);
        let (told, took) = s.ask(admin::SHOP).await;
        let Err(Trouble::Later(Some(until_ms), _)) = told else { panic!("{told:?}") };
        assert!((60_000..62_000).contains(&(until_ms - s.product.app.now_ms())));
        assert_eq!(took, 0);
    }
    // Throttled for ever ends.
    s.script((0..9).map(|_| Ok(answer(200, &throttled(450)))).collect());
    let (told, _) = s.ask(admin::SHOP).await;
    assert!(matches!(told, Err(Trouble::Later(..))), "{told:?}");
    assert_eq!(s.product.web.asked(TOKEN).len(), 0, "one token all the while");
}

#[tokio::test]
async fn what_may_have_been_done_is_not_repeated() {
    let s = Shop::new().await;
    s.open().await.unwrap();
    let odd = || {
        [
            Err("reset".to_owned()),
            Ok(with_wait(503, "1")),
            Ok(with_wait(500, "")),
            Ok(WebAnswer { body: "<html>fine</html>".into(), ..with_wait(200, "") }),
            Ok(WebAnswer { body: "{\"data\":{\"webhookSub".into(), ..with_wait(200, "") }),
            Ok(WebAnswer { body: "x".repeat(9 * 1024 * 1024), ..with_wait(200, "") }),
        ]
    };
    for (n, bad) in odd().into_iter().enumerate() {
        let before = s.product.web.asked(GRAPHQL).len();
        s.script(vec![bad]);
        let (told, _) = s.ask(admin::WEBHOOK_CREATE).await;
        assert!(matches!(told, Err(Trouble::Unknown(_))), "{n}: {told:?}");
        assert_eq!(s.product.web.asked(GRAPHQL).len() - before, 1, "{n}");
    }
    assert!(s.shop.shop().hooks.is_empty());
    // What only looks is asked again.
    for (n, bad) in odd().into_iter().enumerate() {
        s.script(vec![bad]);
        let (told, took) = s.ask(admin::SHOP).await;
        assert!(told.is_ok(), "{n}: {told:?}");
        assert!((1_000..3_000).contains(&took), "{n}: {took}");
    }
    // For so long, and no longer.
    s.script((0..9).map(|_| Err("reset".to_owned())).collect());
    let before = s.product.web.asked(GRAPHQL).len();
    let (told, _) = s.ask(admin::SHOP).await;
    assert!(matches!(told, Err(Trouble::Later(None, _))), "{told:?}");
    assert_eq!(s.product.web.asked(GRAPHQL).len() - before, 4);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let s = Shop::new().await;
    s.open().await.unwrap();
    assert_eq!(s.shop.count("client_credentials"), 1);
    // It ends in the middle of everything, before a change too: that was surely not done.
    s.shop.shop().tokens.clear();
    let (told, _) = s.ask(admin::WEBHOOK_CREATE).await;
    assert!(told.is_ok(), "{told:?}");
    assert_eq!((s.shop.count("client_credentials"), s.shop.shop().hooks.len()), (2, 1));
    // A new one that isn't taken either is the end.
    s.script((0..2).map(|_| Ok(answer(401, &json!({ "errors": "x" })))).collect());
    let (told, _) = s.ask(admin::SHOP).await;
    assert!(matches!(told, Err(Trouble::Disconnected(_))), "{told:?}");
    assert_eq!(s.shop.count("client_credentials"), 3);
    // A token that is over is renewed before it is used.
    s.product.pass(3_600_000);
    assert!(s.ask(admin::SHOP).await.0.is_ok());
    assert_eq!(s.shop.count("client_credentials"), 4);
}

/// Time stands still, and everybody has a turn.
struct Still;

impl Clock for Still {
    fn now_ms(&self) -> i64 {
        NOW_MS
    }
    fn pause(&self, _: u32) -> Pending<'_, ()> {
        Box::pin(turn())
    }
}

#[tokio::test]
async fn of_fifty_renewals_at_once_one_is_asked_for() {
    for authorized in [false, true] {
        let s = Shop::new().await;
        if authorized {
            s.authorized();
        }
        // Two isolates: each has its own memory, both have one database.
        let isolate = || {
            let memory = Arc::default();
            App::new(Ports { memory, clock: Arc::new(Still), ..(*s.product.app).clone() })
        };
        let isolates = [isolate(), isolate()];
        let opened =
            at_once((0..50).map(|n| Admin::open(&isolates[n % 2], s.brand, s.store))).await;
        assert_eq!(opened.iter().filter(|one| one.is_ok()).count(), 50);
        let grants = s.shop.count("client_credentials") + s.shop.count("refresh_token");
        assert_eq!(grants, 1, "authorized: {authorized}");
        let row = &s.product.db.rows("SELECT renewing_until_ms FROM store_access")[0];
        assert!(row["renewing_until_ms"].is_null());
    }
}

#[tokio::test]
async fn a_refresh_token_outlives_a_crash() {
    let s = Shop::new().await;
    s.authorized();
    // Got, and not kept: the calls are the look, the claim, and what would keep it.
    s.product.db.fail_call(2, Fault::Before);
    assert!(matches!(s.open().await, Err(Failed::Database(_))));
    assert_eq!(s.shop.count("refresh_token"), 1);
    // Whoever comes next waits for the one who died, not for ever, and takes the old one again.
    s.product.pass(30_001);
    assert!(s.open().await.is_ok());
    assert_eq!(s.shop.count("refresh_token"), 2);
    let (told, _) = s.ask(admin::SHOP).await;
    assert!(told.is_ok(), "{told:?}");
    // Kept, but nobody was told so: as good.
    s.product.pass(3_600_000);
    s.product.db.fail_call(2, Fault::After);
    assert!(s.open().await.is_err());
    assert!(s.open().await.is_ok());
    assert_eq!(s.shop.count("refresh_token"), 3);
    // While Shopify is away, what is good for a while yet is used.
    s.product.pass(3_600_000 - 200_000);
    s.shop.fail("refresh_token", Ok(with_wait(503, "")));
    assert!(s.open().await.is_ok());
    // Over, or taken back: connect again.
    s.product.pass(3_600_000);
    s.shop.shop().refreshes.clear();
    let Err(Failed::Platform(Trouble::Disconnected(words))) = s.open().await else { panic!() };
    assert!(words.contains("connect the shop again"), "{words}");
    s.product.pass(90 * 86_400_000);
    let asked = s.shop.count("refresh_token");
    let Err(Failed::Platform(Trouble::Disconnected(words))) = s.open().await else { panic!() };
    assert!(words.contains("connect the shop again"), "{words}");
    assert_eq!(s.shop.count("refresh_token"), asked);
    let row = &s.product.db.rows("SELECT state, problem FROM store_access")[0];
    assert_eq!(row["state"], "broken");
}

/// A look at the shop, while which this happens to the store, once, when that is asked.
async fn looked_at(s: &Shop, asked: &'static str, happens: &'static str) -> (Value, usize) {
    let (shop, db) = (s.shop.clone(), s.product.db.clone());
    let mut happens = Some(happens);
    s.product.web.answer_by(Box::new(move |request| {
        if request.body.is_some_and(|body| body.contains(asked))
            && let Some(sql) = happens.take()
        {
            for one in sql.split(';') {
                db.execute(one).unwrap();
            }
        }
        Some(shop.answer(request))
    }));
    let again = tributary::jobs::connecting::again(&s.product.app, s.brand, s.store);
    s.product.app.db().run(vec![again]).await.unwrap();
    tributary::jobs::outbox::run_due(&s.product.app).await.unwrap();
    let sql = "SELECT state, problem FROM store_access";
    (s.product.db.rows(sql).remove(0), s.shop.count("Shop"))
}

const SHOP_QUERY: &str = "currentAppInstallation";

#[tokio::test]
async fn a_look_that_began_before_a_change_says_nothing_of_what_is_there_now() {
    // Somebody connects the shop anew while it is looked at: it is looked at again.
    let s = Shop::new().await;
    let anew = "UPDATE store_access SET state = 'created', changes = changes + 1";
    let (row, looks) = looked_at(&s, SHOP_QUERY, anew).await;
    assert_eq!((&row["state"], looks), (&json!("connected"), 2));
    // The shop asks to be forgotten.
    let s = Shop::new().await;
    let closed = "UPDATE store_access SET state = 'uninstalled', changes = changes + 1;
        UPDATE stores SET closed_at_ms = 1";
    let (row, looks) = looked_at(&s, SHOP_QUERY, closed).await;
    assert_eq!((&row["state"], looks), (&json!("uninstalled"), 1));
    // Who was locked out before somebody connected it anew.
    let s = Shop::new().await;
    s.shop.fail("client_credentials", Ok(answer(401, &json!({ "error": "invalid_client" }))));
    let anew = "UPDATE store_access SET state = 'connected', problem = '', changes = changes + 1";
    let (row, _) = looked_at(&s, "client_credentials", anew).await;
    assert_eq!((&row["state"], &row["problem"]), (&json!("connected"), &json!("")));
    // Without such a change it is told.
    s.shop.fail("client_credentials", Ok(answer(401, &json!({ "error": "invalid_client" }))));
    s.product.pass(7_200_000);
    let (row, _) =
        looked_at(&s, "client_credentials", "UPDATE stores SET closed_at_ms = NULL").await;
    assert_eq!(row["state"], "broken");
}

#[tokio::test]
async fn an_approval_doesnt_undo_what_was_changed_meanwhile() {
    use tributary::storage::store_access::{self, NewToken};
    let s = Shop::new().await;
    let token = NewToken { token_sealed: "sealed".to_owned(), ..NewToken::default() };
    let keep = async |changes: i64| {
        let keep = store_access::authorize(s.brand, s.store, changes, &token);
        s.product.app.db().run(vec![keep]).await.is_ok()
    };
    assert!(keep(0).await);
    assert!(!keep(0).await, "it is another's by now");
    assert!(keep(1).await);
    s.product.db.execute("UPDATE stores SET closed_at_ms = 1").unwrap();
    assert!(!keep(2).await, "it is closed");
}

#[tokio::test]
async fn owners_are_told_once_that_a_store_is_lost() {
    let s = Shop::new().await;
    let (brand, now) = (s.brand, s.product.app.now_ms());
    for (n, role, joined) in [(1, "owner", true), (2, "owner", false), (3, "manager", true)] {
        let (person, at) = if joined {
            (format!("'p{n}'"), now.to_string())
        } else {
            ("NULL".into(), "NULL".into())
        };
        let person_row = format!(
            "INSERT INTO people (id, email, created_at_ms) VALUES ('p{n}', 'm{n}@casa.example', {now})"
        );
        s.product.db.execute(&person_row).unwrap();
        let id = tributary::domain::ids::MemberId::new(now, [n; 10]);
        let member = format!(
            "INSERT INTO members (brand_id, id, email, role, person_id, invited_at_ms, expires_at_ms,
             joined_at_ms) VALUES ('{brand}', '{id}', 'm{n}@casa.example', '{role}', {person}, {now}, {now}, {at})"
        );
        s.product.db.execute(&member).unwrap();
    }
    let look = async || {
        s.product.pass(7 * 3_600_000);
        let again = tributary::jobs::connecting::again(&s.product.app, s.brand, s.store);
        s.product.app.db().run(vec![again]).await.unwrap();
        tributary::jobs::outbox::run_due(&s.product.app).await.unwrap();
        s.product.db.rows("SELECT state FROM store_access").remove(0)["state"].clone()
    };
    let refuse = || {
        s.shop.shop().tokens.clear();
        s.shop.fail("client_credentials", Ok(answer(401, &json!({ "error": "invalid_client" }))));
    };
    let mails = || {
        s.product.db.rows("SELECT recipient, kind, brand_id FROM mails WHERE kind = 'store_lost'")
    };
    // One that was never reached isn't lost.
    s.product.db.execute("UPDATE store_access SET state = 'created'").unwrap();
    refuse();
    assert_eq!((look().await, mails().len()), (json!("broken"), 0));
    assert_eq!((look().await, mails().len()), (json!("connected"), 0));
    for _ in 0..3 {
        refuse();
        assert_eq!(look().await, "broken");
    }
    let told = mails();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0]["recipient"], &told[0]["kind"], &told[0]["brand_id"]),
        (&json!("m1@casa.example"), &json!("store_lost"), &json!(brand.to_string()))
    );
    // Nothing is told by a batch that loses nothing.
    assert_eq!(look().await, "connected");
    let (app, now) = (&s.product.app, s.product.app.now_ms());
    let told = tributary::web::mail::tell_lost(app, s.brand, s.store, "x", now).await.unwrap();
    assert_eq!(told.len(), 1);
    app.db().run(told).await.unwrap();
    assert_eq!(mails().len(), 1);
    // Lost again it is told again; that the shop removed the app is such a loss too.
    s.shop.uninstall();
    for _ in 0..3 {
        assert_ne!(look().await, "connected");
    }
    assert_eq!(mails().len(), 2);
    tributary::jobs::run_due(&s.product.app, s.product.app.now_ms()).await;
    let mail = s.product.mailer.last();
    assert!(mail["subject"].as_str().unwrap().contains("casa.myshopify.com"), "{mail}");
}
