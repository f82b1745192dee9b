//! What handlers take out of requests: who is calling, the body, the query, ids in the path.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::app::App;
use crate::domain::auth::{TokenKind, api_key_in_query};
use crate::domain::ids::{BrandId, CreatorId, Id, Kind};
use crate::domain::secret::{same_secret, token_hash};
use crate::domain::time::{Day, Millis, Zone, parse_rfc3339};
use crate::error::{Error, FieldError, Result};
use crate::storage::{Page, access};
use crate::web::MAX_API_BODY;

/// The operator of the deployment.
pub struct Operator;

/// Someone with a key of this brand.
pub struct Caller {
    /// Whose key.
    pub brand: BrandId,
}

/// A creator with her token.
pub struct Me {
    /// Of which brand.
    pub brand: BrandId,
    /// Who.
    pub creator: CreatorId,
}

fn bearer(parts: &Parts) -> Result<&str> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Error::Unauthenticated);
    };
    let text = value.to_str().map_err(|_| Error::Unauthenticated)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Error::Unauthenticated),
    }
}

/// An API key in an address is in somebody's logs by now: it is refused and revoked.
async fn refuse_keys_in_query(parts: &Parts, app: &App) -> Result<()> {
    let Some(key) = parts.uri.query().and_then(api_key_in_query) else { return Ok(()) };
    app.db().run(vec![access::revoke_key(&token_hash(&key), app.now_ms())]).await?;
    Err(Error::Malformed("an API key must never stand in an address; it was revoked".to_owned()))
}

impl FromRequestParts<App> for Operator {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        refuse_keys_in_query(parts, app).await?;
        let token = bearer(parts)?;
        let expected = &app.config.operator_token;
        if !expected.is_empty() && same_secret(token, expected) {
            return Ok(Self);
        }
        match TokenKind::of(token) {
            Some(TokenKind::ApiKey) => {
                Caller::from_request_parts(parts, app).await?;
                Err(Error::Forbidden("only the operator may do this"))
            }
            _ => Err(Error::Unauthenticated),
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        refuse_keys_in_query(parts, app).await?;
        let token = bearer(parts)?;
        match TokenKind::of(token) {
            Some(TokenKind::ApiKey) => {
                let brand = access::brand_of_key(app.db(), &token_hash(token)).await?;
                Ok(Self { brand: brand.ok_or(Error::Unauthenticated)? })
            }
            Some(TokenKind::CreatorToken) => {
                Me::from_request_parts(parts, app).await?;
                Err(Error::Forbidden("this is for the brand"))
            }
            _ => Err(Error::Unauthenticated),
        }
    }
}

impl FromRequestParts<App> for Me {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        refuse_keys_in_query(parts, app).await?;
        let token = bearer(parts)?;
        match TokenKind::of(token) {
            Some(TokenKind::CreatorToken) => {
                let row = access::token(app.db(), &token_hash(token)).await?;
                row.filter(|row| row.expires_at_ms > app.now_ms())
                    .map(|row| Self { brand: row.brand_id, creator: row.creator_id })
                    .ok_or(Error::Unauthenticated)
            }
            Some(TokenKind::ApiKey) => {
                let brand = access::brand_of_key(app.db(), &token_hash(token)).await?;
                brand.ok_or(Error::Unauthenticated)?;
                Err(Error::Forbidden("this is for creators"))
            }
            _ => Err(Error::Unauthenticated),
        }
    }
}

/// An id in the path. What isn't one names nothing: 404.
pub struct PathId<K: Kind>(pub Id<K>);

impl<K: Kind> FromRequestParts<App> for PathId<K> {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        let Path(text) = path.map_err(|_| Error::NotFound)?;
        text.parse().map(Self).map_err(|_| Error::NotFound)
    }
}

/// A JSON body. Unknown fields, wrong types and missing fields are 422 with the field's path;
/// what is no JSON at all, or says a field twice, is 400.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Error;
    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let is_json = request.headers().get(CONTENT_TYPE).is_some_and(|value| {
            let text = value.to_str().unwrap_or_default();
            let essence = text.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
        });
        if !is_json {
            return Err(Error::UnsupportedMediaType);
        }
        let bytes = Bytes::from_request(request, app).await.map_err(|_| Error::TooLarge)?;
        parse_body(&bytes).map(Self)
    }
}

