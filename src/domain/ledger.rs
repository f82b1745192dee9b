//! Double-entry postings: signed entries of integer minor units that sum to zero.
//!
//! Signs: a creator's accounts are what the brand owes her, so a credit is positive; `commission`
//! is the brand's expense, so it is negative by as much. A claw-back is what she owes, so it is
//! negative or zero. Entries are never changed: a correction is a new transaction.

use serde::Serialize;

use super::ids::{AdjustmentId, CreatorId, FeeId, OrderId, PayoutLineId};
use super::money::Currency;
use super::time::Day;

/// What an entry is booked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// The brand's commission expense; no creator.
    Commission,
    /// Earned, in the hold period; kept per day on which it becomes available.
    Pending,
    /// Hers to be paid.
    Available,
    /// In an approved payout.
    InPayout,
    /// Paid.
    Paid,
    /// Paid too much: later earnings pay it off first.
    Clawback,
}

impl Account {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::Commission,
        Self::Pending,
        Self::Available,
        Self::InPayout,
        Self::Paid,
        Self::Clawback,
    ];

    /// The name in storage and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commission => "commission",
            Self::Pending => "pending",
            Self::Available => "available",
            Self::InPayout => "in_payout",
            Self::Paid => "paid",
            Self::Clawback => "clawback",
        }
    }
}

/// One signed side of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Booked on.
    pub account: Account,
    /// Whose account; `None` for the brand's own.
    pub creator: Option<CreatorId>,
    /// The day a pending amount becomes available; day 0 on other accounts.
    pub day: Day,
    /// The currency.
    pub currency: Currency,
    /// Signed minor units, never zero.
    pub amount_minor: i64,
}

/// What caused a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// An order's facts changed what it earns.
    Order(OrderId),
    /// A hold period ended.
    Release(CreatorId),
    /// A fixed payment was agreed.
    Fee(FeeId),
    /// Somebody corrected the books by hand, with a reason.
    Adjustment(AdjustmentId),
    /// A payout was approved.
    Payout(PayoutLineId),
    /// What was paid arrived, or came back.
    Settlement(PayoutLineId),
}

impl Cause {
    /// The kind in storage.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Order(_) => "order",
            Self::Release(_) => "release",
            Self::Fee(_) => "fee",
            Self::Adjustment(_) => "adjustment",
            Self::Payout(_) => "payout",
            Self::Settlement(_) => "settlement",
        }
    }

    /// The id in storage.
    #[must_use]
    pub fn id(self) -> String {
        match self {
            Self::Order(id) => id.to_string(),
            Self::Release(id) => id.to_string(),
            Self::Fee(id) => id.to_string(),
            Self::Adjustment(id) => id.to_string(),
            Self::Payout(id) | Self::Settlement(id) => id.to_string(),
        }
    }
}

/// Two or more entries that sum to zero per currency. It can't be made otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    cause: Cause,
    entries: Vec<Entry>,
}

/// The entries don't balance: a fault of the program, never of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entries of a transaction must sum to zero per currency")]
pub struct Unbalanced;

impl Transaction {
    /// A transaction of the entries that aren't zero; `None` if none is left.
    ///
    /// # Errors
    /// [`Unbalanced`].
    pub fn new(cause: Cause, mut entries: Vec<Entry>) -> Result<Option<Self>, Unbalanced> {
        entries.retain(|e| e.amount_minor != 0);
        let balanced = entries.iter().all(|e| {
            let same = entries.iter().filter(|o| o.currency == e.currency);
            same.map(|o| i128::from(o.amount_minor)).sum::<i128>() == 0
        });
        if !balanced {
            return Err(Unbalanced);
        }
        Ok((!entries.is_empty()).then_some(Self { cause, entries }))
    }

    /// Its entries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What caused it.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }
}

/// What a creator's accounts hold in one currency, as far as a debit needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Pending on the day in question.
    pub pending_minor: i64,
    /// Available.
    pub available_minor: i64,
    /// Claw-back, zero or negative.
    pub clawback_minor: i64,
}

/// A commission as it is or should be in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earning {
    /// Whose.
    pub creator: CreatorId,
    /// The day it becomes available.
    pub day: Day,
    /// Its currency.
    pub currency: Currency,
    /// How much.
    pub amount_minor: i64,
}

