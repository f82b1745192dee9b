//! Automations: what is done by itself when something happens in a deal.

use http::StatusCode;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, Ref, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::app::App;
use crate::domain::automation::{MOST_STEPS, Trigger, When};
use crate::domain::ids::{Automation, AutomationId, BrandId, CampaignId, TiersId};
use crate::domain::json::{Fields, Raw, json, list_of, text};
use crate::domain::money::{Currency, Money};
use crate::domain::tiers::Metric;
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::jobs::actions::{Action, check};
use crate::jobs::automations::{Step, StepBody, read_conditions};
use crate::storage::automations::{self as rows, AutomationRow, State as Standing, metric_word};
use crate::storage::{DbError, creators, tiers};
use crate::web::body::{FromJson, Wrong, body, words};
use crate::web::extract::{Body, Caller, Changing, Checks, Params, PathId, may};
use crate::web::handler::{Json, State, Tagged};
use crate::web::json::{self, ToJson, view};
use crate::web::message::Response;
use crate::web::once::{ATTEMPTS, contended};

use super::view::{Date, List, Time};

/// What starts an automation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum On {
    /// A deal came to `stage`.
    StageEntered,
    /// A deal left `stage`.
    StageLeft,
    /// A deal was made.
    DealCreated,
    /// Its creator was invited.
    Invited,
    /// She accepted.
    Accepted,
    /// An order became the deal's.
    OrderAttributed,
    /// The deal's orders came to `at_least` of `metric`.
    ThresholdReached,
    /// A level was reached: of `tiers_id` and called `level`, where they are named.
    TierReached,
    /// A payment to the creator was settled: in her latest open deal that fits.
    PayoutPaid,
    /// So many `days` passed without a sale.
    NoSale,
    /// A follow-up wasn't done by the end of its day.
    FollowUpOverdue,
    /// A post was told.
    PostPublished,
    /// The day `date` began: in every open deal that fits.
    Date,
}
words!(On { "stage_entered" => StageEntered, "stage_left" => StageLeft, "deal_created" => DealCreated,
    "invited" => Invited, "accepted" => Accepted, "order_attributed" => OrderAttributed,
    "threshold_reached" => ThresholdReached, "tier_reached" => TierReached, "payout_paid" => PayoutPaid,
    "no_sale" => NoSale, "follow_up_overdue" => FollowUpOverdue, "post_published" => PostPublished,
    "date" => Date });

/// What a threshold measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(as = AutomationMetric, rename_all = "snake_case")]
pub enum MetricWord {
    /// Orders that aren't cancelled.
    Orders,
    /// Their base after refunds.
    Revenue,
    /// What they earned.
    Commission,
}
words!(MetricWord { "orders" => Orders, "revenue" => Revenue, "commission" => Commission });

body! {
    /// What starts an automation, and in which deals.
    #[schema(as = AutomationTrigger)]
    pub struct TriggerBody {
        on: On,
        /// Only in deals of this campaign.
        campaign_id: Option<String>,
        /// Of `stage_entered` and `stage_left`.
        stage: Option<String>,
        /// Of `threshold_reached`.
        metric: Option<MetricWord>,
        /// Of `threshold_reached`: a whole number of orders, or an amount.
        at_least: Option<String>,
        /// Of an amount; absent: the brand's.
        currency: Option<Currency>,
        /// Of `tier_reached`.
        tiers_id: Option<String>,
        /// Of `tier_reached`: a level's name.
        level: Option<String>,
        /// Of `no_sale`: 1 to 365.
        days: Option<i64>,
        /// Of `date`: a day of the brand.
        date: Option<Date>,
    }
}

/// How often an automation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(as = AutomationRuns, rename_all = "snake_case")]
pub enum Runs {
    /// With every cause, once.
    EveryTime,
    /// Once in a deal.
    FirstTime,
}
words!(Runs { "every_time" => EveryTime, "first_time" => FirstTime });

