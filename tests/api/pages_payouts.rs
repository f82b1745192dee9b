//! Who is owed what, and a payout from draft to the books: by the API and by its pages.

use serde_json::{Value, json};

use super::payouts::{earned, pay, token};
use crate::support::people::{Browser, Member};
use crate::support::{Answer, Product, Programme};

async fn see(product: &Product, who: &Browser, path: &str) -> Answer {
    who.sees(product, path).await
}

async fn send(product: &Product, who: &Member, path: &str, fields: &[(&str, &str)]) -> Answer {
    who.browser.fills(product, path, fields).await
}

async fn member(product: &Product, p: &Programme, role: &str, seed: u8) -> Member {
    let email = format!("{role}-{seed}@casa.example");
    let body = json!({ "email": email, "role": role });
    p.post(product, "/v1/members", body).await.expect(201);
    Member::joins(product, &email, seed).await
}

/// Another creator with a fee of so much; with payment details if she is to have some.
async fn creator(product: &Product, p: &Programme, name: &str, fee: &str, details: bool) -> String {
    let body = json!({ "name": name, "handle": format!("@{name}") });
    let creator = p.post(product, "/v1/creators", body).await.expect(201);
    let id = creator["id"].as_str().unwrap().to_owned();
    let body = json!({ "creator_id": id, "campaign_id": p.campaign });
    let deal = p.post(product, "/v1/deals", body).await.expect(201);
    let deal = deal["id"].as_str().unwrap();
    let fees = format!("/v1/deals/{deal}/fees");
    let fee = json!({ "amount": { "amount": fee, "currency": "USD" } });
    pay(product, &p.key, &format!("fee-{name}"), &fees, fee).await.expect(201);
    if details {
        let token = token(product, p, deal).await;
        let body = json!({ "method": "paypal", "email": format!("{name}@pay.example") });
        product.call("PUT", "/v1/me/payment-details", Some(body), &token).await.expect(200);
    }
    id
}

fn amounts(view: &Value) -> [&str; 4] {
    ["payable", "held_back", "pending", "clawback"]
        .map(|name| view["totals"][name]["amount"].as_str().unwrap())
}

#[tokio::test]
async fn who_is_owed_what_and_why_is_what_a_draft_does() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    creator(&product, &p, "bea", "5.00", true).await;
    creator(&product, &p, "cleo", "70.00", false).await;
    let body = json!({ "payout_minimum": { "amount": "10.00", "currency": "USD" } });
    product.call("PATCH", "/v1/brand", Some(body), &p.key).await.expect(200);
    let owed = p.get(&product, "/v1/owed").await;
    assert_eq!(amounts(&owed), ["13.50", "75.00", "0.00", "0.00"]);
    let told: Vec<_> = owed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let name = one["name"].as_str().unwrap().to_lowercase();
            (name, one["available"]["amount"].clone(), one["reason"].clone())
        })
        .collect();
    let row = |name: &str, amount: &str, why: Value| (name.to_owned(), json!(amount), why);
    assert_eq!(
        told[1..],
        [
            row("cleo", "70.00", json!("no_payment_details")),
            row("bea", "5.00", json!("below_minimum")),
        ]
    );
    assert_eq!((&told[0].1, &told[0].2), (&json!("13.50"), &Value::Null));

    // The draft pays the same, and leaves out the same for the same.
    let draft = pay(&product, &p.key, "d", "/v1/payouts", json!({ "currency": "USD" })).await;
    let draft = draft.expect(201);
    assert_eq!(draft["total"], owed["totals"]["payable"]);
    let mut skipped: Vec<_> = draft["skipped"].as_array().unwrap().clone();
    skipped.sort_by_key(|one| one["reason"].to_string());
    for (one, told) in skipped.iter().zip([&owed["data"][2], &owed["data"][1]]) {
        for name in ["creator_id", "available", "reason"] {
            assert_eq!(one[name], told[name], "{name}");
        }
    }

    // Page by page it is the same list.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = p.get(&product, &format!("/v1/owed?limit=1{cursor}")).await;
        seen.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(seen), owed["data"]);
    assert_eq!(p.get(&product, "/v1/owed?currency=EUR").await["data"], json!([]));
    for bad in ["currency=XX", "limit=0", "cursor=%20", "currency=USD&currency=EUR", "x=1"] {
        let told = product.call("GET", &format!("/v1/owed?{bad}"), None, &p.key).await;
        assert_eq!(told.status, 422, "{bad}");
    }
    let listed = p.get(&product, "/v1/payouts?totals=true").await;
    assert_eq!(listed["data"][0]["total"], draft["total"]);
    assert_eq!(listed["data"][0]["lines"], 1);
    assert_eq!(p.get(&product, "/v1/payouts").await["data"][0]["total"], Value::Null);

    let olga = Member::joins(&product, "owner@casa.example", 1).await;
    let vera = member(&product, &p, "viewer", 2).await;
    let home = format!("/b/{}/payouts", p.brand["id"].as_str().unwrap());
    for (who, pays) in [(&olga, true), (&vera, false)] {
        let page = see(&product, &who.browser, &home).await;
        assert_eq!(page.status, 200);
        for amount in ["13.50", "75.00", "70.00", "5.00"] {
            assert!(page.text.contains(&format!("value=\"{amount}\"")), "{amount}");
        }
        assert_eq!(page.text.contains("Draft for everybody"), pays);
        let id = draft["id"].as_str().unwrap();
        let page = see(&product, &who.browser, &format!("{home}/{id}")).await;
        assert_eq!(page.text.contains("Approve</button>"), pays);
    }
    let before = product.db.checksum();
    let form = [("currency", "USD"), ("who", "all"), ("once", "a")];
    assert_eq!(send(&product, &vera, &home, &form).await.status, 403);
    let none = [("currency", "USD"), ("who", "chosen"), ("once", "b")];
    let told = send(&product, &olga, &home, &none).await;
    assert!(told.status == 422 && told.text.contains("Choose at least one creator."));
    assert!(product.db.checksum() == before);
}

