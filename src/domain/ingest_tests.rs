//! What a decision asks of other orders, and what it keeps of what it saw. Reckoned by hand.

use super::*;
use crate::domain::attribution::{DealFacts, KnownCode, Outcome as Judged, Winner};
use crate::domain::collection::Member;
use crate::domain::ids::{CollectionId, LinkId, TermsId};
use crate::domain::money::{BasisPoints, Money};
use crate::domain::order::{Journey, Line, Payment, Report, UsedCode};
use crate::domain::terms::{CitedTerms, RateRule};

fn deal(n: u8) -> DealId {
    DealId::from_bytes([n; 16])
}
fn usd() -> Currency {
    "USD".parse().unwrap()
}
fn cited(n: u8, rules: Rules) -> CitedTerms {
    CitedTerms { id: TermsId::from_bytes([n; 16]), rate: BasisPoints::new(1_000).unwrap(), rules }
}
fn line(id: u64, product_id: Option<u64>, price_minor: i64) -> Line {
    Line {
        id,
        product_id,
        quantity: 1,
        current_quantity: None,
        price_minor,
        discount_minor: 0,
        tax_minor: 0,
        earns: true,
    }
}
/// Of 100.00, with the code of the first deal.
fn snapshot() -> Snapshot {
    let code = UsedCode { code: "ANNA".into(), discount_minor: 0, is_code: true };
    Snapshot {
        updated_at_ms: 60_000,
        placed_at_ms: 60_000,
        name: "#1".into(),
        currency: usd(),
        payment: Payment::Paid,
        cancelled: false,
        test: false,
        taxes_included: false,
        lines: vec![line(1, Some(5), 4_000), line(2, Some(6), 6_000)],
        evidence: Evidence {
            codes: vec![code],
            email_hash: Some("buyer".into()),
            ..Evidence::default()
        },
    }
}
fn facts(snapshot: Snapshot) -> Facts {
    Facts::default().merge(&Report::Snapshot(Box::new(snapshot), Vec::new())).unwrap()
}
fn won(n: u8, rules: Rules) -> Decision {
    Decision {
        winner: Some(Winner {
            deal: deal(n),
            creator: CreatorId::from_bytes([n; 16]),
            method: Method::Code,
            terms: cited(n, rules),
        }),
        reason: Reason::Won,
        candidates: Vec::new(),
        rules: AttributionRules::default(),
        earning: EarningRules::default(),
        decided_at_ms: 60_000,
        moved: None,
        seen: None,
        members: Vec::new(),
    }
}
fn nobodys() -> Decision {
    Decision { winner: None, reason: Reason::NoCandidate, ..won(1, Rules::default()) }
}
fn loaded() -> Loaded {
    let anna = DealFacts {
        deal: deal(1),
        creator: CreatorId::from_bytes([1; 16]),
        email_hash: None,
        closed_at_ms: None,
        terms: Some(cited(1, Rules::default())),
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
fn others(customer_orders: i64, month_minor: i64) -> Option<Others> {
    Some(Others { customer_orders, month_minor, spans: Vec::new() })
}
fn stored(counted: bool, standing: Option<Standing>) -> StoredOrder {
    StoredOrder { revision: 1, facts: Facts::default(), decision: None, standing, counted }
}
fn month_cap(minor: i64) -> Rules {
    Rules { month_cap: Some(Money { minor, currency: usd() }), ..Rules::default() }
}
/// What a decision comes to see, and on what its commit relies.
fn looks(
    mut decision: Decision,
    facts: &Facts,
    loaded: &Loaded,
) -> Result<(Option<Seen>, Option<Taken>), Question> {
    look_around(&mut decision, facts, loaded).map(|taken| (decision.seen, taken))
}
fn seen(customer_index: Option<i64>, month_left_minor: Option<i64>) -> Option<Seen> {
    Some(Seen { customer_index, month_left_minor })
}

#[test]
fn every_customers_order_is_counted_once_whoever_gets_it() {
    let counting = Loaded { counts_customers: true, others: others(2, 0), ..loaded() };
    let taken = Taken { counts: true, customer_orders: Some(2), month: None };
    for decision in [nobodys(), won(1, Rules::default())] {
        let found = looks(decision, &facts(snapshot()), &counting).unwrap();
        assert_eq!(found, (seen(Some(3), None), Some(taken.clone())));
    }
    // Nobody counts, it is a test, it is counted already, or nobody is known.
    let already = Loaded { order: Some(stored(true, None)), ..counting.clone() };
    let test = facts(Snapshot { test: true, ..snapshot() });
    let nobody = facts(Snapshot { evidence: Evidence::default(), ..snapshot() });
    for (loaded, facts) in [
        (&loaded(), &facts(snapshot())),
        (&counting, &test),
        (&already, &facts(snapshot())),
        (&counting, &nobody),
    ] {
        assert_eq!(looks(nobodys(), facts, loaded), Ok((None, None)));
    }
    // What isn't known is asked.
    let unknown = Loaded { others: None, ..counting };
    let question = looks(won(1, Rules::default()), &facts(snapshot()), &unknown).unwrap_err();
    assert_eq!((question.deal, question.currency), (Some(deal(1)), usd()));
    assert_eq!((question.customer.as_deref(), question.collections), (Some("buyer"), None));
}

#[test]
fn which_order_of_its_customers_it_is_where_terms_want_to_know() {
    let rules = || Rules { first_order_only: true, ..Rules::default() };
    let relying = |n| Some(Taken { customer_orders: Some(n), ..Taken::default() });
    let place = |loaded: &Loaded, facts: &Facts| looks(won(1, rules()), facts, loaded).unwrap();
    let known = |n, counted| Loaded {
        others: others(n, 0),
        order: Some(stored(counted, None)),
        ..loaded()
    };
    let order = facts(snapshot());
    assert_eq!(place(&known(0, false), &order), (seen(Some(1), None), relying(0)));
    assert_eq!(place(&known(2, false), &order), (seen(Some(3), None), relying(2)));
    assert_eq!(place(&known(2, true), &order), (seen(Some(2), None), relying(2)));
    // The shop may know of more.
    let journey = |n| Some(Journey { customer_order: Some(n), ..Journey::default() });
    let told = Facts { journey: journey(7), ..order.clone() };
    assert_eq!(place(&known(2, false), &told), (seen(Some(7), None), relying(2)));
    // Of nobody only the shop knows.
    let nobody = facts(Snapshot { evidence: Evidence::default(), ..snapshot() });
    assert_eq!(place(&loaded(), &nobody), (seen(Some(1), None), None));
    let told = Facts { journey: journey(4), ..nobody };
    assert_eq!(place(&loaded(), &told), (seen(Some(4), None), None));
    // What was seen stays, and isn't asked again.
    let again = Decision { seen: seen(Some(1), None), ..won(1, rules()) };
    assert_eq!(looks(again, &order, &loaded()), Ok((seen(Some(1), None), None)));
}

#[test]
fn what_is_left_of_a_month_when_an_order_first_earns() {
    let order = facts(snapshot());
    let with = |loaded: &Loaded| looks(won(1, month_cap(1_500)), &order, loaded);
    let other = |month_minor, standing| Loaded {
        others: others(0, month_minor),
        order: Some(stored(false, standing)),
        ..loaded()
    };
    let standing = |n, currency: &str| {
        Some(Standing {
            deal: deal(n),
            creator: CreatorId::from_bytes([n; 16]),
            available_day: Day(30),
            currency: currency.parse().unwrap(),
            base_minor: 3_000,
            commission_minor: 300,
            placed_day: Day(0),
            counts: true,
        })
    };
    let relying = |minor| {
        let month = Some((deal(1), Day(0), Day(30), minor));
        Some(Taken { month, ..Taken::default() })
    };
    assert_eq!(with(&other(0, None)), Ok((seen(None, Some(1_500)), relying(0))));
    assert_eq!(with(&other(1_000, None)), Ok((seen(None, Some(500)), relying(1_000))));
    assert_eq!(with(&other(9_000, None)), Ok((seen(None, Some(0)), relying(9_000))));
    // Its own part of the sum isn't others'.
    for (standing, left) in
        [(standing(1, "USD"), 800), (standing(2, "USD"), 500), (standing(1, "EUR"), 500)]
    {
        assert_eq!(with(&other(1_000, standing)), Ok((seen(None, Some(left)), relying(1_000))));
    }
    let question = with(&loaded()).unwrap_err();
    assert_eq!((question.deal, question.month), (Some(deal(1)), (Day(0), Day(30))));
    // Nobody asks again, for what earns nothing, or in another currency.
    let again = Decision { seen: seen(None, Some(700)), ..won(1, month_cap(1_500)) };
    assert_eq!(looks(again, &order, &loaded()), Ok((seen(None, Some(700)), None)));
    let unpaid = facts(Snapshot { payment: Payment::Unpaid, ..snapshot() });
    assert_eq!(looks(won(1, month_cap(1_500)), &unpaid, &loaded()), Ok((None, None)));
    let euros = facts(Snapshot { currency: "EUR".parse().unwrap(), ..snapshot() });
    assert_eq!(looks(won(1, month_cap(1_500)), &euros, &loaded()), Ok((None, None)));
    // A returning customer's earns nothing where only first orders do: its month isn't looked at.
    let both = Rules { first_order_only: true, ..month_cap(1_500) };
    let second = Some(Taken { customer_orders: Some(1), ..Taken::default() });
    let known = Loaded { others: others(1, 0), ..loaded() };
    assert_eq!(looks(won(1, both), &order, &known), Ok((seen(Some(2), None), second)));
}

fn of_collection(rate: u16) -> Rules {
    let rate = RateRule {
        label: String::new(),
        products: Vec::new(),
        collection: Some(CollectionId::from_bytes([4; 16])),
        customer: None,
        rate: BasisPoints::new(rate).unwrap(),
    };
    Rules { rates: vec![rate], ..Rules::default() }
}

#[test]
fn collections_are_asked_for_products_that_are_not_known_yet() {
    let member = |product| Member { product, collections: Vec::new() };
    let mut decision = Decision { members: vec![member(5), member(9)], ..won(1, of_collection(2)) };
    let order = facts(snapshot());
    let question = look_around(&mut decision, &order, &loaded()).unwrap_err();
    let wanted = question.collections.unwrap();
    assert_eq!(wanted.products, [6], "5 is known");
    assert_eq!(wanted.collections, [CollectionId::from_bytes([4; 16])]);
    assert_eq!(decision.members, [member(5)], "9 is bought no more");
    let known = Loaded { others: others(0, 0), ..loaded() };
    assert_eq!(look_around(&mut decision, &order, &known), Ok(None));
    let products: Vec<u64> = decision.members.iter().map(|member| member.product).collect();
    assert_eq!(products, [5, 6]);
    assert_eq!(products_of(&order, &of_collection(2)), [5, 6]);
    assert_eq!(products_of(&order, &Rules::default()), [0; 0]);
    // The month's cap sees what the collections make of it: nothing, here.
    let rules = Rules { order_cap: None, ..of_collection(0) };
    let rules = Rules { month_cap: month_cap(1_500).month_cap, ..rules };
    let spans = [5, 6].map(|product| Span {
        collection: CollectionId::from_bytes([4; 16]),
        product,
        from_ms: 0,
        to_ms: None,
    });
    let inside = Others { customer_orders: 0, month_minor: 0, spans: spans.to_vec() };
    let known = Loaded { others: Some(inside), ..loaded() };
    assert_eq!(looks(won(1, rules), &order, &known), Ok((None, None)));
}

#[test]
fn what_is_forgotten_or_said_again_decides_nothing_again() {
    let known = facts(snapshot());
    for decision in [nobodys(), won(1, Rules::default())] {
        assert!(!needs_decision(&known, &known, Some(&decision)));
        let forgotten = Facts { redacted: true, ..known.clone() }.forgetting();
        assert!(!needs_decision(&forgotten, &known, Some(&decision)));
        let evidence = Evidence { bare_ref: Some("bea".into()), ..Evidence::default() };
        let other = facts(Snapshot { evidence, ..snapshot() });
        assert!(needs_decision(&other, &known, Some(&decision)));
    }
    assert!(needs_decision(&known, &Facts::default(), None));
    assert!(!needs_decision(&Facts::default(), &Facts::default(), None));
    // What the shop saw of visits gives nobody's orders, and moves none that a code gave.
    let journey = Some(Journey { bare_ref: Some("bea".into()), ..Journey::default() });
    let visited = Facts { journey, ..known.clone() };
    assert!(needs_decision(&visited, &known, Some(&nobodys())));
    assert!(!needs_decision(&visited, &known, Some(&won(1, Rules::default()))));
}

/// One programme's word of somebody, said at this second.
fn word(affiliate: &str, second: i64, rejected: bool) -> Option<Affiliation> {
    let (affiliate, as_of_ms) = (affiliate.into(), second * 1_000);
    Some(Affiliation { affiliate, deal: None, as_of_ms, rejected })
}

#[test]
fn a_later_word_gives_nobodys_orders_or_takes_back_what_it_gave() {
    let told = |affiliation| Facts { affiliation, ..facts(snapshot()) };
    let by = |method| {
        let mut decision = won(1, Rules::default());
        decision.winner.as_mut().unwrap().method = method;
        decision
    };
    let again = |decision: &Decision, before, now| {
        needs_decision(&told(now), &told(before), Some(decision))
    };
    let (first, repeated, other) =
        (word("a/7", 1, false), word("a/7", 2, false), word("a/8", 2, false));
    let rejected = word("a/7", 3, true);
    assert!(again(&nobodys(), None, first.clone()));
    assert!(!again(&nobodys(), first.clone(), first.clone()));
    let given = by(Method::Affiliate);
    assert!(!again(&given, first.clone(), first.clone()));
    assert!(!again(&given, first.clone(), repeated), "it says the same later");
    assert!(!again(&given, first.clone(), other), "it is somebody's already");
    assert!(again(&given, first.clone(), rejected.clone()));
    assert!(again(&given, rejected.clone(), first.clone()));
    assert!(!again(&by(Method::Code), first, rejected), "the word didn't give it");
}

#[test]
fn a_decision_is_completed_by_what_is_known_of_other_orders() {
    let rules = Rules { first_order_only: true, ..month_cap(1_500) };
    let mut decision = won(1, rules);
    look_at(&mut decision, &facts(snapshot()), &Zone::utc(), others(0, 600).unwrap());
    assert_eq!(decision.seen, seen(Some(1), Some(900)));
}

#[test]
fn what_was_seen_stays_with_who_it_was_seen_for() {
    let member = Member { product: 5, collections: Vec::new() };
    let decided = |n| Decision {
        seen: seen(Some(2), Some(700)),
        members: vec![member.clone()],
        ..won(n, Rules::default())
    };
    let order = facts(snapshot());
    let same = again(&order, &decided(1), &loaded()).unwrap();
    assert_eq!((same.seen, same.members), (seen(Some(2), Some(700)), vec![member.clone()]));
    let other = again(&order, &decided(2), &loaded()).unwrap();
    assert_eq!(other.winner.unwrap().deal, deal(1));
    assert_eq!((other.seen, other.members), (seen(Some(2), None), vec![]));
}

fn candidate(method: Method, evidence: &str, at_ms: Option<Millis>, reason: Reason) -> Candidate {
    let deal_id = Some(deal(1));
    let outcome = if reason == Reason::Won { Judged::Won } else { Judged::Lost };
    Candidate { deal_id, method, evidence: evidence.into(), at_ms, outcome, reason }
}

#[test]
fn only_clicks_that_were_found_genuine_are_so_without_the_keys() {
    let keys = ClickKeys::new(&[1; 32]);
    let click = |n| keys.sign(LinkId::from_bytes([n; 16]), 60_000, 7);
    let (good, forged, unknown) = (click(1), click(2), click(3));
    let candidates = vec![
        candidate(Method::Link, &good, Some(60_000), Reason::Won),
        candidate(Method::Link, &forged, None, Reason::BadSignature),
    ];
    let decision = Decision { candidates, ..won(1, Rules::default()) };
    let told = FoundGenuine(&decision);
    assert_eq!(told.verify(&good).map(|click| click.at_ms), Some(60_000));
    assert!(told.verify(&forged).is_none() && told.verify(&unknown).is_none());
}

#[test]
fn a_word_is_kept_that_gave_an_order_or_could_have() {
    let kept = |method, reason, rejected| {
        let word = Affiliation { affiliate: "a/7".into(), deal: None, as_of_ms: 5, rejected };
        let facts = Facts { affiliation: Some(word), ..facts(snapshot()) };
        let candidates = vec![candidate(method, "a/7", None, reason)];
        kept_word(&facts, &Decision { candidates, ..won(1, Rules::default()) }).is_some()
    };
    assert!(kept(Method::Affiliate, Reason::Won, false));
    assert!(kept(Method::Affiliate, Reason::LowerPrecedence, false));
    assert!(!kept(Method::Affiliate, Reason::SelfPurchase, false));
    assert!(!kept(Method::Affiliate, Reason::Won, true));
    let both = vec![
        candidate(Method::Affiliate, "a/7", None, Reason::UnknownAffiliate),
        candidate(Method::Code, "ANNA", None, Reason::Won),
    ];
    let decision = Decision { candidates: both, ..won(1, Rules::default()) };
    assert_eq!(kept_word(&facts(snapshot()), &decision), None, "the code gave it");
}

#[test]
fn what_stands_in_the_books() {
    let order = facts(snapshot());
    assert_eq!(base_of(&order, None), 10_000);
    assert_eq!(base_of(&order, Some(&nobodys())), 10_000);
    let standing = |facts: &Facts| {
        let found = standing(facts, Some(&won(1, Rules::default())), &Zone::utc()).unwrap();
        (found.base_minor, found.commission_minor, found.available_day, found.counts)
    };
    assert_eq!(standing(&order), (10_000, 1_000, Day(30), true));
    let cancelled = facts(Snapshot { cancelled: true, ..snapshot() });
    assert_eq!(standing(&cancelled), (0, 0, Day(30), false));
    assert_eq!(super::standing(&order, Some(&nobodys()), &Zone::utc()), None);
}
