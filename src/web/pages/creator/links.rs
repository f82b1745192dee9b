//! Her links and codes, as QR codes too, and new links where the brand lets her make them.

use askama::Template;
use http::StatusCode;

use super::words::{EN, Texts};
use super::{Filled, Her, HerForm, Told, Wrong, amounts};
use crate::app::App;
use crate::domain::ids::{DealId, Link};
use crate::domain::{ids::LinkId, qr};
use crate::error::{Error, Result};
use crate::web::api::me::{self, MyDeal};
use crate::web::api::my_links::{self, MyNewLink};
use crate::web::extract::{Body, Params};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::ui;

#[derive(Template)]
#[template(path = "creator/links.html")]
struct Links<'a> {
    t: &'static Texts,
    csrf: String,
    path: String,
    deals: Vec<DealCard>,
    open: Vec<(DealId, String)>,
    may: bool,
    filled: Filled<'a>,
}

struct DealCard {
    campaign: String,
    rate: Option<String>,
    ended: bool,
    clicks: String,
    orders: String,
    revenue: String,
    commission: String,
    links: Vec<(LinkId, String, String)>,
    codes: Vec<String>,
}

async fn page(app: &App, her: &Her, told: Told<'_>, filled: Filled<'_>) -> Result<Response> {
    let stored = crate::web::api::brand::find(app, her.me.brand).await?;
    let Json(found) = me::earnings(State(app.clone()), her.me).await?;
    let open = found.deals.iter().filter(|deal| !deal.state.closed());
    let open: Vec<_> = open.map(|deal| (deal.id, deal.campaign.clone())).collect();
    let locale = her.locale;
    let card = |deal: MyDeal| DealCard {
        campaign: deal.campaign,
        rate: deal.commission_percent.map(|rate| locale.percent(&rate.0.to_percent())),
        ended: deal.state.closed(),
        clicks: locale.count(deal.clicks),
        orders: locale.count(deal.orders),
        revenue: amounts(&locale, &deal.revenue),
        commission: amounts(&locale, &deal.commission),
        links: deal.links.into_iter().map(|link| (link.id, link.url, link.target)).collect(),
        codes: deal.codes.into_iter().map(|code| code.code).collect(),
    };
    let content = Links {
        t: &EN,
        csrf: her.proof(app),
        path: her.path("links"),
        deals: found.deals.into_iter().map(card).collect(),
        may: stored.creators_make_links && !open.is_empty(),
        open,
        filled,
    };
    her.page(app, ("links", EN.links), told, &content)
}

/// Her links and codes.
pub async fn list(State(app): State<App>, her: Her, params: Params) -> Result<Response> {
    let done = params.only(&["done"])?.get("done").map(|_| EN.done_link);
    page(&app, &her, Told { done, wrong: None }, Filled { form: None, wrong: None }).await
}

/// Makes a link.
pub async fn create(State(app): State<App>, sent: HerForm) -> Result<Response> {
    let her = &sent.her;
    let made = match sent.form.get("deal_id").parse() {
        Err(_) => Err(Error::invalid("deal_id", "must be chosen")),
        Ok(deal_id) => {
            let (page, slug) = (Some(sent.text("page")), Some(sent.text("slug")));
            let new = MyNewLink { deal_id, page, slug };
            my_links::create(State(app.clone()), her.me, her.request(), Body(new)).await
        }
    };
    match made {
        Ok(_) => Ok(her.see("links?done=1")),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let filled = Filled { form: Some(&sent.form), wrong: Some(&wrong) };
            page(&app, her, Told { done: None, wrong: Some(&wrong) }, filled).await
        }
    }
}

/// A link as a picture to scan.
pub async fn qr(State(app): State<App>, her: Her) -> Result<Response> {
    let wanted = her.second::<Link>()?;
    let Json(found) = me::earnings(State(app.clone()), her.me).await?;
    let mut links = found.deals.into_iter().flat_map(|deal| deal.links);
    let link = links.find(|link| link.id == wanted).ok_or(Error::NotFound)?;
    let picture = qr::svg(&link.url).ok_or(Error::NotFound)?;
    Ok(Response::new(StatusCode::OK, "image/svg+xml", picture))
}
