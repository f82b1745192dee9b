//! Reports as pages: the figures of the API (`web/api/report*`), over a period of the brand's days, sorted by the
//! heads of their tables, as files. What is asked for stands in the address.

pub mod compared;
pub mod sources;
pub mod what_if;

use std::fmt::Write;

use crate::app::App;
use crate::domain::brand::Brand;
use crate::domain::money::Money;
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::web::api::campaigns::{self, CampaignView};
use crate::web::api::segments::{self, SegmentView};
use crate::web::extract::{Caller, Params};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::At;
use crate::web::pages::ui::{self, Field, Html, esc};

/// Every report: its way, and what it is called.
const REPORTS: [(&str, &str); 7] = [
    ("creators", "Creators"),
    ("campaigns", "Campaigns"),
    ("stages", "Stages"),
    ("sources", "Codes and links"),
    ("cohorts", "Cohorts"),
    ("posts", "Posts"),
    ("what-if", "What if?"),
];

/// Periods by name, the first of which holds where none is said.
const PERIODS: [(&str, &str); 7] = [
    ("30d", "30 days"),
    ("7d", "7 days"),
    ("90d", "90 days"),
    ("month", "This month"),
    ("last-month", "Last month"),
    ("year", "This year"),
    ("all", "All time"),
];

/// What links within a page keep.
const KEPT: [&str; 12] = [
    "period",
    "from",
    "to",
    "campaign_id",
    "filter",
    "segment",
    "currency",
    "high_orders",
    "high_return",
    "days",
    "months",
    "sort",
];

/// What goes along from report to report.
const GOES_ALONG: [&str; 7] =
    ["period", "from", "to", "campaign_id", "filter", "segment", "currency"];

/// What a page of figures is asked for.
pub struct Asking<'a> {
    at: &'a At,
    /// The page, without what is asked.
    pub path: String,
    /// The first day; empty without one.
    pub from: String,
    /// The last.
    pub to: String,
    /// The name of the period; empty where its days were said.
    period: &'static str,
}

impl<'a> Asking<'a> {
    /// Reads it. What is no day stays as it is: the report refuses it.
    #[must_use]
    pub fn of(at: &'a At, path: &str, today: Day) -> Self {
        let path = format!("{}{path}", at.home);
        let (from, to) = (at.get("from").to_owned(), at.get("to").to_owned());
        if !from.is_empty() || !to.is_empty() {
            return Self { at, path, from, to, period: "" };
        }
        let known = PERIODS.iter().find(|(name, _)| *name == at.get("period"));
        let period = known.map_or("30d", |(name, _)| name);
        let (from, to) = days_of(period, today);
        Self { at, path, from, to, period }
    }

