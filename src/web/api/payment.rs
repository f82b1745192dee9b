//! Where creators are paid: entered by themselves, sealed, read only to pay them.

use http::StatusCode;
use serde_json::Value;

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, CreatorId, Payout, PayoutId, PayoutLineId};
use crate::domain::json::json;
use crate::domain::letter::Letter;
use crate::domain::money::Money;
use crate::domain::payment::{self, Details};
use crate::domain::payout::reference;
use crate::domain::sending::State as Sending;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::storage::payment::{self as stored, DetailsRow};
use crate::storage::payouts::{self as rows, Found, LineState, TargetRow};
use crate::storage::rows::parse;
use crate::storage::{DbError, audit, creators};
use crate::web::body::body;
use crate::web::csv;
use crate::web::extract::{Body, Caller, Checks, Me, Params, PathId, RequestId, checked, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;
use crate::web::mail;
use crate::web::message::Response;

use super::payout_views::state_name;
use super::view::{List, Time};

/// A change (not the first entry) is used after so long: time to notice a stranger's.
const WAIT_MS: Millis = 48 * 3_600_000;
/// Sealed details are so long at least, so that their length tells nothing.
const PADDED: usize = 256;

view! {
    /// Payment details, as far as anyone sees them.
    #[schema(as = PaymentDetails)]
    pub struct DetailsView {
        /// `paypal`, `iban` or `ach`.
        pub(crate) method: String,
        /// Of the account; null for PayPal.
        #[schema(required)]
        pub(crate) last4: Option<String>,
        #[schema(required)]
        pub(crate) country: Option<String>,
        pub(crate) updated_at: Time,
        /// From when on they are used.
        pub(crate) usable_at: Time,
    }
}

impl From<DetailsRow> for DetailsView {
    fn from(row: DetailsRow) -> Self {
        Self {
            method: row.method,
            last4: row.last4,
            country: row.country,
            updated_at: Time(row.updated_at_ms),
            usable_at: Time(row.usable_at_ms),
        }
    }
}

/// The creator's payment details.
#[utoipa::path(get, path = "/v1/me/payment-details", tag = "creator",
    security(("creator" = [])), responses((status = 200, body = DetailsView),
    (status = 404, description = "None yet")))]
pub async fn show(State(app): State<App>, me: Me) -> Result<Json<DetailsView>> {
    let row = stored::details(app.db(), me.brand, me.creator).await?.ok_or(Error::NotFound)?;
    Ok(Json(row.into()))
}

body! {
    /// Payment details: `paypal` with `email`; `iban` with `holder`, `iban` and perhaps `bic`; `ach`
    /// with `holder`, `routing_number`, `account_number` and `account_type`.
    pub struct NewDetails {
        /// `paypal`, `iban` or `ach`.
        method: String,
        email: Option<String>,
        holder: Option<String>,
        iban: Option<String>,
        bic: Option<String>,
        routing_number: Option<String>,
        account_number: Option<String>,
        /// `checking` or `savings`.
        account_type: Option<String>,
    }
}

/// The details that a body tells, or all that is wrong with it. What was told isn't repeated.
fn read(new: NewDetails) -> Result<Details> {
    let mut checks = Checks::default();
    let given = [
        ("email", new.email),
        ("holder", new.holder),
        ("iban", new.iban),
        ("bic", new.bic),
        ("routing_number", new.routing_number),
        ("account_number", new.account_number),
        ("account_type", new.account_type),
    ];
    let (needed, possible): (&[&str], &[&str]) = match new.method.as_str() {
        "paypal" => (&["email"], &[]),
        "iban" => (&["holder", "iban"], &["bic"]),
        "ach" => (&["holder", "routing_number", "account_number", "account_type"], &[]),
        _ => {
            checks.refuse("method", "must be paypal, iban or ach");
            (&[], &[])
        }
    };
    let mut read = Vec::new();
    for (name, value) in given {
        match value {
            Some(_) if !needed.contains(&name) && !possible.contains(&name) => {
                checks.refuse(name, "is no part of this method");
            }
            None if needed.contains(&name) => checks.refuse(name, "is missing"),
            None => (),
            Some(value) => {
                let value = field(&mut checks, name, &value);
                read.extend(value.map(|value| (name, value)));
            }
        }
    }
    checks.done()?;
    let mut take = |name: &str| {
        let at = read.iter().position(|(n, _)| *n == name);
        at.map(|at| read.swap_remove(at).1)
    };
    Ok(match new.method.as_str() {
        "paypal" => Details::Paypal { email: checked(take("email"))? },
        "iban" => Details::Iban {
            holder: checked(take("holder"))?,
            iban: checked(take("iban"))?,
            bic: take("bic"),
        },
        _ => Details::Ach {
            holder: checked(take("holder"))?,
            routing_number: checked(take("routing_number"))?,
            account_number: checked(take("account_number"))?,
            account_type: checked(take("account_type"))?,
        },
    })
}

