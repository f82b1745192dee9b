//! The overview and the reports as pages: their figures are the API's, whatever they are sorted and narrowed by.

use serde_json::{Value, json};

use super::pages_brand::{Casa, casa, see, send, viewer};
use super::scenario::push_clicks;
use crate::support::people::Member;
use crate::support::shop::{coded, order, with};
use crate::support::{NOW_MS, PHONE, Product, Programme};

const REPORTS: [&str; 6] = ["creators", "campaigns", "stages", "sources", "cohorts", "posts"];

/// Casa with orders of two creators on several days, a click, a fee, a gift and a post.
async fn programme() -> (Casa, String) {
    let casa = casa().await;
    let (p, product) = (&casa.p, &casa.product);
    let (deal, creator) = p.rival(product, "BERTA").await;
    for number in 2..9_i64 {
        let at = tributary::domain::time::to_rfc3339(NOW_MS - number * 5 * 86_400_000);
        let code = if number % 3 == 0 { "ANNA" } else { "BERTA" };
        let body =
            with(order(number.unsigned_abs()), json!({ "created_at": at, "updated_at": at }));
        assert_eq!(p.deliver(product, &coded(body, code)).await, 200);
    }
    p.post(product, &format!("/v1/deals/{}/links", p.deal), json!({})).await.expect(201);
    product.visit("", "anna-home", "", PHONE).await.unwrap();
    push_clicks(product).await;
    let post = json!({ "platform": "blog", "url": "https://blog.example/p?a=1&b=2", "published_at": "2026-11-01T00:00:00Z",
        "metrics": { "impressions": 12_000 } });
    p.post(product, &format!("/v1/deals/{deal}/posts"), post).await.expect(201);
    (casa, creator)
}

/// What the cells of a page's table are worth, row by row: amounts and counts.
fn values(html: &str, row: &str) -> Vec<String> {
    let body = html.split("class=\"table report").nth(1).unwrap_or_default();
    let found = body.split("<tr>").find(|part| part.contains(row)).unwrap_or_default();
    let found = found.split("</tr>").next().unwrap_or_default();
    let all = found.split(" value=\"").skip(1);
    all.map(|part| part.split('"').next().unwrap_or_default().to_owned()).collect()
}

