//! What comes in and goes out: requests and answers, whole, as plain data.
//!
//! Bodies are small, and whole, but for exports, which are made chunk by chunk; and a table of header names isn't worth
//! its code for the few headers that are read and the handful that are written.

use std::borrow::Cow;

use http::StatusCode;

use crate::app::Pending;
use crate::error::Result;

/// A request to the API.
pub struct Request<'a> {
    /// What it is called in logs, in its answer and in the audit trail.
    pub id: &'a str,
    /// `GET`
    pub method: &'a str,
    /// Path and query.
    pub uri: &'a str,
    /// Names in small letters.
    pub headers: Vec<(&'a str, &'a str)>,
    /// All of it; nothing if it was longer than [`super::most_of`] allows.
    pub body: &'a [u8],
    /// Whether it was longer.
    pub too_large: bool,
    /// The network that it comes from, in place of the address: [`crate::domain::limit::network`].
    /// Empty where nobody says.
    pub network: &'a str,
    /// What the caller calls itself.
    pub user_agent: &'a str,
}

impl<'a> Request<'a> {
    /// The path, as it was sent.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.uri.split('?').next().unwrap_or_default()
    }

    /// The query string without `?`, as it was sent; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &'a str {
        self.uri.split_once('?').map_or("", |(_, query)| query)
    }

    /// The one header of this name. One that stands there twice is none: who wrote the second?
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut values = self.headers.iter().filter(|(n, _)| *n == name).map(|(_, value)| *value);
        values.next().filter(|_| values.next().is_none())
    }

    /// The one cookie of this name. One that stands there twice is none: a neighbour on another
    /// path or subdomain may have set the second.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        let pairs =
            self.header("cookie")?.split(';').filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(n, _)| *n == name).map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none())
    }
}

/// A body that is made while it is sent.
pub trait Chunks: Send {
    /// The next part; `None` when it is whole.
    ///
    /// # Errors
    /// It breaks off here: whoever reads it must be able to tell.
    fn next(&mut self) -> Pending<'_, Result<Option<Vec<u8>>>>;
}

/// An answer.
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Names in small letters, each once but for `set-cookie`.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// All of it.
    pub body: Vec<u8>,
    /// What follows after `body`, if there is more.
    pub stream: Option<Box<dyn Chunks>>,
    /// What really happened behind a 500: for the log, never for the answer.
    pub internal: Option<String>,
    /// What is to be done after the answer, for whoever gives it.
    pub after: Option<Pending<'static, ()>>,
}

impl Response {
    /// An answer with a body of this type.
    #[must_use]
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", Cow::Borrowed(content_type))];
        Self { status, headers, body: body.into(), stream: None, internal: None, after: None }
    }

    /// An answer in JSON.
    #[must_use]
    pub fn json(status: StatusCode, body: String) -> Self {
        Self::new(status, "application/json", body)
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            stream: None,
            internal: None,
            after: None,
        }
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_ref())
    }

    /// Sets a header that isn't there yet; one that is stays.
    pub fn set(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        if self.header(name).is_none() {
            self.push(name, value);
        }
    }

    /// Adds a header to those of its name.
    pub fn push(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        self.headers.push((name, value.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_there_twice_is_none() {
        let request = |headers: Vec<(&'static str, &'static str)>| Request {
            id: "",
            method: "GET",
            uri: "/",
            headers,
            body: b"",
            too_large: false,
            network: "",
            user_agent: "",
        };
        let one = request(vec![("cookie", "a=1; __Host-sid=x=y;b=2"), ("origin", "https://a")]);
        assert_eq!(one.cookie("__Host-sid"), Some("x=y"));
        assert_eq!((one.cookie("sid"), one.cookie("a")), (None, Some("1")));
        assert_eq!(one.header("origin"), Some("https://a"));
        let twice = request(vec![("cookie", "a=1; b=2; a=3"), ("origin", "x"), ("origin", "x")]);
        assert_eq!((twice.cookie("a"), twice.cookie("b")), (None, Some("2")));
        assert_eq!(twice.header("origin"), None);
        assert_eq!(request(vec![("cookie", "a=1"), ("cookie", "b=1")]).cookie("a"), None);
    }
}