fn field(checks: &mut Checks, name: &str, value: &str) -> Option<String> {
    let read = match name {
        "email" => payment::paypal(value),
        "iban" => payment::iban(value),
        "bic" => payment::bic(value),
        "routing_number" => payment::routing_number(value),
        "account_number" => payment::account_number(value),
        "account_type" if matches!(value, "checking" | "savings") => Ok(value.to_owned()),
        "account_type" => Err("must be checking or savings"),
        _ => return checks.text(name, value, 140),
    };
    checks.field(name, read)
}

/// What the sealed text belongs to: it opens nowhere else, and no older one in its place.
fn context(brand: BrandId, creator: CreatorId, version: i64) -> String {
    format!("{brand}/{creator}/payment/{version}")
}

fn text_of(details: &Details) -> String {
    let told = match details {
        Details::Paypal { email } => json!({ "email": email }),
        Details::Iban { holder, iban, bic } => {
            json!({ "holder": holder, "iban": iban, "bic": bic })
        }
        Details::Ach { holder, routing_number, account_number, account_type } => {
            json!({ "holder": holder, "routing_number": routing_number,
                "account_number": account_number, "account_type": account_type })
        }
    };
    format!("{:PADDED$}", told)
}

/// Enters payment details. The first may be entered right after the invitation; a change needs a
/// session with a fresh passkey and is used after two days. Both are told to the creator by mail.
#[utoipa::path(put, path = "/v1/me/payment-details", tag = "creator", request_body = NewDetails,
    security(("creator" = [])), responses((status = 200, body = DetailsView),
    (status = 403, description = "A change without a fresh passkey")))]
pub async fn put(
    State(app): State<App>,
    me: Me,
    RequestId(request_id): RequestId,
    Body(new): Body<NewDetails>,
) -> Result<Json<DetailsView>> {
    let details = read(new)?;
    let before = stored::details(app.db(), me.brand, me.creator).await?;
    if before.is_some() {
        me.stepped_up(&app)?;
    }
    let now_ms = app.now_ms();
    let version = before.as_ref().map_or(1, |row| row.version + 1);
    let bound = context(me.brand, me.creator, version);
    let sealed = app.config.data_key.seal(&bound, text_of(&details).as_bytes(), app.random());
    let row = DetailsRow {
        method: details.method().to_owned(),
        last4: details.last4(),
        country: details.country().map(str::to_owned),
        sealed: sealed.ok_or_else(|| Error::Internal("details could not be sealed".to_owned()))?,
        version,
        updated_at_ms: now_ms,
        usable_at_ms: if before.is_some() { now_ms + WAIT_MS } else { now_ms },
    };
    let told = |row: &DetailsRow| json!({ "method": row.method, "last4": row.last4 });
    let subject = me.creator.to_string();
    let done = audit::Done {
        id: app.new_id(),
        actor: Actor::Creator(me.creator),
        action: "payment_details.update",
        subject: &subject,
        request_id: &request_id,
        before: before.as_ref().map(told),
        after: Some(told(&row)),
    };
    let mut batch = vec![stored::put_details(me.brand, me.creator, &row)];
    batch.extend(audit::note_of_creator(me.brand, done, me.creator, now_ms));
    let creator = creators::find(app.db(), me.brand, me.creator).await?;
    // The first too: whoever has her invitation may not be her.
    if let Some(email) = creator.and_then(|creator| creator.email) {
        let what = match before {
            Some(_) => "Your payment details were changed. They are used from two days on.",
            None => "Payment details were entered for you. They are used from now on.",
        };
        let cause = format!("payment/{}/{version}", me.creator);
        let letter = Letter::Notice { what };
        batch.push(mail::compose(&app, Some(me.brand), &cause, &email, &letter)?);
    }
    match app.db().run(batch).await {
        Ok(_) => Ok(Json(row.into())),
        Err(DbError::Constraint(text))
            if !text.contains("creator_erased") && !text.contains("creator_merged") =>
        {
            Err(Error::refused("details-changed", "they were changed at the same moment"))
        }
        Err(error) => Err(error.into()),
    }
}

