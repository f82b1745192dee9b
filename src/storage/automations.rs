//! Automations, and what happened that starts them. Causes are written by triggers of `schema.sql`, on the tables
//! that change; what time brought about is looked for here.

use super::rows::{Columns, FromColumn, FromRow, spelling};
use super::{Database, Page, Reading, Statement, bind, ranks, row, statements};
use crate::domain::automation::{Kind, Total, Trigger, When};
use crate::domain::ids::{AutomationId, BrandId, CampaignId, DealId, RunId};
use crate::domain::json::json;
use crate::domain::tiers::Metric;
use crate::domain::time::{Day, Millis};

statements! {
    /// It begins with what happens from now on.
    INSERT = "
INSERT INTO automations (brand_id, id, name, kind, listens, campaign_id, trigger, conditions, first_only, steps,
  state, since_day, created_at_ms, changed_at_ms, from_sequence)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13,
  (SELECT coalesce(max(sequence), 0) FROM automation_causes WHERE brand_id = ?1))";

    /// ?12 the revision that was read: another aborts. ?14: it begins anew, on the day ?15.
    UPDATE = "
UPDATE automations SET name = ?3, kind = ?4, listens = ?5, campaign_id = ?6, trigger = ?7, conditions = ?8,
  first_only = ?9, steps = ?10, state = ?11, revision = iif(revision = ?12, revision + 1, NULL), changed_at_ms = ?13,
  from_sequence = iif(?14 = 1,
    (SELECT coalesce(max(c.sequence), 0) FROM automation_causes c WHERE c.brand_id = ?1), from_sequence),
  since_day = iif(?14 = 1, ?15, since_day), looked_day = iif(?14 = 1, NULL, looked_day),
  looked_to = iif(?14 = 1, '', looked_to)
WHERE brand_id = ?1 AND id = ?2 AND state <> 'removed'";

    FIND = "
SELECT id, name, kind, campaign_id, trigger, conditions, first_only, steps, state, revision, from_sequence, since_day,
  looked_day, looked_to, created_at_ms, changed_at_ms
FROM automations WHERE brand_id = ?1 AND id = ?2 AND state <> 'removed'";

    LIST = "
SELECT id, name, kind, campaign_id, trigger, conditions, first_only, steps, state, revision, from_sequence, since_day,
  looked_day, looked_to, created_at_ms, changed_at_ms
FROM automations WHERE brand_id = ?1 AND id > ?2 AND state <> 'removed' ORDER BY id LIMIT ?3";

    ENABLED = "
SELECT id, name, kind, campaign_id, trigger, conditions, first_only, steps, state, revision, from_sequence, since_day,
  looked_day, looked_to, created_at_ms, changed_at_ms
FROM automations WHERE brand_id = ?1 AND state = 'enabled' ORDER BY id";

    /// Forgets who had reached the threshold before.
    DROP_PAST = "DELETE FROM automation_past WHERE brand_id = ?1 AND automation_id = ?2";

    /// Deals that have reached it already: ?3 what is measured, ?4 in which currency, ?5 how much.
    /// What isn't in the totals yet is added up.
    PAST = "
INSERT INTO automation_past (brand_id, automation_id, deal_id)
SELECT ?1, ?2, h.deal_id FROM (
  SELECT t.deal_id, t.currency, t.orders, t.base_minor, t.commission_minor FROM deal_totals t
  WHERE t.brand_id = ?1 AND t.period = 0
    AND NOT EXISTS (SELECT 1 FROM totals_to_tell w WHERE w.brand_id = ?1 AND w.deal_id = t.deal_id)
  UNION ALL
  SELECT t.deal_id, t.currency, t.orders, t.base_minor, t.commission_minor
  FROM deal_days t WHERE t.brand_id = ?1
    AND t.deal_id IN (SELECT w.deal_id FROM totals_to_tell w WHERE w.brand_id = ?1)
) h WHERE ?3 = 'orders' OR h.currency = ?4 GROUP BY h.deal_id
HAVING sum(CASE ?3 WHEN 'orders' THEN h.orders WHEN 'revenue' THEN h.base_minor ELSE h.commission_minor END) >= ?5";

    /// A stage's new name, in what names it in its campaign: ?3 the name before, ?4 from now on.
    RENAME_STAGE = "
