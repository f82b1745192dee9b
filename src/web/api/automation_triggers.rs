//! What starts automations, as it is written down and shown.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::app::App;
use crate::domain::automation::{Trigger, When};
use crate::domain::ids::{BrandId, CampaignId, TiersId};
use crate::domain::json::{Fields, Raw, json, text};
use crate::domain::money::{Currency, Money};
use crate::domain::tiers::Metric;
use crate::domain::time::Day;
use crate::error::Result;
use crate::storage::automations::{self as rows, metric_word};
use crate::storage::{creators, tiers};
use crate::web::body::{body, words};
use crate::web::extract::Checks;
use crate::web::json::ToJson;

use super::view::Date;

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

/// A trigger as it is shown.
pub(super) fn trigger_view(trigger: &Trigger) -> TriggerView {
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

/// Notes that a stage isn't one of the campaign, or of any.
pub(super) async fn stage_known(
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
