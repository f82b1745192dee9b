//! Boards: stages of the brand's own, deals in their places, kinds and costs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::payouts::pay;
use crate::support::shop::{coded, order};
use crate::support::sqlite::most_steps;
use crate::support::{Answer, Product, Programme, at_once};

fn id(json: &Value) -> String {
    json["id"].as_str().unwrap().to_owned()
}

async fn deals(product: &Product, p: &Programme, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for at in 0..count {
        let creator = json!({ "name": format!("C{at}"), "handle": format!("c{at}") });
        let creator = id(&p.post(product, "/v1/creators", creator).await.expect(201));
        let deal = json!({ "creator_id": creator, "campaign_id": p.campaign });
        all.push(id(&p.post(product, "/v1/deals", deal).await.expect(201)));
    }
    all
}

async fn column(product: &Product, p: &Programme, stage: &str) -> Vec<String> {
    let stage = stage.replace(' ', "%20");
    let board = p
        .get(product, &format!("/v1/campaigns/{}/board?limit=200&stage={stage}", p.campaign))
        .await;
    board["columns"][0]["data"].as_array().unwrap().iter().map(id).collect()
}

async fn go(product: &Product, p: &Programme, deal: &str, body: Value) -> Answer {
    p.post(product, &format!("/v1/deals/{deal}/move"), body).await
}

async fn stages(product: &Product, p: &Programme, body: Value) -> Answer {
    p.post(product, &format!("/v1/campaigns/{}/stages", p.campaign), body).await
}

