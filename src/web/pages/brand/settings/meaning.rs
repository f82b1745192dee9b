//! What rules of attribution and holds mean, in sentences and by an example in days: the same words before they
//! are saved and after.

use crate::domain::brand::{ClickOrder, EarnOn, Precedence};
use crate::domain::time::Day;
use crate::web::pages::ui::{Html, date, esc};

/// The longest window and hold that there are, in days.
const MOST: i64 = 365;

/// What is explained, in days that make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long a click counts, 1 to 365 days.
    pub window_days: i64,
    /// What wins of a code and a click.
    pub precedence: Precedence,
    /// Which of several clicks.
    pub clicks: ClickOrder,
    /// How long money is held, 0 to 365 days.
    pub hold_days: i64,
    /// From when an order earns.
    pub earn_on: EarnOn,
    /// Whether test orders count.
    pub count_test_orders: bool,
    /// The day of the month on which drafts are made.
    pub payout_day: Option<i64>,
}

/// A click, and an order after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// When somebody followed the link.
    pub clicked: Day,
    /// When she ordered.
    pub ordered: Day,
}

impl Example {
    /// One from today on that the rules count.
    #[must_use]
    pub fn of(rules: &Rules, today: Day) -> Self {
        Self { clicked: today, ordered: today.plus(rules.window_days.min(12)) }
    }
}

impl Rules {
    /// That the numbers are such as can be set.
    #[must_use]
    pub fn make_sense(&self) -> bool {
        (1..=MOST).contains(&self.window_days) && (0..=MOST).contains(&self.hold_days)
    }

    /// Each rule in a sentence or two.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let (window, hold) = (days(self.window_days), days(self.hold_days));
        let late = days(self.window_days + 1);
        let mut told = vec![format!(
            "An order up to {window} after a click counts for the creator whose link it was; one after {late} doesn’t. \
             A code counts whenever it is used."
        )];
        told.push(match self.precedence {
            Precedence::CodeFirst => {
                "If a code names one creator and a click another, the code decides.".to_owned()
            }
            Precedence::LinkFirst => {
                "If a code names one creator and a click another, the click decides.".to_owned()
            }
        });
        told.push(match self.clicks {
            ClickOrder::Last => {
                "Of clicks on several creators’ links the last one before the order decides."
                    .to_owned()
            }
            ClickOrder::First => {
                "Of clicks on several creators’ links the first one that still counts decides."
                    .to_owned()
            }
        });
        told.push(match self.earn_on {
            EarnOn::Paid => "An order earns commission once it is paid: one that is never paid earns nothing.".to_owned(),
            EarnOn::Placed => "An order earns commission as soon as it is placed, paid or not; a cancellation takes it back.".to_owned(),
        });
        told.push(match self.hold_days {
            0 => "There is no hold: money is available on the day of the order. What is refunded later is owed back, and \
                  comes off what is earned next."
                .to_owned(),
            _ => format!(
                "Money becomes available {hold} after the day of the order. A refund before that makes it less; one \
                 after that is owed back, and comes off what is earned next."
            ),
        });
        told.push(match self.count_test_orders {
            true => "Test orders of the shop earn as others do.".to_owned(),
            false => "Test orders of the shop don’t count.".to_owned(),
        });
        told
    }

    /// Whether the order of the example counts.
    #[must_use]
    pub fn counts(&self, example: &Example) -> bool {
        (0..=self.window_days).contains(&(example.ordered.0 - example.clicked.0))
    }

    /// The day on which the example's money is available.
    #[must_use]
    pub fn available(&self, example: &Example) -> Day {
        example.ordered.plus(self.hold_days)
    }

    /// The first draft that takes it, where drafts are made by themselves.
    #[must_use]
    pub fn drafted(&self, example: &Example) -> Option<Day> {
        let (wanted, first) = (self.payout_day?, self.available(example));
        (0..31).map(|days| first.plus(days)).find(|day| day.of_month() == wanted)
    }

    /// The example as steps: when, and what happens.
    #[must_use]
    pub fn steps(&self, example: &Example) -> Vec<(Html, String)> {
        let gap = example.ordered.0 - example.clicked.0;
        let mut steps =
            vec![(date(&example.clicked), "Somebody follows a creator’s link.".to_owned())];
        if gap < 0 {
            let why = "An order, before the click: it can’t have come of it, and doesn’t count.";
            steps.insert(0, (date(&example.ordered), why.to_owned()));
            return steps;
        }
        let last = example.clicked.plus(self.window_days);
        if !self.counts(example) {
            steps.push((date(&last), "The click counts until here, to the minute.".to_owned()));
            let why = format!(
                "She orders, {} after the click: too late, the click doesn’t count.",
                days(gap)
            );
            steps.push((date(&example.ordered), why));
            return steps;
        }
        let when = match self.earn_on {
            EarnOn::Paid => "Once it is paid, its commission is pending.",
            EarnOn::Placed => "Its commission is pending at once.",
        };
        let after = if gap == 0 {
            "on the same day".to_owned()
        } else {
            format!("{} after the click", days(gap))
        };
        steps.push((date(&example.ordered), format!("She orders, {after}: it counts. {when}")));
        steps.push((
            date(&self.available(example)),
            "The commission is available, if nothing was refunded.".to_owned(),
        ));
        if let Some(day) = self.drafted(example) {
            steps.push((date(&day), "The next draft of a payout takes it.".to_owned()));
        }
        steps
    }
}

