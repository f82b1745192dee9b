//! Codes taken over from a file: reliability.md, rows C1 to C13, as far as they fit.

use http::Request;
use serde_json::{Value, json};

use crate::support::{Answer, Product, Programme};

async fn import(product: &Product, key: &str, query: &str, file: &[u8]) -> Answer {
    let request = Request::builder()
        .method("POST")
        .uri(format!("/v1/codes/import?{query}"))
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "text/csv; charset=utf-8");
    product.raw(request.body(file.to_vec()).unwrap()).await
}

fn count(product: &Product) -> usize {
    product.db.rows("SELECT id FROM codes").len()
}

#[tokio::test]
async fn a_file_is_previewed_and_then_taken_over_whole() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let (rival, _) = p.rival(&product, "BERTA").await;
    // C3, C6: separators, quotes, formulas are text.
    let file = "\u{feff}Code;creator\r\nANNA10;@Anna.Home\r\n\"=HYPERLINK(\"\"x\"\")\";anna@CREATOR.example\r\nBERTA;berta-berta\r\n";
    let preview = import(&product, &p.key, "preview=true", file.as_bytes()).await.expect(200);
    assert_eq!(
        (&preview["new"], &preview["wrong"], &preview["taken_over"]),
        (&json!(2), &json!(0), &json!(0)),
        "{preview}"
    );
    assert_eq!(preview["rows"][0]["deal_id"], p.deal.as_str());
    assert_eq!(
        (&preview["rows"][2]["outcome"], &preview["rows"][2]["deal_id"]),
        (&json!("known"), &json!(rival))
    );
    assert_eq!(count(&product), 1, "a preview does nothing");
    let hash = format!("hash={}", preview["hash"].as_str().unwrap());
    // C11: another file under this hash.
    let other = file.replace("ANNA10", "ANNA11");
    import(&product, &p.key, &hash, other.as_bytes()).await.expect(409);
    let done = import(&product, &p.key, &hash, file.as_bytes()).await.expect(200);
    assert_eq!((&done["taken_over"], count(&product)), (&json!(2), 3));
    let texts = product.db.rows("SELECT code FROM codes WHERE code LIKE '=%'");
    assert_eq!(texts, [json!({ "code": "=HYPERLINK(\"x\")" })]);
    // C5: the same again is nothing new; its hash is another, because the codes are known by now.
    import(&product, &p.key, &hash, file.as_bytes()).await.expect(409);
    let again = import(&product, &p.key, "preview=true", file.as_bytes()).await.expect(200);
    assert_eq!(again["new"], 0);
    let hash = format!("hash={}", again["hash"].as_str().unwrap());
    assert_eq!(import(&product, &p.key, &hash, file.as_bytes()).await.expect(200)["taken_over"], 0);
    assert_eq!(count(&product), 3);
    let trail = product.db.rows("SELECT action FROM audit WHERE action = 'code.import'");
    assert_eq!(trail.len(), 2, "one for each code");
}

#[tokio::test]
async fn one_bad_row_in_ten_thousand_and_nothing_is_done() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deal = &p.deal;
    let mut file = "deal_id,code\n".to_owned();
    for n in 0..9_999 {
        file.push_str(&format!("{deal},CODE{n}\n"));
    }
    let bad = format!("{file}deal_01h455vb4pex5vsknk084sn02q,LAST\n");
    let preview = import(&product, &p.key, "preview=true", bad.as_bytes()).await.expect(200);
    assert_eq!(
        (&preview["new"], &preview["wrong"], &preview["hash"]),
        (&json!(9_999), &json!(1), &Value::Null)
    );
    let refused = import(&product, &p.key, "hash=x", bad.as_bytes()).await.expect(422);
    assert_eq!(
        refused["errors"],
        json!([{ "field": "line 10001", "reason": "there is no such deal" }])
    );
    assert_eq!(count(&product), 0);
    let good = format!("{file}{deal},LAST\n");
    let preview = import(&product, &p.key, "preview=true", good.as_bytes()).await.expect(200);
    let hash = format!("hash={}", preview["hash"].as_str().unwrap());
    // Somebody takes one of them meanwhile: nothing is done.
    p.rival(&product, "CODE5000").await;
    import(&product, &p.key, &hash, good.as_bytes()).await.expect(422);
    assert_eq!(count(&product), 1);
    product.db.execute("DELETE FROM codes").unwrap();
    assert_eq!(
        import(&product, &p.key, &hash, good.as_bytes()).await.expect(200)["taken_over"],
        10_000
    );
    let more = format!("{good}{deal},MORE\n");
    import(&product, &p.key, "preview=true", more.as_bytes()).await.expect(422);
}

