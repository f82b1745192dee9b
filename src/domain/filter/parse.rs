//! From text to filter.

use super::lexer::{Token, tokens};
use super::period::Month;
use super::{
    Amount, Condition, Date, Filter, Flag, Knowable, Measure, Number, Op, Over, Period, Sort,
    SortKey, Text, When,
};
use crate::domain::money::Currency;
use crate::domain::time::Day;

/// A filter's text has at most so many characters,
pub const MAX_LENGTH: usize = 2000;
/// so many conditions,
pub const MAX_CONDITIONS: usize = 30;
/// and NOTs and parentheses within each other at most so deep.
pub const MAX_DEPTH: usize = 20;
/// Texts of one `IN`.
const MAX_TEXTS: usize = 20;

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: expected {expected}")]
pub struct FilterError {
    /// The place, in characters from 1.
    pub at: usize,
    /// What should stand there.
    pub expected: String,
}

impl FilterError {
    pub(super) fn new(at: usize, expected: impl Into<String>) -> Self {
        Self { at, expected: expected.into() }
    }
}

type Parsed<T> = Result<T, FilterError>;

/// The filter that a text describes.
///
/// # Errors
/// What is wrong, with its place.
pub fn parse(text: &str) -> Parsed<Filter> {
    let mut parser = Parser::of(text)?;
    let filter = parser.any_of(0)?;
    parser.end("AND, OR or the end")?;
    Ok(filter)
}

impl std::str::FromStr for Sort {
    type Err = FilterError;

    fn from_str(text: &str) -> Parsed<Self> {
        let mut parser = Parser::of(text)?;
        let descending = parser.takes("-");
        let at = parser.at();
        let Token::Word(name) = parser.next() else { return Err(FilterError::new(at, SORTS)) };
        let key = match name.as_str() {
            "created" => SortKey::Created,
            "name" => SortKey::Name,
            "followers" => SortKey::Followers,
            "last_contact" => SortKey::LastContact,
            "days_since_last_sale" => SortKey::DaysSinceLastSale,
            name => match Measure::named(name) {
                Some(measure) => SortKey::Measure(measure, parser.over(measure)?),
                None => return Err(FilterError::new(at, SORTS)),
            },
        };
        parser.end("the end")?;
        Ok(Self { descending, key })
    }
}

const SORTS: &str = "created, name, followers, last_contact, days_since_last_sale, clicks, orders, revenue, \
    commission, conversion or revenue_per_commission";
const CONDITION: &str = "a field, a text in quotes, NOT or (";
const PERIOD: &str = "all, this_month, last_month, a month such as 2026-10, days such as 30d, or 2026-10-01..2026-10-20";

struct Parser {
    /// The tokens that are left, the next one last.
    left: Vec<(usize, Token)>,
    conditions: usize,
}

impl Parser {
    fn of(text: &str) -> Parsed<Self> {
        if text.chars().nth(MAX_LENGTH).is_some() {
            let most = format!("at most {MAX_LENGTH} characters");
            return Err(FilterError::new(MAX_LENGTH + 1, most));
        }
        let mut left = tokens(text)?;
        left.reverse();
        Ok(Self { left, conditions: 0 })
    }

    fn at(&self) -> usize {
        self.left.last().map_or(1, |(at, _)| *at)
    }

    fn peek(&self) -> &Token {
        self.left.last().map_or(&Token::End, |(_, token)| token)
    }

