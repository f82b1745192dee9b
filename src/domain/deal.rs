//! Deals; [`super::terms`] are what was agreed in them.

/// The stages of a campaign that names none of its own (CONTRACT.md).
pub const DEFAULT_STAGES: [&str; 6] =
    ["Outreach", "Negotiation", "Awaiting Post", "Posted", "Ambassador", "Lost"];
