//! Which deal, if any, an order belongs to, and why.
//!
//! Exactly one winner or none (DESIGN.md, "Attribution"). Every candidate is kept with its outcome
//! and reason, so that anyone can ask why and the decision can be recomputed from what was stored.

use serde::Serialize;

use super::brand::{AttributionRules, ClickOrder, EarningRules, Precedence};
use super::click::ClickIds;
use super::collection::Member;
use super::ids::{CreatorId, DealId, LinkId};
use super::moved::Moved;
use super::order::{Affiliation, Evidence, UsedCode};
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
    /// Keyed hash of the creator's e-mail address; where others were merged into her, theirs too, apart by
    /// spaces.
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
    /// Deals that are named themselves.
    pub deals: Vec<DealFacts>,
}

/// How a candidate names its deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A discount code.
    Code,
    /// A click id or a bare `ref`.
    Link,
    /// Somebody of the brand decided so.
    Hand,
    /// Another affiliate programme says whose customer it is.
    Affiliate,
    /// The shop saw a visit by a link, which the order itself doesn't tell.
    Journey,
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
    /// Somebody of the brand moved the order, whatever it carries.
    Moved,
    /// The affiliate belonged to no deal when the order was placed.
    UnknownAffiliate,
    /// The other affiliate programme rejected the order, or has it no more.
    RejectedElsewhere,
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
    /// The code, click id, slug or affiliate itself.
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
    /// Who decided otherwise since. `candidates` stay those of the first decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// What was seen of other orders, where the terms look at them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// In which of the collections that the terms name the order's products were when it was placed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
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
    /// Tells genuine click ids.
    pub keys: &'a dyn ClickIds,
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
        moved: None,
        seen: None,
        members: Vec::new(),
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

/// The buyer's address is one of the creator's own: the hashes are keyed, so they can be compared.
pub(super) fn is_own(deal: &DealFacts, evidence: &Evidence) -> bool {
    let (Some(hers), Some(buyers)) = (&deal.email_hash, &evidence.email_hash) else { return false };
    hers.split(' ').any(|hash| hash == buyers)
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
const KIND_AFFILIATE: u8 = 4;

fn judge_all<'a>(evidence: &Evidence, known: &'a Known, at: &Circumstances<'_>) -> Vec<Judged<'a>> {
    let codes = evidence.codes.iter().map(|used| judge_code(used, known, at));
    let clicks = evidence.clicks.iter().map(|token| judge_click(token, known, at));
    let bare = evidence.bare_ref.iter().map(|slug| judge_bare_ref(slug, known, at));
    let affiliate = evidence.affiliation.iter().map(|told| judge_affiliate(told, known, at));
    let mut all: Vec<_> = codes.chain(clicks).chain(bare).collect();
    // What the shop saw of visits is asked for where nothing that the order carries names a deal, so
    // it counts only there.
    if all.iter().all(|judged| judged.rank.is_none())
        && let Some(journey) = &evidence.journey
    {
        let clicks = journey.clicks.iter().map(|token| judge_click(token, known, at));
        let bare = journey.bare_ref.iter().map(|slug| judge_bare_ref(slug, known, at));
        all.extend(clicks.chain(bare).map(|mut judged| {
            judged.candidate.method = Method::Journey;
            judged
        }));
    }
    all.extend(affiliate);
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

/// What another programme says ranks below every valid code and link: it counts what it saw, by rules
/// that aren't the brand's here.
fn judge_affiliate<'a>(told: &Affiliation, known: &'a Known, at: &Circumstances<'_>) -> Judged<'a> {
    let deal = told.deal.and_then(|id| known.deals.iter().find(|known| known.deal == id));
    let verdict = if told.rejected {
        Err(Reason::RejectedElsewhere)
    } else {
        deal.ok_or(Reason::UnknownAffiliate).and_then(|deal| admissible(deal, at))
    };
    let rank = verdict.map(|()| (KIND_AFFILIATE, 0, 0));
    judged(Method::Affiliate, &told.affiliate, None, deal, rank)
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
#[path = "attribution_tests.rs"]
mod tests;
