//! Links: slugs, targets and where a redirect leads.

/// Slugs nobody may take: they would shadow the product's own paths or look official.
const RESERVED: [&str; 22] = [
    "admin",
    "api",
    "app",
    "assets",
    "billing",
    "dashboard",
    "favicon",
    "go",
    "health",
    "healthz",
    "help",
    "login",
    "logout",
    "me",
    "openapi",
    "robots",
    "sign-in",
    "static",
    "support",
    "tributary",
    "v1",
    "webhooks",
];

/// Why a slug can't be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SlugError {
    /// Not `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`.
    #[error("must be 1 to 64 letters, digits, - or _, beginning with a letter or digit")]
    Malformed,
    /// Kept for the product.
    #[error("is reserved")]
    Reserved,
}

/// A slug as typed; compared without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

impl Slug {
    /// # Errors
    /// [`SlugError`].
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        if !is_slug(text) {
            return Err(SlugError::Malformed);
        }
        if RESERVED.contains(&text.to_ascii_lowercase().as_str()) {
            return Err(SlugError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }

    /// The slug that a creator's handle suggests; `attempt` 0 is without a suffix, then `-2`, `-3`.
    #[must_use]
    pub fn suggested(handle: &str, attempt: u32) -> Self {
        let mut base: String = handle
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
            .skip_while(|c| !c.is_ascii_alphanumeric())
            .take(56)
            .collect();
        base.truncate(base.trim_end_matches(['-', '_']).len());
        if base.is_empty() {
            base.push_str("creator");
        }
        let text = if attempt == 0 { base } else { format!("{base}-{}", attempt + 1) };
        Self::parse(&text).unwrap_or_else(|_| Self(format!("{text}-link")))
    }

    /// As typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As compared.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// Whether a path segment has the form of a slug at all: whatever hasn't is not looked up.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 64
        && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// A path on the storefront: `/products/blue-jeans?variant=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(String);

/// The text is no path on the storefront.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a path on the storefront, such as /products/blue-jeans, without a host")]
pub struct TargetError;

impl Target {
    /// The home page.
    #[must_use]
    pub fn home() -> Self {
        Self("/".to_owned())
    }

    /// # Errors
    /// Anything that could name another host (`//evil`, `/\evil`, `javascript:`, `https://…`),
    /// carries control characters or spaces, a fragment's `#`, or is longer than 2,000 bytes.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let rest = text.strip_prefix('/').ok_or(TargetError)?;
        let harmless = |b: u8| (0x21..0x7f).contains(&b) && !b"\\\"<>`{}|^#".contains(&b);
        let ok = text.len() <= 2000 && !rest.starts_with('/') && text.bytes().all(harmless);
        if !ok || has_dot_segment(text) {
            return Err(TargetError);
        }
        Ok(Self(text.to_owned()))
    }

    /// The path, with its query.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `/a/../b`: harmless for the host, but a target that means another path than it shows.
fn has_dot_segment(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default().to_ascii_lowercase();
    path.split('/').any(|segment| matches!(segment.replace("%2e", ".").as_str(), "." | ".."))
}

/// The web address of a storefront: https (http on loopback in local runs), a host, no path.
///
/// # Errors
/// A text that says what is wrong.
pub fn parse_origin(text: &str, allow_loopback_http: bool) -> Result<String, &'static str> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let (secure, host) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(host), _) => (true, host),
        (_, Some(host)) => (false, host),
        _ => return Err("must begin with https://"),
    };
    let (name, port) = host.split_once(':').map_or((host, None), |(n, p)| (n, Some(p)));
    // Browsers find all of .localhost on this machine (RFC 6761): one port serves many shops.
    let local =
        name.strip_suffix(".localhost").is_some_and(|label| is_host(&[label, ".x"].concat()));
    let loopback = allow_loopback_http && (local || matches!(name, "localhost" | "127.0.0.1"));
    if !secure && !loopback {
        return Err("must begin with https://");
    }
    let port_ok = port.is_none_or(|p| p.parse::<u16>().is_ok() && (loopback || p == "443"));
    if !port_ok || !(loopback || is_host(name)) {
        return Err("must be a web address with a public host name and nothing after it");
    }
    Ok(format!("{}{}", if secure { "https://" } else { "http://" }, host.to_ascii_lowercase()))
}

