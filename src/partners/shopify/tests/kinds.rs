//! Only the body decides what it is.

use super::*;

#[test]
fn what_is_not_one_json_object_is_unusable() {
    let deep = "[".repeat(10_000);
    let table = [
        (&b""[..], Unusable::NotJson),
        (b" ", Unusable::NotJson),
        (b"hello", Unusable::NotJson),
        (b"\xEF\xBB\xBF{\"id\":1}", Unusable::NotJson),
        (b"{\"id\":1} trailing", Unusable::NotJson),
        (b"{\"id\":1}{\"id\":1}", Unusable::NotJson),
        (b"{\"id\":1,}", Unusable::NotJson),
        (b"{\"id\":1", Unusable::NotJson),
        (b"{'id':1}", Unusable::NotJson),
        (b"{\"id\":NaN}", Unusable::NotJson),
        (b"[]", Unusable::NotAnObject),
        (b"[{\"id\":1}]", Unusable::NotAnObject),
        (b"1", Unusable::NotAnObject),
        (b"null", Unusable::NotAnObject),
        (b"\"{}\"", Unusable::NotAnObject),
        (b"{\"note\":\"\xff\xfe\"}", Unusable::NotUtf8),
        (b"\xff", Unusable::NotUtf8),
        (deep.as_bytes(), Unusable::NotJson),
    ];
    for (body, reason) in table {
        let got = parse(body, now(), &str::to_owned);
        assert_eq!(got, Err(reason), "{}", String::from_utf8_lossy(&body[..body.len().min(40)]));
    }
}

#[test]
fn other_topics_are_irrelevant_even_where_names_meet() {
    let bodies = [
        json!({}),
        json!({"shop_id": 1, "shop_domain": "a.myshopify.com", "previous": [], "current": []}),
        json!({"id": 1, "email": null}),
        json!({"id": 548, "name": "Shop", "currency": "USD", "created_at": "2020", "email": "x"}),
        json!({"order": worked_example()}),
        json!({"orders": [worked_example()]}),
        json!({"refund": unit_refund()}),
        // A cart, a fulfilment, a draft order, a checkout.
        json!({"id": "token", "line_items": [], "created_at": "2026-11-20T10:15:30Z"}),
        json!({"id": 1, "order_id": 2, "status": "success", "line_items": [{"id": 3}],
            "created_at": "2026-11-20T10:15:30Z", "test": "no", "name": 5}),
        json!({"id": 1, "name": "#D1", "currency": "USD", "created_at": "2026-11-20T10:15:30Z",
            "completed_at": null, "status": "open", "line_items": [{"id": 3, "price": "1.00"}]}),
        // The same names with other types.
        json!({"line_items": 5, "customer": "someone", "taxes_included": "maybe"}),
    ];
    for body in bodies {
        assert_eq!(read(&body), Ok(Parsed::Irrelevant), "{body}");
    }
}

#[test]
fn an_order_is_known_by_its_fields() {
    assert!(matches!(delivery(&worked_example()).report, Report::Snapshot(..)));
    // A field that every order has, even where it says nothing.
    let unpaid = with(worked_example(), "/financial_status", Value::Null);
    assert!(matches!(delivery(&unpaid).report, Report::Snapshot(..)));
    let lost = without(worked_example(), "/financial_status");
    assert!(matches!(delivery(&lost).report, Report::Snapshot(..)));
    let empty = without(worked_example(), "/line_items");
    assert_eq!(read(&empty), Err(Unusable::UnexpectedType));
}

