//! Orders as the Admin API tells them, spelled as their webhooks would be.
//!
//! An order is written as the body of its webhook and read by the same reader, so that both say the
//! same facts: ids out of `gid://shopify/Order/1`, codes with what their allocations come to, and so on.
//! What one door tells and the other doesn't is no part of what orders snapshots: which product a line is
//! (needs the scope `read_products` here), and what names a deal (`Evidence`, where more wins).

use serde_json::Value;

use super::super::evidence::{Landing, MAX_CHARS, MAX_CLICKS, clip};
use super::super::{Parsed, Unusable, parse};
use crate::domain::decimal::Decimal;
use crate::domain::json::{Raw, json, list_of};
use crate::domain::order::{Delivery, Journey, Report};
use crate::domain::sorted::Sorted;
use crate::domain::time::Millis;
use crate::partners::at;

/// The number in `gid://shopify/Order/1`; '' if it is none.
#[must_use]
pub fn number(gid: &Value) -> &str {
    let text = gid.as_str().unwrap_or_default();
    let digits = text.rsplit('/').next().unwrap_or_default();
    let digits = digits.split('?').next().unwrap_or_default();
    if digits.bytes().all(|b| b.is_ascii_digit()) { digits } else { "" }
}

/// `gid://shopify/Order/1`
#[must_use]
pub fn order_gid(external_id: &str) -> String {
    ["gid://shopify/Order/", external_id].concat()
}

/// The nodes of a connection.
#[must_use]
pub fn nodes(connection: &Value) -> &[Value] {
    list(at(connection, "/nodes"))
}

/// The elements of a list.
#[must_use]
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Where a connection goes on, if it does.
#[must_use]
pub fn next_page(connection: &Value) -> Option<&str> {
    let more = at(connection, "/pageInfo/hasNextPage").as_bool() == Some(true);
    at(connection, "/pageInfo/endCursor").as_str().filter(|cursor| more && cursor.len() <= 2000)
}

/// The orders of a list of nodes: those that were asked for and are gone are null.
pub fn orders(value: &mut Value) -> Vec<Value> {
    let list = value.as_array_mut().map(std::mem::take).unwrap_or_default();
    list.into_iter().filter(|order| !number(at(order, "/id")).is_empty()).collect()
}

/// The delivery that an order is, complete with its lines and refunds.
///
/// # Errors
/// [`Unusable`], as of its webhook.
pub fn delivery(
    order: &Value,
    now_ms: Millis,
    hash_email: &dyn Fn(&str) -> String,
) -> Result<Delivery, Unusable> {
    let mut delivery = match parse(body(order).as_bytes(), now_ms, hash_email)? {
        Parsed::Delivery(delivery) => delivery,
        _ => return Err(Unusable::UnexpectedType),
    };
    if let Report::Snapshot(snapshot, _) = &mut delivery.report {
        snapshot.evidence.journey = journey(order);
    }
    Ok(delivery)
}

/// What the shop saw of the visits before an order; nothing while it doesn't know yet.
#[must_use]
pub fn journey(order: &Value) -> Option<Journey> {
    let summary = at(order, "/customerJourneySummary");
    if at(summary, "/ready").as_bool() != Some(true) {
        return None;
    }
    let mut journey = Journey {
        // Shopify doesn't say whether it counts from 0 or from 1: read so that nobody is taken for a
        // customer of longer standing than she is.
        customer_order: at(summary, "/customerOrderIndex")
            .as_i64()
            .filter(|index| (0..1_000_000).contains(index))
            .map(|index| index.max(1)),
        ..Journey::default()
    };
    for visit in [at(summary, "/lastVisit"), at(summary, "/firstVisit")] {
        let landing = Landing::of(at(visit, "/landingPage").as_str().unwrap_or_default());
        for click in &landing.clicks {
            let click = clip(click, MAX_CHARS);
            if journey.clicks.len() < MAX_CLICKS && !journey.clicks.contains(&click) {
                journey.clicks.push(click);
            }
        }
        let code = at(visit, "/referralCode").as_str().filter(|code| !code.is_empty());
        let reference = landing.reference.as_deref().or(code);
        if let (None, true, Some(slug)) = (&journey.bare_ref, landing.clicks.is_empty(), reference)
        {
            journey.bare_ref = Some(clip(slug, MAX_CHARS));
        }
    }
    Some(journey)
}

