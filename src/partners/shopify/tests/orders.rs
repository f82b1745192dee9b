//! Orders: amounts, state and evidence.

use super::*;
use crate::domain::order::{Line, Payment, UsedCode};

fn used(code: &str, discount_minor: i64, is_code: bool) -> UsedCode {
    UsedCode { code: code.to_owned(), discount_minor, is_code }
}

#[test]
fn the_worked_example() {
    let body = worked_example();
    assert_eq!(delivery(&body).external_id, "820982911946154508");
    let (order, refunds) = order(&body);
    assert_eq!(refunds, []);
    let line = |id, quantity, price_minor, discount_minor| Line {
        id,
        product_id: Some(id + 1000),
        quantity,
        current_quantity: Some(quantity),
        price_minor,
        discount_minor,
        tax_minor: 0,
        earns: true,
    };
    assert_eq!(order.lines, [line(1, 1, 10_000, 1_000), line(2, 2, 2_500, 500)]);
    assert_eq!(order.currency.code(), "USD");
    assert_eq!(order.name, "#1001");
    assert_eq!(order.payment, Payment::Paid);
    assert_eq!(Some(order.placed_at_ms), parse_rfc3339("2026-11-20T09:15:30Z"));
    assert_eq!(Some(order.updated_at_ms), parse_rfc3339("2026-11-20T09:16:00Z"));
    assert!(!order.cancelled && !order.test && !order.taxes_included);
    assert_eq!(order.evidence.codes, [used("ANNA10", 1_500, true)]);
    assert_eq!(order.evidence.clicks, ["cart.token", "landing.token~1_-"]);
    assert_eq!(order.evidence.bare_ref, None);
    assert_eq!(order.evidence.email_hash.as_deref(), Some("hash of jane.doe@example.com"));
}

#[test]
fn nothing_personal_but_the_hash_is_kept() {
    let kept = serde_json::to_string(&delivery(&worked_example())).unwrap();
    let kept = kept.replace("hash of jane.doe@example.com", "");
    for personal in ["jane", "Jane", "example.com", "Doe"] {
        assert!(!kept.contains(personal), "{personal} in {kept}");
    }
}

#[test]
fn tax_inside_prices_is_told() {
    let body = with(worked_example(), "/taxes_included", json!(true));
    let body = with(
        body,
        "/line_items/0/tax_lines",
        json!([
            {"price": "15.97", "price_set": usd("15.97")}, {"price": "3.03"},
        ]),
    );
    let (order, _) = order(&body);
    assert!(order.taxes_included);
    assert_eq!(order.lines[0].tax_minor, 1_900);
    let no_lists =
        without(without(body, "/line_items/0/tax_lines"), "/line_items/0/discount_allocations");
    let (order, _) = super::order(&with(no_lists, "/taxes_included", Value::Null));
    assert_eq!((order.lines[0].tax_minor, order.lines[0].discount_minor), (0, 0));
    assert!(!order.taxes_included);
}

#[test]
fn each_currency_has_its_own_decimals() {
    let in_currency = |code: &str, price: &str| {
        let mut body = with(worked_example(), "/currency", json!(code));
        body = with(
            body,
            "/line_items",
            json!([{
                "id": 1, "quantity": 3, "price": price, "price_set": set(price, code),
            }]),
        );
        read(&body).map(|_| order(&body).0.lines[0].price_minor)
    };
    assert_eq!(in_currency("JPY", "1000"), Ok(1000));
    assert_eq!(in_currency("JPY", "1000.00"), Ok(1000));
    assert_eq!(in_currency("KWD", "1.005"), Ok(1005));
    assert_eq!(in_currency("USD", "0.05"), Ok(5));
    assert_eq!(in_currency("JPY", "1000.5"), Err(Unusable::Amount));
    assert_eq!(in_currency("KWD", "1.0005"), Err(Unusable::Amount));
    assert_eq!(in_currency("XXX", "1"), Err(Unusable::Currency));
    assert_eq!(in_currency("usd", "1"), Err(Unusable::Currency));
    assert_eq!(in_currency("", "1"), Err(Unusable::Currency));
}

