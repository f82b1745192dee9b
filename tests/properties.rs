//! Orders against a small reference model: whatever way their deliveries take, the books end the
//! same, sum to zero, and balances are the fold of the entries.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test stops where an expectation fails"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;
use tributary::domain::attribution::{DealFacts, Known, KnownCode};
use tributary::domain::brand::{AttributionRules, EarningRules};
use tributary::domain::click::ClickKeys;
use tributary::domain::collection::Span;
use tributary::domain::decimal::Decimal;
use tributary::domain::dispute::{Dispute, DisputeState};
use tributary::domain::ids::{CollectionId, CreatorId, DealId, StoreId, TermsId};
use tributary::domain::ingest::{Change, Loaded, Others, Outcome, StoredOrder, decide};
use tributary::domain::ledger::{Account, Earning, Holdings, Transaction, release};
use tributary::domain::money::{BasisPoints, Currency, Money};
use tributary::domain::moved::{self, Hand, NotMoved};
use tributary::domain::order::{
    Delivery, Evidence, Line, Payment, Refund, RefundLine, Report, Snapshot, UsedCode,
};
use tributary::domain::terms::{CitedTerms, Customer, RateRule, Rules};
use tributary::domain::time::{Day, Zone};

/// A story of one order: what the shop knew at each moment, and the deliveries that tell it.
#[derive(Debug, Clone)]
struct Story {
    lines: Vec<(i64, i64, i64)>,
    /// From which minute on so many units of the first line are gone, and a line of this price is there.
    edit: Option<(i64, i64, Option<i64>)>,
    snapshots: Vec<Moment>,
    refunds: Vec<Back>,
    /// What was told of disputes: which, where it stood, at which minute.
    disputes: Vec<(usize, DisputeState, i64)>,
    deleted: bool,
    /// The shop asked to forget who placed it.
    redacted: bool,
    /// The creator bought from herself.
    own: bool,
    rate: u16,
    agreed: Agreed,
}

/// What the terms say beside the rate, and what other orders there were.
#[derive(Debug, Clone, Default)]
struct Agreed {
    /// For the first so many products (from 4 on: those of a collection), for which customers, which rate.
    rates: Vec<(u64, Option<bool>, u16)>,
    flat: Option<i64>,
    first_order_only: bool,
    order_cap: Option<i64>,
    month_cap: Option<i64>,
    customer_orders: i64,
    month_minor: i64,
}

fn collection(n: u64) -> CollectionId {
    CollectionId::from_bytes([u8::try_from(n).unwrap(); 16])
}

/// What is known of collections: orders were placed at 1,000,000, and some products come and go after
/// that, which is known `later`.
fn spans(later: bool) -> Vec<Span> {
    let span = |n, product, from_ms, to_ms: Option<i64>| {
        let to_ms = to_ms.filter(|to_ms| later || *to_ms < 1_000_000);
        Span { collection: collection(n), product, from_ms, to_ms }
    };
    let mut spans = vec![
        span(4, 1, 0, Some(500_000)),
        span(4, 2, 0, Some(2_000_000)),
        span(5, 1, 900_000, None),
        span(5, 3, 0, Some(2_000_000)),
    ];
    if later {
        spans.extend([span(4, 1, 2_000_000, None), span(4, 3, 2_000_000, None)]);
    }
    spans
}

fn agreed() -> impl Strategy<Value = Agreed> {
    let rates =
        prop::collection::vec((0u64..6, prop::option::of(any::<bool>()), 0u16..=10_000), 0..4);
    let amount = || prop::option::weighted(0.3, 1i64..5_000);
    (rates, amount(), prop::bool::weighted(0.2), amount(), amount(), 0i64..2, 0i64..6_000).prop_map(
        |(rates, flat, first_order_only, order_cap, month_cap, customer_orders, month_minor)| {
            Agreed {
                rates,
                flat,
                first_order_only,
                order_cap,
                month_cap,
                customer_orders,
                month_minor,
            }
        },
    )
}

