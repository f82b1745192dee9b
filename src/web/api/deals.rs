//! Deals with their terms, links, codes and invitations.

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, Pending};
use crate::domain::auth::TokenKind;
use crate::domain::deal::DealKind;
use crate::domain::ids::{
    BrandId, CampaignId, CodeId, CreatorId, Deal, DealId, InvitationId, LinkId, MemberId,
};
use crate::domain::json::json;
use crate::domain::letter::Letter;
use crate::domain::secret::token_hash;
use crate::domain::time::{DAY_MS, Millis, to_rfc3339};
use crate::error::{Error, Result};
use crate::storage::deals::{self as rows, DealRow, DealUpdate, NewDeal, Start};
use crate::storage::rows::from_json;
use crate::storage::{DbError, Statement, access, creators, members, personal};
use crate::web::body::{FromJson, body, words};
use crate::web::extract::{Acting, Body, Caller, Changing, Checks, Params, PathId, checked, may};
use crate::web::handler::{Json, State, Tagged};
use crate::web::json::{self, by_serde, view};
use crate::web::message::Response;
use crate::web::once::{ATTEMPTS, contended};
use crate::web::{limits, mail};

use super::code_switch::follow_deal;
use super::codes::CodeView;
use super::collections;
use super::filtering::{self, Asked, Of};
use super::terms::{NewTerms, Noted, TermsView};
use super::view::{List, Percent, Time};

/// An invitation holds for a week.
const INVITATION_DAYS: u32 = 7;

view! {
    /// One creator in one campaign.
    #[schema(as = Deal)]
    pub struct DealView {
        id: DealId,
        creator_id: CreatorId,
        campaign_id: CampaignId,
        stage: String,
        state: LinkState,
        /// The terms in force now; where none are yet, those that come next.
        #[schema(required)]
        terms: Option<TermsView>,
        /// Those that begin next, if there are any.
        #[schema(required)]
        next_terms: Option<TermsView>,
        links: Vec<LinkView>,
        codes: Vec<CodeView>,
        tags: Vec<String>,
        kind: DealKind,
        /// The member who looks after it.
        #[schema(required)]
        owner_id: Option<MemberId>,
        /// When the creator was last written to, or a note said that she was spoken to.
        #[schema(required)]
        last_contact_at: Option<Time>,
    }
}

by_serde!(DealKind);
words!(DealKind { "affiliate" => Affiliate, "gifting" => Gifting, "paid" => Paid,
    "ambassador" => Ambassador, "giveaway" => Giveaway, "usage_rights" => UsageRights });

/// Open or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = State)]
pub enum LinkState {
    /// It works.
    Open,
    /// It doesn't any more.
    Closed,
}

by_serde!(LinkState);
words!(LinkState { "open" => Open, "closed" => Closed });

impl LinkState {
    pub(super) fn of(closed_at_ms: Option<Millis>) -> Self {
        if closed_at_ms.is_some() { Self::Closed } else { Self::Open }
    }

    /// Whether it doesn't work any more.
    #[must_use]
    pub fn closed(self) -> bool {
        self == Self::Closed
    }
}

view! {
    /// A personal link.
    #[schema(as = Link)]
    pub struct LinkView {
        pub(crate) id: LinkId,
        pub(crate) slug: String,
        pub(super) target: String,
        /// The address to hand out.
        pub(crate) url: String,
        pub(super) state: LinkState,
        /// The code of the deal that the shop applies to who comes by it.
        #[schema(required)]
        pub(super) applies_code: Option<CodeId>,
    }
}

/// The address of a link on the host it is handed out on.
#[must_use]
pub fn link_url(app: &App, host: &str, slug: &str) -> String {
    if host.is_empty() {
        format!("{}/go/{slug}", app.config.public_origin)
    } else {
        format!("https://{host}/{slug}")
    }
}

/// What the API shows of a deal.
pub(super) fn view(app: &App, row: DealRow) -> DealView {
    DealView {
        id: row.id,
        creator_id: row.creator_id,
        campaign_id: row.campaign_id,
        stage: row.stage,
        state: LinkState::of(row.closed_at_ms),
        terms: row.terms.or_else(|| row.next_terms.clone()).map(TermsView::from),
        next_terms: row.next_terms.map(TermsView::from),
        links: row
            .links
            .into_iter()
            .map(|link| LinkView {
                url: link_url(app, &link.host, &link.slug),
                id: link.id,
                slug: link.slug,
                target: link.target,
                state: LinkState::of(link.closed_at_ms),
                applies_code: link.code_id,
            })
            .collect(),
        codes: row.codes.into_iter().map(CodeView::from).collect(),
        tags: row.tags,
        kind: row.kind,
        owner_id: row.owner_id,
        last_contact_at: row.contacted_at_ms.map(Time),
    }
}

