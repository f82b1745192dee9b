//! PayPal's Payouts API: what it is asked, and what its answers mean.
//!
//! One batch per payment. PayPal tells repetitions by a batch's `sender_batch_id` alone, for 30 days,
//! and refuses a batch whole if one of its items is unfit; so that a batch of one can't be half done.
//! Nothing of an answer is kept but names in capitals (`[A-Z0-9_]`) and ids: the rest repeats who is paid.

use serde_json::Value;

use crate::domain::json::{Fields, Items, json};
use crate::domain::money::{Currency, Money};
use crate::domain::sending::Told;

/// Currencies that PayPal pays out in.
const CURRENCIES: &str =
    "AUD BRL CAD CHF CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD";
/// Those of them that it counts in whole units although ISO 4217 has two decimals.
const WHOLE: &str = "HUF TWD";

/// An amount as PayPal writes it; `None` if it doesn't pay such amounts.
#[must_use]
pub fn amount(money: Money) -> Option<String> {
    let code = money.currency.code();
    let text = money.to_decimal();
    if !CURRENCIES.contains(code) {
        return None;
    }
    if WHOLE.contains(code) { text.strip_suffix(".00").map(str::to_owned) } else { Some(text) }
}

/// The body that asks for a payment.
#[must_use]
pub fn batch(reference: &str, receiver: &str, amount: &str, currency: Currency) -> String {
    let code = currency.code();
    let header = Fields(&[("sender_batch_id", &reference)]);
    let amount = Fields(&[("value", &amount), ("currency", &code)]);
    let item = Fields(&[
        ("recipient_type", &"EMAIL"),
        ("receiver", &receiver),
        ("sender_item_id", &reference),
        ("amount", &amount),
    ]);
    json!({ "sender_batch_header": header, "items": Items(&[&item]) })
}

/// The token in an answer to a sign-in.
#[must_use]
pub fn token(body: &Value) -> Option<&str> {
    body.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty())
}

/// What may be shown and kept of an answer: a name in capitals.
#[must_use]
pub fn name(body: &Value) -> String {
    let told = body.get("name").and_then(Value::as_str).unwrap_or_default();
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    // What has anything else in it is no name: not even a part of it is kept.
    let named = told.len() <= 60 && told.bytes().all(plain);
    if named { told.to_owned() } else { String::new() }
}

/// What an answer to a request for a payment means.
#[must_use]
pub fn paid(status: u16, body: &Value) -> Told {
    let why = format!("{status} {}", name(body)).trim_end().to_owned();
    match status {
        200..=299 => match body.pointer("/batch_header/payout_batch_id").and_then(Value::as_str) {
            Some(id) if is_id(id) => Told::Taken(id.to_owned()),
            _ => Told::Nothing(why),
        },
        // It has a batch of this name: the answer names it, if it does as documented.
        400..=499 if is_repetition(body) => match linked(body) {
            Some(id) => Told::Taken(id),
            None => Told::Nothing(why),
        },
        400 if name(body) == "VALIDATION_ERROR" => Told::Refused(why),
        // What may have been done and is only not told.
        408 | 409 => Told::Nothing(why),
        // No token, no rights, no funds, too many at once: nothing was begun.
        400..=499 => Told::Later(why),
        _ => Told::Nothing(why),
    }
}

/// Whether a refusal says that the batch is known already.
fn is_repetition(body: &Value) -> bool {
    let details = body.get("details").and_then(Value::as_array);
    let told = |detail: &Value, key: &str| {
        detail.get(key).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase()
    };
    let of_batch = |detail: &Value| {
        told(detail, "field").contains("sender_batch_id")
            && (told(detail, "issue").contains("duplicate")
                || told(detail, "issue").contains("already"))
    };
    name(body).contains("DUPLICATE") || details.is_some_and(|all| all.iter().any(of_batch))
}

