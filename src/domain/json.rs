//! JSON as it is written: answers, audit notes, log lines, parameters of statements.
//!
//! What is compiled for an object is a list of names and references; the writing exists once, which
//! is why nothing here is collected into a tree or written by serde's derive. What a field holds in
//! the end still writes itself by serde.

use super::ids::{Id, Kind};
use super::ledger::Account;
use super::merkle::Frontier;
use super::money::{Currency, Money};
use super::time::Day;

/// What can be written as JSON.
pub trait ToJson {
    /// Appends it.
    fn write(&self, out: &mut Vec<u8>);
}

/// The JSON of a value.
#[must_use]
pub fn text(value: &dyn ToJson) -> String {
    let mut out = Vec::new();
    value.write(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// The list of values whose JSON these texts are.
#[must_use]
pub fn list_of(texts: &[String]) -> String {
    format!("[{}]", texts.join(","))
}

/// The text of an object with these fields, of a list with these items, or of one value.
macro_rules! json {
    ({ $($name:literal: $value:expr),* $(,)? }) => {
        $crate::domain::json::text(&$crate::domain::json::Fields(&[$(($name, &$value)),*]))
    };
    ([ $($value:expr),* $(,)? ]) => {
        $crate::domain::json::text(&$crate::domain::json::Items(&[$(&$value),*]))
    };
    ($value:expr) => {
        $crate::domain::json::text(&$value)
    };
}
pub(crate) use json;

/// Lets types write themselves by serde.
macro_rules! by_serde {
    ($($type:ty),* $(,)?) => {
        $(impl $crate::domain::json::ToJson for $type {
            fn write(&self, out: &mut Vec<u8>) {
                // Nothing that is written here can fail, and a Vec takes every byte.
                let _ = serde_json::to_writer(out, self);
            }
        })*
    };
}
pub(crate) use by_serde;

by_serde!(String, str, bool, u16, u32, u64, usize, i64);
by_serde!(Money, Currency, Day, Account, Frontier);

impl<K: Kind> ToJson for Id<K> {
    fn write(&self, out: &mut Vec<u8>) {
        self.to_string().write(out);
    }
}

/// An object, field by field. The names need no escapes: they are identifiers.
pub struct Fields<'a>(pub &'a [(&'a str, &'a dyn ToJson)]);

impl ToJson for Fields<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let mut before: &[u8] = b"{";
        for (name, value) in self.0 {
            out.extend_from_slice(before);
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            value.write(out);
            before = b",";
        }
        out.extend_from_slice(if self.0.is_empty() { b"{}" } else { b"}" });
    }
}

/// Text that is JSON already.
pub struct Raw<'a>(pub &'a str);

impl ToJson for Raw<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
    }
}

/// A list of items that may differ in type.
pub struct Items<'a>(pub &'a [&'a dyn ToJson]);

impl ToJson for Items<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn write(&self, out: &mut Vec<u8>) {
        (*self).write(out);
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl<T: ToJson> ToJson for [T] {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, item) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            item.write(out);
        }
        out.push(b']');
    }
}

/// A list of two.
impl<A: ToJson, B: ToJson> ToJson for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        Items(&[&self.0, &self.1]).write(out);
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_slice().write(out);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn texts_say_what_those_of_serde_say() {
        let (name, none) = ("a\"\n\u{1}ä".to_owned(), None::<String>);
        for list in [vec![], vec![Some(-1_i64), None]] {
            let ours = json!({ "name": name, "none": none, "list": list, "on": true });
            let object =
                serde_json::json!({ "name": name, "none": none, "list": list, "on": true });
            assert_eq!(ours.parse::<serde_json::Value>().unwrap(), object);
            let ours = json!([1_i64, name, Some(&list)]);
            assert_eq!(ours, serde_json::json!([1, name, list]).to_string());
            assert_eq!(json!(list), serde_json::json!(list).to_string());
        }
        assert_eq!(json!([]), "[]");
    }
}
