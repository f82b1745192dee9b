-- Data protection: creators can be erased, also from what the audit trail says of them; what shops
-- ask about shoppers' data; how far re-wrapping has come.
ALTER TABLE stores ADD COLUMN closed_at_ms INTEGER;
ALTER TABLE creators ADD COLUMN erased_at_ms INTEGER;
CREATE INDEX invitations_by_creator ON invitations (brand_id, creator_id);
CREATE INDEX creator_tokens_by_creator ON creator_tokens (brand_id, creator_id);
CREATE TABLE audit_personal (
  brand_id TEXT NOT NULL,
  audit_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  before TEXT CHECK (json_valid(before)),
  after TEXT CHECK (json_valid(after)),
  PRIMARY KEY (brand_id, audit_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_personal_by_creator ON audit_personal (brand_id, creator_id);
CREATE TRIGGER audit_personal_insert_once BEFORE INSERT ON audit_personal WHEN EXISTS (SELECT 1 FROM audit_personal WHERE brand_id = NEW.brand_id AND audit_id = NEW.audit_id) BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_personal_never_changes BEFORE UPDATE ON audit_personal BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_personal_goes_with_her BEFORE DELETE ON audit_personal WHEN NOT EXISTS (SELECT 1 FROM creators WHERE brand_id = OLD.brand_id AND id = OLD.creator_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
DROP TRIGGER audit_never_changes;
INSERT INTO audit_personal (brand_id, audit_id, creator_id, before, after) SELECT brand_id, id, subject_id, before, after FROM audit WHERE action = 'creator.create';
INSERT INTO audit_personal (brand_id, audit_id, creator_id, before, after) SELECT a.brand_id, a.id, d.creator_id, a.before, a.after FROM audit a JOIN deals d ON d.brand_id = a.brand_id AND d.id = a.subject_id WHERE a.action = 'deal.update';
UPDATE audit SET before = NULL, after = NULL WHERE EXISTS (SELECT 1 FROM audit_personal p WHERE p.brand_id = audit.brand_id AND p.audit_id = audit.id);
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TABLE data_requests (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('data_request', 'customer_redaction', 'shop_redaction')),
  cause TEXT NOT NULL,
  orders TEXT NOT NULL CHECK (json_valid(orders)),
  redacted INTEGER NOT NULL DEFAULT 0 CHECK (redacted >= 0),
  received_at_ms INTEGER NOT NULL,
  due_at_ms INTEGER NOT NULL,
  done_at_ms INTEGER,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX data_requests_once ON data_requests (brand_id, store_id, cause);
CREATE INDEX data_requests_by_kind ON data_requests (kind, received_at_ms);
CREATE TABLE rewraps (
  active INTEGER NOT NULL PRIMARY KEY,
  remaining INTEGER NOT NULL,
  counted_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
