//! Terms that both sides agree to: a brand offers, the creator accepts with time and hash; a creator
//! asks for others, the brand grants or declines.

use http::StatusCode;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::ids::{
    BrandId, CreatorId, Deal, DealId, Offer, OfferId, TermTemplateId, TermsId,
};
use crate::domain::json::json;
use crate::domain::letter::Letter;
use crate::domain::merkle::hex;
use crate::domain::terms::{CitedTerms, Rules, Terms, in_force};
use crate::domain::time::{Millis, to_rfc3339};
use crate::error::{Error, Result};
use crate::storage::deals::{self, Selection, Start};
use crate::storage::offers::{self as rows, OfferRow};
use crate::storage::{DbError, Statement};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Checks, Params, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;
use crate::web::mail;
use crate::web::message::Response;

use super::collections;
use super::deals::{find, missing_parent, not_erased};
use super::term_templates;
use super::terms::{NewTerms, RulesText, refused};
use super::view::{List, Percent, Time};

view! {
    /// Terms that wait for an answer, or had one.
    #[schema(as = Offer)]
    pub struct OfferView {
        id: OfferId,
        deal_id: DealId,
        creator_id: CreatorId,
        /// `offer` by the brand, `request` by the creator.
        kind: String,
        /// `waiting`, `accepted`, `declined` or `withdrawn`.
        state: String,
        commission_percent: Percent,
        /// The whole of what is agreed to, as JSON text.
        document: String,
        /// The SHA-256 of the document's bytes, in hex.
        hash: String,
        #[schema(required)]
        note: Option<String>,
        #[schema(required)]
        answer: Option<String>,
        /// The version of terms that it became.
        #[schema(required)]
        terms_id: Option<TermsId>,
        /// The template that it was copied from, and its version then.
        #[schema(required)]
        template_id: Option<TermTemplateId>,
        #[schema(required)]
        template_version: Option<i64>,
        created_at: Time,
        #[schema(required)]
        decided_at: Option<Time>,
    }
}

impl From<OfferRow> for OfferView {
    fn from(row: OfferRow) -> Self {
        Self {
            id: row.id,
            deal_id: row.deal_id,
            creator_id: row.creator_id,
            kind: row.kind,
            state: row.state,
            commission_percent: Percent(row.rate_bp),
            document: row.document,
            hash: row.hash,
            note: row.note,
            answer: row.answer,
            terms_id: row.terms_id,
            template_id: row.template_id,
            template_version: row.template_version,
            created_at: Time(row.created_at_ms),
            decided_at: row.decided_at_ms.map(Time),
        }
    }
}

body! {
    /// Terms offered to a creator: written out, or those of a template as it is now.
    pub struct NewOffer {
        terms: Option<NewTerms>,
        /// Instead of terms.
        template_id: Option<String>,
        /// The words of the contract, part of what is agreed to; of a template its own, if nothing is said.
        contract: Option<String>,
        note: Option<String>,
    }
}

/// A text of several lines, as people wrote it.
pub(super) fn long_text(checks: &mut Checks, field: &str, text: Option<String>) -> Option<String> {
    let text = text?;
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.trim().is_empty() || text.len() > 20_000 || text.chars().any(odd) {
        checks.refuse(field, "must be text of at most 20,000 bytes");
    }
    Some(text)
}

/// What is agreed to, word for word, and its hash.
pub(super) fn document(
    (offer, brand, creator): (OfferId, &str, CreatorId),
    terms: &Terms,
    starts_at_ms: Option<Millis>,
    contract: Option<&str>,
) -> (String, String) {
    let text = json!({
        "offer": offer,
        "brand": brand,
        "creator_id": creator,
        "deal_id": terms.deal,
        "commission_percent": Percent(terms.cited.rate),
        "starts_at": starts_at_ms.map(to_rfc3339),
        "ends_at": terms.ends_at_ms.map(to_rfc3339),
        "rules": RulesText(&terms.cited.rules),
        "contract": contract,
    });
    let hash = hex(&Sha256::digest(text.as_bytes()));
    (text, hash)
}

/// What is offered, in the deal's own copy.
struct Offered {
    terms: Terms,
    starts_at_ms: Option<Millis>,
    template: Option<(TermTemplateId, i64)>,
    contract: Option<String>,
}

