//! Codes that shops make: what is asked, what becomes of it, and that no question makes two.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::shop::{coded, order, sign};
use crate::support::sqlite::Sqlite;
use crate::support::{PHONE, Product, Programme, SECRET};
use tributary::app::WebAnswer;
use tributary::jobs::outbox::run_due;

/// Tried here, with the trail that they leave.
pub const CODE_COMMANDS: [&str; 7] = [
    "post /v1/affiliate-groups",
    "patch /v1/affiliate-groups/{id}",
    "post /v1/affiliate-groups/{id}/archive",
    "post /v1/affiliate-groups/{id}/codes",
    "post /v1/codes/import",
    "patch /v1/codes/{id}",
    "post /v1/codes/{id}/retry",
];

const GRAPHQL: &str = "https://casa.myshopify.com/admin/api/2026-10/graphql.json";
const TOKEN: &str = "https://casa.myshopify.com/admin/oauth/access_token";
const GID: &str = "gid://shopify/DiscountCodeNode/7";

type Told = Result<WebAnswer, String>;

fn answer(status: u16, body: &Value) -> Told {
    Ok(WebAnswer { status, retry_after: String::new(), body: body.to_string() })
}

fn data(data: Value) -> Told {
    answer(200, &json!({ "data": data }))
}

fn made() -> Told {
    data(json!({ "made": { "codeDiscountNode": { "id": GID }, "userErrors": [] } }))
}

fn complains(field: &str, code: &str) -> Told {
    data(
        json!({ field: { "userErrors": [{ "field": ["code"], "code": code, "message": "Odd" }] } }),
    )
}

fn owned(title: &str) -> Told {
    data(json!({ "owner": { "id": GID, "codeDiscount": { "title": title } } }))
}

fn nobody() -> Told {
    data(json!({ "owner": null }))
}

/// Of the next spellings so many are taken in the shop.
fn spellings(taken: usize) -> Told {
    let all = (0..5).map(|n| {
        let owner = if n < taken { json!({ "id": GID }) } else { Value::Null };
        (format!("c{n}"), owner)
    });
    data(Value::Object(all.collect()))
}

/// A shop that gives a token and then answers so.
async fn shop(answers: Vec<Told>) -> (Product, Programme) {
    let product = Product::over(Sqlite::new(), false);
    let p = Programme::new(&product).await;
    let token = json!({ "access_token": "t", "scope": "write_discounts", "expires_in": 86_399 });
    product.web.script(TOKEN, vec![answer(200, &token)]);
    product.web.script(GRAPHQL, answers);
    (product, p)
}

fn ten() -> Value {
    json!({ "discount": { "kind": "percentage", "percent": "10" } })
}

impl Programme {
    async fn code(&self, product: &Product, body: Value) -> Value {
        self.post(product, &format!("/v1/deals/{}/codes", self.deal), body).await.expect(201)
    }

    async fn seen(&self, product: &Product, code: &Value) -> Value {
        self.get(product, &format!("/v1/codes/{}", code["id"].as_str().unwrap())).await
    }
}

/// The operations that the shop was asked for, in their order.
fn asked(product: &Product) -> Vec<String> {
    let name = |body: &String| {
        let body: Value = body.parse().unwrap();
        let text = body["query"].as_str().unwrap().to_owned();
        text.split(['(', ' ', '{']).nth(1).unwrap().to_owned()
    };
    product.web.asked(GRAPHQL).iter().map(name).collect()
}

async fn later(product: &Product, ms: i64) {
    product.pass(ms);
    run_due(&product.app).await.unwrap();
}

