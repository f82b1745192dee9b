//! Money against a small model: orders, refunds, fees, adjustments, releases, drafts, approvals,
//! sendings, settlements, failures and retries in any order, through the whole product. Whatever is
//! asked, in whatever order: the ledger sums to zero, balances are its fold and never negative, nobody
//! has more or less than was earned, and what was paid is what settled lines say, once.
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
use support::paypal::Fault;
use support::people::Member;
use support::shop::{coded, order, refund};
use support::{Product, Programme};

#[derive(Debug, Clone)]
enum Step {
    /// An order of one line of 100.00: ten per cent of it, held for a day.
    Order,
    /// Of the n-th order, so many cents.
    Refund(usize, u16),
    Fee(u16),
    /// With its stage, or tomorrow.
    Planned(u16, bool),
    Cancel(usize),
    Stage(bool),
    Adjust(i16),
    Draft,
    Approve(usize),
    Drop(usize),
    /// What became of a line, by hand.
    Settle(usize, bool),
    Retry(usize),
    Send(usize, Vec<u8>),
    /// What PayPal tells from now on.
    Paypal(u8),
    Export(usize),
    Pass(u8),
    Jobs,
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0usize..6;
    prop_oneof![
        3 => Just(Step::Order),
        2 => (n.clone(), 1u16..12_000).prop_map(|(at, cents)| Step::Refund(at, cents)),
        2 => (1u16..5_000).prop_map(Step::Fee),
        2 => (1u16..5_000, any::<bool>()).prop_map(|(cents, stage)| Step::Planned(cents, stage)),
        1 => n.clone().prop_map(Step::Cancel),
        2 => any::<bool>().prop_map(Step::Stage),
        2 => (-3_000i16..3_000).prop_map(Step::Adjust),
        4 => Just(Step::Draft),
        5 => n.clone().prop_map(Step::Approve),
        1 => n.clone().prop_map(Step::Drop),
        3 => (n.clone(), any::<bool>()).prop_map(|(at, settled)| Step::Settle(at, settled)),
        3 => n.clone().prop_map(Step::Retry),
        3 => (n.clone(), prop::collection::vec(0u8..7, 0..4)).prop_map(|(at, faults)| Step::Send(at, faults)),
        2 => (0u8..4).prop_map(Step::Paypal),
        1 => n.prop_map(Step::Export),
        3 => (1u8..40).prop_map(Step::Pass),
        4 => Just(Step::Jobs),
    ]
}

struct World {
    product: Product,
    p: Programme,
    calls: usize,
    orders: u64,
    refunds: u64,
    payouts: Vec<Value>,
    fees: Vec<String>,
}

fn cents(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", minor.abs() / 100, minor.abs() % 100)
}

fn minor(text: &Value) -> i64 {
    text.as_str().unwrap().replace('.', "").parse().unwrap()
}

impl World {
    async fn new() -> Self {
        let product = Product::new();
        let p = Programme::new(&product).await;
        let brand = json!({ "hold_days": 1, "payout_schedule": { "day": 25 } });
        product.call("PATCH", "/v1/brand", Some(brand), &p.key).await.expect(200);
        let code = json!({ "code": "ANNA", "create_in_store": false });
        p.post(&product, &format!("/v1/deals/{}/codes", p.deal), code).await.expect(201);
        let invited = format!("/v1/deals/{}/invitation", p.deal);
        let made = product.call("POST", &invited, None, &p.key).await.expect(201);
        let token = json!({ "token": made["url"].as_str().unwrap().split_once('#').unwrap().1 });
        let token = product.call("POST", "/v1/invitations/acceptance", Some(token), "").await;
        let token = token.expect(201)["access_token"].as_str().unwrap().to_owned();
        let details = json!({ "method": "paypal", "email": "anna@pay.example" });
        product.call("PUT", "/v1/me/payment-details", Some(details), &token).await.expect(200);
        product.web.1.0.lock().unwrap().secret = "hush".into();
        let owner = Member::joins(&product, "owner@casa.example", 1).await;
        let account =
            json!({ "provider": "paypal", "client_id": "client", "client_secret": "hush" });
        let path = "/v1/brand/payout-provider";
        owner.browser.send(&product, "PUT", path, Some(account)).await.expect(200);
        let none = (Vec::new(), Vec::new());
        Self { product, p, calls: 0, orders: 0, refunds: 0, payouts: none.0, fees: none.1 }
    }

