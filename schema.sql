-- The readable truth of the D1 database. Migrations add up to this file (tests/schema.rs).
--
-- Conventions: STRICT tables; ids are TypeIDs as TEXT; times are milliseconds since 1970 in UTC
-- (`…_ms`); amounts are integer minor units (`…_minor`) within ±9e14, far inside 2^53; days count
-- from 1970-01-01 in the brand's calendar; every table of a brand begins its key with brand_id.
-- WITHOUT ROWID where rows are found by key only: an insert then writes one row, not two.

-- A tenant and its settings. `link_host` is the host that its links are handed out on, '' for the
-- product's own /go. `version` counts the changes of everything that decides orders (settings,
-- rules, deals, terms, codes, links): a decision names the version that it was made from.
-- `money_keys`: whether API keys may move money, which members do with a passkey.
-- `creators_make_links`: whether creators may make links of their deals themselves.
-- `counts_customers`: whether orders are counted by customer, because some terms look at that.
-- `tiers`: how many tiers haven't ended, counted by their triggers.
-- `payout_day`: drafts are made on that day of each month that isn't before `payout_since_day`, in these
-- currencies (NULL: all). A payout above `second_above_minor` needs two people. `revision` counts the
-- changes of settings. `webhooks`: how many endpoints listen, counted by their triggers; `webhook_sequence`: the
-- number of the last event told to them. `automations`: the bits of what the enabled ones listen to, kept by
-- their triggers; `automation_run`: the run whose step is done in this batch, NULL between batches.
CREATE TABLE brands (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  timezone TEXT NOT NULL,
  homepage_url TEXT NOT NULL,
  owner_email TEXT NOT NULL,
  link_host TEXT NOT NULL DEFAULT '',
  hold_days INTEGER NOT NULL CHECK (hold_days BETWEEN 0 AND 365),
  earn_on TEXT NOT NULL CHECK (earn_on IN ('paid', 'placed')),
  count_test_orders INTEGER NOT NULL CHECK (count_test_orders IN (0, 1)),
  payout_minimum_minor INTEGER CHECK (payout_minimum_minor BETWEEN 0 AND 900000000000000),
  created_at_ms INTEGER NOT NULL,
  version INTEGER NOT NULL DEFAULT 1,
  money_keys INTEGER NOT NULL DEFAULT 1 CHECK (money_keys IN (0, 1)),
  counts_customers INTEGER NOT NULL DEFAULT 0 CHECK (counts_customers IN (0, 1)),
  tiers INTEGER NOT NULL DEFAULT 0 CHECK (tiers >= 0),
  payout_day INTEGER CHECK (payout_day BETWEEN 1 AND 28),
  payout_currencies TEXT CHECK (json_valid(payout_currencies)),
  payout_since_day INTEGER,
  second_above_minor INTEGER CHECK (second_above_minor BETWEEN 0 AND 900000000000000),
  revision INTEGER NOT NULL DEFAULT 0,
  webhooks INTEGER NOT NULL DEFAULT 0 CHECK (webhooks >= 0),
  webhook_sequence INTEGER NOT NULL DEFAULT 0,
  automations INTEGER NOT NULL DEFAULT 0,
  automation_run TEXT,
  creators_make_links INTEGER NOT NULL DEFAULT 0 CHECK (creators_make_links IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX brands_automated ON brands (id) WHERE automations > 0;
CREATE TRIGGER brands_version AFTER UPDATE OF timezone, hold_days, earn_on, count_test_orders ON brands WHEN NEW.timezone <> OLD.timezone OR NEW.hold_days <> OLD.hold_days OR NEW.earn_on <> OLD.earn_on OR NEW.count_test_orders <> OLD.count_test_orders BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.id, (SELECT version FROM brands WHERE id = NEW.id), 'brand', NEW.id, json_object('timezone', NEW.timezone, 'hold_days', NEW.hold_days, 'earn_on', NEW.earn_on, 'count_test_orders', NEW.count_test_orders)); END;
CREATE TRIGGER brands_begin_journal AFTER INSERT ON brands BEGIN INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.id, NEW.version, 'brand', NEW.id, json_object('timezone', NEW.timezone, 'hold_days', NEW.hold_days, 'earn_on', NEW.earn_on, 'count_test_orders', NEW.count_test_orders)); END;

-- Versions of a brand's attribution rules; an order uses those in force when it was placed. The
-- first starts at 0. Append-only but for the version that starts at the same millisecond.
CREATE TABLE attribution_rules (
  brand_id TEXT NOT NULL,
  starts_at_ms INTEGER NOT NULL,
  window_days INTEGER NOT NULL CHECK (window_days BETWEEN 1 AND 365),
  precedence TEXT NOT NULL CHECK (precedence IN ('code_first', 'link_first')),
  clicks TEXT NOT NULL CHECK (clicks IN ('last', 'first')),
  PRIMARY KEY (brand_id, starts_at_ms)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER attribution_rules_insert_version AFTER INSERT ON attribution_rules BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'rules', NEW.starts_at_ms, json_object('starts_at_ms', NEW.starts_at_ms, 'window_days', NEW.window_days, 'precedence', NEW.precedence, 'clicks', NEW.clicks)); END;
CREATE TRIGGER attribution_rules_update_version AFTER UPDATE ON attribution_rules BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'rules', NEW.starts_at_ms, json_object('starts_at_ms', NEW.starts_at_ms, 'window_days', NEW.window_days, 'precedence', NEW.precedence, 'clicks', NEW.clicks)); END;
CREATE TRIGGER attribution_rules_delete_version AFTER DELETE ON attribution_rules BEGIN UPDATE brands SET version = version + 1 WHERE id = OLD.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (OLD.brand_id, (SELECT version FROM brands WHERE id = OLD.brand_id), 'rules', OLD.starts_at_ms, NULL); END;

