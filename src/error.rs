//! The one error type and the one place that renders it: RFC 9457 problem details.
//!
//! A refusal names the rule in `type` (`/problems/<name>`). Internal detail is logged once, where
//! the answer is made, and never sent.

use http::StatusCode;
use serde::Serialize;

use crate::storage::DbError;
use crate::web::message::Response;

/// A result of a way in. Errors are boxed: they are handed on at every step, and a pointer takes a
/// fraction of the code.
pub type Result<T, E = Box<Error>> = std::result::Result<T, E>;

/// Everything that can go wrong in answering a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 400: the request can't be read at all.
    #[error("{0}")]
    Malformed(String),
    /// 401.
    #[error("the request could not be authenticated")]
    Unauthenticated,
    /// 403.
    #[error("{0}")]
    Forbidden(&'static str),
    /// 400, 401 or 403 with a name: clients tell by it what to do next.
    #[error("{detail}")]
    Denied {
        /// Which of them.
        status: StatusCode,
        /// `step-up`
        rule: &'static str,
        /// For people.
        detail: &'static str,
    },
    /// 404, also for another brand's things.
    #[error("there is no such thing here")]
    NotFound,
    /// 405; the router adds `Allow`.
    #[error("this method is not allowed here")]
    MethodNotAllowed,
    /// 409: a rule says no. The name becomes the problem's type.
    #[error("{detail}")]
    Refused {
        /// `slug-taken`
        rule: &'static str,
        /// For people.
        detail: String,
    },
    /// 413.
    #[error("the body is too large")]
    TooLarge,
    /// 414.
    #[error("the address is too long")]
    UriTooLong,
    /// 415.
    #[error("the body must be application/json")]
    UnsupportedMediaType,
    /// 422: fields with what is wrong with each.
    #[error("some fields are invalid")]
    Invalid(Vec<FieldError>),
    /// 429 with `Retry-After`: try again in so many seconds.
    #[error("too many requests; try again in {0} s")]
    TooMany(u32),
    /// 503 with `Retry-After`.
    #[error("{0}")]
    Unavailable(&'static str),
    /// 500: a fault of ours.
    #[error("something went wrong here")]
    Internal(String),
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The field's path in the body, or the query parameter.
    pub field: String,
    /// What is wrong.
    pub reason: String,
}

impl FieldError {
    /// The same, said of the value that holds the field under this name (or `[index]`).
    #[must_use]
    pub fn within(mut self: Box<Self>, name: &str) -> Box<Self> {
        let joint = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        self.field = format!("{name}{joint}{}", self.field);
        self
    }
}

impl Error {
    /// One invalid field.
    pub fn invalid(field: impl Into<String>, reason: impl ToString) -> Box<Self> {
        Self::Invalid(vec![FieldError { field: field.into(), reason: reason.to_string() }]).into()
    }

    /// Something is missing that the caller can do something about.
    #[must_use]
    pub fn denied(status: StatusCode, rule: &'static str, detail: &'static str) -> Box<Self> {
        Self::Denied { status, rule, detail }.into()
    }

    /// A rule said no.
    pub fn refused(rule: &'static str, detail: impl Into<String>) -> Box<Self> {
        Self::Refused { rule, detail: detail.into() }.into()
    }

    /// The status of its answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.parts().0
    }

    fn parts(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed", "Malformed request"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "Not signed in"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::Denied { status, rule, .. } => (*status, rule, "Not allowed yet"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            Self::Refused { rule, .. } => (StatusCode::CONFLICT, rule, "Refused by a rule"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Self::UriTooLong => (StatusCode::URI_TOO_LONG, "uri-too-long", "Address too long"),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "Unsupported media type",
            ),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Invalid fields"),
            Self::TooMany(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests")
            }
            Self::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again soon")
            }
            Self::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong")
            }
        }
    }
}

impl From<DbError> for Box<Error> {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) => {
                Error::Unavailable("the database can't be reached just now").into()
            }
            // What triggers refuse, whoever writes: see `schema.sql`.
            DbError::Constraint(text) if text.contains("creator_erased") => {
                Error::refused("creator-erased", "this creator was erased")
            }
            DbError::Constraint(text) if text.contains("creator_merged") => {
                Error::refused("creator-merged", "this creator was merged into another")
            }
            // A constraint that no command expected: two commands met, nothing was changed.
            DbError::Constraint(_) => Error::refused(
                "conflict",
                "the request conflicts with another; nothing was changed",
            ),
            DbError::Failed(detail) => Error::Internal(detail).into(),
        }
    }
}

/// A problem document (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// `/problems/<name>`
    pub r#type: String,
    /// The kind of problem.
    pub title: String,
    /// The HTTP status again.
    pub status: u16,
    /// What happened.
    pub detail: String,
    /// Invalid fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl From<Box<Error>> for Response {
    fn from(mut error: Box<Error>) -> Self {
        let (status, name, title) = error.parts();
        let problem = Problem {
            r#type: format!("/problems/{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: error.to_string(),
            errors: match &mut *error {
                Error::Invalid(errors) => std::mem::take(errors),
                _ => Vec::new(),
            },
        };
        let body = serde_json::to_string(&problem).unwrap_or_default();
        let mut response = Self::new(status, "application/problem+json", body);
        response.set("cache-control", "no-store");
        match *error {
            Error::Unauthenticated => response.set("www-authenticate", "Bearer"),
            Error::Unavailable(_) => response.set("retry-after", "5"),
            Error::TooMany(seconds) => response.set("retry-after", seconds.to_string()),
            // The way in that has the request id logs it; see web::serve_api.
            Error::Internal(detail) => response.internal = Some(detail),
            _ => (),
        }
        response
    }
}
