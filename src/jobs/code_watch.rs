//! What becomes of codes in their shops: looked at every day, and soon after a shop hints that something changed.

use serde_json::Value;

use super::codes::{noted, on, rule_of};
use super::outbox::{self, Step, Work};
use super::shopify::Failed;
use crate::app::App;
use crate::domain::attribution::code_key;
use crate::domain::ids::{BrandId, StoreId};
use crate::domain::json::json;
use crate::domain::sorted::Sorted;
use crate::domain::task::Kind;
use crate::domain::time::Millis;
use crate::error::Result;
use crate::partners::at;
use crate::partners::shopify::admin;
use crate::partners::shopify::admin::discounts::{self, LOOKED_AT, NAMES};
use crate::storage::DbError;
use crate::storage::code_work::{self as codes, CodeAtWork, Found, Which};
use crate::storage::codes::CodeState;
use crate::storage::groups::{self, GroupRow, Mode};
use crate::storage::outbox::TaskRow;

/// So many codes are looked at in a step.
const LOOKED_AT_ONCE: u32 = 100;
/// A hint waits so long for others about the same discount.
const HINT_MS: Millis = 5_000;

/// Has all codes of all shops looked at that were reached; tells how many shops.
///
/// # Errors
/// [`crate::error::Error`] if a brand failed.
pub async fn watch_all(app: &App) -> Result<i64> {
    super::for_every_brand(app, |app, brand| {
        Box::pin(async move {
            let stores = codes::watched_stores(app.db(), brand).await?;
            let put =
                |store: &StoreId| outbox::put(app, brand, *store, (Kind::LookAtCodes, ""), "{}");
            let batch: Vec<_> = stores.iter().map(put).collect();
            if !batch.is_empty() {
                app.db().run(batch).await?;
            }
            Ok(i64::try_from(stores.len()).unwrap_or(i64::MAX))
        })
    })
    .await
}

/// A shop hints that something became of a discount: if codes of ours are made of it they are looked at.
///
/// # Errors
/// [`DbError`].
pub async fn hint(
    app: &App,
    brand: BrandId,
    store: StoreId,
    discount: &str,
) -> std::result::Result<(), DbError> {
    let now_ms = app.now_ms();
    let look = codes::put_look(brand, (app.new_id(), store), discount, now_ms + HINT_MS, now_ms);
    app.db().run(vec![look]).await.map(drop)
}

/// Looks at codes: those that the task names, page by page.
///
/// # Errors
/// [`Failed`].
pub async fn look(work: &mut Work<'_>, task: &TaskRow) -> Result<Step, Failed> {
    let (app, brand, store) = (work.app, work.brand, work.store);
    let payload = crate::storage::rows::parse(&task.payload).unwrap_or_default();
    let after = at(&payload, "/after").as_str().unwrap_or_default();
    let which = match task.subject.as_str() {
        "" => Which::All,
        gid if gid.starts_with("gid:") => Which::Of(gid),
        id => Which::One(id),
    };
    let some = codes::looked_at(app.db(), brand, store, which, after, LOOKED_AT_ONCE).await?;
    let Some(last) = some.last() else { return Ok(Step::Done(Vec::new())) };
    let mut groups = Sorted::<String, GroupRow>::new();
    for id in some.iter().filter_map(|code| code.group_id) {
        if groups.get(&id.to_string()).is_none()
            && let Some(group) = groups::find(app.db(), brand, id).await?
        {
            groups.insert(id.to_string(), group);
        }
    }
    let of = |code: &CodeAtWork| code.group_id.and_then(|id| groups.get(&id.to_string()));
    let shared = |code: &CodeAtWork| of(code).is_some_and(|group| group.mode == Mode::OneDiscount);
    let mut found = Vec::new();
    let single: Vec<&CodeAtWork> = some.iter().filter(|code| !shared(code)).collect();
    for chunk in single.chunks(LOOKED_AT) {
        let nodes = nodes_of(work, chunk).await?;
        for (code, node) in chunk.iter().zip(nodes) {
            let rule = rule_of(code, of(code)).map(|(rule, _)| rule);
            found.push((*code, judged(code, rule, node.as_ref())));
        }
    }
    for group in groups.values().filter(|group| group.mode == Mode::OneDiscount) {
        let members: Vec<&CodeAtWork> =
            some.iter().filter(|code| code.group_id == Some(group.id)).collect();
        found.extend(shared_codes(work, group, &members).await?);
    }
    let changed = found.into_iter().filter_map(|(code, found)| Some((code, found?)));
    let changed: Vec<_> = changed.filter(|(code, found)| is_news(code, found)).collect();
    let mut statements: Vec<_> =
        changed.iter().map(|(code, found)| codes::found(brand, code.id, found)).collect();
    // What the brand must see stands in the trail too.
    for (code, found) in changed.iter().filter(|(code, found)| found.state != code.state) {
        let told = json!({ "code": code.code, "reason": found.reason });
        statements.push(noted(work, "code.found", code.id, told));
    }
    Ok(on(&json!({ "after": last.id }), app.now_ms(), statements))
}

