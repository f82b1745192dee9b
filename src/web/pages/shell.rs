//! The shell around the pages of whoever is signed in: navigation beside (or above) a page's own content. A
//! brand's pages are `/b/{brand}/…`, a creator's `/c/{brand}/…`: what is open in a tab can't become another's.

use askama::{DynTemplate, Template};
use http::StatusCode;

use super::form::{self, Form};
use super::{see, ui};
use crate::app::App;
use crate::error::{Error, Result};
use crate::storage::sessions::SessionRow;
use crate::web::assets;
use crate::web::caller::Seat;
use crate::web::handler::{Call, Extract};
use crate::web::message::Response;

/// A way to another page.
pub struct Nav {
    /// What it is called.
    pub label: &'static str,
    /// Where it is.
    pub href: String,
    /// Its [`ui::icon`].
    pub icon: &'static str,
    /// Whether one is there.
    pub current: bool,
}

/// Somewhere else that the person belongs.
pub struct Place {
    /// The brand's name.
    pub label: String,
    /// As what: `owner`, `creator`.
    pub role: &'static str,
    /// Where it begins.
    pub href: String,
}

/// What the shell says around a page.
pub struct Shell<'a> {
    /// Of the window.
    pub title: &'a str,
    /// The brand's name.
    pub brand: &'a str,
    /// As what the person is here.
    pub role: &'static str,
    /// Where this side begins.
    pub home: String,
    /// Its pages.
    pub nav: Vec<Nav>,
    /// Where else the person belongs.
    pub places: Vec<Place>,
    /// Hers.
    pub email: &'a str,
    /// For the button that signs out, and every form: see [`form::proof`].
    pub csrf: &'a str,
    /// What was just done, if the address says so.
    pub told: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "shell.html")]
struct Frame<'a> {
    shell: &'a Shell<'a>,
    body: &'a str,
    /// Whether there is a chart to draw.
    charts: bool,
}

/// Renders a page inside of the shell.
///
/// # Errors
/// 500 if a template fails, which none can.
pub fn page(status: StatusCode, shell: &Shell<'_>, content: &dyn DynTemplate) -> Result<Response> {
    let fault = |e: askama::Error| Error::Internal(e.to_string());
    let body = content.dyn_render().map_err(fault)?;
    // A text of others can't say so: its `<` is escaped.
    let charts = body.contains("<figure class=\"chart\" data-chart>");
    let html = Frame { shell, body: &body, charts }.render().map_err(fault)?;
    Ok(Response::new(status, "text/html; charset=utf-8", html))
}

/// Everywhere else that a person belongs.
#[must_use]
pub fn places(session: &SessionRow, home: &str) -> Vec<Place> {
    let members = session.members.iter().map(|member| Place {
        label: member.brand.clone(),
        role: member.role.as_str(),
        href: format!("/b/{}", member.brand_id),
    });
    let creators = session.creators.iter().map(|side| Place {
        label: side.brand.clone(),
        role: "creator",
        href: format!("/c/{}", side.brand_id),
    });
    members.chain(creators).filter(|place| place.href != home).collect()
}

/// A brand's pages, in the order of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// What needs a hand, and how it goes.
    Overview,
    /// Campaigns and their boards.
    Board,
    /// Creators.
    Creators,
    /// Deals.
    Deals,
    /// Orders.
    Orders,
    /// Payouts.
    Payouts,
    /// Numbers compared, over any period; simulations.
    Reports,
    /// Automations and the templates that they and people use.
    Automations,
    /// Stores, and what came from them.
    Stores,
    /// The brand itself: its domain, rules, members, keys, webhooks, audit.
    Settings,
}

const AREAS: [(Area, &str, &str, &str); 10] = [
    (Area::Overview, "Overview", "", "layout-dashboard"),
    (Area::Board, "Boards", "/campaigns", "layout-kanban"),
    (Area::Creators, "Creators", "/creators", "users"),
    (Area::Deals, "Deals", "/deals", "gift"),
    (Area::Orders, "Orders", "/orders", "shopping-cart"),
    (Area::Payouts, "Payouts", "/payouts", "cash"),
    (Area::Reports, "Reports", "/reports", "chart-bar"),
    (Area::Automations, "Automations", "/automations", "bolt"),
    (Area::Stores, "Stores", "/stores", "building-store"),
    (Area::Settings, "Settings", "/settings", "settings"),
];

