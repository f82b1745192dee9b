//! Facts, decisions and deliveries out of the JSON in which they are kept and queued: what their
//! `Serialize` wrote, read as rows are.

use serde_json::Value;

use super::DbError;
use super::rows::{Columns, FromColumn, FromRow, from_json, spelling};
use crate::domain::attribution::{Candidate, Decision, Method, Outcome, Reason, Winner};
use crate::domain::collection::{Member, Span};
use crate::domain::decimal::Decimal;
use crate::domain::discount::{Buy, Combines, Discount, Items, Kind as DiscountKind, Minimum};
use crate::domain::dispute::{Dispute, DisputeState};
use crate::domain::merkle::Frontier;
use crate::domain::money::{Currency, Money};
use crate::domain::moved::{Automatic, Moved};
use crate::domain::order::{
    Affiliation, Delivery, Edit, Evidence, Facts, Journey, Line, Payment, Refund, RefundLine,
    Report, Snapshot, SnapshotKey, UsedCode,
};
use crate::domain::sorted::Sorted;
use crate::domain::terms::{CitedTerms, Customer, RateRule, Rules, Seen};

/// Reads what was kept as JSON.
///
/// # Errors
/// [`DbError::Failed`] if it doesn't have the form that the code expects.
pub(super) fn kept<T: FromColumn>(text: &str) -> Result<T, DbError> {
    from_json(text).ok_or_else(|| DbError::Failed("stored JSON has another form".to_owned()))
}

/// Reads structs of the core. Fields that are left out where they have their default are `= default`.
macro_rules! reads {
    ($($name:ident { $($field:ident $(= $how:ident)?),* $(,)? })+) => {$(
        impl FromRow for $name {
            fn from_row(columns: &mut Columns<'_>) -> Self {
                Self { $($field: reads!(@by columns $field $($how)?)),* }
            }
        }
    )+};
    (@by $columns:ident $field:ident default) => { $columns.or_default(stringify!($field)) };
    (@by $columns:ident $field:ident) => { $columns.read(stringify!($field)) };
}

reads! {
    Facts {
        snapshot = default, evidence = default, refunds = default, cancelled = default,
        edits = default, disputes = default, redacted = default, affiliation = default,
        journey = default, products = default,
    }
    Snapshot {
        updated_at_ms, placed_at_ms, name, currency, payment, cancelled, test, taxes_included,
        lines, evidence,
    }
    Line {
        id, product_id = default, quantity, current_quantity = default, price_minor,
        discount_minor, tax_minor, earns,
    }
    Evidence {
        codes = default, clicks = default, bare_ref = default, email_hash = default,
        affiliation = default, journey = default, web = default,
    }
    Journey { clicks = default, bare_ref = default, customer_order = default }
    Affiliation { affiliate, deal = default, as_of_ms, rejected = default }
    UsedCode { code, discount_minor, is_code }
    Refund { id, currency = default, lines = default, amount = default }
    RefundLine { line_id, quantity, subtotal, tax }
    Edit { id, deltas }
    Delivery { external_id, report }
    Decision { winner, reason, candidates, rules, earning, decided_at_ms, seen = default, moved = default, members = default }
    Member { product, collections = default }
    Span { collection, product, from_ms, to_ms = default }
    Moved { from_deal, reason, at_ms, by, claim = default, automatic }
    Automatic { winner, reason }
    Dispute { state, at_ms }
    Winner { deal, creator, method, terms }
    Candidate { deal_id, method, evidence, at_ms, outcome, reason }
    CitedTerms { id, rate, rules = default }
    Rules {
        rates = default, flat = default, first_order_only = default, order_cap = default,
        month_cap = default,
    }
    RateRule { label = default, products = default, collection = default, customer = default, rate }
    Discount {
        kind, percent = default, amount = default, on, buy = default, get_quantity = default, minimum,
        starts_at_ms = default, ends_at_ms = default, usage_limit = default, once_per_customer,
        combines,
    }
    Items { products = default, collections = default }
    Buy { quantity, on }
    Minimum { subtotal = default, quantity = default }
    Combines { order, product, shipping }
    Seen { customer_index = default, month_left_minor = default }
}

spelling!(Payment {
    Unpaid = "unpaid",
    PartiallyPaid = "partially_paid",
    Paid = "paid",
    PartiallyRefunded = "partially_refunded",
    Refunded = "refunded",
    Voided = "voided",
});
spelling!(DiscountKind {
    Percentage = "percentage",
    Amount = "amount",
    BuyXGetY = "buy_x_get_y",
    FreeShipping = "free_shipping",
});
spelling!(Customer { New = "new", Returning = "returning" });
spelling!(Method { Code = "code", Link = "link", Hand = "hand", Affiliate = "affiliate", Journey = "journey" });
spelling!(DisputeState { Open = "open", Won = "won", Lost = "lost" });
spelling!(Outcome { Won = "won", Lost = "lost" });
spelling!(Reason {
    Won = "won",
    LowerPrecedence = "lower_precedence",
    OlderClick = "older_click",
    SmallerDiscount = "smaller_discount",
    OutsideWindow = "outside_window",
    BadSignature = "bad_signature",
    NotACodeApplication = "not_a_code_application",
    DealClosed = "deal_closed",
    SelfPurchase = "self_purchase",
    TestOrder = "test_order",
    UnknownCode = "unknown_code",
    BeforeTerms = "before_terms",
    UnknownLink = "unknown_link",
    NoCandidate = "no_candidate",
    Moved = "moved",
    UnknownAffiliate = "unknown_affiliate",
    RejectedElsewhere = "rejected_elsewhere",
});

