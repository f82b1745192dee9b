//! Connecting a shop: whether it lets us in, what it grants, and its webhooks.
//!
//! One look does all of it, and may be done at any time: for a person who asks, when the shop told
//! something, and by itself every day, or every hour while something is missing. (Shopify drops a
//! subscription of which eight deliveries failed.)

use serde_json::Value;

use super::outbox::{self, Step, Work};
use super::shopify::{self, Failed};
use super::sync;
use crate::app::App;
use crate::domain::ids::{BrandId, StoreId};
use crate::domain::json::{self, ToJson, json};
use crate::domain::store::grants;
use crate::domain::task::{Kind, next_try_ms};
use crate::domain::time::{DAY_MS, Millis};
use crate::error::Result;
use crate::partners::at;
use crate::partners::shopify::admin::{self, Change, Subscription, Topic, user_errors};
use crate::partners::trouble::Trouble;
use crate::storage::store_access::{self, AccessRow, Look, State, tell};
use crate::storage::{DbError, Statement, collections, outbox as tasks};
use crate::web::mail::tell_lost;

/// The subject of a look that follows a shop's word that it removed the app.
const TOLD_REMOVED: &str = "removed";
/// A shop has a hundred subscriptions of an app at most, or so; more than this isn't believed.
const MOST_PAGES: u32 = 10;
/// What is said where terms name collections that can't be looked at.
const NO_COLLECTIONS: &str = "terms name collections of this shop, whose products can't be kept in step: the app lacks the scope read_products";
/// While something is missing it is looked at again after this.
const SOON_MS: Millis = 3_600_000;
/// So many stores are put to be looked at in one run.
const MOST_LOOKS: u32 = 100;

/// A webhook of a shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// `ORDERS_CREATE`
    pub topic: &'static str,
    /// `registered`, `missing` (it will be tried again) or `refused`.
    pub state: &'static str,
    /// Why it isn't registered.
    pub reason: Option<String>,
}

impl ToJson for Hook {
    fn write(&self, out: &mut Vec<u8>) {
        let Self { topic, state, reason } = self;
        json::Fields(&[("topic", topic), ("state", state), ("reason", reason)]).write(out);
    }
}

/// What a look found.
pub struct Found {
    /// How the store is reached.
    pub state: State,
    /// What is in the way, in words; '' if nothing is.
    pub problem: String,
    /// Scopes that the shop granted, between spaces.
    pub scopes: String,
    /// Its webhooks.
    pub hooks: Vec<Hook>,
    /// What may be meant otherwise, in words.
    pub hints: Vec<String>,
    /// What belongs into the batch of the look.
    pub statements: Vec<Statement>,
    /// What kept webhooks from being registered, if they are to be tried again soon.
    pub hindered: Option<Trouble>,
}

/// The scopes without which a shop can't be worked with and that aren't among these.
#[must_use]
pub fn missing(scopes: &str) -> Vec<&'static str> {
    admin::NEEDED_SCOPES.iter().copied().filter(|scope| !grants(scopes, scope)).collect()
}

/// Where a store's webhooks are delivered to on any origin, and on ours.
#[must_use]
pub fn webhook_url(app: &App, store: StoreId) -> (String, String) {
    let path = format!("/webhooks/shopify/{store}");
    let url = [&app.config.public_origin, path.as_str()].concat();
    (path, url)
}

/// The task: looks at the shop, and has it deliver its webhooks here.
///
/// # Errors
/// [`Failed`].
pub async fn register(work: &mut Work<'_>, task: &tasks::TaskRow) -> Result<Step, Failed> {
    let before = store_access::find(work.app.db(), work.brand, work.store).await?;
    let now_ms = work.app.now_ms();
    let found = match work.admin().await {
        Ok(_) => look(work).await,
        Err(failed) => Err(failed),
    };
    match found {
        Ok(found) if found.hindered.is_some() => {
            let payload: Value = serde_json::from_str(&task.payload).unwrap_or_default();
            let tries = at(&payload, "/tries").as_u64().unwrap_or(0);
            let tries = u32::try_from(tries).unwrap_or(0).saturating_add(1);
            let due_at_ms = next_try_ms(tries, None, 0, now_ms);
            let payload = json!({ "tries": tries });
            Ok(Step::On { payload, due_at_ms, statements: found.statements })
        }
        Ok(found) => Ok(Step::Done(found.statements)),
        // It said so, and nothing opens it any more: so it is.
        Err(Failed::Platform(Trouble::Disconnected(_))) if task.subject == TOLD_REMOVED => {
            Ok(Step::Done(gone(work, before.as_ref()).await?))
        }
        Err(failed) => Err(failed),
    }
}

