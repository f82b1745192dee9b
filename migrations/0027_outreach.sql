-- Messages to creators: templates, sequences, conversations, and who wants none.

-- Texts that messages are written from. What stands between `{{` and `}}` is a known field.
CREATE TABLE message_templates (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  revision INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER message_templates_in_use BEFORE DELETE ON message_templates WHEN EXISTS (SELECT 1 FROM sequences s, json_each(s.steps) j WHERE s.brand_id = OLD.brand_id AND j.value ->> 'template_id' = OLD.id AND (s.archived_at_ms IS NULL OR EXISTS (SELECT 1 FROM enrolments e WHERE e.brand_id = s.brand_id AND e.sequence_id = s.id AND e.state = 'running'))) BEGIN SELECT RAISE(ABORT, 'constraint failed: template_in_use'); END;

-- When messages go out, and how many in a day of the brand; a brand without a row has the defaults.
-- `days` are those of the week, a bit each from Monday (1) on; minutes are those of the recipient's day.
CREATE TABLE outreach_settings (
  brand_id TEXT NOT NULL PRIMARY KEY,
  daily_limit INTEGER NOT NULL CHECK (daily_limit BETWEEN 0 AND 10000),
  days INTEGER NOT NULL CHECK (days BETWEEN 1 AND 127),
  from_minute INTEGER NOT NULL CHECK (from_minute BETWEEN 0 AND 1439),
  to_minute INTEGER NOT NULL CHECK (to_minute BETWEEN 1 AND 1440 AND to_minute > from_minute)
) STRICT, WITHOUT ROWID;

-- How many messages a brand handed over in one of its days: a trigger of `messages` counts.
CREATE TABLE outreach_days (
  brand_id TEXT NOT NULL,
  day INTEGER NOT NULL,
  sent INTEGER NOT NULL CHECK (sent >= 1),
  PRIMARY KEY (brand_id, day)
) STRICT, WITHOUT ROWID;

-- Addresses that want no more messages of a brand, as its keyed hash of them. Nobody takes one out:
-- it holds for whoever has that address, and after she was erased.
CREATE TABLE unsubscribes (
  brand_id TEXT NOT NULL,
  email_hash TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, email_hash)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER unsubscribes_cancel AFTER INSERT ON unsubscribes BEGIN UPDATE messages SET state = 'cancelled', reason = 'unsubscribed', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND state = 'scheduled' AND deal_id IN (SELECT d.id FROM creators c CROSS JOIN deals d ON d.brand_id = c.brand_id AND d.creator_id = c.id WHERE c.brand_id = NEW.brand_id AND c.email_hash = NEW.email_hash); UPDATE enrolments SET state = 'stopped', reason = 'unsubscribed', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND state = 'running' AND deal_id IN (SELECT d.id FROM creators c CROSS JOIN deals d ON d.brand_id = c.brand_id AND d.creator_id = c.id WHERE c.brand_id = NEW.brand_id AND c.email_hash = NEW.email_hash); END;
CREATE TRIGGER unsubscribes_never_change BEFORE UPDATE ON unsubscribes BEGIN SELECT RAISE(ABORT, 'unsubscribes are append-only'); END;
CREATE TRIGGER unsubscribes_never_go BEFORE DELETE ON unsubscribes BEGIN SELECT RAISE(ABORT, 'unsubscribes are append-only'); END;

-- What stands in a deal's reply addresses, as a hash; how many replies nobody has read; and how many
-- came on `in_day`, so that two machines that answer each other come to an end.
CREATE TABLE conversations (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  reply_hash TEXT NOT NULL,
  unread INTEGER NOT NULL DEFAULT 0 CHECK (unread >= 0),
  last_at_ms INTEGER NOT NULL,
  in_day INTEGER NOT NULL DEFAULT 0,
  in_count INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (brand_id, deal_id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX conversations_by_reply ON conversations (reply_hash);
CREATE INDEX conversations_unread ON conversations (brand_id, deal_id) WHERE unread > 0;

-- Sequences: `steps` is the JSON list of their templates, each with the hours it waits after the one
-- before. They never change; one that is archived takes no more deals.
CREATE TABLE sequences (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  steps TEXT NOT NULL CHECK (json_valid(steps)),
  created_at_ms INTEGER NOT NULL,
  archived_at_ms INTEGER,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;

-- Deals in sequences. `step` is the next one to send, due at `due_at_ms`.
CREATE TABLE enrolments (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  id TEXT NOT NULL,
  sequence_id TEXT NOT NULL,
  step INTEGER NOT NULL CHECK (step >= 0),
  state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'stopped')),
  reason TEXT NOT NULL DEFAULT '',
  due_at_ms INTEGER CHECK ((due_at_ms IS NULL) = (state <> 'running')),
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, deal_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id),
  FOREIGN KEY (brand_id, sequence_id) REFERENCES sequences (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX enrolments_running ON enrolments (brand_id, deal_id, sequence_id) WHERE state = 'running';
CREATE INDEX enrolments_by_sequence ON enrolments (brand_id, sequence_id);
CREATE INDEX enrolments_due ON enrolments (due_at_ms) WHERE state = 'running';
CREATE TRIGGER enrolments_stop_messages AFTER UPDATE OF state ON enrolments WHEN NEW.state = 'stopped' AND OLD.state <> 'stopped' BEGIN UPDATE messages SET state = 'cancelled', reason = NEW.reason, due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND enrolment_id = NEW.id AND state = 'scheduled'; END;
CREATE TRIGGER deals_move_stops AFTER UPDATE OF stage ON deals WHEN NEW.stage <> OLD.stage AND EXISTS (SELECT 1 FROM campaigns c, json_each(c.stages) j WHERE c.brand_id = NEW.brand_id AND c.id = NEW.campaign_id AND j.value = OLD.stage) BEGIN UPDATE enrolments SET state = 'stopped', reason = 'moved', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.id AND state = 'running'; END;
CREATE TRIGGER deals_close_stops AFTER UPDATE OF closed_at_ms ON deals WHEN NEW.closed_at_ms IS NOT NULL AND OLD.closed_at_ms IS NULL BEGIN UPDATE enrolments SET state = 'stopped', reason = 'closed', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.id AND state = 'running'; END;
CREATE TRIGGER offers_decline_stops AFTER UPDATE OF state ON offers WHEN NEW.state = 'declined' AND NEW.kind = 'offer' BEGIN UPDATE enrolments SET state = 'stopped', reason = 'declined', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND state = 'running'; END;

-- What was written to creators and what came back, by deal. `content` is sealed to the id. A message
-- waits as `scheduled` until `due_at_ms`; then it gets its mail (`mail_id`), once, and follows what
-- becomes of that. `handed_day` is the brand's day on which it did. `inbound_key` names a mail that
-- came, so that it stands here once; an automatic answer stops no sequence.
CREATE TABLE messages (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  id TEXT NOT NULL,
  direction TEXT NOT NULL CHECK (direction IN ('out', 'in')),
  state TEXT NOT NULL CHECK (state IN ('scheduled', 'waiting', 'sending', 'sent', 'failed', 'unknown', 'bounced', 'cancelled', 'received')),
  reason TEXT NOT NULL DEFAULT '',
  content TEXT NOT NULL,
  template_id TEXT,
  enrolment_id TEXT,
  step INTEGER,
  mail_id TEXT,
  handed_day INTEGER,
  inbound_key TEXT,
  automatic INTEGER NOT NULL DEFAULT 0 CHECK (automatic IN (0, 1)),
  due_at_ms INTEGER CHECK ((due_at_ms IS NULL) = (state <> 'scheduled')),
  created_at_ms INTEGER NOT NULL,
  sent_at_ms INTEGER,
  PRIMARY KEY (brand_id, deal_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_due ON messages (due_at_ms) WHERE state = 'scheduled';
CREATE UNIQUE INDEX messages_by_mail ON messages (brand_id, mail_id) WHERE mail_id IS NOT NULL;
CREATE UNIQUE INDEX messages_by_step ON messages (brand_id, enrolment_id, step) WHERE enrolment_id IS NOT NULL;
CREATE UNIQUE INDEX messages_by_inbound ON messages (brand_id, inbound_key) WHERE inbound_key IS NOT NULL;
CREATE TRIGGER messages_count AFTER UPDATE OF state ON messages WHEN OLD.state = 'scheduled' AND NEW.state = 'waiting' BEGIN INSERT INTO outreach_days (brand_id, day, sent) VALUES (NEW.brand_id, NEW.handed_day, 1) ON CONFLICT (brand_id, day) DO UPDATE SET sent = sent + 1; END;
CREATE TRIGGER messages_reply_stops AFTER INSERT ON messages WHEN NEW.direction = 'in' AND NEW.automatic = 0 BEGIN UPDATE enrolments SET state = 'stopped', reason = 'replied', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND state = 'running'; END;
CREATE TRIGGER messages_are_contact AFTER UPDATE OF sent_at_ms ON messages WHEN NEW.sent_at_ms IS NOT NULL AND OLD.sent_at_ms IS NULL BEGIN UPDATE deals SET contacted_at_ms = max(coalesce(contacted_at_ms, 0), NEW.sent_at_ms) WHERE brand_id = NEW.brand_id AND id = NEW.deal_id; END;
CREATE TRIGGER mails_tell_messages AFTER UPDATE OF state, bounced_at_ms ON mails WHEN NEW.kind = 'message' BEGIN UPDATE messages SET state = iif(NEW.bounced_at_ms IS NULL, NEW.state, 'bounced'), reason = NEW.error, sent_at_ms = NEW.sent_at_ms WHERE brand_id = NEW.brand_id AND mail_id = NEW.id; END;
