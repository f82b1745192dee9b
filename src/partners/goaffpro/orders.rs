//! Orders as GoAffPro tells them.

use serde_json::Value;

use super::{clip, codes, id, parse_time, text};
use crate::domain::micros::Micros;
use crate::domain::money::{Currency, MoneyError};
use crate::domain::order::{Evidence, Line, Payment, Snapshot, UsedCode};
use crate::domain::time::{DAY_MS, Millis};

/// 2010-01-01 UTC: an order from before is a broken clock.
const EARLIEST_MS: Millis = 1_262_304_000_000;

/// Why a row can't be used, in words for the brand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It has none, or it is no whole number.
    #[error("GoAffPro told a row without a usable id")]
    Id,
    /// Not plain digits with at most six decimals, or below zero.
    #[error("GoAffPro told an amount that is no plain decimal number")]
    Amount,
    /// More than the books take.
    #[error("GoAffPro told an amount that is too large")]
    TooLarge,
    /// Not the store's.
    #[error("GoAffPro told an amount in another currency than the store's")]
    Currency,
    /// None, or one that can't be.
    #[error("GoAffPro told a time that can't be read or can't be")]
    Time,
    /// A word that isn't known.
    #[error("GoAffPro told a status that isn't known here")]
    Status,
}

/// Where an order stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// `new` or `pending`.
    Open,
    /// `approved`
    Approved,
    /// `rejected`
    Rejected,
}

impl Status {
    /// The word that is kept.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

/// An order as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldOrder {
    /// Its id there.
    pub id: u64,
    /// Whose customer placed it, by the id there.
    pub affiliate: Option<u64>,
    /// The shop's number or name of it.
    pub number: String,
    /// What commission is computed from.
    pub subtotal: Micros,
    /// What it earns there, where that is told.
    pub commission: Option<Micros>,
    /// Where it stands.
    pub status: Status,
    /// It was paid, or its commission was: both mean that it is final.
    pub paid: bool,
    /// Codes used.
    pub coupons: Vec<String>,
    /// When it was placed.
    pub placed_at_ms: Millis,
    /// The buyer's address; only its keyed hash is kept.
    pub email: Option<String>,
}

/// Reads an order of a store in this currency.
///
/// # Errors
/// [`Unusable`].
pub fn order(row: &Value, currency: Currency, now_ms: Millis) -> Result<ToldOrder, Unusable> {
    let order = id(row, "id").ok_or(Unusable::Id)?;
    if text(row, "currency").is_some_and(|code| code != currency.code()) {
        return Err(Unusable::Currency);
    }
    let subtotal = amount(row, "subtotal")?.ok_or(Unusable::Amount)?;
    if subtotal.rounded(currency).is_err_and(|error| error == MoneyError::TooLarge) {
        return Err(Unusable::TooLarge);
    }
    let status = match text(row, "status") {
        Some("new" | "pending") => Status::Open,
        Some("approved") => Status::Approved,
        Some("rejected") => Status::Rejected,
        _ => return Err(Unusable::Status),
    };
    // Some clients say `created_at`, the documentation `created`.
    let told = text(row, "created").or_else(|| text(row, "created_at"));
    let placed_at_ms = told.and_then(parse_time).ok_or(Unusable::Time)?;
    if placed_at_ms < EARLIEST_MS || placed_at_ms > now_ms + DAY_MS {
        return Err(Unusable::Time);
    }
    let paid = match row.get("is_paid") {
        Some(Value::Bool(paid)) => *paid,
        _ => matches!(text(row, "is_paid"), Some("1" | "true")),
    };
    let number = text(row, "number").map(|number| clip(number, 64));
    let affiliate = match row.get("affiliate_id") {
        None | Some(Value::Null) => None,
        // 0 is nobody; what is no number names nobody that could be known.
        Some(_) => id(row, "affiliate_id"),
    };
    let coupons = codes(row.get("coupons").or_else(|| row.get("coupon")));
    let email = text(row, "customer_email").filter(|email| email.contains('@'));
    Ok(ToldOrder {
        id: order,
        affiliate,
        number: number.unwrap_or_else(|| order.to_string()),
        subtotal,
        // Only compared with ours: an odd one is no reason to lose the order.
        commission: amount(row, "commission").ok().flatten(),
        status,
        paid,
        coupons,
        placed_at_ms,
        email: email.map(str::to_owned),
    })
}

fn amount(row: &Value, name: &str) -> Result<Option<Micros>, Unusable> {
    match row.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            // Spaces around an amount are no part of one.
            let told = value.as_str().ok_or(Unusable::Amount)?;
            let amount: Micros = told.parse().map_err(|error| match error {
                MoneyError::TooLarge => Unusable::TooLarge,
                _ => Unusable::Amount,
            })?;
            if amount.is_negative() { Err(Unusable::Amount) } else { Ok(Some(amount)) }
        }
    }
}

/// What of a kept order an order of ours is made from.
pub struct Kept<'a> {
    /// The shop's number or name of it.
    pub number: &'a str,
    /// What commission is computed from.
    pub subtotal: Micros,
    /// `open`, `approved`, `rejected` or `gone`.
    pub status: &'a str,
    /// It was paid.
    pub paid: bool,
    /// It isn't to count: another store tells the same order.
    pub held: bool,
    /// Codes used.
    pub coupons: Vec<String>,
    /// When it was placed.
    pub placed_at_ms: Millis,
    /// When this was told first.
    pub told_at_ms: Millis,
}

/// An order of ours: one line, whose price is the subtotal, rounded to the currency once. Rejected and
/// vanished orders are voided rather than cancelled, because there they may come back.
///
/// # Errors
/// [`Unusable::TooLarge`].
pub fn snapshot(
    kept: &Kept<'_>,
    currency: Currency,
    evidence: Evidence,
) -> Result<Snapshot, Unusable> {
    let price_minor = kept.subtotal.rounded(currency).map_err(|_| Unusable::TooLarge)?;
    let payment = match kept.status {
        "rejected" | "gone" => Payment::Voided,
        _ if kept.held => Payment::Voided,
        "approved" => Payment::Paid,
        _ if kept.paid => Payment::Paid,
        _ => Payment::Unpaid,
    };
    let line = Line {
        id: 1,
        product_id: None,
        quantity: 1,
        current_quantity: None,
        price_minor,
        discount_minor: 0,
        tax_minor: 0,
        earns: true,
    };
    let used = |code: &String| UsedCode { code: code.clone(), discount_minor: 0, is_code: true };
    Ok(Snapshot {
        updated_at_ms: kept.told_at_ms,
        placed_at_ms: kept.placed_at_ms,
        name: kept.number.to_owned(),
        currency,
        payment,
        cancelled: false,
        test: false,
        taxes_included: false,
        lines: vec![line],
        evidence: Evidence { codes: kept.coupons.iter().map(used).collect(), ..evidence },
    })
}
