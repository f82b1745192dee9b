//! Everything a brand has stored about a creator: telling it, and letting it go.

use super::{Database, DbError, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, CreatorId};
use crate::domain::time::Millis;

statements! {
    /// Of all these: ?1 brand, ?2 creator, ?3 after this key, ?4 limit.
    PROFILE = "
SELECT id AS key, json_object('id', id, 'name', name, 'handle', handle, 'email', email,
  'email_hash', email_hash, 'other_email_hashes', other_hashes, 'niche', niche, 'followers', followers, 'engagement_bp', engagement_bp,
  'tags', json(tags), 'country', country, 'language', language,
  'fields', json((SELECT json_group_object(f.name, j.value) FROM json_each(c.fields) j CROSS JOIN creator_fields f
    ON f.brand_id = ?1 AND f.id = j.key)), 'created_at', strftime('%FT%TZ', created_at_ms / 1000, 'unixepoch'),
  'person_id', person_id, 'erased_at', strftime('%FT%TZ', erased_at_ms / 1000, 'unixepoch'))
  AS record FROM creators c WHERE brand_id = ?1 AND id = ?2 AND id > ?3 ORDER BY id LIMIT ?4";

    HANDLES = "
SELECT platform || '/' || handle_key AS key, json_object('platform', platform, 'handle', handle) AS record
FROM creator_handles WHERE brand_id = ?1 AND creator_id = ?2 AND platform || '/' || handle_key > ?3
ORDER BY key LIMIT ?4";

    /// Who of the brand wrote it is another person's data.
    NOTES = "
SELECT n.id AS key, json_object('id', n.id, 'deal_id', n.deal_id, 'text', n.text,
  'created_at', strftime('%FT%TZ', n.created_at_ms / 1000, 'unixepoch')) AS record
FROM deals d JOIN notes n ON n.brand_id = d.brand_id AND n.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND n.id > ?3 ORDER BY n.id LIMIT ?4";

    FOLLOW_UPS = "
SELECT w.id AS key, json_object('id', w.id, 'deal_id', w.deal_id, 'text', w.text,
  'due_on', date(w.due_day * 86400, 'unixepoch'),
  'done_at', strftime('%FT%TZ', w.done_at_ms / 1000, 'unixepoch')) AS record
FROM deals d JOIN follow_ups w ON w.brand_id = d.brand_id AND w.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND w.id > ?3 ORDER BY w.id LIMIT ?4";

    COSTS = "
SELECT k.id AS key, json_object('id', k.id, 'deal_id', k.deal_id, 'currency', k.currency,
  'product_minor', k.product_minor, 'shipping_minor', k.shipping_minor, 'on', date(k.day * 86400, 'unixepoch'),
  'note', k.note) AS record
FROM deals d JOIN deal_costs k ON k.brand_id = d.brand_id AND k.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND k.id > ?3 ORDER BY k.id LIMIT ?4";

    DEALS = "
SELECT d.id AS key, json_object('id', d.id, 'campaign', c.name, 'stage', d.stage, 'tags', json(d.tags),
  'created_at', strftime('%FT%TZ', d.created_at_ms / 1000, 'unixepoch'),
  'closed_at', strftime('%FT%TZ', d.closed_at_ms / 1000, 'unixepoch')) AS record
FROM deals d JOIN campaigns c ON c.brand_id = d.brand_id AND c.id = d.campaign_id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND d.id > ?3 ORDER BY d.id LIMIT ?4";

    TERMS = "
SELECT t.id AS key, json_object('id', t.id, 'deal_id', t.deal_id, 'rate_bp', t.rate_bp,
  'rules', json(t.rules), 'starts_at', strftime('%FT%TZ', t.starts_at_ms / 1000, 'unixepoch'),
  'ends_at', strftime('%FT%TZ', t.ends_at_ms / 1000, 'unixepoch')) AS record
FROM deals d JOIN terms t ON t.brand_id = d.brand_id AND t.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND t.id > ?3 ORDER BY t.id LIMIT ?4";

    OFFERS = "
SELECT id AS key, json_object('id', id, 'deal_id', deal_id, 'kind', kind, 'document', document, 'hash', hash,
  'note', note, 'state', state, 'answer', answer,
  'created_at', strftime('%FT%TZ', created_at_ms / 1000, 'unixepoch'),
  'decided_at', strftime('%FT%TZ', decided_at_ms / 1000, 'unixepoch')) AS record FROM offers
WHERE brand_id = ?1 AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)
  AND id > ?3 ORDER BY id LIMIT ?4";

    LINKS = "
