-- Mails on their way and sent.
CREATE TABLE mails (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  cause TEXT NOT NULL,
  kind TEXT NOT NULL,
  recipient TEXT NOT NULL,
  content TEXT,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'unknown')),
  error TEXT NOT NULL DEFAULT '',
  tries INTEGER NOT NULL DEFAULT 0,
  due_at_ms INTEGER,
  created_at_ms INTEGER NOT NULL,
  sent_at_ms INTEGER,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX mails_by_cause ON mails (cause);
CREATE INDEX mails_due ON mails (due_at_ms) WHERE due_at_ms IS NOT NULL;
