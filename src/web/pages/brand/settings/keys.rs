//! API keys: made, shown once, revoked.

use askama::Template;
use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::time::{Day, to_rfc3339};
use crate::error::{Error, Result};
use crate::web::api::brand;
use crate::web::api::keys::{self as api, KeyView};
use crate::web::extract::{Body, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::form::Form;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html, Tone};

use super::super::read;
use super::{Base, Told, closed, scroll, split};

const HERE: (&str, &str) = ("/keys", "API keys");
const SCOPES: [(&str, &str, &str); 5] = [
    ("read", "Read", "Everything but settings, members, keys and the audit trail."),
    ("deals", "Deals", "Creators, deals, codes, links, notes, messages."),
    ("money", "Money", "Fees and payouts, where the brand lets keys move money."),
    ("conversions", "Conversions", "Only tells of sales, as a server of the shop does."),
    ("admin", "Admin", "Settings, members and keys: as much as an owner."),
];

#[derive(Template)]
#[template(path = "brand/settings/keys.html")]
struct Page<'a> {
    base: Base<'a>,
    keys: Vec<KeyView>,
    pager: Html,
    told: &'a Told,
}

impl Page<'_> {
    fn making(&self) -> Html {
        let part = self.told.part("make");
        let name = Field {
            name: "name",
            label: "What it is for",
            required: true,
            hint: "Such as “Warehouse import”",
            ..Field::default()
        };
        let end = Field {
            name: "expires_on",
            label: "Last day",
            kind: "date",
            hint: "Empty: until it is revoked",
            ..Field::default()
        };
        let (name, end) = (part.line(&name, ""), part.line(&end, ""));
        let scopes = SCOPES.map(|(scope, label, hint)| {
            part.check((&format!("scope_{scope}"), label, hint), scope == "read").to_string()
        });
        Html::of(format!(
            "<div class=\"fields\">{name}{end}</div><fieldset class=\"settings-set\"><legend>What it may do</legend>{}</fieldset>",
            scopes.concat()
        ))
    }

    fn state(&self, key: &KeyView) -> Html {
        match key.state {
            "active" => ui::good("Active"),
            "revoked" => ui::badge(&Tone::Plain, "Revoked"),
            _ => ui::badge(&Tone::Plain, "Expired"),
        }
    }
}

async fn page(app: App, at: At, told: &Told) -> Result<Response> {
    if !at.seat.may(Scope::Admin) {
        return closed(&app, &at, HERE);
    }
    let asked = Params::of(&[("cursor", at.get("cursor"))]);
    let Json(found) = api::list(State(app.clone()), at.seat.caller()?, asked).await?;
    let base = Base::of(&app, &at, HERE.0);
    let csrf = base.csrf.clone();
    let content = Page {
        base,
        pager: ui::pager(&format!("{}/settings/keys", at.home), &[], found.next_cursor.as_ref()),
        keys: found.data,
        told,
    };
    at.render((told.status, HERE.1, Area::Settings), &csrf, &content)
}

/// The keys.
pub async fn show(State(app): State<App>, at: At) -> Result<Response> {
    page(app, at, &Told::default()).await
}

/// Makes a key that holds until the end of its last day, on the brand's calendar.
async fn make(app: &App, at: &At, form: &Form) -> Result<String> {
    let caller = at.seat.caller()?;
    let scopes = SCOPES.iter().map(|(scope, ..)| *scope);
    let scopes: Vec<&str> =
        scopes.filter(|scope| form.get(&format!("scope_{scope}")) == "yes").collect();
    let mut said = Map::new();
    said.insert("name".to_owned(), Value::from(form.get("name")));
    said.insert("scopes".to_owned(), Value::from(scopes));
    let last = form.get("expires_on");
    if !last.is_empty() {
        let day = Day::from_iso(last).filter(|day| (0..80_000).contains(&day.0));
        let day =
            day.ok_or_else(|| Error::invalid("last_day", "must be a day such as 2026-12-31"))?;
        let zone = brand::find(app, at.seat.member()?.brand_id).await?.brand.timezone;
        let end = Value::from(to_rfc3339(zone.start_of(day.plus(1))));
        said.insert("expires_at".to_owned(), end);
    }
    let new = Body(read(&Value::Object(said))?);
    let (_, Json(made)) = api::create(State(app.clone()), caller, new).await?;
    Ok(made.api_key)
}

/// Makes a key and shows it this once, or revokes one.
pub async fn save(State(app): State<App>, sent: Sent) -> Result<Response> {
    let (at, form) = split(sent);
    let done = match form.get("do") {
        "make" => make(&app, &at, &form).await,
        "revoke" => {
            let work = async {
                let caller = at.seat.caller()?;
                let id = form.get("id").parse().map_err(|_| Error::NotFound)?;
                api::revoke(State(app.clone()), caller, PathId(id)).await
            };
            work.await.map(|_| String::new())
        }
        _ => Err(Error::NotFound.into()),
    };
    match done {
        Ok(made) if made.is_empty() => Ok(at.see("/settings/keys?done=revoked")),
        Ok(made) => page(app, at, &Told::made(made)).await,
        Err(error) => {
            let told = Told::of(form, *error)?;
            page(app, at, &told).await
        }
    }
}