/// What it takes to drop what opened a shop that removed the app; nothing if somebody connected it
/// anew while it was asked.
async fn gone(work: &Work<'_>, before: Option<&AccessRow>) -> Result<Vec<Statement>, DbError> {
    let (app, brand, store) = (work.app, work.brand, work.store);
    let now = store_access::find(app.db(), brand, store).await?;
    let anew = |now: &AccessRow| {
        now.state == Some(State::Created) && before.is_some_and(|b| b.state != now.state)
    };
    let now = now.filter(|now| now.state != Some(State::Uninstalled) && !anew(now));
    let Some(revision) = now.and_then(|now| now.revision) else { return Ok(Vec::new()) };
    shopify::removed(app, brand, store, revision).await
}

/// Looks at a shop whose Admin API is open, and has it deliver its webhooks here.
async fn look(work: &mut Work<'_>) -> Result<Found, Failed> {
    let (app, brand, store) = (work.app, work.brand, work.store);
    let data = work.admin().await?.ask(app, admin::SHOP, "{}").await?;
    let granted = at(&data, "/currentAppInstallation/accessScopes").as_array();
    let granted: Vec<&str> =
        granted.into_iter().flatten().filter_map(|s| at(s, "/handle").as_str()).take(200).collect();
    let scopes = granted.join(" ");
    let access = work.admin().await?.access.clone();
    let named = at(&data, "/shop/myshopifyDomain").as_str().unwrap_or_default();
    if !named.is_empty() && !named.eq_ignore_ascii_case(&access.shop_domain) {
        let words = "what was entered opens another shop than this one";
        return Err(Trouble::Disconnected(words.to_owned()).into());
    }
    let (hooks, hindered) = ensure(work, &scopes).await?;
    let missing = missing(&scopes);
    let mut problem = match missing.as_slice() {
        [] => String::new(),
        some => format!("the app lacks scopes: {}", some.join(", ")),
    };
    let named = collections::of_store(app.db(), brand, store, "", 1).await?;
    let blind = !named.is_empty() && !grants(&scopes, collections::SCOPE);
    if blind {
        let gap = if problem.is_empty() { "" } else { "; " };
        problem.extend([gap, NO_COLLECTIONS]);
    }
    let whole = missing.is_empty() && !blind && hooks.iter().all(|hook| hook.state == "registered");
    let now_ms = app.now_ms();
    let [early] = app.random();
    // Not all at once: a day, less up to three hours.
    let next_ms = if whole { DAY_MS - Millis::from(early) * 42_000 } else { SOON_MS };
    let listed = json!(hooks);
    let look = Look {
        state: State::Connected,
        problem: &problem,
        scopes: Some(&scopes),
        currency: at(&data, "/shop/currencyCode").as_str(),
        timezone: at(&data, "/shop/ianaTimezone").as_str(),
        webhooks: Some(&listed),
        look_at_ms: Some(now_ms + next_ms),
        changes: access.changes,
    };
    let mut statements = vec![tell(brand, store, &look, now_ms)];
    if access.state != Some(State::Connected) {
        statements.push(tasks::wake(brand, store, now_ms));
    }
    if access.connected_at_ms.is_none() && grants(&scopes, "read_orders") {
        statements.extend(sync::first_backfill(app, brand, store));
    }
    let hints = hints(app, &access, &data);
    let state = State::Connected;
    Ok(Found { state, problem, scopes, hooks, hints, statements, hindered })
}