    /// The next token; the end stays.
    fn next(&mut self) -> Token {
        match self.left.last() {
            Some((_, Token::End)) | None => Token::End,
            Some(_) => self.left.pop().map_or(Token::End, |(_, token)| token),
        }
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(next) if *next == sign);
        if found {
            self.next();
        }
        found
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(next) if next == word);
        if found {
            self.next();
        }
        found
    }

    fn needs(&mut self, sign: &str) -> Parsed<()> {
        let at = self.at();
        if self.takes(sign) { Ok(()) } else { Err(FilterError::new(at, format!("`{sign}`"))) }
    }

    fn end(&self, expected: &str) -> Parsed<()> {
        match self.peek() {
            Token::End => Ok(()),
            _ => Err(FilterError::new(self.at(), expected)),
        }
    }

    fn any_of(&mut self, depth: usize) -> Parsed<Filter> {
        let mut parts = vec![self.all_of(depth)?];
        while self.takes_word("or") {
            parts.push(self.all_of(depth)?);
        }
        Ok(flat(parts, Filter::Or, |filter| match filter {
            Filter::Or(inner) => Ok(inner),
            other => Err(other),
        }))
    }

    fn all_of(&mut self, depth: usize) -> Parsed<Filter> {
        let mut parts = vec![self.one(depth)?];
        while self.takes_word("and") {
            parts.push(self.one(depth)?);
        }
        Ok(flat(parts, Filter::And, |filter| match filter {
            Filter::And(inner) => Ok(inner),
            other => Err(other),
        }))
    }

    fn one(&mut self, depth: usize) -> Parsed<Filter> {
        let at = self.at();
        if depth >= MAX_DEPTH {
            let most = format!("NOT and parentheses at most {MAX_DEPTH} deep");
            return Err(FilterError::new(at, most));
        }
        if self.takes_word("not") {
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.takes("(") {
            let inner = self.any_of(depth + 1)?;
            let at = self.at();
            return if self.takes(")") {
                Ok(inner)
            } else {
                Err(FilterError::new(at, "AND, OR or `)`"))
            };
        }
        self.conditions += 1;
        if self.conditions > MAX_CONDITIONS {
            return Err(FilterError::new(at, format!("at most {MAX_CONDITIONS} conditions")));
        }
        self.condition().map(Filter::Is)
    }

    fn condition(&mut self) -> Parsed<Condition> {
        let at = self.at();
        let name = match self.next() {
            Token::Text(text) if super::words(&text).is_empty() => {
                return Err(FilterError::new(at, "a text with a letter or digit"));
            }
            Token::Text(text) => return Ok(Condition::Keyword(text)),
            Token::Word(name) => name,
            _ => return Err(FilterError::new(at, CONDITION)),
        };
        if let Some(flag) = Flag::named(&name) {
            return Ok(Condition::Flag(flag));
        }
        if let Some(text) = Text::named(&name) {
            return self.text(text);
        }
        if let Some(number) = Number::named(&name) {
            let (op, amount) = match self.compared(true)? {
                Compared::Unknown(is) => {
                    return Ok(Condition::Unknown(Knowable::Number(number), is));
                }
                Compared::Op(op) => (op, self.amount(number == Number::Engagement)?),
            };
            return Ok(Condition::Number(number, op, amount));
        }
        if let Some(date) = Date::named(&name) {
            return match self.compared(date == Date::LastContact)? {
                Compared::Unknown(is) => Ok(Condition::Unknown(Knowable::Date(date), is)),
                Compared::Op(op) => Ok(Condition::Date(date, op, self.when()?)),
            };
        }
        if let Some(measure) = Measure::named(&name) {
            let over = self.over(measure)?;
            let op = self.op()?;
            let amount = self.amount(measure == Measure::Conversion)?;
            return Ok(Condition::Measure(measure, over, op, amount));
        }
        match name.as_str() {
            "tag" => self.texts().map(|(is, values)| Condition::Tag(is, values)),
            "state" => self.state(),
            "field" => self.field(),
            _ => Err(FilterError::new(at, CONDITION)),
        }
    }

    fn text(&mut self, text: Text) -> Parsed<Condition> {
        let may_miss = !matches!(text, Text::Stage | Text::Campaign | Text::Kind);
        if may_miss && let Some(is) = self.unknown() {
            return Ok(Condition::Unknown(Knowable::Text(text), is));
        }
        let (is, mut values) = self.texts()?;
        if text == Text::Country {
            values.iter_mut().for_each(|value| value.make_ascii_uppercase());
            let upper = values.clone();
            let mut place = 0;
            values.retain(|value| {
                place += 1;
                !upper.iter().take(place - 1).any(|before| before == value)
            });
        }
        Ok(Condition::Text(text, is, values))
    }

    /// `= unknown` or `!= unknown`, if that follows.
    fn unknown(&mut self) -> Option<bool> {
        let mut next = self.left.iter().rev().map(|(_, token)| token);
        let is = match next.next() {
            Some(Token::Sign("=")) => true,
            Some(Token::Sign("!=")) => false,
            _ => return None,
        };
        let unknown = matches!(next.next(), Some(Token::Word(word)) if word == "unknown");
        unknown.then(|| {
            self.next();
            self.next();
            is
        })
    }

    fn compared(&mut self, may_miss: bool) -> Parsed<Compared> {
        let at = self.left.iter().rev().nth(1).map_or(1, |(at, _)| *at);
        match self.unknown() {
            Some(is) if may_miss => Ok(Compared::Unknown(is)),
            Some(_) => Err(FilterError::new(at, "a value: this is always known")),
            None => self.op().map(Compared::Op),
        }
    }

    fn op(&mut self) -> Parsed<Op> {
        let at = self.at();
        match self.next() {
            Token::Sign(sign) => Op::named(sign),
            _ => None,
        }
        .ok_or_else(|| FilterError::new(at, "=, !=, <, <=, > or >="))
    }

    fn equal(&mut self) -> Parsed<bool> {
        let at = self.at();
        match self.next() {
            Token::Sign("=") => Ok(true),
            Token::Sign("!=") => Ok(false),
            _ => Err(FilterError::new(at, "= or !=")),
        }
    }

    fn quoted(&mut self) -> Parsed<String> {
        let at = self.at();
        match self.next() {
            Token::Text(text) if !text.is_empty() => Ok(text),
            _ => Err(FilterError::new(at, "a text in quotes")),
        }
    }

    /// `= "a"`, `!= "a"` or `IN ("a", "b")`.
    fn texts(&mut self) -> Parsed<(bool, Vec<String>)> {
        if !self.takes_word("in") {
            let at = self.at();
            let is = self.equal().map_err(|_| FilterError::new(at, "=, != or IN"))?;
            return Ok((is, vec![self.quoted()?]));
        }
        self.needs("(")?;
        let mut values: Vec<String> = Vec::new();
        loop {
            let at = self.at();
            let value = self.quoted()?;
            if values.len() >= MAX_TEXTS {
                return Err(FilterError::new(at, format!("at most {MAX_TEXTS} texts")));
            }
            if !values.contains(&value) {
                values.push(value);
            }
            let at = self.at();
            if self.takes(")") {
                return Ok((true, values));
            }
            if !self.takes(",") {
                return Err(FilterError::new(at, "`,` or `)`"));
            }
        }
    }

    fn state(&mut self) -> Parsed<Condition> {
        let is = self.equal()?;
        let at = self.at();
        match self.next() {
            Token::Word(word) | Token::Text(word) if word == "open" => Ok(Condition::Open(is)),
            Token::Word(word) | Token::Text(word) if word == "closed" => Ok(Condition::Open(!is)),
            _ => Err(FilterError::new(at, "open or closed")),
        }
    }

    fn field(&mut self) -> Parsed<Condition> {
        self.needs(".")?;
        let at = self.at();
        let name = match self.next() {
            Token::Word(name) => name,
            Token::Text(name) if !name.is_empty() => name,
            _ => return Err(FilterError::new(at, "the name of a custom field")),
        };
        let op = match self.compared(true)? {
            Compared::Unknown(is) => return Ok(Condition::Unknown(Knowable::Field(name), is)),
            Compared::Op(op) => op,
        };
        match (self.peek(), op) {
            (Token::Text(_), Op::Eq | Op::Ne) => {
                self.quoted().map(|text| Condition::FieldText(name, op == Op::Eq, text))
            }
            (Token::Text(_), _) => Err(FilterError::new(self.at(), "a number, to compare so")),
            _ => self.amount(false).map(|amount| Condition::FieldNumber(name, op, amount)),
        }
    }

    /// A number that isn't negative; percentages may say so.
    fn amount(&mut self, percent: bool) -> Parsed<Amount> {
        const EXPECTED: &str = "a number of at most twelve digits, four of them after the point";
        let at = self.at();
        let Token::Digits(text) = self.next() else { return Err(FilterError::new(at, EXPECTED)) };
        let amount = amount(&text).ok_or_else(|| FilterError::new(at, EXPECTED))?;
        if percent {
            self.takes("%");
        }
        Ok(amount)
    }

    fn when(&mut self) -> Parsed<When> {
        const EXPECTED: &str = "a day such as 2026-10-01, today, or today-30d";
        let at = self.at();
        match self.next() {
            Token::Digits(text) => day(&text).map(When::Day),
            Token::Word(word) if word == "today" => {
                if !self.takes("-") {
                    return Ok(When::Ago(0));
                }
                let at = self.at();
                let Token::Digits(text) = self.next() else {
                    return Err(FilterError::new(at, "days such as 30d"));
                };
                let days = days(&text).ok_or_else(|| FilterError::new(at, "days such as 30d"))?;
                Some(When::Ago(days))
            }
            _ => None,
        }
        .ok_or_else(|| FilterError::new(at, EXPECTED))
    }

    /// `[30d, EUR]`, or nothing: all time, in the brand's currency.
    fn over(&mut self, measure: Measure) -> Parsed<Over> {
        if !self.takes("[") {
            return Ok(Over { period: Period::All, currency: None });
        }
        let period = self.period()?;
        let at = self.at();
        let mut currency = None;
        if measure.is_money() && self.takes(",") {
            let at = self.at();
            currency = match self.next() {
                Token::Word(code) => code.to_ascii_uppercase().parse::<Currency>().ok(),
                _ => None,
            };
            if currency.is_none() {
                return Err(FilterError::new(at, "a currency such as EUR"));
            }
        }
        let expected = if measure.is_money() && currency.is_none() { "`,` or `]`" } else { "`]`" };
        if self.takes("]") {
            Ok(Over { period, currency })
        } else {
            Err(FilterError::new(at, expected))
        }
    }

    fn period(&mut self) -> Parsed<Period> {
        let at = self.at();
        let wrong = |at| FilterError::new(at, PERIOD);
        let text = match self.next() {
            Token::Word(word) => {
                return match word.as_str() {
                    "all" => Ok(Period::All),
                    "this_month" => Ok(Period::ThisMonth),
                    "last_month" => Ok(Period::LastMonth),
                    _ => Err(wrong(at)),
                };
            }
            Token::Digits(text) => text,
            _ => return Err(wrong(at)),
        };
        if self.takes("..") {
            let from = day(&text).ok_or_else(|| wrong(at))?;
            let at = self.at();
            let Token::Digits(text) = self.next() else { return Err(wrong(at)) };
            let to = day(&text).ok_or_else(|| wrong(at))?;
            if to < from {
                return Err(FilterError::new(at, "a day that isn't before the first one"));
            }
            return Ok(Period::Between(from, to));
        }
        if let Some(days) = days(&text).filter(|days| *days > 0) {
            return Ok(Period::Days(days));
        }
        let month = Month::from_iso(&text).filter(|month| YEARS.contains(&(month.0 / 12)));
        month.map(Period::Month).ok_or_else(|| wrong(at))
    }
}

