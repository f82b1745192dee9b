//! Where a brand's pages begin: how it goes against the time before, and what needs a hand.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::money::{Currency, Money, round_half_away};
use crate::domain::time::Millis;
use crate::error::Result;
use crate::web::api::campaigns::{self, CampaignView};
use crate::web::api::claims::{self, ClaimView};
use crate::web::api::codes::{self, CodeView};
use crate::web::api::messages::{self, ConversationView};
use crate::web::api::notes::{self, FollowUpView};
use crate::web::api::orders::{self, OrderView};
use crate::web::api::report_overview::{self as report, OverviewView};
use crate::web::api::{creators, deals, stores};
use crate::web::extract::{Caller, Params};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::chart::{Chart, Series, Shape, chart};
use crate::web::pages::shell::{Area, At};
use crate::web::pages::ui::{self, Html};

use super::orders::Names;
use super::reports::Asking;
use super::words;

#[derive(Template)]
#[template(path = "brand/overview.html")]
struct Overview<'a> {
    home: &'a str,
    brand: &'a str,
    now_ms: Millis,
    asking: Asking<'a>,
    wrong: String,
    found: OverviewView,
    campaigns: Vec<CampaignView>,
    overdue: Vec<FollowUpView>,
    codes: Vec<CodeView>,
    claims: Vec<ClaimView>,
    unread: Vec<ConversationView>,
    orders: Vec<OrderView>,
    names: Names,
    steps: Vec<Step<'a>>,
}

/// A first step of a new brand.
struct Step<'a> {
    done: bool,
    label: &'a str,
    way: &'a str,
    hint: &'a str,
}

/// How much more or less it is than before, in words.
fn change(now: i64, before: i64) -> String {
    let points = round_half_away(i128::from(now - before) * 100, i128::from(before.abs()));
    match (before, now - before) {
        (_, 0) => "As before".to_owned(),
        (0, _) => "Nothing before".to_owned(),
        (_, 1..) if points >= 1000 => "More than ten times as much as before".to_owned(),
        (_, 1..) => format!("Up {} % from before", points.max(1)),
        (_, _) => format!("Down {} % from before", points.abs().max(1)),
    }
}

impl Overview<'_> {
    /// A figure with what it was before.
    fn figure(label: &str, value: Html, (now, before): (i64, i64), was: Html) -> Html {
        let sign = match now.cmp(&before) {
            std::cmp::Ordering::Less => ui::icon("arrow-down"),
            std::cmp::Ordering::Equal => Html::default(),
            std::cmp::Ordering::Greater => ui::icon("arrow-up"),
        };
        let told = change(now, before);
        Html::of(format!(
            "<div class=\"card stat\"><dt>{label}</dt><dd>{value}<div class=\"hint change\">{sign}<span>{told}: \
             {was}</span></div></dd></div>"
        ))
    }

    fn money(label: &str, now: Money, before: Money) -> Html {
        Self::figure(label, ui::money(&now), (now.minor, before.minor), ui::money(&before))
    }

    fn count(label: &str, now: i64, before: i64) -> Html {
        Self::figure(label, ui::count(&now), (now, before), ui::count(&before))
    }

    /// The figures of the period, each against the one before.
    fn figures(&self) -> Html {
        let (now, was) = (&self.found.period, &self.found.before);
        let of = |text: &Option<String>| super::reports::hundredths(text.as_deref());
        let spend = match (of(&now.return_on_spend), of(&was.return_on_spend)) {
            (Some(a), Some(b)) => Self::figure(
                "Return on spend",
                ui::tell(now.return_on_spend.as_deref(), "×"),
                (a, b),
                ui::tell(was.return_on_spend.as_deref(), "×"),
            ),
            _ => ui::stat(
                "Return on spend",
                ui::tell(now.return_on_spend.as_deref(), "×"),
                "Revenue for each unit of cost",
            ),
        };
        let all = [
            Self::money("Revenue", now.revenue, was.revenue),
            Self::count("Orders", now.orders, was.orders),
            Self::count("Unique clicks", now.clicks.unique, was.clicks.unique),
            Self::money("Commission", now.commission, was.commission),
            Self::money("Paid to creators", now.paid, was.paid),
            spend,
        ];
        Html::of(all.iter().map(ToString::to_string).collect())
    }

    /// Money by day, and beside it what was counted.
    fn charts(&self) -> Html {
        let days = &self.found.series;
        let code = self.found.currency.code();
        let names = [format!("Revenue, {code}"), format!("Commission, {code}")];
        let [revenue, commission] = [&names[0], &names[1]];
        let series = |name, shape, right| Series { name, shape, right };
        let money = Chart {
            title: "Revenue and commission by day",
            lead: "After refunds, on the day of the order.",
            of: "Day",
            series: &[series(revenue, Shape::Area, false), series(commission, Shape::Line, false)],
            rows: days
                .iter()
                .map(|d| {
                    (ui::date(&d.day.0), vec![ui::money(&d.revenue), ui::money(&d.commission)])
                })
                .collect(),
        };
        let counts = Chart {
            title: "Orders and clicks by day",
            lead: "Orders on the left, unique clicks on the right.",
            of: "Day",
            series: &[
                series("Orders", Shape::Bars, false),
                series("Unique clicks", Shape::Line, true),
            ],
            rows: days
                .iter()
                .map(|d| {
                    (ui::date(&d.day.0), vec![ui::count(&d.orders), ui::count(&d.unique_clicks)])
                })
                .collect(),
        };
        Html::of(format!("{}{}", chart(&money), chart(&counts)))
    }

    /// Currencies in which there were orders, or something is owed, too.
    fn others(&self) -> Vec<Currency> {
        let all = self.found.currencies.iter().copied();
        all.filter(|other| *other != self.found.currency).collect()
    }

    fn nothing_to_do(&self) -> bool {
        let n = &self.found.needs_a_hand;
        n.payout_drafts == 0
            && n.unpaid_payments == 0
            && n.failed_payments == 0
            && n.failed_codes == 0
            && n.quarantined == 0
            && n.overdue_follow_ups == 0
            && n.incomplete_days == 0
            && n.unread_conversations == 0
            && n.open_claims == 0
            && n.failed_automation_runs == 0
    }
}