#[test]
fn an_id_alone_is_a_deletion() {
    let gone = delivery(&json!({"id": 9_007_199_254_740_993_u64}));
    assert_eq!(gone.external_id, "9007199254740993");
    assert_eq!(gone.report, Report::Deleted);
    assert_eq!(read_text(r#"{"id":5,"id":5}"#), Err(Unusable::DoubledField));
    for id in ["0", "-1", "1.0", "1e3", r#""5""#, "null", "[5]", "{}", "18446744073709551616"] {
        let body = format!(r#"{{"id":{id}}}"#);
        assert_eq!(read_text(&body), Err(Unusable::Id), "{body}");
    }
}

#[test]
fn an_edit_moves_units_and_no_money() {
    let body = json!({"order_edit": {
        "id": 78_912_328_793_123_780_u64, "order_id": 4, "created_at": "2026-11-20T10:15:30Z",
        "line_items": {
            "additions": [{"id": 6, "delta": 2}],
            "removals": [{"id": 5, "delta": 1}, {"id": 7, "delta": 3}],
        },
    }});
    let edited = delivery(&body);
    assert_eq!(edited.external_id, "4");
    let Report::Edited(edit) = edited.report else { panic!() };
    assert_eq!(edit.id, "78912328793123780");
    assert_eq!(edit.deltas, [(6, 2), (5, -1), (7, -3)]);

    let bare = json!({"order_edit": {"id": 1, "order_id": 4, "line_items": {}}});
    assert!(matches!(delivery(&bare).report, Report::Edited(edit) if edit.deltas.is_empty()));
    let bad = [
        ("/order_edit", Value::Null, Unusable::UnexpectedType),
        ("/order_edit", json!("x"), Unusable::UnexpectedType),
        ("/order_edit/id", json!("1"), Unusable::Id),
        ("/order_edit/order_id", Value::Null, Unusable::Id),
        ("/order_edit/line_items/removals/0/id", json!(0), Unusable::Id),
        ("/order_edit/line_items/removals/0/delta", json!(-1), Unusable::Quantity),
        ("/order_edit/line_items/additions", json!({}), Unusable::UnexpectedType),
    ];
    for (pointer, value, reason) in bad {
        assert_eq!(read(&with(body.clone(), pointer, value)), Err(reason), "{pointer}");
    }
}

#[test]
fn a_refund_is_one_whatever_topic_it_claims() {
    let back = delivery(&unit_refund());
    assert_eq!(back.external_id, "820982911946154508");
    assert!(matches!(back.report, Report::Refund(_)));
}

#[test]
fn a_doubled_field_is_refused() {
    let order = worked_example().to_string();
    let doubled = [
        r#"{"total_price":"1.00","#,
        r#"{"subtotal_price":"1.00","#,
        r#"{"presentment_currency":null,"#,
        r#"{"current_total_price_set":1,"current_total_price_set":1,"#,
        r#"{"total_tax":"0.00","total_tax":"0.00","#,
        r#"{"id":1,"#,
        r#"{"currency":"USD","#,
        r#"{"financial_status":"paid","#,
        r#"{"line_items":[],"#,
        r#"{"email":"x","#,
    ];
    for start in doubled {
        let body = order.replacen('{', start, 1);
        assert_eq!(read_text(&body), Err(Unusable::DoubledField), "{start}");
    }
    let inner = [
        (r#""price":"100.00""#, r#""price":"100.00","price":"1.00""#),
        (r#""quantity":1"#, r#""quantity":1,"quantity":1"#),
        (r#""currency_code":"USD""#, r#""currency_code":"USD","currency_code":"USD""#),
        (r#""total_discount":"0.00""#, r#""total_discount":"0.00","total_discount":"9.00""#),
    ];
    for (field, twice) in inner {
        let body = order.replacen(field, twice, 1);
        assert_ne!(body, order, "{field}");
        assert_eq!(read_text(&body), Err(Unusable::DoubledField), "{field}");
    }
    let refund = unit_refund().to_string();
    let body = refund.replacen('{', r#"{"order_id":1,"#, 1);
    assert_eq!(read_text(&body), Err(Unusable::DoubledField));
    // What isn't read may repeat.
    let body = order.replacen('{', r#"{"tags":"a","tags":"b","#, 1);
    assert!(matches!(read_text(&body), Ok(Parsed::Delivery(_))));
}

#[test]
fn depth_and_length_are_no_danger() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let order = worked_example().to_string();
    let fields = ["unknown", "properties", "note", "client_details"];
    for field in fields {
        let body = order.replacen('{', &format!(r#"{{"{field}":{deep},"#), 1);
        assert!(matches!(read_text(&body), Ok(Parsed::Delivery(_))), "{field}");
    }
    let read_fields = ["id", "name", "line_items", "refunds", "customer", "order_edit", "test"];
    for field in read_fields {
        let body = format!(r#"{{"financial_status":"paid","{field}":{deep}}}"#);
        assert!(read_text(&body).is_err(), "{field}");
    }
    let deep = format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    assert_eq!(read_text(&deep), Ok(Parsed::Irrelevant));

    let many = |count| {
        let lines = (1..=count).map(|id| line(id, 1, "1.00", "0.00")).collect();
        with(worked_example(), "/line_items", Value::Array(lines))
    };
    assert_eq!(order_lines(&many(1_000)), 1_000);
    assert_eq!(read(&many(1_001)), Err(Unusable::TooMany));
    let million =
        format!(r#"{{"financial_status":"paid","line_items":[{}{{}}]}}"#, "{},".repeat(999_999));
    assert!(read_text(&million).is_err());
    let allocations = vec![json!({"amount": "0.01"}); 251];
    let body = with(worked_example(), "/line_items/0/discount_allocations", json!(allocations));
    assert_eq!(read(&body), Err(Unusable::TooMany));
    let body = with(worked_example(), "/refunds", json!(vec![unit_refund(); 251]));
    assert_eq!(read(&body), Err(Unusable::TooMany));
}

fn order_lines(body: &Value) -> usize {
    order(body).0.lines.len()
}
