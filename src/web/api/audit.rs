//! The audit trail, as JSON and as CSV.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::AuditId;
use crate::domain::time::{Millis, parse_rfc3339, to_rfc3339};
use crate::error::{Error, Result};
use crate::storage::audit::{self as rows, AuditRow, Filter};
use crate::web::csv;
use crate::web::extract::{Caller, Params, may};
use crate::web::handler::{Answer, Json, State};
use crate::web::json::{ToJson, view};
use crate::web::message::Response;

use super::view::{List, Time};

view! {
    /// Something that was done.
    #[schema(as = AuditEntry)]
    pub struct AuditView {
        id: AuditId,
        at: Time,
        actor: ActorView,
        /// What: `deal.update`.
        action: String,
        /// To what.
        subject_id: String,
        request_id: String,
        /// What was there before.
        #[schema(required, value_type = serde_json::Value)]
        before: Stored,
        /// What was made, or changed of it.
        #[schema(required, value_type = serde_json::Value)]
        after: Stored,
    }
}

view! {
    /// Who did it.
    #[schema(as = Actor)]
    pub struct ActorView {
        /// `operator`, `key`, `creator`, `member` or `job`.
        pub(super) kind: String,
        /// Which; empty for the operator.
        pub(super) id: String,
    }
}

impl ActorView {
    /// Who it was, where that is known.
    pub(super) fn of(kind: String, id: String) -> Option<Self> {
        (!kind.is_empty()).then_some(Self { kind, id })
    }
}

/// JSON as it is stored.
pub struct Stored(pub Option<String>);

impl ToJson for Stored {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_deref().unwrap_or("null").as_bytes());
    }
}

impl From<AuditRow> for AuditView {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id,
            at: Time(row.at_ms),
            actor: ActorView { kind: row.actor_kind, id: row.actor_id },
            action: row.action,
            subject_id: row.subject_id,
            request_id: row.request_id,
            before: Stored(row.before),
            after: Stored(row.after),
        }
    }
}

const NAMES: &[&str] =
    &["limit", "cursor", "actor_id", "action", "subject_id", "from", "to", "format"];

/// Who changed what, latest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", security(("api_key" = ["admin"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query),
    ("actor_id" = Option<String>, Query), ("action" = Option<String>, Query),
    ("subject_id" = Option<String>, Query), ("from" = Option<String>, Query),
    ("to" = Option<String>, Query), ("format" = Option<String>, Query, description = "`csv`")),
    responses((status = 200, content((List<AuditView> = "application/json"),
        (String = "text/csv")))))]
pub async fn list(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    params: Params,
) -> Result<Response> {
    let params = params.only(NAMES)?;
    let page = params.page()?;
    let text = |name: &str| params.get(name).map(str::to_owned);
    let time = |name: &str, otherwise: Millis| match params.get(name) {
        Some(text) => parse_rfc3339(text)
            .ok_or_else(|| Error::invalid(name, "must be a time such as 2026-11-22T08:00:00Z")),
        None => Ok(otherwise),
    };
    let filter = Filter {
        actor: text("actor_id"),
        action: text("action"),
        subject: text("subject_id"),
        from_ms: time("from", 0)?,
        to_ms: time("to", MAX_MS)?,
    };
    let as_csv = match params.get("format") {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(Error::invalid("format", "must be json or csv")),
    };
    let found = rows::list(app.db(), caller.brand, &filter, &page).await?;
    if as_csv {
        return Ok(Response::new(StatusCode::OK, "text/csv; charset=utf-8", table(&found)));
    }
    Json(List::page(found, &page, |row| row.id.to_string(), AuditView::from)).answer()
}

/// The end of the year 9999: later than everything, and exact in JavaScript.
const MAX_MS: Millis = 253_402_300_800_000;

/// A page as CSV.
fn table(found: &[AuditRow]) -> String {
    let mut out = String::from("at,actor,actor_id,action,subject_id,request_id,before,after\r\n");
    for row in found {
        let at = to_rfc3339(row.at_ms);
        csv::line(
            &mut out,
            &[
                &at,
                &row.actor_kind,
                &row.actor_id,
                &row.action,
                &row.subject_id,
                &row.request_id,
                row.before.as_deref().unwrap_or_default(),
                row.after.as_deref().unwrap_or_default(),
            ],
        );
    }
    out
}