#[tokio::test]
async fn a_deal_moves_to_its_place_and_keeps_all_that_is_its() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let codes = format!("/v1/deals/{}/codes", p.deal);
    p.post(&product, &codes, json!({ "code": "ANNA", "create_in_store": false })).await.expect(201);
    p.post(&product, &format!("/v1/deals/{}/links", p.deal), json!({ "slug": "anna" }))
        .await
        .expect(201);
    assert_eq!(p.deliver(&product, &coded(order(1), "ANNA")).await, 200);
    let more = deals(&product, &p, 3).await;
    let (a, b, c, d) = (&p.deal, &more[0], &more[1], &more[2]);
    assert_eq!(column(&product, &p, "Outreach").await, [a, b, c, d].map(String::clone));
    let kept = || {
        product
            .db
            .rows("SELECT * FROM links")
            .into_iter()
            .chain(product.db.rows("SELECT * FROM codes"))
            .chain(product.db.rows("SELECT * FROM orders"))
            .chain(product.db.rows("SELECT * FROM entries"))
            .chain(product.db.rows("SELECT * FROM balances"))
            .collect::<Vec<_>>()
    };
    let before = (kept(), product.db.rows("SELECT version FROM brands"));
    go(&product, &p, a, json!({ "stage": "Outreach", "after_id": c })).await.expect(200);
    assert_eq!(column(&product, &p, "Outreach").await, [b, c, a, d].map(String::clone));
    go(&product, &p, d, json!({ "stage": "Outreach", "before_id": b })).await.expect(200);
    assert_eq!(column(&product, &p, "Outreach").await, [d, b, c, a].map(String::clone));
    go(&product, &p, a, json!({ "stage": "Awaiting Post" })).await.expect(200);
    go(&product, &p, c, json!({ "stage": "Awaiting Post", "before_id": a })).await.expect(200);
    assert_eq!(column(&product, &p, "Awaiting Post").await, [c, a].map(String::clone));
    assert_eq!(
        (kept(), product.db.rows("SELECT version FROM brands")),
        before,
        "links, codes, orders and balances stay"
    );
    // In the same gap again and again: room is made.
    for round in 0..60 {
        let moved = if round % 2 == 0 { a } else { b };
        go(&product, &p, moved, json!({ "stage": "Outreach", "after_id": d })).await.expect(200);
        let now = column(&product, &p, "Outreach").await;
        assert_eq!((&now[0], &now[1], now.len()), (d, moved, 3), "{round}");
    }
    for (body, field) in [
        (json!({ "stage": "Nowhere" }), "stage"),
        (json!({ "stage": "Outreach", "after_id": c }), "after_id"),
        (json!({ "stage": "Outreach", "after_id": "x" }), "after_id"),
        (json!({ "stage": "Outreach", "after_id": a }), "after_id"),
        (json!({ "stage": "Outreach", "after_id": b, "before_id": b }), "before_id"),
        (json!({}), "stage"),
    ] {
        let before = product.db.checksum();
        let refused = go(&product, &p, a, body.clone()).await.expect(422);
        assert_eq!(refused["errors"][0]["field"], field, "{body}");
        assert_eq!(product.db.checksum(), before);
    }
    // The card tells what it needs.
    let board = p.get(&product, &format!("/v1/campaigns/{}/board", p.campaign)).await;
    let card = board["columns"][0]["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|card| card["id"] == a.as_str())
        .unwrap()
        .clone();
    assert_eq!(
        (&card["links"], &card["codes"], &card["orders"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!((&card["creator"], &card["commission_percent"]), (&json!("Anna"), &json!("10")));
    assert_eq!(card["revenue"], json!([{ "amount": "135.00", "currency": "USD" }]));
    p.verify(&product).await;
}

#[tokio::test]
async fn moves_at_once_lose_no_card() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let mut all = deals(&product, &p, 40).await;
    all.push(p.deal.clone());
    let anchor = all[7].clone();
    let moves = all.iter().filter(|deal| **deal != anchor).enumerate().map(|(at, deal)| {
        let body = match at % 3 {
            0 => json!({ "stage": "Outreach", "after_id": anchor }),
            1 => json!({ "stage": "Posted" }),
            _ => json!({ "stage": "Outreach", "before_id": anchor }),
        };
        go(&product, &p, deal, body)
    });
    let answers = at_once(moves).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let (outreach, posted) =
        (column(&product, &p, "Outreach").await, column(&product, &p, "Posted").await);
    let seen: BTreeSet<&String> = outreach.iter().chain(&posted).collect();
    assert_eq!((seen.len(), outreach.len() + posted.len()), (41, 41), "each card once");
    let at = outreach.iter().position(|deal| *deal == anchor).unwrap();
    assert_eq!((at, posted.len()), (13, 13), "all that went before are before");
    // One card that everybody drags: whoever comes too late is told so, and it is in one place.
    let answers =
        at_once((0..20).map(|_| go(&product, &p, &anchor, json!({ "stage": "Lost" })))).await;
    assert!(answers.iter().all(|answer| [200, 503].contains(&answer.status)));
    assert_eq!(column(&product, &p, "Lost").await, [anchor]);
}

#[tokio::test]
async fn stages_are_added_renamed_ordered_and_removed() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let added =
        stages(&product, &p, json!({ "change": "add", "stage": "Sample sent", "position": 2 }))
            .await
            .expect(200);
    assert_eq!(added["stages"][1], "Sample sent");
    let fee = json!({ "amount": { "amount": "5.00", "currency": "USD" }, "stage": "Posted" });
    pay(&product, &p.key, "f", &format!("/v1/deals/{}/fees", p.deal), fee).await.expect(201);
    let renamed = stages(
        &product,
        &p,
        json!({ "change": "rename", "stage": "Outreach", "name": "Posted soon" }),
    )
    .await
    .expect(200);
    assert_eq!(renamed["stages"][0], "Posted soon");
    assert_eq!(p.get(&product, &format!("/v1/deals/{}", p.deal)).await["stage"], "Posted soon");
    // Renaming reaches nothing; the fee waits under the new name.
    stages(&product, &p, json!({ "change": "rename", "stage": "Posted", "name": "Live" }))
        .await
        .expect(200);
    let fees = p.get(&product, &format!("/v1/deals/{}/fees", p.deal)).await;
    assert_eq!(
        (&fees["data"][0]["stage"], &fees["data"][0]["state"]),
        (&json!("Live"), &json!("planned"))
    );
    for (body, status, what) in [
        (json!({ "change": "add", "stage": "Live" }), 409, "stage-exists"),
        (json!({ "change": "rename", "stage": "Lost", "name": "Live" }), 409, "stage-exists"),
        (json!({ "change": "remove", "stage": "Posted soon" }), 409, "stage-not-empty"),
        (json!({ "change": "remove", "stage": "Live" }), 409, "stage-not-empty"),
        (json!({ "change": "remove", "stage": "Posted" }), 422, "stage"),
        (json!({ "change": "merge", "stage": "Lost", "into": "Lost" }), 422, "into"),
        (json!({ "change": "order", "stages": ["Live"] }), 422, "stages"),
        (json!({ "change": "add", "stage": "", "position": 1 }), 422, "stage"),
        (json!({ "change": "add", "stage": "x", "position": 99 }), 422, "position"),
        (json!({ "change": "add", "stage": "x", "into": "Lost" }), 422, "into"),
        (json!({ "change": "burn" }), 422, "change"),
    ] {
        let before = product.db.checksum();
        let refused = stages(&product, &p, body.clone()).await.expect(status);
        let told = if status == 409 {
            refused["type"].as_str().unwrap().replace("/problems/", "")
        } else {
            refused["errors"][0]["field"].as_str().unwrap().to_owned()
        };
        assert_eq!(told, what, "{body}");
        assert_eq!(product.db.checksum(), before, "{body}");
    }
    stages(&product, &p, json!({ "change": "remove", "stage": "Sample sent" })).await.expect(200);
    let shown = p.get(&product, &format!("/v1/campaigns/{}", p.campaign)).await;
    let mut order: Vec<Value> = shown["stages"].as_array().unwrap().clone();
    order.reverse();
    let ordered =
        stages(&product, &p, json!({ "change": "order", "stages": order })).await.expect(200);
    assert_eq!(ordered["stages"], json!(order));
    // A deal that goes to a stage which somebody renames meanwhile finds out.
    product.db.before(
        "UPDATE deals SET stage",
        "UPDATE campaigns SET stages = replace(stages, 'Lost', 'Over'), revision = revision + 1",
    );
    let refused = go(&product, &p, &p.deal, json!({ "stage": "Lost" })).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "stage");
    // One that was put away takes no new deals.
    let path = format!("/v1/campaigns/{}", p.campaign);
    product
        .call("PATCH", &path, Some(json!({ "state": "archived", "name": "Old" })), &p.key)
        .await
        .expect(200);
    let new = json!({ "creator_id": p.creator, "campaign_id": p.campaign });
    assert_eq!(
        p.post(&product, "/v1/deals", new).await.expect(409)["type"],
        "/problems/campaign-archived"
    );
    p.verify(&product).await;
}

