//! The codes of a group that is one discount of the shop: the first is made with it, all others are added to
//! it, up to 250 at a time, which Shopify does beside its answers.

use serde_json::Value;

use super::codes::{Outcome, discount, is_made, noted, on, taken};
use super::outbox::{Step, Work};
use super::shopify::Failed;
use crate::domain::attribution::code_key;
use crate::domain::ids::GroupId;
use crate::domain::json::json;
use crate::partners::shopify::admin;
use crate::partners::shopify::admin::discounts::{self, Added, Carried, MOST_ADDED};
use crate::storage::Statement;
use crate::storage::code_work::{self as codes, CodeAtWork};
use crate::storage::groups::{self, GroupRow};
use crate::storage::outbox::TaskRow;

/// So many codes that are taken get another spelling in a step.
const RESPELLED_AT_ONCE: usize = 20;
/// A discount has at most so many pages of codes.
const MOST_PAGES: usize = 100;
/// Shopify adds nothing so often before it is believed.
const FRUITLESS_ROUNDS: i64 = 5;

/// Puts codes into their group's discount, one step after the other.
///
/// # Errors
/// [`Failed`].
pub async fn add(work: &mut Work<'_>, task: &TaskRow) -> Result<Step, Failed> {
    let (app, brand) = (work.app, work.brand);
    let Ok(id) = task.subject.parse::<GroupId>() else { return Ok(Step::Done(Vec::new())) };
    let Some(group) = groups::find(app.db(), brand, id).await? else {
        return Ok(Step::Done(Vec::new()));
    };
    let most = u32::try_from(MOST_ADDED).unwrap_or(u32::MAX);
    let waiting = codes::waiting(app.db(), brand, id, most).await?;
    let Some(first) = waiting.first() else {
        return Ok(Step::Done(vec![groups::none_waits(brand, id)]));
    };
    let payload = crate::storage::rows::parse(&task.payload).unwrap_or_default();
    let fruitless = payload.get("fruitless").and_then(Value::as_i64).unwrap_or(0);
    let Some(discount_id) = group.discount.clone() else {
        return begin(work, task, &group, first).await;
    };
    if let Some(creation) = payload.get("creation").and_then(Value::as_str) {
        return follow(work, &discount_id, creation, &waiting, fruitless).await;
    }
    // What was asked for before may have been done: look what is there.
    if task.tries > 0 {
        let Some(there) = all_of(work, &discount_id).await? else {
            return Ok(on("{}", app.now_ms(), vec![groups::discount(brand, id, None)]));
        };
        let ours = found_among(&waiting, &there);
        let statements = vec![codes::made(brand, &discount_id, &ours)];
        return Ok(on(&json!({ "fruitless": fruitless }), app.now_ms(), statements));
    }
    let texts: Vec<&str> = waiting.iter().map(|code| code.code.as_str()).collect();
    let asked = discounts::add(&discount_id, &texts);
    let data = work.admin().await?.ask(app, admin::ADD_CODES, &asked).await?;
    if let Some(error) = admin::user_errors(&data, "added").first() {
        // Somebody deleted the discount: the next one is made with the first of these codes.
        if all_of(work, &discount_id).await?.is_none() {
            return Ok(on("{}", app.now_ms(), vec![groups::discount(brand, id, None)]));
        }
        let words = discounts::words(error);
        return Ok(Step::Failed(words.clone(), vec![codes::all_failed(brand, id, &words)]));
    }
    let path = "/added/bulkCreation/id";
    let creation =
        discounts::gid(crate::partners::at(&data, path), "DiscountRedeemCodeBulkCreation");
    // Without a name for it, what it did is looked for in the discount.
    let creation = creation.unwrap_or_default();
    let payload = json!({ "creation": creation, "fruitless": fruitless });
    Ok(on(&payload, app.now_ms(), Vec::new()))
}

/// Makes the group's discount with its first code.
async fn begin(
    work: &mut Work<'_>,
    task: &TaskRow,
    group: &GroupRow,
    code: &CodeAtWork,
) -> Result<Step, Failed> {
    let title = discounts::title(&group.name, &group.id.to_string());
    let made = discount(work, task, code, &group.rule, (&title, group.began_at_ms)).await?;
    let now_ms = work.app.now_ms();
    Ok(match made {
        Outcome::Made(owner) => {
            let mut statements = is_made(work, code, &owner);
            statements.push(groups::discount(work.brand, group.id, Some(&owner.id)));
            on("{}", now_ms, statements)
        }
        // One that is taken keeps the others from nothing.
        Outcome::Respelled(statements) | Outcome::Failed(_, statements) => {
            on("{}", now_ms, statements)
        }
    })
}

