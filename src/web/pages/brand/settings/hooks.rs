//! Webhooks: where events are told, and what became of each.

use askama::Template;
use http::StatusCode;
use serde_json::Value;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::hooks::EVENTS;
use crate::domain::ids::{Endpoint, EndpointId};
use crate::error::{Error, Result};
use crate::web::api::hooks::{self as api, DeliveryPath, DeliveryView, EndpointView};
use crate::web::extract::{Body, ItemId, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::form::Form;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html, Tone};

use super::super::read;
use super::{Base, Told, closed, object, scroll, split};

const HERE: (&str, &str) = ("/webhooks", "Webhooks");

#[derive(Template)]
#[template(path = "brand/settings/hooks.html")]
struct Listed<'a> {
    base: Base<'a>,
    endpoints: Vec<EndpointView>,
    told: &'a Told,
}

#[derive(Template)]
#[template(path = "brand/settings/hook.html")]
struct Shown<'a> {
    base: Base<'a>,
    endpoint: EndpointView,
    deliveries: Vec<DeliveryView>,
    pager: Html,
    told: &'a Told,
}

/// The fields of an endpoint, in a form of this name.
fn fields(told: &Told, wanted: &str, url: &str, description: &str, events: &[String]) -> Html {
    let part = told.part(wanted);
    let hint = "https:// at a public host name, without a port";
    let address = Field {
        name: "url",
        label: "Address",
        kind: "url",
        hint,
        required: true,
        ..Field::default()
    };
    let about = Field { name: "description", label: "What it is for", ..Field::default() };
    let (address, about) = (part.line(&address, url), part.line(&about, description));
    let boxes = EVENTS.map(|event| {
        let on = events.iter().any(|one| one == event);
        part.check((&format!("on_{event}"), event, ""), on).to_string()
    });
    Html::of(format!(
        "<div class=\"fields\">{address}{about}</div><details><summary>Only some events</summary>\
         <fieldset class=\"settings-set\"><legend>Tell these; none ticked means all</legend><div class=\"settings-events\">{}</div></fieldset></details>",
        boxes.concat()
    ))
}

fn state(endpoint: &EndpointView) -> Html {
    match (endpoint.state, endpoint.paused_because.as_deref(), endpoint.failing_since) {
        ("paused", Some("failing"), _) => {
            ui::badge(&Tone::Bad, "Paused: nothing arrived for three days")
        }
        ("paused", Some("gone"), _) => ui::badge(&Tone::Bad, "Paused: it answered that it is gone"),
        ("paused", ..) => ui::badge(&Tone::Plain, "Paused by hand"),
        (_, _, Some(_)) => ui::badge(&Tone::Wait, "Nothing arrives at the moment"),
        _ => ui::good("Active"),
    }
}

fn delivered(delivery: &DeliveryView) -> Html {
    match delivery.state {
        "delivered" => ui::good("Arrived"),
        "failed" => ui::badge(&Tone::Bad, "Given up"),
        _ => ui::badge(&Tone::Wait, "Waits"),
    }
}

impl Listed<'_> {
    fn making(&self) -> Html {
        fields(self.told, "make", "", "", &[])
    }
}

impl Shown<'_> {
    fn path(&self) -> String {
        format!("/webhooks/{}", self.endpoint.id)
    }

    fn form(&self, wanted: &str, fresh: bool) -> Html {
        self.base.form(&self.path(), wanted, fresh)
    }

    fn editing(&self) -> Html {
        let now = &self.endpoint;
        fields(self.told, "change", &now.url, &now.description, &now.events)
    }

    fn is_paused(&self) -> bool {
        self.endpoint.state == "paused"
    }
}

async fn listed(app: App, at: At, told: &Told) -> Result<Response> {
    if !at.seat.may(Scope::Admin) {
        return closed(&app, &at, HERE);
    }
    let all = Params::of(&[("limit", "200")]);
    let Json(found) = api::list(State(app.clone()), at.seat.caller()?, all).await?;
    let base = Base::of(&app, &at, HERE.0);
    let csrf = base.csrf.clone();
    let content = Listed { base, endpoints: found.data, told };
    at.render((told.status, HERE.1, Area::Settings), &csrf, &content)
}

