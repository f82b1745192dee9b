//! How JSON objects become structs, in one pass and without a tree.
//!
//! [`object!`] declares a struct of optional fields and where each is put: a [`Slot`]. One reader
//! fills the slots of them all. Serde's derives made a reader for each struct, with several times
//! the code, which also took a list for an object with its fields in order.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::payload::Scalar;

/// A struct that an object can be read into; [`object!`] makes them.
pub(super) trait Object<'a> {
    /// The names of its fields: at most 64, all others are passed over.
    fn names(&self) -> Names;
    /// Where the value of a field belongs, and whether null counts as a value.
    fn slot(&mut self, field: usize) -> Option<(Slot<'_, 'a>, bool)>;
}

/// The names that a struct knows, and a mark for each. Of the three hundred names in an order it knows
/// few: most are told by their mark, without a look at the list.
#[derive(Clone, Copy)]
pub(super) struct Names {
    known: &'static [&'static str],
    marks: u128,
}

impl Names {
    pub(super) const fn new(known: &'static [&'static str]) -> Self {
        let (mut marks, mut rest) = (0, known);
        while let Some((name, others)) = rest.split_first() {
            marks |= Self::mark(name);
            rest = others;
        }
        Self { known, marks }
    }

    /// One of 128 bits, by how long a name is, and how it begins and ends.
    const fn mark(name: &str) -> u128 {
        match (name.as_bytes().first(), name.as_bytes().last()) {
            (Some(first), Some(last)) => {
                let sum = name.len() * 11 + *first as usize * 5 + *last as usize;
                1 << (sum & 127)
            }
            _ => 1,
        }
    }

    fn find(self, text: &str) -> Option<(u32, &'static str)> {
        (self.marks & Self::mark(text) != 0).then_some(())?;
        (0..).zip(self.known).find(|(_, name)| **name == text).map(|(n, name)| (n, *name))
    }
}

/// A list of objects that grows as it is read.
pub(super) trait Objects<'a> {
    /// A place for one more object, unless the list is full.
    fn grow(&mut self) -> Option<&mut dyn Object<'a>>;
    /// There was no more object for the last place.
    fn shrink(&mut self);
    /// There were more objects than places.
    fn overflow(&mut self);
}

/// An object that is there only if its field is.
pub(super) trait MaybeObject<'a> {
    fn there(&mut self) -> &mut dyn Object<'a>;
}

/// A list that is there only if its field is.
pub(super) trait MaybeObjects<'a> {
    fn there(&mut self) -> &mut dyn Objects<'a>;
}

/// Where a value belongs, which is also what it must be.
pub(super) enum Slot<'s, 'a> {
    Raw(&'s mut Option<&'a RawValue>),
    Scalar(&'s mut Option<Scalar<'a>>),
    Text(&'s mut Option<&'a str>),
    Flag(&'s mut Option<bool>),
    Any(&'s mut Option<IgnoredAny>),
    Object(&'s mut dyn MaybeObject<'a>),
    Objects(&'s mut dyn MaybeObjects<'a>),
}

/// A type of field.
pub(super) trait Field<'a> {
    fn slot(&mut self) -> Slot<'_, 'a>;
}

impl<'a> Field<'a> for Option<&'a RawValue> {
    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Raw(self)
    }
}
impl<'a> Field<'a> for Option<Scalar<'a>> {
    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Scalar(self)
    }
}
impl<'a> Field<'a> for Option<&'a str> {
    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Text(self)
    }
}
impl<'a> Field<'a> for Option<bool> {
    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Flag(self)
    }
}
impl<'a> Field<'a> for Option<IgnoredAny> {
    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Any(self)
    }
}
impl<'a, T: Object<'a> + Default> Field<'a> for Option<T> {
    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Object(self)
    }
}
impl<'a, T: Object<'a> + Default> MaybeObject<'a> for Option<T> {
    fn there(&mut self) -> &mut dyn Object<'a> {
        self.insert(T::default())
    }
}
impl<'a, T: Object<'a> + Default, const MAX: usize> Field<'a> for Option<List<T, MAX>> {
    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Objects(self)
    }
}
impl<'a, T: Object<'a> + Default, const MAX: usize> MaybeObjects<'a> for Option<List<T, MAX>> {
    fn there(&mut self) -> &mut dyn Objects<'a> {
        self.insert(List { elements: Vec::new(), complete: true })
    }
}

/// The first `MAX` elements of a list; what comes after is passed over, so that no body can fill
/// the memory.
pub(super) struct List<T, const MAX: usize> {
    /// Those that were kept.
    pub elements: Vec<T>,
    /// There were no more.
    pub complete: bool,
}

impl<'a, T: Object<'a> + Default, const MAX: usize> Objects<'a> for List<T, MAX> {
    fn grow(&mut self) -> Option<&mut dyn Object<'a>> {
        if self.elements.len() >= MAX {
            return None;
        }
        self.elements.push(T::default());
        self.elements.last_mut().map(|last| last as _)
    }
    fn shrink(&mut self) {
        self.elements.pop();
    }
    fn overflow(&mut self) {
        self.complete = false;
    }
}

