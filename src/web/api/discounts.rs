//! What codes take off, as bodies say it and as it is shown.

use crate::domain::discount::{Buy, Combines, Discount, Items, Kind, Minimum, platform_id};
use crate::domain::money::{Currency, Money};
use crate::domain::time::Millis;
use crate::web::body::{body, words};
use crate::web::extract::Checks;
use crate::web::json::{by_serde, view};

use super::view::{Percent, Time};

words!(Kind {
    "percentage" => Percentage, "amount" => Amount, "buy_x_get_y" => BuyXGetY,
    "free_shipping" => FreeShipping,
});
by_serde!(Kind);

body! {
    /// What a code takes off.
    pub struct NewDiscount {
        kind: Kind,
        /// Of a percentage: 0.01 to 100.
        percent: Option<Percent>,
        /// Off the order, in the store's currency.
        amount: Option<Money>,
        /// Absent: everything.
        on: Option<NewItems>,
        /// What must be bought to get something.
        buy: Option<NewBuy>,
        /// What is got for it.
        get: Option<NewGet>,
        minimum: Option<NewMinimum>,
        /// Absent: once it is made.
        starts_at: Option<Time>,
        ends_at: Option<Time>,
        /// How often it is good in all.
        usage_limit: Option<i64>,
        once_per_customer: Option<bool>,
        combines_with: Option<NewCombines>,
    }
}

body! {
    /// What a discount is about.
    pub struct NewItems {
        /// Everything: what is meant where nothing is named.
        all: Option<bool>,
        /// The platform's ids.
        products: Option<Vec<String>>,
        /// The platform's ids.
        collections: Option<Vec<String>>,
    }
}

body! {
    /// What must be bought.
    pub struct NewBuy {
        quantity: i64,
        on: NewItems,
    }
}

body! {
    /// What is got.
    pub struct NewGet {
        quantity: i64,
        on: NewItems,
        /// So much is taken off; absent: all.
        percent: Option<Percent>,
    }
}

body! {
    /// What an order must come to.
    pub struct NewMinimum {
        subtotal: Option<Money>,
        quantity: Option<i64>,
    }
}

body! {
    /// Which discounts it may stand beside.
    pub struct NewCombines {
        order: Option<bool>,
        product: Option<bool>,
        shipping: Option<bool>,
    }
}

fn ids(checks: &mut Checks, field: &str, ids: Option<Vec<String>>) -> Vec<u64> {
    let mut read = Vec::new();
    if ids.as_ref().is_some_and(Vec::is_empty) {
        checks.refuse(field, "must name something");
    }
    for id in ids.into_iter().flatten() {
        match platform_id(&id) {
            Some(id) => read.push(id),
            None => checks.refuse(field, "must be ids of the platform: digits"),
        }
    }
    read
}

impl NewItems {
    fn items(self, checks: &mut Checks, field: &str) -> Items {
        let items = Items {
            products: ids(checks, &[field, ".products"].concat(), self.products),
            collections: ids(checks, &[field, ".collections"].concat(), self.collections),
        };
        if self.all == Some(!items.is_all()) {
            checks.refuse(field, "must be all, or name products or collections");
        }
        items
    }
}

/// Shops keep times in whole seconds.
pub(super) fn whole_seconds(at: Time) -> Millis {
    at.0 - at.0.rem_euclid(1000)
}