/// The file to pay an approved payout with: `csv` with everything, or `paypal` for its mass payments.
/// A line whose details were changed or taken away since says so, and stays out of PayPal's; so does one
/// to an address that a spreadsheet would take for a formula (`receiver_not_for_files`): it is sent by the
/// provider, or by hand. What is sent by the provider stands in no file, nor what it told later
/// that it arrived after all. Here and in sending, and nowhere else, payment details are
/// read; the trail says who did it.
#[utoipa::path(get, path = "/v1/payouts/{id}/export", tag = "payouts",
    security(("api_key" = ["money"])), params(("id" = PayoutId, Path),
    ("format" = Option<String>, Query, description = "`csv` or `paypal`")),
    responses((status = 200, description = "The file", content_type = "text/csv"),
    (status = 409, description = "A draft")))]
pub async fn export(
    State(app): State<App>,
    caller: Caller<may::Money>,
    id: PathId<Payout>,
    params: Params,
) -> Result<Response> {
    let params = params.only(&["format"])?;
    let paypal = match params.get("format") {
        None | Some("csv") => false,
        Some("paypal") => true,
        Some(_) => return Err(Error::invalid("format", "must be csv or paypal")),
    };
    caller.stepped_up(&app)?;
    let found = rows::find(app.db(), caller.brand, id.0).await?;
    let Found { payout, lines, .. } = found.ok_or(Error::NotFound)?;
    if payout.state != rows::PayoutState::Approved {
        return Err(Error::refused("payout-not-approved", "approve the payout first"));
    }
    let targets = rows::targets(app.db(), caller.brand, id.0).await?;
    let (mut out, mut told_of) = (String::new(), Vec::new());
    if !paypal {
        csv::line(&mut out, HEADER);
    }
    // What the provider told later that it arrived after all is paid: a file would pay it twice.
    let arrived = |id: PayoutLineId| {
        lines.iter().any(|line| line.id == id && line.sending == Some(Sending::Contradicted))
    };
    let by_file =
        |target: &&TargetRow| target.way.as_deref() != Some("paypal") && !arrived(target.id);
    for target in targets.iter().filter(|t| t.state == LineState::InPayout).filter(by_file) {
        let amount = Money::new(target.amount_minor, payout.currency);
        let told = opened(&app, caller.brand, target)?;
        if row(&mut out, target, amount, &told, paypal) {
            told_of.push((target.id, target.attempt));
        }
    }
    let format = if paypal { "\"paypal\"" } else { "\"csv\"" };
    let note = caller.note(&app, "payout.export", id.0, None, Some(format.to_owned()));
    // Nobody sees the file without a row in the trail, and what stands in it is sent no other way.
    let batch = vec![rows::take_way(caller.brand, id.0, &told_of, "file"), note];
    app.db().run(batch).await?;
    let mut response = Response::new(StatusCode::OK, "text/csv; charset=utf-8", out);
    let name = format!("attachment; filename=\"{}.csv\"", id.0);
    response.set("content-disposition", name);
    Ok(response)
}

