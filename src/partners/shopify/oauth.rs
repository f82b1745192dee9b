//! Authorization by a shop: where its browser is sent, and what comes back.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::link::percent_decode;
use crate::domain::merkle::hex;
use crate::domain::secret::same_secret;
use crate::domain::time::Millis;

/// What comes back is this old at most, and so far ahead of our clock: who approves takes a moment,
/// and its state ends by itself.
const MOST_APART_MS: Millis = 10 * 60_000;
/// No such query is longer.
const MAX_QUERY: usize = 4096;

/// The name of a shop, `casa.myshopify.com` in small letters, of what somebody wrote.
#[must_use]
pub fn shop_name(text: &str) -> Option<String> {
    let domain = text.to_ascii_lowercase();
    let name = domain.strip_suffix(".myshopify.com")?;
    let good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (good && (1..=100).contains(&name.len()) && !name.starts_with('-')).then_some(domain)
}

/// Where the browser of who approves is sent.
#[must_use]
pub fn authorize_url(
    shop: &str,
    client_id: &str,
    scopes: &str,
    redirect: &str,
    state: &str,
) -> String {
    let pairs =
        [("client_id", client_id), ("scope", scopes), ("redirect_uri", redirect), ("state", state)];
    let query = pairs.map(|(name, value)| [name, "=", &form(value)].concat()).join("&");
    format!("https://{shop}/admin/oauth/authorize?{query}")
}

/// What came back, read, not yet believed. It has a code in it: no `Debug`.
pub struct Callback {
    /// The shop, in small letters.
    pub shop: String,
    /// What a token is got with.
    pub code: String,
    /// What we sent along.
    pub state: String,
    at_ms: Millis,
    claimed: String,
    /// Decoded, without the signature, by name.
    pairs: Vec<(String, String)>,
}

/// Reads what came back; nothing if something is missing, doubled or odd.
#[must_use]
pub fn callback(query: &str) -> Option<Callback> {
    if query.len() > MAX_QUERY {
        return None;
    }
    let decoded = |text: &str| percent_decode(&text.replace('+', " "));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    let mut pairs: Vec<_> = query.split('&').filter(|p| !p.is_empty()).map(pair).collect();
    pairs.sort();
    if pairs.windows(2).any(|two| matches!(two, [(a, _), (b, _)] if a == b)) {
        return None;
    }
    let get = |name: &str| {
        let found = pairs.iter().find(|(n, _)| n == name)?;
        Some(found.1.clone()).filter(|value| (1..=1000).contains(&value.len()))
    };
    let (code, state) = (get("code")?, get("state")?);
    let claimed = get("hmac").filter(|hmac| hmac.len() == 64)?;
    let seconds: u32 = get("timestamp")?.parse().ok()?;
    let shop = shop_name(&get("shop")?)?;
    pairs.retain(|(name, _)| name != "hmac" && name != "signature");
    Some(Callback { shop, code, state, at_ms: Millis::from(seconds) * 1000, claimed, pairs })
}

impl Callback {
    /// Whether one of the app's secrets signed it, a moment ago. Shopify's own libraries spell what
    /// is signed in two ways; both count.
    #[must_use]
    pub fn is_authentic(&self, secrets: &[impl AsRef<[u8]>], now_ms: Millis) -> bool {
        let spelled = [
            self.spelled(form, form),
            self.spelled(
                |name| name.replace('%', "%25").replace('&', "%26").replace('=', "%3D"),
                |value| value.replace('%', "%25").replace('&', "%26"),
            ),
        ];
        let mut authentic = false;
        for secret in secrets.iter().map(AsRef::as_ref).filter(|secret| !secret.is_empty()) {
            for text in &spelled {
                let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { continue };
                mac.update(text.as_bytes());
                authentic |= same_secret(&hex(&mac.finalize().into_bytes()), &self.claimed);
            }
        }
        authentic && (now_ms - self.at_ms).abs() <= MOST_APART_MS
    }

    fn spelled(&self, name: fn(&str) -> String, value: fn(&str) -> String) -> String {
        let pair = |(n, v): &(String, String)| [&name(n), "=", &value(v)].concat();
        self.pairs.iter().map(pair).collect::<Vec<_>>().join("&")
    }
}

