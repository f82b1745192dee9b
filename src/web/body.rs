//! Bodies of requests: parsed once into a JSON value, then read field by field.
//!
//! A body is declared with [`body!`](crate::web::body::body): the fields, their types, nothing
//! else. Reading one is a call per field of a function per type, which is why bodies don't use
//! serde's derive: that makes a machine per body. As with rows ([`Columns`]), no field branches:
//! the first that is wrong is noted, and the body refused in the end.
//!
//! [`Columns`]: crate::storage::rows::Columns

use serde_json::{Map, Value};

use crate::error::{Error, FieldError, Result};
use crate::storage::rows::parse as json;
use crate::web::MAX_API_BODY;

/// What is wrong with a value: boxed like [`Error`].
pub type Wrong = Box<FieldError>;

/// What can be read from a JSON value that isn't to be trusted.
pub trait FromJson: Sized {
    /// Reads a value that is there.
    ///
    /// # Errors
    /// What is wrong, with the path of the field inside of the value.
    fn from_json(value: &Value) -> Result<Self, Wrong>;

    /// What stands for a value that was wrong until the whole body is refused: nobody sees it.
    fn placeholder() -> Self;

    /// What an absent field means; `None` if it must be there.
    fn absent() -> Option<Self> {
        None
    }
}

/// Declares a request body: a struct whose unknown, missing and ill-typed fields are refused.
///
/// A field of type `Option<T>` may be absent, but not `null`; one of type `Option<Option<T>>` may
/// be absent (`None`), `null` (`Some(None)`) or set.
macro_rules! body {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        #[derive(utoipa::ToSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$meta])*
        $visibility struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
        }

        impl $crate::web::body::FromJson for $name {
            fn from_json(value: &serde_json::Value) -> Result<Self, $crate::web::body::Wrong> {
                let names = &[$($crate::web::body::plain(stringify!($field))),*];
                let mut fields = $crate::web::body::Fields::of(value, names)?;
                let read = Self {
                    $($field: fields.read($crate::web::body::plain(stringify!($field))),)*
                };
                fields.all_right(read)
            }
            fn placeholder() -> Self {
                Self { $($field: $crate::web::body::FromJson::placeholder(),)* }
            }
        }
    };
}
pub(crate) use body;

/// The name of a field, without the mark of one that is a word of Rust: `r#ref`.
#[must_use]
pub fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// Declares the words that stand for the variants of an enum in request bodies.
macro_rules! words {
    ($type:ty { $first_word:literal => $first:ident $(, $word:literal => $variant:ident)* $(,)? }) => {
        impl $crate::web::body::FromJson for $type {
            fn from_json(value: &serde_json::Value) -> Result<Self, $crate::web::body::Wrong> {
                match $crate::web::body::text(value)? {
                    $first_word => Ok(Self::$first),
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::web::body::unknown_word(&[$first_word, $($word),*])),
                }
            }
            fn placeholder() -> Self {
                Self::$first
            }
        }
    };
}
pub(crate) use words;

/// The fields of an object, and what was wrong with the first that was.
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    wrong: Option<Wrong>,
}

impl<'a> Fields<'a> {
    /// The fields of a value that must be an object with no other fields than these.
    ///
    /// # Errors
    /// What it is instead, or the first unknown field.
    pub fn of(value: &'a Value, names: &[&str]) -> Result<Self, Wrong> {
        let Value::Object(object) = value else { return Err(ill_typed(value, "an object")) };
        match object.keys().find(|key| !names.contains(&key.as_str())) {
            Some(key) => {
                let reason = format!("unknown field `{key}`, expected {}", one_of(names));
                Err(wrong(reason).within(key))
            }
            None => Ok(Self { object, wrong: None }),
        }
    }

    /// Reads one field; a placeholder if something is wrong with it, or if it must be there and
    /// isn't.
    #[inline(never)]
    pub fn read<T: FromJson>(&mut self, name: &str) -> T {
        let read = match self.object.get(name) {
            Some(value) => T::from_json(value),
            None => T::absent().ok_or_else(|| missing(name)),
        };
        read.unwrap_or_else(|wrong| {
            self.note(name, wrong);
            T::placeholder()
        })
    }

    #[inline(never)]
    fn note(&mut self, name: &str, wrong: Wrong) {
        self.wrong.get_or_insert_with(|| wrong.within(name));
    }

    /// What was read of the fields.
    ///
    /// # Errors
    /// Something was wrong with one of them.
    pub fn all_right<T>(self, read: T) -> Result<T, Wrong> {
        self.wrong.map_or(Ok(read), Err)
    }
}

#[inline(never)]
fn missing(name: &str) -> Wrong {
    wrong(format!("missing field `{name}`"))
}

/// Something is wrong with the value at hand; whoever holds it says where, by
/// [`FieldError::within`].
pub fn wrong(reason: impl ToString) -> Wrong {
    Wrong::new(FieldError { field: String::new(), reason: reason.to_string() })
}

/// Names the type only: the value may be an account number in the wrong place.
fn ill_typed(value: &Value, expected: &str) -> Wrong {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a sequence",
        Value::Object(_) => "an object",
    };
    wrong(format!("invalid type: {found}, expected {expected}"))
}

/// `a`, `b` or `c`, as serde says it.
fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [one] => one.clone(),
        [one, other] => format!("{one} or {other}"),
        _ => format!("one of {}", quoted.join(", ")),
    }
}

/// A text that is none of these words; it isn't repeated.
#[must_use]
pub fn unknown_word(words: &[&str]) -> Wrong {
    wrong(format!("unknown variant, expected {}", one_of(words)))
}

/// A value that must be a text.
///
/// # Errors
/// What it is instead.
pub fn text(value: &Value) -> Result<&str, Wrong> {
    value.as_str().ok_or_else(|| ill_typed(value, "a string"))
}