/// The same as text.
pub(super) fn shown(app: &App, row: DealRow) -> String {
    json::text(&view(app, row))
}

/// A deal of the brand.
///
/// # Errors
/// 404.
pub fn find(app: &App, brand: BrandId, id: DealId) -> Pending<'_, Result<DealRow>> {
    Box::pin(async move {
        Ok(rows::find(app.db(), brand, id, app.now_ms()).await?.ok_or(Error::NotFound)?)
    })
}

/// Nothing new is agreed with somebody who was erased.
pub(super) fn not_erased(app: &App, brand: BrandId, creator: CreatorId) -> Pending<'_, Result<()>> {
    Box::pin(async move {
        match personal::erased(app.db(), brand, creator).await? {
            Some(row) if row.merged_into.is_some() => {
                Err(Error::refused("creator-merged", "this creator was merged into another"))
            }
            Some(row) if row.erased_at_ms.is_some() => {
                Err(Error::refused("creator-erased", "this creator was erased"))
            }
            _ => Ok(()),
        }
    })
}

/// So many mails with invitations a brand sends in a day,
const INVITATIONS_A_DAY: u32 = 1000;
/// and so many to one address.
const TO_ONE_ADDRESS: u32 = 20;

/// Keeps a brand from sending more invitations than anyone needs: the mail service is everybody's.
///
/// # Errors
/// 429.
pub async fn limit_invitations(app: &App, brand: BrandId, email: &str) -> Result<()> {
    limits::take(app, &format!("invite/{brand}/{email}"), TO_ONE_ADDRESS, DAY_MS).await?;
    limits::take(app, &format!("invite/{brand}"), INVITATIONS_A_DAY, DAY_MS).await
}

body! {
    /// A new deal.
    pub struct NewDealBody {
        creator_id: String,
        campaign_id: String,
        stage: Option<String>,
        commission_percent: Option<Percent>,
        starts_at: Option<Time>,
        /// The first terms, where they say more than a rate.
        terms: Option<NewTerms>,
        /// `affiliate` where nothing is said.
        kind: Option<DealKind>,
    }
}

impl NewDealBody {
    /// The first terms, if any are agreed.
    fn terms(&mut self, checks: &mut Checks) -> Option<NewTerms> {
        let plain = self.commission_percent.take().map(|commission_percent| NewTerms {
            commission_percent,
            starts_at: self.starts_at.take(),
            ..NewTerms::placeholder()
        });
        if self.starts_at.is_some() {
            checks.refuse("starts_at", "needs a commission_percent that starts then");
        }
        if plain.is_some() && self.terms.is_some() {
            checks.refuse("terms", "say the rate here or as commission_percent, not both");
        }
        plain.or(self.terms.take())
    }
}

