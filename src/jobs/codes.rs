//! Codes at shops: making them, switching them, changing what they take off.
//!
//! A discount of ours has an id of ours in its title, and a shop has a code once. So whoever doesn't know
//! whether one was made looks who has its code, and asking for it again makes no second one.

use super::outbox::{self, Step, Work};
use super::shopify::Failed;
use crate::domain::attribution::code_key;
use crate::domain::auth::Actor;
use crate::domain::code::next_spellings;
use crate::domain::discount::Discount;
use crate::domain::ids::{CodeId, GroupId};
use crate::domain::json::json;
use crate::domain::task::Kind;
use crate::domain::time::Millis;
use crate::partners::shopify::admin;
use crate::partners::shopify::admin::discounts::{self, Made, Owner};
use crate::partners::trouble::Trouble;
use crate::storage::code_work::{self as codes, CodeAtWork};
use crate::storage::codes::{CodeState, switch as switch_code};
use crate::storage::groups::{self, GroupRow, Mode};
use crate::storage::outbox::TaskRow;
use crate::storage::{Statement, audit};

/// So many spellings are tried for a code.
const MOST_SPELLINGS: u32 = 60;
/// Of the spellings that come next, so many are looked at at once.
const SPELLINGS_AHEAD: usize = 200;
/// Whether a code is out of its discount is looked at so often, each time after twice as long: five minutes in all.
const MOST_LOOKS: u64 = 6;
const FIRST_LOOK_MS: Millis = 5_000;
const STILL_THERE: &str =
    "it was taken out of its discount once and is there still, or again: delete it in the shop";
/// So many discounts are changed in a step.
const CHANGED_AT_ONCE: u32 = 20;

/// What the trail says a job did with a code or a group.
pub(super) fn noted(
    work: &Work<'_>,
    action: &'static str,
    subject: impl ToString,
    after: String,
) -> Statement {
    let app = work.app;
    let (id, actor, subject) = (app.new_id(), Actor::Job("outbox"), &*subject.to_string());
    let after = Some(after);
    let done = audit::Done { id, actor, action, subject, request_id: "", before: None, after };
    audit::note(Some(work.brand), &done, app.now_ms())
}

/// Makes the discount of one code.
///
/// # Errors
/// [`Failed`].
pub async fn make(work: &mut Work<'_>, task: &TaskRow) -> Result<Step, Failed> {
    let Some(code) = of_task(work, task).await? else { return Ok(Step::Done(Vec::new())) };
    if code.state != CodeState::Creating || !code.pending {
        return Ok(Step::Done(Vec::new()));
    }
    let group = group_of(work, &code).await?;
    let Some((rule, began_at_ms)) = rule_of(&code, group.as_ref()) else {
        let words = "it has no rule".to_owned();
        let failed = codes::failed(work.brand, code.id, &words, None);
        return Ok(Step::Failed(words, vec![failed]));
    };
    let title = discounts::title(&code.code, &code.id.to_string());
    match discount(work, task, &code, rule, (&title, began_at_ms)).await? {
        Outcome::Made(owner) => Ok(Step::Done(is_made(work, &code, &owner))),
        Outcome::Respelled(statements) => Ok(on("{}", work.app.now_ms(), statements)),
        Outcome::Failed(words, statements) => Ok(Step::Failed(words, statements)),
    }
}

/// What became of a discount that was to be made.
pub(super) enum Outcome {
    /// The shop has it.
    Made(Owner),
    /// Its code is taken; the next spelling is tried.
    Respelled(Vec<Statement>),
    /// It wasn't made, and why.
    Failed(String, Vec<Statement>),
}

/// Makes a discount with a code, unless a question that nobody answered made it before.
pub(super) async fn discount(
    work: &mut Work<'_>,
    task: &TaskRow,
    code: &CodeAtWork,
    rule: &Discount,
    (title, began_at_ms): (&str, Millis),
) -> Result<Outcome, Failed> {
    let app = work.app;
    // What was asked for before may have been done.
    if task.tries > 0 {
        match owner_of(work, &code.code).await? {
            Some(owner) if owner.title == title || is_ours(&owner, title) => {
                return Ok(Outcome::Made(owner));
            }
            Some(_) => return taken(work, code, &[]).await,
            None => (),
        }
    }
    let (make, _) = discounts::documents(rule.kind);
    let asked = discounts::make(rule, title, &code.code, began_at_ms);
    let data = work.admin().await?.ask(app, make, &asked).await?;
    match discounts::made(&data) {
        Made::Yes(owner) => Ok(Outcome::Made(owner)),
        Made::Taken => match owner_of(work, &code.code).await? {
            Some(owner) if is_ours(&owner, title) => Ok(Outcome::Made(owner)),
            _ => taken(work, code, &[]).await,
        },
        Made::Refused(words) => {
            let failed = codes::failed(work.brand, code.id, &words, None);
            Ok(Outcome::Failed(words, vec![failed]))
        }
    }
}

