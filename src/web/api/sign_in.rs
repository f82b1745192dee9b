//! Signing in: a mailed link, or its code on another device; and the session that follows.
//!
//! Nothing tells whether an address is known: neither the answer nor the time it takes, and a mail
//! goes only to whom it concerns.

use http::StatusCode;

use crate::app::App;
use crate::domain::auth::{Actor, TokenKind};
use crate::domain::creator::{is_email, normal_email};
use crate::domain::ids::{BrandId, CreatorId, MemberId, PersonId, Session, SessionId};
use crate::domain::letter::Letter;
use crate::domain::secret::{same_secret, token_hash};
use crate::domain::session::{
    self, BROWSER_COOKIE, Role, SESSION_COOKIE, SIGN_IN_MS, session_end, set_cookie,
};
use crate::domain::time::{DAY_MS, Millis};
use crate::error::{Error, Result};
use crate::storage::sessions::{self as rows, NewSignIn, SessionRow, SignInRow};
use crate::storage::{DbError, Statement, access, members};
use crate::web::body::body;
use crate::web::extract::{Body, Browser, By, PathId, RequestId, SignedIn, note};
use crate::web::handler::{Json, State};
use crate::web::json::{self, ToJson, view};
use crate::web::limits;
use crate::web::mail;
use crate::web::message::Response;

use super::view::{List, Time};

const HOUR_MS: Millis = 3_600_000;
/// So many sign-ins may be begun from one network in an hour,
const PER_NETWORK: u32 = 200;
/// for one address from one network, so that nobody elsewhere uses up somebody's share,
const PER_BOTH: u32 = 10;
/// and for one address from all.
const PER_EMAIL: u32 = 60;
/// So many codes are compared for one sign-in.
const CODE_TRIES: u32 = 5;
/// So many for one address in a day, whoever begins the sign-ins. After that its links still work.
const CODES_A_DAY: u32 = 20;

body! {
    /// Who wants to sign in: an address, or whoever was invited.
    pub struct SignIn {
        email: Option<String>,
        /// An invitation's token. Its address is the one that was invited, where there is one.
        invitation: Option<String>,
    }
}

view! {
    /// A sign-in that was begun.
    pub struct Begun {
        /// Until when its link and code hold.
        expires_at: Time,
    }
}

/// Begins a sign-in: mails a link, and a code for other devices, if the address is known.
#[utoipa::path(post, path = "/v1/sign-in", tag = "sign-in", request_body = SignIn,
    responses((status = 202, body = Begun), (status = 429, description = "Too many for now"),
    (status = 409, description = "Invited is somebody whom the brand has already")))]
pub async fn begin(
    State(app): State<App>,
    browser: Browser,
    Body(wanted): Body<SignIn>,
) -> Result<Response> {
    let (email, invitation_hash) = who(&app, wanted).await?;
    let network = &browser.network;
    for (subject, limit) in [
        (format!("sign-in-from/{network}"), PER_NETWORK),
        (format!("sign-in/{email}/{network}"), PER_BOTH),
        (format!("sign-in/{email}"), PER_EMAIL),
    ] {
        limits::take(&app, &subject, limit, HOUR_MS).await?;
    }
    let now_ms = app.now_ms();
    let (secret, code) = (session::secret(app.random()), session::code(app.random()));
    let token = TokenKind::SignIn.token(app.random());
    let browser_hash = token_hash(&secret);
    let link = format!("{}/sign-in/link#{token}", app.config.public_origin);
    let letter = Letter::SignIn { link: &link, code: &code, minutes: 10 };
    let cause = format!("sign-in/{browser_hash}");
    // Whoever accepts an invitation needs not be known yet.
    let mail = match &invitation_hash {
        Some(_) => mail::compose(&app, None, &cause, &email, &letter)?,
        None => mail::compose_if_known(&app, &cause, &email, &letter)?,
    };
    let begun = rows::begin(
        &NewSignIn {
            browser_hash: &browser_hash,
            token_hash: &token_hash(&token),
            code_hash: &code_hash(&app, &browser_hash, &code),
            email: &email,
            invitation_hash: invitation_hash.as_deref(),
            expires_at_ms: now_ms + SIGN_IN_MS,
        },
        now_ms,
    );
    app.db().run(vec![begun, mail]).await?;
    let view = Begun { expires_at: Time(now_ms + SIGN_IN_MS) };
    let mut response = Response::json(StatusCode::ACCEPTED, json::text(&view));
    response.push("set-cookie", set_cookie(BROWSER_COOKIE, &secret, Some(SIGN_IN_MS / 1000)));
    Ok(response)
}

