//! Runs of automations: what began, how far each is, and what its steps did.

use super::automations::State;
use super::rows::spelling;
use super::{Database, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{AutomationId, BrandId, CampaignId, CreatorId, DealId, RunId};
use crate::domain::json::{Raw, json};
use crate::domain::time::Millis;

statements! {
    /// How often automations began in these deals: since ?3, and ever. What was stopped at once didn't begin.
    LATELY = "
SELECT r.automation_id, r.deal_id, sum(r.created_at_ms >= ?3) AS lately, count(*) AS ever
FROM json_each(?2) j CROSS JOIN automation_runs r INDEXED BY automation_runs_by_deal
  ON r.brand_id = ?1 AND r.deal_id = j.value
WHERE NOT (r.state = 'stopped' AND r.step = 0 AND r.reason LIKE 'stopped:%') GROUP BY r.automation_id, r.deal_id";

    /// ?2 what begins, in JSON. What began for the same already, or had happened before, doesn't.
    BEGIN = "
INSERT INTO automation_runs (brand_id, id, automation_id, deal_id, once, cause, chain, steps, state, reason, due_at_ms,
  created_at_ms, ended_at_ms)
SELECT ?1, j.value ->> 'id', j.value ->> 'automation', j.value ->> 'deal', j.value ->> 'once', j.value ->> 'cause',
  j.value -> 'chain', j.value -> 'steps', j.value ->> 'state', j.value ->> 'reason',
  iif(j.value ->> 'state' = 'running', ?3, NULL), ?3, iif(j.value ->> 'state' = 'running', NULL, ?3)
FROM json_each(?2) j WHERE NOT EXISTS (SELECT 1 FROM automation_past p WHERE p.brand_id = ?1
  AND p.automation_id = j.value ->> 'automation' AND p.deal_id = j.value ->> 'deal')
ORDER BY j.key ON CONFLICT (brand_id, automation_id, deal_id, once) DO NOTHING";

    DUE = "
SELECT brand_id, id, revision FROM automation_runs INDEXED BY automation_runs_due
WHERE due_at_ms <= ?1 ORDER BY due_at_ms LIMIT ?2";

    DUE_OF_BRAND = "
SELECT brand_id, id, revision FROM automation_runs INDEXED BY automation_runs_due_of_brand
WHERE brand_id = ?3 AND due_at_ms <= ?1 ORDER BY due_at_ms LIMIT ?2";

    /// Nobody else does its next step until ?5, if nobody did since it was read at revision ?3.
    TAKE = "
UPDATE automation_runs SET due_at_ms = ?5, revision = revision + 1
WHERE brand_id = ?1 AND id = ?2 AND revision = ?3 AND due_at_ms <= ?4
RETURNING automation_id, deal_id, cause, steps, step, tries, round, revision,
  (SELECT json_object('state', a.state, 'name', a.name) FROM automations a
    WHERE a.brand_id = automation_runs.brand_id AND a.id = automation_runs.automation_id) AS automation,
  (SELECT json_object('creator_id', d.creator_id, 'campaign_id', d.campaign_id, 'stage', d.stage,
      'open', d.closed_at_ms IS NULL, 'codes_under_way', (SELECT count(*) FROM codes k INDEXED BY codes_by_deal
        WHERE k.brand_id = d.brand_id AND k.deal_id = d.id AND k.state = 'creating'))
    FROM deals d WHERE d.brand_id = automation_runs.brand_id AND d.id = automation_runs.deal_id) AS deal";

    /// Where a run goes on; if somebody else went on with it since revision ?3, NULL aborts.
    GO_ON = "
UPDATE automation_runs SET revision = iif(revision = ?3 AND state = 'running', revision + 1, NULL), state = ?4,
  reason = ?5, step = ?6, tries = ?7, round = ?8, due_at_ms = ?9, ended_at_ms = ?10
WHERE brand_id = ?1 AND id = ?2";

    /// What a step did, in place of what was known of it.
    TELL = "
INSERT INTO automation_steps (brand_id, run_id, step, state, told, tries, made, at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (brand_id, run_id, step) DO UPDATE SET state = excluded.state,
  told = excluded.told, tries = excluded.tries, made = coalesce(excluded.made, made), at_ms = excluded.at_ms";

    /// NULL, which aborts, if it isn't failed any more.
    RETRY = "
UPDATE automation_runs SET state = iif(state = 'failed', 'running', NULL), reason = '', tries = 0, due_at_ms = ?3,
  ended_at_ms = NULL, revision = revision + 1 WHERE brand_id = ?1 AND id = ?2";

    FIND = "
SELECT r.id, r.automation_id, r.deal_id, r.cause, r.state, r.reason, r.step, r.tries, r.due_at_ms, r.created_at_ms,
  r.ended_at_ms, r.steps FROM automation_runs r WHERE r.brand_id = ?1 AND r.id = ?2";

    /// Latest first, before ?3; ?5 only in this state.
    OF_AUTOMATION = "
SELECT r.id, r.automation_id, r.deal_id, r.cause, r.state, r.reason, r.step, r.tries, r.due_at_ms, r.created_at_ms,
  r.ended_at_ms, r.steps FROM automation_runs r INDEXED BY automation_runs_by_automation
WHERE r.brand_id = ?1 AND r.automation_id = ?2 AND r.id < ?3 AND (?5 IS NULL OR r.state = ?5)
ORDER BY r.id DESC LIMIT ?4";

    OF_DEAL = "
SELECT r.id, r.automation_id, r.deal_id, r.cause, r.state, r.reason, r.step, r.tries, r.due_at_ms, r.created_at_ms,
  r.ended_at_ms, r.steps FROM automation_runs r INDEXED BY automation_runs_by_deal
WHERE r.brand_id = ?1 AND r.deal_id = ?2 AND r.id < ?3 AND (?5 IS NULL OR r.state = ?5)
ORDER BY r.id DESC LIMIT ?4";

    /// Of each of the automations of ?2 its latest ?3 runs, the latest first.
    STANDING = "
SELECT j.value AS automation_id, (SELECT json_group_array(json_object('state', s.state, 'at_ms', s.created_at_ms))
  FROM (SELECT r.state, r.created_at_ms FROM automation_runs r INDEXED BY automation_runs_by_automation
    WHERE r.brand_id = ?1 AND r.automation_id = j.value ORDER BY r.id DESC LIMIT ?3) s) AS latest
FROM json_each(?2) j";

    STEPS = "
SELECT step, state, told, tries, at_ms FROM automation_steps WHERE brand_id = ?1 AND run_id = ?2 ORDER BY step";

    /// Tells whoever listens that a run came to this step: ?2 the data.
    EVENT = "
INSERT INTO webhook_events (brand_id, sequence, type, data)
SELECT id, webhook_sequence + 1, 'automation.step', ?2 FROM brands WHERE id = ?1";

    /// How many endpoints listen to that.
    LISTENERS = "
SELECT count(*) AS endpoints FROM webhook_endpoints WHERE brand_id = ?1 AND state = 'active'
  AND (events = '[]' OR instr(events, '\"automation.step\"') > 0)";
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It goes on.
    Running,
    /// All steps were done.
    Done,
    /// A step was given up.
    Failed,
    /// It was ended, or never began.
    Stopped,
}
spelling!(RunState { Running = "running", Done = "done", Failed = "failed", Stopped = "stopped" });

impl RunState {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

row! {
    /// How often an automation began in a deal.
    #[derive(Debug, Clone, Copy)]
    pub struct BegunRow {
        /// Which automation.
        pub automation_id: AutomationId,
        /// In which deal.
        pub deal_id: DealId,
        /// Since the time that was asked for.
        pub lately: i64,
        /// Ever.
        pub ever: i64,
    }
    /// A run whose next step is due.
    #[derive(Debug, Clone, Copy)]
    pub struct DueRow {
        /// Whose.
        pub brand_id: BrandId,
        /// Which.
        pub id: RunId,
        /// How often it went on.
        pub revision: i64,
    }
    /// What is known of a run's automation.
    #[derive(Debug, Clone)]
    pub struct OfAutomation {
        /// Whether it begins runs.
        pub state: State,
        /// What the brand calls it.
        pub name: String,
    }
    /// What is known of a run's deal.
    #[derive(Debug, Clone)]
    pub struct OfDeal {
        /// Whose.
        pub creator_id: CreatorId,
        /// Of which campaign.
        pub campaign_id: CampaignId,
        /// At which stage.
        pub stage: String,
        /// Whether it is open.
        pub open: bool,
        /// How many of its codes the shop hasn't made yet.
        pub codes_under_way: i64,
    }
    /// A run that is ours for a while.
    #[derive(Debug, Clone)]
    pub struct TakenRow {
        /// Of which automation.
        pub automation_id: AutomationId,
        /// In which deal.
        pub deal_id: DealId,
        /// For what.
        pub cause: String,
        /// All of its steps, a JSON list.
        pub steps: String,
        /// The next one.
        pub step: u32,
        /// How often that was tried.
        pub tries: u32,
        /// How often steps were refused.
        pub round: i64,
        /// How often it went on.
        pub revision: i64,
        /// What is known of its automation.
        pub automation: Option<OfAutomation>,
        /// What is known of its deal.
        pub deal: Option<OfDeal>,
    }
    /// A run as it is shown.
    #[derive(Debug, Clone)]
    pub struct RunRow {
        /// Its id.
        pub id: RunId,
        /// Of which automation.
        pub automation_id: AutomationId,
        /// In which deal.
        pub deal_id: DealId,
        /// For what.
        pub cause: String,
        /// How it stands.
        pub state: RunState,
        /// Why.
        pub reason: String,
        /// The next step.
        pub step: i64,
        /// How often that was tried.
        pub tries: i64,
        /// When it goes on.
        pub due_at_ms: Option<Millis>,
        /// When it began.
        pub created_at_ms: Millis,
        /// When it ended.
        pub ended_at_ms: Option<Millis>,
        /// All of its steps, a JSON list.
        pub steps: String,
    }
    /// What a step did.
    #[derive(Debug, Clone)]
    pub struct StepRow {
        /// Its place.
        pub step: i64,
        /// `done`, `unchanged`, `waiting`, `trying` or `failed`.
        pub state: String,
        /// What it did, or what is in its way: JSON.
        pub told: String,
        /// How often it was tried.
        pub tries: i64,
        /// When.
        pub at_ms: Millis,
    }
    /// A run, as far as a list of automations tells it.
    #[derive(Debug, Clone, Copy)]
    pub struct LatestRow {
        /// How it stands.
        pub state: RunState,
        /// When it began.
        pub at_ms: Millis,
    }
    /// How an automation's latest runs stand.
    #[derive(Debug, Clone)]
    pub struct StandingRow {
        /// Which automation.
        pub automation_id: AutomationId,
        /// Its runs, the latest first.
        pub latest: Vec<LatestRow>,
    }
    struct Listeners {
        endpoints: i64,
    }
}

/// How often automations began in these deals, since a time and ever.
///
/// # Errors
/// [`super::DbError`].
pub fn lately<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deals: &[DealId],
    since_ms: Millis,
) -> Reading<'a, Vec<BegunRow>> {
    db.all(bind!(LATELY, brand, super::json_list(deals), since_ms))
}

/// The latest 30 runs of these automations, for whoever looks at all of them.
///
/// # Errors
/// [`super::DbError`].
pub fn standing<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    ids: &[AutomationId],
) -> Reading<'a, Vec<StandingRow>> {
    db.all(bind!(STANDING, brand, super::json_list(ids), 30_i64))
}

