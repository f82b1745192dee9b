//! Money that is hers without an order, and money on its way to her.

use super::ids::{CreatorId, PayoutLineId};
use super::ledger::{Account, Cause, Earning, Entry, Holdings, Transaction, Unbalanced};
use super::money::Money;
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
