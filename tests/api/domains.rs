//! The brand's own link domain, by Cloudflare for SaaS and by hand.

use std::sync::Arc;

use serde_json::{Value, json};
use tributary::app::{App, Ports};

use crate::support::cloudflare::{Double, Fault};
use crate::support::sqlite::Sqlite;
use crate::support::{Product, Programme};

/// What [`a_host_is_made_shown_verified_and_served`] tries.
pub const DOMAIN_COMMANDS: [&str; 1] = ["post /v1/brand/link-domain/check"];

const HOST: &str = "go.casa.example";
const MINUTE_MS: i64 = 60_000;

/// A deployment with Cloudflare for SaaS.
async fn deployed() -> (Product, Programme, Double) {
    let mut product = Product::over(Sqlite::new(), false);
    let cloudflare = Double::default();
    let mut ports: Ports = (*product.app).clone();
    ports.hostnames = Some(Arc::new(cloudflare.port()));
    product.app = App::new(ports);
    let p = Programme::new(&product).await;
    (product, p, cloudflare)
}

async fn choose(product: &Product, p: &Programme, host: Value) -> Value {
    let body = Some(json!({ "link_domain": host }));
    product.call("PATCH", "/v1/brand", body, &p.key).await.expect(200)
}

async fn domain(product: &Product, p: &Programme) -> Value {
    p.get(product, "/v1/brand/link-domain").await
}

async fn check(product: &Product, p: &Programme) -> Value {
    p.post(product, "/v1/brand/link-domain/check", json!({})).await.expect(200)
}

async fn minutes(product: &Product, count: i64) {
    for _ in 0..count {
        product.pass(MINUTE_MS);
        tributary::jobs::domains::verify_pending(&product.app).await.unwrap();
    }
}

fn leads_here(product: &Product, host: &str) {
    let proof = tributary::jobs::domains::proof(&product.app, host);
    let url = format!("https://{host}/.well-known/tributary");
    product.web.0.lock().unwrap().insert(url, proof);
}

fn state(domain: &Value) -> &str {
    domain["state"].as_str().unwrap_or("-")
}

#[tokio::test]
async fn a_host_is_made_shown_verified_and_served() {
    let (product, p, cloudflare) = deployed().await;
    let none = domain(&product, &p).await;
    assert_eq!((state(&none), &none["host"], &none["serving"]), ("-", &Value::Null, &json!([])));
    p.post(&product, "/v1/brand/link-domain/check", json!({})).await.expect(409);

    let brand = choose(&product, &p, json!(HOST)).await;
    assert_eq!(
        (&brand["link_domain"], &brand["link_domain_pending"]),
        (&Value::Null, &json!(HOST))
    );
    assert_eq!(cloudflare.asked(), [""; 0], "nothing is asked while somebody waits");
    let told = domain(&product, &p).await;
    let leads = json!({ "type": "CNAME", "name": HOST, "value": "app.tributary.test", "purpose": "traffic" });
    assert_eq!((state(&told), &told["automatic"]), ("pending", &json!(true)));
    assert_eq!(told["records"], json!([leads]));
    assert_eq!(told["checked_at"], Value::Null);

    minutes(&product, 1).await;
    assert_eq!(cloudflare.asked(), ["GET ?hostname=go.casa.example", "POST "]);
    let told = domain(&product, &p).await;
    assert_eq!(state(&told), "pending");
    assert!(told["problem"].as_str().unwrap().contains("make the CNAME record"), "{told}");
    assert!(told["checked_at"].is_string());
    let proof = json!({ "type": "TXT", "name": "_cf-custom-hostname.go.casa.example",
        "value": "5cc07c04-ea62-4a5a-95f0-419334a875a4", "purpose": "ownership" });
    assert_eq!(told["records"], json!([leads, proof]));
    minutes(&product, 2).await;
    assert_eq!(cloudflare.asked(), ["GET /hostname-1"; 2]);

    // It leads here; its certificate takes a while.
    cloudflare.set(HOST, "/status", json!("active"));
    cloudflare.set(HOST, "/ssl/status", json!("pending_issuance"));
    let told = check(&product, &p).await;
    assert!(told["problem"].as_str().unwrap().contains("certificate is being made"), "{told}");
    let notes = product.db.rows("SELECT actor_kind FROM audit WHERE action = 'domain.check'");
    assert_eq!(notes.len(), 1);
    cloudflare.activate(HOST);
    // Verified before it is used: what Cloudflare says is not enough.
    let told = check(&product, &p).await;
    assert_eq!((state(&told), &told["serving"]), ("pending", &json!([])));
    assert!(told["problem"].as_str().unwrap().contains("doesn't lead here yet"), "{told}");
    product
        .web
        .0
        .lock()
        .unwrap()
        .insert(format!("https://{HOST}/.well-known/tributary"), "hi".to_owned());
    assert!(check(&product, &p).await["problem"].as_str().unwrap().contains("leads elsewhere"));
    leads_here(&product, HOST);
    minutes(&product, 1).await;
    let told = domain(&product, &p).await;
    assert_eq!((state(&told), &told["problem"]), ("active", &Value::Null));
    assert_eq!(told["serving"][0]["host"], HOST);
    assert_eq!(told["serving"][0]["current"], true);
    assert_eq!(p.get(&product, "/v1/brand").await["link_domain"], HOST);
    cloudflare.asked();
    minutes(&product, 5).await;
    assert_eq!(cloudflare.asked(), [""; 0], "what is served isn't asked for any more");
}

