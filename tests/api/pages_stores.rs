//! The pages about stores: they show what the API tells, and their forms do what it does, by its rules.

use serde_json::{Value, json};

use super::goaffpro::affiliate;
use tributary::app::Clock as _;

use crate::support::people::Member;
use crate::support::{Answer, Product, Programme};

struct Casa {
    product: Product,
    p: Programme,
    olga: Member,
    home: String,
    brand: String,
}

async fn casa() -> Casa {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let olga = Member::joins(&product, "owner@casa.example", 1).await;
    let brand = p.brand["id"].as_str().unwrap().to_owned();
    let home = format!("/b/{brand}/stores");
    Casa { product, p, olga, home, brand }
}

async fn see(casa: &Casa, who: &Member, path: &str) -> Answer {
    who.browser.sees(&casa.product, &format!("{}{path}", casa.home)).await
}

async fn send(casa: &Casa, who: &Member, path: &str, fields: &[(&str, &str)]) -> Answer {
    who.browser.fills(&casa.product, &format!("{}{path}", casa.home), fields).await
}

async fn viewer(casa: &Casa) -> Member {
    let body = json!({ "email": "vera@casa.example", "role": "viewer" });
    casa.p.post(&casa.product, "/v1/members", body).await.expect(201);
    Member::joins(&casa.product, "vera@casa.example", 2).await
}

fn location(answer: &Answer) -> &str {
    answer.headers["location"].to_str().unwrap()
}

/// That a form is refused with this status, says why, and changes nothing.
async fn refused(casa: &Casa, path: &str, form: &[(&str, &str)], status: u16) -> String {
    let before = casa.product.db.checksum();
    let told = send(casa, &casa.olga, path, form).await;
    assert_eq!(told.status, status, "{path} {form:?}: {}", told.text);
    assert!(casa.product.db.checksum() == before, "{path} {form:?} changed something");
    told.text
}

const HOSTILE: &str = "\"><img src=x onerror=hit=1>{{7*7}}";

