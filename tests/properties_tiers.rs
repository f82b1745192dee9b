//! Everything about money in one small model, through the whole product: two creators sell under terms,
//! seasons and tiers that change meanwhile; orders come back, are edited, cancelled, disputed and moved
//! between them; fees are posted and payouts paid or sent back; months pass. Each order earns by the rate
//! of its creator when it was placed, whatever was agreed or reached since; the books add up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test stops where an expectation fails"
)]

mod support;

use http::Request;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::shop::{coded, order, refund, with};
use support::{Answer, Product, Programme};
use tributary::domain::time::to_rfc3339;

#[derive(Debug, Clone)]
enum Step {
    /// The first or second creator sells for 135.00; `false`: it isn't paid yet.
    Order(usize, bool),
    /// One unit of the second line, 22.50, or all of it.
    Refund(usize, bool),
    /// The shop takes one unit of the second line out of the order.
    Edit(usize),
    Cancel(usize),
    /// A payment dispute opens, or the open one ends: `true`, with the shop keeping its money.
    Dispute(usize, bool),
    Move(usize),
    /// Another rate is agreed with a creator, from now on or for some days.
    Terms(usize, u16, Option<i64>),
    Fee(usize, i64),
    /// What can be paid is paid: a payment arrives, or comes back.
    Pay(bool),
    Days(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0usize..12;
    let days = prop::option::weighted(0.5, 1i64..40);
    prop_oneof![
        12 => (0usize..2, prop::bool::weighted(0.8)).prop_map(|(who, paid)| Step::Order(who, paid)),
        2 => (n.clone(), any::<bool>()).prop_map(|(at, all)| Step::Refund(at, all)),
        2 => n.clone().prop_map(Step::Edit),
        2 => n.clone().prop_map(Step::Cancel),
        3 => (n.clone(), any::<bool>()).prop_map(|(at, won)| Step::Dispute(at, won)),
        3 => n.prop_map(Step::Move),
        3 => (0usize..2, 5u16..40, days).prop_map(|(who, percent, days)| Step::Terms(who, percent, days)),
        1 => (0usize..2, 1i64..20_000).prop_map(|(who, cents)| Step::Fee(who, cents)),
        2 => any::<bool>().prop_map(Step::Pay),
        3 => (1i64..20).prop_map(Step::Days),
    ]
}

/// What each creator has agreed to at first.
const BASE: [i64; 2] = [1_000, 2_000];

/// The rates of the two levels, and what they are reached with in a month, by their metric.
const LEVELS: [i64; 2] = [2_200, 2_500];
const METRICS: [(&str, [&str; 2], [i64; 2]); 3] = [
    ("orders", ["2", "4"], [2, 4]),
    ("revenue", ["200.00", "450.00"], [20_000, 45_000]),
    ("commission", ["30.00", "90.00"], [3_000, 9_000]),
];

#[derive(Clone, Copy, PartialEq)]
enum Disputed {
    No,
    Open,
    Won,
    Lost,
}

struct Sold {
    placed_ms: i64,
    month: String,
    paid: bool,
    cancelled: bool,
    edited: bool,
    disputed: Disputed,
    left_cents: i64,
    deal: usize,
    rate: i64,
    updates: i64,
}

impl Sold {
    /// What is left of it: all, while a dispute is open, though nothing is earned meanwhile.
    fn base(&self) -> i64 {
        if self.cancelled || self.disputed == Disputed::Lost { 0 } else { self.left_cents }
    }

