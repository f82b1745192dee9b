//! Refunds: alone and inside orders, with and without lines, in every shape that shipping had.

use super::*;
use crate::domain::decimal::Decimal;
use crate::domain::order::RefundLine;

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn refunded_line(line_id: u64, quantity: i64, subtotal: &str, tax: &str) -> RefundLine {
    RefundLine { line_id, quantity, subtotal: dec(subtotal), tax: dec(tax) }
}

/// A refund that names no line.
fn bare(adjustments: Value, shipping: Value, transactions: Value) -> Value {
    json!({
        "id": 5, "order_id": 4, "refund_line_items": [], "order_adjustments": adjustments,
        "refund_shipping_lines": shipping, "transactions": transactions,
    })
}

fn adjustment(kind: Value, amount: &str, tax: &str) -> Value {
    json!({"kind": kind, "amount": amount, "amount_set": usd(amount), "tax_amount": tax,
        "tax_amount_set": usd(tax), "reason": "whatever"})
}

fn shipped(amount: &str) -> Value {
    json!([{"id": 3, "subtotal_amount_set": usd(amount), "shipping_line": {"id": 9, "tax_lines": []}}])
}

fn paid(amount: &str) -> Value {
    json!([{"kind": "refund", "status": "success", "amount": amount, "currency": "USD"}])
}

fn amount(body: &Value) -> Decimal {
    refund(body).amount
}

#[test]
fn the_worked_example_gives_one_unit_back() {
    let back = refund(&unit_refund());
    assert_eq!(back.id, "890088186047892319");
    assert_eq!(back.currency.map(|c| c.code()), Some("USD"));
    assert_eq!(back.lines, [refunded_line(2, 1, "22.50", "0")]);
    assert_eq!(back.amount, Decimal::ZERO, "lines count, whatever was paid back");
}

#[test]
fn the_worked_example_gives_shipping_back_for_nothing_in_any_shape() {
    let kind = || json!("shipping_refund");
    let seven = || json!([adjustment(kind(), "-7.00", "0.00")]);
    let shapes = [
        // Until 2024-07: an adjustment, beside the shipping line or without it.
        bare(seven(), shipped("7.00"), paid("7.00")),
        bare(seven(), json!([]), paid("7.00")),
        without(bare(seven(), json!([]), paid("7.00")), "/refund_shipping_lines"),
        // Since 2024-10: the shipping line alone.
        bare(json!([]), shipped("7.00"), paid("7.00")),
        without(bare(json!([]), shipped("7.00"), paid("7.00")), "/order_adjustments"),
        bare(Value::Null, shipped("7.00"), Value::Null),
        // The older shape with the kind taken out.
        bare(json!([adjustment(Value::Null, "-7.00", "0.00")]), shipped("7.00"), paid("7.00")),
        bare(json!([{"amount": "-7.00", "reason": "Shipping refund"}]), json!([]), paid("7.00")),
        // With tax on top, said here, there or only by the order's shipping line.
        bare(json!([adjustment(kind(), "-7.00", "-0.70")]), shipped("7.00"), paid("7.70")),
        bare(
            json!([adjustment(Value::Null, "-7.00", "-0.70")]),
            with(shipped("7.00"), "/0/tax_amount_set", usd("0.70")),
            paid("7.70"),
        ),
        bare(json!([]), with(shipped("7.00"), "/0/tax_amount_set", usd("0.70")), paid("7.70")),
        bare(
            json!([]),
            with(
                shipped("7.00"),
                "/0/shipping_line/tax_lines",
                json!([{"price": "0.70", "price_set": usd("0.70")}]),
            ),
            paid("7.70"),
        ),
        // The money is on its way: the discrepancy says so.
        bare(
            json!([adjustment(json!("refund_discrepancy"), "7.00", "0.00"), seven()[0]]),
            shipped("7.00"),
            with(paid("7.00"), "/0/status", json!("pending")),
        ),
        // Paid back in the customer's currency.
        bare(json!([]), shipped("7.00"), with(paid("6.50"), "/0/currency", json!("CHF"))),
    ];
    for body in shapes {
        assert_eq!(amount(&body), Decimal::ZERO, "{body}");
    }
}