#[tokio::test]
async fn old_links_keep_working_and_only_what_is_given_up_is_removed() {
    let (product, p, cloudflare) = deployed().await;
    let ready = async |host: &str| {
        choose(&product, &p, json!(host)).await;
        minutes(&product, 1).await;
        cloudflare.activate(host);
        leads_here(&product, host);
        minutes(&product, 1).await;
        assert_eq!(p.get(&product, "/v1/brand").await["link_domain"], host);
    };
    ready("a.casa.example").await;
    let links = format!("/v1/deals/{}/links", p.deal);
    let link = p.post(&product, &links, json!({ "slug": "anna" })).await.expect(201);
    assert_eq!(link["url"], "https://a.casa.example/anna");
    let agent = "Mozilla/5.0 (iPhone)";
    product.visit("a.casa.example", "anna", "", agent).await.unwrap();
    ready("b.casa.example").await;
    for host in ["a.casa.example", "b.casa.example"] {
        let there = product.visit(host, "anna", "", agent).await.unwrap();
        assert!(there.starts_with("https://shop.casa.example/?ref=anna&click_id="), "{host}");
    }
    let told = domain(&product, &p).await;
    let hosts: Vec<_> = told["serving"].as_array().unwrap().iter().map(|h| &h["host"]).collect();
    assert_eq!(hosts, ["b.casa.example", "a.casa.example"]);

    // One that was never served is removed when it is given up, even if Cloudflare is away then.
    choose(&product, &p, json!("c.casa.example")).await;
    minutes(&product, 1).await;
    assert_eq!(cloudflare.hosts().len(), 3);
    let told = domain(&product, &p).await;
    assert_eq!((&told["host"], state(&told)), (&json!("c.casa.example"), "pending"));
    choose(&product, &p, json!("b.casa.example")).await;
    cloudflare.asked();
    cloudflare.fail(&[Fault::Answer(500, "oops")]);
    minutes(&product, 1).await;
    assert_eq!(cloudflare.hosts().len(), 3);
    minutes(&product, 11).await;
    assert_eq!(cloudflare.asked(), ["DELETE /hostname-3"; 2]);
    assert_eq!(cloudflare.hosts(), ["a.casa.example", "b.casa.example"]);
    assert_eq!(product.db.rows("SELECT * FROM host_removals"), [Value::Null; 0]);
    // Given up and wanted again before it was removed: it stays.
    choose(&product, &p, json!("c.casa.example")).await;
    minutes(&product, 1).await;
    choose(&product, &p, json!(null)).await;
    choose(&product, &p, json!("c.casa.example")).await;
    minutes(&product, 1).await;
    assert_eq!(cloudflare.hosts().len(), 3);
    assert_eq!(product.db.rows("SELECT * FROM host_removals"), [Value::Null; 0]);
    // Nobody points it here for a week.
    for _ in 0..(8 * 24) {
        minutes(&product, 1).await;
        product.pass(59 * MINUTE_MS);
    }
    assert_eq!(cloudflare.hosts(), ["a.casa.example", "b.casa.example"]);
    assert_eq!(state(&domain(&product, &p).await), "-");
    product.visit("a.casa.example", "anna", "", agent).await.unwrap();
}

