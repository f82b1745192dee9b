//! Balances, performance and the verification of the books.

use crate::app::App;
use crate::domain::brand::Brand;
use crate::domain::deal::return_on_spend;
use crate::domain::decimal::Decimal;
use crate::domain::ids::{BrandId, Creator, CreatorId, Deal, DealId, LinkId};
use crate::domain::ledger::Balances;
use crate::domain::money::{Currency, Money, round_half_away};
use crate::domain::sorted::Sorted;
use crate::domain::time::{DAY_MS, Day};
use crate::error::{Error, Result};
use crate::jobs::verify::{Head, Verification, verify};
use crate::storage::click_counter::DayTotals;
use crate::storage::deals::DealRow;
use crate::storage::ledger::{self, BalanceRow};
use crate::storage::notes::{self, SpentRow};
use crate::storage::orders::DealTotals;
use crate::storage::{Freshness, affiliates, clicks, creators, orders};
use crate::web::extract::{Caller, Params, PathId, encode_cursor};
use crate::web::handler::{Json, State};
use crate::web::json::{by_serde, view};

view! {
    /// A creator's balances, a row per currency.
    pub struct BalanceList {
        data: Vec<BalanceView>,
    }
}

view! {
    /// What a creator has in one currency, decimal texts.
    #[schema(as = Balance)]
    pub struct BalanceView {
        pub(crate) currency: Currency,
        /// In the hold period.
        pub(crate) pending: String,
        /// Ready to be paid.
        pub(crate) available: String,
        pub(crate) in_payout: String,
        pub(crate) paid: String,
        /// Owed back, paid off by later earnings first.
        pub(crate) clawback: String,
        /// All that was ever earned, after corrections.
        pub(crate) lifetime: String,
    }
}

/// A creator's balances.
#[utoipa::path(get, path = "/v1/creators/{id}/balances", tag = "money",
    security(("api_key" = ["read"])), params(("id" = CreatorId, Path)),
    responses((status = 200, body = BalanceList)))]
pub async fn balances(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Creator>,
) -> Result<Json<BalanceList>> {
    creators::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let brand = super::brand::find(&app, caller.brand).await?.brand;
    Ok(Json(BalanceList { data: balances_of(&app, &brand, id.0).await? }))
}

/// A creator's balances; the brand's currency is always among them.
///
/// # Errors
/// 503 if D1 is away.
pub async fn balances_of(app: &App, brand: &Brand, creator: CreatorId) -> Result<Vec<BalanceView>> {
    let rows: Vec<BalanceRow> = app.db().all(ledger::balances(brand.id, creator)).await?;
    let today = brand.timezone.day(app.now_ms());
    let mut by_currency: Sorted<Currency, Vec<BalanceRow>> = Sorted::new();
    by_currency.insert(brand.currency, Vec::new());
    for row in rows {
        by_currency.change(row.currency, |rows| rows.push(row));
    }
    Ok(by_currency
        .into_iter()
        .map(|(currency, rows)| {
            let rows = rows.into_iter().map(|r| (r.account, r.day, r.amount_minor));
            let balances = Balances::of(rows, today);
            let text = |minor| Money::new(minor, currency).to_decimal();
            BalanceView {
                currency,
                pending: text(balances.pending_minor),
                available: text(balances.available_minor),
                in_payout: text(balances.in_payout_minor),
                paid: text(balances.paid_minor),
                clawback: text(balances.clawback_minor),
                lifetime: text(balances.lifetime_minor()),
            }
        })
        .collect())
}

view! {
    /// What a deal brought.
    #[schema(as = Performance)]
    pub struct PerformanceView {
        clicks: ClicksView,
        /// Orders that aren't cancelled.
        orders: i64,
        /// Base after refunds, per currency.
        revenue: Vec<Money>,
        commission: Vec<Money>,
        /// Orders ÷ unique clicks; null without clicks.
        #[schema(required)]
        conversion_percent: Option<String>,
        /// Visits that GoAffPro counted for the deal's affiliates: apart from clicks, never added to them.
        goaffpro_clicks: i64,
        /// What the deal cost, per currency: commission, posted fees and gifts; none is converted.
        cost: Vec<CostOfDeal>,
        /// Revenue for each unit spent, per currency, to two decimals; null where nothing was spent.
        return_on_spend: Vec<ReturnOnSpend>,
    }
}

view! {
    /// What a deal cost in one currency, decimal texts.
    struct CostOfDeal {
        currency: Currency,
        commission: String,
        /// Those posted in the period.
        fees: String,
        /// Products and shipping, in the period.
        gifts: String,
        total: String,
    }
}