/// The transactions that bring the books from what was posted for an order to what it earns.
/// `holdings` are those of the creator whose earning was posted, on its day.
///
/// # Errors
/// [`Unbalanced`]; it would be a fault of this module.
pub fn post_difference(
    order: OrderId,
    posted: Option<Earning>,
    wanted: Option<Earning>,
    holdings: Holdings,
) -> Result<Vec<Transaction>, Unbalanced> {
    let cause = Cause::Order(order);
    let same_books = |a: &Earning, b: &Earning| {
        a.creator == b.creator && a.day == b.day && a.currency == b.currency
    };
    let mut transactions = Vec::new();
    match (posted, wanted) {
        (Some(posted), Some(wanted)) if same_books(&posted, &wanted) => {
            let difference = wanted.amount_minor - posted.amount_minor;
            let change = Earning { amount_minor: difference, ..wanted };
            transactions.push(change_of(cause, change, holdings)?);
        }
        (posted, wanted) => {
            if let Some(posted) = posted {
                let back = Earning { amount_minor: -posted.amount_minor, ..posted };
                transactions.push(change_of(cause, back, holdings)?);
            }
            if let Some(wanted) = wanted {
                transactions.push(change_of(cause, wanted, Holdings::default())?);
            }
        }
    }
    Ok(transactions.into_iter().flatten().collect())
}

/// Credits go to the day's pending amount; debits take it first, then what is available, then
/// make a claw-back (DESIGN.md, "Balances").
fn change_of(
    cause: Cause,
    change: Earning,
    holdings: Holdings,
) -> Result<Option<Transaction>, Unbalanced> {
    let amount = change.amount_minor;
    let (pending, available, clawback) = if amount >= 0 {
        (amount, 0, 0)
    } else {
        let from_pending = (-amount).min(holdings.pending_minor.max(0));
        let rest = -amount - from_pending;
        let from_available = rest.min(holdings.available_minor.max(0));
        (-from_pending, -from_available, -(rest - from_available))
    };
    let on = |account, creator, day, amount_minor| Entry {
        account,
        creator,
        day,
        currency: change.currency,
        amount_minor,
    };
    let creator = Some(change.creator);
    Transaction::new(
        cause,
        vec![
            on(Account::Commission, None, Day::default(), -amount),
            on(Account::Pending, creator, change.day, pending),
            on(Account::Available, creator, Day::default(), available),
            on(Account::Clawback, creator, Day::default(), clawback),
        ],
    )
}

/// The transaction that ends the hold of what a creator has pending on a due day: it pays off a
/// claw-back first, the rest becomes available.
///
/// # Errors
/// [`Unbalanced`]; it would be a fault of this module.
pub fn release(due: Earning, clawback_minor: i64) -> Result<Option<Transaction>, Unbalanced> {
    let repaid = due.amount_minor.min(-clawback_minor.min(0));
    let on = |account, day, amount_minor| Entry {
        account,
        creator: Some(due.creator),
        day,
        currency: due.currency,
        amount_minor,
    };
    Transaction::new(
        Cause::Release(due.creator),
        vec![
            on(Account::Pending, due.day, -due.amount_minor),
            on(Account::Clawback, Day::default(), repaid),
            on(Account::Available, Day::default(), due.amount_minor - repaid),
        ],
    )
}

/// A creator's balances in one currency as they are shown: amounts whose day has come count as
/// available although the hourly job may not have moved them yet, and a claw-back takes what is
/// available first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balances {
    /// In the hold period.
    pub pending_minor: i64,
    /// Ready to be paid, never below zero.
    pub available_minor: i64,
    /// In approved payouts.
    pub in_payout_minor: i64,
    /// Paid.
    pub paid_minor: i64,
    /// Owed back by the creator, as a positive amount.
    pub clawback_minor: i64,
}

impl Balances {
    /// The balances that these account rows come to on `today`.
    pub fn of(rows: impl IntoIterator<Item = (Account, Day, i64)>, today: Day) -> Self {
        let mut shown = Self::default();
        let mut free: i64 = 0;
        for (account, day, minor) in rows {
            match account {
                Account::Pending if day > today => shown.pending_minor += minor,
                Account::Pending | Account::Available | Account::Clawback => free += minor,
                Account::InPayout => shown.in_payout_minor += minor,
                Account::Paid => shown.paid_minor += minor,
                Account::Commission => (),
            }
        }
        shown.available_minor = free.max(0);
        shown.clawback_minor = (-free).max(0);
        shown
    }

