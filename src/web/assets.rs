//! Static assets under `/assets`: every file of `static/`, named after its content, so that browsers
//! may keep it for ever. What isn't in the build's table is never asked for anywhere.
//!
//! And the storefront snippets under `/snippet`, the only answers that other sites may load: shops name
//! a version with the hash of its content, so every version stays where it is.

use http::StatusCode;

use crate::app::App;
use crate::error::{Error, Result};
use crate::web::handler::{Call, Extract, State};
use crate::web::message::Response;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A storefront snippet.
pub struct Snippet {
    /// Counts up with what the snippet does.
    pub version: u32,
    /// Where it is, without the origin.
    pub path: &'static str,
    /// What a browser compares it with: `sha384-…`.
    pub integrity: &'static str,
}

/// An asset that exists: its path and content type.
pub struct Asset(&'static str, &'static str);

impl Extract for Asset {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let found = ALL.iter().find(|(path, _)| *path == call.request.path());
        found
            .map(|(path, content_type)| Self(path, content_type))
            .ok_or_else(|| Error::NotFound.into())
    }
}

/// One of them.
pub async fn serve(State(app): State<App>, Asset(path, kind): Asset) -> Result<Response> {
    let content = app.assets.get(path).await;
    let content = content.ok_or(Error::Unavailable("this file can't be read just now"))?;
    let mut response = Response::new(StatusCode::OK, kind, content);
    response.set("cache-control", "public, max-age=31536000, immutable");
    if path.starts_with("/snippet/") {
        response.set("access-control-allow-origin", "*");
        response.set("cross-origin-resource-policy", "cross-origin");
    }
    Ok(response)
}