/// Whether an automation begins runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(as = AutomationState, rename_all = "snake_case")]
pub enum StateWord {
    /// It does.
    Enabled,
    /// It doesn't, and what ran was stopped.
    Disabled,
}
words!(StateWord { "enabled" => Enabled, "disabled" => Disabled });

body! {
    /// A new automation.
    pub struct NewAutomation {
        name: String,
        trigger: TriggerBody,
        /// A filter that the deal has to fit when something happens; absent: any deal.
        conditions: Option<String>,
        /// Absent: every time.
        runs: Option<Runs>,
        /// 1 to 20, in order.
        steps: Vec<StepBody>,
        /// Absent: enabled.
        state: Option<StateWord>,
    }
}

body! {
    /// What to change of an automation; what is absent stays. Runs that began go on as they began.
    pub struct AutomationChanges {
        name: Option<String>,
        trigger: Option<TriggerBody>,
        /// Null for any deal.
        conditions: Option<Option<String>>,
        runs: Option<Runs>,
        steps: Option<Vec<StepBody>>,
        state: Option<StateWord>,
    }
}

/// A trigger as it is shown: what it has, and nothing else.
pub struct TriggerView(String);

impl ToJson for TriggerView {
    fn write(&self, out: &mut Vec<u8>) {
        Raw(&self.0).write(out);
    }
}
impl PartialSchema for TriggerView {
    fn schema() -> RefOr<Schema> {
        TriggerBody::schema()
    }
}
impl ToSchema for TriggerView {
    fn name() -> std::borrow::Cow<'static, str> {
        TriggerBody::name()
    }
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        TriggerBody::schemas(schemas);
    }
}

/// Steps as they are shown: as they were written.
pub struct StepsView(pub(super) String);

impl ToJson for StepsView {
    fn write(&self, out: &mut Vec<u8>) {
        Raw(&self.0).write(out);
    }
}
impl PartialSchema for StepsView {
    fn schema() -> RefOr<Schema> {
        let one = Ref::from_schema_name(StepBody::name());
        ArrayBuilder::new().items(one).into()
    }
}
impl ToSchema for StepsView {
    fn name() -> std::borrow::Cow<'static, str> {
        "AutomationSteps".into()
    }
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((StepBody::name().into_owned(), StepBody::schema()));
        StepBody::schemas(schemas);
    }
}

view! {
    /// An automation.
    #[schema(as = Automation)]
    pub struct AutomationView {
        pub(super) id: AutomationId,
        name: String,
        /// `enabled` or `disabled`.
        state: &'static str,
        trigger: TriggerView,
        /// A filter that the deal has to fit.
        #[schema(required)]
        conditions: Option<String>,
        /// `every_time` or `first_time`.
        runs: &'static str,
        steps: StepsView,
        created_at: Time,
        changed_at: Time,
    }
}