#[tokio::test]
async fn files_that_are_none_are_refused() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let q = Programme::with(&product, "EUR", "10").await;
    let (deal, theirs) = (&p.deal, &q.deal);
    for file in [
        "".to_owned(),
        "deal_id,code\n".to_owned(),
        "code\nX\n".to_owned(),
        format!("deal_id\n{deal}\n"),
        format!("deal_id,code,code\n{deal},X,Y\n"),
        format!("deal_id,code,brand_id\n{deal},X,Y\n"),
        format!("deal_id,code\n{deal},\"X\n"),
        format!("deal_id,code\n{deal},X\0\n"),
        format!("deal_id,code\n{deal},{}\n", "x".repeat(3_000)),
        "PK\u{3}\u{4}".to_owned(),
    ] {
        let refused = import(&product, &p.key, "preview=true", file.as_bytes()).await;
        assert_eq!(refused.status, 422, "{file:?}: {}", refused.text);
    }
    import(&product, &p.key, "preview=true", b"deal_id,code\n\xff\xfe,X").await.expect(422);
    let utf16: Vec<u8> = "deal_id,code".encode_utf16().flat_map(u16::to_le_bytes).collect();
    import(&product, &p.key, "preview=true", &utf16).await.expect(422);
    // C9: another brand's deal and creator are as if they weren't there.
    let none = "deal_01h455vb4pex5vsknk084sn02q";
    for (one, other) in [
        (format!("deal_id,code\n{theirs},X\n"), format!("deal_id,code\n{none},X\n")),
        (format!("deal_id,code\n{deal},X,Y\n"), format!("deal_id,code\n{deal},Z,Y\n")),
    ] {
        let reason = async |file: &str| {
            let told = import(&product, &p.key, "preview=true", file.as_bytes()).await.expect(200);
            assert_eq!(told["wrong"], 1);
            (told["rows"][0]["deal_id"].is_null(), told["rows"][0]["reason"].clone())
        };
        assert_eq!(reason(&one).await, reason(&other).await);
    }
    // C13: addresses are compared without case and nothing else; several deals aren't guessed among.
    for (name, wrong) in [("ANNA@creator.example", 0), ("anna+x@creator.example", 1), ("nobody", 1)]
    {
        let file = format!("creator,code\n{name},X\n");
        let told = import(&product, &p.key, "preview=true", file.as_bytes()).await.expect(200);
        assert_eq!(told["wrong"], wrong, "{name}");
    }
    let twice = format!("deal_id,code\n{deal},X\n{deal},x\n");
    let told = import(&product, &p.key, "preview=true", twice.as_bytes()).await.expect(200);
    assert_eq!((&told["new"], &told["wrong"]), (&json!(1), &json!(0)), "the same row twice is one");
    for query in ["", "preview=maybe", "preview=true&hash=x"] {
        assert_eq!(import(&product, &p.key, query, b"deal_id,code\n").await.status, 422, "{query}");
    }
    let json = product.call("POST", "/v1/codes/import?preview=true", Some(json!({})), &p.key).await;
    assert_eq!(json.status, 415);
    assert_eq!(count(&product), 0);
}
