//! What every answer tells browsers, and the pages' own rules.

use http::Request;
use tributary::web::{api, assets, pages};

use crate::support::people::{Member, ORIGIN};
use crate::support::{Answer, Product, Programme};

async fn ask(product: &Product, method: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("accept", "text/html");
    product.raw(request.body(Vec::new()).unwrap()).await
}

const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

fn is_safe(answer: &Answer, what: &str) {
    let header = |name: &str| {
        let value = answer.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    };
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header("x-frame-options"), "DENY", "{what}");
    assert_eq!(header("referrer-policy"), "no-referrer", "{what}");
    // Shops load the storefront snippet, and nothing else of ours.
    let for_shops = what.starts_with("/snippet/") && answer.status == 200;
    let (resource, origin) = if for_shops { ("cross-origin", "*") } else { ("same-origin", "") };
    assert_eq!(header("cross-origin-resource-policy"), resource, "{what}");
    assert_eq!(header("access-control-allow-origin"), origin, "{what}");
    let transport = "max-age=31536000; includeSubDomains";
    assert_eq!(header("strict-transport-security"), transport, "{what}");
    let page = header("content-type").starts_with("text/html");
    let policy = if page { PAGE_POLICY } else { "default-src 'none'; frame-ancestors 'none'" };
    assert_eq!(header("content-security-policy"), policy, "{what}");
    if page {
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{what}");
        assert!(header("permissions-policy").contains("camera=()"), "{what}");
        assert_eq!(header("cache-control"), "no-store", "{what}");
        let html = &answer.text;
        for word in ["<style", " style=", "<script>", " onclick=", "http://", "https://"] {
            assert!(!html.contains(word), "{what}: {word} in {html}");
        }
        let headings = if html.is_empty() { 1 } else { html.matches("<h1>").count() };
        assert_eq!(headings, 1, "{what}: one heading");
    }
    for name in answer.headers.keys() {
        let told = for_shops && name == "access-control-allow-origin";
        assert!(told || !name.as_str().starts_with("access-control-"), "{what}: {name}");
    }
    let kept = ["/openapi.json", "/assets/", "/snippet/"].iter().any(|path| what.contains(path));
    assert!(header("cache-control") == "no-store" || (kept && answer.status == 200), "{what}");
}