    /// A money call; every refusal is one by a rule. Now and then it comes twice.
    async fn pay(&mut self, path: &str, body: Value) -> Option<Value> {
        self.calls += 1;
        let name = format!("call-{}", self.calls);
        let mut first: Option<String> = None;
        for _ in 0..1 + self.calls % 2 {
            let request = Request::builder()
                .method("POST")
                .uri(path)
                .header("authorization", format!("Bearer {}", self.p.key))
                .header("content-type", "application/json")
                .header("idempotency-key", &name);
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let answer = self.product.raw(request.body(body.into_bytes()).unwrap()).await;
            assert!(matches!(answer.status, 200 | 201 | 409), "{path} {}", answer.text);
            if answer.status == 409 {
                return None;
            }
            assert_eq!(*first.get_or_insert(answer.text.clone()), answer.text, "the first answer");
        }
        first.map(|text| text.parse().unwrap())
    }

    fn payout(&self, at: usize) -> Option<(String, String)> {
        let payout = self.payouts.get(at % self.payouts.len().max(1))?;
        let path = format!("/v1/payouts/{}", payout["id"].as_str().unwrap());
        let line = format!("{path}/lines/{}", payout["lines"][0]["id"].as_str().unwrap());
        Some((path, line))
    }

    async fn take(&mut self, step: &Step) {
        let usd = |minor: i64| json!({ "amount": cents(minor), "currency": "USD" });
        let fees = format!("/v1/deals/{}/fees", self.p.deal);
        match step {
            Step::Order => {
                self.orders += 1;
                let body = coded(order(self.orders), "ANNA");
                self.p.deliver(&self.product, &body).await;
            }
            Step::Refund(at, minor) if self.orders > 0 => {
                self.refunds += 1;
                let of = 1 + *at as u64 % self.orders;
                let amount = cents(i64::from(*minor));
                let body = refund(10_000 + self.refunds, of, &[(1, 1, &amount)]);
                self.p.deliver(&self.product, &body).await;
            }
            Step::Fee(minor) => {
                self.pay(&fees, json!({ "amount": usd(i64::from(*minor)) })).await;
            }
            Step::Planned(minor, stage) => {
                let mut body = json!({ "amount": usd(i64::from(*minor)) });
                let day =
                    tributary::domain::time::Zone::utc().day(self.product.app.now_ms()).plus(1);
                match stage {
                    true => body["stage"] = json!("Posted"),
                    false => body["due_on"] = json!(day.to_iso()),
                }
                let fee = self.pay(&fees, body).await.unwrap();
                self.fees.push(fee["id"].as_str().unwrap().to_owned());
            }
            Step::Cancel(at) if !self.fees.is_empty() => {
                let id = &self.fees[at % self.fees.len()];
                let path = format!("{fees}/{id}/cancellation");
                let answer = self.product.call("POST", &path, None, &self.p.key).await;
                assert!(matches!(answer.status, 200 | 409), "{}", answer.text);
            }
            Step::Stage(posted) => {
                let stage = json!({ "stage": if *posted { "Posted" } else { "Lost" } });
                let path = format!("/v1/deals/{}", self.p.deal);
                self.product.call("PATCH", &path, Some(stage), &self.p.key).await.expect(200);
            }
            Step::Adjust(minor) if *minor != 0 => {
                let path = format!("/v1/creators/{}/adjustments", self.p.creator);
                let body = json!({ "amount": usd(i64::from(*minor)), "reason": "r" });
                self.pay(&path, body).await;
            }
            Step::Draft => {
                let made = self.pay("/v1/payouts", json!({ "currency": "USD" })).await;
                self.payouts.extend(made);
            }
            Step::Approve(at) => {
                let Some((path, _)) = self.payout(*at) else { return };
                self.pay(&format!("{path}/approval"), Value::Null).await;
            }
            Step::Drop(at) => {
                let Some((path, _)) = self.payout(*at) else { return };
                let answer = self.product.call("DELETE", &path, None, &self.p.key).await;
                assert!(matches!(answer.status, 200 | 409), "{}", answer.text);
            }
            Step::Settle(at, settled) => {
                let Some((_, line)) = self.payout(*at) else { return };
                let outcome = if *settled { "settled" } else { "failed" };
                self.pay(&format!("{line}/settlement"), json!({ "outcome": outcome })).await;
            }
            Step::Retry(at) => {
                let Some((_, line)) = self.payout(*at) else { return };
                self.pay(&format!("{line}/retry"), Value::Null).await;
            }
            Step::Send(at, fault) => {
                let Some((path, _)) = self.payout(*at) else { return };
                let faults = [
                    Fault::LostBefore,
                    Fault::LostAfter,
                    Fault::Before(503),
                    Fault::After(503),
                    Fault::Expired,
                    Fault::Refuse(400, "VALIDATION_ERROR"),
                    Fault::Refuse(422, "INSUFFICIENT_FUNDS"),
                ];
                let told: Vec<Fault> =
                    fault.iter().map(|n| faults[usize::from(*n)].clone()).collect();
                self.product.web.1.fail(&told);
                self.pay(&format!("{path}/sending"), Value::Null).await;
            }
            Step::Paypal(status) => {
                let status = ["PENDING", "SUCCESS", "FAILED", "UNCLAIMED"][usize::from(*status)];
                // What is over stays over.
                let mut paypal = self.product.web.1.0.lock().unwrap();
                paypal.status = status.to_owned();
                for batch in paypal.batches.values_mut() {
                    if !matches!(&*batch.status, "SUCCESS" | "FAILED") {
                        batch.status = status.to_owned();
                    }
                }
            }
            Step::Export(at) => {
                let Some((path, _)) = self.payout(*at) else { return };
                let path = format!("{path}/export");
                let answer = self.product.call("GET", &path, None, &self.p.key).await;
                assert!(matches!(answer.status, 200 | 409), "{}", answer.text);
            }
            Step::Pass(hours) => self.product.pass(i64::from(*hours) * 3_600_000),
            Step::Jobs => tributary::jobs::run_all(&self.product.app).await,
            _ => (),
        }
    }

