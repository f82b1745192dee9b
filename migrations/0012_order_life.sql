-- Claims of creators, and orders found by their name.
DROP INDEX orders_by_time;
CREATE INDEX orders_by_time ON orders (brand_id, placed_at_ms, id, name) WHERE placed_at_ms IS NOT NULL;
CREATE TABLE claims (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  order_name TEXT NOT NULL,
  order_id TEXT,
  deal_id TEXT,
  state TEXT NOT NULL CHECK (state IN ('open', 'hers', 'unknown', 'granted', 'declined')),
  answer TEXT NOT NULL CHECK (json_valid(answer)),
  note TEXT,
  created_at_ms INTEGER NOT NULL,
  decisions INTEGER NOT NULL DEFAULT 0 CHECK (decisions IN (0, 1)),
  decided_at_ms INTEGER,
  decision_note TEXT,
  CHECK (state NOT IN ('open', 'hers', 'granted') OR order_id IS NOT NULL),
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_by_creator ON claims (brand_id, creator_id, id, created_at_ms);
CREATE INDEX claims_by_state ON claims (brand_id, state, id);
CREATE UNIQUE INDEX claims_open_once ON claims (brand_id, creator_id, order_id) WHERE state = 'open';
CREATE TRIGGER claims_of_a_day BEFORE INSERT ON claims WHEN (SELECT count(*) FROM claims WHERE brand_id = NEW.brand_id AND creator_id = NEW.creator_id AND created_at_ms > NEW.created_at_ms - 86400000) >= 20 BEGIN SELECT RAISE(ABORT, 'claims_of_a_day: constraint failed'); END;
