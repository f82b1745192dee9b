//! What creators published: reported, measured, valued, taken in from files.

use http::Request;
use serde_json::{Value, json};

use super::payouts::token;
use crate::support::{Answer, Product, Programme, at_once};

const DAY_MS: i64 = 86_400_000;

/// What [`every_change_of_a_post_is_attributable`] tries.
pub const POST_COMMANDS: [&str; 7] = [
    "post /v1/deals/{id}/posts",
    "patch /v1/posts/{id}",
    "post /v1/posts/{id}/metrics",
    "post /v1/posts/import",
    "post /v1/media-formulas",
    "post /v1/me/posts",
    "post /v1/me/posts/{id}/metrics",
];

fn a_post(url: &str, metrics: Value) -> Value {
    json!({ "platform": "instagram", "url": url, "published_at": "2026-10-01T10:00:00Z", "metrics": metrics })
}

fn usd(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "USD" })
}

async fn report(product: &Product, p: &Programme, deal: &str, url: &str, metrics: Value) -> Value {
    let path = format!("/v1/deals/{deal}/posts");
    p.post(product, &path, a_post(url, metrics)).await.expect(201)
}

async fn import(product: &Product, key: &str, query: &str, file: &str) -> Answer {
    let request = Request::builder()
        .method("POST")
        .uri(format!("/v1/posts/import?{query}"))
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "text/csv");
    product.raw(request.body(file.as_bytes().to_vec()).unwrap()).await
}

#[tokio::test]
async fn what_was_not_measured_is_not_zero() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let one = report(&product, &p, &p.deal, "https://instagram.com/p/1", Value::Null).await;
    assert_eq!(
        (&one["metrics"]["impressions"], &one["earned_media_value"]),
        (&Value::Null, &Value::Null)
    );
    let summary = p.get(&product, "/v1/posts/summary").await;
    assert_eq!(summary["earned_media_value"], Value::Null);
    assert_eq!(summary["impressions"], json!({ "total": null, "measured": 0, "unmeasured": 1 }));
    report(&product, &p, &p.deal, "https://instagram.com/p/2", json!({ "impressions": 0 })).await;
    let summary = p.get(&product, "/v1/posts/summary").await;
    assert_eq!(summary["earned_media_value"], usd("0.00"));
    assert_eq!(summary["impressions"], json!({ "total": 0, "measured": 1, "unmeasured": 1 }));
    // 12,345 × 15.00 ÷ 1,000 = 185.175, half away from zero.
    let three = json!({ "impressions": 12_345, "likes": 7 });
    let three = report(&product, &p, &p.deal, "https://instagram.com/p/3", three).await;
    assert_eq!((&three["earned_media_value"], &three["formula"]), (&usd("185.18"), &json!(0)));
    let summary = p.get(&product, &format!("/v1/posts/summary?deal_id={}", p.deal)).await;
    assert_eq!(
        (&summary["posts"], &summary["valued"], &summary["likes"], &summary["comments"]),
        (&json!(3), &json!(2), &json!(7), &Value::Null)
    );
    assert_eq!(summary["earned_media_value"], usd("185.18"));
}

/// Of each metric the latest counts, in whatever order they are told.
#[tokio::test]
async fn measurements_come_in_any_order() {
    let told = [
        ("2026-10-03T00:00:00Z", json!({ "impressions": 300, "likes": 3 })),
        ("2026-10-02T00:00:00Z", json!({ "impressions": 200, "views": 20 })),
        ("2026-10-04T00:00:00Z", json!({ "likes": 4 })),
        ("2026-10-03T00:00:00Z", json!({ "comments": 9 })),
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        let product = Product::new();
        let p = Programme::new(&product).await;
        let post = report(&product, &p, &p.deal, "https://tiktok.com/@a/1", Value::Null).await;
        let path = format!("/v1/posts/{}/metrics", post["id"].as_str().unwrap());
        for place in order {
            let (at, mut body) = told[place].clone();
            body["measured_at"] = json!(at);
            p.post(&product, &path, body.clone()).await.expect(201);
            p.post(&product, &path, body).await.expect(201);
        }
        let post = p.get(&product, path.trim_end_matches("/metrics")).await;
        assert_eq!(
            post["metrics"],
            json!({ "impressions": 300, "views": 20, "likes": 4, "comments": 9, "shares": null })
        );
        assert_eq!(post["measured_at"], "2026-10-04T00:00:00.000Z");
        let history = p.get(&product, &format!("{path}?limit=2")).await;
        assert_eq!(history["data"][1]["metrics"]["comments"], 9);
        let cursor = history["next_cursor"].as_str().unwrap();
        let rest = p.get(&product, &format!("{path}?limit=2&cursor={cursor}")).await;
        assert_eq!(
            (rest["data"].as_array().unwrap().len(), &rest["next_cursor"]),
            (1, &Value::Null)
        );
    }
}