/// The body that the order's webhook would have.
#[must_use]
pub fn body(order: &Value) -> String {
    let currency = text(at(order, "/currencyCode"));
    let (codes, applications) = discounts(order);
    let attributes = list(at(order, "/customAttributes")).iter().map(|attribute| {
        let (name, value) = (text(at(attribute, "/key")), text(at(attribute, "/value")));
        json!({ "name": Raw(&name), "value": Raw(&value) })
    });
    let lines = nodes(at(order, "/lineItems")).iter().map(|one| line(one, &currency));
    let refunds = list(at(order, "/refunds")).iter().map(refund);
    let status = at(order, "/displayFinancialStatus").as_str().map(str::to_ascii_lowercase);
    let list = |items: Vec<String>| list_of(&items);
    json!({
        "id": Raw(id(at(order, "/id"))),
        "name": Raw(&text(at(order, "/name"))),
        "created_at": Raw(&text(at(order, "/createdAt"))),
        "updated_at": Raw(&text(at(order, "/updatedAt"))),
        "cancelled_at": Raw(&text(at(order, "/cancelledAt"))),
        "test": Raw(flag(at(order, "/test"))),
        "taxes_included": Raw(flag(at(order, "/taxesIncluded"))),
        "currency": Raw(&currency),
        "financial_status": status.unwrap_or_default(),
        "source_name": Raw(&text(at(order, "/sourceName"))),
        "email": Raw(&text(at(order, "/email"))),
        "landing_site": Raw(&text(at(order, "/landingPageUrl"))),
        "note_attributes": Raw(&list(attributes.collect())),
        "discount_codes": Raw(&list(codes)),
        "discount_applications": Raw(&list(applications)),
        "line_items": Raw(&list(lines.collect())),
        "refunds": Raw(&list(refunds.collect())),
    })
}

/// The codes that were used, each with what its allocations come to, and all applications.
fn discounts(order: &Value) -> (Vec<String>, Vec<String>) {
    let mut taken: Sorted<i64, Decimal> = Sorted::new();
    let lines = nodes(at(order, "/lineItems")).iter().chain(nodes(at(order, "/shippingLines")));
    for allocation in lines.flat_map(|line| list(at(line, "/discountAllocations"))) {
        let amount = at(allocation, "/allocatedAmountSet/shopMoney/amount").as_str();
        if let (Some(index), Some(amount)) = (
            at(allocation, "/discountApplication/index").as_i64(),
            amount.and_then(|text| text.parse::<Decimal>().ok()),
        ) {
            taken.change(index, |sum| *sum += amount);
        }
    }
    let (mut codes, mut applications) = (Vec::new(), Vec::new());
    for one in nodes(at(order, "/discountApplications")) {
        let kind = at(one, "/__typename").as_str().unwrap_or_default();
        if kind != "DiscountCodeApplication" {
            applications.push(json!({ "type": "manual" }));
            continue;
        }
        let code = text(at(one, "/code"));
        let index = at(one, "/index").as_i64().unwrap_or(-1);
        let amount = taken.get(&index).copied().unwrap_or_default().to_string();
        codes.push(json!({ "code": Raw(&code), "amount": amount }));
        applications.push(json!({ "type": "discount_code", "code": Raw(&code) }));
    }
    (codes, applications)
}

fn line(line: &Value, currency: &str) -> String {
    let set = |value: &Value| money(at(value, "/shopMoney/amount"), currency);
    let allocations = list(at(line, "/discountAllocations")).iter();
    let allocations =
        allocations.map(|one| json!({ "amount_set": Raw(&set(at(one, "/allocatedAmountSet"))) }));
    let taxes = list(at(line, "/taxLines")).iter();
    let taxes = taxes.map(|one| json!({ "price_set": Raw(&set(at(one, "/priceSet"))) }));
    json!({
        "id": Raw(id(at(line, "/id"))),
        "product_id": Raw(digits(at(line, "/product/legacyResourceId"))),
        "title": Raw(&text(at(line, "/title"))),
        "quantity": Raw(&whole(at(line, "/quantity"))),
        "current_quantity": Raw(&whole(at(line, "/currentQuantity"))),
        "gift_card": Raw(flag(at(line, "/isGiftCard"))),
        "price_set": Raw(&set(at(line, "/originalUnitPriceSet"))),
        "discount_allocations": Raw(&list_of(&allocations.collect::<Vec<_>>())),
        "tax_lines": Raw(&list_of(&taxes.collect::<Vec<_>>())),
    })
}

