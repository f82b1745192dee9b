//! New campaigns, and what a campaign is called and made of: its stages, one change at a time, each on top of what
//! the page showed.

use askama::Template;
use http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{Campaign, CampaignId};
use crate::error::{Error, Result};
use crate::web::api::campaigns::{self as api, CampaignView};
use crate::web::extract::{Body, Changing, ItemId, PathId};
use crate::web::handler::{Json, State, Tagged, etag};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui;

use super::read;

#[derive(Template)]
#[template(path = "brand/campaign.html")]
struct Shown<'a> {
    home: &'a str,
    csrf: &'a str,
    campaign: CampaignView,
    /// What the page shows, for its forms.
    seen: String,
    may_change: bool,
    wrong: &'a str,
    /// What was typed as a new stage, if that was refused.
    typed: &'a str,
}

async fn page(
    app: App,
    at: At,
    id: CampaignId,
    (status, wrong, typed): (StatusCode, &str, &str),
) -> Result<Response> {
    let Tagged(campaign) = api::show(State(app.clone()), at.seat.caller()?, PathId(id)).await?;
    let csrf = at.csrf(&app);
    let title = campaign.name().to_owned();
    let seen = etag(&crate::domain::json::text(&campaign));
    let may_change = at.seat.may(Scope::Deals);
    let content = Shown { home: &at.home, csrf: &csrf, campaign, seen, may_change, wrong, typed };
    at.render((status, &title, Area::Board), &csrf, &content)
}

/// A campaign's name, state and stages.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Campaign>) -> Result<Response> {
    page(app, at, id.0, (StatusCode::OK, "", "")).await
}

/// The stages with one of them a place further up or down.
fn moved(stages: &[String], stage: &str, up: bool) -> Result<Vec<String>> {
    let missing = || Error::invalid("stage", "is none of the campaign");
    let at = stages.iter().position(|one| one == stage).ok_or_else(missing)?;
    let other = if up { at.checked_sub(1) } else { Some(at + 1).filter(|to| *to < stages.len()) };
    let other = other.ok_or_else(|| Error::invalid("stage", "is at the end already"))?;
    let mut after = stages.to_vec();
    after.swap(at, other);
    Ok(after)
}

async fn change(app: &App, sent: &Sent, id: CampaignId) -> Result<()> {
    let (state, path, seen) = (State(app.clone()), PathId(id), sent.get("seen"));
    let (stage, what) = (sent.get("stage"), sent.get("do"));
    let told = match what {
        "rename" => json!({ "name": sent.get("name").trim() }),
        "put-away" => json!({ "state": "archived" }),
        "take-up" => json!({ "state": "open" }),
        _ => Value::Null,
    };
    if !told.is_null() {
        let change = Changing::seen(read(&told)?, seen);
        return api::update(state, sent.at.seat.caller()?, path, change).await.map(|_| ());
    }
    let told = match what {
        "add" => json!({ "change": "add", "stage": sent.get("new").trim() }),
        "call" => json!({ "change": "rename", "stage": stage, "name": sent.get("name").trim() }),
        "up" | "down" => {
            let Tagged(now) = api::show(State(app.clone()), sent.at.seat.caller()?, path).await?;
            json!({ "change": "order", "stages": moved(now.stages(), stage, what == "up")? })
        }
        "merge" => json!({ "change": "merge", "stage": stage, "into": sent.get("into") }),
        "remove" => json!({ "change": "remove", "stage": stage }),
        _ => return Err(Error::invalid("do", "is nothing that this page does")),
    };
    let change = Changing::seen(read(&told)?, seen);
    api::change_stages(state, sent.at.seat.caller()?, PathId(id), change).await.map(|_| ())
}

/// One change of a campaign.
pub async fn edit(State(app): State<App>, sent: Sent, id: ItemId<Campaign>) -> Result<Response> {
    match change(&app, &sent, id.0).await {
        Ok(()) => Ok(sent.at.see(&format!("/campaigns/{}/edit?done=saved", id.0))),
        Err(error) => {
            let (status, told) = wrong(*error)?;
            let typed = sent.get("new").to_owned();
            page(app, sent.at, id.0, (status, &told, &typed)).await
        }
    }
}

/// Makes a campaign, and shows its board.
pub async fn create(State(app): State<App>, sent: Sent) -> Result<Response> {
    let work = async {
        let stages = sent.get("stages").lines().map(str::trim).filter(|line| !line.is_empty());
        let stages: Vec<&str> = stages.collect();
        let mut told = json!({ "name": sent.get("name").trim() });
        if let (Some(told), false) = (told.as_object_mut(), stages.is_empty()) {
            told.insert("stages".to_owned(), stages.into());
        }
        api::create(State(app.clone()), sent.at.seat.caller()?, Body(read(&told)?)).await
    };
    match work.await {
        Ok((_, Json(made))) => Ok(sent.at.see(&format!("/campaigns/{}?done=added", made.id()))),
        Err(error) => {
            let (status, told) = wrong(*error)?;
            let typed = [sent.get("name").to_owned(), sent.get("stages").to_owned()];
            super::board::listed(app, sent.at, status, (&told, &typed)).await
        }
    }
}