/// What the shop has under each of these codes.
async fn nodes_of(
    work: &mut Work<'_>,
    codes: &[&CodeAtWork],
) -> Result<Vec<Option<Value>>, Failed> {
    let app = work.app;
    let texts: Vec<&str> = codes.iter().map(|code| code.code.as_str()).collect();
    let asked = discounts::codes(&texts, LOOKED_AT);
    let mut data = work.admin().await?.ask(app, admin::CODES_IN_SHOP, &asked).await?;
    let mut take = |name: &str| data.get_mut(name).map(Value::take).filter(Value::is_object);
    Ok(NAMES.iter().take(codes.len()).map(|name| take(name)).collect())
}

/// Codes that one discount carries: its list of codes, and the discount itself once.
async fn shared_codes<'a>(
    work: &mut Work<'_>,
    group: &GroupRow,
    members: &[&'a CodeAtWork],
) -> Result<Vec<(&'a CodeAtWork, Option<Found>)>, Failed> {
    let there = match &group.discount {
        Some(discount) => super::group_codes::all_of(work, discount).await?.unwrap_or_default(),
        None => Vec::new(),
    };
    let has = |code: &CodeAtWork| {
        let key = code_key(&code.code);
        there.iter().any(|(found, _)| *found == key)
    };
    let mut node = None;
    if let Some(one) = members.iter().find(|code| has(code)) {
        node = nodes_of(work, &[one]).await?.pop().flatten();
    }
    let judge = |code: &&'a CodeAtWork| {
        let node = node.as_ref().filter(|_| has(code));
        (*code, judged(code, Some(&group.rule), node))
    };
    Ok(members.iter().map(judge).collect())
}

/// What a look at one code comes to; `None`: nothing that is kept.
fn judged(
    code: &CodeAtWork,
    rule: Option<&crate::domain::discount::Discount>,
    node: Option<&Value>,
) -> Option<Found> {
    let deactivated = code.state == CodeState::Deactivated;
    let found = |state, reason: &str, in_store| {
        Some(Found { state, reason: reason.to_owned(), in_store, discount: None })
    };
    let Some(node) = node else {
        // One that was never seen there may be in another shop.
        return match code.in_store {
            _ if deactivated => found(CodeState::Deactivated, "", false),
            Some(true) => found(CodeState::Gone, "it was deleted in the shop", false),
            _ => found(code.state, &code.reason, false),
        };
    };
    let id = discounts::gid(at(node, "/id"), "DiscountCodeNode");
    let Some(rule) = rule else {
        let ended = discounts::ended(node);
        let state = if ended { CodeState::Changed } else { CodeState::Active };
        let reason = if ended { "it ended, or was deactivated in the shop" } else { "" };
        return Some(Found { state, reason: reason.to_owned(), in_store: true, discount: id });
    };
    if id != code.discount {
        return found(CodeState::Changed, "another discount of the shop has this code now", true);
    }
    let ended = discounts::ended(node);
    if deactivated {
        return match ended {
            true => found(CodeState::Deactivated, "", true),
            false => found(CodeState::Changed, "it was activated in the shop", true),
        };
    }
    let mut words = discounts::differences(node, rule);
    if ended {
        words.insert(0, "it ended, or was deactivated in the shop");
    }
    match words.as_slice() {
        [] => found(CodeState::Active, "", true),
        words => found(CodeState::Changed, &words.join("; "), true),
    }
}

fn is_news(code: &CodeAtWork, found: &Found) -> bool {
    found.state != code.state
        || found.reason != code.reason
        || Some(found.in_store) != code.in_store
        || (found.discount.is_some() && found.discount != code.discount)
}
