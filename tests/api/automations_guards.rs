//! What holds automations, actions and webhooks together where two of anything meet: each guard alone, by what the
//! other did in the moment between reading and writing.

use serde_json::json;
use tributary::domain::time::to_rfc3339;
use tributary::jobs;

use super::automations::{DAY, HOUR, at_work, automate, id, move_to, run, runs, states, steps_of};
use crate::support::shop::{coded, order, with};
use crate::support::{NOW_MS, Product, Programme};

const POSTED: &str = "Posted";

fn tag(word: &str) -> serde_json::Value {
    json!([{ "do": "add_tags", "tags": [word] }])
}

/// What ran before counts, under whatever name it began.
#[tokio::test]
async fn only_the_first_time_counts_runs_from_when_it_was_every_time() {
    let (product, p) = at_work().await;
    let trigger = json!({ "on": "stage_entered", "stage": POSTED });
    let automation = automate(&product, &p, trigger, tag("x")).await;
    move_to(&product, &p, &p.deal, POSTED).await;
    let first = Some(json!({ "runs": "first_time" }));
    let path = format!("/v1/automations/{automation}");
    product.call("PATCH", &path, first, &p.key).await.expect(200);
    for stage in ["Lost", POSTED, "Lost", POSTED] {
        move_to(&product, &p, &p.deal, stage).await;
    }
    run(&product).await;
    assert_eq!(states(&product, &p, &automation).await, ["done"]);
}

/// Whose lease ended while it waited for an answer goes on with nothing: the other's step is the one that counts.
#[tokio::test]
async fn a_run_that_another_went_on_with_is_left_to_it() {
    let (product, p) = at_work().await;
    let steps = json!([{ "do": "wait", "hours": 2 }, { "do": "webhook" }]);
    let hook = json!({ "url": "https://hooks.casa.example/" });
    p.post(&product, "/v1/webhook-endpoints", hook).await.expect(201);
    let trigger = json!({ "on": "stage_entered", "stage": POSTED });
    let automation = automate(&product, &p, trigger, steps).await;
    let meanwhile = "UPDATE automation_runs SET revision = revision + 1";
    product.db.before("UPDATE automation_runs SET revision=iif", meanwhile);
    move_to(&product, &p, &p.deal, POSTED).await;
    let one = runs(&product, &p, &automation).await.remove(0);
    assert_eq!((&one["state"], &one["step"]), (&json!("running"), &json!(0)));
    assert!(steps_of(&product, &p, &one).await.iter().all(|step| step["state"] != "waiting"));
    // The other never came back: its lease ends, and the run goes on where it was.
    for _ in 0..4 {
        product.pass(HOUR);
        run(&product).await;
    }
    assert_eq!(states(&product, &p, &automation).await, ["done"]);
    let told = product.db.rows("SELECT 1 FROM webhook_events WHERE type = 'automation.step'");
    assert_eq!(told.len(), 1);
}

/// Two workers with one cause: who comes second does nothing, and tells what the first one did.
#[tokio::test]
async fn an_action_that_another_did_for_the_same_cause_isnt_done_again() {
    let (product, p) = at_work().await;
    let trigger = json!({ "on": "stage_entered", "stage": POSTED });
    let links = || product.db.rows("SELECT count(*) AS n FROM links")[0]["n"].as_i64().unwrap();
    let before = links();
    let steps = json!([{ "do": "create_link", "target": "/there" }]);
    let automation = automate(&product, &p, trigger, steps).await;
    let other = "INSERT INTO deal_actions (brand_id, deal_id, cause, action, outcome, rule, why, subject, at_ms)
        SELECT brand_id, deal_id, 'auto/' || id || '/0', 'create_link', 'done', '', '', '{\"link_id\":\"link_other\"}', 1
        FROM automation_runs";
    product.db.before("INSERT INTO deal_actions", other);
    move_to(&product, &p, &p.deal, POSTED).await;
    let one = runs(&product, &p, &automation).await.remove(0);
    assert_eq!(one["state"], "done");
    assert_eq!(steps_of(&product, &p, &one).await[0]["told"]["link_id"], "link_other");
    assert_eq!(links(), before, "the second worker made none");
}

/// Days without a sale are days of the brand: a sale after midnight there is of the next day, whatever UTC says.
#[tokio::test]
async fn days_without_a_sale_begin_with_the_day_of_the_sale_where_the_brand_is() {
    let (product, p) = at_work().await;
    let codes = format!("/v1/deals/{}/codes", p.deal);
    p.post(&product, &codes, json!({ "code": "ANNA", "create_in_store": false })).await.expect(201);
    let zone = Some(json!({ "timezone": "Pacific/Auckland" }));
    product.call("PATCH", "/v1/brand", zone, &p.key).await.expect(200);
    let midnight = time("2026-11-24T11:00:00Z");
    product.set_now(midnight + 2 * HOUR);
    p.get(&product, "/v1/brand").await;
    let no_sale = json!({ "on": "no_sale", "days": 3 });
    let automation = automate(&product, &p, no_sale, tag("quiet")).await;
    // On the 25th in Auckland, the 24th in UTC.
    let at = to_rfc3339(midnight + HOUR);
    let body = with(coded(order(1), "ANNA"), json!({ "created_at": at, "updated_at": at }));
    assert_eq!(p.deliver(&product, &body).await, 200);
    for (moment, begun) in [(midnight + 2 * DAY + 23 * HOUR, 0), (midnight + 3 * DAY + HOUR, 1)] {
        product.set_now(moment);
        run(&product).await;
        assert_eq!(runs(&product, &p, &automation).await.len(), begun, "{}", to_rfc3339(moment));
    }
}

/// An endpoint that another worker took meanwhile is that worker's to judge.
#[tokio::test]
async fn an_endpoint_is_paused_only_by_who_has_it() {
    let product = Product::over(crate::support::sqlite::Sqlite::new(), false);
    let p = Programme::new(&product).await;
    let body = json!({ "url": "https://hooks.shop.example/in" });
    let made = p.post(&product, "/v1/webhook-endpoints", body).await.expect(201);
    let endpoint = id(&made["endpoint"]);
    product.web.answer_by(Box::new(|_| {
        let (retry_after, body) = (String::new(), String::new());
        Some(Ok(tributary::app::WebAnswer { status: 410, retry_after, body }))
    }));
    let taken = "UPDATE webhook_endpoints SET due_at_ms = due_at_ms + 60000";
    product.db.before("UPDATE webhook_endpoints SET failures=iif", taken);
    let test = format!("/v1/webhook-endpoints/{endpoint}/test");
    product.call("POST", &test, None, &p.key).await.expect(201);
    jobs::run_due(&product.app, product.app.now_ms()).await;
    let path = format!("/v1/webhook-endpoints/{endpoint}");
    assert_eq!(p.get(&product, &path).await["state"], "active");
    // Whose turn it is finds the same, and may say so.
    product.pass(HOUR);
    jobs::run_due(&product.app, product.app.now_ms()).await;
    assert_eq!(p.get(&product, &path).await["paused_because"], "gone");
}

fn time(text: &str) -> i64 {
    let day = tributary::domain::time::parse_rfc3339(text).unwrap();
    assert!(day > NOW_MS);
    day
}
