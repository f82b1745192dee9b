//! Money on its way: planned fees, drafts by schedule, two approvers, retries, PayPal.

mod drafts;
mod fees;
mod paypal;
mod refusals;

use serde_json::{Value, json};
use tributary::jobs;

use super::payouts::{buckets, earned, pay, token};
use crate::support::paypal::Fault;
use crate::support::people::{Authenticator, Browser, Member, hidden, invited};
use crate::support::shop::{coded, order};
use crate::support::{Answer, Product, Programme};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What [`payments_are_attributable`] tries.
pub const PAYMENT_COMMANDS: [&str; 5] = [
    "post /v1/deals/{id}/fees/{fee_id}/cancellation",
    "post /v1/payouts/{id}/lines/{line_id}/retry",
    "post /v1/payouts/{id}/sending",
    "put /v1/brand/payout-provider",
    "delete /v1/brand/payout-provider",
];

fn usd(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "USD" })
}

/// A member in her browser with an Idempotency-Key.
async fn by(member: &Member, product: &Product, method: &str, path: &str, key: &str) -> Answer {
    with(&member.browser, product, method, path, key, None).await
}

async fn with(
    browser: &Browser,
    product: &Product,
    method: &str,
    path: &str,
    key: &str,
    body: Option<Value>,
) -> Answer {
    let headers = [("sec-fetch-site", "same-origin"), ("idempotency-key", key)];
    browser.send_with(product, method, path, body, &headers).await
}

async fn manager(product: &Product, p: &Programme, name: &str, seed: u8) -> Member {
    let email = format!("{name}@casa.example");
    let body = json!({ "email": email, "role": "manager" });
    p.post(product, "/v1/members", body).await.expect(201);
    Member::joins(product, &email, seed).await
}

async fn available(product: &Product, p: &Programme) -> String {
    p.balance(product, &p.creator, "USD").await["available"].as_str().unwrap().to_owned()
}

async fn draft(product: &Product, p: &Programme, key: &str) -> Value {
    let body = json!({ "currency": "USD", "creator_ids": [p.creator] });
    pay(product, &p.key, key, "/v1/payouts", body).await.expect(201)
}

fn path_of(payout: &Value) -> String {
    format!("/v1/payouts/{}", payout["id"].as_str().unwrap())
}

fn line_of(payout: &Value) -> String {
    format!("{}/lines/{}", path_of(payout), payout["lines"][0]["id"].as_str().unwrap())
}

/// A brand with an account at PayPal, whose creator has 13.50 in an approved payout.
async fn at_paypal(product: &Product) -> (Programme, Member, Value) {
    let (p, _) = earned(product).await;
    product.db.execute("DELETE FROM payment_details").unwrap();
    let hers = token(product, &p, &p.deal).await;
    let details = json!({ "method": "paypal", "email": "anna@pay.example" });
    product.call("PUT", "/v1/me/payment-details", Some(details), &hers).await.expect(200);
    product.web.1.0.lock().unwrap().secret = "hush".into();
    let owner = Member::joins(product, "owner@casa.example", 1).await;
    let account = json!({ "provider": "paypal", "client_id": "client", "client_secret": "hush" });
    let put = owner.browser.send(product, "PUT", "/v1/brand/payout-provider", Some(account)).await;
    put.expect(200);
    let payout = draft(product, &p, "draft").await;
    let path = format!("{}/approval", path_of(&payout));
    let approved = pay(product, &p.key, "approve", &path, Value::Null).await.expect(200);
    (p, owner, approved)
}

async fn send(product: &Product, p: &Programme, payout: &Value, key: &str) -> Answer {
    pay(product, &p.key, key, &format!("{}/sending", path_of(payout)), Value::Null).await
}

async fn sending(product: &Product, p: &Programme, payout: &Value) -> Value {
    p.get(product, &path_of(payout)).await["lines"][0]["sending"].clone()
}

/// Lets the job run for so many minutes.
async fn minutes(product: &Product, minutes: i64) {
    for _ in 0..minutes {
        product.pass(60_000);
        jobs::payments::send_due(&product.app).await.unwrap();
    }
}

#[tokio::test]
async fn payments_are_attributable() {
    let product = Product::new();
    let (p, owner, payout) = at_paypal(&product).await;
    let rows = || product.db.rows("SELECT * FROM audit ORDER BY at_ms, id");
    let seen = std::cell::Cell::new(rows().len());
    let noted = |actions: &[&str]| {
        let all = rows();
        let mut new: Vec<&str> = all[seen.replace(all.len())..]
            .iter()
            .map(|row| row["action"].as_str().unwrap())
            .collect();
        // What happens in one millisecond has no order in the trail.
        new.sort_unstable();
        assert_eq!(new, actions);
        assert!(!serde_json::to_string(&all).unwrap().contains("hush"));
    };
    let fees = format!("/v1/deals/{}/fees", p.deal);
    let fee = json!({ "amount": usd("5.00"), "stage": "Posted" });
    product.pass(1);
    let fee = pay(&product, &p.key, "1", &fees, fee).await.expect(201);
    noted(&["fee.create"]);
    product.pass(1);
    let path = format!("{fees}/{}/cancellation", fee["id"].as_str().unwrap());
    product.call("POST", &path, None, &p.key).await.expect(200);
    noted(&["fee.cancel"]);
    product.pass(1);
    product.web.1.fail(&[Fault::Refuse(400, "VALIDATION_ERROR")]);
    send(&product, &p, &payout, "2").await.expect(200);
    noted(&["payout.queue", "payout.send", "payout.settle"]);
    product.pass(1);
    pay(&product, &p.key, "3", &format!("{}/retry", line_of(&payout)), Value::Null)
        .await
        .expect(200);
    noted(&["payout.retry"]);
    product.pass(1);
    let account = json!({ "provider": "paypal", "client_id": "other", "client_secret": "hush" });
    let path = "/v1/brand/payout-provider";
    owner.browser.send(&product, "PUT", path, Some(account)).await.expect(200);
    noted(&["payout_provider.update"]);
    product.pass(1);
    owner.browser.delete(&product, path).await;
    noted(&["payout_provider.remove"]);
    let _ = (Authenticator::new(9), invited);
}
