//! A brand's settings pages: they show what the API tells, change what it changes, by its rules and for whom it allows.

mod people;

use serde_json::{Value, json};
use tributary::web::pages;

use crate::support::people::{Member, hidden};
use crate::support::{Answer, OPERATOR, Product, Programme};

const HOSTILE: &str = "<script>hit=1</script>\"><img src=x onerror=hit=1>{{7*7}}'";
/// Longer than a passkey counts as just shown.
const LATER: i64 = 16 * 60_000;

struct Casa {
    product: Product,
    p: Programme,
    olga: Member,
    home: String,
}

async fn casa() -> Casa {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let olga = Member::joins(&product, "owner@casa.example", 1).await;
    let home = format!("/b/{}", p.brand["id"].as_str().unwrap());
    Casa { product, p, olga, home }
}

impl Casa {
    async fn see(&self, who: &Member, path: &str) -> Answer {
        who.browser.sees(&self.product, &format!("{}/settings{path}", self.home)).await
    }

    async fn send(&self, who: &Member, path: &str, fields: &[(&str, &str)]) -> Answer {
        who.browser.fills(&self.product, &format!("{}/settings{path}", self.home), fields).await
    }

    async fn send_proven(
        &self,
        who: &Member,
        path: &str,
        fields: &[(&str, &str)],
        csrf: &str,
    ) -> Answer {
        let path = format!("{}/settings{path}", self.home);
        who.browser.fills_proven(&self.product, &path, fields, csrf).await
    }

    /// What a form of the page carries to say what was seen.
    async fn seen(&self, path: &str) -> String {
        hidden(&self.see(&self.olga, path).await.text, "seen")
    }

    async fn joined(&self, email: &str, role: &str, seed: u8) -> Member {
        let body = json!({ "email": email, "role": role });
        self.p.post(&self.product, "/v1/members", body).await.expect(201);
        Member::joins(&self.product, email, seed).await
    }

    async fn brand(&self) -> Value {
        self.p.get(&self.product, "/v1/brand").await
    }

    /// A form that is refused with this status, says so, and changes nothing.
    async fn refuses(&self, path: &str, fields: &[(&str, &str)], status: u16) -> Answer {
        let before = self.product.db.checksum();
        let told = self.send(&self.olga, path, fields).await;
        assert_eq!(told.status, status, "{path} {fields:?}: {}", told.text);
        assert!(told.text.contains("role=\"alert\""), "{path} {fields:?}");
        assert!(self.product.db.checksum() == before, "{path} {fields:?} changed something");
        told
    }
}

/// All that the form of the brand says, with these changes.
fn brand_form<'a>(seen: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("do", "brand"),
        ("seen", seen),
        ("name", "Casa"),
        ("homepage_url", "https://casa.example"),
        ("timezone", "UTC"),
        ("payout_minimum", ""),
        ("second_approver_above", ""),
        ("payout_day", ""),
        ("payout_currencies", ""),
        ("money_keys", "yes"),
    ];
    for (name, value) in changes {
        match all.iter_mut().find(|(known, _)| known == name) {
            Some(field) => field.1 = value,
            None => all.push((name, value)),
        }
    }
    all
}

const RULES: [(&str, &str); 6] = [
    ("do", "rules"),
    ("window_days", "30"),
    ("precedence", "code_first"),
    ("clicks", "last"),
    ("hold_days", "30"),
    ("earn_on", "paid"),
];

fn rules<'a>(seen: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all: Vec<(&str, &str)> = RULES.to_vec();
    all.push(("seen", seen));
    for (name, value) in changes {
        match all.iter_mut().find(|(known, _)| known == name) {
            Some(field) => field.1 = value,
            None => all.push((name, value)),
        }
    }
    all
}

const PAGES: [&str; 8] =
    ["", "/domain", "/rules", "/members", "/keys", "/webhooks", "/audit", "/data"];