/// A text as forms encode it.
fn form(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b if b.is_ascii_alphanumeric() || b"*-._".contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shopify's own example: reference, section 4.
    const QUERY: &str = "code=0907a61c0c8d55e99db179b68161bc00&shop=some-shop.myshopify.com&state=0.6784241404160823&timestamp=1337178173";
    const HMAC: &str = "700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf";
    const AT_MS: Millis = 1_337_178_173_000;

    fn signed(text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"hush").unwrap();
        mac.update(text.as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    fn good(query: &str, hmac: &str) -> bool {
        let query = format!("{query}&hmac={hmac}");
        callback(&query).is_some_and(|back| back.is_authentic(&["hush"], AT_MS))
    }

    #[test]
    fn the_published_example_is_authentic() {
        assert!(good(QUERY, HMAC));
        let back = callback(&format!("hmac={HMAC}&signature=x&{QUERY}")).unwrap();
        assert!(back.is_authentic(&["hush"], AT_MS), "in any order, without a signature");
        assert!(back.is_authentic(&["new", "hush"], AT_MS), "two secrets may be live");
        assert!(!back.is_authentic(&["other"], AT_MS));
        assert!(!back.is_authentic(&[""], AT_MS));
        assert!(!back.is_authentic(&["hush"], AT_MS + MOST_APART_MS + 1));
        assert!(!back.is_authentic(&["hush"], AT_MS - MOST_APART_MS - 1));
        assert_eq!((back.shop.as_str(), back.state.len()), ("some-shop.myshopify.com", 18));
    }

    #[test]
    fn both_spellings_count() {
        // host=aGVsbG8= is encoded by one library and not by the other.
        let rest = &QUERY["code=0907a61c0c8d55e99db179b68161bc00&".len()..];
        let code = "code=0907a61c0c8d55e99db179b68161bc00";
        let sent = format!("{code}&host=aGVsbG8%3D&{rest}");
        assert!(good(&sent, &signed(&format!("{code}&host=aGVsbG8%3D&{rest}"))));
        assert!(good(&sent, &signed(&format!("{code}&host=aGVsbG8=&{rest}"))));
        assert!(!good(&sent, &signed(&format!("{code}&host=aGVsbG8&{rest}"))));
        // Nobody moves a border between two values.
        let two = format!("{code}&a=1%262&{rest}");
        assert!(!good(&two, &signed(&format!("a=1&2&{code}&{rest}"))));
    }

    #[test]
    fn one_changed_sign_is_enough_to_refuse() {
        for at in 0..QUERY.len() {
            let mut bytes = QUERY.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            assert!(!good(&String::from_utf8(bytes).unwrap(), HMAC), "{at}");
        }
        for at in 0..HMAC.len() {
            let mut bytes = HMAC.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            assert!(!good(QUERY, &String::from_utf8(bytes).unwrap()), "{at}");
        }
    }

    #[test]
    fn what_is_missing_doubled_or_odd_is_nothing() {
        for bad in [
            String::new(),
            QUERY.to_owned(),
            format!("{QUERY}&hmac="),
            format!("{QUERY}&hmac={HMAC}&code=again"),
            format!("{QUERY}&hmac={HMAC}&hmac={HMAC}"),
            format!("{}&hmac={HMAC}", QUERY.replace("some-shop.myshopify.com", "evil.example")),
            format!("{}&hmac={HMAC}", QUERY.replace("some-shop.", "evil.example/.")),
            format!("{}&hmac={HMAC}", QUERY.replace("1337178173", "soon")),
            format!("{QUERY}&hmac={HMAC}&x={}", "y".repeat(MAX_QUERY)),
        ] {
            assert!(callback(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn shops_have_names() {
        assert_eq!(shop_name("Casa-1.MyShopify.com").as_deref(), Some("casa-1.myshopify.com"));
        for bad in [
            "",
            ".myshopify.com",
            "-a.myshopify.com",
            "a.b.myshopify.com",
            "a.myshopify.com.evil.example",
            "a/.myshopify.com",
            "a@.myshopify.com",
            "a.myshopify.com ",
            "é.myshopify.com",
            "myshopify.com",
        ] {
            assert_eq!(shop_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_way_to_the_shop_names_all_of_it() {
        let url = authorize_url("casa.myshopify.com", "id", "a,b", "https://x.test/c?d", "s");
        assert_eq!(
            url,
            "https://casa.myshopify.com/admin/oauth/authorize?client_id=id&scope=a%2Cb&redirect_uri=https%3A%2F%2Fx.test%2Fc%3Fd&state=s"
        );
    }
}
