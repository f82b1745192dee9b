//! Creators: what is known of them, the brand's own fields, duplicates, and merging.

use serde_json::{Value, json};

use super::payouts::{pay, token};
use crate::support::shop::{coded, later, order, with};
use crate::support::{Product, Programme};

fn id(json: &Value) -> String {
    json["id"].as_str().unwrap().to_owned()
}

async fn patch(
    product: &Product,
    p: &Programme,
    path: &str,
    body: Value,
) -> crate::support::Answer {
    product.call("PATCH", path, Some(body), &p.key).await
}

#[tokio::test]
async fn a_creator_has_handles_a_country_a_language_and_fields_of_the_brand() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let field = async |body: Value| p.post(&product, "/v1/creator-fields", body).await.expect(201);
    let size = id(&field(json!({ "name": "Size", "kind": "choice", "choices": ["S", "M"] })).await);
    let since = id(&field(json!({ "name": "Since", "kind": "date" })).await);
    let rank = id(&field(json!({ "name": "Rank", "kind": "number" })).await);
    let taken = json!({ "name": "size", "kind": "text" });
    let taken = p.post(&product, "/v1/creator-fields", taken).await.expect(409);
    assert_eq!(taken["type"], "/problems/field-exists");
    let path = format!("/v1/creators/{}", p.creator);
    let body = json!({ "name": "Anna K.", "country": "de", "language": "PT-br", "followers": 12,
        "handles": [{ "platform": "Instagram", "handle": "@Anna" }, { "platform": "instagram", "handle": "anna" },
            { "platform": "tiktok", "handle": "anna" }],
        "fields": { (size.as_str()): "M", (since.as_str()): "2026-02-28", (rank.as_str()): 1.5 } });
    let shown = patch(&product, &p, &path, body).await.expect(200);
    assert_eq!(p.get(&product, &path).await, shown);
    assert_eq!((&shown["country"], &shown["language"]), (&json!("DE"), &json!("pt-BR")));
    assert_eq!(
        shown["handles"],
        json!([{ "platform": "instagram", "handle": "@Anna" },
        { "platform": "tiktok", "handle": "anna" }])
    );
    assert_eq!(
        shown["fields"],
        json!({ (size.as_str()): "M", (since.as_str()): "2026-02-28", (rank.as_str()): 1.5 })
    );
    assert_eq!(shown["email"], "anna@creator.example", "what isn't named stays");

    for (bad, field) in [
        (json!({ "country": "Germany" }), "country"),
        (json!({ "language": "x" }), "language"),
        (json!({ "email": "a@b,c@d.e" }), "email"),
        (json!({ "name": "" }), "name"),
        (json!({ "followers": -1 }), "followers"),
        (json!({ "handles": [{ "platform": "a b", "handle": "x" }] }), "handles[0].platform"),
        (json!({ "handles": [{ "platform": "x", "handle": "@" }] }), "handles[0].handle"),
        (json!({ "handles": vec![json!({ "platform": "x", "handle": "y" }); 21] }), "handles"),
        (json!({ "fields": { (size.as_str()): "L" } }), &format!("fields.{size}")),
        (json!({ "fields": { (since.as_str()): "2026-02-30" } }), &format!("fields.{since}")),
        (json!({ "fields": { (rank.as_str()): "1" } }), &format!("fields.{rank}")),
        (json!({ "fields": { "other": 1 } }), "fields.other"),
        (json!({ "fields": [] }), "fields"),
        (json!({ "brand_id": "x" }), "brand_id"),
    ] {
        let before = product.db.checksum();
        let refused = patch(&product, &p, &path, bad.clone()).await.expect(422);
        assert_eq!(refused["errors"][0]["field"], field, "{bad}");
        assert_eq!(product.db.checksum(), before, "{bad}");
    }
    // Choices that go stay with who has them; a field that goes takes its values out of sight.
    let fields = |id: &str| format!("/v1/creator-fields/{id}");
    patch(&product, &p, &fields(&size), json!({ "choices": ["S"] })).await.expect(200);
    assert_eq!(p.get(&product, &path).await["fields"][&size], "M");
    patch(&product, &p, &fields(&size), json!({ "state": "removed" })).await.expect(200);
    assert_eq!(p.get(&product, &path).await["fields"].get(&size), None);
    assert_eq!(patch(&product, &p, &fields(&size), json!({})).await.status, 404);
    let again = patch(&product, &p, &path, json!({ "fields": { (rank.as_str()): null } }))
        .await
        .expect(200);
    assert_eq!(again["fields"], json!({ (since.as_str()): "2026-02-28" }));
    field(json!({ "name": "size", "kind": "text" })).await;

    // Text is text, whatever it looks like.
    let odd = json!({ "name": "<script>{{7*7}}</script>", "niche": "'; DROP TABLE creators; --" });
    let shown = patch(&product, &p, &path, odd).await.expect(200);
    assert_eq!(shown["name"], "<script>{{7*7}}</script>");
}

