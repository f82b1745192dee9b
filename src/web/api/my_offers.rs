//! Offers as the creator sees them: she accepts with time and hash, or declines; and asks for another rate.

use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::{Deal, DealId, Offer, OfferId};
use crate::domain::json::json;
use crate::domain::terms::{CitedTerms, Terms};
use crate::error::{Error, Result};
use crate::storage::offers::{self as rows, OfferRow};
use crate::storage::{Page, Statement, audit, deals};
use crate::web::body::body;
use crate::web::extract::{Body, Checks, Me, Params, PathId, RequestId};
use crate::web::handler::{Json, State};

use super::deals::find;
use super::offers::{OfferView, Outcome, answered, answering, document, one_waits, present_rules};
use super::view::{List, Percent};

/// The creator's offers and requests, latest first.
#[utoipa::path(get, path = "/v1/me/offers", tag = "creator", security(("creator" = [])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<OfferView>)))]
pub async fn mine(State(app): State<App>, me: Me, params: Params) -> Result<Json<List<OfferView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = of_creator(&app, &me, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), OfferView::from)))
}

/// A creator's offers and requests, latest first.
///
/// # Errors
/// Of the database.
pub(crate) async fn of_creator(app: &App, me: &Me, page: &Page) -> Result<Vec<OfferRow>> {
    let hers = deals::ids_of_creator(app.db(), me.brand, me.creator).await?;
    Ok(rows::list_of_deals(app.db(), me.brand, &hers, page).await?)
}

body! {
    /// The creator's answer to an offer.
    pub struct Acceptance {
        /// `accepted` or `declined`.
        #[schema(value_type = String)]
        outcome: Outcome,
        /// The hash of the document that she read; needed to accept.
        hash: Option<String>,
        note: Option<String>,
    }
}

/// Accepts or declines an offer. Whoever accepts says which document, by its hash.
#[utoipa::path(post, path = "/v1/me/offers/{id}/decision", tag = "creator",
    request_body = Acceptance, security(("creator" = [])), params(("id" = OfferId, Path)),
    responses((status = 200, body = OfferView),
    (status = 409, description = "Another document, or answered before")))]
pub async fn answer(
    State(app): State<App>,
    me: Me,
    RequestId(request_id): RequestId,
    id: PathId<Offer>,
    Body(new): Body<Acceptance>,
) -> Result<Json<OfferView>> {
    let row = rows::find(app.db(), me.brand, id.0).await?;
    let row = row.filter(|row| row.creator_id == me.creator).ok_or(Error::NotFound)?;
    if row.kind != "offer" {
        return Err(Error::refused("not-an-offer", "a request is the brand's to decide"));
    }
    let mut checks = Checks::default();
    let note = new.note.and_then(|note| checks.text("note", &note, 500));
    if new.outcome == Outcome::Accepted && new.hash.is_none() {
        checks.refuse("hash", "must be the hash of the document that is accepted");
    }
    checks.done()?;
    if new.hash.is_some_and(|hash| hash != row.hash) {
        return Err(Error::refused("another-document", "this is not the hash of what is offered"));
    }
    let mut batch = answering(&app, me.brand, &row, new.outcome, note.as_deref())?;
    let accepted = new.outcome == Outcome::Accepted;
    let told = json!({ "offer": row.id, "hash": row.hash, "accepted": accepted });
    batch.extend(hers(&app, &me, &request_id, ("offer.answer", row.deal_id), told));
    app.db().run(batch).await.map_err(answered)?;
    let row = rows::find(app.db(), me.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Json(row.into()))
}

/// Notes what a creator did about one of her deals.
fn hers(
    app: &App,
    me: &Me,
    request_id: &str,
    (action, deal): (&'static str, DealId),
    after: String,
) -> [Statement; 2] {
    let subject = deal.to_string();
    let done = audit::Done {
        id: app.new_id(),
        actor: Actor::Creator(me.creator),
        action,
        subject: &subject,
        request_id,
        before: None,
        after: Some(after),
    };
    audit::note_of_creator(me.brand, done, me.creator, app.now_ms())
}

body! {
    /// What a creator asks for.
    pub struct NewRequest {
        commission_percent: Percent,
        note: Option<String>,
    }
}

/// Asks for another rate. What the terms say beside the rate stays.
#[utoipa::path(post, path = "/v1/me/deals/{id}/requests", tag = "creator",
    request_body = NewRequest, security(("creator" = [])), params(("id" = DealId, Path)),
    responses((status = 201, body = OfferView), (status = 409, description = "One waits already")))]
pub async fn ask(
    State(app): State<App>,
    me: Me,
    RequestId(request_id): RequestId,
    id: PathId<Deal>,
    Body(new): Body<NewRequest>,
) -> Result<(StatusCode, Json<OfferView>)> {
    let deal = find(&app, me.brand, id.0).await?;
    if deal.creator_id != me.creator {
        return Err(Error::NotFound.into());
    }
    let mut checks = Checks::default();
    let note = new.note.and_then(|note| checks.text("note", &note, 500));
    checks.done()?;
    let brand = super::brand::find(&app, me.brand).await?.brand.name;
    let now_ms = app.now_ms();
    let rules = present_rules(&app, me.brand, id.0).await?;
    let offer = app.new_id();
    let cited = CitedTerms { id: app.new_id(), rate: new.commission_percent.0, rules };
    let terms = Terms { deal: id.0, starts_at_ms: now_ms, ends_at_ms: None, cited };
    let (document, hash) = document((offer, &brand, me.creator), &terms, None, None);
    let row = OfferRow {
        id: offer,
        deal_id: id.0,
        creator_id: me.creator,
        kind: "request".to_owned(),
        rate_bp: terms.cited.rate,
        rules: terms.cited.rules,
        starts_at_ms: None,
        ends_at_ms: None,
        document,
        hash,
        note,
        state: "waiting".to_owned(),
        answer: None,
        terms_id: None,
        template_id: None,
        template_version: None,
        created_at_ms: now_ms,
        decided_at_ms: None,
    };
    let mut batch = vec![rows::insert(me.brand, &row)];
    let told = json!({ "offer": row.id, "rate_bp": row.rate_bp.points() });
    batch.extend(hers(&app, &me, &request_id, ("request.create", id.0), told));
    app.db().run(batch).await.map_err(one_waits)?;
    Ok((StatusCode::CREATED, Json(row.into())))
}