fn amount(value: &Value) -> String {
    value["amount"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn figures_are_the_apis() {
    let (casa, berta) = programme().await;
    let (p, product) = (&casa.p, &casa.product);
    let vera = viewer(&casa).await;
    for query in
        ["", "period=all", "period=7d", "from=2026-10-20&to=2026-11-05", "period=last-month"]
    {
        let days = match query {
            "" => "from=2026-10-24&to=2026-11-22",
            "period=all" => "",
            "period=7d" => "from=2026-11-16&to=2026-11-22",
            "period=last-month" => "from=2026-10-01&to=2026-10-31",
            own => own,
        };
        let report = p.get(product, &format!("/v1/reports/creators?{days}")).await;
        for who in [&casa.olga, &vera] {
            let page = see(&casa, who, &format!("/reports/creators?{query}")).await;
            assert_eq!(page.status, 200, "{}", page.text);
            for row in report["data"].as_array().unwrap() {
                let figures = &row["figures"];
                let shown = values(&page.text, row["creator_id"].as_str().unwrap());
                assert_eq!(shown.first(), Some(&amount(&figures["revenue"])), "{query}");
                assert_eq!(shown.get(1), Some(&figures["orders"].to_string()), "{query}");
                for what in ["commission", "cost"] {
                    assert!(shown.contains(&amount(&figures[what])), "{query}: {what} {shown:?}");
                }
                for what in ["conversion_percent", "revenue_per_commission", "return_on_spend"] {
                    let told = figures[what].as_str().unwrap_or("–");
                    assert!(page.text.contains(told), "{query}: {what}");
                }
            }
            let total = format!("value=\"{}\"", amount(&report["totals"]["revenue"]));
            assert!(page.text.contains(&total));
            let best = report["top_5_percent"]["share_percent"].as_str();
            assert!(page.text.contains(best.unwrap_or("–")));
        }
        let campaigns = p.get(product, &format!("/v1/reports/campaigns?{days}")).await;
        let page = see(&casa, &casa.olga, &format!("/reports/campaigns?{query}")).await;
        let row = &campaigns["data"][0];
        let shown = values(&page.text, row["campaign_id"].as_str().unwrap());
        assert_eq!(shown.get(1), Some(&amount(&row["figures"]["revenue"])), "{query} {shown:?}");
        let sources = p.get(product, &format!("/v1/reports/sources?{days}")).await;
        let page = see(&casa, &casa.olga, &format!("/reports/sources?{query}")).await;
        let shown = values(&page.text, ">Codes<");
        assert_eq!(shown.first(), Some(&amount(&sources["data"][0]["revenue"])), "{query}");
    }
    let stages = p.get(product, "/v1/reports/stages").await;
    let page = see(&casa, &casa.olga, "/reports/stages?period=all").await;
    for stage in stages["data"][0]["stages"].as_array().unwrap() {
        let shown =
            values(&page.text, &format!("<th scope=\"row\">{}<", stage["stage"].as_str().unwrap()));
        let told = [&stage["here_or_further"], &stage["deals"], &stage["closed"]];
        assert_eq!(shown[..3], told.map(ToString::to_string));
        assert_eq!(shown[3], amount(&stage["figures"]["revenue"]));
    }
    let cohorts = p.get(product, "/v1/reports/cohorts").await;
    let page = see(&casa, &casa.olga, "/reports/cohorts").await;
    for month in cohorts["data"][0]["months"].as_array().unwrap() {
        assert!(page.text.contains(&format!("value=\"{}\"", amount(&month["revenue"]))));
    }
    let posts = p.get(product, "/v1/reports/posts").await;
    let page = see(&casa, &casa.olga, "/reports/posts?period=all").await;
    let shown = values(&page.text, "https://blog.example/");
    let (before, after) = (&posts["data"][0]["before"], &posts["data"][0]["after"]);
    assert!(
        shown.contains(&amount(&before["revenue"])) && shown.contains(&amount(&after["revenue"]))
    );
    assert!(page.text.contains("p?a=1&#38;b=2") || page.text.contains("p?a=1&amp;b=2"));
    assert!(!berta.is_empty());
}

#[tokio::test]
async fn the_overview_is_a_period_against_the_one_before() {
    let (casa, _) = programme().await;
    let (p, product) = (&casa.p, &casa.product);
    for (query, days) in [
        ("", ""),
        ("?period=7d", "?from=2026-11-16&to=2026-11-22"),
        ("?from=2026-11-01&to=2026-11-10", "?from=2026-11-01&to=2026-11-10"),
    ] {
        let told = p.get(product, &format!("/v1/reports/overview{days}")).await;
        let page = see(&casa, &casa.olga, query).await;
        assert_eq!(page.status, 200);
        // They ask for themselves again, over the same days.
        let asks = format!("hx-get=\"{}{}\"", casa.home, query.replace('&', "&amp;"));
        assert!(page.text.contains(&asks), "{asks}");
        let figures =
            page.text.split("id=\"figures\"").nth(1).unwrap().split("</dl>").next().unwrap();
        for span in ["period", "before"] {
            for what in ["revenue", "commission", "paid"] {
                let value = format!("value=\"{}\"", amount(&told[span][what]));
                assert!(figures.contains(&value), "{query}: {span} {what}");
            }
            for count in [&told[span]["orders"], &told[span]["clicks"]["unique"]] {
                assert!(figures.contains(&format!("value=\"{count}\"")), "{query}: {span}");
            }
        }
        for day in told["series"].as_array().unwrap() {
            let head =
                format!("<th scope=\"row\"><time datetime=\"{}\"", day["day"].as_str().unwrap());
            let row = page.text.split("<tr>").find(|row| row.starts_with(&head)).unwrap();
            assert!(row.contains(&format!("value=\"{}\"", amount(&day["revenue"]))), "{query}");
        }
        let owed = format!("value=\"{}\"", amount(&told["owed"]["owed"]));
        assert!(page.text.contains(&owed));
    }
    // What can't be read is said, and the usual period is shown.
    for bad in [
        "?from=x",
        "?from=2026-11-10&to=2026-11-01",
        "?from=2020-01-01&to=2026-11-01",
        "?currency=XXX",
    ] {
        let page = see(&casa, &casa.olga, bad).await;
        assert_eq!(page.status, 422, "{bad}");
        assert!(
            page.text.contains("role=\"alert\"") && page.text.contains("id=\"figures\""),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn what_needs_a_hand_has_a_way_there() {
    let (casa, _) = programme().await;
    let (p, product) = (&casa.p, &casa.product);
    assert!(see(&casa, &casa.olga, "").await.text.contains("Nothing at the moment."));
    let deal = format!("/v1/deals/{}", p.deal);
    let todo = json!({ "text": "Ask <b>her", "due_on": "2026-01-05" });
    p.post(product, &format!("{deal}/follow-ups"), todo).await.expect(201);
    let brand = p.brand["id"].as_str().unwrap();
    product.db.execute("UPDATE codes SET state = 'failed'").unwrap();
    let run = |id: &str, state: &str, at: i64| {
        format!(
            "INSERT INTO automation_runs (brand_id, id, automation_id, deal_id, once, cause, chain, steps, state, created_at_ms, ended_at_ms)
             VALUES ('{brand}', 'run_{id}', 'automation_1', '{}', '{id}', 'x', '[]', '[]', '{state}', 0, {at})",
            p.deal
        )
    };
    for (id, state, at) in
        [("1", "failed", NOW_MS), ("2", "failed", NOW_MS - 20 * 86_400_000), ("3", "done", NOW_MS)]
    {
        product.db.execute(&run(id, state, at)).unwrap();
    }
    let told = p.get(product, "/v1/reports/overview").await;
    assert_eq!(told["needs_a_hand"]["failed_automation_runs"], 1);
    let page = see(&casa, &casa.olga, "").await.text;
    for (text, way) in [
        ("1 follow-up is overdue", format!("/deals/{}\">Ask &#60;b&#62;her", p.deal)),
        ("codes failed", format!("/deals/{}\">ANNA", p.deal)),
        ("1 run of an automation failed", "/automations\"".to_owned()),
    ] {
        assert!(page.contains(text) && page.contains(&way), "{text}: {way}");
    }
}

#[tokio::test]
async fn tables_are_sorted_as_the_api_sorts_and_files_have_their_rows() {
    let (casa, _) = programme().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let places = |html: &str, ids: &[&str]| -> Vec<usize> {
        ids.iter().map(|id| html.find(&format!("/creators/{id}\"")).unwrap()).collect()
    };
    for sort in [
        "revenue",
        "-revenue",
        "orders",
        "-commission",
        "conversion",
        "-deals",
        "earned_media_value",
    ] {
        let report = p.get(product, &format!("/v1/reports/creators?sort={sort}")).await;
        let ids: Vec<&str> = report["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["creator_id"].as_str().unwrap())
            .collect();
        let page = see(&casa, olga, &format!("/reports/creators?period=all&sort={sort}")).await;
        let found = places(&page.text, &ids);
        assert!(found.is_sorted() && found.len() == 2, "{sort}: {found:?}");
        let direction = if sort.starts_with('-') { "descending" } else { "ascending" };
        assert!(page.text.contains(&format!("aria-sort=\"{direction}\"")), "{sort}");
    }
    for what in REPORTS {
        let file = see(&casa, olga, &format!("/reports/{what}?period=all&format=csv")).await;
        let api =
            product.call("GET", &format!("/v1/reports/{what}?format=csv"), None, &p.key).await.text;
        assert_eq!((file.status, &file.text), (200, &api), "{what}");
    }
    let sorted = see(&casa, olga, "/reports/sources?period=all&sort=revenue").await.text;
    assert!(sorted.find(">Codes<").unwrap() > sorted.find(">Links<").unwrap());
    let page = see(&casa, olga, "/reports/creators?sort=name").await;
    assert!(page.status == 422 && page.text.contains("role=\"alert\""));
}

#[tokio::test]
async fn reports_take_filters_of_deals_and_segments() {
    let (casa, berta) = programme().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let body = json!({ "tags": ["vip"] });
    product.call("PATCH", &format!("/v1/deals/{}", p.deal), Some(body), &p.key).await.expect(200);
    let segment = json!({ "name": "Stars", "filter": "tag = \"vip\"" });
    let segment = p.post(product, "/v1/segments", segment).await.expect(201);
    let segment = segment["id"].as_str().unwrap();
    let all = p.get(product, "/v1/reports/creators").await;
    assert_eq!(all["creators"], 2);
    for narrowed in ["filter=tag+%3D+%22vip%22".to_owned(), format!("segment={segment}")] {
        let found = p.get(product, &format!("/v1/reports/creators?{narrowed}")).await;
        assert_eq!(
            (&found["creators"], &found["data"][0]["creator_id"]),
            (&json!(1), &json!(p.creator))
        );
        let mut sum = 0.0;
        for row in all["data"].as_array().unwrap() {
            if row["creator_id"] == json!(p.creator) {
                assert_eq!(row["figures"], found["data"][0]["figures"]);
                sum = amount(&row["figures"]["revenue"]).parse().unwrap();
            }
        }
        assert!(sum > 0.0);
        for what in ["campaigns", "sources", "stages"] {
            let found = p.get(product, &format!("/v1/reports/{what}?{narrowed}")).await;
            let told = match what {
                "campaigns" => amount(&found["totals"]["revenue"]),
                "sources" => amount(&found["revenue"]),
                _ => amount(&found["data"][0]["stages"][0]["figures"]["revenue"]),
            };
            assert_eq!(
                told,
                amount(
                    &all["data"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .find(|row| row["creator_id"] == json!(p.creator))
                        .unwrap()["figures"]["revenue"]
                ),
                "{what}"
            );
        }
        let clicks = p.get(product, &format!("/v1/reports/sources?{narrowed}")).await;
        assert_eq!(clicks["data"][1]["clicks"]["unique"], 1);
        let page = see(&casa, olga, &format!("/reports/creators?period=all&{narrowed}")).await.text;
        assert!(
            page.contains(&format!("/creators/{}\"", p.creator))
                && !page.contains(&format!("/creators/{berta}\""))
        );
    }
    let none = p.get(product, "/v1/reports/sources?filter=NOT+tag+%3D+%22vip%22").await;
    assert_eq!(none["data"][1]["clicks"]["unique"], 0);
    let kind = segment.split('_').next().unwrap();
    let none = format!("segment={kind}_00000000000000000000000000");
    for (query, status) in [
        ("filter=x+%3D", 422),
        ("filter=%22%3Cscript%3E", 422),
        ("segment=x", 422),
        (none.as_str(), 404),
    ] {
        for what in ["creators", "campaigns", "sources", "stages"] {
            assert_eq!(
                product
                    .call("GET", &format!("/v1/reports/{what}?{query}"), None, &p.key)
                    .await
                    .status,
                status,
                "{what} {query}"
            );
            let page = see(&casa, olga, &format!("/reports/{what}?{query}")).await;
            assert_eq!(page.status, status, "{what} {query}");
            assert!(!page.text.contains("\"<script>"));
        }
    }
}

#[tokio::test]
async fn what_if_says_what_the_simulation_says() {
    let (casa, _) = programme().await;
    let (p, product) = (&casa.p, &casa.product);
    let vera = viewer(&casa).await;
    let body = json!({ "changes": { "terms": { "commission_percent": "20" } }, "from": "2026-10-20", "to": "2026-11-22" });
    let told = p.post(product, "/v1/simulations", body).await.expect(200);
    let form = [
        ("rate", "20"),
        ("from", "2026-10-20"),
        ("to", "2026-11-22"),
        ("metric", "orders"),
        ("tier_period", "month"),
    ];
    for who in [&casa.olga, &vera] {
        let before = product.db.checksum();
        let page = send(&casa, who, "/reports/what-if", &form).await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(product.db.checksum() == before, "nothing is changed");
        for row in told["creators"].as_array().unwrap() {
            let shown = values(
                page.text.split("id=\"who\"").nth(1).unwrap(),
                row["creator_id"].as_str().unwrap(),
            );
            let of = |name: &str| row[name].as_str().unwrap().to_owned();
            assert_eq!(shown, [of("before"), of("after"), of("difference")]);
        }
        assert!(
            page.text.contains("name=\"rate\" type=\"decimal\" value=\"20\""),
            "what was typed stays"
        );
    }
    let tiers = [("from_1", "2"), ("rate_1", "30"), ("metric", "orders"), ("tier_period", "all")];
    let body = json!({ "changes": { "tiers": { "metric": "orders", "period": "all",
        "levels": [{ "name": "Level 1", "threshold": "2", "commission_percent": "30" }] } } });
    let told = p.post(product, "/v1/simulations", body).await.expect(200);
    let page = send(&casa, &casa.olga, "/reports/what-if", &tiers).await;
    assert!(
        page.text.contains(&format!("value=\"{}\"", told["cost"][0]["after"].as_str().unwrap()))
    );
    // Sorted by a head, the same rows in another order; the file has all deals.
    let body = json!({ "changes": { "terms": { "commission_percent": "20" } } });
    let told = p.post(product, "/v1/simulations", body).await.expect(200);
    let deals = told["deals"].as_array().unwrap();
    assert!(deals.len() > 1, "{told}");
    let cents = |row: &Value, name: &str| {
        row[name].as_str().unwrap().replace('.', "").parse::<i64>().unwrap()
    };
    for (sort, name, falls) in [("before", "before", false), ("-after", "after", true)] {
        let page =
            send(&casa, &casa.olga, "/reports/what-if", &[("rate", "20"), ("sort", sort)]).await;
        let table = page.text.split("id=\"deals\"").nth(1).unwrap();
        let mut wanted: Vec<&Value> = deals.iter().collect();
        wanted.sort_by_key(|row| if falls { -cents(row, name) } else { cents(row, name) });
        let at: Vec<usize> = wanted
            .iter()
            .map(|row| table.find(row["deal_id"].as_str().unwrap()).unwrap())
            .collect();
        assert!(at.is_sorted(), "{sort}: {at:?}");
    }
    let form = [("rate", "20"), ("format", "csv")];
    let file = send(&casa, &casa.olga, "/reports/what-if", &form).await;
    assert!(file.headers["content-disposition"].to_str().unwrap().contains("what-if.csv"));
    for row in deals {
        let (id, after) = (row["deal_id"].as_str().unwrap(), row["after"].as_str().unwrap());
        let line = file.text.lines().find(|line| line.starts_with(id)).unwrap();
        assert!(line.contains(&format!(",{after},")), "{line}");
    }
    for (bad, status) in [
        (&[][..], 422),
        (&[("rate", "120")], 422),
        (&[("rate", "x")], 422),
        (&[("rate", "10"), ("from", "x")], 422),
        (&[("window_days", "0")], 422),
        (&[("window_days", "99999999")], 422),
        (&[("precedence", "x")], 422),
        (&[("rate", "10"), ("flat", "x")], 422),
        (&[("rate", "10"), ("campaign_id", "x")], 422),
        (&[("from_1", "5")], 422),
        (&[("from_1", "5"), ("rate_1", "10"), ("metric", "x")], 422),
    ] {
        let page = send(&casa, &casa.olga, "/reports/what-if", bad).await;
        assert_eq!(page.status, status, "{bad:?}");
        assert!(page.text.contains("role=\"alert\""), "{bad:?}");
    }
}

#[tokio::test]
async fn a_new_brand_is_told_its_first_steps() {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let olga = Member::joins(&product, "owner@casa.example", 1).await;
    let home = format!("/b/{}", p.brand["id"].as_str().unwrap());
    let headers = [("accept", "text/html")];
    let see = async |path: &str| {
        olga.browser.send_with(&product, "GET", &format!("{home}{path}"), None, &headers).await
    };
    let page = see("").await;
    assert!(page.status == 200 && page.text.contains("First steps"));
    assert_eq!(
        page.text.matches(">Done<").count(),
        4,
        "a store, a campaign, a creator and a deal are there"
    );
    for what in REPORTS {
        let page = see(&format!("/reports/{what}")).await;
        assert_eq!(page.status, 200, "{what}");
    }
    p.deliver(&product, &order(1)).await;
    assert!(!see("").await.text.contains("First steps"));
}

#[tokio::test]
async fn what_is_asked_wrongly_is_said_on_the_page() {
    let casa = casa().await;
    let vera = viewer(&casa).await;
    assert_eq!(see(&casa, &vera, "/reports").await.status, 303);
    for what in REPORTS {
        let page =
            see(&casa, &vera, &format!("/reports/{what}?from=2020-01-01&to=2020-01-02")).await;
        assert_eq!(page.status, 200, "{what}");
        for bad in ["from=x", "to=2026-99-99", "from=2026-11-02&to=2026-11-01", "currency=X"] {
            let page = see(&casa, &vera, &format!("/reports/{what}?{bad}")).await;
            let taken = what == "cohorts" && !bad.starts_with("currency");
            assert_eq!(page.status, if taken { 200 } else { 422 }, "{what} {bad}");
            assert_eq!(page.text.contains("role=\"alert\""), !taken, "{what} {bad}");
        }
    }
    for bad in [
        "creators?cursor=x",
        "posts?cursor=x",
        "posts?days=0",
        "cohorts?months=25",
        "creators?high_orders=x",
    ] {
        assert_eq!(see(&casa, &vera, &format!("/reports/{bad}")).await.status, 422, "{bad}");
    }
}

/// More posts than a page has are sorted as a whole, not by page.
#[tokio::test]
async fn posts_are_sorted_over_pages() {
    let (casa, _) = programme().await;
    let mut file = String::from("deal_id,platform,url,published_at,impressions\n");
    for n in 0..230 {
        // The oldest was seen most.
        let (deal, day, seen) = (&casa.p.deal, 1 + n / 10, 1_000 - n);
        let url = format!("https://www.instagram.com/p/Post{n:03}x/");
        file.push_str(&format!("{deal},instagram,{url},2026-10-{day:02},{seen}\n"));
    }
    let form = [("kind", "posts"), ("csv", &*file)];
    let told = send(&casa, &casa.olga, "/imports", &form).await;
    let hash = told.text.split("name=\"hash\" value=\"").nth(1).unwrap();
    let hash = hash.split('"').next().unwrap();
    let form = [("kind", "posts"), ("csv", &*file), ("hash", hash)];
    assert_eq!(send(&casa, &casa.olga, "/imports", &form).await.status, 303);
    let see = async |query: &str| {
        let path = format!("/reports/posts?from=2026-10-01&to=2026-11-30{query}");
        see(&casa, &casa.olga, &path).await.text
    };
    let latest = see("").await;
    assert!(latest.contains("Next page") && !latest.contains("Post000x"));
    let most = see("&sort=-impressions").await;
    assert!(!most.contains("Next page") && !most.contains("Post229x"));
    assert!(most.find("Post000x").unwrap() < most.find("Post001x").unwrap());
    assert!(see("&sort=impressions").await.contains("Post229x"));
}
