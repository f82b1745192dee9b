//! What an order carries that may say whose it is. Nothing is verified here.

use std::borrow::Cow;

use crate::domain::decimal::Decimal;

use super::payload::{Body, DiscountCode, first, text};
use super::{Unusable, amount};
use crate::domain::money::Currency;
use crate::domain::order::{Evidence, UsedCode, decimal_to_minor};

pub(super) const MAX_CHARS: usize = 255;
const MAX_CODES: usize = 20;
pub(super) const MAX_CLICKS: usize = 10;

/// The cart attribute that the storefront snippet writes.
const CLICK_ATTRIBUTE: &str = "_tributary_click";

pub(super) fn evidence(
    body: &Body<'_>,
    currency: Currency,
    hash_email: &dyn Fn(&str) -> String,
) -> Result<Evidence, Unusable> {
    let landing = Landing::of(text(&body.landing_site).unwrap_or(""));
    let web = text(&body.source_name) == Some("web");
    let attributes = first(&body.note_attributes).iter();
    let attributes = attributes
        .filter(|attribute| text(&attribute.name) == Some(CLICK_ATTRIBUTE))
        .filter_map(|attribute| text(&attribute.value));
    let mut clicks = Vec::new();
    for token in attributes.chain(landing.clicks.iter().map(AsRef::as_ref)) {
        let token = clip(token, MAX_CHARS);
        if clicks.len() < MAX_CLICKS && !token.is_empty() && !clicks.contains(&token) {
            clicks.push(token);
        }
    }
    let bare_ref = landing.reference.filter(|_| landing.clicks.is_empty());
    Ok(Evidence {
        codes: codes(body, currency)?,
        clicks,
        bare_ref: bare_ref.map(|slug| clip(&slug, MAX_CHARS)),
        email_hash: email(body).map(|address| hash_email(&address)),
        affiliation: None,
        journey: None,
        web,
    })
}

/// Codes that an application of type `discount_code` names, in their order, then what else stands
/// in `discount_codes`: titles of manual and automatic discounts look like codes there.
fn codes(body: &Body<'_>, currency: Currency) -> Result<Vec<UsedCode>, Unusable> {
    let listed = first(&body.discount_codes).iter().filter_map(|entry| {
        let code = text(&entry.code)?;
        Some(discount(entry, currency).map(|minor| (code, code.to_lowercase(), minor)))
    });
    let listed = listed.collect::<Result<Vec<_>, _>>()?;
    let mut applied: Vec<String> = Vec::new();
    let mut used = Vec::new();
    for application in first(&body.discount_applications) {
        let (Some("discount_code"), Some(code)) =
            (text(&application.kind), text(&application.code))
        else {
            continue;
        };
        let folded = code.to_lowercase();
        if code.is_empty() || applied.contains(&folded) {
            continue;
        }
        let entry = listed.iter().find(|(_, listed, _)| *listed == folded);
        let discount_minor = entry.map_or(0, |(_, _, minor)| *minor);
        used.push(UsedCode { code: clip(code, MAX_CHARS), discount_minor, is_code: true });
        applied.push(folded);
    }
    for (code, folded, discount_minor) in listed {
        if !code.is_empty() && !applied.contains(&folded) {
            used.push(UsedCode { code: clip(code, MAX_CHARS), discount_minor, is_code: false });
        }
    }
    used.truncate(MAX_CODES);
    Ok(used)
}

/// What a code took off. It only ranks codes, so decimals that the currency lacks are rounded.
fn discount(entry: &DiscountCode<'_>, currency: Currency) -> Result<i64, Unusable> {
    let Some(raw) = entry.amount else { return Ok(0) };
    let value = amount::decimal(amount::quoted(raw).ok_or(Unusable::Amount)?, None)?;
    if value < Decimal::ZERO {
        Err(Unusable::Amount)
    } else {
        Ok(decimal_to_minor(value, currency))
    }
}

/// What the first page of the shopper's visit says: a full URL, or a path with a query.
pub struct Landing<'a> {
    pub(super) clicks: Vec<Cow<'a, str>>,
    pub(super) reference: Option<Cow<'a, str>>,
}

impl<'a> Landing<'a> {
    /// Reads its query.
    #[must_use]
    pub fn of(page: &'a str) -> Self {
        let mut landing = Self { clicks: Vec::new(), reference: None };
        let page = page.split_once('#').map_or(page, |(before, _)| before);
        let query = page.split_once('?').map_or("", |(_, query)| query);
        let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty());
        for (name, value) in pairs {
            match name.as_ref() {
                "click_id" if landing.clicks.len() < MAX_CLICKS => landing.clicks.push(value),
                "ref" if landing.reference.is_none() => landing.reference = Some(value),
                _ => (),
            }
        }
        landing
    }

    /// Its click ids, as far as one can be that long.
    pub fn clicks(&self) -> impl Iterator<Item = String> {
        self.clicks.iter().map(|click| clip(click, MAX_CHARS))
    }

    /// Its `ref`.
    #[must_use]
    pub fn reference(&self) -> Option<String> {
        self.reference.as_ref().map(|slug| clip(slug, MAX_CHARS))
    }
}

/// The buyer's address as it is hashed.
fn email(body: &Body<'_>) -> Option<String> {
    let customer = body.customer.as_ref().and_then(|customer| text(&customer.email));
    [text(&body.email), text(&body.contact_email), customer]
        .into_iter()
        .flatten()
        .map(|address| address.trim().to_lowercase())
        .find(|address| !address.is_empty())
}

/// At most so many characters; control characters, which no store prints, are made visible.
pub(super) fn clip(text: &str, max_chars: usize) -> String {
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(max_chars).map(visible).collect()
}
