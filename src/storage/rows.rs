//! How rows become structs: one mechanism for every read.
//!
//! Rows cross the port as JSON objects. [`row!`] declares a struct and how it is read, one call of
//! [`Columns::read`] a field. None of them branches: the first column that is unfit is noted, a
//! placeholder goes on in its place, and the whole struct is refused in the end. Serde's derives
//! took several times the code, as did an `async fn` for each query. JSON that a query builds or a
//! table keeps is read the same way: a struct or a list in a column.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::map::Entry;

use super::DbError;
use crate::app::Pending;
use crate::domain::ids::{Id, Kind};
use crate::domain::money::{BasisPoints, Currency};
use crate::domain::time::Day;

/// The rows that one statement returned: JSON objects with the columns as keys.
#[derive(Debug, Clone, Default)]
pub struct Rows(pub Vec<Value>);

impl Rows {
    /// All rows.
    ///
    /// # Errors
    /// [`DbError::Failed`] if a row doesn't have the form that the code expects.
    pub fn all<T: FromRow>(&self) -> Result<Vec<T>, DbError> {
        self.read(struct_of)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub fn first<T: FromRow>(&self) -> Result<Option<T>, DbError> {
        Ok(self.0.first().map(struct_of).transpose()?)
    }

    /// One column of all rows.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub fn column<T: FromColumn>(&self, name: &'static str) -> Result<Vec<T>, DbError> {
        self.read(|row| {
            let mut columns = Columns::of(row);
            let value = columns.read(name);
            columns.fit(value)
        })
    }

