//! Outgoing webhooks: told at least once, in the batch of the cause, signed, to public places only.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tributary::app::{WebAnswer, WebRequest};
use tributary::jobs;
use tributary::partners::signed::{Headers, verify};

use crate::support::shop::{coded, order};
use crate::support::sqlite::{Fault, Sqlite};
use crate::support::{Answer, Product, Programme, SECRET};

/// Commands that are tried here.
pub const HOOK_COMMANDS: [&str; 6] = [
    "post /v1/webhook-endpoints",
    "patch /v1/webhook-endpoints/{id}",
    "delete /v1/webhook-endpoints/{id}",
    "post /v1/webhook-endpoints/{id}/secret",
    "post /v1/webhook-endpoints/{id}/test",
    "post /v1/webhook-endpoints/{id}/deliveries/{delivery_id}/resend",
];

const URL: &str = "https://hooks.shop.example/in";
const SECOND: &str = "https://second.shop.example/in";
const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

/// What a receiver got.
#[derive(Clone)]
struct Got {
    url: String,
    id: String,
    timestamp: String,
    signature: String,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        self.body.parse().unwrap()
    }

    fn verifies(&self, secret: &str, now_ms: i64) -> bool {
        let Self { id, timestamp, signature, body, .. } = self;
        let headers = Headers { id, timestamp, signature };
        verify(body.as_bytes(), headers, &[secret.as_bytes()], now_ms)
    }
}

/// Receivers: what each got, and what the addresses answer (200 otherwise; 0 breaks off).
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<Vec<(String, u16, String)>>>,
}

impl Receiver {
    fn of(product: &Product) -> Self {
        let receiver = Self::default();
        let told = receiver.clone();
        product.web.answer_by(Box::new(move |request: &WebRequest<'_>| {
            if !request.url.contains(".shop.example/in") {
                return None;
            }
            let header =
                |name: &str| request.headers.iter().find(|(n, _)| *n == name).unwrap().1.clone();
            assert_eq!((request.method, request.limit), ("POST", 0));
            told.got.lock().unwrap().push(Got {
                url: request.url.clone(),
                id: header("webhook-id"),
                timestamp: header("webhook-timestamp"),
                signature: header("webhook-signature"),
                body: request.body.unwrap().to_owned(),
            });
            let answers = told.answers.lock().unwrap();
            let found = answers.iter().find(|(url, ..)| *url == request.url);
            let (status, retry_after) = found.map_or((200, ""), |(_, s, r)| (*s, r.as_str()));
            if status == 0 {
                return Some(Err("reset by hooks.shop.example".to_owned()));
            }
            let retry_after = retry_after.to_owned();
            Some(Ok(WebAnswer { status, retry_after, body: String::new() }))
        }));
        receiver
    }

    fn answer(&self, url: &str, status: u16, retry_after: &str) {
        let mut answers = self.answers.lock().unwrap();
        answers.retain(|(known, ..)| known != url);
        answers.push((url.to_owned(), status, retry_after.to_owned()));
    }

    fn take(&self) -> Vec<Got> {
        std::mem::take(&mut self.got.lock().unwrap())
    }
}

/// What the types of these are.
fn types(got: &[Got]) -> Vec<String> {
    got.iter().map(|got| got.json()["type"].as_str().unwrap().to_owned()).collect()
}

async fn listen(product: &Product, key: &str, body: Value) -> (String, String) {
    let made = product.call("POST", "/v1/webhook-endpoints", Some(body), key).await.expect(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["endpoint"]["id"]), text(&made["secret"]))
}

async fn run(product: &Product) {
    jobs::hooks::send_due(&product.app).await.unwrap();
}

async fn patch(product: &Product, p: &Programme, id: &str, body: Value) -> Answer {
    product.call("PATCH", &format!("/v1/webhook-endpoints/{id}"), Some(body), &p.key).await
}

async fn log(product: &Product, p: &Programme, id: &str) -> Vec<Value> {
    let path = format!("/v1/webhook-endpoints/{id}/deliveries?limit=200");
    p.get(product, &path).await["data"].as_array().unwrap().clone()
}

fn deployed() -> Product {
    Product::over(Sqlite::new(), false)
}

