-- What was done to deals for a cause, such as a bulk action or an automation: whoever does it writes the row in the
-- same batch, so that no cause does it twice. `subject` is JSON: the ids of what was made.
CREATE TABLE deal_actions (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  cause TEXT NOT NULL CHECK (length(cause) BETWEEN 1 AND 200),
  action TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('done', 'unchanged', 'refused')),
  rule TEXT NOT NULL,
  why TEXT NOT NULL,
  subject TEXT NOT NULL CHECK (json_valid(subject)),
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, deal_id, cause)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER deal_actions_never_change BEFORE UPDATE ON deal_actions BEGIN SELECT RAISE(ABORT, 'deal_actions are append-only'); END;

-- Actions on many deals, fixed when they were asked for; `preview` names what was seen before, and makes one only.
-- Whoever works at one has `due_at_ms` for a lease: nobody else begins before it. Triggers of `bulk_deals` count.
CREATE TABLE bulk_actions (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  preview TEXT NOT NULL,
  action TEXT NOT NULL CHECK (json_valid(action)),
  kind TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'paused', 'cancelled', 'finished')),
  reason TEXT NOT NULL DEFAULT '',
  deals INTEGER NOT NULL CHECK (deals >= 1),
  done INTEGER NOT NULL DEFAULT 0,
  unchanged INTEGER NOT NULL DEFAULT 0,
  refused INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL,
  finished_at_ms INTEGER,
  due_at_ms INTEGER,
  CHECK ((state = 'running') = (due_at_ms IS NOT NULL)),
  CHECK (done + unchanged + refused + failed <= deals),
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX bulk_actions_by_preview ON bulk_actions (brand_id, preview);
CREATE INDEX bulk_actions_due ON bulk_actions (due_at_ms) WHERE due_at_ms IS NOT NULL;

-- The deals of a bulk action in the order in which they are worked at, and what became of each.
CREATE TABLE bulk_deals (
  brand_id TEXT NOT NULL,
  bulk_id TEXT NOT NULL,
  place INTEGER NOT NULL,
  deal_id TEXT NOT NULL,
  outcome TEXT CHECK (outcome IN ('done', 'unchanged', 'refused', 'failed')),
  rule TEXT NOT NULL DEFAULT '',
  why TEXT NOT NULL DEFAULT '',
  subject TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(subject)),
  tries INTEGER NOT NULL DEFAULT 0,
  at_ms INTEGER,
  CHECK ((outcome IS NULL) = (at_ms IS NULL)),
  PRIMARY KEY (brand_id, bulk_id, place),
  FOREIGN KEY (brand_id, bulk_id) REFERENCES bulk_actions (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX bulk_deals_waiting ON bulk_deals (brand_id, bulk_id, place) WHERE outcome IS NULL;
CREATE TRIGGER bulk_deals_count AFTER UPDATE OF outcome ON bulk_deals WHEN OLD.outcome IS NULL AND NEW.outcome IS NOT NULL BEGIN UPDATE bulk_actions SET done = done + (NEW.outcome = 'done'), unchanged = unchanged + (NEW.outcome = 'unchanged'), refused = refused + (NEW.outcome = 'refused'), failed = failed + (NEW.outcome = 'failed') WHERE brand_id = NEW.brand_id AND id = NEW.bulk_id; END;
CREATE TRIGGER bulk_deals_have_one_outcome BEFORE UPDATE OF outcome ON bulk_deals WHEN OLD.outcome IS NOT NULL BEGIN SELECT RAISE(ABORT, 'constraint failed: bulk_deal_decided'); END;
