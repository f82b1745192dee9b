//! From raw bytes to a [`Delivery`]: the signature, then what kind of body it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::admin::collections::{Hint, hint};
use super::admin::discounts::gid;
use super::news::{self, News};
use super::objects::read;
use super::payload::{Body, Kind, Shape, all};
use super::{amount, compliance, dispute, order, refund};
use crate::domain::order::{Delivery, Edit, Report};
use crate::domain::privacy;
use crate::domain::time::Millis;

/// What an authentic body comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// It reports something about an order.
    Delivery(Delivery),
    /// It asks something about shoppers' data.
    Privacy(privacy::Request),
    /// It tells something of the app itself.
    News(News),
    /// Something became of a discount: a hint to look at it, by the platform's name of it.
    Discount(String),
    /// Something became of a collection, or of a product that may be in one.
    Collection(Hint),
    /// Another topic: acknowledged, nothing is stored.
    Irrelevant,
}

/// Why an authentic body can't be used, in words for the brand. Never quotes the body: it may hold
/// personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unusable {
    /// Not UTF-8.
    #[error("the message is not UTF-8 text")]
    NotUtf8,
    /// Not JSON, or not only JSON.
    #[error("the message is not JSON")]
    NotJson,
    /// JSON, but a list or a single value.
    #[error("the message is JSON, but not an object")]
    NotAnObject,
    /// One of the fields that are read, or a total, is there twice.
    #[error("a field occurs twice, so it is unclear which one counts")]
    DoubledField,
    /// A field has another type than Shopify documents.
    #[error("a field is missing or has another type than Shopify documents")]
    UnexpectedType,
    /// An id is missing or no positive whole number.
    #[error("an id is missing or not a positive whole number")]
    Id,
    /// Two lines with one id, so that a refund can't tell them apart.
    #[error("two lines have the same id")]
    DoubledLine,
    /// A list is longer than that of any real order.
    #[error("the order has more than 1,000 lines, or another list is far too long")]
    TooMany,
    /// A quantity is missing or out of range.
    #[error("a quantity is missing or not a whole number from 0 to 1,000,000")]
    Quantity,
    /// No currency that has a minor unit.
    #[error("the currency is missing or not an ISO 4217 code of real money")]
    Currency,
    /// A shop amount in two currencies.
    #[error("an amount of the shop is in another currency than the order or the other amounts")]
    CurrencyMismatch,
    /// An amount is missing, negative or not an exact decimal.
    #[error("an amount is missing, negative, or not a plain decimal text of its currency")]
    Amount,
    /// An amount or a sum beyond what the books take.
    #[error("an amount is too large")]
    TooLarge,
    /// Money came back in the customer's currency only.
    #[error("a refund without lines does not say its amount in the shop's own currency")]
    ForeignRefund,
    /// A time is missing or no RFC 3339 text with an offset.
    #[error("created_at, updated_at or cancelled_at is missing or not a time with an offset")]
    Time,
    /// A dispute whose status isn't documented.
    #[error(
        "the dispute has a status that Shopify does not document: enter by hand where it stands"
    )]
    DisputeStatus,
    /// Dated before Shopify existed, or in the future.
    #[error("the order is dated before 2006 or in the future")]
    AbsurdTime,
}

/// Whether `header` is the base64 HMAC-SHA256 of exactly these bytes under one of `secrets`.
///
/// The header must be the one canonical spelling: standard alphabet, padded, 44 characters. Every
/// secret is tried, so the time taken doesn't tell which one fitted. An empty secret fits nothing.
#[must_use]
pub fn verify(body: &[u8], header: Option<&str>, secrets: &[impl AsRef<[u8]>]) -> bool {
    const ENCODED_LEN: usize = 44;
    const MAC_LEN: usize = 32;
    let Some(header) = header.filter(|text| text.len() == ENCODED_LEN) else { return false };
    let Ok(claimed) = STANDARD.decode(header) else { return false };
    if claimed.len() != MAC_LEN {
        return false;
    }
    let mut authentic = false;
    for secret in secrets.iter().map(AsRef::as_ref).filter(|secret| !secret.is_empty()) {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { continue };
        mac.update(body);
        authentic |= mac.verify_slice(&claimed).is_ok();
    }
    authentic
}

/// More objects than the largest order has: each list has its own limit, but lists of lists could
/// still fill the memory that all requests of an isolate share.
const MAX_OBJECTS: usize = 100_000;

