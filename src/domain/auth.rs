//! Bearer tokens: how they look and what they are.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a bearer token opens. Each is `prefix` and 43 characters of 256 random bits; only a hash
/// of it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A brand's API key.
    ApiKey,
    /// A creator's access token.
    CreatorToken,
    /// An invitation, which its acceptance spends.
    Invitation,
}

impl TokenKind {
    /// The first characters, so that a leaked token is recognised for what it is.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "tbk_",
            Self::CreatorToken => "tbc_",
            Self::Invitation => "tbi_",
        }
    }

    /// A token of this kind from 256 random bits.
    #[must_use]
    pub fn token(self, random: [u8; 32]) -> String {
        format!("{}{}", self.prefix(), URL_SAFE_NO_PAD.encode(random))
    }

    /// The kind of a text that has the form of a token.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        [Self::ApiKey, Self::CreatorToken, Self::Invitation].into_iter().find(|kind| {
            text.strip_prefix(kind.prefix()).is_some_and(|rest| {
                rest.len() == 43
                    && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            })
        })
    }
}

/// The first API key in a query string, which must never carry one: it is refused and revoked.
#[must_use]
pub fn api_key_in_query(query: &str) -> Option<String> {
    query
        .split('&')
        .map(|pair| super::link::percent_decode(pair.split_once('=').map_or(pair, |(_, v)| v)))
        .find(|value| TokenKind::of(value) == Some(TokenKind::ApiKey))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_tell_their_kind() {
        let key = TokenKind::ApiKey.token([1; 32]);
        assert_eq!(TokenKind::of(&key), Some(TokenKind::ApiKey));
        assert_eq!(
            TokenKind::of(&TokenKind::CreatorToken.token([1; 32])),
            Some(TokenKind::CreatorToken)
        );
        for bad in
            ["", "tbk_", "tbk_short", &key[..46], &format!("{key}x"), &key.replace("tbk", "xyz")]
        {
            assert_eq!(TokenKind::of(bad), None, "{bad}");
        }
        assert_eq!(api_key_in_query(&format!("a=1&key={key}")), Some(key.clone()));
        assert_eq!(api_key_in_query(&format!("a=1&key=%74{}", &key[1..])), Some(key));
        assert_eq!(api_key_in_query("a=1&key=x"), None);
    }
}