#[tokio::test]
async fn a_stale_change_of_a_creator_is_refused_and_two_at_once_both_hold() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let path = format!("/v1/creators/{}", p.creator);
    let seen = product.call("GET", &path, None, &p.key).await;
    let tag = seen.headers["etag"].to_str().unwrap().to_owned();
    patch(&product, &p, &path, json!({ "niche": "home" })).await.expect(200);
    let request = http::Request::builder()
        .method("PATCH")
        .uri(&path)
        .header("if-match", tag)
        .header("authorization", format!("Bearer {}", p.key))
        .header("content-type", "application/json");
    let stale = product.raw(request.body(br#"{"niche":"garden"}"#.to_vec()).unwrap()).await;
    assert_eq!(stale.status, 412);
    // Somebody else changes her between reading and writing.
    product.db.before(
        "UPDATE creators",
        "UPDATE creators SET followers = 5, revision = revision + 1 WHERE name = 'Anna'",
    );
    let shown = patch(&product, &p, &path, json!({ "niche": "garden" })).await.expect(200);
    assert_eq!((&shown["niche"], &shown["followers"]), (&json!("garden"), &json!(5)));
}

#[tokio::test]
async fn another_address_is_another_hash_and_ends_what_went_to_the_one_before() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let codes = format!("/v1/deals/{}/codes", p.deal);
    p.post(&product, &codes, json!({ "code": "ANNA", "create_in_store": false })).await.expect(201);
    product
        .call("POST", &format!("/v1/deals/{}/invitation", p.deal), None, &p.key)
        .await
        .expect(201);
    let count = |sql: &str| product.db.rows(sql).len();
    assert_eq!(count("SELECT 1 FROM invitations"), 1);
    let path = format!("/v1/creators/{}", p.creator);
    patch(&product, &p, &path, json!({ "email": "Other@creator.example" })).await.expect(200);
    assert_eq!(count("SELECT 1 FROM invitations"), 0);
    // A purchase with the new address is her own; with the old one not any more.
    let bought = |id: u64, email: &str| {
        let mut body = coded(order(id), "ANNA");
        body["email"] = json!(email);
        body
    };
    assert_eq!(p.deliver(&product, &bought(1, "other@creator.example")).await, 200);
    assert_eq!(p.deliver(&product, &bought(2, "anna@creator.example")).await, 200);
    assert_eq!(p.order(&product, 1).await["deal_id"], Value::Null);
    assert_eq!(p.order(&product, 2).await["deal_id"], p.deal);
    p.verify(&product).await;
}

