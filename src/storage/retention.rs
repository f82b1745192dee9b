//! What goes by itself after its time.

use super::{Statement, bind, statements};
use crate::domain::time::{DAY_MS, Millis};

statements! {
    TOKENS = "DELETE FROM creator_tokens WHERE expires_at_ms < ?1";

    INVITATIONS = "DELETE FROM invitations WHERE expires_at_ms < ?1";

    /// Members' that nobody took up.
    MEMBERS_INVITED = "DELETE FROM members WHERE person_id IS NULL AND expires_at_ms < ?1";

    KEYS = "DELETE FROM api_keys WHERE revoked_at_ms < ?1 OR expires_at_ms < ?1";

    SIGN_INS = "DELETE FROM sign_ins WHERE expires_at_ms < ?1";

    SESSIONS = "DELETE FROM sessions WHERE created_at_ms < ?1 OR last_seen_at_ms < ?2";

    /// Someone whom no brand has any more.
    PEOPLE = "
DELETE FROM people WHERE created_at_ms < ?1
  AND NOT EXISTS (SELECT 1 FROM members m WHERE m.person_id = people.id)
  AND NOT EXISTS (SELECT 1 FROM creators c WHERE c.person_id = people.id)";

    MAILS_OF_NOBODY = "
DELETE FROM mails WHERE brand_id = '' AND created_at_ms < ?1
  AND NOT EXISTS (SELECT 1 FROM people p WHERE p.email = mails.recipient)";

    SESSIONS_OF_NOBODY = "
DELETE FROM sessions WHERE NOT EXISTS (SELECT 1 FROM people WHERE id = person_id)";

    PASSKEYS_OF_NOBODY = "
DELETE FROM passkeys WHERE NOT EXISTS (SELECT 1 FROM people WHERE people.id = person_id)";

    CODES_OF_NOBODY = "
DELETE FROM recovery_codes WHERE NOT EXISTS (SELECT 1 FROM people WHERE id = person_id)";

    /// Secrets of stores that aren't accepted any more.
    SECRETS = "
UPDATE stores SET previous_secrets = (SELECT json_group_array(json(value))
    FROM json_each(previous_secrets) WHERE json_extract(value, '$.until_ms') > ?1)
WHERE EXISTS (SELECT 1 FROM json_each(previous_secrets)
    WHERE json_extract(value, '$.until_ms') <= ?1)";

    ANSWERS = "DELETE FROM idempotency WHERE created_at_ms < ?1";

    REQUESTS = "DELETE FROM data_requests WHERE done_at_ms < ?1";
}

/// Lets everything go whose time is over. docs/data.md says how long each is kept.
#[must_use]
pub fn sweep(now_ms: Millis) -> Vec<Statement> {
    let before = |days: Millis| now_ms - days * DAY_MS;
    vec![
        bind!(TOKENS, before(30)),
        bind!(INVITATIONS, before(30)),
        bind!(MEMBERS_INVITED, before(30)),
        bind!(KEYS, before(400)),
        bind!(SIGN_INS, now_ms),
        // Sessions end after 14 days at the latest, and a day after their last use.
        bind!(SESSIONS, before(14), before(1)),
        bind!(PEOPLE, before(1)),
        bind!(MAILS_OF_NOBODY, before(1)),
        bind!(SESSIONS_OF_NOBODY),
        bind!(PASSKEYS_OF_NOBODY),
        bind!(CODES_OF_NOBODY),
        bind!(SECRETS, now_ms),
        bind!(ANSWERS, before(30)),
        bind!(REQUESTS, before(400)),
    ]
}
