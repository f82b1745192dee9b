//! The brand's account at a service that pays creators, and sending payouts by it.

use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, Payout, PayoutId, PayoutLineId};
use crate::domain::json::json;
use crate::domain::money::Money;
use crate::domain::payout::reference;
use crate::domain::sending::State as Sending;
use crate::error::{Error, Result};
use crate::jobs::payments;
use crate::partners::paypal;
use crate::storage::payouts::{self as rows, LineState, PayoutState, TargetRow};
use crate::storage::sendings::{self, AccountRow};
use crate::storage::{DbError, Statement};
use crate::web::body::{body, words};
use crate::web::extract::{Body, Caller, Checks, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, view};
use crate::web::message::Response;
use crate::web::once::{ATTEMPTS, Once, contended};

use super::payout_views::{PayoutView, view};
use super::view::Time;

/// Who pays.
#[derive(Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PayoutProviderName)]
pub enum Provider {
    /// PayPal Payouts.
    Paypal,
}
words!(Provider { "paypal" => Paypal });

body! {
    /// The brand's account: of a REST app that may use Payouts.
    pub struct NewAccount {
        provider: Provider,
        client_id: String,
        client_secret: String,
    }
}

view! {
    /// The brand's account; its secret is shown nowhere.
    #[schema(as = PayoutProvider)]
    pub struct AccountView {
        /// `paypal`
        provider: String,
        client_id: String,
        updated_at: Time,
    }
}

impl From<AccountRow> for AccountView {
    fn from(row: AccountRow) -> Self {
        let (provider, client_id) = (row.provider, row.client_id);
        Self { provider, client_id, updated_at: Time(row.updated_at_ms) }
    }
}

/// What an account's secret is sealed to.
fn context(brand: BrandId, client_id: &str) -> String {
    format!("{brand}/payout-provider/{client_id}")
}

/// An account's secret; `None` if its key was retired.
#[must_use]
pub fn secret_of(app: &App, brand: BrandId, account: &AccountRow) -> Option<String> {
    let bound = context(brand, &account.client_id);
    let text = app.config.data_key.open(&bound, &account.secret_sealed)?;
    String::from_utf8(text).ok()
}

/// Out of whose account creators are paid is for an owner to say, with a fresh passkey.
fn by_an_owner(app: &App, caller: &Caller<may::Admin>) -> Result<()> {
    if !matches!(caller.actor, Actor::Member(_)) {
        return Err(Error::Forbidden("only an owner may do this").into());
    }
    caller.stepped_up(app)
}

fn in_flight(error: DbError) -> Box<Error> {
    if error.is_constraint("payments_in_flight") {
        let why = "payments of this account are in flight: only it knows what became of them";
        return Error::refused("payments-in-flight", why);
    }
    error.into()
}

/// The account that creators are paid out of.
#[utoipa::path(get, path = "/v1/brand/payout-provider", tag = "payouts",
    security(("api_key" = ["read"])), responses((status = 200, body = AccountView),
    (status = 404, description = "None yet")))]
pub async fn show(State(app): State<App>, caller: Caller) -> Result<Json<AccountView>> {
    let account = sendings::account(app.db(), caller.brand).await?;
    Ok(Json(account.ok_or(Error::NotFound)?.into()))
}

/// Sets the account; the same one with another secret at any time, another one while no payment is in
/// flight.
#[utoipa::path(put, path = "/v1/brand/payout-provider", tag = "payouts",
    request_body = NewAccount, security(("api_key" = ["admin"])),
    responses((status = 200, body = AccountView),
    (status = 409, description = "Payments of the present account are in flight")))]
pub async fn put(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    Body(new): Body<NewAccount>,
) -> Result<Json<AccountView>> {
    by_an_owner(&app, &caller)?;
    let Provider::Paypal = new.provider;
    let mut checks = Checks::default();
    for (field, text) in [("client_id", &new.client_id), ("client_secret", &new.client_secret)] {
        // Both go into an Authorization header, a colon between.
        let plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b':');
        if text.is_empty() || text.len() > 200 || !plain {
            checks.refuse(field, "must be 1 to 200 printable characters without a colon");
        }
    }
    checks.done()?;
    let (now_ms, bound) = (app.now_ms(), context(caller.brand, &new.client_id));
    let sealed = app.config.data_key.seal(&bound, new.client_secret.as_bytes(), app.random());
    let sealed = sealed.ok_or_else(|| Error::Internal("a secret was not sealed".to_owned()))?;
    let before = sendings::account(app.db(), caller.brand).await?;
    let told = |client_id: &str| json!({ "provider": "paypal", "client_id": client_id });
    let before = before.map(|account| told(&account.client_id));
    let after = Some(told(&new.client_id));
    let batch = vec![
        sendings::put_account(caller.brand, &new.client_id, &sealed, now_ms),
        caller.note(&app, "payout_provider.update", caller.brand, before, after),
    ];
    app.db().run(batch).await.map_err(in_flight)?;
    let (provider, client_id) = ("paypal".to_owned(), new.client_id);
    Ok(Json(AccountView { provider, client_id, updated_at: Time(now_ms) }))
}

