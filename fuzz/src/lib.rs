//! What each fuzz target does with the bytes it is given: nothing may panic, overflow or be answered
//! 5xx, and what is promised of every input is checked.

#[path = "../../tests/support/mod.rs"]
mod support;

mod api;

pub use api::api;

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tributary::domain::attribution::Decision;
use tributary::domain::auth::{TokenKind, api_key_in_query};
use tributary::domain::click::{Batch, ClickKeys, RawVisit};
use tributary::domain::creator::{is_email, normal_email};
use tributary::domain::decimal::Decimal;
use tributary::domain::ids::LinkId;
use tributary::domain::letter::{Letter, is_one_address};
use tributary::domain::limit::{Window, network};
use tributary::domain::link::{Slug, Target, location, parse_origin, percent_decode};
use tributary::domain::merkle::Frontier;
use tributary::domain::money::Currency;
use tributary::domain::order::{Delivery, Facts};
use tributary::domain::passkey::{ClientData, Site, asserted, registered};
use tributary::domain::payment;
use tributary::domain::secret::Roots;
use tributary::domain::session::{SESSION_COOKIE, device, plain_recovery_code};
use tributary::domain::time::{Day, Zone, parse_rfc3339, to_rfc3339};
use tributary::partners::email_events;
use tributary::partners::shopify::{Parsed, parse, verify};
use tributary::storage::rows::{self, from_json};
use tributary::web::csv::line;
use tributary::web::message::Request;

/// 2026-11-22T08:00:00Z
const NOW_MS: i64 = 1_795_334_400_000;

/// A fault that the fuzzer must find, to show that it would find others: `npm test` asks for it.
static PLANTED: LazyLock<bool> = LazyLock::new(|| std::env::var_os("PLANTED").is_some());

/// The input as texts between null bytes, `N` of them; those that are missing are empty.
fn texts<const N: usize>(data: &[u8]) -> [String; N] {
    let mut parts = data.split(|byte| *byte == 0);
    std::array::from_fn(|_| {
        parts.next().map_or(String::new(), |part| String::from_utf8_lossy(part).into_owned())
    })
}

/// Bodies of webhooks: what is accepted survives the queue and fits into an order.
pub fn webhook(data: &[u8]) {
    let header = String::from_utf8_lossy(data.get(..44).unwrap_or_default());
    assert!(!verify(data, Some(&header), &["secret"]));
    let Ok(Parsed::Delivery(delivery)) = parse(data, NOW_MS, &str::to_owned) else { return };
    let stored = serde_json::to_string(&delivery).expect("it is written");
    assert_eq!(from_json::<Delivery>(&stored).as_ref(), Some(&delivery));
    if let Ok(facts) = Facts::default().merge(&delivery.report) {
        // The same delivery once more changes nothing.
        assert_eq!(facts.merge(&delivery.report).as_ref().ok(), Some(&facts));
    }
}

/// JSON as it is stored and queued: what is read is written alike.
pub fn kept(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(facts) = from_json::<Facts>(text) {
        let written = serde_json::to_string(&facts).expect("it is written");
        assert_eq!(from_json::<Facts>(&written), Some(facts));
    }
    if let Some(delivery) = from_json::<Delivery>(text) {
        let written = serde_json::to_string(&delivery).expect("it is written");
        assert_eq!(from_json::<Delivery>(&written).as_ref(), Some(&delivery));
        if let Ok(facts) = Facts::default().merge(&delivery.report) {
            let _ = (facts.evidence(), facts.foreign_refunds());
        }
    }
    if let Some(decision) = from_json::<Decision>(text) {
        let written = serde_json::to_string(&decision).expect("it is written");
        assert_eq!(from_json::<Decision>(&written), Some(decision));
    }
    let _ = from_json::<Frontier>(text);
    if let Some(fate) = rows::parse(text).ok().and_then(|event| email_events::read(&event)) {
        assert!(!fate.service_id.is_empty() && fate.words.chars().count() < 300);
        assert!(!fate.words.contains(char::is_control), "{}", fate.words);
    }
    if let Some(window) = Window::from_text(text) {
        assert_eq!(Window::from_text(&window.to_text()), Some(window));
    }
}

