//! Templates of terms: their versions, and offers made from them.

use serde_json::{Value, json};

use super::payouts::token;
use crate::support::{NOW_MS, Product, Programme, at_once};

/// What the tests below try, each with its row in the trail.
pub const TEMPLATE_COMMANDS: [&str; 3] =
    ["post /v1/term-templates", "patch /v1/term-templates/{id}", "delete /v1/term-templates/{id}"];

fn id(json: &Value) -> String {
    json["id"].as_str().unwrap().to_owned()
}

fn ambassador() -> Value {
    json!({ "name": " Ambassador ", "contract": "Two posts a month.",
        "terms": { "commission_percent": "12.5", "first_order_only": true,
            "rates": [{ "commission_percent": "20", "product_ids": ["77"], "label": "Cushions" }],
            "cap_per_month": { "amount": "500.00", "currency": "USD" } } })
}

async fn patch(product: &Product, p: &Programme, path: &str, body: Value) -> Value {
    product.pass(1);
    product.call("PATCH", path, Some(body), &p.key).await.expect(200)
}

#[tokio::test]
async fn a_template_is_changed_by_versions_which_are_kept() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let made = p.post(&product, "/v1/term-templates", ambassador()).await.expect(201);
    assert_eq!((&made["name"], &made["version"]), (&json!("Ambassador"), &json!(1)));
    assert_eq!(made["terms"]["rates"][0]["product_ids"], json!(["77"]));
    assert_eq!(made["terms"]["starts_at"], Value::Null);
    let path = format!("/v1/term-templates/{}", id(&made));
    let shown = product.call("GET", &path, None, &p.key).await;
    assert_eq!(shown.json, made);
    let changed = patch(
        &product,
        &p,
        &path,
        json!({ "terms": { "commission_percent": "15" }, "contract": null }),
    )
    .await;
    assert_eq!((&changed["version"], &changed["name"]), (&json!(2), &json!("Ambassador")));
    assert_eq!(changed["terms"]["commission_percent"], "15");
    assert_eq!(changed["terms"]["rates"], json!([]), "terms are changed as a whole");
    assert_eq!(changed["contract"], Value::Null);
    patch(&product, &p, &path, json!({ "name": "Star" })).await;
    let versions = p.get(&product, &format!("{path}/versions")).await;
    let told: Vec<_> = versions["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (v["version"].as_i64().unwrap(), v["name"].clone(), v["contract"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (3, json!("Star"), Value::Null),
            (2, json!("Ambassador"), Value::Null),
            (1, json!("Ambassador"), json!("Two posts a month.")),
        ]
    );
    let first = p.get(&product, &format!("{path}/versions?limit=1")).await;
    let next = first["next_cursor"].as_str().unwrap();
    let second = p.get(&product, &format!("{path}/versions?limit=1&cursor={next}")).await;
    assert_eq!(second["data"][0]["version"], 2);
    for sql in
        ["UPDATE term_template_versions SET rate_bp = 1", "DELETE FROM term_template_versions"]
    {
        assert!(product.db.execute(sql).is_err(), "{sql}");
    }
    product.pass(1);
    product.call("DELETE", &path, None, &p.key).await.expect(204);
    product.call("DELETE", &path, None, &p.key).await.expect(204);
    assert_eq!(p.get(&product, "/v1/term-templates").await["data"], json!([]));
    assert_eq!(
        p.get(&product, "/v1/term-templates?state=all").await["data"][0]["state"],
        "archived"
    );
    let late = product.call("PATCH", &path, Some(json!({ "name": "X" })), &p.key).await.expect(409);
    assert_eq!(late["type"], "/problems/term-template-archived");
    let trail =
        product.db.rows("SELECT action FROM audit WHERE action LIKE 'term_template%' ORDER BY id");
    let told: Vec<&str> = trail.iter().map(|row| row["action"].as_str().unwrap()).collect();
    let [create, update, archive] =
        ["create", "update", "archive"].map(|w| format!("term_template.{w}"));
    assert_eq!(told, [&create, &update, &update, &archive]);
}