/// Reads a body as [`Body`] does.
///
/// # Errors
/// 400, 413 or 422.
pub fn parse_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if bytes.len() > MAX_API_BODY {
        return Err(Error::TooLarge);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let malformed = |e: serde_json::Error| {
        let text = e.to_string();
        // JSON by its grammar, but no number that anything could hold.
        if text.contains("number out of range") {
            return Error::invalid("", text);
        }
        Error::Malformed(format!("the body is no JSON: {text}"))
    };
    let value = Strict.deserialize(&mut reader).map_err(malformed)?;
    reader.end().map_err(malformed)?;
    if !value.is_object() {
        return Err(Error::Malformed("the body must be a JSON object".to_owned()));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner().to_string();
        // serde names a missing or unknown field in its text only.
        let named = reason.split('`').nth(1).filter(|_| reason.contains("field `"));
        let field = match (path.as_str(), named) {
            ("." | "", Some(name)) => name.to_owned(),
            (path, Some(name)) if path.rsplit('.').next() == Some(name) => path.to_owned(),
            (path, Some(name)) => format!("{path}.{name}"),
            (path, None) => path.to_owned(),
        };
        Error::invalid(field, reason)
    })
}

/// Reads any JSON value but refuses objects that say a key twice.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Self)?;
            if object.insert(key.clone(), value).is_some() {
                return Err(serde::de::Error::custom(format!("`{key}` stands there twice")));
            }
        }
        Ok(Value::Object(object))
    }
}

/// For fields that may be left alone (absent), cleared (`null`) or set.
///
/// # Errors
/// As the field's own type.
pub fn clearable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// For fields that may be absent but not `null`.
///
/// # Errors
/// As the field's own type.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The query string as pairs; an unknown parameter is refused like an unknown field.
pub struct Params(Vec<(String, String)>);

impl FromRequestParts<App> for Params {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let decode = crate::domain::link::percent_decode;
        let pairs = parts.uri.query().unwrap_or_default().split('&').filter(|p| !p.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Ok(Self(pairs.map(|(name, value)| (decode(name), decode(value))).collect()))
    }
}

impl Params {
    /// Refuses parameters that aren't among these, and any that stands there twice.
    ///
    /// # Errors
    /// 422.
    pub fn only(self, names: &[&str]) -> Result<Self> {
        for (position, (name, _)) in self.0.iter().enumerate() {
            if !names.contains(&name.as_str()) {
                return Err(Error::invalid(name, "is no parameter of this list"));
            }
            if self.0.iter().take(position).any(|(other, _)| other == name) {
                return Err(Error::invalid(name, "stands there twice"));
            }
        }
        Ok(self)
    }

    /// A parameter's text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that must be an id of its kind.
    ///
    /// # Errors
    /// 422.
    pub fn id<K: Kind>(&self, name: &str) -> Result<Option<Id<K>>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|e| Error::invalid(name, e))
    }

    /// `limit` and `cursor`.
    ///
    /// # Errors
    /// 422.
    pub fn page(&self) -> Result<Page> {
        let limit = match self.get("limit") {
            None => 50,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=200).contains(limit))
                .ok_or_else(|| Error::invalid("limit", "must be 1 to 200"))?,
        };
        let after = match self.get("cursor") {
            None => String::new(),
            Some(cursor) => decode_cursor(cursor)
                .ok_or_else(|| Error::invalid("cursor", "is none that this list gave"))?,
        };
        Ok(Page { limit, after })
    }

    /// `from` and `to`: brand days (`to` included) or RFC 3339 times (`to` excluded). Absent ends
    /// are open.
    ///
    /// # Errors
    /// 422.
    pub fn period(&self, zone: &Zone) -> Result<(Millis, Millis)> {
        let read = |name: &str, days: i64| match self.get(name) {
            None => Ok(None),
            Some(text) => Day::from_iso(text)
                .map(|day| zone.start_of(day.plus(days)))
                .or_else(|| parse_rfc3339(text))
                .map(Some)
                .ok_or_else(|| Error::invalid(name, "must be a date such as 2026-11-22")),
        };
        let from = read("from", 0)?.unwrap_or(0).clamp(0, MAX_TIME_MS);
        let to = read("to", 1)?.unwrap_or(MAX_TIME_MS).clamp(0, MAX_TIME_MS);
        if from >= to {
            return Err(Error::invalid("from", "must not be after `to`"));
        }
        Ok((from, to))
    }
}

