//! What a decision about an order is made from: one statement over the views of schema.sql, and
//! what an isolate remembers of their answers.
//!
//! Everything but the order itself is guarded by the brand's version: a row that was decided from
//! an older one is refused. So a decision may be made from memory, and a first delivery needs one
//! call of D1; what memory doesn't know, or the version refuses, is loaded.

use std::collections::HashMap;

use super::kept::kept;
use super::rows::{Columns, FromRow};
use super::{
    Database, DbError, Reading, Rows, Statement, bind, json_list, json_numbers, row, statements,
};
use crate::domain::attribution::{DealFacts, Known, KnownCode, KnownLink, code_key};
use crate::domain::brand::{AttributionRules, ClickOrder, EarnOn, EarningRules, Precedence};
use crate::domain::click::ClickIds;
use crate::domain::ids::{BrandId, CreatorId, DealId, LinkId, OrderId, TermsId};
use crate::domain::ingest::{Loaded, Others, Question, Standing, StoredOrder, kept_word};
use crate::domain::ledger::Holdings;
use crate::domain::money::{BasisPoints, Currency};
use crate::domain::order::{Delivery, Evidence, Report, Snapshot};
use crate::domain::terms::{CitedTerms, Rules, in_force};
use crate::domain::time::{Day, Millis, Zone, latest_meant};

statements! {
    /// ?1 brand, ?2 order, ?3 code keys, ?4 link ids, ?5 slug key, ?6 deals: all in one row. What a subquery
    /// returns is text again: only `json()` makes it part of the list around it. CROSS JOIN keeps
    /// the order of the joins: by itself SQLite walks all codes of the brand first. Compared with
    /// a bare parameter, a statement with a join or an order is planned again with every new
    /// value: hence the plus.
    LOAD = "
SELECT b.facts AS brand, o.revision, o.facts, o.decision, o.books,
  (SELECT json_group_array(json(c.facts)) FROM json_each(?3) j
     CROSS JOIN code_facts c ON c.brand_id = +?1 AND c.code_key = j.value) AS codes,
  (SELECT json_group_array(json(l.facts)) FROM json_each(?4) j
     CROSS JOIN link_facts l ON l.brand_id = +?1 AND l.id = j.value) AS links,
  (SELECT facts FROM link_facts WHERE brand_id = +?1 AND slug_key = +?5) AS named,
  (SELECT json_group_array(json(d.facts)) FROM json_each(?6) j
     CROSS JOIN deal_facts d ON d.brand_id = +?1 AND d.id = j.value) AS deals
FROM brand_facts b LEFT JOIN order_books o ON o.brand_id = +?1 AND o.id = +?2 WHERE b.id = +?1";

    /// As [`LOAD`], of many orders at once and of no order itself: ?2 code keys, ?3 links, ?4 a list of slug keys, ?5 deals.
    LOAD_ALL = "
SELECT b.facts AS brand, NULL AS revision, NULL AS facts, NULL AS decision, NULL AS books,
  (SELECT json_group_array(json(c.facts)) FROM json_each(?2) j
     CROSS JOIN code_facts c ON c.brand_id = +?1 AND c.code_key = j.value) AS codes,
  (SELECT json_group_array(json(facts)) FROM (
     SELECT l.facts FROM json_each(?3) j CROSS JOIN link_facts l ON l.brand_id = +?1 AND l.id = j.value
     UNION SELECT l.facts FROM json_each(?4) j
       CROSS JOIN link_facts l ON l.brand_id = +?1 AND l.slug_key = j.value)) AS links,
  NULL AS named,
  (SELECT json_group_array(json(d.facts)) FROM json_each(?5) j
     CROSS JOIN deal_facts d ON d.brand_id = +?1 AND d.id = j.value) AS deals
FROM brand_facts b WHERE b.id = +?1";

    DEAL = "SELECT facts FROM deal_facts WHERE brand_id = +?1 AND id = +?2";

    /// What the triggers of `orders` compare: ?1 brand, ?2 customer, ?3 deal, ?4 first and ?5 last
    /// day, ?6 currency; and ?7 collections, ?8 products, ?9 up to when.
    OTHERS = "
SELECT coalesce((SELECT orders FROM customers WHERE brand_id = ?1 AND email_hash = ?2), 0) AS customer_orders,
  (SELECT coalesce(sum(commission_minor), 0) FROM deal_days
     WHERE brand_id = ?1 AND deal_id = ?3 AND day BETWEEN ?4 AND ?5 AND currency = ?6) AS month_minor,
  (SELECT json_group_array(json_object('collection', p.collection_id, 'product', p.product_id,
      'from_ms', p.from_ms, 'to_ms', p.to_ms)) FROM json_each(?7) c CROSS JOIN json_each(?8) j
     CROSS JOIN collection_products p ON p.brand_id = ?1 AND p.collection_id = c.value
       AND p.product_id = j.value AND p.from_ms <= ?9) AS spans";
}

