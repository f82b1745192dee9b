//! Automations: what happened begins runs, and runs go on step by step.
//!
//! Causes are there as soon as what they tell of is. [`run_due`] looks at them in pages: which automations each
//! fits, by their triggers and conditions, and begins their runs and marks the causes in one batch. Nothing is
//! claimed for that, because a run begins once for what it is for, whoever looks. [`look_all`] writes causes for
//! what time brings about. Runs are in [`runs`].

mod conditions;
mod runs;
mod steps;

pub use conditions::{fitting, read as read_conditions};
pub use steps::{Step, StepBody, read as read_steps};

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::app::{App, Pending};
use crate::domain::automation::{Cause, Kind, LOOK_BACK_DAYS, When, admit};
use crate::domain::ids::{AutomationId, BrandId, DealId};
use crate::domain::json::json;
use crate::domain::time::{DAY_MS, Day, Millis, Zone};
use crate::error::Result;
use crate::storage::automation_looks as looks;
use crate::storage::automation_runs::{self as run_rows, NewRun};
use crate::storage::automations::{self as rows, AutomationRow, CauseRow};
use crate::storage::brands;
use crate::storage::ranks;

/// So many causes are looked at at once.
const PAGE: i64 = 100;
/// So many deals, for what time brings about.
const DEALS: i64 = 500;
/// A run of the job begins nothing more after so many statements: D1 runs a thousand for a request, which is
/// for all jobs of the minute.
const MOST_STATEMENTS: u32 = 350;
/// It begins nothing later than this.
const LONGEST_RUN_MS: Millis = 20_000;

/// What a run of the job may still do.
struct Budget {
    statements: Arc<AtomicU32>,
    begun_ms: Millis,
}

impl Budget {
    /// An application whose statements are counted for it.
    fn of(app: &App) -> (App, Self) {
        let (app, statements) = app.counting();
        let begun_ms = app.now_ms();
        (app, Self { statements, begun_ms })
    }

    fn is_spent(&self, app: &App) -> bool {
        self.statements.load(Ordering::Relaxed) >= MOST_STATEMENTS
            || app.now_ms() - self.begun_ms >= LONGEST_RUN_MS
    }
}

