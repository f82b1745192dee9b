//! GoAffPro: asking its API, and keeping in step with it.
//!
//! A store has five tasks that never end, worked at under its lease one step after the other: new orders,
//! orders that changed, affiliates, visits, the ledger. A step reads one page; the cursor and what the page
//! told are one batch. What was told of orders is then told to ours (`apply`), from rows that wait for it.

mod affiliates;
mod apply;
mod changes;
mod ledger;
mod orders;

use serde_json::Value;

use super::outbox::{Step, Work, put};
use super::shopify::{Failed, token_context};
use crate::app::{App, WebAnswer, WebRequest};
use crate::domain::ids::{BrandId, QuarantineId, StoreId};
use crate::domain::merkle::hex;
use crate::domain::money::Currency;
use crate::domain::task::Kind;
use crate::domain::time::{DAY_MS, Millis};
use crate::partners::goaffpro::{self as api, ORIGIN, TOKEN_HEADER, as_texts};
use crate::partners::trouble::{Trouble, retry_at_ms};
use crate::storage::goaffpro::{self as rows, Settings};
use crate::storage::rows::parse;
use crate::storage::store_access::{self, AccessRow, Look, State};
use crate::storage::{Statement, quarantine};

pub use affiliates::{create, given_up};

/// An answer is at most this large: a page of 250 orders is well below.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// What is told of orders reaches back so far.
const REACH_MS: Millis = 90 * DAY_MS;
/// A store that isn't reached is tried by one task only; the others look again so much later.
const LOCKED_OUT_MS: Millis = 3_600_000;
/// So many unusable rows of a page are shown; the rest is like them.
const MOST_SHOWN: usize = 20;

/// The tasks of a store.
pub const SUBJECTS: [&str; 5] = ["orders", "changes", "affiliates", "visits", "ledger"];

/// Begins what never ends, for the batch of a successful connection.
pub fn begin(app: &App, brand: BrandId, store: StoreId) -> Vec<Statement> {
    SUBJECTS
        .iter()
        .map(|subject| put(app, brand, store, (Kind::GoaffproSync, subject), "{}"))
        .collect()
}

/// A store's API. It has a token: no `Debug`.
pub struct Api {
    token: String,
    /// How it is reached.
    pub access: AccessRow,
}

impl Api {
    /// Opens a store with the token that is kept.
    ///
    /// # Errors
    /// [`Failed`]: there is no way in.
    pub async fn open(app: &App, brand: BrandId, store: StoreId) -> Result<Self, Failed> {
        let none = |words: &str| Failed::from(Trouble::Disconnected(words.to_owned()));
        let access = store_access::find(app.db(), brand, store).await?;
        let access = access.ok_or_else(|| none("there is no such store any more"))?;
        // Whatever is sealed for another platform stays away from GoAffPro.
        if access.platform != "goaffpro" {
            return Err(none("this store isn't on GoAffPro"));
        }
        let sealed =
            access.token_sealed.as_deref().ok_or_else(|| none("there is no access token"))?;
        let token = app.config.data_key.open(&token_context(store), sealed);
        let token = token.and_then(|token| String::from_utf8(token).ok());
        let token =
            token.ok_or_else(|| none("the access token is sealed under a key that was retired"))?;
        Ok(Self { token, access })
    }

    /// Looks at something.
    ///
    /// # Errors
    /// [`Trouble`], never [`Trouble::Unknown`].
    pub async fn get(&self, app: &App, path: &str) -> Result<Value, Trouble> {
        match self.ask(app, "GET", path, None).await {
            // Looking changes nothing.
            Err(Trouble::Unknown(words)) => Err(Trouble::Later(None, words)),
            other => other,
        }
    }

    /// Changes something.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn post(&self, app: &App, path: &str, body: &str) -> Result<Value, Trouble> {
        self.ask(app, "POST", path, Some(body)).await
    }

    async fn ask(
        &self,
        app: &App,
        method: &'static str,
        path: &str,
        body: Option<&str>,
    ) -> Result<Value, Trouble> {
        let origin = match &app.config.platforms.goaffpro {
            Some(origin) => origin.as_str(),
            None if app.config.local => {
                let words = "this local run reaches no GoAffPro";
                return Err(Trouble::Later(None, words.to_owned()));
            }
            None => ORIGIN,
        };
        let url = [origin, path].concat();
        let mut headers =
            vec![(TOKEN_HEADER, self.token.clone()), ("accept", "application/json".into())];
        if body.is_some() {
            headers.push(("content-type", "application/json".into()));
        }
        let request = WebRequest { method, url, headers, body, limit: MAX_ANSWER };
        match app.http.send(request).await {
            Ok(answer) => told(&answer, app.now_ms()),
            Err(why) if why.contains("too large") => {
                Err(Trouble::Unknown("GoAffPro answered more than is read".to_owned()))
            }
            Err(_) => Err(Trouble::Unknown("GoAffPro gave no whole answer".to_owned())),
        }
    }
}

/// What an answer means.
fn told(answer: &WebAnswer, now_ms: Millis) -> Result<Value, Trouble> {
    let status = answer.status;
    let words = match status {
        200..=299 => match parse(&as_texts(&answer.body)) {
            Ok(value) => return Ok(value),
            Err(_) => "GoAffPro answered something that is no JSON".to_owned(),
        },
        // The token goes nowhere else.
        300..=399 => "GoAffPro's answer leads elsewhere, where nobody follows".to_owned(),
        401 | 403 => {
            let words =
                "GoAffPro doesn't take the access token: make a new one there and set it here";
            return Err(Trouble::Disconnected(words.to_owned()));
        }
        429 => {
            let until_ms = retry_at_ms(&answer.retry_after, now_ms);
            return Err(Trouble::Later(until_ms, "GoAffPro asks for patience".to_owned()));
        }
        400..=499 if status != 408 => {
            return Err(Trouble::Refused(format!("GoAffPro refuses what it is asked ({status})")));
        }
        _ => format!("GoAffPro is out of order ({status})"),
    };
    Err(Trouble::Unknown(words))
}

