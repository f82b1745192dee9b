//! An automation while somebody writes it: as a form sends it, and as the API takes it.

use serde_json::{Map, Value};

use crate::domain::money::Currency;
use crate::storage::rows::parse;
use crate::web::pages::form::Form;

/// What automations can start by, and how that is said in a choice.
pub const TRIGGERS: [(&str, &str); 13] = [
    ("stage_entered", "A deal comes to a stage"),
    ("stage_left", "A deal leaves a stage"),
    ("deal_created", "A deal is made"),
    ("invited", "The creator is invited"),
    ("accepted", "The creator accepts the invitation"),
    ("order_attributed", "An order becomes the deal’s"),
    ("threshold_reached", "Orders, revenue or commission reach an amount"),
    ("tier_reached", "A level of commission tiers is reached"),
    ("payout_paid", "A payment arrived at the creator"),
    ("no_sale", "Nothing was sold for some days"),
    ("follow_up_overdue", "A follow-up is overdue"),
    ("post_published", "A post is reported"),
    ("date", "A day comes"),
];

/// What steps can do, and how that is said in a choice.
pub const STEPS: [(&str, &str); 13] = [
    ("create_link", "Make the link"),
    ("assign_code", "Assign a code from a group"),
    ("message", "Send a message"),
    ("new_terms", "Set the commission"),
    ("add_tags", "Add tags"),
    ("remove_tags", "Remove tags"),
    ("move", "Move to a stage"),
    ("assign", "Assign to a member"),
    ("follow_up", "Note a follow-up"),
    ("invite", "Invite to the dashboard"),
    ("fee", "Agree on a fee"),
    ("wait", "Wait"),
    ("webhook", "Tell your servers (webhook)"),
];

/// The fields of a kind of step.
#[must_use]
pub fn fields_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "create_link" => &["target", "store_id", "apply_code"],
        "assign_code" => &["affiliate_group_id"],
        "message" => &["template_id"],
        "new_terms" => &[
            "commission_percent",
            "flat_per_order",
            "cap_per_order",
            "cap_per_month",
            "first_order_only",
        ],
        "add_tags" | "remove_tags" => &["tags"],
        "move" => &["stage"],
        "assign" => &["owner_id"],
        "follow_up" => &["text", "due_in_days"],
        "fee" => &["amount", "note", "due_on", "stage"],
        "wait" => &["days", "hours", "minutes"],
        "webhook" => &["label"],
        _ => &[],
    }
}

/// The fields beside the steps.
const NAMES: [&str; 12] = [
    "name",
    "on",
    "campaign_id",
    "stage",
    "metric",
    "at_least",
    "currency",
    "level",
    "days",
    "date",
    "conditions",
    "runs",
];

/// More steps than an automation may have aren't read from a form.
const MOST: usize = 21;

/// Fields of terms, within a step's; the amounts of them.
const OF_TERMS: [&str; 5] =
    ["commission_percent", "flat_per_order", "cap_per_order", "cap_per_month", "first_order_only"];
const AMOUNTS: [&str; 3] = ["flat_per_order", "cap_per_order", "cap_per_month"];

/// A step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// What it does, in the API's word.
    pub kind: String,
    /// As it was before, with what the form has no field for.
    pub keep: String,
    fields: Vec<(String, String)>,
}

/// An automation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    fields: Vec<(String, String)>,
    /// In order.
    pub steps: Vec<Step>,
}

fn found<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

/// A whole number as JSON has it; anything else as text, which the API names as wrong.
fn number(text: &str) -> Value {
    let text = text.trim();
    text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from)
}

fn told(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Array(items)) => {
            let texts = items.iter().filter_map(Value::as_str);
            texts.collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    }
}

impl Step {
    /// A new one.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Self { kind: kind.to_owned(), ..Self::default() }
    }

    /// What a field says.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        found(&self.fields, name)
    }

    fn of_json(value: &Value) -> Self {
        let kind = told(value.get("do"));
        let fields = fields_of(&kind).iter().map(|name| {
            let place = if OF_TERMS.contains(name) { value.get("terms") } else { Some(value) };
            let inner = place.and_then(|place| place.get(name));
            let is_money = *name == "amount" || AMOUNTS.contains(name);
            let inner = if is_money { inner.and_then(|money| money.get("amount")) } else { inner };
            ((*name).to_owned(), told(inner))
        });
        let fields = fields.collect();
        Self { kind, keep: value.to_string(), fields }
    }

    /// As the API takes it.
    #[must_use]
    pub fn json(&self, currency: Currency) -> Value {
        let kept = parse(&self.keep).ok();
        let mut step = kept.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
        step.insert("do".to_owned(), Value::from(self.kind.as_str()));
        for name in fields_of(&self.kind) {
            let text = self.get(name).trim();
            if OF_TERMS.contains(name) {
                let terms = step.get("terms").and_then(Value::as_object);
                let mut terms = terms.cloned().unwrap_or_default();
                put(&mut terms, name, text, currency);
                step.insert("terms".to_owned(), Value::Object(terms));
            } else if self.kind == "fee" && *name == "stage" && text.is_empty() {
                clear(&mut step, name);
            } else {
                put(&mut step, name, text, currency);
            }
        }
        Value::Object(step)
    }
}