/// What only who may change settings sees at all.
const CLOSED: [&str; 5] = ["/members", "/keys", "/webhooks", "/audit", "/audit/file"];

#[tokio::test]
async fn each_role_sees_what_the_api_lets_it_see() {
    let casa = casa().await;
    let mila = casa.joined("mila@casa.example", "manager", 2).await;
    let vera = casa.joined("vera@casa.example", "viewer", 3).await;
    for path in PAGES.iter().chain(&["/audit/file", "/data/books"]) {
        assert_eq!(casa.see(&casa.olga, path).await.status, 200, "{path}");
        for who in [&mila, &vera] {
            let shown = casa.see(who, path).await;
            let books = *path == "/data/books" && who.email == vera.email;
            let status = if CLOSED.contains(path) || books { 403 } else { 200 };
            assert_eq!(shown.status, status, "{path} {}", who.email);
            assert!(!shown.text.contains("action=\"/b/"), "{path}: a form for {}", who.email);
            if CLOSED[..4].contains(path) {
                assert!(shown.text.contains("Only an owner sees this"), "{path}");
                assert!(!shown.text.contains("owner@casa.example"), "{path}");
            }
        }
    }
    // Whatever they post is refused, and changes nothing.
    let forms: [(&str, &[(&str, &str)]); 9] = [
        ("", &[("do", "brand"), ("name", "Other")]),
        ("", &[("do", "outreach"), ("daily_limit", "1"), ("monday", "yes")]),
        ("", &[("do", "media"), ("version", "0"), ("measure", "views"), ("cpm", "1.00")]),
        ("/domain", &[("do", "set"), ("link_domain", "go.casa.example")]),
        ("/rules", &[("do", "rules"), ("window_days", "1")]),
        ("/members", &[("do", "invite"), ("email", "x@casa.example"), ("role", "owner")]),
        ("/keys", &[("do", "make"), ("name", "x"), ("scope_admin", "yes")]),
        ("/webhooks", &[("do", "make"), ("url", "https://hooks.casa.example")]),
        ("/data", &[("id", "x")]),
    ];
    for who in [&mila, &vera] {
        for (path, form) in forms {
            let before = casa.product.db.checksum();
            let told = casa.send(who, path, form).await;
            assert_eq!(told.status, 403, "{path}: {}", told.text);
            assert!(casa.product.db.checksum() == before, "{path} {form:?}");
        }
    }
}

#[tokio::test]
async fn the_brand_is_changed_as_the_api_changes_it() {
    let casa = casa().await;
    let seen = casa.seen("").await;
    let form = brand_form(
        &seen,
        &[
            ("name", HOSTILE),
            ("timezone", "Europe/Berlin"),
            ("payout_minimum", "25.50"),
            ("second_approver_above", "1000.00"),
            ("payout_day", "15"),
            ("payout_currencies", "EUR, USD"),
            ("creators_make_links", "yes"),
        ],
    );
    let done = casa.send(&casa.olga, "", &form).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let brand = casa.brand().await;
    assert_eq!(brand["name"], HOSTILE);
    assert_eq!(brand["timezone"], "Europe/Berlin");
    assert_eq!(brand["payout_minimum"], json!({ "amount": "25.50", "currency": "USD" }));
    assert_eq!(brand["second_approver_above"]["amount"], "1000.00");
    assert_eq!(brand["payout_schedule"], json!({ "day": 15, "currencies": ["EUR", "USD"] }));
    assert_eq!(brand["creators_make_links"], true);
    for path in PAGES {
        let shown = casa.see(&casa.olga, path).await;
        assert!(!shown.text.contains("<img src=x"), "{path}");
    }
    // What is wrong is said, with what was typed; nothing is done.
    let seen = casa.seen("").await;
    for (field, value, status) in [
        ("name", "", 422),
        ("timezone", "Mars/Olympus", 422),
        ("homepage_url", "ftp://casa", 422),
        ("payout_minimum", "-1", 422),
        ("payout_minimum", "1.234", 422),
        ("payout_day", "29", 422),
        ("payout_day", "x", 422),
        ("payout_currencies", "XX", 422),
        ("do", "nothing", 404),
    ] {
        let form = brand_form(&seen, &[(field, value)]);
        if status == 404 {
            assert_eq!(casa.send(&casa.olga, "", &form).await.status, 404);
            continue;
        }
        let told = casa.refuses("", &form, status).await;
        if !value.is_empty() {
            assert!(told.text.contains(&format!("value=\"{value}\"")), "{field}: {value}");
        }
    }
    casa.product.pass(1000);
    // Emptied fields are emptied, and what wasn't touched isn't noted as changed.
    let emptied = brand_form(&seen, &[("name", HOSTILE), ("timezone", "Europe/Berlin")]);
    assert_eq!(casa.send(&casa.olga, "", &emptied).await.status, 303);
    let brand = casa.brand().await;
    let gone = ["payout_minimum", "second_approver_above", "payout_schedule"];
    assert!(gone.iter().all(|name| brand[name].is_null()) && brand["money_keys"] == true);
    let noted = casa.p.get(&casa.product, "/v1/audit?action=brand.update&limit=1").await;
    assert!(noted["data"][0]["after"]["name"].is_null(), "{noted}");
}

