//! Who calls: the operator, whoever has an API key or a creator's token, or a person who signed in;
//! and what each may do.

use std::marker::PhantomData;
use std::sync::Arc;

use http::StatusCode;

use crate::app::{App, Pending};
use crate::domain::auth::{Actor, Scope, Scopes, TokenKind, api_key_in_query};
use crate::domain::ids::{BrandId, CreatorId, KeyId};
use crate::domain::secret::{same_secret, token_hash};
use crate::domain::session::{
    BROWSER_COOKIE, SEEN_MS, SESSION_COOKIE, STEP_UP_MS, SecondFactor, device, session_end,
};
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::storage::access;
use crate::storage::audit;
use crate::storage::sessions::{self, Membership, SessionRow};
use crate::web::handler::{Call, Extract};
use crate::web::limits;
use crate::web::message::Request;

/// A key's use is noted at most this often.
const NOTE_USE_AFTER_MS: Millis = 3_600_000;

/// Whose token or cookie a request brings.
#[derive(Clone)]
pub enum Identity {
    /// None that is known.
    Nobody,
    /// The operator's.
    Operator,
    /// A key of this brand, what it may do, and whether the brand has events told or automations.
    Key {
        /// Whose.
        brand: BrandId,
        /// Which.
        id: KeyId,
        /// What it may do.
        scopes: Scopes,
        /// Whether an endpoint or an automation of the brand listens.
        told: bool,
    },
    /// A token of this brand's creator.
    Creator(BrandId, CreatorId),
    /// A session.
    Person(Arc<SessionRow>),
}

impl Identity {
    /// Whose calls are told apart by: a key, a person, a creator's token.
    pub fn name(&self) -> String {
        match self {
            Self::Nobody => String::new(),
            Self::Operator => "operator".to_owned(),
            Self::Key { id, .. } => id.to_string(),
            Self::Creator(_, creator) => creator.to_string(),
            Self::Person(session) => session.person_id.to_string(),
        }
    }
}

/// Finds out who calls.
///
/// # Errors
/// 400 for an API key in the address, which is in somebody's logs by now: it is revoked. 403 for a
/// cookie that comes with another site's request to change something. 503 if D1 is away.
pub fn identify<'a>(app: &'a App, request: &'a Request<'a>) -> Pending<'a, Result<Identity>> {
    Box::pin(async move {
        let found = whose(app, request).await?;
        if !matches!(found, Identity::Nobody) {
            // From now on it has its own share of what may be asked.
            if let Some(token) = limits::token_of(request) {
                app.memory.remember_token(token);
            }
        }
        Ok(found)
    })
}

fn whose<'a>(app: &'a App, request: &'a Request<'a>) -> Pending<'a, Result<Identity>> {
    Box::pin(async move {
        if let Some(key) = api_key_in_query(request.query()) {
            let (hash, now_ms) = (token_hash(&key), app.now_ms());
            let note = audit::note_leak(&hash, app.new_id(), request.id, now_ms);
            app.db().run(vec![note, access::revoke_key(&hash, now_ms)]).await?;
            let why = "an API key must never stand in an address; it was revoked";
            return Err(Error::Malformed(why.to_owned()).into());
        }
        let Some(token) = bearer(request) else { return person(app, request).await };
        let expected = &app.config.operator_token;
        if !expected.is_empty() && same_secret(token, expected) {
            return Ok(Identity::Operator);
        }
        let known = match TokenKind::of(token) {
            Some(TokenKind::ApiKey) => key(app, &token_hash(token)).await?,
            Some(TokenKind::CreatorToken) => {
                let row = access::token(app.db(), &token_hash(token)).await?;
                row.filter(|row| row.expires_at_ms > app.now_ms())
                    .map(|row| Identity::Creator(row.brand_id, row.creator_id))
            }
            _ => None,
        };
        Ok(known.unwrap_or(Identity::Nobody))
    })
}

/// With this header a page asks for itself again: nobody is there by that, so that an idle session ends in its time.
pub const BY_ITSELF: &str = "tributary-by-itself";

/// The person whose session the request's cookie opens.
async fn person(app: &App, request: &Request<'_>) -> Result<Identity> {
    let Some(secret) = request.cookie(SESSION_COOKIE) else { return Ok(Identity::Nobody) };
    if !matches!(request.method, "GET" | "HEAD") {
        same_origin(app, request)?;
    }
    let found = sessions::find(app.db(), &token_hash(secret)).await?;
    let now_ms = app.now_ms();
    let end = |s: &SessionRow| session_end(s.created_at_ms, s.last_seen_at_ms, s.is_member());
    let Some(session) = found.filter(|session| end(session) > now_ms) else {
        return Ok(Identity::Nobody);
    };
    if request.header(BY_ITSELF).is_none() && now_ms - session.last_seen_at_ms >= SEEN_MS {
        // As with keys: a note that fails is made with the next request.
        let _ = app.db().run(vec![sessions::seen(&session.secret_hash, now_ms)]).await;
    }
    Ok(Identity::Person(Arc::new(session)))
}

