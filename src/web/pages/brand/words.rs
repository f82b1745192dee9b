//! States and reasons in plain words.

use crate::domain::attribution::{Method, Reason};
use crate::domain::deal::DealKind;
use crate::domain::dispute::DisputeState;
use crate::domain::post::Platform;
use crate::web::api::codes::CodeStateView;
use crate::web::pages::ui::{self, Html, Tone};

/// An order's state.
#[must_use]
pub fn order(state: &str) -> Html {
    let (tone, text) = match state {
        "paid" => (Tone::Good, "Paid"),
        "unpaid" => (Tone::Wait, "Not paid yet"),
        "partially_refunded" => (Tone::Wait, "Partly refunded"),
        "refunded" => (Tone::Bad, "Refunded"),
        "cancelled" => (Tone::Bad, "Cancelled"),
        "disputed" => (Tone::Bad, "Disputed"),
        other => (Tone::Plain, other),
    };
    ui::badge(&tone, text)
}

/// A code's state.
#[must_use]
pub fn code(state: &CodeStateView) -> Html {
    let (tone, text) = match state {
        CodeStateView::Creating => (Tone::Wait, "Being made"),
        CodeStateView::Active => (Tone::Good, "Active"),
        CodeStateView::Changed => (Tone::Wait, "Changed in the shop"),
        CodeStateView::Failed => (Tone::Bad, "Failed"),
        CodeStateView::Deactivated => (Tone::Plain, "Switched off"),
        CodeStateView::Gone => (Tone::Bad, "Gone from the shop"),
    };
    ui::badge(&tone, text)
}

/// The state of a fee, a payout, a line of one, a follow-up.
#[must_use]
pub fn state(state: &str) -> Html {
    let (tone, text) = match state {
        "draft" => (Tone::Wait, "Draft"),
        "approved" => (Tone::Good, "Approved"),
        "cancelled" => (Tone::Plain, "Cancelled"),
        "in_payout" => (Tone::Wait, "On its way"),
        "settled" => (Tone::Good, "Arrived"),
        "failed" => (Tone::Bad, "Came back"),
        "planned" => (Tone::Wait, "Planned"),
        "due" => (Tone::Wait, "Due"),
        "posted" => (Tone::Good, "Posted"),
        "open" => (Tone::Wait, "Open"),
        "overdue" => (Tone::Bad, "Overdue"),
        "done" => (Tone::Good, "Done"),
        other => (Tone::Plain, other),
    };
    ui::badge(&tone, text)
}

/// Why somebody isn't paid with a payout.
#[must_use]
pub fn skipped(reason: &str) -> &str {
    match reason {
        "no_payment_details" => "No payment details yet",
        "details_changed" => "Payment details changed lately: they wait two days",
        "below_minimum" => "Below the minimum",
        "too_many" => "Comes with the next payout",
        other => other,
    }
}

/// Why a draft would leave somebody out.
#[must_use]
pub fn held(reason: &str) -> Html {
    let tone = if reason == "no_payment_details" { Tone::Bad } else { Tone::Wait };
    let text = if reason == "nothing_available" { "Nothing available" } else { skipped(reason) };
    ui::badge(&tone, text)
}

/// How somebody is paid.
#[must_use]
pub fn way(method: Option<&str>) -> &str {
    match method {
        None => "–",
        Some("paypal") => "PayPal",
        Some("iban") => "Bank, IBAN",
        Some("ach") => "Bank, ACH",
        Some(other) => other,
    }
}

/// What an entry of the books is about.
#[must_use]
pub fn entry(cause: &str) -> &str {
    match cause {
        "payout" => "Left with the payout",
        "settlement" => "What became of it",
        other => other,
    }
}

/// A creator's account in the books.
#[must_use]
pub fn account(account: &str) -> &str {
    match account {
        "available" => "Available",
        "in_payout" => "On its way",
        "paid" => "Paid",
        other => other,
    }
}

/// What kind of evidence an order had.
#[must_use]
pub fn method(method: &Method) -> &'static str {
    match method {
        Method::Code => "Discount code",
        Method::Link => "Link",
        Method::Hand => "By hand",
        Method::Journey => "What the shop saw of the visits before",
        Method::Affiliate => "Other affiliate programme",
    }
}