UPDATE automations SET trigger = iif(trigger ->> 'stage' = ?3, json_set(trigger, '$.stage', ?4), trigger),
  steps = (SELECT json_group_array(json(iif(j.value ->> 'stage' = ?3, json_set(j.value, '$.stage', ?4), j.value))
    ORDER BY j.key) FROM json_each(automations.steps) j), revision = revision + 1
WHERE brand_id = ?1 AND campaign_id = ?2 AND state <> 'removed'
  AND (trigger ->> 'stage' = ?3 OR EXISTS (SELECT 1 FROM json_each(automations.steps) j WHERE j.value ->> 'stage' = ?3))";

    /// Whether a campaign has this stage: ?2 which, or any that isn't put away.
    STAGE_KNOWN = "
SELECT c.id FROM campaigns c, json_each(c.stages) j WHERE c.brand_id = ?1 AND (?2 IS NULL OR c.id = ?2)
  AND c.archived_at_ms IS NULL AND j.value = ?3 LIMIT 1";

    /// Brands that listen to one of these kinds (bits).
    LISTENING = "SELECT id FROM brands WHERE (automations & CAST(?1 AS INTEGER)) > 0 ORDER BY id";

    /// Brands that something happened in.
    WAITING = "
SELECT b.id FROM brands b WHERE b.automations > 0
  AND (EXISTS (SELECT 1 FROM automation_causes c WHERE c.brand_id = b.id AND c.state = 'waiting')
    OR EXISTS (SELECT 1 FROM automation_orders n WHERE n.brand_id = b.id)) ORDER BY b.id";

    /// Orders that became a deal's, up to the news ?2, make causes.
    ATTRIBUTED = "
INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject)
SELECT ?1, (SELECT coalesce(max(sequence), 0) FROM automation_causes WHERE brand_id = ?1)
  + row_number() OVER (ORDER BY n.id), 'order_attributed/' || n.order_id || '/' || n.deal_id, 'order_attributed',
  n.deal_id, n.order_id
FROM automation_orders n WHERE n.brand_id = ?1 AND n.id <= ?2 AND n.attributed = 1
ON CONFLICT (brand_id, name) DO NOTHING";

    /// Deals whose orders changed, up to the news ?2, are looked at again.
    CHANGED = "
INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id)
SELECT ?1, (SELECT coalesce(max(sequence), 0) FROM automation_causes WHERE brand_id = ?1)
  + row_number() OVER (ORDER BY h.deal_id), 'threshold_reached/' || h.deal_id, 'threshold_reached', h.deal_id
FROM (SELECT DISTINCT n.deal_id FROM automation_orders n WHERE n.brand_id = ?1 AND n.id <= ?2) h
WHERE true ON CONFLICT (brand_id, name) DO UPDATE SET state = 'waiting', revision = revision + 1";

    HEARD = "DELETE FROM automation_orders WHERE brand_id = ?1 AND id <= ?2";

    /// How far the next ?2 news of orders go.
    NEWS_TO = "
SELECT max(h.id) AS last FROM (SELECT n.id FROM automation_orders n WHERE n.brand_id = ?1 ORDER BY n.id LIMIT ?2) h";

    /// What happened, first things first, with what is known of the deals that it is about: of a payment those of
    /// hers that are open, and whether something of it was earned there, since the payment in this currency before.
    CAUSES = "
