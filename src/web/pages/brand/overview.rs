//! Where a brand's pages begin.

use crate::error::Result;
use crate::web::message::Response;
use crate::web::pages::shell::At;

/// For now: the list of creators.
pub async fn show(at: At) -> Result<Response> {
    Ok(at.see("/creators"))
}
