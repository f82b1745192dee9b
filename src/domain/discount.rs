//! What a discount takes off, before any shop makes it.
//!
//! A rule is kept as it was agreed. Whether it makes sense is decided here, once, by [`Discount::faults`];
//! how a platform writes it is the partners' business.

use serde::Serialize;

use super::money::{BasisPoints, Currency, Money};
use super::time::Millis;

/// The most products or collections that a discount names: what one call to Shopify takes.
pub const MOST_ITEMS: usize = 100;
/// The most units in a rule.
const MOST_UNITS: i64 = 10_000;
/// The most uses in a rule.
const MOST_USES: i64 = 1_000_000_000;

/// What kind of discount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DiscountKind)]
pub enum Kind {
    /// A share of the price.
    Percentage,
    /// An amount off the order.
    Amount,
    /// Some units for a share of their price to whoever buys others.
    BuyXGetY,
    /// Nothing for the shipping.
    FreeShipping,
}

/// What a discount is about: everything, products or collections, by the platform's ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Items {
    /// These products.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<u64>,
    /// What is in these collections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub collections: Vec<u64>,
}

/// What must be bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Buy {
    /// So many units.
    pub quantity: i64,
    /// Of these.
    pub on: Items,
}

/// The least that an order must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
pub struct Minimum {
    /// This amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtotal: Option<Money>,
    /// So many units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
}

/// Which other discounts it may stand beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
pub struct Combines {
    /// Those off the order.
    pub order: bool,
    /// Those off products.
    pub product: bool,
    /// Those off the shipping.
    pub shipping: bool,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Discount {
    /// What kind.
    pub kind: Kind,
    /// The share, of a percentage and of what is got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<BasisPoints>,
    /// The amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// What it is taken off; what is got.
    pub on: Items,
    /// What must be bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buy: Option<Buy>,
    /// How many units are got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub get_quantity: Option<i64>,
    /// What an order must come to.
    pub minimum: Minimum,
    /// Since when; absent: since it is made. Whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at_ms: Option<Millis>,
    /// Until when. Whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<Millis>,
    /// How often it is good in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_limit: Option<i64>,
    /// Once for each customer.
    pub once_per_customer: bool,
    /// What it stands beside.
    pub combines: Combines,
}

/// What is wrong with a field of a rule.
pub type Fault = (&'static str, &'static str);

impl Items {
    /// Everything in the shop.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.products.is_empty() && self.collections.is_empty()
    }

    fn faults(&self, field: &'static str, faults: &mut Vec<Fault>) {
        if !self.products.is_empty() && !self.collections.is_empty() {
            faults.push((field, "must name products or collections, not both"));
        }
        if self.products.len() + self.collections.len() > MOST_ITEMS {
            faults.push((field, "must name at most 100"));
        }
    }
}

