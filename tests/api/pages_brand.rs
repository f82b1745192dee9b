//! A brand's pages: they show what the API tells, and their forms do what it does, by its rules.

use serde_json::{Value, json};

use crate::support::people::Member;
use crate::support::shop::{coded, order};
use crate::support::{Answer, Product, Programme};

pub struct Casa {
    pub product: Product,
    pub p: Programme,
    pub olga: Member,
    pub home: String,
}

pub async fn casa() -> Casa {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let code = json!({ "code": "ANNA", "create_in_store": false });
    p.post(&product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
    assert_eq!(p.deliver(&product, &coded(order(1), "anna")).await, 200);
    let olga = Member::joins(&product, "owner@casa.example", 1).await;
    let home = format!("/b/{}", p.brand["id"].as_str().unwrap());
    Casa { product, p, olga, home }
}

pub async fn see(casa: &Casa, who: &Member, path: &str) -> Answer {
    who.browser.sees(&casa.product, &format!("{}{path}", casa.home)).await
}

pub async fn send(casa: &Casa, who: &Member, path: &str, fields: &[(&str, &str)]) -> Answer {
    who.browser.fills(&casa.product, &format!("{}{path}", casa.home), fields).await
}

pub async fn viewer(casa: &Casa) -> Member {
    let body = json!({ "email": "vera@casa.example", "role": "viewer" });
    casa.p.post(&casa.product, "/v1/members", body).await.expect(201);
    Member::joins(&casa.product, "vera@casa.example", 2).await
}

#[tokio::test]
async fn pages_show_what_the_api_tells() {
    let casa = casa().await;
    let (p, product) = (&casa.p, &casa.product);
    let found = p.order(product, 1).await;
    let (id, deal) = (found["id"].as_str().unwrap(), &p.deal);
    let amount = |value: &Value| format!("value=\"{}\"", value["amount"].as_str().unwrap());
    let vera = viewer(&casa).await;
    for who in [&casa.olga, &vera] {
        for path in ["", "/campaigns", "/creators", "/orders", "/payouts"] {
            assert_eq!(see(&casa, who, path).await.status, 200, "{path}");
        }
        for path in ["", "/orders", &format!("/orders/{id}"), &format!("/deals/{deal}")] {
            let shown = see(&casa, who, path).await;
            assert_eq!(shown.status, 200, "{path}: {}", shown.text);
            for money in ["base", "commission"] {
                assert!(shown.text.contains(&amount(&found[money])), "{path}: {money}");
            }
        }
        let creator = see(&casa, who, &format!("/creators/{}", p.creator)).await;
        let balance = p.balance(product, &p.creator, "USD").await;
        for account in ["available", "pending", "in_payout", "paid"] {
            let value = format!("value=\"{}\"", balance[account].as_str().unwrap());
            assert!(creator.text.contains(&value), "{account}");
        }
        let board = see(&casa, who, &format!("/campaigns/{}", p.campaign)).await;
        assert!(board.text.contains(deal.as_str()));
        let changes = board.text.contains("method=\"post\" action=\"/b/");
        assert_eq!(changes, who.email == casa.olga.email, "who only looks has no forms");
    }
    for path in ["/orders?from=x", "/orders?cursor=x", "/deals/x", "/orders/x", "/campaigns/x"] {
        let status = see(&casa, &casa.olga, path).await.status;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
}

#[tokio::test]
async fn forms_do_what_the_api_does() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let at = |what: &str| format!("/deals/{}{what}", p.deal);
    let form = [("rate", "12.5"), ("code", "FALL"), ("link", "yes"), ("slug", "fall-26")];
    assert_eq!(send(&casa, olga, &at("/collaboration"), &form).await.status, 303);
    let deal = p.get(product, &format!("/v1/deals/{}", p.deal)).await;
    assert_eq!(deal["terms"]["commission_percent"], "12.5");
    assert!(
        deal["codes"].to_string().contains("FALL") && deal["links"].to_string().contains("fall-26")
    );
    for (form, status) in [
        (&[("rate", "120")][..], 422),
        (&[("rate", "x")], 422),
        (&[("code", "FALL")], 409),
        (&[("link", "yes"), ("slug", "fall-26")], 409),
        (&[("link", "yes"), ("target", "https://evil.example")], 422),
        (&[("group", "x"), ("code", "Y")], 422),
    ] {
        let before = product.db.checksum();
        let told = send(&casa, olga, &at("/collaboration"), form).await;
        assert_eq!(told.status, status, "{form:?}");
        assert!(told.text.contains("role=\"alert\""), "{form:?}");
        assert!(product.db.checksum() == before, "{form:?} changed something");
    }
    let fee = [("amount", "150.00"), ("currency", "USD"), ("once", "a")];
    for _ in 0..2 {
        assert_eq!(send(&casa, olga, &at("/fees"), &fee).await.status, 303);
    }
    let other = [("amount", "151.00"), ("currency", "USD"), ("once", "a")];
    assert_eq!(send(&casa, olga, &at("/fees"), &other).await.status, 422);
    let fees = p.get(product, &format!("/v1/deals/{}/fees", p.deal)).await;
    assert_eq!(fees["data"].as_array().unwrap().len(), 1);
    assert_eq!(send(&casa, olga, &at("/notes"), &[("text", "<b>hello")]).await.status, 303);
    assert_eq!(send(&casa, olga, &at("/notes"), &[("text", "")]).await.status, 422);
    let todo = [("text", "Ask"), ("due_on", "2026-01-05")];
    assert_eq!(send(&casa, olga, &at("/follow-ups"), &todo).await.status, 303);
    let list = p.get(product, &format!("/v1/deals/{}/follow-ups", p.deal)).await;
    let id = list["data"][0]["id"].as_str().unwrap();
    assert_eq!(send(&casa, olga, &at("/follow-ups/done"), &[("id", id)]).await.status, 303);
    assert_eq!(send(&casa, olga, &at("/follow-ups/done"), &[("id", "x")]).await.status, 404);
    let invited = send(&casa, olga, &at("/invitation"), &[]).await;
    assert!(invited.status == 200 && invited.text.contains("/invitation#tbi_"));
    let shown = see(&casa, olga, &at("")).await;
    assert!(shown.text.contains("&#60;b&#62;hello") || shown.text.contains("&lt;b&gt;hello"));
    assert!(!shown.text.contains("<b>hello") && !shown.text.contains("tbi_"));

    // Who only looks is refused, whatever she posts.
    let vera = viewer(&casa).await;
    for what in ["/collaboration", "/notes", "/fees", "/invitation", "/move", "/follow-ups"] {
        let before = product.db.checksum();
        let all = [
            ("rate", "50"),
            ("text", "x"),
            ("amount", "1.00"),
            ("currency", "USD"),
            ("once", "b"),
            ("stage", "Active"),
            ("due_on", "2026-12-01"),
        ];
        assert_eq!(send(&casa, &vera, &at(what), &all).await.status, 403, "{what}");
        assert!(product.db.checksum() == before, "{what}");
    }
}

#[tokio::test]
async fn payouts_go_by_the_rules_of_the_api() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let nobody = send(&casa, olga, "/payouts", &[("currency", "USD"), ("once", "a")]).await;
    assert!([303, 409].contains(&nobody.status), "{}", nobody.status);
    assert_eq!(
        send(&casa, olga, "/payouts", &[("currency", "XXX"), ("once", "b")]).await.status,
        422
    );
    assert_eq!(send(&casa, olga, "/payouts", &[("currency", "USD")]).await.status, 400);
    let listed = p.get(product, "/v1/payouts").await;
    if let Some(id) = listed["data"][0]["id"].as_str() {
        product.pass(3_600_000);
        let before = product.db.checksum();
        let told = send(&casa, olga, &format!("/payouts/{id}/approval"), &[("once", "c")]).await;
        assert_eq!(told.status, 403);
        assert!(product.db.checksum() == before);
    }
}
