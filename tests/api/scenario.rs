//! A campaign of 270 deals from its first creator to the last payment, through the API: what the report says
//! of it is what the plan of each deal comes to by arithmetic of its own.

use serde_json::{Value, json};
use tributary::domain::time::to_rfc3339;

use super::payouts::pay;
use crate::support::shop::{clicked, coded, order, refund, with};
use crate::support::{OPERATOR, PHONE, Product, Programme, SECRET};

const DEALS: usize = 270;
const DAY_MS: i64 = 86_400_000;
/// The base of an order, and what a refund takes back of it, in cents.
const BASE: i64 = 13_500;
const REFUNDED: i64 = 2_250;
const STAGES: [&str; 5] = ["Outreach", "Agreed", "Gift sent", "Awaiting post", "Posted"];

/// What happens in one deal.
struct Plan {
    rate_bp: i64,
    /// Orders by code and by link.
    coded: i64,
    linked: i64,
    /// Orders of which a cushion comes back.
    refunds: i64,
    /// Posted when the deal reaches `Posted`.
    fee: i64,
    product: i64,
    shipping: i64,
    visitors: i64,
    platform: &'static str,
    impressions: Option<i64>,
    /// How far it comes.
    stage: usize,
    /// The creator is paid in the end.
    paid: bool,
}

/// The plan of each deal: 33 sell well and cost little, one just enough for what she cost and one a cent too
/// little, 20 sell as well and cost too much, the others sell little or nothing.
fn plan(n: usize) -> Plan {
    let k = i64::try_from(n).unwrap();
    let (platform, impressions) = match n {
        // Odd ones have so many more as even ones have less.
        0..150 => (
            "instagram",
            Some(5_200 + if n.is_multiple_of(2) { -10 * (k / 2) } else { 10 * (k / 2) }),
        ),
        150..210 => (
            "youtube",
            Some(6_000 + if n.is_multiple_of(2) { -50 * (k - 149) } else { 50 * (k - 150) }),
        ),
        210..250 => ("blog", Some(4_000)),
        // Never measured.
        _ => ("tiktok", None),
    };
    let (coded, linked, fee) = match n {
        0..34 => (4 + k % 3, 2 + k % 2, 5_000),
        // Revenue 675.00, commission 67.50: with a fee of 117.50 and a gift of 40.00 the cost is a third of it.
        34 => (3, 2, 11_750),
        35 => (3, 2, 11_751),
        36..56 => (4, 2, 40_000),
        56..160 => (k % 3, (k + 1) % 2, 2_500),
        _ => (0, 0, 0),
    };
    Plan {
        rate_bp: if n < 10 { 1_250 } else { 1_000 },
        coded,
        linked,
        refunds: i64::from(n < 34 && n.is_multiple_of(5)),
        fee,
        product: 3_200,
        shipping: 800,
        visitors: linked + k % 4,
        platform,
        impressions,
        stage: if n < 160 { 4 } else { n % 5 },
        paid: n < 40,
    }
}

impl Plan {
    fn orders(&self) -> i64 {
        self.coded + self.linked
    }

    fn revenue(&self) -> i64 {
        self.orders() * BASE - self.refunds * REFUNDED
    }

    /// Of each order, rounded to cents, halves up.
    fn commission(&self) -> i64 {
        let of = |base: i64| (base * self.rate_bp + 5_000) / 10_000;
        (self.orders() - self.refunds) * of(BASE) + self.refunds * of(BASE - REFUNDED)
    }

    /// A fee is posted when its deal is posted.
    fn fees(&self) -> i64 {
        if self.stage == 4 { self.fee } else { 0 }
    }

    fn cost(&self) -> i64 {
        self.commission() + self.fees() + self.product + self.shipping
    }

    /// In cents: so many dollars for a thousand impressions.
    fn media(&self) -> Option<i64> {
        let dollars_of_a_thousand_times_ten = match self.platform {
            "instagram" => 300,
            "youtube" => 350,
            "blog" => 100,
            _ => 150,
        };
        // Dollars × 10 of a thousand are cents × 100 of a hundred-thousandth.
        self.impressions.map(|seen| (seen * dollars_of_a_thousand_times_ten + 50) / 100)
    }