#[tokio::test]
async fn a_post_is_reported_once_and_counts_until_it_is_removed() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let q = Programme::with(&product, "EUR", "10").await;
    let path = format!("/v1/deals/{}/posts", p.deal);
    let metrics = json!({ "impressions": 1_000 });
    let post =
        report(&product, &p, &p.deal, "https://www.instagram.com/p/A1/", metrics.clone()).await;
    for same in ["https://instagram.com/p/A1", "http://m.instagram.com/p/A1/?igsh=x#y"] {
        let again = p.post(&product, &path, a_post(same, Value::Null)).await.expect(409);
        assert_eq!(again["type"], "/problems/post-known");
    }
    // Another brand may have the same post.
    report(&product, &q, &q.deal, "https://instagram.com/p/A1", metrics).await;
    let all =
        (0..20).map(|_| p.post(&product, &path, a_post("https://instagram.com/p/B2", Value::Null)));
    let made = at_once(all).await.into_iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1);
    let at = format!("/v1/posts/{}", post["id"].as_str().unwrap());
    let patch =
        async |body: Value| product.call("PATCH", &at, Some(body), &p.key).await.expect(200);
    assert_eq!(patch(json!({ "state": "removed" })).await["state"], "removed");
    assert_eq!(p.get(&product, "/v1/posts/summary").await["posts"], 1);
    assert_eq!(
        patch(json!({ "state": "open", "platform": "youtube" })).await["platform"],
        "youtube"
    );
    let summary = p.get(&product, "/v1/posts/summary").await;
    assert_eq!((&summary["posts"], &summary["earned_media_value"]), (&json!(2), &usd("15.00")));
    let campaign = p.get(&product, &format!("/v1/deals/{}", p.deal)).await["campaign_id"].clone();
    let of = format!("/v1/posts/summary?campaign_id={}", campaign.as_str().unwrap());
    assert_eq!(p.get(&product, &of).await["posts"], 2);
    assert_eq!(
        p.get(
            &product,
            &of.replace(campaign.as_str().unwrap(), "campaign_01h455vb4pex5vsknk084sn02q")
        )
        .await["posts"],
        0
    );
    let early = p.get(&product, "/v1/posts/summary?to=2026-09-30").await;
    assert_eq!(early["posts"], 0);
    let page = p.get(&product, "/v1/posts?limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = p.get(&product, &format!("/v1/posts?limit=1&cursor={cursor}")).await;
    assert_ne!(page["data"][0]["id"], rest["data"][0]["id"]);
}

/// A value is told with the version of the formula that it was reckoned by, and any version can be had.
#[tokio::test]
async fn formulas_are_versions() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let metrics = json!({ "impressions": 10_000, "views": 2_000 });
    report(&product, &p, &p.deal, "https://instagram.com/p/1", metrics.clone()).await;
    let tiktok = json!({ "platform": "tiktok", "url": "https://tiktok.com/@a/2",
        "published_at": "2026-10-01T10:00:00Z", "metrics": { "impressions": 10_000 } });
    p.post(&product, &format!("/v1/deals/{}/posts", p.deal), tiktok).await.expect(201);
    let first = json!({ "default": { "measure": "impressions", "cpm": usd("20.00") } });
    let second = json!({ "default": { "measure": "views", "cpm": usd("5.00") },
        "platforms": [{ "platform": "tiktok", "measure": "impressions", "cpm": usd("0.01") }] });
    for (body, version) in [(first.clone(), 1), (second, 2)] {
        assert_eq!(
            p.post(&product, "/v1/media-formulas", body).await.expect(201)["version"],
            version
        );
    }
    let worth = async |query: &str| {
        p.get(&product, &format!("/v1/posts/summary{query}")).await["earned_media_value"].clone()
    };
    assert_eq!(worth("?formula=0").await, usd("300.00"));
    assert_eq!(worth("?formula=1").await, usd("400.00"));
    // 2,000 views × 5.00 and 10,000 impressions × 0.01.
    assert_eq!((worth("").await, worth("?formula=2").await), (usd("10.10"), usd("10.10")));
    let posts = p.get(&product, "/v1/posts?formula=1").await;
    assert_eq!(posts["data"][0]["earned_media_value"], usd("200.00"));
    for bad in ["3", "-1", "x", "99999999999999999999"] {
        let answer = product.call("GET", &format!("/v1/posts?formula={bad}"), None, &p.key).await;
        answer.expect(422);
    }
    let all = p.get(&product, "/v1/media-formulas").await;
    let versions: Vec<&Value> =
        all["data"].as_array().unwrap().iter().map(|f| &f["version"]).collect();
    assert_eq!(versions, [2, 1, 0]);
    // Two at once: each is a version of its own, or is refused.
    let made = at_once((0..5).map(|_| p.post(&product, "/v1/media-formulas", first.clone()))).await;
    let made = made.iter().filter(|answer| answer.status == 201).count();
    let all = p.get(&product, "/v1/media-formulas").await;
    assert_eq!(all["data"].as_array().unwrap().len(), 3 + made);
    let eur = json!({ "default": { "measure": "views", "cpm": { "amount": "5.00", "currency": "EUR" } } });
    p.post(&product, "/v1/media-formulas", eur).await.expect(422);
}