/// What may be meant otherwise than it stands there.
fn hints(app: &App, access: &AccessRow, data: &Value) -> Vec<String> {
    let mut hints = Vec::new();
    let host = at(data, "/shop/primaryDomain/host").as_str().unwrap_or_default();
    let ours = access.storefront_url.split("://").nth(1).unwrap_or_default();
    if !host.is_empty() && !host.eq_ignore_ascii_case(ours) {
        hints.push(format!("the shop's own domain is {}, links lead to {ours}", plain(host)));
    }
    let currency = at(data, "/shop/currencyCode").as_str().unwrap_or_default();
    if !currency.is_empty() && currency != access.brand_currency {
        let (currency, brand) = (plain(currency), &access.brand_currency);
        hints.push(format!(
            "the shop sells in {currency}, the brand reckons in {brand}: commission is in {currency}"
        ));
    }
    if access.way == Some(store_access::Way::Token) && access.webhook_seen_at_ms.is_none() {
        hints.push(
            "whether the API secret key is right shows with the first delivery: see webhook_seen_at"
                .to_owned(),
        );
    }
    if !app.config.public_origin.starts_with("https://") {
        hints.push("Shopify delivers to https only, so that nothing arrives here".to_owned());
    }
    hints
}

/// Short and in one line: it is another's word.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// Has the shop deliver what it should; tells how each topic stands, and what kept the rest from
/// being registered.
async fn ensure(work: &mut Work<'_>, scopes: &str) -> Result<(Vec<Hook>, Option<Trouble>), Failed> {
    let (path, url) = webhook_url(work.app, work.store);
    let found = subscriptions(work).await?;
    let mut hindered: Option<Trouble> = None;
    let mut hooks = Vec::new();
    for topic in admin::topics(scopes) {
        let (state, reason) = match (&hindered, topic.lacks) {
            (_, Some(scope)) => ("missing", Some(format!("it needs the scope {scope}"))),
            (Some(trouble), None) => ("missing", Some(trouble.words().to_owned())),
            (None, None) => match ensure_one(work, topic, &found, (&url, &path)).await {
                Ok(()) => ("registered", None),
                Err(Failed::Platform(Trouble::Refused(words))) => ("refused", Some(words)),
                Err(Failed::Platform(Trouble::Disconnected(words))) => {
                    return Err(Trouble::Disconnected(words).into());
                }
                Err(Failed::Platform(trouble)) => {
                    let words = trouble.words().to_owned();
                    hindered = Some(trouble);
                    ("missing", Some(words))
                }
                Err(failed) => return Err(failed),
            },
        };
        hooks.push(Hook { topic: topic.name, state, reason });
    }
    Ok((hooks, hindered))
}

async fn subscriptions(work: &mut Work<'_>) -> Result<Vec<Subscription>, Failed> {
    let app = work.app;
    let (mut all, mut after) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let variables = json!({ "after": after });
        let data = work.admin().await?.ask(app, admin::WEBHOOKS, &variables).await?;
        let (page, more) = admin::subscriptions(&data);
        all.extend(page);
        match more {
            Some(cursor) => after = Some(cursor),
            None => break,
        }
    }
    Ok(all)
}

/// Makes sure of one topic. Registering the same twice is refused by Shopify, so that nothing has to
/// be looked up first.
async fn ensure_one(
    work: &mut Work<'_>,
    topic: Topic,
    found: &[Subscription],
    (url, path): (&str, &str),
) -> Result<(), Failed> {
    let app = work.app;
    let (change, spare) = admin::change(topic.name, found, url, path);
    match change {
        Change::Keep => {}
        Change::Create => {
            let variables = json!({ "topic": topic.name, "uri": url });
            let data = work.admin().await?.ask(app, admin::WEBHOOK_CREATE, &variables).await?;
            complaint(&data, "webhookSubscriptionCreate")?;
        }
        Change::Move(id) => {
            let variables = json!({ "id": id, "uri": url });
            let data = work.admin().await?.ask(app, admin::WEBHOOK_MOVE, &variables).await?;
            complaint(&data, "webhookSubscriptionUpdate")?;
        }
    }
    for id in spare {
        // One that is gone already is as good.
        let variables = json!({ "id": id });
        work.admin().await?.ask(app, admin::WEBHOOK_DELETE, &variables).await?;
    }
    Ok(())
}

