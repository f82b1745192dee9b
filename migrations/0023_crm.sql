-- The CRM around deals: more of creators, boards in order, kinds and costs, notes and follow-ups.
ALTER TABLE creators ADD COLUMN country TEXT CHECK (length(country) = 2);
ALTER TABLE creators ADD COLUMN language TEXT;
ALTER TABLE creators ADD COLUMN fields TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(fields));
ALTER TABLE creators ADD COLUMN handle_key TEXT NOT NULL DEFAULT '';
ALTER TABLE creators ADD COLUMN merged_into TEXT;
ALTER TABLE creators ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
UPDATE creators SET handle_key = lower(ltrim(trim(handle), '@'));
CREATE INDEX creators_by_handle ON creators (brand_id, handle_key) WHERE handle_key <> '';
CREATE INDEX creators_merged ON creators (brand_id, merged_into) WHERE merged_into IS NOT NULL;
CREATE TRIGGER creators_with_books_stay BEFORE UPDATE OF merged_into ON creators WHEN NEW.merged_into IS NOT NULL AND OLD.merged_into IS NULL AND (OLD.erased_at_ms IS NOT NULL OR EXISTS (SELECT 1 FROM entries WHERE brand_id = OLD.brand_id AND creator_id = OLD.id) OR EXISTS (SELECT 1 FROM payout_lines WHERE brand_id = OLD.brand_id AND creator_id = OLD.id) OR EXISTS (SELECT 1 FROM deals d CROSS JOIN orders o ON o.brand_id = d.brand_id AND o.deal_id = d.id WHERE d.brand_id = OLD.brand_id AND d.creator_id = OLD.id)) BEGIN SELECT RAISE(ABORT, 'creator_has_books: constraint failed'); END;
CREATE TRIGGER creators_merge_into_one_who_is BEFORE UPDATE OF merged_into ON creators WHEN NEW.merged_into IS NOT NULL AND NOT EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.merged_into AND id <> NEW.id AND merged_into IS NULL AND erased_at_ms IS NULL) BEGIN SELECT RAISE(ABORT, 'creator_not_there: constraint failed'); END;
CREATE TABLE creator_handles (
  brand_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  platform TEXT NOT NULL,
  handle TEXT NOT NULL,
  handle_key TEXT NOT NULL,
  PRIMARY KEY (brand_id, creator_id, platform, handle_key),
  FOREIGN KEY (brand_id, creator_id) REFERENCES creators (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX creator_handles_by_key ON creator_handles (brand_id, platform, handle_key);
CREATE TABLE creator_fields (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('text', 'number', 'date', 'choice')),
  choices TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(choices)),
  created_at_ms INTEGER NOT NULL,
  removed_at_ms INTEGER,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX creator_fields_by_name ON creator_fields (brand_id, lower(name)) WHERE removed_at_ms IS NULL;
ALTER TABLE campaigns ADD COLUMN archived_at_ms INTEGER;
ALTER TABLE campaigns ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deals ADD COLUMN kind TEXT NOT NULL DEFAULT 'affiliate' CHECK (kind IN ('affiliate', 'gifting', 'paid', 'ambassador', 'giveaway', 'usage_rights'));
ALTER TABLE deals ADD COLUMN owner_id TEXT;
ALTER TABLE deals ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deals ADD COLUMN contacted_at_ms INTEGER;
UPDATE deals SET place = r.place FROM (SELECT brand_id, id, 1048576 * row_number() OVER (PARTITION BY brand_id, campaign_id, stage ORDER BY id) AS place FROM deals) r WHERE r.brand_id = deals.brand_id AND r.id = deals.id;
CREATE INDEX deals_by_place ON deals (brand_id, campaign_id, stage, place, id);
CREATE INDEX deals_by_owner ON deals (brand_id, owner_id, id) WHERE owner_id IS NOT NULL;
CREATE TRIGGER deals_of_nobody_merged BEFORE INSERT ON deals WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND merged_into IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_merged: constraint failed'); END;
CREATE TRIGGER deals_begin_at_a_stage BEFORE INSERT ON deals WHEN EXISTS (SELECT 1 FROM campaigns c WHERE c.brand_id = NEW.brand_id AND c.id = NEW.campaign_id AND NOT EXISTS (SELECT 1 FROM json_each(c.stages) s WHERE s.value = NEW.stage)) BEGIN SELECT RAISE(ABORT, 'stage_gone: constraint failed'); END;
CREATE TRIGGER deals_move_to_a_stage BEFORE UPDATE OF stage ON deals WHEN NEW.stage <> OLD.stage AND NOT EXISTS (SELECT 1 FROM campaigns c, json_each(c.stages) s WHERE c.brand_id = NEW.brand_id AND c.id = NEW.campaign_id AND s.value = NEW.stage) BEGIN SELECT RAISE(ABORT, 'stage_gone: constraint failed'); END;
CREATE TRIGGER deals_owned_by_a_member BEFORE UPDATE OF owner_id ON deals WHEN NEW.owner_id IS NOT NULL AND NEW.owner_id IS NOT OLD.owner_id AND NOT EXISTS (SELECT 1 FROM members WHERE brand_id = NEW.brand_id AND id = NEW.owner_id) BEGIN SELECT RAISE(ABORT, 'owner_gone: constraint failed'); END;
CREATE TRIGGER fees_of_nobody_merged BEFORE INSERT ON fees WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND merged_into IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_merged: constraint failed'); END;
CREATE TRIGGER fees_wait_for_a_stage BEFORE INSERT ON fees WHEN NEW.stage IS NOT NULL AND NOT EXISTS (SELECT 1 FROM deals d, campaigns c, json_each(c.stages) s WHERE d.brand_id = NEW.brand_id AND d.id = NEW.deal_id AND c.brand_id = d.brand_id AND c.id = d.campaign_id AND s.value = NEW.stage) BEGIN SELECT RAISE(ABORT, 'stage_gone: constraint failed'); END;
CREATE TRIGGER adjustments_of_nobody_merged BEFORE INSERT ON adjustments WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND merged_into IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_merged: constraint failed'); END;
CREATE TRIGGER invitations_of_nobody_merged BEFORE INSERT ON invitations WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND merged_into IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_merged: constraint failed'); END;
CREATE INDEX invitations_by_deal ON invitations (brand_id, deal_id, id);
CREATE TABLE deal_costs (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  id TEXT NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  product_minor INTEGER NOT NULL CHECK (product_minor BETWEEN 0 AND 900000000000000),
  shipping_minor INTEGER NOT NULL CHECK (shipping_minor BETWEEN 0 AND 900000000000000),
  day INTEGER NOT NULL,
  note TEXT,
  created_at_ms INTEGER NOT NULL,
  voided_at_ms INTEGER,
  CHECK (product_minor + shipping_minor > 0),
  PRIMARY KEY (brand_id, deal_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER deal_costs_never_change BEFORE UPDATE ON deal_costs WHEN NEW.product_minor <> OLD.product_minor OR NEW.shipping_minor <> OLD.shipping_minor OR NEW.currency <> OLD.currency OR NEW.deal_id <> OLD.deal_id OR NEW.day <> OLD.day OR OLD.voided_at_ms IS NOT NULL AND NEW.voided_at_ms IS NULL BEGIN SELECT RAISE(ABORT, 'deal_costs are append-only'); END;
CREATE TRIGGER deal_costs_never_go BEFORE DELETE ON deal_costs BEGIN SELECT RAISE(ABORT, 'deal_costs are append-only'); END;
CREATE TABLE notes (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  id TEXT NOT NULL,
  text TEXT NOT NULL,
  contact INTEGER NOT NULL CHECK (contact IN (0, 1)),
  author_kind TEXT NOT NULL CHECK (author_kind IN ('operator', 'key', 'creator', 'member', 'job')),
  author_id TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  changed_at_ms INTEGER,
  PRIMARY KEY (brand_id, deal_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER notes_contact AFTER INSERT ON notes WHEN NEW.contact = 1 BEGIN UPDATE deals SET contacted_at_ms = max(coalesce(contacted_at_ms, 0), NEW.created_at_ms) WHERE brand_id = NEW.brand_id AND id = NEW.deal_id; END;
CREATE TRIGGER notes_of_nobody_erased BEFORE INSERT ON notes WHEN EXISTS (SELECT 1 FROM deals d JOIN creators c ON c.brand_id = d.brand_id AND c.id = d.creator_id WHERE d.brand_id = NEW.brand_id AND d.id = NEW.deal_id AND c.erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;
CREATE TABLE follow_ups (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  id TEXT NOT NULL,
  text TEXT NOT NULL,
  due_day INTEGER NOT NULL,
  owner_id TEXT,
  created_at_ms INTEGER NOT NULL,
  done_at_ms INTEGER,
  PRIMARY KEY (brand_id, deal_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX follow_ups_open ON follow_ups (brand_id, due_day, id) WHERE done_at_ms IS NULL;
CREATE INDEX follow_ups_open_by_deal ON follow_ups (brand_id, deal_id, due_day) WHERE done_at_ms IS NULL;
CREATE INDEX follow_ups_open_by_owner ON follow_ups (brand_id, owner_id, due_day, id) WHERE done_at_ms IS NULL;
CREATE INDEX follow_ups_done ON follow_ups (brand_id, done_at_ms, id) WHERE done_at_ms IS NOT NULL;
CREATE INDEX follow_ups_done_by_owner ON follow_ups (brand_id, owner_id, done_at_ms, id) WHERE done_at_ms IS NOT NULL;
CREATE TRIGGER follow_ups_of_nobody_erased BEFORE INSERT ON follow_ups WHEN EXISTS (SELECT 1 FROM deals d JOIN creators c ON c.brand_id = d.brand_id AND c.id = d.creator_id WHERE d.brand_id = NEW.brand_id AND d.id = NEW.deal_id AND c.erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;
CREATE TRIGGER follow_ups_begin_with_a_member BEFORE INSERT ON follow_ups WHEN NEW.owner_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM members WHERE brand_id = NEW.brand_id AND id = NEW.owner_id) BEGIN SELECT RAISE(ABORT, 'owner_gone: constraint failed'); END;
CREATE TRIGGER follow_ups_owned_by_a_member BEFORE UPDATE OF owner_id ON follow_ups WHEN NEW.owner_id IS NOT NULL AND NEW.owner_id IS NOT OLD.owner_id AND NOT EXISTS (SELECT 1 FROM members WHERE brand_id = NEW.brand_id AND id = NEW.owner_id) BEGIN SELECT RAISE(ABORT, 'owner_gone: constraint failed'); END;
CREATE TRIGGER members_leave_deals AFTER DELETE ON members BEGIN UPDATE deals SET owner_id = NULL WHERE brand_id = OLD.brand_id AND owner_id = OLD.id; UPDATE follow_ups SET owner_id = NULL WHERE brand_id = OLD.brand_id AND owner_id = OLD.id AND done_at_ms IS NULL; END;
