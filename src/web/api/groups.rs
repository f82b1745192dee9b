//! Affiliate groups: named rules that codes are made from.

use http::StatusCode;

use crate::app::App;
use crate::domain::attribution::code_key;
use crate::domain::code::{PATTERN, from_handle, pattern};
use crate::domain::ids::{CodeId, DealId, Group, GroupId, StoreId};
use crate::domain::json::json;
use crate::domain::task::Kind as TaskKind;
use crate::error::{Error, Result};
use crate::jobs::outbox;
use crate::storage::DbError;
use crate::storage::codes::{self, CodeRow, CodeState, OneOfMany};
use crate::storage::groups::{self as rows, GroupRow, Mode};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Checks, Params, PathId, checked, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, by_serde, view};

use super::codes::{CodeView, code_taken, free, open, shop_of, task};
use super::deals::{LinkState, missing_parent};
use super::discounts::{DiscountView, NewDiscount, whole_seconds};
use super::view::{List, Time};

/// So many codes are made at once.
const MOST_CODES: usize = 500;

by_serde!(Mode);
words!(Mode { "one_discount" => OneDiscount, "discount_per_code" => DiscountPerCode });

view! {
    /// An affiliate group.
    #[schema(as = AffiliateGroup)]
    pub struct GroupView {
        id: GroupId,
        store_id: StoreId,
        name: String,
        mode: Mode,
        discount: DiscountView,
        /// What codes are spelled like: `{handle}{value}`.
        code_pattern: String,
        ends_with_deal: bool,
        /// Open, or closed: archived.
        state: LinkState,
        /// What the shop didn't do, in words; empty if nothing.
        problem: String,
        created_at: Time,
    }
}

impl From<GroupRow> for GroupView {
    fn from(row: GroupRow) -> Self {
        Self {
            id: row.id,
            store_id: row.store_id,
            name: row.name,
            mode: row.mode,
            discount: row.rule.into(),
            code_pattern: row.code_pattern,
            ends_with_deal: row.ends_with_deal,
            state: LinkState::of(row.archived_at_ms),
            problem: row.problem,
            created_at: Time(row.began_at_ms),
        }
    }
}

body! {
    /// A new affiliate group.
    pub struct NewGroup {
        /// Absent: the brand's first.
        store_id: Option<String>,
        name: String,
        discount: NewDiscount,
        /// One discount of the shop that carries all codes, or one for each.
        mode: Mode,
        /// Absent: `{handle}{value}`, which makes ANNA10 of @anna at 10 %.
        code_pattern: Option<String>,
        /// Codes are deactivated when their deals are closed.
        ends_with_deal: Option<bool>,
    }
}

/// Sets up a group. Nothing is made in the shop before its first code.
#[utoipa::path(post, path = "/v1/affiliate-groups", tag = "codes", request_body = NewGroup,
    security(("api_key" = ["deals"])), responses((status = 201, body = GroupView),
    (status = 409, description = "There is no store that codes can be made in")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(new): Body<NewGroup>,
) -> Result<(StatusCode, Json<GroupView>)> {
    let now_ms = app.now_ms();
    let shop = shop_of(&app, caller.brand, new.store_id.as_deref()).await?;
    let mut checks = Checks::default();
    let name = checks.text("name", &new.name, 100);
    let code_pattern = pattern(new.code_pattern.as_deref().unwrap_or(PATTERN));
    let code_pattern = checks.field("code_pattern", code_pattern);
    let rule = new.discount.rule(&mut checks, "discount.", shop.currency, now_ms);
    checks.done()?;
    let row = GroupRow {
        id: app.new_id(),
        store_id: shop.id,
        name: checked(name)?,
        mode: new.mode,
        rule,
        code_pattern: checked(code_pattern)?,
        ends_with_deal: new.ends_with_deal.unwrap_or(false),
        discount: None,
        problem: String::new(),
        began_at_ms: now_ms - now_ms.rem_euclid(1000),
        archived_at_ms: None,
        revision: 0,
    };
    let insert = rows::insert(caller.brand, &row);
    let id = row.id;
    let view = GroupView::from(row);
    let note = caller.note(&app, "group.create", id, None, Some(json::text(&view)));
    app.db().run(vec![insert, note]).await.map_err(missing_parent)?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// The brand's affiliate groups, archived ones too.
#[utoipa::path(get, path = "/v1/affiliate-groups", tag = "codes", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<GroupView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<GroupView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), GroupView::from)))
}

