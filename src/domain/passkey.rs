//! Passkeys: what an authenticator says (Web Authentication, level 3), checked.
//!
//! Only what a second factor needs: P-256 keys (ES256), which every authenticator has, no
//! attestation, and the user verified. The signature itself is checked by a port: every runtime
//! has P-256, and 80 kB of it in the module would be loaded by every redirect.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Where passkeys of this deployment are used.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// `https://app.example`
    pub origin: &'a str,
}

impl<'a> Site<'a> {
    /// The relying party's id: the host without a port.
    #[must_use]
    pub fn rp_id(self) -> &'a str {
        let host = self.origin.split_once("://").map_or(self.origin, |(_, host)| host);
        host.split(':').next().unwrap_or(host)
    }
}

/// What an authenticator is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceremony {
    /// A new key: `webauthn.create`.
    Create,
    /// A signature by a known one: `webauthn.get`.
    Get,
}

/// A new passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPasskey {
    /// The authenticator's name for it, base64url.
    pub credential_id: String,
    /// x and y, base64url; whether they are a point on P-256 is for the port to say.
    pub public_key: String,
    /// How often it signed.
    pub sign_count: u32,
}

/// Something that a known passkey must have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// What was signed.
    pub message: Vec<u8>,
    /// r and s, 32 bytes each.
    pub signature: [u8; 64],
    /// How often the passkey has signed; 0 where it doesn't count.
    pub sign_count: u32,
}

/// What the browser says about a ceremony.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientData {
    /// Its words, which are part of what is signed.
    pub bytes: Vec<u8>,
    /// The same, read as JSON.
    pub told: Value,
}

/// The authenticator's answer is not what was asked for. Which part isn't told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the passkey could not be verified")]
pub struct Refused;

/// The longest id of a credential that is kept, in bytes: the specification's own limit.
const MAX_CREDENTIAL: usize = 1023;

/// Reads what an authenticator says of a new key. `challenge` is what it was asked with, base64url.
///
/// # Errors
/// It answers something else, or with another kind of key.
pub fn registered(
    site: Site<'_>,
    challenge: &str,
    client_data: &ClientData,
    authenticator_data: &str,
) -> Result<NewPasskey, Refused> {
    client(site, challenge, Ceremony::Create, &client_data.told)?;
    let data = decode(authenticator_data)?;
    let (flags, sign_count, rest) = authenticator(site, &data)?;
    if flags & ATTESTED == 0 {
        return Err(Refused);
    }
    // The kind of authenticator (16 bytes) isn't asked for.
    let rest = rest.get(16..).ok_or(Refused)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(Refused)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (id, key) = rest.split_at_checked(length).ok_or(Refused)?;
    if id.is_empty() || id.len() > MAX_CREDENTIAL {
        return Err(Refused);
    }
    Ok(NewPasskey {
        credential_id: URL_SAFE_NO_PAD.encode(id),
        public_key: URL_SAFE_NO_PAD.encode(p256_key(key)?),
        sign_count,
    })
}

/// Reads what an authenticator says with a signature, which is still to be verified.
///
/// # Errors
/// It answers something else, or its count went back: the key was copied.
pub fn asserted(
    site: Site<'_>,
    challenge: &str,
    client_data: &ClientData,
    authenticator_data: &str,
    signature: &str,
    last_count: u32,
) -> Result<Assertion, Refused> {
    client(site, challenge, Ceremony::Get, &client_data.told)?;
    let mut message = decode(authenticator_data)?;
    let (_, sign_count, _) = authenticator(site, &message)?;
    if sign_count <= last_count && (sign_count, last_count) != (0, 0) {
        return Err(Refused);
    }
    message.extend_from_slice(&Sha256::digest(&client_data.bytes));
    Ok(Assertion { message, signature: raw_signature(&decode(signature)?)?, sign_count })
}

/// Bytes in base64url without padding.
///
/// # Errors
/// They aren't.
pub fn decode(text: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused)
}

