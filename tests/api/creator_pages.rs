//! The creator's pages: whose they are, that their figures are the API's, that texts are texts, and their forms.

use serde_json::{Value, json};

use super::payouts::pay;
use crate::support::people::{Authenticator, Browser, Member, invited};
use crate::support::shop::{coded, order};
use crate::support::{Answer, OPERATOR, Product, Programme};

/// What [`forms_do_what_the_api_does`] tries.
pub const LINK_COMMANDS: [&str; 1] = ["post /v1/me/links"];

const PLACES: [&str; 9] =
    ["", "/links", "/orders", "/posts", "/statements", "/payouts", "/payment", "/claims", "/terms"];

/// The programme's creator, who signed in, and where her pages are.
struct Anna {
    p: Programme,
    browser: Browser,
    home: String,
}

impl Anna {
    async fn new(product: &Product) -> Self {
        let p = Programme::new(product).await;
        let path = format!("/v1/deals/{}/invitation", p.deal);
        let made = product.call("POST", &path, None, &p.key).await.expect(201);
        let token = made["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
        let browser = Browser::default();
        browser.sign_in(product, json!({ "invitation": token })).await;
        let home = format!("/c/{}", p.brand["id"].as_str().unwrap());
        Self { p, browser, home }
    }

    async fn page(&self, product: &Product, place: &str, language: &str) -> Answer {
        let headers = [("accept", "text/html"), ("accept-language", language)];
        let path = format!("{}{place}", self.home);
        self.browser.send_with(product, "GET", &path, None, &headers).await
    }

    /// Sends a form of her pages, with its proof.
    async fn send(&self, product: &Product, place: &str, fields: &[(&str, &str)]) -> Answer {
        self.browser.fills(product, &format!("{}{place}", self.home), fields).await
    }
}

fn location(answer: &Answer) -> &str {
    answer.headers["location"].to_str().unwrap()
}

#[tokio::test]
async fn her_pages_are_hers_alone() {
    let product = Product::new();
    let anna = Anna::new(&product).await;
    let owner = Member::joins(&product, "owner@casa.example", 1).await;
    let other = json!({ "name": "Other", "currency": "USD", "homepage_url": "https://other.example",
        "owner_email": "vera@other.example" });
    let other = product.call("POST", "/v1/brands", Some(other), OPERATOR).await.expect(201);
    let key = other["api_key"].as_str().unwrap();
    let post =
        async |path: &str, body| product.call("POST", path, Some(body), key).await.expect(201);
    let bea = json!({ "name": "Bea", "handle": "bea", "email": "bea@creator.example" });
    let (bea, campaign) =
        (post("/v1/creators", bea).await, post("/v1/campaigns", json!({ "name": "x" })).await);
    let deal = json!({ "creator_id": bea["id"], "campaign_id": campaign["id"] });
    let deal = post("/v1/deals", deal).await;
    product
        .call("POST", &format!("/v1/deals/{}/invitation", deal["id"].as_str().unwrap()), None, key)
        .await;
    let stranger = Browser::default();
    let invitation = invited(&product, "bea@creator.example");
    stranger.sign_in(&product, json!({ "invitation": invitation })).await;
    for place in PLACES {
        assert_eq!(anna.page(&product, place, "").await.status, 200, "{place}");
        let path = format!("{}{place}", anna.home);
        let ask = async |browser: &Browser| browser.sees(&product, &path).await;
        assert_eq!(location(&ask(&Browser::default()).await), "/sign-in", "{place}");
        for (who, browser) in [("another's creator", &stranger), ("the owner", &owner.browser)] {
            let answer = ask(browser).await;
            assert_eq!(answer.status, 403, "{who} {place}");
            assert!(!answer.text.contains("Anna"), "{who} {place}");
        }
        // Whether there is such a brand isn't told.
        for none in ["brand_01h455vb4pex5vsknk084sn02q", "x", "%00"] {
            let path = format!("/c/{none}{place}");
            let answer = stranger.sees(&product, &path).await;
            assert_eq!(answer.status, 403, "{path}");
        }
    }
    assert_eq!(location(&anna.browser.get(&product, "/c").await), anna.home);
    let link = format!("/v1/deals/{}/links", anna.p.deal);
    let link = anna.p.post(&product, &link, json!({ "slug": "anna" })).await.expect(201);
    let qr = format!("/links/{}/qr", link["id"].as_str().unwrap());
    let picture = anna.page(&product, &qr, "").await;
    assert_eq!(
        (picture.status, &picture.headers["content-type"]),
        (200, &"image/svg+xml".parse().unwrap())
    );
    let her = format!("/c/{}{qr}", other["brand"]["id"].as_str().unwrap());
    assert_eq!(stranger.get(&product, &her).await.status, 404);
}

/// The amount in a page's field, as decimal text.
fn shown<'a>(page: &'a str, field: &str) -> &'a str {
    let at = page
        .find(&format!("data-money=\"{field}\">"))
        .unwrap_or_else(|| panic!("{field} in {page}"));
    page[at..].split_once('>').unwrap().1.split('<').next().unwrap()
}

