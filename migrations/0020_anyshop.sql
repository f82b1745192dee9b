-- How far a link domain is on its way, and custom hostnames that nobody needs any more.
ALTER TABLE hosts ADD COLUMN hostname_id TEXT;
ALTER TABLE hosts ADD COLUMN records TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(records));
ALTER TABLE hosts ADD COLUMN problem TEXT NOT NULL DEFAULT '';
ALTER TABLE hosts ADD COLUMN failed INTEGER NOT NULL DEFAULT 0 CHECK (failed IN (0, 1));
ALTER TABLE hosts ADD COLUMN checked_at_ms INTEGER;
ALTER TABLE hosts ADD COLUMN due_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hosts ADD COLUMN since_ms INTEGER;
CREATE INDEX hosts_due ON hosts (due_at_ms) WHERE state = 'pending';
CREATE TABLE host_removals (
  hostname_id TEXT NOT NULL PRIMARY KEY,
  host TEXT NOT NULL,
  due_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX host_removals_due ON host_removals (due_at_ms);
CREATE TRIGGER hosts_given_up AFTER DELETE ON hosts WHEN OLD.hostname_id IS NOT NULL BEGIN INSERT INTO host_removals (hostname_id, host, due_at_ms) VALUES (OLD.hostname_id, OLD.host, 0) ON CONFLICT (hostname_id) DO NOTHING; END;
