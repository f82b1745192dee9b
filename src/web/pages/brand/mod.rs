//! A brand's pages: each calls the functions behind the JSON API, with their rules and their numbers.

pub mod creators;
pub mod overview;
