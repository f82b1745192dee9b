//! Codes over all deals: how each does, those that failed once more, and those that exist taken over.

use askama::Template;
use serde_json::Value;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{CodeId, GroupId};
use crate::error::{Error, Result};
use crate::web::api::code_switch;
use crate::web::api::codes::{self as api, CodeStateView, CodeView};
use crate::web::api::groups;
use crate::web::extract::{Body, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::brand::orders::Names;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html};

use super::super::read;
use super::{Told, deal_named, tabs};

const PAGE: &str = "50";

const STATES: [(&str, &str); 7] = [
    ("", "All"),
    ("creating", "Being made"),
    ("active", "Active"),
    ("changed", "Changed in the shop"),
    ("failed", "Failed"),
    ("deactivated", "Switched off"),
    ("gone", "Gone from the shop"),
];

/// Codes with what can be done about each; also a part of a group's page.
#[derive(Template)]
#[template(path = "brand/stores/code_rows.html")]
pub struct Rows<'a> {
    home: &'a str,
    csrf: &'a str,
    codes: &'a [CodeView],
    names: &'a Names,
    /// Back to this group's page; empty: to the list.
    group: &'a str,
    may_change: bool,
}

impl<'a> Rows<'a> {
    /// The rows, as HTML.
    ///
    /// # Errors
    /// 500 if a template fails, which none can.
    pub fn of(
        (home, csrf): (&'a str, &'a str),
        codes: &'a [CodeView],
        names: &'a Names,
        group: &'a str,
        may_change: bool,
    ) -> Result<Html> {
        let rows = Self { home, csrf, codes, names, group, may_change };
        rows.render().map(Html::of).map_err(|e| Error::Internal(e.to_string()).into())
    }

    /// Whether it can be made anew: it was made here once.
    fn fails(&self, code: &CodeView) -> bool {
        self.may_change
            && matches!(code.state, CodeStateView::Failed | CodeStateView::Gone)
            && self.ours(code)
    }

    /// Whether what it takes off was said here.
    fn ours(&self, code: &CodeView) -> bool {
        code.affiliate_group_id.is_some() || code.discount.is_some()
    }

    /// What switching it would make of it.
    fn switch(&self, code: &CodeView) -> Option<(&'static str, &'static str)> {
        if !self.may_change || !self.ours(code) || code.pending {
            return None;
        }
        match code.state {
            CodeStateView::Active | CodeStateView::Changed => Some(("deactivated", "Switch off")),
            CodeStateView::Deactivated => Some(("active", "Switch on")),
            _ => None,
        }
    }

    /// The spelling that is offered for another try.
    fn spelling(&self, code: &'a CodeView) -> &'a str {
        code.suggestion.as_deref().unwrap_or(&code.code)
    }
}

#[derive(Template)]
#[template(path = "brand/stores/codes.html")]
struct Codes<'a> {
    home: &'a str,
    /// The address that shows this again.
    here: String,
    csrf: &'a str,
    rows: Html,
    empty: bool,
    waiting: bool,
    state: Html,
    group: Html,
    pager: Html,
    may_change: bool,
    told: &'a Told,
}

impl Codes<'_> {
    fn field(&self, name: &'static str, label: &str, hint: &str) -> Html {
        let value = self.told.was(name);
        ui::field(&Field { name, label, hint, value, required: true, ..Field::default() })
    }
}

async fn page(app: App, at: At, told: &Told) -> Result<Response> {
    let (state, group) = (at.get("state"), at.get("group"));
    let asked = [
        ("limit", PAGE),
        ("state", state),
        ("affiliate_group_id", group),
        ("cursor", at.get("cursor")),
    ];
    let here = || State(app.clone());
    let found = api::list(here(), at.seat.caller()?, Params::of(&asked)).await?;
    let Json(found) = found;
    let many = Params::of(&[("limit", "200")]);
    let Json(groups) = groups::list(here(), at.seat.caller()?, many).await?;
    let deals = found.data.iter().map(|code| code.deal_id).collect();
    let names = Names::of(&app, at.seat.member()?.brand_id, deals).await?;
    let csrf = at.csrf(&app);
    let may_change = at.seat.may(Scope::Deals);
    let states = STATES.map(|(value, label)| (value.to_owned(), label.to_owned()));
    let mut choices = vec![(String::new(), "All".to_owned())];
    choices.extend(groups.data.into_iter().map(|one| (one.id.to_string(), one.name)));
    let path = format!("{}/stores/codes", at.home);
    let content = Codes {
        home: &at.home,
        here: at.here("/stores/codes"),
        csrf: &csrf,
        rows: Rows::of((&at.home, &csrf), &found.data, &names, "", may_change)?,
        empty: found.data.is_empty(),
        waiting: found.data.iter().any(|code| code.pending),
        state: ui::select("state", "State", &states, state),
        group: ui::select("group", "Affiliate group", &choices, group),
        pager: ui::pager(&path, &[("state", state), ("group", group)], found.next_cursor.as_ref()),
        may_change,
        told,
    };
    at.render((told.status, "Codes", Area::Stores), &csrf, &content)
}

/// The codes, by state and group.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    page(app, at, &Told::default()).await
}

async fn after(app: App, sent: Sent, done: Result<&str>) -> Result<Response> {
    let group = sent.get("back").parse::<GroupId>().ok();
    let path =
        group.map_or_else(|| "/stores/codes".to_owned(), |id| format!("/stores/groups/{id}"));
    match done {
        Ok(name) => Ok(sent.at.see(&format!("{path}?done={name}"))),
        Err(error) => {
            let told = Told::of(&sent, *error, &["code", "creator"])?;
            page(app, sent.at, &told).await
        }
    }
}

fn code_id(sent: &Sent) -> Result<PathId<crate::domain::ids::Code>> {
    let id: CodeId = sent.get("id").parse().map_err(|_| Error::NotFound)?;
    Ok(PathId(id))
}

/// Has a code made anew, perhaps spelled otherwise.
pub async fn retry(State(app): State<App>, sent: Sent) -> Result<Response> {
    let work = async {
        let again = Body(super::super::body(&[("code", sent.get("spelling").trim())])?);
        code_switch::retry(State(app.clone()), sent.at.seat.caller()?, code_id(&sent)?, again).await
    };
    let done = work.await.map(|_| "retried");
    after(app, sent, done).await
}

/// Switches a code on or off.
pub async fn switch(State(app): State<App>, sent: Sent) -> Result<Response> {
    let work = async {
        let to = Body(super::super::body(&[("state", sent.get("to"))])?);
        code_switch::update(State(app.clone()), sent.at.seat.caller()?, code_id(&sent)?, to).await
    };
    let done = work.await.map(|_| "switched");
    after(app, sent, done).await
}

/// Takes one code over that exists in the shop.
pub async fn take_over(State(app): State<App>, sent: Sent) -> Result<Response> {
    let work = async {
        let caller = sent.at.seat.caller()?;
        let brand = sent.at.seat.member()?.brand_id;
        let deal = deal_named(&app, brand, sent.get("creator")).await?;
        let mut told = serde_json::Map::new();
        told.insert("code".to_owned(), Value::from(sent.get("code")));
        told.insert("create_in_store".to_owned(), Value::from(false));
        let new = Body(read(&Value::Object(told))?);
        api::add(State(app.clone()), caller, PathId(deal), new).await
    };
    let done = work.await.map(|_| "taken-over");
    after(app, sent, done).await
}
