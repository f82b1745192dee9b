-- One row is the whole commit of an order: triggers post its entries and keep its deal's totals.
-- Views hold what a decision loads. schema.sql says what each is for.
ALTER TABLE brands ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
CREATE TRIGGER brands_version AFTER UPDATE OF timezone, hold_days, earn_on, count_test_orders ON brands WHEN NEW.timezone <> OLD.timezone OR NEW.hold_days <> OLD.hold_days OR NEW.earn_on <> OLD.earn_on OR NEW.count_test_orders <> OLD.count_test_orders BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.id; END;
CREATE TRIGGER attribution_rules_insert_version AFTER INSERT ON attribution_rules BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; END;
CREATE TRIGGER attribution_rules_update_version AFTER UPDATE ON attribution_rules BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; END;
CREATE TRIGGER attribution_rules_delete_version AFTER DELETE ON attribution_rules BEGIN UPDATE brands SET version = version + 1 WHERE id = OLD.brand_id; END;
CREATE TRIGGER creators_version AFTER UPDATE OF email_hash ON creators WHEN NEW.email_hash IS NOT OLD.email_hash BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; END;
CREATE TRIGGER deals_version AFTER UPDATE OF creator_id, closed_at_ms ON deals WHEN NEW.creator_id <> OLD.creator_id OR NEW.closed_at_ms IS NOT OLD.closed_at_ms BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; END;
CREATE TRIGGER terms_version AFTER INSERT ON terms BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; END;
CREATE TRIGGER terms_never_change BEFORE UPDATE ON terms BEGIN SELECT RAISE(ABORT, 'terms are append-only'); END;
CREATE TRIGGER terms_never_go BEFORE DELETE ON terms BEGIN SELECT RAISE(ABORT, 'terms are append-only'); END;
CREATE TRIGGER links_insert_version AFTER INSERT ON links BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; END;
CREATE TRIGGER links_update_version AFTER UPDATE OF deal_id, slug_key ON links BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; END;
CREATE TRIGGER links_delete_version AFTER DELETE ON links BEGIN UPDATE brands SET version = version + 1 WHERE id = OLD.brand_id; END;
CREATE TRIGGER codes_insert_version AFTER INSERT ON codes BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; END;
CREATE TRIGGER codes_update_version AFTER UPDATE OF deal_id, code_key ON codes BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; END;
CREATE TRIGGER codes_delete_version AFTER DELETE ON codes BEGIN UPDATE brands SET version = version + 1 WHERE id = OLD.brand_id; END;
ALTER TABLE orders ADD COLUMN placed_day INTEGER;
ALTER TABLE orders ADD COLUMN decided_from INTEGER;
ALTER TABLE orders ADD COLUMN postings TEXT;
ALTER TABLE orders ADD COLUMN changed_at_ms INTEGER NOT NULL DEFAULT 0;
UPDATE orders SET placed_day = available_day - json_extract(decision, '$.earning.hold_days') WHERE deal_id IS NOT NULL;
INSERT OR IGNORE INTO deal_days (brand_id, deal_id, day, currency, orders, base_minor, commission_minor) SELECT brand_id, deal_id, placed_day, currency, 0, 0, 0 FROM orders WHERE deal_id IS NOT NULL;
CREATE TRIGGER orders_insert_decided BEFORE INSERT ON orders WHEN NEW.decided_from <> (SELECT version FROM brands WHERE id = NEW.brand_id) BEGIN SELECT RAISE(ABORT, 'decided_from_stale_facts'); END;
CREATE TRIGGER orders_update_decided BEFORE UPDATE OF decided_from ON orders WHEN NEW.decided_from <> (SELECT version FROM brands WHERE id = NEW.brand_id) BEGIN SELECT RAISE(ABORT, 'decided_from_stale_facts'); END;
CREATE TRIGGER orders_add_totals AFTER INSERT ON orders WHEN NEW.deal_id IS NOT NULL BEGIN INSERT INTO deal_days (brand_id, deal_id, day, currency, orders, base_minor, commission_minor) VALUES (NEW.brand_id, NEW.deal_id, NEW.placed_day, NEW.currency, NEW.state <> 'cancelled', NEW.base_minor, NEW.commission_minor) ON CONFLICT (brand_id, deal_id, day, currency) DO UPDATE SET orders = orders + excluded.orders, base_minor = base_minor + excluded.base_minor, commission_minor = commission_minor + excluded.commission_minor; END;
CREATE TRIGGER orders_change_totals AFTER UPDATE ON orders WHEN NEW.deal_id IS NOT NULL AND NEW.deal_id IS OLD.deal_id AND NEW.placed_day IS OLD.placed_day AND NEW.currency IS OLD.currency AND (NEW.base_minor <> OLD.base_minor OR NEW.commission_minor <> OLD.commission_minor OR (NEW.state = 'cancelled') <> (OLD.state = 'cancelled')) BEGIN UPDATE deal_days SET orders = orders + (NEW.state <> 'cancelled') - (OLD.state <> 'cancelled'), base_minor = base_minor + NEW.base_minor - OLD.base_minor, commission_minor = commission_minor + NEW.commission_minor - OLD.commission_minor WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND day = NEW.placed_day AND currency = NEW.currency; END;
CREATE TRIGGER orders_leave_totals AFTER UPDATE ON orders WHEN OLD.deal_id IS NOT NULL AND NOT (NEW.deal_id IS OLD.deal_id AND NEW.placed_day IS OLD.placed_day AND NEW.currency IS OLD.currency) BEGIN UPDATE deal_days SET orders = orders - (OLD.state <> 'cancelled'), base_minor = base_minor - OLD.base_minor, commission_minor = commission_minor - OLD.commission_minor WHERE brand_id = OLD.brand_id AND deal_id = OLD.deal_id AND day = OLD.placed_day AND currency = OLD.currency; END;
CREATE TRIGGER orders_join_totals AFTER UPDATE ON orders WHEN NEW.deal_id IS NOT NULL AND NOT (NEW.deal_id IS OLD.deal_id AND NEW.placed_day IS OLD.placed_day AND NEW.currency IS OLD.currency) BEGIN INSERT INTO deal_days (brand_id, deal_id, day, currency, orders, base_minor, commission_minor) VALUES (NEW.brand_id, NEW.deal_id, NEW.placed_day, NEW.currency, NEW.state <> 'cancelled', NEW.base_minor, NEW.commission_minor) ON CONFLICT (brand_id, deal_id, day, currency) DO UPDATE SET orders = orders + excluded.orders, base_minor = base_minor + excluded.base_minor, commission_minor = commission_minor + excluded.commission_minor; END;
CREATE TRIGGER orders_insert_posts AFTER INSERT ON orders WHEN NEW.postings IS NOT NULL BEGIN INSERT INTO entries (brand_id, sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id, posted_at_ms) SELECT NEW.brand_id, h.head + 1 + j.key, h.head + 1 + (j.value ->> 't'), j.value ->> 'a', j.value ->> 'c', j.value ->> 'd', j.value ->> 'u', j.value ->> 'm', 'order', NEW.id, NEW.changed_at_ms FROM (SELECT coalesce(max(sequence), 0) AS head FROM entries WHERE brand_id = NEW.brand_id) h, json_each(NEW.postings) j ORDER BY j.key; END;
CREATE TRIGGER orders_update_posts AFTER UPDATE OF postings ON orders WHEN NEW.postings IS NOT NULL AND NEW.revision <> OLD.revision BEGIN INSERT INTO entries (brand_id, sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id, posted_at_ms) SELECT NEW.brand_id, h.head + 1 + j.key, h.head + 1 + (j.value ->> 't'), j.value ->> 'a', j.value ->> 'c', j.value ->> 'd', j.value ->> 'u', j.value ->> 'm', 'order', NEW.id, NEW.changed_at_ms FROM (SELECT coalesce(max(sequence), 0) AS head FROM entries WHERE brand_id = NEW.brand_id) h, json_each(NEW.postings) j ORDER BY j.key; END;
CREATE VIEW brand_facts AS SELECT b.id, json_object(
    'timezone', b.timezone, 'hold_days', b.hold_days, 'earn_on', b.earn_on,
    'count_test_orders', b.count_test_orders, 'version', b.version,
    'rules', json((SELECT json_group_array(json_object('starts_at_ms', r.starts_at_ms,
        'window_days', r.window_days, 'precedence', r.precedence, 'clicks', r.clicks) ORDER BY r.starts_at_ms)
      FROM attribution_rules r WHERE r.brand_id = b.id))) AS facts
  FROM brands b;
CREATE VIEW deal_facts AS SELECT d.brand_id, d.id, json_object(
    'deal', d.id, 'creator', d.creator_id, 'closed_at_ms', d.closed_at_ms,
    'email_hash', (SELECT c.email_hash FROM creators c WHERE c.brand_id = d.brand_id AND c.id = d.creator_id),
    'terms', json((SELECT json_group_array(json_object('id', t.id, 'starts_at_ms', t.starts_at_ms,
        'rate', t.rate_bp) ORDER BY t.starts_at_ms, t.version)
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
    'pending_minor', (SELECT amount_minor FROM balances WHERE brand_id = o.brand_id
      AND creator_id = o.creator_id AND currency = o.currency AND account = 'pending' AND day = o.available_day),
    'available_minor', (SELECT amount_minor FROM balances WHERE brand_id = o.brand_id
      AND creator_id = o.creator_id AND currency = o.currency AND account = 'available' AND day = 0),
    'clawback_minor', (SELECT amount_minor FROM balances WHERE brand_id = o.brand_id
      AND creator_id = o.creator_id AND currency = o.currency AND account = 'clawback' AND day = 0)) AS books
  FROM orders o;