fn trigger_view(trigger: &Trigger) -> TriggerView {
    let on = trigger.when.kind().word();
    let mut fields: Vec<(&str, String)> = vec![("on", json!(on))];
    if let Some(campaign) = trigger.campaign {
        fields.push(("campaign_id", json!(campaign)));
    }
    match &trigger.when {
        When::StageEntered(stage) | When::StageLeft(stage) => fields.push(("stage", json!(stage))),
        When::ThresholdReached { metric, at_least, currency } => {
            let amount = match metric {
                Metric::Orders => at_least.to_string(),
                _ => Money::new(*at_least, *currency).to_decimal(),
            };
            fields.push(("metric", json!(metric_word(*metric))));
            fields.push(("at_least", json!(amount)));
            fields.push(("currency", json!(currency)));
        }
        When::TierReached { tiers, level } => {
            fields.extend(tiers.map(|tiers| ("tiers_id", json!(tiers))));
            fields.extend(level.as_ref().map(|level| ("level", json!(level))));
        }
        When::NoSale(days) => fields.push(("days", json!(days))),
        When::Date(day) => fields.push(("date", json!(day.to_iso()))),
        _ => (),
    }
    let raws: Vec<(&str, Raw<'_>)> =
        fields.iter().map(|(name, value)| (*name, Raw(value))).collect();
    let all: Vec<(&str, &dyn ToJson)> =
        raws.iter().map(|(name, value)| (*name, value as &dyn ToJson)).collect();
    TriggerView(text(&Fields(&all)))
}

impl From<AutomationRow> for AutomationView {
    fn from(row: AutomationRow) -> Self {
        Self {
            id: row.id,
            state: if row.state == Standing::Enabled { "enabled" } else { "disabled" },
            trigger: trigger_view(&row.trigger),
            conditions: Some(row.conditions).filter(|text| !text.is_empty()),
            runs: if row.first_only { "first_time" } else { "every_time" },
            steps: StepsView(row.steps),
            created_at: Time(row.created_at_ms),
            changed_at: Time(row.changed_at_ms),
            name: row.name,
        }
    }
}

/// The days beyond which nothing without a sale is looked for.
const MOST_DAYS: i64 = 365;

impl TriggerBody {
    /// The fields that this kind takes.
    fn takes(&self) -> &'static [&'static str] {
        match self.on {
            On::StageEntered | On::StageLeft => &["stage"],
            On::ThresholdReached => &["metric", "at_least", "currency"],
            On::TierReached => &["tiers_id", "level"],
            On::NoSale => &["days"],
            On::Date => &["date"],
            _ => &[],
        }
    }

    /// Notes what belongs to another kind, or is missing for this one.
    fn look(&self, checks: &mut Checks) {
        let takes = self.takes();
        for (name, given, needed) in [
            ("stage", self.stage.is_some(), true),
            ("metric", self.metric.is_some(), true),
            ("at_least", self.at_least.is_some(), true),
            ("currency", self.currency.is_some(), false),
            ("tiers_id", self.tiers_id.is_some(), false),
            ("level", self.level.is_some(), false),
            ("days", self.days.is_some(), true),
            ("date", self.date.is_some(), true),
        ] {
            let field = format!("trigger.{name}");
            match (takes.contains(&name), given) {
                (true, false) if needed => checks.refuse(&field, "is needed for this trigger"),
                (false, true) => checks.refuse(&field, "is nothing that this trigger takes"),
                _ => (),
            }
        }
    }

    /// What is measured, and how much of it.
    fn threshold(&self, checks: &mut Checks, brand: Currency) -> When {
        let currency = self.currency.unwrap_or(brand);
        let text = self.at_least.as_deref().unwrap_or_default();
        let (metric, at_least) = match self.metric.unwrap_or(MetricWord::Orders) {
            MetricWord::Orders => (Metric::Orders, super::tiers::whole(text)),
            MetricWord::Revenue => (Metric::Revenue, amount(text, currency)),
            MetricWord::Commission => (Metric::Commission, amount(text, currency)),
        };
        let at_least = at_least.filter(|at_least| *at_least > 0);
        if at_least.is_none() && self.at_least.is_some() {
            let why = "must be a whole number of orders, or an amount, above 0";
            checks.refuse("trigger.at_least", why);
        }
        When::ThresholdReached { metric, at_least: at_least.unwrap_or(1), currency }
    }

    /// What starts the automation.
    ///
    /// # Errors
    /// 422 with all that is wrong; 503.
    pub(super) async fn trigger(
        &self,
        app: &App,
        brand: BrandId,
        (currency, today): (Currency, Day),
    ) -> Result<Trigger> {
        let mut checks = Checks::default();
        self.look(&mut checks);
        let campaign = self.campaign_id.as_ref().and_then(|id| {
            let id = id.parse::<CampaignId>();
            checks.field("trigger.campaign_id", id)
        });
        if let Some(id) = campaign {
            let found = creators::campaign(app.db(), brand, id).await?;
            if found.is_none_or(|row| row.archived_at_ms.is_some()) {
                checks.refuse("trigger.campaign_id", "is no campaign that is open");
            }
        }
        let stage = || self.stage.clone().unwrap_or_default();
        let when = match self.on {
            On::StageEntered => When::StageEntered(stage()),
            On::StageLeft => When::StageLeft(stage()),
            On::DealCreated => When::DealCreated,
            On::Invited => When::Invited,
            On::Accepted => When::Accepted,
            On::OrderAttributed => When::OrderAttributed,
            On::ThresholdReached => self.threshold(&mut checks, currency),
            On::TierReached => self.tier(app, brand, &mut checks).await?,
            On::PayoutPaid => When::PayoutPaid,
            On::NoSale => {
                let days = self.days.unwrap_or(1);
                if !(1..=MOST_DAYS).contains(&days) {
                    checks.refuse("trigger.days", "must be 1 to 365");
                }
                When::NoSale(days)
            }
            On::FollowUpOverdue => When::FollowUpOverdue,
            On::PostPublished => When::PostPublished,
            On::Date => {
                let day = self.date.map_or(today, |date| date.0);
                if day < today {
                    checks.refuse("trigger.date", "must be today or later");
                }
                When::Date(day)
            }
        };
        if let Some(stage) = &self.stage {
            stage_known(app, brand, campaign, (stage, "trigger.stage"), &mut checks).await?;
        }
        checks.done()?;
        Ok(Trigger { when, campaign })
    }

    async fn tier(&self, app: &App, brand: BrandId, checks: &mut Checks) -> Result<When> {
        let named = self.tiers_id.as_ref();
        let id = named.and_then(|id| checks.field("trigger.tiers_id", id.parse::<TiersId>()));
        let level = self.level.as_ref();
        let level = level.and_then(|level| checks.text("trigger.level", level, 50));
        if let Some(id) = id {
            let found = tiers::find(app.db(), brand, id).await?;
            let Some(found) = found else {
                checks.refuse("trigger.tiers_id", "are no tiers of the brand");
                return Ok(When::TierReached { tiers: Some(id), level });
            };
            let is_one = |name: &String| found.tiers.levels.iter().any(|one| one.name == *name);
            if level.as_ref().is_some_and(|level| !is_one(level)) {
                checks.refuse("trigger.level", "is no level of these tiers");
            }
        }
        Ok(When::TierReached { tiers: id, level })
    }
}

