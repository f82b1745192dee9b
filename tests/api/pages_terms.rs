//! Terms in the browser: offered on the deal's page, read and answered on hers, and what orders earn from then on.

use serde_json::{Value, json};

use super::pages_brand::{Casa, casa, send};
use crate::support::people::{Browser, hidden};
use crate::support::shop::{coded, order, with};
use crate::support::{Answer, Product};

const HOSTILE: &str = "<script>hit=1</script>\"><img src=x onerror=hit=1>{{7*7}}'";

/// The creator of Casa's deal, who signed in.
async fn anna(casa: &Casa) -> Browser {
    let path = format!("/v1/deals/{}/invitation", casa.p.deal);
    let made = casa.product.call("POST", &path, None, &casa.p.key).await.expect(201);
    let token = made["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let browser = Browser::default();
    browser.sign_in(&casa.product, json!({ "invitation": token })).await;
    browser
}

fn terms_page(casa: &Casa) -> String {
    format!("/c/{}/terms", casa.p.brand["id"].as_str().unwrap())
}

async fn offer(casa: &Casa, body: Value) -> Value {
    let path = format!("/v1/deals/{}/offers", casa.p.deal);
    casa.p.post(&casa.product, &path, body).await.expect(201)
}

fn location(answer: &Answer) -> &str {
    answer.headers["location"].to_str().unwrap()
}

/// That a form of hers is refused with this status and changes nothing.
async fn refused(
    product: &Product,
    her: &Browser,
    path: &str,
    form: &[(&str, &str)],
    status: u16,
) -> String {
    let before = product.db.checksum();
    let told = her.fills(product, path, form).await;
    assert_eq!(told.status, status, "{path} {form:?}: {}", told.text);
    assert!(product.db.checksum() == before, "{path} {form:?} changed something");
    told.text
}

#[tokio::test]
async fn what_is_offered_is_read_accepted_and_earned_by() {
    let casa = casa().await;
    let (p, product) = (&casa.p, &casa.product);
    let anna = anna(&casa).await;
    let at = terms_page(&casa);
    assert!(anna.sees(product, &at).await.text.contains("Nothing was offered"));
    // A template, offered on the deal's page.
    let body = json!({ "name": "Better", "contract": format!("Clause 1. {HOSTILE}"), "terms": {
        "commission_percent": "22.5", "flat_per_order": { "amount": "1.50", "currency": "USD" },
        "cap_per_month": { "amount": "300.00", "currency": "USD" },
        "rates": [{ "commission_percent": "30", "customer": "new", "label": "New friends" }] } });
    let template = p.post(product, "/v1/term-templates", body).await.expect(201);
    let form = [("template_id", template["id"].as_str().unwrap()), ("offer_note", "As we said")];
    let sent = send(&casa, &casa.olga, &format!("/deals/{}/offers", p.deal), &form).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let page = anna.sees(product, &at).await.text;
    for told in [
        "22.5% of what customers pay",
        "$1.50 more for each order",
        "At most $300.00 in a month",
        "30% for New friends, for customers who are new",
        "As we said",
        "waits for your answer",
        "Clause 1.",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("<script>hit") && !page.contains("<img src=x"));
    let hash = hidden(&page, "hash");
    let offers = p.get(product, &format!("/v1/deals/{}/offers", p.deal)).await;
    let id = offers["data"][0]["id"].as_str().unwrap();
    assert_eq!(offers["data"][0]["hash"], hash.as_str());
    let answer = format!("{at}/{id}/answer");
    // Without the tick, with another text, or as somebody else, nothing is agreed.
    let yes = |hash| [("hash", hash), ("agree", "yes"), ("outcome", "accepted"), ("note", "")];
    let text =
        refused(product, &anna, &answer, &[("hash", &hash), ("outcome", "accepted")], 422).await;
    assert!(text.contains("must be ticked"));
    refused(product, &anna, &answer, &yes("00"), 409).await;
    refused(
        product,
        &anna,
        &answer,
        &[("hash", &hash), ("agree", "yes"), ("outcome", "maybe")],
        422,
    )
    .await;
    refused(product, &anna, &format!("{at}/off_nonsense/answer"), &yes(&hash), 404).await;
    let told = anna.fills_proven(product, &answer, &yes(&hash), "not-the-proof").await;
    assert_eq!(told.status, 403);
    let done = anna.fills(product, &answer, &yes(&hash)).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert!(location(&done).ends_with("/terms?done=accepted"));
    let page = anna.sees(product, location(&done)).await.text;
    assert!(
        page.contains("The terms hold for orders from their start on")
            && page.contains("you accepted")
    );
    // A second answer is none.
    refused(product, &anna, &answer, &yes(&hash), 409).await;
    let deal = casa.olga.browser.sees(product, &format!("{}/deals/{}", casa.home, p.deal)).await;
    assert!(deal.text.contains("22.5 %") && deal.text.contains("Accepted"), "{}", deal.text);
    // The next order earns by it; the one before keeps what it had.
    let now = tributary::domain::time::to_rfc3339(crate::support::NOW_MS + 60_000);
    product.clock.0.fetch_add(120_000, std::sync::atomic::Ordering::SeqCst);
    let body = with(order(77), json!({ "created_at": now, "updated_at": now }));
    assert_eq!(p.deliver(product, &coded(body, "anna")).await, 200);
    let found = p.order(product, 77).await;
    let commission =
        p.get(product, &format!("/v1/orders/{}/commission", found["id"].as_str().unwrap())).await;
    assert!(
        commission.to_string().contains("22.5") || commission.to_string().contains("30"),
        "{commission}"
    );
}

#[tokio::test]
async fn she_declines_and_asks_for_another_rate() {
    let casa = casa().await;
    let (p, product) = (&casa.p, &casa.product);
    let anna = anna(&casa).await;
    let at = terms_page(&casa);
    let made =
        offer(&casa, json!({ "terms": { "commission_percent": "1" }, "note": HOSTILE })).await;
    let page = anna.sees(product, &at).await.text;
    assert!(page.contains("1% of what") && !page.contains("<script>hit"));
    let answer = format!("{at}/{}/answer", made["id"].as_str().unwrap());
    let done =
        anna.fills(product, &answer, &[("outcome", "declined"), ("note", "Too little")]).await;
    assert!(location(&done).ends_with("done=declined"), "{}", done.text);
    let listed = p.get(product, &format!("/v1/deals/{}/offers", p.deal)).await;
    assert_eq!(
        (&listed["data"][0]["state"], &listed["data"][0]["answer"]),
        (&json!("declined"), &json!("Too little"))
    );
    // Another rate: what isn't one is said at its field, and what was typed stands there.
    for (rate, status) in [("", 422), ("much", 422), ("101", 422), ("-1", 422)] {
        let form = [("deal_id", p.deal.as_str()), ("commission_percent", rate), ("note", "x & y")];
        let text = refused(product, &anna, &at, &form, status).await;
        assert!(text.contains("Commission in percent") && text.contains("x &#38; y"), "{text}");
    }
    refused(product, &anna, &at, &[("deal_id", "x"), ("commission_percent", "20")], 422).await;
    let form = [("deal_id", p.deal.as_str()), ("commission_percent", "20"), ("note", HOSTILE)];
    let done = anna.fills(product, &at, &form).await;
    assert!(location(&done).ends_with("done=asked"), "{}", done.text);
    refused(product, &anna, &at, &form, 409).await;
    let page = anna.sees(product, &at).await.text;
    assert!(page.contains("waits for the brand") && !page.contains("<script>hit"));
    // Granted on the deal's page, told on hers.
    let listed = p.get(product, &format!("/v1/deals/{}/offers", p.deal)).await;
    let mut all = listed["data"].as_array().unwrap().iter();
    let id = all.find(|one| one["kind"] == "request").unwrap()["id"].as_str().unwrap();
    let form = [("id", id), ("outcome", "accepted"), ("answer", "Gladly")];
    let sent = send(&casa, &casa.olga, &format!("/deals/{}/offers/answer", p.deal), &form).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let page = anna.sees(product, &at).await.text;
    assert!(page.contains("granted") && page.contains("Gladly") && page.contains("20%"), "{page}");
}
