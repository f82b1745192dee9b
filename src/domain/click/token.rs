//! Click ids: which link, which millisecond, and a signature; nothing is stored for them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::domain::ids::LinkId;
use crate::domain::secret::{RootKey, Roots};
use crate::domain::time::Millis;

/// How many characters a click id has.
pub const LENGTH: usize = 62;

/// The layout `version 1 | key 1 | link 16 | milliseconds 6 | nonce 6`, then the signature. The storefront
/// snippet reads the time out of characters 24 to 31, and takes what begins with `A` and has 62 characters.
const VERSION: u8 = 1;
const SIGNED: usize = 30;
/// HMAC-SHA-256 cut to half, as RFC 2104 allows.
const SIGNATURE: usize = 16;
const BYTES: usize = SIGNED + SIGNATURE;

/// What a genuine click id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Click {
    /// The link that was followed.
    pub link: LinkId,
    /// When, in milliseconds.
    pub at_ms: Millis,
}

/// The keys of click ids: the first signs, all verify.
#[derive(Clone)]
pub struct ClickKeys {
    current: Key,
    older: Vec<Key>,
}

/// A keyed state: cloning it costs nothing, keying one costs two rounds of SHA-256 per click.
#[derive(Clone)]
struct Key {
    /// Tells keys apart in an id. It comes out of the key itself, so that nobody numbers keys;
    /// two with the same byte are both tried.
    id: u8,
    state: Hmac<Sha256>,
}

impl Key {
    fn new(root: &[u8; 32]) -> Self {
        let mut derived = [0; 33];
        // 33 bytes are within HKDF's limit, so that this can't fail.
        let _ = Hkdf::<Sha256>::new(None, root).expand(b"tributary/click/v1", &mut derived);
        let [key @ .., id] = derived;
        // HMAC fills short keys up with zeros; a key of the full block can't be refused.
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(key) {
            *to = from;
        }
        Self { id, state: Hmac::new(&block.into()) }
    }
}

impl ClickKeys {
    /// The keys that come from a ring of roots: the active one signs.
    #[must_use]
    pub fn of(roots: &Roots) -> Option<Self> {
        let mut live = roots.live().map(RootKey::bytes);
        let active = Self::new(live.next()?);
        Some(live.fold(active, Self::and_older))
    }

    /// Signs and verifies with the key that comes from this root.
    #[must_use]
    pub fn new(root: &[u8; 32]) -> Self {
        Self { current: Key::new(root), older: Vec::new() }
    }

    /// The same, and what was signed under an earlier root stays valid.
    #[must_use]
    pub fn and_older(mut self, root: &[u8; 32]) -> Self {
        self.older.push(Key::new(root));
        self
    }

    /// The click id of one visit: 62 characters of `A-Za-z0-9_-`. Of `nonce` the lower 48 bits
    /// count; it should be random, so that two visits in a millisecond differ.
    #[must_use]
    pub fn sign(&self, link: LinkId, at_ms: Millis, nonce: u64) -> String {
        let mut token = Vec::with_capacity(BYTES);
        token.extend_from_slice(&[VERSION, self.current.id]);
        token.extend_from_slice(&link.bytes());
        let [_, _, time @ ..] = at_ms.clamp(0, (1 << 48) - 1).to_be_bytes();
        token.extend_from_slice(&time);
        let [_, _, nonce @ ..] = nonce.to_be_bytes();
        token.extend_from_slice(&nonce);
        let mut mac = self.current.state.clone();
        mac.update(&token);
        token.extend(mac.finalize().into_bytes().into_iter().take(SIGNATURE));
        let mut text = String::with_capacity(LENGTH);
        URL_SAFE_NO_PAD.encode_string(&token, &mut text);
        text
    }

    /// What the token says, if one of these keys signed it. Only the one spelling that
    /// [`Self::sign`] writes is accepted; the signature is compared in constant time.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<Click> {
        let buffer = read(token)?;
        let (signed, signature) = buffer.split_first_chunk::<SIGNED>()?;
        let [_, id, ..] = signed;
        let keys = std::iter::once(&self.current).chain(&self.older);
        let genuine = keys.filter(|key| key.id == *id).any(|key| {
            let mut mac = key.state.clone();
            mac.update(signed);
            mac.verify_truncated_left(signature).is_ok()
        });
        if genuine { says(signed) } else { None }
    }
}

/// The bytes of a token, if it has the one spelling and the version that there is.
fn read(token: &str) -> Option<[u8; BYTES]> {
    if token.len() != LENGTH {
        return None;
    }
    let mut buffer = [0; BYTES];
    let whole = URL_SAFE_NO_PAD.decode_slice(token, &mut buffer) == Ok(BYTES);
    (whole && buffer.first() == Some(&VERSION)).then_some(buffer)
}

/// What the signed part of a token says.
fn says(signed: &[u8; SIGNED]) -> Option<Click> {
    let [_, _, rest @ ..] = signed;
    let (link, rest) = rest.split_first_chunk::<16>()?;
    let (time, _nonce) = rest.split_first_chunk::<6>()?;
    let [a, b, c, d, e, f] = *time;
    let at_ms = Millis::from_be_bytes([0, 0, a, b, c, d, e, f]);
    Some(Click { link: LinkId::from_bytes(*link), at_ms })
}

/// Tells genuine click ids.
pub trait ClickIds: std::fmt::Debug {
    /// What the token says, if it is genuine.
    fn verify(&self, token: &str) -> Option<Click>;
}

