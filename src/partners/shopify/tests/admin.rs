//! An order says the same by both doors: its webhook, and the Admin API. What the API would answer is made
//! of the webhook's body here, field by field as Shopify's schema names them.

use proptest::prelude::*;

use super::*;
use crate::domain::order::{Facts, Journey, Payment};
use crate::partners::shopify::admin::orders;
use graphql_order::{graphql, list};

#[path = "../../../../tests/support/graphql_order.rs"]
mod graphql_order;

fn by_api(answer: &Value) -> Delivery {
    let hash = |address: &str| format!("hash of {address}");
    let mut delivery =
        orders::delivery(answer, now(), &hash).unwrap_or_else(|e| panic!("{e}: {answer}"));
    if let Report::Snapshot(snapshot, _) = &mut delivery.report {
        assert_eq!(snapshot.evidence.journey.take(), None);
    }
    delivery
}

/// The same delivery by both doors; and merged in either order the facts of one of them.
fn same(body: &Value) {
    let (hook, api) = (delivery(body), by_api(&graphql(body, true)));
    assert_eq!(hook, api, "{body}");
    // Without the scope for products nothing is lost, whichever comes first, and nothing flaps.
    let blind = by_api(&graphql(body, false));
    let facts = |reports: &[&Delivery]| {
        reports.iter().fold(Facts::default(), |facts, d| facts.merge(&d.report).unwrap())
    };
    let whole = facts(&[&hook]);
    for order in [[&hook, &blind], [&blind, &hook]] {
        assert_eq!(facts(&order), whole, "{body}");
    }
}

#[test]
fn published_samples_say_the_same_by_both_doors() {
    for text in [
        include_str!("../../../../tests/fixtures/shopify/shopify-docs/2026-07__orders_create.json"),
        include_str!(
            "../../../../tests/fixtures/shopify/shopify-docs/2024-01__orders_cancelled.json"
        ),
    ] {
        let mut body: Value = serde_json::from_str(text).unwrap();
        for line in body["line_items"].as_array_mut().unwrap() {
            // Older versions of webhooks don't tell it.
            if line.get("current_quantity").is_none() {
                line["current_quantity"] = line["quantity"].clone();
            }
        }
        same(&body);
    }
    same(&worked_example());
    let refunded = with(worked_example(), "/refunds", json!([unit_refund()]));
    same(&with(refunded, "/financial_status", json!("partially_refunded")));
}

fn refunds() -> impl Strategy<Value = Value> {
    let shipping = json!([{ "subtotal_amount_set": usd("7.00"), "tax_amount_set": usd("0.50") }]);
    let adjustments = json!([{ "amount_set": usd("-5.00"), "tax_amount_set": usd("0.00") }]);
    let moved = |text: &str| json!([{ "kind": "refund", "status": "success", "amount": text, "currency": "USD" }]);
    let lines = unit_refund()["refund_line_items"].clone();
    let refund = move |lines: Value, shipping: Value, adjustments: Value, moved: Value| {
        json!({ "id": 7, "order_id": 5, "refund_line_items": lines, "refund_shipping_lines": shipping,
            "order_adjustments": adjustments, "transactions": moved })
    };
    prop::sample::select(vec![
        refund(lines.clone(), json!([]), json!([]), moved("22.50")),
        refund(lines, shipping.clone(), adjustments.clone(), moved("35.00")),
        refund(json!([]), shipping, json!([]), moved("7.50")),
        refund(json!([]), json!([]), adjustments, moved("5.00")),
        refund(json!([]), json!([]), json!([]), moved("3.25")),
        refund(json!([]), json!([]), json!([]), json!([])),
    ])
}

