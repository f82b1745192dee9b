//! Cloudflare for SaaS behind the port of custom hostnames: what [`crate::partners::cloudflare`] writes and
//! reads, sent.

use std::sync::Arc;

use serde_json::Value;

use crate::app::{Hostnames, HttpClient, Pending, WebRequest};
use crate::partners::cloudflare::{self, Told};
use crate::storage::rows::parse;

/// Where Cloudflare's API is.
pub const ORIGIN: &str = "https://api.cloudflare.com/client/v4";
/// Its answers are at most this large.
const MAX_ANSWER: usize = 256 * 1024;

/// Custom hostnames of one zone. It has a secret in it: no `Debug`.
pub struct Cloudflare {
    http: Arc<dyn HttpClient>,
    zone: String,
    token: String,
    origin: String,
}

impl Cloudflare {
    /// What the operator set up; `None` where custom domains are added by hand.
    ///
    /// # Errors
    /// What is wrong: half of it is missing, or a deployment is told to ask another place.
    pub fn told(
        http: Arc<dyn HttpClient>,
        local: bool,
        zone: Option<String>,
        token: Option<String>,
        origin: Option<String>,
    ) -> Result<Option<Self>, String> {
        if origin.is_some() && !local {
            return Err("CLOUDFLARE_ORIGIN is for local runs only".to_owned());
        }
        let (zone, token) = match (zone, token) {
            (None, None) => return Ok(None),
            (Some(zone), Some(token)) => (zone, token),
            (None, Some(_)) => return Err("CLOUDFLARE_ZONE".to_owned()),
            (Some(_), None) => return Err("CLOUDFLARE_TOKEN".to_owned()),
        };
        let good = zone.len() == 32 && zone.bytes().all(|b| b.is_ascii_hexdigit());
        if !good {
            return Err("CLOUDFLARE_ZONE".to_owned());
        }
        // A local run reaches what it is told, or nothing.
        let nowhere = if local { "https://cloudflare.invalid" } else { ORIGIN };
        let origin = origin.unwrap_or_else(|| nowhere.to_owned());
        Ok(Some(Self { http, zone, token, origin }))
    }

    /// Status and body of an answer; a body that is no JSON is `null`.
    async fn send(
        &self,
        method: &'static str,
        rest: &str,
        body: Option<&str>,
    ) -> Result<(u16, Value), Told> {
        let mut headers =
            vec![("authorization", format!("Bearer {}", self.token)), ("accept", JSON.to_owned())];
        if body.is_some() {
            headers.push(("content-type", JSON.to_owned()));
        }
        let url = format!("{}/zones/{}/custom_hostnames{rest}", self.origin, self.zone);
        let request = WebRequest { method, url, headers, body, limit: MAX_ANSWER };
        let lost = |_| Told::Later("Cloudflare can't be reached just now".to_owned());
        let answer = self.http.send(request).await.map_err(lost)?;
        Ok((answer.status, parse(&answer.body).unwrap_or(Value::Null)))
    }
}

const JSON: &str = "application/json";

impl Hostnames for Cloudflare {
    fn find<'a>(&'a self, host: &'a str) -> Pending<'a, Told> {
        Box::pin(async move {
            match self.send("GET", &format!("?hostname={host}"), None).await {
                Ok((status, answer)) => cloudflare::found(status, &answer, host),
                Err(told) => told,
            }
        })
    }

    fn create<'a>(&'a self, host: &'a str) -> Pending<'a, Told> {
        Box::pin(async move {
            match self.send("POST", "", Some(&cloudflare::wanted(host))).await {
                Ok((status, answer)) => cloudflare::one(status, &answer),
                Err(told) => told,
            }
        })
    }

    fn show<'a>(&'a self, id: &'a str) -> Pending<'a, Told> {
        Box::pin(async move {
            match self.send("GET", &format!("/{id}"), None).await {
                Ok((status, answer)) => cloudflare::one(status, &answer),
                Err(told) => told,
            }
        })
    }

    fn again<'a>(&'a self, id: &'a str) -> Pending<'a, Told> {
        Box::pin(async move {
            match self.send("PATCH", &format!("/{id}"), Some(&cloudflare::again())).await {
                Ok((status, answer)) => cloudflare::one(status, &answer),
                Err(told) => told,
            }
        })
    }

    fn remove<'a>(&'a self, id: &'a str) -> Pending<'a, Told> {
        Box::pin(async move {
            match self.send("DELETE", &format!("/{id}"), None).await {
                Ok((status, answer)) => cloudflare::removed(status, &answer),
                Err(told) => told,
            }
        })
    }
}
