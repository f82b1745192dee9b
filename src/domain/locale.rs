//! Amounts, numbers and dates in the way that a reader is used to, whatever the language of the texts.
//!
//! A small table instead of a library: separators, where the currency stands, the order of a date. The digits are
//! those of the exact decimal text that the API tells; nothing is rounded here, and no float comes near. The pages'
//! tests compare it with what browsers write (`Intl`).

use super::money::{Currency, Money};
use super::time::Day;

/// A space that no line breaks at, and a narrow one.
const NBSP: &str = "\u{a0}";
const NARROW: &str = "\u{202f}";

/// How the parts of a date are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dates {
    /// `Nov 23, 2026`
    MonthFirst,
    /// `23 Nov 2026`
    DayFirst,
    /// `23.11.2026`, with this between the parts.
    Numbers(&'static str),
    /// `2026/11/23`
    YearFirst,
}

/// Where the currency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    /// `-$12`, and `USD 12` with a space after letters.
    Before,
    /// `-€ 12`
    BeforeSpaced,
    /// `€ -12`
    BeforeSign,
    /// `-12 €`
    After,
}

/// How somebody writes numbers and dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locale {
    /// As BCP 47 names it.
    pub tag: &'static str,
    decimal: char,
    group: &'static str,
    /// Whether four digits are written together: `1234,50`.
    four_together: bool,
    place: Where,
    before_percent: &'static str,
    dates: Dates,
}