#[test]
fn only_exact_decimal_texts_are_amounts() {
    let bad = [
        (json!("1e3"), Unusable::Amount),
        (json!("NaN"), Unusable::Amount),
        (json!("Infinity"), Unusable::Amount),
        (json!("-5"), Unusable::Amount),
        (json!("-5.00"), Unusable::Amount),
        (json!(""), Unusable::Amount),
        (json!(" 5.00"), Unusable::Amount),
        (json!("+5.00"), Unusable::Amount),
        (json!("5,00"), Unusable::Amount),
        (json!("5."), Unusable::Amount),
        (json!(".5"), Unusable::Amount),
        (json!("$5"), Unusable::Amount),
        (json!("12.345"), Unusable::Amount),
        (json!("0x10"), Unusable::Amount),
        (json!("\u{0665}"), Unusable::Amount),
        (json!("5\u{0}"), Unusable::Amount),
        (json!("\""), Unusable::Amount),
        (Value::Null, Unusable::Amount),
        (json!(5), Unusable::Amount),
        (json!(12.345), Unusable::Amount),
        (json!(true), Unusable::Amount),
        (json!(["5.00"]), Unusable::Amount),
        (json!({"amount": "5.00"}), Unusable::Amount),
        (json!("9999999999999999.99"), Unusable::TooLarge),
        (json!("9".repeat(500)), Unusable::TooLarge),
    ];
    let places = [
        "/line_items/0/price",
        "/line_items/0/price_set/shop_money/amount",
        "/line_items/0/discount_allocations/0/amount_set/shop_money/amount",
        "/line_items/1/tax_lines/0/price_set/shop_money/amount",
    ];
    for (value, reason) in &bad {
        for place in places {
            let body = with(worked_example(), place, value.clone());
            assert_eq!(read(&body), Err(*reason), "{value} at {place}");
        }
        let plain = without(worked_example(), "/line_items/0/price_set");
        let body = with(plain, "/line_items/0/price", value.clone());
        assert_eq!(read(&body), Err(*reason), "{value} without a set");
    }
    for value in ["1e3", "-5", "", "NaN"] {
        for place in [
            "/line_items/0/discount_allocations/0/amount",
            "/line_items/0/tax_lines/0/price",
            "/discount_codes/0/amount",
        ] {
            let body = with(worked_example(), place, json!(value));
            assert_eq!(read(&body), Err(Unusable::Amount), "{value} at {place}");
        }
    }
    let gone = without(without(worked_example(), "/line_items/0/price_set"), "/line_items/0/price");
    assert_eq!(read(&gone), Err(Unusable::Amount));
    let hollow = without(worked_example(), "/line_items/0/price_set/shop_money/amount");
    assert_eq!(read(&hollow), Err(Unusable::Amount));
}

#[test]
fn the_shops_money_counts_and_the_plain_text_where_there_is_none() {
    let body = with(worked_example(), "/line_items/0/price", json!("99.00"));
    assert_eq!(order(&body).0.lines[0].price_minor, 10_000);
    for absent in [Value::Null, json!({}), json!({"shop_money": null})] {
        let body = with(body.clone(), "/line_items/0/price_set", absent);
        assert_eq!(order(&body).0.lines[0].price_minor, 9_900);
    }
    // A plain amount may have the decimals of the customer's currency.
    let body = with(worked_example(), "/line_items/0/tax_lines/0/price", json!("0.005"));
    assert_eq!(order(&body).0.lines[0].tax_minor, 0);
    for place in [
        "/line_items/0/price_set/shop_money/currency_code",
        "/line_items/1/discount_allocations/0/amount_set/shop_money/currency_code",
        "/line_items/1/tax_lines/0/price_set/shop_money/currency_code",
    ] {
        let body = with(worked_example(), place, json!("EUR"));
        assert_eq!(read(&body), Err(Unusable::CurrencyMismatch), "{place}");
        assert!(read(&with(body, place, Value::Null)).is_ok(), "{place}");
    }
    let body = with(worked_example(), "/currency", json!("EUR"));
    assert_eq!(read(&body), Err(Unusable::CurrencyMismatch));
    assert_eq!(read(&without(worked_example(), "/currency")), Err(Unusable::Currency));
}