    async fn check(&self) {
        let books = self.p.get(&self.product, "/v1/ledger/verification").await;
        assert_eq!(
            (&books["balances_match"], &books["chain_intact"]),
            (&json!(true), &json!(true))
        );
        assert!(books["sums"].as_object().unwrap().values().all(|sum| sum == "0.00"), "{books}");
        let sum = |sql: &str| self.product.db.rows(sql)[0]["n"].as_i64().unwrap_or(0);
        let negative = "SELECT count(*) AS n FROM balances WHERE (account = 'clawback') = (amount_minor > 0) AND amount_minor <> 0";
        assert_eq!(sum(negative), 0);
        // What she has, had and owes is what she earned, and nothing else.
        let earned = sum("SELECT sum(commission_minor) AS n FROM orders")
            + sum("SELECT sum(amount_minor) AS n FROM fees WHERE state = 'posted'")
            + sum("SELECT sum(amount_minor) AS n FROM adjustments");
        assert_eq!(sum("SELECT sum(amount_minor) AS n FROM balances"), earned);
        // What is in payouts and paid is what lines say: the same money is in one payout.
        let lines = |state: &str| {
            sum(&format!("SELECT sum(amount_minor) AS n FROM payout_lines WHERE state = '{state}'"))
        };
        let balance = self.p.balance(&self.product, &self.p.creator, "USD").await;
        assert_eq!(minor(&balance["in_payout"]), lines("in_payout"));
        assert_eq!(minor(&balance["paid"]), lines("settled"));
        // Of PayPal: what it paid is of lines that say so or may say so still, each once.
        let paypal = self.product.web.1.0.lock().unwrap();
        for (reference, batch) in &paypal.batches {
            let sql = format!("SELECT s.state AS sending, l.state AS line, l.attempt = s.attempt AS now, l.amount_minor AS n
              FROM payout_sendings s JOIN payout_lines l ON l.id = s.line_id WHERE s.reference = '{reference}'");
            let row = &self.product.db.rows(&sql)[0];
            assert_eq!(batch.amount, cents(row["n"].as_i64().unwrap()));
            let paid = batch.status == "SUCCESS";
            if paid {
                assert_eq!(row["now"], 1, "no other try while this one paid: {row}");
                assert!(matches!(row["line"].as_str().unwrap(), "in_payout" | "settled"), "{row}");
            }
        }
        assert_eq!(
            sum("SELECT count(*) AS n FROM payout_sendings WHERE state = 'contradicted'"),
            0
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn money_is_never_lost_made_or_paid_twice(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in &steps {
                world.take(step).await;
            }
            world.check().await;
            // And however it stands, it comes to an end: everything is told, everything settles.
            world.take(&Step::Paypal(1)).await;
            for _ in 0..3 {
                world.product.pass(7 * 3_600_000);
                world.take(&Step::Jobs).await;
            }
            world.check().await;
        });
    }
}
