//! What an action would do to many deals, and what that is called.

use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::ids::{BrandId, CreatorId, DealId};
use crate::domain::json::json;
use crate::domain::merkle::hex;
use crate::error::{Error, Result};
use crate::jobs::actions::{Foreseen, Prepared};
use crate::storage::actions;
use crate::web::json::view;

/// So many deals are looked at in one query.
const AT_ONCE: usize = 200;
/// A preview shows so many deals.
const SHOWN: usize = 20;

view! {
    /// What an action would do, as far as that can be seen from the deals.
    pub struct BulkPreview {
        /// How many deals there are.
        deals: i64,
        /// How many would be changed,
        change: i64,
        /// how many are as they should be,
        unchanged: i64,
        /// and how many it can't be done to.
        refused: i64,
        /// The first of those that would be changed, then of the others.
        data: Vec<BulkChange>,
        /// What to send along to do it.
        hash: String,
    }
}

view! {
    /// What an action would do to a deal.
    pub struct BulkChange {
        deal_id: DealId,
        creator_id: CreatorId,
        /// `change`, `unchanged` or `refused`.
        outcome: &'static str,
        /// What it is now; null where something is added.
        #[schema(required)]
        before: Option<String>,
        #[schema(required)]
        after: Option<String>,
        /// Why it is refused.
        #[schema(required)]
        reason: Option<String>,
    }
}

/// A deal, whose it is, and what would be done to it.
pub(super) struct Seen {
    pub(super) deal: DealId,
    creator: CreatorId,
    foreseen: Foreseen,
    /// Which terms it was foreseen from.
    agreed: String,
}

/// What an action would do to deals that must be there.
pub(super) async fn foresee(
    app: &App,
    brand: BrandId,
    prepared: &Prepared,
    deals: &[DealId],
) -> Result<Vec<Seen>> {
    let now_ms = app.now_ms();
    let mut seen = Vec::with_capacity(deals.len());
    for some in deals.chunks(AT_ONCE) {
        let (found, about) = actions::load_many(app.db(), brand, some, now_ms).await?;
        if found.len() != some.len() || about.len() != some.len() {
            return Err(Error::invalid("deal_ids", "names a deal that isn't there"));
        }
        seen.extend(found.iter().zip(&about).map(|(deal, about)| Seen {
            deal: deal.id,
            creator: deal.creator_id,
            agreed: prepared.agreed(deal),
            foreseen: prepared.foresee_alone(deal, about, now_ms),
        }));
    }
    Ok(seen)
}

/// What a preview is called: when it was made, so that each has a name of its own, and a hash of that, the action,
/// the deals, and what would become of each: of terms also in place of which.
pub(super) fn called(made: &str, action: &str, seen: &[Seen]) -> String {
    let mut digest = Sha256::new();
    digest.update(json!([made, action]));
    for one in seen {
        let (before, after) = match &one.foreseen {
            Foreseen::Change { before, after } => (before.as_deref(), after.as_deref()),
            _ => (None, None),
        };
        digest.update(json!([one.deal, outcome(&one.foreseen), before, after, &one.agreed]));
    }
    format!("{made}.{}", hex(&digest.finalize()))
}

fn outcome(foreseen: &Foreseen) -> &'static str {
    match foreseen {
        Foreseen::Change { .. } => "change",
        Foreseen::Unchanged => "unchanged",
        Foreseen::Refused(..) => "refused",
    }
}

/// The preview, with what it is called.
pub(super) fn preview(mut seen: Vec<Seen>, hash: String) -> BulkPreview {
    let count = |word: &str| {
        let fits = seen.iter().filter(|one| outcome(&one.foreseen) == word);
        i64::try_from(fits.count()).unwrap_or(i64::MAX)
    };
    let (change, unchanged, refused) = (count("change"), count("unchanged"), count("refused"));
    seen.sort_by_key(|one| match one.foreseen {
        Foreseen::Change { .. } => 0,
        Foreseen::Refused(..) => 1,
        Foreseen::Unchanged => 2,
    });
    let shown = |one: Seen| {
        let outcome = outcome(&one.foreseen);
        let (before, after, reason) = match one.foreseen {
            Foreseen::Change { before, after } => (before, after, None),
            Foreseen::Unchanged => (None, None, None),
            Foreseen::Refused(_, why) => (None, None, Some(why)),
        };
        let (deal_id, creator_id) = (one.deal, one.creator);
        BulkChange { deal_id, creator_id, outcome, before, after, reason }
    };
    BulkPreview {
        deals: change + unchanged + refused,
        change,
        unchanged,
        refused,
        data: seen.into_iter().take(SHOWN).map(shown).collect(),
        hash,
    }
}
