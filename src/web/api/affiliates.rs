//! GoAffPro's affiliates: who they may be, which deals they belong to, and asking for one.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{BrandId, Deal, DealId, Store, StoreId};
use crate::domain::json::json;
use crate::domain::task::Kind;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::jobs::outbox::put;
use crate::partners::goaffpro::is_ref_code;
use crate::storage::affiliates::{self as rows, AffiliateRow, RequestRow, RequestState};
use crate::storage::{DbError, creators};
use crate::web::body::body;
use crate::web::extract::{Body, Caller, Checks, Params, PathId, checked, may};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::view;

use super::deals::{find as find_deal, missing_parent};
use super::goaffpro::is_here;
use super::view::{List, Percent, Time};

/// What GoAffPro's ledger says of an affiliate, as it is kept.
struct Sums(String);

impl crate::domain::json::ToJson for Sums {
    fn write(&self, out: &mut Vec<u8>) {
        crate::domain::json::Raw(&self.0).write(out);
    }
}
impl utoipa::PartialSchema for Sums {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new().into()
    }
}
impl utoipa::ToSchema for Sums {}

view! {
    /// An affiliate at GoAffPro and whose it is here.
    #[schema(as = Affiliate)]
    pub struct AffiliateView {
        /// Its id at GoAffPro.
        id: String,
        /// `assigned`, `proposed` or `unknown`.
        state: String,
        /// Kept only while it belongs to no deal.
        #[schema(required)]
        name: Option<String>,
        ref_codes: Vec<String>,
        coupons: Vec<String>,
        /// As GoAffPro tells it.
        status: String,
        /// What it earns there, as GoAffPro tells it.
        commission: String,
        /// The deal it belongs to now.
        #[schema(required)]
        deal_id: Option<DealId>,
        /// The deal it may belong to.
        #[schema(required)]
        proposed_deal_id: Option<DealId>,
        /// By `coupon`, `ref_code` or `email`.
        #[schema(required)]
        proposed_by: Option<String>,
        /// What GoAffPro's ledger says by kind, decimal texts: `orders`, `rewards`, `payouts`, and
        /// `rewards_listed`, its list of rewards. `apart`: rows in another currency, or that can't be read.
        goaffpro: Sums,
        /// GoAffPro has it no more.
        gone: bool,
    }
}

fn view(row: AffiliateRow) -> AffiliateView {
    let proposals =
        [("coupon", row.by_coupon), ("ref_code", row.by_ref_code), ("email", row.by_email)];
    let proposal = proposals.into_iter().find_map(|(by, deal)| Some((by, deal?)));
    let state = match (row.deal_id, proposal) {
        (Some(_), _) => "assigned",
        (None, Some(_)) => "proposed",
        (None, None) => "unknown",
    };
    AffiliateView {
        id: row.id,
        state: state.to_owned(),
        name: row.name.filter(|name| !name.is_empty()),
        ref_codes: row.ref_codes,
        coupons: row.coupons,
        status: row.status,
        commission: row.commission,
        deal_id: row.deal_id,
        proposed_deal_id: proposal.map(|(_, deal)| deal),
        proposed_by: proposal.map(|(by, _)| by.to_owned()),
        goaffpro: Sums(row.sums),
        gone: row.gone_at_ms.is_some(),
    }
}

/// A store's affiliates, with the deals they may belong to.
#[utoipa::path(get, path = "/v1/stores/{id}/affiliates", tag = "stores", security(("api_key" = ["read"])),
    params(("id" = StoreId, Path), ("state" = Option<String>, Query),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<AffiliateView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Store>,
    params: Params,
) -> Result<Json<List<AffiliateView>>> {
    let params = params.only(&["state", "limit", "cursor"])?;
    is_here(&app, caller.brand, id.0).await?;
    let state = params.get("state");
    if state.is_some_and(|s| !["assigned", "proposed", "unknown"].contains(&s)) {
        return Err(Error::invalid("state", "must be assigned, proposed or unknown"));
    }
    let page = params.page()?;
    let found = rows::affiliates(app.db(), caller.brand, id.0, &page, state).await?;
    Ok(Json(List::page(found, &page, |row| row.id.clone(), view)))
}

/// The store and the number of something of GoAffPro's that a path names.
pub struct NumberedPath {
    /// Which store.
    pub store: StoreId,
    /// Digits.
    pub number: String,
}

