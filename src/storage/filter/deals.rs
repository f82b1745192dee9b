//! Pages of deals that a filter finds.
//!
//! A page never looks at more than so many deals, whatever there is: it walks an index in the order of the list,
//! looks at so many candidates, and answers what it found among them and where to go on. Which index: the first
//! of keyword, owner, tag, campaign with stage, and totals that is required and names few enough deals; else
//! that of the order itself.

use super::{Compiler, DOCS_OF_DEALS, MOST_NAMED, among, of_totals};
use crate::domain::filter::{Condition, Filter, Measure, Now, Op, Sort, SortKey, Text};
use crate::domain::ids::BrandId;
use crate::storage::{Database, DbError, Freshness, Rows, ranks, row};

/// How far a page looks.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Rows of D1 that looking at candidates may read, by a rule of thumb of what each costs.
    pub rows: i64,
    /// Deals that a source may name where the list is in the order of ids,
    pub many: i64,
    /// and where all of them have to be looked at before the first can be told.
    pub few: i64,
    /// Deals that a source may name where they are sorted by a period that no totals are kept for.
    pub free: i64,
}

impl Budget {
    /// That of a page of a list.
    pub const PAGE: Self = Self { rows: 2000, many: 250, few: 250, free: 2000 };
}

/// Rows of D1, by the same rule of thumb, that a list sorted by a period without totals may read: all of its deals
/// are looked at.
const FREE: i64 = 40_000;
/// Months of deals that are brought up to date before a list is made of what deals come to.
const TOLD: i64 = 20;

row! {
    /// Where a row stands in a sorted list.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Key {
        /// The deal.
        pub id: String,
        /// The creator, where the list is sorted by something of hers.
        pub via: String,
        /// What it is sorted by, as JSON.
        pub value: String,
    }
    pub(super) struct Count {
        pub(super) n: i64,
    }
}

/// What is asked for.
pub struct Query<'a> {
    /// Whose.
    pub brand: BrandId,
    /// What to look for; everything without one.
    pub filter: Option<&'a Filter>,
    /// In which order.
    pub sort: Sort,
    /// Seen from when.
    pub now: Now<'a>,
    /// How far.
    pub budget: Budget,
}

/// A page of a list.
#[derive(Debug)]
pub struct Found {
    /// Where its rows stand.
    pub keys: Vec<Key>,
    /// After what to go on, if there may be more.
    pub next: Option<Key>,
}

/// Why there is no page.
#[derive(Debug)]
pub enum NoPage {
    /// More than so many deals can't be sorted by such a period.
    TooMany(i64),
    /// The database.
    Db(DbError),
}

impl From<DbError> for NoPage {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

/// One stretch of the list, in the order in which they follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// By an index.
    Sorted,
    /// Of the copy of totals, what differs from what deals without any have.
    Ranked,
    /// The others.
    Rest,
    /// What a source names, by id.
    Source(Source),
}

/// What names deals without looking at all of them, the one that is tried first first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Keyword,
    Owner,
    Tag,
    Campaign,
    Totals,
    /// All of the brand, for want of another.
    All,
}

/// Those that a filter may have.
pub(super) const SOURCES: [Source; 5] =
    [Source::Keyword, Source::Owner, Source::Tag, Source::Campaign, Source::Totals];
/// So many of them are tried.
pub(super) const TRIED: usize = 2;

/// A page of deals after `after`.
///
/// # Errors
/// [`NoPage`].
pub async fn page(
    db: &dyn Database,
    query: &Query<'_>,
    after: Option<&Key>,
    limit: i64,
) -> Result<Found, NoPage> {
    query.bring_up_to_date(db).await?;
    let by_id = query.sort.key == SortKey::Created;
    let free = matches!(query.sort.key, SortKey::Measure(_, over) if !over.period.is_kept());
    // Where words are asked of candidates alone each is read once more, so half as many may be named.
    let words = query.compiler_of_few(query.budget.few <= MOST_NAMED).among;
    let share = if words { 2 } else { 1 };
    let most = match (by_id, free) {
        (true, _) => query.budget.many / share,
        (_, true) => query.budget.free,
        _ => query.budget.few / share,
    };
    let source = query.source(db, most).await?;
    if let (Some(source), false) = (source, by_id) {
        return query.all_of(db, source, after, limit).await;
    }
    if free {
        let mut compiler = query.compiler();
        query.condition(&mut compiler);
        query.value(&mut compiler);
        let most = FREE / compiler.cost;
        if query.count(db, Source::All, most).await? > Some(most) {
            return Err(NoPage::TooMany(most));
        }
        return query.all_of(db, Source::All, after, limit).await;
    }
    let walks = match source {
        Some(source) => vec![Walk::Source(source)],
        None => query.walks(after),
    };
    query.walk(db, &walks, after, limit).await
}

