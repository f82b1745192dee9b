//! The storefront snippet of a store: what to paste, and where.

use crate::app::App;
use crate::domain::brand::{AttributionRules, ClickOrder};
use crate::domain::ids::{Store, StoreId};
use crate::error::{Error, Result};
use crate::storage::stores;
use crate::web::assets::SNIPPET;
use crate::web::extract::{Caller, PathId};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use super::brand;

view! {
    /// The storefront snippet: it keeps the click id of a creator's link and puts it into the cart.
    #[schema(as = StorefrontSnippet)]
    pub struct SnippetView {
        store_id: StoreId,
        version: u32,
        /// Where it is; what is there never changes.
        url: String,
        /// What browsers compare it with.
        integrity: String,
        /// The element to paste.
        html: String,
        instructions: InstructionsView,
    }
}

view! {
    /// Where it goes, in words.
    #[schema(as = SnippetInstructions)]
    struct InstructionsView {
        /// A theme of Shopify's Online Store.
        theme: &'static str,
        /// A shop of Shopify's with a storefront of its own.
        headless: &'static str,
        /// Any other site.
        other: &'static str,
    }
}

const THEME: &str = "Either deploy storefront/ of this repository with `shopify app deploy` and turn on \
    \"Tributary click\" under Online Store > Themes > Customize > App embeds; or paste `html` before \
    </head> in layout/theme.liquid. It asks Shopify's customer privacy API before it stores anything and \
    writes the cart attribute _tributary_click. \"Buy it now\" and express buttons on product pages pass \
    the cart by: there the code, or the address that the visit began with, tells the deal.";

const HEADLESS: &str = "Paste `html` into every page and set the attribute with the Storefront API when \
    the cart is made and before checkout: cartAttributesUpdate(cartId: $id, attributes: [{key: \
    \"_tributary_click\", value: window.tributary.clickId()}]). It replaces all attributes of the cart: \
    send yours along. Where consent is needed, add data-consent to the element and call \
    window.tributary.consent(true) or (false).";

const OTHER: &str = "Paste `html` into every page that a link may lead to. Pass \
    window.tributary.clickId() to your server with the order, or read the cookie _tributary_click there, \
    or put <input type=\"hidden\" name=\"_tributary_click\"> into the form of your checkout, which it \
    fills in; then send it as `click_id` with POST /v1/conversions. Where consent is needed, add \
    data-consent to the element and call window.tributary.consent(true) or (false).";

/// The storefront snippet for a store, and how to set it up.
#[utoipa::path(get, path = "/v1/stores/{id}/snippet", tag = "stores", security(("api_key" = ["read"])),
    params(("id" = StoreId, Path)), responses((status = 200, body = SnippetView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Store>,
) -> Result<Json<SnippetView>> {
    let row = stores::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let brand = brand::find(&app, caller.brand).await?.brand;
    let url = format!("{}{}", app.config.public_origin, SNIPPET.path);
    Ok(Json(SnippetView {
        store_id: row.id,
        version: SNIPPET.version,
        html: element(&url, &brand.attribution),
        url,
        integrity: SNIPPET.integrity.to_owned(),
        instructions: InstructionsView { theme: THEME, headless: HEADLESS, other: OTHER },
    }))
}

/// The element, with what the brand's rules say differently from the snippet's own.
fn element(url: &str, rules: &AttributionRules) -> String {
    let mut more = String::new();
    if rules.window_days != AttributionRules::default().window_days {
        more += &format!(" data-days=\"{}\"", rules.window_days);
    }
    if rules.clicks == ClickOrder::First {
        more += " data-first=\"1\"";
    }
    let integrity = SNIPPET.integrity;
    format!(
        "<script src=\"{url}\" integrity=\"{integrity}\" crossorigin=\"anonymous\" defer{more}></script>"
    )
}
