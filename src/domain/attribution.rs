//! Which deal, if any, an order belongs to, and why.
//!
//! Exactly one winner or none (DESIGN.md, "Attribution"). Every candidate is kept with its outcome
//! and reason, so that anyone can ask why and the decision can be recomputed from what was stored.

use serde::Serialize;

use super::brand::{AttributionRules, ClickOrder, EarningRules, Precedence};
use super::click::ClickKeys;
use super::ids::{CreatorId, DealId, LinkId};
use super::order::{Evidence, UsedCode};
use super::terms::{CitedTerms, Seen};
use super::time::{DAY_MS, Millis, latest_meant};

/// Clocks differ: a click up to five minutes younger than its order still counts (CONTRACT.md).
pub const CLOCK_SKEW_MS: Millis = 5 * 60 * 1000;

/// A deal as attribution needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DealFacts {
    /// Which deal.
    pub deal: DealId,
    /// Whose.
    pub creator: CreatorId,
    /// Keyed hash of the creator's e-mail address.
    pub email_hash: Option<String>,
    /// When the deal was closed, if it is.
    pub closed_at_ms: Option<Millis>,
    /// The terms in force when the order was placed, if there were any.
    pub terms: Option<CitedTerms>,
}

/// A code that belongs to a deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCode {
    /// As compared: without case.
    pub code_key: String,
    /// Whose it is.
    pub deal: DealFacts,
}

/// A link of the brand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLink {
    /// Which link.
    pub link: LinkId,
    /// Its slug as compared.
    pub slug_key: String,
    /// Whose it is.
    pub deal: DealFacts,
}

/// What is known of the codes and links that an order's evidence names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Codes found.
    pub codes: Vec<KnownCode>,
    /// Links found, by click id and by bare ref.
    pub links: Vec<KnownLink>,
}

/// How a candidate names its deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A discount code.
    Code,
    /// A click id or a bare `ref`.
    Link,
}

/// Why a candidate won or lost, or why an order has no deal (CONTRACT.md lists them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is the one.
    Won,
    /// Another kind of candidate goes first.
    LowerPrecedence,
    /// Another click goes first.
    OlderClick,
    /// Another code took off more, or as much and came first.
    SmallerDiscount,
    /// The click is too old, or younger than the order.
    OutsideWindow,
    /// Not a click id of this brand.
    BadSignature,
    /// A title of a manual or automatic discount, not a code.
    NotACodeApplication,
    /// The deal was closed before the order was placed.
    DealClosed,
    /// The buyer is the creator.
    SelfPurchase,
    /// Test orders don't count here.
    TestOrder,
    /// No deal has this code.
    UnknownCode,
    /// The order was placed before the deal's first terms.
    BeforeTerms,
    /// No link has this slug.
    UnknownLink,
    /// Nothing in the order names a deal.
    NoCandidate,
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The order is its deal's.
    Won,
    /// It isn't.
    Lost,
}

/// One thing in an order that may say whose it is, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The deal it names, if it names one of this brand.
    pub deal_id: Option<DealId>,
    /// How.
    pub method: Method,
    /// The code, click id or slug itself.
    pub evidence: String,
    /// When the click was, for clicks.
    pub at_ms: Option<Millis>,
    /// Won or lost.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
}

/// The deal that won, with what its commission needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Winner {
    /// Which deal.
    pub deal: DealId,
    /// Whose.
    pub creator: CreatorId,
    /// How it won.
    pub method: Method,
    /// The terms version that the order cites.
    pub terms: CitedTerms,
}

/// The decision kept with an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The deal, or none.
    pub winner: Option<Winner>,
    /// Why this deal, or why none.
    pub reason: Reason,
    /// Everything that was considered.
    pub candidates: Vec<Candidate>,
    /// The attribution rules in force when the order was placed.
    pub rules: AttributionRules,
    /// How the order earns, frozen.
    pub earning: EarningRules,
    /// When it was decided.
    pub decided_at_ms: Millis,
    /// What was seen of other orders, where the terms look at them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

/// The circumstances of an order that attribution looks at.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// When the order was placed.
    pub placed_at_ms: Millis,
    /// It was a test of the checkout.
    pub test: bool,
    /// The attribution rules in force then.
    pub rules: AttributionRules,
    /// How orders earn.
    pub earning: EarningRules,
    /// The keys that click ids are signed with.
    pub keys: &'a ClickKeys,
    /// Now.
    pub now_ms: Millis,
}

/// A candidate while it is judged.
struct Judged<'a> {
    candidate: Candidate,
    deal: Option<&'a DealFacts>,
    /// Smaller goes first; `None` is out.
    rank: Option<Rank>,
}

/// Kind of evidence, then order within the kind, then position.
type Rank = (u8, i64, usize);