view! {
    /// What came back for what was spent.
    struct ReturnOnSpend {
        currency: Currency,
        #[schema(required)]
        value: Option<String>,
    }
}

/// Costs and returns by currency, in the order of their names.
fn costs(found: &Performance, spent: &[SpentRow]) -> (Vec<CostOfDeal>, Vec<ReturnOnSpend>) {
    let mut currencies: Vec<Currency> = spent.iter().map(|row| row.currency).collect();
    currencies.extend(found.revenue.iter().map(|amount| amount.currency));
    currencies.sort_by_key(|currency| currency.code());
    currencies.dedup();
    let of = |amounts: &[Money], currency| {
        amounts.iter().filter(|a| a.currency == currency).map(|a| a.minor).sum::<i64>()
    };
    let (mut costs, mut returns) = (Vec::new(), Vec::new());
    for currency in currencies {
        let commission = of(&found.commission, currency);
        let row = spent.iter().find(|row| row.currency == currency);
        let (fees, gifts) = row.map_or((0, 0), |row| (row.fees_minor, row.gifts_minor));
        let total = commission.saturating_add(fees).saturating_add(gifts);
        let text = |minor| Money::new(minor, currency).to_decimal();
        costs.push(CostOfDeal {
            currency,
            commission: text(commission),
            fees: text(fees),
            gifts: text(gifts),
            total: text(total),
        });
        let value = return_on_spend(of(&found.revenue, currency), total);
        returns.push(ReturnOnSpend { currency, value: value.map(|value| value.to_string()) });
    }
    (costs, returns)
}

view! {
    /// Clicks.
    #[schema(as = Clicks)]
    struct ClicksView {
        /// Shoppers' clicks, without `filtered`.
        total: i64,
        /// One visitor, one link, one hour.
        unique: i64,
        /// Bots, prefetches and HEAD requests.
        filtered: i64,
    }
}

/// What one deal's clicks and orders come to.
#[derive(Debug, Clone, Default)]
pub struct Performance {
    /// Shoppers' clicks.
    pub clicks: i64,
    /// Unique ones.
    pub uniques: i64,
    /// Left out.
    pub filtered: i64,
    /// Orders that aren't cancelled.
    pub orders: i64,
    /// Base after refunds, per currency.
    pub revenue: Vec<Money>,
    /// Commission, per currency.
    pub commission: Vec<Money>,
}

/// A deal's performance.
#[utoipa::path(get, path = "/v1/deals/{id}/performance", tag = "money",
    security(("api_key" = ["read"])), params(("id" = DealId, Path),
    ("from" = Option<String>, Query), ("to" = Option<String>, Query)),
    responses((status = 200, body = PerformanceView)))]
pub async fn performance(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    params: Params,
) -> Result<Json<PerformanceView>> {
    let params = params.only(&["from", "to"])?;
    let deal = super::deals::find(&app, caller.brand, id.0).await?;
    let brand = super::brand::find(&app, caller.brand).await?.brand;
    let (from_ms, to_ms) = params.period(&brand.timezone)?;
    let period = (brand.timezone.day(from_ms), brand.timezone.day(to_ms - 1));
    let all = performance_of(&app, brand.id, &[deal], period).await?;
    let found = all.into_iter().next().map(|(_, found)| found).unwrap_or_default();
    let spent = notes::spent(app.db(), brand.id, id.0, (from_ms, to_ms), period).await?;
    let (cost, return_on_spend) = costs(&found, &spent);
    Ok(Json(PerformanceView {
        cost,
        return_on_spend,
        conversion_percent: conversion(found.orders, found.uniques),
        goaffpro_clicks: affiliates::visits(app.db(), brand.id, id.0, period).await?,
        clicks: ClicksView { total: found.clicks, unique: found.uniques, filtered: found.filtered },
        orders: found.orders,
        revenue: found.revenue,
        commission: found.commission,
    }))
}

/// Orders ÷ unique clicks in percent, two decimals at most.
pub(crate) fn conversion(orders: i64, uniques: i64) -> Option<String> {
    if uniques == 0 {
        return None;
    }
    let points = round_half_away(i128::from(orders) * 10_000, i128::from(uniques));
    // Codes bring orders without clicks, so that this may pass 100 %.
    Some(Decimal::new(points, 2).to_string())
}

