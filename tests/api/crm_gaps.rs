//! What the work around deals does at its edges: time that passes, several deals of one creator, repeated calls,
//! machines that answer, and who is told when something is given up.

use http::Request;
use serde_json::{Value, json};
use tributary::app::WebAnswer;
use tributary::domain::time::to_rfc3339;
use tributary::jobs::{self, inbound};

use super::automations::{DAY, HOUR, at_work, automate, id, move_to, run, runs, states};
use super::bulk::many;
use crate::support::shop::{coded, order, with};
use crate::support::{Answer, Product, Programme};

fn tag(word: &str) -> Value {
    json!([{ "do": "add_tags", "tags": [word] }])
}

fn count(product: &Product, table: &str) -> i64 {
    product.db.rows(&format!("SELECT count(*) AS n FROM {table}"))[0]["n"].as_i64().unwrap()
}

/// A post with a name that it may be repeated by.
async fn keyed(product: &Product, p: &Programme, path: &str, name: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method("POST")
        .uri(path)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", p.key))
        .header("idempotency-key", name);
    product.raw(request.body(body.to_string().into_bytes()).unwrap()).await
}

/// A payment is told of in each open deal in which it was earned, and in no other.
#[tokio::test]
async fn a_payment_is_of_the_deals_that_earned_it() {
    let (product, p) = at_work().await;
    let mut deals = vec![p.deal.clone()];
    for _ in 0..2 {
        let deal = json!({ "creator_id": p.creator, "campaign_id": p.campaign, "commission_percent": "10",
            "starts_at": "2026-01-01T00:00:00Z" });
        deals.push(id(&p.post(&product, "/v1/deals", deal).await.expect(201)));
    }
    for (n, deal) in (1..).zip(&deals) {
        let code = json!({ "code": format!("CODE{n}"), "create_in_store": false });
        p.post(&product, &format!("/v1/deals/{deal}/codes"), code).await.expect(201);
    }
    let automation = automate(&product, &p, json!({ "on": "payout_paid" }), tag("paid")).await;
    let pay = async |payout: &str| {
        product.db.execute(&format!("INSERT INTO payouts (brand_id, id, currency, state, revision, created_at_ms, approved_at_ms) SELECT brand_id, '{payout}', 'USD', 'approved', 1, {0}, {0} FROM creators LIMIT 1", product.app.now_ms())).unwrap();
        product.db.execute(&format!("INSERT INTO payout_lines (brand_id, payout_id, id, creator_id, amount_minor, state) SELECT brand_id, '{payout}', 'line{payout}', id, 5, 'in_payout' FROM creators LIMIT 1")).unwrap();
        product
            .db
            .execute(&format!(
                "UPDATE payout_lines SET state = 'settled' WHERE payout_id = '{payout}'"
            ))
            .unwrap();
        run(&product).await;
        let mut told: Vec<String> = runs(&product, &p, &automation)
            .await
            .iter()
            .filter(|run| run["cause"].as_str().unwrap().contains(&format!("line{payout}/")))
            .map(|run| run["deal_id"].as_str().unwrap().to_owned())
            .collect();
        told.sort();
        told
    };
    let earn = async |n: u64, code: &str| {
        let at = to_rfc3339(product.app.now_ms());
        let body = with(coded(order(n), code), json!({ "created_at": at, "updated_at": at }));
        assert_eq!(p.deliver(&product, &body).await, 200);
    };
    earn(1, "CODE1").await;
    earn(2, "CODE3").await;
    product.pass(31 * DAY);
    p.get(&product, "/v1/brand").await;
    assert_eq!(pay("one").await, [deals[0].clone(), deals[2].clone()]);
    // What was paid then isn't paid again.
    product.pass(DAY);
    earn(3, "CODE2").await;
    product.pass(31 * DAY);
    p.get(&product, "/v1/brand").await;
    assert_eq!(pay("two").await, [deals[1].clone()]);
    // A correction by hand is of no deal: it is told of in the latest.
    product.pass(DAY);
    assert_eq!(pay("three").await, [deals.iter().max().unwrap().clone()]);
}

