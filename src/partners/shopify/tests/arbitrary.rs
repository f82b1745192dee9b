//! Whatever the bytes are, nothing panics, and what is accepted survives the overflow queue.

use proptest::prelude::*;

use super::*;
use crate::partners::shopify::verify;

fn bodies() -> [Vec<u8>; 4] {
    let order = with(worked_example(), "/refunds", json!([unit_refund()]));
    let edit = json!({"order_edit": {"id": 1, "order_id": 4,
        "line_items": {"additions": [{"id": 6, "delta": 2}], "removals": []}}});
    [order, unit_refund(), edit, json!({"id": 5})].map(|body| body.to_string().into_bytes())
}

fn survives(body: &[u8]) {
    if let Ok(Parsed::Delivery(delivery)) = parse(body, now(), &str::to_owned) {
        let stored = serde_json::to_string(&delivery).unwrap();
        assert_eq!(crate::storage::rows::from_json::<Delivery>(&stored).unwrap(), delivery);
        let facts = crate::domain::order::Facts::default();
        let _ = facts.merge(&delivery.report);
    }
}

/// Pieces that parsers stumble over.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..8),
        prop::sample::select(vec![
            "null",
            "true",
            "0",
            "-1",
            "1e999",
            "1e-999",
            "-0",
            "0.1",
            "\"\"",
            "[]",
            "{}",
            "[[[[",
            "}}}}",
            "\"",
            "\\",
            "\\ud800",
            "\\u0000",
            ",",
            ":",
            "\"id\":",
            "\"price\":\"1e3\",",
            "18446744073709551616",
            "99999999999999999999999999999999999999",
            "\u{feff}",
            "\u{0}",
            "\"currency\":\"JPY\",",
            "\"2026-11-20T10:15:30Z\"",
            "\"-0.00\"",
            "\"9\"",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&body);
    }

    #[test]
    fn mutated_bodies_never_panic(
        which in 0..4_usize,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, piece()), 1..4),
    ) {
        let mut body = bodies()[which].clone();
        for (at, length, piece) in cuts {
            if body.is_empty() {
                break;
            }
            let start = at.index(body.len());
            let end = (start + length).min(body.len());
            body.splice(start..end, piece);
        }
        survives(&body);
    }

    #[test]
    fn a_value_of_another_kind_anywhere_never_panics(
        which in 0..2_usize,
        at in any::<prop::sample::Index>(),
        piece in prop::sample::select(vec![
            json!(null), json!(true), json!(0), json!(-1), json!(1.5), json!(1e300), json!(u64::MAX),
            json!(""), json!("-0"), json!("x"), json!("99999999999999999999"), json!([]), json!({}),
            json!([[]]), json!([null]), json!({"shop_money": []}), json!(["1.00", "USD"]),
        ]),
    ) {
        let mut body: Value = serde_json::from_slice(&bodies()[which]).unwrap();
        let mut places = Vec::new();
        collect(&body, String::new(), &mut places);
        *body.pointer_mut(&places[at.index(places.len())]).unwrap() = piece;
        survives(body.to_string().as_bytes());
    }

    #[test]
    fn arbitrary_signatures_never_panic_or_fit(
        body in prop::collection::vec(any::<u8>(), 0..50),
        header in "\\PC{0,60}|[A-Za-z0-9+/]{43}=",
        secret in "\\PC{0,80}",
    ) {
        prop_assert!(!verify(&body, Some(&header), &[secret]));
    }
}

fn collect(value: &Value, path: String, places: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| collect(value, format!("{path}/{key}"), places));
        }
        Value::Array(list) => {
            let each = list.iter().enumerate();
            each.for_each(|(at, value)| collect(value, format!("{path}/{at}"), places));
        }
        _ => (),
    }
    places.push(path);
}
