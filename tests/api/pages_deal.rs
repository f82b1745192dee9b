//! A deal's page with all its forms, the order's and the creator's beside it, and the command of its collaboration.

use serde_json::{Value, json};

use super::pages_brand::{Casa, casa, see, send, viewer};
use super::payouts::pay;
use crate::support::people::hidden;

/// The changing routes of the API that are tried here: each notes what it does.
pub const DEAL_COMMANDS: [&str; 1] = ["post /v1/deals/{id}/collaboration"];

fn at(casa: &Casa, what: &str) -> String {
    format!("/deals/{}{what}", casa.p.deal)
}

async fn deal(casa: &Casa) -> Value {
    casa.p.get(&casa.product, &format!("/v1/deals/{}", casa.p.deal)).await
}

#[tokio::test]
async fn a_collaboration_is_set_at_once_or_not_at_all() {
    let casa = casa().await;
    let (p, product) = (&casa.p, &casa.product);
    let path = format!("/v1/deals/{}/collaboration", p.deal);
    let set = async |body: Value| product.call("POST", &path, Some(body), &p.key).await;
    let before = deal(&casa).await;
    let taken = before["links"][0]["slug"].as_str().unwrap_or("anna");
    if before["links"].as_array().unwrap().is_empty() {
        p.post(product, &format!("/v1/deals/{}/links", p.deal), json!({ "slug": "anna" }))
            .await
            .expect(201);
    }
    let terms = || json!({ "commission_percent": "17.5", "cap_per_month": { "amount": "90.00", "currency": "USD" } });
    let code = |code: &str| json!({ "code": code, "create_in_store": false });
    // Whatever of it can't be, nothing of the rest is done.
    for (body, status, field) in [
        (json!({}), 422, "terms"),
        (json!({ "terms": { "commission_percent": "170" } }), 422, "commission_percent"),
        (json!({ "terms": terms(), "code": code("FALL20"), "link": { "slug": taken } }), 409, ""),
        (json!({ "terms": terms(), "code": code("anna"), "link": { "slug": "new-one" } }), 409, ""),
        (
            json!({ "terms": terms(), "code": { "code": "X" }, "link": { "slug": "new-one" } }),
            422,
            "code.create_in_store",
        ),
        (
            json!({ "terms": terms(), "link": { "target": "https://evil.example" } }),
            422,
            "link.target",
        ),
        (
            json!({ "terms": { "commission_percent": "1", "ends_at": "2020-01-01T00:00:00Z" }, "code": code("Y") }),
            422,
            "terms.ends_at",
        ),
    ] {
        let was = product.db.checksum();
        let told = set(body.clone()).await;
        assert_eq!(told.status, status, "{body}: {}", told.text);
        assert!(told.text.contains(field), "{body}: {}", told.text);
        assert!(product.db.checksum() == was, "{body} changed something");
    }
    let rows = || product.db.rows("SELECT action FROM audit ORDER BY id").len();
    let noted = rows();
    let body = json!({ "terms": terms(), "code": code("FALL20"), "link": { "slug": "fall-26", "target": "/vase", "apply_code": true } });
    let done = set(body).await.expect(200);
    assert_eq!(rows(), noted + 3, "each part is noted");
    assert_eq!(done["terms"]["commission_percent"], "17.5");
    let code =
        done["codes"].as_array().unwrap().iter().find(|code| code["code"] == "FALL20").unwrap();
    let link =
        done["links"].as_array().unwrap().iter().find(|link| link["slug"] == "fall-26").unwrap();
    assert_eq!((&link["target"], &link["applies_code"]), (&json!("/vase"), &code["id"]));
    // Without a slug the handle's is taken, and the next if it is.
    for _ in 0..2 {
        set(json!({ "link": {} })).await.expect(200);
    }
    let links = deal(&casa).await["links"].as_array().unwrap().len();
    assert_eq!(links, done["links"].as_array().unwrap().len() + 2);
}

