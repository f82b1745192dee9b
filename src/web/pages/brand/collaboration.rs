//! The one form of a deal's collaboration: what it shows, and the command of the API that it comes to.

use serde_json::{Map, Value, json};

use crate::domain::brand::Brand;
use crate::domain::money::{BasisPoints, Currency, Money};
use crate::domain::terms::Customer;
use crate::domain::time::{Day, Millis, to_rfc3339};
use crate::error::{Error, Result};
use crate::web::api::deals::DealView;
use crate::web::api::terms::{RateView, TermsView};
use crate::web::pages::shell::Sent;

/// A rate for some products or customers, as the form has it.
#[derive(Clone, Default)]
pub struct Rate {
    /// In percent.
    pub percent: String,
    /// What people call it.
    pub label: String,
    /// Ids with commas between.
    pub products: String,
    /// Instead of products.
    pub collection: String,
    /// `new`, `returning` or empty: all.
    pub customer: String,
}

/// Terms as the form has them.
#[derive(Clone, Default)]
pub struct Edit {
    /// In percent; empty: nothing is agreed, or nothing is to change.
    pub rate: String,
    /// Whether only a customer's first order earns.
    pub first: bool,
    /// Earned by each order.
    pub flat: String,
    /// The most by an order.
    pub order_cap: String,
    /// The most in a month.
    pub month_cap: String,
    /// The last day.
    pub ends: String,
    /// From which day on; empty: at once.
    pub starts: String,
    /// Those that there are, and one to fill in.
    pub rates: Vec<Rate>,
}

/// So many other rates the form takes.
const MOST_RATES: usize = 51;

fn amount(money: Option<&Money>) -> String {
    money.map(|money| money.to_decimal()).unwrap_or_default()
}

fn customer(told: Option<Customer>) -> &'static str {
    match told {
        Some(Customer::New) => "new",
        Some(Customer::Returning) => "returning",
        None => "",
    }
}

impl Edit {
    /// What holds at this time, or is agreed to begin later.
    #[must_use]
    pub fn of(terms: Option<&TermsView>, brand: &Brand, now_ms: Millis) -> Self {
        let Some(terms) = terms else {
            return Self { rates: vec![Rate::default()], ..Self::default() };
        };
        let rate = |rate: &RateView| Rate {
            percent: rate.commission_percent.0.to_percent(),
            label: rate.label.clone(),
            products: match rate.collection_id {
                Some(_) => String::new(),
                None => rate.product_ids.join(", "),
            },
            collection: rate.collection_id.map(|id| id.to_string()).unwrap_or_default(),
            customer: customer(rate.customer).to_owned(),
        };
        let last = |end: crate::web::api::view::Time| brand.timezone.day(end.0 - 1).to_iso();
        Self {
            rate: terms.commission_percent.0.to_percent(),
            first: terms.first_order_only,
            flat: amount(terms.flat_per_order.as_ref()),
            order_cap: amount(terms.cap_per_order.as_ref()),
            month_cap: amount(terms.cap_per_month.as_ref()),
            ends: terms.ends_at.map(last).unwrap_or_default(),
            starts: Some(terms.starts_at.0)
                .filter(|start| *start > now_ms)
                .map(|start| brand.timezone.day(start).to_iso())
                .unwrap_or_default(),
            rates: terms.rates.iter().map(rate).chain([Rate::default()]).collect(),
        }
    }

    /// What was filled in.
    #[must_use]
    pub fn sent(sent: &Sent) -> Self {
        let get = |name: &str| sent.get(name).trim().to_owned();
        let of = |at: usize| {
            let get = |name: &str| get(&format!("rate_{at}_{name}"));
            Rate {
                percent: get("percent"),
                label: get("label"),
                products: get("products"),
                collection: get("collection"),
                customer: get("customer"),
            }
        };
        let mut rates: Vec<Rate> = (0..MOST_RATES).map(of).collect();
        while rates.last().is_some_and(|rate| rate.percent.is_empty() && rate.products.is_empty()) {
            rates.pop();
        }
        rates.push(Rate::default());
        Self {
            rate: get("rate"),
            first: sent.get("first") == "yes",
            flat: get("flat"),
            order_cap: get("order_cap"),
            month_cap: get("month_cap"),
            ends: get("ends"),
            starts: get("starts"),
            rates,
        }
    }

    /// Whether more than the rate is agreed.
    #[must_use]
    pub fn more(&self) -> bool {
        let amounts = [&self.flat, &self.order_cap, &self.month_cap, &self.ends, &self.starts];
        self.first || self.rates.len() > 1 || amounts.iter().any(|text| !text.is_empty())
    }

    /// When it begins and ends, as the body of the API; a day that was shown means the moment that it stood for.
    fn times(&self, now: Option<&TermsView>, brand: &Brand, now_ms: Millis) -> Map<String, Value> {
        let mut told = Map::new();
        let start = |day: &str, after: i64| match Day::from_iso(day) {
            Some(day) if (-100_000..100_000).contains(&day.0) => {
                to_rfc3339(brand.timezone.start_of(day.plus(after)))
            }
            _ => day.to_owned(),
        };
        if !self.starts.is_empty() {
            let known = now
                .map(|now| now.starts_at.0)
                .filter(|at| *at > now_ms && brand.timezone.day(*at).to_iso() == self.starts);
            let at = known.map_or_else(|| start(&self.starts, 0), to_rfc3339);
            // Today is at once: its midnight is before orders of today, which no terms may begin before.
            if known.is_some() || self.starts != brand.timezone.day(now_ms).to_iso() {
                told.insert("starts_at".to_owned(), at.into());
            }
        }
        if !self.ends.is_empty() {
            let known = now
                .and_then(|now| now.ends_at)
                .filter(|end| brand.timezone.day(end.0 - 1).to_iso() == self.ends);
            let end = known.map_or_else(|| start(&self.ends, 1), |end| to_rfc3339(end.0));
            told.insert("ends_at".to_owned(), end.into());
        }
        told
    }

