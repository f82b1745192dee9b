//! Bodies of answers: views, written as JSON.
//!
//! A view is declared with [`view!`](crate::web::json::view): the fields and their types. What is
//! compiled for it is a list of names and references; the writing exists once, which is why views
//! don't use serde's derive. What a field holds in the end still writes itself by serde.

use crate::domain::ids::{Id, Kind};

/// What can be written as JSON.
pub trait ToJson {
    /// Appends it.
    fn write(&self, out: &mut Vec<u8>);
}

/// The text of a view.
#[must_use]
pub fn text(view: &dyn ToJson) -> String {
    let mut out = Vec::new();
    view.write(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Declares a view: a struct that is written as an object of its fields, in their order.
macro_rules! view {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $type:ty,)*
        }
    ) => {
        #[derive(utoipa::ToSchema)]
        $(#[$meta])*
        $visibility struct $name {
            $($(#[$field_meta])* $field_visibility $field: $type,)*
        }

        impl $crate::web::json::ToJson for $name {
            fn write(&self, out: &mut Vec<u8>) {
                $crate::web::json::object(out, &[$((stringify!($field), &self.$field)),*]);
            }
        }
    };
}
pub(crate) use view;

/// Lets types write themselves by serde.
macro_rules! by_serde {
    ($($type:ty),* $(,)?) => {
        $(impl $crate::web::json::ToJson for $type {
            fn write(&self, out: &mut Vec<u8>) {
                // Nothing that a view holds can fail, and a Vec takes every byte.
                let _ = serde_json::to_writer(out, self);
            }
        })*
    };
}
pub(crate) use by_serde;

by_serde!(String, &'static str, bool, u16, i64);

impl<K: Kind> ToJson for Id<K> {
    fn write(&self, out: &mut Vec<u8>) {
        self.to_string().write(out);
    }
}

/// Writes an object. The names need no escapes: they are identifiers.
pub fn object(out: &mut Vec<u8>, fields: &[(&str, &dyn ToJson)]) {
    let mut before: &[u8] = b"{\"";
    for (name, value) in fields {
        out.extend_from_slice(before);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        value.write(out);
        before = b",\"";
    }
    out.push(b'}');
}

impl<T: ToJson> ToJson for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl<T: ToJson> ToJson for Vec<T> {
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

#[cfg(test)]
mod tests {
    use super::*;

    view! {
        #[derive(serde::Serialize)]
        struct Sample {
            name: String,
            note: Option<Vec<Option<i64>>>,
            open: bool,
        }
    }

    #[test]
    fn views_are_written_as_serde_would() {
        for note in [None, Some(vec![]), Some(vec![Some(-1), None])] {
            let sample = Sample { name: "a\"\n\u{1}ä".to_owned(), note, open: true };
            let mut out = Vec::new();
            sample.write(&mut out);
            assert_eq!(out, serde_json::to_vec(&sample).unwrap());
        }
    }
}