/// Five creators in an approved payout, drafted and approved by its pages.
async fn approved(product: &Product) -> (Programme, Member, String, Value) {
    let (p, _) = earned(product).await;
    for name in ["bea", "cleo", "dora", "emma"] {
        creator(product, &p, name, "20.00", true).await;
    }
    let olga = Member::joins(product, "owner@casa.example", 1).await;
    let home = format!("/b/{}/payouts", p.brand["id"].as_str().unwrap());
    let form = [("currency", "USD"), ("who", "all"), ("once", "first")];
    let drafted = send(product, &olga, &home, &form).await;
    assert_eq!(drafted.status, 303, "{}", drafted.text);
    let to = drafted.headers["location"].to_str().unwrap();
    let at = to.split('?').next().unwrap().to_owned();
    assert_eq!(
        send(product, &olga, &format!("{at}/approval"), &[("once", "second")]).await.status,
        303
    );
    let payout = p.get(product, &format!("/v1/payouts/{}", at.rsplit('/').next().unwrap())).await;
    assert_eq!(
        (&payout["state"], payout["lines"].as_array().unwrap().len()),
        (&json!("approved"), 5)
    );
    (p, olga, at, payout)
}

fn line(payout: &Value, at: usize) -> &str {
    payout["lines"][at]["id"].as_str().unwrap()
}

