//! What a shop saw of visits arrives whenever it likes; the end is the same.

use super::*;
use crate::domain::attribution::{DealFacts, KnownCode, KnownLink};
use crate::domain::ids::{LinkId, TermsId};
use crate::domain::money::BasisPoints;
use crate::domain::order::{
    Affiliation, Journey, Line, Payment, Refund, Report, Snapshot, UsedCode,
};
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

const PLACED: Millis = 60_000 * 60_000;

fn keys() -> ClickKeys {
    ClickKeys::new(&[1; 32])
}

fn snapshot(minute: i64, minor: i64, evidence: Evidence) -> Report {
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
    let snapshot = Snapshot {
        updated_at_ms: PLACED + minute * 60_000,
        placed_at_ms: PLACED,
        name: "#1".into(),
        currency: "USD".parse().unwrap(),
        payment: Payment::Paid,
        cancelled: false,
        test: false,
        taxes_included: false,
        lines: vec![line],
        evidence: Evidence { web: true, email_hash: Some("buyer".into()), ..evidence },
    };
    Report::Snapshot(Box::new(snapshot), Vec::new())
}

fn by_code(code: &str) -> Evidence {
    let used = UsedCode { code: code.into(), discount_minor: 0, is_code: true };
    Evidence { codes: vec![used], ..Evidence::default() }
}

fn journey(bare_ref: Option<&str>, clicks: Vec<String>) -> Report {
    Report::Journey(Journey {
        clicks,
        bare_ref: bare_ref.map(str::to_owned),
        customer_order: Some(3),
    })
}

fn click(n: u8, at_ms: Millis) -> String {
    keys().sign(LinkId::from_bytes([n; 16]), at_ms, 7)
}

fn word(deal: u8) -> Report {
    let deal = Some(DealId::from_bytes([deal; 16]));
    Report::Affiliate(Affiliation {
        affiliate: "store_1/7".into(),
        deal,
        as_of_ms: 5,
        rejected: false,
    })
}

fn known() -> Known {
    let link = |n: u8, slug: &str| KnownLink {
        link: LinkId::from_bytes([n; 16]),
        slug_key: slug.into(),
        deal: deal(n),
    };
    Known {
        codes: vec![KnownCode { code_key: "anna".into(), deal: deal(1) }],
        links: vec![link(2, "berta"), link(4, "dora")],
        deals: vec![deal(3)],
    }
}

