//! Automations when things go wrong: causes repeated and out of order, lost calls of D1, two workers at once, loops,
//! and clocks that jump. Whatever happens, a cause has one run and a step one effect.

use serde_json::{Value, json};
use tributary::jobs;

use super::automations::{
    AUTOMATION_COMMANDS, DAY, HOUR, at_work, automate, id, move_to, run, runs, states, steps_of,
};
use crate::support::sqlite::Fault;
use crate::support::{Product, Programme, at_once};

fn entered(stage: &str) -> Value {
    json!({ "on": "stage_entered", "stage": stage })
}

fn count(product: &Product, table: &str) -> i64 {
    product.db.rows(&format!("SELECT count(*) AS n FROM {table}"))[0]["n"].as_i64().unwrap()
}

/// A move that nobody looked at after the answer.
async fn quietly(product: &Product, stage: &str) {
    let sql = format!("UPDATE deals SET stage = '{stage}', revision = revision + 1");
    product.db.execute(&sql).unwrap();
}

#[tokio::test]
async fn an_automation_that_leads_to_itself_is_stopped_and_says_so() {
    let (product, p) = at_work().await;
    // Itself, at once.
    let away = json!([{ "do": "move", "stage": "Posted" }]);
    let back = json!([{ "do": "move", "stage": "Lost" }]);
    let one = automate(&product, &p, entered("Lost"), away).await;
    let two = automate(&product, &p, entered("Posted"), back).await;
    move_to(&product, &p, &p.deal, "Lost").await;
    for _ in 0..5 {
        product.pass(HOUR);
        run(&product).await;
    }
    assert_eq!(states(&product, &p, &one).await, ["done", "stopped"]);
    assert_eq!(states(&product, &p, &two).await, ["done"]);
    let stopped = &runs(&product, &p, &one).await[0];
    assert_eq!(stopped["reason"], "stopped: this automation led to itself in this deal");
    assert_eq!(p.get(&product, &format!("/v1/deals/{}", p.deal)).await["stage"], "Lost");
    // Another deal, and a person's move, are another matter.
    move_to(&product, &p, &p.deal, "Posted").await;
    assert_eq!(states(&product, &p, &two).await, ["done", "done", "stopped"]);
    // The mark of whose doing it is stays in no batch.
    let left = product.db.rows("SELECT 1 FROM brands WHERE automation_run IS NOT NULL");
    assert!(left.is_empty());
}

#[tokio::test]
async fn a_follow_up_of_its_own_that_is_overdue_is_a_loop_too() {
    let (product, p) = at_work().await;
    let steps = json!([{ "do": "follow_up", "text": "Again", "due_in_days": 0 }]);
    let automation = automate(&product, &p, json!({ "on": "follow_up_overdue" }), steps).await;
    let todo = json!({ "text": "Call", "due_on": "2026-11-23" });
    p.post(&product, &format!("/v1/deals/{}/follow-ups", p.deal), todo).await.expect(201);
    for _ in 0..6 {
        product.pass(DAY);
        run(&product).await;
    }
    assert_eq!(states(&product, &p, &automation).await, ["done", "stopped"]);
    assert_eq!(count(&product, "follow_ups"), 2);
}

#[tokio::test]
async fn chains_and_haste_come_to_an_end() {
    let (product, p) = at_work().await;
    let stages: Vec<String> = (0..9).map(|n| format!("S{n}")).collect();
    let campaign = json!({ "name": "Chain", "stages": stages });
    let campaign = id(&p.post(&product, "/v1/campaigns", campaign).await.expect(201));
    let deal = json!({ "creator_id": p.creator, "campaign_id": campaign });
    let deal = id(&p.post(&product, "/v1/deals", deal).await.expect(201));
    let mut all = Vec::new();
    for n in 1..8 {
        let steps = json!([{ "do": "move", "stage": format!("S{}", n + 1) }]);
        all.push(automate(&product, &p, entered(&format!("S{n}")), steps).await);
    }
    move_to(&product, &p, &deal, "S1").await;
    run(&product).await;
    let mut told = Vec::new();
    for automation in &all {
        told.extend(states(&product, &p, automation).await);
    }
    assert_eq!(told, ["done", "done", "done", "done", "done", "stopped"]);
    assert_eq!(p.get(&product, &format!("/v1/deals/{deal}")).await["stage"], "S6");
    // What goes around outside of us ends by itself: twenty in a day.
    let tag = json!([{ "do": "add_tags", "tags": ["x"] }]);
    let hasty = automate(&product, &p, entered("Posted"), tag).await;
    for _ in 0..25 {
        move_to(&product, &p, &p.deal, "Posted").await;
        move_to(&product, &p, &p.deal, "Lost").await;
    }
    run(&product).await;
    let told = states(&product, &p, &hasty).await;
    assert_eq!(told.iter().filter(|state| *state == "done").count(), 20);
    assert_eq!(told.iter().filter(|state| *state == "stopped").count(), 5);
    product.pass(2 * DAY);
    p.get(&product, "/v1/brand").await;
    move_to(&product, &p, &p.deal, "Posted").await;
    assert_eq!(states(&product, &p, &hasty).await.last().unwrap(), "done");
}