prop_compose! {
    fn bodies()(
        lines in prop::collection::vec((1..9_u64, 0..5_u64, 0..5_u64, 0..100_000_u64, 0..3_usize, prop::bool::ANY, prop::bool::ANY), 0..6),
        status in prop::sample::select(vec!["pending", "paid", "partially_refunded", "refunded", "voided", "authorized", "partially_paid"]),
        (test, included, cancelled, anonymous) in (prop::bool::ANY, prop::bool::ANY, prop::bool::ANY, prop::bool::ANY),
        applications in prop::collection::vec(0..3_usize, 0..3),
        landing in prop::sample::select(vec![None, Some("/?ref=anna"), Some("/p?click_id=abc&ref=x"), Some("https://casa.example/a#b")]),
        refund in prop::option::of(refunds()),
        source in prop::sample::select(vec!["web", "pos", "shopify_draft_order", "580111"]),
    ) -> Value {
        let mut body = worked_example();
        let mut seen = Vec::new();
        let lines: Vec<Value> = lines.into_iter().filter_map(|(id, quantity, left, price, discount, gift, tip)| {
            if seen.contains(&id) { return None; }
            seen.push(id);
            let price = format!("{}.{:02}", price / 100, price % 100);
            let mut one = line(id, quantity, &price, "0.00");
            one["current_quantity"] = json!(left.min(quantity));
            one["gift_card"] = json!(gift);
            if tip { one["title"] = json!("Tip"); one["name"] = json!("Tip"); one["product_id"] = Value::Null; }
            one["discount_allocations"] = (0..applications.len().min(discount)).map(|index| json!({
                "amount": "1.50", "amount_set": usd("1.50"), "discount_application_index": index })).collect();
            Some(one)
        }).collect();
        let codes = ["ANNA10", "berta", "Émile"];
        // The amount that a webhook tells of a code is what its allocations come to.
        let taken = |index: usize| lines.iter().filter(|l| l["discount_allocations"].as_array().unwrap().len() > index).count();
        body["discount_codes"] = applications.iter().enumerate().filter(|(_, kind)| **kind > 0).map(|(index, _)| {
            let minor = taken(index) * 150;
            json!({ "code": codes[index], "amount": format!("{}.{:02}", minor / 100, minor % 100), "type": "fixed_amount" })
        }).collect();
        body["discount_applications"] = applications.iter().enumerate().map(|(index, kind)| match kind {
            0 => json!({ "type": "manual", "title": "Goodwill" }),
            _ => json!({ "type": "discount_code", "code": codes[index] }),
        }).collect();
        body["line_items"] = json!(lines);
        body["financial_status"] = json!(status);
        body["test"] = json!(test);
        body["taxes_included"] = json!(included);
        body["cancelled_at"] = if cancelled { json!("2026-11-21T10:00:00+01:00") } else { Value::Null };
        if anonymous { body["email"] = Value::Null; body["customer"] = Value::Null; body["contact_email"] = Value::Null; }
        body["landing_site"] = json!(landing);
        body["source_name"] = json!(source);
        body["refunds"] = refund.into_iter().collect();
        body
    }
}

proptest! {
    #[test]
    fn any_order_says_the_same_by_both_doors(body in bodies()) {
        same(&body);
    }
}

#[test]
fn currencies_without_decimals_and_with_three_are_exact() {
    for (currency, price, minor) in
        [("JPY", "1000", 1_000), ("KWD", "1.234", 1_234), ("USD", "10.00", 1_000)]
    {
        let mut body = worked_example();
        body["currency"] = json!(currency);
        let mut line = line(1, 1, price, "0");
        line["price_set"] = set(price, currency);
        line["discount_allocations"] = json!([]);
        line["tax_lines"] = json!([]);
        body["line_items"] = json!([line]);
        body["discount_codes"] = json!([]);
        body["discount_applications"] = json!([]);
        same(&body);
        assert_eq!(order(&body).0.lines[0].price_minor, minor);
    }
}

#[test]
fn what_one_door_hides_is_learnt_by_the_other_and_never_flaps() {
    // A webhook that got lost: the API tells the later moment, without products; the webhook of before
    // comes late. Which product each line is stays known in either order.
    let first = delivery(&worked_example());
    let later = with(worked_example(), "/updated_at", json!("2026-11-21T10:00:00+01:00"));
    let later = by_api(&graphql(&with(later, "/financial_status", json!("refunded")), false));
    let facts = |order: [&Delivery; 2]| {
        order.iter().fold(Facts::default(), |facts, d| facts.merge(&d.report).unwrap())
    };
    let (one, other) = (facts([&first, &later]), facts([&later, &first]));
    assert_eq!(one, other);
    let snapshot = one.snapshot.unwrap();
    assert_eq!(snapshot.payment, Payment::Refunded);
    assert_eq!(
        snapshot.lines.iter().map(|l| l.product_id).collect::<Vec<_>>(),
        [Some(1_001), Some(1_002)]
    );
    // A manual discount's title that only the webhook tells, and an address that only one of them shows.
    let draft = json!([{ "code": "Alan Test 0123A", "amount": "5.00", "type": "fixed_amount" }]);
    let draft = with(
        with(worked_example(), "/discount_codes", draft),
        "/discount_applications",
        json!([{ "type": "manual" }]),
    );
    let (hook, mut answer) = (delivery(&draft), graphql(&draft, true));
    answer["email"] = Value::Null;
    let api = by_api(&answer);
    assert_ne!(hook, api);
    let both = facts([&hook, &api]);
    assert_eq!(both, facts([&api, &hook]));
    assert_eq!(both.evidence(), facts([&hook, &hook]).evidence(), "the one that says more counts");
}

