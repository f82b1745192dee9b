//! Past orders by other rules. Each expectation was reckoned by hand.

use super::*;
use crate::domain::attribution::{
    Candidate, DealFacts, Known, KnownCode, Method, Outcome, Reason, Winner,
};
use crate::domain::brand::{AttributionRules, EarningRules};
use crate::domain::ids::{CollectionId, TermsId, TiersId};
use crate::domain::ledger::Holdings;
use crate::domain::moved::{Automatic, Moved};
use crate::domain::order::{Evidence, Line, Payment, Report, Snapshot, UsedCode};
use crate::domain::terms::{RateRule, Rules};
use crate::domain::tiers::{Level, Period};
use crate::domain::time::DAY_MS;

fn points(n: u16) -> BasisPoints {
    BasisPoints::new(n).unwrap()
}
fn deal(n: u8) -> DealId {
    DealId::from_bytes([n; 16])
}
fn cited(rate: u16, rules: Rules) -> CitedTerms {
    CitedTerms { id: TermsId::from_bytes([9; 16]), rate: points(rate), rules }
}
fn cap(minor: i64) -> Option<crate::domain::money::Money> {
    Some(crate::domain::money::Money { minor, currency: "USD".parse().unwrap() })
}

/// A snapshot of one line, placed so many days after the beginning of 1970, by the customer `buyer`.
fn snapshot(day: i64, minor: i64) -> Snapshot {
    let code = UsedCode { code: "ANNA".into(), discount_minor: 0, is_code: true };
    Snapshot {
        updated_at_ms: day * DAY_MS,
        placed_at_ms: day * DAY_MS,
        name: "#1".into(),
        currency: "USD".parse().unwrap(),
        payment: Payment::Paid,
        cancelled: false,
        test: false,
        taxes_included: false,
        lines: vec![Line {
            id: 1,
            product_id: Some(5),
            quantity: 1,
            current_quantity: None,
            price_minor: minor,
            discount_minor: 0,
            tax_minor: 0,
            earns: true,
        }],
        evidence: Evidence {
            codes: vec![code],
            email_hash: Some("buyer".into()),
            ..Evidence::default()
        },
    }
}

/// An order as it was decided: a tenth for this deal, of the creator of the same number.
fn order(winner: Option<u8>, snapshot: Snapshot) -> Past {
    let winner = winner.map(|n| Winner {
        deal: deal(n),
        creator: CreatorId::from_bytes([n; 16]),
        method: Method::Code,
        terms: cited(1_000, Rules::default()),
    });
    let decision = Decision {
        reason: if winner.is_some() { Reason::Won } else { Reason::NoCandidate },
        winner,
        candidates: Vec::new(),
        rules: AttributionRules::default(),
        earning: EarningRules::default(),
        decided_at_ms: snapshot.placed_at_ms,
        moved: None,
        seen: None,
        members: Vec::new(),
    };
    let facts = Facts::default().merge(&Report::Snapshot(Box::new(snapshot), Vec::new())).unwrap();
    let commission_minor = commission::commission(&facts, &decision);
    Past { facts, decision, commission_minor }
}
fn past(n: u8, day: i64, minor: i64) -> Past {
    order(Some(n), snapshot(day, minor))
}
/// An order of another deal, of which this one was a candidate.
fn of_another(n: u8, candidate: u8, day: i64) -> Past {
    let mut past = past(n, day, 10_000);
    past.decision.candidates.push(Candidate {
        deal_id: Some(deal(candidate)),
        method: Method::Link,
        evidence: "anna".into(),
        at_ms: None,
        outcome: Outcome::Lost,
        reason: Reason::LowerPrecedence,
    });
    past
}

fn simulation(changes: Changes, deals: &[u8]) -> Simulation {
    let deals = (!deals.is_empty()).then(|| deals.iter().map(|n| deal(*n)).collect());
    Simulation::new(changes, Filter { deals }, Zone::utc())
}
/// A deal and its totals: deal, currency, changed, before, after.
type Told = (u8, String, i64, i64, i64);

/// Orders taken, and the totals.
fn told(simulation: &Simulation) -> (i64, Vec<Told>) {
    let of = |((_, deal, currency), t): ((CreatorId, DealId, Currency), Totals)| {
        let n = deal.bytes()[0];
        (n, currency.to_string(), t.changed, t.before_minor, t.after_minor)
    };
    (simulation.orders, simulation.totals.clone().into_iter().map(of).collect())
}
/// What each of these orders would have earned.
fn each(mut simulation: Simulation, pasts: &[Past]) -> Vec<i64> {
    let mut sum = 0;
    let earned = |past: &Past| {
        simulation.take(past, None);
        let after: i64 = simulation.totals.values().map(|totals| totals.after_minor).sum();
        let earned = after - sum;
        sum = after;
        earned
    };
    pasts.iter().map(earned).collect()
}
fn by_terms(rate: u16, rules: Rules) -> Changes {
    Changes { terms: Some(cited(rate, rules)), ..Changes::default() }
}

