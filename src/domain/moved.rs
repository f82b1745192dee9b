//! Orders that somebody moves by hand, to another deal or to none.
//!
//! That is a person's decision with a reason: it stands against whatever is delivered later, and what
//! was decided before is kept beside it. The terms are those of the new deal that were in force when
//! the order was placed; how the order earns stays frozen as it was. A deal that is closed may get an
//! order by hand, a creator never one that she bought herself.

use serde::Serialize;

use super::attribution::{DealFacts, Decision, Method, Reason, Winner, is_own};
use super::ids::{ClaimId, DealId, StoreId};
use super::ingest::{self, Loaded, Outcome};
use super::terms::Seen;
use super::time::Millis;

/// The last move of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Whose it was until then.
    pub from_deal: Option<DealId>,
    /// Why, in the words of who moved it.
    pub reason: String,
    /// When.
    pub at_ms: Millis,
    /// Who, by the id of the member or key.
    pub by: String,
    /// The claim that was granted by it, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimId>,
    /// What the rules had decided before anybody moved it.
    pub automatic: Automatic,
}

/// What the rules decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Automatic {
    /// The deal, or none.
    pub winner: Option<Winner>,
    /// Why.
    pub reason: Reason,
}

/// Who moves an order, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// Why.
    pub reason: String,
    /// When.
    pub at_ms: Millis,
    /// Who.
    pub by: String,
    /// The claim that is granted by it.
    pub claim: Option<ClaimId>,
}

/// Why an order can't be moved so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMoved {
    /// Only a refund, dispute or cancellation of it is known.
    #[error("the order itself hasn't arrived yet: only then it is somebody's")]
    Undecided,
    /// It is there.
    #[error("the order is that deal's (or nobody's) already")]
    There,
    /// The deal had no terms yet.
    #[error("the order was placed before the deal's first terms")]
    BeforeTerms,
    /// The buyer is the creator.
    #[error("the creator bought this herself")]
    SelfPurchase,
    /// A fault of the program.
    #[error("the change does not balance")]
    Unbalanced(#[from] super::ledger::Unbalanced),
}

