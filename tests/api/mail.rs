//! Mails: one per cause, sent at most once, shown with what became of them.

use http::Request;
use serde_json::{Value, json};
use tributary::app::NotSent;
use tributary::domain::ids::BrandId;
use tributary::domain::letter::Letter;
use tributary::jobs;
use tributary::storage::mails;
use tributary::web::mail::{compose, opened};

use crate::support::sqlite::{Fault, Sqlite};
use crate::support::{NOW_MS, Product, Programme};

const LETTER: Letter<'static> = Letter::MemberInvitation {
    brand: "Casa",
    role: "manager",
    link: "https://app.tributary.test/invitation#tbm_secret",
    days: 7,
};
const MINUTE: i64 = 60_000;

/// A command that causes a mail; what follows its answer is done if `after`.
async fn cause(product: &Product, brand: Option<BrandId>, cause: &str, after: bool) {
    let app = product.app.for_request();
    let put = compose(&app, brand, cause, "ada@casa.example", &LETTER).unwrap();
    app.db().run(vec![put]).await.unwrap();
    if after {
        jobs::mail::send_noted(app.clone(), app.noted_mails()).await;
    }
}

fn rows(product: &Product) -> Vec<Value> {
    product.db.rows("SELECT * FROM mails ORDER BY id")
}

/// State and error of the only mail.
#[track_caller]
fn only(product: &Product) -> (String, String) {
    let rows = rows(product);
    assert_eq!(rows.len(), 1);
    let text = |name: &str| rows[0][name].as_str().unwrap().to_owned();
    (text("state"), text("error"))
}

fn deployed() -> Product {
    Product::over(Sqlite::new(), false)
}

#[tokio::test]
async fn a_cause_has_one_mail_sent_once() {
    let product = deployed();
    for _ in 0..2 {
        cause(&product, None, "sign-in/1", true).await;
        jobs::run_due(&product.app, product.app.now_ms()).await;
    }
    assert_eq!((product.mailer.count(), rows(&product).len()), (1, 1));
    let mail = product.mailer.last();
    assert_eq!(mail["to"], "ada@casa.example");
    assert_eq!(mail["subject"], "Casa invites you to its team");
    assert!(mail["text"].as_str().unwrap().contains("#tbm_secret"));
    assert_eq!(only(&product).0, "sent");
    // Another cause is another mail; both senders at once are still one.
    let app = product.app.for_request();
    let put = compose(&app, None, "sign-in/2", "ada@casa.example", &LETTER).unwrap();
    app.db().run(vec![put]).await.unwrap();
    let names = app.noted_mails();
    let send = || jobs::mail::send_noted(app.clone(), names.clone());
    tokio::join!(send(), send(), jobs::run_all(&product.app), jobs::run_all(&product.app));
    send().await;
    assert_eq!(product.mailer.count(), 2);
    assert!(rows(&product).iter().all(|row| row["state"] == "sent"));
}

#[tokio::test]
async fn the_content_is_sealed_and_gone_once_it_was_sent() {
    let product = deployed();
    cause(&product, None, "a", false).await;
    let stored = rows(&product)[0]["content"].as_str().unwrap().to_owned();
    for plain in ["tbm_secret", "Casa", "invitation#"] {
        assert!(!product.db.checksum().contains(plain), "{plain}");
    }
    jobs::run_due(&product.app, NOW_MS).await;
    assert_eq!(only(&product).0, "sent");
    assert!(!product.db.checksum().contains(&stored));
    // One that failed needs none either.
    product.mailer.fail(NotSent::Refused("bounced".into()), 1);
    cause(&product, None, "b", true).await;
    assert!(rows(&product).iter().all(|row| row["content"].is_null()));

    // A local run keeps it for its mailbox, sealed to its own mail.
    let local = Product::new();
    local.mailer.fail(NotSent::NoService, 1);
    cause(&local, None, "a", true).await;
    assert_eq!(only(&local), ("sent".to_owned(), String::new()));
    let found = mails::recent(local.app.db(), 10).await.unwrap().remove(0);
    let content = found.content.unwrap();
    assert!(opened(&local.app, found.id, &content).unwrap().text.contains("#tbm_secret"));
    assert_eq!(opened(&local.app, local.app.new_id(), &content), None);
}

