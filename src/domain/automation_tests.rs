//! What starts a run and how it goes on, case by case and for any course of things.

use super::*;
use proptest::prelude::*;

fn id(n: u8) -> AutomationId {
    AutomationId::from_bytes([n; 16])
}

fn campaign(n: u8) -> CampaignId {
    CampaignId::from_bytes([n; 16])
}

fn cause(kind: Kind, name: &str) -> Cause {
    let (automation, tiers, totals) = (None, None, Vec::new());
    Cause { kind, automation, campaign: campaign(1), name: name.to_owned(), tiers, totals }
}

fn on(when: When) -> Trigger {
    Trigger { when, campaign: None }
}

#[test]
fn kinds_have_words_and_bits_of_their_own() {
    let mut bits = 0;
    for kind in Kind::ALL {
        assert_eq!(Kind::of(kind.word()), Some(*kind));
        assert_eq!(bits & kind.bit(), 0);
        bits |= kind.bit();
    }
    assert_eq!(Kind::of("stage"), None);
}

#[test]
fn a_trigger_fits_its_own_kind_stage_campaign_and_level() {
    let entered = on(When::StageEntered("Posted".to_owned()));
    assert!(entered.fits(id(1), &cause(Kind::StageEntered, "Posted")));
    assert!(!entered.fits(id(1), &cause(Kind::StageEntered, "posted")));
    assert!(!entered.fits(id(1), &cause(Kind::StageLeft, "Posted")));
    let there = Trigger { campaign: Some(campaign(2)), ..entered };
    assert!(!there.fits(id(1), &cause(Kind::StageEntered, "Posted")));
    let tiers = TiersId::from_bytes([1; 16]);
    let mut reached = cause(Kind::TierReached, "Gold");
    reached.tiers = Some(tiers);
    for (named, level, fits) in [
        (None, None, true),
        (Some(tiers), Some("Gold"), true),
        (None, Some("Silver"), false),
        (Some(TiersId::from_bytes([2; 16])), None, false),
    ] {
        let when = When::TierReached { tiers: named, level: level.map(str::to_owned) };
        assert_eq!(on(when).fits(id(1), &reached), fits);
    }
    // What was looked for by one automation is another's business only by mistake.
    let mut quiet = cause(Kind::NoSale, "");
    quiet.automation = Some(id(1));
    assert!(on(When::NoSale(30)).fits(id(1), &quiet));
    assert!(!on(When::NoSale(30)).fits(id(2), &quiet));
}

#[test]
fn a_threshold_counts_orders_of_all_currencies_and_amounts_of_its_own() {
    let [usd, eur]: [Currency; 2] = ["USD", "EUR"].map(|code| code.parse().unwrap());
    let mut sold = cause(Kind::ThresholdReached, "");
    sold.totals = vec![
        Total { currency: usd, orders: 2, base_minor: 500, commission_minor: 50 },
        Total { currency: eur, orders: 3, base_minor: 9000, commission_minor: 900 },
    ];
    for (metric, at_least, currency, fits) in [
        (Metric::Orders, 5, usd, true),
        (Metric::Orders, 6, usd, false),
        (Metric::Revenue, 500, usd, true),
        (Metric::Revenue, 501, usd, false),
        (Metric::Revenue, 9000, eur, true),
        (Metric::Commission, 51, usd, false),
        (Metric::Commission, 50, usd, true),
    ] {
        let trigger = on(When::ThresholdReached { metric, at_least, currency });
        assert_eq!(trigger.fits(id(1), &sold), fits, "{metric:?} {at_least}");
        // Once, whichever order told it.
        assert_eq!(trigger.once("threshold_reached/a"), trigger.once("threshold_reached/b"));
    }
    assert_eq!(on(When::Invited).once("invited/x"), "invited/x");
}

