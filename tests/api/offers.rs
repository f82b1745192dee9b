//! Terms that both sides agree to.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tributary::domain::merkle::hex;

use crate::support::{Answer, NOW_MS, Product, Programme};

/// The creator's access token.
async fn token(product: &Product, p: &Programme) -> String {
    let path = format!("/v1/deals/{}/invitation", p.deal);
    let invitation = p.post(product, &path, json!({})).await.expect(201);
    let token = invitation["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let body = json!({ "token": token });
    let accepted = product.call("POST", "/v1/invitations/acceptance", Some(body), "").await;
    accepted.expect(201)["access_token"].as_str().unwrap().to_owned()
}

async fn offer(product: &Product, p: &Programme, body: Value) -> Answer {
    p.post(product, &format!("/v1/deals/{}/offers", p.deal), body).await
}

async fn decide(product: &Product, id: &Value, body: Value, token: &str) -> Answer {
    let path = format!("/v1/me/offers/{}/decision", id.as_str().unwrap());
    product.call("POST", &path, Some(body), token).await
}

async fn present(product: &Product, p: &Programme) -> Value {
    p.get(product, &format!("/v1/deals/{}", p.deal)).await["terms"].clone()
}

#[tokio::test]
async fn an_offer_holds_once_it_is_accepted_word_for_word() {
    let product = Product::new();
    let p = Programme::with(&product, "USD", "10").await;
    let hers = token(&product, &p).await;
    let terms = json!({ "commission_percent": "20", "first_order_only": true,
        "starts_at": "2026-02-01T00:00:00Z" });
    let contract = "Two posts a month.\nNo other brand of cushions.";
    let made =
        offer(&product, &p, json!({ "terms": terms, "contract": contract })).await.expect(201);
    let document = made["document"].as_str().unwrap();
    assert_eq!(made["hash"], json!(hex(&Sha256::digest(document.as_bytes()))));
    let parsed: Value = serde_json::from_str(document).unwrap();
    assert_eq!((&parsed["contract"], &parsed["deal_id"]), (&json!(contract), &json!(p.deal)));
    assert_eq!(parsed["commission_percent"], "20");
    assert_eq!(present(&product, &p).await["commission_percent"], "10", "nothing holds yet");
    // One at a time.
    let second = json!({ "terms": { "commission_percent": "30" } });
    assert_eq!(offer(&product, &p, second).await.expect(409)["type"], "/problems/offer-waiting");

    let id = &made["id"];
    assert_eq!(
        product.call("GET", "/v1/me/offers", None, &hers).await.expect(200)["data"][0]["id"],
        *id
    );
    decide(&product, id, json!({ "outcome": "accepted" }), &hers).await.expect(422);
    let other = json!({ "outcome": "accepted", "hash": "0".repeat(64) });
    assert_eq!(
        decide(&product, id, other, &hers).await.expect(409)["type"],
        "/problems/another-document"
    );
    product.pass(60_000);
    let yes = json!({ "outcome": "accepted", "hash": made["hash"], "note": "With pleasure" });
    let accepted = decide(&product, id, yes.clone(), &hers).await.expect(200);
    assert_eq!(
        (&accepted["state"], &accepted["answer"]),
        (&json!("accepted"), &json!("With pleasure"))
    );
    let now = present(&product, &p).await;
    assert_eq!((&now["commission_percent"], &now["id"]), (&json!("20"), &accepted["terms_id"]));
    assert_eq!(now["starts_at"], "2026-11-22T08:01:00.000Z", "never before it was accepted");
    assert_eq!(now["reason"], *id);
    assert_eq!(
        decide(&product, id, yes, &hers).await.expect(409)["type"],
        "/problems/offer-answered"
    );
    let terms = p.get(&product, &format!("/v1/deals/{}/terms", p.deal)).await;
    assert_eq!(terms["data"].as_array().unwrap().len(), 2, "once");
    let trail =
        p.get(&product, &format!("/v1/audit?subject_id={}&action=offer.answer", p.deal)).await;
    assert_eq!(trail["data"][0]["after"]["hash"], made["hash"]);
    assert_eq!(trail["data"][0]["actor"]["kind"], "creator");
    assert!(product.app.now_ms() > NOW_MS);
}

#[tokio::test]
async fn an_offer_can_be_declined_withdrawn_and_too_late() {
    let product = Product::new();
    let p = Programme::with(&product, "USD", "10").await;
    let hers = token(&product, &p).await;
    let of = |ends: Value| json!({ "terms": { "commission_percent": "20", "ends_at": ends } });
    let plain = json!({ "terms": { "commission_percent": "20" } });
    let declined = offer(&product, &p, plain.clone()).await.expect(201);
    let no = json!({ "outcome": "declined", "note": "Too little" });
    assert_eq!(decide(&product, &declined["id"], no, &hers).await.expect(200)["state"], "declined");
    let withdrawn = offer(&product, &p, plain.clone()).await.expect(201);
    let path = format!("/v1/offers/{}", withdrawn["id"].as_str().unwrap());
    product.call("DELETE", &path, None, &p.key).await.expect(204);
    product.call("DELETE", &path, None, &p.key).await.expect(409);
    let yes = |offer: &Value| json!({ "outcome": "accepted", "hash": offer["hash"] });
    decide(&product, &withdrawn["id"], yes(&withdrawn), &hers).await.expect(409);
    let over = offer(&product, &p, of(json!("2026-11-23T00:00:00Z"))).await.expect(201);
    product.pass(2 * 86_400_000);
    assert_eq!(
        decide(&product, &over["id"], yes(&over), &hers).await.expect(409)["type"],
        "/problems/offer-over"
    );
    assert_eq!(present(&product, &p).await["commission_percent"], "10");
    let waiting = p.get(&product, "/v1/offers?state=waiting&kind=offer").await;
    assert_eq!(waiting["data"].as_array().unwrap().len(), 1);
    product.call("GET", "/v1/offers?state=open", None, &p.key).await.expect(422);
}

#[tokio::test]
async fn a_creator_asks_and_the_brand_grants_or_declines() {
    let product = Product::new();
    let p = Programme::with(&product, "USD", "10").await;
    let hers = token(&product, &p).await;
    let rules = json!({ "commission_percent": "10", "first_order_only": true });
    p.post(&product, &format!("/v1/deals/{}/terms", p.deal), rules).await.expect(201);
    let path = format!("/v1/me/deals/{}/requests", p.deal);
    let ask = async |percent: &str| {
        let body = json!({ "commission_percent": percent, "note": "I sell a lot" });
        product.call("POST", &path, Some(body), &hers).await
    };
    let first = ask("25").await.expect(201);
    assert_eq!(ask("30").await.expect(409)["type"], "/problems/offer-waiting");
    let answer = async |id: &Value, outcome: &str| {
        let path = format!("/v1/offers/{}/decision", id.as_str().unwrap());
        p.post(&product, &path, json!({ "outcome": outcome, "note": "Thank you" })).await
    };
    // Nobody grants herself what she asked for.
    let own = json!({ "outcome": "accepted", "hash": first["hash"] });
    decide(&product, &first["id"], own, &hers).await.expect(409);
    assert_eq!(answer(&first["id"], "declined").await.expect(200)["state"], "declined");
    assert_eq!(present(&product, &p).await["commission_percent"], "10");
    let second = ask("15").await.expect(201);
    product.pass(1000);
    assert_eq!(answer(&second["id"], "accepted").await.expect(200)["state"], "accepted");
    let now = present(&product, &p).await;
    assert_eq!(
        (&now["commission_percent"], &now["first_order_only"]),
        (&json!("15"), &json!(true))
    );
    assert_eq!(
        answer(&second["id"], "declined").await.expect(409)["type"],
        "/problems/offer-answered"
    );
    // Another creator's offers and deals aren't hers.
    let (rival, _) = p.rival(&product, "BERTA").await;
    let theirs = format!("/v1/me/deals/{rival}/requests");
    product
        .call("POST", &theirs, Some(json!({ "commission_percent": "1" })), &hers)
        .await
        .expect(404);
    let other = p
        .post(
            &product,
            &format!("/v1/deals/{rival}/offers"),
            json!({ "terms": { "commission_percent": "1" } }),
        )
        .await
        .expect(201);
    let yes = json!({ "outcome": "accepted", "hash": other["hash"] });
    decide(&product, &other["id"], yes, &hers).await.expect(404);
    // What was meant for two is answered by one: the brand's own offer isn't a request.
    assert_eq!(
        answer(&other["id"], "accepted").await.expect(409)["type"],
        "/problems/not-a-request"
    );
}

/// What was agreed since she asked isn't undone by granting.
#[tokio::test]
async fn a_grant_changes_the_rate_and_nothing_else() {
    let product = Product::new();
    let p = Programme::with(&product, "USD", "10").await;
    let hers = token(&product, &p).await;
    let path = format!("/v1/me/deals/{}/requests", p.deal);
    let asked = Some(json!({ "commission_percent": "15" }));
    let asked = product.call("POST", &path, asked, &hers).await.expect(201);
    let cap = json!({ "commission_percent": "10", "cap_per_month": { "amount": "9.00", "currency": "USD" } });
    let terms = format!("/v1/deals/{}/terms", p.deal);
    p.post(&product, &terms, cap).await.expect(201);
    product.pass(1000);
    let decision = format!("/v1/offers/{}/decision", asked["id"].as_str().unwrap());
    // Terms that change while it is granted: all or nothing.
    product.db.before("UPDATE offers", "INSERT INTO terms (brand_id, deal_id, starts_at_ms, version, id,
        rate_bp, created_at_ms) SELECT brand_id, deal_id, starts_at_ms + 7, 77, id, 1, 1 FROM terms LIMIT 1");
    let yes = json!({ "outcome": "accepted" });
    assert_eq!(
        p.post(&product, &decision, yes.clone()).await.expect(409)["type"],
        "/problems/terms-changed"
    );
    p.post(&product, &decision, yes).await.expect(200);
    let now = present(&product, &p).await;
    assert_eq!(
        (&now["commission_percent"], &now["cap_per_month"]["amount"]),
        (&json!("15"), &json!("9.00"))
    );
    assert_eq!(now["reason"], asked["id"]);
}

/// A season that gives more than was asked for runs to its end; what is granted is for the time after it.
#[tokio::test]
async fn a_grant_takes_no_better_season_away() {
    let product = Product::new();
    let p = Programme::with(&product, "USD", "10").await;
    let hers = token(&product, &p).await;
    let terms = format!("/v1/deals/{}/terms", p.deal);
    let season = json!({ "commission_percent": "20", "first_order_only": true,
        "ends_at": "2026-12-02T00:00:00Z" });
    p.post(&product, &terms, season).await.expect(201);
    let grant = async |percent: &str| {
        product.pass(60_000);
        let path = format!("/v1/me/deals/{}/requests", p.deal);
        let asked = Some(json!({ "commission_percent": percent }));
        let asked = product.call("POST", &path, asked, &hers).await.expect(201);
        let decision = format!("/v1/offers/{}/decision", asked["id"].as_str().unwrap());
        p.post(&product, &decision, json!({ "outcome": "accepted" })).await.expect(200);
        let now = present(&product, &p).await;
        (now["commission_percent"].clone(), now["first_order_only"].clone(), now["ends_at"].clone())
    };
    let end = json!("2026-12-02T00:00:00.000Z");
    assert_eq!(grant("12").await, (json!("20"), json!(true), end));
    // What is better than the season holds at once.
    assert_eq!(grant("25").await, (json!("25"), json!(false), Value::Null));
    let season = json!({ "commission_percent": "30", "ends_at": "2026-12-02T00:00:00Z" });
    product.pass(60_000);
    p.post(&product, &terms, season).await.expect(201);
    assert_eq!(grant("26").await.0, "30");
    product.pass(20 * 86_400_000);
    assert_eq!(present(&product, &p).await["commission_percent"], "26");
}

/// Two answers at the same moment: one holds.
#[tokio::test]
async fn an_offer_is_answered_once() {
    let product = Product::new();
    let p = Programme::with(&product, "USD", "10").await;
    let hers = token(&product, &p).await;
    let made =
        offer(&product, &p, json!({ "terms": { "commission_percent": "20" } })).await.expect(201);
    product.db.before("UPDATE offers", "UPDATE offers SET state = 'withdrawn', revision = 1");
    let yes = json!({ "outcome": "accepted", "hash": made["hash"] });
    decide(&product, &made["id"], yes, &hers).await.expect(409);
    assert_eq!(present(&product, &p).await["commission_percent"], "10");
}

#[tokio::test]
async fn many_deals_change_at_once_after_a_preview() {
    let product = Product::new();
    let p = Programme::with(&product, "USD", "10").await;
    let (rival, _) = p.rival(&product, "BERTA").await;
    let terms = json!({ "commission_percent": "18" });
    let bulk = async |body: Value| p.post(&product, "/v1/terms/bulk", body).await;
    let preview = bulk(json!({ "terms": terms })).await.expect(200);
    assert_eq!(preview["deals"].as_array().unwrap().len(), 2);
    assert_eq!(preview["changed"], 0);
    assert_eq!(
        present(&product, &p).await["commission_percent"],
        "10",
        "a preview changes nothing"
    );
    // Something changed since: the preview has to be made again.
    p.post(&product, &format!("/v1/deals/{}/terms", p.deal), json!({ "commission_percent": "11" }))
        .await
        .expect(201);
    let same = json!({ "terms": terms, "preview": preview["preview"] });
    assert_eq!(bulk(same).await.expect(409)["type"], "/problems/preview-changed");
    let preview = bulk(json!({ "terms": terms })).await.expect(200);
    let other = json!({ "terms": { "commission_percent": "19" }, "preview": preview["preview"] });
    bulk(other).await.expect(409);
    // Between the look and the batch: all or nothing.
    product.db.before("INSERT INTO terms", &format!("INSERT INTO terms (brand_id, deal_id, starts_at_ms, version,
        id, rate_bp, created_at_ms) SELECT brand_id, deal_id, starts_at_ms + 7, 77, id, 1, 1 FROM terms
        WHERE deal_id = '{rival}' LIMIT 1"));
    let agreed = json!({ "terms": terms, "preview": preview["preview"] });
    bulk(agreed.clone()).await.expect(409);
    assert_eq!(present(&product, &p).await["commission_percent"], "11");
    let preview = bulk(json!({ "terms": terms })).await.expect(200);
    product.pass(1000);
    let agreed = json!({ "terms": terms, "preview": preview["preview"] });
    assert_eq!(bulk(agreed).await.expect(200)["changed"], 2);
    for deal in [&p.deal, &rival] {
        let shown = p.get(&product, &format!("/v1/deals/{deal}")).await;
        assert_eq!(shown["terms"]["commission_percent"], "18");
        let trail =
            p.get(&product, &format!("/v1/audit?subject_id={deal}&action=terms.create")).await;
        assert_eq!(trail["data"][0]["after"]["rate_bp"], 1800);
    }
    // Narrowed down.
    p.post(&product, "/v1/terms/bulk", json!({ "terms": terms, "deal_ids": [rival] }))
        .await
        .expect(200)["deals"]
        .as_array()
        .unwrap()
        .iter()
        .for_each(|deal| assert_eq!(deal["deal_id"], json!(rival)));
    let none = bulk(json!({ "terms": terms, "stage": "Ambassador" })).await.expect(200);
    assert_eq!(none["deals"], json!([]));
    bulk(json!({ "terms": terms, "deal_ids": ["x"] })).await.expect(422);
    bulk(json!({ "terms": { "commission_percent": "101" } })).await.expect(422);
}

/// The commands of this file and of tiers; `access.rs` makes sure that no command is forgotten.
pub const TERMS_COMMANDS: [&str; 8] = [
    "post /v1/deals/{id}/offers",
    "delete /v1/offers/{id}",
    "post /v1/offers/{id}/decision",
    "post /v1/me/offers/{id}/decision",
    "post /v1/me/deals/{id}/requests",
    "post /v1/terms/bulk",
    "post /v1/tiers",
    "delete /v1/tiers/{id}",
];

#[tokio::test]
async fn each_command_about_terms_is_noted_once() {
    let product = Product::new();
    let p = Programme::with(&product, "USD", "10").await;
    let hers = token(&product, &p).await;
    let rows = || product.db.rows("SELECT * FROM audit ORDER BY id");
    let run = async |command: &str, id: &str, body: Value, by: &str, action: &str| {
        product.pass(1);
        let before = rows().len();
        let (method, route) = command.split_once(' ').unwrap();
        let body = (!body.is_null()).then_some(body);
        let answer =
            product.call(&method.to_uppercase(), &route.replace("{id}", id), body, by).await;
        assert!(answer.status < 300, "{command}: {} {}", answer.status, answer.text);
        let all = rows();
        assert_eq!(all.len(), before + 1, "{command}");
        assert_eq!(all.last().unwrap()["action"], action, "{command}");
        serde_json::from_str::<Value>(&answer.text).unwrap_or_default()
    };
    let [offer, withdraw, grant, accept, ask, bulk, tiers, end] = TERMS_COMMANDS;
    let terms = json!({ "terms": { "commission_percent": "20" } });
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let made = run(offer, &p.deal, terms.clone(), &p.key, "offer.create").await;
    run(withdraw, &text(&made["id"]), Value::Null, &p.key, "offer.withdraw").await;
    let made = run(offer, &p.deal, terms.clone(), &p.key, "offer.create").await;
    let yes = json!({ "outcome": "accepted", "hash": made["hash"] });
    run(accept, &text(&made["id"]), yes, &hers, "offer.answer").await;
    let asked =
        run(ask, &p.deal, json!({ "commission_percent": "30" }), &hers, "request.create").await;
    run(grant, &text(&asked["id"]), json!({ "outcome": "accepted" }), &p.key, "request.decide")
        .await;
    let preview = p.post(&product, "/v1/terms/bulk", terms.clone()).await.expect(200);
    let agreed = json!({ "terms": terms["terms"], "preview": preview["preview"] });
    run(bulk, "", agreed, &p.key, "terms.create").await;
    let new = json!({ "metric": "orders", "period": "all", "levels":
        [{ "name": "A", "threshold": "9", "commission_percent": "50" }] });
    let new = run(tiers, "", new, &p.key, "tiers.create").await;
    run(end, &text(&new["id"]), Value::Null, &p.key, "tiers.end").await;
}