/// Known-bad: leaves out the first statements of a batch, which spend something.
#[cfg(feature = "canary")]
pub fn unspent(app: &App, batch: &mut Vec<Statement>) {
    if app.config.canary == Some(crate::app::Canary::Unspent) {
        batch.clear();
    }
}

/// The address to write to, and the hash of the invitation that is being accepted.
async fn who(app: &App, wanted: SignIn) -> Result<(String, Option<String>)> {
    let email = wanted.email.as_deref().map(normal_email);
    if email.as_deref().is_some_and(|email| !is_email(email)) {
        return Err(Error::invalid("email", "must be an e-mail address"));
    }
    let Some(token) = wanted.invitation else {
        return Ok((email.ok_or(Error::invalid("email", "missing field `email`"))?, None));
    };
    let hash = token_hash(&token);
    let invited = invited(app, &token, &hash).await?.ok_or(Error::NotFound)?;
    let email = match (invited.email, email) {
        (Some(invited), Some(told)) if invited != told => {
            return Err(Error::Forbidden("this invitation is for another address").into());
        }
        (Some(invited), _) => invited,
        (None, Some(told)) => told,
        (None, None) => return Err(Error::invalid("email", "missing field `email`")),
    };
    if invited.connected.is_some_and(|connected| connected != email) {
        return Err(Error::refused(
            "creator-connected",
            "whom this invitation is for signs in with another address already",
        ));
    }
    if invited.taken {
        return Err(creator_exists());
    }
    Ok((email, Some(hash)))
}

/// A person is one creator of a brand. That somebody is isn't told of an address which the brand
/// doesn't know: only when it was shown to be hers.
fn creator_exists() -> Box<Error> {
    let detail = "whom this invitation is for is a creator of this brand already: ask the brand";
    Error::refused("creator-exists", detail)
}

/// What an invitation says.
pub struct Invited {
    /// Who invites.
    pub brand: String,
    /// As what; nothing: as a creator.
    pub role: Option<Role>,
    /// Who is invited, if the brand knows the address.
    pub email: Option<String>,
    connected: Option<String>,
    taken: bool,
}

/// What the invitation with this token says, while it can be accepted.
///
/// # Errors
/// 503 if D1 is away.
pub async fn invited(app: &App, token: &str, hash: &str) -> Result<Option<Invited>> {
    let now_ms = app.now_ms();
    match TokenKind::of(token) {
        Some(TokenKind::MemberInvitation) => {
            let found = members::invitation(app.db(), hash).await?;
            let found = found.filter(|found| found.expires_at_ms > now_ms);
            Ok(found.map(|found| Invited {
                brand: found.brand,
                role: Some(found.role),
                email: Some(found.email),
                connected: None,
                taken: false,
            }))
        }
        Some(TokenKind::Invitation) => {
            let found = members::creator_invitation(app.db(), hash).await?;
            let found = found.filter(|i| i.expires_at_ms > now_ms && i.accepted_at_ms.is_none());
            Ok(found.map(|found| Invited {
                brand: found.brand,
                role: None,
                email: found.email.as_deref().map(normal_email),
                connected: found.connected,
                taken: found.taken,
            }))
        }
        _ => Ok(None),
    }
}

fn code_hash(app: &App, browser_hash: &str, code: &str) -> String {
    app.config.data_key.keyed_hash("code", &[browser_hash, code])
}

body! {
    /// What the mailed link brings along.
    pub struct LinkToken {
        /// The part of the link after `#`.
        token: String,
    }
}

/// Signs in with the mailed link, in the browser in which the sign-in was begun.
#[utoipa::path(post, path = "/v1/sign-in/link", tag = "sign-in", request_body = LinkToken,
    responses((status = 200, body = SessionView),
    (status = 400, description = "Spent, expired, unknown, or another browser")))]
