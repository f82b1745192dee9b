//! Who belongs to the brand's team, and as what.

use std::fmt::Write;

use askama::Template;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::MemberId;
use crate::error::{Error, Result};
use crate::web::api::members::{self as api, MemberView};
use crate::web::extract::{Body, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::form::Form;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html, Tone, esc};

use super::super::body;
use super::{Base, Told, closed, scroll, split};

const HERE: (&str, &str) = ("/members", "Members");
const ROLES: [(&str, &str); 3] = [
    ("viewer", "Viewer: looks, changes nothing"),
    ("manager", "Manager: runs creators, deals and payouts"),
    ("owner", "Owner: all that, and these settings"),
];

#[derive(Template)]
#[template(path = "brand/settings/members.html")]
struct Page<'a> {
    base: Base<'a>,
    me: MemberId,
    members: Vec<MemberView>,
    pager: Html,
    told: &'a Told,
}

impl Page<'_> {
    fn invite(&self) -> Html {
        let part = self.told.part("invite");
        let field = Field {
            name: "email",
            label: "E-mail address",
            kind: "email",
            required: true,
            ..Field::default()
        };
        let (email, role) =
            (part.line(&field, ""), part.choice(("role", "Role"), &ROLES, "viewer"));
        Html::of(format!("<div class=\"fields\">{email}{role}</div>"))
    }

    fn roles(&self, member: &MemberView) -> Html {
        let mut html = format!(
            "<select class=\"form-select\" name=\"role\" aria-label=\"Role of {}\">",
            esc(&member.email)
        );
        for role in ["viewer", "manager", "owner"] {
            let selected = if role == member.role { " selected" } else { "" };
            let _ = write!(html, "<option{selected}>{role}</option>");
        }
        html.push_str("</select>");
        Html::of(html)
    }

    fn state(&self, member: &MemberView) -> Html {
        match member.state {
            "active" => ui::good("Member"),
            "expired" => ui::badge(&Tone::Bad, "Invitation expired"),
            _ if member.mail_state.as_deref() == Some("bounced") => {
                ui::badge(&Tone::Bad, "Her mail came back")
            }
            _ => ui::badge(&Tone::Wait, "Invited"),
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
        me: at.seat.member()?.id,
        pager: ui::pager(&format!("{}/settings/members", at.home), &[], found.next_cursor.as_ref()),
        members: found.data,
        told,
    };
    at.render((told.status, HERE.1, Area::Settings), &csrf, &content)
}

/// The team.
pub async fn show(State(app): State<App>, at: At) -> Result<Response> {
    page(app, at, &Told::default()).await
}

async fn done(app: &App, at: &At, form: &Form) -> Result<&'static str> {
    let (state, caller) = (State(app.clone()), at.seat.caller()?);
    let id = || form.get("id").parse().map(PathId).map_err(|_| Error::NotFound);
    let role = ("role", form.get("role"));
    match form.get("do") {
        "invite" => {
            let new = Body(body(&[("email", form.get("email")), role])?);
            let _ = api::invite(state, caller, new).await?;
            Ok("member")
        }
        "role" => {
            let _ = api::update(state, caller, id()?, Body(body(&[role])?)).await?;
            Ok("role")
        }
        "remove" => {
            let _ = api::remove(state, caller, id()?).await?;
            Ok("removed")
        }
        _ => Err(Error::NotFound.into()),
    }
}

/// Invites, changes a role, removes.
pub async fn save(State(app): State<App>, sent: Sent) -> Result<Response> {
    let (at, form) = split(sent);
    match done(&app, &at, &form).await {
        Ok(done) => Ok(at.see(&format!("/settings/members?done={done}"))),
        Err(error) => {
            let told = Told::of(form, *error)?;
            page(app, at, &told).await
        }
    }
}
