//! Terms of many deals at once: first a preview, then exactly what was previewed, all of it or nothing.

use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::ids::{CampaignId, CreatorId, DealId, TermsId};
use crate::domain::json::json;
use crate::domain::merkle::hex;
use crate::error::{Error, Result};
use crate::storage::deals::{self as rows, Matching, Selection, Start};
use crate::web::body::body;
use crate::web::extract::{Body, Caller, Checks, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, view};

use super::collections;
use super::terms::{NewTerms, Noted, refused};
use super::view::Percent;

/// So many deals change at once at most.
const MOST: i64 = 1000;

body! {
    /// New terms for many open deals.
    pub struct Bulk {
        terms: NewTerms,
        /// Only these; absent: all.
        deal_ids: Option<Vec<String>>,
        /// Only of this campaign.
        campaign_id: Option<String>,
        /// Only at this stage.
        stage: Option<String>,
        /// Only with this tag.
        tag: Option<String>,
        /// What the preview was called: this changes the deals, and is refused if anything in them
        /// has changed since. Absent: only a preview.
        preview: Option<String>,
    }
}

view! {
    /// What changes, or changed.
    pub struct BulkOutcome {
        deals: Vec<BulkDeal>,
        /// What to send along to do it.
        preview: String,
        /// So many deals were changed: none by a preview.
        changed: i64,
    }
}

view! {
    /// One deal and its rate before.
    struct BulkDeal {
        deal_id: DealId,
        creator_id: CreatorId,
        #[schema(required)]
        commission_percent: Option<Percent>,
        new_commission_percent: Percent,
    }
}

fn selection(checks: &mut Checks, new: &mut Bulk) -> Selection {
    let mut selection =
        Selection { stage: new.stage.take(), tag: new.tag.take(), ..Selection::default() };
    if let Some(ids) = new.deal_ids.take() {
        if i64::try_from(ids.len()).is_ok_and(|n| n > MOST) {
            checks.refuse("deal_ids", "must be at most 1000");
        }
        let parsed: std::result::Result<Vec<DealId>, _> = ids.iter().map(|id| id.parse()).collect();
        selection.deals = checks.field("deal_ids", parsed);
    }
    if let Some(id) = new.campaign_id.take() {
        selection.campaign = checks.field("campaign_id", id.parse::<CampaignId>());
    }
    selection
}

/// Gives many open deals the same new terms, all or none of them; first as a preview.
#[utoipa::path(post, path = "/v1/terms/bulk", tag = "deals", request_body = Bulk,
    security(("api_key" = ["deals"])), responses((status = 200, body = BulkOutcome),
    (status = 409, description = "Something changed since the preview")))]
pub async fn change(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(mut new): Body<Bulk>,
) -> Result<Json<BulkOutcome>> {
    collections::resolve(&app, &caller, &mut new.terms).await?;
    let mut checks = Checks::default();
    let selection = selection(&mut checks, &mut new);
    let (asked, now_ms) = (new.preview.take(), app.now_ms());
    let starts_at_ms = new.terms.starts_at();
    let nobody = DealId::from_bytes([0; 16]);
    let nothing = TermsId::from_bytes([0; 16]);
    let mut terms = new.terms.terms(&mut checks, nobody, nothing, starts_at_ms.unwrap_or(0));
    checks.done()?;
    let deals = rows::matching(app.db(), caller.brand, &selection, MOST + 1, now_ms).await?;
    if i64::try_from(deals.len()).is_ok_and(|n| n > MOST) {
        return Err(Error::refused("too-many-deals", "at most 1000 deals change at once"));
    }
    let preview = named(&deals, &json::text(&Noted(&terms)));
    let mut changed = 0;
    if let Some(asked) = asked {
        if asked != preview {
            return Err(preview_changed());
        }
        let start = if starts_at_ms.is_some() { Start::Exactly } else { Start::Soonest };
        terms.starts_at_ms = starts_at_ms.unwrap_or(now_ms);
        let each: Vec<(&Matching, TermsId)> =
            deals.iter().map(|deal| (deal, app.new_id())).collect();
        let mut batch =
            rows::insert_terms_of_many(caller.brand, &each, &terms, (start, ""), now_ms);
        let subjects: Vec<String> = deals.iter().map(|deal| deal.deal_id.to_string()).collect();
        let told = json::text(&Noted(&terms));
        batch.push(caller.note_many(&app, "terms.create", &subjects, told));
        app.db().run(batch).await.map_err(|error| {
            if error.is_constraint("terms.version") { preview_changed() } else { refused(error) }
        })?;
        changed = i64::try_from(deals.len()).unwrap_or(i64::MAX);
    }
    let view = |deal: Matching| BulkDeal {
        deal_id: deal.deal_id,
        creator_id: deal.creator_id,
        commission_percent: deal.rate_bp.map(Percent),
        new_commission_percent: Percent(terms.cited.rate),
    };
    Ok(Json(BulkOutcome { deals: deals.into_iter().map(view).collect(), preview, changed }))
}

fn preview_changed() -> Box<Error> {
    Error::refused("preview-changed", "the deals or the terms aren't those of the preview any more")
}

/// What a preview is called: a hash of the deals, of how many versions of terms each has, and of the
/// new terms.
fn named(deals: &[Matching], terms: &str) -> String {
    let one = |deal: &Matching| json!([deal.deal_id, deal.versions]);
    let all: Vec<String> = deals.iter().map(one).collect();
    hex(&Sha256::digest(json!([all, terms]).as_bytes()))
}