#[test]
fn goodwill_counts_and_the_shipping_beside_it_does_not() {
    let kind = || json!("refund_discrepancy");
    let shapes = [
        // Told by an adjustment, with and without a kind.
        bare(json!([adjustment(kind(), "-9.00", "-1.00")]), json!([]), paid("10.00")),
        bare(json!([adjustment(Value::Null, "-10.00", "0.00")]), json!([]), paid("10.00")),
        bare(json!([adjustment(Value::Null, "-10.00", "0.00")]), shipped("7.00"), paid("17.00")),
        bare(
            json!([
                adjustment(kind(), "-10.00", "0.00"),
                adjustment(json!("shipping_refund"), "-7.00", "0.00")
            ]),
            shipped("7.00"),
            paid("17.00"),
        ),
        // The older shape with the kind taken out.
        bare(
            json!([
                adjustment(Value::Null, "-10.00", "0.00"),
                adjustment(Value::Null, "-7.00", "0.00")
            ]),
            shipped("7.00"),
            paid("17.00"),
        ),
        bare(json!([{"amount": "-10.00"}]), json!([]), Value::Null),
        // Told by the money alone.
        bare(json!([]), json!([]), paid("10.00")),
        bare(json!([]), shipped("7.00"), paid("17.00")),
        bare(
            json!([adjustment(json!("shipping_refund"), "-7.00", "0.00")]),
            json!([]),
            paid("17.00"),
        ),
        with(bare(json!([]), json!([]), paid("12.00")), "/total_duties_set", usd("2.00")),
        bare(
            json!([]),
            json!([]),
            json!([
                {"kind": "refund", "amount": "4.00"},
                {"kind": "refund", "status": null, "amount": "6.00", "currency": null},
                {"kind": "refund", "status": "failure", "amount": "50.00"},
                {"kind": "refund", "status": "pending", "amount": "50.00"},
                {"kind": "void", "status": "success", "amount": "50.00"},
                {"kind": "suggested_refund", "amount": "50.00"},
            ]),
        ),
    ];
    for body in shapes {
        assert_eq!(amount(&body), dec("10"), "{body}");
    }
    // A kind says what is shipping, whatever part of the money has moved so far.
    let kinds = json!([
        adjustment(kind(), "-10.00", "0.00"),
        adjustment(json!("shipping_refund"), "-7.00", "0.00"),
    ]);
    assert_eq!(amount(&bare(kinds, shipped("7.00"), paid("10.00"))), dec("10"));
    let more_than_paid = bare(json!([]), shipped("7.00"), paid("6.00"));
    assert_eq!(amount(&more_than_paid), Decimal::ZERO, "never below zero");
}

#[test]
fn a_refund_without_lines_in_another_currency_is_not_guessed() {
    let foreign = with(paid("9.00"), "/0/currency", json!("CHF"));
    let stated =
        with(bare(json!([]), json!([]), foreign.clone()), "/total_duties_set", usd("0.00"));
    assert_eq!(read(&stated), Err(Unusable::ForeignRefund));
    let two = json!([foreign[0], paid("1.00")[0]]);
    assert_eq!(read(&bare(json!([]), json!([]), two)), Err(Unusable::ForeignRefund));
    let told = bare(json!([adjustment(Value::Null, "-10.00", "0.00")]), json!([]), foreign);
    assert_eq!(amount(&told), dec("10"));
}

#[test]
fn the_currency_is_the_shops() {
    let code = |body: &Value| refund(body).currency.map(|c| c.code());
    assert_eq!(code(&unit_refund()), Some("USD"));
    let mut plain = unit_refund();
    for key in ["subtotal_set", "total_tax_set"] {
        plain = without(plain, &format!("/refund_line_items/0/{key}"));
    }
    assert_eq!(code(&plain), None, "transactions are in the customer's currency");
    assert_eq!(code(&bare(json!([]), json!([]), paid("1.00"))), Some("USD"), "nothing else says");
    assert_eq!(code(&bare(json!([]), json!([]), json!([]))), None);
    for place in ["/refund_line_items/0/total_tax_set", "/total_duties_set"] {
        let body = with(unit_refund(), place, set("0.00", "EUR"));
        assert_eq!(read(&body), Err(Unusable::CurrencyMismatch), "{place}");
        let body = with(unit_refund(), place, set("0.00", "XXX"));
        assert_eq!(read(&body), Err(Unusable::Currency), "{place}");
    }
    let inside = with(worked_example(), "/refunds", json!([unit_refund()]));
    let inside = with(inside, "/refunds/0/refund_line_items/0/subtotal_set", set("22.50", "EUR"));
    assert_eq!(read(&inside), Err(Unusable::CurrencyMismatch));
}

