//! What a bulk action is about and what it does, as forms say it and as the API takes it.

use serde_json::{Map, Value, json};

use crate::domain::brand::Brand;
use crate::domain::ids::DealId;
use crate::domain::money::BasisPoints;
use crate::domain::time::{Day, to_rfc3339};
use crate::error::{Error, Result};
use crate::web::pages::form::Form;
use crate::web::pages::shell::At;

/// What can be done, and how that is said in a choice.
pub const ACTIONS: [(&str, &str); 11] = [
    ("new_terms", "Set the commission"),
    ("add_tags", "Add tags"),
    ("remove_tags", "Remove tags"),
    ("move", "Move to a stage"),
    ("assign", "Assign to a member"),
    ("message", "Send a message"),
    ("follow_up", "Note a follow-up"),
    ("invite", "Invite to the dashboard"),
    ("create_link", "Make links"),
    ("assign_code", "Assign codes from a group"),
    ("fee", "Agree on a fee"),
];

/// How a field is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In a line, of the type that `<input>` or the kit knows.
    Line(&'static str),
    /// In several lines.
    Area,
    /// By a yes.
    Check,
    /// By one of the brand's stages, or none.
    Stage,
    /// By a member, nobody, or whoever looks after the deal already.
    Owner,
    /// By a member or nobody.
    Member,
    /// By a template of messages.
    Template,
    /// By a group of codes.
    Group,
    /// By a store.
    Store,
}

/// A field of an action.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its name in the form.
    pub name: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// What helps.
    pub hint: &'static str,
    /// How it is filled in.
    pub kind: Kind,
    /// Its name in the API's body, below `action`.
    pub at: &'static str,
}

const fn part(
    (name, at): (&'static str, &'static str),
    (label, hint): (&'static str, &'static str),
    kind: Kind,
) -> Part {
    Part { name, label, hint, kind, at }
}

const DECIMAL: Kind = Kind::Line("decimal");
const MONEY: &str = "In the brand’s currency. Empty: none";

const TERMS: [Part; 7] = [
    part(
        ("rate", "terms.commission_percent"),
        ("Commission, %", "Of what the customer pays, without tax and shipping"),
        DECIMAL,
    ),
    part(("flat", "terms.flat_per_order"), ("On top for each order", MONEY), DECIMAL),
    part(("cap", "terms.cap_per_order"), ("At most for an order", MONEY), DECIMAL),
    part(("month_cap", "terms.cap_per_month"), ("At most in a month", MONEY), DECIMAL),
    part(
        ("starts", "terms.starts_at"),
        ("From this day", "Today or empty: at once"),
        Kind::Line("date"),
    ),
    part(("ends", "terms.ends_at"), ("Last day", "Empty: no end"), Kind::Line("date")),
    part(
        ("first", "terms.first_order_only"),
        ("Only a customer’s first order earns", ""),
        Kind::Check,
    ),
];
const TAGS: [Part; 1] =
    [part(("tags", "tags"), ("Tags", "With commas between"), Kind::Line("text"))];
const STAGE: [Part; 1] = [part(("stage", "stage"), ("Stage", ""), Kind::Stage)];
const OWNER: [Part; 1] = [part(("owner", "owner_id"), ("Member", ""), Kind::Member)];
const MESSAGE: [Part; 1] = [part(
    ("template", "template_id"),
    ("Template", "Each creator gets it at an hour that suits her day"),
    Kind::Template,
)];
const FOLLOW_UP: [Part; 3] = [
    part(("text", "text"), ("What is to be done", ""), Kind::Area),
    part(("days", "due_in_days"), ("Within days", "0: today"), Kind::Line("number")),
    part(("who", "owner_id"), ("By", ""), Kind::Owner),
];
const LINK: [Part; 3] = [
    part(
        ("target", "target"),
        ("Page of the shop", "A path such as /products/jeans. Empty: the home page"),
        Kind::Line("text"),
    ),
    part(("store", "store_id"), ("Store", ""), Kind::Store),
    part(("apply", "apply_code"), ("The link applies the deal’s code", ""), Kind::Check),
];
const CODE: [Part; 1] =
    [part(("group", "affiliate_group_id"), ("Codes of the group", ""), Kind::Group)];
const FEE: [Part; 4] = [
    part(("amount", "amount"), ("Amount", "In the brand’s currency"), DECIMAL),
    part(("note", "note"), ("Note", "The creator reads it"), Kind::Line("text")),
    part(("due", "due_on"), ("Not before", "Empty: at once"), Kind::Line("date")),
    part(("stage", "stage"), ("Not before the stage", ""), Kind::Stage),
];

/// The fields of an action; none of what is none.
#[must_use]
pub fn parts(action: &str) -> &'static [Part] {
    match action {
        "new_terms" => &TERMS,
        "add_tags" | "remove_tags" => &TAGS,
        "move" => &STAGE,
        "assign" => &OWNER,
        "message" => &MESSAGE,
        "follow_up" => &FOLLOW_UP,
        "create_link" => &LINK,
        "assign_code" => &CODE,
        "fee" => &FEE,
        _ => &[],
    }
}