fn states(payout: &Value) -> Vec<&str> {
    payout["lines"].as_array().unwrap().iter().map(|l| l["state"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn many_payments_are_settled_in_one_step_or_none() {
    let product = Product::new();
    let (p, _, _, payout) = approved(&product).await;
    let path = format!("/v1/payouts/{}", payout["id"].as_str().unwrap());
    let at = format!("{path}/settlement");
    let one = |n: usize, outcome: &str| json!({ "line_id": line(&payout, n), "outcome": outcome });
    let before = product.db.checksum();
    for (key, body, status) in [
        ("1", json!({}), 422),
        ("2", json!({ "lines": [] }), 422),
        ("3", json!({ "outcome": "settled", "lines": [one(0, "settled")] }), 422),
        ("4", json!({ "lines": [one(0, "settled"), one(0, "failed")] }), 422),
        ("5", json!({ "lines": [one(0, "perhaps")] }), 422),
        ("6", json!({ "lines": [{ "line_id": payout["id"], "outcome": "settled" }] }), 422),
        (
            "7",
            json!({ "lines": [{ "line_id": "line_01m81wh757e0e8t9gmdymhqryh",
            "outcome": "settled" }] }),
            422,
        ),
        ("8", json!({ "outcome": "settled", "reference": "x".repeat(201) }), 422),
        ("9", json!({ "lines": 5 }), 422),
        ("10", json!({ "lines": [one(0, "settled")], "reason": "x" }), 422),
    ] {
        let told = pay(&product, &p.key, key, &at, body.clone()).await;
        assert_eq!(told.status, status, "{body}: {}", told.text);
    }
    assert!(product.db.checksum() == before);
    let mut first = one(0, "failed");
    first["reason"] = json!("closed");
    let mut second = one(1, "settled");
    second["reference"] = json!("B-2");
    let body = json!({ "lines": [first, second] });
    let told = pay(&product, &p.key, "a", &at, body.clone()).await.expect(200);
    assert_eq!(states(&told), ["failed", "settled", "in_payout", "in_payout", "in_payout"]);
    assert_eq!(told["lines"][1]["reference"], "B-2");
    assert_eq!(told["lines"][0]["reason"], "closed");
    // Asked again it is told the same; named otherwise it is refused, all of it.
    assert_eq!(pay(&product, &p.key, "a", &at, body).await.expect(200), told);
    let before = product.db.checksum();
    let mixed = json!({ "lines": [one(2, "settled"), one(1, "settled")] });
    let refused = pay(&product, &p.key, "b", &at, mixed).await.expect(409);
    assert_eq!(refused["type"], "/problems/not-in-payout");
    assert!(product.db.checksum() == before, "all of it or nothing");
    let all = json!({ "outcome": "settled", "reference": "RUN-7" });
    let told = pay(&product, &p.key, "c", &at, all.clone()).await.expect(200);
    assert_eq!(states(&told), ["failed", "settled", "settled", "settled", "settled"]);
    assert_eq!(told["lines"][4]["reference"], "RUN-7");
    assert_eq!(told["lines"][1]["reference"], "B-2");
    let refused = pay(&product, &p.key, "d", &at, all).await.expect(409);
    assert_eq!(refused["type"], "/problems/nothing-to-settle");
    let audit = p.get(&product, "/v1/audit?action=payout.settle_many").await;
    assert_eq!(audit["data"].as_array().unwrap().len(), 2);

    // The books say so, payment by payment and in all.
    for (n, accounts) in [
        (0, ["available", "in_payout", "in_payout", "available"]),
        (1, ["available", "in_payout", "in_payout", "paid"]),
    ] {
        let entries = p.get(&product, &format!("{path}/lines/{}/entries", line(&payout, n))).await;
        let told: Vec<_> = entries["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["account"].as_str().unwrap())
            .collect();
        assert_eq!(told, accounts);
    }
    let elsewhere = format!("{path}/lines/line_01m81wh757e0e8t9gmdymhqryh/entries");
    assert_eq!(product.call("GET", &elsewhere, None, &p.key).await.status, 404);
    let owed = p.get(&product, "/v1/owed").await;
    assert_eq!(owed["totals"]["payable"], payout["lines"][0]["amount"]);
    p.verify(&product).await;
}

#[tokio::test]
async fn the_page_settles_all_the_chosen_one_and_a_pasted_table() {
    let product = Product::new();
    let (p, olga, at, payout) = approved(&product).await;
    let read =
        async || p.get(&product, &format!("/v1/payouts/{}", payout["id"].as_str().unwrap())).await;
    let settle = async |fields: &[(&str, &str)]| {
        send(&product, &olga, &format!("{at}/settlement"), fields).await
    };
    let before = product.db.checksum();
    for (fields, status) in [
        (&[("what", "settled"), ("once", "a")][..], 409),
        (&[("what", "settled line_x"), ("once", "b")], 422),
        (&[("what", "nonsense"), ("line", line(&payout, 0)), ("once", "c")], 422),
        (&[("what", "pasted"), ("pasted", "line_x,B"), ("once", "d")], 422),
        (&[("what", "pasted"), ("pasted", ""), ("once", "e")], 409),
        (&[("what", "all"), ("open", "x y"), ("once", "f")], 422),
        (&[("what", "all"), ("open", line(&payout, 0))], 400),
    ] {
        let told = settle(fields).await;
        assert_eq!(told.status, status, "{fields:?}: {}", told.text);
    }
    let table = format!("{}-2,B", line(&payout, 0));
    let told = settle(&[("what", "pasted"), ("pasted", &table), ("once", "g")]).await;
    assert!(told.status == 422 && told.text.contains("names an earlier try"), "another try");
    assert!(told.text.contains(&table), "what was pasted is still there");
    assert!(product.db.checksum() == before);

    let typed = format!("ref.{}", line(&payout, 0));
    let chosen = [("what", "settled"), ("line", line(&payout, 0)), (&typed, "B-0"), ("once", "h")];
    assert_eq!(settle(&chosen).await.status, 303);
    assert_eq!(settle(&chosen).await.status, 303, "sent twice it is done once");
    let back =
        [("what", "failed"), ("line", line(&payout, 1)), ("reason", "<b>closed"), ("once", "i")];
    assert_eq!(settle(&back).await.status, 303);
    let table = format!("payment_reference;bank\n{};B-2\n", line(&payout, 2));
    assert_eq!(settle(&[("what", "pasted"), ("pasted", &table), ("once", "j")]).await.status, 303);
    let open = [line(&payout, 3), line(&payout, 4)].join(" ");
    assert_eq!(settle(&[("what", "all"), ("open", &open), ("once", "k")]).await.status, 303);
    let now = read().await;
    assert_eq!(states(&now), ["settled", "failed", "settled", "settled", "settled"]);
    assert_eq!(
        (&now["lines"][0]["reference"], &now["lines"][2]["reference"]),
        (&json!("B-0"), &json!("B-2"))
    );
    let page = see(&product, &olga.browser, &at).await;
    assert!(page.text.contains("4 of 5 payments arrived, 1 came back"));
    assert!(page.text.contains("&#60;b&#62;closed") && !page.text.contains("<b>closed"));
    let entries = format!("{at}/entries?line={}", line(&payout, 1));
    assert_eq!(see(&product, &olga.browser, &entries).await.status, 200);
    assert_eq!(see(&product, &olga.browser, &format!("{at}/entries?line=x")).await.status, 404);
    assert_eq!(see(&product, &olga.browser, &format!("{at}/entries")).await.status, 404);

    // Again, with a fresh passkey only.
    let again = [("line", line(&payout, 1)), ("once", "l")];
    assert_eq!(send(&product, &olga, &format!("{at}/retry"), &again).await.status, 303);
    assert_eq!(read().await["lines"][1]["attempt"], 2);
    // What a page from before says of the first try isn't said of this one.
    let before = product.db.checksum();
    let (first, all) = (format!("{}.1", line(&payout, 1)), format!("{}.1", line(&payout, 1)));
    for fields in [
        [("what", "settled"), ("line", &*first), ("once", "p")],
        [("what", "all"), ("open", &*all), ("once", "q")],
    ] {
        let told = settle(&fields).await;
        assert!(told.status == 409 && told.text.contains("tried again since"), "{}", told.text);
    }
    assert!(product.db.checksum() == before);
    let second = format!("value=\"{}.2\"", line(&payout, 1));
    assert!(see(&product, &olga.browser, &at).await.text.contains(&second));
    product.pass(660_000);
    for what in ["/retry", "/file", "/sending", "/approval"] {
        let form = [("line", line(&payout, 1)), ("once", "m")];
        assert_eq!(
            send(&product, &olga, &format!("{at}{what}"), &form).await.status,
            403,
            "{what}"
        );
    }
    let vera = member(&product, &p, "viewer", 9).await;
    for what in ["/retry", "/file", "/sending", "/approval", "/settlement", "/cancellation"] {
        let before = product.db.checksum();
        let form = [("line", line(&payout, 1)), ("what", "settled"), ("once", "n")];
        assert_eq!(
            send(&product, &vera, &format!("{at}{what}"), &form).await.status,
            403,
            "{what}"
        );
        assert!(product.db.checksum() == before, "{what}");
    }
    p.verify(&product).await;
}

#[tokio::test]
async fn the_second_approver_is_told_and_the_first_is_told_to_wait() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let body = json!({ "second_approver_above": { "amount": "1.00", "currency": "USD" } });
    let olga = Member::joins(&product, "owner@casa.example", 1).await;
    olga.browser.send(&product, "PATCH", "/v1/brand", Some(body)).await.expect(200);
    let mara = member(&product, &p, "manager", 2).await;
    member(&product, &p, "viewer", 3).await;
    let home = format!("/b/{}/payouts", p.brand["id"].as_str().unwrap());
    let form = [("currency", "USD"), ("who", "all"), ("once", "a")];
    let drafted = send(&product, &mara, &home, &form).await;
    let at = drafted.headers["location"].to_str().unwrap().split('?').next().unwrap().to_owned();
    let first = send(&product, &mara, &format!("{at}/approval"), &[("once", "b")]).await;
    assert!(first.headers["location"].to_str().unwrap().ends_with("done=approved-first"));
    let mails = p.get(&product, "/v1/mails").await;
    let told: Vec<_> = mails["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|mail| mail["kind"] == "approval_needed")
        .map(|mail| mail["recipient"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["owner@casa.example"], "no viewer, and not herself");
    let page = see(&product, &mara.browser, &at).await;
    assert!(page.text.contains("You approved it.") && !page.text.contains("Approve</button>"));
    let page = see(&product, &olga.browser, &at).await;
    assert!(page.text.contains("It needs one more.") && page.text.contains("Approve</button>"));
    let second = send(&product, &olga, &format!("{at}/approval"), &[("once", "c")]).await;
    assert!(second.headers["location"].to_str().unwrap().ends_with("done=approved"));
}

#[tokio::test]
async fn the_overview_owes_what_the_list_of_payouts_owes() {
    let product = Product::new();
    let (p, _) = earned(&product).await;
    let draft =
        pay(&product, &p.key, "d", "/v1/payouts", json!({ "currency": "USD" })).await.expect(201);
    let at = format!("/v1/payouts/{}", draft["id"].as_str().unwrap());
    pay(&product, &p.key, "a", &format!("{at}/approval"), Value::Null).await.expect(200);
    let usd = json!({ "amount": "-5.00", "currency": "USD" });
    let adjustment = json!({ "amount": usd, "reason": "Sent back by hand" });
    let path = format!("/v1/creators/{}/adjustments", p.creator);
    pay(&product, &p.key, "c", &path, adjustment).await.expect(201);
    let all = json!({ "outcome": "failed", "reason": "closed" });
    pay(&product, &p.key, "f", &format!("{at}/settlement"), all).await.expect(200);
    // She has 13.50 again and owes 5.00 back; and something in a currency without any order.
    let euros = json!({ "amount": { "amount": "40.00", "currency": "EUR" } });
    let path = format!("/v1/deals/{}/fees", p.deal);
    pay(&product, &p.key, "e", &path, euros).await.expect(201);
    for currency in ["USD", "EUR"] {
        let asked = format!("currency={currency}");
        let overview = p.get(&product, &format!("/v1/reports/overview?{asked}")).await;
        let owed = p.get(&product, &format!("/v1/owed?{asked}")).await;
        let [payable, held, pending, clawback] = amounts(&owed);
        let told = |name: &str| overview["owed"][name]["amount"].as_str().unwrap().to_owned();
        assert_eq!(overview["currencies"], json!(["EUR", "USD"]));
        assert_eq!((held, clawback), ("0.00", "0.00"));
        let all = (told("available"), told("pending"), told("clawback"));
        assert_eq!(all, (payable.to_owned(), pending.to_owned(), "0.00".to_owned()), "{currency}");
        assert_eq!(told("owed"), if currency == "USD" { "8.50" } else { "40.00" });
    }
    let olga = member(&product, &p, "owner", 3).await;
    let home = format!("/b/{}", p.get(&product, "/v1/brand").await["id"].as_str().unwrap());
    let page = see(&product, &olga.browser, &home).await;
    assert!(page.text.contains("creators have something in other currencies"), "{}", page.text);
}