const fn locale(
    tag: &'static str,
    (decimal, group, four_together): (char, &'static str, bool),
    place: Where,
    before_percent: &'static str,
    dates: Dates,
) -> Locale {
    Locale { tag, decimal, group, four_together, place, before_percent, dates }
}

/// The first is for whoever names none of them.
const ALL: [Locale; 11] = [
    locale("en-US", ('.', ",", false), Where::Before, "", Dates::MonthFirst),
    locale("en-GB", ('.', ",", false), Where::Before, "", Dates::DayFirst),
    locale("de", (',', ".", false), Where::After, NBSP, Dates::Numbers(".")),
    locale("fr", (',', NARROW, false), Where::After, NARROW, Dates::Numbers("/")),
    locale("es", (',', ".", true), Where::After, NBSP, Dates::Numbers("/")),
    locale("it", (',', ".", true), Where::After, "", Dates::Numbers("/")),
    locale("nl", (',', ".", false), Where::BeforeSign, "", Dates::Numbers("-")),
    locale("pt-BR", (',', ".", false), Where::BeforeSpaced, "", Dates::Numbers("/")),
    locale("pt-PT", (',', NBSP, true), Where::After, "", Dates::Numbers("/")),
    locale("pl", (',', NBSP, true), Where::After, "", Dates::Numbers(".")),
    locale("ja", ('.', ",", false), Where::Before, "", Dates::YearFirst),
];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Default for Locale {
    fn default() -> Self {
        let [first, ..] = ALL;
        first
    }
}

impl Locale {
    /// The one that a browser asks for most (`Accept-Language`); the first of ours where it names none that is
    /// known. What can't be read counts for nothing.
    #[must_use]
    pub fn of(accept_language: &str) -> Self {
        let mut best: Option<(u16, Self)> = None;
        for range in accept_language.split(',').take(20) {
            let (tag, rest) = range.split_once(';').unwrap_or((range, ""));
            let weight = rest.trim().strip_prefix("q=").map_or(1000, thousandths);
            if let Some(found) = Self::named(tag.trim())
                && weight > 0
                && best.is_none_or(|(most, _)| weight > most)
            {
                best = Some((weight, found));
            }
        }
        best.map_or_else(Self::default, |(_, found)| found)
    }

    fn named(tag: &str) -> Option<Self> {
        let mut parts = tag.split('-');
        let language = parts.next()?.to_ascii_lowercase();
        let region = parts.find(|part| part.len() == 2).map(str::to_ascii_uppercase);
        let region = region.as_deref();
        let wanted = match language.as_str() {
            "en" if region.is_none_or(|region| region == "US") => "en-US",
            "en" => "en-GB",
            "pt" if region.is_some_and(|region| region != "BR") => "pt-PT",
            "pt" => "pt-BR",
            other => other,
        };
        ALL.into_iter().find(|locale| locale.tag == wanted)
    }

    /// An amount: `€1,234.50`, `1.234,50 €`. Only the four currencies whose signs stand for nothing else here have
    /// one; all others are named by their letters.
    #[must_use]
    pub fn money(&self, amount: Money) -> String {
        self.amount(&amount.to_decimal(), amount.currency)
    }

    /// The same of a decimal text as the API tells it: every digit stays.
    #[must_use]
    pub fn amount(&self, decimal: &str, currency: Currency) -> String {
        let (sign, digits) = decimal.strip_prefix('-').map_or(("", decimal), |rest| ("-", rest));
        let number = self.number(digits);
        let (name, spaced) = match currency.code() {
            "USD" => ("$", ""),
            "EUR" => ("€", ""),
            "GBP" => ("£", ""),
            "JPY" => ("¥", ""),
            letters => (letters, NBSP),
        };
        match self.place {
            Where::Before => format!("{sign}{name}{spaced}{number}"),
            Where::BeforeSpaced => format!("{sign}{name}{NBSP}{number}"),
            Where::BeforeSign => format!("{name}{NBSP}{sign}{number}"),
            Where::After => format!("{sign}{number}{NBSP}{name}"),
        }
    }

    /// A decimal text (`-1234.5`) with this locale's separators.
    #[must_use]
    pub fn number(&self, decimal: &str) -> String {
        let (sign, rest) = decimal.strip_prefix('-').map_or(("", decimal), |rest| ("-", rest));
        let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(w, f)| (w, Some(f)));
        let together = whole.len() <= 3 || (self.four_together && whole.len() == 4);
        let mut out = sign.to_owned();
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) && !together {
                out.push_str(self.group);
            }
            out.push(digit);
        }
        if let Some(fraction) = fraction {
            out.push(self.decimal);
            out.push_str(fraction);
        }
        out
    }

    /// A count.
    #[must_use]
    pub fn count(&self, number: i64) -> String {
        self.number(&number.to_string())
    }

    /// A percentage from the decimal text of its number: `12.5` is `12,5 %`.
    #[must_use]
    pub fn percent(&self, decimal: &str) -> String {
        format!("{}{}%", self.number(decimal), self.before_percent)
    }

    /// A day.
    #[must_use]
    pub fn date(&self, day: Day) -> String {
        let iso = day.to_iso();
        let [year, month, date] = parts(&iso);
        let plain = date.trim_start_matches('0');
        match self.dates {
            Dates::MonthFirst => format!("{} {plain}, {year}", month_name(month)),
            Dates::DayFirst => format!("{plain} {} {year}", british(month)),
            Dates::Numbers(between) => [date, month, year].join(between),
            Dates::YearFirst => [year, month, date].join("/"),
        }
    }

    /// The month of a day: `Nov 2026`, `11/2026`.
    #[must_use]
    pub fn month(&self, day: Day) -> String {
        let iso = day.to_iso();
        let [year, month, _] = parts(&iso);
        match self.dates {
            Dates::MonthFirst => format!("{} {year}", month_name(month)),
            Dates::DayFirst => format!("{} {year}", british(month)),
            Dates::Numbers(between) => [month, year].join(between),
            Dates::YearFirst => [year, month].join("/"),
        }
    }
}

/// Year, month and day of an ISO date; nothing of what is none.
fn parts(iso: &str) -> [&str; 3] {
    let mut parts = iso.splitn(3, '-');
    [(); 3].map(|()| parts.next().unwrap_or_default())
}

fn month_name(month: &str) -> &'static str {
    let at = month.parse::<usize>().ok().and_then(|month| month.checked_sub(1));
    at.and_then(|at| MONTHS.get(at)).copied().unwrap_or_default()
}

/// The one month that is shortened otherwise in Britain.
fn british(month: &str) -> &'static str {
    if month == "09" { "Sept" } else { month_name(month) }
}

