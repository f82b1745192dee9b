//! The brand's team: invited, given a role, removed.

use http::StatusCode;

use crate::app::App;
use crate::domain::auth::{Actor, TokenKind};
use crate::domain::creator::{is_email, normal_email};
use crate::domain::ids::{BrandId, Member, MemberId};
use crate::domain::letter::Letter;
use crate::domain::secret::token_hash;
use crate::domain::session::Role;
use crate::domain::time::{DAY_MS, Millis};
use crate::error::{Error, Result};
use crate::storage::members::{self as rows, MemberRow, NewMember};
use crate::storage::{DbError, Statement, sessions};
use crate::web::body::{body, words};
use crate::web::extract::{
    Body, By, Caller, Checks, Operator, Params, PathId, RequestId, may, note,
};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::{self, view};
use crate::web::mail;
use crate::web::message::Response;

use super::view::{List, Time};

/// An invitation holds for so many days.
const INVITATION_DAYS: u32 = 7;

words!(Role { "owner" => Owner, "manager" => Manager, "viewer" => Viewer });

view! {
    /// A person of the brand's team.
    #[schema(as = Member)]
    pub struct MemberView {
        id: MemberId,
        email: String,
        /// `owner`, `manager` or `viewer`.
        role: &'static str,
        /// `invited`, `active`, or `expired`: an invitation that nobody took up.
        state: &'static str,
        invited_at: Time,
        /// Until when the invitation can be accepted; null once it was.
        #[schema(required)]
        expires_at: Option<Time>,
        #[schema(required)]
        joined_at: Option<Time>,
    }
}

fn view(row: MemberRow, now_ms: Millis) -> MemberView {
    MemberView {
        id: row.id,
        email: row.email,
        role: row.role.as_str(),
        state: match row.joined_at_ms {
            Some(_) => "active",
            None if row.expires_at_ms <= now_ms => "expired",
            None => "invited",
        },
        invited_at: Time(row.invited_at_ms),
        expires_at: row.joined_at_ms.is_none().then_some(Time(row.expires_at_ms)),
        joined_at: row.joined_at_ms.map(Time),
    }
}

body! {
    /// Whom to invite.
    pub struct NewMemberBody {
        email: String,
        role: Role,
    }
}

/// Invites a member by mail. Inviting an address again replaces the invitation that waits.
#[utoipa::path(post, path = "/v1/members", tag = "members", request_body = NewMemberBody,
    security(("api_key" = ["admin"])), responses((status = 201, body = MemberView),
    (status = 409, description = "A member already")))]
pub async fn invite(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    Body(new): Body<NewMemberBody>,
) -> Result<(StatusCode, Json<MemberView>)> {
    caller.stepped_up(&app)?;
    no_more_than(&caller, new.role)?;
    let brand = super::brand::find(&app, caller.brand).await?.brand;
    let email = address(&new.email)?;
    super::deals::limit_invitations(&app, caller.brand, &email).await?;
    let (mut batch, view) = invitation(&app, caller.brand, &brand.name, &email, new.role)?;
    let told = Some(json::text(&view));
    batch.push(caller.note(&app, "member.invite", view.id, None, told));
    commit(&app, batch).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Nobody gives away what they don't have themselves.
fn no_more_than(caller: &Caller<may::Admin>, role: Role) -> Result<()> {
    let fits = caller.scopes.include(role.scopes());
    let why = Error::Forbidden("a key can't make a member who may do more than it");
    fits.then_some(()).ok_or(why.into())
}

fn address(told: &str) -> Result<String> {
    let email = normal_email(told);
    let mut checks = Checks::default();
    if !is_email(&email) {
        checks.refuse("email", "must be an e-mail address");
    }
    checks.done().map(|()| email)
}

/// The statements that invite a member, with the mail to her.
///
/// # Errors
/// 422 if the address can't be written to.
pub fn invitation(
    app: &App,
    brand: BrandId,
    brand_name: &str,
    email: &str,
    role: Role,
) -> Result<(Vec<Statement>, MemberView)> {
    let (now_ms, id) = (app.now_ms(), app.new_id());
    let expires_at_ms = now_ms + Millis::from(INVITATION_DAYS) * DAY_MS;
    let token = TokenKind::MemberInvitation.token(app.random());
    let secret_hash = token_hash(&token);
    let new = NewMember { id, email, role, secret_hash: &secret_hash, expires_at_ms };
    let link = format!("{}/invitation#{token}", app.config.public_origin);
    let (role_name, days) = (role.as_str(), INVITATION_DAYS);
    let letter = Letter::MemberInvitation { brand: brand_name, role: role_name, link: &link, days };
    let mut batch = rows::invite(brand, &new, now_ms);
    batch.push(mail::compose(app, Some(brand), &format!("invite/{id}"), email, &letter)?);
    let row = MemberRow {
        id,
        email: email.to_owned(),
        role,
        invited_at_ms: now_ms,
        expires_at_ms,
        joined_at_ms: None,
    };
    Ok((batch, view(row, now_ms)))
}

async fn commit(app: &App, batch: Vec<Statement>) -> Result<()> {
    app.db().run(batch).await.map(drop).map_err(|error| match error {
        DbError::Constraint(text) if text.contains("last_owner") => {
            Error::refused("last-owner", "a brand has an owner: make somebody else one first")
        }
        DbError::Constraint(_) => Error::refused("member-exists", "this is a member already"),
        error => error.into(),
    })
}

/// The brand's members, and who is invited.
#[utoipa::path(get, path = "/v1/members", tag = "members", security(("api_key" = ["admin"])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<MemberView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    params: Params,
) -> Result<Json<List<MemberView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let now_ms = app.now_ms();
    let found = rows::list(app.db(), caller.brand, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), |row| view(row, now_ms))))
}

