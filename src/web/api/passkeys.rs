//! The second factor: passkeys, and recovery codes for whoever lost hers.

use http::StatusCode;

use crate::app::App;
use crate::domain::creator::normal_email;
use crate::domain::ids::{Passkey, PasskeyId, PersonId};
use crate::domain::letter::Letter;
use crate::domain::passkey::{self, ClientData, Site};
use crate::domain::secret::token_hash;
use crate::domain::session::{self, CHALLENGE_MS, STEP_UP_MS, plain_recovery_code, recovery_code};
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::storage::rows::parse;
use crate::storage::sessions::{self as rows, PasskeyRow, SessionRow};
use crate::storage::{DbError, Statement};
use crate::web::body::body;
use crate::web::extract::{Body, Checks, Operator, PathId, RequestId, SignedIn, checked};
use crate::web::handler::{Json, State};
use crate::web::json::{self, view};
use crate::web::message::Response;
use crate::web::{limits, mail};

use super::sign_in::{SessionView, signed_in};
use super::view::{List, Time};

/// So many codes a person gets at once.
const RECOVERY_CODES: usize = 10;
/// So many are compared in an hour.
const RECOVERY_TRIES: u32 = 5;
const HOUR_MS: Millis = 3_600_000;
/// So many passkeys one person may have.
const MOST_PASSKEYS: usize = 20;

view! {
    /// What a passkey is to sign next.
    pub struct Challenge {
        /// base64url; good for one answer within five minutes.
        challenge: String,
        /// For whose pages.
        rp_id: String,
        user: ChallengedUser,
        /// The passkeys that the person has, by their authenticators' ids.
        credentials: Vec<String>,
    }
}

view! {
    struct ChallengedUser {
        /// base64url.
        id: String,
        name: String,
    }
}

/// Asks for a passkey: a new one, or one that is known.
#[utoipa::path(post, path = "/v1/passkeys/challenge", tag = "sign-in", security(("session" = [])),
    responses((status = 200, body = Challenge)))]
pub async fn challenge(State(app): State<App>, me: SignedIn) -> Result<Json<Challenge>> {
    let challenge = session::secret(app.random());
    let known = rows::passkeys(app.db(), me.0.person_id).await?;
    let asked = rows::challenge(&me.0.secret_hash, &challenge, app.now_ms());
    app.db().run(vec![asked]).await?;
    Ok(Json(Challenge {
        challenge,
        rp_id: site(&app).rp_id().to_owned(),
        user: ChallengedUser { id: user_handle(me.0.person_id), name: me.0.email.clone() },
        credentials: known.into_iter().map(|key| key.credential_id).collect(),
    }))
}

fn user_handle(person: PersonId) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(person.bytes())
}

fn site(app: &App) -> Site<'_> {
    Site { origin: &app.config.public_origin }
}

fn refused() -> Box<Error> {
    let detail = "the passkey could not be verified";
    Error::denied(StatusCode::UNAUTHORIZED, "passkey-refused", detail)
}

/// The challenge that the session waits to be answered.
fn asked<'a>(app: &App, me: &'a SessionRow) -> Result<&'a str> {
    let since = me.challenge_at_ms.filter(|at| app.now_ms() - at < CHALLENGE_MS);
    since.and(me.challenge.as_deref()).ok_or(refused())
}

fn client_data(text: &str) -> Result<ClientData> {
    let bytes = passkey::decode(text).map_err(|_| refused())?;
    let told = std::str::from_utf8(&bytes).ok().and_then(|text| parse(text).ok());
    let told = told.unwrap_or_default();
    Ok(ClientData { bytes, told })
}

view! {
    /// A passkey of the person.
    #[schema(as = Passkey)]
    pub struct PasskeyView {
        id: PasskeyId,
        name: String,
        created_at: Time,
        #[schema(required)]
        last_used_at: Option<Time>,
    }
}

impl From<PasskeyRow> for PasskeyView {
    fn from(row: PasskeyRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            created_at: Time(row.created_at_ms),
            last_used_at: row.last_used_at_ms.map(Time),
        }
    }
}

body! {
    /// What an authenticator answers to a challenge with a new passkey.
    pub struct NewPasskey {
        /// What to call it.
        name: String,
        /// `clientDataJSON`, base64url.
        client_data: String,
        /// `getAuthenticatorData()`, base64url.
        authenticator_data: String,
    }
}

