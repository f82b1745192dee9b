//! Stores in plain words.

use crate::web::api::discounts::DiscountView;
use crate::web::api::stores::StoreView;
use crate::web::json::text;
use crate::web::pages::ui::{self, Html, Tone};

/// What a store is called.
#[must_use]
pub fn name(store: &StoreView) -> String {
    let domain = &store.shop_domain;
    domain.strip_prefix("goaffpro:").unwrap_or(domain).to_owned()
}

/// Where its orders come from.
#[must_use]
pub fn platform(platform: &str) -> &str {
    match platform {
        "shopify" => "Shopify",
        "goaffpro" => "GoAffPro",
        "custom" => "A shop of another kind",
        other => other,
    }
}

/// How a store stands.
#[must_use]
pub fn standing(store: &StoreView) -> Html {
    let (tone, text) = match (store.status.as_str(), store.platform.as_str()) {
        ("created", "custom") => (Tone::Good, "Open: its server reports orders"),
        ("created", _) => (Tone::Wait, "Not tried yet"),
        ("connected", _) => (Tone::Good, "Connected"),
        ("broken", _) => (Tone::Bad, "Can’t be reached"),
        ("uninstalled", _) => (Tone::Bad, "Disconnected"),
        ("closed", _) => (Tone::Plain, "Closed: the shop asked to be forgotten"),
        (other, _) => (Tone::Plain, other),
    };
    ui::badge(&tone, text)
}

/// By which way a shop lets us in.
#[must_use]
pub fn way(way: &str) -> &str {
    match way {
        "client_credentials" => "An app of your own",
        "access_token" => "A pasted token",
        "authorization" => "Approved in the shop",
        other => other,
    }
}

/// A topic as Shopify writes it elsewhere: `orders/create`.
#[must_use]
pub fn topic(name: &str) -> String {
    name.to_lowercase().replacen('_', "/", 1)
}

/// Whether a webhook is registered.
#[must_use]
pub fn hook(state: &str) -> Html {
    let (tone, text) = match state {
        "registered" => (Tone::Good, "Registered"),
        "missing" => (Tone::Wait, "Missing, tried again"),
        "refused" => (Tone::Bad, "Refused"),
        other => (Tone::Plain, other),
    };
    ui::badge(&tone, text)
}

/// How fetching the orders of before went.
#[must_use]
pub fn backfill(state: &str) -> Html {
    let (tone, text) = match state {
        "none" => (Tone::Plain, "Not begun"),
        "waiting" => (Tone::Wait, "Begins soon"),
        "running" => (Tone::Wait, "Under way"),
        "done" => (Tone::Good, "Done"),
        "failed" => (Tone::Bad, "Stopped"),
        other => (Tone::Plain, other),
    };
    ui::badge(&tone, text)
}

/// How a collection stands.
#[must_use]
pub fn collection(state: &str) -> Html {
    let (tone, text) = match state {
        "current" => (Tone::Good, "In step"),
        "gone" => (Tone::Bad, "Gone from the shop"),
        "too_large" => (Tone::Bad, "Too large"),
        other => (Tone::Plain, other),
    };
    ui::badge(&tone, text)
}

/// How an affiliate at GoAffPro stands here.
#[must_use]
pub fn affiliate(state: &str) -> Html {
    let (tone, text) = match state {
        "assigned" => (Tone::Good, "Matched"),
        "proposed" => (Tone::Wait, "Proposed"),
        "unknown" => (Tone::Plain, "Nobody found"),
        other => (Tone::Plain, other),
    };
    ui::badge(&tone, text)
}

/// What a proposal rests on.
#[must_use]
pub fn proposed_by(by: &str) -> &str {
    match by {
        "coupon" => "the same code",
        "ref_code" => "the same name in the link",
        "email" => "the same e-mail address",
        other => other,
    }
}

/// How an order that GoAffPro tells stands here.
#[must_use]
pub fn compared(state: &str) -> Html {
    let (tone, text) = match state {
        "new" => (Tone::Wait, "Not looked at yet"),
        "ours" => (Tone::Good, "Counted"),
        "matched" => (Tone::Good, "Evidence for the shop’s order"),
        "waiting" => (Tone::Wait, "Waits for the shop’s order"),
        "held" => (Tone::Bad, "Held back"),
        other => (Tone::Plain, other),
    };
    ui::badge(&tone, text)
}

/// What GoAffPro says became of an order.
#[must_use]
pub fn elsewhere(status: &str) -> &str {
    match status {
        "open" => "Open there",
        "approved" => "Approved there",
        "rejected" => "Rejected there",
        "gone" => "Gone there",
        other => other,
    }
}

/// How far a figure is from ours.
#[must_use]
pub fn difference(amount: Option<&str>) -> Html {
    match amount {
        None => ui::tell(None, ""),
        Some(text) if text.bytes().all(|b| matches!(b, b'0' | b'.' | b'-')) => ui::good("None"),
        Some(text) => ui::badge(&Tone::Wait, text),
    }
}

/// A count of items that a discount is about.
fn items(products: &[String], collections: &[String]) -> String {
    let of = |count: usize, one: &str| match count {
        0 => None,
        1 => Some(format!("one {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let named = [of(products.len(), "product"), of(collections.len(), "collection")];
    let named: Vec<String> = named.into_iter().flatten().collect();
    if named.is_empty() { "everything".to_owned() } else { named.join(" and ") }
}

/// What a discount takes off, and when.
#[must_use]
pub fn discount(rule: &DiscountView) -> String {
    use crate::domain::discount::Kind;
    let percent = rule.percent.as_ref().map(|percent| percent.0.to_percent()).unwrap_or_default();
    let mut told = match rule.kind {
        Kind::Percentage => {
            format!("{percent} % off {}", items(&rule.on.products, &rule.on.collections))
        }
        Kind::Amount => {
            let amount = rule.amount.map(|a| format!("{} {}", a.to_decimal(), a.currency.code()));
            let on = items(&rule.on.products, &rule.on.collections);
            let on = if on == "everything" { "the order" } else { &on };
            format!("{} off {on}", amount.unwrap_or_default())
        }
        Kind::FreeShipping => "Free shipping".to_owned(),
        Kind::BuyXGetY => match (&rule.buy, &rule.get) {
            (Some(buy), Some(get)) => {
                let off = get.percent.as_ref().map(|percent| percent.0.to_percent());
                let bought = items(&buy.on.products, &buy.on.collections);
                let got = items(&get.on.products, &get.on.collections);
                format!(
                    "Buy {} of {bought}, get {} of {got} at {} % off",
                    buy.quantity,
                    get.quantity,
                    off.unwrap_or_default()
                )
            }
            _ => "Buy some, get some".to_owned(),
        },
    };
    if let Some(least) = rule.minimum.subtotal {
        told.push_str(&format!(", from {} {}", least.to_decimal(), least.currency.code()));
    }
    if let Some(least) = rule.minimum.quantity {
        told.push_str(&format!(", from {least} units"));
    }
    if rule.once_per_customer {
        told.push_str(", once per customer");
    }
    if let Some(limit) = rule.usage_limit {
        told.push_str(&format!(", {limit} times in all"));
    }
    told
}

/// How a group makes its codes.
#[must_use]
pub fn mode(mode: &crate::storage::groups::Mode) -> &'static str {
    if text(mode).contains("one_discount") {
        "One discount of the shop carries all codes"
    } else {
        "A discount of the shop for each code"
    }
}
