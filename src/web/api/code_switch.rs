//! Codes switched on and off, by hand or with their deal, and made anew.

use utoipa::ToSchema;

use crate::app::{App, Pending};
use crate::domain::attribution::code_key;
use crate::domain::code::new_code;
use crate::domain::ids::{BrandId, Code, CodeId, DealId, StoreId};
use crate::domain::json::json;
use crate::domain::task::Kind;
use crate::error::{Error, Result};
use crate::jobs::outbox;
use crate::storage::codes::{self as rows, CodeRow, CodeState};
use crate::storage::groups::{self, GroupRow, Mode};
use crate::storage::{DbError, Statement, links};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::redirect;

use super::codes::{CodeStateView, CodeView, deal_closed, open, refused, task};
use super::deals::find;

/// What a code is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CodeSwitch {
    /// It works.
    Active,
    /// It doesn't.
    Deactivated,
}
words!(CodeSwitch { "active" => Active, "deactivated" => Deactivated });

body! {
    /// What to change of a code.
    pub struct CodeChanges {
        state: CodeSwitch,
    }
}

/// A code that can be worked at, with its group.
async fn ours(
    app: &App,
    brand: BrandId,
    id: CodeId,
) -> Result<(CodeRow, Option<GroupRow>, StoreId)> {
    let row = rows::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?;
    let group = match row.group_id {
        Some(id) => groups::find(app.db(), brand, id).await?,
        None => None,
    };
    let store = row.store_id.filter(|_| group.is_some() || row.rule.is_some());
    let taken_over = || {
        Error::refused(
            "code-not-ours",
            "it was taken over: what it takes off is changed in the shop",
        )
    };
    let store = store.ok_or_else(taken_over)?;
    Ok((row, group, store))
}

fn under_way(error: DbError) -> Box<Error> {
    match error {
        error if error.is_constraint("NOT NULL") => Error::refused(
            "code-under-way",
            "the shop is doing something about it, or it was changed meanwhile",
        ),
        error => refused(error),
    }
}

/// Switches a code on or off; its shop follows.
#[utoipa::path(patch, path = "/v1/codes/{id}", tag = "codes", request_body = CodeChanges,
    security(("api_key" = ["deals"])), params(("id" = CodeId, Path)),
    responses((status = 200, body = CodeView),
    (status = 409, description = "It was taken over, or is under way")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Code>,
    Body(changes): Body<CodeChanges>,
) -> Result<Json<CodeView>> {
    let (row, group, store) = ours(&app, caller.brand, id.0).await?;
    let off = changes.state == CodeSwitch::Deactivated;
    let there = if off { row.state == CodeState::Deactivated } else { row.state.works() };
    if there && !row.pending {
        return Ok(Json(CodeView::from(row)));
    }
    if !off {
        let rule = row.rule.as_ref().or_else(|| group.as_ref().map(|group| &group.rule));
        if rule.is_some_and(|rule| rule.is_over(app.now_ms())) {
            return Err(Error::refused("discount-over", "what it takes off has ended"));
        }
        group.as_ref().map_or(Ok(()), open)?;
    }
    let told = if off { "deactivated" } else { "active" };
    let mut batch = switching(&app, caller.brand, (row.id, store), group.as_ref(), !off, false);
    let (before, after) =
        (json!({ "state": CodeStateView::from(row.state) }), json!({ "state": told }));
    batch.push(caller.note(&app, "code.update", row.id, Some(before), Some(after)));
    app.db().run(batch).await.map_err(under_way)?;
    forget_links(&app, caller.brand, row.id).await?;
    let row = rows::find(app.db(), caller.brand, row.id).await?.ok_or(Error::NotFound)?;
    Ok(Json(CodeView::from(row)))
}

/// Switches a code and has its shop follow.
fn switching(
    app: &App,
    brand: BrandId,
    (id, store): (CodeId, StoreId),
    group: Option<&GroupRow>,
    on: bool,
    with_deal: bool,
) -> Vec<Statement> {
    let shared = group.filter(|group| group.mode == Mode::OneDiscount);
    let (to, task) = match (on, shared) {
        // In a discount of many it was taken out: it is put in again.
        (true, Some(group)) => (CodeState::Creating, task(app, brand, store, Some(group), id)),
        _ => {
            let to = if on { CodeState::Active } else { CodeState::Deactivated };
            (to, outbox::put(app, brand, store, (Kind::SwitchCode, &id.to_string()), "{}"))
        }
    };
    vec![rows::switch(brand, id, to, with_deal), task]
}

/// What becomes of a deal's codes when it is closed or opened: those that end with it.
pub(super) fn follow_deal(
    app: &App,
    brand: BrandId,
    deal: DealId,
    opened: bool,
) -> Pending<'_, Result<Vec<Statement>>> {
    Box::pin(async move {
        let mut batch = Vec::new();
        for code in rows::of_deal(app.db(), brand, deal, opened).await? {
            let group = match code.group_id {
                Some(id) => groups::find(app.db(), brand, id).await?,
                None => None,
            };
            let (id, group) = ((code.id, code.store_id), group.as_ref());
            batch.extend(switching(app, brand, id, group, opened, !opened));
        }
        Ok(batch)
    })
}

/// Links that apply a code lead otherwise now.
async fn forget_links(app: &App, brand: BrandId, id: CodeId) -> Result<()> {
    for link in rows::links_of(app.db(), brand, id).await? {
        for host in links::hosts_of(app.db(), brand, link.id).await? {
            redirect::forget(app, &host, &link.slug).await;
        }
    }
    Ok(())
}

body! {
    /// Another try.
    pub struct CodeRetry {
        /// Absent: as it is spelled.
        code: Option<String>,
    }
}

/// Has a code made anew that the shop didn't make, or that was deleted there.
#[utoipa::path(post, path = "/v1/codes/{id}/retry", tag = "codes", request_body = CodeRetry,
    security(("api_key" = ["deals"])), params(("id" = CodeId, Path)),
    responses((status = 200, body = CodeView),
    (status = 409, description = "It neither failed nor is gone, or another deal has the code")))]
pub async fn retry(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Code>,
    Body(again): Body<CodeRetry>,
) -> Result<Json<CodeView>> {
    let (row, group, store) = ours(&app, caller.brand, id.0).await?;
    if !matches!(row.state, CodeState::Failed | CodeState::Gone) {
        return Err(Error::refused("code-not-failed", "it neither failed nor is gone"));
    }
    let text = again.code.as_deref().map_or_else(|| Ok(row.code.clone()), new_code);
    let text = text.map_err(|e| Error::invalid("code", e))?;
    // One that was there once keeps its text: orders carry it.
    if row.in_store.is_some() && code_key(&text) != code_key(&row.code) {
        return Err(Error::invalid("code", "must stay: orders may carry it; make another code"));
    }
    group.as_ref().map_or(Ok(()), open)?;
    if find(&app, caller.brand, row.deal_id).await?.closed_at_ms.is_some() {
        return Err(deal_closed());
    }
    let before = json!({ "code": row.code, "reason": row.reason });
    let batch = vec![
        rows::begin_again(caller.brand, row.id, &text, None),
        caller.note(&app, "code.retry", row.id, Some(before), Some(json!({ "code": text }))),
        task(&app, caller.brand, store, group.as_ref(), row.id),
    ];
    app.db().run(batch).await.map_err(under_way)?;
    let row = rows::find(app.db(), caller.brand, row.id).await?.ok_or(Error::NotFound)?;
    Ok(Json(CodeView::from(row)))
}
