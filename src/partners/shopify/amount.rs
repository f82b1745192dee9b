//! Ids, quantities and amounts, read exactly from their own text.

use serde_json::value::RawValue;

use super::Unusable;
use super::payload::{Allocation, MoneySet, TaxLine};
use crate::domain::decimal::{Decimal, MAX_DECIMALS};
use crate::domain::money::{Currency, MAX_MINOR, Money, MoneyError};

/// The most units of one line.
const MAX_QUANTITY: i64 = 1_000_000;

/// The longest text of an amount whose currency isn't known, in bytes.
const MAX_TEXT: usize = 30;

/// A positive whole number in digits, exact beyond 2^53.
pub(super) fn id(raw: Option<&RawValue>) -> Result<u64, Unusable> {
    let digits = raw.map(RawValue::get).filter(|text| is_digits(text)).ok_or(Unusable::Id)?;
    digits.parse().ok().filter(|id| *id > 0).ok_or(Unusable::Id)
}

/// A whole number from 0 to [`MAX_QUANTITY`].
pub(super) fn quantity(raw: Option<&RawValue>) -> Result<i64, Unusable> {
    let digits = raw.map(RawValue::get).filter(|text| is_digits(text)).ok_or(Unusable::Quantity)?;
    digits.parse().ok().filter(|units| *units <= MAX_QUANTITY).ok_or(Unusable::Quantity)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits, with at most one point between them.
fn is_plain(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    is_digits(whole) && is_digits(fraction)
}

/// What is inside a JSON text. Escapes stay as they are: no amount needs one, so it is refused.
pub(super) fn quoted(raw: &RawValue) -> Option<&str> {
    raw.get().strip_prefix('"')?.strip_suffix('"')
}

/// Minor units, not negative, of an amount that Shopify gives as a set and as a plain text. The set
/// counts; the plain text must look like an amount even so, for one of them would be wrong.
pub(super) fn minor(
    set: Option<&MoneySet<'_>>,
    plain: Option<&RawValue>,
    currency: Currency,
) -> Result<i64, Unusable> {
    let Some(shop) = set.and_then(|set| set.shop_money.as_ref()) else {
        return text_to_minor(plain.ok_or(Unusable::Amount)?, currency);
    };
    if plain.is_some_and(|raw| !quoted(raw).is_some_and(is_plain)) {
        return Err(Unusable::Amount);
    }
    if shop.currency_code.is_some_and(|code| code != currency.code()) {
        return Err(Unusable::CurrencyMismatch);
    }
    text_to_minor(shop.amount.ok_or(Unusable::Amount)?, currency)
}

fn text_to_minor(raw: &RawValue, currency: Currency) -> Result<i64, Unusable> {
    let text = quoted(raw).ok_or(Unusable::Amount)?;
    let minor = Money::parse(text, currency).map_err(refusal)?.minor;
    if minor < 0 { Err(Unusable::Amount) } else { Ok(minor) }
}

fn refusal(error: MoneyError) -> Unusable {
    if error == MoneyError::TooLarge { Unusable::TooLarge } else { Unusable::Amount }
}

/// The exact decimal that a text means, in a currency if one is known.
pub(super) fn decimal(text: &str, currency: Option<Currency>) -> Result<Decimal, Unusable> {
    let value = match currency {
        Some(currency) => {
            let minor = Money::parse(text, currency).map_err(refusal)?.minor;
            Decimal::new(minor, currency.exponent())
        }
        // Without a currency nothing tells a huge amount from what is none.
        None if text.len() > MAX_TEXT => return Err(Unusable::Amount),
        None => text.parse().map_err(refusal)?,
    };
    within(value, currency)
}

/// The value itself, if the books take it.
///
/// # Errors
/// [`Unusable::TooLarge`] beyond [`MAX_MINOR`] of the currency; where none is known, of the one
/// with the most decimals.
pub(super) fn within(value: Decimal, currency: Option<Currency>) -> Result<Decimal, Unusable> {
    let limit = Decimal::new(MAX_MINOR, exponent(currency));
    if value.abs() > limit { Err(Unusable::TooLarge) } else { Ok(value) }
}

/// The decimals of a currency; where none is known, the most that any has.
pub(super) fn exponent(currency: Option<Currency>) -> u32 {
    currency.map_or(MAX_DECIMALS, Currency::exponent)
}

/// What was taken off a line, by allocations: its `total_discount` is zero even when discounted.
pub(super) fn allocated(list: &[Allocation<'_>], currency: Currency) -> Result<i64, Unusable> {
    let amounts = list.iter().map(|a| minor(a.amount_set.as_ref(), a.amount, currency));
    sum(amounts)
}

/// The tax of a line.
pub(super) fn taxed(list: &[TaxLine<'_>], currency: Currency) -> Result<i64, Unusable> {
    sum(list.iter().map(|tax| minor(tax.price_set.as_ref(), tax.price, currency)))
}

fn sum(amounts: impl Iterator<Item = Result<i64, Unusable>>) -> Result<i64, Unusable> {
    let mut total = 0;
    for amount in amounts {
        total = add(total, amount?)?;
    }
    Ok(total)
}

/// A sum of amounts that are not negative.
///
/// # Errors
/// [`Unusable::TooLarge`] beyond [`MAX_MINOR`].
pub(super) fn add(total: i64, amount: i64) -> Result<i64, Unusable> {
    total.checked_add(amount).filter(|sum| *sum <= MAX_MINOR).ok_or(Unusable::TooLarge)
}
