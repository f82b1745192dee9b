-- Outgoing webhooks: endpoints, events, deliveries; triggers that tell what changed.
ALTER TABLE brands ADD COLUMN webhooks INTEGER NOT NULL DEFAULT 0 CHECK (webhooks >= 0);
ALTER TABLE brands ADD COLUMN webhook_sequence INTEGER NOT NULL DEFAULT 0;

-- Where brands have events told: Standard Webhooks. `events` is a JSON list of types, empty for all. Secrets
-- are sealed to the endpoint's id; the one before signs too until its time is over. `due_at_ms`: when it is
-- looked at next, which is also for how long somebody works at it; NULL while nothing waits. `failing_since_ms`:
-- nothing arrived since; `paused` says why nothing is sent, in a word.
CREATE TABLE webhook_endpoints (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  url TEXT NOT NULL,
  events TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(events)),
  description TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused')),
  paused TEXT NOT NULL DEFAULT '' CHECK (paused IN ('', 'by_hand', 'failing', 'gone')),
  secret_sealed TEXT NOT NULL,
  previous_sealed TEXT,
  previous_until_ms INTEGER,
  failures INTEGER NOT NULL DEFAULT 0,
  failing_since_ms INTEGER,
  due_at_ms INTEGER,
  created_at_ms INTEGER NOT NULL,
  CHECK ((state = 'paused') = (paused <> '')),
  CHECK ((previous_sealed IS NULL) = (previous_until_ms IS NULL)),
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_endpoints_due ON webhook_endpoints (due_at_ms) WHERE due_at_ms IS NOT NULL AND state = 'active';
CREATE TRIGGER webhook_endpoints_most BEFORE INSERT ON webhook_endpoints WHEN (SELECT count(*) FROM webhook_endpoints WHERE brand_id = NEW.brand_id) >= 20 BEGIN SELECT RAISE(ABORT, 'webhook_endpoints_most: constraint failed'); END;
CREATE TRIGGER webhook_endpoints_listen AFTER INSERT ON webhook_endpoints WHEN NEW.state = 'active' BEGIN UPDATE brands SET webhooks = webhooks + 1 WHERE id = NEW.brand_id; END;
CREATE TRIGGER webhook_endpoints_change AFTER UPDATE OF state ON webhook_endpoints WHEN NEW.state <> OLD.state BEGIN UPDATE brands SET webhooks = webhooks + (NEW.state = 'active') - (OLD.state = 'active') WHERE id = NEW.brand_id; END;
CREATE TRIGGER webhook_endpoints_end AFTER DELETE ON webhook_endpoints BEGIN UPDATE brands SET webhooks = webhooks - (OLD.state = 'active') WHERE id = OLD.brand_id; DELETE FROM webhook_deliveries WHERE brand_id = OLD.brand_id AND endpoint_id = OLD.id; END;