SELECT l.id AS key, json_object('id', l.id, 'deal_id', l.deal_id, 'host', l.host, 'slug', l.slug,
  'target', l.target, 'created_at', strftime('%FT%TZ', l.created_at_ms / 1000, 'unixepoch')) AS record
FROM deals d JOIN links l ON l.brand_id = d.brand_id AND l.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND l.id > ?3 ORDER BY l.id LIMIT ?4";

    CODES = "
SELECT k.id AS key, json_object('id', k.id, 'deal_id', k.deal_id, 'code', k.code,
  'state', k.state, 'reason', k.reason, 'suggestion', k.suggestion,
  'created_at', strftime('%FT%TZ', k.created_at_ms / 1000, 'unixepoch')) AS record
FROM deals d JOIN codes k ON k.brand_id = d.brand_id AND k.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND k.id > ?3 ORDER BY k.id LIMIT ?4";

    CLICKS = "
SELECT t.link_id || '/' || printf('%08d', t.day) AS key, json_object('link_id', t.link_id,
  'day', date(t.day * 86400, 'unixepoch'), 'total', sum(t.total), 'uniques', sum(t.uniques)) AS record
FROM deals d JOIN links l ON l.brand_id = d.brand_id AND l.deal_id = d.id
JOIN click_days t ON t.brand_id = l.brand_id AND t.link_id = l.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND t.link_id || '/' || printf('%08d', t.day) > ?3
GROUP BY t.link_id, t.day ORDER BY key LIMIT ?4";

    ORDERS = "
SELECT o.id AS key, json_object('id', o.id, 'external_id', o.external_id, 'name', o.name, 'deal_id', o.deal_id,
  'placed_at', strftime('%FT%TZ', o.placed_at_ms / 1000, 'unixepoch'), 'state', o.state,
  'currency', o.currency, 'base_minor', o.base_minor, 'commission_minor', o.commission_minor) AS record
FROM deals d JOIN orders o INDEXED BY orders_by_deal ON o.brand_id = d.brand_id AND o.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND o.id > ?3 ORDER BY o.id LIMIT ?4";

    ENTRIES = "
SELECT printf('%016d', sequence) AS key, json_object('sequence', sequence, 'account', account,
  'currency', currency, 'amount_minor', amount_minor, 'cause', cause, 'cause_id', cause_id,
  'posted_at', strftime('%FT%TZ', posted_at_ms / 1000, 'unixepoch')) AS record FROM entries
WHERE brand_id = ?1 AND creator_id = ?2 AND sequence > CAST(?3 AS INTEGER) ORDER BY sequence LIMIT ?4";

    BALANCES = "
SELECT currency || '/' || account || '/' || day AS key, json_object('currency', currency,
  'account', account, 'day', iif(day = 0, NULL, date(day * 86400, 'unixepoch')),
  'amount_minor', amount_minor) AS record FROM balances
WHERE brand_id = ?1 AND creator_id = ?2 AND currency || '/' || account || '/' || day > ?3
ORDER BY key LIMIT ?4";

    INVITATIONS = "
SELECT id AS key, json_object('id', id, 'deal_id', deal_id,
  'created_at', strftime('%FT%TZ', created_at_ms / 1000, 'unixepoch'),
  'expires_at', strftime('%FT%TZ', expires_at_ms / 1000, 'unixepoch'),
  'accepted_at', strftime('%FT%TZ', accepted_at_ms / 1000, 'unixepoch')) AS record FROM invitations
WHERE brand_id = ?1 AND creator_id = ?2 AND id > ?3 ORDER BY id LIMIT ?4";

    TOKENS = "
