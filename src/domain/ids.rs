//! Typed ids: a prefix that names the kind and 128 bits as a TypeID (`deal_01j…`).
//!
//! An id of one kind can't be passed where another is wanted, and a string with the wrong prefix
//! doesn't parse. Outside the process ids are opaque.

use std::marker::PhantomData;
use std::{fmt, hash, str};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

/// What an [`Id`] names.
pub trait Kind: 'static {
    /// The part before the underscore.
    const PREFIX: &'static str;
}

/// 128 bits that name one thing of kind `K`.
pub struct Id<K: Kind>(Uuid, PhantomData<fn() -> K>);

/// The string is not an id of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

impl<K: Kind> Id<K> {
    /// A new id that sorts by the time of its making: 48 bits of milliseconds (UUIDv7), the rest
    /// random. Both are values: the core draws nothing.
    #[must_use]
    pub fn new(now_ms: i64, random: [u8; 10]) -> Self {
        let ms = u64::try_from(now_ms).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid(), PhantomData)
    }

    /// The id with exactly these 128 bits, as a click id or a derived order id carries them.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes), PhantomData)
    }

    /// The 128 bits.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }
}

impl<K: Kind> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K: Kind> Copy for Id<K> {}
impl<K: Kind> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K: Kind> Eq for Id<K> {}
impl<K: Kind> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K: Kind> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K: Kind> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(K::PREFIX, self.0, f)
    }
}
impl<K: Kind> str::FromStr for Id<K> {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        read(K::PREFIX, text).map(|uuid| Self(uuid, PhantomData))
    }
}

// Once for all kinds, not once for each.
#[inline(never)]
fn write(prefix: &str, uuid: Uuid, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let prefix = DynamicType::new(prefix).map_err(|_| fmt::Error)?;
    write!(f, "{}", TypeSafeId::from_type_and_uuid(prefix, uuid))
}

#[inline(never)]
fn read(prefix: &str, text: &str) -> Result<Uuid, NotAnId> {
    let parsed: TypeSafeId<DynamicType> = text.parse().map_err(|_| NotAnId)?;
    if parsed.type_prefix() == prefix { Ok(parsed.uuid()) } else { Err(NotAnId) }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $id:ident, $prefix:literal;)*) => {$(
        $(#[$doc])*
        pub enum $kind {}
        impl Kind for $kind {
            const PREFIX: &'static str = $prefix;
        }
        $(#[$doc])*
        pub type $id = Id<$kind>;
    )*};
}

kinds! {
    /// A tenant.
    Brand, BrandId, "brand";
    /// A connected shop.
    Store, StoreId, "store";
    /// A person in the brand's CRM.
    Creator, CreatorId, "creator";
    /// A board of stages.
    Campaign, CampaignId, "campaign";
    /// One creator in one campaign.
    Deal, DealId, "deal";
    /// A version of a deal's terms.
    Terms, TermsId, "terms";
    /// Commission tiers of a brand or campaign.
    Tiers, TiersId, "tiers";
    /// Terms that wait for an answer.
    Offer, OfferId, "offer";
    /// A personal link of a deal.
    Link, LinkId, "link";
    /// A discount code of a deal.
    Code, CodeId, "code";
    /// A discount rule that codes are made from.
    Group, GroupId, "group";
    /// A collection of a shop that terms name.
    Collection, CollectionId, "collection";
    /// An order of a store.
    Order, OrderId, "order";
    /// A brand's API key.
    Key, KeyId, "key";
    /// An invitation of a creator.
    Invitation, InvitationId, "invitation";
    /// A creator's access token.
    Token, TokenId, "token";
    /// A delivery that was authentic but unusable.
    Quarantined, QuarantineId, "quarantine";
    /// A request about shoppers' data.
    DataRequest, DataRequestId, "request";
    /// A task at the platform of a store.
    Task, TaskId, "task";
    /// A row of the audit trail.
    Audit, AuditId, "audit";
    /// Someone who signs in.
    Person, PersonId, "person";
    /// A person of a brand's team, invited or joined.
    Member, MemberId, "member";
    /// A session of a person who signed in.
    Session, SessionId, "session";
    /// A fixed payment to a creator.
    Fee, FeeId, "fee";
    /// A correction by hand.
    Adjustment, AdjustmentId, "adjustment";
    /// Payments to creators, made together.
    Payout, PayoutId, "payout";
    /// One creator's part of a payout.
    PayoutLine, PayoutLineId, "line";
    /// A passkey of a person.
    Passkey, PasskeyId, "passkey";
    /// A mail.
    Mail, MailId, "mail";
    /// A creator's claim that an order is hers.
    Claim, ClaimId, "claim";
    /// A filter that was saved.
    Segment, SegmentId, "seg";
    /// A template of messages.
    Template, TemplateId, "template";
    /// A message to a creator, or from her.
    Message, MessageId, "message";
    /// A sequence of messages.
    Sequence, SequenceId, "sequence";
    /// A deal in a sequence.
    Enrolment, EnrolmentId, "enrolment";
    /// What a creator published.
    Post, PostId, "post";
    /// What people wrote about a deal.
    Note, NoteId, "note";
    /// What is to be done about a deal.
    FollowUp, FollowUpId, "followup";
    /// What a deal cost.
    Cost, CostId, "cost";
    /// A field of creators of the brand's own.
    Field, FieldId, "field";
    /// An action on many deals.
    Bulk, BulkId, "bulk";
    /// Where a brand has events told.
    Endpoint, EndpointId, "endpoint";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        let id = DealId::new(1_700_000_000_000, [7; 10]);
        assert!(id.to_string().starts_with("deal_"));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(DealId::from_bytes(id.bytes()), id);
    }

    #[test]
    fn an_id_of_another_kind_does_not_parse() {
        let link = LinkId::new(1, [0; 10]).to_string();
        assert_eq!(link.parse::<DealId>(), Err(NotAnId));
        for bad in ["", "deal", "deal_", "deal_zzz", "DEAL_01h455vb4pex5vsknk084sn02q"] {
            assert_eq!(bad.parse::<DealId>(), Err(NotAnId), "{bad}");
        }
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        assert!(DealId::new(1, [255; 10]).to_string() < DealId::new(2, [0; 10]).to_string());
    }
}
