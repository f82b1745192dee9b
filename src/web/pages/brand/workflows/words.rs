//! What automations do, in plain sentences.

use serde_json::Value;

use crate::web::pages::ui::{self, Html, Tone};

use super::{Choice, Has};

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn called(choices: &[Choice], value: &str, gone: &str) -> String {
    let found = choices.iter().find(|(known, _)| known == value);
    found.map_or_else(|| gone.to_owned(), |(_, name)| format!("“{name}”"))
}

fn many(number: i64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// What starts an automation.
#[must_use]
pub fn trigger(trigger: &Value, has: &Has) -> String {
    let stage = text(trigger, "stage");
    let amount = format!("{} {}", text(trigger, "at_least"), text(trigger, "currency"));
    let what = match text(trigger, "on") {
        "stage_entered" => format!("a deal comes to “{stage}”"),
        "stage_left" => format!("a deal leaves “{stage}”"),
        "deal_created" => "a deal is made".to_owned(),
        "invited" => "the creator is invited".to_owned(),
        "accepted" => "the creator accepts the invitation".to_owned(),
        "order_attributed" => "an order becomes the deal’s".to_owned(),
        "threshold_reached" => match text(trigger, "metric") {
            "orders" => format!("the deal’s orders reach {}", text(trigger, "at_least")),
            "revenue" => format!("the deal’s revenue reaches {amount}"),
            _ => format!("the deal’s commission reaches {amount}"),
        },
        "tier_reached" => match text(trigger, "level") {
            "" => "a level of commission tiers is reached".to_owned(),
            level => format!("the level “{level}” is reached"),
        },
        "payout_paid" => "a payment arrived at the creator".to_owned(),
        "no_sale" => {
            let days = trigger.get("days").and_then(Value::as_i64).unwrap_or_default();
            format!("nothing was sold for {}", many(days, "day"))
        }
        "follow_up_overdue" => "a follow-up is overdue".to_owned(),
        "post_published" => "a post is reported".to_owned(),
        "date" => format!("the day {} begins, in every open deal", text(trigger, "date")),
        other => other.to_owned(),
    };
    let campaign = text(trigger, "campaign_id");
    if campaign.is_empty() {
        format!("When {what}")
    } else {
        let name = called(&has.campaign_choices(), campaign, "one that is put away");
        format!("When {what}, in the campaign {name}")
    }
}

fn wait(step: &Value) -> String {
    let parts = [("days", "day"), ("hours", "hour"), ("minutes", "minute")].map(|(name, one)| {
        let number = step.get(name).and_then(Value::as_i64).unwrap_or_default();
        (number > 0).then(|| many(number, one))
    });
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("Wait {}.", parts.join(", "))
}

fn sum(amount: &Value) -> String {
    format!("{} {}", text(amount, "amount"), text(amount, "currency"))
}

/// What terms say, in a line.
fn commission(terms: &Value) -> String {
    let mut told = format!("{} %", text(terms, "commission_percent"));
    let amount = |name: &str| terms.get(name).filter(|amount| amount.is_object()).map(sum);
    for (name, before, after) in [
        ("flat_per_order", " and ", " for each order"),
        ("cap_per_order", ", at most ", " for an order"),
        ("cap_per_month", ", at most ", " in a month"),
    ] {
        if let Some(amount) = amount(name) {
            told.push_str(&format!("{before}{amount}{after}"));
        }
    }
    if terms.get("first_order_only").and_then(Value::as_bool) == Some(true) {
        told.push_str(", for a customer’s first order only");
    }
    if ["rates", "starts_at", "ends_at"]
        .iter()
        .any(|name| terms.get(name).is_some_and(|value| !value.is_null()))
    {
        told.push_str(", with further terms");
    }
    told
}

/// What a step does.
#[must_use]
pub fn step(step: &Value, has: &Has) -> String {
    let tags = || {
        let tags = step.get("tags").and_then(Value::as_array);
        let tags = tags.into_iter().flatten().filter_map(Value::as_str);
        tags.map(|tag| format!("“{tag}”")).collect::<Vec<_>>().join(", ")
    };
    match text(step, "do") {
        "create_link" => {
            let target = text(step, "target");
            let to = if target.is_empty() { "the home page" } else { target };
            let code = step.get("apply_code").and_then(Value::as_bool) == Some(true);
            let code = if code { "; it applies the deal’s code" } else { "" };
            let store = match text(step, "store_id") {
                "" => String::new(),
                id => format!(" in {}", called(&has.store_choices(), id, "a store that is gone")),
            };
            format!("Make a link to {to}{store}, unless the deal has one{code}.")
        }
        "assign_code" => {
            let group = text(step, "affiliate_group_id");
            let group = called(&has.group_choices(), group, "a group that is gone");
            format!("Assign a code of the group {group}, unless the deal has one.")
        }
        "message" => {
            let named = text(step, "template_id");
            let named = called(&has.template_choices(), named, "a template that is gone");
            format!("Send the creator the message {named}, once all that it names is there.")
        }
        "new_terms" => {
            let terms = step.get("terms").unwrap_or(&Value::Null);
            format!("Set the commission to {}.", commission(terms))
        }
        "add_tags" => format!("Add the tags {}.", tags()),
        "remove_tags" => format!("Remove the tags {}.", tags()),
        "move" => format!("Move the deal to “{}”.", text(step, "stage")),
        "assign" => match text(step, "owner_id") {
            "" => "Assign the deal to nobody.".to_owned(),
            owner => format!("Assign the deal to {}.", called(&has.members, owner, "a member")),
        },
        "follow_up" => {
            let days = step.get("due_in_days").and_then(Value::as_i64).unwrap_or_default();
            format!("Note a follow-up, due {} later: “{}”", many(days, "day"), text(step, "text"))
        }
        "invite" => "Invite the creator to her dashboard, unless she has access.".to_owned(),
        "fee" => {
            let amount = step.get("amount").unwrap_or(&Value::Null);
            let note = text(step, "note");
            let note = if note.is_empty() { String::new() } else { format!(" (“{note}”)") };
            let at = text(step, "stage");
            let at = if at.is_empty() { String::new() } else { format!(", not before “{at}”") };
            let day = text(step, "due_on");
            let day = if day.is_empty() { String::new() } else { format!(", not before {day}") };
            format!("Agree on a fee of {}{note}{at}{day}.", sum(amount))
        }
        "wait" => wait(step),
        "webhook" => match text(step, "label") {
            "" => "Tell your servers that listen to webhooks.".to_owned(),
            label => format!("Tell your servers that listen to webhooks: “{label}”."),
        },
        other => other.to_owned(),
    }
}

/// What a kind of step is called.
#[must_use]
pub fn kind(word: &str) -> &str {
    super::draft::STEPS.iter().find(|(known, _)| *known == word).map_or(word, |(_, name)| name)
}

/// What began a run.
#[must_use]
pub fn cause(cause: &str) -> &str {
    let kind = cause.split('/').next().unwrap_or_default();
    let known = super::draft::TRIGGERS.iter().find(|(known, _)| *known == kind);
    known.map_or("Something happened", |(_, name)| name)
}

/// How a run, or a step of one, stands.
#[must_use]
pub fn state(state: &str) -> Html {
    let (tone, text) = match state {
        "enabled" => (Tone::Good, "On"),
        "disabled" => (Tone::Plain, "Off"),
        "running" => (Tone::Wait, "Running"),
        "done" => (Tone::Good, "Done"),
        "failed" => (Tone::Bad, "Failed"),
        "stopped" => (Tone::Bad, "Stopped"),
        "unchanged" => (Tone::Plain, "Nothing to do"),
        "waiting" => (Tone::Wait, "Waiting"),
        "trying" => (Tone::Wait, "Trying again"),
        "next" => (Tone::Plain, "Not yet"),
        "change" => (Tone::Good, "Would do"),
        "refused" => (Tone::Bad, "In the way"),
        "wait" => (Tone::Wait, "Would wait"),
        "tell" => (Tone::Good, "Would tell"),
        other => (Tone::Plain, other),
    };
    ui::badge(&tone, text)
}

/// That an automation wouldn't begin.
#[must_use]
pub fn wouldnt() -> Html {
    ui::badge(&Tone::Wait, "It wouldn’t begin")
}

/// What a step that was done made, or what is in its way.
#[must_use]
pub fn told(told: &Value) -> String {
    let why = text(told, "why");
    if !why.is_empty() {
        return why.to_owned();
    }
    let made = told.as_object().into_iter().flatten().filter_map(|(name, value)| {
        let what = match name.as_str() {
            "link_id" => "the link is made",
            "code_id" => "the code is assigned",
            "message_id" => "the message is written",
            "fee_id" => "the fee is noted",
            "follow_up_id" => "the follow-up is noted",
            "terms_id" => "the terms hold",
            "stage" => "the deal is moved",
            _ => return None,
        };
        (!value.is_null()).then_some(what)
    });
    made.collect::<Vec<_>>().join(", ")
}