#[tokio::test]
async fn what_was_surely_not_taken_is_tried_a_few_times() {
    let product = deployed();
    product.mailer.fail(NotSent::Later("slowly".into()), 2);
    cause(&product, None, "a", true).await;
    assert_eq!(only(&product), ("waiting".to_owned(), "slowly".to_owned()));
    // Not before its time: after one minute, then after two more.
    for (pass, state) in
        [(0, "waiting"), (MINUTE, "waiting"), (MINUTE, "waiting"), (MINUTE, "sent")]
    {
        product.pass(pass);
        jobs::run_due(&product.app, product.app.now_ms()).await;
        assert_eq!(only(&product).0, state);
    }
    assert_eq!((only(&product).1.as_str(), product.mailer.count()), ("", 1));

    let product = deployed();
    product.mailer.fail(NotSent::Later("slowly".into()), 5);
    cause(&product, None, "a", true).await;
    for _ in 0..40 {
        product.pass(MINUTE);
        jobs::run_due(&product.app, product.app.now_ms()).await;
    }
    assert_eq!(only(&product), ("failed".to_owned(), "slowly".to_owned()));
    assert_eq!(product.mailer.count(), 0);

    let product = deployed();
    product.mailer.fail(NotSent::NoService, 1);
    cause(&product, None, "a", true).await;
    assert_eq!(only(&product).0, "failed");
    assert!(only(&product).1.contains("no mail service"));

    // A link that no longer works isn't sent.
    let product = deployed();
    let link = Letter::SignIn { link: "https://app.tributary.test/x", code: "1", minutes: 10 };
    let put = compose(&product.app, None, "s", "ada@casa.example", &link).unwrap();
    product.app.db().run(vec![put]).await.unwrap();
    product.pass(10 * MINUTE);
    jobs::run_due(&product.app, product.app.now_ms()).await;
    assert_eq!((only(&product).0.as_str(), product.mailer.count()), ("failed", 0));
}

#[tokio::test]
async fn what_nobody_can_know_is_never_sent_again() {
    // The mail service took it, but its answer was lost.
    let product = deployed();
    product.mailer.fail(NotSent::Unknown("no clear answer".into()), 1);
    cause(&product, None, "a", true).await;
    assert_eq!(only(&product).0, "unknown");
    assert_eq!(product.mailer.count(), 1);

    // The isolate died, or D1 went away, at each step: claiming, claimed, settling, settled.
    for (call, fault) in
        [(0, Fault::Before), (0, Fault::After), (1, Fault::Before), (1, Fault::After)]
    {
        let product = deployed();
        let app = product.app.for_request();
        let put = compose(&app, None, "a", "ada@casa.example", &LETTER).unwrap();
        app.db().run(vec![put]).await.unwrap();
        product.db.fail_call(call, fault);
        jobs::mail::send_noted(app.clone(), app.noted_mails()).await;
        product.db.fail_no_call();
        for _ in 0..15 {
            product.pass(MINUTE);
            jobs::run_due(&product.app, product.app.now_ms()).await;
        }
        let expected = match (call, fault) {
            // Nobody had claimed it, or all was stored: known.
            (0, Fault::Before) | (1, Fault::After) => ("sent", 1),
            // Claimed, never sent; sent, never stored: for the table both are the same.
            (0, Fault::After) => ("unknown", 0),
            _ => ("unknown", 1),
        };
        assert_eq!((only(&product).0.as_str(), product.mailer.count()), expected);
        assert!(expected.0 == "sent" || only(&product).1.contains("may have arrived"));
        assert!(rows(&product)[0]["content"].is_null());
    }
}

