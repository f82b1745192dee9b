//! Outreach: templates, messages by the creator's clock, sequences, replies, and who wants none.

pub mod sequences;

use http::Request;
use serde_json::{Value, json};
use tributary::app::NotSent;
use tributary::jobs::{self, inbound};

use crate::support::sqlite::Sqlite;
use crate::support::{Answer, NOW_MS, Product, Programme};

const HOUR: i64 = 3_600_000;
/// Monday at nine in UTC, which is the brand's zone: the tests begin on the Sunday before.
const MONDAY: i64 = NOW_MS + 25 * HOUR;

/// A product at work time, with a programme.
async fn at_work() -> (Product, Programme) {
    let product = Product::over(Sqlite::new(), true);
    let p = fresh(&product).await;
    product.set_now(MONDAY);
    // The key was used at this time.
    p.get(&product, "/v1/brand").await;
    (product, p)
}

/// A programme whose owner's invitation went out.
async fn fresh(product: &Product) -> Programme {
    let p = Programme::new(product).await;
    product.mailer.mails.lock().unwrap().clear();
    p
}

async fn template(product: &Product, p: &Programme, subject: &str, text: &str) -> String {
    let body = json!({ "name": "T", "subject": subject, "text": text });
    let made = p.post(product, "/v1/message-templates", body).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

async fn send(product: &Product, p: &Programme, body: Value) -> Answer {
    p.post(product, &format!("/v1/deals/{}/messages", p.deal), body).await
}

fn hello() -> Value {
    json!({ "subject": "Hi {{creator.first_name}}", "text": "From {{brand.name}}" })
}

async fn messages(product: &Product, p: &Programme) -> Vec<Value> {
    let found = p.get(product, &format!("/v1/deals/{}/messages", p.deal)).await;
    found["data"].as_array().unwrap().clone()
}

async fn run(product: &Product) {
    jobs::run_due(&product.app, product.app.now_ms()).await;
}

/// What a mail program posts, or a person by the page: without a cookie, without an origin.
async fn unsubscribe(product: &Product, method: &str, url: &str) -> Answer {
    let path = url.strip_prefix("https://app.tributary.test").unwrap();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(b"List-Unsubscribe=One-Click".to_vec())
        .unwrap();
    product.raw(request).await
}

fn mail(from: &str, id: &str, headers: &str, text: &str) -> Vec<u8> {
    format!("From: {from}\r\nSubject: Re: Hi\r\nMessage-ID: <{id}>\r\n{headers}\r\n{text}\r\n")
        .into()
}

#[tokio::test]
async fn a_template_is_filled_in_sent_and_stands_in_the_deal() {
    let (product, p) = at_work().await;
    let deal = format!("/v1/deals/{}", p.deal);
    let link = p.post(&product, &format!("{deal}/links"), json!({})).await.expect(201);
    let code = json!({ "code": "ANNA{{7*7}}", "create_in_store": false });
    let code = if p.post(&product, &format!("{deal}/codes"), code).await.status == 201 {
        "ANNA{{7*7}}"
    } else {
        let code = json!({ "code": "ANNA", "create_in_store": false });
        p.post(&product, &format!("{deal}/codes"), code).await.expect(201);
        "ANNA"
    };
    let text = "{{deal.commission_percent}} % by {{deal.link}} and {{deal.code}}: {{deal.orders}}, {{deal.revenue}}, {{deal.commission}}";
    let id = template(&product, &p, "{{campaign.name}} with {{brand.name}}", text).await;
    let url = link["url"].as_str().unwrap();
    let expected = format!("10 % by {url} and {code}: 0, 0.00 USD, 0.00 USD");
    let path = format!("/v1/message-templates/{id}/preview");
    let shown = p.post(&product, &path, json!({ "deal_id": p.deal })).await.expect(200);
    assert_eq!(shown, json!({ "subject": "Autumn with Casa", "text": expected }));
    assert_eq!(product.mailer.count(), 0);

    let sent = send(&product, &p, json!({ "template_id": id })).await.expect(201);
    assert_eq!(
        (&sent["subject"], &sent["text"], &sent["template_id"]),
        (&shown["subject"], &shown["text"], &json!(id))
    );
    assert_eq!(product.mailer.count(), 1, "it went out after the answer");
    let mail = product.mailer.last();
    assert_eq!((&mail["to"], &mail["sender"]), (&json!("anna@creator.example"), &json!("Casa")));
    assert!(mail["text"].as_str().unwrap().starts_with(&expected));
    let unsubscribe = mail["unsubscribe"].as_str().unwrap();
    assert!(mail["text"].as_str().unwrap().contains(unsubscribe));
    assert!(mail["html"].as_str().unwrap().contains(unsubscribe));
    let reply = mail["reply_to"].as_str().unwrap();
    assert!(reply.starts_with("reply+") && reply.ends_with("@replies.tributary.test"), "{reply}");
    let listed = messages(&product, &p).await;
    assert_eq!((listed.len(), &listed[0]["state"]), (1, &json!("sent")));
    let contact = product.db.rows("SELECT contacted_at_ms FROM deals");
    assert_eq!(contact[0]["contacted_at_ms"], product.app.now_ms());
    // Nothing of it can be read in the database.
    for plain in ["Autumn with", "ANNA: 0", reply] {
        assert!(!product.db.checksum().contains(plain), "{plain}");
    }
    // It bounced: the message says so.
    product.db.execute("UPDATE mails SET bounced_at_ms = 5").unwrap();
    assert_eq!(messages(&product, &p).await[0]["state"], "bounced");
}

#[tokio::test]
async fn unknown_fields_are_refused_when_saved_and_empty_ones_before_sending() {
    let (product, p) = at_work().await;
    let before = product.db.checksum();
    for (subject, text, named) in [
        ("{{deal.lnk}}", "x", "deal.lnk"),
        ("x", "{{7*7}}", "7*7"),
        ("x", "{{deal.link", "{{"),
        ("x", "{{}}", "``"),
    ] {
        let body = json!({ "name": "T", "subject": subject, "text": text });
        let told = p.post(&product, "/v1/message-templates", body).await.expect(422);
        assert!(told["errors"][0]["reason"].as_str().unwrap().contains(named), "{told}");
        let body = json!({ "subject": subject, "text": text });
        send(&product, &p, body).await.expect(422);
    }
    for (subject, text) in [
        ("a\r\nBcc: x@evil.example", "x"),
        ("a\nb", "x"),
        (&*"x".repeat(201), "x"),
        ("", "x"),
        ("x", ""),
        ("x", &"x".repeat(20_001)),
        ("x", "a\u{0}b"),
        ("x", "a\u{1b}b"),
    ] {
        send(&product, &p, json!({ "subject": subject, "text": text })).await.expect(422);
        let body = json!({ "name": "T", "subject": subject, "text": text });
        p.post(&product, "/v1/message-templates", body).await.expect(422);
    }
    assert_eq!(product.db.checksum(), before, "nothing was changed");
    let id = template(&product, &p, "Hi", "{{deal.link}} {{deal.code}} {{deal.stage}}").await;
    let told = send(&product, &p, json!({ "template_id": id })).await.expect(422).to_string();
    assert!(told.contains("deal.link") && told.contains("deal.code"), "{told}");
    assert!(told.contains(&p.deal) && !told.contains("deal.stage"), "{told}");
    assert!(messages(&product, &p).await.is_empty() && product.mailer.count() == 0);
    for body in [
        json!({}),
        json!({ "template_id": id, "text": "x" }),
        json!({ "template_id": "template_x" }),
        json!({ "subject": "x", "text": "y", "to": "all@evil.example" }),
    ] {
        send(&product, &p, body).await.expect(422);
    }
}

#[tokio::test]
async fn what_people_wrote_stays_text() {
    let (product, p) = at_work().await;
    let evil = "<script>alert(1)</script>\"><img src=x onerror=y> javascript:x {{brand.name}}";
    product
        .db
        .execute("UPDATE creators SET name = '<script>x</script> {{brand.name}}', handle = '\"><img src=x>'")
        .unwrap();
    let text = format!(
        "{} {{{{creator.name}}}} {{{{creator.handle}}}}",
        evil.replace("{{brand.name}}", "")
    );
    let body = json!({ "subject": "<script>{{creator.name}}", "text": text });
    let sent = send(&product, &p, body).await.expect(201);
    assert!(sent["text"].as_str().unwrap().contains("{{brand.name}}"), "values aren't read again");
    let mail = product.mailer.last();
    let html = mail["html"].as_str().unwrap();
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    assert_eq!(html.matches("<a ").count(), 1);
}

#[tokio::test]
async fn there_is_exactly_one_recipient() {
    for (address, sends) in [
        ("a@b.example,c@d.example", false),
        ("a@b.example\r\nBcc: c@d.example", false),
        ("\u{e4}nna@creator.example", false),
        (&*format!("{}@b.example", "x".repeat(300)), false),
        ("a@b.example", true),
    ] {
        let (product, p) = at_work().await;
        let sql = format!("UPDATE creators SET email = '{address}'");
        product.db.execute(&sql).unwrap();
        let told = send(&product, &p, hello()).await;
        assert_eq!(told.status == 201, sends, "{address:?} {}", told.text);
        assert_eq!(product.mailer.count(), usize::from(sends), "{address:?}");
        if !sends {
            assert!(told.text.contains("no-address"), "{}", told.text);
        }
    }
}

#[tokio::test]
async fn a_message_waits_for_her_day_and_can_be_cancelled_until_then() {
    let product = Product::new();
    let p = fresh(&product).await;
    let sent = send(&product, &p, hello()).await.expect(201);
    assert_eq!(
        (&sent["state"], &sent["due_at"]),
        (&json!("scheduled"), &json!("2026-11-23T09:00:00.000Z"))
    );
    product.pass(1);
    let other = send(&product, &p, hello()).await.expect(201);
    for pass in [0, HOUR, 24 * HOUR - 1] {
        product.set_now(NOW_MS + pass);
        run(&product).await;
        assert_eq!(product.mailer.count(), 0);
    }
    let path = |id: &Value| format!("/v1/deals/{}/messages/{}", p.deal, id.as_str().unwrap());
    product.call("DELETE", &path(&other["id"]), None, &p.key).await.expect(204);
    product.set_now(MONDAY);
    // Two runs at once send one.
    tokio::join!(run(&product), run(&product), jobs::run_all(&product.app));
    run(&product).await;
    assert_eq!(product.mailer.count(), 1);
    let told = product.call("DELETE", &path(&sent["id"]), None, &p.key).await.expect(409);
    assert!(told["type"].as_str().unwrap().ends_with("not-scheduled"), "{told}");
    let states: Vec<Value> =
        messages(&product, &p).await.iter().map(|m| m["state"].clone()).collect();
    assert_eq!(states, [json!("cancelled"), json!("sent")]);

    // Where she lives counts, not where the brand is.
    let product = Product::new();
    let p = fresh(&product).await;
    product.db.execute("UPDATE creators SET country = 'JP'").unwrap();
    let waits = send(&product, &p, hello()).await.expect(201);
    assert_eq!(waits["due_at"], "2026-11-23T00:00:00.000Z");

    // A clock that jumps past the window: the job waits for the next one.
    let product = Product::new();
    let p = fresh(&product).await;
    send(&product, &p, hello()).await.expect(201);
    product.set_now(MONDAY + 10 * HOUR);
    run(&product).await;
    assert_eq!(product.mailer.count(), 0);
    assert_eq!(messages(&product, &p).await[0]["due_at"], "2026-11-24T09:00:00.000Z");
}

#[tokio::test]
async fn a_brand_sends_so_many_in_a_day() {
    let (product, p) = at_work().await;
    let set = |body: Value| product.call("PATCH", "/v1/outreach-settings", Some(body), &p.key);
    let shown = set(json!({ "daily_limit": 2, "days": ["monday", "tuesday"], "to": "24:00" }))
        .await
        .expect(200);
    assert_eq!(
        shown,
        json!({ "daily_limit": 2, "days": ["monday", "tuesday"], "from": "09:00", "to": "24:00" })
    );
    for bad in [
        json!({ "daily_limit": -1 }),
        json!({ "daily_limit": 10_001 }),
        json!({ "days": [] }),
        json!({ "days": ["someday"] }),
        json!({ "from": "25:00" }),
        json!({ "from": "9:00" }),
        json!({ "from": "24:00" }),
        json!({ "to": "08:00" }),
        json!({ "to": "00:0a" }),
    ] {
        set(bad).await.expect(422);
    }
    let mut states = Vec::new();
    for _ in 0..4 {
        product.pass(1);
        states.push(send(&product, &p, hello()).await.expect(201)["state"].clone());
    }
    assert_eq!(
        states,
        [json!("waiting"), json!("waiting"), json!("scheduled"), json!("scheduled")]
    );
    assert_eq!(product.mailer.count(), 2);
    let waits = messages(&product, &p).await.remove(0);
    assert_eq!(
        (&waits["due_at"], &waits["reason"]),
        (&json!("2026-11-24T09:00:00.000Z"), &json!("daily_limit"))
    );
    product.set_now(MONDAY + 24 * HOUR);
    run(&product).await;
    assert_eq!(product.mailer.count(), 4);
}

#[tokio::test]
async fn unsubscribing_holds_for_ever_and_looking_does_nothing() {
    let (product, p) = at_work().await;
    send(&product, &p, hello()).await.expect(201);
    let url = product.mailer.last()["unsubscribe"].as_str().unwrap().to_owned();
    for method in ["GET", "HEAD"] {
        for _ in 0..3 {
            assert_eq!(unsubscribe(&product, method, &url).await.status, 200);
        }
    }
    let asked = unsubscribe(&product, "GET", &url).await;
    assert!(asked.text.contains("<form method=\"post\">") && asked.text.contains("Casa"));
    send(&product, &p, hello()).await.expect(201);
    assert_eq!(product.mailer.count(), 2);
    // Altered or made up: nothing is there.
    let before = product.db.checksum();
    let cut = url.get(..url.len() - 1).unwrap();
    for bad in [cut, &format!("{url}x"), "https://app.tributary.test/unsubscribe/x.y.z"] {
        assert_eq!(unsubscribe(&product, "POST", bad).await.status, 404, "{bad}");
    }
    assert_eq!(product.db.checksum(), before);
    // What waits is cancelled with it.
    product.set_now(MONDAY + 12 * HOUR);
    send(&product, &p, hello()).await.expect(201);
    for _ in 0..2 {
        let done = unsubscribe(&product, "POST", &url).await;
        assert_eq!(done.status, 200);
        assert!(done.text.contains("No more messages"));
    }
    let trail = "SELECT id FROM audit WHERE action = 'address.unsubscribe'";
    assert_eq!(product.db.rows(trail).len(), 1);
    let waited = messages(&product, &p).await.remove(0);
    assert_eq!(
        (&waited["state"], &waited["reason"]),
        (&json!("cancelled"), &json!("unsubscribed"))
    );
    let told = send(&product, &p, hello()).await.expect(409);
    assert!(told["type"].as_str().unwrap().ends_with("unsubscribed"), "{told}");
    for sql in ["DELETE FROM unsubscribes", "UPDATE unsubscribes SET at_ms = 1"] {
        assert!(product.db.execute(sql).is_err(), "{sql}");
    }
    // She is erased, and comes back by the same address: it holds.
    let erase = format!("/v1/creators/{}/erasure", p.creator);
    p.post(&product, &erase, json!({ "confirm": "@anna.home" })).await.expect(200);
    for table in ["messages", "conversations", "enrolments"] {
        assert!(product.db.rows(&format!("SELECT 1 FROM {table}")).is_empty(), "{table}");
    }
    let again = json!({ "name": "Anna", "handle": "anna", "email": " ANNA@creator.example" });
    let again = p.post(&product, "/v1/creators", again).await.expect(201);
    let deal = json!({ "creator_id": again["id"], "campaign_id": p.campaign });
    let deal = p.post(&product, "/v1/deals", deal).await.expect(201);
    let path = format!("/v1/deals/{}/messages", deal["id"].as_str().unwrap());
    let told = p.post(&product, &path, hello()).await.expect(409);
    assert!(told["type"].as_str().unwrap().ends_with("unsubscribed"), "{told}");
}