/// The browser's own words: which ceremony, for which challenge, on which page.
fn client(
    site: Site<'_>,
    challenge: &str,
    ceremony: Ceremony,
    told: &Value,
) -> Result<(), Refused> {
    let says = |name: &str, expected: &str| {
        let value = told.get(name).and_then(Value::as_str).unwrap_or_default();
        bool::from(value.as_bytes().ct_eq(expected.as_bytes()))
    };
    let kind = match ceremony {
        Ceremony::Create => "webauthn.create",
        Ceremony::Get => "webauthn.get",
    };
    let framed = told.get("crossOrigin").and_then(Value::as_bool).unwrap_or(false);
    let right = says("type", kind) && says("challenge", challenge) && says("origin", site.origin);
    (right && !framed).then_some(()).ok_or(Refused)
}

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 4;
/// The key may be backed up,
const BACKUP_ELIGIBLE: u8 = 8;
/// and is.
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;

/// The authenticator's words: for whom, with the user there and verified. The flags, the count, and
/// what follows.
fn authenticator<'a>(site: Site<'_>, data: &'a [u8]) -> Result<(u8, u32, &'a [u8]), Refused> {
    let (rp_hash, rest) = data.split_first_chunk::<32>().ok_or(Refused)?;
    let (flags, rest) = rest.split_first().ok_or(Refused)?;
    let (count, rest) = rest.split_first_chunk::<4>().ok_or(Refused)?;
    let verified = flags & USER_PRESENT != 0 && flags & USER_VERIFIED != 0;
    let sound = flags & (BACKUP_ELIGIBLE | BACKED_UP) != BACKED_UP;
    let ours = rp_hash[..] == Sha256::digest(site.rp_id())[..];
    if !(verified && sound && ours) {
        return Err(Refused);
    }
    Ok((*flags, u32::from_be_bytes(*count), rest))
}

/// x and y of an ES256 key. Authenticators must write COSE keys in CTAP2's canonical form, in
/// which such a key has but one spelling: no reader of CBOR is needed.
fn p256_key(cose: &[u8]) -> Result<[u8; 64], Refused> {
    /// `{1: 2, 3: -7, -1: 1, -2: x, -3: y}`
    const BEFORE_X: [u8; 10] = [0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20];
    const BEFORE_Y: [u8; 3] = [0x22, 0x58, 0x20];
    let rest = cose.strip_prefix(&BEFORE_X).ok_or(Refused)?;
    let (x, rest) = rest.split_first_chunk::<32>().ok_or(Refused)?;
    let rest = rest.strip_prefix(&BEFORE_Y).ok_or(Refused)?;
    let (y, _) = rest.split_first_chunk::<32>().ok_or(Refused)?;
    [&x[..], &y[..]].concat().try_into().map_err(|_| Refused)
}

/// r and s of a signature in DER.
fn raw_signature(der: &[u8]) -> Result<[u8; 64], Refused> {
    let body = match der.split_first_chunk::<2>() {
        Some(([0x30, length], body)) if usize::from(*length) == body.len() => body,
        _ => return Err(Refused),
    };
    let (r, rest) = der_integer(body)?;
    let (s, rest) = der_integer(rest)?;
    if !rest.is_empty() {
        return Err(Refused);
    }
    [r, s].concat().try_into().map_err(|_| Refused)
}

