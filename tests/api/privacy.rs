//! Key rotation, what shops ask about their shoppers, export, erasure, and what goes by itself.

use serde_json::{Value, json};

use crate::support::shop;
use crate::support::{KEYS, NOW_MS, Product, Programme, SECRET};

const DAY_MS: i64 = 86_400_000;
const OLD: &str = KEYS.0;
const NEW: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";

fn order(id: u64, code: &str, email: &str) -> Value {
    shop::with(shop::coded(shop::order(id), code), json!({ "email": email }))
}

async fn with_code(product: &Product) -> Programme {
    let p = Programme::new(product).await;
    let code = json!({ "code": "ANNA", "create_in_store": false });
    p.post(product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
    p
}

async fn left(product: &Product) -> Value {
    let status = product.call("GET", "/v1/status", None, "").await.expect(200);
    status["sealed_under_older_keys"].clone()
}

/// Reads every cell of every table.
fn everything(product: &Product) -> String {
    let tables = product.db.rows("SELECT name FROM sqlite_schema WHERE type = 'table'");
    let mut text = String::new();
    for table in tables {
        let rows = product.db.rows(&format!("SELECT * FROM {}", table["name"].as_str().unwrap()));
        text += &serde_json::to_string(&rows).unwrap();
    }
    text
}

#[tokio::test]
async fn keys_are_rotated_without_a_refusal() {
    let before = Product::new();
    let p = with_code(&before).await;
    assert_eq!(p.deliver(&before, &order(1, "ANNA", "anna@creator.example")).await, 200);
    assert_eq!(before.deliver(&p.store, SECRET, b"not json").await, 200);
    // A secret that was replaced within the hour is sealed too.
    let changed = json!({ "client_secret": "next" });
    let path = format!("/v1/stores/{}", p.store);
    before.call("PATCH", &path, Some(changed), &p.key).await.expect(200);
    tributary::jobs::run_all(&before.app).await;
    assert_eq!(left(&before).await, 0);

    let both = format!("1:verify:{OLD} 2:active:{NEW}");
    let during = Product::with_keys(before.db.clone(), true, (&both, None));
    assert_eq!(left(&during).await, Value::Null, "no run has counted yet");
    // While nothing is re-wrapped: both secrets, the creator's own purchase, the replay.
    for secret in [SECRET, "next"] {
        let body = order(2, "ANNA", "anna@creator.example").to_string();
        assert_eq!(during.deliver(&p.store, secret, body.as_bytes()).await, 200);
    }
    let reason = async |product: &Product, id: u64| {
        let found = p.order(product, id).await;
        let path = format!("/v1/orders/{}/attribution", found["id"].as_str().unwrap());
        p.get(product, &path).await["candidates"][0]["reason"].clone()
    };
    assert_eq!(reason(&during, 2).await, "self_purchase");
    let writes = during.db.rows("SELECT revision FROM orders");
    assert_eq!(p.deliver(&during, &order(1, "ANNA", "anna@creator.example")).await, 200);
    assert_eq!(during.db.rows("SELECT revision FROM orders"), writes, "a repeat is one");

    tributary::jobs::run_all(&during.app).await;
    assert_eq!(left(&during).await, 0);
    let texts = "SELECT secret_sealed AS t FROM stores UNION ALL SELECT j.value ->> 'sealed'
        FROM stores, json_each(previous_secrets) j UNION ALL SELECT body FROM quarantine";
    let rows = during.db.rows(texts);
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|r| r["t"].as_str().unwrap().starts_with("2:2:")), "{rows:?}");

    // The old key is retired; what hashes come out of has its own place by now.
    let alone = format!("1:retired 2:active:{NEW}");
    let after = Product::with_keys(before.db.clone(), true, (&alone, Some(OLD)));
    for secret in [SECRET, "next"] {
        let body = order(3, "ANNA", "anna@creator.example").to_string();
        assert_eq!(after.deliver(&p.store, secret, body.as_bytes()).await, 200);
    }
    assert_eq!(reason(&after, 3).await, "self_purchase");
    let held = p.get(&after, "/v1/quarantine").await["data"][0]["id"].clone();
    let replay = format!("/v1/quarantine/{}/replay", held.as_str().unwrap());
    let replayed = after.call("POST", &replay, None, &p.key).await.expect(200);
    assert_eq!(replayed["outcome"], "unusable");
    p.verify(&after).await;
}

