//! Cloudflare's custom hostnames, as far as the product asks for them, and what they do wrong when told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tributary::app::{HttpClient, Pending, WebAnswer, WebRequest};
use tributary::jobs::hostnames::Cloudflare;

pub const ZONE: &str = "0123456789abcdef0123456789abcdef";
const TOKEN: &str = "cf-secret-token";

/// What happens to the next request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It isn't done, and nobody answers.
    LostBefore,
    /// It is done, and nobody answers.
    LostAfter,
    /// It isn't done: this status and body.
    Answer(u16, &'static str),
}

#[derive(Default)]
pub struct State {
    pub hostnames: Vec<Value>,
    pub faults: VecDeque<Fault>,
    /// `GET ?hostname=…`, without the zone.
    pub asked: Vec<String>,
    made: usize,
}

/// Cloudflare.
#[derive(Clone, Default)]
pub struct Double(pub Arc<Mutex<State>>);

impl Double {
    pub fn port(&self) -> Cloudflare {
        let (zone, token) = (Some(ZONE.to_owned()), Some(TOKEN.to_owned()));
        Cloudflare::told(Arc::new(self.clone()), false, zone, token, None).unwrap().unwrap()
    }

    pub fn fail(&self, faults: &[Fault]) {
        self.0.lock().unwrap().faults = faults.iter().cloned().collect();
    }

    /// What is told of a host from now on.
    pub fn set(&self, host: &str, path: &str, value: Value) {
        let mut state = self.0.lock().unwrap();
        let one = state.hostnames.iter_mut().find(|one| one["hostname"] == host).unwrap();
        *one.pointer_mut(path).unwrap() = value;
    }

    pub fn activate(&self, host: &str) {
        self.set(host, "/status", json!("active"));
        self.set(host, "/ssl/status", json!("active"));
        self.set(host, "/verification_errors", json!([]));
    }

    pub fn hosts(&self) -> Vec<String> {
        let state = self.0.lock().unwrap();
        state.hostnames.iter().map(|one| one["hostname"].as_str().unwrap().to_owned()).collect()
    }

    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    fn answer(&self, request: &WebRequest<'_>) -> Result<(u16, Value), String> {
        let mut state = self.0.lock().unwrap();
        let prefix = format!("https://api.cloudflare.com/client/v4/zones/{ZONE}/custom_hostnames");
        let rest = request.url.strip_prefix(&prefix).ok_or("no such host")?.to_owned();
        let bearer = format!("Bearer {TOKEN}");
        assert!(
            request
                .headers
                .iter()
                .any(|(name, value)| *name == "authorization" && *value == bearer)
        );
        state.asked.push(format!("{} {rest}", request.method));
        let fault = state.faults.pop_front();
        match fault {
            Some(Fault::LostBefore) => return Err("reset".to_owned()),
            Some(Fault::Answer(status, body)) => {
                return Ok((status, serde_json::from_str(body).unwrap_or(json!(body))));
            }
            _ => (),
        }
        let done = state.done(request.method, &rest, request.body);
        if matches!(fault, Some(Fault::LostAfter)) { Err("timeout".to_owned()) } else { Ok(done) }
    }
}

impl State {
    fn done(&mut self, method: &str, rest: &str, body: Option<&str>) -> (u16, Value) {
        let told = |result: Value| json!({ "success": true, "errors": [], "messages": [], "result": result });
        let wrong = |code: u32, message: &str| json!({ "success": false, "errors": [{ "code": code, "message": message }], "result": null });
        if let Some(host) = rest.strip_prefix("?hostname=") {
            // Found by how it begins, as there.
            let found: Vec<&Value> = self
                .hostnames
                .iter()
                .filter(|one| one["hostname"].as_str().unwrap().contains(host))
                .collect();
            return (200, told(json!(found)));
        }
        let body: Value = body.map_or(Value::Null, |body| serde_json::from_str(body).unwrap());
        if method == "POST" {
            assert_eq!(body["ssl"]["method"], "http");
            assert_eq!(body["ssl"]["type"], "dv");
            let host = body["hostname"].as_str().unwrap().to_owned();
            if self.hostnames.iter().any(|one| one["hostname"] == host.as_str()) {
                return (409, wrong(1406, "Duplicate custom hostname found."));
            }
            self.made += 1;
            let one = json!({ "id": format!("hostname-{}", self.made), "hostname": host,
                "status": "pending", "created_at": "2026-11-22T08:00:00Z",
                "ssl": { "id": "s", "method": "http", "type": "dv", "status": "initializing",
                    "validation_errors": [], "validation_records": [] },
                "verification_errors": ["None of the A or AAAA records are owned by this account and the pre-generated ownership verification token was not found."],
                "ownership_verification": { "type": "txt",
                    "name": format!("_cf-custom-hostname.{host}"), "value": "5cc07c04-ea62-4a5a-95f0-419334a875a4" } });
            self.hostnames.push(one.clone());
            return (201, told(one));
        }
        let id = rest.trim_start_matches('/');
        let Some(at) = self.hostnames.iter().position(|one| one["id"] == id) else {
            return (404, wrong(1436, "The custom hostname was not found."));
        };
        match method {
            "GET" => (200, told(self.hostnames[at].clone())),
            "PATCH" => {
                self.hostnames[at]["ssl"]["status"] = json!("initializing");
                self.hostnames[at]["ssl"]["validation_errors"] = json!([]);
                (200, told(self.hostnames[at].clone()))
            }
            "DELETE" => {
                self.hostnames.remove(at);
                (200, json!({ "id": id }))
            }
            _ => (405, Value::Null),
        }
    }
}

impl HttpClient for Double {
    fn get<'a>(&'a self, _: &'a str) -> Pending<'a, Result<String, String>> {
        Box::pin(async { Err("only its API is asked".to_owned()) })
    }

    fn send<'a>(&'a self, request: WebRequest<'a>) -> Pending<'a, Result<WebAnswer, String>> {
        let answer = self.answer(&request).map(|(status, body)| WebAnswer {
            status,
            retry_after: String::new(),
            body: body.to_string(),
        });
        Box::pin(async move { answer })
    }
}