/// Makes a deal, with its first terms if a rate is given.
#[utoipa::path(post, path = "/v1/deals", tag = "deals", request_body = NewDealBody,
    security(("api_key" = ["deals"])), responses((status = 201, body = DealView),
    (status = 404, description = "No such creator or campaign")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(mut new): Body<NewDealBody>,
) -> Result<(StatusCode, Json<DealView>)> {
    if let Some(terms) = &mut new.terms {
        collections::resolve(&app, &caller, terms).await?;
    }
    let mut checks = Checks::default();
    let creator = checks.field("creator_id", new.creator_id.parse::<CreatorId>());
    let campaign_id = checks.field("campaign_id", new.campaign_id.parse::<CampaignId>());
    let (id, now_ms): (DealId, _) = (app.new_id(), app.now_ms());
    let terms = new.terms(&mut checks);
    let terms = terms.map(|terms| terms.terms(&mut checks, id, app.new_id(), now_ms));
    checks.done()?;
    let (creator, campaign_id) = (checked(creator)?, checked(campaign_id)?);
    not_erased(&app, caller.brand, creator).await?;
    let campaign = creators::campaign(app.db(), caller.brand, campaign_id).await?;
    let campaign = campaign.ok_or(Error::NotFound)?;
    if campaign.archived_at_ms.is_some() {
        return Err(Error::refused("campaign-archived", "this campaign was put away"));
    }
    let stage = stage_of(&campaign.stages, new.stage.as_deref())?;
    let kind = new.kind.unwrap_or(DealKind::Affiliate);
    let deal = NewDeal { id, creator, campaign: campaign_id, stage: &stage, kind };
    let mut batch = vec![rows::insert(caller.brand, &deal, now_ms)];
    if let Some(terms) = &terms {
        batch.extend(rows::insert_terms(caller.brand, terms, (Start::Exactly, None), "", now_ms));
    }
    let rate_bp = terms.as_ref().map(|terms| terms.cited.rate.points());
    let made = json!({ "creator_id": creator, "campaign_id": campaign_id, "stage": stage,
        "kind": kind, "rate_bp": rate_bp, "terms": terms.as_ref().map(Noted) });
    batch.push(caller.note(&app, "deal.create", id, None, Some(made)));
    app.db().run(batch).await.map_err(missing_parent)?;
    Ok((StatusCode::CREATED, Json(view(&app, find(&app, caller.brand, id).await?))))
}

/// A reference to what isn't there, or is another brand's, is a 404.
pub(crate) fn missing_parent(error: DbError) -> Box<Error> {
    if error.is_constraint("FOREIGN KEY") {
        Error::NotFound.into()
    } else if error.is_constraint("stage_gone") {
        Error::refused("stage-gone", "the campaign's stages changed meanwhile")
    } else if error.is_constraint("creator_merged") {
        Error::refused("creator-merged", "this creator was merged into another")
    } else {
        error.into()
    }
}

/// A stage of the campaign; the first one where none is asked for.
pub(super) fn stage_of(stages: &str, wanted: Option<&str>) -> Result<String> {
    let stages: Vec<String> = from_json(stages).unwrap_or_default();
    let found = match wanted {
        None => stages.into_iter().next(),
        Some(wanted) => stages.into_iter().find(|stage| stage == wanted),
    };
    found.ok_or_else(|| Error::invalid("stage", "must be a stage of the campaign"))
}

/// The brand's deals: all of them in the order they were made, or those that a filter or a segment names, sorted.
/// The filter language is described in docs/filters.md; what is wrong with a text is told with its place. A page
/// looks at so many deals at most: it may be shorter than `limit`, even empty, and go on at `next_cursor`.
#[utoipa::path(get, path = "/v1/deals", tag = "deals", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query),
    ("filter" = Option<String>, Query,
        description = "A filter. Conditions with AND, OR, NOT and parentheses: texts `stage`, `campaign` (id or name), \
        `kind`, `owner`, `country`, `language`, `niche`, `tag` and `field.<name>` with `=`, `!=` or `IN (...)`; flags \
        `has_link`, `has_code`, `invited`; `state = open`; numbers `followers`, `engagement`, `days_since_last_sale`; \
        days `created`, `last_contact` (`2026-10-01`, `today-30d`); over a period `clicks`, `orders`, `revenue`, \
        `commission`, `conversion`, `revenue_per_commission`, with `[all]`, `[2026-10]`, `[this_month]`, \
        `[last_month]`, `[30d]`, `[2026-10-01..2026-10-20]` and for money a currency, `[30d, EUR]`; a text in quotes \
        alone looks for words. At most 2,000 characters and 30 conditions.",
        example = "followers >= 10000 AND (tag = \"vip\" OR stage = \"Posted\") AND NOT has_code AND revenue[30d] >= 500"),
    ("sort" = Option<String>, Query, description = "`created`, `name`, `followers`, `last_contact`, \
        `days_since_last_sale` or a measure over a period; descending with `-` before it. Measures over calendar \
        months and all time are sorted as of at most a minute ago.", example = "-revenue[2026-10]"),
    ("segment" = Option<String>, Query, description = "A segment's id: its filter, and its sort unless another is given")),
    responses((status = 200, body = List<DealView>), (status = 404, description = "No such segment"),
    (status = 422, description = "What is wrong, with its place")))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<DealView>>> {
    let params = params.only(filtering::PARAMS)?;
    if let Some(asked) = Asked::of(&app, caller.brand, Of::Deals, &params).await? {
        let brand = super::brand::find(&app, caller.brand).await?.brand;
        let (ids, next_cursor) = asked.page(&app, &brand, &params).await?;
        let mut found = rows::by_ids_text(app.db(), caller.brand, &ids, app.now_ms()).await?;
        found.sort_by_key(|row| ids.iter().position(|id| *id == row.id.to_string()));
        let data = found.into_iter().map(|row| view(&app, row)).collect();
        return Ok(Json(List { data, next_cursor }));
    }
    let page = params.page()?;
    let ids = rows::ids(app.db(), caller.brand, &page).await?;
    let found = rows::by_ids(app.db(), caller.brand, &ids, app.now_ms()).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), |row| view(&app, row))))
}