SELECT c.sequence, c.name, c.kind, c.detail, c.subject, c.automation_id, c.run_id, c.revision,
  (SELECT r.chain FROM automation_runs r WHERE r.brand_id = ?1 AND r.id = c.run_id) AS chain,
  iif(c.deal_id IS NULL,
    (SELECT json_group_array(json_object('id', h.id, 'campaign_id', h.campaign_id, 'paid', h.paid)) FROM (
       SELECT d.id, d.campaign_id, EXISTS (SELECT 1 FROM (SELECT p.currency, p.approved_at_ms AS till, coalesce((
             SELECT max(q.approved_at_ms) FROM payout_lines m INDEXED BY payout_lines_by_creator
             CROSS JOIN payouts q ON q.brand_id = ?1 AND q.id = m.payout_id
             WHERE m.brand_id = ?1 AND m.creator_id = c.subject AND m.state IN ('in_payout', 'settled')
             AND q.currency = p.currency AND q.approved_at_ms < p.approved_at_ms), 0) AS since
           FROM payout_lines l INDEXED BY payout_lines_by_creator
           CROSS JOIN payouts p ON p.brand_id = ?1 AND p.id = l.payout_id
           WHERE l.brand_id = ?1 AND l.creator_id = c.subject AND instr(c.name, '/' || l.id || '/') > 0 LIMIT 1) part
         WHERE EXISTS (SELECT 1 FROM orders o INDEXED BY orders_by_deal WHERE o.brand_id = ?1 AND o.deal_id = d.id
             AND o.commission_minor > 0 AND o.currency = part.currency AND o.available_day <= part.till / 86400000 + 1
             AND (o.available_day > part.since / 86400000 OR o.changed_at_ms > part.since))
           OR EXISTS (SELECT 1 FROM fees f INDEXED BY fees_by_deal WHERE f.brand_id = ?1 AND f.deal_id = d.id
             AND f.state = 'posted' AND f.currency = part.currency
             AND coalesce(f.decided_at_ms, f.created_at_ms) BETWEEN part.since AND part.till)) AS paid
       FROM deals d INDEXED BY deals_by_creator WHERE d.brand_id = ?1 AND d.creator_id = c.subject
       AND d.closed_at_ms IS NULL ORDER BY d.id DESC LIMIT 50) h),
    (SELECT json_group_array(json_object('id', d.id, 'campaign_id', d.campaign_id, 'paid', 0)) FROM deals d
       WHERE d.brand_id = ?1 AND d.id = c.deal_id AND d.closed_at_ms IS NULL)) AS deals,
  iif(c.kind = 'threshold_reached', (SELECT json_group_array(json_object('currency', t.currency, 'orders', t.orders,
      'base_minor', t.base_minor, 'commission_minor', t.commission_minor)) FROM deal_totals t
        WHERE t.brand_id = ?1 AND t.deal_id = c.deal_id AND t.period = 0), '[]') AS totals
FROM automation_causes c INDEXED BY automation_causes_waiting
WHERE c.brand_id = ?1 AND c.state = 'waiting' ORDER BY c.sequence LIMIT ?2";

    /// What was looked at: ?2 a list of sequences and revisions. What changed again since waits on.
    DONE = "
UPDATE automation_causes SET state = 'done' FROM json_each(?2) j
WHERE brand_id = ?1 AND sequence = j.value ->> 0 AND automation_causes.revision = j.value ->> 1";
}

/// Whether an automation begins runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does.
    Enabled,
    /// It doesn't.
    Disabled,
    /// It is gone; its runs are still shown.
    Removed,
}
spelling!(State { Enabled = "enabled", Disabled = "disabled", Removed = "removed" });

impl FromColumn for Kind {
    fn from_column(value: &serde_json::Value) -> Option<Self> {
        Self::of(value.as_str()?)
    }
    fn placeholder() -> Self {
        Self::DealCreated
    }
}