impl ClickIds for ClickKeys {
    fn verify(&self, token: &str) -> Option<Click> {
        Self::verify(self, token)
    }
}

impl Click {
    /// What a token says that was found genuine before: whoever asks may have no key, or not that one
    /// any more.
    #[must_use]
    pub fn told(token: &str) -> Option<Self> {
        says(read(token)?.first_chunk()?)
    }
}

impl std::fmt::Debug for ClickKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClickKeys({}, …)", 1 + self.older.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: Millis = 1_795_166_130_123;

    fn link(n: u8) -> LinkId {
        LinkId::from_bytes([n; 16])
    }
    fn keys(n: u8) -> ClickKeys {
        ClickKeys::new(&[n; 32])
    }

    #[test]
    fn an_id_says_its_link_and_its_millisecond() {
        let token = keys(1).sign(link(7), AT, 42);
        assert_eq!(keys(1).verify(&token), Some(Click { link: link(7), at_ms: AT }));
        assert_eq!(token.len(), LENGTH);
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)));
        assert_ne!(token, keys(1).sign(link(7), AT, 43));
    }

    /// Ids live in carts and mails: this layout and derivation must stay readable. The text was
    /// computed by Python's `hmac`.
    #[test]
    fn the_spelling_is_pinned() {
        let token = keys(9).sign(link(3), AT, 0x0102_0304_0506);
        assert_eq!(token, "AZ4DAwMDAwMDAwMDAwMDAwMDAaH4PU_LAQIDBAUGecyzQP8JaNC3juvaLbJ2Ew");
    }

    #[test]
    fn a_rotated_key_still_verifies_and_a_foreign_one_does_not() {
        let old = keys(1).sign(link(7), AT, 42);
        let ring = keys(2).and_older(&[3; 32]).and_older(&[1; 32]);
        assert!(ring.verify(&old).is_some());
        assert!(keys(2).verify(&old).is_none());
        assert!(keys(1).verify(&ring.sign(link(7), AT, 42)).is_none());
        assert!(keys(2).verify(&ring.sign(link(7), AT, 42)).is_some());
    }

    #[test]
    fn keys_come_out_of_a_ring() {
        use base64::engine::general_purpose::STANDARD;
        let text = |n: u8| STANDARD.encode([n; 32]);
        let ring = |text: &str| ClickKeys::of(&Roots::parse(text).unwrap()).unwrap();
        let old = ring(&text(1)).sign(link(7), AT, 42);
        assert_eq!(old, keys(1).sign(link(7), AT, 42));
        let both = ring(&format!("1:verify:{} 2:active:{}", text(1), text(2)));
        assert!(both.verify(&old).is_some());
        assert_eq!(both.sign(link(7), AT, 42), keys(2).sign(link(7), AT, 42));
        let after = ring(&format!("1:retired:{} 2:active:{}", text(1), text(2)));
        assert!(after.verify(&old).is_none());
    }

    #[test]
    fn no_character_can_be_changed_nor_spelt_otherwise() {
        let token = keys(1).sign(link(7), AT, 42);
        for at in 0..token.len() {
            for other in ['A', 'B', 'a', '0', '-', '_', '+', '/', '=', '.', ' '] {
                let mut changed: Vec<char> = token.chars().collect();
                if changed[at] == other {
                    continue;
                }
                changed[at] = other;
                let changed: String = changed.iter().collect();
                assert_eq!(keys(1).verify(&changed), None, "{changed}");
            }
        }
        for extra in ["=", "A", " ", "\0"] {
            assert_eq!(keys(1).verify(&format!("{token}{extra}")), None);
            assert_eq!(keys(1).verify(&format!("{extra}{token}")), None);
        }
        assert_eq!(keys(1).verify(&token[..60]), None);
        assert_eq!(keys(1).verify(&"é".repeat(31)), None);
        assert_eq!(keys(1).verify(""), None);
    }

    #[test]
    fn another_version_is_refused_however_well_signed() {
        let mut bytes = vec![2, keys(1).current.id];
        bytes.extend([7; 28]);
        let mut mac = keys(1).current.state;
        mac.update(&bytes);
        bytes.extend(&mac.finalize().into_bytes()[..16]);
        assert_eq!(keys(1).verify(&URL_SAFE_NO_PAD.encode(bytes)), None);
    }

    #[test]
    fn times_outside_48_bits_are_clamped() {
        let at = |ms| keys(1).verify(&keys(1).sign(link(1), ms, u64::MAX)).unwrap().at_ms;
        assert_eq!((at(-5), at(i64::MAX)), (0, (1 << 48) - 1));
    }

    #[test]
    fn keys_are_not_printed() {
        assert_eq!(format!("{:?}", keys(1).and_older(&[2; 32])), "ClickKeys(2, …)");
    }

    proptest! {
        #[test]
        fn nothing_makes_verifying_panic(token in ".{0,80}", like in "[A-Za-z0-9_-]{62}") {
            prop_assert_eq!(keys(1).verify(&token), None);
            prop_assert_eq!(keys(1).verify(&like), None);
        }

        #[test]
        fn every_id_verifies(bytes: [u8; 16], at_ms in 0_i64..1 << 48, nonce: u64) {
            let click = Click { link: LinkId::from_bytes(bytes), at_ms };
            prop_assert_eq!(keys(1).verify(&keys(1).sign(click.link, at_ms, nonce)), Some(click));
        }
    }
}
