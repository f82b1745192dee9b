//! Automations: what starts one, when it doesn't, and how a run goes on.
//!
//! Everything here is a pure function of what was read: which automations a [`Cause`] fits, whether a run may
//! begin ([`admit`]), and what follows a step ([`after`]).

use super::ids::{AutomationId, CampaignId, TiersId};
use super::money::Currency;
use super::tiers::Metric;
use super::time::{DAY_MS, Day, Millis};

/// An automation has at most so many steps.
pub const MOST_STEPS: usize = 20;
/// What one automation caused is followed so far: the fifth that follows another is the last.
pub const MOST_DEPTH: usize = 5;
/// One automation begins so many runs in one deal in 24 hours; more look like a loop that goes around outside.
pub const MOST_A_DAY: i64 = 20;
/// The longest pause of a step.
pub const LONGEST_WAIT_MS: Millis = 365 * DAY_MS;
/// What time brought about is noticed so late at most, in days.
pub const LOOK_BACK_DAYS: i64 = 30;

/// A step that couldn't be asked for is tried so often,
const TRIES_UNREACHABLE: u32 = 10;
/// and one that was refused so often: what was in its way may go.
const TRIES_REFUSED: u32 = 3;
/// What isn't there yet is waited for so often, ten minutes at most each time: about a day.
const TRIES_NOT_YET: u32 = 150;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $bit:literal, $word:literal;)*) => {
        /// Kinds of causes. Each has a bit, by which a brand says what it listens to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $kind,)* }
        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];
            /// As it is written.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$kind => $word,)* }
            }
            /// Its bit in `brands.automations`.
            #[must_use]
            pub fn bit(self) -> i64 {
                match self { $(Self::$kind => 1 << $bit,)* }
            }
            /// The kind of this word.
            #[must_use]
            pub fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.word() == word)
            }
        }
    };
}

kinds! {
    /// A deal came to a stage, also by being made there.
    StageEntered = 0, "stage_entered";
    /// A deal left a stage.
    StageLeft = 1, "stage_left";
    /// A deal was made.
    DealCreated = 2, "deal_created";
    /// Its creator was invited.
    Invited = 3, "invited";
    /// She accepted the invitation.
    Accepted = 4, "accepted";
    /// An order became the deal's.
    OrderAttributed = 5, "order_attributed";
    /// What the deal came to passed a threshold.
    ThresholdReached = 6, "threshold_reached";
    /// A level of commission tiers was reached.
    TierReached = 7, "tier_reached";
    /// A payment to the creator was settled.
    PayoutPaid = 8, "payout_paid";
    /// So many days passed without a sale.
    NoSale = 9, "no_sale";
    /// What was to be done wasn't by the end of its day.
    FollowUpOverdue = 10, "follow_up_overdue";
    /// The creator published something.
    PostPublished = 11, "post_published";
    /// A day came.
    Date = 12, "date";
}

impl Kind {
    /// Whether nothing happens but time: such causes are looked for every day.
    #[must_use]
    pub fn is_of_time(self) -> bool {
        matches!(self, Self::NoSale | Self::FollowUpOverdue | Self::Date)
    }
}

/// What starts an automation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// A deal came to this stage.
    StageEntered(String),
    /// A deal left this stage.
    StageLeft(String),
    /// A deal was made.
    DealCreated,
    /// Its creator was invited.
    Invited,
    /// She accepted.
    Accepted,
    /// An order became the deal's.
    OrderAttributed,
    /// The deal's orders came to so much, of all time.
    ThresholdReached {
        /// What is measured.
        metric: Metric,
        /// So many orders, or minor units of the currency.
        at_least: i64,
        /// Of amounts.
        currency: Currency,
    },
    /// A level was reached: of these tiers and of this name, where they are named.
    TierReached {
        /// Of which tiers.
        tiers: Option<TiersId>,
        /// Which level.
        level: Option<String>,
    },
    /// A payment to the creator was settled.
    PayoutPaid,
    /// So many days since the last sale, or since the deal was made.
    NoSale(i64),
    /// A follow-up of the deal is overdue.
    FollowUpOverdue,
    /// A post was told.
    PostPublished,
    /// This day of the brand began.
    Date(Day),
}

/// What starts an automation, and in which deals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// What.
    pub when: When,
    /// Only in deals of this campaign.
    pub campaign: Option<CampaignId>,
}

impl When {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::StageEntered(_) => Kind::StageEntered,
            Self::StageLeft(_) => Kind::StageLeft,
            Self::DealCreated => Kind::DealCreated,
            Self::Invited => Kind::Invited,
            Self::Accepted => Kind::Accepted,
            Self::OrderAttributed => Kind::OrderAttributed,
            Self::ThresholdReached { .. } => Kind::ThresholdReached,
            Self::TierReached { .. } => Kind::TierReached,
            Self::PayoutPaid => Kind::PayoutPaid,
            Self::NoSale(_) => Kind::NoSale,
            Self::FollowUpOverdue => Kind::FollowUpOverdue,
            Self::PostPublished => Kind::PostPublished,
            Self::Date(_) => Kind::Date,
        }
    }
}

/// What happened in a deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Of which kind.
    pub kind: Kind,
    /// The one automation that it is about, where it was looked for by it.
    pub automation: Option<AutomationId>,
    /// The campaign of its deal.
    pub campaign: CampaignId,
    /// The stage that was entered or left, or the level's name.
    pub name: String,
    /// Of which tiers.
    pub tiers: Option<TiersId>,
    /// What the deal's orders come to, per currency: orders, base and commission in minor units. Only where
    /// something of it changed.
    pub totals: Vec<Total>,
}