/// A public host name in small letters: labels of letters, digits and hyphens, at least two, the
/// last not numeric (so no IP address).
#[must_use]
pub fn is_host(name: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(label)
        && name.rsplit('.').next().is_some_and(|tld| tld.bytes().any(|b| b.is_ascii_alphabetic()))
}

/// The address that a visitor is sent to: storefront and target with `ref` and `click_id`; the
/// target's own query and the visitor's stay, but never replace these two. `query` is the
/// visitor's raw query without the question mark. `affiliate` is the parameter and the ref code by which
/// another affiliate programme on the storefront knows whose visitor it is: called `ref`, it stands for
/// the slug, and the click id still says which link.
///
/// Bytes of the visitor's query that may not stand in a header or address are dropped.
#[must_use]
pub fn location(
    storefront: &str,
    target: &str,
    (slug, affiliate): (&str, Option<(&str, &str)>),
    click_id: &str,
    query: &str,
) -> String {
    let theirs = affiliate.map_or("", |(name, _)| name);
    let (path, own) = target.split_once('?').unwrap_or((target, ""));
    let mut to = String::with_capacity(
        storefront.len() + target.len() + slug.len() + click_id.len() + query.len() + 24,
    );
    to.push_str(storefront);
    to.push_str(path);
    let mut separator = '?';
    for pair in own.split('&').chain(query.split('&')) {
        // Cleaned first, judged then: what is dropped must not turn another name into ours.
        let pair: String = pair.chars().filter(|c| may_stand_in_a_query(*c)).collect();
        if pair.is_empty() || is_ours(&pair, theirs) {
            continue;
        }
        to.push(separator);
        separator = '&';
        to.push_str(&pair);
    }
    to.push(separator);
    let (slug, apart) = match affiliate {
        Some((name, code)) if name.eq_ignore_ascii_case("ref") => (code, None),
        other => (slug, other),
    };
    to.push_str("ref=");
    to.push_str(slug);
    if let Some((name, code)) = apart {
        to.extend(["&", name, "=", code]);
    }
    to.push_str("&click_id=");
    to.push_str(click_id);
    to
}

fn may_stand_in_a_query(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '#' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
}

/// Whether a query pair is named `ref` or `click_id`, or as another programme's parameter, however it is spelled: percent-encoded or
/// in other case it would still be read as ours by a storefront.
fn is_ours(pair: &str, theirs: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    let ours = |name: &str| {
        ["ref", "click_id"].iter().any(|own| name.eq_ignore_ascii_case(own))
            || (!theirs.is_empty() && name.eq_ignore_ascii_case(theirs))
    };
    if !name.contains('%') && !name.contains('+') {
        return ours(name);
    }
    ours(percent_decode(name).trim())
}