/// A number of days, as people say it.
fn days(count: i64) -> String {
    match count {
        1 => "1 day".to_owned(),
        count => format!("{count} days"),
    }
}

/// A list of sentences.
#[must_use]
pub fn listed(sentences: &[String]) -> Html {
    let items: Vec<String> =
        sentences.iter().map(|text| format!("<li>{}</li>", esc(text))).collect();
    Html::of(items.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            window_days: 30,
            precedence: Precedence::CodeFirst,
            clicks: ClickOrder::Last,
            hold_days: 14,
            earn_on: EarnOn::Paid,
            count_test_orders: false,
            payout_day: Some(1),
        }
    }

    fn day(iso: &str) -> Day {
        Day::from_iso(iso).unwrap()
    }

    #[test]
    fn the_last_day_counts_and_the_next_does_not() {
        let clicked = day("2026-11-01");
        let at = |iso: &str| Example { clicked, ordered: day(iso) };
        assert!(rules().counts(&at("2026-11-01")) && rules().counts(&at("2026-12-01")));
        assert!(!rules().counts(&at("2026-12-02")) && !rules().counts(&at("2026-10-31")));
        assert_eq!(rules().steps(&at("2026-12-02")).len(), 3);
        assert!(rules().steps(&at("2026-10-31"))[0].1.contains("before the click"));
    }

    #[test]
    fn money_is_available_after_the_hold_and_drafted_on_the_next_day_of_the_month() {
        let example = Example { clicked: day("2026-11-10"), ordered: day("2026-11-20") };
        assert_eq!(rules().available(&example), day("2026-12-04"));
        assert_eq!(rules().drafted(&example), Some(day("2027-01-01")));
        let same = Rules { hold_days: 11, ..rules() };
        assert_eq!(same.drafted(&example), Some(day("2026-12-01")));
        let last = Rules { payout_day: Some(28), ..same };
        let february = Example { clicked: day("2027-02-01"), ordered: day("2027-02-18") };
        assert_eq!(last.drafted(&february), Some(day("2027-03-28")));
        assert_eq!(Rules { payout_day: None, ..last }.drafted(&february), None);
    }

    #[test]
    fn sentences_say_the_numbers() {
        let all = rules().sentences().join(" ");
        for part in
            ["up to 30 days", "after 31 days", "14 days after", "the code decides", "is paid"]
        {
            assert!(all.contains(part), "{part}: {all}");
        }
        let other = Rules {
            window_days: 1,
            hold_days: 0,
            precedence: Precedence::LinkFirst,
            clicks: ClickOrder::First,
            earn_on: EarnOn::Placed,
            count_test_orders: true,
            payout_day: None,
        };
        let all = other.sentences().join(" ");
        for part in ["up to 1 day after", "no hold", "the click decides", "first one", "is placed"]
        {
            assert!(all.contains(part), "{part}: {all}");
        }
    }
}