#[tokio::test]
async fn a_merge_of_stages_reaches_what_waited_for_it() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let more = deals(&product, &p, 3).await;
    let fee = async |name: &str, deal: &str, amount: &str, rest: Value| {
        let mut body = json!({ "amount": { "amount": amount, "currency": "USD" } });
        for (key, value) in rest.as_object().unwrap() {
            body[key] = value.clone();
        }
        id(&pay(&product, &p.key, name, &format!("/v1/deals/{deal}/fees"), body).await.expect(201))
    };
    // At the stage that goes, waiting for the one that stays; the other way round; elsewhere; for a day too.
    fee("1", &p.deal, "1.00", json!({ "stage": "Posted" })).await;
    go(&product, &p, &more[0], json!({ "stage": "Posted" })).await.expect(200);
    fee("2", &more[0], "2.00", json!({ "stage": "Outreach" })).await;
    go(&product, &p, &more[1], json!({ "stage": "Lost" })).await.expect(200);
    let waits = fee("3", &more[1], "4.00", json!({ "stage": "Outreach" })).await;
    let later =
        fee("4", &more[2], "8.00", json!({ "stage": "Posted", "due_on": "2026-12-24" })).await;
    let merged =
        stages(&product, &p, json!({ "change": "merge", "stage": "Outreach", "into": "Posted" }))
            .await
            .expect(200);
    assert!(!merged["stages"].as_array().unwrap().contains(&json!("Outreach")));
    assert_eq!(
        column(&product, &p, "Posted").await,
        [&more[0], &p.deal, &more[2]].map(String::clone)
    );
    let state = |id: &str| {
        product.db.rows(&format!(
            "SELECT state, stage, reached_at_ms IS NOT NULL AS reached FROM fees WHERE id = '{id}'"
        ))[0]
            .clone()
    };
    assert_eq!(p.balance(&product, &p.creator, "USD").await["available"], "1.00");
    let sums =
        product.db.rows("SELECT sum(amount_minor) AS n FROM balances WHERE account = 'available'");
    assert_eq!(sums[0]["n"], 300, "both that were reached were posted, to whom they belong");
    assert_eq!(state(&waits), json!({ "state": "planned", "stage": "Posted", "reached": 0 }));
    assert_eq!(state(&later), json!({ "state": "planned", "stage": "Posted", "reached": 1 }));
    go(&product, &p, &more[1], json!({ "stage": "Posted" })).await.expect(200);
    assert_eq!(state(&waits)["state"], "posted");
    p.verify(&product).await;
}