SELECT id AS key, json_object('id', id, 'created_at', strftime('%FT%TZ', created_at_ms / 1000, 'unixepoch'),
  'expires_at', strftime('%FT%TZ', expires_at_ms / 1000, 'unixepoch')) AS record FROM creator_tokens
WHERE brand_id = ?1 AND creator_id = ?2 AND id > ?3 ORDER BY id LIMIT ?4";

    /// To the address that she has, and to those that she had before, while the trail names them.
    MAILS = "
SELECT m.id AS key, json_object('id', m.id, 'kind', m.kind,
  'state', iif(m.bounced_at_ms IS NULL, m.state, 'bounced'), 'recipient', m.recipient,
  'created_at', strftime('%FT%TZ', m.created_at_ms / 1000, 'unixepoch')) AS record
FROM mails m WHERE m.brand_id = ?1 AND m.id > ?3 AND lower(m.recipient) IN (
  SELECT lower(trim(email)) FROM creators WHERE brand_id = ?1 AND id = ?2 UNION
  SELECT lower(trim(j.value)) FROM audit_personal p, json_each(json_array(p.before ->> '$.email', p.after ->> '$.email',
    p.before ->> '$.from.email', p.before ->> '$.into.email')) j
  WHERE p.brand_id = ?1 AND j.value IS NOT NULL AND p.creator_id IN
    (SELECT ?2 UNION ALL SELECT id FROM creators WHERE brand_id = ?1 AND merged_into = ?2))
ORDER BY m.id LIMIT ?4";

    /// `sealed` is opened by whoever tells it.
    MESSAGES = "
SELECT m.id AS key, json_object('id', m.id, 'deal_id', m.deal_id, 'direction', m.direction, 'state', m.state,
  'sealed', m.content, 'created_at', strftime('%FT%TZ', m.created_at_ms / 1000, 'unixepoch')) AS record
FROM deals d JOIN messages m ON m.brand_id = d.brand_id AND m.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND m.id > ?3 ORDER BY m.id LIMIT ?4";

    ENROLMENTS = "
SELECT e.id AS key, json_object('id', e.id, 'deal_id', e.deal_id, 'sequence_id', e.sequence_id,
  'state', e.state, 'reason', e.reason, 'steps_sent', e.step,
  'created_at', strftime('%FT%TZ', e.created_at_ms / 1000, 'unixepoch')) AS record
FROM deals d JOIN enrolments e ON e.brand_id = d.brand_id AND e.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND e.id > ?3 ORDER BY e.id LIMIT ?4";

    AUTOMATION_RUNS = "
SELECT r.id AS key, json_object('id', r.id, 'deal_id', r.deal_id, 'automation_id', r.automation_id, 'cause', r.cause,
  'state', r.state, 'reason', r.reason, 'steps', (SELECT json_group_array(json(s.told)) FROM automation_steps s
    WHERE s.brand_id = r.brand_id AND s.run_id = r.id),
  'created_at', strftime('%FT%TZ', r.created_at_ms / 1000, 'unixepoch')) AS record
FROM deals d JOIN automation_runs r ON r.brand_id = d.brand_id AND r.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND r.id > ?3 ORDER BY r.id LIMIT ?4";

    DROP_AUTOMATION_STEPS = "
DELETE FROM automation_steps WHERE brand_id = ?1 AND run_id IN (SELECT r.id FROM automation_runs r
  WHERE r.brand_id = ?1 AND r.deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2))";

    DROP_AUTOMATION_RUNS = "
DELETE FROM automation_runs
WHERE brand_id = ?1 AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    DROP_AUTOMATION_CAUSES = "
DELETE FROM automation_causes
WHERE brand_id = ?1 AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    /// That she wants no messages, which outlives her.
    UNSUBSCRIBED = "
SELECT 'unsubscribed' AS key, json_object('at', strftime('%FT%TZ', u.at_ms / 1000, 'unixepoch')) AS record
FROM creators c JOIN unsubscribes u ON u.brand_id = c.brand_id AND u.email_hash = c.email_hash
WHERE c.brand_id = ?1 AND c.id = ?2 AND 'unsubscribed' > ?3 ORDER BY key LIMIT ?4";

    DROP_MESSAGES = "