/// Whether it is our own page that asks to change something.
///
/// # Errors
/// 403 if it is another one's, or if the browser doesn't say.
pub fn same_origin(app: &App, request: &Request<'_>) -> Result<()> {
    let ours = match request.header("sec-fetch-site") {
        Some("same-origin") => true,
        // Typed or bookmarked, or a browser that doesn't tell: then the origin must.
        Some("none") | None => request.header("origin") == Some(&app.config.public_origin),
        Some(_) => false,
    };
    ours.then_some(()).ok_or(Error::denied(
        StatusCode::FORBIDDEN,
        "cross-site",
        "this may be asked for by our own pages only",
    ))
}

/// The brand's key with this hash, unless it was revoked or has expired.
async fn key(app: &App, hash: &str) -> Result<Option<Identity>> {
    let now_ms = app.now_ms();
    let found = access::key(app.db(), hash).await?;
    let Some(key) = found.filter(|key| key.expires_at_ms.is_none_or(|end| end > now_ms)) else {
        return Ok(None);
    };
    if key.last_used_at_ms.is_none_or(|last| now_ms - last >= NOTE_USE_AFTER_MS) {
        // A note that fails is made with the next use.
        let _ = app.db().run(vec![access::use_key(key.brand_id, hash, now_ms)]).await;
    }
    let mut scopes = Scopes::from_text(&key.scopes);
    if !key.money_keys {
        scopes = scopes.without(Scope::Money);
    }
    Ok(Some(Identity::Key { brand: key.brand_id, id: key.id, scopes, told: key.told }))
}

/// The token that a request brings along.
pub fn bearer<'a>(request: &Request<'a>) -> Option<&'a str> {
    let (scheme, token) = request.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The operator of the deployment.
pub struct Operator;

impl Extract for Operator {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        match &call.identity {
            Identity::Operator => Ok(Self),
            Identity::Key { .. } | Identity::Person(_) | Identity::Creator(..) => {
                Err(Error::Forbidden("only the operator may do this").into())
            }
            _ => Err(Error::Unauthenticated.into()),
        }
    }
}

/// Scopes as types, for [`Caller`].
pub mod may {
    use super::Scope;

    /// A scope that a handler asks for.
    pub trait May {
        /// Which.
        const SCOPE: Scope;
    }
    macro_rules! scopes {
        ($($(#[$doc:meta])* $name:ident;)*) => {$(
            $(#[$doc])*
            pub enum $name {}
            impl May for $name {
                const SCOPE: Scope = Scope::$name;
            }
        )*};
    }
    scopes! {
        /// May look.
        Read;
        /// May change deals and what belongs to them.
        Deals;
        /// May move money.
        Money;
        /// May change settings, stores and keys.
        Admin;
        /// May report orders of the brand's own shop.
        Conversions;
    }
}

/// Someone who acts for this brand and may do what `S` says.
pub struct Caller<S = may::Read> {
    /// Which brand.
    pub brand: BrandId,
    /// Who, for the audit trail.
    pub actor: Actor,
    /// All that the caller may do.
    pub scopes: Scopes,
    /// Until when a member's passkey counts as shown; API keys need none.
    fresh_until_ms: Millis,
    /// Whether the brand has events told or automations: what it did is looked at after the answer only then, as
    /// that costs calls of D1.
    pub(super) told: bool,
    pub(super) request_id: String,
    scope: PhantomData<S>,
}

impl<S: may::May> Extract for Caller<S> {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        let (brand, actor, scopes, fresh_until_ms, told) = brands_caller(call, S::SCOPE)?;
        let request_id = call.request.id.to_owned();
        Ok(Self { brand, actor, scopes, fresh_until_ms, told, request_id, scope: PhantomData })
    }
}

fn brands_caller(call: &Call<'_>, scope: Scope) -> Result<(BrandId, Actor, Scopes, Millis, bool)> {
    let (brand, actor, scopes, fresh_until_ms, told) = match &call.identity {
        Identity::Key { brand, id, scopes, told } => {
            (*brand, Actor::Key(*id), *scopes, Millis::MAX, *told)
        }
        Identity::Person(session) => {
            session.enough()?;
            let places = session.members.iter().map(|member| member.brand_id);
            let place = acting_for(call.request, places)?;
            let member = place.and_then(|at| session.members.get(at));
            let member = member.ok_or(Error::Forbidden("this is for members of the brand"))?;
            let scopes = member.role.scopes();
            let fresh_until_ms = session.fresh_until_ms();
            (member.brand_id, Actor::Member(member.id), scopes, fresh_until_ms, member.told)
        }
        Identity::Creator(..) | Identity::Operator => {
            return Err(Error::Forbidden("this is for the brand").into());
        }
        Identity::Nobody => return Err(Error::Unauthenticated.into()),
    };
    if scopes.allow(scope) {
        return Ok((brand, actor, scopes, fresh_until_ms, told));
    }
    let is_key = matches!(actor, Actor::Key(_));
    Err(Error::Forbidden(match scope {
        _ if !is_key => "your role doesn't allow this",
        Scope::Read => "this key has no scope `read`",
        Scope::Deals => "this key has no scope `deals`",
        Scope::Money => "this key has no scope `money`",
        Scope::Admin => "this key has no scope `admin`",
        Scope::Conversions => "this key has no scope `conversions`",
    })
    .into())
}

/// A member at one of a brand's pages, which name the brand in their path: a tab that was left open can't
/// change another one. What she may do there is asked by the functions of the API.
#[derive(Clone)]
pub struct Seat {
    /// Hers.
    pub session: Arc<SessionRow>,
    place: usize,
    request_id: String,
}

impl Extract for Seat {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        let SignedIn(session) = SignedIn::extract(call)?;
        session.enough()?;
        let brand: Option<BrandId> = call.id.parse().ok();
        let place = session.members.iter().position(|member| Some(member.brand_id) == brand);
        let place = place.ok_or(Error::NotFound)?;
        Ok(Self { session, place, request_id: call.request.id.to_owned() })
    }
}

