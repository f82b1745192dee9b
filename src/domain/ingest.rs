//! The decision about one delivery: merge its facts, attribute the order once, compute what it
//! earns, and post the difference.
//!
//! A pure function of what was loaded and what was delivered; the commit is one batch guarded by
//! the order's revision, so that a decision made from stale facts changes nothing.

use super::attribution::{self, Candidate, Circumstances, Decision, Known, Method, Reason};
use super::brand::{AttributionRules, EarningRules};
use super::click::{Click, ClickIds, ClickKeys};
use super::collection::{Span, Wanted, members};
use super::commission::{self, OrderState};
use super::ids::{CreatorId, DealId, OrderId, StoreId};
use super::ledger::{self, Earning, Holdings, Transaction};
use super::money::Currency;
use super::order::{Affiliation, Contradiction, Delivery, Evidence, Facts, Snapshot, order_id};
use super::terms::{Rules, Seen, month_of};
use super::time::{Day, Millis, Zone, latest_meant};

/// What was posted for an order and counted for its deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The order's deal.
    pub deal: DealId,
    /// The deal's creator.
    pub creator: CreatorId,
    /// The day its commission becomes available.
    pub available_day: Day,
    /// The order's currency.
    pub currency: Currency,
    /// Its base after refunds.
    pub base_minor: i64,
    /// Its commission.
    pub commission_minor: i64,
    /// The brand's day on which it was placed.
    pub placed_day: Day,
    /// It counts as an order: it isn't cancelled.
    pub counts: bool,
}

/// An order as storage has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOrder {
    /// Guards the commit.
    pub revision: i64,
    /// Everything known.
    pub facts: Facts,
    /// Whose it is and why, once a snapshot was seen.
    pub decision: Option<Decision>,
    /// What was posted and counted, if it has a deal.
    pub standing: Option<Standing>,
    /// It is counted among its customer's orders.
    pub counted: bool,
}

/// What a decision has to know of other orders, because the winner's terms look at them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The deal that won, if one did.
    pub deal: Option<DealId>,
    /// The order's currency.
    pub currency: Currency,
    /// The month that the order was placed in.
    pub month: (Day, Day),
    /// Keyed hash of the customer's address, if it left one.
    pub customer: Option<String>,
    /// What its terms want to know of collections.
    pub collections: Option<Box<Wanted>>,
}

/// What stands in the books about other orders, and what is known of collections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Others {
    /// How many orders of the customer were counted.
    pub customer_orders: i64,
    /// What the deal earned by orders of the month.
    pub month_minor: i64,
    /// When the products that were asked for were in the collections that were.
    pub spans: Vec<Span>,
}

/// What a commit relies on of other orders: the database refuses it when that has changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// Count this order among its customer's.
    pub counts: bool,
    /// So many orders of the customer were counted before.
    pub customer_orders: Option<i64>,
    /// This deal earned so much in the month between these days.
    pub month: Option<(DealId, Day, Day, i64)>,
}

/// Everything the decision about a delivery depends on.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The brand's version: all of this but the order and the holdings is guarded by it.
    pub version: i64,
    /// The order, if it is known.
    pub order: Option<StoredOrder>,
    /// The attribution rules in force when the order was placed.
    pub rules: AttributionRules,
    /// The brand's present earning rules.
    pub earning: EarningRules,
    /// The brand's calendar.
    pub zone: Zone,
    /// The codes and links that the delivery's evidence names.
    pub known: Known,
    /// What the creator holds for whom the order was posted, on its day.
    pub holdings: Holdings,
    /// The brand counts the orders of its customers, because some terms look at them.
    pub counts_customers: bool,
    /// The brand has commission tiers: whoever gets the order may reach a level.
    pub tiers: bool,
    /// The answer to a [`Question`], once it was asked.
    pub others: Option<Others>,
}

/// What a delivery does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It says nothing new.
    Unchanged,
    /// This has to be known first.
    Asks(Question),
    /// This is to be committed, whole or not at all.
    Changed(Box<Change>),
}

