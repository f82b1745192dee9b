//! Payment disputes of an order: a shopper's bank takes the money back, for a while or for good.
//!
//! While one is open the order earns nothing; won, it is as if there had been none; lost, the
//! money is gone and so is the commission. How much is disputed doesn't matter: what is left of
//! such an order is for people to settle.

use serde::Serialize;

use super::sorted::Sorted;
use super::time::Millis;

/// Where a dispute stands. The order of the variants breaks a tie in time: what takes away wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisputeState {
    /// Nobody knows yet whose the money is.
    Open,
    /// The shop keeps the money.
    Won,
    /// The shopper has it back.
    Lost,
}

impl DisputeState {
    fn is_final(self) -> bool {
        self != Self::Open
    }
}

/// What is known of one dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dispute {
    /// Where it stands.
    pub state: DisputeState,
    /// When it came to stand there: when it was opened, or decided.
    pub at_ms: Millis,
}

/// An order's disputes by the platform's id; those that were entered by hand are `by_hand/1` and so on.
pub type Disputes = Sorted<String, Dispute>;

const BY_HAND: &str = "by_hand/";

/// Takes in what is reported of a dispute. The greatest (decided or not, time, state) is kept, so that
/// reports may come late, twice or in any order: an end is never undone by news of its beginning, and
/// of two ends the later counts. (Platforms tell when a dispute began and ended, not when it was
/// reported: one that is opened again has to be entered by hand.)
pub fn take(disputes: &mut Disputes, id: &str, reported: Dispute) {
    let key = |d: &Dispute| (d.state.is_final(), d.at_ms, d.state);
    if disputes.get(id).is_none_or(|known| key(known) < key(&reported)) {
        disputes.insert(id.to_owned(), reported);
    }
}

/// What the disputes of an order come to: open if one is, otherwise lost if one is.
#[must_use]
pub fn outcome(disputes: &Disputes) -> Option<DisputeState> {
    let states = || disputes.values().map(|d| d.state);
    let any = |state| states().any(|s| s == state).then_some(state);
    any(DisputeState::Open).or(any(DisputeState::Lost)).or(any(DisputeState::Won))
}

/// The id under which a word by hand is kept: an end belongs to the dispute that was entered last, a
/// beginning to that one while it is open, else to a new one.
#[must_use]
pub fn by_hand(disputes: &Disputes, state: DisputeState) -> String {
    let mut last = 0;
    while disputes.get(format!("{BY_HAND}{}", last + 1).as_str()).is_some() {
        last += 1;
    }
    let known = disputes.get(format!("{BY_HAND}{last}").as_str());
    let new = known.is_none_or(|known| known.state.is_final() && !state.is_final());
    format!("{BY_HAND}{}", if new { last + 1 } else { last })
}

#[cfg(test)]
mod tests {
    use super::DisputeState::{Lost, Open, Won};
    use super::*;

    fn merged(reports: &[(&str, Dispute)]) -> Disputes {
        let mut disputes = Disputes::new();
        for (id, reported) in reports {
            take(&mut disputes, id, *reported);
        }
        disputes
    }
    fn dispute(state: DisputeState, at_ms: Millis) -> Dispute {
        Dispute { state, at_ms }
    }

    #[test]
    fn any_order_of_reports_ends_the_same() {
        let all: Vec<(&str, Dispute)> = [Open, Won, Lost]
            .into_iter()
            .flat_map(|state| (1..3).map(move |at| ("1", dispute(state, at))))
            .collect();
        let expected = merged(&all);
        assert_eq!(expected.get("1"), Some(&dispute(Lost, 2)));
        let mut order: Vec<usize> = (0..all.len()).collect();
        for round in 0..all.len() * all.len() {
            order.rotate_left(1);
            order.swap(0, round % all.len());
            let reports: Vec<_> = order.iter().flat_map(|i| [all[*i], all[*i]]).collect();
            assert_eq!(merged(&reports), expected, "{order:?}");
        }
    }

    #[test]
    fn an_end_is_never_undone_by_a_beginning_and_the_later_end_counts() {
        for (reports, state) in [
            (vec![dispute(Won, 5), dispute(Open, 9)], Won),
            (vec![dispute(Lost, 5), dispute(Won, 6)], Won),
            (vec![dispute(Lost, 6), dispute(Won, 5)], Lost),
            (vec![dispute(Won, 5), dispute(Lost, 5)], Lost),
        ] {
            let named: Vec<_> = reports.iter().map(|d| ("1", *d)).collect();
            assert_eq!(merged(&named).get("1").unwrap().state, state, "{reports:?}");
        }
    }

    #[test]
    fn one_open_dispute_holds_and_one_lost_takes() {
        let of = |states: &[DisputeState]| {
            let ids = ["1", "2", "3"];
            let all: Vec<_> =
                states.iter().zip(ids).map(|(state, id)| (id, dispute(*state, 1))).collect();
            outcome(&merged(&all))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[Won, Won]), Some(Won));
        assert_eq!(of(&[Won, Lost]), Some(Lost));
        assert_eq!(of(&[Lost, Open, Won]), Some(Open));
    }

    #[test]
    fn words_by_hand_continue_the_last_dispute_or_begin_a_new_one() {
        let mut disputes = merged(&[("77", dispute(Open, 1))]);
        for (state, at_ms, id) in [
            (Open, 2, "by_hand/1"),
            (Open, 3, "by_hand/1"),
            (Won, 4, "by_hand/1"),
            (Lost, 5, "by_hand/1"),
            (Open, 6, "by_hand/2"),
            (Lost, 7, "by_hand/2"),
            (Open, 8, "by_hand/3"),
        ] {
            assert_eq!(by_hand(&disputes, state), id);
            take(&mut disputes, id, dispute(state, at_ms));
        }
        assert_eq!(by_hand(&Disputes::new(), Lost), "by_hand/1");
    }
}
