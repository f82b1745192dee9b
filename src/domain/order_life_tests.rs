//! Worked examples of what happens to orders after they were placed, step by step, in currencies with
//! two, no and three decimals, with the tax on top and inside. Each expectation was reckoned by hand.

use super::*;
use crate::domain::dispute::Dispute;
use crate::domain::order::{Evidence, Refund, RefundLine, Report};
use crate::domain::time::Millis;

use DisputeState::{Lost, Open, Won};
use OrderState::{Cancelled, Disputed, Paid, PartiallyRefunded, Refunded};

/// What is told next.
enum Step {
    /// Lines (id, units, subtotal, tax), then what was paid back without naming lines.
    Back(&'static [(u64, i64, &'static str, &'static str)], &'static str),
    /// The order is edited: a line (id, units bought, units left, price, discount, tax) is added or changed.
    Edit(u64, i64, Option<i64>, i64, i64, i64),
    Cancel,
    Dispute(DisputeState, Millis),
}
use Step::{Back, Cancel, Edit};

/// A line: id, units, price, discount, tax, in minor units.
type Bought = (u64, i64, i64, i64, i64);
/// What it comes to: base, commission, state.
type Sum = (i64, i64, OrderState);

fn line((id, quantity, price_minor, discount_minor, tax_minor): Bought) -> Line {
    Line {
        id,
        product_id: None,
        quantity,
        current_quantity: Some(quantity),
        price_minor,
        discount_minor,
        tax_minor,
        earns: true,
    }
}

fn told(step: &Step, number: usize, snapshot: &mut Snapshot) -> Report {
    match step {
        Back(lines, amount) => Report::Refund(Refund {
            id: number.to_string(),
            currency: None,
            lines: lines
                .iter()
                .map(|(line_id, quantity, subtotal, tax)| RefundLine {
                    line_id: *line_id,
                    quantity: *quantity,
                    subtotal: subtotal.parse().unwrap(),
                    tax: tax.parse().unwrap(),
                })
                .collect(),
            amount: amount.parse().unwrap(),
        }),
        Edit(id, quantity, left, price, discount, tax) => {
            snapshot.lines.retain(|line| line.id != *id);
            let mut edited = line((*id, *quantity, *price, *discount, *tax));
            edited.current_quantity = left.or(Some(*quantity));
            snapshot.lines.push(edited);
            snapshot.updated_at_ms += 1;
            Report::Snapshot(Box::new(snapshot.clone()), Vec::new())
        }
        Cancel => {
            snapshot.cancelled = true;
            snapshot.updated_at_ms += 1;
            Report::Snapshot(Box::new(snapshot.clone()), Vec::new())
        }
        Step::Dispute(state, at_ms) => {
            Report::Dispute("7".to_owned(), Dispute { state: *state, at_ms: *at_ms })
        }
    }
}

/// Tells an order and then the steps, and compares what it comes to after each.
fn goes(
    (currency, taxes_included, percent): (&str, bool, &str),
    bought: &[Bought],
    first: Sum,
    steps: &[(Step, Sum)],
) {
    let mut snapshot = Snapshot {
        updated_at_ms: 1,
        placed_at_ms: 1,
        name: "#1".into(),
        currency: currency.parse().unwrap(),
        payment: Payment::Paid,
        cancelled: false,
        test: false,
        taxes_included,
        lines: bought.iter().copied().map(line).collect(),
        evidence: Evidence::default(),
    };
    let decided = tests::decision(percent, crate::domain::terms::Rules::default(), None);
    let sum = |facts: &Facts| {
        let base = amounts(facts, &EarningRules::default()).base_minor;
        (base, commission(facts, &decided), state(facts))
    };
    let begun = Report::Snapshot(Box::new(snapshot.clone()), Vec::new());
    let mut facts = Facts::default().merge(&begun).unwrap();
    assert_eq!(sum(&facts), first, "{currency}");
    let mut all = vec![begun];
    for (number, (step, expected)) in steps.iter().enumerate() {
        all.push(told(step, number, &mut snapshot));
        facts = facts.merge(&all[number + 1]).unwrap();
        assert_eq!(sum(&facts), *expected, "{currency}, step {number}");
    }
    // Told the other way round it comes to the same.
    let merge = |facts: Facts, report: &Report| facts.merge(report).unwrap();
    assert_eq!(sum(&all.iter().rev().fold(Facts::default(), merge)), sum(&facts));
}

#[test]
fn dollars_with_the_tax_on_top() {
    // 100.00 − 10.00 and 2 × 25.00 − 5.00 at 10 %.
    let bought = [(1, 1, 10_000, 1_000, 720), (2, 2, 2_500, 500, 360)];
    goes(
        ("USD", false, "10"),
        &bought,
        (13_500, 1_350, Paid),
        &[
            // Goodwill without lines lowers the base by what was paid back.
            (Back(&[], "20.00"), (11_500, 1_150, PartiallyRefunded)),
            // Shipping never was in the base: it reaches the core as an amount of nothing.
            (Back(&[], "0"), (11_500, 1_150, PartiallyRefunded)),
            (Back(&[(2, 1, "22.50", "1.80")], "24.30"), (9_250, 925, PartiallyRefunded)),
            // 9.245 is rounded away from nothing, once for the whole order.
            (Back(&[], "0.05"), (9_245, 925, PartiallyRefunded)),
            // More than was paid.
            (Back(&[], "500.00"), (0, 0, Refunded)),
            (Cancel, (0, 0, Cancelled)),
        ],
    );
}

