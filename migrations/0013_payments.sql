-- Planned fees, payout schedules, second approvers, retries, payments by a provider.
ALTER TABLE brands ADD COLUMN payout_day INTEGER CHECK (payout_day BETWEEN 1 AND 28);
ALTER TABLE brands ADD COLUMN payout_currencies TEXT CHECK (json_valid(payout_currencies));
ALTER TABLE brands ADD COLUMN payout_since_day INTEGER;
ALTER TABLE brands ADD COLUMN second_above_minor INTEGER CHECK (second_above_minor BETWEEN 0 AND 900000000000000);
ALTER TABLE brands ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deals ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fees ADD COLUMN due_day INTEGER;
ALTER TABLE fees ADD COLUMN stage TEXT;
ALTER TABLE fees ADD COLUMN reached_at_ms INTEGER;
ALTER TABLE fees ADD COLUMN state TEXT NOT NULL DEFAULT 'posted' CHECK (state IN ('planned', 'posted', 'cancelled'));
ALTER TABLE fees ADD COLUMN decided_at_ms INTEGER;
UPDATE fees SET decided_at_ms = created_at_ms;
CREATE INDEX fees_planned ON fees (brand_id, due_day, id) WHERE state = 'planned';
CREATE INDEX fees_by_creator ON fees (brand_id, creator_id) WHERE state = 'planned';
CREATE TRIGGER fees_of_nobody_erased BEFORE INSERT ON fees WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;
CREATE TRIGGER fees_wait_for_what_is_not BEFORE INSERT ON fees WHEN NEW.state = 'planned' AND NEW.reached_at_ms IS NULL AND EXISTS (SELECT 1 FROM deals WHERE brand_id = NEW.brand_id AND id = NEW.deal_id AND stage = NEW.stage) BEGIN SELECT RAISE(ABORT, 'fee_stage_reached: constraint failed'); END;
CREATE TRIGGER fees_decided_once BEFORE UPDATE OF state ON fees WHEN OLD.state <> 'planned' BEGIN SELECT RAISE(ABORT, 'fee_decided: constraint failed'); END;
CREATE TRIGGER deals_stage_reaches_fees AFTER UPDATE OF stage ON deals WHEN NEW.stage <> OLD.stage AND EXISTS (SELECT 1 FROM fees WHERE brand_id = NEW.brand_id AND deal_id = NEW.id AND state = 'planned' AND stage = NEW.stage AND reached_at_ms IS NULL) BEGIN SELECT RAISE(ABORT, 'fee_waits_for_stage: constraint failed'); END;
ALTER TABLE payouts ADD COLUMN needs_two INTEGER NOT NULL DEFAULT 0 CHECK (needs_two IN (0, 1));
ALTER TABLE payouts ADD COLUMN skipped TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(skipped));
ALTER TABLE payouts ADD COLUMN skipped_total INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payout_lines ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1 CHECK (attempt >= 1);
ALTER TABLE payout_lines ADD COLUMN way TEXT CHECK (way IN ('file', 'paypal'));
-- Whoever approved before this may have paid by a file that was downloaded then.
UPDATE payout_lines SET way = 'file' WHERE state = 'in_payout';
CREATE TABLE payout_approvals (
  brand_id TEXT NOT NULL,
  subject TEXT NOT NULL,
  person_id TEXT NOT NULL,
  member_id TEXT NOT NULL,
  approved_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, subject, person_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER payouts_second_approver BEFORE UPDATE OF state ON payouts WHEN NEW.state = 'approved' AND OLD.state <> 'approved' AND (OLD.needs_two = 1 OR EXISTS (SELECT 1 FROM brands b WHERE b.id = NEW.brand_id AND b.second_above_minor IS NOT NULL AND (b.currency <> NEW.currency OR b.second_above_minor < (SELECT sum(l.amount_minor) FROM payout_lines l WHERE l.brand_id = NEW.brand_id AND l.payout_id = NEW.id)))) AND (SELECT count(*) FROM payout_approvals a JOIN members m ON m.brand_id = a.brand_id AND m.person_id = a.person_id AND m.role <> 'viewer' WHERE a.brand_id = NEW.brand_id AND a.subject = NEW.id) < 2 BEGIN SELECT RAISE(ABORT, 'second_approver: constraint failed'); END;
CREATE TRIGGER payout_lines_second_approver BEFORE UPDATE OF state ON payout_lines WHEN NEW.state = 'in_payout' AND OLD.state = 'failed' AND EXISTS (SELECT 1 FROM payouts p JOIN brands b ON b.id = p.brand_id WHERE p.brand_id = NEW.brand_id AND p.id = NEW.payout_id AND (p.needs_two = 1 OR (b.second_above_minor IS NOT NULL AND (b.currency <> p.currency OR b.second_above_minor < NEW.amount_minor)))) AND (SELECT count(*) FROM payout_approvals a JOIN members m ON m.brand_id = a.brand_id AND m.person_id = a.person_id AND m.role <> 'viewer' WHERE a.brand_id = NEW.brand_id AND a.subject = NEW.id || '/' || NEW.attempt) < 2 BEGIN SELECT RAISE(ABORT, 'second_approver: constraint failed'); END;
CREATE TABLE payout_runs (
  brand_id TEXT NOT NULL,
  due_day INTEGER NOT NULL,
  drafted_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, due_day)
) STRICT, WITHOUT ROWID;
CREATE TABLE payout_providers (
  brand_id TEXT NOT NULL PRIMARY KEY,
  provider TEXT NOT NULL CHECK (provider IN ('paypal')),
  client_id TEXT NOT NULL,
  secret_sealed TEXT NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE payout_sendings (
  brand_id TEXT NOT NULL,
  line_id TEXT NOT NULL,
  attempt INTEGER NOT NULL CHECK (attempt >= 1),
  payout_id TEXT NOT NULL,
  reference TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'settled', 'failed', 'unknown', 'contradicted')),
  revision INTEGER NOT NULL DEFAULT 0,
  details_version INTEGER,
  doubtful INTEGER NOT NULL DEFAULT 0 CHECK (doubtful IN (0, 1)),
  batch TEXT,
  told TEXT NOT NULL DEFAULT '',
  tries INTEGER NOT NULL DEFAULT 0,
  queued_at_ms INTEGER NOT NULL,
  first_sent_at_ms INTEGER,
  due_at_ms INTEGER,
  PRIMARY KEY (brand_id, line_id, attempt)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX payout_sendings_by_reference ON payout_sendings (reference);
