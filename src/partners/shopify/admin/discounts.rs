//! Discounts as the Admin API writes and reads them.

use serde_json::Value;

use super::{Document, UserError};
use crate::domain::attribution::code_key;
use crate::domain::decimal::Decimal;
use crate::domain::discount::{Discount, Items, Kind};
use crate::domain::json::{Items as List, Raw, ToJson, json, list_of};
use crate::domain::money::BasisPoints;
use crate::domain::time::{Millis, parse_rfc3339, to_rfc3339};
use crate::partners::at;

/// So many codes are added to a discount at once.
pub const MOST_ADDED: usize = 250;
/// So many codes one question asks about,
pub const LOOKED_AT: usize = 10;
/// and so many spellings.
pub const SPELLINGS: usize = 5;
/// A title is at most so long, in characters.
const MAX_TITLE: usize = 255;

/// The documents that make and change a kind of discount.
#[must_use]
pub fn documents(kind: Kind) -> (Document, Document) {
    match kind {
        Kind::Percentage | Kind::Amount => (super::MAKE_BASIC, super::CHANGE_BASIC),
        Kind::BuyXGetY => (super::MAKE_BXGY, super::CHANGE_BXGY),
        Kind::FreeShipping => (super::MAKE_FREE_SHIPPING, super::CHANGE_FREE_SHIPPING),
    }
}

/// The title of a discount of ours: a name, and an id by which it can be told again.
#[must_use]
pub fn title(name: &str, id: &str) -> String {
    let room = MAX_TITLE - id.len() - 3;
    let name: String = name.chars().filter(|c| !c.is_control()).take(room).collect();
    format!("{name} ({id})")
}

/// The variables that make a discount.
#[must_use]
pub fn make(rule: &Discount, title: &str, code: &str, began_at_ms: Millis) -> String {
    let context = Raw(r#"{"all":"ALL"}"#);
    let mut fields = input(rule, title, began_at_ms);
    fields.extend([("code", json!(code)), ("context", json!(context))]);
    json!({ "discount": Object(&fields) })
}

/// The variables that change a discount to a rule.
#[must_use]
pub fn change(id: &str, rule: &Discount, title: &str, began_at_ms: Millis) -> String {
    json!({ "id": id, "discount": Object(&input(rule, title, began_at_ms)) })
}

/// The variables that name a discount.
#[must_use]
pub fn named(id: &str) -> String {
    json!({ "id": id })
}

/// The variables that add codes to a discount.
#[must_use]
pub fn add(discount: &str, codes: &[&str]) -> String {
    let codes: Vec<String> = codes.iter().map(|code| json!({ "code": *code })).collect();
    json!({ "discount": discount, "codes": Raw(&list_of(&codes)) })
}

/// The variables that take a code out of a discount.
#[must_use]
pub fn remove(discount: &str, redeem: &str) -> String {
    json!({ "discount": discount, "ids": List(&[&redeem]) })
}

/// The variables `c0`, `c1`, … of so many codes: the last stands for those that are missing.
#[must_use]
pub fn codes(codes: &[&str], count: usize) -> String {
    let last = codes.last().copied().unwrap_or_default();
    let of = |place: usize| codes.get(place).copied().unwrap_or(last);
    let named = NAMES.iter().take(count).enumerate();
    let fields: Vec<_> = named.map(|(place, name)| (*name, json!(of(place)))).collect();
    json!(Object(&fields))
}

/// The names of the answers about codes, in their order.
pub const NAMES: [&str; LOOKED_AT] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];

/// An object of fields whose values are JSON already.
struct Object<'a>(&'a [(&'static str, String)]);

impl ToJson for Object<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let fields: Vec<String> =
            self.0.iter().map(|(name, value)| format!("{}:{value}", json!(*name))).collect();
        out.extend_from_slice(format!("{{{}}}", fields.join(",")).as_bytes());
    }
}

