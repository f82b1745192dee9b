//! The waiting room: clicks in an isolate's memory between the answer and the counter objects.
//!
//! One request at a time is the leader. It sleeps and carries what has gathered inside its own
//! `wait_until`, because a request may not await another one's promise:
//!
//! ```text
//! if let Role::Leader(term) = waiting.add(click, now) {
//!     loop {
//!         sleep(1 s); let clicks = waiting.take(term, now); send(batches(clicks)).await
//!         if !waiting.leads(term) { break }
//!     }
//! }
//! ```

use super::visit::RawVisit;
use crate::domain::ids::{BrandId, DealId, LinkId};
use crate::domain::time::{Day, Millis};

/// How long one request leads. A leader that died, as a cancelled request does, is replaced by
/// the first click after this.
pub const TERM_MS: Millis = 10_000;

/// How many clicks may wait in one isolate: about 15 MB of its 128. More are dropped and the
/// loss is told, because it can only happen while the counter objects are out of reach.
pub const MAX_WAITING: usize = 50_000;

/// A click that was answered and not yet counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingClick {
    /// The tenant.
    pub brand: BrandId,
    /// The deal that the link belongs to.
    pub deal: DealId,
    /// The link that was followed.
    pub link: LinkId,
    /// When, in milliseconds.
    pub at_ms: Millis,
    /// The day of that moment in the brand's calendar.
    pub day: Day,
    /// By whom, not yet judged.
    pub visit: RawVisit,
}

/// One leader's time: an old leader that wakes up late must not act for a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term(u64);

/// What the request that brought a click has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Carry the clicks, as the module says.
    Leader(Term),
    /// Nothing.
    Follower,
}

/// The clicks that wait in this isolate.
#[derive(Debug, Default)]
pub struct Waiting {
    clicks: Vec<WaitingClick>,
    /// The term of the present leader and when it ends.
    leader: Option<(Term, Millis)>,
    terms: u64,
    lost: u64,
}

impl Waiting {
    /// An empty room.
    #[must_use]
    pub const fn new() -> Self {
        Self { clicks: Vec::new(), leader: None, terms: 0, lost: 0 }
    }

    /// Takes a click in. Its request leads if nobody does or the leader's time is over.
    pub fn add(&mut self, click: WaitingClick, now_ms: Millis) -> Role {
        if self.clicks.len() < MAX_WAITING {
            self.clicks.push(click);
        } else {
            self.lost += 1;
        }
        if self.leader.is_some_and(|(_, until)| (until - TERM_MS..until).contains(&now_ms)) {
            return Role::Follower;
        }
        self.terms += 1;
        let term = Term(self.terms);
        self.leader = Some((term, now_ms + TERM_MS));
        Role::Leader(term)
    }

    /// The clicks that this leader has to carry now. It resigns by that if its time is over or
    /// nothing had come, so that no click is left behind: the next one finds no leader.
    pub fn take(&mut self, term: Term, now_ms: Millis) -> Vec<WaitingClick> {
        let Some((current, until)) = self.leader else { return Vec::new() };
        if current != term {
            return Vec::new();
        }
        if now_ms >= until || self.clicks.is_empty() {
            self.leader = None;
        }
        std::mem::take(&mut self.clicks)
    }

    /// Whether this term is still the present one.
    #[must_use]
    pub fn leads(&self, term: Term) -> bool {
        self.leader.is_some_and(|(current, _)| current == term)
    }

    /// How many clicks were lost since the last call: dropped here, or reported with
    /// [`Self::lose`]. They were answered, but never counted.
    pub fn lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Notes clicks whose batch may not have arrived. They are not sent again, because they may
    /// have: a click is never counted twice.
    pub fn lose(&mut self, clicks: u64) {
        self.lost += clicks;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn click(n: u8) -> WaitingClick {
        WaitingClick {
            brand: BrandId::from_bytes([1; 16]),
            deal: DealId::from_bytes([2; 16]),
            link: LinkId::from_bytes([n; 16]),
            at_ms: 0,
            day: Day(0),
            visit: RawVisit::new(false, false, "192.0.2.1".into(), "Mozilla/5.0 (X11)".into()),
        }
    }
    fn lead(waiting: &mut Waiting, now: Millis) -> Term {
        match waiting.add(click(0), now) {
            Role::Leader(term) => term,
            Role::Follower => panic!("somebody leads"),
        }
    }

    #[test]
    fn one_request_leads_and_carries_for_all() {
        let mut waiting = Waiting::new();
        let term = lead(&mut waiting, 0);
        assert_eq!(waiting.add(click(1), 1), Role::Follower);
        assert_eq!(waiting.add(click(2), 999), Role::Follower);
        assert_eq!(waiting.take(term, 1000).len(), 3);
        assert!(waiting.leads(term));
        assert_eq!(waiting.add(click(3), 1001), Role::Follower);
        assert_eq!(waiting.take(term, 2000).len(), 1);
    }

    #[test]
    fn a_leader_resigns_when_nothing_comes_or_its_time_is_over() {
        let mut waiting = Waiting::new();
        let quiet = lead(&mut waiting, 0);
        assert_eq!(waiting.take(quiet, 1000).len(), 1);
        assert_eq!(waiting.take(quiet, 2000).len(), 0);
        assert!(!waiting.leads(quiet));
        let busy = lead(&mut waiting, 2001);
        assert_eq!(waiting.take(busy, 2001 + TERM_MS).len(), 1);
        assert!(!waiting.leads(busy));
        assert!(matches!(waiting.add(click(1), 2002 + TERM_MS), Role::Leader(_)));
    }

    #[test]
    fn a_dead_leader_is_replaced_and_cannot_act_any_more() {
        let mut waiting = Waiting::new();
        let dead = lead(&mut waiting, 0);
        assert_eq!(waiting.add(click(1), TERM_MS - 1), Role::Follower);
        let next = lead(&mut waiting, TERM_MS);
        assert_eq!(waiting.take(dead, TERM_MS + 1).len(), 0);
        assert!(!waiting.leads(dead) && waiting.leads(next));
        assert_eq!(waiting.take(next, TERM_MS + 2).len(), 3);
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_leave_the_room_without_a_leader() {
        let mut waiting = Waiting::new();
        lead(&mut waiting, 1_000_000);
        assert!(matches!(waiting.add(click(1), 5), Role::Leader(_)));
    }

    #[test]
    fn the_room_is_bounded_and_tells_what_it_lost() {
        let mut waiting = Waiting::new();
        let term = lead(&mut waiting, 0);
        for _ in 0..MAX_WAITING + 4 {
            waiting.add(click(1), 1);
        }
        assert_eq!(waiting.take(term, 2).len(), MAX_WAITING);
        waiting.lose(3);
        assert_eq!(waiting.lost(), 8);
        assert_eq!(waiting.lost(), 0);
    }
}