    /// A parameter as it was sent.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.at.get(name)
    }

    /// What the API is asked: these parameters, with the days of the period.
    #[must_use]
    pub fn params(&self, names: &[&str]) -> Params {
        let told = names.iter().map(|name| match *name {
            "from" => ("from", self.from.as_str()),
            "to" => ("to", self.to.as_str()),
            other => (other, self.at.get(other)),
        });
        Params::of(&told.collect::<Vec<_>>())
    }

    /// The address of this page, asked otherwise: parameters that replace those of the same name.
    #[must_use]
    pub fn href(&self, change: &[(&str, &str)]) -> String {
        let kept = KEPT.iter().map(|name| {
            let changed = change.iter().find(|(other, _)| other == name);
            (*name, changed.map_or_else(|| self.at.get(name), |(_, value)| value))
        });
        let new = change.iter().filter(|(name, _)| !KEPT.contains(name)).copied();
        ui::address(&self.path, kept.chain(new))
    }

    /// The way to this report as a file.
    #[must_use]
    pub fn csv(&self) -> Html {
        let (href, icon) = (esc(&self.href(&[("format", "csv")])), ui::icon("download"));
        Html::of(format!("<a class=\"btn\" href=\"{href}\" download>{icon}CSV</a>"))
    }

    /// The way to the next page.
    #[must_use]
    pub fn pager(&self, next: Option<&String>) -> Html {
        let kept: Vec<(&str, &str)> = KEPT.iter().map(|name| (*name, self.at.get(name))).collect();
        ui::pager(&self.path, &kept, next)
    }

    /// The head of a column that the table can be sorted by; `usual` is how it is sorted if nothing is said.
    #[must_use]
    pub fn head(&self, label: &str, by: &str, usual: &str) -> Html {
        let said = self.at.get("sort");
        let now = if said.is_empty() { usual } else { said };
        let (next, state, sign) = ui::sorting(now, by);
        let href = esc(&self.href(&[("sort", &next)]));
        Html::of(format!(
            "<th scope=\"col\" class=\"num\"{state}><a href=\"{href}\">{}{sign}</a></th>",
            esc(label)
        ))
    }

    /// The days that it is about, in words.
    #[must_use]
    pub fn span(&self) -> Html {
        let day = |text: &str| Day::from_iso(text).map(|day| ui::date(&day).to_string());
        Html::of(match (day(&self.from), day(&self.to)) {
            (Some(from), Some(to)) => format!("{from} to {to}"),
            (Some(from), None) => format!("From {from} on"),
            (None, Some(to)) => format!("Up to {to}"),
            (None, None) => "All time".to_owned(),
        })
    }

    /// Periods by name to choose from; `longest` whether all time is one of them.
    #[must_use]
    pub fn periods(&self, longest: bool) -> Html {
        let mut html = "<nav class=\"periods no-print\" aria-label=\"Period\">".to_owned();
        for (name, label) in PERIODS.iter().filter(|(name, _)| longest || *name != "all") {
            let href = esc(&self.href(&[("period", name), ("from", ""), ("to", "")]));
            let current = if *name == self.period { " aria-current=\"true\"" } else { "" };
            let _ = write!(html, "<a class=\"btn btn-sm\" href=\"{href}\"{current}>{label}</a>");
        }
        html.push_str("</nav>");
        Html::of(html)
    }

    /// The fields for days of one's own.
    #[must_use]
    pub fn dates(&self) -> Html {
        let own = self.period.is_empty();
        let line = |name, label, value: &str| {
            let value = if own { value } else { "" };
            ui::field(&Field { name, label, value, kind: "date", ..Field::default() }).to_string()
        };
        Html::of(line("from", "From", &self.from) + &line("to", "To", &self.to))
    }

    /// What the form doesn't ask and keeps.
    #[must_use]
    pub fn hidden(&self, names: &[&str]) -> Html {
        let kept = names.iter().map(|name| (*name, self.at.get(name)));
        let mut html = String::new();
        for (name, value) in kept.filter(|(_, value)| !value.is_empty()) {
            let _ =
                write!(html, "<input type=\"hidden\" name=\"{name}\" value=\"{}\">", esc(value));
        }
        Html::of(html)
    }

    /// A field that is one line.
    #[must_use]
    pub fn line(&self, name: &str, label: &str, hint: &str) -> Html {
        ui::field(&Field { name, label, hint, value: self.at.get(name), ..Field::default() })
    }

    /// The ways to the other reports.
    #[must_use]
    pub fn tabs(&self) -> Html {
        let ways = REPORTS.iter().map(|(way, label)| {
            let path = format!("{}/reports/{way}", self.at.home);
            let current = path == self.path;
            let asks = if matches!(*way, "cohorts" | "what-if") { &[][..] } else { &GOES_ALONG };
            let query = asks.iter().map(|name| (*name, self.at.get(name)));
            (ui::address(&path, query), *label, current)
        });
        ui::tabs("Reports", &ways.collect::<Vec<_>>())
    }
}

/// The days of a period, both included.
fn days_of(period: &str, today: Day) -> (String, String) {
    let first = today.plus(1 - today.of_month());
    let (from, to) = match period {
        "all" => return (String::new(), String::new()),
        "7d" => (today.plus(-6), today),
        "90d" => (today.plus(-89), today),
        "month" => (first, today),
        "last-month" => {
            let last = first.plus(-1);
            (last.plus(1 - last.of_month()), last)
        }
        "year" => {
            let (year, ..) = today.to_civil();
            (Day::from_iso(&format!("{year:04}-01-01")).unwrap_or(first), today)
        }
        _ => (today.plus(-29), today),
    };
    (from.to_iso(), to.to_iso())
}

/// What pages narrow reports by: campaigns and saved filters.
pub struct Choices {
    campaigns: Vec<CampaignView>,
    segments: Vec<SegmentView>,
}

