//! New orders, by their ids, and telling them to ours.

use serde_json::Value;

use super::{REACH_MS, Sync, apply, reached};
use crate::domain::creator::normal_email;
use crate::domain::json::{Fields, ToJson, json, text};
use crate::domain::task::Kind;
use crate::domain::time::Millis;
use crate::jobs::outbox::{Step, put};
use crate::jobs::shopify::Failed;
use crate::partners::goaffpro::{self as api, PAGE, ToldOrder, Unusable};
use crate::partners::trouble::Trouble;
use crate::storage::goaffpro::{self as rows, Progress};

/// New orders are looked for so often.
const EVERY_MS: Millis = 5 * 60_000;
/// A run reads so many pages, then what they told has its turn.
const MOST_PAGES: u64 = 12;
/// A run tells so many orders to ours: each takes some statements, of which a run has a thousand.
const MOST_APPLIED: u64 = 150;

/// One page, or one part of what waits to be told.
pub(super) async fn step(sync: &Sync<'_>, payload: &Value) -> Result<Step, Failed> {
    let count = |name: &str| payload.get(name).and_then(Value::as_u64);
    let now_ms = sync.app.now_ms();
    if let Some(applied) = count("applied") {
        let (handled, statements) = apply::due(sync).await?;
        if handled == 0 {
            let due_at_ms = now_ms + EVERY_MS;
            return Ok(Step::On { payload: "{}".into(), due_at_ms, statements });
        }
        let applied = applied + handled;
        let (applied, due_at_ms) =
            if applied >= MOST_APPLIED { (0, now_ms + 1_000) } else { (applied, now_ms) };
        return Ok(Step::On { payload: json!({ "applied": applied }), due_at_ms, statements });
    }
    let page = Page::read(sync, sync.settings.orders_since.parse().unwrap_or(0)).await?;
    let (since, note) = page.cursor();
    let pages = count("pages").unwrap_or(0) + 1;
    let mut statements = page.statements(sync, now_ms);
    let progress = Progress::Orders(&since.to_string(), note);
    statements.push(rows::progress(sync.brand, sync.store, progress, now_ms));
    statements.extend(reached(sync));
    if !note.is_empty() {
        // By date nothing is missed.
        let by_date = (Kind::GoaffproSync, "changes");
        statements.push(put(sync.app, sync.brand, sync.store, by_date, "{}"));
    }
    let more = page.full && since > page.since && pages < MOST_PAGES;
    let payload = if more { json!({ "pages": pages }) } else { json!({ "applied": 0_u64 }) };
    Ok(Step::On { payload, due_at_ms: now_ms, statements })
}

/// A page of orders as it was told.
pub(super) struct Page {
    since: u64,
    /// The ids in it, also of rows that can't be used, in their order.
    pub(super) ids: Vec<u64>,
    told: Vec<ToldOrder>,
    unusable: Vec<(String, Unusable)>,
    /// There may be more after it.
    pub(super) full: bool,
    /// It has rows that can't be told from others.
    pub(super) nameless: bool,
}

impl Page {
    /// The page after an id.
    async fn read(sync: &Sync<'_>, since: u64) -> Result<Self, Failed> {
        let now_ms = sync.app.now_ms();
        let from_ms = sync.api.access.connected_at_ms.unwrap_or(now_ms) - REACH_MS;
        let path = api::orders_path(since, Some(from_ms), None);
        Self::of(sync, since, &sync.list(&path, "orders").await?)
    }

    /// What rows tell; refused as a whole if nothing in them has an id.
    pub(super) fn of(sync: &Sync<'_>, since: u64, list: &[Value]) -> Result<Self, Failed> {
        let now_ms = sync.app.now_ms();
        let mut page = Self {
            since,
            ids: Vec::new(),
            told: Vec::new(),
            unusable: Vec::new(),
            full: list.len() >= PAGE,
            nameless: false,
        };
        for row in list {
            match api::id(row, "id") {
                Some(id) => page.ids.push(id),
                None => page.nameless = true,
            }
            match api::order(row, sync.currency, now_ms) {
                Ok(told) => page.told.push(told),
                Err(why) => page.unusable.push((row.to_string(), why)),
            }
        }
        if page.ids.is_empty() && page.nameless {
            let words = "GoAffPro told orders without ids";
            return Err(Trouble::Later(None, words.to_owned()).into());
        }
        Ok(page)
    }

    /// Whether its ids go up, each above the last, from the one it was asked after.
    pub(super) fn goes_up(&self) -> bool {
        let mut last = self.since;
        self.ids.iter().all(|id| std::mem::replace(&mut last, *id) < *id)
    }

    /// Where to read on, and what is odd about the page. That ids go up is nowhere promised: where they
    /// don't, nothing may be passed over that a full page left out.
    fn cursor(&self) -> (u64, &'static str) {
        let last = self.ids.iter().copied().max().unwrap_or(0).max(self.since);
        if self.full && !self.goes_up() {
            let words =
                "GoAffPro doesn't list orders by their ids: new ones are read by their dates";
            return (self.since, words);
        }
        (last, "")
    }

    /// What keeps it.
    pub(super) fn statements(
        &self,
        sync: &Sync<'_>,
        now_ms: Millis,
    ) -> Vec<crate::storage::Statement> {
        let mut statements = sync.set_aside(&self.unusable);
        if !self.told.is_empty() {
            let all: Vec<String> = self.told.iter().map(|order| kept(sync, order)).collect();
            let all = crate::domain::json::list_of(&all);
            statements.push(rows::tell(sync.brand, sync.store, &all, now_ms));
        }
        statements
    }
}

/// An order as `storage/goaffpro` takes it.
fn kept(sync: &Sync<'_>, order: &ToldOrder) -> String {
    let ring = &sync.app.config.data_key;
    let hash = |email: &String| ring.email_hash(sync.brand, &normal_email(email));
    let id = order.id.to_string();
    let (affiliate, status) = (order.affiliate.map(|id| id.to_string()), order.status.as_str());
    let subtotal = order.subtotal.to_string();
    let commission = order.commission.map(|amount| amount.to_string());
    let email = order.email.as_ref().map(hash);
    let fields: &[(&str, &dyn ToJson)] = &[
        ("id", &id),
        ("number", &order.number),
        ("affiliate", &affiliate),
        ("subtotal", &subtotal),
        ("commission", &commission),
        ("status", &status),
        ("paid", &i64::from(order.paid)),
        ("coupons", &order.coupons),
        ("email", &email),
        ("placed", &order.placed_at_ms),
    ];
    text(&Fields(fields))
}
