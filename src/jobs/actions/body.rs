//! Actions as they are written down: `{"do": "move", "stage": "Posted"}`.
//!
//! One form in bodies, in steps of automations and in storage.

use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{OneOfBuilder, Ref, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::auth::Scope;
use crate::domain::money::Money;
use crate::error::Error;
use crate::storage::rows::parse;
use crate::web::api::fees::NewFee;
use crate::web::api::terms::NewTerms;
use crate::web::api::view::Date;
use crate::web::body::{FromJson, Wrong, body, text, unknown_word, wrong};

body! {
    /// New terms, from now on or from their start.
    #[derive(Clone)]
    pub struct GiveTerms {
        #[schema(pattern = "^new_terms$")]
        r#do: String,
        terms: NewTerms,
    }
}

body! {
    /// Tags that a deal gets, or loses.
    #[derive(Clone)]
    pub struct ChangeTags {
        #[schema(pattern = "^(add_tags|remove_tags)$")]
        r#do: String,
        tags: Vec<String>,
    }
}

body! {
    /// A stage to move to, after the deals that are there.
    #[derive(Clone)]
    pub struct MoveTo {
        #[schema(pattern = "^move$")]
        r#do: String,
        stage: String,
    }
}

body! {
    /// The member who looks after the deal from now on; null for nobody.
    #[derive(Clone)]
    pub struct AssignTo {
        #[schema(pattern = "^assign$")]
        r#do: String,
        #[schema(required)]
        owner_id: Option<Option<String>>,
    }
}

body! {
    /// A message to the creator, from a template.
    #[derive(Clone)]
    pub struct SendMessage {
        #[schema(pattern = "^message$")]
        r#do: String,
        template_id: String,
    }
}

body! {
    /// Something to be done.
    #[derive(Clone)]
    pub struct AddFollowUp {
        #[schema(pattern = "^follow_up$")]
        r#do: String,
        text: String,
        /// By the end of so many days of the brand after today: 0 to 3650.
        due_in_days: i64,
        /// By which member; null: nobody in particular. Absent: whoever looks after the deal.
        owner_id: Option<Option<String>>,
    }
}

body! {
    /// An invitation by mail. Who has access, or was invited within a day, isn't invited again.
    #[derive(Clone)]
    pub struct SendInvitation {
        #[schema(pattern = "^invite$")]
        r#do: String,
    }
}

body! {
    /// A link, named after the creator; a deal that has an open one to the same target gets no other.
    #[derive(Clone)]
    pub struct MakeLink {
        #[schema(pattern = "^create_link$")]
        r#do: String,
        /// A path on the storefront; absent: the home page.
        target: Option<String>,
        /// Absent: the brand's first.
        store_id: Option<String>,
        /// Whether the shop applies the deal's code to who comes by it, if the deal has one.
        apply_code: Option<bool>,
    }
}

body! {
    /// A code of an affiliate group; a deal that has one of the group gets no other. The shop makes it soon
    /// afterwards.
    #[derive(Clone)]
    pub struct MakeCode {
        #[schema(pattern = "^assign_code$")]
        r#do: String,
        affiliate_group_id: String,
    }
}

body! {
    /// A fixed payment: at once, or planned. Needs the scope `money`.
    #[derive(Clone)]
    pub struct AgreeFee {
        #[schema(pattern = "^fee$")]
        r#do: String,
        amount: Money,
        note: Option<Option<String>>,
        /// Not before this day of the brand.
        due_on: Option<Option<Date>>,
        /// Not before the deal reaches this stage of its campaign.
        stage: Option<Option<String>>,
    }
}

impl AgreeFee {
    pub(super) fn fee(&self) -> NewFee {
        NewFee {
            amount: self.amount,
            note: self.note.clone(),
            due_on: self.due_on,
            stage: self.stage.clone(),
        }
    }
}

/// Something to be done to a deal.
#[derive(Clone)]
pub enum Action {
    /// New terms.
    NewTerms(Box<GiveTerms>),
    /// More tags.
    AddTags(ChangeTags),
    /// Fewer tags.
    RemoveTags(ChangeTags),
    /// To a stage.
    Move(MoveTo),
    /// To a member.
    Assign(AssignTo),
    /// A message from a template.
    Message(SendMessage),
    /// Something for people to do.
    FollowUp(AddFollowUp),
    /// An invitation.
    Invite(SendInvitation),
    /// A link.
    CreateLink(MakeLink),
    /// A code from a group.
    AssignCode(MakeCode),
    /// A fee.
    Fee(AgreeFee),
}

/// The words that stand for actions.
const WORDS: [&str; 11] = [
    "new_terms",
    "add_tags",
    "remove_tags",
    "move",
    "assign",
    "message",
    "follow_up",
    "invite",
    "create_link",
    "assign_code",
    "fee",
];

impl Action {
    /// Reads an action that is kept as text.
    ///
    /// # Errors
    /// What is wrong with it; it can't be done then.
    pub fn read(text: &str) -> Result<Self, Box<Error>> {
        let odd = |_| Error::invalid("", "is no action");
        Self::from_json(&parse(text).map_err(odd)?)
            .map_err(|wrong| Error::Invalid(vec![*wrong]).into())
    }

    /// The word that stands for it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::NewTerms(told) => &told.r#do,
            Self::AddTags(told) | Self::RemoveTags(told) => &told.r#do,
            Self::Move(told) => &told.r#do,
            Self::Assign(told) => &told.r#do,
            Self::Message(told) => &told.r#do,
            Self::FollowUp(told) => &told.r#do,
            Self::Invite(told) => &told.r#do,
            Self::CreateLink(told) => &told.r#do,
            Self::AssignCode(told) => &told.r#do,
            Self::Fee(told) => &told.r#do,
        }
    }

    /// What whoever asks for it must be allowed to do, beside what every action needs: `deals`.
    #[must_use]
    pub fn scope(&self) -> Scope {
        if matches!(self, Self::Fee(_)) { Scope::Money } else { Scope::Deals }
    }
}

