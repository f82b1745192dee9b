//! Who may what: every route of the document × every kind of caller, with two brands full of words
//! that nobody else may see. Whoever may not gets 401, 403 or 404, none of those words, and changes
//! nothing.

mod world;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::people::{Browser, Member, invited};
use crate::support::shop::{coded, order};
use crate::support::{Answer, OPERATOR, Product, sent};
use world::{Brand, Who, id};

/// Stands in everything that the brand under attack has, and in no id.
const CANARY: &str = "canary-a";
/// Stands in what its other creator has: not even its own creators may see it.
const NEIGHBOUR: &str = "canary-a-neighbour";
const SECRET: &str = "shpss_hush";

/// A kind of caller: its name, what it may do by the words of the document, and whether it is the
/// attacked brand's own.
struct Caller<'a> {
    name: &'static str,
    who: Who<'a>,
    may: &'a [&'a str],
    own: bool,
}

/// What the document says a route needs: `operator`, `creator`, `session` or a key's scope.
fn needs(operation: &Value) -> Vec<String> {
    let Some(security) = operation["security"].as_array() else { return Vec::new() };
    let one = |one: &Value| {
        let (scheme, scopes) = one.as_object().unwrap().iter().next().unwrap();
        scopes[0].as_str().unwrap_or(scheme).to_owned()
    };
    security.iter().map(one).collect()
}

#[tokio::test]
async fn nobody_gets_at_what_is_not_theirs() {
    let product = Product::new();
    let a = Brand::new(&product, CANARY, 10).await;
    let b = Brand::new(&product, "other", 20).await;
    let key = async |scopes: Value, expires_at: Option<&str>| {
        let mut body = json!({ "name": "k", "scopes": scopes });
        if let Some(at) = expires_at {
            body["expires_at"] = json!(at);
        }
        let made = product.call("POST", "/v1/keys", Some(body), &a.key).await.expect(201);
        (id(&made["key"]), made["api_key"].as_str().unwrap().to_owned())
    };
    let all = json!(["read", "deals", "money", "admin"]);
    let (_, expired) = key(all.clone(), Some("2026-11-22T08:00:01Z")).await;
    let (gone, revoked) = key(all, None).await;
    product.call("DELETE", &format!("/v1/keys/{gone}"), None, &a.key).await.expect(200);
    let mut single = Vec::new();
    for scope in ["read", "deals", "money", "admin"] {
        single.push(key(json!([scope]), None).await.1);
    }
    product.pass(1000);

    let bearer = |name, token, may, own| Caller { name, who: Who::Bearer(token), may, own };
    let person = |name, browser, may, own| Caller { name, who: Who::Person(browser), may, own };
    let callers = [
        bearer("nobody", "", &[], false),
        bearer("an expired key", &expired, &[], false),
        bearer("a revoked key", &revoked, &[], false),
        bearer("key: read", &single[0], &["read"], true),
        bearer("key: deals", &single[1], &["deals"], true),
        bearer("key: money", &single[2], &["money"], true),
        bearer("key: admin", &single[3], &["admin"], true),
        bearer("key of the other brand", &b.key, &["read", "deals", "money", "admin"], false),
        person("owner", &a.owner.browser, &["read", "deals", "money", "admin", "session"], true),
        person("manager", &a.manager.browser, &["read", "deals", "money", "session"], true),
        person("viewer", &a.viewer.browser, &["read", "session"], true),
        person(
            "owner of the other brand",
            &b.owner.browser,
            &["read", "deals", "money", "admin", "session"],
            false,
        ),
        person("this creator", &a.signed_in, &["creator", "session"], true),
        bearer("this creator's token", &a.token, &["creator"], true),
        person("another brand's creator", &b.signed_in, &["creator", "session"], false),
        bearer("another brand's creator's token", &b.token, &["creator"], false),
        bearer("the operator", OPERATOR, &["operator"], false),
    ];
    for caller in &callers {
        // That a key or a session is in use is noted once.
        caller.who.call(&product, "GET", "/v1/session", None).await;
    }
    let document = product.call("GET", "/openapi.json", None, "").await.expect(200);
    let mut tried = BTreeSet::new();
    for (route, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let needs = needs(operation);
            if needs.is_empty() {
                continue;
            }
            tried.insert(format!("{method} {route}"));
            for caller in &callers {
                attack(&product, &a, caller, (method, route), &needs).await;
            }
        }
    }
    assert!(tried.len() > 50, "{}", tried.len());
}

async fn attack(
    product: &Product,
    a: &Brand,
    caller: &Caller<'_>,
    (method, route): (&str, &str),
    needs: &[String],
) {
    let what = format!("{}: {method} {route}", caller.name);
    let may = needs.iter().any(|need| caller.may.contains(&need.as_str()));
    let (path, body) = a.call(route, method);
    let reads = method == "get";
    let names = route.contains("{id}")
        || matches!((method, route), ("post", "/v1/deals" | "/v1/me/links"))
        || route.starts_with("/v1/conversions")
        || (route.ends_with("/import") && route != "/v1/creators/import");
    // What one's own may change is tried elsewhere.
    if may && !reads && (caller.own || !names || caller.may.contains(&"operator")) {
        return;
    }
    let before = product.db.checksum();
    let answer = caller.who.call(product, &method.to_uppercase(), &path, body).await;
    assert!(product.db.checksum() == before, "{what} changed something");
    assert!(answer.status < 500, "{what}: {}", answer.text);
    let told = answer.text.to_lowercase();
    if !may {
        let known = !matches!(caller.name, "nobody" | "an expired key" | "a revoked key");
        let (status, wanted) = (answer.status, if known { 403 } else { 401 });
        // A creator's token or a key is no session at all.
        assert!(status == wanted || (known && status == 404), "{what}: {status} {told}");
        assert!(!told.contains(CANARY), "{what}: {told}");
    } else if !caller.own {
        let whose = matches!(route, "/v1/status");
        if names {
            assert!(matches!(answer.status, 404 | 422), "{what}: {} {told}", answer.status);
        }
        assert!(whose || !told.contains(CANARY), "{what}: {told}");
    } else if caller.may.contains(&"creator") {
        assert!(!told.contains(NEIGHBOUR), "{what}: {told}");
        assert!(!told.contains(&a.neighbour), "{what}: {told}");
    }
}

