//! Creators and deals from files, and lists as files: reliability.md, rows C1 to C13 and D18.

mod deals;

use http::Request;
use serde_json::{Value, json};

use crate::support::{Answer, Product, Programme};

async fn import(product: &Product, key: &str, to: &str, file: &[u8]) -> Answer {
    let request = Request::builder()
        .method("POST")
        .uri(to)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "text/csv; charset=utf-8");
    product.raw(request.body(file.to_vec()).unwrap()).await
}

/// Previews a file and does what was previewed.
async fn both(product: &Product, key: &str, to: &str, file: &str) -> Value {
    let and = if to.contains('?') { '&' } else { '?' };
    let preview = import(product, key, &format!("{to}{and}preview=true"), file.as_bytes()).await;
    let preview = preview.expect(200);
    let Some(hash) = preview["hash"].as_str() else { panic!("{preview}") };
    import(product, key, &format!("{to}{and}hash={hash}"), file.as_bytes()).await.expect(200)
}

async fn csv(product: &Product, key: &str, path: &str) -> String {
    let answer = product.call("GET", path, None, key).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.text
}

fn count(product: &Product, table: &str) -> usize {
    product.db.rows(&format!("SELECT 1 FROM {table}")).len()
}

/// Tried here, with the trail that they leave.
pub const IMPORT_COMMANDS: [&str; 3] =
    ["post /v1/creators/import", "post /v1/deals/import", "post /v1/goaffpro/import"];

const CREATORS: &str = "/v1/creators/import";
const DEALS: &str = "/v1/deals/import";

#[tokio::test]
async fn creators_are_previewed_and_taken_in_whole_once() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let before = count(&product, "creators");
    // C3, C6: separators, quotes; a formula is text; what an export guarded is found back to.
    let file = "\u{feff}Name;handle;email;country;language;niche;followers;engagement_percent;tags;instagram;handle.bluesky\r\n\
        Ada \"\"\"A\"\"\";@ada;ada@x.example;de;PT-br;tea;1200;2.5;a|b\\|c;@ada.x|ada2;ada\r\n"
        .replace("Ada \"\"\"A\"\"\"", "\"Ada \"\"A\"\"\"");
    let file = format!("{file}'=HYPERLINK(1);bo;;;;;;;;;\r\n");
    let preview =
        import(&product, &p.key, &format!("{CREATORS}?preview=true"), file.as_bytes()).await;
    let preview = preview.expect(200);
    assert_eq!((&preview["new"], &preview["wrong"]), (&json!(2), &json!(0)), "{preview}");
    assert_eq!(count(&product, "creators"), before, "a preview does nothing");
    let to = format!("{CREATORS}?hash={}", preview["hash"].as_str().unwrap());
    // C11: another file, or another question, under this hash.
    import(&product, &p.key, &to, file.replace("tea", "tee").as_bytes()).await.expect(409);
    import(&product, &p.key, &format!("{to}&update=true"), file.as_bytes()).await.expect(409);
    assert_eq!(import(&product, &p.key, &to, file.as_bytes()).await.expect(200)["taken_in"], 2);
    let rows = product.db.rows(
        "SELECT name, handle_key, country, language, followers, engagement_bp, tags, typeof(followers) AS t
         FROM creators WHERE handle_key IN ('ada', 'bo') ORDER BY handle_key",
    );
    assert_eq!(
        rows[0],
        json!({ "name": "Ada \"A\"", "handle_key": "ada", "country": "DE", "language": "pt-BR",
            "followers": 1200, "engagement_bp": 250, "tags": "[\"a\",\"b|c\"]", "t": "integer" })
    );
    assert_eq!(rows[1]["name"], "=HYPERLINK(1)");
    assert_eq!(count(&product, "creator_handles"), 3);
    let told = product.db.rows("SELECT after FROM audit WHERE action = 'creator.import'");
    assert_eq!(told, vec![json!({ "after": "{\"new\":2,\"changed\":0}" }); 2]);
    // C5: the same again, and the same rows in another file.
    import(&product, &p.key, &to, file.as_bytes()).await.expect(409);
    for again in [file.clone(), format!("{file}\r\n\r\n")] {
        let again = both(&product, &p.key, &format!("{CREATORS}?update=true"), &again).await;
        assert_eq!(
            (&again["new"], &again["changed"], &again["taken_in"]),
            (&json!(0), &json!(0), &json!(0))
        );
    }
    // Who is known is as she is; with `update` only what cells say changes.
    let more = "email,niche,country,tiktok\nADA@X.example,coffee,,ada\n";
    assert_eq!(both(&product, &p.key, CREATORS, more).await["taken_in"], 0);
    let version =
        |product: &Product| product.db.rows("SELECT version FROM brands")[0]["version"].clone();
    let was = version(&product);
    assert_eq!(
        both(&product, &p.key, &format!("{CREATORS}?update=true"), more).await["changed"],
        1
    );
    let row =
        &product.db.rows("SELECT niche, country, email FROM creators WHERE handle_key = 'ada'")[0];
    assert_eq!(row, &json!({ "niche": "coffee", "country": "DE", "email": "ada@x.example" }));
    assert_eq!((count(&product, "creator_handles"), version(&product)), (4, was.clone()));
    // An address that is new is one by which orders are decided.
    assert_eq!(
        both(
            &product,
            &p.key,
            &format!("{CREATORS}?update=true"),
            "handle,email\nbo,bo@x.example\n"
        )
        .await["changed"],
        1
    );
    assert_ne!(version(&product), was);
}