/// The year 2200: later than any order.
const MAX_TIME_MS: Millis = 7_258_118_400_000;

/// A page's cursor: the last row's key, opaque to clients.
#[must_use]
pub fn encode_cursor(key: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key)
}

fn decode_cursor(cursor: &str) -> Option<String> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let key = String::from_utf8(bytes).ok()?;
    let plausible = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '-');
    (!key.is_empty() && key.len() <= 120 && key.chars().all(plausible)).then_some(key)
}

/// Collects what is wrong with a body's fields, so that all of it is told at once.
#[derive(Default)]
pub struct Checks(Vec<FieldError>);

impl Checks {
    /// The value of a field, or a note of what is wrong with it.
    pub fn field<T, E: ToString>(&mut self, field: &str, value: Result<T, E>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(reason) => {
                self.0.push(FieldError { field: field.to_owned(), reason: reason.to_string() });
                None
            }
        }
    }

    /// A line of text: trimmed, not empty, not too long, no control characters.
    pub fn text(&mut self, field: &str, text: &str, max: usize) -> Option<String> {
        let text = text.trim();
        let value = if text.is_empty() {
            Err("must not be empty".to_owned())
        } else if text.chars().count() > max {
            Err(format!("must have at most {max} characters"))
        } else if text.chars().any(char::is_control) {
            Err("must not contain control characters".to_owned())
        } else {
            Ok(text.to_owned())
        };
        self.field(field, value)
    }

    /// Notes that something is wrong.
    pub fn refuse(&mut self, field: &str, reason: &str) {
        self.0.push(FieldError { field: field.to_owned(), reason: reason.to_owned() });
    }

    /// # Errors
    /// 422 if anything was noted.
    pub fn done(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }
}

/// The value that [`Checks::done`] has made sure of.
///
/// # Errors
/// 500 if it hasn't: a fault of ours.
pub fn checked<T>(value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::Internal("a field passed its checks without a value".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
        #[serde(default, deserialize_with = "clearable")]
        note: Option<Option<String>>,
    }

    fn status(body: &str) -> (u16, String) {
        match parse_body::<Sample>(body.as_bytes()) {
            Ok(_) => (200, String::new()),
            Err(Error::Malformed(_)) => (400, String::new()),
            Err(Error::Invalid(errors)) => (422, errors[0].field.clone()),
            Err(_) => (0, String::new()),
        }
    }

    #[test]
    fn bodies_are_read_strictly() {
        assert_eq!(status(r#"{"name":"a","note":null}"#), (200, String::new()));
        for bad in
            ["", "{", "[]", "1", r#"{"name":"a"} x"#, r#"{"name":"a","name":"b"}"#, "\u{feff}{}"]
        {
            assert_eq!(status(bad).0, 400, "{bad}");
        }
        assert_eq!(status(&format!("{}{}", "[".repeat(1000), "]".repeat(1000))).0, 400);
        assert_eq!(status(r#"{"name":1}"#), (422, "name".into()));
        assert_eq!(status(r#"{"name":null}"#), (422, "name".into()));
        assert_eq!(status("{}"), (422, "name".into()));
        assert_eq!(status(r#"{"name":"a","brand_id":"x"}"#), (422, "brand_id".into()));
        let cleared: Sample = parse_body(br#"{"name":"a","note":null}"#).unwrap();
        assert_eq!(cleared.note, Some(None));
        let absent: Sample = parse_body(br#"{"name":"a"}"#).unwrap();
        assert_eq!((absent.name.as_str(), absent.note), ("a", None));
    }

    #[test]
    fn cursors_are_ours_or_refused() {
        assert_eq!(decode_cursor(&encode_cursor("1/order_1")).as_deref(), Some("1/order_1"));
        for bad in ["", "!", "JyBPUiAxPTE", &"A".repeat(400)] {
            assert_eq!(decode_cursor(bad), None, "{bad}");
        }
    }
}
