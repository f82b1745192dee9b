//! Steps of automations as they are written down: an action, a pause, or word to the brand's servers.

use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{OneOfBuilder, Ref, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::automation::LONGEST_WAIT_MS;
use crate::domain::time::{DAY_MS, Millis};
use crate::jobs::actions::Action;
use crate::storage::rows::parse;
use crate::web::body::{FromJson, Wrong, body, text, wrong};

const HOUR_MS: Millis = 3_600_000;
const MINUTE_MS: Millis = 60_000;

body! {
    /// A pause before the next step: a minute to 365 days in all.
    #[derive(Clone)]
    #[allow(dead_code, reason = "`do` says which form it is, before it is read")]
    pub struct WaitFor {
        #[schema(pattern = "^wait$")]
        r#do: String,
        days: Option<i64>,
        hours: Option<i64>,
        minutes: Option<i64>,
    }
}

body! {
    /// An event `automation.step` to the brand's webhook endpoints that listen to it.
    #[derive(Clone)]
    #[allow(dead_code, reason = "`do` says which form it is, before it is read")]
    pub struct TellServers {
        #[schema(pattern = "^webhook$")]
        r#do: String,
        /// What the event carries as `label`, to tell steps apart: at most 100 characters.
        label: Option<String>,
    }
}

/// A step.
#[derive(Clone)]
pub enum Step {
    /// A pause.
    Wait(Millis),
    /// An event, with its label.
    Webhook(Option<String>),
    /// Something done to the deal.
    Act(Box<Action>),
}

impl Step {
    /// The word that stands for it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Wait(_) => "wait",
            Self::Webhook(_) => "webhook",
            Self::Act(action) => action.word(),
        }
    }
}

/// The steps that a stored list holds; `None` if one can't be read.
#[must_use]
pub fn read(list: &str) -> Option<Vec<Step>> {
    let Ok(Value::Array(items)) = parse(list) else { return None };
    items.iter().map(|item| Step::from_json(item).ok()).collect()
}

impl FromJson for Step {
    fn from_json(value: &Value) -> Result<Self, Wrong> {
        match value.get("do").and_then(Value::as_str) {
            Some("wait") => {
                let told = WaitFor::from_json(value)?;
                let of = |n: Option<i64>, unit: Millis| n.unwrap_or(0).checked_mul(unit);
                let parts =
                    [of(told.days, DAY_MS), of(told.hours, HOUR_MS), of(told.minutes, MINUTE_MS)];
                let negative =
                    [told.days, told.hours, told.minutes].iter().flatten().any(|n| *n < 0);
                let all = parts.into_iter().try_fold(0_i64, |sum, part| sum.checked_add(part?));
                let all = all.filter(|ms| (MINUTE_MS..=LONGEST_WAIT_MS).contains(ms) && !negative);
                all.map(Self::Wait)
                    .ok_or_else(|| wrong("must be a minute to 365 days in all").within("days"))
            }
            Some("webhook") => {
                let told = TellServers::from_json(value)?;
                let odd = |label: &&String| {
                    label.trim().is_empty()
                        || label.chars().count() > 100
                        || label.chars().any(char::is_control)
                };
                if told.label.as_ref().filter(odd).is_some() {
                    return Err(wrong("must be 1 to 100 characters in one line").within("label"));
                }
                Ok(Self::Webhook(told.label))
            }
            _ => Action::from_json(value).map(|action| Self::Act(Box::new(action))),
        }
    }

    fn placeholder() -> Self {
        Self::Webhook(None)
    }
}

/// A step as it came, and what it says.
#[derive(Clone)]
pub struct StepBody {
    /// What it says.
    pub step: Step,
    /// As it is stored and shown.
    pub text: String,
}

impl FromJson for StepBody {
    fn from_json(value: &Value) -> Result<Self, Wrong> {
        if let Some(word) = value.get("do") {
            text(word).map_err(|wrong| wrong.within("do"))?;
        }
        Ok(Self { step: Step::from_json(value)?, text: value.to_string() })
    }

    fn placeholder() -> Self {
        Self { step: Step::placeholder(), text: "{}".to_owned() }
    }
}

impl PartialSchema for StepBody {
    fn schema() -> RefOr<Schema> {
        let one = OneOfBuilder::new()
            .item(Ref::from_schema_name(WaitFor::name()))
            .item(Ref::from_schema_name(TellServers::name()))
            .item(Ref::from_schema_name(Action::name()));
        RefOr::T(Schema::OneOf(one.build()))
    }
}

impl ToSchema for StepBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "AutomationStep".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((WaitFor::name().into_owned(), WaitFor::schema()));
        schemas.push((TellServers::name().into_owned(), TellServers::schema()));
        schemas.push((Action::name().into_owned(), Action::schema()));
        Action::schemas(schemas);
    }
}