#[tokio::test]
async fn nothing_is_lost_when_two_change_the_brand() {
    let casa = casa().await;
    for (path, typed) in [("", ("name", "Typed & kept")), ("/rules", ("window_days", "44"))] {
        let seen = casa.seen(path).await;
        let hold = if path.is_empty() { 21 } else { 22 };
        let change = json!({ "name": "Meanwhile", "hold_days": hold });
        casa.product.call("PATCH", "/v1/brand", Some(change), &casa.p.key).await.expect(200);
        let form =
            if path.is_empty() { brand_form(&seen, &[typed]) } else { rules(&seen, &[typed]) };
        let told = casa.refuses(path, &form, 412).await;
        assert!(told.text.contains("Somebody changed this meanwhile"));
        let value = typed.1.replace('&', "&amp;");
        assert!(told.text.contains(&format!("value=\"{value}\"")), "{path}: what was typed");
        let other =
            if path.is_empty() { "Saved meanwhile: Meanwhile" } else { "Saved meanwhile: 22" };
        assert!(told.text.contains(other), "{path}: what is there");
        // Looked through and sent again, it is saved.
        let again = hidden(&told.text, "seen");
        assert_ne!(again, seen);
        let form =
            if path.is_empty() { brand_form(&again, &[typed]) } else { rules(&again, &[typed]) };
        assert_eq!(casa.send(&casa.olga, path, &form).await.status, 303);
    }
    // A form that doesn't say what was seen saves nothing.
    casa.refuses("", &brand_form("", &[("name", "Blind")]), 412).await;
    casa.refuses("/domain", &[("do", "set"), ("link_domain", "go.casa.example")], 412).await;
    // Reach: the same by its version.
    let media =
        |version| [("do", "media"), ("version", version), ("measure", "views"), ("cpm", "12.50")];
    assert_eq!(casa.send(&casa.olga, "", &media("0")).await.status, 303);
    casa.refuses("", &media("0"), 409).await;
    let formulas = casa.p.get(&casa.product, "/v1/media-formulas").await;
    assert_eq!(formulas["data"][0]["default"]["cpm"]["amount"], "12.50");
}

