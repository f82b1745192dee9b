-- Automations: what starts them, their runs and steps; triggers that write down what happened.
ALTER TABLE brands ADD COLUMN automations INTEGER NOT NULL DEFAULT 0;
ALTER TABLE brands ADD COLUMN automation_run TEXT;
CREATE INDEX brands_automated ON brands (id) WHERE automations > 0;

-- What is done by itself when something happens in a deal. `kind` is what starts it and `listens` its bit in
-- `brands.automations`, `trigger` the rest of that in JSON; `conditions` is a filter or '', `steps` a JSON list.
-- It begins with causes after `from_sequence`. Where only time starts it: which day of the brand was looked at
-- last, how far (a deal's or follow-up's id, '' to the end), and since which day it counts.
CREATE TABLE automations (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  listens INTEGER NOT NULL CHECK (listens > 0),
  campaign_id TEXT,
  trigger TEXT NOT NULL CHECK (json_valid(trigger)),
  conditions TEXT NOT NULL,
  first_only INTEGER NOT NULL CHECK (first_only IN (0, 1)),
  steps TEXT NOT NULL CHECK (json_valid(steps)),
  state TEXT NOT NULL CHECK (state IN ('enabled', 'disabled', 'removed')),
  revision INTEGER NOT NULL DEFAULT 0,
  from_sequence INTEGER NOT NULL DEFAULT 0,
  since_day INTEGER NOT NULL DEFAULT 0,
  looked_day INTEGER,
  looked_to TEXT NOT NULL DEFAULT '',
  created_at_ms INTEGER NOT NULL,
  changed_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, campaign_id) REFERENCES campaigns (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX automations_enabled ON automations (brand_id, kind, id) WHERE state = 'enabled';
CREATE TRIGGER automations_most BEFORE INSERT ON automations WHEN (SELECT count(*) FROM automations WHERE brand_id = NEW.brand_id AND state <> 'removed') >= 100 BEGIN SELECT RAISE(ABORT, 'automations_most: constraint failed'); END;
CREATE TRIGGER automations_listen AFTER INSERT ON automations WHEN NEW.state = 'enabled' BEGIN UPDATE brands SET automations = (SELECT sum(DISTINCT listens) FROM automations WHERE brand_id = NEW.brand_id AND state = 'enabled') WHERE id = NEW.brand_id; END;
CREATE TRIGGER automations_change AFTER UPDATE OF state, listens ON automations WHEN NEW.state <> OLD.state OR NEW.listens <> OLD.listens BEGIN UPDATE brands SET automations = coalesce((SELECT sum(DISTINCT listens) FROM automations WHERE brand_id = NEW.brand_id AND state = 'enabled'), 0) WHERE id = NEW.brand_id; END;
CREATE TRIGGER automations_stop AFTER UPDATE OF state ON automations WHEN OLD.state = 'enabled' AND NEW.state <> 'enabled' BEGIN UPDATE automation_runs SET state = 'stopped', reason = 'the automation was switched off', due_at_ms = NULL, ended_at_ms = NEW.changed_at_ms, revision = revision + 1 WHERE brand_id = NEW.brand_id AND automation_id = NEW.id AND state = 'running'; END;
CREATE TRIGGER message_templates_in_automations BEFORE DELETE ON message_templates WHEN EXISTS (SELECT 1 FROM automations a, json_each(a.steps) j WHERE a.brand_id = OLD.brand_id AND a.state <> 'removed' AND j.value ->> 'template_id' = OLD.id) BEGIN SELECT RAISE(ABORT, 'constraint failed: template_in_use'); END;

-- Deals that had reached an automation's threshold when it was enabled: it begins with what is reached later.
CREATE TABLE automation_past (
  brand_id TEXT NOT NULL,
  automation_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  PRIMARY KEY (brand_id, automation_id, deal_id)
) STRICT, WITHOUT ROWID;

-- What happened that automations listen to, once under its name: written by triggers on the tables that change,
-- in the batch of the change, or by the job that looks for what time brought about. `run_id` is the run that
-- did it, if one did; `automation_id` the one that looked for it. `revision` counts what changed again before
-- it was looked at. A payment is about a creator (`subject`), who may have several deals.
CREATE TABLE automation_causes (
  brand_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  deal_id TEXT,
  subject TEXT NOT NULL DEFAULT '',
  detail TEXT NOT NULL DEFAULT '',
  automation_id TEXT,
  run_id TEXT,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done')),
  revision INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (brand_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX automation_causes_once ON automation_causes (brand_id, name);
CREATE INDEX automation_causes_waiting ON automation_causes (brand_id, sequence) WHERE state = 'waiting';
CREATE INDEX automation_causes_by_deal ON automation_causes (brand_id, deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX automation_causes_by_time ON automation_causes (created_at_ms) WHERE state = 'done';

-- Automations that began in a deal, each once for what `once` says: the name of its cause, the threshold, or
-- `first`. `steps` is what it began with, `chain` the automations that led to it and itself. While it runs,
-- `due_at_ms` is when its next step is due, or until when somebody does it.
CREATE TABLE automation_runs (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  automation_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  once TEXT NOT NULL,
  cause TEXT NOT NULL,
  chain TEXT NOT NULL CHECK (json_valid(chain)),
  steps TEXT NOT NULL CHECK (json_valid(steps)),
  state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'stopped')),
  reason TEXT NOT NULL DEFAULT '',
  step INTEGER NOT NULL DEFAULT 0,
  tries INTEGER NOT NULL DEFAULT 0,
  round INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL DEFAULT 0,
  due_at_ms INTEGER CHECK ((due_at_ms IS NULL) = (state <> 'running')),
  created_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX automation_runs_once ON automation_runs (brand_id, automation_id, deal_id, once);
CREATE INDEX automation_runs_by_automation ON automation_runs (brand_id, automation_id, id);
CREATE INDEX automation_runs_by_deal ON automation_runs (brand_id, deal_id, id);
CREATE INDEX automation_runs_running ON automation_runs (brand_id, automation_id) WHERE state = 'running';
CREATE INDEX automation_runs_due ON automation_runs (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX automation_runs_due_of_brand ON automation_runs (brand_id, due_at_ms) WHERE due_at_ms IS NOT NULL;

-- What the steps of runs did: `told` in JSON. `made` is the follow-up that one made, so that what becomes of
-- that is known for the run's doing.
CREATE TABLE automation_steps (
  brand_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  step INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('done', 'unchanged', 'waiting', 'trying', 'failed')),
  told TEXT NOT NULL CHECK (json_valid(told)),
  tries INTEGER NOT NULL,
  made TEXT,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, run_id, step),
  FOREIGN KEY (brand_id, run_id) REFERENCES automation_runs (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX automation_steps_by_made ON automation_steps (brand_id, made) WHERE made IS NOT NULL;

-- Orders of deals that changed, where an automation listens to orders: the triggers of `orders` write it, and nothing
-- hangs on it, for every delivery compiles them. A job makes causes of it, and takes it away. `attributed`: it became
-- the deal's.
CREATE TABLE automation_orders (
  id INTEGER PRIMARY KEY,
  brand_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  attributed INTEGER NOT NULL CHECK (attributed IN (0, 1))
) STRICT;
CREATE INDEX automation_orders_by_brand ON automation_orders (brand_id, id);

-- What happened, for automations. Of a brand without any each costs a look at its row, where it gets that far.
CREATE TRIGGER deals_insert_caused AFTER INSERT ON deals WHEN ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 5) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'deal_created/' || NEW.id, 'deal_created', NEW.id, '', '', b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 4) > 0 ON CONFLICT (brand_id, name) DO NOTHING; INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'stage_entered/' || NEW.id || '/' || NEW.revision || '/' || NEW.stage, 'stage_entered', NEW.id, '', NEW.stage, b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 1) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
CREATE TRIGGER deals_stage_caused AFTER UPDATE OF stage ON deals WHEN NEW.stage <> OLD.stage AND EXISTS (SELECT 1 FROM campaigns c, json_each(c.stages) j WHERE c.brand_id = NEW.brand_id AND c.id = NEW.campaign_id AND j.value = OLD.stage) AND ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 3) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'stage_left/' || NEW.id || '/' || NEW.revision || '/' || OLD.stage, 'stage_left', NEW.id, '', OLD.stage, b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 2) > 0 ON CONFLICT (brand_id, name) DO NOTHING; INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'stage_entered/' || NEW.id || '/' || NEW.revision || '/' || NEW.stage, 'stage_entered', NEW.id, '', NEW.stage, b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 1) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
CREATE TRIGGER invitations_insert_caused AFTER INSERT ON invitations WHEN ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 8) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'invited/' || NEW.id, 'invited', NEW.deal_id, '', '', b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 8) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
CREATE TRIGGER invitations_accept_caused AFTER UPDATE OF accepted_at_ms ON invitations WHEN NEW.accepted_at_ms IS NOT NULL AND OLD.accepted_at_ms IS NULL AND ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 16) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'accepted/' || NEW.id, 'accepted', NEW.deal_id, '', '', b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 16) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
CREATE TRIGGER orders_insert_caused AFTER INSERT ON orders WHEN NEW.deal_id IS NOT NULL AND ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 96) > 0 BEGIN INSERT INTO automation_orders (brand_id, order_id, deal_id, attributed) VALUES (NEW.brand_id, NEW.id, NEW.deal_id, NEW.state <> 'cancelled'); END;
CREATE TRIGGER orders_update_caused AFTER UPDATE ON orders WHEN NEW.deal_id IS NOT NULL AND ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 96) > 0 BEGIN INSERT INTO automation_orders (brand_id, order_id, deal_id, attributed) VALUES (NEW.brand_id, NEW.id, NEW.deal_id, NEW.deal_id IS NOT OLD.deal_id AND NEW.state <> 'cancelled'); END;
CREATE TRIGGER tier_steps_caused AFTER INSERT ON tier_steps WHEN ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 128) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'tier_reached/' || NEW.deal_id || '/' || NEW.tiers_id || '/' || NEW.since || '/' || NEW.level, 'tier_reached', NEW.deal_id, NEW.tiers_id, NEW.name, b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 128) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
CREATE TRIGGER payout_lines_caused AFTER UPDATE OF state ON payout_lines WHEN NEW.state = 'settled' AND OLD.state <> 'settled' AND ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 256) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'payout_paid/' || NEW.id || '/' || NEW.attempt, 'payout_paid', NULL, NEW.creator_id, '', b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 256) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
CREATE TRIGGER posts_caused AFTER INSERT ON posts WHEN ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 2048) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'post_published/' || NEW.id, 'post_published', NEW.deal_id, NEW.id, '', b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 2048) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