impl Discount {
    /// Everything that is wrong with it, for a shop of this currency, now.
    #[must_use]
    pub fn faults(&self, currency: Currency, now_ms: Millis) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut unless = |good: bool, fault: Fault| {
            if !good {
                faults.push(fault);
            }
        };
        let bxgy = self.kind == Kind::BuyXGetY;
        let takes_percent = bxgy || self.kind == Kind::Percentage;
        let some = |rate: BasisPoints| rate.points() > 0;
        let percent_fits = self.percent.map_or(!takes_percent, |rate| takes_percent && some(rate));
        unless(percent_fits, ("percent", percent_words(takes_percent)));
        let positive = |money: Money| money.minor > 0;
        let amount_fits = match self.amount {
            None => self.kind != Kind::Amount,
            Some(money) => self.kind == Kind::Amount && positive(money),
        };
        unless(amount_fits, ("amount", "must be above 0, of an amount off, and of nothing else"));
        let same = |money: Option<Money>| money.is_none_or(|money| money.currency == currency);
        unless(same(self.amount), ("amount", CURRENCY));
        unless(same(self.minimum.subtotal), ("minimum.subtotal", CURRENCY));
        let subtotal_fits = self.minimum.subtotal.is_none_or(positive);
        unless(subtotal_fits, ("minimum.subtotal", "must be above 0"));
        let units = |n: Option<i64>| n.is_none_or(|n| (1..=MOST_UNITS).contains(&n));
        unless(units(self.minimum.quantity), ("minimum.quantity", UNITS));
        let one = self.minimum.subtotal.is_none() || self.minimum.quantity.is_none();
        unless(one, ("minimum", "must be a subtotal or a quantity, not both"));
        let plain = !bxgy || self.minimum == Minimum::default();
        unless(plain, ("minimum", "is what must be bought, where something is got for it"));
        unless(self.buy.is_some() == bxgy, ("buy", BUY_GET));
        unless(self.get_quantity.is_some() == bxgy, ("get", BUY_GET));
        unless(units(self.buy.as_ref().map(|buy| buy.quantity)), ("buy.quantity", UNITS));
        unless(units(self.get_quantity), ("get.quantity", UNITS));
        let bought = self.buy.as_ref().is_none_or(|buy| !buy.on.is_all());
        unless(bought, ("buy.on", NAMED));
        unless(!bxgy || !self.on.is_all(), ("get.on", NAMED));
        let whole = self.kind != Kind::FreeShipping || self.on.is_all();
        unless(whole, ("on", "must be absent: shipping is of the whole order"));
        let often = self.usage_limit.is_none_or(|n| (1..=MOST_USES).contains(&n));
        unless(often, ("usage_limit", "must be a whole number above 0"));
        let starts_at_ms = self.starts_at_ms.unwrap_or(now_ms);
        let ends_later = self.ends_at_ms.is_none_or(|end| end > starts_at_ms.max(now_ms));
        unless(ends_later, ("ends_at", "must be after the start, and in the future"));
        self.on.faults(if bxgy { "get.on" } else { "on" }, &mut faults);
        if let Some(buy) = &self.buy {
            buy.on.faults("buy.on", &mut faults);
        }
        faults
    }

    /// What stands for its worth in a code: the 10 of `ANNA10`.
    #[must_use]
    pub fn figure(&self) -> String {
        let text = match (self.kind, self.percent, self.amount) {
            (Kind::Percentage, Some(rate), _) => rate.to_percent(),
            (Kind::Amount, _, Some(money)) => money.to_decimal(),
            _ => return String::new(),
        };
        text.split('.').next().unwrap_or_default().to_owned()
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self, now_ms: Millis) -> bool {
        self.ends_at_ms.is_some_and(|end| end <= now_ms)
    }
}

const CURRENCY: &str = "must be in the store's currency";
const UNITS: &str = "must be a whole number from 1 to 10000";
const BUY_GET: &str = "belongs to buy_x_get_y, and to nothing else";
const NAMED: &str = "must name products or collections";

const fn percent_words(wanted: bool) -> &'static str {
    if wanted { "must be 0.01 to 100" } else { "belongs to a percentage or to what is got" }
}

