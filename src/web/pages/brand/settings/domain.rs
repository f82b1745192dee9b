//! The host that a brand's links are handed out on.

use askama::Template;

use crate::app::App;
use crate::error::{Error, Result};
use crate::web::api::brand as settings;
use crate::web::api::domains::{self as api, LinkDomain};
use crate::web::extract::Changing;
use crate::web::handler::{Json, State, Tagged, etag};
use crate::web::json::text;
use crate::web::message::Response;
use crate::web::pages::form::Form;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html, Tone};

use super::super::read;
use super::{Base, Told, object, scroll, split};

#[derive(Template)]
#[template(path = "brand/settings/domain.html")]
struct Page<'a> {
    base: Base<'a>,
    domain: LinkDomain,
    seen: String,
    told: &'a Told,
}

impl Page<'_> {
    fn host(&self) -> &str {
        self.domain.host.as_deref().unwrap_or_default()
    }

    fn field(&self) -> Html {
        let (label, hint) = ("Host", "Such as go.example.com. Empty: the product’s own address");
        let field = Field { name: "link_domain", label, hint, ..Field::default() };
        self.told.part("set").line(&field, self.host())
    }

    fn state(&self) -> Html {
        match self.domain.state {
            Some("active") => ui::badge(&Tone::Good, "In use"),
            Some("failed") => ui::badge(&Tone::Bad, "Failed"),
            Some(_) => ui::badge(&Tone::Wait, "Waits for its record"),
            None => ui::tag("The product’s own"),
        }
    }

    fn waits(&self) -> bool {
        matches!(self.domain.state, Some("pending" | "failed"))
    }
}

fn purpose(purpose: &str) -> &'static str {
    match purpose {
        "traffic" => "Leads shoppers here: the one that is needed",
        "certificate" => "Proves it for the certificate, before the change",
        _ => "Proves that the host is yours, before the change",
    }
}

async fn page(app: App, at: At, told: &Told) -> Result<Response> {
    let Json(domain) = api::show(State(app.clone()), at.seat.caller()?).await?;
    let Tagged(brand) = settings::show(State(app.clone()), at.seat.caller()?).await?;
    let base = Base::of(&app, &at, "/domain");
    let csrf = base.csrf.clone();
    let content = Page { base, domain, seen: etag(&text(&brand)), told };
    at.render((told.status, "Link domain", Area::Settings), &csrf, &content)
}

/// The domain, the record to make, and how far it is.
pub async fn show(State(app): State<App>, at: At) -> Result<Response> {
    page(app, at, &Told::default()).await
}

async fn done(app: &App, at: &At, form: &Form) -> Result<&'static str> {
    match form.get("do") {
        "check" => {
            let _ = api::check(State(app.clone()), at.seat.caller()?).await?;
            Ok("looked")
        }
        "set" => {
            let caller = at.seat.caller()?;
            let host = form.get("link_domain").trim();
            let host = if host.is_empty() { serde_json::Value::Null } else { host.into() };
            let said = read(&object([("link_domain", host)]))?;
            let changing = Changing::seen(said, form.get("seen"));
            let _ = settings::update(State(app.clone()), caller, changing).await?;
            Ok("saved")
        }
        _ => Err(Error::NotFound.into()),
    }
}

/// Sets it, or looks at it again.
pub async fn save(State(app): State<App>, sent: Sent) -> Result<Response> {
    let (at, form) = split(sent);
    match done(&app, &at, &form).await {
        Ok(done) => Ok(at.see(&format!("/settings/domain?done={done}"))),
        Err(error) => {
            let told = Told::of(form, *error)?;
            page(app, at, &told).await
        }
    }
}
