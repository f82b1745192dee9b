//! Orders that changed or vanished: GoAffPro tells no time of change, so that what was placed lately is
//! read again, window by window.

use std::collections::HashSet;

use serde_json::Value;

use super::orders::Page;
use super::{REACH_MS, Sync};
use crate::domain::json::json;
use crate::domain::time::{DAY_MS, Millis};
use crate::jobs::outbox::Step;
use crate::jobs::shopify::Failed;
use crate::partners::goaffpro as api;
use crate::storage::Statement;
use crate::storage::goaffpro::{self as rows, Progress};

/// What was placed lately is read again so often,
const EVERY_MS: Millis = 3_600_000;
/// and everything within reach so often.
const ALL_EVERY_MS: Millis = 20 * 3_600_000;
/// Lately.
const LATELY_MS: Millis = 3 * DAY_MS;
/// Windows are between so long and so long: one that can't be read whole is halved.
const SHORTEST_MS: Millis = 15 * 60_000;
const LONGEST_MS: Millis = 30 * DAY_MS;
/// Windows overlap by so much: whose clock cuts them isn't told.
const OVERLAP_MS: Millis = 3_600_000;
/// A window has at most so many pages.
const MOST_PAGES: usize = 12;
/// More than so many that are missing at once look like a fault rather than like deletions.
const MOST_GONE: usize = 20;

/// One window.
pub(super) async fn step(sync: &Sync<'_>, payload: &Value) -> Result<Step, Failed> {
    let now_ms = sync.app.now_ms();
    let told = |name: &str| payload.get(name).and_then(Value::as_i64);
    let sweeps = sync.settings.swept_at_ms.is_none_or(|at_ms| now_ms - at_ms >= ALL_EVERY_MS);
    let reach_ms = if sweeps { REACH_MS } else { LATELY_MS };
    let from_ms = told("from").unwrap_or(now_ms - reach_ms);
    let until_ms = told("until").unwrap_or(now_ms);
    let all = told("all").map_or(sweeps, |all| all == 1);
    let length_ms = told("length").unwrap_or(LONGEST_MS).clamp(SHORTEST_MS, LONGEST_MS);
    let window = (from_ms, (from_ms + length_ms).min(until_ms));
    let read = Window::read(sync, window).await?;
    let mut statements = read.statements;
    let mut note = payload.get("note").and_then(Value::as_str).unwrap_or_default().to_owned();
    let on = |from_ms: Millis, length_ms: Millis, note: &str| json!({ "from": from_ms, "until": until_ms, "length": length_ms, "all": i64::from(all), "note": note });
    if !read.whole && length_ms > SHORTEST_MS {
        let payload = on(from_ms, length_ms / 2, &note);
        return Ok(Step::On { payload, due_at_ms: now_ms, statements });
    }
    if read.whole {
        let (gone, odd) = vanished(sync, window, &read.ids).await?;
        if let Some(odd) = odd {
            odd.clone_into(&mut note);
        }
        if !gone.is_empty() {
            statements.push(rows::gone(sync.brand, sync.store, &gone, now_ms));
        }
    } else {
        "some orders can't be read again: GoAffPro doesn't list them one page after the other"
            .clone_into(&mut note);
    }
    if window.1 < until_ms {
        let length_ms = if read.pages <= 1 { length_ms * 2 } else { length_ms };
        let payload = on(window.1, length_ms, &note);
        return Ok(Step::On { payload, due_at_ms: now_ms, statements });
    }
    if all {
        statements.push(rows::progress(sync.brand, sync.store, Progress::Swept(&note), now_ms));
    }
    Ok(Step::On { payload: "{}".into(), due_at_ms: now_ms + EVERY_MS, statements })
}

/// What was read of a window.
struct Window {
    ids: HashSet<u64>,
    pages: usize,
    /// All of it was read, and consistently.
    whole: bool,
    statements: Vec<Statement>,
}

impl Window {
    async fn read(sync: &Sync<'_>, (from_ms, until_ms): (Millis, Millis)) -> Result<Self, Failed> {
        let now_ms = sync.app.now_ms();
        let overlap = OVERLAP_MS.min(until_ms - from_ms);
        let mut window =
            Self { ids: HashSet::new(), pages: 0, whole: false, statements: Vec::new() };
        let mut since = 0;
        while window.pages < MOST_PAGES {
            let path = api::orders_path(since, Some(from_ms - overlap), Some(until_ms + overlap));
            let page = Page::of(sync, since, &sync.list(&path, "orders").await?)?;
            window.pages += 1;
            window.statements.extend(page.statements(sync, now_ms));
            let before = window.ids.len();
            window.ids.extend(&page.ids);
            let repeats = window.ids.len() - before < page.ids.len();
            let alone = !page.full && window.pages == 1;
            if page.nameless || repeats || !(page.goes_up() || alone) {
                break;
            }
            if !page.full {
                window.whole = true;
                break;
            }
            since = page.ids.last().copied().unwrap_or(since);
        }
        Ok(window)
    }
}

/// Orders of a window that weren't told any more, each asked for once more by its id; and what is odd.
async fn vanished(
    sync: &Sync<'_>,
    window: (Millis, Millis),
    told: &HashSet<u64>,
) -> Result<(Vec<String>, Option<&'static str>), Failed> {
    let known = rows::between(sync.app.db(), sync.brand, sync.store, window).await?;
    let here = |id: &String| id.parse().is_ok_and(|id: u64| told.contains(&id));
    let missing: Vec<String> = known.into_iter().filter(|id| !here(id)).collect();
    if missing.len() > MOST_GONE {
        let words =
            "so many orders are missing at GoAffPro at once that they aren't taken for deleted";
        return Ok((Vec::new(), Some(words)));
    }
    let mut gone = Vec::new();
    for id in missing {
        // It must say plainly that there is none: an answer about others says nothing.
        if sync.list(&api::order_path(&id), "orders").await?.is_empty() {
            gone.push(id);
        }
    }
    Ok((gone, None))
}