/// One deal.
#[utoipa::path(get, path = "/v1/deals/{id}", tag = "deals", security(("api_key" = ["read"])),
    params(("id" = DealId, Path)), responses((status = 200, body = DealView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
) -> Result<Tagged<DealView>> {
    Ok(Tagged(view(&app, find(&app, caller.brand, id.0).await?)))
}

body! {
    /// What to change of a deal; what is absent stays.
    pub struct DealChanges {
        stage: Option<String>,
        tags: Option<Vec<String>>,
        state: Option<LinkState>,
        kind: Option<DealKind>,
        /// The member who looks after it; null for nobody.
        owner_id: Option<Option<String>>,
    }
}

/// Changes a deal. Fees that wait for the stage that it reaches are posted with it; codes that end with the
/// deal are deactivated when it is closed, and activated when it is opened again.
#[utoipa::path(patch, path = "/v1/deals/{id}", tag = "deals", request_body = DealChanges,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path),
    ("If-Match" = Option<String>, Header)), responses((status = 200, body = DealView),
    (status = 412, description = "Changed since it was read")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    changing: Changing<DealChanges>,
) -> Result<Tagged<DealView>> {
    let changes = &changing.body;
    let mut checks = Checks::default();
    let tags = changes.tags.clone().map(|tags| super::creators::tags(&mut checks, tags));
    let owner = owner(&app, caller.brand, &mut checks, changes.owner_id.as_ref()).await?;
    let closed = changes.state.map(LinkState::closed);
    let mut update = DealUpdate { tags, closed, stage: None, kind: changes.kind, owner };
    for _ in 0..ATTEMPTS {
        let deal = find(&app, caller.brand, id.0).await?;
        not_erased(&app, caller.brand, deal.creator_id).await?;
        std::mem::take(&mut checks).done()?;
        if let Some(stage) = &changes.stage {
            let campaign = creators::campaign(app.db(), caller.brand, deal.campaign_id).await?;
            update.stage = Some(stage_of(&campaign.ok_or(Error::NotFound)?.stages, Some(stage))?);
        }
        changing.fits(&shown(&app, deal.clone()))?;
        let batch = updating(&app, &caller.acting(), &deal, &update).await?;
        match app.db().run(batch).await {
            Ok(_) => return Ok(Tagged(view(&app, find(&app, caller.brand, deal.id).await?))),
            // The deal, her balances or her fees changed meanwhile: decided anew.
            Err(DbError::Constraint(_)) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended())
}

/// The batch that changes a deal as it was read, with what follows for fees and codes. It aborts if the deal or
/// what follows changed since.
///
/// # Errors
/// 503 if D1 is away.
pub async fn updating(
    app: &App,
    acting: &Acting<'_>,
    deal: &DealRow,
    update: &DealUpdate,
) -> Result<Vec<Statement>> {
    let (brand, before) = (acting.brand, shown(app, deal.clone()));
    let mut batch = Vec::new();
    if let Some(stage) = update.stage.as_deref().filter(|stage| *stage != deal.stage) {
        batch = super::fees::reached(app, acting, deal.id, stage).await?;
    }
    batch.push(rows::update(brand, deal, update, app.now_ms()));
    if let Some(closed) = update.closed.filter(|closed| *closed != deal.closed_at_ms.is_some()) {
        batch.extend(follow_deal(app, brand, deal.id, !closed).await?);
    }
    let changed = json!({ "stage": update.stage, "tags": update.tags, "closed": update.closed,
            "kind": update.kind, "owner_id": update.owner.flatten() });
    let what = ("deal.update", &*deal.id.to_string());
    let creator = deal.creator_id;
    batch.extend(acting.note_of_creator(app, creator, what, Some(before), Some(changed)));
    Ok(batch)
}

/// The member that a body names as the one who looks after something; `Some(None)` for nobody.
pub(crate) async fn owner(
    app: &App,
    brand: BrandId,
    checks: &mut Checks,
    told: Option<&Option<String>>,
) -> Result<Option<Option<MemberId>>> {
    let Some(Some(text)) = told else { return Ok(told.map(|_| None)) };
    let found = match text.parse::<MemberId>() {
        Ok(id) => members::find(app.db(), brand, id).await?.map(|_| id),
        Err(_) => None,
    };
    Ok(checks.field("owner_id", found.ok_or("must be a member of the brand")).map(Some))
}

view! {
    /// An invitation to hand over; its address is shown only here.
    pub struct Invitation {
        /// Where to accept it. The token stands in the fragment, which no server sees.
        url: String,
        expires_at: Time,
    }
}

/// Invites the deal's creator.
#[utoipa::path(post, path = "/v1/deals/{id}/invitation", tag = "deals",
    security(("api_key" = ["deals"])), params(("id" = DealId, Path)),
    responses((status = 201, body = Invitation)))]
