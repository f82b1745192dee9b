-- The triggers of `orders` write what happened where nothing hangs on it: every delivery compiles them, and half
-- of what an order's INSERT cost to compile were the triggers behind theirs.
CREATE TABLE order_news (
  id INTEGER PRIMARY KEY,
  brand_id TEXT NOT NULL,
  told TEXT NOT NULL CHECK (json_valid(told)),
  was TEXT CHECK (json_valid(was)),
  created_at_ms INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER))
) STRICT;
CREATE INDEX order_news_by_brand ON order_news (brand_id, id);
DROP TRIGGER orders_insert_told;
DROP TRIGGER orders_update_told;
CREATE TRIGGER orders_insert_told AFTER INSERT ON orders WHEN NEW.placed_at_ms IS NOT NULL AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO order_news (brand_id, told) VALUES (NEW.brand_id, json_array(NEW.id, NEW.store_id, NEW.external_id, NEW.name, NEW.placed_at_ms, NEW.state, NEW.currency, NEW.base_minor, NEW.deal_id, NEW.creator_id, NEW.commission_minor, NEW.available_day)); END;
CREATE TRIGGER orders_update_told AFTER UPDATE ON orders WHEN NEW.placed_at_ms IS NOT NULL AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO order_news (brand_id, told, was) VALUES (NEW.brand_id, json_array(NEW.id, NEW.store_id, NEW.external_id, NEW.name, NEW.placed_at_ms, NEW.state, NEW.currency, NEW.base_minor, NEW.deal_id, NEW.creator_id, NEW.commission_minor, NEW.available_day), json_array(NULL, NULL, NULL, OLD.name, OLD.placed_at_ms, OLD.state, OLD.currency, OLD.base_minor, OLD.deal_id, NULL, OLD.commission_minor, OLD.available_day)); END;
