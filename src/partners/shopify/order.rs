//! An order as Shopify tells it: `orders/create`, `paid`, `updated` and `cancelled` alike.

use super::payload::{Body, OrderLine, Scalar, all, text};
use super::{Unusable, amount, evidence, refund};
use crate::domain::money::{Currency, MAX_MINOR};
use crate::domain::order::{Delivery, Line, Payment, Report, Snapshot};
use crate::domain::sorted::Sorted;
use crate::domain::time::{DAY_MS, Millis, parse_rfc3339};

/// 2006-01-01 UTC: Shopify opened later that year, so an order from before is a broken clock.
const EARLIEST_MS: Millis = 1_136_073_600_000;

/// The longest name that is kept, in characters.
const MAX_NAME_CHARS: usize = 64;

/// The order with the refunds that it embeds.
pub(super) fn delivery(
    body: &Body<'_>,
    now_ms: Millis,
    hash_email: &dyn Fn(&str) -> String,
) -> Result<Delivery, Unusable> {
    let id = amount::id(body.id)?;
    let currency: Currency =
        text(&body.currency).and_then(|code| code.parse().ok()).ok_or(Unusable::Currency)?;
    let placed_at_ms = time(&body.created_at)?;
    let updated_at_ms = time(&body.updated_at)?;
    // A late `updated_at` is let through: it is only ever compared with the order's own.
    if placed_at_ms.min(updated_at_ms) < EARLIEST_MS || placed_at_ms > now_ms + DAY_MS {
        return Err(Unusable::AbsurdTime);
    }
    let cancelled = body.cancelled_at.is_some();
    if cancelled {
        time(&body.cancelled_at)?;
    }
    if body.line_items.is_none() {
        return Err(Unusable::UnexpectedType);
    }
    let refunds = all(&body.refunds)?.iter().map(|body| refund::refund(body, Some(currency)));
    let refunds = refunds.collect::<Result<Vec<_>, _>>()?;
    let snapshot = Snapshot {
        updated_at_ms,
        placed_at_ms,
        name: name(body),
        currency,
        payment: payment(text(&body.financial_status)),
        cancelled,
        test: body.test.unwrap_or(false),
        taxes_included: body.taxes_included.unwrap_or(false),
        lines: lines(all(&body.line_items)?, currency)?,
        evidence: evidence::evidence(body, currency, hash_email)?,
    };
    Ok(Delivery {
        external_id: id.to_string(),
        report: Report::Snapshot(Box::new(snapshot), refunds),
    })
}

fn time(field: &Option<Scalar<'_>>) -> Result<Millis, Unusable> {
    text(field).and_then(parse_rfc3339).ok_or(Unusable::Time)
}

fn name(body: &Body<'_>) -> String {
    match text(&body.name).filter(|name| !name.is_empty()) {
        Some(name) => evidence::clip(name, MAX_NAME_CHARS),
        None => amount::id(body.order_number).map_or_else(|_| String::new(), |n| format!("#{n}")),
    }
}

fn payment(status: Option<&str>) -> Payment {
    match status {
        Some("paid") => Payment::Paid,
        Some("partially_refunded") => Payment::PartiallyRefunded,
        Some("refunded") => Payment::Refunded,
        Some("voided") => Payment::Voided,
        Some("partially_paid") => Payment::PartiallyPaid,
        _ => Payment::Unpaid,
    }
}

fn lines(items: &[OrderLine<'_>], currency: Currency) -> Result<Vec<Line>, Unusable> {
    let mut ids = Sorted::new();
    let (mut gross, mut discount, mut tax) = (0, 0, 0);
    let mut lines = Vec::with_capacity(items.len());
    for item in items {
        let line = line(item, currency)?;
        if ids.insert(line.id, ()).is_some() {
            return Err(Unusable::DoubledLine);
        }
        let price = i128::from(line.price_minor) * i128::from(line.quantity);
        let price = i64::try_from(price).ok().filter(|price| *price <= MAX_MINOR);
        gross = amount::add(gross, price.ok_or(Unusable::TooLarge)?)?;
        discount = amount::add(discount, line.discount_minor)?;
        tax = amount::add(tax, line.tax_minor)?;
        lines.push(line);
    }
    Ok(lines)
}

fn line(item: &OrderLine<'_>, currency: Currency) -> Result<Line, Unusable> {
    let product_id = match item.product_id {
        Some(raw) => Some(amount::id(Some(raw))?),
        None => None,
    };
    let current_quantity = match item.current_quantity {
        Some(raw) => Some(amount::quantity(Some(raw))?),
        None => None,
    };
    if item.price.is_some() {
        // Documented to be in the shop's currency, so it must be exact beside a set, too.
        amount::minor(None, item.price, currency)?;
    }
    Ok(Line {
        id: amount::id(item.id)?,
        product_id,
        quantity: amount::quantity(item.quantity)?,
        current_quantity,
        price_minor: amount::minor(item.price_set.as_ref(), item.price, currency)?,
        discount_minor: amount::allocated(all(&item.discount_allocations)?, currency)?,
        tax_minor: amount::taxed(all(&item.tax_lines)?, currency)?,
        earns: !item.gift_card.unwrap_or(false) && !is_tip(item),
    })
}

/// Tips carry a `tip` object (`tip_payment_*` before that). A body that lost it shows a line
/// without a product that is called just "Tip": nothing else tells it from a custom item.
fn is_tip(item: &OrderLine<'_>) -> bool {
    let marked = item.tip.is_some()
        || item.tip_payment_gateway.is_some()
        || item.tip_payment_method.is_some();
    let called = text(&item.title).or(text(&item.name)).unwrap_or("");
    marked || (item.product_id.is_none() && called.trim().eq_ignore_ascii_case("tip"))
}
