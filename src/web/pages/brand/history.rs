//! A deal's history as its page tells it.

use serde_json::Value;

use crate::domain::money::{Currency, Money};
use crate::web::api::timeline::ItemView;
use crate::web::pages::ui::{self, Html, Tone};

/// What can be chosen of it: a name for the address, what it is called, and the kinds.
pub const CHOICES: &[(&str, &str, &str)] = &[
    ("", "All", ""),
    ("talk", "Talk", "note,message,mail,follow_up,sequence"),
    ("agreed", "Agreed", "deal,stage,terms,link,code,invitation,fee,cost,affiliate"),
    ("orders", "Orders and payouts", "order,payout"),
    ("posts", "Posts", "post"),
];

/// The kinds of a choice.
#[must_use]
pub fn kinds(choice: &str) -> &'static str {
    CHOICES.iter().find(|(name, ..)| *name == choice).map_or("", |(_, _, kinds)| kinds)
}

/// Something in it.
pub struct Line {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub subject: String,
    /// Of which kind.
    pub kind: &'static str,
    /// When.
    pub at: String,
    /// In a line.
    pub summary: String,
    /// More about it.
    pub more: Html,
    /// What somebody wrote.
    pub text: String,
    /// How it stands, of a mail.
    pub state: Html,
    /// Whether it came from her.
    pub came: bool,
    /// Whether it still waits, and can be cancelled.
    pub waits: bool,
}

fn mail(state: &str) -> Html {
    let (tone, text) = match state {
        "scheduled" => (Tone::Wait, "Waits for its hour"),
        "waiting" | "sending" => (Tone::Wait, "Goes out"),
        "sent" => (Tone::Good, "Sent"),
        "received" => (Tone::Good, "Came in"),
        "cancelled" => (Tone::Plain, "Cancelled"),
        "failed" => (Tone::Bad, "Not sent"),
        "bounced" => (Tone::Bad, "Came back"),
        "unknown" => (Tone::Bad, "Perhaps sent"),
        other => (Tone::Plain, other),
    };
    ui::badge(&tone, text)
}

impl From<ItemView> for Line {
    fn from(item: ItemView) -> Self {
        let read = |text: Option<&str>| {
            text.and_then(|text| crate::storage::rows::parse(text).ok()).unwrap_or_default()
        };
        let (told, sent) = (read(item.details.0.as_deref()), read(item.mail.0.as_deref()));
        let get = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
        let money = |name: &str| {
            let currency: Currency = get("currency").parse().ok()?;
            let minor = told.get(name).and_then(Value::as_i64)?;
            Some(ui::money(&Money::new(minor, currency)))
        };
        let state = match item.kind {
            "message" => mail(get("state")),
            _ => sent.get("state").and_then(Value::as_str).map(mail).unwrap_or_default(),
        };
        let more = match item.kind {
            "message" if !get("note").is_empty() => format!("{}. {}", get("subject"), get("note")),
            "message" => get("subject").to_owned(),
            "order" | "payout" => String::new(),
            "post" => get("url").to_owned(),
            "code" => get("code").to_owned(),
            "link" => get("url").to_owned(),
            "follow_up" if !get("due_on").is_empty() => format!("by {}", get("due_on")),
            _ => String::new(),
        };
        let more = match item.kind {
            "order" => {
                let base = money("base_minor").unwrap_or_default();
                Html::of(format!("{} · {base}", ui::esc(get("name"))))
            }
            "payout" => money("amount_minor").unwrap_or_default(),
            _ => Html::of(ui::esc(&more)),
        };
        Self {
            text: get("text").to_owned(),
            came: get("direction") == "in",
            waits: item.kind == "message" && get("state") == "scheduled",
            more,
            state,
            id: item.id,
            subject: item.subject_id,
            kind: item.kind,
            at: item.at,
            summary: item.summary,
        }
    }
}
