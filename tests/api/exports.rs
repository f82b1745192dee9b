//! Lists as files: all of them, with what narrows them in force, and no cell a formula (reliability.md, D18).

use serde_json::{Value, json};
use tributary::web::api::docs;
use tributary::web::listed::{LISTS, columns};

use crate::support::shop::{coded, order};
use crate::support::{Product, Programme};

/// Lists that are no files, and why.
const NO_FILES: [(&str, &str); 8] = [
    ("/v1/automations/templates", "come with the product"),
    ("/v1/creators/duplicates", "groups of creators, to be merged one by one"),
    ("/v1/creators/{id}/export", "is one already"),
    ("/v1/deals/{id}/offers", "few, each a document of its own"),
    ("/v1/me/export", "is one already"),
    ("/v1/deals/{id}/performance/days", "what a drawing stands on, at most a year"),
    ("/v1/passkeys", "how somebody signs in"),
    ("/v1/sessions", "how somebody signs in"),
];

async fn csv(product: &Product, key: &str, path: &str) -> String {
    let answer = product.call("GET", path, None, key).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8", "{path}");
    answer.text
}

/// What a schema is, without references and without being null.
fn resolved<'a>(document: &'a Value, mut schema: &'a Value) -> &'a Value {
    loop {
        let some = ["oneOf", "anyOf", "allOf"].iter().find_map(|name| schema[*name].as_array());
        if let Some(name) = schema["$ref"].as_str() {
            schema = document.pointer(name.trim_start_matches('#')).unwrap();
        } else if let Some(one) = some.and_then(|all| all.iter().find(|s| s["type"] != "null")) {
            schema = one;
        } else {
            return schema;
        }
    }
}

/// Whether the API shows something at a path: of a list, in each of its items.
fn is_shown(document: &Value, schema: &Value, path: &str) -> bool {
    let mut found = resolved(document, schema);
    for name in path.split('.') {
        if !found["items"].is_null() {
            found = resolved(document, &found["items"]);
        }
        if found["properties"][name].is_null() {
            return false;
        }
        found = resolved(document, &found["properties"][name]);
    }
    true
}

#[test]
fn every_list_is_a_file_with_columns_that_it_shows() {
    let document: Value = serde_json::from_str(&docs::generate()).unwrap();
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let answer = &item["get"]["responses"]["200"]["content"];
        let schema = resolved(&document, &answer["application/json"]["schema"]);
        let named = schema["properties"].as_object();
        let is_list = named.is_some_and(|p| p.keys().eq(["data", "next_cursor"]));
        let columns = columns(path);
        if NO_FILES.iter().any(|(list, _)| list == path) {
            assert!(is_list && columns.is_none() && answer["text/csv"].is_null(), "{path}");
            continue;
        }
        assert_eq!(
            is_list,
            columns.is_some(),
            "{path}: a list needs its columns in src/web/listed.rs, or a reason here"
        );
        let Some(columns) = columns else { continue };
        seen += 1;
        let row = &schema["properties"]["data"]["items"];
        for (name, at) in columns {
            assert!(is_shown(&document, row, at), "{path}: {name} at {at}");
        }
        assert!(!answer["text/csv"].is_null(), "{path}");
        let parameters = item["get"]["parameters"].as_array().unwrap();
        assert_eq!(parameters.iter().filter(|p| p["name"] == "format").count(), 1, "{path}");
    }
    assert_eq!(seen, LISTS.len(), "a list that is none any more");
}

#[tokio::test]
async fn every_list_answers_a_file_and_the_same_rows() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let one = product.db.rows("SELECT id FROM stores")[0]["id"].as_str().unwrap().to_owned();
    p.deliver(&product, &coded(order(1), "ANNA10")).await;
    let order = product.db.rows("SELECT id FROM orders");
    let order = order.first().map_or("order_0", |row| row["id"].as_str().unwrap());
    for (list, _) in LISTS.iter().filter(|(list, _)| !list.starts_with("/v1/me/")) {
        let id = match *list {
            l if l.starts_with("/v1/stores/") => &one,
            l if l.starts_with("/v1/orders/") => order,
            _ => &p.deal,
        };
        let path = list.replace("{id}", id);
        let listed = product.call("GET", &path, None, &p.key).await;
        let file = product.call("GET", &format!("{path}?format=csv"), None, &p.key).await;
        assert_eq!(listed.status, file.status, "{list}: {}", file.text);
        if file.status != 200 {
            continue;
        }
        let names = columns(list).unwrap();
        let header: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        assert!(file.text.starts_with(&header.join(",")), "{list}: {}", file.text);
        let rows = listed.json["data"].as_array().unwrap().len();
        assert!(file.text.matches("\r\n").count() > rows, "{list}");
        let json = product.call("GET", &format!("{path}?format=json"), None, &p.key).await;
        assert_eq!(json.text, listed.text, "{list}");
        let name = format!("attachment; filename=\"{}.csv\"", list.rsplit('/').next().unwrap());
        assert_eq!(file.headers["content-disposition"], name.as_str());
    }
}

