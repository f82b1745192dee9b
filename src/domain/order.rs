//! An order's facts, as stores report them, and how reports merge.
//!
//! Facts are merged, never overwritten (DESIGN.md, "Earning"): the snapshot with the greatest
//! key, the set of refunds by id, cancelled or not, disputes by id. Merging is commutative, associative and
//! idempotent, so deliveries may come late, twice or in any order and the facts end up the same.

use super::sorted::Sorted;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::decimal::Decimal;
use super::dispute::{self, Dispute, Disputes};
use super::ids::{DealId, OrderId, StoreId};
use super::money::{Currency, MAX_MINOR};
use super::time::Millis;

/// One authentic message of a store about one order, reduced to what the product keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The platform's order id as decimal text: exact beyond 2^53.
    pub external_id: String,
    /// What it says.
    pub report: Report,
}

/// What a [`Delivery`] says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The whole order as it was at one moment, with the refunds known then.
    Snapshot(Box<Snapshot>, Vec<Refund>),
    /// One refund.
    Refund(Refund),
    /// The order was deleted: as good as cancelled.
    Deleted,
    /// Lines were added or removed; amounts follow in a later snapshot.
    Edited(Edit),
    /// Who placed it is to be forgotten.
    Redacted,
    /// A payment dispute, by the platform's id.
    Dispute(String, Dispute),
    /// Another affiliate programme says who brought it.
    Affiliate(Affiliation),
    /// What the shop saw of the visits before it.
    Journey(Journey),
}

/// An order as it was at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// When the store last changed it; the first part of the merge key.
    pub updated_at_ms: Millis,
    /// When the shopper placed it.
    pub placed_at_ms: Millis,
    /// The name that people use: `#1001`.
    pub name: String,
    /// The shop's own currency, in which every amount here is.
    pub currency: Currency,
    /// How far payment got.
    pub payment: Payment,
    /// It was cancelled.
    pub cancelled: bool,
    /// It was a test of the checkout.
    pub test: bool,
    /// Whether prices and refund subtotals contain the tax.
    pub taxes_included: bool,
    /// What was bought.
    pub lines: Vec<Line>,
    /// What may say whose order it is.
    pub evidence: Evidence,
}

/// How far payment got, in the order of an order's life: later ones win a tie in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Payment {
    /// Nothing was paid yet (pending, authorized, expired).
    Unpaid,
    /// Some was paid; that is not paid.
    PartiallyPaid,
    /// All was paid.
    Paid,
    /// All was paid, some was given back.
    PartiallyRefunded,
    /// All was paid, all was given back.
    Refunded,
    /// The payment was voided.
    Voided,
}

impl Payment {
    /// The order was paid in full at some time.
    #[must_use]
    pub fn was_paid(self) -> bool {
        matches!(self, Self::Paid | Self::PartiallyRefunded | Self::Refunded)
    }
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The platform's line id.
    pub id: u64,
    /// The platform's product id, if the product still exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<u64>,
    /// Units bought.
    pub quantity: i64,
    /// Units left after refunds and edits, where the platform says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_quantity: Option<i64>,
    /// Price of one unit, minor units, before discounts.
    pub price_minor: i64,
    /// Discounts allocated to the whole line, minor units.
    pub discount_minor: i64,
    /// Tax of the whole line, minor units; counts only where prices include it.
    pub tax_minor: i64,
    /// False for what earns no commission: gift cards and tips.
    pub earns: bool,
}

/// What an order carries that may say whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Evidence {
    /// Codes used, in the order of their applications.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<UsedCode>,
    /// Click ids as they came, from order attributes first, then the landing page; not verified.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clicks: Vec<String>,
    /// `ref=` of a landing page that carries no click id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bare_ref: Option<String>,
    /// Keyed hash of the buyer's e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_hash: Option<String>,
    /// Who brought it, by another affiliate programme. In [`Facts`] it stands apart from this: it
    /// arrives late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affiliation: Option<Affiliation>,
    /// What the shop saw of the visits before it. In [`Facts`] it stands apart too: the shop knows it
    /// some time after the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journey: Option<Journey>,
    /// It was placed in the web shop, so that a visit led to it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub web: bool,
}

