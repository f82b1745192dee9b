//! Payment disputes as Shopify tells them: `disputes/create` and `disputes/update` alike.

use super::payload::{Body, text};
use super::{Unusable, amount};
use crate::domain::dispute::{Dispute, DisputeState};
use crate::domain::order::{Delivery, Report};
use crate::domain::time::{Millis, parse_rfc3339};

/// What a body says of its order: nothing if it names none, or if it is an inquiry, which takes no
/// money away (what the shop gives back then is reported as a refund).
pub(super) fn delivery(body: &Body<'_>) -> Result<Option<Delivery>, Unusable> {
    let id = amount::id(body.id)?.to_string();
    if body.order_id.is_none() || text(&body.kind) == Some("inquiry") {
        return Ok(None);
    }
    let state = match text(&body.status) {
        Some("needs_response" | "under_review") => DisputeState::Open,
        Some("won") => DisputeState::Won,
        // Given up by the shop, by refunding the charge or by not defending it: the money is gone.
        Some("lost" | "accepted" | "charge_refunded") => DisputeState::Lost,
        _ => return Err(Unusable::DisputeStatus),
    };
    let began = text(&body.initiated_at).and_then(parse_rfc3339).ok_or(Unusable::Time)?;
    let at_ms = match (&body.finalized_on, state) {
        (None, _) | (_, DisputeState::Open) => began,
        (ended, _) => text(ended).and_then(day_or_time).ok_or(Unusable::Time)?,
    };
    let external_id = amount::id(body.order_id)?.to_string();
    Ok(Some(Delivery { external_id, report: Report::Dispute(id, Dispute { state, at_ms }) }))
}

/// When a dispute ended: its name says that it is a day, its examples show times.
fn day_or_time(text: &str) -> Option<Millis> {
    parse_rfc3339(text).or_else(|| parse_rfc3339(&format!("{text}T00:00:00Z")))
}