/// The endpoints.
pub async fn list(State(app): State<App>, at: At) -> Result<Response> {
    listed(app, at, &Told::default()).await
}

fn said(form: &Form) -> Value {
    let wanted = |event: &&str| form.get(&format!("on_{event}")) == "yes";
    let events: Vec<&str> = EVENTS.into_iter().filter(wanted).collect();
    object([
        ("url", Value::from(form.get("url").trim())),
        ("description", Value::from(form.get("description"))),
        ("events", Value::from(events)),
    ])
}

/// Makes an endpoint and shows its secret this once.
pub async fn create(State(app): State<App>, sent: Sent) -> Result<Response> {
    let (at, form) = split(sent);
    let work = async {
        let caller = at.seat.caller()?;
        let new = Body(read(&said(&form))?);
        api::create(State(app.clone()), caller, new).await
    };
    match work.await {
        Ok((_, Json(made))) => listed(app, at, &Told::made(made.secret)).await,
        Err(error) => {
            let told = Told::of(form, *error)?;
            listed(app, at, &told).await
        }
    }
}

async fn shown(app: App, at: At, id: EndpointId, told: &Told) -> Result<Response> {
    if !at.seat.may(Scope::Admin) {
        return closed(&app, &at, HERE);
    }
    let state = || State(app.clone());
    let Json(endpoint) = api::show(state(), at.seat.caller()?, PathId(id)).await?;
    let asked = Params::of(&[("cursor", at.get("cursor")), ("limit", "25")]);
    let Json(found) = api::deliveries(state(), at.seat.caller()?, PathId(id), asked).await?;
    let base = Base::of(&app, &at, HERE.0);
    let csrf = base.csrf.clone();
    let path = format!("{}/settings/webhooks/{id}", at.home);
    let pager = ui::pager(&path, &[], found.next_cursor.as_ref());
    let content = Shown { base, endpoint, deliveries: found.data, pager, told };
    at.render((told.status, "Webhook endpoint", Area::Settings), &csrf, &content)
}

/// One endpoint, with what was told to it.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Endpoint>) -> Result<Response> {
    shown(app, at, id.0, &Told::default()).await
}

/// What was done, and a secret if one was made.
async fn done(app: &App, at: &At, id: EndpointId, form: &Form) -> Result<(&'static str, String)> {
    let (state, caller) = (State(app.clone()), at.seat.caller()?);
    let only = |name: &'static str| object([("state", Value::from(name))]);
    let done = match form.get("do") {
        "change" => {
            let _ = api::update(state, caller, PathId(id), Body(read(&said(form))?)).await?;
            "saved"
        }
        "pause" => {
            let _ = api::update(state, caller, PathId(id), Body(read(&only("paused"))?)).await?;
            "paused"
        }
        "resume" => {
            let _ = api::update(state, caller, PathId(id), Body(read(&only("active"))?)).await?;
            "resumed"
        }
        "rotate" => {
            let (_, Json(made)) = api::rotate(state, caller, PathId(id)).await?;
            return Ok(("", made.secret));
        }
        "test" => {
            let _ = api::test(state, caller, PathId(id)).await?;
            "tested"
        }
        "resend" => {
            let delivery = form.get("delivery").to_owned();
            let _ = api::resend(state, caller, DeliveryPath { endpoint: id, delivery }).await?;
            "resent"
        }
        "remove" => {
            let _ = api::remove(state, caller, PathId(id)).await?;
            "removed"
        }
        _ => return Err(Error::NotFound.into()),
    };
    Ok((done, String::new()))
}

/// Changes it, pauses it, has it go on, makes a new secret, tries it, sends an event again, removes it.
pub async fn save(State(app): State<App>, sent: Sent, id: ItemId<Endpoint>) -> Result<Response> {
    let (at, form) = split(sent);
    match done(&app, &at, id.0, &form).await {
        Ok(("removed", _)) => Ok(at.see("/settings/webhooks?done=removed")),
        Ok(("", secret)) => {
            let told = Told { status: StatusCode::OK, ..Told::made(secret) };
            shown(app, at, id.0, &told).await
        }
        Ok((done, _)) => Ok(at.see(&format!("/settings/webhooks/{}?done={done}", id.0))),
        Err(error) => {
            let told = Told::of(form, *error)?;
            shown(app, at, id.0, &told).await
        }
    }
}
