//! Sequences and replies: what goes out by itself, and what ends it.

use super::*;

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