/// A change of one order, for one atomic batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which order.
    pub id: OrderId,
    /// Its store.
    pub store: StoreId,
    /// The platform's id.
    pub external_id: String,
    /// The revision it was decided from; `None` for an order seen for the first time.
    pub from_revision: Option<i64>,
    /// The order's name.
    pub name: String,
    /// When it was placed, once known.
    pub placed_at_ms: Option<Millis>,
    /// Where it stands.
    pub state: OrderState,
    /// Its currency, once known.
    pub currency: Option<Currency>,
    /// Its base after refunds.
    pub base_minor: i64,
    /// What is posted for it from now on.
    pub standing: Option<Standing>,
    /// The merged facts.
    pub facts: Facts,
    /// The decision, once made.
    pub decision: Option<Decision>,
    /// Postings.
    pub transactions: Vec<Transaction>,
    /// The brand's version that the decision was just made from: with a newer one by the time of
    /// the commit, it must fail. `None` if there was nothing to decide.
    pub decided_from: Option<i64>,
    /// What it relies on of other orders.
    pub taken: Option<Taken>,
}

/// Why a delivery can't be used although it is authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It contradicts what is known.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// The books could not be balanced: a fault of the program, kept for us to look at.
    #[error("the change does not balance")]
    Unbalanced(#[from] ledger::Unbalanced),
}

/// Decides one delivery.
///
/// # Errors
/// [`Unusable`]: the delivery belongs into quarantine and changes nothing.
pub fn decide(
    store: StoreId,
    delivery: &Delivery,
    loaded: &Loaded,
    keys: &ClickKeys,
    now_ms: Millis,
) -> Result<Outcome, Unusable> {
    let before = loaded.order.as_ref();
    let nothing = Facts::default();
    let known_facts = before.map_or(&nothing, |o| &o.facts);
    let told = known_facts.merge(&delivery.report)?;
    let evidence = told.evidence();
    let facts = told.forgetting();
    if before.is_some() && facts == *known_facts {
        return Ok(Outcome::Unchanged);
    }
    let old_decision = before.and_then(|o| o.decision.as_ref());
    let fresh = needs_decision(&facts, known_facts, old_decision);
    let decision = if fresh {
        // What a later word says counts where the one that it was decided by names nobody any more.
        let kept = old_decision.and_then(|old| kept_word(&facts, old));
        let first = kept.and_then(|word| {
            let evidence = Evidence { affiliation: Some(word), ..evidence.clone() };
            attribute(&facts, &evidence, loaded, old_decision, keys, now_ms)
        });
        first
            .filter(|decision| decision.winner.is_some())
            .or_else(|| attribute(&facts, &evidence, loaded, old_decision, keys, now_ms))
    } else {
        old_decision.cloned()
    };
    let order = (store, delivery.external_id.as_str());
    Ok(change(order, loaded, facts, decision, fresh)?)
}

/// What brings an order's books to these facts and this decision. `fresh`: the decision was just made,
/// from what the brand's version guards.
///
/// # Errors
/// [`ledger::Unbalanced`]; it would be a fault of the program.
pub(super) fn change(
    (store, external_id): (StoreId, &str),
    loaded: &Loaded,
    facts: Facts,
    mut decision: Option<Decision>,
    fresh: bool,
) -> Result<Outcome, ledger::Unbalanced> {
    let before = loaded.order.as_ref();
    let taken = match decision.as_mut().map(|decision| look_around(decision, &facts, loaded)) {
        Some(Err(question)) => return Ok(Outcome::Asks(question)),
        Some(Ok(taken)) => taken,
        None => None,
    };
    let id = order_id(store, external_id);
    let old = before.and_then(|o| o.standing);
    let new = standing(&facts, decision.as_ref(), &loaded.zone);
    let earning_of = |s: Standing| Earning {
        creator: s.creator,
        day: s.available_day,
        currency: s.currency,
        amount_minor: s.commission_minor,
    };
    let transactions =
        ledger::post_difference(id, old.map(earning_of), new.map(earning_of), loaded.holdings)?;
    Ok(Outcome::Changed(Box::new(Change {
        id,
        store,
        external_id: external_id.to_owned(),
        from_revision: before.map(|o| o.revision),
        name: facts.snapshot.as_ref().map(|s| s.name.clone()).unwrap_or_default(),
        placed_at_ms: facts.snapshot.as_ref().map(|s| s.placed_at_ms),
        state: commission::state(&facts),
        currency: facts.snapshot.as_ref().map(|s| s.currency),
        base_minor: base_of(&facts, decision.as_ref()),
        standing: new,
        transactions,
        decided_from: fresh.then_some(loaded.version),
        taken,
        facts,
        decision,
    })))
}

