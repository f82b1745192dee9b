//! Pages of automations, templates and sequences: their forms do what the API does, by its rules, and say what is wrong.

use serde_json::{Value, json};

use crate::support::people::{Member, hidden};
use crate::support::{Answer, Product, Programme};

struct Casa {
    product: Product,
    p: Programme,
    olga: Member,
    home: String,
}

async fn casa() -> Casa {
    let product = Product::new();
    let p = Programme::new(&product).await;
    let olga = Member::joins(&product, "owner@casa.example", 1).await;
    let home = format!("/b/{}", p.brand["id"].as_str().unwrap());
    Casa { product, p, olga, home }
}

async fn see(casa: &Casa, who: &Member, path: &str) -> Answer {
    who.browser.sees(&casa.product, &format!("{}{path}", casa.home)).await
}

async fn send(casa: &Casa, who: &Member, path: &str, fields: &[(&str, &str)]) -> Answer {
    who.browser.fills(&casa.product, &format!("{}{path}", casa.home), fields).await
}

async fn all(casa: &Casa, path: &str) -> Vec<Value> {
    casa.p.get(&casa.product, path).await["data"].as_array().unwrap().clone()
}

const BAD: &str = "\"><img src=x onerror=hit=1>{{7*7}}'";

#[tokio::test]
async fn an_automation_is_written_step_by_step() {
    let casa = casa().await;
    let olga = &casa.olga;
    let new = "/automations/new";
    assert_eq!(see(&casa, olga, new).await.status, 200);
    let base = [
        ("name", "Welcome"),
        ("on", "stage_entered"),
        ("stage", "Posted"),
        ("runs", "first_time"),
        ("conditions", "followers >= 1000"),
    ];
    let with = |more: &[(&'static str, &'static str)]| [&base[..], more].concat();
    let before = casa.product.db.checksum();
    let added = send(&casa, olga, new, &with(&[("act", "add"), ("new", "create_link")])).await;
    assert!(added.status == 200 && added.text.contains("name=\"s0.target\""), "{}", added.text);
    assert!(added.text.contains("Step 1 added."));
    let two = [
        ("s0.do", "create_link"),
        ("s0.target", "/vase"),
        ("s1.do", "follow_up"),
        ("s1.text", "Call"),
        ("s1.due_in_days", "3"),
    ];
    let up = send(&casa, olga, new, &with(&[&two[..], &[("act", "up.1")]].concat())).await;
    assert!(up.text.contains("name=\"s0.due_in_days\"") && up.text.contains("name=\"s1.target\""));
    let gone = send(&casa, olga, new, &with(&[&two[..], &[("act", "remove.0")]].concat())).await;
    assert!(gone.text.contains("Step 1 removed.") && !gone.text.contains("s1."));
    // What is nothing that a button says does nothing.
    for act in ["up.0", "down.1", "remove.7", "up.x", "", "nothing", "remove.99999999999999999999"]
    {
        let told = send(&casa, olga, new, &with(&[&two[..], &[("act", act)]].concat())).await;
        assert!(told.status == 200 && told.text.contains("name=\"s1.text\""), "{act}");
    }
    // What is wrong stands at its field.
    for (field, value, told) in [
        ("conditions", "followers >>> 2", "at character"),
        ("stage", "Nowhere", "must be a stage"),
        ("name", "", "must not be empty"),
        ("s1.due_in_days", "soon", "a whole number"),
        ("s1.text", "", "must not be empty"),
        ("on", "whenever", "must be one of those listed"),
        ("s0.target", "https://evil.example/", "must"),
        ("s0.do", "explode", "must be one of those listed"),
    ] {
        let mut form = with(&[&two[..], &[("act", "save")]].concat());
        form.iter_mut().filter(|(name, _)| *name == field).for_each(|pair| pair.1 = value);
        let wrong = send(&casa, olga, new, &form).await;
        assert_eq!(wrong.status, 422, "{field}");
        let at = wrong.text.find("role=\"alert\"").unwrap_or(0);
        assert!(
            wrong.text.contains(told),
            "{field}: {}",
            &wrong.text[at..(at + 500).min(wrong.text.len())]
        );
        assert!(wrong.text.contains("role=\"alert\""), "{field}");
        if !["s0.do"].contains(&field) {
            assert!(wrong.text.contains("aria-invalid"), "{field}: {}", wrong.text);
        }
    }
    assert!(casa.product.db.checksum() == before, "nothing is kept of what isn't saved");
    let made = send(&casa, olga, new, &with(&[&two[..], &[("act", "save")]].concat())).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let [view] = &all(&casa, "/v1/automations").await[..] else { panic!("one") };
    assert_eq!(view["state"], "disabled");
    assert_eq!(view["runs"], "first_time");
    assert_eq!(view["conditions"], "followers >= 1000");
    assert_eq!(
        view["steps"],
        json!([{ "do": "create_link", "target": "/vase" },
            { "do": "follow_up", "text": "Call", "due_in_days": 3 }])
    );
}