/// Whose the order is, what it earns and the facts, after these reports in this order, each told twice. Each
/// decision is made again as an audit does.
fn books(reports: &[&Report]) -> (Option<u8>, i64, Option<Reason>, Facts) {
    let mut loaded = Loaded {
        version: 1,
        order: None,
        rules: AttributionRules::default(),
        earning: EarningRules::default(),
        zone: Zone::utc(),
        known: known(),
        holdings: Holdings { pending_minor: 0, available_minor: 0, clawback_minor: 0 },
        counts_customers: false,
        tiers: false,
        others: None,
    };
    let store = StoreId::from_bytes([1; 16]);
    for report in reports.iter().flat_map(|report| [report, report]) {
        let delivery = Delivery { external_id: "1".into(), report: (**report).clone() };
        if let Outcome::Changed(change) = decide(store, &delivery, &loaded, &keys(), 9).unwrap() {
            if let Some(decision) = &change.decision {
                let made = again(&change.facts, decision, &loaded).unwrap();
                assert_eq!(made, *decision, "{reports:?}");
            }
            loaded.holdings.pending_minor = change.standing.map_or(0, |s| s.commission_minor);
            loaded.order = Some(StoredOrder {
                revision: 1,
                facts: change.facts,
                decision: change.decision,
                standing: change.standing,
                counted: false,
            });
        }
    }
    let order = loaded.order.unwrap();
    let earned = order.standing.map_or(0, |s| s.commission_minor);
    let decision = order.decision;
    let winner = decision.as_ref().and_then(|d| d.winner.as_ref()).map(|w| w.deal.bytes()[0]);
    (winner, earned, decision.map(|d| d.reason), order.facts)
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
fn visits_come_to_the_same_end_whenever_they_are_told() {
    let none = Evidence::default;
    let own_ref = || Evidence { bare_ref: Some("nobody".into()), ..Evidence::default() };
    let visits = || journey(Some("Berta"), vec![]);
    let clicked = || journey(Some("berta"), vec![click(4, PLACED - 60_000)]);
    let late = || journey(None, vec![click(4, PLACED + 600_000)]);
    let refund = Report::Refund(Refund {
        id: "5".into(),
        currency: None,
        lines: vec![],
        amount: "50".parse().unwrap(),
    });
    for (own, journey, affiliate, winner, earned) in [
        // Nothing of its own: the visit's link, and its click before its ref.
        (none(), visits(), false, Some(2), 3_000),
        (none(), clicked(), false, Some(4), 6_000),
        (none(), clicked(), true, Some(4), 6_000),
        (none(), late(), false, None, 0),
        // A click too young names nobody; the other programme's word then does.
        (none(), late(), true, Some(3), 4_500),
        // What the order carries goes first, if it names a deal; a foreign code doesn't.
        (by_code("ANNA"), visits(), false, Some(1), 1_500),
        (by_code("ANNA"), clicked(), true, Some(1), 1_500),
        (by_code("FOREIGN"), visits(), false, Some(2), 3_000),
        // Its own ref stands for the visits'.
        (own_ref(), visits(), false, None, 0),
        (own_ref(), clicked(), false, Some(4), 6_000),
    ] {
        let (first, last) = (snapshot(1, 10_000, own.clone()), snapshot(5, 20_000, own.clone()));
        let word = word(3);
        let mut all = vec![&first, &last, &journey, &refund];
        all.extend(affiliate.then_some(&word));
        let mut ends = Vec::new();
        for order in permutations(all) {
            let (found, minor, _, facts) = books(&order);
            assert_eq!((found, minor), (winner, earned), "{order:?}");
            ends.push(facts);
        }
        assert!(ends.windows(2).all(|two| two[0] == two[1]));
    }
}

#[test]
fn visits_give_nobody_her_own_purchase_and_undo_no_move() {
    let own = snapshot(1, 10_000, Evidence::default());
    let mut hers = own.clone();
    let Report::Snapshot(order, _) = &mut hers else { panic!() };
    order.evidence.email_hash = Some("hash2".into());
    let visits = journey(Some("berta"), vec![]);
    for order in [[&hers, &visits], [&visits, &hers]] {
        let (winner, earned, reason, _) = books(&order);
        assert_eq!((winner, earned, reason), (None, 0, Some(Reason::SelfPurchase)));
    }
    let mut told = Facts::default().merge(&own).unwrap();
    told = told.merge(&visits).unwrap();
    let knew = Facts::default().merge(&own).unwrap();
    let decided = attribution::decide(
        &knew.evidence(),
        &known(),
        &Circumstances {
            placed_at_ms: PLACED,
            test: false,
            rules: AttributionRules::default(),
            earning: EarningRules::default(),
            keys: &keys(),
            now_ms: 9,
        },
    );
    assert!(needs_decision(&told, &knew, Some(&decided)));
    let automatic = crate::domain::moved::Automatic { winner: None, reason: Reason::NoCandidate };
    let moved = crate::domain::moved::Moved {
        from_deal: None,
        reason: "agreed".into(),
        at_ms: 1,
        by: "member_1".into(),
        claim: None,
        automatic,
    };
    let by_hand = Decision { moved: Some(moved), ..decided };
    assert!(!needs_decision(&told, &knew, Some(&by_hand)));
    // What the shop counts is no evidence: nothing is decided again for it.
    let counts = Report::Journey(Journey { customer_order: Some(7), ..Journey::default() });
    let counted = knew.merge(&counts).unwrap();
    assert!(!needs_decision(&counted, &knew, Some(&by_hand)));
    assert_eq!(counted.journey.unwrap().customer_order, Some(7));
}

#[test]
fn what_the_shop_counts_makes_no_customer_newer() {
    let rules = Rules { first_order_only: true, ..Rules::default() };
    let mut loaded_known = known();
    for code in &mut loaded_known.codes {
        if let Some(terms) = &mut code.deal.terms {
            terms.rules = rules.clone();
        }
    }
    let seen = |told: Option<i64>, counted: i64| {
        let mut report = snapshot(1, 10_000, by_code("ANNA"));
        if let Report::Snapshot(order, _) = &mut report {
            order.evidence.journey =
                told.map(|n| Journey { customer_order: Some(n), ..Journey::default() });
        }
        let loaded = Loaded {
            version: 1,
            order: None,
            rules: AttributionRules::default(),
            earning: EarningRules::default(),
            zone: Zone::utc(),
            known: loaded_known.clone(),
            holdings: Holdings::default(),
            counts_customers: true,
            tiers: false,
            others: Some(Others { customer_orders: counted, month_minor: 0, spans: vec![] }),
        };
        let delivery = Delivery { external_id: "1".into(), report };
        let Ok(Outcome::Changed(change)) =
            decide(StoreId::from_bytes([1; 16]), &delivery, &loaded, &keys(), 9)
        else {
            panic!()
        };
        // What the commit relies on is what was counted here.
        assert_eq!(change.taken.as_ref().unwrap().customer_orders, Some(counted));
        let earned = change.standing.map_or(0, |s| s.commission_minor);
        (change.decision.unwrap().seen.unwrap().customer_index, earned)
    };
    assert_eq!(seen(None, 0), (Some(1), 1_000));
    assert_eq!(seen(Some(1), 0), (Some(1), 1_000));
    // The shop knows orders from before.
    assert_eq!(seen(Some(7), 0), (Some(7), 0));
    // It knows less than we do.
    assert_eq!(seen(Some(1), 4), (Some(5), 0));
}
