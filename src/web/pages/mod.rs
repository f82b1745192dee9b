//! Pages: rendered on the server, in one layout. Forms post to routes of their own, which call the
//! same functions as the JSON API; what needs a script is `static/app.js`.

pub mod about;
pub mod account;
pub mod brand;
pub mod chart;
pub mod connect;
pub mod creator;
pub mod form;
pub mod mailbox;
pub mod shell;
pub mod sign_in;
pub mod ui;
pub mod unsubscribe;

use std::borrow::Cow;

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
    "/c/{id}/terms" => { get: creator::terms::list, post: creator::terms::ask }
    "/c/{id}/terms/{offer_id}/answer" => { post: creator::terms::answer }
    "/b/{brand}" => { get: brand::overview::show }
    "/b/{brand}/campaigns" => { get: brand::board::list, post: brand::campaign::create }
    "/b/{brand}/campaigns/{id}/edit" => { get: brand::campaign::show, post: brand::campaign::edit }
    "/b/{brand}/creators/new" => { get: brand::new_creator::show, post: brand::new_creator::create }
    "/b/{brand}/creators/duplicates" => { get: brand::duplicates::show, post: brand::duplicates::merge }
    "/b/{brand}/imports" => { get: brand::imports::show, post: brand::imports::file }
    "/b/{brand}/campaigns/{id}" => { get: brand::board::show }
    "/b/{brand}/deals" => { get: brand::lists::deals }
    "/b/{brand}/deals/segments" => { post: brand::saved::save_of_deals }
    "/b/{brand}/deals/segments/name" => { post: brand::saved::rename_of_deals }
    "/b/{brand}/deals/segments/removal" => { post: brand::saved::remove_of_deals }
    "/b/{brand}/deals/{id}" => { get: brand::deal::show }
    "/b/{brand}/deals/{id}/move" => { post: brand::board::move_deal }
    "/b/{brand}/deals/{id}/collaboration" => { post: brand::deal_forms::collaboration }
    "/b/{brand}/deals/{id}/codes" => { post: brand::deal_forms::code }
    "/b/{brand}/deals/{id}/links" => { post: brand::deal_forms::link }
    "/b/{brand}/deals/{id}/settings" => { post: brand::deal_forms::settings }
    "/b/{brand}/deals/{id}/notes" => { post: brand::deal_forms::note }
    "/b/{brand}/deals/{id}/follow-ups" => { post: brand::deal_forms::follow_up }
    "/b/{brand}/deals/{id}/follow-ups/done" => { post: brand::deal_forms::followed_up }
    "/b/{brand}/deals/{id}/fees" => { post: brand::deal_forms::fee }
    "/b/{brand}/deals/{id}/fees/cancellation" => { post: brand::deal_forms::cancel_fee }
    "/b/{brand}/deals/{id}/gifts" => { post: brand::deal_forms::gift }
    "/b/{brand}/deals/{id}/gifts/void" => { post: brand::deal_forms::void_gift }
    "/b/{brand}/deals/{id}/offers" => { post: brand::deal_forms::offer }
    "/b/{brand}/deals/{id}/offers/answer" => { post: brand::deal_forms::answer }
    "/b/{brand}/deals/{id}/posts" => { post: brand::deal_forms::post }
    "/b/{brand}/deals/{id}/posts/numbers" => { post: brand::deal_forms::measure }
    "/b/{brand}/deals/{id}/message" => { get: brand::message::show, post: brand::message::send }
    "/b/{brand}/deals/{id}/messages/cancel" => { post: brand::deal_forms::cancel_message }
    "/b/{brand}/deals/{id}/messages/read" => { post: brand::deal_forms::messages_read }
    "/b/{brand}/deals/{id}/invitation" => { post: brand::deal_forms::invite }
    "/b/{brand}/deals/{id}/invitation/end" => { post: brand::deal_forms::uninvite }
    "/b/{brand}/orders" => { get: brand::orders::list }
    "/b/{brand}/orders/{id}" => { get: brand::order::show }
    "/b/{brand}/orders/{id}/move" => { post: brand::order::move_order }
    "/b/{brand}/orders/{id}/disputes" => { post: brand::order::dispute }
    "/b/{brand}/claims" => { get: brand::claims::list }
    "/b/{brand}/claims/{id}/decision" => { post: brand::claims::decide }
    "/b/{brand}/payouts" => { get: brand::payouts::list, post: brand::payouts::draft }
    "/b/{brand}/payouts/{id}" => { get: brand::payout::show }
    "/b/{brand}/payouts/{id}/entries" => { get: brand::payout::entries }
    "/b/{brand}/payouts/{id}/approval" => { post: brand::payout::approve }
    "/b/{brand}/payouts/{id}/cancellation" => { post: brand::payout::cancel }
    "/b/{brand}/payouts/{id}/sending" => { post: brand::payout::send }
    "/b/{brand}/payouts/{id}/retry" => { post: brand::payout::retry }
    "/b/{brand}/payouts/{id}/settlement" => { post: brand::payout::settle }
    "/b/{brand}/payouts/{id}/file" => { post: brand::payout::export }
    "/b/{brand}/creators" => { get: brand::lists::creators }
    "/b/{brand}/creators/segments" => { post: brand::saved::save_of_creators }
    "/b/{brand}/creators/segments/name" => { post: brand::saved::rename_of_creators }
    "/b/{brand}/creators/segments/removal" => { post: brand::saved::remove_of_creators }
    "/b/{brand}/bulk" => { get: brand::bulk::ask, post: brand::bulk::look }
    "/b/{brand}/bulk/start" => { post: brand::bulk::start }
    "/b/{brand}/bulk/jobs" => { get: brand::bulk::job::list }
    "/b/{brand}/bulk/{id}" => { get: brand::bulk::job::show }
    "/b/{brand}/bulk/{id}/state" => { post: brand::bulk::job::change }
    "/b/{brand}/bulk/{id}/file" => { get: brand::bulk::job::file }
    "/b/{brand}/automations" => { get: brand::workflows::automations::list }
    "/b/{brand}/automations/new" => { get: brand::workflows::editor::new, post: brand::workflows::editor::create }
    "/b/{brand}/automations/ready" => { post: brand::workflows::automations::from_template }
    "/b/{brand}/automations/{id}" => { get: brand::workflows::automations::show }
    "/b/{brand}/automations/{id}/edit" => { get: brand::workflows::editor::edit, post: brand::workflows::editor::save }
    "/b/{brand}/automations/{id}/state" => { post: brand::workflows::automations::switch }
    "/b/{brand}/automations/{id}/removal" => { post: brand::workflows::automations::remove }
    "/b/{brand}/automations/{id}/runs" => { get: brand::workflows::runs::list }
    "/b/{brand}/automation-runs/{id}" => { get: brand::workflows::runs::show }
    "/b/{brand}/automation-runs/{id}/retry" => { post: brand::workflows::runs::retry }
    "/b/{brand}/templates" => { get: brand::workflows::messages::list }
    "/b/{brand}/templates/new" => { get: brand::workflows::messages::new, post: brand::workflows::messages::create }
    "/b/{brand}/templates/{id}" => { get: brand::workflows::messages::show, post: brand::workflows::messages::save }
    "/b/{brand}/templates/{id}/removal" => { post: brand::workflows::messages::remove }
    "/b/{brand}/term-templates/new" => { get: brand::workflows::terms::new, post: brand::workflows::terms::create }
    "/b/{brand}/term-templates/{id}" => { get: brand::workflows::terms::show, post: brand::workflows::terms::save }
    "/b/{brand}/term-templates/{id}/removal" => { post: brand::workflows::terms::archive }
    "/b/{brand}/sequences/new" => { get: brand::workflows::sequences::new, post: brand::workflows::sequences::create }
    "/b/{brand}/sequences/{id}" => { get: brand::workflows::sequences::show }
    "/b/{brand}/sequences/{id}/removal" => { post: brand::workflows::sequences::archive }
    "/b/{brand}/creators/{id}" => { get: brand::creator::show, post: brand::creator::edit }
    "/b/{brand}/creators/{id}/deals" => { post: brand::creator::deal }
    "/b/{brand}/creators/{id}/adjustments" => { post: brand::creator::adjust }
    "/b/{brand}/creators/{id}/export" => { post: brand::creator::export }
    "/b/{brand}/creators/{id}/erasure" => { post: brand::creator::erase }
    "/b/{brand}/reports" => { get: brand::reports::first }
    "/b/{brand}/reports/creators" => { get: brand::reports::compared::creators }
    "/b/{brand}/reports/campaigns" => { get: brand::reports::compared::campaigns }
    "/b/{brand}/reports/stages" => { get: brand::reports::sources::stages }
    "/b/{brand}/reports/sources" => { get: brand::reports::sources::sources }
    "/b/{brand}/reports/cohorts" => { get: brand::reports::sources::cohorts }
    "/b/{brand}/reports/posts" => { get: brand::reports::sources::posts }
    "/b/{brand}/reports/what-if" => { get: brand::reports::what_if::ask, post: brand::reports::what_if::simulate }
    // Stores.
    "/b/{brand}/stores" => { get: brand::stores::list }
    "/b/{brand}/stores/new" => { get: brand::stores::adding::ask, post: brand::stores::adding::add }
    "/b/{brand}/stores/quarantine" => {
        get: brand::stores::quarantine::list, post: brand::stores::quarantine::replay,
    }
    "/b/{brand}/stores/codes" => { get: brand::stores::codes::list, post: brand::stores::codes::take_over }
    "/b/{brand}/stores/codes/retry" => { post: brand::stores::codes::retry }
    "/b/{brand}/stores/codes/switch" => { post: brand::stores::codes::switch }
    "/b/{brand}/stores/groups" => { get: brand::stores::groups::list }
    "/b/{brand}/stores/groups/new" => { get: brand::stores::groups::ask, post: brand::stores::groups::create }
    "/b/{brand}/stores/groups/{id}" => { get: brand::stores::groups::show, post: brand::stores::groups::update }
    "/b/{brand}/stores/groups/{id}/archive" => { post: brand::stores::groups::archive }
    "/b/{brand}/stores/groups/{id}/codes" => { post: brand::stores::groups::add_codes }
    "/b/{brand}/stores/{id}" => { get: brand::stores::shown::show }
    "/b/{brand}/stores/{id}/check" => { post: brand::stores::shown::check }
    "/b/{brand}/stores/{id}/authorization" => { post: brand::stores::shown::authorize }
    "/b/{brand}/stores/{id}/access" => { post: brand::stores::shown::access }
    "/b/{brand}/stores/{id}/goaffpro" => { post: brand::stores::shown::settings }
    "/b/{brand}/stores/{id}/secret" => { post: brand::stores::shown::rotate }
    "/b/{brand}/stores/{id}/backfill" => { post: brand::stores::shown::backfill }
    "/b/{brand}/stores/{id}/disconnection" => { post: brand::stores::shown::disconnect }
    "/b/{brand}/stores/{id}/snippet" => { get: brand::stores::shown::snippet }
    "/b/{brand}/stores/{id}/affiliates" => {
        get: brand::stores::affiliates::list, post: brand::stores::affiliates::assign,
    }
    "/b/{brand}/stores/{id}/comparison" => {
        get: brand::stores::affiliates::compare, post: brand::stores::affiliates::say,
    }
    "/b/{brand}/settings" => { get: brand::settings::general::show, post: brand::settings::general::save }
    "/b/{brand}/settings/domain" => { get: brand::settings::domain::show, post: brand::settings::domain::save }
    "/b/{brand}/settings/rules" => { get: brand::settings::rules::show, post: brand::settings::rules::save }
    "/b/{brand}/settings/members" => { get: brand::settings::members::show, post: brand::settings::members::save }
    "/b/{brand}/settings/keys" => { get: brand::settings::keys::show, post: brand::settings::keys::save }
    "/b/{brand}/settings/webhooks" => { get: brand::settings::hooks::list, post: brand::settings::hooks::create }
    "/b/{brand}/settings/webhooks/{id}" => { get: brand::settings::hooks::show, post: brand::settings::hooks::save }
    "/b/{brand}/settings/audit" => { get: brand::settings::audit::show }
    "/b/{brand}/settings/audit/file" => { get: brand::settings::audit::file }
    "/b/{brand}/settings/data" => { get: brand::settings::data::show, post: brand::settings::data::save }
    "/b/{brand}/settings/data/books" => { get: brand::settings::data::books }
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
pub fn see(location: impl Into<Cow<'static, str>>) -> Response {
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
        Error::TooLarge => {
            ("Too much at once", "A file may have 1 MiB. Send it in parts.".to_owned())
        }
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
