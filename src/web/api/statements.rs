//! Monthly statements: what was owed, everything that was posted, what is owed then.

use http::StatusCode;

use crate::app::App;
use crate::domain::brand::Brand;
use crate::domain::ids::{Creator, CreatorId};
use crate::domain::money::{Currency, Money};
use crate::domain::time::{Day, Millis, to_rfc3339};
use crate::error::{Error, Result};
use crate::storage::creators;
use crate::storage::payouts::{self as rows, OpeningRow, StatementRow};
use crate::web::csv;
use crate::web::extract::{Caller, Me, Params, PathId, encode_cursor};
use crate::web::handler::{Answer, Json, State};
use crate::web::json::view;
use crate::web::message::Response;

use super::view::Time;

view! {
    /// A creator's statement of a month, in the brand's calendar.
    #[schema(as = Statement)]
    pub struct StatementView {
        /// `2026-10`
        month: String,
        /// What she was owed when the month began and ended, per currency.
        balances: Vec<StatementBalance>,
        /// Her entries, as they were posted.
        data: Vec<StatementEntry>,
        #[schema(required)]
        next_cursor: Option<String>,
    }
}

view! {
    /// What was owed (pending, available and in payouts, less what she owes back), decimal texts.
    pub struct StatementBalance {
        currency: Currency,
        opening: String,
        /// The next month's opening.
        closing: String,
        /// Paid within the month.
        paid: String,
    }
}

view! {
    /// An entry of the ledger on one of her accounts.
    pub struct StatementEntry {
        /// Its place in the brand's ledger.
        sequence: i64,
        posted_at: Time,
        /// `pending`, `available`, `in_payout`, `paid` or `clawback`.
        account: &'static str,
        amount: Money,
        /// `order`, `release`, `fee`, `adjustment`, `payout` or `settlement`.
        cause: String,
        cause_id: String,
        /// The order's name, the fee's note, the adjustment's reason.
        #[schema(required)]
        text: Option<String>,
    }
}

/// The creator's statement of a month.
#[utoipa::path(get, path = "/v1/me/statement", tag = "creator", security(("creator" = [])),
    params(("month" = String, Query, description = "`2026-10`"), ("cursor" = Option<String>, Query),
    ("limit" = Option<i64>, Query), ("format" = Option<String>, Query, description = "`csv`")),
    responses((status = 200, body = StatementView)))]
pub async fn mine(State(app): State<App>, me: Me, params: Params) -> Result<Response> {
    let brand = super::brand::find(&app, me.brand).await?.brand;
    statement(&app, &brand, me.creator, params).await
}

/// A creator's statement of a month.
#[utoipa::path(get, path = "/v1/creators/{id}/statement", tag = "payouts",
    security(("api_key" = ["read"])), params(("id" = CreatorId, Path),
    ("month" = String, Query, description = "`2026-10`"), ("cursor" = Option<String>, Query),
    ("limit" = Option<i64>, Query), ("format" = Option<String>, Query, description = "`csv`")),
    responses((status = 200, body = StatementView)))]
pub async fn of_creator(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Creator>,
    params: Params,
) -> Result<Response> {
    creators::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let brand = super::brand::find(&app, caller.brand).await?.brand;
    statement(&app, &brand, id.0, params).await
}

async fn statement(
    app: &App,
    brand: &Brand,
    creator: CreatorId,
    params: Params,
) -> Result<Response> {
    let params = params.only(&["month", "limit", "cursor", "format"])?;
    let month = params.get("month").unwrap_or_default();
    let period = period_of(brand, month)?;
    let page = params.page()?;
    let bad_cursor = |_| Error::invalid("cursor", "is none that this list gave");
    let after = match page.after.as_str() {
        "" => 0,
        sequence => sequence.parse().map_err(bad_cursor)?,
    };
    let as_csv = match params.get("format") {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(Error::invalid("format", "must be json or csv")),
    };
    let opening = rows::opening(app.db(), brand.id, creator, period.0).await?;
    let closing = rows::opening(app.db(), brand.id, creator, period.1).await?;
    let place = (after, page.limit);
    let found = rows::statement(app.db(), brand.id, creator, period, place).await?;
    if as_csv {
        return Ok(Response::new(StatusCode::OK, "text/csv; charset=utf-8", table(&found)));
    }
    let full = i64::try_from(found.len()).is_ok_and(|n| n >= page.limit);
    let last = found.last().filter(|_| full).map(|row| encode_cursor(&row.sequence.to_string()));
    let view = StatementView {
        month: month.to_owned(),
        balances: closing.iter().map(|closing| balance(&opening, closing)).collect(),
        data: found.into_iter().map(entry).collect(),
        next_cursor: last,
    };
    Json(view).answer()
}

/// The first moment of a month and of the one after it.
fn period_of(brand: &Brand, month: &str) -> Result<(Millis, Millis)> {
    let wrong = || Error::invalid("month", "must be a month such as 2026-10");
    let first = Day::from_iso(&format!("{month}-01")).ok_or_else(wrong)?;
    // Some day of the next month, and then its first.
    let next = first.plus(31).to_iso();
    let next = Day::from_iso(&format!("{}-01", next.get(..7).unwrap_or_default()));
    let zone = &brand.timezone;
    Ok((zone.start_of(first), zone.start_of(next.ok_or_else(wrong)?)))
}

fn balance(opening: &[OpeningRow], closing: &OpeningRow) -> StatementBalance {
    let before = opening.iter().find(|row| row.currency == closing.currency);
    let text = |minor| Money::new(minor, closing.currency).to_decimal();
    StatementBalance {
        currency: closing.currency,
        opening: text(before.map_or(0, |row| row.owed_minor)),
        closing: text(closing.owed_minor),
        paid: text(closing.paid_minor - before.map_or(0, |row| row.paid_minor)),
    }
}

fn entry(row: StatementRow) -> StatementEntry {
    StatementEntry {
        sequence: row.sequence,
        posted_at: Time(row.posted_at_ms),
        account: row.account.as_str(),
        amount: Money::new(row.amount_minor, row.currency),
        cause: row.cause,
        cause_id: row.cause_id,
        text: row.text.filter(|text| !text.is_empty()),
    }
}

fn table(found: &[StatementRow]) -> String {
    let mut out =
        String::from("sequence,posted_at,account,amount,currency,cause,cause_id,text\r\n");
    for row in found {
        let amount = Money::new(row.amount_minor, row.currency).to_decimal();
        csv::line(
            &mut out,
            &[
                &row.sequence.to_string(),
                &to_rfc3339(row.posted_at_ms),
                row.account.as_str(),
                &amount,
                row.currency.code(),
                &row.cause,
                &row.cause_id,
                row.text.as_deref().unwrap_or_default(),
            ],
        );
    }
    out
}