impl Agreed {
    fn rules(&self) -> Rules {
        let money = |minor: Option<i64>| minor.map(|minor| Money::new(minor, usd()));
        let customer = |returning| if returning { Customer::Returning } else { Customer::New };
        let rates = self.rates.iter().map(|(products, returning, rate)| RateRule {
            label: String::new(),
            products: if *products < 4 { (1..=*products).collect() } else { Vec::new() },
            collection: (*products >= 4).then(|| collection(*products)),
            customer: returning.map(customer),
            rate: BasisPoints::new(*rate).unwrap(),
        });
        Rules {
            rates: rates.collect(),
            flat: money(self.flat),
            first_order_only: self.first_order_only,
            order_cap: money(self.order_cap),
            month_cap: money(self.month_cap),
        }
    }
}

#[derive(Debug, Clone)]
struct Moment {
    minute: i64,
    payment: Payment,
    cancelled: bool,
    refunds_known: usize,
}

#[derive(Debug, Clone)]
enum Back {
    Lines(Vec<(usize, i64)>),
    Amount(i64),
    Shipping,
}

fn story() -> impl Strategy<Value = Story> {
    let payment = prop_oneof![
        1 => Just(Payment::Unpaid),
        1 => Just(Payment::PartiallyPaid),
        4 => Just(Payment::Paid),
        1 => Just(Payment::PartiallyRefunded),
        1 => Just(Payment::Voided),
    ];
    let moment = (0i64..6, payment, prop::bool::weighted(0.1), 0usize..4).prop_map(
        |(minute, payment, cancelled, refunds_known)| Moment {
            minute,
            payment,
            cancelled,
            refunds_known,
        },
    );
    let back = prop_oneof![
        prop::collection::vec((0usize..3, 1i64..3000), 1..3).prop_map(Back::Lines),
        (1i64..4000).prop_map(Back::Amount),
        Just(Back::Shipping),
    ];
    let state = prop_oneof![
        1 => Just(DisputeState::Open),
        2 => Just(DisputeState::Won),
        1 => Just(DisputeState::Lost),
    ];
    (
        prop::collection::vec((1i64..4, 1i64..20_000, 0i64..500), 1..4),
        prop::collection::vec(moment, 1..5),
        prop::collection::vec(back, 0..4),
        prop::collection::vec((0usize..2, state, 0i64..4), 0..4),
        (prop::bool::weighted(0.1), any::<bool>(), prop::bool::weighted(0.3), 0u16..=10_000),
        prop_oneof![1 => Just(Agreed::default()), 2 => agreed()],
        prop::option::weighted(0.4, (0i64..6, 0i64..5, prop::option::of(1i64..9_000))),
    )
        .prop_map(|(lines, snapshots, refunds, disputes, told, mut agreed, edit)| {
            let (deleted, redacted, own, rate) = told;
            // Whether a customer is forgotten before or after her order is a fact too.
            agreed.customer_orders *= i64::from(!redacted);
            Story {
                lines,
                edit,
                snapshots,
                refunds,
                disputes,
                deleted,
                redacted,
                own,
                rate,
                agreed,
            }
        })
}

const ID: &str = "7000000000";
const HERS: &str = "hers";

fn code(code: &str) -> UsedCode {
    UsedCode { code: code.into(), discount_minor: 1, is_code: true }
}

impl Story {
    fn refund(&self, index: usize) -> Refund {
        let (lines, amount) = match &self.refunds[index] {
            Back::Lines(lines) => {
                let lines = lines.iter().map(|(line, minor)| RefundLine {
                    line_id: (*line % self.lines.len()) as u64,
                    quantity: 1,
                    subtotal: Decimal::new(*minor, 2),
                    tax: Decimal::ZERO,
                });
                (lines.collect(), 0)
            }
            Back::Amount(minor) => (Vec::new(), *minor),
            Back::Shipping => (Vec::new(), 0),
        };
        Refund { id: index.to_string(), currency: None, lines, amount: Decimal::new(amount, 2) }
    }

