-- Who was merged into a creator may have had another address: what she buys with it is bought by herself.
ALTER TABLE creators ADD COLUMN other_hashes TEXT;

DROP TRIGGER creators_version;
CREATE TRIGGER creators_version AFTER UPDATE OF email_hash, other_hashes ON creators WHEN NEW.email_hash IS NOT OLD.email_hash OR NEW.other_hashes IS NOT OLD.other_hashes BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'creator', NEW.id, json_object('email_hash', coalesce(NEW.email_hash || ' ' || NEW.other_hashes, NEW.email_hash, NEW.other_hashes))); END;
DROP VIEW deal_facts;
CREATE VIEW deal_facts AS SELECT d.brand_id, d.id, json_object(
    'deal', d.id, 'creator', d.creator_id, 'closed_at_ms', d.closed_at_ms,
    'email_hash', (SELECT coalesce(c.email_hash || ' ' || c.other_hashes, c.email_hash, c.other_hashes) FROM creators c WHERE c.brand_id = d.brand_id AND c.id = d.creator_id),
    'terms', json((SELECT json_group_array(json_object('id', t.id, 'starts_at_ms', t.starts_at_ms,
        'ends_at_ms', t.ends_at_ms, 'rate', t.rate_bp, 'rules', json(t.rules)) ORDER BY t.starts_at_ms, t.version)
      FROM terms t WHERE t.brand_id = d.brand_id AND t.deal_id = d.id))) AS facts
  FROM deals d;
