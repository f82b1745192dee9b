//! Creators who may be one person, and one of them going on as both.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{Creator, CreatorId};
use crate::error::{Error, Result};
use crate::web::api::import::creator_named;
use crate::web::api::merging::{self as api, Duplicates};
use crate::web::extract::{Body, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Field, Html};

use super::body;

/// So many pages of the API's are looked at for one of these: most have nobody on them.
const MOST_LOOKED: usize = 5;

#[derive(Template)]
#[template(path = "brand/duplicates.html")]
struct Shown<'a> {
    home: &'a str,
    csrf: &'a str,
    groups: Vec<Duplicates>,
    /// Whether there is a next page.
    more: bool,
    pager: Html,
    may_change: bool,
    wrong: &'a str,
    /// What was sent.
    sent: Option<&'a Sent>,
}

impl Shown<'_> {
    fn shared(&self, group: &Duplicates) -> String {
        match (&*group.by, &group.platform) {
            ("email", _) => "The same e-mail address".to_owned(),
            (_, Some(platform)) => format!("The same handle on {platform}"),
            _ => "The same handle".to_owned(),
        }
    }

    fn field(&self, name: &'static str, label: &str) -> Html {
        let value = self.sent.map_or("", |sent| sent.get(name));
        let hint = "Her handle or e-mail address";
        ui::field(&Field { name, label, hint, value, required: true, ..Field::default() })
    }
}

/// Those from a place of the list on, and where the next begin.
async fn found(app: &App, at: &At) -> Result<(Vec<Duplicates>, Option<String>)> {
    let mut next = Some(at.get("cursor").to_owned());
    let mut all = Vec::new();
    for _ in 0..MOST_LOOKED {
        let Some(cursor) = next.take() else { break };
        let asked = [("cursor", &*cursor)];
        let asked = Params::of(if cursor.is_empty() { &[] } else { &asked });
        let Json(page) = api::duplicates(State(app.clone()), at.seat.caller()?, asked).await?;
        all.extend(page.data);
        next = page.next_cursor;
        if !all.is_empty() {
            break;
        }
    }
    Ok((all, next))
}

async fn page(
    app: &App,
    at: &At,
    (status, wrong): (StatusCode, &str),
    sent: Option<&Sent>,
) -> Result<Response> {
    let (groups, next) = found(app, at).await?;
    let csrf = at.csrf(app);
    let path = format!("{}/creators/duplicates", at.home);
    let content = Shown {
        home: &at.home,
        csrf: &csrf,
        groups,
        more: next.is_some(),
        pager: ui::pager(&path, &[], next.as_ref()),
        may_change: at.seat.may(Scope::Deals),
        wrong,
        sent,
    };
    at.render((status, "Duplicates", Area::Creators), &csrf, &content)
}

/// Who may be one.
pub async fn show(State(app): State<App>, at: At) -> Result<Response> {
    page(&app, &at, (StatusCode::OK, ""), None).await
}

/// Merges one into the other.
pub async fn merge(State(app): State<App>, sent: Sent) -> Result<Response> {
    let work = async {
        let brand = sent.at.seat.member()?.brand_id;
        let who = async |field: &'static str| -> Result<CreatorId> {
            let named = creator_named(&app, brand, sent.get(field).trim()).await?;
            named.map_err(|why| Error::invalid(field, why))
        };
        let (into, from) = (who("into").await?, who("from").await?);
        let told = Body(body(&[("from_id", &*from.to_string())])?);
        let into: PathId<Creator> = PathId(into);
        api::merge(State(app.clone()), sent.at.seat.caller()?, into, told).await
    };
    match work.await {
        Ok(Json(creator)) => Ok(sent.at.see(&format!("/creators/{}?done=merged", creator.id))),
        Err(error) => {
            let (status, told) = wrong(*error)?;
            page(&app, &sent.at, (status, &told), Some(&sent)).await
        }
    }
}
