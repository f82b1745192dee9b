//! What a filter means: an evaluator over plain values, which SQL is tested against.
//!
//! There are two truth values. A condition about something that isn't known doesn't hold, whatever the
//! comparison (`!=` too), and so NOT of it holds.

use std::cmp::Ordering;

use serde_json::Value;

use super::{
    Amount, Condition, Date, Filter, Flag, Knowable, Measure, Now, Number, Op, Over, Sort, SortKey,
    Text, words,
};
use crate::domain::decimal::Decimal;
use crate::domain::money::Currency;
use crate::domain::time::{Day, Millis};

/// A deal with its creator, as a filter sees them; or a creator without any.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// The deal's id; empty where there is none, about which then nothing is known.
    pub id: String,
    /// Tags of the deal and of its creator.
    pub tags: Vec<String>,
    /// Its stage.
    pub stage: String,
    /// Its campaign's id and name.
    pub campaign: (String, String),
    /// Its kind.
    pub kind: String,
    /// Who looks after it.
    pub owner: Option<String>,
    /// The creator's country.
    pub country: Option<String>,
    /// Her language.
    pub language: Option<String>,
    /// What she is about.
    pub niche: Option<String>,
    /// How many follow her.
    pub followers: Option<i64>,
    /// Her engagement rate in basis points.
    pub engagement_bp: Option<i64>,
    /// The flags that are set.
    pub flags: Vec<Flag>,
    /// Whether it is open.
    pub open: bool,
    /// The last contact.
    pub contacted_at_ms: Option<Millis>,
    /// When it was made.
    pub created_at_ms: Millis,
    /// Custom fields: an object.
    pub fields: Value,
    /// All that keywords look at.
    pub text: String,
    /// The creator's id.
    pub creator: String,
    /// Her name.
    pub name: String,
    /// Orders: the day, the currency, how many, base and commission.
    pub sales: Vec<(Day, Currency, i64, i64, i64)>,
    /// Clicks: the day, how many, how many of them unique.
    pub clicks: Vec<(Day, i64, i64)>,
}

/// Whether a filter finds this.
#[must_use]
pub fn finds(filter: &Filter, subject: &Subject, now: &Now<'_>) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| finds(part, subject, now)),
        Filter::Or(parts) => parts.iter().any(|part| finds(part, subject, now)),
        Filter::Not(part) => !finds(part, subject, now),
        Filter::Is(condition) => holds(condition, subject, now),
    }
}

fn holds(condition: &Condition, subject: &Subject, now: &Now<'_>) -> bool {
    match condition {
        Condition::Keyword(keyword) => {
            let there = words(&subject.text);
            // One letter alone has to be the whole word.
            let begins = |start: &String| {
                let whole = start.chars().count() == 1;
                there.iter().any(|word| if whole { word == start } else { word.starts_with(start) })
            };
            words(keyword).iter().all(begins)
        }
        Condition::Flag(flag) => subject.flags.contains(flag),
        Condition::Text(Text::Campaign, is, values) => {
            let (id, name) = &subject.campaign;
            is_deal(subject) && (values.contains(id) || values.contains(name)) == *is
        }
        Condition::Text(text, is, values) => {
            told(subject, *text).is_some_and(|told| values.contains(told) == *is)
        }
        Condition::Tag(is, values) => {
            values.iter().any(|value| subject.tags.contains(value)) == *is
        }
        Condition::Open(open) => is_deal(subject) && subject.open == *open,
        Condition::Number(number, op, amount) => {
            let unit = if *number == Number::Engagement { 100 } else { 1 };
            counted(subject, *number, now)
                .is_some_and(|value| compares((value, unit), *op, *amount))
        }
        Condition::Date(date, op, when) => {
            day(subject, *date, now).is_some_and(|day| op.holds(day.cmp(&when.day(now.today))))
        }
        Condition::Measure(measure, over, op, amount) => {
            value(subject, *measure, *over, now).is_some_and(|value| compares(value, *op, *amount))
        }
        Condition::FieldText(name, is, text) => subject
            .fields
            .get(name)
            .and_then(Value::as_str)
            .is_some_and(|value| (value == text) == *is),
        Condition::FieldNumber(name, op, amount) => {
            let number = |text: String| text.parse::<Decimal>().ok();
            let value = subject.fields.get(name).filter(|value| value.is_number());
            let value = value.and_then(|value| number(value.to_string()));
            let limit = number(amount.to_string());
            value.zip(limit).is_some_and(|(value, limit)| op.holds(value.cmp(&limit)))
        }
        Condition::Unknown(what, is) => {
            let known = match what {
                Knowable::Text(text) => told(subject, *text).is_some(),
                Knowable::Number(number) => counted(subject, *number, now).is_some(),
                Knowable::Date(date) => day(subject, *date, now).is_some(),
                Knowable::Field(name) => {
                    subject.fields.get(name).is_some_and(|v| v.is_string() || v.is_number())
                }
            };
            known != *is
        }
    }
}