/// What a shop saw of the visits that led to an order, once it knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Journey {
    /// Click ids on the pages where visits began, those of the last visit first; not verified.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clicks: Vec<String>,
    /// `ref=` of such a page that carries no click id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bare_ref: Option<String>,
    /// Which of its customer's orders it is, as the shop counts, from 1 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_order: Option<i64>,
}

impl Journey {
    /// What of it may say whose an order is that carries this itself: its `ref` only where the order
    /// has none of its own.
    fn beside(&self, own: &Evidence) -> Option<Self> {
        let bare_ref = self.bare_ref.clone().filter(|_| own.bare_ref.is_none());
        let says = !self.clicks.is_empty() || bare_ref.is_some();
        says.then(|| Self { clicks: self.clicks.clone(), bare_ref, customer_order: None })
    }
}

/// Who brought an order, by the word of another affiliate programme that the brand uses. Whom the
/// affiliate belonged to is a fact of the order like the rest: a later word is a later fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Affiliation {
    /// The connection, and the affiliate's id there: `store_…/7`.
    pub affiliate: String,
    /// The deal that the affiliate belonged to when the order was placed, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deal: Option<DealId>,
    /// When this was said; the latest word counts.
    pub as_of_ms: Millis,
    /// The programme rejected the order, or has it no more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rejected: bool,
}

impl Evidence {
    /// Nothing here could name a deal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.codes.iter().any(|c| c.is_code) && self.clicks.is_empty() && self.bare_ref.is_none()
    }

    /// How many things it says: of two reports of one moment the one that says more counts.
    fn says(&self) -> usize {
        let ones = [self.bare_ref.is_some(), self.email_hash.is_some(), self.web];
        self.codes.len() + self.clicks.len() + ones.iter().filter(|one| **one).count()
    }
}

/// A code as an order used it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsedCode {
    /// As typed, at most 255 characters.
    pub code: String,
    /// What it took off, minor units.
    pub discount_minor: i64,
    /// The discount's application is of type `discount_code`: a title of a manual discount or an
    /// automatic one is no code (reference: Shopify puts such titles in `discount_codes`).
    pub is_code: bool,
}

/// Money given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refund {
    /// The platform's refund id as decimal text.
    pub id: String,
    /// The currency it was reported in, where it said one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Lines refunded; empty for a refund without lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<RefundLine>,
    /// What was paid back without naming lines, shipping left out; ignored where there are lines.
    pub amount: Decimal,
}

impl Refund {
    /// It is in this currency, or doesn't say in which.
    #[must_use]
    pub fn is_in(&self, currency: Currency) -> bool {
        self.currency.is_none_or(|c| c == currency)
    }
}

/// A refunded part of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefundLine {
    /// The order's line.
    pub line_id: u64,
    /// Units given back.
    pub quantity: i64,
    /// Their price after discounts; contains the tax where prices include it.
    pub subtotal: Decimal,
    /// Their tax.
    pub tax: Decimal,
}

/// Units added to or removed from lines after the order was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// The platform's id of the edit as decimal text.
    pub id: String,
    /// Line id and units, positive for added, negative for removed.
    pub deltas: Vec<(u64, i64)>,
}

/// Everything known of one order. The default value knows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Facts {
    /// The snapshot with the greatest key, its evidence moved to `evidence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// The evidence of the *earliest* snapshot that carried any, with that snapshot's key: a
    /// later edit of an order never moves it to another deal by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<(SnapshotKey, Evidence)>,
    /// Refunds by id.
    #[serde(skip_serializing_if = "Sorted::is_empty")]
    pub refunds: Sorted<String, Refund>,
    /// Some report said it was cancelled or deleted.
    pub cancelled: bool,
    /// Edits by id; they move no money, the snapshot that follows them does.
    #[serde(skip_serializing_if = "Sorted::is_empty")]
    pub edits: Sorted<String, Edit>,
    /// Payment disputes.
    #[serde(skip_serializing_if = "Sorted::is_empty")]
    pub disputes: Disputes,
    /// Who placed it is forgotten, also if a delivery tells it again: see [`Self::forgetting`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
    /// The latest word of another affiliate programme on who brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affiliation: Option<Affiliation>,
    /// What the shop saw of the visits before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journey: Option<Journey>,
    /// Which product a line is, by the line's id, with the key of the snapshot that told it, where that
    /// isn't `snapshot`: what the latest one to tell it said counts.
    #[serde(skip_serializing_if = "Sorted::is_empty")]
    pub products: Sorted<String, (SnapshotKey, u64)>,
}