fn input(rule: &Discount, title: &str, began_at_ms: Millis) -> Vec<(&'static str, String)> {
    let combines = rule.combines;
    let mut fields = vec![
        ("title", json!(title)),
        ("startsAt", json!(to_rfc3339(rule.starts_at_ms.unwrap_or(began_at_ms)))),
        ("endsAt", json!(rule.ends_at_ms.map(to_rfc3339))),
        ("usageLimit", json!(rule.usage_limit)),
        ("appliesOncePerCustomer", json!(rule.once_per_customer)),
        (
            "combinesWith",
            json!({ "orderDiscounts": combines.order, "productDiscounts": combines.product,
                "shippingDiscounts": combines.shipping }),
        ),
    ];
    if let Some(least) = rule.minimum.subtotal {
        let least = json!({ "greaterThanOrEqualToSubtotal": least.to_decimal() });
        fields.push(("minimumRequirement", json!({ "subtotal": Raw(&least) })));
    }
    if let Some(least) = rule.minimum.quantity {
        let least = json!({ "greaterThanOrEqualToQuantity": least.to_string() });
        fields.push(("minimumRequirement", json!({ "quantity": Raw(&least) })));
    }
    let on = items(&rule.on);
    let percent = fraction(rule.percent.unwrap_or(BasisPoints::ZERO));
    let value = match rule.kind {
        Kind::Percentage => json!({ "percentage": Raw(&percent) }),
        Kind::Amount => {
            let amount = rule.amount.map(|money| money.to_decimal());
            let off = json!({ "amount": amount, "appliesOnEachItem": false });
            json!({ "discountAmount": Raw(&off) })
        }
        Kind::BuyXGetY => {
            let quantity = rule.get_quantity.unwrap_or(1).to_string();
            let effect = json!({ "percentage": Raw(&percent) });
            let got = json!({ "quantity": quantity, "effect": Raw(&effect) });
            json!({ "discountOnQuantity": Raw(&got) })
        }
        Kind::FreeShipping => {
            fields.push(("destination", r#"{"all":true}"#.to_owned()));
            return fields;
        }
    };
    fields.push(("customerGets", json!({ "items": Raw(&on), "value": Raw(&value) })));
    if let Some(buy) = &rule.buy {
        let value = json!({ "quantity": buy.quantity.to_string() });
        let bought = json!({ "items": Raw(&items(&buy.on)), "value": Raw(&value) });
        fields.push(("customerBuys", bought));
    }
    fields
}

fn items(on: &Items) -> String {
    let ids = |kind: &str, ids: &[u64]| {
        list_of(
            &ids.iter().map(|id| json!(format!("gid://shopify/{kind}/{id}"))).collect::<Vec<_>>(),
        )
    };
    if !on.products.is_empty() {
        let added = json!({ "productsToAdd": Raw(&ids("Product", &on.products)) });
        return json!({ "products": Raw(&added) });
    }
    if !on.collections.is_empty() {
        let added = json!({ "add": Raw(&ids("Collection", &on.collections)) });
        return json!({ "collections": Raw(&added) });
    }
    r#"{"all":true}"#.to_owned()
}

/// A share as Shopify writes it: 12.5 % is 0.125, exactly.
fn fraction(rate: BasisPoints) -> String {
    Decimal::new(i64::from(rate.points()), 4).to_string()
}

/// What came of making a discount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// It is there.
    Yes(Owner),
    /// Another discount has its code, or ours has it since a question that nobody answered.
    Taken,
    /// Shopify refused it, in words.
    Refused(String),
}

/// A discount that has a code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner {
    /// The platform's name of it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The platform's name of its first code; '' if it wasn't told.
    pub redeem: String,
}

/// An id of the platform's: short, and of the kind that is asked for.
#[must_use]
pub fn gid(value: &Value, kind: &str) -> Option<String> {
    let text = value.as_str().filter(|text| text.len() <= 100)?;
    let number = text.strip_prefix("gid://shopify/")?.strip_prefix(kind)?.strip_prefix('/')?;
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.to_owned())
}

fn owner_of(node: &Value) -> Option<Owner> {
    let title = at(node, "/codeDiscount/title").as_str().unwrap_or_default();
    Some(Owner {
        id: gid(at(node, "/id"), "DiscountCodeNode")?,
        title: title.chars().take(MAX_TITLE).collect(),
        redeem: gid(at(node, "/codeDiscount/codes/nodes/0/id"), "DiscountRedeemCode")
            .unwrap_or_default(),
    })
}