    fn is_high(&self) -> bool {
        self.orders() >= 5 && self.revenue() >= 3 * self.cost()
    }
}

fn dollars(cents: i64) -> Value {
    json!(format!("{}.{:02}", cents / 100, cents % 100))
}

fn usd(cents: i64) -> Value {
    json!({ "amount": dollars(cents), "currency": "USD" })
}

fn id(json: &Value) -> String {
    json["id"].as_str().unwrap().to_owned()
}

/// A deal under way: its ids and its plan.
struct Running {
    creator: String,
    deal: String,
    slug: String,
    code: String,
    plan: Plan,
}

/// The brand, its shop, its formula for media and the campaign.
async fn begin(product: &Product) -> Programme {
    let body = json!({ "name": "Casa", "currency": "USD", "homepage_url": "https://casa.example",
        "owner_email": "owner@casa.example" });
    let made = product.call("POST", "/v1/brands", Some(body), OPERATOR).await.expect(201);
    let key = made["api_key"].as_str().unwrap().to_owned();
    let post = async |path: &str, body: Value| {
        product.call("POST", path, Some(body), &key).await.expect(201)
    };
    let store = json!({ "platform": "shopify", "shop_domain": "casa.myshopify.com",
        "storefront_url": "https://shop.casa.example", "client_id": "c", "client_secret": SECRET });
    let store = id(&post("/v1/stores", store).await);
    let rate = |platform: &str, cpm: &str| {
        json!({ "platform": platform, "measure": "impressions",
            "cpm": { "amount": cpm, "currency": "USD" } })
    };
    let formula = json!({ "default": { "measure": "impressions", "cpm": { "amount": "15.00", "currency": "USD" } },
        "platforms": [rate("instagram", "30.00"), rate("youtube", "35.00"), rate("blog", "10.00")] });
    post("/v1/media-formulas", formula).await;
    let campaign = id(&post("/v1/campaigns", json!({ "name": "Autumn", "stages": STAGES })).await);
    product.call("PATCH", "/v1/brand", Some(json!({ "hold_days": 0 })), &key).await.expect(200);
    let (creator, deal) = (String::new(), String::new());
    Programme { key, brand: made["brand"].clone(), store, creator, campaign, deal }
}

/// A creator with her deal, link and code.
async fn sign_up(product: &Product, p: &Programme, n: usize) -> Running {
    let body = json!({ "name": format!("Creator {n}"), "handle": format!("@creator{n}"),
        "email": format!("creator{n}@creator.example"), "followers": 1_000 * n });
    let creator = id(&p.post(product, "/v1/creators", body).await.expect(201));
    let body = json!({ "creator_id": creator, "campaign_id": p.campaign, "commission_percent": "10",
        "starts_at": "2026-01-01T00:00:00Z", "kind": if n < 200 { "affiliate" } else { "gifting" } });
    let deal = id(&p.post(product, "/v1/deals", body).await.expect(201));
    let (slug, code) = (format!("creator{n}"), format!("CREATOR{n}"));
    let of = |what: &str| format!("/v1/deals/{deal}/{what}");
    p.post(product, &of("links"), json!({ "slug": slug })).await.expect(201);
    let body = json!({ "code": code, "create_in_store": false });
    p.post(product, &of("codes"), body).await.expect(201);
    Running { creator, deal, slug, code, plan: plan(n) }
}

/// Ten creators accept better terms, from a template.
async fn agree(product: &Product, p: &Programme, running: &[Running]) {
    let body = json!({ "name": "Star", "contract": "One post.", "terms": { "commission_percent": "12.5" } });
    let template = p.post(product, "/v1/term-templates", body).await.expect(201);
    for one in running.iter().filter(|one| one.plan.rate_bp == 1_250) {
        let path = format!("/v1/deals/{}/offers", one.deal);
        let offer =
            p.post(product, &path, json!({ "template_id": template["id"] })).await.expect(201);
        let hers = super::payouts::token(product, p, &one.deal).await;
        let path = format!("/v1/me/offers/{}/decision", id(&offer));
        let yes = json!({ "outcome": "accepted", "hash": offer["hash"] });
        product.call("POST", &path, Some(yes), &hers).await.expect(200);
    }
}

