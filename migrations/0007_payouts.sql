-- Fees, adjustments, payouts, payment details; money calls that may be repeated.
DROP TRIGGER entries_insert_once;
DROP TRIGGER entries_never_change;
DROP TRIGGER entries_never_go;
DROP TRIGGER orders_insert_posts;
DROP TRIGGER orders_update_posts;
DROP TRIGGER entries_fold;
CREATE TABLE entries_new (
  brand_id TEXT NOT NULL,
  sequence INTEGER NOT NULL CHECK (sequence >= 1),
  txn INTEGER NOT NULL CHECK (txn BETWEEN 1 AND sequence),
  account TEXT NOT NULL CHECK (account IN ('commission', 'pending', 'available', 'in_payout', 'paid', 'clawback')),
  creator_id TEXT,
  day INTEGER NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  amount_minor INTEGER NOT NULL CHECK (amount_minor <> 0 AND abs(amount_minor) <= 900000000000000),
  cause TEXT NOT NULL CHECK (cause IN ('order', 'release', 'fee', 'adjustment', 'payout', 'settlement')),
  cause_id TEXT NOT NULL,
  posted_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, sequence),
  CHECK ((account = 'commission') = (creator_id IS NULL)),
  CHECK (account = 'pending' OR day = 0)
) STRICT, WITHOUT ROWID;
INSERT INTO entries_new SELECT * FROM entries;
DROP TABLE entries;
ALTER TABLE entries_new RENAME TO entries;
CREATE INDEX entries_by_creator ON entries (brand_id, creator_id, sequence) WHERE creator_id IS NOT NULL;
CREATE TRIGGER entries_insert_once BEFORE INSERT ON entries WHEN EXISTS (SELECT 1 FROM entries WHERE brand_id = NEW.brand_id AND sequence = NEW.sequence) BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER entries_never_go BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER orders_insert_posts AFTER INSERT ON orders WHEN NEW.postings IS NOT NULL BEGIN INSERT INTO entries (brand_id, sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id, posted_at_ms) SELECT NEW.brand_id, h.head + 1 + j.key, h.head + 1 + (j.value ->> 't'), j.value ->> 'a', j.value ->> 'c', j.value ->> 'd', j.value ->> 'u', j.value ->> 'm', 'order', NEW.id, NEW.changed_at_ms FROM (SELECT coalesce(max(sequence), 0) AS head FROM entries WHERE brand_id = NEW.brand_id) h, json_each(NEW.postings) j ORDER BY j.key; END;
CREATE TRIGGER orders_update_posts AFTER UPDATE OF postings ON orders WHEN NEW.postings IS NOT NULL AND NEW.revision <> OLD.revision BEGIN INSERT INTO entries (brand_id, sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id, posted_at_ms) SELECT NEW.brand_id, h.head + 1 + j.key, h.head + 1 + (j.value ->> 't'), j.value ->> 'a', j.value ->> 'c', j.value ->> 'd', j.value ->> 'u', j.value ->> 'm', 'order', NEW.id, NEW.changed_at_ms FROM (SELECT coalesce(max(sequence), 0) AS head FROM entries WHERE brand_id = NEW.brand_id) h, json_each(NEW.postings) j ORDER BY j.key; END;
CREATE TRIGGER entries_fold AFTER INSERT ON entries WHEN NEW.creator_id IS NOT NULL BEGIN INSERT INTO balances (brand_id, creator_id, currency, account, day, amount_minor) VALUES (NEW.brand_id, NEW.creator_id, NEW.currency, NEW.account, NEW.day, CASE WHEN (NEW.account = 'clawback') = (NEW.amount_minor < 0) THEN NEW.amount_minor WHEN EXISTS (SELECT 1 FROM balances WHERE brand_id = NEW.brand_id AND creator_id = NEW.creator_id AND currency = NEW.currency AND account = NEW.account AND day = NEW.day) THEN 0 END) ON CONFLICT (brand_id, creator_id, currency, account, day) DO UPDATE SET amount_minor = amount_minor + NEW.amount_minor; END;
CREATE TABLE fees (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  note TEXT,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX fees_by_deal ON fees (brand_id, deal_id, id);
CREATE TABLE adjustments (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  amount_minor INTEGER NOT NULL CHECK (amount_minor <> 0),
  reason TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE payment_details (
  brand_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  method TEXT NOT NULL CHECK (method IN ('paypal', 'iban', 'ach')),
  last4 TEXT,
  country TEXT,
  sealed TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  updated_at_ms INTEGER NOT NULL,
  usable_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, creator_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE payouts (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  state TEXT NOT NULL CHECK (state IN ('draft', 'approved', 'cancelled')),
  revision INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  approved_at_ms INTEGER,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE payout_lines (
  brand_id TEXT NOT NULL,
  payout_id TEXT NOT NULL,
  id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  state TEXT NOT NULL CHECK (state IN ('draft', 'in_payout', 'settled', 'failed', 'cancelled')),
  revision INTEGER NOT NULL DEFAULT 0,
  reference TEXT,
  reason TEXT,
  settled_at_ms INTEGER,
  PRIMARY KEY (brand_id, payout_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX payout_lines_by_creator ON payout_lines (brand_id, creator_id, id);
CREATE TABLE idempotency (
  brand_id TEXT NOT NULL,
  key TEXT NOT NULL,
  request_hash TEXT NOT NULL CHECK (length(request_hash) = 64),
  status INTEGER NOT NULL,
  answer TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, key)
) STRICT, WITHOUT ROWID;
