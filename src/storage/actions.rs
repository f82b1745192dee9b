//! What was done to deals for a cause, and what is looked at before.

use super::deals::{self, DealRow};
use super::{Database, DbError, Freshness, Statement, bind, json_list, row, spelling, statements};
use crate::app::Pending;
use crate::domain::ids::{BrandId, CreatorId, DealId};
use crate::domain::time::Millis;

statements! {
    /// The same cause again aborts.
    INSERT = "
INSERT INTO deal_actions (brand_id, deal_id, cause, action, outcome, rule, why, subject, at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

    FIND = "
SELECT outcome, rule, why, subject FROM deal_actions WHERE brand_id = ?1 AND deal_id = ?2 AND cause = ?3";

    /// ?2 deals, ?3 now: what else decides whether something can be done to them.
    ABOUT = "
SELECT d.id AS deal_id, c.id AS creator_id, c.name, c.handle, c.email, c.erased_at_ms, c.merged_into,
  m.stages, c.person_id IS NOT NULL OR EXISTS (SELECT 1 FROM creator_tokens t
    WHERE t.brand_id = ?1 AND t.creator_id = c.id AND t.expires_at_ms > ?3) AS connected,
  (SELECT max(i.created_at_ms) FROM invitations i WHERE i.brand_id = ?1 AND i.creator_id = c.id
    AND i.expires_at_ms > ?3) AS invited_at_ms,
  EXISTS (SELECT 1 FROM unsubscribes u WHERE u.brand_id = ?1 AND u.email_hash = c.email_hash) AS unsubscribed
FROM json_each(?2) j CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = j.value
CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = d.creator_id
CROSS JOIN campaigns m ON m.brand_id = ?1 AND m.id = d.campaign_id ORDER BY d.id";
}

/// What became of an action on a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It was done.
    Done,
    /// Nothing was to be done.
    Unchanged,
    /// A rule said no.
    Refused,
    /// A fault of ours; nothing was done.
    Failed,
}

spelling!(Came { Done = "done", Unchanged = "unchanged", Refused = "refused", Failed = "failed" });

row! {
    /// What became of an action on a deal.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OutcomeRow {
        /// Which of them.
        pub outcome: Came,
        /// The rule that refused; empty where none did.
        pub rule: String,
        /// Why, in words.
        pub why: String,
        /// The ids of what was made, a JSON object.
        pub subject: String,
    }
    /// What else decides whether something can be done to a deal.
    #[derive(Debug, Clone)]
    pub struct AboutRow {
        /// Which deal.
        pub deal_id: DealId,
        /// Whose.
        pub creator_id: CreatorId,
        /// Her name.
        pub name: String,
        /// Her handle.
        pub handle: String,
        /// Her address.
        pub email: Option<String>,
        /// When she was erased, if she was.
        pub erased_at_ms: Option<Millis>,
        /// Who stayed of two who were the same, if that wasn't her.
        pub merged_into: Option<CreatorId>,
        /// The stages of the campaign.
        pub stages: Vec<String>,
        /// Whether she has access.
        pub connected: bool,
        /// When the latest invitation was made that hasn't expired.
        pub invited_at_ms: Option<Millis>,
        /// Whether she wants no more messages.
        pub unsubscribed: bool,
    }
}

/// Says what became of an action, in the batch that does it; the same cause again aborts.
#[must_use]
pub fn insert(
    brand: BrandId,
    (deal, cause): (DealId, &str),
    action: &str,
    row: &OutcomeRow,
    now_ms: Millis,
) -> Statement {
    let OutcomeRow { outcome, rule, why, subject } = row;
    bind!(INSERT, brand, deal, cause, action, *outcome, rule, why, subject, now_ms)
}

/// What became of this cause before, the deal, and what else is known about it, at one moment.
pub type Loaded = (Option<OutcomeRow>, Option<DealRow>, Option<AboutRow>);

/// Loads what an action on a deal is decided from.
///
/// # Errors
/// [`DbError`].
pub fn load<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deal: DealId,
    cause: &str,
    now_ms: Millis,
) -> Pending<'a, Result<Loaded, DbError>> {
    let running = db.run_on(
        Freshness::Primary,
        vec![
            bind!(FIND, brand, deal, cause),
            deals::read_many(brand, &[deal], now_ms),
            bind!(ABOUT, brand, json_list(&[deal]), now_ms),
        ],
    );
    Box::pin(async move {
        let results = running.await?;
        let [before, deal, about] = results.as_slice() else {
            return Err(DbError::Failed("an action without its rows".to_owned()));
        };
        Ok((before.first()?, deal.first()?, about.first()?))
    })
}

/// Deals, and what else is known about each.
pub type Many = (Vec<DealRow>, Vec<AboutRow>);

/// Loads what an action on many deals is foreseen from; both lists are in the order of the deals' ids.
///
/// # Errors
/// [`DbError`].
pub fn load_many<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    ids: &[DealId],
    now_ms: Millis,
) -> Pending<'a, Result<Many, DbError>> {
    let running = db.run_on(
        Freshness::Primary,
        vec![deals::read_many(brand, ids, now_ms), bind!(ABOUT, brand, json_list(ids), now_ms)],
    );
    Box::pin(async move {
        let results = running.await?;
        let [deals, about] = results.as_slice() else {
            return Err(DbError::Failed("deals without their rows".to_owned()));
        };
        Ok((deals.all()?, about.all()?))
    })
}
