//! Creators who are erased or merged while something is written about them: it isn't.

use serde_json::{Value, json};
use tributary::jobs;

use super::payouts::{pay, token};
use crate::support::sqlite::Sqlite;
use crate::support::{NOW_MS, Product, Programme};

const HOUR_MS: i64 = 3_600_000;

fn id(json: &Value) -> String {
    json["id"].as_str().unwrap().to_owned()
}

/// Another creator with a deal.
async fn other(product: &Product, p: &Programme) -> (String, String) {
    let two =
        json!({ "name": "Canary Two", "handle": "canarytwo", "email": "canary2@creator.example" });
    let creator = id(&p.post(product, "/v1/creators", two).await.expect(201));
    let deal = json!({ "creator_id": creator, "campaign_id": p.campaign,
        "commission_percent": "10", "starts_at": "2026-01-01T00:00:00Z" });
    (creator, id(&p.post(product, "/v1/deals", deal).await.expect(201)))
}

/// Who looked at her a moment before writes nothing of her a moment after.
#[tokio::test]
async fn nothing_is_written_of_one_who_is_erased_meanwhile() {
    let product = Product::over(Sqlite::new(), true);
    let p = Programme::new(&product).await;
    // Monday at nine: messages go out.
    product.set_now(NOW_MS + 25 * HOUR_MS);
    let hers = token(&product, &p, &p.deal).await;
    let deal = |what: &str| format!("/v1/deals/{}{what}", p.deal);
    let post = json!({ "platform": "x", "url": "https://x.com/anna/1",
        "published_at": "2026-10-01T10:00:00Z" });
    let mut mine = post.clone();
    mine["deal_id"] = json!(p.deal);
    let details = json!({ "method": "paypal", "email": "anna@pay.example" });
    let new = json!({ "creator_id": p.creator, "campaign_id": p.campaign });
    let gift =
        json!({ "product": { "amount": "5.00", "currency": "USD" }, "note": "to Anna's home" });
    let offer = json!({ "terms": { "commission_percent": "12" }, "note": "Anna said so" });
    let hello = json!({ "subject": "Hi", "text": "You" });
    for (table, method, path, body, key) in [
        ("messages", "POST", deal("/messages"), hello, &p.key),
        ("posts", "POST", deal("/posts"), post, &p.key),
        ("posts", "POST", "/v1/me/posts".to_owned(), mine, &hers),
        ("payment_details", "PUT", "/v1/me/payment-details".to_owned(), details, &hers),
        ("claims", "POST", "/v1/me/claims".to_owned(), json!({ "order_number": "1" }), &hers),
        ("offers", "POST", deal("/offers"), offer, &p.key),
        ("deal_costs", "POST", deal("/costs"), gift, &p.key),
        ("deals", "POST", "/v1/deals".to_owned(), new, &p.key),
        ("invitations", "POST", deal("/invitation"), Value::Null, &p.key),
    ] {
        let part: &'static str = Box::leak(format!("INSERT INTO {table} (").into_boxed_str());
        product.db.execute("UPDATE creators SET erased_at_ms = NULL").unwrap();
        let rows = || {
            ["SELECT * FROM mails", &format!("SELECT * FROM {table}")]
                .map(|sql| product.db.rows(sql).len())
        };
        let before = rows();
        product.db.before(part, "UPDATE creators SET erased_at_ms = 5");
        let told = match method {
            "POST" if path.ends_with("/costs") => pay(&product, key, "c", &path, body).await,
            _ => product.call(method, &path, (!body.is_null()).then_some(body), key).await,
        };
        assert_eq!(told.status, 409, "{method} {path}: {}", told.text);
        let kind = told.json["type"].clone();
        assert_eq!(kind, "/problems/creator-erased", "{path}");
        assert_eq!(rows(), before, "{path}");
    }
}

/// A deal that was looked at before its creator was erased isn't opened again after.
#[tokio::test]
async fn a_change_of_a_deal_brings_nothing_back_of_one_who_was_erased() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let path = format!("/v1/deals/{}", p.deal);
    let revision = || product.db.rows("SELECT revision FROM deals")[0]["revision"].as_i64();
    let before = revision();
    let erase = format!("/v1/creators/{}/erasure", p.creator);
    p.post(&product, &erase, json!({ "confirm": "@anna.home" })).await.expect(200);
    assert!(revision() > before, "whoever read it before looks at it again");
    let body = json!({ "tags": ["Anna"] });
    product.call("PATCH", &path, Some(body), &p.key).await.expect(409);
}

