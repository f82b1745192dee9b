//! GoAffPro's answers, with the oddities that were seen and those that could come.

use super::*;
use crate::domain::order::{Evidence, Payment};

const NOW: Millis = 1_790_000_000_000;

fn read(json: &str) -> Value {
    as_texts(json).parse().unwrap()
}
fn told(json: &str) -> Result<ToldOrder, Unusable> {
    order(&read(json), "USD".parse().unwrap(), NOW)
}
fn with(field: &str) -> Result<ToldOrder, Unusable> {
    told(&format!(
        r##"{{"id":1,"number":"#1001","affiliate_id":7,"subtotal":"90.000000","status":"approved",
        "created":"2026-02-18T06:38:43.000Z"{field}}}"##
    ))
}

#[test]
fn the_documented_examples_are_read() {
    const EXAMPLES: &str = include_str!("../../../tests/fixtures/goaffpro/admin_examples.json");
    let all = read(EXAMPLES);
    let told = order(&all["order"], "USD".parse().unwrap(), NOW).unwrap();
    assert_eq!((told.id, told.affiliate, told.number.as_str()), (1, Some(1), "1"));
    assert_eq!(
        (told.subtotal.to_string(), told.commission.unwrap().to_string()),
        ("90.00".into(), "10.00".into())
    );
    assert_eq!((told.status, told.placed_at_ms), (Status::Approved, 1_771_396_723_000));
    let affiliate = affiliate(&all["affiliate"]).unwrap();
    assert_eq!((affiliate.id, affiliate.email.as_deref()), (1, Some("johndoe@example.com")));
    assert_eq!(affiliate.ref_codes, ["hs692n62d", "referralcode"]);
    assert_eq!(
        (affiliate.coupons.as_slice(), affiliate.commission.as_str()),
        (["john10off".to_owned()].as_slice(), "10 percentage product")
    );
}