/// Looks at what happened in all brands, and goes on with runs that are due; tells how many steps were done.
/// What fails for one doesn't keep the others.
///
/// # Errors
/// 503; the last that failed.
pub async fn run_due(app: &App) -> Result<i64> {
    let (app, budget) = Budget::of(&app.for_request());
    let (mut handled, mut failed) = (0, None);
    loop {
        for brand in rows::waiting(app.db()).await? {
            if let Err(error) = begin_runs(&app, brand, &budget).await {
                app.log.write(&json!({ "event": "automations_left", "brand": brand,
                    "detail": error.to_string() }));
                failed = Some(error);
            }
        }
        match runs::go_on(&app, None, &budget).await {
            // What runs did may begin others.
            Ok(done) if done > 0 && !budget.is_spent(&app) => handled += done,
            Ok(done) => {
                handled += done;
                break;
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    follow(&app).await;
    failed.map_or(Ok(handled), Err)
}

/// The same for brands whose commands were just answered: what follows the answers.
#[must_use]
pub fn run_noted(app: App, told: Vec<BrandId>) -> Pending<'static, ()> {
    Box::pin(async move {
        let (app, budget) = Budget::of(&app.for_request());
        for brand in told {
            let done = async {
                begin_runs(&app, brand, &budget).await?;
                runs::go_on(&app, Some(brand), &budget).await
            };
            if let Err(error) = done.await {
                app.log.write(&json!({ "event": "automations_left", "brand": brand,
                    "detail": error.to_string() }));
            }
        }
        follow(&app).await;
    })
}

/// What steps left to do: mails are sent, and shops asked.
async fn follow(app: &App) {
    let (mails, stores) = (app.noted_mails(), app.noted_work());
    if !mails.is_empty() {
        super::mail::send_noted(app.clone(), mails).await;
    }
    if !stores.is_empty() {
        super::outbox::run_noted(app.clone(), stores).await;
    }
}

/// Begins the runs that what happened in a brand causes. What runs do may be the next cause, so that it is
/// looked at again while something is there.
async fn begin_runs(app: &App, brand: BrandId, budget: &Budget) -> Result<()> {
    while let Some(to) = rows::news(app.db(), brand, PAGE).await? {
        app.db().run(rows::hear(brand, to)).await?;
        if budget.is_spent(app) {
            return Ok(());
        }
    }
    // What a deal came to is compared with thresholds.
    ranks::catch_up(app.db(), brand).await?;
    while !budget.is_spent(app) {
        let causes = rows::causes(app.db(), brand, PAGE).await?;
        if causes.is_empty() {
            return Ok(());
        }
        let begun = decide(app, brand, &causes).await?;
        let mut batch = vec![rows::done(brand, &causes)];
        if !begun.is_empty() {
            batch.insert(0, run_rows::begin(brand, &begun, app.now_ms()));
        }
        app.db().run(batch).await?;
    }
    Ok(())
}

/// The runs that these causes begin.
async fn decide(app: &App, brand: BrandId, causes: &[CauseRow]) -> Result<Vec<NewRun>> {
    let automations = rows::enabled(app.db(), brand).await?;
    let mut wanted: Vec<(&CauseRow, &AutomationRow, Vec<DealId>)> = Vec::new();
    for cause in causes {
        for automation in &automations {
            let deals = deals_that_fit(automation, cause);
            if !deals.is_empty() {
                wanted.push((cause, automation, deals));
            }
        }
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let fit = which_fit(app, brand, &automations, &wanted).await?;
    let mut deals: Vec<DealId> = wanted.iter().flat_map(|(_, _, deals)| deals).copied().collect();
    deals.sort_unstable();
    deals.dedup();
    let now_ms = app.now_ms();
    let begun = run_rows::lately(app.db(), brand, &deals, now_ms - DAY_MS).await?;
    let mut begun: HashMap<(AutomationId, DealId), (i64, i64)> = begun
        .into_iter()
        .map(|row| ((row.automation_id, row.deal_id), (row.lately, row.ever)))
        .collect();
    let mut new = Vec::new();
    for (cause, automation, deals) in wanted {
        let fits =
            |deal: &DealId| fit.get(&automation.id).is_none_or(|fitting| fitting.contains(deal));
        // A payment of what was earned in no deal, such as a correction by hand, is told of in the latest.
        let most = if is_paid(cause) { usize::MAX } else { 1 };
        for deal in deals.into_iter().filter(fits).take(most) {
            let (lately, ever) = begun.entry((automation.id, deal)).or_default();
            if automation.first_only && *ever > 0 {
                continue;
            }
            let run = new_run(app, (cause, automation, deal), *lately);
            if run.stopped.is_none() {
                (*lately, *ever) = (*lately + 1, *ever + 1);
            }
            new.push(run);
        }
    }
    Ok(new)
}

/// A run for a cause, or one that is stopped at once.
fn new_run(
    app: &App,
    (cause, automation, deal): (&CauseRow, &AutomationRow, DealId),
    lately: i64,
) -> NewRun {
    let led = cause.chain.clone().unwrap_or_default();
    let admitted = admit(automation.id, &led, lately);
    let once = match &admitted {
        Ok(_) if automation.first_only => "first".to_owned(),
        _ => automation.trigger.once(&cause.name),
    };
    NewRun {
        id: app.new_id(),
        automation: automation.id,
        deal,
        once,
        cause: cause.name.clone(),
        stopped: admitted.as_ref().err().map(|stopped| stopped.words()),
        chain: admitted.unwrap_or(led),
        steps: automation.steps.clone(),
    }
}

/// Whether it is a payment of what was earned in deals that are known.
fn is_paid(cause: &CauseRow) -> bool {
    cause.deals.iter().any(|deal| deal.paid)
}

/// The deals in which a cause is what starts an automation: more than one only where it is about a creator, and of a
/// payment those in which it was earned, if any.
fn deals_that_fit(automation: &AutomationRow, row: &CauseRow) -> Vec<DealId> {
    // What was there before it was enabled starts nothing; of what is told again and again only the last counts.
    let later = row.sequence > automation.from_sequence || row.kind == Kind::ThresholdReached;
    let of_deals = is_paid(row);
    let fits = |deal: &&rows::CauseDeal| {
        let cause = Cause {
            kind: row.kind,
            automation: row.automation_id,
            campaign: deal.campaign_id,
            name: row.detail.clone(),
            tiers: row.subject.parse().ok(),
            totals: row.totals.clone(),
        };
        later && (deal.paid || !of_deals) && automation.trigger.fits(automation.id, &cause)
    };
    row.deals.iter().filter(fits).map(|deal| deal.id).collect()
}

/// Which deals fit the conditions of the automations that have some.
async fn which_fit(
    app: &App,
    brand: BrandId,
    automations: &[AutomationRow],
    wanted: &[(&CauseRow, &AutomationRow, Vec<DealId>)],
) -> Result<HashMap<AutomationId, Vec<DealId>>> {
    let mut fit = HashMap::new();
    for automation in automations.iter().filter(|row| !row.conditions.is_empty()) {
        let of_it = wanted.iter().filter(|(_, other, _)| other.id == automation.id);
        let mut deals: Vec<DealId> = of_it.flat_map(|(_, _, deals)| deals).copied().collect();
        deals.sort_unstable();
        deals.dedup();
        if !deals.is_empty() {
            let found = fitting(app, brand, &automation.conditions, &deals).await?;
            fit.insert(automation.id, found);
        }
    }
    Ok(fit)
}

/// Looks for what time brought about, in the brands that have automations for it.
///
/// # Errors
/// 503; the last that failed.
pub async fn look_all(app: &App) -> Result<i64> {
    let (app, budget) = Budget::of(app);
    let kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(|kind| kind.is_of_time()).collect();
    let (mut handled, mut failed) = (0, None);
    for brand in rows::listening(app.db(), &kinds).await? {
        match look(&app, brand, &budget).await {
            Ok(looked) => handled += looked,
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(handled), Err)
}

async fn look(app: &App, brand: BrandId, budget: &Budget) -> Result<i64> {
    let Some(stored) = brands::find(app.db(), brand, app.now_ms()).await? else { return Ok(0) };
    let today = stored.brand.timezone.day(app.now_ms());
    let mut handled = 0;
    for mut automation in rows::enabled(app.db(), brand).await? {
        // Each look is a page, or all follow-ups; the next one goes on where it ended.
        while !budget.is_spent(app) && is_to_be_looked_at(&automation, today) {
            look_once(app, brand, &mut automation, (today, &stored.brand.timezone)).await?;
            handled += 1;
        }
    }
    Ok(handled)
}

/// Days on which what was to begin on a day still does.
const LATE_DAYS: i64 = 2;

/// Whether time may have brought about something since it was looked for. By another day, not by a later one:
/// a clock that was wrong for a while keeps nobody from looking.
fn is_to_be_looked_at(automation: &AutomationRow, today: Day) -> bool {
    let unfinished = !automation.looked_to.is_empty();
    match automation.trigger.when {
        When::Date(day) => {
            let within = |at: Day| day <= at && at <= day.plus(LATE_DAYS);
            let done = automation.looked_day.is_some_and(within) && !unfinished;
            within(today) && automation.since_day <= day && !done
        }
        When::NoSale(_) | When::FollowUpOverdue => {
            automation.looked_day != Some(today) || unfinished
        }
        _ => false,
    }
}

async fn look_once(
    app: &App,
    brand: BrandId,
    automation: &mut AutomationRow,
    (today, zone): (Day, &Zone),
) -> Result<()> {
    let from = automation.since_day.max(today.plus(-LOOK_BACK_DAYS));
    if automation.trigger.when == When::FollowUpOverdue {
        let days = (from, today.plus(-1));
        let found = app.db().rows(looks::overdue(brand, automation.id, days, DEALS)).await?;
        if i64::try_from(found.0.len()).is_ok_and(|n| n >= DEALS) {
            return Ok(());
        }
        (automation.looked_day, automation.looked_to) = (Some(today), String::new());
        app.db().run(vec![looks::looked(brand, automation.id, today, "")]).await?;
        return Ok(());
    }
    if matches!(automation.trigger.when, When::NoSale(_)) {
        ranks::catch_up(app.db(), brand).await?;
    }
    // Another day begins with the first deal.
    let same_day = automation.looked_day == Some(today);
    let after = if same_day { automation.looked_to.clone() } else { String::new() };
    let stretch = looks::stretch(app.db(), brand, &after, DEALS).await?;
    let found = match automation.trigger.when {
        When::Date(day) => looks::day_came(brand, automation, &stretch, day),
        When::NoSale(days) => {
            looks::no_sale(brand, automation, &stretch, days, (from, today), zone)
        }
        _ => return Ok(()),
    };
    let to = if stretch.more { stretch.to } else { String::new() };
    app.db().run(vec![found, looks::looked(brand, automation.id, today, &to)]).await?;
    (automation.looked_day, automation.looked_to) = (Some(today), to);
    Ok(())
}
