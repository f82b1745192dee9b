//! What an answer of the Admin API, or of the token endpoint, says.

use serde_json::Value;

use super::throttle::Budget;
use crate::app::WebAnswer;
use crate::domain::time::Millis;
use crate::partners::at;
use crate::partners::trouble::{Trouble, retry_at_ms};

/// Why there is no token when the shop removed the app, or never installed it.
pub const NOT_INSTALLED: &str = "the app isn't installed in the shop";
const FROZEN: &str = "the shop is frozen or locked";

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// The data that was asked for.
    Data(Value),
    /// It surely wasn't done; wait a moment, or until then.
    Slower(Option<Millis>),
    /// The token isn't good (any more).
    Unauthorized,
    /// It won't work: what is missing, in words.
    Refused(String),
    /// Nothing works at this shop until somebody changes something.
    Locked(String),
    /// Shopify has troubles of its own, until then if it says so; what was asked for may have been
    /// done.
    Broken(String, Option<Millis>),
}

impl Told {
    /// Shopify has troubles of its own, and doesn't say for how long.
    #[must_use]
    pub fn broken(words: &str) -> Self {
        Self::Broken(words.to_owned(), None)
    }
}

/// An answer, read.
pub struct Answer;

impl Answer {
    /// What the answer to an operation says; `budget` learns what is left.
    #[must_use]
    pub fn read(answer: &WebAnswer, budget: &mut Budget, now_ms: Millis) -> Told {
        match answer.status {
            200 => {}
            401 => return Told::Unauthorized,
            429 | 430 => return Told::Slower(retry_at_ms(&answer.retry_after, now_ms)),
            402 | 423 => return Told::Locked(FROZEN.to_owned()),
            403 => return Told::Locked("Shopify forbids everything at this shop".to_owned()),
            404 => return Told::Locked("there is no such shop".to_owned()),
            status => {
                let until_ms = retry_at_ms(&answer.retry_after, now_ms);
                return Told::Broken(format!("Shopify answered {status}"), until_ms);
            }
        }
        let Some(mut json) = serde_json::from_str::<Value>(&answer.body).ok() else {
            return Told::broken("Shopify's answer is no JSON");
        };
        budget.learn(at(&json, "/extensions/cost"), now_ms);
        if let Some(errors) = at(&json, "/errors").as_array().filter(|errors| !errors.is_empty()) {
            return errors_of(errors);
        }
        match json.get_mut("data").map(Value::take) {
            Some(data) if data.is_object() => Told::Data(data),
            _ => Told::broken("Shopify's answer has no data"),
        }
    }
}

fn errors_of(errors: &[Value]) -> Told {
    let code =
        |error: &Value| at(error, "/extensions/code").as_str().unwrap_or_default().to_owned();
    let codes: Vec<String> = errors.iter().map(code).collect();
    if codes.iter().any(|code| code == "THROTTLED") {
        return Told::Slower(None);
    }
    if codes.iter().any(|code| code == "INTERNAL_SERVER_ERROR" || code == "TIMEOUT") {
        return Told::broken("Shopify had an error of its own");
    }
    if let Some(denied) = codes.iter().position(|code| code == "ACCESS_DENIED") {
        let needed = errors.get(denied).and_then(|e| at(e, "/extensions/requiredAccess").as_str());
        let needed = needed.map(|text| format!(" ({})", plain(text))).unwrap_or_default();
        return Told::Refused(format!("the app lacks a scope for it{needed}"));
    }
    let message =
        errors.iter().find_map(|error| at(error, "/message").as_str()).unwrap_or("no reason");
    Told::Refused(format!("Shopify refused it: {}", plain(message)))
}

/// Words of Shopify's, short and in one line: they are shown to the brand.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// What a mutation complains about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError {
    /// Where, such as `basicCodeDiscount.code`.
    pub field: String,
    /// In Shopify's words.
    pub message: String,
    /// `TAKEN`; '' if there is none.
    pub code: String,
}

/// The `userErrors` of an operation's field.
#[must_use]
pub fn user_errors(data: &Value, field: &str) -> Vec<UserError> {
    let errors = at(data, &["/", field, "/userErrors"].concat())
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let text = |value: &Value| plain(value.as_str().unwrap_or_default());
    let path = |value: &Value| {
        let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
        parts.iter().map(text).collect::<Vec<_>>().join(".")
    };
    let read = |error: &Value| UserError {
        field: path(at(error, "/field")),
        message: text(at(error, "/message")),
        code: text(at(error, "/code")),
    };
    errors.iter().take(50).map(read).collect()
}

/// A token as the token endpoint tells it. It has secrets in it: no `Debug`.
pub struct Token {
    /// What opens the Admin API.
    pub access: String,
    /// For how many seconds; for ever without.
    pub expires_in_s: Option<i64>,
    /// What renews it.
    pub refresh: Option<String>,
    /// For how many seconds that is good.
    pub refresh_expires_in_s: Option<i64>,
    /// Scopes, between spaces.
    pub scopes: String,
}