/// Why an order is somebody's, or a candidate isn't whose it is.
#[must_use]
pub fn reason(reason: &Reason) -> &'static str {
    match reason {
        Reason::Won => "It decided the order.",
        Reason::LowerPrecedence => "Another kind of evidence comes first by the brand’s rules.",
        Reason::OlderClick => "Another click counts by the brand’s rules.",
        Reason::SmallerDiscount => "Another code gave the larger discount.",
        Reason::OutsideWindow => "The click was too long before the order.",
        Reason::BadSignature => "The click id isn’t one of ours.",
        Reason::NotACodeApplication => "The discount wasn’t given by a code.",
        Reason::DealClosed => "The deal was closed when the order was placed.",
        Reason::SelfPurchase => "The creator bought it herself.",
        Reason::TestOrder => "It is a test order, and those don’t count.",
        Reason::UnknownCode => "The code belongs to no deal.",
        Reason::BeforeTerms => "No terms held yet when the order was placed.",
        Reason::UnknownLink => "The link isn’t known.",
        Reason::NoCandidate => "Nothing in the order points to a creator.",
        Reason::Moved => "Somebody moved the order by hand.",
        Reason::UnknownAffiliate => "The other programme’s affiliate is no creator’s here.",
        Reason::RejectedElsewhere => "The other programme rejected the order.",
    }
}

/// Kinds of deals: the API's word, and ours.
pub const DEAL_KINDS: [(DealKind, &str, &str); 6] = [
    (DealKind::Affiliate, "affiliate", "Affiliate"),
    (DealKind::Gifting, "gifting", "Gifting"),
    (DealKind::Paid, "paid", "Paid"),
    (DealKind::Ambassador, "ambassador", "Ambassador"),
    (DealKind::Giveaway, "giveaway", "Giveaway"),
    (DealKind::UsageRights, "usage_rights", "Usage rights"),
];

/// A kind of deal: the API's word, and ours.
#[must_use]
pub fn deal_kind(kind: &DealKind) -> (&'static str, &'static str) {
    let found = DEAL_KINDS.iter().find(|(known, ..)| known == kind);
    found.map_or(("affiliate", "Affiliate"), |(_, word, ours)| (word, ours))
}

/// Platforms: the API's word, and ours.
pub const PLATFORMS: [(&str, &str); 10] = [
    ("instagram", "Instagram"),
    ("tiktok", "TikTok"),
    ("youtube", "YouTube"),
    ("facebook", "Facebook"),
    ("x", "X"),
    ("pinterest", "Pinterest"),
    ("twitch", "Twitch"),
    ("blog", "Blog"),
    ("podcast", "Podcast"),
    ("other", "Elsewhere"),
];

/// A platform's name.
#[must_use]
pub fn platform(platform: &Platform) -> &'static str {
    crate::web::pages::creator::words::platform(*platform)
}

/// How it stands with a creator's own side.
#[must_use]
pub fn invitation(state: &str) -> Html {
    let (tone, text) = match state {
        "connected" => (Tone::Good, "She signs in"),
        "accepted" => (Tone::Good, "Accepted"),
        "waiting" => (Tone::Wait, "Invited"),
        "expired" => (Tone::Bad, "Ran out"),
        _ => (Tone::Plain, "Not invited"),
    };
    ui::badge(&tone, text)
}

/// The state of an offer of terms, or of what a creator asks for.
#[must_use]
pub fn offer(state: &str) -> Html {
    let (tone, text) = match state {
        "waiting" => (Tone::Wait, "Waits for an answer"),
        "accepted" => (Tone::Good, "Accepted"),
        "declined" => (Tone::Plain, "Declined"),
        "withdrawn" => (Tone::Plain, "Withdrawn"),
        other => (Tone::Plain, other),
    };
    ui::badge(&tone, text)
}

/// Where a dispute stands.
#[must_use]
pub fn dispute(state: &DisputeState) -> Html {
    let (tone, text) = match state {
        DisputeState::Open => (Tone::Wait, "Open"),
        DisputeState::Won => (Tone::Good, "Won"),
        DisputeState::Lost => (Tone::Bad, "Lost"),
    };
    ui::badge(&tone, text)
}
