//! Members, keys and webhooks.

use super::*;

#[tokio::test]
async fn members_are_invited_changed_and_removed() {
    let casa = casa().await;
    let invite = [("do", "invite"), ("email", "mila@casa.example"), ("role", "viewer")];
    assert_eq!(casa.send(&casa.olga, "/members", &invite).await.status, 303);
    assert!(casa.see(&casa.olga, "/members").await.text.contains("Invited"));
    let mila = Member::joins(&casa.product, "mila@casa.example", 2).await;
    let role = [("do", "role"), ("id", mila.id.as_str()), ("role", "manager")];
    assert_eq!(casa.send(&casa.olga, "/members", &role).await.status, 303);
    let team = casa.p.get(&casa.product, "/v1/members").await;
    let of = |id: &str| team["data"].as_array().unwrap().iter().find(|m| m["id"] == id).unwrap();
    assert_eq!(of(&mila.id)["role"], "manager");
    // The last owner stays one, and is told why.
    let mine = casa.olga.id.as_str();
    for form in
        [&[("do", "role"), ("id", mine), ("role", "viewer")][..], &[("do", "remove"), ("id", mine)]]
    {
        let told = casa.refuses("/members", form, 409).await;
        assert!(
            told.text.contains("a brand has an owner")
                || told.text.contains("A brand has an owner")
        );
    }
    for (form, status) in [
        (&[("do", "invite"), ("email", "no address"), ("role", "viewer")][..], 422),
        (&[("do", "invite"), ("email", "x@casa.example"), ("role", "king")], 422),
        (&[("do", "invite"), ("email", "mila@casa.example"), ("role", "viewer")], 409),
    ] {
        casa.refuses("/members", form, status).await;
    }
    for id in ["x", "", "member_0000000000000000000000000"] {
        let told = casa.send(&casa.olga, "/members", &[("do", "remove"), ("id", id)]).await;
        assert_eq!(told.status, 404, "{id}");
    }
    let remove = [("do", "remove"), ("id", mila.id.as_str())];
    assert_eq!(casa.send(&casa.olga, "/members", &remove).await.status, 303);
    assert!(!casa.see(&casa.olga, "/members").await.text.contains("mila@"));
    assert_eq!(casa.see(&mila, "").await.status, 404);
}

#[tokio::test]
async fn a_key_is_shown_once_and_revoked() {
    let casa = casa().await;
    let form =
        [("do", "make"), ("name", HOSTILE), ("scope_read", "yes"), ("expires_on", "2030-06-30")];
    let made = casa.send(&casa.olga, "/keys", &form).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let key = made.text.split("data-copy=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let call = async || casa.product.call("GET", "/v1/brand", None, &key).await.status;
    assert_eq!(call().await, 200);
    let shown = casa.see(&casa.olga, "/keys").await.text;
    assert!(!shown.contains(&key) && !shown.contains("<img src=x"));
    let keys = casa.p.get(&casa.product, "/v1/keys").await;
    let made = keys["data"].as_array().unwrap().iter().find(|key| key["name"] == HOSTILE).unwrap();
    assert_eq!(
        (&made["scopes"], &made["expires_at"]),
        (&json!(["read"]), &json!("2030-07-01T00:00:00.000Z"))
    );
    for form in [
        &[("do", "make"), ("name", ""), ("scope_read", "yes")][..],
        &[("do", "make"), ("name", "x")],
        &[("do", "make"), ("name", "x"), ("scope_read", "yes"), ("expires_on", "2020-01-01")],
        &[("do", "make"), ("name", "x"), ("scope_read", "yes"), ("expires_on", "soon")],
    ] {
        casa.refuses("/keys", form, 422).await;
    }
    let revoke = [("do", "revoke"), ("id", made["id"].as_str().unwrap())];
    assert_eq!(casa.send(&casa.olga, "/keys", &revoke).await.status, 303);
    assert_eq!(call().await, 401);
    let first =
        keys["data"].as_array().unwrap().iter().find(|key| key["name"] == "first key").unwrap();
    casa.refuses("/keys", &[("do", "revoke"), ("id", first["id"].as_str().unwrap())], 409).await;
    assert_eq!(casa.send(&casa.olga, "/keys", &[("do", "revoke"), ("id", "x")]).await.status, 404);
}

#[tokio::test]
async fn webhooks_are_made_paused_rotated_and_sent_again() {
    let casa = casa().await;
    let form = [
        ("do", "make"),
        ("url", "https://hooks.casa.org/in"),
        ("description", HOSTILE),
        ("on_order.created", "yes"),
    ];
    let made = casa.send(&casa.olga, "/webhooks", &form).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let secret = |html: &str| {
        html.split("data-copy=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let first = secret(&made.text);
    assert!(first.starts_with("whsec_"));
    let found = casa.p.get(&casa.product, "/v1/webhook-endpoints").await;
    let endpoint = &found["data"][0];
    assert_eq!(
        (&endpoint["events"], &endpoint["description"]),
        (&json!(["order.created"]), &json!(HOSTILE))
    );
    let path = format!("/webhooks/{}", endpoint["id"].as_str().unwrap());
    for page in ["/webhooks", &path] {
        let shown = casa.see(&casa.olga, page).await;
        assert!(
            shown.status == 200
                && !shown.text.contains(&first)
                && !shown.text.contains("<img src=x"),
            "{page}"
        );
    }
    let post = async |wanted: &str, more: &[(&str, &str)]| {
        let mut form = vec![("do", wanted)];
        form.extend(more);
        casa.send(&casa.olga, &path, &form).await
    };
    assert_eq!(post("test", &[]).await.status, 303);
    let log =
        casa.p.get(&casa.product, &format!("/v1/webhook-endpoints{}/deliveries", &path[9..])).await;
    let delivery = log["data"][0]["id"].as_str().unwrap().to_owned();
    assert!(casa.see(&casa.olga, &path).await.text.contains(&delivery));
    assert_eq!(post("resend", &[("delivery", &delivery)]).await.status, 303);
    assert_eq!(post("resend", &[("delivery", "x")]).await.status, 404);
    let rotated = post("rotate", &[]).await;
    assert!(rotated.status == 200 && secret(&rotated.text) != first);
    let change = [
        ("url", "https://hooks.casa.org/other"),
        ("description", "Other"),
        ("on_deal.created", "yes"),
    ];
    assert_eq!(post("change", &change).await.status, 303);
    let now = casa.p.get(&casa.product, &format!("/v1/webhook-endpoints{}", &path[9..])).await;
    assert_eq!(
        (&now["url"], &now["events"]),
        (&json!("https://hooks.casa.org/other"), &json!(["deal.created"]))
    );
    casa.refuses(
        &path,
        &[("do", "change"), ("url", "http://10.0.0.1/"), ("description", "kept")],
        422,
    )
    .await;
    assert_eq!(post("pause", &[]).await.status, 303);
    casa.refuses(&path, &[("do", "test")], 409).await;
    casa.refuses(&path, &[("do", "resend"), ("delivery", &delivery)], 409).await;
    assert_eq!(post("resume", &[]).await.status, 303);
    assert_eq!(post("remove", &[]).await.status, 303);
    assert_eq!(casa.see(&casa.olga, &path).await.status, 404);
    casa.refuses("/webhooks", &[("do", "make"), ("url", "x")], 422).await;
}
