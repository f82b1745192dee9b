use serde_json::{Value, json};

use super::*;
use crate::domain::discount::{Buy, Combines, Minimum};
use crate::domain::money::Money;

fn rule(kind: Kind) -> Discount {
    Discount {
        kind,
        percent: None,
        amount: None,
        on: Items::default(),
        buy: None,
        get_quantity: None,
        minimum: Minimum::default(),
        starts_at_ms: None,
        ends_at_ms: None,
        usage_limit: None,
        once_per_customer: false,
        combines: Combines::default(),
    }
}

fn made_of(rule: &Discount) -> Value {
    let text = make(rule, "Autumn (group_1)", "ANNA10", 1_795_334_400_000);
    text.parse::<Value>().unwrap()["discount"].clone()
}

#[test]
fn a_percentage_is_a_fraction_for_all_customers() {
    let ten = Discount {
        percent: BasisPoints::new(1250),
        usage_limit: Some(3),
        once_per_customer: true,
        ends_at_ms: Some(1_795_420_800_000),
        combines: Combines { shipping: true, ..Combines::default() },
        minimum: Minimum {
            subtotal: Some(Money::new(5_000, "USD".parse().unwrap())),
            quantity: None,
        },
        ..rule(Kind::Percentage)
    };
    assert_eq!(
        made_of(&ten),
        json!({ "title": "Autumn (group_1)", "code": "ANNA10", "context": { "all": "ALL" },
            "startsAt": to_rfc3339(1_795_334_400_000), "endsAt": to_rfc3339(1_795_420_800_000), "usageLimit": 3,
            "appliesOncePerCustomer": true,
            "combinesWith": { "orderDiscounts": false, "productDiscounts": false, "shippingDiscounts": true },
            "minimumRequirement": { "subtotal": { "greaterThanOrEqualToSubtotal": "50.00" } },
            "customerGets": { "items": { "all": true }, "value": { "percentage": 0.125 } } })
    );
    let change: Value = change("gid://1", &ten, "T", 0).parse().unwrap();
    assert_eq!(change["id"], "gid://1");
    assert!(
        change["discount"].get("code").is_none() && change["discount"].get("context").is_none()
    );
}

#[test]
fn amounts_are_exact_and_items_are_named() {
    let yen = Money::new(500, "JPY".parse().unwrap());
    let on = Items { collections: vec![7, 8], products: vec![] };
    let off = made_of(&Discount { amount: Some(yen), on, ..rule(Kind::Amount) });
    let gets = &off["customerGets"];
    assert_eq!(
        gets["value"],
        json!({ "discountAmount": { "amount": "500", "appliesOnEachItem": false } })
    );
    let ids = ["gid://shopify/Collection/7", "gid://shopify/Collection/8"];
    assert_eq!(gets["items"], json!({ "collections": { "add": ids } }));
}

#[test]
fn buying_two_gets_one() {
    let of = |id| Items { products: vec![id], collections: vec![] };
    let bxgy = made_of(&Discount {
        percent: BasisPoints::new(10_000),
        buy: Some(Buy { quantity: 2, on: of(1) }),
        get_quantity: Some(1),
        on: of(2),
        ..rule(Kind::BuyXGetY)
    });
    assert_eq!(bxgy["customerBuys"]["value"], json!({ "quantity": "2" }));
    let got = json!({ "discountOnQuantity": { "quantity": "1", "effect": { "percentage": 1 } } });
    assert_eq!(bxgy["customerGets"]["value"], got);
    let items = json!({ "products": { "productsToAdd": ["gid://shopify/Product/2"] } });
    assert_eq!(bxgy["customerGets"]["items"], items);
    let free = made_of(&rule(Kind::FreeShipping));
    assert_eq!((&free["destination"], free.get("customerGets")), (&json!({ "all": true }), None));
}

