//! Orders: the decision made again from evidence and journal, the commission from facts and decision.

use super::{Audit, Checked, OrderLine};
use crate::audit::Difference;
use crate::domain::attribution::{Decision, Reason};
use crate::domain::collection::{self, Wanted};
use crate::domain::commission;
use crate::domain::ingest;
use crate::domain::order::Facts;
use crate::domain::time::{Zone, latest_meant};

impl Audit {
    /// An order: its decision, and what stands in the books for it.
    pub(super) fn order(&mut self, line: u64, order: &OrderLine) -> Checked {
        if let Some(decision) = &order.decision {
            self.decision(line, order, decision)?;
        }
        self.standing(line, order)?;
        self.report.orders += 1;
        Ok(())
    }

    /// The decision, made again from the order's evidence and what held then.
    fn decision(&mut self, line: u64, order: &OrderLine, decision: &Decision) -> Checked {
        let id = order.id;
        let Some(snapshot) = &order.facts.snapshot else {
            return Difference::at(line, format!("{id} was decided without being known"));
        };
        if decision.moved.is_some() {
            self.report.by_hand += 1;
            return Ok(());
        }
        let version = order.decision_version.unwrap_or(0);
        if self.rules.first.is_none_or(|first| version < first) || version > self.rules.version {
            self.report.given += 1;
            return Ok(());
        }
        let brand = self.brand.map_or(String::new(), |brand| brand.to_string());
        let clicks = ingest::FoundGenuine(decision);
        let named = (&ingest::evidence_of(&order.facts, decision), snapshot.placed_at_ms);
        let Some(loaded) = self.rules.loaded(&brand, named, &clicks, version) else {
            return Difference::at(line, format!("{id}: nothing is known of version {version}"));
        };
        if loaded.rules != decision.rules {
            return Difference::at(
                line,
                format!(
                    "{id} was decided by the rules {:?}, but in force were {:?}",
                    decision.rules, loaded.rules
                ),
            );
        }
        let earning = serde_json::to_value(decision.earning).unwrap_or_default();
        if !self.rules.had_earning(&brand, &earning, version) {
            return Difference::at(line, format!("{id} earns by {earning}, which never held"));
        }
        if let (Some(winner), Some(seen)) = (&decision.winner, decision.seen) {
            let cap = winner.terms.rules.month_left(snapshot.currency, 0);
            let plausible = seen.customer_index.is_none_or(|index| index >= 1)
                && seen.month_left_minor.is_none_or(|left| cap.is_some_and(|cap| left <= cap));
            if !plausible {
                return Difference::at(
                    line,
                    format!("{id} saw {seen:?} of other orders, which its terms don't allow"),
                );
            }
        }
        let Some(made) = ingest::again(&order.facts, decision, &loaded) else {
            return Difference::at(line, format!("{id} can't be decided again"));
        };
        if made == *decision {
            self.members(line, order, decision)?;
            self.report.decisions += 1;
            return Ok(());
        }
        if rests_on_the_forgotten(&order.facts, decision, &made, &loaded) {
            self.report.forgotten += 1;
            return Ok(());
        }
        Difference::at(line, format!("{id}: {}", how_differs(decision, &made)))
    }

    /// What an order keeps of collections is what the journal says of the time when it was placed.
    fn members(&self, line: u64, order: &OrderLine, decision: &Decision) -> Checked {
        let Some(winner) = &decision.winner else { return Ok(()) };
        let placed_at_ms = order.facts.snapshot.as_ref().map_or(0, |s| s.placed_at_ms);
        let wanted = Wanted {
            collections: winner.terms.rules.collections(),
            products: ingest::products_of(&order.facts, &winner.terms.rules),
            at_ms: latest_meant(placed_at_ms),
        };
        let made = collection::members(self.rules.spans(), &wanted);
        if made == decision.members {
            return Ok(());
        }
        let text = |members| serde_json::to_string(members).unwrap_or_default();
        let (told, made) = (text(&decision.members), text(&made));
        let words = format!("{}: its products were in {told}; the journal says {made}", order.id);
        Difference::at(line, words)
    }

