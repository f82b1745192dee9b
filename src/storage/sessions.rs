//! Signing in and being signed in: begun sign-ins, people, sessions, passkeys, recovery codes.
//!
//! None of it is a brand's: it belongs to a person, and what she may do for which brand is read
//! with her session, each time.

use super::{Database, Reading, Statement, bind, row, spelling, statements};
use crate::domain::ids::{AuditId, BrandId, CreatorId, MemberId, PasskeyId, PersonId, SessionId};
use crate::domain::session::{Role, session_ms};
use crate::domain::time::Millis;

statements! {
    /// Whether the address is anybody's isn't looked at: both cost the same.
    BEGIN = "
INSERT INTO sign_ins (browser_hash, token_hash, code_hash, email, invitation_hash, created_at_ms,
  expires_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

    BY_TOKEN = "
SELECT browser_hash, email, code_hash, invitation_hash, expires_at_ms, uses FROM sign_ins
WHERE token_hash = ?1";

    BY_BROWSER = "
SELECT browser_hash, email, code_hash, invitation_hash, expires_at_ms, uses FROM sign_ins
WHERE browser_hash = ?1";

    /// Spent once: a second time would set uses to 2, which its CHECK refuses.
    SPEND = "UPDATE sign_ins SET uses = uses + 1 WHERE browser_hash = ?1";

    FIND_PERSON = "SELECT id FROM people WHERE email = ?1";

    INSERT_PERSON = "INSERT INTO people (id, email, created_at_ms) VALUES (?1, ?2, ?3)";

    /// Aborts the batch, by a NULL that the table refuses, unless a brand has the person ?1 by now.
    BELONGS = "
INSERT INTO people (id) SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM members WHERE person_id = ?1)
  AND NOT EXISTS (SELECT 1 FROM creators WHERE person_id = ?1)";

    /// The person with the address ?7 signs in.
    INSERT_SESSION = "
INSERT INTO sessions (secret_hash, id, person_id, device, created_at_ms, last_seen_at_ms, factors)
SELECT ?1, ?2, id, ?3, ?4, ?4, 1 FROM people WHERE email = ?5";

    FIND = "
SELECT s.secret_hash, s.id, s.person_id, p.email, s.created_at_ms, s.last_seen_at_ms, s.factors,
  s.stepped_up_at_ms, s.challenge, s.challenge_at_ms,
  EXISTS (SELECT 1 FROM passkeys k WHERE k.person_id = s.person_id) AS has_passkey,
  (SELECT json_group_array(json_object('brand_id', m.brand_id, 'id', m.id, 'role', m.role,
      'brand', b.name, 'told', b.webhooks > 0 OR b.automations > 0)) FROM members m JOIN brands b ON b.id = m.brand_id
    WHERE m.person_id = s.person_id) AS members,
  (SELECT json_group_array(json_object('brand_id', c.brand_id, 'id', c.id, 'name', c.name,
      'brand', b.name)) FROM creators c JOIN brands b ON b.id = c.brand_id
    WHERE c.person_id = s.person_id) AS creators
FROM sessions s JOIN people p ON p.id = s.person_id WHERE s.secret_hash = ?1";

    SEEN = "UPDATE sessions SET last_seen_at_ms = max(last_seen_at_ms, ?2) WHERE secret_hash = ?1";

    LIST = "
SELECT id, device, created_at_ms, last_seen_at_ms FROM sessions
WHERE person_id = ?1 AND last_seen_at_ms > ?2 AND created_at_ms > ?3 ORDER BY id DESC LIMIT 200";

    END = "DELETE FROM sessions WHERE person_id = ?1 AND id = ?2";

    /// Aborts the batch unless the person has the session ?2.
    REQUIRE_SESSION = "
INSERT INTO people (id) SELECT NULL
WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE person_id = ?1 AND id = ?2)";

    END_ALL = "DELETE FROM sessions WHERE person_id = ?1";

    /// Before the member ?2 of the brand ?1 goes: what ended while she was one stays ended, and isn't
    /// reckoned by the longer times of creators then.
    END_ENDED = "
