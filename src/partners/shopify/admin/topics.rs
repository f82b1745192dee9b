//! Which scopes a shop should grant, which webhooks it should deliver, and what to do about those
//! that it has.

use serde_json::Value;

use crate::domain::store::grants;
use crate::partners::at;

/// Without these a shop can't be worked with.
pub const NEEDED_SCOPES: &[&str] = &["read_orders", "read_discounts", "write_discounts"];

/// What more a shop may grant, and what that brings.
pub const OPTIONAL_SCOPES: &[(&str, &str)] = &[
    ("read_all_orders", "orders from before the last 60 days; Shopify grants it on request"),
    ("read_products", "which products the lines of fetched orders are, for rates by product"),
    ("read_customers", "whether a customer is new, as the shop counts it"),
    ("read_shopify_payments_disputes", "payment disputes hold commissions back by themselves"),
];

/// Topics, and the scope that each needs.
const TOPICS: &[(&str, &str)] = &[
    ("ORDERS_CREATE", "read_orders"),
    ("ORDERS_PAID", "read_orders"),
    ("ORDERS_UPDATED", "read_orders"),
    ("ORDERS_EDITED", "read_orders"),
    ("ORDERS_CANCELLED", "read_orders"),
    ("ORDERS_DELETE", "read_orders"),
    ("REFUNDS_CREATE", "read_orders"),
    ("APP_UNINSTALLED", ""),
    ("APP_SCOPES_UPDATE", ""),
    ("BULK_OPERATIONS_FINISH", ""),
    ("DISCOUNTS_UPDATE", "read_discounts"),
    ("DISCOUNTS_DELETE", "read_discounts"),
    ("DISCOUNTS_REDEEMCODE_ADDED", "read_discounts"),
    ("DISCOUNTS_REDEEMCODE_REMOVED", "read_discounts"),
    ("DISPUTES_CREATE", "read_shopify_payments_disputes"),
    ("DISPUTES_UPDATE", "read_shopify_payments_disputes"),
    ("COLLECTIONS_UPDATE", "read_products"),
    ("COLLECTIONS_DELETE", "read_products"),
    ("PRODUCTS_UPDATE", "read_products"),
];

/// A topic that should be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic {
    /// `ORDERS_CREATE`
    pub name: &'static str,
    /// A scope that it needs and the shop didn't grant.
    pub lacks: Option<&'static str>,
}

/// The topics that a shop with these scopes should deliver. What only an optional scope brings is
/// left out without it.
#[must_use]
pub fn topics(scopes: &str) -> Vec<Topic> {
    let lacks = |scope: &&'static str| !scope.is_empty() && !grants(scopes, scope);
    let topic = |(name, scope): &(&'static str, &'static str)| Topic {
        name,
        lacks: Some(*scope).filter(lacks),
    };
    let matters = |topic: &Topic| topic.lacks.is_none_or(|scope| NEEDED_SCOPES.contains(&scope));
    TOPICS.iter().map(topic).filter(matters).collect()
}

/// A subscription that a shop has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// `gid://shopify/WebhookSubscription/1`
    pub id: String,
    /// `ORDERS_CREATE`
    pub topic: String,
    /// Where it delivers to.
    pub uri: String,
}

/// Reads a page of subscriptions, and the cursor of the next, if there is one.
#[must_use]
pub fn subscriptions(data: &Value) -> (Vec<Subscription>, Option<String>) {
    let list = at(data, "/webhookSubscriptions/nodes").as_array();
    let text = |node: &Value, name| at(node, name).as_str().map(str::to_owned);
    let read = |node: &Value| {
        let (id, topic) = (text(node, "/id")?, text(node, "/topic")?);
        Some(Subscription { id, topic, uri: text(node, "/uri")? })
    };
    let info = at(data, "/webhookSubscriptions/pageInfo");
    let more = at(info, "/hasNextPage").as_bool() == Some(true);
    let cursor = at(info, "/endCursor").as_str().filter(|_| more).map(str::to_owned);
    (list.into_iter().flatten().filter_map(read).collect(), cursor)
}

