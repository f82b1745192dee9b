//! Reports: what each figure is, in which order and currency, over which days; and what bad input gets.

use serde_json::{Value, json};

use super::payouts::pay;
use super::scenario::push_clicks;
use crate::support::shop::{clicked, coded, order, refund, with};
use crate::support::{NOW_MS, PHONE, Product, Programme};

const DAY_MS: i64 = 86_400_000;
const REPORTS: [&str; 7] =
    ["overview", "creators", "campaigns", "stages", "sources", "cohorts", "posts"];

async fn report(product: &Product, p: &Programme, what: &str) -> Value {
    p.get(product, &format!("/v1/reports/{what}")).await
}

fn usd(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "USD" })
}

/// An order that was placed so many days before now.
fn placed(number: u64, days: i64) -> Value {
    let at = tributary::domain::time::to_rfc3339(NOW_MS - days * DAY_MS);
    with(order(number), json!({ "created_at": at, "updated_at": at }))
}

/// Anna with a code, and Berta with another.
async fn programme(product: &Product) -> (Programme, String, String) {
    let p = Programme::new(product).await;
    let code = json!({ "code": "ANNA", "create_in_store": false });
    p.post(product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
    let (deal, creator) = p.rival(product, "BERTA").await;
    (p, deal, creator)
}

fn row<'a>(report: &'a Value, creator: &str) -> &'a Value {
    report["data"].as_array().unwrap().iter().find(|row| row["creator_id"] == creator).unwrap()
}

