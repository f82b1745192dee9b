//! Brands, the versions of their attribution rules, and their link hosts.

use super::{
    Columns, Database, Freshness, FromRow, Reading, Statement, bind, row, spelling, statements,
};
use crate::domain::brand::{AttributionRules, Brand, ClickOrder, EarnOn, EarningRules, Precedence};
use crate::domain::ids::{AuditId, BrandId, RunId};
use crate::domain::money::{Currency, Money};
use crate::domain::payout::Schedule;
use crate::domain::time::{Day, Millis, Zone};

statements! {
    /// For whose doing what follows in this batch is: ?2 a run of an automation, NULL at the end of the batch.
    DOING = "UPDATE brands SET automation_run = ?2 WHERE id = ?1";

    COUNT_CUSTOMERS = "UPDATE brands SET counts_customers = 1 WHERE id = ?1 AND counts_customers = 0";

    INSERT = "
INSERT INTO brands (id, name, currency, timezone, homepage_url, owner_email, link_host, hold_days,
  earn_on, count_test_orders, payout_minimum_minor, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, '', ?7, ?8, ?9, ?10, ?11)";

    FIND = "
SELECT b.id, b.name, b.currency, b.timezone, b.homepage_url, b.link_host, b.hold_days, b.earn_on,
  b.count_test_orders, b.payout_minimum_minor, b.money_keys, b.creators_make_links, b.payout_day, b.payout_currencies,
  b.payout_since_day, b.second_above_minor, b.revision, r.window_days, r.precedence, r.clicks,
  (SELECT host FROM hosts WHERE brand_id = b.id AND state = 'pending'
     ORDER BY created_at_ms DESC LIMIT 1) AS pending_host
FROM brands b JOIN attribution_rules r ON r.brand_id = b.id
WHERE b.id = ?1 AND r.starts_at_ms <= ?2 ORDER BY r.starts_at_ms DESC LIMIT 1";

    /// What is NULL stays; ?8 is 1 to set the minimum to ?9, ?11 the schedule, ?15 what needs two people.
    /// ?17 the revision that must be the present one, or NULL: another aborts. Days are counted in the time zone, so
    /// it can't change once there are orders: NULL then aborts.
    UPDATE = "
UPDATE brands SET name = coalesce(?2, name), homepage_url = coalesce(?4, homepage_url),
  timezone = iif(?3 IS NULL OR ?3 = timezone
    OR NOT EXISTS (SELECT 1 FROM orders WHERE brand_id = ?1), coalesce(?3, timezone), NULL),
  hold_days = coalesce(?5, hold_days), earn_on = coalesce(?6, earn_on),
  count_test_orders = coalesce(?7, count_test_orders),
  payout_minimum_minor = iif(?8 = 1, ?9, payout_minimum_minor),
  money_keys = coalesce(?10, money_keys), payout_day = iif(?11 = 1, ?12, payout_day),
  payout_currencies = iif(?11 = 1, ?13, payout_currencies),
  payout_since_day = iif(?11 = 1, ?14, payout_since_day),
  second_above_minor = iif(?15 = 1, ?16, second_above_minor),
  creators_make_links = coalesce(?18, creators_make_links),
  revision = iif(?17 IS NULL OR revision = ?17, revision + 1, NULL) WHERE id = ?1";

    INSERT_RULES = "
INSERT INTO attribution_rules (brand_id, starts_at_ms, window_days, precedence, clicks)
VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (brand_id, starts_at_ms) DO UPDATE SET
  window_days = excluded.window_days, precedence = excluded.precedence, clicks = excluded.clicks";

    /// A host that another brand serves makes brand_id NULL, which aborts. One that nobody has
    /// verified yet is whose claim came last: a claim alone keeps nobody out.
    CLAIM_HOST = "
INSERT INTO hosts (host, brand_id, state, created_at_ms) VALUES (?2, ?1, ?3, ?4)
ON CONFLICT (host) DO UPDATE SET
  brand_id = iif(state = 'pending' OR brand_id = excluded.brand_id, excluded.brand_id, NULL),
  state = iif(state = 'active', state, excluded.state), created_at_ms = excluded.created_at_ms,
  problem = '', failed = 0, due_at_ms = 0, checked_at_ms = NULL";

    /// A brand waits for one host at most: the one it chose last.
    DROP_PENDING = "DELETE FROM hosts WHERE brand_id = ?1 AND state = 'pending' AND host <> ?2";

    /// Nobody pointed it here for a week.
    EXPIRE_PENDING = "DELETE FROM hosts WHERE state = 'pending' AND created_at_ms < ?1";

    /// Before [`EXPIRE_PENDING`], in the trails of those who set them. ?2 a row's id; a brand waits
    /// for one host at most.
    NOTE_EXPIRED = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id, before)
