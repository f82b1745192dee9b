//! Static assets under `/assets`: every file of `static/`, named after its content, so that browsers
//! may keep it for ever. What isn't in the build's table is never asked for anywhere.

use http::StatusCode;

use crate::app::App;
use crate::error::{Error, Result};
use crate::web::handler::{Call, Extract, State};
use crate::web::message::Response;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

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
    Ok(response)
}
