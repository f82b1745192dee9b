//! Pages: rendered on the server, in one layout. Forms post to routes of their own, which call the
//! same functions as the JSON API; what needs a script is `static/app.js`.

pub mod about;
pub mod account;
pub mod brand;
pub mod connect;
pub mod creator;
pub mod form;
pub mod mailbox;
pub mod shell;
pub mod sign_in;
pub mod ui;
pub mod unsubscribe;

use askama::{DynTemplate, Template};
use http::StatusCode;

use crate::domain::time::{Millis, to_rfc3339};
use crate::error::{Error, Result};
use crate::web::assets;
use crate::web::handler::routes;
use crate::web::message::{Request, Response};

routes! {
    "/assets/{id}" => { get: assets::serve }
    "/snippet/{id}/{name}" => { get: assets::serve }
    "/" => { get: sign_in::start }
    "/sign-in" => { get: sign_in::ask, post: sign_in::begin }
    "/sign-in/link" => { get: sign_in::link }
    "/sign-in/code" => { get: sign_in::code, post: sign_in::by_code }
    "/sign-in/passkey" => { get: sign_in::passkey }
    "/sign-in/recovery" => { post: sign_in::recovery }
    "/invitation" => { get: sign_in::invitation, post: sign_in::invited }
    "/invitation/acceptance" => { post: sign_in::accept }
    "/account" => { get: account::show }
    "/account/sessions/{id}/end" => { post: account::end_session }
    "/sign-out" => { post: account::sign_out }
    "/privacy" => { get: about::privacy }
    "/unsubscribe/{id}" => { get: unsubscribe::ask, post: unsubscribe::confirm }
    "/connect/shopify/callback" => { get: connect::shopify }
    "/connect/shopify/done" => { get: connect::done }
    "/c" => { get: creator::home::brands }
    "/c/{id}" => { get: creator::home::show }
    "/c/{id}/links" => { get: creator::links::list, post: creator::links::create }
    "/c/{id}/links/{link_id}/qr" => { get: creator::links::qr }
    "/c/{id}/orders" => { get: creator::orders::list }
    "/c/{id}/posts" => { get: creator::posts::list, post: creator::posts::create }
    "/c/{id}/posts/{post_id}/numbers" => { post: creator::posts::measure }
    "/c/{id}/statements" => { get: creator::statements::show }
    "/c/{id}/statements/{month}/file" => { get: creator::statements::file }
    "/c/{id}/payouts" => { get: creator::payouts::list }
    "/c/{id}/payment" => { get: creator::payment::show, post: creator::payment::put }
    "/c/{id}/claims" => { get: creator::claims::list, post: creator::claims::create }
    "/b/{brand}" => { get: brand::overview::show }
    "/b/{brand}/campaigns" => { get: brand::board::list }
    "/b/{brand}/campaigns/{id}" => { get: brand::board::show }
    "/b/{brand}/deals/{id}" => { get: brand::deal::show }
    "/b/{brand}/deals/{id}/move" => { post: brand::board::move_deal }
    "/b/{brand}/deals/{id}/collaboration" => { post: brand::deal::collaboration }
    "/b/{brand}/deals/{id}/notes" => { post: brand::deal::note }
    "/b/{brand}/deals/{id}/follow-ups" => { post: brand::deal::follow_up }
    "/b/{brand}/deals/{id}/follow-ups/done" => { post: brand::deal::followed_up }
    "/b/{brand}/deals/{id}/fees" => { post: brand::deal::fee }
    "/b/{brand}/deals/{id}/invitation" => { post: brand::deal::invite }
    "/b/{brand}/deals/{id}/invitation/end" => { post: brand::deal::uninvite }
    "/b/{brand}/orders" => { get: brand::orders::list }
    "/b/{brand}/orders/{id}" => { get: brand::orders::show }
    "/b/{brand}/payouts" => { get: brand::payouts::list, post: brand::payouts::draft }
    "/b/{brand}/payouts/{id}" => { get: brand::payouts::show }
    "/b/{brand}/payouts/{id}/approval" => { post: brand::payouts::approve }
    "/b/{brand}/payouts/{id}/cancellation" => { post: brand::payouts::cancel }
    "/b/{brand}/payouts/{id}/settlement" => { post: brand::payouts::settle }
    "/b/{brand}/payouts/{id}/file" => { post: brand::payouts::export }
    "/b/{brand}/creators" => { get: brand::creators::list }
    "/b/{brand}/creators/{id}" => { get: brand::creators::show }
    "/mailbox" => { get: mailbox::list }
    "/mailbox/{id}" => { get: mailbox::show }
}