#[test]
fn a_rate_for_the_deals_of_the_filter() {
    let mut simulation = simulation(by_terms(2_000, Rules::default()), &[1]);
    let euros = Snapshot { currency: "EUR".parse().unwrap(), ..snapshot(3, 1_000) };
    for past in [
        past(1, 1, 10_000),
        past(1, 2, 5_000),
        order(Some(1), euros),
        past(2, 2, 7_000),
        of_another(3, 1, 4),
        // Nothing is left of it, by any rate.
        order(Some(1), Snapshot { cancelled: true, ..snapshot(5, 900) }),
    ] {
        simulation.take(&past, None);
    }
    let totals = vec![
        (1, "EUR".into(), 1, 100, 200),
        (1, "USD".into(), 2, 1_500, 3_000),
        (3, "USD".into(), 0, 1_000, 1_000),
    ];
    let mut found = told(&simulation);
    found.1.sort();
    assert_eq!(found, (5, totals));
}

#[test]
fn without_a_filter_all_are_taken_and_without_changes_all_stays() {
    let mut simulation = simulation(Changes::default(), &[]);
    for past in [past(1, 1, 10_000), past(2, 2, 5_000), order(None, snapshot(3, 100))] {
        simulation.take(&past, None);
    }
    simulation.take(&Past { facts: Facts::default(), ..past(1, 4, 10_000) }, None);
    let totals = vec![(1, "USD".into(), 0, 1_000, 1_000), (2, "USD".into(), 0, 500, 500)];
    assert_eq!(told(&simulation), (3, totals));
}

#[test]
fn a_months_cap_sees_what_the_orders_before_would_have_earned() {
    let rules = Rules { month_cap: cap(1_500), ..Rules::default() };
    let pasts = [past(1, 1, 5_000), past(1, 2, 4_000), past(1, 3, 5_000), past(1, 31, 10_000)];
    let simulation = simulation(by_terms(2_000, rules), &[1]);
    assert_eq!(each(simulation, &pasts), [1_000, 500, 0, 1_500], "February begins anew");
    // What was left by other terms is another question.
    let mut seen = past(1, 1, 5_000);
    seen.decision.seen =
        Some(crate::domain::terms::Seen { customer_index: Some(1), month_left_minor: Some(7) });
    let rules = Rules { month_cap: cap(600), ..Rules::default() };
    assert_eq!(each(self::simulation(by_terms(2_000, rules), &[]), &[seen]), [600]);
}

#[test]
fn customers_are_counted_by_the_orders_taken_and_tests_are_none() {
    let rules = Rules { first_order_only: true, ..Rules::default() };
    let test = order(None, Snapshot { test: true, ..snapshot(1, 100) });
    let mut other = snapshot(5, 10_000);
    other.evidence.email_hash = Some("somebody".into());
    let pasts =
        [test, past(1, 2, 10_000), past(1, 3, 10_000), past(1, 4, 10_000), order(Some(1), other)];
    let simulation = simulation(by_terms(2_000, rules), &[]);
    assert_eq!(each(simulation, &pasts), [0, 2_000, 0, 0, 2_000]);
}

#[test]
fn collections_are_those_of_the_time_of_the_order() {
    let collection = CollectionId::from_bytes([4; 16]);
    let rate = RateRule {
        label: String::new(),
        products: Vec::new(),
        collection: Some(collection),
        customer: None,
        rate: points(3_000),
    };
    let rules = Rules { rates: vec![rate], ..Rules::default() };
    let mut simulation = simulation(by_terms(2_000, rules), &[]);
    let span = |product| Span { collection, product, from_ms: DAY_MS, to_ms: Some(4 * DAY_MS) };
    simulation.know(vec![span(5), span(6)]);
    let mut another = snapshot(3, 10_000);
    another.lines[0].product_id = Some(7);
    let pasts = [past(1, 2, 10_000), past(1, 8, 10_000), order(Some(1), another)];
    assert_eq!(each(simulation, &pasts), [3_000, 2_000, 2_000]);
}

fn tiers(metric: Metric, falls_back: bool, first: i64, second: i64) -> Changes {
    let level = |threshold, rate| Level { name: String::new(), threshold, rate: points(rate) };
    let tiers = Tiers {
        id: TiersId::from_bytes([7; 16]),
        campaign: None,
        metric,
        period: Period::Month,
        currency: "USD".parse().unwrap(),
        falls_back,
        levels: vec![level(first, 2_000), level(second, 3_000)],
    };
    Changes { tiers: Some(tiers), ..Changes::default() }
}

