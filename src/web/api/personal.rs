//! Telling a creator's data, and letting it go.

use serde_json::Value;

use crate::app::App;
use crate::domain::ids::{BrandId, Creator, CreatorId};
use crate::error::{Error, Result};
use crate::storage::personal::{self as rows, Place};
use crate::storage::rows::parse;
use crate::web::body::body;
use crate::web::extract::{Body, Caller, Me, Params, PathId, encode_cursor, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;
use crate::web::outreach::opened;

use super::audit::Stored;
use super::view::{List, Time};

/// So many records are told at once.
const PAGE: usize = 1000;

view! {
    /// One thing that is stored about a creator.
    #[schema(as = PersonalRecord)]
    pub struct RecordView {
        /// `profile`, `deal`, `terms`, `offer`, `link`, `code`, `clicks`, `order`, `entry`, `balance`,
        /// `invitation`, `access_token`, `payment_details`, `payment`, `claim`, `mail`, `message`, `enrolment`,
        /// `unsubscription` or `audit`.
        kind: &'static str,
        /// It, as it is stored: amounts in minor units.
        #[schema(value_type = Object)]
        record: Stored,
    }
}

/// Everything that is stored about a creator, a thousand records at once.
#[utoipa::path(get, path = "/v1/creators/{id}/export", tag = "privacy",
    security(("api_key" = ["admin"])), params(("id" = CreatorId, Path),
    ("cursor" = Option<String>, Query)), responses((status = 200, body = List<RecordView>)))]
pub async fn export(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Creator>,
    params: Params,
) -> Result<Json<List<RecordView>>> {
    rows::erased(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    told(&app, caller.brand, id.0, params).await
}

/// Everything that the brand has stored about the creator who asks.
#[utoipa::path(get, path = "/v1/me/export", tag = "privacy", security(("creator" = [])),
    params(("cursor" = Option<String>, Query)), responses((status = 200, body = List<RecordView>)))]
pub async fn export_mine(
    State(app): State<App>,
    me: Me,
    params: Params,
) -> Result<Json<List<RecordView>>> {
    told(&app, me.brand, me.creator, params).await
}

async fn told(
    app: &App,
    brand: BrandId,
    creator: CreatorId,
    params: Params,
) -> Result<Json<List<RecordView>>> {
    let after = params.only(&["cursor"])?.page()?.after;
    let place =
        place(&after).ok_or_else(|| Error::invalid("cursor", "is none that this list gave"))?;
    let (found, next) = rows::export(app.db(), brand, creator, &place, PAGE).await?;
    let record = |r: rows::Record| {
        let record = if r.kind == "message" { message(app, &r.record) } else { r.record };
        RecordView { kind: r.kind, record: Stored(Some(record)) }
    };
    let next_cursor = next.map(|(at, key)| encode_cursor(&format!("{at}/{key}")));
    Ok(Json(List { data: found.into_iter().map(record).collect(), next_cursor }))
}

/// A message with what it says, which is sealed in storage.
fn message(app: &App, record: &str) -> String {
    let Ok(Value::Object(mut told)) = parse(record) else { return record.to_owned() };
    let sealed = told.remove("sealed");
    let id = told.get("id").and_then(Value::as_str).unwrap_or_default();
    let parts = sealed.and_then(|sealed| opened(app, id, sealed.as_str()?)).unwrap_or_default();
    for (name, part) in ["subject", "text", "from", "note"].into_iter().zip(parts) {
        told.insert(name.to_owned(), Value::String(part));
    }
    Value::Object(told).to_string()
}

fn place(after: &str) -> Option<Place> {
    if after.is_empty() {
        return Some((0, String::new()));
    }
    let (at, key) = after.split_once('/')?;
    Some((at.parse().ok()?, key.to_owned()))
}

body! {
    /// Which creator is meant, so that nobody is erased by a slip.
    pub struct Erasure {
        /// Her handle.
        confirm: String,
    }
}

view! {
    /// What is left of a creator.
    pub struct Erased {
        id: CreatorId,
        erased_at: Time,
    }
}

/// Lets go of who a creator is: what she earned stays in the books under her id, her links lead on,
/// her deals are closed. Not while something is owed to her.
#[utoipa::path(post, path = "/v1/creators/{id}/erasure", tag = "privacy", request_body = Erasure,
    security(("api_key" = ["admin"])), params(("id" = CreatorId, Path)),
    responses((status = 200, body = Erased),
    (status = 409, description = "Something is owed to her")))]
pub async fn erase(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Creator>,
    Body(erasure): Body<Erasure>,
) -> Result<Json<Erased>> {
    caller.stepped_up(&app)?;
    let id = id.0;
    let found = rows::erased(app.db(), caller.brand, id).await?.ok_or(Error::NotFound)?;
    if let Some(at_ms) = found.erased_at_ms {
        return Ok(Json(Erased { id, erased_at: Time(at_ms) }));
    }
    if let Some(into) = found.merged_into {
        return Err(Error::refused("creator-merged", format!("this creator goes on as {into}")));
    }
    if erasure.confirm != found.handle {
        return Err(Error::invalid("confirm", "must be the creator's handle"));
    }
    let now_ms = app.now_ms();
    let mut batch = rows::erase(caller.brand, id, now_ms);
    for deal in crate::storage::deals::ids_of_creator(app.db(), caller.brand, id).await? {
        batch.extend(super::code_switch::follow_deal(&app, caller.brand, deal, false).await?);
    }
    batch.push(caller.note(&app, "creator.erase", id, None, None));
    app.db().run(batch).await.map_err(|error| match error {
        error if error.is_constraint("creators.name") => {
            Error::refused("balance-open", "something is owed to her: pay it out first")
        }
        error => error.into(),
    })?;
    Ok(Json(Erased { id, erased_at: Time(now_ms) }))
}