SELECT brand_id, ?2, ?3, 'job', 'verify_domains', 'domain.expire', brand_id, '',
  json_object('link_domain_pending', host) FROM hosts
WHERE state = 'pending' AND created_at_ms < ?1";

    /// Aborts the batch unless the host still waits, and for this brand: NULL is no host.
    REQUIRE_PENDING = "
INSERT INTO hosts (host, brand_id, state, created_at_ms)
SELECT NULL, ?1, 'pending', 0 WHERE NOT EXISTS (SELECT 1 FROM hosts
  WHERE host = ?2 AND brand_id = ?1 AND state = 'pending')";

    ACTIVATE_HOST = "
UPDATE hosts SET state = 'active', since_ms = coalesce(since_ms, ?3), problem = '', failed = 0
WHERE host = ?2 AND brand_id = ?1";

    OWNER = "SELECT name, owner_email FROM brands WHERE id = ?1";

    FIND_HOST = "SELECT host, brand_id, state FROM hosts WHERE host = ?1";

    SET_LINK_HOST = "UPDATE brands SET link_host = ?2 WHERE id = ?1";

    /// From now on every link of the brand works on its active host too.
    COPY_SLUGS = "
INSERT INTO slugs (host, slug_key, brand_id, link_id)
SELECT ?2, slug_key, brand_id, id FROM links WHERE brand_id = ?1
ON CONFLICT (host, slug_key) DO NOTHING";

    MOVE_LINKS = "
UPDATE links SET host = ?2 WHERE brand_id = ?1 AND host <> ?2
  AND EXISTS (SELECT 1 FROM slugs s WHERE s.host = ?2 AND s.slug_key = links.slug_key
    AND s.brand_id = ?1 AND s.link_id = links.id)";

    ALL_IDS = "SELECT id FROM brands ORDER BY id";
}

spelling!(EarnOn { Paid = "paid", Placed = "placed" });
spelling!(Precedence { CodeFirst = "code_first", LinkFirst = "link_first" });
spelling!(ClickOrder { Last = "last", First = "first" });

/// A brand and the link host that waits to be verified.
#[derive(Debug, Clone)]
pub struct StoredBrand {
    /// The brand.
    pub brand: Brand,
    /// A host that was set but isn't verified yet.
    pub pending_host: Option<String>,
    /// Whether API keys may move money.
    pub money_keys: bool,
    /// Whether creators may make links of their deals themselves.
    pub creators_make_links: bool,
    /// When drafts of payouts are made by themselves.
    pub schedule: Option<Schedule>,
    /// A payout above this needs two people; in the brand's currency.
    pub second_above: Option<Money>,
    /// How often settings changed.
    pub revision: i64,
}

impl FromRow for AttributionRules {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        Self {
            window_days: columns.read("window_days"),
            precedence: columns.read("precedence"),
            clicks: columns.read("clicks"),
        }
    }
}

impl FromRow for EarningRules {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        Self {
            earn_on: columns.read("earn_on"),
            count_test_orders: columns.read("count_test_orders"),
            hold_days: columns.read("hold_days"),
        }
    }
}