impl FromColumn for Report {
    fn from_column(value: &Value) -> Option<Self> {
        match value.as_str() {
            Some("deleted") => return Some(Self::Deleted),
            Some("redacted") => return Some(Self::Redacted),
            _ => (),
        }
        let (kind, value) = value.as_object()?.iter().next()?;
        match kind.as_str() {
            "snapshot" => {
                let (snapshot, refunds) = FromColumn::from_column(value)?;
                Some(Self::Snapshot(Box::new(snapshot), refunds))
            }
            "refund" => Refund::from_column(value).map(Self::Refund),
            "journey" => Journey::from_column(value).map(Self::Journey),
            "affiliate" => Affiliation::from_column(value).map(Self::Affiliate),
            "edited" => Edit::from_column(value).map(Self::Edited),
            "dispute" => {
                let (id, dispute) = FromColumn::from_column(value)?;
                Some(Self::Dispute(id, dispute))
            }
            _ => None,
        }
    }
    fn placeholder() -> Self {
        Self::Deleted
    }
}
impl FromColumn for SnapshotKey {
    fn from_column(value: &Value) -> Option<Self> {
        let (at_ms, payment, hash) = FromColumn::from_column(value)?;
        Some(Self(at_ms, payment, hash))
    }
    fn placeholder() -> Self {
        let (at_ms, payment, hash) = FromColumn::placeholder();
        Self(at_ms, payment, hash)
    }
}
impl FromColumn for Decimal {
    fn from_column(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
    fn placeholder() -> Self {
        Self::default()
    }
}
impl FromColumn for Money {
    fn from_column(value: &Value) -> Option<Self> {
        let currency = Currency::from_column(value.get("currency")?)?;
        Self::parse(value.get("amount")?.as_str()?, currency).ok()
    }
    fn placeholder() -> Self {
        Self::new(0, Currency::NONE)
    }
}
impl FromColumn for Frontier {
    fn from_column(value: &Value) -> Option<Self> {
        let (size, roots) = (value.get("size")?, value.get("roots")?);
        Self::of(FromColumn::from_column(size)?, &Vec::from_column(roots)?)
    }
    fn placeholder() -> Self {
        Self::default()
    }
}
impl<T: FromColumn> FromColumn for Sorted<String, T> {
    fn from_column(value: &Value) -> Option<Self> {
        let mut map = Self::new();
        for (key, value) in value.as_object()? {
            map.insert(key.clone(), T::from_column(value)?);
        }
        Some(map)
    }
    fn placeholder() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What serde writes is what [`spelling!`] reads, for every variant.
    fn survive<T: serde::Serialize + FromColumn + PartialEq + std::fmt::Debug>(all: &[T]) {
        for one in all {
            let written = serde_json::to_string(one).unwrap();
            assert_eq!(from_json::<T>(&written).as_ref(), Some(one), "{written}");
        }
    }

    #[test]
    fn products_that_others_told_are_read_as_they_are_written() {
        let mut facts = Facts::default();
        let key = SnapshotKey(5, Payment::Paid, "ab".to_owned());
        facts.products.insert("17".to_owned(), (key, 9_007_199_254_740_993));
        survive(&[facts]);
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        use Reason as R;
        survive(&[
            Payment::Unpaid,
            Payment::PartiallyPaid,
            Payment::Paid,
            Payment::PartiallyRefunded,
            Payment::Refunded,
            Payment::Voided,
        ]);
        survive(&[Method::Code, Method::Link, Method::Hand, Method::Affiliate, Method::Journey]);
        survive(&[DisputeState::Open, DisputeState::Won, DisputeState::Lost]);
        survive(&[Method::Code, Method::Link]);
        survive(&[Customer::New, Customer::Returning]);
        survive(&[DiscountKind::Percentage, DiscountKind::Amount]);
        survive(&[DiscountKind::BuyXGetY, DiscountKind::FreeShipping]);
        survive(&[Outcome::Won, Outcome::Lost]);
        survive(&[R::Won, R::LowerPrecedence, R::OlderClick, R::SmallerDiscount]);
        survive(&[R::OutsideWindow, R::BadSignature, R::NotACodeApplication, R::DealClosed]);
        survive(&[R::SelfPurchase, R::TestOrder, R::UnknownCode, R::BeforeTerms]);
        survive(&[R::UnknownLink, R::NoCandidate, R::Moved]);
        survive(&[R::UnknownAffiliate, R::RejectedElsewhere]);
    }
}