#[tokio::test]
async fn when_messages_go_out_and_what_reach_is_worth() {
    let casa = casa().await;
    let form = [
        ("do", "outreach"),
        ("daily_limit", "40"),
        ("from", "10:00"),
        ("to", "16:30"),
        ("monday", "yes"),
        ("friday", "yes"),
    ];
    assert_eq!(casa.send(&casa.olga, "", &form).await.status, 303);
    let told = casa.p.get(&casa.product, "/v1/outreach-settings").await;
    let wanted =
        json!({ "daily_limit": 40, "days": ["monday", "friday"], "from": "10:00", "to": "16:30" });
    assert_eq!(told, wanted);
    for (field, value) in
        [("daily_limit", "-1"), ("from", "x"), ("to", "09:00"), ("daily_limit", "many")]
    {
        let mut wrong = form.to_vec();
        wrong.iter_mut().find(|(name, _)| *name == field).unwrap().1 = value;
        casa.refuses("", &wrong, 422).await;
    }
    casa.refuses("", &form[..4], 422).await;
    let media = [
        ("do", "media"),
        ("version", "0"),
        ("measure", "impressions"),
        ("cpm", "5.00"),
        ("measure_tiktok", "views"),
        ("cpm_tiktok", "3.25"),
    ];
    assert_eq!(casa.send(&casa.olga, "", &media).await.status, 303);
    let told = casa.p.get(&casa.product, "/v1/media-formulas").await;
    assert_eq!(told["data"][0]["platforms"][0]["cpm"]["amount"], "3.25");
    assert!(casa.see(&casa.olga, "").await.text.contains("value=\"3.25\""));
    casa.refuses("", &[("do", "media"), ("version", "1"), ("measure", "views"), ("cpm", "x")], 422)
        .await;
}

#[tokio::test]
async fn what_rules_mean_is_said_before_they_are_saved() {
    let casa = casa().await;
    let shown = casa.see(&casa.olga, "/rules").await.text;
    assert!(shown.contains("up to 30 days after a click"), "{shown}");
    let query = "?window_days=7&hold_days=14&precedence=link_first&clicks=first&earn_on=placed\
                 &clicked=2026-11-01&ordered=2026-11-08";
    let shown = casa.see(&casa.olga, &format!("/rules{query}")).await.text;
    for part in [
        "up to 7 days after",
        "after 8 days",
        "available 14 days after",
        "the click decides",
        "2026-11-22",
    ] {
        assert!(shown.contains(part), "{part}");
    }
    let late = casa.see(&casa.olga, &format!("/rules{}", query.replace("11-08", "11-09"))).await;
    assert!(late.text.contains("too late"));
    // What makes no sense isn't explained, and harms nothing.
    for query in [
        "window_days=0",
        "window_days=x",
        "window_days=99999999999999999999",
        "hold_days=-1&window_days=3",
        "window_days=5&clicked=9999-99-99",
        "clicked=0000-01-01&ordered=9999-12-31",
        "window_days=%3Cimg+src=x%3E",
    ] {
        let shown = casa.see(&casa.olga, &format!("/rules?{query}")).await;
        assert_eq!(shown.status, 200, "{query}");
        assert!(
            shown.text.contains("after a click") && !shown.text.contains("<img src=x"),
            "{query}"
        );
    }
    // Asked for by a button, where there is no script: nothing is saved.
    let before = casa.product.db.checksum();
    let mut asked = rules("", &[("window_days", "9"), ("hold_days", "3")]);
    asked.push(("explain", "yes"));
    let told = casa.send(&casa.olga, "/rules", &asked).await;
    assert_eq!(told.status, 200);
    assert!(told.text.contains("up to 9 days") && told.text.contains("value=\"9\""));
    assert!(casa.product.db.checksum() == before);
    // Saved, they hold.
    let seen = casa.seen("/rules").await;
    let changes = [
        ("window_days", "7"),
        ("precedence", "link_first"),
        ("clicks", "first"),
        ("hold_days", "14"),
        ("earn_on", "placed"),
        ("count_test_orders", "yes"),
    ];
    assert_eq!(casa.send(&casa.olga, "/rules", &rules(&seen, &changes)).await.status, 303);
    let brand = casa.brand().await;
    assert_eq!(
        brand["attribution"],
        json!({ "window_days": 7, "precedence": "link_first", "clicks": "first" })
    );
    assert_eq!((&brand["hold_days"], &brand["earn_on"]), (&json!(14), &json!("placed")));
    assert_eq!(brand["count_test_orders"], true);
    let seen = casa.seen("/rules").await;
    for (field, value) in
        [("window_days", "0"), ("window_days", "x"), ("hold_days", "366"), ("clicks", "none")]
    {
        casa.refuses("/rules", &rules(&seen, &[(field, value)]), 422).await;
    }
}

