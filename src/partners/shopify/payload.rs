//! The JSON of Shopify's orders, refunds, edits and disputes, borrowed from the text.
//!
//! One pass, no tree. Numbers and amounts stay raw text until [`super::amount`] has read them
//! exactly. Fields that are named but not read are here so that a repetition of them is noticed.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Unusable;
use super::objects::{List, object};

/// What a body is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Order,
    Refund,
    Edit,
    Dispute,
    Other,
}

/// The fields whose mere presence tells what a body is about.
pub(super) struct Signs {
    financial_status: bool,
    line_items: bool,
    currency: bool,
    created_at: bool,
    completed_at: bool,
    refund_line_items: bool,
    order_edit: bool,
    initiated_at: bool,
}

impl Signs {
    /// Only orders have a `financial_status`. An order that lost it is told from carts and
    /// fulfilments (no currency) and from draft orders and checkouts (`completed_at`). Only disputes
    /// are initiated.
    pub(super) fn kind(&self) -> Kind {
        let like_an_order =
            self.line_items && self.currency && self.created_at && !self.completed_at;
        if self.financial_status || like_an_order {
            Kind::Order
        } else if self.refund_line_items {
            Kind::Refund
        } else if self.order_edit {
            Kind::Edit
        } else if self.initiated_at {
            Kind::Dispute
        } else {
            Kind::Other
        }
    }
}

object! {
    /// Any body, with the fields of all kinds: which kind it is shows only after reading it.
    pub(super) struct Body<'a> {
        pub id: Option<&'a RawValue>,
        pub order_id: Option<&'a RawValue>,
        pub order_number: Option<&'a RawValue>,
        pub name: Option<Scalar<'a>>,
        #[present]
        pub currency: Option<Scalar<'a>>,
        #[present]
        pub created_at: Option<Scalar<'a>>,
        pub updated_at: Option<Scalar<'a>>,
        pub cancelled_at: Option<Scalar<'a>>,
        #[present]
        completed_at: Option<IgnoredAny>,
        #[present]
        pub financial_status: Option<Scalar<'a>>,
        pub taxes_included: Option<bool>,
        pub test: Option<bool>,
        #[present]
        pub line_items: Option<List<OrderLine<'a>, 1000>>,
        pub refunds: Option<List<RefundBody<'a>, 250>>,

        pub discount_applications: Option<List<Application<'a>, 250>>,
        pub discount_codes: Option<List<DiscountCode<'a>, 250>>,
        pub note_attributes: Option<List<NoteAttribute<'a>, 250>>,
        pub landing_site: Option<Scalar<'a>>,
        pub source_name: Option<Scalar<'a>>,
        pub email: Option<Scalar<'a>>,
        pub contact_email: Option<Scalar<'a>>,
        pub customer: Option<Customer<'a>>,

        #[present]
        refund_line_items: Option<List<RefundLine<'a>, 1000>>,
        refund_shipping_lines: Option<List<RefundShipping<'a>, 250>>,
        order_adjustments: Option<List<Adjustment<'a>, 250>>,
        transactions: Option<List<Transaction<'a>, 250>>,
        total_duties_set: Option<MoneySet<'a>>,
        total_additional_fees_set: Option<MoneySet<'a>>,

        #[present]
        pub order_edit: Option<OrderEdit<'a>>,

        pub kind: Option<Scalar<'a>> = "type",
        pub status: Option<Scalar<'a>>,
        #[present]
        pub initiated_at: Option<Scalar<'a>>,
        pub finalized_on: Option<Scalar<'a>>,

        current_subtotal_price: Option<IgnoredAny>,
        current_subtotal_price_set: Option<IgnoredAny>,
        current_total_discounts: Option<IgnoredAny>,
        current_total_discounts_set: Option<IgnoredAny>,
        current_total_price: Option<IgnoredAny>,
        current_total_price_set: Option<IgnoredAny>,
        current_total_tax: Option<IgnoredAny>,
        current_total_tax_set: Option<IgnoredAny>,
        presentment_currency: Option<IgnoredAny>,
        processed_at: Option<IgnoredAny>,
        subtotal_price: Option<IgnoredAny>,
        subtotal_price_set: Option<IgnoredAny>,
        total_discounts: Option<IgnoredAny>,
        total_discounts_set: Option<IgnoredAny>,
        total_line_items_price: Option<IgnoredAny>,
        total_line_items_price_set: Option<IgnoredAny>,
        total_outstanding: Option<IgnoredAny>,
        total_price: Option<IgnoredAny>,
        total_price_set: Option<IgnoredAny>,
        total_shipping_price_set: Option<IgnoredAny>,
        total_tax: Option<IgnoredAny>,
        total_tax_set: Option<IgnoredAny>,
        total_tip_received: Option<IgnoredAny>,
    }
}