/// Whether a discount carries the id that stands in this title.
fn is_ours(owner: &Owner, title: &str) -> bool {
    title.rsplit_once('(').is_some_and(|(_, id)| owner.title.ends_with(&format!("({id}")))
}

pub(super) async fn owner_of(work: &mut Work<'_>, code: &str) -> Result<Option<Owner>, Failed> {
    let app = work.app;
    let asked = json!({ "code": code });
    let data = work.admin().await?.ask(app, admin::CODE_OWNER, &asked).await?;
    Ok(discounts::owner(&data))
}

/// A code that somebody else's discount has: where the spelling is ours the next free one is taken, else it
/// is offered. `avoid`: spellings that others get in this step.
pub(super) async fn taken(
    work: &mut Work<'_>,
    code: &CodeAtWork,
    avoid: &[String],
) -> Result<Outcome, Failed> {
    let (brand, id) = (work.brand, code.id);
    let base = code.base.as_deref().unwrap_or(&code.code);
    let next = free_spelling(work, base, code.attempt, avoid).await?;
    if let (Some((attempt, spelled)), true) = (&next, code.base.is_some())
        && *attempt < MOST_SPELLINGS
    {
        return Ok(Outcome::Respelled(vec![codes::respell(brand, id, spelled, *attempt)]));
    }
    let suggestion = next.as_ref().map(|(_, spelled)| spelled.as_str());
    let failed = codes::failed(brand, id, discounts::TAKEN, suggestion);
    Ok(Outcome::Failed(discounts::TAKEN.to_owned(), vec![failed]))
}

/// The next spelling that no deal and no discount of the shop has.
async fn free_spelling(
    work: &mut Work<'_>,
    base: &str,
    attempt: u32,
    avoid: &[String],
) -> Result<Option<(u32, String)>, Failed> {
    let app = work.app;
    let ahead = next_spellings(base, attempt, &[], SPELLINGS_AHEAD);
    let keys: Vec<String> = ahead.iter().map(|(_, code)| code_key(code)).collect();
    let mut known = crate::storage::codes::known_keys(app.db(), work.brand, &keys).await?;
    known.extend(avoid.iter().map(|code| code_key(code)));
    let next = next_spellings(base, attempt, &known, discounts::SPELLINGS);
    let spelled: Vec<&str> = next.iter().map(|(_, code)| code.as_str()).collect();
    let asked = discounts::codes(&spelled, discounts::SPELLINGS);
    let data = work.admin().await?.ask(app, admin::CODE_OWNERS, &asked).await?;
    let mut named = discounts::NAMES.iter().zip(next);
    Ok(named
        .find(|(name, _)| data.get(**name).is_some_and(serde_json::Value::is_null))
        .map(|(_, s)| s))
}

/// What goes with a discount that was made.
pub(super) fn is_made(work: &Work<'_>, code: &CodeAtWork, owner: &Owner) -> Vec<Statement> {
    let redeem = Some(owner.redeem.clone()).filter(|redeem| !redeem.is_empty());
    let told = json!({ "code": code.code, "state": "active" });
    let mut statements = vec![
        codes::made(work.brand, &owner.id, &[(code.id, redeem)]),
        noted(work, "code.made", code.id, told),
    ];
    if code.closed_at_ms.is_some() && code.ends_with_deal {
        statements.extend(ends(work, code.id));
    }
    statements
}

/// The deal was closed while the shop made its code.
pub(super) fn ends(work: &Work<'_>, id: CodeId) -> [Statement; 2] {
    let subject = id.to_string();
    let task = outbox::put(work.app, work.brand, work.store, (Kind::SwitchCode, &subject), "{}");
    [switch_code(work.brand, id, CodeState::Deactivated, true), task]
}

/// A step that goes on at this time.
pub(super) fn on(payload: &str, due_at_ms: Millis, statements: Vec<Statement>) -> Step {
    Step::On { payload: payload.to_owned(), due_at_ms, statements }
}

async fn of_task(work: &Work<'_>, task: &TaskRow) -> Result<Option<CodeAtWork>, Failed> {
    let Ok(id) = task.subject.parse() else { return Ok(None) };
    Ok(codes::at_work(work.app.db(), work.brand, id).await?)
}

async fn group_of(work: &Work<'_>, code: &CodeAtWork) -> Result<Option<GroupRow>, Failed> {
    let Some(id) = code.group_id else { return Ok(None) };
    Ok(groups::find(work.app.db(), work.brand, id).await?)
}