#[tokio::test]
async fn a_brand_sees_its_mails_and_what_became_of_them() {
    let product = deployed();
    let p = Programme::new(&product).await;
    let brand: BrandId = p.brand["id"].as_str().unwrap().parse().unwrap();
    product.mailer.fail(NotSent::from_service("E_RECIPIENT_SUPPRESSED no"), 1);
    cause(&product, Some(brand), "m/1", true).await;
    product.pass(1);
    cause(&product, Some(brand), "m/2", true).await;
    cause(&product, None, "sign-in/1", true).await;
    let first = p.get(&product, "/v1/mails?limit=1").await;
    assert_eq!(first["data"][0]["state"], "sent");
    assert_eq!(first["data"][0]["kind"], "member_invitation");
    assert!(first["data"][0]["error"].is_null());
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = p.get(&product, &format!("/v1/mails?cursor={cursor}")).await;
    // The one before that is the owner's invitation.
    assert_eq!(rest["data"].as_array().unwrap().len(), 2, "{rest}");
    assert_eq!(rest["data"][0]["state"], "failed");
    assert_eq!(rest["data"][0]["recipient"], "ada@casa.example");
    assert!(rest["data"][0]["error"].as_str().unwrap().starts_with("bounced"));
    assert!(!rest.to_string().contains("secret"));
    let other = Programme::new(&product).await;
    let theirs = other.get(&product, "/v1/mails").await;
    assert_eq!(theirs["data"].as_array().unwrap().len(), 1);
    assert_eq!(theirs["data"][0]["recipient"], "owner@casa.example");

    // After ninety days they are gone.
    product.pass(91 * 24 * 60 * MINUTE);
    jobs::run_all(&product.app).await;
    assert!(rows(&product).is_empty());
}

#[tokio::test]
async fn a_letter_goes_to_one_address() {
    let product = deployed();
    for bad in
        ["a@b.example,c@d.example", "a@b.example\r\nBcc: c@d.example", "", "Ada <a@b.example>"]
    {
        assert!(compose(&product.app, None, "a", bad, &LETTER).is_err(), "{bad:?}");
    }
    assert!(product.app.noted_mails().is_empty());
}

#[tokio::test]
async fn errors_of_the_mail_service_are_told_in_words() {
    let told = |text: &str| NotSent::from_service(text);
    assert_eq!(told("NO_SERVICE"), NotSent::NoService);
    assert!(matches!(told("E_RATE_LIMIT_EXCEEDED slow"), NotSent::Later(_)));
    assert!(matches!(told("E_DAILY_LIMIT_EXCEEDED enough"), NotSent::Later(_)));
    assert!(matches!(told("E_SENDER_NOT_VERIFIED x"), NotSent::Refused(_)));
    for unclear in ["E_DELIVERY_FAILED x", "E_INTERNAL_SERVER_ERROR x", " no answer in time", ""] {
        assert!(matches!(told(unclear), NotSent::Unknown(_)), "{unclear}");
    }
}

/// What Email Sending tells of a mail that it took, as its queue brings it.
fn event(kind: &str, id: &str, more: Value) -> String {
    let mut payload = json!({ "eventId": "e", "messageId": id, "recipient": "ada@casa.example" });
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "type": format!("cf.email.sending.message.{kind}"), "payload": payload }).to_string()
}