/// What a body offers: its own terms, or a template's.
async fn offered(
    app: &App,
    caller: &Caller<may::Deals>,
    deal: DealId,
    new: NewOffer,
    checks: &mut Checks,
) -> Result<Offered> {
    let now_ms = app.now_ms();
    match (new.terms, new.template_id) {
        (Some(mut terms), None) => {
            collections::resolve(app, caller, &mut terms).await?;
            let starts_at_ms = terms.starts_at();
            let terms = terms.terms(checks, deal, app.new_id(), now_ms);
            Ok(Offered { terms, starts_at_ms, template: None, contract: None })
        }
        (None, Some(told)) => {
            let row = term_templates::offered(app, caller.brand, &told).await?;
            if row.ends_at_ms.is_some_and(|end| end <= now_ms) {
                return Err(Error::refused("offer-over", "what the template offers has ended"));
            }
            let cited = CitedTerms { id: app.new_id(), rate: row.rate_bp, rules: row.rules };
            let starts = row.starts_at_ms.unwrap_or(now_ms);
            let terms = Terms { deal, starts_at_ms: starts, ends_at_ms: row.ends_at_ms, cited };
            let template = Some((row.id, row.version));
            Ok(Offered { terms, starts_at_ms: row.starts_at_ms, template, contract: row.contract })
        }
        (Some(_), Some(_)) => {
            Err(Error::invalid("template_id", "say terms or a template, not both"))
        }
        (None, None) => Err(Error::invalid("terms", "say terms or a template")),
    }
}

/// Offers terms to the deal's creator. They hold once she has accepted, not before.
#[utoipa::path(post, path = "/v1/deals/{id}/offers", tag = "deals", request_body = NewOffer,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path)),
    responses((status = 201, body = OfferView),
    (status = 409, description = "One waits already, or the template was put away")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    Body(mut new): Body<NewOffer>,
) -> Result<(StatusCode, Json<OfferView>)> {
    let deal = find(&app, caller.brand, id.0).await?;
    not_erased(&app, caller.brand, deal.creator_id).await?;
    let brand = super::brand::find(&app, caller.brand).await?.brand.name;
    let (offer, now_ms) = (app.new_id(), app.now_ms());
    let mut checks = Checks::default();
    let contract = long_text(&mut checks, "contract", new.contract.take());
    let note = new.note.take().and_then(|note| checks.text("note", &note, 500));
    let offered = offered(&app, &caller, deal.id, new, &mut checks).await?;
    checks.done()?;
    let Offered { terms, starts_at_ms, template, contract: of_template } = offered;
    let contract = contract.or(of_template);
    let who = (offer, brand.as_str(), deal.creator_id);
    let (document, hash) = document(who, &terms, starts_at_ms, contract.as_deref());
    let row = OfferRow {
        id: offer,
        deal_id: id.0,
        creator_id: deal.creator_id,
        kind: "offer".to_owned(),
        rate_bp: terms.cited.rate,
        rules: terms.cited.rules,
        starts_at_ms,
        ends_at_ms: terms.ends_at_ms,
        document,
        hash,
        note,
        state: "waiting".to_owned(),
        answer: None,
        terms_id: None,
        template_id: template.map(|(id, _)| id),
        template_version: template.map(|(_, version)| version),
        created_at_ms: now_ms,
        decided_at_ms: None,
    };
    let mut batch = vec![rows::insert(caller.brand, &row)];
    let told = Some(json!({ "offer": row.id, "hash": row.hash, "template_id": row.template_id,
        "template_version": row.template_version }));
    let what = ("offer.create", &*id.0.to_string());
    batch.extend(caller.note_of_creator(&app, deal.creator_id, what, None, told));
    batch.extend(tell(&app, caller.brand, &row, None).await?);
    app.db().run(batch).await.map_err(one_waits)?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// The mail that tells a creator of an offer, or what became of her request, if she has an address.
async fn tell(
    app: &App,
    brand: BrandId,
    row: &OfferRow,
    granted: Option<bool>,
) -> Result<Option<Statement>> {
    let found = mail::creators_address(app, brand, row.creator_id).await?;
    let Some((to, name)) = found else { return Ok(None) };
    let letter = Letter::TermsNews { brand: &name, granted };
    mail::compose(app, Some(brand), &format!("{}", row.id), &to, &letter).map(Some)
}

pub(super) fn one_waits(error: DbError) -> Box<Error> {
    if error.is_constraint("offers.brand_id") {
        return Error::refused(
            "offer-waiting",
            "one waits for an answer already: withdraw it first",
        );
    }
    if error.is_constraint("term_template_archived") {
        return term_templates::refused(error);
    }
    missing_parent(error)
}

/// What was answered before stays.
pub(super) fn answered(error: DbError) -> Box<Error> {
    if error.is_constraint("revision") {
        return Error::refused("offer-answered", "it doesn't wait for an answer any more");
    }
    if error.is_constraint("terms.version") {
        return Error::refused("terms-changed", "the deal's terms changed at the same moment");
    }
    refused(error)
}

fn state_and_kind(params: &Params) -> Result<(Option<&str>, Option<&str>)> {
    let one_of = |name: &'static str, words: &[&str]| match params.get(name) {
        Some(word) if !words.contains(&word) => Err(Error::invalid(name, "is none of the words")),
        found => Ok(found),
    };
    let state = one_of("state", &["waiting", "accepted", "declined", "withdrawn"])?;
    Ok((state, one_of("kind", &["offer", "request"])?))
}

