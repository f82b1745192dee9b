//! API keys, invitations and creators' tokens, by the hash of their text.

use super::{Database, Page, Reading, Statement, bind, json_list, row, statements};
use crate::domain::auth::Scopes;
use crate::domain::ids::{BrandId, CreatorId, DealId, InvitationId, KeyId, TokenId};
use crate::domain::time::Millis;

statements! {
    INSERT_KEY = "
INSERT INTO api_keys (secret_hash, brand_id, id, created_at_ms, name, scopes, expires_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

    FIND_KEY = "
SELECT k.brand_id, k.id, k.scopes, k.expires_at_ms, k.last_used_at_ms, b.money_keys,
  b.webhooks > 0 OR b.automations > 0 AS told
FROM api_keys k JOIN brands b ON b.id = k.brand_id
WHERE k.secret_hash = ?1 AND k.revoked_at_ms IS NULL";

    USE_KEY = "
UPDATE api_keys SET last_used_at_ms = ?3 WHERE brand_id = ?1 AND secret_hash = ?2";

    LIST_KEYS = "
SELECT id, name, scopes, created_at_ms, expires_at_ms, revoked_at_ms, last_used_at_ms
FROM api_keys WHERE brand_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

    SHOW_KEY = "
SELECT id, name, scopes, created_at_ms, expires_at_ms, revoked_at_ms, last_used_at_ms
FROM api_keys WHERE brand_id = ?1 AND id = ?2";

    /// ?3 now. The last key that may make others can't go: revocations becomes 2, which its CHECK
    /// refuses.
    END_KEY = "
UPDATE api_keys SET revoked_at_ms = ?3, revocations = iif(
  ' ' || scopes || ' ' NOT LIKE '% admin %' OR EXISTS (SELECT 1 FROM api_keys o
    WHERE o.brand_id = ?1 AND o.id <> ?2 AND o.revoked_at_ms IS NULL
      AND coalesce(o.expires_at_ms > ?3, 1) AND ' ' || o.scopes || ' ' LIKE '% admin %'), 1, 2)
WHERE brand_id = ?1 AND id = ?2 AND revoked_at_ms IS NULL";

    REVOKE_KEY = "
UPDATE api_keys SET revoked_at_ms = ?2 WHERE secret_hash = ?1 AND revoked_at_ms IS NULL";

    INSERT_INVITATION = "
INSERT INTO invitations (secret_hash, brand_id, id, deal_id, creator_id, created_at_ms,
  expires_at_ms, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)";

    FIND_INVITATION = "
SELECT i.brand_id, i.creator_id, i.expires_at_ms, i.accepted_at_ms, c.name,
  c.person_id IS NOT NULL AS connected FROM invitations i
JOIN creators c ON c.brand_id = i.brand_id AND c.id = i.creator_id WHERE i.secret_hash = ?1";

    /// Spent once: a second acceptance would set revision to 2, which its CHECK refuses.
    ACCEPT_INVITATION = "
UPDATE invitations SET revision = revision + 1, accepted_at_ms = ?3
WHERE secret_hash = ?1 AND brand_id = ?2";

    /// With the invitation ?7 that was just spent: without it, and for one who signs in by now, the
    /// hash is NULL, which aborts.
    INSERT_TOKEN = "
INSERT INTO creator_tokens (secret_hash, brand_id, id, creator_id, created_at_ms, expires_at_ms)
VALUES ((SELECT ?1 FROM invitations i JOIN creators c ON c.brand_id = ?2 AND c.id = i.creator_id
  WHERE i.secret_hash = ?7 AND i.brand_id = ?2 AND i.revision = 1 AND c.person_id IS NULL
    AND c.erased_at_ms IS NULL), ?2, ?3, ?4, ?5, ?6)";

    /// Whoever is invited anew, or signs in by now, needs none of those before.
    WITHDRAW = "
DELETE FROM invitations WHERE brand_id = ?1 AND creator_id = ?2 AND accepted_at_ms IS NULL";

    WITHDRAW_ALL = "
DELETE FROM invitations WHERE brand_id = ?1 AND creator_id IN (SELECT value FROM json_each(?2)) AND accepted_at_ms IS NULL";

    /// With whether she signs in by now, also where none is kept.
    STANDING = "
SELECT c.person_id IS NOT NULL AS connected, i.created_at_ms, i.expires_at_ms, i.accepted_at_ms
FROM creators c LEFT JOIN invitations i INDEXED BY invitations_by_creator
  ON i.brand_id = ?1 AND i.creator_id = c.id WHERE c.brand_id = ?1 AND c.id = ?2";

    END_TOKENS = "DELETE FROM creator_tokens WHERE brand_id = ?1 AND creator_id = ?2";

    FIND_TOKEN = "
SELECT brand_id, creator_id, expires_at_ms FROM creator_tokens WHERE secret_hash = ?1";
}

/// An API key to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewKey<'a> {
    /// Its id.
    pub id: KeyId,
    /// What people call it.
    pub name: &'a str,
    /// What it may do.
    pub scopes: Scopes,
    /// Until when it holds, if not for ever.
    pub expires_at_ms: Option<Millis>,
}