fn amount(text: &str, currency: Currency) -> Option<i64> {
    Money::parse(text, currency).ok().map(|money| money.minor)
}

async fn stage_known(
    app: &App,
    brand: BrandId,
    campaign: Option<CampaignId>,
    (stage, field): (&str, &str),
    checks: &mut Checks,
) -> Result<()> {
    if !rows::stage_known(app.db(), brand, campaign, stage).await? {
        checks.refuse(field, "must be a stage of the campaign");
    }
    Ok(())
}

/// That steps can be asked for by this caller, and what they name is there. As they are stored.
///
/// # Errors
/// 403, 409, 422; 503.
pub(super) async fn checked_steps(
    app: &App,
    caller: &Caller<may::Deals>,
    campaign: Option<CampaignId>,
    steps: &[StepBody],
) -> Result<String> {
    if steps.is_empty() || steps.len() > MOST_STEPS {
        return Err(Error::invalid("steps", "must be between 1 and 20"));
    }
    let mut checks = Checks::default();
    for (place, body) in steps.iter().enumerate() {
        let at = format!("steps[{place}]");
        let Step::Act(action) = &body.step else { continue };
        let mut action = action.clone();
        match check(app, caller, &mut action, &at).await {
            Ok(_) => (),
            Err(error) => match *error {
                Error::Invalid(wrong) => {
                    wrong.iter().for_each(|wrong| checks.refuse(&wrong.field, &wrong.reason));
                }
                other => return Err(other.into()),
            },
        }
        if let Action::Move(to) = &*action {
            let field = format!("{at}.stage");
            stage_known(app, caller.brand, campaign, (&to.stage, &field), &mut checks).await?;
        }
    }
    checks.done()?;
    Ok(list_of(&steps.iter().map(|body| body.text.clone()).collect::<Vec<_>>()))
}