pub async fn by_link(
    State(app): State<App>,
    browser: Browser,
    RequestId(request_id): RequestId,
    Body(link): Body<LinkToken>,
) -> Result<Response> {
    if TokenKind::of(&link.token) != Some(TokenKind::SignIn) {
        return Err(failed());
    }
    let found = rows::by_token(app.db(), &token_hash(&link.token)).await?;
    let sign_in = open(&app, found)?;
    let here = browser.secret.as_deref().map(token_hash);
    if !here.is_some_and(|hash| same_secret(&hash, &sign_in.browser_hash)) {
        return Err(Error::denied(
            StatusCode::BAD_REQUEST,
            "other-browser",
            "type the code from the mail where you began to sign in",
        ));
    }
    finish(&app, sign_in, &browser, &request_id).await
}

body! {
    /// The code in the mail.
    #[schema(as = SignInCode)]
    pub struct Code {
        /// Eight digits; spaces don't matter.
        code: String,
    }
}

/// Signs in with the mailed code, in the browser in which the sign-in was begun.
#[utoipa::path(post, path = "/v1/sign-in/code", tag = "sign-in", request_body = Code,
    responses((status = 200, body = SessionView), (status = 400, description = "Not the code"),
    (status = 429, description = "Five were wrong: begin again; twenty today: use the link")))]
pub async fn by_code(
    State(app): State<App>,
    browser: Browser,
    RequestId(request_id): RequestId,
    Body(typed): Body<Code>,
) -> Result<Response> {
    let hash = token_hash(browser.secret.as_deref().ok_or(failed())?);
    let sign_in = open(&app, rows::by_browser(app.db(), &hash).await?)?;
    // Counted before it is compared, so that of any number at once five are compared.
    limits::take(&app, &format!("code/{hash}"), CODE_TRIES, SIGN_IN_MS).await?;
    limits::take(&app, &format!("codes-for/{}", sign_in.email), CODES_A_DAY, DAY_MS).await?;
    let code: String = typed.code.chars().filter(|c| !c.is_whitespace()).collect();
    if !same_secret(&code_hash(&app, &hash, &code), &sign_in.code_hash) {
        return Err(failed());
    }
    finish(&app, sign_in, &browser, &request_id).await
}

/// Whatever is wrong with a link or a code, it isn't told apart.
fn failed() -> Box<Error> {
    let detail = "this link or code isn't good (any more): begin again";
    Error::denied(StatusCode::BAD_REQUEST, "sign-in-failed", detail)
}

fn open(app: &App, found: Option<SignInRow>) -> Result<SignInRow> {
    let usable = |row: &SignInRow| row.uses == 0 && row.expires_at_ms > app.now_ms();
    found.filter(usable).ok_or(failed())
}

/// Spends a sign-in: the person, the invitation she accepts and her session, in one batch.
async fn finish(
    app: &App,
    sign_in: SignInRow,
    browser: &Browser,
    request_id: &str,
) -> Result<Response> {
    let secret = session::secret(app.random());
    let mut done = spent(app, &sign_in, browser, request_id, &secret).await?;
    if done.as_ref().is_err_and(|error| error.is_constraint("people.email")) {
        // Another link made the same person at this moment: she is known now.
        done = spent(app, &sign_in, browser, request_id, &secret).await?;
    }
    match done {
        Ok(()) => signed_in(app, &secret).await,
        Err(error) if error.is_constraint("creators.person_id") => Err(creator_exists()),
        // Somebody was faster: with this link, this invitation or this address.
        Err(DbError::Constraint(_)) => Err(failed()),
        Err(error) => Err(error.into()),
    }
}

/// Commits what [`finish`] does; what the database refuses is told apart.
async fn spent(
    app: &App,
    sign_in: &SignInRow,
    browser: &Browser,
    request_id: &str,
    secret: &str,
) -> Result<Result<(), DbError>> {
    let now_ms = app.now_ms();
    let joining = match &sign_in.invitation_hash {
        Some(hash) => accepted(app, hash, &sign_in.email, request_id).await?,
        None => Vec::new(),
    };
    let mut batch = vec![rows::spend(sign_in)];
    #[cfg(feature = "canary")]
    unspent(app, &mut batch);
    // Looked up last: whoever accepted the invitation a moment ago is known by now.
    let person = match rows::person(app.db(), &sign_in.email).await? {
        Some(found) => {
            batch.extend(joining);
            found.id
        }
        // An invitation that is gone makes nobody a person,
        None if joining.is_empty() => return Err(failed()),
        None => {
            let id: PersonId = app.new_id();
            batch.push(rows::insert_person(id, &sign_in.email, now_ms));
            batch.extend(joining);
            // even if it went a moment ago.
            batch.push(rows::belongs(id));
            id
        }
    };
    let (hash, id) = (token_hash(secret), app.new_id());
    batch.push(rows::insert(&hash, id, &browser.device, &sign_in.email, now_ms));
    let told = Some(json::text(&browser.device));
    batch.extend(rows::note(person, app.new_id(), "session.begin", request_id, told, now_ms));
    Ok(app.db().run(batch).await.map(drop))
}

