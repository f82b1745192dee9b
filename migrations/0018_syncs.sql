-- How far a store's orders were fetched, and for each day how many of them are known.
CREATE TABLE store_syncs (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('none', 'waiting', 'running', 'done', 'failed')),
  from_ms INTEGER,
  to_ms INTEGER,
  orders_total INTEGER,
  orders_done INTEGER NOT NULL DEFAULT 0,
  ingested INTEGER NOT NULL DEFAULT 0,
  unchanged INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  started_at_ms INTEGER,
  finished_at_ms INTEGER,
  problem TEXT NOT NULL DEFAULT '',
  reconciled_to_ms INTEGER,
  PRIMARY KEY (brand_id, store_id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE store_days (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  day INTEGER NOT NULL,
  platform INTEGER CHECK (platform >= 0),
  known INTEGER CHECK (known BETWEEN 0 AND platform),
  missed INTEGER NOT NULL DEFAULT 0 CHECK (missed >= 0),
  compared_at_ms INTEGER,
  over INTEGER NOT NULL DEFAULT 0 CHECK (over IN (0, 1)),
  PRIMARY KEY (brand_id, store_id, day),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