#[tokio::test]
async fn the_form_keeps_what_it_shows_and_changes_what_was_changed() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let terms = json!({ "commission_percent": "10", "first_order_only": true,
        "cap_per_month": { "amount": "500.00", "currency": "USD" },
        "rates": [{ "commission_percent": "20", "label": "Vases", "product_ids": ["7", "8"], "customer": "new" }] });
    product.pass(60_000);
    p.post(product, &format!("/v1/deals/{}/terms", p.deal), terms).await.expect(201);
    let shown = see(&casa, olga, &at(&casa, "")).await.text;
    for value in ["value=\"500.00\"", "value=\"7, 8\"", "value=\"Vases\"", "value=\"10\""] {
        assert!(shown.contains(value), "{value}");
    }
    let form = |rate: &'static str, month: &'static str| {
        vec![
            ("rate", rate),
            ("first", "yes"),
            ("month_cap", month),
            ("rate_0_percent", "20"),
            ("rate_0_label", "Vases"),
            ("rate_0_products", "7, 8"),
            ("rate_0_customer", "new"),
        ]
    };
    let was = product.db.checksum();
    let same = send(&casa, olga, &at(&casa, "/collaboration"), &form("10.00", "500")).await;
    assert!(
        same.status == 303 && product.db.checksum() == was,
        "what says so already changes nothing"
    );
    product.pass(60_000);
    assert_eq!(
        send(&casa, olga, &at(&casa, "/collaboration"), &form("12", "500.00")).await.status,
        303
    );
    let now = deal(&casa).await["terms"].clone();
    assert_eq!(
        (&now["commission_percent"], &now["first_order_only"]),
        (&json!("12"), &json!(true))
    );
    assert_eq!(now["cap_per_month"]["amount"], "500.00");
    assert_eq!(now["rates"][0]["product_ids"], json!(["7", "8"]));
    product.pass(60_000);
    let mut ends = form("12", "");
    ends.push(("ends", "2026-12-31"));
    ends.retain(|(name, _)| !name.starts_with("rate_"));
    assert_eq!(send(&casa, olga, &at(&casa, "/collaboration"), &ends).await.status, 303);
    let now = deal(&casa).await["terms"].clone();
    assert!(
        now["ends_at"].as_str().unwrap().starts_with("202") && now["rates"] == json!([]),
        "{now}"
    );
    assert!(see(&casa, olga, &at(&casa, "")).await.text.contains("value=\"2026-12-31\""));
    // Who only wants a code, on a page from before, doesn't take back what was agreed since.
    let stale = hidden(&see(&casa, olga, &at(&casa, "")).await.text, "terms");
    product.pass(60_000);
    let path = format!("/v1/deals/{}/terms", casa.p.deal);
    casa.p.post(product, &path, json!({ "commission_percent": "15" })).await.expect(201);
    see(&casa, olga, &at(&casa, "")).await;
    let was = product.db.checksum();
    let mut old = vec![("rate", "12"), ("code", "LATER"), ("terms", &*stale)];
    let told = send(&casa, olga, &at(&casa, "/collaboration"), &old).await;
    assert!(told.status == 409 && told.text.contains("were changed since"), "{}", told.text);
    assert!(product.db.checksum() == was);
    let fresh = hidden(&told.text, "terms");
    assert_ne!(stale, fresh);
    old.retain(|(name, _)| *name != "terms");
    old.push(("terms", &*fresh));
    assert_eq!(send(&casa, olga, &at(&casa, "/collaboration"), &old).await.status, 303);
    assert_eq!(deal(&casa).await["terms"]["commission_percent"], "12");
    for bad in [
        [("rate", "12"), ("order_cap", "x")],
        [("rate", "12"), ("ends", "99999999-01-01")],
        [("rate", "12"), ("starts", "never")],
    ] {
        let was = product.db.checksum();
        let told = send(&casa, olga, &at(&casa, "/collaboration"), &bad).await;
        assert_eq!(told.status, 422, "{bad:?}: {}", told.text);
        assert!(product.db.checksum() == was && told.text.contains(bad[1].1));
        // Its figures ask for the page from then on, not for the form's address.
        let asks = format!("hx-get=\"{}{}\"", casa.home, at(&casa, ""));
        assert!(told.text.contains(&asks), "{asks}");
    }
}