#[tokio::test]
async fn a_key_that_was_retired_too_early_is_told_and_loses_nothing() {
    let before = Product::new();
    let p = with_code(&before).await;
    before.deliver(&p.store, SECRET, b"not json").await;
    before.db.execute("UPDATE mails SET content = NULL").unwrap();
    let alone = format!("1:retired 2:active:{NEW}");
    let after = Product::with_keys(before.db.clone(), true, (&alone, Some(OLD)));
    let body = order(1, "ANNA", "a@b.example");
    assert_eq!(p.deliver(&after, &body).await, 503, "the shop comes back");
    let held = p.get(&after, "/v1/quarantine").await["data"][0]["id"].clone();
    let replay = format!("/v1/quarantine/{}/replay", held.as_str().unwrap());
    let refused = after.call("POST", &replay, None, &p.key).await.expect(409);
    assert_eq!(refused["type"], "/problems/key-retired");
    tributary::jobs::run_all(&after.app).await;
    assert_eq!(left(&after).await, 2);
    let logs = serde_json::to_string(&*after.log.0.lock().unwrap()).unwrap();
    assert!(logs.contains("unopened") && !logs.contains("job_failed"), "{logs}");
    // With the key back in the ring all is well.
    let both = format!("1:verify:{OLD} 2:active:{NEW}");
    let mended = Product::with_keys(before.db.clone(), true, (&both, Some(OLD)));
    assert_eq!(p.deliver(&mended, &body).await, 200);
    tributary::jobs::run_all(&mended.app).await;
    assert_eq!(left(&mended).await, 0);
}

/// A rotation of a store's secret between the reading and the writing of the job wins.
#[tokio::test]
async fn a_change_under_way_is_not_overwritten() {
    use tributary::storage::rewrap::{SEALED, page, replace};
    let product = Product::new();
    let p = with_code(&product).await;
    let db = product.app.db();
    let read = page(db, &SEALED[0], "2:9:", "").await.unwrap();
    let change = json!({ "client_secret": "next" });
    let path = format!("/v1/stores/{}", p.store);
    product.call("PATCH", &path, Some(change), &p.key).await.expect(200);
    let previous = page(db, &SEALED[1], "2:9:", "").await.unwrap();
    assert_eq!(read[0].sealed, previous[0].sealed);
    let present = product.db.rows("SELECT secret_sealed FROM stores");
    db.run(vec![replace(&SEALED[0], &read[0], "2:9:x".into())]).await.unwrap();
    assert_eq!(product.db.rows("SELECT secret_sealed FROM stores"), present);
    db.run(vec![replace(&SEALED[1], &previous[0], "2:9:x".into())]).await.unwrap();
    let now = product.db.rows("SELECT previous_secrets ->> '$[0].sealed' AS t FROM stores");
    assert_eq!(now[0]["t"], "2:9:x");
}

async fn ask(product: &Product, p: &Programme, rest: Value) -> u16 {
    let mut body = json!({ "shop_id": 954889, "shop_domain": "casa.myshopify.com" });
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    p.deliver(product, &body).await
}

fn customer(kind: &str, orders: &[u64]) -> Value {
    json!({ "customer": { "id": 1, "email": "zoe.marker@people.example", "phone": "+43-555-0199" }, kind: orders })
}