#[tokio::test]
async fn money_of_other_currencies_is_never_added() {
    let product = Product::new();
    let (p, _, berta) = programme(&product).await;
    p.deliver(&product, &coded(placed(1, 1), "ANNA")).await;
    p.deliver(&product, &coded(placed(2, 1), "BERTA")).await;
    let mut euros = coded(placed(3, 1), "ANNA").to_string().replace("\"USD\"", "\"EUR\"");
    euros = euros.replace("\"currency\":\"USD\"", "\"currency\":\"EUR\"");
    p.deliver(&product, &euros.parse().unwrap()).await;
    let gift = json!({ "product": { "amount": "5.00", "currency": "EUR" } });
    pay(&product, &p.key, "g", &format!("/v1/deals/{}/costs", p.deal), gift).await.expect(201);
    let found = report(&product, &p, "creators").await;
    let anna = row(&found, &p.creator);
    assert_eq!(anna["figures"]["revenue"], usd("135.00"));
    assert_eq!(
        (&anna["figures"]["orders"], &anna["figures"]["other_orders"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&anna["figures"]["cost"], &anna["figures"]["return_on_spend"]),
        (&usd("13.50"), &json!("10"))
    );
    assert_eq!(found["totals"]["revenue"], usd("270.00"));
    let euros = report(&product, &p, "creators?currency=EUR").await;
    let anna = row(&euros, &p.creator);
    let eur = |amount: &str| json!({ "amount": amount, "currency": "EUR" });
    assert_eq!(
        (&anna["figures"]["revenue"], &anna["figures"]["gifts"], &anna["figures"]["cost"]),
        (&eur("135.00"), &eur("5.00"), &eur("18.50"))
    );
    assert_eq!(row(&euros, &berta)["figures"]["revenue"], eur("0.00"));
    let overview = report(&product, &p, "overview").await;
    assert_eq!(overview["currencies"], json!(["EUR", "USD"]));
    assert_eq!(
        (&overview["period"]["revenue"], &overview["period"]["other_orders"]),
        (&usd("270.00"), &json!(1))
    );
    let sources = report(&product, &p, "sources?currency=EUR").await;
    assert_eq!(sources["data"][0]["revenue"], eur("135.00"));
    let yen = report(&product, &p, "creators?currency=JPY").await;
    assert_eq!(yen["totals"]["revenue"], json!({ "amount": "0", "currency": "JPY" }));
}

#[tokio::test]
async fn a_period_is_of_the_brands_days_both_included() {
    let product = Product::new();
    let (p, ..) = programme(&product).await;
    product.db.execute("UPDATE brands SET timezone = 'America/New_York'").unwrap();
    // 2026-11-20 04:59:59 and 05:00:00 in UTC: the last second of a day there, and the first of the next.
    for (number, at) in [(1, "2026-11-20T04:59:59Z"), (2, "2026-11-20T05:00:00Z")] {
        let body = with(order(number), json!({ "created_at": at, "updated_at": at }));
        assert_eq!(p.deliver(&product, &coded(body, "ANNA")).await, 200);
    }
    let fee = json!({ "amount": usd("7.00") });
    pay(&product, &p.key, "f", &format!("/v1/deals/{}/fees", p.deal), fee).await.expect(201);
    let orders = async |query: &str| {
        let found = report(&product, &p, &format!("creators?{query}")).await;
        (found["totals"]["orders"].as_i64().unwrap(), found["totals"]["fees"]["amount"].clone())
    };
    assert_eq!(orders("to=2026-11-19").await, (1, json!("0.00")));
    assert_eq!(orders("from=2026-11-20").await, (1, json!("7.00")));
    assert_eq!(orders("from=2026-11-19&to=2026-11-19").await, (1, json!("0.00")));
    assert_eq!(orders("from=2026-11-19&to=2026-11-20").await, (2, json!("0.00")));
    assert_eq!(orders("from=2026-11-22&to=2026-11-22").await, (0, json!("7.00")));
    let overview = report(&product, &p, "overview?from=2026-11-20&to=2026-11-22").await;
    assert_eq!(
        (&overview["period"]["orders"], &overview["before"]["orders"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&overview["before"]["from"], &overview["before"]["to"]),
        (&json!("2026-11-17"), &json!("2026-11-19"))
    );
    let days: Vec<_> = overview["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| (day["day"].as_str().unwrap(), day["orders"].as_i64().unwrap()))
        .collect();
    assert_eq!(days, [("2026-11-20", 1), ("2026-11-21", 0), ("2026-11-22", 0)]);
}

#[tokio::test]
async fn rows_are_sorted_paged_and_given_as_a_file() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let bad = "=HYPERLINK(\"x\")";
    for n in 0..12_u64 {
        let name = if n == 3 { bad.to_owned() } else { format!("C{n}") };
        let body = json!({ "name": name, "handle": format!("c{n}") });
        let creator = p.post(&product, "/v1/creators", body).await.expect(201);
        let body = json!({ "creator_id": creator["id"], "campaign_id": p.campaign,
            "commission_percent": "10", "starts_at": "2026-01-01T00:00:00Z" });
        let deal = p.post(&product, "/v1/deals", body).await.expect(201);
        let path = format!("/v1/deals/{}/codes", deal["id"].as_str().unwrap());
        let code = json!({ "code": format!("C{n}"), "create_in_store": false });
        p.post(&product, &path, code).await.expect(201);
        for m in 0..n / 2 {
            p.deliver(&product, &coded(placed(n * 100 + m, 1), &format!("C{n}"))).await;
        }
    }
    let whole = report(&product, &p, "creators?sort=-orders&limit=200").await;
    let rows = whole["data"].as_array().unwrap();
    let orders: Vec<i64> = rows.iter().map(|r| r["figures"]["orders"].as_i64().unwrap()).collect();
    assert_eq!(orders, [5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0, 0]);
    assert!(whole["next_cursor"].is_null());
    // The best 10 % of 13 are two, 5 % one; of equal ones the earlier.
    assert_eq!(
        (&whole["top_5_percent"]["count"], &whole["top_10_percent"]["count"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(
        (&rows[0]["top_percent"], &rows[1]["top_percent"], &rows[2]["top_percent"]),
        (&json!(5), &json!(10), &Value::Null)
    );
    assert_eq!(whole["high_performers"]["count"], 2);
    let least = report(&product, &p, "creators?high_orders=4&high_return=10").await;
    assert_eq!(least["high_performers"]["count"], 4);
    let most = report(&product, &p, "creators?high_return=10.01").await;
    assert_eq!(most["high_performers"]["count"], 0);
    for limit in [1, 2, 5, 12, 13] {
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("creators?sort=-orders&limit={limit}{cursor}");
            let page = report(&product, &p, &path).await;
            assert_eq!(page["totals"], whole["totals"]);
            paged.extend(page["data"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(&paged, rows, "{limit}");
    }
    let file =
        product.call("GET", "/v1/reports/creators?sort=-orders&format=csv", None, &p.key).await;
    assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<&str> = file.text.lines().collect();
    assert_eq!(lines.len(), 14);
    let columns = lines[0].split(',').count();
    assert!(
        lines[1].split(',').count() == columns && lines[1].contains(",675.00,"),
        "{}",
        lines[1]
    );
    assert!(file.text.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{}", file.text);
    for what in REPORTS {
        let path = format!("/v1/reports/{what}?format=csv");
        let file = product.call("GET", &path, None, &p.key).await;
        assert_eq!(file.status, 200, "{what}: {}", file.text);
        let mut lines = file.text.lines();
        let columns = lines.next().unwrap().split(',').count();
        assert!(
            lines.all(|line| line.contains('"') || line.split(',').count() == columns),
            "{what}"
        );
    }
}

#[tokio::test]
async fn codes_and_links_stand_apart_whatever_becomes_of_their_orders() {
    let product = Product::new();
    let (p, rival, _) = programme(&product).await;
    let link = json!({ "slug": "anna" });
    p.post(&product, &format!("/v1/deals/{}/links", p.deal), link).await.expect(201);
    let mut clicks = Vec::new();
    for n in 0..4 {
        let to = product.visit("", "anna", "", &format!("{PHONE} {n}")).await.unwrap();
        clicks.push(to.rsplit_once("click_id=").unwrap().1.to_owned());
    }
    push_clicks(&product).await;
    product.pass(1000);
    let now = tributary::domain::time::to_rfc3339(product.app.now_ms());
    let linked = |number: u64, at: usize| {
        clicked(with(order(number), json!({ "created_at": now, "updated_at": now })), &clicks[at])
    };
    p.deliver(&product, &coded(placed(1, 0), "ANNA")).await;
    p.deliver(&product, &linked(2, 0)).await;
    p.deliver(&product, &linked(3, 1)).await;
    let of = async |product: &Product| {
        let found = report(product, &p, "sources").await;
        let row = |at: usize| {
            let row = &found["data"][at];
            (
                row["orders"].as_i64().unwrap(),
                row["revenue"]["amount"].as_str().unwrap().to_owned(),
                row["commission"]["amount"].as_str().unwrap().to_owned(),
            )
        };
        [row(0), row(1), row(2)]
    };
    let of_row = |orders, revenue: &str, commission: &str| {
        (orders, revenue.to_owned(), commission.to_owned())
    };
    assert_eq!(
        of(&product).await,
        [of_row(1, "135.00", "13.50"), of_row(2, "270.00", "27.00"), of_row(0, "0.00", "0.00")]
    );
    let found = report(&product, &p, "sources").await;
    assert_eq!(
        (&found["data"][1]["clicks"]["unique"], &found["data"][1]["conversion_percent"]),
        (&json!(4), &json!("50"))
    );
    assert_eq!(found["data"][0]["clicks"], Value::Null);
    p.verify(&product).await;
    // A cushion comes back of one, another is moved by hand, a third is cancelled.
    p.deliver(&product, &refund(9, 2, &[(2, 1, "22.50")])).await;
    let third = p.order(&product, 3).await["id"].as_str().unwrap().to_owned();
    let body = json!({ "deal_id": rival, "reason": "told so" });
    pay(&product, &p.key, "m", &format!("/v1/orders/{third}/move"), body).await.expect(200);
    assert_eq!(
        of(&product).await,
        [of_row(1, "135.00", "13.50"), of_row(1, "112.50", "11.25"), of_row(1, "135.00", "27.00")]
    );
    let gone = with(placed(1, 0), json!({ "cancelled_at": now, "updated_at": now }));
    p.deliver(&product, &coded(gone, "ANNA")).await;
    assert_eq!(
        of(&product).await,
        [of_row(0, "0.00", "0.00"), of_row(1, "112.50", "11.25"), of_row(1, "135.00", "27.00")]
    );
    // Moved within its deal: by hand from then on, of the same money.
    let second = p.order(&product, 2).await["id"].as_str().unwrap().to_owned();
    let body = json!({ "deal_id": rival, "reason": "hers" });
    pay(&product, &p.key, "m2", &format!("/v1/orders/{second}/move"), body).await.expect(200);
    let body = json!({ "deal_id": p.deal, "reason": "back" });
    pay(&product, &p.key, "m3", &format!("/v1/orders/{second}/move"), body).await.expect(200);
    assert_eq!(
        of(&product).await,
        [of_row(0, "0.00", "0.00"), of_row(0, "0.00", "0.00"), of_row(2, "247.50", "38.25")]
    );
    p.verify(&product).await;
}

#[tokio::test]
async fn cohorts_are_creators_by_the_month_of_their_first_deal() {
    let product = Product::new();
    let (p, _, _) = programme(&product).await;
    // Anna since September, Berta since November.
    let september = 1_788_300_000_000_i64;
    product
        .db
        .execute(&format!("UPDATE deals SET created_at_ms = {september} WHERE id = '{}'", p.deal))
        .unwrap();
    for (number, days, code) in [(1, 40, "ANNA"), (2, 1, "ANNA"), (3, 1, "ANNA"), (4, 1, "BERTA")] {
        p.deliver(&product, &coded(placed(number, days), code)).await;
    }
    let found = report(&product, &p, "cohorts?months=3").await;
    let rows = found["data"].as_array().unwrap();
    assert_eq!(
        (rows.len(), &rows[0]["cohort"], &rows[1]["cohort"]),
        (2, &json!("2026-09"), &json!("2026-11"))
    );
    let months: Vec<_> = rows[0]["months"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| {
            (
                m["month"].as_str().unwrap(),
                m["creators"].as_i64().unwrap(),
                m["orders"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(months, [("2026-09", 0, 0), ("2026-10", 1, 1), ("2026-11", 1, 2)]);
    assert_eq!(rows[1]["months"][0]["revenue"], usd("135.00"));
    let short = report(&product, &p, "cohorts?months=1").await;
    assert_eq!(short["data"][0]["cohort"], Value::Null, "before the first month");
    assert_eq!(short["data"][0]["months"][0]["orders"], 2);
}

#[tokio::test]
async fn posts_stand_beside_what_was_sold_around_them() {
    let product = Product::new();
    let (p, _, _) = programme(&product).await;
    let at = |days: i64| tributary::domain::time::to_rfc3339(NOW_MS - days * DAY_MS);
    for (days, url) in [(10, "https://blog.example/a"), (3, "https://blog.example/b")] {
        let post = json!({ "platform": "blog", "url": url, "published_at": at(days),
            "metrics": { "impressions": 1_000 } });
        p.post(&product, &format!("/v1/deals/{}/posts", p.deal), post).await.expect(201);
    }
    for (number, days) in [(1, 18), (2, 17), (3, 11), (4, 10), (5, 4), (6, 3), (7, 2)] {
        p.deliver(&product, &coded(placed(number, days), "ANNA")).await;
    }
    let found = report(&product, &p, "posts").await;
    let sold: Vec<_> = found["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|post| {
            (
                post["url"].as_str().unwrap(),
                post["before"]["orders"].as_i64().unwrap(),
                post["after"]["orders"].as_i64().unwrap(),
            )
        })
        .collect();
    // Seven days before the day of the post, and seven from it on.
    assert_eq!(sold, [("https://blog.example/b", 2, 2), ("https://blog.example/a", 2, 2)]);
    assert_eq!(found["data"][0]["earned_media_value"], usd("15.00"));
    let close = report(&product, &p, "posts?days=1&limit=1").await;
    assert_eq!(
        (&close["data"][0]["before"]["orders"], &close["data"][0]["after"]["revenue"]),
        (&json!(1), &usd("135.00"))
    );
    let next = close["next_cursor"].as_str().unwrap();
    let older = report(&product, &p, &format!("posts?days=1&limit=1&cursor={next}")).await;
    assert_eq!(older["data"][0]["url"], "https://blog.example/a");
}

#[tokio::test]
async fn the_overview_says_what_needs_a_hand() {
    let product = Product::new();
    let (p, ..) = programme(&product).await;
    let hand = async || report(&product, &p, "overview").await["needs_a_hand"].clone();
    for (name, count) in hand().await.as_object().unwrap() {
        assert_eq!(count, 0, "{name}");
    }
    assert_eq!(product.deliver(&p.store, crate::support::SECRET, b"not json").await, 200);
    let task = json!({ "text": "x", "due_on": "2026-11-21" });
    p.post(&product, &format!("/v1/deals/{}/follow-ups", p.deal), task).await.expect(201);
    let brand = p.brand["id"].as_str().unwrap();
    let day = NOW_MS / DAY_MS;
    for sql in [
        format!(
            "INSERT INTO store_days (brand_id, store_id, day, platform, known) VALUES ('{brand}', '{}', {}, 5, 4), ('{brand}', '{}', {}, 5, 5), ('{brand}', '{}', {}, 9, 0)",
            p.store,
            day - 1,
            p.store,
            day - 2,
            p.store,
            day - 61
        ),
        format!(
            "INSERT INTO codes (brand_id, code_key, id, deal_id, code, created_at_ms, state, counts) VALUES ('{brand}', 'x', 'x', '{}', 'X', 0, 'failed', 0)",
            p.deal
        ),
        format!(
            "INSERT INTO payouts (brand_id, id, currency, state, revision, created_at_ms) VALUES ('{brand}', 'payout_1', 'USD', 'draft', 0, 0), ('{brand}', 'payout_2', 'USD', 'approved', 0, 0)"
        ),
        format!(
            "INSERT INTO payout_lines (brand_id, payout_id, id, creator_id, amount_minor, state) VALUES ('{brand}', 'payout_2', 'a', 'c', 1, 'in_payout'), ('{brand}', 'payout_2', 'b', 'c', 1, 'failed'), ('{brand}', 'payout_2', 'd', 'c', 1, 'settled'), ('{brand}', 'payout_2', 'e', 'c', 1, 'in_payout')"
        ),
    ] {
        product.db.execute(&sql).unwrap();
    }
    assert_eq!(
        hand().await,
        json!({ "payout_drafts": 1, "unpaid_payments": 2, "failed_payments": 1, "failed_codes": 1,
            "quarantined": 1, "overdue_follow_ups": 1, "incomplete_days": 1,
            "unread_conversations": 0, "failed_automation_runs": 0, "open_claims": 0 })
    );
    // Another brand sees its own.
    let other = Programme::with(&product, "EUR", "10").await;
    let theirs = report(&product, &other, "overview").await;
    assert!(theirs["needs_a_hand"].as_object().unwrap().values().all(|count| *count == 0));
}

#[tokio::test]
async fn bad_questions_are_refused() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    for what in REPORTS {
        for bad in [
            "x=1",
            "currency=usd",
            "currency=XXX",
            "currency=",
            "format=pdf",
            "currency=USD&currency=EUR",
        ] {
            let path = format!("/v1/reports/{what}?{bad}");
            assert_eq!(product.call("GET", &path, None, &p.key).await.status, 422, "{path}");
        }
        if what == "cohorts" {
            continue;
        }
        for bad in [
            "from=2026-02-30",
            "from=yesterday",
            "from=1999-12-31",
            "to=2200-01-01",
            "from=2026-11-22T00:00:00Z",
            "from=2026-02-02&to=2026-02-01",
            "from=-1",
        ] {
            let path = format!("/v1/reports/{what}?{bad}");
            assert_eq!(product.call("GET", &path, None, &p.key).await.status, 422, "{path}");
        }
    }
    for bad in [
        "creators?sort=name",
        "creators?sort=-",
        "creators?sort=revenue;DROP",
        "creators?limit=0",
        "creators?limit=201",
        "creators?cursor=AAAA",
        "creators?cursor=!",
        "creators?campaign_id=x",
        "creators?high_orders=0",
        "creators?high_orders=1.5",
        "creators?high_return=-1",
        "creators?high_return=1e3",
        "creators?high_return=3.001",
        "creators?high_return=1000.01",
        "campaigns?sort=creators",
        "campaigns?high_orders=5",
        "cohorts?months=0",
        "cohorts?months=25",
        "cohorts?months=x",
        "cohorts?from=2026-01-01",
        "posts?days=0",
        "posts?days=31",
        "posts?deal_id=x",
        "posts?cursor=AAAA",
        "overview?from=2025-01-01&to=2026-11-22",
        "overview?sort=revenue",
        "overview?to=2000-01-01&from=2000-01-02",
    ] {
        let path = format!("/v1/reports/{bad}");
        assert_eq!(product.call("GET", &path, None, &p.key).await.status, 422, "{path}");
    }
    // At the ends of what there is.
    for good in [
        "creators?from=2000-01-01&to=2199-12-31",
        "creators?campaign_id=campaign_00000000000000000000000000",
        "overview?from=2000-01-01&to=2000-01-01",
        "overview?to=2199-12-31",
        "posts?from=2000-01-01&to=2000-01-01",
        "cohorts?months=24",
    ] {
        report(&product, &p, good).await;
    }
}
