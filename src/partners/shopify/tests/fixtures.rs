//! Samples that Shopify and client libraries published come to what they say.

use super::*;
use crate::domain::decimal::Decimal;
use crate::domain::dispute::{Dispute, DisputeState};
use crate::domain::order::Payment;
use crate::partners::shopify::News;

macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/shopify/",
            $name
        )))
        .unwrap()
    };
}

/// What a sample order says: name, payment, currency, cancelled, test, price × quantity per line.
type Said<'a> = (&'a str, Payment, &'a str, bool, bool, &'a [i64]);

fn says(body: &Value, said: Said<'_>) {
    let (order, _) = order(body);
    let prices: Vec<_> = order.lines.iter().map(|l| l.price_minor * l.quantity).collect();
    assert_eq!(
        (
            order.name.as_str(),
            order.payment,
            order.currency.code(),
            order.cancelled,
            order.test,
            prices.as_slice()
        ),
        said
    );
}

#[test]
fn webhook_orders() {
    let created = fixture!("shopify-docs/2026-07__orders_create.json");
    let prices = [8_999, 1_999, 2_499, 15_999, 11_999];
    says(&created, ("#9999", Payment::Voided, "USD", true, true, &prices));
    assert_eq!(delivery(&created).external_id, "820982911946154508");
    let (order, refunds) = order(&created);
    assert_eq!(order.lines[0].id, 487_817_672_276_298_554);
    assert_eq!(order.lines[0].product_id, Some(788_032_119_674_292_900));
    assert_eq!(order.lines[1].product_id, None);
    assert!(order.lines.iter().all(|line| line.earns && line.current_quantity == Some(1)));
    assert_eq!(order.evidence.email_hash.as_deref(), Some("hash of jon@example.com"));
    assert!(order.evidence.is_empty() && refunds.is_empty());
    assert_eq!(Some(order.placed_at_ms), parse_rfc3339("2022-01-01T00:00:00Z"));

    let cancelled = fixture!("shopify-docs/2024-01__orders_cancelled.json");
    says(&cancelled, ("#9999", Payment::Voided, "USD", true, true, &[19_900, 19_900]));
}

#[test]
fn webhook_refunds_and_edits() {
    let refund = refund(&fixture!("shopify-docs/2026-07__refunds_create.json"));
    assert_eq!(refund.id, "890088186047892319");
    assert_eq!(refund.currency.map(|c| c.code()), Some("USD"));
    let lines: Vec<_> = refund.lines.iter().map(|line| line.subtotal.to_string()).collect();
    assert_eq!(lines, ["89.99", "19.99", "24.99", "159.99", "119.99"]);
    assert_eq!(refund.lines[0].line_id, 487_817_672_276_298_560);
    assert_eq!(refund.amount, Decimal::ZERO);

    let edited = delivery(&fixture!("shopify-docs/2026-07__orders_edited.json"));
    assert_eq!(edited.external_id, "820982911946154508");
    let Report::Edited(edit) = edited.report else { panic!() };
    let expected = [(78_643_924_236_718_240, 1), (487_817_672_276_298_560, -1)];
    assert_eq!((edit.id.as_str(), edit.deltas.as_slice()), ("78912328793123780", &expected[..]));
}

#[test]
fn a_dispute() {
    let told = delivery(&fixture!("shopify-docs/2026-07__disputes_create.json"));
    assert_eq!(told.external_id, "820982911946154508");
    let at_ms = parse_rfc3339("2022-01-01T00:00:00Z").unwrap();
    let open = Dispute { state: DisputeState::Open, at_ms };
    assert_eq!(told.report, Report::Dispute("285332461850802050".into(), open));
}

#[test]
fn a_shop_that_removed_the_app() {
    let mut body = fixture!("shopify-docs/2026-07__app_uninstalled.json");
    assert_eq!(read(&body), Ok(Parsed::News(News::Removed(None))));
    // As real ones look, with what the example leaves empty.
    for (name, value) in [
        ("myshopify_domain", "super-toys.myshopify.com"),
        ("created_at", "2007-12-31T19:00:00-05:00"),
        ("updated_at", "2026-11-22T19:00:00-05:00"),
    ] {
        body[name] = value.into();
    }
    let named = News::Removed(Some("super-toys.myshopify.com".into()));
    assert_eq!(read(&body), Ok(Parsed::News(named)));
}

#[test]
fn other_webhooks_and_answers_are_irrelevant() {
    for body in [
        fixture!("shopify-docs/2026-07__customers_update.json"),
        fixture!("shopify-docs/2026-07__order_transactions_create.json"),
        fixture!("go-shopify/shop.json"),
        fixture!("go-shopify/transactions.json"),
        fixture!("go-shopify/discount_code.json"),
        fixture!("go-shopify/price_rule_get.json"),
        fixture!("shopify-api-node/refund_calculate.json"),
        fixture!("shopify-api-ruby/refund_test_5.json"),
        fixture!("shopify-api-ruby/dispute_test_1.json"),
        fixture!("shopify_python_api/disputes.json"),
        fixture!("shopify_python_api/discount_codes.json"),
    ] {
        assert_eq!(read(&body), Ok(Parsed::Irrelevant), "{body}");
    }
    let added = fixture!("shopify-docs/2026-07__discounts_redeemcode_added.json");
    let hint = Parsed::Discount("gid://shopify/DiscountCodeNode/1".to_owned());
    assert_eq!(read(&added), Ok(hint));
}

