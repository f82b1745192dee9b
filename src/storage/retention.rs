//! What goes by itself after its time.

use super::{Statement, bind, statements};
use crate::domain::ids::AuditId;
use crate::domain::time::{DAY_MS, Millis};

statements! {
    /// Before everything else: how many of what will go, in the trail of each brand that has any. ?1 the
    /// row's id, ?2 now, ?3 30 days ago, ?4 400. (No UNION: D1 takes five SELECTs in one at most.)
    NOTE = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id, before)
WITH n AS MATERIALIZED (SELECT b.id AS brand,
  (SELECT count(*) FROM creator_tokens t WHERE t.brand_id = b.id AND t.expires_at_ms < ?3) AS tokens,
  (SELECT count(*) FROM invitations i WHERE i.brand_id = b.id AND i.expires_at_ms < ?3) AS invitations,
  (SELECT count(*) FROM members m
    WHERE m.brand_id = b.id AND m.person_id IS NULL AND m.expires_at_ms < ?3) AS invited,
  (SELECT count(*) FROM api_keys k
    WHERE k.brand_id = b.id AND (k.revoked_at_ms < ?4 OR k.expires_at_ms < ?4)) AS keys,
  (SELECT count(*) FROM stores s, json_each(s.previous_secrets) j
    WHERE s.brand_id = b.id AND json_extract(j.value, '$.until_ms') <= ?2) AS secrets,
  (SELECT count(*) FROM idempotency a WHERE a.brand_id = b.id AND a.created_at_ms < ?3) AS answers,
  (SELECT count(*) FROM data_requests d WHERE d.brand_id = b.id AND d.done_at_ms < ?4) AS requests,
  (SELECT count(*) FROM audit_members p WHERE p.brand_id = b.id
    AND NOT EXISTS (SELECT 1 FROM members m WHERE m.brand_id = b.id AND m.id = p.member_id)
    AND (SELECT a.at_ms FROM audit a WHERE a.brand_id = b.id AND a.id = p.audit_id) < ?4) AS told,
  (SELECT count(*) FROM automation_runs r INDEXED BY automation_runs_over WHERE r.ended_at_ms < ?4
    AND r.brand_id = b.id AND r.once <> 'first' AND r.once NOT LIKE 'threshold_reached/%') AS runs,
  (SELECT coalesce(sum(u.deals), 0) FROM bulk_actions u INDEXED BY bulk_actions_over WHERE u.finished_at_ms < ?4
    AND u.brand_id = b.id AND EXISTS (SELECT 1 FROM bulk_deals e
      WHERE e.brand_id = u.brand_id AND e.bulk_id = u.id)) AS results
  FROM brands b)
SELECT brand, ?1, ?2, 'job', 'retention', 'retention.sweep', brand, '', json_object(
  'creator_tokens', tokens, 'invitations', invitations, 'members_invited', invited, 'api_keys', keys,
  'store_secrets', secrets, 'first_answers', answers, 'data_requests', requests,
  'audit_of_members', told, 'automation_runs', runs, 'bulk_results', results)
FROM n WHERE tokens + invitations + invited + keys + secrets + answers + requests + told + runs + results > 0";

    /// The same of people, whom no brand has. ?3 a day ago, ?4 14 days. Sessions, passkeys and recovery
    /// codes of people who go aren't counted apart.
    NOTE_PEOPLE = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id, before)
WITH n AS MATERIALIZED (SELECT
  (SELECT count(*) FROM sign_ins WHERE expires_at_ms < ?2) AS sign_ins,
  (SELECT count(*) FROM sessions WHERE created_at_ms < ?4 OR last_seen_at_ms < ?3) AS sessions,
  (SELECT count(*) FROM people WHERE created_at_ms < ?3
    AND NOT EXISTS (SELECT 1 FROM members m WHERE m.person_id = people.id)
    AND NOT EXISTS (SELECT 1 FROM creators c WHERE c.person_id = people.id)) AS people)
SELECT '', ?1, ?2, 'job', 'retention', 'retention.sweep', 'retention', '',
  json_object('sign_ins', sign_ins, 'sessions', sessions, 'people', people)
FROM n WHERE sign_ins + sessions + people > 0";

    /// What the trail says of members who are none any more.
    AUDIT_MEMBERS = "
