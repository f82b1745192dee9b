//! Outreach: templates, messages by the creator's clock, sequences, replies, and who wants none.

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

/// A sequence of two steps, a day and two days apart, and the deal in it.
async fn enrolled(product: &Product, p: &Programme) -> Value {
    let one = template(product, p, "One", "1 {{creator.name}}").await;
    let two = template(product, p, "Two", "2 {{creator.name}}").await;
    let steps = json!([{ "template_id": one }, { "template_id": two, "delay_days": 2 }]);
    let body = json!({ "name": "S", "steps": steps });
    let made = p.post(product, "/v1/sequences", body).await.expect(201);
    let body = json!({ "sequence_id": made["id"] });
    let path = format!("/v1/deals/{}/sequences", p.deal);
    let enrolment = p.post(product, &path, body.clone()).await.expect(201);
    let told = p.post(product, &path, body).await.expect(409);
    assert!(told["type"].as_str().unwrap().ends_with("already-enrolled"), "{told}");
    for id in [one, two] {
        let path = format!("/v1/message-templates/{id}");
        let told = product.call("DELETE", &path, None, &p.key).await.expect(409);
        assert!(told["type"].as_str().unwrap().ends_with("template-in-use"), "{told}");
    }
    enrolment
}

async fn enrolment(product: &Product, p: &Programme) -> (Value, Value) {
    let found = p.get(product, &format!("/v1/deals/{}/sequences", p.deal)).await;
    (found["data"][0]["state"].clone(), found["data"][0]["reason"].clone())
}

#[tokio::test]
async fn a_sequence_sends_each_step_once() {
    let (product, p) = at_work().await;
    enrolled(&product, &p).await;
    let steps =
        || async { tokio::join!(run(&product), run(&product), jobs::run_all(&product.app)) };
    steps().await;
    run(&product).await;
    assert_eq!(product.mailer.count(), 1);
    assert!(product.mailer.last()["text"].as_str().unwrap().starts_with("1 Anna"));
    product.set_now(MONDAY + 48 * HOUR - 1);
    run(&product).await;
    assert_eq!(product.mailer.count(), 1);
    // A run that is killed when its batch is committed, before the mail: the next sends it, once.
    product.set_now(MONDAY + 48 * HOUR);
    product.mailer.fail(NotSent::Later("away".into()), 1);
    steps().await;
    product.set_now(MONDAY + 49 * HOUR);
    steps().await;
    run(&product).await;
    assert_eq!(product.mailer.count(), 2);
    assert_eq!(product.db.rows("SELECT 1 FROM messages").len(), 2);
    assert_eq!(enrolment(&product, &p).await, (json!("finished"), Value::Null));
}

#[tokio::test]
async fn a_sequence_stops() {
    for why in ["moved", "closed", "declined", "unsubscribed", "by_hand", "replied"] {
        let (product, p) = at_work().await;
        let made = enrolled(&product, &p).await;
        run(&product).await;
        let deal = format!("/v1/deals/{}", p.deal);
        match why {
            "moved" => {
                let stages = p.get(&product, &format!("/v1/campaigns/{}", p.campaign)).await;
                let body = json!({ "stage": stages["stages"][1] });
                product.call("PATCH", &deal, Some(body), &p.key).await.expect(200);
            }
            "closed" => {
                let body = json!({ "state": "closed" });
                product.call("PATCH", &deal, Some(body), &p.key).await.expect(200);
            }
            "declined" => {
                let offer = json!({ "terms": { "commission_percent": "12" } });
                p.post(&product, &format!("{deal}/offers"), offer).await.expect(201);
                product.db.execute("UPDATE offers SET state = 'declined'").unwrap();
            }
            "unsubscribed" => {
                let url = product.mailer.last()["unsubscribe"].as_str().unwrap().to_owned();
                unsubscribe(&product, "POST", &url).await;
            }
            "by_hand" => {
                let path = format!("{deal}/sequences/{}", made["id"].as_str().unwrap());
                product.call("DELETE", &path, None, &p.key).await.expect(204);
            }
            _ => {
                let to = product.mailer.last()["reply_to"].as_str().unwrap().to_owned();
                let away =
                    mail("anna@creator.example", "a@x", "Auto-Submitted: auto-replied\r\n", "away");
                assert_eq!(inbound::receive(&product.app, &to, &away).await, inbound::Taken::Kept);
                assert_eq!(
                    enrolment(&product, &p).await.0,
                    "running",
                    "a machine's answer stops nothing"
                );
                let yes = mail("anna@creator.example", "b@x", "", "yes");
                assert_eq!(inbound::receive(&product.app, &to, &yes).await, inbound::Taken::Kept);
            }
        }
        assert_eq!(enrolment(&product, &p).await, (json!("stopped"), json!(why)));
        let sent =
            product.mailer.mails.lock().unwrap().iter().filter(|m| m["subject"] == "Two").count();
        product.set_now(MONDAY + 72 * HOUR);
        run(&product).await;
        let now =
            product.mailer.mails.lock().unwrap().iter().filter(|m| m["subject"] == "Two").count();
        assert_eq!((sent, now), (0, 0), "{why}");
    }
}