-- What happened, where an endpoint listens: written by triggers on the tables that change, in the batch of the
-- change, so that none is lost and none told of what didn't happen. `data` is what the row was then: ids,
-- amounts and states, nothing of people. Told by the database's own clock.
CREATE TABLE webhook_events (
  brand_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  type TEXT NOT NULL,
  data TEXT NOT NULL CHECK (json_valid(data)),
  created_at_ms INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (brand_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_events_by_time ON webhook_events (created_at_ms);
CREATE TRIGGER webhook_events_nobody BEFORE INSERT ON webhook_events WHEN NEW.type <> 'webhook.test' AND NOT EXISTS (SELECT 1 FROM webhook_endpoints WHERE brand_id = NEW.brand_id AND state = 'active' AND (events = '[]' OR instr(events, json_quote(NEW.type)) > 0)) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER webhook_events_go_out AFTER INSERT ON webhook_events BEGIN UPDATE brands SET webhook_sequence = NEW.sequence WHERE id = NEW.brand_id; INSERT INTO webhook_deliveries (brand_id, endpoint_id, sequence) SELECT brand_id, id, NEW.sequence FROM webhook_endpoints WHERE brand_id = NEW.brand_id AND NEW.type <> 'webhook.test' AND state = 'active' AND (events = '[]' OR instr(events, json_quote(NEW.type)) > 0); END;

-- An event on its way to one endpoint. `due_at_ms`: when it is tried next, or until when somebody tries it.
-- `status` is the last answer's, `error` says in words why it doesn't count.
CREATE TABLE webhook_deliveries (
  brand_id TEXT NOT NULL,
  endpoint_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
  tries INTEGER NOT NULL DEFAULT 0,
  status INTEGER,
  error TEXT NOT NULL DEFAULT '',
  due_at_ms INTEGER NOT NULL DEFAULT 0,
  first_tried_at_ms INTEGER,
  last_tried_at_ms INTEGER,
  delivered_at_ms INTEGER,
  created_at_ms INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (brand_id, endpoint_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (brand_id, endpoint_id, due_at_ms, sequence) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (created_at_ms);
CREATE TRIGGER webhook_deliveries_wake AFTER INSERT ON webhook_deliveries BEGIN UPDATE webhook_endpoints SET due_at_ms = 0 WHERE brand_id = NEW.brand_id AND id = NEW.endpoint_id AND due_at_ms IS NULL; END;

-- What is told to webhooks. Of a brand without endpoints each costs a look at its row, where it gets that far.
CREATE TRIGGER orders_insert_told AFTER INSERT ON orders WHEN NEW.placed_at_ms IS NOT NULL AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'order.created', json_object('id', NEW.id, 'store_id', NEW.store_id, 'external_id', NEW.external_id, 'name', NEW.name, 'placed_at_ms', NEW.placed_at_ms, 'state', NEW.state, 'currency', NEW.currency, 'base_minor', NEW.base_minor, 'deal_id', NEW.deal_id, 'creator_id', NEW.creator_id) FROM brands WHERE id = NEW.brand_id; INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'commission.created', json_object('order_id', NEW.id, 'deal_id', NEW.deal_id, 'creator_id', NEW.creator_id, 'currency', NEW.currency, 'base_minor', NEW.base_minor, 'commission_minor', NEW.commission_minor, 'available_day', NEW.available_day, 'order_state', NEW.state) FROM brands WHERE id = NEW.brand_id AND NEW.deal_id IS NOT NULL; END;
CREATE TRIGGER orders_update_told AFTER UPDATE ON orders WHEN NEW.placed_at_ms IS NOT NULL AND (OLD.placed_at_ms IS NULL OR NEW.state <> OLD.state OR NEW.base_minor <> OLD.base_minor OR NEW.deal_id IS NOT OLD.deal_id OR NEW.currency IS NOT OLD.currency OR NEW.name <> OLD.name OR NEW.commission_minor <> OLD.commission_minor OR NEW.available_day IS NOT OLD.available_day) AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, iif(OLD.placed_at_ms IS NULL, 'order.created', 'order.updated'), json_object('id', NEW.id, 'store_id', NEW.store_id, 'external_id', NEW.external_id, 'name', NEW.name, 'placed_at_ms', NEW.placed_at_ms, 'state', NEW.state, 'currency', NEW.currency, 'base_minor', NEW.base_minor, 'deal_id', NEW.deal_id, 'creator_id', NEW.creator_id) FROM brands WHERE id = NEW.brand_id AND (OLD.placed_at_ms IS NULL OR NEW.state <> OLD.state OR NEW.base_minor <> OLD.base_minor OR NEW.deal_id IS NOT OLD.deal_id OR NEW.currency IS NOT OLD.currency OR NEW.name <> OLD.name); INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, iif(OLD.deal_id IS NULL, 'commission.created', 'commission.updated'), json_object('order_id', NEW.id, 'deal_id', NEW.deal_id, 'creator_id', NEW.creator_id, 'currency', NEW.currency, 'base_minor', NEW.base_minor, 'commission_minor', NEW.commission_minor, 'available_day', NEW.available_day, 'order_state', NEW.state, 'previous_deal_id', OLD.deal_id, 'previous_commission_minor', OLD.commission_minor) FROM brands WHERE id = NEW.brand_id AND (NEW.deal_id IS NOT NULL OR OLD.deal_id IS NOT NULL) AND (NEW.state <> OLD.state OR NEW.base_minor <> OLD.base_minor OR NEW.commission_minor <> OLD.commission_minor OR NEW.deal_id IS NOT OLD.deal_id OR NEW.available_day IS NOT OLD.available_day); END;
CREATE TRIGGER deals_insert_told AFTER INSERT ON deals WHEN (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'deal.created', json_object('id', NEW.id, 'creator_id', NEW.creator_id, 'campaign_id', NEW.campaign_id, 'stage', NEW.stage, 'closed_at_ms', NEW.closed_at_ms, 'created_at_ms', NEW.created_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER deals_update_told AFTER UPDATE ON deals WHEN (NEW.stage <> OLD.stage OR NEW.tags <> OLD.tags OR NEW.creator_id <> OLD.creator_id OR NEW.campaign_id <> OLD.campaign_id OR NEW.closed_at_ms IS NOT OLD.closed_at_ms) AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, iif(NEW.closed_at_ms IS NOT NULL AND OLD.closed_at_ms IS NULL, 'deal.closed', 'deal.updated'), json_object('id', NEW.id, 'creator_id', NEW.creator_id, 'campaign_id', NEW.campaign_id, 'stage', NEW.stage, 'closed_at_ms', NEW.closed_at_ms, 'created_at_ms', NEW.created_at_ms, 'previous_stage', OLD.stage) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER links_insert_told AFTER INSERT ON links WHEN (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'link.created', json_object('id', NEW.id, 'deal_id', NEW.deal_id, 'store_id', NEW.store_id, 'host', NEW.host, 'slug', NEW.slug, 'target', NEW.target, 'code_id', NEW.code_id, 'closed_at_ms', NEW.closed_at_ms, 'created_at_ms', NEW.created_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER links_update_told AFTER UPDATE ON links WHEN (NEW.deal_id <> OLD.deal_id OR NEW.slug <> OLD.slug OR NEW.host <> OLD.host OR NEW.target <> OLD.target OR NEW.code_id IS NOT OLD.code_id OR NEW.closed_at_ms IS NOT OLD.closed_at_ms) AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'link.updated', json_object('id', NEW.id, 'deal_id', NEW.deal_id, 'store_id', NEW.store_id, 'host', NEW.host, 'slug', NEW.slug, 'target', NEW.target, 'code_id', NEW.code_id, 'closed_at_ms', NEW.closed_at_ms, 'created_at_ms', NEW.created_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER codes_insert_told AFTER INSERT ON codes WHEN (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'code.created', json_object('id', NEW.id, 'deal_id', NEW.deal_id, 'code', NEW.code, 'state', NEW.state, 'store_id', NEW.store_id, 'group_id', NEW.group_id, 'created_at_ms', NEW.created_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER codes_update_told AFTER UPDATE ON codes WHEN (NEW.state <> OLD.state OR NEW.deal_id <> OLD.deal_id OR NEW.code <> OLD.code) AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'code.updated', json_object('id', NEW.id, 'deal_id', NEW.deal_id, 'code', NEW.code, 'state', NEW.state, 'store_id', NEW.store_id, 'group_id', NEW.group_id, 'created_at_ms', NEW.created_at_ms, 'previous_state', OLD.state) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER payouts_insert_told AFTER INSERT ON payouts WHEN (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'payout.drafted', json_object('id', NEW.id, 'currency', NEW.currency, 'state', NEW.state, 'created_at_ms', NEW.created_at_ms, 'approved_at_ms', NEW.approved_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER payouts_update_told AFTER UPDATE OF state ON payouts WHEN NEW.state <> OLD.state AND NEW.state IN ('approved', 'cancelled') AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'payout.' || NEW.state, json_object('id', NEW.id, 'currency', NEW.currency, 'state', NEW.state, 'created_at_ms', NEW.created_at_ms, 'approved_at_ms', NEW.approved_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER payout_lines_told AFTER UPDATE OF state ON payout_lines WHEN NEW.state <> OLD.state AND NEW.state IN ('settled', 'failed') AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'payout.line_' || NEW.state, json_object('id', NEW.id, 'payout_id', NEW.payout_id, 'creator_id', NEW.creator_id, 'amount_minor', NEW.amount_minor, 'state', NEW.state, 'reference', NEW.reference, 'attempt', NEW.attempt, 'settled_at_ms', NEW.settled_at_ms, 'currency', (SELECT currency FROM payouts WHERE brand_id = NEW.brand_id AND id = NEW.payout_id)) FROM brands WHERE id = NEW.brand_id; END;