fn refund(refund: &Value) -> String {
    let set = |value: &Value| {
        let currency = text(at(value, "/shopMoney/currencyCode"));
        money(at(value, "/shopMoney/amount"), &currency)
    };
    let lines = nodes(at(refund, "/refundLineItems")).iter().map(|one| {
        json!({
            "line_item_id": Raw(id(at(one, "/lineItem/id"))),
            "quantity": Raw(&whole(at(one, "/quantity"))),
            "subtotal_set": Raw(&set(at(one, "/subtotalSet"))),
            "total_tax_set": Raw(&set(at(one, "/totalTaxSet"))),
        })
    });
    let shipping = nodes(at(refund, "/refundShippingLines")).iter().map(|one| {
        json!({
            "subtotal_amount_set": Raw(&set(at(one, "/subtotalAmountSet"))),
            "tax_amount_set": Raw(&set(at(one, "/taxAmountSet"))),
        })
    });
    let adjustments = nodes(at(refund, "/orderAdjustments")).iter().map(|one| {
        json!({
            "amount_set": Raw(&set(at(one, "/amountSet"))),
            "tax_amount_set": Raw(&set(at(one, "/taxAmountSet"))),
        })
    });
    let transactions = nodes(at(refund, "/transactions")).iter().map(|one| {
        let lower = |value: &Value| value.as_str().unwrap_or_default().to_ascii_lowercase();
        json!({
            "kind": lower(at(one, "/kind")),
            "status": lower(at(one, "/status")),
            "amount": Raw(&amount(at(one, "/amountSet/shopMoney/amount"))),
            "currency": Raw(&text(at(one, "/amountSet/shopMoney/currencyCode"))),
        })
    });
    let duties = list(at(refund, "/duties")).iter();
    let duties = duties
        .filter_map(|one| at(one, "/amountSet/shopMoney/amount").as_str()?.parse::<Decimal>().ok());
    let duties = Value::String(duties.sum::<Decimal>().to_string());
    json!({
        "id": Raw(id(at(refund, "/id"))),
        "refund_line_items": Raw(&list_of(&lines.collect::<Vec<_>>())),
        "refund_shipping_lines": Raw(&list_of(&shipping.collect::<Vec<_>>())),
        "order_adjustments": Raw(&list_of(&adjustments.collect::<Vec<_>>())),
        "transactions": Raw(&list_of(&transactions.collect::<Vec<_>>())),
        "total_duties_set": Raw(&money(&duties, "null")),
    })
}

/// A text as JSON; null for what is none.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| "null".to_owned(), |text| json!(text))
}

fn flag(value: &Value) -> &'static str {
    if value.as_bool() == Some(true) { "true" } else { "false" }
}

/// The number of an id; null for what has none.
fn id(gid: &Value) -> &str {
    Some(number(gid)).filter(|digits| !digits.is_empty()).unwrap_or("null")
}

/// A number that GraphQL writes as a text of digits; null for what is none.
fn digits(value: &Value) -> &str {
    let digits = value.as_str().unwrap_or_default();
    let are = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if are { digits } else { "null" }
}

fn whole(value: &Value) -> String {
    value.as_u64().map_or_else(|| "null".to_owned(), |n| n.to_string())
}

/// GraphQL writes `10.0` whatever the currency, also where it has no decimals: without zeros at the end
/// it is what the webhook means. What is no amount stays as it is, to be complained about.
fn amount(value: &Value) -> String {
    let told = value.as_str().unwrap_or_default();
    json!(told.parse::<Decimal>().map_or_else(|_| told.to_owned(), |exact| exact.to_string()))
}

fn money(value: &Value, currency: &str) -> String {
    if value.is_null() {
        return "null".to_owned();
    }
    let money = json!({ "amount": Raw(&amount(value)), "currency_code": Raw(currency) });
    json!({ "shop_money": Raw(&money) })
}

/// The text of a bulk operation over the orders that a search finds.
#[must_use]
pub fn bulk_query(search: &str, products: bool) -> String {
    const FILTER: &str = "created_at:>=2026-01-01";
    const PRODUCT: &str =
        "              product {\n                legacyResourceId\n              }\n";
    let all = super::BULK_ORDERS.text.replace(FILTER, search);
    if products { all } else { all.replace(PRODUCT, "") }
}

/// The orders in a piece of a bulk operation's file, each put together from its lines, and how many
/// bytes of the piece they are: the last order is left for the next piece unless this is the `last`.
#[must_use]
pub fn of_bulk(piece: &str, last: bool) -> (Vec<Value>, usize) {
    let mut orders: Vec<Value> = Vec::new();
    let (mut read, mut begins) = (0, 0);
    for row in piece.split_inclusive('\n') {
        if !row.ends_with('\n') && !last {
            break;
        }
        let value: Value = serde_json::from_str(row.trim()).unwrap_or_default();
        if at(&value, "/__parentId").is_null() {
            begins = read;
            orders.push(value);
        } else if let Some(order) = orders.last_mut() {
            adopt(order, value);
        }
        read += row.len();
    }
    if last {
        return (orders, piece.len());
    }
    orders.pop();
    (orders, begins)
}

/// Puts a row of a bulk operation's file into the order it belongs to.
fn adopt(order: &mut Value, child: Value) {
    if at(&child, "/__parentId") != at(order, "/id") {
        return;
    }
    let gid = at(&child, "/id").as_str().unwrap_or_default();
    let name = if gid.contains("/LineItem/") {
        "lineItems"
    } else if gid.contains("/ShippingLine/") {
        "shippingLines"
    } else {
        "discountApplications"
    };
    add_nodes(order, name, vec![child]);
}

/// Puts further nodes into an order's connection.
pub fn add_nodes(order: &mut Value, connection: &str, more: Vec<Value>) {
    let Some(fields) = order.as_object_mut() else { return };
    let list = fields.entry(connection).or_insert(Value::Null);
    if !list.is_object() {
        *list = Value::Object(serde_json::Map::new());
    }
    let Some(list) = list.as_object_mut() else { return };
    let nodes = list.entry("nodes").or_insert_with(|| Value::Array(Vec::new()));
    if let Some(nodes) = nodes.as_array_mut() {
        nodes.extend(more);
    }
}