/// Completes a decision by what its winner's terms want to know of other orders: which of its
/// customer's orders this is, once, and what is left of the month's cap when it first earns.
/// Whatever was seen stays, so that no other order ever changes this one (DESIGN.md, "Rules").
fn look_around(
    decision: &mut Decision,
    facts: &Facts,
    loaded: &Loaded,
) -> Result<Option<Taken>, Question> {
    let Some(snapshot) = &facts.snapshot else { return Ok(None) };
    let customer = facts.evidence().email_hash;
    let counted = loaded.order.as_ref().is_some_and(|order| order.counted);
    let counts = loaded.counts_customers && !counted && !snapshot.test && customer.is_some();
    let mut taken = Taken { counts, ..Taken::default() };
    let wanted = wanted_of_collections(decision, snapshot);
    let mut seen = decision.seen.unwrap_or_default();
    let winner = decision.winner.as_ref().map(|winner| (winner.deal, &winner.terms.rules));
    // Who is counted is told her place at once, whoever gets the order: it may be moved later.
    let looks = counts || winner.is_some_and(|(_, rules)| rules.look_at_customers());
    let wants_customer = looks && seen.customer_index.is_none();
    // What the shop counted, where it has told by now: it may know orders from before this brand did.
    let counted_by_shop = facts.journey.as_ref().and_then(|j| j.customer_order).unwrap_or(1);
    if wants_customer && customer.is_none() {
        seen.customer_index = Some(counted_by_shop.max(1));
    }
    let month = month_of(loaded.zone.day(snapshot.placed_at_ms));
    let currency = snapshot.currency;
    let capped = winner.filter(|(_, rules)| rules.month_left(currency, 0).is_some());
    let wants_month = |seen: Seen| {
        let mut first = Decision { seen: Some(seen), ..decision.clone() };
        if let Some((wanted, others)) = wanted.as_ref().zip(loaded.others.as_ref()) {
            first.members.extend(members(&others.spans, wanted));
        }
        let earns = || commission::before_month_cap(facts, &first) > 0;
        capped.filter(|_| seen.month_left_minor.is_none() && earns())
    };
    let asks = (wants_customer && customer.is_some()) || wanted.is_some();
    if asks || wants_month(seen).is_some() {
        let deal = winner.map(|(deal, _)| deal);
        let collections = wanted.clone().map(Box::new);
        let question =
            || Question { deal, currency, month, customer: customer.clone(), collections };
        let others = loaded.others.as_ref().ok_or_else(question)?;
        if wants_customer && customer.is_some() {
            // An order that is counted already is one of them.
            let known = others.customer_orders + i64::from(!counted);
            seen.customer_index = Some(known.max(counted_by_shop).max(1));
            taken.customer_orders = Some(others.customer_orders);
        }
        if let Some((deal, rules)) = wants_month(seen) {
            let own = loaded.order.as_ref().and_then(|order| order.standing);
            let own = own.filter(|s| s.deal == deal && s.currency == currency);
            let by_others = others.month_minor - own.map_or(0, |s| s.commission_minor);
            seen.month_left_minor = rules.month_left(currency, by_others);
            taken.month = Some((deal, month.0, month.1, others.month_minor));
        }
        if let Some(wanted) = &wanted {
            decision.members.extend(members(&others.spans, wanted));
            decision.members.sort_by_key(|member| member.product);
        }
    }
    decision.seen = (seen != Seen::default()).then_some(seen);
    Ok((taken != Taken::default()).then_some(taken))
}

