//! Mails that come, as anybody may write them: what is kept of a reply, and what is no answer of a person.

use mail_parser::{Address, Message, MessageParser, MimeHeaders};

/// Larger mails are refused before anything of them is read.
pub const MAX_MAIL: usize = 1024 * 1024;
/// The longest text that is kept of a reply.
const MAX_TEXT: usize = 50_000;
/// The longest subject.
const MAX_SUBJECT: usize = 300;

/// A mail that came, with what is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// One line.
    pub subject: String,
    /// What it says, as text: what is quoted below it included.
    pub text: String,
    /// The address that it says it is from; nobody has proven that.
    pub from: String,
    /// Its own name, if it has one.
    pub message_id: String,
    /// A machine wrote it: an absence note, a list, or a mail that came back.
    pub automatic: bool,
    /// What is to be said of it beside what it says.
    pub note: String,
}

/// What stands in a reply address after `reply+`, if this is one: whoever has it may answer.
#[must_use]
pub fn token(recipient: &str) -> Option<String> {
    let recipient = recipient.trim().to_ascii_lowercase();
    let (local, _) = recipient.split_once('@')?;
    let token = local.strip_prefix("reply+")?;
    let plain = token.len() == 40 && token.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| token.to_owned())
}

/// Reads a mail. `None` if it is none: without a header, or with nothing that can be read.
#[must_use]
pub fn read(raw: &[u8]) -> Option<Inbound> {
    if raw.len() > MAX_MAIL {
        return None;
    }
    let mail = MessageParser::default().parse(raw)?;
    let mut notes = Vec::new();
    let text = text(&mail, &mut notes);
    let refused = mail.attachment_count();
    match refused {
        0 => (),
        1 => notes.push("1 attachment was refused".to_owned()),
        many => notes.push(format!("{many} attachments were refused")),
    }
    Some(Inbound {
        subject: line(mail.subject().unwrap_or_default(), MAX_SUBJECT),
        text,
        from: line(sender(mail.from()).unwrap_or_default(), 254),
        message_id: line(mail.message_id().unwrap_or_default(), 500),
        automatic: is_automatic(&mail),
        note: notes.join("; "),
    })
}

/// The text of a mail; of one that has HTML only, the text of that.
fn text(mail: &Message<'_>, notes: &mut Vec<String>) -> String {
    let whole = mail.body_text(0).unwrap_or_default();
    let html_only = mail.text_part(0).is_some_and(|part| part.is_text_html());
    if html_only {
        notes.push("made from HTML".to_owned());
    }
    let kept: String =
        whole.replace("\r\n", "\n").chars().filter(|c| !steers(*c)).take(MAX_TEXT).collect();
    if whole.chars().nth(MAX_TEXT).is_some() {
        notes.push(format!("cut after {MAX_TEXT} characters"));
    }
    kept.trim().to_owned()
}

/// Characters that no text needs: they hide or turn what is around them.
fn steers(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && c != '\n' && c != '\t')
}

fn line(text: &str, most: usize) -> String {
    let one = |c: char| if steers(c) || c == '\n' || c == '\t' { ' ' } else { c };
    text.trim().chars().take(most).map(one).collect()
}

fn sender<'a>(from: Option<&'a Address<'_>>) -> Option<&'a str> {
    from?.first()?.address()
}

fn says(mail: &Message<'_>, name: &'static str) -> Option<String> {
    mail.header_raw(name).map(|told| told.trim().to_ascii_lowercase())
}

