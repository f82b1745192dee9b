//! Money that is hers without an order, and money on its way to her.

use super::ids::{CreatorId, PayoutLineId};
use super::ledger::{Account, Cause, Earning, Entry, Holdings, Transaction, Unbalanced};
use super::money::{Currency, Money};
use super::time::Day;

/// The transaction of an amount that is hers (or, negative, isn't) at once, without a hold: a fee, a
/// correction. A credit pays off a claw-back first; a debit takes what is available, then makes one.
///
/// # Errors
/// [`Unbalanced`]; it would be a fault of this module.
pub fn at_once(
    cause: Cause,
    earned: Earning,
    holdings: Holdings,
) -> Result<Option<Transaction>, Unbalanced> {
    let amount = earned.amount_minor;
    let clawback = if amount >= 0 {
        amount.min(-holdings.clawback_minor.min(0))
    } else {
        amount + (-amount).min(holdings.available_minor.max(0))
    };
    let on = |account, creator, amount_minor| Entry {
        account,
        creator,
        day: Day::default(),
        currency: earned.currency,
        amount_minor,
    };
    let creator = Some(earned.creator);
    Transaction::new(
        cause,
        vec![
            on(Account::Commission, None, -amount),
            on(Account::Available, creator, amount - clawback),
            on(Account::Clawback, creator, clawback),
        ],
    )
}

/// The transactions of several fees of one creator, posted together: each is posted to what the one
/// before it left.
///
/// # Errors
/// [`Unbalanced`]; it would be a fault of this module.
pub fn all_at_once(
    earned: &[(Cause, Earning)],
    mut holdings: Holdings,
) -> Result<Vec<Transaction>, Unbalanced> {
    let mut posted = Vec::new();
    for (cause, earning) in earned {
        let Some(transaction) = at_once(*cause, *earning, holdings)? else { continue };
        for entry in transaction.entries() {
            match entry.account {
                Account::Available => holdings.available_minor += entry.amount_minor,
                Account::Clawback => holdings.clawback_minor += entry.amount_minor,
                _ => (),
            }
        }
        posted.push(transaction);
    }
    Ok(posted)
}

/// When drafts are made by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// On this day of every month, 1 to 28.
    pub day: u16,
    /// In these currencies; `None`: in every one that somebody has something in.
    pub currencies: Option<Vec<Currency>>,
    /// Not for a day before this: when the schedule was set.
    pub since: Day,
}

impl Schedule {
    /// The latest day on or before `today` for which drafts are due. Whoever missed it makes them
    /// later, and knows by the day whether they were made.
    #[must_use]
    pub fn due(&self, today: Day) -> Option<Day> {
        let mut day = today;
        // At most a month back.
        for _ in 0..31 {
            if day.of_month() == i64::from(self.day) {
                return (day >= self.since).then_some(day);
            }
            day = day.plus(-1);
        }
        None
    }
}

/// Whether a payment needs two people: it is above the amount that the brand set, or can't be compared
/// with it because it is in another currency.
#[must_use]
pub fn needs_two(above: Option<Money>, total: Money) -> bool {
    above.is_some_and(|most| most.currency != total.currency || total.minor > most.minor)
}

/// What a payment is called outside: a try after one that failed has a name of its own, so that a
/// provider or a bank takes it for another payment.
#[must_use]
pub fn reference(line: PayoutLineId, attempt: i64) -> String {
    if attempt > 1 { format!("{line}-{attempt}") } else { line.to_string() }
}

/// What somebody pastes about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pasted {
    /// Which.
    pub line: PayoutLineId,
    /// Which try of it, from 1.
    pub attempt: i64,
    /// The bank's reference.
    pub reference: String,
    /// Why, if it came back.
    pub came_back: Option<String>,
}

