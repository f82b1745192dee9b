//! The mails that the product writes: what they say, as text and as HTML.
//!
//! Names that people chose stand in them. They are made one plain line and, in HTML, escaped, so
//! that nobody adds a header, a paragraph or a link of their own. Nothing is loaded from anywhere.

use askama::Template;

/// A letter to one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letter<'a> {
    /// Signs in the browser that asked for it.
    SignIn {
        /// Where the button leads.
        link: &'a str,
        /// For typing where one began.
        code: &'a str,
        /// How long both hold.
        minutes: u32,
    },
    /// To be a member of a brand's team.
    MemberInvitation {
        /// The brand's name.
        brand: &'a str,
        /// As what.
        role: &'a str,
        /// Where the button leads.
        link: &'a str,
        /// How long it holds.
        days: u32,
    },
    /// To work with a brand.
    CreatorInvitation {
        /// The brand's name.
        brand: &'a str,
        /// The campaign's.
        campaign: &'a str,
        /// Where the button leads.
        link: &'a str,
        /// How long it holds.
        days: u32,
    },
    /// What became of a creator's claim.
    ClaimDecided {
        /// The brand's name.
        brand: &'a str,
        /// The order, as she named it.
        order: &'a str,
        /// It is hers now.
        granted: bool,
    },
    /// Terms that a creator is offered, or what became of those that she asked for.
    TermsNews {
        /// The brand's name.
        brand: &'a str,
        /// The brand granted or declined what she asked for; `None`: it offers.
        granted: Option<bool>,
    },
    /// A store that was reached can't be any more.
    StoreLost {
        /// The brand's name.
        brand: &'a str,
        /// `shop.myshopify.com`
        shop: &'a str,
        /// What is in the way, in words.
        problem: &'a str,
    },
    /// A webhook endpoint is sent nothing any more.
    WebhookPaused {
        /// The brand's name.
        brand: &'a str,
        /// Where it is.
        host: &'a str,
        /// It answered that nothing is wanted there any more.
        gone: bool,
    },
    /// A step of an automation was given up.
    AutomationFailed {
        /// The brand's name.
        brand: &'a str,
        /// What the brand calls it.
        automation: &'a str,
        /// Why, in words.
        why: &'a str,
    },
    /// A payout, or another try of a payment, that somebody approved needs one more person.
    ApprovalNeeded {
        /// The brand's name.
        brand: &'a str,
    },
    /// Something about the account's safety.
    Notice {
        /// "A passkey was added to your account."
        what: &'a str,
    },
}

/// A letter, written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// One line.
    pub subject: String,
    /// For readers without HTML.
    pub text: String,
    /// The same, laid out.
    pub html: String,
    /// What comes with it.
    pub envelope: Envelope,
}

/// What comes with a mail beside its content: each empty where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Who writes, as a name beside the address.
    pub sender: String,
    /// Where answers go.
    pub reply_to: String,
    /// The address that ends such mails when something is posted to it (RFC 8058).
    pub unsubscribe: String,
    /// `Auto-Submitted` (RFC 3834): that a machine wrote it, so that no machine answers.
    pub automatic: String,
}

/// What a mail says that nobody wrote by hand.
pub const AUTO_GENERATED: &str = "auto-generated";

/// A message that a brand wrote to a creator, as it goes out: its text as it is, and how to get no more.
///
/// `None` only if a template can't be rendered, which would be a fault of ours.
#[must_use]
pub fn message(subject: &str, text: &str, envelope: Envelope) -> Option<Written> {
    let (subject, sender) = (plain(subject), plain(&envelope.sender));
    let paragraphs: Vec<Vec<&str>> = text
        .split("\n\n")
        .filter(|paragraph| !paragraph.trim().is_empty())
        .map(|paragraph| paragraph.trim_matches('\n').split('\n').collect())
        .collect();
    let unsubscribe = envelope.unsubscribe.as_str();
    let html = MessageHtml { subject: &subject, paragraphs, sender: &sender, unsubscribe };
    let html = html.render().ok()?;
    let text = format!("{text}\n\n-- \nNo more messages from {sender}: {unsubscribe}\n");
    Some(Written { subject, text, html, envelope: Envelope { sender, ..envelope } })
}