/// Terms that are agreed for later begin when they were agreed to, whatever else the form is saved for.
#[tokio::test]
async fn terms_that_begin_later_stay_as_they_are_agreed() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let all = async || p.get(product, &format!("/v1/deals/{}/terms", p.deal)).await["data"].clone();
    // A deal of which nothing holds yet.
    let creator = p
        .post(product, "/v1/creators", json!({ "name": "Nadia", "handle": "@nadia" }))
        .await
        .expect(201);
    let new = json!({ "creator_id": creator["id"], "campaign_id": p.campaign });
    let later = p.post(product, "/v1/deals", new).await.expect(201)["id"].clone();
    let path = format!("/deals/{}", later.as_str().unwrap());
    let terms = format!("/v1/deals/{}/terms", later.as_str().unwrap());
    let starts = json!({ "commission_percent": "12", "starts_at": "2027-01-04T09:30:00Z" });
    p.post(product, &terms, starts).await.expect(201);
    let shown = see(&casa, olga, &path).await.text;
    assert!(shown.contains("from <time datetime=\"2027-01-04T09:30"));
    assert!(shown.contains("value=\"2027-01-04\""));
    let form = [
        ("rate", "12"),
        ("starts", "2027-01-04"),
        ("month_cap", "500"),
        ("terms", &hidden(&shown, "terms")),
    ];
    let saved = send(&casa, olga, &format!("{path}/collaboration"), &form).await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    let now = p.get(product, &terms).await["data"][0].clone();
    assert_eq!(now["starts_at"], "2027-01-04T09:30:00.000Z", "to the minute");
    assert_eq!(now["cap_per_month"]["amount"], "500.00");
    // Today is at once: at its midnight orders of today were decided.
    let form = [("rate", "9"), ("starts", "2026-11-22")];
    assert_eq!(send(&casa, olga, &at(&casa, "/collaboration"), &form).await.status, 303);
    let now = deal(&casa).await["terms"].clone();
    assert_eq!(now["commission_percent"], "9");
    assert!(now["starts_at"].as_str().unwrap() >= "2026-11-22T08:00", "{now}");
    // Caps of no rate are asked about, not dropped.
    let was = product.db.checksum();
    for more in [("month_cap", "90"), ("starts", "2027-01-05"), ("first", "yes")] {
        let told = send(&casa, olga, &at(&casa, "/collaboration"), &[("rate", ""), more]).await;
        assert!(told.status == 422 && told.text.contains("ommission percent"), "{}", told.text);
        assert!(told.text.contains(more.1) && product.db.checksum() == was);
    }
    // What begins next is told, and whoever hasn't seen it doesn't change what holds now.
    let shown = see(&casa, olga, &at(&casa, "")).await.text;
    assert!(!shown.contains("that takes the place"));
    let stale = hidden(&shown, "terms");
    let next = json!({ "commission_percent": "33", "starts_at": "2027-02-01T00:00:00Z" });
    p.post(product, &format!("/v1/deals/{}/terms", p.deal), next).await.expect(201);
    let known = deal(&casa).await;
    assert_eq!(known["next_terms"]["commission_percent"], "33");
    assert_ne!(known["terms"]["commission_percent"], "33");
    let told = see(&casa, olga, &at(&casa, "")).await.text;
    let said = told.split(": that takes the place").next().unwrap();
    assert!(said.len() < told.len() && said[said.len() - 60..].contains("33"), "it is told");
    let count = all().await.as_array().unwrap().len();
    let form = [("rate", "11"), ("terms", &stale)];
    assert_eq!(send(&casa, olga, &at(&casa, "/collaboration"), &form).await.status, 409);
    assert_eq!(all().await.as_array().unwrap().len(), count);
}

