//! A refund as Shopify tells it, alone or inside its order, in the shape of any API version.

use crate::domain::decimal::Decimal;
use serde_json::value::RawValue;

use super::payload::{
    Adjustment, Body, MoneySet, RefundBody, RefundLine, RefundShipping, RefundedItem, TaxLine, all,
    text,
};
use super::{Unusable, amount};
use crate::domain::money::Currency;
use crate::domain::order::{self as domain, Delivery, Refund, Report};

/// A refund that came alone.
pub(super) fn delivery(body: Body<'_>) -> Result<Delivery, Unusable> {
    let body = body.into_refund();
    Ok(Delivery {
        external_id: amount::id(body.order_id)?.to_string(),
        report: Report::Refund(refund(&body, None)?),
    })
}

/// The refund; `order_currency` is known where an order embeds it.
pub(super) fn refund(
    body: &RefundBody<'_>,
    order_currency: Option<Currency>,
) -> Result<Refund, Unusable> {
    let id = amount::id(body.id)?.to_string();
    let stated = shop_currency(body, order_currency)?;
    let lines = all(&body.refund_line_items)?;
    if lines.is_empty() {
        let (amount, currency) = amount_without_lines(body, stated)?;
        return Ok(Refund { id, currency, lines: Vec::new(), amount });
    }
    let lines =
        lines.iter().map(|line| refund_line(line, stated)).collect::<Result<Vec<_>, _>>()?;
    amount::within(lines.iter().map(|line| line.subtotal).sum(), stated)?;
    amount::within(lines.iter().map(|line| line.tax).sum(), stated)?;
    Ok(Refund { id, currency: stated, lines, amount: Decimal::ZERO })
}

/// The one currency that every `shop_money` of the refund is in.
fn shop_currency(
    body: &RefundBody<'_>,
    order_currency: Option<Currency>,
) -> Result<Option<Currency>, Unusable> {
    let lines = all(&body.refund_line_items)?.iter();
    let lines = lines.flat_map(|line| [&line.subtotal_set, &line.total_tax_set]);
    let shipping = all(&body.refund_shipping_lines)?.iter();
    let shipping = shipping.flat_map(|line| [&line.subtotal_amount_set, &line.tax_amount_set]);
    let adjustments = all(&body.order_adjustments)?.iter();
    let adjustments = adjustments.flat_map(|one| [&one.amount_set, &one.tax_amount_set]);
    let rest = [&body.total_duties_set, &body.total_additional_fees_set];
    let mut known = order_currency;
    for set in lines.chain(shipping).chain(adjustments).chain(rest) {
        let shop = set.as_ref().and_then(|set| set.shop_money.as_ref());
        let Some(code) = shop.and_then(|shop| shop.currency_code) else { continue };
        let currency = code.parse().map_err(|_| Unusable::Currency)?;
        if known.is_some_and(|known| known != currency) {
            return Err(Unusable::CurrencyMismatch);
        }
        known = Some(currency);
    }
    Ok(known)
}

fn refund_line(
    line: &RefundLine<'_>,
    currency: Option<Currency>,
) -> Result<domain::RefundLine, Unusable> {
    let item = line.line_item.as_ref();
    let quantity = amount::quantity(line.quantity)?;
    // These two plain fields are numbers, where all other amounts are texts.
    let subtotal = first_of(&line.subtotal_set, line.subtotal.map(unquoted), currency)?;
    let (subtotal, tax) = match subtotal {
        Some(subtotal) => {
            let tax = first_of(&line.total_tax_set, line.total_tax.map(unquoted), currency)?;
            (subtotal, tax.unwrap_or_default())
        }
        None => reckoned(item.ok_or(Unusable::Amount)?, quantity, currency)?,
    };
    let line_id = amount::id(line.line_item_id.or(item.and_then(|item| item.id)))?;
    Ok(domain::RefundLine { line_id, quantity, subtotal, tax })
}