#[derive(Template)]
#[template(path = "mail/message.html")]
struct MessageHtml<'a> {
    subject: &'a str,
    paragraphs: Vec<Vec<&'a str>>,
    sender: &'a str,
    unsubscribe: &'a str,
}

/// The parts of every letter, in their order.
#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    subject: &'a str,
    before: &'a [String],
    label: &'a str,
    link: &'a str,
    code: &'a str,
    after: &'a [String],
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct Text<'a> {
    before: &'a [String],
    label: &'a str,
    link: &'a str,
    code: &'a str,
    after: &'a [String],
}

impl Letter<'_> {
    /// What kind of letter it is, in lists.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SignIn { .. } => "sign_in",
            Self::MemberInvitation { .. } => "member_invitation",
            Self::CreatorInvitation { .. } => "creator_invitation",
            Self::ClaimDecided { .. } => "claim_decided",
            Self::TermsNews { .. } => "terms_news",
            Self::StoreLost { .. } => "store_lost",
            Self::WebhookPaused { .. } => "webhook_paused",
            Self::AutomationFailed { .. } => "automation_failed",
            Self::ApprovalNeeded { .. } => "approval_needed",
            Self::Notice { .. } => "notice",
        }
    }

    /// Writes it out; `None` only if a template can't be, which would be a fault of ours.
    #[must_use]
    pub fn write(&self) -> Option<Written> {
        let (subject, before, label, link, code, after) = self.parts();
        let (link, code) = (&plain(link), &plain(code));
        let (before, after) = (before.as_slice(), after.as_slice());
        let html = Html { subject: &subject, before, label, link, code, after }.render().ok()?;
        let text = Text { before, label, link, code, after }.render().ok()?;
        let envelope = Envelope { automatic: AUTO_GENERATED.to_owned(), ..Envelope::default() };
        Some(Written { text, html, subject, envelope })
    }

    /// What it is made of.
    fn parts(&self) -> Parts<'_> {
        match *self {
            Self::SignIn { link, code, minutes } => (
                "Sign in to Tributary".to_owned(),
                vec![format!(
                    "This button signs you in, once and within {minutes} minutes, in the browser \
                     where you asked for it."
                )],
                "Sign in",
                link,
                code,
                vec![
                    "If you did not ask for this, do nothing: without this mail nobody gets in. \
                     Tributary never asks you for the code."
                        .to_owned(),
                ],
            ),
            Self::MemberInvitation { brand, role, link, days } => {
                let (brand, role) = (plain(brand), plain(role));
                (
                    format!("{brand} invites you to its team"),
                    vec![format!("You are invited to work with {brand} on Tributary, as {role}.")],
                    "Accept the invitation",
                    link,
                    "",
                    vec![unless_expected(days)],
                )
            }
            Self::CreatorInvitation { brand, campaign, link, days } => {
                let (brand, campaign) = (plain(brand), plain(campaign));
                (
                    format!("{brand} invites you to {campaign}"),
                    vec![
                        format!("{brand} would like to work with you in {campaign}."),
                        "You get your own link and see every order that counts for you, and what \
                         you earn with it."
                            .to_owned(),
                    ],
                    "See the invitation",
                    link,
                    "",
                    vec![unless_expected(days)],
                )
            }
            Self::ClaimDecided { brand, order, granted } => {
                only_told(decided(&plain(brand), &plain(order), granted))
            }
            Self::TermsNews { brand, granted } => only_told(terms_news(&plain(brand), granted)),
            Self::StoreLost { brand, shop, problem } => {
                only_told(lost(&plain(brand), &plain(shop), &plain(problem)))
            }
            Self::WebhookPaused { brand, host, gone } => {
                only_told(webhook_paused(&plain(brand), &plain(host), gone))
            }
            Self::AutomationFailed { brand, automation, why } => {
                only_told(automation_failed(&plain(brand), &plain(automation), &plain(why)))
            }
            Self::ApprovalNeeded { brand } => only_told(approval_needed(&plain(brand))),
            Self::Notice { what } => (
                "A change to your Tributary account".to_owned(),
                vec![plain(what)],
                "",
                "",
                "",
                vec![
                    "If this was you, there is nothing to do. If it was not, sign in and end all \
                     other sessions, and tell the owner of your team."
                        .to_owned(),
                ],
            ),
        }
    }
}