/// The steps that are stored, as they were written.
///
/// # Errors
/// 500: what is stored can't be read.
fn stored_steps(list: &str) -> Result<Vec<StepBody>> {
    let fault = || Error::Internal("stored steps can't be read".to_owned());
    let parsed = crate::storage::rows::parse(list).map_err(|_| fault())?;
    let items = parsed.as_array().ok_or_else(fault)?;
    let read: Result<Vec<StepBody>, Wrong> = items.iter().map(StepBody::from_json).collect();
    Ok(read.map_err(|_| fault())?)
}

fn conditions(text: Option<&String>) -> Result<String> {
    text.map_or(Ok(String::new()), |text| read_conditions(text))
}

/// What the database refused.
pub(super) fn refused(error: DbError) -> Box<Error> {
    if error.is_constraint("automations_most") {
        Error::refused("too-many-automations", "a brand has 100 automations at most")
    } else {
        error.into()
    }
}

/// What a brand's automations are read by: its currency, and its day.
pub(super) async fn today(app: &App, brand: BrandId) -> Result<(Currency, Day)> {
    let brand = super::brand::find(app, brand).await?.brand;
    Ok((brand.currency, brand.timezone.day(app.now_ms())))
}

/// Makes an automation. It begins with what happens from now on. A step that moves money needs the scope `money`.
#[utoipa::path(post, path = "/v1/automations", tag = "automations", request_body = NewAutomation,
    security(("api_key" = ["deals"])), responses((status = 201, body = AutomationView),
    (status = 409, description = "There are 100 already, or a step names what is closed")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(new): Body<NewAutomation>,
) -> Result<(StatusCode, Json<AutomationView>)> {
    let now = today(&app, caller.brand).await?;
    let row = made(&app, &caller, now, new).await?;
    let mut batch = rows::insert(caller.brand, &row);
    let view = AutomationView::from(row);
    let told = Some(json::text(&view));
    batch.push(caller.note(&app, "automation.create", view.id, None, told));
    app.db().run(batch).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// The automation that a body asks for.
///
/// # Errors
/// 403, 409, 422; 503.
pub(super) async fn made(
    app: &App,
    caller: &Caller<may::Deals>,
    now: (Currency, Day),
    new: NewAutomation,
) -> Result<AutomationRow> {
    let mut checks = Checks::default();
    let name = checks.text("name", &new.name, 100).unwrap_or_default();
    checks.done()?;
    let trigger = new.trigger.trigger(app, caller.brand, now).await?;
    let conditions = conditions(new.conditions.as_ref())?;
    let steps = checked_steps(app, caller, trigger.campaign, &new.steps).await?;
    let now_ms = app.now_ms();
    Ok(AutomationRow {
        id: app.new_id(),
        name,
        trigger,
        conditions,
        first_only: new.runs == Some(Runs::FirstTime),
        steps,
        state: standing(new.state.unwrap_or(StateWord::Enabled)),
        revision: 0,
        from_sequence: 0,
        since_day: now.1,
        looked_day: None,
        looked_to: String::new(),
        created_at_ms: now_ms,
        changed_at_ms: now_ms,
    })
}

fn standing(word: StateWord) -> Standing {
    match word {
        StateWord::Enabled => Standing::Enabled,
        StateWord::Disabled => Standing::Disabled,
    }
}

/// The brand's automations.
#[utoipa::path(get, path = "/v1/automations", tag = "automations", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<AutomationView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<AutomationView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), AutomationView::from)))
}

/// One automation.
///
/// # Errors
/// 404.
pub(super) async fn find(app: &App, brand: BrandId, id: AutomationId) -> Result<AutomationRow> {
    Ok(rows::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?)
}

