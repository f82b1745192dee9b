//! Deals; [`super::terms`] are what was agreed in them.

use super::decimal::Decimal;
use super::money::round_half_away;

/// The stages of a campaign that names none of its own (CONTRACT.md).
pub const DEFAULT_STAGES: [&str; 6] =
    ["Outreach", "Negotiation", "Awaiting Post", "Posted", "Ambassador", "Lost"];

/// What is agreed with a creator, as people sort it: none of them decides an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DealKind {
    /// Commission on orders.
    Affiliate,
    /// Products for posts.
    Gifting,
    /// A fee for posts.
    Paid,
    /// For longer.
    Ambassador,
    /// Her followers win something.
    Giveaway,
    /// What she made may be used.
    UsageRights,
}

/// So far apart are the places of deals in a column, so that others fit in between.
pub const GAP: i64 = 1 << 20;

/// The place between two neighbours of a column (`None`: the end); `None` if nothing fits in between.
/// Two deals that are put there at once get the same place: their ids order them.
#[must_use]
pub fn place_between(before: Option<i64>, after: Option<i64>) -> Option<i64> {
    match (before, after) {
        (None, None) => Some(GAP),
        (Some(before), None) => Some(before.saturating_add(GAP)),
        (None, Some(after)) => Some(after.saturating_sub(GAP)),
        (Some(before), Some(after)) => {
            let middle = before + after.saturating_sub(before) / 2;
            (before < middle && middle < after).then_some(middle)
        }
    }
}

/// Revenue for each unit spent, to two decimals; `None` where nothing was spent.
#[must_use]
pub fn return_on_spend(revenue_minor: i64, spent_minor: i64) -> Option<Decimal> {
    if spent_minor <= 0 {
        return None;
    }
    let hundredths = round_half_away(i128::from(revenue_minor) * 100, i128::from(spent_minor));
    Some(Decimal::new(hundredths, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_between_their_neighbours() {
        assert_eq!(place_between(None, None), Some(GAP));
        assert_eq!(place_between(Some(GAP), None), Some(2 * GAP));
        assert_eq!(place_between(None, Some(GAP)), Some(0));
        assert_eq!(place_between(Some(2), Some(4)), Some(3));
        assert_eq!(place_between(Some(2), Some(3)), None);
        assert_eq!(place_between(Some(2), Some(2)), None);
        assert_eq!(place_between(Some(-4), Some(-1)), Some(-3));
        // Twenty times in the same gap, then others have to make room.
        let (mut low, mut times) = (0, 0);
        while let Some(place) = place_between(Some(low), Some(GAP)) {
            (low, times) = (place, times + 1);
        }
        assert_eq!(times, 20);
    }

    #[test]
    fn returns_are_rounded_half_away_from_zero() {
        let text = |revenue, spent| return_on_spend(revenue, spent).map(|d| d.to_string());
        assert_eq!(text(325, 100).as_deref(), Some("3.25"));
        assert_eq!(text(1005, 1000).as_deref(), Some("1.01"));
        assert_eq!(text(0, 5).as_deref(), Some("0"));
        assert_eq!(text(5, 0), None);
    }
}