/// Subject, what is said before the button, its label, link and code, and what is said after it.
type Parts<'a> = (String, Vec<String>, &'static str, &'a str, &'a str, Vec<String>);

/// A letter without a button.
fn only_told<'a>((subject, before): (String, Vec<String>)) -> Parts<'a> {
    (subject, before, "", "", "", Vec::new())
}

fn approval_needed(brand: &str) -> (String, Vec<String>) {
    let before = vec![
        format!("Somebody of {brand} approved a payment to creators. It needs one more person."),
        "Sign in, open Payouts, and look at who is paid how much before you approve. Nothing moves \
         until then."
            .to_owned(),
    ];
    (format!("{brand}: a payout needs your approval"), before)
}

fn decided(brand: &str, order: &str, granted: bool) -> (String, Vec<String>) {
    let what = if granted { "It is yours now." } else { "It stays as it was." };
    let more = "Your claims on Tributary say what the brand wrote about it.";
    let before = vec![format!("You claimed order {order} of {brand}. {what}"), more.to_owned()];
    (format!("{brand} decided about order {order}"), before)
}

fn lost(brand: &str, shop: &str, problem: &str) -> (String, Vec<String>) {
    let before = vec![
        format!("Tributary can't reach {shop} of {brand} any more: {problem}."),
        "Until it is connected again, codes are neither made nor changed there, and orders that the shop \
         doesn't tell by itself are missing. They are fetched once it is connected."
            .to_owned(),
    ];
    (format!("{brand}: {shop} can't be reached"), before)
}

fn unless_expected(days: u32) -> String {
    format!(
        "The invitation holds for {days} days. If you did not expect it, do nothing: nobody is \
         told that you read this."
    )
}

/// Subject and text about an endpoint.
fn webhook_paused(brand: &str, host: &str, gone: bool) -> (String, Vec<String>) {
    let why = if gone {
        "It answered that nothing is wanted there any more (410)."
    } else {
        "Nothing that was sent there arrived for three days."
    };
    let before = vec![
        format!("The webhook endpoint of {brand} at {host} is paused. {why}"),
        "What waits for it is kept for 30 days and sent when you resume it. What happens until then \
         isn't told to it."
            .to_owned(),
    ];
    (format!("{brand}: a webhook endpoint is paused"), before)
}

/// Subject and text about a step that was given up.
fn automation_failed(brand: &str, automation: &str, why: &str) -> (String, Vec<String>) {
    let before = vec![
        format!("The automation “{automation}” of {brand} gave up a step: {why}."),
        "Its runs say in which deal, and can be tried again once what is in the way is gone. Whatever else it \
         gives up today isn't mailed again."
            .to_owned(),
    ];
    (format!("{brand}: an automation needs somebody"), before)
}

/// Subject and text about terms.
fn terms_news(brand: &str, granted: Option<bool>) -> (String, Vec<String>) {
    let what = match granted {
        None => "offers you new terms. They hold once you accept them",
        Some(true) => "agreed to the terms that you asked for. They hold from now on",
        Some(false) => "did not agree to the terms that you asked for. Yours stay as they are",
    };
    (format!("{brand}: your terms"), vec![format!("{brand} {what}.")])
}