/// One affiliate group.
#[utoipa::path(get, path = "/v1/affiliate-groups/{id}", tag = "codes",
    security(("api_key" = ["read"])), params(("id" = GroupId, Path)),
    responses((status = 200, body = GroupView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Group>,
) -> Result<Json<GroupView>> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Json(GroupView::from(row)))
}

body! {
    /// What to change of a group; what is absent stays.
    pub struct GroupChanges {
        name: Option<String>,
        code_pattern: Option<String>,
        ends_with_deal: Option<bool>,
        starts_at: Option<Time>,
        /// Null: no end.
        ends_at: Option<Option<Time>>,
        /// Null: no limit.
        usage_limit: Option<Option<i64>>,
        once_per_customer: Option<bool>,
    }
}

/// Changes a group, and what was made of it in the shop.
#[utoipa::path(patch, path = "/v1/affiliate-groups/{id}", tag = "codes",
    request_body = GroupChanges, security(("api_key" = ["deals"])), params(("id" = GroupId, Path)),
    responses((status = 200, body = GroupView),
    (status = 409, description = "It is archived, or was changed meanwhile")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Group>,
    Body(changes): Body<GroupChanges>,
) -> Result<Json<GroupView>> {
    let mut row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    open(&row)?;
    let before = row.clone();
    let mut checks = Checks::default();
    if let Some(name) = &changes.name {
        row.name = checks.text("name", name, 100).unwrap_or_default();
    }
    if let Some(text) = &changes.code_pattern {
        row.code_pattern = checks.field("code_pattern", pattern(text)).unwrap_or_default();
    }
    row.ends_with_deal = changes.ends_with_deal.unwrap_or(row.ends_with_deal);
    let rule = &mut row.rule;
    rule.starts_at_ms = changes.starts_at.map(whole_seconds).or(rule.starts_at_ms);
    rule.usage_limit = changes.usage_limit.unwrap_or(rule.usage_limit);
    rule.once_per_customer = changes.once_per_customer.unwrap_or(rule.once_per_customer);
    if let Some(ends_at) = changes.ends_at {
        rule.ends_at_ms = ends_at.map(whole_seconds);
    }
    let currency = shop_of(&app, caller.brand, Some(&row.store_id.to_string())).await?.currency;
    // An end that was there and is over now is no fault of this change.
    let known = before.rule.faults(currency, app.now_ms());
    let faults = rule.faults(currency, app.now_ms()).into_iter();
    for (field, reason) in
        faults.filter(|fault| changes.ends_at.is_some() || !known.contains(fault))
    {
        checks.refuse(field, reason);
    }
    checks.done()?;
    let mut batch = vec![rows::update(caller.brand, &row)];
    if row.rule != before.rule || row.name != before.name {
        let subject = row.id.to_string();
        // Whoever changes codes one by one begins anew with another revision.
        let payload = json!({ "revision": row.revision + 1 });
        let task = (TaskKind::ChangeGroup, &*subject);
        batch.push(outbox::put(&app, caller.brand, row.store_id, task, &payload));
    }
    let (before, after) = (GroupView::from(before), GroupView::from(row));
    let (before, after) = (Some(json::text(&before)), Some(json::text(&after)));
    batch.push(caller.note(&app, "group.update", id.0, before, after));
    app.db().run(batch).await.map_err(changed)?;
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Json(GroupView::from(row)))
}

fn changed(error: DbError) -> Box<Error> {
    if error.is_constraint("NOT NULL") {
        return Error::refused("group-changed", "the group was changed meanwhile: read it again");
    }
    error.into()
}

/// Archives a group: no more codes are made from it. Those that there are go on.
#[utoipa::path(post, path = "/v1/affiliate-groups/{id}/archive", tag = "codes",
    security(("api_key" = ["deals"])), params(("id" = GroupId, Path)),
    responses((status = 200, body = GroupView)))]
pub async fn archive(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Group>,
) -> Result<Json<GroupView>> {
    let mut row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    if row.archived_at_ms.is_some() {
        return Ok(Json(GroupView::from(row)));
    }
    row.archived_at_ms = Some(app.now_ms());
    let note = caller.note(&app, "group.archive", row.id, None, None);
    app.db().run(vec![rows::update(caller.brand, &row), note]).await.map_err(changed)?;
    Ok(Json(GroupView::from(row)))
}

