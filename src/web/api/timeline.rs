//! A deal's history: everything that is kept of it, in one order.

use crate::app::App;
use crate::domain::ids::{Deal, DealId};
use crate::domain::json::json;
use crate::domain::time::to_rfc3339;
use crate::error::{Error, Result};
use crate::storage::timeline::{self as rows, Item, Place, Wanted};
use crate::web::extract::{Caller, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::json::view;
use crate::web::outreach;

use super::audit::{ActorView, Stored};
use super::view::List;

view! {
    /// Something in a deal's history.
    #[schema(as = TimelineItem)]
    pub struct ItemView {
        /// Its id, of the kind that it has.
        id: String,
        at: String,
        /// One of the kinds that can be asked for.
        kind: &'static str,
        /// Who did it; null where that isn't known.
        #[schema(required)]
        actor: Option<ActorView>,
        /// In words.
        summary: String,
        /// What it is about.
        subject_id: String,
        /// What was there before.
        #[schema(required, value_type = serde_json::Value)]
        before: Stored,
        /// What is told of it.
        #[schema(required, value_type = serde_json::Value)]
        details: Stored,
        /// The mail that went with it, and what became of that.
        #[schema(required, value_type = serde_json::Value)]
        mail: Stored,
    }
}

/// The trail's actions by kind, with words for them.
const ACTIONS: &[(&str, &str, &str)] = &[
    ("deal", "deal.create", "The deal was made"),
    ("deal", "deal.import", "The deal was taken in from a file"),
    ("deal", "deal.update", "The deal was changed"),
    ("stage", "deal.move", "The deal was moved"),
    ("stage", "deal.update", "The deal was moved"),
    ("terms", "terms.create", "New terms"),
    ("terms", "terms.version", "New terms"),
    ("terms", "tiers.reach", "A tier was reached"),
    ("terms", "offer.create", "Terms were offered"),
    ("terms", "offer.answer", "An offer was answered"),
    ("terms", "offer.withdraw", "An offer was withdrawn"),
    ("terms", "request.create", "The creator asked for other terms"),
    ("terms", "request.decide", "A request for other terms was decided"),
    ("link", "link.create", "A link was made"),
    ("link", "link.update", "A link was changed"),
    ("code", "code.create", "A code was made"),
    ("code", "code.made", "A code is in the shop"),
    ("code", "code.found", "A look at the shop found a change of a code"),
    ("code", "code.given_up", "The shop didn't make a code"),
    ("code", "code.retry", "A code was tried again"),
    ("code", "code.switched", "A code was switched in the shop"),
    ("code", "code.not_switched", "A code couldn't be switched in the shop"),
    ("code", "code.update", "A code was changed"),
    ("code", "code.import", "A code was imported"),
    ("invitation", "deal.invite", "The creator was invited"),
    ("invitation", "deal.uninvite", "The invitation was withdrawn"),
    ("invitation", "invitation.accept", "The creator accepted the invitation"),
    ("mail", "deal.invite", "The creator was invited"),
    ("fee", "fee.create", "A fee was agreed"),
    ("fee", "fee.post", "A fee was posted"),
    ("fee", "fee.cancel", "A fee was cancelled"),
    ("cost", "cost.create", "A gift was written down"),
    ("cost", "cost.void", "A gift was voided"),
    ("affiliate", "affiliate.assign", "A GoAffPro affiliate was assigned"),
    ("affiliate", "affiliate.unassign", "A GoAffPro affiliate was taken away"),
    ("affiliate", "affiliate.create", "GoAffPro was asked for an affiliate"),
    ("sequence", "deal.enrol", "A sequence of messages was begun"),
    ("sequence", "deal.unenrol", "A sequence of messages was stopped"),
    ("message", "message.cancel", "A message was cancelled before it went out"),
    ("note", "note.delete", "A note was deleted"),
    ("follow_up", "follow_up.update", "A follow-up was changed"),
];

/// What can be asked for.
const KINDS: &[&str] = &[
    "deal",
    "stage",
    "terms",
    "link",
    "code",
    "invitation",
    "mail",
    "fee",
    "cost",
    "affiliate",
    "note",
    "follow_up",
    "message",
    "sequence",
    "post",
    "order",
    "payout",
];

fn wanted(kinds: &[&str]) -> Wanted {
    let wants = |kind: &str| kinds.contains(&kind);
    let mut actions: Vec<&'static str> = Vec::new();
    for (_, action, _) in ACTIONS.iter().filter(|(kind, ..)| wants(kind)) {
        if !actions.contains(action) {
            actions.push(action);
        }
    }
    Wanted {
        actions,
        notes: wants("note"),
        follow_ups: wants("follow_up"),
        messages: wants("message"),
        posts: wants("post"),
        orders: wants("order"),
        payouts: wants("payout"),
    }
}

/// A stage that a note in the trail tells of.
fn stage(json: Option<&String>) -> Option<String> {
    let value = crate::storage::rows::parse(json?).ok()?;
    value.get("stage")?.as_str().map(str::to_owned)
}

/// Kind and words of an item.
fn words(item: &Item) -> (&'static str, String) {
    let to = stage(item.after.as_ref());
    if let ("deal.move" | "deal.update", Some(to)) = (item.action.as_str(), to) {
        let words = match stage(item.before.as_ref()) {
            Some(from) if from != to => format!("Moved from {from} to {to}"),
            Some(_) if item.action == "deal.move" => format!("Moved within {to}"),
            Some(_) => return ("deal", "The deal was changed".to_owned()),
            None => format!("Moved to {to}"),
        };
        return ("stage", words);
    }
    let known = ACTIONS.iter().find(|(_, action, _)| *action == item.action);
    let (kind, words) = match (item.action.as_str(), known) {
        ("note", _) => ("note", "A note"),
        ("follow_up", _) => ("follow_up", "Something to be done"),
        ("message", _) if direction(item) == Some("in") => ("message", "The creator wrote"),
        ("message", _) => ("message", "A message to the creator"),
        ("post", _) => ("post", "The creator published something"),
        ("order", _) => ("order", "An order"),
        ("payout", _) => ("payout", "A payout for the creator"),
        (_, Some((kind, _, words))) => (*kind, *words),
        _ => ("deal", "Something was done"),
    };
    (kind, words.to_owned())
}

/// Which way a message went.
fn direction(item: &Item) -> Option<&'static str> {
    let told = crate::storage::rows::parse(item.after.as_ref()?).ok()?;
    match told.get("direction")?.as_str()? {
        "in" => Some("in"),
        _ => Some("out"),
    }
}