enum Compared {
    Unknown(bool),
    Op(Op),
}

/// Years that brands may mean.
const YEARS: std::ops::Range<i64> = 2000..2200;

/// Several parts under one roof, those of the same kind without their own.
fn flat(
    mut parts: Vec<Filter>,
    roof: fn(Vec<Filter>) -> Filter,
    open: fn(Filter) -> Result<Vec<Filter>, Filter>,
) -> Filter {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    let mut all = Vec::with_capacity(parts.len());
    for part in parts {
        match open(part) {
            Ok(inner) => all.extend(inner),
            Err(part) => all.push(part),
        }
    }
    roof(all)
}

fn amount(text: &str) -> Option<Amount> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || text.ends_with('.') {
        return None;
    }
    let part = part.trim_end_matches('0');
    let fits = whole.len() + part.len() <= 12 && part.len() <= 4;
    let digits = format!("{whole}{part}").parse().ok().filter(|_| fits)?;
    Some(Amount { digits, scale: u32::try_from(part.len()).ok()? })
}

/// A day that brands may mean.
fn day(text: &str) -> Option<Day> {
    let plain = text.as_bytes().get(4) == Some(&b'-');
    Day::from_iso(text).filter(|day| plain && YEARS.contains(&(Month::of(*day).0 / 12)))
}

/// `30d`: at most ten years.
fn days(text: &str) -> Option<u32> {
    let number = text.strip_suffix(['d', 'D'])?;
    let plain =
        !number.is_empty() && number.len() <= 4 && number.bytes().all(|b| b.is_ascii_digit());
    number.parse().ok().filter(|days| plain && *days <= 3660)
}
