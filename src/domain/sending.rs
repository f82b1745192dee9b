//! A payment handed to a provider: what its answers mean, and what to do next.
//!
//! The rule above all others: what may have been taken is never sent under another name. Until it is
//! known what became of it, it is in flight and only asked about.

use super::time::{DAY_MS, Millis};

/// A claim that nobody answered is taken over after so long: the request had 20 s.
pub const LEASE_MS: Millis = 5 * 60_000;
/// PayPal tells repetitions by their reference for 30 days. After 20 nothing is repeated any more.
const REPEATABLE_MS: Millis = 20 * DAY_MS;
/// Nobody claims a payment within 30 days: it comes back then. Asking goes on for twice that.
const ASKED_MS: Millis = 60 * DAY_MS;
/// What surely wasn't taken is tried so often.
const MOST_TRIES: i64 = 12;
/// After an outcome it is asked once more: providers have changed their minds.
const AGAIN_MS: Millis = DAY_MS;

/// Where a payment stands with the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// To be sent; surely not taken yet.
    Waiting,
    /// Claimed: it may be on its way, or may have been taken.
    Sending,
    /// The provider has it, and told its own name of it.
    Sent,
    /// It arrived.
    Settled,
    /// It surely didn't, or came back.
    Failed,
    /// Nobody can tell, and nobody asks any more: people decide.
    Unknown,
    /// After one outcome the provider told the other. Nothing moved: people decide.
    Contradicted,
}

/// What the provider told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It has the payment, under this name: just now, or since before.
    Taken(String),
    /// It surely didn't take the request; it may later.
    Later(String),
    /// It surely didn't take the request, and won't take the same again.
    Refused(String),
    /// It is under way.
    UnderWay(String),
    /// It arrived.
    Arrived,
    /// The money came back, or never left.
    Back(String),
    /// No answer, or none that can be read.
    Nothing(String),
}

/// A payment as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Where.
    pub state: State,
    /// Whether a request before the present one may have been taken.
    pub doubtful: bool,
    /// How often it was sent or asked about, this time included.
    pub tries: i64,
    /// When it was first sent.
    pub first_sent_at_ms: Millis,
}

/// What to note of a payment, and when to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// Where it stands then.
    pub state: State,
    /// Whether a request may have been taken.
    pub doubtful: bool,
    /// The provider's own name of it, if it was told just now.
    pub batch: Option<String>,
    /// What was told, for people; empty if what was told before still is it.
    pub told: String,
    /// When to ask (or send) again.
    pub due_at_ms: Option<Millis>,
}

/// Longer each time: a minute, two, four … at most six hours.
fn later(tries: i64) -> Millis {
    60_000 << tries.clamp(1, 9).saturating_sub(1)
}

