//! Periods of the brand's calendar.

use super::super::time::Day;

/// A period, perhaps one that moves with today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Everything there ever was.
    All,
    /// A calendar month.
    Month(Month),
    /// Today's calendar month.
    ThisMonth,
    /// The one before.
    LastMonth,
    /// So many days up to today, which counts.
    Days(u32),
    /// These days, both ends included.
    Between(Day, Day),
}

/// A calendar month as totals are kept by: 12 × year + month, January being 0. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(pub i64);

impl Month {
    /// The month in which a day lies.
    #[must_use]
    pub fn of(day: Day) -> Self {
        let iso = day.to_iso();
        let number = |text: Option<&str>| text.and_then(|t| t.parse::<i64>().ok()).unwrap_or(0);
        Self(number(iso.get(0..4)) * 12 + number(iso.get(5..7)) - 1)
    }

    /// `2026-10`.
    #[must_use]
    pub fn to_iso(self) -> String {
        format!("{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }

    /// The month that `2026-10` names.
    #[must_use]
    pub fn from_iso(text: &str) -> Option<Self> {
        let first = Day::from_iso(&format!("{text}-01"))?;
        (text.len() == 7).then(|| Self::of(first))
    }

    /// Its first day.
    #[must_use]
    pub fn first(self) -> Day {
        Day::from_iso(&format!("{}-01", self.to_iso())).unwrap_or_default()
    }

    /// Its last day.
    #[must_use]
    pub fn last(self) -> Day {
        Self(self.0 + 1).first().plus(-1)
    }
}

/// What totals a period is the sum of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// The totals over all time.
    All,
    /// Those of whole months, if there are any, and of single days, both ends included.
    Parts {
        /// The first and the last month.
        months: Option<(Month, Month)>,
        /// At most two stretches of days, none longer than a month less a day.
        days: Vec<(Day, Day)>,
    },
}

impl Period {
    /// What it is the sum of, seen from today.
    #[must_use]
    pub fn span(self, today: Day) -> Span {
        let whole = |month| Span::Parts { months: Some((month, month)), days: Vec::new() };
        match self {
            Self::All => Span::All,
            Self::Month(month) => whole(month),
            Self::ThisMonth => whole(Month::of(today)),
            Self::LastMonth => whole(Month(Month::of(today).0 - 1)),
            Self::Days(_) | Self::Between(..) => parts(self.ends(today)),
        }
    }

    /// The days of a period that isn't everything, seen from today.
    #[must_use]
    pub fn ends(self, today: Day) -> (Day, Day) {
        let whole = |month: Month| (month.first(), month.last());
        match self {
            Self::All => (Day(-719_468), Day(2_932_896)),
            Self::Month(month) => whole(month),
            Self::ThisMonth => whole(Month::of(today)),
            Self::LastMonth => whole(Month(Month::of(today).0 - 1)),
            Self::Days(days) => (today.plus(1 - i64::from(days)), today),
            Self::Between(from, to) => (from, to),
        }
    }

    /// Whether it is all time or whole calendar months by its nature: there lists can be sorted by what
    /// is kept for them.
    #[must_use]
    pub fn is_kept(self) -> bool {
        !matches!(self, Self::Days(_) | Self::Between(..))
    }
}

/// Whole months, and the days before and after them.
fn parts((from, to): (Day, Day)) -> Span {
    let (first, last) = (Month::of(from), Month::of(to));
    let begin = if first.first() == from { first } else { Month(first.0 + 1) };
    let end = if last.last() == to { last } else { Month(last.0 - 1) };
    if begin > end {
        // No whole month: at most the end of one and the beginning of the next.
        return Span::Parts { months: None, days: vec![(from, to)] };
    }
    let edges = [(from, begin.first().plus(-1)), (end.last().plus(1), to)];
    let days = edges.into_iter().filter(|(from, to)| from <= to).collect();
    Span::Parts { months: Some((begin, end)), days }
}