/// Days without a sale begin with the brand's day on which the deal was made.
#[tokio::test]
async fn days_without_a_sale_are_the_brands() {
    let (product, p) = at_work().await;
    let zone = Some(json!({ "timezone": "Pacific/Auckland" }));
    product.call("PATCH", "/v1/brand", zone, &p.key).await.expect(200);
    // Monday at 09:00 UTC is Monday at 22:00; three hours later it is Tuesday there, and Monday in UTC.
    let automation =
        automate(&product, &p, json!({ "on": "no_sale", "days": 3 }), tag("idle")).await;
    product.pass(3 * HOUR);
    let deal = json!({ "creator_id": p.creator, "campaign_id": p.campaign });
    let deal = id(&p.post(&product, "/v1/deals", deal).await.expect(201));
    let told = async || {
        run(&product).await;
        run(&product).await;
        let all = runs(&product, &p, &automation).await;
        all.iter().filter(|run| run["deal_id"] == deal.as_str()).count()
    };
    product.pass(2 * DAY);
    assert_eq!(told().await, 0, "Thursday is the second day");
    product.pass(DAY - 2 * HOUR);
    assert_eq!(told().await, 0, "Thursday still");
    product.pass(2 * HOUR);
    assert_eq!(told().await, 1, "Friday is the third");
    product.pass(DAY);
    assert_eq!(told().await, 1);
}