    /// As the body of the API; `now` says which currencies amounts have and to the moment when they end.
    fn body(&self, now: Option<&TermsView>, brand: &Brand, now_ms: Millis) -> Map<String, Value> {
        let mut told = Map::new();
        let percent = |text: &str| {
            BasisPoints::parse_percent(text)
                .map_or_else(|_| text.to_owned(), |rate| rate.to_percent())
        };
        told.insert("commission_percent".to_owned(), percent(&self.rate).into());
        if self.first {
            told.insert("first_order_only".to_owned(), true.into());
        }
        let amounts = [
            ("flat_per_order", &self.flat, now.and_then(|now| now.flat_per_order)),
            ("cap_per_order", &self.order_cap, now.and_then(|now| now.cap_per_order)),
            ("cap_per_month", &self.month_cap, now.and_then(|now| now.cap_per_month)),
        ];
        for (name, text, known) in amounts.into_iter().filter(|(_, text, _)| !text.is_empty()) {
            let currency: Currency = known.map_or(brand.currency, |known| known.currency);
            let amount = Money::parse(text, currency)
                .map_or_else(|_| text.clone(), |money| money.to_decimal());
            told.insert(name.to_owned(), json!({ "amount": amount, "currency": currency.code() }));
        }
        told.extend(self.times(now, brand, now_ms));
        let rates: Vec<Value> = self
            .rates
            .iter()
            .filter(|rate| !rate.percent.is_empty())
            .map(|rate| {
                let mut one = Map::new();
                one.insert("commission_percent".to_owned(), percent(&rate.percent).into());
                if !rate.label.is_empty() {
                    one.insert("label".to_owned(), rate.label.as_str().into());
                }
                if !rate.collection.is_empty() {
                    one.insert(
                        "collection".to_owned(),
                        json!({ "collection_id": rate.collection }),
                    );
                } else if !rate.products.is_empty() {
                    let ids = rate.products.split([',', ' ']).filter(|id| !id.is_empty());
                    one.insert("product_ids".to_owned(), ids.collect::<Vec<_>>().into());
                }
                if !rate.customer.is_empty() {
                    one.insert("customer".to_owned(), rate.customer.as_str().into());
                }
                Value::Object(one)
            })
            .collect();
        if !rates.is_empty() {
            told.insert("rates".to_owned(), rates.into());
        }
        told
    }

    /// The terms that a form asks for; none where it says what holds already.
    #[must_use]
    pub fn terms(&self, now: Option<&TermsView>, brand: &Brand, now_ms: Millis) -> Option<Value> {
        // Of caps without a rate the API says what is missing.
        if self.rate.is_empty() && !self.more() {
            return None;
        }
        let told = self.body(now, brand, now_ms);
        let same = now.is_some_and(|now| {
            Self::of(Some(now), brand, now_ms).body(Some(now), brand, now_ms) == told
        });
        (!same).then_some(Value::Object(told))
    }
}

/// What a form remembers of the terms that it showed: those that hold, and those that begin next.
#[must_use]
pub fn seen(deal: &DealView) -> String {
    let id =
        |terms: &Option<TermsView>| terms.as_ref().map_or("none".to_owned(), |t| t.id.to_string());
    format!("{}.{}", id(&deal.terms), id(&deal.next_terms))
}

/// The command that the form comes to; none where it changes nothing.
///
/// # Errors
/// 409 if it says other terms than hold, and they aren't those that it showed: who only gave a code on a page of
/// yesterday doesn't take back what was agreed since.
pub fn command(
    sent: &Sent,
    deal: &DealView,
    brand: &Brand,
    now_ms: Millis,
) -> Result<Option<Value>> {
    let mut all = Map::new();
    if let Some(terms) = Edit::sent(sent).terms(deal.terms.as_ref(), brand, now_ms) {
        let shown = sent.get("terms");
        if !shown.is_empty() && shown != seen(deal) {
            let why = "the terms were changed since this page was shown: look at them, and save \
                       again if yours are to hold";
            return Err(Error::refused("terms-changed", why));
        }
        all.insert("terms".to_owned(), terms);
    }
    let (code, group) = (sent.get("code").trim(), sent.get("group"));
    let coded = !code.is_empty() || !group.is_empty();
    if coded {
        let mut told = Map::new();
        if !code.is_empty() {
            told.insert("code".to_owned(), code.into());
        }
        if group.is_empty() {
            told.insert("create_in_store".to_owned(), false.into());
        } else {
            told.insert("affiliate_group_id".to_owned(), group.into());
        }
        all.insert("code".to_owned(), Value::Object(told));
    }
    if sent.get("link") == "yes" {
        let said = [("slug", sent.get("slug").trim()), ("target", sent.get("target").trim())];
        let said = said.into_iter().filter(|(_, text)| !text.is_empty());
        let mut told: Map<String, Value> =
            said.map(|(name, text)| (name.to_owned(), text.into())).collect();
        if sent.get("apply") == "yes" && (coded || !deal.codes.is_empty()) {
            told.insert("apply_code".to_owned(), true.into());
        }
        all.insert("link".to_owned(), Value::Object(told));
    }
    Ok((!all.is_empty()).then_some(Value::Object(all)))
}