/// The decision for an order with this evidence.
#[must_use]
pub fn decide(evidence: &Evidence, known: &Known, at: &Circumstances<'_>) -> Decision {
    let mut judged = judge_all(evidence, known, at);
    let best =
        judged.iter().enumerate().filter_map(|(index, j)| j.rank.map(|rank| (rank, index))).min();
    let mut reason = judged.first().map_or(Reason::NoCandidate, |j| j.candidate.reason);
    let mut winner = None;
    if let Some((best_rank, best_index)) = best {
        let own = judged.get(best_index).and_then(|j| j.deal).is_some_and(|d| is_own(d, evidence));
        for (index, j) in judged.iter_mut().enumerate() {
            let Some(rank) = j.rank else { continue };
            j.candidate.reason = if index != best_index {
                lost_to(rank, best_rank)
            } else if own {
                Reason::SelfPurchase
            } else {
                j.candidate.outcome = Outcome::Won;
                Reason::Won
            };
        }
        if let Some(best) = judged.get(best_index) {
            reason = best.candidate.reason;
            winner = if own { None } else { winner_of(best) };
        }
    }
    Decision {
        winner,
        reason,
        candidates: judged.into_iter().map(|j| j.candidate).collect(),
        rules: at.rules,
        earning: at.earning,
        decided_at_ms: at.now_ms,
        seen: None,
    }
}

fn winner_of(best: &Judged<'_>) -> Option<Winner> {
    let deal = best.deal?;
    Some(Winner {
        deal: deal.deal,
        creator: deal.creator,
        method: best.candidate.method,
        terms: deal.terms.clone()?,
    })
}

/// The buyer's address is the creator's own: both hashes are keyed, so they can be compared.
fn is_own(deal: &DealFacts, evidence: &Evidence) -> bool {
    deal.email_hash.is_some() && deal.email_hash == evidence.email_hash
}

fn lost_to(rank: Rank, best: Rank) -> Reason {
    match (rank.0 == best.0, rank.0) {
        (true, KIND_CODE_FIRST | KIND_CODE_SECOND) => Reason::SmallerDiscount,
        (true, KIND_CLICK) => Reason::OlderClick,
        _ => Reason::LowerPrecedence,
    }
}

const KIND_CODE_FIRST: u8 = 0;
const KIND_CLICK: u8 = 1;
const KIND_BARE_REF: u8 = 2;
const KIND_CODE_SECOND: u8 = 3;

fn judge_all<'a>(evidence: &Evidence, known: &'a Known, at: &Circumstances<'_>) -> Vec<Judged<'a>> {
    let codes = evidence.codes.iter().map(|used| judge_code(used, known, at));
    let clicks = evidence.clicks.iter().map(|token| judge_click(token, known, at));
    let bare = evidence.bare_ref.iter().map(|slug| judge_bare_ref(slug, known, at));
    let mut all: Vec<_> = codes.chain(clicks).chain(bare).collect();
    for (position, judged) in all.iter_mut().enumerate() {
        if let Some(rank) = &mut judged.rank {
            rank.2 = position;
        }
    }
    all
}

fn judge_code<'a>(used: &UsedCode, known: &'a Known, at: &Circumstances<'_>) -> Judged<'a> {
    let key = code_key(&used.code);
    let deal = known.codes.iter().find(|k| k.code_key == key).map(|k| &k.deal);
    let kind = match at.rules.precedence {
        Precedence::CodeFirst => KIND_CODE_FIRST,
        Precedence::LinkFirst => KIND_CODE_SECOND,
    };
    let verdict = if !used.is_code {
        Err(Reason::NotACodeApplication)
    } else {
        deal.ok_or(Reason::UnknownCode).and_then(|deal| admissible(deal, at))
    };
    let deal = deal.filter(|_| used.is_code);
    // The larger discount goes first.
    let rank = verdict.map(|()| (kind, -used.discount_minor, 0));
    judged(Method::Code, &used.code, None, deal, rank)
}

fn judge_click<'a>(token: &str, known: &'a Known, at: &Circumstances<'_>) -> Judged<'a> {
    let click = at.keys.verify(token);
    let link = click.and_then(|c| known.links.iter().find(|k| k.link == c.link));
    // A click id that is no click id of *this brand* says nothing about whose it is.
    let (Some(click), Some(link)) = (click, link) else {
        return judged(Method::Link, token, None, None, Err(Reason::BadSignature));
    };
    let age = at.placed_at_ms - click.at_ms;
    let window = i64::from(at.rules.window_days) * DAY_MS;
    let in_window = (-CLOCK_SKEW_MS..=window).contains(&age);
    let verdict = if in_window { admissible(&link.deal, at) } else { Err(Reason::OutsideWindow) };
    let order = match at.rules.clicks {
        ClickOrder::Last => -click.at_ms,
        ClickOrder::First => click.at_ms,
    };
    let rank = verdict.map(|()| (KIND_CLICK, order, 0));
    judged(Method::Link, token, Some(click.at_ms), Some(&link.deal), rank)
}