impl NewDiscount {
    /// The rule that this body asks for, with everything that is wrong noted in `checks`, under names that
    /// begin with `prefix`.
    pub(super) fn rule(
        self,
        checks: &mut Checks,
        prefix: &str,
        currency: Currency,
        now_ms: Millis,
    ) -> Discount {
        let of = |field: &str| [prefix, field].concat();
        let mut rule = Discount {
            kind: self.kind,
            percent: self.percent.map(|percent| percent.0),
            amount: self.amount,
            on: self.on.map(|on| on.items(checks, &of("on"))).unwrap_or_default(),
            buy: None,
            get_quantity: None,
            minimum: Minimum::default(),
            starts_at_ms: self.starts_at.map(whole_seconds),
            ends_at_ms: self.ends_at.map(whole_seconds),
            usage_limit: self.usage_limit,
            once_per_customer: self.once_per_customer.unwrap_or(false),
            combines: Combines::default(),
        };
        if let Some(minimum) = self.minimum {
            rule.minimum = Minimum { subtotal: minimum.subtotal, quantity: minimum.quantity };
        }
        if let Some(beside) = self.combines_with {
            rule.combines = Combines {
                order: beside.order.unwrap_or(false),
                product: beside.product.unwrap_or(false),
                shipping: beside.shipping.unwrap_or(false),
            };
        }
        if let Some(buy) = self.buy {
            let on = buy.on.items(checks, &of("buy.on"));
            rule.buy = Some(Buy { quantity: buy.quantity, on });
        }
        if let Some(get) = self.get {
            if !rule.on.is_all() || rule.percent.is_some() {
                checks.refuse(&of("get"), "says what is got: on and percent stand in it");
            }
            rule.on = get.on.items(checks, &of("get.on"));
            rule.get_quantity = Some(get.quantity);
            rule.percent = get.percent.map(|percent| percent.0).or_else(whole);
        }
        for (field, reason) in rule.faults(currency, now_ms) {
            checks.refuse(&of(field), reason);
        }
        rule
    }
}

/// All of the price.
fn whole() -> Option<crate::domain::money::BasisPoints> {
    crate::domain::money::BasisPoints::new(10_000)
}

view! {
    /// What a code takes off.
    #[schema(as = Discount)]
    pub struct DiscountView {
        kind: Kind,
        #[schema(required)]
        percent: Option<Percent>,
        #[schema(required)]
        amount: Option<Money>,
        on: ItemsView,
        #[schema(required)]
        buy: Option<BuyView>,
        #[schema(required)]
        get: Option<GetView>,
        minimum: MinimumView,
        #[schema(required)]
        starts_at: Option<Time>,
        #[schema(required)]
        ends_at: Option<Time>,
        #[schema(required)]
        usage_limit: Option<i64>,
        once_per_customer: bool,
        combines_with: CombinesView,
    }
}

view! {
    /// What a discount is about.
    #[schema(as = Items)]
    struct ItemsView {
        all: bool,
        products: Vec<String>,
        collections: Vec<String>,
    }
}

view! {
    /// What must be bought.
    #[schema(as = Buy)]
    struct BuyView {
        quantity: i64,
        on: ItemsView,
    }
}

view! {
    /// What is got.
    #[schema(as = Get)]
    struct GetView {
        quantity: i64,
        on: ItemsView,
        #[schema(required)]
        percent: Option<Percent>,
    }
}

view! {
    /// What an order must come to.
    #[schema(as = Minimum)]
    struct MinimumView {
        #[schema(required)]
        subtotal: Option<Money>,
        #[schema(required)]
        quantity: Option<i64>,
    }
}

view! {
    /// Which discounts it may stand beside.
    #[schema(as = Combines)]
    struct CombinesView {
        order: bool,
        product: bool,
        shipping: bool,
    }
}

impl From<Items> for ItemsView {
    fn from(items: Items) -> Self {
        let texts = |ids: &[u64]| ids.iter().map(u64::to_string).collect();
        Self {
            all: items.is_all(),
            products: texts(&items.products),
            collections: texts(&items.collections),
        }
    }
}

impl From<Discount> for DiscountView {
    fn from(rule: Discount) -> Self {
        let percent = rule.percent.map(Percent);
        let (on, get) = match rule.get_quantity {
            None => (rule.on, None),
            Some(quantity) => {
                (Items::default(), Some(GetView { quantity, on: rule.on.into(), percent }))
            }
        };
        Self {
            kind: rule.kind,
            percent: percent.filter(|_| get.is_none()),
            amount: rule.amount,
            on: on.into(),
            buy: rule.buy.map(|buy| BuyView { quantity: buy.quantity, on: buy.on.into() }),
            get,
            minimum: MinimumView {
                subtotal: rule.minimum.subtotal,
                quantity: rule.minimum.quantity,
            },
            starts_at: rule.starts_at_ms.map(Time),
            ends_at: rule.ends_at_ms.map(Time),
            usage_limit: rule.usage_limit,
            once_per_customer: rule.once_per_customer,
            combines_with: CombinesView {
                order: rule.combines.order,
                product: rule.combines.product,
                shipping: rule.combines.shipping,
            },
        }
    }
}