/// A code's rule, and the start that it has where it names none.
pub(super) fn rule_of<'a>(
    code: &'a CodeAtWork,
    group: Option<&'a GroupRow>,
) -> Option<(&'a Discount, Millis)> {
    let of_group = || group.map(|group| (&group.rule, group.began_at_ms));
    code.rule.as_ref().map(|rule| (rule, code.created_at_ms)).or_else(of_group)
}

/// Switches a code on or off as it is to be.
///
/// # Errors
/// [`Failed`].
pub async fn switch(work: &mut Work<'_>, task: &TaskRow) -> Result<Step, Failed> {
    let Some(code) = of_task(work, task).await? else { return Ok(Step::Done(Vec::new())) };
    let group = group_of(work, &code).await?;
    let brand = work.brand;
    let shared = group.as_ref().is_some_and(|group| group.mode == Mode::OneDiscount);
    let Some(discount) = code.discount.clone().filter(|_| code.pending) else {
        return Ok(Step::Done(vec![codes::switched(brand, code.id, false)]));
    };
    let app = work.app;
    match (code.state, shared) {
        (CodeState::Deactivated, true) => return take_out(work, task, &code, &discount).await,
        (CodeState::Deactivated, false) | (CodeState::Active, false) => (),
        _ => return Ok(Step::Done(Vec::new())),
    }
    let on = code.state == CodeState::Active;
    let document = if on { admin::ACTIVATE_DISCOUNT } else { admin::DEACTIVATE_DISCOUNT };
    let asked = discounts::named(&discount);
    let data = work.admin().await?.ask(app, document, &asked).await?;
    if let Some(error) = admin::user_errors(&data, "switched").first() {
        return Ok(not_switched(work, &code, &discounts::words(error)));
    }
    // Switching on takes a planned end away.
    if let Some((rule, began_at_ms)) = rule_of(&code, group.as_ref()).filter(|_| on)
        && rule.ends_at_ms.is_some()
    {
        let title = discounts::title(&code.code, &code.id.to_string());
        let (_, change) = discounts::documents(rule.kind);
        let asked = discounts::change(&discount, rule, &title, began_at_ms);
        let data = work.admin().await?.ask(app, change, &asked).await?;
        if let Some(error) = admin::user_errors(&data, "changed").first() {
            return Ok(not_switched(work, &code, &discounts::words(error)));
        }
    }
    Ok(Step::Done(is_switched(work, &code, true)))
}

fn not_switched(work: &Work<'_>, code: &CodeAtWork, words: &str) -> Step {
    let statement = codes::not_switched(work.brand, code.id, words);
    let told = json!({ "code": code.code, "reason": words });
    Step::Failed(words.to_owned(), vec![statement, noted(work, "code.not_switched", code.id, told)])
}

fn is_switched(work: &Work<'_>, code: &CodeAtWork, in_store: bool) -> Vec<Statement> {
    let state = if code.state == CodeState::Active { "active" } else { "deactivated" };
    let told = json!({ "code": code.code, "state": state });
    vec![
        codes::switched(work.brand, code.id, in_store),
        noted(work, "code.switched", code.id, told),
    ]
}

/// Takes a code out of the discount that carries it with others, once, and looks whether it is out: Shopify
/// does so beside its answers. What is in there for long may have been put there anew by somebody, who isn't
/// worked against.
async fn take_out(
    work: &mut Work<'_>,
    task: &TaskRow,
    code: &CodeAtWork,
    discount: &str,
) -> Result<Step, Failed> {
    let app = work.app;
    let payload = crate::storage::rows::parse(&task.payload).unwrap_or_default();
    let looked = payload.get("looked").and_then(serde_json::Value::as_u64);
    if looked.is_none() {
        let redeem = match &code.redeem {
            Some(redeem) => Some(redeem.clone()),
            None => super::group_codes::all_of(work, discount).await?.and_then(|all| {
                let key = code_key(&code.code);
                all.into_iter().find(|(found, _)| *found == key).map(|(_, redeem)| redeem)
            }),
        };
        let Some(redeem) = redeem else {
            return Ok(Step::Done(is_switched(work, code, false)));
        };
        let asked = discounts::remove(discount, &redeem);
        let data = work.admin().await?.ask(app, admin::DELETE_CODES, &asked).await?;
        if let Some(error) = admin::user_errors(&data, "deleted").first() {
            // It may be gone with its discount.
            if owner_of(work, &code.code).await?.is_some_and(|owner| owner.id == discount) {
                return Ok(not_switched(work, code, &discounts::words(error)));
            }
        }
    }
    for pause_ms in [300, 700, 1_500, 3_000] {
        app.clock.pause(pause_ms).await;
        if owner_of(work, &code.code).await?.is_none_or(|owner| owner.id != discount) {
            return Ok(Step::Done(is_switched(work, code, false)));
        }
    }
    let looked = looked.unwrap_or(0) + 1;
    if looked >= MOST_LOOKS {
        return Ok(not_switched(work, code, STILL_THERE));
    }
    let next = json!({ "looked": looked });
    Ok(on(&next, app.now_ms() + (FIRST_LOOK_MS << looked), Vec::new()))
}