DELETE FROM messages
WHERE brand_id = ?1 AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    DROP_CONVERSATIONS = "
DELETE FROM conversations
WHERE brand_id = ?1 AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    DROP_ENROLMENTS = "
DELETE FROM enrolments
WHERE brand_id = ?1 AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    PAYMENT_DETAILS = "
SELECT creator_id AS key, json_object('method', method, 'last4', last4, 'country', country,
  'updated_at', strftime('%FT%TZ', updated_at_ms / 1000, 'unixepoch')) AS record
FROM payment_details WHERE brand_id = ?1 AND creator_id = ?2 AND creator_id > ?3
ORDER BY creator_id LIMIT ?4";

    PAYMENTS = "
SELECT l.id AS key, json_object('id', l.id, 'payout_id', l.payout_id, 'currency', p.currency,
  'amount_minor', l.amount_minor, 'state', l.state, 'reference', l.reference, 'reason', l.reason,
  'settled_at', strftime('%FT%TZ', l.settled_at_ms / 1000, 'unixepoch')) AS record
FROM payout_lines l JOIN payouts p ON p.brand_id = l.brand_id AND p.id = l.payout_id
WHERE l.brand_id = ?1 AND l.creator_id = ?2 AND l.id > ?3 ORDER BY l.id LIMIT ?4";

    CLAIMS = "
SELECT id AS key, json_object('id', id, 'order_number', order_name, 'order_id', order_id,
  'deal_id', deal_id, 'state', state, 'answer', json(answer), 'note', note,
  'created_at', strftime('%FT%TZ', created_at_ms / 1000, 'unixepoch'),
  'decided_at', strftime('%FT%TZ', decided_at_ms / 1000, 'unixepoch'),
  'decision_note', decision_note) AS record
FROM claims WHERE brand_id = ?1 AND creator_id = ?2 AND id > ?3 ORDER BY id LIMIT ?4";

    POSTS = "
SELECT p.id AS key, json_object('id', p.id, 'deal_id', p.deal_id, 'platform', p.platform, 'url', p.url,
  'published_at', strftime('%FT%TZ', p.published_at_ms / 1000, 'unixepoch'), 'reported_by', p.reported_by,
  'measured_at', strftime('%FT%TZ', p.measured_at_ms / 1000, 'unixepoch'), 'impressions', p.impressions,
  'views', p.views, 'likes', p.likes, 'comments', p.comments, 'shares', p.shares,
  'removed_at', strftime('%FT%TZ', p.removed_at_ms / 1000, 'unixepoch')) AS record
FROM deals d JOIN posts p INDEXED BY posts_by_deal ON p.brand_id = d.brand_id AND p.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND p.id > ?3 ORDER BY p.id LIMIT ?4";

    /// What is counted stays, where it was doesn't tell any more.
    CLEAR_POSTS = "
UPDATE posts SET url = '', url_key = id
WHERE brand_id = ?1 AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    FEES = "
SELECT f.id AS key, json_object('id', f.id, 'deal_id', f.deal_id, 'currency', f.currency,
  'amount_minor', f.amount_minor, 'note', f.note, 'state', f.state, 'stage', f.stage,
  'due_on', date(f.due_day * 86400, 'unixepoch'),
  'created_at', strftime('%FT%TZ', f.created_at_ms / 1000, 'unixepoch')) AS record
FROM deals d JOIN fees f INDEXED BY fees_by_deal ON f.brand_id = d.brand_id AND f.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND f.id > ?3 ORDER BY f.id LIMIT ?4";

    SENDINGS = "
SELECT s.reference AS key, json_object('line_id', s.line_id, 'attempt', s.attempt,
  'reference', s.reference, 'state', s.state, 'provider_id', s.batch, 'told', s.told,
  'queued_at', strftime('%FT%TZ', s.queued_at_ms / 1000, 'unixepoch')) AS record
FROM payout_lines l JOIN payout_sendings s ON s.brand_id = l.brand_id AND s.line_id = l.id
WHERE l.brand_id = ?1 AND l.creator_id = ?2 AND s.reference > ?3 ORDER BY s.reference LIMIT ?4";

    AFFILIATES = "
