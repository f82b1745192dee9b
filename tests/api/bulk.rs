//! Bulk actions: what a preview shows is done to each deal once, whoever works at it and whatever is lost.

use http::Request;
use serde_json::{Value, json};
use tributary::jobs::{self, bulk};

use crate::support::sqlite::Fault;
use crate::support::{Answer, OPERATOR, Product, Programme, at_once};

const PATH: &str = "/v1/bulk-actions";

/// Tried here, with the trail that they leave.
pub const BULK_COMMANDS: [&str; 4] = [
    "post /v1/bulk-actions",
    "post /v1/bulk-actions/{id}/pause",
    "post /v1/bulk-actions/{id}/resume",
    "post /v1/bulk-actions/{id}/cancel",
];

/// Deals with a creator each, beside the programme's own; all ids, in their order.
pub async fn many(product: &Product, p: &Programme, count: usize) -> Vec<String> {
    let mut all = vec![p.deal.clone()];
    for at in 0..count {
        let creator = json!({ "name": format!("C{at}"), "handle": format!("c{at}"),
            "email": format!("c{at}@creator.example") });
        let creator = p.post(product, "/v1/creators", creator).await.expect(201);
        let deal = json!({ "creator_id": creator["id"], "campaign_id": p.campaign });
        let deal = p.post(product, "/v1/deals", deal).await.expect(201);
        all.push(deal["id"].as_str().unwrap().to_owned());
    }
    all.sort();
    all
}

/// Deals made behind the API, for many.
fn quickly(product: &Product, p: &Programme, count: usize) {
    product.db.with(|db| {
        db.execute_batch(&format!(
            "INSERT INTO creators (brand_id, id, name, handle, tags, created_at_ms)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
             SELECT b.id, 'creator_' || substr('00000000000000000000000000' || i, -26), 'C' || i, 'c' || i, '[]', 1 FROM n, brands b;
             INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, created_at_ms)
             SELECT brand_id, 'deal_' || substr(id, 9), id, '{}', 'Outreach', '[]', 1 FROM creators WHERE name <> 'Anna';",
            p.campaign
        ))
        .unwrap();
    });
}

