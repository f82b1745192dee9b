//! Segments saved, renamed and removed from the lists that they narrow.

use http::StatusCode;
use serde_json::Value;

use crate::app::App;
use crate::error::{Error, Result};
use crate::web::api::segments;
use crate::web::extract::{Body, Changing, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{At, Sent, wrong};

use super::{body, lists, read};

/// Which list a form is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Deals,
    Creators,
}

/// The list again, with what was wrong with the name of a segment.
async fn listed(
    app: App,
    at: At,
    told: (StatusCode, String, String),
    which: Which,
) -> Result<Response> {
    match which {
        Which::Deals => lists::deals_page(app, at, told).await,
        Which::Creators => lists::creators_page(app, at, told).await,
    }
}

async fn save(app: App, mut sent: Sent, which: Which) -> Result<Response> {
    let path = if which == Which::Deals { "/deals" } else { "/creators" };
    let work = async {
        let told = [
            ("name", sent.get("name").trim()),
            ("filter", sent.get("filter")),
            ("sort", sent.get("sort")),
        ];
        segments::create(State(app.clone()), sent.at.seat.caller()?, Body(body(&told)?)).await
    };
    match work.await {
        Ok((_, Json(made))) => {
            Ok(sent.at.see(&format!("{path}?segment={}&done=segment", made.id())))
        }
        Err(error) => {
            let (status, told) = wrong(*error)?;
            let name = sent.get("name").to_owned();
            let shown = ["filter", "sort", "columns"].map(|name| (name, sent.get(name).to_owned()));
            sent.at.put(shown);
            listed(app, sent.at, (status, told, name), which).await
        }
    }
}

/// Saves the filter of the list of deals.
pub async fn save_of_deals(State(app): State<App>, sent: Sent) -> Result<Response> {
    save(app, sent, Which::Deals).await
}

/// Saves the filter of the list of creators.
pub async fn save_of_creators(State(app): State<App>, sent: Sent) -> Result<Response> {
    save(app, sent, Which::Creators).await
}

async fn rename(app: App, mut sent: Sent, which: Which) -> Result<Response> {
    let path = if which == Which::Deals { "/deals" } else { "/creators" };
    let id = sent.get("id").parse().map_err(|_| Error::NotFound)?;
    let work = async {
        // An empty name is said, too: it is refused.
        let name = Value::from(sent.get("name").trim());
        let told = read(&Value::Object([("name".to_owned(), name)].into_iter().collect()))?;
        let changing = Changing::anyway(told);
        segments::update(State(app.clone()), sent.at.seat.caller()?, PathId(id), changing).await
    };
    match work.await {
        Ok(_) => Ok(sent.at.see(&format!("{path}?segment={id}&done=saved"))),
        Err(error) => {
            let (status, told) = wrong(*error)?;
            let name = sent.get("name").to_owned();
            sent.at.put([("segment", id.to_string())]);
            sent.at.put(["sort", "columns"].map(|name| (name, sent.form.get(name).to_owned())));
            listed(app, sent.at, (status, told, name), which).await
        }
    }
}

/// Renames a segment, from the list of deals.
pub async fn rename_of_deals(State(app): State<App>, sent: Sent) -> Result<Response> {
    rename(app, sent, Which::Deals).await
}

/// Renames a segment, from the list of creators.
pub async fn rename_of_creators(State(app): State<App>, sent: Sent) -> Result<Response> {
    rename(app, sent, Which::Creators).await
}

async fn remove(app: App, sent: Sent, path: &str) -> Result<Response> {
    let id = sent.get("id").parse().map_err(|_| Error::NotFound)?;
    segments::remove(State(app), sent.at.seat.caller()?, PathId(id)).await?;
    Ok(sent.at.see(&format!("{path}?done=removed")))
}

/// Removes a segment, from the list of deals.
pub async fn remove_of_deals(State(app): State<App>, sent: Sent) -> Result<Response> {
    remove(app, sent, "/deals").await
}

/// Removes a segment, from the list of creators.
pub async fn remove_of_creators(State(app): State<App>, sent: Sent) -> Result<Response> {
    remove(app, sent, "/creators").await
}
