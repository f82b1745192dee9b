//! The brand's mails: what was sent to whom, and what became of it. Never what they say.

use crate::app::App;
use crate::domain::ids::MailId;
use crate::error::Result;
use crate::storage::mails::{self as rows, MailRow};
use crate::web::extract::{Caller, Params, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use super::view::{List, Time};

view! {
    /// A mail, without its content.
    #[schema(as = Mail)]
    pub struct MailView {
        id: MailId,
        /// `member_invitation`, `creator_invitation` and so on.
        kind: String,
        recipient: String,
        /// `waiting`, `sending`, `sent` (the mail service took it), `failed` (it surely was not
        /// sent), `unknown` (it may have been, and is not sent again), or `bounced` (it was sent, and
        /// came back).
        state: String,
        /// Why, where there is something to say.
        #[schema(required)]
        error: Option<String>,
        created_at: Time,
        #[schema(required)]
        sent_at: Option<Time>,
    }
}

impl From<MailRow> for MailView {
    fn from(row: MailRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            recipient: row.recipient,
            state: row.state,
            error: Some(row.error).filter(|error| !error.is_empty()),
            created_at: Time(row.created_at_ms),
            sent_at: row.sent_at_ms.map(Time),
        }
    }
}

/// The brand's mails of the last 90 days, latest first.
#[utoipa::path(get, path = "/v1/mails", tag = "mails", security(("api_key" = ["read"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<MailView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller<may::Read>,
    params: Params,
) -> Result<Json<List<MailView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), MailView::from)))
}
