//! Asking a shop's Admin API: its token, and one question after the other.
//!
//! Whoever asks holds the store's lease (`jobs/outbox`), or is a person who waits for a check. The
//! bucket of points that a shop grants is minded by what its answers tell; what Shopify surely didn't
//! do is asked again after a pause, what it may have done is [`Trouble::Unknown`] if it changes
//! something: then whoever asked looks first.

use serde_json::Value;

use crate::app::{App, WebAnswer, WebRequest};
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, StoreId};
use crate::domain::json::{Raw, json};
use crate::domain::time::Millis;
use crate::partners::shopify::admin::{self, Answer, Budget, Document, Told};
use crate::partners::trouble::Trouble;
use crate::storage::audit::{self, Done};
use crate::storage::store_access::{self, AccessRow, NewToken, State, Way};
use crate::storage::{DbError, Statement};
use crate::web::mail::tell_lost;

/// An answer is at most this large: a page of fifty large orders is well below.
const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// A token is renewed so long before its end.
const RENEW_BEFORE_MS: Millis = 5 * 60_000;
/// Who renews a token has so long; then somebody else tries.
const RENEWAL_MS: Millis = 30_000;
/// A pause is at most this long: for longer ones the task waits, not the worker.
const LONGEST_PAUSE_MS: Millis = 10_000;
/// What surely wasn't done, or only looks, is asked so often.
const TRIES: u32 = 4;
/// Who waits for somebody else's renewal looks so often,
const WAITS: u32 = 24;
/// and so long after each other.
const WAIT_MS: u32 = 500;
/// A token that ends so soon isn't worth using.
const BARELY_MS: Millis = 10_000;
/// A shop that doesn't let us in is looked at again after this, should nothing else ask before.
const LOOK_AGAIN_MS: Millis = 6 * 3_600_000;

const NO_ANSWER: &str = "Shopify gave no answer";
const NOT_TAKEN: &str = "Shopify doesn't take the app's token";
const AUTHORIZE: &str =
    "the shop's authorization is over: connect the shop again (POST /v1/stores/{id}/authorization)";
const PATIENCE: &str = "Shopify asks for patience";
/// What is told of a shop that removed the app.
pub const REMOVED: &str = "the shop removed the app: install it again, or connect the shop anew";

/// A shop that can be asked. It has a token: no `Debug`.
pub struct Admin {
    brand: BrandId,
    store: StoreId,
    /// What is kept of how it is reached, as it was when this was opened.
    pub access: AccessRow,
    token: String,
    budget: Budget,
}

/// Who asks fails by the platform, or by our own database.
#[derive(Debug)]
pub enum Failed {
    /// The platform didn't do it.
    Platform(Trouble),
    /// D1 was away, or somebody else was first.
    Database(DbError),
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Platform(trouble)
    }
}

impl From<DbError> for Failed {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl Admin {
    /// Opens a shop with the token that is kept, or a new one.
    ///
    /// # Errors
    /// [`Failed`]: there is no way in, or not now.
    pub async fn open(app: &App, brand: BrandId, store: StoreId) -> Result<Self, Failed> {
        let access = opened(app, brand, store, &Opening::default()).await?;
        Ok(Self::with(brand, store, access))
    }

    /// Opens a shop for somebody who asks whether it can be opened: also one that removed the app.
    ///
    /// # Errors
    /// [`Failed`]
    pub async fn try_again(app: &App, brand: BrandId, store: StoreId) -> Result<Self, Failed> {
        let opening = Opening { removed_too: true, ..Opening::default() };
        Ok(Self::with(brand, store, opened(app, brand, store, &opening).await?))
    }

    fn with(brand: BrandId, store: StoreId, (access, token): (AccessRow, String)) -> Self {
        Self { brand, store, access, token, budget: Budget::default() }
    }