/// Reads a table with a payment a line: our reference of it, the bank's, and where it came back `failed` and
/// why, parted by tabs, semicolons or commas. A first line that names the columns is left out.
///
/// # Errors
/// The number of the first line, from 1, that can't be read.
pub fn pasted(text: &str) -> Result<Vec<Pasted>, usize> {
    let mut all = Vec::new();
    for (at, row) in text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
        let parting = ['\t', ';', ','].into_iter().find(|parting| row.contains(*parting));
        let mut cells =
            row.split(parting.unwrap_or('\t')).map(|cell| cell.trim().trim_matches('"'));
        let ours = cells.next().unwrap_or_default();
        let (id, attempt) = ours.split_once('-').unwrap_or((ours, "1"));
        let (Ok(line), Ok(attempt)) = (id.parse(), attempt.parse()) else {
            if at == 0 && !ours.starts_with("line_") {
                continue;
            }
            return Err(at + 1);
        };
        let reference = cells.next().unwrap_or_default().to_owned();
        let came_back = match cells.next().unwrap_or_default() {
            "" | "settled" => None,
            "failed" => Some(cells.next().unwrap_or_default().to_owned()),
            _ => return Err(at + 1),
        };
        all.push(Pasted { line, attempt, reference, came_back });
    }
    Ok(all)
}

/// What becomes of money on its way to a creator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Approved: out of what is available.
    Out,
    /// Arrived.
    Arrived,
    /// Came back: hers to be paid again.
    Back,
}

