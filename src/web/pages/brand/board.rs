//! Campaigns, and the board of each.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::deal::DEFAULT_STAGES;
use crate::domain::ids::{Campaign, Deal};
use crate::error::Result;
use crate::web::api::board::{self as api, Board};
use crate::web::api::campaigns::{self, CampaignView};
use crate::web::extract::{Changing, ItemId, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Html};

use super::filtering::{self, Bar};
use super::{body, lists};

#[derive(Template)]
#[template(path = "brand/campaigns.html")]
struct Campaigns<'a> {
    home: &'a str,
    csrf: &'a str,
    campaigns: Vec<CampaignView>,
    pager: Html,
    may_change: bool,
    wrong: &'a str,
    /// The name and the stages that were typed.
    typed: &'a [String; 2],
}

/// The campaigns, and the form of a new one.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    let usual = DEFAULT_STAGES.join("\n");
    listed(app, at, StatusCode::OK, ("", &[String::new(), usual])).await
}

/// The campaigns, with what is wrong with the form of a new one and what was typed in it.
///
/// # Errors
/// As the API.
pub async fn listed(
    app: App,
    at: At,
    status: StatusCode,
    (wrong, typed): (&str, &[String; 2]),
) -> Result<Response> {
    let asked = Params::of(&[("cursor", at.get("cursor"))]);
    let Json(found) = campaigns::list(State(app.clone()), at.seat.caller()?, asked).await?;
    let path = format!("{}/campaigns", at.home);
    let content = Campaigns {
        home: &at.home,
        csrf: &at.csrf(&app),
        campaigns: found.data,
        pager: ui::pager(&path, &[], found.next_cursor.as_ref()),
        may_change: at.seat.may(Scope::Deals),
        wrong,
        typed,
    };
    at.render((status, "Boards", Area::Board), &at.csrf(&app), &content)
}

#[derive(Template)]
#[template(path = "brand/board.html")]
struct Shown<'a> {
    home: &'a str,
    csrf: &'a str,
    board: Board,
    stages: Vec<String>,
    may_move: bool,
    filter_bar: Html,
    bar: Bar<'a>,
}

impl Shown<'_> {
    /// Where the rest of a column is.
    fn more(&self, stage: &str, cursor: &str) -> String {
        let asked = [("column", stage), ("cursor", cursor)];
        format!("{}/campaigns/{}{}", self.home, self.board.campaign_id, self.bar.query(&asked))
    }
}

/// A board, or those of its deals that fit a filter: of each stage the first ones, or of one stage (`column`) a page.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Campaign>) -> Result<Response> {
    let path = format!("/campaigns/{}", id.0);
    if let Some(there) = filtering::redirected(&at, &path) {
        return Ok(there);
    }
    let csrf = at.csrf(&app);
    let mut bar = filtering::bar(&app, &at, (&path, &csrf), ("", "")).await?.only_narrowing();
    let all = campaigns::find(&app, at.seat.member()?.brand_id, id.0).await?.stages;
    let stages = crate::storage::rows::from_json(&all).unwrap_or_default();
    let column = at.get("column");
    let limit = if column.is_empty() { "50" } else { "100" };
    let asked = [("limit", limit), ("stage", column), ("cursor", at.get("cursor"))];
    let ask =
        async |asked| api::show(State(app.clone()), at.seat.caller()?, PathId(id.0), asked).await;
    let mut status = StatusCode::OK;
    let board = match ask(bar.params(&asked)).await {
        // Nothing is found by what is no filter; the board stands there as it is.
        Err(error) if bar.narrows() => {
            bar.wrong = filtering::of_filter(error)?;
            status = StatusCode::UNPROCESSABLE_ENTITY;
            ask(Params::of(&asked)).await?
        }
        found => found?,
    };
    let Json(board) = board;
    let may_move = at.seat.may(Scope::Deals);
    let title = board.name.clone();
    let filter_bar = lists::rendered(&bar)?;
    let content = Shown { home: &at.home, csrf: &csrf, board, stages, may_move, filter_bar, bar };
    at.render((status, &title, Area::Board), &csrf, &content)
}

/// Moves a deal, and shows the page that it was moved on.
pub async fn move_deal(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let names = ["stage", "after_id", "before_id"];
    let told: Vec<(&str, &str)> = names.iter().map(|name| (*name, sent.get(name))).collect();
    let told = Changing::anyway(body(&told)?);
    let caller = sent.at.seat.caller()?;
    api::move_deal(State(app), caller, PathId(id.0), told).await?;
    // Back to where the button was: an id names the board, nothing else does.
    let Ok(board) = sent.get("board").parse::<crate::domain::ids::CampaignId>() else {
        return Ok(sent.at.see(&format!("/deals/{}?done=moved", id.0)));
    };
    let kept = ["filter", "segment"].map(|name| (name, sent.get(name)));
    let asked = [("done", "moved")].into_iter().chain(kept);
    let path = ui::address(&format!("/campaigns/{board}"), asked);
    Ok(sent.at.see(&format!("{path}#{}", id.0)))
}
