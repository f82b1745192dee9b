//! Stories of one order: what the shop knew at each moment, and the deliveries that tell it.

use super::books::usd;
use std::collections::BTreeSet;

use proptest::prelude::*;
use tributary::domain::collection::Span;
use tributary::domain::decimal::Decimal;
use tributary::domain::dispute::{Dispute, DisputeState};
use tributary::domain::ids::CollectionId;
use tributary::domain::money::{BasisPoints, Money};
use tributary::domain::order::{
    Delivery, Evidence, Line, Payment, Refund, RefundLine, Report, Snapshot, UsedCode,
};
use tributary::domain::terms::{Customer, RateRule, Rules};

/// A story of one order: what the shop knew at each moment, and the deliveries that tell it.
#[derive(Debug, Clone)]
pub struct Story {
    pub lines: Vec<(i64, i64, i64)>,
    /// From which minute on so many units of the first line are gone, and a line of this price is there.
    pub edit: Option<(i64, i64, Option<i64>)>,
    pub snapshots: Vec<Moment>,
    pub refunds: Vec<Back>,
    /// What was told of disputes: which, where it stood, at which minute.
    pub disputes: Vec<(usize, DisputeState, i64)>,
    pub deleted: bool,
    /// The shop asked to forget who placed it.
    pub redacted: bool,
    /// The creator bought from herself.
    pub own: bool,
    pub rate: u16,
    pub agreed: Agreed,
}

/// What the terms say beside the rate, and what other orders there were.
#[derive(Debug, Clone, Default)]
pub struct Agreed {
    /// For the first so many products (from 4 on: those of a collection), for which customers, which rate.
    pub rates: Vec<(u64, Option<bool>, u16)>,
    pub flat: Option<i64>,
    pub first_order_only: bool,
    pub order_cap: Option<i64>,
    pub month_cap: Option<i64>,
    pub customer_orders: i64,
    pub month_minor: i64,
}

pub fn collection(n: u64) -> CollectionId {
    CollectionId::from_bytes([u8::try_from(n).unwrap(); 16])
}

/// What is known of collections: orders were placed at 1,000,000, and some products come and go after
/// that, which is known `later`.
pub fn spans(later: bool) -> Vec<Span> {
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

pub fn agreed() -> impl Strategy<Value = Agreed> {
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
    pub fn rules(&self) -> Rules {
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
pub struct Moment {
    pub minute: i64,
    pub payment: Payment,
    pub cancelled: bool,
    pub refunds_known: usize,
}

#[derive(Debug, Clone)]
pub enum Back {
    Lines(Vec<(usize, i64)>),
    Amount(i64),
    Shipping,
}

pub fn story() -> impl Strategy<Value = Story> {
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

pub const ID: &str = "7000000000";
pub const HERS: &str = "hers";

pub fn code(code: &str) -> UsedCode {
    UsedCode { code: code.into(), discount_minor: 1, is_code: true }
}

impl Story {
    pub fn refund(&self, index: usize) -> Refund {
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
    pub fn lines_at(&self, minute: i64) -> Vec<(i64, i64, i64, Option<i64>)> {
        let edit = self.edit.filter(|(from, ..)| minute >= *from);
        let mut lines: Vec<_> =
            self.lines.iter().map(|(q, p, d)| (*q, *p, (*d).min(p * q), None)).collect();
        if let Some((_, gone, added)) = edit {
            lines[0].3 = Some((lines[0].0 - gone).max(0));
            lines.extend(added.map(|price| (1, price, 0, None)));
        }
        lines
    }

    pub fn snapshot(&self, moment: &Moment) -> Snapshot {
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

    pub fn deliveries(&self) -> Vec<Delivery> {
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
    pub fn model(&self) -> i64 {
        if self.own { 0 } else { self.worth(None) }
    }

    /// Whether the shop has the money: no dispute is open, and none ended with its loss.
    pub fn undisputed(&self) -> bool {
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
    pub fn worth(&self, plain: Option<u16>) -> i64 {
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