/// What came of [`make`].
#[must_use]
pub fn made(data: &Value) -> Made {
    let errors = super::user_errors(data, "made");
    if errors.iter().any(|error| is_taken(&error.code)) {
        return Made::Taken;
    }
    match (errors.first(), owner_of(at(data, "/made/codeDiscountNode"))) {
        (Some(error), _) => Made::Refused(words(error)),
        (None, Some(owner)) => Made::Yes(owner),
        (None, None) => Made::Refused("Shopify didn't say what it made".to_owned()),
    }
}

/// The discount that has a code; `None`: nobody has it.
#[must_use]
pub fn owner(data: &Value) -> Option<Owner> {
    owner_of(at(data, "/owner"))
}

fn is_taken(code: &str) -> bool {
    matches!(code, "TAKEN" | "DUPLICATE")
}

/// A complaint of Shopify's, for the brand.
#[must_use]
pub fn words(error: &UserError) -> String {
    match error.code.as_str() {
        "TAKEN" | "DUPLICATE" => TAKEN.to_owned(),
        _ if error.field.is_empty() => format!("Shopify refused it: {}", error.message),
        _ => format!("Shopify refused it: {} ({})", error.message, error.field),
    }
}

/// Somebody else's discount has the code.
pub const TAKEN: &str = "another discount of the shop has this code";

/// What became of a code that was to be added to a discount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The code as it is compared.
    pub key: String,
    /// The platform's name of it, if it was added.
    pub redeem: Option<String>,
    /// Some discount has it already.
    pub taken: bool,
    /// What is wrong with it, in words; '' if nothing is.
    pub words: String,
}

/// How far adding codes is: `None` where Shopify doesn't know of it, else whether it is over, with what
/// became of each.
#[must_use]
pub fn adding(data: &Value) -> Option<(bool, Vec<Added>)> {
    let creation = at(data, "/creation");
    let done = at(creation, "/done").as_bool()?;
    let one = |node: &Value| {
        let errors = at(node, "/errors").as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |value: &Value| -> String {
            let plain = value.as_str().unwrap_or_default().chars();
            plain.map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
        };
        let error = errors.first().map(|error| UserError {
            field: String::new(),
            message: text(at(error, "/message")),
            code: text(at(error, "/code")),
        });
        Some(Added {
            key: code_key(at(node, "/code").as_str()?),
            redeem: gid(at(node, "/discountRedeemCode/id"), "DiscountRedeemCode"),
            taken: error.as_ref().is_some_and(|e| is_taken(&e.code) || sounds_taken(&e.message)),
            words: error.as_ref().map(words).unwrap_or_default(),
        })
    };
    let nodes = at(creation, "/codes/nodes").as_array().map(Vec::as_slice).unwrap_or_default();
    Some((done, nodes.iter().take(MOST_ADDED).filter_map(one).collect()))
}

/// Errors of bulk additions carry no code in some versions.
fn sounds_taken(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("must be unique") || message.contains("already been taken")
}

/// Codes as they are compared, with the platform's names of them.
pub type Carried = Vec<(String, String)>;

/// A page of a discount's codes, as they are compared, with the platform's names of them, and where the
/// next page begins. `None` if there is no such discount.
#[must_use]
pub fn page(data: &Value) -> Option<(Carried, Option<String>)> {
    let codes = at(data, "/node/codeDiscount/codes");
    let nodes = at(codes, "/nodes").as_array()?;
    let one = |node: &Value| {
        Some((code_key(at(node, "/code").as_str()?), gid(at(node, "/id"), "DiscountRedeemCode")?))
    };
    let more = at(codes, "/pageInfo/hasNextPage").as_bool().unwrap_or(false);
    let cursor = at(codes, "/pageInfo/endCursor").as_str().filter(|text| text.len() <= 1000);
    let next = cursor.filter(|_| more).map(str::to_owned);
    Some((nodes.iter().take(MOST_ADDED).filter_map(one).collect(), next))
}