/// What the layout says around a page's own content.
pub struct Page<'a> {
    /// Of the window; the page's heading says it in its own words.
    pub title: &'a str,
    /// How wide: `narrow` for a form, `text` for reading, empty for everything else.
    pub width: &'a str,
    /// Whether something on it needs the script.
    pub scripted: bool,
    /// Who is signed in.
    pub who: Option<Who<'a>>,
}

/// Whom the header names, with what the button for signing out sends.
pub struct Who<'a> {
    /// The address.
    pub email: &'a str,
    /// Proves that the form is ours.
    pub csrf: &'a str,
}

impl Page<'static> {
    /// A page for anybody with one form in the middle.
    #[must_use]
    pub fn narrow(title: &'static str) -> Self {
        Self { title, width: "narrow", scripted: false, who: None }
    }
}

#[derive(Template)]
#[template(path = "layout.html")]
struct Layout<'a> {
    page: &'a Page<'a>,
    /// HTML.
    body: &'a str,
    style: &'static str,
    script: &'static str,
    icon: &'static str,
}

/// Renders a page.
///
/// # Errors
/// 500 if a template fails, which none can.
pub fn render(status: StatusCode, page: &Page<'_>, content: &dyn DynTemplate) -> Result<Response> {
    let body = content.dyn_render().map_err(|e| Error::Internal(e.to_string()))?;
    around(status, page, &body)
}

/// The layout around a page's content, which is HTML.
fn around(status: StatusCode, page: &Page<'_>, body: &str) -> Result<Response> {
    let (style, script, icon) = (assets::APP_CSS, assets::APP_JS, assets::ICON_SVG);
    let layout = Layout { page, body, style, script, icon };
    let html = layout.render().map_err(|e| Error::Internal(e.to_string()))?;
    Ok(Response::new(status, "text/html; charset=utf-8", html))
}

/// Go there, with GET.
#[must_use]
pub fn see(location: &'static str) -> Response {
    let mut response = Response::new(StatusCode::SEE_OTHER, "text/plain", "");
    response.set("location", location);
    response
}

/// A time as HTML, to the minute; the script says it in the reader's own zone.
fn time(at_ms: Millis) -> String {
    let exact = to_rfc3339(at_ms);
    let minute = exact.get(..16).unwrap_or_default().replace('T', " ");
    format!("<time datetime=\"{exact}\">{minute} UTC</time>")
}

/// Whether an error is to be told to a person: a browser asks for a page, or sends a form of one.
#[must_use]
pub fn wants_page(request: &Request<'_>) -> bool {
    let accepts = request.header("accept").is_some_and(|accept| accept.contains("text/html"));
    accepts && !request.path().starts_with("/v1/")
}

#[derive(Template)]
#[template(path = "failed.html")]
struct Failed<'a> {
    title: &'a str,
    detail: &'a str,
}

/// The page for what went wrong. Who isn't signed in is asked to.
#[must_use]
pub fn failed(error: Box<Error>) -> Response {
    match *error {
        Error::Unauthenticated => return see("/sign-in"),
        Error::Denied { rule: "second-factor", .. } => return see("/sign-in/passkey"),
        _ => (),
    }
    let (title, detail) = match &*error {
        Error::NotFound => {
            ("Nothing is here", "The address may be mistyped, or the page is gone.".to_owned())
        }
        Error::Forbidden(why) => ("Not allowed", form::sentence(why)),
        Error::Denied { detail, .. } => ("Not allowed yet", form::sentence(detail)),
        Error::Refused { detail, .. } => ("This can’t be done", form::sentence(detail)),
        Error::Unavailable(why) => ("Just a moment", form::sentence(why)),
        Error::Internal(_) => {
            ("Something went wrong", "It is noted. Trying again may help.".to_owned())
        }
        _ => ("This can't be done", "The request could not be read.".to_owned()),
    };
    let page = Page::narrow(title);
    let plain = Response::from(error);
    match render(plain.status, &page, &Failed { title, detail: &detail }) {
        Ok(mut response) => {
            let kept = ["allow", "retry-after"];
            let headers = plain.headers.into_iter().filter(|(name, _)| kept.contains(name));
            headers.for_each(|(name, value)| response.set(name, value));
            response.internal = plain.internal;
            response
        }
        Err(_) => plain,
    }
}
