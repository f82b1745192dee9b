//! The OpenAPI document, generated from the code.
//!
//! It is made natively and kept as `openapi.json`, so that the worker carries the text and not the
//! generator; `tests/openapi.rs` fails when it is out of date or names other routes than the
//! router, and rewrites it with `UPDATE_OPENAPI=1`.

use http::StatusCode;

use crate::web::message::Response;

/// The document.
#[utoipa::path(get, path = "/openapi.json", tag = "operator", responses(
    (status = 200, description = "This document")
))]
pub async fn document() -> Response {
    let mut response = Response::new(StatusCode::OK, "application/json", TEXT.into());
    response.set("cache-control", "public, max-age=300");
    response
}

/// `openapi.json` as `build.rs` wrote it, without indentation.
const TEXT: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Makes the document from the annotations of the handlers.
#[cfg(not(target_arch = "wasm32"))]
#[must_use]
#[expect(clippy::too_many_lines, reason = "the list of all routes")]
pub fn generate() -> String {
    use utoipa::OpenApi;
    use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

    use super::{audit, brand, creators, deals, keys, links, me, money, operate, orders};
    use super::{personal, privacy, stores};

    #[derive(OpenApi)]
    #[openapi(
        info(
            title = "Tributary",
            description = "Affiliate tracking and payments for influencer programmes. \
                Errors are application/problem+json (RFC 9457).",
            license(name = "Apache-2.0", identifier = "Apache-2.0")
        ),
        paths(
            operate::health,
            operate::status,
            document,
            brand::create,
            keys::create_for_brand,
            keys::create,
            keys::list,
            keys::show,
            keys::revoke,
            audit::list,
            brand::show,
            brand::update,
            stores::create,
            stores::list,
            stores::show,
            stores::update,
            stores::quarantine,
            stores::replay,
            creators::create,
            creators::list,
            creators::show,
            creators::create_campaign,
            creators::list_campaigns,
            creators::show_campaign,
            deals::create,
            deals::list,
            deals::show,
            deals::update,
            deals::add_terms,
            links::add_link,
            links::show_link,
            links::update_link,
            links::add_code,
            deals::invite,
            orders::list,
            orders::show,
            orders::attribution,
            money::balances,
            money::performance,
            money::verification,
            me::accept,
            me::earnings,
            me::orders,
            personal::export,
            personal::export_mine,
            personal::erase,
            privacy::list,
            privacy::complete
        ),
        components(schemas(crate::error::Problem))
    )]
    struct Document;

    let mut document = Document::openapi();
    let components = document.components.get_or_insert_default();
    for (name, what) in [
        ("operator", "The operator's token."),
        ("api_key", "A brand's API key."),
        ("creator", "A creator's access token."),
    ] {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(what)).build();
        components.add_security_scheme(name, SecurityScheme::Http(scheme));
    }
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_says_what_is_kept() {
        let read = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(super::TEXT), read(include_str!("../../../openapi.json")));
        assert!(!super::TEXT.contains('\n'));
    }
}