/// An amount of the brand's currency.
fn money(text: &str, brand: &Brand) -> Value {
    json!({ "amount": text, "currency": brand.currency.code() })
}

/// The first moment of a day of the brand's, or of the one so many days after; what is no day stays as it is, and the
/// API says what is wrong with it.
fn midnight(text: &str, after: i64, brand: &Brand) -> Value {
    let day = Day::from_iso(text).filter(|day| (0..100_000).contains(&day.0));
    let moment = day.map(|day| to_rfc3339(brand.timezone.start_of(day.plus(after))));
    Value::from(moment.unwrap_or_else(|| text.to_owned()))
}

/// An action as the API takes it, of what a form says on this day of the brand's.
#[must_use]
pub fn action(get: &dyn Fn(&str) -> String, brand: &Brand, today: Day) -> Value {
    let kind = get("do");
    let (mut all, mut terms) = (Map::new(), Map::new());
    all.insert("do".to_owned(), Value::from(kind.as_str()));
    for part in parts(&kind) {
        let text = get(part.name).trim().to_owned();
        // What may be left out is, what is needed is told as it is: the API says that it is.
        let needed = ["rate", "tags", "template", "text", "days", "group", "amount", "owner"];
        let needed = needed.contains(&part.name) || (kind == "move" && part.name == "stage");
        if text.is_empty() && !needed {
            continue;
        }
        // As nothing: its midnight is before orders of today, which no terms may begin before.
        if part.name == "starts" && text == today.to_iso() {
            continue;
        }
        let value = match part.name {
            "rate" => Value::from(
                BasisPoints::parse_percent(&text).map_or(text, |rate| rate.to_percent()),
            ),
            "flat" | "cap" | "month_cap" | "amount" => money(&text, brand),
            "starts" => midnight(&text, 0, brand),
            "ends" => midnight(&text, 1, brand),
            "first" | "apply" => Value::from(true),
            "tags" => {
                let tags = text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
                tags.map(Value::from).collect()
            }
            "owner" | "who" if text.is_empty() || text == "nobody" => Value::Null,
            "days" => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
            _ => Value::from(text),
        };
        match part.at.strip_prefix("terms.") {
            Some(name) => terms.insert(name.to_owned(), value),
            None => all.insert(part.at.to_owned(), value),
        };
    }
    if kind == "new_terms" {
        all.insert("terms".to_owned(), Value::Object(terms));
    }
    Value::Object(all)
}

/// Which deals it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Which {
    /// Those that are named.
    pub deals: Vec<String>,
    /// Those that a filter finds; empty if none is said.
    pub filter: String,
    /// Those of a segment; empty if none is said.
    pub segment: String,
}

impl Which {
    /// As an address says it.
    #[must_use]
    pub fn at(at: &At) -> Self {
        let deals = at.all("deal").map(str::to_owned).collect();
        let (filter, segment) = (at.get("filter").trim(), at.get("segment").trim());
        Self { deals, filter: filter.to_owned(), segment: segment.to_owned() }
    }

    /// As a form says it.
    #[must_use]
    pub fn sent(form: &Form) -> Self {
        let deals = form.all("deal").map(str::to_owned).collect();
        let (filter, segment) = (form.get("filter").trim(), form.get("segment").trim());
        Self { deals, filter: filter.to_owned(), segment: segment.to_owned() }
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deals.is_empty() && !self.is_found()
    }

    /// Whether the deals are found, not named.
    #[must_use]
    pub fn is_found(&self) -> bool {
        !self.filter.is_empty() || !self.segment.is_empty()
    }

    /// The deals that are named.
    ///
    /// # Errors
    /// 422 if one is none.
    pub fn named(&self) -> Result<Vec<DealId>> {
        let parsed = self.deals.iter().map(|text| text.parse());
        let ids: core::result::Result<Vec<DealId>, _> = parsed.collect();
        let mut ids = ids.map_err(|error| Error::invalid("deal_ids", error))?;
        ids.sort_by_key(|deal| deal.bytes());
        ids.dedup();
        Ok(ids)
    }

    /// Its fields, as forms carry them on.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, &str)> {
        let deals = self.deals.iter().map(|deal| ("deal", deal.as_str()));
        let found = [("filter", self.filter.as_str()), ("segment", self.segment.as_str())];
        deals.chain(found.into_iter().filter(|(_, text)| !text.is_empty())).collect()
    }

    /// The API's body for an action on them.
    #[must_use]
    pub fn body(&self, action: Value, (name, value): (&str, Value)) -> Value {
        let mut all = Map::new();
        all.insert("action".to_owned(), action);
        if !self.deals.is_empty() {
            all.insert("deal_ids".to_owned(), Value::from(self.deals.clone()));
        }
        for (name, text) in [("filter", &self.filter), ("segment", &self.segment)] {
            if !text.is_empty() {
                all.insert(name.to_owned(), Value::from(text.as_str()));
            }
        }
        all.insert(name.to_owned(), value);
        Value::Object(all)
    }
}
