//! A brand's settings and the rules that decide its orders.

use serde::Serialize;

use super::ids::BrandId;
use super::money::{Currency, Money};
use super::time::{Millis, Zone};

/// A tenant with its settings.
#[derive(Debug, Clone)]
pub struct Brand {
    /// Its id.
    pub id: BrandId,
    /// Its name, as creators see it.
    pub name: String,
    /// The currency its minimum is in; orders may be in others.
    pub currency: Currency,
    /// Whose calendar its days follow.
    pub timezone: Zone,
    /// Where its own site is.
    pub homepage_url: String,
    /// The host its links are handed out on, if it has one of its own.
    pub link_domain: Option<String>,
    /// How orders are attributed, from now on.
    pub attribution: AttributionRules,
    /// How orders earn, from now on.
    pub earning: EarningRules,
    /// The least that is paid out, in `currency`.
    pub payout_minimum: Option<Money>,
}

/// How an order finds its deal. Versions with a start time: an order uses those in force when it
/// was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AttributionRules {
    /// How long a click counts, 1 to 365 days.
    pub window_days: u16,
    /// What wins when both a code and a click name a deal.
    pub precedence: Precedence,
    /// Which of several clicks wins.
    pub clicks: ClickOrder,
}

impl Default for AttributionRules {
    fn default() -> Self {
        Self { window_days: 30, precedence: Precedence::CodeFirst, clicks: ClickOrder::Last }
    }
}

/// Rules of attribution to change; what is `None` stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttributionChange {
    /// How long a click counts.
    pub window_days: Option<u16>,
    /// What goes first.
    pub precedence: Option<Precedence>,
    /// Which click.
    pub clicks: Option<ClickOrder>,
}

impl AttributionChange {
    /// Rules after the change.
    #[must_use]
    pub fn applied(self, rules: AttributionRules) -> AttributionRules {
        AttributionRules {
            window_days: self.window_days.unwrap_or(rules.window_days),
            precedence: self.precedence.unwrap_or(rules.precedence),
            clicks: self.clicks.unwrap_or(rules.clicks),
        }
    }
}

/// What wins when both a code and a click name a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precedence {
    /// A code beats a link.
    CodeFirst,
    /// A link beats a code.
    LinkFirst,
}

/// Which of several valid clicks wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClickOrder {
    /// The latest.
    Last,
    /// The earliest.
    First,
}

/// How an order earns. Frozen with the order when it is first decided, so that a changed setting
/// never changes a past order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EarningRules {
    /// What makes an order earn.
    pub earn_on: EarnOn,
    /// Whether test orders earn too.
    pub count_test_orders: bool,
    /// How long a commission stays pending after the order was placed, 0 to 365 days.
    pub hold_days: u16,
}

impl Default for EarningRules {
    fn default() -> Self {
        Self { earn_on: EarnOn::Paid, count_test_orders: false, hold_days: 30 }
    }
}

/// What makes an order earn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EarnOn {
    /// Payment in full.
    Paid,
    /// Being placed.
    Placed,
}

/// A version of the attribution rules, in force from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributionVersion {
    /// The rules.
    pub rules: AttributionRules,
    /// Since when they hold.
    pub starts_at_ms: Millis,
}