#[test]
fn sums_stay_within_what_the_books_take() {
    let priced = |price: &str, quantity: u64| {
        let body = with(worked_example(), "/line_items/0", line(1, quantity, price, "0.00"));
        read(&body).map(|_| ())
    };
    assert_eq!(priced("8999999999950.00", 1), Ok(()));
    assert_eq!(priced("8999999999950.01", 1), Err(Unusable::TooLarge));
    assert_eq!(priced("8999999.00", 1_000_000), Ok(()));
    assert_eq!(priced("9000000.00", 1_000_000), Err(Unusable::TooLarge));
    assert_eq!(priced("9000000000000.00", 1_000_000), Err(Unusable::TooLarge));
    let half = json!({"amount": "4600000000000.00"});
    let body = with(worked_example(), "/line_items/0/discount_allocations", json!([half, half]));
    assert_eq!(read(&body), Err(Unusable::TooLarge));
    for (list, entry) in [
        ("discount_allocations", json!([{"amount": "4600000000000.00"}])),
        ("tax_lines", json!([{"price": "4600000000000.00"}])),
    ] {
        let once = with(worked_example(), &format!("/line_items/0/{list}"), entry.clone());
        assert!(read(&once).is_ok(), "{list}");
        let twice = with(once, &format!("/line_items/1/{list}"), entry);
        assert_eq!(read(&twice), Err(Unusable::TooLarge), "{list} of two lines");
    }
}

#[test]
fn ids_and_quantities_are_exact() {
    for id in [1_u64, 9_007_199_254_740_993, u64::MAX] {
        let body = with(worked_example(), "/id", json!(id));
        assert_eq!(delivery(&body).external_id, id.to_string());
        let body = with(worked_example(), "/line_items/0/id", json!(id + u64::from(id < 3) * 9));
        assert_eq!(order(&body).0.lines[0].id, id + u64::from(id < 3) * 9);
    }
    for place in ["/id", "/line_items/0/id", "/line_items/0/product_id"] {
        for id in [json!(0), json!(-1), json!("5"), json!(5.0), json!(1e30), json!([]), json!(true)]
        {
            let body = with(worked_example(), place, id.clone());
            assert_eq!(read(&body), Err(Unusable::Id), "{id} at {place}");
        }
    }
    assert_eq!(read(&without(worked_example(), "/id")), Err(Unusable::Id));
    let body = with(worked_example(), "/line_items/0/product_id", Value::Null);
    assert_eq!(order(&body).0.lines[0].product_id, None);
    let body = with(worked_example(), "/line_items/1/id", json!(1));
    assert_eq!(read(&body), Err(Unusable::DoubledLine));

    for place in ["/line_items/0/quantity", "/line_items/0/current_quantity"] {
        for units in [json!(-1), json!("1"), json!(1.5), json!(1_000_001), json!(u64::MAX)] {
            let body = with(worked_example(), place, units.clone());
            assert_eq!(read(&body), Err(Unusable::Quantity), "{units} at {place}");
        }
        assert!(read(&with(worked_example(), place, json!(0))).is_ok());
    }
    let body = with(worked_example(), "/line_items/0/quantity", Value::Null);
    assert_eq!(read(&body), Err(Unusable::Quantity));
    let body = with(worked_example(), "/line_items/0/current_quantity", Value::Null);
    assert_eq!(order(&body).0.lines[0].current_quantity, None);
}

