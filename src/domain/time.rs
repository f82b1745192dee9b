//! Instants in milliseconds since 1970 (UTC) and calendar days in a brand's time zone.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970 in UTC, as storage and click ids hold them.
pub type Millis = i64;

/// One day in milliseconds.
pub const DAY_MS: Millis = 86_400_000;

/// The latest instant that a told time can mean: shops tell the second an order was placed in, and
/// what took effect within that second must not miss it. A time with milliseconds means itself.
#[must_use]
pub fn latest_meant(told_ms: Millis) -> Millis {
    if told_ms.rem_euclid(1000) == 0 { told_ms.saturating_add(999) } else { told_ms }
}

/// A calendar day, counted from 1970-01-01. Whose calendar it is (the brand's) is the caller's to
/// know; storage keeps it as this integer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct Day(pub i64);

impl Day {
    /// The day `days` later.
    #[must_use]
    pub fn plus(self, days: i64) -> Self {
        Self(self.0 + days)
    }

    /// `2026-11-22`.
    #[must_use]
    pub fn to_iso(self) -> String {
        let date = civil::date(1970, 1, 1).checked_add(SignedDuration::from_hours(self.0 * 24));
        date.map(|d| d.to_string()).unwrap_or_default()
    }

    /// The day that `2026-11-22` names, if it exists in the calendar.
    #[must_use]
    pub fn from_iso(text: &str) -> Option<Self> {
        if text.len() != 10 {
            return None;
        }
        let date: civil::Date = text.parse().ok()?;
        Some(Self::from_date(date))
    }

    fn from_date(date: civil::Date) -> Self {
        let since = date.duration_since(civil::date(1970, 1, 1));
        Self(since.as_hours().div_euclid(24))
    }
}

/// A time zone by its IANA name, as a brand sets it.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone with this name, exactly as the IANA database spells it (any case).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if name.is_empty() || name.len() > 64 {
            return None;
        }
        TimeZone::get(name).ok().filter(|zone| !zone.is_unknown()).map(Self)
    }

    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Its canonical name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The calendar day that `at_ms` falls on here.
    #[must_use]
    pub fn day(&self, at_ms: Millis) -> Day {
        let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        Day::from_date(self.0.to_datetime(at).date())
    }

    /// The instant at which `day` begins here (where midnight is skipped: the first after it).
    #[must_use]
    pub fn start_of(&self, day: Day) -> Millis {
        let date = civil::date(1970, 1, 1)
            .checked_add(SignedDuration::from_hours(day.0.saturating_mul(24)))
            .unwrap_or(civil::Date::MAX);
        self.0
            .to_ambiguous_zoned(date.to_datetime(civil::Time::midnight()))
            .compatible()
            .map_or(i64::MAX, |zoned| zoned.timestamp().as_millisecond())
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// An RFC 3339 text with an offset, to the millisecond; what is finer is cut off.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Millis> {
    // jiff also reads other ISO 8601 forms; the fields that reach us are RFC 3339 only.
    if !(20..=40).contains(&text.len()) || text.contains('[') {
        return None;
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// `2026-11-22T08:00:00.000Z`.
#[must_use]
pub fn to_rfc3339(at_ms: Millis) -> String {
    Timestamp::from_millisecond(at_ms).map(|at| format!("{at:.3}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_the_zones() {
        let at = parse_rfc3339("2026-11-22T03:30:00Z").unwrap();
        let iso = |zone: &str| Zone::named(zone).unwrap().day(at).to_iso();
        assert_eq!(iso("UTC"), "2026-11-22");
        assert_eq!(iso("America/New_York"), "2026-11-21");
        assert_eq!(iso("Asia/Kathmandu"), "2026-11-22");
        assert_eq!(Day::from_iso("2026-11-22").map(Day::to_iso).as_deref(), Some("2026-11-22"));
        assert_eq!(Day::from_iso("1970-01-01"), Some(Day(0)));
        assert_eq!(Day::from_iso("1969-12-31"), Some(Day(-1)));
        assert_eq!(Day::from_iso("2026-02-30"), None);
        assert_eq!(Day::from_iso("20260230"), None);
    }

    #[test]
    fn a_day_begins_where_the_zone_says() {
        let day = Day::from_iso("2026-03-08").unwrap();
        let zone = Zone::named("America/New_York").unwrap();
        assert_eq!(to_rfc3339(zone.start_of(day)), "2026-03-08T05:00:00.000Z");
        assert_eq!(to_rfc3339(zone.start_of(day.plus(1))), "2026-03-09T04:00:00.000Z");
        for day in 20_000..20_800 {
            assert_eq!(zone.day(zone.start_of(Day(day))), Day(day));
            assert_eq!(zone.day(zone.start_of(Day(day)) - 1), Day(day - 1));
        }
    }

    #[test]
    fn times_need_an_offset() {
        assert_eq!(parse_rfc3339("2026-11-20T10:15:30+01:00"), Some(1_795_166_130_000));
        assert_eq!(to_rfc3339(1_795_166_130_123), "2026-11-20T09:15:30.123Z");
        for bad in ["2026-11-20", "2026-11-20T10:15:30", "yesterday", "", "2026-02-30T00:00:00Z"] {
            assert_eq!(parse_rfc3339(bad), None, "{bad}");
        }
    }
}
