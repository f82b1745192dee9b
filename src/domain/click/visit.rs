//! What a visit was: a shopper, or something that is counted apart with the reason.

use sha2::{Digest, Sha256};

use super::bots;

/// Longer user agents are cut, so that waiting clicks have a bounded size.
const MAX_AGENT: usize = 1024;

/// What one visit of a link counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visit {
    /// A person, as far as can be told.
    Shopper,
    /// Not counted as a click, but shown with the reason.
    Filtered(Filter),
}

/// Why a visit isn't a click. If several hold, the later one of these is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// A known bot, or nothing that calls itself a browser.
    Bot,
    /// A browser that looks ahead.
    Prefetch,
    /// `HEAD` asks where the link leads and doesn't go there.
    Head,
}

impl Filter {
    /// The name that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Prefetch => "prefetch",
            Self::Head => "head",
        }
    }
}

/// The request headers in which browsers say that nobody has followed the link yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Purpose<'a> {
    /// `Sec-Purpose`, of today's browsers.
    pub sec_purpose: Option<&'a str>,
    /// `Purpose`, of older Chromes.
    pub purpose: Option<&'a str>,
    /// `X-Purpose`, of Safari's previews.
    pub x_purpose: Option<&'a str>,
    /// `X-Moz`, of older Firefoxes.
    pub x_moz: Option<&'a str>,
}

impl Purpose<'_> {
    /// Whether one of them announces a prefetch, a prerender or a preview.
    #[must_use]
    pub fn looks_ahead(&self) -> bool {
        let names = |header: Option<&str>, purposes: &[&str]| {
            // `prefetch;prerender`, `prefetch;anonymous-client-ip`: a list of tokens.
            header.is_some_and(|value| {
                value.split([';', ',']).any(|token| {
                    purposes.iter().any(|purpose| token.trim().eq_ignore_ascii_case(purpose))
                })
            })
        };
        names(self.sec_purpose, &["prefetch", "prerender"])
            || names(self.purpose, &["prefetch", "prerender"])
            || names(self.x_purpose, &["preview", "prefetch"])
            || names(self.x_moz, &["prefetch"])
    }
}

/// What a request counts as, by its method, purpose and user agent.
#[must_use]
pub fn classify(head: bool, looks_ahead: bool, agent: Option<&str>) -> Visit {
    if head {
        return Visit::Filtered(Filter::Head);
    }
    if looks_ahead {
        return Visit::Filtered(Filter::Prefetch);
    }
    match agent.map(str::trim) {
        None | Some("") => Visit::Filtered(Filter::Bot),
        Some(agent) if bots::is_bot(agent) => Visit::Filtered(Filter::Bot),
        Some(_) => Visit::Shopper,
    }
}

/// Tells visitors apart without saying who they are: the address and the agent stay in the
/// isolate, and the counter object hashes this once more under a key that lives two days.
#[must_use]
pub fn visitor_fingerprint(address: &str, agent: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    // The length keeps the parts from sliding into each other.
    hash.update(u64::try_from(address.len()).unwrap_or(u64::MAX).to_le_bytes());
    hash.update(address);
    hash.update(agent);
    let digest: [u8; 32] = hash.finalize().into();
    let [visitor @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = digest;
    visitor
}

/// A visit as it came in, judged only once the shopper has been answered. Lives in memory for
/// seconds and is never stored or printed.
#[derive(Clone, PartialEq, Eq)]
pub struct RawVisit {
    head: bool,
    looks_ahead: bool,
    address: String,
    agent: String,
}

impl RawVisit {
    /// Keeps what the verdict needs. `address` is the visitor's IP address; absent headers are
    /// empty texts.
    #[must_use]
    pub fn new(head: bool, looks_ahead: bool, address: String, mut agent: String) -> Self {
        if agent.len() > MAX_AGENT {
            agent.truncate(agent.floor_char_boundary(MAX_AGENT));
        }
        Self { head, looks_ahead, address, agent }
    }

    /// What it counts as.
    #[must_use]
    pub fn visit(&self) -> Visit {
        classify(self.head, self.looks_ahead, Some(&self.agent))
    }

    /// Who it was, see [`visitor_fingerprint`].
    #[must_use]
    pub fn visitor(&self) -> [u8; 16] {
        visitor_fingerprint(&self.address, &self.agent)
    }
}

impl std::fmt::Debug for RawVisit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawVisit(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \
        AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1";

    #[test]
    fn shoppers_have_a_browser_that_asks_for_the_page() {
        assert_eq!(classify(false, false, Some(SAFARI)), Visit::Shopper);
    }

    #[test]
    fn everything_else_is_counted_apart() {
        let reason = |head, ahead, agent| match classify(head, ahead, agent) {
            Visit::Filtered(filter) => filter.as_str(),
            Visit::Shopper => "",
        };
        assert_eq!(reason(true, true, None), "head");
        assert_eq!(reason(false, true, Some("Googlebot/2.1")), "prefetch");
        assert_eq!(reason(false, true, Some(SAFARI)), "prefetch");
        assert_eq!(reason(false, false, Some("Googlebot/2.1")), "bot");
        assert_eq!(reason(false, false, Some(" ")), "bot");
        assert_eq!(reason(false, false, None), "bot");
    }

    #[test]
    fn browsers_say_in_four_ways_that_they_look_ahead() {
        let none = Purpose::default();
        for value in ["prefetch", "prefetch;prerender", "prefetch; anonymous-client-ip", "Prefetch"]
        {
            assert!(Purpose { sec_purpose: Some(value), ..none }.looks_ahead(), "{value}");
        }
        assert!(Purpose { purpose: Some("prefetch"), ..none }.looks_ahead());
        assert!(Purpose { x_purpose: Some("preview"), ..none }.looks_ahead());
        assert!(Purpose { x_moz: Some("prefetch"), ..none }.looks_ahead());
        assert!(!none.looks_ahead());
        for value in ["", "navigate", "prefetching", "not-prefetch"] {
            assert!(!Purpose { sec_purpose: Some(value), ..none }.looks_ahead(), "{value}");
        }
        assert!(!Purpose { x_moz: Some("preview"), ..none }.looks_ahead());
    }

    #[test]
    fn visitors_differ_by_address_and_agent() {
        let visitor = visitor_fingerprint("192.0.2.1", SAFARI);
        assert_eq!(visitor, visitor_fingerprint("192.0.2.1", SAFARI));
        assert_ne!(visitor, visitor_fingerprint("192.0.2.2", SAFARI));
        assert_ne!(visitor, visitor_fingerprint("192.0.2.1", "Mozilla/5.0"));
        assert_ne!(visitor_fingerprint("192.0.2.1", "2x"), visitor_fingerprint("192.0.2.12", "x"));
    }

    #[test]
    fn raw_visits_are_bounded_and_not_printed() {
        let raw = RawVisit::new(false, false, "192.0.2.1".into(), "é".repeat(5000));
        assert_eq!(raw.agent.len(), MAX_AGENT);
        assert_eq!(format!("{raw:?}"), "RawVisit(…)");
        let raw = RawVisit::new(false, false, "192.0.2.1".into(), SAFARI.into());
        assert_eq!(raw.visit(), Visit::Shopper);
        assert_eq!(raw.visitor(), visitor_fingerprint("192.0.2.1", SAFARI));
    }
}