/// The batch that a refusal links to: of a detail, under `link`, with an empty `links` beside the details;
/// its documentation has `links` in both places.
fn linked(body: &Value) -> Option<String> {
    let list =
        |of: &'static str| move |in_it: &'_ Value| in_it.get(of).and_then(Value::as_array).cloned();
    let details = list("details")(body).unwrap_or_default();
    let places = std::iter::once(body).chain(&details);
    let mut all =
        places.flat_map(|place| ["link", "links"].map(|key| list(key)(place))).flatten().flatten();
    all.find_map(|link| {
        let (_, id) = link.get("href")?.as_str()?.split_once("/v1/payments/payouts/")?;
        let id = id.split(['?', '/']).next()?;
        is_id(id).then(|| id.to_owned())
    })
}

/// PayPal's ids go into addresses: letters and digits.
fn is_id(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// What an answer about a batch means for its one payment.
#[must_use]
pub fn asked(status: u16, body: &Value, reference: &str) -> Told {
    let text = |path: &str| body.pointer(path).and_then(Value::as_str).unwrap_or_default();
    if status != 200 {
        return Told::Nothing(format!("{status} {}", name(body)).trim_end().to_owned());
    }
    if text("/batch_header/sender_batch_header/sender_batch_id") != reference {
        return Told::Nothing("the answer is about another batch".to_owned());
    }
    let batch = text("/batch_header/batch_status");
    match (batch, text("/items/0/transaction_status")) {
        (_, "SUCCESS") => Told::Arrived,
        // RETURNED: nobody claimed it. REFUNDED and REVERSED: it was there, and went back.
        (_, status @ ("FAILED" | "RETURNED" | "REFUNDED" | "REVERSED")) => {
            Told::Back(status.to_owned())
        }
        ("DENIED" | "CANCELED", _) => Told::Back(batch.to_owned()),
        // PENDING, UNCLAIMED, ONHOLD, BLOCKED, and what isn't known here: not over yet.
        (_, status) => {
            let told = if status.is_empty() { batch } else { status };
            Told::UnderWay(told.chars().filter(|c| c.is_ascii_uppercase()).take(36).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> Told {
        paid(status, &body.parse().unwrap())
    }

    #[test]
    fn amounts_are_those_that_paypal_pays() {
        let written = |minor, code: &str| amount(Money::new(minor, code.parse().unwrap()));
        for (minor, code, expected) in [
            (1350, "USD", Some("13.50")),
            (1000, "JPY", Some("1000")),
            (120_000, "HUF", Some("1200")),
            (120_050, "HUF", None),
            (1234, "KWD", None),
        ] {
            assert_eq!(written(minor, code).as_deref(), expected, "{code}");
        }
        let body = batch("line_1", "a\"@b.example", "1.00", "USD".parse().unwrap());
        let body: Value = body.parse().unwrap();
        assert_eq!(body["items"][0]["receiver"], "a\"@b.example");
        assert_eq!(body["sender_batch_header"]["sender_batch_id"], "line_1");
        assert_eq!(body["items"].as_array().unwrap().len(), 1);
        assert_eq!(body["items"][0]["amount"]["value"], "1.00");
    }

    #[test]
    fn answers_to_payments_are_told_apart() {
        let created =
            r#"{"batch_header":{"payout_batch_id":"5UXD2E8A7EBQJ","batch_status":"PENDING"}}"#;
        assert_eq!(told(201, created), Told::Taken("5UXD2E8A7EBQJ".into()));
        // As PayPal's sandbox answers.
        let again = r#"{"name":"USER_BUSINESS_ERROR","message":"User business error.","debug_id":"1",
            "details":[{"field":"SENDER_BATCH_ID","location":"body",
            "issue":"Batch with given sender_batch_id already exists",
            "link":[{"href":"https://api.sandbox.paypal.com/v1/payments/payouts/Q6K2CE4GQ36MQ",
            "rel":"self","method":"GET"}]}],"links":[]}"#;
        assert_eq!(told(400, again), Told::Taken("Q6K2CE4GQ36MQ".into()));
        // As it is documented, in the detail and beside it.
        let list = r#"[{"href":"https://api.paypal.com/v1/payments/payouts/5UXD2E8A7EBQJ?x=1"}]"#;
        for (within, beside) in [(list, "[]"), ("[]", list)] {
            let again = format!(
                r#"{{"name":"USER_BUSINESS_ERROR","details":[{{"field":"SENDER_BATCH_ID",
                "issue":"Duplicate","links":{within}}}],"links":{beside}}}"#
            );
            assert_eq!(told(400, &again), Told::Taken("5UXD2E8A7EBQJ".into()));
        }
        let elsewhere = again.replace("/payments/payouts/Q6K2CE4GQ36MQ", "/payments/payouts/../x");
        assert_eq!(told(400, &elsewhere), Told::Nothing("400 USER_BUSINESS_ERROR".into()));
        let unnamed = r#"{"name":"USER_BUSINESS_ERROR","details":[{"field":"SENDER_BATCH_ID","issue":"Duplicate batch request"}]}"#;
        assert_eq!(told(400, unnamed), Told::Nothing("400 USER_BUSINESS_ERROR".into()));
        for (status, body, expected) in [
            (
                400,
                r#"{"name":"VALIDATION_ERROR","details":[{"field":"items[0].receiver","issue":"Receiver is invalid"}]}"#,
                Told::Refused("400 VALIDATION_ERROR".into()),
            ),
            (401, r#"{"error":"invalid_token"}"#, Told::Later("401".into())),
            (
                403,
                r#"{"name":"AUTHORIZATION_ERROR"}"#,
                Told::Later("403 AUTHORIZATION_ERROR".into()),
            ),
            (422, r#"{"name":"INSUFFICIENT_FUNDS"}"#, Told::Later("422 INSUFFICIENT_FUNDS".into())),
            (429, "null", Told::Later("429".into())),
            (408, "null", Told::Nothing("408".into())),
            (500, r#"{"name":"INTERNAL_ERROR"}"#, Told::Nothing("500 INTERNAL_ERROR".into())),
            (302, "null", Told::Nothing("302".into())),
            (201, "null", Told::Nothing("201".into())),
            (201, r#"{"batch_header":{"payout_batch_id":"../x"}}"#, Told::Nothing("201".into())),
            (400, r#"{"name":"anna@pay.example {}"}"#, Told::Later("400".into())),
            (400, r#"{"name":"NO_SUCH_RECEIVER anna@pay.example"}"#, Told::Later("400".into())),
        ] {
            assert_eq!(told(status, body), expected, "{status} {body}");
        }
        assert_eq!(token(&r#"{"access_token":"A"}"#.parse().unwrap()), Some("A"));
        assert_eq!(token(&r#"{"access_token":""}"#.parse().unwrap()), None);
    }

    #[test]
    fn answers_about_payments_are_told_apart() {
        let about = |batch: &str, item: &str| {
            let items = if item.is_empty() { Vec::new() } else { vec![item] };
            let items: Vec<Value> =
                items.iter().map(|s| serde_json::json!({ "transaction_status": s })).collect();
            serde_json::json!({ "batch_header": { "batch_status": batch,
                "sender_batch_header": { "sender_batch_id": "line_1" } }, "items": items })
        };
        for (batch, item, expected) in [
            ("SUCCESS", "SUCCESS", Told::Arrived),
            ("PROCESSING", "SUCCESS", Told::Arrived),
            ("SUCCESS", "FAILED", Told::Back("FAILED".into())),
            ("SUCCESS", "RETURNED", Told::Back("RETURNED".into())),
            ("SUCCESS", "REFUNDED", Told::Back("REFUNDED".into())),
            ("SUCCESS", "REVERSED", Told::Back("REVERSED".into())),
            ("DENIED", "", Told::Back("DENIED".into())),
            ("DENIED", "PENDING", Told::Back("DENIED".into())),
            ("SUCCESS", "UNCLAIMED", Told::UnderWay("UNCLAIMED".into())),
            ("SUCCESS", "ONHOLD", Told::UnderWay("ONHOLD".into())),
            ("SUCCESS", "BLOCKED", Told::UnderWay("BLOCKED".into())),
            ("PENDING", "", Told::UnderWay("PENDING".into())),
            ("SUCCESS", "", Told::UnderWay("SUCCESS".into())),
        ] {
            assert_eq!(asked(200, &about(batch, item), "line_1"), expected, "{batch} {item}");
        }
        let other = asked(200, &about("SUCCESS", "SUCCESS"), "line_2");
        assert!(matches!(other, Told::Nothing(_)), "another's answer settles nothing");
        assert!(matches!(asked(404, &Value::Null, "line_1"), Told::Nothing(_)));
    }
}
