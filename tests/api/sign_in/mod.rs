//! People: signing in, second factors, sessions, members, what each may do.

mod members;

use serde_json::{Value, json};

use crate::support::people::{Authenticator, Browser, Member, ORIGIN, invited, mailed};
use crate::support::{NOW_MS, OPERATOR, Product, Programme};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const OWNER: &str = "owner@casa.example";

/// What [`what_people_do_is_attributable`] tries, and what begins something without changing it.
pub const PEOPLES_COMMANDS: [&str; 17] = [
    "post /v1/sign-in",
    "post /v1/passkeys/challenge",
    "post /v1/sign-in/link",
    "post /v1/sign-in/code",
    "delete /v1/session",
    "post /v1/session/passkey",
    "post /v1/session/recovery",
    "delete /v1/sessions/{id}",
    "post /v1/passkeys",
    "delete /v1/passkeys/{id}",
    "post /v1/recovery-codes",
    "post /v1/members",
    "patch /v1/members/{id}",
    "delete /v1/members/{id}",
    "post /v1/brands/{id}/owners",
    "post /v1/people/reset",
    "post /v1/people/erasure",
];

async fn owned() -> (Product, Programme, Member) {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let owner = Member::joins(&product, OWNER, 1).await;
    (product, p, owner)
}

#[tokio::test]
async fn an_owner_takes_up_her_invitation_and_needs_a_passkey() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let browser = Browser::default();
    let token = invited(&product, OWNER);
    assert!(token.starts_with("tbm_"));
    let session = browser.sign_in(&product, json!({ "invitation": token })).await;
    assert_eq!(session["person"]["email"], OWNER);
    assert_eq!(session["brands"][0]["id"], p.brand["id"]);
    assert_eq!(session["brands"][0]["role"], "owner");
    assert_eq!(session["session"]["second_factor"], "enroll");
    let refused = browser.get(&product, "/v1/brand").await.expect(403);
    assert_eq!(refused["type"], "/problems/second-factor");
    for path in ["/v1/sessions", "/v1/passkeys", "/v1/me/earnings"] {
        assert_eq!(browser.get(&product, path).await.status, 403, "{path}");
    }
    let before = browser.cookies.borrow()["__Host-sid"].clone();
    let key = Authenticator::new(1);
    let added = browser.enroll(&product, &key).await;
    assert_eq!(added["recovery_codes"].as_array().unwrap().len(), 10);
    assert_ne!(browser.cookies.borrow()["__Host-sid"], before, "a new secret with each factor");
    let session = browser.get(&product, "/v1/session").await.expect(200);
    assert_eq!(session["session"]["second_factor"], "done");
    assert_eq!(browser.get(&product, "/v1/brand").await.expect(200)["id"], p.brand["id"]);

    // The invitation is spent, and the brand sees who joined.
    let again = Browser::default();
    let begun = again.post(&product, "/v1/sign-in", json!({ "invitation": token })).await;
    assert_eq!(begun.status, 404);
    let members = p.get(&product, "/v1/members").await;
    assert_eq!(members["data"][0]["state"], "active");
    assert!(members["data"][0]["expires_at"].is_null());
    assert_eq!(product.mailer.last()["to"], OWNER, "told of the new passkey");
}

