-- Terms that say more than a rate: see the comments in schema.sql.
ALTER TABLE brands ADD COLUMN counts_customers INTEGER NOT NULL DEFAULT 0 CHECK (counts_customers IN (0, 1));
ALTER TABLE terms ADD COLUMN ends_at_ms INTEGER CHECK (ends_at_ms > starts_at_ms);
ALTER TABLE terms ADD COLUMN rules TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(rules));
ALTER TABLE terms ADD COLUMN reason TEXT NOT NULL DEFAULT '';
DROP TRIGGER terms_never_before_decided_orders;
CREATE TRIGGER terms_never_before_decided_orders BEFORE INSERT ON terms WHEN NEW.version > 1 AND EXISTS (SELECT 1 FROM orders WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND placed_at_ms >= NEW.starts_at_ms AND (NEW.ends_at_ms IS NULL OR placed_at_ms < NEW.ends_at_ms)) BEGIN SELECT RAISE(ABORT, 'terms_before_decided_order'); END;
ALTER TABLE orders ADD COLUMN seen TEXT CHECK (json_valid(seen));
CREATE TABLE customers (
  brand_id TEXT NOT NULL,
  email_hash TEXT NOT NULL,
  orders INTEGER NOT NULL CHECK (orders >= 0),
  PRIMARY KEY (brand_id, email_hash)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER orders_insert_relies BEFORE INSERT ON orders WHEN NEW.seen IS NOT NULL AND (coalesce((SELECT orders FROM customers WHERE brand_id = NEW.brand_id AND email_hash = NEW.facts ->> '$.evidence[1].email_hash'), 0) <> NEW.seen ->> 'n' OR (SELECT coalesce(sum(commission_minor), 0) FROM deal_days WHERE brand_id = NEW.brand_id AND deal_id = NEW.seen ->> 'd' AND day BETWEEN NEW.seen ->> 'f' AND NEW.seen ->> 't' AND currency = NEW.currency) <> NEW.seen ->> 'm') BEGIN SELECT RAISE(ABORT, 'decided_from_stale_facts'); END;
CREATE TRIGGER orders_update_relies BEFORE UPDATE OF seen ON orders WHEN NEW.seen IS NOT NULL AND ((NEW.seen ->> 'n' IS NOT OLD.seen ->> 'n' AND coalesce((SELECT orders FROM customers WHERE brand_id = NEW.brand_id AND email_hash = NEW.facts ->> '$.evidence[1].email_hash'), 0) <> NEW.seen ->> 'n') OR (NEW.seen ->> 'r' IS NOT OLD.seen ->> 'r' AND (SELECT coalesce(sum(commission_minor), 0) FROM deal_days WHERE brand_id = NEW.brand_id AND deal_id = NEW.seen ->> 'd' AND day BETWEEN NEW.seen ->> 'f' AND NEW.seen ->> 't' AND currency = NEW.currency) <> NEW.seen ->> 'm')) BEGIN SELECT RAISE(ABORT, 'decided_from_stale_facts'); END;
CREATE TRIGGER orders_insert_counts AFTER INSERT ON orders WHEN NEW.seen IS NOT NULL AND NEW.seen ->> 'c' = 1 BEGIN INSERT INTO customers (brand_id, email_hash, orders) VALUES (NEW.brand_id, NEW.facts ->> '$.evidence[1].email_hash', 1) ON CONFLICT (brand_id, email_hash) DO UPDATE SET orders = orders + 1; END;
CREATE TRIGGER orders_update_counts AFTER UPDATE OF seen ON orders WHEN NEW.seen IS NOT NULL AND NEW.seen ->> 'c' = 1 AND OLD.seen ->> 'c' IS NULL BEGIN INSERT INTO customers (brand_id, email_hash, orders) VALUES (NEW.brand_id, NEW.facts ->> '$.evidence[1].email_hash', 1) ON CONFLICT (brand_id, email_hash) DO UPDATE SET orders = orders + 1; END;
CREATE TRIGGER orders_forget_customer AFTER UPDATE OF facts ON orders WHEN NEW.seen IS NOT NULL AND NEW.facts ->> '$.redacted' = 1 AND OLD.facts ->> '$.redacted' IS NULL BEGIN DELETE FROM customers WHERE brand_id = NEW.brand_id AND email_hash = OLD.facts ->> '$.evidence[1].email_hash'; END;
CREATE TRIGGER orders_recount_customer AFTER UPDATE OF facts ON orders WHEN NEW.seen IS NOT NULL AND NEW.seen ->> 'c' = 1 AND OLD.seen ->> 'c' = 1 AND NEW.facts ->> '$.evidence[1].email_hash' IS NOT NULL AND OLD.facts ->> '$.evidence[1].email_hash' IS NOT NULL AND NEW.facts ->> '$.evidence[1].email_hash' <> OLD.facts ->> '$.evidence[1].email_hash' BEGIN INSERT INTO customers (brand_id, email_hash, orders) VALUES (NEW.brand_id, NEW.facts ->> '$.evidence[1].email_hash', 1) ON CONFLICT (brand_id, email_hash) DO UPDATE SET orders = orders + 1; END;
CREATE TRIGGER orders_uncount_customer AFTER UPDATE OF facts ON orders WHEN NEW.seen IS NOT NULL AND NEW.seen ->> 'c' = 1 AND OLD.seen ->> 'c' = 1 AND NEW.facts ->> '$.evidence[1].email_hash' IS NOT NULL AND OLD.facts ->> '$.evidence[1].email_hash' IS NOT NULL AND NEW.facts ->> '$.evidence[1].email_hash' <> OLD.facts ->> '$.evidence[1].email_hash' BEGIN UPDATE customers SET orders = orders - 1 WHERE brand_id = OLD.brand_id AND email_hash = OLD.facts ->> '$.evidence[1].email_hash'; END;
CREATE TRIGGER customers_without_orders AFTER UPDATE ON customers WHEN NEW.orders = 0 BEGIN DELETE FROM customers WHERE brand_id = NEW.brand_id AND email_hash = NEW.email_hash; END;
DROP VIEW order_books;
DROP VIEW link_facts;
DROP VIEW code_facts;
DROP VIEW deal_facts;
DROP VIEW brand_facts;
CREATE VIEW brand_facts AS SELECT b.id, json_object(
    'timezone', b.timezone, 'hold_days', b.hold_days, 'earn_on', b.earn_on,
    'count_test_orders', b.count_test_orders, 'version', b.version,
    'counts_customers', b.counts_customers,
    'rules', json((SELECT json_group_array(json_object('starts_at_ms', r.starts_at_ms,
        'window_days', r.window_days, 'precedence', r.precedence, 'clicks', r.clicks) ORDER BY r.starts_at_ms)
      FROM attribution_rules r WHERE r.brand_id = b.id))) AS facts
  FROM brands b;
CREATE VIEW deal_facts AS SELECT d.brand_id, d.id, json_object(
    'deal', d.id, 'creator', d.creator_id, 'closed_at_ms', d.closed_at_ms,
    'email_hash', (SELECT c.email_hash FROM creators c WHERE c.brand_id = d.brand_id AND c.id = d.creator_id),
    'terms', json((SELECT json_group_array(json_object('id', t.id, 'starts_at_ms', t.starts_at_ms,
        'ends_at_ms', t.ends_at_ms, 'rate', t.rate_bp, 'rules', json(t.rules)) ORDER BY t.starts_at_ms, t.version)
      FROM terms t WHERE t.brand_id = d.brand_id AND t.deal_id = d.id))) AS facts
  FROM deals d;
CREATE VIEW code_facts AS SELECT c.brand_id, c.code_key, json_object('code_key', c.code_key,
    'deal', json((SELECT d.facts FROM deal_facts d WHERE d.brand_id = c.brand_id AND d.id = c.deal_id))) AS facts
  FROM codes c;
CREATE VIEW link_facts AS SELECT l.brand_id, l.id, l.slug_key, json_object('link', l.id, 'slug_key', l.slug_key,
    'deal', json((SELECT d.facts FROM deal_facts d WHERE d.brand_id = l.brand_id AND d.id = l.deal_id))) AS facts
  FROM links l;
CREATE VIEW order_books AS SELECT o.brand_id, o.id, o.revision, o.facts, o.decision, json_object(
    'deal', o.deal_id, 'creator', o.creator_id, 'available_day', o.available_day,
    'placed_day', o.placed_day, 'currency', o.currency, 'base_minor', o.base_minor,
    'commission_minor', o.commission_minor, 'counts', o.state <> 'cancelled',
    'counted', coalesce(o.seen ->> 'c', 0),
    'pending_minor', (SELECT amount_minor FROM balances WHERE brand_id = o.brand_id
      AND creator_id = o.creator_id AND currency = o.currency AND account = 'pending' AND day = o.available_day),
    'available_minor', (SELECT amount_minor FROM balances WHERE brand_id = o.brand_id
      AND creator_id = o.creator_id AND currency = o.currency AND account = 'available' AND day = 0),
    'clawback_minor', (SELECT amount_minor FROM balances WHERE brand_id = o.brand_id
      AND creator_id = o.creator_id AND currency = o.currency AND account = 'clawback' AND day = 0)) AS books
  FROM orders o;