/// Whoever runs the brand is told that an automation gave up: once a day, however many runs do.
#[tokio::test]
async fn what_is_given_up_is_mailed_once_a_day() {
    let (product, p) = at_work().await;
    for (n, role) in [(1, "boss"), (2, "manager"), (3, "viewer")] {
        product
            .db
            .execute(&format!(
                "INSERT INTO people VALUES ('person_{n:026}', '{role}@casa.example', 0)"
            ))
            .unwrap();
        product.db.execute(&format!("INSERT INTO members (brand_id, id, email, role, person_id, invited_at_ms, expires_at_ms, joined_at_ms) SELECT id, 'member_{n:026}', '{role}@casa.example', iif({n} = 1, 'owner', '{role}'), 'person_{n:026}', 0, 0, 0 FROM brands")).unwrap();
    }
    product.db.execute("UPDATE creators SET email = NULL, email_hash = NULL").unwrap();
    let template = json!({ "name": "T", "subject": "Hi", "text": "From {{brand.name}}" });
    let template = id(&p.post(&product, "/v1/message-templates", template).await.expect(201));
    let steps = json!([{ "do": "message", "template_id": template }]);
    let trigger = json!({ "on": "stage_entered", "stage": "Posted" });
    let automation = automate(&product, &p, trigger, steps).await;
    let told = || {
        let mails = product.mailer.mails.lock().unwrap();
        let of_it = mails.iter().filter(|m| m["subject"].as_str().unwrap().contains("automation"));
        of_it.map(|mail| mail["to"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        move_to(&product, &p, &p.deal, "Posted").await;
        move_to(&product, &p, &p.deal, "Lost").await;
    }
    for _ in 0..4 {
        product.pass(HOUR);
        run(&product).await;
    }
    assert_eq!(states(&product, &p, &automation).await, ["failed", "failed"]);
    assert_eq!(told(), ["boss@casa.example", "manager@casa.example"]);
    let mails = product.mailer.mails.lock().unwrap().clone();
    let text = mails.iter().find(|mail| mail["to"] == "boss@casa.example").unwrap()["text"].clone();
    assert!(text.as_str().unwrap().contains("no address"), "{text}");
    product.pass(DAY);
    p.get(&product, "/v1/brand").await;
    move_to(&product, &p, &p.deal, "Posted").await;
    for _ in 0..4 {
        product.pass(HOUR);
        run(&product).await;
    }
    assert_eq!(told().len(), 4, "another day");
}

/// What ended 400 days ago goes; that something ran once, or a threshold was reached, stays.
#[tokio::test]
async fn what_automations_and_bulk_actions_did_goes_after_its_time() {
    let (product, p) = at_work().await;
    let trigger = json!({ "on": "stage_entered", "stage": "Posted" });
    let many_times = automate(&product, &p, trigger.clone(), tag("a")).await;
    let once =
        json!({ "name": "Once", "trigger": trigger, "steps": tag("b"), "runs": "first_time" });
    let once = p.post(&product, "/v1/automations", once).await;
    assert!(once.status == 201, "{}", once.text);
    let once = id(&once.expect(201));
    let waits = automate(&product, &p, json!({ "on": "stage_entered", "stage": "Lost" }),
        json!([{ "do": "add_tags", "tags": ["c"] }, { "do": "wait", "days": 365 }, { "do": "wait", "days": 365 }])).await;
    move_to(&product, &p, &p.deal, "Posted").await;
    move_to(&product, &p, &p.deal, "Lost").await;
    run(&product).await;
    let action = json!({ "do": "add_tags", "tags": ["bulk"] });
    let body = json!({ "action": action, "deal_ids": [p.deal], "preview": true });
    let seen = p.post(&product, "/v1/bulk-actions", body).await.expect(200);
    let body = json!({ "action": action, "deal_ids": [p.deal], "hash": seen["hash"] });
    let job = id(&p.post(&product, "/v1/bulk-actions", body).await.expect(201));
    for _ in 0..3 {
        product.pass(HOUR);
        jobs::run_due(&product.app, product.app.now_ms()).await;
    }
    product.db.execute("INSERT INTO outreach_days SELECT id, 20000, 3 FROM brands").unwrap();
    let left = |product: &Product| {
        ["automation_runs", "automation_steps", "bulk_deals", "bulk_actions", "outreach_days"]
            .map(|table| count(product, table))
    };
    assert_eq!(left(&product), [3, 4, 1, 1, 1]);
    product.set_now(product.app.now_ms() + 399 * DAY);
    jobs::retention::sweep(&product.app).await.unwrap();
    assert_eq!(left(&product), [3, 4, 1, 1, 0], "not yet; how many went out on a day of 2024 does");
    product.pass(2 * DAY);
    jobs::retention::sweep(&product.app).await.unwrap();
    // The run that still waits keeps its steps, the one that holds for good keeps its row.
    assert_eq!(left(&product), [2, 2, 0, 1, 0]);
    let noted = product.db.rows("SELECT before FROM audit WHERE action = 'retention.sweep' AND brand_id <> '' ORDER BY at_ms DESC LIMIT 1");
    let noted: Value = noted[0]["before"].as_str().unwrap().parse().unwrap();
    assert_eq!((&noted["automation_runs"], &noted["bulk_results"]), (&json!(1), &json!(1)));
    p.get(&product, "/v1/brand").await;
    assert_eq!(states(&product, &p, &waits).await, ["running"]);
    assert!(states(&product, &p, &many_times).await.is_empty());
    let shown = p.get(&product, &format!("/v1/bulk-actions/{job}")).await;
    assert_eq!((&shown["state"], &shown["done"]), (&json!("finished"), &json!(1)));
    // The first time stays the first time.
    move_to(&product, &p, &p.deal, "Posted").await;
    run(&product).await;
    assert_eq!(states(&product, &p, &once).await, ["done"]);
    // What waits where nobody listens any more goes as well.
    product.db.execute("UPDATE automations SET state = 'disabled'").unwrap();
    product.db.execute("INSERT INTO automation_orders (brand_id, order_id, deal_id, attributed) SELECT id, 'o', 'd', 1 FROM brands").unwrap();
    jobs::retention::sweep(&product.app).await.unwrap();
    assert_eq!(count(&product, "automation_orders"), 0);
}

/// A message that is asked for again by the same name is there once, and its text nowhere else.
#[tokio::test]
async fn a_message_is_written_once_for_its_key() {
    let (product, p) = at_work().await;
    let path = format!("/v1/deals/{}/messages", p.deal);
    let body = json!({ "subject": "Hi", "text": "Once and no more" });
    let mails = product.mailer.count();
    let first = keyed(&product, &p, &path, "one", &body).await.expect(201);
    let again = keyed(&product, &p, &path, "one", &body).await.expect(201);
    assert_eq!((&first["id"], &again["text"]), (&again["id"], &json!("Once and no more")));
    assert_eq!((count(&product, "messages"), product.mailer.count()), (1, mails + 1));
    let other = json!({ "subject": "Hi", "text": "Another" });
    keyed(&product, &p, &path, "one", &other).await.expect(422);
    let stored = product.db.rows("SELECT answer FROM idempotency");
    assert!(!stored[0]["answer"].as_str().unwrap().contains("Once"), "{stored:?}");
    assert_ne!(keyed(&product, &p, &path, "two", &body).await.expect(201)["id"], first["id"]);
    // Without a name each is another.
    p.post(&product, &path, body).await.expect(201);
    assert_eq!(count(&product, "messages"), 3);
}

/// Machines that answer take no room of hers, stop nothing, and come to an end.
#[tokio::test]
async fn mails_of_machines_are_counted_apart() {
    let (product, p) = at_work().await;
    let path = format!("/v1/deals/{}/messages", p.deal);
    p.post(&product, &path, json!({ "subject": "Hi", "text": "x" })).await.expect(201);
    let to = product.mailer.last()["reply_to"].as_str().unwrap().to_owned();
    let mail = |n: i32, headers: &str| {
        format!("From: anna@creator.example\r\nSubject: Re\r\nMessage-ID: <{n}@x>\r\n{headers}\r\nhello\r\n")
            .into_bytes()
    };
    let mut kept = [0, 0];
    for n in 0..60 {
        let headers = ["Auto-Submitted: auto-replied\r\n", "Precedence: bulk\r\n"];
        let away = mail(n, headers[usize::from(n % 2 == 1)]);
        kept[0] +=
            i32::from(inbound::receive(&product.app, &to, &away).await == inbound::Taken::Kept);
    }
    for n in 100..160 {
        kept[1] += i32::from(
            inbound::receive(&product.app, &to, &mail(n, "")).await == inbound::Taken::Kept,
        );
    }
    assert_eq!(kept, [10, 50]);
    product.pass(DAY);
    assert_eq!(
        inbound::receive(&product.app, &to, &mail(200, "X-Autoreply: yes\r\n")).await,
        inbound::Taken::Kept
    );
    let counted = product.db.rows("SELECT in_count, in_automatic FROM conversations");
    assert_eq!(counted, [json!({ "in_count": 0, "in_automatic": 1 })]);
}

/// What she measures is of now or before, and can't use up what the brand may measure.
#[tokio::test]
async fn a_creators_measurements_leave_room() {
    let (product, p) = at_work().await;
    let invited =
        p.post(&product, &format!("/v1/deals/{}/invitation", p.deal), json!({})).await.expect(201);
    let token = invited["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let accepted = product
        .call("POST", "/v1/invitations/acceptance", Some(json!({ "token": token })), "")
        .await;
    let anna = accepted.expect(201)["access_token"].as_str().unwrap().to_owned();
    let post = json!({ "deal_id": p.deal, "platform": "tiktok", "url": "https://tiktok.com/@a/1",
        "published_at": "2026-10-01T10:00:00Z" });
    let post = product.call("POST", "/v1/me/posts", Some(post), &anna).await.expect(201);
    let path = format!("/v1/me/posts/{}/metrics", post["id"].as_str().unwrap());
    let at = |ms: i64| json!({ "views": 1, "measured_at": to_rfc3339(product.app.now_ms() + ms) });
    for (ahead, status) in [(HOUR, 422), (DAY, 422), (301_000, 422), (60_000, 201), (0, 201)] {
        let told = product.call("POST", &path, Some(at(ahead)), &anna).await;
        assert_eq!(told.status, status, "{ahead} {}", told.text);
    }
    for n in 1..30 {
        let told = product.call("POST", &path, Some(at(-n * HOUR)), &anna).await;
        assert_eq!(told.status, if n <= 22 { 201 } else { 429 }, "{n}");
    }
    product.db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 476) INSERT INTO post_metrics (brand_id, post_id, measured_at_ms, source, noted_at_ms, views) SELECT p.brand_id, p.id, i, 'creator', 0, 1 FROM posts p, n").unwrap();
    product.pass(2 * DAY);
    let full = product.call("POST", &path, Some(at(0)), &anna).await.expect(409);
    assert_eq!(full["type"], "/problems/measured-often");
    let brands = format!("/v1/posts/{}/metrics", post["id"].as_str().unwrap());
    p.post(&product, &brands, at(0)).await.expect(201);
}

/// What an endpoint's state is said to be after somebody else took it isn't said.
#[tokio::test]
async fn who_lost_an_endpoint_says_nothing_of_it() {
    let product = Product::over(crate::support::sqlite::Sqlite::new(), false);
    let p = Programme::new(&product).await;
    let hook = json!({ "url": "https://hooks.casa.example/" });
    let hook = id(&p.post(&product, "/v1/webhook-endpoints", hook).await.expect(201)["endpoint"]);
    product.web.answer_by(Box::new(|_| {
        Some(Ok(WebAnswer { status: 500, retry_after: String::new(), body: String::new() }))
    }));
    let stands = || product.db.rows("SELECT failures, state FROM webhook_endpoints").remove(0);
    let test = format!("/v1/webhook-endpoints/{hook}/test");
    product.call("POST", &test, None, &p.key).await.expect(201);
    jobs::run_due(&product.app, product.app.now_ms()).await;
    assert_eq!(stands()["failures"], 1);
    // It took so long that another worker has it by now.
    product.pass(HOUR);
    product.db.before(
        "UPDATE webhook_endpoints SET failures",
        "UPDATE webhook_endpoints SET due_at_ms = due_at_ms + 90000",
    );
    jobs::run_due(&product.app, product.app.now_ms()).await;
    assert_eq!(stands()["failures"], 1, "the other one says it");
    let tries = product.db.rows("SELECT tries, status FROM webhook_deliveries");
    assert_eq!(tries, [json!({ "tries": 2, "status": 500 })], "what became of the try is kept");
}

/// Mails that went to an address she had before are told to her too.
#[tokio::test]
async fn an_export_tells_mails_to_earlier_addresses() {
    let (product, p) = at_work().await;
    let path = format!("/v1/deals/{}/messages", p.deal);
    p.post(&product, &path, json!({ "subject": "Hi", "text": "x" })).await.expect(201);
    let creator = format!("/v1/creators/{}", p.creator);
    let email = Some(json!({ "email": "new@creator.example" }));
    product.call("PATCH", &creator, email, &p.key).await.expect(200);
    p.post(&product, &path, json!({ "subject": "Hi", "text": "x" })).await.expect(201);
    let told = p.get(&product, &format!("{creator}/export")).await;
    let mut to: Vec<&str> = told["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|record| record["kind"] == "mail")
        .map(|record| record["record"]["recipient"].as_str().unwrap())
        .collect();
    to.sort_unstable();
    assert_eq!(to, ["anna@creator.example", "new@creator.example"]);
}

/// A preview sees which deals have nothing for a template's fields.
#[tokio::test]
async fn a_preview_foresees_empty_fields() {
    let (product, p) = at_work().await;
    let deals = many(&product, &p, 2).await;
    p.post(&product, &format!("/v1/deals/{}/links", deals[1]), json!({})).await.expect(201);
    let template = json!({ "name": "T", "subject": "For {{creator.first_name}}", "text": "{{deal.link}} {{deal.orders}}" });
    let template = id(&p.post(&product, "/v1/message-templates", template).await.expect(201));
    let action = json!({ "do": "message", "template_id": template });
    let body = json!({ "action": action, "deal_ids": deals, "preview": true });
    let seen = p.post(&product, "/v1/bulk-actions", body).await.expect(200);
    assert_eq!((&seen["change"], &seen["refused"]), (&json!(1), &json!(2)), "{seen}");
    let shown = seen["data"].as_array().unwrap();
    assert_eq!(shown[0]["deal_id"], deals[1].as_str());
    let why = format!(
        "text needs `deal.link`, which is empty for {}",
        shown[1]["deal_id"].as_str().unwrap()
    );
    assert_eq!(shown[1]["reason"], why);
    // The job says the same.
    let body = json!({ "action": action, "deal_ids": deals, "hash": seen["hash"] });
    let job = id(&p.post(&product, "/v1/bulk-actions", body).await.expect(201));
    for _ in 0..3 {
        product.pass(HOUR);
        jobs::run_due(&product.app, product.app.now_ms()).await;
    }
    let done = p.get(&product, &format!("/v1/bulk-actions/{job}")).await;
    assert_eq!((&done["done"], &done["refused"]), (&json!(1), &json!(2)), "{done}");
}
