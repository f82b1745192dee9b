//! What handlers take out of requests: who is calling, the body, the query, ids in the path.

use std::marker::PhantomData;

use crate::app::{App, Pending};
use crate::domain::auth::{Actor, Scope, Scopes, TokenKind, api_key_in_query};
use crate::domain::ids::{BrandId, CreatorId, Id, KeyId, Kind};
use crate::domain::link::percent_decode;
use crate::domain::secret::{same_secret, token_hash};
use crate::domain::time::{Day, Millis, Zone, parse_rfc3339};
use crate::error::{Error, FieldError, Result};
use crate::storage::{Page, Statement, access, audit};
use crate::web::body::{FromJson, parse_body};
use crate::web::handler::{Call, Extract};
use crate::web::message::Request;

/// A key's use is noted at most this often.
const NOTE_USE_AFTER_MS: Millis = 3_600_000;

/// Whose token a request brings.
#[derive(Clone, Copy)]
pub enum Identity {
    /// None that is known.
    Nobody,
    /// The operator's.
    Operator,
    /// A key of this brand, and what it may do.
    Key(BrandId, KeyId, Scopes),
    /// A token of this brand's creator.
    Creator(BrandId, CreatorId),
}

/// Finds out who calls.
///
/// # Errors
/// 400 for an API key in the address, which is in somebody's logs by now: it is revoked. 503 if D1
/// is away.
pub fn identify<'a>(app: &'a App, request: &'a Request<'a>) -> Pending<'a, Result<Identity>> {
    Box::pin(async move {
        if let Some(key) = api_key_in_query(request.query()) {
            let (hash, now_ms) = (token_hash(&key), app.now_ms());
            let note = audit::note_leak(&hash, app.new_id(), request.id, now_ms);
            app.db().run(vec![note, access::revoke_key(&hash, now_ms)]).await?;
            let why = "an API key must never stand in an address; it was revoked";
            return Err(Error::Malformed(why.to_owned()));
        }
        let Some(token) = bearer(request) else { return Ok(Identity::Nobody) };
        let expected = &app.config.operator_token;
        if !expected.is_empty() && same_secret(token, expected) {
            return Ok(Identity::Operator);
        }
        let known = match TokenKind::of(token) {
            Some(TokenKind::ApiKey) => key(app, &token_hash(token)).await?,
            Some(TokenKind::CreatorToken) => {
                let row = access::token(app.db(), &token_hash(token)).await?;
                row.filter(|row| row.expires_at_ms > app.now_ms())
                    .map(|row| Identity::Creator(row.brand_id, row.creator_id))
            }
            _ => None,
        };
        Ok(known.unwrap_or(Identity::Nobody))
    })
}

/// The brand's key with this hash, unless it was revoked or has expired.
async fn key(app: &App, hash: &str) -> Result<Option<Identity>> {
    let now_ms = app.now_ms();
    let found = access::key(app.db(), hash).await?;
    let Some(key) = found.filter(|key| key.expires_at_ms.is_none_or(|end| end > now_ms)) else {
        return Ok(None);
    };
    if key.last_used_at_ms.is_none_or(|last| now_ms - last >= NOTE_USE_AFTER_MS) {
        // A note that fails is made with the next use.
        let _ = app.db().run(vec![access::use_key(key.brand_id, hash, now_ms)]).await;
    }
    Ok(Some(Identity::Key(key.brand_id, key.id, Scopes::from_text(&key.scopes))))
}

fn bearer<'a>(request: &Request<'a>) -> Option<&'a str> {
    let (scheme, token) = request.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The operator of the deployment.
pub struct Operator;

impl Extract for Operator {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        match call.identity {
            Identity::Operator => Ok(Self),
            Identity::Key(..) => Err(Error::Forbidden("only the operator may do this")),
            _ => Err(Error::Unauthenticated),
        }
    }
}

/// Scopes as types, for [`Caller`].
pub mod may {
    use super::Scope;