#[tokio::test]
async fn every_answer_is_safe_to_meet_in_a_browser() {
    let product = Product::new();
    for (path, methods) in api::ROUTES.iter().chain(pages::ROUTES) {
        let path = path.replace("{id}", "x");
        for method in methods.iter().chain(&["head", "options", "put"]) {
            let method = method.to_uppercase();
            let answer = ask(&product, &method, &path).await;
            assert!(answer.status < 500, "{method} {path}: {}", answer.text);
            is_safe(&answer, &format!("{method} {path}"));
            assert!(!answer.headers.contains_key("set-cookie"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_nothing_else_is_found() {
    let product = Product::new();
    for (path, content_type) in assets::ALL {
        let answer = ask(&product, "GET", path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["content-type"], *content_type);
        assert_eq!(answer.headers["cache-control"], "public, max-age=31536000, immutable");
        is_safe(&answer, path);
    }
    let css = assets::APP_CSS.rsplit_once('/').unwrap().1;
    for path in [
        "/dashboard/x.css",
        "/account/x.css",
        "/privacy/x.css",
        "/assets/",
        "/assets/app.css",
        "/assets/..%2fopenapi.json",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/pages/privacy.html",
        "/.git",
        "/.git/config",
        "/openapi",
        "/snippet/v1",
        "/snippet/v1/",
        "/snippet/v1/x.js",
        "/snippet/v0/..%2fv1.js",
        &assets::SNIPPET.path.replace("/v1/", "/v2/"),
        &format!("/assets/x/{css}"),
        &format!("/assets/{css}/"),
        &format!("/{css}"),
    ] {
        let answer = ask(&product, "GET", path).await;
        assert_eq!(answer.status, 404, "{path}");
        is_safe(&answer, path);
    }
}

#[tokio::test]
async fn the_api_is_described_by_the_kept_document() {
    let answer = ask(&Product::new(), "GET", "/openapi.json").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["cache-control"], "public, max-age=300");
    assert!(!answer.text.contains('\n'));
    let kept: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string("openapi.json").unwrap()).unwrap();
    assert_eq!(answer.json, kept);
}

#[tokio::test]
async fn what_is_not_there_is_told_to_people_as_a_page() {
    let product = Product::new();
    let page = ask(&product, "GET", "/nowhere").await;
    assert_eq!(page.status, 404);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let request = Request::builder().uri("/nowhere").body(Vec::new()).unwrap();
    let data = product.raw(request).await;
    assert_eq!(data.status, 404);
    assert_eq!(data.headers["content-type"], "application/problem+json");
    let api = ask(&product, "GET", "/v1/nowhere").await;
    assert_eq!(api.headers["content-type"], "application/problem+json");
}

/// Pages that only some may see, asked for by a member of one brand while another has as much.
#[tokio::test]
async fn signed_in_pages_are_safe_and_show_ones_own() {
    let product = Product::new();
    let _casa = Programme::new(&product).await;
    let olga = Member::joins(&product, "owner@casa.example", 1).await;
    let made = product
        .call(
            "POST",
            "/v1/brands",
            Some(serde_json::json!({ "name": "Canary", "currency": "USD",
                "homepage_url": "https://canary.example", "owner_email": "vera@canary.example" })),
            crate::support::OPERATOR,
        )
        .await
        .expect(201);
    Member::joins(&product, "vera@canary.example", 2).await;
    let other = made["brand"]["id"].as_str().unwrap();
    for (path, methods) in pages::ROUTES.iter().filter(|(_, methods)| methods.contains(&"get")) {
        // Whoever has a laptop to herself sees all its mails.
        if path.starts_with("/mailbox") {
            continue;
        }
        assert!(!methods.is_empty());
        let headers = [("accept", "text/html")];
        // Another brand's pages are nobody's here.
        let path = path.replace("{brand}", other).replace("{id}", "x");
        let answer = olga.browser.send_with(&product, "GET", &path, None, &headers).await;
        is_safe(&answer, &format!("GET {path}"));
        for canary in ["Canary", "vera@", other] {
            assert!(!answer.text.contains(canary), "{path}: {canary}");
        }
    }
}

/// Every form × whose page sent it × whose proof it carries.
#[tokio::test]
async fn forms_are_taken_from_our_own_pages_only() {
    let product = Product::new();
    Programme::new(&product).await;
    let olga = Member::joins(&product, "owner@casa.example", 1).await;
    let session = olga.browser.get(&product, "/v1/session").await.expect(200);
    let (csrf, id) = (session["csrf"].as_str().unwrap(), &session["session"]["id"]);
    let cookies: Vec<String> =
        olga.browser.cookies.borrow().iter().map(|(n, v)| format!("{n}={v}")).collect();
    let post = async |path: &str, kind: &str, headers: &[(&str, &str)], body: &str| {
        let mut request = Request::builder().method("POST").uri(path);
        request = request.header("cookie", cookies.join("; ")).header("content-type", kind);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        product.raw(request.body(body.as_bytes().to_vec()).unwrap()).await.status
    };
    let form = "application/x-www-form-urlencoded";
    let ours = [("sec-fetch-site", "same-origin")];
    let proven = format!("csrf={csrf}&email=a%40b.example&token=x&code=x");
    for (path, _) in pages::ROUTES.iter().filter(|(_, methods)| methods.contains(&"post")) {
        // Mail programs post there by themselves: its token alone says what there is to say.
        if *path == "/unsubscribe/{id}" {
            continue;
        }
        let path = path.replace("{id}", id.as_str().unwrap());
        for strange in [
            &[][..],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", ORIGIN)],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://app.tributary.test.evil.example")],
            &[("origin", "null")],
        ] {
            assert_eq!(post(&path, form, strange, &proven).await, 403, "{path} {strange:?}");
        }
        for kind in ["application/json", "text/plain", "multipart/form-data"] {
            assert_eq!(post(&path, kind, &ours, &proven).await, 415, "{path} {kind}");
        }
        if !["/sign-in", "/invitation", "/invitation/acceptance"].contains(&path.as_str()) {
            for proof in ["", "csrf=", "csrf=x.y", "csrf=AAAAAAAAAAA.00"] {
                assert_eq!(post(&path, form, &ours, proof).await, 403, "{path} {proof}");
            }
        }
        assert_eq!(olga.browser.get(&product, "/v1/session").await.status, 200, "{path}");
    }
    assert_eq!(post("/sign-out", form, &[("origin", ORIGIN)], &proven).await, 303);
    assert_eq!(olga.browser.get(&product, "/v1/session").await.status, 401);
}