/// A form that is sent twice, or a call that is repeated by its name, gives one code and makes one link.
#[tokio::test]
async fn a_collaboration_sent_twice_is_done_once() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let shown = see(&casa, olga, &at(&casa, "")).await.text;
    let form = shown.split("/collaboration\"").nth(1).unwrap();
    let (once, terms) = (hidden(form, "once"), hidden(form, "terms"));
    let sent = [
        ("once", &*once),
        ("terms", &*terms),
        ("rate", "14"),
        ("target", "/vase"),
        ("link", "yes"),
    ];
    let count = async || deal(&casa).await["links"].as_array().unwrap().len();
    let before = count().await;
    for _ in 0..2 {
        assert_eq!(send(&casa, olga, &at(&casa, "/collaboration"), &sent).await.status, 303);
        assert_eq!(count().await, before + 1);
    }
    // The same page with something else in it isn't the same form.
    let mut other = sent;
    other[3].1 = "/bowl";
    let told = send(&casa, olga, &at(&casa, "/collaboration"), &other).await;
    assert!(told.status == 422 && told.text.contains("said something else"), "{}", told.text);
    assert_eq!(count().await, before + 1);

    let path = format!("/v1/deals/{}/collaboration", p.deal);
    let call = async |body: Value| pay(product, &p.key, "twice", &path, body).await;
    for _ in 0..2 {
        call(json!({ "link": {} })).await.expect(200);
        assert_eq!(count().await, before + 2);
    }
    call(json!({ "link": { "target": "/bowl" } })).await.expect(422);
    // At the same moment: who comes second finds that the first did it.
    let kept =
        product.db.rows("SELECT brand_id, request_hash FROM idempotency WHERE key = 'twice'");
    let text = |name: &str| kept[0][name].as_str().unwrap().to_owned();
    let (brand, hash) = (text("brand_id"), text("request_hash"));
    product.db.execute("DELETE FROM idempotency WHERE key = 'twice'").unwrap();
    let first = format!(
        "INSERT INTO idempotency (brand_id, key, request_hash, status, answer, created_at_ms)
        VALUES ('{brand}', 'twice', '{hash}', 200, '', 1)"
    );
    product.db.before("INSERT INTO links", &first);
    call(json!({ "link": {} })).await.expect(200);
    assert_eq!(count().await, before + 2);
}