#[tokio::test]
async fn a_customer_is_forgotten_for_good_and_the_books_stay() {
    let product = Product::new();
    let p = with_code(&product).await;
    let buyers = ["zoe.marker@people.example", "anna@creator.example"];
    for (id, email) in (1..).zip(buyers) {
        assert_eq!(p.deliver(&product, &order(id, "ANNA", email)).await, 200);
    }
    let decided = || {
        product.db.rows("SELECT external_id, base_minor, commission_minor, deal_id, decision FROM orders WHERE placed_at_ms > 0 ORDER BY external_id")
    };
    let hashes = || {
        let rows = product.db.rows("SELECT json_extract(facts, '$.evidence[1].email_hash') AS h FROM orders ORDER BY external_id");
        rows.iter().filter(|row| !row["h"].is_null()).count()
    };
    let before = decided();
    assert_eq!(hashes(), 2);
    let body = customer("orders_to_redact", &[1, 2, 77]);
    let forged = shop::sign("other", b"x");
    assert_eq!(product.deliver_signed(&p.store, Some(&forged), b"x").await, 401);
    assert_eq!(ask(&product, &p, body.clone()).await, 200);
    assert_eq!(ask(&product, &p, body.clone()).await, 200);
    let requests = p.get(&product, "/v1/data-requests").await;
    assert_eq!(requests["data"].as_array().unwrap().len(), 1, "recorded once");
    let request = &requests["data"][0];
    assert_eq!(
        (&request["kind"], &request["state"]),
        (&json!("customer_redaction"), &json!("open"))
    );
    assert_eq!(request["due_at"], "2026-12-22T08:00:00.000Z");
    let complete = format!("/v1/data-requests/{}/completion", request["id"].as_str().unwrap());
    assert_eq!(product.call("POST", &complete, None, &p.key).await.status, 409, "a job does it");

    tributary::jobs::run_all(&product.app).await;
    assert_eq!((hashes(), decided()), (0, before.clone()));
    assert_eq!(p.get(&product, "/v1/data-requests").await["data"][0]["state"], "done");
    // Neither a repetition nor a later change brings it back, nor one that was never seen before.
    for (id, email) in (1..).zip(buyers) {
        assert_eq!(p.deliver(&product, &order(id, "ANNA", email)).await, 200);
        let mut later = order(id, "ANNA", email);
        later["updated_at"] = json!("2026-11-22T07:59:00Z");
        later["name"] = json!("#2");
        assert_eq!(p.deliver(&product, &later).await, 200);
    }
    assert_eq!(p.deliver(&product, &order(77, "ANNA", buyers[1])).await, 200);
    assert_eq!(hashes(), 0);
    let now = decided();
    assert_eq!(now.len(), 3);
    assert_eq!(now[2]["deal_id"], Value::Null, "her own, although it was redacted first");
    assert_eq!(now.iter().map(|r| &r["commission_minor"]).collect::<Vec<_>>(), [1350, 0, 0]);
    p.verify(&product).await;
    // And of the customer nothing was kept on the way.
    let text = everything(&product);
    assert!(!text.contains("zoe.marker") && !text.contains("555-0199"), "{text}");
}

#[tokio::test]
async fn a_customer_is_told_what_is_stored() {
    let product = Product::new();
    let p = with_code(&product).await;
    p.deliver(&product, &order(1, "ANNA", "zoe.marker@people.example")).await;
    let mut body = customer("orders_requested", &[1, 2]);
    body["data_request"] = json!({ "id": 9999 });
    assert_eq!(ask(&product, &p, body.clone()).await, 200);
    assert_eq!(ask(&product, &p, body.clone()).await, 200);
    let mut elsewhere = body.clone();
    elsewhere["shop_domain"] = json!("other.myshopify.com");
    assert_eq!(ask(&product, &p, elsewhere).await, 200, "an unknown shop asks for nothing");
    let list = p.get(&product, "/v1/data-requests").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    let request = &list["data"][0];
    assert_eq!((&request["kind"], &request["state"]), (&json!("data_request"), &json!("open")));
    let stored = request["stored"].as_array().unwrap();
    assert_eq!(stored.len(), 1, "{list}");
    assert_eq!((&stored[0]["external_id"], &stored[0]["base_minor"]), (&json!("1"), &json!(13500)));
    assert_eq!(stored[0]["email_hash"].as_str().unwrap().len(), 22);
    product.pass(1);
    body["data_request"] = json!({ "id": 10_000 });
    assert_eq!(ask(&product, &p, body).await, 200, "the same orders, asked again");
    tributary::jobs::run_all(&product.app).await;
    let path = format!("/v1/data-requests/{}/completion", request["id"].as_str().unwrap());
    let done = product.call("POST", &path, None, &p.key).await.expect(200);
    product.pass(5_000);
    assert_eq!(product.call("POST", &path, None, &p.key).await.expect(200), done, "once");
    let list = p.get(&product, "/v1/data-requests").await;
    let states: Vec<_> = list["data"].as_array().unwrap().iter().map(|r| &r["state"]).collect();
    assert_eq!(states, ["done", "open"]);
}