    /// Half away from zero.
    fn earned(&self) -> i64 {
        let held = self.disputed == Disputed::Open;
        if self.paid && !held { (self.base() * self.rate + 5_000) / 10_000 } else { 0 }
    }
}

/// Agreed at a time, perhaps until another.
struct Agreed {
    since_ms: i64,
    until_ms: Option<i64>,
    rate: i64,
}

/// A level that somebody reached. It raises her rate unless what stood then was as good.
struct Reached {
    since_ms: i64,
    month: String,
    rate: i64,
    raises: bool,
}

struct World {
    product: Product,
    p: Programme,
    creators: [String; 2],
    deals: [String; 2],
    orders: Vec<Sold>,
    agreed: [Vec<Agreed>; 2],
    reached: [Vec<Reached>; 2],
    fees: [i64; 2],
    calls: usize,
    metric: usize,
    falls_back: bool,
}

impl World {
    async fn new(metric: usize, falls_back: bool) -> Self {
        let product = Product::new();
        let p = Programme::new(&product).await;
        let hold = Some(json!({ "hold_days": 1 }));
        product.call("PATCH", "/v1/brand", hold, &p.key).await.expect(200);
        let code = json!({ "code": "ANNA", "create_in_store": false });
        p.post(&product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
        let (berta, other) = p.rival(&product, "BERTA").await;
        let (name, thresholds, _) = METRICS[metric];
        let levels: Vec<Value> = std::iter::zip(LEVELS, thresholds)
            .map(|(rate, threshold)| {
                let percent = (rate / 100).to_string();
                json!({ "name": percent, "threshold": threshold, "commission_percent": percent })
            })
            .collect();
        let tiers = json!({ "metric": name, "period": "month", "falls_back": falls_back,
            "levels": levels });
        p.post(&product, "/v1/tiers", tiers).await.expect(201);
        let deals = [p.deal.clone(), berta];
        let agreed = BASE.map(|rate| vec![Agreed { since_ms: 0, until_ms: None, rate }]);
        let world = Self {
            creators: [p.creator.clone(), other],
            product,
            p,
            deals,
            orders: Vec::new(),
            agreed,
            reached: Default::default(),
            fees: [0, 0],
            calls: 0,
            metric,
            falls_back,
        };
        world.can_be_paid().await;
        world
    }

    /// The first creator tells where to pay; the second never does.
    async fn can_be_paid(&self) {
        let invited = format!("/v1/deals/{}/invitation", self.deals[0]);
        let made = self.product.call("POST", &invited, None, &self.p.key).await.expect(201);
        let token = json!({ "token": made["url"].as_str().unwrap().split_once('#').unwrap().1 });
        let token = self.product.call("POST", "/v1/invitations/acceptance", Some(token), "").await;
        let token = token.expect(201)["access_token"].as_str().unwrap().to_owned();
        let details = json!({ "method": "paypal", "email": "anna@pay.example" });
        let path = "/v1/me/payment-details";
        self.product.call("PUT", path, Some(details), &token).await.expect(200);
    }

    fn now_ms(&self) -> i64 {
        self.product.app.now_ms()
    }

    /// A call that is done once.
    async fn once(&mut self, path: &str, body: Value) -> Answer {
        self.calls += 1;
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header("authorization", format!("Bearer {}", self.p.key))
            .header("content-type", "application/json")
            .header("idempotency-key", format!("call-{}", self.calls));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.product.raw(request.body(body.into_bytes()).unwrap()).await
    }

    /// The rate of a creator at a time: what was agreed last and holds, raised by the levels that she
    /// reached since and that hold. What was agreed after a level takes its place.
    fn rate(&self, who: usize, at_ms: i64, month: &str) -> i64 {
        let holds =
            |a: &&Agreed| a.since_ms <= at_ms && a.until_ms.is_none_or(|until| at_ms < until);
        let agreed = self.agreed[who].iter().rev().find(holds).unwrap();
        self.raised(who, agreed, at_ms, month)
    }

    fn raised(&self, who: usize, agreed: &Agreed, at_ms: i64, month: &str) -> i64 {
        let raises = |r: &&Reached| {
            let since = agreed.since_ms < r.since_ms && r.since_ms <= at_ms;
            r.raises && since && (!self.falls_back || r.month == month)
        };
        self.reached[who].iter().filter(raises).fold(agreed.rate, |rate, r| rate.max(r.rate))
    }

    /// What a creator sold in a month, by the metric.
    fn measured(&self, who: usize, month: &str) -> i64 {
        let counts = |o: &&Sold| o.deal == who && o.month == month;
        let of = |o: &Sold| match self.metric {
            0 => i64::from(!o.cancelled),
            1 => o.base(),
            _ => o.earned(),
        };
        self.orders.iter().filter(counts).map(of).sum()
    }

    /// Levels are looked at after every change, in the month that it is now.
    fn climb(&mut self, at_ms: i64) {
        let month = month_of(at_ms);
        for who in 0..2 {
            let measured = self.measured(who, &month);
            let (_, _, thresholds) = METRICS[self.metric];
            let Some(level) = thresholds.iter().rposition(|t| measured >= *t) else { continue };
            let rate = LEVELS[level];
            let known = |r: &Reached| r.rate >= rate && (!self.falls_back || r.month == month);
            if self.reached[who].iter().any(known) {
                continue;
            }
            // A season doesn't count here: what is agreed for good is what a level raises.
            let lasting = self.agreed[who].iter().rfind(|a| a.until_ms.is_none()).unwrap();
            let stands = if self.falls_back {
                lasting.rate
            } else {
                self.raised(who, lasting, at_ms, &month)
            };
            let month = month.clone();
            self.reached[who].push(Reached { since_ms: at_ms, month, rate, raises: stands < rate });
        }
    }

    fn body(&self, at: usize) -> Value {
        let sold = &self.orders[at];
        // The code that it was bought with, wherever it was moved since.
        let code = CODES[self.bought_from(at)];
        let placed = to_rfc3339(sold.placed_ms);
        let updated = to_rfc3339(sold.placed_ms + sold.updates * 1_000);
        let status = if sold.paid { "paid" } else { "pending" };
        let cancelled = sold.cancelled.then(|| updated.clone());
        let changes = json!({ "created_at": placed, "updated_at": updated, "financial_status": status,
            "cancelled_at": cancelled });
        let mut body = with(coded(order(at as u64 + 1), code), changes);
        if sold.edited {
            body["line_items"][1]["current_quantity"] = json!(1);
        }
        body
    }

    fn bought_from(&self, at: usize) -> usize {
        (self.orders[at].placed_ms / 1_000 % 2) as usize
    }

    async fn step(&mut self, step: Step) {
        // Nothing happens in the same second, and a second tells whose code an order has.
        self.product.pass(10_000);
        match step {
            Step::Order(who, paid) => {
                let second = self.now_ms() / 2_000 * 2 + who as i64;
                let placed_ms = second * 1_000;
                // It is told after its second: a level that starts within it would hold for it, should
                // somebody move it away and back.
                self.product.set_now(placed_ms + 2_500);
                let month = month_of(placed_ms);
                let rate = self.rate(who, placed_ms, &month);
                self.orders.push(Sold {
                    placed_ms,
                    month,
                    paid,
                    cancelled: false,
                    edited: false,
                    disputed: Disputed::No,
                    left_cents: 13_500,
                    deal: who,
                    rate,
                    updates: 0,
                });
                self.tell(self.orders.len() - 1).await;
            }
            Step::Refund(at, all) => {
                let Some(sold) = self.orders.get_mut(at) else { return };
                if sold.left_cents != 13_500 {
                    return;
                }
                sold.left_cents = if all { 0 } else { 11_250 };
                let whole: &[_] = &[(1, 1, "90.00"), (2, 2, "45.00")];
                let lines = if all { whole } else { &[(2, 1, "22.50")] };
                let id = at as u64 + 1;
                let body = refund(900 + id, id, lines);
                assert_eq!(self.p.deliver(&self.product, &body).await, 200);
            }
            Step::Cancel(at) => {
                let Some(sold) = self.orders.get_mut(at) else { return };
                sold.cancelled = true;
                sold.updates += 1;
                self.tell(at).await;
            }
            Step::Edit(at) => {
                let Some(sold) = self.orders.get_mut(at).filter(|o| o.left_cents == 13_500) else {
                    return;
                };
                (sold.edited, sold.left_cents) = (true, 11_250);
                sold.updates += 1;
                self.tell(at).await;
            }
            Step::Dispute(at, won) => self.dispute(at, won).await,
            Step::Move(at) => {
                let Some(sold) = self.orders.get(at) else { return };
                let to = 1 - sold.deal;
                let rate = self.rate(to, sold.placed_ms, &sold.month);
                let id = self.p.order(&self.product, at as u64 + 1).await["id"].clone();
                let path = format!("/v1/orders/{}/move", id.as_str().unwrap());
                let body = json!({ "deal_id": self.deals[to], "reason": "agreed" });
                self.once(&path, body).await.expect(200);
                let sold = &mut self.orders[at];
                (sold.deal, sold.rate) = (to, rate);
            }
            Step::Terms(who, percent, days) => {
                let (since_ms, rate) = (self.now_ms(), i64::from(percent) * 100);
                let until_ms = days.map(|days| since_ms + days * 86_400_000);
                let mut body = json!({ "commission_percent": percent.to_string() });
                if let Some(until_ms) = until_ms {
                    body["ends_at"] = json!(to_rfc3339(until_ms));
                }
                let path = format!("/v1/deals/{}/terms", self.deals[who]);
                self.p.post(&self.product, &path, body).await.expect(201);
                self.agreed[who].push(Agreed { since_ms, until_ms, rate });
            }
            Step::Fee(who, cents) => {
                let amount = format!("{}.{:02}", cents / 100, cents % 100);
                let path = format!("/v1/deals/{}/fees", self.deals[who]);
                let body = json!({ "amount": { "amount": amount, "currency": "USD" } });
                self.once(&path, body).await.expect(201);
                self.fees[who] += cents;
            }
            Step::Pay(arrives) => self.pay(arrives).await,
            Step::Days(days) => self.product.pass(days * 86_400_000),
        }
        tributary::jobs::tiers::climb_all(&self.product.app).await.unwrap();
        self.climb(self.now_ms());
    }

    async fn dispute(&mut self, at: usize, won: bool) {
        let now = to_rfc3339(self.now_ms());
        let Some(sold) = self.orders.get_mut(at) else { return };
        let (status, ended) = match (sold.disputed, won) {
            (Disputed::No, _) => ("under_review", None),
            (Disputed::Open, true) => ("won", Some(&now)),
            (Disputed::Open, false) => ("lost", Some(&now)),
            _ => return,
        };
        sold.disputed = match status {
            "won" => Disputed::Won,
            "lost" => Disputed::Lost,
            _ => Disputed::Open,
        };
        let id = at as u64 + 1;
        let body = json!({ "id": id * 10, "order_id": id, "type": "chargeback", "status": status,
            "amount": "142.00", "currency": "USD", "finalized_on": ended, "initiated_at": now });
        assert_eq!(self.p.deliver(&self.product, &body).await, 200);
    }

    /// Earnings are released, drafted and approved; nothing to pay is refused.
    async fn pay(&mut self, arrives: bool) {
        tributary::jobs::run_all(&self.product.app).await;
        let draft = self.once("/v1/payouts", json!({ "currency": "USD" })).await;
        if draft.status == 409 {
            return;
        }
        let draft = draft.expect(201);
        let path = format!("/v1/payouts/{}", draft["id"].as_str().unwrap());
        self.once(&format!("{path}/approval"), Value::Null).await.expect(200);
        let outcome = json!({ "outcome": if arrives { "settled" } else { "failed" } });
        for line in draft["lines"].as_array().unwrap() {
            assert_eq!(line["creator_id"], self.creators[0].as_str(), "{draft}");
            let path = format!("{path}/lines/{}/settlement", line["id"].as_str().unwrap());
            self.once(&path, outcome.clone()).await.expect(200);
        }
    }

    async fn tell(&self, at: usize) {
        assert_eq!(self.p.deliver(&self.product, &self.body(at)).await, 200);
    }

    async fn check(&self) {
        let mut expected = [0, 0];
        for (at, sold) in self.orders.iter().enumerate() {
            let told = self.p.order(&self.product, at as u64 + 1).await;
            assert_eq!(told["deal_id"], self.deals[sold.deal].as_str(), "order {at}");
            let commission = told["commission"]["amount"].as_str().unwrap().replace('.', "");
            assert_eq!(commission.parse::<i64>().unwrap(), sold.earned(), "order {at}: {told}");
            expected[sold.deal] += sold.earned();
        }
        for (who, earned) in expected.iter().enumerate() {
            let balance = self.p.balance(&self.product, &self.creators[who], "USD").await;
            let lifetime = balance["lifetime"].as_str().unwrap_or("0.00").replace('.', "");
            let lifetime: i64 = lifetime.parse().unwrap();
            assert_eq!(lifetime, earned + self.fees[who], "{balance}");
        }
        for (deal, cents) in self.deals.iter().zip(expected) {
            let path = format!("/v1/deals/{deal}/performance");
            let told = self.p.get(&self.product, &path).await;
            let told = told["commission"][0]["amount"].as_str().unwrap_or("0.00").replace('.', "");
            assert_eq!(told.parse::<i64>().unwrap(), cents, "{deal}");
        }
        self.p.verify(&self.product).await;
        self.p.audit(&self.product).await;
    }
}

const CODES: [&str; 2] = ["ANNA", "BERTA"];

fn month_of(at_ms: i64) -> String {
    to_rfc3339(at_ms)[..7].to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_orders_earn_by_the_level_of_their_moment(
        metric in 0usize..3,
        falls_back in any::<bool>(),
        steps in prop::collection::vec(step(), 1..36),
    ) {
        run(metric, falls_back, steps);
    }
}

fn run(metric: usize, falls_back: bool, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(metric, falls_back).await;
        for step in steps {
            world.step(step).await;
        }
        world.check().await;
    });
}

/// Unpaid orders post nothing, so that no job looks at who got one by hand.
#[test]
fn who_gets_an_order_by_hand_reaches_a_level_at_once() {
    let sold = |who| Step::Order(who, false);
    run(0, false, vec![sold(1), sold(0), sold(1), Step::Move(2), Step::Order(0, true)]);
}
