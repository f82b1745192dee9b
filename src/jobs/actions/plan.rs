//! What an action would do to a deal, and the batch that does it.

use super::body::{Action, AddFollowUp};
use super::{Outcome, made, refusal};
use crate::app::App;
use crate::domain::ids::{BrandId, GroupId, MemberId, StoreId, TemplateId};
use crate::domain::json::json;
use crate::domain::letter::is_one_address;
use crate::domain::link::Target;
use crate::domain::money::BasisPoints;
use crate::domain::terms::Rules;
use crate::domain::time::{DAY_MS, Day, Millis};
use crate::error::{Error, Result};
use crate::storage::actions::AboutRow;
use crate::storage::boards::Place;
use crate::storage::codes::CodeState;
use crate::storage::deals::{DealRow, DealUpdate, TermsRow};
use crate::storage::messages::MessageName;
use crate::storage::{DbError, Statement, groups, templates};
use crate::web::api::terms::NewTerms;
use crate::web::api::{board, brand as brands, codes, collections, creators, deals, fees};
use crate::web::api::{links, messages, notes, terms};
use crate::web::extract::{Acting, Checks};
use crate::web::outreach::{self, Outreach, Written};
use crate::web::redirect;

/// Nobody is invited twice within this time by an action.
const INVITED_MS: Millis = DAY_MS;
/// A deal has so many tags at most.
const MOST_TAGS: usize = 50;

/// An action with what it names looked up, good for all deals of the brand for a little while.
pub struct Prepared {
    what: What,
    /// Since when nothing else may have been agreed.
    seen_ms: Option<Millis>,
}

enum What {
    Terms(Box<SameTerms>),
    Tags { add: bool, tags: Vec<String> },
    Move(String),
    Assign(Option<MemberId>),
    Message(TemplateId, Box<Written>),
    FollowUp { text: String, due_day: Day, owner: Option<Option<MemberId>> },
    Invite,
    Link { store: StoreId, host: String, target: Target, apply_code: bool },
    Code(GroupId, Box<codes::Wanted>),
    Fee(Box<fees::Agreed>),
}

struct SameTerms {
    new: NewTerms,
    rate: BasisPoints,
    rules: Rules,
    /// They start now and don't end.
    lasting: bool,
}

impl SameTerms {
    /// What they would be instead of.
    fn instead(&self, deal: &DealRow) -> Foreseen {
        let same = deal.terms.as_ref().is_some_and(|now| {
            self.lasting
                && now.ends_at_ms.is_none()
                && now.rate_bp == self.rate
                && now.rules == self.rules
        });
        if same {
            return Foreseen::Unchanged;
        }
        let until = match &deal.next_terms {
            Some(_) => ", until what is agreed for later begins",
            None => "",
        };
        let before = deal.terms.as_ref().map(|now| percent(now.rate_bp));
        Foreseen::Change { before, after: Some(format!("{}{until}", percent(self.rate))) }
    }
}

/// What an action would do to a deal, as far as that can be seen from the deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreseen {
    /// It would change the deal, or make something: what was, and what will be, in words.
    Change {
        /// What it is now; `None` where something is added.
        before: Option<String>,
        /// What it will be.
        after: Option<String>,
    },
    /// There is nothing to be done.
    Unchanged,
    /// It can't be done: the rule, and why in words.
    Refused(&'static str, String),
}

/// The batch of an action on one deal.
pub(super) struct Planned {
    pub(super) batch: Vec<Statement>,
    /// The ids of what it makes.
    pub(super) made: String,
    /// What the database's refusal means.
    refused: fn(DbError) -> Box<Error>,
    pub(super) then: Then,
}

/// What follows an action, and would follow without us too, later.
pub(super) enum Then {
    Nothing,
    /// A message waits for its mail.
    Settle(Box<Outreach>, MessageName),
    /// A slug was unknown.
    Forget(String, String),
}

impl Then {
    pub(super) async fn follow(self, app: &App) {
        match self {
            Self::Nothing => (),
            // If this fails the job that sends what waits does it.
            Self::Settle(outreach, name) => _ = outreach::settle(app, &outreach, name).await,
            Self::Forget(host, slug) => redirect::forget(app, &host, &slug).await,
        }
    }
}

impl Planned {
    fn new(batch: Vec<Statement>, made: String) -> Self {
        Self { batch, made, refused: Box::<Error>::from, then: Then::Nothing }
    }