    /// Asks one question.
    ///
    /// # Errors
    /// [`Failed`]. [`Trouble::Unknown`] only where the document changes something.
    pub async fn ask(
        &mut self,
        app: &App,
        document: Document,
        variables: &str,
    ) -> Result<Value, Failed> {
        let body = json!({ "query": document.text, "variables": Raw(variables) });
        let mut renewed = false;
        // Until when Shopify asked for patience, and how long we wait anyway.
        let (mut told_ms, mut pause_ms, mut why) = (None, 0, PATIENCE.to_owned());
        for tried in 0..TRIES {
            pause_until(app, told_ms.unwrap_or(app.now_ms() + pause_ms), &why).await?;
            let now_ms = app.now_ms();
            pause_until(app, now_ms + self.budget.wait_ms(now_ms), "the shop's limit is reached")
                .await?;
            match self.told(app, &body).await {
                Told::Data(data) => return Ok(data),
                Told::Refused(words) => return Err(Trouble::Refused(words).into()),
                Told::Locked(words) => return Err(Trouble::Disconnected(words).into()),
                Told::Broken(words, _) if document.changes => {
                    return Err(Trouble::Unknown(words).into());
                }
                Told::Broken(words, until_ms) => {
                    (told_ms, pause_ms, why) = (until_ms, 1_000 << tried, words);
                }
                Told::Slower(until_ms) => {
                    // What it costs is known by now, and how fast the bucket fills.
                    let wait_ms = self.budget.wait_ms(app.now_ms()).max(1_000);
                    (told_ms, pause_ms, why) = (until_ms, wait_ms, PATIENCE.to_owned());
                }
                Told::Unauthorized if renewed => {
                    return Err(Trouble::Disconnected(NOT_TAKEN.to_owned()).into());
                }
                Told::Unauthorized => {
                    renewed = true;
                    self.renew(app).await?;
                    (told_ms, pause_ms) = (None, 0);
                }
            }
        }
        Err(Trouble::Later(told_ms, why).into())
    }

    /// What Shopify says to a question.
    async fn told(&mut self, app: &App, body: &str) -> Told {
        let path = format!("/admin/api/{}/graphql.json", admin::VERSION);
        let headers = vec![("x-shopify-access-token", self.token.clone())];
        match post(app, &self.access.shop_domain, &path, headers, body).await {
            Ok(answer) => Answer::read(&answer, &mut self.budget, app.now_ms()),
            Err(why) if why.contains("too large") => {
                Told::broken("Shopify's answer is larger than anybody should send")
            }
            Err(_) => Told::broken(NO_ANSWER),
        }
    }

