//! Base64 (RFC 4648), read strictly: each sequence of bytes has one spelling only.

/// A spelling of base64.
pub struct Base64 {
    /// The symbols for 62 and 63.
    last: [u8; 2],
    padded: bool,
}

/// The standard alphabet with padding.
pub const STANDARD: Base64 = Base64 { last: *b"+/", padded: true };
/// The standard alphabet without padding.
pub const STANDARD_NO_PAD: Base64 = Base64 { last: *b"+/", padded: false };
/// The alphabet for addresses, without padding.
pub const URL_SAFE_NO_PAD: Base64 = Base64 { last: *b"-_", padded: false };

impl Base64 {
    /// The text for these bytes.
    #[must_use]
    pub fn encode(&self, bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
        self.append(bytes, &mut text);
        text
    }

    /// Appends the text for these bytes.
    pub fn append(&self, bytes: &[u8], text: &mut String) {
        for three in bytes.chunks(3) {
            let byte = |at: usize| three.get(at).copied().map_or(0, u32::from);
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for shift in [18, 12, 6, 0].into_iter().take(three.len() + 1) {
                text.push(self.symbol(bits >> shift & 63).into());
            }
            if self.padded {
                (three.len()..3).for_each(|_| text.push('='));
            }
        }
    }

    /// The bytes that a text spells; `None` if it isn't how [`Self::encode`] spells any.
    #[must_use]
    pub fn decode(&self, text: &str) -> Option<Vec<u8>> {
        let symbols = if self.padded {
            let whole = text.len().is_multiple_of(4).then_some(text)?;
            whole.strip_suffix("==").or(whole.strip_suffix('=')).unwrap_or(whole)
        } else {
            text
        };
        let mut bytes = Vec::with_capacity(symbols.len() / 4 * 3 + 2);
        for four in symbols.as_bytes().chunks(4) {
            let mut bits = 0;
            for at in 0..4 {
                bits = bits << 6 | four.get(at).map_or(Some(0), |symbol| self.value(*symbol))?;
            }
            let [_, three @ ..] = bits.to_be_bytes();
            let (kept, rest) = three.split_at(four.len() - 1);
            // One symbol is no byte, and bits that are left over have to be zero.
            if kept.is_empty() || rest.iter().any(|byte| *byte != 0) {
                return None;
            }
            bytes.extend_from_slice(kept);
        }
        Some(bytes)
    }

    fn symbol(&self, value: u32) -> u8 {
        let [plus, slash] = self.last;
        // Below 64, so that nothing is cut off.
        let value = value as u8;
        match value {
            0..26 => b'A' + value,
            26..52 => b'a' + (value - 26),
            52..62 => b'0' + (value - 52),
            62 => plus,
            _ => slash,
        }
    }

    fn value(&self, symbol: u8) -> Option<u32> {
        let [plus, slash] = self.last;
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            _ if symbol == plus => 62,
            _ if symbol == slash => 63,
            _ => return None,
        };
        Some(value.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose as oracle;
    use proptest::prelude::*;

    fn same(text: &str) -> Result<(), TestCaseError> {
        prop_assert_eq!(STANDARD.decode(text), oracle::STANDARD.decode(text).ok());
        prop_assert_eq!(STANDARD_NO_PAD.decode(text), oracle::STANDARD_NO_PAD.decode(text).ok());
        prop_assert_eq!(URL_SAFE_NO_PAD.decode(text), oracle::URL_SAFE_NO_PAD.decode(text).ok());
        Ok(())
    }

    proptest! {
        #[test]
        fn bytes_are_spelled_as_by_the_crate(bytes: Vec<u8>) {
            prop_assert_eq!(STANDARD.encode(&bytes), oracle::STANDARD.encode(&bytes));
            prop_assert_eq!(STANDARD_NO_PAD.encode(&bytes), oracle::STANDARD_NO_PAD.encode(&bytes));
            prop_assert_eq!(URL_SAFE_NO_PAD.encode(&bytes), oracle::URL_SAFE_NO_PAD.encode(&bytes));
            same(&STANDARD.encode(&bytes))?;
            same(&URL_SAFE_NO_PAD.encode(&bytes))?;
        }

        #[test]
        fn texts_are_read_as_by_the_crate(text in "[A-Za-z0-9+/_=-]{0,12}", any: String) {
            same(&text)?;
            same(&any)?;
        }

        // Short ones, so that all that can be wrong at the end occurs.
        #[test]
        fn ends_are_read_as_by_the_crate(text in "[AQgz/_=\n ]{0,6}") {
            same(&text)?;
        }
    }
}
