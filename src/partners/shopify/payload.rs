//! The JSON of Shopify's orders, refunds and edits, borrowed from the text.
//!
//! One pass, no tree. Numbers and amounts stay raw text until [`super::amount`] has read them
//! exactly. Fields that are named but not read are here so that a repetition of them is noticed.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Unusable;

/// What a body is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Order,
    Refund,
    Edit,
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
}

impl Signs {
    /// Only orders have a `financial_status`. An order that lost it is told from carts and
    /// fulfilments (no currency) and from draft orders and checkouts (`completed_at`).
    pub(super) fn kind(&self) -> Kind {
        let like_an_order =
            self.line_items && self.currency && self.created_at && !self.completed_at;
        if self.financial_status || like_an_order {
            Kind::Order
        } else if self.refund_line_items {
            Kind::Refund
        } else if self.order_edit {
            Kind::Edit
        } else {
            Kind::Other
        }
    }
}

/// Any body, with the fields of all kinds: which kind it is shows only after reading it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "totals are named so that a repetition of them is noticed")]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub order_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub order_number: Option<&'a RawValue>,
    #[serde(borrow)]
    pub name: Option<Scalar<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub currency: Option<Scalar<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub created_at: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub updated_at: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub cancelled_at: Option<Scalar<'a>>,
    #[serde(default, deserialize_with = "present")]
    completed_at: Option<IgnoredAny>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub financial_status: Option<Scalar<'a>>,
    pub taxes_included: Option<bool>,
    pub test: Option<bool>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub line_items: Option<List<OrderLine<'a>, 1000>>,
    #[serde(borrow)]
    pub refunds: Option<List<RefundBody<'a>, 250>>,

    #[serde(borrow)]
    pub discount_applications: Option<List<Application<'a>, 250>>,
    #[serde(borrow)]
    pub discount_codes: Option<List<DiscountCode<'a>, 250>>,
    #[serde(borrow)]
    pub note_attributes: Option<List<NoteAttribute<'a>, 250>>,
    #[serde(borrow)]
    pub landing_site: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub email: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub contact_email: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub customer: Option<Customer<'a>>,

    #[serde(borrow, default, deserialize_with = "present")]
    refund_line_items: Option<List<RefundLine<'a>, 1000>>,
    #[serde(borrow)]
    refund_shipping_lines: Option<List<RefundShipping<'a>, 250>>,
    #[serde(borrow)]
    order_adjustments: Option<List<Adjustment<'a>, 250>>,
    #[serde(borrow)]
    transactions: Option<List<Transaction<'a>, 250>>,
    #[serde(borrow)]
    total_duties_set: Option<MoneySet<'a>>,
    #[serde(borrow)]
    total_additional_fees_set: Option<MoneySet<'a>>,

    #[serde(borrow, default, deserialize_with = "present")]
    pub order_edit: Option<OrderEdit<'a>>,

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

/// The same object with every type accepted, to see what a body was meant to be.
#[derive(Deserialize)]
#[expect(dead_code, reason = "ids are named so that a repetition of them is noticed")]
pub(super) struct Shape {
    id: Option<IgnoredAny>,
    order_id: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    financial_status: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    line_items: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    currency: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    created_at: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    completed_at: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    refund_line_items: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    order_edit: Option<IgnoredAny>,
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
        }
    }
}

/// The body of a deletion: an id and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlyId<'a> {
    #[serde(borrow)]
    pub id: &'a RawValue,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "totals are named so that a repetition of them is noticed")]
pub(super) struct OrderLine<'a> {
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub product_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub quantity: Option<&'a RawValue>,
    #[serde(borrow)]
    pub current_quantity: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub price: Option<&'a RawValue>,
    #[serde(borrow)]
    pub price_set: Option<MoneySet<'a>>,
    #[serde(borrow)]
    pub discount_allocations: Option<List<Allocation<'a>, 250>>,
    #[serde(borrow)]
    pub tax_lines: Option<List<TaxLine<'a>, 250>>,
    pub gift_card: Option<bool>,
    #[serde(borrow)]
    pub title: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub name: Option<Scalar<'a>>,
    pub tip: Option<IgnoredAny>,
    pub tip_payment_gateway: Option<IgnoredAny>,
    pub tip_payment_method: Option<IgnoredAny>,
    total_discount: Option<IgnoredAny>,
    total_discount_set: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct Allocation<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    pub amount: Option<&'a RawValue>,
    #[serde(borrow)]
    pub amount_set: Option<MoneySet<'a>>,
}

#[derive(Deserialize)]
pub(super) struct TaxLine<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    pub price: Option<&'a RawValue>,
    #[serde(borrow)]
    pub price_set: Option<MoneySet<'a>>,
}