/// The pages too: whatever anybody opens or posts without the proof of one of her own pages, it tells
/// nothing of others and changes nothing.
#[tokio::test]
async fn no_page_tells_or_does_what_is_not_theirs() {
    // A deployment: the mailbox, which shows everything, is for laptops.
    let product = Product::over(crate::support::sqlite::Sqlite::new(), false);
    let a = Brand::new(&product, CANARY, 10).await;
    let b = Brand::new(&product, "other", 20).await;
    let session = a.owner.browser.get(&product, "/v1/session").await.expect(200);
    let session = session["session"]["id"].as_str().unwrap().to_owned();
    let callers = [
        ("nobody", Who::Bearer(""), false),
        ("a key of the other brand", Who::Bearer(&b.key), false),
        ("the other brand's creator's token", Who::Bearer(&b.token), false),
        ("owner of the other brand", Who::Person(&b.owner.browser), false),
        ("the other brand's creator", Who::Person(&b.signed_in), false),
        ("owner", Who::Person(&a.owner.browser), true),
        ("manager", Who::Person(&a.manager.browser), true),
        ("viewer", Who::Person(&a.viewer.browser), true),
        ("creator", Who::Person(&a.signed_in), true),
    ];
    let mut tried = 0;
    for (route, methods) in tributary::web::pages::ROUTES {
        // A creator's pages name the brand first.
        let id = match *route {
            route if route.starts_with("/c/") => &a.id,
            route if route.contains("/deals/") => &a.deal,
            _ => &session,
        };
        let path =
            route.replace("{brand}", &a.id).replace("{id}", id).replace("{link_id}", &a.link);
        let path = path.replace("{post_id}", &a.post).replace("{month}", "2026-11");
        for method in *methods {
            for (name, who, own) in &callers {
                let before = product.db.checksum();
                let answer = who.call(&product, &method.to_uppercase(), &path, None).await;
                let what = format!("{name}: {method} {path}: {} {}", answer.status, answer.text);
                assert!(answer.status < 500, "{what}");
                assert!(
                    product.db.checksum() == before,
                    "{name}: {method} {path} changed something"
                );
                assert!(*own || !answer.text.contains(CANARY), "{what}");
                // The brand's own people see all of its creators.
                let ours =
                    matches!(*name, "owner" | "manager" | "viewer") && route.starts_with("/b/");
                assert!(ours || !answer.text.contains(NEIGHBOUR), "{what}");
                if route.starts_with("/mailbox") {
                    assert_eq!(answer.status, 404, "{what}");
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 150, "{tried}");
}

/// Two brands' members side by side in one browser's person: a role counts in its brand only.
#[tokio::test]
async fn a_role_counts_in_its_own_brand_only() {
    let product = Product::new();
    let a = Brand::new(&product, CANARY, 10).await;
    let b = Brand::new(&product, "other", 20).await;
    // The owner of one is invited to look at the other.
    let body = json!({ "email": b.owner.email, "role": "viewer" });
    product.call("POST", "/v1/members", Some(body), &a.key).await.expect(201);
    let invitation = invited(&product, &b.owner.email);
    let browser = &b.owner.browser;
    browser.sign_in(&product, json!({ "invitation": invitation })).await;
    browser.show(&product, &b.owner.key).await;
    let which = browser.get(&product, "/v1/brand").await.expect(400);
    assert_eq!(which["type"], "/problems/which-brand");
    let at = async |brand: &str, method: &str, path: &str, body: Option<Value>| {
        let headers = [("tributary-brand", brand), ("sec-fetch-site", "same-origin")];
        browser.send_with(&product, method, path, body, &headers).await
    };
    assert_eq!(at(&a.id, "GET", "/v1/brand", None).await.expect(200)["id"], a.id.as_str());
    assert_eq!(at(&b.id, "GET", "/v1/brand", None).await.expect(200)["id"], b.id.as_str());
    let creator = || Some(json!({ "name": "x", "handle": "x" }));
    assert_eq!(at(&a.id, "POST", "/v1/creators", creator()).await.status, 403);
    assert_eq!(at(&b.id, "POST", "/v1/creators", creator()).await.status, 201);
    assert_eq!(at(&a.id, "GET", "/v1/keys", None).await.status, 403);
    assert_eq!(at(&b.id, "GET", &format!("/v1/deals/{}", a.deal), None).await.status, 404);
    for wrong in ["", "x", "brand_01h455vb4pex5vsknk084sn02q"] {
        assert_eq!(at(wrong, "GET", "/v1/brand", None).await.status, 403, "{wrong}");
    }
}
