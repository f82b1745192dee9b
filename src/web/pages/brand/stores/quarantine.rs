//! Deliveries that were authentic and could not be used: why, and once more.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{QuarantineId, StoreId};
use crate::error::{Error, Result};
use crate::web::api::quarantine::{self as api, QuarantinedView, Replayed};
use crate::web::api::stores;
use crate::web::extract::{Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Html};

use super::{tabs, wording};

/// So many are on a page, and tried again at once.
const PAGE: &str = "25";
const MOST: usize = 25;

#[derive(Template)]
#[template(path = "brand/stores/quarantine.html")]
struct Aside<'a> {
    home: &'a str,
    csrf: &'a str,
    deliveries: Vec<QuarantinedView>,
    stores: Vec<(StoreId, String)>,
    pager: Html,
    may_admin: bool,
    tried: Option<Tried>,
}

/// What became of those that were tried again.
#[derive(Default)]
struct Tried {
    status: StatusCode,
    worked: usize,
    unusable: usize,
    refused: Vec<String>,
}

impl Aside<'_> {
    fn store(&self, id: &StoreId) -> &str {
        self.stores.iter().find(|(known, _)| known == id).map_or("A store", |(_, name)| name)
    }

    /// Those on the page that can be tried again.
    fn again(&self) -> Vec<String> {
        let fit = self.deliveries.iter().filter(|one| one.replayable);
        fit.map(|one| one.id.to_string()).collect()
    }
}

async fn page(app: App, at: At, tried: Option<Tried>) -> Result<Response> {
    let state = || State(app.clone());
    let asked = Params::of(&[("limit", PAGE), ("cursor", at.get("cursor"))]);
    let Json(found) = api::list(state(), at.seat.caller()?, asked).await?;
    let many = Params::of(&[("limit", "200")]);
    let Json(stores) = stores::list(state(), at.seat.caller()?, many).await?;
    let csrf = at.csrf(&app);
    let path = format!("{}/stores/quarantine", at.home);
    let status = tried.as_ref().map_or(StatusCode::OK, |tried| tried.status);
    let content = Aside {
        home: &at.home,
        csrf: &csrf,
        deliveries: found.data,
        stores: stores.data.iter().map(|store| (store.id, wording::name(store))).collect(),
        pager: ui::pager(&path, &[], found.next_cursor.as_ref()),
        may_admin: at.seat.may(Scope::Admin),
        tried,
    };
    at.render((status, "Deliveries set aside", Area::Stores), &csrf, &content)
}

/// The deliveries, oldest first.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    page(app, at, None).await
}

/// Tries those again that the form names: one, or all of a page.
pub async fn replay(State(app): State<App>, sent: Sent) -> Result<Response> {
    let ids = sent.get("ids").split_whitespace().map(str::parse::<QuarantineId>);
    let ids: Vec<QuarantineId> =
        ids.collect::<std::result::Result<_, _>>().map_err(|_| Error::NotFound)?;
    let mut tried = Tried::default();
    if ids.is_empty() || ids.len() > MOST {
        return Err(Error::NotFound.into());
    }
    for id in ids {
        let caller = sent.at.seat.caller()?;
        match api::replay(State(app.clone()), caller, PathId(id)).await {
            Ok(Json(Replayed { reason: None, .. })) => tried.worked += 1,
            Ok(_) => tried.unusable += 1,
            Err(error) => {
                let (status, told) = wrong(*error)?;
                tried.status = status;
                tried.refused.push(told);
            }
        }
    }
    page(app, sent.at, Some(tried)).await
}
