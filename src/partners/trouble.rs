//! Why a platform didn't do what it was asked.

use crate::domain::time::Millis;

/// Why not, in words for the brand that quote no secret and nothing personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It wasn't done. The platform asks for patience, until this time if it said so.
    Later(Option<Millis>, String),
    /// Nobody knows whether it was done: look before it is asked for again.
    Unknown(String),
    /// It was refused, and will be until what is asked for changes.
    Refused(String),
    /// The platform doesn't let us in until somebody changes something.
    Disconnected(String),
}

impl Trouble {
    /// The words.
    #[must_use]
    pub fn words(&self) -> &str {
        match self {
            Self::Later(_, words)
            | Self::Unknown(words)
            | Self::Refused(words)
            | Self::Disconnected(words) => words,
        }
    }
}

/// When `Retry-After` ends: seconds, as all platforms of ours tell it. A date, or anything else that
/// can't be read, tells nothing.
#[must_use]
pub fn retry_at_ms(header: &str, now_ms: Millis) -> Option<Millis> {
    let whole = header.trim().split('.').next().unwrap_or_default();
    let seconds: u32 = whole.parse().ok()?;
    Some(now_ms + (Millis::from(seconds) + 1) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_told_in_seconds() {
        assert_eq!(retry_at_ms("2.0", 0), Some(3_000));
        assert_eq!(retry_at_ms(" 10 ", 5), Some(11_005));
        for nothing in ["", "soon", "-1", "99999999999", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert_eq!(retry_at_ms(nothing, 0), None, "{nothing}");
        }
    }
}
