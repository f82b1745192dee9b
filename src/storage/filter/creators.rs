//! Pages of creators that a filter finds: those of whose deals it finds at least one, and who have none if it
//! finds a deal of which nothing is known.
//!
//! What is looked at are creators with one of their deals each, at most so many a page. Once one deal is found
//! the page goes on behind all of hers, so that nobody is in a list twice.

use super::deals::{Budget, Count, Found, Key, NoPage, Query, SOURCES, Source, TRIED};
use super::{Compiler, DOCS_OF_CREATORS, among};
use crate::domain::filter::{Condition, Filter, SortKey};
use crate::storage::{Database, DbError, Freshness};

/// After all deals of a creator where ids rise.
const BEHIND: &str = "~";

/// A page of creators after `after`, in the order of ids where creators can't be sorted as is asked.
///
/// # Errors
/// [`NoPage::Db`].
pub async fn page(
    db: &dyn Database,
    query: &Query<'_>,
    after: Option<&Key>,
    limit: i64,
) -> Result<Found, NoPage> {
    query.bring_up_to_date(db).await?;
    let by_id = query.value_of_creator().1.is_empty();
    // What is named is read with its deals, so half as much may be named.
    let most = if by_id { query.budget.many } else { query.budget.few } / 2;
    let source = query.source_of_creators(db, most).await?;
    let mut compiler = query.compiler_of_few(query.budget.rows <= Budget::PAGE.rows);
    let condition = query.condition(&mut compiler);
    // Each pair is three rows, and is read a second time to find out where to go on; what a source names is few
    // enough already.
    let affordable = (query.budget.rows / (compiler.cost + 6)).max(2);
    let most = if source.is_some() && !by_id { most + 1 } else { affordable };
    let pairs = query.pairs(&mut compiler, source, after, most);
    let (with, of) = if compiler.among {
        (among(&pairs, DOCS_OF_CREATORS), "w".to_owned())
    } else {
        (String::new(), format!("({pairs}) w"))
    };
    let sql = format!(
        "{with}SELECT DISTINCT w.id AS id, '' AS via, json_quote(w.value) AS value FROM {of} CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = w.id LEFT JOIN deals d ON d.brand_id = ?1 AND d.id = w.via WHERE {condition} LIMIT {limit}"
    );
    let last = format!(
        "SELECT w.id AS id, w.via AS via, json_quote(w.value) AS value FROM ({pairs}) w LIMIT 1 OFFSET {}",
        most - 1
    );
    let batch = [sql, last].map(|sql| compiler.values.statement(query.brand, sql));
    let results = db.run_on(Freshness::Primary, batch.into()).await?;
    let [keys, last] = results.as_slice() else {
        return Err(DbError::Failed("two results".to_owned()).into());
    };
    let mut keys = keys.all::<Key>()?;
    let behind = if query.sort.descending { "" } else { BEHIND };
    keys.iter_mut().for_each(|key| behind.clone_into(&mut key.via));
    let full = i64::try_from(keys.len()).is_ok_and(|n| n >= limit);
    let next = if full {
        keys.last().cloned()
    } else {
        let last = last.first::<Key>()?;
        // Of a creator who is on this page no other deal is looked at.
        last.map(|last| keys.iter().find(|key| key.id == last.id).cloned().unwrap_or(last))
    };
    Ok(Found { keys, next })
}