/// What is different in the shop from what a rule says, in words; nothing if all is as it should be.
#[must_use]
pub fn differences(node: &Value, rule: &Discount) -> Vec<&'static str> {
    let found = at(node, "/codeDiscount");
    let mut words = Vec::new();
    let mut same = |same: bool, what: &'static str| {
        if !same {
            words.push(what);
        }
    };
    let kind = match rule.kind {
        Kind::Percentage | Kind::Amount => "DiscountCodeBasic",
        Kind::BuyXGetY => "DiscountCodeBxgy",
        Kind::FreeShipping => "DiscountCodeFreeShipping",
    };
    if at(found, "/__typename").as_str() != Some(kind) {
        return vec!["it is another kind of discount"];
    }
    let share =
        |value: &Value| value.as_number().and_then(|n| n.to_string().parse::<Decimal>().ok());
    let rate = rule.percent.map(|rate| Decimal::new(i64::from(rate.points()), 4));
    let amount = |value: &Value| value.as_str().and_then(|text| text.parse::<Decimal>().ok());
    let whole = |value: &Value| match value {
        Value::String(text) => text.parse::<i64>().ok(),
        value => value.as_i64(),
    };
    let value = at(found, "/customerGets/value");
    let money = |money: crate::domain::money::Money| money.to_decimal().parse::<Decimal>().ok();
    let value_fits = match rule.kind {
        Kind::Percentage => share(at(value, "/percentage")) == rate,
        Kind::Amount => amount(at(value, "/amount/amount")) == rule.amount.and_then(money),
        Kind::BuyXGetY => {
            share(at(value, "/effect/percentage")) == rate
                && whole(at(value, "/quantity/quantity")) == rule.get_quantity
                && whole(at(found, "/customerBuys/value/quantity"))
                    == rule.buy.as_ref().map(|buy| buy.quantity)
        }
        Kind::FreeShipping => true,
    };
    same(value_fits, "it takes off something else");
    if rule.kind != Kind::FreeShipping {
        let on = match (rule.on.products.is_empty(), rule.on.collections.is_empty()) {
            (false, _) => "DiscountProducts",
            (_, false) => "DiscountCollections",
            (true, true) => "AllDiscountItems",
        };
        let items = at(found, "/customerGets/items/__typename").as_str();
        same(items == Some(on), "it is for other products");
    }
    if rule.kind != Kind::BuyXGetY {
        let least = at(found, "/minimumRequirement");
        let subtotal = amount(at(least, "/greaterThanOrEqualToSubtotal/amount"));
        let quantity = whole(at(least, "/greaterThanOrEqualToQuantity"));
        let wanted = (rule.minimum.subtotal.and_then(money), rule.minimum.quantity);
        same((subtotal, quantity) == wanted, "its minimum is another");
    }
    same(at(found, "/usageLimit").as_i64() == rule.usage_limit, "its usage limit is another");
    let once = at(found, "/appliesOncePerCustomer").as_bool();
    same(once == Some(rule.once_per_customer), "how often a customer may use it is another");
    let beside = |name: &str| at(found, &["/combinesWith/", name].concat()).as_bool() == Some(true);
    let combines = rule.combines;
    let beside = beside("orderDiscounts") == combines.order
        && beside("productDiscounts") == combines.product
        && beside("shippingDiscounts") == combines.shipping;
    same(beside, "it combines with other discounts than it should");
    if !ended(node) {
        let time = |name: &str| at(found, name).as_str().and_then(parse_rfc3339);
        same(time("/endsAt") == rule.ends_at_ms, "its end is another");
        let start = rule.starts_at_ms.is_none_or(|start| time("/startsAt") == Some(start));
        same(start, "its start is another");
    }
    words
}

/// Whether a discount ended, as planned or because somebody deactivated it.
#[must_use]
pub fn ended(node: &Value) -> bool {
    at(node, "/codeDiscount/status").as_str() == Some("EXPIRED")
}

#[cfg(test)]
#[path = "discounts_tests.rs"]
mod tests;