#[tokio::test]
async fn the_deals_other_forms_do_what_the_api_does() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let get = async |path: &str| p.get(product, &format!("/v1/deals/{}{path}", p.deal)).await;
    let invited = async || get("/invitation").await["state"].as_str().unwrap().to_owned();
    assert_eq!(invited().await, "none");
    send(&casa, olga, &at(&casa, "/invitation"), &[]).await;
    assert_eq!(invited().await, "waiting");
    let again = send(&casa, olga, &at(&casa, "/invitation"), &[]).await.text;
    let token =
        again.split("/invitation#").nth(1).unwrap().split(['<', '"']).next().unwrap().to_owned();
    let accepted = product
        .call("POST", "/v1/invitations/acceptance", Some(json!({ "token": token })), "")
        .await;
    let hers = accepted.expect(201)["access_token"].as_str().unwrap().to_owned();
    assert_eq!(invited().await, "accepted");
    assert!(get("/invitation").await["accepted_at"].is_string());

    let gift = [("product", "30.00"), ("shipping", "4.50"), ("currency", "USD"), ("once", "g")];
    for _ in 0..2 {
        assert_eq!(send(&casa, olga, &at(&casa, "/gifts"), &gift).await.status, 303);
    }
    let gifts = get("/costs").await["data"].clone();
    assert_eq!(gifts.as_array().unwrap().len(), 1, "sent twice it is one");
    let id = gifts[0]["id"].as_str().unwrap();
    assert_eq!(send(&casa, olga, &at(&casa, "/gifts/void"), &[("id", id)]).await.status, 303);
    assert!(get("/costs").await["data"][0]["voided_at"].is_string());

    let fee = [("amount", "50.00"), ("currency", "USD"), ("fee_due", "2027-01-01"), ("once", "f")];
    assert_eq!(send(&casa, olga, &at(&casa, "/fees"), &fee).await.status, 303);
    let id = get("/fees").await["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        send(&casa, olga, &at(&casa, "/fees/cancellation"), &[("id", &id)]).await.status,
        303
    );
    assert_eq!(get("/fees").await["data"][0]["state"], "cancelled");

    let template = json!({ "name": "Standard", "terms": { "commission_percent": "15" } });
    let template = p.post(product, "/v1/term-templates", template).await.expect(201);
    let form = [("template_id", template["id"].as_str().unwrap()), ("offer_note", "<i>for you")];
    assert_eq!(send(&casa, olga, &at(&casa, "/offers"), &form).await.status, 303);
    let offer = get("/offers").await["data"][0].clone();
    assert_eq!((&offer["state"], &offer["note"]), (&json!("waiting"), &json!("<i>for you")));
    let answer = [("id", offer["id"].as_str().unwrap()), ("outcome", "withdrawn")];
    assert_eq!(send(&casa, olga, &at(&casa, "/offers/answer"), &answer).await.status, 303);
    assert_eq!(get("/offers").await["data"][0]["state"], "withdrawn");

    let post = [
        ("post_url", "https://www.tiktok.com/@anna/video/7"),
        ("platform", "tiktok"),
        ("published", "2026-11-20"),
    ];
    assert_eq!(send(&casa, olga, &at(&casa, "/posts"), &post).await.status, 303);
    let posted = p.get(product, &format!("/v1/posts?deal_id={}", p.deal)).await["data"][0].clone();
    let numbers = [("id", posted["id"].as_str().unwrap()), ("views", "1200"), ("likes", "")];
    assert_eq!(send(&casa, olga, &at(&casa, "/posts/numbers"), &numbers).await.status, 303);
    assert!(see(&casa, olga, &at(&casa, "")).await.text.contains("1,200"));
    assert_eq!(
        send(
            &casa,
            olga,
            &at(&casa, "/posts/numbers"),
            &[("id", posted["id"].as_str().unwrap()), ("views", "x")]
        )
        .await
        .status,
        422
    );

    let kind = [("kind", "paid"), ("with", "tags"), ("tags", "vip, <b>x")];
    assert_eq!(send(&casa, olga, &at(&casa, "/settings"), &kind).await.status, 303);
    assert_eq!(
        (deal(&casa).await["kind"].clone(), deal(&casa).await["tags"].clone()),
        (json!("paid"), json!(["vip", "<b>x"]))
    );

    // Her claim: of an order that is nobody's by the rules any more.
    let order = p.order(product, 1).await["id"].as_str().unwrap().to_owned();
    let page = format!("/orders/{order}");
    let move_it = [("deal_id", "nobody"), ("reason", "A test"), ("once", "m")];
    for _ in 0..2 {
        assert_eq!(send(&casa, olga, &format!("{page}/move"), &move_it).await.status, 303);
    }
    assert_eq!(p.order(product, 1).await["deal_id"], Value::Null);
    assert_eq!(
        send(&casa, olga, &format!("{page}/move"), &[("reason", "x"), ("once", "n")]).await.status,
        422
    );
    let found = see(&casa, olga, &format!("{page}?who=anna")).await.text;
    assert!(found.contains(&format!("value=\"{}\"", p.deal)), "she is found by her name");
    assert_eq!(see(&casa, olga, &format!("{page}?who=%22%20OR%20%5C")).await.status, 200);
    let name = p.order(product, 1).await["name"].as_str().unwrap().to_owned();
    let claim = json!({ "order_number": name, "note": "<script>hit()</script>" });
    product.call("POST", "/v1/me/claims", Some(claim), &hers).await.expect(201);
    let claims = see(&casa, olga, "/claims").await.text;
    assert!(claims.contains("&#60;script&#62;") && !claims.contains("<script>hit"));
    assert!(see(&casa, olga, &page).await.text.contains("/claims"));
    let id = p.get(product, "/v1/claims").await["data"][0]["id"].as_str().unwrap().to_owned();
    let grant = [("outcome", "granted"), ("note", "Sorry"), ("once", "c")];
    assert_eq!(send(&casa, olga, &format!("/claims/{id}/decision"), &grant).await.status, 303);
    assert_eq!(p.order(product, 1).await["deal_id"], p.deal.as_str());
    let lost = [("state", "lost"), ("once", "d")];
    assert_eq!(send(&casa, olga, &format!("{page}/disputes"), &lost).await.status, 303);
    let disputes = p.get(product, &format!("/v1/orders/{order}/disputes")).await;
    assert_eq!(disputes["data"][0]["state"], "lost");
    for kind in ["", "talk", "agreed", "orders", "posts", "nonsense"] {
        assert_eq!(
            see(&casa, olga, &at(&casa, &format!("?kind={kind}"))).await.status,
            200,
            "{kind}"
        );
    }
    // One that isn't used in time runs out.
    product.pass(60_000);
    send(&casa, olga, &at(&casa, "/invitation"), &[]).await;
    assert_eq!(invited().await, "waiting");
    product.pass(8 * 86_400_000);
    assert_eq!(invited().await, "expired");
}