#[test]
fn gift_cards_and_tips_earn_nothing() {
    let earns = |change: &[(&str, Value)]| {
        let mut body = worked_example();
        for (pointer, value) in change {
            body = with(body, &format!("/line_items/0/{pointer}"), value.clone());
        }
        order(&body).0.lines[0].earns
    };
    let no_product = ("product_id", Value::Null);
    assert!(earns(&[]));
    assert!(!earns(&[("gift_card", json!(true))]));
    assert!(earns(&[("gift_card", Value::Null)]));
    assert!(!earns(&[("tip", json!({"id": 5, "payment_gateway": "bogus"}))]));
    assert!(!earns(&[("tip_payment_gateway", json!("bogus"))]));
    assert!(!earns(&[("tip_payment_method", json!("visa"))]));
    assert!(earns(&[("tip", Value::Null), ("tip_payment_gateway", Value::Null)]));
    assert!(!earns(&[no_product.clone(), ("title", json!("Tip"))]));
    assert!(!earns(&[no_product.clone(), ("title", Value::Null), ("name", json!("tip"))]));
    assert!(earns(&[no_product.clone(), ("title", json!("Tip jar"))]));
    assert!(earns(&[no_product]));
    assert!(earns(&[("title", json!("Tip"))]), "a product may be called so");
}

#[test]
fn state_is_read_as_it_is() {
    for (status, payment) in [
        (json!("paid"), Payment::Paid),
        (json!("partially_refunded"), Payment::PartiallyRefunded),
        (json!("refunded"), Payment::Refunded),
        (json!("voided"), Payment::Voided),
        (json!("partially_paid"), Payment::PartiallyPaid),
        (json!("pending"), Payment::Unpaid),
        (json!("authorized"), Payment::Unpaid),
        (json!("PAID"), Payment::Unpaid),
        (json!(5), Payment::Unpaid),
        (Value::Null, Payment::Unpaid),
    ] {
        let body = with(worked_example(), "/financial_status", status.clone());
        assert_eq!(order(&body).0.payment, payment, "{status}");
    }
    let cancelled = |at: Value| {
        let body = with(worked_example(), "/cancelled_at", at);
        read(&body).map(|_| order(&body).0.cancelled)
    };
    assert_eq!(cancelled(json!("2026-11-21T08:00:00-05:00")), Ok(true));
    assert_eq!(cancelled(Value::Null), Ok(false));
    assert_eq!(cancelled(json!("")), Err(Unusable::Time));
    assert_eq!(cancelled(json!(true)), Err(Unusable::Time));
    assert_eq!(cancelled(json!("yesterday")), Err(Unusable::Time));
    assert!(order(&with(worked_example(), "/test", json!(true))).0.test);
    let body = with(worked_example(), "/test", json!("true"));
    assert_eq!(read(&body), Err(Unusable::UnexpectedType));
}

#[test]
fn absurd_times_are_refused() {
    let table = [
        ("2006-01-01T00:00:00Z", Ok(())),
        ("2026-11-23T12:00:00Z", Ok(())),
        ("2005-12-31T23:59:59Z", Err(Unusable::AbsurdTime)),
        ("1970-01-01T00:00:00Z", Err(Unusable::AbsurdTime)),
        ("0001-01-01T00:00:00Z", Err(Unusable::AbsurdTime)),
        ("2026-11-23T12:00:01Z", Err(Unusable::AbsurdTime)),
        ("2099-01-01T00:00:00Z", Err(Unusable::AbsurdTime)),
        ("2026-11-20T10:15:30", Err(Unusable::Time)),
        ("2026-11-20", Err(Unusable::Time)),
        ("20 Nov 2026", Err(Unusable::Time)),
        ("", Err(Unusable::Time)),
    ];
    for (at, expected) in table {
        let body = with(worked_example(), "/created_at", json!(at));
        assert_eq!(read(&body).map(|_| ()), expected, "{at}");
    }
    for place in ["/created_at", "/updated_at"] {
        for value in [Value::Null, json!(1_795_166_130), json!({})] {
            assert_eq!(read(&with(worked_example(), place, value)), Err(Unusable::Time), "{place}");
        }
        assert_eq!(read(&without(worked_example(), place)), Err(Unusable::Time), "{place}");
    }
    let body = with(worked_example(), "/updated_at", json!("1999-01-01T00:00:00Z"));
    assert_eq!(read(&body), Err(Unusable::AbsurdTime));
    // Changes of an old order come later than now on another clock.
    assert!(read(&with(worked_example(), "/updated_at", json!("2026-12-24T00:00:00Z"))).is_ok());
}