#[test]
fn a_bulk_file_is_put_together_across_pieces() {
    let mut rows = String::new();
    let mut whole = Vec::new();
    for n in 1..=5_u64 {
        let mut body = worked_example();
        body["id"] = json!(n);
        let mut answer = graphql(&body, true);
        whole.push(by_api(&answer));
        let fields = answer.as_object_mut().unwrap();
        let children: Vec<Value> = ["discountApplications", "shippingLines", "lineItems"]
            .iter()
            .flat_map(|name| list(&fields.remove(*name).unwrap()["nodes"]))
            .collect();
        rows.push_str(&format!("{}\n", answer));
        for mut child in children {
            child["__parentId"] = answer["id"].clone();
            rows.push_str(&format!("{child}\n"));
        }
    }
    for size in [900, 2_000, 4_000, rows.len()] {
        let (mut at, mut found, mut length) = (0, Vec::new(), size);
        while at < rows.len() {
            let end = (at + length).min(rows.len());
            let (list, read) = orders::of_bulk(&rows[at..end], end == rows.len());
            found.extend(list.iter().map(by_api));
            length = if read == 0 { length * 2 } else { size };
            at += read;
        }
        assert_eq!(found, whole, "in pieces of {size}");
    }
    // Rows that are none of ours are passed over.
    assert_eq!(orders::of_bulk("x\n{}\n7\n", true).0.len(), 3);
    assert!(orders::delivery(&json!({}), now(), &|_| String::new()).is_err());
}

#[test]
fn journeys_tell_clicks_and_refs_once_they_are_ready() {
    let order = |summary: Value| json!({ "customerJourneySummary": summary });
    assert_eq!(orders::journey(&order(Value::Null)), None);
    assert_eq!(orders::journey(&order(json!({ "ready": false, "customerOrderIndex": 3 }))), None);
    assert_eq!(orders::journey(&order(json!({ "ready": true }))), Some(Journey::default()));
    let visit = |page: &str, code: Value| json!({ "landingPage": page, "referralCode": code });
    let told = orders::journey(&order(json!({ "ready": true, "customerOrderIndex": 0,
        "lastVisit": visit("https://casa.example/p?click_id=last&ref=anna", json!("anna")),
        "firstVisit": visit("https://casa.example/", json!("berta")) })));
    let expected = Journey {
        clicks: vec!["last".into()],
        bare_ref: Some("berta".into()),
        customer_order: Some(1),
    };
    assert_eq!(told, Some(expected));
    for (told, read) in [(0, 1), (1, 1), (2, 2)] {
        let told = json!({ "ready": true, "customerOrderIndex": told });
        assert_eq!(orders::journey(&order(told)).unwrap().customer_order, Some(read));
    }
    for odd in [json!(-1), json!(1.5), json!("7"), json!(u64::MAX)] {
        let told =
            orders::journey(&order(json!({ "ready": true, "customerOrderIndex": odd }))).unwrap();
        assert_eq!(told.customer_order, None);
    }
}

#[test]
fn odd_answers_are_refused_or_passed_over() {
    for odd in [
        json!(null),
        json!([]),
        json!("x"),
        json!({ "id": "gid://shopify/Order/x" }),
        json!({ "id": "gid://shopify/Order/1", "currencyCode": 7, "lineItems": [], "refunds": {} }),
    ] {
        assert!(orders::delivery(&odd, now(), &|_| String::new()).is_err(), "{odd}");
    }
    let base = graphql(&worked_example(), true);
    for (pointer, value) in [
        ("/lineItems/nodes/0/quantity", json!(-1)),
        ("/lineItems/nodes/0/originalUnitPriceSet/shopMoney/amount", json!("1e9")),
        ("/lineItems/nodes/0/originalUnitPriceSet", Value::Null),
        ("/lineItems/nodes/0/id", json!("gid://shopify/LineItem/")),
        ("/createdAt", json!("yesterday")),
        ("/currencyCode", json!("XXX")),
    ] {
        let bad = with(base.clone(), pointer, value);
        assert!(orders::delivery(&bad, now(), &|_| String::new()).is_err(), "{pointer}");
    }
}