/// An order with the programme's code, and what became of it later.
async fn deliver(product: &Product, p: &Programme, body: &Value) {
    let bytes = body.to_string().into_bytes();
    assert_eq!(product.deliver(&p.store, SECRET, &bytes).await, 200);
}

#[tokio::test]
async fn what_happens_is_told_once_signed_and_numbered() {
    let product = deployed();
    let p = Programme::new(&product).await;
    let receiver = Receiver::of(&product);
    let (id, secret) = listen(&product, &p.key, json!({ "url": URL })).await;
    assert!(secret.starts_with("whsec_"));
    let stage = json!({ "stage": "Posted" });
    let deal = format!("/v1/deals/{}", p.deal);
    product.call("PATCH", &deal, Some(stage), &p.key).await.expect(200);
    let link = p.post(&product, &format!("{deal}/links"), json!({ "slug": "spring" })).await;
    link.expect(201);
    let code = json!({ "code": "NEW", "create_in_store": false });
    p.post(&product, &format!("{deal}/codes"), code).await.expect(201);
    let paid = coded(order(1), "NEW");
    deliver(&product, &p, &paid).await;
    deliver(&product, &p, &paid).await;
    run(&product).await;
    let got = receiver.take();
    assert_eq!(
        types(&got),
        ["deal.updated", "link.created", "code.created", "order.created", "commission.created"]
    );
    for (at, got) in got.iter().enumerate() {
        assert!(got.verifies(&secret, product.app.now_ms()), "{}", got.body);
        assert!(
            !got.verifies(
                "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                product.app.now_ms()
            )
        );
        assert_eq!(got.json()["sequence"], at + 1);
        for personal in ["@", "email", "anna"] {
            assert!(!got.body.to_lowercase().contains(personal), "{}", got.body);
        }
    }
    let told = got[0].json();
    assert_eq!((&told["data"]["stage"], &told["data"]["id"]), (&json!("Posted"), &json!(p.deal)));
    assert!(got[1].json()["data"]["url"].as_str().unwrap().ends_with("/spring"));
    let commission = got[4].json();
    assert_eq!(commission["data"]["deal_id"], json!(p.deal));
    assert_eq!(commission["data"]["commission"]["currency"], "USD");
    assert!(commission["data"]["available_on"].as_str().unwrap().len() == 10);
    run(&product).await;
    assert!(receiver.take().is_empty());
    assert!(log(&product, &p, &id).await.iter().all(|d| d["state"] == "delivered"));

    // Cancelled: order and commission change.
    let mut cancelled = paid;
    cancelled["cancelled_at"] = json!("2026-11-22T09:00:00Z");
    cancelled["updated_at"] = json!("2026-11-22T09:00:00Z");
    deliver(&product, &p, &cancelled).await;
    run(&product).await;
    let got = receiver.take();
    assert_eq!(types(&got), ["order.updated", "commission.updated"]);
    let data = &got[1].json()["data"];
    assert_eq!(
        (&data["commission"]["amount"], &data["order_state"]),
        (&json!("0.00"), &json!("cancelled"))
    );
    assert_ne!(data["previous_commission"]["amount"], "0.00");
}

#[tokio::test]
async fn nothing_is_written_where_nothing_listens_or_what_does_not_happen() {
    let product = deployed();
    let p = Programme::new(&product).await;
    let rows = || product.db.rows("SELECT * FROM webhook_events").len();
    let news = || product.db.rows("SELECT * FROM order_news").len();
    let code = |text: &str| json!({ "code": text, "create_in_store": false });
    let codes = format!("/v1/deals/{}/codes", p.deal);
    p.post(&product, &codes, code("ONE")).await.expect(201);
    deliver(&product, &p, &coded(order(1), "ONE")).await;
    assert_eq!((rows(), news()), (0, 0));
    let (id, _) =
        listen(&product, &p.key, json!({ "url": URL, "events": ["payout.approved"] })).await;
    deliver(&product, &p, &coded(order(2), "ONE")).await;
    assert_eq!(news(), 1);
    run(&product).await;
    assert_eq!((rows(), news()), (0, 0), "nobody listens to orders");
    patch(&product, &p, &id, json!({ "events": ["code.created"] })).await.expect(200);
    // A command that fails tells nothing.
    p.post(&product, &codes, code("ONE")).await.expect(409);
    assert_eq!(rows(), 0);
    p.post(&product, &codes, code("TWO")).await.expect(201);
    assert_eq!(rows(), 1);
    patch(&product, &p, &id, json!({ "state": "paused" })).await.expect(200);
    p.post(&product, &codes, code("THREE")).await.expect(201);
    assert_eq!(rows(), 1);
    let path = format!("/v1/webhook-endpoints/{id}");
    product.call("DELETE", &path, None, &p.key).await.expect(200);
    assert_eq!(product.db.rows("SELECT webhooks FROM brands")[0]["webhooks"], 0);
    assert!(product.db.rows("SELECT * FROM webhook_deliveries").is_empty());
}

