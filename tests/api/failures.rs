//! Any single failure of the database is safe: before, after, and for long.

use serde_json::json;

use crate::support::shop::{coded, order, refund};
use crate::support::sqlite::Fault;
use crate::support::{PHONE, Product, Programme, SECRET, shop};

async fn programme(product: &Product) -> Programme {
    let p = Programme::new(product).await;
    p.post(
        product,
        &format!("/v1/deals/{}/codes", p.deal),
        json!({ "code": "ANNA", "create_in_store": false }),
    )
    .await
    .expect(201);
    p
}

/// The n-th call fails, n = 0, 1, 2, … until nothing is left to fail.
#[tokio::test]
async fn any_call_may_fail_before_or_after_it_was_done() {
    for fault in [Fault::Before, Fault::After] {
        for n in 0..4 {
            let product = Product::new();
            let p = programme(&product).await;
            product.db.fail_call(n, fault);
            let answer = p.deliver(&product, &coded(order(1), "ANNA")).await;
            assert!(matches!(answer, 200 | 503), "{fault:?} {n}: {answer}");
            product.db.fail_no_call();
            while let Some(message) = { product.queue.messages.lock().unwrap().pop() } {
                tributary::jobs::order::consume(&product.app, &message).await.unwrap();
            }
            if answer == 200 {
                assert_eq!(
                    p.order(&product, 1).await["commission"]["amount"],
                    "13.50",
                    "{fault:?} {n}"
                );
            }
            // The store comes back, as it does.
            assert_eq!(p.deliver(&product, &coded(order(1), "ANNA")).await, 200);
            assert_eq!(
                p.balance(&product, &p.creator, "USD").await["lifetime"],
                "13.50",
                "{fault:?} {n}"
            );
            p.verify(&product).await;
        }
    }
}

#[tokio::test]
async fn a_minute_without_the_database_loses_nothing() {
    let product = Product::new();
    let p = programme(&product).await;
    p.post(&product, &format!("/v1/deals/{}/links", p.deal), json!({ "slug": "anna" }))
        .await
        .expect(201);
    assert!(product.visit("", "anna", "", PHONE).await.is_ok());
    p.deliver(&product, &order(99)).await;
    product.db.away(true);
    // Two minutes later what is known is stale, and served all the same.
    product.pass(120_000);
    product.cache.0.lock().unwrap().clear();
    assert!(product.visit("", "anna", "", PHONE).await.is_ok());
    assert_eq!(product.visit("", "berta", "", PHONE).await, Err(503));
    assert_eq!(p.deliver(&product, &coded(order(1), "ANNA")).await, 200, "the queue took it");
    assert_eq!(p.deliver(&product, &refund(91, 1, &[(2, 1, "22.50")])).await, 200);
    *product.queue.away.lock().unwrap() = true;
    assert_eq!(p.deliver(&product, &coded(order(2), "ANNA")).await, 503, "nobody took it");
    assert_eq!(product.deliver(&p.store, SECRET, b"not json").await, 503);
    let unknown = "store_01h455vb4pex5vsknk084sn02q";
    assert_eq!(product.deliver(unknown, SECRET, b"{}").await, 503, "not known to be unknown");
    let api = product.call("GET", "/v1/brand", None, &p.key).await;
    assert_eq!((api.status, api.headers["retry-after"].to_str().unwrap()), (503, "5"));
    assert_eq!(product.call("GET", "/healthz", None, "").await.status, 503);
    product.db.away(false);
    *product.queue.away.lock().unwrap() = false;
    // The queue delivers in any order, and some of it twice.
    let messages: Vec<String> = product.queue.messages.lock().unwrap().drain(..).rev().collect();
    for message in messages.iter().chain(&messages) {
        tributary::jobs::order::consume(&product.app, message).await.unwrap();
    }
    assert_eq!(p.order(&product, 1).await["commission"]["amount"], "11.25");
    assert_eq!(product.call("GET", "/healthz", None, "").await.status, 200);
    p.verify(&product).await;
}

#[tokio::test]
async fn a_rotated_secret_is_accepted_for_an_hour() {
    let product = Product::new();
    let p = programme(&product).await;
    let path = format!("/v1/stores/{}", p.store);
    product
        .call("PATCH", &path, Some(json!({ "client_secret": "fresh" })), &p.key)
        .await
        .expect(200);
    let body = order(1).to_string();
    let status = async |secret: &str| product.deliver(&p.store, secret, body.as_bytes()).await;
    assert_eq!(
        (status(SECRET).await, status("fresh").await, status("other").await),
        (200, 200, 401)
    );
    // The same again, as a client that saw no answer would send it, and a second change at once.
    product
        .call("PATCH", &path, Some(json!({ "client_secret": "fresh" })), &p.key)
        .await
        .expect(200);
    assert_eq!((status(SECRET).await, status("fresh").await), (200, 200));
    product
        .call("PATCH", &path, Some(json!({ "client_secret": "newer" })), &p.key)
        .await
        .expect(200);
    for secret in [SECRET, "fresh", "newer"] {
        assert_eq!(status(secret).await, 200, "{secret}");
    }
    product
        .call("PATCH", &path, Some(json!({ "client_secret": "fresh" })), &p.key)
        .await
        .expect(200);
    product.pass(3_600_001);
    assert_eq!(
        (status(SECRET).await, status("fresh").await, status("newer").await),
        (401, 200, 401)
    );
    // Sealed at rest.
    let stored = serde_json::to_string(&product.db.rows("SELECT * FROM stores")).unwrap();
    assert!(!stored.contains("fresh") && !stored.contains(SECRET));
}

#[tokio::test]
async fn a_secret_that_changed_elsewhere_is_read_again_at_most_every_ten_seconds() {
    let product = Product::new();
    let p = programme(&product).await;
    assert_eq!(p.deliver(&product, &order(1)).await, 200);
    // Another isolate rotated it twice: this one doesn't know.
    let other = Product::over(product.db.clone(), true);
    for secret in ["second", "third"] {
        let path = format!("/v1/stores/{}", p.store);
        other
            .call("PATCH", &path, Some(json!({ "client_secret": secret })), &p.key)
            .await
            .expect(200);
    }
    let body = order(2).to_string();
    let signature = shop::sign("third", body.as_bytes());
    let calls = product.db.calls();
    assert_eq!(product.deliver_signed(&p.store, Some(&signature), body.as_bytes()).await, 401);
    assert_eq!(product.db.calls(), calls, "read a moment ago");
    product.pass(10_000);
    assert_eq!(product.deliver_signed(&p.store, Some(&signature), body.as_bytes()).await, 200);
}