/// What orders snapshots: time of change, rank in the order's life, hash of the facts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SnapshotKey(pub(crate) Millis, pub(crate) Payment, pub(crate) String);

/// A report contradicts what is known, so that it can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The order changed its currency.
    #[error("the order is known in another currency")]
    OrderCurrency,
}

impl Snapshot {
    /// The key by which the greatest snapshot wins. Which product a line is doesn't count: not everybody
    /// is told, and a product that is deleted is named no more. Nor does the order in which lines are
    /// told.
    #[must_use]
    pub fn key(&self) -> SnapshotKey {
        let mut told = self.clone();
        told.lines.iter_mut().for_each(|line| line.product_id = None);
        told.lines.sort_unstable_by_key(|line| line.id);
        let canonical = serde_json::to_vec(&told).unwrap_or_default();
        let hash = Sha256::digest(&canonical);
        let hex = hash.iter().take(8).map(|b| format!("{b:02x}")).collect();
        SnapshotKey(self.updated_at_ms, self.payment, hex)
    }
}

impl Facts {
    /// These facts and what one more report says.
    ///
    /// # Errors
    /// [`Contradiction`]; the report is then of no use and the facts stay as they were.
    pub fn merge(&self, report: &Report) -> Result<Self, Contradiction> {
        let mut merged = self.clone();
        match report {
            Report::Snapshot(snapshot, refunds) => {
                merged.take_snapshot(snapshot);
                for refund in refunds {
                    merged.take_refund(refund);
                }
            }
            Report::Refund(refund) => merged.take_refund(refund),
            Report::Deleted => merged.cancelled = true,
            Report::Redacted => merged.redacted = true,
            Report::Dispute(id, reported) => dispute::take(&mut merged.disputes, id, *reported),
            Report::Affiliate(told) => merged.take_affiliation(told),
            Report::Journey(told) => merged.take_journey(told),
            Report::Edited(edit) => {
                if merged.edits.get(&edit.id).is_none() {
                    merged.edits.insert(edit.id.clone(), edit.clone());
                }
            }
        }
        let currency = |facts: &Self| facts.snapshot.as_ref().map(|s| s.currency);
        if currency(self).is_some() && currency(self) != currency(&merged) {
            return Err(Contradiction::OrderCurrency);
        }
        Ok(merged)
    }

    fn take_snapshot(&mut self, incoming: &Snapshot) {
        self.cancelled |= incoming.cancelled;
        let mut incoming = incoming.clone();
        let mut evidence = std::mem::take(&mut incoming.evidence);
        if let Some(told) = evidence.affiliation.take() {
            self.take_affiliation(&told);
        }
        if let Some(told) = evidence.journey.take() {
            self.take_journey(&told);
        }
        // The evidence is judged on its own, so the key leaves it out.
        let key = incoming.key();
        let known = self.snapshot.take().map(|known| (known.key(), known));
        self.take_products(known.as_ref(), (&key, &incoming));
        let (latest, mut snapshot) = match known {
            Some((latest, known)) if latest >= key => (latest, known),
            _ => (key.clone(), incoming),
        };
        self.name_products(&latest, &mut snapshot);
        self.snapshot = Some(snapshot);
        let candidate = (key, evidence);
        let earlier = self.evidence.as_ref().is_none_or(|known| {
            let rank = |(key, e): &(SnapshotKey, Evidence)| {
                let more = std::cmp::Reverse(e.says());
                (e.is_empty(), key.clone(), more, serde_json::to_string(e).unwrap_or_default())
            };
            rank(&candidate) < rank(known)
        });
        if earlier {
            self.evidence = Some(candidate);
        }
    }

    /// Takes what a snapshot says its lines are, beside what the known one said.
    fn take_products(
        &mut self,
        known: Option<&(SnapshotKey, Snapshot)>,
        (key, told): (&SnapshotKey, &Snapshot),
    ) {
        let products = &mut self.products;
        for (key, line) in known.iter().flat_map(|(key, s)| s.lines.iter().map(move |l| (key, l))) {
            let id = line.id.to_string();
            // What stands there already was told by others, of this snapshot's line too.
            if let (Some(product), None) = (line.product_id, products.get(&id)) {
                products.insert(id, (key.clone(), product));
            }
        }
        for line in &told.lines {
            let (id, Some(product)) = (line.id.to_string(), line.product_id) else { continue };
            let one = (key.clone(), product);
            if products.get(&id).is_none_or(|before| *before < one) {
                products.insert(id, one);
            }
        }
    }

