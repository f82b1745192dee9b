//! Instants in milliseconds since 1970 (UTC) and calendar days in a brand's time zone.
//!
//! The calendar and RFC 3339 are read and written here, and what is known of the time zones is a
//! table by `build.rs`: a date library would be a quarter of the worker for these few functions.
//! One is the oracle of the tests below.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970 in UTC, as storage and click ids hold them.
pub type Millis = i64;

/// One day in milliseconds.
pub const DAY_MS: Millis = 86_400_000;

const DAY_MINUTES: i64 = 24 * 60;
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// The instants there are, in seconds: from the year -9999 to 9999, a day less at both ends, so
/// that every instant has a date whatever the offset.
const SECONDS: std::ops::RangeInclusive<i64> = -377_705_023_201..=253_402_207_200;

/// The days there are: 1 January -9999 to 31 December 9999.
const DAYS: std::ops::RangeInclusive<i64> = -4_371_587..=2_932_896;

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
    /// Before everything that is counted by days.
    pub const FIRST: Self = Self(0);
    /// 2200-01-01: after all days that anybody may name.
    pub const END: Self = Self(84_006);

    /// Whether somebody may name it: a day of the years 2000 to 2199.
    #[must_use]
    pub fn is_nameable(self) -> bool {
        (10_957..Self::END.0).contains(&self.0)
    }

    /// The day `days` later.
    #[must_use]
    pub fn plus(self, days: i64) -> Self {
        Self(self.0 + days)
    }

    /// `2026-11-22`. Empty beyond the years that four digits can tell.
    #[must_use]
    pub fn to_iso(self) -> String {
        if !DAYS.contains(&self.0) {
            return String::new();
        }
        let (year, month, day) = self.to_civil();
        // ISO 8601 gives years before 0 a sign and six digits.
        let width = if year < 0 { 7 } else { 4 };
        format!("{year:0width$}-{month:02}-{day:02}")
    }

    /// The day that `2026-11-22` names, if it exists in the calendar.
    #[must_use]
    pub fn from_iso(text: &str) -> Option<Self> {
        let mut rest = Rest(text.as_bytes());
        let day = rest.date()?;
        (text.len() == 10 && rest.0.is_empty()).then_some(day)
    }

    /// Which day of its month it is, from 1.
    #[must_use]
    pub fn of_month(self) -> i64 {
        self.to_civil().2
    }

    /// Year, month and day in the Gregorian calendar. Counts in eras of 400 years, which repeat,
    /// and in years that begin in March, so that the leap day is a year's last.
    #[must_use]
    pub fn to_civil(self) -> (i64, i64, i64) {
        let since_march_0 = self.0 + 719_468;
        let (era, of_era) = (since_march_0.div_euclid(146_097), since_march_0.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let next_year = i64::from(month >= 10);
        (era * 400 + year + next_year, month + 3 - 12 * next_year, day)
    }

    /// The inverse of [`Self::to_civil`]; `None` for what is no date.
    fn from_civil(year: i64, month: i64, day: i64) -> Option<Self> {
        let march_year = year - i64::from(month <= 2);
        let (era, of_era) = (march_year.div_euclid(400), march_year.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        let found = Self(era * 146_097 + of_era - 719_468);
        (found.to_civil() == (year, month, day)).then_some(found)
    }
}

/// The names of all time zones as `build.rs` wrote them: those in one line share their changes.
const ZONE_NAMES: &str = include_str!(concat!(env!("OUT_DIR"), "/zones.txt"));

/// For every line of [`ZONE_NAMES`] the number of changes and, in 16-bit words, the days, the
/// minutes of the day and the new offsets of all of them.
const ZONE_CHANGES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/zones.bin"));

/// Where [`ZONE_CHANGES`] ends: with 2054.
const CHANGES_END: i64 = 31_046 * DAY_MINUTES;

/// Dates fall on the same days of the week again after 28 years (until 2100, which is no leap
/// year), and so do the changes of the last 28 years of the table: all follow rules by then.
const CYCLE: i64 = 10_227 * DAY_MINUTES;

/// A time zone by its IANA name, as a brand sets it. Before 2012 it has the offset it began that
/// year with.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    name: &'static str,
    /// Its part of [`ZONE_CHANGES`], after the number.
    changes: &'static [u8],
}