#[tokio::test]
async fn the_link_domain_is_set_and_told() {
    let casa = casa().await;
    let casa = &casa;
    let set = async |seen: String, host: &str| {
        let form = [("do", "set"), ("seen", seen.as_str()), ("link_domain", host)];
        casa.send(&casa.olga, "/domain", &form).await.status
    };
    assert_eq!(set(casa.seen("/domain").await, "go.casa.example").await, 303);
    assert_eq!(set(casa.seen("/domain").await, "new.casa.example").await, 303);
    let shown = casa.see(&casa.olga, "/domain").await.text;
    let told = casa.p.get(&casa.product, "/v1/brand/link-domain").await;
    assert_eq!(told["host"], "new.casa.example");
    for record in told["records"].as_array().unwrap() {
        for part in ["type", "name", "value"] {
            assert!(shown.contains(record[part].as_str().unwrap()), "{part}");
        }
    }
    assert!(shown.contains("From before") && shown.contains("go.casa.example"));
    for host in ["localhost", "a b", "https://x.example", "shop.casa.example"] {
        let seen = casa.seen("/domain").await;
        let form = [("do", "set"), ("seen", seen.as_str()), ("link_domain", host)];
        let before = casa.product.db.checksum();
        let told = casa.send(&casa.olga, "/domain", &form).await;
        assert!([409, 422].contains(&told.status), "{host}: {}", told.status);
        assert!(told.text.contains("role=\"alert\"") && casa.product.db.checksum() == before);
    }
    casa.refuses("/domain", &[("do", "check")], 409).await;
    assert_eq!(set(casa.seen("/domain").await, "").await, 303);
    assert!(casa.brand().await["link_domain"].is_null());
}

#[tokio::test]
async fn the_audit_trail_is_read_in_words_and_as_a_file() {
    let casa = casa().await;
    let (p, product) = (&casa.p, &casa.product);
    p.post(product, "/v1/campaigns", json!({ "name": HOSTILE })).await.expect(201);
    let seen = casa.seen("").await;
    casa.send(&casa.olga, "", &brand_form(&seen, &[("name", "Casa Nova")])).await;
    let shown = casa.see(&casa.olga, "/audit").await.text;
    for part in [
        "owner@casa.example</span> changed the brand’s settings",
        "Key “first key”</span> made a campaign",
    ] {
        assert!(shown.contains(part), "{part}");
    }
    assert!(!shown.contains("<img src=x") && shown.contains("onerror"));
    let only = casa.see(&casa.olga, "/audit?action=brand.update").await.text;
    assert!(only.contains("changed the brand") && !only.contains("made a campaign"));
    let hers = casa.see(&casa.olga, &format!("/audit?actor_id={}", casa.olga.id)).await.text;
    assert!(hers.contains("changed the brand") && !hers.contains("made a campaign"));
    let none = casa.see(&casa.olga, "/audit?from=2030-01-01").await.text;
    assert!(none.contains("Nothing that was done fits this"));
    for wrong in ["/audit?from=x", "/audit?to=2026-13-01", "/audit?cursor=x"] {
        let told = casa.see(&casa.olga, wrong).await;
        assert!(told.status == 422 && told.text.contains("role=\"alert\""), "{wrong}");
    }
    let file = casa.see(&casa.olga, "/audit/file?action=brand.update").await;
    assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
    assert!(file.text.lines().count() >= 2 && file.text.contains("Casa Nova"));
    let same = "/v1/audit?action=brand.update&format=csv";
    let headers = [("sec-fetch-site", "same-origin")];
    let told = casa.olga.browser.send_with(product, "GET", same, None, &headers).await;
    let (ours, apis) = (file.text.lines(), told.text.lines());
    assert_eq!(ours.clone().next(), apis.clone().next(), "the columns of the API's file");
    assert_eq!(ours.count(), apis.count());
}