#[tokio::test]
async fn steps_say_all_of_terms_fees_and_links() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let store = p.store.as_str();
    let rates = json!([{ "commission_percent": "3", "product_ids": ["7"] }]);
    let steps =
        json!([{ "do": "new_terms", "terms": { "commission_percent": "10", "rates": rates } }]);
    let new = json!({ "name": "All", "trigger": { "on": "accepted" }, "steps": steps, "state": "disabled" });
    let made = p.post(product, "/v1/automations", new).await.expect(201);
    let id = made["id"].as_str().unwrap();
    let edit = format!("/automations/{id}/edit");
    let shown = see(&casa, olga, &edit).await;
    assert!(shown.text.contains("10 %, with further terms"), "{}", shown.text);
    let (seen, keep) = (hidden(&shown.text, "seen"), hidden(&shown.text, "s0.keep"));
    let form = [
        ("name", "All"),
        ("on", "accepted"),
        ("runs", "every_time"),
        ("s0.do", "new_terms"),
        ("s0.keep", &*keep),
        ("s0.commission_percent", "12.5"),
        ("s0.flat_per_order", "2"),
        ("s0.cap_per_order", "30"),
        ("s0.first_order_only", "yes"),
        ("s1.do", "fee"),
        ("s1.amount", "150"),
        ("s1.due_on", "2026-12-24"),
        ("s1.stage", ""),
        ("s2.do", "create_link"),
        ("s2.store_id", store),
        ("seen", &*seen),
    ];
    let with = |more: &[(&'static str, &'static str)]| {
        let changed = |name: &str| more.iter().any(|(other, _)| *other == name);
        let kept = form.iter().copied().filter(|(name, _)| !changed(name));
        kept.chain(more.iter().copied()).collect::<Vec<(&str, &str)>>()
    };
    let before = product.db.checksum();
    for (field, bad) in [
        ("s0.cap_per_order", "x"),
        ("s0.flat_per_order", "-1"),
        ("s1.due_on", "2026-13-01"),
        ("s2.store_id", "store_x"),
    ] {
        let told = send(&casa, olga, &edit, &with(&[(field, bad), ("act", "save")])).await;
        assert_eq!(told.status, 422, "{field}: {}", told.text);
        assert!(told.text.contains("aria-invalid"), "{field}: {}", told.text);
    }
    assert!(product.db.checksum() == before, "nothing was changed");
    let words = send(&casa, olga, &edit, &with(&[("act", "look")])).await;
    for said in [
        "12.5 % and 2 USD for each order, at most 30 USD for an order, for a customer’s first order only, with",
        "Agree on a fee of 150 USD, not before 2026-12-24.",
        "Make a link to the home page in ",
    ] {
        assert!(words.text.contains(said), "{said}: {}", words.text);
    }
    let done = send(&casa, olga, &edit, &with(&[("act", "save")])).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let usd = |amount: &str| json!({ "amount": amount, "currency": "USD" });
    let after = p.get(product, &format!("/v1/automations/{id}")).await;
    let terms = json!({ "commission_percent": "12.5", "rates": rates, "flat_per_order": usd("2"),
        "cap_per_order": usd("30"), "first_order_only": true });
    assert_eq!(
        after["steps"],
        json!([{ "do": "new_terms", "terms": terms },
            { "do": "fee", "amount": usd("150"), "due_on": "2026-12-24" },
            { "do": "create_link", "store_id": store }])
    );
    // What is emptied goes, and what the form doesn't ask stays.
    let shown = see(&casa, olga, &edit).await;
    let (seen, keep) = (hidden(&shown.text, "seen"), hidden(&shown.text, "s0.keep"));
    let empty = [("s0.cap_per_order", ""), ("s0.first_order_only", ""), ("act", "save")];
    let mut form = with(&empty);
    form.retain(|(name, _)| !matches!(*name, "seen" | "s0.keep"));
    form.extend([("seen", &*seen), ("s0.keep", &*keep)]);
    let done = send(&casa, olga, &edit, &form).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let after = p.get(product, &format!("/v1/automations/{id}")).await;
    let terms = json!({ "commission_percent": "12.5", "rates": rates, "flat_per_order": usd("2") });
    assert_eq!(after["steps"][0]["terms"], terms);
}

