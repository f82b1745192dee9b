//! Automations: every trigger and every step, conditions, what is refused, and what is shown of runs.

use serde_json::{Value, json};
use tributary::jobs;

use crate::support::shop::{coded, order};
use crate::support::sqlite::Sqlite;
use crate::support::{NOW_MS, Product, Programme};

/// Tried here, with the trail that they leave.
pub const AUTOMATION_COMMANDS: [&str; 6] = [
    "post /v1/automations",
    "patch /v1/automations/{id}",
    "delete /v1/automations/{id}",
    "post /v1/automations/templates",
    "post /v1/automation-runs/{id}/retry",
    "post /v1/automations/{id}/try",
];

pub const HOUR: i64 = 3_600_000;
pub const DAY: i64 = 24 * HOUR;
/// Monday at nine in UTC, which is the brand's zone: messages go out.
const MONDAY: i64 = NOW_MS + 25 * HOUR;

/// A product at work time, with a programme.
pub async fn at_work() -> (Product, Programme) {
    let product = Product::over(Sqlite::new(), true);
    let p = Programme::new(&product).await;
    product.set_now(MONDAY);
    p.get(&product, "/v1/brand").await;
    (product, p)
}

pub async fn run(product: &Product) {
    jobs::automations::look_all(&product.app).await.unwrap();
    jobs::automations::run_due(&product.app).await.unwrap();
}

pub fn id(json: &Value) -> String {
    json["id"].as_str().unwrap().to_owned()
}

/// An automation with these steps.
pub async fn automate(product: &Product, p: &Programme, trigger: Value, steps: Value) -> String {
    let body = json!({ "name": "A", "trigger": trigger, "steps": steps });
    id(&p.post(product, "/v1/automations", body).await.expect(201))
}

pub async fn move_to(product: &Product, p: &Programme, deal: &str, stage: &str) {
    let path = format!("/v1/deals/{deal}/move");
    p.post(product, &path, json!({ "stage": stage })).await.expect(200);
}

pub async fn runs(product: &Product, p: &Programme, automation: &str) -> Vec<Value> {
    let found = p.get(product, &format!("/v1/automations/{automation}/runs")).await;
    found["data"].as_array().unwrap().clone()
}

/// States of an automation's runs, the first one first.
pub async fn states(product: &Product, p: &Programme, automation: &str) -> Vec<String> {
    let mut all = runs(product, p, automation).await;
    all.reverse();
    all.iter().map(|run| run["state"].as_str().unwrap().to_owned()).collect()
}

pub async fn steps_of(product: &Product, p: &Programme, run: &Value) -> Vec<Value> {
    let shown = p.get(product, &format!("/v1/automation-runs/{}", id(run))).await;
    shown["steps"].as_array().unwrap().clone()
}

async fn group(product: &Product, p: &Programme) -> String {
    let ten = json!({ "kind": "percentage", "percent": "10" });
    let body = json!({ "name": "Ten", "discount": ten, "mode": "one_discount" });
    id(&p.post(product, "/v1/affiliate-groups", body).await.expect(201))
}

fn tag(word: &str) -> Value {
    json!([{ "do": "add_tags", "tags": [word] }])
}