#[tokio::test]
async fn a_message_is_looked_at_and_sent() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let template = json!({ "name": "Hello", "subject": "Your code", "text": "Dear {{creator.first_name}}, {{deal.code}}" });
    let template = p.post(product, "/v1/message-templates", template).await.expect(201);
    let id = template["id"].as_str().unwrap();
    let shown = see(&casa, olga, &at(&casa, &format!("/message?template={id}"))).await.text;
    assert!(shown.contains("ANNA"), "its fields are filled in: {shown}");
    for missing in ["/message?template=x", "/message?reply=x"] {
        assert_eq!(see(&casa, olga, &at(&casa, missing)).await.status, 404, "{missing}");
    }
    let was = product.db.checksum();
    let look = [("subject", "Hi"), ("text", "{{nothing}}"), ("do", "preview")];
    let told = send(&casa, olga, &at(&casa, "/message"), &look).await;
    assert!(
        told.status == 422
            && told.text.contains("no merge field")
            && told.text.contains("{{nothing}}")
    );
    assert!(product.db.checksum() == was);
    let text = template["text"].as_str().unwrap();
    let form = [
        ("once", "message-once-1"),
        ("template", id),
        ("subject", "Your code"),
        ("text", text),
        ("do", "send"),
    ];
    let sent = send(&casa, olga, &at(&casa, "/message"), &form).await;
    let list = p.get(product, &format!("/v1/deals/{}/messages", p.deal)).await;
    if sent.status == 303 {
        assert_eq!(list["data"][0]["template_id"], id);
        let other = [
            ("once", "message-once-2"),
            ("template", id),
            ("subject", "Your code"),
            ("text", "<b>Other words"),
            ("do", "send"),
        ];
        assert_eq!(send(&casa, olga, &at(&casa, "/message"), &other).await.status, 303);
        let list = p.get(product, &format!("/v1/deals/{}/messages", p.deal)).await;
        assert_eq!(
            (&list["data"][0]["template_id"], &list["data"][0]["text"]),
            (&Value::Null, &json!("<b>Other words"))
        );
        assert!(!see(&casa, olga, &at(&casa, "")).await.text.contains("<b>Other"));
    } else {
        assert_eq!(sent.status, 409, "she has no address: {}", sent.text);
    }
}

