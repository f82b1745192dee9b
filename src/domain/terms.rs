//! Versions of a deal's commission terms, and which of them an order uses.
//!
//! An order uses the version in force when it was placed, keeps a copy of it, and never changes
//! because a rate did (DESIGN.md, "Terms"). Terms may look at other orders: whether the customer
//! bought before, what the deal earned this month. What was [`Seen`] of them when the order was
//! decided is a fact of the order from then on.

use serde::Serialize;

use super::collection::Member;
use super::ids::{CollectionId, DealId, TermsId};
use super::money::{BasisPoints, Currency, Money};
use super::time::{Day, Millis};

/// One version of a deal's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Whose terms.
    pub deal: DealId,
    /// Since when they hold.
    pub starts_at_ms: Millis,
    /// Until when; then the terms before hold again.
    pub ends_at_ms: Option<Millis>,
    /// What an order keeps of them.
    pub cited: CitedTerms,
}

/// The part of a terms version that an order keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CitedTerms {
    /// Which version.
    pub id: TermsId,
    /// The share of an order's base that is commission, where no rule says otherwise.
    pub rate: BasisPoints,
    /// Everything beside the rate.
    #[serde(skip_serializing_if = "Rules::is_plain")]
    pub rules: Rules,
}

/// What terms may say beside the rate. The default says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Rules {
    /// Other rates: of those that fit a line the first holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<RateRule>,
    /// Earned once per order while anything of its base is left, by orders in its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flat: Option<Money>,
    /// Only a customer's first order earns.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub first_order_only: bool,
    /// The most that one order earns, of orders in its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_cap: Option<Money>,
    /// The most that the deal earns in a month of the brand's calendar, of orders in its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month_cap: Option<Money>,
}

/// Another rate for some lines, or for some customers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateRule {
    /// What people call it: a collection's name, say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// The platform's ids of the products it is for; none means every line, but where there is a
    /// collection.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<u64>,
    /// The collection that it is for, whose products are kept in step with the shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<CollectionId>,
    /// The customers it is for; `None` means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
    /// The rate.
    pub rate: BasisPoints,
}

/// Whether a customer bought from the brand before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Customer {
    /// No earlier order is known. Also one who left no address.
    New,
    /// An earlier order is known.
    Returning,
}

/// What a decision saw of other orders; they never change it afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
pub struct Seen {
    /// Which of its customer's orders it was, from 1 on; 1 too if the customer isn't known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_index: Option<i64>,
    /// What was left of the month's cap when the order first earned, minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month_left_minor: Option<i64>,
}

impl Rules {
    /// They say nothing.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// They treat customers who bought before differently.
    #[must_use]
    pub fn look_at_customers(&self) -> bool {
        self.first_order_only || self.rates.iter().any(|rule| rule.customer.is_some())
    }

    /// The collections that they name, each once.
    #[must_use]
    pub fn collections(&self) -> Vec<CollectionId> {
        let mut named: Vec<CollectionId> =
            self.rates.iter().filter_map(|rule| rule.collection).collect();
        named.sort_unstable();
        named.dedup();
        named
    }

    /// The rule for a line of this product in an order of such a customer: the first that fits, by
    /// its place in the list. `members` tells the collections that the order's products were in.
    #[must_use]
    pub fn rule_for(
        &self,
        product: Option<u64>,
        customer: Customer,
        members: &[Member],
    ) -> Option<(usize, &RateRule)> {
        let own = product.and_then(|id| members.iter().find(|member| member.product == id));
        self.rates.iter().enumerate().find(|(_, rule)| {
            let of_product = match rule.collection {
                Some(collection) => own.is_some_and(|own| own.collections.contains(&collection)),
                None if rule.products.is_empty() => true,
                None => product.is_some_and(|id| rule.products.contains(&id)),
            };
            of_product && rule.customer.is_none_or(|wanted| wanted == customer)
        })
    }

    /// What is left of the month's cap for an order in `currency` when the deal has earned so much;
    /// `None` where no cap holds.
    #[must_use]
    pub fn month_left(&self, currency: Currency, earned_minor: i64) -> Option<i64> {
        self.month_cap
            .filter(|cap| cap.currency == currency)
            .map(|cap| cap.minor.saturating_sub(earned_minor).max(0))
    }
}

impl Seen {
    /// The customer as the rules tell them apart.
    #[must_use]
    pub fn customer(&self) -> Customer {
        if self.customer_index.unwrap_or(1) > 1 { Customer::Returning } else { Customer::New }
    }
}

/// The first and the last day of the month that `day` is in.
#[must_use]
pub fn month_of(day: Day) -> (Day, Day) {
    let iso = day.to_iso();
    let prefix = iso.rsplit_once('-').map_or("", |(month, _)| month);
    let on = |date: u32| Day::from_iso(&format!("{prefix}-{date:02}"));
    let last = (28..=31).rev().find_map(on);
    (on(1).unwrap_or(day), last.unwrap_or(day))
}