#[test]
fn levels_hold_from_the_next_order_on_and_to_the_end_of_the_month_or_for_good() {
    let cancelled = order(Some(1), Snapshot { cancelled: true, ..snapshot(3, 10_000) });
    let orders = [
        past(1, 1, 10_000),
        past(1, 2, 10_000),
        cancelled,
        past(1, 4, 10_000),
        past(1, 5, 10_000),
        past(1, 31, 10_000),
    ];
    let falling = simulation(tiers(Metric::Orders, true, 2, 3), &[]);
    assert_eq!(each(falling, &orders), [1_000, 1_000, 0, 2_000, 3_000, 1_000]);
    let kept = simulation(tiers(Metric::Orders, false, 2, 3), &[1]);
    assert_eq!(each(kept, &orders), [1_000, 1_000, 0, 2_000, 3_000, 3_000]);
}

#[test]
fn levels_by_amounts_count_their_currency_only() {
    let euros =
        || order(Some(1), Snapshot { currency: "EUR".parse().unwrap(), ..snapshot(1, 50_000) });
    let orders = [euros(), past(1, 2, 10_000), past(1, 3, 10_000), past(1, 4, 10_000), euros()];
    let by_revenue = simulation(tiers(Metric::Revenue, true, 20_000, 30_000), &[]);
    assert_eq!(each(by_revenue, &orders), [5_000, 1_000, 1_000, 2_000, 15_000]);
    // 10.00, 10.00 and 20.00 were earned.
    let by_commission = simulation(tiers(Metric::Commission, true, 2_000, 4_000), &[]);
    assert_eq!(each(by_commission, &orders), [5_000, 1_000, 1_000, 2_000, 15_000]);
}

#[test]
fn orders_of_other_deals_climb_nothing() {
    let orders: Vec<Past> = (1..=4).map(|day| of_another(2, 1, day)).collect();
    let simulation = simulation(tiers(Metric::Orders, true, 1, 2), &[1]);
    assert_eq!(each(simulation, &orders), [1_000; 4]);
}

/// What holds for the code of an order: it is the first deal's, which gives a fifth.
fn loaded() -> Loaded {
    let anna = DealFacts {
        deal: deal(1),
        creator: CreatorId::from_bytes([1; 16]),
        email_hash: None,
        closed_at_ms: None,
        terms: Some(cited(2_000, Rules::default())),
    };
    Loaded {
        version: 1,
        order: None,
        rules: AttributionRules::default(),
        earning: EarningRules::default(),
        zone: Zone::utc(),
        known: Known {
            codes: vec![KnownCode { code_key: "anna".into(), deal: anna }],
            ..Known::default()
        },
        holdings: Holdings::default(),
        counts_customers: false,
        tiers: false,
        others: None,
    }
}

#[test]
fn other_attribution_moves_nothing_that_was_moved_by_hand_or_of_which_the_buyer_is_forgotten() {
    let changes = Changes { attribution: Some(AttributionChange::default()), ..Changes::default() };
    let by_hand = |past: Past| {
        let moved = Moved {
            from_deal: None,
            reason: "ours".into(),
            at_ms: 1,
            by: "mem_1".into(),
            claim: None,
            automatic: Automatic { winner: None, reason: Reason::NoCandidate },
        };
        let decision = Decision { moved: Some(moved), ..past.decision };
        Past { decision, ..past }
    };
    let forgotten = |past: Past| Past { facts: Facts { redacted: true, ..past.facts }, ..past };
    let nobodys = || order(None, snapshot(1, 10_000));
    for (what, past, expected) in [
        ("nobody's until then", nobodys(), vec![(1, 1, 0, 2_000)]),
        ("another's", past(2, 1, 10_000), vec![(1, 1, 0, 2_000), (2, 1, 1_000, 0)]),
        (
            "forgotten, another's",
            forgotten(past(2, 1, 10_000)),
            vec![(1, 1, 0, 2_000), (2, 1, 1_000, 0)],
        ),
        ("forgotten, nobody's", forgotten(nobodys()), vec![]),
        ("moved", by_hand(past(2, 1, 10_000)), vec![(2, 0, 1_000, 1_000)]),
    ] {
        let mut simulation = simulation(changes.clone(), &[]);
        simulation.take(&past, Some(loaded()));
        let (orders, totals) = told(&simulation);
        let totals: Vec<_> = totals.iter().map(|t| (t.0, t.2, t.3, t.4)).collect();
        assert_eq!((orders, totals), (1, expected), "{what}");
    }
}