/// An automation as it is stored.
#[derive(Debug, Clone)]
pub struct AutomationRow {
    /// Its id.
    pub id: AutomationId,
    /// What the brand calls it.
    pub name: String,
    /// What starts it.
    pub trigger: Trigger,
    /// A filter that a deal has to fit, '' for any.
    pub conditions: String,
    /// Only the first time in a deal.
    pub first_only: bool,
    /// Its steps, a JSON list.
    pub steps: String,
    /// Whether it begins runs.
    pub state: State,
    /// How often it was changed.
    pub revision: i64,
    /// It begins with causes after this one.
    pub from_sequence: i64,
    /// It begins with what time brings about from this day on.
    pub since_day: Day,
    /// The day that was looked at last.
    pub looked_day: Option<Day>,
    /// How far, '' to the end.
    pub looked_to: String,
    /// When it was made.
    pub created_at_ms: Millis,
    /// When it was changed.
    pub changed_at_ms: Millis,
}

impl FromRow for AutomationRow {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        let kind: Kind = columns.read("kind");
        let told: Told = columns.read("trigger");
        let when = told.when(kind);
        Self {
            id: columns.read("id"),
            name: columns.read("name"),
            trigger: Trigger {
                when: columns.checked("trigger", when),
                campaign: columns.read("campaign_id"),
            },
            conditions: columns.read("conditions"),
            first_only: columns.read("first_only"),
            steps: columns.read("steps"),
            state: columns.read("state"),
            revision: columns.read("revision"),
            from_sequence: columns.read("from_sequence"),
            since_day: columns.read("since_day"),
            looked_day: columns.read("looked_day"),
            looked_to: columns.read("looked_to"),
            created_at_ms: columns.read("created_at_ms"),
            changed_at_ms: columns.read("changed_at_ms"),
        }
    }
}

/// What a trigger says beside its kind, as it is kept.
struct Told {
    stage: Option<String>,
    metric: Option<Metric>,
    at_least: Option<i64>,
    currency: Option<crate::domain::money::Currency>,
    tiers: Option<crate::domain::ids::TiersId>,
    level: Option<String>,
    days: Option<i64>,
    day: Option<Day>,
}

impl FromRow for Told {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        Self {
            stage: columns.or_default("stage"),
            metric: columns.or_default("metric"),
            at_least: columns.or_default("at_least"),
            currency: columns.or_default("currency"),
            tiers: columns.or_default("tiers"),
            level: columns.or_default("level"),
            days: columns.or_default("days"),
            day: columns.or_default("day"),
        }
    }
}

impl Told {
    fn when(self, kind: Kind) -> Option<When> {
        Some(match kind {
            Kind::StageEntered => When::StageEntered(self.stage?),
            Kind::StageLeft => When::StageLeft(self.stage?),
            Kind::DealCreated => When::DealCreated,
            Kind::Invited => When::Invited,
            Kind::Accepted => When::Accepted,
            Kind::OrderAttributed => When::OrderAttributed,
            Kind::ThresholdReached => When::ThresholdReached {
                metric: self.metric?,
                at_least: self.at_least?,
                currency: self.currency?,
            },
            Kind::TierReached => When::TierReached { tiers: self.tiers, level: self.level },
            Kind::PayoutPaid => When::PayoutPaid,
            Kind::NoSale => When::NoSale(self.days?),
            Kind::FollowUpOverdue => When::FollowUpOverdue,
            Kind::PostPublished => When::PostPublished,
            Kind::Date => When::Date(self.day?),
        })
    }
}

impl FromColumn for When {
    fn from_column(_: &serde_json::Value) -> Option<Self> {
        None
    }
    fn placeholder() -> Self {
        Self::DealCreated
    }
}

/// How a measure is spelled where triggers are kept.
#[must_use]
pub fn metric_word(metric: Metric) -> &'static str {
    match metric {
        Metric::Orders => "orders",
        Metric::Revenue => "revenue",
        Metric::Commission => "commission",
    }
}

