//! What a creator is told when she claims an order: why it is hers or isn't, by her own evidence.
//!
//! Nobody else shows through. Of another's candidate only that it won is told, and how ("another
//! creator's code"): no code, no name, no deal. What names no deal, such as a code that nobody has, is
//! the shopper's and isn't told either.

use super::attribution::{Candidate, Decision, Method, Reason};
use super::ids::{CreatorId, DealId};

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// The order isn't hers; the brand has yet to decide.
    Open,
    /// The order was hers all along.
    Hers,
    /// No order of that name is known, or several shops have one: nothing to decide.
    Unknown,
    /// The brand gave her the order.
    Granted,
    /// It didn't.
    Declined,
}

/// What a claim comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the order is hers.
    pub hers: bool,
    /// Why it is hers or isn't.
    pub reason: Reason,
    /// By what it is another creator's, if it is.
    pub others: Option<Method>,
    /// Her own evidence in the order, and what became of it by the rules (before it was moved, if
    /// somebody moved it).
    pub candidates: Vec<Candidate>,
}

impl Answer {
    /// The answer to a creator whose deals these are, about an order that was decided so.
    #[must_use]
    pub fn of(decision: &Decision, creator: CreatorId, deals: &[DealId]) -> Self {
        let own = |c: &&Candidate| c.deal_id.is_some_and(|deal| deals.contains(&deal));
        let candidates: Vec<Candidate> = decision.candidates.iter().filter(own).cloned().collect();
        let winner = decision.winner.as_ref();
        let hers = winner.is_some_and(|w| w.creator == creator);
        let first = candidates.first().map_or(Reason::NoCandidate, |c| c.reason);
        // Why something of another's lost or won is none of hers.
        let told = hers || decision.moved.is_some();
        let reason = if told { decision.reason } else { first };
        let others = winner.filter(|_| !hers).map(|w| w.method);
        Self { hers, reason, others, candidates }
    }
}

/// The names under which a shop may know an order that somebody calls `number`: people leave the `#`
/// out, or put it in where there is none.
#[must_use]
pub fn names_of(number: &str) -> [String; 2] {
    let bare = number.trim_start_matches('#');
    [bare.to_owned(), format!("#{bare}")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attribution::{Outcome, Winner};
    use crate::domain::brand::{AttributionRules, EarningRules};
    use crate::domain::ids::TermsId;
    use crate::domain::money::BasisPoints;
    use crate::domain::moved::{Automatic, Moved};
    use crate::domain::terms::{CitedTerms, Rules};

    fn deal(n: u8) -> DealId {
        DealId::from_bytes([n; 16])
    }
    fn candidate(n: Option<u8>, method: Method, reason: Reason) -> Candidate {
        let outcome = if reason == Reason::Won { Outcome::Won } else { Outcome::Lost };
        let evidence = format!("evidence of {n:?}");
        Candidate { deal_id: n.map(deal), method, evidence, at_ms: None, outcome, reason }
    }
    fn decision(winner: Option<u8>, candidates: Vec<Candidate>) -> Decision {
        let winner = winner.map(|n| Winner {
            deal: deal(n),
            creator: CreatorId::from_bytes([n; 16]),
            method: Method::Code,
            terms: CitedTerms {
                id: TermsId::from_bytes([n; 16]),
                rate: BasisPoints::new(1000).unwrap(),
                rules: Rules::default(),
            },
        });
        Decision {
            winner,
            reason: candidates.first().map_or(Reason::NoCandidate, |c| c.reason),
            candidates,
            rules: AttributionRules::default(),
            earning: EarningRules::default(),
            decided_at_ms: 0,
            moved: None,
            seen: None,
            members: Vec::new(),
        }
    }
    fn asked(decision: &Decision, n: u8) -> Answer {
        Answer::of(decision, CreatorId::from_bytes([n; 16]), &[deal(n)])
    }

    #[test]
    fn nothing_of_anybody_else_is_told() {
        let decided = decision(
            Some(1),
            vec![
                candidate(Some(1), Method::Code, Reason::Won),
                candidate(Some(2), Method::Link, Reason::LowerPrecedence),
                candidate(None, Method::Code, Reason::UnknownCode),
            ],
        );
        let hers = asked(&decided, 1);
        assert_eq!((hers.hers, hers.reason, hers.others), (true, Reason::Won, None));
        assert_eq!(hers.candidates, decided.candidates[..1]);
        let other = asked(&decided, 2);
        assert_eq!(
            (other.hers, other.reason, other.others),
            (false, Reason::LowerPrecedence, Some(Method::Code))
        );
        assert_eq!(other.candidates, decided.candidates[1..2]);
        let stranger = asked(&decided, 3);
        assert_eq!(
            (stranger.hers, stranger.reason, stranger.others),
            (false, Reason::NoCandidate, Some(Method::Code))
        );
        assert_eq!(stranger.candidates, []);
    }

    #[test]
    fn an_order_of_nobody_says_why_hers_did_not_count() {
        let decided = decision(None, vec![candidate(Some(2), Method::Link, Reason::OutsideWindow)]);
        let answer = asked(&decided, 2);
        assert_eq!(
            (answer.hers, answer.reason, answer.others),
            (false, Reason::OutsideWindow, None)
        );
    }

    #[test]
    fn a_moved_order_says_so() {
        let mut decided = decision(Some(1), vec![candidate(Some(2), Method::Code, Reason::Won)]);
        decided.reason = Reason::Moved;
        decided.moved = Some(Moved {
            from_deal: Some(deal(2)),
            reason: "agreed".into(),
            at_ms: 0,
            by: "key".into(),
            claim: None,
            automatic: Automatic { winner: None, reason: Reason::Won },
        });
        assert_eq!(asked(&decided, 2).reason, Reason::Moved);
        assert!(!asked(&decided, 2).hers && asked(&decided, 1).hers);
    }

    #[test]
    fn a_number_is_found_with_and_without_its_sign() {
        for number in ["1001", "#1001", "##1001"] {
            assert_eq!(names_of(number), ["1001", "#1001"]);
        }
    }
}
