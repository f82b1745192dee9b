//! People in a brand's CRM.

/// An e-mail address as it is compared: trimmed, in small letters. Case and surrounding space
/// don't make another person; dots and `+tags` do, since providers disagree about them.
#[must_use]
pub fn normal_email(address: &str) -> String {
    address.trim().to_lowercase()
}

/// Whether a text can be an e-mail address: ASCII, one `@`, something on both sides, no space or
/// control character, at most 254 bytes. More than that only a mail can tell. Other letters look
/// like these or turn the text around; a domain that has them has an `xn--` spelling too.
#[must_use]
pub fn is_email(address: &str) -> bool {
    let plausible = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| !c.is_control() && !c.is_whitespace())
            && !part.contains([',', ';', '<', '>', '"', '\\'])
    };
    address.len() <= 254
        && address.is_ascii()
        && address.split_once('@').is_some_and(|(local, host)| {
            plausible(local) && plausible(host) && !host.contains('@') && host.contains('.')
        })
}

/// A handle as it is compared: trimmed, without leading `@`, in small letters. Nothing else is taken for
/// the same: dots, underscores and letters of other scripts make another handle.
#[must_use]
pub fn normal_handle(handle: &str) -> String {
    handle.trim().trim_start_matches('@').trim().to_lowercase()
}

/// A platform as it is kept, such as `instagram`: small letters, digits and `_`, at most 30.
#[must_use]
pub fn platform_of(text: &str) -> Option<String> {
    let name = text.trim().to_ascii_lowercase();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    ((1..=30).contains(&name.len()) && name.chars().all(fits)).then_some(name)
}

/// A country as ISO 3166-1 writes it, `DE`. Whether there is such a country isn't looked at.
#[must_use]
pub fn country_of(text: &str) -> Option<String> {
    let name = text.trim().to_ascii_uppercase();
    (name.len() == 2 && name.bytes().all(|b| b.is_ascii_uppercase())).then_some(name)
}

/// A language tag of the form of BCP 47: `en`, `pt-BR`, `zh-Hant`.
#[must_use]
pub fn language_of(text: &str) -> Option<String> {
    let mut tag = String::new();
    for (at, part) in text.trim().split('-').enumerate() {
        let part = part.to_ascii_lowercase();
        let letters = part.bytes().all(|b| b.is_ascii_lowercase());
        let fits = match at {
            0 => letters && (2..=3).contains(&part.len()),
            _ => part.bytes().all(|b| b.is_ascii_alphanumeric()) && (1..=8).contains(&part.len()),
        };
        if !fits {
            return None;
        }
        tag.push_str(if at > 0 { "-" } else { "" });
        match (at, part.len(), letters) {
            (1.., 2, _) => tag.push_str(&part.to_ascii_uppercase()),
            (1.., 4, true) => {
                let mut letters = part.chars();
                tag.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                tag.extend(letters);
            }
            _ => tag.push_str(&part),
        }
    }
    (tag.len() <= 35).then_some(tag)
}

/// What a field of the brand's own holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A line of text.
    Text,
    /// A number.
    Number,
    /// A day, as `2026-11-22`.
    Date,
    /// One of its choices.
    Choice,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_countries_languages_and_platforms() {
        for same in ["Ada", " @ada ", "@@ADA", "ada"] {
            assert_eq!(normal_handle(same), "ada", "{same}");
        }
        assert_eq!(normal_handle("@ÄDA"), "äda");
        assert_ne!(normal_handle("a.da"), normal_handle("ada"));
        assert_eq!(country_of(" de "), Some("DE".into()));
        for (told, kept) in [("EN", "en"), ("pt-br", "pt-BR"), ("ZH-hant-tw", "zh-Hant-TW")] {
            assert_eq!(language_of(told).as_deref(), Some(kept));
        }
        for bad in ["", "e", "engl", "en-", "en_US", "12", "en-toolongpart", "ä"] {
            assert_eq!(language_of(bad), None, "{bad}");
        }
        for bad in ["", "DEU", "D", "D1", "дe"] {
            assert_eq!(country_of(bad), None, "{bad}");
        }
        assert_eq!(platform_of(" TikTok "), Some("tiktok".into()));
        for bad in ["", "a b", "<script>", "ä", &"x".repeat(31)] {
            assert_eq!(platform_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses() {
        assert!(is_email("ada@example.com"));
        for bad in [
            "",
            "ada",
            "@x.y",
            "a@",
            "a@b",
            "a@b@c.d",
            "a b@c.d",
            "a@c.d\r\nBcc: x@y.z",
            "a@b,c@d.e",
            "ä@b.example",
            "аda@casa.example",
            "a@b.example\u{202e}",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
        assert_eq!(normal_email(" Ada@Example.COM "), "ada@example.com");
    }
}
