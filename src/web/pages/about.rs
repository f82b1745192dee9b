//! Pages that are texts. The texts are static files, so that the worker doesn't carry them.

use http::StatusCode;

use super::{Page, around};
use crate::app::App;
use crate::error::{Error, Result};
use crate::web::handler::State;
use crate::web::message::Response;

/// What is stored, and why.
pub async fn privacy(State(app): State<App>) -> Result<Response> {
    let found = app.assets.get("/pages/privacy.html").await;
    let text = found.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or(Error::Unavailable("this text can't be read just now"))?;
    let page = Page { width: "text", ..Page::narrow("What is stored and why") };
    around(StatusCode::OK, &page, &text)
}
