//! Who is owed what and why, before anybody is paid; and what the books say of a payment.

use crate::app::App;
use crate::domain::ids::{CreatorId, Payout, PayoutId, PayoutLine, PayoutLineId};
use crate::domain::money::{Currency, Money};
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::storage::owed::{self as rows, OwedRow};
use crate::storage::payouts as stored;
use crate::web::extract::{Caller, Params, PathId, encode_cursor};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::view;

use super::payout_views::SendingView;
use super::payouts::find;
use super::view::{Date, Time};

view! {
    /// Who is owed what in one currency, and what a draft would pay now.
    #[schema(as = Owed)]
    pub struct OwedList {
        pub(crate) currency: Currency,
        /// All in which anybody has something, and the brand's own.
        pub(crate) currencies: Vec<Currency>,
        /// What a creator needs to be paid without being named, if the brand set it in this currency.
        #[schema(required)]
        pub(crate) minimum: Option<Money>,
        /// Of everybody, whatever page this is.
        pub(crate) totals: OwedTotals,
        /// Who would be paid first, then by what is available, then by what is pending.
        pub(crate) data: Vec<OwedView>,
        #[schema(required)]
        pub(crate) next_cursor: Option<String>,
    }
}

view! {
    /// What is owed to everybody in one currency.
    #[schema(as = OwedTotals)]
    pub struct OwedTotals {
        /// What a draft of everybody would pay: at most 1000 creators with one payout.
        pub(crate) payable: Money,
        pub(crate) payable_creators: i64,
        /// Available, but not paid yet: see `reason` of each.
        pub(crate) held_back: Money,
        pub(crate) held_back_creators: i64,
        /// In the hold period.
        pub(crate) pending: Money,
        /// Owed back by creators.
        pub(crate) clawback: Money,
    }
}

view! {
    /// What a creator is owed.
    #[schema(as = OwedCreator)]
    pub struct OwedView {
        pub(crate) creator_id: CreatorId,
        pub(crate) name: String,
        pub(crate) available: Money,
        /// In the hold period.
        pub(crate) pending: Money,
        /// The day on which the first of it becomes available.
        #[schema(required)]
        pub(crate) pending_from: Option<Date>,
        /// The day on which the last of it does.
        #[schema(required)]
        pub(crate) pending_until: Option<Date>,
        /// Owed back, paid off by later earnings first.
        pub(crate) clawback: Money,
        /// Null: a draft pays her. Otherwise `nothing_available`, `no_payment_details`,
        /// `details_changed` (they wait two days) or `below_minimum`.
        #[schema(required)]
        pub(crate) reason: Option<&'static str>,
        /// From when on her payment details are used, if there are any.
        #[schema(required)]
        pub(crate) details_usable_at: Option<Time>,
    }
}

/// Why somebody isn't paid who has so much available.
pub fn hindrance(
    available_minor: i64,
    usable_at_ms: Option<Millis>,
    minimum_minor: i64,
    now_ms: Millis,
) -> Option<&'static str> {
    match usable_at_ms {
        _ if available_minor <= 0 => Some("nothing_available"),
        None => Some("no_payment_details"),
        Some(at) if at > now_ms => Some("details_changed"),
        _ if available_minor < minimum_minor => Some("below_minimum"),
        _ => None,
    }
}

/// Who comes where: the payable first, then by amounts, then by id. Also the key of a page.
fn key(row: &OwedRow, reason: Option<&str>) -> String {
    let down = |minor: i64| i64::MAX - minor.max(0);
    let (free, pending) = (down(row.free_minor), down(row.pending_minor));
    let group = if reason.is_some() { 1 } else { 0 };
    format!("{group}/{free:019}/{pending:019}/{}", row.creator_id)
}