DELETE FROM audit_members WHERE
  NOT EXISTS (SELECT 1 FROM members m WHERE m.brand_id = audit_members.brand_id AND m.id = member_id)
  AND (SELECT a.at_ms FROM audit a
    WHERE a.brand_id = audit_members.brand_id AND a.id = audit_members.audit_id) < ?1";

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

    HOOK_DELIVERIES = "DELETE FROM webhook_deliveries WHERE created_at_ms < ?1";

    HOOK_EVENTS = "DELETE FROM webhook_events WHERE created_at_ms < ?1";

    /// What automations listened to and was looked at; the last of each brand stays, for it numbers the next.
    CAUSES = "
DELETE FROM automation_causes WHERE state = 'done' AND created_at_ms < ?1 AND sequence <
  (SELECT max(c.sequence) FROM automation_causes c WHERE c.brand_id = automation_causes.brand_id)";

    /// What happened where nothing listens to it any more.
    CAUSES_OF_NOBODY = "
DELETE FROM automation_causes WHERE state = 'waiting'
  AND brand_id IN (SELECT id FROM brands WHERE automations = 0) AND sequence <
  (SELECT max(c.sequence) FROM automation_causes c WHERE c.brand_id = automation_causes.brand_id)";

    ORDERS_OF_NOBODY = "
DELETE FROM automation_orders WHERE brand_id IN (SELECT id FROM brands WHERE automations = 0)";

    /// What the steps of runs did that ended long ago.
    RUN_STEPS = "
DELETE FROM automation_steps WHERE (brand_id, run_id) IN (
  SELECT brand_id, id FROM automation_runs INDEXED BY automation_runs_over WHERE ended_at_ms < ?1)";

    /// Those runs, but for what has to hold for good: that it ran once, or that a threshold was reached.
    RUNS = "
DELETE FROM automation_runs INDEXED BY automation_runs_over WHERE ended_at_ms < ?1
  AND once <> 'first' AND once NOT LIKE 'threshold_reached/%'";

    /// What became of each deal; how many there were of each kind stands in the action.
    BULK_RESULTS = "
DELETE FROM bulk_deals WHERE (brand_id, bulk_id) IN (
  SELECT brand_id, id FROM bulk_actions INDEXED BY bulk_actions_over WHERE finished_at_ms < ?1)";

    /// How many messages went out on a day.
    SENT = "DELETE FROM outreach_days WHERE day < ?1";

    HOOK_SECRETS = "
UPDATE webhook_endpoints SET previous_sealed = NULL, previous_until_ms = NULL
WHERE previous_until_ms <= ?1";

    TASKS_OVER = "DELETE FROM outbox WHERE state <> 'waiting' AND changed_at_ms < ?1";

    /// What comes back every hour or night by itself: each is done like the one before.
    REGULAR_TASKS_OVER = "
DELETE FROM outbox WHERE state <> 'waiting' AND changed_at_ms < ?1 AND state = 'done' AND kind IN
  ('reconcile', 'compare_days', 'ask_journeys', 'look_at_codes', 'look_at_collections',
   'register_webhooks', 'goaffpro_sync')";

    AUTHORIZATIONS = "DELETE FROM store_authorizations WHERE expires_at_ms < ?1";

    REQUESTS = "DELETE FROM data_requests WHERE done_at_ms < ?1";
}

/// Lets everything go whose time is over, and notes how much. docs/data.md says how long each is kept.
#[must_use]
pub fn sweep(note: AuditId, now_ms: Millis) -> Vec<Statement> {
    let before = |days: Millis| now_ms - days * DAY_MS;
    vec![
        bind!(NOTE, note, now_ms, before(30), before(400)),
        bind!(NOTE_PEOPLE, note, now_ms, before(1), before(14)),
        bind!(AUDIT_MEMBERS, before(400)),
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
        bind!(TASKS_OVER, before(30)),
        bind!(REGULAR_TASKS_OVER, before(1)),
        bind!(HOOK_DELIVERIES, before(30)),
        // Deliveries tell what they are of by their events: these go last.
        bind!(HOOK_EVENTS, before(31)),
        bind!(CAUSES, before(90)),
        bind!(CAUSES_OF_NOBODY),
        bind!(ORDERS_OF_NOBODY),
        bind!(RUN_STEPS, before(400)),
        bind!(RUNS, before(400)),
        bind!(BULK_RESULTS, before(400)),
        bind!(SENT, before(400) / DAY_MS),
        bind!(HOOK_SECRETS, now_ms),
        bind!(AUTHORIZATIONS, now_ms),
        bind!(REQUESTS, before(400)),
    ]
}