/// What says nothing isn't there; what said so before stays as it was written.
fn clear(object: &mut Map<String, Value>, name: &str) {
    let says = !matches!(object.get(name), None | Some(Value::Null | Value::Bool(false)));
    if says {
        object.remove(name);
    }
}

/// An amount, in the currency that it was in before.
fn amount(before: Option<&Value>, text: &str, currency: Currency) -> Value {
    let before = before.and_then(|amount| amount.get("currency"));
    let code = before.cloned().unwrap_or_else(|| Value::from(currency.code()));
    let mut amount = Map::new();
    amount.insert("amount".to_owned(), Value::from(text));
    amount.insert("currency".to_owned(), code);
    Value::Object(amount)
}

/// What a field says, as the API takes it.
fn put(object: &mut Map<String, Value>, name: &str, text: &str, currency: Currency) {
    let value = match name {
        "target" | "store_id" | "label" | "note" | "due_on" | "days" | "hours" | "minutes"
        | "apply_code" | "first_order_only" | "flat_per_order" | "cap_per_order"
        | "cap_per_month"
            if text.is_empty() =>
        {
            return clear(object, name);
        }
        "days" | "hours" | "minutes" | "due_in_days" => number(text),
        "apply_code" | "first_order_only" => Value::from(true),
        "owner_id" if text.is_empty() => Value::Null,
        "tags" => {
            let tags = text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
            tags.map(Value::from).collect()
        }
        "amount" | "flat_per_order" | "cap_per_order" | "cap_per_month" => {
            amount(object.get(name), text, currency)
        }
        _ => Value::from(text),
    };
    object.insert(name.to_owned(), value);
}

/// What a button of the form did, and which step somebody looks at next.
pub struct Turned {
    /// The place of the step.
    pub step: usize,
    /// Which of its parts: `up`, `down`, `field`, or `new` for the choice of another step.
    pub part: &'static str,
    /// What to say.
    pub told: String,
}

impl Draft {
    /// Nothing yet.
    #[must_use]
    pub fn blank() -> Self {
        let start = [("on", "stage_entered"), ("runs", "every_time"), ("metric", "orders")];
        let fields = start.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { fields, steps: Vec::new() }
    }