#[tokio::test]
async fn nobody_learns_whether_an_address_is_known() {
    let (product, _, _) = owned().await;
    let sent = product.mailer.count();
    let ask = async |email: &str| {
        let browser = Browser::default();
        let answer = browser.post(&product, "/v1/sign-in", json!({ "email": email })).await;
        let names: Vec<String> = answer.headers.keys().map(|n| n.as_str().to_owned()).collect();
        (answer.status, answer.text, names)
    };
    let known = ask(" Owner@CASA.example ").await;
    assert_eq!(product.mailer.count(), sent + 1);
    let unknown = ask("nobody@casa.example").await;
    assert_eq!(product.mailer.count(), sent + 1, "a mail goes only to whom it concerns");
    assert_eq!(known, unknown);
    assert_eq!(known.0, 202);
    let rows = product.db.rows("SELECT recipient FROM mails WHERE recipient LIKE 'nobody%'");
    assert!(rows.is_empty());
    // The mailed code is compared for unknown ones too, and is as wrong.
    let browser = Browser::default();
    browser.post(&product, "/v1/sign-in", json!({ "email": "nobody@casa.example" })).await;
    let guess = browser.post(&product, "/v1/sign-in/code", json!({ "code": "12345678" })).await;
    assert_eq!(guess.expect(400)["type"], "/problems/sign-in-failed");
}

#[tokio::test]
async fn links_are_for_the_browser_that_began_and_codes_for_any_device() {
    let (product, _, owner) = owned().await;
    let (laptop, phone) = (Browser::default(), Browser::default());
    laptop.post(&product, "/v1/sign-in", json!({ "email": OWNER })).await.expect(202);
    let (token, code) = mailed(&product);
    let link = json!({ "token": token });
    for method in ["GET", "HEAD"] {
        for _ in 0..10 {
            let path = "/v1/sign-in/link";
            assert_eq!(phone.send(&product, method, path, None).await.status, 405);
        }
    }
    let refused = phone.post(&product, "/v1/sign-in/link", link.clone()).await.expect(400);
    assert_eq!(refused["type"], "/problems/other-browser");
    // On the laptop the code does it, with its spaces; then the link is spent too.
    let typed = format!("{} {}", &code[..4], &code[4..]);
    let session = laptop.post(&product, "/v1/sign-in/code", json!({ "code": typed })).await;
    assert_eq!(session.expect(200)["session"]["second_factor"], "required");
    laptop.show(&product, &owner.key).await;
    assert_eq!(laptop.get(&product, "/v1/brand").await.status, 200);
    let again = laptop.post(&product, "/v1/sign-in/link", link).await.expect(400);
    assert_eq!(again["type"], "/problems/sign-in-failed");

    // Altered, of another purpose, expired: never told apart.
    laptop.post(&product, "/v1/sign-in", json!({ "email": OWNER })).await.expect(202);
    let (token, _) = mailed(&product);
    let altered = format!("{}A", &token[..token.len() - 1]);
    for bad in [altered.as_str(), &token.replace("tbs_", "tbi_"), "", "x", "tbs_"] {
        let before = product.db.checksum();
        let answer = laptop.post(&product, "/v1/sign-in/link", json!({ "token": bad })).await;
        assert_eq!(answer.expect(400)["type"], "/problems/sign-in-failed", "{bad}");
        assert_eq!(product.db.checksum(), before);
    }
    product.pass(10 * MINUTE_MS);
    let late = laptop.post(&product, "/v1/sign-in/link", json!({ "token": token })).await;
    assert_eq!(late.expect(400)["type"], "/problems/sign-in-failed");
}

#[tokio::test]
async fn five_codes_are_compared_and_no_more() {
    let (product, _, _) = owned().await;
    let browser = Browser::default();
    browser.post(&product, "/v1/sign-in", json!({ "email": OWNER })).await.expect(202);
    let (_, code) = mailed(&product);
    for _ in 0..5 {
        let wrong = browser.post(&product, "/v1/sign-in/code", json!({ "code": "0000000x" })).await;
        assert_eq!(wrong.status, 400);
    }
    let right = browser.post(&product, "/v1/sign-in/code", json!({ "code": code })).await;
    assert_eq!(right.status, 429, "even the right one");
    assert!(right.headers.contains_key("retry-after"));
    // Another sign-in has its own five; ten for one address in an hour.
    for round in 0..9 {
        let begun = browser.post(&product, "/v1/sign-in", json!({ "email": OWNER })).await;
        assert_eq!(begun.status, if round < 8 { 202 } else { 429 }, "{round}");
    }
    product.pass(HOUR_MS);
    browser.sign_in(&product, json!({ "email": OWNER })).await;
}

