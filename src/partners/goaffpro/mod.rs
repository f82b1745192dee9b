//! GoAffPro's API: what it is asked, and what its answers mean.
//!
//! Nothing of it is documented well and nothing is versioned, so that an answer is judged field by
//! field: what isn't as it should be makes its row unusable, never a guess. Amounts and ids are read
//! from the text that stands in the answer, whether it is a JSON number or a JSON text.

mod numbers;
mod orders;
#[cfg(test)]
mod tests;
mod times;

use serde_json::Value;

use crate::domain::attribution::code_key;
use crate::domain::micros::Micros;
use crate::domain::money::Currency;
use crate::domain::time::Millis;

pub use numbers::as_texts;
pub use orders::{Kept, Status, ToldOrder, Unusable, order, snapshot};
pub use times::parse as parse_time;

/// Where the API is.
pub const ORIGIN: &str = "https://api.goaffpro.com";
/// The name of the header that opens it.
pub const TOKEN_HEADER: &str = "x-goaffpro-access-token";
/// Rows of a page.
pub const PAGE: usize = 250;

/// The connection test: the keys are all that is asked for.
pub const CONFIG: &str = "/v1/admin/store/config?keys=site_id,store_name,default_currency,website";
const ORDER_FIELDS: &str =
    "id,affiliate_id,number,subtotal,commission,status,coupons,created,customer_email,is_paid";
const AFFILIATE_FIELDS: &str = "id,name,email,ref_code,ref_codes,coupon,coupons,commission,status";

/// A page of orders after an id, placed between two moments where these are given.
#[must_use]
pub fn orders_path(since_id: u64, from_ms: Option<Millis>, until_ms: Option<Millis>) -> String {
    let mut path =
        format!("/v1/admin/orders?fields={ORDER_FIELDS}&limit={PAGE}&since_id={since_id}");
    for (name, at_ms) in [("created_at_min", from_ms), ("created_at_max", until_ms)] {
        if let Some(at_ms) = at_ms {
            path.push_str(&format!("&{name}={}", crate::domain::time::to_rfc3339(at_ms)));
        }
    }
    path
}

/// One order by its id.
#[must_use]
pub fn order_path(id: &str) -> String {
    format!("/v1/admin/orders?fields={ORDER_FIELDS}&limit=1&id={id}")
}

/// A page of affiliates.
#[must_use]
pub fn affiliates_path(offset: usize) -> String {
    format!("/v1/admin/affiliates?fields={AFFILIATE_FIELDS}&limit={PAGE}&offset={offset}")
}

/// The affiliates with this address (`email`) or ref code (`ref_code`).
#[must_use]
pub fn affiliate_path(by: &str, value: &str) -> String {
    let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    format!("/v1/admin/affiliates?fields={AFFILIATE_FIELDS}&limit=5&{by}={value}")
}

/// A page of visits after an id.
#[must_use]
pub fn traffic_path(since_id: u64) -> String {
    format!("/v1/admin/traffic?limit={PAGE}&since_id={since_id}&fields=id,affiliate_id,created_at")
}

/// A page of the other programme's ledger, or of its rewards.
#[must_use]
pub fn ledger_path(of: &str, offset: usize) -> String {
    format!("/v1/admin/{of}?limit={PAGE}&offset={offset}")
}

/// The rows of a page: an object with a list of this name, or the list itself.
///
/// # Errors
/// In words: it has another form.
pub fn rows<'a>(page: &'a Value, name: &str) -> Result<&'a [Value], String> {
    let list = page.get(name).unwrap_or(page).as_array();
    list.map(Vec::as_slice).ok_or_else(|| format!("GoAffPro's answer has no list of {name}"))
}

/// A field as text, whatever wrote it; `None` for null, an empty text and what is no scalar.
fn text<'a>(row: &'a Value, name: &str) -> Option<&'a str> {
    row.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

/// A whole number above zero, exact beyond 2^53.
#[must_use]
pub fn id(row: &Value, name: &str) -> Option<u64> {
    let digits = text(row, name).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok().filter(|id| *id > 0)
}

/// At most so many characters, control characters made visible.
fn clip(text: &str, most: usize) -> String {
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.trim().chars().take(most).map(visible).collect()
}

/// Codes however they are told: a text, an object with `code`, a list of these, or nothing.
fn codes(value: Option<&Value>) -> Vec<String> {
    let code = |value: &Value| {
        let told = value.as_str().or_else(|| value.get("code")?.as_str())?;
        Some(clip(told, 255)).filter(|code| !code.is_empty())
    };
    let mut found: Vec<String> = match value {
        Some(Value::Array(all)) => all.iter().filter_map(code).collect(),
        Some(one) => code(one).into_iter().collect(),
        None => Vec::new(),
    };
    found.truncate(20);
    found
}

/// What a connection test tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The shop's currency.
    pub currency: Option<Currency>,
    /// What it is called.
    pub name: String,
    /// The host of its website, in small letters.
    pub website: Option<String>,
}

/// Reads the answer to [`CONFIG`].
///
/// # Errors
/// In words: it has another form.
pub fn config(answer: &Value) -> Result<Config, String> {
    let inner = ["config", "data", "store"].iter().find_map(|name| answer.get(*name));
    let told = inner.filter(|value| value.is_object()).unwrap_or(answer);
    if !told.is_object() {
        return Err("GoAffPro's answer has another form".to_owned());
    }
    let host = |website: &str| {
        let rest = website.split("://").last().unwrap_or_default();
        let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default().to_ascii_lowercase();
        crate::domain::link::is_host(&host).then_some(host)
    };
    Ok(Config {
        currency: text(told, "default_currency")
            .and_then(|code| code.to_ascii_uppercase().parse().ok()),
        name: clip(text(told, "store_name").unwrap_or_default(), 100),
        website: text(told, "website").and_then(host),
    })
}