/// Waits for an addition to be over, and takes in what became of each code.
async fn follow(
    work: &mut Work<'_>,
    discount_id: &str,
    creation: &str,
    waiting: &[CodeAtWork],
    fruitless: i64,
) -> Result<Step, Failed> {
    let (app, brand) = (work.app, work.brand);
    let mut added: Vec<Added> = Vec::new();
    if !creation.is_empty() {
        let mut pauses = [200, 400, 800, 1_600, 3_000, 3_000].into_iter();
        loop {
            let asked = discounts::named(creation);
            let data = work.admin().await?.ask(app, admin::ADDING_CODES, &asked).await?;
            match (discounts::adding(&data), pauses.next()) {
                (Some((true, told)), _) => {
                    added = told;
                    break;
                }
                (Some((false, _)), Some(ms)) => app.clock.pause(ms).await,
                (Some((false, _)), None) => {
                    let payload = json!({ "creation": creation, "fruitless": fruitless });
                    return Ok(on(&payload, app.now_ms() + 3_000, Vec::new()));
                }
                (None, _) => break,
            }
        }
    }
    let told = |code: &CodeAtWork| {
        let key = code_key(&code.code);
        added.iter().find(|added| added.key == key)
    };
    let mut made: Vec<_> = waiting
        .iter()
        .filter_map(|code| Some((code.id, Some(told(code)?.redeem.clone()?))))
        .collect();
    let untold = added.is_empty() || waiting.iter().any(|code| told(code).is_some_and(|a| a.taken));
    let mut there = Vec::new();
    if untold {
        there = all_of(work, discount_id).await?.unwrap_or_default();
        made.extend(found_among(waiting, &there));
    }
    let mut statements = vec![codes::made(brand, discount_id, &made)];
    statements.extend(refused(work, waiting, &told, &there).await?);
    let fruitless = if made.is_empty() && statements.len() == 1 { fruitless + 1 } else { 0 };
    if fruitless > FRUITLESS_ROUNDS {
        let words = "Shopify adds the code to the discount and then doesn't have it".to_owned();
        let group = waiting.first().and_then(|code| code.group_id);
        let failed = group.map(|group| codes::all_failed(brand, group, &words));
        return Ok(Step::Failed(words, failed.into_iter().collect()));
    }
    if let Some(group) = waiting.first().and_then(|code| code.group_id).filter(|_| !made.is_empty())
    {
        statements.push(noted(work, "code.made", group, json!({ "codes": made.len() })));
    }
    statements.extend(end_with_closed_deals(work, waiting, &made));
    Ok(on(&json!({ "fruitless": fruitless }), app.now_ms(), statements))
}

/// What becomes of the codes that Shopify didn't add.
async fn refused<'a>(
    work: &mut Work<'_>,
    waiting: &'a [CodeAtWork],
    told: &impl Fn(&CodeAtWork) -> Option<&'a Added>,
    there: &[(String, String)],
) -> Result<Vec<Statement>, Failed> {
    let mut statements = Vec::new();
    let mut spelled: Vec<String> = Vec::new();
    for code in waiting {
        let Some(added) = told(code).filter(|added| added.redeem.is_none()) else { continue };
        if !added.taken && !added.words.is_empty() {
            statements.push(codes::failed(work.brand, code.id, &added.words, None));
        } else if added.taken
            && spelled.len() < RESPELLED_AT_ONCE
            && !there.iter().any(|(key, _)| *key == added.key)
        {
            spelled.push(String::new());
            match taken(work, code, &spelled).await? {
                Outcome::Respelled(made) | Outcome::Failed(_, made) => {
                    // The spelling is this code's now, though nothing is written yet.
                    spelled.extend(made.iter().flat_map(spelling_of));
                    statements.extend(made);
                }
                Outcome::Made(_) => (),
            }
        }
    }
    Ok(statements)
}

/// The texts that a statement writes: whatever spelling is among them isn't given twice.
fn spelling_of(statement: &Statement) -> Vec<String> {
    let text = |param: &crate::storage::Param| match param {
        crate::storage::Param::Text(text) => Some(text.clone()),
        _ => None,
    };
    statement.params.iter().filter_map(text).collect()
}

/// Codes whose deals were closed while the shop made them end with these.
fn end_with_closed_deals(
    work: &Work<'_>,
    waiting: &[CodeAtWork],
    made: &[(crate::domain::ids::CodeId, Option<String>)],
) -> Vec<Statement> {
    let closed = waiting.iter().filter(|code| code.closed_at_ms.is_some() && code.ends_with_deal);
    let closed = closed.filter(|code| made.iter().any(|(id, _)| *id == code.id));
    closed.flat_map(|code| super::codes::ends(work, code.id)).collect()
}

fn found_among(
    waiting: &[CodeAtWork],
    there: &[(String, String)],
) -> Vec<(crate::domain::ids::CodeId, Option<String>)> {
    let found = |code: &CodeAtWork| {
        let key = code_key(&code.code);
        let (_, redeem) = there.iter().find(|(found, _)| *found == key)?;
        Some((code.id, Some(redeem.clone())))
    };
    waiting.iter().filter_map(found).collect()
}

/// All codes of a discount as they are compared, with the platform's names of them; `None` if there is no
/// such discount.
pub(super) async fn all_of(
    work: &mut Work<'_>,
    discount_id: &str,
) -> Result<Option<Carried>, Failed> {
    let app = work.app;
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let asked = json!({ "discount": discount_id, "after": after });
        let data = work.admin().await?.ask(app, admin::CODES_OF_DISCOUNT, &asked).await?;
        let Some((some, next)) = discounts::page(&data) else { return Ok(None) };
        all.extend(some);
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    Ok(Some(all))
}