async fn find(app: &App, brand: BrandId, id: MemberId) -> Result<MemberRow> {
    Ok(rows::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?)
}

/// One member.
#[utoipa::path(get, path = "/v1/members/{id}", tag = "members", security(("api_key" = ["admin"])),
    params(("id" = MemberId, Path)), responses((status = 200, body = MemberView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Member>,
) -> Result<Json<MemberView>> {
    Ok(Json(view(find(&app, caller.brand, id.0).await?, app.now_ms())))
}

body! {
    /// What to change of a member.
    pub struct MemberChanges {
        role: Role,
    }
}

/// Changes what a member may do, in every session of hers at once. The last owner stays one.
#[utoipa::path(patch, path = "/v1/members/{id}", tag = "members", request_body = MemberChanges,
    security(("api_key" = ["admin"])), params(("id" = MemberId, Path)),
    responses((status = 200, body = MemberView), (status = 409, description = "The last owner")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Member>,
    Body(changes): Body<MemberChanges>,
) -> Result<Json<MemberView>> {
    caller.stepped_up(&app)?;
    no_more_than(&caller, changes.role)?;
    let now_ms = app.now_ms();
    let row = find(&app, caller.brand, id.0).await?;
    let changed = MemberRow { role: changes.role, ..find(&app, caller.brand, id.0).await? };
    let (before, after) = (json::text(&view(row, now_ms)), view(changed, now_ms));
    let told = Some(json::text(&after));
    let note = caller.note(&app, "member.update", id.0, Some(before), told);
    commit(&app, vec![rows::set_role(caller.brand, id.0, changes.role), note]).await?;
    Ok(Json(after))
}

/// Removes a member, from every session of hers at once, or withdraws an invitation. The last owner
/// stays.
#[utoipa::path(delete, path = "/v1/members/{id}", tag = "members",
    security(("api_key" = ["admin"])), params(("id" = MemberId, Path)),
    responses((status = 204, description = "Removed"), (status = 409, description = "The last owner")))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    id: PathId<Member>,
) -> Result<Response> {
    caller.stepped_up(&app)?;
    let row = find(&app, caller.brand, id.0).await?;
    let before = json::text(&view(row, app.now_ms()));
    let note = caller.note(&app, "member.remove", id.0, Some(before), None);
    let ended = sessions::end_ended(caller.brand, id.0, app.now_ms());
    commit(&app, vec![ended, rows::remove(caller.brand, id.0), note]).await?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

body! {
    /// Whom the operator invites as an owner.
    pub struct NewOwner {
        email: String,
    }
}

/// The brand in the path and the owner in the body.
pub struct Rescue {
    brand: BrandId,
    new: NewOwner,
}

impl Extract for Rescue {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let PathId(brand) = PathId::<crate::domain::ids::Brand>::extract(call)?;
        let Body(new) = Body::extract(call)?;
        Ok(Self { brand, new })
    }
}

/// Invites an owner for a brand that has lost its own.
#[utoipa::path(post, path = "/v1/brands/{id}/owners", tag = "operator", request_body = NewOwner,
    security(("operator" = [])), params(("id" = BrandId, Path)),
    responses((status = 201, body = MemberView)))]
pub async fn invite_owner(
    State(app): State<App>,
    _: Operator,
    RequestId(request_id): RequestId,
    Rescue { brand, new }: Rescue,
) -> Result<(StatusCode, Json<MemberView>)> {
    let email = address(&new.email)?;
    let name = super::brand::find(&app, brand).await?.brand.name;
    let (mut batch, view) = invitation(&app, brand, &name, &email, Role::Owner)?;
    let by = By { actor: Actor::Operator, request_id: &request_id };
    let (id, told) = (view.id.to_string(), Some(json::text(&view)));
    batch.push(note(&app, brand, &by, "member.invite", &id, None, told));
    commit(&app, batch).await?;
    Ok((StatusCode::CREATED, Json(view)))
}