/// A run that begins, or is kept to say why it doesn't.
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// Of which automation.
    pub automation: AutomationId,
    /// In which deal.
    pub deal: DealId,
    /// It is begun once for this.
    pub once: String,
    /// For what.
    pub cause: String,
    /// The automations that led to it, and itself.
    pub chain: Vec<AutomationId>,
    /// Its steps, a JSON list.
    pub steps: String,
    /// Why it doesn't begin.
    pub stopped: Option<&'static str>,
}

/// Begins runs, each once for what it is for.
#[must_use]
pub fn begin(brand: BrandId, runs: &[NewRun], now_ms: Millis) -> Statement {
    let one = |run: &NewRun| {
        json!({ "id": run.id, "automation": run.automation, "deal": run.deal, "once": run.once,
            "cause": run.cause, "chain": run.chain, "steps": Raw(&run.steps),
            "state": if run.stopped.is_some() { "stopped" } else { "running" },
            "reason": run.stopped.unwrap_or_default() })
    };
    let all: Vec<String> = runs.iter().map(one).collect();
    bind!(BEGIN, brand, crate::domain::json::list_of(&all), now_ms)
}

/// Runs whose next step is due: of one brand, or the first of all.
///
/// # Errors
/// [`super::DbError`].
pub fn due(
    db: &dyn Database,
    brand: Option<BrandId>,
    now_ms: Millis,
    most: i64,
) -> Reading<'_, Vec<DueRow>> {
    db.all(match brand {
        Some(brand) => bind!(DUE_OF_BRAND, now_ms, most, brand),
        None => bind!(DUE, now_ms, most),
    })
}