DELETE FROM sessions
WHERE person_id = (SELECT person_id FROM members WHERE brand_id = ?1 AND id = ?2)
  AND (last_seen_at_ms <= ?3 OR created_at_ms <= ?4)";

    END_OTHERS = "DELETE FROM sessions WHERE person_id = ?1 AND id <> ?2";

    CHALLENGE = "
UPDATE sessions SET challenge = ?2, challenge_at_ms = ?3 WHERE secret_hash = ?1";

    /// Aborts the batch, by a NULL that the table refuses, unless the session's challenge still waits
    /// and its person has passkeys or none, as ?3 says. A challenge is answered once.
    REQUIRE = "
INSERT INTO people (id) SELECT NULL
WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.secret_hash = ?1 AND s.challenge = ?2
  AND EXISTS (SELECT 1 FROM passkeys k WHERE k.person_id = s.person_id) = ?3)";

    /// With a new secret ?2; the old one is nothing from then on.
    STEP_UP = "
UPDATE sessions SET secret_hash = ?2, factors = 2, stepped_up_at_ms = ?3, challenge = NULL,
  challenge_at_ms = NULL, last_seen_at_ms = ?3
WHERE secret_hash = ?1";

    PASSKEYS = "
SELECT id, name, credential_id, public_key, sign_count, created_at_ms, last_used_at_ms FROM passkeys
WHERE person_id = ?1 ORDER BY id LIMIT 100";

    INSERT_PASSKEY = "
INSERT INTO passkeys (person_id, id, name, credential_id, public_key, sign_count, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

    /// The count only goes up, whichever of two signatures is committed first.
    USE_PASSKEY = "
UPDATE passkeys SET sign_count = max(sign_count, ?3), last_used_at_ms = ?4
WHERE person_id = ?1 AND id = ?2";

    /// Aborts the batch unless the person has the passkey ?2 and another one.
    REQUIRE_TWO = "
INSERT INTO people (id) SELECT NULL
WHERE (SELECT count(*) > 1 AND max(id = ?2) FROM passkeys WHERE person_id = ?1) IS NOT 1";

    DELETE_PASSKEY = "DELETE FROM passkeys WHERE person_id = ?1 AND id = ?2";

    DELETE_PASSKEYS = "DELETE FROM passkeys WHERE person_id = ?1";

    /// ?2 is a JSON list of hashes.
    INSERT_RECOVERY = "
INSERT INTO recovery_codes (person_id, code_hash, created_at_ms)
SELECT ?1, j.value, ?3 FROM json_each(?2) j";

    DELETE_RECOVERY = "DELETE FROM recovery_codes WHERE person_id = ?1";

    FIND_RECOVERY = "
SELECT uses FROM recovery_codes WHERE person_id = ?1 AND code_hash = ?2";

    /// Aborts the batch unless the session ?1 is there, and the code ?2 among its person's.
    REQUIRE_RECOVERY = "
INSERT INTO people (id) SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM sessions s
  JOIN recovery_codes r ON r.person_id = s.person_id WHERE s.secret_hash = ?1 AND r.code_hash = ?2)";

    /// As [`SPEND`].
    USE_RECOVERY = "
UPDATE recovery_codes SET uses = uses + 1, used_at_ms = ?3
WHERE person_id = ?1 AND code_hash = ?2";

    /// In the trail of each brand that the person is a member of, and in her own. ?1 person. Her own,
    /// which no brand has, doesn't say what her devices are called.
    NOTE = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id)
SELECT m.brand_id, ?2, ?3, 'member', m.id, ?4, m.id, ?5 FROM members m WHERE m.person_id = ?1
UNION ALL SELECT ?1, ?2, ?3, 'member', ?1, ?4, ?1, ?5";

    /// What the rows of [`NOTE`] in the brands' trails say of her.
    NOTE_WHAT = "