impl<'a> Body<'a> {
    pub(super) fn signs(&self) -> Signs {
        Signs {
            financial_status: self.financial_status.is_some(),
            line_items: self.line_items.is_some(),
            currency: self.currency.is_some(),
            created_at: self.created_at.is_some(),
            completed_at: self.completed_at.is_some(),
            refund_line_items: self.refund_line_items.is_some(),
            order_edit: self.order_edit.is_some(),
            initiated_at: self.initiated_at.is_some(),
        }
    }

    /// The body as a refund, as orders embed them.
    pub(super) fn into_refund(self) -> RefundBody<'a> {
        RefundBody {
            id: self.id,
            order_id: self.order_id,
            refund_line_items: self.refund_line_items,
            refund_shipping_lines: self.refund_shipping_lines,
            order_adjustments: self.order_adjustments,
            transactions: self.transactions,
            total_duties_set: self.total_duties_set,
            total_additional_fees_set: self.total_additional_fees_set,
        }
    }
}

object! {
    /// The same object with every type accepted, to see what a body was meant to be.
    pub(super) struct Shape {
        id: Option<IgnoredAny>,
        order_id: Option<IgnoredAny>,
        #[present]
        financial_status: Option<IgnoredAny>,
        #[present]
        line_items: Option<IgnoredAny>,
        #[present]
        currency: Option<IgnoredAny>,
        #[present]
        created_at: Option<IgnoredAny>,
        #[present]
        completed_at: Option<IgnoredAny>,
        #[present]
        refund_line_items: Option<IgnoredAny>,
        #[present]
        order_edit: Option<IgnoredAny>,
        #[present]
        initiated_at: Option<IgnoredAny>,
    }
}

impl Shape {
    pub(super) fn signs(&self) -> Signs {
        Signs {
            financial_status: self.financial_status.is_some(),
            line_items: self.line_items.is_some(),
            currency: self.currency.is_some(),
            created_at: self.created_at.is_some(),
            completed_at: self.completed_at.is_some(),
            refund_line_items: self.refund_line_items.is_some(),
            order_edit: self.order_edit.is_some(),
            initiated_at: self.initiated_at.is_some(),
        }
    }
}

