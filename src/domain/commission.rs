//! What an order earns: a pure function of its facts, its terms and the rules frozen with it.
//!
//! Commission = round(rate × (base − refunded base)), half away from zero, once per order
//! (DESIGN.md, "Commission base" and "Earning"). Nothing is ever rounded per refund, and totals
//! that the store computed are never used.
//!
//! Where lines have rates of their own, the rate is their mean, weighted by what is left of each
//! line: money given back without naming lines, or beyond a line's base, lowers all alike.

use super::sorted::Sorted;

use super::attribution::Decision;
use super::brand::{EarnOn, EarningRules};
use super::collection::Member;
use super::dispute::{self, DisputeState};
use super::money::{BasisPoints, MAX_MINOR, round_half_away};
use super::order::{Facts, Line, Payment, Refund, RefundLine, Snapshot, decimal_to_minor};
use super::terms::{CitedTerms, Seen};

/// What an order's facts come to, in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amounts {
    /// The base after refunds, never below zero; zero for a cancelled or voided order.
    pub base_minor: i64,
    /// What of it earns: zero while the order doesn't (yet).
    pub earning_base_minor: i64,
}

/// Where an order stands, as the API names it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Not paid in full.
    Unpaid,
    /// Paid.
    Paid,
    /// Some of it was given back.
    PartiallyRefunded,
    /// All of it was given back.
    Refunded,
    /// Cancelled, voided or deleted.
    Cancelled,
    /// A payment dispute is open.
    Disputed,
}

impl OrderState {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Unpaid,
        Self::Paid,
        Self::PartiallyRefunded,
        Self::Refunded,
        Self::Cancelled,
        Self::Disputed,
    ];

    /// The name in the API and in storage.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Paid => "paid",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
            Self::Disputed => "disputed",
        }
    }
}

/// The amounts of an order; all zero while no snapshot is known.
#[must_use]
pub fn amounts(facts: &Facts, rules: &EarningRules) -> Amounts {
    let Some(snapshot) = &facts.snapshot else { return Amounts::default() };
    if is_void(facts, snapshot) {
        return Amounts::default();
    }
    let base_minor = net_base(facts, snapshot);
    match dispute::outcome(&facts.disputes) {
        Some(DisputeState::Lost) => return Amounts::default(),
        // Held back: what was posted is taken back until the dispute is decided.
        Some(DisputeState::Open) => return Amounts { base_minor, earning_base_minor: 0 },
        Some(DisputeState::Won) | None => (),
    }
    let earns = match rules.earn_on {
        EarnOn::Paid => snapshot.payment.was_paid(),
        EarnOn::Placed => true,
    } && (rules.count_test_orders || !snapshot.test);
    Amounts { base_minor, earning_base_minor: if earns { base_minor } else { 0 } }
}

/// What an order earns by the decision about it: nothing without a winner.
#[must_use]
pub fn commission(facts: &Facts, decision: &Decision) -> i64 {
    let seen = decision.seen.unwrap_or_default();
    let Some(winner) = &decision.winner else { return 0 };
    let earned = before_month_cap(facts, decision);
    let cap = winner.terms.rules.month_cap;
    let same = |snapshot: &Snapshot| cap.is_some_and(|cap| cap.currency == snapshot.currency);
    match seen.month_left_minor {
        Some(left) if facts.snapshot.as_ref().is_some_and(same) => earned.min(left),
        _ => earned,
    }
}

/// As [`commission`], before the cap of the month.
#[must_use]
pub fn before_month_cap(facts: &Facts, decision: &Decision) -> i64 {
    let base = amounts(facts, &decision.earning).earning_base_minor;
    let (Some(winner), Some(snapshot)) = (&decision.winner, &facts.snapshot) else { return 0 };
    let (terms, seen) = (&winner.terms, decision.seen.unwrap_or_default());
    let rules = &terms.rules;
    if base == 0 || (rules.first_order_only && seen.customer_index.is_some_and(|n| n > 1)) {
        return 0;
    }
    let here = |money: &super::money::Money| money.currency == snapshot.currency;
    let share = if rules.rates.is_empty() {
        terms.rate.of(base)
    } else {
        by_lines(&line_shares(facts, terms, seen, &decision.members), base)
    };
    let flat = rules.flat.filter(here).map_or(0, |flat| flat.minor);
    let earned = share.saturating_add(flat).min(MAX_MINOR);
    rules.order_cap.filter(here).map_or(earned, |cap| earned.min(cap.minor))
}

/// The mean rate of the lines, weighted by what is left of them, of `base`.
fn by_lines(lines: &[LineShare], base: i64) -> i64 {
    let left: i128 = lines.iter().map(|line| i128::from(line.net_minor)).sum();
    let weighted: i128 =
        lines.iter().map(|l| i128::from(l.net_minor) * i128::from(l.rate.points())).sum();
    if left == 0 {
        return 0;
    }
    let whole = left * i128::from(BasisPoints::MAX);
    round_half_away(weighted.saturating_mul(i128::from(base)), whole)
}

/// What is left of one earning line, and the rate that holds for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineShare {
    /// The platform's line id.
    pub line: u64,
    /// The platform's product id.
    pub product: Option<u64>,
    /// Its base after its own refunds, minor units, never below zero.
    pub net_minor: i64,
    /// The rate.
    pub rate: BasisPoints,
    /// The rule that won, by its place in the terms; `None` for the terms' own rate.
    pub rule: Option<usize>,
}

