//! New campaigns, their stages, new creators and their first deals, made in the browser: forms do what the API does.

use serde_json::{Value, json};

use super::pages_brand::{Casa, casa, see, send, viewer};
use crate::support::Answer;
use crate::support::people::hidden;

const HOSTILE: &str = "<script>hit=1</script>\"><img src=x onerror=hit=1>{{7*7}}'";

fn location(answer: &Answer) -> &str {
    answer.headers["location"].to_str().unwrap()
}

/// That a form is refused with this status, says this, keeps what was typed, and changes nothing.
async fn refused(casa: &Casa, path: &str, form: &[(&str, &str)], status: u16, why: &str) -> String {
    let before = casa.product.db.checksum();
    let told = send(casa, &casa.olga, path, form).await;
    assert_eq!(told.status, status, "{path} {form:?}: {}", told.text);
    assert!(
        told.text.contains("role=\"alert\"") && told.text.contains(why),
        "{form:?}: {}",
        told.text
    );
    assert!(casa.product.db.checksum() == before, "{path} {form:?} changed something");
    told.text
}

async fn stages(casa: &Casa, id: &str) -> Vec<String> {
    let campaign = casa.p.get(&casa.product, &format!("/v1/campaigns/{id}")).await;
    serde_json::from_value(campaign["stages"].clone()).unwrap()
}

#[tokio::test]
async fn a_campaign_is_made_and_its_stages_kept() {
    let casa = casa().await;
    let new = "/campaigns";
    let long = "x".repeat(61);
    for (name, lines, why) in [
        ("", "One", "Name"),
        (" ", "One", "Name"),
        ("Autumn", "One\nOne", "twice"),
        ("Autumn", &*long, "60"),
    ] {
        let text = refused(&casa, new, &[("name", name), ("stages", lines)], 422, why).await;
        assert!(text.contains(&format!(">{lines}</textarea>")), "{text}");
    }
    let form = [("name", HOSTILE), ("stages", " Asked \n\nPosted\r\nDone")];
    let made = send(&casa, &casa.olga, new, &form).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let id = location(&made).split('/').next_back().unwrap().split('?').next().unwrap().to_owned();
    assert_eq!(stages(&casa, &id).await, ["Asked", "Posted", "Done"]);
    let edit = format!("/campaigns/{id}/edit");
    for path in [new, &edit, &format!("/campaigns/{id}")] {
        let page = see(&casa, &casa.olga, path).await;
        assert!(page.status == 200 && !page.text.contains("<script>hit"), "{path}");
    }
    // Each change is on top of what the page showed.
    let stale = hidden(&see(&casa, &casa.olga, &edit).await.text, "seen");
    for (what, stage, field, after) in [
        ("add", "", ("new", "Paid"), ["Asked", "Posted", "Done", "Paid"].as_slice()),
        ("up", "Paid", ("", ""), &["Asked", "Posted", "Paid", "Done"]),
        ("down", "Asked", ("", ""), &["Posted", "Asked", "Paid", "Done"]),
        ("call", "Paid", ("name", "Settled"), &["Posted", "Asked", "Settled", "Done"]),
        ("merge", "Done", ("into", "Settled"), &["Posted", "Asked", "Settled"]),
        ("remove", "Asked", ("", ""), &["Posted", "Settled"]),
    ] {
        let seen = hidden(&see(&casa, &casa.olga, &edit).await.text, "seen");
        let form = [("do", what), ("stage", stage), ("seen", &*seen), field];
        let done = send(&casa, &casa.olga, &edit, &form).await;
        assert_eq!(done.status, 303, "{what}: {}", done.text);
        assert_eq!(stages(&casa, &id).await, after, "{what}");
    }
    refused(&casa, &edit, &[("do", "add"), ("new", "Late"), ("seen", &stale)], 412, "").await;
    let seen = hidden(&see(&casa, &casa.olga, &edit).await.text, "seen");
    let seen = ("seen", &*seen);
    let text = refused(&casa, &edit, &[("do", "add"), ("new", "Posted"), seen], 409, "merge").await;
    assert!(text.contains("value=\"Posted\""));
    refused(&casa, &edit, &[("do", "up"), ("stage", "Posted"), seen], 422, "at the end").await;
    refused(&casa, &edit, &[("do", "up"), ("stage", "Nowhere"), seen], 422, "none").await;
    refused(
        &casa,
        &edit,
        &[("do", "merge"), ("stage", "Posted"), ("into", "Posted"), seen],
        422,
        "",
    )
    .await;
    refused(&casa, &edit, &[("do", "dance"), seen], 422, "").await;
    refused(&casa, &edit, &[("do", "rename"), ("name", ""), seen], 422, "Name").await;
    let done = send(&casa, &casa.olga, &edit, &[("do", "rename"), ("name", "Winter"), seen]).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let now = hidden(&see(&casa, &casa.olga, &edit).await.text, "seen");
    let done = send(&casa, &casa.olga, &edit, &[("do", "put-away"), ("seen", &now)]).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let told = casa.p.get(&casa.product, &format!("/v1/campaigns/{id}")).await;
    assert_eq!((&told["name"], &told["state"]), (&json!("Winter"), &json!("archived")));
    // A stage with deals isn't removed.
    let board = format!("/campaigns/{}/edit", casa.p.campaign);
    let seen = hidden(&see(&casa, &casa.olga, &board).await.text, "seen");
    let deal = casa.p.get(&casa.product, &format!("/v1/deals/{}", casa.p.deal)).await;
    let form = [("do", "remove"), ("stage", deal["stage"].as_str().unwrap()), ("seen", &*seen)];
    refused(&casa, &board, &form, 409, "merge").await;
}

