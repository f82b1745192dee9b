//! Stores: how each is connected, whether all of its orders arrived, and what came from it.

pub mod adding;
pub mod affiliates;
pub mod codes;
pub mod groups;
pub mod quarantine;
pub mod shown;
pub mod wording;

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{BrandId, DealId};
use crate::error::{Error, Result};
use crate::web::api::codes as codes_api;
use crate::web::api::completeness::{self, Completeness};
use crate::web::api::import;
use crate::web::api::quarantine as quarantine_api;
use crate::web::api::stores::{self as api, StoreView};
use crate::web::extract::{Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Html, esc};

/// Days that a meter on the list is about.
const DAYS: &str = "over the last 30 days";
/// So many stores have a meter on the list: each asks the database.
const MOST_METERS: usize = 8;

/// What a page says beside what is there: what was wrong with a form, and what was filled in.
#[derive(Default)]
pub struct Told {
    status: StatusCode,
    wrong: String,
    filled: Vec<(String, String)>,
}

impl Told {
    /// What was wrong, with the fields that are shown again. Secrets never are.
    ///
    /// # Errors
    /// The error, if whoever filled the form in can't mend it.
    fn of(sent: &Sent, error: Error, names: &[&str]) -> Result<Self> {
        let (status, wrong) = wrong(error)?;
        let filled = names.iter().map(|name| ((*name).to_owned(), sent.get(name).to_owned()));
        Ok(Self { status, wrong, filled: filled.collect() })
    }

    /// What was filled in; empty if nothing was.
    fn was(&self, name: &str) -> &str {
        self.filled.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }
}

/// The pages about stores.
const TABS: [(&str, &str); 4] = [
    ("", "Stores"),
    ("/codes", "Codes"),
    ("/groups", "Affiliate groups"),
    ("/quarantine", "Deliveries set aside"),
];

/// The ways between them; `current` is where one is.
fn tabs(home: &str, current: &str) -> Html {
    let ways = TABS.map(|(path, label)| (format!("{home}/stores{path}"), label, path == current));
    ui::tabs("Stores", &ways)
}

/// The deal that somebody names: by its id, or its creator by her handle or address.
async fn deals_named(app: &App, brand: BrandId, names: &[&str]) -> Result<Vec<DealId>> {
    let found = import::deals_named(app, brand, names).await?.into_iter().zip(names);
    let deal = |(found, name): (std::result::Result<_, String>, &&str)| {
        found.map_err(|why| Error::invalid("creator", format!("{name}: {why}")))
    };
    found.map(deal).collect()
}

/// The deal that a form's field names, as [`deals_named`].
async fn deal_named(app: &App, brand: BrandId, name: &str) -> Result<DealId> {
    let found = deals_named(app, brand, &[name.trim()]).await?;
    found.first().copied().ok_or_else(|| Error::NotFound.into())
}

/// What is known of all the days that were compared: orders known, orders of the platform, and days.
pub(super) struct Sum {
    known: i64,
    platform: i64,
    missed: i64,
    days: i64,
}

impl Sum {
    fn of(told: &Completeness) -> Self {
        let mut sum = Self { known: 0, platform: 0, missed: 0, days: 0 };
        for day in told.data.iter().filter(|day| day.percent.is_some()) {
            let (known, platform) = (day.known.unwrap_or(0), day.platform.unwrap_or(0));
            sum.known = sum.known.saturating_add(known.min(platform));
            sum.platform = sum.platform.saturating_add(platform);
            sum.missed = sum.missed.saturating_add(day.missed);
            sum.days += 1;
        }
        sum
    }

    /// A bar with its number.
    fn meter(&self, of: &str) -> Html {
        if self.days == 0 {
            return Html::of("<p class=\"soft\">Not compared with the shop yet.</p>".to_owned());
        }
        let (known, all) = (self.known, self.platform);
        let percent = completeness::percent(known, all);
        let class = if known >= all { "whole" } else { "lacking" };
        let of = esc(of);
        let width = known.saturating_mul(1000).checked_div(all).unwrap_or(1000);
        Html::of(format!(
            "<div class=\"meter\"><div><span class=\"strong\">{percent} %</span> <span class=\"soft\">of orders {DAYS}</span></div>\
             <svg class=\"bar {class}\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Completeness of {of}: {percent} %, {known} of {all} orders\">\
             <rect class=\"ground\" width=\"1000\" height=\"10\"/><rect width=\"{width}\" height=\"10\"/></svg></div>"
        ))
    }
}

/// A store on the list.
struct Line {
    name: String,
    store: StoreView,
    meter: Option<Html>,
}

#[derive(Template)]
#[template(path = "brand/stores/list.html")]
struct Stores<'a> {
    home: &'a str,
    stores: Vec<Line>,
    pager: Html,
    aside: usize,
    failed: usize,
    may_admin: bool,
}

/// The brand's stores, and what of them needs a hand.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    let state = || State(app.clone());
    let asked = Params::of(&[("limit", "50"), ("cursor", at.get("cursor"))]);
    let Json(found) = api::list(state(), at.seat.caller()?, asked).await?;
    let most = || Params::of(&[("limit", "100")]);
    let Json(aside) = quarantine_api::list(state(), at.seat.caller()?, most()).await?;
    let failed = Params::of(&[("limit", "100"), ("state", "failed")]);
    let Json(failed) = codes_api::list(state(), at.seat.caller()?, failed).await?;
    let mut stores = Vec::new();
    for store in found.data {
        let measured = store.platform == "shopify" && store.connected_at.is_some();
        let meter = if measured && stores.len() < MOST_METERS {
            let (caller, id) = (at.seat.caller()?, PathId(store.id));
            let days = completeness::of_store(state(), caller, id, Params::of(&[])).await?;
            Some(Sum::of(&days.0).meter(&store.shop_domain))
        } else {
            None
        };
        stores.push(Line { name: wording::name(&store), store, meter });
    }
    let content = Stores {
        home: &at.home,
        stores,
        pager: ui::pager(&format!("{}/stores", at.home), &[], found.next_cursor.as_ref()),
        aside: aside.data.iter().filter(|one| one.replayable).count(),
        failed: failed.data.len(),
        may_admin: at.seat.may(Scope::Admin),
    };
    at.render((StatusCode::OK, "Stores", Area::Stores), &at.csrf(&app), &content)
}
