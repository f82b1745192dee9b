//! Shapes that several resources share: lists, money, percentages, texts of fields.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::ids::{Id, Kind};
use crate::domain::money::{BasisPoints, Currency, Money};
use crate::domain::time::{Day, Millis, to_rfc3339};
use crate::storage::Page;
use crate::web::body::{Fields, FromJson, Wrong, text, wrong};
use crate::web::extract::encode_cursor;
use crate::web::json::{self, ToJson};

/// A page of a list.
#[derive(ToSchema)]
pub struct List<T: ToSchema> {
    /// The rows.
    pub data: Vec<T>,
    /// What to pass as `cursor` for the next page; null on the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<T: ToSchema + ToJson> ToJson for List<T> {
    fn write(&self, out: &mut Vec<u8>) {
        json::Fields(&[("data", &self.data), ("next_cursor", &self.next_cursor)]).write(out);
    }
}

impl<T: ToSchema> List<T> {
    /// A page of rows, with a cursor if it is full. `key` names a row for the cursor.
    pub fn page<R>(
        rows: Vec<R>,
        page: &Page,
        key: impl Fn(&R) -> String,
        view: impl Fn(R) -> T,
    ) -> Self {
        let full = i64::try_from(rows.len()).is_ok_and(|n| n >= page.limit);
        let next_cursor = rows.last().filter(|_| full).map(|row| encode_cursor(&key(row)));
        Self { data: rows.into_iter().map(view).collect(), next_cursor }
    }

    /// Leaves rows of the page out; it goes on where it would have.
    pub fn keep(&mut self, which: impl FnMut(&T) -> bool) {
        self.data.retain(which);
    }
}

impl<K: Kind> PartialSchema for Id<K> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).into()
    }
}
impl<K: Kind> ToSchema for Id<K> {
    fn name() -> std::borrow::Cow<'static, str> {
        format!("{}_id", K::PREFIX).into()
    }
}

/// How the API writes [`Money`].
#[derive(ToSchema)]
#[schema(as = Money)]
#[allow(dead_code, reason = "describes the JSON of Money in the OpenAPI document")]
pub struct MoneyView {
    /// A decimal text with the currency's own number of decimals.
    #[schema(example = "18.00")]
    amount: String,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
}
impl PartialSchema for Money {
    fn schema() -> RefOr<Schema> {
        MoneyView::schema()
    }
}
impl ToSchema for Money {
    fn name() -> std::borrow::Cow<'static, str> {
        "Money".into()
    }
}
impl FromJson for Money {
    fn from_json(value: &serde_json::Value) -> Result<Self, Wrong> {
        let mut fields = Fields::of(value, &["amount", "currency"])?;
        let read: (String, String) = (fields.read("amount"), fields.read("currency"));
        let (amount, currency) = fields.all_right(read)?;
        let money = currency.parse().and_then(|currency| Self::parse(&amount, currency));
        money.map_err(wrong)
    }

    fn placeholder() -> Self {
        Self::new(0, Currency::NONE)
    }
}
impl FromJson for Currency {
    fn from_json(value: &serde_json::Value) -> Result<Self, Wrong> {
        text(value)?.parse().map_err(wrong)
    }

    fn placeholder() -> Self {
        Self::NONE
    }
}
impl<K: Kind> FromJson for Id<K> {
    fn from_json(value: &serde_json::Value) -> Result<Self, Wrong> {
        text(value)?.parse().map_err(wrong)
    }

    fn placeholder() -> Self {
        Self::from_bytes([0; 16])
    }
}
impl PartialSchema for Currency {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).into()
    }
}
impl ToSchema for Currency {}

/// A time as the API writes it: RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Millis);

impl ToJson for Time {
    fn write(&self, out: &mut Vec<u8>) {
        to_rfc3339(self.0).write(out);
    }
}
impl FromJson for Time {
    fn from_json(value: &serde_json::Value) -> Result<Self, Wrong> {
        crate::domain::time::parse_rfc3339(text(value)?)
            .filter(|at| (0..7_258_118_400_000).contains(at))
            .map(Self)
            .ok_or_else(|| wrong("must be an RFC 3339 time with an offset"))
    }

    fn placeholder() -> Self {
        Self(0)
    }
}
impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
                utoipa::openapi::KnownFormat::DateTime,
            )))
            .into()
    }
}
impl ToSchema for Time {}

/// A day as the API writes it: `2026-11-22`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date(pub Day);

impl ToJson for Date {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.to_iso().write(out);
    }
}
impl FromJson for Date {
    fn from_json(value: &serde_json::Value) -> Result<Self, Wrong> {
        Day::from_iso(text(value)?)
            .filter(|day| day.is_nameable())
            .map(Self)
            .ok_or_else(|| wrong("must be a date such as 2026-11-22"))
    }

    fn placeholder() -> Self {
        Self(Day(0))
    }
}
impl PartialSchema for Date {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
                utoipa::openapi::KnownFormat::Date,
            )))
            .into()
    }
}
impl ToSchema for Date {}

/// A percentage as the API writes it: a decimal text with at most two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub BasisPoints);

impl ToJson for Percent {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.to_percent().write(out);
    }
}
impl FromJson for Percent {
    fn from_json(value: &serde_json::Value) -> Result<Self, Wrong> {
        BasisPoints::parse_percent(text(value)?).map(Self).map_err(wrong)
    }

    fn placeholder() -> Self {
        Self(BasisPoints::ZERO)
    }
}
impl PartialSchema for Percent {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).examples(["12.5"]).into()
    }
}
impl ToSchema for Percent {}
