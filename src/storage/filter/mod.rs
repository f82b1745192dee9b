//! Filters as SQL.
//!
//! What a filter says becomes the shape of a statement; what it compares with travels in one JSON parameter
//! (`?2 ->> 3`), so that no value is ever part of the text. Every look into a table names the brand (`?1`).
//! [`deals`] and [`creators`] read pages by it.

pub mod creators;
pub mod deals;
mod ranked;

use std::fmt::Write;

use super::{Database, Freshness, Param, Statement, ranks};
use crate::domain::filter::{
    Condition, Date, Filter, Flag, Knowable, Measure, Month, Now, Number, Op, Over, Span, Text,
    words,
};
use crate::domain::ids::{BrandId, DealId};
use crate::domain::json::{json, list_of};
use crate::domain::time::Day;

/// What a deal costs that is looked at: itself and its creator.
const CANDIDATE: i64 = 2;

/// The values that a statement compares with.
#[derive(Default)]
struct Values(Vec<String>);

impl Values {
    fn json(&mut self, text: String) -> String {
        let at = self.0.iter().position(|known| *known == text).unwrap_or_else(|| {
            self.0.push(text);
            self.0.len() - 1
        });
        format!("(?2 ->> {at})")
    }

    fn text(&mut self, text: &str) -> String {
        self.json(json!(text))
    }

    fn int(&mut self, number: i64) -> String {
        self.json(number.to_string())
    }

    fn texts(&mut self, texts: &[String]) -> String {
        texts.iter().map(|text| self.text(text)).collect::<Vec<_>>().join(",")
    }

    /// The statement with what it compares with; one without values has no place for them.
    fn statement(&self, brand: BrandId, sql: String) -> Statement {
        let mut params = vec![Param::from(brand)];
        if sql.contains("?2") {
            params.push(list_of(&self.0).into());
        }
        Statement { sql: sql.into(), params }
    }
}

/// Compiles conditions about the deal `d` of the creator `c`; of a creator without deals all of `d` is NULL.
struct Compiler<'a> {
    now: Now<'a>,
    brand: BrandId,
    values: Values,
    /// Rows that are read to look at one deal, by a rule of thumb.
    cost: i64,
    /// Whether words are asked of the candidates alone: of those that `asked` names, which the statement begins
    /// with. Else of all, which costs a row for each creator who has the words.
    among: bool,
}

/// Beginning of a statement with these candidates `w`, and what makes a search one of theirs alone. `docs` leads from
/// `w` to their rows `s` of `search_docs`. (The index is asked once, with all of their numbers: to ask it for each
/// adds up the words with its beginning each time.)
fn among(candidates: &str, docs: &str) -> String {
    format!(
        "WITH w AS MATERIALIZED ({candidates}), asked AS MATERIALIZED (SELECT ' AND doc:(' || coalesce(group_concat(s.doc, ' OR '), '0') || ')' AS them FROM w{docs}) "
    )
}

/// From candidates that are deals.
const DOCS_OF_DEALS: &str = " CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = w.id CROSS JOIN search_docs s ON s.brand_id = ?1 AND s.creator_id = d.creator_id";
/// From candidates that are creators.
const DOCS_OF_CREATORS: &str =
    " CROSS JOIN search_docs s ON s.brand_id = ?1 AND s.creator_id = w.id";

/// More candidates than this aren't named to the index: all creators with a word are found sooner.
const MOST_NAMED: i64 = 500;

/// What is summed up over a period.
#[derive(Clone, Copy)]
enum Sum {
    Orders,
    Base,
    Commission,
    Clicks,
    Uniques,
}

impl Sum {
    /// Its column in `deal_totals`.
    fn column(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Base => "base_minor",
            Self::Commission => "commission_minor",
            Self::Clicks => "clicks",
            Self::Uniques => "uniques",
        }
    }
}

impl<'a> Compiler<'a> {
    fn new(now: Now<'a>, brand: BrandId) -> Self {
        Self { now, brand, values: Values::default(), cost: CANDIDATE, among: false }
    }

    /// SQL that is 1 or 0.
    fn filter(&mut self, filter: &Filter) -> String {
        let (parts, word) = match filter {
            Filter::Is(condition) => return self.condition(condition),
            Filter::Not(part) => return format!("NOT {}", self.filter(part)),
            Filter::And(parts) => (parts, " AND "),
            Filter::Or(parts) => (parts, " OR "),
        };
        let parts: Vec<String> = parts.iter().map(|part| self.filter(part)).collect();
        format!("({})", parts.join(word))
    }