/// Stores an API key's hash.
#[must_use]
pub fn insert_key(
    brand: BrandId,
    secret_hash: &str,
    key: &NewKey<'_>,
    now_ms: Millis,
) -> Statement {
    let scopes = key.scopes.to_text();
    bind!(INSERT_KEY, secret_hash, brand, key.id, now_ms, key.name, scopes, key.expires_at_ms)
}

row! {
    /// What a key opens.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OpenKey {
        /// Which brand.
        pub brand_id: BrandId,
        /// The key's id.
        pub id: KeyId,
        /// What it may do, as storage writes it.
        pub scopes: String,
        /// Until when.
        pub expires_at_ms: Option<Millis>,
        /// When its last use was noted.
        pub last_used_at_ms: Option<Millis>,
        /// Whether the brand lets keys move money.
        pub money_keys: bool,
        /// Whether an endpoint of the brand listens for events.
        pub told: bool,
    }
}

/// What the key with this hash opens, unless it was revoked; it may have expired.
///
/// # Errors
/// [`super::DbError`].
pub fn key<'a>(db: &'a dyn Database, secret_hash: &str) -> Reading<'a, Option<OpenKey>> {
    db.first(bind!(FIND_KEY, secret_hash))
}

/// Notes that a key was used.
#[must_use]
pub fn use_key(brand: BrandId, secret_hash: &str, now_ms: Millis) -> Statement {
    bind!(USE_KEY, brand, secret_hash, now_ms)
}

row! {
    /// An invitation of a creator's, if there is one, and whether she signs in.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct StandingRow {
        /// Whether somebody signs in as her.
        pub connected: bool,
        /// When she was invited.
        pub created_at_ms: Option<Millis>,
        /// Until when she can accept.
        pub expires_at_ms: Option<Millis>,
        /// When she did.
        pub accepted_at_ms: Option<Millis>,
    }
}

/// A creator's invitations that are kept, and whether she signs in.
///
/// # Errors
/// [`super::DbError`].
pub fn standing(
    db: &dyn Database,
    brand: BrandId,
    creator: CreatorId,
) -> Reading<'_, Vec<StandingRow>> {
    db.all(bind!(STANDING, brand, creator))
}

row! {
    /// A key as the brand sees it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct KeyRow {
        /// Its id.
        pub id: KeyId,
        /// What people call it.
        pub name: String,
        /// What it may do, as storage writes it.
        pub scopes: String,
        /// When it was made.
        pub created_at_ms: Millis,
        /// Until when it holds.
        pub expires_at_ms: Option<Millis>,
        /// When it was revoked.
        pub revoked_at_ms: Option<Millis>,
        /// When it was last used, to the hour.
        pub last_used_at_ms: Option<Millis>,
    }
}

/// A page of the brand's keys.
///
/// # Errors
/// [`super::DbError`].
pub fn keys<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<KeyRow>> {
    db.all(bind!(LIST_KEYS, brand, &page.after, page.limit))
}

/// One key of the brand.
///
/// # Errors
/// [`super::DbError`].
pub fn key_row<'a>(db: &'a dyn Database, brand: BrandId, id: KeyId) -> Reading<'a, Option<KeyRow>> {
    db.first(bind!(SHOW_KEY, brand, id))
}