    /// The lines at a minute: units, price, discount, and the units that are left where it says so.
    fn lines_at(&self, minute: i64) -> Vec<(i64, i64, i64, Option<i64>)> {
        let edit = self.edit.filter(|(from, ..)| minute >= *from);
        let mut lines: Vec<_> =
            self.lines.iter().map(|(q, p, d)| (*q, *p, (*d).min(p * q), None)).collect();
        if let Some((_, gone, added)) = edit {
            lines[0].3 = Some((lines[0].0 - gone).max(0));
            lines.extend(added.map(|price| (1, price, 0, None)));
        }
        lines
    }

    fn snapshot(&self, moment: &Moment) -> Snapshot {
        let lines = self.lines_at(moment.minute);
        let lines = lines.iter().enumerate().map(|(id, (quantity, price, discount, left))| Line {
            id: id as u64,
            product_id: Some(id as u64 + 1),
            quantity: *quantity,
            current_quantity: *left,
            price_minor: *price,
            discount_minor: *discount,
            tax_minor: 0,
            earns: true,
        });
        Snapshot {
            updated_at_ms: 1_000_000 + moment.minute * 60_000,
            placed_at_ms: 1_000_000,
            name: "#1".into(),
            currency: usd(),
            payment: moment.payment,
            cancelled: moment.cancelled,
            test: false,
            taxes_included: false,
            lines: lines.collect(),
            evidence: Evidence {
                // The evidence differs, so that an earlier snapshot makes the decision anew.
                codes: vec![code("ANNA"), code(&format!("AT{}", moment.minute))],
                email_hash: Some(if self.own { HERS } else { "another's" }.into()),
                ..Evidence::default()
            },
        }
    }

    fn deliveries(&self) -> Vec<Delivery> {
        let deliver = |report| Delivery { external_id: ID.into(), report };
        let mut all: Vec<Delivery> = self
            .snapshots
            .iter()
            .map(|moment| {
                let known = (0..moment.refunds_known.min(self.refunds.len()))
                    .map(|i| self.refund(i))
                    .collect();
                deliver(Report::Snapshot(Box::new(self.snapshot(moment)), known))
            })
            .collect();
        all.extend((0..self.refunds.len()).map(|i| deliver(Report::Refund(self.refund(i)))));
        all.extend(self.disputes.iter().map(|(id, state, minute)| {
            let at_ms = 1_000_000 + minute * 60_000;
            deliver(Report::Dispute(id.to_string(), Dispute { state: *state, at_ms }))
        }));
        if self.deleted {
            all.push(deliver(Report::Deleted));
        }
        if self.redacted {
            all.push(deliver(Report::Redacted));
        }
        all
    }

    /// The commission in cents by the rules as a person would apply them to the whole story.
    fn model(&self) -> i64 {
        if self.own { 0 } else { self.worth(None) }
    }

    /// Whether the shop has the money: no dispute is open, and none ended with its loss.
    fn undisputed(&self) -> bool {
        let ids: BTreeSet<usize> = self.disputes.iter().map(|(id, ..)| *id).collect();
        ids.into_iter().all(|id| {
            let told = self.disputes.iter().filter(|(of, ..)| *of == id);
            let ends = told.filter(|(_, state, _)| *state != DisputeState::Open);
            // The last end; of two in the same minute the loss.
            let last = ends.max_by_key(|(_, state, at)| (*at, *state == DisputeState::Lost));
            last.is_some_and(|(_, state, _)| *state == DisputeState::Won)
        })
    }