/// A store that is worked at, opened.
struct Sync<'a> {
    app: &'a App,
    brand: BrandId,
    store: StoreId,
    api: Api,
    settings: Settings,
    currency: Currency,
}

impl Sync<'_> {
    /// Looks at something that is a list. What GoAffPro refuses is asked again later: nothing here is asked
    /// wrongly.
    async fn list(&self, path: &str, name: &str) -> Result<Vec<Value>, Failed> {
        let page = match self.api.get(self.app, path).await {
            Err(Trouble::Refused(words)) => return Err(Trouble::Later(None, words).into()),
            other => other?,
        };
        let list = api::rows(&page, name).map_err(|words| Trouble::Later(None, words))?;
        Ok(list.to_vec())
    }

    /// Shows the brand rows that can't be used, each once however often it is told.
    fn set_aside(&self, unusable: &[(String, api::Unusable)]) -> Vec<Statement> {
        let shown = unusable.iter().take(MOST_SHOWN);
        shown
            .map(|(row, why)| {
                let id: QuarantineId = self.app.new_id();
                let hash = hex(&<sha2::Sha256 as sha2::Digest>::digest(row.as_bytes()));
                let reason = why.to_string();
                let (store, body) = (self.store, None);
                let new = quarantine::NewQuarantined {
                    id,
                    store,
                    reason: &reason,
                    body_hash: &hash,
                    body,
                };
                quarantine::insert(self.brand, &new, self.app.now_ms())
            })
            .collect()
    }
}

/// One step of a task that never ends.
///
/// # Errors
/// [`Failed`].
pub async fn step(work: &mut Work<'_>, subject: &str, payload: &str) -> Result<Step, Failed> {
    let (app, brand, store) = (work.app, work.brand, work.store);
    let api = Api::open(app, brand, store).await?;
    if api.access.closed_at_ms.is_some() {
        return Ok(Step::Done(Vec::new()));
    }
    let on = |after_ms| Step::On {
        payload: payload.to_owned(),
        due_at_ms: app.now_ms() + after_ms,
        statements: Vec::new(),
    };
    if api.access.state == Some(State::Broken) && subject != "orders" {
        return Ok(on(LOCKED_OUT_MS));
    }
    let Some(settings) = rows::settings(app.db(), brand, store).await? else {
        return Ok(Step::Done(Vec::new()));
    };
    let currency = api.access.currency.as_deref().and_then(|code| code.parse().ok());
    let Some(currency) = currency else { return Ok(on(LOCKED_OUT_MS)) };
    let sync = Sync { app, brand, store, api, settings, currency };
    let payload: Value = payload.parse().unwrap_or_default();
    match subject {
        "orders" => orders::step(&sync, &payload).await,
        "changes" => changes::step(&sync, &payload).await,
        "affiliates" => affiliates::step(&sync, &payload).await,
        "visits" => ledger::visits(&sync, &payload).await,
        "ledger" => ledger::step(&sync).await,
        _ => Ok(Step::Done(Vec::new())),
    }
}

/// What a connection test came to.
pub struct Checked {
    /// What GoAffPro told.
    pub config: api::Config,
    /// The batch that keeps it and begins what never ends.
    pub statements: Vec<Statement>,
}

/// Tests a store's connection: the token, and the currency without which no amount means anything.
///
/// # Errors
/// [`Failed`], in the brand's words.
pub async fn check(app: &App, brand: BrandId, store: StoreId) -> Result<Checked, Failed> {
    let api = Api::open(app, brand, store).await?;
    let told = api.get(app, api::CONFIG).await?;
    let config = api::config(&told).map_err(|words| Trouble::Later(None, words))?;
    let Some(currency) = config.currency else {
        let words = "GoAffPro tells no currency: set the store's default currency there";
        return Err(Trouble::Disconnected(words.to_owned()).into());
    };
    let known = api.access.currency.as_deref().filter(|_| api.access.connected_at_ms.is_some());
    if known.is_some_and(|known| known != currency.code()) {
        let words =
            "GoAffPro's currency changed: amounts of two currencies can't be told apart there";
        return Err(Trouble::Disconnected(words.to_owned()).into());
    }
    let look = Look {
        state: State::Connected,
        problem: "",
        scopes: None,
        currency: Some(currency.code()),
        timezone: None,
        webhooks: None,
        look_at_ms: None,
        changes: api.access.changes,
    };
    let mut statements = vec![store_access::tell(brand, store, &look, app.now_ms())];
    statements.extend(config.website.as_deref().map(|host| rows::set_website(brand, store, host)));
    statements.extend(begin(app, brand, store));
    Ok(Checked { config, statements })
}

/// That a store is reached again, where it wasn't.
fn reached(sync: &Sync<'_>) -> Option<Statement> {
    let look = Look {
        state: State::Connected,
        problem: "",
        scopes: None,
        currency: None,
        timezone: None,
        webhooks: None,
        look_at_ms: None,
        changes: sync.api.access.changes,
    };
    let known = sync.api.access.state == Some(State::Connected);
    (!known).then(|| store_access::tell(sync.brand, sync.store, &look, sync.app.now_ms()))
}
