//! What Cloudflare's Email Sending tells of mails that it took, as events in a queue: that one was
//! delivered, put off, came back, was refused, or was called spam.

use serde_json::Value;

use crate::domain::letter::plain;

/// What receiving servers say is shown so far.
const MOST_LETTERS: usize = 200;

/// What became of a mail after it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// What the mail service called it when it took it.
    pub service_id: String,
    /// Whether it came back or never left; otherwise it was delivered and called spam.
    pub bounced: bool,
    /// That, in words for people.
    pub words: String,
}

/// Reads an event; `None` if it tells nothing that changes what is known of a mail.
#[must_use]
pub fn read(event: &str) -> Option<Fate> {
    let event: Value = serde_json::from_str(event).ok()?;
    let text = |at: &str| event.pointer(at).and_then(Value::as_str);
    let kind = text("/type")?.strip_prefix("cf.email.sending.message.")?;
    let (what, why) = match kind {
        "bounced" if text("/payload/bounce/type") == Some("soft") => (
            "bounced: the receiving server did not take it, however often it was tried",
            "bounce/reason",
        ),
        "bounced" => ("bounced: the receiving server refused it", "bounce/reason"),
        "failed" => ("bounced: the mail service could not deliver it", "failure/reason"),
        "rejected" => ("bounced: the mail service refused it after all", "rejection/detail"),
        "complained" => ("delivered, but its recipient called it spam", ""),
        _ => return None,
    };
    let service_id = text("/payload/messageId").filter(|id| !id.is_empty())?.to_owned();
    let why = text(&format!("/payload/{why}")).map(plain).unwrap_or_default();
    let why: String = why.trim().chars().take(MOST_LETTERS).collect();
    let words = if why.is_empty() { what.to_owned() } else { format!("{what} ({why})") };
    Some(Fate { service_id, bounced: kind != "complained", words })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, more: &str) -> String {
        format!(
            r#"{{"type":"cf.email.sending.message.{kind}","source":{{"type":"email.sending"}},
"payload":{{"eventId":"e","messageId":"0101-msg","recipient":"user@example.net"{more}}}}}"#
        )
    }

    #[test]
    fn what_does_not_arrive_is_told_in_words() {
        let words = |kind: &str, more: &str| {
            let fate = read(&event(kind, more)).unwrap();
            assert_eq!(fate.service_id, "0101-msg");
            assert_eq!(fate.bounced, kind != "complained");
            fate.words
        };
        assert_eq!(
            words("bounced", r#","bounce":{"type":"hard","reason":"550 5.1.1\r\nUser unknown"}"#),
            "bounced: the receiving server refused it (550 5.1.1  User unknown)"
        );
        assert!(words("bounced", r#","bounce":{"type":"soft"}"#).ends_with("it was tried"));
        assert!(words("failed", r#","failure":{"reason":"delivery_failed"}"#).contains("_failed)"));
        let suppressed =
            r#","rejection":{"reason":"suppressed","detail":"Recipient is suppressed"}"#;
        assert!(words("rejected", suppressed).ends_with("(Recipient is suppressed)"));
        assert!(words("complained", "").contains("spam"));
        let long = format!(r#","bounce":{{"reason":"{}"}}"#, "ü".repeat(5000));
        assert!(words("bounced", &long).chars().count() < 300);
    }

    #[test]
    fn what_changes_nothing_is_passed_over() {
        for kind in ["delivered", "deferred", "opened", ""] {
            assert_eq!(read(&event(kind, "")), None, "{kind}");
        }
        let nameless = event("bounced", "").replace("0101-msg", "");
        for other in
            ["", "{}", "null", "[]", r#"{"type":7}"#, r#"{"type":"cf.r2.bucket"}"#, &nameless]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