#[tokio::test]
async fn each_lost_call_is_made_up_for_and_nothing_is_done_twice() {
    let mut finished = false;
    for fault in [Fault::Before, Fault::After] {
        for n in 0..60 {
            let (product, p) = at_work().await;
            let steps = json!([{ "do": "create_link" }, { "do": "follow_up", "text": "Call", "due_in_days": 1 },
                { "do": "fee", "amount": { "amount": "5.00", "currency": "USD" } }]);
            let automation = automate(&product, &p, entered("Posted"), steps).await;
            quietly(&product, "Posted").await;
            product.db.fail_call(n, fault);
            let before = product.db.calls();
            let _ = jobs::automations::run_due(&product.app).await;
            let reached = product.db.calls() - before > n;
            product.db.fail_no_call();
            for _ in 0..4 {
                product.pass(HOUR);
                run(&product).await;
            }
            assert_eq!(states(&product, &p, &automation).await, ["done"], "{fault:?} {n}");
            for table in ["links", "follow_ups", "fees"] {
                assert_eq!(count(&product, table), 1, "{table} {fault:?} {n}");
            }
            if !reached {
                finished = true;
                break;
            }
        }
    }
    assert!(finished, "every call was lost once");
}

#[tokio::test]
async fn workers_at_once_do_one_thing_once() {
    let (product, p) = at_work().await;
    let steps = json!([{ "do": "create_link", "target": "/a" }, { "do": "follow_up", "text": "Call", "due_in_days": 1 },
        { "do": "fee", "amount": { "amount": "5.00", "currency": "USD" } }, { "do": "webhook" }]);
    let hook = json!({ "url": "https://hooks.casa.example/" });
    p.post(&product, "/v1/webhook-endpoints", hook).await.expect(201);
    let automation = automate(&product, &p, entered("Posted"), steps).await;
    quietly(&product, "Posted").await;
    at_once((0..8).map(|_| jobs::automations::run_due(&product.app))).await;
    for _ in 0..3 {
        product.pass(HOUR);
        at_once((0..3).map(|_| jobs::automations::run_due(&product.app))).await;
    }
    assert_eq!(states(&product, &p, &automation).await, ["done"]);
    for table in ["links", "follow_ups", "fees"] {
        assert_eq!(count(&product, table), 1, "{table}");
    }
    assert_eq!(count(&product, "webhook_events WHERE type = 'automation.step'"), 1);
}

#[tokio::test]
async fn causes_in_any_order_and_told_again_begin_the_same_runs() {
    let (product, p) = at_work().await;
    let tag = |word: &str| json!([{ "do": "add_tags", "tags": [word] }]);
    let came = automate(&product, &p, entered("Posted"), tag("came")).await;
    let left =
        automate(&product, &p, json!({ "on": "stage_left", "stage": "Posted" }), tag("left")).await;
    for stage in ["Posted", "Lost", "Posted"] {
        quietly(&product, stage).await;
    }
    // Told in another order, and once more after they were looked at.
    product
        .db
        .execute("UPDATE automation_causes SET sequence = sequence + 1000 WHERE sequence % 2 = 0")
        .unwrap();
    run(&product).await;
    assert_eq!(product.db.execute("UPDATE automation_causes SET state = 'waiting'").unwrap(), 6);
    run(&product).await;
    run(&product).await;
    assert_eq!(states(&product, &p, &came).await, ["done", "done"]);
    assert_eq!(states(&product, &p, &left).await, ["done"]);
}