/// What is still to be known of the collections that a decision's terms name. What was known stays, as far
/// as the order still has the products: it never changes, for nothing is ever found of the time before the
/// last order (`domain/collection`).
fn wanted_of_collections(decision: &mut Decision, snapshot: &Snapshot) -> Option<Wanted> {
    let rules = decision.winner.as_ref().map(|winner| &winner.terms.rules);
    let collections = rules.map_or_else(Vec::new, Rules::collections);
    let mut products = rules.map_or_else(Vec::new, |rules| products_of_lines(snapshot, rules));
    decision.members.retain(|member| products.contains(&member.product));
    products.retain(|id| !decision.members.iter().any(|member| member.product == *id));
    let at_ms = latest_meant(snapshot.placed_at_ms);
    (!products.is_empty()).then_some(Wanted { collections, products, at_ms })
}

fn products_of_lines(snapshot: &Snapshot, rules: &Rules) -> Vec<u64> {
    if rules.collections().is_empty() {
        return Vec::new();
    }
    let earning = snapshot.lines.iter().filter(|line| line.earns);
    let mut products: Vec<u64> = earning.filter_map(|line| line.product_id).collect();
    products.sort_unstable();
    products.dedup();
    products
}

/// The products of an order of which such rules want to know what collections they were in, in their order.
#[must_use]
pub fn products_of(facts: &Facts, rules: &Rules) -> Vec<u64> {
    facts.snapshot.as_ref().map_or_else(Vec::new, |snapshot| products_of_lines(snapshot, rules))
}

/// An order is decided when its first snapshot arrives, and again only when an *earlier* snapshot
/// with other evidence, or the first with any, arrives late. Forgetting who placed it is no evidence.
/// What somebody moved by hand stays where it is. What another affiliate programme says arrives late:
/// it may attribute an order that nobody got, or take back what nothing else attributed. What the shop
/// saw of visits arrives late too: it may attribute what nothing in the order did.
fn needs_decision(facts: &Facts, known: &Facts, decision: Option<&Decision>) -> bool {
    let known = || Facts { redacted: facts.redacted, ..known.clone() }.forgetting();
    let Some(decision) = decision else { return facts.snapshot.is_some() };
    if decision.moved.is_some() {
        return false;
    }
    let (mut told, mut knew) = (facts.evidence(), known().evidence());
    let (now, before) = (told.affiliation.take(), knew.affiliation.take());
    let (visits, visited) = (told.journey.take(), knew.journey.take());
    // Where it was placed names no deal.
    told.web = knew.web;
    let rejected = |word: &Option<Affiliation>| word.as_ref().is_some_and(|a| a.rejected);
    let open = match &decision.winner {
        None => now != before,
        Some(winner) => winner.method == Method::Affiliate && rejected(&now) != rejected(&before),
    };
    let by = decision.winner.as_ref().map(|winner| winner.method);
    let late = matches!(by, None | Some(Method::Journey | Method::Affiliate)) && visits != visited;
    told != knew || open || late
}

fn attribute(
    facts: &Facts,
    evidence: &Evidence,
    loaded: &Loaded,
    old: Option<&Decision>,
    keys: &dyn ClickIds,
    now_ms: Millis,
) -> Option<Decision> {
    let snapshot = facts.snapshot.as_ref()?;
    let at = Circumstances {
        placed_at_ms: snapshot.placed_at_ms,
        test: snapshot.test,
        // What an order was first decided by stays its own.
        rules: old.map_or(loaded.rules, |d| d.rules),
        earning: old.map_or(loaded.earning, |d| d.earning),
        keys,
        now_ms,
    };
    let mut decision = attribution::decide(evidence, &loaded.known, &at);
    // Which order of its customer's it was doesn't depend on the winner; what was left of a month
    // does.
    let winner = |decision: &Decision| decision.winner.as_ref().map(|w| (w.deal, w.terms.id));
    decision.seen = old.and_then(|old| {
        let same = winner(old) == winner(&decision);
        old.seen.map(|seen| if same { seen } else { Seen { month_left_minor: None, ..seen } })
    });
    let same = |old: &&Decision| winner(old) == winner(&decision);
    decision.members = old.filter(same).map_or_else(Vec::new, |old| old.members.clone());
    Some(decision)
}

/// The click ids that a decision found genuine, which are those whose time it tells: for deciding again
/// without the keys.
#[derive(Debug, Clone, Copy)]
pub struct FoundGenuine<'a>(pub &'a Decision);