/// Whether a machine wrote it: RFC 3834, and what mail systems write beside it.
fn is_automatic(mail: &Message<'_>) -> bool {
    let submitted = says(mail, "Auto-Submitted").is_some_and(|told| !told.starts_with("no"));
    let absent = says(mail, "X-Autoreply").is_some() || says(mail, "X-Autorespond").is_some();
    let bulk = says(mail, "Precedence")
        .is_some_and(|told| ["bulk", "junk", "auto_reply", "list"].contains(&told.as_str()));
    // Mails that come back have no sender on their envelope, and these in their headers.
    let from = sender(mail.from()).unwrap_or_default().to_ascii_lowercase();
    let returned = ["mailer-daemon@", "postmaster@"].iter().any(|who| from.starts_with(who));
    let report = mail.content_type().is_some_and(|kind| {
        kind.ctype().eq_ignore_ascii_case("multipart")
            && kind.subtype().is_some_and(|sub| sub.eq_ignore_ascii_case("report"))
    });
    submitted || absent || bulk || returned || report
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mail(headers: &str, body: &str) -> Inbound {
        let head = "From: Anna <anna@example.com>\r\nSubject: Re: Hi\r\nMessage-ID: <1@x>\r\n";
        read(format!("{head}{headers}\r\n{body}").as_bytes()).unwrap()
    }

    #[test]
    fn a_reply_is_kept_with_what_it_quotes() {
        let told = mail("", "Yes!\r\n\r\n> Hi Anna\r\n> <script>x</script>\r\n");
        assert_eq!(told.text, "Yes!\n\n> Hi Anna\n> <script>x</script>");
        assert_eq!((&*told.subject, &*told.from), ("Re: Hi", "anna@example.com"));
        assert_eq!((&*told.message_id, told.automatic, &*told.note), ("1@x", false, ""));
        let utf8 =
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n";
        assert_eq!(mail(utf8, "SsOkISDwn46J\r\n").text, "Jä! 🎉");
        let printable = "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n";
        assert_eq!(mail(printable, "J=E4, sch=\r\n=F6n").text, "Jä, schön");
        assert!(!mail("", "a\u{202e}b\u{7}c").text.contains(['\u{202e}', '\u{7}']));
    }

    #[test]
    fn html_becomes_text_and_attachments_are_refused() {
        let html = mail(
            "Content-Type: text/html\r\n",
            "<p>Yes <b>please</b><script>alert(1)</script></p><img src=x onerror=y>",
        );
        assert!(html.text.contains("Yes please") && !html.text.contains('<'), "{}", html.text);
        assert_eq!(html.note, "made from HTML");
        let multi = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n";
        let body = "--b\r\nContent-Type: text/plain\r\n\r\nHere\r\n--b\r\nContent-Type: application/pdf; name=x.pdf\r\nContent-Disposition: attachment; filename=x.pdf\r\n\r\nPDFSECRET\r\n--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment\r\n\r\nP\r\n--b--\r\n";
        let told = mail(multi, body);
        assert_eq!((&*told.text, &*told.note), ("Here", "2 attachments were refused"));
        let both = "Content-Type: multipart/alternative; boundary=b\r\n";
        let body = "--b\r\nContent-Type: text/plain\r\n\r\nPlain\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Rich</p>\r\n--b--\r\n";
        assert_eq!((mail(both, body).text.as_str(), &*mail(both, body).note), ("Plain", ""));
    }

    #[test]
    fn machines_are_told_from_people() {
        for headers in [
            "Auto-Submitted: auto-replied\r\n",
            "Auto-Submitted: auto-generated (vacation)\r\n",
            "Precedence: bulk\r\n",
            "X-Autoreply: yes\r\n",
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n",
        ] {
            assert!(mail(headers, "away").automatic, "{headers}");
        }
        assert!(!mail("Auto-Submitted: no\r\n", "here").automatic);
        let returned = b"From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered\r\n\r\nno\r\n";
        assert!(read(returned).unwrap().automatic);
    }

    #[test]
    fn tokens_stand_in_reply_addresses_only() {
        let good = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(token(&format!("reply+{good}@r.example")).as_deref(), Some(good));
        assert_eq!(
            token(&format!(" Reply+{}@R.example", good.to_uppercase())).as_deref(),
            Some(good)
        );
        for bad in ["", "reply@x", "reply+@x", "reply+abc@x", good, &format!("re+{good}@x")] {
            assert_eq!(token(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_too_large_or_deep_is_refused_or_cut() {
        assert_eq!(read(&vec![b'a'; MAX_MAIL + 1]), None);
        let long = mail("", &"x".repeat(MAX_TEXT + 10));
        assert_eq!((long.text.len(), long.note.contains("cut")), (MAX_TEXT, true));
        let mut deep = String::new();
        for level in 0..2000 {
            deep.push_str(&format!(
                "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"
            ));
        }
        let _ = mail("", &deep);
        let _ = read(format!("From: a@b.example\r\n{deep}").as_bytes());
    }

    proptest! {
        /// No bytes make it fail otherwise than by `None`, and what is kept is within its bounds.
        #[test]
        fn any_bytes_are_read_or_refused(
            raw in prop::collection::vec(any::<u8>(), 0..400),
            head in "(From|Subject|Content-Type|Content-Transfer-Encoding|Auto-Submitted): [ -~]{0,60}\r\n",
        ) {
            let whole = [head.as_bytes(), b"\r\n", &raw].concat();
            for bytes in [&raw, &whole] {
                if let Some(told) = read(bytes) {
                    prop_assert!(!told.subject.contains('\n') && !told.from.contains('\n'));
                    prop_assert!(told.text.chars().count() <= MAX_TEXT);
                }
            }
        }
    }
}