/// What a delivery's evidence names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    placed_at_ms: Millis,
    codes: Vec<String>,
    links: Vec<LinkId>,
    slug: Option<String>,
    deals: Vec<DealId>,
}

impl Named {
    /// What `delivery` names: codes as they are compared, links by their valid click ids, and the
    /// slug of a bare ref. Only snapshots name anything.
    #[must_use]
    pub fn by(delivery: &Delivery, keys: &dyn ClickIds) -> Self {
        snapshot(delivery).map_or_else(Self::default, |snapshot| {
            Self::in_evidence(&snapshot.evidence, snapshot.placed_at_ms, keys)
        })
    }

    /// What the evidence of an order names that was placed then.
    #[must_use]
    pub fn in_evidence(evidence: &Evidence, placed_at_ms: Millis, keys: &dyn ClickIds) -> Self {
        let codes = evidence.codes.iter().filter(|c| c.is_code).map(|c| code_key(&c.code));
        let journey = evidence.journey.as_ref();
        let seen = journey.into_iter().flat_map(|journey| &journey.clicks);
        let clicks = evidence.clicks.iter().chain(seen).filter_map(|token| keys.verify(token));
        // The order's own goes before what the shop saw of visits.
        let slug = evidence.bare_ref.as_ref().or(journey.and_then(|j| j.bare_ref.as_ref()));
        Self {
            placed_at_ms: latest_meant(placed_at_ms),
            codes: codes.collect(),
            links: clicks.map(|click| click.link).collect(),
            slug: slug.map(|slug| slug.to_ascii_lowercase()),
            deals: evidence.affiliation.iter().filter_map(|told| told.deal).collect(),
        }
    }

