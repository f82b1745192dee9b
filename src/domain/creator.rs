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

#[cfg(test)]
mod tests {
    use super::*;

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