#[test]
fn lines_without_sets_are_read_to_the_digit() {
    let plain = |subtotal: &str, tax: &str| {
        format!(
            r#"{{"id":1,"order_id":4,"refund_line_items":[
                {{"line_item_id":2,"quantity":1,"subtotal":{subtotal},"total_tax":{tax}}}]}}"#
        )
    };
    let lines = |subtotal: &str, tax: &str| {
        read_text(&plain(subtotal, tax)).map(|parsed| match parsed {
            Parsed::Delivery(Delivery { report: Report::Refund(refund), .. }) => refund.lines,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(lines("195.66", "3.98"), Ok(vec![refunded_line(2, 1, "195.66", "3.98")]));
    assert_eq!(lines("0.1", "0"), Ok(vec![refunded_line(2, 1, "0.1", "0")]));
    assert_eq!(lines(r#""22.50""#, r#""0.00""#), Ok(vec![refunded_line(2, 1, "22.5", "0")]));
    for bad in ["-1", "1e3", "1E-2", "0.00001", r#""""#, r#""NaN""#, "null", "[]", "true", "{}"] {
        assert_eq!(lines(bad, "0"), Err(Unusable::Amount), "{bad}");
        assert_eq!(lines("1.00", bad), Err(Unusable::Amount), "{bad}");
    }
    assert_eq!(lines("90000000000.01", "0"), Err(Unusable::TooLarge));
    assert_eq!(lines("99999999999999999999999999999999", "0"), Err(Unusable::Amount));
    let spelled = serde_json::to_string(&lines("22.50", "1.0").unwrap()).unwrap();
    assert!(spelled.contains(r#""22.5""#) && spelled.contains(r#""1""#), "{spelled}");

    // The set beats the number, and one amount has one spelling.
    let noisy = with(unit_refund(), "/refund_line_items/0/subtotal", json!(22.500_000_1));
    assert_eq!(refund(&noisy), refund(&unit_refund()));
    assert!(serde_json::to_string(&refund(&noisy)).unwrap().contains(r#""22.5""#));
    let untaxed = without(
        without(unit_refund(), "/refund_line_items/0/total_tax"),
        "/refund_line_items/0/total_tax_set",
    );
    assert_eq!(refund(&untaxed).lines[0].tax, Decimal::ZERO);
}

#[test]
fn what_a_refund_line_must_say() {
    let bad = [
        ("/id", json!("5"), Unusable::Id),
        ("/order_id", json!(0), Unusable::Id),
        ("/order_id", Value::Null, Unusable::Id),
        ("/refund_line_items", Value::Null, Unusable::UnexpectedType),
        ("/refund_line_items/0/line_item_id", json!(-1), Unusable::Id),
        ("/refund_line_items/0/quantity", json!(-1), Unusable::Quantity),
        ("/refund_line_items/0/quantity", Value::Null, Unusable::Quantity),
        ("/refund_line_items/0/subtotal_set/shop_money/amount", json!("-1"), Unusable::Amount),
        ("/refund_line_items/0/subtotal_set/shop_money/amount", json!(22.5), Unusable::Amount),
        ("/refund_line_items/0/subtotal_set/shop_money/amount", json!("22.505"), Unusable::Amount),
        ("/refund_line_items/0/total_tax_set/shop_money/amount", json!("1e1"), Unusable::Amount),
    ];
    for (pointer, value, reason) in bad {
        let body = with(unit_refund(), pointer, value.clone());
        assert_eq!(read(&body), Err(reason), "{value} at {pointer}");
        if pointer != "/order_id" {
            let inside = with(worked_example(), "/refunds", json!([body]));
            assert_eq!(read(&inside), Err(reason), "{value} at {pointer} inside an order");
        }
    }
    let bad = [
        bare(json!([adjustment(Value::Null, "x", "0.00")]), json!([]), json!([])),
        bare(json!([{"kind": "refund_discrepancy"}]), json!([]), json!([])),
        bare(json!([{"amount": -5}]), json!([]), json!([])),
        bare(json!([]), json!([{"id": 1}]), json!([])),
        bare(json!([]), shipped("-7.00"), json!([])),
        bare(json!([]), json!([]), paid("-7.00")),
        bare(json!([]), json!([]), json!([{"kind": "refund", "amount": 7}])),
        bare(json!([]), json!([]), json!([{"kind": "refund"}])),
    ];
    for body in bad {
        assert_eq!(read(&body), Err(Unusable::Amount), "{body}");
    }
    let nested = without(unit_refund(), "/refund_line_items/0/line_item_id");
    assert_eq!(refund(&nested).lines[0].line_id, 2, "the id of the line inside");
    let gift = with(unit_refund(), "/refund_line_items/0/line_item/gift_card", json!(true));
    assert_eq!(refund(&gift), refund(&unit_refund()), "the domain knows what earns");
}

#[test]
fn refunds_stay_within_what_the_books_take() {
    let line = |subtotal: &str, tax: &str| {
        json!({"line_item_id": 1, "quantity": 1,
            "subtotal_set": usd(subtotal), "total_tax_set": usd(tax)})
    };
    let two = |subtotal: &str, tax: &str| {
        let lines = json!([line(subtotal, tax), line("4600000000000.00", "4600000000000.00")]);
        read(&with(unit_refund(), "/refund_line_items", lines)).map(|_| ())
    };
    assert_eq!(two("4400000000000.00", "4400000000000.00"), Ok(()));
    assert_eq!(two("4400000000000.01", "0.00"), Err(Unusable::TooLarge));
    assert_eq!(two("0.00", "4400000000000.01"), Err(Unusable::TooLarge));
    let half = &paid("4600000000000.00")[0];
    let transactions = bare(json!([]), json!([]), json!([half, half]));
    assert_eq!(read(&transactions), Err(Unusable::TooLarge));
}

#[test]
fn lines_from_before_there_was_a_subtotal_are_reckoned() {
    let old = |quantity: u64| {
        json!({
            "id": 1, "order_id": 4, "refund_line_items": [{
                "line_item_id": 2, "quantity": quantity, "line_item": {
                    "id": 2, "quantity": 3, "price": "10.00",
                    "discount_allocations": [{"amount": "5.00"}], "tax_lines": [{"price": "2.50"}],
                },
            }],
        })
    };
    assert_eq!(refund(&old(3)).lines, [refunded_line(2, 3, "25.00", "2.50")]);
    assert_eq!(refund(&old(1)).lines, [refunded_line(2, 1, "8.3333", "0.8333")]);
    assert_eq!(refund(&old(0)).lines, [refunded_line(2, 0, "0", "0")]);
    let inside = with(worked_example(), "/refunds", json!([old(1)]));
    assert_eq!(order(&inside).1[0].lines, [refunded_line(2, 1, "8.33", "0.83")]);
    for (key, value) in
        [("quantity", json!(0)), ("price", json!("4.99e0")), ("price", json!("1.00"))]
    {
        let body = with(old(1), &format!("/refund_line_items/0/line_item/{key}"), value);
        assert_eq!(read(&body), Err(Unusable::Amount), "{key}");
    }
    assert_eq!(read(&without(old(1), "/refund_line_items/0/line_item")), Err(Unusable::Amount));
}

#[test]
fn a_refund_is_the_same_fact_alone_and_inside_its_order() {
    for body in [
        unit_refund(),
        bare(json!([]), shipped("7.00"), paid("17.00")),
        bare(json!([adjustment(Value::Null, "-10.00", "0.00")]), json!([]), paid("10.00")),
    ] {
        let inside = with(worked_example(), "/refunds", json!([body]));
        assert_eq!(order(&inside).1, [refund(&body)], "{body}");
    }
}
