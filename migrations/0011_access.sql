-- What the audit trail says of members can go; mails that bounce are told.
CREATE TABLE audit_members (
  brand_id TEXT NOT NULL,
  audit_id TEXT NOT NULL,
  member_id TEXT NOT NULL,
  before TEXT CHECK (json_valid(before)),
  after TEXT CHECK (json_valid(after)),
  PRIMARY KEY (brand_id, audit_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER audit_members_insert_once BEFORE INSERT ON audit_members WHEN EXISTS (SELECT 1 FROM audit_members WHERE brand_id = NEW.brand_id AND audit_id = NEW.audit_id) BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_members_never_change BEFORE UPDATE ON audit_members BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_members_go_with_them BEFORE DELETE ON audit_members WHEN EXISTS (SELECT 1 FROM members WHERE brand_id = OLD.brand_id AND id = OLD.member_id) BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
DROP TRIGGER audit_never_changes;
INSERT INTO audit_members (brand_id, audit_id, member_id, before, after) SELECT brand_id, id, subject_id, before, after FROM audit WHERE subject_id LIKE 'member%' AND action <> 'member.join' AND (before IS NOT NULL OR after IS NOT NULL);
UPDATE audit SET before = NULL, after = NULL WHERE EXISTS (SELECT 1 FROM audit_members p WHERE p.brand_id = audit.brand_id AND p.audit_id = audit.id);
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
ALTER TABLE mails ADD COLUMN service_id TEXT;
ALTER TABLE mails ADD COLUMN bounced_at_ms INTEGER;
CREATE INDEX mails_by_service_id ON mails (service_id) WHERE service_id IS NOT NULL;
