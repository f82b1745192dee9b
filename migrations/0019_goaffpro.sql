-- Stores on GoAffPro: its affiliates and the deals they belong to, its orders as it tells them.
CREATE TABLE goaffpro_stores (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  ref_parameter TEXT NOT NULL DEFAULT 'ref' CHECK (length(ref_parameter) BETWEEN 1 AND 30),
  website TEXT NOT NULL DEFAULT '',
  orders_from TEXT,
  orders_since TEXT NOT NULL DEFAULT '0',
  visits_since TEXT NOT NULL DEFAULT '0',
  orders_read_at_ms INTEGER,
  swept_at_ms INTEGER,
  affiliates_read_at_ms INTEGER,
  ledger_read_at_ms INTEGER,
  note TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (brand_id, store_id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id),
  FOREIGN KEY (brand_id, orders_from) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE goaffpro_orders (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  external_id TEXT NOT NULL,
  number TEXT NOT NULL,
  affiliate_id TEXT,
  subtotal TEXT NOT NULL,
  commission TEXT,
  status TEXT NOT NULL CHECK (status IN ('open', 'approved', 'rejected', 'gone')),
  paid INTEGER NOT NULL CHECK (paid IN (0, 1)),
  coupons TEXT NOT NULL CHECK (json_valid(coupons)),
  email_hash TEXT,
  placed_at_ms INTEGER NOT NULL,
  told_at_ms INTEGER NOT NULL,
  as_of_ms INTEGER NOT NULL,
  standing TEXT NOT NULL DEFAULT 'new' CHECK (standing IN ('new', 'ours', 'matched', 'waiting', 'held')),
  order_id TEXT,
  due_at_ms INTEGER,
  revision INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (brand_id, store_id, external_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX goaffpro_orders_due ON goaffpro_orders (brand_id, store_id, due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX goaffpro_orders_by_time ON goaffpro_orders (brand_id, store_id, placed_at_ms);
CREATE INDEX goaffpro_orders_by_affiliate ON goaffpro_orders (brand_id, store_id, affiliate_id, placed_at_ms) WHERE affiliate_id IS NOT NULL;
CREATE INDEX goaffpro_orders_by_order ON goaffpro_orders (brand_id, order_id) WHERE order_id IS NOT NULL;
CREATE TABLE affiliates (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT,
  email_hash TEXT,
  ref_codes TEXT NOT NULL CHECK (json_valid(ref_codes)),
  coupons TEXT NOT NULL CHECK (json_valid(coupons)),
  status TEXT NOT NULL,
  commission TEXT NOT NULL,
  deal_id TEXT,
  sums TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(sums)),
  read_at_ms INTEGER NOT NULL,
  gone_at_ms INTEGER,
  erased_at_ms INTEGER,
  PRIMARY KEY (brand_id, store_id, id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX affiliates_by_deal ON affiliates (brand_id, deal_id, store_id) WHERE deal_id IS NOT NULL;
CREATE TABLE affiliate_deals (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  affiliate_id TEXT NOT NULL,
  starts_at_ms INTEGER NOT NULL,
  deal_id TEXT,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, store_id, affiliate_id, starts_at_ms),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER affiliate_deals_follow BEFORE INSERT ON affiliate_deals WHEN EXISTS (SELECT 1 FROM affiliate_deals WHERE brand_id = NEW.brand_id AND store_id = NEW.store_id AND affiliate_id = NEW.affiliate_id AND starts_at_ms >= NEW.starts_at_ms) BEGIN SELECT RAISE(ABORT, 'affiliate_deals_follow: constraint failed'); END;
CREATE TRIGGER affiliate_deals_never_change BEFORE UPDATE ON affiliate_deals BEGIN SELECT RAISE(ABORT, 'affiliate_deals are append-only'); END;
CREATE TRIGGER affiliate_deals_never_go BEFORE DELETE ON affiliate_deals BEGIN SELECT RAISE(ABORT, 'affiliate_deals are append-only'); END;
CREATE TABLE affiliate_clicks (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  day INTEGER NOT NULL,
  store_id TEXT NOT NULL,
  affiliate_id TEXT NOT NULL,
  clicks INTEGER NOT NULL CHECK (clicks >= 0),
  PRIMARY KEY (brand_id, deal_id, day, store_id, affiliate_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE affiliate_requests (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  ref_code TEXT,
  coupon TEXT,
  percent TEXT,
  state TEXT NOT NULL CHECK (state IN ('creating', 'active', 'failed')),
  problem TEXT NOT NULL DEFAULT '',
  affiliate_id TEXT,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, deal_id, store_id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX creators_by_email ON creators (brand_id, email_hash) WHERE email_hash IS NOT NULL;