#[tokio::test]
async fn a_shop_is_forgotten_and_may_come_back() {
    let product = Product::new();
    let p = with_code(&product).await;
    for id in 1..4 {
        p.deliver(&product, &order(id, "ANNA", "zoe.marker@people.example")).await;
    }
    product.deliver(&p.store, SECRET, b"not json").await;
    assert_eq!(ask(&product, &p, json!({})).await, 200);
    assert_eq!(ask(&product, &p, json!({})).await, 200, "repeated");
    let path = format!("/v1/stores/{}", p.store);
    assert_eq!(p.get(&product, &path).await["status"], "closed");
    assert_eq!(p.deliver(&product, &order(9, "ANNA", "x@y.example")).await, 401);
    let row = product.db.rows("SELECT client_id, secret_sealed FROM stores").remove(0);
    assert_eq!(row, json!({ "client_id": "", "secret_sealed": "" }));
    assert_eq!(product.db.rows("SELECT body FROM quarantine")[0]["body"], Value::Null);
    tributary::jobs::run_all(&product.app).await;
    let list = p.get(&product, "/v1/data-requests").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&list["data"][0]["kind"], &list["data"][0]["state"]),
        (&json!("shop_redaction"), &json!("done"))
    );
    let orders = json!(product.db.rows("SELECT facts, decision FROM orders")).to_string();
    assert!(!orders.contains("email_hash\\\""), "no order tells its customer");
    assert_eq!(p.balance(&product, &p.creator, "USD").await["pending"], "40.50");
    p.verify(&product).await;
    // What came out of the queue meanwhile is forgotten with the next hour.
    let late = format!(
        r#"{{"brand":{},"store":"{}","delivery":{{"external_id":"8","report":{{"snapshot":[{},[]]}}}}}}"#,
        p.brand["id"],
        p.store,
        json!({ "updated_at_ms": 1, "placed_at_ms": 1, "name": "#8", "currency": "USD",
            "payment": "paid", "cancelled": false, "test": false, "taxes_included": false, "lines": [],
            "evidence": { "email_hash": "late" } })
    );
    tributary::jobs::order::consume(&product.app, &late).await.unwrap();
    assert!(everything(&product).contains("\"late\\\""));
    tributary::jobs::run_all(&product.app).await;
    assert!(!everything(&product).contains("\"late\\\""));

    // After a day nobody can repeat it, and the last secret is gone.
    product.pass(DAY_MS + 1);
    tributary::jobs::run_all(&product.app).await;
    assert_eq!(product.db.rows("SELECT previous_secrets FROM stores")[0]["previous_secrets"], "[]");
    assert_eq!(ask(&product, &p, json!({})).await, 401);
    // With a secret it is open again, and can be forgotten again.
    let again = json!({ "client_secret": SECRET });
    product.call("PATCH", &path, Some(again), &p.key).await.expect(200);
    let row = product.db.rows("SELECT previous_secrets, closed_at_ms FROM stores").remove(0);
    assert_eq!(row, json!({ "previous_secrets": "[]", "closed_at_ms": null }));
    assert_eq!(p.deliver(&product, &order(9, "ANNA", "x@y.example")).await, 200);
    assert_eq!(ask(&product, &p, json!({})).await, 200);
    let list = p.get(&product, "/v1/data-requests").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_under_way_at_a_forgotten_shop_can_be_asked_for_again() {
    let product = Product::new();
    let p = with_code(&product).await;
    for code in ["OFF", "ON", "STILL"] {
        let new = json!({ "code": code, "create_in_store": false });
        p.post(&product, &format!("/v1/deals/{}/codes", p.deal), new).await.expect(201);
    }
    let new = "INSERT INTO codes (brand_id, code_key, id, deal_id, code, created_at_ms, state, counts, pending, store_id)
        SELECT brand_id, 'new', 'code_new', deal_id, 'NEW', 0, 'creating', 0, 1, store_id FROM codes WHERE code = 'STILL'";
    let sync = "INSERT INTO store_syncs (brand_id, store_id, state) SELECT brand_id, id, 'running' FROM stores WHERE true
        ON CONFLICT (brand_id, store_id) DO UPDATE SET state = 'running'";
    for sql in [
        "UPDATE codes SET store_id = (SELECT id FROM stores)",
        "UPDATE codes SET state = 'deactivated', pending = 1, in_store = 1 WHERE code = 'OFF'",
        "UPDATE codes SET state = 'active', pending = 1, in_store = 0 WHERE code = 'ON'",
        new,
        sync,
    ] {
        product.db.execute(sql).unwrap();
    }
    let states = || {
        let sql = "SELECT code, state, pending, in_store, code_key FROM codes WHERE code <> 'ANNA'";
        let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let line = |row: &Value| {
            let fields = ["code", "state", "pending", "in_store", "code_key"];
            fields.map(|field| text(&row[field])).join(" ")
        };
        let mut all: Vec<String> = product.db.rows(sql).iter().map(line).collect();
        all.sort();
        all
    };
    let before = states();
    assert_eq!(before[0], "NEW creating 1 null new");
    assert_eq!(ask(&product, &p, json!({})).await, 200);
    assert_eq!(
        states(),
        [
            "NEW failed 0 null code_new",
            "OFF changed 0 1 off",
            "ON deactivated 0 0 on",
            before[3].as_str(),
        ]
    );
    let sync = product.db.rows("SELECT state, problem FROM store_syncs").remove(0);
    assert_eq!(sync, json!({ "state": "failed", "problem": "the shop asked to be forgotten" }));
    let path = format!("/v1/stores/{}", p.store);
    let again = json!({ "client_id": "c", "client_secret": SECRET });
    product.call("PATCH", &path, Some(again), &p.key).await.expect(200);
    p.post(&product, &format!("{path}/backfill"), json!({})).await.expect(202);
}