    /// What an order's evidence names once it has this delivery, where that is more than the delivery
    /// itself names: the word of another affiliate programme, and what the shop saw of visits, arrive
    /// apart from the rest.
    #[must_use]
    pub fn with_the_rest(
        &self,
        order: Option<&StoredOrder>,
        delivery: &Delivery,
        keys: &dyn ClickIds,
    ) -> Option<Self> {
        let (known, decision) = order.map(|order| (&order.facts, order.decision.as_ref()))?;
        let apart = matches!(delivery.report, Report::Affiliate(_) | Report::Journey(_));
        if !apart && known.affiliation.is_none() && known.journey.is_none() {
            return None;
        }
        let told = known.merge(&delivery.report).ok()?;
        let placed_at_ms = told.snapshot.as_ref()?.placed_at_ms;
        let mut all = Self::in_evidence(&told.evidence(), placed_at_ms, keys);
        let kept = decision.and_then(|old| kept_word(&told, old)).and_then(|word| word.deal);
        all.deals.extend(kept.filter(|deal| !all.deals.contains(deal)));
        (all != *self).then_some(all)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Named {
    /// Codes, as they are compared.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.codes.iter().map(String::as_str)
    }

    /// The ids of links.
    pub fn links(&self) -> impl Iterator<Item = String> {
        self.links.iter().map(ToString::to_string)
    }

    /// The slug of a bare ref.
    #[must_use]
    pub fn slug(&self) -> Option<&str> {
        self.slug.as_deref()
    }

    /// Deals that are named themselves.
    pub fn deals(&self) -> impl Iterator<Item = String> {
        self.deals.iter().map(ToString::to_string)
    }
}

/// The snapshot in a delivery, if it is one.
#[must_use]
pub fn snapshot(delivery: &Delivery) -> Option<&Snapshot> {
    match &delivery.report {
        Report::Snapshot(snapshot, _) => Some(snapshot),
        _ => None,
    }
}

/// The statement that loads all that a decision about an order depends on.
#[must_use]
pub fn load(brand: BrandId, order: OrderId, named: &Named) -> Statement {
    let (codes, links) = (json_list(&named.codes), json_list(&named.links));
    let deals = json_list(&named.deals);
    bind!(LOAD, brand, order, codes, links, named.slug.as_deref(), deals)
}

/// The statement that loads what many orders name.
#[must_use]
pub fn load_all(brand: BrandId, named: &[Named]) -> Statement {
    fn list<T: ToString + Ord>(mut all: Vec<T>) -> String {
        all.sort_unstable();
        all.dedup();
        json_list(&all)
    }
    let codes = list(named.iter().flat_map(|n| &n.codes).collect());
    let links = list(named.iter().flat_map(|n| &n.links).copied().collect());
    let slugs = list(named.iter().filter_map(|n| n.slug.as_ref()).collect());
    let deals = list(named.iter().flat_map(|n| &n.deals).copied().collect());
    bind!(LOAD_ALL, brand, codes, links, slugs, deals)
}

/// What [`load_all`] found of what these name; `None` if the brand is gone.
///
/// # Errors
/// [`DbError::Failed`] if a row doesn't have the form that the code expects.
pub fn remembered(rows: &Rows, named: &[Named]) -> Result<Option<Remembered>, DbError> {
    let Some(row) = rows.first::<LoadedRow>()? else { return Ok(None) };
    let mut remembered = Remembered::of(row.brand);
    let answers = &mut remembered.answers;
    for one in named {
        for key in &one.codes {
            answers.insert(Asked::Code(key.clone()), Answer::Nothing);
        }
        for id in &one.links {
            answers.insert(Asked::Link(*id), Answer::Nothing);
        }
        if let Some(slug) = &one.slug {
            answers.insert(Asked::Slug(slug.clone()), Answer::Nothing);
        }
        for deal in &one.deals {
            answers.insert(Asked::Deal(*deal), Answer::Nothing);
        }
    }
    for deal in row.deals.into_iter().flatten() {
        answers.insert(Asked::Deal(deal.deal), Answer::Deal(deal));
    }
    for code in row.codes {
        answers.insert(Asked::Code(code.code_key), Answer::Deal(code.deal));
    }
    for link in row.links {
        answers.insert(Asked::Slug(link.slug_key.clone()), Answer::Named(link.link));
        answers.insert(Asked::Link(link.link), Answer::Link(link));
    }
    Ok(Some(remembered))
}

/// The answer to what a decision asks about other orders.
///
/// # Errors
/// [`DbError`].
pub fn others<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    asked: &Question,
) -> Reading<'a, Option<Others>> {
    let (first, last) = (asked.month.0.0, asked.month.1.0);
    let (customer, currency) = (asked.customer.as_deref(), asked.currency.code());
    let wanted = asked.collections.as_ref();
    let collections = json_list(wanted.map_or(&[][..], |wanted| &wanted.collections));
    let products = json_numbers(wanted.map_or(&[][..], |wanted| &wanted.products));
    let at_ms = wanted.map(|wanted| wanted.at_ms);
    db.first(bind!(
        OTHERS,
        brand,
        customer,
        asked.deal,
        first,
        last,
        currency,
        collections,
        products,
        at_ms
    ))
}

impl FromRow for Others {
    fn from_row(columns: &mut Columns<'_>) -> Self {
        Self {
            customer_orders: columns.read("customer_orders"),
            month_minor: columns.read("month_minor"),
            spans: columns.read("spans"),
        }
    }
}

