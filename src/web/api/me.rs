//! The creator's own side: accepting an invitation, earnings, orders.

use http::StatusCode;

use crate::app::App;
use crate::domain::auth::{Actor, TokenKind};
use crate::domain::ids::{CreatorId, DealId, LinkId};
use crate::domain::money::Money;
use crate::domain::secret::token_hash;
use crate::domain::time::{Day, Millis};
use crate::error::{Error, Result};
use crate::storage::deals::{self, DealRow};
use crate::storage::orders::{self, Filter};
use crate::storage::{DbError, access};
use crate::web::body::body;
use crate::web::extract::{Body, By, Me, Params, RequestId, note};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use super::deals::{LinkState, link_url};
use super::money::{BalanceView, Performance, balances_of, performance_of};
use super::orders::{OrderView, page_key};
use super::view::{List, Percent, Time};

/// A creator's token holds for so long.
const TOKEN_MS: Millis = 14 * 24 * 3_600_000;

body! {
    /// A token to spend.
    pub struct Acceptance {
        /// The part of the invitation's address after `#`.
        token: String,
    }
}

view! {
    /// What accepting an invitation gives; the token is shown only here.
    pub struct Accepted {
        access_token: String,
        expires_at: Time,
        creator: AcceptedCreator,
    }
}

view! {
    /// Who accepted.
    struct AcceptedCreator {
        id: CreatorId,
        name: String,
    }
}

/// Accepts an invitation, once.
#[utoipa::path(post, path = "/v1/invitations/acceptance", tag = "creator",
    request_body = Acceptance, responses((status = 201, body = Accepted),
    (status = 404, description = "No such invitation"),
    (status = 409, description = "Accepted before, or expired")))]
pub async fn accept(
    State(app): State<App>,
    RequestId(request_id): RequestId,
    Body(acceptance): Body<Acceptance>,
) -> Result<(StatusCode, Json<Accepted>)> {
    if TokenKind::of(&acceptance.token) != Some(TokenKind::Invitation) {
        return Err(Error::NotFound.into());
    }
    let hash = token_hash(&acceptance.token);
    let invitation = access::invitation(app.db(), &hash).await?.ok_or(Error::NotFound)?;
    let now_ms = app.now_ms();
    if invitation.accepted_at_ms.is_some() {
        return Err(spent());
    }
    if invitation.expires_at_ms <= now_ms {
        return Err(Error::refused("invitation-expired", "ask the brand for a new invitation"));
    }
    if invitation.connected {
        return Err(connected());
    }
    let access_token = TokenKind::CreatorToken.token(app.random());
    let token = access::NewToken {
        id: app.new_id(),
        secret_hash: token_hash(&access_token),
        expires_at_ms: now_ms + TOKEN_MS,
    };
    let by = By { actor: Actor::Creator(invitation.creator_id), request_id: &request_id };
    let (brand, who) = (invitation.brand_id, invitation.creator_id.to_string());
    let mut batch = access::accept(&hash, &invitation, &token, now_ms);
    batch.push(note(&app, brand, &by, "invitation.accept", &who, None, None));
    match app.db().run(batch).await {
        Ok(_) => Ok((
            StatusCode::CREATED,
            Json(Accepted {
                access_token,
                expires_at: Time(token.expires_at_ms),
                creator: AcceptedCreator { id: invitation.creator_id, name: invitation.name },
            }),
        )),
        // Somebody else spent it between the look and the commit.
        Err(DbError::Constraint(_)) => Err(spent()),
        Err(error) => Err(error.into()),
    }
}

/// A link alone opens nothing any more: she has an account.
fn connected() -> Box<Error> {
    Error::refused("creator-connected", "whom this invitation is for signs in by now")
}

fn spent() -> Box<Error> {
    Error::refused("invitation-spent", "this invitation was accepted before")
}

view! {
    /// What a creator earned.
    pub struct Earnings {
        pub(crate) balances: Vec<BalanceView>,
        pub(crate) deals: Vec<MyDeal>,
    }
}