impl Query<'_> {
    /// What creators are sorted by, and the index that has it; none where that is the order of ids.
    fn value_of_creator(&self) -> (&'static str, &'static str) {
        match self.sort.key {
            SortKey::Name => ("c.name", " INDEXED BY creators_by_name"),
            SortKey::Followers => {
                ("coalesce(c.followers, -1)", " INDEXED BY creators_by_followers")
            }
            _ => ("''", ""),
        }
    }

    /// The next `most` creators with one of their deals each.
    fn pairs(
        &self,
        compiler: &mut Compiler<'_>,
        source: Option<Source>,
        after: Option<&Key>,
        most: i64,
    ) -> String {
        let order = self.direction().1;
        let (value, index) = self.value_of_creator();
        let source = source.and_then(|source| self.of_creators(compiler, source));
        let creators = match &source {
            Some(source) => format!(
                "(SELECT DISTINCT id FROM ({source})) n CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = n.id"
            ),
            None => format!("creators c{index}"),
        };
        let deal = "coalesce(d.id, '')";
        let beyond = self.beyond_pair(compiler, after, if index.is_empty() { "" } else { value });
        let by = if index.is_empty() { String::new() } else { format!("{value}{order}, ") };
        format!(
            "SELECT c.id AS id, {deal} AS via, {value} AS value FROM {creators} LEFT JOIN deals d INDEXED BY deals_by_creator ON d.brand_id = ?1 AND d.creator_id = c.id WHERE c.brand_id = ?1 AND c.merged_into IS NULL{beyond} ORDER BY {by}c.id{order}, d.id{order} LIMIT {most}"
        )
    }

    /// What follows a key. (Compared as one row with the deal, which may be NULL, SQLite loses rows.)
    fn beyond_pair(&self, compiler: &mut Compiler<'_>, after: Option<&Key>, value: &str) -> String {
        let Some(key) = after else { return String::new() };
        let than = self.direction().0;
        let (id, via) = (compiler.values.text(&key.id), compiler.values.text(&key.via));
        let creator = if value.is_empty() {
            format!("c.id {than}= {id}")
        } else {
            let from = compiler.values.json(key.value.clone());
            format!("{value} {than}= {from} AND ({value}, c.id) {than}= ({from}, {id})")
        };
        format!(" AND {creator} AND (c.id <> {id} OR coalesce(d.id, '') {than} {via})")
    }

    /// The first source that names creators with at most so many deals, of the first two that the filter has.
    async fn source_of_creators(
        &self,
        db: &dyn Database,
        most: i64,
    ) -> Result<Option<Source>, DbError> {
        let mut tried = 0;
        for source in SOURCES {
            let mut compiler = self.compiler();
            let Some(named) = self.of_creators(&mut compiler, source) else { continue };
            // Neither many names, the same or not, nor many deals of those who are named.
            let beyond = most + 1;
            let sql = format!(
                "SELECT max((SELECT count(*) FROM (SELECT 1 FROM ({named}) LIMIT {beyond})), (SELECT count(*) FROM (SELECT 1 FROM (SELECT DISTINCT id FROM (SELECT id FROM ({named}) LIMIT {beyond})) n LEFT JOIN deals d INDEXED BY deals_by_creator ON d.brand_id = ?1 AND d.creator_id = n.id LIMIT {beyond}))) AS n"
            );
            let count: Option<Count> = db.first(compiler.values.statement(self.brand, sql)).await?;
            if count.is_some_and(|count| count.n <= most) {
                return Ok(Some(source));
            }
            tried += 1;
            if tried == TRIED {
                break;
            }
        }
        Ok(None)
    }

    /// The creators that a source names, if the filter has it.
    fn of_creators(&self, compiler: &mut Compiler<'_>, source: Source) -> Option<String> {
        let required = self.filter.map(Filter::required).unwrap_or_default();
        match source {
            Source::Keyword => required.iter().find_map(|condition| {
                let Condition::Keyword(text) = condition else { return None };
                let asked = compiler.matching(text);
                Some(format!(
                    "SELECT s.creator_id AS id FROM search CROSS JOIN search_docs s ON s.doc = search.rowid WHERE search MATCH {asked} AND s.brand_id = ?1"
                ))
            }),
            Source::Tag => required.iter().find_map(|condition| {
                let Condition::Tag(true, values) = condition else { return None };
                let list = compiler.values.texts(values);
                let tags = format!("t.brand_id = ?1 AND t.tag IN ({list})");
                // Hers, and those of her deals.
                Some(format!(
                    "SELECT t.subject_id AS id FROM tags t WHERE {tags} AND t.subject_id BETWEEN 'creator_' AND 'creator_~' UNION ALL SELECT d.creator_id AS id FROM tags t CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = t.subject_id WHERE {tags}"
                ))
            }),
            _ => {
                let deals = self.of(compiler, source)?;
                Some(format!(
                    "SELECT d.creator_id AS id FROM ({deals}) n CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = n.id"
                ))
            }
        }
    }
}