#[tokio::test]
async fn an_offer_copies_its_template_and_keeps_what_it_said() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let hers = token(&product, &p, &p.deal).await;
    let made = p.post(&product, "/v1/term-templates", ambassador()).await.expect(201);
    let offers = format!("/v1/deals/{}/offers", p.deal);
    let offer = p.post(&product, &offers, json!({ "template_id": made["id"] })).await.expect(201);
    assert_eq!((&offer["template_id"], &offer["template_version"]), (&made["id"], &json!(1)));
    let document: Value = offer["document"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        (&document["commission_percent"], &document["contract"]),
        (&json!("12.5"), &json!("Two posts a month."))
    );
    assert_eq!(document["rules"]["rates"][0]["products"], json!([77]));
    // What the template says later is another offer's.
    let path = format!("/v1/term-templates/{}", id(&made));
    patch(&product, &p, &path, json!({ "terms": { "commission_percent": "1" } })).await;
    product.call("DELETE", &path, None, &p.key).await.expect(204);
    let decision = format!("/v1/me/offers/{}/decision", id(&offer));
    let yes = json!({ "outcome": "accepted", "hash": offer["hash"] });
    let accepted = product.call("POST", &decision, Some(yes), &hers).await.expect(200);
    assert_eq!((&accepted["hash"], &accepted["template_version"]), (&offer["hash"], &json!(1)));
    let terms = p.get(&product, &format!("/v1/deals/{}", p.deal)).await["terms"].clone();
    assert_eq!(
        (&terms["commission_percent"], &terms["first_order_only"]),
        (&json!("12.5"), &json!(true))
    );
    assert_eq!(terms["rates"][0]["label"], "Cushions");
    let late = p.post(&product, &offers, json!({ "template_id": made["id"] })).await.expect(409);
    assert_eq!(late["type"], "/problems/term-template-archived");
    product.pass(1);
    // Words of its own take the place of the template's.
    let other = p.post(&product, "/v1/term-templates", ambassador()).await.expect(201);
    let own = json!({ "template_id": other["id"], "contract": "One post." });
    let offer = p.post(&product, &offers, own).await.expect(201);
    let document: Value = offer["document"].as_str().unwrap().parse().unwrap();
    assert_eq!(document["contract"], "One post.");
    let timeline = p.get(&product, &format!("/v1/deals/{}/timeline?kind=terms", p.deal)).await;
    assert_eq!(timeline["data"][0]["details"]["template_id"], other["id"]);
}