#[test]
fn answers_are_read_with_doubt() {
    let node =
        json!({ "id": "gid://shopify/DiscountCodeNode/5", "codeDiscount": { "title": "T" } });
    let yes = Owner {
        id: "gid://shopify/DiscountCodeNode/5".into(),
        title: "T".into(),
        redeem: String::new(),
    };
    let told = |node: Value, errors: Value| {
        made(&json!({ "made": { "codeDiscountNode": node, "userErrors": errors } }))
    };
    assert_eq!(told(node.clone(), json!([])), Made::Yes(yes));
    let error = |code: &str| json!([{ "field": ["d", "code"], "code": code, "message": "m" }]);
    assert_eq!(told(Value::Null, error("TAKEN")), Made::Taken);
    assert_eq!(
        told(Value::Null, error("BLANK")),
        Made::Refused("Shopify refused it: m (d.code)".into())
    );
    for odd in [
        json!(null),
        json!({ "id": 5 }),
        json!({ "id": "gid://shopify/Order/5" }),
        json!({ "id": "gid://shopify/DiscountCodeNode/5'" }),
    ] {
        assert!(matches!(told(odd, json!([])), Made::Refused(_)));
    }
    assert!(owner(&json!({ "owner": null })).is_none() && owner(&json!(7)).is_none());
    assert_eq!(adding(&json!({ "creation": null })), None);
    let taken = json!({ "code": "A", "errors": [{ "message": "Code must be unique." }] });
    let creation = json!({ "creation": { "done": true, "codes": { "nodes": [taken, 7, { "code": "B", "errors": [],
        "discountRedeemCode": { "id": "gid://shopify/DiscountRedeemCode/9" } }] } } });
    let (done, codes) = adding(&creation).unwrap();
    assert!(done && codes.len() == 2 && codes[0].taken && codes[1].redeem.is_some());
    assert_eq!(page(&json!({ "node": null })), None);
}

#[test]
fn what_differs_is_told() {
    let ten = Discount { percent: BasisPoints::new(1000), ..rule(Kind::Percentage) };
    let node = json!({ "id": "x", "codeDiscount": { "__typename": "DiscountCodeBasic", "status": "ACTIVE",
        "startsAt": "2026-11-22T08:00:00Z", "endsAt": null, "usageLimit": null, "appliesOncePerCustomer": false,
        "combinesWith": { "orderDiscounts": false, "productDiscounts": false, "shippingDiscounts": false },
        "minimumRequirement": null, "customerGets": { "items": { "__typename": "AllDiscountItems" },
            "value": { "percentage": 0.1 } } } });
    assert_eq!(differences(&node, &ten), [""; 0]);
    for (path, value) in [
        ("/codeDiscount/customerGets/value/percentage", json!(0.11)),
        ("/codeDiscount/customerGets/items/__typename", json!("DiscountProducts")),
        ("/codeDiscount/usageLimit", json!(5)),
        ("/codeDiscount/appliesOncePerCustomer", json!(true)),
        ("/codeDiscount/combinesWith/orderDiscounts", json!(true)),
        ("/codeDiscount/endsAt", json!("2026-12-01T00:00:00Z")),
        ("/codeDiscount/minimumRequirement", json!({ "greaterThanOrEqualToQuantity": "2" })),
        ("/codeDiscount/__typename", json!("DiscountCodeApp")),
    ] {
        let mut other = node.clone();
        *other.pointer_mut(path).unwrap() = value;
        assert_eq!(differences(&other, &ten).len(), 1, "{path}");
    }
    assert!(!differences(&json!(null), &ten).is_empty());
}

#[test]
fn titles_tell_which_discount_is_ours() {
    let long = title(&"x".repeat(500), "code_1");
    assert!(long.chars().count() == 255 && long.ends_with(" (code_1)"));
    let some: Value = codes(&["a", "b\""], 3).parse().unwrap();
    assert_eq!(some, json!({ "c0": "a", "c1": "b\"", "c2": "b\"" }));
}
