//! Whether a deal's creator was invited to her own side, and what became of it.

use crate::app::App;
use crate::domain::ids::Deal;
use crate::error::Result;
use crate::storage::access;
use crate::web::extract::{Caller, PathId};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use crate::storage::timeline::{self, Place, Wanted};

use super::deals::find;
use super::view::Time;

view! {
    /// How it stands with a creator's own side.
    pub struct InvitationState {
        /// `none`, `waiting`, `expired`, `accepted` (by a link alone, with the API) or `connected`: she signs in.
        state: &'static str,
        /// When she was invited last, as far as that is kept: an invitation that was taken back isn't.
        #[schema(required)]
        invited_at: Option<Time>,
        /// Until when the one that waits holds.
        #[schema(required)]
        expires_at: Option<Time>,
        #[schema(required)]
        accepted_at: Option<Time>,
    }
}

/// How it stands with the invitation of the deal's creator. She has one side for all her deals with the brand.
#[utoipa::path(get, path = "/v1/deals/{id}/invitation", tag = "deals", security(("api_key" = ["read"])),
    params(("id" = crate::domain::ids::DealId, Path)), responses((status = 200, body = InvitationState)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
) -> Result<Json<InvitationState>> {
    let deal = find(&app, caller.brand, id.0).await?;
    let found = access::standing(app.db(), caller.brand, deal.creator_id).await?;
    // An invitation that she signed in by isn't kept: the trail is.
    let wanted = Wanted {
        actions: vec!["deal.invite", "invitation.accept"],
        notes: false,
        follow_ups: false,
        messages: false,
        posts: false,
        orders: false,
        payouts: false,
    };
    let latest = Place { at_ms: 253_402_300_800_000, id: String::new() };
    let whose = (deal.id, deal.creator_id);
    let trail = timeline::page(app.db(), caller.brand, whose, &wanted, (&latest, 20)).await?;
    let noted =
        |action: &str| trail.iter().find(|item| item.action == action).map(|item| item.key().0);
    let connected = found.iter().any(|row| row.connected);
    let accepted = found
        .iter()
        .filter_map(|row| row.accepted_at_ms)
        .max()
        .or_else(|| noted("invitation.accept"));
    let last =
        found.iter().filter(|row| row.created_at_ms.is_some()).max_by_key(|row| row.created_at_ms);
    let waiting = last.filter(|row| row.accepted_at_ms.is_none());
    let state = match (connected, waiting) {
        (true, _) => "connected",
        (_, Some(row)) if row.expires_at_ms.is_some_and(|at| at > app.now_ms()) => "waiting",
        (_, Some(_)) => "expired",
        (_, None) if accepted.is_some() => "accepted",
        _ => "none",
    };
    Ok(Json(InvitationState {
        state,
        invited_at: last
            .and_then(|row| row.created_at_ms)
            .or_else(|| noted("deal.invite").filter(|_| connected || accepted.is_some()))
            .map(Time),
        expires_at: waiting.filter(|_| !connected).and_then(|row| row.expires_at_ms).map(Time),
        accepted_at: accepted.filter(|_| waiting.is_none() || connected).map(Time),
    }))
}