#[tokio::test]
async fn a_mail_that_comes_back_is_shown_as_bounced_where_it_matters() {
    let product = deployed();
    let p = Programme::new(&product).await;
    let invite = json!({ "email": "mia@casa.example", "role": "viewer" });
    let made = p.post(&product, "/v1/members", invite).await.expect(201);
    assert_eq!((&made["mail_state"], &made["mail_error"]), (&json!("waiting"), &Value::Null));
    let path = format!("/v1/members/{}", made["id"].as_str().unwrap());
    let shown = async || p.get(&product, &path).await;
    assert_eq!(shown().await["mail_state"], "sent");
    let id = rows(&product)[1]["service_id"].as_str().unwrap().to_owned();
    assert_eq!(id, "service-2");

    // Nothing to tell, of nobody, or not yet: the queue asks again for the last two.
    let told = async |event: &str| jobs::mail::told(&product.app, event).await;
    let before = product.db.checksum();
    for kind in ["delivered", "deferred"] {
        told(&event(kind, &id, json!({}))).await.unwrap();
    }
    told("no event").await.unwrap();
    assert!(told(&event("bounced", "service-9", json!({}))).await.is_err());
    assert_eq!(product.db.checksum(), before);

    product.pass(1000);
    let hard = json!({ "bounce": { "type": "hard", "reason": "550 5.1.1 User unknown" } });
    let bounced = event("bounced", &id, hard);
    told(&bounced).await.unwrap();
    let once = product.db.checksum();
    product.pass(1000);
    told(&bounced).await.unwrap();
    assert_eq!(product.db.checksum(), once, "told twice it is the same");
    let words = "bounced: the receiving server refused it (550 5.1.1 User unknown)";
    let member = shown().await;
    assert_eq!((&member["mail_state"], &member["mail_error"]), (&json!("bounced"), &json!(words)));
    assert_eq!(member["state"], "invited");
    let mails = p.get(&product, "/v1/mails").await;
    let of = |at: usize| (mails["data"][at]["state"].clone(), mails["data"][at]["error"].clone());
    let (hers, other) =
        if mails["data"][0]["recipient"] == "mia@casa.example" { (0, 1) } else { (1, 0) };
    assert_eq!(of(hers), (json!("bounced"), json!(words)));
    assert_eq!(of(other), (json!("sent"), Value::Null));
    // It is over: no job sends it again.
    product.pass(60 * MINUTE);
    jobs::run_all(&product.app).await;
    assert_eq!(product.mailer.count(), 2);

    // One that was called spam arrived.
    told(&event("complained", "service-1", json!({}))).await.unwrap();
    let mails = p.get(&product, "/v1/mails").await;
    assert_eq!(mails["data"][other]["state"], "sent");
    assert!(mails["data"][other]["error"].as_str().unwrap().contains("spam"));
    // D1 away: the queue keeps it.
    product.db.away(true);
    assert!(told(&bounced).await.is_err());
}

/// Made-up tokens have no share of their own: they count for the network that sends them, and so does
/// the first request with a real one.
#[tokio::test]
async fn made_up_tokens_count_for_their_network() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let from = async |address: &str, token: &str| {
        let request = Request::get("/v1/brand").header("cf-connecting-ip", address);
        let request = request.header("authorization", format!("Bearer {token}"));
        product.raw(request.body(Vec::new()).unwrap()).await.status
    };
    assert_eq!(from("203.0.113.7", &p.key).await, 200, "known here from now on");
    *product.throttle.most.lock().unwrap() = Some(30);
    let shares = product.throttle.seen.lock().unwrap().len();
    let mut answers = Vec::new();
    let calls = product.db.calls();
    for n in 0..100 {
        answers.push(from("203.0.113.7", &format!("tbk_{n:043}")).await);
    }
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 30, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 70);
    assert!(product.db.calls() - calls <= 30, "what is refused costs no lookup");
    assert_eq!(from("203.0.113.7", &p.key).await, 200, "a real one goes on, from the same place");
    let body = json!({ "name": "New", "scopes": ["read"] });
    let made = p.post(&product, "/v1/keys", body).await.expect(201);
    let new = made["api_key"].as_str().unwrap();
    assert_eq!(from("203.0.113.7", new).await, 429, "nobody knows yet that it is one");
    assert_eq!(from("198.51.100.1", new).await, 200, "another network");
    assert_eq!(from("203.0.113.7", new).await, 200);
    // Cookies too.
    let request = Request::get("/v1/brand").header("cf-connecting-ip", "203.0.113.7");
    let request = request.header("cookie", "__Host-sid=made-up");
    assert_eq!(product.raw(request.body(Vec::new()).unwrap()).await.status, 429);
    let seen = product.throttle.seen.lock().unwrap();
    assert_eq!(seen.len(), shares + 3, "two networks and a key: {seen:?}");
    for table in ["audit", "api_keys", "sessions"] {
        let rows = json!(product.db.rows(&format!("SELECT * FROM {table}"))).to_string();
        assert!(!rows.contains("203.0.113"), "an address is never stored");
    }
}

