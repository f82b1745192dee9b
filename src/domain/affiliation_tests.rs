//! What another affiliate programme says of an order arrives whenever it likes; the end is the same.

use super::*;
use crate::domain::attribution::{DealFacts, KnownCode};
use crate::domain::ids::TermsId;
use crate::domain::money::BasisPoints;
use crate::domain::order::{Journey, Line, Payment, Report, Snapshot, UsedCode};
use crate::domain::terms::{CitedTerms, Rules};

fn deal(n: u8) -> DealFacts {
    let rate = BasisPoints::new(1_000 * u16::from(n)).unwrap();
    DealFacts {
        deal: DealId::from_bytes([n; 16]),
        creator: CreatorId::from_bytes([n; 16]),
        email_hash: Some(format!("hash{n}")),
        closed_at_ms: None,
        terms: Some(CitedTerms { id: TermsId::from_bytes([n; 16]), rate, rules: Rules::default() }),
    }
}

fn snapshot(minute: i64, minor: i64, code: bool) -> Report {
    let used = UsedCode { code: "ANNA".into(), discount_minor: 0, is_code: true };
    let line = Line {
        id: 1,
        product_id: None,
        quantity: 1,
        current_quantity: None,
        price_minor: minor,
        discount_minor: 0,
        tax_minor: 0,
        earns: true,
    };
    let evidence =
        Evidence { codes: code.then_some(used).into_iter().collect(), ..Evidence::default() };
    Report::Snapshot(
        Box::new(Snapshot {
            updated_at_ms: minute * 60_000,
            placed_at_ms: 60_000,
            name: "#1".into(),
            currency: "USD".parse().unwrap(),
            payment: Payment::Paid,
            cancelled: false,
            test: false,
            taxes_included: false,
            lines: vec![line],
            evidence,
        }),
        Vec::new(),
    )
}

fn word(minute: i64, deal: Option<u8>, rejected: bool) -> Report {
    let deal = deal.map(|n| DealId::from_bytes([n; 16]));
    let as_of_ms = minute * 60_000;
    Report::Affiliate(Affiliation { affiliate: "store_1/7".into(), deal, as_of_ms, rejected })
}

/// What the books hold after these reports, in this order, each delivered twice.
fn books(reports: &[&Report]) -> (Option<DealId>, i64, i64) {
    let code = KnownCode { code_key: "anna".into(), deal: deal(1) };
    let mut loaded = Loaded {
        version: 1,
        order: None,
        rules: AttributionRules::default(),
        earning: EarningRules::default(),
        zone: Zone::utc(),
        known: Known { codes: vec![code], links: vec![], deals: vec![deal(2), deal(3)] },
        holdings: Holdings { pending_minor: 0, available_minor: 0, clawback_minor: 0 },
        counts_customers: false,
        tiers: false,
        others: None,
    };
    let (store, keys) = (StoreId::from_bytes([1; 16]), ClickKeys::new(&[1; 32]));
    for report in reports.iter().flat_map(|report| [report, report]) {
        let delivery = Delivery { external_id: "1".into(), report: (**report).clone() };
        if let Outcome::Changed(change) = decide(store, &delivery, &loaded, &keys, 9).unwrap() {
            let (standing, decision) = (change.standing, change.decision.as_ref());
            if let Some(decision) = decision {
                // As an audit makes it.
                let made = again(&change.facts, decision, &loaded).unwrap();
                assert_eq!(made, *decision);
            }
            loaded.holdings.pending_minor = standing.map_or(0, |s| s.commission_minor);
            loaded.order = Some(StoredOrder {
                revision: 1,
                facts: change.facts,
                decision: change.decision,
                standing,
                counted: false,
            });
        }
    }
    let order = loaded.order.unwrap();
    let decision = order.decision.unwrap();
    let minor = commission::commission(&order.facts, &decision);
    (decision.winner.map(|w| w.deal), minor, order.standing.map_or(0, |s| s.commission_minor))
}

