//! Bearer tokens, how they look and what they are; scopes, what a key may do; actors, who did it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ids::{CreatorId, KeyId, MemberId};

/// What a bearer token opens. Each is `prefix` and 43 characters of 256 random bits; only a hash
/// of it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A brand's API key.
    ApiKey,
    /// A creator's access token.
    CreatorToken,
    /// An invitation of a creator, which its acceptance spends.
    Invitation,
    /// An invitation of a member, which only starts a sign-in.
    MemberInvitation,
    /// The token of a mailed sign-in link.
    SignIn,
}

impl TokenKind {
    /// The first characters, so that a leaked token is recognised for what it is.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "tbk_",
            Self::CreatorToken => "tbc_",
            Self::Invitation => "tbi_",
            Self::MemberInvitation => "tbm_",
            Self::SignIn => "tbs_",
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
        const KINDS: [TokenKind; 5] = [
            TokenKind::ApiKey,
            TokenKind::CreatorToken,
            TokenKind::Invitation,
            TokenKind::MemberInvitation,
            TokenKind::SignIn,
        ];
        KINDS.into_iter().find(|kind| {
            text.strip_prefix(kind.prefix()).is_some_and(|rest| {
                rest.len() == 43
                    && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            })
        })
    }
}

/// What an API key may do. Each is asked for on its own: none includes another, but for `conversions`,
/// which `deals` includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look at everything of the brand.
    Read,
    /// Change creators, campaigns, deals, links and codes.
    Deals,
    /// Move money.
    Money,
    /// Change settings, stores and keys.
    Admin,
    /// Report orders of the brand's own shop, and nothing else.
    Conversions,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Read, Self::Deals, Self::Money, Self::Admin, Self::Conversions];

    /// Its name in storage and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Deals => "deals",
            Self::Money => "money",
            Self::Admin => "admin",
            Self::Conversions => "conversions",
        }
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// What opens everything.
    #[must_use]
    pub fn all() -> Self {
        Self::of(&[Scope::Read, Scope::Deals, Scope::Money, Scope::Admin])
    }

    /// These.
    #[must_use]
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | 1 << *scope as u8))
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn has(self, scope: Scope) -> bool {
        self.0 & 1 << scope as u8 != 0
    }

    /// Whether they allow what this one does: by itself, or by one that includes it.
    #[must_use]
    pub fn allow(self, scope: Scope) -> bool {
        self.has(scope) || (scope == Scope::Conversions && self.has(Scope::Deals))
    }

    /// Whether they allow all that `other` do.
    #[must_use]
    pub fn include(self, other: Self) -> bool {
        other.list().into_iter().all(|scope| self.allow(scope))
    }

    /// The others.
    #[must_use]
    pub fn without(self, scope: Scope) -> Self {
        Self(self.0 & !(1 << scope as u8))
    }

    /// Them, in their usual order.
    #[must_use]
    pub fn list(self) -> Vec<Scope> {
        Scope::ALL.into_iter().filter(|scope| self.has(*scope)).collect()
    }

    /// The text that storage keeps: names between spaces.
    #[must_use]
    pub fn to_text(self) -> String {
        self.list().into_iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
    }

    /// The set that such a text names. A name that isn't known opens nothing.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let named = |scope: &Scope| text.split(' ').any(|name| name == scope.as_str());
        Self::of(&Scope::ALL.into_iter().filter(named).collect::<Vec<_>>())
    }
}

/// Who does something, for the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Who runs the deployment.
    Operator,
    /// Whoever has this API key.
    Key(KeyId),
    /// A creator, by her own token or signed in.
    Creator(CreatorId),
    /// A member, signed in.
    Member(MemberId),
    /// A job, by its name in GET /v1/status.
    Job(&'static str),
}

impl Actor {
    /// Its kind in storage.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Key(_) => "key",
            Self::Creator(_) => "creator",
            Self::Member(_) => "member",
            Self::Job(_) => "job",
        }
    }

    /// A key or a member as storage keeps them.
    #[must_use]
    pub fn of(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "key" => id.parse().ok().map(Self::Key),
            "member" => id.parse().ok().map(Self::Member),
            _ => None,
        }
    }

    /// Its id in storage, empty for the operator.
    #[must_use]
    pub fn id(self) -> String {
        match self {
            Self::Operator => String::new(),
            Self::Key(id) => id.to_string(),
            Self::Creator(id) => id.to_string(),
            Self::Member(id) => id.to_string(),
            Self::Job(name) => name.to_owned(),
        }
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

    #[test]
    fn scopes_are_sets_and_survive_their_text() {
        for bits in 0..16_u8 {
            let scopes = Scopes(bits);
            assert_eq!(Scopes::from_text(&scopes.to_text()), scopes);
            assert_eq!(Scopes::of(&scopes.list()), scopes);
            assert!(Scopes::all().include(scopes));
            assert_eq!(scopes.include(Scopes::all()), bits == 15);
        }
        let some = Scopes::from_text("read money sudo Admin");
        assert_eq!(some.list(), [Scope::Read, Scope::Money]);
        assert!(!some.include(Scopes::of(&[Scope::Read, Scope::Admin])));
    }
}
