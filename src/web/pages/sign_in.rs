//! Signing in: asking for the mail, its link or code, the second factor, and invitations.

use askama::Template;
use http::StatusCode;

use super::form::{self, Form, MyForm, mendable, then};
use super::{Page, Who, render, see};
use crate::app::App;
use crate::domain::secret::token_hash;
use crate::domain::session::SecondFactor;
use crate::error::{Error, Result};
use crate::storage::sessions::SessionRow;
use crate::web::api::passkeys::{self, RecoveryCode};
use crate::web::api::sign_in::{self, Code, Invited, SignIn};
use crate::web::caller::{Begun, Browser, Device, Maybe, RequestId, SignedIn};
use crate::web::extract::Body;
use crate::web::handler::State;
use crate::web::message::Response;

/// Where a person belongs in the course of signing in.
fn place(session: &SessionRow) -> String {
    match (session.members.as_slice(), session.creators.is_empty()) {
        _ if !session.second_factor().is_enough() => "/sign-in/passkey".to_owned(),
        // Whoever has one place to be is there; her account names several.
        ([], false) => "/c".to_owned(),
        ([only], true) => format!("/b/{}", only.brand_id),
        _ => "/account".to_owned(),
    }
}

/// The start: whoever is signed in comes to where she belongs, others sign in.
pub async fn start(Maybe(session): Maybe) -> Response {
    see(session.as_deref().map_or_else(|| "/sign-in".to_owned(), place))
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Ask<'a> {
    email: &'a str,
    wrong: Option<&'a str>,
}

/// Asks for the address.
pub async fn ask(Maybe(session): Maybe) -> Result<Response> {
    match session {
        Some(session) => Ok(see(place(&session))),
        None => {
            let form = Ask { email: "", wrong: None };
            render(StatusCode::OK, &Page::narrow("Sign in"), &form)
        }
    }
}

/// Begins a sign-in.
pub async fn begin(State(app): State<App>, browser: Browser, form: Form) -> Result<Response> {
    let email = form.get("email");
    let wanted = SignIn { email: Some(email.to_owned()), invitation: None };
    match sign_in::begin(State(app), browser, Body(wanted)).await {
        Ok(done) => Ok(then(done, "/sign-in/code")),
        Err(error) => {
            let (status, told) = mendable(*error)?;
            let form = Ask { email, wrong: Some(&told) };
            render(status, &Page::narrow("Sign in"), &form)
        }
    }
}

#[derive(Template)]
#[template(path = "link.html")]
struct Link;

/// Where the mailed link leads. Its token is in the fragment, which only the script sees.
pub async fn link() -> Result<Response> {
    let page = Page { scripted: true, ..Page::narrow("Signing you in") };
    render(StatusCode::OK, &page, &Link)
}

#[derive(Template)]
#[template(path = "code.html")]
struct AskCode<'a> {
    csrf: Option<&'a str>,
    code: &'a str,
    wrong: Option<&'a str>,
}

fn code_page(
    app: &App,
    secret: Option<&str>,
    code: &str,
    wrong: Option<(StatusCode, &str)>,
) -> Result<Response> {
    let csrf = secret.map(|secret| form::browser_proof(app, secret));
    let form = AskCode { csrf: csrf.as_deref(), code, wrong: wrong.map(|(_, told)| told) };
    let status = wrong.map_or(StatusCode::OK, |(status, _)| status);
    render(status, &Page::narrow("Look at your mail"), &form)
}

/// Asks for the code.
pub async fn code(State(app): State<App>, begun: Begun) -> Result<Response> {
    code_page(&app, begun.0.as_deref(), "", None)
}

/// Signs in with the code.
pub async fn by_code(
    State(app): State<App>,
    browser: Browser,
    request_id: RequestId,
    form: Form,
) -> Result<Response> {
    form.of_browser(&app, &browser)?;
    let (typed, secret) = (form.get("code"), browser.secret.clone());
    let code = Code { code: typed.to_owned() };
    match sign_in::by_code(State(app.clone()), browser, request_id, Body(code)).await {
        Ok(done) => Ok(then(done, "/")),
        Err(error) => {
            let (status, told) = mendable(*error)?;
            code_page(&app, secret.as_deref(), typed, Some((status, &told)))
        }
    }
}

