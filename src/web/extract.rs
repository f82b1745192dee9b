//! What handlers take out of requests besides who calls: the body, the query, ids in the path.

use http::StatusCode;

use crate::domain::ids::{Id, Kind};
use crate::domain::link::percent_decode;
use crate::domain::time::{Day, Millis, Zone, parse_rfc3339};
use crate::error::{Error, FieldError, Result};
use crate::storage::Page;
use crate::web::body::{FromJson, parse_body};
pub use crate::web::caller::{Browser, Caller, Me, Operator, RequestId, Seat, SignedIn, may};
use crate::web::handler::{Call, Extract, etag};
use crate::web::message::Request;
pub use crate::web::noting::{Acting, By, note, note_of_member};

/// An id in the path. What isn't one names nothing: 404.
pub struct PathId<K: Kind>(pub Id<K>);

impl<K: Kind> Extract for PathId<K> {
    fn extract(call: &Call<'_>) -> Result<Self> {
        percent_decode(call.id).parse().map(Self).map_err(|_| Error::NotFound.into())
    }
}

/// The second id in the path: pages name their brand first.
pub struct ItemId<K: Kind>(pub Id<K>);

impl<K: Kind> Extract for ItemId<K> {
    fn extract(call: &Call<'_>) -> Result<Self> {
        call.second.parse().map(Self).map_err(|_| Error::NotFound.into())
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

/// A body that changes something, perhaps only if it still is as the caller saw it.
pub struct Changing<T> {
    /// What to change.
    pub body: T,
    if_match: Option<String>,
}

impl<T: FromJson> Extract for Changing<T> {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let Body(body) = Body::extract(call)?;
        Ok(Self { body, if_match: call.request.header("if-match").map(str::to_owned) })
    }
}

impl<T> Changing<T> {
    /// A change of what is there, whatever that is by now.
    #[must_use]
    pub fn anyway(body: T) -> Self {
        Self { body, if_match: None }
    }

    /// A change of what a page showed, by the [`etag`] that its form carries: one that carries none fits nothing.
    #[must_use]
    pub fn seen(body: T, tag: &str) -> Self {
        Self { body, if_match: Some(tag.to_owned()) }
    }

    /// Whether the caller says what she saw.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        self.if_match.is_some()
    }

    /// That what the API shows is what the caller saw, if she says what that was.
    ///
    /// # Errors
    /// 412.
    pub fn fits(&self, shown: &str) -> Result<()> {
        let Some(told) = &self.if_match else { return Ok(()) };
        let tag = etag(shown);
        let fits = told.split(',').any(|one| matches!(one.trim(), "*") || one.trim() == tag);
        fits.then_some(()).ok_or(Error::denied(
            StatusCode::PRECONDITION_FAILED,
            "stale",
            "it was changed since it was read; nothing was done",
        ))
    }
}

fn is_json(request: &Request<'_>) -> Result<()> {
    let told = request.header("content-type").unwrap_or_default();
    let essence = told.split(';').next().unwrap_or_default().trim();
    let json = essence.eq_ignore_ascii_case("application/json");
    json.then_some(()).ok_or_else(|| Error::UnsupportedMediaType.into())
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
    /// These, for a page that asks what the API would be asked.
    #[must_use]
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let given = pairs.iter().filter(|(_, value)| !value.is_empty());
        Self(given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

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

    /// `limit`: 50 where it is absent.
    ///
    /// # Errors
    /// 422.
    pub fn limit(&self) -> Result<i64> {
        match self.get("limit") {
            None => Ok(50),
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=200).contains(limit))
                .ok_or_else(|| Error::invalid("limit", "must be 1 to 200")),
        }
    }

    /// `limit` and `cursor`.
    ///
    /// # Errors
    /// 422.
    pub fn page(&self) -> Result<Page> {
        let limit = self.limit()?;
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
        period(zone, self.get("from"), self.get("to"))
    }
}

/// A period by its ends as texts: see [`Params::period`].
///
/// # Errors
/// 422.
pub fn period(zone: &Zone, from: Option<&str>, to: Option<&str>) -> Result<(Millis, Millis)> {
    let read = |name: &str, text: Option<&str>, days: i64| match text {
        None => Ok(None),
        Some(text) => Day::from_iso(text)
            .map(|day| zone.start_of(day.plus(days)))
            .or_else(|| parse_rfc3339(text))
            .map(Some)
            .ok_or_else(|| Error::invalid(name, "must be a date such as 2026-11-22")),
    };
    let from = read("from", from, 0)?.unwrap_or(0).clamp(0, MAX_TIME_MS);
    let to = read("to", to, 1)?.unwrap_or(MAX_TIME_MS).clamp(0, MAX_TIME_MS);
    if from >= to {
        return Err(Error::invalid("from", "must not be after `to`"));
    }
    Ok((from, to))
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
    (!key.is_empty() && key.len() <= 400 && key.chars().all(plausible)).then_some(key)
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
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0).into()) }
    }
}

/// The value that [`Checks::done`] has made sure of.
///
/// # Errors
/// 500 if it hasn't: a fault of ours.
pub fn checked<T>(value: Option<T>) -> Result<T> {
    let fault = || Error::Internal("a field passed its checks without a value".to_owned());
    Ok(value.ok_or_else(fault)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_ours_or_refused() {
        assert_eq!(decode_cursor(&encode_cursor("1/order_1")).as_deref(), Some("1/order_1"));
        for bad in ["", "!", "JyBPUiAxPTE", &"A".repeat(600), &encode_cursor(&"1".repeat(401))] {
            assert_eq!(decode_cursor(bad), None, "{bad}");
        }
    }
}
