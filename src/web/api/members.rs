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
use crate::storage::audit::If;
use crate::storage::members::{self as rows, MemberRow, NewMember};
use crate::storage::{DbError, Rows, Statement, sessions};
use crate::web::body::{body, words};
use crate::web::extract::{
    Body, By, Caller, Checks, Operator, Params, PathId, RequestId, may, note_of_member,
};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::{self, view};
use crate::web::mail;
use crate::web::message::Response;

use super::view::{List, Time};

/// An invitation holds for so many days.
const INVITATION_DAYS: u32 = 7;
/// Whoever finds a member changed meanwhile looks again so often.
const ATTEMPTS: u32 = 5;

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
        /// What became of the mail that invited her, as in `/v1/mails`: `bounced` if nobody got it.
        /// Null once she joined, and when the mail is too old to be known.
        #[schema(required)]
        mail_state: Option<String>,
        /// Why, where there is something to say.
        #[schema(required)]
        mail_error: Option<String>,
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
        mail_state: row.mail_state,
        mail_error: row.mail_error,
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
    batch.extend(caller.note_of_member(&app, None, ("member.invite", view.id), None, told));
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
        mail_state: Some("waiting".to_owned()),
        mail_error: None,
    };
    Ok((batch, view(row, now_ms)))
}

/// Answers whether the last statement answered a row.
async fn commit(app: &App, batch: Vec<Statement>) -> Result<bool> {
    let done = |rows: Vec<Rows>| rows.last().is_some_and(|rows| !rows.is_empty());
    app.db().run(batch).await.map(done).map_err(|error| match error {
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
    for _ in 0..ATTEMPTS {
        let row = find(&app, caller.brand, id.0).await?;
        if row.role == changes.role {
            return Ok(Json(view(row, now_ms)));
        }
        let changed = view(MemberRow { role: changes.role, ..row.clone() }, now_ms);
        let (before, after) = (json::text(&view(row.clone(), now_ms)), json::text(&changed));
        let (if_still, what) = (Some(If::MemberIs(row.role)), ("member.update", id.0));
        let note = caller.note_of_member(&app, if_still, what, Some(before), Some(after));
        let mut batch = Vec::from(note);
        batch.push(rows::set_role(caller.brand, &row, changes.role));
        if commit(&app, batch).await? {
            return Ok(Json(changed));
        }
    }
    Err(changing())
}

/// Somebody else changes the same member again and again.
fn changing() -> Box<Error> {
    Error::refused("member-changing", "somebody else is changing this member: look, and try again")
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
    for _ in 0..ATTEMPTS {
        let row = find(&app, caller.brand, id.0).await?;
        let before = json::text(&view(row.clone(), app.now_ms()));
        let (if_still, what) = (Some(If::MemberIs(row.role)), ("member.remove", id.0));
        let mut batch = Vec::from(caller.note_of_member(&app, if_still, what, Some(before), None));
        batch.push(sessions::end_ended(caller.brand, id.0, app.now_ms()));
        batch.push(rows::remove(caller.brand, &row));
        if commit(&app, batch).await? {
            return Ok(Response::empty(StatusCode::NO_CONTENT));
        }
    }
    Err(changing())
}

body! {
    /// Who asks to be forgotten.
    pub struct Former {
        email: String,
    }
}

/// Lets go of what is still told of a former member: in the brands' audit trails (who did what stays,
/// by ids), and of mails to her. What is told of a creator goes with her erasure by her brand.
#[utoipa::path(post, path = "/v1/people/erasure", tag = "operator", request_body = Former,
    security(("operator" = [])), responses((status = 204, description = "Nothing is left"),
    (status = 409, description = "A member, or invited to be one")))]
pub async fn erase(
    State(app): State<App>,
    _: Operator,
    RequestId(request_id): RequestId,
    Body(former): Body<Former>,
) -> Result<Response> {
    let email = normal_email(&former.email);
    if rows::is_anywhere(app.db(), &email).await? {
        let why = "a brand has her as a member, or invited her: it removes her first";
        return Err(Error::refused("still-a-member", why));
    }
    app.db().run(rows::forget(&email, app.new_id(), &request_id, app.now_ms())).await?;
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
    let told = Some(json::text(&view));
    batch.extend(note_of_member(&app, brand, (&by, None), ("member.invite", view.id), None, told));
    commit(&app, batch).await?;
    Ok((StatusCode::CREATED, Json(view)))
}
