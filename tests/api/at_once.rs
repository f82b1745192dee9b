//! What people do to their own access at the same moment, or what somebody else does in between.

use serde_json::{Value, json};

use crate::support::people::{Browser, Member, invited, mailed};
use crate::support::{Product, Programme};

const OWNER: &str = "owner@casa.example";

async fn owned() -> (Product, Programme, Member) {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let owner = Member::joins(&product, OWNER, 1).await;
    (product, p, owner)
}

fn count(product: &Product, of: &str) -> usize {
    product.db.rows(&format!("SELECT * FROM {of}")).len()
}

/// Begins a sign-in in a new browser: it, and what its link posts.
async fn begun(product: &Product, body: Value) -> (Browser, Value) {
    let browser = Browser::default();
    browser.post(product, "/v1/sign-in", body).await.expect(202);
    (browser, json!({ "token": mailed(product).0 }))
}

#[tokio::test]
async fn an_invitation_withdrawn_at_that_moment_makes_nobody_a_person() {
    let (product, p, _) = owned().await;
    let invite = json!({ "email": "mia@casa.example", "role": "viewer" });
    p.post(&product, "/v1/members", invite).await.expect(201);
    let body = json!({ "invitation": invited(&product, "mia@casa.example") });
    let (browser, link) = begun(&product, body).await;
    product.db.before("UPDATE members", "DELETE FROM members WHERE person_id IS NULL");
    let tables = ["people", "sessions", "audit"].map(|table| count(&product, table));
    let late = browser.post(&product, "/v1/sign-in/link", link).await.expect(400);
    assert_eq!(late["type"], "/problems/sign-in-failed");
    assert_eq!(["people", "sessions", "audit"].map(|table| count(&product, table)), tables);
}