fn all_deals(product: &Product) -> Vec<String> {
    let rows = product.db.rows("SELECT id FROM deals ORDER BY id");
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

async fn preview(product: &Product, p: &Programme, action: &Value, deals: &[String]) -> Value {
    let body = json!({ "action": action, "deal_ids": deals, "preview": true });
    p.post(product, PATH, body).await.expect(200)
}

async fn keyed(product: &Product, key: &str, name: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method("POST")
        .uri(PATH)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {key}"))
        .header("idempotency-key", name);
    product.raw(request.body(body.to_string().into_bytes()).unwrap()).await
}

/// Previews, and makes the job of it.
async fn begin(product: &Product, p: &Programme, action: &Value, deals: &[String]) -> Value {
    let seen = preview(product, p, action, deals).await;
    let body = json!({ "action": action, "deal_ids": deals, "hash": seen["hash"] });
    keyed(product, &p.key, seen["hash"].as_str().unwrap(), &body).await.expect(201)
}

/// What the queue has is consumed, as the worker does.
async fn consume(product: &Product) -> usize {
    let messages: Vec<String> = product.queue.messages.lock().unwrap().drain(..).collect();
    let wakes = messages.iter().filter(|message| bulk::is_wake(message)).count();
    if wakes > 0 {
        bulk::woken(&product.app).await;
    }
    wakes
}

async fn show(product: &Product, p: &Programme, job: &Value) -> Value {
    p.get(product, &format!("{PATH}/{}", job["id"].as_str().unwrap())).await
}

async fn results(product: &Product, p: &Programme, job: &Value) -> Vec<Value> {
    let path = format!("{PATH}/{}/results", job["id"].as_str().unwrap());
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = p.get(product, &format!("{path}?limit=90{cursor}")).await;
        all.extend(page["data"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn progress(job: &Value) -> [i64; 5] {
    ["deals", "done", "unchanged", "refused", "failed"].map(|name| job[name].as_i64().unwrap())
}

async fn go(product: &Product, p: &Programme, job: &Value, what: &str) -> Answer {
    p.post(product, &format!("{PATH}/{}/{what}", job["id"].as_str().unwrap()), json!({})).await
}

/// What somebody agreed to after it was looked at isn't taken back by an action that was asked for before.
#[tokio::test]
async fn new_terms_take_nothing_away_that_was_agreed_meanwhile() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deals = many(&product, &p, 3).await;
    let action = json!({ "do": "new_terms", "terms": { "commission_percent": "15" } });
    let agree = async |deal: &str, terms: Value| {
        product.pass(1000);
        p.post(&product, &format!("/v1/deals/{deal}/terms"), terms).await.expect(201);
    };
    let rate = async |deal: &str| {
        p.get(&product, &format!("/v1/deals/{deal}")).await["terms"]["commission_percent"].clone()
    };
    // Between the preview and the start: of any of them, though each would still be changed.
    for later in [
        json!({ "commission_percent": "20" }),
        json!({ "commission_percent": "21", "starts_at": "2027-01-01T00:00:00Z" }),
    ] {
        let seen = preview(&product, &p, &action, &deals).await;
        agree(&deals[0], later).await;
        let body = json!({ "action": action, "deal_ids": deals, "hash": seen["hash"] });
        let refused = keyed(&product, &p.key, "k", &body).await.expect(409);
        assert_eq!(refused["type"], "/problems/preview-changed");
    }
    let seen = preview(&product, &p, &action, &deals).await;
    let first =
        seen["data"].as_array().unwrap().iter().find(|one| one["deal_id"] == deals[0].as_str());
    let after = first.unwrap()["after"].as_str().unwrap();
    assert_eq!(after, "15, until what is agreed for later begins");
    // Between the start and the deal's turn: that deal keeps what was agreed.
    let job = begin(&product, &p, &action, &deals).await;
    agree(&deals[1], json!({ "commission_percent": "30" })).await;
    // In the very moment: the batch aborts.
    product.db.before("INSERT INTO terms", &format!(
        "INSERT INTO terms (brand_id, deal_id, starts_at_ms, version, id, rate_bp, created_at_ms)
         SELECT brand_id, id, {now}, 9, 'terms_01h455vb4pex5vsknk084sn02q', 4000, {now} FROM deals WHERE id = '{}'",
        deals[2], now = crate::support::NOW_MS + 3000));
    while consume(&product).await > 0 {}
    let told = results(&product, &p, &job).await;
    let of =
        |deal: &String| told.iter().find(|one| one["deal_id"] == deal.as_str()).unwrap().clone();
    assert_eq!(of(&deals[0])["outcome"], "done");
    for deal in &deals[1..3] {
        let one = of(deal);
        assert_eq!(
            (&one["outcome"], &one["rule"]),
            (&json!("refused"), &json!("terms-changed")),
            "{told:?}"
        );
    }
    assert_eq!((rate(&deals[0]).await, rate(&deals[1]).await), (json!("15"), json!("30")));
}

#[tokio::test]
async fn what_a_preview_shows_is_done() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deals = many(&product, &p, 5).await;
    let to = |stage: &str| json!({ "do": "move", "stage": stage });
    p.post(&product, &format!("/v1/deals/{}/move", deals[1]), json!({ "stage": "Posted" }))
        .await
        .expect(200);
    product.db.execute("UPDATE creators SET erased_at_ms = 1 WHERE name = 'C3'").unwrap();
    let before = product.db.checksum();
    let seen = preview(&product, &p, &to("Posted"), &deals).await;
    assert_eq!(product.db.checksum(), before, "a preview changes nothing");
    assert_eq!(
        (&seen["deals"], &seen["change"], &seen["unchanged"], &seen["refused"]),
        (&json!(6), &json!(4), &json!(1), &json!(1))
    );
    assert_eq!(seen["data"][0]["before"], "Outreach");
    assert_eq!(seen["data"][0]["after"], "Posted");
    assert_eq!(seen["data"][4]["reason"], "this creator was erased");
    // By another name, of other deals, or of another action it isn't done.
    let real = |action: Value, deals: &[String], hash: &Value| json!({ "action": action, "deal_ids": deals, "hash": hash });
    for bad in [
        real(to("Posted"), &deals[1..], &seen["hash"]),
        real(to("Lost"), &deals, &seen["hash"]),
        real(to("Posted"), &deals, &json!("x")),
        real(to("Posted"), &deals, &json!("1.x")),
    ] {
        let refused = p.post(&product, PATH, bad).await.expect(409);
        assert_eq!(refused["type"], "/problems/preview-changed");
    }
    let body = real(to("Posted"), &deals, &seen["hash"]);
    let job = p.post(&product, PATH, body.clone()).await.expect(201);
    assert_eq!((&job["state"], progress(&job)), (&json!("running"), [6, 0, 0, 0, 0]));
    let again = p.post(&product, PATH, body.clone()).await.expect(201);
    assert_eq!(again["id"], job["id"], "a preview has one job");
    assert_eq!(consume(&product).await, 1);
    let job = show(&product, &p, &job).await;
    assert_eq!((&job["state"], progress(&job)), (&json!("finished"), [6, 4, 1, 1, 0]));
    let told = results(&product, &p, &job).await;
    assert_eq!(told.iter().map(|row| row["deal_id"].as_str().unwrap()).collect::<Vec<_>>(), deals);
    let erased = told.iter().find(|row| row["outcome"] == "refused").unwrap();
    assert_eq!(erased["rule"], "creator-erased");
    let all = product.db.checksum();
    jobs::run_all(&product.app).await;
    consume(&product).await;
    let again = p.post(&product, PATH, body).await.expect(201);
    assert_eq!(again, job, "asked for again it is told how it did");
    let moved = product.db.rows("SELECT count(*) AS n FROM audit WHERE action = 'deal.move'");
    assert_eq!(moved[0]["n"], 5, "each deal was moved once, by whoever asked for it");
    assert_ne!(all, "");
    let keys =
        product.db.rows("SELECT DISTINCT actor_kind AS k FROM audit WHERE action = 'deal.move'");
    assert_eq!(keys, [json!({ "k": "key" })]);
    // An hour later a preview is none.
    let seen = preview(&product, &p, &to("Lost"), &deals).await;
    product.pass(3_600_000);
    let old = real(to("Lost"), &deals, &seen["hash"]);
    assert_eq!(p.post(&product, PATH, old).await.expect(409)["type"], "/problems/preview-changed");
    let list = p.get(&product, PATH).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_filter_and_a_segment_say_which_deals_and_these_stay_fixed() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deals = many(&product, &p, 6).await;
    for id in &deals[..3] {
        let to = json!({ "stage": "Negotiation" });
        p.post(&product, &format!("/v1/deals/{id}/move"), to).await.expect(200);
    }
    let filter = "stage = \"Negotiation\"";
    let segment = json!({ "name": "S", "filter": filter });
    let segment = p.post(&product, "/v1/segments", segment).await.expect(201);
    let action = json!({ "do": "add_tags", "tags": ["x"] });
    for which in [json!({ "filter": filter }), json!({ "segment": segment["id"] })] {
        let mut body = which;
        body["action"] = action.clone();
        body["preview"] = json!(true);
        let seen = p.post(&product, PATH, body.clone()).await.expect(200);
        assert_eq!((&seen["deals"], &seen["change"]), (&json!(3), &json!(3)));
        body.as_object_mut().unwrap().remove("preview");
        body["hash"] = seen["hash"].clone();
        // One more is found now: that isn't what was seen.
        let more = format!("/v1/deals/{}/move", deals[4]);
        p.post(&product, &more, json!({ "stage": "Negotiation" })).await.expect(200);
        p.post(&product, PATH, body.clone()).await.expect(409);
        p.post(&product, &more, json!({ "stage": "Outreach" })).await.expect(200);
        let job = p.post(&product, PATH, body).await.expect(201);
        // Whoever comes or goes then: the deals of the job are fixed.
        p.post(&product, &more, json!({ "stage": "Negotiation" })).await.expect(200);
        consume(&product).await;
        let told = results(&product, &p, &job).await;
        let told: Vec<&str> = told.iter().map(|row| row["deal_id"].as_str().unwrap()).collect();
        assert_eq!(told, &deals[..3]);
        p.post(&product, &more, json!({ "stage": "Outreach" })).await.expect(200);
        let off = json!({ "do": "remove_tags", "tags": ["x"] });
        let job = begin(&product, &p, &off, &deals[..3]).await;
        consume(&product).await;
        assert_eq!(progress(&show(&product, &p, &job).await), [3, 3, 0, 0, 0]);
    }
}

#[tokio::test]
async fn three_hundred_deals_with_pause_and_two_workers() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    quickly(&product, &p, 299);
    let deals = all_deals(&product);
    assert_eq!(deals.len(), 300);
    let fee = json!({ "do": "fee", "amount": { "amount": "10.00", "currency": "USD" } });
    let job = begin(&product, &p, &fee, &deals).await;
    product.queue.messages.lock().unwrap().clear();
    // Two at once, again and again: one has the lease.
    at_once([bulk::woken(&product.app), bulk::woken(&product.app)]).await;
    let some = show(&product, &p, &job).await;
    let done = progress(&some)[1];
    assert!((10..300).contains(&done), "a run is bounded: {done}");
    let paused = go(&product, &p, &job, "pause").await.expect(200);
    assert_eq!(paused["state"], "paused");
    jobs::run_all(&product.app).await;
    consume(&product).await;
    assert_eq!(progress(&show(&product, &p, &job).await)[1], done, "nothing goes on");
    go(&product, &p, &job, "resume").await.expect(200);
    let mut runs = 0;
    while show(&product, &p, &job).await["state"] == "running" {
        at_once([consume(&product), consume(&product)]).await;
        at_once([bulk::woken(&product.app), bulk::woken(&product.app)]).await;
        runs += 1;
        assert!(runs < 50);
    }
    let job = show(&product, &p, &job).await;
    assert_eq!((&job["state"], progress(&job)), (&json!("finished"), [300, 300, 0, 0, 0]));
    let fees = product.db.rows("SELECT count(*) AS n, count(DISTINCT deal_id) AS d FROM fees");
    assert_eq!(fees[0], json!({ "n": 300, "d": 300 }));
    assert!(results(&product, &p, &job).await.iter().all(|row| row["made"]["fee_id"].is_string()));
    p.verify(&product).await;
    for what in ["pause", "resume", "cancel"] {
        let ended = go(&product, &p, &job, what).await.expect(409);
        assert_eq!(ended["type"], "/problems/bulk-ended", "{what}");
    }
}

/// Each call of D1 of a run lost, before or after it was done: the next runs end it, and each deal has one fee.
#[tokio::test]
async fn any_call_of_a_run_may_be_lost() {
    let fee = json!({ "do": "fee", "amount": { "amount": "10.00", "currency": "USD" } });
    let mut n = 0;
    loop {
        let mut past = true;
        for fault in [Fault::Before, Fault::After] {
            let product = Product::new();
            let p = Programme::new(&product).await;
            quickly(&product, &p, 3);
            let job = begin(&product, &p, &fee, &all_deals(&product)).await;
            let calls = product.db.calls();
            product.db.fail_call(n, fault);
            consume(&product).await;
            past &= product.db.calls() - calls <= n;
            product.db.fail_no_call();
            let mut runs = 0;
            while show(&product, &p, &job).await["state"] == "running" {
                product.pass(61_000);
                jobs::run_due(&product.app, product.app.now_ms()).await;
                runs += 1;
                assert!(runs < 5, "{n} {fault:?}: {}", show(&product, &p, &job).await);
            }
            let job = show(&product, &p, &job).await;
            assert_eq!(progress(&job), [4, 4, 0, 0, 0], "{n} {fault:?}");
            let fees =
                product.db.rows("SELECT count(*) AS n, count(DISTINCT deal_id) AS d FROM fees");
            assert_eq!(fees[0], json!({ "n": 4, "d": 4 }), "{n} {fault:?}");
            p.verify(&product).await;
        }
        if past {
            break;
        }
        n += 1;
    }
    assert!(n > 15, "{n} calls were tried");
}

#[tokio::test]
async fn deals_that_change_or_go_have_their_result() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deals = many(&product, &p, 4).await;
    let job = begin(&product, &p, &json!({ "do": "move", "stage": "Posted" }), &deals).await;
    let creator = |at: usize| format!("(SELECT creator_id FROM deals WHERE id = '{}')", deals[at]);
    product
        .db
        .execute(&format!("UPDATE creators SET erased_at_ms = 5 WHERE id = {}", creator(1)))
        .unwrap();
    p.post(&product, &format!("/v1/deals/{}/move", deals[2]), json!({ "stage": "Posted" }))
        .await
        .expect(200);
    product.db.with(|db| {
        db.execute_batch(&format!("PRAGMA foreign_keys = OFF; DELETE FROM deals WHERE id = '{}'; PRAGMA foreign_keys = ON", deals[3])).unwrap();
    });
    consume(&product).await;
    let told = results(&product, &p, &job).await;
    let said: Vec<_> =
        told.iter().map(|row| (row["outcome"].as_str().unwrap(), row["rule"].as_str())).collect();
    assert_eq!(
        said,
        [
            ("done", None),
            ("refused", Some("creator-erased")),
            ("unchanged", None),
            ("refused", Some("deal-gone")),
            ("done", None)
        ]
    );
    assert_eq!(show(&product, &p, &job).await["state"], "finished");
}

