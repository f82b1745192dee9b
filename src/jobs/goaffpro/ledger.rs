//! What GoAffPro counts itself, beside ours: visits, and its ledger of orders, rewards and payments. Nothing
//! here moves money.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{REACH_MS, Sync};
use crate::domain::json::{Fields, Raw, ToJson, json, list_of, text};
use crate::domain::micros::Micros;
use crate::domain::time::{DAY_MS, Day, Millis};
use crate::jobs::outbox::Step;
use crate::jobs::shopify::Failed;
use crate::partners::goaffpro::{self as api, PAGE};
use crate::partners::trouble::Trouble;
use crate::storage::goaffpro::{self as rows, Progress};
use crate::storage::{affiliates, brands};

const VISITS_EVERY_MS: Millis = 10 * 60_000;
const LEDGER_EVERY_MS: Millis = DAY_MS;
/// A run reads so many pages.
const MOST_PAGES: u64 = 40;

/// A page of visits. Where ids don't go up some may be passed over; none is counted twice.
pub(super) async fn visits(sync: &Sync<'_>, payload: &Value) -> Result<Step, Failed> {
    let (app, now_ms) = (sync.app, sync.app.now_ms());
    let since: u64 = sync.settings.visits_since.parse().unwrap_or(0);
    let list = sync.list(&api::traffic_path(since), "traffic").await?;
    let Some(brand) = brands::find(app.db(), sync.brand, now_ms).await? else {
        return Ok(Step::Done(Vec::new()));
    };
    let mut last = since;
    let mut days: BTreeMap<(u64, Day), (i64, Millis)> = BTreeMap::new();
    let mut seen: Vec<u64> = Vec::with_capacity(list.len());
    for (id, affiliate, at_ms) in list.iter().filter_map(api::visit) {
        if id <= since || seen.contains(&id) {
            continue;
        }
        seen.push(id);
        last = last.max(id);
        let lately = |at_ms: &Millis| (now_ms - REACH_MS..=now_ms + DAY_MS).contains(at_ms);
        if let (Some(affiliate), Some(at_ms)) = (affiliate, at_ms.filter(lately)) {
            let day = brand.brand.timezone.day(at_ms);
            days.entry((affiliate, day)).or_insert((0, at_ms)).0 += 1;
        }
    }
    let one = |((affiliate, day), (clicks, at_ms)): (&(u64, Day), &(i64, Millis))| {
        json!([affiliate.to_string(), day.0, clicks, at_ms])
    };
    let told = list_of(&days.iter().map(one).collect::<Vec<_>>());
    let statements = vec![
        affiliates::tell_visits(sync.brand, sync.store, &told),
        rows::progress(sync.brand, sync.store, Progress::Visits(&last.to_string()), now_ms),
    ];
    let pages = payload.get("pages").and_then(Value::as_u64).unwrap_or(0) + 1;
    if list.len() >= PAGE && last > since && pages < MOST_PAGES {
        let payload = json!({ "pages": pages });
        return Ok(Step::On { payload, due_at_ms: now_ms, statements });
    }
    Ok(Step::On { payload: "{}".into(), due_at_ms: now_ms + VISITS_EVERY_MS, statements })
}

/// The sums of an affiliate.
#[derive(Default)]
struct Sums {
    order: Micros,
    reward: Micros,
    payout: Micros,
    /// Rewards as they are listed by themselves.
    listed: Micros,
    /// Rows in another currency, or that can't be read.
    apart: u64,
}

/// GoAffPro's ledger and its rewards, whole or not at all.
pub(super) async fn step(sync: &Sync<'_>) -> Result<Step, Failed> {
    let now_ms = sync.app.now_ms();
    let mut sums: BTreeMap<u64, Sums> = BTreeMap::new();
    let on = |statements| Step::On {
        payload: "{}".into(),
        due_at_ms: now_ms + LEDGER_EVERY_MS,
        statements,
    };
    for of in ["transactions", "rewards"] {
        let Some(list) = whole(sync, of).await? else { continue };
        for row in &list {
            let told = if of == "rewards" { api::reward(row) } else { api::transaction(row) };
            let whose = api::id(row, "affiliate_id");
            match told {
                Ok(moved) if moved.currency.is_none_or(|c| c == sync.currency) => {
                    let sums = sums.entry(moved.affiliate).or_default();
                    let sum = match moved.kind {
                        _ if of == "rewards" => &mut sums.listed,
                        "order" => &mut sums.order,
                        "reward" => &mut sums.reward,
                        _ => &mut sums.payout,
                    };
                    *sum += moved.amount;
                }
                _ => sums.entry(whose.unwrap_or(0)).or_default().apart += 1,
            }
        }
    }
    let one = |(affiliate, sums): (&u64, &Sums)| {
        let texts = [sums.order, sums.reward, sums.payout, sums.listed].map(|s| s.to_string());
        let [orders, rewards, payouts, listed] = &texts;
        let fields: &[(&str, &dyn ToJson)] = &[
            ("orders", orders),
            ("rewards", rewards),
            ("payouts", payouts),
            ("rewards_listed", listed),
            ("apart", &sums.apart),
        ];
        json!([affiliate.to_string(), Raw(&text(&Fields(fields)))])
    };
    let told = list_of(&sums.iter().map(one).collect::<Vec<_>>());
    Ok(on(vec![
        affiliates::tell_sums(sync.brand, sync.store, &told),
        rows::progress(sync.brand, sync.store, Progress::Ledger, now_ms),
    ]))
}

/// All rows of a list, if it can be read to its end; not every plan of GoAffPro's has every list.
async fn whole(sync: &Sync<'_>, of: &str) -> Result<Option<Vec<Value>>, Failed> {
    let mut all = Vec::new();
    for page in 0..MOST_PAGES {
        let offset = usize::try_from(page).unwrap_or(0) * PAGE;
        let told = match sync.api.get(sync.app, &api::ledger_path(of, offset)).await {
            Err(Trouble::Refused(_)) => return Ok(None),
            other => other?,
        };
        let list = api::rows(&told, of).map_err(|words| Trouble::Later(None, words))?;
        all.extend_from_slice(list);
        if list.len() < PAGE {
            return Ok(Some(all));
        }
    }
    Ok(None)
}