/// Changes the discounts that were made from a group's rule.
///
/// # Errors
/// [`Failed`].
pub async fn change_group(work: &mut Work<'_>, task: &TaskRow) -> Result<Step, Failed> {
    let (app, brand) = (work.app, work.brand);
    let Ok(id) = task.subject.parse::<GroupId>() else { return Ok(Step::Done(Vec::new())) };
    let Some(group) = groups::find(app.db(), brand, id).await? else {
        return Ok(Step::Done(Vec::new()));
    };
    let (_, change) = discounts::documents(group.rule.kind);
    if group.mode == Mode::OneDiscount {
        let Some(discount) = &group.discount else { return Ok(Step::Done(Vec::new())) };
        let title = discounts::title(&group.name, &group.id.to_string());
        let asked = discounts::change(discount, &group.rule, &title, group.began_at_ms);
        let data = work.admin().await?.ask(app, change, &asked).await?;
        return Ok(match admin::user_errors(&data, "changed").first() {
            Some(error) => {
                let words = discounts::words(error);
                Step::Failed(words.clone(), vec![groups::problem(brand, id, &words)])
            }
            None => Step::Done(vec![groups::problem(brand, id, "")]),
        });
    }
    let payload = crate::storage::rows::parse(&task.payload).unwrap_or_default();
    // Of a rule that changed again all are changed again.
    let same = payload.get("revision").and_then(serde_json::Value::as_i64) == Some(group.revision);
    let after = payload.get("after").and_then(serde_json::Value::as_str).filter(|_| same);
    let after = after.unwrap_or_default();
    let some = codes::made_of_group(app.db(), brand, id, after, CHANGED_AT_ONCE).await?;
    let mut problem = None;
    for code in &some {
        let Some(discount) = &code.discount else { continue };
        let title = discounts::title(&code.code, &code.id.to_string());
        let asked = discounts::change(discount, &group.rule, &title, group.began_at_ms);
        let data = work.admin().await?.ask(app, change, &asked).await?;
        let errors = admin::user_errors(&data, "changed");
        problem = problem.or_else(|| errors.first().map(discounts::words));
    }
    let mut statements = Vec::new();
    match problem {
        Some(words) => statements.push(groups::problem(brand, id, &words)),
        None if after.is_empty() => statements.push(groups::problem(brand, id, "")),
        None => (),
    }
    Ok(match some.last() {
        Some(last) => {
            let next = json!({ "after": last.id, "revision": group.revision });
            on(&next, app.now_ms(), statements)
        }
        None => Step::Done(Vec::new()),
    })
}

/// What else changes when a task about codes is given up.
pub fn given_up(work: &Work<'_>, task: &TaskRow, words: &str) -> Vec<Statement> {
    let brand = work.brand;
    let (code, group) = (task.subject.parse::<CodeId>(), task.subject.parse::<GroupId>());
    let change = match (task.kind, code, group) {
        (Kind::MakeCode, Ok(id), _) => codes::failed(brand, id, words, None),
        (Kind::SwitchCode, Ok(id), _) => codes::not_switched(brand, id, words),
        (Kind::AddCodes, _, Ok(id)) => codes::all_failed(brand, id, words),
        (Kind::ChangeGroup, _, Ok(id)) => groups::problem(brand, id, words),
        _ => return Vec::new(),
    };
    let told = json!({ "task": task.kind.name(), "reason": words });
    vec![change, noted(work, "code.given_up", &task.subject, told)]
}

/// What tells the brand that a task about codes waits, and for what.
pub fn waits(work: &Work<'_>, task: &TaskRow, trouble: &Trouble) -> Option<Statement> {
    let (brand, words) = (work.brand, format!("not done yet: {}", trouble.words()));
    match task.kind {
        Kind::MakeCode | Kind::SwitchCode => {
            Some(codes::waits(brand, task.subject.parse().ok()?, &words))
        }
        Kind::AddCodes => Some(codes::all_wait(brand, task.subject.parse().ok()?, &words)),
        Kind::ChangeGroup => Some(groups::problem(brand, task.subject.parse().ok()?, &words)),
        _ => None,
    }
}
