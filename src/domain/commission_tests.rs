use super::*;
use crate::domain::attribution::{Method, Reason, Winner};
use crate::domain::brand::AttributionRules;
use crate::domain::decimal::Decimal;
use crate::domain::ids::{CreatorId, DealId, TermsId};
use crate::domain::money::Money;
use crate::domain::order::{Evidence, Report};
use crate::domain::terms::{Customer, RateRule, Rules};

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
pub fn decision(percent: &str, rules: Rules, seen: Option<Seen>) -> Decision {
    let rate = BasisPoints::parse_percent(percent).unwrap();
    let terms = CitedTerms { id: TermsId::from_bytes([1; 16]), rate, rules };
    Decision {
        winner: Some(Winner {
            deal: DealId::from_bytes([1; 16]),
            creator: CreatorId::from_bytes([1; 16]),
            method: Method::Code,
            terms,
        }),
        reason: Reason::Won,
        candidates: Vec::new(),
        rules: AttributionRules::default(),
        earning: EarningRules::default(),
        decided_at_ms: 1,
        seen,
        moved: None,
        members: Vec::new(),
    }
}
fn earned(facts: &Facts, percent: &str) -> (i64, i64) {
    let base = amounts(facts, &EarningRules::default()).base_minor;
    (base, commission(facts, &decision(percent, Rules::default(), None)))
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

/// An order of two products (60.00 and 40.00) by rules, in any currency of two decimals.
fn by_rules(rules: Rules, seen: Seen, refunds: &[Refund]) -> i64 {
    let mut snapshot = order("USD", vec![line(1, 1, 6_000, 0), line(2, 2, 2_000, 0)]);
    snapshot.lines[0].product_id = Some(71);
    snapshot.lines[1].product_id = Some(72);
    let told = |facts: Facts, back: &Refund| facts.merge(&Report::Refund(back.clone())).unwrap();
    let facts = refunds.iter().fold(facts(snapshot), told);
    commission(&facts, &decision("10", rules, Some(seen)))
}
fn rate(products: &[u64], customer: Option<Customer>, percent: &str) -> RateRule {
    let rate = BasisPoints::parse_percent(percent).unwrap();
    RateRule { label: String::new(), products: products.to_vec(), collection: None, customer, rate }
}
fn usd(text: &str) -> Option<Money> {
    Some(Money::parse(text, "USD".parse().unwrap()).unwrap())
}

#[test]
fn products_have_rates_of_their_own() {
    let rules = Rules { rates: vec![rate(&[71], None, "20")], ..Rules::default() };
    let earned = |refunds: &[Refund]| by_rules(rules.clone(), Seen::default(), refunds);
    // 20 % of 60.00 and 10 % of 40.00.
    assert_eq!(earned(&[]), 1_600);
    // One unit of the second is given back: 10 % of 20.00 less.
    assert_eq!(earned(&[refund("1", &[(2, 1, "20.00")], "0")]), 1_400);
    // The first is given back: only the second earns.
    assert_eq!(earned(&[refund("1", &[(1, 1, "60.00")], "0")]), 400);
    // Half of the money without naming lines: half of the commission.
    assert_eq!(earned(&[refund("1", &[], "50.00")]), 800);
    // More given back for a line than it cost lowers the rest, and never below nothing.
    assert_eq!(earned(&[refund("1", &[(1, 1, "80.00")], "0")]), 200);
    assert_eq!(earned(&[refund("1", &[(1, 1, "99.00"), (2, 1, "40.00")], "0")]), 0);
}

#[test]
fn customers_have_rates_of_their_own() {
    let rules = Rules {
        rates: vec![
            rate(&[72], Some(Customer::New), "50"),
            rate(&[], Some(Customer::Returning), "5"),
        ],
        ..Rules::default()
    };
    let index = |n| Seen { customer_index: Some(n), ..Seen::default() };
    assert_eq!(by_rules(rules.clone(), index(1), &[]), 600 + 2_000);
    assert_eq!(by_rules(rules, index(2), &[]), 500);
    let first = Rules { first_order_only: true, ..Rules::default() };
    assert_eq!(by_rules(first.clone(), index(1), &[]), 1_000);
    assert_eq!(by_rules(first, index(2), &[]), 0);
}

#[test]
fn a_flat_amount_is_earned_once_while_anything_is_left() {
    let rules = Rules { flat: usd("5.00"), ..Rules::default() };
    let earned = |refunds: &[Refund]| by_rules(rules.clone(), Seen::default(), refunds);
    assert_eq!(earned(&[]), 1_500);
    assert_eq!(earned(&[refund("1", &[(1, 1, "60.00")], "0")]), 900);
    assert_eq!(earned(&[refund("1", &[], "100.00")]), 0);
    let other = Some(Money::new(500, "EUR".parse().unwrap()));
    let foreign = Rules { flat: other, order_cap: other, ..Rules::default() };
    assert_eq!(by_rules(foreign, Seen::default(), &[]), 1_000, "currencies never mix");
}

#[test]
fn caps_hold_back_what_is_above_them() {
    let capped = Rules { order_cap: usd("7.50"), ..Rules::default() };
    assert_eq!(by_rules(capped.clone(), Seen::default(), &[]), 750);
    let back = [refund("1", &[], "50.00")];
    assert_eq!(by_rules(capped, Seen::default(), &back), 500, "the cap is of what is left");
    let month = Rules { month_cap: usd("20.00"), ..Rules::default() };
    let left = |minor| Seen { month_left_minor: Some(minor), ..Seen::default() };
    for (minor, earned) in [(0, 0), (1, 1), (999, 999), (1_000, 1_000), (2_000, 1_000)] {
        assert_eq!(by_rules(month.clone(), left(minor), &[]), earned);
    }
    let foreign = Rules { month_cap: Some(Money::new(1, "EUR".parse().unwrap())), ..month };
    assert_eq!(by_rules(foreign, left(1), &[]), 1_000, "a cap in another currency");
    let flat_and_cap = Rules { flat: usd("5.00"), order_cap: usd("12.00"), ..Rules::default() };
    assert_eq!(by_rules(flat_and_cap, Seen::default(), &[]), 1_200, "the flat amount too");
}

#[test]
fn lines_tell_the_rule_that_won() {
    let mut snapshot = order("USD", vec![line(1, 1, 6_000, 0), line(2, 1, 4_000, 0)]);
    snapshot.lines[0].product_id = Some(71);
    snapshot.lines[1].earns = false;
    let rules =
        Rules { rates: vec![rate(&[9], None, "1"), rate(&[71], None, "20")], ..Rules::default() };
    let winner = decision("10", rules, None).winner.unwrap();
    let shares = line_shares(&facts(snapshot), &winner.terms, Seen::default(), &[]);
    let [share] = shares.as_slice() else { panic!("what doesn't earn has no rate") };
    assert_eq!((share.line, share.product, share.net_minor), (1, Some(71), 6_000));
    assert_eq!((share.rate.points(), share.rule), (2_000, Some(1)));
}

#[test]
fn rates_in_dinars_yen_and_with_tax_inside() {
    let rules = Rules { rates: vec![rate(&[71], None, "33.33")], ..Rules::default() };
    let earned = |currency, taxed: bool, price| {
        let mut snapshot = order(currency, vec![line(1, 1, price, 0), line(2, 1, price, 0)]);
        snapshot.lines[0].product_id = Some(71);
        snapshot.taxes_included = taxed;
        snapshot
            .lines
            .iter_mut()
            .for_each(|line| line.tax_minor = if taxed { price / 6 } else { 0 });
        commission(&facts(snapshot), &decision("10", rules.clone(), None))
    };
    // 43.33 % of 1000 yen are 433.3; of 1.005 dinars 0.4354665; of 100.00 net 43.33.
    assert_eq!(earned("JPY", false, 1_000), 433);
    assert_eq!(earned("KWD", false, 1_005), 435);
    assert_eq!(earned("EUR", true, 12_000), 4_333);
}