impl Query<'_> {
    /// Adds up what changed, if the list depends on it; of very much the rest waits for the minute's job.
    pub(super) async fn bring_up_to_date(&self, db: &dyn Database) -> Result<(), DbError> {
        let sorted = matches!(self.sort.key, SortKey::Measure(..) | SortKey::DaysSinceLastSale);
        if sorted || self.filter.is_some_and(of_totals) {
            ranks::refresh(db, self.brand, TOLD).await?;
        }
        Ok(())
    }

    pub(super) fn compiler(&self) -> Compiler<'_> {
        Compiler::new(self.now, self.brand)
    }

    /// As [`Self::compiler`], for candidates of which there are so few that words are asked of them alone, if
    /// any are asked for.
    pub(super) fn compiler_of_few(&self, are_few: bool) -> Compiler<'_> {
        let among = are_few && self.filter.is_some_and(Filter::has_words);
        Compiler { among, ..self.compiler() }
    }

    /// The condition, and what it costs to look at it.
    pub(super) fn condition(&self, compiler: &mut Compiler<'_>) -> String {
        self.filter.map_or_else(|| "1".to_owned(), |filter| compiler.filter(filter))
    }

    /// How many deals a source names, if the filter has it; more than `most` aren't counted.
    async fn count(
        &self,
        db: &dyn Database,
        source: Source,
        most: i64,
    ) -> Result<Option<i64>, DbError> {
        let mut compiler = self.compiler();
        let Some(source) = self.of(&mut compiler, source) else { return Ok(None) };
        let most = most + 1;
        let sql = format!("SELECT count(*) AS n FROM (SELECT 1 FROM ({source}) LIMIT {most})");
        let count: Option<Count> = db.first(compiler.values.statement(self.brand, sql)).await?;
        Ok(Some(count.map_or(0, |count| count.n)))
    }

    /// The first source that names at most so many deals, of the first two that the filter has.
    async fn source(&self, db: &dyn Database, most: i64) -> Result<Option<Source>, DbError> {
        let mut tried = 0;
        for source in SOURCES {
            match self.count(db, source, most).await? {
                Some(count) if count <= most => return Ok(Some(source)),
                Some(_) => tried += 1,
                None => (),
            }
            if tried == TRIED {
                break;
            }
        }
        Ok(None)
    }

    /// The deals that a source names, if the filter has it.
    pub(super) fn of(&self, compiler: &mut Compiler<'_>, source: Source) -> Option<String> {
        if source == Source::All {
            return Some("SELECT id FROM deals WHERE brand_id = ?1".to_owned());
        }
        let required = self.filter.map(Filter::required).unwrap_or_default();
        required.iter().find_map(|condition| self.named(compiler, source, condition, &required))
    }

    /// The deals that a condition names, if it is such a source.
    fn named(
        &self,
        compiler: &mut Compiler<'_>,
        source: Source,
        condition: &Condition,
        all: &[&Condition],
    ) -> Option<String> {
        const OF_CREATOR: &str =
            "CROSS JOIN deals d INDEXED BY deals_by_creator ON d.brand_id = ?1 AND d.creator_id =";
        Some(match (source, condition) {
            (Source::Keyword, Condition::Keyword(text)) => {
                let asked = compiler.matching(text);
                format!(
                    "SELECT d.id AS id FROM search CROSS JOIN search_docs s ON s.doc = search.rowid {OF_CREATOR} s.creator_id WHERE search MATCH {asked} AND s.brand_id = ?1"
                )
            }
            (Source::Owner, Condition::Text(Text::Owner, true, values)) => {
                let list = compiler.values.texts(values);
                format!(
                    "SELECT id FROM deals INDEXED BY deals_by_owner WHERE brand_id = ?1 AND owner_id IN ({list})"
                )
            }
            (Source::Tag, Condition::Tag(true, values)) => {
                let list = compiler.values.texts(values);
                let tags = format!("t.brand_id = ?1 AND t.tag IN ({list})");
                format!(
                    "SELECT d.id AS id FROM tags t CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = t.subject_id WHERE {tags} UNION ALL SELECT d.id AS id FROM tags t {OF_CREATOR} t.subject_id WHERE {tags}"
                )
            }
            (Source::Campaign, Condition::Text(Text::Campaign, true, values)) => {
                let list = compiler.values.texts(values);
                let stages = all.iter().find_map(|condition| match condition {
                    Condition::Text(Text::Stage, true, values) => Some(values),
                    _ => None,
                });
                let stages = stages.map(|values| compiler.values.texts(values));
                let stages =
                    stages.map(|list| format!(" AND d.stage IN ({list})")).unwrap_or_default();
                format!(
                    "SELECT d.id AS id FROM (SELECT k.id AS id FROM campaigns k WHERE k.brand_id = ?1 AND (k.id IN ({list}) OR k.name IN ({list}))) k CROSS JOIN deals d INDEXED BY deals_by_place ON d.brand_id = ?1 AND d.campaign_id = k.id{stages}"
                )
            }
            (Source::Totals, Condition::Measure(measure, over, op @ (Op::Ge | Op::Gt), amount))
                if amount.digits > 0 =>
            {
                let rank = self.rank_of(*measure, *over).filter(|rank| rank.default == 0)?;
                let currency = over.currency.unwrap_or(self.now.currency);
                let unit = if measure.is_money() { 10_i64.pow(currency.exponent()) } else { 1 };
                let (op, limit) = amount.in_units(*op, unit);
                let limit = compiler.values.int(limit);
                let (rows, column) = (rank.rows(compiler), rank.column);
                // What changed since the copy was made may be there or not.
                format!(
                    "SELECT deal_id AS id FROM {} r WHERE {rows} AND r.{column} {} {limit} UNION ALL SELECT deal_id AS id FROM totals_to_tell WHERE brand_id = ?1",
                    rank.table,
                    op.name()
                )
            }
            _ => return None,
        })
    }

    /// The stretches that the list still has after this.
    fn walks(&self, after: Option<&Key>) -> Vec<Walk> {
        let Some(rank) = self.rank() else { return vec![Walk::Sorted] };
        // What has no totals comes last where more is better; days without a sale are the most.
        let rest_is_low = self.sort.key != SortKey::DaysSinceLastSale;
        let mut walks = vec![Walk::Rest, Walk::Ranked];
        if self.sort.descending == rest_is_low {
            walks.reverse();
        }
        let now = after.map(|key| {
            if key.value == rank.default.to_string() { Walk::Rest } else { Walk::Ranked }
        });
        if now.is_some_and(|now| walks.first() != Some(&now)) {
            walks.remove(0);
        }
        walks
    }

    /// Walks on, at most so far that a page costs what it may.
    async fn walk(
        &self,
        db: &dyn Database,
        walks: &[Walk],
        after: Option<&Key>,
        limit: i64,
    ) -> Result<Found, NoPage> {
        let mut found = Found { keys: Vec::new(), next: None };
        let mut after = after;
        for (nth, walk) in walks.iter().enumerate() {
            let wanted = limit - i64::try_from(found.keys.len()).unwrap_or(limit);
            let mut compiler = self.compiler_of_few(self.budget.rows <= Budget::PAGE.rows);
            let condition = self.condition(&mut compiler);
            // Each candidate is read a second time to find out where to go on; by what is their creators' that is
            // an entry of the index, the creator, and an entry for the deal.
            let of_creator = matches!(self.sort.key, SortKey::Name | SortKey::Followers);
            let again = if of_creator { 6 } else { 2 };
            let share = i64::try_from(walks.len()).unwrap_or(1);
            let most = (self.budget.rows / share / (compiler.cost + again)).max(2);
            let most = if self.filter.is_none() && *walk != Walk::Rest { wanted } else { most };
            let (rows, also) = self.rows(&mut compiler, walk, after, most);
            let (with, of) = if compiler.among {
                (among(&rows, DOCS_OF_DEALS), "w".to_owned())
            } else {
                (String::new(), format!("({rows}) w"))
            };
            let sql = format!(
                "{with}SELECT w.id AS id, w.via AS via, json_quote(w.value) AS value FROM {of} CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = w.id CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = d.creator_id WHERE {also}{condition} LIMIT {wanted}"
            );
            let last = format!(
                "SELECT w.id AS id, w.via AS via, json_quote(w.value) AS value FROM ({rows}) w LIMIT 1 OFFSET {}",
                most - 1
            );
            let batch = [sql, last].map(|sql| compiler.values.statement(self.brand, sql));
            let results = db.run_on(Freshness::Primary, batch.into()).await?;
            let [keys, last] = results.as_slice() else {
                return Err(DbError::Failed("two results".to_owned()).into());
            };
            let full = i64::try_from(keys.0.len()).is_ok_and(|n| n >= wanted);
            found.keys.extend(keys.all::<Key>()?);
            let last = if full { found.keys.last().cloned() } else { last.first::<Key>()? };
            if last.is_some() {
                found.next = last;
                return Ok(found);
            }
            after = None;
            let more = nth + 1 < walks.len();
            if more && full {
                break;
            }
        }
        Ok(found)
    }

    /// The candidates of a stretch in the order of the list, and what else they have to fulfil.
    fn rows(
        &self,
        compiler: &mut Compiler<'_>,
        walk: &Walk,
        after: Option<&Key>,
        most: i64,
    ) -> (String, String) {
        let order = self.direction().1;
        let none = String::new();
        match walk {
            Walk::Source(source) => {
                let source = self.of(compiler, *source).unwrap_or_default();
                let id = self.beyond_id(compiler, after, "id");
                (
                    format!(
                        "SELECT DISTINCT id, '' AS via, '' AS value FROM ({source}) WHERE true{id} ORDER BY id{order} LIMIT {most}"
                    ),
                    none,
                )
            }
            Walk::Ranked => {
                let Some(rank) = self.rank() else { return (none.clone(), none) };
                let (rows, column) = (rank.rows(compiler), rank.column);
                let name = format!("r.{column}");
                let beyond = self.beyond(compiler, after, [&name, "''", "r.deal_id"]);
                // All that differ from the default are on one side of it.
                let side = if self.sort.key == SortKey::DaysSinceLastSale { "<" } else { ">" };
                let default = compiler.values.int(rank.default);
                (
                    format!(
                        "SELECT r.deal_id AS id, '' AS via, {name} AS value FROM {} r WHERE {rows} AND {name} {side} {default}{beyond} ORDER BY {name}{order}, r.deal_id{order} LIMIT {most}",
                        rank.table
                    ),
                    none,
                )
            }
            Walk::Rest => {
                let Some(rank) = self.rank() else { return (none.clone(), none) };
                let (rows, column) = (rank.rows(compiler), rank.column);
                let default = compiler.values.int(rank.default);
                let id = self.beyond_id(compiler, after, "d.id");
                (
                    format!(
                        "SELECT d.id AS id, '' AS via, {default} AS value FROM deals d WHERE d.brand_id = ?1{id} ORDER BY d.id{order} LIMIT {most}"
                    ),
                    format!(
                        "NOT EXISTS (SELECT 1 FROM {} r WHERE {rows} AND r.deal_id = d.id AND r.{column} <> {default}) AND ",
                        rank.table
                    ),
                )
            }
            Walk::Sorted => self.by_index(compiler, after, most),
        }
    }

    /// Deals in the order of an index of their own or of their creators.
    fn by_index(
        &self,
        compiler: &mut Compiler<'_>,
        after: Option<&Key>,
        most: i64,
    ) -> (String, String) {
        let order = self.direction().1;
        let (value, index) = match self.sort.key {
            SortKey::Name => ("c.name", "creators_by_name"),
            SortKey::Followers => ("coalesce(c.followers, -1)", "creators_by_followers"),
            SortKey::LastContact => {
                let value = "coalesce(d.contacted_at_ms, -1)";
                let beyond = self.beyond(compiler, after, [value, "''", "d.id"]);
                return (
                    format!(
                        "SELECT d.id AS id, '' AS via, {value} AS value FROM deals d INDEXED BY deals_by_contact WHERE d.brand_id = ?1{beyond} ORDER BY {value}{order}, d.id{order} LIMIT {most}"
                    ),
                    String::new(),
                );
            }
            _ => {
                let id = self.beyond_id(compiler, after, "d.id");
                return (
                    format!(
                        "SELECT d.id AS id, '' AS via, '' AS value FROM deals d WHERE d.brand_id = ?1{id} ORDER BY d.id{order} LIMIT {most}"
                    ),
                    String::new(),
                );
            }
        };
        let beyond = self.beyond(compiler, after, [value, "c.id", "d.id"]);
        (
            format!(
                "SELECT d.id AS id, c.id AS via, {value} AS value FROM creators c INDEXED BY {index} CROSS JOIN deals d INDEXED BY deals_by_creator ON d.brand_id = ?1 AND d.creator_id = c.id WHERE c.brand_id = ?1{beyond} ORDER BY {value}{order}, c.id{order}, d.id{order} LIMIT {most}"
            ),
            String::new(),
        )
    }

    /// What is after something else, and in which order that is.
    pub(super) fn direction(&self) -> (&'static str, &'static str) {
        if self.sort.descending { ("<", " DESC") } else { (">", "") }
    }

    /// What follows a key. The bound of the first column alone is what SQLite finds its place by.
    pub(super) fn beyond(
        &self,
        compiler: &mut Compiler<'_>,
        after: Option<&Key>,
        [first, second, third]: [&str; 3],
    ) -> String {
        let Some(key) = after else { return String::new() };
        let than = self.direction().0;
        let value = compiler.values.json(key.value.clone());
        let (via, id) = (compiler.values.text(&key.via), compiler.values.text(&key.id));
        format!(
            " AND {first} {than}= {value} AND ({first}, {second}, {third}) {than} ({value}, {via}, {id})"
        )
    }

    fn beyond_id(&self, compiler: &mut Compiler<'_>, after: Option<&Key>, column: &str) -> String {
        after.map_or_else(String::new, |key| {
            format!(" AND {column} {} {}", self.direction().0, compiler.values.text(&key.id))
        })
    }

    /// What the list is sorted by, of the deal `d` of the creator `c`, and whose that is.
    fn value(&self, compiler: &mut Compiler<'_>) -> (String, &'static str) {
        match self.sort.key {
            SortKey::Created => ("''".to_owned(), "''"),
            SortKey::Name => ("c.name".to_owned(), "c.id"),
            SortKey::Followers => ("coalesce(c.followers, -1)".to_owned(), "c.id"),
            SortKey::LastContact => ("coalesce(d.contacted_at_ms, -1)".to_owned(), "''"),
            SortKey::DaysSinceLastSale => ("coalesce((SELECT -max(t.last_day) FROM deal_totals t WHERE t.brand_id = ?1 AND t.deal_id = d.id AND t.period = 0), 0)".to_owned(), "''"),
            SortKey::Measure(measure, over) => {
                let (above, below) = compiler.fraction(measure, over);
                let Some(below) = below else { return (above, "''") };
                let times = if measure == Measure::Conversion { 100 } else { 1 };
                (format!("iif({below} > 0, CAST({above} * {times} * 1000000 / max(1, {below}) AS INTEGER), -1)"), "''")
            }
        }
    }

    /// Looks at all deals of a source and sorts what it found.
    async fn all_of(
        &self,
        db: &dyn Database,
        source: Source,
        after: Option<&Key>,
        limit: i64,
    ) -> Result<Found, NoPage> {
        let free = matches!(self.sort.key, SortKey::Measure(_, over) if !over.period.is_kept());
        let few = source != Source::All && !free && self.budget.few <= MOST_NAMED;
        let mut compiler = self.compiler_of_few(few);
        let named = self.of(&mut compiler, source).unwrap_or_default();
        let condition = self.condition(&mut compiler);
        let (value, via) = self.value(&mut compiler);
        let deals = if source == Source::All {
            "deals d".to_owned()
        } else if compiler.among {
            "w CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = w.id".to_owned()
        } else {
            format!(
                "(SELECT DISTINCT id FROM ({named})) n CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = n.id"
            )
        };
        // Of many deals it takes as long to find their creators as to add up their days.
        let of_creators =
            [condition.as_str(), value.as_str(), via].iter().any(|sql| sql.contains("c."));
        let creators = if of_creators {
            " CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = d.creator_id"
        } else {
            ""
        };
        let (than, order) = if self.sort.descending { ("<", " DESC") } else { (">", "") };
        let beyond = after.map_or_else(String::new, |key| {
            let value = compiler.values.json(key.value.clone());
            let (via, id) = (compiler.values.text(&key.via), compiler.values.text(&key.id));
            format!("WHERE (s.v, s.via, s.id) {than} ({value}, {via}, {id})")
        });
        let with = if compiler.among {
            among(&format!("SELECT DISTINCT id FROM ({named})"), DOCS_OF_DEALS)
        } else {
            String::new()
        };
        let sql = format!(
            "{with}SELECT s.id AS id, s.via AS via, json_quote(s.v) AS value FROM (SELECT d.id AS id, {via} AS via, {value} AS v FROM {deals}{creators} WHERE d.brand_id = ?1 AND {condition}) s {beyond} ORDER BY s.v{order}, s.via{order}, s.id{order} LIMIT {limit}"
        );
        let rows: Rows = db.rows(compiler.values.statement(self.brand, sql)).await?;
        let keys = rows.all::<Key>()?;
        let full = i64::try_from(keys.len()).is_ok_and(|n| n >= limit);
        let next = keys.last().filter(|_| full).cloned();
        Ok(Found { keys, next })
    }
}