/// The brand's offers and its creators' requests, latest first.
#[utoipa::path(get, path = "/v1/offers", tag = "deals", security(("api_key" = ["read"])),
    params(("state" = Option<String>, Query), ("kind" = Option<String>, Query),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<OfferView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<OfferView>>> {
    let params = params.only(&["state", "kind", "limit", "cursor"])?;
    let page = params.page()?;
    let found = rows::list(app.db(), caller.brand, state_and_kind(&params)?, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), OfferView::from)))
}

/// A deal's offers and requests, latest first.
#[utoipa::path(get, path = "/v1/deals/{id}/offers", tag = "deals", security(("api_key" = ["read"])),
    params(("id" = DealId, Path), ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<OfferView>)))]
pub async fn of_deal(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    params: Params,
) -> Result<Json<List<OfferView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    find(&app, caller.brand, id.0).await?;
    let found = rows::list_of_deals(app.db(), caller.brand, &[id.0], &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), OfferView::from)))
}

/// Withdraws an offer that waits.
#[utoipa::path(delete, path = "/v1/offers/{id}", tag = "deals",
    security(("api_key" = ["deals"])), params(("id" = OfferId, Path)),
    responses((status = 204, description = "Withdrawn"), (status = 409, description = "Answered")))]
pub async fn withdraw(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Offer>,
) -> Result<Response> {
    let offer = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    if offer.kind != "offer" {
        return Err(Error::refused("not-an-offer", "a request is granted or declined"));
    }
    let batch = vec![
        rows::answer(caller.brand, id.0, "withdrawn", (None, None), app.now_ms()),
        caller.note(&app, "offer.withdraw", offer.deal_id, None, Some(json!({ "offer": id.0 }))),
    ];
    app.db().run(batch).await.map_err(answered)?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

/// What became of an offer or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Yes.
    Accepted,
    /// No.
    Declined,
}

words!(Outcome { "accepted" => Accepted, "declined" => Declined });

body! {
    /// The brand's answer to a request.
    pub struct Decision {
        /// `accepted` or `declined`.
        #[schema(value_type = String)]
        outcome: Outcome,
        note: Option<String>,
    }
}

/// The terms that an accepted offer becomes: not before now, and as it says otherwise.
fn terms_of(row: &OfferRow, id: TermsId, now_ms: Millis) -> Result<(Terms, Start)> {
    if row.ends_at_ms.is_some_and(|end| end <= now_ms) {
        return Err(Error::refused("offer-over", "what is offered has ended"));
    }
    let starts_at_ms = row.starts_at_ms.unwrap_or(0).max(now_ms);
    let start = if starts_at_ms > now_ms { Start::Exactly } else { Start::Soonest };
    let cited = CitedTerms { id, rate: row.rate_bp, rules: row.rules.clone() };
    Ok((Terms { deal: row.deal_id, starts_at_ms, ends_at_ms: row.ends_at_ms, cited }, start))
}

/// The batch that answers, without its note.
pub(super) fn answering(
    app: &App,
    brand: BrandId,
    row: &OfferRow,
    outcome: Outcome,
    note: Option<&str>,
) -> Result<Vec<Statement>> {
    let now_ms = app.now_ms();
    if outcome == Outcome::Declined {
        return Ok(vec![rows::answer(brand, row.id, "declined", (note, None), now_ms)]);
    }
    let (terms, start) = terms_of(row, app.new_id(), now_ms)?;
    let answer = (note, Some(terms.cited.id));
    let mut batch = vec![rows::answer(brand, row.id, "accepted", answer, now_ms)];
    batch.extend(deals::insert_terms(brand, &terms, (start, None), &row.id.to_string(), now_ms));
    Ok(batch)
}

