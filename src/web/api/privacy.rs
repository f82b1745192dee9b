//! What shops ask about their shoppers' data.

use crate::app::App;
use crate::domain::ids::{DataRequest, DataRequestId, StoreId};
use crate::error::{Error, Result};
use crate::storage::audit::If;
use crate::storage::privacy::{self as rows, RequestRow};
use crate::web::extract::{Caller, Params, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use super::audit::Stored;
use super::view::{List, Time};

view! {
    /// A request about shoppers' data.
    #[schema(as = DataRequest)]
    pub struct DataRequestView {
        id: DataRequestId,
        store_id: StoreId,
        /// `data_request` (the brand answers the customer), `customer_redaction` or `shop_redaction`.
        kind: String,
        /// `open` or `done`.
        state: &'static str,
        received_at: Time,
        /// Until when it must be done.
        due_at: Time,
        #[schema(required)]
        done_at: Option<Time>,
        /// All that is stored of the orders which the customer asks about, amounts in minor units.
        #[schema(value_type = Vec<Object>)]
        stored: Stored,
    }
}

impl From<RequestRow> for DataRequestView {
    fn from(row: RequestRow) -> Self {
        Self {
            id: row.id,
            store_id: row.store_id,
            kind: row.kind,
            state: if row.done_at_ms.is_some() { "done" } else { "open" },
            received_at: Time(row.received_at_ms),
            due_at: Time(row.due_at_ms),
            done_at: row.done_at_ms.map(Time),
            stored: Stored(Some(row.stored)),
        }
    }
}

/// What shops ask about their shoppers' data.
#[utoipa::path(get, path = "/v1/data-requests", tag = "privacy", security(("api_key" = ["admin"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<DataRequestView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    params: Params,
) -> Result<Json<List<DataRequestView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), DataRequestView::from)))
}

view! {
    /// Where a request stands.
    pub struct Completed {
        id: DataRequestId,
        state: &'static str,
        done_at: Time,
    }
}

/// Notes that the customer was told what is stored.
#[utoipa::path(post, path = "/v1/data-requests/{id}/completion", tag = "privacy",
    security(("api_key" = ["admin"])), params(("id" = DataRequestId, Path)),
    responses((status = 200, body = Completed),
    (status = 409, description = "A redaction, which is done by itself")))]
pub async fn complete(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<DataRequest>,
) -> Result<Json<Completed>> {
    let found = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let now_ms = app.now_ms();
    if found.done_at_ms.is_none() {
        if found.kind != "data_request" {
            return Err(Error::refused("redaction", "a redaction is done by itself"));
        }
        let complete = rows::complete(caller.brand, id.0, now_ms);
        let if_open = If::RequestGoesOn { redacted: 0, done: true };
        let what = ("data_request.complete", &*id.0.to_string());
        let note = caller.note_if(&app, if_open, what, None, None);
        app.db().run(vec![note, complete]).await?;
    }
    let done_at = Time(found.done_at_ms.unwrap_or(now_ms));
    Ok(Json(Completed { id: id.0, state: "done", done_at }))
}
