//! What a handler is, and how a request gets to one.
//!
//! A handler is an async function whose parameters are [`Extract`]ed from the request and whose
//! result is an [`Answer`]. All that can be done once for every route is done outside of it:
//! matching, telling who calls, rendering an error. What is left per route is a plain function
//! that makes the parameters and boxes the handler's future.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::StatusCode;
use sha2::{Digest, Sha256};

use crate::app::{App, Pending};
use crate::domain::merkle::hex;
use crate::error::{Error, Result};
use crate::web::caller::{Identity, identify};
use crate::web::json::{self, ToJson};
use crate::web::listed::Asked;
use crate::web::message::{Request, Response};

/// A request on its way to its handler.
pub struct Call<'a> {
    /// The application.
    pub app: &'a App,
    /// What came in.
    pub request: &'a Request<'a>,
    /// What stands in the place of `{id}`, as it was sent.
    pub id: &'a str,
    /// What stands in the place of a second such name.
    pub second: &'a str,
    /// Who calls, where the handler asks.
    pub identity: Identity,
}

/// A parameter of a handler.
pub trait Extract: Sized {
    /// Whether it says who calls: only then is that found out.
    const IDENTIFIES: bool = false;

    /// Takes it out of the request.
    ///
    /// # Errors
    /// What the request is answered with instead.
    fn extract(call: &Call<'_>) -> Result<Self>;
}

/// The application.
pub struct State<T>(pub T);

impl Extract for State<App> {
    fn extract(call: &Call<'_>) -> Result<Self> {
        Ok(Self(call.app.clone()))
    }
}

/// A result of a handler.
pub trait Answer {
    /// Renders it.
    ///
    /// # Errors
    /// What the request is answered with instead.
    fn answer(self) -> Result<Response>;
}

/// A body in JSON.
pub struct Json<T>(pub T);

impl<T: ToJson> Answer for Json<T> {
    fn answer(self) -> Result<Response> {
        (StatusCode::OK, self).answer()
    }
}

impl<T: ToJson> Answer for (StatusCode, Json<T>) {
    fn answer(self) -> Result<Response> {
        rendered(self.0, &self.1.0)
    }
}

/// A body in JSON that has a name by what it says, so that a change can name what it was made from.
pub struct Tagged<T>(pub T);

impl<T: ToJson> Answer for Tagged<T> {
    fn answer(self) -> Result<Response> {
        let text = json::text(&self.0);
        let tag = etag(&text);
        let mut response = Response::json(StatusCode::OK, text);
        response.set("etag", tag);
        Ok(response)
    }
}

/// The name of an answer: a hash of it.
#[must_use]
pub fn etag(text: &str) -> String {
    let hash = Sha256::digest(text);
    format!("\"{}\"", hex(hash.get(..16).unwrap_or_default()))
}

fn rendered(status: StatusCode, view: &dyn ToJson) -> Result<Response> {
    let mut body = Vec::new();
    view.write(&mut body);
    let body = String::from_utf8(body).map_err(|e| Error::Internal(e.to_string()))?;
    Ok(Response::json(status, body))
}

impl Answer for Response {
    fn answer(self) -> Result<Response> {
        Ok(self)
    }
}

impl<T: Answer> Answer for Result<T> {
    fn answer(self) -> Result<Response> {
        self?.answer()
    }
}

/// A handler: `Args` is the tuple of its parameters.
pub trait Handler<Args>: Sized {
    /// Whether a parameter says who calls.
    const IDENTIFIES: bool;

