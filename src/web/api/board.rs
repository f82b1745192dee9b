//! The board of a campaign, and moving deals on it.

use std::collections::HashSet;

use crate::app::App;
use crate::domain::deal::{DealKind, place_between};
use crate::domain::ids::{
    BrandId, Campaign, CampaignId, CreatorId, Deal, DealId, MemberId, SegmentId,
};
use crate::domain::json::json;
use crate::domain::money::Money;
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::storage::boards::{self as rows, After, CardRow, Place};
use crate::storage::deals::DealRow;
use crate::storage::orders::{self, DealTotals};
use crate::storage::rows::from_json;
use crate::storage::{DbError, Statement, creators};
use crate::web::body::body;
use crate::web::extract::{Acting, Caller, Changing, Checks, Params, PathId, encode_cursor, may};
use crate::web::handler::{Json, State, Tagged};
use crate::web::json::view;
use crate::web::once::{ATTEMPTS, contended};

use super::deals::{DealView, LinkState, find, not_erased, stage_of};
use super::filtering::{Asked, Of};
use super::view::{Date, Percent, Time};

view! {
    /// A campaign with its deals by stage.
    pub struct Board {
        campaign_id: CampaignId,
        name: String,
        columns: Vec<Column>,
    }
}

view! {
    /// A stage and its deals, in their order.
    struct Column {
        stage: String,
        /// How many deals are there, with a filter how many fit; null above 1,000, and with a filter while there are
        /// more to look at.
        #[schema(required)]
        deals: Option<i64>,
        data: Vec<Card>,
        /// With `stage`, the rest of the column.
        #[schema(required)]
        next_cursor: Option<String>,
    }
}

view! {
    /// A deal on a board.
    struct Card {
        id: DealId,
        creator_id: CreatorId,
        creator: String,
        handle: String,
        state: LinkState,
        kind: DealKind,
        tags: Vec<String>,
        #[schema(required)]
        owner_id: Option<MemberId>,
        /// The rate now.
        #[schema(required)]
        commission_percent: Option<Percent>,
        links: i64,
        codes: i64,
        /// Orders that aren't cancelled.
        orders: i64,
        revenue: Vec<Money>,
        commission: Vec<Money>,
        /// When the next follow-up is due.
        #[schema(required)]
        next_follow_up_on: Option<Date>,
        #[schema(required)]
        last_contact_at: Option<Time>,
    }
}

/// With a filter so many deals of each column are looked at, and so many of all together.
const LOOKED_AT: (i64, i64) = (200, 2_000);

/// How many deals of each of so many columns are looked at, with a filter.
fn looked_at(columns: usize) -> i64 {
    let each = LOOKED_AT.1 / i64::try_from(columns).unwrap_or(i64::MAX).max(1);
    each.clamp(1, LOOKED_AT.0)
}

/// A campaign's board: of each stage the first deals in their order, or of one `stage` a page. With a `filter` or a
/// `segment` those that fit of the next 200 deals of each stage, of 2,000 of all stages together.
#[utoipa::path(get, path = "/v1/campaigns/{id}/board", tag = "campaigns", security(("api_key" = ["read"])),
    params(("id" = CampaignId, Path), ("stage" = Option<String>, Query, description = "only this one"),
    ("filter" = Option<String>, Query), ("segment" = Option<SegmentId>, Query),
    ("limit" = Option<i64>, Query, description = "of each column, without a filter"),
    ("cursor" = Option<String>, Query, description = "of one `stage`")),
    responses((status = 200, body = Board)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Campaign>,
    params: Params,
) -> Result<Json<Board>> {
    let params = params.only(&["limit", "cursor", "stage", "filter", "segment"])?;
    let page = params.page()?;
    let campaign = super::campaigns::find(&app, caller.brand, id.0).await?;
    let mut stages: Vec<String> = from_json(&campaign.stages).unwrap_or_default();
    if let Some(stage) = params.get("stage") {
        stages = vec![stage_of(&campaign.stages, Some(stage))?];
    } else if !page.after.is_empty() {
        return Err(Error::invalid("cursor", "goes with a `stage`"));
    }
    let after = after(&page.after)
        .ok_or_else(|| Error::invalid("cursor", "is none that this list gave"))?;
    let asked = Asked::of(&app, caller.brand, Of::Deals, &params).await?;
    let (brand, now_ms) = (caller.brand, app.now_ms());
    let limit = if asked.is_some() { looked_at(stages.len()) } else { page.limit };
    let found = rows::columns(app.db(), brand, id.0, &stages, (&after, limit), now_ms).await?;
    let mut ids: Vec<DealId> =
        found.iter().flat_map(|(cards, _)| cards).map(|card| card.id).collect();
    if let Some(asked) = &asked {
        let brand = super::brand::find(&app, brand).await?.brand;
        ids = asked.fitting(&app, &brand, ids).await?;
    }
    let fit: HashSet<DealId> = ids.iter().copied().collect();
    let sums = app.db().all(orders::performance(brand, &ids, Day::FIRST, Day::END)).await?;
    let mut columns = Vec::new();
    for (stage, (mut cards, count)) in stages.into_iter().zip(found) {
        let full = i64::try_from(cards.len()).is_ok_and(|n| n >= limit);
        let key = |card: &CardRow| encode_cursor(&format!("{}/{}", card.place, card.id));
        let next_cursor = cards.last().filter(|_| full).map(key);
        let deals = if asked.is_none() {
            (count <= rows::COUNTED).then_some(count)
        } else {
            cards.retain(|card| fit.contains(&card.id));
            i64::try_from(cards.len()).ok().filter(|_| !full)
        };
        let data = cards.into_iter().map(|row| card(row, &sums)).collect();
        columns.push(Column { stage, deals, next_cursor, data });
    }
    Ok(Json(Board { campaign_id: campaign.id, name: campaign.name, columns }))
}

