//! People who sign in: roles, factors, how long a session lasts, cookies, codes, form tokens
//! (reference: reliability.md section 4, rules 5 to 8).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use super::auth::{Scope, Scopes};
use super::secret::KeyRing;
use super::time::Millis;

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything but settings, stores, keys and members.
    Manager,
    /// Look.
    Viewer,
}

impl Role {
    /// Its name in the API and in mails.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Manager => "manager",
            Self::Viewer => "viewer",
        }
    }

    /// What it may do, in words for whoever is invited.
    #[must_use]
    pub fn means(self) -> &'static str {
        match self {
            Self::Owner => "everything, with settings, members and keys",
            Self::Manager => "deals, creators, codes and payouts, but no settings",
            Self::Viewer => "seeing everything and changing nothing",
        }
    }

    /// What it may do, in the terms of API keys.
    #[must_use]
    pub fn scopes(self) -> Scopes {
        match self {
            Self::Owner => Scopes::all(),
            Self::Manager => Scopes::of(&[Scope::Read, Scope::Deals, Scope::Money]),
            Self::Viewer => Scopes::of(&[Scope::Read]),
        }
    }
}

/// What a session's second factor is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondFactor {
    /// Nothing: this person has none and needs none.
    None,
    /// It was shown.
    Done,
    /// A passkey of hers, or a recovery code.
    Required,
    /// A first passkey: members must have one.
    Enroll,
}

impl SecondFactor {
    /// What is missing in a session with so many factors.
    #[must_use]
    pub fn of(factors: u16, is_member: bool, has_passkey: bool) -> Self {
        match (factors, has_passkey, is_member) {
            (2.., ..) => Self::Done,
            (_, true, _) => Self::Required,
            (_, false, true) => Self::Enroll,
            (_, false, false) => Self::None,
        }
    }

    /// Its name in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Done => "done",
            Self::Required => "required",
            Self::Enroll => "enroll",
        }
    }

    /// Whether the session is good for more than showing a factor.
    #[must_use]
    pub fn is_enough(self) -> bool {
        matches!(self, Self::None | Self::Done)
    }
}

const MINUTE_MS: Millis = 60_000;
const HOUR_MS: Millis = 60 * MINUTE_MS;

/// A mailed link and its code hold for so long.
pub const SIGN_IN_MS: Millis = 10 * MINUTE_MS;
/// A passkey shown counts as fresh for so long.
pub const STEP_UP_MS: Millis = 10 * MINUTE_MS;
/// A challenge is to be answered within so long.
pub const CHALLENGE_MS: Millis = 5 * MINUTE_MS;
/// That a session is in use is noted at most so often.
pub const SEEN_MS: Millis = MINUTE_MS;
/// No session lasts longer, whoever's it is.
pub const LONGEST_SESSION_MS: Millis = 14 * 24 * HOUR_MS;

/// Until when a session holds: members' end after half an hour without use and after twelve hours
/// in any case, creators' after a day and after fourteen.
#[must_use]
pub fn session_end(created_at_ms: Millis, last_seen_at_ms: Millis, is_member: bool) -> Millis {
    let (idle, longest) = session_ms(is_member);
    (last_seen_at_ms + idle).min(created_at_ms + longest)
}

/// For how long a session holds without use, and in any case.
#[must_use]
pub fn session_ms(is_member: bool) -> (Millis, Millis) {
    if is_member { (30 * MINUTE_MS, 12 * HOUR_MS) } else { (24 * HOUR_MS, LONGEST_SESSION_MS) }
}

/// The cookie with a session's secret.
pub const SESSION_COOKIE: &str = "__Host-sid";
/// The cookie that tells the browser in which a sign-in was begun.
pub const BROWSER_COOKIE: &str = "__Host-signin";

/// The text for `Set-Cookie`; no age means: until the browser is closed.
#[must_use]
pub fn set_cookie(name: &str, value: &str, max_age_seconds: Option<i64>) -> String {
    let age = max_age_seconds.map_or(String::new(), |age| format!("; Max-Age={age}"));
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}")
}

/// A secret from 256 random bits: 43 characters.
#[must_use]
pub fn secret(random: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}

/// An eight-digit code from 64 random bits.
#[must_use]
pub fn code(random: [u8; 8]) -> String {
    format!("{:08}", u64::from_be_bytes(random) % 100_000_000)
}

/// A recovery code from 80 random bits: four groups of four letters and digits, without those
/// that look alike (Crockford's alphabet).
#[must_use]
pub fn recovery_code(random: [u8; 10]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bits = random.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let mut text = String::with_capacity(19);
    for place in 0..16_u32 {
        if place > 0 && place.is_multiple_of(4) {
            text.push('-');
        }
        let five = usize::try_from(bits >> (75 - 5 * place) & 31).unwrap_or(0);
        text.push(ALPHABET.get(five).copied().map_or('0', char::from));
    }
    text
}

