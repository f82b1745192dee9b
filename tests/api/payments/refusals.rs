//! What may not be paid isn’t, by a named rule, and the books stay.

use super::*;

/// What is decided from a line as it stood doesn't hold for another try of it, nor by somebody gone.
#[tokio::test]
async fn tries_and_members_that_are_gone_abort() {
    use tributary::storage::payouts as rows;
    let product = Product::new();
    let (p, owner, payout) = at_paypal(&product).await;
    let brand = product.db.rows("SELECT id FROM brands")[0]["id"].as_str().unwrap().to_owned();
    let brand = brand.parse().unwrap();
    let id = payout["id"].as_str().unwrap().parse().unwrap();
    let line = payout["lines"][0]["id"].as_str().unwrap().parse().unwrap();
    let run = async |statement| product.app.db().run(vec![statement]).await;
    for (attempt, way) in [(2, "file"), (2, "paypal"), (0, "file")] {
        let taken = run(rows::take_way(brand, id, &[(line, attempt)], way)).await;
        assert!(taken.is_err(), "{attempt} {way}");
    }
    run(rows::take_way(brand, id, &[(line, 1)], "file")).await.unwrap();
    assert!(run(rows::take_way(brand, id, &[(line, 1)], "paypal")).await.is_err());
    let vic = manager(&product, &p, "vic", 3).await;
    let approve = |member: &Member, subject: &str| {
        rows::approve(brand, subject, member.id.parse().unwrap(), 0)
    };
    run(approve(&vic, "one")).await.unwrap();
    assert!(run(approve(&vic, "one")).await.is_err(), "twice");
    product.db.execute("UPDATE members SET role = 'viewer' WHERE role = 'manager'").unwrap();
    assert!(run(approve(&vic, "two")).await.is_err(), "a viewer");
    product.db.execute("DELETE FROM members WHERE role = 'viewer'").unwrap();
    assert!(run(approve(&vic, "three")).await.is_err(), "nobody any more");
    run(approve(&owner, "three")).await.unwrap();
}

#[tokio::test]
async fn a_stale_if_match_changes_nothing() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let deal = format!("/v1/deals/{}", p.deal);
    for (path, change) in
        [("/v1/brand", json!({ "name": "Casa 2" })), (&*deal, json!({ "stage": "Posted" }))]
    {
        let patch = async |tag: &str, body: &Value| {
            let request = http::Request::builder()
                .method("PATCH")
                .uri(path)
                .header("authorization", format!("Bearer {}", p.key))
                .header("content-type", "application/json")
                .header("if-match", tag);
            product.raw(request.body(body.to_string().into_bytes()).unwrap()).await
        };
        let shown = product.call("GET", path, None, &p.key).await;
        let tag = shown.headers["etag"].to_str().unwrap().to_owned();
        for stale in ["\"x\"", "W/\"x\"", &tag[..tag.len() - 2], ""] {
            let before = product.db.checksum();
            assert_eq!(patch(stale, &change).await.expect(412)["type"], "/problems/stale");
            assert_eq!(product.db.checksum(), before);
        }
        let changed = patch(&format!("\"x\", {tag}"), &change).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        assert_ne!(changed.headers["etag"].to_str().unwrap(), tag);
        assert_eq!(patch(&tag, &change).await.status, 412, "it was changed since");
        assert_eq!(patch("*", &change).await.status, 200);
    }
}

/// A10 and what issue 4 names: who may not be paid isn't, by a named rule, and the books stay.
#[tokio::test]
async fn payouts_that_break_a_rule_change_nothing() {
    let product = Product::new();
    let (p, hers) = earned(&product).await;
    let (deal_b, berta) = p.rival(&product, "BERTA").await;
    let (_, cleo) = p.rival(&product, "CLEO").await;
    p.deliver(&product, &coded(order(2), "BERTA")).await;
    // Cleo owes.
    let adjust = format!("/v1/creators/{cleo}/adjustments");
    let debt = json!({ "amount": usd("-5.00"), "reason": "r" });
    pay(&product, &p.key, "debt", &adjust, debt).await.expect(201);
    let viewer = json!({ "email": "vic@casa.example", "role": "viewer" });
    p.post(&product, "/v1/members", viewer).await.expect(201);
    let viewer = Member::joins(&product, "vic@casa.example", 4).await;
    let one = draft(&product, &p, "one").await;
    let gone = draft(&product, &p, "gone").await;
    product.call("DELETE", &path_of(&gone), None, &p.key).await.expect(200);
    let approved = draft(&product, &p, "two").await;
    let approval = |payout: &Value| format!("{}/approval", path_of(payout));
    pay(&product, &p.key, "three", &approval(&approved), Value::Null).await.expect(200);
    let nobody = json!({ "currency": "USD", "creator_ids": [berta] });
    let owing = json!({ "currency": "USD", "creator_ids": [cleo] });
    let other = json!({ "currency": "EUR", "creator_ids": [p.creator] });
    let again = json!({ "currency": "USD", "creator_ids": [p.creator] });
    let none = Value::Null;
    let lines = line_of(&approved);
    let (settle, retry) = (format!("{lines}/settlement"), format!("{lines}/retry"));
    let sending = format!("{}/sending", path_of(&approved));
    let books = || product.db.rows("SELECT * FROM entries").len();
    for (what, path, body, status, rule) in [
        ("without details", "/v1/payouts", &nobody, 409, "no-payment-details"),
        ("with an open claw-back", "/v1/payouts", &owing, 409, "nothing-available"),
        ("of another currency", "/v1/payouts", &other, 409, "nothing-available"),
        ("of what is in a payout", "/v1/payouts", &again, 409, "nothing-available"),
        ("more than there is", &approval(&one), &none, 409, "not-enough-available"),
        ("approved twice", &approval(&approved), &none, 409, "payout-approved"),
        ("approved after it was cancelled", &approval(&gone), &none, 409, "payout-cancelled"),
        ("no outcome", &settle, &json!({ "outcome": "sent" }), 422, "invalid"),
        ("tried again while on its way", &retry, &none, 409, "not-failed"),
        ("sent without an account", &sending, &none, 409, "no-payout-provider"),
    ] {
        let (before, entries) = (product.db.checksum(), books());
        let answer =
            pay(&product, &p.key, what.replace(' ', "-").as_str(), path, body.clone()).await;
        assert_eq!(answer.expect(status)["type"], format!("/problems/{rule}"), "{what}");
        assert_eq!((product.db.checksum(), books()), (before, entries), "{what}");
    }
    let before = product.db.checksum();
    let cancelled = product.call("DELETE", &path_of(&approved), None, &p.key).await.expect(409);
    assert_eq!(cancelled["type"], "/problems/payout-approved", "cancelled after approval");
    for (method, path) in
        [("POST", approval(&one)), ("DELETE", path_of(&one)), ("POST", sending), ("POST", retry)]
    {
        assert_eq!(
            by(&viewer, &product, method, &path, "v").await.status,
            403,
            "a viewer: {method} {path}"
        );
        let creator = pay(&product, &hers, "c", &path, Value::Null).await;
        assert!(matches!(creator.status, 403 | 405), "a creator: {path}");
    }
    assert_eq!(product.db.checksum(), before);
    let _ = deal_b;
    p.verify(&product).await;
}