/// What a trigger says beside its kind, as JSON.
fn told(when: &When) -> String {
    match when {
        When::StageEntered(stage) | When::StageLeft(stage) => json!({ "stage": stage }),
        When::ThresholdReached { metric, at_least, currency } => {
            json!({ "metric": metric_word(*metric), "at_least": at_least, "currency": currency })
        }
        When::TierReached { tiers, level } => json!({ "tiers": tiers, "level": level }),
        When::NoSale(days) => json!({ "days": days }),
        When::Date(day) => json!({ "day": day.0 }),
        _ => "{}".to_owned(),
    }
}

row! {
    /// A deal that something happened in.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct CauseDeal {
        /// Which.
        pub id: DealId,
        /// Of which campaign.
        pub campaign_id: CampaignId,
        /// What was paid was earned there.
        pub paid: bool,
    }
    /// Something that happened.
    #[derive(Debug, Clone)]
    pub struct CauseRow {
        /// Its number in the brand.
        pub sequence: i64,
        /// What names it, once.
        pub name: String,
        /// Of which kind.
        pub kind: Kind,
        /// The stage or the level.
        pub detail: String,
        /// What it is about beside the deal: an order, tiers, a creator, a post.
        pub subject: String,
        /// The automation that looked for it.
        pub automation_id: Option<AutomationId>,
        /// The run that did it.
        pub run_id: Option<RunId>,
        /// How often it changed.
        pub revision: i64,
        /// The automations that led to it.
        pub chain: Option<Vec<AutomationId>>,
        /// The open deals that it is about, the latest first.
        pub deals: Vec<CauseDeal>,
        /// What the deal's orders come to, if that changed.
        pub totals: Vec<Total>,
    }
    struct News {
        last: Option<i64>,
    }
}

impl FromRow for Total {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        Self {
            currency: columns.read("currency"),
            orders: columns.read("orders"),
            base_minor: columns.read("base_minor"),
            commission_minor: columns.read("commission_minor"),
        }
    }
}

/// Stores a new automation; the hundred-and-first aborts (`automations_most`).
#[must_use]
pub fn insert(brand: BrandId, row: &AutomationRow) -> Vec<Statement> {
    let kind = row.trigger.when.kind();
    let mut batch = hear(brand, ALL_NEWS);
    batch.push(bind!(
        INSERT,
        brand,
        row.id,
        &row.name,
        kind.word(),
        kind.bit(),
        row.trigger.campaign,
        told(&row.trigger.when),
        &row.conditions,
        row.first_only,
        &row.steps,
        row.state,
        row.since_day.0,
        row.created_at_ms,
    ));
    batch.extend(past(brand, row));
    batch
}

/// Stores what an automation is now; one that changed since it was read aborts. `begins`: it begins with what
/// happens from now on, and on that day.
#[must_use]
pub fn update(
    brand: BrandId,
    row: &AutomationRow,
    begins: Option<Day>,
    now_ms: Millis,
) -> Vec<Statement> {
    let kind = row.trigger.when.kind();
    // What was told before it begins is numbered before it, too.
    let mut batch = if begins.is_some() { hear(brand, ALL_NEWS) } else { Vec::new() };
    batch.push(bind!(
        UPDATE,
        brand,
        row.id,
        &row.name,
        kind.word(),
        kind.bit(),
        row.trigger.campaign,
        told(&row.trigger.when),
        &row.conditions,
        row.first_only,
        &row.steps,
        row.state,
        row.revision,
        now_ms,
        begins.is_some(),
        begins.unwrap_or(row.since_day).0,
    ));
    if begins.is_some() {
        batch.push(bind!(DROP_PAST, brand, row.id));
        batch.extend(past(brand, row));
    }
    batch
}

