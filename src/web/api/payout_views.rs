//! Payouts as the API shows them.

use crate::domain::ids::{CreatorId, MemberId, PayoutId, PayoutLineId};
use crate::domain::money::{Currency, Money};
use crate::domain::payout::{needs_two, reference};
use crate::domain::sending::State as Sending;
use crate::storage::payouts::{Found, LineRow, LineState, PayoutState};
use crate::web::json::view;

use super::view::Time;

view! {
    /// Payments to creators, made together.
    #[schema(as = Payout)]
    pub struct PayoutView {
        id: PayoutId,
        /// `draft`, `approved` or `cancelled`.
        state: &'static str,
        currency: Currency,
        lines: Vec<LineView>,
        total: Money,
        created_at: Time,
        #[schema(required)]
        approved_at: Option<Time>,
        /// Who had something when it was drafted but isn't paid with it: 500 of them.
        skipped: Vec<SkippedView>,
        /// How many that are in all.
        skipped_total: i64,
        /// Who approved it, where it needs two people: of a draft, the first of them.
        approvals: Vec<ApprovalView>,
        /// 2 where it needs two people.
        approvals_needed: i64,
    }
}

view! {
    /// That a member approved a payout.
    #[schema(as = PayoutApproval)]
    pub struct ApprovalView {
        member_id: MemberId,
        approved_at: Time,
    }
}

view! {
    /// One creator's part of a payout.
    #[schema(as = PayoutLine)]
    pub struct LineView {
        id: PayoutLineId,
        creator_id: CreatorId,
        amount: Money,
        /// `draft`, `in_payout`, `settled`, `failed` or `cancelled`.
        state: &'static str,
        #[schema(required)]
        reference: Option<String>,
        #[schema(required)]
        reason: Option<String>,
        #[schema(required)]
        settled_at: Option<Time>,
        /// Which try it is, from 1.
        attempt: i64,
        /// How the creator would be paid now: `paypal`, `iban` or `ach`. It and the next two are told where
        /// a payout is read, until the line is over; null in answers to commands, which are kept.
        #[schema(required)]
        method: Option<String>,
        /// Of the account; null for PayPal.
        #[schema(required)]
        last4: Option<String>,
        /// When these payment details were entered: look twice at what is new.
        #[schema(required)]
        details_since: Option<Time>,
        /// Which way this try went: `file` (it stands in a payment file) or `paypal`; null until then.
        #[schema(required)]
        way: Option<String>,
        /// Where it stands with the provider, if it went there; a contradicted try before later ones.
        #[schema(required)]
        sending: Option<SendingView>,
    }
}

view! {
    /// Where a payment stands with the provider.
    #[schema(as = PayoutSending)]
    pub struct SendingView {
        /// `waiting`, `sending` (it may be on its way), `sent`, `settled`, `failed`, `unknown` (nobody
        /// asks any more: say by hand what became of it) or `contradicted` (the provider told one end,
        /// then the other: look there).
        state: &'static str,
        /// Its name at the provider: `sender_batch_id` of PayPal.
        reference: String,
        /// The provider's name of it.
        #[schema(required)]
        provider_id: Option<String>,
        /// What the provider told last.
        told: String,
        /// When it is sent or asked about next.
        #[schema(required)]
        next_at: Option<Time>,
        /// Whether only the provider knows what becomes of the present try, so that nobody else says it.
        pub(crate) in_flight: bool,
    }
}

view! {
    /// Somebody who isn't paid, and why.
    #[schema(as = SkippedCreator)]
    pub struct SkippedView {
        creator_id: CreatorId,
        available: Money,
        /// `no_payment_details`, `details_changed` (they wait two days), `below_minimum` or
        /// `too_many` (they come with the next payout).
        reason: String,
    }
}

/// The name of a sending's state in the API.
fn sending_name(state: Sending) -> &'static str {
    match state {
        Sending::Waiting => "waiting",
        Sending::Sending => "sending",
        Sending::Sent => "sent",
        Sending::Settled => "settled",
        Sending::Failed => "failed",
        Sending::Unknown => "unknown",
        Sending::Contradicted => "contradicted",
    }
}

/// A line as the API shows it.
pub fn line_view(line: LineRow, currency: Currency) -> LineView {
    LineView {
        attempt: line.attempt,
        way: line.way,
        method: None,
        last4: None,
        details_since: None,
        sending: line.sending.map(|state| SendingView {
            in_flight: line.in_flight,
            state: sending_name(state),
            reference: reference(line.id, line.sending_attempt.unwrap_or(line.attempt)),
            provider_id: line.batch,
            told: line.told.unwrap_or_default(),
            next_at: line.due_at_ms.map(Time),
        }),
        id: line.id,
        creator_id: line.creator_id,
        amount: Money::new(line.amount_minor, currency),
        state: state_name(line.state),
        reference: line.reference,
        reason: line.reason,
        settled_at: line.settled_at_ms.map(Time),
    }
}

/// The name of a line's state in the API.
#[must_use]
pub fn state_name(state: LineState) -> &'static str {
    match state {
        LineState::Draft => "draft",
        LineState::InPayout => "in_payout",
        LineState::Settled => "settled",
        LineState::Failed => "failed",
        LineState::Cancelled => "cancelled",
    }
}

/// A payout as the API shows it. `above`: what needs two people now.
pub fn view(found: Found, above: Option<Money>) -> PayoutView {
    let Found { payout, lines, approvals } = found;
    let currency = payout.currency;
    let total = lines.iter().map(|line| line.amount_minor).sum();
    let total = Money::new(total, currency);
    let subject = payout.id.to_string();
    let of_it = approvals.iter().filter(|approval| approval.subject == subject);
    let approvals: Vec<ApprovalView> = of_it
        .map(|a| ApprovalView { member_id: a.member_id, approved_at: Time(a.approved_at_ms) })
        .collect();
    let draft = payout.state == PayoutState::Draft;
    // Of what is approved the rule of today says nothing.
    let two = payout.needs_two || approvals.len() > 1 || (draft && needs_two(above, total));
    let skipped = payout.skipped.into_iter().map(|skipped| SkippedView {
        creator_id: skipped.creator,
        available: Money::new(skipped.available_minor, currency),
        reason: skipped.reason,
    });
    PayoutView {
        id: payout.id,
        state: payout_state(payout.state),
        currency,
        lines: lines.into_iter().map(|line| line_view(line, currency)).collect(),
        total,
        created_at: Time(payout.created_at_ms),
        approved_at: payout.approved_at_ms.map(Time),
        skipped: skipped.collect(),
        skipped_total: payout.skipped_total,
        approvals,
        approvals_needed: if two { 2 } else { 1 },
    }
}

/// The name of a payout's state in the API.
pub(super) fn payout_state(state: PayoutState) -> &'static str {
    match state {
        PayoutState::Draft => "draft",
        PayoutState::Approved => "approved",
        PayoutState::Cancelled => "cancelled",
    }
}