#[test]
fn numbers_are_the_text_they_are() {
    for (json, texts) in [
        (
            r#"{"a":10.1,"b":[-1,0,1e2],"c":"x 1 \" 2","d":null}"#,
            r#"{"a":"10.1","b":["-1","0","1e2"],"c":"x 1 \" 2","d":null}"#,
        ),
        (r#"{"id":9007199254740993}"#, r#"{"id":"9007199254740993"}"#),
        ("[01,1.,-,1x]", "[01,1.,-,1x]"),
        (r#""open \"#, r#""open \"#),
        ("7", "\"7\""),
        ("", ""),
    ] {
        assert_eq!(as_texts(json), texts);
    }
    for no_json in ["[.5]", "[01]", "[1.]", "[1x]", "{\"a\":1", "[--1]", "<html>1</html>"] {
        assert!(as_texts(no_json).parse::<Value>().is_err(), "{no_json}");
    }
}

#[test]
fn g8_amounts_are_exact_or_refused() {
    let of = |json: &str| {
        told(&format!(
            r#"{{"id":1,"subtotal":{json},"status":"new","created":"2026-02-18T06:38:43Z"}}"#
        ))
        .map(|told| told.subtotal.to_string())
    };
    assert_eq!(of("10.1"), Ok("10.10".into()));
    assert_eq!(of("\"8.754800\""), Ok("8.7548".into()));
    assert_eq!(of("0"), Ok("0.00".into()));
    for bad in [
        "\"1,234.56\"",
        "1e2",
        "\"1e2\"",
        "-1",
        "\"-0.01\"",
        "\"\"",
        "null",
        "true",
        "[1]",
        "{}",
        "\"NaN\"",
        "0.0000001",
        "\" 1\"",
    ] {
        assert_eq!(of(bad), Err(Unusable::Amount), "{bad}");
    }
    assert_eq!(of("99999999999999999999999"), Err(Unusable::TooLarge));
    assert_eq!(of("9000000000000.01"), Err(Unusable::TooLarge));
    assert_eq!(with(r#","currency":"EUR""#), Err(Unusable::Currency));
    assert!(with(r#","currency":"USD""#).is_ok());
    // Its own figure is only compared with ours: what can't be read of it keeps no order back.
    assert_eq!(with(r#","commission":"1,5""#).map(|order| order.commission), Ok(None));
}

#[test]
fn g11_times_are_told_in_three_forms_and_without_an_offset_in_utc() {
    let at = 1_771_396_723_000;
    for told in [
        "2026-02-18T06:38:43Z",
        "2026-02-18T06:38:43.000Z",
        "2026-02-18T07:38:43+01:00",
        "2026-02-18T06:38:43",
        "2026-02-18 06:38:43",
        "Wed Feb 18 2026 07:38:43 GMT+0100 (Central European Standard Time)",
        "Wed Feb 18 2026 06:38:43 GMT+0000",
        "Tue Feb 17 2026 22:38:43 GMT-0800 (PST)",
    ] {
        assert_eq!(parse_time(told), Some(at), "{told}");
    }
    // The hour that a clock shows twice: the offset decides, and without one there is only UTC.
    let twice =
        ["Sun Oct 25 2026 02:30:00 GMT+0200", "Sun Oct 25 2026 02:30:00 GMT+0100"].map(parse_time);
    assert_eq!(twice[1].unwrap() - twice[0].unwrap(), 3_600_000);
    for bad in [
        "",
        "soon",
        "1771396723",
        "2026-02-30T00:00:00",
        "Wed Xxx 18 2026 07:38:43 GMT+0100",
        "Wed Feb 18 2026 07:38:43",
        "Wed Feb -1 2026 07:38:43 GMT+0100",
        "Wed Feb 18 2026 25:38:43 GMT+0100",
        "Wed anF 18 2026 07:38:43 GMT+0é",
    ] {
        assert_eq!(parse_time(bad), None, "{bad}");
    }
    let placed = |at_ms| {
        with("")
            .map(|_| ())
            .and(told(&format!(
                r#"{{"id":1,"subtotal":1,"status":"new","created":"{}"}}"#,
                crate::domain::time::to_rfc3339(at_ms)
            )))
            .map(|_| ())
    };
    assert_eq!(placed(NOW + crate::domain::time::DAY_MS), Ok(()), "clocks differ by a day");
    assert_eq!(placed(NOW + crate::domain::time::DAY_MS + 1), Err(Unusable::Time));
    assert_eq!(placed(0), Err(Unusable::Time));
}

#[test]
fn g7_what_is_missing_or_of_another_type_makes_its_row_unusable() {
    assert!(with(r#","brand_new":{"a":[1]}"#).is_ok(), "new fields are passed over");
    for (json, expected) in [
        ("{}", Unusable::Id),
        (r#"{"id":0}"#, Unusable::Id),
        (r#"{"id":-1}"#, Unusable::Id),
        (r#"{"id":"a7"}"#, Unusable::Id),
        (r#"{"id":99999999999999999999}"#, Unusable::Id),
        (r#"{"id":1}"#, Unusable::Amount),
        (r#"{"id":1,"subtotal":1}"#, Unusable::Status),
        (r#"{"id":1,"subtotal":1,"status":"odd"}"#, Unusable::Status),
        (r#"{"id":1,"subtotal":1,"status":"new"}"#, Unusable::Time),
        (r#"{"id":1,"subtotal":1,"status":"new","created":7}"#, Unusable::Time),
        ("[]", Unusable::Id),
        ("\"x\"", Unusable::Id),
    ] {
        assert_eq!(told(json), Err(expected), "{json}");
    }
    assert!(rows(&read("{\"orders\":{}}"), "orders").is_err());
    assert!(rows(&read("\"<html>\""), "orders").is_err());
    assert_eq!(rows(&read("{\"orders\":[{}]}"), "orders").unwrap().len(), 1);
    assert_eq!(affiliate(&read("{}")), None);
    let odd = affiliate(&read(r#"{"id":"7","coupon":"","coupons":[{"code":"A","discount_value":""},null,7],"ref_code":"a b","ref_codes":["ok"],"email":"x","commission":null}"#)).unwrap();
    assert_eq!(
        (odd.coupons, odd.ref_codes, odd.email),
        (vec!["7".into(), "a".into()], vec!["ok".into()], None)
    );
}

#[test]
fn statuses_become_payments_that_can_go_back() {
    let status = |word: &str| {
        told(&format!(
            r#"{{"id":1,"subtotal":1,"status":"{word}","created":"2026-02-18T06:38:43Z"}}"#
        ))
        .unwrap()
        .status
    };
    assert_eq!(
        ["new", "pending", "approved", "rejected"].map(status),
        [Status::Open, Status::Open, Status::Approved, Status::Rejected]
    );
    let payment = |status, paid, held| {
        let kept = Kept {
            number: "#1",
            subtotal: "10.005".parse().unwrap(),
            status,
            paid,
            held,
            coupons: vec!["ANNA".into()],
            placed_at_ms: 1,
            told_at_ms: 2,
        };
        let made = snapshot(&kept, "USD".parse().unwrap(), Evidence::default()).unwrap();
        assert_eq!((made.lines[0].price_minor, made.updated_at_ms), (1_001, 2));
        assert!(made.evidence.codes[0].is_code);
        made.payment
    };
    assert_eq!(payment("open", false, false), Payment::Unpaid);
    assert_eq!(payment("open", true, false), Payment::Paid);
    assert_eq!(payment("approved", false, false), Payment::Paid);
    assert_eq!(payment("approved", true, true), Payment::Voided);
    assert_eq!(payment("rejected", true, false), Payment::Voided);
    assert_eq!(payment("gone", true, false), Payment::Voided);
}

#[test]
fn a_connection_test_tells_currency_and_website() {
    let plain = config(&read(r#"{"site_id":5,"store_name":"Casa","default_currency":"usd","website":"https://Shop.Casa.example/x"}"#)).unwrap();
    assert_eq!(plain.currency.map(Currency::code), Some("USD"));
    assert_eq!(plain.website.as_deref(), Some("shop.casa.example"));
    let inner = config(&read(r#"{"config":{"default_currency":"","website":"x"}}"#)).unwrap();
    assert_eq!((inner.currency, inner.website), (None, None));
    assert!(config(&read("[]")).is_err());
}

#[test]
fn a_new_affiliate_is_asked_for_with_what_is_known() {
    let all = NewAffiliate {
        email: "a\"@x.example",
        name: "Anna",
        ref_code: Some("anna"),
        coupon: Some("ANNA10"),
        percent: Some("12.5"),
    };
    let body: Value = new_affiliate(&all).parse().unwrap();
    assert_eq!(
        body,
        serde_json::json!({ "email": "a\"@x.example", "name": "Anna", "status": "approved", "ref_code": "anna",
        "coupon": { "code": "ANNA10" }, "commission": { "type": "percentage", "amount": "12.5" } })
    );
    let little = NewAffiliate { ref_code: None, coupon: None, percent: None, ..all };
    assert_eq!(new_affiliate(&little).parse::<Value>().unwrap().as_object().unwrap().len(), 3);
    assert_eq!(
        affiliate_path("email", "a+b@x.example"),
        format!("/v1/admin/affiliates?fields={AFFILIATE_FIELDS}&limit=5&email=a%2Bb%40x.example")
    );
}

#[test]
fn the_ledger_tells_what_moved() {
    let row = read(
        r#"{"tx_id":1,"affiliate_id":7,"amount":"12.500000","currency":"USD","event_type":"order_created","entity_type":"orders"}"#,
    );
    let told = transaction(&row).unwrap();
    assert_eq!((told.affiliate, told.kind, told.amount.to_string()), (7, "order", "12.50".into()));
    assert_eq!(
        transaction(&read(r#"{"affiliate_id":7,"amount":-3,"entity_type":"payment"}"#))
            .unwrap()
            .kind,
        "payout"
    );
    assert_eq!(reward(&read(r#"{"affiliate_id":7,"amount":"x"}"#)), Err(Unusable::Amount));
    assert_eq!(reward(&read(r#"{"amount":"1"}"#)), Err(Unusable::Id));
    assert_eq!(
        transaction(&read(r#"{"affiliate_id":7,"amount":1,"currency":"GOLD"}"#)),
        Err(Unusable::Currency)
    );
    assert_eq!(
        visit(&read(
            r#"{"id":9,"affiliate_id":7,"created_at":"2026-02-18T06:38:43Z","ip_address":"203.0.113.9"}"#
        )),
        Some((9, Some(7), Some(1_771_396_723_000)))
    );
}