impl Seat {
    /// As whom she sits there.
    ///
    /// # Errors
    /// 404, which [`Extract`] has seen to.
    pub fn member(&self) -> Result<&Membership> {
        self.session.members.get(self.place).ok_or_else(|| Error::NotFound.into())
    }

    /// Who calls, for a function of the API.
    ///
    /// # Errors
    /// 403 if her role doesn't allow it.
    pub fn caller<S: may::May>(&self) -> Result<Caller<S>> {
        let member = self.member()?;
        if !member.role.scopes().allow(S::SCOPE) {
            return Err(Error::Forbidden("your role doesn't allow this").into());
        }
        Ok(Caller {
            brand: member.brand_id,
            actor: Actor::Member(member.id),
            scopes: member.role.scopes(),
            fresh_until_ms: self.session.fresh_until_ms(),
            told: member.told,
            request_id: self.request_id.clone(),
            scope: PhantomData,
        })
    }

    /// Whether her role allows this: for what isn't worth showing else.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.member().is_ok_and(|member| member.role.scopes().allow(scope))
    }
}

/// Which of a person's brands a request is about: the header says so where there are several, and
/// whenever something is to be changed. A tab that was open before she was moved to another brand
/// would change that one otherwise.
fn acting_for(
    request: &Request<'_>,
    mut brands: impl ExactSizeIterator<Item = BrandId>,
) -> Result<Option<usize>> {
    let looks = matches!(request.method, "GET" | "HEAD");
    match (request.header("tributary-brand"), brands.len()) {
        (Some(told), _) => {
            let told: Option<BrandId> = told.parse().ok();
            Ok(brands.position(|brand| Some(brand) == told))
        }
        (None, 0) => Ok(None),
        (None, 1) if looks => Ok(Some(0)),
        (None, _) => Err(Error::denied(
            StatusCode::BAD_REQUEST,
            "which-brand",
            "name the brand in the header `Tributary-Brand`",
        )),
    }
}

/// What a session is good for, beyond what it says.
impl SessionRow {
    fn is_member(&self) -> bool {
        !self.members.is_empty()
    }

    /// What the second factor waits for.
    #[must_use]
    pub fn second_factor(&self) -> SecondFactor {
        SecondFactor::of(self.factors, self.is_member(), self.has_passkey)
    }

    /// That no second factor is missing.
    ///
    /// # Errors
    /// 403.
    pub fn enough(&self) -> Result<()> {
        self.second_factor().is_enough().then_some(()).ok_or(Error::denied(
            StatusCode::FORBIDDEN,
            "second-factor",
            "show your passkey first",
        ))
    }

    /// Until when the passkey counts as just shown.
    #[must_use]
    pub fn fresh_until_ms(&self) -> Millis {
        self.stepped_up_at_ms.map_or(0, |at| at + STEP_UP_MS)
    }

    /// That a passkey was just shown.
    ///
    /// # Errors
    /// 403.
    pub fn stepped_up(&self, now_ms: Millis) -> Result<()> {
        (now_ms < self.fresh_until_ms()).then_some(()).ok_or(step_up())
    }
}