#[tokio::test]
async fn a_step_that_cant_be_sent_stops_the_sequence_and_says_why() {
    let (product, p) = at_work().await;
    let path = format!("/v1/deals/{}/links", p.deal);
    let link = p.post(&product, &path, json!({})).await.expect(201);
    let id = template(&product, &p, "One", "{{deal.link}}").await;
    let body = json!({ "name": "S", "steps": [{ "template_id": id, "delay_hours": 1 }] });
    let made = p.post(&product, "/v1/sequences", body).await.expect(201);
    let path = format!("/v1/deals/{}/sequences", p.deal);
    p.post(&product, &path, json!({ "sequence_id": made["id"] })).await.expect(201);
    let path = format!("/v1/links/{}", link["id"].as_str().unwrap());
    product.call("PATCH", &path, Some(json!({ "state": "closed" })), &p.key).await.expect(200);
    product.pass(HOUR);
    run(&product).await;
    let (state, reason) = enrolment(&product, &p).await;
    assert_eq!(state, "stopped");
    assert!(reason.as_str().unwrap().contains("deal.link"), "{reason}");
    assert_eq!(product.mailer.count(), 0);
}

#[tokio::test]
async fn a_reply_stands_in_the_deal_once() {
    let (product, p) = at_work().await;
    send(&product, &p, hello()).await.expect(201);
    let to = product.mailer.last()["reply_to"].as_str().unwrap().to_owned();
    let yes =
        mail("Anna <anna@creator.example>", "1@x", "", "Yes <script>x</script>\r\n\r\n> Hi Anna");
    for taken in [inbound::Taken::Kept, inbound::Taken::Known] {
        assert_eq!(inbound::receive(&product.app, &to.to_uppercase(), &yes).await, taken);
    }
    let got = messages(&product, &p).await.remove(0);
    assert_eq!(
        (&got["direction"], &got["state"], &got["note"]),
        (&json!("in"), &json!("received"), &Value::Null)
    );
    assert_eq!(got["text"], "Yes <script>x</script>\n\n> Hi Anna");
    assert!(!product.db.checksum().contains("<script>x"), "it is sealed");
    let unread = p.get(&product, "/v1/messages?unread=true").await;
    assert_eq!(
        (&unread["data"][0]["deal_id"], &unread["data"][0]["unread"]),
        (&json!(p.deal), &json!(1))
    );
    let path = format!("/v1/deals/{}/messages/read", p.deal);
    product.call("POST", &path, None, &p.key).await.expect(204);
    assert!(
        p.get(&product, "/v1/messages?unread=true").await["data"].as_array().unwrap().is_empty()
    );

    // Somebody else who has the address: kept, and said.
    product.pass(1);
    let other = mail("eve@evil.example", "2@x", "", "me too");
    assert_eq!(inbound::receive(&product.app, &to, &other).await, inbound::Taken::Kept);
    assert!(messages(&product, &p).await[0]["note"].as_str().unwrap().contains("not from"));
    // Nobody's address, and what is no mail or too large.
    let before = product.db.checksum();
    let guess = "reply+0123456789abcdef0123456789abcdef01234567@replies.tributary.test";
    for nobodys in [guess, "anna@replies.tributary.test", "", "reply+@x"] {
        assert_eq!(inbound::receive(&product.app, nobodys, &yes).await, inbound::Taken::Unknown);
    }
    let large = vec![b'x'; 1024 * 1024 + 1];
    assert_eq!(inbound::receive(&product.app, &to, &large).await, inbound::Taken::Unreadable);
    assert_eq!(product.db.checksum(), before);
    assert!(product.log.0.lock().unwrap().iter().any(|line| line["event"] == "reply_dropped"));

    // Two machines that answer each other come to an end, and begin anew the next day.
    let mut kept = 0;
    for n in 0..60 {
        let away = mail(
            "anna@creator.example",
            &format!("{n}@y"),
            "Auto-Submitted: auto-replied\r\n",
            "away",
        );
        kept += i32::from(inbound::receive(&product.app, &to, &away).await == inbound::Taken::Kept);
    }
    assert_eq!(kept, 10);
    product.pass(24 * HOUR);
    assert_eq!(
        inbound::receive(&product.app, &to, &mail("a@x.example", "z", "", "x")).await,
        inbound::Taken::Kept
    );
    let told = p.get(&product, &format!("/v1/creators/{}/export", p.creator)).await.to_string();
    assert!(told.contains("Yes <script>") && told.contains("\"message\""), "the export tells it");
    assert!(!told.contains("sealed"));
}