SELECT a.store_id || '/' || a.id AS key, json_object('store_id', a.store_id, 'id', a.id, 'deal_id', a.deal_id,
  'ref_codes', json(a.ref_codes), 'coupons', json(a.coupons), 'status', a.status,
  'commission', a.commission, 'goaffpro', json(a.sums)) AS record
FROM deals d JOIN affiliates a INDEXED BY affiliates_by_deal ON a.brand_id = d.brand_id AND a.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND a.store_id || '/' || a.id > ?3 ORDER BY key LIMIT ?4";

    AFFILIATE_REQUESTS = "
SELECT r.deal_id || '/' || r.store_id AS key, json_object('deal_id', r.deal_id, 'store_id', r.store_id,
  'ref_code', r.ref_code, 'coupon', r.coupon, 'percent', r.percent, 'state', r.state) AS record
FROM deals d JOIN affiliate_requests r ON r.brand_id = d.brand_id AND r.deal_id = d.id
WHERE d.brand_id = ?1 AND d.creator_id = ?2 AND r.deal_id || '/' || r.store_id > ?3
ORDER BY key LIMIT ?4";

    /// Nothing that is read later tells of her again; ref codes and coupons she published lead on.
    CLEAR_AFFILIATES = "
UPDATE affiliates SET name = NULL, email_hash = NULL, status = '', commission = '', sums = '{}',
  erased_at_ms = ?3
WHERE brand_id = ?1 AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    /// By her addresses, before they go: also who was never matched.
    CLEAR_UNMATCHED = "
UPDATE affiliates SET name = NULL, email_hash = NULL, ref_codes = '[]', coupons = '[]', status = '',
  commission = '', sums = '{}', erased_at_ms = ?3
WHERE brand_id = ?1 AND store_id IN (SELECT id FROM stores WHERE brand_id = ?1)
  AND instr((SELECT concat_ws(' ', '', email_hash, other_hashes, '') FROM creators WHERE brand_id = ?1 AND id = ?2),
    ' ' || email_hash || ' ') > 0";

    DROP_REQUESTS = "
DELETE FROM affiliate_requests
WHERE brand_id = ?1 AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    /// Who of the brand did it is another person's data.
    AUDIT = "
SELECT a.id AS key, json_object('id', a.id, 'at', strftime('%FT%TZ', a.at_ms / 1000, 'unixepoch'),
  'actor', a.actor_kind, 'action', a.action, 'subject_id', a.subject_id,
  'before', json(p.before), 'after', json(p.after)) AS record
FROM audit a LEFT JOIN audit_personal p ON p.brand_id = a.brand_id AND p.audit_id = a.id
WHERE a.brand_id = ?1 AND a.subject_id IN
    (SELECT ?2 UNION ALL SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2
     UNION ALL SELECT id FROM creators WHERE brand_id = ?1 AND merged_into = ?2)
  AND a.id > ?3 ORDER BY a.id LIMIT ?4";

    /// ?3 now. NULL, which aborts, while something is owed to her.
    ERASE = "
UPDATE creators SET name = iif(EXISTS (SELECT 1 FROM balances WHERE brand_id = ?1 AND creator_id = ?2
    AND account IN ('pending', 'available', 'in_payout') AND amount_minor > 0), NULL, 'Erased creator'),
  handle = '', email = NULL, email_hash = NULL, other_hashes = NULL, niche = NULL, followers = NULL,
  engagement_bp = NULL, tags = '[]', person_id = NULL, country = NULL, language = NULL, fields = '{}', handle_key = '',
  revision = revision + 1, erased_at_ms = ?3
WHERE brand_id = ?1 AND id = ?2 AND erased_at_ms IS NULL";

    /// Who was merged into her goes with her.
    ERASE_MERGED = "
UPDATE creators SET erased_at_ms = ?3 WHERE brand_id = ?1 AND merged_into = ?2 AND erased_at_ms IS NULL";

    DROP_HANDLES = "DELETE FROM creator_handles WHERE brand_id = ?1 AND creator_id = ?2";

    DROP_NOTES = "
DELETE FROM notes WHERE brand_id = ?1
  AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    DROP_FOLLOW_UPS = "