/// What accepting the invitation with this hash changes; nothing if it is gone by now.
async fn accepted(app: &App, hash: &str, email: &str, request_id: &str) -> Result<Vec<Statement>> {
    let now_ms = app.now_ms();
    let invited = members::invitation(app.db(), hash).await?;
    if let Some(found) = invited.filter(|found| found.expires_at_ms > now_ms) {
        return Ok(members::join(&found, hash, app.new_id(), request_id, now_ms));
    }
    let found = members::creator_invitation(app.db(), hash).await?;
    let hers = |by: &Option<String>| by.as_deref().is_none_or(|connected| connected == email);
    let Some(found) = found
        .filter(|i| i.expires_at_ms > now_ms && i.accepted_at_ms.is_none() && hers(&i.connected))
    else {
        return Ok(Vec::new());
    };
    let by = By { actor: Actor::Creator(found.creator_id), request_id };
    let who = found.creator_id.to_string();
    let mut batch = vec![access::spend_invitation(found.brand_id, hash, now_ms)];
    #[cfg(feature = "canary")]
    unspent(app, &mut batch);
    batch.push(members::connect(found.brand_id, found.creator_id, email, hash));
    // From now on she shows who she is: no link or token alone opens anything.
    batch.push(access::withdraw(found.brand_id, found.creator_id));
    batch.push(access::end_tokens(found.brand_id, found.creator_id));
    batch.push(note(app, found.brand_id, &by, "invitation.accept", &who, None, None));
    Ok(batch)
}

/// The answer to whoever has just signed in or shown another factor: the session, and its secret
/// in the cookie.
///
/// # Errors
/// 401 if it ended meanwhile.
pub async fn signed_in(app: &App, secret: &str) -> Result<Response> {
    let session = rows::find(app.db(), &token_hash(secret)).await?;
    let view = view_of(app, &session.ok_or(Error::Unauthenticated)?);
    Ok(with_session(secret, &view))
}

/// An answer that sets the session's cookie. It ends with the browser; the session ends by itself
/// before that.
pub fn with_session(secret: &str, view: &dyn ToJson) -> Response {
    let mut response = Response::json(StatusCode::OK, json::text(view));
    response.push("set-cookie", set_cookie(SESSION_COOKIE, secret, None));
    response.push("set-cookie", set_cookie(BROWSER_COOKIE, "", Some(0)));
    response
}

view! {
    /// Who is signed in, and as what.
    #[schema(as = Session)]
    pub struct SessionView {
        person: PersonView,
        session: ThisSession,
        /// Where she is a member.
        brands: Vec<MyBrand>,
        /// Where she is a creator.
        creators: Vec<MyCreator>,
        /// What forms of this session carry.
        csrf: String,
    }
}

view! {
    #[schema(as = Person)]
    struct PersonView {
        id: PersonId,
        email: String,
    }
}

view! {
    struct ThisSession {
        id: SessionId,
        /// 1: the mail; 2: a passkey or a recovery code too.
        factors: u16,
        /// `none`, `done`, `required` (show a passkey or a recovery code) or `enroll` (add a first
        /// passkey).
        second_factor: &'static str,
        /// Until when a passkey counts as just shown.
        #[schema(required)]
        stepped_up_until: Option<Time>,
    }
}

view! {
    struct MyBrand {
        id: BrandId,
        name: String,
        member_id: MemberId,
        role: &'static str,
    }
}

view! {
    struct MyCreator {
        brand_id: BrandId,
        brand: String,
        creator_id: CreatorId,
        name: String,
    }
}

