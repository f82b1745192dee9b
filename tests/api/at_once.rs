//! What people do to their own access at the same moment, or what somebody else does in between.

use serde_json::{Value, json};

use crate::support::people::{Authenticator, Browser, Member, invited, mailed};
use crate::support::{OPERATOR, Product, Programme};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const OWNER: &str = "owner@casa.example";

async fn owned() -> (Product, Programme, Member) {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let owner = Member::joins(&product, OWNER, 1).await;
    (product, p, owner)
}

fn count(product: &Product, of: &str) -> usize {
    product.db.rows(&format!("SELECT * FROM {of}")).len()
}

/// A creator of the brand, and the token of an invitation of hers.
async fn creator(product: &Product, p: &Programme, new: Value) -> (String, String) {
    let made = p.post(product, "/v1/creators", new).await.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    let deal = json!({ "creator_id": id, "campaign_id": p.campaign });
    let deal = p.post(product, "/v1/deals", deal).await.expect(201)["id"].clone();
    (id, invitation(product, p, deal.as_str().unwrap()).await)
}

async fn invitation(product: &Product, p: &Programme, deal: &str) -> String {
    let made = p.post(product, &format!("/v1/deals/{deal}/invitation"), json!({})).await;
    made.expect(201)["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned()
}

/// Begins a sign-in in a new browser: it, and what its link posts.
async fn begun(product: &Product, body: Value) -> (Browser, Value) {
    let browser = Browser::default();
    browser.post(product, "/v1/sign-in", body).await.expect(202);
    (browser, json!({ "token": mailed(product).0 }))
}

#[tokio::test]
async fn nobody_is_kept_from_signing_in_by_somebody_elsewhere() {
    let (product, _, _) = owned().await;
    let begin = async |address: &str| {
        let from = [("sec-fetch-site", "same-origin"), ("cf-connecting-ip", address)];
        let body = Some(json!({ "email": OWNER }));
        Browser::default().send_with(&product, "POST", "/v1/sign-in", body, &from).await.status
    };
    for _ in 0..10 {
        assert_eq!(begin("203.0.113.1").await, 202);
    }
    assert_eq!(begin("203.0.113.1").await, 429, "ten from one network");
    // Sixty from all: the owner has begun one, the others ten and one.
    for n in 0..49 {
        assert_eq!(begin(&format!("198.51.100.{n}")).await, 202, "{n}");
    }
    assert_eq!(begin("198.51.100.200").await, 429);
    product.pass(HOUR_MS);
    assert_eq!(begin("203.0.113.1").await, 202);
}

#[tokio::test]
async fn wrong_codes_are_counted_over_all_sign_ins_of_an_address() {
    let (product, _, _) = owned().await;
    let guess = async |browser: &Browser, code: &str| {
        browser.post(&product, "/v1/sign-in/code", json!({ "code": code })).await.status
    };
    for _ in 0..4 {
        let (browser, _) = begun(&product, json!({ "email": OWNER })).await;
        for _ in 0..5 {
            assert_eq!(guess(&browser, "0000000x").await, 400);
        }
    }
    let (browser, link) = begun(&product, json!({ "email": OWNER })).await;
    assert_eq!(guess(&browser, &mailed(&product).1).await, 429, "twenty in a day");
    browser.post(&product, "/v1/sign-in/link", link).await.expect(200);
    product.pass(24 * HOUR_MS);
    let (browser, _) = begun(&product, json!({ "email": OWNER })).await;
    assert_eq!(guess(&browser, &mailed(&product).1).await, 200);
}

#[tokio::test]
async fn who_lost_everything_begins_anew_with_the_operators_help() {
    let (product, p, owner) = owned().await;
    let reset = async |email: &str, by: &str| {
        product.call("POST", "/v1/people/reset", Some(json!({ "email": email })), by).await.status
    };
    assert_eq!(reset(OWNER, "").await, 401);
    assert_eq!(reset(OWNER, &p.key).await, 403);
    assert_eq!(reset("nobody@casa.example", OPERATOR).await, 404);
    assert_eq!(reset("nobody", OPERATOR).await, 404);
    assert_eq!(owner.browser.get(&product, "/v1/brand").await.status, 200);
    let noted = count(&product, "audit");
    assert_eq!(reset(" Owner@Casa.example", OPERATOR).await, 204);
    assert_eq!(owner.browser.get(&product, "/v1/session").await.status, 401);
    assert_eq!([count(&product, "passkeys"), count(&product, "recovery_codes")], [0, 0]);
    assert_eq!(count(&product, "audit"), noted + 2, "her brand's trail and her own");
    let rows = product.db.rows("SELECT * FROM audit WHERE action = 'factors.reset'");
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!((&row["actor_kind"], &row["actor_id"]), (&json!("operator"), &json!("")));
    }
    let mail = product.mailer.last();
    assert_eq!(mail["to"], OWNER);
    let session = owner.browser.sign_in(&product, json!({ "email": OWNER })).await;
    assert_eq!(session["session"]["second_factor"], "enroll");
    let added = owner.browser.enroll(&product, &Authenticator::new(7)).await;
    assert_eq!(added["recovery_codes"].as_array().unwrap().len(), 10);
}

