//! What a shop tells of the app itself, by the shape of the body: topic headers are unsigned.
//!
//! `app/uninstalled` tells the shop, and so does `shop/update`: whoever reads [`News`] asks the shop
//! before anything is dropped.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::oauth::shop_name;
use super::objects::{object, read};

/// What a shop tells of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It may have removed the app. Its name, if it says so.
    Removed(Option<String>),
    /// It grants other scopes.
    Scopes,
}

object! {
    struct Told<'a> {
        id: Option<&'a RawValue>,
        #[present]
        myshopify_domain: Option<&'a RawValue>,
        #[present]
        shop_owner: Option<IgnoredAny>,
        #[present]
        plan_name: Option<IgnoredAny>,
        #[present]
        shop_id: Option<IgnoredAny>,
        previous: Option<&'a RawValue>,
        current: Option<&'a RawValue>,
    }
}

/// The news in a body that is none of an order; nothing if it is another topic.
pub(super) fn news(text: &str) -> Option<News> {
    let mut body = Told::default();
    read(text, &mut body).ok()?;
    body.id?;
    let is_list = |value: Option<&RawValue>| value.is_some_and(|v| v.get().starts_with('['));
    if body.shop_id.is_some() && is_list(body.previous) && is_list(body.current) {
        return Some(News::Scopes);
    }
    let domain = body.myshopify_domain.filter(|_| body.plan_name.is_some())?;
    match (domain.get(), body.shop_owner) {
        // The documented example knows neither name nor domain.
        ("null", Some(_)) => Some(News::Removed(None)),
        (text, _) => {
            let name = text.strip_prefix('"')?.strip_suffix('"')?;
            Some(News::Removed(Some(shop_name(name)?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_tell() {
        let shop = r#"{"id":1,"name":"Casa","myshopify_domain":"Casa.myshopify.com","plan_name":"basic","domain":null}"#;
        assert_eq!(news(shop), Some(News::Removed(Some("casa.myshopify.com".into()))));
        let example = r#"{"id":1,"myshopify_domain":null,"plan_name":"basic","shop_owner":"J"}"#;
        assert_eq!(news(example), Some(News::Removed(None)));
        let scopes = r#"{"id":"gid://x","shop_id":"gid://y","previous":["a"],"current":[],"updated_at":"x"}"#;
        assert_eq!(news(scopes), Some(News::Scopes));
        for other in [
            "{}",
            r#"{"id":1}"#,
            r#"{"id":1,"myshopify_domain":null,"plan_name":"x"}"#,
            r#"{"id":1,"myshopify_domain":"evil.example","plan_name":"x"}"#,
            r#"{"id":1,"myshopify_domain":7,"plan_name":"x"}"#,
            r#"{"id":1,"myshopify_domain":"casa.myshopify.com"}"#,
            r#"{"myshopify_domain":"casa.myshopify.com","plan_name":"x"}"#,
            r#"{"id":1,"shop_id":1,"previous":"a","current":[]}"#,
            r#"{"id":1,"previous":[],"current":[]}"#,
            r#"{"id":1,"id":1,"myshopify_domain":"casa.myshopify.com","plan_name":"x"}"#,
        ] {
            assert_eq!(news(other), None, "{other}");
        }
    }
}
