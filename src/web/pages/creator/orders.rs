//! Her orders: where each stands, and why it is hers.

use askama::Template;

use super::words::{self, EN, OrderFacts, Texts, Tone};
use super::{Her, Told, brand_of};
use crate::app::App;
use crate::domain::brand::Brand;
use crate::error::Result;
use crate::storage::mine;
use crate::web::api::me;
use crate::web::api::orders::OrderView;
use crate::web::extract::Params;
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::ui;

/// An order in a list.
pub struct Line {
    pub(super) name: String,
    pub(super) date: String,
    pub(super) word: &'static str,
    pub(super) tone: Tone,
    pub(super) means: String,
    pub(super) why: String,
    pub(super) base: String,
    pub(super) commission: String,
}

/// Orders as she reads them.
pub async fn lines(
    app: &App,
    her: &Her,
    brand: &Brand,
    orders: Vec<OrderView>,
) -> Result<Vec<Line>> {
    let (locale, zone) = (her.locale, &brand.timezone);
    let today = zone.day(app.now_ms());
    let ids: Vec<_> = orders.iter().map(|order| order.id).collect();
    let why = mine::why(app.db(), brand.id, &ids).await?;
    let mut lines = Vec::with_capacity(orders.len());
    for order in orders {
        let row = why.iter().find(|row| row.id == order.id);
        let decision = row.map(mine::WhyRow::decision).transpose()?.flatten();
        let facts = OrderFacts {
            state: &order.state,
            commission: order.commission,
            base: order.base,
            available: row.and_then(|row| row.available_day),
            today,
        };
        let (word, tone, means) = words::order_state(&facts, &locale);
        lines.push(Line {
            why: words::why_hers(decision.as_ref()),
            date: order.placed_at.map(|at| locale.date(zone.day(at.0))).unwrap_or_default(),
            base: locale.money(order.base),
            commission: locale.money(order.commission),
            name: order.name,
            word,
            tone,
            means,
        });
    }
    Ok(lines)
}

#[derive(Template)]
#[template(path = "creator/orders.html")]
struct Orders {
    t: &'static Texts,
    path: String,
    orders: Vec<Line>,
    first: bool,
    next: Option<String>,
}

/// A page of her orders, latest first.
pub async fn list(State(app): State<App>, her: Her, params: Params) -> Result<Response> {
    let params = params.only(&["cursor"])?;
    let brand = brand_of(&app, &her).await?;
    let first = params.get("cursor").is_none();
    let wanted =
        Params::of(&[("limit", "25"), ("cursor", params.get("cursor").unwrap_or_default())]);
    let Json(found) = me::orders(State(app.clone()), her.me, wanted).await?;
    let content = Orders {
        t: &EN,
        path: her.path("orders"),
        orders: lines(&app, &her, &brand, found.data).await?,
        first,
        next: found.next_cursor,
    };
    her.page(&app, ("orders", EN.orders), Told::default(), &content)
}