#[tokio::test]
async fn a_code_is_made_right_after_the_answer_and_counts_from_then_on() {
    let (product, p) = shop(vec![Err("reset".into())]).await;
    let mut body = ten();
    body["code"] = json!("ANNA10");
    let code = p.code(&product, body).await;
    assert_eq!((&code["state"], &code["pending"]), (&json!("creating"), &json!(true)));
    // The shop didn't answer: an order with this code is somebody else's.
    p.deliver(&product, &coded(order(1), "anna10")).await;
    assert_eq!(p.order(&product, 1).await["deal_id"], Value::Null);
    let waits = p.seen(&product, &code).await;
    assert!(waits["reason"].as_str().unwrap().starts_with("not done yet"), "{waits}");
    product.web.script(GRAPHQL, vec![nobody(), made()]);
    later(&product, 120_000).await;
    let seen = p.seen(&product, &code).await;
    assert_eq!(
        (&seen["state"], &seen["in_store"], &seen["reason"]),
        (&json!("active"), &json!(true), &json!(""))
    );
    assert_eq!(asked(&product), ["MakeBasicDiscount", "CodeOwner", "MakeBasicDiscount"]);
    let body: Value = product.web.asked(GRAPHQL)[2].parse().unwrap();
    let discount = &body["variables"]["discount"];
    assert!(
        discount["title"]
            .as_str()
            .unwrap()
            .ends_with(&format!("({})", code["id"].as_str().unwrap()))
    );
    assert_eq!(
        (&discount["code"], &discount["context"]),
        (&json!("ANNA10"), &json!({ "all": "ALL" }))
    );
    p.deliver(&product, &coded(order(2), "anna10")).await;
    assert_eq!(p.order(&product, 2).await["deal_id"], p.deal.as_str());
    p.verify(&product).await;
    let trail = product.db.rows("SELECT action FROM audit WHERE action LIKE 'code.%' ORDER BY id");
    assert_eq!(trail, [json!({ "action": "code.create" }), json!({ "action": "code.made" })]);
}

#[tokio::test]
async fn what_nobody_knows_is_looked_up_and_never_made_twice() {
    // It was made, and the answer was lost.
    let (product, p) = shop(vec![Err("reset".into())]).await;
    let code = p.code(&product, json!({ "code": "ANNA10", "discount": ten()["discount"] })).await;
    let title = format!("ANNA10 ({})", code["id"].as_str().unwrap());
    product.web.script(GRAPHQL, vec![owned(&title)]);
    later(&product, 120_000).await;
    assert_eq!(p.seen(&product, &code).await["state"], "active");
    assert_eq!(asked(&product), ["MakeBasicDiscount", "CodeOwner"]);
    // It arrives only after the look.
    let (product, p) = shop(vec![answer(503, &json!({}))]).await;
    let code = p.code(&product, json!({ "code": "ANNA10", "discount": ten()["discount"] })).await;
    let title = format!("ANNA10 ({})", code["id"].as_str().unwrap());
    product.web.script(GRAPHQL, vec![nobody(), complains("made", "TAKEN"), owned(&title)]);
    later(&product, 120_000).await;
    assert_eq!(p.seen(&product, &code).await["state"], "active");
    // Somebody else has the code meanwhile.
    let (product, p) = shop(vec![Err("reset".into())]).await;
    let code = p.code(&product, json!({ "code": "ANNA10", "discount": ten()["discount"] })).await;
    product
        .web
        .script(GRAPHQL, vec![owned("Summer (code_01h455vb4pex5vsknk084sn02q)"), spellings(0)]);
    later(&product, 120_000).await;
    let seen = p.seen(&product, &code).await;
    assert_eq!((&seen["state"], &seen["suggestion"]), (&json!("failed"), &json!("ANNA10-2")));
}

#[tokio::test]
async fn a_taken_code_offers_the_next_spelling_and_catches_no_orders() {
    let answers = vec![complains("made", "TAKEN"), owned("Summer sale"), spellings(1)];
    let (product, p) = shop(answers).await;
    let code = p.code(&product, json!({ "code": "SUMMER", "discount": ten()["discount"] })).await;
    let seen = p.seen(&product, &code).await;
    assert_eq!(seen["state"], "failed");
    assert_eq!(seen["reason"], "another discount of the shop has this code");
    assert_eq!(seen["suggestion"], "SUMMER-3", "SUMMER-2 is taken too");
    p.deliver(&product, &coded(order(1), "SUMMER")).await;
    assert_eq!(p.order(&product, 1).await["deal_id"], Value::Null);
    // It is in nobody's way: another deal may take it over.
    p.rival(&product, "SUMMER").await;
    let retry = format!("/v1/codes/{}/retry", code["id"].as_str().unwrap());
    p.post(&product, &retry, json!({})).await.expect(409);
    p.post(&product, &retry, json!({ "code": "a b" })).await.expect(422);
    product.web.script(GRAPHQL, vec![made()]);
    p.post(&product, &retry, json!({ "code": "SUMMER-3" })).await.expect(200);
    let seen = p.seen(&product, &code).await;
    assert_eq!((&seen["state"], &seen["code"]), (&json!("active"), &json!("SUMMER-3")));
    p.post(&product, &retry, json!({})).await.expect(409);
    p.verify(&product).await;
}