#[tokio::test]
async fn the_state_of_the_jobs_is_looked_up_every_few_seconds() {
    let product = Product::new();
    for _ in 0..3 {
        Programme::new(&product).await;
    }
    let ask = async || product.call("GET", "/v1/status", None, "").await.expect(200);
    let first = ask().await;
    let calls = product.db.calls();
    for _ in 0..50 {
        assert_eq!(ask().await, first);
    }
    assert_eq!(product.db.calls(), calls);
    product.pass(5_000);
    ask().await;
    assert!(product.db.calls() > calls);
    jobs::run_all(&product.app).await;
    assert!(!ask().await["jobs"].as_array().unwrap().is_empty(), "what just ran is told at once");
    // It counts for the network, whatever token is made up for it.
    *product.throttle.most.lock().unwrap() = Some(10);
    let from = async |n: u32| {
        let request = Request::get("/v1/status").header("cf-connecting-ip", "203.0.113.9");
        let request = request.header("authorization", format!("Bearer {n}"));
        product.raw(request.body(Vec::new()).unwrap()).await.status
    };
    let mut limited = 0;
    for n in 0..20 {
        limited += u32::from(from(n).await == 429);
    }
    assert_eq!(limited, 10);
}

/// A token has its own share, and everyone without one that of their network.
#[tokio::test]
async fn who_asks_too_much_waits() {
    let product = Product::new();
    let (a, b) = (Programme::new(&product).await, Programme::new(&product).await);
    *product.throttle.most.lock().unwrap() = Some(30);
    let mut refused = 0;
    for _ in 0..40 {
        let answer = product.call("GET", "/v1/brand", None, &a.key).await;
        if answer.status == 429 {
            refused += 1;
            assert_eq!(answer.headers["retry-after"], "10");
            assert_eq!(answer.json["type"], "/problems/too-many-requests");
        }
    }
    assert!((10..40).contains(&refused), "{refused}");
    b.get(&product, "/v1/brand").await;
    let from = async |address: &str, path: &str| {
        let request = Request::get(path).header("cf-connecting-ip", address);
        product.raw(request.body(Vec::new()).unwrap()).await.status
    };
    for _ in 0..30 {
        from("2001:db8::1", "/openapi.json").await;
    }
    assert_eq!(from("2001:db8::2", "/openapi.json").await, 429, "the same household");
    assert_eq!(from("2001:db8::2", "/healthz").await, 200);
    assert_eq!(from("2001:db8:0:1::2", "/openapi.json").await, 200);
    let seen = product.throttle.seen.lock().unwrap();
    assert!(!seen.keys().any(|key| key.contains("tbk_")), "the limiter learns no key");
}

#[tokio::test]
async fn attempts_are_counted_exactly() {
    let product = Product::new();
    let take =
        async |subject: &str| tributary::web::limits::take(&product.app, subject, 5, MINUTE).await;
    for _ in 0..5 {
        take("code/1").await.unwrap();
    }
    product.pass(1);
    let refused = tributary::web::message::Response::from(take("code/1").await.unwrap_err());
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, Some("60")));
    take("code/2").await.unwrap();
    product.pass(MINUTE);
    take("code/1").await.unwrap();
    // Where nobody can count, nobody goes on.
    *product.limits.away.lock().unwrap() = true;
    let refused = take("code/1").await.unwrap_err();
    assert_eq!(refused.status().as_u16(), 503);
}