/// The performance of deals over days, both ends included: orders from the totals kept with the
/// books; clicks from the stored totals, and for the last days from the counters themselves.
///
/// # Errors
/// 503 if D1 is away. A counter that can't be asked only makes the last minutes missing.
pub async fn performance_of(
    app: &App,
    brand: BrandId,
    deals: &[DealRow],
    (from, to): (Day, Day),
) -> Result<Sorted<DealId, Performance>> {
    let ids: Vec<DealId> = deals.iter().map(|d| d.id).collect();
    let links: Vec<LinkId> = deals.iter().flat_map(|d| &d.links).map(|l| l.id).collect();
    let statements =
        vec![orders::performance(brand, &ids, from, to), clicks::of_deals(brand, &ids, from, to)];
    let results = app.db().run_on(Freshness::Primary, statements).await?;
    let [totals, stored] = results.as_slice() else {
        return Err(Error::Internal("two results".to_owned()).into());
    };
    let counted = with_live(app, &links, stored.all()?, (from, to)).await;
    let mut found: Sorted<DealId, Performance> = Sorted::new();
    for id in ids {
        found.insert(id, Performance::default());
    }
    for row in &counted {
        if let Some(deal) = found.get_mut(&row.deal_id) {
            let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            deal.clicks += count(row.total);
            deal.uniques += count(row.uniques);
            deal.filtered += count(row.bot + row.prefetch + row.head);
        }
    }
    for row in totals.all::<DealTotals>()? {
        if let Some(deal) = found.get_mut(&row.deal_id) {
            deal.orders += row.orders;
            deal.revenue.push(Money::new(row.base_minor, row.currency));
            deal.commission.push(Money::new(row.commission_minor, row.currency));
        }
    }
    Ok(found)
}

/// The stored totals of links over days, with what the counters themselves know of the last days. A counter that
/// can't be asked only makes the last minutes missing.
pub(super) async fn with_live(
    app: &App,
    links: &[LinkId],
    mut stored: Vec<DayTotals>,
    (from, to): (Day, Day),
) -> Vec<DayTotals> {
    let recent = Day(app.now_ms().div_euclid(DAY_MS) - 2);
    // A laptop plays clicks of any day: the counters know them before D1 does.
    let since = if cfg!(feature = "local") { from } else { from.max(recent) };
    let live = app.clicks.totals(links, since, to).await.unwrap_or_default();
    let mut newer = Sorted::new();
    for row in live {
        newer.insert((row.link_id, row.day, row.shard), row);
    }
    stored.retain(|row| newer.get(&(row.link_id, row.day, row.shard)).is_none());
    stored.extend(newer.into_iter().map(|(_, row)| row));
    stored
}

view! {
    /// What the verification of the books found.
    #[schema(as = Verification)]
    pub struct VerificationView {
        transactions: i64,
        entries: i64,
        /// Sum of all entries per currency: zero.
        #[schema(value_type = std::collections::BTreeMap<String, String>)]
        sums: Sorted<String, String>,
        /// Every transaction sums to zero and every balance is the fold of its entries.
        balances_match: bool,
        /// The Merkle tree recomputed from the entries has the sealed roots.
        chain_intact: bool,
        /// The sealed head; null while nothing is sealed.
        #[schema(required)]
        head: Option<Head>,
        /// What to pass as `cursor` to go on, where a ledger is too large for one call: all else is
        /// what was found so far. Null when everything was checked.
        #[schema(required)]
        next_cursor: Option<String>,
    }
}

by_serde!(Sorted<String, String>, Head);

/// So many entries are verified in one call.
const VERIFIED_AT_ONCE: i64 = 200_000;

/// Recomputes sums, balances and the Merkle tree, from the entries.
#[utoipa::path(get, path = "/v1/ledger/verification", tag = "money",
    security(("api_key" = ["read"])), params(("cursor" = Option<String>, Query)),
    responses((status = 200, body = VerificationView)))]
pub async fn verification(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<VerificationView>> {
    let after = params.only(&["cursor"])?.page()?.after;
    let before = if after.is_empty() {
        Verification::default()
    } else {
        Verification::of_key(&after)
            .ok_or_else(|| Error::invalid("cursor", "is none that this list gave"))?
    };
    let (found, left, head) = verify(&app, caller.brand, before, VERIFIED_AT_ONCE).await?;
    let next_cursor = left.then(|| encode_cursor(&found.key()));
    let mut sums = Sorted::new();
    let (mut all_zero, totals) = (true, found.sums);
    for (currency, minor) in totals {
        all_zero &= minor == 0;
        sums.insert(currency.code().to_owned(), Money::new(minor, currency).to_decimal());
    }
    Ok(Json(VerificationView {
        transactions: found.transactions,
        entries: found.entries,
        sums,
        balances_match: found.balances_match && all_zero,
        chain_intact: found.chain_intact,
        head,
        next_cursor,
    }))
}