const HEADER: &[&str] = &[
    "line_id",
    "creator_id",
    "name",
    "state",
    "amount",
    "currency",
    "method",
    "email",
    "holder",
    "iban",
    "bic",
    "routing_number",
    "account_number",
    "account_type",
    "payment_reference",
];

/// The payment details of a line.
fn opened(app: &App, brand: BrandId, target: &TargetRow) -> Result<Value> {
    // Changed since the approval: a stranger's, for all we know, for two days.
    if target.sealed.is_none() || target.usable_at_ms.is_some_and(|at| at > app.now_ms()) {
        return Ok(Value::Null);
    }
    let told = details(app, brand, target.creator_id, &target.sealed, target.version);
    told.ok_or_else(|| Error::refused("key-retired", "payment details can't be opened"))
}

/// A creator's payment details in clear. Only for whoever pays an approved payout, with a row in the
/// trail.
pub fn details(
    app: &App,
    brand: BrandId,
    creator: CreatorId,
    sealed: &Option<String>,
    version: Option<i64>,
) -> Option<Value> {
    let bound = context(brand, creator, version?);
    let text = app.config.data_key.open(&bound, sealed.as_deref()?)?;
    parse(String::from_utf8(text).ok()?.trim_end()).ok()
}

/// Where PayPal pays to, by payment details.
pub fn receiver(details: &Value) -> Option<String> {
    details.get("email")?.as_str().map(str::to_owned)
}

/// Writes a line of the file; tells whether somebody can be paid by it.
fn row(out: &mut String, target: &TargetRow, amount: Money, told: &Value, paypal: bool) -> bool {
    let (id, creator) = (target.id.to_string(), target.creator_id.to_string());
    let (value, method) = (amount.to_decimal(), target.method.as_deref().unwrap_or_default());
    let of = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let currency = amount.currency.code();
    let reference = reference(target.id, target.attempt);
    // What keeps a cell from being a formula would alter whom the money goes to.
    let unfit = of("email").starts_with(['+', '=', '-', '@']);
    if paypal {
        let hers = method == "paypal" && !told.is_null() && !unfit;
        if hers {
            csv::line(out, &[of("email"), &value, currency, &reference]);
        }
        return hers;
    }
    let state = match () {
        () if told.is_null() => "details_missing",
        () if unfit => "receiver_not_for_files",
        () => state_name(target.state),
    };
    let mut cells = vec![&*id, &creator, &target.name, state, &value, currency];
    cells.push(method);
    let details = HEADER.iter().skip(7).take(7);
    cells.extend(details.map(|name| if unfit { "" } else { of(name) }));
    cells.push(&reference);
    csv::line(out, &cells);
    !told.is_null() && !unfit
}

view! {
    /// A payment to the creator.
    #[schema(as = MyPayment)]
    pub struct MyPaymentView {
        pub(crate) id: crate::domain::ids::PayoutLineId,
        pub(crate) payout_id: PayoutId,
        pub(crate) amount: Money,
        /// `in_payout`, `settled` or `failed`.
        pub(crate) state: &'static str,
        #[schema(required)]
        pub(crate) approved_at: Option<Time>,
        #[schema(required)]
        pub(crate) settled_at: Option<Time>,
        #[schema(required)]
        pub(crate) reference: Option<String>,
        #[schema(required)]
        pub(crate) reason: Option<String>,
    }
}

/// The creator's payments, latest first.
#[utoipa::path(get, path = "/v1/me/payouts", tag = "creator", security(("creator" = [])),
    params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<MyPaymentView>)))]
pub async fn mine(
    State(app): State<App>,
    me: Me,
    params: Params,
) -> Result<Json<List<MyPaymentView>>> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    let found = rows::of_creator(app.db(), me.brand, me.creator, &page).await?;
    let view = |row: rows::MyLineRow| MyPaymentView {
        id: row.id,
        payout_id: row.payout_id,
        amount: Money::new(row.amount_minor, row.currency),
        state: state_name(row.state),
        approved_at: row.approved_at_ms.map(Time),
        settled_at: row.settled_at_ms.map(Time),
        reference: row.reference,
        reason: row.reason,
    };
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), view)))
}