    fn condition(&mut self, condition: &Condition) -> String {
        match condition {
            Condition::Keyword(text) => {
                // Its row of the index and that of its number; the candidate, its deal and its number before.
                self.cost += if self.among { 5 } else { 1 };
                let found = self.matching(text);
                let them = if self.among { " || (SELECT them FROM asked)" } else { "" };
                format!(
                    "((SELECT s.doc FROM search_docs s WHERE s.brand_id = ?1 AND s.creator_id = c.id) IN (SELECT rowid FROM search WHERE search MATCH ({found}{them})))"
                )
            }
            Condition::Flag(flag) => self.flag(*flag),
            Condition::Text(Text::Campaign, is, values) => {
                let list = self.values.texts(values);
                let found = format!(
                    "(d.campaign_id IN ({list}) OR d.campaign_id IN (SELECT k.id FROM campaigns k WHERE k.brand_id = ?1 AND k.name IN ({list})))"
                );
                let not = if *is { "" } else { "NOT " };
                format!("(coalesce({not}{found}, 0))")
            }
            Condition::Text(text, is, values) => {
                let list = self.values.texts(values);
                let not = if *is { "" } else { "NOT " };
                format!("(coalesce({} {not}IN ({list}), 0))", column(*text))
            }
            Condition::Tag(is, values) => {
                self.cost += 2;
                let list = self.values.texts(values);
                let not = if *is { "" } else { "NOT " };
                format!(
                    "({not}EXISTS (SELECT 1 FROM tags t WHERE t.brand_id = ?1 AND t.tag IN ({list}) AND t.subject_id IN (d.id, c.id)))"
                )
            }
            Condition::Open(true) => "(d.closed_at_ms IS NULL AND d.id IS NOT NULL)".to_owned(),
            Condition::Open(false) => "(d.closed_at_ms IS NOT NULL)".to_owned(),
            Condition::Number(number, op, amount) => {
                let unit = if *number == Number::Engagement { 100 } else { 1 };
                let (op, limit) = amount.in_units(*op, unit);
                let (value, limit) = (self.number(*number), self.values.int(limit));
                format!("(coalesce({value} {} {limit}, 0))", op.name())
            }
            Condition::Date(date, op, when) => self.date(*date, *op, when.day(self.now.today)),
            Condition::Measure(measure, over, op, amount) => {
                self.measure(*measure, *over, (*op, *amount))
            }
            Condition::FieldText(name, is, text) => {
                let text = self.values.text(text);
                self.field(
                    name,
                    "('text')",
                    &format!("j.value {} {text}", if *is { "=" } else { "<>" }),
                )
            }
            Condition::FieldNumber(name, op, amount) => {
                let limit = self.values.text(&amount.to_string());
                let compared = format!("j.value {} CAST({limit} AS REAL)", op.name());
                self.field(name, "('integer','real')", &compared)
            }
            Condition::Unknown(what, is) => {
                let value = match what {
                    Knowable::Text(text) => column(*text).to_owned(),
                    Knowable::Number(number) => self.number(*number),
                    Knowable::Date(date) => self::date(*date).to_owned(),
                    Knowable::Field(name) => {
                        let known = self.field(name, "('text','integer','real')", "1");
                        return if *is { format!("(NOT {known})") } else { known };
                    }
                };
                format!("({value} IS {}NULL)", if *is { "" } else { "NOT " })
            }
        }
    }

    fn flag(&mut self, flag: Flag) -> String {
        self.cost += 2;
        match flag {
            Flag::HasLink => "(EXISTS (SELECT 1 FROM links l INDEXED BY links_by_deal WHERE l.brand_id = ?1 AND l.deal_id = d.id AND l.closed_at_ms IS NULL))",
            Flag::HasCode => "(EXISTS (SELECT 1 FROM codes k INDEXED BY codes_by_deal WHERE k.brand_id = ?1 AND k.deal_id = d.id AND k.state IN ('active', 'changed')))",
            Flag::Invited => "(c.person_id IS NOT NULL OR EXISTS (SELECT 1 FROM invitations i WHERE i.brand_id = ?1 AND i.deal_id = d.id))",
        }
        .to_owned()
    }

