//! The brand's team: members, and invitations of them. Invitations of creators to sign in.

use super::{Database, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, CreatorId, MemberId};
use crate::domain::session::Role;
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO members (brand_id, id, email, role, secret_hash, invited_at_ms, expires_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

    LIST = "
SELECT id, email, role, invited_at_ms, expires_at_ms, joined_at_ms FROM members
WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

    FIND = "
SELECT id, email, role, invited_at_ms, expires_at_ms, joined_at_ms FROM members
WHERE brand_id = ?1 AND id = ?2";

    SET_ROLE = "UPDATE members SET role = ?3 WHERE brand_id = ?1 AND id = ?2";

    REMOVE = "DELETE FROM members WHERE brand_id = ?1 AND id = ?2";

    /// An invitation that waits makes room for another to the same address.
    WITHDRAW = "DELETE FROM members WHERE brand_id = ?1 AND email = ?2 AND person_id IS NULL";

    FIND_INVITATION = "
SELECT m.brand_id, b.name AS brand, m.email, m.role, m.expires_at_ms FROM members m
JOIN brands b ON b.id = m.brand_id WHERE m.secret_hash = ?1";

    /// The person with the address ?3 takes the invitation with the hash ?2 up, if it still waits.
    JOIN_BRAND = "
UPDATE members SET person_id = (SELECT id FROM people WHERE email = ?3), joined_at_ms = ?4,
  secret_hash = NULL
WHERE brand_id = ?1 AND secret_hash = ?2 AND email = ?3 AND expires_at_ms > ?4";

    /// Before [`JOIN_BRAND`], in the trail: afterwards nobody could tell which of two batches of one
    /// moment joined.
    NOTE_JOIN = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id, after)
SELECT brand_id, ?5, ?4, 'member', id, 'member.join', id, ?6, json_object('role', role)
FROM members WHERE brand_id = ?1 AND secret_hash = ?2 AND email = ?3 AND expires_at_ms > ?4";

    FIND_CREATOR_INVITATION = "
SELECT i.brand_id, b.name AS brand, i.creator_id, c.email, p.email AS connected, i.expires_at_ms,
  i.accepted_at_ms
FROM invitations i JOIN creators c ON c.brand_id = i.brand_id AND c.id = i.creator_id
JOIN brands b ON b.id = i.brand_id LEFT JOIN people p ON p.id = c.person_id
WHERE i.secret_hash = ?1";

    /// The person with the address ?3 becomes the creator ?2, unless somebody else is.
    CONNECT_CREATOR = "
UPDATE creators SET person_id = (SELECT id FROM people WHERE email = ?3)
WHERE brand_id = ?1 AND id = ?2 AND person_id IS NULL AND erased_at_ms IS NULL";
}

/// An invitation of a member.
pub struct NewMember<'a> {
    /// Her id, now and later.
    pub id: MemberId,
    /// Her address, as addresses are compared.
    pub email: &'a str,
    /// What she may do.
    pub role: Role,
    /// Of the invitation's token.
    pub secret_hash: &'a str,
    /// Until when it holds.
    pub expires_at_ms: Millis,
}

/// Invites a member, in place of an invitation of the same address that waits; one who is a member
/// aborts the batch.
#[must_use]
pub fn invite(brand: BrandId, new: &NewMember<'_>, now_ms: Millis) -> Vec<Statement> {
    vec![
        bind!(WITHDRAW, brand, new.email),
        bind!(
            INSERT,
            brand,
            new.id,
            new.email,
            new.role,
            new.secret_hash,
            now_ms,
            new.expires_at_ms,
        ),
    ]
}

row! {
    /// A member, joined or invited.
    pub struct MemberRow {
        /// Her id.
        pub id: MemberId,
        /// Her address.
        pub email: String,
        /// What she may do.
        pub role: Role,
        /// When she was invited.
        pub invited_at_ms: Millis,
        /// Until when the invitation holds.
        pub expires_at_ms: Millis,
        /// Since when she is a member.
        pub joined_at_ms: Option<Millis>,
    }
}

/// A page of the brand's members.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<MemberRow>> {
    db.all(bind!(LIST, brand, &page.after, page.limit))
}

/// One member of the brand.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, id: MemberId) -> Reading<'_, Option<MemberRow>> {
    db.first(bind!(FIND, brand, id))
}

/// Changes what a member may do; the last owner stays one, by a trigger that aborts the batch.
#[must_use]
pub fn set_role(brand: BrandId, id: MemberId, role: Role) -> Statement {
    bind!(SET_ROLE, brand, id, role)
}

/// Removes a member or withdraws an invitation; the last owner stays, as in [`set_role`].
#[must_use]
pub fn remove(brand: BrandId, id: MemberId) -> Statement {
    bind!(REMOVE, brand, id)
}

row! {
    /// An invitation of a member that waits.
    pub struct MemberInvitation {
        /// To which brand.
        pub brand_id: BrandId,
        /// Its name.
        pub brand: String,
        /// Who is invited.
        pub email: String,
        /// As what.
        pub role: Role,
        /// Until when.
        pub expires_at_ms: Millis,
    }
    /// An invitation of a creator.
    pub struct CreatorInvitation {
        /// By which brand.
        pub brand_id: BrandId,
        /// Its name.
        pub brand: String,
        /// Who is invited.
        pub creator_id: CreatorId,
        /// Her address, if the brand knows it.
        pub email: Option<String>,
        /// The address of the person who is this creator already.
        pub connected: Option<String>,
        /// Until when.
        pub expires_at_ms: Millis,
        /// When it was accepted, if it was.
        pub accepted_at_ms: Option<Millis>,
    }
}

/// The waiting invitation with this hash.
///
/// # Errors
/// [`super::DbError`].
pub fn invitation<'a>(
    db: &'a dyn Database,
    secret_hash: &str,
) -> Reading<'a, Option<MemberInvitation>> {
    db.first(bind!(FIND_INVITATION, secret_hash))
}

/// The invitation of a creator with this hash.
///
/// # Errors
/// [`super::DbError`].
pub fn creator_invitation<'a>(
    db: &'a dyn Database,
    secret_hash: &str,
) -> Reading<'a, Option<CreatorInvitation>> {
    db.first(bind!(FIND_CREATOR_INVITATION, secret_hash))
}

/// Makes the person with the invited address a member, and notes it. An invitation that was
/// withdrawn meanwhile changes nothing.
#[must_use]
pub fn join(
    invitation: &MemberInvitation,
    secret_hash: &str,
    note: crate::domain::ids::AuditId,
    request_id: &str,
    now_ms: Millis,
) -> Vec<Statement> {
    let (brand, email) = (invitation.brand_id, &invitation.email);
    vec![
        bind!(NOTE_JOIN, brand, secret_hash, email, now_ms, note, request_id),
        bind!(JOIN_BRAND, brand, secret_hash, email, now_ms),
    ]
}

/// Makes the person with this address the creator who was invited; whoever is it stays.
#[must_use]
pub fn connect(brand: BrandId, creator: CreatorId, email: &str) -> Statement {
    bind!(CONNECT_CREATOR, brand, creator, email)
}
