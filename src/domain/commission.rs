//! What an order earns: a pure function of its facts, its terms and the rules frozen with it.
//!
//! Commission = round(rate × (base − refunded base)), half away from zero, once per order
//! (DESIGN.md, "Commission base" and "Earning"). Nothing is ever rounded per refund, and totals
//! that the store computed are never used.

use super::sorted::Sorted;

use super::brand::{EarnOn, EarningRules};
use super::dispute::{self, DisputeState};
use super::money::{BasisPoints, MAX_MINOR, round_half_away};
use super::order::{Facts, Line, Payment, Refund, Snapshot, decimal_to_minor};

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

/// The commission of an order with these amounts at this rate.
#[must_use]
pub fn commission(amounts: Amounts, rate: BasisPoints) -> i64 {
    rate.of(amounts.earning_base_minor)
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
    let minor = |amount| i128::from(decimal_to_minor(amount, snapshot.currency).max(0));
    if refund.lines.is_empty() {
        return minor(refund.amount);
    }
    let earns =
        |id: u64| snapshot.lines.iter().find(|line| line.id == id).is_none_or(|line| line.earns);
    refund
        .lines
        .iter()
        .filter(|line| earns(line.line_id))
        .map(|line| {
            let net =
                if snapshot.taxes_included { line.subtotal - line.tax } else { line.subtotal };
            minor(net)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decimal::Decimal;
    use crate::domain::order::{Evidence, RefundLine, Report};

    #[test]
    fn states_have_the_names_of_the_contract() {
        let names = [
            (OrderState::Unpaid, "unpaid"),
            (OrderState::Paid, "paid"),
            (OrderState::PartiallyRefunded, "partially_refunded"),
            (OrderState::Refunded, "refunded"),
            (OrderState::Cancelled, "cancelled"),
            (OrderState::Disputed, "disputed"),
        ];
        for (state, name) in names {
            assert_eq!(state.as_str(), name);
        }
    }

    fn line(id: u64, quantity: i64, price_minor: i64, discount_minor: i64) -> Line {
        Line {
            id,
            product_id: None,
            quantity,
            current_quantity: None,
            price_minor,
            discount_minor,
            tax_minor: 0,
            earns: true,
        }
    }
    fn order(currency: &str, lines: Vec<Line>) -> Snapshot {
        Snapshot {
            updated_at_ms: 1,
            placed_at_ms: 1,
            name: "#1".into(),
            currency: currency.parse().unwrap(),
            payment: Payment::Paid,
            cancelled: false,
            test: false,
            taxes_included: false,
            lines,
            evidence: Evidence::default(),
        }
    }
    fn facts(snapshot: Snapshot) -> Facts {
        Facts { snapshot: Some(snapshot), ..Facts::default() }
    }
    fn refund(id: &str, lines: &[(u64, i64, &str)], amount: &str) -> Refund {
        Refund {
            id: id.into(),
            currency: None,
            lines: lines
                .iter()
                .map(|(line_id, quantity, subtotal)| RefundLine {
                    line_id: *line_id,
                    quantity: *quantity,
                    subtotal: subtotal.parse().unwrap(),
                    tax: Decimal::ZERO,
                })
                .collect(),
            amount: amount.parse().unwrap(),
        }
    }
    fn earned(facts: &Facts, percent: &str) -> (i64, i64) {
        let amounts = amounts(facts, &EarningRules::default());
        (amounts.base_minor, commission(amounts, BasisPoints::parse_percent(percent).unwrap()))
    }
    fn worked_example() -> Facts {
        facts(order("USD", vec![line(1, 1, 10_000, 1_000), line(2, 2, 2_500, 500)]))
    }

    #[test]
    fn the_worked_example_of_the_contract() {
        let mut facts = worked_example();
        assert_eq!(earned(&facts, "10"), (13_500, 1_350));
        assert_eq!(state(&facts), OrderState::Paid);
        facts = facts.merge(&Report::Refund(refund("1", &[(2, 1, "22.50")], "0"))).unwrap();
        assert_eq!(earned(&facts, "10"), (11_250, 1_125));
        assert_eq!(state(&facts), OrderState::PartiallyRefunded);
        // A refund of shipping reaches us as an amount of nothing.
        facts = facts.merge(&Report::Refund(refund("2", &[], "0"))).unwrap();
        assert_eq!(earned(&facts, "10"), (11_250, 1_125));
        facts = facts.merge(&Report::Deleted).unwrap();
        assert_eq!(earned(&facts, "10"), (0, 0));
        assert_eq!(state(&facts), OrderState::Cancelled);
    }

    #[test]
    fn included_tax_leaves_the_base() {
        let mut snapshot = order("EUR", vec![line(1, 1, 11_900, 0)]);
        snapshot.taxes_included = true;
        snapshot.lines[0].tax_minor = 1_900;
        assert_eq!(earned(&facts(snapshot.clone()), "10"), (10_000, 1_000));
        let mut back = refund("1", &[(1, 1, "119.00")], "0");
        back.lines[0].tax = "19.00".parse().unwrap();
        let all_back = facts(snapshot.clone()).merge(&Report::Refund(back)).unwrap();
        assert_eq!(earned(&all_back, "10"), (0, 0));
        assert_eq!(state(&all_back), OrderState::Refunded);
        // Tax on top of the price never was in it.
        snapshot.taxes_included = false;
        assert_eq!(earned(&facts(snapshot), "10"), (11_900, 1_190));
    }

    #[test]
    fn yen_dinars_and_half_cents() {
        assert_eq!(earned(&facts(order("JPY", vec![line(1, 1, 1000, 0)])), "12.5").1, 125);
        assert_eq!(earned(&facts(order("JPY", vec![line(1, 1, 999, 0)])), "12.5").1, 125);
        assert_eq!(earned(&facts(order("USD", vec![line(1, 1, 5, 0)])), "10").1, 1);
        assert_eq!(earned(&facts(order("KWD", vec![line(1, 1, 1005, 0)])), "10").1, 101);
    }

    #[test]
    fn gift_cards_and_tips_earn_nothing_bought_or_refunded() {
        let mut snapshot = order("USD", vec![line(1, 1, 10_000, 0), line(2, 1, 5_000, 0)]);
        snapshot.lines[1].earns = false;
        let both = facts(snapshot);
        assert_eq!(earned(&both, "10"), (10_000, 1_000));
        let back = both.merge(&Report::Refund(refund("1", &[(2, 1, "50.00")], "0"))).unwrap();
        assert_eq!(earned(&back, "10"), (10_000, 1_000));
    }

    #[test]
    fn only_what_is_paid_earns_unless_the_brand_says_placed() {
        let placed = EarningRules { earn_on: EarnOn::Placed, ..EarningRules::default() };
        for (payment, on_paid, on_placed) in [
            (Payment::Unpaid, 0, 10_000),
            (Payment::PartiallyPaid, 0, 10_000),
            (Payment::Paid, 10_000, 10_000),
            (Payment::PartiallyRefunded, 10_000, 10_000),
            (Payment::Refunded, 10_000, 10_000),
            (Payment::Voided, 0, 0),
        ] {
            let mut snapshot = order("USD", vec![line(1, 1, 10_000, 0)]);
            snapshot.payment = payment;
            let facts = facts(snapshot);
            let earning = |rules: &EarningRules| amounts(&facts, rules).earning_base_minor;
            assert_eq!(earning(&EarningRules::default()), on_paid, "{payment:?}");
            assert_eq!(earning(&placed), on_placed, "{payment:?}");
        }
    }

    #[test]
    fn test_orders_earn_only_where_they_count() {
        let mut snapshot = order("USD", vec![line(1, 1, 10_000, 0)]);
        snapshot.test = true;
        let facts = facts(snapshot);
        assert_eq!(amounts(&facts, &EarningRules::default()).earning_base_minor, 0);
        let counting = EarningRules { count_test_orders: true, ..EarningRules::default() };
        assert_eq!(amounts(&facts, &counting).earning_base_minor, 10_000);
    }

    #[test]
    fn units_that_an_edit_removed_do_not_count() {
        let mut snapshot = order("USD", vec![line(1, 3, 1_000, 300)]);
        snapshot.lines[0].current_quantity = Some(2);
        // 3 × 10.00 − 3.00 = 27.00; two of three units stay.
        assert_eq!(earned(&facts(snapshot.clone()), "10").0, 1_800);
        // The same missing unit, but refunded: its subtotal counts instead.
        let refunded =
            facts(snapshot).merge(&Report::Refund(refund("1", &[(1, 1, "9.00")], "0"))).unwrap();
        assert_eq!(earned(&refunded, "10").0, 1_800);
    }

    #[test]
    fn units_are_taken_away_and_not_divided() {
        let mut edited = order("USD", vec![line(1, 5, 1_000, 0)]);
        edited.lines[0].current_quantity = Some(3);
        assert_eq!(earned(&facts(edited), "10"), (3_000, 300));
    }

    #[test]
    fn a_refund_of_prices_with_tax_takes_its_net_off() {
        let mut taxed = order("EUR", vec![line(1, 2, 11_900, 0)]);
        taxed.taxes_included = true;
        taxed.lines[0].tax_minor = 3_800;
        let mut back = refund("1", &[(1, 1, "119.00")], "0");
        back.lines[0].tax = "19.00".parse().unwrap();
        let facts = facts(taxed).merge(&Report::Refund(back)).unwrap();
        assert_eq!(earned(&facts, "10"), (10_000, 1_000));
    }

    #[test]
    fn what_never_had_a_base_is_not_all_given_back() {
        let mut card = line(1, 1, 5_000, 0);
        card.earns = false;
        let facts = facts(order("USD", vec![card]));
        let back = Report::Refund(refund("1", &[(1, 1, "50.00")], "0"));
        assert_eq!(state(&facts.merge(&back).unwrap()), OrderState::PartiallyRefunded);
    }

    #[test]
    fn a_refund_beyond_the_order_ends_at_zero() {
        let back = worked_example().merge(&Report::Refund(refund("1", &[], "999.00"))).unwrap();
        assert_eq!(earned(&back, "10"), (0, 0));
        // Money back without lines is goodwill: the order isn't a returned one.
        assert_eq!(state(&back), OrderState::PartiallyRefunded);
    }

    #[test]
    fn any_split_of_a_refund_ends_where_one_would() {
        let once = worked_example().merge(&Report::Refund(refund("1", &[], "45.03"))).unwrap();
        let mut split = worked_example();
        for id in 0..4503 {
            split = split.merge(&Report::Refund(refund(&id.to_string(), &[], "0.01"))).unwrap();
        }
        assert_eq!(earned(&split, "12.5"), earned(&once, "12.5"));
    }
}
