//! Attribution, rule by rule.

use super::*;
use crate::domain::click::ClickKeys;
use crate::domain::ids::TermsId;
use crate::domain::money::BasisPoints;
use crate::domain::terms::Rules;

const PLACED: Millis = 1_800_000_000_500;
const HOUR: Millis = 3_600_000;

fn deal(n: u8) -> DealFacts {
    DealFacts {
        deal: DealId::from_bytes([n; 16]),
        creator: CreatorId::from_bytes([n; 16]),
        email_hash: Some(format!("hash{n}")),
        closed_at_ms: None,
        terms: Some(CitedTerms {
            id: TermsId::from_bytes([n; 16]),
            rate: BasisPoints::new(1000).unwrap(),
            rules: Rules::default(),
        }),
    }
}
fn link(n: u8) -> KnownLink {
    KnownLink { link: LinkId::from_bytes([n; 16]), slug_key: format!("slug{n}"), deal: deal(n) }
}
fn code(text: &str, n: u8) -> KnownCode {
    KnownCode { code_key: text.to_lowercase(), deal: deal(n) }
}
fn used(text: &str, discount_minor: i64) -> UsedCode {
    UsedCode { code: text.into(), discount_minor, is_code: true }
}
fn keys() -> ClickKeys {
    ClickKeys::new(&[9; 32])
}
fn click(n: u8, at_ms: Millis) -> String {
    keys().sign(LinkId::from_bytes([n; 16]), at_ms, 7)
}
fn run(evidence: &Evidence, known: &Known, change: impl Fn(&mut Circumstances<'_>)) -> Decision {
    let keys = keys();
    let mut at = Circumstances {
        placed_at_ms: PLACED,
        test: false,
        rules: AttributionRules::default(),
        earning: EarningRules::default(),
        keys: &keys,
        now_ms: PLACED + HOUR,
    };
    change(&mut at);
    decide(evidence, known, &at)
}
fn reasons(decision: &Decision) -> Vec<Reason> {
    decision.candidates.iter().map(|c| c.reason).collect()
}
fn winner(decision: &Decision) -> Option<u8> {
    let wins = decision.candidates.iter().filter(|c| c.outcome == Outcome::Won).count();
    assert_eq!(wins, usize::from(decision.winner.is_some()), "one winner or none");
    decision.winner.as_ref().map(|w| w.deal.bytes()[0])
}

#[test]
fn nothing_names_no_deal() {
    let decision = run(&Evidence::default(), &Known::default(), |_| ());
    assert_eq!((winner(&decision), decision.reason), (None, Reason::NoCandidate));
}

#[test]
fn a_code_beats_a_link_unless_the_brand_says_otherwise() {
    let evidence = Evidence {
        codes: vec![used("ANNA10", 100)],
        clicks: vec![click(2, PLACED - HOUR)],
        ..Evidence::default()
    };
    let known = Known { codes: vec![code("anna10", 1)], links: vec![link(2)], deals: vec![] };
    let decision = run(&evidence, &known, |_| ());
    assert_eq!(winner(&decision), Some(1));
    assert_eq!(reasons(&decision), [Reason::Won, Reason::LowerPrecedence]);
    let decision = run(&evidence, &known, |at| at.rules.precedence = Precedence::LinkFirst);
    assert_eq!(winner(&decision), Some(2));
    assert_eq!(reasons(&decision), [Reason::LowerPrecedence, Reason::Won]);
}

#[test]
fn the_larger_discount_wins_and_the_first_of_equals() {
    let known = Known { codes: vec![code("a", 1), code("b", 2)], links: vec![], deals: vec![] };
    let with = |a, b| Evidence { codes: vec![used("A", a), used("B", b)], ..Evidence::default() };
    let decision = run(&with(100, 101), &known, |_| ());
    assert_eq!(winner(&decision), Some(2));
    assert_eq!(reasons(&decision), [Reason::SmallerDiscount, Reason::Won]);
    let decision = run(&with(100, 100), &known, |_| ());
    assert_eq!(winner(&decision), Some(1));
    assert_eq!(reasons(&decision), [Reason::Won, Reason::SmallerDiscount]);
}

#[test]
fn the_last_click_wins_or_the_first() {
    let evidence = Evidence {
        clicks: vec![
            click(1, PLACED - 3 * HOUR),
            click(2, PLACED - HOUR),
            click(3, PLACED - 2 * HOUR),
        ],
        ..Evidence::default()
    };
    let known = Known { codes: vec![], links: vec![link(1), link(2), link(3)], deals: vec![] };
    let decision = run(&evidence, &known, |_| ());
    assert_eq!(winner(&decision), Some(2));
    assert_eq!(reasons(&decision), [Reason::OlderClick, Reason::Won, Reason::OlderClick]);
    let decision = run(&evidence, &known, |at| at.rules.clicks = ClickOrder::First);
    assert_eq!(winner(&decision), Some(1));
}

#[test]
fn the_window_is_measured_from_the_click_to_the_order() {
    let known = Known { codes: vec![], links: vec![link(1)], deals: vec![] };
    for (at, wins) in [
        (PLACED - 30 * DAY_MS, true),
        (PLACED - 30 * DAY_MS - 1, false),
        (PLACED, true),
        (PLACED + 300_000, true),
        (PLACED + 300_001, false),
    ] {
        let evidence = Evidence { clicks: vec![click(1, at)], ..Evidence::default() };
        let decision = run(&evidence, &known, |_| ());
        assert_eq!(winner(&decision).is_some(), wins, "{}", PLACED - at);
        assert_eq!(decision.reason, if wins { Reason::Won } else { Reason::OutsideWindow });
    }
    let evidence = Evidence { clicks: vec![click(1, PLACED - 2 * DAY_MS)], ..Evidence::default() };
    let decision = run(&evidence, &known, |at| at.rules.window_days = 1);
    assert_eq!(decision.reason, Reason::OutsideWindow);
}

#[test]
fn a_bare_ref_ranks_below_every_valid_click_and_above_nothing() {
    let known = Known { codes: vec![code("x", 3)], links: vec![link(1), link(2)], deals: vec![] };
    let mut evidence = Evidence { bare_ref: Some("SLUG1".into()), ..Evidence::default() };
    assert_eq!(winner(&run(&evidence, &known, |_| ())), Some(1));
    evidence.clicks = vec![click(2, PLACED - 29 * DAY_MS)];
    let decision = run(&evidence, &known, |_| ());
    assert_eq!(reasons(&decision), [Reason::Won, Reason::LowerPrecedence]);
    evidence.clicks = vec!["forged".into()];
    assert_eq!(winner(&run(&evidence, &known, |_| ())), Some(1));
    evidence.codes = vec![used("X", 1)];
    assert_eq!(winner(&run(&evidence, &known, |_| ())), Some(3));
    let decision = run(&evidence, &known, |at| at.rules.precedence = Precedence::LinkFirst);
    assert_eq!(winner(&decision), Some(1));
    evidence = Evidence { bare_ref: Some("nobody".into()), ..Evidence::default() };
    assert_eq!(run(&evidence, &known, |_| ()).reason, Reason::UnknownLink);
}

#[test]
fn a_foreign_code_never_blocks_a_link() {
    let evidence = Evidence {
        codes: vec![used("SUMMER", 900)],
        clicks: vec![click(1, PLACED - HOUR)],
        ..Evidence::default()
    };
    let known = Known { codes: vec![], links: vec![link(1)], deals: vec![] };
    let decision = run(&evidence, &known, |_| ());
    assert_eq!(reasons(&decision), [Reason::UnknownCode, Reason::Won]);
    assert_eq!(winner(&decision), Some(1));
}

#[test]
fn a_title_is_no_code() {
    let mut title = used("anna10", 100);
    title.is_code = false;
    let evidence = Evidence { codes: vec![title], ..Evidence::default() };
    let known = Known { codes: vec![code("anna10", 1)], links: vec![], deals: vec![] };
    let decision = run(&evidence, &known, |_| ());
    assert_eq!((winner(&decision), decision.reason), (None, Reason::NotACodeApplication));
    assert_eq!(decision.candidates[0].deal_id, None);
}

#[test]
fn a_click_id_of_another_brand_is_a_bad_signature() {
    let evidence = Evidence { clicks: vec![click(1, PLACED - HOUR)], ..Evidence::default() };
    let decision = run(&evidence, &Known::default(), |_| ());
    assert_eq!(decision.reason, Reason::BadSignature);
    assert_eq!(decision.candidates[0].deal_id, None);
}

#[test]
fn if_the_winner_is_a_self_purchase_nobody_wins() {
    let evidence = Evidence {
        codes: vec![used("A", 2), used("B", 1)],
        email_hash: Some("hash1".into()),
        ..Evidence::default()
    };
    let known = Known { codes: vec![code("a", 1), code("b", 2)], links: vec![], deals: vec![] };
    let decision = run(&evidence, &known, |_| ());
    assert_eq!((winner(&decision), decision.reason), (None, Reason::SelfPurchase));
    assert_eq!(reasons(&decision), [Reason::SelfPurchase, Reason::SmallerDiscount]);
    // Someone without an address on file never matches a buyer without one.
    let mut nameless = known.clone();
    nameless.codes[0].deal.email_hash = None;
    let anonymous = Evidence { email_hash: None, ..evidence };
    assert_eq!(winner(&run(&anonymous, &nameless, |_| ())), Some(1));
}

#[test]
fn closed_deals_and_deals_before_their_terms_give_way_to_the_next() {
    let evidence = Evidence { codes: vec![used("A", 2), used("B", 1)], ..Evidence::default() };
    let mut known = Known { codes: vec![code("a", 1), code("b", 2)], links: vec![], deals: vec![] };
    known.codes[0].deal.terms = None;
    let decision = run(&evidence, &known, |_| ());
    assert_eq!(reasons(&decision), [Reason::BeforeTerms, Reason::Won]);
    known.codes[0].deal = deal(1);
    known.codes[0].deal.closed_at_ms = Some(PLACED);
    let decision = run(&evidence, &known, |_| ());
    assert_eq!(reasons(&decision), [Reason::DealClosed, Reason::Won]);
    // Closed after the order was placed: the order still counts.
    known.codes[0].deal.closed_at_ms = Some(PLACED + 1);
    assert_eq!(winner(&run(&evidence, &known, |_| ())), Some(1));
}

#[test]
fn test_orders_belong_to_nobody_unless_they_count() {
    let evidence = Evidence { codes: vec![used("A", 2)], ..Evidence::default() };
    let known = Known { codes: vec![code("a", 1)], links: vec![], deals: vec![] };
    let decision = run(&evidence, &known, |at| at.test = true);
    assert_eq!((winner(&decision), decision.reason), (None, Reason::TestOrder));
    let decision = run(&evidence, &known, |at| {
        at.test = true;
        at.earning.count_test_orders = true;
    });
    assert_eq!(winner(&decision), Some(1));
}

#[test]
fn codes_are_compared_without_case() {
    let evidence = Evidence { codes: vec![used(" Änna10 ", 2)], ..Evidence::default() };
    let known = Known { codes: vec![code("ÄNNA10", 1)], links: vec![], deals: vec![] };
    assert_eq!(winner(&run(&evidence, &known, |_| ())), Some(1));
}

fn brought(deal: Option<u8>, rejected: bool) -> Affiliation {
    let deal = deal.map(|n| DealId::from_bytes([n; 16]));
    Affiliation { affiliate: "store_1/7".into(), deal, as_of_ms: PLACED, rejected }
}

#[test]
fn an_affiliate_of_another_programme_goes_last_and_by_the_same_rules() {
    let evidence = |deal, rejected| Evidence {
        codes: vec![used("ANNA10", 100)],
        affiliation: Some(brought(deal, rejected)),
        ..Evidence::default()
    };
    let known = |codes| Known { codes, deals: vec![deal(2)], ..Known::default() };
    let by_code = run(&evidence(Some(2), false), &known(vec![code("anna10", 1)]), |_| ());
    assert_eq!(winner(&by_code), Some(1));
    assert_eq!(reasons(&by_code), [Reason::Won, Reason::LowerPrecedence]);
    let alone = |told: &Evidence, known: &Known| {
        let decision = run(told, known, |_| ());
        (winner(&decision), decision.candidates[1].reason, decision.candidates[1].method)
    };
    let none = known(vec![]);
    let by = Method::Affiliate;
    assert_eq!(alone(&evidence(Some(2), false), &none), (Some(2), Reason::Won, by));
    assert_eq!(alone(&evidence(None, false), &none), (None, Reason::UnknownAffiliate, by));
    assert_eq!(alone(&evidence(Some(3), false), &none), (None, Reason::UnknownAffiliate, by));
    assert_eq!(alone(&evidence(Some(2), true), &none), (None, Reason::RejectedElsewhere, by));
    let (mut closed, mut early) = (none.clone(), none.clone());
    closed.deals[0].closed_at_ms = Some(PLACED - 1);
    early.deals[0].terms = None;
    assert_eq!(alone(&evidence(Some(2), false), &closed), (None, Reason::DealClosed, by));
    assert_eq!(alone(&evidence(Some(2), false), &early), (None, Reason::BeforeTerms, by));
    let own = Evidence { email_hash: Some("hash2".into()), ..evidence(Some(2), false) };
    assert_eq!(alone(&own, &none), (None, Reason::SelfPurchase, by));
}
