//! What a deal costs beside commission and fees: gifts.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{Cost, CostId, Deal, DealId};
use crate::domain::json::json;
use crate::domain::money::Money;
use crate::error::{Error, Result};
use crate::storage::notes::{self as rows, CostRow};
use crate::web::body::body;
use crate::web::extract::{Caller, Checks, Params, PathId, may};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::{self, view};
use crate::web::message::Response;
use crate::web::once::{Paying, contended};

use super::deals::{find, not_erased};
use super::view::{Date, List, Time};

/// The deal and the cost in the path.
pub struct CostPath(pub(crate) DealId, pub(crate) CostId);

impl Extract for CostPath {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let PathId(deal) = PathId::<Deal>::extract(call)?;
        let second = Call { id: call.second, identity: call.identity.clone(), ..*call };
        let PathId(cost) = PathId::<Cost>::extract(&second)?;
        Ok(Self(deal, cost))
    }
}

view! {
    /// What a gift cost.
    #[schema(as = Cost)]
    pub struct CostView {
        id: CostId,
        deal_id: DealId,
        product: Money,
        shipping: Money,
        /// On which day of the brand.
        on: Date,
        #[schema(required)]
        note: Option<String>,
        created_at: Time,
        /// When it was found to be wrong: it counts no more.
        #[schema(required)]
        voided_at: Option<Time>,
    }
}

impl From<CostRow> for CostView {
    fn from(row: CostRow) -> Self {
        Self {
            id: row.id,
            deal_id: row.deal_id,
            product: Money::new(row.product_minor, row.currency),
            shipping: Money::new(row.shipping_minor, row.currency),
            on: Date(row.day),
            note: row.note,
            created_at: Time(row.created_at_ms),
            voided_at: row.voided_at_ms.map(Time),
        }
    }
}

body! {
    /// What a gift cost: the products, sending them, or both, in one currency.
    pub struct NewCost {
        product: Option<Money>,
        shipping: Option<Money>,
        /// Today, where nothing is said.
        on: Option<Date>,
        note: Option<Option<String>>,
    }
}

/// Writes down what a gift cost. Nothing is posted: it counts in the deal's return on spend.
#[utoipa::path(post, path = "/v1/deals/{id}/costs", tag = "deals", request_body = NewCost,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path),
    ("Idempotency-Key" = String, Header)), responses((status = 201, body = CostView)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    Paying { once, body }: Paying<NewCost>,
) -> Result<Response> {
    if let Some(answer) = once.answered(&app, caller.brand).await? {
        return Ok(answer);
    }
    let mut checks = Checks::default();
    for (name, amount) in [("product", body.product), ("shipping", body.shipping)] {
        if amount.is_some_and(|amount| amount.minor < 0) {
            checks.refuse(name, "must not be less than nothing");
        }
    }
    let minor = |amount: Option<Money>| amount.map_or(0, |amount| amount.minor);
    let (product_minor, shipping_minor) = (minor(body.product), minor(body.shipping));
    if product_minor == 0 && shipping_minor == 0 {
        checks.refuse("product", "something must have cost more than nothing");
    }
    let currency = body.product.or(body.shipping).map(|amount| amount.currency);
    if body.product.zip(body.shipping).is_some_and(|(a, b)| a.currency != b.currency) {
        checks.refuse("shipping", "must be in the currency of the product");
    }
    let note = body.note.flatten().and_then(|note| checks.text("note", &note, 500));
    checks.done()?;
    let deal = find(&app, caller.brand, id.0).await?;
    not_erased(&app, caller.brand, deal.creator_id).await?;
    let zone = super::brand::find(&app, caller.brand).await?.brand.timezone;
    let now_ms = app.now_ms();
    let row = CostRow {
        id: app.new_id(),
        deal_id: deal.id,
        currency: currency.ok_or_else(|| Error::invalid("product", "must be there"))?,
        product_minor,
        shipping_minor,
        day: body.on.map_or(zone.day(now_ms), |date| date.0),
        note,
        created_at_ms: now_ms,
        voided_at_ms: None,
    };
    let insert = rows::insert_cost(caller.brand, &row);
    let told = json::text(&CostView::from(row));
    let what = ("cost.create", &*deal.id.to_string());
    let mut batch = vec![insert];
    batch.extend(caller.note_of_creator(&app, deal.creator_id, what, None, Some(told.clone())));
    let answer = once.commit(&app, caller.brand, batch, (StatusCode::CREATED, told)).await?;
    answer.ok_or_else(contended)
}

/// A deal's gifts, oldest first, those that were voided too.
#[utoipa::path(get, path = "/v1/deals/{id}/costs", tag = "deals", security(("api_key" = ["read"])),
    params(("id" = DealId, Path), ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<CostView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    params: Params,
) -> Result<Json<List<CostView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    find(&app, caller.brand, id.0).await?;
    let found = rows::costs(app.db(), caller.brand, id.0, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), CostView::from)))
}

/// A gift that was written down by mistake counts no more. Again is no fault.
#[utoipa::path(post, path = "/v1/deals/{id}/costs/{cost_id}/void", tag = "deals",
    security(("api_key" = ["deals"])), params(("id" = DealId, Path), ("cost_id" = CostId, Path)),
    responses((status = 200, body = CostView)))]
pub async fn void(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    CostPath(deal, id): CostPath,
) -> Result<Json<CostView>> {
    let found = rows::cost(app.db(), caller.brand, deal, id).await?.ok_or(Error::NotFound)?;
    if found.voided_at_ms.is_none() {
        let batch = vec![
            rows::void(caller.brand, deal, id, app.now_ms()),
            caller.note(&app, "cost.void", deal, None, Some(json!({ "cost_id": id }))),
        ];
        app.db().run(batch).await?;
    }
    let found = rows::cost(app.db(), caller.brand, deal, id).await?.ok_or(Error::NotFound)?;
    Ok(Json(found.into()))
}
