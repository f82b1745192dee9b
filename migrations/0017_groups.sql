-- Affiliate groups, codes that shops make, and links that apply a code.
CREATE TABLE affiliate_groups (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  name TEXT NOT NULL,
  mode TEXT NOT NULL CHECK (mode IN ('one_discount', 'discount_per_code')),
  rule TEXT NOT NULL CHECK (json_valid(rule)),
  code_pattern TEXT NOT NULL,
  ends_with_deal INTEGER NOT NULL CHECK (ends_with_deal IN (0, 1)),
  discount TEXT,
  problem TEXT NOT NULL DEFAULT '',
  began_at_ms INTEGER NOT NULL,
  archived_at_ms INTEGER,
  revision INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
DROP VIEW code_facts;
DROP TRIGGER codes_insert_version;
DROP TRIGGER codes_update_version;
DROP TRIGGER codes_delete_version;
ALTER TABLE codes DROP COLUMN state;
ALTER TABLE codes ADD COLUMN state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('creating', 'active', 'changed', 'failed', 'deactivated', 'gone'));
ALTER TABLE codes ADD COLUMN counts INTEGER NOT NULL DEFAULT 1 CHECK (counts IN (0, 1));
ALTER TABLE codes ADD COLUMN pending INTEGER NOT NULL DEFAULT 0 CHECK (pending IN (0, 1));
ALTER TABLE codes ADD COLUMN store_id TEXT;
ALTER TABLE codes ADD COLUMN group_id TEXT;
ALTER TABLE codes ADD COLUMN rule TEXT CHECK (json_valid(rule));
ALTER TABLE codes ADD COLUMN base TEXT;
ALTER TABLE codes ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE codes ADD COLUMN discount TEXT;
ALTER TABLE codes ADD COLUMN redeem TEXT;
ALTER TABLE codes ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN suggestion TEXT;
ALTER TABLE codes ADD COLUMN in_store INTEGER CHECK (in_store IN (0, 1));
ALTER TABLE codes ADD COLUMN ends_with_deal INTEGER NOT NULL DEFAULT 0 CHECK (ends_with_deal IN (0, 1));
ALTER TABLE codes ADD COLUMN ended INTEGER NOT NULL DEFAULT 0 CHECK (ended IN (0, 1));
CREATE UNIQUE INDEX codes_by_id ON codes (brand_id, id);
CREATE INDEX codes_by_discount ON codes (brand_id, discount, id) WHERE discount IS NOT NULL;
CREATE INDEX codes_by_group ON codes (brand_id, group_id, id) WHERE group_id IS NOT NULL;
CREATE TRIGGER codes_insert_version AFTER INSERT ON codes WHEN NEW.counts = 1 BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'code', NEW.code_key, json_object('code_key', NEW.code_key, 'deal', NEW.deal_id)); END;
CREATE TRIGGER codes_update_version AFTER UPDATE OF deal_id, counts ON codes WHEN NEW.counts = 1 AND (NEW.counts <> OLD.counts OR NEW.deal_id <> OLD.deal_id) BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'code', NEW.code_key, json_object('code_key', NEW.code_key, 'deal', NEW.deal_id)); END;
CREATE TRIGGER codes_delete_version AFTER DELETE ON codes WHEN OLD.counts = 1 BEGIN UPDATE brands SET version = version + 1 WHERE id = OLD.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (OLD.brand_id, (SELECT version FROM brands WHERE id = OLD.brand_id), 'code', OLD.code_key, NULL); END;
CREATE TRIGGER codes_that_count_stay BEFORE UPDATE OF code_key, counts ON codes WHEN OLD.counts = 1 AND (NEW.counts = 0 OR NEW.code_key <> OLD.code_key) BEGIN SELECT RAISE(ABORT, 'codes_that_count_stay: constraint failed'); END;
CREATE VIEW code_facts AS SELECT c.brand_id, c.code_key, json_object('code_key', c.code_key,
    'deal', json((SELECT d.facts FROM deal_facts d WHERE d.brand_id = c.brand_id AND d.id = c.deal_id))) AS facts
  FROM codes c WHERE c.counts = 1;
ALTER TABLE links ADD COLUMN code_id TEXT;
