//! A brand's pages: each calls the functions behind the JSON API, with their rules and their numbers.

pub mod board;
pub mod bulk;
pub mod campaign;
pub mod claims;
pub mod collaboration;
pub mod creator;
pub mod deal;
pub mod deal_forms;
pub mod duplicates;
pub mod filtering;
pub mod history;
pub mod imports;
pub mod lists;
pub mod message;
pub mod new_creator;
pub mod order;
pub mod orders;
pub mod overview;
pub mod payout;
pub mod payouts;
pub mod reports;
pub mod saved;
pub mod settings;
pub mod stores;
pub mod words;
pub mod workflows;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::web::body::FromJson;

/// A body of the API's from what a form says: fields that are empty aren't said.
///
/// # Errors
/// 422, as the API.
pub fn body<T: FromJson>(fields: &[(&str, &str)]) -> Result<T> {
    let said = fields.iter().filter(|(_, text)| !text.is_empty());
    let object = said.map(|(name, text)| ((*name).to_owned(), Value::from(*text))).collect();
    read(&Value::Object(object))
}

/// A body of the API's.
///
/// # Errors
/// 422, as the API.
pub fn read<T: FromJson>(value: &Value) -> Result<T> {
    T::from_json(value).map_err(|wrong| Error::Invalid(vec![*wrong]).into())
}