/// `0.8` as 800; 0 for what is no weight.
fn thousandths(weight: &str) -> u16 {
    let (whole, fraction) = weight.trim().split_once('.').unwrap_or((weight.trim(), ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|b| b.is_ascii_digit());
    match whole {
        "1" => 1000,
        "0" if digits => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(tag: &str) -> Locale {
        Locale::of(tag)
    }

    #[test]
    fn the_most_wanted_known_language_counts() {
        for (header, tag) in [
            ("", "en-US"),
            ("de-AT,de;q=0.9,en;q=0.8", "de"),
            ("xx, fr;q=0.3, it;q=0.7", "it"),
            ("en", "en-US"),
            ("en-AU", "en-GB"),
            ("EN-gb", "en-GB"),
            ("pt", "pt-BR"),
            ("pt-pt", "pt-PT"),
            ("zh-Hans-CN, ja;q=0.001", "ja"),
            ("de;q=0, nl;q=0.5", "nl"),
            ("de;q=x, pl;q=0.1", "pl"),
            ("es;q=1.0, de;q=1", "es"),
            ("\u{0}\u{ff};;;,,,q=", "en-US"),
        ] {
            assert_eq!(of(header).tag, tag, "{header}");
        }
    }

    #[test]
    fn amounts_are_written_as_their_readers_are_used_to() {
        let (usd, eur) = ("USD".parse().unwrap(), "EUR".parse().unwrap());
        let (jpy, kwd) = ("JPY".parse().unwrap(), "KWD".parse().unwrap());
        for (tag, written) in [
            ("en-US", ["$1,234.50", "-€1,234,567.08", "¥1,234", "KWD\u{a0}0.007"]),
            ("de", ["1.234,50\u{a0}$", "-1.234.567,08\u{a0}€", "1.234\u{a0}¥", "0,007\u{a0}KWD"]),
            (
                "fr",
                [
                    "1\u{202f}234,50\u{a0}$",
                    "-1\u{202f}234\u{202f}567,08\u{a0}€",
                    "1\u{202f}234\u{a0}¥",
                    "0,007\u{a0}KWD",
                ],
            ),
            ("es", ["1234,50\u{a0}$", "-1.234.567,08\u{a0}€", "1234\u{a0}¥", "0,007\u{a0}KWD"]),
            ("nl", ["$\u{a0}1.234,50", "€\u{a0}-1.234.567,08", "¥\u{a0}1.234", "KWD\u{a0}0,007"]),
            ("pt", ["$\u{a0}1.234,50", "-€\u{a0}1.234.567,08", "¥\u{a0}1.234", "KWD\u{a0}0,007"]),
            ("ja", ["$1,234.50", "-€1,234,567.08", "¥1,234", "KWD\u{a0}0.007"]),
        ] {
            let amounts = [(123_450, usd), (-123_456_708, eur), (1234, jpy), (7, kwd)];
            let found = amounts.map(|(minor, currency)| of(tag).money(Money::new(minor, currency)));
            assert_eq!(found, written, "{tag}");
        }
    }

    #[test]
    fn dates_months_and_percentages_too() {
        let day = Day::from_iso("2026-09-05").unwrap();
        for (tag, date, month, percent) in [
            ("en-US", "Sep 5, 2026", "Sep 2026", "12.5%"),
            ("en-GB", "5 Sept 2026", "Sept 2026", "12.5%"),
            ("de", "05.09.2026", "09.2026", "12,5\u{a0}%"),
            ("fr", "05/09/2026", "09/2026", "12,5\u{202f}%"),
            ("nl", "05-09-2026", "09-2026", "12,5%"),
            ("ja", "2026/09/05", "2026/09", "12.5%"),
        ] {
            let locale = of(tag);
            assert_eq!(locale.date(day), date);
            assert_eq!(locale.month(day), month);
            assert_eq!(locale.percent("12.5"), percent);
        }
        assert_eq!(of("pl").count(-12_345), "-12\u{a0}345");
        assert_eq!(of("pl").count(1234), "1234");
        // No date at all is nothing to read, and nothing to fall over.
        assert_eq!(of("de").date(Day(i64::MAX)), "..");
    }

    proptest! {
        /// Whatever the locale: taking the separators away gives the exact amount back.
        #[test]
        fn no_digit_is_lost(minor in -900_000_000_000_000_i64..900_000_000_000_000) {
            for locale in ALL {
                for code in ["USD", "JPY", "KWD", "PLN"] {
                    let amount = Money::new(minor, code.parse().unwrap());
                    let written = locale.money(amount);
                    let kept: String = written
                        .chars()
                        .filter(|c| c.is_ascii_digit() || *c == '-' || *c == locale.decimal)
                        .map(|c| if c == locale.decimal { '.' } else { c })
                        .collect();
                    // Japanese and English write the point itself.
                    prop_assert_eq!(kept, amount.to_decimal());
                }
            }
        }

        #[test]
        fn any_header_is_read(header in ".{0,200}") {
            let _ = Locale::of(&header);
        }
    }
}