#[tokio::test]
async fn a_change_is_of_what_was_seen() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let fee = json!({ "do": "fee", "amount": { "amount": "5.00", "currency": "EUR" }, "stage": "Posted" });
    let new = json!({ "name": "Fee", "trigger": { "on": "accepted" }, "steps": [fee], "state": "disabled" });
    let made = p.post(product, "/v1/automations", new).await.expect(201);
    let id = made["id"].as_str().unwrap();
    let (page, edit) = (format!("/automations/{id}"), format!("/automations/{id}/edit"));
    let shown = see(&casa, olga, &edit).await;
    let (seen, keep) = (hidden(&shown.text, "seen"), hidden(&shown.text, "s0.keep"));
    let form = |name: &'static str| {
        [
            ("name", name.to_owned()),
            ("on", "accepted".to_owned()),
            ("runs", "every_time".to_owned()),
            ("s0.do", "fee".to_owned()),
            ("s0.keep", keep.clone()),
            ("s0.amount", "7.50".to_owned()),
            ("s0.stage", "Posted".to_owned()),
            ("seen", seen.clone()),
            ("act", "save".to_owned()),
        ]
    };
    let posted = form("Fee for her post");
    let posted: Vec<(&str, &str)> = posted.iter().map(|(n, v)| (*n, v.as_str())).collect();
    assert_eq!(send(&casa, olga, &edit, &posted).await.status, 303);
    let after = p.get(product, &format!("/v1/automations/{id}")).await;
    // What the form has no field for is kept.
    let kept = json!({ "do": "fee", "amount": { "amount": "7.50", "currency": "EUR" }, "stage": "Posted" });
    assert_eq!(after["steps"], json!([kept]));
    let before = product.db.checksum();
    let late = form("Too late");
    let late: Vec<(&str, &str)> = late.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let told = send(&casa, olga, &edit, &late).await;
    assert!(told.status == 412 && told.text.contains("Too late"), "{}", told.text);
    let on =
        send(&casa, olga, &format!("{page}/state"), &[("state", "enabled"), ("seen", &seen)]).await;
    assert_eq!(on.status, 412);
    let blind: Vec<(&str, &str)> = late.into_iter().filter(|(name, _)| *name != "seen").collect();
    assert_eq!(send(&casa, olga, &edit, &blind).await.status, 403);
    assert!(product.db.checksum() == before);
    let seen = hidden(&see(&casa, olga, &page).await.text, "seen");
    let on = [("state", "enabled"), ("seen", &*seen)];
    assert_eq!(send(&casa, olga, &format!("{page}/state"), &on).await.status, 303);
    assert_eq!(p.get(product, &format!("/v1/automations/{id}")).await["state"], "enabled");

    // Who only looks sees it all, and changes nothing.
    let body = json!({ "email": "vera@casa.example", "role": "viewer" });
    p.post(product, "/v1/members", body).await.expect(201);
    let vera = Member::joins(product, "vera@casa.example", 2).await;
    for path in ["/automations", &page, &format!("{page}/runs"), "/templates"] {
        let shown = see(&casa, &vera, path).await;
        assert_eq!(shown.status, 200, "{path}");
        assert!(!shown.text.contains("method=\"post\" action=\"/b/"), "{path}");
    }
    let news =
        ["/automations/new", &edit, "/templates/new", "/term-templates/new", "/sequences/new"];
    for path in news {
        assert_eq!(see(&casa, &vera, path).await.status, 403, "{path}");
        let before = product.db.checksum();
        assert_eq!(send(&casa, &vera, path, &posted).await.status, 403, "{path}");
        assert!(product.db.checksum() == before, "{path}");
    }
    for path in ["/automations/ready", &format!("{page}/state"), &format!("{page}/removal")] {
        let form = [("template", "no_sale"), ("state", "disabled"), ("seen", "*")];
        assert_eq!(send(&casa, &vera, path, &form).await.status, 403, "{path}");
    }
    assert_eq!(send(&casa, olga, &format!("{page}/removal"), &[]).await.status, 303);
    assert!(all(&casa, "/v1/automations").await.is_empty());
}