/// A positive integer of at most 32 bytes, and what follows it.
fn der_integer(der: &[u8]) -> Result<([u8; 32], &[u8]), Refused> {
    let Some(([0x02, length], rest)) = der.split_first_chunk::<2>() else { return Err(Refused) };
    let (digits, rest) = rest.split_at_checked(usize::from(*length)).ok_or(Refused)?;
    let digits = match digits {
        [0, more @ ..] if more.first().is_some_and(|first| first & 0x80 != 0) => more,
        [0] | [1..=0x7f, ..] => digits,
        _ => return Err(Refused),
    };
    let mut integer = [0; 32];
    let from = integer.len().checked_sub(digits.len()).ok_or(Refused)?;
    integer.get_mut(from..).ok_or(Refused)?.copy_from_slice(digits);
    Ok((integer, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: Site<'static> = Site { origin: "https://app.example:8443" };

    fn b64(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn client_data(kind: &str, challenge: &str, origin: &str) -> ClientData {
        let told = serde_json::json!({ "type": kind, "challenge": challenge, "origin": origin });
        ClientData { bytes: told.to_string().into_bytes(), told }
    }

    fn authenticator_data(rp_id: &str, flags: u8, count: u32) -> Vec<u8> {
        let mut data = Sha256::digest(rp_id).to_vec();
        data.push(flags);
        data.extend_from_slice(&count.to_be_bytes());
        data
    }

    fn attested(key: &[u8]) -> Vec<u8> {
        let mut data = authenticator_data("app.example", 0x45, 0);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&[0, 3, 7, 8, 9]);
        data.extend_from_slice(key);
        data
    }

    fn cose() -> Vec<u8> {
        let mut key = vec![0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20];
        key.extend_from_slice(&[1; 32]);
        key.extend_from_slice(&[0x22, 0x58, 0x20]);
        key.extend_from_slice(&[2; 32]);
        key
    }

    #[test]
    fn a_new_key_is_read_and_any_other_answer_refused() {
        let good = client_data("webauthn.create", "c", SITE.origin);
        let read = |client: &ClientData, data: &[u8]| registered(SITE, "c", client, &b64(data));
        let key = read(&good, &attested(&cose())).unwrap();
        assert_eq!(key.credential_id, b64([7, 8, 9]));
        assert_eq!(key.public_key, b64([[1; 32], [2; 32]].concat()));
        for client in [
            client_data("webauthn.get", "c", SITE.origin),
            client_data("webauthn.create", "d", SITE.origin),
            client_data("webauthn.create", "c", "https://evil.example"),
            ClientData { bytes: vec![], told: Value::Null },
        ] {
            assert_eq!(read(&client, &attested(&cose())), Err(Refused), "{client:?}");
        }
        let whole = attested(&cose());
        for length in 0..whole.len() {
            assert_eq!(read(&good, &whole[..length]), Err(Refused), "cut at {length}");
        }
        let mut rsa = cose();
        rsa[4] = 0x27;
        assert_eq!(read(&good, &attested(&rsa)), Err(Refused));
        let mut unverified = whole.clone();
        unverified[32] = 0x41;
        assert_eq!(read(&good, &unverified), Err(Refused));
        for (flags, sound) in [(0x55, false), (0x4d, true), (0x5d, true)] {
            let mut backed_up = whole.clone();
            backed_up[32] = flags;
            assert_eq!(read(&good, &backed_up).is_ok(), sound, "{flags:x}");
        }
        let mut elsewhere = whole;
        elsewhere[0] ^= 1;
        assert_eq!(read(&good, &elsewhere), Err(Refused));
    }

    fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
        let integer = |digits: &[u8]| [&[2, digits.len() as u8], digits].concat();
        let body = [integer(r), integer(s)].concat();
        [&[0x30, body.len() as u8], body.as_slice()].concat()
    }

    #[test]
    fn an_assertion_is_what_was_asked_for_and_counts_up() {
        let good = client_data("webauthn.get", "c", SITE.origin);
        let ask = |count: u32, last: u32| {
            let data = b64(authenticator_data("app.example", 5, count));
            asserted(SITE, "c", &good, &data, &b64(der(&[1], &[0, 0x80])), last)
        };
        let found = ask(5, 4).unwrap();
        assert_eq!((found.sign_count, found.message.len()), (5, 37 + 32));
        assert_eq!((found.signature[31], found.signature[63]), (1, 0x80));
        assert!(ask(0, 0).is_ok());
        for (count, last) in [(4, 4), (3, 4), (0, 4)] {
            assert_eq!(ask(count, last), Err(Refused), "{count} after {last}");
        }
    }

    #[test]
    fn signatures_have_one_spelling() {
        assert!(raw_signature(&der(&[1; 32], &[1; 31])).is_ok());
        let mut long = vec![0];
        long.extend_from_slice(&[0xff; 32]);
        assert!(raw_signature(&der(&long, &[1])).is_ok());
        for bad in [
            der(&[1; 33], &[1]),
            der(&[], &[1]),
            der(&[0x80], &[1]),
            der(&[0, 1], &[1]),
            vec![],
            vec![0x30],
            [der(&[1], &[1]), vec![0]].concat(),
        ] {
            assert_eq!(raw_signature(&bad), Err(Refused), "{bad:?}");
        }
    }

    #[test]
    fn the_party_is_the_host() {
        assert_eq!(SITE.rp_id(), "app.example");
        assert_eq!(Site { origin: "http://localhost:8787" }.rp_id(), "localhost");
    }
}
