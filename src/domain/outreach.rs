//! When messages to creators may go out: windows in the creator's own day, and the brand's daily limit.

use super::time::{Millis, Zone};

/// The hours in which messages are sent, by the clock of whoever gets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Days of the week from Monday on, a bit each: 1 is Monday, 64 Sunday.
    pub days: u8,
    /// From this minute of the day on,
    pub from_minute: u16,
    /// and before this one.
    pub to_minute: u16,
}

/// What a brand sets about its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// So many go out in a day of the brand.
    pub daily_limit: i64,
    /// When.
    pub window: Window,
}

impl Default for Settings {
    /// 500 a day, Monday to Friday, from nine to six.
    fn default() -> Self {
        Self { daily_limit: 500, window: Window { days: 31, from_minute: 540, to_minute: 1080 } }
    }
}

impl Window {
    /// The first moment from `now_ms` on that lies in the window; `now_ms` itself if it does.
    ///
    /// A day that begins late or is short because clocks change has the hours that it has: an hour
    /// that is skipped isn't waited for.
    #[must_use]
    pub fn next(self, zone: &Zone, now_ms: Millis) -> Millis {
        let today = zone.day(now_ms);
        for later in 0..=8 {
            let day = today.plus(later);
            // 1970-01-01 was a Thursday.
            let weekday = (day.0 + 3).rem_euclid(7);
            if self.days >> weekday & 1 == 0 {
                continue;
            }
            let begin = at(zone, day, self.from_minute);
            let end = at(zone, day, self.to_minute);
            if now_ms < end && begin < end {
                return now_ms.max(begin);
            }
        }
        now_ms
    }
}

/// The moment at which clocks of the zone show this minute of a day.
fn at(zone: &Zone, day: super::time::Day, minute: u16) -> Millis {
    if minute >= 1440 {
        return zone.start_of(day.plus(1));
    }
    zone.moment(day, i64::from(minute))
}

/// The time zone of a country that has one zone only (or whose people nearly all live in one), by its
/// ISO 3166-1 code.
#[must_use]
pub fn zone_of_country(country: &str) -> Option<Zone> {
    let line =
        COUNTRIES.lines().find(|line| line.split(' ').skip(1).any(|code| code == country))?;
    Zone::named(line.split(' ').next()?)
}