DELETE FROM follow_ups WHERE brand_id = ?1
  AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    CLEAR_COSTS = "
UPDATE deal_costs SET note = NULL WHERE brand_id = ?1
  AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    DROP_AUDIT_MERGED = "
DELETE FROM audit_personal WHERE brand_id = ?1
  AND creator_id IN (SELECT id FROM creators WHERE brand_id = ?1 AND merged_into = ?2)";

    /// Before her address is gone.
    DROP_MAILS = "
DELETE FROM mails WHERE brand_id = ?1 AND lower(recipient) =
  (SELECT lower(trim(email)) FROM creators WHERE brand_id = ?1 AND id = ?2)";

    /// To addresses that she, or who was merged into her, had before, while the trail names them.
    DROP_EARLIER_MAILS = "
DELETE FROM mails WHERE brand_id = ?1 AND lower(recipient) IN (
  SELECT lower(trim(j.value)) FROM audit_personal p, json_each(json_array(p.before ->> '$.email', p.after ->> '$.email',
    p.before ->> '$.from.email', p.before ->> '$.into.email')) j
  WHERE p.brand_id = ?1 AND j.value IS NOT NULL AND p.creator_id IN
    (SELECT ?2 UNION ALL SELECT id FROM creators WHERE brand_id = ?1 AND merged_into = ?2))";

    /// What would earn for nobody ends; links lead on. Whoever read a deal before reads it again.
    CLOSE_DEALS = "
UPDATE deals SET tags = '[]', closed_at_ms = coalesce(closed_at_ms, ?3), revision = revision + 1
WHERE brand_id = ?1 AND creator_id = ?2";

    /// Nothing is posted for nobody.
    CANCEL_FEES = "
UPDATE fees SET state = 'cancelled', decided_at_ms = ?3
WHERE brand_id = ?1 AND creator_id = ?2 AND state = 'planned'";

    /// What was agreed stays, what people wrote beside it goes.
    CLEAR_OFFERS = "
UPDATE offers SET note = NULL, answer = NULL
WHERE brand_id = ?1 AND deal_id IN (SELECT id FROM deals WHERE brand_id = ?1 AND creator_id = ?2)";

    DROP_TOKENS = "DELETE FROM creator_tokens WHERE brand_id = ?1 AND creator_id = ?2";

    DROP_INVITATIONS = "
DELETE FROM invitations WHERE brand_id = ?1 AND creator_id = ?2 AND accepted_at_ms IS NULL";

    DROP_DETAILS = "DELETE FROM payment_details WHERE brand_id = ?1 AND creator_id = ?2";

    DROP_CLAIMS = "DELETE FROM claims WHERE brand_id = ?1 AND creator_id = ?2";

    DROP_AUDIT = "DELETE FROM audit_personal WHERE brand_id = ?1 AND creator_id = ?2";

    ERASED_AT = "SELECT handle, erased_at_ms, merged_into FROM creators WHERE brand_id = ?1 AND id = ?2";
}

/// The kinds of records about a creator, in the order in which they are told.
const SECTIONS: &[(&str, &str)] = &[
    ("profile", PROFILE),
    ("handle", HANDLES),
    ("note", NOTES),
    ("follow_up", FOLLOW_UPS),
    ("cost", COSTS),
    ("deal", DEALS),
    ("terms", TERMS),
    ("offer", OFFERS),
    ("link", LINKS),
    ("code", CODES),
    ("clicks", CLICKS),
    ("order", ORDERS),
    ("entry", ENTRIES),
    ("balance", BALANCES),
    ("invitation", INVITATIONS),
    ("access_token", TOKENS),
    ("payment_details", PAYMENT_DETAILS),
    ("payment", PAYMENTS),
    ("claim", CLAIMS),
    ("payment_sending", SENDINGS),
    ("fee", FEES),
    ("post", POSTS),
    ("mail", MAILS),
    ("message", MESSAGES),
    ("enrolment", ENROLMENTS),
    ("automation_run", AUTOMATION_RUNS),
    ("unsubscription", UNSUBSCRIBED),
    ("affiliate", AFFILIATES),
    ("affiliate_request", AFFILIATE_REQUESTS),
    ("audit", AUDIT),
];