#[tokio::test]
async fn whom_a_row_is_about_is_never_guessed() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    both(&product, &p.key, CREATORS, "handle,email\nada,ada@x.example\nbo,\n").await;
    // C13: case is nothing, `+tag` is another address, other letters are none.
    for (row, outcome, reason) in [
        ("ada,ADA@x.example", "known", ""),
        ("eve,ada+x@x.example", "new", ""),
        ("ada,ada+x@x.example", "wrong", "a creator with another e-mail has this handle"),
        ("ada,", "known", ""),
        ("@BO,", "known", ""),
        ("bo,bo@x.example", "known", ""),
        ("zoe,\u{430}da@x.example", "wrong", "email must be an e-mail address"),
        (",z@x.example", "wrong", "a handle is missing"),
    ] {
        let to = format!("{CREATORS}?preview=true");
        let told = import(&product, &p.key, &to, format!("handle,email\n{row}\n").as_bytes()).await;
        let told = told.expect(200);
        assert_eq!(
            (&told["rows"][0]["outcome"], &told["rows"][0]["reason"]),
            (&json!(outcome), &json!(reason)),
            "{row}"
        );
    }
    let to = format!("{CREATORS}?preview=true");
    for twice in ["eve,\nEVE,", "eve,e@x.example\neva,E@x.example", "ada,\nada,ada@x.example"] {
        let told =
            import(&product, &p.key, &to, format!("handle,email\n{twice}\n").as_bytes()).await;
        assert_eq!(
            told.expect(200)["rows"][1]["reason"],
            "line 2 is about the same creator",
            "{twice}"
        );
    }
    // C9: another brand's are as if they weren't there.
    let q = Programme::with(&product, "EUR", "10").await;
    let told =
        import(&product, &q.key, &to, b"handle,email\nada,ada@x.example\n").await.expect(200);
    assert_eq!(told["rows"][0]["outcome"], "new");
}