#[tokio::test]
async fn what_narrows_a_list_narrows_its_file() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let path = format!("/v1/deals/{}/follow-ups", p.deal);
    for n in 0..450 {
        let due = if n % 3 == 0 { "2026-01-01" } else { "2027-01-01" };
        let told = json!({ "text": format!("=cmd|{n}"), "due_on": due });
        p.post(&product, &path, told).await.expect(201);
    }
    let rows = async |query: &str| {
        let text = csv(&product, &p.key, &format!("/v1/follow-ups?{query}")).await;
        text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    // D18: three pages of the list, no cell a formula.
    let all = rows("format=csv").await;
    assert_eq!(all.len(), 450);
    assert!(all.iter().all(|row| row.contains(",'=cmd|")), "{}", all[0]);
    assert_eq!(rows("state=overdue&format=csv").await.len(), 150);
    assert_eq!(rows("format=csv&state=done").await.len(), 0);
    let part = product.call("GET", "/v1/follow-ups?format=csv&limit=210", None, &p.key).await;
    assert_eq!(part.text.lines().count(), 211);
    let cursor = part.headers["x-next-cursor"].to_str().unwrap();
    let rest = rows(&format!("format=csv&cursor={cursor}")).await;
    assert_eq!(rest.len(), 240);
    assert!(!rest.iter().any(|row| part.text.contains(row)));
    for bad in [
        "format=xls",
        "format=",
        "format=csv&format=csv",
        "format=csv&limit=10001",
        "format=csv&limit=0",
        "format=csv&limit=1&limit=1",
        "format=csv&state=none",
        "format=csv&x=1",
        "format=csv&cursor=!",
        "format=csv&cursor=",
        "for%6Dat=csv",
    ] {
        let answer = product.call("GET", &format!("/v1/follow-ups?{bad}"), None, &p.key).await;
        assert_eq!(answer.status, 422, "{bad}");
    }
    // Whoever may not see the list doesn't get its file.
    let key = json!({ "name": "R", "scopes": ["read"] });
    let reader = p.post(&product, "/v1/keys", key).await.expect(201)["api_key"].clone();
    let reader = reader.as_str().unwrap();
    assert_eq!(product.call("GET", "/v1/audit?format=csv", None, reader).await.status, 403);
    assert_eq!(product.call("GET", "/v1/audit?format=csv", None, "nobody").await.status, 401);
    let q = Programme::with(&product, "EUR", "10").await;
    assert_eq!(product.call("GET", &format!("{path}?format=csv"), None, &q.key).await.status, 404);
    let theirs = csv(&product, &q.key, "/v1/follow-ups?format=csv").await;
    assert_eq!(theirs.lines().count(), 1);
    // What isn't a list, or is something else of that name, stays what it is.
    for path in ["/v1/brand", "/v1/payouts/payout_x/export"] {
        let plain = product.call("GET", path, None, &p.key).await;
        let asked = product.call("GET", &format!("{path}?format=csv"), None, &p.key).await;
        assert_eq!(
            (plain.status == 200, asked.status == 200),
            (path == "/v1/brand", path == "/v1/brand")
        );
        assert!(!asked.text.starts_with("id,"), "{path}");
    }
}

#[tokio::test]
async fn the_trail_is_a_file_whole() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    for n in 0..250 {
        let told = json!({ "name": "=1+1", "handle": format!("h{n}") });
        p.post(&product, "/v1/creators", told).await.expect(201);
    }
    let file = csv(&product, &p.key, "/v1/audit?format=csv&action=creator.create").await;
    assert!(file.starts_with("at,actor,actor_id,action,subject_id,request_id,before,after\r\n"));
    assert_eq!(file.lines().count(), 1 + 251);
    assert!(file.contains("\"\"name\"\":\"\"=1+1\"\""), "{}", &file[..600]);
}