/// One automation.
#[utoipa::path(get, path = "/v1/automations/{id}", tag = "automations", security(("api_key" = ["read"])),
    params(("id" = AutomationId, Path)), responses((status = 200, body = AutomationView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Automation>,
) -> Result<Tagged<AutomationView>> {
    Ok(Tagged(find(&app, caller.brand, id.0).await?.into()))
}

/// Changes an automation, or switches it on or off. What runs goes on with the steps that it began with; when it is
/// switched off it is stopped. One that is switched on, or gets another trigger, begins with what happens from now on.
#[utoipa::path(patch, path = "/v1/automations/{id}", tag = "automations", request_body = AutomationChanges,
    security(("api_key" = ["deals"])), params(("id" = AutomationId, Path),
    ("If-Match" = Option<String>, Header)), responses((status = 200, body = AutomationView),
    (status = 412, description = "Changed since it was read")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Automation>,
    changing: Changing<AutomationChanges>,
) -> Result<Tagged<AutomationView>> {
    let now = today(&app, caller.brand).await?;
    for _ in 0..ATTEMPTS {
        let mut row = find(&app, caller.brand, id.0).await?;
        let before = json::text(&AutomationView::from(row.clone()));
        changing.fits(&before)?;
        let was = row.clone();
        apply(&app, &caller, now, (&changing.body, &mut row)).await?;
        let enabled = row.state == Standing::Enabled;
        let begins = enabled && (was.state != row.state || was.trigger != row.trigger);
        let now_ms = app.now_ms();
        let mut batch = rows::update(caller.brand, &row, begins.then_some(now.1), now_ms);
        row.changed_at_ms = now_ms;
        let view = AutomationView::from(row);
        let told = Some(json::text(&view));
        batch.push(caller.note(&app, "automation.update", view.id, Some(before), told));
        match app.db().run(batch).await {
            Ok(_) => return Ok(Tagged(view)),
            Err(DbError::Constraint(_)) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended())
}

/// Makes the changes that a body asks for. Whoever leaves it switched on must be able to ask for all that it does.
async fn apply(
    app: &App,
    caller: &Caller<may::Deals>,
    now: (Currency, Day),
    (changes, row): (&AutomationChanges, &mut AutomationRow),
) -> Result<()> {
    if let Some(name) = &changes.name {
        let mut checks = Checks::default();
        row.name = checks.text("name", name, 100).unwrap_or_default();
        checks.done()?;
    }
    if let Some(trigger) = &changes.trigger {
        row.trigger = trigger.trigger(app, caller.brand, now).await?;
    }
    if let Some(told) = &changes.conditions {
        row.conditions = conditions(told.as_ref())?;
    }
    if let Some(runs) = changes.runs {
        row.first_only = runs == Runs::FirstTime;
    }
    let was = row.state;
    row.state = changes.state.map_or(was, standing);
    let asks = row.state == Standing::Enabled
        && (was != row.state || changes.trigger.is_some() || changes.conditions.is_some());
    match &changes.steps {
        Some(steps) => {
            row.steps = checked_steps(app, caller, row.trigger.campaign, steps).await?;
        }
        None if asks || changes.runs.is_some() => {
            checked_steps(app, caller, row.trigger.campaign, &stored_steps(&row.steps)?).await?;
        }
        None => (),
    }
    Ok(())
}

/// Removes an automation: what runs is stopped, and what it did is still shown.
#[utoipa::path(delete, path = "/v1/automations/{id}", tag = "automations", security(("api_key" = ["deals"])),
    params(("id" = AutomationId, Path)), responses((status = 204, description = "Removed")))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Automation>,
) -> Result<Response> {
    for _ in 0..ATTEMPTS {
        let mut row = find(&app, caller.brand, id.0).await?;
        let before = json::text(&AutomationView::from(row.clone()));
        row.state = Standing::Removed;
        let mut batch = rows::update(caller.brand, &row, None, app.now_ms());
        batch.push(caller.note(&app, "automation.remove", id.0, Some(before), None));
        match app.db().run(batch).await {
            Ok(_) => return Ok(Response::empty(StatusCode::NO_CONTENT)),
            Err(DbError::Constraint(_)) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(contended())
}