#[tokio::test]
async fn files_that_are_none_change_nothing() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let before = (count(&product, "creators"), count(&product, "deals"), count(&product, "audit"));
    let utf16: Vec<u8> = "handle".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let campaign =
        product.db.rows("SELECT id FROM campaigns")[0]["id"].as_str().unwrap().to_owned();
    let goaffpro =
        format!("/v1/goaffpro/import?kind=affiliates&campaign_id={campaign}&preview=true");
    for to in [format!("{CREATORS}?preview=true"), format!("{DEALS}?preview=true"), goaffpro] {
        for file in [
            &b""[..],
            b"handle,email\n",
            b"handle,handle\na,b\n",
            b"handle,brand_id\na,b\n",
            b"handle,creator\n\"a,b\n",
            b"handle\na\0\n",
            b"caf\xe9\nx\n",
            b"PK\x03\x04",
            &utf16,
        ] {
            import(&product, &p.key, &to, file).await.expect(422);
        }
        let large = vec![b'a'; 1024 * 1024 + 1];
        import(&product, &p.key, &to, &large).await.expect(413);
        assert_eq!(product.call("POST", &to, Some(json!({})), &p.key).await.status, 415);
    }
    // C7: numbers have one spelling.
    let to = format!("{CREATORS}?preview=true");
    for (column, cell) in [
        ("followers", "\"1,234\""),
        ("followers", "1e3"),
        ("followers", "-1"),
        ("followers", "99999999999"),
        ("engagement_percent", "2.555"),
        ("engagement_percent", "\"2,5\""),
        ("engagement_percent", "101"),
        ("country", "DEU"),
        ("language", "english"),
        ("name", "\"a\nb\""),
        ("email", "a@b@c.d"),
        ("instagram", &"x".repeat(101)),
    ] {
        let file = format!("handle,{column}\nx,{cell}\n");
        let told = import(&product, &p.key, &to, file.as_bytes()).await.expect(200);
        assert_eq!((&told["wrong"], &told["hash"]), (&json!(1), &Value::Null), "{column} {cell}");
    }
    for query in ["", "preview=maybe", "preview=true&hash=x", "hash=x&update=maybe", "hash=x&x=1"] {
        import(&product, &p.key, &format!("{CREATORS}?{query}"), b"handle\na\n").await.expect(422);
    }
    // C4: one bad row in ten thousand.
    let mut file = "handle,email\n".to_owned();
    for n in 0..9_999 {
        file.push_str(&format!("h{n},h{n}@x.example\n"));
    }
    let bad = format!("{file}last,no address\n");
    let refused =
        import(&product, &p.key, &format!("{CREATORS}?hash=x"), bad.as_bytes()).await.expect(422);
    assert_eq!(
        refused["errors"],
        json!([{ "field": "line 10001", "reason": "email must be an e-mail address" }])
    );
    assert_eq!(
        (count(&product, "creators"), count(&product, "deals"), count(&product, "audit")),
        before
    );
    assert_eq!(
        both(&product, &p.key, CREATORS, &format!("{file}last,\n")).await["taken_in"],
        10_000
    );
    import(&product, &p.key, &to, format!("{file}last,\nmore,\n").as_bytes()).await.expect(422);
}

#[tokio::test]
async fn somebody_who_comes_in_between_stops_it_all() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let file = "handle,email\nada,ada@x.example\nbo,\n";
    let preview =
        import(&product, &p.key, &format!("{CREATORS}?preview=true"), file.as_bytes()).await;
    let to = format!("{CREATORS}?hash={}", preview.expect(200)["hash"].as_str().unwrap());
    both(&product, &p.key, CREATORS, "handle\nbo\n").await;
    import(&product, &p.key, &to, file.as_bytes()).await.expect(409);
    assert!(product.db.rows("SELECT 1 FROM creators WHERE handle_key = 'ada'").is_empty());
}

