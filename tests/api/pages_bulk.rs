//! Pages of bulk actions: each action's form previews and does what the API does, once, by its rules.

use serde_json::{Value, json};
use tributary::jobs::bulk;

use super::bulk::many;
use super::pages_brand::{Casa, casa, see, send, viewer};
use crate::support::people::hidden;
use crate::support::{Answer, Programme};

const BAD: &str = "\"><img src=x onerror=hit=1>{{7*7}}'";

async fn jobs(casa: &Casa) -> Vec<Value> {
    let found = casa.p.get(&casa.product, "/v1/bulk-actions").await;
    found["data"].as_array().unwrap().clone()
}

/// The fields by which a preview's page starts what it shows.
fn starting<'a>(seen: &'a Answer, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, String)> {
    let mut all: Vec<(&str, String)> =
        fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    for name in ["hash", "once"] {
        all.push((name, hidden(&seen.text, name)));
    }
    all
}

async fn start(casa: &Casa, fields: &[(&str, String)]) -> Answer {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    send(casa, &casa.olga, "/bulk/start", &fields).await
}

/// What every action needs to be asked for: a template, a group of codes and a member.
async fn equipped() -> (Casa, Vec<String>, [String; 2]) {
    let casa = casa().await;
    let deals = many(&casa.product, &casa.p, 3).await;
    let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
    let template = json!({ "name": "Hello", "subject": "Hello", "text": "Hello {{creator.name}}" });
    let template =
        id(&casa.p.post(&casa.product, "/v1/message-templates", template).await.expect(201));
    let group = json!({ "name": "Winter", "mode": "one_discount",
        "discount": { "kind": "percentage", "percent": "10" } });
    let group = id(&casa.p.post(&casa.product, "/v1/affiliate-groups", group).await.expect(201));
    (casa, deals, [template, group])
}

#[tokio::test]
async fn each_action_is_previewed_and_done_once() {
    let (casa, deals, [template, group]) = equipped().await;
    let member = casa.olga.id.clone();
    let actions: [(&str, Vec<(&str, &str)>); 11] = [
        (
            "new_terms",
            vec![("rate", "17.5"), ("flat", "2.00"), ("first", "yes"), ("starts", "2026-11-22")],
        ),
        ("add_tags", vec![("tags", "vip, fall")]),
        ("remove_tags", vec![("tags", "fall")]),
        ("move", vec![("stage", "Posted")]),
        ("assign", vec![("owner", &member)]),
        ("message", vec![("template", &template)]),
        ("follow_up", vec![("text", "Call"), ("days", "3"), ("who", "nobody")]),
        ("invite", vec![]),
        ("create_link", vec![("target", "/products/x"), ("apply", "yes")]),
        ("assign_code", vec![("group", &group)]),
        ("fee", vec![("amount", "12.00"), ("note", "Thanks"), ("due", "2099-01-01")]),
    ];
    for (at, (action, mut fields)) in actions.into_iter().enumerate() {
        fields.push(("do", action));
        fields.extend([("deal", deals[0].as_str()), ("deal", deals[1].as_str())]);
        let query = format!("/bulk?deal={}&deal={}&do={action}", deals[0], deals[1]);
        let asked = see(&casa, &casa.olga, &query).await;
        assert!(asked.status == 200 && asked.text.contains(">Preview</button>"), "{action}");
        let before = casa.product.db.checksum();
        let seen = send(&casa, &casa.olga, "/bulk", &fields).await;
        assert_eq!(seen.status, 200, "{action}: {}", seen.text);
        assert!(casa.product.db.checksum() == before, "{action}: a preview changes nothing");
        let form = starting(&seen, &fields);
        let first = start(&casa, &form).await;
        assert_eq!(first.status, 303, "{action}: {}", first.text);
        let again = start(&casa, &form).await;
        assert_eq!(first.headers["location"], again.headers["location"], "{action}");
        let found = jobs(&casa).await;
        assert_eq!(found.len(), at + 1, "{action}: twice the same form is one job");
        bulk::woken(&casa.product.app).await;
        let place = first.headers["location"].to_str().unwrap();
        let id = place.split("/bulk/").nth(1).unwrap().split('?').next().unwrap();
        let job = casa.p.get(&casa.product, &format!("/v1/bulk-actions/{id}")).await;
        assert_eq!((&job["state"], &job["failed"]), (&json!("finished"), &json!(0)), "{job}");
        assert_eq!(job["action"]["do"], action);
        let shown = see(&casa, &casa.olga, &format!("/bulk/{id}")).await;
        assert!(shown.status == 200 && shown.text.contains(">Finished<"), "{action}");
        assert!(
            !shown.text.contains("hx-trigger"),
            "{action}: what has ended isn't asked for again"
        );
    }
    let one = casa.p.get(&casa.product, &format!("/v1/deals/{}", deals[0])).await;
    assert_eq!(one["terms"]["commission_percent"], "17.5");
    assert_eq!(one["terms"]["flat_per_order"]["amount"], "2.00");
    // Today is at once, not at its midnight: orders of today are decided.
    assert!(one["terms"]["starts_at"].as_str().unwrap() >= "2026-11-22T08:00", "{one}");
    assert_eq!((&one["stage"], &one["tags"]), (&json!("Posted"), &json!(["vip"])));
    assert_eq!(one["owner_id"], member.as_str());
    let other = casa.p.get(&casa.product, &format!("/v1/deals/{}", deals[2])).await;
    assert!(other["stage"] != "Posted" && other["tags"] == json!([]), "{other}");
    assert!(see(&casa, &casa.olga, "/bulk/jobs").await.text.contains("17.5"));
}

