//! Tasks at the platforms of stores: what kinds there are, and when one is tried again.

use super::time::Millis;

/// What is to be done at a store's platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Have the shop deliver its webhooks here.
    RegisterWebhooks,
    /// Fetch the orders from before the store was connected.
    Backfill,
    /// Fetch what changed since the last time, in case a webhook was lost.
    Reconcile,
    /// Compare days: which orders the platform has, and which are known.
    CompareDays,
    /// Fetch one order whole.
    RefetchOrder,
    /// Ask what the shop saw of the visits before orders that are nobody's.
    AskJourneys,
    /// Keep in step with a store on GoAffPro: new orders, changes, affiliates, visits, its ledger.
    GoaffproSync,
    /// Have GoAffPro make an affiliate that a deal asked for.
    GoaffproAffiliate,
    /// Make a discount for one code: subject its id.
    MakeCode,
    /// Put a group's codes into its discount: subject its id.
    AddCodes,
    /// Switch a code on or off: subject its id.
    SwitchCode,
    /// Change what was made from a group's rule: subject its id.
    ChangeGroup,
    /// Look what became of codes: all, one, or those of a discount of the platform's.
    LookAtCodes,
    /// Look which products are in the collections that terms name: in all, or one.
    LookAtCollections,
}

impl Kind {
    /// Its name, as it is stored and logged.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RegisterWebhooks => "register_webhooks",
            Self::Backfill => "backfill",
            Self::Reconcile => "reconcile",
            Self::CompareDays => "compare_days",
            Self::RefetchOrder => "refetch_order",
            Self::AskJourneys => "ask_journeys",
            Self::GoaffproSync => "goaffpro_sync",
            Self::GoaffproAffiliate => "goaffpro_affiliate",
            Self::MakeCode => "make_code",
            Self::AddCodes => "add_codes",
            Self::SwitchCode => "switch_code",
            Self::ChangeGroup => "change_group",
            Self::LookAtCodes => "look_at_codes",
            Self::LookAtCollections => "look_at_collections",
        }
    }

    /// Whether it is never given up, however often it got nowhere.
    #[must_use]
    pub const fn never_ends(self) -> bool {
        match self {
            Self::RegisterWebhooks
            | Self::Backfill
            | Self::Reconcile
            | Self::CompareDays
            | Self::RefetchOrder
            | Self::AskJourneys
            | Self::GoaffproAffiliate
            | Self::MakeCode
            | Self::AddCodes
            | Self::SwitchCode
            | Self::ChangeGroup
            | Self::LookAtCodes
            | Self::LookAtCollections => false,
            Self::GoaffproSync => true,
        }
    }
}

/// The first wait after a try that got nowhere; the next are twice as long each.
const FIRST_WAIT_MS: Millis = 30_000;
/// No wait is longer.
const LONGEST_WAIT_MS: Millis = 3_600_000;
/// A platform that asks for more patience than this is asked earlier all the same.
const MOST_ASKED_MS: Millis = 6 * 3_600_000;

/// When what got nowhere `tries` times is tried again: later each time, and never all at once, for
/// which `random` is a byte. `asked_until_ms` is what the platform asked for.
#[must_use]
pub fn next_try_ms(
    tries: u32,
    asked_until_ms: Option<Millis>,
    random: u8,
    now_ms: Millis,
) -> Millis {
    let doubled = FIRST_WAIT_MS << tries.min(10);
    let wait_ms = doubled.min(LONGEST_WAIT_MS);
    // Up to a quarter more.
    let wait_ms = wait_ms + wait_ms * Millis::from(random) / 1024;
    let asked_ms = asked_until_ms.unwrap_or(now_ms).min(now_ms + MOST_ASKED_MS);
    match asked_until_ms {
        // It said when; a moment later is as good.
        Some(_) => asked_ms + wait_ms / 60,
        None => now_ms + wait_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_longer_up_to_an_hour() {
        let waits: Vec<_> =
            (0..12).map(|tries| next_try_ms(tries, None, 0, 1_000) - 1_000).collect();
        assert_eq!(waits[..4], [30_000, 60_000, 120_000, 240_000]);
        assert_eq!(waits[11], LONGEST_WAIT_MS);
        assert!(next_try_ms(u32::MAX, None, 255, 0) <= LONGEST_WAIT_MS * 5 / 4);
    }

    #[test]
    fn the_platform_is_heard_within_reason() {
        assert_eq!(next_try_ms(0, Some(90_000), 0, 0), 90_500);
        let days = next_try_ms(0, Some(i64::MAX), 255, 0);
        assert!((MOST_ASKED_MS..MOST_ASKED_MS + 60_000).contains(&days), "{days}");
    }
}