/// Takes a run until a time, if nobody went on with it since it was read.
///
/// # Errors
/// [`super::DbError`].
pub fn take<'a>(
    db: &'a dyn Database,
    due: &DueRow,
    now_ms: Millis,
    until_ms: Millis,
) -> Reading<'a, Option<TakenRow>> {
    db.first(bind!(TAKE, due.brand_id, due.id, due.revision, now_ms, until_ms))
}

/// Where a run goes on.
pub struct GoesOn<'a> {
    /// How it stands.
    pub state: RunState,
    /// Why.
    pub reason: &'a str,
    /// The next step.
    pub step: u32,
    /// How often that was tried.
    pub tries: u32,
    /// How often steps were refused.
    pub round: i64,
    /// When it goes on; `None` if it ended.
    pub due_at_ms: Option<Millis>,
}

/// Goes on with a run; if somebody else did since `revision`, the batch aborts.
#[must_use]
pub fn go_on(
    brand: BrandId,
    run: RunId,
    revision: i64,
    on: &GoesOn<'_>,
    now_ms: Millis,
) -> Statement {
    let ended = on.due_at_ms.is_none().then_some(now_ms);
    let GoesOn { state, reason, step, tries, round, due_at_ms } = *on;
    bind!(GO_ON, brand, run, revision, state, reason, step, tries, round, due_at_ms, ended)
}