impl FromRow for StoredBrand {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        let currency = columns.read("currency");
        let timezone: String = columns.read("timezone");
        let link_host: String = columns.read("link_host");
        let minimum: Option<i64> = columns.read("payout_minimum_minor");
        let brand = Brand {
            id: columns.read("id"),
            name: columns.read("name"),
            currency,
            timezone: Zone::named(&timezone).unwrap_or_else(Zone::utc),
            homepage_url: columns.read("homepage_url"),
            link_domain: Some(link_host).filter(|host| !host.is_empty()),
            attribution: AttributionRules::from_row(columns),
            earning: EarningRules::from_row(columns),
            payout_minimum: minimum.map(|minor| Money::new(minor, currency)),
        };
        Self {
            brand,
            pending_host: columns.read("pending_host"),
            money_keys: columns.read("money_keys"),
            creators_make_links: columns.read("creators_make_links"),
            schedule: schedule(columns),
            second_above: columns
                .read::<Option<i64>>("second_above_minor")
                .map(|minor| Money::new(minor, currency)),
            revision: columns.read("revision"),
        }
    }
}

fn schedule(columns: &mut Columns<'_>) -> Option<Schedule> {
    let day: Option<u16> = columns.read("payout_day");
    let currencies = columns.read("payout_currencies");
    let since: Option<Day> = columns.read("payout_since_day");
    Some(Schedule { day: day?, currencies, since: since.unwrap_or_default() })
}

/// Stores a new brand with its first rules, which hold since ever.
#[must_use]
pub fn insert(brand: &Brand, owner_email: &str, now_ms: Millis) -> Vec<Statement> {
    vec![
        bind!(
            INSERT,
            brand.id,
            &brand.name,
            brand.currency.code(),
            brand.timezone.name(),
            &brand.homepage_url,
            owner_email,
            brand.earning.hold_days,
            brand.earning.earn_on,
            brand.earning.count_test_orders,
            brand.payout_minimum.map(|m| m.minor),
            now_ms,
        ),
        rules(brand.id, &brand.attribution, 0),
    ]
}

/// A new version of the attribution rules.
#[must_use]
pub fn rules(brand: BrandId, rules: &AttributionRules, starts_at_ms: Millis) -> Statement {
    bind!(INSERT_RULES, brand, starts_at_ms, rules.window_days, rules.precedence, rules.clicks)
}

/// Settings to change; what is `None` stays. `link_domain` and the attribution rules have their
/// own statements.
#[derive(Debug, Clone, Default)]
pub struct BrandUpdate {
    /// Its name.
    pub name: Option<String>,
    /// Its calendar.
    pub timezone: Option<Zone>,
    /// Its own site.
    pub homepage_url: Option<String>,
    /// The hold period.
    pub hold_days: Option<u16>,
    /// What makes an order earn.
    pub earn_on: Option<EarnOn>,
    /// Whether test orders earn.
    pub count_test_orders: Option<bool>,
    /// The least that is paid out; `Some(None)` clears it.
    pub payout_minimum: Option<Option<Money>>,
    /// Whether API keys may move money.
    pub money_keys: Option<bool>,
    /// Whether creators may make links.
    pub creators_make_links: Option<bool>,
    /// When drafts are made by themselves; `Some(None)` clears it.
    pub schedule: Option<Option<Schedule>>,
    /// What needs two people; `Some(None)` clears it.
    pub second_above: Option<Option<Money>>,
}

/// Changes settings. A time zone that orders have fixed aborts, and settings that changed since
/// they were of this revision, if one is given.
#[must_use]
pub fn update(brand: BrandId, update: &BrandUpdate, revision: Option<i64>) -> Statement {
    let schedule = update.schedule.as_ref().and_then(Option::as_ref);
    let codes = |list: &Vec<Currency>| super::json_list(list);
    bind!(
        UPDATE,
        brand,
        update.name.as_ref(),
        update.timezone.as_ref().map(Zone::name),
        update.homepage_url.as_ref(),
        update.hold_days,
        update.earn_on,
        update.count_test_orders,
        update.payout_minimum.is_some(),
        update.payout_minimum.flatten().map(|m| m.minor),
        update.money_keys,
        update.schedule.is_some(),
        schedule.map(|schedule| schedule.day),
        schedule.and_then(|schedule| schedule.currencies.as_ref()).map(codes),
        schedule.map(|schedule| schedule.since.0),
        update.second_above.is_some(),
        update.second_above.flatten().map(|m| m.minor),
        revision,
        update.creators_make_links,
    )
}