/// Gifts go out, fees are agreed, and the deal moves to where it ends; what it publishes is reported.
async fn work(product: &Product, p: &Programme, one: &Running) {
    let Running { deal, plan, .. } = one;
    let of = |what: &str| format!("/v1/deals/{deal}/{what}");
    let name = |what: &str| format!("{what}/{deal}");
    let gift = json!({ "product": usd(plan.product), "shipping": usd(plan.shipping) });
    pay(product, &p.key, &name("gift"), &of("costs"), gift).await.expect(201);
    if plan.fee > 0 {
        let fee = json!({ "amount": usd(plan.fee), "stage": "Posted" });
        pay(product, &p.key, &name("fee"), &of("fees"), fee).await.expect(201);
    }
    for stage in &STAGES[1..=plan.stage.max(1)] {
        if plan.stage > 0 {
            let path = of("move");
            p.post(product, &path, json!({ "stage": stage })).await.expect(200);
        }
    }
    let metrics = match plan.impressions {
        // First half of it, then all: the latest counts.
        Some(seen) => json!({ "impressions": seen / 2 }),
        None => json!({ "likes": 12 }),
    };
    let post = json!({ "platform": plan.platform, "url": format!("https://{}.example/{deal}", plan.platform),
        "published_at": to_rfc3339(product.app.now_ms()), "metrics": metrics });
    let post = p.post(product, &of("posts"), post).await.expect(201);
    if let Some(seen) = plan.impressions {
        product.pass(1);
        let path = format!("/v1/posts/{}/metrics", id(&post));
        p.post(product, &path, json!({ "impressions": seen })).await.expect(201);
    }
}

/// Shoppers come and buy; some send a cushion back.
async fn sell(product: &Product, p: &Programme, one: &Running, first: u64) {
    let plan = &one.plan;
    let mut click_ids = Vec::new();
    for visitor in 0..plan.visitors {
        let agent = format!("{PHONE} {}/{visitor}", one.slug);
        let to = product.visit("", &one.slug, "", &agent).await.unwrap();
        click_ids.push(to.rsplit_once("click_id=").unwrap().1.to_owned());
    }
    let at = to_rfc3339(product.app.now_ms());
    for n in 0..plan.orders() {
        let number = first + n.unsigned_abs();
        let body = with(order(number), json!({ "created_at": at, "updated_at": at }));
        let body = if n < plan.coded {
            coded(body, &one.code)
        } else {
            clicked(body, &click_ids[usize::try_from(n - plan.coded).unwrap()])
        };
        assert_eq!(p.deliver(product, &body).await, 200);
        if n == 0 {
            // Shopify tells everything twice now and then.
            assert_eq!(p.deliver(product, &body).await, 200);
        }
        if n < plan.refunds {
            let body = refund(900_000 + number, number, &[(2, 1, "22.50")]);
            assert_eq!(p.deliver(product, &body).await, 200);
        }
    }
}

/// The counters push what they counted.
pub async fn push_clicks(product: &Product) {
    let rows = product.db.rows("SELECT id FROM links");
    let links: Vec<_> =
        rows.iter().map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect();
    let day = tributary::domain::time::Day(product.app.now_ms() / DAY_MS);
    let totals = product.app.clicks.totals(&links, day.plus(-5), day.plus(1)).await.unwrap();
    product.app.db().run(vec![tributary::storage::clicks::push(&totals)]).await.unwrap();
}

