//! The brand's team: members, and invitations of them. Invitations of creators to sign in.

use super::{Database, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{AuditId, BrandId, CreatorId, MemberId};
use crate::domain::session::Role;
use crate::domain::time::Millis;

statements! {
    INSERT = "
INSERT INTO members (brand_id, id, email, role, secret_hash, invited_at_ms, expires_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

    LIST = "
SELECT m.id, m.email, m.role, m.invited_at_ms, m.expires_at_ms, m.joined_at_ms,
  iif(x.bounced_at_ms IS NULL, x.state, 'bounced') AS mail_state, nullif(x.error, '') AS mail_error
FROM members m LEFT JOIN mails x
  ON x.brand_id = m.brand_id AND x.cause = 'invite/' || m.id AND m.person_id IS NULL
WHERE m.brand_id = ?1 AND m.id > ?2 ORDER BY m.id LIMIT ?3";

    FIND = "
SELECT m.id, m.email, m.role, m.invited_at_ms, m.expires_at_ms, m.joined_at_ms,
  iif(x.bounced_at_ms IS NULL, x.state, 'bounced') AS mail_state, nullif(x.error, '') AS mail_error
FROM members m LEFT JOIN mails x
  ON x.brand_id = m.brand_id AND x.cause = 'invite/' || m.id AND m.person_id IS NULL
WHERE m.brand_id = ?1 AND m.id = ?2";

    /// Whom something in the brand's work is mailed to.
    TO_TELL = "
SELECT m.id, m.email, b.name AS brand FROM members m CROSS JOIN brands b ON b.id = m.brand_id
WHERE m.brand_id = ?1 AND m.role IN ('owner', 'manager') AND m.joined_at_ms IS NOT NULL ORDER BY m.id LIMIT 20";

    /// Of one who is what she was when she was looked at.
    SET_ROLE = "
UPDATE members SET role = ?3 WHERE brand_id = ?1 AND id = ?2 AND role = ?4 RETURNING id";

    REMOVE = "DELETE FROM members WHERE brand_id = ?1 AND id = ?2 AND role = ?3 RETURNING id";

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

    /// Whether the address ?1 is a member's, or one's who is invited.
    IS_ANYWHERE = "SELECT id FROM members WHERE email = ?1 LIMIT 1";

    /// Before [`FORGET`], in the trails that it is about. ?2 a row's id, ?3 now, ?4 the request.
    NOTE_FORGET = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id, before)
SELECT p.brand_id, ?2, ?3, 'operator', '', 'person.erase', p.brand_id, ?4,
  json_object('rows', count(*)) FROM audit_members p
WHERE p.member_id IN (SELECT q.member_id FROM audit_members q
    WHERE q.before ->> '$.email' = ?1 OR q.after ->> '$.email' = ?1)
  AND NOT EXISTS (SELECT 1 FROM members m WHERE m.brand_id = p.brand_id AND m.id = p.member_id)
GROUP BY p.brand_id";

    /// What the trails say of former members with the address ?1.
    FORGET = "
DELETE FROM audit_members
WHERE member_id IN (SELECT q.member_id FROM audit_members q
    WHERE q.before ->> '$.email' = ?1 OR q.after ->> '$.email' = ?1)
  AND NOT EXISTS (SELECT 1 FROM members m
    WHERE m.brand_id = audit_members.brand_id AND m.id = audit_members.member_id)";

    FORGET_MAILS = "
DELETE FROM mails
WHERE lower(recipient) = ?1 AND (brand_id = '' OR kind = 'member_invitation')";

    FORGET_SIGN_INS = "DELETE FROM sign_ins WHERE email = ?1";

    FIND_CREATOR_INVITATION = "
SELECT i.brand_id, b.name AS brand, i.creator_id, c.email, p.email AS connected, i.expires_at_ms,
  i.accepted_at_ms, EXISTS (SELECT 1 FROM people q JOIN creators o ON o.person_id = q.id
    WHERE q.email = lower(trim(c.email)) AND o.brand_id = i.brand_id AND o.id <> i.creator_id) AS taken
FROM invitations i JOIN creators c ON c.brand_id = i.brand_id AND c.id = i.creator_id
JOIN brands b ON b.id = i.brand_id LEFT JOIN people p ON p.id = c.person_id
WHERE i.secret_hash = ?1";

    /// The person with the address ?3 becomes the creator ?2. NULL, which aborts, if somebody else is,
    /// if she was erased, or if the invitation ?4 was withdrawn meanwhile.
    CONNECT_CREATOR = "
UPDATE creators SET person_id = people.id,
  name = iif(erased_at_ms IS NULL AND coalesce(person_id, people.id) = people.id
    AND EXISTS (SELECT 1 FROM invitations WHERE secret_hash = ?4 AND brand_id = ?1), name, NULL)
FROM people WHERE people.email = ?3 AND creators.brand_id = ?1 AND creators.id = ?2";
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
    /// Somebody who is told what needs doing.
    #[derive(Debug, Clone)]
    pub struct ToTell {
        /// Who.
        pub id: MemberId,
        /// Where.
        pub email: String,
        /// The brand's name.
        pub brand: String,
    }
}

/// The owners and managers of a brand who joined, twenty at most.
///
/// # Errors
/// [`super::DbError`].
pub fn to_tell(db: &dyn Database, brand: BrandId) -> Reading<'_, Vec<ToTell>> {
    db.all(bind!(TO_TELL, brand))
}

