//! The brand's creators.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::error::Result;
use crate::web::api::creators::{self as api, CreatorView};
use crate::web::extract::Params;
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At};
use crate::web::pages::ui::{self, Html};

#[derive(Template)]
#[template(path = "brand/creators.html")]
struct Creators<'a> {
    home: &'a str,
    creators: Vec<CreatorView>,
    pager: Html,
}

/// A page of the list.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    let asked = Params::of(&[("cursor", at.get("cursor"))]);
    let Json(found) = api::list(State(app.clone()), at.seat.caller()?, asked).await?;
    let path = format!("{}/creators", at.home);
    let pager = ui::pager(&path, &[], found.next_cursor.as_ref());
    let content = Creators { home: &at.home, creators: found.data, pager };
    at.render((StatusCode::OK, "Creators", Area::Creators), &at.csrf(&app), &content)
}