#[tokio::test]
async fn duplicates_are_found_by_a_rule_and_never_merged_by_it() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let made = async |name: &str, handle: &str, rest: Value| {
        let mut body = json!({ "name": name, "handle": handle });
        for (key, value) in rest.as_object().unwrap() {
            body[key] = value.clone();
        }
        product.pass(1);
        id(&p.post(&product, "/v1/creators", body).await.expect(201))
    };
    let same = made("A", "other", json!({ "email": "ANNA@Creator.example" })).await;
    let plus = made("B", "third", json!({ "email": "anna+tag@creator.example" })).await;
    let by_handle = made("C", "ANNA.home", json!({})).await;
    let on = |handle: &str| json!({ "handles": [{ "platform": "tiktok", "handle": handle }] });
    let first = made("D", "d", on("@Zoë")).await;
    let second = made("E", "e", on("ZOË")).await;
    let dotted = made("F", "anna_home", on("z.oë")).await;
    let before = product.db.checksum();
    let found = p.get(&product, "/v1/creators/duplicates").await;
    assert_eq!(product.db.checksum(), before);
    let told: Vec<Value> = found["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            let ids: Vec<&str> = group["creators"]
                .as_array()
                .unwrap()
                .iter()
                .map(|c| c["id"].as_str().unwrap())
                .collect();
            json!([group["by"], group["platform"], ids])
        })
        .collect();
    assert_eq!(
        told,
        [
            json!(["email", null, [p.creator, same]]),
            json!(["handle", null, [p.creator, by_handle]]),
            json!(["handle", "tiktok", [first, second]]),
        ]
    );
    assert_eq!(found["next_cursor"], Value::Null);
    let text = found.to_string();
    assert!(!text.contains(&plus) && !text.contains(&dotted), "a +tag or a dot is another");
}