impl Extract for NumberedPath {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let PathId(store) = PathId::<Store>::extract(call)?;
        let digits = call.second.bytes().all(|b| b.is_ascii_digit());
        if !digits || !(1..=20).contains(&call.second.len()) {
            return Err(Error::NotFound.into());
        }
        Ok(Self { store, number: call.second.to_owned() })
    }
}

async fn find(app: &App, brand: BrandId, at: &NumberedPath) -> Result<AffiliateRow> {
    let found = rows::affiliate(app.db(), brand, at.store, &at.number).await?;
    Ok(found.ok_or(Error::NotFound)?)
}

body! {
    /// The deal that an affiliate belongs to.
    pub struct Assignment {
        deal_id: DealId,
        /// Orders placed from then on count for the deal, unless somebody has them already; absent: now.
        starts_at: Option<Time>,
    }
}

/// Has an affiliate belong to a deal from a moment on: to one at a time.
#[utoipa::path(post, path = "/v1/stores/{id}/affiliates/{affiliate_id}/assignment", tag = "stores",
    request_body = Assignment, security(("api_key" = ["deals"])),
    params(("id" = StoreId, Path), ("affiliate_id" = String, Path)),
    responses((status = 200, body = AffiliateView),
    (status = 409, description = "It belonged to a deal later than that, or the deal has an affiliate there")))]
pub async fn assign(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    at: NumberedPath,
    Body(new): Body<Assignment>,
) -> Result<Json<AffiliateView>> {
    let now_ms = app.now_ms();
    let starts_at_ms = new.starts_at.map_or(now_ms, |at| at.0);
    if starts_at_ms > now_ms {
        return Err(Error::invalid("starts_at", "must not be in the future"));
    }
    change(&app, &caller, &at, Some(new.deal_id), starts_at_ms).await
}

/// Has an affiliate belong to no deal any more, from now on.
#[utoipa::path(delete, path = "/v1/stores/{id}/affiliates/{affiliate_id}/assignment", tag = "stores",
    security(("api_key" = ["deals"])),
    params(("id" = StoreId, Path), ("affiliate_id" = String, Path)),
    responses((status = 200, body = AffiliateView)))]
pub async fn unassign(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    at: NumberedPath,
) -> Result<Json<AffiliateView>> {
    let now_ms = app.now_ms();
    change(&app, &caller, &at, None, now_ms).await
}

async fn change(
    app: &App,
    caller: &Caller<may::Deals>,
    at: &NumberedPath,
    deal: Option<DealId>,
    starts_at_ms: Millis,
) -> Result<Json<AffiliateView>> {
    let (brand, store) = (caller.brand, at.store);
    let before = find(app, brand, at).await?;
    if let Some(deal) = deal {
        find_deal(app, brand, deal).await?;
    }
    if before.deal_id == deal {
        return Ok(Json(view(before)));
    }
    let now_ms = app.now_ms();
    let mut batch = rows::belongs(brand, (store, &at.number), deal, starts_at_ms, now_ms);
    // Orders that it brought since then are told anew.
    batch.push(put(app, brand, store, (Kind::GoaffproSync, "orders"), "{}"));
    let told = |deal: Option<DealId>, since: Option<Time>| json!({ "store_id": store, "affiliate_id": at.number, "deal_id": deal, "starts_at": since });
    let (old, new) = (told(before.deal_id, None), told(deal, Some(Time(starts_at_ms))));
    let (action, subject) = match deal {
        Some(deal) => ("affiliate.assign", deal.to_string()),
        None => ("affiliate.unassign", before.deal_id.map_or_else(String::new, |d| d.to_string())),
    };
    batch.push(caller.note(app, action, subject, Some(old), Some(new)));
    app.db().run(batch).await.map_err(refusal)?;
    Ok(Json(view(find(app, brand, at).await?)))
}

fn refusal(error: DbError) -> Box<Error> {
    if error.is_constraint("affiliate_deals") {
        let why = "the affiliate belonged to a deal at that time or later already";
        return Error::refused("assignment-overlaps", why);
    }
    if error.is_constraint("affiliates") {
        return Error::refused("deal-has-affiliate", "the deal has an affiliate at this store");
    }
    missing_parent(error)
}

body! {
    /// An affiliate that GoAffPro is to make for a deal.
    pub struct NewAffiliateBody {
        store_id: StoreId,
        /// Absent: GoAffPro makes one up.
        ref_code: Option<String>,
        /// A coupon, which must exist in the shop.
        coupon: Option<String>,
        /// What she is told there that she earns, in percent. What she earns here the deal's terms say.
        commission: Option<Percent>,
    }
}