#[tokio::test]
async fn a_clock_that_jumps_brings_nothing_about_twice() {
    let (product, p) = at_work().await;
    let tag = json!([{ "do": "add_tags", "tags": ["x"] }]);
    let date = json!({ "on": "date", "date": "2026-11-25" });
    let date = automate(&product, &p, date, tag.clone()).await;
    let quiet = automate(&product, &p, json!({ "on": "no_sale", "days": 2 }), tag.clone()).await;
    let overdue = automate(&product, &p, json!({ "on": "follow_up_overdue" }), tag).await;
    let todo = json!({ "text": "Call", "due_on": "2026-11-24" });
    p.post(&product, &format!("/v1/deals/{}/follow-ups", p.deal), todo).await.expect(201);
    let all = async || {
        let mut all = Vec::new();
        for automation in [&date, &quiet, &overdue] {
            all.push(runs(&product, &p, automation).await.len());
        }
        all
    };
    run(&product).await;
    assert_eq!(all().await, [0, 0, 0]);
    for jump in [2 * DAY, -2 * DAY, 2 * DAY, 0, HOUR, DAY, -3 * DAY, 4 * DAY, -4 * DAY, 3 * DAY] {
        product.pass(jump);
        run(&product).await;
        run(&product).await;
    }
    assert_eq!(all().await, [1, 1, 1]);
    // A clock that was a year ahead for a while keeps nobody from looking.
    let tag = json!([{ "do": "add_tags", "tags": ["y"] }]);
    let later = json!({ "on": "date", "date": "2026-12-10" });
    let later = automate(&product, &p, later, tag).await;
    let now_ms = product.app.now_ms();
    for at in [now_ms + 365 * DAY, now_ms, now_ms + 20 * DAY, now_ms, now_ms + 14 * DAY] {
        product.set_now(at);
        run(&product).await;
    }
    assert_eq!(runs(&product, &p, &later).await.len(), 1);
}

#[tokio::test]
async fn a_pause_is_over_once_whatever_the_clock_does() {
    let (product, p) = at_work().await;
    let steps = json!([{ "do": "follow_up", "text": "A", "due_in_days": 1 }, { "do": "wait", "days": 2 },
        { "do": "follow_up", "text": "B", "due_in_days": 1 }, { "do": "wait", "minutes": 1 }]);
    let automation = automate(&product, &p, entered("Posted"), steps).await;
    move_to(&product, &p, &p.deal, "Posted").await;
    for jump in [DAY, -DAY, DAY, -5 * DAY, 5 * DAY, DAY, -2 * DAY, 2 * DAY, DAY, HOUR] {
        product.pass(jump);
        run(&product).await;
    }
    assert_eq!(count(&product, "follow_ups"), 2);
    assert_eq!(states(&product, &p, &automation).await, ["done"]);
}

#[tokio::test]
async fn thresholds_begin_with_who_reaches_them_from_now_on() {
    use crate::support::shop::{coded, order};
    let (product, p) = at_work().await;
    let deal = format!("/v1/deals/{}", p.deal);
    let code = json!({ "code": "ANNA", "create_in_store": false });
    p.post(&product, &format!("{deal}/codes"), code).await.expect(201);
    let (rival, _) = p.rival(&product, "BERTA").await;
    for n in [1, 2] {
        assert_eq!(p.deliver(&product, &coded(order(n), "ANNA")).await, 200);
    }
    let trigger = json!({ "on": "threshold_reached", "metric": "orders", "at_least": "2" });
    let tag = json!([{ "do": "add_tags", "tags": ["two"] }]);
    let automation = automate(&product, &p, trigger, tag).await;
    for (n, code) in [(3, "ANNA"), (4, "BERTA"), (5, "BERTA"), (6, "BERTA")] {
        assert_eq!(p.deliver(&product, &coded(order(n), code)).await, 200);
        run(&product).await;
    }
    let [one] = &*runs(&product, &p, &automation).await else { panic!("who had it had it") };
    assert_eq!(one["deal_id"], rival.as_str());
    // An order that is told again, and one that goes, change nothing of it.
    for n in [5, 6] {
        let mut again = coded(order(n), "BERTA");
        again["updated_at"] = json!("2026-11-23T08:00:00Z");
        again["cancelled_at"] = json!("2026-11-23T08:00:00Z");
        assert_eq!(p.deliver(&product, &again).await, 200);
        run(&product).await;
    }
    for n in [7, 8] {
        assert_eq!(p.deliver(&product, &coded(order(n), "BERTA")).await, 200);
        run(&product).await;
    }
    assert_eq!(runs(&product, &p, &automation).await.len(), 1);
}