/// Forty creators say where they are paid, and are.
async fn settle(product: &Product, p: &Programme, running: &[Running]) -> i64 {
    let mut ids = Vec::new();
    for one in running.iter().filter(|one| one.plan.paid) {
        let hers = super::payouts::token(product, p, &one.deal).await;
        let body = json!({ "method": "paypal", "email": format!("{}@pay.example", one.slug) });
        product.call("PUT", "/v1/me/payment-details", Some(body), &hers).await.expect(200);
        ids.push(one.creator.clone());
    }
    let draft = json!({ "currency": "USD", "creator_ids": ids });
    let draft = pay(product, &p.key, "draft", "/v1/payouts", draft).await.expect(201);
    let path = format!("/v1/payouts/{}", id(&draft));
    pay(product, &p.key, "approve", &format!("{path}/approval"), Value::Null).await.expect(200);
    let lines = draft["lines"].as_array().unwrap();
    assert_eq!(lines.len(), ids.len());
    for line in lines {
        let settlement = format!("{path}/lines/{}/settlement", id(line));
        let body = json!({ "outcome": "settled" });
        pay(product, &p.key, &id(line), &settlement, body).await.expect(200);
    }
    running.iter().filter(|o| o.plan.paid).map(|o| o.plan.commission() + o.plan.fees()).sum()
}

/// All rows of the report of creators, page by page, and its head.
async fn report(product: &Product, p: &Programme) -> (Value, Vec<Value>) {
    let path = format!("/v1/reports/creators?campaign_id={}&limit=100", p.campaign);
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = p.get(product, &format!("{path}{cursor}")).await;
        rows.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (page, rows),
        }
    }
}

async fn campaign(product: &Product) -> (Programme, Vec<Running>, i64) {
    let p = begin(product).await;
    let mut running = Vec::new();
    for n in 0..DEALS {
        running.push(sign_up(product, &p, n).await);
    }
    agree(product, &p, &running).await;
    for one in &running {
        work(product, &p, one).await;
    }
    product.pass(DAY_MS);
    let mut first = 1_000;
    for one in &running {
        sell(product, &p, one, first).await;
        first += one.plan.orders().unsigned_abs();
    }
    push_clicks(product).await;
    let paid = settle(product, &p, &running).await;
    (p, running, paid)
}

#[tokio::test]
async fn a_campaign_of_270_deals_is_reported_as_it_was() {
    let product = Product::new();
    let (p, running, paid) = campaign(&product).await;
    let sum = |of: &dyn Fn(&Plan) -> i64| running.iter().map(|one| of(&one.plan)).sum::<i64>();
    // The plan is what it is meant to be.
    assert_eq!(sum(&|plan| plan.impressions.unwrap_or(0)), 1_300_000);
    assert_eq!(sum(&|plan| plan.media().unwrap_or(0)), 3_760_000);
    assert_eq!(sum(&|plan| i64::from(plan.is_high())), 35);
    assert_eq!(sum(&|plan| i64::from(plan.orders() >= 5)), 56);

    let (head, rows) = report(&product, &p).await;
    let totals = &head["totals"];
    assert_eq!((&head["creators"], &totals["deals"], rows.len()), (&json!(270), &json!(270), 270));
    assert_eq!((&totals["impressions"], &totals["posts"]), (&json!(1_300_000), &json!(270)));
    assert_eq!(totals["earned_media_value"], usd(3_760_000));
    assert_eq!(head["high_performers"]["count"], 35);
    let revenue = sum(&Plan::revenue);
    for (name, value) in [
        ("revenue", revenue),
        ("commission", sum(&Plan::commission)),
        ("fees", sum(&Plan::fees)),
        ("gifts", sum(&|plan| plan.product + plan.shipping)),
        ("cost", sum(&Plan::cost)),
    ] {
        assert_eq!(totals[name], usd(value), "{name}");
    }
    assert_eq!(totals["orders"], json!(sum(&Plan::orders)));
    assert_eq!(totals["clicks"]["unique"], json!(sum(&|plan| plan.visitors)));
    creators_are(&running, &rows);
    best_are(&running, &head, revenue);
    others_agree(&product, &p, &running, paid).await;
    p.verify(&product).await;
}

