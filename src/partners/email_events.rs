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
pub fn read(event: &Value) -> Option<Fate> {
    let kind = event.get("type")?.as_str()?.strip_prefix("cf.email.sending.message.")?;
    let payload = event.get("payload")?;
    let text = |part: &str, name: &str| payload.get(part)?.get(name)?.as_str();
    let (what, why) = match kind {
        "bounced" if text("bounce", "type") == Some("soft") => (
            "bounced: the receiving server did not take it, however often it was tried",
            text("bounce", "reason"),
        ),
        "bounced" => ("bounced: the receiving server refused it", text("bounce", "reason")),
        "failed" => ("bounced: the mail service could not deliver it", text("failure", "reason")),
        "rejected" => {
            ("bounced: the mail service refused it after all", text("rejection", "detail"))
        }
        "complained" => ("delivered, but its recipient called it spam", None),
        _ => return None,
    };
    let service_id = payload.get("messageId")?.as_str().filter(|id| !id.is_empty())?.to_owned();
    let mut words = what.to_owned();
    if let Some(why) = why {
        words.push_str(" (");
        words.extend(plain(why).trim().chars().take(MOST_LETTERS));
        words.push(')');
    }
    Some(Fate { service_id, bounced: kind != "complained", words })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(event: &str) -> Option<Fate> {
        super::read(&serde_json::from_str(event).unwrap_or_default())
    }

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