/// Zones and the countries that have no other.
const COUNTRIES: &str = "\
Europe/London GB GG IM JE
Europe/Dublin IE
Europe/Berlin DE
Europe/Paris FR MC
Europe/Rome IT SM VA
Europe/Vienna AT
Europe/Zurich CH LI
Europe/Amsterdam NL
Europe/Brussels BE
Europe/Luxembourg LU
Europe/Copenhagen DK
Europe/Stockholm SE
Europe/Oslo NO
Europe/Helsinki FI AX
Europe/Warsaw PL
Europe/Prague CZ SK
Europe/Budapest HU
Europe/Bucharest RO
Europe/Sofia BG
Europe/Athens GR
Europe/Belgrade RS BA HR ME MK SI
Europe/Tallinn EE
Europe/Riga LV
Europe/Vilnius LT
Europe/Istanbul TR
Europe/Malta MT
Europe/Tirane AL
Europe/Andorra AD
Europe/Chisinau MD
Atlantic/Reykjavik IS
Africa/Johannesburg ZA
Africa/Cairo EG
Africa/Lagos NG
Africa/Nairobi KE
Africa/Casablanca MA
Africa/Tunis TN
Africa/Algiers DZ
Asia/Nicosia CY
Asia/Jerusalem IL
Asia/Dubai AE OM
Asia/Riyadh SA KW
Asia/Qatar QA BH
Asia/Kolkata IN
Asia/Karachi PK
Asia/Dhaka BD
Asia/Colombo LK
Asia/Kathmandu NP
Asia/Shanghai CN
Asia/Hong_Kong HK
Asia/Taipei TW
Asia/Tokyo JP
Asia/Seoul KR
Asia/Singapore SG
Asia/Kuala_Lumpur MY
Asia/Bangkok TH
Asia/Ho_Chi_Minh VN
Asia/Manila PH
America/Bogota CO
America/Lima PE
America/Argentina/Buenos_Aires AR
America/Montevideo UY
America/Caracas VE
America/La_Paz BO
America/Asuncion PY
America/Panama PA
America/Costa_Rica CR
America/Guatemala GT
America/Jamaica JM
America/Puerto_Rico PR
America/Santo_Domingo DO";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{parse_rfc3339, to_rfc3339};

    const WORK: Window = Window { days: 31, from_minute: 540, to_minute: 1080 };

    fn next(window: Window, zone: &str, now: &str) -> String {
        let at_ms = window.next(&Zone::named(zone).unwrap(), parse_rfc3339(now).unwrap());
        to_rfc3339(at_ms).replace(".000Z", "Z")
    }

    #[test]
    fn a_message_waits_for_the_window_of_whoever_gets_it() {
        for (zone, now, then) in [
            // A Sunday waits for Monday at nine there.
            ("UTC", "2026-11-22T08:00:00Z", "2026-11-23T09:00:00Z"),
            ("Asia/Tokyo", "2026-11-22T08:00:00Z", "2026-11-23T00:00:00Z"),
            ("America/Lima", "2026-11-22T08:00:00Z", "2026-11-23T14:00:00Z"),
            // It may be Monday there already.
            ("Asia/Tokyo", "2026-11-22T23:00:00Z", "2026-11-23T00:00:00Z"),
            // Within it at once; its end belongs to what comes after.
            ("UTC", "2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z"),
            ("UTC", "2026-11-23T17:59:59Z", "2026-11-23T17:59:59Z"),
            ("UTC", "2026-11-23T18:00:00Z", "2026-11-24T09:00:00Z"),
            ("UTC", "2026-11-27T18:00:00Z", "2026-11-30T09:00:00Z"),
            // Clocks go back: nine o'clock is an hour later in UTC.
            ("Europe/Berlin", "2026-10-23T16:00:00Z", "2026-10-26T08:00:00Z"),
            ("Europe/Berlin", "2026-03-27T17:00:00Z", "2026-03-30T07:00:00Z"),
        ] {
            assert_eq!(next(WORK, zone, now), then, "{zone} {now}");
        }
    }

    #[test]
    fn a_window_may_be_the_whole_day_or_one_hour_a_week() {
        let always = Window { days: 127, from_minute: 0, to_minute: 1440 };
        for now in ["2026-11-22T08:00:00Z", "2026-11-22T23:59:59Z"] {
            assert_eq!(next(always, "Asia/Tokyo", now), now);
        }
        let once = Window { days: 64, from_minute: 1380, to_minute: 1440 };
        assert_eq!(next(once, "UTC", "2026-11-23T00:00:00Z"), "2026-11-29T23:00:00Z");
        // The hour that clocks skip isn't waited for: it is the moment at which they do.
        let skipped = Window { days: 64, from_minute: 120, to_minute: 180 };
        let then = next(skipped, "Europe/Berlin", "2026-03-28T12:00:00Z");
        assert!(then == "2026-04-05T00:00:00Z" || then == "2026-03-29T01:00:00Z", "{then}");
    }

    #[test]
    fn every_zone_of_a_country_is_known() {
        for line in COUNTRIES.lines() {
            assert!(Zone::named(line.split(' ').next().unwrap()).is_some(), "{line}");
            assert!(line.split(' ').skip(1).all(|code| code.len() == 2), "{line}");
        }
        assert_eq!(zone_of_country("DE").unwrap().name(), "Europe/Berlin");
        for several in ["US", "BR", "AU", "ES", "PT", "", "d", "XX"] {
            assert!(zone_of_country(several).is_none(), "{several}");
        }
    }
}