    /// Writes into the snapshot that is kept what its lines are; what it told itself stands only there.
    fn name_products(&mut self, key: &SnapshotKey, snapshot: &mut Snapshot) {
        for line in &mut snapshot.lines {
            let known = self.products.get(&line.id.to_string());
            line.product_id = known.map(|(_, product)| *product).or(line.product_id);
        }
        for line in &snapshot.lines {
            let id = line.id.to_string();
            if self.products.get(&id).is_some_and(|(by, _)| by == key) {
                self.products.remove(&id);
            }
        }
    }

    /// The latest word counts; of two at one moment the same one, whichever came first.
    fn take_affiliation(&mut self, told: &Affiliation) {
        let rank = |a: &Affiliation| (a.as_of_ms, serde_json::to_string(a).unwrap_or_default());
        if self.affiliation.as_ref().is_none_or(|known| rank(known) < rank(told)) {
            self.affiliation = Some(told.clone());
        }
    }

    /// A shop tells it once and for all; should it tell two, the one that says more counts.
    fn take_journey(&mut self, told: &Journey) {
        let rank = |j: &Journey| {
            let says = j.clicks.len() + usize::from(j.bare_ref.is_some());
            (says, j.customer_order, serde_json::to_string(j).unwrap_or_default())
        };
        if self.journey.as_ref().is_none_or(|known| rank(known) < rank(told)) {
            self.journey = Some(told.clone());
        }
    }

    /// Should a platform report one refund id with different contents, the one that lowers the
    /// base more is kept, whichever came first.
    fn take_refund(&mut self, incoming: &Refund) {
        let weight = |r: &Refund| {
            let subtotal: Decimal = r.lines.iter().map(|l| l.subtotal).sum();
            (!r.lines.is_empty(), subtotal, r.amount, serde_json::to_string(r).unwrap_or_default())
        };
        let heavier =
            self.refunds.get(&incoming.id).is_none_or(|known| weight(known) < weight(incoming));
        if heavier {
            self.refunds.insert(incoming.id.clone(), incoming.clone());
        }
    }

    /// Refunds in another currency than their order: they are kept, but count nothing, whichever
    /// came first. Currencies never mix.
    #[must_use]
    pub fn foreign_refunds(&self) -> usize {
        let Some(snapshot) = &self.snapshot else { return 0 };
        self.refunds.values().filter(|r| !r.is_in(snapshot.currency)).count()
    }

    /// The facts as they are kept: without what tells who placed a redacted order. A decision is
    /// made before, so that a late delivery decides as it would have done in time.
    #[must_use]
    pub fn forgetting(mut self) -> Self {
        if let (true, Some((_, evidence))) = (self.redacted, &mut self.evidence) {
            evidence.email_hash = None;
        }
        self
    }

    /// What may say whose order it is; nothing while no snapshot is known.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        let Some((_, own)) = &self.evidence else { return Evidence::default() };
        Evidence {
            affiliation: self.affiliation.clone(),
            journey: self.journey.as_ref().and_then(|journey| journey.beside(own)),
            ..own.clone()
        }
    }
}

/// The part of a refunded amount that counts, in minor units of the order's currency.
#[must_use]
pub fn decimal_to_minor(amount: Decimal, currency: Currency) -> i64 {
    // Beyond what the books take there is nothing left to distinguish.
    amount.rounded(currency.exponent()).clamp(-MAX_MINOR, MAX_MINOR)
}

/// The id of a store's order: derived from the store and the platform's id, so that two first
/// deliveries of one order meet at the same primary key.
#[must_use]
pub fn order_id(store: StoreId, external_id: &str) -> OrderId {
    let mut hasher = Sha256::new();
    hasher.update(b"tributary/order/v1");
    hasher.update(store.bytes());
    hasher.update(external_id.as_bytes());
    let digest = hasher.finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
    OrderId::from_bytes(bytes)
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "order_product_tests.rs"]
mod product_tests;