#[tokio::test]
async fn a_creator_is_signed_up_with_her_deal() {
    let casa = casa().await;
    let (p, product) = (&casa.p, &casa.product);
    let field = json!({ "name": "Shoe size", "kind": "number" });
    let field = p.post(product, "/v1/creator-fields", field).await.expect(201);
    let own = format!("field_{}", field["id"].as_str().unwrap());
    let page = see(&casa, &casa.olga, &format!("/creators/new?campaign={}", p.campaign)).await;
    assert!(
        page.text.contains(&format!("value=\"{}\" selected", p.campaign))
            && page.text.contains(&own)
    );
    let path = "/creators/new";
    let base = [("name", "Zoe & Co"), ("handle", "@zoe")];
    for (more, why) in [
        ([("email", "nobody"), ("", "")], "Email"),
        ([("followers", "many"), ("", "")], "Followers"),
        ([("country", "Germany"), ("", "")], "Country"),
        ([("engagement_percent", "x"), ("", "")], "Engagement"),
        ([(&*own, "large"), ("", "")], "number"),
        ([("percent", "10"), ("", "")], "Campaign"),
        ([("campaign_id", "nonsense"), ("", "")], "Campaign"),
        ([("campaign_id", &*p.campaign), ("percent", "101")], "Commission"),
    ] {
        let form = [&base[..], &more[..]].concat();
        let text = refused(&casa, path, &form, 422, why).await;
        assert!(text.contains("value=\"Zoe &amp; Co\""), "what was typed stands there: {text}");
    }
    refused(&casa, path, &[("name", "Zoe"), ("handle", "")], 422, "Handle").await;
    let rest = [
        ("email", "zoe@creator.example"),
        ("followers", "12,000"),
        ("country", "de"),
        ("tags", "vip, home"),
        ("handles", "instagram zoe.home\ntiktok zoe"),
        (&*own, "39"),
        ("niche", HOSTILE),
    ];
    let form =
        [&base[..], &rest[..], &[("campaign_id", &*p.campaign), ("percent", "12.5")]].concat();
    let made = send(&casa, &casa.olga, path, &form).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let deal = location(&made).split('/').next_back().unwrap().split('?').next().unwrap();
    let deal = p.get(product, &format!("/v1/deals/{deal}")).await;
    assert_eq!(deal["terms"]["commission_percent"], "12.5");
    let creator =
        p.get(product, &format!("/v1/creators/{}", deal["creator_id"].as_str().unwrap())).await;
    let told = |name: &str| creator[name].clone();
    assert_eq!(
        (told("name"), told("followers"), told("country")),
        (json!("Zoe & Co"), json!(12_000), json!("DE"))
    );
    assert_eq!(told("tags"), json!(["vip", "home"]));
    assert_eq!(told("handles").as_array().map(Vec::len), Some(2));
    assert_eq!(
        creator["fields"].as_object().map(|all| all.values().cloned().collect::<Vec<Value>>()),
        Some(vec![json!(39)])
    );
    let shown =
        see(&casa, &casa.olga, &format!("/creators/{}", creator["id"].as_str().unwrap())).await;
    assert!(shown.status == 200 && !shown.text.contains("<script>hit"));
    // Without a campaign she has a page and no deal.
    let made = send(&casa, &casa.olga, path, &[("name", "Uma"), ("handle", "@uma")]).await;
    assert!(location(&made).contains("/creators/creator_"), "{}", location(&made));
}

#[tokio::test]
async fn who_looks_on_is_shown_no_form_and_changes_nothing() {
    let casa = casa().await;
    let vera = viewer(&casa).await;
    let edit = format!("/campaigns/{}/edit", casa.p.campaign);
    for path in ["/campaigns", "/creators/new", &*edit] {
        let page = see(&casa, &vera, path).await;
        assert_eq!(page.status, 200);
        let main = page.text.split("<main").nth(1).unwrap();
        assert!(!main.contains("method=\"post\""), "{path}");
    }
    let before = casa.product.db.checksum();
    for (path, form) in [
        ("/campaigns", [("name", "Mine"), ("stages", "One")]),
        ("/creators/new", [("name", "Mine"), ("handle", "@mine")]),
        (&*edit, [("do", "rename"), ("name", "Mine")]),
    ] {
        let told = send(&casa, &vera, path, &form).await;
        assert_eq!(told.status, 403, "{path}: {}", told.text);
    }
    assert!(casa.product.db.checksum() == before);
}
