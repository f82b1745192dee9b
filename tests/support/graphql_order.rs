//! What the Admin API answers for the order of a webhook, field by field as Shopify's schema names them.

use serde_json::{Value, json};

/// An amount as GraphQL writes it: without zeros at the end, but with one decimal.
fn amount(text: &str) -> String {
    let text = if text.contains('.') { text.to_owned() } else { format!("{text}.0") };
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

fn bag(set: &Value, plain: &Value, currency: &str) -> Value {
    let money = set.pointer("/shop_money/amount").or(Some(plain).filter(|p| p.is_string()));
    let code = set.pointer("/shop_money/currency_code").and_then(Value::as_str);
    json!({ "shopMoney": { "amount": amount(money.unwrap().as_str().unwrap()),
        "currencyCode": code.unwrap_or(currency) } })
}

pub fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn connection(nodes: Vec<Value>) -> Value {
    json!({ "nodes": nodes, "pageInfo": { "hasNextPage": false, "endCursor": null } })
}

fn allocations(of: &Value, currency: &str) -> Vec<Value> {
    let one = |a: &Value| {
        json!({ "allocatedAmountSet": bag(&a["amount_set"], &a["amount"], currency),
            "discountApplication": { "index": a["discount_application_index"] } })
    };
    list(&of["discount_allocations"]).iter().map(one).collect()
}

/// What the API answers for the order of a webhook.
pub fn graphql(body: &Value, products: bool) -> Value {
    let currency = body["currency"].as_str().unwrap();
    let gid = |kind: &str, id: &Value| format!("gid://shopify/{kind}/{id}");
    let line = |l: &Value| {
        let product = l["product_id"].as_u64().filter(|_| products);
        let taxes = list(&l["tax_lines"]);
        let taxes = taxes
            .iter()
            .map(|t| json!({ "priceSet": bag(&t["price_set"], &t["price"], currency) }));
        json!({ "id": gid("LineItem", &l["id"]), "title": l["title"], "quantity": l["quantity"],
            "currentQuantity": l["current_quantity"], "isGiftCard": l["gift_card"],
            "product": product.map(|id| json!({ "legacyResourceId": id.to_string() })),
            "originalUnitPriceSet": bag(&l["price_set"], &l["price"], currency),
            "discountAllocations": allocations(l, currency), "taxLines": taxes.collect::<Vec<_>>() })
    };
    let application = |(index, a): (usize, &Value)| {
        let by_code = a["type"] == "discount_code";
        let kind = if by_code { "DiscountCodeApplication" } else { "ManualDiscountApplication" };
        json!({ "__typename": kind, "index": index, "code": a["code"] })
    };
    let shipping = |s: &Value| json!({ "id": gid("ShippingLine", &s["id"]), "discountAllocations": allocations(s, currency) });
    let attribute = |a: &Value| json!({ "key": a["name"], "value": a["value"] });
    let map = |name: &str, one: &dyn Fn(&Value) -> Value| -> Vec<Value> {
        list(&body[name]).iter().map(one).collect()
    };
    let applications = list(&body["discount_applications"]);
    json!({
        "id": gid("Order", &body["id"]), "legacyResourceId": body["id"].to_string(),
        "name": body["name"], "createdAt": body["created_at"], "updatedAt": body["updated_at"],
        "cancelledAt": body["cancelled_at"], "test": body["test"],
        "taxesIncluded": body["taxes_included"], "currencyCode": currency,
        "displayFinancialStatus": body["financial_status"].as_str().map(str::to_uppercase),
        "sourceName": body["source_name"], "email": body["email"],
        "landingPageUrl": body["landing_site"], "customAttributes": map("note_attributes", &attribute),
        "discountApplications": connection(applications.iter().enumerate().map(application).collect()),
        "shippingLines": connection(map("shipping_lines", &shipping)),
        "lineItems": connection(map("line_items", &line)),
        "refunds": map("refunds", &|r| refund_of(r, currency)),
    })
}

fn refund_of(r: &Value, currency: &str) -> Value {
    let set = |of: &Value, name: &str| bag(&of[name], &Value::Null, currency);
    let line = |l: &Value| {
        json!({ "quantity": l["quantity"], "subtotalSet": set(l, "subtotal_set"),
            "lineItem": { "id": format!("gid://shopify/LineItem/{}", l["line_item_id"]) },
            "totalTaxSet": set(l, "total_tax_set") })
    };
    let shipping = |s: &Value| {
        json!({ "subtotalAmountSet": set(s, "subtotal_amount_set"),
            "taxAmountSet": set(s, "tax_amount_set") })
    };
    let adjustment = |a: &Value| json!({ "amountSet": set(a, "amount_set"), "taxAmountSet": set(a, "tax_amount_set") });
    let transaction = |t: &Value| {
        json!({ "kind": t["kind"].as_str().unwrap().to_uppercase(),
            "status": t["status"].as_str().unwrap().to_uppercase(),
            "amountSet": { "shopMoney": { "amount": amount(t["amount"].as_str().unwrap()),
                "currencyCode": t["currency"] } } })
    };
    let all = |name: &str, one: &dyn Fn(&Value) -> Value| {
        connection(list(&r[name]).iter().map(one).collect())
    };
    json!({ "id": format!("gid://shopify/Refund/{}", r["id"]), "duties": [],
        "refundLineItems": all("refund_line_items", &line),
        "refundShippingLines": all("refund_shipping_lines", &shipping),
        "orderAdjustments": all("order_adjustments", &adjustment),
        "transactions": all("transactions", &transaction) })
}