#[tokio::test]
async fn a_spelling_of_ours_gives_way_by_itself() {
    let answers = vec![complains("made", "TAKEN"), owned("x"), spellings(2), made()];
    let (product, p) = shop(answers).await;
    let code = p.code(&product, ten()).await;
    assert_eq!(code["code"], "ANNAHOME10");
    let seen = p.seen(&product, &code).await;
    assert_eq!((&seen["state"], &seen["code"]), (&json!("active"), &json!("ANNAHOME10-4")));
    // The same handle again: what the deal has isn't asked for.
    product.web.script(GRAPHQL, vec![made()]);
    let (deal, _) = p.rival(&product, "X").await;
    let second = p.post(&product, &format!("/v1/deals/{deal}/codes"), ten()).await.expect(201);
    assert_eq!(second["code"], "BERTAX10");
}

#[tokio::test]
async fn what_shopify_refuses_is_told_in_words() {
    let denied = json!({ "errors": [{ "message": "Access denied", "extensions": {
        "code": "ACCESS_DENIED", "requiredAccess": "`write_discounts` access scope" } }] });
    let (product, p) = shop(vec![answer(200, &denied)]).await;
    let code = p.code(&product, ten()).await;
    let seen = p.seen(&product, &code).await;
    assert_eq!(seen["state"], "failed");
    assert!(seen["reason"].as_str().unwrap().contains("write_discounts"), "{seen}");
    let again = format!("/v1/codes/{}/retry", code["id"].as_str().unwrap());
    product.web.script(GRAPHQL, vec![complains("made", "VALUE_OUTSIDE_RANGE")]);
    p.post(&product, &again, json!({})).await.expect(200);
    let seen = p.seen(&product, &code).await;
    assert_eq!(seen["reason"], "Shopify refused it: Odd (code)");
}

fn added(codes: &[(&str, Option<&str>)]) -> Told {
    let one = |(code, redeem): &(&str, Option<&str>)| {
        let errors =
            if redeem.is_some() { json!([]) } else { json!([{ "code": "TAKEN", "message": "m" }]) };
        let redeem =
            redeem.map(|id| json!({ "id": format!("gid://shopify/DiscountRedeemCode/{id}") }));
        json!({ "code": code, "errors": errors, "discountRedeemCode": redeem })
    };
    let nodes: Vec<Value> = codes.iter().map(one).collect();
    data(json!({ "creation": { "done": true, "codes": { "nodes": nodes } } }))
}

fn adding() -> Told {
    let id = json!({ "id": "gid://shopify/DiscountRedeemCodeBulkCreation/1" });
    data(json!({ "added": { "bulkCreation": id, "userErrors": [] } }))
}

fn carries(codes: &[&str]) -> Told {
    let node = |code: &&str| json!({ "id": "gid://shopify/DiscountRedeemCode/50", "code": code });
    let nodes: Vec<Value> = codes.iter().map(node).collect();
    let page = json!({ "hasNextPage": false, "endCursor": null });
    data(json!({ "node": { "codeDiscount": { "codes": { "nodes": nodes, "pageInfo": page } } } }))
}

async fn group(product: &Product, p: &Programme, mode: &str) -> Value {
    let body = json!({ "name": "Autumn", "mode": mode, "ends_with_deal": true,
        "discount": { "kind": "percentage", "percent": "15" } });
    p.post(product, "/v1/affiliate-groups", body).await.expect(201)
}