impl Zone {
    /// The zone with this name, exactly as the IANA database spells it (any case).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut rest = ZONE_CHANGES;
        for line in ZONE_NAMES.lines() {
            let (count, tail) = rest.split_first()?;
            let (changes, tail) = tail.split_at_checked(usize::from(*count) * 3 * 2)?;
            if let Some(name) = line.split(' ').find(|known| known.eq_ignore_ascii_case(name)) {
                return Some(Self { name, changes });
            }
            rest = tail;
        }
        None
    }

    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self::named("UTC").unwrap_or(Self { name: "UTC", changes: &[] })
    }

    /// Its canonical name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name
    }

    /// The calendar day that `at_ms` falls on here.
    #[must_use]
    pub fn day(&self, at_ms: Millis) -> Day {
        let at_ms = if is_instant(at_ms) { at_ms } else { 0 };
        let minute = at_ms.div_euclid(60_000);
        Day((minute + self.offset(minute, Clock::Utc)).div_euclid(DAY_MINUTES))
    }

    /// The instant at which `day` begins here (where midnight is skipped: the first after it).
    #[must_use]
    pub fn start_of(&self, day: Day) -> Millis {
        self.moment(day, 0)
    }

    /// The instant at which clocks here show this minute of `day`; where it is skipped, the first after.
    #[must_use]
    pub fn moment(&self, day: Day, minute: i64) -> Millis {
        let local = day.0.saturating_mul(DAY_MINUTES).saturating_add(minute);
        let minute = local.saturating_sub(self.offset(local, Clock::Local));
        let at_ms = minute.saturating_mul(60_000);
        if is_instant(at_ms) { at_ms } else { Millis::MAX }
    }

    /// How many minutes local time is ahead when `clock` shows `minute`. Local time that comes
    /// twice means the first; where it is skipped, the offset from before the change counts.
    fn offset(&self, minute: i64, clock: Clock) -> i64 {
        let beyond = minute.saturating_sub(CHANGES_END);
        let minute =
            if beyond < 0 { minute } else { CHANGES_END - CYCLE + beyond.rem_euclid(CYCLE) };
        let mut changes = self.changes();
        let mut held = changes.next().map_or(0, |(_, offset)| offset);
        for (from, offset) in changes {
            let utc = match clock {
                Clock::Utc => minute,
                Clock::Local => minute.saturating_sub(held.max(offset)),
            };
            if utc < from {
                break;
            }
            held = offset;
        }
        held
    }

    /// From which minute of UTC on which offset holds, in minutes.
    fn changes(&self) -> impl Iterator<Item = (i64, i64)> {
        let length = self.changes.len() / 3;
        let column = |number: usize| {
            let bytes = self.changes.get(number * length..).unwrap_or_default();
            bytes.chunks_exact(2).take(length / 2).map(|word| match word {
                [low, high] => i64::from(i16::from_le_bytes([*low, *high])),
                _ => 0,
            })
        };
        let times = column(0).zip(column(1)).map(|(day, minute)| day * DAY_MINUTES + minute);
        times.zip(column(2))
    }
}

/// What a minute is told by.
#[derive(Clone, Copy)]
enum Clock {
    Utc,
    Local,
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

fn is_instant(at_ms: Millis) -> bool {
    SECONDS.contains(&at_ms.div_euclid(1000))
}

/// An RFC 3339 text with an offset, to the millisecond; what is finer is cut off.
///
/// Other forms of ISO 8601 with date, time and offset are read as well, if they are 20 to 40 bytes
/// long: without hyphens or colons, with a comma, without seconds, with seconds in the offset.
/// A leap second is the second before it.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Millis> {
    if !(20..=40).contains(&text.len()) {
        return None;
    }
    let mut rest = Rest(text.as_bytes());
    let day = rest.date()?;
    rest.one_of(b"Tt ")?;
    let (seconds, nanos) = rest.clock(23, 60)?;
    let offset = match rest.one_of(b"Zz+-")? {
        sign @ (b'+' | b'-') => {
            let (seconds, nanos) = rest.clock(25, 59)?;
            let rounded = seconds + i64::from(nanos >= 500_000_000);
            let ahead = (rounded < 26 * 60 * 60).then_some(rounded)?;
            if sign == b'-' { -ahead } else { ahead }
        }
        _ => 0,
    };
    let at = day.0 * DAY_SECONDS + seconds - offset;
    if !rest.0.is_empty() || !SECONDS.contains(&at) {
        return None;
    }
    let at_ms = at * 1000 + nanos / 1_000_000;
    // Cut off is towards 1970.
    let up = at_ms < 0 && nanos % 1_000_000 > 0;
    Some(at_ms + i64::from(up))
}