impl Standing {
    /// What follows from what was told.
    #[must_use]
    pub fn next(self, told: Told, now_ms: Millis) -> Next {
        use State::{Contradicted, Failed, Sending, Sent, Settled, Unknown, Waiting};
        let again = Some(now_ms + later(self.tries).min(6 * 3_600_000));
        let next = |state, told: &str, due_at_ms| Next {
            state,
            doubtful: self.doubtful,
            batch: None,
            told: told.to_owned(),
            due_at_ms,
        };
        match (self.state, told) {
            // Ends are ends: what differs from them is told to people and moves nothing.
            (Settled, Told::Back(why)) => next(Contradicted, &why, None),
            (Failed, Told::Arrived) => next(Contradicted, "SUCCESS", None),
            (Settled, Told::Arrived) => next(Settled, "SUCCESS", None),
            (Failed, Told::Back(why)) => next(Failed, &why, None),
            // It was asked again and didn't tell: the later ask isn't done.
            (Settled | Failed, Told::Nothing(_) | Told::Later(_) | Told::UnderWay(_))
                if now_ms - self.first_sent_at_ms < ASKED_MS =>
            {
                next(self.state, "", again)
            }
            (Settled, _) => next(Settled, "", None),
            (Failed, _) => next(Failed, "", None),
            (Unknown | Contradicted, _) => next(self.state, "", None),
            (_, Told::Arrived) => next(Settled, "SUCCESS", Some(now_ms + AGAIN_MS)),
            (_, Told::Back(why)) => next(Failed, &why, Some(now_ms + AGAIN_MS)),
            (_, Told::Taken(batch)) => {
                Next { batch: Some(batch), ..next(Sent, "PENDING", Some(now_ms + later(1))) }
            }
            (Sent, told) => {
                let (Told::UnderWay(why)
                | Told::Nothing(why)
                | Told::Later(why)
                | Told::Refused(why)) = told
                else {
                    return next(Sent, "", again);
                };
                if now_ms - self.first_sent_at_ms >= ASKED_MS {
                    next(Unknown, &why, None)
                } else {
                    next(Sent, &why, again)
                }
            }
            // Nothing was taken, not now and not before.
            (Waiting | Sending, Told::Refused(why)) if !self.doubtful => next(Failed, &why, None),
            (Waiting | Sending, Told::Later(why)) if !self.doubtful => {
                if self.tries >= MOST_TRIES {
                    next(Failed, &why, None)
                } else {
                    next(Waiting, &why, again)
                }
            }
            (Waiting | Sending, told) => {
                let doubtful = true;
                let why = match told {
                    Told::Refused(why)
                    | Told::Later(why)
                    | Told::Nothing(why)
                    | Told::UnderWay(why) => why,
                    _ => String::new(),
                };
                if now_ms - self.first_sent_at_ms >= REPEATABLE_MS {
                    return Next { doubtful, ..next(Unknown, &why, None) };
                }
                Next { doubtful, ..next(Sending, &why, again) }
            }
        }
    }

    /// Whether the same request may go out (again): only within the time in which the provider tells
    /// a repetition for what it is.
    #[must_use]
    pub fn repeatable(self, now_ms: Millis) -> bool {
        now_ms - self.first_sent_at_ms < REPEATABLE_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Contradicted, Failed, Sending, Sent, Settled, Unknown, Waiting};

    fn at(state: State, doubtful: bool, tries: i64) -> Standing {
        Standing { state, doubtful, tries, first_sent_at_ms: 0 }
    }
    fn told(what: &str) -> Told {
        match what {
            "taken" => Told::Taken("B".into()),
            "later" => Told::Later("l".into()),
            "refused" => Told::Refused("r".into()),
            "under way" => Told::UnderWay("PENDING".into()),
            "arrived" => Told::Arrived,
            "back" => Told::Back("RETURNED".into()),
            _ => Told::Nothing("n".into()),
        }
    }

    #[test]
    fn a_claim_outlasts_its_request() {
        const { assert!(LEASE_MS > 2 * 20_000) };
    }

    #[test]
    fn every_answer_in_every_state() {
        let all = ["taken", "later", "refused", "under way", "arrived", "back", "nothing"];
        for (state, doubtful, expected) in [
            (Sending, false, [Sent, Waiting, Failed, Sending, Settled, Failed, Sending]),
            // Once something may have been taken, no refusal ends it.
            (Sending, true, [Sent, Sending, Sending, Sending, Settled, Failed, Sending]),
            (Sent, false, [Sent, Sent, Sent, Sent, Settled, Failed, Sent]),
            (Settled, false, [Settled, Settled, Settled, Settled, Settled, Contradicted, Settled]),
            (Failed, false, [Failed, Failed, Failed, Failed, Contradicted, Failed, Failed]),
            (Unknown, true, [Unknown; 7]),
            (Contradicted, false, [Contradicted; 7]),
        ] {
            for (what, expected) in all.into_iter().zip(expected) {
                let next = at(state, doubtful, 1).next(told(what), 1000);
                assert_eq!(next.state, expected, "{state:?} {doubtful} {what}");
                assert_eq!(next.batch.is_some(), expected == Sent && what == "taken");
                let unanswered = matches!(what, "nothing" | "later" | "under way");
                let asks = matches!(expected, Waiting | Sending | Sent)
                    || (matches!(expected, Settled | Failed)
                        && what != "refused"
                        && (state != expected || unanswered));
                assert_eq!(next.due_at_ms.is_some(), asks, "{state:?} {what}");
                if matches!(next.state, Sending) {
                    assert!(next.doubtful, "{state:?} {what}");
                }
            }
        }
    }

