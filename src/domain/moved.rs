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
        ..before.clone()
    };
    Ok(ingest::change(order, loaded, known.facts.clone(), Some(decision), true)?)
}