INSERT INTO audit_members (brand_id, audit_id, member_id, after)
SELECT m.brand_id, ?2, m.id, ?3 FROM members m WHERE m.person_id = ?1";

    /// The same of the operator's doing.
    NOTE_RESET = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id)
SELECT m.brand_id, ?2, ?3, 'operator', '', 'factors.reset', m.id, ?4 FROM members m
WHERE m.person_id = ?1
UNION ALL SELECT ?1, ?2, ?3, 'operator', '', 'factors.reset', ?1, ?4";
}

/// A sign-in that begins.
#[derive(Clone, Copy)]
pub struct NewSignIn<'a> {
    /// Of the secret that the browser keeps.
    pub browser_hash: &'a str,
    /// Of the token in the mail.
    pub token_hash: &'a str,
    /// Of the code in the mail, keyed.
    pub code_hash: &'a str,
    /// Who says to be signing in, as addresses are compared.
    pub email: &'a str,
    /// Of the invitation's token, where one is being accepted.
    pub invitation_hash: Option<&'a str>,
    /// Until when.
    pub expires_at_ms: Millis,
}

/// Begins a sign-in.
#[must_use]
pub fn begin(new: &NewSignIn<'_>, now_ms: Millis) -> Statement {
    bind!(
        BEGIN,
        new.browser_hash,
        new.token_hash,
        new.code_hash,
        new.email,
        new.invitation_hash,
        now_ms,
        new.expires_at_ms,
    )
}

row! {
    /// A sign-in that was begun.
    pub struct SignInRow {
        /// Of the secret that the browser keeps.
        pub browser_hash: String,
        /// Who says to be signing in.
        pub email: String,
        /// Of the code in the mail, keyed.
        pub code_hash: String,
        /// Of the invitation's token, where one is being accepted.
        pub invitation_hash: Option<String>,
        /// Until when.
        pub expires_at_ms: Millis,
        /// How often it was used.
        pub uses: i64,
    }
}

/// The sign-in with this token's hash.
///
/// # Errors
/// [`super::DbError`].
pub fn by_token<'a>(db: &'a dyn Database, hash: &str) -> Reading<'a, Option<SignInRow>> {
    db.first(bind!(BY_TOKEN, hash))
}

/// The sign-in that was begun in the browser with this secret's hash.
///
/// # Errors
/// [`super::DbError`].
pub fn by_browser<'a>(db: &'a dyn Database, hash: &str) -> Reading<'a, Option<SignInRow>> {
    db.first(bind!(BY_BROWSER, hash))
}

/// Spends a sign-in; the batch aborts if it was spent.
#[must_use]
pub fn spend(sign_in: &SignInRow) -> Statement {
    bind!(SPEND, &sign_in.browser_hash)
}

row! {
    /// Just an id.
    pub struct Found {
        /// Whose.
        pub id: PersonId,
    }
}

/// The person with this address.
///
/// # Errors
/// [`super::DbError`].
pub fn person<'a>(db: &'a dyn Database, email: &str) -> Reading<'a, Option<Found>> {
    db.first(bind!(FIND_PERSON, email))
}

/// Makes a person; if the address has one the batch aborts.
#[must_use]
pub fn insert_person(id: PersonId, email: &str, now_ms: Millis) -> Statement {
    bind!(INSERT_PERSON, id, email, now_ms)
}

/// Aborts the batch unless the person is a member or a creator somewhere by now.
#[must_use]
pub fn belongs(id: PersonId) -> Statement {
    bind!(BELONGS, id)
}

/// Signs in the person with this address.
#[must_use]
pub fn insert(
    secret_hash: &str,
    id: SessionId,
    device: &str,
    email: &str,
    now_ms: Millis,
) -> Statement {
    bind!(INSERT_SESSION, secret_hash, id, device, now_ms, email)
}

spelling!(Role { Owner = "owner", Manager = "manager", Viewer = "viewer" });