#[tokio::test]
async fn other_sites_cannot_ask_for_anything() {
    let (product, _, owner) = owned().await;
    let foreign: [&[(&str, &str)]; 6] = [
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example")],
        &[("sec-fetch-site", "cross-site"), ("origin", ORIGIN)],
    ];
    for headers in foreign {
        for (method, path, body) in [
            ("POST", "/v1/sign-in", Some(json!({ "email": OWNER }))),
            ("POST", "/v1/creators", Some(json!({ "name": "X", "handle": "x" }))),
            ("DELETE", "/v1/session", None),
            ("POST", "/v1/passkeys/challenge", None),
        ] {
            let before = product.db.checksum();
            let answer = owner.browser.send_with(&product, method, path, body, headers).await;
            let told = answer.expect(403);
            assert_eq!(told["type"], "/problems/cross-site", "{method} {path} {headers:?}");
            assert_eq!(product.db.checksum(), before);
        }
    }
    for headers in [
        [("sec-fetch-site", "same-origin"), ("x", "")],
        [("sec-fetch-site", "none"), ("origin", ORIGIN)],
        [("origin", ORIGIN), ("x", "")],
    ] {
        let body = Some(json!({ "name": "X", "handle": "x" }));
        let answer =
            owner.browser.send_with(&product, "POST", "/v1/creators", body, &headers).await;
        assert_eq!(answer.status, 201, "{headers:?}");
    }
    // A form can't send JSON.
    let cookie = format!("__Host-sid={}", owner.browser.cookies.borrow()["__Host-sid"]);
    let form = http::Request::builder().method("POST").uri("/v1/creators");
    let form = form.header("cookie", cookie).header("sec-fetch-site", "same-origin");
    let form = form.header("tributary-brand", owner.browser.brand.borrow().clone().unwrap());
    let form = form.header("content-type", "text/plain");
    let body = br#"{"name":"X","handle":"x"}"#.to_vec();
    assert_eq!(product.raw(form.body(body).unwrap()).await.status, 415);
}

#[tokio::test]
async fn bad_cookies_open_nothing_and_are_cleared() {
    let (product, _, owner) = owned().await;
    let good = owner.browser.cookies.borrow()["__Host-sid"].clone();
    let fixed = "A".repeat(43);
    for cookies in [
        format!("__Host-sid={fixed}"),
        format!("__Host-sid={}", &good[..42]),
        format!("__Host-sid={good}; __Host-sid={good}"),
        "__Host-sid=".to_owned(),
    ] {
        let request = http::Request::builder().uri("/v1/brand").header("cookie", &cookies);
        let answer = product.raw(request.body(Vec::new()).unwrap()).await;
        assert_eq!(answer.status, 401, "{cookies}");
        let set = answer.headers["set-cookie"].to_str().unwrap();
        assert!(set.starts_with("__Host-sid=;") && set.ends_with("Max-Age=0"), "{set}");
    }
    // A stolen one is nothing after signing out.
    let thief = Browser::default();
    thief.cookies.borrow_mut().insert("__Host-sid".to_owned(), good);
    assert_eq!(thief.get(&product, "/v1/brand").await.status, 200);
    assert_eq!(owner.browser.delete(&product, "/v1/session").await.status, 204);
    assert!(owner.browser.cookies.borrow().is_empty());
    assert_eq!(thief.get(&product, "/v1/brand").await.status, 401);
}