/// A fee that was due is posted to whoever has the deal when it is posted.
#[tokio::test]
async fn a_planned_fee_follows_a_merge_that_comes_meanwhile() {
    for by_stage in [false, true] {
        let product = Product::new();
        let p = Programme::new(&product).await;
        let (from, deal) = other(&product, &p).await;
        let mut fee = json!({ "amount": { "amount": "5.00", "currency": "USD" } });
        fee[if by_stage { "stage" } else { "due_on" }] =
            if by_stage { json!("Posted") } else { json!("2026-11-23") };
        pay(&product, &p.key, "f", &format!("/v1/deals/{deal}/fees"), fee).await.expect(201);
        product.pass(48 * HOUR_MS);
        // The deal is the other's by the time that the fee is posted.
        let to = &p.creator;
        let meanwhile = format!(
            "UPDATE fees SET creator_id = '{to}'; UPDATE deals SET creator_id = '{to}';
             UPDATE creators SET merged_into = '{to}' WHERE id = '{from}'"
        );
        product.db.before("UPDATE fees SET state", &meanwhile);
        if by_stage {
            let merge = json!({ "change": "merge", "stage": "Outreach", "into": "Posted" });
            let path = format!("/v1/campaigns/{}/stages", p.campaign);
            let told = p.post(&product, &path, merge).await;
            told.expect(200);
        } else {
            jobs::run_all(&product.app).await;
        }
        let gone = format!("SELECT * FROM entries WHERE creator_id = '{from}'");
        assert!(product.db.rows(&gone).is_empty(), "by a stage: {by_stage}");
        jobs::run_all(&product.app).await;
        assert_eq!(p.balance(&product, &p.creator, "USD").await["available"], "5.00");
        p.verify(&product).await;
    }
}

/// What is sealed to one who goes on in another isn't kept where nothing takes it away.
#[tokio::test]
async fn one_who_is_merged_meanwhile_leaves_nothing_of_her_own() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let (from, deal) = other(&product, &p).await;
    let hers = token(&product, &p, &deal).await;
    let merged = format!("UPDATE creators SET merged_into = '{}' WHERE id = '{from}'", p.creator);
    let details = json!({ "method": "paypal", "email": "canary2@pay.example" });
    product.db.before("INSERT INTO payment_details (", &merged);
    let told = product.call("PUT", "/v1/me/payment-details", Some(details), &hers).await;
    assert_eq!(told.expect(409)["type"], "/problems/creator-merged");
    assert!(product.db.rows("SELECT * FROM payment_details").is_empty());
    product.db.execute("UPDATE creators SET merged_into = NULL").unwrap();
    product.db.before("INSERT INTO offers (", &merged);
    let offer = json!({ "terms": { "commission_percent": "12" } });
    let told = p.post(&product, &format!("/v1/deals/{deal}/offers"), offer).await;
    assert_eq!(told.expect(409)["type"], "/problems/creator-merged");
}

/// Mails name the address they went to: those to an address that a merge doesn't keep go with her, too.
#[tokio::test]
async fn mails_to_one_who_was_merged_go_with_an_erasure() {
    let product = Product::over(Sqlite::new(), true);
    let p = Programme::new(&product).await;
    product.set_now(NOW_MS + 25 * HOUR_MS);
    let (from, deal) = other(&product, &p).await;
    product.call("POST", &format!("/v1/deals/{deal}/invitation"), None, &p.key).await.expect(201);
    let hello = json!({ "subject": "Hi", "text": "You" });
    p.post(&product, &format!("/v1/deals/{deal}/messages"), hello).await.expect(201);
    assert!(product.db.checksum().contains("canary2@creator.example"));
    let into = format!("/v1/creators/{}", p.creator);
    p.post(&product, &format!("{into}/merge"), json!({ "from_id": from })).await.expect(200);
    let messages = p.get(&product, &format!("/v1/deals/{deal}/messages")).await;
    assert_eq!(messages["data"][0]["state"], "sent", "the conversation goes on");
    let erase = json!({ "confirm": "@anna.home" });
    p.post(&product, &format!("{into}/erasure"), erase).await.expect(200);
    let left = product.db.checksum();
    let at = left.find("canary2@");
    assert!(at.is_none(), "{:?}", at.map(|at| &left[at.saturating_sub(300)..at + 30]));
}