    /// What stands in the books follows from facts and decision.
    fn standing(&self, line: u64, order: &OrderLine) -> Checked {
        let decision = order.decision.as_ref();
        let told = (order.state.as_str(), order.base_minor, order.commission_minor);
        let state = commission::state(&order.facts).as_str();
        let base = ingest::base_of(&order.facts, decision);
        let differs = |what: &str, told: &dyn std::fmt::Debug, made: &dyn std::fmt::Debug| {
            let words = format!("{}: {what} is {told:?}; its facts come to {made:?}", order.id);
            Difference::at(line, words)
        };
        if state != told.0 {
            return differs("the state", &told.0, &state);
        }
        if base != told.1 {
            return differs("the base in minor units", &told.1, &base);
        }
        let mut made = ingest::standing(&order.facts, decision, &Zone::utc());
        let commission = made.map_or(0, |s| s.commission_minor);
        if commission != told.2 {
            return differs("the commission in minor units", &told.2, &commission);
        }
        if made.map(|s| s.deal) != order.deal || made.map(|s| s.creator) != order.creator {
            let winner = made.map(|s| (s.deal, s.creator));
            return differs("whose it is", &(order.deal, order.creator), &winner);
        }
        let snapshot = order.facts.snapshot.as_ref();
        if snapshot.map(|s| s.placed_at_ms) != order.placed_at_ms {
            let placed = snapshot.map(|s| s.placed_at_ms);
            return differs("when it was placed", &order.placed_at_ms, &placed);
        }
        // Days are those of the calendar that the brand had then.
        let days = (order.placed_day, order.available_day);
        for zone in self.rules.zones().filter_map(Zone::named) {
            made = ingest::standing(&order.facts, decision, &zone);
            if (made.map(|s| s.placed_day), made.map(|s| s.available_day)) == days {
                return Ok(());
            }
        }
        let made = (made.map(|s| s.placed_day), made.map(|s| s.available_day));
        if made == days { Ok(()) } else { differs("its days", &days, &made) }
    }
}

/// Whether a decision says that somebody bought from herself, which can't be seen any more because
/// buyer or creator is forgotten; all else is as it was.
fn rests_on_the_forgotten(
    facts: &Facts,
    decision: &Decision,
    made: &Decision,
    loaded: &ingest::Loaded,
) -> bool {
    let deals = loaded.known.codes.iter().map(|c| &c.deal);
    let deals = deals.chain(loaded.known.links.iter().map(|l| &l.deal));
    let mut deals = deals.chain(&loaded.known.deals);
    let unknown = facts.redacted || deals.any(|deal| deal.email_hash.is_none());
    let mut as_if = made.clone();
    for (told, made) in decision.candidates.iter().zip(&mut as_if.candidates) {
        if told.reason == Reason::SelfPurchase {
            (made.outcome, made.reason) = (told.outcome, told.reason);
        }
    }
    (as_if.winner, as_if.reason) = (None, Reason::SelfPurchase);
    unknown && decision.reason == Reason::SelfPurchase && as_if == *decision
}

/// What differs between a decision as it was stored and as it was made again.
fn how_differs(told: &Decision, made: &Decision) -> String {
    let winner = |decision: &Decision| match &decision.winner {
        Some(winner) => format!("deal {} by {:?}", winner.deal, winner.method),
        None => format!("no deal ({:?})", decision.reason),
    };
    if winner(told) != winner(made) {
        return format!(
            "it was decided as {}; its evidence comes to {}",
            winner(told),
            winner(made)
        );
    }
    if let (Some(told), Some(made)) = (&told.winner, &made.winner)
        && told != made
    {
        let text = |value| serde_json::to_string(value).unwrap_or_default();
        return format!("it cites {}, but in force was {}", text(told), text(made));
    }
    for (told, made) in told.candidates.iter().zip(&made.candidates) {
        if told != made {
            return format!("a candidate was {told:?}; made again it is {made:?}");
        }
    }
    format!("it was decided as {told:?}; made again it is {made:?}")
}
