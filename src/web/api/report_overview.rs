//! The overview: a period against the one before, by day, what creators are owed, and what needs a hand.

use crate::app::App;
use crate::domain::ids::BrandId;
use crate::domain::money::{Currency, Money};
use crate::domain::report::{Figures, per, percent};
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::storage::overview::{self as rows, Overview, OwedRow, ToDo, TwoPeriods};
use crate::storage::posts::{self, Which};
use crate::storage::reports::Period;
use crate::web::extract::{Caller, Params};
use crate::web::handler::{Answer, Json, State};
use crate::web::json::view;
use crate::web::message::Response;

use super::reports::{Asked, ReportedClicks, asked, file, line, period, text};
use super::view::Date;

/// An overview is of at most so many days,
const MOST_DAYS: i64 = 366;
/// and of so many if nothing is said.
const DAYS: i64 = 30;
/// It is asked of so many days whether all orders arrived.
const ASKED_DAYS: i64 = 60;
/// Runs of automations that failed are told for so many days.
const FAILED_DAYS: i64 = 14;

view! {
    /// What a period brought and cost.
    pub struct PeriodInOverview {
        from: Date,
        to: Date,
        orders: i64,
        /// Orders in other currencies: their money stands in no figure here.
        other_orders: i64,
        revenue: Money,
        commission: Money,
        fees: Money,
        gifts: Money,
        cost: Money,
        clicks: ReportedClicks,
        #[schema(required)]
        conversion_percent: Option<String>,
        #[schema(required)]
        return_on_spend: Option<String>,
        /// What was paid to creators, on the day it arrived.
        paid: Money,
        posts: i64,
        #[schema(required)]
        impressions: Option<i64>,
        #[schema(required)]
        earned_media_value: Option<Money>,
    }
}

view! {
    /// A day.
    pub struct DayInOverview {
        day: Date,
        orders: i64,
        revenue: Money,
        commission: Money,
        clicks: i64,
        unique_clicks: i64,
    }
}

view! {
    /// What creators have now, all together.
    pub struct OwedToCreators {
        pending: Money,
        /// With what is due by today; what a creator owes back is taken from hers first.
        available: Money,
        in_payout: Money,
        /// Owed back by them: negative.
        clawback: Money,
        /// All of these.
        owed: Money,
        /// Ever paid.
        paid: Money,
    }
}

view! {
    /// What needs a hand: how many, each counted up to 1,000.
    pub struct NeedsAHand {
        /// Payouts that nobody has approved.
        payout_drafts: i64,
        /// Payments of approved payouts that aren't settled.
        unpaid_payments: i64,
        failed_payments: i64,
        /// Codes that their shops didn't make.
        failed_codes: i64,
        /// Deliveries in quarantine that can be replayed.
        quarantined: i64,
        overdue_follow_ups: i64,
        /// Days of stores, of the last 60, on which the platform has orders that are unknown here.
        incomplete_days: i64,
        /// Conversations with replies that nobody has read.
        unread_conversations: i64,
        open_claims: i64,
        /// Runs of automations that failed in the last 14 days.
        failed_automation_runs: i64,
    }
}

view! {
    /// A period against the one before.
    #[schema(as = Overview)]
    pub struct OverviewView {
        currency: Currency,
        /// In which currencies there were orders in either period, or creators have something now.
        currencies: Vec<Currency>,
        period: PeriodInOverview,
        /// As many days, right before.
        before: PeriodInOverview,
        /// Each day of the period.
        series: Vec<DayInOverview>,
        owed: OwedToCreators,
        needs_a_hand: NeedsAHand,
    }
}

/// The period that is asked for: the last 30 days if nothing is said.
fn periods(asked: &Asked, today: Day) -> Result<TwoPeriods> {
    let to = asked.to.map_or(today, |date| date.0);
    let from = asked.from.map_or(to.plus(1 - DAYS), |date| date.0);
    let days = to.0 - from.0 + 1;
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Error::invalid("from", "must be at most 366 days before `to`"));
    }
    let before = period(&asked.zone, from.plus(-days), from.plus(-1));
    Ok(TwoPeriods { before, period: period(&asked.zone, from, to) })
}

/// A brand's figures in a period, but for what was seen.
fn sums(found: &Overview, span: &Period, currency: Currency, (fees, gifts): (i64, i64)) -> Figures {
    let within = |day: Day| (span.from..=span.to).contains(&day);
    let mut sums = Figures { fees, gifts, ..Figures::default() };
    for row in found.days.iter().filter(|row| within(row.day)) {
        if row.currency == currency {
            sums.orders += row.orders;
            sums.revenue += row.revenue;
            sums.commission += row.commission;
        } else {
            sums.other_orders += row.orders;
        }
    }
    for row in found.clicks.iter().filter(|row| within(row.day)) {
        sums.clicks += row.clicks;
        sums.uniques += row.uniques;
    }
    sums
}

/// Adds what was seen in the period.
async fn seen(app: &App, asked: &Asked, span: &Period, sums: &mut Figures) -> Result<()> {
    let brand = asked.about.brand;
    let found =
        posts::sums(app.db(), brand, Which::All, (span.from_ms, span.to_ms), &asked.formula)
            .await?;
    for row in found {
        sums.posts += row.posts;
        sums.with_impressions += row.with_impressions;
        sums.impressions += row.impressions.unwrap_or(0);
        sums.valued += row.valued;
        sums.media += row.value_minor.unwrap_or(0);
    }
    Ok(())
}