fn view_of(app: &App, session: &SessionRow) -> SessionView {
    let fresh_until_ms = session.fresh_until_ms();
    let brands = session.members.iter().map(|member| MyBrand {
        id: member.brand_id,
        name: member.brand.clone(),
        member_id: member.id,
        role: member.role.as_str(),
    });
    let creators = session.creators.iter().map(|side| MyCreator {
        brand_id: side.brand_id,
        brand: side.brand.clone(),
        creator_id: side.id,
        name: side.name.clone(),
    });
    SessionView {
        person: PersonView { id: session.person_id, email: session.email.clone() },
        session: ThisSession {
            id: session.id,
            factors: session.factors,
            second_factor: session.second_factor().as_str(),
            stepped_up_until: (fresh_until_ms > app.now_ms()).then_some(Time(fresh_until_ms)),
        },
        brands: brands.collect(),
        creators: creators.collect(),
        csrf: session::form_token(&app.config.data_key, &session.secret_hash, app.random()),
    }
}

/// Who is signed in.
#[utoipa::path(get, path = "/v1/session", tag = "sign-in", security(("session" = [])),
    responses((status = 200, body = SessionView)))]
pub async fn show(State(app): State<App>, me: SignedIn) -> Result<Json<SessionView>> {
    Ok(Json(view_of(&app, &me.0)))
}

/// Signs out: the session ends at once.
#[utoipa::path(delete, path = "/v1/session", tag = "sign-in", security(("session" = [])),
    responses((status = 204, description = "Signed out")))]
pub async fn sign_out(
    State(app): State<App>,
    me: SignedIn,
    RequestId(request_id): RequestId,
) -> Result<Response> {
    match ended(&app, &me.0, me.0.id, &request_id).await {
        // Ended elsewhere at the same moment.
        Ok(()) => {}
        Err(error) if matches!(*error, Error::NotFound) => {}
        Err(error) => return Err(error),
    }
    let mut response = Response::empty(StatusCode::NO_CONTENT);
    response.push("set-cookie", set_cookie(SESSION_COOKIE, "", Some(0)));
    Ok(response)
}

view! {
    /// A session of the person.
    #[schema(as = ListedSession)]
    pub struct ListedView {
        id: SessionId,
        /// `Chrome, Windows`
        device: String,
        created_at: Time,
        /// To the minute.
        last_seen_at: Time,
        /// When it ends without further use.
        expires_at: Time,
        /// Whether it is the one that asks.
        current: bool,
    }
}

/// The person's sessions, latest first.
#[utoipa::path(get, path = "/v1/sessions", tag = "sign-in", security(("session" = [])),
    responses((status = 200, body = List<ListedView>)))]
pub async fn list(State(app): State<App>, me: SignedIn) -> Result<Json<List<ListedView>>> {
    me.0.enough()?;
    let is_member = !me.0.members.is_empty();
    let all = rows::list(app.db(), &me.0, app.now_ms()).await?;
    let views = all.into_iter().map(|row| ListedView {
        current: row.id == me.0.id,
        expires_at: Time(session_end(row.created_at_ms, row.last_seen_at_ms, is_member)),
        id: row.id,
        device: row.device,
        created_at: Time(row.created_at_ms),
        last_seen_at: Time(row.last_seen_at_ms),
    });
    Ok(Json(List { data: views.collect(), next_cursor: None }))
}

/// Ends a session of the person, at once.
#[utoipa::path(delete, path = "/v1/sessions/{id}", tag = "sign-in", security(("session" = [])),
    params(("id" = SessionId, Path)), responses((status = 204, description = "Ended")))]
pub async fn end(
    State(app): State<App>,
    me: SignedIn,
    id: PathId<Session>,
    RequestId(request_id): RequestId,
) -> Result<Response> {
    me.0.enough()?;
    ended(&app, &me.0, id.0, &request_id).await?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

/// Ends a session of the person.
///
/// # Errors
/// 404 if there is none with this id.
pub async fn ended(app: &App, me: &SessionRow, id: SessionId, request_id: &str) -> Result<()> {
    let told = Some(json::text(&id));
    let (now_ms, note_id) = (app.now_ms(), app.new_id());
    let note = rows::note(me.person_id, note_id, "session.end", request_id, told, now_ms);
    let mut batch = rows::end(me.person_id, id);
    batch.extend(note);
    match app.db().run(batch).await {
        Ok(_) => Ok(()),
        Err(DbError::Constraint(_)) => Err(Error::NotFound.into()),
        Err(error) => Err(error.into()),
    }
}