    fn read<T>(&self, one: impl Fn(&Value) -> Result<T, Unfit>) -> Result<Vec<T>, DbError> {
        let mut all = Vec::with_capacity(self.0.len());
        for row in &self.0 {
            all.push(one(row)?);
        }
        Ok(all)
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A struct that a row can be read as; [`row!`] makes the usual ones.
pub trait FromRow: Sized {
    /// The struct that these columns tell.
    fn from_row(columns: &mut Columns<'_>) -> Self;
}

/// The struct that this row tells.
fn struct_of<T: FromRow>(row: &Value) -> Result<T, Unfit> {
    let mut columns = Columns::of(row);
    let value = T::from_row(&mut columns);
    columns.fit(value)
}

/// The columns of a row, and which one was unfit.
pub struct Columns<'a> {
    row: &'a Value,
    unfit: Option<Unfit>,
}

impl<'a> Columns<'a> {
    fn of(row: &'a Value) -> Self {
        Self { row, unfit: None }
    }

    /// Reads one column; a placeholder if it is missing or of another form.
    // Its own function for each type, not for each field.
    #[inline(never)]
    pub fn read<T: FromColumn>(&mut self, name: &'static str) -> T {
        let value = self.row.get(name).and_then(T::from_column);
        self.checked(name, value)
    }

    /// Reads one field that isn't there where it would be the default.
    #[inline(never)]
    pub fn or_default<T: FromColumn + Default>(&mut self, name: &'static str) -> T {
        if self.row.get(name).is_none() { T::default() } else { self.read(name) }
    }

    /// What a column was made into; a placeholder if it can't be.
    pub fn checked<T: FromColumn>(&mut self, name: &'static str, value: Option<T>) -> T {
        value.unwrap_or_else(|| {
            self.unfit.get_or_insert(Unfit(name));
            T::placeholder()
        })
    }

    /// What was read, if all columns were fit.
    fn fit<T>(self, value: T) -> Result<T, Unfit> {
        self.unfit.map_or(Ok(value), Err)
    }
}

/// The name of a column that is missing or doesn't have the form that the code expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit(pub &'static str);

impl From<Unfit> for DbError {
    #[inline(never)]
    fn from(Unfit(column): Unfit) -> Self {
        Self::Failed(format!("row: the column {column} is missing or of another form"))
    }
}

/// A value of one column.
pub trait FromColumn: Sized {
    /// The value, if the column has the form for it.
    fn from_column(value: &Value) -> Option<Self>;

    /// What stands for a value that was unfit until the whole row is refused: nobody sees it.
    fn placeholder() -> Self;
}

/// The value that a JSON text holds, if it has the form for it.
#[must_use]
pub fn from_json<T: FromColumn>(text: &str) -> Option<T> {
    T::from_column(&parse(text).ok()?)
}

/// Parses any JSON, but refuses objects that say a key twice: the one such parser in the module.
///
/// # Errors
/// It is no JSON, or a key is there twice.
#[inline(never)]
pub fn parse(text: &str) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Reads any JSON value but refuses objects that say a key twice.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            match object.entry(key) {
                Entry::Vacant(place) => _ = place.insert(entries.next_value_seed(Self)?),
                Entry::Occupied(place) => {
                    let text = format!("`{}` stands there twice", place.key());
                    return Err(serde::de::Error::custom(text));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

/// JSON in a column comes as text; within that, as itself.
fn json(value: &Value) -> Option<Cow<'_, Value>> {
    match value {
        Value::String(text) => parse(text).ok().map(Cow::Owned),
        _ => Some(Cow::Borrowed(value)),
    }
}

impl FromColumn for i64 {
    fn from_column(value: &Value) -> Option<Self> {
        value.as_i64()
    }
    fn placeholder() -> Self {
        0
    }
}
impl FromColumn for u64 {
    fn from_column(value: &Value) -> Option<Self> {
        value.as_u64()
    }
    fn placeholder() -> Self {
        0
    }
}
impl FromColumn for u32 {
    fn from_column(value: &Value) -> Option<Self> {
        value.as_u64()?.try_into().ok()
    }
    fn placeholder() -> Self {
        0
    }
}
impl FromColumn for u16 {
    fn from_column(value: &Value) -> Option<Self> {
        value.as_u64()?.try_into().ok()
    }
    fn placeholder() -> Self {
        0
    }
}
/// SQLite's 0 and 1, or JSON's own.
impl FromColumn for bool {
    fn from_column(value: &Value) -> Option<Self> {
        value.as_bool().or_else(|| value.as_u64().map(|flag| flag != 0))
    }
    fn placeholder() -> Self {
        false
    }
}
impl FromColumn for String {
    fn from_column(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
    fn placeholder() -> Self {
        Self::new()
    }
}
impl FromColumn for Day {
    fn from_column(value: &Value) -> Option<Self> {
        value.as_i64().map(Self)
    }
    fn placeholder() -> Self {
        Self(0)
    }
}
impl FromColumn for Currency {
    fn from_column(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
    fn placeholder() -> Self {
        Self::NONE
    }
}
impl FromColumn for BasisPoints {
    fn from_column(value: &Value) -> Option<Self> {
        Self::new(u16::from_column(value)?)
    }
    fn placeholder() -> Self {
        Self::ZERO
    }
}
impl<K: Kind> FromColumn for Id<K> {
    fn from_column(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
    fn placeholder() -> Self {
        Self::from_bytes([0; 16])
    }
}
/// NULL is `None`; a column that isn't there is still a fault.
impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(value: &Value) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::from_column(value).map(Some) }
    }
    fn placeholder() -> Self {
        None
    }
}
/// A JSON list.
impl<T: FromColumn> FromColumn for Vec<T> {
    fn from_column(value: &Value) -> Option<Self> {
        json(value)?.as_array()?.iter().map(T::from_column).collect()
    }
    fn placeholder() -> Self {
        Self::new()
    }
}
/// A JSON list of two.
impl<A: FromColumn, B: FromColumn> FromColumn for (A, B) {
    fn from_column(value: &Value) -> Option<Self> {
        let [a, b] = value.as_array()?.as_slice() else { return None };
        Some((A::from_column(a)?, B::from_column(b)?))
    }
    fn placeholder() -> Self {
        (A::placeholder(), B::placeholder())
    }
}
/// A JSON list of three.
impl<A: FromColumn, B: FromColumn, C: FromColumn> FromColumn for (A, B, C) {
    fn from_column(value: &Value) -> Option<Self> {
        let [a, b, c] = value.as_array()?.as_slice() else { return None };
        Some((A::from_column(a)?, B::from_column(b)?, C::from_column(c)?))
    }
    fn placeholder() -> Self {
        (A::placeholder(), B::placeholder(), C::placeholder())
    }
}
/// A JSON object.
impl<T: FromRow> FromColumn for T {
    fn from_column(value: &Value) -> Option<Self> {
        struct_of(&*json(value)?).ok()
    }
    fn placeholder() -> Self {
        Self::from_row(&mut Columns::of(&Value::Null))
    }
}

/// Declares structs whose fields are the columns of a row, and reads them.
macro_rules! row {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty),* $(,)?
    })+) => {$(
        $(#[$meta])*
        $vis struct $name { $($(#[$field_meta])* $field_vis $field: $type),* }
        impl $crate::storage::rows::FromRow for $name {
            fn from_row(columns: &mut $crate::storage::rows::Columns<'_>) -> Self {
                Self { $($field: columns.read(stringify!($field))),* }
            }
        }
    )+};
}
pub(crate) use row;

/// How the database spells an enum, in columns and in parameters.
macro_rules! spelling {
    ($type:ident { $first:ident = $first_text:literal $(, $variant:ident = $text:literal)* $(,)? }) => {
        impl $crate::storage::rows::FromColumn for $type {
            fn from_column(value: &serde_json::Value) -> Option<Self> {
                match value.as_str()? {
                    $first_text => Some(Self::$first),
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
            fn placeholder() -> Self {
                Self::$first
            }
        }
        impl From<$type> for $crate::storage::Param {
            fn from(value: $type) -> Self {
                Self::from(match value {
                    $type::$first => $first_text,
                    $($type::$variant => $text),*
                })
            }
        }
    };
}
pub(crate) use spelling;

/// The answer to one statement, on its way. A plain future instead of an `async fn` for each
/// query: waiting is the same code for all of them, only `read` differs.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Reading<'a, T> {
    pub(super) running: Pending<'a, Result<Vec<Rows>, DbError>>,
    pub(super) read: fn(Rows) -> Result<T, DbError>,
}

impl<T> Future for Reading<'_, T> {
    type Output = Result<T, DbError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let rows = ready!(poll_only(&mut self.running, context))?;
        Poll::Ready((self.read)(rows))
    }
}

/// The rows of a batch of one statement.
#[inline(never)]
fn poll_only(
    running: &mut Pending<'_, Result<Vec<Rows>, DbError>>,
    context: &mut Context<'_>,
) -> Poll<Result<Rows, DbError>> {
    let results = ready!(running.as_mut().poll(context));
    Poll::Ready(results.map(|mut results| results.pop().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::DealId;
    use serde_json::json;

    row! {
        #[derive(Debug, PartialEq, Eq)]
        struct Inner {
            id: DealId,
            n: Option<u16>,
        }
        #[derive(Debug, PartialEq, Eq)]
        struct Outer {
            name: String,
            flag: bool,
            one: Option<Inner>,
            list: Vec<Inner>,
            tags: Vec<String>,
        }
    }

    fn read(row: Value) -> Result<Outer, DbError> {
        Rows(vec![row]).first().map(Option::unwrap)
    }

    #[test]
    fn a_row_is_read_with_the_json_in_it() {
        let id = DealId::from_bytes([7; 16]);
        let inner = |n| Inner { id, n };
        let list = json!([{ "id": id, "n": 7 }, { "id": id, "n": null }]).to_string();
        let row = json!({ "name": "a", "flag": 1, "one": null, "list": list, "tags": "[\"x\"]" });
        let (list, tags) = (vec![inner(Some(7)), inner(None)], vec!["x".to_owned()]);
        assert_eq!(read(row), Ok(Outer { name: "a".into(), flag: true, one: None, list, tags }));
    }

    #[test]
    fn a_column_of_another_form_is_named() {
        let good = json!({ "name": "a", "flag": 0, "one": null, "list": "[]", "tags": "[]" });
        assert!(read(good.clone()).is_ok());
        for (column, bad) in [
            ("name", json!(1)),
            ("name", Value::Null),
            ("flag", json!("1")),
            ("flag", json!(1.0)),
            ("one", json!("{\"n\":1}")),
            ("one", json!("{")),
            ("list", json!("[1]")),
            ("list", json!("{}")),
            ("tags", json!("[1]")),
        ] {
            let mut row = good.clone();
            row[column] = bad;
            let Err(DbError::Failed(detail)) = read(row) else { panic!("{column}") };
            assert!(detail.contains(&format!(" {column} ")), "{detail}");
        }
        let mut row = good;
        row.as_object_mut().unwrap().remove("one");
        assert!(read(row).is_err(), "a column that wasn't asked for is no NULL");
    }

    #[test]
    fn a_number_that_does_not_fit_is_refused() {
        assert_eq!(from_json::<u16>("65536"), None);
        assert_eq!(from_json::<u32>("-1"), None);
        assert_eq!(from_json::<i64>("-1"), Some(-1));
        assert_eq!(from_json::<i64>("1.5"), None);
        assert_eq!(from_json::<BasisPoints>("10001"), None);
    }
}