    /// The outcome that a refusal by the database is, if it would be the same again.
    pub(super) fn never(&self, error: DbError) -> Option<Outcome> {
        match *(self.refused)(error) {
            // A spelling that somebody took, a stage that was renamed: another attempt sees it.
            Error::Refused { rule: "conflict" | "code-taken" | "stage-gone", .. } => None,
            other => refusal(other).ok(),
        }
    }
}

/// Looks up what an action names.
///
/// # Errors
/// 404, 409, 422: it can't be done to any deal. 503.
pub async fn prepare(app: &App, brand: BrandId, action: &Action) -> Result<Prepared> {
    let mut checks = Checks::default();
    let what = match action {
        Action::NewTerms(new) => prepare_terms(app, brand, new.terms.clone()).await?,
        Action::AddTags(told) | Action::RemoveTags(told) => {
            let tags = creators::tags(&mut checks, told.tags.clone());
            if told.tags.is_empty() {
                checks.refuse("tags", "must name a tag");
            }
            What::Tags { add: matches!(action, Action::AddTags(_)), tags }
        }
        Action::Move(told) => What::Move(checks.text("stage", &told.stage, 60).unwrap_or_default()),
        Action::Assign(told) => {
            let owner = deals::owner(app, brand, &mut checks, told.owner_id.as_ref()).await?;
            What::Assign(owner.flatten())
        }
        Action::Message(told) => {
            let id = told.template_id.parse().map_err(|e| Error::invalid("template_id", e))?;
            let row = templates::find(app.db(), brand, id).await?;
            let row = row.ok_or_else(|| Error::invalid("template_id", "is no template"))?;
            What::Message(id, Box::new(outreach::templates(&row.subject, &row.text)?))
        }
        Action::FollowUp(told) => prepare_follow_up(app, brand, &mut checks, told).await?,
        Action::Invite(_) => What::Invite,
        Action::CreateLink(told) => {
            let target = told.target.as_deref().map_or(Ok(Target::home()), Target::parse);
            let target = target.map_err(|e| Error::invalid("target", e))?;
            let store = links::store_of(app, brand, told.store_id.as_deref()).await?;
            let host = brands::find(app, brand).await?.brand.link_domain.unwrap_or_default();
            What::Link { store, host, target, apply_code: told.apply_code == Some(true) }
        }
        Action::AssignCode(told) => {
            let id = told.affiliate_group_id.parse();
            let id = id.map_err(|e| Error::invalid("affiliate_group_id", e))?;
            let group = groups::find(app.db(), brand, id).await?;
            let group = group.ok_or_else(|| Error::invalid("affiliate_group_id", "is no group"))?;
            What::Code(id, Box::new(codes::Wanted::of_group(group)?))
        }
        Action::Fee(told) => What::Fee(Box::new(fees::agreed(app, brand, told.fee()).await?)),
    };
    checks.done()?;
    Ok(Prepared { what, seen_ms: None })
}

async fn prepare_terms(app: &App, brand: BrandId, mut new: NewTerms) -> Result<What> {
    collections::resolve_known(app, brand, (&mut new, "rates")).await?;
    let mut checks = Checks::default();
    let nobody = crate::domain::ids::DealId::from_bytes([0; 16]);
    let nothing = crate::domain::ids::TermsId::from_bytes([0; 16]);
    let terms = new.clone().terms(&mut checks, nobody, nothing, app.now_ms());
    checks.done().map_err(|error| super::within(*error, "terms"))?;
    let lasting = new.starts_at().is_none() && terms.ends_at_ms.is_none();
    let (rate, rules) = (terms.cited.rate, terms.cited.rules);
    Ok(What::Terms(Box::new(SameTerms { new, rate, rules, lasting })))
}

async fn prepare_follow_up(
    app: &App,
    brand: BrandId,
    checks: &mut Checks,
    told: &AddFollowUp,
) -> Result<What> {
    let text = notes::lines(checks, "text", &told.text).unwrap_or_default();
    if !(0..=3650).contains(&told.due_in_days) {
        checks.refuse("due_in_days", "must be 0 to 3650");
    }
    let owner = deals::owner(app, brand, checks, told.owner_id.as_ref()).await?;
    let due_day = notes::today(app, brand).await?.plus(told.due_in_days.clamp(0, 3650));
    Ok(What::FollowUp { text, due_day, owner })
}

fn percent(rate: BasisPoints) -> String {
    rate.to_percent()
}

fn adds(what: impl Into<String>) -> Foreseen {
    Foreseen::Change { before: None, after: Some(what.into()) }
}

