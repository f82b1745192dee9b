//! Requests that a shop's own server signs, and those that we sign, as <https://www.standardwebhooks.com>
//! tells it: any of its libraries signs and verifies them, in whatever language the other side is written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::domain::time::Millis;

/// A signature holds so long around the time it tells: clocks differ, and what is older was recorded.
pub const TOLERANCE_MS: Millis = 300_000;

/// What secrets begin with.
const PREFIX: &str = "whsec_";
/// More signatures than a rotation needs are nobody's.
const MAX_SIGNATURES: usize = 8;
/// The longest `webhook-id`, in bytes.
const MAX_ID: usize = 256;

/// What a request says of its signature.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    /// `webhook-id`: the sender's name for the message, the same when it is repeated.
    pub id: &'a str,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: &'a str,
    /// `webhook-signature`: `v1,<base64>`, several between spaces while a secret is rotated.
    pub signature: &'a str,
}

/// A secret out of 256 random bits, as it is told once.
#[must_use]
pub fn secret(random: [u8; 32]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(random))
}

/// Whether one of `secrets` signed exactly this body now, give or take [`TOLERANCE_MS`].
///
/// A secret is the text that [`secret`] made; anything else fits nothing. Every secret is tried with
/// every signature, so that the time taken doesn't tell which one fitted.
#[must_use]
pub fn verify(body: &[u8], headers: Headers<'_>, secrets: &[&[u8]], now_ms: Millis) -> bool {
    let Headers { id, timestamp, signature } = headers;
    let digits = !timestamp.is_empty() && timestamp.bytes().all(|b| b.is_ascii_digit());
    let at_s: Option<i64> = timestamp.parse().ok().filter(|_| digits && timestamp.len() <= 12);
    let Some(at_s) = at_s else { return false };
    let named = !id.is_empty() && id.len() <= MAX_ID;
    if !named || (at_s * 1000 - now_ms).abs() > TOLERANCE_MS {
        return false;
    }
    let claimed: Vec<Vec<u8>> = signature
        .split(' ')
        .filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok())
        .filter(|mac| mac.len() == 32)
        .take(MAX_SIGNATURES)
        .collect();
    let mut authentic = false;
    for secret in secrets.iter().filter_map(|text| key(text)) {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&secret) else { continue };
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        for one in &claimed {
            authentic |= mac.clone().verify_slice(one).is_ok();
        }
    }
    authentic
}

/// What signs this body under this id and time (seconds since 1970): a signature for each of `secrets`,
/// between spaces. A secret that isn't one signs nothing.
#[must_use]
pub fn sign(body: &[u8], id: &str, at_s: i64, secrets: &[&[u8]]) -> String {
    let mut signatures = Vec::new();
    for secret in secrets.iter().filter_map(|text| key(text)) {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&secret) else { continue };
        mac.update(format!("{id}.{at_s}.").as_bytes());
        mac.update(body);
        signatures.push(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
    }
    signatures.join(" ")
}

/// The key that a secret's text means.
fn key(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?.strip_prefix(PREFIX)?;
    STANDARD.decode(text).ok().filter(|key| key.len() == 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_MS: Millis = 1_795_166_130_123;
    const BODY: &[u8] = br#"{"external_id":"1001"}"#;

    fn sign(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret.as_bytes()).unwrap()).unwrap();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    fn verified(id: &str, timestamp: &str, signature: &str, body: &[u8], secrets: &[&str]) -> bool {
        let secrets: Vec<&[u8]> = secrets.iter().map(|text| text.as_bytes()).collect();
        verify(body, Headers { id, timestamp, signature }, &secrets, AT_MS)
    }

    /// The example of the specification, made by its authors.
    #[test]
    fn the_published_example_is_accepted() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let body = br#"{"test": 2432232314}"#;
        let headers = Headers {
            id,
            timestamp: "1614265330",
            signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        };
        // Its secret has 24 bytes, ours have 32: here only the computation is compared.
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{id}.{}.", headers.timestamp).as_bytes());
        mac.update(body);
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(signature, headers.signature);
    }

    #[test]
    fn what_is_signed_verifies_by_each_of_its_secrets() {
        let (old, new) = (secret([1; 32]), secret([2; 32]));
        let both =
            super::sign(BODY, "m1", 1_795_166_130, &[new.as_bytes(), old.as_bytes(), b"whsec_"]);
        assert_eq!(both, [&new, &old].map(|s| sign(s, "m1", "1795166130", BODY)).join(" "));
        for secret in [&old, &new] {
            assert!(verified("m1", "1795166130", &both, BODY, &[secret]));
        }
        assert!(!verified("m1", "1795166130", &both, BODY, &[&super::secret([3; 32])]));
    }

    #[test]
    fn any_live_secret_and_any_of_several_signatures_fit() {
        let (old, new) = (secret([1; 32]), secret([2; 32]));
        let at = "1795166130";
        let by_old = sign(&old, "m1", at, BODY);
        let by_new = sign(&new, "m1", at, BODY);
        assert!(verified("m1", at, &by_old, BODY, &[&new, &old]));
        assert!(verified("m1", at, &format!("v1a,x {by_old} {by_new}"), BODY, &[&new]));
        assert!(!verified("m1", at, &by_old, BODY, &[&new]));
        assert!(!verified("m1", at, &by_old, BODY, &[]));
        assert!(!verified("m1", at, &by_old, BODY, &["", "whsec_", "hush", "whsec_AAAA"]));
    }

    #[test]
    fn body_id_and_time_are_signed() {
        let secret = secret([1; 32]);
        let at = "1795166130";
        let good = sign(&secret, "m1", at, BODY);
        assert!(verified("m1", at, &good, BODY, &[&secret]));
        assert!(!verified("m2", at, &good, BODY, &[&secret]));
        assert!(!verified("m1", "1795166131", &good, BODY, &[&secret]));
        assert!(!verified("m1", at, &good, br#"{"external_id":"1002"}"#, &[&secret]));
        let bare = good.strip_prefix("v1,").unwrap();
        for bad in
            ["", "v1,", bare, &good.to_lowercase(), &format!("v2,{bare}"), &format!("{good}A")]
        {
            assert!(!verified("m1", at, bad, BODY, &[&secret]), "{bad}");
        }
    }

    #[test]
    fn what_is_too_old_or_too_new_or_no_time_is_refused() {
        let secret = secret([1; 32]);
        for (at, fits) in [
            ("1795165831", true),
            ("1795165829", false),
            ("1795166430", true),
            ("1795166431", false),
            ("0", false),
            ("", false),
            ("-1795166130", false),
            ("+1795166130", false),
            (" 1795166130", false),
            ("1795166130.0", false),
            ("1795166130123", false),
            ("99999999999999999999", false),
        ] {
            assert_eq!(
                verified("m1", at, &sign(&secret, "m1", at, BODY), BODY, &[&secret]),
                fits,
                "{at}"
            );
        }
        let at = "1795166130";
        let long = "m".repeat(MAX_ID + 1);
        for id in ["", &long] {
            assert!(!verified(id, at, &sign(&secret, id, at, BODY), BODY, &[&secret]));
        }
    }
}
