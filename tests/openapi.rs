//! The OpenAPI document is the code's: up to date, and of the same routes as the router.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test stops where an expectation fails"
)]

use std::collections::BTreeSet;

use tributary::web::api::{ROUTES, docs};

#[test]
fn the_document_is_up_to_date() {
    let generated = docs::generate();
    if std::env::var("UPDATE_OPENAPI").is_ok() {
        std::fs::write("openapi.json", &generated).unwrap();
    }
    let kept = std::fs::read_to_string("openapi.json").unwrap();
    assert!(
        kept == generated,
        "openapi.json is out of date: UPDATE_OPENAPI=1 cargo test --test openapi"
    );
}

#[test]
fn the_router_and_the_document_name_the_same_routes() {
    let document: serde_json::Value = serde_json::from_str(&docs::generate()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            documented.insert(format!("{method} {path}"));
        }
    }
    let routed: BTreeSet<String> = ROUTES
        .iter()
        .flat_map(|(path, methods)| methods.iter().map(move |method| format!("{method} {path}")))
        .collect();
    assert_eq!(routed, documented);
}

#[test]
fn every_route_but_the_open_ones_says_who_may_call_it() {
    let document: serde_json::Value = serde_json::from_str(&docs::generate()).unwrap();
    let open = [
        "/healthz",
        "/openapi.json",
        "/v1/status",
        "/v1/invitations/acceptance",
        "/v1/sign-in",
        "/v1/sign-in/link",
        "/v1/sign-in/code",
        // Signed by the store.
        "/webhooks/custom/{id}/conversions",
        "/webhooks/custom/{id}/conversions/{external_id}/refunds",
        "/webhooks/goaffpro/{id}",
    ];
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let secured = operation["security"].as_array().is_some_and(|s| !s.is_empty());
            assert_eq!(secured, !open.contains(&path.as_str()), "{method} {path}");
        }
    }
}