/// Each creator's row is what her plan comes to, and they stand by revenue.
fn creators_are(running: &[Running], rows: &[Value]) {
    let mut by_revenue: Vec<(i64, &String)> =
        running.iter().map(|one| (-one.plan.revenue(), &one.creator)).collect();
    by_revenue.sort();
    for (row, (_, creator)) in rows.iter().zip(by_revenue) {
        assert_eq!(row["creator_id"], json!(creator));
        let plan = &running.iter().find(|one| one.creator == *creator).unwrap().plan;
        let found = &row["figures"];
        assert_eq!(found["revenue"], usd(plan.revenue()), "{row}");
        assert_eq!(found["commission"], usd(plan.commission()));
        assert_eq!(found["cost"], usd(plan.cost()));
        assert_eq!(found["orders"], json!(plan.orders()));
        assert_eq!(found["clicks"]["unique"], json!(plan.visitors));
        assert_eq!(found["impressions"], json!(plan.impressions));
        assert_eq!(found["earned_media_value"], plan.media().map_or(Value::Null, usd));
        assert_eq!(row["high_performer"], json!(plan.is_high()), "{row}");
    }
}

/// The best 5 % and 10 % of 270 are 14 and 27.
fn best_are(running: &[Running], head: &Value, revenue: i64) {
    let mut all: Vec<i64> = running.iter().map(|one| one.plan.revenue()).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    for (name, count) in [("top_5_percent", 14), ("top_10_percent", 27)] {
        let brought: i64 = all[..count].iter().sum();
        assert_eq!(head[name]["count"], json!(count));
        assert_eq!(head[name]["revenue"], usd(brought));
        let points = (brought * 20_000 + revenue) / (2 * revenue);
        let share = format!("{}.{:02}", points / 100, points % 100);
        let share = share.trim_end_matches('0').trim_end_matches('.').to_owned();
        assert_eq!(head[name]["share_percent"], json!(share));
    }
}

/// The other reports tell the same of the same.
async fn others_agree(product: &Product, p: &Programme, running: &[Running], paid: i64) {
    let sum = |of: &dyn Fn(&Plan) -> i64| running.iter().map(|one| of(&one.plan)).sum::<i64>();
    let campaigns = p.get(product, "/v1/reports/campaigns").await;
    assert_eq!(campaigns["data"][0]["figures"], campaigns["totals"]);
    assert_eq!(campaigns["data"][0]["creators"], 270);
    assert_eq!(campaigns["totals"]["earned_media_value"], usd(3_760_000));
    let stages = p.get(product, "/v1/reports/stages").await;
    let funnel = stages["data"][0]["stages"].as_array().unwrap();
    for (at, stage) in funnel.iter().enumerate() {
        let here = running.iter().filter(|one| one.plan.stage == at).count();
        let further = running.iter().filter(|one| one.plan.stage >= at).count();
        assert_eq!((&stage["deals"], &stage["here_or_further"]), (&json!(here), &json!(further)));
    }
    let sources = p.get(product, "/v1/reports/sources").await;
    let of = |at: usize, name: &str| sources["data"][at][name].clone();
    assert_eq!(
        (of(0, "orders"), of(1, "orders")),
        (json!(sum(&|s| s.coded)), json!(sum(&|s| s.linked)))
    );
    // What came back had been bought with codes.
    let back = sum(&|plan| plan.refunds) * REFUNDED;
    assert_eq!(of(0, "revenue"), usd(sum(&|plan| plan.coded) * BASE - back));
    assert_eq!(of(1, "revenue"), usd(sum(&|plan| plan.linked) * BASE));
    assert_eq!((of(2, "orders"), of(2, "revenue")), (json!(0), usd(0)));
    let overview = p.get(product, "/v1/reports/overview").await;
    let period = &overview["period"];
    assert_eq!(period["revenue"], usd(sum(&Plan::revenue)));
    assert_eq!(period["cost"], usd(sum(&Plan::cost)));
    assert_eq!(period["impressions"], 1_300_000);
    assert_eq!((&period["paid"], &overview["owed"]["paid"]), (&usd(paid), &usd(paid)));
    let earned = sum(&|plan| plan.commission() + plan.fees());
    assert_eq!(overview["owed"]["owed"], usd(earned - paid));
    assert_eq!(overview["before"]["revenue"], usd(0));
    let sold: i64 = overview["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| day["orders"].as_i64().unwrap())
        .sum();
    assert_eq!(sold, sum(&Plan::orders));
}