#[tokio::test]
async fn pages_show_stores_as_the_api_tells_them() {
    let casa = casa().await;
    let (p, product) = (&casa.p, &casa.product);
    let vera = viewer(&casa).await;
    let store = &p.store;
    product
        .db
        .execute(&format!(
            "INSERT INTO store_access (brand_id, store_id, way, state, problem, scopes, webhooks, connected_at_ms)
             VALUES ('{}', '{store}', 'client', 'connected', '{HOSTILE}', 'read_orders', '[{{\"topic\":\"ORDERS_CREATE\",
             \"state\":\"refused\",\"reason\":\"no scope\"}}]', 1)
             ON CONFLICT DO UPDATE SET state = excluded.state, problem = excluded.problem,
             scopes = excluded.scopes, webhooks = excluded.webhooks, connected_at_ms = 1",
            casa.brand
        ))
        .unwrap();
    let told = p.get(product, &format!("/v1/stores/{store}")).await;
    for who in [&casa.olga, &vera] {
        for path in [
            "",
            "/new",
            "/new?way=app",
            "/quarantine",
            "/codes",
            "/codes?state=failed",
            "/groups",
            "/groups/new",
        ] {
            let shown = see(&casa, who, path).await;
            assert_eq!(shown.status, 200, "{path}: {}", shown.text);
        }
        let shown = see(&casa, who, &format!("/{store}")).await;
        assert_eq!(shown.status, 200, "{}", shown.text);
        assert!(shown.text.contains(told["webhook_url"].as_str().unwrap()));
        for scope in told["missing_scopes"].as_array().unwrap() {
            assert!(shown.text.contains(scope.as_str().unwrap()));
        }
        assert!(shown.text.contains("orders/create") && shown.text.contains("no scope"));
        assert!(!shown.text.contains("<img src=x"), "texts are texts");
        let snippet = see(&casa, who, &format!("/{store}/snippet")).await;
        let api = p.get(product, &format!("/v1/stores/{store}/snippet")).await;
        assert!(snippet.text.contains(api["integrity"].as_str().unwrap()));
        let changes = shown.text.contains("method=\"post\" action=\"/b/");
        assert_eq!(changes, who.email == casa.olga.email, "who only looks has no forms");
    }
    for path in [
        "/x",
        "/store_x",
        "/codes?state=x",
        "/codes?cursor=x",
        "/quarantine?cursor=x",
        "/groups/x",
        "?cursor=x",
    ] {
        let status = see(&casa, &casa.olga, path).await.status;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
}

#[tokio::test]
async fn completeness_is_the_apis() {
    let casa = casa().await;
    let (p, product, store) = (&casa.p, &casa.product, &casa.p.store);
    let none = see(&casa, &casa.olga, &format!("/{store}")).await;
    assert!(none.text.contains("Not compared with the shop yet"));
    let today = product.clock.now_ms() / 86_400_000;
    for (ago, platform, known, missed) in [(3, 10, 10, 0), (2, 30, 29, 4)] {
        let sql = format!(
            "INSERT INTO store_days (brand_id, store_id, day, platform, known, missed, compared_at_ms, over)
             VALUES ('{}', '{store}', {}, {platform}, {known}, {missed}, 1, 1)",
            casa.brand,
            today - ago
        );
        product.db.execute(&sql).unwrap();
    }
    let api = p.get(product, &format!("/v1/stores/{store}/completeness")).await;
    let shown = see(&casa, &casa.olga, &format!("/{store}")).await;
    for row in api["data"].as_array().unwrap() {
        assert!(shown.text.contains(row["day"].as_str().unwrap()));
        assert!(shown.text.contains(&format!("{} %", row["percent"].as_str().unwrap())));
    }
    assert!(
        shown.text.contains("97.5 %") && shown.text.contains("39 of 40 orders"),
        "{}",
        shown.text
    );
    assert!(shown.text.contains("Webhooks missed 4"));
}

#[tokio::test]
async fn stores_are_added_changed_and_let_go() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let custom =
        [("way", "custom"), ("storefront_url", "https://other.example"), ("name", HOSTILE)];
    // Secrets of stores ask for a passkey that was just shown.
    product.pass(900_000);
    assert_eq!(see(&casa, olga, "").await.status, 200, "which notes when she was seen");
    assert!(refused(&casa, "/new", &custom, 403).await.contains("role=\"alert\""));
    olga.browser.show(product, &olga.key).await;
    let made = send(&casa, olga, "/new", &custom).await;
    assert_eq!(made.status, 200);
    assert!(made.text.contains("whsec_") && !made.text.contains("<img src=x"));
    let stores = p.get(product, "/v1/stores").await;
    let other =
        stores["data"].as_array().unwrap().iter().find(|s| s["platform"] == "custom").unwrap();
    let id = other["id"].as_str().unwrap();
    let again = see(&casa, olga, &format!("/{id}")).await;
    assert!(!again.text.contains("whsec_"), "a secret is shown once");
    let rotated = send(&casa, olga, &format!("/{id}/secret"), &[]).await;
    assert!(rotated.status == 200 && rotated.text.contains("whsec_"));
    refused(&casa, &format!("/{id}/disconnection"), &[("sure", "yes")], 409).await;

    let shop = [
        ("way", "authorization"),
        ("shop_domain", "second.myshopify.com"),
        ("storefront_url", "https://second.example"),
        ("client_id", "client"),
        ("client_secret", "s3cret-of-the-app"),
    ];
    let bad = [&shop[..1], &[("shop_domain", "nowhere")], &shop[2..]].concat();
    let told = refused(&casa, "/new", &bad, 422).await;
    assert!(told.contains("value=\"nowhere\"") && !told.contains("s3cret"), "{told}");
    refused(&casa, "/new", &[("way", "x")], 422).await;
    let made = send(&casa, olga, "/new", &shop).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let id = location(&made).rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let began = send(&casa, olga, &format!("/{id}/authorization"), &[]).await;
    assert_eq!(began.status, 200);
    assert!(
        began.text.contains("https://second.myshopify.com/admin/oauth/authorize"),
        "{}",
        began.text
    );
    assert!(began.headers["set-cookie"].to_str().unwrap().starts_with("__Host-connect="));
    let at = |what: &str| format!("/{id}{what}");
    let secret = [("client_secret", "another-secret"), ("storefront_url", "https://third.example")];
    assert_eq!(send(&casa, olga, &at("/access"), &secret).await.status, 303);
    assert_eq!(
        p.get(product, &format!("/v1/stores/{id}")).await["storefront_url"],
        "https://third.example"
    );
    refused(&casa, &at("/access"), &[], 422).await;
    refused(&casa, &at("/backfill"), &[("from", "x")], 422).await;
    refused(&casa, &at("/goaffpro"), &[], 404).await;
    refused(&casa, &at("/secret"), &[], 409).await;

    // Let go, nothing opens it; named anew, it is the store that it was.
    refused(&casa, &at("/disconnection"), &[], 409).await;
    assert_eq!(send(&casa, olga, &at("/disconnection"), &[("sure", "yes")]).await.status, 303);
    let gone = p.get(product, &format!("/v1/stores/{id}")).await;
    assert_eq!(gone["status"], "uninstalled");
    let shown = see(&casa, olga, &at("")).await;
    assert!(
        shown.text.contains("it was disconnected here") && !shown.text.contains("/disconnection")
    );
    let kept = format!("SELECT token_sealed, way FROM store_access WHERE store_id = '{id}'");
    assert_eq!(product.db.rows(&kept), [json!({ "token_sealed": null, "way": "token" })]);
    let back = [&shop[..4], &[("client_secret", "new-secret")]].concat();
    let made = send(&casa, olga, "/new", &back).await;
    assert!(made.status == 303 && location(&made).contains(&id), "{}", made.text);
    let trail =
        product.db.rows(&format!("SELECT action FROM audit WHERE subject_id = '{id}' ORDER BY id"));
    let trail: Vec<&str> = trail.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert!(trail.contains(&"store.disconnect") && trail.contains(&"store.reopen"), "{trail:?}");

    // Who only looks is refused, whatever she posts.
    let vera = viewer(&casa).await;
    vera.browser.show(product, &vera.key).await;
    for (path, form) in [
        ("/new".to_owned(), &shop[..]),
        (at("/check"), &[]),
        (at("/authorization"), &[]),
        (at("/access"), &secret),
        (at("/disconnection"), &[("sure", "yes")]),
        (at("/backfill"), &[]),
        (
            "/groups/new".to_owned(),
            &[("name", "x"), ("kind", "free_shipping"), ("mode", "one_discount")],
        ),
        ("/codes".to_owned(), &[("code", "X"), ("creator", "@anna.home")]),
    ] {
        let before = product.db.checksum();
        assert_eq!(send(&casa, &vera, &path, form).await.status, 403, "{path}");
        assert!(product.db.checksum() == before, "{path}");
    }
}

#[tokio::test]
async fn what_a_disconnected_shop_delivers_is_set_aside_and_can_be_tried_again() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let store = &p.store;
    olga.browser.show(product, &olga.key).await;
    let gone = send(&casa, olga, &format!("/{store}/disconnection"), &[("sure", "yes")]).await;
    assert_eq!(gone.status, 303, "{}", gone.text);
    let order = crate::support::shop::order(1);
    assert_eq!(p.deliver(product, &order).await, 200);
    assert_eq!(product.db.rows("SELECT id FROM orders").len(), 0);
    let aside = p.get(product, "/v1/quarantine").await;
    let id = aside["data"][0]["id"].as_str().unwrap();
    let shown = see(&casa, olga, "/quarantine").await;
    assert!(
        shown.text.contains(aside["data"][0]["reason"].as_str().unwrap())
            && shown.text.contains(id)
    );
    let vera = viewer(&casa).await;
    assert!(!see(&casa, &vera, "/quarantine").await.text.contains("<form method=\"post\">"));
    assert_eq!(send(&casa, &vera, "/quarantine", &[("ids", id)]).await.status, 403);
    for ids in ["", "x", &format!("{id} x"), &[id; 26].join(" ")] {
        refused(&casa, "/quarantine", &[("ids", ids)], 404).await;
    }
    let tried = send(&casa, olga, "/quarantine", &[("ids", id)]).await;
    assert!(tried.status == 200 && tried.text.contains("1 went through"), "{}", tried.text);
    assert_eq!(product.db.rows("SELECT id FROM orders").len(), 1);
    let twice = send(&casa, olga, "/quarantine", &[("ids", id)]).await;
    assert!(twice.status == 409 && twice.text.contains("0 went through"), "{}", twice.status);
}

