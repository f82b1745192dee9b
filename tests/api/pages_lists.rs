//! The lists of creators and deals: what a filter finds and what it brought, sorted, as a file, and saved as a segment.

use serde_json::json;

use super::pages_brand::{Casa, casa, see, send, viewer};
use crate::support::Answer;
use crate::support::shop::{coded, order, with};

const HOSTILE: &str = "<script>hit=1</script>\"><img src=x onerror=hit=1>{{7*7}}'";

fn location(answer: &Answer) -> &str {
    answer.headers["location"].to_str().unwrap()
}

/// Casa with a second creator, whose deal brought more.
async fn two() -> (Casa, String) {
    let casa = casa().await;
    let (deal, creator) = casa.p.rival(&casa.product, "BERTA").await;
    for number in 2..8 {
        assert_eq!(casa.p.deliver(&casa.product, &coded(order(number), "BERTA")).await, 200);
    }
    let niche = json!({ "niche": HOSTILE, "followers": 12_000, "tags": ["vip"] });
    let path = format!("/v1/creators/{creator}");
    casa.product.call("PATCH", &path, Some(niche), &casa.p.key).await.expect(200);
    (casa, deal)
}

fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The ids of the deals in the order that the page has them in.
fn ids(page: &str) -> Vec<&str> {
    let parts = page.split("name=\"deal\" value=\"").skip(1);
    parts.map(|part| part.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn a_filter_finds_the_deals_that_the_api_finds() {
    let (casa, berta) = two().await;
    let (p, product) = (&casa.p, &casa.product);
    for filter in
        ["", "revenue > 500", "revenue <= 500", "tag = \"vip\"", "NOT tag = \"vip\"", "orders >= 1"]
    {
        for sort in ["", "-revenue", "revenue", "name", "-orders"] {
            let asked = query(&[("filter", filter), ("sort", sort)]);
            let page = see(&casa, &casa.olga, &format!("/deals?{asked}")).await;
            assert_eq!(page.status, 200, "{asked}: {}", page.text);
            let own: Vec<(&str, &str)> = [("filter", filter), ("sort", sort)]
                .into_iter()
                .filter(|(_, v)| !v.is_empty())
                .collect();
            let found = p.get(product, &format!("/v1/deals?{}", query(&own))).await;
            let found: Vec<&str> = found["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|deal| deal["id"].as_str().unwrap())
                .collect();
            assert_eq!(ids(&page.text), found, "{asked}");
            assert!(!page.text.contains("<script>hit"));
        }
    }
    // The figures are the API's.
    let told = p
        .get(product, &format!("/v1/deals/{berta}/performance?from=2020-01-01&to=2030-01-01"))
        .await;
    let page =
        see(&casa, &casa.olga, "/deals?columns=clicks,orders,revenue,commission,conversion,tags")
            .await;
    let row = page
        .text
        .split(&format!("value=\"{berta}\""))
        .nth(1)
        .unwrap()
        .split("</tr>")
        .next()
        .unwrap();
    for name in ["revenue", "commission"] {
        let amount = told[name][0]["amount"].as_str().unwrap();
        assert!(row.contains(&format!("value=\"{amount}\"")), "{name} {amount}: {row}");
    }
    assert!(row.contains(&format!("class=\"count\" value=\"{}\"", told["orders"])), "{row}");
}

#[tokio::test]
async fn pickers_become_conditions_and_conditions_are_taken_away() {
    let (casa, _) = two().await;
    let see_at = async |path: &str| see(&casa, &casa.olga, path).await;
    let picked = query(&[
        ("filter", "has_code OR has_link"),
        ("q", "ber\"ta"),
        ("measure", "revenue"),
        ("op", ">="),
        ("value", "1,500"),
        ("period", "all"),
        ("tag", ""),
        ("has", "NOT invited"),
        ("sort", "-revenue"),
    ]);
    let led = see_at(&format!("/deals?{picked}")).await;
    assert_eq!(led.status, 303);
    let asked =
        form_urlencoded::parse(location(&led).split_once('?').unwrap().1.as_bytes()).into_owned();
    let asked: Vec<(String, String)> = asked.collect();
    assert_eq!(
        asked[0].1,
        "(has_code OR has_link) AND \"ber\\\"ta\" AND NOT invited AND revenue[all] >= 1500"
    );
    assert_eq!(asked[1], ("sort".to_owned(), "-revenue".to_owned()));
    let page = see_at(location(&led).strip_prefix(&casa.home).unwrap()).await;
    assert!(
        page.status == 200 && page.text.matches("aria-label=\"Take away:").count() == 4,
        "{}",
        page.text
    );
    let member = casa.product.db.rows("SELECT id FROM members")[0]["id"].clone();
    let mine = format!("owner = {member}");
    for (picked, means) in [
        (&[("kind", "gifting"), ("country", "de")][..], "kind = \"gifting\" AND country = \"DE\""),
        (&[("owner", "me")], &*mine),
        (&[("owner", "nobody")], "owner = unknown"),
        (&[("owner", "x")], ""),
        (&[("measure", "days_since_last_sale"), ("value", "30")], "days_since_last_sale >= 30"),
        (&[("measure", "engagement"), ("value", "2.5")], "engagement >= 2.5"),
        (
            &[("measure", "revenue_per_commission"), ("value", "8"), ("period", "90d")],
            "revenue_per_commission[90d] >= 8",
        ),
    ] {
        let led = see_at(&format!("/deals?{}", query(picked))).await;
        let there = location(&led).strip_prefix(&casa.home).unwrap();
        let wanted = match means {
            "" => "/deals".to_owned(),
            means => format!("/deals?{}", query(&[("filter", means)])),
        };
        assert_eq!(there, wanted, "{picked:?}");
        assert_eq!(see_at(there).await.status, 200, "{means}");
    }
    // Nothing that is picked says anything else; a word that isn't one of the choices counts for nothing.
    let odd = query(&[
        ("tag", "x\" OR revenue > 0 OR tag = \""),
        ("has", "revenue > 0"),
        ("value", "1"),
        ("op", "OR 1"),
        ("measure", "x"),
    ]);
    let led = see_at(&format!("/creators?{odd}")).await;
    let page = see_at(location(&led).strip_prefix(&casa.home).unwrap()).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("Nobody fits") && page.text.matches("Take away:").count() == 2,
        "{}",
        page.text
    );
    // Columns.
    let led = see_at("/deals?filter=orders+%3E%3D+1&column=&column=stage&column=tags").await;
    assert!(
        location(&led).ends_with("/deals?filter=orders+%3E%3D+1&columns=stage%2Ctags"),
        "{}",
        location(&led)
    );
    let page = see_at("/deals?columns=stage,nonsense").await.text;
    let heads = page.split("<thead>").nth(1).unwrap().split("</thead>").next().unwrap();
    assert!(heads.contains(">Stage<") && !heads.contains("Revenue"), "{heads}");
}

#[tokio::test]
async fn what_is_wrong_with_a_filter_is_said_in_the_list() {
    let (casa, _) = two().await;
    for path in ["/deals", "/creators"] {
        for (filter, sort) in [
            ("revenue >", ""),
            ("nonsense = 1", ""),
            ("has_code AND", ""),
            ("has_code", "height"),
            ("\u{0}", ""),
            (HOSTILE, ""),
        ] {
            let asked = query(&[("filter", filter), ("sort", sort)]);
            let page = see(&casa, &casa.olga, &format!("{path}?{asked}")).await;
            assert_eq!(page.status, 422, "{filter} {sort}: {}", page.text);
            assert!(
                page.text.contains("role=\"alert\" id=\"filter-wrong\"")
                    && !page.text.contains("<script>hit")
            );
        }
        for asked in
            ["segment=seg_nonsense", "segment=x", "cursor=abc", "filter=has_code&cursor=abc"]
        {
            let page = see(&casa, &casa.olga, &format!("{path}?{asked}")).await;
            assert_eq!(page.status, 422, "{path} {asked}: {}", page.text);
        }
    }
}

#[tokio::test]
async fn a_filter_is_saved_as_a_segment_and_removed() {
    let (casa, berta) = two().await;
    let segments = async || casa.p.get(&casa.product, "/v1/segments").await["data"].clone();
    let form = [("name", "High & up"), ("filter", "revenue > 500"), ("sort", "-revenue")];
    let made = send(&casa, &casa.olga, "/deals/segments", &form).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let page = see(&casa, &casa.olga, location(&made).strip_prefix(&casa.home).unwrap()).await.text;
    assert!(page.contains("The segment is saved") && page.contains("High &#38; up"));
    assert_eq!(ids(&page), [berta.as_str()]);
    // A name that is taken, a name that is none, a filter that is none: said in the list, and nothing is saved.
    for (name, filter, status) in
        [("High & up", "has_code", 409), ("", "has_code", 422), ("New", "revenue >", 422)]
    {
        let before = casa.product.db.checksum();
        let form = [("name", name), ("filter", filter), ("sort", ""), ("columns", "")];
        for path in ["/deals/segments", "/creators/segments"] {
            let told = send(&casa, &casa.olga, path, &form).await;
            assert_eq!(told.status, status, "{name}: {}", told.text);
            assert!(
                told.text.contains("role=\"alert\"") && told.text.contains("<h1>"),
                "{}",
                told.text
            );
        }
        assert!(casa.product.db.checksum() == before);
    }
    let vera = viewer(&casa).await;
    assert_eq!(send(&casa, &vera, "/deals/segments", &form).await.status, 403);
    let id = segments().await[0]["id"].clone();
    let id_form = [("id", id.as_str().unwrap()), ("name", "Up"), ("sort", "-revenue")];
    assert_eq!(send(&casa, &vera, "/deals/segments/name", &id_form).await.status, 403);
    let renamed = send(&casa, &casa.olga, "/deals/segments/name", &id_form).await;
    assert!(location(&renamed).ends_with(&format!("?segment={}&done=saved", id.as_str().unwrap())));
    assert_eq!((&segments().await[0]["name"], &segments().await[0]["id"]), (&json!("Up"), &id));
    let unnamed = [("id", id.as_str().unwrap()), ("name", " ")];
    for path in ["/deals/segments/name", "/creators/segments/name"] {
        let told = send(&casa, &casa.olga, path, &unnamed).await;
        assert_eq!(told.status, 422, "{}", told.text);
        let alert = told.text.split("role=\"alert\"").nth(1).unwrap();
        assert!(alert.contains("Rename the segment"), "{}", told.text);
        assert!(!told.text.contains("id=\"filter-wrong\""), "the filter is right");
    }
    assert_eq!(segments().await[0]["name"], "Up");
    let form = [("id", id.as_str().unwrap())];
    assert_eq!(send(&casa, &vera, "/deals/segments/removal", &form).await.status, 403);
    assert_eq!(send(&casa, &casa.olga, "/creators/segments/removal", &form).await.status, 303);
    assert_eq!(segments().await, json!([]));
    assert_eq!(
        send(&casa, &casa.olga, "/deals/segments/removal", &[("id", "x")]).await.status,
        404
    );
}

#[tokio::test]
async fn creators_have_what_their_deals_brought_and_lists_are_files() {
    let (casa, berta) = two().await;
    let (p, product) = (&casa.p, &casa.product);
    let page = see(&casa, &casa.olga, "/creators?filter=revenue+%3E+500").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let told = p
        .get(product, &format!("/v1/deals/{berta}/performance?from=2020-01-01&to=2030-01-01"))
        .await;
    let revenue = told["revenue"][0]["amount"].as_str().unwrap();
    assert!(
        page.text.contains(&format!("value=\"{revenue}\"")) && page.text.contains("12,000"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("/deals?filter=revenue+%3E+500"),
        "the way to their deals keeps the filter"
    );
    for (path, rows) in [
        ("/deals", 2),
        ("/creators", 2),
        ("/deals?filter=revenue+%3E+500", 1),
        ("/creators?filter=revenue+%3E+500", 1),
    ] {
        let sign = if path.contains('?') { '&' } else { '?' };
        let file = see(&casa, &casa.olga, &format!("{path}{sign}format=csv")).await;
        assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
        assert_eq!(file.text.trim_end().lines().count(), rows + 1, "{path}: {}", file.text);
        assert!(file.text.contains(&format!("{revenue} USD")), "{}", file.text);
    }
    // Who looks on has the list, and no way to change it.
    let vera = viewer(&casa).await;
    let page = see(&casa, &vera, "/deals").await.text;
    assert!(!page.contains("name=\"deal\"") && !page.contains("Change the chosen"));
}

/// How orders stand and whose they are narrows the list, its pages and its file, as in the API.
#[tokio::test]
async fn orders_are_narrowed_by_how_they_stand_and_whose_they_are() {
    let (casa, _) = two().await;
    let (p, product) = (&casa.p, &casa.product);
    let later = |n: u64, state: &str| with(order(n), json!({ "financial_status": state }));
    for body in [later(20, "pending"), later(21, "paid"), coded(later(22, "pending"), "BERTA")] {
        assert_eq!(p.deliver(product, &body).await, 200);
    }
    let deleted = json!({ "cancelled_at": "2026-11-23T00:00:00Z", "name": HOSTILE });
    assert_eq!(p.deliver(product, &with(later(23, "paid"), deleted)).await, 200);
    for (narrowed, count) in [
        ("state=unpaid", 2),
        ("state=unpaid&attributed=no", 1),
        ("attributed=no", 3),
        ("attributed=yes&state=paid", 7),
        ("state=cancelled,unpaid", 3),
        ("state=disputed", 0),
        ("state=unpaid&external_id=22", 1),
        ("state=paid&external_id=22", 0),
    ] {
        // Page by page, as small as can be.
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/orders?{narrowed}&limit=2{cursor}");
            let page = p.get(product, &path).await;
            found.extend(page["data"].as_array().unwrap().clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found.len(), count, "{narrowed}");
        if narrowed.contains("external_id") || narrowed.contains(',') {
            continue;
        }
        let page = see(&casa, &casa.olga, &format!("/orders?{narrowed}")).await.text;
        let file = see(&casa, &casa.olga, &format!("/orders?{narrowed}&format=csv")).await.text;
        assert_eq!(file.lines().count(), count + 1, "{file}");
        for order in &found {
            let (id, base) = (order["id"].as_str().unwrap(), order["base"]["amount"].as_str());
            assert!(page.contains(&format!("/orders/{id}\"")), "{narrowed}: {id}");
            let line = file.lines().find(|line| line.starts_with(id)).unwrap();
            assert!(line.contains(&format!(",{},", base.unwrap())), "{line}");
        }
        assert!(!page.contains("<script>hit"), "{narrowed}");
    }
    for wrong in ["state=odd", "state=", "attributed=maybe"] {
        let path = format!("/v1/orders?{wrong}");
        assert_eq!(product.call("GET", &path, None, &p.key).await.status, 422, "{wrong}");
    }
    // A form's empty fields narrow nothing.
    let page = see(&casa, &casa.olga, "/orders?from=&to=&state=&attributed=").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains(">#21<"));
    let wrong = see(&casa, &casa.olga, "/orders?state=odd").await;
    assert!(wrong.status == 422 && wrong.text.contains("is no state of an order"));
}

/// A board shows the cards that fit, keeps the filter while cards are moved, and stands whole beside a filter that is none.
#[tokio::test]
async fn a_board_is_narrowed_by_the_same_bar() {
    let (casa, berta) = two().await;
    let board = format!("/campaigns/{}", casa.p.campaign);
    let anna = &casa.p.deal;
    let card = |page: &str, deal: &str| page.contains(&format!("data-deal=\"{deal}\""));
    let whole = see(&casa, &casa.olga, &board).await.text;
    assert!(
        card(&whole, anna)
            && card(&whole, &berta)
            && !whole.contains("<details class=\"narrow\" open")
    );
    let picked = query(&[("measure", "orders"), ("op", ">="), ("value", "5")]);
    let led = see(&casa, &casa.olga, &format!("{board}?{picked}")).await;
    let there = location(&led).strip_prefix(&casa.home).unwrap().to_owned();
    assert_eq!(there, format!("{board}?filter=orders%5Ball%5D+%3E%3D+5"));
    let narrowed = see(&casa, &casa.olga, &there).await.text;
    assert!(card(&narrowed, &berta) && !card(&narrowed, anna), "{narrowed}");
    assert!(narrowed.contains("<details class=\"narrow\" open") && narrowed.contains("Take away:"));
    assert!(!narrowed.contains("Save as a segment"), "segments are saved where lists are");
    let moving = [("stage", "Posted"), ("board", &casa.p.campaign), ("filter", "orders >= 5")];
    let moved = send(&casa, &casa.olga, &format!("/deals/{berta}/move"), &moving).await;
    let back = location(&moved);
    assert!(
        back.ends_with(&format!("{board}?done=moved&filter=orders+%3E%3D+5#{berta}")),
        "{back}"
    );
    let wrong = see(&casa, &casa.olga, &format!("{board}?filter=orders+%3E")).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("id=\"filter-wrong\"") && card(&wrong.text, anna));
}