#[tokio::test]
async fn what_the_operator_made_is_neither_changed_nor_removed() {
    let (product, p, cloudflare) = deployed().await;
    // Made by hand, for something else.
    cloudflare.0.lock().unwrap().hostnames.push(json!({ "id": "by-hand", "hostname": HOST,
        "status": "blocked", "ssl": { "status": "active" } }));
    choose(&product, &p, json!(HOST)).await;
    minutes(&product, 1).await;
    assert_eq!(state(&domain(&product, &p).await), "failed");
    check(&product, &p).await;
    choose(&product, &p, json!(null)).await;
    minutes(&product, 2).await;
    let asked = cloudflare.asked();
    assert!(asked.iter().all(|one| one.starts_with("GET ")), "{asked:?}");
    assert_eq!(cloudflare.hosts(), [HOST]);

    // One whose answer was lost is ours, and goes when it is given up.
    let lost = "lost.casa.example";
    choose(&product, &p, json!(lost)).await;
    cloudflare.fail(&[Fault::Answer(200, r#"{"result":[]}"#), Fault::LostAfter]);
    minutes(&product, 2).await;
    assert_eq!(cloudflare.hosts(), [HOST, lost]);
    choose(&product, &p, json!(null)).await;
    // Wanted again before it is removed: the same one is used, and nothing is to be removed.
    let removals = || product.db.rows("SELECT * FROM host_removals").len();
    assert_eq!(removals(), 1);
    let due = tributary::storage::hosts::removals(product.app.db(), i64::MAX).await.unwrap();
    choose(&product, &p, json!(lost)).await;
    assert_eq!(removals(), 0);
    let take = tributary::storage::hosts::take_removal(&due[0].hostname_id);
    assert!(product.app.db().run(take).await.is_err(), "who read it before doesn't do it");
    cloudflare.asked();
    minutes(&product, 1).await;
    assert_eq!(cloudflare.asked(), ["GET /hostname-1"]);
    choose(&product, &p, json!(null)).await;
    minutes(&product, 1).await;
    assert_eq!(cloudflare.hosts(), [HOST]);
}

#[tokio::test]
async fn whatever_is_lost_one_hostname_is_made() {
    let answers = [
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::Answer(500, "<html>"),
        Fault::Answer(502, ""),
        Fault::Answer(429, r#"{"success":false,"errors":[{"code":971,"message":"slow down"}]}"#),
        Fault::Answer(200, "null"),
        Fault::Answer(200, "{}"),
        Fault::Answer(200, r#"{"result":{"id":"../../x","status":"active"}}"#),
        Fault::Answer(200, r#"{"result":{"id":7,"status":[]}}"#),
        Fault::Answer(200, "[[[[["),
        Fault::Answer(301, ""),
        Fault::Answer(
            403,
            r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}"#,
        ),
    ];
    // The search or the request for it goes wrong: in the end there is one, and it is used.
    for before in 0..3 {
        for fault in &answers {
            let (product, p, cloudflare) = deployed().await;
            choose(&product, &p, json!(HOST)).await;
            let mut faults = Vec::new();
            for _ in 0..before {
                faults.push(Fault::Answer(200, r#"{"result":[]}"#));
            }
            faults.push(fault.clone());
            // A search that finds nothing is not a fault of a request to make one.
            if before == 2 {
                faults = vec![fault.clone(), fault.clone(), fault.clone()];
            }
            cloudflare.fail(&faults);
            minutes(&product, 1).await;
            let told = domain(&product, &p).await;
            assert!(matches!(state(&told), "pending"), "{before} {fault:?}: {told}");
            let words = told["problem"].as_str().unwrap();
            assert!(!words.contains("cf-secret") && !words.is_empty(), "{words}");
            minutes(&product, 4).await;
            assert_eq!(cloudflare.hosts(), [HOST], "{before} {fault:?}");
            cloudflare.activate(HOST);
            leads_here(&product, HOST);
            minutes(&product, 1).await;
            assert_eq!(state(&domain(&product, &p).await), "active", "{before} {fault:?}");
        }
    }
}

#[tokio::test]
async fn what_failed_tells_why_and_is_tried_again() {
    for (path, value, words) in [
        ("/status", json!("blocked"), "another account"),
        ("/status", json!("moved"), "doesn't any more"),
        ("/ssl/status", json!("validation_timed_out"), "no certificate could be made"),
        (
            "/ssl/validation_errors",
            json!([{ "message": "SERVFAIL looking up CAA for casa.example" }]),
            "CAA records",
        ),
    ] {
        let (product, p, cloudflare) = deployed().await;
        choose(&product, &p, json!(HOST)).await;
        minutes(&product, 1).await;
        if path.starts_with("/ssl") {
            cloudflare.set(HOST, "/status", json!("active"));
        }
        cloudflare.set(HOST, path, value);
        minutes(&product, 1).await;
        let told = domain(&product, &p).await;
        assert_eq!(state(&told), "failed", "{told}");
        assert!(told["problem"].as_str().unwrap().contains(words), "{told}");
        assert_eq!(product.db.rows("SELECT * FROM audit WHERE action = 'domain.fail'").len(), 1);
        cloudflare.asked();
        minutes(&product, 3).await;
        assert_eq!(cloudflare.asked(), [""; 0], "not by itself");
        // The brand mended it.
        cloudflare.activate(HOST);
        cloudflare.set(HOST, "/ssl/validation_errors", json!([]));
        let told = check(&product, &p).await;
        assert_eq!(state(&told), "pending", "{told}");
        assert_eq!(cloudflare.asked(), ["PATCH /hostname-1"]);
        cloudflare.activate(HOST);
        leads_here(&product, HOST);
        minutes(&product, 1).await;
        assert_eq!(state(&domain(&product, &p).await), "active");
    }
    // Refused at once: somebody else's, or no host that Cloudflare takes.
    let (product, p, cloudflare) = deployed().await;
    choose(&product, &p, json!(HOST)).await;
    let refusal =
        r#"{"success":false,"errors":[{"code":1407,"message":"Invalid custom hostname.\u0007"}]}"#;
    cloudflare.fail(&[Fault::Answer(200, r#"{"result":[]}"#), Fault::Answer(400, refusal)]);
    minutes(&product, 1).await;
    let told = domain(&product, &p).await;
    assert_eq!(state(&told), "failed");
    assert_eq!(told["problem"], "Cloudflare refused this host: Invalid custom hostname.");
    for _ in 0..9 {
        check(&product, &p).await;
    }
    choose(&product, &p, json!("other.casa.example")).await;
    check(&product, &p).await;
    let many = p.post(&product, "/v1/brand/link-domain/check", json!({})).await;
    assert_eq!(many.status, 429);
}

/// What Cloudflare forgot is made again; another brand's claim takes the hostname over.
#[tokio::test]
async fn what_changed_meanwhile_is_seen() {
    let (product, p, cloudflare) = deployed().await;
    choose(&product, &p, json!(HOST)).await;
    minutes(&product, 1).await;
    cloudflare.0.lock().unwrap().hostnames.clear();
    cloudflare.asked();
    minutes(&product, 1).await;
    assert_eq!(cloudflare.asked(), ["GET /hostname-1", "GET ?hostname=go.casa.example", "POST "]);
    let q = Programme::new(&product).await;
    choose(&product, &q, json!(HOST)).await;
    assert_eq!(state(&domain(&product, &p).await), "-");
    cloudflare.activate(HOST);
    leads_here(&product, HOST);
    minutes(&product, 1).await;
    assert_eq!(state(&domain(&product, &q).await), "active");
    assert_eq!(cloudflare.hosts(), [HOST]);
    // Others of a like name aren't taken for it.
    choose(&product, &p, json!("casa.example")).await;
    minutes(&product, 1).await;
    assert_eq!(cloudflare.hosts(), [HOST, "casa.example"]);
    let rows = product.db.rows("SELECT * FROM audit");
    assert!(!format!("{rows:?}{:?}", product.log.0.lock().unwrap()).contains("cf-secret"));
}

#[tokio::test]
async fn without_cloudflare_the_operator_adds_hosts_by_hand() {
    let product = Product::over(Sqlite::new(), false);
    let p = Programme::new(&product).await;
    choose(&product, &p, json!(HOST)).await;
    let told = domain(&product, &p).await;
    assert_eq!((state(&told), &told["automatic"]), ("pending", &json!(false)));
    assert_eq!(told["records"].as_array().unwrap().len(), 1);
    minutes(&product, 1).await;
    assert!(
        domain(&product, &p).await["problem"].as_str().unwrap().contains("doesn't lead here yet")
    );
    leads_here(&product, HOST);
    assert_eq!(state(&check(&product, &p).await), "active");
    // A laptop verifies at once.
    let laptop = Product::new();
    let q = Programme::new(&laptop).await;
    choose(&laptop, &q, json!(HOST)).await;
    assert_eq!(state(&domain(&laptop, &q).await), "active");
}