/// Click ids, slugs, targets and queries of visitors: nobody is led elsewhere.
pub fn click(data: &[u8]) {
    let [token, slug, target, query, agent] = texts(data);
    // A key that signs nothing here: the fuzzer would read what is signed out of the memory.
    assert_eq!(ClickKeys::new(&[8; 32]).verify(&token), None, "nobody signed it");
    let keys = ClickKeys::new(&[7; 32]);
    let signed = keys.sign(LinkId::from_bytes([9; 16]), NOW_MS, 1);
    let mut altered = signed.clone().into_bytes();
    for (byte, change) in altered.iter_mut().zip(data) {
        *byte ^= change;
    }
    let altered = String::from_utf8_lossy(&altered).into_owned();
    assert_eq!(keys.verify(&altered).is_some(), altered == signed);
    let _ = RawVisit::new(false, false, slug.clone(), agent).visit();
    let _ = Batch::decode(data);
    let storefront = "https://shop.casa.example";
    if let Ok(origin) = parse_origin(&target, false) {
        assert!(
            origin.starts_with("https://") && !origin[8..].contains(['/', '@', '\\']),
            "{origin}"
        );
    }
    let (Ok(slug), Ok(target)) = (Slug::parse(&slug), Target::parse(&target)) else { return };
    let to = location((storefront, ""), target.as_str(), (slug.as_str(), None), &signed, &query);
    assert!(to.bytes().all(|b| b.is_ascii_graphic()), "{to}");
    let rest = to.strip_prefix(storefront).expect("the storefront");
    assert!(rest.starts_with('/') && !rest.starts_with("//"), "{to}");
    let (_, query) = rest.split_once('?').expect("a query");
    for ours in ["ref", "click_id"] {
        let named = |pair: &&str| {
            let name = percent_decode(pair.split('=').next().unwrap_or_default());
            name.trim().eq_ignore_ascii_case(ours)
        };
        assert_eq!(query.split('&').filter(named).count(), 1, "{to}");
    }
}

/// Tokens, cookies, codes, addresses: what tells who calls.
pub fn tokens(data: &[u8]) {
    let [token, cookies, agent, address, email] = texts(data);
    assert!(!(*PLANTED && token.starts_with("tbk_")), "planted");
    if let Some(kind) = TokenKind::of(&token) {
        assert!(token.starts_with(kind.prefix()) && token.len() == 47 && token.is_ascii());
    }
    if let Some(key) = api_key_in_query(&token) {
        assert_eq!(TokenKind::of(&key), Some(TokenKind::ApiKey));
    }
    let headers = vec![("cookie", cookies.as_str()), ("authorization", token.as_str())];
    let (id, method, uri, user_agent) = ("", "GET", "/", agent.as_str());
    let request =
        Request { id, method, uri, headers, body: &[], network: "", user_agent, too_large: false };
    if let Some(secret) = request.cookie(SESSION_COOKIE) {
        assert_eq!(cookies.matches(&format!("{SESSION_COOKIE}={secret}")).count().min(1), 1);
        assert!(!secret.contains(';'));
    }
    let _ = tributary::web::caller::bearer(&request);
    assert!(device(&agent).len() < 60, "nothing else of the agent is kept");
    assert!(network(&address).len() <= address.len() + 16, "one group of four, and what ends it");
    let code = plain_recovery_code(&token);
    assert_eq!(plain_recovery_code(&code), code);
    let email = normal_email(&email);
    if is_email(&email) {
        assert_eq!(normal_email(&email), email);
        assert!(email.matches('@').count() == 1 && !email.contains(['\r', '\n', ',', ';', '<']));
    }
    assert!(!is_one_address(&email) || email.is_ascii());
}

/// Cells of CSV: read back as they were written, and never a formula; an amount below zero is none.
pub fn csv(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let mut cell = String::new();
    line(&mut cell, &[&text]);
    assert!(cell.ends_with("\r\n"));
    cell.truncate(cell.len() - 2);
    let read = match cell.strip_prefix('"') {
        Some(quoted) => {
            let inner = quoted.strip_suffix('"').expect("closed");
            assert_eq!(inner.replace("\"\"", "").matches('"').count(), 0, "{cell}");
            inner.replace("\"\"", "\"")
        }
        None => {
            assert!(!cell.contains(['"', ',', '\r', '\n']), "{cell}");
            cell.to_owned()
        }
    };
    assert!(!read.starts_with(['=', '+', '@', '\t', '\r', '\n', '\0']), "{read}");
    if let Some(rest) = read.strip_prefix('-') {
        assert!(
            rest.bytes().all(|b| b.is_ascii_digit() || b == b'.') && rest.parse::<f64>().is_ok(),
            "{read}"
        );
    }
    assert_eq!(read.strip_prefix('\'').filter(|rest| *rest == text).unwrap_or(&read), text);
}

const SITE: Site<'_> = Site { origin: "https://app.example" };