view! {
    /// A new passkey; with the first one come recovery codes, which are shown only here.
    pub struct AddedPasskey {
        passkey: PasskeyView,
        #[schema(required)]
        recovery_codes: Option<Vec<String>>,
    }
}

/// Adds a passkey: the first within ten minutes of signing in, others after showing one.
#[utoipa::path(post, path = "/v1/passkeys", tag = "sign-in", request_body = NewPasskey,
    security(("session" = [])), responses((status = 201, body = AddedPasskey),
    (status = 401, description = "Not what was asked for"),
    (status = 409, description = "Known already")))]
pub async fn add(
    State(app): State<App>,
    me: SignedIn,
    RequestId(request_id): RequestId,
    Body(new): Body<NewPasskey>,
) -> Result<Response> {
    let (me, now_ms) = (&*me.0, app.now_ms());
    let mut checks = Checks::default();
    let name = checks.text("name", &new.name, 100);
    checks.done()?;
    may_add(me, now_ms)?;
    let known = rows::passkeys(app.db(), me.person_id).await?;
    if known.len() >= MOST_PASSKEYS {
        return Err(Error::refused("too-many-passkeys", "remove one first"));
    }
    let challenge = asked(&app, me)?;
    let told = client_data(&new.client_data)?;
    let read = passkey::registered(site(&app), challenge, &told, &new.authenticator_data);
    let read = read.map_err(|_| refused())?;
    let public_key = passkey::decode(&read.public_key).map_err(|_| refused())?;
    if !app.signatures.is_key(&public_key).await {
        return Err(refused());
    }
    let row = PasskeyRow {
        id: app.new_id(),
        name: checked(name)?,
        credential_id: read.credential_id,
        public_key: read.public_key,
        sign_count: read.sign_count,
        created_at_ms: now_ms,
        last_used_at_ms: None,
    };
    let mut batch = vec![rows::require(me, challenge), rows::add_passkey(me.person_id, &row)];
    let codes = known.is_empty().then(|| recovery_codes(&app, me.person_id, &mut batch));
    let what = json::text(&row.name);
    let secret = shown(&app, me, &request_id, ("passkey.add", Some(what)), &mut batch);
    batch.push(notice(&app, &me.email, "A passkey was added to your account.")?);
    commit(&app, batch).await?;
    let view = AddedPasskey { passkey: row.into(), recovery_codes: codes };
    let mut response = super::sign_in::with_session(&secret, &view);
    response.status = StatusCode::CREATED;
    Ok(response)
}

/// Whoever holds only a cookie can't add a passkey to it.
fn may_add(me: &SessionRow, now_ms: Millis) -> Result<()> {
    if me.has_passkey || me.stepped_up_at_ms.is_some() {
        return me.stepped_up(now_ms);
    }
    (now_ms - me.created_at_ms < STEP_UP_MS).then_some(()).ok_or(Error::denied(
        StatusCode::FORBIDDEN,
        "sign-in-again",
        "a first passkey is added within ten minutes of signing in: sign in again",
    ))
}

/// Puts new recovery codes in place of the person's old ones.
fn recovery_codes(app: &App, person: PersonId, batch: &mut Vec<Statement>) -> Vec<String> {
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code(app.random())).collect();
    let hashes: Vec<String> = codes.iter().map(|code| recovery_hash(app, person, code)).collect();
    batch.extend(rows::set_recovery(person, &hashes, app.now_ms()));
    codes
}

fn recovery_hash(app: &App, person: PersonId, code: &str) -> String {
    let (person, code) = (person.to_string(), plain_recovery_code(code));
    app.config.data_key.keyed_hash("recovery", &[&person, &code])
}