/// The sums of SQL are those of the pure formula, post by post.
#[tokio::test]
async fn sums_are_the_sums_of_the_posts() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    for n in 0..30_i64 {
        let metrics = match n % 3 {
            0 => Value::Null,
            1 => json!({ "impressions": n * 7_919 % 1_001 }),
            _ => json!({ "impressions": n * 104_729 % 9_973, "views": n }),
        };
        let mut post = a_post(&format!("https://instagram.com/p/{n}"), metrics);
        post["platform"] =
            json!(["instagram", "tiktok", "blog"][usize::try_from(n % 4 % 3).unwrap()]);
        p.post(&product, &format!("/v1/deals/{}/posts", p.deal), post).await.expect(201);
    }
    let rates = json!({ "default": { "measure": "impressions", "cpm": usd("13.37") },
        "platforms": [{ "platform": "tiktok", "measure": "views", "cpm": usd("99.99") }] });
    p.post(&product, "/v1/media-formulas", rates).await.expect(201);
    let posts = p.get(&product, "/v1/posts?limit=200").await;
    let cents = |value: &Value| {
        let amount = value["amount"].as_str()?;
        amount.replace('.', "").parse::<i64>().ok()
    };
    let values: Vec<i64> = posts["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|post| cents(&post["earned_media_value"]))
        .collect();
    let summary = p.get(&product, "/v1/posts/summary").await;
    assert_eq!(summary["valued"], values.len());
    assert_eq!(cents(&summary["earned_media_value"]), Some(values.iter().sum()));
    let parts = summary["platforms"].as_array().unwrap().iter();
    assert_eq!(
        parts.filter_map(|part| cents(&part["earned_media_value"])).sum::<i64>(),
        values.iter().sum::<i64>()
    );
}

#[tokio::test]
async fn a_creator_reports_her_own_posts_only() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let (rival, _) = p.rival(&product, "BERTA").await;
    let anna = token(&product, &p, &p.deal).await;
    let mine = |deal: &str, url: &str| json!({ "deal_id": deal, "platform": "tiktok", "url": url, "published_at": "2026-10-01T10:00:00Z" });
    let post = async |path: &str, body: Value| product.call("POST", path, Some(body), &anna).await;
    let hers = post("/v1/me/posts", mine(&p.deal, "https://tiktok.com/@a/1")).await.expect(201);
    assert_eq!(hers["reported_by"], "creator");
    post("/v1/me/posts", mine(&rival, "https://tiktok.com/@b/1")).await.expect(422);
    let theirs = report(&product, &p, &rival, "https://tiktok.com/@b/2", Value::Null).await;
    let at = |post: &Value| format!("/v1/me/posts/{}/metrics", post["id"].as_str().unwrap());
    post(&at(&theirs), json!({ "views": 1 })).await.expect(404);
    assert_eq!(post(&at(&hers), json!({ "views": 1 })).await.expect(201)["metrics"]["views"], 1);
    // What the brand measured stays, whatever she tells of the same moment; what it left out she may tell.
    let at = |post: &Value, whose: &str| {
        format!("{whose}/posts/{}/metrics", post["id"].as_str().unwrap())
    };
    let when = "2026-11-21T10:00:00Z";
    let brands = json!({ "views": 100, "measured_at": when });
    p.post(&product, &at(&hers, "/v1"), brands).await.expect(201);
    let told = json!({ "views": 1_000_000, "likes": 7, "measured_at": when });
    post(&at(&hers, "/v1/me"), told).await.expect(201);
    let sql = "SELECT source, views, likes FROM post_metrics WHERE views <> 1";
    let kept = json!({ "source": "brand", "views": 100, "likes": 7 });
    assert_eq!(product.db.rows(sql), [kept]);
    let listed = product.call("GET", "/v1/me/posts", None, &anna).await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    // What goes with her, and what stays.
    let told =
        product.call("GET", &format!("/v1/creators/{}/export", p.creator), None, &p.key).await;
    assert!(told.text.contains("https://tiktok.com/@a/1"), "{}", told.text);
    let confirm = json!({ "confirm": "@anna.home" });
    let erased = product
        .call("POST", &format!("/v1/creators/{}/erasure", p.creator), Some(confirm), &p.key)
        .await;
    assert_eq!(erased.status, 200, "{}", erased.text);
    let left = product.db.rows("SELECT url, views FROM posts WHERE reported_by = 'creator'");
    assert_eq!(left, [json!({ "url": "", "views": 1 })]);
    let path = format!("/v1/deals/{}/posts", p.deal);
    let again = a_post("https://a.example/p", Value::Null);
    p.post(&product, &path, again).await.expect(409);
}