/// Text as one line without characters that steer: no line breaks, no change of direction.
#[must_use]
pub fn plain(text: &str) -> String {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

/// Whether this is one address and nothing else, as a mail may be sent to.
#[must_use]
pub fn is_one_address(text: &str) -> bool {
    let Some((local, host)) = text.split_once('@') else { return false };
    let foreign = |c: char| c.is_control() || c.is_whitespace() || ",;:<>()[]\\\"".contains(c);
    let named = !local.is_empty() && host.contains('.') && !host.starts_with('.');
    named && text.is_ascii() && text.len() <= 254 && !host.contains('@') && !text.contains(foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://app.example/sign-in/link#abc&d";

    fn letters() -> [Letter<'static>; 9] {
        let evil = "Casa\r\nBcc: all@evil.example\u{202e} <a href=\"//evil\">";
        [
            Letter::SignIn { link: LINK, code: "1234 5678", minutes: 10 },
            Letter::MemberInvitation { brand: evil, role: "manager", link: LINK, days: 7 },
            Letter::CreatorInvitation { brand: evil, campaign: evil, link: LINK, days: 14 },
            Letter::ClaimDecided { brand: evil, order: evil, granted: true },
            Letter::TermsNews { brand: evil, granted: Some(false) },
            Letter::StoreLost { brand: evil, shop: evil, problem: evil },
            Letter::AutomationFailed { brand: evil, automation: evil, why: evil },
            Letter::ApprovalNeeded { brand: evil },
            Letter::Notice { what: evil },
        ]
    }

    #[test]
    fn nobody_adds_a_header_a_line_or_a_link() {
        for letter in letters() {
            let Written { subject, text, html, .. } = letter.write().unwrap();
            assert!(!subject.contains(char::is_control), "{subject:?}");
            assert!(!text.contains('\r') && !text.contains("\nBcc"), "{text}");
            assert!(!text.contains('\u{202e}') && !html.contains('\u{202e}'));
            assert!(!html.contains("<a href=\"//evil") && !html.contains('\r'), "{html}");
            // Nothing is loaded, and nothing is told to anyone.
            for loads in ["src=", "url(", "<img", "<link", "<script", "http://"] {
                assert!(!html.contains(loads), "{loads} in {html}");
            }
            assert!(html.matches("<a ").count() <= 1, "one button");
        }
    }

    #[test]
    fn the_address_stands_there_as_text_too() {
        let Written { text, html, .. } = letters()[0].write().unwrap();
        let escaped = LINK.replace('&', "&#38;");
        assert_eq!(html.matches(&escaped).count(), 2, "{html}");
        assert!(text.lines().any(|line| line == LINK), "{text}");
        assert!(text.contains("1234 5678") && html.contains("1234 5678"));
        assert!(!text.contains("\n\n\n") && !text.starts_with('\n'), "{text:?}");
    }

    #[test]
    fn a_message_is_text_and_tells_how_to_get_no_more() {
        let envelope = Envelope {
            automatic: String::new(),
            sender: "Casa\r\nBcc: x".to_owned(),
            reply_to: String::new(),
            unsubscribe: "https://app.example/unsubscribe/t".to_owned(),
        };
        let text = "Hi <script>x</script>\nthere\n\n\n\"><img onerror=x> {{7*7}}";
        let written = message("A\r\nBcc: y", text, envelope).unwrap();
        assert!(!written.subject.contains(['\r', '\n']));
        assert!(!written.envelope.sender.contains(['\r', '\n']));
        assert!(written.text.starts_with(text) && written.text.contains("/unsubscribe/t\n"));
        assert!(!written.html.contains("<script") && !written.html.contains("<img"));
        assert!(
            written.html.contains("&#60;script&#62;x&#60;/script&#62;<br>"),
            "{}",
            written.html
        );
        assert!(written.html.contains("{{7*7}}"), "{}", written.html);
        assert_eq!(written.html.matches("<p").count(), 3);
        assert_eq!(written.html.matches("href=").count(), 1);
    }

    #[test]
    fn a_recipient_is_one_address() {
        assert!(is_one_address("ada@example.com") && is_one_address("a.b+c@mail.example.com"));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a@b.example,c@d.example",
            "a@b.example c@d.example",
            "a@b@c.example",
            "Ada <ada@example.com>",
            "ada@example.com\r\nBcc: x@y.example",
            "\"a b\"@example.com",
        ] {
            assert!(!is_one_address(bad), "{bad:?}");
        }
    }
}