#[test]
fn euros_with_the_tax_inside() {
    // 119.00 and 2 × 59.50, 19 % inside: a base of 200.00 at 10 %.
    let bought = [(1, 1, 11_900, 0, 1_900), (2, 2, 5_950, 0, 1_900)];
    goes(
        ("EUR", true, "10"),
        &bought,
        (20_000, 2_000, Paid),
        &[
            // Whose tax is in money without lines nobody tells: all of it counts.
            (Back(&[], "11.90"), (18_810, 1_881, PartiallyRefunded)),
            // A unit of the second: 59.50, of which 9.50 are tax.
            (Back(&[(2, 1, "59.50", "9.50")], "0"), (13_810, 1_381, PartiallyRefunded)),
            (Back(&[(1, 1, "119.00", "19.00"), (2, 1, "59.50", "9.50")], "0"), (0, 0, Refunded)),
            (Cancel, (0, 0, Cancelled)),
        ],
    );
}

#[test]
fn yen_have_no_decimals() {
    // 3000 − 300 and 2 × 980 at 12.5 %: 582.5.
    goes(
        ("JPY", false, "12.5"),
        &[(1, 1, 3_000, 300, 0), (2, 2, 980, 0, 0)],
        (4_660, 583, Paid),
        &[
            (Back(&[], "155"), (4_505, 563, PartiallyRefunded)),
            (Back(&[(2, 1, "980", "0")], "0"), (3_525, 441, PartiallyRefunded)),
            (Step::Dispute(Open, 1), (3_525, 0, Disputed)),
            (Step::Dispute(Won, 2), (3_525, 441, PartiallyRefunded)),
            (Back(&[], "100000"), (0, 0, Refunded)),
        ],
    );
}

#[test]
fn dinars_have_three_decimals() {
    // 12.345 and 2 × 0.505 − 0.010 at 10 %: 1.3345.
    goes(
        ("KWD", false, "10"),
        &[(1, 1, 12_345, 0, 0), (2, 2, 505, 10, 0)],
        (13_345, 1_335, Paid),
        &[
            (Back(&[(2, 1, "0.500", "0")], "0"), (12_845, 1_285, PartiallyRefunded)),
            (Back(&[], "0.001"), (12_844, 1_284, PartiallyRefunded)),
            (Step::Dispute(Open, 1), (12_844, 0, Disputed)),
            // Lost: nothing is left of it, whatever was disputed.
            (Step::Dispute(Lost, 2), (0, 0, Refunded)),
            (Cancel, (0, 0, Cancelled)),
        ],
    );
}

#[test]
fn edits_add_and_remove_lines() {
    goes(
        ("USD", false, "10"),
        &[(1, 1, 10_000, 0, 0)],
        (10_000, 1_000, Paid),
        &[
            (Edit(2, 2, None, 2_500, 500, 0), (14_500, 1_450, Paid)),
            // One of the two is taken off again without money back: 45.00 / 2.
            (Edit(2, 2, Some(1), 2_500, 500, 0), (12_250, 1_225, Paid)),
            (Edit(1, 1, Some(0), 10_000, 0, 0), (2_250, 225, Paid)),
            // The unit that was taken off is paid back now: it counts once.
            (Back(&[(1, 1, "100.00", "0")], "0"), (2_250, 225, PartiallyRefunded)),
        ],
    );
    goes(
        ("EUR", true, "10"),
        &[(1, 1, 11_900, 0, 1_900)],
        (10_000, 1_000, Paid),
        &[
            (Edit(2, 3, None, 1_190, 0, 570), (13_000, 1_300, Paid)),
            (Edit(2, 3, Some(1), 1_190, 0, 570), (11_000, 1_100, Paid)),
        ],
    );
    goes(
        ("JPY", false, "12.5"),
        &[(1, 3, 1_000, 100, 0)],
        (2_900, 363, Paid),
        // 2900 × 2 / 3 = 1933.33; 12.5 % of 1933 are 241.6.
        &[(Edit(1, 3, Some(2), 1_000, 100, 0), (1_933, 242, Paid))],
    );
    goes(
        ("KWD", false, "10"),
        &[(1, 3, 1_000, 100, 0)],
        (2_900, 290, Paid),
        &[
            (Edit(1, 3, Some(2), 1_000, 100, 0), (1_933, 193, Paid)),
            (Edit(2, 1, None, 5, 0, 0), (1_938, 194, Paid)),
        ],
    );
}

#[test]
fn a_dispute_counts_for_orders_in_any_state() {
    let bought = [(1, 1, 10_000, 0, 0)];
    for (step, expected) in [
        // The order is cancelled: it has nothing that could be disputed.
        (Cancel, (0, 0, Cancelled)),
        (Back(&[(1, 1, "100.00", "0")], "0"), (0, 0, Disputed)),
        (Edit(1, 1, Some(0), 10_000, 0, 0), (0, 0, Disputed)),
    ] {
        let held = (Step::Dispute(Open, 5), (10_000, 0, Disputed));
        goes(("USD", false, "10"), &bought, (10_000, 1_000, Paid), &[held, (step, expected)]);
    }
    // A beginning that is told after the end changes nothing; a second end does.
    goes(
        ("USD", false, "10"),
        &bought,
        (10_000, 1_000, Paid),
        &[
            (Step::Dispute(Won, 5), (10_000, 1_000, Paid)),
            (Step::Dispute(Open, 9), (10_000, 1_000, Paid)),
            (Step::Dispute(Lost, 8), (0, 0, Refunded)),
        ],
    );
}