#[tokio::test]
async fn groups_and_codes_are_made_taken_over_and_tried_again() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let new = [
        ("name", HOSTILE),
        ("kind", "percentage"),
        ("mode", "one_discount"),
        ("percent", "15"),
        ("collections", "11, 12"),
        ("least", "40.00"),
        ("ends", "2027-01-31"),
        ("limit", "100"),
        ("once", "yes"),
        ("shipping", "yes"),
        ("ends_with_deal", "yes"),
    ];
    let made = send(&casa, olga, "/groups/new", &new).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let at = location(&made).split("/stores").nth(1).unwrap().split('?').next().unwrap().to_owned();
    let id = at.rsplit('/').next().unwrap();
    let group = p.get(product, &format!("/v1/affiliate-groups/{id}")).await;
    let rule = &group["discount"];
    assert_eq!(
        (&rule["percent"], &rule["on"]["collections"]),
        (&json!("15"), &json!(["11", "12"]))
    );
    assert_eq!(rule["minimum"]["subtotal"], json!({ "amount": "40.00", "currency": "USD" }));
    assert_eq!(
        (&rule["ends_at"], &rule["usage_limit"]),
        (&json!("2027-02-01T00:00:00.000Z"), &json!(100))
    );
    assert_eq!(
        rule["combines_with"],
        json!({ "order": false, "product": false, "shipping": true })
    );
    assert_eq!(
        (&rule["once_per_customer"], &group["ends_with_deal"]),
        (&json!(true), &json!(true))
    );
    let bogo = [
        ("name", "Two for one"),
        ("kind", "buy_x_get_y"),
        ("mode", "discount_per_code"),
        ("percent", "50"),
        ("products", "9"),
        ("buy_quantity", "2"),
        ("buy_products", "8"),
        ("get_quantity", "1"),
    ];
    let made = send(&casa, olga, "/groups/new", &bogo).await;
    assert_eq!(made.status, 303, "{}", made.text);
    assert!(
        see(&casa, olga, "/groups")
            .await
            .text
            .contains("Buy 2 of one product, get 1 of one product at 50 % off")
    );
    for (name, value, field) in [
        ("percent", "150", "percent"),
        ("percent", "x", "percent"),
        ("least", "1.234", "subtotal"),
        ("limit", "many", "usage limit"),
        ("ends", "soon", "ends"),
        ("collections", "gid", "collections"),
        ("name", "", "name"),
        ("kind", "x", "kind"),
    ] {
        let mut form = new.to_vec();
        form.retain(|(n, _)| *n != name);
        form.push((name, value));
        let told = refused(&casa, "/groups/new", &form, 422).await;
        assert!(
            told.to_lowercase().contains(field) && told.contains("role=\"alert\""),
            "{name}={value}"
        );
    }

    let made = send(&casa, olga, &format!("{at}/codes"), &[("creators", "@anna.home\r\n")]).await;
    assert_eq!(made.status, 303, "{}", made.text);
    refused(&casa, &format!("{at}/codes"), &[("creators", "@nobody.at.all")], 422).await;
    refused(&casa, &format!("{at}/codes"), &[("creators", "")], 422).await;
    let code =
        p.get(product, &format!("/v1/codes?affiliate_group_id={id}")).await["data"][0].clone();
    product
        .db
        .execute(&format!(
            "UPDATE codes SET state = 'failed', pending = 0, reason = '{HOSTILE}', suggestion = 'FREE1'
             WHERE id = '{}'",
            code["id"].as_str().unwrap()
        ))
        .unwrap();
    for path in [at.as_str(), "/codes?state=failed"] {
        let shown = see(&casa, olga, path).await.text;
        assert!(shown.contains("value=\"FREE1\"") && !shown.contains("<img src=x"), "{path}");
    }
    let code_id = code["id"].as_str().unwrap();
    let again = [("id", code_id), ("spelling", "FREE1"), ("back", id)];
    let done = send(&casa, olga, "/codes/retry", &again).await;
    assert!(done.status == 303 && location(&done).contains(id), "{}", done.text);
    let code = p.get(product, &format!("/v1/codes/{code_id}")).await;
    assert_eq!((&code["code"], &code["state"]), (&json!("FREE1"), &json!("creating")));
    refused(&casa, "/codes/retry", &again, 409).await;
    refused(&casa, "/codes/retry", &[("id", "x")], 404).await;
    refused(&casa, "/codes/switch", &[("id", code_id), ("to", "x")], 422).await;
    let change = [("name", "Autumn"), ("pattern", "{handle}-{value}")];
    assert_eq!(send(&casa, olga, &at, &change).await.status, 303);
    assert_eq!(p.get(product, &format!("/v1/affiliate-groups/{id}")).await["name"], "Autumn");
    // Hundreds of names are looked up together, and the one that is wrong is told.
    let names: String = (0..300)
        .map(|n| format!("@anna.home\n{}", if n == 299 { "@nobody" } else { "" }))
        .collect();
    let calls = product.db.calls();
    let told = refused(&casa, &format!("{at}/codes"), &[("creators", &names)], 422).await;
    assert!(told.contains("@nobody: there is no such creator"), "{told}");
    assert!(product.db.calls() - calls < 30, "{} calls of D1", product.db.calls() - calls);
    // What asks for the page again asks for the page, not for what was sent.
    assert!(told.contains(&format!("hx-get=\"{}{at}\"", casa.home)), "{told}");
    assert_eq!(send(&casa, olga, &format!("{at}/archive"), &[]).await.status, 303);
    refused(&casa, &format!("{at}/codes"), &[("creators", "@anna.home")], 409).await;

    // One that exists.
    let one = [("code", "SPRING"), ("creator", "@anna.home")];
    assert_eq!(send(&casa, olga, "/codes", &one).await.status, 303);
    let told = refused(&casa, "/codes", &one, 409).await;
    assert!(told.contains("role=\"alert\"") && told.contains("value=\"SPRING\""));
    refused(&casa, "/codes", &[("code", "Y"), ("creator", "@nobody")], 422).await;
    let codes = p.get(product, "/v1/codes").await.to_string();
    assert!(codes.contains("SPRING"));
}