row! {
    /// A member, joined or invited.
    #[derive(Clone)]
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
        /// What became of the mail that invited her, while she is invited.
        pub mail_state: Option<String>,
        /// Why, in words for people.
        pub mail_error: Option<String>,
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

/// Changes what a member may do, unless somebody else just did, and answers a row if so; the last
/// owner stays one, by a trigger that aborts the batch.
#[must_use]
pub fn set_role(brand: BrandId, was: &MemberRow, role: Role) -> Statement {
    bind!(SET_ROLE, brand, was.id, role, was.role)
}

/// Removes a member or withdraws an invitation, as [`set_role`] changes one.
#[must_use]
pub fn remove(brand: BrandId, was: &MemberRow) -> Statement {
    bind!(REMOVE, brand, was.id, was.role)
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
        /// Whether the person with her address is another creator of the brand.
        pub taken: bool,
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
    note: AuditId,
    request_id: &str,
    now_ms: Millis,
) -> Vec<Statement> {
    let (brand, email) = (invitation.brand_id, &invitation.email);
    vec![
        bind!(NOTE_JOIN, brand, secret_hash, email, now_ms, note, request_id),
        bind!(JOIN_BRAND, brand, secret_hash, email, now_ms),
    ]
}

/// Whether somebody with this address is a member of any brand, or invited.
///
/// # Errors
/// [`super::DbError`].
pub fn is_anywhere<'a>(db: &'a dyn Database, email: &str) -> Reading<'a, bool> {
    db.ask(super::Freshness::Primary, bind!(IS_ANYWHERE, email), |rows| Ok(!rows.is_empty()))
}

/// Lets go of what is still told of a former member with this address, and notes that in the trails.
#[must_use]
pub fn forget(email: &str, note: AuditId, request_id: &str, now_ms: Millis) -> Vec<Statement> {
    vec![
        bind!(NOTE_FORGET, email, note, now_ms, request_id),
        bind!(FORGET, email),
        bind!(FORGET_MAILS, email),
        bind!(FORGET_SIGN_INS, email),
    ]
}

/// Makes the person with this address the creator who was invited; if somebody else is it, or the
/// invitation is gone, the batch aborts.
#[must_use]
pub fn connect(
    brand: BrandId,
    creator: CreatorId,
    email: &str,
    invitation_hash: &str,
) -> Statement {
    bind!(CONNECT_CREATOR, brand, creator, email, invitation_hash)
}