/// What is said after something was done, by the name in the address (`?done=…`): never a text from there.
const TOLD: &[(&str, &str)] = &[
    ("saved", "Saved."),
    ("added", "Added."),
    ("moved", "Moved."),
    ("invited", "The invitation is made."),
    ("uninvited", "The invitation is taken back."),
    ("note", "The note is kept."),
    ("follow-up", "The follow-up is noted."),
    ("follow-up-done", "The follow-up is done."),
    ("fee", "The fee is noted."),
    ("fee-cancelled", "The fee is cancelled."),
    ("drafted", "The payout is drafted. Nothing has moved yet."),
    ("approved", "The payout is approved: its money has left what is available."),
    ("approved-first", "Your approval is noted. It needs one more person."),
    ("cancelled", "The draft is cancelled."),
    ("settled", "Noted: what arrived."),
    ("sending", "The payments are with PayPal. What becomes of them shows here."),
    ("paid-again", "The payment is on its way again, as a new try."),
    ("came-back", "Noted: the payment came back. Its money is available again."),
    ("claim", "The claim is with the brand."),
    ("post", "The post is reported."),
    ("link", "The link is made."),
    ("details", "The payment details are kept."),
    ("replayed", "The delivery was tried again."),
    ("checked", "The store was looked at."),
    ("removed", "Removed."),
    ("member", "The invitation is sent."),
    // Stores.
    ("backfill", "The orders from before are fetched."),
    ("disconnected", "The store is disconnected. What is known of its orders stays."),
    ("group", "The affiliate group is set up. Its first code makes it in the shop."),
    ("archived", "Archived: no more codes are made from it."),
    ("codes", "The codes are being made."),
    ("retried", "The code is made anew."),
    ("switched", "The code is switched."),
    ("taken-over", "Taken over. The shop is asked whether it is there."),
    // Settings.
    ("role", "The role is changed, in all her sessions."),
    ("revoked", "The key is revoked. Nothing can use it any more."),
    ("paused", "The endpoint is paused: nothing is kept for it meanwhile."),
    ("resumed", "The endpoint goes on. What waited is sent first."),
    ("resent", "The event is sent again."),
    ("tested", "A test event is on its way."),
    ("looked", "The domain was looked at."),
    ("answered", "Noted: the customer was told."),
    // Automations.
    (
        "automation",
        "It is made, and does nothing yet: look at what it would do, then switch it on.",
    ),
    ("switched-on", "It is on: it begins with what happens from now on."),
    ("switched-off", "It is off. What was running is stopped."),
    ("run-retried", "It is tried again."),
    // A deal's, an order's and a creator's pages.
    ("unchanged", "Nothing was changed: it says so already."),
    ("sent", "The message is written. It goes out now, or at the next hour that suits her day."),
    ("message-cancelled", "The message is cancelled."),
    ("read", "Marked as read."),
    ("gift", "The gift is noted."),
    ("gift-void", "The gift counts no more."),
    ("offered", "The terms are offered. They hold once she accepts them."),
    ("withdrawn", "The offer is withdrawn."),
    ("decided", "It is decided, and she is told."),
    ("dispute", "The dispute is noted."),
    ("order-moved", "The order is moved."),
    ("measured", "The numbers are kept."),
    ("deal", "The deal is made."),
    ("erased", "Who she is, is forgotten. What she earned stays in the books under her id."),
    ("terms", "Your answer is with the brand."),
    ("segment", "The segment is saved, for everybody in the brand."),
    ("imported", "The file is taken in."),
    ("merged", "They are one: she has everything of both."),
    // Bulk actions.
    ("bulk-begun", "It has begun: deal by deal, with a result for each."),
    ("bulk-pause", "It is paused: no further deal is changed until it goes on."),
    ("bulk-resume", "It goes on with the deals that wait."),
    ("bulk-cancel", "It is cancelled: no further deal is changed. What was done stays."),
];

/// What the name of something that was done says.
#[must_use]
pub fn told(name: Option<&str>) -> Option<&'static str> {
    let name = name?;
    TOLD.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// A member at a page of a brand: who, and what the page was asked with.
