//! What comes in and goes out: requests and answers, whole, as plain data.
//!
//! The API's bodies are small, so that nothing streams; and a table of header names isn't worth
//! its code for the three headers that are read and the handful that are written.

use std::borrow::Cow;

use http::StatusCode;

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
    /// All of it.
    pub body: &'a [u8],
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
}

/// An answer.
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Names in small letters, each once.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// All of it.
    pub body: Cow<'static, str>,
    /// What really happened behind a 500: for the log, never for the answer.
    pub internal: Option<String>,
}

impl Response {
    /// An answer with a body of this type.
    #[must_use]
    pub fn new(status: StatusCode, content_type: &'static str, body: Cow<'static, str>) -> Self {
        let headers = vec![("content-type", Cow::Borrowed(content_type))];
        Self { status, headers, body, internal: None }
    }

    /// An answer in JSON.
    #[must_use]
    pub fn json(status: StatusCode, body: String) -> Self {
        Self::new(status, "application/json", body.into())
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_ref())
    }

    /// Sets a header that isn't there yet; one that is stays.
    pub fn set(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        if self.header(name).is_none() {
            self.headers.push((name, value.into()));
        }
    }
}