impl ClickIds for FoundGenuine<'_> {
    fn verify(&self, token: &str) -> Option<Click> {
        let found = |c: &&Candidate| c.at_ms.is_some() && c.evidence == token;
        self.0.candidates.iter().find(found).and_then(|_| Click::told(token))
    }
}

/// A decision made again from what was stored: the same, if nothing was changed. `loaded` is what held
/// when it was made; what was frozen with the order stays frozen.
#[must_use]
pub fn again(facts: &Facts, decision: &Decision, loaded: &Loaded) -> Option<Decision> {
    let clicks = FoundGenuine(decision);
    attribute(
        facts,
        &evidence_of(facts, decision),
        loaded,
        Some(decision),
        &clicks,
        decision.decided_at_ms,
    )
}

/// The evidence that a decision was made from. What another affiliate programme said after an order was
/// somebody's is known and decided nothing: what it had said until then the candidates tell.
#[must_use]
pub fn evidence_of(facts: &Facts, decision: &Decision) -> Evidence {
    let mut evidence = facts.evidence();
    if decision.winner.is_some() {
        evidence.affiliation = considered(decision);
    }
    evidence
}

/// The word of another affiliate programme that a decision looked at.
fn considered(decision: &Decision) -> Option<Affiliation> {
    let candidate = decision.candidates.iter().find(|c| c.method == Method::Affiliate)?;
    Some(Affiliation {
        affiliate: candidate.evidence.clone(),
        deal: candidate.deal_id,
        as_of_ms: 0,
        rejected: candidate.reason == Reason::RejectedElsewhere,
    })
}

/// The word that an order keeps which is somebody's and is decided again for another cause: the one that
/// could give it to somebody then. A later one gives nobody's orders only, or takes one back.
#[must_use]
pub fn kept_word(facts: &Facts, old: &Decision) -> Option<Affiliation> {
    let taken_back = facts.affiliation.as_ref().is_some_and(|word| word.rejected);
    let could = |c: &Candidate| {
        c.method == Method::Affiliate && matches!(c.reason, Reason::Won | Reason::LowerPrecedence)
    };
    let keeps = !taken_back && old.winner.is_some() && old.candidates.iter().any(could);
    keeps.then(|| considered(old)).flatten()
}

/// Completes a decision by what its terms want to know of other orders, if they stand like this.
pub fn look_at(decision: &mut Decision, facts: &Facts, zone: &Zone, others: Others) {
    let loaded = Loaded {
        version: 0,
        order: None,
        rules: decision.rules,
        earning: decision.earning,
        zone: zone.clone(),
        known: Known::default(),
        holdings: Holdings::default(),
        counts_customers: false,
        tiers: false,
        others: Some(others),
    };
    // It knows all that it could ask.
    let _ = look_around(decision, facts, &loaded);
}

/// The base of an order that was decided like this.
#[must_use]
pub fn base_of(facts: &Facts, decision: Option<&Decision>) -> i64 {
    let earning = decision.map(|d| d.earning).unwrap_or_default();
    commission::amounts(facts, &earning).base_minor
}

/// What stands in the books for an order with these facts that was decided like this.
#[must_use]
pub fn standing(facts: &Facts, decision: Option<&Decision>, zone: &Zone) -> Option<Standing> {
    let (snapshot, decision) = (facts.snapshot.as_ref()?, decision?);
    let winner = decision.winner.as_ref()?;
    let amounts = commission::amounts(facts, &decision.earning);
    let placed_day = zone.day(snapshot.placed_at_ms);
    Some(Standing {
        deal: winner.deal,
        creator: winner.creator,
        available_day: placed_day.plus(i64::from(decision.earning.hold_days)),
        currency: snapshot.currency,
        base_minor: amounts.base_minor,
        commission_minor: commission::commission(facts, decision),
        placed_day,
        counts: commission::state(facts) != OrderState::Cancelled,
    })
}

#[cfg(test)]
#[path = "affiliation_tests.rs"]
mod affiliation_tests;
#[cfg(test)]
#[path = "journey_tests.rs"]
mod journey_tests;
#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