#[tokio::test]
async fn what_is_wrong_is_said_where_it_is() {
    let (casa, deals, _) = equipped().await;
    let before = casa.product.db.checksum();
    for (action, fields, field) in [
        ("new_terms", &[("rate", "120")][..], "f-rate"),
        ("new_terms", &[("rate", "")], "f-rate"),
        ("new_terms", &[("rate", "10"), ("flat", "x")], "f-flat"),
        ("new_terms", &[("rate", "10"), ("starts", "x")], "f-starts"),
        ("add_tags", &[("tags", "")], "f-tags"),
        ("move", &[("stage", "")], "f-stage"),
        ("message", &[("template", "x")], "f-template"),
        ("follow_up", &[("text", "Call"), ("days", "x")], "f-days"),
        ("assign", &[("owner", "x")], "f-owner"),
        ("create_link", &[("target", "https://evil.example")], "f-target"),
        ("create_link", &[("store", "x")], "f-store"),
        ("assign_code", &[("group", "x")], "f-group"),
        ("fee", &[("amount", "-1")], "f-amount"),
        ("fee", &[("amount", "1.00"), ("due", "x")], "f-due"),
    ] {
        let all = [fields, &[("do", action), ("deal", &deals[0])]].concat();
        let told = send(&casa, &casa.olga, "/bulk", &all).await;
        assert_eq!(told.status, 422, "{all:?}");
        assert!(told.text.contains("role=\"alert\""), "{all:?}");
        assert!(told.text.contains(&format!("id=\"{field}-wrong\"")), "{all:?}: {}", told.text);
    }
    for fields in [
        &[("do", "sing"), ("deal", &*deals[0])][..],
        &[("do", "invite"), ("deal", "x")],
        &[("do", "invite"), ("filter", "revenue >>> 5")],
        &[("do", "invite"), ("filter", "revenue > 999999")],
        &[("do", "invite"), ("segment", "x")],
        &[("do", "invite")],
        &[("do", "invite"), ("filter", "revenue > 1"), ("deal", &*deals[0])],
    ] {
        let told = send(&casa, &casa.olga, "/bulk", fields).await;
        assert_eq!(told.status, 422, "{fields:?}");
        assert!(told.text.contains("role=\"alert\""), "{fields:?}");
    }
    for query in ["?filter=revenue%20%3E%3E%205", "?deal=x", "?segment=x"] {
        let told = see(&casa, &casa.olga, &format!("/bulk{query}")).await;
        assert!(told.status == 422 && told.text.contains("role=\"alert\""), "{query}");
    }
    assert!(casa.product.db.checksum() == before, "nothing was changed");
    let empty = see(&casa, &casa.olga, "/bulk").await;
    assert!(empty.status == 200 && empty.text.contains("/deals\">list of deals</a>"));
    for query in ["/bulk/x", "/bulk/bulk_00000000000000000000000000", "/bulk/x/file"] {
        assert_eq!(see(&casa, &casa.olga, query).await.status, 404, "{query}");
    }
}