-- Hosts that brands serve links on. A host belongs to one brand; old ones stay, so that links
-- that were handed out keep working. While one waits: its custom hostname at Cloudflare, the DNS records
-- to make, what is in the way in words, whether that is final until somebody asks for another try, and
-- when it is looked at next. `since_ms`: since when it is served. `ours`: we asked
-- for the custom hostname, noted before we did; any other of the zone's is neither changed nor removed.
CREATE TABLE hosts (
  host TEXT NOT NULL PRIMARY KEY,
  brand_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'active')),
  created_at_ms INTEGER NOT NULL,
  hostname_id TEXT,
  records TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(records)),
  problem TEXT NOT NULL DEFAULT '',
  failed INTEGER NOT NULL DEFAULT 0 CHECK (failed IN (0, 1)),
  checked_at_ms INTEGER,
  due_at_ms INTEGER NOT NULL DEFAULT 0,
  since_ms INTEGER,
  ours INTEGER NOT NULL DEFAULT 0 CHECK (ours IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX hosts_by_brand ON hosts (brand_id);
CREATE INDEX hosts_due ON hosts (due_at_ms) WHERE state = 'pending';

-- Custom hostnames at Cloudflare whose hosts were given up before they were served: they are removed there,
-- unless the host is wanted again before.
CREATE TABLE host_removals (
  hostname_id TEXT NOT NULL PRIMARY KEY,
  host TEXT NOT NULL,
  due_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX host_removals_due ON host_removals (due_at_ms);
CREATE INDEX host_removals_by_host ON host_removals (host);
CREATE TRIGGER hosts_given_up AFTER DELETE ON hosts WHEN OLD.hostname_id IS NOT NULL AND OLD.ours = 1 BEGIN INSERT INTO host_removals (hostname_id, host, due_at_ms) VALUES (OLD.hostname_id, OLD.host, 0) ON CONFLICT (hostname_id) DO NOTHING; END;
CREATE TRIGGER hosts_wanted_again AFTER INSERT ON hosts WHEN EXISTS (SELECT 1 FROM host_removals WHERE host = NEW.host) BEGIN UPDATE hosts SET hostname_id = (SELECT hostname_id FROM host_removals WHERE host = NEW.host), ours = 1 WHERE host = NEW.host; DELETE FROM host_removals WHERE host = NEW.host; END;

-- API keys by the SHA-256 of their text. `scopes` are names between spaces. When a key was last
-- used is noted at most once an hour. `revocations` refuses what would lock the brand out.
CREATE TABLE api_keys (
  secret_hash TEXT NOT NULL PRIMARY KEY CHECK (length(secret_hash) = 64),
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER,
  name TEXT NOT NULL DEFAULT 'first key',
  scopes TEXT NOT NULL DEFAULT 'read deals money admin',
  expires_at_ms INTEGER,
  last_used_at_ms INTEGER,
  revocations INTEGER NOT NULL DEFAULT 0 CHECK (revocations IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_by_brand ON api_keys (brand_id, id);

-- Connected shops. Secrets are sealed to the store's id; those before, a JSON list of `sealed` and
-- `until_ms`, are accepted for an hour. A store is closed when its shop asked to be forgotten: it
-- has no secret then, but the last one still tells a repetition for a day.
CREATE TABLE stores (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  shop_domain TEXT NOT NULL,
  storefront_url TEXT NOT NULL,
  client_id TEXT NOT NULL,
  secret_sealed TEXT NOT NULL,
  previous_secrets TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(previous_secrets)),
  created_at_ms INTEGER NOT NULL,
  closed_at_ms INTEGER,
  platform TEXT NOT NULL DEFAULT 'shopify' CHECK (platform IN ('shopify', 'goaffpro', 'custom')),
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX stores_by_id ON stores (id);
CREATE UNIQUE INDEX stores_by_shop ON stores (brand_id, shop_domain);

-- How a store's platform is reached; nothing stands here before that was tried. `way`: the token is got
-- with the client credentials of the brand's own app, was pasted, or comes by an authorization code and
-- is renewed with a refresh token. Tokens are sealed to `<store>/token` and `<store>/refresh`; who renews
-- one says until when others wait for it. `scopes` are names between spaces; `problem` says in words what
-- is in the way. `webhooks` is a JSON list of what was registered there, `webhook_seen_at_ms` when a
-- delivery was verified (an hour late at most), `look_at_ms` when the store is looked at again. `changes`: how often
-- somebody changed what opens the shop; what a look tells that began before such a change isn't kept.
-- `lost_at_ms`: since when a shop that was reached isn't any more; its owners are told so once.
CREATE TABLE store_access (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  way TEXT NOT NULL CHECK (way IN ('client', 'token', 'code')),
  state TEXT NOT NULL CHECK (state IN ('created', 'connected', 'broken', 'uninstalled')),
  problem TEXT NOT NULL DEFAULT '',
  token_sealed TEXT,
  token_until_ms INTEGER,
  refresh_sealed TEXT,
  refresh_until_ms INTEGER,
  renewing_until_ms INTEGER,
  scopes TEXT NOT NULL DEFAULT '',
  currency TEXT,
  timezone TEXT,
  checked_at_ms INTEGER,
  connected_at_ms INTEGER,
  revision INTEGER NOT NULL DEFAULT 0,
  webhooks TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(webhooks)),
  webhook_seen_at_ms INTEGER,
  look_at_ms INTEGER,
  changes INTEGER NOT NULL DEFAULT 0,
  lost_at_ms INTEGER,
  PRIMARY KEY (brand_id, store_id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX store_access_to_look ON store_access (look_at_ms) WHERE look_at_ms IS NOT NULL;

-- Authorizations by a shop that were begun: hashes of the state and of the secret in the browser's
-- cookie, and who began it. The latest of a store counts, once.
CREATE TABLE store_authorizations (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  state_hash TEXT NOT NULL,
  browser_hash TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  uses INTEGER NOT NULL DEFAULT 0 CHECK (uses <= 1),
  PRIMARY KEY (brand_id, store_id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX store_authorizations_by_state ON store_authorizations (state_hash);

-- Who works at a store's tasks now, and until when nobody else does: each batch of theirs says so again.
CREATE TABLE store_leases (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  holder TEXT NOT NULL,
  until_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, store_id)
) STRICT, WITHOUT ROWID;

-- Tasks at the platforms of stores, written in the batch of what causes them. One of a kind and subject
-- waits at a time; `payload` is what it needs to go on from where it is, `told` what came of it in words.
CREATE TABLE outbox (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  payload TEXT NOT NULL CHECK (json_valid(payload)),
  state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'failed')),
  told TEXT NOT NULL DEFAULT '',
  tries INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL DEFAULT 0,
  due_at_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  changed_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX outbox_once ON outbox (brand_id, store_id, kind, subject) WHERE state = 'waiting';
CREATE INDEX outbox_due ON outbox (due_at_ms) WHERE state = 'waiting';
CREATE INDEX outbox_over ON outbox (changed_at_ms) WHERE state <> 'waiting';
CREATE INDEX outbox_by_store ON outbox (brand_id, store_id, due_at_ms) WHERE state = 'waiting';

-- How far a store's orders were fetched: its back-fill (from when to when, in the times of placing), and up
-- to which change of an order it was reconciled. Counts are for people; `problem` says in words what is in
-- the way, or what the shop doesn't show.
CREATE TABLE store_syncs (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('none', 'waiting', 'running', 'done', 'failed')),
  from_ms INTEGER,
  to_ms INTEGER,
  orders_total INTEGER,
  orders_done INTEGER NOT NULL DEFAULT 0,
  ingested INTEGER NOT NULL DEFAULT 0,
  unchanged INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  started_at_ms INTEGER,
  finished_at_ms INTEGER,
  problem TEXT NOT NULL DEFAULT '',
  reconciled_to_ms INTEGER,
  PRIMARY KEY (brand_id, store_id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;

-- For each day of the shop's calendar, when it was last compared: how many orders the platform has, how many
-- of these are known here, and how many were missed by webhooks and found by us. `over`: it was compared
-- after its end.
CREATE TABLE store_days (
  brand_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  day INTEGER NOT NULL,
  platform INTEGER CHECK (platform >= 0),
  known INTEGER CHECK (known BETWEEN 0 AND platform),
  missed INTEGER NOT NULL DEFAULT 0 CHECK (missed >= 0),
  compared_at_ms INTEGER,
  over INTEGER NOT NULL DEFAULT 0 CHECK (over IN (0, 1)),
  PRIMARY KEY (brand_id, store_id, day),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;

-- People in the brand's CRM. `email_hash` is keyed per brand: orders carry only such hashes. One who
-- was erased keeps her id, which the books name, and nothing else. `country` is ISO 3166-1 alpha-2, `language`
-- BCP 47; `fields` is a JSON object of the brand's own fields by their ids. `handle_key` is the handle as it is
-- compared. A duplicate that was merged leaves a row that names who stayed, and nothing else: one with books
-- never goes that way. `other_hashes` are those of addresses that merged duplicates had, apart by spaces:
-- who buys with one of them buys from herself.
CREATE TABLE creators (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  handle TEXT NOT NULL,
  email TEXT,
  email_hash TEXT,
  niche TEXT,
  followers INTEGER CHECK (followers >= 0),
  engagement_bp INTEGER CHECK (engagement_bp BETWEEN 0 AND 10000),
  tags TEXT NOT NULL CHECK (json_valid(tags)),
  created_at_ms INTEGER NOT NULL,
  person_id TEXT,
  erased_at_ms INTEGER,
  country TEXT CHECK (length(country) = 2),
  language TEXT,
  fields TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(fields)),
  handle_key TEXT NOT NULL DEFAULT '',
  merged_into TEXT,
  revision INTEGER NOT NULL DEFAULT 0,
  other_hashes TEXT,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX creators_by_person ON creators (person_id, brand_id) WHERE person_id IS NOT NULL;
CREATE INDEX creators_by_email ON creators (brand_id, email_hash) WHERE email_hash IS NOT NULL;
CREATE TRIGGER creators_version AFTER UPDATE OF email_hash, other_hashes ON creators WHEN NEW.email_hash IS NOT OLD.email_hash OR NEW.other_hashes IS NOT OLD.other_hashes BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'creator', NEW.id, json_object('email_hash', coalesce(NEW.email_hash || ' ' || NEW.other_hashes, NEW.email_hash, NEW.other_hashes))); END;
CREATE TRIGGER creators_leave_journal AFTER UPDATE OF erased_at_ms ON creators WHEN NEW.erased_at_ms IS NOT NULL BEGIN DELETE FROM rule_journal WHERE brand_id = NEW.brand_id AND kind = 'creator' AND subject_id = NEW.id; END;
CREATE TRIGGER creators_begin_journal AFTER INSERT ON creators WHEN NEW.email_hash IS NOT NULL BEGIN INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) SELECT id, version, 'creator', NEW.id, json_object('email_hash', NEW.email_hash) FROM brands WHERE id = NEW.brand_id; END;
CREATE INDEX creators_by_handle ON creators (brand_id, handle_key) WHERE handle_key <> '';
CREATE INDEX creators_merged ON creators (brand_id, merged_into) WHERE merged_into IS NOT NULL;
CREATE TRIGGER creators_with_books_stay BEFORE UPDATE OF merged_into ON creators WHEN NEW.merged_into IS NOT NULL AND OLD.merged_into IS NULL AND (OLD.erased_at_ms IS NOT NULL OR EXISTS (SELECT 1 FROM entries WHERE brand_id = OLD.brand_id AND creator_id = OLD.id) OR EXISTS (SELECT 1 FROM payout_lines WHERE brand_id = OLD.brand_id AND creator_id = OLD.id) OR EXISTS (SELECT 1 FROM deals d CROSS JOIN orders o ON o.brand_id = d.brand_id AND o.deal_id = d.id WHERE d.brand_id = OLD.brand_id AND d.creator_id = OLD.id)) BEGIN SELECT RAISE(ABORT, 'creator_has_books: constraint failed'); END;
CREATE TRIGGER creators_merge_into_one_who_is BEFORE UPDATE OF merged_into ON creators WHEN NEW.merged_into IS NOT NULL AND NOT EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.merged_into AND id <> NEW.id AND merged_into IS NULL AND erased_at_ms IS NULL) BEGIN SELECT RAISE(ABORT, 'creator_not_there: constraint failed'); END;

-- Handles of creators on platforms, as they are written and as they are compared. Two creators may have the
-- same: they are shown as duplicates.
CREATE TABLE creator_handles (
  brand_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  platform TEXT NOT NULL,
  handle TEXT NOT NULL,
  handle_key TEXT NOT NULL,
  PRIMARY KEY (brand_id, creator_id, platform, handle_key),
  FOREIGN KEY (brand_id, creator_id) REFERENCES creators (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX creator_handles_by_key ON creator_handles (brand_id, platform, handle_key);

-- What a brand wants to know of creators beside what every brand does. A field that was removed keeps its row:
-- what creators have of it isn't shown any more, and goes when they are changed.
CREATE TABLE creator_fields (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('text', 'number', 'date', 'choice')),
  choices TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(choices)),
  created_at_ms INTEGER NOT NULL,
  removed_at_ms INTEGER,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX creator_fields_by_name ON creator_fields (brand_id, lower(name)) WHERE removed_at_ms IS NULL;

-- Boards. `stages` is the JSON list of their names in order; `revision` counts the changes.
CREATE TABLE campaigns (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  stages TEXT NOT NULL CHECK (json_valid(stages)),
  created_at_ms INTEGER NOT NULL,
  archived_at_ms INTEGER,
  revision INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;

-- One creator in one campaign, at a stage of it. `place` orders the deals of a stage, with gaps; of two in one
-- place the earlier id comes first. `owner_id` is the member who looks after it, `contacted_at_ms` when the
-- creator was last written to, or a note said so.
CREATE TABLE deals (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  campaign_id TEXT NOT NULL,
  stage TEXT NOT NULL,
  tags TEXT NOT NULL CHECK (json_valid(tags)),
  closed_at_ms INTEGER,
  created_at_ms INTEGER NOT NULL,
  revision INTEGER NOT NULL DEFAULT 0,
  kind TEXT NOT NULL DEFAULT 'affiliate' CHECK (kind IN ('affiliate', 'gifting', 'paid', 'ambassador', 'giveaway', 'usage_rights')),
  owner_id TEXT,
  place INTEGER NOT NULL DEFAULT 0,
  contacted_at_ms INTEGER,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, creator_id) REFERENCES creators (brand_id, id),
  FOREIGN KEY (brand_id, campaign_id) REFERENCES campaigns (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX deals_by_creator ON deals (brand_id, creator_id);
CREATE TRIGGER deals_version AFTER UPDATE OF creator_id, closed_at_ms ON deals WHEN NEW.creator_id <> OLD.creator_id OR NEW.closed_at_ms IS NOT OLD.closed_at_ms BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'deal', NEW.id, json_object('deal', NEW.id, 'creator', NEW.creator_id, 'closed_at_ms', NEW.closed_at_ms)); END;
CREATE TRIGGER deals_begin_journal AFTER INSERT ON deals BEGIN INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) SELECT id, version, 'deal', NEW.id, json_object('deal', NEW.id, 'creator', NEW.creator_id, 'closed_at_ms', NEW.closed_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE INDEX deals_by_place ON deals (brand_id, campaign_id, stage, place, id);
CREATE INDEX deals_by_owner ON deals (brand_id, owner_id, id) WHERE owner_id IS NOT NULL;
CREATE TRIGGER deals_of_nobody_merged BEFORE INSERT ON deals WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND merged_into IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_merged: constraint failed'); END;
CREATE TRIGGER deals_begin_at_a_stage BEFORE INSERT ON deals WHEN EXISTS (SELECT 1 FROM campaigns c WHERE c.brand_id = NEW.brand_id AND c.id = NEW.campaign_id AND NOT EXISTS (SELECT 1 FROM json_each(c.stages) s WHERE s.value = NEW.stage)) BEGIN SELECT RAISE(ABORT, 'stage_gone: constraint failed'); END;
CREATE TRIGGER deals_move_to_a_stage BEFORE UPDATE OF stage ON deals WHEN NEW.stage <> OLD.stage AND NOT EXISTS (SELECT 1 FROM campaigns c, json_each(c.stages) s WHERE c.brand_id = NEW.brand_id AND c.id = NEW.campaign_id AND s.value = NEW.stage) BEGIN SELECT RAISE(ABORT, 'stage_gone: constraint failed'); END;
CREATE TRIGGER deals_owned_by_a_member BEFORE UPDATE OF owner_id ON deals WHEN NEW.owner_id IS NOT NULL AND NEW.owner_id IS NOT OLD.owner_id AND NOT EXISTS (SELECT 1 FROM members WHERE brand_id = NEW.brand_id AND id = NEW.owner_id) BEGIN SELECT RAISE(ABORT, 'owner_gone: constraint failed'); END;
CREATE TRIGGER deals_of_nobody_erased BEFORE INSERT ON deals WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;

-- What a deal cost beside commission and fees: products that were given away and what sending them cost. A
-- wrong one is voided.
CREATE TABLE deal_costs (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  id TEXT NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  product_minor INTEGER NOT NULL CHECK (product_minor BETWEEN 0 AND 900000000000000),
  shipping_minor INTEGER NOT NULL CHECK (shipping_minor BETWEEN 0 AND 900000000000000),
  day INTEGER NOT NULL,
  note TEXT,
  created_at_ms INTEGER NOT NULL,
  voided_at_ms INTEGER,
  CHECK (product_minor + shipping_minor > 0),
  PRIMARY KEY (brand_id, deal_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER deal_costs_never_change BEFORE UPDATE ON deal_costs WHEN NEW.product_minor <> OLD.product_minor OR NEW.shipping_minor <> OLD.shipping_minor OR NEW.currency <> OLD.currency OR NEW.deal_id <> OLD.deal_id OR NEW.day <> OLD.day OR OLD.voided_at_ms IS NOT NULL AND NEW.voided_at_ms IS NULL BEGIN SELECT RAISE(ABORT, 'deal_costs are append-only'); END;
CREATE TRIGGER deal_costs_never_go BEFORE DELETE ON deal_costs BEGIN SELECT RAISE(ABORT, 'deal_costs are append-only'); END;
CREATE TRIGGER deal_costs_of_nobody_erased BEFORE INSERT ON deal_costs WHEN NEW.note IS NOT NULL AND EXISTS (SELECT 1 FROM deals d JOIN creators c ON c.brand_id = d.brand_id AND c.id = d.creator_id WHERE d.brand_id = NEW.brand_id AND d.id = NEW.deal_id AND c.erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;

-- What people write down about a deal. `contact`: it says that the creator was spoken to.
CREATE TABLE notes (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  id TEXT NOT NULL,
  text TEXT NOT NULL,
  contact INTEGER NOT NULL CHECK (contact IN (0, 1)),
  author_kind TEXT NOT NULL CHECK (author_kind IN ('operator', 'key', 'creator', 'member', 'job')),
  author_id TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  changed_at_ms INTEGER,
  PRIMARY KEY (brand_id, deal_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER notes_contact AFTER INSERT ON notes WHEN NEW.contact = 1 BEGIN UPDATE deals SET contacted_at_ms = max(coalesce(contacted_at_ms, 0), NEW.created_at_ms) WHERE brand_id = NEW.brand_id AND id = NEW.deal_id; END;
CREATE TRIGGER notes_of_nobody_erased BEFORE INSERT ON notes WHEN EXISTS (SELECT 1 FROM deals d JOIN creators c ON c.brand_id = d.brand_id AND c.id = d.creator_id WHERE d.brand_id = NEW.brand_id AND d.id = NEW.deal_id AND c.erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;

-- What somebody is to do about a deal, by the end of a day of the brand.
CREATE TABLE follow_ups (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  id TEXT NOT NULL,
  text TEXT NOT NULL,
  due_day INTEGER NOT NULL,
  owner_id TEXT,
  created_at_ms INTEGER NOT NULL,
  done_at_ms INTEGER,
  PRIMARY KEY (brand_id, deal_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX follow_ups_open ON follow_ups (brand_id, due_day, id) WHERE done_at_ms IS NULL;
CREATE INDEX follow_ups_open_by_deal ON follow_ups (brand_id, deal_id, due_day) WHERE done_at_ms IS NULL;
CREATE INDEX follow_ups_open_by_owner ON follow_ups (brand_id, owner_id, due_day, id) WHERE done_at_ms IS NULL;
CREATE INDEX follow_ups_done ON follow_ups (brand_id, done_at_ms, id) WHERE done_at_ms IS NOT NULL;
CREATE INDEX follow_ups_done_by_owner ON follow_ups (brand_id, owner_id, done_at_ms, id) WHERE done_at_ms IS NOT NULL;
CREATE TRIGGER follow_ups_of_nobody_erased BEFORE INSERT ON follow_ups WHEN EXISTS (SELECT 1 FROM deals d JOIN creators c ON c.brand_id = d.brand_id AND c.id = d.creator_id WHERE d.brand_id = NEW.brand_id AND d.id = NEW.deal_id AND c.erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;
CREATE TRIGGER follow_ups_begin_with_a_member BEFORE INSERT ON follow_ups WHEN NEW.owner_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM members WHERE brand_id = NEW.brand_id AND id = NEW.owner_id) BEGIN SELECT RAISE(ABORT, 'owner_gone: constraint failed'); END;
CREATE TRIGGER follow_ups_owned_by_a_member BEFORE UPDATE OF owner_id ON follow_ups WHEN NEW.owner_id IS NOT NULL AND NEW.owner_id IS NOT OLD.owner_id AND NOT EXISTS (SELECT 1 FROM members WHERE brand_id = NEW.brand_id AND id = NEW.owner_id) BEGIN SELECT RAISE(ABORT, 'owner_gone: constraint failed'); END;

-- Versions of a deal's terms: in force is the one that started last before the order was placed
-- and hadn't ended, of two that start together the later version. `rules` is what they say beside
-- the rate; `reason` says what made them, '' for a person.
CREATE TABLE terms (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  starts_at_ms INTEGER NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  id TEXT NOT NULL,
  rate_bp INTEGER NOT NULL CHECK (rate_bp BETWEEN 0 AND 10000),
  created_at_ms INTEGER NOT NULL,
  ends_at_ms INTEGER CHECK (ends_at_ms > starts_at_ms),
  rules TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(rules)),
  reason TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (brand_id, deal_id, starts_at_ms, version),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER terms_never_before_decided_orders BEFORE INSERT ON terms WHEN NEW.version > 1 AND EXISTS (SELECT 1 FROM orders WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND placed_at_ms > NEW.starts_at_ms - 1000 AND placed_at_ms + iif(placed_at_ms % 1000 = 0, 999, 0) >= NEW.starts_at_ms AND (NEW.ends_at_ms IS NULL OR placed_at_ms < NEW.ends_at_ms)) BEGIN SELECT RAISE(ABORT, 'terms_before_decided_order'); END;
CREATE TRIGGER terms_version AFTER INSERT ON terms BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'terms', NEW.id, json_object('deal', NEW.deal_id, 'version', NEW.version, 'terms', json_object('id', NEW.id, 'starts_at_ms', NEW.starts_at_ms, 'ends_at_ms', NEW.ends_at_ms, 'rate', NEW.rate_bp, 'rules', json(NEW.rules)))); END;
CREATE TRIGGER terms_never_change BEFORE UPDATE ON terms BEGIN SELECT RAISE(ABORT, 'terms are append-only'); END;
CREATE TRIGGER terms_never_go BEFORE DELETE ON terms BEGIN SELECT RAISE(ABORT, 'terms are append-only'); END;

-- Collections of shops that terms name, and what the last look at each found. `change` is a JSON object of
-- the products that were `added` and `removed` last, since `changed_at_ms`: triggers make spans and journal
-- of it, never for a time before the last order that is known. `gone` and `too_large` ones keep the
-- products that they had.
CREATE TABLE collections (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  external_id TEXT NOT NULL,
  title TEXT NOT NULL,
  handle TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('current', 'gone', 'too_large')),
  problem TEXT NOT NULL DEFAULT '',
  products INTEGER NOT NULL CHECK (products >= 0),
  change TEXT NOT NULL CHECK (json_valid(change)),
  changed_at_ms INTEGER NOT NULL,
  looked_at_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  revision INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX collections_by_shop ON collections (brand_id, store_id, external_id);
CREATE TRIGGER collections_insert_version AFTER INSERT ON collections BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'collection', NEW.id, json_object('collection', NEW.id, 'from_ms', NEW.changed_at_ms, 'added', json(NEW.change -> '$.added'), 'removed', json(NEW.change -> '$.removed'))); INSERT INTO collection_products (brand_id, collection_id, product_id, from_ms) SELECT NEW.brand_id, NEW.id, value, NEW.changed_at_ms FROM json_each(NEW.change, '$.added'); END;
CREATE TRIGGER collections_never_before_orders BEFORE UPDATE OF changed_at_ms ON collections WHEN NEW.changed_at_ms <> OLD.changed_at_ms AND (NEW.changed_at_ms < OLD.changed_at_ms OR EXISTS (SELECT 1 FROM orders WHERE brand_id = NEW.brand_id AND placed_at_ms > NEW.changed_at_ms - 1000)) BEGIN SELECT RAISE(ABORT, 'collections_never_before_orders: constraint failed'); END;
CREATE TRIGGER collections_update_version AFTER UPDATE OF changed_at_ms ON collections WHEN NEW.changed_at_ms <> OLD.changed_at_ms BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'collection', NEW.id, json_object('collection', NEW.id, 'from_ms', NEW.changed_at_ms, 'added', json(NEW.change -> '$.added'), 'removed', json(NEW.change -> '$.removed'))); UPDATE collection_products SET to_ms = NEW.changed_at_ms WHERE brand_id = NEW.brand_id AND collection_id = NEW.id AND to_ms IS NULL AND product_id IN (SELECT value FROM json_each(NEW.change, '$.removed')); INSERT INTO collection_products (brand_id, collection_id, product_id, from_ms) SELECT NEW.brand_id, NEW.id, value, NEW.changed_at_ms FROM json_each(NEW.change, '$.added'); END;

-- Since when and until when a product was in a collection, by the platform's id: what was, never changes.
-- The first products of a collection are in it since 0, for no terms can have named it before.
CREATE TABLE collection_products (
  brand_id TEXT NOT NULL,
  collection_id TEXT NOT NULL,
  product_id INTEGER NOT NULL,
  from_ms INTEGER NOT NULL,
  to_ms INTEGER CHECK (to_ms > from_ms),
  PRIMARY KEY (brand_id, collection_id, product_id, from_ms),
  FOREIGN KEY (brand_id, collection_id) REFERENCES collections (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER collection_products_end_once BEFORE UPDATE ON collection_products WHEN OLD.to_ms IS NOT NULL OR NEW.from_ms <> OLD.from_ms OR NEW.product_id <> OLD.product_id OR NEW.collection_id <> OLD.collection_id OR NEW.brand_id <> OLD.brand_id BEGIN SELECT RAISE(ABORT, 'collection_products are append-only'); END;
CREATE TRIGGER collection_products_never_go BEFORE DELETE ON collection_products BEGIN SELECT RAISE(ABORT, 'collection_products are append-only'); END;

-- Commission tiers of a brand, or of one campaign. `levels` is a JSON list of name, threshold (orders,
-- or minor units of `currency`) and rate.
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

-- Levels that deals reached, each once in the period that began on the day `since` (0: for good).
-- `versions` is how many versions of terms the deal had: with another one the row is refused.
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

-- Terms that wait for an answer: offered by the brand (with the document that the creator agrees to,
-- word for word, and its SHA-256), or requested by the creator. One of a kind waits per deal;
-- `revision` lets each be answered once. What came from a template says which version of it was copied.
CREATE TABLE offers (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('offer', 'request')),
  rate_bp INTEGER NOT NULL CHECK (rate_bp BETWEEN 0 AND 10000),
  rules TEXT NOT NULL CHECK (json_valid(rules)),
  starts_at_ms INTEGER,
  ends_at_ms INTEGER,
  document TEXT NOT NULL,
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  note TEXT,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'accepted', 'declined', 'withdrawn')),
  answer TEXT,
  terms_id TEXT,
  created_at_ms INTEGER NOT NULL,
  decided_at_ms INTEGER,
  revision INTEGER NOT NULL DEFAULT 0 CHECK (revision IN (0, 1)),
  template_id TEXT,
  template_version INTEGER,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX offers_by_deal ON offers (brand_id, deal_id, id);
CREATE UNIQUE INDEX offers_waiting ON offers (brand_id, deal_id, kind) WHERE state = 'waiting';
CREATE TRIGGER offers_of_nobody_erased BEFORE INSERT ON offers WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;
CREATE TRIGGER offers_of_nobody_merged BEFORE INSERT ON offers WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND merged_into IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_merged: constraint failed'); END;
CREATE TRIGGER offers_answered_by_nobody_erased BEFORE UPDATE OF answer ON offers WHEN NEW.answer IS NOT NULL AND EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;

-- Terms that a brand offers again and again: which version of each is the present one, and whether it is still
-- offered. What was offered stays as it was.
CREATE TABLE term_templates (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  created_at_ms INTEGER NOT NULL,
  archived_at_ms INTEGER,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;

-- What a template of terms said in each of its versions, in the form that offers have.
CREATE TABLE term_template_versions (
  brand_id TEXT NOT NULL,
  template_id TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  name TEXT NOT NULL,
  rate_bp INTEGER NOT NULL CHECK (rate_bp BETWEEN 0 AND 10000),
  rules TEXT NOT NULL CHECK (json_valid(rules)),
  starts_at_ms INTEGER,
  ends_at_ms INTEGER,
  contract TEXT,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, template_id, version),
  FOREIGN KEY (brand_id, template_id) REFERENCES term_templates (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER term_template_versions_never_change BEFORE UPDATE ON term_template_versions BEGIN SELECT RAISE(ABORT, 'versions of term templates are append-only'); END;
CREATE TRIGGER term_template_versions_never_go BEFORE DELETE ON term_template_versions BEGIN SELECT RAISE(ABORT, 'versions of term templates are append-only'); END;
CREATE TRIGGER term_templates_change BEFORE UPDATE OF version ON term_templates WHEN OLD.archived_at_ms IS NOT NULL BEGIN SELECT RAISE(ABORT, 'term_template_archived: constraint failed'); END;
CREATE TRIGGER term_templates_offered BEFORE INSERT ON offers WHEN NEW.template_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM term_templates WHERE brand_id = NEW.brand_id AND id = NEW.template_id AND archived_at_ms IS NULL) BEGIN SELECT RAISE(ABORT, 'term_template_archived: constraint failed'); END;

-- Stores on GoAffPro. `ref_parameter` is what the site calls the ref code in an address; `orders_from` is the
-- store that tells the same orders itself: then GoAffPro's are no orders, only evidence for those. Up to
-- the ids `…_since` everything was read (as text: they may be beyond 2^53). `note` says what was odd.
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
  hinted_at_ms INTEGER,
  PRIMARY KEY (brand_id, store_id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id),
  FOREIGN KEY (brand_id, orders_from) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;

-- Orders as GoAffPro tells them, with its own commission, word for word; written with the cursor of the page
-- that told them. `told_at_ms` is when they were told so first (it has no time of change itself), `as_of_ms`
-- also when their affiliate was assigned since. What is due is told to our orders: as one (`ours`), as
-- evidence for another store's (`matched`; `waiting` until that comes), or not at all, because another store
-- seems to tell the same order (`held`), unless the brand said that it is `another` one. The buyer's keyed hash stands here only until then.
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
  another INTEGER NOT NULL DEFAULT 0 CHECK (another IN (0, 1)),
  PRIMARY KEY (brand_id, store_id, external_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX goaffpro_orders_due ON goaffpro_orders (brand_id, store_id, due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX goaffpro_orders_by_time ON goaffpro_orders (brand_id, store_id, placed_at_ms);
CREATE INDEX goaffpro_orders_by_affiliate ON goaffpro_orders (brand_id, store_id, affiliate_id, placed_at_ms) WHERE affiliate_id IS NOT NULL;
CREATE INDEX goaffpro_orders_by_order ON goaffpro_orders (brand_id, order_id) WHERE order_id IS NOT NULL;

-- GoAffPro's affiliates and the deal each belongs to now. Name and keyed hash of the address are kept only
-- while it belongs to none, for matching. `sums` is what GoAffPro's ledger says, by kind. One that was erased
-- with its creator keeps its id only.
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

-- Which deal an affiliate belonged to since when (NULL: to none): one at a time, and never changed. What
-- an order is told of it becomes a fact of the order, so that this decides nothing by itself.
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

-- Visits that GoAffPro counted, per deal ('': of nobody's affiliate), day of the brand and affiliate. They
-- stand beside our clicks and are never added to them.
CREATE TABLE affiliate_clicks (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  day INTEGER NOT NULL,
  store_id TEXT NOT NULL,
  affiliate_id TEXT NOT NULL,
  clicks INTEGER NOT NULL CHECK (clicks >= 0),
  PRIMARY KEY (brand_id, deal_id, day, store_id, affiliate_id)
) STRICT, WITHOUT ROWID;

-- Affiliates that deals asked GoAffPro for, and what became of it.
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
CREATE TRIGGER affiliate_requests_of_nobody_erased BEFORE INSERT ON affiliate_requests WHEN EXISTS (SELECT 1 FROM deals d JOIN creators c ON c.brand_id = d.brand_id AND c.id = d.creator_id WHERE d.brand_id = NEW.brand_id AND d.id = NEW.deal_id AND c.erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;

-- Personal links of deals. `host` is where the link is handed out; `slugs` says where it works.
-- Personal links of deals. `host` is where the link is handed out; `slugs` says where it works. It applies
-- the code `code_id` of its deal, if it names one and while that works.
CREATE TABLE links (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  slug TEXT NOT NULL,
  slug_key TEXT NOT NULL CHECK (slug_key = lower(slug)),
  host TEXT NOT NULL,
  target TEXT NOT NULL,
  closed_at_ms INTEGER,
  created_at_ms INTEGER NOT NULL,
  code_id TEXT,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX links_by_slug ON links (brand_id, slug_key);
CREATE INDEX links_by_deal ON links (brand_id, deal_id);
CREATE TRIGGER links_insert_version AFTER INSERT ON links BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'link', NEW.id, json_object('link', NEW.id, 'slug_key', NEW.slug_key, 'deal', NEW.deal_id)); END;
CREATE TRIGGER links_update_version AFTER UPDATE OF deal_id, slug_key ON links BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'link', NEW.id, json_object('link', NEW.id, 'slug_key', NEW.slug_key, 'deal', NEW.deal_id)); END;
CREATE TRIGGER links_delete_version AFTER DELETE ON links BEGIN UPDATE brands SET version = version + 1 WHERE id = OLD.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (OLD.brand_id, (SELECT version FROM brands WHERE id = OLD.brand_id), 'link', OLD.id, NULL); END;

-- Which link a host serves under a slug; host '' is the product's own /go.
CREATE TABLE slugs (
  host TEXT NOT NULL,
  slug_key TEXT NOT NULL,
  brand_id TEXT NOT NULL,
  link_id TEXT NOT NULL,
  PRIMARY KEY (host, slug_key)
) STRICT, WITHOUT ROWID;

-- Affiliate groups: a discount rule that codes are made from, as one discount of the shop that carries all of
-- them (`discount` names it once it is made) or as one for each. `rule` is in JSON, `began_at_ms` stands for
-- a start that it doesn't name. `problem` says in words what the shop didn't do.
CREATE TABLE affiliate_groups (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  name TEXT NOT NULL,
  mode TEXT NOT NULL CHECK (mode IN ('one_discount', 'discount_per_code')),
  rule TEXT NOT NULL CHECK (json_valid(rule)),
  code_pattern TEXT NOT NULL,
  ends_with_deal INTEGER NOT NULL CHECK (ends_with_deal IN (0, 1)),
  discount TEXT,
  problem TEXT NOT NULL DEFAULT '',
  began_at_ms INTEGER NOT NULL,
  archived_at_ms INTEGER,
  revision INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, store_id) REFERENCES stores (brand_id, id)
) STRICT, WITHOUT ROWID;

-- Discount codes of deals, compared without case. A code `counts` from the moment on at which it is in the shop
-- (or was taken over), and for good: only then orders with it are its deal's, so that one which was never made
-- catches nobody's. One that failed has its id for a key, and so is in nobody's way. What is `pending` is under
-- way at the shop. `rule` is its own discount, `group_id` the group whose it is; taken over, it has neither.
-- `base` is the first spelling, where it is ours, and `attempt` how often another one was tried. `discount` and
-- `redeem` are the platform's names of it, `in_store` is what the last look there found, `reason` what is in the
-- way or has changed, in words. `ended`: it was deactivated because its deal was closed.
CREATE TABLE codes (
  brand_id TEXT NOT NULL,
  code_key TEXT NOT NULL,
  id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  code TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('creating', 'active', 'changed', 'failed', 'deactivated', 'gone')),
  counts INTEGER NOT NULL DEFAULT 1 CHECK (counts IN (0, 1)),
  pending INTEGER NOT NULL DEFAULT 0 CHECK (pending IN (0, 1)),
  store_id TEXT,
  group_id TEXT,
  rule TEXT CHECK (json_valid(rule)),
  base TEXT,
  attempt INTEGER NOT NULL DEFAULT 0,
  discount TEXT,
  redeem TEXT,
  reason TEXT NOT NULL DEFAULT '',
  suggestion TEXT,
  in_store INTEGER CHECK (in_store IN (0, 1)),
  ends_with_deal INTEGER NOT NULL DEFAULT 0 CHECK (ends_with_deal IN (0, 1)),
  ended INTEGER NOT NULL DEFAULT 0 CHECK (ended IN (0, 1)),
  PRIMARY KEY (brand_id, code_key),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_by_deal ON codes (brand_id, deal_id);
CREATE UNIQUE INDEX codes_by_id ON codes (brand_id, id);
CREATE INDEX codes_by_discount ON codes (brand_id, discount, id) WHERE discount IS NOT NULL;
CREATE INDEX codes_by_group ON codes (brand_id, group_id, id) WHERE group_id IS NOT NULL;
CREATE INDEX codes_failed ON codes (brand_id, id) WHERE state = 'failed';
CREATE TRIGGER codes_insert_version AFTER INSERT ON codes WHEN NEW.counts = 1 BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'code', NEW.code_key, json_object('code_key', NEW.code_key, 'deal', NEW.deal_id)); END;
CREATE TRIGGER codes_update_version AFTER UPDATE OF deal_id, counts ON codes WHEN NEW.counts = 1 AND (NEW.counts <> OLD.counts OR NEW.deal_id <> OLD.deal_id) BEGIN UPDATE brands SET version = version + 1 WHERE id = NEW.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (NEW.brand_id, (SELECT version FROM brands WHERE id = NEW.brand_id), 'code', NEW.code_key, json_object('code_key', NEW.code_key, 'deal', NEW.deal_id)); END;
CREATE TRIGGER codes_delete_version AFTER DELETE ON codes WHEN OLD.counts = 1 BEGIN UPDATE brands SET version = version + 1 WHERE id = OLD.brand_id; INSERT INTO rule_journal (brand_id, version, kind, subject_id, value) VALUES (OLD.brand_id, (SELECT version FROM brands WHERE id = OLD.brand_id), 'code', OLD.code_key, NULL); END;
CREATE TRIGGER codes_that_count_stay BEFORE UPDATE OF code_key, counts ON codes WHEN OLD.counts = 1 AND (NEW.counts = 0 OR NEW.code_key <> OLD.code_key) BEGIN SELECT RAISE(ABORT, 'codes_that_count_stay: constraint failed'); END;

-- Orders: their merged facts, the decision about them, and what was posted for them. The id is
-- derived from store and platform id, so two first deliveries collide here. `revision` guards
-- every later change: a stale one sets it to NULL and so aborts its whole batch. An order known
-- only by a refund or cancellation has no placed_at_ms yet. One row is the whole commit: triggers
-- put the `postings` of its last change (a JSON list of entries) into the ledger and keep the
-- totals of its deal, so that one statement can't do the one without the other. `decided_from` is
-- the brand's version that its decision was made from: with a newer one the row is refused;
-- `decision_version` is the same, kept when later changes of the order decide nothing. `seen`
-- is what it relied on of other orders (storage/orders.rs names the keys): a row that relies on what
-- has changed since is refused too.
CREATE TABLE orders (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  external_id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  name TEXT NOT NULL,
  placed_at_ms INTEGER,
  state TEXT NOT NULL CHECK (state IN ('unpaid', 'paid', 'partially_refunded', 'refunded', 'cancelled', 'disputed')),
  currency TEXT CHECK (length(currency) = 3),
  base_minor INTEGER NOT NULL CHECK (base_minor BETWEEN 0 AND 900000000000000),
  commission_minor INTEGER NOT NULL CHECK (commission_minor BETWEEN 0 AND 900000000000000),
  deal_id TEXT,
  creator_id TEXT,
  available_day INTEGER,
  facts TEXT NOT NULL,
  decision TEXT,
  placed_day INTEGER,
  decided_from INTEGER,
  postings TEXT,
  changed_at_ms INTEGER NOT NULL DEFAULT 0,
  seen TEXT CHECK (json_valid(seen)),
  decision_version INTEGER,
  PRIMARY KEY (brand_id, id),
  CHECK (commission_minor = 0 OR deal_id IS NOT NULL),
  CHECK ((deal_id IS NULL) = (creator_id IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_by_time ON orders (brand_id, placed_at_ms, id, name) WHERE placed_at_ms IS NOT NULL;
CREATE INDEX orders_by_deal ON orders (brand_id, deal_id, placed_at_ms, id) WHERE deal_id IS NOT NULL;
CREATE TRIGGER orders_insert_decided BEFORE INSERT ON orders WHEN NEW.decided_from <> (SELECT version FROM brands WHERE id = NEW.brand_id) BEGIN SELECT RAISE(ABORT, 'decided_from_stale_facts'); END;
CREATE TRIGGER orders_update_decided BEFORE UPDATE OF decided_from ON orders WHEN NEW.decided_from <> (SELECT version FROM brands WHERE id = NEW.brand_id) BEGIN SELECT RAISE(ABORT, 'decided_from_stale_facts'); END;

-- Per deal, brand day and currency: what its orders come to, and of that what codes and links brought (the
-- rest is by hand or by another programme), folded by the triggers below and nothing else.
CREATE TABLE deal_days (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  day INTEGER NOT NULL,
  currency TEXT NOT NULL,
  orders INTEGER NOT NULL CHECK (orders >= 0),
  base_minor INTEGER NOT NULL CHECK (base_minor >= 0),
  commission_minor INTEGER NOT NULL CHECK (commission_minor >= 0),
  code_orders INTEGER NOT NULL DEFAULT 0 CHECK (code_orders >= 0),
  code_base_minor INTEGER NOT NULL DEFAULT 0 CHECK (code_base_minor >= 0),
  code_commission_minor INTEGER NOT NULL DEFAULT 0 CHECK (code_commission_minor >= 0),
  link_orders INTEGER NOT NULL DEFAULT 0 CHECK (link_orders >= 0),
  link_base_minor INTEGER NOT NULL DEFAULT 0 CHECK (link_base_minor >= 0),
  link_commission_minor INTEGER NOT NULL DEFAULT 0 CHECK (link_commission_minor >= 0),
  PRIMARY KEY (brand_id, deal_id, day, currency)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER orders_add_totals AFTER INSERT ON orders WHEN NEW.deal_id IS NOT NULL BEGIN INSERT INTO deal_days (brand_id, deal_id, day, currency, orders, base_minor, commission_minor, code_orders, code_base_minor, code_commission_minor, link_orders, link_base_minor, link_commission_minor) VALUES (NEW.brand_id, NEW.deal_id, NEW.placed_day, NEW.currency, NEW.state <> 'cancelled', NEW.base_minor, NEW.commission_minor, (NEW.state <> 'cancelled') * coalesce(NEW.decision ->> '$.winner.method' = 'code', 0), NEW.base_minor * coalesce(NEW.decision ->> '$.winner.method' = 'code', 0), NEW.commission_minor * coalesce(NEW.decision ->> '$.winner.method' = 'code', 0), (NEW.state <> 'cancelled') * coalesce(NEW.decision ->> '$.winner.method' IN ('link', 'journey'), 0), NEW.base_minor * coalesce(NEW.decision ->> '$.winner.method' IN ('link', 'journey'), 0), NEW.commission_minor * coalesce(NEW.decision ->> '$.winner.method' IN ('link', 'journey'), 0)) ON CONFLICT (brand_id, deal_id, day, currency) DO UPDATE SET orders = orders + excluded.orders, base_minor = base_minor + excluded.base_minor, commission_minor = commission_minor + excluded.commission_minor, code_orders = code_orders + excluded.code_orders, code_base_minor = code_base_minor + excluded.code_base_minor, code_commission_minor = code_commission_minor + excluded.code_commission_minor, link_orders = link_orders + excluded.link_orders, link_base_minor = link_base_minor + excluded.link_base_minor, link_commission_minor = link_commission_minor + excluded.link_commission_minor; END;
CREATE TRIGGER orders_change_totals AFTER UPDATE ON orders WHEN NEW.deal_id IS NOT NULL AND NEW.deal_id IS OLD.deal_id AND NEW.placed_day IS OLD.placed_day AND NEW.currency IS OLD.currency AND (NEW.base_minor <> OLD.base_minor OR NEW.commission_minor <> OLD.commission_minor OR (NEW.state = 'cancelled') <> (OLD.state = 'cancelled') OR NEW.decision ->> '$.winner.method' IS NOT OLD.decision ->> '$.winner.method') BEGIN UPDATE deal_days SET orders = orders + (NEW.state <> 'cancelled') - (OLD.state <> 'cancelled'), base_minor = base_minor + NEW.base_minor - OLD.base_minor, commission_minor = commission_minor + NEW.commission_minor - OLD.commission_minor, code_orders = code_orders + (NEW.state <> 'cancelled') * coalesce(NEW.decision ->> '$.winner.method' = 'code', 0) - (OLD.state <> 'cancelled') * coalesce(OLD.decision ->> '$.winner.method' = 'code', 0), code_base_minor = code_base_minor + NEW.base_minor * coalesce(NEW.decision ->> '$.winner.method' = 'code', 0) - OLD.base_minor * coalesce(OLD.decision ->> '$.winner.method' = 'code', 0), code_commission_minor = code_commission_minor + NEW.commission_minor * coalesce(NEW.decision ->> '$.winner.method' = 'code', 0) - OLD.commission_minor * coalesce(OLD.decision ->> '$.winner.method' = 'code', 0), link_orders = link_orders + (NEW.state <> 'cancelled') * coalesce(NEW.decision ->> '$.winner.method' IN ('link', 'journey'), 0) - (OLD.state <> 'cancelled') * coalesce(OLD.decision ->> '$.winner.method' IN ('link', 'journey'), 0), link_base_minor = link_base_minor + NEW.base_minor * coalesce(NEW.decision ->> '$.winner.method' IN ('link', 'journey'), 0) - OLD.base_minor * coalesce(OLD.decision ->> '$.winner.method' IN ('link', 'journey'), 0), link_commission_minor = link_commission_minor + NEW.commission_minor * coalesce(NEW.decision ->> '$.winner.method' IN ('link', 'journey'), 0) - OLD.commission_minor * coalesce(OLD.decision ->> '$.winner.method' IN ('link', 'journey'), 0) WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND day = NEW.placed_day AND currency = NEW.currency; END;
CREATE TRIGGER orders_leave_totals AFTER UPDATE ON orders WHEN OLD.deal_id IS NOT NULL AND NOT (NEW.deal_id IS OLD.deal_id AND NEW.placed_day IS OLD.placed_day AND NEW.currency IS OLD.currency) BEGIN UPDATE deal_days SET orders = orders - (OLD.state <> 'cancelled'), base_minor = base_minor - OLD.base_minor, commission_minor = commission_minor - OLD.commission_minor, code_orders = code_orders - (OLD.state <> 'cancelled') * coalesce(OLD.decision ->> '$.winner.method' = 'code', 0), code_base_minor = code_base_minor - OLD.base_minor * coalesce(OLD.decision ->> '$.winner.method' = 'code', 0), code_commission_minor = code_commission_minor - OLD.commission_minor * coalesce(OLD.decision ->> '$.winner.method' = 'code', 0), link_orders = link_orders - (OLD.state <> 'cancelled') * coalesce(OLD.decision ->> '$.winner.method' IN ('link', 'journey'), 0), link_base_minor = link_base_minor - OLD.base_minor * coalesce(OLD.decision ->> '$.winner.method' IN ('link', 'journey'), 0), link_commission_minor = link_commission_minor - OLD.commission_minor * coalesce(OLD.decision ->> '$.winner.method' IN ('link', 'journey'), 0) WHERE brand_id = OLD.brand_id AND deal_id = OLD.deal_id AND day = OLD.placed_day AND currency = OLD.currency; END;
CREATE TRIGGER orders_join_totals AFTER UPDATE ON orders WHEN NEW.deal_id IS NOT NULL AND NOT (NEW.deal_id IS OLD.deal_id AND NEW.placed_day IS OLD.placed_day AND NEW.currency IS OLD.currency) BEGIN INSERT INTO deal_days (brand_id, deal_id, day, currency, orders, base_minor, commission_minor, code_orders, code_base_minor, code_commission_minor, link_orders, link_base_minor, link_commission_minor) VALUES (NEW.brand_id, NEW.deal_id, NEW.placed_day, NEW.currency, NEW.state <> 'cancelled', NEW.base_minor, NEW.commission_minor, (NEW.state <> 'cancelled') * coalesce(NEW.decision ->> '$.winner.method' = 'code', 0), NEW.base_minor * coalesce(NEW.decision ->> '$.winner.method' = 'code', 0), NEW.commission_minor * coalesce(NEW.decision ->> '$.winner.method' = 'code', 0), (NEW.state <> 'cancelled') * coalesce(NEW.decision ->> '$.winner.method' IN ('link', 'journey'), 0), NEW.base_minor * coalesce(NEW.decision ->> '$.winner.method' IN ('link', 'journey'), 0), NEW.commission_minor * coalesce(NEW.decision ->> '$.winner.method' IN ('link', 'journey'), 0)) ON CONFLICT (brand_id, deal_id, day, currency) DO UPDATE SET orders = orders + excluded.orders, base_minor = base_minor + excluded.base_minor, commission_minor = commission_minor + excluded.commission_minor, code_orders = code_orders + excluded.code_orders, code_base_minor = code_base_minor + excluded.code_base_minor, code_commission_minor = code_commission_minor + excluded.code_commission_minor, link_orders = link_orders + excluded.link_orders, link_base_minor = link_base_minor + excluded.link_base_minor, link_commission_minor = link_commission_minor + excluded.link_commission_minor; END;

-- How many orders of a customer are counted, by the keyed hash of the address: only where the
-- brand has terms that look at that, and kept by the triggers below and nothing else. A customer who
-- is forgotten goes.
CREATE TABLE customers (
  brand_id TEXT NOT NULL,
  email_hash TEXT NOT NULL,
  orders INTEGER NOT NULL CHECK (orders >= 0),
  PRIMARY KEY (brand_id, email_hash)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER orders_insert_relies BEFORE INSERT ON orders WHEN NEW.seen IS NOT NULL AND (coalesce((SELECT orders FROM customers WHERE brand_id = NEW.brand_id AND email_hash = NEW.facts ->> '$.evidence[1].email_hash'), 0) <> NEW.seen ->> 'n' OR (SELECT coalesce(sum(commission_minor), 0) FROM deal_days WHERE brand_id = NEW.brand_id AND deal_id = NEW.seen ->> 'd' AND day BETWEEN NEW.seen ->> 'f' AND NEW.seen ->> 't' AND currency = NEW.currency) <> NEW.seen ->> 'm') BEGIN SELECT RAISE(ABORT, 'decided_from_stale_facts'); END;
CREATE TRIGGER orders_update_relies BEFORE UPDATE OF seen ON orders WHEN NEW.seen IS NOT NULL AND ((NEW.seen ->> 'n' IS NOT OLD.seen ->> 'n' AND coalesce((SELECT orders FROM customers WHERE brand_id = NEW.brand_id AND email_hash = NEW.facts ->> '$.evidence[1].email_hash'), 0) <> NEW.seen ->> 'n') OR (NEW.seen ->> 'r' IS NOT OLD.seen ->> 'r' AND (SELECT coalesce(sum(commission_minor), 0) FROM deal_days WHERE brand_id = NEW.brand_id AND deal_id = NEW.seen ->> 'd' AND day BETWEEN NEW.seen ->> 'f' AND NEW.seen ->> 't' AND currency = NEW.currency) <> NEW.seen ->> 'm')) BEGIN SELECT RAISE(ABORT, 'decided_from_stale_facts'); END;
CREATE TRIGGER orders_insert_counts AFTER INSERT ON orders WHEN NEW.seen IS NOT NULL AND NEW.seen ->> 'c' = 1 BEGIN INSERT INTO customers (brand_id, email_hash, orders) VALUES (NEW.brand_id, NEW.facts ->> '$.evidence[1].email_hash', 1) ON CONFLICT (brand_id, email_hash) DO UPDATE SET orders = orders + 1; END;
CREATE TRIGGER orders_update_counts AFTER UPDATE OF seen ON orders WHEN NEW.seen IS NOT NULL AND NEW.seen ->> 'c' = 1 AND OLD.seen ->> 'c' IS NULL BEGIN INSERT INTO customers (brand_id, email_hash, orders) VALUES (NEW.brand_id, NEW.facts ->> '$.evidence[1].email_hash', 1) ON CONFLICT (brand_id, email_hash) DO UPDATE SET orders = orders + 1; END;
CREATE TRIGGER orders_forget_customer AFTER UPDATE OF facts ON orders WHEN NEW.seen IS NOT NULL AND NEW.facts ->> '$.redacted' = 1 AND OLD.facts ->> '$.redacted' IS NULL BEGIN DELETE FROM customers WHERE brand_id = NEW.brand_id AND email_hash = OLD.facts ->> '$.evidence[1].email_hash'; END;
CREATE TRIGGER orders_recount_customer AFTER UPDATE OF facts ON orders WHEN NEW.seen IS NOT NULL AND NEW.seen ->> 'c' = 1 AND OLD.seen ->> 'c' = 1 AND NEW.facts ->> '$.evidence[1].email_hash' IS NOT NULL AND OLD.facts ->> '$.evidence[1].email_hash' IS NOT NULL AND NEW.facts ->> '$.evidence[1].email_hash' <> OLD.facts ->> '$.evidence[1].email_hash' BEGIN INSERT INTO customers (brand_id, email_hash, orders) VALUES (NEW.brand_id, NEW.facts ->> '$.evidence[1].email_hash', 1) ON CONFLICT (brand_id, email_hash) DO UPDATE SET orders = orders + 1; END;
CREATE TRIGGER orders_uncount_customer AFTER UPDATE OF facts ON orders WHEN NEW.seen IS NOT NULL AND NEW.seen ->> 'c' = 1 AND OLD.seen ->> 'c' = 1 AND NEW.facts ->> '$.evidence[1].email_hash' IS NOT NULL AND OLD.facts ->> '$.evidence[1].email_hash' IS NOT NULL AND NEW.facts ->> '$.evidence[1].email_hash' <> OLD.facts ->> '$.evidence[1].email_hash' BEGIN UPDATE customers SET orders = orders - 1 WHERE brand_id = OLD.brand_id AND email_hash = OLD.facts ->> '$.evidence[1].email_hash'; END;
CREATE TRIGGER customers_without_orders AFTER UPDATE ON customers WHEN NEW.orders = 0 BEGIN DELETE FROM customers WHERE brand_id = NEW.brand_id AND email_hash = NEW.email_hash; END;

-- The ledger: signed entries in the order of commits. `txn` is the sequence of the transaction's
-- first entry; its entries sum to zero per currency. Append-only by three triggers: the one before
-- inserts is needed because INSERT OR REPLACE passes the other two.
CREATE TABLE entries (
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
CREATE INDEX entries_by_creator ON entries (brand_id, creator_id, sequence) WHERE creator_id IS NOT NULL;
CREATE TRIGGER entries_insert_once BEFORE INSERT ON entries WHEN EXISTS (SELECT 1 FROM entries WHERE brand_id = NEW.brand_id AND sequence = NEW.sequence) BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER entries_never_go BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER orders_insert_posts AFTER INSERT ON orders WHEN NEW.postings IS NOT NULL BEGIN INSERT INTO entries (brand_id, sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id, posted_at_ms) SELECT NEW.brand_id, h.head + 1 + j.key, h.head + 1 + (j.value ->> 't'), j.value ->> 'a', j.value ->> 'c', j.value ->> 'd', j.value ->> 'u', j.value ->> 'm', 'order', NEW.id, NEW.changed_at_ms FROM (SELECT coalesce(max(sequence), 0) AS head FROM entries WHERE brand_id = NEW.brand_id) h, json_each(NEW.postings) j ORDER BY j.key; END;
CREATE TRIGGER orders_update_posts AFTER UPDATE OF postings ON orders WHEN NEW.postings IS NOT NULL AND NEW.revision <> OLD.revision BEGIN INSERT INTO entries (brand_id, sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id, posted_at_ms) SELECT NEW.brand_id, h.head + 1 + j.key, h.head + 1 + (j.value ->> 't'), j.value ->> 'a', j.value ->> 'c', j.value ->> 'd', j.value ->> 'u', j.value ->> 'm', 'order', NEW.id, NEW.changed_at_ms FROM (SELECT coalesce(max(sequence), 0) AS head FROM entries WHERE brand_id = NEW.brand_id) h, json_each(NEW.postings) j ORDER BY j.key; END;

-- What creators' accounts hold: the fold of their entries, made by the trigger below and nothing
-- else. A claw-back is negative, everything else never is, so a stale decision aborts. (CHECKs
-- look at the row to be inserted before the conflict: hence the 0 that stands in for a debit of
-- an account that exists, and the NULL, which aborts, for one of an account that doesn't.)
CREATE TABLE balances (
  brand_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  currency TEXT NOT NULL,
  account TEXT NOT NULL,
  day INTEGER NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (CASE account WHEN 'clawback' THEN amount_minor <= 0 ELSE amount_minor >= 0 END),
  PRIMARY KEY (brand_id, creator_id, currency, account, day)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER entries_fold AFTER INSERT ON entries WHEN NEW.creator_id IS NOT NULL BEGIN INSERT INTO balances (brand_id, creator_id, currency, account, day, amount_minor) VALUES (NEW.brand_id, NEW.creator_id, NEW.currency, NEW.account, NEW.day, CASE WHEN (NEW.account = 'clawback') = (NEW.amount_minor < 0) THEN NEW.amount_minor WHEN EXISTS (SELECT 1 FROM balances WHERE brand_id = NEW.brand_id AND creator_id = NEW.creator_id AND currency = NEW.currency AND account = NEW.account AND day = NEW.day) THEN 0 END) ON CONFLICT (brand_id, creator_id, currency, account, day) DO UPDATE SET amount_minor = amount_minor + NEW.amount_minor; END;

-- Heads of a brand's Merkle tree: after `size` entries the root was `root`. `frontier` is what is
-- needed to go on from there.
CREATE TABLE ledger_seals (
  brand_id TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 1),
  root TEXT NOT NULL CHECK (length(root) = 64),
  frontier TEXT NOT NULL,
  sealed_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, size)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER ledger_seals_insert_once BEFORE INSERT ON ledger_seals WHEN EXISTS (SELECT 1 FROM ledger_seals WHERE brand_id = NEW.brand_id AND size = NEW.size) BEGIN SELECT RAISE(ABORT, 'ledger_seals are append-only'); END;
CREATE TRIGGER ledger_seals_never_change BEFORE UPDATE ON ledger_seals BEGIN SELECT RAISE(ABORT, 'ledger_seals are append-only'); END;
CREATE TRIGGER ledger_seals_never_go BEFORE DELETE ON ledger_seals BEGIN SELECT RAISE(ABORT, 'ledger_seals are append-only'); END;

-- The hashes of the tree, in tiles of up to 256 neighbours of one level (level 0: of leaves; level 1:
-- roots of full tiles of level 0; and so on), in hex, one after the other. Proofs are made of them.
-- What was sealed once can't be sealed otherwise: tiles only grow.
CREATE TABLE ledger_tiles (
  brand_id TEXT NOT NULL,
  level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 7),
  place INTEGER NOT NULL CHECK (place >= 0),
  hashes TEXT NOT NULL CHECK (length(hashes) BETWEEN 64 AND 16384 AND length(hashes) % 64 = 0),
  PRIMARY KEY (brand_id, level, place)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER ledger_tiles_only_grow BEFORE UPDATE ON ledger_tiles WHEN substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes OR NEW.brand_id <> OLD.brand_id OR NEW.level <> OLD.level OR NEW.place <> OLD.place BEGIN SELECT RAISE(ABORT, 'ledger_tiles are append-only'); END;
CREATE TRIGGER ledger_tiles_never_go BEFORE DELETE ON ledger_tiles BEGIN SELECT RAISE(ABORT, 'ledger_tiles are append-only'); END;

-- What decides orders, as it changed: every value with the brand's version since which it holds, NULL
-- where it went. A decision names the version that it was made from, so that it can be made again from
-- this. Written by the triggers that count the version up. Only who a creator was goes, when she is
-- erased.
CREATE TABLE rule_journal (
  brand_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('brand', 'rules', 'creator', 'deal', 'terms', 'code', 'link', 'collection')),
  subject_id TEXT NOT NULL,
  value TEXT CHECK (json_valid(value)),
  PRIMARY KEY (brand_id, version, kind, subject_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER rule_journal_insert_once BEFORE INSERT ON rule_journal WHEN EXISTS (SELECT 1 FROM rule_journal WHERE brand_id = NEW.brand_id AND version = NEW.version AND kind = NEW.kind AND subject_id = NEW.subject_id) BEGIN SELECT RAISE(ABORT, 'rule_journal is append-only'); END;
CREATE TRIGGER rule_journal_never_changes BEFORE UPDATE ON rule_journal BEGIN SELECT RAISE(ABORT, 'rule_journal is append-only'); END;
CREATE TRIGGER rule_journal_goes_with_her BEFORE DELETE ON rule_journal WHEN OLD.kind <> 'creator' OR NOT EXISTS (SELECT 1 FROM creators WHERE brand_id = OLD.brand_id AND id = OLD.subject_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'rule_journal is append-only'); END;

-- Daily totals of clicks as the counter objects push them: absolute, so that a repeat is harmless.
-- `shard` names the object, so that totals survive a change in the number of objects.
CREATE TABLE click_days (
  brand_id TEXT NOT NULL,
  link_id TEXT NOT NULL,
  day INTEGER NOT NULL,
  shard INTEGER NOT NULL,
  deal_id TEXT NOT NULL,
  total INTEGER NOT NULL CHECK (total >= 0),
  uniques INTEGER NOT NULL CHECK (uniques BETWEEN 0 AND total),
  bot INTEGER NOT NULL CHECK (bot >= 0),
  prefetch INTEGER NOT NULL CHECK (prefetch >= 0),
  head INTEGER NOT NULL CHECK (head >= 0),
  PRIMARY KEY (brand_id, link_id, day, shard)
) STRICT, WITHOUT ROWID;

-- Deliveries that were authentic but unusable. `body` is sealed to the row's id and goes after 14
-- days; the row stays and says what happened.
CREATE TABLE quarantine (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  body TEXT,
  received_at_ms INTEGER NOT NULL,
  replayed_at_ms INTEGER,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX quarantine_once ON quarantine (brand_id, store_id, body_hash);
CREATE INDEX quarantine_open ON quarantine (brand_id, id) WHERE replayed_at_ms IS NULL AND body IS NOT NULL;

-- Invitations of creators by the SHA-256 of their token; accepting one spends it.
CREATE TABLE invitations (
  secret_hash TEXT NOT NULL PRIMARY KEY CHECK (length(secret_hash) = 64),
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  revision INTEGER NOT NULL CHECK (revision IN (0, 1)),
  accepted_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_by_creator ON invitations (brand_id, creator_id);
CREATE INDEX invitations_by_deal ON invitations (brand_id, deal_id, id);
CREATE TRIGGER invitations_of_nobody_merged BEFORE INSERT ON invitations WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND merged_into IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_merged: constraint failed'); END;
CREATE TRIGGER invitations_of_nobody_erased BEFORE INSERT ON invitations WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;

-- Creators' access tokens by their SHA-256.
CREATE TABLE creator_tokens (
  secret_hash TEXT NOT NULL PRIMARY KEY CHECK (length(secret_hash) = 64),
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX creator_tokens_by_creator ON creator_tokens (brand_id, creator_id);

-- Fixed payments to creators: posted at once, or planned until a day, until the deal reaches a stage
-- (`reached_at_ms`: it has), or both. Whoever posts one changes its state in the same batch, once. A
-- deal can't reach a stage past the fees that wait for it.
CREATE TABLE fees (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  note TEXT,
  created_at_ms INTEGER NOT NULL,
  due_day INTEGER,
  stage TEXT,
  reached_at_ms INTEGER,
  state TEXT NOT NULL DEFAULT 'posted' CHECK (state IN ('planned', 'posted', 'cancelled')),
  decided_at_ms INTEGER,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX fees_by_deal ON fees (brand_id, deal_id, id);
CREATE INDEX fees_planned ON fees (brand_id, due_day, id) WHERE state = 'planned';
CREATE INDEX fees_by_creator ON fees (brand_id, creator_id) WHERE state = 'planned';
CREATE TRIGGER fees_of_nobody_erased BEFORE INSERT ON fees WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;
CREATE TRIGGER fees_wait_for_what_is_not BEFORE INSERT ON fees WHEN NEW.state = 'planned' AND NEW.reached_at_ms IS NULL AND EXISTS (SELECT 1 FROM deals WHERE brand_id = NEW.brand_id AND id = NEW.deal_id AND stage = NEW.stage) BEGIN SELECT RAISE(ABORT, 'fee_stage_reached: constraint failed'); END;
CREATE TRIGGER fees_decided_once BEFORE UPDATE OF state ON fees WHEN OLD.state <> 'planned' BEGIN SELECT RAISE(ABORT, 'fee_decided: constraint failed'); END;
CREATE TRIGGER deals_stage_reaches_fees AFTER UPDATE OF stage ON deals WHEN NEW.stage <> OLD.stage AND EXISTS (SELECT 1 FROM fees WHERE brand_id = NEW.brand_id AND deal_id = NEW.id AND state = 'planned' AND stage = NEW.stage AND reached_at_ms IS NULL) BEGIN SELECT RAISE(ABORT, 'fee_waits_for_stage: constraint failed'); END;
CREATE TRIGGER fees_of_nobody_merged BEFORE INSERT ON fees WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND merged_into IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_merged: constraint failed'); END;
CREATE TRIGGER fees_wait_for_a_stage BEFORE INSERT ON fees WHEN NEW.stage IS NOT NULL AND NOT EXISTS (SELECT 1 FROM deals d, campaigns c, json_each(c.stages) s WHERE d.brand_id = NEW.brand_id AND d.id = NEW.deal_id AND c.brand_id = d.brand_id AND c.id = d.campaign_id AND s.value = NEW.stage) BEGIN SELECT RAISE(ABORT, 'stage_gone: constraint failed'); END;

-- Corrections by hand, each with its reason; negative ones take money back.
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
CREATE TRIGGER adjustments_of_nobody_merged BEFORE INSERT ON adjustments WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND merged_into IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_merged: constraint failed'); END;

-- Where creators are paid: sealed to brand, creator, method and version, in clear only what tells
-- it apart. A change (not the first entry) waits until `usable_at_ms`.
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
CREATE TRIGGER payment_details_of_nobody_erased BEFORE INSERT ON payment_details WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;
CREATE TRIGGER payment_details_of_nobody_merged BEFORE INSERT ON payment_details WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND merged_into IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_merged: constraint failed'); END;

-- Payments made together. Money leaves what is available when one is approved, and in no other
-- way; `revision` guards that against being done twice. `needs_two`: it needed two people by the rule
-- when it was drafted (a later rule may ask so too). `skipped`: JSON rows of who has something and
-- wasn't drafted: creator, reason, minor units; of many some, of `skipped_total`.
CREATE TABLE payouts (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  state TEXT NOT NULL CHECK (state IN ('draft', 'approved', 'cancelled')),
  revision INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  approved_at_ms INTEGER,
  needs_two INTEGER NOT NULL DEFAULT 0 CHECK (needs_two IN (0, 1)),
  skipped TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(skipped)),
  skipped_total INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX payouts_draft ON payouts (brand_id, id) WHERE state = 'draft';

-- What each creator gets of a payout. `revision` guards the settlement. A line that failed may be tried
-- again: `attempt` counts; not if the provider told later of any try that it arrived. `way`: whether this try stands in a file or went to the provider, never both.
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
  attempt INTEGER NOT NULL DEFAULT 1 CHECK (attempt >= 1),
  way TEXT CHECK (way IN ('file', 'paypal')),
  PRIMARY KEY (brand_id, payout_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX payout_lines_by_creator ON payout_lines (brand_id, creator_id, id);
CREATE INDEX payout_lines_open ON payout_lines (brand_id, state, id) WHERE state IN ('in_payout', 'failed');
CREATE INDEX payout_lines_settled ON payout_lines (brand_id, settled_at_ms) WHERE settled_at_ms IS NOT NULL;

-- Who approved what needs two people: a payout, by its id, or another try of a line, by `line/attempt`.
-- They count while they are members who may approve.
CREATE TABLE payout_approvals (
  brand_id TEXT NOT NULL,
  subject TEXT NOT NULL,
  person_id TEXT NOT NULL,
  member_id TEXT NOT NULL,
  approved_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, subject, person_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER payouts_second_approver BEFORE UPDATE OF state ON payouts WHEN NEW.state = 'approved' AND OLD.state <> 'approved' AND (OLD.needs_two = 1 OR EXISTS (SELECT 1 FROM brands b WHERE b.id = NEW.brand_id AND b.second_above_minor IS NOT NULL AND (b.currency <> NEW.currency OR b.second_above_minor < (SELECT sum(l.amount_minor) FROM payout_lines l WHERE l.brand_id = NEW.brand_id AND l.payout_id = NEW.id)))) AND (SELECT count(*) FROM payout_approvals a JOIN members m ON m.brand_id = a.brand_id AND m.person_id = a.person_id AND m.role <> 'viewer' WHERE a.brand_id = NEW.brand_id AND a.subject = NEW.id) < 2 BEGIN SELECT RAISE(ABORT, 'second_approver: constraint failed'); END;
CREATE TRIGGER payout_lines_second_approver BEFORE UPDATE OF state ON payout_lines WHEN NEW.state = 'in_payout' AND OLD.state = 'failed' AND EXISTS (SELECT 1 FROM payouts p JOIN brands b ON b.id = p.brand_id WHERE p.brand_id = NEW.brand_id AND p.id = NEW.payout_id AND (p.needs_two = 1 OR (b.second_above_minor IS NOT NULL AND (b.currency <> p.currency OR b.second_above_minor < NEW.amount_minor)))) AND (SELECT count(*) FROM payout_approvals a JOIN members m ON m.brand_id = a.brand_id AND m.person_id = a.person_id AND m.role <> 'viewer' WHERE a.brand_id = NEW.brand_id AND a.subject = NEW.id || '/' || NEW.attempt) < 2 BEGIN SELECT RAISE(ABORT, 'second_approver: constraint failed'); END;

-- Days on which drafts were due by schedule, and were made, or nobody was to be paid.
CREATE TABLE payout_runs (
  brand_id TEXT NOT NULL,
  due_day INTEGER NOT NULL,
  drafted_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, due_day)
) STRICT, WITHOUT ROWID;

-- The brand's account at a service that pays creators. The secret is sealed to brand and account.
CREATE TABLE payout_providers (
  brand_id TEXT NOT NULL PRIMARY KEY,
  provider TEXT NOT NULL CHECK (provider IN ('paypal')),
  client_id TEXT NOT NULL,
  secret_sealed TEXT NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Payments handed to the provider, one per try of a line, each under a reference of its own: PayPal
-- tells repetitions by it for 30 days. `sending`: claimed, so that it may be on its way; `doubtful`: an
-- earlier request may have been taken; `batch`: PayPal's id, once it is known. `due_at_ms`: when to ask
-- or, if it surely wasn't taken, to send. In flight (`waiting`, `sending`, `sent`) nobody settles the line
-- by hand, and the account stays. `unknown`: nobody asks any more, people decide.
CREATE TABLE payout_sendings (
  brand_id TEXT NOT NULL,
  line_id TEXT NOT NULL,
  attempt INTEGER NOT NULL CHECK (attempt >= 1),
  payout_id TEXT NOT NULL,
  reference TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'settled', 'failed', 'unknown', 'contradicted')),
  revision INTEGER NOT NULL DEFAULT 0,
  details_version INTEGER,
  doubtful INTEGER NOT NULL DEFAULT 0 CHECK (doubtful IN (0, 1)),
  batch TEXT,
  told TEXT NOT NULL DEFAULT '',
  tries INTEGER NOT NULL DEFAULT 0,
  queued_at_ms INTEGER NOT NULL,
  first_sent_at_ms INTEGER,
  due_at_ms INTEGER,
  PRIMARY KEY (brand_id, line_id, attempt)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX payout_sendings_by_reference ON payout_sendings (reference);
CREATE INDEX payout_sendings_due ON payout_sendings (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE TRIGGER payout_sendings_of_what_is_in_payout BEFORE INSERT ON payout_sendings WHEN NOT EXISTS (SELECT 1 FROM payout_lines WHERE brand_id = NEW.brand_id AND payout_id = NEW.payout_id AND id = NEW.line_id AND state = 'in_payout' AND attempt = NEW.attempt AND way = 'paypal') BEGIN SELECT RAISE(ABORT, 'not_in_payout: constraint failed'); END;
CREATE TRIGGER payout_lines_in_flight BEFORE UPDATE OF state ON payout_lines WHEN OLD.state = 'in_payout' AND NEW.state <> OLD.state AND EXISTS (SELECT 1 FROM payout_sendings WHERE brand_id = OLD.brand_id AND line_id = OLD.id AND attempt = OLD.attempt AND state IN ('waiting', 'sending', 'sent')) BEGIN SELECT RAISE(ABORT, 'payment_in_flight: constraint failed'); END;
CREATE TRIGGER payout_lines_contradicted BEFORE UPDATE OF state ON payout_lines WHEN NEW.state = 'in_payout' AND OLD.state = 'failed' AND EXISTS (SELECT 1 FROM payout_sendings WHERE brand_id = NEW.brand_id AND line_id = NEW.id AND state = 'contradicted') BEGIN SELECT RAISE(ABORT, 'contradicted: constraint failed'); END;
CREATE TRIGGER payout_sendings_contradicted BEFORE INSERT ON payout_sendings WHEN EXISTS (SELECT 1 FROM payout_sendings WHERE brand_id = NEW.brand_id AND line_id = NEW.line_id AND state = 'contradicted') BEGIN SELECT RAISE(ABORT, 'contradicted: constraint failed'); END;
CREATE TRIGGER payout_lines_one_way BEFORE UPDATE OF way ON payout_lines WHEN NEW.way <> OLD.way BEGIN SELECT RAISE(ABORT, 'one_way: constraint failed'); END;
CREATE TRIGGER payout_providers_stay BEFORE UPDATE OF client_id ON payout_providers WHEN NEW.client_id <> OLD.client_id AND EXISTS (SELECT 1 FROM payout_sendings WHERE brand_id = OLD.brand_id AND state IN ('waiting', 'sending', 'sent')) BEGIN SELECT RAISE(ABORT, 'payments_in_flight: constraint failed'); END;
CREATE TRIGGER payout_providers_stay_on_delete BEFORE DELETE ON payout_providers WHEN EXISTS (SELECT 1 FROM payout_sendings WHERE brand_id = OLD.brand_id AND state IN ('waiting', 'sending', 'sent')) BEGIN SELECT RAISE(ABORT, 'payments_in_flight: constraint failed'); END;

-- The first answers to money calls, by their Idempotency-Key, written with the effect itself.
CREATE TABLE idempotency (
  brand_id TEXT NOT NULL,
  key TEXT NOT NULL,
  request_hash TEXT NOT NULL CHECK (length(request_hash) = 64),
  status INTEGER NOT NULL,
  answer TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, key)
) STRICT, WITHOUT ROWID;

-- What creators claim: that an order, named as the shop calls it, is theirs. `answer` is what she was
-- told then: why it is hers or isn't, by her own evidence only. Open ones wait for the brand, which
-- decides once; no more than twenty a day, so that nobody asks through all orders of a shop.
CREATE TABLE claims (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  order_name TEXT NOT NULL,
  order_id TEXT,
  deal_id TEXT,
  state TEXT NOT NULL CHECK (state IN ('open', 'hers', 'unknown', 'granted', 'declined')),
  answer TEXT NOT NULL CHECK (json_valid(answer)),
  note TEXT,
  created_at_ms INTEGER NOT NULL,
  decisions INTEGER NOT NULL DEFAULT 0 CHECK (decisions IN (0, 1)),
  decided_at_ms INTEGER,
  decision_note TEXT,
  CHECK (state NOT IN ('open', 'hers', 'granted') OR order_id IS NOT NULL),
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_by_creator ON claims (brand_id, creator_id, id, created_at_ms);
CREATE INDEX claims_by_state ON claims (brand_id, state, id);
CREATE UNIQUE INDEX claims_open_once ON claims (brand_id, creator_id, order_id) WHERE state = 'open';
CREATE TRIGGER claims_of_a_day BEFORE INSERT ON claims WHEN (SELECT count(*) FROM claims WHERE brand_id = NEW.brand_id AND creator_id = NEW.creator_id AND created_at_ms > NEW.created_at_ms - 86400000) >= 20 BEGIN SELECT RAISE(ABORT, 'claims_of_a_day: constraint failed'); END;
CREATE TRIGGER claims_of_nobody_erased BEFORE INSERT ON claims WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;
CREATE TRIGGER claims_of_nobody_merged BEFORE INSERT ON claims WHEN EXISTS (SELECT 1 FROM creators WHERE brand_id = NEW.brand_id AND id = NEW.creator_id AND merged_into IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_merged: constraint failed'); END;

-- Who signs in, by e-mail address as it is compared. A person isn't a brand's: brands know their
-- members and creators, and each only its own side of them.
CREATE TABLE people (
  id TEXT NOT NULL PRIMARY KEY,
  email TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX people_by_email ON people (email);

-- The brand's team. A row without a person is an invitation, by the SHA-256 of its token; the last
-- owner can be neither removed nor made less.
CREATE TABLE members (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  email TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('owner', 'manager', 'viewer')),
  person_id TEXT,
  secret_hash TEXT CHECK (length(secret_hash) = 64),
  invited_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  joined_at_ms INTEGER,
  CHECK ((person_id IS NULL) = (joined_at_ms IS NULL)),
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX members_by_email ON members (brand_id, email);
CREATE UNIQUE INDEX members_by_person ON members (person_id, brand_id) WHERE person_id IS NOT NULL;
CREATE UNIQUE INDEX members_by_secret ON members (secret_hash) WHERE secret_hash IS NOT NULL;
CREATE TRIGGER members_keep_an_owner_on_update BEFORE UPDATE ON members WHEN OLD.role = 'owner' AND OLD.person_id IS NOT NULL AND (NEW.role <> 'owner' OR NEW.person_id IS NULL) AND NOT EXISTS (SELECT 1 FROM members WHERE brand_id = OLD.brand_id AND id <> OLD.id AND role = 'owner' AND person_id IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'last_owner: constraint failed'); END;
CREATE TRIGGER members_keep_an_owner_on_delete BEFORE DELETE ON members WHEN OLD.role = 'owner' AND OLD.person_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM members WHERE brand_id = OLD.brand_id AND id <> OLD.id AND role = 'owner' AND person_id IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'last_owner: constraint failed'); END;
CREATE TRIGGER members_leave_deals AFTER DELETE ON members BEGIN UPDATE deals SET owner_id = NULL WHERE brand_id = OLD.brand_id AND owner_id = OLD.id; UPDATE follow_ups SET owner_id = NULL WHERE brand_id = OLD.brand_id AND owner_id = OLD.id AND done_at_ms IS NULL; END;

-- Sign-ins that were begun: the hash of what the browser keeps, of the token in the mail's link, and
-- the keyed hash of the code for other devices. Whether the address is anybody's isn't looked at.
CREATE TABLE sign_ins (
  browser_hash TEXT NOT NULL PRIMARY KEY CHECK (length(browser_hash) = 64),
  token_hash TEXT NOT NULL CHECK (length(token_hash) = 64),
  code_hash TEXT NOT NULL,
  email TEXT NOT NULL,
  invitation_hash TEXT,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  uses INTEGER NOT NULL DEFAULT 0 CHECK (uses IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sign_ins_by_token ON sign_ins (token_hash);

-- Sessions by the SHA-256 of what the cookie holds, which changes with every factor. `factors`: 1 the
-- mail, 2 a passkey or a recovery code too. A challenge is answered once.
CREATE TABLE sessions (
  secret_hash TEXT NOT NULL PRIMARY KEY CHECK (length(secret_hash) = 64),
  id TEXT NOT NULL,
  person_id TEXT NOT NULL,
  device TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  last_seen_at_ms INTEGER NOT NULL,
  factors INTEGER NOT NULL CHECK (factors IN (1, 2)),
  stepped_up_at_ms INTEGER,
  challenge TEXT,
  challenge_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_person ON sessions (person_id, id);

-- Passkeys: P-256 public keys (x and y) of people's authenticators.
CREATE TABLE passkeys (
  person_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  credential_id TEXT NOT NULL,
  public_key TEXT NOT NULL,
  sign_count INTEGER NOT NULL CHECK (sign_count >= 0),
  created_at_ms INTEGER NOT NULL,
  last_used_at_ms INTEGER,
  PRIMARY KEY (person_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX passkeys_by_credential ON passkeys (credential_id);

-- Recovery codes by their keyed hash; each is used once.
CREATE TABLE recovery_codes (
  person_id TEXT NOT NULL,
  code_hash TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  uses INTEGER NOT NULL DEFAULT 0 CHECK (uses IN (0, 1)),
  used_at_ms INTEGER,
  PRIMARY KEY (person_id, code_hash)
) STRICT, WITHOUT ROWID;

-- The last run of every job, for GET /v1/status.
CREATE TABLE job_runs (
  name TEXT NOT NULL PRIMARY KEY,
  started_at_ms INTEGER NOT NULL,
  finished_at_ms INTEGER NOT NULL,
  succeeded INTEGER NOT NULL CHECK (succeeded IN (0, 1)),
  handled INTEGER NOT NULL,
  detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who changed what, when and by which request, with what was before and after (JSON). Written in
-- the batch of the change itself; append-only. What it says of a creator stands in audit_personal,
-- what of a member in audit_members. A job notes per brand and run what it changed; what is nobody's
-- (people, keys of the deployment) under the brand ''. What stores report is told by the orders.
CREATE TABLE audit (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  actor_kind TEXT NOT NULL CHECK (actor_kind IN ('operator', 'key', 'creator', 'member', 'job')),
  actor_id TEXT NOT NULL,
  action TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  before TEXT CHECK (json_valid(before)),
  after TEXT CHECK (json_valid(after)),
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_subject ON audit (brand_id, subject_id, id);
CREATE TRIGGER audit_insert_once BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE brand_id = NEW.brand_id AND id = NEW.id) BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_never_goes BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

-- Mails on their way and sent; brand_id is '' for those that are between the product and a person.
-- A cause has one mail, whatever happens twice. `content` is sealed to the id, and goes once it isn't
-- needed. A mail is claimed (`sending`) before it is handed over, and never again after that unless it
-- surely wasn't taken; when `due_at_ms` passes it is time to try, or the outcome counts as unknown.
-- `service_id` is the mail service's name for one that it took: what it tells later names that.
CREATE TABLE mails (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  cause TEXT NOT NULL,
  kind TEXT NOT NULL,
  recipient TEXT NOT NULL,
  content TEXT,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'unknown')),
  error TEXT NOT NULL DEFAULT '',
  tries INTEGER NOT NULL DEFAULT 0,
  due_at_ms INTEGER,
  created_at_ms INTEGER NOT NULL,
  sent_at_ms INTEGER,
  service_id TEXT,
  bounced_at_ms INTEGER,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX mails_by_cause ON mails (cause);
CREATE INDEX mails_by_service_id ON mails (service_id) WHERE service_id IS NOT NULL;
CREATE INDEX mails_due ON mails (due_at_ms) WHERE due_at_ms IS NOT NULL;

-- Texts that messages are written from. What stands between `{{` and `}}` is a known field.
CREATE TABLE message_templates (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  revision INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER message_templates_in_use BEFORE DELETE ON message_templates WHEN EXISTS (SELECT 1 FROM sequences s, json_each(s.steps) j WHERE s.brand_id = OLD.brand_id AND j.value ->> 'template_id' = OLD.id AND (s.archived_at_ms IS NULL OR EXISTS (SELECT 1 FROM enrolments e WHERE e.brand_id = s.brand_id AND e.sequence_id = s.id AND e.state = 'running'))) BEGIN SELECT RAISE(ABORT, 'constraint failed: template_in_use'); END;

-- When messages go out, and how many in a day of the brand; a brand without a row has the defaults.
-- `days` are those of the week, a bit each from Monday (1) on; minutes are those of the recipient's day.
CREATE TABLE outreach_settings (
  brand_id TEXT NOT NULL PRIMARY KEY,
  daily_limit INTEGER NOT NULL CHECK (daily_limit BETWEEN 0 AND 10000),
  days INTEGER NOT NULL CHECK (days BETWEEN 1 AND 127),
  from_minute INTEGER NOT NULL CHECK (from_minute BETWEEN 0 AND 1439),
  to_minute INTEGER NOT NULL CHECK (to_minute BETWEEN 1 AND 1440 AND to_minute > from_minute)
) STRICT, WITHOUT ROWID;

-- How many messages a brand handed over in one of its days: a trigger of `messages` counts.
CREATE TABLE outreach_days (
  brand_id TEXT NOT NULL,
  day INTEGER NOT NULL,
  sent INTEGER NOT NULL CHECK (sent >= 1),
  PRIMARY KEY (brand_id, day)
) STRICT, WITHOUT ROWID;

-- Addresses that want no more messages of a brand, as its keyed hash of them. Nobody takes one out:
-- it holds for whoever has that address, and after she was erased.
CREATE TABLE unsubscribes (
  brand_id TEXT NOT NULL,
  email_hash TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, email_hash)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER unsubscribes_cancel AFTER INSERT ON unsubscribes BEGIN UPDATE messages SET state = 'cancelled', reason = 'unsubscribed', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND state = 'scheduled' AND deal_id IN (SELECT d.id FROM creators c CROSS JOIN deals d ON d.brand_id = c.brand_id AND d.creator_id = c.id WHERE c.brand_id = NEW.brand_id AND c.email_hash = NEW.email_hash); UPDATE enrolments SET state = 'stopped', reason = 'unsubscribed', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND state = 'running' AND deal_id IN (SELECT d.id FROM creators c CROSS JOIN deals d ON d.brand_id = c.brand_id AND d.creator_id = c.id WHERE c.brand_id = NEW.brand_id AND c.email_hash = NEW.email_hash); END;
CREATE TRIGGER unsubscribes_never_change BEFORE UPDATE ON unsubscribes BEGIN SELECT RAISE(ABORT, 'unsubscribes are append-only'); END;
CREATE TRIGGER unsubscribes_never_go BEFORE DELETE ON unsubscribes BEGIN SELECT RAISE(ABORT, 'unsubscribes are append-only'); END;

-- What stands in a deal's reply addresses, as a hash; how many replies nobody has read; and how many
-- came on `in_day`, so that two machines that answer each other come to an end.
CREATE TABLE conversations (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  reply_hash TEXT NOT NULL,
  unread INTEGER NOT NULL DEFAULT 0 CHECK (unread >= 0),
  last_at_ms INTEGER NOT NULL,
  in_day INTEGER NOT NULL DEFAULT 0,
  in_count INTEGER NOT NULL DEFAULT 0,
  in_automatic INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (brand_id, deal_id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX conversations_by_reply ON conversations (reply_hash);
CREATE INDEX conversations_unread ON conversations (brand_id, deal_id) WHERE unread > 0;

-- Sequences: `steps` is the JSON list of their templates, each with the hours it waits after the one
-- before. They never change; one that is archived takes no more deals.
CREATE TABLE sequences (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  steps TEXT NOT NULL CHECK (json_valid(steps)),
  created_at_ms INTEGER NOT NULL,
  archived_at_ms INTEGER,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;

-- Deals in sequences. `step` is the next one to send, due at `due_at_ms`.
CREATE TABLE enrolments (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  id TEXT NOT NULL,
  sequence_id TEXT NOT NULL,
  step INTEGER NOT NULL CHECK (step >= 0),
  state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'stopped')),
  reason TEXT NOT NULL DEFAULT '',
  due_at_ms INTEGER CHECK ((due_at_ms IS NULL) = (state <> 'running')),
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, deal_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id),
  FOREIGN KEY (brand_id, sequence_id) REFERENCES sequences (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX enrolments_running ON enrolments (brand_id, deal_id, sequence_id) WHERE state = 'running';
CREATE INDEX enrolments_by_sequence ON enrolments (brand_id, sequence_id);
CREATE INDEX enrolments_due ON enrolments (due_at_ms) WHERE state = 'running';
CREATE TRIGGER enrolments_stop_messages AFTER UPDATE OF state ON enrolments WHEN NEW.state = 'stopped' AND OLD.state <> 'stopped' BEGIN UPDATE messages SET state = 'cancelled', reason = NEW.reason, due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND enrolment_id = NEW.id AND state = 'scheduled'; END;
CREATE TRIGGER deals_move_stops AFTER UPDATE OF stage ON deals WHEN NEW.stage <> OLD.stage AND EXISTS (SELECT 1 FROM campaigns c, json_each(c.stages) j WHERE c.brand_id = NEW.brand_id AND c.id = NEW.campaign_id AND j.value = OLD.stage) BEGIN UPDATE enrolments SET state = 'stopped', reason = 'moved', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.id AND state = 'running'; UPDATE messages SET state = 'cancelled', reason = 'moved', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.id AND state = 'scheduled' AND enrolment_id IS NOT NULL; END;
CREATE TRIGGER deals_close_stops AFTER UPDATE OF closed_at_ms ON deals WHEN NEW.closed_at_ms IS NOT NULL AND OLD.closed_at_ms IS NULL BEGIN UPDATE enrolments SET state = 'stopped', reason = 'closed', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.id AND state = 'running'; UPDATE messages SET state = 'cancelled', reason = 'closed', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.id AND state = 'scheduled' AND enrolment_id IS NOT NULL; END;
CREATE TRIGGER offers_decline_stops AFTER UPDATE OF state ON offers WHEN NEW.state = 'declined' AND NEW.kind = 'offer' BEGIN UPDATE enrolments SET state = 'stopped', reason = 'declined', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND state = 'running'; UPDATE messages SET state = 'cancelled', reason = 'declined', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND state = 'scheduled' AND enrolment_id IS NOT NULL; END;

-- What was written to creators and what came back, by deal. `content` is sealed to the id. A message
-- waits as `scheduled` until `due_at_ms`; then it gets its mail (`mail_id`), once, and follows what
-- becomes of that. `handed_day` is the brand's day on which it did. `inbound_key` names a mail that
-- came, so that it stands here once; an automatic answer stops no sequence.
CREATE TABLE messages (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  id TEXT NOT NULL,
  direction TEXT NOT NULL CHECK (direction IN ('out', 'in')),
  state TEXT NOT NULL CHECK (state IN ('scheduled', 'waiting', 'sending', 'sent', 'failed', 'unknown', 'bounced', 'cancelled', 'received')),
  reason TEXT NOT NULL DEFAULT '',
  content TEXT NOT NULL,
  template_id TEXT,
  enrolment_id TEXT,
  step INTEGER,
  mail_id TEXT,
  handed_day INTEGER,
  inbound_key TEXT,
  automatic INTEGER NOT NULL DEFAULT 0 CHECK (automatic IN (0, 1)),
  due_at_ms INTEGER CHECK ((due_at_ms IS NULL) = (state <> 'scheduled')),
  created_at_ms INTEGER NOT NULL,
  sent_at_ms INTEGER,
  PRIMARY KEY (brand_id, deal_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_due ON messages (due_at_ms) WHERE state = 'scheduled';
CREATE UNIQUE INDEX messages_by_mail ON messages (brand_id, mail_id) WHERE mail_id IS NOT NULL;
CREATE UNIQUE INDEX messages_by_step ON messages (brand_id, enrolment_id, step) WHERE enrolment_id IS NOT NULL;
CREATE UNIQUE INDEX messages_by_inbound ON messages (brand_id, inbound_key) WHERE inbound_key IS NOT NULL;
CREATE TRIGGER messages_count AFTER UPDATE OF state ON messages WHEN OLD.state = 'scheduled' AND NEW.state = 'waiting' BEGIN INSERT INTO outreach_days (brand_id, day, sent) VALUES (NEW.brand_id, NEW.handed_day, 1) ON CONFLICT (brand_id, day) DO UPDATE SET sent = sent + 1; END;
CREATE TRIGGER messages_reply_stops AFTER INSERT ON messages WHEN NEW.direction = 'in' AND NEW.automatic = 0 BEGIN UPDATE enrolments SET state = 'stopped', reason = 'replied', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND state = 'running'; UPDATE messages SET state = 'cancelled', reason = 'replied', due_at_ms = NULL WHERE brand_id = NEW.brand_id AND deal_id = NEW.deal_id AND state = 'scheduled' AND enrolment_id IS NOT NULL; END;
CREATE TRIGGER messages_are_contact AFTER UPDATE OF sent_at_ms ON messages WHEN NEW.sent_at_ms IS NOT NULL AND OLD.sent_at_ms IS NULL BEGIN UPDATE deals SET contacted_at_ms = max(coalesce(contacted_at_ms, 0), NEW.sent_at_ms) WHERE brand_id = NEW.brand_id AND id = NEW.deal_id; END;
CREATE TRIGGER mails_tell_messages AFTER UPDATE OF state, bounced_at_ms ON mails WHEN NEW.kind = 'message' BEGIN UPDATE messages SET state = iif(NEW.bounced_at_ms IS NULL, NEW.state, 'bounced'), reason = NEW.error, sent_at_ms = NEW.sent_at_ms WHERE brand_id = NEW.brand_id AND mail_id = NEW.id; END;
CREATE TRIGGER messages_of_nobody_erased BEFORE INSERT ON messages WHEN EXISTS (SELECT 1 FROM deals d JOIN creators c ON c.brand_id = d.brand_id AND c.id = d.creator_id WHERE d.brand_id = NEW.brand_id AND d.id = NEW.deal_id AND c.erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;

-- What rows of the audit trail say about a creator, before and after, apart from the trail so that
-- it can go when she is erased, and only then.
CREATE TABLE audit_personal (
  brand_id TEXT NOT NULL,
  audit_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  before TEXT CHECK (json_valid(before)),
  after TEXT CHECK (json_valid(after)),
  PRIMARY KEY (brand_id, audit_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_personal_by_creator ON audit_personal (brand_id, creator_id);
CREATE TRIGGER audit_personal_insert_once BEFORE INSERT ON audit_personal WHEN EXISTS (SELECT 1 FROM audit_personal WHERE brand_id = NEW.brand_id AND audit_id = NEW.audit_id) BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_personal_never_changes BEFORE UPDATE ON audit_personal BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_personal_goes_with_her BEFORE DELETE ON audit_personal WHEN NOT EXISTS (SELECT 1 FROM creators WHERE brand_id = OLD.brand_id AND id = OLD.creator_id AND erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

-- What rows of the audit trail say about a member (her address, what she calls her devices), apart
-- from the trail so that it can go, but not while she is one.
CREATE TABLE audit_members (
  brand_id TEXT NOT NULL,
  audit_id TEXT NOT NULL,
  member_id TEXT NOT NULL,
  before TEXT CHECK (json_valid(before)),
  after TEXT CHECK (json_valid(after)),
  PRIMARY KEY (brand_id, audit_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER audit_members_insert_once BEFORE INSERT ON audit_members WHEN EXISTS (SELECT 1 FROM audit_members WHERE brand_id = NEW.brand_id AND audit_id = NEW.audit_id) BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_members_never_change BEFORE UPDATE ON audit_members BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_members_go_with_them BEFORE DELETE ON audit_members WHEN EXISTS (SELECT 1 FROM members WHERE brand_id = OLD.brand_id AND id = OLD.member_id) BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

-- What creators published. A post is recognised by `url_key`, its address without what people copy it
-- differently by; what was taken out counts nowhere. The metrics are the latest that is known of each
-- (NULL: never measured), kept by the triggers of post_metrics and nothing else.
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
CREATE TRIGGER posts_of_nobody_erased BEFORE INSERT ON posts WHEN EXISTS (SELECT 1 FROM deals d JOIN creators c ON c.brand_id = d.brand_id AND c.id = d.creator_id WHERE d.brand_id = NEW.brand_id AND d.id = NEW.deal_id AND c.erased_at_ms IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'creator_erased: constraint failed'); END;

-- How a post did at a time, as somebody told it. What is told again of the same moment completes it.
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
CREATE TRIGGER post_metrics_of_hers BEFORE INSERT ON post_metrics WHEN NEW.source = 'creator' AND (SELECT count(*) FROM post_metrics WHERE brand_id = NEW.brand_id AND post_id = NEW.post_id AND source = 'creator') >= 500 AND NOT EXISTS (SELECT 1 FROM post_metrics WHERE brand_id = NEW.brand_id AND post_id = NEW.post_id AND measured_at_ms = NEW.measured_at_ms) BEGIN SELECT RAISE(ABORT, 'measurements: constraint failed'); END;
CREATE TRIGGER post_metrics_count AFTER INSERT ON post_metrics BEGIN UPDATE posts SET measurements = measurements + 1 WHERE brand_id = NEW.brand_id AND id = NEW.post_id; END;
CREATE TRIGGER post_metrics_latest_insert AFTER INSERT ON post_metrics BEGIN UPDATE posts SET (measured_at_ms, impressions, views, likes, comments, shares) = (SELECT max(measured_at_ms), (SELECT impressions FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.impressions IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT views FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.views IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT likes FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.likes IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT comments FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.comments IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT shares FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.shares IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1) FROM post_metrics WHERE brand_id = NEW.brand_id AND post_id = NEW.post_id) WHERE brand_id = NEW.brand_id AND id = NEW.post_id; END;
CREATE TRIGGER post_metrics_latest_update AFTER UPDATE ON post_metrics BEGIN UPDATE posts SET (measured_at_ms, impressions, views, likes, comments, shares) = (SELECT max(measured_at_ms), (SELECT impressions FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.impressions IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT views FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.views IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT likes FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.likes IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT comments FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.comments IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1), (SELECT shares FROM post_metrics m WHERE m.brand_id = NEW.brand_id AND m.post_id = NEW.post_id AND m.shares IS NOT NULL ORDER BY m.measured_at_ms DESC LIMIT 1) FROM post_metrics WHERE brand_id = NEW.brand_id AND post_id = NEW.post_id) WHERE brand_id = NEW.brand_id AND id = NEW.post_id; END;

-- How a brand values what was seen, by versions: `rates` is a JSON list of platform (null first: all others),
-- whether views count instead of impressions, and the CPM in minor units of the brand's currency.
CREATE TABLE media_formulas (
  brand_id TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version BETWEEN 1 AND 10000),
  rates TEXT NOT NULL CHECK (json_valid(rates)),
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, version)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER media_formulas_never_change BEFORE UPDATE ON media_formulas BEGIN SELECT RAISE(ABORT, 'media formulas are append-only'); END;

-- What shops ask about their shoppers' data: tell what is stored (the brand answers), forget a
-- customer, forget the shop (both done by a job). `cause` makes a repetition the same row; `orders`
-- is a JSON list of pairs, our id and the platform's, of which `redacted` have been worked off.
CREATE TABLE data_requests (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('data_request', 'customer_redaction', 'shop_redaction')),
  cause TEXT NOT NULL,
  orders TEXT NOT NULL CHECK (json_valid(orders)),
  redacted INTEGER NOT NULL DEFAULT 0 CHECK (redacted >= 0),
  received_at_ms INTEGER NOT NULL,
  due_at_ms INTEGER NOT NULL,
  done_at_ms INTEGER,
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX data_requests_once ON data_requests (brand_id, store_id, cause);
CREATE INDEX data_requests_by_kind ON data_requests (kind, received_at_ms);

-- How many sealed texts the job that re-wraps them left under older keys, by the number of the key
-- that was active then: what a run under another key counted says nothing.
CREATE TABLE rewraps (
  active INTEGER NOT NULL PRIMARY KEY,
  remaining INTEGER NOT NULL,
  counted_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Where brands have events told: Standard Webhooks. `events` is a JSON list of types, empty for all. Secrets
-- are sealed to the endpoint's id; the one before signs too until its time is over. `due_at_ms`: when it is
-- looked at next, which is also for how long somebody works at it; NULL while nothing waits. `failing_since_ms`:
-- nothing arrived since; `paused` says why nothing is sent, in a word.
CREATE TABLE webhook_endpoints (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  url TEXT NOT NULL,
  events TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(events)),
  description TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused')),
  paused TEXT NOT NULL DEFAULT '' CHECK (paused IN ('', 'by_hand', 'failing', 'gone')),
  secret_sealed TEXT NOT NULL,
  previous_sealed TEXT,
  previous_until_ms INTEGER,
  failures INTEGER NOT NULL DEFAULT 0,
  failing_since_ms INTEGER,
  due_at_ms INTEGER,
  created_at_ms INTEGER NOT NULL,
  CHECK ((state = 'paused') = (paused <> '')),
  CHECK ((previous_sealed IS NULL) = (previous_until_ms IS NULL)),
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_endpoints_due ON webhook_endpoints (due_at_ms) WHERE due_at_ms IS NOT NULL AND state = 'active';
CREATE TRIGGER webhook_endpoints_most BEFORE INSERT ON webhook_endpoints WHEN (SELECT count(*) FROM webhook_endpoints WHERE brand_id = NEW.brand_id) >= 20 BEGIN SELECT RAISE(ABORT, 'webhook_endpoints_most: constraint failed'); END;
CREATE TRIGGER webhook_endpoints_listen AFTER INSERT ON webhook_endpoints WHEN NEW.state = 'active' BEGIN UPDATE brands SET webhooks = webhooks + 1 WHERE id = NEW.brand_id; END;
CREATE TRIGGER webhook_endpoints_change AFTER UPDATE OF state ON webhook_endpoints WHEN NEW.state <> OLD.state BEGIN UPDATE brands SET webhooks = webhooks + (NEW.state = 'active') - (OLD.state = 'active') WHERE id = NEW.brand_id; END;
CREATE TRIGGER webhook_endpoints_end AFTER DELETE ON webhook_endpoints BEGIN UPDATE brands SET webhooks = webhooks - (OLD.state = 'active') WHERE id = OLD.brand_id; DELETE FROM webhook_deliveries WHERE brand_id = OLD.brand_id AND endpoint_id = OLD.id; END;

-- What happened, where an endpoint listens: written by triggers on the tables that change, in the batch of the
-- change, so that none is lost and none told of what didn't happen. `data` is what the row was then: ids,
-- amounts and states, nothing of people. Told by the database's own clock.
CREATE TABLE webhook_events (
  brand_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  type TEXT NOT NULL,
  data TEXT NOT NULL CHECK (json_valid(data)),
  created_at_ms INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (brand_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_events_by_time ON webhook_events (created_at_ms);
CREATE TRIGGER webhook_events_nobody BEFORE INSERT ON webhook_events WHEN NEW.type <> 'webhook.test' AND NOT EXISTS (SELECT 1 FROM webhook_endpoints WHERE brand_id = NEW.brand_id AND state = 'active' AND (events = '[]' OR instr(events, json_quote(NEW.type)) > 0)) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER webhook_events_go_out AFTER INSERT ON webhook_events BEGIN UPDATE brands SET webhook_sequence = NEW.sequence WHERE id = NEW.brand_id; INSERT INTO webhook_deliveries (brand_id, endpoint_id, sequence) SELECT brand_id, id, NEW.sequence FROM webhook_endpoints WHERE brand_id = NEW.brand_id AND NEW.type <> 'webhook.test' AND state = 'active' AND (events = '[]' OR instr(events, json_quote(NEW.type)) > 0); END;

-- An event on its way to one endpoint. `due_at_ms`: when it is tried next, or until when somebody tries it.
-- `status` is the last answer's, `error` says in words why it doesn't count.
CREATE TABLE webhook_deliveries (
  brand_id TEXT NOT NULL,
  endpoint_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
  tries INTEGER NOT NULL DEFAULT 0,
  status INTEGER,
  error TEXT NOT NULL DEFAULT '',
  due_at_ms INTEGER NOT NULL DEFAULT 0,
  first_tried_at_ms INTEGER,
  last_tried_at_ms INTEGER,
  delivered_at_ms INTEGER,
  created_at_ms INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (brand_id, endpoint_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (brand_id, endpoint_id, due_at_ms, sequence) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (created_at_ms);
CREATE TRIGGER webhook_deliveries_wake AFTER INSERT ON webhook_deliveries BEGIN UPDATE webhook_endpoints SET due_at_ms = 0 WHERE brand_id = NEW.brand_id AND id = NEW.endpoint_id AND due_at_ms IS NULL; END;

-- What happened to orders of brands that have an endpoint, until it is spread among the events (storage/hooks).
-- Every delivery compiles the triggers of `orders` and all that hangs on what they write: so they write here,
-- where nothing does. `told` and `was` list what the order is and was: id, store, the store's id for it, name,
-- placed at, state, currency, base, deal, creator, commission, available on; `was` is NULL for a new one.
CREATE TABLE order_news (
  id INTEGER PRIMARY KEY,
  brand_id TEXT NOT NULL,
  told TEXT NOT NULL CHECK (json_valid(told)),
  was TEXT CHECK (json_valid(was)),
  created_at_ms INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER))
) STRICT;
CREATE INDEX order_news_by_brand ON order_news (brand_id, id);

-- What is told to webhooks. Of a brand without endpoints each costs a look at its row, where it gets that far.
CREATE TRIGGER orders_insert_told AFTER INSERT ON orders WHEN NEW.placed_at_ms IS NOT NULL AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO order_news (brand_id, told) VALUES (NEW.brand_id, json_array(NEW.id, NEW.store_id, NEW.external_id, NEW.name, NEW.placed_at_ms, NEW.state, NEW.currency, NEW.base_minor, NEW.deal_id, NEW.creator_id, NEW.commission_minor, NEW.available_day)); END;
CREATE TRIGGER orders_update_told AFTER UPDATE ON orders WHEN NEW.placed_at_ms IS NOT NULL AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO order_news (brand_id, told, was) VALUES (NEW.brand_id, json_array(NEW.id, NEW.store_id, NEW.external_id, NEW.name, NEW.placed_at_ms, NEW.state, NEW.currency, NEW.base_minor, NEW.deal_id, NEW.creator_id, NEW.commission_minor, NEW.available_day), json_array(NULL, NULL, NULL, OLD.name, OLD.placed_at_ms, OLD.state, OLD.currency, OLD.base_minor, OLD.deal_id, NULL, OLD.commission_minor, OLD.available_day)); END;
CREATE TRIGGER deals_insert_told AFTER INSERT ON deals WHEN (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'deal.created', json_object('id', NEW.id, 'creator_id', NEW.creator_id, 'campaign_id', NEW.campaign_id, 'stage', NEW.stage, 'closed_at_ms', NEW.closed_at_ms, 'created_at_ms', NEW.created_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER deals_update_told AFTER UPDATE ON deals WHEN (NEW.stage <> OLD.stage OR NEW.tags <> OLD.tags OR NEW.creator_id <> OLD.creator_id OR NEW.campaign_id <> OLD.campaign_id OR NEW.closed_at_ms IS NOT OLD.closed_at_ms) AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, iif(NEW.closed_at_ms IS NOT NULL AND OLD.closed_at_ms IS NULL, 'deal.closed', 'deal.updated'), json_object('id', NEW.id, 'creator_id', NEW.creator_id, 'campaign_id', NEW.campaign_id, 'stage', NEW.stage, 'closed_at_ms', NEW.closed_at_ms, 'created_at_ms', NEW.created_at_ms, 'previous_stage', OLD.stage) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER links_insert_told AFTER INSERT ON links WHEN (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'link.created', json_object('id', NEW.id, 'deal_id', NEW.deal_id, 'store_id', NEW.store_id, 'host', NEW.host, 'slug', NEW.slug, 'target', NEW.target, 'code_id', NEW.code_id, 'closed_at_ms', NEW.closed_at_ms, 'created_at_ms', NEW.created_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER links_update_told AFTER UPDATE ON links WHEN (NEW.deal_id <> OLD.deal_id OR NEW.slug <> OLD.slug OR NEW.host <> OLD.host OR NEW.target <> OLD.target OR NEW.code_id IS NOT OLD.code_id OR NEW.closed_at_ms IS NOT OLD.closed_at_ms) AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'link.updated', json_object('id', NEW.id, 'deal_id', NEW.deal_id, 'store_id', NEW.store_id, 'host', NEW.host, 'slug', NEW.slug, 'target', NEW.target, 'code_id', NEW.code_id, 'closed_at_ms', NEW.closed_at_ms, 'created_at_ms', NEW.created_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER codes_insert_told AFTER INSERT ON codes WHEN (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'code.created', json_object('id', NEW.id, 'deal_id', NEW.deal_id, 'code', NEW.code, 'state', NEW.state, 'store_id', NEW.store_id, 'group_id', NEW.group_id, 'created_at_ms', NEW.created_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER codes_update_told AFTER UPDATE ON codes WHEN (NEW.state <> OLD.state OR NEW.deal_id <> OLD.deal_id OR NEW.code <> OLD.code) AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'code.updated', json_object('id', NEW.id, 'deal_id', NEW.deal_id, 'code', NEW.code, 'state', NEW.state, 'store_id', NEW.store_id, 'group_id', NEW.group_id, 'created_at_ms', NEW.created_at_ms, 'previous_state', OLD.state) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER payouts_insert_told AFTER INSERT ON payouts WHEN (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'payout.drafted', json_object('id', NEW.id, 'currency', NEW.currency, 'state', NEW.state, 'created_at_ms', NEW.created_at_ms, 'approved_at_ms', NEW.approved_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER payouts_update_told AFTER UPDATE OF state ON payouts WHEN NEW.state <> OLD.state AND NEW.state IN ('approved', 'cancelled') AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'payout.' || NEW.state, json_object('id', NEW.id, 'currency', NEW.currency, 'state', NEW.state, 'created_at_ms', NEW.created_at_ms, 'approved_at_ms', NEW.approved_at_ms) FROM brands WHERE id = NEW.brand_id; END;
CREATE TRIGGER payout_lines_told AFTER UPDATE OF state ON payout_lines WHEN NEW.state <> OLD.state AND NEW.state IN ('settled', 'failed') AND (SELECT webhooks FROM brands WHERE id = NEW.brand_id) > 0 BEGIN INSERT INTO webhook_events (brand_id, sequence, type, data) SELECT id, webhook_sequence + 1, 'payout.line_' || NEW.state, json_object('id', NEW.id, 'payout_id', NEW.payout_id, 'creator_id', NEW.creator_id, 'amount_minor', NEW.amount_minor, 'state', NEW.state, 'reference', NEW.reference, 'attempt', NEW.attempt, 'settled_at_ms', NEW.settled_at_ms, 'currency', (SELECT currency FROM payouts WHERE brand_id = NEW.brand_id AND id = NEW.payout_id)) FROM brands WHERE id = NEW.brand_id; END;

-- What is done by itself when something happens in a deal. `kind` is what starts it and `listens` its bit in
-- `brands.automations`, `trigger` the rest of that in JSON; `conditions` is a filter or '', `steps` a JSON list.
-- It begins with causes after `from_sequence`. Where only time starts it: which day of the brand was looked at
-- last, how far (a deal's or follow-up's id, '' to the end), and since which day it counts.
CREATE TABLE automations (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  listens INTEGER NOT NULL CHECK (listens > 0),
  campaign_id TEXT,
  trigger TEXT NOT NULL CHECK (json_valid(trigger)),
  conditions TEXT NOT NULL,
  first_only INTEGER NOT NULL CHECK (first_only IN (0, 1)),
  steps TEXT NOT NULL CHECK (json_valid(steps)),
  state TEXT NOT NULL CHECK (state IN ('enabled', 'disabled', 'removed')),
  revision INTEGER NOT NULL DEFAULT 0,
  from_sequence INTEGER NOT NULL DEFAULT 0,
  since_day INTEGER NOT NULL DEFAULT 0,
  looked_day INTEGER,
  looked_to TEXT NOT NULL DEFAULT '',
  created_at_ms INTEGER NOT NULL,
  changed_at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, campaign_id) REFERENCES campaigns (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX automations_enabled ON automations (brand_id, kind, id) WHERE state = 'enabled';
CREATE TRIGGER automations_most BEFORE INSERT ON automations WHEN (SELECT count(*) FROM automations WHERE brand_id = NEW.brand_id AND state <> 'removed') >= 100 BEGIN SELECT RAISE(ABORT, 'automations_most: constraint failed'); END;
CREATE TRIGGER automations_listen AFTER INSERT ON automations WHEN NEW.state = 'enabled' BEGIN UPDATE brands SET automations = (SELECT sum(DISTINCT listens) FROM automations WHERE brand_id = NEW.brand_id AND state = 'enabled') WHERE id = NEW.brand_id; END;
CREATE TRIGGER automations_change AFTER UPDATE OF state, listens ON automations WHEN NEW.state <> OLD.state OR NEW.listens <> OLD.listens BEGIN UPDATE brands SET automations = coalesce((SELECT sum(DISTINCT listens) FROM automations WHERE brand_id = NEW.brand_id AND state = 'enabled'), 0) WHERE id = NEW.brand_id; END;
CREATE TRIGGER automations_stop AFTER UPDATE OF state ON automations WHEN OLD.state = 'enabled' AND NEW.state <> 'enabled' BEGIN UPDATE automation_runs SET state = 'stopped', reason = 'the automation was switched off', due_at_ms = NULL, ended_at_ms = NEW.changed_at_ms, revision = revision + 1 WHERE brand_id = NEW.brand_id AND automation_id = NEW.id AND state = 'running'; END;
CREATE TRIGGER message_templates_in_automations BEFORE DELETE ON message_templates WHEN EXISTS (SELECT 1 FROM automations a, json_each(a.steps) j WHERE a.brand_id = OLD.brand_id AND a.state <> 'removed' AND j.value ->> 'template_id' = OLD.id) BEGIN SELECT RAISE(ABORT, 'constraint failed: template_in_use'); END;

-- Deals that had reached an automation's threshold when it was enabled: it begins with what is reached later.
CREATE TABLE automation_past (
  brand_id TEXT NOT NULL,
  automation_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  PRIMARY KEY (brand_id, automation_id, deal_id)
) STRICT, WITHOUT ROWID;

-- What happened that automations listen to, once under its name: written by triggers on the tables that change,
-- in the batch of the change, or by the job that looks for what time brought about. `run_id` is the run that
-- did it, if one did; `automation_id` the one that looked for it. `revision` counts what changed again before
-- it was looked at. A payment is about a creator (`subject`), who may have several deals.
CREATE TABLE automation_causes (
  brand_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  deal_id TEXT,
  subject TEXT NOT NULL DEFAULT '',
  detail TEXT NOT NULL DEFAULT '',
  automation_id TEXT,
  run_id TEXT,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done')),
  revision INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (brand_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX automation_causes_once ON automation_causes (brand_id, name);
CREATE INDEX automation_causes_waiting ON automation_causes (brand_id, sequence) WHERE state = 'waiting';
CREATE INDEX automation_causes_by_deal ON automation_causes (brand_id, deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX automation_causes_by_time ON automation_causes (created_at_ms) WHERE state = 'done';

-- Automations that began in a deal, each once for what `once` says: the name of its cause, the threshold, or
-- `first`. `steps` is what it began with, `chain` the automations that led to it and itself. While it runs,
-- `due_at_ms` is when its next step is due, or until when somebody does it.
CREATE TABLE automation_runs (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  automation_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  once TEXT NOT NULL,
  cause TEXT NOT NULL,
  chain TEXT NOT NULL CHECK (json_valid(chain)),
  steps TEXT NOT NULL CHECK (json_valid(steps)),
  state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'stopped')),
  reason TEXT NOT NULL DEFAULT '',
  step INTEGER NOT NULL DEFAULT 0,
  tries INTEGER NOT NULL DEFAULT 0,
  round INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL DEFAULT 0,
  due_at_ms INTEGER CHECK ((due_at_ms IS NULL) = (state <> 'running')),
  created_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, deal_id) REFERENCES deals (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX automation_runs_once ON automation_runs (brand_id, automation_id, deal_id, once);
CREATE INDEX automation_runs_by_automation ON automation_runs (brand_id, automation_id, id);
CREATE INDEX automation_runs_by_deal ON automation_runs (brand_id, deal_id, id);
CREATE INDEX automation_runs_running ON automation_runs (brand_id, automation_id) WHERE state = 'running';
CREATE INDEX automation_runs_failed ON automation_runs (brand_id, ended_at_ms) WHERE state = 'failed';
CREATE INDEX automation_runs_due ON automation_runs (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX automation_runs_over ON automation_runs (ended_at_ms, brand_id) WHERE ended_at_ms IS NOT NULL;
CREATE INDEX automation_runs_due_of_brand ON automation_runs (brand_id, due_at_ms) WHERE due_at_ms IS NOT NULL;

-- What the steps of runs did: `told` in JSON. `made` is the follow-up that one made, so that what becomes of
-- that is known for the run's doing.
CREATE TABLE automation_steps (
  brand_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  step INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('done', 'unchanged', 'waiting', 'trying', 'failed')),
  told TEXT NOT NULL CHECK (json_valid(told)),
  tries INTEGER NOT NULL,
  made TEXT,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, run_id, step),
  FOREIGN KEY (brand_id, run_id) REFERENCES automation_runs (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX automation_steps_by_made ON automation_steps (brand_id, made) WHERE made IS NOT NULL;

-- Orders of deals that changed, where an automation listens to orders: the triggers of `orders` write it, and nothing
-- hangs on it, for every delivery compiles them. A job makes causes of it, and takes it away. `attributed`: it became
-- the deal's.
CREATE TABLE automation_orders (
  id INTEGER PRIMARY KEY,
  brand_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  attributed INTEGER NOT NULL CHECK (attributed IN (0, 1))
) STRICT;
CREATE INDEX automation_orders_by_brand ON automation_orders (brand_id, id);

-- What happened, for automations. Of a brand without any each costs a look at its row, where it gets that far.
CREATE TRIGGER deals_insert_caused AFTER INSERT ON deals WHEN ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 5) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'deal_created/' || NEW.id, 'deal_created', NEW.id, '', '', b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 4) > 0 ON CONFLICT (brand_id, name) DO NOTHING; INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'stage_entered/' || NEW.id || '/' || NEW.revision || '/' || NEW.stage, 'stage_entered', NEW.id, '', NEW.stage, b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 1) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
CREATE TRIGGER deals_stage_caused AFTER UPDATE OF stage ON deals WHEN NEW.stage <> OLD.stage AND EXISTS (SELECT 1 FROM campaigns c, json_each(c.stages) j WHERE c.brand_id = NEW.brand_id AND c.id = NEW.campaign_id AND j.value = OLD.stage) AND ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 3) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'stage_left/' || NEW.id || '/' || NEW.revision || '/' || OLD.stage, 'stage_left', NEW.id, '', OLD.stage, b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 2) > 0 ON CONFLICT (brand_id, name) DO NOTHING; INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'stage_entered/' || NEW.id || '/' || NEW.revision || '/' || NEW.stage, 'stage_entered', NEW.id, '', NEW.stage, b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 1) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
CREATE TRIGGER invitations_insert_caused AFTER INSERT ON invitations WHEN ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 8) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'invited/' || NEW.id, 'invited', NEW.deal_id, '', '', b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 8) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
CREATE TRIGGER invitations_accept_caused AFTER UPDATE OF accepted_at_ms ON invitations WHEN NEW.accepted_at_ms IS NOT NULL AND OLD.accepted_at_ms IS NULL AND ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 16) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'accepted/' || NEW.id, 'accepted', NEW.deal_id, '', '', b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 16) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
CREATE TRIGGER orders_insert_caused AFTER INSERT ON orders WHEN NEW.deal_id IS NOT NULL AND ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 96) > 0 BEGIN INSERT INTO automation_orders (brand_id, order_id, deal_id, attributed) VALUES (NEW.brand_id, NEW.id, NEW.deal_id, NEW.state <> 'cancelled'); END;
CREATE TRIGGER orders_update_caused AFTER UPDATE ON orders WHEN NEW.deal_id IS NOT NULL AND ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 96) > 0 BEGIN INSERT INTO automation_orders (brand_id, order_id, deal_id, attributed) VALUES (NEW.brand_id, NEW.id, NEW.deal_id, NEW.deal_id IS NOT OLD.deal_id AND NEW.state <> 'cancelled'); END;
CREATE TRIGGER tier_steps_caused AFTER INSERT ON tier_steps WHEN ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 128) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'tier_reached/' || NEW.deal_id || '/' || NEW.tiers_id || '/' || NEW.since || '/' || NEW.level, 'tier_reached', NEW.deal_id, NEW.tiers_id, NEW.name, b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 128) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
CREATE TRIGGER payout_lines_caused AFTER UPDATE OF state ON payout_lines WHEN NEW.state = 'settled' AND OLD.state <> 'settled' AND ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 256) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'payout_paid/' || NEW.id || '/' || NEW.attempt, 'payout_paid', NULL, NEW.creator_id, '', b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 256) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;
CREATE TRIGGER posts_caused AFTER INSERT ON posts WHEN ((SELECT automations FROM brands WHERE id = NEW.brand_id) & 2048) > 0 BEGIN INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, detail, run_id) SELECT b.id, (SELECT coalesce(max(sequence), 0) + 1 FROM automation_causes WHERE brand_id = b.id), 'post_published/' || NEW.id, 'post_published', NEW.deal_id, NEW.id, '', b.automation_run FROM brands b WHERE b.id = NEW.brand_id AND (b.automations & 2048) > 0 ON CONFLICT (brand_id, name) DO NOTHING; END;

-- What a decision about an order loads, as JSON: a short statement over views costs less than a
-- long one, which is sent, scanned and hashed with every order. Each is over one table, so that
-- SQLite looks up single rows; what belongs to a row is a subquery.
CREATE VIEW brand_facts AS SELECT b.id, json_object(
    'timezone', b.timezone, 'hold_days', b.hold_days, 'earn_on', b.earn_on,
    'count_test_orders', b.count_test_orders, 'version', b.version,
    'counts_customers', b.counts_customers,
    'tiers', b.tiers,
    'rules', json((SELECT json_group_array(json_object('starts_at_ms', r.starts_at_ms,
        'window_days', r.window_days, 'precedence', r.precedence, 'clicks', r.clicks) ORDER BY r.starts_at_ms)
      FROM attribution_rules r WHERE r.brand_id = b.id))) AS facts
  FROM brands b;
CREATE VIEW deal_facts AS SELECT d.brand_id, d.id, json_object(
    'deal', d.id, 'creator', d.creator_id, 'closed_at_ms', d.closed_at_ms,
    'email_hash', (SELECT coalesce(c.email_hash || ' ' || c.other_hashes, c.email_hash, c.other_hashes) FROM creators c WHERE c.brand_id = d.brand_id AND c.id = d.creator_id),
    'terms', json((SELECT json_group_array(json_object('id', t.id, 'starts_at_ms', t.starts_at_ms,
        'ends_at_ms', t.ends_at_ms, 'rate', t.rate_bp, 'rules', json(t.rules)) ORDER BY t.starts_at_ms, t.version)
      FROM terms t WHERE t.brand_id = d.brand_id AND t.deal_id = d.id))) AS facts
  FROM deals d;
CREATE VIEW code_facts AS SELECT c.brand_id, c.code_key, json_object('code_key', c.code_key,
    'deal', json((SELECT d.facts FROM deal_facts d WHERE d.brand_id = c.brand_id AND d.id = c.deal_id))) AS facts
  FROM codes c WHERE c.counts = 1;
CREATE VIEW link_facts AS SELECT l.brand_id, l.id, l.slug_key, json_object('link', l.id, 'slug_key', l.slug_key,
    'deal', json((SELECT d.facts FROM deal_facts d WHERE d.brand_id = l.brand_id AND d.id = l.deal_id))) AS facts
  FROM links l;
CREATE VIEW order_books AS SELECT o.brand_id, o.id, o.revision, o.facts, o.decision, json_object(
    'deal', o.deal_id, 'creator', o.creator_id, 'available_day', o.available_day,
    'placed_day', o.placed_day, 'currency', o.currency, 'base_minor', o.base_minor,
    'commission_minor', o.commission_minor, 'counts', o.state <> 'cancelled',
    'counted', coalesce(o.seen ->> 'c', 0),
    'pending_minor', (SELECT amount_minor FROM balances WHERE brand_id = o.brand_id
      AND creator_id = o.creator_id AND currency = o.currency AND account = 'pending' AND day = o.available_day),
    'available_minor', (SELECT amount_minor FROM balances WHERE brand_id = o.brand_id
      AND creator_id = o.creator_id AND currency = o.currency AND account = 'available' AND day = 0),
    'clawback_minor', (SELECT amount_minor FROM balances WHERE brand_id = o.brand_id
      AND creator_id = o.creator_id AND currency = o.currency AND account = 'clawback' AND day = 0)) AS books
  FROM orders o;

-- Filters.

-- Per deal what `deal_days` and `click_days` come to over all time (period 0) and per calendar month of the
-- brand (12 × year + month, January 0), added up anew for what changed every minute and before a list is read: an
-- order doesn't pay for it. Clicks, which have no currency, stand in the row of the brand's. `last_day`: of the
-- last day with an order, 0 for none, in period 0.
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

-- How far a brand's entries were looked through for orders whose totals changed. An order that came with money
-- is told by its entries; whatever else changes `deal_days` or `click_days` says so in `totals_to_tell`.
CREATE TABLE totals_told (
  brand_id TEXT NOT NULL PRIMARY KEY,
  sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Months of deals whose totals are to be added up anew: one row however often.
CREATE TABLE totals_to_tell (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  period INTEGER NOT NULL,
  PRIMARY KEY (brand_id, deal_id, period)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER orders_insert_untold AFTER INSERT ON orders WHEN NEW.deal_id IS NOT NULL AND NEW.postings IS NULL BEGIN INSERT INTO totals_to_tell (brand_id, deal_id, period) VALUES (NEW.brand_id, NEW.deal_id, CAST(strftime('%Y', NEW.placed_day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', NEW.placed_day * 86400, 'unixepoch') AS INTEGER) - 1) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER orders_update_untold AFTER UPDATE ON orders WHEN NEW.deal_id IS NOT NULL AND ((NEW.base_minor <> OLD.base_minor OR NEW.commission_minor <> OLD.commission_minor OR (NEW.state = 'cancelled') <> (OLD.state = 'cancelled')) OR NOT (NEW.deal_id IS OLD.deal_id AND NEW.placed_day IS OLD.placed_day AND NEW.currency IS OLD.currency)) BEGIN INSERT INTO totals_to_tell (brand_id, deal_id, period) VALUES (NEW.brand_id, NEW.deal_id, CAST(strftime('%Y', NEW.placed_day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', NEW.placed_day * 86400, 'unixepoch') AS INTEGER) - 1) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER orders_leave_untold AFTER UPDATE ON orders WHEN OLD.deal_id IS NOT NULL AND NOT (NEW.deal_id IS OLD.deal_id AND NEW.placed_day IS OLD.placed_day AND NEW.currency IS OLD.currency) BEGIN INSERT INTO totals_to_tell (brand_id, deal_id, period) VALUES (OLD.brand_id, OLD.deal_id, CAST(strftime('%Y', OLD.placed_day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', OLD.placed_day * 86400, 'unixepoch') AS INTEGER) - 1) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER click_days_insert_untold AFTER INSERT ON click_days BEGIN INSERT INTO totals_to_tell (brand_id, deal_id, period) VALUES (NEW.brand_id, NEW.deal_id, CAST(strftime('%Y', NEW.day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', NEW.day * 86400, 'unixepoch') AS INTEGER) - 1) ON CONFLICT DO NOTHING; END;
CREATE TRIGGER click_days_update_untold AFTER UPDATE ON click_days WHEN NEW.total <> OLD.total OR NEW.uniques <> OLD.uniques BEGIN INSERT INTO totals_to_tell (brand_id, deal_id, period) VALUES (NEW.brand_id, NEW.deal_id, CAST(strftime('%Y', NEW.day * 86400, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', NEW.day * 86400, 'unixepoch') AS INTEGER) - 1) ON CONFLICT DO NOTHING; END;

-- A copy of `deal_totals` that lists are sorted by, told with it. What counts in every currency is in this table, `conversion` in
-- millionths, -1 where it is unknown, `idle` the last day's negative, so that it rises with the days since.
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

-- The same of amounts, by currency; `per_commission` in millionths, -1 where it is unknown.
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
-- Tags of deals and creators, as the lists in their rows say, to be found by.
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

-- What keywords look at: of each creator her names, handles, niche, and the notes about her deals, kept by
-- triggers. `brand` is the word that scopes every search to the brand, `doc` one that scopes it to a creator.
CREATE TABLE search_docs (
  doc INTEGER NOT NULL PRIMARY KEY,
  brand_id TEXT NOT NULL,
  creator_id TEXT NOT NULL,
  brand TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX search_docs_by_creator ON search_docs (brand_id, creator_id);
CREATE VIRTUAL TABLE search USING fts5(brand, doc, text, content='search_docs', content_rowid='doc', tokenize='unicode61 remove_diacritics 2');
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
CREATE VIEW search_texts AS SELECT c.brand_id, c.id AS creator_id, c.name || ' ' || c.handle || ' ' || coalesce(c.niche, '') || ' ' || coalesce((SELECT group_concat(h.handle, ' ') FROM creator_handles h WHERE h.brand_id = c.brand_id AND h.creator_id = c.id), '') || ' ' || coalesce((SELECT group_concat(n.text, ' ') FROM deals d CROSS JOIN notes n ON n.brand_id = d.brand_id AND n.deal_id = d.id WHERE d.brand_id = c.brand_id AND d.creator_id = c.id), '') AS text FROM creators c;
CREATE TRIGGER search_docs_begin AFTER INSERT ON search_docs BEGIN INSERT INTO search (rowid, brand, doc, text) VALUES (NEW.doc, NEW.brand, NEW.doc, NEW.text); END;
CREATE TRIGGER search_docs_change AFTER UPDATE OF text ON search_docs BEGIN INSERT INTO search (search, rowid, brand, doc, text) VALUES ('delete', OLD.doc, OLD.brand, OLD.doc, OLD.text); INSERT INTO search (rowid, brand, doc, text) VALUES (NEW.doc, NEW.brand, NEW.doc, NEW.text); END;
CREATE TRIGGER search_docs_end AFTER DELETE ON search_docs BEGIN INSERT INTO search (search, rowid, brand, doc, text) VALUES ('delete', OLD.doc, OLD.brand, OLD.doc, OLD.text); END;
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

-- Filters that were saved, for everybody in the brand. `filter` and `sort` are in their canonical form.
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

-- What was done to deals for a cause, such as a bulk action or an automation: whoever does it writes the row in the
-- same batch, so that no cause does it twice. `subject` is JSON: the ids of what was made.
CREATE TABLE deal_actions (
  brand_id TEXT NOT NULL,
  deal_id TEXT NOT NULL,
  cause TEXT NOT NULL CHECK (length(cause) BETWEEN 1 AND 200),
  action TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('done', 'unchanged', 'refused')),
  rule TEXT NOT NULL,
  why TEXT NOT NULL,
  subject TEXT NOT NULL CHECK (json_valid(subject)),
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (brand_id, deal_id, cause)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER deal_actions_never_change BEFORE UPDATE ON deal_actions BEGIN SELECT RAISE(ABORT, 'deal_actions are append-only'); END;

-- Actions on many deals, fixed when they were asked for; `preview` names what was seen before, and makes one only.
-- Whoever works at one has `due_at_ms` for a lease: nobody else begins before it. Triggers of `bulk_deals` count.
CREATE TABLE bulk_actions (
  brand_id TEXT NOT NULL,
  id TEXT NOT NULL,
  preview TEXT NOT NULL,
  action TEXT NOT NULL CHECK (json_valid(action)),
  kind TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'paused', 'cancelled', 'finished')),
  reason TEXT NOT NULL DEFAULT '',
  deals INTEGER NOT NULL CHECK (deals >= 1),
  done INTEGER NOT NULL DEFAULT 0,
  unchanged INTEGER NOT NULL DEFAULT 0,
  refused INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL,
  finished_at_ms INTEGER,
  due_at_ms INTEGER,
  CHECK ((state = 'running') = (due_at_ms IS NOT NULL)),
  CHECK (done + unchanged + refused + failed <= deals),
  PRIMARY KEY (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX bulk_actions_by_preview ON bulk_actions (brand_id, preview);
CREATE INDEX bulk_actions_due ON bulk_actions (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX bulk_actions_over ON bulk_actions (finished_at_ms, brand_id) WHERE finished_at_ms IS NOT NULL;

-- The deals of a bulk action in the order in which they are worked at, and what became of each.
CREATE TABLE bulk_deals (
  brand_id TEXT NOT NULL,
  bulk_id TEXT NOT NULL,
  place INTEGER NOT NULL,
  deal_id TEXT NOT NULL,
  outcome TEXT CHECK (outcome IN ('done', 'unchanged', 'refused', 'failed')),
  rule TEXT NOT NULL DEFAULT '',
  why TEXT NOT NULL DEFAULT '',
  subject TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(subject)),
  tries INTEGER NOT NULL DEFAULT 0,
  at_ms INTEGER,
  CHECK ((outcome IS NULL) = (at_ms IS NULL)),
  PRIMARY KEY (brand_id, bulk_id, place),
  FOREIGN KEY (brand_id, bulk_id) REFERENCES bulk_actions (brand_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX bulk_deals_waiting ON bulk_deals (brand_id, bulk_id, place) WHERE outcome IS NULL;
CREATE TRIGGER bulk_deals_count AFTER UPDATE OF outcome ON bulk_deals WHEN OLD.outcome IS NULL AND NEW.outcome IS NOT NULL BEGIN UPDATE bulk_actions SET done = done + (NEW.outcome = 'done'), unchanged = unchanged + (NEW.outcome = 'unchanged'), refused = refused + (NEW.outcome = 'refused'), failed = failed + (NEW.outcome = 'failed') WHERE brand_id = NEW.brand_id AND id = NEW.bulk_id; END;
CREATE TRIGGER bulk_deals_have_one_outcome BEFORE UPDATE OF outcome ON bulk_deals WHEN OLD.outcome IS NOT NULL BEGIN SELECT RAISE(ABORT, 'constraint failed: bulk_deal_decided'); END;
