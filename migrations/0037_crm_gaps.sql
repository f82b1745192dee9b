-- The full-text index knows the number of what it indexes, so that it can be asked about some rows alone.
DROP TRIGGER search_docs_begin;
DROP TRIGGER search_docs_change;
DROP TRIGGER search_docs_end;
DROP TABLE search;
CREATE VIRTUAL TABLE search USING fts5(brand, doc, text, content='search_docs', content_rowid='doc', tokenize='unicode61 remove_diacritics 2');
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER search_docs_begin AFTER INSERT ON search_docs BEGIN INSERT INTO search (rowid, brand, doc, text) VALUES (NEW.doc, NEW.brand, NEW.doc, NEW.text); END;
CREATE TRIGGER search_docs_change AFTER UPDATE OF text ON search_docs BEGIN INSERT INTO search (search, rowid, brand, doc, text) VALUES ('delete', OLD.doc, OLD.brand, OLD.doc, OLD.text); INSERT INTO search (rowid, brand, doc, text) VALUES (NEW.doc, NEW.brand, NEW.doc, NEW.text); END;
CREATE TRIGGER search_docs_end AFTER DELETE ON search_docs BEGIN INSERT INTO search (search, rowid, brand, doc, text) VALUES ('delete', OLD.doc, OLD.brand, OLD.doc, OLD.text); END;
INSERT INTO search (search) VALUES ('rebuild');

-- Mails of machines are counted apart from those of people.
ALTER TABLE conversations ADD COLUMN in_automatic INTEGER NOT NULL DEFAULT 0;

-- What goes after its time.
CREATE INDEX automation_runs_over ON automation_runs (ended_at_ms, brand_id) WHERE ended_at_ms IS NOT NULL;
CREATE INDEX bulk_actions_over ON bulk_actions (finished_at_ms, brand_id) WHERE finished_at_ms IS NOT NULL;

-- A creator takes half of a post's room at most.
CREATE TRIGGER post_metrics_of_hers BEFORE INSERT ON post_metrics WHEN NEW.source = 'creator' AND (SELECT count(*) FROM post_metrics WHERE brand_id = NEW.brand_id AND post_id = NEW.post_id AND source = 'creator') >= 500 AND NOT EXISTS (SELECT 1 FROM post_metrics WHERE brand_id = NEW.brand_id AND post_id = NEW.post_id AND measured_at_ms = NEW.measured_at_ms) BEGIN SELECT RAISE(ABORT, 'measurements: constraint failed'); END;