#[tokio::test]
async fn what_is_no_post_changes_nothing() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let path = format!("/v1/deals/{}/posts", p.deal);
    let good = a_post("https://instagram.com/p/1", Value::Null);
    for (field, bad) in [
        ("url", json!("javascript:alert(1)")),
        ("url", json!("")),
        ("url", json!(5)),
        ("url", json!("https://a.example/\"><script>")),
        ("platform", json!("myspace")),
        ("published_at", json!("2026-02-30T00:00:00Z")),
        ("published_at", json!("2026-10-01")),
        ("published_at", json!("2199-01-01T00:00:00Z")),
        ("metrics", json!({})),
        ("metrics", json!({ "impressions": -1 })),
        ("metrics", json!({ "impressions": 20_000_000_001_i64 })),
        ("metrics", json!({ "impressions": 1.5 })),
        ("metrics", json!({ "impressions": "12" })),
        ("metrics", json!({ "reach": 12 })),
        ("metrics", json!({ "views": 1, "measured_at": "2199-01-01T00:00:00Z" })),
        ("deal_id", json!(p.deal)),
    ] {
        let mut body = good.clone();
        body[field] = bad;
        let answer = p.post(&product, &path, body.clone()).await;
        assert!(matches!(answer.status, 400 | 422), "{body}: {}", answer.text);
    }
    assert!(product.db.rows("SELECT id FROM posts").is_empty());
    let post = report(&product, &p, &p.deal, "https://instagram.com/p/1", Value::Null).await;
    let at = format!("/v1/posts/{}/metrics", post["id"].as_str().unwrap());
    product.db.execute("UPDATE posts SET measurements = 1000").unwrap();
    assert_eq!(
        p.post(&product, &at, json!({ "likes": 1 })).await.expect(409)["type"],
        "/problems/measured-often"
    );
    for query in [
        "limit=0",
        "cursor=x",
        "cursor=MS9wb3N0",
        "from=2026-02-30",
        "from=2026-10-02&to=2026-10-01",
        "sort=x",
    ] {
        let answer = product.call("GET", &format!("/v1/posts?{query}"), None, &p.key).await;
        assert!(answer.status == 422 || query == "cursor=MS9wb3N0", "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn posts_come_from_files_all_or_none() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    p.rival(&product, "BERTA").await;
    let header = "creator,platform,url,published_at,impressions,likes,measured_at\n";
    let file = format!(
        "{header}@anna.home,Instagram,https://instagram.com/p/1,2026-10-01,1000,,\n\
        berta-berta,tiktok,https://tiktok.com/@b/1,2026-10-02T10:00:00Z,,5,2026-10-03\n"
    );
    let preview = import(&product, &p.key, "preview=true", &file).await.expect(200);
    assert_eq!(
        (&preview["new"], &preview["wrong"], &preview["taken_in"]),
        (&json!(2), &json!(0), &json!(0))
    );
    assert!(product.db.rows("SELECT id FROM posts").is_empty());
    let hash = |of: &Value| format!("hash={}", of["hash"].as_str().unwrap());
    import(&product, &p.key, &hash(&preview), &file.replace("p/1", "p/9")).await.expect(409);
    assert_eq!(import(&product, &p.key, &hash(&preview), &file).await.expect(200)["taken_in"], 2);
    // The same again changes nothing.
    product.pass(DAY_MS);
    let before = product.db.rows("SELECT * FROM post_metrics ORDER BY post_id");
    let again = import(&product, &p.key, "preview=true", &file).await.expect(200);
    assert_eq!((&again["new"], &again["measured"]), (&json!(0), &json!(0)));
    assert_eq!(import(&product, &p.key, &hash(&again), &file).await.expect(200)["taken_in"], 0);
    assert_eq!(product.db.rows("SELECT * FROM post_metrics ORDER BY post_id"), before);
    // What changed is told, what is known isn't.
    let more = file.replace(",1000,", ",2000,");
    let preview = import(&product, &p.key, "preview=true", &more).await.expect(200);
    assert_eq!(
        (&preview["rows"][0]["outcome"], &preview["rows"][1]["outcome"]),
        (&json!("measured"), &json!("known"))
    );
    import(&product, &p.key, &hash(&preview), &more).await.expect(200);
    assert_eq!(p.get(&product, "/v1/posts/summary").await["impressions"]["total"], 2_000);
    for (bad, why) in [
        ("@anna.home,instagram,https://instagram.com/p/3,2026-10-01,\"1,000\",,", "whole number"),
        ("@anna.home,instagram,https://instagram.com/p/3,2026-10-01,1e3,,", "whole number"),
        ("@anna.home,instagram,https://instagram.com/p/3,01.10.2026,,,", "published_at"),
        ("@anna.home,instagram,javascript:alert(1),2026-10-01,,,", "url"),
        ("@nobody,instagram,https://instagram.com/p/3,2026-10-01,,,", "no such creator"),
        ("@anna.home,instagram,https://tiktok.com/@b/1,2026-10-01,,,", "another deal"),
        (
            "@anna.home,instagram,https://instagram.com/p/1,2026-10-01,,,\n@anna.home,instagram,https://instagram.com/p/1,2026-10-01,,,",
            "twice",
        ),
        ("@anna.home,instagram", "number of cells"),
    ] {
        let file = format!(
            "{header}@anna.home,instagram,https://instagram.com/p/new,2026-10-01,1,,\n{bad}\n"
        );
        let preview = import(&product, &p.key, "preview=true", &file).await.expect(200);
        let told = preview["rows"].as_array().unwrap().last().unwrap()["reason"].as_str().unwrap();
        assert!(told.contains(why), "{bad}: {told}");
        import(&product, &p.key, "hash=x", &file).await.expect(422);
    }
    assert_eq!(product.db.rows("SELECT id FROM posts").len(), 2);
    import(&product, &p.key, "preview=true", "url,platform\nx,y\n").await.expect(422);
}

#[tokio::test]
async fn every_change_of_a_post_is_attributable() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let anna = token(&product, &p, &p.deal).await;
    let trail = || {
        product
            .db
            .rows("SELECT action FROM audit WHERE action LIKE 'post.%' OR action LIKE 'media%'")
    };
    let post = report(&product, &p, &p.deal, "https://instagram.com/p/1", Value::Null).await;
    let at = format!("/v1/posts/{}", post["id"].as_str().unwrap());
    product.call("PATCH", &at, Some(json!({ "state": "removed" })), &p.key).await.expect(200);
    p.post(&product, &format!("{at}/metrics"), json!({ "likes": 1 })).await.expect(201);
    let rates = json!({ "default": { "measure": "views", "cpm": usd("5.00") } });
    p.post(&product, "/v1/media-formulas", rates).await.expect(201);
    let mine = json!({ "deal_id": p.deal, "platform": "x", "url": "https://x.com/a/1", "published_at": "2026-10-01T10:00:00Z" });
    product.call("POST", "/v1/me/posts", Some(mine), &anna).await.expect(201);
    let hers = format!("/v1/me{}/metrics", at.strip_prefix("/v1").unwrap());
    product.call("POST", &hers, Some(json!({ "likes": 2 })), &anna).await.expect(201);
    let file =
        "creator,platform,url,published_at\nanna.home,blog,https://anna.example/a,2026-10-01\n";
    let preview = import(&product, &p.key, "preview=true", file).await.expect(200);
    let hash = format!("hash={}", preview["hash"].as_str().unwrap());
    import(&product, &p.key, &hash, file).await.expect(200);
    let actions: Vec<String> =
        trail().iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(actions.len(), POST_COMMANDS.len(), "{actions:?}");
}