/// Moves an order to `to`, or to none. Which of its customer's orders it was stays so; what is left of a
/// month's cap is asked of the new deal.
///
/// # Errors
/// [`NotMoved`]: nothing changes.
pub fn decide(
    order: (StoreId, &str),
    loaded: &Loaded,
    to: Option<&DealFacts>,
    hand: Hand,
) -> Result<Outcome, NotMoved> {
    let known = loaded.order.as_ref().ok_or(NotMoved::Undecided)?;
    let before = known.decision.as_ref().ok_or(NotMoved::Undecided)?;
    let from_deal = before.winner.as_ref().map(|w| w.deal);
    if from_deal == to.map(|deal| deal.deal) {
        return Err(NotMoved::There);
    }
    // Who bought it may be forgotten by now; that she was told from then is not.
    let bought = |deal: &DealFacts| {
        let told = |c: &super::attribution::Candidate| {
            c.reason == Reason::SelfPurchase && c.deal_id == Some(deal.deal)
        };
        is_own(deal, &known.facts.evidence()) || before.candidates.iter().any(told)
    };
    if to.is_some_and(bought) {
        return Err(NotMoved::SelfPurchase);
    }
    let winner = match to {
        None => None,
        Some(deal) => Some(Winner {
            deal: deal.deal,
            creator: deal.creator,
            method: Method::Hand,
            terms: deal.terms.clone().ok_or(NotMoved::BeforeTerms)?,
        }),
    };
    let automatic = match &before.moved {
        Some(moved) => moved.automatic.clone(),
        None => Automatic { winner: before.winner.clone(), reason: before.reason },
    };
    let Hand { reason, at_ms, by, claim } = hand;
    let decision = Decision {
        winner,
        reason: Reason::Moved,
        moved: Some(Moved { from_deal, reason, at_ms, by, claim, automatic }),
        seen: before.seen.map(|seen| Seen { month_left_minor: None, ..seen }),
        members: Vec::new(),
        ..before.clone()
    };
    Ok(ingest::change(order, loaded, known.facts.clone(), Some(decision), true)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attribution::Known;
    use crate::domain::brand::{AttributionRules, EarningRules};
    use crate::domain::click::ClickKeys;
    use crate::domain::collection::{Member, Span};
    use crate::domain::ids::{CollectionId, CreatorId, TermsId};
    use crate::domain::ingest::{Change, Others, StoredOrder};
    use crate::domain::ledger::Holdings;
    use crate::domain::money::{BasisPoints, Money};
    use crate::domain::order::{Delivery, Evidence, Line, Payment, Report, Snapshot};
    use crate::domain::terms::{CitedTerms, RateRule, Rules};
    use crate::domain::time::Zone;

    fn store() -> StoreId {
        StoreId::from_bytes([5; 16])
    }
    fn deal(n: u8, rules: Rules) -> DealFacts {
        let rate = BasisPoints::new(1_000).unwrap();
        DealFacts {
            deal: DealId::from_bytes([n; 16]),
            creator: CreatorId::from_bytes([n; 16]),
            email_hash: Some(format!("hash{n}")),
            closed_at_ms: None,
            terms: Some(CitedTerms { id: TermsId::from_bytes([n; 16]), rate, rules }),
        }
    }
    fn hand() -> Hand {
        Hand { reason: "agreed".into(), at_ms: 9, by: "member_1".into(), claim: None }
    }
    /// An order of 100.00 that nobody led to, bought by whoever has this hash.
    fn loaded(buyer: &str) -> Loaded {
        let mut loaded = Loaded {
            version: 1,
            order: None,
            rules: AttributionRules::default(),
            earning: EarningRules::default(),
            zone: Zone::utc(),
            known: Known::default(),
            holdings: Holdings::default(),
            counts_customers: false,
            tiers: false,
            others: Some(Others { customer_orders: 0, month_minor: 400, spans: vec![] }),
        };
        let line = Line {
            id: 1,
            product_id: None,
            quantity: 1,
            current_quantity: None,
            price_minor: 10_000,
            discount_minor: 0,
            tax_minor: 0,
            earns: true,
        };
        let snapshot = Snapshot {
            updated_at_ms: 1,
            placed_at_ms: 1,
            name: "#1".into(),
            currency: "USD".parse().unwrap(),
            payment: Payment::Paid,
            cancelled: false,
            test: false,
            taxes_included: false,
            lines: vec![line],
            evidence: Evidence { email_hash: Some(buyer.into()), ..Evidence::default() },
        };
        let report = Report::Snapshot(Box::new(snapshot), Vec::new());
        let delivery = Delivery { external_id: "1".into(), report };
        let keys = ClickKeys::new(&[1; 32]);
        let first = ingest::decide(store(), &delivery, &loaded, &keys, 2).unwrap();
        loaded.order = Some(stored(first));
        loaded
    }
    fn changed(outcome: Outcome) -> Change {
        let Outcome::Changed(change) = outcome else { panic!("{outcome:?}") };
        *change
    }
    fn stored(outcome: Outcome) -> StoredOrder {
        let change = changed(outcome);
        StoredOrder {
            revision: 1,
            facts: change.facts,
            decision: change.decision,
            standing: change.standing,
            counted: false,
        }
    }
    fn to(loaded: &Loaded, deal: Option<&DealFacts>) -> Result<Outcome, NotMoved> {
        decide((store(), "1"), loaded, deal, hand())
    }

    #[test]
    fn a_move_says_who_and_why_and_what_was_decided_before() {
        let mut loaded = loaded("buyer");
        let (anna, berta) = (deal(1, Rules::default()), deal(2, Rules::default()));
        let first = changed(to(&loaded, Some(&anna)).unwrap());
        let decision = first.decision.clone().unwrap();
        assert_eq!(
            decision.winner.as_ref().map(|w| (w.deal, w.method)),
            Some((anna.deal, Method::Hand))
        );
        assert_eq!(decision.reason, Reason::Moved);
        let moved = decision.moved.clone().unwrap();
        assert_eq!(
            (moved.from_deal, moved.reason.as_str(), moved.by.as_str()),
            (None, "agreed", "member_1")
        );
        assert_eq!((moved.automatic.winner, moved.automatic.reason), (None, Reason::NoCandidate));
        assert_eq!(first.standing.unwrap().commission_minor, 1_000);

        // Once more: what the rules had decided stays what is told of them.
        loaded.order = Some(stored(Outcome::Changed(Box::new(first))));
        let second = changed(to(&loaded, Some(&berta)).unwrap()).decision.unwrap().moved.unwrap();
        assert_eq!(second.from_deal, Some(anna.deal));
        assert_eq!((second.automatic.winner, second.automatic.reason), (None, Reason::NoCandidate));
        let none = changed(to(&loaded, None).unwrap());
        assert_eq!((none.standing, none.decision.unwrap().winner), (None, None));
        assert_eq!(to(&loaded, Some(&anna)), Err(NotMoved::There));
    }

    #[test]
    fn nobody_gets_what_she_bought_herself_also_when_that_is_forgotten() {
        let own = loaded("hash1");
        assert_eq!(to(&own, Some(&deal(1, Rules::default()))), Err(NotMoved::SelfPurchase));
        assert!(to(&own, Some(&deal(2, Rules::default()))).is_ok());
        // A candidate that was told as her own purchase, of an order whose buyer is forgotten.
        let mut forgotten = loaded("buyer");
        let told = |n, reason| super::super::attribution::Candidate {
            deal_id: Some(DealId::from_bytes([n; 16])),
            method: Method::Code,
            evidence: "ANNA".into(),
            at_ms: None,
            outcome: super::super::attribution::Outcome::Lost,
            reason,
        };
        let decision = forgotten.order.as_mut().unwrap().decision.as_mut().unwrap();
        decision.candidates = vec![told(1, Reason::SelfPurchase), told(2, Reason::OlderClick)];
        assert_eq!(to(&forgotten, Some(&deal(1, Rules::default()))), Err(NotMoved::SelfPurchase));
        assert!(to(&forgotten, Some(&deal(2, Rules::default()))).is_ok());
    }

    #[test]
    fn before_terms_and_before_the_order_nothing_moves() {
        let mut early = deal(1, Rules::default());
        early.terms = None;
        assert_eq!(to(&loaded("buyer"), Some(&early)), Err(NotMoved::BeforeTerms));
        let mut unknown = loaded("buyer");
        unknown.order.as_mut().unwrap().decision = None;
        assert_eq!(to(&unknown, Some(&deal(1, Rules::default()))), Err(NotMoved::Undecided));
        unknown.order = None;
        assert_eq!(to(&unknown, None), Err(NotMoved::Undecided));
    }

    #[test]
    fn the_new_deals_month_is_asked_anew_and_the_customers_place_stays() {
        let mut loaded = loaded("buyer");
        let seen = Seen { customer_index: Some(7), month_left_minor: Some(1) };
        loaded.order.as_mut().unwrap().decision.as_mut().unwrap().seen = Some(seen);
        let cap = Some(Money::new(1_000, "USD".parse().unwrap()));
        let capped = deal(1, Rules { month_cap: cap, ..Rules::default() });
        let moved = changed(to(&loaded, Some(&capped)).unwrap());
        let seen = Seen { customer_index: Some(7), month_left_minor: Some(600) };
        assert_eq!(moved.decision.unwrap().seen, Some(seen));
        assert_eq!(moved.standing.unwrap().commission_minor, 600);
    }

    #[test]
    fn the_new_deals_collections_are_looked_up_anew() {
        let mut loaded = loaded("buyer");
        let collection = CollectionId::from_bytes([4; 16]);
        let order = loaded.order.as_mut().unwrap();
        for line in &mut order.facts.snapshot.as_mut().unwrap().lines {
            line.product_id = Some(7);
        }
        // Of the collections that the terms before named it was in none.
        let none = Member { product: 7, collections: vec![] };
        order.decision.as_mut().unwrap().members = vec![none];
        let span = Span { collection, product: 7, from_ms: 0, to_ms: None };
        loaded.others.as_mut().unwrap().spans = vec![span];
        let rule = RateRule {
            label: String::new(),
            products: vec![],
            collection: Some(collection),
            customer: None,
            rate: BasisPoints::new(2_000).unwrap(),
        };
        let hers = deal(1, Rules { rates: vec![rule], ..Rules::default() });
        let moved = changed(to(&loaded, Some(&hers)).unwrap());
        assert_eq!(moved.standing.unwrap().commission_minor, 2_000);
    }
}
