//! Lists by filters, sorts and segments.

use serde_json::{Value, json};
use tributary::domain::time::to_rfc3339;

use crate::support::shop::{coded, order, with};
use crate::support::{Product, Programme};

/// What is noted below.
pub const SEGMENT_COMMANDS: [&str; 3] =
    ["post /v1/segments", "patch /v1/segments/{id}", "delete /v1/segments/{id}"];

fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn query(filter: &str, more: &str) -> String {
    format!("/v1/deals?filter={}{more}", encoded(filter))
}

async fn found(product: &Product, p: &Programme, filter: &str, more: &str) -> Vec<String> {
    let answer = p.get(product, &query(filter, more)).await;
    assert_eq!(answer["next_cursor"], Value::Null, "{filter}");
    let all = answer["data"].as_array().unwrap().iter();
    all.map(|deal| deal["id"].as_str().unwrap().to_owned()).collect()
}

/// A second deal, of Bea, with 20,000 followers.
async fn second(product: &Product, p: &Programme) -> String {
    product.pass(1);
    let bea = json!({ "name": "Bea Yogini", "handle": "bea.moves", "niche": "Yoga mats", "followers": 20_000,
        "tags": ["vip"] });
    let bea = p.post(product, "/v1/creators", bea).await.expect(201);
    let deal =
        json!({ "creator_id": bea["id"], "campaign_id": p.campaign, "commission_percent": "10" });
    let deal = p.post(product, "/v1/deals", deal).await.expect(201);
    deal["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_list_is_what_its_filter_finds_in_its_order() {
    let product = Product::new();
    let p = Programme::with(&product, "USD", "10").await;
    let bea = second(&product, &p).await;
    let ann = p.deal.clone();
    let codes = format!("/v1/deals/{bea}/codes");
    p.post(&product, &codes, json!({ "code": "BEA", "create_in_store": false })).await.expect(201);
    let at = to_rfc3339(product.app.now_ms());
    let body = with(coded(order(1), "BEA"), json!({ "created_at": at, "updated_at": at }));
    assert_eq!(p.deliver(&product, &body).await, 200);
    let all = [&ann, &bea];
    for (filter, expected) in [
        ("followers >= 20000", vec![&bea]),
        ("NOT followers >= 20000", vec![&ann]),
        ("\"yoga bea\"", vec![&bea]),
        ("\"moves\" AND tag = \"vip\"", vec![&bea]),
        ("\"mat* OR\"", vec![]),
        ("has_code", vec![&bea]),
        ("state = open", all.to_vec()),
        ("orders[this_month] = 1 AND revenue[30d] > 100", vec![&bea]),
        ("revenue[2026-10] > 0", vec![]),
        ("commission[2026-11-01..2026-11-30] >= 13.50", vec![&bea]),
        ("revenue_per_commission = 10", vec![&bea]),
        ("days_since_last_sale = 0", vec![&bea]),
        ("created = today", all.to_vec()),
        ("created < today-1d OR invited", vec![]),
        ("tag = \"' OR 1=1 --\"", vec![]),
    ] {
        assert_eq!(
            found(&product, &p, filter, "").await.iter().collect::<Vec<_>>(),
            expected,
            "{filter}"
        );
    }
    for (sort, expected) in [
        ("-revenue", [&bea, &ann]),
        ("revenue", [&ann, &bea]),
        ("-orders[30d]", [&bea, &ann]),
        ("-name", [&bea, &ann]),
        ("followers", all),
        ("days_since_last_sale", [&bea, &ann]),
        ("-created", [&bea, &ann]),
    ] {
        let answer = p.get(&product, &format!("/v1/deals?sort={}", encoded(sort))).await;
        let ids: Vec<&str> =
            answer["data"].as_array().unwrap().iter().map(|d| d["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{sort}");
    }
    // What is renamed or erased isn't found by its old name.
    product
        .db
        .execute("UPDATE creators SET name = 'Eve', niche = NULL WHERE handle = 'bea.moves'")
        .unwrap();
    assert!(found(&product, &p, "\"yogini\"", "").await.is_empty());
    assert_eq!(found(&product, &p, "\"eve\"", "").await, [bea]);
    p.verify(&product).await;
}

#[tokio::test]
async fn pages_follow_each_other_and_cursors_belong_to_their_list() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    for _ in 0..4 {
        let deal = json!({ "creator_id": p.creator, "campaign_id": p.campaign });
        p.post(&product, "/v1/deals", deal).await.expect(201);
    }
    for sort in [
        "created",
        "-created",
        "name",
        "-followers",
        "last_contact",
        "-revenue",
        "conversion[30d]",
        "days_since_last_sale",
    ] {
        let mut ids = Vec::new();
        let mut more = String::new();
        loop {
            let page = p
                .get(
                    &product,
                    &query("state = open", &format!("&limit=2&sort={}{more}", encoded(sort))),
                )
                .await;
            ids.extend(
                page["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|d| d["id"].as_str().unwrap().to_owned()),
            );
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            more = format!("&cursor={cursor}");
        }
        assert_eq!(ids.len(), 5, "{sort}");
        let once: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(once.len(), 5, "{sort}");
    }
    let first = p.get(&product, &query("state = open", "&limit=2&sort=-name")).await;
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    let plain =
        p.get(&product, "/v1/deals?limit=2").await["next_cursor"].as_str().unwrap().to_owned();
    use base64::Engine;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let text = String::from_utf8(engine.decode(&cursor).unwrap()).unwrap();
    let forged = |text: &str| engine.encode(text);
    for (filter, more) in [
        ("state = open", format!("&sort=name&cursor={cursor}")),
        ("state = closed", format!("&sort=-name&cursor={cursor}")),
        ("state = open", format!("&sort=-name&cursor={plain}")),
        (
            "state = open",
            format!("&sort=-name&cursor={}", forged(&text.replace("deal_", "deal_0"))),
        ),
        ("state = open", format!("&sort=-name&cursor={}", forged("[]"))),
        ("state = open", format!("&sort=-name&cursor={}", forged("[\"\",\"1)\",\"\",\"\"]"))),
        ("state = open", "&sort=-name&cursor=%00".to_owned()),
    ] {
        let answer = product.call("GET", &query(filter, &more), None, &p.key).await.expect(422);
        assert_eq!(answer["errors"][0]["field"], "cursor", "{more}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_filter_is_told_with_its_place() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let before = product.db.checksum();
    for (path, field, reason) in [
        (query("followers > ", ""), "filter", "at character 13: expected a number"),
        (query("", ""), "filter", "at character 1: expected a field"),
        (query(&"(".repeat(500), ""), "filter", "deep"),
        (query(&"x".repeat(2001), ""), "filter", "at most 2000 characters"),
        (query("created = 2026-02-30", ""), "filter", "at character 11"),
        (query("revenue[2026-10-02..2026-10-01] > 1", ""), "filter", "before the first"),
        ("/v1/deals?sort=%3BDROP".to_owned(), "sort", "at character 1"),
        ("/v1/deals?sort=email".to_owned(), "sort", "at character 1"),
        ("/v1/deals?segment=seg_x".to_owned(), "segment", ""),
        ("/v1/deals?sort=name&limit=0".to_owned(), "limit", "1 to 200"),
        ("/v1/deals?sort=name&limit=-1".to_owned(), "limit", "1 to 200"),
        ("/v1/deals?sort=name&limit=1000000000".to_owned(), "limit", "1 to 200"),
        ("/v1/deals?filter=invited&filter=invited".to_owned(), "filter", "twice"),
        ("/v1/deals?filters=invited".to_owned(), "filters", "no parameter"),
    ] {
        let answer = product.call("GET", &path, None, &p.key).await.expect(422);
        assert_eq!(answer["errors"][0]["field"], field, "{path}");
        assert!(answer["errors"][0]["reason"].as_str().unwrap().contains(reason), "{answer}");
    }
    assert_eq!(product.db.checksum(), before);
}

#[tokio::test]
async fn segments_are_saved_for_everybody_in_the_brand() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let bea = second(&product, &p).await;
    let new = json!({ "name": "Large", "filter": "followers>=10000", "sort": "-followers" });
    let made = p.post(&product, "/v1/segments", new.clone()).await.expect(201);
    assert_eq!(
        (&made["filter"], &made["made_by"]["kind"]),
        (&json!("followers >= 10000"), &json!("key"))
    );
    let id = made["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/segments/{id}");
    let list = p.get(&product, &format!("/v1/deals?segment={id}")).await;
    assert_eq!((list["data"].as_array().unwrap().len(), &list["data"][0]["id"]), (1, &json!(bea)));
    assert!(found(&product, &p, "NOT tag = \"vip\"", &format!("&segment={id}")).await.is_empty());
    let taken = p.post(&product, "/v1/segments", new).await.expect(409);
    assert_eq!(taken["type"], "/problems/segment-name-taken");
    for (body, field) in [
        (json!({ "name": "", "filter": "invited" }), "name"),
        (json!({ "name": "x", "filter": "invite" }), "filter"),
        (json!({ "name": "x", "filter": "invited", "sort": "x" }), "sort"),
        (json!({ "name": "x", "filter": "invited", "brand_id": "x" }), "brand_id"),
    ] {
        let answer = p.post(&product, "/v1/segments", body).await.expect(422);
        assert_eq!(answer["errors"][0]["field"], field);
    }
    product.pass(1);
    let change = Some(json!({ "name": "Small", "filter": "NOT followers >= 10000" }));
    let changed = product.call("PATCH", &path, change, &p.key).await.expect(200);
    assert_eq!((&changed["name"], &changed["sort"]), (&json!("Small"), &json!("-followers")));
    assert_eq!(p.get(&product, "/v1/segments").await["data"], json!([changed]));
    assert_eq!(p.get(&product, &path).await, changed);
    // Another brand's isn't there.
    let other = Programme::new(&product).await;
    for (method, body) in [("GET", None), ("PATCH", Some(json!({}))), ("DELETE", None)] {
        product.call(method, &path, body, &other.key).await.expect(404);
    }
    product.call("GET", &format!("/v1/deals?segment={id}"), None, &other.key).await.expect(404);
    product.pass(1);
    product.call("DELETE", &path, None, &p.key).await.expect(204);
    product.call("GET", &format!("/v1/deals?segment={id}"), None, &p.key).await.expect(404);
    let trail = p.get(&product, &format!("/v1/audit?subject_id={id}")).await;
    let actions: Vec<_> =
        trail["data"].as_array().unwrap().iter().map(|row| row["action"].clone()).collect();
    assert_eq!(actions, ["segment.delete", "segment.update", "segment.create"]);
}

/// Two changes at the same moment: the second is told.
#[tokio::test]
async fn a_segment_that_changed_meanwhile_is_not_overwritten() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let made = p
        .post(&product, "/v1/segments", json!({ "name": "A", "filter": "invited" }))
        .await
        .expect(201);
    let path = format!("/v1/segments/{}", made["id"].as_str().unwrap());
    product.db.before("UPDATE segments", "UPDATE segments SET revision = revision + 1");
    let refused =
        product.call("PATCH", &path, Some(json!({ "name": "B" })), &p.key).await.expect(409);
    assert_eq!(refused["type"], "/problems/changed-meanwhile");
}

/// Days are counted in the brand's calendar, so it stays once there are orders.
#[tokio::test]
async fn a_time_zone_stays_once_there_are_orders() {
    let product = Product::new();
    let p = Programme::with(&product, "USD", "10").await;
    let zone = |name: &str| Some(json!({ "timezone": name }));
    product.call("PATCH", "/v1/brand", zone("Europe/Berlin"), &p.key).await.expect(200);
    assert_eq!(p.deliver(&product, &order(1)).await, 200);
    let refused = product.call("PATCH", "/v1/brand", zone("UTC"), &p.key).await.expect(409);
    assert_eq!(refused["type"], "/problems/timezone-fixed");
    product.call("PATCH", "/v1/brand", zone("Europe/Berlin"), &p.key).await.expect(200);
}