fn step_up() -> Box<Error> {
    let detail = "show your passkey again: this needs it to be fresh";
    Error::denied(StatusCode::FORBIDDEN, "step-up", detail)
}

/// A person who signed in. What her session lacks is for the handler to ask.
pub struct SignedIn(pub Arc<SessionRow>);

impl Extract for SignedIn {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        match &call.identity {
            Identity::Person(session) => Ok(Self(session.clone())),
            Identity::Key { .. } | Identity::Creator(..) | Identity::Operator => {
                Err(Error::Forbidden("this is for people who signed in").into())
            }
            Identity::Nobody => Err(Error::Unauthenticated.into()),
        }
    }
}

/// Whoever is signed in, if anybody is: for pages that look different then.
pub struct Maybe(pub Option<Arc<SessionRow>>);

impl Extract for Maybe {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        Ok(Self(match &call.identity {
            Identity::Person(session) => Some(session.clone()),
            _ => None,
        }))
    }
}

/// The secret of the sign-in that was begun in a browser, if one was.
pub struct Begun(pub Option<String>);

impl Extract for Begun {
    fn extract(call: &Call<'_>) -> Result<Self> {
        Ok(Self(call.request.cookie(BROWSER_COOKIE).map(str::to_owned)))
    }
}

/// What to call the browser that asks: `Chrome, Windows`.
pub struct Device(pub String);

impl Extract for Device {
    fn extract(call: &Call<'_>) -> Result<Self> {
        Ok(Self(device(call.request.user_agent)))
    }
}

/// The browser in which somebody signs in: our own page in it.
pub struct Browser {
    /// The secret of a sign-in that was begun in it.
    pub secret: Option<String>,
    /// What to call it.
    pub device: String,
    /// Where it calls from.
    pub network: String,
}

impl Extract for Browser {
    fn extract(call: &Call<'_>) -> Result<Self> {
        same_origin(call.app, call.request)?;
        Ok(Self {
            secret: call.request.cookie(BROWSER_COOKIE).map(str::to_owned),
            device: device(call.request.user_agent),
            network: call.request.network.to_owned(),
        })
    }
}

impl<S> Caller<S> {
    /// That a member has just shown her passkey.
    ///
    /// # Errors
    /// 403.
    pub fn stepped_up(&self, app: &App) -> Result<()> {
        (app.now_ms() < self.fresh_until_ms).then_some(()).ok_or(step_up())
    }
}

/// The id of the request, for what is noted without a [`Caller`].
pub struct RequestId(pub String);

impl Extract for RequestId {
    fn extract(call: &Call<'_>) -> Result<Self> {
        Ok(Self(call.request.id.to_owned()))
    }
}

/// A creator with her token, or signed in.
#[derive(Clone, Copy)]
pub struct Me {
    /// Of which brand.
    pub brand: BrandId,
    /// Who.
    pub creator: CreatorId,
    /// Until when her passkey counts as shown; a token shows none.
    fresh_until_ms: Millis,
}

impl Me {
    /// A person's own side at this brand.
    ///
    /// # Errors
    /// 403 if she has none there, whether there is such a brand or not.
    pub fn of(session: &SessionRow, brand: Option<BrandId>) -> Result<Self> {
        session.enough()?;
        let side = session.creators.iter().find(|side| Some(side.brand_id) == brand);
        let side = side.ok_or(Error::Forbidden("this is for creators of the brand"))?;
        let fresh_until_ms = session.fresh_until_ms();
        Ok(Self { brand: side.brand_id, creator: side.id, fresh_until_ms })
    }

    /// That she has just shown her passkey.
    ///
    /// # Errors
    /// 403.
    pub fn stepped_up(&self, app: &App) -> Result<()> {
        (app.now_ms() < self.fresh_until_ms).then_some(()).ok_or(step_up())
    }
}

impl Extract for Me {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        match &call.identity {
            Identity::Creator(brand, creator) => {
                Ok(Self { brand: *brand, creator: *creator, fresh_until_ms: 0 })
            }
            Identity::Person(session) => {
                session.enough()?;
                let places = session.creators.iter().map(|side| side.brand_id);
                let side =
                    acting_for(call.request, places)?.and_then(|at| session.creators.get(at));
                let side = side.ok_or(Error::Forbidden("this is for creators of the brand"))?;
                let fresh_until_ms = session.fresh_until_ms();
                Ok(Self { brand: side.brand_id, creator: side.id, fresh_until_ms })
            }
            Identity::Key { .. } | Identity::Operator => {
                Err(Error::Forbidden("this is for creators").into())
            }
            Identity::Nobody => Err(Error::Unauthenticated.into()),
        }
    }
}