/// Subtotal and tax of a refunded line in the shape from before there were such fields: its part
/// of the order's line.
fn reckoned(
    item: &RefundedItem<'_>,
    quantity: i64,
    currency: Option<Currency>,
) -> Result<(Decimal, Decimal), Unusable> {
    let units = amount::quantity(item.quantity)?;
    let part = |whole: Decimal| {
        whole.part(quantity, units, amount::exponent(currency)).ok_or(Unusable::Amount)
    };
    let price = textual(item.price.ok_or(Unusable::Amount)?, currency)?;
    let mut whole = price.times(units);
    for allocation in all(&item.discount_allocations)? {
        let plain = allocation.amount.map(quoted).transpose()?;
        whole -= first_of(&allocation.amount_set, plain, currency)?.ok_or(Unusable::Amount)?;
    }
    let tax = taxes(all(&item.tax_lines)?, currency)?;
    if whole < Decimal::ZERO {
        return Err(Unusable::Amount);
    }
    Ok((part(whole)?, part(tax)?))
}

/// What was paid back without naming lines, for goods: never for shipping, duties or fees. With the
/// currency, if only the transactions told it.
///
/// Shopify's bodies balance: money moved = lines + shipping + duties − adjustments. So without
/// lines the adjustments that aren't shipping tell the amount, negated; without such adjustments
/// it is the money that moved less what shipping and duties explain. Up to API 2024-07 a refund of
/// shipping is an adjustment of kind `shipping_refund`, beside `refund_shipping_lines` or without;
/// since 2024-10 it is in `refund_shipping_lines` only and adjustments have no kind.
fn amount_without_lines(
    body: &RefundBody<'_>,
    stated: Option<Currency>,
) -> Result<(Decimal, Option<Currency>), Unusable> {
    let adjustments = Adjustments::of(all(&body.order_adjustments)?, stated)?;
    let mut beside = shipping(all(&body.refund_shipping_lines)?, stated)?.max(adjustments.shipping);
    for set in [&body.total_duties_set, &body.total_additional_fees_set] {
        beside += first_of(set, None, stated)?.unwrap_or_default();
    }
    let moved = moved(body, stated)?;
    let (amount, currency) = match (adjustments.goods, moved) {
        // Adjustments without a kind that make up all the money that moved have the shipping among
        // them, as when only the kind was taken out of the older shape.
        (Some(goods), Moved::InShopCurrency(moved, _))
            if adjustments.kindless && moved == goods =>
        {
            (goods - beside, stated)
        }
        (Some(goods), _) => (goods, stated),
        (None, Moved::InShopCurrency(moved, currency)) => (moved - beside, currency),
        // Nothing but shipping and duties is said to have been paid back.
        (None, Moved::InOthers) if !beside.is_zero() => (Decimal::ZERO, stated),
        (None, Moved::InOthers) => return Err(Unusable::ForeignRefund),
    };
    Ok((amount::within(amount.max(Decimal::ZERO), currency)?, currency))
}

/// Adjustments are negative where money went back; here it is positive.
struct Adjustments {
    /// `None`, if there are none but for shipping.
    goods: Option<Decimal>,
    shipping: Decimal,
    /// None of them says what kind it is.
    kindless: bool,
}