#[tokio::test]
async fn what_is_ready_is_made_switched_off() {
    let casa = casa().await;
    let olga = &casa.olga;
    let listed = see(&casa, olga, "/automations").await;
    assert!(listed.status == 200 && listed.text.contains("Nothing is automated yet"));
    for (form, status) in [
        (&[("template", "no_sale")][..], 303),
        (&[("template", "first_sale")], 303),
        (&[("template", "awaiting_post")], 422),
        (&[("template", "awaiting_post"), ("group-awaiting_post", "x")], 422),
        (&[("template", "else")], 422),
        (&[], 422),
    ] {
        assert_eq!(send(&casa, olga, "/automations/ready", form).await.status, status, "{form:?}");
    }
    let made = all(&casa, "/v1/automations").await;
    assert_eq!(made.len(), 2);
    assert!(made.iter().all(|one| one["state"] == "disabled"));
    let id = made[1]["id"].as_str().unwrap();
    // Tried on a deal before it is switched on: what it would say, or what is empty yet.
    let page = see(&casa, olga, &format!("/automations/{id}")).await;
    assert!(page.text.contains("once it is switched on"), "{}", page.text);
    assert!(see(&casa, olga, "/automations").await.text.contains("Off"));
    for query in
        ["?deal=x", "?find=%22%5C", "?find=nobody", "?deal=deal_01h455vb4pex5vsknk084sn02q"]
    {
        assert_eq!(
            see(&casa, olga, &format!("/automations/{id}{query}")).await.status,
            200,
            "{query}"
        );
    }
    for path in [
        "/automations/x",
        "/automation-runs/x",
        "/templates/x",
        "/sequences/x",
        "/term-templates/x",
    ] {
        assert_eq!(see(&casa, olga, path).await.status, 404, "{path}");
    }
    let runs = format!("/automations/{id}/runs");
    assert_eq!(see(&casa, olga, &format!("{runs}?state=odd")).await.status, 200);
    let odd = see(&casa, olga, &format!("{runs}?cursor=x")).await.status;
    assert!(odd < 500, "{odd}");
}

#[tokio::test]
async fn a_failed_run_says_why_and_is_tried_again() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let trigger = json!({ "on": "stage_entered", "stage": "Posted" });
    let steps = json!([{ "do": "webhook", "label": BAD }]);
    let new = json!({ "name": BAD, "trigger": trigger, "steps": steps });
    let made = p.post(product, "/v1/automations", new).await.expect(201);
    let id = made["id"].as_str().unwrap();
    let to = json!({ "stage": "Posted" });
    p.post(product, &format!("/v1/deals/{}/move", p.deal), to).await.expect(200);
    for _ in 0..6 {
        crate::api::automations::run(product).await;
        product.pass(700_000);
        see(&casa, olga, "/automations").await;
    }
    let runs = all(&casa, &format!("/v1/automations/{id}/runs")).await;
    let run = runs[0]["id"].as_str().unwrap();
    assert_eq!(runs[0]["state"], "failed", "{runs:?}");
    let listed = see(&casa, olga, "/automations").await;
    assert!(listed.text.contains("1 failed"), "{}: {:?}", listed.status, listed.text);
    let page = format!("/automation-runs/{run}");
    let list = format!("/automations/{id}/runs?state=failed");
    for path in ["/automations", &list, &page, &format!("/automations/{id}")] {
        let shown = see(&casa, olga, path).await;
        assert_eq!(shown.status, 200, "{path}");
        assert!(!shown.text.contains("<img src=x"), "{path}");
    }
    let shown = see(&casa, olga, &page).await.text;
    let reason = runs[0]["reason"].as_str().unwrap().replace('\'', "&#39;");
    assert!(shown.contains(&reason), "{reason}");
    assert!(shown.contains("A step failed"));
    assert_eq!(send(&casa, olga, &format!("{page}/retry"), &[]).await.status, 303);
    let again = p.get(product, &format!("/v1/automation-runs/{run}")).await;
    assert_eq!(again["run"]["state"], "running");
    assert_eq!(send(&casa, olga, &format!("{page}/retry"), &[]).await.status, 409);
}

