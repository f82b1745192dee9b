-- Collections of shops that terms name, and their products over time. The journal knows one more kind: its
-- rows are put aside meanwhile (triggers of other tables name it, so that it can't be renamed).
CREATE TABLE rule_journal_aside AS SELECT brand_id, version, kind, subject_id, value FROM rule_journal;
DROP TABLE rule_journal;
CREATE TABLE rule_journal (
  brand_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('brand', 'rules', 'creator', 'deal', 'terms', 'code', 'link', 'collection')),
  subject_id TEXT NOT NULL,
  value TEXT CHECK (json_valid(value)),
  PRIMARY KEY (brand_id, version, kind, subject_id)
) STRICT, WITHOUT ROWID;
INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) SELECT brand_id, version, kind, subject_id, value FROM rule_journal_aside;
DROP TABLE rule_journal_aside;
CREATE TRIGGER rule_journal_insert_once BEFORE INSERT ON rule_journal WHEN EXISTS (SELECT 1 FROM rule_journal WHERE brand_id = NEW.brand_id AND version = NEW.version AND kind = NEW.kind AND subject_id = NEW.subject_id) BEGIN SELECT RAISE(ABORT, 'rule_journal is append-only'); END;
CREATE TRIGGER rule_journal_never_changes BEFORE UPDATE ON rule_journal BEGIN SELECT RAISE(ABORT, 'rule_journal is append-only'); END;
CREATE TRIGGER rule_journal_goes_with_her BEFORE DELETE ON rule_journal WHEN OLD.kind <> 'creator' OR NOT EXISTS (SELECT 1 FROM creators WHERE brand_id = OLD.brand_id AND id = OLD.subject_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'rule_journal is append-only'); END;
CREATE TABLE collections (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  external_id TEXT NOT NULL,
  title TEXT NOT NULL,
  handle TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('current', 'gone', 'too_large')),
  problem TEXT NOT NULL DEFAULT '',
  products INTEGER NOT NULL CHECK (products >= 0),
  change TEXT NOT NULL CHECK (json_valid(change)),
  changed_at_ms INTEGER NOT NULL,
  looked_at_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  revision INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX collections_by_shop ON collections (brand_id, store_id, external_id);
CREATE TRIGGER collections_insert_version AFTER INSERT ON collections BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'collection', NEW.id, json_object('collection', NEW.id, 'from_ms', NEW.changed_at_ms, 'added', json(NEW.change -> '$.added'), 'removed', json(NEW.change -> '$.removed'))); INSERT INTO collection_products (brand_id, collection_id, product_id, from_ms) SELECT NEW.brand_id, NEW.id, value, NEW.changed_at_ms FROM json_each(NEW.change, '$.added'); END;
CREATE TRIGGER collections_never_before_orders BEFORE UPDATE OF changed_at_ms ON collections WHEN NEW.changed_at_ms <> OLD.changed_at_ms AND (NEW.changed_at_ms < OLD.changed_at_ms OR EXISTS (SELECT 1 FROM orders WHERE brand_id = NEW.brand_id AND placed_at_ms > NEW.changed_at_ms - 1000)) BEGIN SELECT RAISE(ABORT, 'collections_never_before_orders: constraint failed'); END;
CREATE TRIGGER collections_update_version AFTER UPDATE OF changed_at_ms ON collections WHEN NEW.changed_at_ms <> OLD.changed_at_ms BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'collection', NEW.id, json_object('collection', NEW.id, 'from_ms', NEW.changed_at_ms, 'added', json(NEW.change -> '$.added'), 'removed', json(NEW.change -> '$.removed'))); UPDATE collection_products SET to_ms = NEW.changed_at_ms WHERE brand_id = NEW.brand_id AND collection_id = NEW.id AND to_ms IS NULL AND product_id IN (SELECT value FROM json_each(NEW.change, '$.removed')); INSERT INTO collection_products (brand_id, collection_id, product_id, from_ms) SELECT NEW.brand_id, NEW.id, value, NEW.changed_at_ms FROM json_each(NEW.change, '$.added'); END;
CREATE TABLE collection_products (
  brand_id TEXT NOT NULL,
  collection_id TEXT NOT NULL,
  product_id INTEGER NOT NULL,
  from_ms INTEGER NOT NULL,
  to_ms INTEGER CHECK (to_ms > from_ms),
  PRIMARY KEY (brand_id, collection_id, product_id, from_ms),
  FOREIGN KEY (brand_id, collection_id) REFERENCES collections (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER collection_products_end_once BEFORE UPDATE ON collection_products WHEN OLD.to_ms IS NOT NULL OR NEW.from_ms <> OLD.from_ms OR NEW.product_id <> OLD.product_id OR NEW.collection_id <> OLD.collection_id OR NEW.brand_id <> OLD.brand_id BEGIN SELECT RAISE(ABORT, 'collection_products are append-only'); END;
CREATE TRIGGER collection_products_never_go BEFORE DELETE ON collection_products BEGIN SELECT RAISE(ABORT, 'collection_products are append-only'); END;