#[test]
fn what_shops_ask_about_shoppers() {
    let kind = |body: Value| match read(&body) {
        Ok(Parsed::Privacy(request)) => request.ask.kind(),
        other => panic!("{other:?}"),
    };
    let told = fixture!("shopify-docs/2026-07__customers_data_request.json");
    assert_eq!(kind(told), "data_request");
    assert_eq!(kind(fixture!("shopify-docs/2026-07__shop_redact.json")), "shop_redaction");
}

#[test]
fn rest_orders() {
    let ipods = [19_900; 3];
    let unpaid = Payment::Unpaid;
    let table: [(Value, Said<'_>); 10] = [
        (
            fixture!("go-shopify/order.json"),
            ("#9999", Payment::Voided, "USD", true, true, &[0, 500]),
        ),
        (fixture!("shopify_python_api/order.json"), ("#1001", unpaid, "USD", false, false, &ipods)),
        (
            fixture!("shopify-api-node/order_get.json"),
            ("#1001", unpaid, "USD", false, false, &ipods),
        ),
        (
            fixture!("shopify-api-node/order_create.json"),
            ("#1002", Payment::Paid, "USD", false, false, &[19_900]),
        ),
        (
            fixture!("shopify-api-ruby/order_test_8.json"),
            ("#1001", Payment::PartiallyRefunded, "USD", false, false, &ipods),
        ),
        (
            fixture!("shopify-api-ruby/order_test_13.json"),
            ("#1001", Payment::PartiallyRefunded, "USD", true, false, &ipods),
        ),
        (
            fixture!("shopify-api-ruby/order_test_16.json"),
            ("#1002", Payment::Paid, "EUR", false, false, &[22_497]),
        ),
        (
            fixture!("shopify-api-ruby/order_test_18.json"),
            ("#1002", unpaid, "USD", false, false, &[19_900]),
        ),
        (
            fixture!("shopify-api-ruby/order_test_22.json"),
            ("#1002", Payment::Paid, "USD", false, false, &[19_900]),
        ),
        (
            fixture!("shopify-api-ruby/order_test_24.json"),
            ("#1002", Payment::Paid, "USD", false, false, &[12_999, 8_595, 3_998]),
        ),
    ];
    for (wrapped, said) in table {
        says(&wrapped["order"], said);
        assert_eq!(read(&wrapped), Ok(Parsed::Irrelevant), "webhooks aren't wrapped");
    }
}

#[test]
fn a_rest_order_in_full() {
    let (order, refunds) = order(&fixture!("shopify-api-ruby/order_test_8.json")["order"]);
    let lines: Vec<_> = order
        .lines
        .iter()
        .map(|l| (l.price_minor, l.discount_minor, l.tax_minor, l.current_quantity))
        .collect();
    assert_eq!(
        lines,
        [(19_900, 334, 398, Some(0)), (19_900, 333, 398, Some(1)), (19_900, 333, 398, Some(0))]
    );
    let code = &order.evidence.codes[0];
    assert_eq!((code.code.as_str(), code.discount_minor, code.is_code), ("TENOFF", 1_000, true));
    assert_eq!((order.evidence.clicks.len(), order.evidence.bare_ref), (0, None));
    let alone = &fixture!("shopify-api-ruby/refund_test_1.json")["refunds"][0];
    assert_eq!(refunds.len(), 1);
    assert_eq!(refunds[0], refund(alone), "alone and inside its order");
    let back: Vec<_> =
        refunds[0].lines.iter().map(|l| (l.subtotal.to_string(), l.tax.to_string())).collect();
    assert_eq!(back, [("195.66", "3.98"), ("195.67", "3.98")].map(|(a, b)| (a.into(), b.into())));

    // From before applications: nothing proves that the text was a code.
    let old = &fixture!("shopify_python_api/order.json")["order"];
    let code = &super::order(old).0.evidence.codes[0];
    assert_eq!((code.code.as_str(), code.discount_minor, code.is_code), ("TENOFF", 1_000, false));
}

#[test]
fn rest_refunds() {
    let shipping = refund(&fixture!("shopify-api-ruby/refund_test_3.json")["refund"]);
    assert_eq!((shipping.lines.len(), shipping.amount), (0, Decimal::ZERO));
    assert_eq!(shipping.currency.map(|c| c.code()), Some("USD"));
    let mut newer = fixture!("shopify-api-ruby/refund_test_3.json")["refund"].clone();
    newer["order_adjustments"] = json!([]);
    assert_eq!(refund(&newer), shipping, "the shape since 2024-10");

    for old in [
        &fixture!("shopify_python_api/refund.json")["refund"],
        &fixture!("shopify-api-node/refund_get.json")["refund"],
    ] {
        let lines: Vec<_> =
            refund(old).lines.iter().map(|l| (l.line_id, l.subtotal.to_string())).collect();
        assert_eq!(lines, [(703_073_504, "199".to_owned()), (466_157_049, "199".to_owned())]);
    }
}
