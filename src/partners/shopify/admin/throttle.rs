//! How much a shop lets us ask: a bucket of points that refills, as the answers themselves tell it.

use serde_json::Value;

use crate::domain::time::Millis;
use crate::partners::at;

/// What is known of the bucket. Before the first answer nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    known: Option<Known>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    available: i64,
    maximum: i64,
    restored_each_s: i64,
    at_ms: Millis,
    /// What the last question was said to cost.
    asked: i64,
}

/// Shopify tells points as numbers with a fraction; whole ones are near enough.
fn points(value: &Value) -> Option<i64> {
    let text = value.as_number()?.to_string();
    text.split('.').next()?.parse().ok().filter(|n| (0..=1_000_000).contains(n))
}

impl Budget {
    /// Learns from the `extensions.cost` of an answer.
    pub fn learn(&mut self, cost: &Value, now_ms: Millis) {
        let status = at(cost, "/throttleStatus");
        let told = (|| {
            Some(Known {
                available: points(at(status, "/currentlyAvailable"))?,
                maximum: points(at(status, "/maximumAvailable"))?,
                restored_each_s: points(at(status, "/restoreRate"))?.max(1),
                at_ms: now_ms,
                asked: points(at(cost, "/requestedQueryCost"))?,
            })
        })();
        self.known = told.or(self.known);
    }

    /// How long to wait before something like the last question can be asked again. The bucket of a
    /// shop is ours alone (per app and shop), and one worker at a time asks.
    #[must_use]
    pub fn wait_ms(&self, now_ms: Millis) -> Millis {
        let Some(known) = self.known else { return 0 };
        let passed_ms = (now_ms - known.at_ms).clamp(0, 3_600_000);
        let restored = passed_ms * known.restored_each_s / 1000;
        let available = (known.available + restored).min(known.maximum);
        let missing = known.asked.min(known.maximum) - available;
        if missing <= 0 { 0 } else { (missing * 1000).div_euclid(known.restored_each_s) + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cost(asked: i64, available: i64) -> Value {
        json!({ "requestedQueryCost": asked, "actualQueryCost": 3, "throttleStatus": {
            "maximumAvailable": 2000.0, "currentlyAvailable": available, "restoreRate": 100.0 } })
    }

    #[test]
    fn it_waits_until_there_is_enough() {
        let mut budget = Budget::default();
        assert_eq!(budget.wait_ms(0), 0);
        budget.learn(&cost(500, 2000), 0);
        assert_eq!(budget.wait_ms(0), 0);
        budget.learn(&cost(500, 100), 1_000);
        assert_eq!(budget.wait_ms(1_000), 4_001);
        assert_eq!(budget.wait_ms(3_000), 2_001);
        assert_eq!(budget.wait_ms(5_000), 0);
        // A clock that goes back makes it wait no longer.
        assert_eq!(budget.wait_ms(0), 4_001);
        // What never fits is asked when the bucket is full.
        budget.learn(&cost(9_000, 1_900), 0);
        assert_eq!(budget.wait_ms(0), 1_001);
    }

    #[test]
    fn what_makes_no_sense_teaches_nothing() {
        let mut budget = Budget::default();
        for odd in [Value::Null, json!({}), json!({ "throttleStatus": 7 }), cost(-1, 5)] {
            budget.learn(&odd, 0);
            assert_eq!(budget, Budget::default());
        }
    }
}