row! {
    /// The row of [`LOAD`]: JSON of the views.
    struct LoadedRow {
        brand: StoredBrand,
        revision: Option<i64>,
        facts: Option<String>,
        decision: Option<String>,
        books: Option<StoredBooks>,
        codes: Vec<StoredCode>,
        links: Vec<StoredLink>,
        named: Option<StoredLink>,
        deals: Option<Vec<StoredDeal>>,
    }
    struct StoredBrand {
        version: i64,
        timezone: String,
        hold_days: u16,
        earn_on: EarnOn,
        count_test_orders: bool,
        counts_customers: bool,
        tiers: bool,
        rules: Vec<StoredRules>,
    }
    struct StoredRules {
        starts_at_ms: Millis,
        window_days: u16,
        precedence: Precedence,
        clicks: ClickOrder,
    }
    struct StoredDeal {
        deal: DealId,
        creator: CreatorId,
        email_hash: Option<String>,
        closed_at_ms: Option<Millis>,
        terms: Vec<StoredTerms>,
    }
    struct StoredTerms {
        id: TermsId,
        starts_at_ms: Millis,
        ends_at_ms: Option<Millis>,
        rate: BasisPoints,
        rules: Rules,
    }
    struct StoredCode {
        code_key: String,
        deal: StoredDeal,
    }
    struct StoredLink {
        link: LinkId,
        slug_key: String,
        deal: StoredDeal,
    }
    /// What stands in the books for an order, and what the creator holds on its day.
    struct StoredBooks {
        deal: Option<DealId>,
        creator: Option<CreatorId>,
        available_day: Option<Day>,
        placed_day: Option<Day>,
        currency: Option<Currency>,
        base_minor: i64,
        commission_minor: i64,
        counts: bool,
        counted: bool,
        pending_minor: Option<i64>,
        available_minor: Option<i64>,
        clawback_minor: Option<i64>,
    }
}

/// What one version of a brand says about orders, as far as it was asked.
pub struct Remembered {
    version: i64,
    zone: Zone,
    earning: EarningRules,
    counts_customers: bool,
    tiers: bool,
    rules: Vec<StoredRules>,
    answers: HashMap<Asked, Answer>,
}

/// Something that evidence can name.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Asked {
    Code(String),
    Link(LinkId),
    Slug(String),
    Deal(DealId),
}

/// What was found under it.
enum Answer {
    Nothing,
    Deal(StoredDeal),
    Link(StoredLink),
    /// Look under the link.
    Named(LinkId),
}

impl StoredRules {
    fn rules(&self) -> AttributionRules {
        AttributionRules {
            window_days: self.window_days,
            precedence: self.precedence,
            clicks: self.clicks,
        }
    }
}

impl Remembered {
    fn of(brand: StoredBrand) -> Self {
        Self {
            version: brand.version,
            zone: Zone::named(&brand.timezone).unwrap_or_else(Zone::utc),
            earning: EarningRules {
                earn_on: brand.earn_on,
                count_test_orders: brand.count_test_orders,
                hold_days: brand.hold_days,
            },
            counts_customers: brand.counts_customers,
            tiers: brand.tiers,
            rules: brand.rules,
            answers: HashMap::new(),
        }
    }

    /// How many answers it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes over what another answer of the same version says; a newer version replaces all.
    pub fn add(&mut self, other: Self) {
        if other.version != self.version {
            if other.version > self.version {
                *self = other;
            }
            return;
        }
        self.answers.extend(other.answers);
    }

    /// What a decision about an order that nothing is known of is made from; `None` if something
    /// that it names was never asked.
    #[must_use]
    pub fn loaded(&self, named: &Named) -> Option<Loaded> {
        let at_ms = named.placed_at_ms;
        let mut known = Known::default();
        for key in &named.codes {
            if let Answer::Deal(deal) = self.answers.get(&Asked::Code(key.clone()))? {
                known
                    .codes
                    .push(KnownCode { code_key: key.clone(), deal: deal_facts(deal, at_ms) });
            }
        }
        let mut links = named.links.clone();
        if let Some(slug) = &named.slug
            && let Answer::Named(link) = self.answers.get(&Asked::Slug(slug.clone()))?
        {
            links.push(*link);
        }
        for deal in &named.deals {
            if let Answer::Deal(deal) = self.answers.get(&Asked::Deal(*deal))? {
                known.deals.push(deal_facts(deal, at_ms));
            }
        }
        for id in links {
            if let Answer::Link(l) = self.answers.get(&Asked::Link(id))? {
                let (slug_key, deal) = (l.slug_key.clone(), deal_facts(&l.deal, at_ms));
                known.links.push(KnownLink { link: l.link, slug_key, deal });
            }
        }
        let rules = in_force(&self.rules, |rules| (rules.starts_at_ms, None), at_ms);
        Some(Loaded {
            version: self.version,
            order: None,
            rules: rules.map(StoredRules::rules).unwrap_or_default(),
            earning: self.earning,
            zone: self.zone.clone(),
            known,
            holdings: Holdings::default(),
            counts_customers: self.counts_customers,
            tiers: self.tiers,
            others: None,
        })
    }
}

