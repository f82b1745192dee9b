//! PayPal behind the port of providers: what [`crate::partners::paypal`] writes and reads, sent.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::app::{HttpClient, Payment, PayoutProvider, Pending, WebRequest};
use crate::domain::sending::Told;
use crate::partners::paypal;
use crate::storage::rows::parse;

/// Where PayPal's API is.
pub const ORIGIN: &str = "https://api-m.paypal.com";
/// Nothing is there (RFC 2606).
const NOWHERE: &str = "https://paypal.invalid";

/// Where payments go. A local run, of tests and demos, pays nobody: it reaches what it is told, or nothing.
///
/// # Errors
/// What is wrong: a deployment must not be talked into paying at another place.
pub fn origin(local: bool, told: Option<String>) -> Result<String, String> {
    match told {
        None => Ok(if local { NOWHERE } else { ORIGIN }.to_owned()),
        Some(origin) if local => Ok(origin),
        Some(_) => Err("PAYPAL_ORIGIN is for local runs only".to_owned()),
    }
}

/// PayPal's answers are at most this large.
const MAX_ANSWER: usize = 1024 * 1024;

/// PayPal's Payouts API.
pub struct Paypal {
    http: Arc<dyn HttpClient>,
    origin: String,
}

impl Paypal {
    /// The API at an origin.
    #[must_use]
    pub fn new(http: Arc<dyn HttpClient>, origin: String) -> Self {
        Self { http, origin }
    }

    /// Status and body of an answer; a body that is no JSON is `null`.
    async fn send(
        &self,
        method: &'static str,
        path: &str,
        authorization: String,
        body: Option<(&'static str, &str)>,
    ) -> Result<(u16, Value), String> {
        let mut headers = vec![("authorization", authorization), ("accept", JSON.to_owned())];
        if let Some((content_type, _)) = body {
            headers.push(("content-type", content_type.to_owned()));
        }
        let request = WebRequest {
            method,
            url: [&self.origin, path].concat(),
            headers,
            body: body.map(|(_, body)| body),
            limit: MAX_ANSWER,
        };
        let answer = self.http.send(request).await?;
        Ok((answer.status, parse(&answer.body).unwrap_or(Value::Null)))
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

impl PayoutProvider for Paypal {
    fn sign_in<'a>(
        &'a self,
        client_id: &'a str,
        secret: &'a str,
    ) -> Pending<'a, Result<String, String>> {
        Box::pin(async move {
            let basic = format!("Basic {}", STANDARD.encode([client_id, ":", secret].concat()));
            let body = Some((FORM, "grant_type=client_credentials"));
            let (status, told) = self.send("POST", "/v1/oauth2/token", basic, body).await?;
            let token = paypal::token(&told).filter(|_| status == 200).map(str::to_owned);
            token.ok_or_else(|| format!("sign-in: {status} {}", paypal::name(&told)))
        })
    }

    fn pay<'a>(&'a self, token: &'a str, payment: Payment<'a>) -> Pending<'a, Told> {
        Box::pin(async move {
            let Payment { reference, receiver, amount, currency } = payment;
            let body = paypal::batch(reference, receiver, amount, currency);
            let bearer = format!("Bearer {token}");
            let path = "/v1/payments/payouts";
            match self.send("POST", path, bearer, Some((JSON, &body))).await {
                Ok((status, told)) => paypal::paid(status, &told),
                // What went wrong may tell an address: it isn't kept.
                Err(_) => Told::Nothing("no answer".to_owned()),
            }
        })
    }

    fn ask<'a>(&'a self, token: &'a str, batch: &'a str, reference: &'a str) -> Pending<'a, Told> {
        Box::pin(async move {
            let path = format!("/v1/payments/payouts/{batch}?page=1&page_size=2");
            match self.send("GET", &path, format!("Bearer {token}"), None).await {
                Ok((status, told)) => paypal::asked(status, &told, reference),
                Err(_) => Told::Nothing("no answer".to_owned()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_deployment_reaches_paypal() {
        let double = || Some("http://127.0.0.1:1".to_owned());
        assert_eq!(origin(false, None).unwrap(), ORIGIN);
        assert_eq!(origin(true, None).unwrap(), NOWHERE);
        assert_eq!(origin(true, double()), Ok("http://127.0.0.1:1".to_owned()));
        assert!(origin(false, double()).is_err());
    }
}