/// A creator with markers wherever something about her can be said.
async fn marked(product: &Product) -> (Programme, String, String, String) {
    let p = with_code(product).await;
    let creator = p
        .post(
            product,
            "/v1/creators",
            json!({ "name": "Mona Marker", "handle": "mona.marker",
            "email": "mona.marker@people.example", "niche": "marker homes", "followers": 4711,
            "tags": ["marker tag"] }),
        )
        .await
        .expect(201)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let deal = p
        .post(
            product,
            "/v1/deals",
            json!({ "creator_id": creator, "campaign_id": p.campaign,
            "commission_percent": "10", "starts_at": "2026-01-01T00:00:00Z" }),
        )
        .await
        .expect(201)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let tags = json!({ "tags": ["marker of a deal"] });
    product.call("PATCH", &format!("/v1/deals/{deal}"), Some(tags), &p.key).await.expect(200);
    let untagged = json!({ "tags": [] });
    product.call("PATCH", &format!("/v1/deals/{deal}"), Some(untagged), &p.key).await.expect(200);
    p.post(product, &format!("/v1/deals/{deal}/links"), json!({ "slug": "sofa" }))
        .await
        .expect(201);
    let code = json!({ "code": "SOFA", "create_in_store": false });
    p.post(product, &format!("/v1/deals/{deal}/codes"), code).await.expect(201);
    let mut token = String::new();
    for _ in 0..2 {
        let invited = p.post(product, &format!("/v1/deals/{deal}/invitation"), Value::Null).await;
        token = invited.expect(201)["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    }
    let accepted = json!({ "token": token });
    let accepted = product.call("POST", "/v1/invitations/acceptance", Some(accepted), "").await;
    let token = accepted.expect(201)["access_token"].as_str().unwrap().to_owned();
    (p, creator, deal, token)
}

#[tokio::test]
async fn a_creator_is_told_everything_in_pages() {
    let product = Product::new();
    let (p, creator, deal, token) = marked(&product).await;
    for id in 1..4 {
        p.deliver(&product, &order(id, "SOFA", "shopper@people.example")).await;
    }
    let path = format!("/v1/creators/{creator}/export");
    let told = p.get(&product, &path).await;
    assert_eq!(told["next_cursor"], Value::Null);
    let records = told["data"].as_array().unwrap();
    let count = |kind: &str| records.iter().filter(|r| r["kind"] == kind).count();
    let counts = ["profile", "deal", "terms", "link", "code", "order", "entry", "balance"];
    assert_eq!(counts.map(count), [1, 1, 1, 1, 1, 3, 3, 1], "{told}");
    assert_eq!([count("invitation"), count("access_token")], [1, 1]);
    let profile = &records[0]["record"];
    assert_eq!(profile["email"], "mona.marker@people.example");
    assert_eq!(profile["created_at"], "2026-11-22T08:00:00Z");
    assert_eq!(profile["tags"], json!(["marker tag"]));
    let actions: Vec<_> =
        records.iter().filter(|r| r["kind"] == "audit").map(|r| &r["record"]["action"]).collect();
    assert_eq!(actions.len(), 7, "{actions:?}");
    assert!(told.to_string().contains("marker of a deal"));
    // She gets the same herself; nobody else's things are in it.
    let mine = product.call("GET", "/v1/me/export", None, &token).await.expect(200);
    assert_eq!(mine, told);
    assert!(!told.to_string().contains("anna"));
    assert_eq!(product.call("GET", &path, None, &token).await.status, 403);
    assert_eq!(product.call("GET", "/v1/me/export", None, &p.key).await.status, 403);
    for (query, status) in [("cursor=AA", 422), ("cursor=OTk5L3g", 200), ("limit=5", 422)] {
        let answer = product.call("GET", &format!("{path}?{query}"), None, &p.key).await;
        assert_eq!(answer.status, status, "{query} {}", answer.text);
    }
    // A thousand records and more come in pages, each once.
    for day in 0..1500 {
        let row = format!(
            "INSERT INTO click_days SELECT brand_id, id, {day}, 0, deal_id, 1, 1, 0, 0, 0
            FROM links WHERE deal_id = '{deal}'"
        );
        product.db.execute(&row).unwrap();
    }
    let (mut keys, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = p.get(&product, &format!("{path}{cursor}")).await;
        pages += 1;
        keys.extend(page["data"].as_array().unwrap().iter().map(Value::to_string));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("?cursor={next}");
    }
    let all = records.len() + 1500;
    assert_eq!((pages, keys.len()), (2, all));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), all);
}

