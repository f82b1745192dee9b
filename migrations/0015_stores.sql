-- Stores on other platforms, how they are reached, and what is to be done there.
ALTER TABLE stores DROP COLUMN platform;
ALTER TABLE stores ADD COLUMN platform TEXT NOT NULL DEFAULT 'shopify' CHECK (platform IN ('shopify', 'goaffpro', 'custom'));
CREATE TABLE store_access (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  way TEXT NOT NULL CHECK (way IN ('client', 'token', 'code')),
  state TEXT NOT NULL CHECK (state IN ('created', 'connected', 'broken', 'uninstalled')),
  problem TEXT NOT NULL DEFAULT '',
  token_sealed TEXT,
  token_until_ms INTEGER,
  refresh_sealed TEXT,
  refresh_until_ms INTEGER,
  renewing_until_ms INTEGER,
  scopes TEXT NOT NULL DEFAULT '',
  currency TEXT,
  timezone TEXT,
  checked_at_ms INTEGER,
  connected_at_ms INTEGER,
  revision INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (brand_id, store_id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE store_leases (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  holder TEXT NOT NULL,
  until_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, store_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  payload TEXT NOT NULL CHECK (json_valid(payload)),
  state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'failed')),
  told TEXT NOT NULL DEFAULT '',
  tries INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL DEFAULT 0,
  due_at_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  changed_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX outbox_once ON outbox (brand_id, store_id, kind, subject) WHERE state = 'waiting';
CREATE INDEX outbox_due ON outbox (due_at_ms) WHERE state = 'waiting';
CREATE INDEX outbox_over ON outbox (changed_at_ms) WHERE state <> 'waiting';
CREATE INDEX outbox_by_store ON outbox (brand_id, store_id, due_at_ms) WHERE state = 'waiting';
