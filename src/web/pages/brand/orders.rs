//! Orders, and why each is whose it is.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{BrandId, Creator, CreatorId, DealId};
use crate::error::Result;
use crate::storage::creators::{self, CreatorRow};
use crate::storage::deals;
use crate::web::api::orders::{self as api, OrderView};
use crate::web::extract::Params;
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At};
use crate::web::pages::ui::{self, Html};

use super::words;

/// Whose deals these are, by name.
pub struct Names(Vec<(DealId, String)>);

impl Names {
    /// Looks them up, all at once.
    ///
    /// # Errors
    /// 503 if D1 is away.
    pub async fn of(app: &App, brand: BrandId, mut ids: Vec<DealId>) -> Result<Self> {
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let deals = deals::by_ids(app.db(), brand, &ids, app.now_ms()).await?;
        let hers: Vec<CreatorId> = deals.iter().map(|deal| deal.creator_id).collect();
        let people = people(app, brand, &hers).await?;
        let name = |id| people.iter().find(|row| row.id == id).map(|row| row.name.clone());
        let named = deals.iter().map(|deal| (deal.id, name(deal.creator_id).unwrap_or_default()));
        Ok(Self(named.collect()))
    }

    /// The name for a deal, or what stands for it.
    #[must_use]
    pub fn get(&self, deal: &DealId) -> &str {
        self.0.iter().find(|(id, _)| id == deal).map_or("A deal", |(_, name)| name)
    }
}

/// These creators.
///
/// # Errors
/// 503 if D1 is away.
pub async fn people(app: &App, brand: BrandId, ids: &[CreatorId]) -> Result<Vec<CreatorRow>> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    Ok(creators::by_ids(app.db(), brand, &ids).await?)
}

#[derive(Template)]
#[template(path = "brand/orders.html")]
struct Orders<'a> {
    home: &'a str,
    from: &'a str,
    to: &'a str,
    of: Option<String>,
    wrong: String,
    orders: Vec<OrderView>,
    names: Names,
    pager: Html,
}

/// A page of the orders, of a period or a creator.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    let brand = at.seat.member()?.brand_id;
    let names = ["from", "to", "creator_id", "deal_id"];
    let filters: Vec<(&str, &str)> = names.iter().map(|name| (*name, at.get(name))).collect();
    let mut asked = filters.clone();
    asked.push(("cursor", at.get("cursor")));
    let found = api::list(State(app.clone()), at.seat.caller()?, Params::of(&asked)).await;
    let (status, wrong, orders, next) = match found {
        Ok(Json(list)) => (StatusCode::OK, String::new(), list.data, list.next_cursor),
        Err(error) => {
            let (status, told) = crate::web::pages::shell::wrong(*error)?;
            (status, told, Vec::new(), None)
        }
    };
    let ids = orders.iter().filter_map(|order| order.deal_id).collect();
    let of = match at.get("creator_id").parse::<crate::domain::ids::Id<Creator>>() {
        Ok(id) => people(&app, brand, &[id]).await?.into_iter().next().map(|row| row.name),
        Err(_) => None,
    };
    let content = Orders {
        home: &at.home,
        from: at.get("from"),
        to: at.get("to"),
        of,
        wrong,
        orders,
        names: Names::of(&app, brand, ids).await?,
        pager: ui::pager(&format!("{}/orders", at.home), &filters, next.as_ref()),
    };
    at.render((status, "Orders", Area::Orders), &at.csrf(&app), &content)
}