#[tokio::test]
async fn a_creator_is_erased_and_the_books_stay() {
    let product = Product::new();
    let (p, creator, deal, token) = marked(&product).await;
    p.deliver(&product, &order(1, "SOFA", "shopper@people.example")).await;
    let path = format!("/v1/creators/{creator}/erasure");
    let erase = async |handle: &str| p.post(&product, &path, json!({ "confirm": handle })).await;
    assert_eq!(erase("mona").await.status, 422);
    let owed = product.db.checksum();
    let refused = erase("mona.marker").await.expect(409);
    assert_eq!(refused["type"], "/problems/balance-open");
    assert_eq!(product.db.checksum(), owed);
    // The order is given back: nothing is owed.
    let mut cancelled = order(1, "SOFA", "shopper@people.example");
    cancelled["cancelled_at"] = json!("2026-11-22T07:30:00Z");
    cancelled["updated_at"] = json!("2026-11-22T07:30:00Z");
    assert_eq!(p.deliver(&product, &cancelled).await, 200);
    let entries = product.db.rows("SELECT * FROM entries");
    let orders = product.db.rows("SELECT * FROM orders");
    assert!(everything(&product).to_lowercase().contains("marker"));

    let erased = erase("mona.marker").await.expect(200);
    assert_eq!(erased["erased_at"], "2026-11-22T08:00:00.000Z");
    let noted = product.db.rows("SELECT * FROM audit WHERE action = 'creator.erase'").len();
    product.pass(60_000);
    assert_eq!(erase("whatever").await.expect(200), erased, "again is no fault");
    assert_eq!(
        (noted, product.db.rows("SELECT * FROM audit WHERE action = 'creator.erase'").len()),
        (1, 1)
    );
    let text = everything(&product).to_lowercase();
    for trace in ["marker", "4711", "mona"] {
        assert!(!text.contains(trace), "{trace}");
    }
    assert_eq!(product.db.rows("SELECT * FROM entries"), entries);
    assert_eq!(product.db.rows("SELECT * FROM orders"), orders);
    let shown = p.get(&product, &format!("/v1/creators/{creator}")).await;
    assert_eq!((&shown["name"], &shown["email"]), (&json!("Erased creator"), &Value::Null));
    assert_eq!(product.call("GET", "/v1/me/earnings", None, &token).await.status, 401);
    assert_eq!(product.db.rows("SELECT * FROM invitations WHERE accepted_at_ms IS NULL").len(), 0);
    // Her link leads on, and earns for nobody.
    let location = product.visit("", "sofa", "", crate::support::PHONE).await.unwrap();
    assert!(location.starts_with("https://shop.casa.example/"), "{location}");
    assert_eq!(p.get(&product, &format!("/v1/deals/{deal}")).await["state"], "closed");
    let mut late = order(2, "SOFA", "mona.marker@people.example");
    for field in ["created_at", "updated_at"] {
        late[field] = json!("2026-11-22T08:00:30Z");
    }
    assert_eq!(p.deliver(&product, &late).await, 200);
    assert_eq!(p.order(&product, 2).await["deal_id"], Value::Null);
    // What the trail says of anybody else stays, and can't be taken away.
    assert!(product.db.execute("DELETE FROM audit_personal").is_err());
    let trail = p.get(&product, "/v1/audit?action=creator.create").await;
    let names: Vec<_> =
        trail["data"].as_array().unwrap().iter().map(|e| &e["after"]["name"]).collect();
    assert_eq!(names.iter().filter(|name| name.is_null()).count(), 1);
    assert!(names.contains(&&json!("Anna")), "{names:?}");
    p.verify(&product).await;
    assert_eq!(
        p.get(&product, &format!("/v1/creators/{creator}/export")).await["data"][0]["record"]["name"],
        "Erased creator"
    );
}