body! {
    /// Deals that get a code each.
    pub struct NewCodes {
        deal_ids: Vec<String>,
    }
}

fn distinct_deals(texts: &[String]) -> Result<Vec<DealId>> {
    let invalid = |why: &str| Error::invalid("deal_ids", why);
    if texts.is_empty() || texts.len() > MOST_CODES {
        return Err(invalid("must be 1 to 500"));
    }
    let mut deals: Vec<DealId> = Vec::new();
    for text in texts {
        let deal = text.parse().map_err(|e| Error::invalid("deal_ids", e))?;
        if deals.contains(&deal) {
            return Err(invalid("must name each deal once"));
        }
        deals.push(deal);
    }
    Ok(deals)
}

/// Makes a code for each of many deals, spelled by the group's pattern; all of them, or none.
#[utoipa::path(post, path = "/v1/affiliate-groups/{id}/codes", tag = "codes",
    request_body = NewCodes, security(("api_key" = ["deals"])), params(("id" = GroupId, Path)),
    responses((status = 201, body = List<CodeView>),
    (status = 409, description = "The group is archived, or a code was taken meanwhile")))]
pub async fn add_codes(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Group>,
    Body(new): Body<NewCodes>,
) -> Result<(StatusCode, Json<List<CodeView>>)> {
    let brand = caller.brand;
    let group = rows::find(app.db(), brand, id.0).await?.ok_or(Error::NotFound)?;
    open(&group)?;
    let deals = distinct_deals(&new.deal_ids)?;
    let found = codes::handles(app.db(), brand, &deals).await?;
    if found.len() != deals.len() || found.iter().any(|deal| deal.closed_at_ms.is_some()) {
        return Err(Error::invalid("deal_ids", "must be open deals"));
    }
    let figure = group.rule.figure();
    let mut spelled: Vec<String> = Vec::new();
    let mut made: Vec<OneOfMany> = Vec::new();
    let bases: Vec<String> =
        found.iter().map(|deal| from_handle(&group.code_pattern, &deal.handle, &figure)).collect();
    let keys: Vec<String> = bases.iter().map(|base| code_key(base)).collect();
    let known = codes::known_keys(app.db(), brand, &keys).await?;
    for ((deal, base), key) in found.iter().zip(bases).zip(keys) {
        let (attempt, code) = if known.contains(&key) || spelled.contains(&key) {
            free(&app, brand, &base, &spelled).await?
        } else {
            (0, base.clone())
        };
        spelled.push(code_key(&code));
        made.push(OneOfMany {
            id: app.new_id(),
            deal: deal.deal_id,
            code,
            base: Some(base),
            attempt,
        });
    }
    let mut batch =
        codes::insert_many(brand, &made, Some(group.id), Some(group.store_id), app.now_ms());
    let ids: Vec<CodeId> = made.iter().map(|code| code.id).collect();
    let tasks = if group.mode == Mode::OneDiscount { 1 } else { ids.len() };
    let of = |id: &CodeId| task(&app, brand, group.store_id, Some(&group), *id);
    batch.extend(ids.iter().take(tasks).map(of));
    let subjects: Vec<String> = ids.iter().map(CodeId::to_string).collect();
    let told = json!({ "affiliate_group_id": group.id });
    batch.push(caller.note_many(&app, "code.create", &subjects, told));
    app.db().run(batch).await.map_err(|error| {
        if error.is_constraint("codes.code_key") { code_taken() } else { missing_parent(error) }
    })?;
    let now_ms = app.now_ms();
    let row = |code: OneOfMany| CodeRow {
        id: code.id,
        deal_id: code.deal,
        code: code.code,
        state: CodeState::Creating,
        pending: true,
        store_id: Some(group.store_id),
        group_id: Some(group.id),
        rule: None,
        reason: String::new(),
        suggestion: None,
        in_store: None,
        ends_with_deal: false,
        created_at_ms: now_ms,
    };
    let data = made.into_iter().map(|code| CodeView::from(row(code))).collect();
    Ok((StatusCode::CREATED, Json(List { data, next_cursor: None })))
}
