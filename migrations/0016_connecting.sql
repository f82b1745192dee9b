-- When a store is looked at again, what of its webhooks is there, and authorizations that were begun.
ALTER TABLE store_access ADD COLUMN webhooks TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(webhooks));
ALTER TABLE store_access ADD COLUMN webhook_seen_at_ms INTEGER;
ALTER TABLE store_access ADD COLUMN look_at_ms INTEGER;
CREATE INDEX store_access_to_look ON store_access (look_at_ms) WHERE look_at_ms IS NOT NULL;
CREATE TABLE store_authorizations (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  state_hash TEXT NOT NULL,
  browser_hash TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  uses INTEGER NOT NULL DEFAULT 0 CHECK (uses <= 1),
  PRIMARY KEY (brand_id, store_id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX store_authorizations_by_state ON store_authorizations (state_hash);
