//! Keys, keyed hashes and sealed text (reference: reliability.md section 4).
//!
//! One 32-byte root per purpose family, in a ring of those that were and are; HKDF-SHA-256 subkeys
//! named by purpose; nothing here prints itself. docs/keys.md lists every key. RustCrypto in the
//! pure core, so that vectors and fuzzing reach it natively.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::ids::BrandId;

/// A root key, from a Worker secret.
#[derive(Clone, PartialEq, Eq)]
pub struct RootKey([u8; 32]);

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootKey(…)")
    }
}

impl RootKey {
    /// 32 bytes in base64, as the secret holds them.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.trim()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// The bytes, for what derives its own subkeys.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The subkey for `purpose` and, where one is given, a tenant.
    #[must_use]
    pub fn subkey(&self, purpose: &str, tenant: Option<BrandId>) -> [u8; 32] {
        let mut subkey = [0; 32];
        let tenant = tenant.map(BrandId::bytes);
        let info = [b"tributary/".as_slice(), purpose.as_bytes(), b"/v1"];
        let salt = tenant.as_ref().map(<[u8; 16]>::as_slice);
        // 32 bytes are within HKDF's limit, so that this can't fail.
        let _ = Hkdf::<Sha256>::new(salt, &self.0).expand_multi_info(&info, &mut subkey);
        subkey
    }

    fn cipher(&self) -> Option<XChaCha20Poly1305> {
        XChaCha20Poly1305::new_from_slice(&self.subkey("seal", None)).ok()
    }
}

/// The roots of one purpose that are in use, each with its number: the active one first, then those
/// that only open and verify what was made before.
#[derive(Debug, Clone)]
pub struct Roots(Vec<(u8, RootKey)>);

impl Roots {
    /// Reads a secret: one key in base64, which is number 1; or several `number:state:base64`
    /// between commas or white space. Exactly one is `active`; `verify` opens and verifies only;
    /// `retired` keeps a number from being used again and opens nothing, so its key may be left out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.contains(':') {
            return Some(Self(vec![(1, RootKey::from_base64(text)?)]));
        }
        let (mut numbers, mut active, mut older) = (Vec::new(), None, Vec::new());
        for entry in text.split([',', ' ', '\t', '\r', '\n']).filter(|entry| !entry.is_empty()) {
            let (number, rest) = entry.split_once(':')?;
            let (state, key) = rest.split_once(':').unwrap_or((rest, ""));
            let number = numbered(number)?;
            if numbers.contains(&number) {
                return None;
            }
            numbers.push(number);
            let key = || RootKey::from_base64(key);
            match state {
                "active" if active.is_none() => active = Some((number, key()?)),
                "verify" => older.push((number, key()?)),
                "retired" => (),
                _ => return None,
            }
        }
        let active = active?;
        // A key that replaces itself is no new one.
        let fresh = older.iter().all(|(_, key)| *key != active.1);
        older.insert(0, active);
        fresh.then_some(Self(older))
    }

    /// Every root in use, the active one first.
    pub fn live(&self) -> impl Iterator<Item = &RootKey> {
        self.0.iter().map(|(_, root)| root)
    }

    fn find(&self, number: u8) -> Option<&RootKey> {
        self.0.iter().find(|(n, _)| *n == number).map(|(_, root)| root)
    }
}

/// The form of what [`KeyRing::seal`] writes. Before there were rings a sealed text had no colon:
/// the base64 of a 1, the nonce and the rest, all under key 1.
const SEALED: &str = "2";

/// The keys that seal, and the root of what must stay the same whichever of them is active: keyed
/// hashes, the salts of sealed ledgers, proofs of domains.
#[derive(Debug, Clone)]
pub struct KeyRing {
    roots: Roots,
    lasting: RootKey,
}