    /// What a field says.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        found(&self.fields, name)
    }

    /// As a form sent it.
    #[must_use]
    pub fn of_form(form: &Form) -> Self {
        let all = NAMES.map(|name| (name.to_owned(), form.get(name).to_owned()));
        let mut steps = Vec::new();
        for place in 0..MOST {
            let field = |name: &str| form.get(&format!("s{place}.{name}")).to_owned();
            let kind = field("do");
            if kind.is_empty() {
                break;
            }
            let fields = fields_of(&kind).iter().map(|name| ((*name).to_owned(), field(name)));
            let fields = fields.collect();
            steps.push(Step { keep: field("keep"), fields, kind });
        }
        Self { fields: all.to_vec(), steps }
    }

    /// Of an automation as the API shows it.
    #[must_use]
    pub fn of_json(shown: &Value) -> Self {
        let trigger = shown.get("trigger");
        let of = |name: &str| match name {
            "name" | "conditions" | "runs" => told(shown.get(name)),
            "level" => {
                let part = |name: &str| told(trigger.and_then(|trigger| trigger.get(name)));
                let (tiers, level) = (part("tiers_id"), part("level"));
                if tiers.is_empty() && level.is_empty() {
                    String::new()
                } else {
                    format!("{tiers}|{level}")
                }
            }
            name => told(trigger.and_then(|trigger| trigger.get(name))),
        };
        let fields = NAMES.map(|name| (name.to_owned(), of(name))).to_vec();
        let steps = shown.get("steps").and_then(Value::as_array);
        let steps = steps.map(|all| all.iter().map(Step::of_json).collect()).unwrap_or_default();
        Self { fields, steps }
    }

    /// Does what a button says that isn't about saving.
    pub fn turn(&mut self, act: &str, new: &str) -> Option<Turned> {
        if act == "add" {
            self.steps.push(Step::new(new));
            let step = self.steps.len() - 1;
            return Some(Turned { step, part: "field", told: format!("Step {} added.", step + 1) });
        }
        let (what, place) = act.split_once('.')?;
        let place: usize = place.parse().ok().filter(|place| *place < self.steps.len())?;
        match what {
            "up" if place > 0 => {
                self.steps.swap(place, place - 1);
                let told = format!("Step {} is step {place} now.", place + 1);
                Some(Turned { step: place - 1, part: "up", told })
            }
            "down" if place + 1 < self.steps.len() => {
                self.steps.swap(place, place + 1);
                let told = format!("Step {} is step {} now.", place + 1, place + 2);
                Some(Turned { step: place + 1, part: "down", told })
            }
            "remove" => {
                self.steps.remove(place);
                let told = format!("Step {} removed.", place + 1);
                Some(Turned { step: place, part: "new", told })
            }
            _ => None,
        }
    }

    /// What starts it, as the API takes it.
    #[must_use]
    pub fn trigger(&self, currency: Currency) -> Value {
        let mut trigger = Map::new();
        let on = self.get("on");
        let mut put = |name: &str, value: Value| trigger.insert(name.to_owned(), value);
        put("on", Value::from(on));
        if !self.get("campaign_id").is_empty() {
            put("campaign_id", Value::from(self.get("campaign_id")));
        }
        let text = |name: &str| Value::from(self.get(name).trim());
        match on {
            "stage_entered" | "stage_left" => {
                put("stage", text("stage"));
            }
            "threshold_reached" => {
                put("metric", text("metric"));
                put("at_least", text("at_least"));
                let code = self.get("currency");
                put("currency", Value::from(if code.is_empty() { currency.code() } else { code }));
            }
            "tier_reached" => {
                let (tiers, level) = self.get("level").split_once('|').unwrap_or_default();
                for (name, value) in [("tiers_id", tiers), ("level", level)] {
                    if !value.is_empty() {
                        put(name, Value::from(value));
                    }
                }
            }
            "no_sale" => {
                put("days", number(self.get("days")));
            }
            "date" => {
                put("date", text("date"));
            }
            _ => (),
        }
        Value::Object(trigger)
    }

    /// As the API shows it, as far as it is written.
    #[must_use]
    pub fn json(&self, currency: Currency) -> Map<String, Value> {
        let mut all = Map::new();
        all.insert("name".to_owned(), Value::from(self.get("name").trim()));
        all.insert("trigger".to_owned(), self.trigger(currency));
        let conditions = self.get("conditions").trim();
        if !conditions.is_empty() {
            all.insert("conditions".to_owned(), Value::from(conditions));
        }
        all.insert("runs".to_owned(), Value::from(self.get("runs")));
        let steps = self.steps.iter().map(|step| step.json(currency));
        all.insert("steps".to_owned(), Value::Array(steps.collect()));
        all
    }

    /// What of it isn't as it is shown: a trigger that is the same would begin anew, a day that has come couldn't be
    /// said again.
    #[must_use]
    pub fn changes(&self, shown: &Value, currency: Currency) -> Map<String, Value> {
        let mut all = self.json(currency);
        all.entry("conditions").or_insert(Value::Null);
        all.retain(|name, value| shown.get(name) != Some(value));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_has_no_field_is_kept() {
        let shown = json!({
            "name": "x", "runs": "every_time", "conditions": null,
            "trigger": { "on": "threshold_reached", "metric": "revenue", "at_least": "5.00", "currency": "EUR" },
            "steps": [
                { "do": "new_terms", "terms": { "commission_percent": "10", "first_order_only": true,
                    "cap_per_order": { "amount": "9.00", "currency": "EUR" }, "cap_per_month": null,
                    "rates": [{ "product_id": "1", "commission_percent": "3" }] } },
                { "do": "new_terms", "terms": { "commission_percent": "10", "first_order_only": false } },
                { "do": "fee", "amount": { "amount": "5.00", "currency": "EUR" }, "stage": "Posted", "due_on": "2026-12-01" },
                { "do": "fee", "amount": { "amount": "5.00", "currency": "EUR" }, "stage": null },
                { "do": "create_link", "store_id": "store_1" },
                { "do": "assign", "owner_id": null },
                { "do": "wait", "days": 2 },
                { "do": "add_tags", "tags": ["a", "b c"] },
            ]
        });
        let usd: Currency = "USD".parse().unwrap();
        let draft = Draft::of_json(&shown);
        assert_eq!(Value::Object(draft.changes(&shown, usd)), json!({}));
        let mut other = draft.clone();
        other.turn("up.2", "").unwrap();
        assert_eq!(other.changes(&shown, usd).keys().collect::<Vec<_>>(), ["steps"]);
        assert!(other.turn("up.0", "").is_none() && other.turn("remove.9", "").is_none());
        assert!(other.turn("down.7", "").is_none() && other.turn("up.x", "").is_none());
    }
}