/// Percent-decoding as query strings use it; what isn't a valid escape stays as it is.
#[must_use]
pub fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'+' {
            out.push(b' ');
            continue;
        }
        if byte == b'%' {
            let mut ahead = bytes.clone();
            let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
            if let (Some(high), Some(low)) = (digit(ahead.next()), digit(ahead.next())) {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                bytes = ahead;
                continue;
            }
        }
        out.push(byte);
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        for good in ["a", "Anna", "anna-2", "0_x", &"a".repeat(64)] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "a b", "a/b", "ä", "a.b", "a\u{202e}", &"a".repeat(65)] {
            assert_eq!(Slug::parse(bad), Err(SlugError::Malformed), "{bad}");
        }
        assert_eq!(Slug::parse("API"), Err(SlugError::Reserved));
        assert_eq!(Slug::parse("AnNa").unwrap().key(), "anna");
    }

    #[test]
    fn a_handle_suggests_a_slug() {
        let suggest = |handle, n| Slug::suggested(handle, n).0;
        assert_eq!(suggest("@anna.home", 0), "anna-home");
        assert_eq!(suggest("@anna.home", 1), "anna-home-2");
        assert_eq!(suggest("***", 0), "creator");
        assert_eq!(suggest("Åsa", 0), "sa");
        assert_eq!(suggest("admin", 0), "admin-link");
        assert!(Slug::parse(&suggest(&"x-".repeat(100), 99)).is_ok());
    }

    #[test]
    fn targets_stay_on_the_storefront() {
        for good in ["/", "/products/blue-jeans", "/a?b=c&d=%20e", "/collections/all/"] {
            assert!(Target::parse(good).is_ok(), "{good}");
        }
        let long = format!("/{}", "a".repeat(8192));
        for bad in [
            "",
            "products",
            "//evil.test",
            "/\\evil.test",
            "javascript:alert(1)",
            "data:x",
            "https://evil.test/",
            "http://shop",
            "/a b",
            "/a\r\nb",
            "/é",
            "/a#b",
            "/a/../b",
            "/%2e%2e/x",
            &long,
        ] {
            assert_eq!(Target::parse(bad), Err(TargetError), "{bad}");
        }
    }

    #[test]
    fn storefronts_are_public_https_origins() {
        assert_eq!(
            parse_origin("https://Shop.example.com/", false).as_deref(),
            Ok("https://shop.example.com")
        );
        assert!(parse_origin("http://127.0.0.1:9000", true).is_ok());
        assert!(parse_origin("http://casa.localhost:9000", true).is_ok());
        assert!(parse_origin("http://casa.localhost:9000", false).is_err());
        for bad in ["http://.localhost", "http://a b.localhost", "http://localhost.evil.example"] {
            assert!(parse_origin(bad, true).is_err(), "{bad}");
        }
        for bad in [
            "http://shop.example.com",
            "https://shop@evil.test",
            "https://127.0.0.1",
            "https://shop.example.com/path",
            "https://shop.example.com:8443",
            "javascript:alert(1)",
            "https://",
            "https://sh\u{f6}p.example",
            "https://localhost.",
            "https://10.0.0.1",
        ] {
            assert!(parse_origin(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_location_keeps_queries_but_never_other_refs() {
        let to = |target, query| location("https://s.example", target, ("anna", None), "ID", query);
        assert_eq!(to("/", ""), "https://s.example/?ref=anna&click_id=ID");
        assert_eq!(to("/p?v=1", "utm=x"), "https://s.example/p?v=1&utm=x&ref=anna&click_id=ID");
        assert_eq!(
            to("/", "ref=eve&click_id=1&Ref=2&%72ef=3&click%5Fid=4&next=https://evil.test"),
            "https://s.example/?next=https://evil.test&ref=anna&click_id=ID"
        );
        assert_eq!(
            to("/", "a=1\r\nSet-Cookie: x"),
            "https://s.example/?a=1Set-Cookie:x&ref=anna&click_id=ID"
        );
        assert_eq!(
            to("/", "click|_id=x&r^ef=eve&r\u{e9}ef=eve&{ref}=1&a=b"),
            "https://s.example/?a=b&ref=anna&click_id=ID"
        );
        assert_eq!(to("/", "&&a"), "https://s.example/?a&ref=anna&click_id=ID");
    }

    #[test]
    fn another_programme_knows_its_affiliate_by_its_own_parameter() {
        let to = |affiliate, query| {
            location("https://s.example", "/p", ("anna", Some(affiliate)), "ID", query)
        };
        assert_eq!(to(("ref", "gf7"), "ref=eve"), "https://s.example/p?ref=gf7&click_id=ID");
        assert_eq!(
            to(("aff", "gf7"), "aff=eve&%61ff=eve&AFF=eve&a=b"),
            "https://s.example/p?a=b&ref=anna&aff=gf7&click_id=ID"
        );
    }

    #[test]
    fn decoding_never_fails() {
        assert_eq!(percent_decode("a%20b+c%zz%"), "a b c%zz%");
        assert_eq!(percent_decode("%ff"), "\u{fffd}");
    }
}