fn judge_bare_ref<'a>(slug: &str, known: &'a Known, at: &Circumstances<'_>) -> Judged<'a> {
    let key = slug.to_ascii_lowercase();
    let deal = known.links.iter().find(|k| k.slug_key == key).map(|k| &k.deal);
    let verdict = deal.ok_or(Reason::UnknownLink).and_then(|deal| admissible(deal, at));
    judged(Method::Link, slug, None, deal, verdict.map(|()| (KIND_BARE_REF, 0, 0)))
}

fn judged<'a>(
    method: Method,
    evidence: &str,
    at_ms: Option<Millis>,
    deal: Option<&'a DealFacts>,
    verdict: Result<Rank, Reason>,
) -> Judged<'a> {
    let candidate = Candidate {
        deal_id: deal.map(|d| d.deal),
        method,
        evidence: evidence.to_owned(),
        at_ms,
        outcome: Outcome::Lost,
        reason: verdict.err().unwrap_or(Reason::LowerPrecedence),
    };
    Judged { candidate, deal, rank: verdict.ok() }
}

/// What any deal must fulfil, however it is named.
fn admissible(deal: &DealFacts, at: &Circumstances<'_>) -> Result<(), Reason> {
    if at.test && !at.earning.count_test_orders {
        return Err(Reason::TestOrder);
    }
    if deal.closed_at_ms.is_some_and(|closed| closed <= latest_meant(at.placed_at_ms)) {
        return Err(Reason::DealClosed);
    }
    if deal.terms.is_none() {
        return Err(Reason::BeforeTerms);
    }
    Ok(())
}

/// A code as it is compared: without surrounding space and case.
#[must_use]
pub fn code_key(code: &str) -> String {
    code.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn run(
        evidence: &Evidence,
        known: &Known,
        change: impl Fn(&mut Circumstances<'_>),
    ) -> Decision {
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
        let known = Known { codes: vec![code("anna10", 1)], links: vec![link(2)] };
        let decision = run(&evidence, &known, |_| ());
        assert_eq!(winner(&decision), Some(1));
        assert_eq!(reasons(&decision), [Reason::Won, Reason::LowerPrecedence]);
        let decision = run(&evidence, &known, |at| at.rules.precedence = Precedence::LinkFirst);
        assert_eq!(winner(&decision), Some(2));
        assert_eq!(reasons(&decision), [Reason::LowerPrecedence, Reason::Won]);
    }

    #[test]
    fn the_larger_discount_wins_and_the_first_of_equals() {
        let known = Known { codes: vec![code("a", 1), code("b", 2)], links: vec![] };
        let with =
            |a, b| Evidence { codes: vec![used("A", a), used("B", b)], ..Evidence::default() };
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
        let known = Known { codes: vec![], links: vec![link(1), link(2), link(3)] };
        let decision = run(&evidence, &known, |_| ());
        assert_eq!(winner(&decision), Some(2));
        assert_eq!(reasons(&decision), [Reason::OlderClick, Reason::Won, Reason::OlderClick]);
        let decision = run(&evidence, &known, |at| at.rules.clicks = ClickOrder::First);
        assert_eq!(winner(&decision), Some(1));
    }

    #[test]
    fn the_window_is_measured_from_the_click_to_the_order() {
        let known = Known { codes: vec![], links: vec![link(1)] };
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
        let evidence =
            Evidence { clicks: vec![click(1, PLACED - 2 * DAY_MS)], ..Evidence::default() };
        let decision = run(&evidence, &known, |at| at.rules.window_days = 1);
        assert_eq!(decision.reason, Reason::OutsideWindow);
    }

    #[test]
    fn a_bare_ref_ranks_below_every_valid_click_and_above_nothing() {
        let known = Known { codes: vec![code("x", 3)], links: vec![link(1), link(2)] };
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
        let known = Known { codes: vec![], links: vec![link(1)] };
        let decision = run(&evidence, &known, |_| ());
        assert_eq!(reasons(&decision), [Reason::UnknownCode, Reason::Won]);
        assert_eq!(winner(&decision), Some(1));
    }

    #[test]
    fn a_title_is_no_code() {
        let mut title = used("anna10", 100);
        title.is_code = false;
        let evidence = Evidence { codes: vec![title], ..Evidence::default() };
        let known = Known { codes: vec![code("anna10", 1)], links: vec![] };
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
        let known = Known { codes: vec![code("a", 1), code("b", 2)], links: vec![] };
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
        let mut known = Known { codes: vec![code("a", 1), code("b", 2)], links: vec![] };
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
        let known = Known { codes: vec![code("a", 1)], links: vec![] };
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
        let known = Known { codes: vec![code("ÄNNA10", 1)], links: vec![] };
        assert_eq!(winner(&run(&evidence, &known, |_| ())), Some(1));
    }
}