#[tokio::test]
async fn a_creator_is_edited_told_and_let_go() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let page = format!("/creators/{}", p.creator);
    let field = p
        .post(
            product,
            "/v1/creator-fields",
            json!({ "name": "Size", "kind": "choice", "choices": ["S", "M"] }),
        )
        .await
        .expect(201);
    let own = format!("field_{}", field["id"].as_str().unwrap());
    let form = |size: &'static str| {
        [
            ("name", "Anna <b>B"),
            ("handle", "@anna.home"),
            ("country", "de"),
            ("followers", "12,000"),
            ("tags", "a, b"),
            ("handles", "instagram anna.i\nTikTok anna.t"),
            (&*own, size),
        ]
        .map(|(n, v)| (n.to_owned(), v))
    };
    let post = async |size| {
        let form = form(size);
        let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (n.as_str(), *v)).collect();
        send(&casa, olga, &page, &form).await
    };
    assert_eq!(post("M").await.status, 303);
    let now = p.get(product, &format!("/v1{page}")).await;
    assert_eq!(
        (&now["name"], &now["country"], &now["followers"]),
        (&json!("Anna <b>B"), &json!("DE"), &json!(12000))
    );
    assert_eq!(now["handles"][1], json!({ "platform": "tiktok", "handle": "anna.t" }));
    let was = product.db.checksum();
    let told = post("XXL").await;
    assert!(
        told.status == 422 && product.db.checksum() == was && !told.text.contains("<b>B"),
        "{}",
        told.text
    );
    let adjust = [("amount", "5.00"), ("currency", "USD"), ("reason", "Thanks"), ("once", "a")];
    for _ in 0..2 {
        assert_eq!(send(&casa, olga, &format!("{page}/adjustments"), &adjust).await.status, 303);
    }
    assert_eq!(product.db.rows("SELECT * FROM adjustments").len(), 1);
    let file = send(&casa, olga, &format!("{page}/export"), &[]).await;
    let told: Value = serde_json::from_str(&file.text).unwrap();
    assert!(told["data"].as_array().unwrap().iter().any(|record| record["kind"] == "profile"));
    assert!(file.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let erase = send(&casa, olga, &format!("{page}/erasure"), &[("confirm", "@nobody")]).await;
    assert!([403, 422].contains(&erase.status), "{}", erase.status);
    let vera = viewer(&casa).await;
    let order = p.order(product, 1).await["id"].as_str().unwrap().to_owned();
    let mut paths: Vec<String> = [
        "codes",
        "links",
        "settings",
        "gifts",
        "gifts/void",
        "fees/cancellation",
        "offers",
        "offers/answer",
        "posts",
        "posts/numbers",
        "message",
        "messages/cancel",
        "messages/read",
    ]
    .map(|name| at(&casa, &format!("/{name}")))
    .into();
    paths.extend(
        ["", "/deals", "/adjustments", "/export", "/erasure"].map(|what| format!("{page}{what}")),
    );
    paths.extend(["/move", "/disputes"].map(|what| format!("/orders/{order}{what}")));
    for path in paths {
        let was = product.db.checksum();
        let id = [
            ("id", p.deal.as_str()),
            ("once", "v"),
            ("amount", "1.00"),
            ("currency", "USD"),
            ("reason", "x"),
            ("state", "lost"),
            ("deal_id", "nobody"),
            ("product", "1.00"),
            ("subject", "x"),
            ("text", "x"),
            ("do", "send"),
            ("name", "x"),
            ("handle", "x"),
            ("campaign_id", "x"),
            ("post_url", "https://x.example/1"),
            ("platform", "other"),
            ("published", "2026-11-20"),
            ("confirm", "x"),
        ];
        let status = send(&casa, &vera, &path, &id).await.status;
        assert!(matches!(status, 403 | 404 | 422), "{path}: {status}");
        assert!(product.db.checksum() == was, "{path} changed something");
    }
    for path in [
        at(&casa, ""),
        at(&casa, "/message"),
        page.clone(),
        format!("/orders/{order}"),
        "/claims".to_owned(),
    ] {
        let shown = see(&casa, &vera, &path).await;
        assert!(shown.status == 200 && !shown.text.contains("action=\"/b/"), "{path}");
    }
    // Day by day comes to the whole.
    let days = p
        .get(
            product,
            &format!("/v1/deals/{}/performance/days?from=2026-01-01&to=2026-12-31", p.deal),
        )
        .await;
    let orders: i64 =
        days["data"].as_array().unwrap().iter().map(|day| day["orders"].as_i64().unwrap()).sum();
    let whole = p.get(product, &format!("/v1/deals/{}/performance", p.deal)).await;
    assert_eq!(json!(orders), whole["orders"]);
    let long = product
        .call(
            "GET",
            &format!("/v1/deals/{}/performance/days?from=2020-01-01", p.deal),
            None,
            &p.key,
        )
        .await;
    assert_eq!(long.status, 422);
}
