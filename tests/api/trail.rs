//! What stands in the audit trail: what jobs changed, what two did at the same moment, and of whom.

use serde_json::{Value, json};
use tributary::jobs;

use crate::support::people::{Browser, Member};
use crate::support::shop::{self, sign};
use crate::support::{NOW_MS, OPERATOR, Product, Programme, SECRET};

const DAY_MS: i64 = 24 * 3_600_000;
const OWNER: &str = "owner@casa.example";

/// What jobs noted, as `actor_id action before after` in the order of time; of this brand, or of none.
fn by_jobs(product: &Product, brand: &str) -> Vec<Value> {
    let sql = format!(
        "SELECT actor_id, action, subject_id, before, after FROM audit
         WHERE actor_kind = 'job' AND brand_id = '{brand}' ORDER BY at_ms, actor_id, action, after"
    );
    let json = |value: &Value| value.as_str().map_or(Value::Null, |t| t.parse().unwrap());
    let rows = product.db.rows(&sql);
    rows.iter()
        .map(|r| json!([r["actor_id"], r["action"], json(&r["before"]), json(&r["after"])]))
        .collect()
}

fn count(product: &Product, of: &str) -> usize {
    product.db.rows(&format!("SELECT * FROM {of}")).len()
}

fn brand_of(p: &Programme) -> &str {
    p.brand["id"].as_str().unwrap()
}

