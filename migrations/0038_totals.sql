-- Totals of deals are added up by who reads them and every minute, not by an order's triggers: three of the eleven
-- rows that an attributed order wrote were theirs, and its INSERT compiled three triggers behind another.
DROP TRIGGER deal_days_begin_totals;
DROP TRIGGER deal_days_change_totals;
DROP TRIGGER deal_days_lose_last;
DROP TRIGGER click_days_begin_totals;
DROP TRIGGER click_days_change_totals;
CREATE TABLE totals_told (
  brand_id TEXT NOT NULL PRIMARY KEY,
  sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE totals_to_tell (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  period INTEGER NOT NULL,
  PRIMARY KEY (brand_id, deal_id, period)
) STRICT, WITHOUT ROWID;
-- What stands in totals is right so far; of what waited to be ranked all months are added up again.
INSERT INTO totals_told (brand_id, sequence) SELECT brand_id, max(sequence) FROM entries GROUP BY brand_id;
INSERT INTO totals_to_tell (brand_id, deal_id, period) SELECT DISTINCT t.brand_id, t.deal_id, t.period FROM deals_to_rank r CROSS JOIN deal_totals t ON t.brand_id = r.brand_id AND t.deal_id = r.deal_id WHERE t.period > 0;
DROP TABLE deals_to_rank;
CREATE TRIGGER orders_insert_untold AFTER INSERT ON orders WHEN NEW.deal_id IS NOT NULL AND NEW.postings IS NULL BEGIN INSERT INTO totals_to_tell (brand_id, deal_id, period) VALUES (NEW.brand_id, NEW.deal_id, CAST(strftime('%Y', NEW.placed_day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', NEW.placed_day * 86400, 'unixepoch') AS INTEGER) - 1) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER orders_update_untold AFTER UPDATE ON orders WHEN NEW.deal_id IS NOT NULL AND ((NEW.base_minor <> OLD.base_minor OR NEW.commission_minor <> OLD.commission_minor OR (NEW.state = 'cancelled') <> (OLD.state = 'cancelled')) OR NOT (NEW.deal_id IS OLD.deal_id AND NEW.placed_day IS OLD.placed_day AND NEW.currency IS OLD.currency)) BEGIN INSERT INTO totals_to_tell (brand_id, deal_id, period) VALUES (NEW.brand_id, NEW.deal_id, CAST(strftime('%Y', NEW.placed_day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', NEW.placed_day * 86400, 'unixepoch') AS INTEGER) - 1) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER orders_leave_untold AFTER UPDATE ON orders WHEN OLD.deal_id IS NOT NULL AND NOT (NEW.deal_id IS OLD.deal_id AND NEW.placed_day IS OLD.placed_day AND NEW.currency IS OLD.currency) BEGIN INSERT INTO totals_to_tell (brand_id, deal_id, period) VALUES (OLD.brand_id, OLD.deal_id, CAST(strftime('%Y', OLD.placed_day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', OLD.placed_day * 86400, 'unixepoch') AS INTEGER) - 1) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER click_days_insert_untold AFTER INSERT ON click_days BEGIN INSERT INTO totals_to_tell (brand_id, deal_id, period) VALUES (NEW.brand_id, NEW.deal_id, CAST(strftime('%Y', NEW.day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', NEW.day * 86400, 'unixepoch') AS INTEGER) - 1) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER click_days_update_untold AFTER UPDATE ON click_days WHEN NEW.total <> OLD.total OR NEW.uniques <> OLD.uniques BEGIN INSERT INTO totals_to_tell (brand_id, deal_id, period) VALUES (NEW.brand_id, NEW.deal_id, CAST(strftime('%Y', NEW.day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', NEW.day * 86400, 'unixepoch') AS INTEGER) - 1) ON CONFLICT DO NOTHING; END;