/// What an authentic body says.
///
/// `now_ms` only serves to refuse orders from the future; `hash_email` gets the buyer's address,
/// trimmed and in small letters.
///
/// # Errors
/// [`Unusable`], if the body is no JSON object, or is an order, refund, edit, dispute, deletion or request of which
/// something that matters is missing, doubled, contradictory or not exact.
pub fn parse(
    body: &[u8],
    now_ms: Millis,
    hash_email: &dyn Fn(&str) -> String,
) -> Result<Parsed, Unusable> {
    let text = std::str::from_utf8(body).map_err(|_| Unusable::NotUtf8)?;
    // A body of fewer bytes can't hold as many.
    let may_hold = body.len() > MAX_OBJECTS;
    if may_hold && body.iter().filter(|byte| **byte == b'{').count() > MAX_OBJECTS {
        return Err(Unusable::TooMany);
    }
    if !text.trim_ascii_start().starts_with('{') {
        let json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        return Err(if json { Unusable::NotAnObject } else { Unusable::NotJson });
    }
    if let Some(discount) = discount(text) {
        return Ok(Parsed::Discount(discount));
    }
    let mut body = Body::default();
    let seen = match read(text, &mut body) {
        Ok(seen) => seen,
        Err(error) => return misfit(text, &error),
    };
    let kind = body.signs().kind();
    if kind == Kind::Other
        && let Some(hint) = hint(text)
    {
        return Ok(Parsed::Collection(hint));
    }
    let delivery = match kind {
        Kind::Order => order::delivery(&body, now_ms, hash_email)?,
        Kind::Refund => refund::delivery(body)?,
        Kind::Edit => edit(&body)?,
        Kind::Dispute => match dispute::delivery(&body)? {
            Some(delivery) => delivery,
            None => return Ok(Parsed::Irrelevant),
        },
        // A deletion tells an id and nothing else.
        Kind::Other if seen.only_the_first(1) => {
            Delivery { external_id: amount::id(body.id)?.to_string(), report: Report::Deleted }
        }
        Kind::Other => {
            if let Some(request) = compliance::request(text)? {
                return Ok(Parsed::Privacy(request));
            }
            return Ok(news::news(text).map_or(Parsed::Irrelevant, Parsed::News));
        }
    };
    Ok(Parsed::Delivery(delivery))
}

/// The discount that a body of a discounts topic is about. Such bodies are small and say nothing that is
/// taken for true: what became of the discount is looked at.
fn discount(text: &str) -> Option<String> {
    const MAX_BYTES: usize = 4_096;
    if text.len() > MAX_BYTES || !text.contains("/DiscountCodeNode/") {
        return None;
    }
    let body: serde_json::Value = serde_json::from_str(text).ok()?;
    gid(body.get("admin_graphql_api_id")?, "DiscountCodeNode")
}

/// A body that doesn't fit our types: another topic may well use the same names for other things,
/// so only what looks like one of ours is complained about.
fn misfit(text: &str, error: &serde_json::Error) -> Result<Parsed, Unusable> {
    let mut shape = Shape::default();
    read(text, &mut shape).map_err(|error| {
        // Of a shape that takes everything, only a repetition is wrong with the data.
        if error.is_data() { Unusable::DoubledField } else { Unusable::NotJson }
    })?;
    if shape.signs().kind() == Kind::Other {
        return Ok(hint(text).map_or(Parsed::Irrelevant, Parsed::Collection));
    }
    if !error.is_data() {
        return Err(Unusable::NotJson);
    }
    // serde has no other way to tell a doubled field from a wrong one.
    let doubled = error.to_string().starts_with("duplicate field");
    Err(if doubled { Unusable::DoubledField } else { Unusable::UnexpectedType })
}