#[tokio::test]
async fn templates_change_by_what_was_read() {
    let (product, p) = at_work().await;
    let id = template(&product, &p, "Hi", "x\r\ny").await;
    let path = format!("/v1/message-templates/{id}");
    let shown = p.get(&product, &path).await;
    assert_eq!(shown["text"], "x\ny");
    let patch = |body: Value| product.call("PATCH", &path, Some(body), &p.key);
    assert_eq!(patch(json!({ "text": "{{brand.name}}" })).await.expect(200)["subject"], "Hi");
    patch(json!({ "text": "{{nope}}" })).await.expect(422);
    let request = Request::builder()
        .method("PATCH")
        .uri(path.as_str())
        .header("authorization", format!("Bearer {}", p.key))
        .header("content-type", "application/json")
        .header("if-match", "\"old\"")
        .body(b"{\"name\":\"N\"}".to_vec());
    assert_eq!(product.raw(request.unwrap()).await.status, 412);
    product.call("DELETE", &path, None, &p.key).await.expect(204);
    product.call("GET", &path, None, &p.key).await.expect(404);
}

/// The commands of this file; `access.rs` makes sure that no command is forgotten. The two previews change
/// nothing and note nothing.
pub const OUTREACH_COMMANDS: [&str; 13] = [
    "post /v1/message-templates/{id}/preview",
    "post /v1/messages/preview",
    "post /v1/message-templates",
    "patch /v1/message-templates/{id}",
    "delete /v1/message-templates/{id}",
    "post /v1/deals/{id}/messages",
    "delete /v1/deals/{id}/messages/{message_id}",
    "post /v1/deals/{id}/messages/read",
    "patch /v1/outreach-settings",
    "post /v1/sequences",
    "delete /v1/sequences/{id}",
    "post /v1/deals/{id}/sequences",
    "delete /v1/deals/{id}/sequences/{enrolment_id}",
];

#[tokio::test]
async fn each_command_is_noted_once() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let rows = || product.db.rows("SELECT * FROM audit ORDER BY id");
    let run = async |method: &str, path: &str, body: Value, action: &str| {
        product.pass(1);
        let before = rows().len();
        let body = (!body.is_null()).then_some(body);
        let answer = product.call(method, path, body, &p.key).await;
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text);
        let all = rows();
        assert_eq!(all.len(), before + usize::from(!action.is_empty()), "{method} {path}");
        if !action.is_empty() {
            assert_eq!(all.last().unwrap()["action"], action, "{method} {path}");
        }
        serde_json::from_str::<Value>(&answer.text).unwrap_or_default()
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let deal = format!("/v1/deals/{}", p.deal);
    let body = json!({ "name": "T", "subject": "S", "text": "SECRETTEXT" });
    let made = run("POST", "/v1/message-templates", body, "template.create").await;
    let id = text(&made["id"]);
    let path = format!("/v1/message-templates/{id}");
    run("PATCH", &path, json!({ "name": "N" }), "template.update").await;
    run("POST", &format!("{path}/preview"), json!({ "deal_id": p.deal }), "").await;
    let body = json!({ "deal_id": p.deal, "subject": "S", "text": "T" });
    run("POST", "/v1/messages/preview", body, "").await;
    let sent = json!({ "subject": "S", "text": "PRIVATETEXT" });
    let sent = run("POST", &format!("{deal}/messages"), sent, "message.send").await;
    let message = format!("{deal}/messages/{}", text(&sent["id"]));
    run("DELETE", &message, Value::Null, "message.cancel").await;
    run("POST", &format!("{deal}/messages/read"), Value::Null, "message.read").await;
    let body = json!({ "daily_limit": 7 });
    run("PATCH", "/v1/outreach-settings", body, "outreach.settings").await;
    let body = json!({ "name": "S", "steps": [{ "template_id": id }] });
    let made = run("POST", "/v1/sequences", body, "sequence.create").await;
    let body = json!({ "sequence_id": made["id"] });
    let enrolled = run("POST", &format!("{deal}/sequences"), body, "deal.enrol").await;
    let path_of = format!("{deal}/sequences/{}", text(&enrolled["id"]));
    run("DELETE", &path_of, Value::Null, "deal.unenrol").await;
    let sequence = format!("/v1/sequences/{}", text(&made["id"]));
    run("DELETE", &sequence, Value::Null, "sequence.archive").await;
    run("DELETE", &path, Value::Null, "template.delete").await;
    assert!(!json!(rows()).to_string().contains("PRIVATETEXT"));
}