    /// What FTS5 is asked: each word quoted, so that nothing in it is a command, and the brand's own word.
    fn matching(&mut self, text: &str) -> String {
        let mut asked = String::new();
        for word in words(text) {
            // Prefixes of one letter would be half of the words.
            let star = if word.chars().count() == 1 { "" } else { "*" };
            let _ = write!(asked, "text:\"{word}\"{star} AND ");
        }
        let brand = self.brand.to_string();
        let brand = brand.split_once('_').map_or(brand.as_str(), |(_, token)| token);
        let _ = write!(asked, "brand:\"{brand}\"");
        self.values.text(&asked)
    }

    /// A number, NULL where it isn't known.
    fn number(&mut self, number: Number) -> String {
        match number {
            Number::Followers => "c.followers".to_owned(),
            Number::Engagement => "c.engagement_bp".to_owned(),
            Number::DaysSinceLastSale => {
                self.cost += 1;
                let today = self.values.int(self.now.today.0);
                format!(
                    "({today} - nullif((SELECT max(t.last_day) FROM deal_totals t WHERE t.brand_id = ?1 AND t.deal_id = d.id AND t.period = 0), 0))"
                )
            }
        }
    }

    /// A moment compared with a day of the brand.
    fn date(&mut self, date: Date, op: Op, day: Day) -> String {
        let at = self::date(date);
        let begin = self.values.int(self.now.zone.start_of(day));
        let end = self.values.int(self.now.zone.start_of(day.plus(1)));
        let compared = match op {
            Op::Eq => format!("{at} >= {begin} AND {at} < {end}"),
            Op::Ne => format!("({at} < {begin} OR {at} >= {end})"),
            Op::Lt => format!("{at} < {begin}"),
            Op::Le => format!("{at} < {end}"),
            Op::Gt => format!("{at} >= {end}"),
            Op::Ge => format!("{at} >= {begin}"),
        };
        format!("(coalesce({compared}, 0))")
    }

    fn measure(
        &mut self,
        measure: Measure,
        over: Over,
        (op, amount): (Op, crate::domain::filter::Amount),
    ) -> String {
        let fraction = self.fraction(measure, over);
        let Some(below) = fraction.1 else {
            let currency = over.currency.unwrap_or(self.now.currency);
            let unit = if measure.is_money() { 10_i64.pow(currency.exponent()) } else { 1 };
            let (op, limit) = amount.in_units(op, unit);
            let limit = self.values.int(limit);
            return format!("({} {} {limit})", fraction.0, op.name());
        };
        // Both sides times what is below, so that nothing is divided.
        let percent = if measure == Measure::Conversion { 100 } else { 1 };
        let times = self.values.int(percent * amount.one());
        let limit = self.values.int(amount.digits);
        format!("({below} > 0 AND {} * {times} {} {limit} * {below})", fraction.0, op.name())
    }

    /// A measure: what it is the sum of, and by what that is divided.
    fn fraction(&mut self, measure: Measure, over: Over) -> (String, Option<String>) {
        match measure {
            Measure::Clicks => (self.sum(Sum::Clicks, over), None),
            Measure::Orders => (self.sum(Sum::Orders, over), None),
            Measure::Revenue => (self.sum(Sum::Base, over), None),
            Measure::Commission => (self.sum(Sum::Commission, over), None),
            Measure::Conversion => {
                (self.sum(Sum::Orders, over), Some(self.sum(Sum::Uniques, over)))
            }
            Measure::RevenuePerCommission => {
                (self.sum(Sum::Base, over), Some(self.sum(Sum::Commission, over)))
            }
        }
    }