/// Lets go of the account, while no payment is in flight.
#[utoipa::path(delete, path = "/v1/brand/payout-provider", tag = "payouts",
    security(("api_key" = ["admin"])), responses((status = 204, description = "Gone"),
    (status = 404, description = "None"), (status = 409, description = "Payments are in flight")))]
pub async fn remove(State(app): State<App>, caller: Caller<may::Admin>) -> Result<Response> {
    sendings::account(app.db(), caller.brand).await?.ok_or(Error::NotFound)?;
    by_an_owner(&app, &caller)?;
    let batch = vec![
        sendings::drop_account(caller.brand),
        caller.note(&app, "payout_provider.remove", caller.brand, None, None),
    ];
    app.db().run(batch).await.map_err(in_flight)?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

/// Hands the payments of an approved payout to the provider: those of creators whom it can pay, and
/// that stand in no file that was downloaded. They are sent right after the answer; what becomes of
/// them is noted as it is told, and settles their lines.
#[utoipa::path(post, path = "/v1/payouts/{id}/sending", tag = "payouts",
    security(("api_key" = ["money"])), params(("id" = PayoutId, Path),
    ("Idempotency-Key" = String, Header)), responses((status = 200, body = PayoutView),
    (status = 409, description = "No account, not approved, or nothing that can be sent")))]
pub async fn send(
    State(app): State<App>,
    caller: Caller<may::Money>,
    id: PathId<Payout>,
    once: Once,
) -> Result<Response> {
    if let Some(answer) = once.answered(&app, caller.brand).await? {
        return Ok(answer);
    }
    caller.stepped_up(&app)?;
    let stored = super::brand::find(&app, caller.brand).await?;
    for _ in 0..ATTEMPTS {
        let found = rows::find(app.db(), caller.brand, id.0).await?;
        let mut found = found.ok_or(Error::NotFound)?;
        if found.payout.state != PayoutState::Approved {
            return Err(Error::refused("payout-not-approved", "approve the payout first"));
        }
        if sendings::account(app.db(), caller.brand).await?.is_none() {
            let why = "set the brand's account at PayPal first";
            return Err(Error::refused("no-payout-provider", why));
        }
        let targets = rows::targets(app.db(), caller.brand, id.0).await?;
        let now_ms = app.now_ms();
        // Of what PayPal told later that it arrived after all, nothing is sent again.
        let contradicted: Vec<PayoutLineId> = found
            .lines
            .iter()
            .filter(|line| line.sending == Some(Sending::Contradicted))
            .map(|line| line.id)
            .collect();
        let ours = |target: &&TargetRow| {
            target.state == LineState::InPayout
                && target.way.is_none()
                && !contradicted.contains(&target.id)
                && target.method.as_deref() == Some("paypal")
                && target.usable_at_ms.is_some_and(|at| at <= now_ms)
        };
        let mut lines = Vec::new();
        for target in targets.iter().filter(ours) {
            if paypal::amount(Money::new(target.amount_minor, found.payout.currency)).is_none() {
                let why = format!("PayPal can't pay {}: it doesn't pay such amounts", target.id);
                return Err(Error::refused("amount-not-payable", why));
            }
            lines.push((target.id, target.attempt));
        }
        if lines.is_empty() {
            let why = "no payment of it waits for PayPal: paid otherwise, or told in a file";
            return Err(Error::refused("nothing-to-send", why));
        }
        for line in &mut found.lines {
            if lines.contains(&(line.id, line.attempt)) {
                (line.way, line.sending) = (Some("paypal".to_owned()), Some(Sending::Waiting));
                line.in_flight = true;
                (line.due_at_ms, line.sending_attempt) = (Some(now_ms), Some(line.attempt));
            }
        }
        let told = json::text(&view(found, stored.second_above));
        let batch = batch(&app, &caller, id.0, &lines, &told);
        let answer = (StatusCode::OK, told);
        if let Some(mut response) = once.commit(&app, caller.brand, batch, answer).await? {
            response.after = Some(Box::pin(async move {
                // What fails is done by the next run of the job.
                let _ = payments::send_due(&app).await;
            }));
            return Ok(response);
        }
    }
    Err(contended())
}

fn batch(
    app: &App,
    caller: &Caller<may::Money>,
    payout: PayoutId,
    lines: &[(PayoutLineId, i64)],
    told: &str,
) -> Vec<Statement> {
    let named = lines.iter().map(|(id, attempt)| (*id, reference(*id, *attempt)));
    let named: Vec<_> = named.collect();
    vec![
        rows::take_way(caller.brand, payout, lines, "paypal"),
        sendings::queue(caller.brand, payout, &named, app.now_ms()),
        caller.note(app, "payout.queue", payout, None, Some(told.to_owned())),
    ]
}
