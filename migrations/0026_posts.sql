-- What creators published, how it did, and how a brand values it.
CREATE TABLE posts (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  platform TEXT NOT NULL,
  url TEXT NOT NULL,
  url_key TEXT NOT NULL,
  published_at_ms INTEGER NOT NULL,
  reported_by TEXT NOT NULL CHECK (reported_by IN ('brand', 'creator')),
  removed_at_ms INTEGER,
  created_at_ms INTEGER NOT NULL,
  measured_at_ms INTEGER,
  measurements INTEGER NOT NULL DEFAULT 0 CHECK (measurements BETWEEN 0 AND 1000),
  impressions INTEGER CHECK (impressions BETWEEN 0 AND 20000000000),
  views INTEGER CHECK (views BETWEEN 0 AND 20000000000),
  likes INTEGER CHECK (likes BETWEEN 0 AND 20000000000),
  comments INTEGER CHECK (comments BETWEEN 0 AND 20000000000),
  shares INTEGER CHECK (shares BETWEEN 0 AND 20000000000),
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX posts_by_url ON posts (brand_id, url_key);
CREATE INDEX posts_by_time ON posts (brand_id, published_at_ms, id);
CREATE INDEX posts_by_deal ON posts (brand_id, deal_id, published_at_ms, id);

CREATE TABLE post_metrics (
  brand_id TEXT NOT NULL,
  post_id TEXT NOT NULL,
  measured_at_ms INTEGER NOT NULL,
  source TEXT NOT NULL CHECK (source IN ('brand', 'creator')),
  noted_at_ms INTEGER NOT NULL,
  impressions INTEGER CHECK (impressions BETWEEN 0 AND 20000000000),
  views INTEGER CHECK (views BETWEEN 0 AND 20000000000),
  likes INTEGER CHECK (likes BETWEEN 0 AND 20000000000),
  comments INTEGER CHECK (comments BETWEEN 0 AND 20000000000),
  shares INTEGER CHECK (shares BETWEEN 0 AND 20000000000),
  PRIMARY KEY (brand_id, post_id, measured_at_ms),
  FOREIGN KEY (brand_id, post_id) REFERENCES posts (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER post_metrics_count AFTER INSERT ON post_metrics BEGIN UPDATE posts SET measurements = measurements + 1 WHERE brand_id = NEW.brand_id AND id = NEW.post_id; END;
CREATE TRIGGER post_metrics_latest_insert AFTER INSERT ON post_metrics BEGIN UPDATE posts SET (measured_at_ms, impressions, views, likes, comments, shares) = (SELECT max(measured_at_ms), (SELECT impressions FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.impressions IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT views FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.views IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT likes FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.likes IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT comments FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.comments IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT shares FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.shares IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1) FROM post_metrics WHERE brand_id = NEW.brand_id AND post_id = NEW.post_id) WHERE brand_id = NEW.brand_id AND id = NEW.post_id; END;
CREATE TRIGGER post_metrics_latest_update AFTER UPDATE ON post_metrics BEGIN UPDATE posts SET (measured_at_ms, impressions, views, likes, comments, shares) = (SELECT max(measured_at_ms), (SELECT impressions FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.impressions IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT views FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.views IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT likes FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.likes IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT comments FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.comments IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT shares FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.shares IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1) FROM post_metrics WHERE brand_id = NEW.brand_id AND post_id = NEW.post_id) WHERE brand_id = NEW.brand_id AND id = NEW.post_id; END;

CREATE TABLE media_formulas (
  brand_id TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version BETWEEN 1 AND 10000),
  rates TEXT NOT NULL CHECK (json_valid(rates)),
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, version)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER media_formulas_never_change BEFORE UPDATE ON media_formulas BEGIN SELECT RAISE(ABORT, 'media formulas are append-only'); END;
