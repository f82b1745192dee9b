//! Bodies of requests: parsed once into a JSON value, then read field by field.
//!
//! A body is declared with [`body!`](crate::web::body::body): the fields, their types, nothing
//! else. Reading one is a call per field of a function per type, which is why bodies don't use
//! serde's derive: that makes a machine per body.

use serde::de::Unexpected;
use serde_json::{Map, Value};

use crate::error::{Error, FieldError, Result};
use crate::storage::rows::parse as json;
use crate::web::MAX_API_BODY;

/// What can be read from a JSON value that isn't to be trusted.
pub trait FromJson: Sized {
    /// Reads a value that is there.
    ///
    /// # Errors
    /// What is wrong, with the path of the field inside of the value.
    fn from_json(value: &Value) -> Result<Self, FieldError>;

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
            fn from_json(value: &serde_json::Value) -> Result<Self, $crate::error::FieldError> {
                let fields = $crate::web::body::Fields::of(value, &[$(stringify!($field)),*])?;
                Ok(Self { $($field: fields.read(stringify!($field))?,)* })
            }
        }
    };
}
pub(crate) use body;

/// Declares the words that stand for the variants of an enum in request bodies.
macro_rules! words {
    ($type:ty { $($word:literal => $variant:ident),* $(,)? }) => {
        impl $crate::web::body::FromJson for $type {
            fn from_json(value: &serde_json::Value) -> Result<Self, $crate::error::FieldError> {
                match $crate::web::body::text(value)? {
                    $($word => Ok(Self::$variant),)*
                    other => Err($crate::web::body::unknown_word(other, &[$($word),*])),
                }
            }
        }
    };
}
pub(crate) use words;

/// The fields of an object.
pub struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The fields of a value that must be an object with no other fields than these.
    ///
    /// # Errors
    /// What it is instead, or the first unknown field.
    pub fn of(value: &'a Value, names: &[&str]) -> Result<Self, FieldError> {
        let Value::Object(object) = value else { return Err(ill_typed(value, "an object")) };
        match object.keys().find(|key| !names.contains(&key.as_str())) {
            Some(key) => {
                let reason = format!("unknown field `{key}`, expected {}", one_of(names));
                Err(wrong(reason).within(key))
            }
            None => Ok(Self(object)),
        }
    }

    /// Reads one field.
    ///
    /// # Errors
    /// As its type, and if it must be there and isn't.
    pub fn read<T: FromJson>(&self, name: &str) -> Result<T, FieldError> {
        match self.0.get(name) {
            Some(value) => T::from_json(value).map_err(|error| error.within(name)),
            None => {
                T::absent().ok_or_else(|| wrong(format!("missing field `{name}`")).within(name))
            }
        }
    }
}

/// Something is wrong with the value at hand; whoever holds it says where, by
/// [`FieldError::within`].
pub fn wrong(reason: impl ToString) -> FieldError {
    FieldError { field: String::new(), reason: reason.to_string() }
}

fn ill_typed(value: &Value, expected: &str) -> FieldError {
    let found = match value {
        Value::Null => Unexpected::Other("null"),
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Unexpected::Signed(integer),
            None => Unexpected::Other("number"),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
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

/// A text that is none of these words.
#[must_use]
pub fn unknown_word(text: &str, words: &[&str]) -> FieldError {
    wrong(format!("unknown variant `{text}`, expected {}", one_of(words)))
}

/// A value that must be a text.
///
/// # Errors
/// What it is instead.
pub fn text(value: &Value) -> Result<&str, FieldError> {
    value.as_str().ok_or_else(|| ill_typed(value, "a string"))
}

impl FromJson for String {
    fn from_json(value: &Value) -> Result<Self, FieldError> {
        text(value).map(str::to_owned)
    }
}

impl FromJson for bool {
    fn from_json(value: &Value) -> Result<Self, FieldError> {
        value.as_bool().ok_or_else(|| ill_typed(value, "a boolean"))
    }
}

impl FromJson for i64 {
    fn from_json(value: &Value) -> Result<Self, FieldError> {
        value.as_i64().ok_or_else(|| ill_typed(value, "i64"))
    }
}

impl FromJson for u16 {
    fn from_json(value: &Value) -> Result<Self, FieldError> {
        let integer = value.as_i64().ok_or_else(|| ill_typed(value, "u16"))?;
        let narrow = Self::try_from(integer);
        narrow.map_err(|_| wrong(format!("invalid value: integer `{integer}`, expected u16")))
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value) -> Result<Self, FieldError> {
        let items = value.as_array().ok_or_else(|| ill_typed(value, "a sequence"))?;
        let mut list = Self::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            list.push(T::from_json(item).map_err(|error| error.within(&format!("[{index}]")))?);
        }
        Ok(list)
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Value) -> Result<Self, FieldError> {
        match T::absent() {
            // Option<Option<_>>: the inner one is what `null` clears.
            Some(nothing) if value.is_null() => Ok(Some(nothing)),
            _ => T::from_json(value).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// Reads a body. Unknown fields, wrong types and missing fields are 422 with the field's path;
/// what is no JSON object at all, or says a field twice, is 400.
///
/// # Errors
/// 400, 413 or 422.
pub fn parse_body<T: FromJson>(bytes: &[u8]) -> Result<T> {
    let value = parse(bytes)?;
    T::from_json(&value).map_err(|wrong| Error::Invalid(vec![wrong]).into())
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