/// A recovery code as it is compared: small letters and digits, what looks alike made one.
#[must_use]
pub fn plain_recovery_code(typed: &str) -> String {
    let kept = typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
    kept.map(|c| match c {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    })
    .collect()
}

/// The token that a form of this session carries: whoever makes another page can't make it.
#[must_use]
pub fn form_token(key: &KeyRing, session_hash: &str, random: [u8; 8]) -> String {
    let nonce = URL_SAFE_NO_PAD.encode(random);
    let mac = key.keyed_hash("form", &[session_hash, &nonce]);
    format!("{nonce}.{mac}")
}

/// Whether a form's token belongs to this session.
#[must_use]
pub fn is_form_token(key: &KeyRing, session_hash: &str, token: &str) -> bool {
    let Some((nonce, mac)) = token.split_once('.') else { return false };
    let expected = key.keyed_hash("form", &[session_hash, nonce]);
    expected.as_bytes().ct_eq(mac.as_bytes()).into()
}

/// What to call the browser that a session is used from: `Chrome, Windows`. Nothing else of the
/// user agent is kept.
#[must_use]
pub fn device(user_agent: &str) -> String {
    let first = |names: &[(&str, &'static str)]| {
        names.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, name)| *name)
    };
    // In this order: later ones' signs stand in the agents of those before.
    let browser = first(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser}, {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Roots;

    #[test]
    fn members_need_a_second_factor_and_those_who_have_one() {
        use SecondFactor::{Done, Enroll, None, Required};
        for (factors, member, passkey, expected) in [
            (1, false, false, None),
            (1, true, false, Enroll),
            (1, true, true, Required),
            (1, false, true, Required),
            (2, true, true, Done),
            (2, false, false, Done),
        ] {
            assert_eq!(SecondFactor::of(factors, member, passkey), expected);
        }
        assert!(None.is_enough() && Done.is_enough());
        assert!(!Enroll.is_enough() && !Required.is_enough());
    }

    #[test]
    fn roles_are_sets_of_scopes() {
        assert!(Role::Owner.scopes().has(Scope::Admin));
        assert!(
            Role::Manager.scopes().has(Scope::Money) && !Role::Manager.scopes().has(Scope::Admin)
        );
        assert_eq!(Role::Viewer.scopes().list(), [Scope::Read]);
    }

    #[test]
    fn sessions_end_by_idling_and_by_age() {
        assert_eq!(session_end(0, 0, true), 30 * MINUTE_MS);
        assert_eq!(session_end(0, 12 * HOUR_MS - 1, true), 12 * HOUR_MS);
        assert_eq!(session_end(0, 5, false), 24 * HOUR_MS + 5);
        assert_eq!(session_end(0, LONGEST_SESSION_MS, false), LONGEST_SESSION_MS);
    }

    #[test]
    fn cookies_are_for_this_host_and_not_for_scripts() {
        let set = set_cookie("n", "v", Some(0));
        assert_eq!(set, "n=v; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    }

    #[test]
    fn codes() {
        assert_eq!(code([0; 8]), "00000000");
        assert_eq!(code([255; 8]).len(), 8);
        assert_eq!(recovery_code([0; 10]), "0000-0000-0000-0000");
        assert_eq!(recovery_code([255; 10]), "zzzz-zzzz-zzzz-zzzz");
        assert_ne!(recovery_code([1; 10]), recovery_code([2; 10]));
        assert_eq!(plain_recovery_code(" OIl0-ABcd "), "0110abcd");
        let one = recovery_code([7; 10]);
        assert_eq!(plain_recovery_code(&one.to_uppercase()), one.replace('-', ""));
    }

    #[test]
    fn a_form_belongs_to_its_session() {
        let roots = Roots::parse("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=").unwrap();
        let key = KeyRing::new(roots, None).unwrap();
        let token = form_token(&key, "session a", [1; 8]);
        assert!(is_form_token(&key, "session a", &token));
        assert!(!is_form_token(&key, "session b", &token));
        for bad in ["", ".", "x", &token[1..], &format!("{token}x")] {
            assert!(!is_form_token(&key, "session a", bad), "{bad}");
        }
    }

    #[test]
    fn browsers_have_short_names() {
        let safari =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Safari/604.1";
        assert_eq!(device(safari), "Safari, iPhone");
        let edge = "Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 Safari/537.36 Edg/130.0";
        assert_eq!(device(edge), "Edge, Windows");
        assert_eq!(device("curl/8"), "unknown browser");
    }
}