/// Two creators with an order each, paid, 100.00 each.
async fn two_earn(product: &Product) -> (Programme, String) {
    let p = Programme::new(product).await;
    let code = json!({ "code": "ANNA", "create_in_store": false });
    p.post(product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
    let (_, berta) = p.rival(product, "BERTA").await;
    for (id, code) in [(1, "ANNA"), (2, "BERTA")] {
        assert_eq!(p.deliver(product, &paid(id, code)).await, 200);
    }
    (p, berta)
}

fn paid(id: u64, code: &str) -> Value {
    shop::coded(shop::order(id), code)
}

/// One row for each job, brand and run that changed something, with how much; none where nothing was.
#[tokio::test]
async fn jobs_note_what_they_changed_and_nothing_else() {
    let product = Product::new();
    let (p, _) = two_earn(&product).await;
    let other = Programme::new(&product).await;
    jobs::run_all(&product.app).await;
    let entries = count(&product, "entries");
    let sealed = json!(["seal_ledger", "ledger.seal", { "size": 0 }, { "size": entries }]);
    assert_eq!(by_jobs(&product, brand_of(&p)), [sealed]);
    jobs::run_all(&product.app).await;
    assert_eq!(by_jobs(&product, brand_of(&p)).len(), 1, "nothing was to be done");

    assert_eq!(product.deliver(&p.store, SECRET, b"not json").await, 200);
    product.pass(31 * DAY_MS);
    jobs::run_all(&product.app).await;
    let released = json!(["release_holds", "holds.release", null, { "amounts": 2, "creators": 2 }]);
    let noted = by_jobs(&product, brand_of(&p));
    assert!(noted.contains(&released), "{noted:?}");
    let bodies = json!(["expire_quarantine", "quarantine.expire", { "bodies": 1 }, null]);
    assert!(noted.contains(&bodies), "{noted:?}");
    let again = json!(["seal_ledger", "ledger.seal", { "size": entries },
        { "size": count(&product, "entries") }]);
    assert!(noted.contains(&again), "{noted:?}");
    assert_eq!(noted.len(), 4, "{noted:?}");
    assert_eq!(
        by_jobs(&product, brand_of(&other)),
        Vec::<Value>::new(),
        "nothing of theirs changed"
    );
    p.verify(&product).await;

    // Whoever may read the trail finds it there.
    let trail = p.get(&product, "/v1/audit?actor_id=release_holds").await;
    assert_eq!(trail["data"][0]["actor"], json!({ "kind": "job", "id": "release_holds" }));
    assert_eq!(trail["data"][0]["after"], json!({ "amounts": 2, "creators": 2 }));

    product.pass(60 * DAY_MS);
    jobs::run_all(&product.app).await;
    let gone = json!(["expire_mails", "mails.expire", { "mails": 1 }, null]);
    for brand in [&p, &other] {
        assert!(by_jobs(&product, brand_of(brand)).contains(&gone));
    }
}

/// A balance that changes at that moment keeps its creator waiting, and nobody else.
#[tokio::test]
async fn a_release_beside_an_order_releases_the_others_and_notes_those() {
    let product = Product::new();
    let (p, berta) = two_earn(&product).await;
    product.pass(31 * DAY_MS);
    let meanwhile = format!(
        "UPDATE balances SET amount_minor = amount_minor - 1 WHERE creator_id = '{}'",
        p.creator
    );
    product.db.before("INSERT INTO entries", &meanwhile);
    jobs::run_all(&product.app).await;
    let held = |creator: &str| {
        let sql = format!("SELECT account FROM balances WHERE creator_id = '{creator}'");
        product.db.rows(&sql)[0]["account"].clone()
    };
    assert_eq!([held(&p.creator), held(&berta)], ["pending", "available"]);
    let noted = by_jobs(&product, brand_of(&p));
    let released = json!(["release_holds", "holds.release", null, { "amounts": 1, "creators": 1 }]);
    assert_eq!(
        noted.iter().filter(|row| row[0] == "release_holds").collect::<Vec<_>>(),
        [&released]
    );
    let meanwhile = meanwhile.replace("- 1", "+ 1");
    product.db.execute(&meanwhile).unwrap();
    jobs::run_all(&product.app).await;
    assert_eq!(held(&p.creator), "available");
    p.verify(&product).await;
}

/// What retention says has gone is what has gone.
#[tokio::test]
async fn retention_notes_how_much_went_of_each() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let owner = Member::joins(&product, OWNER, 1).await;
    let brand = brand_of(&p);
    let old = NOW_MS - 401 * DAY_MS;
    for sql in [
        format!(
            "INSERT INTO creator_tokens VALUES ('{}', '{brand}', 't', 'c', {old}, {old})",
            "1".repeat(64)
        ),
        format!(
            "INSERT INTO invitations VALUES ('{}', '{brand}', 'i', 'd', 'c', {old}, {old}, 0, NULL)",
            "2".repeat(64)
        ),
        format!(
            "INSERT INTO members VALUES ('{brand}', 'm', 'x@x.example', 'viewer', NULL, NULL, {old}, {old}, NULL)"
        ),
        format!(
            "INSERT INTO api_keys (secret_hash, brand_id, id, created_at_ms, revoked_at_ms) VALUES ('{}', '{brand}', 'k', {old}, {old})",
            "3".repeat(64)
        ),
        format!("UPDATE stores SET previous_secrets = '[{{\"sealed\":\"x\",\"until_ms\":{old}}}]'"),
        format!(
            "INSERT INTO idempotency VALUES ('{brand}', 'k', '{}', 200, '', {old})",
            "4".repeat(64)
        ),
        format!(
            "INSERT INTO data_requests VALUES ('{brand}', 'r', 's', 'data_request', 'c', '[]', 0, {old}, {old}, {old})"
        ),
        format!(
            "INSERT INTO audit VALUES ('{brand}', 'a', {old}, 'key', 'k', 'member.remove', 'former', 'r', NULL, NULL)"
        ),
        format!(
            "INSERT INTO audit_members VALUES ('{brand}', 'a', 'former', '{{\"email\":\"former@x.example\"}}', NULL)"
        ),
        format!(
            "INSERT INTO audit VALUES ('{brand}', 'b', {old}, 'key', 'k', 'member.update', '{}', 'r', NULL, NULL)",
            owner.id
        ),
        format!("INSERT INTO audit_members VALUES ('{brand}', 'b', '{}', NULL, NULL)", owner.id),
        format!("INSERT INTO people VALUES ('person_1', 'p1@x.example', {old})"),
        format!(
            "INSERT INTO sessions (secret_hash, id, person_id, device, created_at_ms, last_seen_at_ms, factors) VALUES ('{}', 's', 'person_1', 'd', {old}, {old}, 1)",
            "5".repeat(64)
        ),
    ] {
        product.db.execute(&sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    let tables = [
        "creator_tokens",
        "invitations",
        "members",
        "api_keys",
        "idempotency",
        "data_requests",
        "audit_members",
        "people",
        "sessions",
        "sign_ins",
    ];
    let before = tables.map(|table| count(&product, table));
    product.pass(1);
    jobs::run_all(&product.app).await;
    let after = tables.map(|table| count(&product, table));
    let went: Vec<usize> = before.iter().zip(after).map(|(b, a)| b - a).collect();
    let told = json!({ "creator_tokens": 1, "invitations": 1, "members_invited": 1, "api_keys": 1,
        "store_secrets": 1, "first_answers": 1, "data_requests": 1, "audit_of_members": 1, "automation_runs": 0,
        "bulk_results": 0 });
    assert_eq!(went, [1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
    let noted = by_jobs(&product, brand);
    assert!(noted.contains(&json!(["retention", "retention.sweep", told, null])), "{noted:?}");
    let told = json!({ "sign_ins": 0, "sessions": 1, "people": 1 });
    assert_eq!(by_jobs(&product, ""), [json!(["retention", "retention.sweep", told, null])]);
    assert_eq!(count(&product, "audit_members WHERE audit_id = 'b'"), 1, "she is a member still");
    let rows = count(&product, "audit");
    jobs::run_all(&product.app).await;
    assert_eq!(count(&product, "audit"), rows, "a night without anything to do");
}

#[tokio::test]
async fn redactions_and_forgotten_shops_are_noted_as_they_go_on() {
    let product = Product::new();
    let (p, _) = two_earn(&product).await;
    let ask = async |body: Value| {
        let body = body.to_string();
        let signature = sign(SECRET, body.as_bytes());
        product.deliver_signed(&p.store, Some(&signature), body.as_bytes()).await
    };
    let customer = json!({ "shop_id": 1, "shop_domain": "casa.myshopify.com",
        "customer": { "id": 1 }, "orders_to_redact": [1, 2] });
    assert_eq!(ask(customer).await, 200);
    jobs::run_all(&product.app).await;
    let redacted = || -> Vec<Value> {
        let all = by_jobs(&product, brand_of(&p)).into_iter();
        all.filter(|row| row[0] == "redact").collect()
    };
    let told = |kind: &str, orders: u32| json!({ "kind": kind, "orders_redacted": orders });
    let (was, is) = (told("customer_redaction", 0), told("customer_redaction", 2));
    assert_eq!(redacted(), [json!(["redact", "data_request.redact", was, is])]);
    jobs::run_all(&product.app).await;
    assert_eq!(redacted().len(), 1);

    product.pass(1);
    for _ in 0..3 {
        assert_eq!(ask(json!({ "shop_id": 1, "shop_domain": "casa.myshopify.com" })).await, 200);
    }
    assert_eq!(redacted()[1..], [json!(["redact", "store.forget", null, null])], "said once");
    product.pass(1);
    for _ in 0..2 {
        jobs::run_all(&product.app).await;
    }
    let done = told("shop_redaction", 0);
    assert_eq!(
        redacted()[2..],
        [json!(["redact", "data_request.redact", done, done])],
        "done once"
    );
}

/// Two runs of the job at once: one of them did it.
#[tokio::test]
async fn a_redaction_that_another_run_finished_is_noted_once() {
    let product = Product::new();
    let (p, _) = two_earn(&product).await;
    let body = json!({ "shop_id": 1, "shop_domain": "casa.myshopify.com",
        "customer": { "id": 1 }, "orders_to_redact": [1] });
    assert_eq!(p.deliver(&product, &body).await, 200);
    product
        .db
        .before("UPDATE data_requests", "UPDATE data_requests SET redacted = 1, done_at_ms = 1");
    jobs::run_all(&product.app).await;
    assert_eq!(count(&product, "audit WHERE action = 'data_request.redact'"), 0);
}

/// What is sealed anew is the deployment's: noted under no brand, page by page.
#[tokio::test]
async fn rewrapping_is_noted_and_reaches_payment_details() {
    const OLD: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    const NEW: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";
    let before = Product::new();
    let p = Programme::new(&before).await;
    let made = p.post(&before, &format!("/v1/deals/{}/invitation", p.deal), json!({})).await;
    let token = made.expect(201)["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let body = Some(json!({ "token": token }));
    let accepted = before.call("POST", "/v1/invitations/acceptance", body, "").await.expect(201);
    let hers = accepted["access_token"].as_str().unwrap();
    let iban = json!({ "method": "iban", "holder": "Anna", "iban": "DE89370400440532013000" });
    before.call("PUT", "/v1/me/payment-details", Some(iban), hers).await.expect(200);
    before.db.execute("UPDATE mails SET content = NULL").unwrap();

    let ring = format!("1:verify:{OLD} 2:active:{NEW}");
    let after = Product::with_keys(before.db.clone(), true, (&ring, Some(OLD)));
    jobs::run_all(&after.app).await;
    let sealed = after.db.rows("SELECT sealed FROM payment_details")[0]["sealed"].clone();
    assert!(sealed.as_str().unwrap().starts_with("2:2:"), "{sealed}");
    let status = after.call("GET", "/v1/status", None, "").await.expect(200);
    assert_eq!(status["sealed_under_older_keys"], 0);
    let note = |of: &str| json!(["rewrap", "texts.rewrap", null, { "texts": 1, "under_key": 2, "of": of }]);
    let noted: Vec<Value> = by_jobs(&after, "").into_iter().filter(|r| r[0] == "rewrap").collect();
    assert_eq!(noted, [note("payment details"), note("stores")]);
    jobs::run_all(&after.app).await;
    assert_eq!(count(&after, "audit WHERE actor_id = 'rewrap'"), 2);
}

/// Somebody else did the same a moment before: one did it, and one is noted.
#[tokio::test]
async fn what_somebody_else_just_did_is_not_noted_again() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let owner = Member::joins(&product, OWNER, 1).await;
    let b = &owner.browser;
    let member = async |email: &str| {
        let body = json!({ "email": email, "role": "viewer" });
        let made = p.post(&product, "/v1/members", body).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    };
    let noted = |action: &str| count(&product, &format!("audit WHERE action = '{action}'"));
    let patch = async |id: &str, role: &str| {
        let body = Some(json!({ "role": role }));
        b.send(&product, "PATCH", &format!("/v1/members/{id}"), body).await
    };
    // Given the same role, or another one, in between.
    let mia = member("mia@casa.example").await;
    product
        .db
        .before("UPDATE members", "UPDATE members SET role = 'manager' WHERE role = 'viewer'");
    assert_eq!(patch(&mia, "manager").await.expect(200)["role"], "manager");
    assert_eq!(noted("member.update"), 0);
    product
        .db
        .before("UPDATE members", "UPDATE members SET role = 'viewer' WHERE role = 'manager'");
    patch(&mia, "owner").await.expect(200);
    let told = p.get(&product, "/v1/audit?action=member.update").await;
    assert_eq!(told["data"].as_array().unwrap().len(), 1);
    assert_eq!(told["data"][0]["before"]["role"], "viewer", "what it really was");
    assert_eq!(told["data"][0]["after"]["role"], "owner");
    assert_eq!(patch(&mia, "owner").await.status, 200, "she is one");
    assert_eq!(noted("member.update"), 1);
    // Removed in between.
    let gone = format!("DELETE FROM members WHERE id = '{mia}'");
    product.db.before("DELETE FROM members", &gone);
    assert_eq!(b.delete(&product, &format!("/v1/members/{mia}")).await.status, 404);
    assert_eq!(
        (noted("member.remove"), count(&product, "audit_members WHERE after IS NULL")),
        (0, 0)
    );
    // Really at once: one of each is noted.
    let leo = member("leo@casa.example").await;
    let (one, other) = tokio::join!(patch(&leo, "manager"), patch(&leo, "manager"));
    assert_eq!(
        [one.status, other.status, noted("member.update").try_into().unwrap()],
        [200, 200, 2]
    );
    let path = format!("/v1/members/{leo}");
    let (one, other) = tokio::join!(b.delete(&product, &path), b.delete(&product, &path));
    assert_eq!([one.status.min(other.status), one.status.max(other.status)], [204, 404]);
    assert_eq!(noted("member.remove"), 1);
    // A key.
    for raced in [true, false] {
        let body = json!({ "name": "K", "scopes": ["read"] });
        let made = p.post(&product, "/v1/keys", body).await.expect(201);
        let path = format!("/v1/keys/{}", made["key"]["id"].as_str().unwrap());
        let before = noted("key.revoke");
        if raced {
            let sql = "UPDATE api_keys SET revoked_at_ms = 1 WHERE name = 'K'";
            product.db.before("UPDATE api_keys SET revoked_at_ms", sql);
            assert_eq!(b.delete(&product, &path).await.expect(200)["state"], "revoked");
        } else {
            let (one, other) = tokio::join!(b.delete(&product, &path), b.delete(&product, &path));
            assert_eq!([one.status, other.status], [200, 200]);
        }
        assert_eq!(noted("key.revoke") - before, usize::from(!raced));
    }
    // A shop's question answered.
    let asked = json!({ "shop_id": 1, "shop_domain": "casa.myshopify.com", "orders_requested": [],
        "data_request": { "id": 5 } });
    assert_eq!(p.deliver(&product, &asked).await, 200);
    let request = p.get(&product, "/v1/data-requests").await["data"][0]["id"].clone();
    product.db.before("UPDATE data_requests", "UPDATE data_requests SET done_at_ms = 1");
    let path = format!("/v1/data-requests/{}/completion", request.as_str().unwrap());
    product.call("POST", &path, None, &p.key).await.expect(200);
    assert_eq!(noted("data_request.complete"), 0);
}

/// The trail itself names nobody: addresses and what people call their things stand where they can go.
#[tokio::test]
async fn a_former_member_is_forgotten_and_the_trail_stays() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let owner = Member::joins(&product, OWNER, 1).await;
    let invite = json!({ "email": "Mia@Casa.example", "role": "viewer" });
    owner.browser.post(&product, "/v1/members", invite).await.expect(201);
    let mia = Member::joins(&product, "mia@casa.example", 2).await;
    let path = format!("/v1/members/{}", mia.id);
    owner
        .browser
        .send(&product, "PATCH", &path, Some(json!({ "role": "manager" })))
        .await
        .expect(200);
    let trail = || product.db.rows("SELECT * FROM audit ORDER BY id");
    assert!(!json!(trail()).to_string().contains('@'), "{:?}", trail());
    assert!(!json!(trail()).to_string().contains("Safari"));
    let listed = p.get(&product, &format!("/v1/audit?subject_id={}", mia.id)).await;
    let told = listed.to_string();
    assert!(told.contains("mia@casa.example") && told.contains("Safari, iPhone"), "{told}");

    let erase = async |by: &str, email: &str| {
        product.call("POST", "/v1/people/erasure", Some(json!({ "email": email })), by).await
    };
    assert_eq!(erase(&p.key, "mia@casa.example").await.status, 403);
    let refused = erase(OPERATOR, " Mia@casa.example").await.expect(409);
    assert_eq!(refused["type"], "/problems/still-a-member");
    assert!(product.db.execute("DELETE FROM audit_members").is_err(), "while she is one");
    assert!(product.db.execute("UPDATE audit_members SET after = NULL").is_err());
    owner.browser.show(&product, &owner.key).await;
    assert_eq!(owner.browser.delete(&product, &path).await.status, 204);
    let rows = trail().len();
    let hers = format!("audit_members WHERE member_id = '{}'", mia.id);
    let others = count(&product, "audit_members") - count(&product, &hers);
    assert!(count(&product, &hers) >= 5 && others >= 3);
    assert_eq!(erase(OPERATOR, "Mia@casa.example ").await.status, 204);
    assert_eq!((count(&product, &hers), count(&product, "audit_members")), (0, others));
    assert_eq!(trail().len(), rows + 1, "who did what stays, and that she was forgotten");
    let everywhere = ["audit", "audit_members", "mails", "sign_ins", "members"]
        .map(|table| json!(product.db.rows(&format!("SELECT * FROM {table}"))).to_string());
    assert!(!everywhere.concat().contains("mia@"), "{everywhere:?}");
    let note = product.db.rows("SELECT * FROM audit WHERE action = 'person.erase'").remove(0);
    assert_eq!((&note["actor_kind"], &note["brand_id"]), (&json!("operator"), &p.brand["id"]));
    // Once more, and of nobody: nothing is left to do.
    for email in ["mia@casa.example", "nobody@casa.example"] {
        assert_eq!(erase(OPERATOR, email).await.status, 204);
    }
    assert_eq!(trail().len(), rows + 1);
    // She herself goes the night after.
    product.pass(2 * DAY_MS);
    jobs::run_all(&product.app).await;
    assert!(!product.db.checksum().contains("mia@"));
}

/// A tab that was open when its person was moved to another brand can't change that one.
#[tokio::test]
async fn a_stale_tab_changes_nothing_of_another_brand() {
    let product = Product::new();
    let casa = Programme::new(&product).await;
    let other = Programme::new(&product).await;
    let mia = "mia@casa.example";
    let invite = async |p: &Programme| {
        let body = json!({ "email": mia, "role": "manager" });
        let made = p.post(&product, "/v1/members", body).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    };
    let id = invite(&casa).await;
    let member = Member::joins(&product, mia, 2).await;
    let tab = &member.browser;
    let stale = Browser { cookies: tab.cookies.clone(), ..Browser::default() };
    let creator = || json!({ "name": "X", "handle": "x" });
    let unnamed = stale.post(&product, "/v1/creators", creator()).await.expect(400);
    assert_eq!(unnamed["type"], "/problems/which-brand");
    tab.post(&product, "/v1/creators", creator()).await.expect(201);
    assert_eq!(stale.get(&product, "/v1/brand").await.expect(200)["id"], casa.brand["id"]);
    // Moved: she stays signed in.
    product.call("DELETE", &format!("/v1/members/{id}"), None, &casa.key).await;
    invite(&other).await;
    let invitation = crate::support::people::invited(&product, mia);
    stale.cookies.borrow_mut().remove("__Host-signin");
    let fresh = Browser { cookies: stale.cookies.clone(), ..Browser::default() };
    fresh.sign_in(&product, json!({ "invitation": invitation })).await;
    fresh.show(&product, &member.key).await;
    *tab.cookies.borrow_mut() = fresh.cookies.borrow().clone();
    let before = product.db.checksum();
    assert_eq!(tab.post(&product, "/v1/creators", creator()).await.status, 403, "of the old brand");
    *tab.brand.borrow_mut() = None;
    for (method, path) in
        [("POST", "/v1/creators"), ("PATCH", "/v1/brand"), ("DELETE", "/v1/keys/x")]
    {
        let body = (method != "DELETE").then(creator);
        assert_eq!(tab.send(&product, method, path, body).await.status, 400, "{method} {path}");
    }
    assert_eq!(product.db.checksum(), before);
    fresh.post(&product, "/v1/creators", creator()).await.expect(201);
}
