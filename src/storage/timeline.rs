//! A deal's history, read from what is kept anyway: the trail, notes, follow-ups, messages, posts, orders and
//! payouts. Each source is read backwards from a place by an index, so that a page costs the same however long
//! it is. A new source (runs of automations, say) is a statement here with the columns of [`Item`], a flag of
//! [`Wanted`], and its kind in `web/api/timeline`.

use super::{Database, DbError, Freshness, Statement, bind, row, statements};
use crate::app::Pending;
use crate::domain::ids::{BrandId, CreatorId, DealId, Id, Kind};
use crate::domain::json::json;
use crate::domain::time::Millis;

statements! {
    /// What was done to the deal ?2, its links, codes and fees, and to the deal and its creator as ?6 lists them,
    /// by the actions ?4 (a JSON list), before the id ?3, latest first.
    TRAIL = "
SELECT a.id, a.at_ms, a.actor_kind, a.actor_id, a.action, a.subject_id, coalesce(p.before, a.before) AS before,
  coalesce(p.after, a.after) AS after, CASE a.action WHEN 'deal.invite' THEN
    (SELECT json_object('id', m.id, 'state', iif(m.bounced_at_ms IS NULL, m.state, 'bounced')) FROM mails m
      WHERE m.cause = 'invite/' || (a.after ->> 'invitation_id') AND m.brand_id = ?1) END AS mail
FROM (SELECT value AS id FROM json_each(?6)
    UNION ALL SELECT l.id FROM links l INDEXED BY links_by_deal WHERE l.brand_id = ?1 AND l.deal_id = ?2
    UNION ALL SELECT k.id FROM codes k INDEXED BY codes_by_deal WHERE k.brand_id = ?1 AND k.deal_id = ?2
    UNION ALL SELECT f.id FROM fees f INDEXED BY fees_by_deal WHERE f.brand_id = ?1 AND f.deal_id = ?2) part
CROSS JOIN audit a ON a.brand_id = ?1 AND a.id IN (SELECT b.id FROM audit b INDEXED BY audit_by_subject
    WHERE b.brand_id = ?1 AND b.subject_id = part.id AND b.id < ?3 AND b.action IN (SELECT value FROM json_each(?4))
    ORDER BY b.id DESC LIMIT ?5)
LEFT JOIN audit_personal p ON p.brand_id = ?1 AND p.audit_id = a.id
ORDER BY a.id DESC LIMIT ?5";

    NOTES = "
SELECT id, created_at_ms AS at_ms, author_kind AS actor_kind, author_id AS actor_id, 'note' AS action,
  id AS subject_id, NULL AS before, json_object('text', text, 'contact', json(iif(contact = 1, 'true', 'false')),
  'changed_at', strftime('%FT%TZ', changed_at_ms / 1000, 'unixepoch')) AS after, NULL AS mail
FROM notes WHERE brand_id = ?1 AND deal_id = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4";

    FOLLOW_UPS = "
SELECT id, created_at_ms AS at_ms, '' AS actor_kind, '' AS actor_id, 'follow_up' AS action,
  id AS subject_id, NULL AS before, json_object('text', text, 'due_on', date(due_day * 86400, 'unixepoch'),
  'owner_id', owner_id, 'done_at', strftime('%FT%TZ', done_at_ms / 1000, 'unixepoch')) AS after, NULL AS mail
FROM follow_ups WHERE brand_id = ?1 AND deal_id = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4";

    /// Before the time ?3 and id ?4, by when they were placed.
    ORDERS = "
SELECT id, placed_at_ms AS at_ms, 'store' AS actor_kind, store_id AS actor_id, 'order' AS action,
  id AS subject_id, NULL AS before, json_object('name', name, 'state', state, 'currency', currency,
  'base_minor', base_minor, 'commission_minor', commission_minor) AS after, NULL AS mail
FROM orders INDEXED BY orders_by_deal WHERE brand_id = ?1 AND deal_id = ?2 AND placed_at_ms <= ?3
  AND (placed_at_ms < ?3 OR id < ?4) ORDER BY placed_at_ms DESC, id DESC LIMIT ?5";

    /// What was written to the creator and what came back. `before` is what it says, sealed to its id.
    MESSAGES = "
SELECT id, created_at_ms AS at_ms, iif(direction = 'in', 'creator', '') AS actor_kind, '' AS actor_id,
  'message' AS action, id AS subject_id, content AS before, json_object('direction', direction, 'state', state,
  'reason', reason, 'automatic', json(iif(automatic = 1, 'true', 'false')), 'template_id', template_id,
  'enrolment_id', enrolment_id, 'due_at', strftime('%FT%TZ', due_at_ms / 1000, 'unixepoch'),
  'sent_at', strftime('%FT%TZ', sent_at_ms / 1000, 'unixepoch')) AS after, NULL AS mail
FROM messages WHERE brand_id = ?1 AND deal_id = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4";

    /// Before the time ?3 and id ?4, by when they were published.
    POSTS = "
SELECT id, published_at_ms AS at_ms, reported_by AS actor_kind, '' AS actor_id, 'post' AS action,
  id AS subject_id, NULL AS before, json_object('platform', platform, 'url', url,
  'state', iif(removed_at_ms IS NULL, 'open', 'removed'), 'impressions', impressions, 'views', views,
  'likes', likes, 'comments', comments, 'shares', shares) AS after, NULL AS mail
FROM posts INDEXED BY posts_by_deal WHERE brand_id = ?1 AND deal_id = ?2 AND published_at_ms <= ?3
  AND (published_at_ms < ?3 OR id < ?4) ORDER BY published_at_ms DESC, id DESC LIMIT ?5";

    /// Of the deal's creator: a payout is for all of her deals.
    PAYOUTS = "
SELECT l.id, p.created_at_ms AS at_ms, '' AS actor_kind, '' AS actor_id, 'payout' AS action, l.payout_id AS subject_id,
  NULL AS before, json_object('line_id', l.id, 'state', l.state, 'currency', p.currency,
  'amount_minor', l.amount_minor, 'settled_at', strftime('%FT%TZ', l.settled_at_ms / 1000, 'unixepoch')) AS after,
  NULL AS mail
FROM payout_lines l INDEXED BY payout_lines_by_creator CROSS JOIN payouts p ON p.brand_id = ?1 AND p.id = l.payout_id
WHERE l.brand_id = ?1 AND l.creator_id = ?2 AND l.id < ?3 ORDER BY l.id DESC LIMIT ?4";
}