#[tokio::test]
async fn what_is_over_goes_by_itself() {
    let product = Product::new();
    let (p, ..) = marked(&product).await;
    let brand = p.brand["id"].as_str().unwrap();
    let hash = |n: u8| format!("{n:064}");
    for (n, age) in [(1, 0), (2, 16)] {
        let at = NOW_MS - age * DAY_MS;
        for sql in [
            format!("INSERT INTO people VALUES ('person_{n}', 'p{n}@x.example', {at})"),
            format!(
                "INSERT INTO sessions (secret_hash, id, person_id, device, created_at_ms, last_seen_at_ms, factors) VALUES ('{}', 's', 'person_{n}', 'd', {at}, {at}, 1)",
                hash(n)
            ),
            format!(
                "INSERT INTO sign_ins (browser_hash, token_hash, code_hash, email, created_at_ms, expires_at_ms) VALUES ('{0}', '{0}', '', 'p@x.example', {at}, {at})",
                hash(n)
            ),
            format!(
                "INSERT INTO passkeys VALUES ('person_{n}', 'k{n}', '', 'c{n}', '', 0, {at}, NULL)"
            ),
            format!("INSERT INTO recovery_codes VALUES ('person_{n}', 'h', {at}, 0, NULL)"),
        ] {
            product.db.execute(&sql).unwrap();
        }
    }
    // An old person whom a brand has.
    product.db.execute("INSERT INTO people VALUES ('person_3', 'p3@x.example', 0)").unwrap();
    product.db.execute(&format!("INSERT INTO members VALUES ('{brand}', 'm', 'p3@x.example', 'owner', 'person_3', NULL, 0, 0, 0)")).unwrap();
    let count = |table: &str| product.db.rows(&format!("SELECT * FROM {table}")).len();
    let tables = [
        "people",
        "sessions",
        "sign_ins",
        "passkeys",
        "recovery_codes",
        "creator_tokens",
        "invitations",
        "api_keys",
    ];
    assert_eq!(tables.map(count), [3, 2, 2, 2, 2, 1, 1, 1]);
    product.db.execute("INSERT INTO api_keys (secret_hash, brand_id, id, created_at_ms, expires_at_ms) SELECT substr(secret_hash, 2) || 'x', brand_id, 'k', 0, 1 FROM api_keys").unwrap();
    tributary::jobs::run_all(&product.app).await;
    assert_eq!(tables.map(count), [2, 1, 1, 1, 1, 1, 1, 1]);
    assert_eq!(count("members"), 2);
    product.pass(43 * DAY_MS);
    tributary::jobs::run_all(&product.app).await;
    assert_eq!(tables.map(count), [1, 0, 0, 0, 0, 1, 0, 1], "14 days and 30 more, 7 and 30 more");
    assert_eq!(count("members WHERE person_id IS NULL"), 0, "nobody took it up: 7 and 30 more");
    assert_eq!(count("members"), 1);
    product.pass(2 * DAY_MS);
    tributary::jobs::run_all(&product.app).await;
    assert_eq!(count("creator_tokens"), 0);
    assert_eq!(count("audit_personal"), 4, "the trail stays");
}