/// Declares structs whose fields are those of an object, each an `Option`. Null is `None`, but
/// `Some` of a field that is `#[present]`; `= "name"` names a field that Rust can't.
macro_rules! object {
    ($($(#[doc = $doc:literal])* $vis:vis struct $name:ident $(<$life:lifetime>)? {
        $($(#[$how:ident])? $field_vis:vis $field:ident: $type:ty $(= $text:literal)?),* $(,)?
    })+) => {$(
        $(#[doc = $doc])*
        #[derive(Default)]
        $vis struct $name $(<$life>)? { $($field_vis $field: $type),* }
        impl<'a> $crate::partners::shopify::objects::Object<'a> for $name $(<$life>)? {
            fn names(&self) -> $crate::partners::shopify::objects::Names {
                const {
                    $crate::partners::shopify::objects::Names::new(&[
                        $(object!(@name $field $($text)?)),*
                    ])
                }
            }
            fn slot(
                &mut self,
                field: usize,
            ) -> Option<($crate::partners::shopify::objects::Slot<'_, 'a>, bool)> {
                use $crate::partners::shopify::objects::Field;
                #[expect(non_camel_case_types, reason = "they are the names of fields")]
                enum Number { $($field),* }
                match field {
                    $(n if n == Number::$field as usize => {
                        Some((Field::slot(&mut self.$field), object!(@present $($how)?)))
                    })*
                    _ => None,
                }
            }
        }
    )+};
    (@name $field:ident $text:literal) => { $text };
    (@name $field:ident) => { stringify!($field) };
    (@present present) => { true };
    (@present) => { false };
}
pub(super) use object;

/// Which fields an object had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    named: u64,
    others: bool,
}

impl Seen {
    /// It had the first fields that its struct names, so many, and no other.
    pub(super) fn only_the_first(self, fields: u32) -> bool {
        let named = 1_u64.checked_shl(fields).unwrap_or(0).wrapping_sub(1);
        self == Self { named, others: false }
    }
}

/// Reads a text that is one object, and answers which fields it had.
///
/// # Errors
/// It is no JSON, no object, or a field that is named is there twice or of another type.
pub(super) fn read<'a>(text: &'a str, into: &mut dyn Object<'a>) -> serde_json::Result<Seen> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let seen = OneObject(into).deserialize(&mut reader)?;
    reader.end()?;
    Ok(seen)
}

/// Reads an object.
struct OneObject<'s, 'a>(&'s mut dyn Object<'a>);

impl<'a> DeserializeSeed<'a> for OneObject<'_, 'a> {
    type Value = Seen;
    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Seen, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for OneObject<'_, 'a> {
    type Value = Seen;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'a>>(self, mut entries: A) -> Result<Seen, A::Error> {
        let Self(object) = self;
        let names = object.names();
        let mut seen = Seen::default();
        while let Some(field) = entries.next_key_seed(Name(names))? {
            let Some((field, name)) = field else {
                seen.others = true;
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            let bit = 1_u64.checked_shl(field).unwrap_or(0);
            if seen.named & bit != 0 {
                return Err(Error::duplicate_field(name));
            }
            seen.named |= bit;
            if let Some((slot, null_counts)) = object.slot(field as usize) {
                entries.next_value_seed(Value { slot, null_counts })?;
            }
        }
        Ok(seen)
    }
}

/// Finds the name of a field among those of its struct.
struct Name(Names);

impl<'a> DeserializeSeed<'a> for Name {
    type Value = Option<(u32, &'static str)>;
    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<(u32, &'static str)>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.find(text))
    }
}

/// Reads the value of a field into its slot.
struct Value<'s, 'a> {
    slot: Slot<'s, 'a>,
    null_counts: bool,
}

impl<'a> DeserializeSeed<'a> for Value<'_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        if self.null_counts { self.visit_some(reader) } else { reader.deserialize_option(self) }
    }
}

impl<'a> Visitor<'a> for Value<'_, 'a> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_some<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        match self.slot {
            Slot::Raw(slot) => *slot = Some(Deserialize::deserialize(reader)?),
            Slot::Scalar(slot) => *slot = Some(Deserialize::deserialize(reader)?),
            Slot::Text(slot) => *slot = Some(Deserialize::deserialize(reader)?),
            Slot::Flag(slot) => *slot = Some(Deserialize::deserialize(reader)?),
            Slot::Any(slot) => *slot = Some(Deserialize::deserialize(reader)?),
            Slot::Object(slot) => {
                reader.deserialize_map(OneObject(slot.there()))?;
            }
            Slot::Objects(slot) => reader.deserialize_seq(Each(slot.there()))?,
        }
        Ok(())
    }
}

/// Reads a list of objects.
struct Each<'s, 'a>(&'s mut dyn Objects<'a>);

impl<'a> Visitor<'a> for Each<'_, 'a> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }
    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(object) = self.0.grow() {
            if list.next_element_seed(OneObject(object))?.is_none() {
                self.0.shrink();
                return Ok(());
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            self.0.overflow();
        }
        Ok(())
    }
}