#[tokio::test]
async fn figures_on_pages_are_the_apis() {
    let product = Product::new();
    let anna = Anna::new(&product).await;
    let p = &anna.p;
    let code = json!({ "code": "ANNA10", "create_in_store": false });
    p.post(&product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
    for id in [1, 2, 3] {
        assert_eq!(p.deliver(&product, &coded(order(id), "ANNA10")).await, 200);
    }
    let fee = json!({ "amount": { "amount": "1234.50", "currency": "USD" }, "note": "Reel" });
    pay(&product, &p.key, "fee", &format!("/v1/deals/{}/fees", p.deal), fee).await.expect(201);
    let minimum = json!({ "payout_minimum": { "amount": "2000.00", "currency": "USD" } });
    product.call("PATCH", "/v1/brand", Some(minimum), &p.key).await.expect(200);
    let balance = p.balance(&product, &p.creator, "USD").await;
    assert_eq!(balance["available"], "1234.50");
    let home = anna.page(&product, "", "en-US").await;
    let american = |text: &str| {
        let (whole, cents) = text.split_once('.').unwrap();
        let (head, tail) = whole.split_at(whole.len().saturating_sub(3));
        format!("${head}{}{tail}.{cents}", if head.is_empty() { "" } else { "," })
    };
    for field in ["available", "pending", "in_payout", "paid", "lifetime"] {
        let api = balance[field].as_str().unwrap();
        assert_eq!(shown(&home.text, field), american(api), "{field}");
    }
    assert!(home.text.contains("$765.50 more until $2,000.00"), "{}", home.text);
    // The same in the way of another reader.
    let german = anna.page(&product, "", "de-DE,de;q=0.9,en;q=0.1").await;
    assert_eq!(shown(&german.text, "available"), "1.234,50\u{a0}$");
    let orders = anna.page(&product, "/orders", "").await.text;
    let mine = anna.browser.get(&product, "/v1/me/orders").await.expect(200);
    for row in mine["data"].as_array().unwrap() {
        let commission = american(row["commission"]["amount"].as_str().unwrap());
        assert!(orders.contains(row["name"].as_str().unwrap()) && orders.contains(&commission));
    }
    assert_eq!(orders.matches("Your code ANNA10 was used.").count(), 3);
    assert_eq!(
        orders.matches("The commission becomes available on Dec 22, 2026.").count(),
        3,
        "{orders}"
    );
    let links = anna.page(&product, "/links", "").await.text;
    let earned = anna.browser.get(&product, "/v1/me/earnings").await.expect(200);
    let commission = earned["deals"][0]["commission"][0]["amount"].as_str().unwrap();
    assert_eq!(shown(&links, "commission"), american(commission));
    // A statement's lines add up to what is owed.
    let statement = anna.page(&product, "/statements?month=2026-11", "").await.text;
    let api = anna.browser.get(&product, "/v1/me/statement?month=2026-11").await.expect(200);
    let closing = american(api["balances"][0]["closing"].as_str().unwrap());
    assert!(statement.contains(&format!("<strong>{closing}</strong>")), "{statement}");
    assert_eq!(statement.matches("Commission: order #").count(), 3);
    assert!(statement.contains("Fee: Reel"));
    let file = anna.page(&product, "/statements/2026-11/file", "").await;
    assert_eq!(
        file.headers["content-disposition"],
        "attachment; filename=\"statement-2026-11.csv\""
    );
    let csv = anna.browser.get(&product, "/v1/me/statement?month=2026-11&format=csv").await;
    assert_eq!(file.text, csv.text);
    for bad in ["?month=2026-13", "?month=x", "?after=1&after=2", "?x=1"] {
        assert_eq!(
            anna.page(&product, &format!("/statements{bad}"), "").await.status,
            422,
            "{bad}"
        );
    }
    assert_eq!(anna.page(&product, "/statements/2026-11%22/file", "").await.status, 422);
}

#[tokio::test]
async fn texts_of_others_stay_texts() {
    let product = Product::new();
    let anna = Anna::new(&product).await;
    let p = &anna.p;
    let evil = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "{{7*7}}",
        "javascript:alert(1)",
    ];
    let all = evil.join(" ");
    let patch = async |path: &str, body: Value| {
        product.call("PATCH", path, Some(body), &p.key).await.expect(200)
    };
    patch("/v1/brand", json!({ "name": all, "creators_make_links": true })).await;
    patch(&format!("/v1/creators/{}", p.creator), json!({ "name": all })).await;
    patch(&format!("/v1/campaigns/{}", p.campaign), json!({ "name": all })).await;
    let code = json!({ "code": "ANNA10", "create_in_store": false });
    p.post(&product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
    let mut named = coded(order(1), "ANNA10");
    named["name"] = json!(all);
    assert_eq!(p.deliver(&product, &named).await, 200);
    let fee = json!({ "amount": { "amount": "1.00", "currency": "USD" }, "note": all });
    pay(&product, &p.key, "fee", &format!("/v1/deals/{}/fees", p.deal), fee).await.expect(201);
    for text in evil {
        let claim = anna.send(&product, "/claims", &[("order_number", text), ("note", text)]).await;
        assert_eq!(claim.status, 303, "{}", claim.text);
    }
    // What a form is refused with says what was typed, as text.
    let sent = [
        anna.send(&product, "/links", &[("deal_id", &p.deal), ("page", &all), ("slug", &all)])
            .await,
        anna.send(&product, "/posts", &[("deal_id", &p.deal), ("url", &all), ("platform", "blog")])
            .await,
        anna.send(&product, "/payment", &[("method", "iban"), ("holder", &all), ("iban", &all)])
            .await,
        anna.send(&product, "/payment", &[("method", &all)]).await,
        anna.send(&product, "/claims", &[("order_number", ""), ("note", &all)]).await,
    ];
    let mut pages: Vec<String> = Vec::new();
    for answer in sent {
        assert_eq!(answer.status, 422, "{}", answer.text);
        pages.push(answer.text);
    }
    for place in PLACES {
        let page = anna.page(&product, place, &all).await;
        assert_eq!(page.status, 200);
        assert!(
            page.text.contains("&#60;script&#62;") || page.text.contains("&lt;script&gt;"),
            "{place}"
        );
        pages.push(page.text);
    }
    for page in pages {
        assert!(!page.contains("<script>") && !page.contains("<img src=x"), "{page}");
        assert!(!page.contains("href=\"javascript:"), "{page}");
        assert!(!page.contains(">49<") && page.contains("{{7*7}}"), "nothing is reckoned: {page}");
    }
}

#[tokio::test]
async fn forms_do_what_the_api_does() {
    let product = Product::new();
    let anna = Anna::new(&product).await;
    let p = &anna.p;
    let deal = p.deal.as_str();
    // Links: only where the brand lets her.
    let denied = anna.send(&product, "/links", &[("deal_id", deal)]).await;
    assert_eq!(denied.status, 403);
    assert!(denied.text.contains("The brand makes all links itself"), "{}", denied.text);
    let let_her = json!({ "creators_make_links": true });
    let brand = product.call("PATCH", "/v1/brand", Some(let_her), &p.key).await.expect(200);
    assert_eq!(brand["creators_make_links"], true);
    let page = "https://shop.casa.example/products/jeans?variant=1#top";
    let made = anna
        .send(&product, "/links", &[("deal_id", deal), ("page", page), ("slug", "anna-jeans")])
        .await;
    assert_eq!((made.status, location(&made)), (303, &*format!("{}/links?done=1", anna.home)));
    let listed = anna.page(&product, "/links?done=1", "").await.text;
    assert!(
        listed.contains("/go/anna-jeans") && listed.contains("/products/jeans?variant=1"),
        "{listed}"
    );
    assert!(listed.contains("Your link is ready."));
    let noted =
        product.db.rows("SELECT actor_kind, actor_id FROM audit WHERE action = 'link.create'");
    assert_eq!(noted, [json!({ "actor_kind": "creator", "actor_id": p.creator })]);
    let (rival, _) = p.rival(&product, "BERTA").await;
    for (field, value, status) in [
        ("page", "https://evil.example/products/jeans", 422),
        ("page", "//evil.example", 422),
        ("page", "/a/../b", 422),
        ("slug", "anna-jeans", 409),
        ("slug", "sp ace", 422),
        ("deal_id", rival.as_str(), 422),
        ("deal_id", "", 422),
    ] {
        let before = product.db.checksum();
        let fields = [("deal_id", if field == "deal_id" { value } else { deal }), (field, value)];
        let answer = anna.send(&product, "/links", &fields).await;
        assert_eq!(answer.status, status, "{field}={value}: {}", answer.text);
        assert!(answer.text.contains("role=\"alert\""), "{field}={value}");
        assert!(product.db.checksum() == before, "{field}={value} changed something");
    }
    // Posts, and their numbers.
    let url = "https://tiktok.com/@anna/1";
    let fields =
        [("deal_id", deal), ("url", url), ("platform", "tiktok"), ("published_at", "2026-11-20")];
    assert_eq!(anna.send(&product, "/posts", &fields).await.status, 303);
    assert_eq!(anna.send(&product, "/posts", &fields).await.status, 409, "reported before");
    let mine = anna.browser.get(&product, "/v1/me/posts").await.expect(200);
    assert_eq!(mine["data"][0]["published_at"], "2026-11-20T00:00:00.000Z");
    let numbers = format!("/posts/{}/numbers", mine["data"][0]["id"].as_str().unwrap());
    for (views, status) in [("12x", 422), ("", 422), ("-1", 422), ("1200", 303)] {
        let answer = anna.send(&product, &numbers, &[("views", views)]).await;
        assert_eq!(answer.status, status, "{views}: {}", answer.text);
    }
    assert!(anna.page(&product, "/posts", "de").await.text.contains("<dd>1.200</dd>"));
    let theirs = json!({ "platform": "blog", "url": "https://b.example/p", "published_at": "2026-10-01T00:00:00Z" });
    let theirs = p.post(&product, &format!("/v1/deals/{rival}/posts"), theirs).await.expect(201);
    let theirs = format!("/posts/{}/numbers", theirs["id"].as_str().unwrap());
    assert_eq!(anna.send(&product, &theirs, &[("views", "1")]).await.status, 404);
    // A claim is answered at once.
    assert_eq!(anna.send(&product, "/claims", &[("order_number", "#7")]).await.status, 303);
    let claims = anna.page(&product, "/claims", "").await.text;
    assert!(claims.contains("No order of this number came from the brand&#39;s shops"), "{claims}");
}

#[tokio::test]
async fn where_money_goes_is_changed_with_a_fresh_passkey_only() {
    let product = Product::new();
    let anna = Anna::new(&product).await;
    let paypal = |email| [("method", "paypal"), ("email", email)];
    let first = anna.send(&product, "/payment", &paypal("anna@pay.example")).await;
    assert_eq!((first.status, location(&first)), (303, &*format!("{}/payment?done=1", anna.home)));
    let page = anna.page(&product, "/payment", "").await.text;
    assert!(page.contains("PayPal") && !page.contains("anna@pay.example"), "{page}");
    assert!(page.contains("A change needs a passkey"), "{page}");
    let before = product.db.checksum();
    let change = anna.send(&product, "/payment", &paypal("thief@evil.example")).await;
    assert_eq!(change.status, 403);
    assert!(!change.text.contains("thief@evil.example"), "{}", change.text);
    assert!(product.db.checksum() == before);
    let key = Authenticator::new(9);
    anna.browser.enroll(&product, &key).await;
    product.pass(11 * 60_000);
    assert_eq!(anna.send(&product, "/payment", &paypal("thief@evil.example")).await.status, 403);
    assert!(anna.page(&product, "/payment", "").await.text.contains("data-step-up="));
    anna.browser.show(&product, &key).await;
    let wrong = [("method", "iban"), ("holder", "Anna"), ("iban", "DE00 1234 5678")];
    let wrong = anna.send(&product, "/payment", &wrong).await;
    assert_eq!(wrong.status, 422);
    // Whose account it is may stand there again; its number may not.
    assert!(wrong.text.contains("value=\"Anna\"") && !wrong.text.contains("1234 5678"));
    let good = [("method", "iban"), ("holder", "Anna"), ("iban", "DE89 3704 0044 0532 0130 00")];
    assert_eq!(anna.send(&product, "/payment", &good).await.status, 303);
    let page = anna.page(&product, "/payment", "").await.text;
    assert!(page.contains("Bank account, ends in 3000, DE"), "{page}");
    assert!(page.contains("Until then nothing is paid out to you"), "{page}");
    assert!(!page.contains("3704"), "{page}");
}