/// What was decided from what was read isn't done once somebody else was quicker: between the reading and the batch.
#[tokio::test]
async fn somebody_who_is_quicker_stops_it_all() {
    const NEW: &str = "handle,email\nzoe,zoe@x.example\nyan,\n";
    const MORE: &str = "handle,niche\nbo,tea\ncy,tea\n";
    const WISHES: &str =
        "creator,campaign_id,owner_id,slug,code\nada,CAMPAIGN,,s1,C1\nbo,CAMPAIGN,MEMBER,,\n";
    let update = format!("{CREATORS}?update=true");
    for (to, file, part, meanwhile) in [
        (
            CREATORS,
            NEW,
            "INSERT INTO creators",
            "INSERT INTO creators (brand_id, id, name, handle, handle_key, tags, created_at_ms)
             VALUES ('BRAND', 'creator_1', 'x', 'yan', 'yan', '[]', 0)",
        ),
        // Somebody of another handle who has the address by now.
        (CREATORS, NEW, "INSERT INTO creators", "UPDATE creators SET email_hash = 'ZOE' WHERE handle_key = 'old'"),
        (
            &update,
            MORE,
            "UPDATE creators",
            "UPDATE creators SET revision = revision + 1 WHERE handle_key = 'cy'",
        ),
        (&update, MORE, "UPDATE creators", "UPDATE creators SET erased_at_ms = 1 WHERE handle_key = 'cy'"),
        (
            DEALS,
            WISHES,
            "INSERT INTO deals",
            "INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, created_at_ms)
             SELECT 'BRAND', 'deal_1', id, 'CAMPAIGN', 'Outreach', '[]', 0 FROM creators WHERE handle_key = 'bo'",
        ),
        (DEALS, WISHES, "INSERT INTO deals", "UPDATE creators SET erased_at_ms = 1 WHERE handle_key = 'bo'"),
        (DEALS, WISHES, "INSERT INTO deals", "UPDATE campaigns SET archived_at_ms = 1"),
        (DEALS, WISHES, "INSERT INTO deals", "UPDATE campaigns SET stages = '[\"Elsewhere\"]'"),
        (DEALS, WISHES, "INSERT INTO deals", "DELETE FROM members"),
        (
            DEALS,
            WISHES,
            "INSERT INTO deals",
            "INSERT INTO slugs (brand_id, host, slug_key, link_id) SELECT 'BRAND', '', 's1', id FROM links LIMIT 1",
        ),
        (
            DEALS,
            WISHES,
            "INSERT INTO deals",
            "INSERT INTO codes (brand_id, id, deal_id, code, code_key, state, counts, created_at_ms)
             SELECT 'BRAND', 'code_1', id, 'C1', 'c1', 'active', 1, 0 FROM deals LIMIT 1",
        ),
    ] {
        let product = Product::new();
        let p = Programme::new(&product).await;
        both(&product, &p.key, CREATORS, "handle,email\nada,ada@x.example\nbo,\ncy,\nold,zoe@x.example\n").await;
        let old = product.db.rows("SELECT id, email_hash FROM creators WHERE handle_key = 'old'");
        let of_old = |name: &str| old[0][name].as_str().unwrap().to_owned();
        let path = format!("/v1/creators/{}", of_old("id"));
        product.call("PATCH", &path, Some(json!({ "email": null })), &p.key).await.expect(200);
        p.post(&product, &format!("/v1/deals/{}/links", p.deal), json!({})).await.expect(201);
        let member = product.db.rows("SELECT id FROM members")[0]["id"].clone();
        let filled = |text: &str| {
            text.replace("BRAND", p.brand["id"].as_str().unwrap())
                .replace("ZOE", &of_old("email_hash"))
                .replace("CAMPAIGN", &p.campaign)
                .replace("MEMBER", member.as_str().unwrap())
        };
        let (file, meanwhile) = (filled(file), filled(meanwhile));
        let and = if to.contains('?') { '&' } else { '?' };
        let preview = format!("{to}{and}preview=true");
        let preview = import(&product, &p.key, &preview, file.as_bytes()).await.expect(200);
        let Some(hash) = preview["hash"].as_str() else { panic!("{meanwhile}: {preview}") };
        let counts = || {
            ["creators", "deals", "links", "codes", "audit"].map(|table| count(&product, table))
        };
        let was = counts();
        product.db.before(part, &meanwhile);
        let to = format!("{to}{and}hash={hash}");
        let told = import(&product, &p.key, &to, file.as_bytes()).await.expect(409);
        assert_eq!(told["type"], "/problems/preview-changed", "{meanwhile}");
        let added: usize = counts().iter().zip(was).map(|(is, was)| is - was).sum();
        let theirs = ["INSERT INTO creators", "INSERT INTO deals", "INSERT INTO codes"];
        let theirs = theirs.iter().any(|begin| meanwhile.starts_with(begin));
        assert_eq!(added, usize::from(theirs), "{meanwhile}");
        assert!(product.db.rows("SELECT 1 FROM creators WHERE niche = 'tea'").is_empty());
    }
}
