-- Whether creators may make links of their deals themselves.
ALTER TABLE brands ADD COLUMN creators_make_links INTEGER NOT NULL DEFAULT 0 CHECK (creators_make_links IN (0, 1));