fn edit(body: &Body<'_>) -> Result<Delivery, Unusable> {
    let edit = body.order_edit.as_ref().ok_or(Unusable::UnexpectedType)?;
    let mut deltas = Vec::new();
    if let Some(lines) = &edit.line_items {
        for change in all(&lines.additions)? {
            deltas.push((amount::id(change.id)?, amount::quantity(change.delta)?));
        }
        for change in all(&lines.removals)? {
            deltas.push((amount::id(change.id)?, -amount::quantity(change.delta)?));
        }
    }
    let id = amount::id(edit.id)?.to_string();
    Ok(Delivery {
        external_id: amount::id(edit.order_id)?.to_string(),
        report: Report::Edited(Edit { id, deltas }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":1,"total_price":"18.00"}"#;

    fn mac(body: &[u8], secret: &str) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        mac.finalize().into_bytes().to_vec()
    }
    fn signed(body: &[u8], secret: &str) -> String {
        STANDARD.encode(mac(body, secret))
    }

    #[test]
    fn bodies_of_discount_topics_are_hints() {
        let told = |body: &str| parse(body.as_bytes(), 0, &|_| String::new());
        for body in [
            r#"{"admin_graphql_api_id":"gid://shopify/DiscountCodeNode/7","title":"T","status":"ACTIVE","updated_at":"2026-11-22T08:00:00Z"}"#,
            r#"{"admin_graphql_api_id":"gid://shopify/DiscountCodeNode/7","deleted_at":"2026-11-22T08:00:00Z"}"#,
            r#"{"admin_graphql_api_id":"gid://shopify/DiscountCodeNode/7","redeem_code":{"id":"gid://shopify/DiscountRedeemCode/8","code":"A"}}"#,
        ] {
            let hint = Parsed::Discount("gid://shopify/DiscountCodeNode/7".to_owned());
            assert_eq!(told(body), Ok(hint), "{body}");
        }
        for body in [
            r#"{"admin_graphql_api_id":"gid://shopify/DiscountAutomaticNode/7","title":"T"}"#,
            r#"{"admin_graphql_api_id":"gid://shopify/DiscountCodeNode/7 OR 1","title":"T"}"#,
            r#"{"x":{"admin_graphql_api_id":"gid://shopify/DiscountCodeNode/7"}}"#,
            r#"{"admin_graphql_api_id":7,"x":"/DiscountCodeNode/"}"#,
        ] {
            assert_eq!(told(body), Ok(Parsed::Irrelevant), "{body}");
        }
    }

    #[test]
    fn a_known_signature_is_accepted() {
        // Computed with openssl dgst -sha256 -hmac hush -binary | base64.
        let header = "qBvrsZF7RfB1iS6BX6IHqJTp5L911P7intnPeTPsH0I=";
        assert!(verify(br#"{"id":820982911946154508}"#, Some(header), &["hush"]));
        assert!(!verify(br#"{"id": 820982911946154508}"#, Some(header), &["hush"]));
    }

    #[test]
    fn every_live_secret_is_accepted_and_no_other() {
        let header = signed(BODY, "old");
        assert!(verify(BODY, Some(&header), &["old"]));
        assert!(verify(BODY, Some(&header), &["new", "old"]));
        assert!(verify(BODY, Some(&header), &["old", "new"]));
        assert!(!verify(BODY, Some(&header), &["new"]));
        assert!(!verify(BODY, Some(&header), &[""; 0]));
        assert!(!verify(BODY, Some(&signed(BODY, "")), &["", "new"]), "an empty secret is none");
        assert!(verify(b"", Some(&signed(b"", "old")), &["old"]));
    }

    #[test]
    fn one_bit_of_body_or_signature_is_enough_to_refuse() {
        let header = signed(BODY, "hush");
        for bit in 0..BODY.len() * 8 {
            let mut body = BODY.to_vec();
            body[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(&body, Some(&header), &["hush"]), "body bit {bit}");
        }
        for bit in 0..256 {
            let mut claimed = mac(BODY, "hush");
            claimed[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(BODY, Some(&STANDARD.encode(claimed)), &["hush"]), "mac bit {bit}");
        }
        for at in 0..header.len() {
            for byte in 0..128u8 {
                let mut bytes = header.clone().into_bytes();
                if bytes[at] == byte {
                    continue;
                }
                bytes[at] = byte;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(!verify(BODY, Some(&changed), &["hush"]), "{changed:?}");
            }
        }
    }

    #[test]
    fn only_the_one_canonical_spelling_is_a_signature() {
        // A secret whose signature has both characters in which the alphabets differ.
        let secret = (0..)
            .map(|n| format!("secret {n}"))
            .find(|secret| ["+", "/"].iter().all(|c| signed(BODY, secret).contains(c)))
            .unwrap();
        let header = signed(BODY, &secret);
        assert!(verify(BODY, Some(&header), &[&secret]));
        let raw = mac(BODY, &secret);
        let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
        let bad = [
            String::new(),
            hex,
            header.replace('+', "-").replace('/', "_"),
            header.trim_end_matches('=').to_owned(),
            format!("{}A", header.trim_end_matches('=')),
            format!("{header} "),
            format!(" {header}"),
            format!("{header}\n"),
            format!("{header}="),
            format!("{}\n", &header[..43]),
            format!("{header}, {header}"),
            header.to_lowercase(),
            STANDARD.encode(&raw[..31]),
            STANDARD.encode([raw.as_slice(), &[0]].concat()),
            "é".repeat(22),
            "=".repeat(44),
        ];
        for header in &bad {
            assert!(!verify(BODY, Some(header), &[&secret]), "{header:?}");
        }
        assert!(!verify(BODY, None, &[&secret]));
    }
}