    #[test]
    fn what_was_told_and_when_to_ask_again() {
        let now = 500 * DAY_MS;
        let sent = |state, doubtful, days| Standing {
            first_sent_at_ms: now - days * DAY_MS,
            ..at(state, doubtful, 3)
        };
        let (asked, tomorrow) = (Some(now + 4 * 60_000), Some(now + DAY_MS));
        for (standing, what, state, why, due) in [
            // An outcome is asked about once more, a day later.
            (sent(Sent, false, 1), "arrived", Settled, "SUCCESS", tomorrow),
            (sent(Sent, false, 1), "back", Failed, "RETURNED", tomorrow),
            // What is taken is asked about a minute later, however often it was tried before.
            (sent(Sending, true, 1), "taken", Sent, "PENDING", Some(now + 60_000)),
            (sent(Sent, false, 59), "under way", Sent, "PENDING", asked),
            (sent(Sent, false, 60), "later", Unknown, "l", None),
            (sent(Settled, false, 59), "nothing", Settled, "", asked),
            (sent(Settled, false, 60), "nothing", Settled, "", None),
            // What may have been taken is asked for what it was told, while a repetition is known.
            (sent(Sending, true, 19), "refused", Sending, "r", asked),
            (sent(Sending, true, 19), "later", Sending, "l", asked),
            (sent(Sending, false, 19), "nothing", Sending, "n", asked),
            (sent(Sending, false, 19), "under way", Sending, "PENDING", asked),
            (sent(Sending, true, 20), "refused", Unknown, "r", None),
            (sent(Sending, false, 20), "nothing", Unknown, "n", None),
            (sent(Sending, false, 20), "later", Waiting, "l", asked),
        ] {
            let next = standing.next(told(what), now);
            assert_eq!(
                (next.state, &*next.told, next.due_at_ms),
                (state, why, due),
                "{standing:?} {what}"
            );
            // Whatever was known before: it may have been taken.
            let unsure = standing.state == Sending && matches!(next.state, Sending | Unknown);
            assert!(next.doubtful || !unsure, "{standing:?} {what}");
        }
    }

    #[test]
    fn asking_ends_and_what_was_not_taken_fails_in_the_end() {
        let late = |state, what, days| at(state, true, 50).next(told(what), days * DAY_MS).state;
        assert_eq!(
            (late(Sending, "nothing", 19), late(Sending, "nothing", 20)),
            (Sending, Unknown)
        );
        assert_eq!((late(Sent, "under way", 59), late(Sent, "under way", 60)), (Sent, Unknown));
        assert_eq!(late(Sent, "arrived", 100), Settled, "late is late, and counts");
        for end in [Settled, Failed] {
            let asked = |days: i64| at(end, false, 3).next(told("nothing"), days * DAY_MS);
            assert_eq!((asked(59).state, &*asked(59).told), (end, ""), "what was told stays");
            assert_eq!(asked(59).due_at_ms, Some(59 * DAY_MS + 240_000));
            assert_eq!((asked(60).state, asked(60).due_at_ms), (end, None));
        }
        assert_eq!(at(Sending, false, 11).next(told("later"), 0).state, Waiting);
        assert_eq!(at(Sending, false, 12).next(told("later"), 0).state, Failed);
        assert!(at(Sending, true, 1).repeatable(20 * DAY_MS - 1));
        assert!(!at(Sending, true, 1).repeatable(20 * DAY_MS));
        let late = Standing { first_sent_at_ms: 30 * DAY_MS, ..at(Sending, true, 1) };
        assert!(late.repeatable(50 * DAY_MS - 1) && !late.repeatable(50 * DAY_MS));
        let waits: Vec<Millis> = [1, 2, 9, 40]
            .map(|n| at(Sent, false, n).next(told("nothing"), 0).due_at_ms.unwrap())
            .into();
        assert_eq!(waits, [60_000, 120_000, 15_360_000, 15_360_000]);
    }
}