/// The batch that grants a request: the rate that was asked for, and beside it what the terms say now,
/// not what they said when she asked. Aborts if they change meanwhile.
async fn granting(
    app: &App,
    brand: BrandId,
    row: &OfferRow,
    note: Option<&str>,
) -> Result<Vec<Statement>> {
    let now_ms = app.now_ms();
    let only = Selection { deals: Some(vec![row.deal_id]), ..Selection::default() };
    let deal = deals::matching(app.db(), brand, &only, 1, now_ms).await?.pop();
    let deal = deal.ok_or(Error::refused("deal-closed", "the deal is closed"))?;
    let rules = present_rules(app, brand, row.deal_id).await?;
    let cited = CitedTerms { id: app.new_id(), rate: row.rate_bp, rules };
    let id = cited.id;
    let terms = Terms { deal: row.deal_id, starts_at_ms: now_ms, ends_at_ms: None, cited };
    let mut batch = vec![rows::answer(brand, row.id, "accepted", (note, Some(id)), now_ms)];
    let reason = row.id.to_string();
    let each = [(&deal, id)];
    batch.extend(deals::insert_terms_of_many(
        brand,
        &each,
        &terms,
        (Start::Soonest, &reason),
        now_ms,
    ));
    if let Some(season) = better_season(app, brand, row).await? {
        batch.extend(deals::insert_terms(brand, &season, (Start::Soonest, None), &reason, now_ms));
    }
    Ok(batch)
}

/// Grants or declines what a creator asked for. What the terms say beside the rate stays as it is.
#[utoipa::path(post, path = "/v1/offers/{id}/decision", tag = "deals", request_body = Decision,
    security(("api_key" = ["deals"])), params(("id" = OfferId, Path)),
    responses((status = 200, body = OfferView), (status = 409, description = "Answered before")))]
pub async fn decide(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Offer>,
    Body(decision): Body<Decision>,
) -> Result<Json<OfferView>> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    if row.kind != "request" {
        return Err(Error::refused("not-a-request", "an offer is the creator's to accept"));
    }
    let mut checks = Checks::default();
    let note = decision.note.and_then(|note| checks.text("note", &note, 500));
    checks.done()?;
    let outcome = decision.outcome;
    let mut batch = match outcome {
        Outcome::Declined => answering(&app, caller.brand, &row, outcome, note.as_deref())?,
        Outcome::Accepted => granting(&app, caller.brand, &row, note.as_deref()).await?,
    };
    let told = Some(json!({ "offer": row.id, "accepted": outcome == Outcome::Accepted }));
    batch.push(caller.note(&app, "request.decide", row.deal_id, None, told));
    let granted = Some(outcome == Outcome::Accepted);
    batch.extend(tell(&app, caller.brand, &row, granted).await?);
    app.db().run(batch).await.map_err(answered)?;
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Json(row.into()))
}

/// A season that gives more than is asked for, once more: later versions go first, and what is granted is for the
/// time after it. As [`crate::domain::tiers`] does it.
async fn better_season(app: &App, brand: BrandId, row: &OfferRow) -> Result<Option<Terms>> {
    let now_ms = app.now_ms();
    let mut all = deals::terms(app.db(), brand, row.deal_id).await?;
    all.reverse();
    let present = in_force(&all, |terms| (terms.starts_at_ms, terms.ends_at_ms), now_ms);
    let season = present.filter(|terms| terms.ends_at_ms.is_some() && terms.rate_bp > row.rate_bp);
    Ok(season.map(|season| {
        let cited =
            CitedTerms { id: app.new_id(), rate: season.rate_bp, rules: season.rules.clone() };
        Terms { deal: row.deal_id, starts_at_ms: now_ms, ends_at_ms: season.ends_at_ms, cited }
    }))
}

/// What the lasting terms of a deal say beside the rate just now.
pub(super) async fn present_rules(app: &App, brand: BrandId, deal: DealId) -> Result<Rules> {
    let mut lasting = deals::terms(app.db(), brand, deal).await?;
    lasting.retain(|terms| terms.ends_at_ms.is_none());
    lasting.reverse();
    let present = in_force(&lasting, |terms| (terms.starts_at_ms, None), app.now_ms());
    Ok(present.map(|terms| terms.rules.clone()).unwrap_or_default())
}