    /// All that was ever earned, after corrections.
    #[must_use]
    pub fn lifetime_minor(&self) -> i64 {
        self.pending_minor + self.available_minor + self.in_payout_minor + self.paid_minor
            - self.clawback_minor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn accounts_and_causes_have_the_names_that_storage_keeps() {
        let names = ["commission", "pending", "available", "in_payout", "paid", "clawback"];
        assert_eq!(Account::ALL.map(Account::as_str), names);
        let order = Cause::Order(OrderId::from_bytes([1; 16]));
        let release = Cause::Release(CreatorId::from_bytes([1; 16]));
        let line = PayoutLineId::from_bytes([1; 16]);
        for (cause, kind, prefix) in [
            (Cause::Fee(FeeId::from_bytes([1; 16])), "fee", "fee_"),
            (Cause::Adjustment(AdjustmentId::from_bytes([1; 16])), "adjustment", "adjustment_"),
            (Cause::Payout(line), "payout", "line_"),
            (Cause::Settlement(line), "settlement", "line_"),
        ] {
            assert_eq!(cause.kind(), kind);
            assert!(cause.id().starts_with(prefix));
        }
        assert_eq!((order.kind(), release.kind()), ("order", "release"));
        assert!(order.id().starts_with("order_") && release.id().starts_with("creator_"));
    }

    #[test]
    fn balances_are_what_the_rows_come_to() {
        let rows = [
            (Account::Pending, Day(11), 5),
            (Account::Pending, Day(10), 7),
            (Account::Available, Day(0), 20),
            (Account::InPayout, Day(0), 30),
            (Account::InPayout, Day(0), 1),
            (Account::Paid, Day(0), 400),
            (Account::Paid, Day(0), 2),
            (Account::Clawback, Day(0), -3),
            (Account::Commission, Day(0), -1_000),
        ];
        let held = Balances::of(rows, Day(10));
        assert_eq!((held.pending_minor, held.available_minor, held.clawback_minor), (5, 24, 0));
        assert_eq!((held.in_payout_minor, held.paid_minor), (31, 402));
        assert_eq!(held.lifetime_minor(), 5 + 24 + 31 + 402);
        let owing = Balances::of([(Account::Clawback, Day(0), -3)], Day(10));
        assert_eq!((owing.available_minor, owing.clawback_minor), (0, 3));
        assert_eq!(owing.lifetime_minor(), -3);
    }

    fn usd() -> Currency {
        "USD".parse().unwrap()
    }
    fn earning(creator: u8, day: i64, amount_minor: i64) -> Earning {
        Earning {
            creator: CreatorId::from_bytes([creator; 16]),
            day: Day(day),
            currency: usd(),
            amount_minor,
        }
    }
    fn order() -> OrderId {
        OrderId::from_bytes([1; 16])
    }
    type Books = BTreeMap<(Account, Option<CreatorId>, Day), i64>;
    fn book(books: &mut Books, transactions: &[Transaction]) {
        for entry in transactions.iter().flat_map(Transaction::entries) {
            *books.entry((entry.account, entry.creator, entry.day)).or_default() +=
                entry.amount_minor;
        }
    }
    fn accounts(transactions: &[Transaction]) -> Vec<(Account, i64)> {
        transactions
            .iter()
            .flat_map(Transaction::entries)
            .map(|e| (e.account, e.amount_minor))
            .collect()
    }

    #[test]
    fn a_first_commission_is_pending_against_the_expense() {
        let posted =
            post_difference(order(), None, Some(earning(1, 30, 1350)), Holdings::default());
        assert_eq!(
            accounts(&posted.unwrap()),
            [(Account::Commission, -1350), (Account::Pending, 1350)]
        );
    }

    #[test]
    fn nothing_changed_posts_nothing() {
        let same = Some(earning(1, 30, 1350));
        assert_eq!(post_difference(order(), same, same, Holdings::default()), Ok(vec![]));
        let nothing = Some(earning(1, 30, 0));
        assert_eq!(post_difference(order(), None, nothing, Holdings::default()), Ok(vec![]));
    }

    #[test]
    fn a_debit_takes_its_bucket_then_available_then_claws_back() {
        let debit = |pending_minor, available_minor| {
            let holdings = Holdings { pending_minor, available_minor, clawback_minor: 0 };
            let change = post_difference(
                order(),
                Some(earning(1, 30, 100)),
                Some(earning(1, 30, 0)),
                holdings,
            );
            accounts(&change.unwrap())
        };
        assert_eq!(debit(100, 50), [(Account::Commission, 100), (Account::Pending, -100)]);
        assert_eq!(debit(0, 150), [(Account::Commission, 100), (Account::Available, -100)]);
        assert_eq!(
            debit(30, 50),
            [
                (Account::Commission, 100),
                (Account::Pending, -30),
                (Account::Available, -50),
                (Account::Clawback, -20)
            ]
        );
        assert_eq!(debit(0, 0), [(Account::Commission, 100), (Account::Clawback, -100)]);
    }

    #[test]
    fn another_creator_means_two_transactions() {
        let holdings = Holdings { pending_minor: 100, ..Holdings::default() };
        let moved =
            post_difference(order(), Some(earning(1, 30, 100)), Some(earning(2, 30, 80)), holdings)
                .unwrap();
        assert_eq!(moved.len(), 2);
        assert_eq!(
            accounts(&moved),
            [
                (Account::Commission, 100),
                (Account::Pending, -100),
                (Account::Commission, -80),
                (Account::Pending, 80)
            ]
        );
    }

    #[test]
    fn a_release_pays_off_the_claw_back_first() {
        let released =
            |clawback| accounts(&[release(earning(1, 3, 100), clawback).unwrap().unwrap()]);
        assert_eq!(released(0), [(Account::Pending, -100), (Account::Available, 100)]);
        assert_eq!(
            released(-30),
            [(Account::Pending, -100), (Account::Clawback, 30), (Account::Available, 70)]
        );
        assert_eq!(released(-100), [(Account::Pending, -100), (Account::Clawback, 100)]);
        assert_eq!(released(-130), [(Account::Pending, -100), (Account::Clawback, 100)]);
        assert_eq!(release(earning(1, 3, 0), -5), Ok(None));
    }

    #[test]
    fn unbalanced_entries_are_no_transaction() {
        let entry = |amount_minor| Entry {
            account: Account::Paid,
            creator: None,
            day: Day(0),
            currency: usd(),
            amount_minor,
        };
        let made = |entries| Transaction::new(Cause::Order(order()), entries);
        assert_eq!(made(vec![entry(1)]), Err(Unbalanced));
        assert_eq!(made(vec![entry(0)]), Ok(None));
        let mut euro = entry(-1);
        euro.currency = "EUR".parse().unwrap();
        assert_eq!(made(vec![entry(1), euro]), Err(Unbalanced));
    }

    #[test]
    fn shown_balances_count_due_days_and_net_the_claw_back() {
        let rows = [
            (Account::Pending, Day(10), 100),
            (Account::Pending, Day(11), 40),
            (Account::Available, Day(0), 20),
            (Account::InPayout, Day(0), 7),
            (Account::Paid, Day(0), 3),
        ];
        let shown = Balances::of(rows, Day(10));
        assert_eq!(
            shown,
            Balances {
                pending_minor: 40,
                available_minor: 120,
                in_payout_minor: 7,
                paid_minor: 3,
                clawback_minor: 0
            }
        );
        assert_eq!(shown.lifetime_minor(), 170);
        let owing = Balances::of(
            [(Account::Pending, Day(1), 10), (Account::Clawback, Day(0), -30)],
            Day(1),
        );
        assert_eq!(
            (owing.available_minor, owing.clawback_minor, owing.lifetime_minor()),
            (0, 20, -20)
        );
    }

    proptest! {
        /// Whatever an order comes to along the way, and whenever holds end, the books end at what
        /// it earns last, sum to zero, and no account crosses its limit.
        #[test]
        fn books_end_at_the_last_earning(steps in prop::collection::vec((0i64..500, any::<bool>()), 1..30)) {
            let creator = CreatorId::from_bytes([1; 16]);
            let mut books = Books::new();
            let mut posted = None;
            let held = |books: &Books, account, day| books.get(&(account, Some(creator), Day(day))).copied().unwrap_or(0);
            for (amount, release_now) in steps {
                let holdings = Holdings {
                    pending_minor: held(&books, Account::Pending, 30),
                    available_minor: held(&books, Account::Available, 0),
                    clawback_minor: held(&books, Account::Clawback, 0),
                };
                let wanted = Some(earning(1, 30, amount));
                book(&mut books, &post_difference(order(), posted, wanted, holdings).unwrap());
                posted = wanted;
                if release_now {
                    let due = earning(1, 30, held(&books, Account::Pending, 30));
                    let owed = held(&books, Account::Clawback, 0);
                    book(&mut books, &release(due, owed).unwrap().into_iter().collect::<Vec<_>>());
                }
                prop_assert_eq!(books.values().sum::<i64>(), 0);
                for ((account, _, _), minor) in &books {
                    match account {
                        Account::Commission | Account::Clawback => prop_assert!(*minor <= 0),
                        _ => prop_assert!(*minor >= 0),
                    }
                }
                let rows = books.iter().filter(|((_, c, _), _)| c.is_some()).map(|((a, _, d), m)| (*a, *d, *m));
                prop_assert_eq!(Balances::of(rows, Day(0)).lifetime_minor(), amount);
            }
        }
    }
}