#[test]
fn names_are_short_texts() {
    let name = |value: Value| order(&with(worked_example(), "/name", value)).0.name;
    assert_eq!(name(json!("#EU-1001")), "#EU-1001");
    assert_eq!(name(json!("é".repeat(100))), "é".repeat(64));
    assert_eq!(name(json!("a\u{0}b\n")), "a\u{fffd}b\u{fffd}");
    for value in [Value::Null, json!(""), json!(1001)] {
        assert_eq!(name(value), "#1001");
    }
    let nameless = with(without(worked_example(), "/name"), "/order_number", Value::Null);
    assert_eq!(order(&nameless).0.name, "");
}

#[test]
fn only_applications_make_codes() {
    let codes = |applications: Value, codes: Value| {
        let body = with(worked_example(), "/discount_applications", applications);
        order(&with(body, "/discount_codes", codes)).0.evidence.codes
    };
    let application = |kind: &str, code: &str| json!({"type": kind, "code": code, "title": code});
    let listed = |code: &str, amount: &str| json!({"code": code, "amount": amount});
    // A draft order puts the title of a manual discount among the codes.
    assert_eq!(
        codes(
            json!([{"type": "manual", "title": "Alan Test 0123A"}]),
            json!([listed("Alan Test 0123A", "5.00")])
        ),
        [used("Alan Test 0123A", 500, false)]
    );
    // In the order of their applications, whatever the case; automatic ones are none.
    assert_eq!(
        codes(
            json!([
                application("discount_code", "Straße"),
                application("automatic", "AUTO"),
                application("discount_code", "FREESHIP"),
                application("discount_code", "freeship"),
                application("discount_code", ""),
                {"type": "discount_code", "code": null},
                {"type": null, "code": "X"},
            ]),
            json!([listed("AUTO", "1.00"), listed("freeShip", "7.00"), listed("STRASSE", "2.00")])
        ),
        [
            used("Straße", 0, true),
            used("FREESHIP", 700, true),
            used("AUTO", 100, false),
            used("STRASSE", 200, false),
        ]
    );
    assert_eq!(codes(Value::Null, Value::Null), []);
    let entries = json!([{"code": "ANNA10"}, {"code": null}, {"code": 5, "amount": 5}, {}]);
    assert_eq!(
        codes(json!([application("discount_code", "anna10")]), entries),
        [used("anna10", 0, true)]
    );
    // An amount with the decimals of another currency only ranks codes.
    assert_eq!(
        codes(json!([application("discount_code", "a")]), json!([listed("A", "1.005")])),
        [used("a", 101, true)]
    );
    let many: Vec<_> = (0..50).map(|n| application("discount_code", &format!("C{n}"))).collect();
    assert_eq!(codes(json!(many), json!([listed("other", "1.00")])).len(), 20);
    let odd = "' OR 1=1-- <svg onload=alert(1)> 🎉".to_owned();
    for text in [odd, "x".repeat(5_000)] {
        let cut: String = text.chars().take(255).collect();
        assert_eq!(
            codes(json!([application("discount_code", &text)]), json!([])),
            [used(&cut, 0, true)]
        );
    }
}