object! {
    pub(super) struct OrderLine<'a> {
        pub id: Option<&'a RawValue>,
        pub product_id: Option<&'a RawValue>,
        pub quantity: Option<&'a RawValue>,
        pub current_quantity: Option<&'a RawValue>,
        #[present]
        pub price: Option<&'a RawValue>,
        pub price_set: Option<MoneySet<'a>>,
        pub discount_allocations: Option<List<Allocation<'a>, 250>>,
        pub tax_lines: Option<List<TaxLine<'a>, 250>>,
        pub gift_card: Option<bool>,
        pub title: Option<Scalar<'a>>,
        pub name: Option<Scalar<'a>>,
        pub tip: Option<IgnoredAny>,
        pub tip_payment_gateway: Option<IgnoredAny>,
        pub tip_payment_method: Option<IgnoredAny>,
        total_discount: Option<IgnoredAny>,
        total_discount_set: Option<IgnoredAny>,
    }

    pub(super) struct Allocation<'a> {
        #[present]
        pub amount: Option<&'a RawValue>,
        pub amount_set: Option<MoneySet<'a>>,
    }

    pub(super) struct TaxLine<'a> {
        #[present]
        pub price: Option<&'a RawValue>,
        pub price_set: Option<MoneySet<'a>>,
    }

    /// An amount in the shop's currency; the customer's (`presentment_money`) is never read.
    pub(super) struct MoneySet<'a> {
        pub shop_money: Option<ShopMoney<'a>>,
    }

    pub(super) struct ShopMoney<'a> {
        #[present]
        pub amount: Option<&'a RawValue>,
        pub currency_code: Option<&'a str>,
    }

    pub(super) struct Application<'a> {
        pub kind: Option<Scalar<'a>> = "type",
        pub code: Option<Scalar<'a>>,
    }

    pub(super) struct DiscountCode<'a> {
        pub code: Option<Scalar<'a>>,
        #[present]
        pub amount: Option<&'a RawValue>,
    }

    pub(super) struct NoteAttribute<'a> {
        pub name: Option<Scalar<'a>>,
        pub value: Option<Scalar<'a>>,
    }

    pub(super) struct Customer<'a> {
        pub email: Option<Scalar<'a>>,
    }

    pub(super) struct RefundBody<'a> {
        pub id: Option<&'a RawValue>,
        pub order_id: Option<&'a RawValue>,
        #[present]
        pub refund_line_items: Option<List<RefundLine<'a>, 1000>>,
        pub refund_shipping_lines: Option<List<RefundShipping<'a>, 250>>,
        pub order_adjustments: Option<List<Adjustment<'a>, 250>>,
        pub transactions: Option<List<Transaction<'a>, 250>>,
        pub total_duties_set: Option<MoneySet<'a>>,
        pub total_additional_fees_set: Option<MoneySet<'a>>,
    }

    pub(super) struct RefundLine<'a> {
        pub line_item_id: Option<&'a RawValue>,
        pub quantity: Option<&'a RawValue>,
        #[present]
        pub subtotal: Option<&'a RawValue>,
        pub subtotal_set: Option<MoneySet<'a>>,
        #[present]
        pub total_tax: Option<&'a RawValue>,
        pub total_tax_set: Option<MoneySet<'a>>,
        pub line_item: Option<RefundedItem<'a>>,
    }

    /// The order's line inside a refunded one: what bodies without a `subtotal` are reckoned from.
    pub(super) struct RefundedItem<'a> {
        pub id: Option<&'a RawValue>,
        pub quantity: Option<&'a RawValue>,
        pub price: Option<&'a RawValue>,
        pub discount_allocations: Option<List<Allocation<'a>, 250>>,
        pub tax_lines: Option<List<TaxLine<'a>, 250>>,
    }

    pub(super) struct RefundShipping<'a> {
        pub subtotal_amount_set: Option<MoneySet<'a>>,
        pub tax_amount_set: Option<MoneySet<'a>>,
        pub shipping_line: Option<ShippingLine<'a>>,
    }

    pub(super) struct ShippingLine<'a> {
        pub tax_lines: Option<List<TaxLine<'a>, 250>>,
    }

    pub(super) struct Adjustment<'a> {
        pub kind: Option<Scalar<'a>>,
        pub reason: Option<Scalar<'a>>,
        pub amount: Option<&'a RawValue>,
        pub amount_set: Option<MoneySet<'a>>,
        pub tax_amount: Option<&'a RawValue>,
        pub tax_amount_set: Option<MoneySet<'a>>,
    }

    pub(super) struct Transaction<'a> {
        pub kind: Option<Scalar<'a>>,
        pub status: Option<Scalar<'a>>,
        pub amount: Option<&'a RawValue>,
        pub currency: Option<Scalar<'a>>,
    }

    pub(super) struct OrderEdit<'a> {
        pub id: Option<&'a RawValue>,
        pub order_id: Option<&'a RawValue>,
        pub line_items: Option<EditedLines<'a>>,
    }

    pub(super) struct EditedLines<'a> {
        pub additions: Option<List<EditedLine<'a>, 1000>>,
        pub removals: Option<List<EditedLine<'a>, 1000>>,
    }

    pub(super) struct EditedLine<'a> {
        pub id: Option<&'a RawValue>,
        pub delta: Option<&'a RawValue>,
    }
}

/// A text where there is one; anything else is remembered as that only.
pub(super) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Other,
}

/// The text of a field, if it is there and is a text.
pub(super) fn text<'b>(field: &'b Option<Scalar<'_>>) -> Option<&'b str> {
    match field {
        Some(Scalar::Text(text)) => Some(text),
        Some(Scalar::Other) | None => None,
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Scalar<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Other)
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Scalar::Other)
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Scalar::Other)
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Scalar::Other)
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Scalar::Other)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}

/// All elements of a list that money depends on; an absent list is empty.
///
/// # Errors
/// [`Unusable::TooMany`], if there were more than are kept.
pub(super) fn all<T, const MAX: usize>(list: &Option<List<T, MAX>>) -> Result<&[T], Unusable> {
    match list {
        Some(list) if !list.complete => Err(Unusable::TooMany),
        _ => Ok(first(list)),
    }
}

/// The elements of a list that were kept, where the rest doesn't matter.
pub(super) fn first<T, const MAX: usize>(list: &Option<List<T, MAX>>) -> &[T] {
    list.as_ref().map_or(&[], |list| &list.elements)
}