impl Adjustments {
    fn of(list: &[Adjustment<'_>], currency: Option<Currency>) -> Result<Self, Unusable> {
        let mut sums = Self { goods: None, shipping: Decimal::ZERO, kindless: true };
        for one in list {
            let plain = one.amount.map(quoted).transpose()?;
            let tax = one.tax_amount.map(quoted).transpose()?;
            let value = signed(&one.amount_set, plain, currency)?.ok_or(Unusable::Amount)?
                + signed(&one.tax_amount_set, tax, currency)?.unwrap_or_default();
            let kind = text(&one.kind);
            sums.kindless &= kind.is_none();
            let reason = text(&one.reason).unwrap_or("");
            let is_shipping = match kind {
                Some(kind) => kind == "shipping_refund",
                None => ["shipping refund", "shipping_refund"]
                    .iter()
                    .any(|name| reason.eq_ignore_ascii_case(name)),
            };
            if is_shipping {
                sums.shipping -= value;
            } else {
                sums.goods = Some(sums.goods.unwrap_or_default() - value);
            }
        }
        Ok(sums)
    }
}

/// Shipping that was paid back, with its tax: where the body doesn't say how much of the tax, all
/// of it. It is taken from money that is no commission's business, so rather too much than too
/// little.
fn shipping(list: &[RefundShipping<'_>], currency: Option<Currency>) -> Result<Decimal, Unusable> {
    let mut total = Decimal::ZERO;
    for one in list {
        total += first_of(&one.subtotal_amount_set, None, currency)?.ok_or(Unusable::Amount)?;
        total += match (first_of(&one.tax_amount_set, None, currency)?, &one.shipping_line) {
            (Some(tax), _) => tax,
            (None, Some(line)) => taxes(all(&line.tax_lines)?, currency)?,
            (None, None) => Decimal::ZERO,
        };
    }
    Ok(total)
}

fn taxes(list: &[TaxLine<'_>], currency: Option<Currency>) -> Result<Decimal, Unusable> {
    let mut total = Decimal::ZERO;
    for tax in list {
        let plain = tax.price.map(quoted).transpose()?;
        total += first_of(&tax.price_set, plain, currency)?.ok_or(Unusable::Amount)?;
    }
    Ok(total)
}

/// Money that went back to the customer.
enum Moved {
    /// In the shop's currency, as far as anything says; with that currency, if it was said.
    InShopCurrency(Decimal, Option<Currency>),
    /// In the customer's, whose worth in the shop's isn't told.
    InOthers,
}

/// The refunds that succeeded; those that are pending or failed moved nothing (yet). Transactions
/// are in the customer's currency, so theirs names the shop's only where nothing else does.
fn moved(body: &RefundBody<'_>, stated: Option<Currency>) -> Result<Moved, Unusable> {
    let mut total = Decimal::ZERO;
    let mut known = stated;
    for one in all(&body.transactions)? {
        if text(&one.kind) != Some("refund") || !matches!(text(&one.status), None | Some("success"))
        {
            continue;
        }
        if let Some(code) = text(&one.currency) {
            let currency = code.parse().map_err(|_| Unusable::Currency)?;
            if known.is_some_and(|known| known != currency) {
                return Ok(Moved::InOthers);
            }
            known = Some(currency);
        }
        let value = textual(one.amount.ok_or(Unusable::Amount)?, known)?;
        if value < Decimal::ZERO {
            return Err(Unusable::Amount);
        }
        total += value;
    }
    Ok(Moved::InShopCurrency(total, known))
}

/// An amount that can't be negative: the set's, in the shop's currency, else the plain text, if
/// either is there.
fn first_of(
    set: &Option<MoneySet<'_>>,
    plain: Option<&str>,
    currency: Option<Currency>,
) -> Result<Option<Decimal>, Unusable> {
    let value = signed(set, plain, currency)?;
    if value.is_some_and(|value| value < Decimal::ZERO) { Err(Unusable::Amount) } else { Ok(value) }
}

/// The same for adjustments, which are negative where money went back.
fn signed(
    set: &Option<MoneySet<'_>>,
    plain: Option<&str>,
    currency: Option<Currency>,
) -> Result<Option<Decimal>, Unusable> {
    match set.as_ref().and_then(|set| set.shop_money.as_ref()) {
        Some(shop) => textual(shop.amount.ok_or(Unusable::Amount)?, currency).map(Some),
        None => plain.map(|text| amount::decimal(text, currency)).transpose(),
    }
}

fn textual(raw: &RawValue, currency: Option<Currency>) -> Result<Decimal, Unusable> {
    amount::decimal(quoted(raw)?, currency)
}

fn quoted(raw: &RawValue) -> Result<&str, Unusable> {
    amount::quoted(raw).ok_or(Unusable::Amount)
}

fn unquoted(raw: &RawValue) -> &str {
    amount::quoted(raw).unwrap_or(raw.get())
}
