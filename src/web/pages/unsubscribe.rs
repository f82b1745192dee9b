//! Getting no more messages of a brand: a link in each, and what mail programs post by themselves.

use askama::Template;
use http::StatusCode;

use super::{Page, render};
use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::BrandId;
use crate::domain::link::percent_decode;
use crate::error::{Error, Result};
use crate::storage::audit::{self, Done};
use crate::storage::messages;
use crate::web::handler::{Call, Extract, State};
use crate::web::message::Response;
use crate::web::outreach::read_unsubscribe_token;

#[derive(Template)]
#[template(path = "unsubscribe.html")]
struct Unsubscribe<'a> {
    brand: &'a str,
    done: bool,
}

/// A brand and the hash of an address, from a token that we made.
pub struct Wish {
    brand: BrandId,
    email_hash: String,
    request_id: String,
}

impl Extract for Wish {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let told = read_unsubscribe_token(call.app, &percent_decode(call.id));
        let (brand, email_hash) = told.ok_or(Error::NotFound)?;
        Ok(Self { brand, email_hash, request_id: call.request.id.to_owned() })
    }
}

async fn page(app: &App, brand: BrandId, done: bool) -> Result<Response> {
    let name = messages::brand_name(app.db(), brand).await?.ok_or(Error::NotFound)?;
    let content = Unsubscribe { brand: &name, done };
    render(StatusCode::OK, &Page::narrow("Messages"), &content)
}

/// Asks. Whoever only looks (mail scanners follow every link) changes nothing.
pub async fn ask(State(app): State<App>, wish: Wish) -> Result<Response> {
    let done = messages::unsubscribed(app.db(), wish.brand, &wish.email_hash).await?;
    page(&app, wish.brand, done.is_some()).await
}

/// Does it, for ever: for the page's button, and for mail programs, which send neither a cookie nor an
/// origin (RFC 8058). The token says all that there is to say.
pub async fn confirm(State(app): State<App>, wish: Wish) -> Result<Response> {
    let Wish { brand, email_hash, request_id } = wish;
    if messages::unsubscribed(app.db(), brand, &email_hash).await?.is_none() {
        let (id, actor, now_ms) = (app.new_id(), Actor::Job("unsubscribe"), app.now_ms());
        let subject = &brand.to_string();
        let (action, request_id) = ("address.unsubscribe", request_id.as_str());
        let done = Done { id, actor, action, subject, request_id, before: None, after: None };
        let note = audit::note(Some(brand), &done, now_ms);
        app.db().run(vec![messages::unsubscribe(brand, &email_hash, now_ms), note]).await?;
    }
    page(&app, brand, true).await
}