#[tokio::test]
async fn many_deals_are_looked_at_in_pieces() {
    let (product, p) = at_work().await;
    let tag = json!([{ "do": "add_tags", "tags": ["x"] }]);
    let automation = automate(&product, &p, entered("Posted"), tag).await;
    product.db.execute("INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, created_at_ms)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 230)
        SELECT brand_id, substr(id, 1, 28) || printf('%03d', i), creator_id, campaign_id, 'Outreach', '[]', 0 FROM deals, n").unwrap();
    quietly(&product, "Posted").await;
    let mut rounds = 0;
    while count(&product, "automation_runs WHERE state = 'done'") < 231 && rounds < 40 {
        product.pass(60_000);
        let before = product.db.calls();
        jobs::automations::run_due(&product.app).await.unwrap();
        assert!(product.db.calls() - before < 400);
        rounds += 1;
    }
    assert_eq!(count(&product, "automation_runs WHERE state = 'done'"), 231, "{rounds}");
    let page = runs(&product, &p, &automation).await;
    assert_eq!(page.len(), 50);
    let _ = steps_of(&product, &p, &page[0]).await;
}

#[tokio::test]
async fn each_command_is_noted_once() {
    let (product, p) = at_work().await;
    let rows = || product.db.rows("SELECT action FROM audit ORDER BY id");
    let mut tried = Vec::new();
    let mut call = async |route: &'static str, path: &str, body: Value, action: &[&str]| {
        product.pass(1);
        let before = rows().len();
        let (method, _) = route.split_once(' ').unwrap();
        let body = (!body.is_null()).then_some(body);
        let answer = product.call(&method.to_uppercase(), path, body, &p.key).await;
        assert!(answer.status < 300, "{route}: {}", answer.text);
        let new: Vec<Value> =
            rows().split_off(before).iter().map(|r| r["action"].clone()).collect();
        assert_eq!(json!(new), json!(action), "{route}");
        tried.push(route);
        answer.json
    };
    let [create, update, remove, ready, retry, attempt] = AUTOMATION_COMMANDS;
    let body = json!({ "name": "A", "trigger": entered("Posted"), "steps": [{ "do": "webhook" }] });
    let made = call(create, "/v1/automations", body, &["automation.create"]).await;
    let path = format!("/v1/automations/{}", id(&made));
    call(update, &path, json!({ "name": "B" }), &["automation.update"]).await;
    call(attempt, &format!("{path}/try"), json!({ "deal_id": p.deal }), &[]).await;
    let body = json!({ "template": "no_sale" });
    call(ready, "/v1/automations/templates", body, &["automation.create"]).await;
    quietly(&product, "Posted").await;
    for _ in 0..3 {
        product.pass(HOUR);
        run(&product).await;
    }
    p.get(&product, "/v1/brand").await;
    let failed = runs(&product, &p, &id(&made)).await[0].clone();
    assert_eq!(failed["state"], "failed");
    let path_of = format!("/v1/automation-runs/{}/retry", id(&failed));
    call(retry, &path_of, Value::Null, &["automation.retry"]).await;
    call(remove, &path, Value::Null, &["automation.remove"]).await;
    assert_eq!(tried.len(), AUTOMATION_COMMANDS.len());
}

#[tokio::test]
async fn where_nobody_listens_an_order_costs_no_row() {
    use crate::support::shop::{coded, order};
    let (product, p) = at_work().await;
    let code = json!({ "code": "ANNA", "create_in_store": false });
    p.post(&product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
    let deliver = async |n: u64, p: &Programme| p.deliver(&product, &coded(order(n), "ANNA")).await;
    let tag = json!([{ "do": "add_tags", "tags": ["x"] }]);
    // Who listens to something else has no row of an order either.
    automate(&product, &p, entered("Posted"), tag.clone()).await;
    assert_eq!(deliver(1, &p).await, 200);
    let heard = || count(&product, "automation_causes") + count(&product, "automation_orders");
    assert_eq!(heard(), 0);
    automate(&product, &p, json!({ "on": "order_attributed" }), tag).await;
    assert_eq!(deliver(2, &p).await, 200);
    assert_eq!(heard(), 1);
}