#[tokio::test]
async fn sessions_end_by_idling_by_age_and_by_hand() {
    let (product, _, owner) = owned().await;
    product.pass(29 * MINUTE_MS);
    assert_eq!(owner.browser.get(&product, "/v1/brand").await.status, 200);
    product.pass(29 * MINUTE_MS);
    assert_eq!(owner.browser.get(&product, "/v1/brand").await.status, 200, "it is in use");
    // What a page asks by itself is no use: nobody may be there any more. It signs nobody out either.
    let by_itself = async || {
        let headers = [("tributary-by-itself", "1")];
        owner.browser.send_with(&product, "GET", "/v1/brand", None, &headers).await
    };
    product.pass(20 * MINUTE_MS);
    assert_eq!(by_itself().await.status, 200);
    product.pass(10 * MINUTE_MS);
    let late = by_itself().await;
    assert!(late.status == 401 && !late.headers.contains_key("set-cookie"), "{}", late.text);
    assert_eq!(owner.browser.get(&product, "/v1/brand").await.status, 401, "it idled");
    owner.browser.sign_in(&product, json!({ "email": OWNER })).await;
    owner.browser.show(&product, &owner.key).await;
    for _ in 0..35 {
        product.pass(20 * MINUTE_MS);
        assert_eq!(owner.browser.get(&product, "/v1/brand").await.status, 200);
    }
    product.pass(20 * MINUTE_MS);
    assert_eq!(owner.browser.get(&product, "/v1/brand").await.status, 401, "twelve hours");

    let (one, other) = (Browser::default(), Browser::default());
    for browser in [&one, &other] {
        browser.sign_in(&product, json!({ "email": OWNER })).await;
        browser.show(&product, &owner.key).await;
    }
    let all = one.get(&product, "/v1/sessions").await.expect(200);
    let all = all["data"].as_array().unwrap();
    assert_eq!(all.len(), 2, "those that ended aren't listed");
    assert_eq!(all[0]["device"], "Safari, iPhone");
    let theirs = all.iter().find(|session| session["current"] == false).unwrap();
    let path = format!("/v1/sessions/{}", theirs["id"].as_str().unwrap());
    assert_eq!(one.delete(&product, &path).await.status, 204);
    assert_eq!(other.get(&product, "/v1/brand").await.status, 401);
    assert_eq!(one.get(&product, "/v1/brand").await.status, 200);
    assert_eq!(one.delete(&product, &path).await.status, 404);
    assert!(
        !product
            .db
            .rows("SELECT * FROM sessions")
            .iter()
            .any(|row| { row.to_string().contains(&one.cookies.borrow()["__Host-sid"]) })
    );
}

#[tokio::test]
async fn a_passkey_answers_its_challenge_once_and_here() {
    let (product, _, owner) = owned().await;
    let browser = Browser::default();
    browser.sign_in(&product, json!({ "email": OWNER })).await;
    let show = async |body: Value| browser.post(&product, "/v1/session/passkey", body).await;
    let mut wrong = vec![owner.key.get("another challenge")];
    let challenge = browser.challenge(&product).await;
    let mut elsewhere = Authenticator::new(1);
    elsewhere.origin = "https://evil.example".to_owned();
    wrong.push(elsewhere.get(&challenge));
    let mut party = Authenticator::new(1);
    party.rp_id = "evil.example".to_owned();
    party.count.set(50);
    wrong.push(party.get(&challenge));
    let mut absent = Authenticator::new(1);
    absent.flags = 1;
    absent.count.set(50);
    wrong.push(absent.get(&challenge));
    wrong.push(Authenticator::new(2).get(&challenge));
    let mut forged = Authenticator::new(2).get(&challenge);
    forged["credential_id"] = owner.key.get(&challenge)["credential_id"].clone();
    wrong.push(forged);
    let back = Authenticator::new(1);
    back.count.set(1);
    wrong.push(back.get(&challenge));
    for body in wrong {
        let before = product.db.checksum();
        assert_eq!(show(body).await.expect(401)["type"], "/problems/passkey-refused");
        assert_eq!(product.db.checksum(), before);
    }
    let good = owner.key.get(&challenge);
    assert_eq!(show(good.clone()).await.status, 200);
    assert_eq!(show(good).await.status, 401, "a replay");
    let challenge = browser.challenge(&product).await;
    product.pass(5 * MINUTE_MS);
    assert_eq!(show(owner.key.get(&challenge)).await.status, 401, "too late");
}