#[tokio::test]
async fn the_books_are_checked_and_taken_away() {
    let casa = casa().await;
    let shown = casa.see(&casa.olga, "/data?check=books").await.text;
    assert!(shown.contains("In order"));
    assert_eq!(casa.see(&casa.olga, "/data?check=books&rest=x").await.status, 422);
    let books = casa.see(&casa.olga, "/data/books").await;
    assert_eq!(books.headers["content-disposition"], "attachment; filename=\"ledger.ndjson\"");
    assert_eq!(casa.send(&casa.olga, "/data", &[("id", "x")]).await.status, 404);
}

/// Every form: without a proof, with a passkey that is no longer fresh where the API asks for one, and of
/// another brand.
#[tokio::test]
async fn forms_need_their_proof_a_fresh_passkey_and_their_own_brand() {
    let casa = casa().await;
    let made = casa
        .product
        .call(
            "POST",
            "/v1/brands",
            Some(json!({ "name": "Canary", "currency": "USD", "homepage_url": "https://canary.example",
                "owner_email": "vera@canary.example" })),
            OPERATOR,
        )
        .await
        .expect(201);
    let vera = Member::joins(&casa.product, "vera@canary.example", 9).await;
    assert!(made["brand"]["id"].is_string());
    let seen = casa.seen("").await;
    let forms: [(&str, Vec<(&str, &str)>); 7] = [
        ("", brand_form(&seen, &[("name", "Other")])),
        ("/rules", rules(&seen, &[("window_days", "3")])),
        ("/domain", vec![("do", "set"), ("seen", &seen), ("link_domain", "go.casa.example")]),
        ("/domain", vec![("do", "check")]),
        ("/members", vec![("do", "invite"), ("email", "new@casa.example"), ("role", "viewer")]),
        ("/keys", vec![("do", "make"), ("name", "mine"), ("scope_read", "yes")]),
        ("/webhooks", vec![("do", "make"), ("url", "https://hooks.casa.org/in")]),
    ];
    let before = casa.product.db.checksum();
    for (path, form) in &forms {
        for proof in ["", "x.y", "AAAAAAAAAAA.00"] {
            let told = casa.send_proven(&casa.olga, path, form, proof).await;
            assert_eq!(told.status, 403, "{path} {proof}");
        }
        // Another brand's owner finds nothing here, whatever she posts.
        assert_eq!(casa.send(&vera, path, form).await.status, 404, "{path}");
    }
    for (path, _) in pages::ROUTES.iter().filter(|(path, _)| path.contains("/settings")) {
        let path = path.replace("/b/{brand}/settings", "").replace("{id}", "x");
        let told = casa.see(&vera, &path).await;
        assert!(told.status == 404 && !told.text.contains("Casa"), "{path}");
    }
    assert!(casa.product.db.checksum() == before);
    casa.product.pass(LATER);
    // When she was seen last is kept by the first that she asks.
    casa.see(&casa.olga, "").await;
    for (path, form) in &forms {
        let before = casa.product.db.checksum();
        let told = casa.send(&casa.olga, path, form).await;
        assert_eq!(told.status, 403, "{path}: {}", told.text);
        assert!(told.text.contains("how your passkey again"), "{path}: {}", told.text);
        assert!(casa.product.db.checksum() == before, "{path}");
    }
}
