//! Where a shop sends the browser back to that approved, or didn't.

use askama::Template;
use http::StatusCode;

use super::{Page, render, see};
use crate::app::App;
use crate::domain::session::set_cookie;
use crate::error::Result;
use crate::partners::shopify::{Callback, callback};
use crate::web::api::connecting::{self, BEGIN_AGAIN, COOKIE};
use crate::web::handler::{Call, Extract, State};
use crate::web::message::Response;

/// What a shop sent along, and the cookie of the browser.
pub struct Back {
    callback: Option<Callback>,
    browser: Option<String>,
}

impl Extract for Back {
    fn extract(call: &Call<'_>) -> Result<Self> {
        Ok(Self {
            callback: callback(call.request.query()),
            browser: call.request.cookie(COOKIE).map(str::to_owned),
        })
    }
}

#[derive(Template)]
#[template(path = "failed.html")]
struct Told<'a> {
    title: &'a str,
    detail: &'a str,
}

fn told(status: StatusCode, title: &'static str, detail: &str) -> Result<Response> {
    render(status, &Page::narrow(title), &Told { title, detail })
}

/// Ends an authorization.
pub async fn shopify(State(app): State<App>, back: Back) -> Result<Response> {
    let done = connecting::finish(&app, back.callback, back.browser.as_deref()).await?;
    // Any site may lead the browser here: what isn't the end of what it began leaves that as it is.
    let over = done != Err(BEGIN_AGAIN);
    let mut response = match done {
        Ok(_) => see("/connect/shopify/done"),
        Err(why) => told(StatusCode::BAD_REQUEST, "The shop isn't connected", why)?,
    };
    if over {
        response.push("set-cookie", set_cookie(COOKIE, "", Some(0)));
    }
    Ok(response)
}

/// What is told then. Nothing in it is of the shop: anybody may look.
pub async fn done() -> Result<Response> {
    let detail = "Its orders come in from now on. You can close this page.";
    told(StatusCode::OK, "The shop approved", detail)
}