impl FromJson for String {
    fn from_json(value: &Value) -> Result<Self, Wrong> {
        text(value).map(str::to_owned)
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

impl FromJson for bool {
    fn from_json(value: &Value) -> Result<Self, Wrong> {
        value.as_bool().ok_or_else(|| ill_typed(value, "a boolean"))
    }

    fn placeholder() -> Self {
        false
    }
}

impl FromJson for i64 {
    fn from_json(value: &Value) -> Result<Self, Wrong> {
        value.as_i64().ok_or_else(|| ill_typed(value, "i64"))
    }

    fn placeholder() -> Self {
        0
    }
}

impl FromJson for u16 {
    fn from_json(value: &Value) -> Result<Self, Wrong> {
        let integer = value.as_i64().ok_or_else(|| ill_typed(value, "u16"))?;
        let narrow = Self::try_from(integer);
        narrow.map_err(|_| wrong("invalid value: expected u16"))
    }

    fn placeholder() -> Self {
        0
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value) -> Result<Self, Wrong> {
        let items = value.as_array().ok_or_else(|| ill_typed(value, "a sequence"))?;
        let mut list = Self::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            list.push(T::from_json(item).map_err(|error| error.within(&format!("[{index}]")))?);
        }
        Ok(list)
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Value) -> Result<Self, Wrong> {
        match T::absent() {
            // Option<Option<_>>: the inner one is what `null` clears.
            Some(nothing) if value.is_null() => Ok(Some(nothing)),
            _ => T::from_json(value).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn placeholder() -> Self {
        None
    }
}

/// Reads a body. Unknown fields, wrong types and missing fields are 422 with the field's path;
/// what is no JSON object at all, or says a field twice, is 400.
///
/// # Errors
/// 400, 413 or 422.
pub fn parse_body<T: FromJson>(bytes: &[u8]) -> Result<T> {
    let value = parse(bytes)?;
    T::from_json(&value).map_err(|wrong| refused(*wrong))
}

fn refused(wrong: FieldError) -> Box<Error> {
    Error::Invalid(vec![wrong]).into()
}

fn parse(bytes: &[u8]) -> Result<Value> {
    if bytes.len() > MAX_API_BODY {
        return Err(Error::TooLarge.into());
    }
    let malformed = |text: String| Error::Malformed(format!("the body is no JSON: {text}"));
    // As text, which is how everything else is parsed: one parser less in the module.
    let text = std::str::from_utf8(bytes).map_err(|e| malformed(e.to_string()))?;
    match json(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Error::Malformed("the body must be a JSON object".to_owned()).into()),
        Err(error) => {
            let text = error.to_string();
            // JSON by its grammar, but no number that anything could hold.
            let too_large = text.contains("number out of range");
            Err(if too_large { Error::invalid("", text) } else { malformed(text).into() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    body! {
        #[derive(Debug)]
        struct Sample {
            name: String,
            note: Option<Option<String>>,
            days: Option<u16>,
        }
    }

    fn status(body: &str) -> (u16, String) {
        match parse_body::<Sample>(body.as_bytes()).map_err(|error| *error) {
            Ok(_) => (200, String::new()),
            Err(Error::Malformed(_)) => (400, String::new()),
            Err(Error::Invalid(errors)) => (422, errors[0].field.clone()),
            Err(_) => (0, String::new()),
        }
    }

    #[test]
    fn values_are_not_repeated() {
        for bad in [
            r#"{"name":4111111111111111}"#,
            r#"{"name":4111.1111}"#,
            r#"{"name":["4111"]}"#,
            r#"{"name":"a","days":"4111"}"#,
            r#"{"name":"a","days":4111111}"#,
        ] {
            match parse_body::<Sample>(bad.as_bytes()).map_err(|error| *error) {
                Err(Error::Invalid(errors)) => {
                    assert!(!errors[0].reason.contains("4111"), "{}", errors[0].reason);
                }
                _ => panic!("{bad}"),
            }
        }
    }

    #[test]
    fn bodies_are_read_strictly() {
        assert_eq!(status(r#"{"name":"a","note":null}"#), (200, String::new()));
        for bad in
            ["", "{", "[]", "1", r#"{"name":"a"} x"#, r#"{"name":"a","name":"b"}"#, "\u{feff}{}"]
        {
            assert_eq!(status(bad).0, 400, "{bad}");
        }
        assert_eq!(status(&format!("{}{}", "[".repeat(1000), "]".repeat(1000))).0, 400);
        assert_eq!(status(r#"{"name":1}"#), (422, "name".into()));
        assert_eq!(status(r#"{"name":null}"#), (422, "name".into()));
        assert_eq!(status("{}"), (422, "name".into()));
        assert_eq!(status(r#"{"name":"a","brand_id":"x"}"#), (422, "brand_id".into()));
        let cleared: Sample = parse_body(br#"{"name":"a","note":null}"#).unwrap();
        assert_eq!(cleared.note, Some(None));
        let absent: Sample = parse_body(br#"{"name":"a"}"#).unwrap();
        assert_eq!((absent.name.as_str(), absent.note), ("a", None));
        assert_eq!(status(r#"{"name":"a","days":null}"#), (422, "days".into()));
        assert_eq!(status(r#"{"name":"a","days":-1}"#), (422, "days".into()));
        assert_eq!(status(r#"{"name":"a","days":1.0}"#), (422, "days".into()));
        assert_eq!(status(r#"{"name":"a","days":18446744073709551615}"#), (422, "days".into()));
        let days: Sample = parse_body(br#"{"name":"a","days":65535}"#).unwrap();
        assert_eq!(days.days, Some(65535));
    }
}