    /// Extracts the parameters and starts the handler.
    ///
    /// # Errors
    /// What the request is answered with instead.
    fn start(self, call: &Call<'_>) -> Result<Started>;
}

/// A handler at work.
pub type Started = Pin<Box<dyn Work + Send>>;

/// The future of a handler. What it answers is rendered as it ends: an `async` block around each
/// handler for that would be another state machine each.
pub trait Work {
    /// [`Future::poll`], with the answer rendered.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Response>>;
}

impl<F: Future<Output: Answer>> Work for F {
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Response>> {
        Future::poll(self, context).map(Answer::answer)
    }
}

macro_rules! handlers {
    ($($arg:ident)*) => {
        impl<F, Fut, $($arg,)*> Handler<($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> Fut,
            Fut: Future<Output: Answer> + Send + 'static,
            $($arg: Extract,)*
        {
            const IDENTIFIES: bool = false $(|| $arg::IDENTIFIES)*;

            #[allow(unused_variables, reason = "a handler without parameters looks at nothing")]
            fn start(self, call: &Call<'_>) -> Result<Started> {
                Ok(Box::pin(self($($arg::extract(call)?),*)))
            }
        }
    };
}
handlers!();
handlers!(A);
handlers!(A B);
handlers!(A B C);
handlers!(A B C D);
handlers!(A B C D E);

/// One method of a path.
pub struct Method {
    /// `GET`
    pub name: &'static str,
    /// Whether it must be known who calls.
    pub identifies: bool,
    /// [`Handler::start`]
    pub start: fn(&Call<'_>) -> Result<Started>,
}

/// Tells of a handler whether it must be known who calls.
pub const fn identifies<Args, H: Handler<Args>>(_: &H) -> bool {
    H::IDENTIFIES
}

/// A path with its methods. `{id}` stands for one segment.
pub type Route = (&'static str, &'static [Method]);

/// Declares a URL table once: requests are matched with it, and tests walk it. Of two paths that
/// fit, the first is taken.
macro_rules! routes {
    ($($path:literal => { $($method:ident: $handler:path),+ $(,)? })*) => {
        /// Every path with its methods.
        pub const ROUTES: &[(&str, &[&str])] = &[$(($path, &[$(stringify!($method)),+])),*];

        /// Every path with its methods and their handlers.
        pub static TABLE: &[$crate::web::handler::Route] = &[$(($path, &[$(
            $crate::web::handler::Method {
                name: $crate::web::handler::verb!($method),
                identifies: $crate::web::handler::identifies(&$handler),
                start: |call| $crate::web::handler::Handler::start($handler, call),
            }
        ),+])),*];
    };
}
pub(crate) use routes;

macro_rules! verb {
    (get) => {
        "GET"
    };
    (post) => {
        "POST"
    };
    (patch) => {
        "PATCH"
    };
    (put) => {
        "PUT"
    };
    (delete) => {
        "DELETE"
    };
}
pub(crate) use verb;

/// Whoever gets this file pays by it: its lines are marked. Nobody gets anything by HEAD.
const MARKS: &str = "/v1/payouts/{id}/export";

/// Answers a request by the first route whose path fits. GET answers HEAD too, but where it [`MARKS`].
///
/// # Errors
/// Whatever the handler says; 404 and 405 are answers of its own.
pub fn dispatch<'a>(
    tables: &'a [&'static [Route]],
    app: &'a App,
    request: &'a Request<'a>,
) -> Pending<'a, Result<Response>> {
    Box::pin(async move {
        let fitting = tables.iter().copied().flatten().find_map(|(pattern, methods)| {
            Some((*pattern, *methods, fit(pattern, request.path())?))
        });
        let (pattern, methods, [id, second]) = fitting.ok_or(Error::NotFound)?;
        let head = pattern != MARKS;
        let name = if request.method == "HEAD" && head { "GET" } else { request.method };
        let Some(method) = methods.iter().find(|method| method.name == name) else {
            return Ok(not_allowed(methods, head));
        };
        let mut call = Call { app, request, id, second, identity: Identity::Nobody };
        if method.identifies {
            call.identity = identify(app, request).await?;
        }
        let file = if name == "GET" { Asked::of(pattern, request)? } else { None };
        if let Some(asked) = file {
            return asked.answer(method, &call).await;
        }
        let mut work = (method.start)(&call)?;
        poll_fn(|context| work.as_mut().poll(context)).await
    })
}

/// What stands in the places of `{id}` and of a second such name (`""` where there is none) if the
/// path fits the pattern.
fn fit<'a>(pattern: &str, path: &'a str) -> Option<[&'a str; 2]> {
    let (mut taken, mut found) = (0, [""; 2]);
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        let segment = segments.next()?;
        if wanted.starts_with('{') {
            *found.get_mut(taken).filter(|_| !segment.is_empty())? = segment;
            taken += 1;
        } else if wanted != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(found)
}

fn not_allowed(methods: &[Method], head: bool) -> Response {
    let mut allow = Vec::new();
    for method in methods {
        allow.push(method.name);
        if method.name == "GET" && head {
            allow.push("HEAD");
        }
    }
    let mut response = Response::from(Box::new(Error::MethodNotAllowed));
    response.set("allow", allow.join(","));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_fit_patterns_segment_by_segment() {
        assert_eq!(fit("/v1/brand", "/v1/brand"), Some(["", ""]));
        assert_eq!(fit("/v1/brand", "/v1/brand/"), None);
        assert_eq!(fit("/v1/deals/{id}", "/v1/deals/deal_1"), Some(["deal_1", ""]));
        assert_eq!(fit("/v1/deals/{id}/terms", "/v1/deals/deal_1/terms"), Some(["deal_1", ""]));
        assert_eq!(fit("/a/{id}/b/{line_id}/c", "/a/1/b/2/c"), Some(["1", "2"]));
        assert_eq!(fit("/a/{id}/b/{line_id}/c", "/a/1/b//c"), None);
        for path in ["/v1/deals", "/v1/deals/", "/v1/deals/a/b", "/v1/deals/a/"] {
            assert_eq!(fit("/v1/deals/{id}", path), None, "{path}");
        }
        for path in ["/v1/deals//terms", "/v1/deals/terms", "/v1/deals/a/b/terms"] {
            assert_eq!(fit("/v1/deals/{id}/terms", path), None, "{path}");
        }
    }
}