/// Somebody cancels between two deals, and while one is decided: nothing goes on after the answer.
#[tokio::test]
async fn a_cancelled_one_goes_on_with_nothing() {
    for (part, done) in [("INSERT INTO deal_actions", 0), ("UPDATE bulk_actions SET kind", 0)] {
        let product = Product::new();
        let p = Programme::new(&product).await;
        let deals = many(&product, &p, 3).await;
        let job = begin(&product, &p, &json!({ "do": "add_tags", "tags": ["x"] }), &deals).await;
        product.db.before(part, "UPDATE bulk_actions SET state = 'cancelled', due_at_ms = NULL");
        consume(&product).await;
        jobs::run_all(&product.app).await;
        let job = show(&product, &p, &job).await;
        assert_eq!((&job["state"], progress(&job)[1]), (&json!("cancelled"), done), "{part}");
        let tagged = product.db.rows("SELECT count(*) AS n FROM deals WHERE tags <> '[]'");
        assert_eq!(tagged[0]["n"], done);
        assert!(results(&product, &p, &job).await.iter().all(|row| row["outcome"] == "waiting"));
    }
}

#[tokio::test]
async fn who_may_not_do_it_alone_may_not_do_it_to_many() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deals = many(&product, &p, 2).await;
    let fee = json!({ "do": "fee", "amount": { "amount": "10.00", "currency": "USD" } });
    let key = async |scopes: Value| {
        let made = p
            .post(&product, "/v1/keys", json!({ "name": "k", "scopes": scopes }))
            .await
            .expect(201);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made["key"]["id"]), text(&made["api_key"]))
    };
    let (_, reads) = key(json!(["read"])).await;
    let (id, may) = key(json!(["read", "deals"])).await;
    let body = json!({ "action": fee, "deal_ids": deals, "preview": true });
    product.call("POST", PATH, Some(body.clone()), &may).await.expect(403);
    product.call("POST", PATH, Some(body.clone()), &reads).await.expect(403);
    product.call("POST", PATH, Some(body), OPERATOR).await.expect(403);
    let seen = preview(&product, &p, &fee, &deals).await;
    let body = json!({ "action": fee, "deal_ids": deals, "hash": seen["hash"] });
    assert_eq!(
        p.post(&product, PATH, body.clone()).await.status,
        400,
        "a fee needs a key of the call"
    );
    let job = keyed(&product, &p.key, "a", &body).await.expect(201);
    let again = keyed(&product, &p.key, "a", &body).await.expect(201);
    assert_eq!(again, job, "the first answer again");
    go(&product, &p, &job, "pause").await.expect(200);
    let path = format!("{PATH}/{}/resume", job["id"].as_str().unwrap());
    product.call("POST", &path, Some(json!({})), &may).await.expect(403);
    go(&product, &p, &job, "cancel").await.expect(200);
    // A key that is revoked before the work is done does it no more.
    let action = json!({ "do": "add_tags", "tags": ["x"] });
    let seen = preview(&product, &p, &action, &deals).await;
    let body = json!({ "action": action, "deal_ids": deals, "hash": seen["hash"] });
    let job = product.call("POST", PATH, Some(body), &may).await.expect(201);
    product.call("DELETE", &format!("/v1/keys/{id}"), None, &p.key).await.expect(200);
    consume(&product).await;
    let job = show(&product, &p, &job).await;
    assert_eq!((&job["state"], progress(&job)[1]), (&json!("cancelled"), 0));
    assert_eq!(job["reason"], "whoever asked for it may not do this any more");
    // Another brand sees nothing of it.
    let other = Programme::new(&Product::new()).await;
    assert_ne!(other.key, "");
}

