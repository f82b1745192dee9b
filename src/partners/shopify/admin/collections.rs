//! A page of a collection's products, and what hints that a collection changed.

use serde_json::Value;

use super::discounts::gid;
use crate::domain::json::json;
use crate::partners::at;

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The platform's id of the collection: digits.
    pub external_id: String,
    /// Its title.
    pub title: String,
    /// The name in its address.
    pub handle: String,
    /// How many products it has, as far as Shopify counts them.
    pub count: u64,
    /// Those of the page.
    pub products: Vec<u64>,
    /// Where the next page begins, if there is one.
    pub more: Option<String>,
}

/// An answer that isn't understood, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Odd;

/// How Shopify is asked for a collection by its id, in JSON.
#[must_use]
pub fn by_id(external_id: &str) -> String {
    json!({ "id": ["gid://shopify/Collection/", external_id].concat() })
}

/// How Shopify is asked for a collection by the name in its address, in JSON.
#[must_use]
pub fn by_handle(handle: &str) -> String {
    json!({ "handle": handle })
}

/// Reads an answer: `Ok(None)` where the shop has no such collection, `Err` if it can't be understood.
///
/// # Errors
/// [`Odd`].
pub fn page(data: &Value) -> Result<Option<Page>, Odd> {
    let node = at(data, "/collectionByIdentifier");
    if node.is_null() {
        // Absent is something else than null.
        return data.get("collectionByIdentifier").map(|_| None).ok_or(Odd);
    }
    let text = |path| at(node, path).as_str().map(str::to_owned);
    let id = |node: &Value| -> Option<u64> {
        let text = at(node, "/legacyResourceId").as_str()?;
        text.parse::<i64>().ok().filter(|id| *id > 0).and_then(|id| u64::try_from(id).ok())
    };
    let external_id = id(node).ok_or(Odd)?.to_string();
    let nodes = at(node, "/products/nodes").as_array().ok_or(Odd)?;
    let products: Option<Vec<u64>> = nodes.iter().map(id).collect();
    let info = at(node, "/products/pageInfo");
    let more = at(info, "/hasNextPage").as_bool().ok_or(Odd)?;
    let cursor = at(info, "/endCursor").as_str().map(str::to_owned);
    Ok(Some(Page {
        external_id,
        title: short(text("/title").unwrap_or_default()),
        handle: short(text("/handle").unwrap_or_default()),
        count: at(node, "/productsCount/count").as_u64().unwrap_or(0),
        products: products.ok_or(Odd)?,
        more: if more { Some(cursor.ok_or(Odd)?) } else { None },
    }))
}

/// It is another's word: one line, and not a long one.
fn short(text: String) -> String {
    text.chars().filter(|c| !c.is_control()).take(255).collect()
}

/// What a body of another topic hints at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// This collection changed, or went: the platform's id.
    Collection(String),
    /// A product changed: it may be in other collections now, where these go by rules.
    Product,
}

/// What a body hints at, by what it says that it is. Nothing in it is taken for true: the shop is asked.
#[must_use]
pub fn hint(text: &str) -> Option<Hint> {
    const COLLECTION: &str = "/Collection/";
    if !text.contains(COLLECTION) && !text.contains("/Product/") {
        return None;
    }
    let body: Value = serde_json::from_str(text).ok()?;
    let named = body.get("admin_graphql_api_id")?;
    if gid(named, "Product").is_some() {
        return Some(Hint::Product);
    }
    let id = gid(named, "Collection")?;
    let id = id.rsplit('/').next()?;
    id.parse::<i64>().ok().filter(|id| *id > 0).map(|id| Hint::Collection(id.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as value;

    fn answer(products: &Value) -> Value {
        value!({ "collectionByIdentifier": { "legacyResourceId": "841564295", "title": "Li\nnen",
            "handle": "linen", "productsCount": { "count": 2 }, "products": {
                "pageInfo": { "hasNextPage": true, "endCursor": "c" }, "nodes": products } } })
    }

    #[test]
    fn pages_are_read_with_care() {
        let big = value!([{ "legacyResourceId": "9007199254740993" }, { "legacyResourceId": "7" }]);
        let read = page(&answer(&big)).unwrap().unwrap();
        assert_eq!(read.external_id, "841564295");
        assert_eq!((read.title.as_str(), read.count), ("Linen", 2));
        assert_eq!(read.products, [9_007_199_254_740_993, 7]);
        assert_eq!(read.more.as_deref(), Some("c"));
        assert_eq!(page(&value!({ "collectionByIdentifier": null })), Ok(None));
        for bad in [value!({}), value!(null), value!({ "collectionByIdentifier": {} })] {
            assert_eq!(page(&bad), Err(Odd), "{bad}");
        }
        for product in ["", "x", "-1", "0", "9223372036854775808"] {
            let bad = answer(&value!([{ "legacyResourceId": product }]));
            assert_eq!(page(&bad), Err(Odd), "half a page is none: {product}");
        }
    }

    #[test]
    fn bodies_hint_by_what_they_are() {
        let collection = r#"{"id":1,"admin_graphql_api_id":"gid://shopify/Collection/841564295"}"#;
        assert_eq!(hint(collection), Some(Hint::Collection("841564295".into())));
        let product = r#"{"admin_graphql_api_id":"gid://shopify/Product/1","title":"x"}"#;
        assert_eq!(hint(product), Some(Hint::Product));
        for other in [
            "{}",
            r#"{"id":1}"#,
            r#"{"admin_graphql_api_id":"gid://shopify/Order/1","a":"/Product/"}"#,
            r#"{"admin_graphql_api_id":"gid://shopify/Collection/x"}"#,
            r#"{"admin_graphql_api_id":7,"b":"gid://shopify/Collection/1"}"#,
            r#"{"collections":[{"admin_graphql_api_id":"gid://shopify/Collection/1"}]}"#,
        ] {
            assert_eq!(hint(other), None, "{other}");
        }
    }
}