/// An affiliate as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldAffiliate {
    /// Its id there.
    pub id: u64,
    /// Who she says she is.
    pub name: String,
    /// Her address, if it is one.
    pub email: Option<String>,
    /// Her ref codes, the first the one to hand out.
    pub ref_codes: Vec<String>,
    /// Her coupons, as codes are compared.
    pub coupons: Vec<String>,
    /// `approved`, `pending`, …
    pub status: String,
    /// What she earns there, in words: `10 percentage on order`.
    pub commission: String,
}

/// Reads an affiliate; `None` without an id: rows come back empty where fields weren't asked for.
#[must_use]
pub fn affiliate(row: &Value) -> Option<ToldAffiliate> {
    let mut ref_codes = codes(row.get("ref_code"));
    ref_codes.extend(codes(row.get("ref_codes")));
    ref_codes.retain(|code| is_ref_code(code));
    let mut seen = Vec::new();
    ref_codes.retain(|code| !seen.contains(code) && (seen.push(code.clone()), true).1);
    let mut coupons = codes(row.get("coupon"));
    coupons.extend(codes(row.get("coupons")));
    let mut coupons: Vec<String> = coupons.iter().map(|code| code_key(code)).collect();
    coupons.sort_unstable();
    coupons.dedup();
    let commission = row.get("commission").cloned().unwrap_or_default();
    let parts = ["amount", "type", "on"].map(|part| text(&commission, part).unwrap_or_default());
    let email = text(row, "email").filter(|email| email.contains('@') && email.len() <= 254);
    Some(ToldAffiliate {
        id: id(row, "id")?,
        name: clip(text(row, "name").unwrap_or_default(), 100),
        email: email.map(str::to_owned),
        ref_codes,
        coupons,
        status: clip(text(row, "status").unwrap_or_default(), 20),
        commission: clip(&parts.join(" "), 60),
    })
}

/// Whether a text can be a ref code: it goes into addresses as it is.
#[must_use]
pub fn is_ref_code(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
}

/// A visit: its id, whose, and when. Where from isn't read.
#[must_use]
pub fn visit(row: &Value) -> Option<(u64, Option<u64>, Option<Millis>)> {
    let at_ms = text(row, "created_at").or_else(|| text(row, "created")).and_then(parse_time);
    Some((id(row, "id")?, id(row, "affiliate_id"), at_ms))
}

/// What a row of the other programme's ledger moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Whose.
    pub affiliate: u64,
    /// `order`, `reward` or `payout`.
    pub kind: &'static str,
    /// How much, signed as it is told.
    pub amount: Micros,
    /// In which currency, where it says so.
    pub currency: Option<Currency>,
}

/// Reads a row of the ledger.
///
/// # Errors
/// [`Unusable`].
pub fn transaction(row: &Value) -> Result<Moved, Unusable> {
    let told = text(row, "entity_type").or_else(|| text(row, "event_type")).unwrap_or_default();
    let told = told.to_ascii_lowercase();
    let kind = match told.as_str() {
        told if told.contains("order") || told.contains("sale") => "order",
        told if told.contains("reward") || told.contains("bonus") => "reward",
        _ => "payout",
    };
    moved(row, kind)
}

/// Reads a reward.
///
/// # Errors
/// [`Unusable`].
pub fn reward(row: &Value) -> Result<Moved, Unusable> {
    moved(row, "reward")
}

fn moved(row: &Value, kind: &'static str) -> Result<Moved, Unusable> {
    let currency = match text(row, "currency") {
        Some(code) => Some(code.parse().map_err(|_| Unusable::Currency)?),
        None => None,
    };
    Ok(Moved {
        affiliate: id(row, "affiliate_id").ok_or(Unusable::Id)?,
        kind,
        amount: text(row, "amount")
            .ok_or(Unusable::Amount)?
            .parse()
            .map_err(|_| Unusable::Amount)?,
        currency,
    })
}

/// What is asked for a new affiliate.
pub struct NewAffiliate<'a> {
    /// Her address.
    pub email: &'a str,
    /// Her name.
    pub name: &'a str,
    /// The ref code she is to have.
    pub ref_code: Option<&'a str>,
    /// The coupon she is to have.
    pub coupon: Option<&'a str>,
    /// The rate she is to have there, in percent.
    pub percent: Option<&'a str>,
}

/// The body that makes an affiliate.
#[must_use]
pub fn new_affiliate(new: &NewAffiliate<'_>) -> String {
    use crate::domain::json::{Fields, Raw, ToJson, json, text};
    let coupon = new.coupon.map(|code| json!({ "code": code }));
    let commission = new.percent.map(|percent| json!({ "type": "percentage", "amount": percent }));
    let coupon = coupon.as_deref().map(Raw);
    let commission = commission.as_deref().map(Raw);
    let mut fields: Vec<(&str, &dyn ToJson)> =
        vec![("email", &new.email), ("name", &new.name), ("status", &"approved")];
    if let Some(code) = &new.ref_code {
        fields.push(("ref_code", code));
    }
    if let Some(coupon) = &coupon {
        fields.push(("coupon", coupon));
    }
    if let Some(commission) = &commission {
        fields.push(("commission", commission));
    }
    text(&Fields(&fields))
}