impl FromJson for Action {
    fn from_json(value: &Value) -> Result<Self, Wrong> {
        let word = match value.get("do") {
            Some(word) => text(word).map_err(|wrong| wrong.within("do"))?,
            None if value.is_object() => return Err(wrong("missing field `do`").within("do")),
            None => return Err(wrong("must be an object that says what to `do`")),
        };
        Ok(match word {
            "new_terms" => Self::NewTerms(Box::new(GiveTerms::from_json(value)?)),
            "add_tags" => Self::AddTags(ChangeTags::from_json(value)?),
            "remove_tags" => Self::RemoveTags(ChangeTags::from_json(value)?),
            "move" => Self::Move(MoveTo::from_json(value)?),
            "assign" => {
                let read = AssignTo::from_json(value)?;
                if read.owner_id.is_none() {
                    return Err(wrong("missing field `owner_id`").within("owner_id"));
                }
                Self::Assign(read)
            }
            "message" => Self::Message(SendMessage::from_json(value)?),
            "follow_up" => Self::FollowUp(AddFollowUp::from_json(value)?),
            "invite" => Self::Invite(SendInvitation::from_json(value)?),
            "create_link" => Self::CreateLink(MakeLink::from_json(value)?),
            "assign_code" => Self::AssignCode(MakeCode::from_json(value)?),
            "fee" => Self::Fee(AgreeFee::from_json(value)?),
            _ => return Err(unknown_word(&WORDS).within("do")),
        })
    }

    fn placeholder() -> Self {
        Self::Invite(SendInvitation { r#do: String::new() })
    }
}

/// The forms that actions have, each with its name in the OpenAPI document.
macro_rules! forms {
    ($($form:ident),*) => {
        impl PartialSchema for Action {
            fn schema() -> RefOr<Schema> {
                let one = OneOfBuilder::new();
                $(let one = one.item(Ref::from_schema_name($form::name()));)*
                RefOr::T(Schema::OneOf(one.build()))
            }
        }
        impl ToSchema for Action {
            fn name() -> std::borrow::Cow<'static, str> {
                "ActionBody".into()
            }
            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $(
                    schemas.push(($form::name().into_owned(), $form::schema()));
                    $form::schemas(schemas);
                )*
            }
        }
    };
}
forms!(
    GiveTerms,
    ChangeTags,
    MoveTo,
    AssignTo,
    SendMessage,
    AddFollowUp,
    SendInvitation,
    MakeLink,
    MakeCode,
    AgreeFee
);
