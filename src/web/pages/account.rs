//! One's own account: places, passkeys, sessions, signing out.

use askama::Template;
use http::StatusCode;

use super::form::{self, MyForm, then};
use super::{Page, Who, render, see, time};
use crate::app::App;
use crate::domain::ids::{PasskeyId, Session, SessionId};
use crate::error::{Error, Result};
use crate::storage::sessions::{self as rows, CreatorSide, Membership};
use crate::web::api::sign_in;
use crate::web::caller::{Device, RequestId, SignedIn};
use crate::web::extract::PathId;
use crate::web::handler::State;
use crate::web::message::Response;

#[derive(Template)]
#[template(path = "account.html")]
struct Account<'a> {
    email: &'a str,
    csrf: &'a str,
    device: &'a str,
    members: &'a [Membership],
    creators: &'a [CreatorSide],
    passkeys: Vec<KeyLine>,
    sessions: Vec<SessionLine>,
}

struct KeyLine {
    id: PasskeyId,
    name: String,
    added: String,
    used: Option<String>,
}

struct SessionLine {
    id: SessionId,
    device: String,
    since: String,
    seen: String,
    current: bool,
}

/// Who one is here.
pub async fn show(
    State(app): State<App>,
    me: SignedIn,
    Device(device): Device,
) -> Result<Response> {
    let session = &*me.0;
    if !session.second_factor().is_enough() {
        return Ok(see("/sign-in/passkey"));
    }
    let passkeys = rows::passkeys(app.db(), session.person_id).await?.into_iter();
    let sessions = rows::list(app.db(), session, app.now_ms()).await?.into_iter();
    let csrf = form::proof(&app, session);
    let content = Account {
        email: &session.email,
        csrf: &csrf,
        device: &device,
        members: &session.members,
        creators: &session.creators,
        passkeys: passkeys
            .map(|key| KeyLine {
                id: key.id,
                name: key.name,
                added: time(key.created_at_ms),
                used: key.last_used_at_ms.map(time),
            })
            .collect(),
        sessions: sessions
            .map(|row| SessionLine {
                current: row.id == session.id,
                id: row.id,
                device: row.device,
                since: time(row.created_at_ms),
                seen: time(row.last_seen_at_ms),
            })
            .collect(),
    };
    let who = Some(Who { email: &session.email, csrf: &csrf });
    let page = Page { title: "Your account", width: "text", scripted: true, who };
    render(StatusCode::OK, &page, &content)
}

/// Ends a session; one's own is signing out.
pub async fn end_session(
    State(app): State<App>,
    id: PathId<Session>,
    request_id: RequestId,
    form: MyForm,
) -> Result<Response> {
    if id.0 == form.session.id {
        return sign_out(State(app), request_id, form).await;
    }
    match sign_in::end(State(app), form.me(), id, request_id).await {
        // Ended by itself or in another window: just what was wanted.
        Err(error) if matches!(*error, Error::NotFound) => Ok(see("/account")),
        done => Ok(then(done?, "/account")),
    }
}

/// Signs out.
pub async fn sign_out(
    State(app): State<App>,
    request_id: RequestId,
    form: MyForm,
) -> Result<Response> {
    Ok(then(sign_in::sign_out(State(app), form.me(), request_id).await?, "/sign-in"))
}
