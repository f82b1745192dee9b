//! Books that a model keeps of stories, by the product's own decisions.

use super::story::*;
use std::collections::BTreeMap;

use tributary::domain::attribution::{DealFacts, Known, KnownCode};
use tributary::domain::brand::{AttributionRules, EarningRules};
use tributary::domain::click::ClickKeys;
use tributary::domain::ids::{CreatorId, DealId, StoreId, TermsId};
use tributary::domain::ingest::{Change, Loaded, Others, Outcome, StoredOrder, decide};
use tributary::domain::ledger::{Account, Earning, Holdings, Transaction, release};
use tributary::domain::money::{BasisPoints, Currency};
use tributary::domain::moved::{self, Hand, NotMoved};
use tributary::domain::order::Delivery;
use tributary::domain::terms::CitedTerms;
use tributary::domain::time::{Day, Zone};

pub fn usd() -> Currency {
    "USD".parse().unwrap()
}

pub fn creator() -> CreatorId {
    CreatorId::from_bytes([1; 16])
}

/// The books of one order in memory, kept by the same decisions as the product's.
pub struct Books {
    pub order: Option<StoredOrder>,
    pub accounts: BTreeMap<(Account, Option<CreatorId>, Day), i64>,
    pub known: Known,
    pub keys: ClickKeys,
    pub writes: usize,
    pub others: Others,
}

impl Books {
    pub fn new(story: &Story) -> Self {
        let deal = DealFacts {
            deal: DealId::from_bytes([1; 16]),
            creator: creator(),
            email_hash: Some(HERS.into()),
            closed_at_ms: None,
            terms: Some(CitedTerms {
                id: TermsId::from_bytes([1; 16]),
                rate: BasisPoints::new(story.rate).unwrap(),
                rules: story.agreed.rules(),
            }),
        };
        let known =
            Known { codes: vec![KnownCode { code_key: "anna".into(), deal }], ..Known::default() };
        Self {
            order: None,
            accounts: BTreeMap::new(),
            known,
            keys: ClickKeys::new(&[1; 32]),
            writes: 0,
            others: Others {
                customer_orders: story.agreed.customer_orders,
                month_minor: story.agreed.month_minor,
                spans: Vec::new(),
            },
        }
    }

    pub fn held(&self, account: Account, day: i64) -> i64 {
        let whose = (account != Account::Commission).then(creator);
        self.held_by(whose, account, day)
    }

    pub fn held_by(&self, whose: Option<CreatorId>, account: Account, day: i64) -> i64 {
        self.accounts.get(&(account, whose, Day(day))).copied().unwrap_or(0)
    }

    /// What a decision about the order is made from.
    pub fn loaded(&self) -> Loaded {
        let posted = self.order.as_ref().and_then(|order| order.standing);
        let whose = Some(posted.map_or_else(creator, |standing| standing.creator));
        Loaded {
            version: 1,
            order: self.order.clone(),
            rules: AttributionRules::default(),
            earning: EarningRules::default(),
            zone: Zone::utc(),
            known: self.known.clone(),
            holdings: Holdings {
                pending_minor: self.held_by(whose, Account::Pending, 30),
                available_minor: self.held_by(whose, Account::Available, 0),
                clawback_minor: self.held_by(whose, Account::Clawback, 0),
            },
            counts_customers: false,
            tiers: false,
            others: None,
        }
    }

    /// What is decided, once what it asks of others is answered.
    pub fn decided<E: std::fmt::Debug>(
        &self,
        decide: impl Fn(&Loaded) -> Result<Outcome, E>,
    ) -> Result<Option<Box<Change>>, E> {
        let mut loaded = self.loaded();
        let mut outcome = decide(&loaded)?;
        if let Outcome::Asks(asked) = &outcome {
            // What this order earned is part of what its deal did.
            let own = self.order.as_ref().and_then(|order| order.standing);
            let own = own
                .filter(|own| Some(own.deal) == asked.deal)
                .map_or(0, |own| own.commission_minor);
            let month_minor = self.others.month_minor + own;
            let spans = spans(self.writes > 1);
            loaded.others = Some(Others { month_minor, spans, ..self.others });
            outcome = decide(&loaded)?;
        }
        Ok(match outcome {
            Outcome::Asks(_) => panic!("asked twice"),
            Outcome::Unchanged => None,
            Outcome::Changed(change) => Some(change),
        })
    }

    pub fn commit(&mut self, change: &Change) {
        self.writes += 1;
        self.post(&change.transactions);
        self.order = Some(StoredOrder {
            revision: change.from_revision.unwrap_or(0) + 1,
            facts: change.facts.clone(),
            decision: change.decision.clone(),
            standing: change.standing,
            counted: false,
        });
    }

    /// Somebody moves the order to a deal, or to none.
    pub fn moves(&mut self, to: Option<&DealFacts>) -> Result<(), NotMoved> {
        let hand =
            Hand { reason: "agreed".into(), at_ms: 3_000_000, by: "key".into(), claim: None };
        let order = (StoreId::from_bytes([1; 16]), ID);
        let change = self.decided(|loaded| moved::decide(order, loaded, to, hand.clone()))?;
        self.commit(&change.expect("a change"));
        Ok(())
    }

    pub fn post(&mut self, transactions: &[Transaction]) {
        for transaction in transactions {
            let sum: i64 = transaction.entries().iter().map(|e| e.amount_minor).sum();
            assert_eq!(sum, 0, "a transaction sums to zero");
            for entry in transaction.entries() {
                let key = (entry.account, entry.creator, entry.day);
                let held = self.accounts.entry(key).or_default();
                *held += entry.amount_minor;
                match entry.account {
                    Account::Clawback | Account::Commission => assert!(*held <= 0),
                    _ => assert!(*held >= 0, "{:?} below zero", entry.account),
                }
            }
        }
    }

    pub fn take(&mut self, delivery: &Delivery) {
        let store = StoreId::from_bytes([1; 16]);
        let decide = |loaded: &Loaded| decide(store, delivery, loaded, &self.keys, 2_000_000);
        if let Some(change) = self.decided(decide).unwrap() {
            self.commit(&change);
        }
    }

    pub fn release(&mut self) {
        let due = Earning {
            creator: creator(),
            day: Day(30),
            currency: usd(),
            amount_minor: self.held(Account::Pending, 30),
        };
        let transaction = release(due, self.held(Account::Clawback, 0)).unwrap();
        self.post(&transaction.into_iter().collect::<Vec<_>>());
    }

    /// What the creator has, whatever account it is on.
    pub fn earned(&self) -> i64 {
        self.earned_by(creator())
    }

    pub fn earned_by(&self, whose: CreatorId) -> i64 {
        let hers = self.accounts.iter().filter(|((_, of, _), _)| *of == Some(whose));
        hers.map(|(_, minor)| minor).sum()
    }
}