#[test]
fn loops_depth_and_haste_are_stopped() {
    assert_eq!(admit(id(1), &[], 0), Ok(vec![id(1)]));
    assert_eq!(admit(id(2), &[id(1)], 0), Ok(vec![id(1), id(2)]));
    assert_eq!(admit(id(1), &[id(1), id(2)], 0), Err(Stopped::Loop));
    let five: Vec<_> = (1..=5).map(id).collect();
    assert_eq!(admit(id(9), &five, 0), Err(Stopped::Depth));
    assert_eq!(admit(id(1), &[], MOST_A_DAY), Err(Stopped::TooOften));
    assert_eq!(admit(id(1), &[], MOST_A_DAY - 1), Ok(vec![id(1)]));
}

#[test]
fn a_refusal_is_tried_again_and_then_shown() {
    let mut at = At { step: 1, steps: 3, tries: 0 };
    let mut waited = Vec::new();
    loop {
        match after(at, Came::Refused("no-address".to_owned()), 1000) {
            Next::Step { step, tries, due_at_ms } => {
                assert_eq!((step, tries), (1, at.tries + 1));
                waited.push(due_at_ms - 1000);
                at.tries = tries;
            }
            next => {
                assert_eq!(next, Next::Failed("no-address".to_owned()));
                break;
            }
        }
    }
    assert_eq!(waited, [60_000, 600_000]);
}

#[test]
fn a_pause_at_the_end_is_over_at_its_end() {
    let last = At { step: 0, steps: 1, tries: 0 };
    assert_eq!(after(last, Came::Done, 5), Next::Done);
    assert_eq!(after(last, Came::Wait(0), 5), Next::Done);
    let next = Next::Step { step: 1, tries: 0, due_at_ms: 15 };
    assert_eq!(after(last, Came::Wait(10), 5), next);
}

fn any_came() -> impl Strategy<Value = Came> {
    prop_oneof![
        4 => Just(Came::Done),
        1 => any::<i64>().prop_map(Came::Wait),
        2 => Just(Came::NotYet),
        2 => Just(Came::Refused("no".to_owned())),
        2 => Just(Came::Unreachable("away".to_owned())),
        1 => Just(Came::Over("closed".to_owned())),
    ]
}

proptest! {
    /// Whatever comes of its steps, a run does them in order, never one again after it was done, and ends.
    #[test]
    fn runs_go_on_in_order_and_end(
        steps in 1..=5_usize,
        came in prop::collection::vec(any_came(), 300),
        jumps in prop::collection::vec(-86_400_000_i64..86_400_000, 300),
    ) {
        let mut at = At { step: 0, steps, tries: 0 };
        let mut now_ms: Millis = 1_795_334_400_000;
        let mut ended = false;
        for (came, jump) in came.into_iter().zip(jumps) {
            now_ms += jump;
            let done = matches!(came, Came::Done | Came::Wait(_));
            match after(at, came, now_ms) {
                Next::Step { step, tries, due_at_ms } => {
                    prop_assert_eq!(step, at.step + usize::from(done));
                    prop_assert_eq!(tries == 0, done);
                    prop_assert!(due_at_ms >= now_ms);
                    at = At { step, tries, ..at };
                    if step >= steps {
                        ended = true;
                        break;
                    }
                }
                Next::Done => {
                    prop_assert!(done && at.step + 1 == steps);
                    ended = true;
                    break;
                }
                Next::Failed(_) | Next::Stopped(_) => {
                    prop_assert!(!done);
                    ended = true;
                    break;
                }
            }
        }
        prop_assert!(ended);
    }

    /// However automations cause each other, no chain has one twice or is longer than allowed.
    #[test]
    fn chains_are_short_and_without_repetition(next in prop::collection::vec(0_u8..8, 0..100)) {
        let mut chain = Vec::new();
        for n in next {
            match admit(id(n), &chain, 0) {
                Ok(longer) => {
                    prop_assert!(!chain.contains(&id(n)));
                    chain = longer;
                }
                Err(Stopped::Loop) => prop_assert!(chain.contains(&id(n))),
                Err(stopped) => prop_assert_eq!((stopped, chain.len()), (Stopped::Depth, MOST_DEPTH)),
            }
            prop_assert!(chain.len() <= MOST_DEPTH);
        }
    }
}