impl Prepared {
    /// The same as of this time: a deal for which other terms were agreed later is refused them.
    #[must_use]
    pub fn seen_at(self, seen_ms: Millis) -> Self {
        Self { seen_ms: Some(seen_ms), ..self }
    }

    /// Which terms of a deal the action would take the place of, in a word; empty if it is about something else.
    #[must_use]
    pub fn agreed(&self, deal: &DealRow) -> String {
        let What::Terms(_) = &self.what else { return String::new() };
        let id =
            |terms: &Option<TermsRow>| terms.as_ref().map(|t| t.id.to_string()).unwrap_or_default();
        format!("{}.{}", id(&deal.terms), id(&deal.next_terms))
    }

    /// What the action would do to a deal as it is, which nothing else changes before: also whether a message finds
    /// all of its fields.
    #[must_use]
    pub fn foresee_alone(&self, deal: &DealRow, about: &AboutRow, now_ms: Millis) -> Foreseen {
        let foreseen = self.foresee(deal, about, now_ms);
        let (What::Message(_, written), Foreseen::Change { .. }) = (&self.what, &foreseen) else {
            return foreseen;
        };
        match outreach::empty_fields(written, deal, &about.name, &about.handle) {
            empty if empty.is_empty() => foreseen,
            empty => Foreseen::Refused("invalid", empty),
        }
    }

    /// What the action would do to a deal.
    #[must_use]
    pub fn foresee(&self, deal: &DealRow, about: &AboutRow, now_ms: Millis) -> Foreseen {
        use Foreseen::{Change, Refused, Unchanged};
        if about.merged_into.is_some() {
            return Refused("creator-merged", "this creator was merged into another".to_owned());
        }
        if about.erased_at_ms.is_some() {
            return Refused("creator-erased", "this creator was erased".to_owned());
        }
        match &self.what {
            What::Terms(terms) => terms.instead(deal),
            What::Tags { add, tags } => {
                let after = changed_tags(&deal.tags, tags, *add);
                if after == deal.tags {
                    return Unchanged;
                }
                if after.len() > MOST_TAGS {
                    return Refused("too-many-tags", "a deal has 50 tags at most".to_owned());
                }
                Change { before: Some(deal.tags.join(", ")), after: Some(after.join(", ")) }
            }
            What::Move(stage) if deal.stage == *stage => Unchanged,
            What::Move(stage) if !about.stages.contains(stage) => {
                Refused("no-such-stage", "the deal's campaign has no such stage".to_owned())
            }
            What::Move(stage) => {
                Change { before: Some(deal.stage.clone()), after: Some(stage.clone()) }
            }
            What::Assign(owner) if deal.owner_id == *owner => Unchanged,
            What::Assign(owner) => {
                let text = |id: &Option<MemberId>| id.map(|id| id.to_string());
                Change { before: text(&deal.owner_id), after: text(owner) }
            }
            What::Message(..) => written_to(about).unwrap_or_else(|| adds("a message")),
            What::FollowUp { text, .. } => adds(text.chars().take(200).collect::<String>()),
            What::Invite if about.connected => Unchanged,
            What::Invite if about.invited_at_ms.is_some_and(|at| now_ms - at < INVITED_MS) => {
                Unchanged
            }
            What::Invite => match about.email.as_deref().filter(|to| is_one_address(to)) {
                Some(_) => adds("an invitation"),
                None => no_address(),
            },
            What::Link { target, .. } => {
                let same = |link: &crate::storage::deals::DealLink| {
                    link.closed_at_ms.is_none() && link.target == target.as_str()
                };
                if deal.links.iter().any(same) { Unchanged } else { adds(target.as_str()) }
            }
            What::Code(group, _) => {
                let lives = [CodeState::Active, CodeState::Changed, CodeState::Creating];
                let hers = deal.codes.iter().filter(|code| code.group_id == Some(*group));
                if hers.into_iter().any(|code| lives.contains(&code.state)) {
                    Unchanged
                } else if deal.closed_at_ms.is_some() {
                    Refused("deal-closed", "the deal is closed".to_owned())
                } else {
                    adds("a code")
                }
            }
            What::Fee(agreed) => adds(agreed.words()),
        }
    }