pub async fn invite(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
) -> Result<(StatusCode, Json<Invitation>)> {
    let deal = find(&app, caller.brand, id.0).await?;
    not_erased(&app, caller.brand, deal.creator_id).await?;
    let (_, view, batch) = inviting(&app, &caller.acting(), &deal).await?;
    app.db().run(batch).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// The batch that invites the deal's creator, with its mail if she has an address.
///
/// # Errors
/// 422 if her address is none that a mail can be sent to; 429 if the brand, or she, was sent too many; 503.
pub async fn inviting(
    app: &App,
    acting: &Acting<'_>,
    deal: &DealRow,
) -> Result<(InvitationId, Invitation, Vec<Statement>)> {
    let (brand, now_ms) = (acting.brand, app.now_ms());
    let token = TokenKind::Invitation.token(app.random());
    let id: InvitationId = app.new_id();
    let new = access::NewInvitation {
        id,
        deal: deal.id,
        creator: deal.creator_id,
        created_at_ms: now_ms,
        expires_at_ms: now_ms + Millis::from(INVITATION_DAYS) * DAY_MS,
    };
    let insert = access::insert_invitation(brand, &token_hash(&token), &new);
    let url = format!("{}/invitation#{token}", app.config.public_origin);
    // A new link ends those before it.
    let mut batch = vec![access::withdraw(brand, deal.creator_id), insert];
    let creator = creators::find(app.db(), brand, deal.creator_id).await?;
    if let Some(email) = creator.and_then(|creator| creator.email) {
        limit_invitations(app, brand, &email).await?;
        let name = super::brand::find(app, brand).await?.brand.name;
        let (campaign, days) = (&deal.campaign, INVITATION_DAYS);
        let letter = Letter::CreatorInvitation { brand: &name, campaign, link: &url, days };
        batch.push(mail::compose(app, Some(brand), &format!("invite/{id}"), &email, &letter)?);
        batch.push(rows::contacted(brand, deal.id, now_ms));
    }
    let made = json!({ "creator_id": new.creator, "invitation_id": new.id,
        "expires_at": to_rfc3339(new.expires_at_ms) });
    batch.push(acting.note(app, "deal.invite", deal.id, None, Some(made)));
    Ok((id, Invitation { url, expires_at: Time(new.expires_at_ms) }, batch))
}

/// Withdraws the invitations of the deal's creator that wait, and ends access that came of one.
#[utoipa::path(delete, path = "/v1/deals/{id}/invitation", tag = "deals",
    security(("api_key" = ["deals"])), params(("id" = DealId, Path)),
    responses((status = 204, description = "Withdrawn")))]
pub async fn uninvite(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
) -> Result<Response> {
    let deal = find(&app, caller.brand, id.0).await?;
    let batch = vec![
        access::withdraw(caller.brand, deal.creator_id),
        access::end_tokens(caller.brand, deal.creator_id),
        caller.note(&app, "deal.uninvite", deal.id, None, None),
    ];
    app.db().run(batch).await?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}