/// A factor was shown: the session gets a new secret, and the trail a row.
fn shown(
    app: &App,
    me: &SessionRow,
    request_id: &str,
    (action, what): (&'static str, Option<String>),
    batch: &mut Vec<Statement>,
) -> String {
    let (secret, now_ms) = (session::secret(app.random()), app.now_ms());
    batch.push(rows::step_up(me, &token_hash(&secret), now_ms));
    batch.extend(rows::note(me.person_id, app.new_id(), action, request_id, what, now_ms));
    secret
}

/// Tells the person by mail what happened to her account, in case it wasn't she.
fn notice(app: &App, email: &str, what: &'static str) -> Result<Statement> {
    let cause = format!("notice/{}", session::secret(app.random()));
    mail::compose(app, None, &cause, email, &Letter::Notice { what })
}

async fn commit(app: &App, batch: Vec<Statement>) -> Result<()> {
    match app.db().run(batch).await {
        Ok(_) => Ok(()),
        Err(DbError::Constraint(text)) if text.contains("passkeys") => {
            Err(Error::refused("passkey-known", "this passkey is in use already"))
        }
        Err(DbError::Constraint(_)) => Err(refused()),
        Err(error) => Err(error.into()),
    }
}

/// The person's passkeys.
#[utoipa::path(get, path = "/v1/passkeys", tag = "sign-in", security(("session" = [])),
    responses((status = 200, body = List<PasskeyView>)))]
pub async fn list(State(app): State<App>, me: SignedIn) -> Result<Json<List<PasskeyView>>> {
    me.0.enough()?;
    let found = rows::passkeys(app.db(), me.0.person_id).await?;
    let data = found.into_iter().map(PasskeyView::from).collect();
    Ok(Json(List { data, next_cursor: None }))
}

/// Removes a passkey, but never the last; sessions other than this one end.
#[utoipa::path(delete, path = "/v1/passkeys/{id}", tag = "sign-in", security(("session" = [])),
    params(("id" = PasskeyId, Path)), responses((status = 204, description = "Removed"),
    (status = 409, description = "The last one")))]
pub async fn remove(
    State(app): State<App>,
    me: SignedIn,
    id: PathId<Passkey>,
    RequestId(request_id): RequestId,
) -> Result<Response> {
    let (me, now_ms) = (&*me.0, app.now_ms());
    me.stepped_up(now_ms)?;
    let known = rows::passkeys(app.db(), me.person_id).await?;
    let gone = known.iter().find(|key| key.id == id.0).ok_or(Error::NotFound)?;
    let last = || Error::refused("last-passkey", "add another one first");
    if known.len() == 1 {
        return Err(last());
    }
    let what = Some(json::text(&gone.name));
    let mut batch = rows::delete_passkey(me, id.0);
    batch.extend(rows::note(
        me.person_id,
        app.new_id(),
        "passkey.remove",
        &request_id,
        what,
        now_ms,
    ));
    batch.push(notice(&app, &me.email, "A passkey was removed from your account.")?);
    match app.db().run(batch).await {
        Ok(_) => Ok(Response::empty(StatusCode::NO_CONTENT)),
        // Another one was removed at the same moment.
        Err(DbError::Constraint(_)) => Err(last()),
        Err(error) => Err(error.into()),
    }
}

body! {
    /// What an authenticator answers to a challenge with a known passkey.
    pub struct Assertion {
        /// Which passkey, as its authenticator calls it.
        credential_id: String,
        /// `clientDataJSON`, base64url.
        client_data: String,
        /// `authenticatorData`, base64url.
        authenticator_data: String,
        /// base64url.
        signature: String,
    }
}

/// Shows a passkey: as the second factor, and again where it must be fresh.
#[utoipa::path(post, path = "/v1/session/passkey", tag = "sign-in", request_body = Assertion,
    security(("session" = [])), responses((status = 200, body = SessionView),
    (status = 401, description = "Not what was asked for")))]
pub async fn show(
    State(app): State<App>,
    me: SignedIn,
    RequestId(request_id): RequestId,
    Body(answer): Body<Assertion>,
) -> Result<Response> {
    let (me, now_ms) = (&*me.0, app.now_ms());
    let challenge = asked(&app, me)?;
    let known = rows::passkeys(app.db(), me.person_id).await?;
    let key = known.into_iter().find(|key| key.credential_id == answer.credential_id);
    let key = key.ok_or(refused())?;
    let told = client_data(&answer.client_data)?;
    let (data, signature) = (&answer.authenticator_data, &answer.signature);
    let read = passkey::asserted(site(&app), challenge, &told, data, signature, key.sign_count);
    let read = read.map_err(|_| refused())?;
    let public_key = passkey::decode(&key.public_key).map_err(|_| refused())?;
    if !app.signatures.es256(&public_key, &read.message, &read.signature).await {
        return Err(refused());
    }
    let mut batch = vec![rows::require(me, challenge)];
    #[cfg(feature = "canary")]
    super::sign_in::unspent(&app, &mut batch);
    batch.push(rows::use_passkey(me.person_id, key.id, read.sign_count, now_ms));
    let what = Some(json::text(&key.name));
    let secret = shown(&app, me, &request_id, ("passkey.show", what), &mut batch);
    commit(&app, batch).await?;
    signed_in(&app, &secret).await
}