/// Of versions in the order of their starts, the one in force at `at_ms`: the last that had
/// started and not ended.
#[must_use]
pub fn in_force<T>(
    versions: &[T],
    span: impl Fn(&T) -> (Millis, Option<Millis>),
    at_ms: Millis,
) -> Option<&T> {
    versions.iter().rev().find(|version| {
        let (starts_at_ms, ends_at_ms) = span(version);
        starts_at_ms <= at_ms && ends_at_ms.is_none_or(|end| at_ms < end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(products: &[u64], customer: Option<Customer>, points: u16) -> RateRule {
        let rate = BasisPoints::new(points).unwrap();
        let products = products.to_vec();
        RateRule { label: String::new(), products, collection: None, customer, rate }
    }

    #[test]
    fn a_collections_rule_is_for_its_members_only() {
        let [bedding, other] = [1, 2].map(|n| CollectionId::from_bytes([n; 16]));
        let of = |id, points| RateRule { collection: Some(id), ..rule(&[], None, points) };
        let rules = Rules {
            rates: vec![of(other, 100), of(bedding, 200), rule(&[], None, 300), of(other, 400)],
            ..Rules::default()
        };
        let members = [
            Member { product: 7, collections: vec![bedding] },
            Member { product: 8, collections: vec![] },
            Member { product: 9, collections: vec![bedding, other] },
        ];
        let which = |product| rules.rule_for(product, Customer::New, &members).unwrap().0;
        assert_eq!([7, 8, 9, 10].map(|product| which(Some(product))), [1, 2, 0, 2]);
        assert_eq!(which(None), 2, "who knows no product is in no collection");
        assert_eq!(rules.collections(), [bedding, other]);
        assert!(!rules.look_at_customers());
    }

    #[test]
    fn a_season_ends_and_the_terms_before_hold_again() {
        let versions = [(0, None, "base"), (100, Some(200), "season"), (150, Some(160), "flash")];
        let at = |ms| in_force(&versions, |v| (v.0, v.1), ms).map(|v| v.2);
        assert_eq!(at(-1), None);
        assert_eq!([at(0), at(99), at(100)], [Some("base"), Some("base"), Some("season")]);
        assert_eq!([at(149), at(150), at(159)], [Some("season"), Some("flash"), Some("flash")]);
        assert_eq!([at(160), at(199), at(200)], [Some("season"), Some("season"), Some("base")]);
    }

    #[test]
    fn the_first_rule_that_fits_a_line_holds() {
        let rules = Rules {
            rates: vec![
                rule(&[1, 2], Some(Customer::New), 2000),
                rule(&[2], None, 1500),
                rule(&[], Some(Customer::Returning), 500),
            ],
            ..Rules::default()
        };
        let which =
            |product, customer| rules.rule_for(product, customer, &[]).map(|(place, _)| place);
        assert_eq!(which(Some(1), Customer::New), Some(0));
        assert_eq!(which(Some(2), Customer::New), Some(0));
        assert_eq!(which(Some(2), Customer::Returning), Some(1));
        assert_eq!(which(Some(1), Customer::Returning), Some(2));
        assert_eq!(which(None, Customer::Returning), Some(2));
        assert_eq!(which(None, Customer::New), None);
        assert!(rules.look_at_customers());
        assert!(Rules::default().is_plain() && !rules.is_plain(), "what is plain isn't written");
        assert!(
            !Rules { rates: vec![rule(&[2], None, 1)], ..Rules::default() }.look_at_customers()
        );
        assert!(Rules { first_order_only: true, ..Rules::default() }.look_at_customers());
    }

    #[test]
    fn months_have_their_own_length() {
        let day = |iso| Day::from_iso(iso).unwrap();
        let month = |iso| month_of(day(iso));
        assert_eq!(month("2026-11-22"), (day("2026-11-01"), day("2026-11-30")));
        assert_eq!(month("2026-12-01"), (day("2026-12-01"), day("2026-12-31")));
        assert_eq!(month("2028-02-29"), (day("2028-02-01"), day("2028-02-29")));
        assert_eq!(month("2027-02-28"), (day("2027-02-01"), day("2027-02-28")));
        assert_eq!(month("1969-12-31"), (day("1969-12-01"), day("1969-12-31")));
    }

    #[test]
    fn what_is_left_of_a_month_is_never_below_nothing_and_of_one_currency() {
        let usd = "USD".parse().unwrap();
        let rules = Rules { month_cap: Some(Money::new(100, usd)), ..Rules::default() };
        assert_eq!(rules.month_left(usd, 0), Some(100));
        assert_eq!(rules.month_left(usd, 99), Some(1));
        assert_eq!(rules.month_left(usd, 101), Some(0));
        assert_eq!(rules.month_left("EUR".parse().unwrap(), 0), None);
        assert_eq!(Rules::default().month_left(usd, 0), None);
    }

    #[test]
    fn who_left_no_address_is_new() {
        let customer = |customer_index| Seen { customer_index, ..Seen::default() }.customer();
        assert_eq!(customer(None), Customer::New);
        assert_eq!(customer(Some(1)), Customer::New);
        assert_eq!(customer(Some(2)), Customer::Returning);
    }
}
