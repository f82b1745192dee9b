//! Deals and the versions of their terms.

use serde::Serialize;

use super::ids::{DealId, TermsId};
use super::money::BasisPoints;
use super::time::Millis;

/// The stages of a campaign that names none of its own (CONTRACT.md).
pub const DEFAULT_STAGES: [&str; 6] =
    ["Outreach", "Negotiation", "Awaiting Post", "Posted", "Ambassador", "Lost"];

/// One version of a deal's commission terms. An order uses the version in force when it was
/// placed; past orders never change because a rate did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Cited by every order that used it.
    pub id: TermsId,
    /// Whose terms.
    pub deal: DealId,
    /// Since when they hold.
    pub starts_at_ms: Millis,
    /// The share of an order's base that is commission.
    pub rate: BasisPoints,
}

/// The part of a terms version that an order keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CitedTerms {
    /// Which version.
    pub id: TermsId,
    /// Its rate in basis points.
    pub rate: BasisPoints,
}

/// Of versions in the order of their starts, the one in force at `at_ms`: the last that had
/// started.
#[must_use]
pub fn in_force<T>(
    versions: &[T],
    starts_at_ms: impl Fn(&T) -> Millis,
    at_ms: Millis,
) -> Option<&T> {
    versions.iter().rev().find(|version| starts_at_ms(version) <= at_ms)
}
