//! The audit trail: who changed what, when, by which request, from what to what.
//!
//! A row is written in the batch of its change, so that there is no change without one.

use super::{Database, Page, Param, Reading, Statement, bind, row, statements};
use crate::domain::auth::Actor;
use crate::domain::ids::{AuditId, BrandId, CreatorId, MemberId};
use crate::domain::json::{json, list_of};
use crate::domain::session::Role;
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id,
  before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

    /// As [`INSERT`], of a member who is one as ?11.
    INSERT_OF_MEMBER = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id,
  before, after) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM members
WHERE brand_id = ?1 AND id = ?7 AND role = ?11";

    /// As [`INSERT`], of a key that isn't revoked.
    INSERT_OF_KEY = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id,
  before, after) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM api_keys
WHERE brand_id = ?1 AND id = ?7 AND revoked_at_ms IS NULL";

    /// As [`INSERT`], of a store that isn't closed.
    INSERT_OF_STORE = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id,
  before, after) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM stores
WHERE brand_id = ?1 AND id = ?7 AND closed_at_ms IS NULL";

    INSERT_OF_TIERS = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id,
  before, after) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM tiers
WHERE brand_id = ?1 AND id = ?7 AND ended_at_ms IS NULL";

    /// As [`INSERT`], of a request about shoppers' data that is less far than ?11, or that isn't done
    /// and will be (?12).
    INSERT_OF_REQUEST = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id,
  before, after) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM data_requests
WHERE brand_id = ?1 AND id = ?7 AND (redacted < ?11 OR (done_at_ms IS NULL AND ?12))";

    /// What a row of the trail says of a member, if there is that row.
    INSERT_OF_MEMBERS = "
INSERT INTO audit_members (brand_id, audit_id, member_id, before, after)
SELECT brand_id, id, subject_id, ?3, ?4 FROM audit WHERE brand_id = ?1 AND id = ?2";

    /// As [`INSERT`], for each subject `s` of ?2 a row with the id `i`.
    INSERT_MANY = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id, after)
SELECT ?1, j.value ->> 'i', ?3, ?4, ?5, ?6, j.value ->> 's', ?7, ?8 FROM json_each(?2) j";

    /// Before the key with the hash ?1 is revoked: it tells whose it is.
    INSERT_LEAK = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id)
SELECT brand_id, ?2, ?3, 'key', id, 'key.leak', id, ?4 FROM api_keys
WHERE secret_hash = ?1 AND revoked_at_ms IS NULL";

    /// Nothing of one who was erased.
    INSERT_PERSONAL = "
INSERT INTO audit_personal (brand_id, audit_id, creator_id, before, after)
SELECT ?1, ?2, id, ?4, ?5 FROM creators WHERE brand_id = ?1 AND id = ?3 AND erased_at_ms IS NULL";

    /// ?1 brand, ?2 before id, ?3 limit, ?4 actor or NULL, ?5 action or NULL, ?6 from, ?7 to
    /// (exclusive). Latest first.
    LIST = "
SELECT a.id, a.at_ms, a.actor_kind, a.actor_id, a.action, a.subject_id, a.request_id,
  coalesce(p.before, m.before, a.before) AS before, coalesce(p.after, m.after, a.after) AS after
FROM audit a LEFT JOIN audit_personal p ON p.brand_id = a.brand_id AND p.audit_id = a.id
LEFT JOIN audit_members m ON m.brand_id = a.brand_id AND m.audit_id = a.id
WHERE a.brand_id = ?1 AND a.id < ?2 AND (?4 IS NULL OR a.actor_id = ?4)
  AND (?5 IS NULL OR a.action = ?5) AND a.at_ms >= ?6 AND a.at_ms < ?7 ORDER BY a.id DESC LIMIT ?3";

    /// As [`LIST`], of one subject: ?8.
    LIST_OF = "
SELECT a.id, a.at_ms, a.actor_kind, a.actor_id, a.action, a.subject_id, a.request_id,
  coalesce(p.before, m.before, a.before) AS before, coalesce(p.after, m.after, a.after) AS after
FROM audit a LEFT JOIN audit_personal p ON p.brand_id = a.brand_id AND p.audit_id = a.id
LEFT JOIN audit_members m ON m.brand_id = a.brand_id AND m.audit_id = a.id
WHERE a.brand_id = ?1 AND a.subject_id = ?8 AND a.id < ?2 AND (?4 IS NULL OR a.actor_id = ?4)
  AND (?5 IS NULL OR a.action = ?5) AND a.at_ms >= ?6 AND a.at_ms < ?7 ORDER BY a.id DESC LIMIT ?3";
}

/// Something that was done.
#[derive(Debug, Clone)]
pub struct Done<'a> {
    /// The row's id, later than those before it.
    pub id: AuditId,
    /// Who did it.
    pub actor: Actor,
    /// What: `deal.update`.
    pub action: &'static str,
    /// To what, by its id.
    pub subject: &'a str,
    /// By which request.
    pub request_id: &'a str,
    /// What was there, as JSON.
    pub before: Option<String>,
    /// What is there now, as JSON; secrets never.
    pub after: Option<String>,
}

