//! Orders, and why each is whose it is.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{BrandId, Creator, CreatorId, DealId};
use crate::domain::time::to_rfc3339;
use crate::error::Result;
use crate::storage::creators::{self, CreatorRow};
use crate::storage::deals;
use crate::web::api::orders::{self as api, OrderView};
use crate::web::csv;
use crate::web::extract::Params;
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At};
use crate::web::pages::ui::{self, Html};

use super::lists::{self, PAGES};
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
    state: Html,
    whose: Html,
    /// What else narrows the list, kept while the form is sent.
    kept: Vec<(&'a str, &'a str)>,
    of: Option<String>,
    wrong: String,
    orders: Vec<OrderView>,
    names: Names,
    file: String,
    /// Whether there is a next page.
    more: bool,
    pager: Html,
}

/// How orders may stand, for a picker.
const STANDING: [(&str, &str); 7] = [
    ("", "Any"),
    ("paid", "Paid"),
    ("unpaid", "Not paid yet"),
    ("partially_refunded", "Partly refunded"),
    ("refunded", "Refunded"),
    ("cancelled", "Cancelled"),
    ("disputed", "Disputed"),
];
const WHOSE: [(&str, &str); 3] =
    [("", "Anybody’s or nobody’s"), ("yes", "A creator’s"), ("no", "Nobody’s")];
/// What may stand in a list's address.
const NARROWED: [&str; 6] = ["from", "to", "state", "attributed", "creator_id", "deal_id"];

/// A page of the orders, of a period or a creator.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    let brand = at.seat.member()?.brand_id;
    let filters: Vec<(&str, &str)> = NARROWED.iter().map(|name| (*name, at.get(name))).collect();
    if at.get("format") == "csv" {
        return as_file(&app, &at, &filters).await;
    }
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
    let texts = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect()
    };
    let content = Orders {
        home: &at.home,
        from: at.get("from"),
        to: at.get("to"),
        state: ui::select("state", "State", &texts(&STANDING), at.get("state")),
        whose: ui::select("attributed", "Whose", &texts(&WHOSE), at.get("attributed")),
        kept: filters.iter().filter(|(name, _)| name.ends_with("_id")).copied().collect(),
        of,
        wrong,
        orders,
        names: Names::of(&app, brand, ids).await?,
        file: file_of(&filters),
        more: next.is_some(),
        pager: ui::pager(&format!("{}/orders", at.home), &filters, next.as_ref()),
    };
    at.render((status, "Orders", Area::Orders), &at.csrf(&app), &content)
}

/// The same list as a file, as the query of its address.
fn file_of(filters: &[(&str, &str)]) -> String {
    ui::address("", filters.iter().copied().chain([("format", "csv")]))
}

/// The orders that the list shows, with whose they are, as a file.
async fn as_file(app: &App, at: &At, filters: &[(&str, &str)]) -> Result<Response> {
    let brand = at.seat.member()?.brand_id;
    let mut file = String::new();
    let heads = ["order_id", "external_id", "name", "placed_at", "state", "deal_id", "creator"];
    csv::line(&mut file, &[&heads[..], &["base", "commission", "currency"]].concat());
    let mut cursor = String::new();
    for _ in 0..PAGES {
        let mut asked = filters.to_vec();
        asked.extend([("limit", "200"), ("cursor", cursor.as_str())]);
        let Json(found) =
            api::list(State(app.clone()), at.seat.caller()?, Params::of(&asked)).await?;
        let ids = found.data.iter().filter_map(|order| order.deal_id).collect();
        let names = Names::of(app, brand, ids).await?;
        for order in &found.data {
            let cells = [
                order.id.to_string(),
                order.external_id.clone(),
                order.name.clone(),
                order.placed_at.map(|at| to_rfc3339(at.0)).unwrap_or_default(),
                order.state.clone(),
                order.deal_id.map(|id| id.to_string()).unwrap_or_default(),
                order.deal_id.map(|id| names.get(&id).to_owned()).unwrap_or_default(),
                order.base.to_decimal(),
                order.commission.to_decimal(),
                order.base.currency.to_string(),
            ];
            csv::line(&mut file, &cells.each_ref().map(String::as_str));
        }
        match found.next_cursor {
            Some(next) => cursor = next,
            None => return Ok(lists::as_file(file, "orders")),
        }
    }
    Err(lists::too_long())
}