#[tokio::test]
async fn a_group_is_one_discount_with_all_its_codes() {
    let (product, p) = shop(vec![]).await;
    let group = group(&product, &p, "one_discount").await;
    let of = format!("/v1/affiliate-groups/{}/codes", group["id"].as_str().unwrap());
    let mut deals = vec![p.deal.clone()];
    for code in ["X", "Y", "Z"] {
        deals.push(p.rival(&product, code).await.0);
    }
    // The second is somebody else's: it gets another spelling. The third was added by a question whose
    // answer was lost.
    let answers = vec![made(), Err("reset".into())];
    product.web.script(GRAPHQL, answers);
    let codes = p.post(&product, &of, json!({ "deal_ids": deals })).await.expect(201);
    let texts: Vec<&str> =
        codes["data"].as_array().unwrap().iter().map(|c| c["code"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 4);
    let rest: Vec<&str> = texts[1..].to_vec();
    product.web.script(
        GRAPHQL,
        vec![
            carries(&[texts[0], rest[1]]),
            adding(),
            added(&[(rest[0], None), (rest[2], Some("9"))]),
            carries(&[texts[0], rest[1], rest[2]]),
            spellings(0),
            adding(),
            added(&[(&format!("{}-2", rest[0]), Some("10"))]),
        ],
    );
    later(&product, 120_000).await;
    let names = [
        "MakeBasicDiscount",
        "AddRedeemCodes",
        "RedeemCodes",
        "AddRedeemCodes",
        "RedeemCodesAdding",
        "RedeemCodes",
        "CodeOwners",
        "AddRedeemCodes",
        "RedeemCodesAdding",
    ];
    assert_eq!(asked(&product), names);
    let all = p
        .get(&product, &format!("/v1/codes?affiliate_group_id={}", group["id"].as_str().unwrap()))
        .await;
    let all = all["data"].as_array().unwrap();
    assert!(
        all.iter().all(|code| code["state"] == "active" && code["pending"] == false),
        "{all:?}"
    );
    assert!(all.iter().any(|code| code["code"] == format!("{}-2", rest[0]).as_str()));
    assert_eq!(
        product.db.rows("SELECT state FROM outbox WHERE kind = 'add_codes'"),
        [json!({ "state": "done" })]
    );
}

#[tokio::test]
async fn codes_end_and_begin_with_their_deal() {
    let (product, p) = shop(vec![made()]).await;
    let shared = group(&product, &p, "one_discount").await;
    let code = p.code(&product, json!({ "affiliate_group_id": shared["id"] })).await;
    let deal = format!("/v1/deals/{}", p.deal);
    let link = p
        .post(&product, &format!("{deal}/links"), json!({ "target": "/p?v=1", "apply_code": true }))
        .await
        .expect(201);
    assert_eq!(link["applies_code"], code["id"]);
    let slug = link["slug"].as_str().unwrap();
    let to = product.visit("", slug, "utm=x", PHONE).await.unwrap();
    let through = format!(
        "https://shop.casa.example/discount/{}?redirect=/p%3Fv%3D1%26utm%3Dx%26ref%3D{slug}%26click_id%3D",
        code["code"].as_str().unwrap()
    );
    assert!(to.starts_with(&through), "{to}");
    // Taken out of the discount that others share.
    let taken_out =
        data(json!({ "deleted": { "job": { "id": "gid://shopify/Job/1" }, "userErrors": [] } }));
    product.web.script(
        GRAPHQL,
        vec![carries(&[code["code"].as_str().unwrap()]), taken_out, owned("Autumn"), nobody()],
    );
    product.call("PATCH", &deal, Some(json!({ "state": "closed" })), &p.key).await.expect(200);
    let seen = p.seen(&product, &code).await;
    assert_eq!(
        (&seen["state"], &seen["pending"], &seen["in_store"]),
        (&json!("deactivated"), &json!(false), &json!(false))
    );
    // What isolates and data centres remember is a minute and a half old at most.
    product.pass(90_000);
    product.cache.0.lock().unwrap().clear();
    let to = product.visit("", slug, "", PHONE).await.unwrap();
    assert!(to.starts_with("https://shop.casa.example/p?v=1&ref="), "{to}");
    product
        .web
        .script(GRAPHQL, vec![adding(), added(&[(code["code"].as_str().unwrap(), Some("3"))])]);
    product.call("PATCH", &deal, Some(json!({ "state": "open" })), &p.key).await.expect(200);
    assert_eq!(p.seen(&product, &code).await["state"], "active");
    // By hand, with a discount of its own.
    product.web.script(GRAPHQL, vec![made()]);
    let own = p
        .code(
            &product,
            json!({ "code": "OWN", "discount": ten()["discount"], "ends_with_deal": true }),
        )
        .await;
    let path = format!("/v1/codes/{}", own["id"].as_str().unwrap());
    let switch = async |state: &str| {
        product.call("PATCH", &path, Some(json!({ "state": state })), &p.key).await
    };
    let switched =
        || data(json!({ "switched": { "codeDiscountNode": { "id": GID }, "userErrors": [] } }));
    product.web.script(GRAPHQL, vec![switched(), switched()]);
    assert_eq!(switch("deactivated").await.expect(200)["state"], "deactivated");
    assert_eq!(switch("active").await.expect(200)["state"], "active");
    assert_eq!(p.seen(&product, &own).await["pending"], false);
    // What was switched off by hand stays so when the deal is opened again.
    product.web.script(GRAPHQL, vec![switched()]);
    switch("deactivated").await.expect(200);
    p.post(
        &product,
        &format!("/v1/affiliate-groups/{}/archive", shared["id"].as_str().unwrap()),
        json!({}),
    )
    .await
    .expect(200);
    let none = p
        .post(&product, &format!("{deal}/codes"), json!({ "affiliate_group_id": shared["id"] }))
        .await;
    assert_eq!(none.expect(409)["type"], "/problems/group-archived");
    assert_eq!(p.seen(&product, &own).await["state"], "deactivated");
    // A code that was taken over is the shop's business.
    let theirs = p.code(&product, json!({ "code": "THEIRS", "create_in_store": false })).await;
    let path = format!("/v1/codes/{}", theirs["id"].as_str().unwrap());
    let refused =
        product.call("PATCH", &path, Some(json!({ "state": "deactivated" })), &p.key).await;
    assert_eq!(refused.expect(409)["type"], "/problems/code-not-ours");
}

#[tokio::test]
async fn a_code_that_somebody_puts_back_is_taken_out_once() {
    let (product, p) = shop(vec![made()]).await;
    let shared = group(&product, &p, "one_discount").await;
    let code = p.code(&product, json!({ "affiliate_group_id": shared["id"] })).await;
    let text = code["code"].as_str().unwrap().to_owned();
    let deletions = Arc::new(AtomicUsize::new(0));
    let counted = deletions.clone();
    product.web.answer_by(Box::new(move |request| {
        let body = request.body.filter(|_| request.url == GRAPHQL)?;
        Some(if body.contains("CodeOwner(") {
            owned("Autumn")
        } else if body.contains("DeleteRedeemCodes(") {
            counted.fetch_add(1, Ordering::Relaxed);
            let job = json!({ "id": "gid://shopify/Job/1" });
            data(json!({ "deleted": { "job": job, "userErrors": [] } }))
        } else {
            carries(&[&text])
        })
    }));
    let deal = format!("/v1/deals/{}", p.deal);
    product.call("PATCH", &deal, Some(json!({ "state": "closed" })), &p.key).await.expect(200);
    for _ in 0..40 {
        later(&product, 60_000).await;
    }
    assert_eq!(deletions.load(Ordering::Relaxed), 1);
    let seen = p.seen(&product, &code).await;
    assert_eq!((&seen["state"], &seen["pending"]), (&json!("changed"), &json!(false)));
    assert!(seen["reason"].as_str().unwrap().contains("still, or again"), "{seen}");
}

fn found(codes: &[(&str, Value)]) -> Told {
    data(Value::Object(
        codes.iter().map(|(name, node)| ((*name).to_owned(), node.clone())).collect(),
    ))
}

fn discount(percentage: f64, status: &str) -> Value {
    json!({ "id": GID, "codeDiscount": { "__typename": "DiscountCodeBasic", "title": "t", "status": status,
        "startsAt": "2026-11-22T08:00:00Z", "endsAt": null, "usageLimit": null, "appliesOncePerCustomer": false,
        "combinesWith": { "orderDiscounts": false, "productDiscounts": false, "shippingDiscounts": false },
        "minimumRequirement": null, "customerGets": { "items": { "__typename": "AllDiscountItems" },
            "value": { "percentage": percentage } } } })
}

#[tokio::test]
async fn what_becomes_of_a_code_in_the_shop_is_noticed() {
    let (product, p) = shop(vec![made()]).await;
    let code = p.code(&product, ten()).await;
    let hint = json!({ "admin_graphql_api_id": GID, "title": "t", "status": "ACTIVE" }).to_string();
    let tell = async |hint: &str| product.deliver(&p.store, SECRET, hint.as_bytes()).await;
    // Many hints are one look; those about other discounts are none.
    for _ in 0..5 {
        assert_eq!(tell(&hint).await, 200);
    }
    let other = hint.replace("Node/7", "Node/8");
    assert_eq!(tell(&other).await, 200);
    let looks = || {
        product
            .db
            .rows("SELECT subject FROM outbox WHERE kind = 'look_at_codes' AND state = 'waiting'")
    };
    assert_eq!(looks(), [json!({ "subject": GID })]);
    product.web.script(GRAPHQL, vec![found(&[("c0", discount(0.2, "ACTIVE"))])]);
    later(&product, 10_000).await;
    let seen = p.seen(&product, &code).await;
    assert_eq!(
        (&seen["state"], &seen["reason"]),
        (&json!("changed"), &json!("it takes off something else"))
    );
    for (answer, state, reason) in [
        (discount(0.1, "EXPIRED"), "changed", "it ended, or was deactivated in the shop"),
        (discount(0.1, "ACTIVE"), "active", ""),
        (Value::Null, "gone", "it was deleted in the shop"),
    ] {
        tell(&hint).await;
        product.web.script(GRAPHQL, vec![found(&[("c0", answer)])]);
        later(&product, 10_000).await;
        let seen = p.seen(&product, &code).await;
        assert_eq!((&seen["state"], &seen["reason"]), (&json!(state), &json!(reason)));
    }
    // Orders that were placed with it still are its deal's.
    p.deliver(&product, &coded(order(1), code["code"].as_str().unwrap())).await;
    assert_eq!(p.order(&product, 1).await["deal_id"], p.deal.as_str());
    // Made anew, as it was spelled.
    let again = format!("/v1/codes/{}/retry", code["id"].as_str().unwrap());
    p.post(&product, &again, json!({ "code": "OTHER" })).await.expect(422);
    product.web.script(GRAPHQL, vec![made()]);
    p.post(&product, &again, json!({})).await.expect(200);
    assert_eq!(p.seen(&product, &code).await["state"], "active");
    p.verify(&product).await;
    // Nobody who has no secret of the store can have us look.
    let signature = sign("other", hint.as_bytes());
    assert_eq!(product.deliver_signed(&p.store, Some(&signature), hint.as_bytes()).await, 401);
}

#[tokio::test]
async fn a_code_that_is_taken_over_is_looked_for() {
    let (product, p) = shop(vec![]).await;
    let theirs = p.code(&product, json!({ "code": "THEIRS", "create_in_store": false })).await;
    assert_eq!((&theirs["state"], &theirs["in_store"]), (&json!("active"), &Value::Null));
    assert_eq!(asked(&product).len(), 0, "a shop that was never reached isn't asked");
    product.db.execute("INSERT INTO store_access (brand_id, store_id, way, state) SELECT brand_id, id, 'client', 'connected' FROM stores").unwrap();
    product.web.script(
        GRAPHQL,
        vec![
            found(&[("c0", Value::Null)]),
            found(&[("c0", Value::Null), ("c1", discount(0.3, "ACTIVE"))]),
        ],
    );
    product.pass(1);
    let other = p.code(&product, json!({ "code": "OTHER", "create_in_store": false })).await;
    let seen = p.seen(&product, &other).await;
    assert_eq!((&seen["state"], &seen["in_store"]), (&json!("active"), &json!(false)));
    tributary::jobs::code_watch::watch_all(&product.app).await.unwrap();
    later(&product, 1).await;
    let seen = p.seen(&product, &other).await;
    assert_eq!((&seen["state"], &seen["in_store"]), (&json!("active"), &json!(true)));
    assert_eq!(p.seen(&product, &theirs).await["in_store"], false);
    let deal = p.get(&product, &format!("/v1/deals/{}", p.deal)).await;
    assert_eq!(deal["codes"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_groups_rule_is_changed_in_the_shop_too() {
    let (product, p) = shop(vec![made()]).await;
    let group = group(&product, &p, "discount_per_code").await;
    let path = format!("/v1/affiliate-groups/{}", group["id"].as_str().unwrap());
    p.code(&product, json!({ "affiliate_group_id": group["id"] })).await;
    product.web.script(
        GRAPHQL,
        vec![data(json!({ "changed": { "codeDiscountNode": { "id": GID }, "userErrors": [] } }))],
    );
    let patch = async |body: Value| product.call("PATCH", &path, Some(body), &p.key).await;
    let changed =
        patch(json!({ "ends_at": "2026-12-24T00:00:00Z", "usage_limit": 5 })).await.expect(200);
    assert_eq!(changed["discount"]["usage_limit"], 5);
    let body: Value = product.web.asked(GRAPHQL).last().unwrap().parse().unwrap();
    assert_eq!(body["variables"]["discount"]["usageLimit"], 5);
    assert!(
        body["variables"]["discount"]["endsAt"]
            .as_str()
            .unwrap()
            .starts_with("2026-12-24T00:00:00")
    );
    assert_eq!(p.get(&product, &path).await["problem"], "");
    product.web.script(GRAPHQL, vec![complains("changed", "INVALID")]);
    patch(json!({ "usage_limit": null })).await.expect(200);
    assert!(p.get(&product, &path).await["problem"].as_str().unwrap().contains("Odd"));
    for (body, field) in [
        (json!({ "usage_limit": 0 }), "usage_limit"),
        (json!({ "ends_at": "2020-01-01T00:00:00Z" }), "ends_at"),
        (json!({ "name": "" }), "name"),
        (json!({ "code_pattern": "x" }), "code_pattern"),
    ] {
        let refused = patch(body).await.expect(422);
        assert_eq!(refused["errors"][0]["field"], field);
    }
    let page = p.get(&product, "/v1/affiliate-groups").await;
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn rules_are_checked_before_anything_is_asked() {
    let (product, p) = shop(vec![]).await;
    let codes = format!("/v1/deals/{}/codes", p.deal);
    for (body, field) in [
        (json!({ "code": "X" }), "create_in_store"),
        (json!({ "create_in_store": false }), "code"),
        (json!({ "code": "X", "create_in_store": true }), "create_in_store"),
        (json!({ "code": "a b", "discount": { "kind": "percentage", "percent": "10" } }), "code"),
        (json!({ "discount": { "kind": "percentage" } }), "discount.percent"),
        (json!({ "discount": { "kind": "percentage", "percent": "0" } }), "discount.percent"),
        (
            json!({ "discount": { "kind": "amount", "amount": { "amount": "5.00", "currency": "EUR" } } }),
            "discount.amount",
        ),
        (
            json!({ "discount": { "kind": "percentage", "percent": "1", "on": { "all": false } } }),
            "discount.on",
        ),
        (
            json!({ "discount": { "kind": "percentage", "percent": "1", "on": { "products": ["x"] } } }),
            "discount.on.products",
        ),
        (json!({ "discount": { "kind": "buy_x_get_y" } }), "discount.percent"),
        (json!({ "discount": { "kind": "loan" } }), "discount.kind"),
        (json!({ "discount": { "kind": "free_shipping", "x": 1 } }), "discount.x"),
    ] {
        let refused = p.post(&product, &codes, body.clone()).await.expect(422);
        let fields: Vec<&str> = refused["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["field"].as_str().unwrap())
            .collect();
        assert!(fields.contains(&field), "{body}: {refused}");
    }
    assert_eq!(asked(&product).len(), 0);
    let link = format!("/v1/deals/{}/links", p.deal);
    for wrong in [json!(true), json!("code_01h455vb4pex5vsknk084sn02q"), json!("x"), json!(1)] {
        p.post(&product, &link, json!({ "apply_code": wrong })).await.expect(422);
    }
}