row! {
    /// A brand that the person is a member of.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Membership {
        /// Which brand.
        pub brand_id: BrandId,
        /// As whom.
        pub id: MemberId,
        /// What she may do.
        pub role: Role,
        /// The brand's name.
        pub brand: String,
        /// Whether an endpoint of the brand listens for events.
        pub told: bool,
    }
    /// A brand that the person is a creator of.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct CreatorSide {
        /// Which brand.
        pub brand_id: BrandId,
        /// As whom.
        pub id: CreatorId,
        /// What the brand calls her.
        pub name: String,
        /// The brand's name.
        pub brand: String,
    }
    /// A session, and all that its person may do.
    pub struct SessionRow {
        /// Of the cookie's secret.
        pub secret_hash: String,
        /// Its id, which stays when the secret changes.
        pub id: SessionId,
        /// Whose.
        pub person_id: PersonId,
        /// Her address.
        pub email: String,
        /// When it began.
        pub created_at_ms: Millis,
        /// When it was last used, to the minute.
        pub last_seen_at_ms: Millis,
        /// 1 or 2.
        pub factors: u16,
        /// When a passkey was last shown.
        pub stepped_up_at_ms: Option<Millis>,
        /// What a passkey is to sign.
        pub challenge: Option<String>,
        /// Since when.
        pub challenge_at_ms: Option<Millis>,
        /// Whether she has one.
        pub has_passkey: bool,
        /// Where she is a member.
        pub members: Vec<Membership>,
        /// Where she is a creator.
        pub creators: Vec<CreatorSide>,
    }
}

/// The session with this secret's hash; it may have ended by its time.
///
/// # Errors
/// [`super::DbError`].
pub fn find<'a>(db: &'a dyn Database, secret_hash: &str) -> Reading<'a, Option<SessionRow>> {
    db.first(bind!(FIND, secret_hash))
}

/// Notes that a session is in use.
#[must_use]
pub fn seen(secret_hash: &str, now_ms: Millis) -> Statement {
    bind!(SEEN, secret_hash, now_ms)
}

row! {
    /// A session as its person sees it.
    pub struct ListedSession {
        /// Its id.
        pub id: SessionId,
        /// `Chrome, Windows`
        pub device: String,
        /// When it began.
        pub created_at_ms: Millis,
        /// When it was last used, to the minute.
        pub last_seen_at_ms: Millis,
    }
}

/// The sessions of this one's person that haven't ended by their time, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    session: &SessionRow,
    now_ms: Millis,
) -> Reading<'a, Vec<ListedSession>> {
    let (idle, longest) = session_ms(!session.members.is_empty());
    db.all(bind!(LIST, session.person_id, now_ms - idle, now_ms - longest))
}

/// Ends a session of the person; the batch aborts if it is none, or ended.
#[must_use]
pub fn end(person: PersonId, id: SessionId) -> Vec<Statement> {
    vec![bind!(REQUIRE_SESSION, person, id), bind!(END, person, id)]
}

/// Lets go of those sessions of a member that have ended by their time, before she is none any more.
#[must_use]
pub fn end_ended(brand: BrandId, member: MemberId, now_ms: Millis) -> Statement {
    let (idle, longest) = session_ms(true);
    bind!(END_ENDED, brand, member, now_ms - idle, now_ms - longest)
}

/// Sets what a passkey is to sign next.
#[must_use]
pub fn challenge(secret_hash: &str, challenge: &str, now_ms: Millis) -> Statement {
    bind!(CHALLENGE, secret_hash, challenge, now_ms)
}

/// Aborts the batch unless this challenge of the session still waits and its person's first passkey
/// isn't a new one.
#[must_use]
pub fn require(session: &SessionRow, challenge: &str) -> Statement {
    bind!(REQUIRE, &session.secret_hash, challenge, session.has_passkey)
}

/// A second factor was shown: the session gets a new secret, and no challenge waits any more.
#[must_use]
pub fn step_up(session: &SessionRow, new_hash: &str, now_ms: Millis) -> Statement {
    bind!(STEP_UP, &session.secret_hash, new_hash, now_ms)
}

