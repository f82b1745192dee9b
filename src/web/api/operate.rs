//! Health and status.

use http::StatusCode;

use crate::app::App;
use crate::domain::json::json;
use crate::domain::time::Millis;
use crate::error::Result;
use crate::storage::{brands, jobs, ledger, outbox, rewrap};
use crate::web::handler::State;
use crate::web::json::{self, view};
use crate::web::json_response;
use crate::web::message::Response;

use super::view::Time;

/// Whether the product is up and reaches its database.
#[utoipa::path(get, path = "/healthz", tag = "operator", responses(
    (status = 200, description = "Up", content_type = "application/json", body = Object),
    (status = 503, description = "D1 can't be reached", content_type = "application/json",
        body = Object)
))]
pub async fn health(State(app): State<App>) -> Response {
    match jobs::list(app.db()).await {
        Ok(_) => json_response(StatusCode::OK, json!({ "status": "ok" })),
        Err(_) => json_response(
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "status": "degraded", "database": "unreachable" }),
        ),
    }
}

/// The ages of so many brands' ledgers are looked at.
const MAX_BRANDS: usize = 20;

view! {
    /// How the background work does.
    pub struct Status {
        /// Every job's last run.
        pub jobs: Vec<JobStatus>,
        /// Age of the oldest ledger entry that isn't sealed, over all brands; null if all are.
        #[schema(required)]
        pub unsealed_age_seconds: Option<i64>,
        /// Stored secrets and bodies that the job `rewrap` left sealed under older keys; null until
        /// it has run under the present one.
        #[schema(required)]
        pub sealed_under_older_keys: Option<i64>,
        /// What is to be done at the platforms of stores.
        pub outbox: OutboxStatus,
    }
}

view! {
    /// What waits to be done at the platforms of stores.
    pub struct OutboxStatus {
        /// How many tasks wait, those of later included.
        pub waiting: i64,
        /// For how long the first of them has been due; null if none is.
        #[schema(required)]
        pub oldest_due_seconds: Option<i64>,
    }
}

view! {
    /// A job's last run.
    pub struct JobStatus {
        /// Which job.
        pub name: String,
        /// When its last run ended.
        pub last_run_at: Time,
        /// How long ago that was.
        pub lag_seconds: i64,
        /// Whether it did what it should.
        pub succeeded: bool,
        /// How many things it handled.
        pub handled: i64,
    }
}

/// The last run and lag of every job, and the age of what isn't sealed.
#[utoipa::path(get, path = "/v1/status", tag = "operator", responses(
    (status = 200, body = Status)
))]
pub async fn status(State(app): State<App>) -> Result<Response> {
    let now_ms = app.now_ms();
    // Anyone may ask, as often as their network allows: what it costs is paid every few seconds.
    if let Some(answer) = app.memory.status(now_ms) {
        return Ok(json_response(StatusCode::OK, answer));
    }
    let answer = json::text(&look(&app, now_ms).await?);
    app.memory.remember_status(Some(answer.clone()), now_ms);
    Ok(json_response(StatusCode::OK, answer))
}

async fn look(app: &App, now_ms: Millis) -> Result<Status> {
    let jobs = jobs::list(app.db()).await?.into_iter().map(|run| JobStatus {
        name: run.name,
        last_run_at: Time(run.finished_at_ms),
        lag_seconds: (now_ms - run.finished_at_ms) / 1000,
        succeeded: run.succeeded == 1,
        handled: run.handled,
    });
    let jobs = jobs.collect();
    let mut oldest = None;
    // The answer must cost little however many brands there are.
    for brand in brands::all_ids(app.db()).await?.into_iter().take(MAX_BRANDS) {
        oldest =
            [oldest, ledger::oldest_unsealed(app.db(), brand).await?].into_iter().flatten().min();
    }
    let unsealed_age_seconds = oldest.map(|at: i64| (now_ms - at) / 1000);
    let active = app.config.data_key.active();
    let sealed_under_older_keys = rewrap::remaining(app.db(), active).await?;
    let standing = outbox::standing(app.db()).await?;
    let due_ms = standing.as_ref().and_then(|s| s.oldest_due_ms).filter(|due| *due <= now_ms);
    let outbox = OutboxStatus {
        waiting: standing.map_or(0, |s| s.waiting),
        oldest_due_seconds: due_ms.map(|due| (now_ms - due) / 1000),
    };
    Ok(Status { jobs, unsealed_age_seconds, sealed_under_older_keys, outbox })
}