/// Who has reached its threshold before.
fn past(brand: BrandId, row: &AutomationRow) -> Vec<Statement> {
    let When::ThresholdReached { metric, at_least, currency } = row.trigger.when else {
        return Vec::new();
    };
    if row.state != State::Enabled {
        return Vec::new();
    }
    let metric = metric_word(metric);
    let mut batch = Vec::from(ranks::note(brand, i64::from(u32::MAX)));
    batch.push(bind!(PAST, brand, row.id, metric, currency.code(), at_least));
    batch
}

/// One automation that wasn't removed.
///
/// # Errors
/// [`super::DbError`].
pub fn find(
    db: &dyn Database,
    brand: BrandId,
    id: AutomationId,
) -> Reading<'_, Option<AutomationRow>> {
    db.first(bind!(FIND, brand, id))
}

/// A page of automations.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    page: &Page,
) -> Reading<'a, Vec<AutomationRow>> {
    db.all(bind!(LIST, brand, &page.after, page.limit))
}

/// All that are enabled: a hundred at most.
///
/// # Errors
/// [`super::DbError`].
pub fn enabled(db: &dyn Database, brand: BrandId) -> Reading<'_, Vec<AutomationRow>> {
    db.all(bind!(ENABLED, brand))
}

/// A stage's new name, where automations of its campaign name it.
#[must_use]
pub fn rename_stage(brand: BrandId, campaign: CampaignId, (from, to): (&str, &str)) -> Statement {
    bind!(RENAME_STAGE, brand, campaign, from, to)
}

/// Whether this campaign, or any that isn't put away, has a stage of this name.
///
/// # Errors
/// [`super::DbError`].
pub fn stage_known<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    campaign: Option<CampaignId>,
    stage: &str,
) -> Reading<'a, bool> {
    let ask = bind!(STAGE_KNOWN, brand, campaign, stage);
    db.ask(super::Freshness::Primary, ask, |rows| Ok(!rows.is_empty()))
}

/// Brands that listen to one of these kinds.
///
/// # Errors
/// [`super::DbError`].
pub fn listening<'a>(db: &'a dyn Database, kinds: &[Kind]) -> Reading<'a, Vec<BrandId>> {
    let bits: i64 = kinds.iter().map(|kind| kind.bit()).sum();
    db.ask(super::Freshness::Primary, bind!(LISTENING, bits), |rows| rows.column("id"))
}

/// Brands in which something happened.
///
/// # Errors
/// [`super::DbError`].
pub fn waiting(db: &dyn Database) -> Reading<'_, Vec<BrandId>> {
    db.ask(super::Freshness::Primary, bind!(WAITING), |rows| rows.column("id"))
}

/// Beyond the number of any news.
const ALL_NEWS: i64 = 9_007_199_254_740_991;

/// Makes causes of what orders told, up to that news.
#[must_use]
pub fn hear(brand: BrandId, to: i64) -> Vec<Statement> {
    vec![bind!(ATTRIBUTED, brand, to), bind!(CHANGED, brand, to), bind!(HEARD, brand, to)]
}

/// How far the next `most` news of orders go, if there are any.
///
/// # Errors
/// [`super::DbError`].
pub async fn news(
    db: &dyn Database,
    brand: BrandId,
    most: i64,
) -> Result<Option<i64>, super::DbError> {
    let found: Option<News> = db.first(bind!(NEWS_TO, brand, most)).await?;
    Ok(found.and_then(|found| found.last))
}

/// What happened, first things first.
///
/// # Errors
/// [`super::DbError`].
pub fn causes(db: &dyn Database, brand: BrandId, most: i64) -> Reading<'_, Vec<CauseRow>> {
    db.all(bind!(CAUSES, brand, most))
}

/// What was looked at; what changed again since waits on.
#[must_use]
pub fn done(brand: BrandId, causes: &[CauseRow]) -> Statement {
    let looked: Vec<(i64, i64)> = causes.iter().map(|c| (c.sequence, c.revision)).collect();
    bind!(DONE, brand, json!(looked))
}