/// What to do about a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is there.
    Keep,
    /// It isn't.
    Create,
    /// One of ours delivers to where this deployment was before.
    Move(String),
}

/// What to do about a topic, with which subscriptions to delete: ours that are too many. `path` is
/// where the store's deliveries go on any origin of ours; nobody else's end like that.
#[must_use]
pub fn change<'a>(
    topic: &str,
    found: &'a [Subscription],
    uri: &str,
    path: &str,
) -> (Change, Vec<&'a str>) {
    let ours = found.iter().filter(|one| one.topic == topic && one.uri.ends_with(path));
    let (good, old): (Vec<_>, Vec<_>) = ours.partition(|one| one.uri == uri);
    let mut left = good.iter().chain(&old).map(|one| one.id.as_str());
    let first = left.next();
    let change = match (good.is_empty(), first) {
        (false, _) => Change::Keep,
        (true, Some(id)) => Change::Move(id.to_owned()),
        (true, None) => Change::Create,
    };
    (change, left.collect())
}

/// Whether a complaint says that the same is registered already.
#[must_use]
pub fn is_taken(message: &str) -> bool {
    message.to_ascii_lowercase().contains("already been taken")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(id: &str, topic: &str, uri: &str) -> Subscription {
        Subscription { id: id.into(), topic: topic.into(), uri: uri.into() }
    }

    #[test]
    fn scopes_decide_which_topics_matter() {
        let named = |scopes| topics(scopes).iter().map(|t| t.name).collect::<Vec<_>>();
        let least = named("read_orders write_discounts");
        assert_eq!(least.len(), 14);
        assert!(topics("read_orders write_discounts").iter().all(|t| t.lacks.is_none()));
        assert!(named("read_orders read_shopify_payments_disputes").contains(&"DISPUTES_UPDATE"));
        assert!(named("read_products").contains(&"COLLECTIONS_UPDATE"));
        let none = topics("");
        assert_eq!(none.len(), 14, "what is needed is told as missing");
        let lacking = |name| none.iter().find(|t| t.name == name).and_then(|t| t.lacks);
        assert_eq!(lacking("ORDERS_PAID"), Some("read_orders"));
        assert_eq!(lacking("APP_UNINSTALLED"), None);
    }

    #[test]
    fn only_ours_are_touched() {
        let (uri, path) =
            ("https://new.example/webhooks/shopify/store_1", "/webhooks/shopify/store_1");
        let old = "https://old.example/webhooks/shopify/store_1";
        let found = [
            one("1", "A", uri),
            one("2", "B", old),
            one("3", "B", old),
            one("4", "C", "https://other.example/hooks"),
            one("5", "C", "https://new.example/webhooks/shopify/store_2"),
            one("6", "D", uri),
            one("7", "D", uri),
            one("8", "D", old),
        ];
        let what = |topic| change(topic, &found, uri, path);
        assert_eq!(what("A"), (Change::Keep, vec![]));
        assert_eq!(what("B"), (Change::Move("2".into()), vec!["3"]));
        assert_eq!(what("C"), (Change::Create, vec![]), "neighbours stay");
        assert_eq!(what("D"), (Change::Keep, vec!["7", "8"]));
    }

    #[test]
    fn pages_are_read_with_care() {
        let page = serde_json::json!({ "webhookSubscriptions": {
            "nodes": [{ "id": "1", "topic": "A", "uri": "u" }, { "id": 1 }, null],
            "pageInfo": { "hasNextPage": true, "endCursor": "c" } } });
        assert_eq!(subscriptions(&page), (vec![one("1", "A", "u")], Some("c".into())));
        assert_eq!(subscriptions(&Value::Null), (vec![], None));
        assert!(is_taken("Address for this topic has already been taken"));
        assert!(!is_taken("Address is invalid"));
    }
}