#[tokio::test]
async fn bad_templates_are_refused_and_change_nothing() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let made = p.post(&product, "/v1/term-templates", ambassador()).await.expect(201);
    let path = format!("/v1/term-templates/{}", id(&made));
    let offers = format!("/v1/deals/{}/offers", p.deal);
    let past = json!({ "name": "Past", "terms": { "commission_percent": "1",
        "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-02-01T00:00:00Z" } });
    let past = p.post(&product, "/v1/term-templates", past).await.expect(201);
    let mut without = ambassador();
    without.as_object_mut().unwrap().remove("terms");
    let with = |name: &str, value: Value| {
        let mut body = ambassador();
        body[name] = value;
        body
    };
    let before = product.db.checksum();
    for (method, path, body, status) in [
        ("POST", "/v1/term-templates", json!({}), 422),
        ("POST", "/v1/term-templates", without, 422),
        ("POST", "/v1/term-templates", with("name", json!(" ")), 422),
        ("POST", "/v1/term-templates", with("name", json!("x".repeat(101))), 422),
        ("POST", "/v1/term-templates", with("name", json!("a\u{0}b")), 422),
        ("POST", "/v1/term-templates", with("contract", json!("x".repeat(20_001))), 422),
        ("POST", "/v1/term-templates", with("terms", json!({ "commission_percent": "101" })), 422),
        (
            "POST",
            "/v1/term-templates",
            with(
                "terms",
                json!({ "commission_percent": "1", "rates": [{ "commission_percent": "2" }] }),
            ),
            422,
        ),
        (
            "POST",
            "/v1/term-templates",
            with(
                "terms",
                json!({ "commission_percent": "1", "starts_at": "2027-02-01T00:00:00Z", "ends_at": "2027-01-01T00:00:00Z" }),
            ),
            422,
        ),
        ("POST", "/v1/term-templates", with("extra", json!(1)), 422),
        ("PATCH", path.as_str(), json!({ "name": "" }), 422),
        ("PATCH", path.as_str(), json!({ "terms": null }), 422),
        ("PATCH", "/v1/term-templates/x", json!({ "name": "x" }), 404),
        ("POST", offers.as_str(), json!({}), 422),
        ("POST", offers.as_str(), json!({ "template_id": "x" }), 422),
        ("POST", offers.as_str(), json!({ "template_id": p.deal }), 422),
        (
            "POST",
            offers.as_str(),
            json!({ "template_id": "termtemplate_00000000000000000000000000" }),
            422,
        ),
        (
            "POST",
            offers.as_str(),
            json!({ "template_id": made["id"], "terms": { "commission_percent": "1" } }),
            422,
        ),
        ("POST", offers.as_str(), json!({ "template_id": past["id"] }), 409),
    ] {
        let answer = product.call(method, path, Some(body.clone()), &p.key).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.text);
    }
    for bad in ["?state=gone", "?limit=0", "?cursor=AAAA!", "?x=1"] {
        let answer = product.call("GET", &format!("/v1/term-templates{bad}"), None, &p.key).await;
        assert_eq!(answer.status, 422, "{bad}");
    }
    let answer = product.call("GET", &format!("{path}/versions?cursor=YQ"), None, &p.key).await;
    assert_eq!(answer.status, 422);
    assert_eq!(product.db.checksum(), before);
    // Another brand's are nobody's.
    let other = Programme::with(&product, "EUR", "10").await;
    assert_eq!(product.call("GET", &path, None, &other.key).await.status, 404);
    let stolen = json!({ "template_id": made["id"] });
    let answer = other.post(&product, &format!("/v1/deals/{}/offers", other.deal), stolen).await;
    assert_eq!(answer.status, 422);
    assert!(product.app.now_ms() >= NOW_MS);
}

#[tokio::test]
async fn two_changes_at_once_make_two_versions_or_one() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let made = p.post(&product, "/v1/term-templates", ambassador()).await.expect(201);
    let path = format!("/v1/term-templates/{}", id(&made));
    // Between what one reads and writes another one puts it away, or offers the next version.
    product.db.before(
        "INSERT INTO term_template_versions",
        "UPDATE term_templates SET version = version + 1",
    );
    let body = Some(json!({ "name": "Late" }));
    let late = product.call("PATCH", &path, body.clone(), &p.key).await;
    assert_eq!(late.status, 503, "{}", late.text);
    product.db.execute("UPDATE term_templates SET version = 1").unwrap();
    let both =
        at_once((0..2).map(|n| {
            product.call("PATCH", &path, Some(json!({ "name": format!("N{n}") })), &p.key)
        }))
        .await;
    let done = both.iter().filter(|answer| answer.status == 200).count();
    assert!(both.iter().all(|answer| matches!(answer.status, 200 | 503)));
    let kept = product.db.rows("SELECT version FROM term_template_versions");
    assert_eq!(kept.len(), 1 + done);
    let offers = format!("/v1/deals/{}/offers", p.deal);
    product.db.before("INSERT INTO offers", "UPDATE term_templates SET archived_at_ms = 1");
    let offered = p.post(&product, &offers, json!({ "template_id": made["id"] })).await.expect(409);
    assert_eq!(offered["type"], "/problems/term-template-archived");
}