/// An amount in the shop's currency; the customer's (`presentment_money`) is never read.
#[derive(Deserialize)]
pub(super) struct MoneySet<'a> {
    #[serde(borrow)]
    pub shop_money: Option<ShopMoney<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ShopMoney<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    pub amount: Option<&'a RawValue>,
    pub currency_code: Option<&'a str>,
}

#[derive(Deserialize)]
pub(super) struct Application<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub code: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
pub(super) struct DiscountCode<'a> {
    #[serde(borrow)]
    pub code: Option<Scalar<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub amount: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct NoteAttribute<'a> {
    #[serde(borrow)]
    pub name: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub value: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Customer<'a> {
    #[serde(borrow)]
    pub email: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
pub(super) struct RefundBody<'a> {
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub order_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub refund_line_items: Option<List<RefundLine<'a>, 1000>>,
    #[serde(borrow)]
    pub refund_shipping_lines: Option<List<RefundShipping<'a>, 250>>,
    #[serde(borrow)]
    pub order_adjustments: Option<List<Adjustment<'a>, 250>>,
    #[serde(borrow)]
    pub transactions: Option<List<Transaction<'a>, 250>>,
    #[serde(borrow)]
    pub total_duties_set: Option<MoneySet<'a>>,
    #[serde(borrow)]
    pub total_additional_fees_set: Option<MoneySet<'a>>,
}

#[derive(Deserialize)]
pub(super) struct RefundLine<'a> {
    #[serde(borrow)]
    pub line_item_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub quantity: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub subtotal: Option<&'a RawValue>,
    #[serde(borrow)]
    pub subtotal_set: Option<MoneySet<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub total_tax: Option<&'a RawValue>,
    #[serde(borrow)]
    pub total_tax_set: Option<MoneySet<'a>>,
    #[serde(borrow)]
    pub line_item: Option<RefundedItem<'a>>,
}

/// The order's line inside a refunded one: what bodies without a `subtotal` are reckoned from.
#[derive(Deserialize)]
pub(super) struct RefundedItem<'a> {
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub quantity: Option<&'a RawValue>,
    #[serde(borrow)]
    pub price: Option<&'a RawValue>,
    #[serde(borrow)]
    pub discount_allocations: Option<List<Allocation<'a>, 250>>,
    #[serde(borrow)]
    pub tax_lines: Option<List<TaxLine<'a>, 250>>,
}

#[derive(Deserialize)]
pub(super) struct RefundShipping<'a> {
    #[serde(borrow)]
    pub subtotal_amount_set: Option<MoneySet<'a>>,
    #[serde(borrow)]
    pub tax_amount_set: Option<MoneySet<'a>>,
    #[serde(borrow)]
    pub shipping_line: Option<ShippingLine<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ShippingLine<'a> {
    #[serde(borrow)]
    pub tax_lines: Option<List<TaxLine<'a>, 250>>,
}

#[derive(Deserialize)]
pub(super) struct Adjustment<'a> {
    #[serde(borrow)]
    pub kind: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub reason: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub amount: Option<&'a RawValue>,
    #[serde(borrow)]
    pub amount_set: Option<MoneySet<'a>>,
    #[serde(borrow)]
    pub tax_amount: Option<&'a RawValue>,
    #[serde(borrow)]
    pub tax_amount_set: Option<MoneySet<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Transaction<'a> {
    #[serde(borrow)]
    pub kind: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub status: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub amount: Option<&'a RawValue>,
    #[serde(borrow)]
    pub currency: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
pub(super) struct OrderEdit<'a> {
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub order_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub line_items: Option<EditedLines<'a>>,
}

#[derive(Deserialize)]
pub(super) struct EditedLines<'a> {
    #[serde(borrow)]
    pub additions: Option<List<EditedLine<'a>, 1000>>,
    #[serde(borrow)]
    pub removals: Option<List<EditedLine<'a>, 1000>>,
}

#[derive(Deserialize)]
pub(super) struct EditedLine<'a> {
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub delta: Option<&'a RawValue>,
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

/// The first `MAX` elements of a list; what comes after is passed over, so that no body can fill
/// the memory.
pub(super) struct List<T, const MAX: usize> {
    elements: Vec<T>,
    complete: bool,
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

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Elements<T, MAX> {
            type Value = List<T, MAX>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while elements.len() < MAX {
                    match list.next_element()? {
                        Some(element) => elements.push(element),
                        None => return Ok(List { elements, complete: true }),
                    }
                }
                let mut complete = true;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    complete = false;
                }
                Ok(List { elements, complete })
            }
        }
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

/// A field that is there, though it be null; `Option` alone takes null for absence.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