    /// A scope that a handler asks for.
    pub trait May {
        /// Which.
        const SCOPE: Scope;
    }
    macro_rules! scopes {
        ($($(#[$doc:meta])* $name:ident;)*) => {$(
            $(#[$doc])*
            pub enum $name {}
            impl May for $name {
                const SCOPE: Scope = Scope::$name;
            }
        )*};
    }
    scopes! {
        /// May look.
        Read;
        /// May change deals and what belongs to them.
        Deals;
        /// May move money.
        Money;
        /// May change settings, stores and keys.
        Admin;
    }
}

/// Someone who acts for this brand and may do what `S` says.
pub struct Caller<S = may::Read> {
    /// Whose key.
    pub brand: BrandId,
    /// Who, for the audit trail.
    pub actor: Actor,
    /// All that the caller may do.
    pub scopes: Scopes,
    request_id: String,
    scope: PhantomData<S>,
}

impl<S: may::May> Extract for Caller<S> {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        let (brand, actor, scopes) = brands_caller(call, S::SCOPE)?;
        let request_id = call.request.id.to_owned();
        Ok(Self { brand, actor, scopes, request_id, scope: PhantomData })
    }
}

fn brands_caller(call: &Call<'_>, scope: Scope) -> Result<(BrandId, Actor, Scopes)> {
    match call.identity {
        Identity::Key(brand, key, scopes) if scopes.has(scope) => {
            Ok((brand, Actor::Key(key), scopes))
        }
        Identity::Key(..) => Err(Error::Forbidden(match scope {
            Scope::Read => "this key has no scope `read`",
            Scope::Deals => "this key has no scope `deals`",
            Scope::Money => "this key has no scope `money`",
            Scope::Admin => "this key has no scope `admin`",
        })),
        Identity::Creator(..) => Err(Error::Forbidden("this is for the brand")),
        _ => Err(Error::Unauthenticated),
    }
}

impl<S> Caller<S> {
    /// Notes what the caller does, for the batch that does it. `before` and `after` are JSON: what
    /// the API shows of the subject, or what was changed of it; never a secret.
    #[must_use]
    pub fn note(
        &self,
        app: &App,
        action: &'static str,
        subject: impl ToString,
        before: Option<String>,
        after: Option<String>,
    ) -> Statement {
        let by = By { actor: self.actor, request_id: &self.request_id };
        note(app, self.brand, &by, action, &subject.to_string(), before, after)
    }

    /// The same where `before` and `after` tell something personal of a creator: it goes with her.
    #[must_use]
    pub fn note_of_creator(
        &self,
        app: &App,
        creator: CreatorId,
        (action, subject): (&'static str, &str),
        before: Option<String>,
        after: Option<String>,
    ) -> [Statement; 2] {
        let (id, actor, request_id) = (app.new_id(), self.actor, self.request_id.as_str());
        let done = audit::Done { id, actor, action, subject, request_id, before, after };
        audit::note_of_creator(self.brand, done, creator, app.now_ms())
    }
}

/// Who does something, by which request.
pub struct By<'a> {
    /// Who.
    pub actor: Actor,
    /// By which request.
    pub request_id: &'a str,
}

/// Notes what somebody does to a brand: see [`Caller::note`].
#[must_use]
pub fn note(
    app: &App,
    brand: BrandId,
    by: &By<'_>,
    action: &'static str,
    subject: &str,
    before: Option<String>,
    after: Option<String>,
) -> Statement {
    let done = audit::Done {
        id: app.new_id(),
        actor: by.actor,
        action,
        subject,
        request_id: by.request_id,
        before,
        after,
    };
    audit::note(brand, &done, app.now_ms())
}

/// The id of the request, for what is noted without a [`Caller`].
pub struct RequestId(pub String);

impl Extract for RequestId {
    fn extract(call: &Call<'_>) -> Result<Self> {
        Ok(Self(call.request.id.to_owned()))
    }
}

/// A creator with her token.
pub struct Me {
    /// Of which brand.
    pub brand: BrandId,
    /// Who.
    pub creator: CreatorId,
}

impl Extract for Me {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        match call.identity {
            Identity::Creator(brand, creator) => Ok(Self { brand, creator }),
            Identity::Key(..) => Err(Error::Forbidden("this is for creators")),
            _ => Err(Error::Unauthenticated),
        }
    }
}

/// An id in the path. What isn't one names nothing: 404.
pub struct PathId<K: Kind>(pub Id<K>);

impl<K: Kind> Extract for PathId<K> {
    fn extract(call: &Call<'_>) -> Result<Self> {
        percent_decode(call.id).parse().map(Self).map_err(|_| Error::NotFound)
    }
}

/// A JSON body, declared with [`body!`](crate::web::body::body).
pub struct Body<T>(pub T);

impl<T: FromJson> Extract for Body<T> {
    fn extract(call: &Call<'_>) -> Result<Self> {
        is_json(call.request)?;
        parse_body(call.request.body).map(Self)
    }
}

fn is_json(request: &Request<'_>) -> Result<()> {
    let told = request.header("content-type").unwrap_or_default();
    let essence = told.split(';').next().unwrap_or_default().trim();
    let json = essence.eq_ignore_ascii_case("application/json");
    json.then_some(()).ok_or(Error::UnsupportedMediaType)
}

/// The query string as pairs; an unknown parameter is refused like an unknown field.
pub struct Params(Vec<(String, String)>);

impl Extract for Params {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let pairs = call.request.query().split('&').filter(|p| !p.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Ok(Self(pairs.map(|(n, value)| (percent_decode(n), percent_decode(value))).collect()))
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

    #[test]
    fn cursors_are_ours_or_refused() {
        assert_eq!(decode_cursor(&encode_cursor("1/order_1")).as_deref(), Some("1/order_1"));
        for bad in ["", "!", "JyBPUiAxPTE", &"A".repeat(400)] {
            assert_eq!(decode_cursor(bad), None, "{bad}");
        }
    }
}
