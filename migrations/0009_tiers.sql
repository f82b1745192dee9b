-- Commission tiers: see the comments in schema.sql.
ALTER TABLE brands ADD COLUMN tiers INTEGER NOT NULL DEFAULT 0 CHECK (tiers >= 0);
CREATE TABLE tiers (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  campaign_id TEXT,
  metric TEXT NOT NULL CHECK (metric IN ('orders', 'revenue', 'commission')),
  period TEXT NOT NULL CHECK (period IN ('month', 'quarter', 'all')),
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  falls_back INTEGER NOT NULL CHECK (falls_back IN (0, 1)),
  levels TEXT NOT NULL CHECK (json_valid(levels)),
  created_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, campaign_id) REFERENCES campaigns (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER tiers_insert_version AFTER INSERT ON tiers BEGIN UPDATE brands SET version = version + 1, tiers = tiers + 1 WHERE id = NEW.brand_id; END;
CREATE TRIGGER tiers_update_version AFTER UPDATE ON tiers BEGIN UPDATE brands SET version = version + 1, tiers = tiers - (NEW.ended_at_ms IS NOT NULL AND OLD.ended_at_ms IS NULL) WHERE id = NEW.brand_id; END;
CREATE TABLE tier_steps (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  tiers_id TEXT NOT NULL,
  since INTEGER NOT NULL,
  level INTEGER NOT NULL CHECK (level >= 1),
  name TEXT NOT NULL,
  measured INTEGER NOT NULL,
  versions INTEGER NOT NULL,
  reached_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, deal_id, tiers_id, since, level)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER tier_steps_of_these_terms BEFORE INSERT ON tier_steps WHEN NEW.versions <> (SELECT count(*) FROM terms WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id) BEGIN SELECT RAISE(ABORT, 'decided_from_stale_facts'); END;
DROP VIEW brand_facts;
CREATE VIEW brand_facts AS SELECT b.id, json_object(
    'timezone', b.timezone, 'hold_days', b.hold_days, 'earn_on', b.earn_on,
    'count_test_orders', b.count_test_orders, 'version', b.version,
    'counts_customers', b.counts_customers,
    'tiers', b.tiers,
    'rules', json((SELECT json_group_array(json_object('starts_at_ms', r.starts_at_ms,
        'window_days', r.window_days, 'precedence', r.precedence, 'clicks', r.clicks) ORDER BY r.starts_at_ms)
      FROM attribution_rules r WHERE r.brand_id = b.id))) AS facts
  FROM brands b;