#[tokio::test]
async fn a_filter_says_which_and_a_job_is_held() {
    let casa = casa().await;
    many(&casa.product, &casa.p, 2).await;
    let asked = see(&casa, &casa.olga, "/bulk?filter=state+%3D+open&do=add_tags").await;
    assert!(asked.text.contains("All 3 deals that match: state = open"), "{}", asked.text);
    let fields = [("filter", "state = open"), ("do", "add_tags"), ("tags", BAD)];
    let seen = send(&casa, &casa.olga, "/bulk", &[fields[0], fields[1], ("tags", "vip")]).await;
    assert_eq!(hidden(&seen.text, "filter"), "state = open");
    // What is something else by now isn't done.
    let other = starting(&seen, &[fields[0], fields[1], ("tags", "other")]);
    let told = start(&casa, &other).await;
    assert!(told.status == 409 && told.text.contains("role=\"alert\""), "{}", told.text);
    let form = starting(&seen, &[fields[0], fields[1], ("tags", "vip")]);
    let begun = start(&casa, &form).await;
    let place = begun.headers["location"].to_str().unwrap();
    let path = place.strip_prefix(&casa.home).unwrap().split('?').next().unwrap().to_owned();
    let state = format!("{path}/state");
    for (to, told) in [("pause", ">Paused<"), ("resume", ">Running<"), ("cancel", ">Cancelled<")] {
        let done = send(&casa, &casa.olga, &state, &[("to", to)]).await;
        assert_eq!(done.status, 303, "{to}: {}", done.text);
        assert!(see(&casa, &casa.olga, &path).await.text.contains(told), "{to}");
    }
    for (to, status) in [("resume", 409), ("sing", 422), ("", 422)] {
        assert_eq!(send(&casa, &casa.olga, &state, &[("to", to)]).await.status, status, "{to}");
    }
    let file = see(&casa, &casa.olga, &format!("{path}/file")).await;
    assert!(file.status == 200 && file.text.lines().count() == 4, "{}", file.text);

    // Texts of others are texts.
    let name = json!({ "name": BAD });
    let creator = format!("/v1/creators/{}", casa.p.creator);
    casa.product.call("PATCH", &creator, Some(name), &casa.p.key).await.expect(200);
    let seen = send(&casa, &casa.olga, "/bulk", &fields).await;
    let named = see(&casa, &casa.olga, &format!("/bulk?deal={}", casa.p.deal)).await;
    let wrong =
        see(&casa, &casa.olga, "/bulk?filter=%22%3E%3Cimg+src%3Dx+onerror%3Dhit%3D1%3E").await;
    let job = see(&casa, &casa.olga, &path).await;
    for shown in [&seen, &named, &wrong, &job] {
        assert!(shown.text.contains("img src=x") && !shown.text.contains("<img src=x"));
    }
}

#[tokio::test]
async fn who_only_looks_and_who_is_elsewhere_does_nothing() {
    let casa = casa().await;
    let vera = viewer(&casa).await;
    let deal = casa.p.deal.clone();
    let fields = [("deal", &*deal), ("do", "add_tags"), ("tags", "vip")];
    let seen = send(&casa, &casa.olga, "/bulk", &fields).await;
    let form = starting(&seen, &fields);
    let begun = start(&casa, &form).await;
    let place = begun.headers["location"].to_str().unwrap();
    let path = place.strip_prefix(&casa.home).unwrap().split('?').next().unwrap().to_owned();
    let before = casa.product.db.checksum();
    let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
    assert_eq!(send(&casa, &vera, "/bulk", &fields).await.status, 403);
    assert_eq!(send(&casa, &vera, "/bulk/start", &form).await.status, 403);
    assert_eq!(send(&casa, &vera, &format!("{path}/state"), &[("to", "cancel")]).await.status, 403);
    let asked = see(&casa, &vera, &format!("/bulk?deal={deal}&do=add_tags")).await;
    assert!(asked.status == 200 && !asked.text.contains(">Preview</button>"));
    let shown = see(&casa, &vera, &path).await;
    assert!(shown.status == 200 && !shown.text.contains("value=\"cancel\""));
    assert!(casa.product.db.checksum() == before);

    // Another brand's deals, jobs and segments aren't there.
    let other = Programme::with(&casa.product, "EUR", "5").await;
    let body = json!({ "action": { "do": "invite" }, "deal_ids": [other.deal], "preview": true });
    let seen = other.post(&casa.product, "/v1/bulk-actions", body.clone()).await.expect(200);
    let mut real = body;
    real.as_object_mut().unwrap().remove("preview");
    real["hash"] = seen["hash"].clone();
    let job = other.post(&casa.product, "/v1/bulk-actions", real).await.expect(201);
    let before = casa.product.db.checksum();
    let job = format!("/bulk/{}", job["id"].as_str().unwrap());
    for path in [job.clone(), format!("{job}/file")] {
        assert_eq!(see(&casa, &casa.olga, &path).await.status, 404, "{path}");
    }
    let ended = send(&casa, &casa.olga, &format!("{job}/state"), &[("to", "cancel")]).await;
    assert_eq!(ended.status, 404);
    let theirs = [("deal", &*other.deal), ("do", "add_tags"), ("tags", "vip")];
    assert_eq!(send(&casa, &casa.olga, "/bulk", &theirs).await.status, 422);
    let asked = see(&casa, &casa.olga, &format!("/bulk?deal={}", other.deal)).await;
    assert!(asked.status == 422 && !asked.text.contains("Preview</button>"));
    assert!(casa.product.db.checksum() == before);
}