/// Whether the fraction compares so with the amount.
fn compares((numerator, denominator): (i64, i64), op: Op, amount: Amount) -> bool {
    let left = i128::from(numerator) * i128::from(amount.one());
    let right = i128::from(amount.digits) * i128::from(denominator);
    op.holds(left.cmp(&right))
}

fn is_deal(subject: &Subject) -> bool {
    !subject.id.is_empty()
}

fn told(subject: &Subject, text: Text) -> Option<&String> {
    let of_deal = |text| is_deal(subject).then_some(text);
    match text {
        Text::Stage => of_deal(&subject.stage),
        Text::Campaign => of_deal(&subject.campaign.0),
        Text::Kind => of_deal(&subject.kind),
        Text::Owner => subject.owner.as_ref(),
        Text::Country => subject.country.as_ref(),
        Text::Language => subject.language.as_ref(),
        Text::Niche => subject.niche.as_ref(),
    }
}

fn counted(subject: &Subject, number: Number, now: &Now<'_>) -> Option<i64> {
    match number {
        Number::Followers => subject.followers,
        Number::Engagement => subject.engagement_bp,
        Number::DaysSinceLastSale => last_sale(subject).map(|day| now.today.0 - day.0),
    }
}

fn last_sale(subject: &Subject) -> Option<Day> {
    subject.sales.iter().filter(|sale| sale.2 > 0).map(|sale| sale.0).max()
}

fn day(subject: &Subject, date: Date, now: &Now<'_>) -> Option<Day> {
    let at_ms = match date {
        Date::LastContact => subject.contacted_at_ms?,
        Date::Created if is_deal(subject) => subject.created_at_ms,
        Date::Created => return None,
    };
    Some(now.zone.day(at_ms))
}

/// A measure as a fraction; `None` where it is unknown.
fn value(subject: &Subject, measure: Measure, over: Over, now: &Now<'_>) -> Option<(i64, i64)> {
    let (from, to) = over.period.ends(now.today);
    let within = |day: Day| (from..=to).contains(&day);
    let currency = over.currency.unwrap_or(now.currency);
    let sales = subject.sales.iter().filter(|sale| within(sale.0));
    let ours = sales.clone().filter(|sale| sale.1 == currency);
    let clicks = subject.clicks.iter().filter(|clicks| within(clicks.0));
    let orders: i64 = sales.map(|sale| sale.2).sum();
    let base: i64 = ours.clone().map(|sale| sale.3).sum();
    let commission: i64 = ours.map(|sale| sale.4).sum();
    let unit = 10_i64.pow(currency.exponent());
    match measure {
        Measure::Clicks => Some((clicks.map(|clicks| clicks.1).sum(), 1)),
        Measure::Orders => Some((orders, 1)),
        Measure::Revenue => Some((base, unit)),
        Measure::Commission => Some((commission, unit)),
        Measure::Conversion => {
            let uniques: i64 = clicks.map(|clicks| clicks.2).sum();
            (uniques > 0).then_some((orders * 100, uniques))
        }
        Measure::RevenuePerCommission => (commission > 0).then_some((base, commission)),
    }
}

/// How two stand in a list sorted so.
#[must_use]
pub fn order(sort: Sort, a: &Subject, b: &Subject, now: &Now<'_>) -> Ordering {
    let fraction = |subject: &Subject, measure, over| {
        // What isn't known stands below everything.
        value(subject, measure, over, now).unwrap_or((-1, 1))
    };
    let by_value = match sort.key {
        SortKey::Created => Ordering::Equal,
        SortKey::Name => (&a.name, &a.creator).cmp(&(&b.name, &b.creator)),
        SortKey::Followers => {
            let key =
                |subject: &Subject| (subject.followers.unwrap_or(-1), subject.creator.clone());
            key(a).cmp(&key(b))
        }
        SortKey::LastContact => {
            a.contacted_at_ms.unwrap_or(-1).cmp(&b.contacted_at_ms.unwrap_or(-1))
        }
        SortKey::DaysSinceLastSale => {
            last_sale(b).map_or(0, |d| d.0).cmp(&last_sale(a).map_or(0, |d| d.0))
        }
        SortKey::Measure(measure, over) => {
            let (a, b) = (fraction(a, measure, over), fraction(b, measure, over));
            // As it is kept: in millionths.
            let kept = |(n, d): (i64, i64)| {
                if n < 0 { -1 } else { i128::from(n) * 1_000_000 / i128::from(d.max(1)) }
            };
            kept(a).cmp(&kept(b))
        }
    };
    let ordering = by_value.then_with(|| a.id.cmp(&b.id));
    if sort.descending { ordering.reverse() } else { ordering }
}