#[tokio::test]
async fn a_first_passkey_needs_a_fresh_sign_in_and_others_the_first() {
    let product = Product::new();
    Programme::new(&product).await;
    let browser = Browser::default();
    let invitation = invited(&product, OWNER);
    browser.sign_in(&product, json!({ "invitation": invitation })).await;
    product.pass(10 * MINUTE_MS);
    let mut body = Authenticator::new(1).create(&browser.challenge(&product).await);
    body["name"] = json!("Late");
    let refused = browser.post(&product, "/v1/passkeys", body).await.expect(403);
    assert_eq!(refused["type"], "/problems/sign-in-again");
    browser.sign_in(&product, json!({ "email": OWNER })).await;
    let key = Authenticator::new(1);
    browser.enroll(&product, &key).await;

    // A second one, right after; not later, unless the first is shown again.
    let second = Authenticator::new(2);
    let codes = browser.enroll(&product, &second).await["recovery_codes"].clone();
    assert!(codes.is_null(), "the codes stay");
    product.pass(10 * MINUTE_MS);
    let mut body = Authenticator::new(3).create(&browser.challenge(&product).await);
    body["name"] = json!("Third");
    let refused = browser.post(&product, "/v1/passkeys", body).await.expect(403);
    assert_eq!(refused["type"], "/problems/step-up");
    browser.show(&product, &second).await;
    let all = browser.get(&product, "/v1/passkeys").await.expect(200);
    let ids: Vec<&str> =
        all["data"].as_array().unwrap().iter().map(|k| k["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    // Known to somebody already.
    let mut body = second.create(&browser.challenge(&product).await);
    body["name"] = json!("Again");
    let known = browser.post(&product, "/v1/passkeys", body).await.expect(409);
    assert_eq!(known["type"], "/problems/passkey-known");
    assert_eq!(browser.delete(&product, &format!("/v1/passkeys/{}", ids[0])).await.status, 204);
    let last = browser.delete(&product, &format!("/v1/passkeys/{}", ids[1])).await.expect(409);
    assert_eq!(last["type"], "/problems/last-passkey");
}

#[tokio::test]
async fn a_recovery_code_stands_in_for_a_lost_passkey_once() {
    let product = Product::new();
    Programme::new(&product).await;
    let browser = Browser::default();
    let invitation = invited(&product, OWNER);
    browser.sign_in(&product, json!({ "invitation": invitation })).await;
    let codes = browser.enroll(&product, &Authenticator::new(1)).await["recovery_codes"].clone();
    let code = codes[3].as_str().unwrap().to_uppercase().replace('-', " ");
    browser.sign_in(&product, json!({ "email": OWNER })).await;
    let recover = async |code: &str| {
        browser.post(&product, "/v1/session/recovery", json!({ "code": code })).await
    };
    assert_eq!(
        recover("0000-0000-0000-0000").await.expect(401)["type"],
        "/problems/recovery-refused"
    );
    assert_eq!(recover(&code).await.expect(200)["session"]["second_factor"], "done");
    assert!(product.mailer.last()["text"].as_str().unwrap().contains("recovery code"));
    assert_eq!(recover(&code).await.status, 401, "used");
    browser.enroll(&product, &Authenticator::new(2)).await;
    // New ones end the old.
    let made = browser.post(&product, "/v1/recovery-codes", json!({})).await.expect(201);
    assert_eq!(recover(codes[4].as_str().unwrap()).await.status, 401);
    assert_eq!(recover(made["recovery_codes"][0].as_str().unwrap()).await.status, 200);
    assert_eq!(recover(made["recovery_codes"][1].as_str().unwrap()).await.status, 429, "five");
    let stored = product.db.rows("SELECT * FROM recovery_codes");
    assert_eq!(stored.len(), 10);
    let plain = made["recovery_codes"][2].as_str().unwrap().replace('-', "");
    assert!(!stored.iter().any(|row| row.to_string().contains(&plain)), "only hashes");
}

/// Each command of people leaves one row in her own trail and one in each brand's that she is a
/// member of; what she does to others, one in the brand's.
#[tokio::test]
async fn what_people_do_is_attributable() {
    let (product, p, owner) = owned().await;
    let b = &owner.browser;
    let rows = || product.db.rows("SELECT * FROM audit ORDER BY at_ms");
    let seen = std::cell::Cell::new(rows().len());
    let noted = |action: &str, places: usize| {
        product.pass(1);
        let all = rows();
        let new = &all[seen.replace(all.len())..];
        assert_eq!(new.len(), places, "{action}: {new:?}");
        for row in new {
            assert_eq!(row["action"], action);
            assert_eq!(row["actor_kind"], "member");
        }
    };
    product.pass(1);
    let other = Browser::default();
    other.post(&product, "/v1/sign-in", json!({ "email": OWNER })).await.expect(202);
    noted("session.begin", 0);
    let (_, code) = mailed(&product);
    other.post(&product, "/v1/sign-in/code", json!({ "code": code })).await.expect(200);
    noted("session.begin", 2);
    other.show(&product, &owner.key).await;
    noted("passkey.show", 2);
    let id = other.get(&product, "/v1/session").await.expect(200)["session"]["id"].clone();
    let path = format!("/v1/sessions/{}", id.as_str().unwrap());
    assert_eq!(b.delete(&product, &path).await.status, 204);
    noted("session.end", 2);
    other.sign_in(&product, json!({ "email": OWNER })).await;
    noted("session.begin", 2);
    assert_eq!(other.delete(&product, "/v1/session").await.status, 204);
    noted("session.end", 2);
    let codes = b.post(&product, "/v1/recovery-codes", json!({})).await.expect(201);
    noted("recovery.make", 2);
    let code = codes["recovery_codes"][0].clone();
    b.post(&product, "/v1/session/recovery", json!({ "code": code })).await.expect(200);
    noted("recovery.use", 2);
    let added = b.enroll(&product, &Authenticator::new(9)).await;
    noted("passkey.add", 2);
    let path = format!("/v1/passkeys/{}", added["passkey"]["id"].as_str().unwrap());
    assert_eq!(b.delete(&product, &path).await.status, 204);
    noted("passkey.remove", 2);
    let invite = json!({ "email": "x@casa.example", "role": "viewer" });
    let made = b.post(&product, "/v1/members", invite).await.expect(201);
    noted("member.invite", 1);
    let path = format!("/v1/members/{}", made["id"].as_str().unwrap());
    b.send(&product, "PATCH", &path, Some(json!({ "role": "manager" }))).await.expect(200);
    noted("member.update", 1);
    assert_eq!(b.delete(&product, &path).await.status, 204);
    noted("member.remove", 1);
    let path = format!("/v1/brands/{}/owners", p.brand["id"].as_str().unwrap());
    let body = Some(json!({ "email": "new@casa.example" }));
    product.call("POST", &path, body, OPERATOR).await.expect(201);
    let body = Some(json!({ "email": OWNER }));
    product.call("POST", "/v1/people/reset", body, OPERATOR).await.expect(204);
    let body = Some(json!({ "email": "x@casa.example" }));
    product.call("POST", "/v1/people/erasure", body, OPERATOR).await.expect(204);
    let all = rows();
    assert_eq!(all.len(), seen.get() + 4);
    assert!(all[seen.get()..].iter().all(|row| row["actor_kind"] == "operator"));
    // Nothing secret is in any of them.
    for row in all {
        for secret in ["tbm_", "tbs_", "tbi_", code.as_str().unwrap_or("-")] {
            assert!(!row.to_string().contains(secret), "{row}");
        }
    }
}
