-- Which custom hostnames at Cloudflare we asked for. Of those from before nobody knows: they are left alone there.
ALTER TABLE hosts ADD COLUMN ours INTEGER NOT NULL DEFAULT 0 CHECK (ours IN (0, 1));
CREATE INDEX host_removals_by_host ON host_removals (host);
DROP TRIGGER hosts_given_up;
CREATE TRIGGER hosts_given_up AFTER DELETE ON hosts WHEN OLD.hostname_id IS NOT NULL AND OLD.ours = 1 BEGIN INSERT INTO host_removals (hostname_id, host, due_at_ms) VALUES (OLD.hostname_id, OLD.host, 0) ON CONFLICT (hostname_id) DO NOTHING; END;
CREATE TRIGGER hosts_wanted_again AFTER INSERT ON hosts WHEN EXISTS (SELECT 1 FROM host_removals WHERE host = NEW.host) BEGIN UPDATE hosts SET hostname_id = (SELECT hostname_id FROM host_removals WHERE host = NEW.host), ours = 1 WHERE host = NEW.host; DELETE FROM host_removals WHERE host = NEW.host; END;

-- Orders of GoAffPro of which the brand said that they are no orders of another store.
ALTER TABLE goaffpro_orders ADD COLUMN another INTEGER NOT NULL DEFAULT 0 CHECK (another IN (0, 1));

-- How often somebody changed what opens a shop.
ALTER TABLE store_access ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
-- When GoAffPro last hinted at something.
ALTER TABLE goaffpro_stores ADD COLUMN hinted_at_ms INTEGER;

-- Since when a shop that was reached isn't any more.
ALTER TABLE store_access ADD COLUMN lost_at_ms INTEGER;
