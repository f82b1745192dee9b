-- Offers and requests of terms: see the comments in schema.sql.
CREATE TABLE offers (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('offer', 'request')),
  rate_bp INTEGER NOT NULL CHECK (rate_bp BETWEEN 0 AND 10000),
  rules TEXT NOT NULL CHECK (json_valid(rules)),
  starts_at_ms INTEGER,
  ends_at_ms INTEGER,
  document TEXT NOT NULL,
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  note TEXT,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'accepted', 'declined', 'withdrawn')),
  answer TEXT,
  terms_id TEXT,
  created_at_ms INTEGER NOT NULL,
  decided_at_ms INTEGER,
  revision INTEGER NOT NULL DEFAULT 0 CHECK (revision IN (0, 1)),
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX offers_by_deal ON offers (brand_id, deal_id, id);
CREATE UNIQUE INDEX offers_waiting ON offers (brand_id, deal_id, kind) WHERE state = 'waiting';