/// A limit that passes only later makes the rest wait, not fail.
#[tokio::test]
async fn invitations_wait_for_another_day_and_mails_go_out_once() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deals = many(&product, &p, 3).await;
    product.mailer.mails.lock().unwrap().clear();
    let job = begin(&product, &p, &json!({ "do": "invite" }), &deals).await;
    *product.limits.away.lock().unwrap() = true;
    consume(&product).await;
    assert_eq!(progress(&show(&product, &p, &job).await), [4, 0, 0, 0, 0]);
    *product.limits.away.lock().unwrap() = false;
    product.pass(6_000);
    jobs::run_due(&product.app, product.app.now_ms()).await;
    consume(&product).await;
    let job = show(&product, &p, &job).await;
    assert_eq!((&job["state"], progress(&job)), (&json!("finished"), [4, 4, 0, 0, 0]));
    assert_eq!(product.mailer.count(), 4);
    // Nobody is invited again within a day.
    let job = begin(&product, &p, &json!({ "do": "invite" }), &deals).await;
    consume(&product).await;
    assert_eq!(progress(&show(&product, &p, &job).await), [4, 0, 4, 0, 0]);
}

#[tokio::test]
async fn each_command_is_noted_once() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let rows = || product.db.rows("SELECT action FROM audit ORDER BY id");
    let action = json!({ "do": "add_tags", "tags": ["x"] });
    let before = rows().len();
    product.pass(1);
    let job = begin(&product, &p, &action, std::slice::from_ref(&p.deal)).await;
    for what in ["pause", "pause", "resume", "cancel", "cancel"] {
        // Ids of one moment have no order.
        product.pass(1);
        go(&product, &p, &job, what).await.expect(200);
    }
    let noted: Vec<Value> = rows().split_off(before);
    let noted: Vec<&str> = noted.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(noted, ["bulk.create", "bulk.pause", "bulk.resume", "bulk.cancel"]);
    assert_eq!(noted.len(), BULK_COMMANDS.len());
}