/// Revokes a key at its brand's wish; the last one that may make others aborts the batch.
#[must_use]
pub fn end_key(brand: BrandId, id: KeyId, now_ms: Millis) -> Statement {
    bind!(END_KEY, brand, id, now_ms)
}

/// Revokes a key that leaked, by its hash, whatever else it was good for.
#[must_use]
pub fn revoke_key(secret_hash: &str, now_ms: Millis) -> Statement {
    bind!(REVOKE_KEY, secret_hash, now_ms)
}

/// An invitation to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewInvitation {
    /// Its id.
    pub id: InvitationId,
    /// The deal it was sent from.
    pub deal: DealId,
    /// Who is invited.
    pub creator: CreatorId,
    /// When it was made.
    pub created_at_ms: Millis,
    /// Until when it can be accepted.
    pub expires_at_ms: Millis,
}

/// Stores an invitation's hash.
#[must_use]
pub fn insert_invitation(brand: BrandId, secret_hash: &str, new: &NewInvitation) -> Statement {
    bind!(
        INSERT_INVITATION,
        secret_hash,
        brand,
        new.id,
        new.deal,
        new.creator,
        new.created_at_ms,
        new.expires_at_ms,
    )
}

row! {
    /// An invitation.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct InvitationRow {
        /// Whose brand.
        pub brand_id: BrandId,
        /// Who is invited.
        pub creator_id: CreatorId,
        /// Until when.
        pub expires_at_ms: Millis,
        /// When it was accepted, if it was.
        pub accepted_at_ms: Option<Millis>,
        /// The creator's name.
        pub name: String,
        /// Whether she signs in as a person by now.
        pub connected: bool,
    }
}

/// The invitation with this hash.
///
/// # Errors
/// [`super::DbError`].
pub fn invitation<'a>(
    db: &'a dyn Database,
    secret_hash: &str,
) -> Reading<'a, Option<InvitationRow>> {
    db.first(bind!(FIND_INVITATION, secret_hash))
}

/// A creator's token to be stored.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its id.
    pub id: TokenId,
    /// The hash of its text.
    pub secret_hash: String,
    /// Until when it holds.
    pub expires_at_ms: Millis,
}

/// Spends an invitation; the batch aborts if it was spent.
#[must_use]
pub fn spend_invitation(brand: BrandId, secret_hash: &str, now_ms: Millis) -> Statement {
    bind!(ACCEPT_INVITATION, secret_hash, brand, now_ms)
}

/// Spends an invitation and stores the token it gives, or fails as a whole.
#[must_use]
pub fn accept(
    invitation_hash: &str,
    invitation: &InvitationRow,
    token: &NewToken,
    now_ms: Millis,
) -> Vec<Statement> {
    vec![
        spend_invitation(invitation.brand_id, invitation_hash, now_ms),
        bind!(
            INSERT_TOKEN,
            &token.secret_hash,
            invitation.brand_id,
            token.id,
            invitation.creator_id,
            now_ms,
            token.expires_at_ms,
            invitation_hash,
        ),
    ]
}

/// Withdraws the invitations of a creator that wait.
#[must_use]
pub fn withdraw(brand: BrandId, creator: CreatorId) -> Statement {
    bind!(WITHDRAW, brand, creator)
}

/// Withdraws the invitations of many that wait.
#[must_use]
pub fn withdraw_all(brand: BrandId, creators: &[CreatorId]) -> Statement {
    bind!(WITHDRAW_ALL, brand, json_list(creators))
}

/// Ends a creator's access tokens.
#[must_use]
pub fn end_tokens(brand: BrandId, creator: CreatorId) -> Statement {
    bind!(END_TOKENS, brand, creator)
}

row! {
    /// A creator's token.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct TokenRow {
        /// Whose brand.
        pub brand_id: BrandId,
        /// Whose.
        pub creator_id: CreatorId,
        /// Until when.
        pub expires_at_ms: Millis,
    }
}

/// The token with this hash.
///
/// # Errors
/// [`super::DbError`].
pub fn token<'a>(db: &'a dyn Database, secret_hash: &str) -> Reading<'a, Option<TokenRow>> {
    db.first(bind!(FIND_TOKEN, secret_hash))
}