#[tokio::test]
async fn news_of_orders_become_events_once_numbered_and_in_order() {
    let product = deployed();
    let p = Programme::new(&product).await;
    let code = json!({ "code": "ONE", "create_in_store": false });
    p.post(&product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
    listen(&product, &p.key, json!({ "url": URL, "events": ["order.created"] })).await;
    listen(
        &product,
        &p.key,
        json!({ "url": SECOND, "events": ["commission.created", "order.updated"] }),
    )
    .await;
    for n in 0..5 {
        deliver(&product, &p, &coded(order(10 + n), "ONE")).await;
    }
    let brand: tributary::domain::ids::BrandId = p.brand["id"].as_str().unwrap().parse().unwrap();
    // The batch of somebody else in between takes what this one would have.
    let spread = || product.app.db().run(tributary::storage::hooks::spread(brand, 3));
    for left in [2, 0, 0] {
        spread().await.unwrap();
        assert_eq!(product.db.rows("SELECT * FROM order_news").len(), left);
    }
    let told = product.db.rows("SELECT sequence, type, data FROM webhook_events ORDER BY sequence");
    let numbers: Vec<_> = told.iter().map(|row| row["sequence"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    for pair in told.chunks(2) {
        assert_eq!(
            (&pair[0]["type"], &pair[1]["type"]),
            (&json!("order.created"), &json!("commission.created"))
        );
    }
    for (n, created) in told.iter().step_by(2).enumerate() {
        let data: Value = serde_json::from_str(created["data"].as_str().unwrap()).unwrap();
        assert_eq!(data["external_id"], (10 + n).to_string());
    }
}

#[tokio::test]
async fn what_does_not_arrive_is_repeated_for_three_days_then_paused_and_mailed_once() {
    let product = deployed();
    let p = Programme::new(&product).await;
    let receiver = Receiver::of(&product);
    let (id, _) = listen(&product, &p.key, json!({ "url": URL })).await;
    receiver.answer(URL, 302, "");
    let test = format!("/v1/webhook-endpoints/{id}/test");
    product.call("POST", &test, None, &p.key).await.expect(201);
    run(&product).await;
    let first = receiver.take();
    assert_eq!(types(&first), ["webhook.test"]);
    let told = &log(&product, &p, &id).await[0];
    assert_eq!(
        (&told["state"], &told["last_status"], &told["tries"]),
        (&json!("waiting"), &json!(302), &json!(1))
    );
    assert!(told["last_error"].as_str().unwrap().contains("not followed"));
    run(&product).await;
    assert!(receiver.take().is_empty(), "not before its time");
    product.pass(MINUTE);
    run(&product).await;
    let second = receiver.take();
    assert_eq!((second.len(), &second[0].id, &second[0].body), (1, &first[0].id, &first[0].body));
    let mails = |product: &Product| product.mailer.count();
    let before = mails(&product);
    let mut tries = 2;
    for _ in 0..(4 * 24 * 4) {
        product.pass(15 * MINUTE);
        jobs::run_due(&product.app, product.app.now_ms()).await;
        tries += receiver.take().len();
    }
    assert!((12..20).contains(&tries), "{tries}");
    let row = p.get(&product, &format!("/v1/webhook-endpoints/{id}")).await;
    assert_eq!((&row["state"], &row["paused_because"]), (&json!("paused"), &json!("failing")));
    assert_eq!(mails(&product), before + 1);
    assert!(product.mailer.last()["text"].as_str().unwrap().contains("hooks.shop.example"));
    assert_eq!(log(&product, &p, &id).await[0]["state"], "failed");
    let noted = product.db.rows("SELECT * FROM audit WHERE action = 'webhook_endpoint.pause'");
    assert_eq!((noted.len(), &noted[0]["actor_kind"]), (1, &json!("job")));

    // It goes on, and what was given up is sent under the same id when somebody says so.
    let resend = format!("/v1/webhook-endpoints/{id}/deliveries/{}/resend", first[0].id);
    product.call("POST", &resend, None, &p.key).await.expect(409);
    patch(&product, &p, &id, json!({ "state": "active" })).await.expect(200);
    receiver.answer(URL, 204, "");
    product.call("POST", &resend, None, &p.key).await.expect(200);
    run(&product).await;
    let got = receiver.take();
    assert_eq!((got.len(), &got[0].id), (1, &first[0].id));
    let row = p.get(&product, &format!("/v1/webhook-endpoints/{id}")).await;
    assert_eq!((&row["state"], &row["failing_since"]), (&json!("active"), &Value::Null));
}

#[tokio::test]
async fn a_clock_that_jumps_and_a_410_pause_too() {
    for (status, why, jump) in [(500, "failing", 3 * DAY), (410, "gone", 0)] {
        let product = deployed();
        let p = Programme::new(&product).await;
        let receiver = Receiver::of(&product);
        let (id, _) = listen(&product, &p.key, json!({ "url": URL })).await;
        receiver.answer(URL, status, "");
        let test = format!("/v1/webhook-endpoints/{id}/test");
        product.call("POST", &test, None, &p.key).await.expect(201);
        let before = product.mailer.count();
        for _ in 0..3 {
            jobs::run_due(&product.app, product.app.now_ms()).await;
            product.pass(jump);
        }
        let row = p.get(&product, &format!("/v1/webhook-endpoints/{id}")).await;
        assert_eq!(row["paused_because"], why);
        assert_eq!(product.mailer.count(), before + 1);
        product.call("POST", &test, None, &p.key).await.expect(409);
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_patience_gets_it() {
    let product = deployed();
    let p = Programme::new(&product).await;
    let receiver = Receiver::of(&product);
    let (id, _) = listen(&product, &p.key, json!({ "url": URL })).await;
    receiver.answer(URL, 429, "600");
    product
        .call("POST", &format!("/v1/webhook-endpoints/{id}/test"), None, &p.key)
        .await
        .expect(201);
    run(&product).await;
    for (pass, tries) in [(0, 1), (9 * MINUTE, 0), (MINUTE, 1)] {
        product.pass(pass);
        run(&product).await;
        assert_eq!(receiver.take().len(), tries, "{pass}");
    }
}

#[tokio::test]
async fn one_that_fails_holds_no_other_and_a_worker_that_dies_repeats_the_same_id() {
    let product = deployed();
    let p = Programme::new(&product).await;
    let receiver = Receiver::of(&product);
    let (bad, _) = listen(&product, &p.key, json!({ "url": URL })).await;
    let (good, _) = listen(&product, &p.key, json!({ "url": SECOND })).await;
    receiver.answer(URL, 0, "");
    for number in 1..=3 {
        deliver(&product, &p, &order(number)).await;
    }
    run(&product).await;
    let got = receiver.take();
    let at = |url: &str| got.iter().filter(|got| got.url == url).count();
    assert_eq!((at(URL), at(SECOND)), (1, 3), "a failing endpoint is left at once");
    let told = log(&product, &p, &bad).await;
    assert_eq!(told.iter().map(|d| d["tries"].as_u64().unwrap()).sum::<u64>(), 1);
    assert!(!told.iter().any(|d| d["last_error"].to_string().contains("reset by")));
    assert!(log(&product, &p, &good).await.iter().all(|d| d["state"] == "delivered"));

    // The batch that would say what became of it never comes: it is told again when the claim is over.
    // (Who has news, they become events, no more news; what is due, the endpoint, its host, the claim: then
    // that batch.)
    deliver(&product, &p, &order(9)).await;
    product.db.fail_call(7, Fault::Before);
    let _ = jobs::hooks::send_due(&product.app).await;
    product.db.fail_no_call();
    let first = receiver.take();
    run(&product).await;
    assert!(
        receiver.take().iter().all(|got| got.url == URL),
        "claimed by somebody, for all we know"
    );
    product.pass(2 * MINUTE);
    run(&product).await;
    let again = receiver.take();
    let second = |got: &[Got]| got.iter().find(|got| got.url == SECOND).map(|got| got.id.clone());
    assert!(second(&first).is_some());
    assert_eq!(second(&first), second(&again));
}

/// Somebody whose claim was over before its answer came has nothing to say any more.
#[tokio::test]
async fn a_claim_that_is_over_settles_nothing() {
    let product = deployed();
    let p = Programme::new(&product).await;
    let (id, _) = listen(&product, &p.key, json!({ "url": URL })).await;
    deliver(&product, &p, &order(1)).await;
    let db = product.db.clone();
    product.web.answer_by(Box::new(move |_| {
        db.execute("UPDATE webhook_deliveries SET tries = tries + 1").unwrap();
        Some(Ok(WebAnswer { status: 500, retry_after: String::new(), body: String::new() }))
    }));
    run(&product).await;
    let told = &log(&product, &p, &id).await[0];
    assert_eq!((&told["tries"], &told["last_status"]), (&json!(2), &Value::Null));
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_sign() {
    let product = deployed();
    let p = Programme::new(&product).await;
    let receiver = Receiver::of(&product);
    let (id, old) = listen(&product, &p.key, json!({ "url": URL })).await;
    let path = |what: &str| format!("/v1/webhook-endpoints/{id}/{what}");
    let made = product.call("POST", &path("secret"), None, &p.key).await.expect(201);
    let new = made["secret"].as_str().unwrap().to_owned();
    let send = async || {
        product.call("POST", &path("test"), None, &p.key).await.expect(201);
        run(&product).await;
        let got = receiver.take().remove(0);
        let now_ms = product.app.now_ms();
        (got.verifies(&old, now_ms), got.verifies(&new, now_ms))
    };
    assert_eq!(send().await, (true, true));
    product.pass(DAY);
    assert_eq!(send().await, (false, true));
    for secret in [&old, &new] {
        assert!(!product.db.checksum().contains(secret.as_str()));
        let listed = p.get(&product, "/v1/webhook-endpoints").await.to_string();
        assert!(!listed.contains(secret.as_str()));
    }
}

#[tokio::test]
async fn addresses_of_ours_and_of_private_networks_are_refused_and_looked_at_again() {
    let product = deployed();
    let p = Programme::new(&product).await;
    let receiver = Receiver::of(&product);
    product
        .db
        .execute(
            "INSERT INTO hosts (host, brand_id, state, created_at_ms) SELECT 'go.casa.example', id, 'active', 0 FROM brands",
        )
        .unwrap();
    let before = product.db.checksum();
    for url in [
        "https://127.0.0.1/",
        "http://127.0.0.1:1/",
        "https://0x7f.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/",
        "https://localhost./",
        "https://app.tributary.test/x",
        "https://app.tributary.test./x",
        "https://go.casa.example/in",
        "https://GO.casa.example/in",
        "",
    ] {
        let body = Some(json!({ "url": url }));
        let answer = product.call("POST", "/v1/webhook-endpoints", body, &p.key).await;
        assert_eq!(answer.status, 422, "{url}");
        assert!(answer.text.contains("\"url\""), "{}", answer.text);
    }
    for body in [
        json!({ "url": URL, "events": ["order.*"] }),
        json!({ "url": URL, "events": "order.created" }),
        json!({ "url": URL, "description": "x".repeat(201) }),
        json!({ "url": URL, "secret": "whsec_mine" }),
        json!({}),
    ] {
        let answer = product.call("POST", "/v1/webhook-endpoints", Some(body), &p.key).await;
        assert_eq!(answer.status, 422);
    }
    assert_eq!(product.db.checksum(), before);
    // What became a link domain, or stands there from other times, isn't sent to.
    let (id, _) = listen(&product, &p.key, json!({ "url": URL })).await;
    let test = format!("/v1/webhook-endpoints/{id}/test");
    product.call("POST", &test, None, &p.key).await.expect(201);
    receiver.take();
    for bad in ["https://go.casa.example/in", "http://10.0.0.1/in"] {
        product.db.execute(&format!("UPDATE webhook_endpoints SET url = '{bad}'")).unwrap();
        product.call("POST", &test, None, &p.key).await.expect(201);
        product.pass(20 * MINUTE);
        run(&product).await;
        assert!(receiver.take().is_empty());
        let told = log(&product, &p, &id).await;
        assert!(told.iter().any(|d| d["last_error"].to_string().contains("not sent")), "{told:?}");
    }
    for n in 0..19 {
        listen(&product, &p.key, json!({ "url": format!("{URL}/{n}") })).await;
    }
    let body = Some(json!({ "url": URL }));
    let full = product.call("POST", "/v1/webhook-endpoints", body, &p.key).await.expect(409);
    assert_eq!(full["type"], "/problems/too-many-endpoints");
}

#[tokio::test]
async fn a_payout_is_told_from_draft_to_settlement() {
    let product = deployed();
    let p = Programme::new(&product).await;
    let receiver = Receiver::of(&product);
    let all = json!([
        "payout.drafted",
        "payout.approved",
        "payout.cancelled",
        "payout.line_settled",
        "payout.line_failed"
    ]);
    let (id, _) = listen(&product, &p.key, json!({ "url": URL, "events": all })).await;
    let brand = product.db.rows("SELECT id FROM brands")[0]["id"].as_str().unwrap().to_owned();
    let run_sql = |sql: &str| product.db.execute(&sql.replace("$b", &brand)).unwrap();
    run_sql(
        "INSERT INTO payouts (brand_id, id, currency, state, revision, created_at_ms) VALUES ('$b', 'payout_x', 'JPY', 'draft', 0, 5)",
    );
    run_sql(
        "INSERT INTO payout_lines (brand_id, payout_id, id, creator_id, amount_minor, state) VALUES ('$b', 'payout_x', 'line_x', 'c', 700, 'draft')",
    );
    run_sql("UPDATE payout_lines SET state = 'in_payout'");
    run_sql("UPDATE payouts SET state = 'approved', approved_at_ms = 6");
    run_sql("UPDATE payout_lines SET state = 'failed', reason = 'anna@x.example moved'");
    run_sql("UPDATE payout_lines SET state = 'in_payout'");
    run_sql("UPDATE payout_lines SET state = 'settled', settled_at_ms = 7");
    run(&product).await;
    let got = receiver.take();
    assert_eq!(
        types(&got),
        ["payout.drafted", "payout.approved", "payout.line_failed", "payout.line_settled"]
    );
    assert_eq!(got[3].json()["data"]["amount"], json!({ "amount": "700", "currency": "JPY" }));
    assert!(!got[2].body.contains('@'));
    // Each command is in the trail.
    patch(&product, &p, &id, json!({ "description": "ERP" })).await.expect(200);
    let path = |what: &str| format!("/v1/webhook-endpoints/{id}{what}");
    product.call("POST", &path("/secret"), None, &p.key).await.expect(201);
    product.call("POST", &path("/test"), None, &p.key).await.expect(201);
    let resend = path(&format!("/deliveries/{}/resend", got[0].id));
    product.call("POST", &resend, None, &p.key).await.expect(200);
    for wrong in ["evt_x_1", &got[0].id.replace("_1", "_99"), "1", &format!("{}x", got[0].id)] {
        let path = path(&format!("/deliveries/{wrong}/resend"));
        product.call("POST", &path, None, &p.key).await.expect(404);
    }
    product.call("DELETE", &path(""), None, &p.key).await.expect(200);
    let noted: Vec<Value> = product
        .db
        .rows("SELECT action FROM audit WHERE action LIKE 'webhook%' ORDER BY id")
        .into_iter()
        .map(|row| row["action"].clone())
        .collect();
    let mut noted: Vec<String> =
        noted.iter().map(|a| a.as_str().unwrap().replace("webhook_endpoint.", "")).collect();
    noted.sort();
    assert_eq!(noted, ["create", "delete", "resend", "rotate_secret", "test", "update"]);
}