    /// The batch that does it, decided from a deal as it was read.
    ///
    /// # Errors
    /// 404, 409, 422: it can't be done to this deal. 429, 503: not now.
    pub(super) async fn plan(
        &self,
        app: &App,
        acting: &Acting<'_>,
        (deal, about): (&DealRow, &AboutRow),
        attempt: u32,
    ) -> Result<Planned> {
        let update = |update: DealUpdate| async move {
            let batch = deals::updating(app, acting, deal, &update).await?;
            let refused = |error: DbError| match error.is_constraint("owner_gone") {
                true => Error::refused("owner-gone", "the owner is no member any more"),
                false => error.into(),
            };
            Ok(Planned { refused, ..Planned::new(batch, "{}".to_owned()) })
        };
        match &self.what {
            What::Terms(wanted) => {
                let (terms, batch) =
                    terms::adding(app, acting, deal.id, wanted.new.clone(), self.seen_ms)?;
                let made = made("terms_id", terms.cited.id);
                Ok(Planned { refused: terms::refused, ..Planned::new(batch, made) })
            }
            What::Tags { add, tags } => {
                let tags = Some(changed_tags(&deal.tags, tags, *add));
                update(DealUpdate { tags, ..DealUpdate::default() }).await
            }
            What::Assign(owner) => {
                update(DealUpdate { owner: Some(*owner), ..DealUpdate::default() }).await
            }
            What::Move(stage) => {
                let batch = board::moving(app, acting, deal, stage, Place::Last).await?;
                Ok(Planned::new(batch, "{}".to_owned()))
            }
            What::Message(template, written) => {
                let outreach = outreach::load(app, acting.brand, deal.id).await?;
                let (id, batch) =
                    messages::writing(app, acting, &outreach, (Some(*template), written))?;
                let then = Then::Settle(Box::new(outreach), (acting.brand, deal.id, id));
                Ok(Planned { then, ..Planned::new(batch, made("message_id", id)) })
            }
            What::FollowUp { text, due_day, owner } => {
                let what = (text.as_str(), *due_day, owner.unwrap_or(deal.owner_id));
                let (row, batch) = notes::following_up(app, acting, deal.id, what);
                let made = made("follow_up_id", row.id);
                Ok(Planned { refused: notes::gone, ..Planned::new(batch, made) })
            }
            What::Invite => {
                let (id, _, batch) = deals::inviting(app, acting, deal).await?;
                Ok(Planned {
                    refused: deals::missing_parent,
                    ..Planned::new(batch, made("invitation_id", id))
                })
            }
            What::Link { .. } => self.plan_link(app, acting, (deal, about), attempt),
            What::Code(_, wanted) => {
                let spelled = wanted.spelled(&about.handle);
                let (id, code, batch) =
                    codes::making(app, acting, deal.id, wanted, &spelled).await?;
                let made = json!({ "code_id": id, "code": code });
                Ok(Planned { refused: codes::refused, ..Planned::new(batch, made) })
            }
            What::Fee(agreed) => {
                let (fee, batch) = fees::agreeing(app, acting, deal, agreed).await?;
                Ok(Planned::new(batch, made("fee_id", fee.id)))
            }
        }
    }

    fn plan_link(
        &self,
        app: &App,
        acting: &Acting<'_>,
        (deal, about): (&DealRow, &AboutRow),
        attempt: u32,
    ) -> Result<Planned> {
        let What::Link { store, host, target, apply_code } = &self.what else {
            return Err(Error::Internal("another action was planned as a link".to_owned()).into());
        };
        let slug = links::suggested(app, &about.handle, attempt).ok_or_else(links::slug_taken)?;
        let code = if *apply_code { codes::code_to_apply(&deal.codes) } else { None };
        let wanted = links::Wanted { deal: deal.id, store: *store, host, target, code };
        let (link, batch) = links::linking(app, acting, &wanted, &slug);
        let made = json!({ "link_id": link.id, "url": link.url });
        let then = Then::Forget(host.clone(), link.slug);
        Ok(Planned { then, ..Planned::new(batch, made) })
    }
}

/// Why she can't be written to, if she can't.
fn written_to(about: &AboutRow) -> Option<Foreseen> {
    let why = || "she wants no more messages of this brand".to_owned();
    match about.email.as_deref().filter(|to| is_one_address(to)) {
        None => Some(no_address()),
        Some(_) => about.unsubscribed.then(|| Foreseen::Refused("unsubscribed", why())),
    }
}

fn no_address() -> Foreseen {
    let why = "she has no address that a mail can be sent to";
    Foreseen::Refused("no-address", why.to_owned())
}

/// A deal's tags with some more, or without some.
fn changed_tags(now: &[String], told: &[String], add: bool) -> Vec<String> {
    let mut tags = now.to_vec();
    if add {
        tags.extend(told.iter().filter(|tag| !now.contains(tag)).cloned());
    } else {
        tags.retain(|tag| !told.contains(tag));
    }
    tags
}