view! {
    /// An affiliate that a deal asked GoAffPro for.
    #[schema(as = AffiliateRequest)]
    pub struct RequestView {
        deal_id: DealId,
        store_id: StoreId,
        #[schema(required)]
        ref_code: Option<String>,
        #[schema(required)]
        coupon: Option<String>,
        /// Percent.
        #[schema(required)]
        commission: Option<String>,
        /// `creating`, `active` or `failed`.
        state: String,
        /// Why it failed, in words.
        #[schema(required)]
        problem: Option<String>,
        #[schema(required)]
        affiliate_id: Option<String>,
    }
}

fn request_view(row: RequestRow) -> RequestView {
    let state = match row.state {
        RequestState::Creating => "creating",
        RequestState::Active => "active",
        RequestState::Failed => "failed",
    };
    RequestView {
        deal_id: row.deal_id,
        store_id: row.store_id,
        ref_code: row.ref_code,
        coupon: row.coupon,
        commission: row.percent,
        state: state.to_owned(),
        problem: Some(row.problem).filter(|problem| !problem.is_empty()),
        affiliate_id: row.affiliate_id,
    }
}

view! {
    /// The affiliates that a deal asked for, one a store.
    pub struct RequestList {
        data: Vec<RequestView>,
    }
}

/// The affiliates that a deal asked GoAffPro for.
#[utoipa::path(get, path = "/v1/deals/{id}/affiliate", tag = "stores", security(("api_key" = ["read"])),
    params(("id" = DealId, Path)), responses((status = 200, body = RequestList)))]
pub async fn requests(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
) -> Result<Json<RequestList>> {
    find_deal(&app, caller.brand, id.0).await?;
    let found = rows::requests(app.db(), caller.brand, id.0).await?;
    Ok(Json(RequestList { data: found.into_iter().map(request_view).collect() }))
}

/// Has GoAffPro make an affiliate for the deal's creator, or takes the one with her address; the deal is its
/// from then on.
#[utoipa::path(post, path = "/v1/deals/{id}/affiliate", tag = "stores", request_body = NewAffiliateBody,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path)),
    responses((status = 202, body = RequestView),
    (status = 409, description = "It was asked for already, or the deal has an affiliate there")))]
pub async fn request(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    Body(new): Body<NewAffiliateBody>,
) -> Result<(StatusCode, Json<RequestView>)> {
    let (brand, store) = (caller.brand, new.store_id);
    let deal = find_deal(&app, brand, id.0).await?;
    is_here(&app, brand, store).await?;
    let mut checks = Checks::default();
    if new.ref_code.as_deref().is_some_and(|code| !is_ref_code(code)) {
        checks.refuse("ref_code", "must be 1 to 64 letters, digits or -_.~");
    }
    let coupon = match &new.coupon {
        Some(coupon) => checks.text("coupon", coupon, 255).map(Some),
        None => Some(None),
    };
    checks.done()?;
    let creator = creators::find(app.db(), brand, deal.creator_id).await?.ok_or(Error::NotFound)?;
    if creator.email.is_none() {
        let why = "the creator has no e-mail address, which GoAffPro needs";
        return Err(Error::refused("no-address", why));
    }
    if rows::of_deal(app.db(), brand, deal.id, store).await?.is_some() {
        return Err(refusal(DbError::Constraint("affiliates".to_owned())));
    }
    let row = RequestRow {
        deal_id: deal.id,
        store_id: store,
        ref_code: new.ref_code,
        coupon: checked(coupon)?,
        percent: new.commission.map(|percent| percent.0.to_percent()),
        state: RequestState::Creating,
        problem: String::new(),
        affiliate_id: None,
    };
    let subject = deal.id.to_string();
    let told = json!({ "store_id": store, "ref_code": row.ref_code, "coupon": row.coupon,
        "commission_percent": row.percent });
    let batch = vec![
        rows::ask_affiliate(brand, &row, app.now_ms()),
        put(&app, brand, store, (Kind::GoaffproAffiliate, &subject), "{}"),
        caller.note(&app, "affiliate.create", deal.id, None, Some(told)),
    ];
    app.db().run(batch).await.map_err(|error| {
        if error.is_constraint("affiliate_requests") {
            return Error::refused("affiliate-asked", "this affiliate was asked for already");
        }
        missing_parent(error)
    })?;
    Ok((StatusCode::ACCEPTED, Json(request_view(row))))
}