/// One record about a creator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Of which kind.
    pub kind: &'static str,
    /// It, as JSON.
    pub record: String,
}

row! {
    struct KeyedRecord {
        key: String,
        record: String,
    }
    /// What an erasure looks at first.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ErasedRow {
        /// Her handle, which confirms that she is meant.
        pub handle: String,
        /// When she was erased, if she was.
        pub erased_at_ms: Option<Millis>,
        /// Who goes on as her, if she was merged.
        pub merged_into: Option<CreatorId>,
    }
}

/// Where telling goes on: a section and the key of the last record told.
pub type Place = (usize, String);

/// Records about a creator from a place on, at most `limit`, and where to go on if there may be more.
///
/// # Errors
/// [`DbError`].
pub async fn export(
    db: &dyn Database,
    brand: BrandId,
    creator: CreatorId,
    (from, after): &Place,
    limit: usize,
) -> Result<(Vec<Record>, Option<Place>), DbError> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut batch = Vec::new();
    for (at, (_, sql)) in SECTIONS.iter().enumerate().skip(*from) {
        let after = if at == *from { after.as_str() } else { "" };
        batch.push(bind!(sql, brand, creator, after, most));
    }
    let mut told = Vec::new();
    if batch.is_empty() {
        return Ok((told, None));
    }
    let sections = SECTIONS.iter().enumerate().skip(*from);
    for ((at, (kind, _)), rows) in sections.zip(db.run(batch).await?) {
        for row in rows.all::<KeyedRecord>()? {
            told.push(Record { kind, record: row.record });
            if told.len() >= limit {
                return Ok((told, Some((at, row.key))));
            }
        }
    }
    Ok((told, None))
}

/// Her handle, and whether she was erased.
///
/// # Errors
/// [`DbError`].
pub fn erased(
    db: &dyn Database,
    brand: BrandId,
    creator: CreatorId,
) -> Reading<'_, Option<ErasedRow>> {
    db.first(bind!(ERASED_AT, brand, creator))
}

/// Lets go of who a creator is. Her id stays, which the books name, and what she earned; the
/// addresses and codes she published lead on. While something is owed to her the batch aborts.
#[must_use]
pub fn erase(brand: BrandId, creator: CreatorId, now_ms: Millis) -> Vec<Statement> {
    vec![
        bind!(DROP_MAILS, brand, creator),
        bind!(DROP_EARLIER_MAILS, brand, creator),
        bind!(DROP_MESSAGES, brand, creator),
        bind!(DROP_CONVERSATIONS, brand, creator),
        bind!(DROP_ENROLMENTS, brand, creator),
        bind!(DROP_AUTOMATION_STEPS, brand, creator),
        bind!(DROP_AUTOMATION_RUNS, brand, creator),
        bind!(DROP_AUTOMATION_CAUSES, brand, creator),
        bind!(CLEAR_UNMATCHED, brand, creator, now_ms),
        bind!(CLEAR_AFFILIATES, brand, creator, now_ms),
        bind!(DROP_REQUESTS, brand, creator),
        bind!(ERASE, brand, creator, now_ms),
        bind!(ERASE_MERGED, brand, creator, now_ms),
        bind!(DROP_HANDLES, brand, creator),
        bind!(DROP_NOTES, brand, creator),
        bind!(DROP_FOLLOW_UPS, brand, creator),
        bind!(CLEAR_COSTS, brand, creator),
        bind!(CLOSE_DEALS, brand, creator, now_ms),
        bind!(CANCEL_FEES, brand, creator, now_ms),
        bind!(CLEAR_OFFERS, brand, creator),
        bind!(CLEAR_POSTS, brand, creator),
        bind!(DROP_TOKENS, brand, creator),
        bind!(DROP_INVITATIONS, brand, creator),
        bind!(DROP_DETAILS, brand, creator),
        bind!(DROP_CLAIMS, brand, creator),
        bind!(DROP_AUDIT, brand, creator),
        bind!(DROP_AUDIT_MERGED, brand, creator),
    ]
}