row! {
    /// Something in a deal's history.
    #[derive(Debug, Clone)]
    pub struct Item {
        /// Its id, of the kind that it has.
        pub id: String,
        /// When.
        pub at_ms: Millis,
        /// Who: `member`, `key`, `store`, …; empty where that isn't kept with it.
        pub actor_kind: String,
        /// Which.
        pub actor_id: String,
        /// What: an action of the trail, or `note`, `follow_up`, `message`, `post`, `order`, `payout`.
        pub action: String,
        /// What it is about.
        pub subject_id: String,
        /// What was there, as JSON.
        pub before: Option<String>,
        /// What is told of it, as JSON.
        pub after: Option<String>,
        /// The mail that went with it, as JSON.
        pub mail: Option<String>,
    }
}

impl Item {
    /// What orders a history: the time, then the id. Of what has an id that tells its time that one
    /// counts, so that the order is the index's.
    #[must_use]
    pub fn key(&self) -> (Millis, &str) {
        let told = made_at(&self.id);
        (told.unwrap_or(self.at_ms), &self.id)
    }
}

/// The time in an id, of what stands in the history by when it was made. Orders and posts stand where they
/// were placed and published.
fn made_at(id: &str) -> Option<Millis> {
    let (prefix, _) = id.rsplit_once('_')?;
    let ms =
        |bytes: [u8; 16]| bytes.iter().take(6).fold(0_i64, |ms, byte| (ms << 8) | i64::from(*byte));
    match prefix {
        "audit" => read::<crate::domain::ids::Audit>(id).map(ms),
        "note" => read::<crate::domain::ids::Note>(id).map(ms),
        "followup" => read::<crate::domain::ids::FollowUp>(id).map(ms),
        "message" => read::<crate::domain::ids::Message>(id).map(ms),
        "line" => read::<crate::domain::ids::PayoutLine>(id).map(ms),
        _ => None,
    }
}

fn read<K: Kind>(id: &str) -> Option<[u8; 16]> {
    id.parse::<Id<K>>().ok().map(Id::bytes)
}

/// Where a page begins: after an item with this time and id.
#[derive(Debug, Clone)]
pub struct Place {
    /// The time.
    pub at_ms: Millis,
    /// The id, empty before everything.
    pub id: String,
}

impl Place {
    /// The id of this kind that everything after the place is below.
    fn bound<K: Kind>(&self) -> String {
        let prefix =
            |text: &str| text.rsplit_once('_').map_or(String::new(), |(p, _)| p.to_owned());
        let first_of = |ms: Millis| {
            let mut bytes = [0_u8; 16];
            let ms = ms.clamp(0, (1 << 48) - 1).to_be_bytes();
            bytes.iter_mut().zip(ms.iter().skip(2)).for_each(|(byte, from)| *byte = *from);
            Id::<K>::from_bytes(bytes).to_string()
        };
        match prefix(&self.id).as_str().cmp(K::PREFIX) {
            std::cmp::Ordering::Equal => self.id.clone(),
            // Of the same moment, ids of this kind come later in the history, or came before.
            std::cmp::Ordering::Greater => first_of(self.at_ms.saturating_add(1)),
            std::cmp::Ordering::Less => first_of(self.at_ms),
        }
    }

