-- What proofs need: the tree's hashes in tiles, and the journal of what decides orders.
CREATE TABLE ledger_tiles (
  brand_id TEXT NOT NULL,
  level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 7),
  place INTEGER NOT NULL CHECK (place >= 0),
  hashes TEXT NOT NULL CHECK (length(hashes) BETWEEN 64 AND 16384 AND length(hashes) % 64 = 0),
  PRIMARY KEY (brand_id, level, place)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER ledger_tiles_only_grow BEFORE UPDATE ON ledger_tiles WHEN substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes OR NEW.brand_id <> OLD.brand_id OR NEW.level <> OLD.level OR NEW.place <> OLD.place BEGIN SELECT RAISE(ABORT, 'ledger_tiles are append-only'); END;
CREATE TRIGGER ledger_tiles_never_go BEFORE DELETE ON ledger_tiles BEGIN SELECT RAISE(ABORT, 'ledger_tiles are append-only'); END;
CREATE TRIGGER ledger_seals_insert_once BEFORE INSERT ON ledger_seals WHEN EXISTS (SELECT 1 FROM ledger_seals WHERE brand_id = NEW.brand_id AND size = NEW.size) BEGIN SELECT RAISE(ABORT, 'ledger_seals are append-only'); END;
CREATE TRIGGER ledger_seals_never_change BEFORE UPDATE ON ledger_seals BEGIN SELECT RAISE(ABORT, 'ledger_seals are append-only'); END;
CREATE TRIGGER ledger_seals_never_go BEFORE DELETE ON ledger_seals BEGIN SELECT RAISE(ABORT, 'ledger_seals are append-only'); END;
CREATE TABLE rule_journal (
  brand_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('brand', 'rules', 'creator', 'deal', 'terms', 'code', 'link')),
  subject_id TEXT NOT NULL,
  value TEXT CHECK (json_valid(value)),
  PRIMARY KEY (brand_id, version, kind, subject_id)
) STRICT, WITHOUT ROWID;
INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) SELECT id, version, 'brand', id, json_object('timezone', timezone, 'hold_days', hold_days, 'earn_on', earn_on, 'count_test_orders', count_test_orders) FROM brands;
INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) SELECT r.brand_id, b.version, 'rules', r.starts_at_ms, json_object('starts_at_ms', r.starts_at_ms, 'window_days', r.window_days, 'precedence', r.precedence, 'clicks', r.clicks) FROM attribution_rules r JOIN brands b ON b.id = r.brand_id;
INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) SELECT c.brand_id, b.version, 'creator', c.id, json_object('email_hash', c.email_hash) FROM creators c JOIN brands b ON b.id = c.brand_id WHERE c.email_hash IS NOT NULL;
INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) SELECT d.brand_id, b.version, 'deal', d.id, json_object('deal', d.id, 'creator', d.creator_id, 'closed_at_ms', d.closed_at_ms) FROM deals d JOIN brands b ON b.id = d.brand_id;
INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) SELECT t.brand_id, b.version, 'terms', t.id, json_object('deal', t.deal_id, 'version', t.version, 'terms', json_object('id', t.id, 'starts_at_ms', t.starts_at_ms, 'ends_at_ms', t.ends_at_ms, 'rate', t.rate_bp, 'rules', json(t.rules))) FROM terms t JOIN brands b ON b.id = t.brand_id;
INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) SELECT l.brand_id, b.version, 'link', l.id, json_object('link', l.id, 'slug_key', l.slug_key, 'deal', l.deal_id) FROM links l JOIN brands b ON b.id = l.brand_id;
INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) SELECT k.brand_id, b.version, 'code', k.code_key, json_object('code_key', k.code_key, 'deal', k.deal_id) FROM codes k JOIN brands b ON b.id = k.brand_id;
CREATE TRIGGER rule_journal_insert_once BEFORE INSERT ON rule_journal WHEN EXISTS (SELECT 1 FROM rule_journal WHERE brand_id = NEW.brand_id AND version = NEW.version AND kind = NEW.kind AND subject_id = NEW.subject_id) BEGIN SELECT RAISE(ABORT, 'rule_journal is append-only'); END;
CREATE TRIGGER rule_journal_never_changes BEFORE UPDATE ON rule_journal BEGIN SELECT RAISE(ABORT, 'rule_journal is append-only'); END;
CREATE TRIGGER rule_journal_goes_with_her BEFORE DELETE ON rule_journal WHEN OLD.kind <> 'creator' OR NOT EXISTS (SELECT 1 FROM creators WHERE brand_id = OLD.brand_id AND id = OLD.subject_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'rule_journal is append-only'); END;
DROP TRIGGER brands_version;
CREATE TRIGGER brands_version AFTER UPDATE OF timezone, hold_days, earn_on, count_test_orders ON brands WHEN NEW.timezone <> OLD.timezone OR NEW.hold_days <> OLD.hold_days OR NEW.earn_on <> OLD.earn_on OR NEW.count_test_orders <> OLD.count_test_orders BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.id, (SELECT version FROM brands WHERE id = NEW.id), 'brand', NEW.id, json_object('timezone', NEW.timezone, 'hold_days', NEW.hold_days, 'earn_on', NEW.earn_on, 'count_test_orders', NEW.count_test_orders)); END;
DROP TRIGGER attribution_rules_insert_version;
CREATE TRIGGER attribution_rules_insert_version AFTER INSERT ON attribution_rules BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'rules', NEW.starts_at_ms, json_object('starts_at_ms', NEW.starts_at_ms, 'window_days', NEW.window_days, 'precedence', NEW.precedence, 'clicks', NEW.clicks)); END;
DROP TRIGGER attribution_rules_update_version;
CREATE TRIGGER attribution_rules_update_version AFTER UPDATE ON attribution_rules BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'rules', NEW.starts_at_ms, json_object('starts_at_ms', NEW.starts_at_ms, 'window_days', NEW.window_days, 'precedence', NEW.precedence, 'clicks', NEW.clicks)); END;
DROP TRIGGER attribution_rules_delete_version;
CREATE TRIGGER attribution_rules_delete_version AFTER DELETE ON attribution_rules BEGIN UPDATE brands SET version = version + 1 WHERE id = OLD.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (OLD.brand_id, (SELECT version FROM brands WHERE id = OLD.brand_id), 'rules', OLD.starts_at_ms, NULL); END;
DROP TRIGGER creators_version;
CREATE TRIGGER creators_version AFTER UPDATE OF email_hash ON creators WHEN NEW.email_hash IS NOT OLD.email_hash BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'creator', NEW.id, json_object('email_hash', NEW.email_hash)); END;
DROP TRIGGER deals_version;
CREATE TRIGGER deals_version AFTER UPDATE OF creator_id, closed_at_ms ON deals WHEN NEW.creator_id <> OLD.creator_id OR NEW.closed_at_ms IS NOT OLD.closed_at_ms BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'deal', NEW.id, json_object('deal', NEW.id, 'creator', NEW.creator_id, 'closed_at_ms', NEW.closed_at_ms)); END;
DROP TRIGGER terms_version;
CREATE TRIGGER terms_version AFTER INSERT ON terms BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'terms', NEW.id, json_object('deal', NEW.deal_id, 'version', NEW.version, 'terms', json_object('id', NEW.id, 'starts_at_ms', NEW.starts_at_ms, 'ends_at_ms', NEW.ends_at_ms, 'rate', NEW.rate_bp, 'rules', json(NEW.rules)))); END;
DROP TRIGGER links_insert_version;
CREATE TRIGGER links_insert_version AFTER INSERT ON links BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'link', NEW.id, json_object('link', NEW.id, 'slug_key', NEW.slug_key, 'deal', NEW.deal_id)); END;
DROP TRIGGER links_update_version;
CREATE TRIGGER links_update_version AFTER UPDATE OF deal_id, slug_key ON links BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'link', NEW.id, json_object('link', NEW.id, 'slug_key', NEW.slug_key, 'deal', NEW.deal_id)); END;
DROP TRIGGER links_delete_version;
CREATE TRIGGER links_delete_version AFTER DELETE ON links BEGIN UPDATE brands SET version = version + 1 WHERE id = OLD.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (OLD.brand_id, (SELECT version FROM brands WHERE id = OLD.brand_id), 'link', OLD.id, NULL); END;
DROP TRIGGER codes_insert_version;
CREATE TRIGGER codes_insert_version AFTER INSERT ON codes BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'code', NEW.code_key, json_object('code_key', NEW.code_key, 'deal', NEW.deal_id)); END;
DROP TRIGGER codes_update_version;
CREATE TRIGGER codes_update_version AFTER UPDATE OF deal_id, code_key ON codes BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'code', NEW.code_key, json_object('code_key', NEW.code_key, 'deal', NEW.deal_id)); END;
DROP TRIGGER codes_delete_version;
CREATE TRIGGER codes_delete_version AFTER DELETE ON codes BEGIN UPDATE brands SET version = version + 1 WHERE id = OLD.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (OLD.brand_id, (SELECT version FROM brands WHERE id = OLD.brand_id), 'code', OLD.code_key, NULL); END;
CREATE TRIGGER brands_begin_journal AFTER INSERT ON brands BEGIN INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.id, NEW.version, 'brand', NEW.id, json_object('timezone', NEW.timezone, 'hold_days', NEW.hold_days, 'earn_on', NEW.earn_on, 'count_test_orders', NEW.count_test_orders)); END;
CREATE TRIGGER creators_begin_journal AFTER INSERT ON creators WHEN NEW.email_hash IS NOT NULL BEGIN INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) SELECT id, version, 'creator', NEW.id, json_object('email_hash', NEW.email_hash) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER deals_begin_journal AFTER INSERT ON deals BEGIN INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) SELECT id, version, 'deal', NEW.id, json_object('deal', NEW.id, 'creator', NEW.creator_id, 'closed_at_ms', NEW.closed_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER creators_leave_journal AFTER UPDATE OF erased_at_ms ON creators WHEN NEW.erased_at_ms IS NOT NULL BEGIN DELETE FROM rule_journal WHERE brand_id = NEW.brand_id AND kind = 'creator' AND subject_id = NEW.id; END;
ALTER TABLE orders ADD COLUMN decision_version INTEGER;
