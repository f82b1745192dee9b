//! Tiers with everything that happens to orders, against a small model through the whole product: two
//! creators sell, orders come back, are cancelled and moved between them, months pass. Each order earns
//! by the rate of its creator when it was placed, whatever was reached since; the books add up.
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
use support::{Product, Programme};
use tributary::domain::time::to_rfc3339;

#[derive(Debug, Clone)]
enum Step {
    /// The first or second creator sells for 135.00; `false`: it isn't paid yet.
    Order(usize, bool),
    /// One unit of the second line, 22.50, or all of it.
    Refund(usize, bool),
    Cancel(usize),
    Move(usize),
    Days(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0usize..12;
    prop_oneof![
        8 => (0usize..2, prop::bool::weighted(0.8)).prop_map(|(who, paid)| Step::Order(who, paid)),
        2 => (n.clone(), any::<bool>()).prop_map(|(at, all)| Step::Refund(at, all)),
        2 => n.clone().prop_map(Step::Cancel),
        3 => n.prop_map(Step::Move),
        2 => (1i64..20).prop_map(Step::Days),
    ]
}

/// What each creator has agreed to, and the levels: from two orders of a month on, and from four.
const BASE: [i64; 2] = [1_000, 2_000];
const LEVELS: [(usize, i64); 2] = [(2, 2_200), (4, 2_500)];

struct Sold {
    placed_ms: i64,
    month: String,
    paid: bool,
    cancelled: bool,
    left_cents: i64,
    deal: usize,
    rate: i64,
    updates: i64,
}

/// A level that somebody reached: when, in which month, which rate.
type Reached = (i64, String, i64);

struct World {
    product: Product,
    p: Programme,
    deals: [String; 2],
    orders: Vec<Sold>,
    reached: [Vec<Reached>; 2],
    falls_back: bool,
}

impl World {
    async fn new(falls_back: bool) -> Self {
        let product = Product::new();
        let p = Programme::new(&product).await;
        let code = json!({ "code": "ANNA", "create_in_store": false });
        p.post(&product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
        let (berta, _) = p.rival(&product, "BERTA").await;
        let level = |(n, rate): (usize, i64)| {
            let percent = (rate / 100).to_string();
            json!({ "name": percent, "threshold": n.to_string(), "commission_percent": percent })
        };
        let tiers = json!({ "metric": "orders", "period": "month", "falls_back": falls_back,
            "levels": LEVELS.map(level) });
        p.post(&product, "/v1/tiers", tiers).await.expect(201);
        let deals = [p.deal.clone(), berta];
        Self { product, p, deals, orders: Vec::new(), reached: Default::default(), falls_back }
    }

    fn now_ms(&self) -> i64 {
        self.product.app.now_ms()
    }

    /// The rate of a creator at a time: what she agreed to, or the best level that holds then.
    fn rate(&self, who: usize, at_ms: i64, month: &str) -> i64 {
        let holds = |(since, in_month, rate): &Reached| {
            (*since <= at_ms && (!self.falls_back || in_month == month)).then_some(*rate)
        };
        self.reached[who].iter().filter_map(holds).fold(BASE[who], i64::max)
    }

    /// Levels are looked at after every change, in the month that it is now.
    fn climb(&mut self, at_ms: i64) {
        let month = month_of(at_ms);
        for who in 0..2 {
            let counts = |o: &&Sold| o.deal == who && o.month == month && !o.cancelled;
            let count = self.orders.iter().filter(counts).count();
            for (threshold, rate) in LEVELS {
                let known = self.reached[who]
                    .iter()
                    .any(|(_, m, r)| *r == rate && (!self.falls_back || *m == month));
                if count >= threshold && !known {
                    self.reached[who].push((at_ms, month.clone(), rate));
                }
            }
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
        with(coded(order(at as u64 + 1), code), changes)
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
            Step::Move(at) => {
                let Some(sold) = self.orders.get(at) else { return };
                let to = 1 - sold.deal;
                let rate = self.rate(to, sold.placed_ms, &sold.month);
                let id = self.p.order(&self.product, at as u64 + 1).await["id"].clone();
                let path = format!("/v1/orders/{}/move", id.as_str().unwrap());
                let body = json!({ "deal_id": self.deals[to], "reason": "agreed" });
                let request = Request::builder()
                    .method("POST")
                    .uri(path)
                    .header("authorization", format!("Bearer {}", self.p.key))
                    .header("content-type", "application/json")
                    .header("idempotency-key", format!("{}", self.now_ms()));
                let request = request.body(body.to_string().into_bytes()).unwrap();
                self.product.raw(request).await.expect(200);
                let sold = &mut self.orders[at];
                (sold.deal, sold.rate) = (to, rate);
            }
            Step::Days(days) => self.product.pass(days * 86_400_000),
        }
        tributary::jobs::tiers::climb_all(&self.product.app).await.unwrap();
        self.climb(self.now_ms());
    }

    async fn tell(&self, at: usize) {
        assert_eq!(self.p.deliver(&self.product, &self.body(at)).await, 200);
    }

    async fn check(&self) {
        let mut expected = [0, 0];
        for (at, sold) in self.orders.iter().enumerate() {
            let earned = if sold.paid && !sold.cancelled { sold.left_cents * sold.rate } else { 0 };
            // Half away from zero.
            let cents = (earned + 5_000) / 10_000;
            let told = self.p.order(&self.product, at as u64 + 1).await;
            assert_eq!(told["deal_id"], self.deals[sold.deal].as_str(), "order {at}");
            let commission = told["commission"]["amount"].as_str().unwrap().replace('.', "");
            assert_eq!(commission.parse::<i64>().unwrap(), cents, "order {at}: {told}");
            expected[sold.deal] += cents;
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
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_orders_earn_by_the_level_of_their_moment(
        falls_back in any::<bool>(),
        steps in prop::collection::vec(step(), 1..28),
    ) {
        run(falls_back, steps);
    }
}

fn run(falls_back: bool, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(falls_back).await;
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
    run(false, vec![sold(1), sold(0), sold(1), Step::Move(2), Step::Order(0, true)]);
}
