-- API keys with names, scopes, an end and a last use; the audit trail.
ALTER TABLE api_keys ADD COLUMN name TEXT NOT NULL DEFAULT 'first key';
ALTER TABLE api_keys ADD COLUMN scopes TEXT NOT NULL DEFAULT 'read deals money admin';
ALTER TABLE api_keys ADD COLUMN expires_at_ms INTEGER;
ALTER TABLE api_keys ADD COLUMN last_used_at_ms INTEGER;
ALTER TABLE api_keys ADD COLUMN revocations INTEGER NOT NULL DEFAULT 0 CHECK (revocations IN (0, 1));
CREATE INDEX api_keys_by_brand ON api_keys (brand_id, id);
CREATE TABLE audit (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  actor_kind TEXT NOT NULL CHECK (actor_kind IN ('operator', 'key', 'creator', 'member', 'job')),
  actor_id TEXT NOT NULL,
  action TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  before TEXT CHECK (json_valid(before)),
  after TEXT CHECK (json_valid(after)),
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_subject ON audit (brand_id, subject_id, id);
CREATE TRIGGER audit_insert_once BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE brand_id = NEW.brand_id AND id = NEW.id) BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_never_goes BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