/// How many, in words; what is counted stops at 1,000.
fn many(count: &i64, one: &str, several: &str) -> String {
    match *count {
        1 => format!("1 {one}"),
        1000.. => format!("1,000 or more {several}"),
        n => format!("{n} {several}"),
    }
}

/// Which of the first steps are done.
async fn steps<'a>(app: &App, at: &At, campaigns: bool) -> Result<Vec<Step<'a>>> {
    let state = || State(app.clone());
    let one = || Params::of(&[("limit", "1")]);
    let Json(stores) = stores::list(state(), at.seat.caller()?, one()).await?;
    let Json(creators) = creators::list(state(), at.seat.caller()?, one()).await?;
    let Json(deals) = deals::list(state(), at.seat.caller()?, one()).await?;
    let step = |done, label, way, hint| Step { done, label, way, hint };
    Ok(vec![
        step(
            !stores.data.is_empty(),
            "Connect a store",
            "/stores",
            "Its orders come in by themselves then.",
        ),
        step(
            campaigns,
            "Make a campaign",
            "/campaigns",
            "It is a board: its stages are the columns.",
        ),
        step(!creators.data.is_empty(), "Add creators", "/creators", "One by one, or from a file."),
        step(
            !deals.data.is_empty(),
            "Agree on a deal",
            "/campaigns",
            "A rate, a code and a link for each creator.",
        ),
    ])
}

/// How it goes, and what needs a hand.
pub async fn show(State(app): State<App>, at: At) -> Result<Response> {
    let brand = super::reports::brand_of(&app, &at).await?;
    let asking = Asking::of(&at, "", brand.timezone.day(app.now_ms()));
    let state = || State(app.clone());
    let some = |limit| Params::of(&[("limit", limit)]);
    let few = |name, value| Params::of(&[("limit", "5"), (name, value)]);
    let asked = asking.params(&["from", "to", "currency"]);
    let caller: Caller = at.seat.caller()?;
    let (status, wrong, found) = match report::report(&app, caller.brand, &asked).await {
        Ok((found, _)) => (StatusCode::OK, String::new(), found),
        Err(error) => {
            let (status, wrong) = super::reports::mendable(*error)?;
            let (found, _) = report::report(&app, caller.brand, &Params::of(&[])).await?;
            (status, wrong, found)
        }
    };
    let Json(campaigns) = campaigns::list(state(), at.seat.caller()?, some("20")).await?;
    let Json(orders) = orders::list(state(), at.seat.caller()?, some("10")).await?;
    let needs = &found.needs_a_hand;
    let (mut overdue, mut codes, mut claims, mut unread) = (vec![], vec![], vec![], vec![]);
    if needs.overdue_follow_ups > 0 {
        overdue = notes::across(state(), at.seat.caller()?, few("state", "overdue")).await?.0.data;
    }
    if needs.failed_codes > 0 {
        codes = codes::list(state(), at.seat.caller()?, few("state", "failed")).await?.0.data;
    }
    if needs.open_claims > 0 {
        claims = claims::list(state(), at.seat.caller()?, few("state", "open")).await?.0.data;
    }
    if needs.unread_conversations > 0 {
        let asked = few("unread", "true");
        unread = messages::conversations(state(), at.seat.caller()?, asked).await?.0.data;
    }
    let mut ids: Vec<_> = orders.data.iter().filter_map(|order| order.deal_id).collect();
    ids.extend(overdue.iter().map(|one| one.deal_id));
    ids.extend(codes.iter().map(|one| one.deal_id));
    ids.extend(claims.iter().filter_map(|one| one.deal_id));
    ids.extend(unread.iter().map(|one| one.deal_id));
    let new = orders.data.is_empty();
    let steps = if new { steps(&app, &at, !campaigns.data.is_empty()).await? } else { vec![] };
    let member = at.seat.member()?;
    let content = Overview {
        home: &at.home,
        brand: &member.brand,
        now_ms: app.now_ms(),
        asking,
        wrong,
        found,
        campaigns: campaigns.data,
        overdue,
        codes,
        claims,
        unread,
        names: Names::of(&app, member.brand_id, ids).await?,
        orders: orders.data,
        steps,
    };
    at.render((status, "Overview", Area::Overview), &at.csrf(&app), &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_words() {
        for (now, before, told) in [
            (0, 0, "As before"),
            (5, 0, "Nothing before"),
            (112, 100, "Up 12 % from before"),
            (1001, 1000, "Up 1 % from before"),
            (0, 100, "Down 100 % from before"),
            (999, 1000, "Down 1 % from before"),
            (-50, 100, "Down 150 % from before"),
            (50, -100, "Up 150 % from before"),
            (i64::MAX / 4, 1, "More than ten times as much as before"),
        ] {
            assert_eq!(change(now, before), told, "{now} {before}");
        }
    }
}
