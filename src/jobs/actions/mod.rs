//! One action on one deal: what bulk actions and automations do, as the routes of the API do it.
//!
//! [`perform`] is one atomic batch for the deal, or nothing. It begins with a row of `deal_actions` that names the
//! cause: whoever performs the same action for the same cause again, because an answer was lost or two work at it
//! at once, changes nothing and is told the first outcome.

mod body;
mod plan;

pub use body::Action;
pub use plan::{Foreseen, Prepared, prepare};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{BrandId, DealId};
use crate::domain::json::json;
use crate::error::{Error, FieldError, Result};
use crate::storage::actions::{self as rows, Came, OutcomeRow};
use crate::storage::{DbError, Statement};
use crate::web::api::collections;
use crate::web::extract::{Acting, By, Caller};
use crate::web::once::contended;

/// So often an action is decided anew when what it was decided from changes meanwhile: as often as slugs are tried.
const TRIES: u32 = 16;

/// Why something is done to a deal.
pub struct Cause<'a> {
    /// For whom: what stands in the audit trail.
    pub by: By<'a>,
    /// The cause, at most 200 characters: `bulk/<job>` or `auto/<run>/<step>`. The same cause does nothing twice.
    pub name: &'a str,
    /// What goes before the action in its batch, whatever its outcome,
    pub first: Vec<Statement>,
    /// and after it.
    pub last: Vec<Statement>,
    /// A part of the text of the constraint by which `first` says that nobody wants it any more.
    pub stop: Option<&'static str>,
}

impl<'a> Cause<'a> {
    /// A cause with nothing beside the action in its batch.
    #[must_use]
    pub fn new(by: By<'a>, name: &'a str) -> Self {
        Self { by, name, first: Vec::new(), last: Vec::new(), stop: None }
    }
}

impl Cause<'_> {
    fn stops(&self, error: &DbError) -> bool {
        self.stop.is_some_and(|sign| error.is_constraint(sign))
    }
}

/// Nobody wants it any more.
fn stopped() -> Box<Error> {
    Error::refused("stopped", "whoever asked for this doesn't want it any more")
}

/// What became of an action on a deal, for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was done. The ids of what was made, as a JSON object: `{"link_id": "link_…"}`.
    Done(String),
    /// Nothing was to be done: the deal was as it should be.
    Unchanged,
    /// A rule says no, and nothing was done.
    Refused {
        /// The rule's name, as in the type of a problem: `no-address`.
        rule: String,
        /// In words; nothing personal.
        why: String,
    },
}

impl Outcome {
    fn refused(rule: &str, why: impl Into<String>) -> Self {
        Self::Refused { rule: rule.to_owned(), why: why.into() }
    }

    /// As it is stored.
    #[must_use]
    pub fn row(&self) -> OutcomeRow {
        let row = |outcome, rule: &str, why: &str, subject: &str| OutcomeRow {
            outcome,
            rule: rule.to_owned(),
            why: why.to_owned(),
            subject: subject.to_owned(),
        };
        match self {
            Self::Done(made) => row(Came::Done, "", "", made),
            Self::Unchanged => row(Came::Unchanged, "", "", "{}"),
            Self::Refused { rule, why } => row(Came::Refused, rule, why, "{}"),
        }
    }
}

impl From<OutcomeRow> for Outcome {
    fn from(row: OutcomeRow) -> Self {
        match row.outcome {
            Came::Done => Self::Done(row.subject),
            Came::Unchanged => Self::Unchanged,
            Came::Refused | Came::Failed => Self::Refused { rule: row.rule, why: row.why },
        }
    }
}

/// That an action can be asked for by this caller: who may, and whether what it names is there. Whether it can be
/// done to a deal is seen with each deal. Collections that new terms name are looked up at their shop.
///
/// `at` names the field that holds the action, in what is said of it.
///
/// # Errors
/// 403, 404, 409 and 422.
pub async fn check<S>(
    app: &App,
    caller: &Caller<S>,
    action: &mut Action,
    at: &str,
) -> Result<Prepared> {
    if !caller.scopes.allow(action.scope()) {
        return Err(Error::Forbidden(match caller.actor {
            crate::domain::auth::Actor::Key(_) if action.scope() == Scope::Money => {
                "a fee needs a key with the scope `money`"
            }
            _ => "you may not do this to deals",
        })
        .into());
    }
    let found = match action {
        Action::NewTerms(new) => collections::resolve(app, caller, &mut new.terms).await,
        _ => Ok(()),
    };
    let prepared = match found {
        Ok(()) => prepare(app, caller.brand, action).await,
        Err(error) => Err(error),
    };
    prepared.map_err(|error| within(*error, at))
}

/// The same error, of the action in this field.
fn within(error: Error, at: &str) -> Box<Error> {
    match error {
        Error::Invalid(wrong) => {
            let named = |wrong: FieldError| *Box::new(wrong).within(at);
            Error::Invalid(wrong.into_iter().map(named).collect()).into()
        }
        // What an action names belongs to its body, not to the address.
        Error::NotFound => Error::invalid(at, "names what isn't there"),
        other => other.into(),
    }
}

