//! The canonical text of filters and sorts.

use std::fmt::{Display, Formatter, Result, Write};

use super::{Amount, Condition, Filter, Knowable, Over, Period, Sort, SortKey, When};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let joined = |f: &mut Formatter<'_>, parts: &[Self], word: &str| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    f.write_str(word)?;
                }
                let inner = matches!(part, Self::And(_) | Self::Or(_));
                if inner { write!(f, "({part})")? } else { write!(f, "{part}")? }
            }
            Ok(())
        };
        match self {
            Self::And(parts) => joined(f, parts, " AND "),
            Self::Or(parts) => joined(f, parts, " OR "),
            Self::Not(part) if matches!(**part, Self::And(_) | Self::Or(_)) => {
                write!(f, "NOT ({part})")
            }
            Self::Not(part) => write!(f, "NOT {part}"),
            Self::Is(condition) => write!(f, "{condition}"),
        }
    }
}

/// A text in quotes.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

fn texts(f: &mut Formatter<'_>, name: &str, is: bool, texts: &[String]) -> Result {
    match texts {
        [one] => write!(f, "{name} {} {}", if is { "=" } else { "!=" }, Quoted(one)),
        more => {
            write!(f, "{name} IN (")?;
            for (index, one) in more.iter().enumerate() {
                let comma = if index > 0 { ", " } else { "" };
                write!(f, "{comma}{}", Quoted(one))?;
            }
            f.write_char(')')
        }
    }
}

fn field(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if plain { format!("field.{name}") } else { format!("field.{}", Quoted(name)) }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Keyword(text) => write!(f, "{}", Quoted(text)),
            Self::Flag(flag) => f.write_str(flag.name()),
            Self::Text(text, is, values) => texts(f, text.name(), *is, values),
            Self::Tag(is, values) => texts(f, "tag", *is, values),
            Self::Open(open) => write!(f, "state = {}", if *open { "open" } else { "closed" }),
            Self::Number(number, op, amount) => {
                write!(f, "{} {} {amount}", number.name(), op.name())
            }
            Self::Date(date, op, when) => write!(f, "{} {} {when}", date.name(), op.name()),
            Self::Measure(measure, over, op, amount) => {
                write!(f, "{}{over} {} {amount}", measure.name(), op.name())
            }
            Self::FieldText(name, is, value) => {
                texts(f, &field(name), *is, std::slice::from_ref(value))
            }
            Self::FieldNumber(name, op, amount) => {
                write!(f, "{} {} {amount}", field(name), op.name())
            }
            Self::Unknown(what, is) => {
                let name = match what {
                    Knowable::Text(text) => text.name().to_owned(),
                    Knowable::Number(number) => number.name().to_owned(),
                    Knowable::Date(date) => date.name().to_owned(),
                    Knowable::Field(name) => field(name),
                };
                write!(f, "{name} {} unknown", if *is { "=" } else { "!=" })
            }
        }
    }
}

impl Display for Amount {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (whole, part) = (self.digits / self.one(), self.digits % self.one());
        write!(f, "{whole}")?;
        if self.scale > 0 {
            write!(f, ".{part:0width$}", width = usize::try_from(self.scale).unwrap_or(0))?;
        }
        Ok(())
    }
}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Day(day) => f.write_str(&day.to_iso()),
            Self::Ago(0) => f.write_str("today"),
            Self::Ago(days) => write!(f, "today-{days}d"),
        }
    }
}

impl Display for Period {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Month(month) => f.write_str(&month.to_iso()),
            Self::ThisMonth => f.write_str("this_month"),
            Self::LastMonth => f.write_str("last_month"),
            Self::Days(days) => write!(f, "{days}d"),
            Self::Between(from, to) => write!(f, "{}..{}", from.to_iso(), to.to_iso()),
        }
    }
}

impl Display for Over {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match (self.period, self.currency) {
            (Period::All, None) => Ok(()),
            (period, None) => write!(f, "[{period}]"),
            (period, Some(currency)) => write!(f, "[{period}, {}]", currency.code()),
        }
    }
}

impl Display for Sort {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.descending {
            f.write_char('-')?;
        }
        match self.key {
            SortKey::Created => f.write_str("created"),
            SortKey::Name => f.write_str("name"),
            SortKey::Followers => f.write_str("followers"),
            SortKey::LastContact => f.write_str("last_contact"),
            SortKey::DaysSinceLastSale => f.write_str("days_since_last_sale"),
            SortKey::Measure(measure, over) => write!(f, "{}{over}", measure.name()),
        }
    }
}