/// What Shopify says against a registration, but that it is there.
fn complaint(data: &Value, field: &str) -> Result<(), Trouble> {
    match user_errors(data, field).into_iter().find(|error| !admin::is_taken(&error.message)) {
        Some(error) => Err(Trouble::Refused(format!("Shopify refused it: {}", error.message))),
        None => Ok(()),
    }
}

/// What a person who asks is told.
pub enum Checked<'a> {
    /// The shop was looked at. The batch of what was found holds the lease.
    Looked(Box<(Found, Work<'a>)>),
    /// It couldn't be: why, and what belongs into the batch.
    Hindered(Trouble, Vec<Statement>),
    /// Somebody else works there: it will be.
    Busy,
}

/// Looks at a shop for a person who waits for it.
///
/// # Errors
/// [`DbError`]
pub async fn check(app: &App, brand: BrandId, store: StoreId) -> Result<Checked<'_>, DbError> {
    let Some(mut work) = Work::take(app, brand, store).await? else { return Ok(Checked::Busy) };
    let before = match store_access::find(app.db(), brand, store).await {
        Ok(before) => before.map_or(0, |access| access.changes),
        Err(error) => {
            work.give().await;
            return Err(error);
        }
    };
    let found = match work.try_again().await {
        Ok(_) => look(&mut work).await,
        Err(failed) => Err(failed),
    };
    let trouble = match found {
        Ok(found) => return Ok(Checked::Looked(Box::new((found, work)))),
        Err(Failed::Platform(trouble)) => trouble,
        Err(Failed::Database(error)) => {
            work.give().await;
            return Err(error);
        }
    };
    work.give().await;
    let statements = match &trouble {
        Trouble::Disconnected(problem) => {
            let now_ms = app.now_ms();
            let mut all = vec![shopify::broken(brand, (store, before), problem, now_ms)];
            all.extend(tell_lost(app, brand, store, problem, now_ms).await?);
            all
        }
        _ => vec![again(app, brand, store)],
    };
    Ok(Checked::Hindered(trouble, statements))
}

/// Looks at a shop again soon, for the batch of what causes it.
#[must_use]
pub fn again(app: &App, brand: BrandId, store: StoreId) -> Statement {
    outbox::put(app, brand, store, (Kind::RegisterWebhooks, ""), "{}")
}

/// The same after the shop told that it removed the app.
#[must_use]
pub fn told_removed(app: &App, brand: BrandId, store: StoreId) -> Statement {
    outbox::put(app, brand, store, (Kind::RegisterWebhooks, TOLD_REMOVED), "{}")
}

/// Puts stores to be looked at whose time has come; tells how many.
///
/// # Errors
/// [`crate::error::Error`] if D1 was away: the next run goes on.
pub async fn look_at_due(app: &App) -> Result<i64> {
    let now_ms = app.now_ms();
    let due = store_access::to_look(app.db(), now_ms, MOST_LOOKS).await?;
    let mut batch = Vec::new();
    for store in &due {
        let (brand, store) = (store.brand_id, store.store_id);
        let (kind, subject, payload) = (Kind::RegisterWebhooks, "", "{}");
        let id = app.new_id();
        let task = tasks::NewTask { id, store, kind, subject, payload, due_at_ms: now_ms };
        batch.push(tasks::put(brand, &task, now_ms));
        // The look itself says when the next is; should it never come to that, tomorrow.
        batch.push(store_access::look_later(brand, store, now_ms + DAY_MS));
    }
    if !batch.is_empty() {
        app.db().run(batch).await?;
    }
    Ok(i64::try_from(due.len()).unwrap_or(0))
}