/// Does an action to a deal, or finds that there is nothing to be done, or that it can't be; once for each cause.
///
/// # Errors
/// 409 `stopped`: nobody wants it any more, nothing was done. 429, 503: it may be tried again for the same cause, and must be to know what became of it. 500: a fault of ours,
/// nothing was done.
pub async fn perform(
    app: &App,
    brand: BrandId,
    deal: DealId,
    action: &Action,
    cause: &Cause<'_>,
) -> Result<Outcome> {
    let prepared = prepare(app, brand, action).await;
    perform_prepared(app, brand, deal, (action, &prepared), cause).await
}

/// The same of an action that was prepared for several deals.
///
/// # Errors
/// As [`perform`].
pub async fn perform_prepared(
    app: &App,
    brand: BrandId,
    deal: DealId,
    (action, prepared): (&Action, &Result<Prepared>),
    cause: &Cause<'_>,
) -> Result<Outcome> {
    let acting = Acting::later(brand, cause.by);
    for attempt in 0..TRIES {
        let now_ms = app.now_ms();
        let loaded = rows::load(app.db(), brand, deal, cause.name, now_ms).await?;
        let (deal_row, about) = match loaded {
            (Some(before), _, _) => return Ok(before.into()),
            (None, Some(deal), Some(about)) => (Some(deal), Some(about)),
            _ => (None, None),
        };
        let decided = match (prepared, deal_row.as_ref().zip(about.as_ref())) {
            (Ok(prepared), Some((deal, about))) => match prepared.foresee(deal, about, now_ms) {
                Foreseen::Change { .. } => {
                    prepared.plan(app, &acting, (deal, about), attempt).await.map_err(Some)
                }
                Foreseen::Unchanged => Err(None),
                Foreseen::Refused(rule, why) => Err(Some(Error::refused(rule, why))),
            },
            (Err(error), Some(_)) => Err(Some(again(error))),
            (_, None) => Err(Some(Error::refused("deal-gone", "there is no such deal any more"))),
        };
        let (outcome, planned) = match decided {
            Ok(planned) => (Outcome::Done(planned.made.clone()), Some(planned)),
            Err(None) => (Outcome::Unchanged, None),
            Err(Some(error)) => (refusal(*error)?, None),
        };
        let mut batch = cause.first.clone();
        batch.push(rows::insert(brand, (deal, cause.name), action.word(), &outcome.row(), now_ms));
        batch.extend(planned.iter().flat_map(|planned| planned.batch.iter().cloned()));
        batch.extend(cause.last.iter().cloned());
        match (app.db().run(batch).await, planned) {
            (Ok(_), Some(planned)) => {
                planned.then.follow(app).await;
                return Ok(outcome);
            }
            (Ok(_), None) => return Ok(outcome),
            (Err(error), _) if cause.stops(&error) => return Err(stopped()),
            // Another did it for this cause, or something changed meanwhile, or it can never be.
            (Err(error @ DbError::Constraint(_)), Some(planned)) => {
                if let Some(never) = planned.never(error) {
                    return keep(app, brand, deal, action, (cause, never)).await;
                }
            }
            (Err(DbError::Constraint(_)), None) => (),
            (Err(error), _) => return Err(error.into()),
        }
    }
    Err(contended())
}

/// Keeps what a batch came to that the database refused for good.
async fn keep(
    app: &App,
    brand: BrandId,
    deal: DealId,
    action: &Action,
    (cause, outcome): (&Cause<'_>, Outcome),
) -> Result<Outcome> {
    let now_ms = app.now_ms();
    let row = rows::insert(brand, (deal, cause.name), action.word(), &outcome.row(), now_ms);
    let batch = cause.first.iter().cloned().chain([row]).chain(cause.last.iter().cloned());
    match app.db().run(batch.collect()).await {
        Ok(_) => Ok(outcome),
        Err(error) if cause.stops(&error) => Err(stopped()),
        Err(DbError::Constraint(_)) => {
            let (before, ..) = rows::load(app.db(), brand, deal, cause.name, now_ms).await?;
            before.map(Outcome::from).ok_or_else(contended)
        }
        Err(error) => Err(error.into()),
    }
}

/// What an error says of a deal, if it says that the action can't be done.
///
/// # Errors
/// It itself, if it doesn't.
fn refusal(error: Error) -> Result<Outcome> {
    match error {
        Error::Refused { rule, detail } => Ok(Outcome::refused(rule, detail)),
        Error::Invalid(wrong) => {
            let one = |wrong: &FieldError| match wrong.field.as_str() {
                "" => wrong.reason.clone(),
                field => format!("{field} {}", wrong.reason),
            };
            let all: Vec<String> = wrong.iter().map(one).collect();
            Ok(Outcome::refused("invalid", all.join("; ")))
        }
        Error::NotFound => Ok(Outcome::refused("not-found", "what it names isn't there any more")),
        other => Err(other.into()),
    }
}

/// An error that several deals are told.
fn again(error: &Error) -> Box<Error> {
    match error {
        Error::Refused { rule, detail } => Error::refused(rule, detail),
        Error::Invalid(wrong) => Error::Invalid(wrong.clone()).into(),
        Error::NotFound => Error::NotFound.into(),
        Error::TooMany(seconds) => Error::TooMany(*seconds).into(),
        Error::Unavailable(why) => Error::Unavailable(why).into(),
        other => Error::Internal(other.to_string()).into(),
    }
}

/// What was made, for whoever asks later.
fn made(name: &str, id: impl ToString) -> String {
    let id = json!(id.to_string());
    format!("{{\"{name}\":{id}}}")
}
