//! The brand's creators.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::ids::Creator;
use crate::error::Result;
use crate::storage::deals::{self, DealRow};
use crate::web::api::creators::{self as api, CreatorView};
use crate::web::api::money::{self, BalanceView};
use crate::web::extract::{ItemId, Params, PathId};
use crate::web::handler::{Json, State, Tagged};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At};
use crate::web::pages::ui::{self, Html};

#[derive(Template)]
#[template(path = "brand/creators.html")]
struct Creators<'a> {
    home: &'a str,
    creators: Vec<CreatorView>,
    pager: Html,
}

/// A page of the list.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    let asked = Params::of(&[("cursor", at.get("cursor"))]);
    let Json(found) = api::list(State(app.clone()), at.seat.caller()?, asked).await?;
    let path = format!("{}/creators", at.home);
    let pager = ui::pager(&path, &[], found.next_cursor.as_ref());
    let content = Creators { home: &at.home, creators: found.data, pager };
    at.render((StatusCode::OK, "Creators", Area::Creators), &at.csrf(&app), &content)
}

#[derive(Template)]
#[template(path = "brand/creator.html")]
struct Shown<'a> {
    home: &'a str,
    creator: CreatorView,
    balances: Vec<BalanceView>,
    deals: Vec<DealRow>,
}

/// One creator with her deals and what she has.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Creator>) -> Result<Response> {
    let (state, brand) = (|| State(app.clone()), at.seat.member()?.brand_id);
    let Tagged(creator) = api::show(state(), at.seat.caller()?, PathId(id.0)).await?;
    let Json(balances) = money::balances(state(), at.seat.caller()?, PathId(id.0)).await?;
    let ids = deals::ids_of_creator(app.db(), brand, id.0).await?;
    let deals = deals::by_ids(app.db(), brand, &ids, app.now_ms()).await?;
    let title = creator.name.clone();
    let content = Shown { home: &at.home, creator, balances: balances.data, deals };
    at.render((StatusCode::OK, &title, Area::Creators), &at.csrf(&app), &content)
}
