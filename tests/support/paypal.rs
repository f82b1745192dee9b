//! PayPal natively: what it has paid, and what it does wrong when it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tributary::app::WebRequest;

/// What happens to the next request for a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It isn't taken, and nobody answers.
    LostBefore,
    /// It is taken, and nobody answers.
    LostAfter,
    /// It isn't taken: this status.
    Before(u16),
    /// It is taken: this status.
    After(u16),
    /// Refused with this status and name.
    Refuse(u16, &'static str),
    /// The token has expired.
    Expired,
}

/// A batch that was taken.
#[derive(Debug, Clone)]
pub struct Batch {
    pub id: String,
    pub receiver: String,
    pub amount: String,
    /// Of its one item.
    pub status: String,
}

#[derive(Default)]
pub struct State {
    /// By `sender_batch_id`.
    pub batches: BTreeMap<String, Batch>,
    pub faults: VecDeque<Fault>,
    /// What an item is told to be when nothing else is set.
    pub status: String,
    /// Requests for payments, whatever became of them.
    pub asked_to_pay: usize,
    /// What else was asked.
    pub asked: usize,
    /// A secret that is right.
    pub secret: String,
}

/// PayPal.
#[derive(Clone, Default)]
pub struct Double(pub Arc<Mutex<State>>);

impl Double {
    pub fn fail(&self, faults: &[Fault]) {
        self.0.lock().unwrap().faults = faults.iter().cloned().collect();
    }

    /// What every item is told to be from now on.
    pub fn settle(&self, status: &str) {
        let mut state = self.0.lock().unwrap();
        state.status = status.to_owned();
        for batch in state.batches.values_mut() {
            batch.status = status.to_owned();
        }
    }

    /// What was paid to whom, in cents: what didn't come back.
    pub fn paid(&self) -> BTreeMap<String, Vec<String>> {
        let mut paid: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for batch in self.0.lock().unwrap().batches.values() {
            if !matches!(&*batch.status, "FAILED" | "RETURNED" | "REFUNDED" | "REVERSED") {
                paid.entry(batch.receiver.clone()).or_default().push(batch.amount.clone());
            }
        }
        paid
    }

    pub fn references(&self) -> Vec<String> {
        self.0.lock().unwrap().batches.keys().cloned().collect()
    }

    pub fn asked_to_pay(&self) -> usize {
        self.0.lock().unwrap().asked_to_pay
    }

    pub fn answer(&self, request: &WebRequest<'_>) -> Result<(u16, String), String> {
        let mut state = self.0.lock().unwrap();
        let path = request.url.strip_prefix("https://api-m.paypal.com").ok_or("no such host")?;
        match (request.method, path) {
            ("POST", "/v1/oauth2/token") => {
                let expected = format!("Basic {}", base64(&format!("client:{}", state.secret)));
                assert_eq!(header(request, "content-type"), "application/x-www-form-urlencoded");
                if header(request, "authorization") == expected {
                    Ok((200, json!({ "access_token": "A21", "expires_in": 32400 }).to_string()))
                } else {
                    Ok((401, json!({ "error": "invalid_client" }).to_string()))
                }
            }
            _ if header(request, "authorization") != "Bearer A21" => Ok((401, "{}".to_owned())),
            ("POST", "/v1/payments/payouts") => state.pay(request.body.unwrap()),
            ("GET", path) => {
                state.asked += 1;
                let id = path.strip_prefix("/v1/payments/payouts/").unwrap().split('?').next();
                let found = state.batches.iter().find(|(_, batch)| Some(&*batch.id) == id);
                let Some((reference, batch)) = found else { return Ok((404, "{}".to_owned())) };
                Ok((200, shown(reference, batch).to_string()))
            }
            other => panic!("{other:?}"),
        }
    }
}

impl State {
    fn pay(&mut self, body: &str) -> Result<(u16, String), String> {
        self.asked_to_pay += 1;
        let fault = self.faults.pop_front();
        match &fault {
            Some(Fault::LostBefore) => return Err("timed out".to_owned()),
            Some(Fault::Before(status)) => return Ok((*status, "{}".to_owned())),
            Some(Fault::Refuse(status, name)) => {
                return Ok((*status, json!({ "name": name, "message": body }).to_string()));
            }
            Some(Fault::Expired) => {
                return Ok((401, json!({ "error": "invalid_token" }).to_string()));
            }
            _ => (),
        }
        let body: Value = body.parse().unwrap();
        let reference = body["sender_batch_header"]["sender_batch_id"].as_str().unwrap();
        let text = |path: &str| body.pointer(path).unwrap().as_str().unwrap().to_owned();
        let answer = if let Some(known) = self.batches.get(reference) {
            let href = format!("https://api-m.paypal.com/v1/payments/payouts/{}", known.id);
            // Not as documented: the batch is named by the detail, under `link`.
            let details = json!([{ "field": "SENDER_BATCH_ID", "location": "body",
                "issue": "Batch with given sender_batch_id already exists",
                "link": [{ "href": href, "rel": "self", "method": "GET" }] }]);
            (400, json!({ "name": "USER_BUSINESS_ERROR", "details": details, "links": [] }))
        } else {
            let batch = Batch {
                id: format!("BATCH{}", self.batches.len()),
                receiver: text("/items/0/receiver"),
                amount: text("/items/0/amount/value"),
                status: if self.status.is_empty() { "PENDING".into() } else { self.status.clone() },
            };
            let told = shown(reference, &batch);
            self.batches.insert(reference.to_owned(), batch);
            (201, told)
        };
        match fault {
            Some(Fault::LostAfter) => Err("timed out".to_owned()),
            Some(Fault::After(status)) => Ok((status, "{}".to_owned())),
            _ => Ok((answer.0, answer.1.to_string())),
        }
    }
}

fn shown(reference: &str, batch: &Batch) -> Value {
    json!({ "batch_header": { "payout_batch_id": batch.id, "batch_status": "SUCCESS",
        "sender_batch_header": { "sender_batch_id": reference } },
        "items": [{ "transaction_status": batch.status,
            "payout_item": { "receiver": batch.receiver } }] })
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// What a header says, '' without it.
fn header<'a>(request: &'a WebRequest<'_>, name: &str) -> &'a str {
    let found = request.headers.iter().find(|(told, _)| *told == name);
    found.map_or("", |(_, value)| value)
}