row! {
    /// A passkey.
    pub struct PasskeyRow {
        /// Its id.
        pub id: PasskeyId,
        /// What its person calls it.
        pub name: String,
        /// What its authenticator calls it, base64url.
        pub credential_id: String,
        /// x and y on P-256, base64url.
        pub public_key: String,
        /// How often it has signed.
        pub sign_count: u32,
        /// When it was added.
        pub created_at_ms: Millis,
        /// When it was last shown.
        pub last_used_at_ms: Option<Millis>,
    }
}

/// The person's passkeys.
///
/// # Errors
/// [`super::DbError`].
pub fn passkeys(db: &dyn Database, person: PersonId) -> Reading<'_, Vec<PasskeyRow>> {
    db.all(bind!(PASSKEYS, person))
}

/// Adds a passkey; one that is known already, to whomever, aborts the batch.
#[must_use]
pub fn add_passkey(person: PersonId, new: &PasskeyRow) -> Statement {
    bind!(
        INSERT_PASSKEY,
        person,
        new.id,
        &new.name,
        &new.credential_id,
        &new.public_key,
        new.sign_count,
        new.created_at_ms,
    )
}

/// Notes that a passkey signed.
#[must_use]
pub fn use_passkey(person: PersonId, id: PasskeyId, sign_count: u32, now_ms: Millis) -> Statement {
    bind!(USE_PASSKEY, person, id, sign_count, now_ms)
}

/// Removes a passkey and ends the person's sessions but this; for the last one the batch aborts.
#[must_use]
pub fn delete_passkey(session: &SessionRow, id: PasskeyId) -> Vec<Statement> {
    let person = session.person_id;
    vec![
        bind!(REQUIRE_TWO, person, id),
        bind!(DELETE_PASSKEY, person, id),
        bind!(END_OTHERS, person, session.id),
    ]
}

/// Removes all second factors of a person who lost them and ends her sessions, for the operator, and
/// notes it: in her own trail, and in those of the brands that she is a member of.
#[must_use]
pub fn reset(person: PersonId, note: AuditId, request_id: &str, now_ms: Millis) -> Vec<Statement> {
    vec![
        bind!(DELETE_PASSKEYS, person),
        bind!(DELETE_RECOVERY, person),
        bind!(END_ALL, person),
        bind!(NOTE_RESET, person, note, now_ms, request_id),
    ]
}

/// Replaces the person's recovery codes by those with these hashes.
#[must_use]
pub fn set_recovery(person: PersonId, hashes: &[String], now_ms: Millis) -> Vec<Statement> {
    let hashes = super::json_list(hashes);
    vec![bind!(DELETE_RECOVERY, person), bind!(INSERT_RECOVERY, person, hashes, now_ms)]
}

row! {
    /// A recovery code.
    pub struct RecoveryRow {
        /// How often it was used.
        pub uses: i64,
    }
}

/// The recovery code with this hash.
///
/// # Errors
/// [`super::DbError`].
pub fn recovery<'a>(
    db: &'a dyn Database,
    person: PersonId,
    hash: &str,
) -> Reading<'a, Option<RecoveryRow>> {
    db.first(bind!(FIND_RECOVERY, person, hash))
}

/// Spends a recovery code in a session; the batch aborts if the code was spent or replaced, or if the
/// session has another secret by now.
#[must_use]
pub fn use_recovery(session: &SessionRow, hash: &str, now_ms: Millis) -> Vec<Statement> {
    vec![
        bind!(REQUIRE_RECOVERY, &session.secret_hash, hash),
        bind!(USE_RECOVERY, session.person_id, hash, now_ms),
    ]
}

/// Notes what a person did to her own access: in her own trail, and in those of the brands that
/// she is a member of.
#[must_use]
pub fn note(
    person: PersonId,
    id: AuditId,
    action: &'static str,
    request_id: &str,
    after: Option<String>,
    now_ms: Millis,
) -> Vec<Statement> {
    let mut noted = vec![bind!(NOTE, person, id, now_ms, action, request_id)];
    noted.extend(after.map(|after| bind!(NOTE_WHAT, person, id, after)));
    noted
}
