//! The filter language: which deals or creators are meant. Lists use it, and whatever acts on many.
//!
//! docs/filters.md describes it. A [`Filter`] is what [`parse`] made of a text and prints itself in one
//! canonical form that parses to the same filter. `storage/filter` compiles it to SQL; [`naive`] says what
//! it means.

mod lexer;
pub mod naive;
mod parse;
pub mod period;
mod print;
pub mod sort;

pub use parse::{FilterError, MAX_CONDITIONS, MAX_DEPTH, MAX_LENGTH, parse};
pub use period::{Month, Period, Span};
pub use sort::{Sort, SortKey};

use super::money::Currency;
use super::time::Day;

/// What to look for. `And` and `Or` have two or more parts, none of their own kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of these.
    And(Vec<Self>),
    /// At least one of these.
    Or(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// One condition.
    Is(Condition),
}

/// One condition. What isn't known fulfils none, except that it is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Every word of the text begins a word of the names, handles, niche and notes.
    Keyword(String),
    /// It has this.
    Flag(Flag),
    /// A text is, or isn't, one of these: more than one only if it is.
    Text(Text, bool, Vec<String>),
    /// One of the tags is, or none is, one of these.
    Tag(bool, Vec<String>),
    /// Open, or closed.
    Open(bool),
    /// A number compared.
    Number(Number, Op, Amount),
    /// A day compared.
    Date(Date, Op, When),
    /// A measure over a period compared.
    Measure(Measure, Over, Op, Amount),
    /// A custom field compared with a text: it is, or isn't.
    FieldText(String, bool, String),
    /// A custom field compared with a number.
    FieldNumber(String, Op, Amount),
    /// What of this isn't known (true), or is (false).
    Unknown(Knowable, bool),
}

/// What may be unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Knowable {
    /// A text.
    Text(Text),
    /// A number.
    Number(Number),
    /// A day.
    Date(Date),
    /// A custom field.
    Field(String),
}

macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $type { $($(#[$variant_doc])* $variant,)* }
        impl $type {
            /// All of them with their names in the language.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$variant, $name),)*];

            /// The one with this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().find(|(_, known)| *known == name).map(|(found, _)| *found)
            }

            /// Its name in the language.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

named! {
    /// What is there or isn't.
    Flag {
        /// A link that is open.
        HasLink = "has_link",
        /// A code that can be used.
        HasCode = "has_code",
        /// The creator was invited, or came in.
        Invited = "invited",
    }
}

named! {
    /// Texts that are compared as they are.
    Text {
        /// Where on its campaign's board a deal is.
        Stage = "stage",
        /// A deal's campaign, by id or name.
        Campaign = "campaign",
        /// The kind of collaboration.
        Kind = "kind",
        /// The member who looks after a deal, by id.
        Owner = "owner",
        /// The creator's country.
        Country = "country",
        /// The creator's language.
        Language = "language",
        /// What the creator is about.
        Niche = "niche",
    }
}

named! {
    /// Numbers that people entered.
    Number {
        /// How many follow the creator.
        Followers = "followers",
        /// Her engagement rate, in percent.
        Engagement = "engagement",
        /// Days since the deal's last sale.
        DaysSinceLastSale = "days_since_last_sale",
    }
}

named! {
    /// Days of the brand's calendar.
    Date {
        /// The last contact with the creator about the deal.
        LastContact = "last_contact",
        /// When it was made.
        Created = "created",
    }
}

named! {
    /// What is measured over a period.
    Measure {
        /// Shoppers' clicks.
        Clicks = "clicks",
        /// Orders that aren't cancelled.
        Orders = "orders",
        /// Base after refunds.
        Revenue = "revenue",
        /// Commission.
        Commission = "commission",
        /// Orders ÷ unique clicks, in percent; unknown without clicks.
        Conversion = "conversion",
        /// Revenue ÷ commission; unknown without commission.
        RevenuePerCommission = "revenue_per_commission",
    }
}

impl Measure {
    /// Whether it is about money, and so about one currency.
    #[must_use]
    pub fn is_money(self) -> bool {
        matches!(self, Self::Revenue | Self::Commission | Self::RevenuePerCommission)
    }
}

named! {
    /// How to compare.
    Op {
        /// Equal.
        Eq = "=",
        /// Not equal.
        Ne = "!=",
        /// Less.
        Lt = "<",
        /// At most.
        Le = "<=",
        /// More.
        Gt = ">",
        /// At least.
        Ge = ">=",
    }
}

impl Op {
    /// Whether the comparison holds for things that stand like this.
    #[must_use]
    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
        }
    }
}

/// A period, and for money a currency: the brand's where none is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// When.
    pub period: Period,
    /// In which currency.
    pub currency: Option<Currency>,
}

/// A number as it was written: `digits` with the last `scale` of them after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// At most twelve digits.
    pub digits: i64,
    /// At most four.
    pub scale: u32,
}

impl Amount {
    /// What one of the number is in units of its last decimal.
    #[must_use]
    pub fn one(self) -> i64 {
        10_i64.pow(self.scale.min(4))
    }

    /// The comparison of a whole number of units, `unit` of which make one, that says the same as `op`
    /// with this amount.
    #[must_use]
    pub fn in_units(self, op: Op, unit: i64) -> (Op, i64) {
        let (whole, one) = (i128::from(self.digits) * i128::from(unit), i128::from(self.one()));
        let (down, exact) = (whole.div_euclid(one), whole.rem_euclid(one) == 0);
        let down = i64::try_from(down).unwrap_or(i64::MAX).clamp(-MOST, MOST);
        match op {
            _ if exact => (op, down),
            Op::Lt | Op::Le => (Op::Le, down),
            Op::Gt | Op::Ge => (Op::Gt, down),
            // No number of units is it.
            Op::Eq => (Op::Lt, -MOST),
            Op::Ne => (Op::Ge, -MOST),
        }
    }
}

/// Beyond whatever is measured, and exact as a parameter of D1.
const MOST: i64 = 9_007_199_254_740_991;

/// A day, or one that moves with today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// That day.
    Day(Day),
    /// So many days before today.
    Ago(u32),
}

impl When {
    /// The day, seen from today.
    #[must_use]
    pub fn day(self, today: Day) -> Day {
        match self {
            Self::Day(day) => day,
            Self::Ago(days) => today.plus(-i64::from(days)),
        }
    }
}

/// What a filter is seen from.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// The brand's day.
    pub today: Day,
    /// Its calendar.
    pub zone: &'a super::time::Zone,
    /// Its currency.
    pub currency: Currency,
}

impl Filter {
    /// The conditions that all have to hold.
    #[must_use]
    pub fn required(&self) -> Vec<&Condition> {
        match self {
            Self::Is(condition) => vec![condition],
            Self::And(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Self::Is(condition) => Some(condition),
                    _ => None,
                })
                .collect(),
            Self::Or(_) | Self::Not(_) => Vec::new(),
        }
    }

    /// Whether it looks for words.
    #[must_use]
    pub fn has_words(&self) -> bool {
        let mut has = false;
        self.each(&mut |condition| has |= matches!(condition, Condition::Keyword(_)));
        has
    }

    /// Calls `look` with every condition.
    pub fn each(&self, look: &mut dyn FnMut(&Condition)) {
        match self {
            Self::Is(condition) => look(condition),
            Self::Not(part) => part.each(look),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.each(look)),
        }
    }
}

/// The words of a keyword: letters and digits, in lower case.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests;