#[tokio::test]
async fn kinds_owners_and_costs_make_an_honest_return() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let codes = format!("/v1/deals/{}/codes", p.deal);
    p.post(&product, &codes, json!({ "code": "ANNA", "create_in_store": false })).await.expect(201);
    assert_eq!(p.deliver(&product, &coded(order(1), "ANNA")).await, 200);
    let member = id(&p
        .post(&product, "/v1/members", json!({ "email": "m@casa.example", "role": "manager" }))
        .await
        .expect(201));
    let path = format!("/v1/deals/{}", p.deal);
    let told = json!({ "kind": "gifting", "owner_id": member });
    let shown = product.call("PATCH", &path, Some(told), &p.key).await.expect(200);
    assert_eq!((&shown["kind"], &shown["owner_id"]), (&json!("gifting"), &json!(member)));
    for bad in [
        json!({ "kind": "bribe" }),
        json!({ "owner_id": "member_00000000000000000000000000" }),
        json!({ "owner_id": "x" }),
    ] {
        assert_eq!(product.call("PATCH", &path, Some(bad), &p.key).await.status, 422);
    }
    product.call("DELETE", &format!("/v1/members/{member}"), None, &p.key).await;
    assert_eq!(
        p.get(&product, &path).await["owner_id"],
        Value::Null,
        "who left looks after nothing"
    );

    let spent = async || p.get(&product, &format!("{path}/performance")).await;
    let first = spent().await;
    assert_eq!(first["return_on_spend"], json!([{ "currency": "USD", "value": "10" }]));
    let usd = |amount: &str| json!({ "amount": amount, "currency": "USD" });
    let gift = json!({ "product": usd("30.00"), "shipping": usd("6.50"), "note": "Cushion", "on": "2026-11-20" });
    let costs = format!("{path}/costs");
    let made = pay(&product, &p.key, "g", &costs, gift.clone()).await.expect(201);
    assert_eq!(pay(&product, &p.key, "g", &costs, gift).await.expect(201), made, "once");
    let other = json!({ "shipping": { "amount": "500", "currency": "JPY" } });
    pay(&product, &p.key, "h", &costs, other).await.expect(201);
    pay(&product, &p.key, "i", &format!("{path}/fees"), json!({ "amount": usd("50.00") }))
        .await
        .expect(201);
    let now = spent().await;
    assert_eq!(
        now["cost"],
        json!([
            { "currency": "JPY", "commission": "0", "fees": "0", "gifts": "500", "total": "500" },
            { "currency": "USD", "commission": "13.50", "fees": "50.00", "gifts": "36.50", "total": "100.00" },
        ])
    );
    assert_eq!(
        now["return_on_spend"],
        json!([{ "currency": "JPY", "value": "0" }, { "currency": "USD", "value": "1.35" }])
    );
    let early = p.get(&product, &format!("{path}/performance?to=2026-11-19")).await;
    assert_eq!(early["cost"], json!([]));
    let void = format!("{costs}/{}/void", id(&made));
    let voided = product.call("POST", &void, None, &p.key).await.expect(200);
    assert_eq!(
        product.call("POST", &void, None, &p.key).await.expect(200),
        voided,
        "again is no fault"
    );
    assert_eq!(spent().await["cost"][1]["gifts"], "0.00");
    for (bad, field) in [
        (json!({}), "product"),
        (json!({ "product": usd("0.00") }), "product"),
        (json!({ "product": usd("-1.00") }), "product"),
        (json!({ "product": usd("0.001") }), "product"),
        (
            json!({ "product": usd("1.00"), "shipping": { "amount": "1", "currency": "JPY" } }),
            "shipping",
        ),
        (json!({ "product": usd("1.00"), "on": "2026-02-30" }), "on"),
    ] {
        let before = product.db.checksum();
        let refused = pay(&product, &p.key, "bad", &costs, bad.clone()).await.expect(422);
        assert!(refused["errors"][0]["field"].as_str().unwrap().starts_with(field), "{bad}");
        assert_eq!(product.db.checksum(), before);
    }
    assert_eq!(
        p.post(&product, &costs, json!({ "product": usd("1.00") })).await.status,
        400,
        "it needs a key"
    );
    assert!(product.db.execute("UPDATE deal_costs SET product_minor = 1").is_err());
    assert!(product.db.execute("DELETE FROM deal_costs").is_err());
    p.verify(&product).await;
}