fn shown(asked: &Asked, span: &Period, f: &Figures, paid: i64) -> PeriodInOverview {
    let money = |minor| Money::new(minor, asked.about.currency);
    PeriodInOverview {
        from: Date(span.from),
        to: Date(span.to),
        orders: f.orders,
        other_orders: f.other_orders,
        revenue: money(f.revenue),
        commission: money(f.commission),
        fees: money(f.fees),
        gifts: money(f.gifts),
        cost: money(f.cost()),
        clicks: ReportedClicks { total: f.clicks, unique: f.uniques },
        conversion_percent: text(percent(f.all_orders(), f.uniques)),
        return_on_spend: text(per(f.revenue, f.cost())),
        paid: money(paid),
        posts: f.posts,
        impressions: (f.with_impressions > 0).then_some(f.impressions),
        earned_media_value: (f.valued > 0).then_some(Money::new(f.media, asked.own)),
    }
}

fn series(found: &Overview, span: &Period, currency: Currency) -> Vec<DayInOverview> {
    (span.from.0..=span.to.0)
        .map(|day| {
            let sold = found.days.iter().find(|row| row.day.0 == day && row.currency == currency);
            let clicked = found.clicks.iter().find(|row| row.day.0 == day);
            let money = |minor| Money::new(minor, currency);
            DayInOverview {
                day: Date(Day(day)),
                orders: sold.map_or(0, |row| row.orders),
                revenue: money(sold.map_or(0, |row| row.revenue)),
                commission: money(sold.map_or(0, |row| row.commission)),
                clicks: clicked.map_or(0, |row| row.clicks),
                unique_clicks: clicked.map_or(0, |row| row.uniques),
            }
        })
        .collect()
}

fn owed(found: &Overview, currency: Currency) -> OwedToCreators {
    let row = found.owed.iter().find(|row| row.currency == currency);
    let money = |of: fn(&OwedRow) -> i64| Money::new(row.map_or(0, of), currency);
    OwedToCreators {
        pending: money(|row| row.pending),
        available: money(|row| row.available),
        in_payout: money(|row| row.in_payout),
        clawback: money(|row| row.clawback),
        owed: money(|row| row.pending + row.available + row.in_payout + row.clawback),
        paid: money(|row| row.paid),
    }
}

impl From<ToDo> for NeedsAHand {
    fn from(found: ToDo) -> Self {
        Self {
            payout_drafts: found.drafts,
            unpaid_payments: found.unpaid,
            failed_payments: found.failed_payments,
            failed_codes: found.failed_codes,
            quarantined: found.quarantined,
            overdue_follow_ups: found.overdue,
            incomplete_days: found.incomplete_days,
            unread_conversations: found.unread,
            open_claims: found.claims,
            failed_automation_runs: found.failed_runs,
        }
    }
}

/// What happened in a period of days, against as many days before: the last 30 if nothing is said, at most
/// 366. And what needs a hand now.
#[utoipa::path(get, path = "/v1/reports/overview", tag = "reports", security(("api_key" = ["read"])),
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query),
    ("currency" = Option<String>, Query),
    ("format" = Option<String>, Query, description = "`csv`: the days")),
    responses((status = 200, content((OverviewView = "application/json"), (String = "text/csv")))))]
pub async fn show(State(app): State<App>, caller: Caller, params: Params) -> Result<Response> {
    let params = params.only(&["from", "to", "currency", "format"])?;
    let (report, csv) = report(&app, caller.brand, &params).await?;
    if csv { Ok(file("overview", table(&report))) } else { Json(report).answer() }
}

/// An overview, and whether it is to be a file.
pub(crate) async fn report(
    app: &App,
    brand: BrandId,
    params: &Params,
) -> Result<(OverviewView, bool)> {
    let asked = asked(app, brand, params).await?;
    let (currency, today) = (asked.about.currency, asked.zone.day(app.now_ms()));
    let periods = periods(&asked, today)?;
    let since_ms = asked.zone.start_of(today.plus(1 - FAILED_DAYS));
    let days = (today.plus(1 - ASKED_DAYS), today, since_ms);
    let found = rows::overview(app.db(), (brand, currency), &periods, today, days).await?;
    let (spent, paid) = (found.spent, found.paid);
    let mut now = sums(&found, &periods.period, currency, (spent.fees, spent.gifts));
    let mut before =
        sums(&found, &periods.before, currency, (spent.fees_before, spent.gifts_before));
    seen(app, &asked, &periods.period, &mut now).await?;
    seen(app, &asked, &periods.before, &mut before).await?;
    let owing = |row: &&OwedRow| {
        row.pending != 0 || row.available != 0 || row.clawback != 0 || row.in_payout != 0
    };
    let mut currencies: Vec<Currency> = found.days.iter().map(|row| row.currency).collect();
    currencies.extend(found.owed.iter().filter(owing).map(|row| row.currency));
    currencies.sort_by_key(|currency| currency.code());
    currencies.dedup();
    let report = OverviewView {
        currency,
        currencies,
        period: shown(&asked, &periods.period, &now, paid.paid),
        before: shown(&asked, &periods.before, &before, paid.before),
        series: series(&found, &periods.period, currency),
        owed: owed(&found, currency),
        needs_a_hand: found.to_do.into(),
    };
    Ok((report, asked.csv))
}

/// The days of an overview as a file.
fn table(report: &OverviewView) -> String {
    let mut out = String::from("day,currency,orders,revenue,commission,clicks,unique_clicks\r\n");
    for row in &report.series {
        line(
            &mut out,
            &[
                row.day.0.to_iso(),
                report.currency.code().to_owned(),
                row.orders.to_string(),
                row.revenue.to_decimal(),
                row.commission.to_decimal(),
                row.clicks.to_string(),
                row.unique_clicks.to_string(),
            ],
        );
    }
    out
}
