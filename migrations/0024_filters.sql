-- Filters: totals per deal with what lists are sorted by, tags and keywords to be found by, saved filters.
CREATE TABLE deal_totals (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  period INTEGER NOT NULL,
  currency TEXT NOT NULL,
  orders INTEGER NOT NULL DEFAULT 0 CHECK (orders >= 0),
  base_minor INTEGER NOT NULL DEFAULT 0 CHECK (base_minor >= 0),
  commission_minor INTEGER NOT NULL DEFAULT 0 CHECK (commission_minor >= 0),
  clicks INTEGER NOT NULL DEFAULT 0 CHECK (clicks >= 0),
  uniques INTEGER NOT NULL DEFAULT 0 CHECK (uniques >= 0),
  last_day INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (brand_id, deal_id, period, currency)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER deal_days_begin_totals AFTER INSERT ON deal_days BEGIN INSERT INTO deal_totals (brand_id, deal_id, period, currency, orders, base_minor, commission_minor, last_day) VALUES (NEW.brand_id, NEW.deal_id, 0, NEW.currency, NEW.orders, NEW.base_minor, NEW.commission_minor, iif(NEW.orders > 0, NEW.day, 0)), (NEW.brand_id, NEW.deal_id, CAST(strftime('%Y', NEW.day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', NEW.day * 86400, 'unixepoch') AS INTEGER) - 1, NEW.currency, NEW.orders, NEW.base_minor, NEW.commission_minor, 0) ON CONFLICT (brand_id, deal_id, period, currency) DO UPDATE SET orders = orders + excluded.orders, base_minor = base_minor + excluded.base_minor, commission_minor = commission_minor + excluded.commission_minor, last_day = max(last_day, excluded.last_day); INSERT INTO deals_to_rank (brand_id, deal_id) VALUES (NEW.brand_id, NEW.deal_id) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER deal_days_change_totals AFTER UPDATE ON deal_days BEGIN UPDATE deal_totals SET orders = orders + NEW.orders - OLD.orders, base_minor = base_minor + NEW.base_minor - OLD.base_minor, commission_minor = commission_minor + NEW.commission_minor - OLD.commission_minor, last_day = iif(period = 0 AND NEW.orders > 0, max(last_day, NEW.day), last_day) WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND period IN (0, CAST(strftime('%Y', NEW.day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', NEW.day * 86400, 'unixepoch') AS INTEGER) - 1) AND currency = NEW.currency; INSERT INTO deals_to_rank (brand_id, deal_id) VALUES (NEW.brand_id, NEW.deal_id) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER deal_days_lose_last AFTER UPDATE ON deal_days WHEN NEW.orders = 0 AND OLD.orders > 0 BEGIN UPDATE deal_totals SET last_day = coalesce((SELECT day FROM deal_days WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND day <= NEW.day AND orders > 0 AND currency = NEW.currency ORDER BY day DESC LIMIT 1), 0) WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND period = 0 AND currency = NEW.currency AND last_day = NEW.day; END;
CREATE TRIGGER click_days_begin_totals AFTER INSERT ON click_days BEGIN INSERT INTO deal_totals (brand_id, deal_id, period, currency, clicks, uniques) VALUES (NEW.brand_id, NEW.deal_id, 0, (SELECT currency FROM brands WHERE id = NEW.brand_id), NEW.total, NEW.uniques), (NEW.brand_id, NEW.deal_id, CAST(strftime('%Y', NEW.day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', NEW.day * 86400, 'unixepoch') AS INTEGER) - 1, (SELECT currency FROM brands WHERE id = NEW.brand_id), NEW.total, NEW.uniques) ON CONFLICT (brand_id, deal_id, period, currency) DO UPDATE SET clicks = clicks + excluded.clicks, uniques = uniques + excluded.uniques; INSERT INTO deals_to_rank (brand_id, deal_id) VALUES (NEW.brand_id, NEW.deal_id) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER click_days_change_totals AFTER UPDATE ON click_days WHEN NEW.total <> OLD.total OR NEW.uniques <> OLD.uniques BEGIN UPDATE deal_totals SET clicks = clicks + NEW.total - OLD.total, uniques = uniques + NEW.uniques - OLD.uniques WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND period IN (0, CAST(strftime('%Y', NEW.day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', NEW.day * 86400, 'unixepoch') AS INTEGER) - 1) AND currency = (SELECT currency FROM brands WHERE id = NEW.brand_id); INSERT INTO deals_to_rank (brand_id, deal_id) VALUES (NEW.brand_id, NEW.deal_id) ON CONFLICT DO NOTHING; END;

CREATE TABLE deals_to_rank (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  PRIMARY KEY (brand_id, deal_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE deal_ranks (
  brand_id TEXT NOT NULL,
  period INTEGER NOT NULL,
  deal_id TEXT NOT NULL,
  orders INTEGER NOT NULL,
  clicks INTEGER NOT NULL,
  conversion INTEGER NOT NULL,
  idle INTEGER NOT NULL,
  PRIMARY KEY (brand_id, period, deal_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX deal_ranks_by_orders ON deal_ranks (brand_id, period, orders, deal_id);
CREATE INDEX deal_ranks_by_clicks ON deal_ranks (brand_id, period, clicks, deal_id);
CREATE INDEX deal_ranks_by_conversion ON deal_ranks (brand_id, period, conversion, deal_id);
CREATE INDEX deal_ranks_by_idle ON deal_ranks (brand_id, period, idle, deal_id);

CREATE TABLE deal_money_ranks (
  brand_id TEXT NOT NULL,
  period INTEGER NOT NULL,
  currency TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  base_minor INTEGER NOT NULL,
  commission_minor INTEGER NOT NULL,
  per_commission INTEGER NOT NULL,
  PRIMARY KEY (brand_id, period, currency, deal_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX deal_money_ranks_by_base ON deal_money_ranks (brand_id, period, currency, base_minor, deal_id);
CREATE INDEX deal_money_ranks_by_commission ON deal_money_ranks (brand_id, period, currency, commission_minor, deal_id);
CREATE INDEX deal_money_ranks_by_ratio ON deal_money_ranks (brand_id, period, currency, per_commission, deal_id);
CREATE TABLE tags (
  brand_id TEXT NOT NULL,
  tag TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  PRIMARY KEY (brand_id, tag, subject_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER deals_begin_tags AFTER INSERT ON deals WHEN NEW.tags <> '[]' BEGIN INSERT INTO tags (brand_id, tag, subject_id) SELECT DISTINCT NEW.brand_id, value, NEW.id FROM json_each(NEW.tags) WHERE type = 'text'; END;
CREATE TRIGGER deals_change_tags AFTER UPDATE OF tags ON deals WHEN NEW.tags <> OLD.tags BEGIN DELETE FROM tags WHERE brand_id = OLD.brand_id AND tag IN (SELECT value FROM json_each(OLD.tags)) AND subject_id = OLD.id; INSERT INTO tags (brand_id, tag, subject_id) SELECT DISTINCT NEW.brand_id, value, NEW.id FROM json_each(NEW.tags) WHERE type = 'text'; END;
CREATE TRIGGER creators_begin_tags AFTER INSERT ON creators WHEN NEW.tags <> '[]' BEGIN INSERT INTO tags (brand_id, tag, subject_id) SELECT DISTINCT NEW.brand_id, value, NEW.id FROM json_each(NEW.tags) WHERE type = 'text'; END;
CREATE TRIGGER creators_change_tags AFTER UPDATE OF tags ON creators WHEN NEW.tags <> OLD.tags BEGIN DELETE FROM tags WHERE brand_id = OLD.brand_id AND tag IN (SELECT value FROM json_each(OLD.tags)) AND subject_id = OLD.id; INSERT INTO tags (brand_id, tag, subject_id) SELECT DISTINCT NEW.brand_id, value, NEW.id FROM json_each(NEW.tags) WHERE type = 'text'; END;

CREATE TABLE search_docs (
  doc INTEGER NOT NULL PRIMARY KEY,
  brand_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  brand TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX search_docs_by_creator ON search_docs (brand_id, creator_id);
CREATE VIRTUAL TABLE search USING fts5(brand, text, content='search_docs', content_rowid='doc', tokenize='unicode61 remove_diacritics 2');
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
CREATE VIEW search_texts AS SELECT c.brand_id, c.id AS creator_id, c.name || ' ' || c.handle || ' ' || coalesce(c.niche, '') || ' ' || coalesce((SELECT group_concat(h.handle, ' ') FROM creator_handles h WHERE h.brand_id = c.brand_id AND h.creator_id = c.id), '') || ' ' || coalesce((SELECT group_concat(n.text, ' ') FROM deals d CROSS JOIN notes n ON n.brand_id = d.brand_id AND n.deal_id = d.id WHERE d.brand_id = c.brand_id AND d.creator_id = c.id), '') AS text FROM creators c;
CREATE TRIGGER search_docs_begin AFTER INSERT ON search_docs BEGIN INSERT INTO search (rowid, brand, text) VALUES (NEW.doc, NEW.brand, NEW.text); END;
CREATE TRIGGER search_docs_change AFTER UPDATE OF text ON search_docs BEGIN INSERT INTO search (search, rowid, brand, text) VALUES ('delete', OLD.doc, OLD.brand, OLD.text); INSERT INTO search (rowid, brand, text) VALUES (NEW.doc, NEW.brand, NEW.text); END;
CREATE TRIGGER search_docs_end AFTER DELETE ON search_docs BEGIN INSERT INTO search (search, rowid, brand, text) VALUES ('delete', OLD.doc, OLD.brand, OLD.text); END;
CREATE TRIGGER creators_begin_search AFTER INSERT ON creators BEGIN INSERT INTO search_docs (brand_id, creator_id, brand, text) SELECT brand_id, creator_id, substr(brand_id, 7), text FROM search_texts WHERE brand_id = NEW.brand_id AND creator_id = NEW.id; END;
CREATE TRIGGER creators_change_search AFTER UPDATE OF name, handle, niche ON creators WHEN NEW.name <> OLD.name OR NEW.handle <> OLD.handle OR NEW.niche IS NOT OLD.niche BEGIN UPDATE search_docs SET text = (SELECT text FROM search_texts WHERE brand_id = NEW.brand_id AND creator_id = search_docs.creator_id) WHERE brand_id = NEW.brand_id AND creator_id = NEW.id; END;
CREATE TRIGGER creators_end_search AFTER DELETE ON creators BEGIN DELETE FROM search_docs WHERE brand_id = OLD.brand_id AND creator_id = OLD.id; END;
CREATE TRIGGER creator_handles_begin_search AFTER INSERT ON creator_handles BEGIN UPDATE search_docs SET text = (SELECT text FROM search_texts WHERE brand_id = NEW.brand_id AND creator_id = search_docs.creator_id) WHERE brand_id = NEW.brand_id AND creator_id = NEW.creator_id; END;
CREATE TRIGGER creator_handles_change_search AFTER UPDATE OF creator_id, handle ON creator_handles BEGIN UPDATE search_docs SET text = (SELECT text FROM search_texts WHERE brand_id = NEW.brand_id AND creator_id = search_docs.creator_id) WHERE brand_id = NEW.brand_id AND creator_id = NEW.creator_id; END;
CREATE TRIGGER creator_handles_move_search AFTER UPDATE OF creator_id ON creator_handles WHEN NEW.creator_id <> OLD.creator_id BEGIN UPDATE search_docs SET text = (SELECT text FROM search_texts WHERE brand_id = OLD.brand_id AND creator_id = search_docs.creator_id) WHERE brand_id = OLD.brand_id AND creator_id = OLD.creator_id; END;
CREATE TRIGGER creator_handles_end_search AFTER DELETE ON creator_handles BEGIN UPDATE search_docs SET text = (SELECT text FROM search_texts WHERE brand_id = OLD.brand_id AND creator_id = search_docs.creator_id) WHERE brand_id = OLD.brand_id AND creator_id = OLD.creator_id; END;
CREATE TRIGGER notes_begin_search AFTER INSERT ON notes BEGIN UPDATE search_docs SET text = (SELECT text FROM search_texts WHERE brand_id = NEW.brand_id AND creator_id = search_docs.creator_id) WHERE brand_id = NEW.brand_id AND creator_id = (SELECT creator_id FROM deals WHERE brand_id = NEW.brand_id AND id = NEW.deal_id); END;
CREATE TRIGGER notes_change_search AFTER UPDATE OF text ON notes WHEN NEW.text <> OLD.text BEGIN UPDATE search_docs SET text = (SELECT text FROM search_texts WHERE brand_id = NEW.brand_id AND creator_id = search_docs.creator_id) WHERE brand_id = NEW.brand_id AND creator_id = (SELECT creator_id FROM deals WHERE brand_id = NEW.brand_id AND id = NEW.deal_id); END;
CREATE TRIGGER notes_end_search AFTER DELETE ON notes BEGIN UPDATE search_docs SET text = (SELECT text FROM search_texts WHERE brand_id = OLD.brand_id AND creator_id = search_docs.creator_id) WHERE brand_id = OLD.brand_id AND creator_id = (SELECT creator_id FROM deals WHERE brand_id = OLD.brand_id AND id = OLD.deal_id); END;
CREATE TRIGGER deals_move_search AFTER UPDATE OF creator_id ON deals WHEN NEW.creator_id <> OLD.creator_id BEGIN UPDATE search_docs SET text = (SELECT text FROM search_texts WHERE brand_id = OLD.brand_id AND creator_id = search_docs.creator_id) WHERE brand_id = OLD.brand_id AND creator_id = OLD.creator_id; UPDATE search_docs SET text = (SELECT text FROM search_texts WHERE brand_id = NEW.brand_id AND creator_id = search_docs.creator_id) WHERE brand_id = NEW.brand_id AND creator_id = NEW.creator_id; END;

CREATE TABLE segments (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  filter TEXT NOT NULL,
  sort TEXT NOT NULL,
  made_by TEXT NOT NULL,
  revision INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL,
  changed_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX segments_by_name ON segments (brand_id, name);
CREATE UNIQUE INDEX creators_by_name ON creators (brand_id, name, id);
CREATE UNIQUE INDEX creators_by_followers ON creators (brand_id, coalesce(followers, -1), id);
CREATE INDEX deals_by_contact ON deals (brand_id, coalesce(contacted_at_ms, -1), id);

INSERT INTO deal_totals (brand_id, deal_id, period, currency, orders, base_minor, commission_minor, last_day) SELECT brand_id, deal_id, 0, currency, sum(orders), sum(base_minor), sum(commission_minor), max(iif(orders > 0, day, 0)) FROM deal_days WHERE true GROUP BY brand_id, deal_id, currency;
INSERT INTO deal_totals (brand_id, deal_id, period, currency, orders, base_minor, commission_minor) SELECT brand_id, deal_id, CAST(strftime('%Y', day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', day * 86400, 'unixepoch') AS INTEGER) - 1, currency, sum(orders), sum(base_minor), sum(commission_minor) FROM deal_days WHERE true GROUP BY brand_id, deal_id, 3, currency;
INSERT INTO deal_totals (brand_id, deal_id, period, currency, clicks, uniques) SELECT k.brand_id, k.deal_id, 0, b.currency, sum(k.total), sum(k.uniques) FROM click_days k JOIN brands b ON b.id = k.brand_id GROUP BY k.brand_id, k.deal_id ON CONFLICT (brand_id, deal_id, period, currency) DO UPDATE SET clicks = excluded.clicks, uniques = excluded.uniques;
INSERT INTO deal_totals (brand_id, deal_id, period, currency, clicks, uniques) SELECT k.brand_id, k.deal_id, CAST(strftime('%Y', k.day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', k.day * 86400, 'unixepoch') AS INTEGER) - 1, b.currency, sum(k.total), sum(k.uniques) FROM click_days k JOIN brands b ON b.id = k.brand_id GROUP BY k.brand_id, k.deal_id, 3 ON CONFLICT (brand_id, deal_id, period, currency) DO UPDATE SET clicks = excluded.clicks, uniques = excluded.uniques;
INSERT INTO deals_to_rank (brand_id, deal_id) SELECT DISTINCT brand_id, deal_id FROM deal_totals;
INSERT INTO tags (brand_id, tag, subject_id) SELECT DISTINCT d.brand_id, j.value, d.id FROM deals d, json_each(d.tags) j WHERE j.type = 'text';
INSERT INTO tags (brand_id, tag, subject_id) SELECT DISTINCT c.brand_id, j.value, c.id FROM creators c, json_each(c.tags) j WHERE j.type = 'text';
INSERT INTO search_docs (brand_id, creator_id, brand, text) SELECT brand_id, creator_id, substr(brand_id, 7), text FROM search_texts;
