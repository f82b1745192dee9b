//! Asking a shop's Admin API: its token, and one question after the other.
//!
//! Whoever asks holds the store's lease (`jobs/outbox`), or is a person who waits for a check. The
//! bucket of points that a shop grants is minded by what its answers tell; what Shopify surely didn't
//! do is asked again after a pause, what it may have done is [`Trouble::Unknown`] if it changes
//! something: then whoever asked looks first.

use serde_json::Value;

use crate::app::{App, WebAnswer, WebRequest};
use crate::domain::ids::{BrandId, StoreId};
use crate::domain::json::{Raw, json};
use crate::domain::time::Millis;
use crate::partners::shopify::admin::{self, Answer, Budget, Document, Told};
use crate::partners::trouble::Trouble;
use crate::storage::store_access::{self, AccessRow, NewToken, State, Way};
use crate::storage::{DbError, Statement};

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
        let gone = || Trouble::Disconnected("there is no such store any more".to_owned());
        for _ in 0..20 {
            let access = store_access::find(app.db(), brand, store).await?.ok_or_else(gone)?;
            if access.closed_at_ms.is_some() {
                return Err(
                    Trouble::Disconnected("the shop asked to be forgotten".to_owned()).into()
                );
            }
            if let Some(token) = good_token(app, store, &access) {
                return Ok(Self { brand, store, access, token, budget: Budget::default() });
            }
            match renew(app, brand, store, &access).await {
                // Somebody else renews it: what they got is good for us too.
                Ok(false) => app.clock.pause(500).await,
                Ok(true) => {}
                Err(failed) => return Err(failed),
            }
        }
        Err(Trouble::Later(None, "the shop's token is being renewed".to_owned()).into())
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
        let mut last = Trouble::Later(None, "Shopify asks for patience".to_owned());
        for _ in 0..TRIES {
            self.mind_budget(app).await?;
            let told = match self.send(app, &body).await {
                Ok(answer) => Answer::read(&answer, &mut self.budget, app.now_ms()),
                Err(_) => Told::Broken("Shopify gave no answer".to_owned()),
            };
            match told {
                Told::Data(data) => return Ok(data),
                Told::Refused(words) => return Err(Trouble::Refused(words).into()),
                Told::Broken(words) if document.changes => {
                    return Err(Trouble::Unknown(words).into());
                }
                Told::Broken(words) => {
                    last = Trouble::Later(None, words);
                    app.clock.pause(1_000).await;
                }
                Told::Slower(until_ms) => {
                    let until_ms = until_ms.unwrap_or(app.now_ms() + 2_000);
                    last = Trouble::Later(Some(until_ms), last.words().to_owned());
                    pause_until(app, until_ms, last.words()).await?;
                }
                Told::Unauthorized if renewed => {
                    let words = "Shopify doesn't take the app's token";
                    return Err(Trouble::Disconnected(words.to_owned()).into());
                }
                Told::Unauthorized => {
                    renewed = true;
                    self.renew(app).await?;
                }
            }
        }
        Err(last.into())
    }

    /// Waits until the shop grants enough for another question.
    async fn mind_budget(&self, app: &App) -> Result<(), Failed> {
        let now_ms = app.now_ms();
        let wait_ms = self.budget.wait_ms(now_ms);
        if wait_ms > 0 {
            pause_until(app, now_ms + wait_ms, "the shop's limit is reached").await?;
        }
        Ok(())
    }

    async fn send(&self, app: &App, body: &str) -> Result<WebAnswer, String> {
        let path = format!("/admin/api/{}/graphql.json", admin::VERSION);
        let headers = vec![("x-shopify-access-token", self.token.clone())];
        post(app, &self.access.shop_domain, &path, headers, body).await
    }

    /// The token was refused although it should have been good.
    async fn renew(&mut self, app: &App) -> Result<(), Failed> {
        let spent = AccessRow { token_until_ms: Some(0), ..self.access.clone() };
        if !renew(app, self.brand, self.store, &spent).await? {
            app.clock.pause(1_000).await;
        }
        let budget = self.budget;
        *self = Self { budget, ..Box::pin(Self::open(app, self.brand, self.store)).await? };
        Ok(())
    }
}

/// A short pause; what would take longer is for later.
async fn pause_until(app: &App, until_ms: Millis, why: &str) -> Result<(), Failed> {
    let wait_ms = (until_ms - app.now_ms()).max(0);
    if wait_ms > LONGEST_PAUSE_MS {
        return Err(Trouble::Later(Some(until_ms), why.to_owned()).into());
    }
    app.clock.pause(u32::try_from(wait_ms).unwrap_or(0)).await;
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

fn good_token(app: &App, store: StoreId, access: &AccessRow) -> Option<String> {
    let sealed = access.token_sealed.as_deref()?;
    let until_ms = access.token_until_ms.unwrap_or(Millis::MAX);
    if until_ms - RENEW_BEFORE_MS <= app.now_ms() {
        return None;
    }
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
            let give = store_access::claim_renewal(brand, store, revision + 1, 0);
            let mut batch: Vec<Statement> = vec![give];
            if let Trouble::Disconnected(problem) = &trouble {
                batch.push(broken(brand, store, problem, now_ms));
            }
            is_lost(app.db().run(batch).await.map(drop))?;
            Err(trouble.into())
        }
    }
}

/// Keeps in words why a store can't be reached.
#[must_use]
pub fn broken(brand: BrandId, store: StoreId, problem: &str, now_ms: Millis) -> Statement {
    let look = store_access::Look {
        state: State::Broken,
        problem,
        scopes: None,
        currency: None,
        timezone: None,
    };
    store_access::tell(brand, store, &look, now_ms)
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
    let opened = |context: &str, sealed: &str| {
        let secret = ring.open(context, sealed).and_then(|bytes| String::from_utf8(bytes).ok());
        let gone = "what opens the shop is sealed under a key that was retired";
        secret.ok_or_else(|| Trouble::Disconnected(gone.to_owned()))
    };
    let secret = opened(&store.to_string(), &access.secret_sealed)?;
    let id = &access.client_id;
    let body = match way {
        Way::Client => json!({ "client_id": id, "client_secret": secret,
            "grant_type": "client_credentials" }),
        Way::Code => {
            let sealed = access.refresh_sealed.as_deref().unwrap_or_default();
            let refresh = opened(&format!("{store}/refresh"), sealed)?;
            json!({ "client_id": id, "client_secret": secret, "grant_type": "refresh_token",
                "refresh_token": refresh })
        }
        Way::Token => {
            let words = "Shopify doesn't take the token that was pasted";
            return Err(Trouble::Disconnected(words.to_owned()));
        }
    };
    let path = "/admin/oauth/access_token";
    let answer = post(app, &access.shop_domain, path, Vec::new(), &body).await;
    let answer = answer.map_err(|_| Trouble::Later(None, "Shopify gave no answer".to_owned()))?;
    let now_ms = app.now_ms();
    let token = admin::token(&answer, now_ms)?;
    sealed_token(app, store, &token, now_ms)
        .ok_or_else(|| Trouble::Later(None, "a token could not be sealed".to_owned()))
}

/// A token as it is kept.
#[must_use]
pub fn sealed_token(
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
