//! What past orders would have earned by other rules: the same decisions and commissions, of which
//! nothing is kept.
//!
//! Orders are taken in the order in which they were placed. Rules that look at other orders see those
//! that were taken before, in place of what was seen when they were really decided.

use super::attribution::Decision;
use super::brand::AttributionChange;
use super::commission;
use super::ids::{CreatorId, DealId};
use super::ingest::{self, Loaded, Others};
use super::money::Currency;
use super::order::Facts;
use super::sorted::Sorted;
use super::terms::{CitedTerms, month_of};
use super::time::{Day, Zone};

/// What is to be different.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The terms that the deals of the filter would have had.
    pub terms: Option<CitedTerms>,
    /// The attribution rules that would have held.
    pub attribution: Option<AttributionChange>,
}

/// Which orders and deals it is about; what is `None` leaves none out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Of these deals.
    pub deals: Option<Vec<DealId>>,
}

/// An order as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// Everything known.
    pub facts: Facts,
    /// The decision about it.
    pub decision: Decision,
    /// What it earned.
    pub commission_minor: i64,
}

/// What something comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many orders earn otherwise, or for somebody else.
    pub changed: i64,
    /// What was earned.
    pub before_minor: i64,
    /// What would have been.
    pub after_minor: i64,
}

/// A simulation under way.
#[derive(Debug, Clone)]
pub struct Simulation {
    changes: Changes,
    filter: Filter,
    zone: Zone,
    /// Orders taken.
    pub orders: i64,
    /// What was and would have been earned, by creator, deal and currency.
    pub totals: Sorted<(CreatorId, DealId, Currency), Totals>,
    customers: Sorted<String, i64>,
    months: Sorted<(DealId, Day, Currency), i64>,
}

impl Simulation {
    /// A simulation of these changes, in the brand's calendar.
    #[must_use]
    pub fn new(changes: Changes, filter: Filter, zone: Zone) -> Self {
        Self {
            changes,
            filter,
            zone,
            orders: 0,
            totals: Sorted::new(),
            customers: Sorted::new(),
            months: Sorted::new(),
        }
    }

    /// Whether an order has to be looked at: some candidate is of a deal of the filter.
    fn concerns(&self, decision: &Decision) -> bool {
        let Some(deals) = &self.filter.deals else { return true };
        let winner = decision.winner.iter().map(|winner| winner.deal);
        let named = decision.candidates.iter().filter_map(|candidate| candidate.deal_id);
        winner.chain(named).any(|deal| deals.contains(&deal))
    }

    /// Takes an order. `loaded` is what its evidence names, where attribution is to change.
    pub fn take(&mut self, past: &Past, loaded: Option<Loaded>) {
        let Some(snapshot) = &past.facts.snapshot else { return };
        if !self.concerns(&past.decision) {
            return;
        }
        self.orders += 1;
        let decision = self.decide(past, loaded);
        let after = commission::commission(&past.facts, &decision);
        let month = month_of(self.zone.day(snapshot.placed_at_ms)).0;
        let currency = snapshot.currency;
        let of = |decision: &Decision| decision.winner.as_ref().map(|w| (w.creator, w.deal));
        let (was, is) = (of(&past.decision), of(&decision));
        let changed = i64::from(was != is || past.commission_minor != after);
        if let Some((creator, deal)) = was {
            self.totals.change((creator, deal, currency), |totals| {
                totals.before_minor += past.commission_minor;
                totals.changed += changed;
            });
        }
        if let Some((creator, deal)) = is {
            self.totals.change((creator, deal, currency), |totals| {
                totals.after_minor += after;
                totals.changed += if was == is { 0 } else { changed };
            });
            self.months.change((deal, month, currency), |earned| *earned += after);
        }
        if let Some(customer) = past.facts.evidence().email_hash.filter(|_| !snapshot.test) {
            self.customers.change(customer, |orders| *orders += 1);
        }
    }

    /// The decision as it would have been.
    fn decide(&self, past: &Past, loaded: Option<Loaded>) -> Decision {
        let mut decision = past.decision.clone();
        if let (Some(change), Some(loaded)) = (self.changes.attribution, loaded) {
            decision.rules = change.applied(decision.rules);
            // Who bought from herself did so whether or not that can still be told.
            // What was moved by hand stays where it is.
            let stays = past.decision.moved.is_some()
                || (past.facts.redacted && past.decision.winner.is_none());
            if let Some(made) = ingest::again(&past.facts, &decision, &loaded)
                && !stays
            {
                decision = made;
            }
        }
        let changed = self.changes.terms.as_ref().filter(|_| self.has_deal(&decision));
        let Some(terms) = changed else {
            return self.with_others(decision, past);
        };
        if let Some(winner) = &mut decision.winner {
            winner.terms = terms.clone();
            // What was left of a month is another question by other terms.
            if let Some(seen) = &mut decision.seen {
                seen.month_left_minor = None;
            }
        }
        self.with_others(decision, past)
    }

    fn has_deal(&self, decision: &Decision) -> bool {
        let Some(winner) = &decision.winner else { return false };
        self.filter.deals.as_ref().is_none_or(|deals| deals.contains(&winner.deal))
    }

    /// Completes what a decision sees of other orders by those that were taken.
    fn with_others(&self, mut decision: Decision, past: &Past) -> Decision {
        let (Some(winner), Some(snapshot)) = (&decision.winner, &past.facts.snapshot) else {
            return decision;
        };
        let month = month_of(self.zone.day(snapshot.placed_at_ms)).0;
        let key = (winner.deal, month, snapshot.currency);
        let customer = past.facts.evidence().email_hash;
        let others = Others {
            customer_orders: customer.and_then(|c| self.customers.get(&c).copied()).unwrap_or(0),
            month_minor: self.months.get(&key).copied().unwrap_or(0),
        };
        ingest::look_at(&mut decision, &past.facts, &self.zone, others);
        decision
    }
}
