//! What happens to orders after they were placed: disputes, moves by hand, claims.

mod claims;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::payouts::{pay, token};
use crate::support::shop::{coded, later, order, refund, with};
use crate::support::{Answer, Product, Programme, at_once};

const DAY_MS: i64 = 86_400_000;

/// What [`every_decision_by_hand_is_attributable`] tries.
pub const LIFE_COMMANDS: [&str; 4] = [
    "post /v1/orders/{id}/move",
    "post /v1/orders/{id}/disputes",
    "post /v1/me/claims",
    "post /v1/claims/{id}/decision",
];

/// Anna's programme with a code, and Berta's deal at 20 %.
async fn programme(product: &Product) -> (Programme, String, String) {
    let p = Programme::new(product).await;
    let code = json!({ "code": "ANNA", "create_in_store": false });
    p.post(product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
    let (deal, creator) = p.rival(product, "BERTA").await;
    (p, deal, creator)
}

/// A dispute as the shop reports it.
fn dispute(id: u64, order: u64, status: &str, finalized: Option<&str>) -> Value {
    json!({ "id": id, "order_id": order, "type": "chargeback", "amount": "11.50", "currency": "USD",
        "reason": "fraudulent", "network_reason_code": "4837", "status": status,
        "evidence_due_by": "2026-12-30T19:00:00-05:00", "evidence_sent_on": null,
        "finalized_on": finalized, "initiated_at": "2026-11-22T07:30:00Z" })
}

async fn stands(product: &Product, p: &Programme, external: u64) -> (String, String, String) {
    let order = p.order(product, external).await;
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    (text(&order["state"]), text(&order["base"]["amount"]), text(&order["commission"]["amount"]))
}

async fn is(product: &Product, p: &Programme, external: u64, state: &str, commission: &str) {
    let (found, _, earned) = stands(product, p, external).await;
    assert_eq!((found.as_str(), earned.as_str()), (state, commission), "order {external}");
    p.verify(product).await;
}

async fn pending(product: &Product, p: &Programme, creator: &str) -> String {
    let balance = p.balance(product, creator, "USD").await;
    balance["pending"].as_str().unwrap_or("0.00").to_owned()
}

async fn id_of(product: &Product, p: &Programme, external: u64) -> String {
    p.order(product, external).await["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_open_dispute_holds_back_won_gives_again_and_lost_takes() {
    let product = Product::new();
    let (p, ..) = programme(&product).await;
    for (n, (end, state, commission, base)) in [
        ("won", "paid", "13.50", "135.00"),
        ("lost", "refunded", "0.00", "0.00"),
        ("accepted", "refunded", "0.00", "0.00"),
        ("charge_refunded", "refunded", "0.00", "0.00"),
    ]
    .into_iter()
    .enumerate()
    {
        let (external, id) = (1 + n as u64, 900 + n as u64);
        p.deliver(&product, &coded(order(external), "ANNA")).await;
        is(&product, &p, external, "paid", "13.50").await;
        p.deliver(&product, &dispute(id, external, "needs_response", None)).await;
        is(&product, &p, external, "disputed", "0.00").await;
        assert_eq!(stands(&product, &p, external).await.1, "135.00", "nothing was given back yet");
        p.deliver(&product, &dispute(id, external, "under_review", None)).await;
        is(&product, &p, external, "disputed", "0.00").await;
        p.deliver(&product, &dispute(id, external, end, Some("2026-11-22T07:50:00Z"))).await;
        is(&product, &p, external, state, commission).await;
        // A late word of the beginning changes nothing.
        p.deliver(&product, &dispute(id, external, "needs_response", None)).await;
        is(&product, &p, external, state, commission).await;
        assert_eq!(stands(&product, &p, external).await.1, base);
    }
    // Two disputes: one won, one open.
    p.deliver(&product, &dispute(950, 1, "needs_response", None)).await;
    is(&product, &p, 1, "disputed", "0.00").await;
    let path = format!("/v1/orders/{}/disputes", id_of(&product, &p, 1).await);
    let shown = p.get(&product, &path).await;
    assert_eq!(shown["data"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&shown["data"][0]["state"], &shown["data"][1]["state"]),
        (&json!("won"), &json!("open"))
    );
    p.deliver(&product, &dispute(950, 1, "won", None)).await;
    is(&product, &p, 1, "paid", "13.50").await;
}

#[tokio::test]
async fn a_dispute_may_come_before_its_order_and_an_inquiry_holds_nothing() {
    let product = Product::new();
    let (p, ..) = programme(&product).await;
    p.deliver(&product, &dispute(901, 5, "needs_response", None)).await;
    is(&product, &p, 5, "disputed", "0.00").await;
    p.deliver(&product, &coded(order(5), "ANNA")).await;
    is(&product, &p, 5, "disputed", "0.00").await;
    p.deliver(&product, &dispute(901, 5, "won", None)).await;
    is(&product, &p, 5, "paid", "13.50").await;
    let before = product.db.checksum();
    p.deliver(&product, &with(dispute(902, 5, "lost", None), json!({ "type": "inquiry" }))).await;
    p.deliver(&product, &with(dispute(903, 5, "lost", None), json!({ "order_id": null }))).await;
    assert_eq!(product.db.checksum(), before, "nothing of this order");
    for bad in
        [json!({ "status": "vanished" }), json!({ "initiated_at": "soon" }), json!({ "id": 0 })]
    {
        p.deliver(&product, &with(dispute(904, 5, "lost", None), bad)).await;
    }
    assert_eq!(product.db.checksum(), before);
    assert_eq!(p.get(&product, "/v1/quarantine").await["data"].as_array().unwrap().len(), 3);
}

/// While it is open the money can't be paid: what was available goes back, what was paid is owed.
#[tokio::test]
async fn what_is_disputed_can_not_be_paid() {
    let product = Product::new();
    let (p, ..) = programme(&product).await;
    product.call("PATCH", "/v1/brand", Some(json!({ "hold_days": 0 })), &p.key).await.expect(200);
    p.deliver(&product, &coded(order(1), "ANNA")).await;
    tributary::jobs::run_all(&product.app).await;
    let token = token(&product, &p, &p.deal).await;
    let details = json!({ "method": "paypal", "email": "anna@pay.example" });
    product.call("PUT", "/v1/me/payment-details", Some(details), &token).await.expect(200);
    let draft = pay(&product, &p.key, "d", "/v1/payouts", json!({ "currency": "USD" })).await;
    let draft = draft.expect(201);
    p.deliver(&product, &dispute(901, 1, "needs_response", None)).await;
    let approval = format!("/v1/payouts/{}/approval", draft["id"].as_str().unwrap());
    assert_eq!(pay(&product, &p.key, "a", &approval, Value::Null).await.status, 409);
    p.deliver(&product, &dispute(901, 1, "won", None)).await;
    pay(&product, &p.key, "b", &approval, Value::Null).await.expect(200);
    p.deliver(&product, &dispute(902, 1, "lost", None)).await;
    let balance = p.balance(&product, &p.creator, "USD").await;
    assert_eq!((&balance["in_payout"], &balance["clawback"]), (&json!("13.50"), &json!("13.50")));
    p.verify(&product).await;
}

#[tokio::test]
async fn disputes_are_entered_by_hand_where_nobody_reports_them() {
    let product = Product::new();
    let (p, ..) = programme(&product).await;
    p.deliver(&product, &coded(order(1), "ANNA")).await;
    let path = format!("/v1/orders/{}/disputes", id_of(&product, &p, 1).await);
    let say = async |key: &str, body: Value| {
        product.pass(1);
        pay(&product, &p.key, key, &path, body).await
    };
    let open = json!({ "state": "open", "reason": "the bank wrote" });
    let told = say("1", open.clone()).await.expect(200);
    assert_eq!(
        (&told["state"], &told["commission"]["amount"]),
        (&json!("disputed"), &json!("0.00"))
    );
    assert_eq!(say("1", open.clone()).await.expect(200), told, "the first answer");
    let before = product.db.rows("SELECT * FROM orders");
    assert_eq!(say("2", open.clone()).await.expect(200), told);
    assert_eq!(product.db.rows("SELECT * FROM orders"), before, "nothing new");
    let won = say("3", json!({ "state": "won" })).await.expect(200);
    assert_eq!((&won["state"], &won["commission"]["amount"]), (&json!("paid"), &json!("13.50")));
    let lost = say("4", json!({ "state": "lost" })).await.expect(200);
    assert_eq!(
        (&lost["state"], &lost["commission"]["amount"]),
        (&json!("refunded"), &json!("0.00"))
    );
    say("5", json!({ "state": "won" })).await.expect(200);
    is(&product, &p, 1, "paid", "13.50").await;
    // One that was reported and never ended is ended by hand.
    p.deliver(&product, &dispute(901, 1, "needs_response", None)).await;
    is(&product, &p, 1, "disputed", "0.00").await;
    say("6", json!({ "state": "won" })).await.expect(200);
    is(&product, &p, 1, "disputed", "0.00").await;
    say("7", json!({ "state": "won", "external_id": "901" })).await.expect(200);
    is(&product, &p, 1, "paid", "13.50").await;
    for bad in [
        json!({}),
        json!({ "state": "maybe" }),
        json!({ "state": "open", "external_id": "901" }),
        json!({ "state": "won", "external_id": "902" }),
        json!({ "state": "won", "reason": "" }),
        json!({ "state": "won", "reason": "x".repeat(501) }),
        json!({ "state": "won", "at": "2026-11-22T08:00:00Z" }),
    ] {
        let before = product.db.checksum();
        assert_eq!(say("bad", bad.clone()).await.status, 422, "{bad}");
        assert_eq!(product.db.checksum(), before);
    }
    p.verify(&product).await;
}

async fn move_to(
    product: &Product,
    p: &Programme,
    key: &str,
    external: u64,
    deal: Value,
) -> Answer {
    let path = format!("/v1/orders/{}/move", id_of(product, p, external).await);
    let body = json!({ "deal_id": deal, "reason": "agreed with both" });
    pay(product, &p.key, key, &path, body).await
}

#[tokio::test]
async fn a_move_posts_the_difference_on_both_sides_and_stays() {
    let product = Product::new();
    let (p, berta_deal, berta) = programme(&product).await;
    p.deliver(&product, &coded(order(1), "ANNA")).await;
    assert_eq!(pending(&product, &p, &p.creator).await, "13.50");
    let moved = move_to(&product, &p, "1", 1, json!(berta_deal)).await.expect(200);
    assert_eq!(moved["deal_id"], berta_deal.as_str());
    assert_eq!(moved["commission"]["amount"], "27.00", "by her own terms");
    assert_eq!(pending(&product, &p, &p.creator).await, "0.00");
    assert_eq!(pending(&product, &p, &berta).await, "27.00");
    p.verify(&product).await;
    let why = format!("/v1/orders/{}/attribution", moved["id"].as_str().unwrap());
    let told = p.get(&product, &why).await;
    assert_eq!((&told["reason"], &told["method"]), (&json!("moved"), &json!("hand")));
    let key = p.get(&product, "/v1/keys").await["data"][0]["id"].clone();
    assert_eq!(
        told["moved"],
        json!({ "deal_id": berta_deal, "from_deal_id": p.deal, "reason": "agreed with both",
            "at": "2026-11-22T08:00:00.000Z", "by": key, "claim_id": null,
            "automatic": { "deal_id": p.deal, "reason": "won" } })
    );
    assert_eq!(told["candidates"][0]["outcome"], "won", "what the rules said is kept");
    let again = move_to(&product, &p, "2", 1, json!(berta_deal)).await.expect(409);
    assert_eq!(again["type"], "/problems/order-there");

    // What is delivered later changes amounts, never whose it is: not even earlier evidence.
    p.deliver(&product, &refund(91, 1, &[(2, 1, "22.50")])).await;
    assert_eq!(pending(&product, &p, &berta).await, "22.50");
    p.deliver(&product, &later(coded(order(1), "ANNA"), -30, json!({}))).await;
    p.deliver(&product, &later(coded(order(1), "ANNA"), 30, json!({}))).await;
    assert_eq!(p.order(&product, 1).await["deal_id"], berta_deal.as_str());
    // To nobody, and back; the reason of the rules stays the first.
    let none = move_to(&product, &p, "3", 1, Value::Null).await.expect(200);
    assert_eq!((&none["deal_id"], &none["commission"]["amount"]), (&Value::Null, &json!("0.00")));
    p.deliver(&product, &later(coded(order(1), "ANNA"), 40, json!({}))).await;
    assert_eq!(p.order(&product, 1).await["deal_id"], Value::Null);
    let back = move_to(&product, &p, "4", 1, json!(p.deal)).await.expect(200);
    assert_eq!(back["commission"]["amount"], "11.25");
    let told = p.get(&product, &why).await;
    assert_eq!(told["moved"]["from_deal_id"], Value::Null);
    assert_eq!(told["moved"]["automatic"], json!({ "deal_id": p.deal, "reason": "won" }));
    assert_eq!(pending(&product, &p, &p.creator).await, "11.25");
    assert_eq!(pending(&product, &p, &berta).await, "0.00");
    p.verify(&product).await;
}

#[tokio::test]
async fn what_can_not_be_moved_stays_and_says_why() {
    let product = Product::new();
    let (p, berta_deal, _) = programme(&product).await;
    p.deliver(&product, &coded(order(1), "ANNA")).await;
    p.deliver(&product, &refund(91, 2, &[(2, 1, "22.50")])).await;
    let own = with(coded(order(3), "BERTA"), json!({ "email": "anna@creator.example" }));
    p.deliver(&product, &own).await;
    let caught = with(coded(order(4), "ANNA"), json!({ "email": "anna@creator.example" }));
    p.deliver(&product, &caught).await;
    let young = json!({ "creator_id": p.creator, "campaign_id": p.campaign,
        "commission_percent": "10", "starts_at": "2026-11-22T07:59:00Z" });
    let young = p.post(&product, "/v1/deals", young).await.expect(201)["id"].clone();
    let redact = json!({ "shop_id": 1, "shop_domain": "casa.myshopify.com",
        "customer": { "email": "anna@creator.example" }, "orders_to_redact": [4] });
    p.deliver(&product, &redact).await;
    tributary::jobs::run_all(&product.app).await;
    let before = product.db.rows("SELECT * FROM orders ORDER BY id");
    for (external, to, status, name) in [
        (1, json!(p.deal), 409, "order-there"),
        (2, json!(p.deal), 409, "order-incomplete"),
        (2, Value::Null, 409, "order-incomplete"),
        (3, json!(p.deal), 409, "self-purchase"),
        (4, json!(p.deal), 409, "self-purchase"),
        (4, Value::Null, 409, "order-there"),
        (1, young.clone(), 409, "before-terms"),
        (1, json!("deal_01h455vb4pex5vsknk084sn02q"), 422, "invalid"),
    ] {
        let key = format!("{external}{to}");
        let answer = move_to(&product, &p, &key, external, to.clone()).await.expect(status);
        assert_eq!(answer["type"], format!("/problems/{name}"), "{external} to {to}");
    }
    let path = format!("/v1/orders/{}/move", id_of(&product, &p, 1).await);
    for bad in [
        json!({}),
        json!({ "reason": "r" }),
        json!({ "deal_id": berta_deal }),
        json!({ "deal_id": berta_deal, "reason": " " }),
        json!({ "deal_id": berta_deal, "reason": "x".repeat(501) }),
        json!({ "deal_id": berta_deal, "reason": "a\u{0}b" }),
        json!({ "deal_id": 5, "reason": "r" }),
        json!({ "deal_id": p.creator, "reason": "r" }),
        json!({ "deal_id": berta_deal, "reason": "r", "at": "now" }),
    ] {
        assert_eq!(pay(&product, &p.key, "bad", &path, bad.clone()).await.status, 422, "{bad}");
    }
    let unnamed = json!({ "deal_id": berta_deal, "reason": "r" });
    assert_eq!(p.post(&product, &path, unnamed.clone()).await.status, 400, "without a key");
    let missing = "/v1/orders/order_01h455vb4pex5vsknk084sn02q/move";
    assert_eq!(pay(&product, &p.key, "m", missing, unnamed).await.status, 404);
    assert_eq!(product.db.rows("SELECT * FROM orders ORDER BY id"), before);
    // A closed deal gets one all the same: a person said so. An erased creator doesn't.
    let closed = json!({ "state": "closed" });
    let deal = format!("/v1/deals/{berta_deal}");
    product.call("PATCH", &deal, Some(closed), &p.key).await.expect(200);
    move_to(&product, &p, "closed", 1, json!(berta_deal)).await.expect(200);
    move_to(&product, &p, "back", 1, Value::Null).await.expect(200);
    product.db.execute("UPDATE creators SET erased_at_ms = 1 WHERE name = 'Berta'").unwrap();
    let gone = move_to(&product, &p, "gone", 1, json!(berta_deal)).await.expect(409);
    assert_eq!(gone["type"], "/problems/creator-erased");
    p.verify(&product).await;
}

/// Fifty moves at once, beside deliveries of the same order: each is done or isn't, and the books are
/// those of the last.
#[tokio::test]
async fn fifty_moves_at_once_end_with_one_winner() {
    let product = Product::new();
    let (p, berta_deal, berta) = programme(&product).await;
    p.deliver(&product, &coded(order(1), "ANNA")).await;
    let path = format!("/v1/orders/{}/move", id_of(&product, &p, 1).await);
    let moves = (0..50).map(|n| {
        let deal = [json!(berta_deal), json!(p.deal), Value::Null][n % 3].clone();
        let (product, p, path) = (&product, &p, &path);
        async move {
            if n % 10 == 9 {
                let body = later(coded(order(1), "ANNA"), n as i64, json!({}));
                return (p.deliver(product, &body).await, Value::Null);
            }
            let body = json!({ "deal_id": deal, "reason": format!("because {n}") });
            (pay(product, &p.key, &format!("m{n}"), path, body).await.status, deal)
        }
    });
    let answers = at_once(moves).await;
    for (status, _) in &answers {
        assert!([200, 409, 503].contains(status), "{status}");
    }
    let now = p.order(&product, 1).await;
    let earned = match now["deal_id"].as_str() {
        Some(deal) if deal == berta_deal => ("0.00", "27.00"),
        Some(_) => ("13.50", "0.00"),
        None => ("0.00", "0.00"),
    };
    assert_eq!(
        (
            pending(&product, &p, &p.creator).await.as_str(),
            pending(&product, &p, &berta).await.as_str()
        ),
        earned
    );
    p.verify(&product).await;
}

/// Which of its customer's orders it was is told when it is counted, whoever gets it later.
#[tokio::test]
async fn a_first_order_stays_the_first_when_it_is_moved() {
    let product = Product::new();
    let (p, ..) = programme(&product).await;
    let terms = json!({ "commission_percent": "10", "first_order_only": true,
        "starts_at": "2026-02-01T00:00:00Z" });
    p.post(&product, &format!("/v1/deals/{}/terms", p.deal), terms).await.expect(201);
    let of = |id| {
        with(
            order(id),
            json!({ "email": "c@example.com", "customer": { "email": "c@example.com" } }),
        )
    };
    for id in [1, 2] {
        p.deliver(&product, &of(id)).await;
    }
    let second = move_to(&product, &p, "2", 2, json!(p.deal)).await.expect(200);
    assert_eq!(second["commission"]["amount"], "0.00");
    let first = move_to(&product, &p, "1", 1, json!(p.deal)).await.expect(200);
    assert_eq!(first["commission"]["amount"], "13.50");
    p.verify(&product).await;
}

#[tokio::test]
async fn every_decision_by_hand_is_attributable() {
    let product = Product::new();
    let (p, berta_deal, _) = programme(&product).await;
    let anna = token(&product, &p, &p.deal).await;
    p.deliver(&product, &coded(order(1), "BERTA")).await;
    p.deliver(&product, &coded(order(2), "BERTA")).await;
    let (one, two) = (id_of(&product, &p, 1).await, id_of(&product, &p, 2).await);
    let trail =
        || product.db.rows("SELECT action, subject_id, actor_kind FROM audit ORDER BY at_ms, id");
    let mut tried = BTreeSet::new();
    let mut seen = trail().len();
    let mut noted = |route: &'static str, actions: &[&str]| {
        let all = trail();
        let new: Vec<&str> = all[seen..].iter().map(|r| r["action"].as_str().unwrap()).collect();
        assert_eq!(new, actions, "{route}");
        seen = all.len();
        tried.insert(route);
    };
    product.pass(1);
    let body = json!({ "deal_id": p.deal, "reason": "r" });
    pay(&product, &p.key, "1", &format!("/v1/orders/{one}/move"), body).await.expect(200);
    noted(LIFE_COMMANDS[0], &["order.move"]);
    product.pass(1);
    let path = format!("/v1/orders/{one}/disputes");
    pay(&product, &p.key, "2", &path, json!({ "state": "open" })).await.expect(200);
    noted(LIFE_COMMANDS[1], &["order.dispute"]);
    product.pass(1);
    let claim = Some(json!({ "order_number": "2" }));
    let claim = product.call("POST", "/v1/me/claims", claim, &anna).await.expect(201);
    noted(LIFE_COMMANDS[2], &["claim.create"]);
    product.pass(1);
    let path = format!("/v1/claims/{}/decision", claim["id"].as_str().unwrap());
    pay(&product, &p.key, "3", &path, json!({ "outcome": "granted" })).await.expect(200);
    // The order's own trail tells of it too.
    noted(LIFE_COMMANDS[3], &["order.move", "claim.decide"]);
    assert_eq!(tried.len(), LIFE_COMMANDS.len());
    let of_order = p.get(&product, &format!("/v1/audit?subject_id={two}")).await;
    assert_eq!(of_order["data"][0]["after"]["claim_id"], claim["id"]);
    assert_eq!(of_order["data"][0]["before"]["deal_id"], berta_deal.as_str());
}