#[tokio::test]
async fn a_merge_keeps_the_history_and_never_touches_the_books() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let from = json!({ "name": "Anna again", "handle": "anna2", "email": "anna2@creator.example", "niche": "home",
        "tags": ["vip"], "handles": [{ "platform": "tiktok", "handle": "annatok" }] });
    let from = id(&p.post(&product, "/v1/creators", from).await.expect(201));
    let third = json!({ "name": "Anna too", "handle": "anna2", "email": "anna3@creator.example" });
    let third = id(&p.post(&product, "/v1/creators", third).await.expect(201));
    let earlier = json!({ "from_id": third });
    p.post(&product, &format!("/v1/creators/{from}/merge"), earlier).await.expect(200);
    let deal = json!({ "creator_id": from, "campaign_id": p.campaign, "commission_percent": "20",
        "starts_at": "2026-01-01T00:00:00Z" });
    let deal = id(&p.post(&product, "/v1/deals", deal).await.expect(201));
    let of = |what: &str| format!("/v1/deals/{deal}{what}");
    p.post(&product, &of("/codes"), json!({ "code": "TWO", "create_in_store": false }))
        .await
        .expect(201);
    p.post(&product, &of("/notes"), json!({ "text": "spoke with her" })).await.expect(201);
    let fee = json!({ "amount": { "amount": "5.00", "currency": "USD" }, "stage": "Posted" });
    pay(&product, &p.key, "f", &of("/fees"), fee).await.expect(201);
    let access = token(&product, &p, &deal).await;
    let details = json!({ "method": "paypal", "email": "anna2@pay.example" });
    product.call("PUT", "/v1/me/payment-details", Some(details), &access).await.expect(200);
    // The first one has books: she can't go, and it is said which way round it works.
    let codes = format!("/v1/deals/{}/codes", p.deal);
    p.post(&product, &codes, json!({ "code": "ANNA", "create_in_store": false })).await.expect(201);
    assert_eq!(p.deliver(&product, &coded(order(1), "ANNA")).await, 200);
    let merge = async |into: &str, from: &str| {
        p.post(&product, &format!("/v1/creators/{into}/merge"), json!({ "from_id": from })).await
    };
    let before = product.db.checksum();
    let refused = merge(&from, &p.creator).await.expect(409);
    assert_eq!(refused["type"], "/problems/merge-the-other-way");
    assert_eq!(merge(&p.creator, &p.creator).await.status, 422);
    assert_eq!(merge(&p.creator, "creator_00000000000000000000000000").await.status, 404);
    assert_eq!(product.db.checksum(), before);

    // While they are two, one may buy with the other's code.
    let bought = |n: u64, email: &str| with(coded(order(n), "ANNA"), json!({ "email": email }));
    let body = bought(5, "anna2@creator.example");
    assert_eq!(p.deliver(&product, &body).await, 200);
    assert_eq!(p.order(&product, 5).await["deal_id"], p.deal.as_str());
    let cancelled = later(body, 9, json!({ "cancelled_at": "2026-11-22T07:30:00Z" }));
    assert_eq!(p.deliver(&product, &cancelled).await, 200);

    let books = || product.db.rows("SELECT * FROM entries");
    let kept = books();
    let merged = merge(&p.creator, &from).await.expect(200);
    assert_eq!(books(), kept);
    assert_eq!(
        (&merged["name"], &merged["email"], &merged["niche"]),
        (&json!("Anna"), &json!("anna@creator.example"), &json!("home"))
    );
    assert_eq!(merged["tags"], json!(["vip"]));
    assert_eq!(
        merged["handles"],
        json!([{ "platform": "other", "handle": "anna2" }, { "platform": "tiktok", "handle": "annatok" }])
    );
    let moved = p.get(&product, &of("")).await;
    assert_eq!(moved["creator_id"], p.creator);
    assert_eq!(p.get(&product, &of("/notes")).await["data"][0]["text"], "spoke with her");
    let gone = p.get(&product, &format!("/v1/creators/{from}")).await;
    assert_eq!((&gone["merged_into"], &gone["email"]), (&json!(p.creator), &Value::Null));
    let listed = p.get(&product, "/v1/creators").await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    // What let her in, and where she was paid, ended.
    assert_eq!(product.call("GET", "/v1/me/earnings", None, &access).await.status, 401);
    assert!(product.db.rows("SELECT 1 FROM payment_details").is_empty());
    // New orders of her deal are the other's, and what waited for a stage is posted to her.
    assert_eq!(p.deliver(&product, &coded(order(2), "TWO")).await, 200);
    assert_eq!(p.order(&product, 2).await["deal_id"], deal.as_str());
    p.post(&product, &of("/move"), json!({ "stage": "Posted" })).await.expect(200);
    let balance = p.balance(&product, &p.creator, "USD").await;
    assert_eq!((&balance["pending"], &balance["available"]), (&json!("40.50"), &json!("5.00")));
    assert!(
        product.db.rows(&format!("SELECT 1 FROM entries WHERE creator_id = '{from}'")).is_empty()
    );
    // Nothing is agreed with one who isn't there, and she is merged once.
    for (path, body) in [
        ("/v1/deals".to_owned(), json!({ "creator_id": from, "campaign_id": p.campaign })),
        (format!("/v1/creators/{}/merge", p.creator), json!({ "from_id": from })),
        (format!("/v1/creators/{from}/merge"), json!({ "from_id": p.creator })),
        (format!("/v1/creators/{from}/erasure"), json!({ "confirm": "" })),
    ] {
        assert_eq!(
            p.post(&product, &path, body).await.expect(409)["type"],
            "/problems/creator-merged",
            "{path}"
        );
    }
    let adjust = json!({ "amount": { "amount": "1.00", "currency": "USD" }, "reason": "x" });
    let adjusted =
        pay(&product, &p.key, "a", &format!("/v1/creators/{from}/adjustments"), adjust).await;
    assert_eq!(adjusted.expect(409)["type"], "/problems/creator-merged");
    assert_eq!(
        patch(&product, &p, &format!("/v1/creators/{from}"), json!({ "name": "x" })).await.status,
        409
    );
    // What she buys with the address of who went is bought by herself; so it is with one who was merged
    // into that one before.
    for (n, email) in [(6, "Anna2@creator.example"), (7, "anna3@creator.example")] {
        assert_eq!(p.deliver(&product, &bought(n, email)).await, 200);
        let id = p.order(&product, n).await["id"].as_str().unwrap().to_owned();
        let why = p.get(&product, &format!("/v1/orders/{id}/attribution")).await;
        assert_eq!(why["reason"], "self_purchase", "{why}");
    }
    // Two with books stay two.
    let (rival_deal, rival) = p.rival(&product, "BERTA").await;
    assert_eq!(p.deliver(&product, &coded(order(3), "BERTA")).await, 200);
    assert_eq!(p.order(&product, 3).await["deal_id"], rival_deal.as_str());
    let before = product.db.checksum();
    assert_eq!(merge(&p.creator, &rival).await.expect(409)["type"], "/problems/both-have-books");
    assert_eq!(product.db.checksum(), before);
    p.verify(&product).await;
}