/// The transaction of a line of a payout on its way.
///
/// # Errors
/// [`Unbalanced`]; it would be a fault of this module.
pub fn pay(
    line: PayoutLineId,
    creator: CreatorId,
    amount: Money,
    way: Way,
) -> Result<Option<Transaction>, Unbalanced> {
    let (cause, from, to) = match way {
        Way::Out => (Cause::Payout(line), Account::Available, Account::InPayout),
        Way::Arrived => (Cause::Settlement(line), Account::InPayout, Account::Paid),
        Way::Back => (Cause::Settlement(line), Account::InPayout, Account::Available),
    };
    let on = |account, amount_minor| Entry {
        account,
        creator: Some(creator),
        day: Day::default(),
        currency: amount.currency,
        amount_minor,
    };
    Transaction::new(cause, vec![on(from, -amount.minor), on(to, amount.minor)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_table_is_read_or_refused_by_its_line() {
        let line = PayoutLineId::from_bytes([1; 16]);
        let one = |reference: &str, attempt, came_back: Option<&str>| Pasted {
            line,
            attempt,
            reference: reference.to_owned(),
            came_back: came_back.map(str::to_owned),
        };
        for (text, read) in [
            (String::new(), Ok(vec![])),
            (format!("{line}"), Ok(vec![one("", 1, None)])),
            (format!("{line}\tB-7"), Ok(vec![one("B-7", 1, None)])),
            (format!("payment_reference;bank\r\n\r\n{line}-2; B-7"), Ok(vec![one("B-7", 2, None)])),
            (format!("\"{line}\",\"B-7\",failed,closed"), Ok(vec![one("B-7", 1, Some("closed"))])),
            (format!("{line},,failed"), Ok(vec![one("", 1, Some(""))])),
            (format!("{line},B,perhaps"), Err(1)),
            (format!("{line},B\nline_nope,B"), Err(2)),
            (format!("{line}-x,B"), Err(1)),
            ("line_zz".to_owned(), Err(1)),
        ] {
            assert_eq!(pasted(&text), read, "{text:?}");
        }
    }
    use crate::domain::ids::FeeId;

    fn sides(transaction: &Transaction) -> Vec<(Account, i64)> {
        transaction.entries().iter().map(|e| (e.account, e.amount_minor)).collect()
    }

    #[test]
    fn what_is_hers_at_once_pays_off_a_clawback_and_a_debit_makes_one() {
        use Account::{Available, Clawback, Commission};
        let fee = Cause::Fee(FeeId::from_bytes([1; 16]));
        let post = |amount_minor, available_minor, clawback_minor| {
            let earned = Earning {
                creator: CreatorId::from_bytes([1; 16]),
                day: Day(5),
                currency: "USD".parse().unwrap(),
                amount_minor,
            };
            let holdings = Holdings { pending_minor: 9, available_minor, clawback_minor };
            sides(&at_once(fee, earned, holdings).unwrap().unwrap())
        };
        assert_eq!(post(100, 7, 0), [(Commission, -100), (Available, 100)]);
        assert_eq!(post(100, 0, -30), [(Commission, -100), (Available, 70), (Clawback, 30)]);
        assert_eq!(post(100, 0, -300), [(Commission, -100), (Clawback, 100)]);
        assert_eq!(post(-100, 250, 0), [(Commission, 100), (Available, -100)]);
        assert_eq!(post(-100, 30, 0), [(Commission, 100), (Available, -30), (Clawback, -70)]);
        assert_eq!(post(-100, 0, -5), [(Commission, 100), (Clawback, -100)]);
    }

    #[test]
    fn fees_posted_together_pay_off_a_clawback_once() {
        use Account::{Available, Clawback, Commission};
        let fee = |n: u8, amount_minor| {
            let earning = Earning {
                creator: CreatorId::from_bytes([1; 16]),
                day: Day(0),
                currency: "USD".parse().unwrap(),
                amount_minor,
            };
            (Cause::Fee(FeeId::from_bytes([n; 16])), earning)
        };
        let holdings = Holdings { pending_minor: 0, available_minor: 0, clawback_minor: -30 };
        let posted = all_at_once(&[fee(1, 20), fee(2, 0), fee(3, 20), fee(4, -15)], holdings);
        let posted: Vec<_> = posted.unwrap().iter().map(sides).collect();
        assert_eq!(
            posted,
            [
                vec![(Commission, -20), (Clawback, 20)],
                vec![(Commission, -20), (Available, 10), (Clawback, 10)],
                vec![(Commission, 15), (Available, -10), (Clawback, -5)],
            ]
        );
    }

    #[test]
    fn drafts_are_due_on_their_day_or_after_it_but_not_before_the_schedule_was_set() {
        let day = |text: &str| Day::from_iso(text).unwrap();
        let due = |of_month, since: &str, today: &str| {
            let since = day(since);
            Schedule { day: of_month, currencies: None, since }.due(day(today)).map(Day::to_iso)
        };
        for (of_month, since, today, expected) in [
            (5, "2026-01-01", "2026-11-05", Some("2026-11-05")),
            (5, "2026-01-01", "2026-11-30", Some("2026-11-05")),
            (5, "2026-01-01", "2026-12-04", Some("2026-11-05")),
            (28, "2026-01-01", "2027-03-01", Some("2027-02-28")),
            (28, "2026-01-01", "2027-03-27", Some("2027-02-28")),
            (1, "2026-01-01", "2026-03-31", Some("2026-03-01")),
            (5, "2026-11-05", "2026-11-05", Some("2026-11-05")),
            (5, "2026-11-06", "2026-11-20", None),
            (5, "2026-11-06", "2026-12-05", Some("2026-12-05")),
        ] {
            assert_eq!(due(of_month, since, today).as_deref(), expected, "{of_month} {today}");
        }
    }

    #[test]
    fn more_than_the_amount_or_another_currency_needs_two() {
        let usd = |minor| Money::new(minor, "USD".parse().unwrap());
        let eur = Money::new(1, "EUR".parse().unwrap());
        assert!(!needs_two(None, usd(9)) && !needs_two(Some(usd(9)), usd(9)));
        assert!(needs_two(Some(usd(9)), usd(10)) && needs_two(Some(usd(9)), eur));
        let line = PayoutLineId::from_bytes([1; 16]);
        assert_eq!(reference(line, 1), line.to_string());
        assert_eq!(reference(line, 2), format!("{line}-2"));
    }

    #[test]
    fn a_payout_takes_the_money_along_and_brings_it_back() {
        let money = Money::new(1350, "USD".parse().unwrap());
        let line = PayoutLineId::from_bytes([1; 16]);
        let move_it = |way| {
            let creator = CreatorId::from_bytes([2; 16]);
            let made = pay(line, creator, money, way).unwrap().unwrap();
            (made.cause().kind(), sides(&made))
        };
        use Account::{Available, InPayout, Paid};
        assert_eq!(move_it(Way::Out), ("payout", vec![(Available, -1350), (InPayout, 1350)]));
        assert_eq!(move_it(Way::Arrived), ("settlement", vec![(InPayout, -1350), (Paid, 1350)]));
        assert_eq!(move_it(Way::Back), ("settlement", vec![(InPayout, -1350), (Available, 1350)]));
    }
}