impl KeyRing {
    /// The ring over these roots. Without a root of its own, what must stay the same comes from key
    /// number 1, as it did before there were rings; `None` if that one isn't in use any more either.
    #[must_use]
    pub fn new(roots: Roots, lasting: Option<RootKey>) -> Option<Self> {
        let lasting = lasting.or_else(|| roots.find(1).cloned())?;
        Some(Self { roots, lasting })
    }

    /// The subkey for `purpose` and, where one is given, a tenant: the same for ever.
    #[must_use]
    pub fn subkey(&self, purpose: &str, tenant: Option<BrandId>) -> [u8; 32] {
        self.lasting.subkey(purpose, tenant)
    }

    /// The keyed hash of a normalised e-mail address: equal within a brand, useless outside it.
    #[must_use]
    pub fn email_hash(&self, brand: BrandId, normal_address: &str) -> String {
        short_mac(&self.subkey("email", Some(brand)), normal_address)
    }

    /// A keyed hash of these parts for one purpose, base64url.
    #[must_use]
    pub fn keyed_hash(&self, purpose: &str, parts: &[&str]) -> String {
        let key = self.subkey(purpose, None);
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return String::new() };
        for part in parts {
            // With its length, so that no two lists of parts say the same.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// The number of the key that seals.
    #[must_use]
    pub fn active(&self) -> u8 {
        self.roots.0.first().map_or(0, |(number, _)| *number)
    }

    /// What every text begins with that the active key has sealed.
    #[must_use]
    pub fn prefix(&self) -> String {
        prefix(self.active())
    }

    /// Encrypts `text` so that only `context` (who and what it belongs to) can open it again.
    #[must_use]
    pub fn seal(&self, context: &str, text: &[u8], nonce: [u8; 24]) -> Option<String> {
        let prefix = self.prefix();
        let cipher = self.roots.live().next()?.cipher()?;
        // The number is part of what is authenticated: no text passes for one of another key.
        let aad = [prefix.as_str(), context].concat();
        let payload = Payload { msg: text, aad: aad.as_bytes() };
        let mut blob = nonce.to_vec();
        blob.extend_from_slice(&cipher.encrypt(&XNonce::from(nonce), payload).ok()?);
        Some(prefix + &STANDARD.encode(blob))
    }

    /// What [`Self::seal`] encrypted; `None` if it was altered, belongs to another context, or its
    /// key isn't in use.
    #[must_use]
    pub fn open(&self, context: &str, sealed: &str) -> Option<Vec<u8>> {
        let (number, blob) = parts(sealed)?;
        let cipher = self.roots.find(number)?.cipher()?;
        let mut blob = STANDARD.decode(blob).ok()?;
        let aad = if sealed.contains(':') {
            prefix(number) + context
        } else {
            if blob.first() != Some(&1) {
                return None;
            }
            blob.remove(0);
            context.to_owned()
        };
        let (nonce, msg) = blob.split_first_chunk::<24>()?;
        cipher.decrypt(&XNonce::from(*nonce), Payload { msg, aad: aad.as_bytes() }).ok()
    }

    /// Whether the key that sealed this is in use: what one that was retired sealed is no forgery,
    /// but a mistake of whoever retired it too early.
    #[must_use]
    pub fn holds_key_of(&self, sealed: &str) -> bool {
        parts(sealed).is_some_and(|(number, _)| self.roots.find(number).is_some())
    }
}

fn prefix(number: u8) -> String {
    format!("{SEALED}:{number}:")
}

/// The number of the key that sealed a text, and what follows it.
fn parts(sealed: &str) -> Option<(u8, &str)> {
    let Some((version, rest)) = sealed.split_once(':') else { return Some((1, sealed)) };
    let (number, blob) = rest.split_once(':')?;
    (version == SEALED).then_some((numbered(number)?, blob))
}

/// The number of a key, in the one spelling that there is of it.
fn numbered(text: &str) -> Option<u8> {
    text.parse().ok().filter(|n: &u8| *n > 0 && n.to_string() == text)
}

/// 128 bits of the HMAC of a text.
fn short_mac(key: &[u8; 32], text: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(text.as_bytes());
    let hash = mac.finalize().into_bytes();
    URL_SAFE_NO_PAD.encode(hash.get(..16).unwrap_or_default())
}

/// SHA-256 of a random token, in hex: what is stored of API keys and tokens. They carry 256
/// random bits, so that a plain hash is enough.
#[must_use]
pub fn token_hash(token: &str) -> String {
    super::merkle::hex(&Sha256::digest(token.as_bytes()))
}

/// Compares secrets without telling by time where they differ.
#[must_use]
pub fn same_secret(a: &str, b: &str) -> bool {
    Sha256::digest(a).ct_eq(&Sha256::digest(b)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> RootKey {
        RootKey([n; 32])
    }
    fn text(n: u8) -> String {
        STANDARD.encode([n; 32])
    }
    fn ring(secret: &str) -> KeyRing {
        KeyRing::new(Roots::parse(secret).unwrap(), None).unwrap()
    }
    fn single(n: u8) -> KeyRing {
        ring(&text(n))
    }

    #[test]
    fn sealed_text_opens_only_in_its_context() {
        let sealed = single(1).seal("store_a", b"shpss_secret", [3; 24]).unwrap();
        assert!(!sealed.contains("shpss"));
        let opened = single(1).open("store_a", &sealed);
        assert_eq!(opened.as_deref(), Some(b"shpss_secret".as_slice()));
        assert_eq!(single(1).open("store_b", &sealed), None);
        assert_eq!(single(2).open("store_a", &sealed), None);
        let blob = sealed.strip_prefix("2:1:").unwrap();
        let moved = [format!("2:2:{blob}"), format!("3:1:{blob}"), format!("2:+1:{blob}")];
        let cut = [blob.to_owned(), format!("2:{blob}"), format!("2::{blob}")];
        for bad in ["", "AA==", "!!", "2:1:", "::", &sealed[..sealed.len() - 8]]
            .into_iter()
            .chain(moved.iter().chain(&cut).map(String::as_str))
        {
            assert_eq!(single(1).open("store_a", bad), None, "{bad}");
        }
        // Nor does it pass for another key's where both keys are the same bytes.
        let both = ring(&format!("1:active:{},2:verify:{}", text(1), text(2)));
        assert_eq!(both.open("store_a", &moved[0]), None);
    }

    /// Sealed before there were rings: such texts stand in databases.
    #[test]
    fn what_had_no_number_opens_with_key_one() {
        let old = "AQMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwsZ4JcCo7zAAlA1sgIjfzmNRAgjDpYm7qHn0eE=";
        let opens = |ring: &KeyRing| ring.open("store_a", old).as_deref() == Some(b"shpss_secret");
        assert!(opens(&single(1)));
        assert!(opens(&ring(&format!("2:active:{} 1:verify:{}", text(2), text(1)))));
        assert!(!opens(&ring(&format!("2:verify:{} 1:active:{}", text(1), text(2)))));
        assert!(single(1).open("store_b", old).is_none());
        let later = KeyRing::new(
            Roots::parse(&format!("1:retired:{},2:active:{}", text(1), text(2))).unwrap(),
            Some(key(1)),
        )
        .unwrap();
        assert!(!opens(&later) && !later.holds_key_of(old));
    }

    #[test]
    fn a_rotation_opens_the_old_and_seals_anew_and_hashes_as_before() {
        let brand = BrandId::from_bytes([1; 16]);
        let before = single(1);
        let sealed = before.seal("a", b"x", [3; 24]).unwrap();
        let during = ring(&format!("1:verify:{},\n2:active:{}", text(1), text(2)));
        assert_eq!((during.active(), during.prefix().as_str()), (2, "2:2:"));
        assert!(during.open("a", &sealed).is_some() && during.holds_key_of(&sealed));
        let anew = during.seal("a", b"x", [3; 24]).unwrap();
        assert!(anew.starts_with(&during.prefix()) && before.open("a", &anew).is_none());
        let after = Roots::parse(&format!("1:retired,2:active:{}", text(2))).unwrap();
        assert!(KeyRing::new(after.clone(), None).is_none(), "hashes would change");
        let after = KeyRing::new(after, Some(key(1))).unwrap();
        assert!(after.open("a", &anew).is_some() && !after.holds_key_of(&sealed));
        for ring in [&during, &after] {
            assert_eq!(ring.email_hash(brand, "a@b.c"), before.email_hash(brand, "a@b.c"));
        }
    }

    #[test]
    fn rings_are_read_strictly() {
        let (a, b) = (text(1), text(2));
        let numbers = |secret: &str| {
            Roots::parse(secret).map(|r| r.0.iter().map(|(n, _)| *n).collect::<Vec<_>>())
        };
        assert_eq!(numbers(&format!(" {a}\n")), Some(vec![1]));
        assert_eq!(numbers(&format!("7:active:{a}")), Some(vec![7]));
        let all = format!("1:verify:{a}, 255:active:{b} 3:retired 4:retired:{a}");
        assert_eq!(numbers(&all), Some(vec![255, 1]));
        for bad in [
            String::new(),
            "x".to_owned(),
            STANDARD.encode([1; 31]),
            format!("{a} {b}"),
            format!("1:verify:{a}"),
            format!("1:active:{a},2:active:{b}"),
            format!("1:active:{a},1:verify:{b}"),
            format!("1:active:{a},2:verify:{a}"),
            format!("0:active:{a}"),
            format!("256:active:{a}"),
            format!("+1:active:{a}"),
            format!("01:active:{a}"),
            format!("1:Active:{a}"),
            format!("1:active:{a}:x"),
            format!("1:active,2:verify:{b}"),
            format!("1:active:{a},2:verify"),
            format!("1:active:{a},{b}"),
            ":".to_owned(),
        ] {
            assert_eq!(numbers(&bad), None, "{bad}");
        }
    }

    #[test]
    fn tokens_are_kept_as_their_sha256_and_keys_as_they_are() {
        // The standard's own example (FIPS 180-4).
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(token_hash("abc"), abc);
        assert_eq!(RootKey::from_base64(&text(7)).unwrap().bytes(), &[7; 32]);
    }

    #[test]
    fn subkeys_differ_by_purpose_and_tenant() {
        let brand = |n| Some(BrandId::from_bytes([n; 16]));
        assert_ne!(key(1).subkey("email", brand(1)), key(1).subkey("email", brand(2)));
        assert_ne!(key(1).subkey("email", brand(1)), key(1).subkey("ledger", brand(1)));
        assert_ne!(key(1).subkey("seal", None), [0; 32]);
        let hash = |n| single(1).email_hash(BrandId::from_bytes([n; 16]), "ada@example.com");
        assert_ne!(hash(1), hash(2));
        assert_eq!(hash(1).len(), 22);
        assert_ne!(single(1).keyed_hash("a", &["x"]), single(1).keyed_hash("b", &["x"]));
        assert_ne!(single(1).keyed_hash("a", &["x", "y"]), single(1).keyed_hash("a", &["xy"]));
    }

    #[test]
    fn keys_are_read_strictly_and_never_printed() {
        assert!(RootKey::from_base64(&STANDARD.encode([5; 32])).is_some());
        assert_eq!(RootKey::from_base64(&STANDARD.encode([5; 31])), None);
        assert_eq!(RootKey::from_base64(""), None);
        assert_eq!(format!("{:?}", key(7)), "RootKey(…)");
        let printed = format!("{:?}", single(7));
        assert_eq!(printed, "KeyRing { roots: Roots([(1, RootKey(…))]), lasting: RootKey(…) }");
        assert!(same_secret("a", "a") && !same_secret("a", "b"));
    }
}