#[tokio::test]
async fn the_named_template_works_out_of_the_box() {
    let (product, p) = at_work().await;
    let ready = p.get(&product, "/v1/automations/templates").await;
    let names: Vec<&str> =
        ready["data"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["awaiting_post", "first_sale", "no_sale"]);
    let group = group(&product, &p).await;
    let body = json!({ "template": "awaiting_post", "affiliate_group_id": group });
    let made = p.post(&product, "/v1/automations/templates", body.clone()).await.expect(201);
    assert_eq!(made["runs"], "first_time");
    product.mailer.mails.lock().unwrap().clear();
    move_to(&product, &p, &p.deal, "Awaiting Post").await;
    let deal = format!("/v1/deals/{}", p.deal);
    let seen = p.get(&product, &deal).await;
    let (link, code) = (seen["links"][0]["url"].as_str().unwrap(), &seen["codes"][0]);
    assert_eq!(code["state"], "creating");
    // The message waits until the shop has the code.
    let [run_now] = &*runs(&product, &p, &id(&made)).await else { panic!("one run") };
    assert_eq!((&run_now["state"], &run_now["step"]), (&json!("running"), &json!(2)));
    let steps = steps_of(&product, &p, run_now).await;
    let told: Vec<_> = steps.iter().map(|s| (&s["do"], s["state"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [
            (&json!("create_link"), "done"),
            (&json!("assign_code"), "done"),
            (&json!("message"), "trying")
        ]
    );
    assert_eq!(steps[1]["told"]["code"], code["code"]);
    product.pass(60_000);
    run(&product).await;
    assert_eq!(product.mailer.count(), 0);
    product
        .db
        .execute(
            "UPDATE codes SET state = 'active', counts = 1, pending = 0 WHERE state = 'creating'",
        )
        .unwrap();
    product.pass(60_000);
    run(&product).await;
    assert_eq!(product.mailer.count(), 1);
    let mail = product.mailer.last();
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains(link) && text.contains(code["code"].as_str().unwrap()), "{text}");
    assert_eq!(states(&product, &p, &id(&made)).await, ["done"]);
    // Moved there again: the first time was enough.
    move_to(&product, &p, &p.deal, "Lost").await;
    move_to(&product, &p, &p.deal, "Awaiting Post").await;
    run(&product).await;
    assert_eq!((states(&product, &p, &id(&made)).await.len(), product.mailer.count()), (1, 1));
    // What the deal shows of it, and what is refused.
    let of_deal = p.get(&product, &format!("{deal}/automation-runs?state=done")).await;
    assert_eq!(of_deal["data"][0]["id"], run_now["id"]);
    p.post(&product, "/v1/automations/templates", body).await.expect(201);
    let messages = p.get(&product, "/v1/message-templates").await;
    assert_eq!(messages["data"].as_array().unwrap().len(), 1, "its message is there once");
    for body in [
        json!({ "template": "awaiting_post" }),
        json!({ "template": "x" }),
        json!({ "template": "no_sale", "affiliate_group_id": group }),
        json!({ "template": "awaiting_post", "affiliate_group_id": p.deal }),
    ] {
        p.post(&product, "/v1/automations/templates", body).await.expect(422);
    }
}

/// What happens once is what begins one run; what is told again begins none.
#[tokio::test]
async fn every_trigger_begins_one_run_for_one_cause() {
    let (product, p) = at_work().await;
    let deal = format!("/v1/deals/{}", p.deal);
    let tiers = json!({ "metric": "orders", "period": "all", "levels": [
        { "name": "Gold", "threshold": "2", "commission_percent": "30" }] });
    let tiers = id(&p.post(&product, "/v1/tiers", tiers).await.expect(201));
    let mut all = Vec::new();
    for trigger in [
        json!({ "on": "stage_entered", "stage": "Posted" }),
        json!({ "on": "stage_left", "stage": "Outreach", "campaign_id": p.campaign }),
        json!({ "on": "deal_created" }),
        json!({ "on": "invited" }),
        json!({ "on": "accepted" }),
        json!({ "on": "order_attributed" }),
        json!({ "on": "threshold_reached", "metric": "orders", "at_least": "2" }),
        json!({ "on": "threshold_reached", "metric": "revenue", "at_least": "250.00" }),
        json!({ "on": "threshold_reached", "metric": "commission", "at_least": "10.00" }),
        json!({ "on": "tier_reached", "tiers_id": tiers, "level": "Gold" }),
        json!({ "on": "payout_paid" }),
        json!({ "on": "no_sale", "days": 3 }),
        json!({ "on": "follow_up_overdue" }),
        json!({ "on": "post_published" }),
        json!({ "on": "date", "date": "2026-11-25" }),
    ] {
        let word = trigger["on"].as_str().unwrap().to_owned();
        all.push((word.clone(), automate(&product, &p, trigger, tag(&word)).await));
    }
    let at = |n: usize| &*all[n].1;
    let count = async |n: usize| runs(&product, &p, at(n)).await.len();

    move_to(&product, &p, &p.deal, "Posted").await;
    move_to(&product, &p, &p.deal, "Posted").await;
    assert_eq!((count(0).await, count(1).await), (1, 1));
    let other = json!({ "creator_id": p.creator, "campaign_id": p.campaign, "stage": "Posted" });
    p.post(&product, "/v1/deals", other).await.expect(201);
    assert_eq!((count(0).await, count(2).await), (2, 1), "who begins there came there");

    let invited = p.post(&product, &format!("{deal}/invitation"), json!({})).await.expect(201);
    assert_eq!(count(3).await, 1);
    let token = invited["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let accept = json!({ "token": token });
    product.call("POST", "/v1/invitations/acceptance", Some(accept), "").await.expect(201);
    run(&product).await;
    assert_eq!(count(4).await, 1);

    let code = json!({ "code": "ANNA", "create_in_store": false });
    p.post(&product, &format!("{deal}/codes"), code).await.expect(201);
    for n in [1, 1, 2] {
        assert_eq!(p.deliver(&product, &coded(order(n), "ANNA")).await, 200);
    }
    run(&product).await;
    let orders = p.get(&product, "/v1/orders").await;
    let sums = p.get(&product, &format!("{deal}/performance")).await;
    assert_eq!(orders["data"].as_array().unwrap().len(), 2);
    assert_eq!((count(5).await, count(6).await), (2, 1), "{sums}");
    let revenue: f64 = sums["revenue"][0]["amount"].as_str().unwrap().parse().unwrap();
    assert_eq!(count(7).await, usize::from(revenue >= 250.0), "{sums}");
    assert_eq!(count(8).await, 1, "{sums}");
    jobs::tiers::climb_all(&product.app).await.unwrap();
    run(&product).await;
    assert_eq!(count(9).await, 1);

    // One payment, settled: of her two deals the later one, which isn't closed.
    product.db.execute("INSERT INTO payout_lines (brand_id, payout_id, id, creator_id, amount_minor, state) SELECT brand_id, 'p', 'line', id, 5, 'in_payout' FROM creators LIMIT 1").unwrap();
    product.db.execute("UPDATE payout_lines SET state = 'settled'").unwrap();
    run(&product).await;
    let [paid] = &*runs(&product, &p, at(10)).await else { panic!("one for the creator") };
    assert_ne!(paid["deal_id"], p.deal.as_str());

    let post = json!({ "platform": "instagram", "url": "https://www.instagram.com/p/Cabc/",
        "published_at": "2026-11-22T10:00:00Z" });
    p.post(&product, &format!("{deal}/posts"), post).await.expect(201);
    assert_eq!(count(13).await, 1);
    let todo = json!({ "text": "Call", "due_on": "2026-11-23" });
    p.post(&product, &format!("{deal}/follow-ups"), todo).await.expect(201);
    run(&product).await;
    assert_eq!((count(12).await, count(11).await, count(14).await), (0, 0, 0));
    for _ in 0..3 {
        product.pass(DAY);
        run(&product).await;
        run(&product).await;
    }
    // The deal that sold nothing, and the one whose last order is of the 22nd.
    assert_eq!((count(12).await, count(14).await), (1, 2));
    assert!(count(11).await >= 1);
    for (word, automation) in &all {
        for run in runs(&product, &p, automation).await {
            assert_eq!(run["state"], "done", "{word}: {run}");
            assert!(run["cause"].as_str().unwrap().starts_with(word.as_str()), "{run}");
        }
    }
    let tags = p.get(&product, &deal).await["tags"].to_string();
    for word in ["stage_left", "accepted", "order_attributed", "tier_reached", "post_published"] {
        assert!(tags.contains(word), "{word}: {tags}");
    }
}

#[tokio::test]
async fn every_step_is_done_in_order_once() {
    let (product, p) = at_work().await;
    let group = group(&product, &p).await;
    let template = json!({ "name": "T", "subject": "Hi", "text": "From {{brand.name}}" });
    let template = id(&p.post(&product, "/v1/message-templates", template).await.expect(201));
    let owner = product.db.rows("SELECT id FROM members")[0]["id"].clone();
    let hook = json!({ "url": "https://hooks.casa.example/", "events": ["automation.step"] });
    let hook = p.post(&product, "/v1/webhook-endpoints", hook).await.expect(201);
    let steps = json!([
        { "do": "create_link" },
        { "do": "assign_code", "affiliate_group_id": group },
        { "do": "new_terms", "terms": { "commission_percent": "15" } },
        { "do": "add_tags", "tags": ["vip", "old"] },
        { "do": "remove_tags", "tags": ["old"] },
        { "do": "move", "stage": "Ambassador" },
        { "do": "assign", "owner_id": owner },
        { "do": "follow_up", "text": "Call", "due_in_days": 2 },
        { "do": "fee", "amount": { "amount": "5.00", "currency": "USD" } },
        { "do": "invite" },
        { "do": "webhook", "label": "half way" },
        { "do": "wait", "days": 1, "hours": 2 },
        { "do": "message", "template_id": template },
    ]);
    let trigger = json!({ "on": "stage_entered", "stage": "Posted", "campaign_id": p.campaign });
    let automation = automate(&product, &p, trigger, steps.clone()).await;
    move_to(&product, &p, &p.deal, "Posted").await;
    let [first] = &*runs(&product, &p, &automation).await else { panic!("one run") };
    assert_eq!((&first["state"], &first["step"]), (&json!("running"), &json!(12)));
    let resumes = first["next_at"].as_str().unwrap();
    assert_eq!(resumes, "2026-11-24T11:00:00.000Z");
    let deal = p.get(&product, &format!("/v1/deals/{}", p.deal)).await;
    assert_eq!(deal["stage"], "Ambassador");
    assert_eq!((&deal["tags"], &deal["owner_id"]), (&json!(["vip"]), &owner));
    assert_eq!(deal["terms"]["commission_percent"], "15");
    assert_eq!(
        (deal["links"].as_array().unwrap().len(), deal["codes"].as_array().unwrap().len()),
        (1, 1)
    );
    let available = p.balance(&product, &p.creator, "USD").await["available"].clone();
    assert_eq!(available, "5.00");
    let one = |sql: &str| product.db.rows(sql)[0]["n"].as_i64().unwrap();
    assert_eq!(one("SELECT count(*) AS n FROM follow_ups"), 1);
    assert_eq!(one("SELECT count(*) AS n FROM invitations"), 1);
    let told = product.db.rows("SELECT data FROM webhook_events WHERE type = 'automation.step'");
    assert_eq!(told.len(), 1);
    let told: Value = told[0]["data"].as_str().unwrap().parse().unwrap();
    assert_eq!((&told["label"], &told["deal_id"]), (&json!("half way"), &json!(p.deal)));
    assert_eq!((&told["run_id"], &told["stage"]), (&first["id"], &json!("Ambassador")));
    // The pause isn't over a second before its end, whatever the clock does meanwhile.
    for ms in [DAY, -3 * DAY, DAY + 2 * HOUR - 1000] {
        product.set_now(MONDAY + ms);
        run(&product).await;
        assert_eq!(one("SELECT count(*) AS n FROM messages"), 0, "{ms}");
    }
    product.set_now(MONDAY + DAY + 2 * HOUR - 1);
    run(&product).await;
    assert_eq!(one("SELECT count(*) AS n FROM messages"), 0);
    product.db.execute("UPDATE codes SET state = 'active', counts = 1, pending = 0").unwrap();
    product.pass(1);
    run(&product).await;
    run(&product).await;
    assert_eq!(one("SELECT count(*) AS n FROM messages"), 1);
    assert_eq!(states(&product, &p, &automation).await, ["done"]);
    for step in steps_of(&product, &p, first).await {
        assert!(["done", "waiting"].contains(&step["state"].as_str().unwrap()), "{step}");
    }
    // Who did it: the trail names the run.
    let trail = product
        .db
        .rows("SELECT actor_id, request_id FROM audit WHERE action = 'deal.move' ORDER BY id");
    let last = trail.last().unwrap();
    assert_eq!((&last["actor_id"], &last["request_id"]), (&json!("automations"), &first["id"]));
    // Nobody listens any more: the step is tried again, then given up and shown.
    let hook = format!("/v1/webhook-endpoints/{}", hook["endpoint"]["id"].as_str().unwrap());
    product.call("DELETE", &hook, None, &p.key).await;
    let trigger = json!({ "on": "stage_entered", "stage": "Lost" });
    let steps = json!([{ "do": "webhook" }]);
    let deaf = automate(&product, &p, trigger, steps).await;
    move_to(&product, &p, &p.deal, "Lost").await;
    assert_eq!(states(&product, &p, &deaf).await, ["running"]);
    for _ in 0..3 {
        product.pass(HOUR);
        run(&product).await;
    }
    let [failed] = &*runs(&product, &p, &deaf).await else { panic!("one run") };
    assert_eq!((&failed["state"], &failed["tries"]), (&json!("failed"), &json!(3)));
    assert!(failed["reason"].as_str().unwrap().contains("listens"), "{failed}");
}

#[tokio::test]
async fn a_failed_step_is_shown_and_may_be_tried_again() {
    let (product, p) = at_work().await;
    product.db.execute("UPDATE creators SET email = NULL, email_hash = NULL").unwrap();
    let template = json!({ "name": "T", "subject": "Hi", "text": "From {{brand.name}}" });
    let template = id(&p.post(&product, "/v1/message-templates", template).await.expect(201));
    let steps = json!([{ "do": "add_tags", "tags": ["a"] },
        { "do": "message", "template_id": template }, { "do": "add_tags", "tags": ["b"] }]);
    let trigger = json!({ "on": "stage_entered", "stage": "Posted" });
    let automation = automate(&product, &p, trigger, steps).await;
    move_to(&product, &p, &p.deal, "Posted").await;
    for _ in 0..4 {
        product.pass(HOUR);
        run(&product).await;
    }
    let [failed] = &*runs(&product, &p, &automation).await else { panic!("one run") };
    assert_eq!((&failed["state"], &failed["step"]), (&json!("failed"), &json!(1)));
    let steps = steps_of(&product, &p, failed).await;
    let told: Vec<_> = steps.iter().map(|s| s["state"].as_str().unwrap()).collect();
    assert_eq!(told, ["done", "failed", "next"]);
    assert_eq!(steps[1]["told"]["rule"], "no-address");
    let listed = p.get(&product, &format!("/v1/automations/{automation}/runs?state=failed")).await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    let retry = format!("/v1/automation-runs/{}/retry", id(failed));
    product.db.execute("UPDATE creators SET email = 'anna@creator.example'").unwrap();
    p.post(&product, &retry, json!({})).await.expect(200);
    run(&product).await;
    assert_eq!(states(&product, &p, &automation).await, ["done"]);
    let tags = &p.get(&product, &format!("/v1/deals/{}", p.deal)).await["tags"];
    assert_eq!(tags, &json!(["a", "b"]));
    let again = p.post(&product, &retry, json!({})).await.expect(409);
    assert_eq!(again["type"], "/problems/not-failed");
    assert_eq!(product.db.rows("SELECT 1 FROM messages").len(), 1);
}

#[tokio::test]
async fn conditions_are_a_filter_that_the_deal_fits_then() {
    let (product, p) = at_work().await;
    let body = json!({ "name": "A", "trigger": { "on": "stage_entered", "stage": "Posted" },
        "conditions": "tag = \"vip\" AND NOT has_link", "steps": [{ "do": "create_link" }] });
    let made = p.post(&product, "/v1/automations", body).await.expect(201);
    move_to(&product, &p, &p.deal, "Posted").await;
    assert!(runs(&product, &p, &id(&made)).await.is_empty());
    let deal = format!("/v1/deals/{}", p.deal);
    let vip = Some(json!({ "tags": ["vip"] }));
    product.call("PATCH", &deal, vip, &p.key).await.expect(200);
    for _ in 0..2 {
        move_to(&product, &p, &p.deal, "Lost").await;
        move_to(&product, &p, &p.deal, "Posted").await;
    }
    assert_eq!(states(&product, &p, &id(&made)).await, ["done"], "then it had a link");
    let wrong = json!({ "name": "A", "trigger": { "on": "invited" }, "conditions": "tag = ",
        "steps": [{ "do": "create_link" }] });
    let told = p.post(&product, "/v1/automations", wrong).await.expect(422);
    assert_eq!(told["errors"][0]["field"], "conditions");
    let path = format!("/v1/automations/{}", id(&made));
    let any = Some(json!({ "conditions": null }));
    let any = product.call("PATCH", &path, any, &p.key).await.expect(200);
    assert_eq!(any["conditions"], Value::Null);
}

#[tokio::test]
async fn what_is_wrong_is_told_and_changes_nothing() {
    let (product, p) = at_work().await;
    let tag = json!([{ "do": "add_tags", "tags": ["x"] }]);
    let before = product.db.checksum();
    for (trigger, steps, field) in [
        (json!({ "on": "stage_entered" }), tag.clone(), "trigger.stage"),
        (json!({ "on": "stage_entered", "stage": "Nowhere" }), tag.clone(), "trigger.stage"),
        (json!({ "on": "invited", "stage": "Posted" }), tag.clone(), "trigger.stage"),
        (json!({ "on": "invited", "campaign_id": p.deal }), tag.clone(), "trigger.campaign_id"),
        (json!({ "on": "moon" }), tag.clone(), "trigger.on"),
        (json!({ "on": "invited", "phase": 1 }), tag.clone(), "trigger.phase"),
        (json!({ "on": "no_sale", "days": 0 }), tag.clone(), "trigger.days"),
        (json!({ "on": "no_sale", "days": 366 }), tag.clone(), "trigger.days"),
        (json!({ "on": "date", "date": "2026-11-22" }), tag.clone(), "trigger.date"),
        (json!({ "on": "date", "date": "tomorrow" }), tag.clone(), "trigger.date"),
        (
            json!({ "on": "threshold_reached", "metric": "orders", "at_least": "1.5" }),
            tag.clone(),
            "trigger.at_least",
        ),
        (
            json!({ "on": "threshold_reached", "metric": "revenue", "at_least": "0.00" }),
            tag.clone(),
            "trigger.at_least",
        ),
        (json!({ "on": "threshold_reached", "at_least": "5" }), tag.clone(), "trigger.metric"),
        (json!({ "on": "tier_reached", "tiers_id": "tiers_x" }), tag.clone(), "trigger.tiers_id"),
        (json!({ "on": "invited" }), json!([]), "steps"),
        (json!({ "on": "invited" }), json!(vec![tag[0].clone(); 21]), "steps"),
        (json!({ "on": "invited" }), json!([{ "do": "explode" }]), "steps[0].do"),
        (json!({ "on": "invited" }), json!([{ "do": 1 }]), "steps[0].do"),
        (json!({ "on": "invited" }), json!([{}]), "steps[0].do"),
        (json!({ "on": "invited" }), json!([{ "do": "wait" }]), "steps[0].days"),
        (
            json!({ "on": "invited" }),
            json!([{ "do": "wait", "days": -1, "hours": 48 }]),
            "steps[0].days",
        ),
        (
            json!({ "on": "invited" }),
            json!([{ "do": "wait", "days": 9_223_372_036_854_775_807_i64 }]),
            "steps[0].days",
        ),
        (json!({ "on": "invited" }), json!([{ "do": "webhook", "label": "" }]), "steps[0].label"),
        (
            json!({ "on": "invited" }),
            json!([{ "do": "webhook", "url": "https://x" }]),
            "steps[0].url",
        ),
        (
            json!({ "on": "invited" }),
            json!([{ "do": "move", "stage": "Nowhere" }]),
            "steps[0].stage",
        ),
        (
            json!({ "on": "invited" }),
            json!([{ "do": "message", "template_id": "template_x" }]),
            "steps[0].template_id",
        ),
        (
            json!({ "on": "invited" }),
            json!([{ "do": "assign_code", "affiliate_group_id": p.deal }]),
            "steps[0].affiliate_group_id",
        ),
        (
            json!({ "on": "invited" }),
            json!([{ "do": "assign", "owner_id": p.deal }]),
            "steps[0].owner_id",
        ),
    ] {
        let body = json!({ "name": "A", "trigger": trigger, "steps": steps });
        let told = p.post(&product, "/v1/automations", body.clone()).await.expect(422);
        assert_eq!(told["errors"][0]["field"], field, "{body} {told}");
    }
    for body in [json!({}), json!({ "name": "", "trigger": { "on": "invited" }, "steps": tag })] {
        p.post(&product, "/v1/automations", body).await.expect(422);
    }
    assert_eq!(product.db.checksum(), before, "nothing was changed");
    // A fee is for those who may move money.
    let key = json!({ "name": "D", "scopes": ["read", "deals"] });
    let key =
        p.post(&product, "/v1/keys", key).await.expect(201)["api_key"].as_str().unwrap().to_owned();
    let fee = json!([{ "do": "fee", "amount": { "amount": "5.00", "currency": "USD" } }]);
    let body =
        json!({ "name": "A", "trigger": { "on": "invited" }, "steps": fee, "state": "disabled" });
    let denied = product.call("POST", "/v1/automations", Some(body.clone()), &key).await;
    assert_eq!(denied.status, 403, "{}", denied.text);
    let made = p.post(&product, "/v1/automations", body).await.expect(201);
    let path = format!("/v1/automations/{}", id(&made));
    for change in [json!({ "state": "enabled" }), json!({ "runs": "first_time" })] {
        let denied = product.call("PATCH", &path, Some(change), &key).await;
        assert_eq!(denied.status, 403, "{}", denied.text);
    }
    product.call("PATCH", &path, Some(json!({ "name": "B" })), &key).await.expect(200);
    // A hundred and no more.
    for n in 1..=100 {
        let body = json!({ "name": "A", "trigger": { "on": "invited" }, "steps": tag });
        let status = if n < 100 { 201 } else { 409 };
        p.post(&product, "/v1/automations", body).await.expect(status);
    }
}

#[tokio::test]
async fn an_automation_is_changed_as_it_was_seen_and_removed() {
    let (product, p) = at_work().await;
    let trigger = json!({ "on": "stage_entered", "stage": "Posted", "campaign_id": p.campaign });
    let steps = json!([{ "do": "move", "stage": "Lost" }, { "do": "wait", "hours": 1 }]);
    let automation = automate(&product, &p, trigger, steps).await;
    let path = format!("/v1/automations/{automation}");
    let shown = product.call("GET", &path, None, &p.key).await;
    let tag = shown.headers["etag"].to_str().unwrap().to_owned();
    let patch = async |body: Value, tag: &str| {
        let request = http::Request::builder()
            .method("PATCH")
            .uri(&path)
            .header("authorization", format!("Bearer {}", p.key))
            .header("content-type", "application/json")
            .header("if-match", tag)
            .body(body.to_string().into_bytes());
        product.raw(request.unwrap()).await
    };
    assert_eq!(patch(json!({ "name": "B" }), &tag).await.status, 200);
    assert_eq!(patch(json!({ "name": "C" }), &tag).await.status, 412);
    // A stage's new name is the automation's, too.
    let stages = format!("/v1/campaigns/{}/stages", p.campaign);
    for (stage, name) in [("Posted", "Online"), ("Lost", "Gone")] {
        let change = json!({ "change": "rename", "stage": stage, "name": name });
        p.post(&product, &stages, change).await.expect(200);
    }
    let seen = p.get(&product, &path).await;
    assert_eq!((&seen["trigger"]["stage"], &seen["name"]), (&json!("Online"), &json!("B")));
    assert_eq!(seen["steps"][0], json!({ "do": "move", "stage": "Gone" }));
    assert_eq!(seen["steps"][1], json!({ "do": "wait", "hours": 1 }));
    move_to(&product, &p, &p.deal, "Online").await;
    assert_eq!(states(&product, &p, &automation).await, ["running"]);
    assert_eq!(p.get(&product, &format!("/v1/deals/{}", p.deal)).await["stage"], "Gone");
    // Switched off, what runs is stopped; what happens meanwhile begins nothing later.
    let off = Some(json!({ "state": "disabled" }));
    product.call("PATCH", &path, off, &p.key).await.expect(200);
    assert_eq!(states(&product, &p, &automation).await, ["stopped"]);
    move_to(&product, &p, &p.deal, "Online").await;
    let on = Some(json!({ "state": "enabled" }));
    product.call("PATCH", &path, on, &p.key).await.expect(200);
    run(&product).await;
    assert_eq!(runs(&product, &p, &automation).await.len(), 1);
    assert_eq!(product.call("DELETE", &path, None, &p.key).await.status, 204);
    assert_eq!(product.call("GET", &path, None, &p.key).await.status, 404);
    assert_eq!(runs(&product, &p, &automation).await.len(), 1, "what it did is still shown");
    assert_eq!(product.db.rows("SELECT automations AS n FROM brands")[0]["n"], 0);
    // Nothing is written down where nobody listens.
    let rows = || product.db.rows("SELECT count(*) AS n FROM automation_causes")[0]["n"].clone();
    let before = rows();
    move_to(&product, &p, &p.deal, "Gone").await;
    assert_eq!(rows(), before);
}

#[tokio::test]
async fn a_trial_says_what_would_happen_and_changes_nothing() {
    let (product, p) = at_work().await;
    let template =
        json!({ "name": "T", "subject": "Hi {{creator.first_name}}", "text": "{{deal.link}}" });
    let template = id(&p.post(&product, "/v1/message-templates", template).await.expect(201));
    let steps = json!([{ "do": "move", "stage": "Lost" }, { "do": "create_link" }, { "do": "wait", "hours": 2 },
        { "do": "webhook" }, { "do": "message", "template_id": template }, { "do": "remove_tags", "tags": ["x"] }]);
    let trigger = json!({ "on": "stage_entered", "stage": "Posted" });
    let automation = automate(&product, &p, trigger, steps).await;
    let before = product.db.checksum();
    let path = format!("/v1/automations/{automation}/try");
    let told = p.post(&product, &path, json!({ "deal_id": p.deal })).await.expect(200);
    assert_eq!((&told["fits"], &told["would_begin"]), (&json!(true), &json!(true)));
    let would: Vec<_> =
        told["steps"].as_array().unwrap().iter().map(|s| s["would"].as_str().unwrap()).collect();
    assert_eq!(would, ["change", "change", "wait", "tell", "change", "unchanged"]);
    assert_eq!(
        (&told["steps"][0]["before"], &told["steps"][0]["after"]),
        (&json!("Outreach"), &json!("Lost"))
    );
    assert!(told["steps"][4]["why"].as_str().unwrap().contains("deal.link"), "{told}");
    p.post(&product, &path, json!({ "deal_id": p.campaign })).await.expect(422);
    p.post(&product, &path, json!({})).await.expect(422);
    assert_eq!(product.db.checksum(), before);
    // The template is needed while the automation is there.
    let used = format!("/v1/message-templates/{template}");
    assert_eq!(product.call("DELETE", &used, None, &p.key).await.status, 409);
}

#[tokio::test]
async fn what_runs_keep_of_a_creator_is_told_to_her_and_goes_with_her() {
    let (product, p) = at_work().await;
    let trigger = json!({ "on": "stage_entered", "stage": "Posted" });
    let steps = json!([{ "do": "create_link" }, { "do": "wait", "days": 1 }]);
    automate(&product, &p, trigger, steps).await;
    move_to(&product, &p, &p.deal, "Posted").await;
    let export =
        product.call("GET", &format!("/v1/creators/{}/export", p.creator), None, &p.key).await;
    assert!(
        export.text.contains("automation_run") && export.text.contains("stage_entered"),
        "{}",
        export.text
    );
    let erase = json!({ "confirm": "@anna.home" });
    let path = format!("/v1/creators/{}/erasure", p.creator);
    let told = p.post(&product, &path, erase).await;
    assert!(told.status < 300, "{}", told.text);
    for table in ["automation_runs", "automation_steps", "automation_causes"] {
        let left = product.db.rows(&format!("SELECT 1 FROM {table}"));
        assert!(left.is_empty(), "{table}");
    }
}