/// Who is owed what in a currency (the brand's own if none is named), and why a draft would leave her out.
#[utoipa::path(get, path = "/v1/owed", tag = "payouts", security(("api_key" = ["read"])),
    params(("currency" = Option<String>, Query), ("limit" = Option<i64>, Query),
    ("cursor" = Option<String>, Query)), responses((status = 200, body = OwedList)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<OwedList>> {
    let params = params.only(&["currency", "limit", "cursor"])?;
    let page = params.page()?;
    let brand = super::brand::find(&app, caller.brand).await?.brand;
    let currency = match params.get("currency") {
        None => brand.currency,
        Some(code) => code.parse().map_err(|e| Error::invalid("currency", e))?,
    };
    let (now_ms, today) = (app.now_ms(), brand.timezone.day(app.now_ms()));
    let minimum = brand.payout_minimum.filter(|minimum| minimum.currency == currency);
    let minimum_minor = minimum.map_or(0, |minimum| minimum.minor);
    let found = rows::owed(app.db(), caller.brand, currency, today).await?;
    let mut currencies = stored::currencies(app.db(), caller.brand).await?;
    for more in [brand.currency, currency] {
        if !currencies.contains(&more) {
            currencies.push(more);
        }
    }
    let why =
        |row: &OwedRow| hindrance(row.free_minor.max(0), row.usable_at_ms, minimum_minor, now_ms);
    let totals = totals(&found, currency, why);
    let mut keyed: Vec<(String, OwedRow)> =
        found.into_iter().map(|row| (key(&row, why(&row)), row)).collect();
    keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    keyed.retain(|(key, _)| key > &page.after);
    let limit = usize::try_from(page.limit).unwrap_or_default();
    let next_cursor = (keyed.len() > limit)
        .then(|| limit.checked_sub(1).and_then(|at| keyed.get(at)))
        .flatten()
        .map(|(key, _)| encode_cursor(key));
    let money = |minor: i64| Money::new(minor, currency);
    let data = keyed.into_iter().take(limit).map(|(_, row)| OwedView {
        reason: why(&row),
        creator_id: row.creator_id,
        name: row.name,
        available: money(row.free_minor.max(0)),
        pending: money(row.pending_minor),
        pending_from: row.first_day.map(Date),
        pending_until: row.last_day.map(Date),
        clawback: money((-row.free_minor).max(0)),
        details_usable_at: row.usable_at_ms.map(Time),
    });
    let data = data.collect();
    Ok(Json(OwedList { currency, currencies, minimum, totals, data, next_cursor }))
}

fn totals(
    found: &[OwedRow],
    currency: Currency,
    why: impl Fn(&OwedRow) -> Option<&'static str>,
) -> OwedTotals {
    let mut sums = [0_i64; 6];
    let [payable, payables, held, helds, pending, clawback] = &mut sums;
    for row in found {
        *pending = pending.saturating_add(row.pending_minor);
        let free = row.free_minor;
        match why(row) {
            None => (*payable, *payables) = (payable.saturating_add(free), *payables + 1),
            Some(_) if free > 0 => (*held, *helds) = (held.saturating_add(free), *helds + 1),
            Some(_) => *clawback = clawback.saturating_sub(free),
        }
    }
    let money = |minor: i64| Money::new(minor, currency);
    OwedTotals {
        payable: money(*payable),
        payable_creators: *payables,
        held_back: money(*held),
        held_back_creators: *helds,
        pending: money(*pending),
        clawback: money(*clawback),
    }
}

view! {
    /// What the books say of a payment, oldest first.
    #[schema(as = PaymentEntries)]
    pub struct LineEntries {
        pub(crate) creator_id: CreatorId,
        pub(crate) payout_id: PayoutId,
        pub(crate) line_id: PayoutLineId,
        pub(crate) data: Vec<LineEntry>,
    }
}

view! {
    /// One entry of the ledger about a payment.
    #[schema(as = PaymentEntry)]
    pub struct LineEntry {
        /// Where it stands in the ledger.
        pub(crate) sequence: i64,
        /// Of the creator: `available`, `in_payout` or `paid`.
        pub(crate) account: &'static str,
        /// Signed: what leaves an account is negative.
        pub(crate) amount: Money,
        /// `payout`: it left; `settlement`: it arrived or came back.
        pub(crate) cause: String,
        pub(crate) posted_at: Time,
    }
}

/// The entries of the ledger about one payment, of all its tries.
#[utoipa::path(get, path = "/v1/payouts/{id}/lines/{line_id}/entries", tag = "payouts",
    security(("api_key" = ["read"])), params(("id" = PayoutId, Path),
    ("line_id" = PayoutLineId, Path)), responses((status = 200, body = LineEntries)))]
pub async fn entries(
    State(app): State<App>,
    caller: Caller,
    at: LinePath,
) -> Result<Json<LineEntries>> {
    let found = find(&app, &caller, at.payout).await?;
    let line = found.lines.iter().find(|line| line.id == at.line).ok_or(Error::NotFound)?;
    let told = rows::of_line(app.db(), caller.brand, at.payout, at.line).await?;
    let data = told.into_iter().map(|row| LineEntry {
        sequence: row.sequence,
        account: row.account.as_str(),
        amount: Money::new(row.amount_minor, row.currency),
        cause: row.cause,
        posted_at: Time(row.posted_at_ms),
    });
    let (creator_id, data) = (line.creator_id, data.collect());
    Ok(Json(LineEntries { creator_id, payout_id: at.payout, line_id: at.line, data }))
}

/// The payout and the line in the path.
pub struct LinePath {
    /// The payout.
    pub payout: PayoutId,
    /// Its line.
    pub line: PayoutLineId,
}

impl Extract for LinePath {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let PathId(payout) = PathId::<Payout>::extract(call)?;
        let second = Call { id: call.second, identity: call.identity.clone(), ..*call };
        let PathId(line) = PathId::<PayoutLine>::extract(&second)?;
        Ok(Self { payout, line })
    }
}

impl SendingView {
    /// Where it stands, in words.
    pub fn words(&self) -> &'static str {
        match self.state {
            "waiting" => "is sent next",
            "sending" => "may be on its way",
            "sent" => "on its way",
            "settled" => "arrived",
            "failed" => "came back",
            "contradicted" => "told one end, then the other: look there",
            _ => "nobody asks any more: say what became of it",
        }
    }
}