#[tokio::test]
async fn templates_are_written_previewed_and_put_away() {
    let casa = casa().await;
    let (p, product, olga) = (&casa.p, &casa.product, &casa.olga);
    let form = |text: &'static str, act: &'static str| {
        [("name", "Hello"), ("subject", "Hi {{creator.first_name}}"), ("text", text), ("act", act)]
    };
    let wrong = send(&casa, olga, "/templates/new", &form("{{deal.lnk}} {{7*7}}", "save")).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("deal.lnk") && wrong.text.contains("7*7"), "{}", wrong.text);
    let made = send(&casa, olga, "/templates/new", &form("Your code: {{deal.code}}", "save")).await;
    assert_eq!(made.status, 303);
    let id = all(&casa, "/v1/message-templates").await[0]["id"].as_str().unwrap().to_owned();
    let page = format!("/templates/{id}");
    let seen = hidden(&see(&casa, olga, &page).await.text, "seen");
    let before = product.db.checksum();
    let ask = |text: &'static str| [&form(text, "preview")[..], &[("deal", &*p.deal)]].concat();
    let empty = send(&casa, olga, &page, &ask("{{deal.code}}")).await;
    assert!(empty.status == 422 && empty.text.contains("which is empty"), "{}", empty.text);
    let said = send(&casa, olga, &page, &ask("At {{deal.stage}}")).await;
    assert!(said.status == 200 && said.text.contains("At Outreach"), "{}", said.text);
    assert!(product.db.checksum() == before, "a preview keeps nothing");
    let save = |text: &'static str| [&form(text, "save")[..], &[("seen", &*seen)]].concat();
    assert_eq!(send(&casa, olga, &page, &save("One")).await.status, 303);
    assert_eq!(send(&casa, olga, &page, &save("Two")).await.status, 412);

    let steps = [("name", "Two"), ("s0", "step"), ("s0.template_id", &*id), ("s0.delay_days", "2")];
    let more = send(&casa, olga, "/sequences/new", &[&steps[..], &[("act", "add")]].concat()).await;
    assert!(more.status == 200 && more.text.contains("name=\"s1.template_id\""));
    let odd = [("name", "x"), ("s0", "step"), ("s0.template_id", &*id), ("s0.delay_days", "-1")];
    assert_eq!(send(&casa, olga, "/sequences/new", &odd).await.status, 422);
    assert_eq!(send(&casa, olga, "/sequences/new", &[("name", "x")]).await.status, 422);
    assert_eq!(send(&casa, olga, "/sequences/new", &steps).await.status, 303);
    let sequence = all(&casa, "/v1/sequences").await[0].clone();
    assert_eq!(sequence["steps"][0]["delay_hours"], 48);
    let of = format!("/sequences/{}", sequence["id"].as_str().unwrap());
    assert!(see(&casa, olga, &of).await.text.contains("After 2 days"));
    assert_eq!(send(&casa, olga, &format!("{page}/removal"), &[]).await.status, 409);
    assert_eq!(send(&casa, olga, &format!("{of}/removal"), &[]).await.status, 303);

    let terms = [
        ("name", "Fall"),
        ("commission_percent", "12.5"),
        ("cap_per_order", "20.00"),
        ("first_order_only", "yes"),
        ("contract", "Be kind.\nTell the truth."),
    ];
    let bad = [("name", "Fall"), ("commission_percent", "120")];
    assert_eq!(send(&casa, olga, "/term-templates/new", &bad).await.status, 422);
    assert_eq!(send(&casa, olga, "/term-templates/new", &terms).await.status, 303);
    let view = all(&casa, "/v1/term-templates").await[0].clone();
    assert_eq!(view["terms"]["cap_per_order"]["amount"], "20.00");
    assert_eq!(view["terms"]["first_order_only"], true);
    let of = format!("/term-templates/{}", view["id"].as_str().unwrap());
    let seen = hidden(&see(&casa, olga, &of).await.text, "seen");
    let higher = [("name", "Fall"), ("commission_percent", "15"), ("seen", &*seen)];
    assert_eq!(send(&casa, olga, &of, &higher).await.status, 303);
    assert_eq!(send(&casa, olga, &of, &higher).await.status, 412);
    let shown = see(&casa, olga, &of).await.text;
    assert!(shown.contains("Version 1: 12.5 %") && shown.contains("Version 2: 15 %"), "{shown}");
    assert_eq!(send(&casa, olga, &format!("{of}/removal"), &[]).await.status, 303);
    assert!(see(&casa, olga, &of).await.text.contains("Put away"));
}