    /// The same for whoever has the order: by what was agreed with her, or at a plain rate.
    fn worth(&self, plain: Option<u16>) -> i64 {
        let last = self.snapshots.iter().map(|m| (m.minute, m.payment)).max().unwrap();
        let void =
            self.deleted || self.snapshots.iter().any(|m| m.cancelled) || last.1 == Payment::Voided;
        let paid = matches!(last.1, Payment::Paid | Payment::PartiallyRefunded | Payment::Refunded);
        if void || !paid || !self.undisputed() {
            return 0;
        }
        // Units that are gone and weren't given back: their share of the line.
        let lines: Vec<i64> = self
            .lines_at(last.0)
            .iter()
            .enumerate()
            .map(|(index, (q, p, d, left))| {
                let whole = q * p - d;
                let back = self.refunds.iter().flat_map(|r| match r {
                    Back::Lines(lines) => lines.clone(),
                    _ => vec![],
                });
                let back = back.filter(|(line, _)| line % self.lines.len() == index).count() as i64;
                let gone = left.map_or(0, |left| (q - left - back).clamp(0, *q));
                (whole * (q - gone) * 2 + q) / (q * 2)
            })
            .collect();
        let sold: i64 = lines.iter().sum();
        let back: i64 = self
            .refunds
            .iter()
            .map(|r| match r {
                Back::Lines(lines) => lines.iter().map(|(_, minor)| minor).sum(),
                Back::Amount(minor) => *minor,
                Back::Shipping => 0,
            })
            .sum();
        let base = (sold - back).max(0);
        if let Some(rate) = plain {
            return (base * i64::from(rate) * 2 + 10_000) / 20_000;
        }
        let agreed = &self.agreed;
        let returning = agreed.customer_orders > 0;
        if base == 0 || (agreed.first_order_only && returning) {
            return 0;
        }
        let (mut left, mut weighted) = (0, 0);
        for (index, sold) in lines.iter().enumerate() {
            let own = self.refunds.iter().flat_map(|r| match r {
                Back::Lines(lines) => lines.clone(),
                _ => vec![],
            });
            let own = own.filter(|(line, _)| line % self.lines.len() == index);
            let net = (sold - own.map(|(_, minor)| minor).sum::<i64>()).max(0);
            let product = index as u64 + 1;
            let fits = |rule: &&(u64, Option<bool>, u16)| {
                let of_product = match rule.0 {
                    0 => true,
                    // What was in the collections when the order was placed.
                    4 => product == 2,
                    5 => product == 1 || product == 3,
                    first => product <= first,
                };
                of_product && rule.1.is_none_or(|r| r == returning)
            };
            let rate = agreed.rates.iter().find(fits).map_or(self.rate, |rule| rule.2);
            left += i128::from(net);
            weighted += i128::from(net) * i128::from(rate);
        }
        let whole = left * 10_000;
        let share = (weighted * i128::from(base) * 2 + whole) / (whole * 2);
        let earned = i64::try_from(share).unwrap() + agreed.flat.unwrap_or(0);
        let earned = earned.min(agreed.order_cap.unwrap_or(i64::MAX));
        earned.min(agreed.month_cap.map_or(i64::MAX, |cap| (cap - agreed.month_minor).max(0)))
    }
}

fn usd() -> Currency {
    "USD".parse().unwrap()
}

fn creator() -> CreatorId {
    CreatorId::from_bytes([1; 16])
}

/// The books of one order in memory, kept by the same decisions as the product's.
struct Books {
    order: Option<StoredOrder>,
    accounts: BTreeMap<(Account, Option<CreatorId>, Day), i64>,
    known: Known,
    keys: ClickKeys,
    writes: usize,
    others: Others,
}