/// The last step ends its sequence though it may wait for a window: until then it is stopped as the others are.
#[tokio::test]
async fn a_last_step_that_waits_stops_too() {
    for why in ["", "moved", "closed", "declined", "replied", "by_hand"] {
        let (product, p) = at_work().await;
        let made = enrolled(&product, &p).await;
        run(&product).await;
        let to = product.mailer.last()["reply_to"].as_str().unwrap().to_owned();
        // In the evening, so that it waits until the next morning.
        product.set_now(MONDAY + 58 * HOUR);
        run(&product).await;
        assert_eq!(enrolment(&product, &p).await.0, "finished");
        assert_eq!(messages(&product, &p).await[0]["state"], "scheduled");
        let own = send(&product, &p, hello()).await.expect(201);
        let deal = format!("/v1/deals/{}", p.deal);
        match why {
            "moved" => drop(product.db.execute("UPDATE deals SET stage = 'Posted'").unwrap()),
            "closed" => drop(product.db.execute("UPDATE deals SET closed_at_ms = 5").unwrap()),
            "declined" => {
                let offer = json!({ "terms": { "commission_percent": "12" } });
                p.post(&product, &format!("{deal}/offers"), offer).await.expect(201);
                product.db.execute("UPDATE offers SET state = 'declined'").unwrap();
            }
            "by_hand" => {
                let path = format!("{deal}/sequences/{}", made["id"].as_str().unwrap());
                product.call("DELETE", &path, None, &p.key).await.expect(204);
            }
            "replied" => {
                let yes = mail("anna@creator.example", "y@x", "", "Yes");
                assert_eq!(inbound::receive(&product.app, &to, &yes).await, inbound::Taken::Kept);
            }
            _ => (),
        }
        let step = "SELECT state, reason FROM messages WHERE step = 1";
        let (state, reason) = if why.is_empty() { ("scheduled", "") } else { ("cancelled", why) };
        assert_eq!(product.db.rows(step), [json!({ "state": state, "reason": reason })], "{why}");
        // What a person wrote goes out all the same.
        product.set_now(MONDAY + 72 * HOUR);
        run(&product).await;
        let sent = product.db.rows("SELECT 1 FROM messages WHERE state = 'sent'").len();
        assert_eq!(sent, if why.is_empty() { 3 } else { 2 }, "{why}");
        let shown = format!("SELECT state FROM messages WHERE id = {}", own["id"]);
        assert_eq!(product.db.rows(&shown.replace('"', "'"))[0]["state"], "sent");
    }
}

/// Whoever saw the deal open a moment ago begins no sequence that nothing would stop.
#[tokio::test]
async fn a_deal_that_is_closed_meanwhile_begins_no_sequence() {
    let (product, p) = at_work().await;
    product.db.before("INSERT INTO enrolments", "UPDATE deals SET closed_at_ms = 5");
    let id = template(&product, &p, "Hi", "1").await;
    let body = json!({ "name": "S", "steps": [{ "template_id": id, "delay_hours": 0 }] });
    let made = p.post(&product, "/v1/sequences", body).await.expect(201);
    let path = format!("/v1/deals/{}/sequences", p.deal);
    let told = p.post(&product, &path, json!({ "sequence_id": made["id"] })).await.expect(409);
    assert_eq!(told["type"], "/problems/deal-closed");
    run(&product).await;
    assert_eq!(product.mailer.count(), 0);
}