impl Choices {
    /// The brand's.
    ///
    /// # Errors
    /// 503 if D1 is away.
    pub async fn of(app: &App, at: &At) -> Result<Self> {
        let many = || Params::of(&[("limit", "200")]);
        let state = || State(app.clone());
        let Json(campaigns) = campaigns::list(state(), at.seat.caller()?, many()).await?;
        let Json(segments) = segments::list(state(), at.seat.caller()?, many()).await?;
        Ok(Self { campaigns: campaigns.data, segments: segments.data })
    }

    /// A choice of a campaign.
    #[must_use]
    pub fn campaign(&self, chosen: &str) -> Html {
        let mut options = vec![(String::new(), "All".to_owned())];
        let told = self.campaigns.iter().map(|one| (one.id.to_string(), one.name.clone()));
        options.extend(told);
        ui::select("campaign_id", "Campaign", &options, chosen)
    }

    /// A choice of a segment; nothing if there is none.
    #[must_use]
    pub fn segment(&self, chosen: &str) -> Html {
        if self.segments.is_empty() && chosen.is_empty() {
            return Html::default();
        }
        let mut options = vec![(String::new(), "None".to_owned())];
        options.extend(self.segments.iter().map(|one| (one.id.to_string(), one.name.clone())));
        ui::select("segment", "Segment", &options, chosen)
    }
}

/// The brand, whose calendar days are of.
pub(super) async fn brand_of(app: &App, at: &At) -> Result<Brand> {
    let caller: Caller = at.seat.caller()?;
    Ok(crate::web::api::brand::find(app, caller.brand).await?.brand)
}

/// To the first of them.
pub async fn first(at: At) -> Result<Response> {
    Ok(at.see("/reports/creators"))
}

/// An error that a form of a report can mend, as the page says it.
pub(super) fn mendable(error: Error) -> Result<(http::StatusCode, String)> {
    crate::web::pages::shell::wrong(error)
}

/// What is told of a whole by its rows.
fn most(amounts: impl Iterator<Item = Money>) -> i64 {
    amounts.map(|amount| amount.minor).max().unwrap_or(0)
}

/// A decimal text of two places as hundredths, to sort by; nothing is below everything.
pub(super) fn hundredths(text: Option<&str>) -> Option<i64> {
    let value: crate::domain::decimal::Decimal = text?.parse().ok()?;
    Some(value.rounded(2))
}

/// Sorts the rows of a whole table by what the page was asked for, if it is one of these columns. What is equal
/// stays in the order that the report has.
fn sorted<T>(rows: &mut [T], sort: &str, key: impl Fn(&T, &str) -> Option<Option<i64>>) {
    let (name, falls) = sort.strip_prefix('-').map_or((sort, false), |name| (name, true));
    if rows.first().is_some_and(|row| key(row, name).is_some()) {
        rows.sort_by(|a, b| {
            let order = key(a, name).flatten().cmp(&key(b, name).flatten());
            if falls { order.reverse() } else { order }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_days_of_the_calendar() {
        let today = Day::from_iso("2026-03-01").unwrap();
        for (name, from, to) in [
            ("30d", "2026-01-31", "2026-03-01"),
            ("7d", "2026-02-23", "2026-03-01"),
            ("90d", "2025-12-02", "2026-03-01"),
            ("month", "2026-03-01", "2026-03-01"),
            ("last-month", "2026-02-01", "2026-02-28"),
            ("year", "2026-01-01", "2026-03-01"),
            ("all", "", ""),
        ] {
            assert_eq!(days_of(name, today), (from.to_owned(), to.to_owned()), "{name}");
        }
    }

    #[test]
    fn unknown_is_below_everything_and_equal_rows_stay() {
        let mut rows = [(1, Some(5)), (2, None), (3, Some(7)), (4, Some(5))];
        let key = |row: &(i64, Option<i64>), name: &str| (name == "x").then_some(row.1);
        let order = |rows: &[(i64, Option<i64>)]| rows.iter().map(|row| row.0).collect::<Vec<_>>();
        sorted(&mut rows, "-x", key);
        assert_eq!(order(&rows), [3, 1, 4, 2]);
        sorted(&mut rows, "x", key);
        assert_eq!(order(&rows), [2, 1, 4, 3]);
        sorted(&mut rows, "-y", key);
        assert_eq!(order(&rows), [2, 1, 4, 3]);
    }
}