    /// Of what stands at its own time: the id that everything of the place's moment is below.
    fn bound_by_time<K: Kind>(&self) -> String {
        match self.id.rsplit_once('_').map_or("", |(prefix, _)| prefix).cmp(K::PREFIX) {
            std::cmp::Ordering::Equal => self.id.clone(),
            std::cmp::Ordering::Greater => format!("{}_~", K::PREFIX),
            std::cmp::Ordering::Less => String::new(),
        }
    }
}

/// What a history is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Actions of the trail.
    pub actions: Vec<&'static str>,
    /// Notes.
    pub notes: bool,
    /// What is to be done.
    pub follow_ups: bool,
    /// Messages, in and out.
    pub messages: bool,
    /// What was published.
    pub posts: bool,
    /// Orders.
    pub orders: bool,
    /// Payouts of the deal's creator.
    pub payouts: bool,
}

/// A page of a deal's history, latest first: at most `limit`.
#[must_use]
pub fn page<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    (deal, creator): (DealId, CreatorId),
    wanted: &Wanted,
    (after, limit): (&Place, i64),
) -> Pending<'a, Result<Vec<Item>, DbError>> {
    use crate::domain::ids::{Audit, FollowUp, Message, Note, Order, PayoutLine, Post};
    let mut batch: Vec<Statement> = Vec::new();
    if !wanted.actions.is_empty() {
        let actions = json!(wanted.actions.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
        let both = json!([deal, creator]);
        batch.push(bind!(TRAIL, brand, deal, after.bound::<Audit>(), actions, limit, both));
    }
    if wanted.notes {
        batch.push(bind!(NOTES, brand, deal, after.bound::<Note>(), limit));
    }
    if wanted.follow_ups {
        batch.push(bind!(FOLLOW_UPS, brand, deal, after.bound::<FollowUp>(), limit));
    }
    if wanted.messages {
        batch.push(bind!(MESSAGES, brand, deal, after.bound::<Message>(), limit));
    }
    if wanted.posts {
        let id = after.bound_by_time::<Post>();
        batch.push(bind!(POSTS, brand, deal, after.at_ms, id, limit));
    }
    if wanted.orders {
        let id = after.bound_by_time::<Order>();
        batch.push(bind!(ORDERS, brand, deal, after.at_ms, id, limit));
    }
    if wanted.payouts {
        batch.push(bind!(PAYOUTS, brand, creator, after.bound::<PayoutLine>(), limit));
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let running = db.run_on(Freshness::Primary, batch);
    Box::pin(async move {
        let mut all: Vec<Item> = Vec::new();
        for rows in running.await? {
            all.extend(rows.all::<Item>()?);
        }
        all.sort_by(|a, b| b.key().cmp(&a.key()));
        all.truncate(most);
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Audit, AuditId, Note, NoteId, Order, OrderId, Post, PostId};

    #[test]
    fn a_place_bounds_each_kind_of_id_by_time_and_then_by_kind() {
        let note = NoteId::new(1000, [5; 10]).to_string();
        let place = Place { at_ms: 1000, id: note.clone() };
        // Of the same moment: audit rows come after notes, payouts' lines too, and of notes those below.
        assert_eq!(place.bound::<Note>(), note);
        assert!(AuditId::new(1000, [255; 10]).to_string() < place.bound::<Audit>());
        assert!(AuditId::new(1001, [0; 10]).to_string() >= place.bound::<Audit>());
        let order = OrderId::from_bytes([1; 16]).to_string();
        let place = Place { at_ms: 1000, id: order.clone() };
        assert!(NoteId::new(1000, [0; 10]).to_string() < place.bound::<Note>());
        assert_eq!(place.bound_by_time::<Order>(), order);
        assert_eq!(place.bound_by_time::<Post>(), "");
        let place = Place { at_ms: 1000, id: PostId::new(1, [1; 10]).to_string() };
        assert_eq!(place.bound_by_time::<Order>(), "order_~");
        let place = Place { at_ms: 1000, id: AuditId::new(1000, [1; 10]).to_string() };
        assert!(NoteId::new(1000, [0; 10]).to_string() >= place.bound::<Note>());
        assert!(NoteId::new(999, [255; 10]).to_string() < place.bound::<Note>());
        assert_eq!(place.bound_by_time::<Order>(), "");
    }
}