/// The brand, with the attribution rules in force now.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, brand: BrandId, now_ms: Millis) -> Reading<'_, Option<StoredBrand>> {
    db.first(bind!(FIND, brand, now_ms))
}

/// Every brand's id, for jobs that walk them one by one.
///
/// # Errors
/// [`super::DbError`].
pub fn all_ids(db: &dyn Database) -> Reading<'_, Vec<BrandId>> {
    db.ask(Freshness::Primary, bind!(ALL_IDS), |rows| rows.column("id"))
}

/// From now on a brand's orders are counted by customer.
#[must_use]
pub fn count_customers(brand: BrandId) -> Statement {
    bind!(COUNT_CUSTOMERS, brand)
}

row! {
    /// A link host.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct HostRow {
        /// The host.
        pub host: String,
        /// Whose.
        pub brand_id: BrandId,
        /// `pending` or `active`.
        pub state: String,
    }
}

/// Claims a host for a brand; a host of another brand aborts the batch.
#[must_use]
pub fn claim_host(brand: BrandId, host: &str, active: bool, now_ms: Millis) -> Statement {
    bind!(CLAIM_HOST, brand, host, if active { "active" } else { "pending" }, now_ms)
}

/// Forgets the hosts that a brand waits for, but for one (`""`: all).
#[must_use]
pub fn drop_pending(brand: BrandId, but: &str) -> Statement {
    bind!(DROP_PENDING, brand, but)
}

/// Forgets hosts that have waited since before a moment.
#[must_use]
pub fn expire_pending(before_ms: Millis, note: AuditId, now_ms: Millis) -> Vec<Statement> {
    vec![bind!(NOTE_EXPIRED, before_ms, note, now_ms), bind!(EXPIRE_PENDING, before_ms)]
}

/// Aborts the batch unless the host still waits to be verified for this brand.
#[must_use]
pub fn require_pending(brand: BrandId, host: &str) -> Statement {
    bind!(REQUIRE_PENDING, brand, host)
}

/// Serves and hands out all links of a brand on a host from now on; `""` is the product's own.
#[must_use]
pub fn use_host(brand: BrandId, host: &str, now_ms: Millis) -> Vec<Statement> {
    let mut batch = Vec::new();
    if !host.is_empty() {
        batch.push(bind!(ACTIVATE_HOST, brand, host, now_ms));
        batch.push(bind!(COPY_SLUGS, brand, host));
    }
    batch.push(bind!(SET_LINK_HOST, brand, host));
    batch.push(bind!(MOVE_LINKS, brand, host));
    batch
}

row! {
    /// Whom the product writes to about a brand.
    pub struct OwnerRow {
        /// What the brand is called.
        pub name: String,
        /// Where to.
        pub owner_email: String,
    }
}

/// Whom the product writes to about this brand.
///
/// # Errors
/// [`super::DbError`].
pub fn owner(db: &dyn Database, brand: BrandId) -> Reading<'_, Option<OwnerRow>> {
    db.first(bind!(OWNER, brand))
}

/// The host, if a brand has it.
///
/// # Errors
/// [`super::DbError`].
pub fn host<'a>(db: &'a dyn Database, host: &str) -> Reading<'a, Option<HostRow>> {
    db.first(bind!(FIND_HOST, host))
}

/// What goes before the doing of an automation's run in its batch, and after it: causes that triggers write in between
/// are its.
#[must_use]
pub fn doing(brand: BrandId, run: RunId) -> (Statement, Statement) {
    (bind!(DOING, brand, run), bind!(DOING, brand, None::<&str>))
}
