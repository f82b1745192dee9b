//! Monthly statements to read and to print: what was earned, what moved, what is owed.

use askama::Template;
use http::StatusCode;

use super::words::{self, EN, Texts};
use super::{Her, Told, brand_of};
use crate::app::App;
use crate::domain::locale::Locale;
use crate::domain::money::Money;
use crate::domain::time::{Day, Zone};
use crate::error::Result;
use crate::storage::mine;
use crate::web::api::statements::{self, StatementEntry};
use crate::web::extract::Params;
use crate::web::handler::State;
use crate::web::message::Response;

/// So many entries stand on a page; more are on the next.
const ENTRIES: i64 = 500;
/// So many months are offered; earlier ones are found by their address.
const MONTHS: usize = 60;

#[derive(Template)]
#[template(path = "creator/statements.html")]
struct Statement {
    t: &'static Texts,
    path: String,
    brand: String,
    name: String,
    month: String,
    shown: String,
    months: Vec<(String, String, bool)>,
    balances: Vec<[String; 4]>,
    lines: Vec<Line>,
    next: Option<i64>,
}

/// What was posted at once by one cause: an amount that was earned or taken back, or one that moved.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    date: String,
    what: String,
    /// Signed; none if it only moved.
    earned: Option<String>,
    moved: Option<String>,
}

/// Entries of one cause and moment as one line each.
fn folded(entries: &[StatementEntry], zone: &Zone, locale: &Locale) -> Vec<Line> {
    let same = |a: &StatementEntry, b: &StatementEntry| {
        let key = |e: &StatementEntry| (e.posted_at.0, e.amount.currency);
        key(a) == key(b) && a.cause == b.cause && a.cause_id == b.cause_id
    };
    let line = |group: &[StatementEntry]| {
        let first = group.first()?;
        let money = |minor| locale.money(Money::new(minor, first.amount.currency));
        let sum: i64 = group.iter().map(|entry| entry.amount.minor).sum();
        let date = locale.date(zone.day(first.posted_at.0));
        if sum != 0 {
            let what = words::posted(&first.cause, first.text.as_deref(), sum < 0);
            return Some(Line { date, what, earned: Some(money(sum)), moved: None });
        }
        let came: i64 = group.iter().map(|entry| entry.amount.minor.max(0)).sum();
        let to = group.iter().max_by_key(|entry| entry.amount.minor)?;
        let what = words::moved(&first.cause, to.account).to_owned();
        Some(Line { date, what, earned: None, moved: Some(money(came)) })
    };
    entries.chunk_by(same).filter_map(line).collect()
}

/// The months from the first posting to this one, latest first.
fn months(first: Option<Day>, today: Day) -> Vec<Day> {
    let begin = |day: Day| day.plus(1 - day.of_month());
    let (mut month, oldest) = (begin(today), begin(first.unwrap_or(today)));
    let mut all = vec![month];
    while month > oldest && all.len() < MONTHS {
        month = begin(month.plus(-1));
        all.push(month);
    }
    all
}

fn month_key(day: Day) -> String {
    day.to_iso().get(..7).unwrap_or_default().to_owned()
}

/// A month's statement.
pub async fn show(State(app): State<App>, her: Her, params: Params) -> Result<Response> {
    let params = params.only(&["month", "after"])?;
    let (brand, locale) = (brand_of(&app, &her).await?, her.locale);
    let zone = &brand.timezone;
    let today = zone.day(app.now_ms());
    let month = params.get("month").map_or_else(|| month_key(today), str::to_owned);
    let after = params.get("after").and_then(|after| after.parse().ok()).unwrap_or(0);
    let found = statements::monthly(&app, &brand, her.me.creator, &month, (after, ENTRIES)).await?;
    let first = mine::first(app.db(), brand.id, her.me.creator).await?;
    let all = months(first.map(|at| zone.day(at)), today);
    let day = Day::from_iso(&format!("{month}-01")).unwrap_or(today);
    let balances = found.balances.iter().map(|b| {
        let shown = |amount: &str| locale.amount(amount, b.currency);
        [b.currency.code().to_owned(), shown(&b.opening), shown(&b.paid), shown(&b.closing)]
    });
    let content = Statement {
        t: &EN,
        path: her.path("statements"),
        brand: her.brand.clone(),
        name: her.name.clone(),
        shown: locale.month(day),
        months: all
            .iter()
            .map(|m| (month_key(*m), locale.month(*m), month_key(*m) == month))
            .collect(),
        balances: balances.collect(),
        lines: folded(&found.entries, zone, &locale),
        next: found.next,
        month,
    };
    her.page(&app, ("statements", EN.statements), Told::default(), &content)
}

/// A month's entries as a table for other programs.
pub async fn file(State(app): State<App>, her: Her) -> Result<Response> {
    let brand = brand_of(&app, &her).await?;
    let text = statements::month_file(&app, &brand, her.me.creator, &her.second).await?;
    let mut response = Response::new(StatusCode::OK, "text/csv; charset=utf-8", text);
    // What is a month has no other letters.
    let name = format!("attachment; filename=\"statement-{}.csv\"", her.second);
    response.set("content-disposition", name);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::view::Time;

    fn entry(at: i64, cause: &str, account: &'static str, minor: i64) -> StatementEntry {
        StatementEntry {
            sequence: 1,
            posted_at: Time(at),
            account,
            amount: Money::new(minor, "USD".parse().unwrap()),
            cause: cause.to_owned(),
            cause_id: format!("{cause}_1"),
            text: (cause == "order").then(|| "#1001".to_owned()),
            proof: None,
        }
    }

    #[test]
    fn what_only_moved_is_no_earning() {
        let entries = [
            entry(1, "order", "pending", 1800),
            entry(2, "order", "pending", -600),
            entry(3, "release", "pending", -1200),
            entry(3, "release", "clawback", 200),
            entry(3, "release", "available", 1000),
            entry(4, "settlement", "in_payout", -1000),
            entry(4, "settlement", "paid", 1000),
        ];
        let lines = folded(&entries, &Zone::utc(), &Locale::default());
        let told: Vec<_> = lines
            .iter()
            .map(|l| (l.what.as_str(), l.earned.as_deref(), l.moved.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("Commission: order #1001", Some("$18.00"), None),
                ("Taken back: order #1001", Some("-$6.00"), None),
                ("Became available", None, Some("$12.00")),
                ("Paid to you", None, Some("$10.00")),
            ]
        );
    }

    #[test]
    fn months_go_back_to_the_first_posting() {
        let day = |iso| Day::from_iso(iso).unwrap();
        let keys = |first: Option<Day>| -> Vec<String> {
            months(first, day("2026-03-31")).into_iter().map(month_key).collect()
        };
        assert_eq!(keys(None), ["2026-03"]);
        assert_eq!(keys(Some(day("2025-12-31"))), ["2026-03", "2026-02", "2026-01", "2025-12"]);
        assert_eq!(keys(Some(day("1999-12-31"))).len(), MONTHS);
    }
}