    /// The sum of something about the deal over a period.
    fn sum(&mut self, what: Sum, over: Over) -> String {
        let currency = match what {
            Sum::Base | Sum::Commission => {
                let code = over.currency.unwrap_or(self.now.currency).code();
                format!(" AND t.currency = {}", self.values.text(code))
            }
            Sum::Orders | Sum::Clicks | Sum::Uniques => String::new(),
        };
        let mut parts = Vec::new();
        let (months, days) = match over.period.span(self.now.today) {
            Span::All => (Some((Month(0), Month(0))), Vec::new()),
            Span::Parts { months, days } => (months, days),
        };
        let column = what.column();
        if let Some((first, last)) = months {
            self.cost += 1;
            let when = if first == last {
                format!("t.period = {}", self.values.int(first.0))
            } else {
                let (first, last) = (self.values.int(first.0), self.values.int(last.0));
                format!("t.period BETWEEN {first} AND {last}")
            };
            parts.push(format!("coalesce((SELECT sum(t.{column}) FROM deal_totals t WHERE t.brand_id = ?1 AND t.deal_id = d.id AND {when}{currency}), 0)"));
        }
        for (from, to) in days {
            // Clicks are found by the deal's links.
            self.cost += if matches!(what, Sum::Clicks | Sum::Uniques) { 10 } else { 5 };
            let (from, to) = (self.values.int(from.0), self.values.int(to.0));
            parts.push(match what {
                Sum::Clicks | Sum::Uniques => {
                    let column = if matches!(what, Sum::Clicks) { "total" } else { "uniques" };
                    format!("coalesce((SELECT sum(t.{column}) FROM links l INDEXED BY links_by_deal CROSS JOIN click_days t ON t.brand_id = ?1 AND t.link_id = l.id AND t.day BETWEEN {from} AND {to} WHERE l.brand_id = ?1 AND l.deal_id = d.id), 0)")
                }
                _ => format!("coalesce((SELECT sum(t.{column}) FROM deal_days t WHERE t.brand_id = ?1 AND t.deal_id = d.id AND t.day BETWEEN {from} AND {to}{currency}), 0)"),
            });
        }
        format!("({})", parts.join(" + "))
    }

    /// What is compared of a custom field, if it has a value of these types.
    fn field(&mut self, name: &str, types: &str, compared: &str) -> String {
        self.cost += 1;
        let name = self.values.text(name);
        format!(
            "(coalesce((SELECT {compared} FROM json_each(c.fields) j WHERE j.type IN {types} AND j.key = (SELECT f.id FROM creator_fields f WHERE f.brand_id = ?1 AND lower(f.name) = lower({name}) AND f.removed_at_ms IS NULL)), 0))"
        )
    }
}

/// Whether a filter looks at what deals come to.
fn of_totals(filter: &Filter) -> bool {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().any(of_totals),
        Filter::Not(part) => of_totals(part),
        Filter::Is(condition) => matches!(
            condition,
            Condition::Measure(..)
                | Condition::Number(Number::DaysSinceLastSale, ..)
                | Condition::Unknown(Knowable::Number(Number::DaysSinceLastSale), _)
        ),
    }
}

/// Those of these deals that a filter fits.
///
/// # Errors
/// [`super::DbError`].
pub async fn fitting(
    db: &dyn Database,
    brand: BrandId,
    filter: &Filter,
    now: Now<'_>,
    deals: &[DealId],
) -> Result<Vec<DealId>, super::DbError> {
    if of_totals(filter) {
        ranks::catch_up(db, brand).await?;
    }
    let mut compiler = Compiler::new(now, brand);
    compiler.among =
        filter.has_words() && i64::try_from(deals.len()).is_ok_and(|many| many <= MOST_NAMED);
    let condition = compiler.filter(filter);
    let deals = compiler.values.json(super::json_list(deals));
    let with = if compiler.among {
        among(&format!("SELECT value AS id FROM json_each({deals})"), DOCS_OF_DEALS)
    } else {
        String::new()
    };
    let sql = format!(
        "{with}SELECT d.id FROM json_each({deals}) h CROSS JOIN deals d ON d.brand_id = ?1 AND d.id = h.value CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = d.creator_id WHERE {condition}"
    );
    let asked = compiler.values.statement(brand, sql);
    db.ask(Freshness::Primary, asked, |rows| rows.column("id")).await
}

fn column(text: Text) -> &'static str {
    match text {
        Text::Stage => "d.stage",
        Text::Campaign => "d.campaign_id",
        Text::Kind => "d.kind",
        Text::Owner => "d.owner_id",
        Text::Country => "c.country",
        Text::Language => "c.language",
        Text::Niche => "c.niche",
    }
}

fn date(date: Date) -> &'static str {
    match date {
        Date::LastContact => "d.contacted_at_ms",
        Date::Created => "d.created_at_ms",
    }
}
