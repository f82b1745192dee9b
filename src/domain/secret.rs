//! Keys, keyed hashes and sealed text (reference: reliability.md section 4).
//!
//! One 32-byte root per purpose family; HKDF-SHA-256 subkeys named by purpose; nothing here prints
//! itself. RustCrypto in the pure core, so that vectors and fuzzing reach it natively.

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

    /// The bytes, for key rings that derive their own subkeys.
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

    /// Encrypts `text` so that only `context` (who and what it belongs to) can open it again.
    #[must_use]
    pub fn seal(&self, context: &str, text: &[u8], nonce: [u8; 24]) -> Option<String> {
        let key = self.subkey("seal", None);
        let cipher = XChaCha20Poly1305::new_from_slice(&key).ok()?;
        let payload = Payload { msg: text, aad: context.as_bytes() };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
        let mut blob = vec![1];
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(&sealed);
        Some(STANDARD.encode(blob))
    }

    /// What [`Self::seal`] encrypted; `None` if it was altered or belongs to another context.
    #[must_use]
    pub fn open(&self, context: &str, sealed: &str) -> Option<Vec<u8>> {
        let blob = STANDARD.decode(sealed).ok()?;
        let (version, rest) = blob.split_first()?;
        let (nonce, sealed) = rest.split_first_chunk::<24>()?;
        if *version != 1 {
            return None;
        }
        let key = self.subkey("seal", None);
        let cipher = XChaCha20Poly1305::new_from_slice(&key).ok()?;
        let payload = Payload { msg: sealed, aad: context.as_bytes() };
        cipher.decrypt(&XNonce::from(*nonce), payload).ok()
    }
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

    #[test]
    fn sealed_text_opens_only_in_its_context() {
        let sealed = key(1).seal("store_a", b"shpss_secret", [3; 24]).unwrap();
        assert!(!sealed.contains("shpss"));
        assert_eq!(key(1).open("store_a", &sealed).as_deref(), Some(b"shpss_secret".as_slice()));
        assert_eq!(key(1).open("store_b", &sealed), None);
        assert_eq!(key(2).open("store_a", &sealed), None);
        for bad in ["", "AA==", "!!", &sealed[..sealed.len() - 8]] {
            assert_eq!(key(1).open("store_a", bad), None);
        }
    }

    #[test]
    fn subkeys_differ_by_purpose_and_tenant() {
        let brand = |n| Some(BrandId::from_bytes([n; 16]));
        assert_ne!(key(1).subkey("email", brand(1)), key(1).subkey("email", brand(2)));
        assert_ne!(key(1).subkey("email", brand(1)), key(1).subkey("ledger", brand(1)));
        assert_ne!(key(1).subkey("seal", None), [0; 32]);
        let hash = |n| key(1).email_hash(BrandId::from_bytes([n; 16]), "ada@example.com");
        assert_ne!(hash(1), hash(2));
        assert_eq!(hash(1).len(), 22);
        assert_ne!(key(1).keyed_hash("a", &["x"]), key(1).keyed_hash("b", &["x"]));
        assert_ne!(key(1).keyed_hash("a", &["x", "y"]), key(1).keyed_hash("a", &["xy"]));
    }

    #[test]
    fn keys_are_read_strictly_and_never_printed() {
        assert!(RootKey::from_base64(&STANDARD.encode([5; 32])).is_some());
        assert_eq!(RootKey::from_base64(&STANDARD.encode([5; 31])), None);
        assert_eq!(RootKey::from_base64(""), None);
        assert_eq!(format!("{:?}", key(7)), "RootKey(…)");
        assert!(same_secret("a", "a") && !same_secret("a", "b"));
    }
}