/// What a deal's orders come to in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// In which.
    pub currency: Currency,
    /// How many.
    pub orders: i64,
    /// Base after refunds.
    pub base_minor: i64,
    /// Commission.
    pub commission_minor: i64,
}

impl Trigger {
    /// Whether this is what happened.
    #[must_use]
    pub fn fits(&self, own: AutomationId, cause: &Cause) -> bool {
        if self.when.kind() != cause.kind
            || self.campaign.is_some_and(|campaign| campaign != cause.campaign)
            || cause.automation.is_some_and(|automation| automation != own)
        {
            return false;
        }
        match &self.when {
            When::StageEntered(stage) | When::StageLeft(stage) => *stage == cause.name,
            When::TierReached { tiers, level } => {
                tiers.is_none_or(|tiers| Some(tiers) == cause.tiers)
                    && level.as_ref().is_none_or(|level| *level == cause.name)
            }
            When::ThresholdReached { metric, at_least, currency } => {
                reached(*metric, *currency, &cause.totals) >= *at_least
            }
            _ => true,
        }
    }

    /// What a run is for, so that each cause has one: the cause's own name, but for a threshold, which is
    /// reached once however often orders change after that.
    #[must_use]
    pub fn once(&self, cause: &str) -> String {
        match &self.when {
            When::ThresholdReached { metric, at_least, currency } => {
                let word = match metric {
                    Metric::Orders => "orders",
                    Metric::Revenue => "revenue",
                    Metric::Commission => "commission",
                };
                format!("threshold_reached/{word}/{at_least}/{}", currency.code())
            }
            _ => cause.to_owned(),
        }
    }
}

/// How far a deal's orders came.
fn reached(metric: Metric, currency: Currency, totals: &[Total]) -> i64 {
    let of = |total: &Total| match metric {
        Metric::Orders => total.orders,
        Metric::Revenue => total.base_minor,
        Metric::Commission => total.commission_minor,
    };
    let counts = |total: &&Total| metric == Metric::Orders || total.currency == currency;
    totals.iter().filter(counts).map(of).fold(0, i64::saturating_add)
}

/// Why a run that would begin doesn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The automation itself is among what led to it.
    Loop,
    /// Too many automations followed one another.
    Depth,
    /// It began in this deal too often within a day.
    TooOften,
}

impl Stopped {
    /// In words, for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Loop => "stopped: this automation led to itself in this deal",
            Self::Depth => "stopped: too many automations followed one another",
            Self::TooOften => "stopped: it ran in this deal 20 times within a day",
        }
    }
}

/// Whether a run may begin after those automations that led to it, the first one first; the chain with it.
///
/// # Errors
/// Why it may not.
pub fn admit(
    own: AutomationId,
    chain: &[AutomationId],
    begun_lately: i64,
) -> Result<Vec<AutomationId>, Stopped> {
    if chain.contains(&own) {
        return Err(Stopped::Loop);
    }
    if chain.len() >= MOST_DEPTH {
        return Err(Stopped::Depth);
    }
    if begun_lately >= MOST_A_DAY {
        return Err(Stopped::TooOften);
    }
    let mut chain = chain.to_vec();
    chain.push(own);
    Ok(chain)
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The step that is next.
    pub step: usize,
    /// How many steps there are.
    pub steps: usize,
    /// How often that step was tried without an end.
    pub tries: u32,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// It did something, or found that nothing was to be done.
    Done,
    /// It asks to go on after so many milliseconds.
    Wait(Millis),
    /// What it needs is under way.
    NotYet,
    /// A rule said no.
    Refused(String),
    /// Nobody answered: it may have been done, and may be asked for again.
    Unreachable(String),
    /// There is nothing to go on with: the deal or the automation has ended.
    Over(String),
}

/// How a run goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// With that step, not before that time.
    Step {
        /// Which.
        step: usize,
        /// How often it was tried.
        tries: u32,
        /// Not before.
        due_at_ms: Millis,
    },
    /// All steps were done.
    Done,
    /// A step was given up, for this.
    Failed(String),
    /// It was ended, for this.
    Stopped(String),
}

/// What follows a step.
#[must_use]
pub fn after(at: At, came: Came, now_ms: Millis) -> Next {
    let on = |due_at_ms: Millis| {
        let step = at.step + 1;
        if step >= at.steps && due_at_ms <= now_ms {
            Next::Done
        } else {
            Next::Step { step, tries: 0, due_at_ms }
        }
    };
    let tries = at.tries.saturating_add(1);
    let again = |most: u32, wait_ms: Millis, why: String| {
        if tries >= most {
            Next::Failed(why)
        } else {
            Next::Step { step: at.step, tries, due_at_ms: now_ms.saturating_add(wait_ms) }
        }
    };
    match came {
        Came::Done => on(now_ms),
        Came::Wait(ms) => on(now_ms.saturating_add(ms.clamp(0, LONGEST_WAIT_MS))),
        Came::NotYet => {
            let wait_ms = Millis::from(tries).saturating_mul(5000).min(600_000);
            again(TRIES_NOT_YET, wait_ms, "the code that it needs isn't made yet".to_owned())
        }
        Came::Refused(why) => again(TRIES_REFUSED, if tries > 1 { 600_000 } else { 60_000 }, why),
        Came::Unreachable(why) => {
            let wait_ms = 10_000_i64 << tries.min(12);
            again(TRIES_UNREACHABLE, wait_ms.min(3_600_000), why)
        }
        Came::Over(why) => Next::Stopped(why),
    }
}

#[cfg(test)]
#[path = "automation_tests.rs"]
mod tests;