/// Reads the answer of `POST /admin/oauth/access_token`.
///
/// # Errors
/// Why there is no token.
pub fn token(answer: &WebAnswer, now_ms: Millis) -> Result<Token, Trouble> {
    let json = serde_json::from_str::<Value>(&answer.body).unwrap_or_default();
    match answer.status {
        200 => {}
        429 | 430 => {
            let until_ms = retry_at_ms(&answer.retry_after, now_ms);
            return Err(Trouble::Later(until_ms, "Shopify asks for patience".to_owned()));
        }
        status @ 500.. => {
            let until_ms = retry_at_ms(&answer.retry_after, now_ms);
            return Err(Trouble::Later(until_ms, format!("Shopify answered {status}")));
        }
        404 => return Err(Trouble::Disconnected("there is no such shop".to_owned())),
        402 | 423 => return Err(Trouble::Disconnected(FROZEN.to_owned())),
        _ => return Err(Trouble::Disconnected(why_no_token(&json, &answer.body).to_owned())),
    }
    let seconds = |name: &str| json.get(name)?.as_i64().filter(|s| (1..=40_000_000).contains(s));
    let text =
        |name: &str| json.get(name)?.as_str().filter(|text| fits_header(text)).map(str::to_owned);
    let Some(access) = text("access_token") else {
        return Err(Trouble::Later(None, "Shopify's answer has no token".to_owned()));
    };
    let scopes = at(&json, "/scope").as_str().unwrap_or_default();
    Ok(Token {
        access,
        expires_in_s: seconds("expires_in"),
        refresh: text("refresh_token"),
        refresh_expires_in_s: seconds("refresh_token_expires_in"),
        scopes: scopes.split([',', ' ']).filter(|s| is_scope(s)).collect::<Vec<_>>().join(" "),
    })
}

/// A token travels in a header.
fn fits_header(text: &str) -> bool {
    (1..=2000).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_scope(text: &str) -> bool {
    (1..=80).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// In the brand's words; the names are Shopify's, who tells them in JSON or on a page for people
/// (`Oauth error invalid_client: …`).
fn why_no_token(json: &Value, body: &str) -> &'static str {
    let on_page = || body.split_once("Oauth error ").map(|(_, rest)| rest);
    let told = at(json, "/error").as_str().or_else(on_page).unwrap_or_default();
    let name = told.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap_or_default();
    match name {
        "invalid_client" | "application_cannot_be_found" => {
            "Shopify doesn't know this client id with this client secret"
        }
        "shop_not_permitted" => {
            "the app belongs to another organisation than the shop, or isn't installed in it"
        }
        "app_not_installed" => NOT_INSTALLED,
        "invalid_grant" | "invalid_request" => {
            "Shopify doesn't take this authorization any more: connect the shop again"
        }
        _ => "Shopify refuses these credentials",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> WebAnswer {
        WebAnswer { status, retry_after: "2".to_owned(), body: body.to_owned() }
    }

    fn told(status: u16, body: &str) -> Told {
        Answer::read(&answer(status, body), &mut Budget::default(), 0)
    }

    #[test]
    fn answers_say_what_to_do() {
        assert_eq!(told(200, r#"{"data":{"a":1}}"#), Told::Data(serde_json::json!({ "a": 1 })));
        assert_eq!(told(429, ""), Told::Slower(Some(3_000)));
        let throttled =
            r#"{"data":null,"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}"#;
        assert_eq!(told(200, throttled), Told::Slower(None));
        assert_eq!(told(401, "{}"), Told::Unauthorized);
        let denied = r#"{"errors":[{"message":"x","extensions":{"code":"ACCESS_DENIED","requiredAccess":"`write_discounts`"}}]}"#;
        let Told::Refused(words) = told(200, denied) else { panic!() };
        assert!(words.contains("write_discounts"), "{words}");
        for broken in ["", "<html>", "{\"data\":", "{}", "[]", r#"{"data":7}"#, r#"{"data":null}"#]
        {
            assert!(matches!(told(200, broken), Told::Broken(..)), "{broken}");
        }
        assert_eq!(told(503, ""), Told::Broken("Shopify answered 503".to_owned(), Some(3_000)));
        for locked in [402, 403, 404, 423] {
            assert!(matches!(told(locked, ""), Told::Locked(_)), "{locked}");
        }
    }

    #[test]
    fn a_token_is_taken_only_if_it_can_be_used() {
        let good = r#"{"access_token":"shpat_x","scope":"read_orders,write_discounts","expires_in":86399}"#;
        let Ok(read) = token(&answer(200, good), 0) else { panic!() };
        assert_eq!((read.access.as_str(), read.expires_in_s), ("shpat_x", Some(86_399)));
        assert_eq!(read.scopes, "read_orders write_discounts");
        for (status, body) in [
            (200, "{}"),
            (200, r#"{"access_token":"a\nb"}"#),
            (200, r#"{"access_token":7}"#),
            (500, ""),
        ] {
            let told = token(&answer(status, body), 0).err();
            assert!(matches!(told, Some(Trouble::Later(..))), "{status} {body}");
        }
        let refused = token(&answer(400, r#"{"error":"invalid_client"}"#), 0).err().unwrap();
        assert!(matches!(&refused, Trouble::Disconnected(words) if words.contains("client id")));
        let page = "<html><title>400</title><body>Oauth error app_not_installed: it isn't</body>";
        let refused = token(&answer(400, page), 0).err().unwrap();
        assert_eq!(refused, Trouble::Disconnected(NOT_INSTALLED.to_owned()));
        assert!(matches!(token(&answer(402, ""), 0), Err(Trouble::Disconnected(_))));
    }

    #[test]
    fn complaints_are_read() {
        let data = serde_json::json!({ "m": { "userErrors": [
            { "field": ["d", "code"], "message": "is\ntaken", "code": "TAKEN" }, 7, {}] } });
        let errors = user_errors(&data, "m");
        assert_eq!(errors.len(), 3);
        assert_eq!(errors[0].field, "d.code");
        assert_eq!((errors[0].message.as_str(), errors[0].code.as_str()), ("is taken", "TAKEN"));
        assert!(user_errors(&data, "other").is_empty());
    }
}
