//! A deal's history, notes and follow-ups, and the trail of what the CRM changes.

use serde_json::{Value, json};

use super::payouts::pay;
use crate::support::shop::{coded, order};
use crate::support::sqlite::most_steps;
use crate::support::{Product, Programme};
use tributary::domain::time::DAY_MS;
use tributary::jobs::inbound;

/// Commands of the CRM, each of which leaves one row in the trail: tried below.
pub const CRM_COMMANDS: [&str; 16] = [
    "patch /v1/creators/{id}",
    "post /v1/creators/{id}/merge",
    "post /v1/creator-fields",
    "patch /v1/creator-fields/{id}",
    "patch /v1/campaigns/{id}",
    "post /v1/campaigns/{id}/stages",
    "post /v1/deals/{id}/move",
    "post /v1/deals/{id}/costs",
    "post /v1/deals/{id}/costs/{cost_id}/void",
    "post /v1/deals/{id}/notes",
    "patch /v1/deals/{id}/notes/{note_id}",
    "delete /v1/deals/{id}/notes/{note_id}",
    "post /v1/deals/{id}/follow-ups",
    "patch /v1/deals/{id}/follow-ups/{follow_up_id}",
    "patch /v1/deals/{id}",
    "post /v1/deals",
];

fn id(json: &Value) -> String {
    json["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_command_of_the_crm_leaves_one_row_in_the_trail() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let (_, rival) = p.rival(&product, "BERTA").await;
    let deal = |what: &str| format!("/v1/deals/{}{what}", p.deal);
    let creator = |what: &str| format!("/v1/creators/{}{what}", p.creator);
    let campaign = |what: &str| format!("/v1/campaigns/{}{what}", p.campaign);
    let note = p.post(&product, &deal("/notes"), json!({ "text": "x" })).await.expect(201);
    let task = json!({ "text": "x", "due_on": "2026-12-01" });
    let task_id = id(&p.post(&product, &deal("/follow-ups"), task.clone()).await.expect(201));
    let field = p
        .post(&product, "/v1/creator-fields", json!({ "name": "A", "kind": "text" }))
        .await
        .expect(201);
    let cost = json!({ "product": { "amount": "1.00", "currency": "USD" } });
    let made = pay(&product, &p.key, "c", &deal("/costs"), cost.clone()).await.expect(201);
    let note = deal(&format!("/notes/{}", id(&note)));
    let commands = [
        ("PATCH", creator(""), json!({ "name": "B" }), "creator.update"),
        ("POST", creator("/merge"), json!({ "from_id": rival }), "creator.merge"),
        (
            "POST",
            "/v1/creator-fields".to_owned(),
            json!({ "name": "B", "kind": "text" }),
            "creator_field.create",
        ),
        (
            "PATCH",
            format!("/v1/creator-fields/{}", id(&field)),
            json!({ "name": "C" }),
            "creator_field.update",
        ),
        ("PATCH", campaign(""), json!({ "name": "B" }), "campaign.update"),
        ("POST", campaign("/stages"), json!({ "change": "add", "stage": "B" }), "campaign.stages"),
        ("POST", deal("/move"), json!({ "stage": "Lost" }), "deal.move"),
        ("POST", deal("/costs"), cost, "cost.create"),
        ("POST", deal(&format!("/costs/{}/void", id(&made))), Value::Null, "cost.void"),
        ("POST", deal("/notes"), json!({ "text": "y" }), "note.create"),
        ("PATCH", note.clone(), json!({ "text": "z" }), "note.update"),
        ("DELETE", note, Value::Null, "note.delete"),
        ("POST", deal("/follow-ups"), task, "follow_up.create"),
        (
            "PATCH",
            deal(&format!("/follow-ups/{task_id}")),
            json!({ "done": true }),
            "follow_up.update",
        ),
    ];
    for (method, path, body, action) in commands {
        let rows = || product.db.rows("SELECT action FROM audit ORDER BY id");
        let before = rows().len();
        product.pass(1);
        let mut request = http::Request::builder()
            .method(method)
            .uri(&path)
            .header("authorization", format!("Bearer {}", p.key))
            .header("idempotency-key", action);
        if !body.is_null() {
            request = request.header("content-type", "application/json");
        }
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = product.raw(request.body(body).unwrap()).await;
        assert!(answer.status < 300, "{method} {path}: {}", answer.text);
        let after = rows();
        assert_eq!(
            (after.len(), &after[before]["action"]),
            (before + 1, &json!(action)),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn notes_and_follow_ups_are_kept_and_listed_by_the_brands_day() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deal = |what: &str| format!("/v1/deals/{}{what}", p.deal);
    assert_eq!(p.get(&product, &deal("")).await["last_contact_at"], Value::Null);
    let note = json!({ "text": " Called her.\r\nShe likes it. <script>alert(1)</script> ", "contact": true });
    let note = p.post(&product, &deal("/notes"), note).await.expect(201);
    assert_eq!(note["text"], "Called her.\nShe likes it. <script>alert(1)</script>");
    assert_eq!(note["author"]["kind"], "key");
    assert_eq!(p.get(&product, &deal("")).await["last_contact_at"], "2026-11-22T08:00:00.000Z");
    let path = deal(&format!("/notes/{}", id(&note)));
    product.pass(1000);
    let changed =
        product.call("PATCH", &path, Some(json!({ "text": "No." })), &p.key).await.expect(200);
    assert_eq!(
        (&changed["text"], &changed["changed_at"]),
        (&json!("No."), &json!("2026-11-22T08:00:01.000Z"))
    );
    for bad in ["", "  ", "a\u{0}b", &"x".repeat(10_001)] {
        assert_eq!(p.post(&product, &deal("/notes"), json!({ "text": bad })).await.status, 422);
    }
    let (other, _) = p.rival(&product, "BERTA").await;
    let elsewhere = format!("/v1/deals/{other}/notes/{}", id(&note));
    for method in ["PATCH", "DELETE"] {
        let body = (method == "PATCH").then(|| json!({ "text": "x" }));
        assert_eq!(
            product.call(method, &elsewhere, body, &p.key).await.status,
            404,
            "a note of another deal"
        );
    }
    assert_eq!(product.call("DELETE", &path, None, &p.key).await.status, 204);
    assert_eq!(product.call("DELETE", &path, None, &p.key).await.status, 404);

    let member = id(&p
        .post(&product, "/v1/members", json!({ "email": "m@casa.example", "role": "manager" }))
        .await
        .expect(201));
    let add = async |text: &str, due: &str, owner: Value| {
        let body = json!({ "text": text, "due_on": due, "owner_id": owner });
        id(&p.post(&product, &deal("/follow-ups"), body).await.expect(201))
    };
    let late = add("late", "2026-11-21", json!(member)).await;
    let today = add("today", "2026-11-22", Value::Null).await;
    let soon = add("soon", "2026-11-30", json!(member)).await;
    let listed = async |query: &str| {
        let found = p.get(&product, &format!("/v1/follow-ups?{query}")).await;
        found["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["text"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed("state=overdue").await, ["late"]);
    assert_eq!(listed("").await, ["late", "today", "soon"]);
    assert_eq!(listed(&format!("owner_id={member}")).await, ["late", "soon"]);
    let first = p.get(&product, "/v1/follow-ups?limit=1").await;
    assert_eq!(
        listed(&format!("limit=1&cursor={}", first["next_cursor"].as_str().unwrap())).await,
        ["today"]
    );
    // A minute before midnight of the brand it isn't overdue yet.
    product.db.execute("UPDATE brands SET timezone = 'America/Los_Angeles'").unwrap();
    product.set_now(1_795_420_799_000);
    assert_eq!(listed("state=overdue").await, ["late"]);
    product.pass(1000);
    assert_eq!(listed("state=overdue").await, ["late", "today"]);
    for (task, body) in [
        (&late, json!({ "done": true })),
        (&today, json!({ "due_on": "2027-01-01", "owner_id": member })),
    ] {
        let path = deal(&format!("/follow-ups/{task}"));
        product.call("PATCH", &path, Some(body), &p.key).await.expect(200);
    }
    assert_eq!(listed("state=done").await, ["late"]);
    assert_eq!(listed("state=overdue").await, Vec::<String>::new());
    assert_eq!(listed("").await, ["soon", "today"]);
    product
        .call(
            "PATCH",
            &deal(&format!("/follow-ups/{late}")),
            Some(json!({ "done": false })),
            &p.key,
        )
        .await
        .expect(200);
    product.call("DELETE", &format!("/v1/members/{member}"), None, &p.key).await;
    assert_eq!(
        listed(&format!("owner_id={member}")).await,
        Vec::<String>::new(),
        "who left owns nothing"
    );
    let _ = soon;
    for bad in
        ["state=late", "owner_id=x", "cursor=AAAA", "limit=-1", "limit=1000000000", "sort=;DROP"]
    {
        assert_eq!(
            product.call("GET", &format!("/v1/follow-ups?{bad}"), None, &p.key).await.status,
            422,
            "{bad}"
        );
    }
    for bad in [
        json!({ "text": "x", "due_on": "2026-02-30" }),
        json!({ "text": "x" }),
        json!({ "text": "", "due_on": "2026-12-01" }),
        json!({ "text": "x", "due_on": "2026-12-01", "owner_id": "member_00000000000000000000000000" }),
    ] {
        let before = product.db.checksum();
        assert_eq!(p.post(&product, &deal("/follow-ups"), bad).await.status, 422);
        assert_eq!(product.db.checksum(), before);
    }
}

/// Everything of the timeline, page by page, as pairs of kind and summary.
async fn all(product: &Product, p: &Programme, query: &str) -> Vec<(String, String, String)> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..200 {
        let page = p.get(product, &format!("/v1/deals/{}/timeline?{query}{cursor}", p.deal)).await;
        for item in page["data"].as_array().unwrap() {
            let text = |name: &str| item[name].as_str().unwrap().to_owned();
            found.push((text("at"), text("id"), format!("{}: {}", text("kind"), text("summary"))));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
    panic!("it never ends");
}

/// Messages go out at any time of any day.
fn always(product: &Product, p: &Programme) {
    let brand = p.brand["id"].as_str().unwrap();
    let sql = format!("INSERT INTO outreach_settings VALUES ('{brand}', 500, 127, 0, 1440)");
    product.db.execute(&sql).unwrap();
}

/// The creator answers the last message.
async fn reply(product: &Product, text: &str) {
    let to = product.mailer.last()["reply_to"].as_str().unwrap().to_owned();
    let mail = format!(
        "From: anna@creator.example\r\nSubject: Re: Linen\r\nMessage-ID: <1@x>\r\n\r\n{text}\r\n"
    );
    let taken = inbound::receive(&product.app, &to, mail.as_bytes()).await;
    assert_eq!(taken, inbound::Taken::Kept);
}

#[tokio::test]
async fn the_timeline_is_one_order_of_what_is_kept() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deal = |what: &str| format!("/v1/deals/{}{what}", p.deal);
    always(&product, &p);
    let step = || product.pass(60_000);
    step();
    p.post(&product, &deal("/links"), json!({ "slug": "anna" })).await.expect(201);
    step();
    p.post(&product, &deal("/codes"), json!({ "code": "ANNA", "create_in_store": false }))
        .await
        .expect(201);
    step();
    p.post(&product, &deal("/terms"), json!({ "commission_percent": "15" })).await.expect(201);
    step();
    p.post(&product, &deal("/notes"), json!({ "text": "hello" })).await.expect(201);
    step();
    p.post(&product, &deal("/move"), json!({ "stage": "Posted" })).await.expect(200);
    step();
    let invited = product.call("POST", &deal("/invitation"), None, &p.key).await.expect(201);
    step();
    let invitation = invited["url"].as_str().unwrap().split_once('#').unwrap().1;
    let accepted = Some(json!({ "token": invitation }));
    let accepted = product.call("POST", "/v1/invitations/acceptance", accepted, "").await;
    let access = accepted.expect(201)["access_token"].as_str().unwrap().to_owned();
    let details = json!({ "method": "paypal", "email": "a@pay.example" });
    product.call("PUT", "/v1/me/payment-details", Some(details), &access).await.expect(200);
    step();
    let fee = json!({ "amount": { "amount": "60.00", "currency": "USD" } });
    pay(&product, &p.key, "f", &deal("/fees"), fee).await.expect(201);
    step();
    product.call("PATCH", &deal(""), Some(json!({ "stage": "Lost" })), &p.key).await.expect(200);
    step();
    product.call("PATCH", &deal(""), Some(json!({ "tags": ["vip"] })), &p.key).await.expect(200);
    step();
    let task = json!({ "text": "write", "due_on": "2026-12-01" });
    p.post(&product, &deal("/follow-ups"), task).await.expect(201);
    step();
    let letter = json!({ "subject": "Linen", "text": "Shall we?" });
    p.post(&product, &deal("/messages"), letter).await.expect(201);
    step();
    reply(&product, "Yes, gladly.").await;
    step();
    pay(&product, &p.key, "p", "/v1/payouts", json!({ "currency": "USD" })).await.expect(201);
    let post = json!({ "platform": "tiktok", "url": "https://tiktok.com/@anna/video/1",
        "published_at": "2026-10-01T10:00:00Z", "metrics": { "views": 900 } });
    p.post(&product, &deal("/posts"), post).await.expect(201);
    assert_eq!(p.deliver(&product, &coded(order(1), "ANNA")).await, 200);
    let words: Vec<String> =
        all(&product, &p, "").await.into_iter().map(|(_, _, words)| words).collect();
    assert_eq!(
        words,
        [
            "payout: A payout for the creator",
            "message: The creator wrote",
            "message: A message to the creator",
            "follow_up: Something to be done",
            "deal: The deal was changed",
            "stage: Moved from Posted to Lost",
            "fee: A fee was agreed",
            "invitation: The creator accepted the invitation",
            "invitation: The creator was invited",
            "stage: Moved from Outreach to Posted",
            "note: A note",
            "terms: New terms",
            "code: A code was made",
            "link: A link was made",
            "deal: The deal was made",
            "order: An order",
            "post: The creator published something",
        ]
    );
    let kinds = |found: Vec<(String, String, String)>| {
        found.into_iter().map(|(_, _, words)| words).collect::<Vec<_>>()
    };
    assert_eq!(
        kinds(all(&product, &p, "kind=stage").await),
        ["stage: Moved from Posted to Lost", "stage: Moved from Outreach to Posted"]
    );
    assert_eq!(
        kinds(all(&product, &p, "kind=order,note").await),
        ["note: A note", "order: An order"]
    );
    let page = p.get(&product, &format!("{}?kind=message,post", deal("/timeline"))).await;
    let [came, went, published] = page["data"].as_array().unwrap().as_slice() else {
        panic!("{page}")
    };
    assert_eq!(
        (&came["details"]["direction"], &came["details"]["text"], &came["before"]),
        (&json!("in"), &json!("Yes, gladly."), &Value::Null)
    );
    assert_eq!(came["actor"]["kind"], "creator");
    assert_eq!(
        (&went["details"]["subject"], &went["details"]["state"], &went["details"]["automatic"]),
        (&json!("Linen"), &json!("sent"), &json!(false))
    );
    assert_eq!(
        (&published["at"], &published["details"]["views"], &published["details"]["likes"]),
        (&json!("2026-10-01T10:00:00.000Z"), &json!(900), &Value::Null)
    );
    let mailed = p.get(&product, &format!("{}?kind=mail", deal("/timeline"))).await;
    assert_eq!(mailed["data"][0]["mail"]["state"], "sent");
    assert_eq!(mailed["data"].as_array().unwrap().len(), 1);
    // The same, however large the pages are.
    let whole = all(&product, &p, "limit=200").await;
    for limit in [1, 2, 3, 5] {
        assert_eq!(all(&product, &p, &format!("limit={limit}")).await, whole, "{limit}");
    }
    for bad in [
        "kind=gossip",
        "kind=",
        "kind=note,",
        "limit=0",
        "limit=201",
        "cursor=AAAA",
        "cursor=!",
        "sort=at",
    ] {
        let path = format!("{}?{bad}", deal("/timeline"));
        assert_eq!(product.call("GET", &path, None, &p.key).await.status, 422, "{bad}");
    }
}

/// All of one moment, in every page size; and what grows reads no more.
#[tokio::test]
async fn a_page_of_the_timeline_reads_no_more_of_a_long_one() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let brand = p.brand["id"].as_str().unwrap();
    for at in 0..7 {
        let deal = |what: &str| format!("/v1/deals/{}{what}", p.deal);
        p.post(&product, &deal("/notes"), json!({ "text": format!("{at}") })).await.expect(201);
        let task = json!({ "text": format!("{at}"), "due_on": "2026-12-01" });
        p.post(&product, &deal("/follow-ups"), task).await.expect(201);
        p.post(&product, &deal("/links"), json!({})).await.expect(201);
    }
    let now = product.app.now_ms();
    let orders = |from: usize, count: usize| {
        product.db.execute(&format!("WITH n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {})
            INSERT INTO orders (brand_id, id, store_id, external_id, revision, name, placed_at_ms, state, currency,
              base_minor, commission_minor, deal_id, creator_id, facts, placed_day)
            SELECT '{brand}', 'order_' || printf('%026d', i), 's', i, 1, '#' || i, {now} - (i / 5) * 1000, 'paid', 'USD',
              0, 0, '{}', '{}', '{{}}', 20000 FROM n", from + count - 1, p.deal, p.creator)).unwrap();
    };
    orders(0, 40);
    let whole = all(&product, &p, "limit=200").await;
    assert_eq!(whole.len(), 1 + 21 + 40);
    for limit in [1, 2, 7] {
        assert_eq!(all(&product, &p, &format!("limit={limit}")).await, whole, "{limit}");
    }
    let path = format!("/v1/deals/{}/timeline?limit=50", p.deal);
    most_steps();
    p.get(&product, &path).await;
    let few = most_steps();
    orders(1000, 10_000);
    most_steps();
    let page = p.get(&product, &path).await;
    let many = most_steps();
    assert!(many <= few + few / 2, "{many} steps instead of {few}");
    // Deep in it too.
    let mut next = page["next_cursor"].as_str().unwrap().to_owned();
    for _ in 0..20 {
        let page = p.get(&product, &format!("{path}&cursor={next}")).await;
        next = page["next_cursor"].as_str().unwrap().to_owned();
    }
    assert!(most_steps() <= few + few / 2);
    product.pass(DAY_MS);
}