/// What a message says beside what is known of it, instead of the sealed text.
fn opened(app: &App, item: &mut Item) {
    let Some(sealed) = item.before.take() else { return };
    let mut parts = outreach::opened(app, &item.id, &sealed).unwrap_or_default().into_iter();
    let mut next = || parts.next().filter(|part| !part.is_empty());
    let (subject, text, from, note) = (next(), next(), next(), next());
    let said = json!({ "subject": subject, "text": text, "from": from, "note": note });
    if let (Some(known), Some(said)) = (&mut item.after, said.strip_prefix('{')) {
        known.pop();
        known.push(',');
        known.push_str(said);
    }
}

fn view(app: &App, mut item: Item) -> ItemView {
    if item.action == "message" {
        opened(app, &mut item);
    }
    let (kind, summary) = words(&item);
    let at = to_rfc3339(item.key().0);
    let actor = ActorView::of(item.actor_kind, item.actor_id);
    ItemView {
        at,
        kind,
        actor,
        summary,
        id: item.id,
        subject_id: item.subject_id,
        before: Stored(item.before),
        details: Stored(item.after),
        mail: Stored(item.mail),
    }
}

/// A deal's history, latest first: of all kinds, or of those in `kind`, between commas. A page of some kinds
/// may be short though others follow: only the last has no cursor.
#[utoipa::path(get, path = "/v1/deals/{id}/timeline", tag = "deals", security(("api_key" = ["read"])),
    params(("id" = DealId, Path), ("kind" = Option<String>, Query, description = "`deal`, `stage`, `terms`, \
    `link`, `code`, `invitation`, `mail`, `fee`, `cost`, `affiliate`, `note`, `follow_up`, `message` (in and out), \
    `sequence`, `post`, `order`, `payout`"),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<ItemView>)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
    params: Params,
) -> Result<Json<List<ItemView>>> {
    let params = params.only(&["limit", "cursor", "kind"])?;
    let page = params.page()?;
    let asked: Vec<&str> =
        params.get("kind").map_or_else(|| KINDS.to_vec(), |k| k.split(',').collect());
    if !asked.iter().all(|kind| KINDS.contains(kind)) {
        return Err(Error::invalid("kind", format!("must be one or more of {}", KINDS.join(","))));
    }
    let place = place(&page.after)
        .ok_or_else(|| Error::invalid("cursor", "is none that this list gave"))?;
    let deal = super::deals::find(&app, caller.brand, id.0).await?;
    let whose = (deal.id, deal.creator_id);
    let found =
        rows::page(app.db(), caller.brand, whose, &wanted(&asked), (&place, page.limit)).await?;
    let key = |item: &Item| format!("{}/{}", item.key().0, item.key().1);
    let mut list = List::page(found, &page, key, |item| view(&app, item));
    // The trail calls two kinds by one action.
    list.keep(|item| {
        let mailed = item.mail.0.is_some() && asked.contains(&"mail");
        asked.contains(&item.kind) || mailed
    });
    Ok(Json(list))
}

fn place(cursor: &str) -> Option<Place> {
    if cursor.is_empty() {
        // The year 9999, and after all kinds of ids.
        return Some(Place { at_ms: 253_402_300_800_000, id: String::new() });
    }
    let (at, id) = cursor.split_once('/')?;
    let at_ms = at.parse().ok().filter(|at| (0..=253_402_300_800_000).contains(at))?;
    Some(Place { at_ms, id: id.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_be_asked_for_and_every_action_is_of_one() {
        for (kind, ..) in ACTIONS {
            assert!(KINDS.contains(kind), "{kind}");
        }
        for kind in KINDS {
            let Wanted { actions, notes, follow_ups, messages, posts, orders, payouts } =
                wanted(&[kind]);
            let rows = notes || follow_ups || messages || posts || orders || payouts;
            assert!(!actions.is_empty() || rows, "{kind}");
        }
    }
}