/// `2026-11-22T08:00:00.000Z`.
#[must_use]
pub fn to_rfc3339(at_ms: Millis) -> String {
    if !is_instant(at_ms) {
        return String::new();
    }
    let date = Day(at_ms.div_euclid(DAY_MS)).to_iso();
    let (seconds, ms) = (at_ms.rem_euclid(DAY_MS) / 1000, at_ms.rem_euclid(1000));
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// What is left to read of a text. After a `None` it is anywhere.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// The next byte, if it is one of these.
    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (next, tail) = self.0.split_first()?;
        bytes.contains(next).then(|| {
            self.0 = tail;
            *next
        })
    }

    /// How many of the next bytes, `most` at most, are digits.
    fn digits(&self, most: usize) -> usize {
        self.0.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// A number of exactly so many digits, one to nine.
    fn number(&mut self, digits: usize) -> Option<i64> {
        if digits == 0 || self.digits(digits) < digits {
            return None;
        }
        let (number, tail) = self.0.split_at_checked(digits)?;
        self.0 = tail;
        Some(number.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    }

    /// `2026-11-22` or `20261122`. A year may have a sign and then has six digits.
    fn date(&mut self) -> Option<Day> {
        let year = match self.one_of(b"+-") {
            None => self.number(4)?,
            Some(sign) => {
                let year = self.number(6).filter(|year| *year <= 9999)?;
                if sign == b'+' { year } else { Some(-year).filter(|year| *year != 0)? }
            }
        };
        let hyphens = self.one_of(b"-").is_some();
        let month = self.number(2)?;
        if hyphens {
            self.one_of(b"-")?;
        }
        Day::from_civil(year, month, self.number(2)?)
    }

    /// Hours, at most so many, and maybe minutes and seconds, with colons between all or none; a
    /// fraction may follow seconds. As seconds and nanoseconds.
    fn clock(&mut self, most_hours: i64, most_seconds: i64) -> Option<(i64, i64)> {
        let mut total = self.number(2).filter(|hours| *hours <= most_hours)? * 3600;
        let colons = self.0.starts_with(b":");
        for (unit, most) in [(60, 59), (1, most_seconds)] {
            let follows = if colons { self.one_of(b":").is_some() } else { self.digits(2) == 2 };
            if !follows {
                return Some((total, 0));
            }
            total += self.number(2).filter(|number| *number <= most)?.min(59) * unit;
        }
        if self.one_of(b".,").is_none() {
            return Some((total, 0));
        }
        let digits = self.digits(9);
        let fraction = self.number(digits)?;
        Some((total, (digits..9).fold(fraction, |nanos, _| nanos * 10)))
    }
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

    /// What these functions did when they were a date library's.
    mod oracle {
        use jiff::civil::{self, Date};
        use jiff::tz::TimeZone;
        use jiff::{SignedDuration, Timestamp};

        pub fn parse_rfc3339(text: &str) -> Option<i64> {
            if !(20..=40).contains(&text.len()) || text.contains('[') {
                return None;
            }
            text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
        }

        pub fn to_rfc3339(at_ms: i64) -> String {
            Timestamp::from_millisecond(at_ms).map(|at| format!("{at:.3}")).unwrap_or_default()
        }

        pub fn to_iso(day: i64) -> String {
            let date = civil::date(1970, 1, 1).checked_add(SignedDuration::from_hours(day * 24));
            date.map(|d| d.to_string()).unwrap_or_default()
        }

        pub fn from_iso(text: &str) -> Option<i64> {
            let date: Date = text.parse().ok().filter(|_| text.len() == 10)?;
            Some(date.duration_since(civil::date(1970, 1, 1)).as_hours().div_euclid(24))
        }

        pub fn day(zone: &TimeZone, at_ms: i64) -> i64 {
            let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
            let date = zone.to_datetime(at).date();
            date.duration_since(civil::date(1970, 1, 1)).as_hours().div_euclid(24)
        }

        pub fn start_of(zone: &TimeZone, day: i64) -> i64 {
            let date = civil::date(1970, 1, 1)
                .checked_add(SignedDuration::from_hours(day.saturating_mul(24)))
                .unwrap_or(Date::MAX);
            zone.to_ambiguous_zoned(date.to_datetime(civil::Time::midnight()))
                .compatible()
                .map_or(i64::MAX, |zoned| zoned.timestamp().as_millisecond())
        }
    }

    /// Their changes follow the moon, so that no rule tells them after the table.
    const BY_THE_MOON: [&str; 4] =
        ["Africa/Casablanca", "Africa/El_Aaiun", "Asia/Gaza", "Asia/Hebron"];

    #[test]
    fn zones_are_those_of_the_database() {
        let mut count = 0;
        for name in jiff::tz::db().available() {
            let name = name.as_str();
            let theirs = jiff::tz::TimeZone::get(name).unwrap();
            for spelling in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                let zone = Zone::named(&spelling).unwrap();
                assert_eq!(Some(zone.name()), theirs.iana_name());
            }
            count += 1;
        }
        assert!(count > 590, "{count}");
        for bad in ["", " ", "Mars/Base", "Etc/Unknown", "Europe", "+01:00", "Europe/Berlin "] {
            assert_eq!(Zone::named(bad), None, "{bad}");
        }
        assert_eq!(Zone::named("utc"), Some(Zone::utc()));
        assert_ne!(Zone::named("Europe/London"), Zone::named("GB"));
    }

    #[test]
    fn days_are_those_of_the_database() {
        let begins = |date: &str| Day::from_iso(date).unwrap().0;
        for name in jiff::tz::db().available() {
            let name = name.as_str();
            let (ours, theirs) =
                (Zone::named(name).unwrap(), jiff::tz::TimeZone::get(name).unwrap());
            let until =
                begins(if BY_THE_MOON.contains(&name) { "2055-01-01" } else { "2099-12-31" });
            let first = jiff::Timestamp::from_millisecond(begins("2012-01-02") * DAY_MS).unwrap();
            let changes = theirs.following(first).map(|change| change.timestamp().as_millisecond());
            let changes: Vec<i64> = changes.take_while(|at_ms| *at_ms < until * DAY_MS).collect();
            let about = changes.iter().flat_map(|at_ms| {
                let day = at_ms.div_euclid(DAY_MS);
                day - 1..=day + 1
            });
            for day in (begins("2012-01-02")..until).step_by(97).chain(about) {
                let start = oracle::start_of(&theirs, day);
                assert_eq!(ours.start_of(Day(day)), start, "{name} {day}");
                for at_ms in [start - 1, start] {
                    assert_eq!(ours.day(at_ms).0, oracle::day(&theirs, at_ms), "{name} {at_ms}");
                }
            }
            for at_ms in changes {
                for at_ms in [at_ms - 3_600_000, at_ms - 1, at_ms, at_ms + 3_600_000] {
                    assert_eq!(ours.day(at_ms).0, oracle::day(&theirs, at_ms), "{name} {at_ms}");
                }
            }
        }
    }

    #[test]
    fn what_is_out_of_range_stays_what_it_was() {
        for (name, theirs) in [("UTC", jiff::tz::TimeZone::UTC)] {
            let ours = Zone::named(name).unwrap();
            for at_ms in [i64::MIN, i64::MAX, -377_705_023_201_001, 253_402_207_201_000] {
                assert_eq!(ours.day(at_ms).0, oracle::day(&theirs, at_ms), "{at_ms}");
            }
            for day in [-4_371_588, -4_371_587, -4_371_586, 2_932_895, 2_932_896, 2_932_897] {
                assert_eq!(ours.start_of(Day(day)), oracle::start_of(&theirs, day), "{day}");
                assert_eq!(Day(day).to_iso(), oracle::to_iso(day), "{day}");
            }
        }
        assert_eq!(Zone::utc().start_of(Day(i64::MAX)), i64::MAX);
        assert_eq!(Zone::utc().start_of(Day(i64::MIN)), i64::MAX);
    }

    #[test]
    fn unusual_spellings_are_judged_as_before() {
        let earliest = ["-009999-01-02T01:59:59Z", "-009999-01-02T01:59:58Z"];
        for text in UNUSUAL.into_iter().chain(earliest) {
            assert_eq!(parse_rfc3339(text), oracle::parse_rfc3339(text), "{text}");
        }
    }

    const UNUSUAL: [&str; 36] = [
        "2026-11-22t08:00:00z",
        "2026-11-22 08:00:00Z",
        "2026-11-22_08:00:00Z",
        "2026-11-22T08:00:60Z",
        "2026-11-22T08:00:60.9Z",
        "2026-11-22T08:00:61Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T23:60:00Z",
        "2026-11-22T08:00:00,5Z",
        "2026-11-22T08:00:00.Z",
        "2026-11-22T08:00:00.123456789Z",
        "2026-11-22T08:00:00.1234567890Z",
        "1969-12-31T23:59:59.9999Z",
        "1969-12-31T23:59:59.9990Z",
        "2026-11-22T08:00:00+24:00",
        "2026-11-22T08:00:00-25:59:59",
        "2026-11-22T08:00:00-25:59:59.5",
        "2026-11-22T08:00:00-25:59:59.4",
        "2026-11-22T08:00:00+26:00",
        "2026-11-22T08:00:00-00:00",
        "2026-11-22T08:00:00+01",
        "2026-11-22T08:00:00+0130",
        "2026-11-22T08:00:00+01:3",
        "2026-11-22T08:00:00+0130:15",
        "2026-11-22T08:00:00+01:30:15.5",
        "20261122T080000.000Z",
        "2026-1122T080000.000Z",
        "202611-22T080000.000Z",
        "20261122T0800:00.000Z",
        "2026-11-22T0800+01:00:00",
        "+002026-11-22T08:00:00Z",
        "-000000-11-22T08:00:00Z",
        "9999-12-30T22:00:00.999Z",
        "9999-12-30T22:00:01Z",
        "2026-11-22T08:00:00Z[UTC]",
        "2026-11-22T08:00:00+01:00:00:00",
    ];

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4000))]

        #[test]
        fn instants_are_written_and_read_as_before(
            at_ms in -377_705_023_202_000_i64..253_402_207_202_000,
        ) {
            let text = to_rfc3339(at_ms);
            assert_eq!(text, oracle::to_rfc3339(at_ms));
            assert_eq!(parse_rfc3339(&text), oracle::parse_rfc3339(&text));
            let day = at_ms.div_euclid(DAY_MS);
            assert_eq!(Day(day).to_iso(), oracle::to_iso(day));
        }

        #[test]
        fn texts_are_read_as_before(
            text in "[0-9]{4}-?(0[0-9]|1[0-3])-?[0-3][0-9][Tt _]?[0-2][0-9]:?([0-6][0-9])?:?([0-6][0-9])?([.,][0-9]{0,10})?([Zz]|[+-]?[0-2][0-9]:?([0-6][0-9])?(:?[0-6][0-9])?(\\.[0-9]{1,3})?)?",
        ) {
            assert_eq!(parse_rfc3339(&text), oracle::parse_rfc3339(&text), "{text}");
        }

        /// A valid text with a few bytes changed, added or left out.
        #[test]
        fn damaged_texts_are_read_as_before(
            valid in 0..UNUSUAL.len(),
            damage in proptest::collection::vec((0..40_usize, 0..3_u8, "[0-9TtZz:.,+ -]"), 0..4),
        ) {
            let mut text = UNUSUAL[valid].to_owned();
            for (at, what, with) in damage {
                let at = at % text.len();
                let end = if what == 0 { at } else { at + 1 };
                text.replace_range(at..end, if what == 1 { "" } else { &with });
            }
            assert_eq!(parse_rfc3339(&text), oracle::parse_rfc3339(&text), "{text}");
        }

        #[test]
        fn dates_are_read_as_before(text in "[0-9+-]{4}-?[01][0-9]-?[0-3][0-9T]{1,3}") {
            assert_eq!(Day::from_iso(&text).map(|d| d.0), oracle::from_iso(&text), "{text}");
        }
    }
}