view! {
    /// A deal as its creator sees it.
    pub struct MyDeal {
        pub(crate) id: DealId,
        /// The brand's name.
        pub(crate) brand: String,
        /// The campaign's name.
        pub(crate) campaign: String,
        #[schema(required)]
        pub(crate) commission_percent: Option<Percent>,
        /// Closed: what is ordered from then on earns nothing.
        pub(crate) state: LinkState,
        pub(crate) links: Vec<MyLink>,
        pub(crate) codes: Vec<MyCode>,
        pub(crate) clicks: i64,
        pub(crate) orders: i64,
        pub(crate) revenue: Vec<Money>,
        pub(crate) commission: Vec<Money>,
    }
}

view! {
    /// A link to share.
    pub struct MyLink {
        pub(crate) id: LinkId,
        pub(crate) url: String,
        /// Where it leads, on the shop.
        pub(crate) target: String,
    }
}

view! {
    /// A code to share.
    pub struct MyCode {
        pub(crate) code: String,
        /// Always `active`: only those that work are told.
        pub(crate) state: String,
    }
}

/// The creator's balances and deals.
#[utoipa::path(get, path = "/v1/me/earnings", tag = "creator", security(("creator" = [])),
    responses((status = 200, body = Earnings)))]
pub async fn earnings(State(app): State<App>, me: Me) -> Result<Json<Earnings>> {
    let brand = super::brand::find(&app, me.brand).await?.brand;
    let balances = balances_of(&app, &brand, me.creator).await?;
    let ids = deals::ids_of_creator(app.db(), me.brand, me.creator).await?;
    let rows = deals::by_ids(app.db(), me.brand, &ids, app.now_ms()).await?;
    let always = (Day(0), Day(4_000_000));
    let mut performance = performance_of(&app, me.brand, &rows, always).await?;
    let deals = rows.into_iter().map(|row| {
        let found = performance.remove(&row.id).unwrap_or_default();
        my_deal(&app, &brand.name, row, found)
    });
    Ok(Json(Earnings { balances, deals: deals.collect() }))
}

fn my_deal(app: &App, brand: &str, row: DealRow, found: Performance) -> MyDeal {
    let open = row.links.iter().filter(|link| link.closed_at_ms.is_none());
    MyDeal {
        links: open
            .map(|l| MyLink {
                id: l.id,
                url: link_url(app, &l.host, &l.slug),
                target: l.target.clone(),
            })
            .collect(),
        id: row.id,
        state: LinkState::of(row.closed_at_ms),
        brand: brand.to_owned(),
        campaign: row.campaign,
        commission_percent: row.terms.map(|terms| Percent(terms.rate_bp)),
        codes: row
            .codes
            .into_iter()
            .filter(|code| code.state.works())
            .map(|code| MyCode { code: code.code, state: "active".to_owned() })
            .collect(),
        clicks: found.clicks,
        orders: found.orders,
        revenue: found.revenue,
        commission: found.commission,
    }
}

/// The orders that are the creator's, latest first.
#[utoipa::path(get, path = "/v1/me/orders", tag = "creator", security(("creator" = [])),
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query),
    ("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<OrderView>)))]
pub async fn orders(
    State(app): State<App>,
    me: Me,
    params: Params,
) -> Result<Json<List<OrderView>>> {
    let params = params.only(&["from", "to", "limit", "cursor"])?;
    let brand = super::brand::find(&app, me.brand).await?.brand;
    let page = super::orders::order_page(&params)?;
    let (from_ms, to_ms) = params.period(&brand.timezone)?;
    let deals = deals::ids_of_creator(app.db(), me.brand, me.creator).await?;
    let filter = Filter { deals: Some(deals), store: None, from_ms, to_ms };
    let found = orders::list(app.db(), me.brand, &filter, &page).await?;
    Ok(Json(List::page(found, &page, page_key, |row| super::orders::view(row, brand.currency))))
}