/// A person's own trail can't be erased: it says what she did, not what her things are called.
#[tokio::test]
async fn a_persons_own_trail_names_no_device() {
    let (product, _, _) = owned().await;
    let of = |whose: &str| {
        let sql = format!(
            "SELECT a.after AS told, m.after FROM audit a LEFT JOIN audit_members m ON m.brand_id = a.brand_id AND m.audit_id = a.id
             WHERE action IN ('session.begin', 'passkey.add') AND a.brand_id LIKE '{whose}%' ORDER BY action DESC"
        );
        let rows = product.db.rows(&sql);
        assert!(rows.iter().all(|row| row["told"].is_null()), "{rows:?}");
        rows.into_iter().map(|row| row["after"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("brand_"), ["\"Safari, iPhone\"", "\"Phone\""]);
    assert_eq!(of("person_"), [Value::Null, Value::Null]);
}

#[tokio::test]
async fn a_recovery_code_counts_once_and_not_after_it_was_replaced() {
    let product = Product::new();
    Programme::new(&product).await;
    let browser = Browser::default();
    let token = invited(&product, OWNER);
    browser.sign_in(&product, json!({ "invitation": token })).await;
    let codes = browser.enroll(&product, &Authenticator::new(1)).await["recovery_codes"].clone();
    browser.sign_in(&product, json!({ "email": OWNER })).await;
    let twin = Browser { cookies: browser.cookies.clone(), ..Browser::default() };
    // Two codes at once in one session: one is used.
    let post = async |from: &Browser, n: usize| {
        from.post(&product, "/v1/session/recovery", json!({ "code": codes[n] })).await.status
    };
    let (one, other) = tokio::join!(post(&browser, 0), post(&twin, 1));
    assert_eq!([one.min(other), one.max(other)], [200, 401]);
    assert_eq!(count(&product, "recovery_codes WHERE uses = 1"), 1);
    assert_eq!(count(&product, "audit WHERE action = 'recovery.use'"), 2);
    // Replaced after it was looked up.
    let browser = Browser::default();
    browser.sign_in(&product, json!({ "email": OWNER })).await;
    product.db.before("UPDATE recovery_codes", "DELETE FROM recovery_codes");
    assert_eq!(post(&browser, 3).await, 401);
    let session = browser.get(&product, "/v1/session").await.expect(200);
    assert_eq!(session["session"]["factors"], 1);
    assert_eq!(count(&product, "audit WHERE action = 'recovery.use'"), 2);
}

#[tokio::test]
async fn a_passkey_that_stays_ends_no_session() {
    let (product, _, owner) = owned().await;
    owner.browser.enroll(&product, &Authenticator::new(2)).await;
    let other = Browser::default();
    other.sign_in(&product, json!({ "email": OWNER })).await;
    let keys = owner.browser.get(&product, "/v1/passkeys").await.expect(200);
    let id = |n: usize| keys["data"][n]["id"].as_str().unwrap().to_owned();
    let meanwhile = format!("DELETE FROM passkeys WHERE id = '{}'", id(1));
    product.db.before("DELETE FROM passkeys", &meanwhile);
    let tables = ["sessions", "audit", "mails"].map(|table| count(&product, table));
    let path = format!("/v1/passkeys/{}", id(0));
    let refused = owner.browser.delete(&product, &path).await.expect(409);
    assert_eq!(refused["type"], "/problems/last-passkey");
    assert_eq!(["sessions", "audit", "mails"].map(|table| count(&product, table)), tables);
    assert_eq!(other.get(&product, "/v1/session").await.status, 200);
}

#[tokio::test]
async fn what_did_not_happen_is_not_noted() {
    let (product, p, owner) = owned().await;
    // A session that ended a moment before.
    let other = Browser::default();
    for sign_out in [false, true] {
        let session = other.sign_in(&product, json!({ "email": OWNER })).await;
        let id = session["session"]["id"].as_str().unwrap();
        let before = count(&product, "audit");
        product
            .db
            .before("DELETE FROM sessions", &format!("DELETE FROM sessions WHERE id = '{id}'"));
        let status = if sign_out {
            other.delete(&product, "/v1/session").await.status
        } else {
            owner.browser.delete(&product, &format!("/v1/sessions/{id}")).await.status
        };
        assert_eq!(status, if sign_out { 204 } else { 404 });
        assert_eq!(count(&product, "audit"), before);
    }
    // Two first sign-ins of one address at once.
    let invite = json!({ "email": "mia@casa.example", "role": "viewer" });
    p.post(&product, "/v1/members", invite).await.expect(201);
    let body = json!({ "invitation": invited(&product, "mia@casa.example") });
    let (one, one_link) = begun(&product, body.clone()).await;
    let (two, two_link) = begun(&product, body).await;
    let (a, b) = tokio::join!(
        one.post(&product, "/v1/sign-in/link", one_link),
        two.post(&product, "/v1/sign-in/link", two_link)
    );
    assert_eq!([a.status, b.status], [200, 200]);
    let strangers =
        "audit WHERE brand_id LIKE 'person_%' AND brand_id NOT IN (SELECT id FROM people)";
    assert_eq!(count(&product, strangers), 0);
    // Two invitations of one creator, taken up by two people: the second ended the first.
    let zoe = json!({ "name": "Zoe", "handle": "zoe" });
    let (id, first) = creator(&product, &p, zoe).await;
    let body = json!({ "invitation": first, "email": "zoe@zoe.example" });
    let (stranger, late) = begun(&product, body).await;
    let deals = product.db.rows(&format!("SELECT id FROM deals WHERE creator_id = '{id}'"));
    let second = invitation(&product, &p, deals[0]["id"].as_str().unwrap()).await;
    let body = json!({ "invitation": second, "email": OWNER });
    let (browser, link) = begun(&product, body).await;
    stranger.post(&product, "/v1/sign-in/link", late).await.expect(400);
    assert_eq!(count(&product, "audit WHERE action = 'invitation.accept'"), 0);
    browser.post(&product, "/v1/sign-in/link", link).await.expect(200);
    assert_eq!(count(&product, "audit WHERE action = 'invitation.accept'"), 1);
    assert_eq!(count(&product, "invitations WHERE accepted_at_ms IS NOT NULL"), 1);
}

#[tokio::test]
async fn a_creator_who_was_connected_a_moment_before_is_not_taken_over() {
    let (product, p, _) = owned().await;
    let zoe = json!({ "name": "Zoe", "handle": "zoe" });
    let (id, token) = creator(&product, &p, zoe).await;
    let body = json!({ "invitation": token, "email": OWNER });
    let (browser, link) = begun(&product, body).await;
    product.db.execute("INSERT INTO people VALUES ('person_x', 'x@x.example', 0)").unwrap();
    let meanwhile = format!("UPDATE creators SET person_id = 'person_x' WHERE id = '{id}'");
    product.db.before("UPDATE creators SET person_id", &meanwhile);
    let before = count(&product, "audit");
    let late = browser.post(&product, "/v1/sign-in/link", link.clone()).await.expect(400);
    assert_eq!(late["type"], "/problems/sign-in-failed");
    assert_eq!(count(&product, "audit"), before);
    assert_eq!(count(&product, "invitations WHERE accepted_at_ms IS NOT NULL"), 0);
    let held = format!("creators WHERE id = '{id}' AND person_id = 'person_x'");
    assert_eq!(count(&product, &held), 1);
    // The link is as good as it was: it signs her in, and no more.
    browser.post(&product, "/v1/sign-in/link", link).await.expect(200);
    assert_eq!(count(&product, &held), 1);
}

#[tokio::test]
async fn a_person_is_one_creator_of_a_brand_and_is_told_so() {
    let (product, p, _) = owned().await;
    let anna = json!({ "invitation": invitation(&product, &p, &p.deal).await });
    let browser = Browser::default();
    browser.sign_in(&product, anna).await;
    let again = json!({ "name": "Anna B", "handle": "anna.b", "email": "Anna@creator.example" });
    let (_, token) = creator(&product, &p, again).await;
    let refused = browser.post(&product, "/v1/sign-in", json!({ "invitation": token })).await;
    assert_eq!(refused.expect(409)["type"], "/problems/creator-exists");
    // Where the brand knows no address, only who has shown that it is hers is told.
    let (_, token) = creator(&product, &p, json!({ "name": "C", "handle": "c" })).await;
    let body = json!({ "invitation": token, "email": "anna@creator.example" });
    let (other, link) = begun(&product, body).await;
    let before = product.db.checksum();
    let refused = other.post(&product, "/v1/sign-in/link", link).await.expect(409);
    assert_eq!(refused["type"], "/problems/creator-exists");
    assert_eq!(product.db.checksum(), before);
}

#[tokio::test]
async fn an_invitation_withdrawn_at_that_moment_makes_nobody_a_person() {
    let (product, p, _) = owned().await;
    let invite = json!({ "email": "mia@casa.example", "role": "viewer" });
    p.post(&product, "/v1/members", invite).await.expect(201);
    let body = json!({ "invitation": invited(&product, "mia@casa.example") });
    let (browser, link) = begun(&product, body).await;
    product.db.before("UPDATE members", "DELETE FROM members WHERE person_id IS NULL");
    let tables = ["people", "sessions", "audit"].map(|table| count(&product, table));
    let late = browser.post(&product, "/v1/sign-in/link", link).await.expect(400);
    assert_eq!(late["type"], "/problems/sign-in-failed");
    assert_eq!(["people", "sessions", "audit"].map(|table| count(&product, table)), tables);
}

#[tokio::test]
async fn any_session_can_be_ended_however_many_there_were() {
    let (product, _, owner) = owned().await;
    for n in 0..250 {
        let (hash, id) = (format!("{n:064}"), format!("session_7zzzzzzzzzzzzzzzzzzzzzz{n:03}"));
        let row = format!(
            "INSERT INTO sessions (secret_hash, id, person_id, device, created_at_ms, last_seen_at_ms, factors)
             SELECT '{hash}', '{id}', id, 'd', 0, 0, 1 FROM people"
        );
        product.db.execute(&row).unwrap();
    }
    let listed = owner.browser.get(&product, "/v1/sessions").await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!(listed["data"][0]["current"], true);
    let other = Browser::default();
    let session = other.sign_in(&product, json!({ "email": OWNER })).await;
    let path = format!("/v1/sessions/{}", session["session"]["id"].as_str().unwrap());
    assert_eq!(owner.browser.delete(&product, &path).await.status, 204);
    assert_eq!(other.get(&product, "/v1/session").await.status, 401);
    assert_eq!(owner.browser.delete(&product, "/v1/session").await.status, 204);
}

#[tokio::test]
async fn a_session_that_ended_stays_so_when_its_person_is_a_member_no_more() {
    let (product, p, owner) = owned().await;
    let invite = json!({ "email": "mia@casa.example", "role": "viewer" });
    p.post(&product, "/v1/members", invite).await.expect(201);
    let mia = Member::joins(&product, "mia@casa.example", 2).await;
    for _ in 0..2 {
        product.pass(20 * MINUTE_MS);
        owner.browser.get(&product, "/v1/brand").await.expect(200);
    }
    // It is still in use.
    let other = Browser::default();
    other.sign_in(&product, json!({ "email": "mia@casa.example" })).await;
    owner.browser.show(&product, &owner.key).await;
    let path = format!("/v1/members/{}", mia.id);
    assert_eq!(owner.browser.delete(&product, &path).await.status, 204);
    assert_eq!(mia.browser.get(&product, "/v1/session").await.status, 401, "it had idled");
    assert_eq!(other.get(&product, "/v1/session").await.status, 200);
    assert_eq!(owner.browser.get(&product, "/v1/brand").await.status, 200);
}

#[tokio::test]
async fn a_first_passkey_is_the_first() {
    let product = Product::new();
    Programme::new(&product).await;
    let browser = Browser::default();
    let token = invited(&product, OWNER);
    browser.sign_in(&product, json!({ "invitation": token })).await;
    let mut body = Authenticator::new(1).create(&browser.challenge(&product).await);
    body["name"] = json!("Thief's");
    let meanwhile = "INSERT INTO passkeys SELECT id, 'k', 'Hers', 'c', '', 0, 0, NULL FROM people";
    product.db.before("INSERT INTO passkeys", meanwhile);
    let refused = browser.post(&product, "/v1/passkeys", body).await.expect(401);
    assert_eq!(refused["type"], "/problems/passkey-refused");
    assert_eq!(count(&product, "passkeys"), 1);
    assert_eq!(count(&product, "recovery_codes"), 0);
}

/// Two authenticators answer one challenge at once, then one answers two challenges.
#[tokio::test]
async fn one_passkey_is_added_by_a_challenge_and_once() {
    let product = Product::new();
    Programme::new(&product).await;
    let browser = Browser::default();
    let token = invited(&product, OWNER);
    browser.sign_in(&product, json!({ "invitation": token })).await;
    let answer = |key: &Authenticator, challenge: &str| {
        let mut body = key.create(challenge);
        body["name"] = json!("Phone");
        body
    };
    let add =
        async |from: &Browser, body: Value| from.post(&product, "/v1/passkeys", body).await.status;
    let challenge = browser.challenge(&product).await;
    let twin = Browser { cookies: browser.cookies.clone(), ..Browser::default() };
    let keys = [1, 2].map(Authenticator::new);
    let [one, two] = keys.each_ref().map(|key| answer(key, &challenge));
    let (one, two) = tokio::join!(add(&browser, one), add(&twin, two));
    assert_eq!([one.min(two), one.max(two)], [201, 401]);
    assert_eq!([count(&product, "passkeys"), count(&product, "recovery_codes")], [1, 10]);
    assert_eq!(count(&product, "audit WHERE action = 'passkey.add'"), 2, "her brand's and her own");
    // The same passkey in two sessions, each with its own challenge.
    let held = if one == 201 { (browser, &keys[0]) } else { (twin, &keys[1]) };
    let other = Browser::default();
    other.sign_in(&product, json!({ "email": OWNER })).await;
    other.show(&product, held.1).await;
    let key = Authenticator::new(7);
    let one = answer(&key, &held.0.challenge(&product).await);
    let two = answer(&key, &other.challenge(&product).await);
    let (one, two) = tokio::join!(add(&held.0, one), add(&other, two));
    assert_eq!([one.min(two), one.max(two)], [201, 409]);
    assert_eq!(count(&product, "passkeys"), 2);
    assert_eq!(count(&product, "audit WHERE action = 'passkey.add'"), 4);
}

/// A brand that withdraws an invitation while it is taken up: whichever is first.
#[tokio::test]
async fn an_invitation_of_a_creator_that_is_withdrawn_meanwhile_connects_nobody() {
    let (product, p, _) = owned().await;
    let (id, token) = creator(&product, &p, json!({ "name": "Zoe", "handle": "zoe" })).await;
    for email in ["zoe@zoe.example", OWNER] {
        let (browser, link) = begun(&product, json!({ "invitation": token, "email": email })).await;
        product.db.execute("CREATE TEMP TABLE kept AS SELECT * FROM invitations").unwrap();
        product.db.before("UPDATE creators SET person_id", "DELETE FROM invitations");
        let before = ["people", "audit"].map(|table| count(&product, table));
        let late = browser.post(&product, "/v1/sign-in/link", link).await.expect(400);
        assert_eq!(late["type"], "/problems/sign-in-failed");
        assert_eq!(["people", "audit"].map(|table| count(&product, table)), before, "{email}");
        let held = format!("creators WHERE id = '{id}' AND person_id IS NOT NULL");
        assert_eq!(count(&product, &held), 0, "{email}");
        product.db.execute("INSERT INTO invitations SELECT * FROM kept").unwrap();
        product.db.execute("DROP TABLE kept").unwrap();
    }
}

#[tokio::test]
async fn a_passkey_is_a_point_and_its_flags_make_sense() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let product = Product::new();
    Programme::new(&product).await;
    let browser = Browser::default();
    let token = invited(&product, OWNER);
    browser.sign_in(&product, json!({ "invitation": token })).await;
    let mut key = Authenticator::new(1);
    // Backed up, but never to be.
    key.flags = 5 | 0x10;
    let mut body = key.create(&browser.challenge(&product).await);
    body["name"] = json!("Phone");
    assert_eq!(browser.post(&product, "/v1/passkeys", body).await.status, 401);
    key.flags = 5 | 0x18;
    let challenge = browser.challenge(&product).await;
    let mut body = key.create(&challenge);
    body["name"] = json!("Phone");
    let good = body.clone();
    let mut data = URL_SAFE_NO_PAD.decode(body["authenticator_data"].as_str().unwrap()).unwrap();
    *data.last_mut().unwrap() ^= 1;
    body["authenticator_data"] = json!(URL_SAFE_NO_PAD.encode(data));
    let refused = browser.post(&product, "/v1/passkeys", body).await.expect(401);
    assert_eq!(refused["type"], "/problems/passkey-refused");
    browser.post(&product, "/v1/passkeys", good).await.expect(201);
}
