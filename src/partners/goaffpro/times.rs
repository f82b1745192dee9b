//! Times as GoAffPro tells them: as ISO 8601 with an offset or without (UTC then), or as JavaScript
//! writes a date.

use crate::domain::time::{Millis, parse_rfc3339};

/// The moment that a text tells.
#[must_use]
pub fn parse(text: &str) -> Option<Millis> {
    let text = text.trim();
    // A time without an offset is in UTC, as a rule: nothing says so.
    let naive = || parse_rfc3339(&format!("{text}Z"));
    parse_rfc3339(text).or_else(naive).or_else(|| parse_rfc3339(&of_javascript(text)?))
}

/// `Wed Feb 18 2026 07:38:43 GMT+0100 (Central European Standard Time)` in ISO 8601.
fn of_javascript(text: &str) -> Option<String> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut words = text.split_ascii_whitespace();
    let (_weekday, month, day, year) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let (clock, zone) = (words.next()?, words.next()?.strip_prefix("GMT")?);
    let at = MONTHS.find(month).filter(|at| month.len() == 3 && at % 3 == 0)?;
    let (hours, minutes) = zone.split_at_checked(3)?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (digits(day) && day.len() <= 2 && digits(year) && year.len() == 4).then_some(())?;
    Some(format!("{year}-{:02}-{day:0>2}T{clock}{hours}:{minutes}", at / 3 + 1))
}