fn deal_facts(deal: &StoredDeal, placed_at_ms: Millis) -> DealFacts {
    let terms = in_force(&deal.terms, |terms| (terms.starts_at_ms, terms.ends_at_ms), placed_at_ms);
    DealFacts {
        deal: deal.deal,
        creator: deal.creator,
        email_hash: deal.email_hash.clone(),
        closed_at_ms: deal.closed_at_ms,
        terms: terms.map(|terms| CitedTerms {
            id: terms.id,
            rate: terms.rate,
            rules: terms.rules.clone(),
        }),
    }
}

/// The statement that loads one deal as decisions know it, for who names it by hand.
#[must_use]
pub fn load_deal(brand: BrandId, deal: DealId) -> Statement {
    bind!(DEAL, brand, deal)
}

/// What [`load_deal`] found, with the terms in force when an order was placed.
///
/// # Errors
/// [`DbError::Failed`] if a row doesn't have the form that the code expects.
pub fn deal_of(rows: &Rows, placed_at_ms: Millis) -> Result<Option<DealFacts>, DbError> {
    let found = rows.column::<StoredDeal>("facts")?.pop();
    Ok(found.map(|deal| deal_facts(&deal, latest_meant(placed_at_ms))))
}

/// What [`load`] found, and what of it is worth remembering; `None` if the brand is gone.
///
/// # Errors
/// [`DbError::Failed`] if a row doesn't have the form that the code expects.
pub fn loaded(rows: &Rows, named: &Named) -> Result<Option<(Loaded, Remembered)>, DbError> {
    let Some(row) = rows.first::<LoadedRow>()? else { return Ok(None) };
    let order = stored_order(&row)?;
    let mut remembered = Remembered::of(row.brand);
    let answers = &mut remembered.answers;
    for key in &named.codes {
        answers.insert(Asked::Code(key.clone()), Answer::Nothing);
    }
    for id in &named.links {
        answers.insert(Asked::Link(*id), Answer::Nothing);
    }
    if let Some(slug) = &named.slug {
        let answer = row.named.as_ref().map_or(Answer::Nothing, |l| Answer::Named(l.link));
        answers.insert(Asked::Slug(slug.clone()), answer);
    }
    for deal in &named.deals {
        answers.insert(Asked::Deal(*deal), Answer::Nothing);
    }
    for deal in row.deals.into_iter().flatten() {
        answers.insert(Asked::Deal(deal.deal), Answer::Deal(deal));
    }
    for code in row.codes {
        answers.insert(Asked::Code(code.code_key), Answer::Deal(code.deal));
    }
    for link in row.links.into_iter().chain(row.named) {
        answers.insert(Asked::Link(link.link), Answer::Link(link));
    }
    let Some(mut loaded) = remembered.loaded(named) else {
        return Err(DbError::Failed("an answer that was just read is missing".to_owned()));
    };
    if let Some(books) = &row.books {
        loaded.holdings = Holdings {
            pending_minor: books.pending_minor.unwrap_or(0),
            available_minor: books.available_minor.unwrap_or(0),
            clawback_minor: books.clawback_minor.unwrap_or(0),
        };
    }
    loaded.order = order;
    Ok(Some((loaded, remembered)))
}

fn stored_order(row: &LoadedRow) -> Result<Option<StoredOrder>, DbError> {
    let (Some(revision), Some(facts)) = (row.revision, row.facts.as_deref()) else {
        return Ok(None);
    };
    let standing = row.books.as_ref().and_then(|books| {
        Some(Standing {
            deal: books.deal?,
            creator: books.creator?,
            available_day: books.available_day?,
            placed_day: books.placed_day?,
            currency: books.currency?,
            base_minor: books.base_minor,
            commission_minor: books.commission_minor,
            counts: books.counts,
        })
    });
    let decision = row.decision.as_deref().map(kept).transpose()?;
    let counted = row.books.as_ref().is_some_and(|books| books.counted);
    Ok(Some(StoredOrder { revision, facts: kept(facts)?, decision, standing, counted }))
}
