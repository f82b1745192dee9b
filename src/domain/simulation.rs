//! What past orders would have earned by other rules: the same decisions and commissions, of which
//! nothing is kept.
//!
//! Orders are taken in the order in which they were placed. Rules that look at other orders see those
//! that were taken before, in place of what was seen when they were really decided.

use super::attribution::Decision;
use super::brand::AttributionChange;
use super::collection::Span;
use super::commission::{self, OrderState};
use super::ids::{CreatorId, DealId};
use super::ingest::{self, Loaded, Others};
use super::money::{BasisPoints, Currency};
use super::order::Facts;
use super::sorted::Sorted;
use super::terms::{CitedTerms, month_of};
use super::tiers::{self, Metric, Tiers};
use super::time::{Day, Zone};

/// What is to be different.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The terms that the deals of the filter would have had.
    pub terms: Option<CitedTerms>,
    /// The attribution rules that would have held.
    pub attribution: Option<AttributionChange>,
    /// The tiers that the creators of the filter's deals would have climbed.
    pub tiers: Option<Tiers>,
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
    /// What creators came to by the measure of the tiers, by the first day of each period.
    measured: Sorted<(CreatorId, Day), i64>,
    /// How many levels creators reached that don't fall back.
    kept: Sorted<CreatorId, usize>,
    /// When the products of the next orders were in collections.
    spans: Vec<Span>,
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
            measured: Sorted::new(),
            kept: Sorted::new(),
            spans: Vec::new(),
        }
    }

    /// Tells when the products of the orders that are taken next were in collections.
    pub fn know(&mut self, spans: Vec<Span>) {
        self.spans = spans;
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
            self.measure(creator, past, &decision, after);
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
        let level = self.level(&decision, past);
        if self.has_deal(&decision)
            && (self.changes.terms.is_some() || level.is_some())
            && let Some(winner) = &mut decision.winner
        {
            if let Some(terms) = &self.changes.terms {
                winner.terms = terms.clone();
                decision.members.clear();
            }
            winner.terms.rate = winner.terms.rate.max(level.unwrap_or(winner.terms.rate));
            // What was left of a month is another question by other terms.
            if let Some(seen) = &mut decision.seen {
                seen.month_left_minor = None;
            }
        }
        self.with_others(decision, past)
    }

    /// The rate of the level that the winner had reached before this order.
    fn level(&self, decision: &Decision, past: &Past) -> Option<BasisPoints> {
        let (tiers, winner) = (self.changes.tiers.as_ref()?, decision.winner.as_ref()?);
        let key = (winner.creator, self.since(tiers, past));
        let now = reached(tiers, self.measured.get(&key).copied().unwrap_or(0));
        let kept = self.kept.get(&winner.creator).copied().unwrap_or(0);
        let number = if tiers.falls_back { now } else { now.max(kept) };
        Some(tiers.levels.get(number.checked_sub(1)?)?.rate)
    }

    /// The first day of the tiers' period that an order is in.
    fn since(&self, tiers: &Tiers, past: &Past) -> Day {
        let placed = past.facts.snapshot.as_ref().map_or(0, |snapshot| snapshot.placed_at_ms);
        tiers::span(tiers.period, self.zone.day(placed)).map_or(Day(0), |(first, _)| first)
    }

    /// Counts an order for its creator's tiers, as performance counts it.
    fn measure(&mut self, creator: CreatorId, past: &Past, decision: &Decision, after: i64) {
        let Some(tiers) = self.changes.tiers.clone().filter(|_| self.has_deal(decision)) else {
            return;
        };
        let Some(snapshot) = &past.facts.snapshot else { return };
        let here = snapshot.currency == tiers.currency;
        let value = match tiers.metric {
            Metric::Orders => i64::from(commission::state(&past.facts) != OrderState::Cancelled),
            Metric::Revenue if here => {
                commission::amounts(&past.facts, &decision.earning).base_minor
            }
            Metric::Commission if here => after,
            Metric::Revenue | Metric::Commission => 0,
        };
        let key = (creator, self.since(&tiers, past));
        self.measured.change(key, |sum| *sum += value);
        let now = reached(&tiers, self.measured.get(&key).copied().unwrap_or(0));
        self.kept.change(creator, |kept| *kept = now.max(*kept));
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
        let has = |span: &&Span| snapshot.lines.iter().any(|l| l.product_id == Some(span.product));
        let others = Others {
            spans: self.spans.iter().filter(has).copied().collect(),
            customer_orders: customer.and_then(|c| self.customers.get(&c).copied()).unwrap_or(0),
            month_minor: self.months.get(&key).copied().unwrap_or(0),
        };
        ingest::look_at(&mut decision, &past.facts, &self.zone, others);
        decision
    }
}

/// How many levels are reached by what was measured.
fn reached(tiers: &Tiers, measured: i64) -> usize {
    tiers.levels.iter().take_while(|level| measured >= level.threshold).count()
}

#[cfg(test)]
#[path = "simulation_tests.rs"]
mod tests;