/// What a board costs depends on the page, not on what else there is.
#[tokio::test]
async fn a_board_reads_its_page_only() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let brand = p.brand["id"].as_str().unwrap();
    let fill = |campaign: &str, from: usize, count: usize| {
        product.db.execute(&format!("WITH n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {})
            INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, created_at_ms, place)
            SELECT '{brand}', 'deal_' || printf('%026d', i), '{}', '{campaign}', 'Outreach', '[]', 0, i * 1024 FROM n",
            from + count - 1, p.creator)).unwrap();
    };
    fill(&p.campaign, 1, 300);
    let path = format!("/v1/campaigns/{}/board?limit=50", p.campaign);
    most_steps();
    let board = p.get(&product, &path).await;
    let few = most_steps();
    assert_eq!(
        (&board["columns"][0]["deals"], board["columns"][0]["data"].as_array().unwrap().len()),
        (&json!(301), 50)
    );
    let other =
        id(&p.post(&product, "/v1/campaigns", json!({ "name": "Other" })).await.expect(201));
    fill(&other, 1000, 20_000);
    most_steps();
    assert_eq!(p.get(&product, &path).await, board);
    let many = most_steps();
    assert!(many <= few + few / 10, "{many} steps instead of {few}");
    fill(&p.campaign, 30_000, 20_000);
    most_steps();
    let crowded = p.get(&product, &path).await;
    assert_eq!(crowded["columns"][0]["deals"], Value::Null, "more than are counted");
    let crowd = most_steps();
    assert!(crowd <= few * 3, "{crowd} steps instead of {few}");
    // Page by page, each card once.
    let mut seen = BTreeSet::new();
    let mut cursor = String::new();
    for _ in 0..3 {
        let page = p.get(&product, &format!("{path}&stage=Outreach{cursor}")).await;
        let column = &page["columns"][0];
        seen.extend(column["data"].as_array().unwrap().iter().map(id));
        cursor = format!("&cursor={}", column["next_cursor"].as_str().unwrap());
    }
    assert_eq!(seen.len(), 150);
    for bad in [
        "limit=0",
        "limit=201",
        "cursor=AAAA",
        "stage=Nowhere",
        "cursor=MS94&stage=Outreach&sort=x",
        "sort=;DROP",
        "cursor=!&stage=Outreach",
    ] {
        let refused = product
            .call("GET", &format!("/v1/campaigns/{}/board?{bad}", p.campaign), None, &p.key)
            .await;
        assert_eq!(refused.status, 422, "{bad}");
    }
}

/// A board that is narrowed has the cards that the list of deals has by the same filter, stage by stage.
#[tokio::test]
async fn a_filter_narrows_a_board_to_what_it_finds() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let all = deals(&product, &p, 12).await;
    for (at, deal) in all.iter().enumerate() {
        let tags = if at % 3 == 0 { json!(["vip"]) } else { json!([]) };
        let path = format!("/v1/deals/{deal}");
        product.call("PATCH", &path, Some(json!({ "tags": tags })), &p.key).await.expect(200);
        if at % 2 == 0 {
            go(&product, &p, deal, json!({ "stage": "Posted" })).await.expect(200);
        }
    }
    let segment = json!({ "name": "VIPs", "filter": "tag = \"vip\"" });
    let segment = id(&p.post(&product, "/v1/segments", segment).await.expect(201));
    let path = format!("/v1/campaigns/{}/board", p.campaign);
    for (asked, count) in [
        ("filter=tag%20%3D%20%22vip%22".to_owned(), 4),
        ("filter=tag%20%3D%20%22vip%22%20AND%20stage%20%3D%20%22Posted%22".to_owned(), 2),
        (format!("segment={segment}"), 4),
        (format!("segment={segment}&filter=orders%20%3E%200"), 0),
        ("filter=NOT%20tag%20%3D%20%22vip%22".to_owned(), 9),
    ] {
        let board = p.get(&product, &format!("{path}?{asked}")).await;
        let listed = p.get(&product, &format!("/v1/deals?{asked}&limit=200")).await;
        let mut wanted: Vec<String> = listed["data"].as_array().unwrap().iter().map(id).collect();
        let columns = board["columns"].as_array().unwrap();
        let mut found = Vec::new();
        for column in columns {
            let cards = column["data"].as_array().unwrap();
            assert_eq!(column["deals"], cards.len(), "{asked}");
            assert_eq!(column["next_cursor"], Value::Null);
            found.extend(cards.iter().map(id));
        }
        assert_eq!((columns.len(), found.len()), (6, count), "{asked}");
        wanted.sort();
        found.sort();
        assert_eq!(found, wanted, "{asked}");
    }
    for (wrong, status) in [("filter=tag%20%3D", 422), ("segment=x", 422), ("sort=name", 422)] {
        let path = format!("{path}?{wrong}");
        assert_eq!(product.call("GET", &path, None, &p.key).await.status, status, "{wrong}");
    }
}