CREATE INDEX payout_sendings_due ON payout_sendings (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE TRIGGER payout_sendings_of_what_is_in_payout BEFORE INSERT ON payout_sendings WHEN NOT EXISTS (SELECT 1 FROM payout_lines WHERE brand_id = NEW.brand_id AND payout_id = NEW.payout_id AND id = NEW.line_id AND state = 'in_payout' AND attempt = NEW.attempt AND way = 'paypal') BEGIN SELECT RAISE(ABORT, 'not_in_payout: constraint failed'); END;
CREATE TRIGGER payout_lines_in_flight BEFORE UPDATE OF state ON payout_lines WHEN OLD.state = 'in_payout' AND NEW.state <> OLD.state AND EXISTS (SELECT 1 FROM payout_sendings WHERE brand_id = OLD.brand_id AND line_id = OLD.id AND attempt = OLD.attempt AND state IN ('waiting', 'sending', 'sent')) BEGIN SELECT RAISE(ABORT, 'payment_in_flight: constraint failed'); END;
CREATE TRIGGER payout_lines_contradicted BEFORE UPDATE OF state ON payout_lines WHEN NEW.state = 'in_payout' AND OLD.state = 'failed' AND EXISTS (SELECT 1 FROM payout_sendings WHERE brand_id = NEW.brand_id AND line_id = NEW.id AND state = 'contradicted') BEGIN SELECT RAISE(ABORT, 'contradicted: constraint failed'); END;
CREATE TRIGGER payout_sendings_contradicted BEFORE INSERT ON payout_sendings WHEN EXISTS (SELECT 1 FROM payout_sendings WHERE brand_id = NEW.brand_id AND line_id = NEW.line_id AND state = 'contradicted') BEGIN SELECT RAISE(ABORT, 'contradicted: constraint failed'); END;
CREATE TRIGGER payout_lines_one_way BEFORE UPDATE OF way ON payout_lines WHEN NEW.way <> OLD.way BEGIN SELECT RAISE(ABORT, 'one_way: constraint failed'); END;
CREATE TRIGGER payout_providers_stay BEFORE UPDATE OF client_id ON payout_providers WHEN NEW.client_id <> OLD.client_id AND EXISTS (SELECT 1 FROM payout_sendings WHERE brand_id = OLD.brand_id AND state IN ('waiting', 'sending', 'sent')) BEGIN SELECT RAISE(ABORT, 'payments_in_flight: constraint failed'); END;
CREATE TRIGGER payout_providers_stay_on_delete BEFORE DELETE ON payout_providers WHEN EXISTS (SELECT 1 FROM payout_sendings WHERE brand_id = OLD.brand_id AND state IN ('waiting', 'sending', 'sent')) BEGIN SELECT RAISE(ABORT, 'payments_in_flight: constraint failed'); END;