/// As the page about privacy says: within two days of their last use, 15 after they began at most.
#[tokio::test]
async fn sessions_and_sign_ins_go_in_the_night_after_they_ended() {
    let product = Product::new();
    let hour = DAY_MS / 24;
    product
        .db
        .execute(&format!("INSERT INTO people VALUES ('p', 'p@x.example', {NOW_MS})"))
        .unwrap();
    let sessions = [(23, 23), (25, 25), (14 * 24 - 1, 0), (14 * 24 + 1, 0)];
    for (n, (began, seen)) in sessions.into_iter().enumerate() {
        let (began, seen) = (NOW_MS - began * hour, NOW_MS - seen * hour);
        let row = format!(
            "INSERT INTO sessions (secret_hash, id, person_id, device, created_at_ms, last_seen_at_ms, factors)
             VALUES ('{n:064}', 's{n}', 'p', 'd', {began}, {seen}, 1)"
        );
        product.db.execute(&row).unwrap();
    }
    for (n, ends) in [-hour, hour].into_iter().enumerate() {
        let row = format!(
            "INSERT INTO sign_ins (browser_hash, token_hash, code_hash, email, created_at_ms, expires_at_ms)
             VALUES ('{n:064}', '{n:064}', '', 'p@x.example', 0, {})",
            NOW_MS + ends
        );
        product.db.execute(&row).unwrap();
    }
    tributary::jobs::run_all(&product.app).await;
    let left = product.db.rows("SELECT id FROM sessions ORDER BY id");
    assert_eq!(left, [json!({ "id": "s0" }), json!({ "id": "s2" })]);
    assert_eq!(product.db.rows("SELECT * FROM sign_ins").len(), 1);
}

/// The cron trigger runs each job in its minute.
#[tokio::test]
async fn every_job_has_its_minute() {
    let product = Product::new();
    for minute in 0..1440 {
        tributary::jobs::run_due(&product.app, minute * 60_000).await;
    }
    let due = product.db.rows("SELECT name FROM job_runs ORDER BY name");
    tributary::jobs::run_all(&product.app).await;
    assert_eq!(product.db.rows("SELECT name FROM job_runs ORDER BY name"), due);
}