    /// The token was refused although it should have been good: another one is as good as new.
    async fn renew(&mut self, app: &App) -> Result<(), Failed> {
        let opening = Opening { dead: Some(self.token.clone()), ..Opening::default() };
        let (access, token) = opened(app, self.brand, self.store, &opening).await?;
        self.access = access;
        self.token = token;
        Ok(())
    }
}

/// How a shop is opened.
#[derive(Default)]
struct Opening {
    /// A token that the shop doesn't take.
    dead: Option<String>,
    /// Even if the shop had removed the app.
    removed_too: bool,
}

/// How a shop is reached, and a good token for it, renewed if need be.
async fn opened(
    app: &App,
    brand: BrandId,
    store: StoreId,
    opening: &Opening,
) -> Result<(AccessRow, String), Failed> {
    let closed = |words: &str| Failed::from(Trouble::Disconnected(words.to_owned()));
    let mut renewed = false;
    for _ in 0..WAITS {
        let found = store_access::find(app.db(), brand, store).await?;
        let access = found.ok_or_else(|| closed("there is no such store any more"))?;
        // Whatever is sealed for another platform goes to no shop.
        if access.platform != "shopify" {
            return Err(closed("this store isn't on Shopify"));
        }
        if access.closed_at_ms.is_some() {
            return Err(closed("the shop asked to be forgotten"));
        }
        if access.state == Some(State::Uninstalled) && !opening.removed_too {
            return Err(closed(REMOVED));
        }
        let token =
            kept_token(app, store, &access).filter(|kept| Some(kept) != opening.dead.as_ref());
        let left_ms = access.token_until_ms.unwrap_or(Millis::MAX) - app.now_ms();
        let token = match token {
            Some(token) if left_ms > RENEW_BEFORE_MS => return Ok((access, token)),
            token => token.filter(|_| left_ms > BARELY_MS),
        };
        match (renew(app, brand, store, &access).await, token) {
            (Ok(true), _) if renewed => return Err(closed(NOT_TAKEN)),
            (Ok(true), _) => renewed = true,
            // It is good for a while yet, and somebody sees to the next, or nobody can just now.
            (Ok(false) | Err(Failed::Platform(Trouble::Later(..))), Some(token)) => {
                return Ok((access, token));
            }
            // Somebody else renews it: what they get is good for us too.
            (Ok(false), None) => app.clock.pause(WAIT_MS).await,
            (Err(failed), _) => return Err(failed),
        }
    }
    Err(Trouble::Later(None, "the shop's token is being renewed".to_owned()).into())
}

/// A short pause; what would take longer is for later.
async fn pause_until(app: &App, until_ms: Millis, why: &str) -> Result<(), Failed> {
    let wait_ms = (until_ms - app.now_ms()).max(0);
    if wait_ms > LONGEST_PAUSE_MS {
        return Err(Trouble::Later(Some(until_ms), why.to_owned()).into());
    }
    if wait_ms > 0 {
        app.clock.pause(u32::try_from(wait_ms).unwrap_or(0)).await;
    }
    Ok(())
}

/// Posts JSON to a shop. A local run asks the origin that it was told, and nobody without one.
async fn post(
    app: &App,
    shop: &str,
    path: &str,
    mut headers: Vec<(&'static str, String)>,
    body: &str,
) -> Result<WebAnswer, String> {
    let origin = match &app.config.platforms.shopify {
        Some(origin) => {
            // One double may stand for many shops.
            headers.push(("x-shopify-shop-domain", shop.to_owned()));
            origin.clone()
        }
        None if app.config.local => return Err("this local run reaches no Shopify".to_owned()),
        None => ["https://", shop].concat(),
    };
    headers.push(("content-type", "application/json".to_owned()));
    headers.push(("accept", "application/json".to_owned()));
    let url = [&origin, path].concat();
    app.http
        .send(WebRequest { method: "POST", url, headers, body: Some(body), limit: MAX_ANSWER })
        .await
}

/// What a token is sealed to.
#[must_use]
pub fn token_context(store: StoreId) -> String {
    format!("{store}/token")
}

fn kept_token(app: &App, store: StoreId, access: &AccessRow) -> Option<String> {
    let sealed = access.token_sealed.as_deref()?;
    let token = app.config.data_key.open(&token_context(store), sealed)?;
    String::from_utf8(token).ok()
}

/// Gets a new token, if nobody else does so now; tells whether it is kept.
async fn renew(
    app: &App,
    brand: BrandId,
    store: StoreId,
    access: &AccessRow,
) -> Result<bool, Failed> {
    let now_ms = app.now_ms();
    if access.renewing_until_ms.is_some_and(|until_ms| until_ms > now_ms) {
        return Ok(false);
    }
    let way = access.way.unwrap_or(Way::Client);
    let revision = access.revision.unwrap_or(0);
    let claim = vec![
        store_access::begin(brand, store, way),
        store_access::claim_renewal(brand, store, revision, now_ms + RENEWAL_MS),
    ];
    if is_lost(app.db().run(claim).await.map(drop))? {
        return Ok(false);
    }
    match fetch_token(app, store, access, way).await {
        Ok(new) => {
            let keep = store_access::keep(brand, store, revision + 1, &new);
            Ok(!is_lost(app.db().run(vec![keep]).await.map(drop))?)
        }
        Err(trouble) => {
            // Nobody needs to wait for us any more.
            let mut batch = vec![store_access::claim_renewal(brand, store, revision + 1, 0)];
            match &trouble {
                Trouble::Disconnected(problem) if problem == admin::NOT_INSTALLED => {
                    batch.extend(removed(app, brand, store, revision + 2).await?);
                }
                Trouble::Disconnected(problem) => {
                    batch.push(broken(brand, (store, access.changes), problem, now_ms));
                    batch.extend(tell_lost(app, brand, store, problem, now_ms).await?);
                }
                _ => {}
            }
            is_lost(app.db().run(batch).await.map(drop))?;
            Err(trouble.into())
        }
    }
}

/// Keeps in words why a store can't be reached: what was found after it had been changed so often.
#[must_use]
pub fn broken(brand: BrandId, at: (StoreId, i64), problem: &str, now_ms: Millis) -> Statement {
    store_access::broken(brand, at, problem, now_ms + LOOK_AGAIN_MS, now_ms)
}

/// The shop removed the app: tokens go, with a note, and its owners are told. Aborts if the token changed since
/// `revision`.
///
/// # Errors
/// [`DbError`]
pub async fn removed(
    app: &App,
    brand: BrandId,
    store: StoreId,
    revision: i64,
) -> Result<Vec<Statement>, DbError> {
    let (id, actor, subject) = (app.new_id(), Actor::Job("outbox"), &store.to_string());
    let action = "store.uninstalled";
    let done = Done { id, actor, action, subject, request_id: "", before: None, after: None };
    let now_ms = app.now_ms();
    app.memory.forget_secrets(store);
    let mut batch = vec![
        store_access::removed(brand, store, revision, REMOVED, now_ms),
        audit::note(Some(brand), &done, now_ms),
    ];
    batch.extend(tell_lost(app, brand, store, REMOVED, now_ms).await?);
    Ok(batch)
}

/// Whether somebody else was first.
fn is_lost(done: Result<(), DbError>) -> Result<bool, DbError> {
    match done {
        Ok(()) => Ok(false),
        Err(DbError::Constraint(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// A new token from Shopify, sealed.
async fn fetch_token(
    app: &App,
    store: StoreId,
    access: &AccessRow,
    way: Way,
) -> Result<NewToken, Trouble> {
    let ring = &app.config.data_key;
    let unsealed = |context: &str, sealed: &str| {
        let secret = ring.open(context, sealed).and_then(|bytes| String::from_utf8(bytes).ok());
        let gone = "what opens the shop is sealed under a key that was retired";
        secret.ok_or_else(|| Trouble::Disconnected(gone.to_owned()))
    };
    let secret = unsealed(&store.to_string(), &access.secret_sealed)?;
    let id = &access.client_id;
    let body = match way {
        Way::Client => json!({ "client_id": id, "client_secret": secret,
            "grant_type": "client_credentials" }),
        Way::Code => {
            let over = || Trouble::Disconnected(AUTHORIZE.to_owned());
            let sealed = access.refresh_sealed.as_deref().ok_or_else(over)?;
            if access.refresh_until_ms.is_some_and(|until_ms| until_ms <= app.now_ms()) {
                return Err(over());
            }
            let refresh = unsealed(&format!("{store}/refresh"), sealed)?;
            json!({ "client_id": id, "client_secret": secret, "grant_type": "refresh_token",
                "refresh_token": refresh })
        }
        Way::Token => {
            let words = match access.token_sealed {
                Some(_) => "Shopify doesn't take the token that was pasted",
                None => "the token that was pasted is gone: paste another one",
            };
            return Err(Trouble::Disconnected(words.to_owned()));
        }
    };
    token_for(app, store, &access.shop_domain, &body).await
}

/// Asks the token endpoint of a shop; the token comes sealed.
///
/// # Errors
/// [`Trouble`]: there is none.
pub async fn token_for(
    app: &App,
    store: StoreId,
    shop: &str,
    body: &str,
) -> Result<NewToken, Trouble> {
    let answer = post(app, shop, "/admin/oauth/access_token", Vec::new(), body).await;
    let answer = answer.map_err(|_| Trouble::Later(None, NO_ANSWER.to_owned()))?;
    let now_ms = app.now_ms();
    let token = admin::token(&answer, now_ms)?;
    sealed_token(app, store, &token, now_ms)
        .ok_or_else(|| Trouble::Later(None, "a token could not be sealed".to_owned()))
}

/// A token that somebody has, sealed for the store.
#[must_use]
pub fn sealed_text(app: &App, store: StoreId, token: &str) -> Option<String> {
    app.config.data_key.seal(&token_context(store), token.as_bytes(), app.random())
}

/// A token as it is kept.
fn sealed_token(
    app: &App,
    store: StoreId,
    token: &admin::Token,
    now_ms: Millis,
) -> Option<NewToken> {
    let seal = |context: &str, text: &str| {
        app.config.data_key.seal(context, text.as_bytes(), app.random())
    };
    let until = |seconds: Option<i64>| seconds.map(|s| now_ms + s * 1000);
    let refresh_sealed = match &token.refresh {
        Some(refresh) => Some(seal(&format!("{store}/refresh"), refresh)?),
        None => None,
    };
    Some(NewToken {
        token_sealed: seal(&token_context(store), &token.access)?,
        token_until_ms: until(token.expires_in_s),
        refresh_sealed,
        refresh_until_ms: until(token.refresh_expires_in_s),
        scopes: Some(token.scopes.clone()).filter(|scopes| !scopes.is_empty()),
    })
}