fn permutations(of: Vec<&Report>) -> Vec<Vec<&Report>> {
    if of.len() < 2 {
        return vec![of];
    }
    let mut all = Vec::new();
    for (at, first) in of.iter().enumerate() {
        let mut rest = of.clone();
        rest.remove(at);
        all.extend(permutations(rest).into_iter().map(|mut one| {
            one.insert(0, first);
            one
        }));
    }
    all
}

#[test]
fn words_of_another_programme_come_to_the_same_end_whenever_they_arrive() {
    let words = [word(2, None, false), word(3, Some(2), false), word(4, Some(2), true)];
    for (code, told, expected) in [
        (false, 2, (Some(2), 4_000)),
        (false, 3, (None, 0)),
        (true, 2, (Some(1), 2_000)),
        (true, 3, (Some(1), 2_000)),
    ] {
        let (first, last) = (snapshot(1, 10_000, code), snapshot(5, 20_000, code));
        let all = [&first, &last].into_iter().chain(words.iter().take(told)).collect();
        for order in permutations(all) {
            let (winner, minor, standing) = books(&order);
            assert_eq!(
                (winner, minor),
                (expected.0.map(|n| DealId::from_bytes([n; 16])), expected.1)
            );
            assert_eq!(standing, minor, "{order:?}");
        }
    }
}

#[test]
fn what_was_decided_for_somebody_stays_hers_and_is_given_back_where_it_was_rejected() {
    let order = snapshot(1, 10_000, false);
    let (hers, anothers) = (word(2, Some(2), false), word(3, Some(3), false));
    let (rejected, after_all) = (word(4, Some(3), true), word(5, Some(3), false));
    let winner = |reports: &[&Report]| books(reports).0.map(|deal| deal.bytes()[0]);
    assert_eq!(winner(&[&order, &hers, &anothers]), Some(2));
    assert_eq!(winner(&[&order, &hers, &anothers, &rejected]), None);
    assert_eq!(winner(&[&order, &hers, &anothers, &rejected, &after_all]), Some(3));
    let by_code = snapshot(1, 10_000, true);
    assert_eq!(winner(&[&by_code, &hers, &rejected]), Some(1));
    let facts = Facts::default().merge(&by_code).unwrap();
    assert_eq!(facts.evidence().affiliation, None);
}

#[test]
fn visits_that_name_nobody_move_nothing_to_a_later_word() {
    let order = snapshot(1, 10_000, false);
    let (hers, anothers, rejected) =
        (word(2, Some(2), false), word(3, Some(3), false), word(4, Some(3), true));
    let visits =
        |click: &str| Report::Journey(Journey { clicks: vec![click.into()], ..Journey::default() });
    let all = [&order, &hers, &anothers];
    for told in permutations(all.to_vec()) {
        let end = books(&told).0;
        let visits = visits("nobody's");
        for at in 0..=told.len() {
            let mut with = told.clone();
            with.insert(at, &visits);
            assert_eq!(books(&with).0, end, "{with:?}");
        }
    }
    // An earlier report of the order that says no more of whose it is does as little.
    let mut earlier = snapshot(0, 10_000, false);
    one_of(&mut earlier).bare_ref = Some("nobody".into());
    let winner = |reports: &[&Report]| books(reports).0.map(|deal| deal.bytes()[0]);
    assert_eq!(winner(&[&order, &hers, &anothers, &earlier]), Some(2));
    assert_eq!(winner(&[&order, &earlier, &hers, &anothers]), Some(2));
    let visits = visits("nobody's");
    assert_eq!(winner(&[&order, &hers, &anothers, &rejected, &visits]), None);
    // Where the first one turns out to have bought it herself, the later word counts.
    one_of(&mut earlier).email_hash = Some("hash2".into());
    assert_eq!(winner(&[&order, &hers, &anothers, &earlier]), Some(3));
    assert_eq!(winner(&[&order, &earlier, &hers, &anothers]), Some(3));
}

fn one_of(report: &mut Report) -> &mut Evidence {
    let Report::Snapshot(one, _) = report else { panic!() };
    &mut one.evidence
}