pub struct At {
    /// Who, and where.
    pub seat: Seat,
    /// Where the brand's pages begin: `/b/brand_…`.
    pub home: String,
    query: Vec<(String, String)>,
}

impl Extract for At {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        let seat = Seat::extract(call)?;
        let home = format!("/b/{}", seat.member()?.brand_id);
        let query = form_urlencoded::parse(call.request.query().as_bytes()).into_owned().collect();
        Ok(Self { seat, home, query })
    }
}

impl At {
    /// A parameter of the address; empty if it isn't there.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.query.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// Whether a parameter stands in the address, be it empty.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.query.iter().any(|(n, _)| n == name)
    }

    /// The address of this page, `/deals/deal_…` within the brand's, as it was asked for: what asks for the page
    /// again. A form that was refused has its own address, which nothing can be asked of.
    #[must_use]
    pub fn here(&self, page: &str) -> String {
        let asked = self.query.iter().filter(|(name, _)| name != "done");
        ui::address(&format!("{}{page}", self.home), asked.map(|(name, value)| (&**name, &**value)))
    }

    /// All texts of a parameter that may be there several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Puts what a form told into the place of what stood in the address, for the page that shows it again.
    pub fn put(&mut self, told: impl IntoIterator<Item = (&'static str, String)>) {
        for (name, value) in told {
            self.query.retain(|(known, _)| known != name);
            self.query.push((name.to_owned(), value));
        }
    }

    /// What a form of this session carries.
    #[must_use]
    pub fn csrf(&self, app: &App) -> String {
        form::proof(app, &self.seat.session)
    }

    /// Renders a page of the brand; `csrf` is what its forms have, too.
    ///
    /// # Errors
    /// 500 if a template fails, which none can.
    pub fn render(
        &self,
        (status, title, area): (StatusCode, &str, Area),
        csrf: &str,
        content: &dyn DynTemplate,
    ) -> Result<Response> {
        let member = self.seat.member()?;
        let nav = AREAS.iter().map(|(of, label, path, icon)| Nav {
            label,
            href: format!("{}{path}", self.home),
            icon,
            current: *of == area,
        });
        let shell = Shell {
            title,
            brand: &member.brand,
            role: member.role.as_str(),
            home: self.home.clone(),
            nav: nav.collect(),
            places: places(&self.seat.session, &self.home),
            email: &self.seat.session.email,
            csrf,
            told: told(Some(self.get("done"))),
        };
        page(status, &shell, content)
    }

    /// To another page of the brand.
    #[must_use]
    pub fn see(&self, path: &str) -> Response {
        see(format!("{}{path}", self.home))
    }
}

/// A form that a page of a brand showed to this member in this session.
pub struct Sent {
    /// Who, and where.
    pub at: At,
    /// What she filled in.
    pub form: Form,
}

impl Extract for Sent {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        let form = form::MyForm::extract(call)?.form;
        Ok(Self { at: At::extract(call)?, form })
    }
}

impl Sent {
    /// A field's text; empty if it isn't there.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.form.get(name)
    }
}

/// What an error of the API's says on a form: of fields that are named, and of the whole.
///
/// # Errors
/// The error, if whoever filled the form in can't mend it.
pub fn wrong(error: Error) -> Result<(StatusCode, String)> {
    if let Error::Invalid(errors) = &error {
        let told = errors.iter().map(|wrong| {
            if wrong.field == "Idempotency-Key" {
                return "this form was sent before and said something else: load the page again"
                    .to_owned();
            }
            let field = wrong.field.rsplit('.').next().unwrap_or_default().replace('_', " ");
            format!("{field} {}", wrong.reason)
        });
        let told: Vec<String> = told.map(|text| form::sentence(&text)).collect();
        return Ok((error.status(), told.join(" ")));
    }
    form::mendable(error)
}

#[cfg(test)]
mod tests {
    use super::TOLD;

    #[test]
    fn what_was_done_has_one_name_each() {
        for (at, (name, _)) in TOLD.iter().enumerate() {
            assert_eq!(TOLD.iter().position(|(other, _)| other == name), Some(at), "{name}");
        }
    }
}