/// Under which condition a row is written: it stands before the change in the batch of the change,
/// which has the same condition, so that what somebody else has done already isn't noted twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum If {
    /// The subject is a member with this role.
    MemberIs(Role),
    /// The subject is a key that isn't revoked.
    KeyHolds,
    /// The subject is a store that isn't closed.
    StoreIsOpen,
    /// The subject are tiers that haven't ended.
    TiersHold,
    /// The subject is a request of a shop of which fewer orders were worked off, or that isn't done
    /// and will be.
    RequestGoesOn {
        /// So many orders are worked off then.
        redacted: u32,
        /// Whether it is done then.
        done: bool,
    },
}

/// Notes what was done, in the batch that does it. Without a brand it is the operator's to know.
#[must_use]
pub fn note(brand: Option<BrandId>, done: &Done<'_>, now_ms: Millis) -> Statement {
    bind!(
        INSERT,
        brand.map_or_else(|| Param::from(""), Param::from),
        done.id,
        now_ms,
        done.actor.kind(),
        done.actor.id(),
        done.action,
        done.subject,
        done.request_id,
        done.before.as_deref(),
        done.after.as_deref(),
    )
}

/// As [`note`], if the change takes place that follows in the batch.
#[must_use]
pub fn note_if(condition: If, brand: BrandId, done: &Done<'_>, now_ms: Millis) -> Statement {
    let mut statement = note(Some(brand), done, now_ms);
    let sql = match condition {
        If::MemberIs(role) => {
            statement.params.push(role.into());
            INSERT_OF_MEMBER
        }
        If::KeyHolds => INSERT_OF_KEY,
        If::StoreIsOpen => INSERT_OF_STORE,
        If::TiersHold => INSERT_OF_TIERS,
        If::RequestGoesOn { redacted, done } => {
            statement.params.extend([redacted.into(), done.into()]);
            INSERT_OF_REQUEST
        }
    };
    statement.sql = sql.into();
    statement
}

/// Notes what was done to a member, and what it says of her where it can go later.
#[must_use]
pub fn note_of_member(
    condition: Option<If>,
    brand: BrandId,
    (member, mut done): (MemberId, Done<'_>),
    now_ms: Millis,
) -> [Statement; 2] {
    let (before, after) = (done.before.take(), done.after.take());
    let subject = member.to_string();
    let done = Done { subject: &subject, ..done };
    let noted = match condition {
        Some(condition) => note_if(condition, brand, &done, now_ms),
        None => note(Some(brand), &done, now_ms),
    };
    [noted, bind!(INSERT_OF_MEMBERS, brand, done.id, before, after)]
}

/// Notes what was done to many subjects, each with the id of its row.
#[must_use]
pub fn note_many(
    brand: BrandId,
    done: &Done<'_>,
    subjects: &[(AuditId, String)],
    now_ms: Millis,
) -> Statement {
    let one = |(id, subject): &(AuditId, String)| json!({ "i": *id, "s": *subject });
    let list = list_of(&subjects.iter().map(one).collect::<Vec<_>>());
    let (kind, actor, after) = (done.actor.kind(), done.actor.id(), done.after.as_deref());
    bind!(INSERT_MANY, brand, list, now_ms, kind, actor, done.action, done.request_id, after)
}

/// Notes what was done, and what it says of a creator where it goes when she is erased.
#[must_use]
pub fn note_of_creator(
    brand: BrandId,
    mut done: Done<'_>,
    creator: CreatorId,
    now_ms: Millis,
) -> [Statement; 2] {
    let (before, after) = (done.before.take(), done.after.take());
    let personal = bind!(INSERT_PERSONAL, brand, done.id, creator, before, after);
    [note(Some(brand), &done, now_ms), personal]
}

/// Notes that a key stood in an address, in the batch that revokes it for that and before it.
#[must_use]
pub fn note_leak(secret_hash: &str, id: AuditId, request_id: &str, now_ms: Millis) -> Statement {
    bind!(INSERT_LEAK, secret_hash, id, now_ms, request_id)
}

row! {
    /// A row of the trail.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct AuditRow {
        /// Its id.
        pub id: AuditId,
        /// When.
        pub at_ms: Millis,
        /// `operator`, `key`, `creator`, `member` or `job`.
        pub actor_kind: String,
        /// Which; empty for the operator.
        pub actor_id: String,
        /// What was done.
        pub action: String,
        /// To what.
        pub subject_id: String,
        /// By which request.
        pub request_id: String,
        /// What was there, as JSON.
        pub before: Option<String>,
        /// What was there then, as JSON.
        pub after: Option<String>,
    }
}

/// What a list of the trail is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only by this actor, by its id.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only what was done to this.
    pub subject: Option<String>,
    /// At or after.
    pub from_ms: Millis,
    /// Before.
    pub to_ms: Millis,
}

/// A page of the trail, latest first; the page's key is the id of its last row.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    filter: &Filter,
    page: &Page,
) -> Reading<'a, Vec<AuditRow>> {
    // After all ids, whose alphabet ends with z.
    let before = if page.after.is_empty() { "audit_~" } else { &page.after };
    let mut statement = bind!(
        LIST,
        brand,
        before,
        page.limit,
        filter.actor.as_deref(),
        filter.action.as_deref(),
        filter.from_ms,
        filter.to_ms,
    );
    if let Some(subject) = &filter.subject {
        statement.sql = LIST_OF.into();
        statement.params.push(subject.into());
    }
    db.all(statement)
}