/// A platform's id of a product or collection: digits, without leading zeros, within 2^63.
#[must_use]
pub fn platform_id(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse::<i64>().ok().filter(|_| plain).and_then(|id| u64::try_from(id).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        "USD".parse().unwrap()
    }

    pub(super) fn ten_percent() -> Discount {
        Discount {
            kind: Kind::Percentage,
            percent: BasisPoints::new(1000),
            amount: None,
            on: Items::default(),
            buy: None,
            get_quantity: None,
            minimum: Minimum::default(),
            starts_at_ms: None,
            ends_at_ms: None,
            usage_limit: None,
            once_per_customer: false,
            combines: Combines::default(),
        }
    }

    fn fields(rule: &Discount) -> Vec<&'static str> {
        rule.faults(usd(), 1_000_000).into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn each_kind_has_what_it_needs_and_nothing_else() {
        let five = Some(Money::new(500, usd()));
        let products = Items { products: vec![1], collections: vec![] };
        let plain = ten_percent();
        assert_eq!(fields(&plain), [""; 0]);
        let amount = Discount { kind: Kind::Amount, percent: None, amount: five, ..plain.clone() };
        assert_eq!(fields(&amount), [""; 0]);
        let free = Discount { kind: Kind::FreeShipping, percent: None, ..plain.clone() };
        assert_eq!(fields(&free), [""; 0]);
        let bxgy = Discount {
            kind: Kind::BuyXGetY,
            percent: BasisPoints::new(10_000),
            buy: Some(Buy { quantity: 2, on: products.clone() }),
            get_quantity: Some(1),
            on: products.clone(),
            ..plain.clone()
        };
        assert_eq!(fields(&bxgy), [""; 0]);
        assert_eq!(fields(&Discount { percent: None, ..plain.clone() }), ["percent"]);
        let nothing = Discount { percent: BasisPoints::new(0), ..plain.clone() };
        assert_eq!(fields(&nothing), ["percent"]);
        assert_eq!(fields(&Discount { amount: five, ..plain.clone() }), ["amount"]);
        assert_eq!(fields(&Discount { amount: None, ..amount.clone() }), ["amount"]);
        let euros = Some(Money::new(500, "EUR".parse().unwrap()));
        assert_eq!(fields(&Discount { amount: euros, ..amount }), ["amount"]);
        assert_eq!(fields(&Discount { on: products.clone(), ..free }), ["on"]);
        assert_eq!(fields(&Discount { buy: None, ..bxgy.clone() }), ["buy"]);
        assert_eq!(fields(&Discount { get_quantity: Some(0), ..bxgy.clone() }), ["get.quantity"]);
        assert_eq!(fields(&Discount { on: Items::default(), ..bxgy.clone() }), ["get.on"]);
        let both = Items { products: vec![1], collections: vec![2] };
        assert_eq!(fields(&Discount { on: both, ..plain.clone() }), ["on"]);
        let many = Items { products: (1..=101).collect(), collections: vec![] };
        assert_eq!(fields(&Discount { on: many, ..plain }), ["on"]);
        let minimum = Minimum { quantity: Some(1), subtotal: None };
        assert_eq!(fields(&Discount { minimum, ..bxgy }), ["minimum"]);
    }

    #[test]
    fn limits_and_dates_make_sense() {
        let plain = ten_percent();
        let both = Minimum { subtotal: Some(Money::new(1, usd())), quantity: Some(1) };
        assert_eq!(fields(&Discount { minimum: both, ..plain.clone() }), ["minimum"]);
        for n in [0, -1, MOST_USES + 1] {
            assert_eq!(
                fields(&Discount { usage_limit: Some(n), ..plain.clone() }),
                ["usage_limit"]
            );
        }
        let dates = |starts_at_ms, ends_at_ms| {
            fields(&Discount { starts_at_ms, ends_at_ms, ..plain.clone() })
        };
        assert_eq!(dates(None, Some(1_000_000)), ["ends_at"], "now is over");
        assert_eq!(dates(None, Some(1_001_000)), [""; 0]);
        assert_eq!(dates(Some(2_000_000), Some(2_000_000)), ["ends_at"]);
        assert_eq!(dates(Some(1_000), None), [""; 0], "it may have begun");
    }

    #[test]
    fn the_figure_of_a_code_is_whole() {
        let plain = ten_percent();
        assert_eq!(plain.figure(), "10");
        let odd = Discount { percent: BasisPoints::new(1250), ..plain.clone() };
        assert_eq!(odd.figure(), "12");
        let kwd = Money::new(5_500, "KWD".parse().unwrap());
        let amount =
            Discount { kind: Kind::Amount, amount: Some(kwd), percent: None, ..plain.clone() };
        assert_eq!(amount.figure(), "5");
        assert_eq!(Discount { kind: Kind::FreeShipping, ..plain }.figure(), "");
    }

    #[test]
    fn platform_ids_are_plain_numbers() {
        assert_eq!(platform_id("820982911946154508"), Some(820_982_911_946_154_508));
        for bad in
            ["", "0", "01", "-1", "1.0", "x", "9223372036854775808", "gid://shopify/Product/1"]
        {
            assert_eq!(platform_id(bad), None, "{bad}");
        }
    }
}
