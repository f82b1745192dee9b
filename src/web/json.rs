//! Bodies of answers: views, written as JSON.
//!
//! A view is declared with [`view!`](crate::web::json::view): the fields and their types.

pub(crate) use crate::domain::json::by_serde;
pub use crate::domain::json::{Fields, ToJson, text};

/// Declares a view: a struct that is written as an object of its fields, in their order.
macro_rules! view {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $type:ty,)*
        }
    ) => {
        // Pages show what the API shows: they read the fields.
        #[allow(missing_docs, private_interfaces, reason = "the words are the API's description")]
        #[derive(utoipa::ToSchema)]
        $(#[$meta])*
        pub struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
        }

        impl $crate::domain::json::ToJson for $name {
            fn write(&self, out: &mut Vec<u8>) {
                $crate::domain::json::Fields(&[
                    $(($crate::web::body::plain(stringify!($field)), &self.$field)),*
                ]).write(out);
            }
        }
    };
}
pub(crate) use view;

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