/// The queue may be away: the job of the minute goes on.
#[tokio::test]
async fn without_a_queue_it_is_done_by_the_minute() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    quickly(&product, &p, 40);
    *product.queue.away.lock().unwrap() = true;
    let deals = all_deals(&product);
    let job = begin(&product, &p, &json!({ "do": "add_tags", "tags": ["x"] }), &deals).await;
    let mut minutes = 0;
    while show(&product, &p, &job).await["state"] == "running" {
        jobs::run_due(&product.app, product.app.now_ms()).await;
        product.pass(60_000);
        minutes += 1;
        assert!(minutes < 10);
    }
    assert_eq!(progress(&show(&product, &p, &job).await), [41, 41, 0, 0, 0]);
}

#[tokio::test]
async fn odd_requests_are_told_what_is_wrong() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deals = std::slice::from_ref(&p.deal);
    let ok = json!({ "do": "invite" });
    let none = "deal_01h455vb4pex5vsknk084sn02q";
    for (body, field) in [
        (json!({ "action": ok, "deal_ids": deals }), "hash"),
        (json!({ "action": ok, "deal_ids": deals, "preview": true, "hash": "x" }), "hash"),
        (json!({ "action": ok, "preview": true }), "deal_ids"),
        (json!({ "action": ok, "deal_ids": [], "preview": true }), "deal_ids"),
        (
            json!({ "action": ok, "deal_ids": deals, "filter": "stage = \"Posted\"", "preview": true }),
            "deal_ids",
        ),
        (json!({ "action": ok, "filter": "stage = (", "preview": true }), "filter"),
        (json!({ "action": ok, "filter": "stage = \"Posted\"", "preview": true }), "filter"),
        (json!({ "action": ok, "segment": "x", "preview": true }), "segment"),
        (
            json!({ "action": ok, "segment": "segment_01h455vb4pex5vsknk084sn02q", "preview": true }),
            "segment",
        ),
        (json!({ "action": ok, "deal_ids": vec![none; 1001], "preview": true }), "deal_ids"),
        (json!({ "action": ok, "deal_ids": [none], "preview": true }), "deal_ids"),
        (json!({ "action": ok, "deal_ids": ["x"], "preview": true }), "deal_ids[0]"),
        (json!({ "action": { "do": "dance" }, "deal_ids": deals, "preview": true }), "action.do"),
        (
            json!({ "action": { "do": "add_tags", "tags": [] }, "deal_ids": deals, "preview": true }),
            "action.tags",
        ),
        (
            json!({ "action": { "do": "message", "template_id": "template_01h455vb4pex5vsknk084sn02q" }, "deal_ids": deals, "preview": true }),
            "action.template_id",
        ),
        (
            json!({ "action": { "do": "create_link", "store_id": "store_01h455vb4pex5vsknk084sn02q" }, "deal_ids": deals, "preview": true }),
            "action",
        ),
        (
            json!({ "action": { "do": "new_terms", "terms": { "commission_percent": "5", "ends_at": "2001-01-01T00:00:00Z" } }, "deal_ids": deals, "preview": true }),
            "action.terms.ends_at",
        ),
    ] {
        let before = product.db.checksum();
        let refused = p.post(&product, PATH, body.clone()).await.expect(422);
        assert_eq!(refused["errors"][0]["field"], field, "{body}: {refused}");
        assert_eq!(product.db.checksum(), before);
    }
    for path in [
        "/v1/bulk-actions/bulk_01h455vb4pex5vsknk084sn02q",
        "/v1/bulk-actions/x",
        "/v1/bulk-actions/bulk_01h455vb4pex5vsknk084sn02q/results",
    ] {
        product.call("GET", path, None, &p.key).await.expect(404);
    }
    let job = begin(&product, &p, &ok, deals).await;
    let path = format!("{PATH}/{}/results?cursor=AAAA", job["id"].as_str().unwrap());
    product.call("GET", &path, None, &p.key).await.expect(422);
}