fn after(cursor: &str) -> Option<After> {
    if cursor.is_empty() {
        return Some(After { place: -(1 << 52), id: String::new() });
    }
    let (place, id) = cursor.split_once('/')?;
    let place: i64 = place.parse().ok()?;
    ((-(1 << 52)..1 << 52).contains(&place)).then(|| After { place, id: id.to_owned() })
}

fn card(row: CardRow, sums: &[DealTotals]) -> Card {
    // They come by deal.
    let from = sums.partition_point(|sum| sum.deal_id.to_string() < row.id.to_string());
    let hers: Vec<&DealTotals> =
        sums.iter().skip(from).take_while(|sum| sum.deal_id == row.id).collect();
    let money = |minor: fn(&DealTotals) -> i64| {
        hers.iter().map(|sum| Money::new(minor(sum), sum.currency)).collect()
    };
    Card {
        orders: hers.iter().map(|sum| sum.orders).sum(),
        revenue: money(|sum| sum.base_minor),
        commission: money(|sum| sum.commission_minor),
        id: row.id,
        creator_id: row.creator_id,
        creator: row.name,
        handle: row.handle,
        state: LinkState::of(row.closed_at_ms),
        kind: row.kind,
        tags: row.tags,
        owner_id: row.owner_id,
        commission_percent: row.rate_bp.map(Percent),
        links: row.links,
        codes: row.codes,
        next_follow_up_on: row.follow_up_day.map(Date),
        last_contact_at: row.contacted_at_ms.map(Time),
    }
}

body! {
    /// Where a deal goes: to a stage, right after or before another deal there, or as the last.
    pub struct Move {
        stage: String,
        after_id: Option<String>,
        before_id: Option<String>,
    }
}

/// Moves a deal to a stage and a place in its column. Its links, codes, orders and balances stay; fees that
/// wait for the stage are posted.
#[utoipa::path(post, path = "/v1/deals/{id}/move", tag = "deals", request_body = Move,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path),
    ("If-Match" = Option<String>, Header)), responses((status = 200, body = DealView),
    (status = 412, description = "Changed since it was read")))]
pub async fn move_deal(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    changing: Changing<Move>,
) -> Result<Tagged<DealView>> {
    let told = &changing.body;
    let mut checks = Checks::default();
    let mut other = |name: &str, text: Option<&String>| {
        text.and_then(|text| checks.field(name, text.parse::<DealId>()))
    };
    let after = other("after_id", told.after_id.as_ref());
    let before = other("before_id", told.before_id.as_ref());
    if told.after_id.is_some() && told.before_id.is_some() {
        checks.refuse("before_id", "say one of after_id and before_id");
    }
    if after == Some(id.0) || before == Some(id.0) {
        checks.refuse(
            if before.is_some() { "before_id" } else { "after_id" },
            "must be another deal",
        );
    }
    checks.done()?;
    let beside = after.map(|id| (id, true)).or(before.map(|id| (id, false)));
    for _ in 0..ATTEMPTS {
        let deal = find(&app, caller.brand, id.0).await?;
        not_erased(&app, caller.brand, deal.creator_id).await?;
        changing.fits(&super::deals::shown(&app, deal.clone()))?;
        let campaign = creators::campaign(app.db(), caller.brand, deal.campaign_id).await?;
        let stage = stage_of(&campaign.ok_or(Error::NotFound)?.stages, Some(&told.stage))?;
        let place = place(&app, caller.brand, (deal.id, deal.campaign_id), &stage, beside).await?;
        let batch = moving(&app, &caller.acting(), &deal, &stage, place).await?;
        match app.db().run(batch).await {
            Ok(_) => {
                let deal = find(&app, caller.brand, deal.id).await?;
                return Ok(Tagged(super::deals::view(&app, deal)));
            }
            // The deal, its stages or its fees changed meanwhile: decided anew.
            Err(DbError::Constraint(_)) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended())
}

/// The batch that moves a deal as it was read to a place of a stage, with the fees that waited for that.
/// It aborts if the deal, its fees or the campaign's stages changed since.
///
/// # Errors
/// 503 if D1 is away.
pub async fn moving(
    app: &App,
    acting: &Acting<'_>,
    deal: &DealRow,
    stage: &str,
    place: Place,
) -> Result<Vec<Statement>> {
    let mut batch = Vec::new();
    if stage != deal.stage {
        batch = super::fees::reached(app, acting, deal.id, stage).await?;
    }
    let at = (deal.campaign_id, stage);
    batch.extend(rows::put(acting.brand, (deal.id, deal.revision), at, place));
    let (was, now) = (json!({ "stage": deal.stage }), json!({ "stage": stage }));
    batch.push(acting.note(app, "deal.move", deal.id, Some(was), Some(now)));
    Ok(batch)
}

/// The place beside another deal, or after all.
async fn place(
    app: &App,
    brand: BrandId,
    (deal, campaign): (DealId, CampaignId),
    stage: &str,
    beside: Option<(DealId, bool)>,
) -> Result<Place> {
    let Some((other, after)) = beside else { return Ok(Place::Last) };
    let name = if after { "after_id" } else { "before_id" };
    let found = rows::neighbours(app.db(), brand, other, deal).await?;
    let found = found.filter(|row| row.campaign_id == campaign && row.stage == stage);
    let found =
        found.ok_or_else(|| Error::invalid(name, "is no deal at this stage of the campaign"))?;
    let (low, high) =
        if after { (Some(found.place), found.after) } else { (found.before, Some(found.place)) };
    Ok(place_between(low, high).map_or(Place::Beside(other, after), Place::At))
}