#[tokio::test]
async fn affiliates_are_proposed_and_then_confirmed() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let new = json!({ "platform": "goaffpro", "storefront_url": "https://gap.casa.example", "access_token": "gap-token" });
    let store =
        p.post(product, "/v1/stores", new).await.expect(201)["id"].as_str().unwrap().to_owned();
    affiliate(product, &casa.brand, &store, 7, "seven");
    affiliate(product, &casa.brand, &store, 8, "<img src=x>");
    let link = json!({ "slug": "seven" });
    p.post(product, &format!("/v1/deals/{}/links", p.deal), link).await.expect(201);
    let at = format!("/{store}/affiliates");
    let list = |state: &'static str| {
        let path = format!("/v1/stores/{store}/affiliates?state={state}");
        async move { p.get(product, &path).await["data"].as_array().unwrap().len() }
    };
    let shown = see(&casa, olga, &at).await;
    assert!(shown.status == 200 && !shown.text.contains("<img src=x"), "{}", shown.text);
    assert_eq!(see(&casa, olga, &format!("/{store}")).await.status, 200);
    let by_hand = [("affiliate", "8"), ("creator", "@anna.home")];
    let before = list("assigned").await;
    let pairs = format!("7:{}", p.deal);
    assert_eq!(send(&casa, olga, &at, &[("pairs", &pairs)]).await.status, 303);
    assert_eq!(list("assigned").await, before + 1);
    // A deal has one affiliate there.
    // The work that the first one caused may go on meanwhile.
    assert_eq!(send(&casa, olga, &at, &by_hand).await.status, 409);
    assert_eq!(list("assigned").await, before + 1);
    for form in [
        &[("pairs", "7:x")][..],
        &[("pairs", "x")],
        &[("affiliate", "x"), ("creator", "@anna.home")],
        &[("affiliate", "99"), ("creator", "@anna.home")],
    ] {
        refused(&casa, &at, form, 404).await;
    }
    refused(&casa, &at, &[("affiliate", "7"), ("creator", "")], 422).await;
    product.pass(1);
    assert_eq!(send(&casa, olga, &at, &[("affiliate", "7"), ("nobody", "yes")]).await.status, 303);
    assert_eq!(list("assigned").await, before);

    let compared = format!("/{store}/comparison");
    for query in ["", "?differs=yes", "?state=held"] {
        assert_eq!(see(&casa, olga, &format!("{compared}{query}")).await.status, 200);
    }
    refused(&casa, &compared, &[("order", "12"), ("another", "yes")], 404).await;
    refused(&casa, &compared, &[("order", "x")], 404).await;
    olga.browser.show(product, &olga.key).await;
    let at = format!("/{store}/goaffpro");
    let set = [("ref_parameter", "via"), ("orders_from", p.store.as_str())];
    assert_eq!(send(&casa, olga, &at, &set).await.status, 303);
    let told: Value = p.get(product, &format!("/v1/stores/{store}/goaffpro")).await;
    assert_eq!((&told["ref_parameter"], &told["orders_from"]), (&json!("via"), &json!(p.store)));
    refused(&casa, &at, &[("ref_parameter", "a b")], 422).await;
    assert_eq!(see(&casa, olga, &format!("/{}/affiliates", p.store)).await.status, 404);
}