#[test]
fn clicks_come_from_the_cart_and_the_landing_page() {
    let clicks = |attributes: Value, landing: Value| {
        let body = with(worked_example(), "/note_attributes", attributes);
        let evidence = order(&with(body, "/landing_site", landing)).0.evidence;
        (evidence.clicks, evidence.bare_ref)
    };
    let cart = |value: Value| json!([{"name": "_tributary_click", "value": value}]);
    let none = || Value::Null;
    let table = [
        (json!("/p?click_id=abc&ref=anna"), vec!["abc"], None),
        (json!("https://shop.example/p?x=1&click_id=a%2Eb#top"), vec!["a.b"], None),
        (json!("?click_id=abc"), vec!["abc"], None),
        (json!("/p?click_id=one&click_id=two&click_id=one"), vec!["one", "two"], None),
        (json!("/p?click_id=&ref=anna"), vec![], Some("anna")),
        (json!("/p?ref=&ref=b%20c&ref=d"), vec![], Some("b c")),
        (json!("http://www.example.com?source=abc"), vec![], None),
        (json!("/p#?click_id=abc"), vec![], None),
        (json!("/click_id=abc"), vec![], None),
        (json!("/p?Click_id=abc&xclick_id=abc"), vec![], None),
        (json!("/p?click_id=%ff%fe"), vec!["\u{fffd}\u{fffd}"], None),
        (json!("/p?click_id=%00"), vec!["\u{fffd}"], None),
        (json!("/p?click_id"), vec![], None),
        (
            json!("/discount/ANNA10?redirect=/p%3Fref%3Danna%26click_id%3Da%2Eb_c"),
            vec!["a.b_c"],
            None,
        ),
        (json!("https://s.example/discount/A?redirect=%2Fp%3Fref%3Danna"), vec![], Some("anna")),
        (json!("/p?redirect=/x%3Fclick_id%3Dabc"), vec![], None),
        (json!(""), vec![], None),
        (json!(5), vec![], None),
        (json!(["/p?click_id=abc"]), vec![], None),
        (none(), vec![], None),
    ];
    for (landing, tokens, slug) in table {
        let (got, bare) = clicks(json!([]), landing.clone());
        assert_eq!(
            (got, bare.as_deref()),
            (tokens.iter().map(|t| (*t).to_owned()).collect(), slug),
            "{landing}"
        );
    }
    assert_eq!(clicks(cart(json!("abc")), json!("/?click_id=abc")).0, ["abc"]);
    assert_eq!(
        clicks(cart(json!("abc")), json!("/?ref=anna")),
        (vec!["abc".into()], Some("anna".into()))
    );
    for value in [none(), json!(5), json!(true), json!(""), json!({"a": 1}), json!(["abc"])] {
        assert_eq!(clicks(cart(value), none()).0, [""; 0]);
    }
    assert_eq!(clicks(none(), none()).0, [""; 0]);
    assert_eq!(clicks(json!([{"name": null}, {"name": 5, "value": "x"}, {}]), none()).0, [""; 0]);
    assert_eq!(clicks(json!([{"name": "_Tributary_click", "value": "x"}]), none()).0, [""; 0]);
    let long = clicks(cart(json!("é".repeat(300))), none()).0;
    assert_eq!(long, ["é".repeat(255)]);
    let many: Vec<_> =
        (0..50).map(|n| json!({"name": "_tributary_click", "value": format!("c{n}")})).collect();
    let got = clicks(json!(many), json!("/?click_id=late")).0;
    assert_eq!(got.len(), 10);
    assert_eq!(got[9], "c9");
}

#[test]
fn the_first_address_there_is_gets_hashed() {
    let hash = |email: Value, contact: Value, customer: Value| {
        let body = with(worked_example(), "/email", email);
        let body = with(body, "/contact_email", contact);
        order(&with(body, "/customer", customer)).0.evidence.email_hash
    };
    let customer = || json!({"email": "C@x.de"});
    let hashed = |address: &str| Some(format!("hash of {address}"));
    assert_eq!(hash(json!("\tÄ@X.de\n"), json!("b@x.de"), customer()), hashed("ä@x.de"));
    assert_eq!(hash(json!("  "), json!("b@x.de"), customer()), hashed("b@x.de"));
    assert_eq!(hash(Value::Null, json!(""), customer()), hashed("c@x.de"));
    assert_eq!(hash(json!(5), Value::Null, Value::Null), None);
    assert_eq!(hash(Value::Null, Value::Null, json!({})), None);
}