body! {
    /// A recovery code.
    pub struct RecoveryCode {
        /// As it was shown; case, spaces and dashes don't matter.
        code: String,
    }
}

/// Shows a recovery code in place of a passkey, once.
#[utoipa::path(post, path = "/v1/session/recovery", tag = "sign-in", request_body = RecoveryCode,
    security(("session" = [])), responses((status = 200, body = SessionView),
    (status = 401, description = "None of the person's, or used"),
    (status = 429, description = "Five were wrong: wait")))]
pub async fn recover(
    State(app): State<App>,
    me: SignedIn,
    RequestId(request_id): RequestId,
    Body(typed): Body<RecoveryCode>,
) -> Result<Response> {
    let me = &*me.0;
    limits::take(&app, &format!("recovery/{}", me.person_id), RECOVERY_TRIES, HOUR_MS).await?;
    let hash = recovery_hash(&app, me.person_id, &typed.code);
    let found = rows::recovery(app.db(), me.person_id, &hash).await?;
    let wrong = || {
        let detail = "this is none of your codes, or it was used";
        Error::denied(StatusCode::UNAUTHORIZED, "recovery-refused", detail)
    };
    found.filter(|code| code.uses == 0).ok_or_else(wrong)?;
    let mut batch = rows::use_recovery(me, &hash, app.now_ms());
    #[cfg(feature = "canary")]
    super::sign_in::unspent(&app, &mut batch);
    let secret = shown(&app, me, &request_id, ("recovery.use", None), &mut batch);
    batch.push(notice(&app, &me.email, "A recovery code was used to sign in to your account.")?);
    match app.db().run(batch).await {
        Ok(_) => signed_in(&app, &secret).await,
        Err(DbError::Constraint(_)) => Err(wrong()),
        Err(error) => Err(error.into()),
    }
}

view! {
    /// New recovery codes, which are shown only here.
    pub struct NewRecoveryCodes {
        recovery_codes: Vec<String>,
    }
}

/// Makes new recovery codes; the old ones end.
#[utoipa::path(post, path = "/v1/recovery-codes", tag = "sign-in", security(("session" = [])),
    responses((status = 201, body = NewRecoveryCodes)))]
pub async fn new_codes(
    State(app): State<App>,
    me: SignedIn,
    RequestId(request_id): RequestId,
) -> Result<(StatusCode, Json<NewRecoveryCodes>)> {
    let (me, now_ms) = (&*me.0, app.now_ms());
    me.stepped_up(now_ms)?;
    let mut batch = Vec::new();
    let codes = recovery_codes(&app, me.person_id, &mut batch);
    batch.extend(rows::note(
        me.person_id,
        app.new_id(),
        "recovery.make",
        &request_id,
        None,
        now_ms,
    ));
    batch.push(notice(&app, &me.email, "New recovery codes were made for your account.")?);
    app.db().run(batch).await?;
    Ok((StatusCode::CREATED, Json(NewRecoveryCodes { recovery_codes: codes })))
}

body! {
    /// Who lost her passkeys and recovery codes.
    pub struct Lost {
        email: String,
    }
}

/// Removes the passkeys and recovery codes of a person who lost them, and ends her sessions: she signs
/// in by mail and begins anew. Make sure first that it is she who asks.
#[utoipa::path(post, path = "/v1/people/reset", tag = "operator", request_body = Lost,
    security(("operator" = [])), responses((status = 204, description = "Removed"),
    (status = 404, description = "Nobody signs in with this address")))]
pub async fn reset(
    State(app): State<App>,
    _: Operator,
    RequestId(request_id): RequestId,
    Body(lost): Body<Lost>,
) -> Result<Response> {
    let email = normal_email(&lost.email);
    let person = rows::person(app.db(), &email).await?.ok_or(Error::NotFound)?;
    let mut batch = rows::reset(person.id, app.new_id(), &request_id, app.now_ms());
    let what = "Your passkeys and recovery codes were removed by the operator: sign in by mail.";
    batch.push(notice(&app, &email, what)?);
    app.db().run(batch).await?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}