#[derive(Template)]
#[template(path = "passkey.html")]
struct Passkey<'a> {
    enrol: bool,
    device: &'a str,
    csrf: &'a str,
    code: &'a str,
    wrong: Option<&'a str>,
}

fn passkey_page(
    app: &App,
    session: &SessionRow,
    device: &str,
    code: &str,
    wrong: Option<(StatusCode, &str)>,
) -> Result<Response> {
    let enrol = session.second_factor() == SecondFactor::Enroll;
    let csrf = form::proof(app, session);
    let wrong_text = wrong.map(|(_, told)| told);
    let content = Passkey { enrol, device, csrf: &csrf, code, wrong: wrong_text };
    let title = if enrol { "Add a passkey" } else { "Show your passkey" };
    let who = Some(Who { email: &session.email, csrf: &csrf });
    let page = Page { scripted: true, who, ..Page::narrow(title) };
    render(wrong.map_or(StatusCode::OK, |(status, _)| status), &page, &content)
}

/// Asks for the second factor, or for a first passkey.
pub async fn passkey(
    State(app): State<App>,
    me: SignedIn,
    Device(device): Device,
) -> Result<Response> {
    if me.0.second_factor().is_enough() {
        return Ok(see(place(&me.0)));
    }
    passkey_page(&app, &me.0, &device, "", None)
}

/// Takes a recovery code in place of a passkey.
pub async fn recovery(
    State(app): State<App>,
    request_id: RequestId,
    form: MyForm,
) -> Result<Response> {
    let typed = form.form.get("code");
    let code = RecoveryCode { code: typed.to_owned() };
    match passkeys::recover(State(app.clone()), form.me(), request_id, Body(code)).await {
        Ok(done) => Ok(then(done, "/account")),
        Err(error) => {
            let (status, told) = mendable(*error)?;
            passkey_page(&app, &form.session, "", typed, Some((status, &told)))
        }
    }
}

#[derive(Template)]
#[template(path = "invitation.html")]
struct Invitation;

/// Where an invitation leads. Its token is in the fragment, which only the script sees.
pub async fn invitation() -> Result<Response> {
    let page = Page { scripted: true, ..Page::narrow("Your invitation") };
    render(StatusCode::OK, &page, &Invitation)
}

#[derive(Template)]
#[template(path = "invited.html")]
struct Told<'a> {
    invited: Option<&'a Invited>,
    token: &'a str,
    email: &'a str,
    wrong: Option<&'a str>,
}

/// Says who invites to what, and asks to accept.
async fn told(
    app: &App,
    token: &str,
    email: &str,
    wrong: Option<(StatusCode, &str)>,
) -> Result<Response> {
    let invited = sign_in::invited(app, token, &token_hash(token)).await?;
    let status = match (&invited, wrong) {
        (_, Some((status, _))) => status,
        (None, None) => StatusCode::NOT_FOUND,
        (Some(_), None) => StatusCode::OK,
    };
    let wrong = wrong.map(|(_, told)| told);
    let content = Told { invited: invited.as_ref(), token, email, wrong };
    render(status, &Page::narrow("Your invitation"), &content)
}

/// Shows the invitation whose token the script found.
pub async fn invited(State(app): State<App>, form: Form) -> Result<Response> {
    told(&app, form.get("token"), "", None).await
}

/// Begins the sign-in that accepts an invitation.
pub async fn accept(State(app): State<App>, browser: Browser, form: Form) -> Result<Response> {
    let (token, email) = (form.get("token"), form.get("email"));
    let wanted = SignIn {
        email: (!email.is_empty()).then(|| email.to_owned()),
        invitation: Some(token.to_owned()),
    };
    match sign_in::begin(State(app.clone()), browser, Body(wanted)).await {
        Ok(done) => Ok(then(done, "/sign-in/code")),
        Err(error) if matches!(*error, Error::NotFound) => told(&app, token, "", None).await,
        Err(error) => {
            let (status, wrong) = mendable(*error)?;
            told(&app, token, email, Some((status, &wrong))).await
        }
    }
}