/// What browsers and authenticators answer, and signatures in DER.
pub fn passkey(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (client, flags, rest) = (part(), part(), part());
    let told = |bytes: &[u8]| ClientData {
        told: std::str::from_utf8(bytes)
            .ok()
            .and_then(|t| serde_json::from_str(t).ok())
            .unwrap_or_default(),
        bytes: bytes.to_vec(),
    };
    let encoded = URL_SAFE_NO_PAD.encode(rest);
    let raw = String::from_utf8_lossy(rest);
    for data in [encoded.as_str(), &raw] {
        let _ = registered(SITE, "c", &told(client), data);
        let _ = asserted(SITE, "c", &told(client), data, data, 0);
    }
    // From here on the browser and the party are right.
    let right = |kind: &str| {
        let told = json!({ "type": kind, "challenge": "c", "origin": SITE.origin });
        ClientData { bytes: told.to_string().into_bytes(), told }
    };
    let head = [
        &Sha256::digest("app.example")[..],
        // Backed up without being eligible for it is refused.
        &[flags.first().map_or(0x45, |f| if f & 8 == 0 { (f | 5) & !0x10 } else { f | 5 })],
        &[0, 0, 0, 1],
    ];
    let head = head.concat();
    let made = [head.as_slice(), rest].concat();
    if let Ok(new) = registered(SITE, "c", &right("webauthn.create"), &URL_SAFE_NO_PAD.encode(made))
    {
        let key = URL_SAFE_NO_PAD.decode(new.public_key).expect("base64url");
        assert_eq!(key.len(), 64);
    }
    let data = URL_SAFE_NO_PAD.encode(head);
    let ours = asserted(SITE, "c", &right("webauthn.get"), &data, &encoded, 0);
    if let Ok(theirs) = p256::ecdsa::Signature::from_der(rest) {
        let ours = ours.expect("another reader of DER accepts it");
        assert_eq!(ours.signature[..], theirs.to_bytes()[..]);
    }
}

/// Names that people chose, in mails: no header, line, tag or link of their own.
pub fn letter(data: &[u8]) {
    let [brand, campaign, role, what] = texts(data);
    let link = "https://app.example/sign-in/link#tbs_x";
    let letters = |brand, campaign, role, what| {
        [
            Letter::SignIn { link, code: "12345678", minutes: 10 },
            Letter::MemberInvitation { brand, role, link, days: 7 },
            Letter::CreatorInvitation { brand, campaign, link, days: 14 },
            Letter::Notice { what },
        ]
    };
    let ours = letters(&brand, &campaign, &role, &what);
    for (letter, plain) in ours.iter().zip(letters("x", "x", "x", "x")) {
        let (written, plain) =
            (letter.write().expect("it is written"), plain.write().expect("it is"));
        assert!(!written.subject.contains(|c: char| c.is_control()), "{:?}", written.subject);
        assert_eq!(written.text.lines().count(), plain.text.lines().count(), "{}", written.text);
        for mark in ['<', '>', '"'] {
            let count = |text: &str| text.matches(mark).count();
            assert_eq!(count(&written.html), count(&plain.html), "{}", written.html);
        }
    }
}

/// Times, days, amounts and zones as clients write them.
pub fn values(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(at) = parse_rfc3339(text) {
        assert_eq!(parse_rfc3339(&to_rfc3339(at)), Some(at), "{text}");
    }
    if let Some(day) = Day::from_iso(text) {
        assert_eq!(day.to_iso(), text);
    }
    if let Ok(amount) = text.parse::<Decimal>() {
        assert_eq!(amount.to_string().parse::<Decimal>().ok(), Some(amount), "{text}");
        let _ = (amount.rounded(2), amount.times(3), amount.part(1, 3, 2), amount.abs());
    }
    if let Ok(currency) = text.parse::<Currency>() {
        assert_eq!(currency.to_string(), text);
    }
    if let Some(zone) = Zone::named(text) {
        assert!(zone.start_of(zone.day(NOW_MS)) <= NOW_MS);
    }
    // What is accepted is its own one spelling.
    for read in [
        payment::paypal,
        payment::iban,
        payment::bic,
        payment::routing_number,
        payment::account_number,
    ] {
        if let Ok(kept) = read(text) {
            assert_eq!(read(&kept).as_ref(), Ok(&kept), "{text}");
        }
    }
    if let Some(roots) = Roots::parse(text) {
        assert!(!format!("{roots:?}").contains(text.trim()), "keys are not for printing");
    }
    let _ = serde_json::from_str::<Value>(text).map(|_| from_json::<Vec<String>>(text));
}