#[tokio::test]
async fn an_order_that_comes_meanwhile_keeps_its_creator() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let (deal, rival) = p.rival(&product, "BERTA").await;
    // Right before the merge commits, an order is decided for who is to go.
    let sql = format!("INSERT INTO orders (brand_id, id, store_id, external_id, revision, name, placed_at_ms,
        state, currency, base_minor, commission_minor, deal_id, creator_id, facts, placed_day)
        SELECT brand_id, 'order_x', 's', '9', 1, '#9', 5, 'unpaid', 'USD', 0, 0, id, creator_id, '{{}}', 20000
        FROM deals WHERE id = '{deal}'");
    product.db.before("SET merged_into", &sql);
    let path = format!("/v1/creators/{}/merge", p.creator);
    let refused = p.post(&product, &path, json!({ "from_id": rival })).await.expect(409);
    assert_eq!(refused["type"], "/problems/merge-the-other-way");
    assert_eq!(p.get(&product, &format!("/v1/deals/{deal}")).await["creator_id"], rival.as_str());
}

#[tokio::test]
async fn who_was_merged_goes_with_an_erasure_and_is_in_the_export() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let from =
        json!({ "name": "Canary Two", "handle": "canarytwo", "email": "canary2@creator.example" });
    let from = id(&p.post(&product, "/v1/creators", from).await.expect(201));
    let deal = json!({ "creator_id": from, "campaign_id": p.campaign });
    let deal = id(&p.post(&product, "/v1/deals", deal).await.expect(201));
    let of = |what: &str| format!("/v1/deals/{deal}{what}");
    let into = format!("/v1/creators/{}", p.creator);
    let handles = json!({ "handles": [{ "platform": "x", "handle": "canaryhandle" }], "niche": "canaryniche" });
    patch(&product, &p, &into, handles).await.expect(200);
    p.post(&product, &format!("{into}/merge"), json!({ "from_id": from })).await.expect(200);
    p.post(&product, &of("/notes"), json!({ "text": "canary note" })).await.expect(201);
    let task = json!({ "text": "canary task", "due_on": "2026-12-01" });
    p.post(&product, &of("/follow-ups"), task).await.expect(201);
    let gift = json!({ "product": { "amount": "5.00", "currency": "USD" }, "note": "a gift" });
    pay(&product, &p.key, "g", &of("/costs"), gift).await.expect(201);
    let mut told = String::new();
    let mut path = format!("{into}/export");
    loop {
        let page = p.get(&product, &path).await;
        told.push_str(&page["data"].to_string());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{into}/export?cursor={cursor}");
    }
    let other =
        &product.db.rows("SELECT other_hashes FROM creators WHERE other_hashes IS NOT NULL")[0];
    let other = other["other_hashes"].as_str().unwrap();
    for word in
        ["canary note", "canary task", "a gift", "canaryhandle", "canaryniche", "canarytwo", other]
    {
        assert!(told.contains(word), "{word}");
    }
    let erase = json!({ "confirm": "@anna.home" });
    p.post(&product, &format!("{into}/erasure"), erase).await.expect(200);
    let left = product.db.checksum().to_lowercase();
    assert_eq!(product.db.rows("SELECT note FROM deal_costs")[0]["note"], Value::Null);
    assert!(!left.contains(other));
    assert!(
        !left.contains("canary"),
        "{:?}",
        left.find("canary").map(|at| left[at.saturating_sub(200)..at + 60].to_owned())
    );
    let refused = p.post(&product, &of("/notes"), json!({ "text": "x" })).await.expect(409);
    assert_eq!(refused["type"], "/problems/creator-erased");
}