impl Books {
    fn new(story: &Story) -> Self {
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

    fn held(&self, account: Account, day: i64) -> i64 {
        let whose = (account != Account::Commission).then(creator);
        self.held_by(whose, account, day)
    }

    fn held_by(&self, whose: Option<CreatorId>, account: Account, day: i64) -> i64 {
        self.accounts.get(&(account, whose, Day(day))).copied().unwrap_or(0)
    }

    /// What a decision about the order is made from.
    fn loaded(&self) -> Loaded {
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
    fn decided<E: std::fmt::Debug>(
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

    fn commit(&mut self, change: &Change) {
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
    fn moves(&mut self, to: Option<&DealFacts>) -> Result<(), NotMoved> {
        let hand =
            Hand { reason: "agreed".into(), at_ms: 3_000_000, by: "key".into(), claim: None };
        let order = (StoreId::from_bytes([1; 16]), ID);
        let change = self.decided(|loaded| moved::decide(order, loaded, to, hand.clone()))?;
        self.commit(&change.expect("a change"));
        Ok(())
    }

    fn post(&mut self, transactions: &[Transaction]) {
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

    fn take(&mut self, delivery: &Delivery) {
        let store = StoreId::from_bytes([1; 16]);
        let decide = |loaded: &Loaded| decide(store, delivery, loaded, &self.keys, 2_000_000);
        if let Some(change) = self.decided(decide).unwrap() {
            self.commit(&change);
        }
    }

    fn release(&mut self) {
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
    fn earned(&self) -> i64 {
        self.earned_by(creator())
    }

    fn earned_by(&self, whose: CreatorId) -> i64 {
        let hers = self.accounts.iter().filter(|((_, of, _), _)| *of == Some(whose));
        hers.map(|(_, minor)| minor).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// Any interleaving and repetition, with holds ending in between, and every delivery coming at
    /// last: the books are the model's.
    #[test]
    fn any_way_of_deliveries_ends_in_the_same_books(
        story in story(),
        way in prop::collection::vec((any::<Index>(), prop::bool::weighted(0.1)), 0..14),
        last in any::<prop::sample::Selector>(),
    ) {
        let all = story.deliveries();
        let mut books = Books::new(&story);
        for (index, release_now) in &way {
            books.take(index.get(&all));
            if *release_now {
                books.release();
            }
        }
        // What was lost on the way is delivered again, in yet another order.
        let mut missing: Vec<&Delivery> = all.iter().collect();
        while !missing.is_empty() {
            let next = last.select(0..missing.len());
            books.take(missing.swap_remove(next));
        }
        prop_assert_eq!(books.earned(), story.model(), "{:?}", story);
        prop_assert_eq!(books.held(Account::Commission, 0), -story.model());
        let kept = books.order.as_ref().unwrap().facts.evidence().email_hash;
        prop_assert_eq!(kept.is_none(), story.redacted, "who placed it is forgotten for good");
        // And now nothing says anything new.
        let writes = books.writes;
        for delivery in all.iter().rev() {
            books.take(delivery);
        }
        prop_assert_eq!(books.writes, writes, "a repeat writes nothing");
    }

    /// Moves by hand in between: each that is done posts on both sides, the last one stands whatever
    /// comes later, and only who bought it herself can't have it.
    #[test]
    fn what_was_moved_by_hand_stays_where_it_is(
        story in story(),
        way in prop::collection::vec((any::<Index>(), prop::option::weighted(0.3, 0u8..3), prop::bool::weighted(0.1)), 0..14),
        rival_rate in 0u16..=10_000,
    ) {
        let all = story.deliveries();
        let mut books = Books::new(&story);
        let rival = CreatorId::from_bytes([2; 16]);
        let hers = books.known.codes[0].deal.clone();
        let other = DealFacts {
            deal: DealId::from_bytes([2; 16]),
            creator: rival,
            email_hash: None,
            closed_at_ms: Some(1),
            terms: Some(CitedTerms { id: TermsId::from_bytes([2; 16]), rate: BasisPoints::new(rival_rate).unwrap(), rules: Rules::default() }),
        };
        let mut moved: Option<Option<u8>> = None;
        for (index, hand, release_now) in &way {
            books.take(index.get(&all));
            let Some(hand) = hand else { continue };
            let (to, whose) = match hand {
                0 => (None, None),
                1 => (Some(&hers), Some(1)),
                _ => (Some(&other), Some(2)),
            };
            match books.moves(to) {
                Ok(()) => moved = Some(whose),
                Err(NotMoved::SelfPurchase) => prop_assert!(story.own && whose == Some(1)),
                Err(NotMoved::There | NotMoved::Undecided) => (),
                Err(other) => prop_assert!(false, "{}", other),
            }
            if *release_now {
                books.release();
            }
        }
        for delivery in all.iter().rev() {
            books.take(delivery);
        }
        let expected = match moved {
            None => (story.model(), 0),
            Some(None) => (0, 0),
            Some(Some(1)) => (story.worth(None), 0),
            Some(Some(_)) => (0, story.worth(Some(rival_rate))),
        };
        prop_assert_eq!((books.earned(), books.earned_by(rival)), expected, "{:?} {:?}", story, moved);
        prop_assert_eq!(books.held(Account::Commission, 0), -expected.0 - expected.1);
    }

    /// The merged facts are the same set of facts, whatever the order: merging commutes.
    #[test]
    fn facts_do_not_depend_on_the_order_of_deliveries(story in story(), order in any::<prop::sample::Selector>()) {
        let all = story.deliveries();
        let merge = |deliveries: &mut dyn Iterator<Item = &Delivery>| {
            deliveries.fold(Default::default(), |facts: tributary::domain::order::Facts, d| facts.merge(&d.report).unwrap())
        };
        let straight = merge(&mut all.iter());
        let mut rest: Vec<&Delivery> = all.iter().collect();
        let mut shuffled = Vec::new();
        while !rest.is_empty() {
            let next = order.select(0..rest.len());
            shuffled.push(rest.swap_remove(next));
        }
        prop_assert_eq!(merge(&mut shuffled.into_iter()), straight);
    }

    /// Any split of a refund ends where one refund of the whole would.
    #[test]
    fn any_split_of_a_refund_ends_where_one_would(
        sold in 1i64..100_000,
        parts in prop::collection::vec(1i64..2_000, 1..20),
        rate in 0u16..=10_000,
    ) {
        let whole = Story {
            lines: vec![(1, sold, 0)],
            edit: None,
            snapshots: vec![Moment { minute: 0, payment: Payment::Paid, cancelled: false, refunds_known: 0 }],
            refunds: vec![Back::Amount(parts.iter().sum())],
            disputes: vec![],
            deleted: false,
            redacted: false,
            own: false,
            rate,
            agreed: Agreed::default(),
        };
        let split = Story { refunds: parts.iter().map(|p| Back::Amount(*p)).collect(), ..whole.clone() };
        let end = |story: &Story| {
            let mut books = Books::new(story);
            story.deliveries().iter().for_each(|d| books.take(d));
            books.earned()
        };
        prop_assert_eq!(end(&split), end(&whole));
        prop_assert_eq!(end(&split), whole.model());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, ..ProptestConfig::default() })]

    /// The same through the front door: signed bodies, SQL, triggers, several orders of two
    /// creators, time passing and holds ending in between.
    #[test]
    fn the_product_agrees_with_the_model(
        stories in prop::collection::vec(story(), 1..4),
        way in prop::collection::vec((any::<Index>(), any::<Index>(), 0i64..3), 0..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(the_product(stories, way));
    }
}

async fn the_product(stories: Vec<Story>, way: Vec<(Index, Index, i64)>) {
    use support::{Product, Programme};
    let product = Product::new();
    let p = Programme::with(&product, "USD", "10").await;
    let (_, berta) = p.rival(&product, "BERTA").await;
    let path = format!("/v1/deals/{}/codes", p.deal);
    p.post(&product, &path, serde_json::json!({ "code": "ANNA", "create_in_store": false }))
        .await
        .expect(201);
    let bodies: Vec<Vec<serde_json::Value>> =
        stories.iter().enumerate().map(|(n, story)| bodies(n, story)).collect();
    for (which, step, days) in &way {
        let of_order = which.get(&bodies);
        assert_eq!(p.deliver(&product, step.get(of_order)).await, 200);
        if *days == 2 {
            product.pass(20 * 86_400_000);
            tributary::jobs::run_all(&product.app).await;
        }
    }
    for body in bodies.iter().flatten().rev() {
        assert_eq!(p.deliver(&product, body).await, 200);
    }
    tributary::jobs::run_all(&product.app).await;
    let telling =
        "SELECT 1 FROM orders WHERE json_extract(facts, '$.evidence[1].email_hash') IS NOT NULL";
    let redacted = stories.iter().filter(|story| story.redacted).count();
    assert_eq!(product.db.rows(telling).len(), stories.len() - redacted);
    p.verify(&product).await;
    let mut expected = BTreeMap::from([(p.creator.clone(), 0), (berta.clone(), 0)]);
    for (n, story) in stories.iter().enumerate() {
        let (creator, rate) = if n % 2 == 0 { (&p.creator, 1000) } else { (&berta, 2000) };
        // Of Berta no address is known, so that nobody knows that she buys from herself.
        let own = story.own && n % 2 == 0;
        *expected.get_mut(creator).unwrap() +=
            Story { rate, own, agreed: Agreed::default(), ..story.clone() }.model();
    }
    for (creator, minor) in expected {
        let balance = p.balance(&product, &creator, "USD").await;
        let lifetime =
            balance["lifetime"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
        assert_eq!(lifetime, minor, "{balance} {stories:?}");
    }
    let externals: BTreeSet<usize> = (0..stories.len()).collect();
    assert_eq!(
        p.get(&product, "/v1/orders").await["data"].as_array().unwrap().len(),
        externals.len()
    );
    p.verify(&product).await;
}

/// A story's deliveries as Shopify would send them.
fn bodies(n: usize, story: &Story) -> Vec<serde_json::Value> {
    use serde_json::json;
    use support::shop::{coded, goodwill, later, line, order, refund, shipping_refund, with};
    let id = 5000 + n as u64;
    let decimal = |minor: i64| format!("{}.{:02}", minor / 100, minor % 100);
    let lines_at = |minute: i64| -> Vec<_> {
        let lines = story.lines_at(minute);
        let one = |(i, (q, price, discount, left)): (usize, &(i64, i64, i64, Option<i64>))| {
            let line = line(i as u64 + 1, *q, &decimal(*price), &decimal(*discount), "USD");
            match left {
                Some(left) => with(line, json!({ "current_quantity": left })),
                None => line,
            }
        };
        lines.iter().enumerate().map(one).collect()
    };
    let backs: Vec<_> = story
        .refunds
        .iter()
        .enumerate()
        .map(|(i, back)| {
            let refund_id = id * 100 + i as u64;
            match back {
                Back::Lines(lines) => {
                    let texts: Vec<(u64, String)> = lines
                        .iter()
                        .map(|(line, minor)| {
                            ((line % story.lines.len()) as u64 + 1, decimal(*minor))
                        })
                        .collect();
                    let lines: Vec<_> =
                        texts.iter().map(|(line, text)| (*line, 1, text.as_str())).collect();
                    refund(refund_id, id, &lines)
                }
                Back::Amount(minor) => goodwill(refund_id, id, &decimal(*minor)),
                Back::Shipping => shipping_refund(refund_id, id, i % 2 == 0),
            }
        })
        .collect();
    let code = if n.is_multiple_of(2) { "anna" } else { "Berta" };
    let email = if story.own { "anna@creator.example" } else { "buyer@example.com" };
    let mut all: Vec<_> = story
        .snapshots
        .iter()
        .map(|moment| {
            let status = match moment.payment {
                Payment::Unpaid => "pending",
                Payment::PartiallyPaid => "partially_paid",
                Payment::Paid => "paid",
                Payment::PartiallyRefunded => "partially_refunded",
                Payment::Refunded => "refunded",
                Payment::Voided => "voided",
            };
            let cancelled =
                if moment.cancelled { json!("2026-11-22T07:30:00Z") } else { json!(null) };
            let known: Vec<_> = backs.iter().take(moment.refunds_known).cloned().collect();
            later(
                coded(
                    with(
                        order(id),
                        json!({ "line_items": lines_at(moment.minute), "email": email }),
                    ),
                    code,
                ),
                moment.minute,
                json!({ "financial_status": status, "cancelled_at": cancelled, "refunds": known }),
            )
        })
        .collect();
    all.extend(backs);
    all.extend(story.disputes.iter().map(|(dispute, state, minute)| {
        let at = tributary::domain::time::to_rfc3339(support::NOW_MS - 3_600_000 + minute * 60_000);
        let (status, end) = match state {
            DisputeState::Open => ("under_review", json!(null)),
            DisputeState::Won => ("won", json!(at)),
            DisputeState::Lost => ("accepted", json!(at)),
        };
        json!({ "id": id * 10 + *dispute as u64, "order_id": id, "type": "chargeback", "status": status,
            "amount": "11.50", "currency": "USD", "finalized_on": end, "initiated_at": at })
    }));
    if story.deleted {
        all.push(json!({ "id": id }));
    }
    if story.redacted {
        all.push(json!({ "shop_id": 1, "shop_domain": "casa.myshopify.com",
            "customer": { "email": email }, "orders_to_redact": [id] }));
    }
    all
}