/// What a step did.
pub struct Did<'a> {
    /// Its place.
    pub step: u32,
    /// `done`, `unchanged`, `waiting`, `trying` or `failed`.
    pub state: &'static str,
    /// In JSON.
    pub told: &'a str,
    /// How often it was tried.
    pub tries: u32,
    /// A follow-up that it made.
    pub made: Option<&'a str>,
}

/// Tells what a step did.
#[must_use]
pub fn tell(brand: BrandId, run: RunId, did: &Did<'_>, now_ms: Millis) -> Statement {
    let Did { step, state, told, tries, made } = *did;
    bind!(TELL, brand, run, step, state, told, tries, made, now_ms)
}

/// Tries a failed run again from the step that failed; one that isn't failed aborts.
#[must_use]
pub fn retry(brand: BrandId, run: RunId, now_ms: Millis) -> Statement {
    bind!(RETRY, brand, run, now_ms)
}

/// One run.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: RunId) -> Reading<'_, Option<RunRow>> {
    db.first(bind!(FIND, brand, id))
}

/// A page of an automation's runs, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn of_automation<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    automation: AutomationId,
    page: &Page,
    state: Option<RunState>,
) -> Reading<'a, Vec<RunRow>> {
    let before = if page.after.is_empty() { "run_~" } else { &page.after };
    db.all(bind!(OF_AUTOMATION, brand, automation, before, page.limit, state))
}

/// A page of a deal's runs, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn of_deal<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deal: DealId,
    page: &Page,
    state: Option<RunState>,
) -> Reading<'a, Vec<RunRow>> {
    let before = if page.after.is_empty() { "run_~" } else { &page.after };
    db.all(bind!(OF_DEAL, brand, deal, before, page.limit, state))
}

/// What a run's steps did.
///
/// # Errors
/// [`super::DbError`].
pub fn steps(db: &dyn Database, brand: BrandId, run: RunId) -> Reading<'_, Vec<StepRow>> {
    db.all(bind!(STEPS, brand, run))
}

/// An event for whoever listens: `data` in JSON.
#[must_use]
pub fn event(brand: BrandId, data: &str) -> Statement {
    bind!(EVENT, brand, data)
}

/// How many endpoints listen to what automations tell.
///
/// # Errors
/// [`super::DbError`].
pub async fn listeners(db: &dyn Database, brand: BrandId) -> Result<i64, super::DbError> {
    let found: Option<Listeners> = db.first(bind!(LISTENERS, brand)).await?;
    Ok(found.map_or(0, |found| found.endpoints))
}