/// The earning lines of an order and the rule that won for each; none while no snapshot is known.
#[must_use]
pub fn line_shares(
    facts: &Facts,
    terms: &CitedTerms,
    seen: Seen,
    members: &[Member],
) -> Vec<LineShare> {
    let Some(snapshot) = &facts.snapshot else { return Vec::new() };
    let units = refunded_units(facts);
    let share = |line: &Line| {
        let gone = units.get(&line.id).copied().unwrap_or(0);
        let net =
            line_base(line, snapshot.taxes_included, gone) - refunded_of(facts, snapshot, line);
        let rule = terms.rules.rule_for(line.product_id, seen.customer(), members);
        LineShare {
            line: line.id,
            product: line.product_id,
            net_minor: within_limits(net),
            rate: rule.map_or(terms.rate, |(_, rule)| rule.rate),
            rule: rule.map(|(place, _)| place),
        }
    };
    snapshot.lines.iter().filter(|line| line.earns).map(share).collect()
}

/// What refunds that name this line took off its base.
fn refunded_of(facts: &Facts, snapshot: &Snapshot, line: &Line) -> i128 {
    let own = facts.refunds.values().filter(|r| r.is_in(snapshot.currency));
    let parts = own.flat_map(|r| &r.lines).filter(|part| part.line_id == line.id);
    parts.map(|part| net_of(part, snapshot)).sum()
}

/// Where the order stands.
#[must_use]
pub fn state(facts: &Facts) -> OrderState {
    let void = facts.snapshot.as_ref().map_or(facts.cancelled, |s| is_void(facts, s));
    if void {
        return OrderState::Cancelled;
    }
    match dispute::outcome(&facts.disputes) {
        Some(DisputeState::Open) => return OrderState::Disputed,
        // The money went back to the shopper.
        Some(DisputeState::Lost) => return OrderState::Refunded,
        Some(DisputeState::Won) | None => (),
    }
    let Some(snapshot) = &facts.snapshot else { return OrderState::Unpaid };
    if !snapshot.payment.was_paid() {
        return OrderState::Unpaid;
    }
    let all_back = snapshot.payment == Payment::Refunded
        || (facts.refunds.values().any(|r| !r.lines.is_empty())
            && net_base(facts, snapshot) == 0
            && gross_base(facts, snapshot) > 0);
    if all_back {
        OrderState::Refunded
    } else if snapshot.payment == Payment::PartiallyRefunded || !facts.refunds.is_empty() {
        OrderState::PartiallyRefunded
    } else {
        OrderState::Paid
    }
}

fn is_void(facts: &Facts, snapshot: &Snapshot) -> bool {
    facts.cancelled || snapshot.cancelled || snapshot.payment == Payment::Voided
}

fn net_base(facts: &Facts, snapshot: &Snapshot) -> i64 {
    let own = facts.refunds.values().filter(|r| r.is_in(snapshot.currency));
    let refunded: i128 = own.map(|r| refunded_base(r, snapshot)).sum();
    let net = i128::from(gross_base(facts, snapshot)) - refunded;
    within_limits(net)
}

/// Σ over earning lines of price × quantity − discounts − included tax, without the units that an
/// edit removed.
fn gross_base(facts: &Facts, snapshot: &Snapshot) -> i64 {
    let refunded_units = refunded_units(facts);
    let total: i128 = snapshot
        .lines
        .iter()
        .filter(|line| line.earns)
        .map(|line| {
            let refunded = refunded_units.get(&line.id).copied().unwrap_or(0);
            line_base(line, snapshot.taxes_included, refunded)
        })
        .sum();
    within_limits(total)
}

/// No base is below zero or beyond what the books take.
fn within_limits(minor: i128) -> i64 {
    i64::try_from(minor.clamp(0, i128::from(MAX_MINOR))).unwrap_or(MAX_MINOR)
}

fn line_base(line: &Line, taxes_included: bool, refunded_units: i64) -> i128 {
    let tax = if taxes_included { line.tax_minor } else { 0 };
    let sold = i128::from(line.price_minor) * i128::from(line.quantity);
    let whole = (sold - i128::from(line.discount_minor) - i128::from(tax)).max(0);
    let removed = line.current_quantity.map_or(0, |current| {
        (line.quantity - current).saturating_sub(refunded_units).clamp(0, line.quantity)
    });
    if removed == 0 || line.quantity == 0 {
        return whole;
    }
    let kept = i128::from(line.quantity - removed);
    i128::from(round_half_away(whole * kept, i128::from(line.quantity)))
}

fn refunded_units(facts: &Facts) -> Sorted<u64, i64> {
    let mut units = Sorted::new();
    for line in facts.refunds.values().flat_map(|r| &r.lines) {
        units.change(line.line_id, |known: &mut i64| *known = known.saturating_add(line.quantity));
    }
    units
}

/// What a refund takes off the base: its earning lines' subtotals without tax, whatever was paid
/// back for them; without lines, its amount.
fn refunded_base(refund: &Refund, snapshot: &Snapshot) -> i128 {
    if refund.lines.is_empty() {
        return i128::from(decimal_to_minor(refund.amount, snapshot.currency).max(0));
    }
    let earns =
        |id: u64| snapshot.lines.iter().find(|line| line.id == id).is_none_or(|line| line.earns);
    refund.lines.iter().filter(|line| earns(line.line_id)).map(|line| net_of(line, snapshot)).sum()
}

/// A refunded part of a line without its tax, minor units, never below zero.
fn net_of(part: &RefundLine, snapshot: &Snapshot) -> i128 {
    let net = if snapshot.taxes_included { part.subtotal - part.tax } else { part.subtotal };
    i128::from(decimal_to_minor(net, snapshot.currency).max(0))
}

#[cfg(test)]
#[path = "order_life_tests.rs"]
mod order_life_tests;
#[cfg(test)]
#[path = "commission_tests.rs"]
mod tests;
