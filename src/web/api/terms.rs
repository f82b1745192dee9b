//! What is agreed in a deal: versions of its commission terms.

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{CollectionId, Deal, DealId, TermsId};
use crate::domain::money::Money;
use crate::domain::terms::{CitedTerms, Customer, RateRule, Rules, Terms};
use crate::domain::time::{Millis, to_rfc3339};
use crate::error::{Error, Result};
use crate::storage::deals::{self as rows, Start, TermsRow};
use crate::storage::{DbError, Statement};
use crate::web::body::{body, words};
use crate::web::extract::{Acting, Body, Caller, Checks, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, ToJson, by_serde, view};

use super::collections::{self, Named};
use super::deals::{find, missing_parent, not_erased};
use super::view::{List, Percent, Time};

/// No terms start before this: 2000-01-01.
pub(super) const EARLIEST_START_MS: Millis = 946_684_800_000;
/// Every order keeps a copy of its terms: so many rules they have at most,
const MAX_RATES: usize = 50;
/// and so many products in all of them.
const MAX_PRODUCTS: usize = 250;

body! {
    /// A version of terms.
    #[derive(Clone)]
    pub struct NewTerms {
        /// The share of an order's base that is commission, where no other rate fits.
        commission_percent: Percent,
        starts_at: Option<Time>,
        /// From then on the terms before hold again.
        ends_at: Option<Time>,
        /// Other rates; the first that fits a line holds.
        rates: Option<Vec<NewRate>>,
        /// Earned once by each order in its currency, while anything of its base is left.
        flat_per_order: Option<Money>,
        /// Only a customer's first order earns.
        first_order_only: Option<bool>,
        /// The most that an order in its currency earns.
        cap_per_order: Option<Money>,
        /// The most that the deal earns in a month by orders in its currency.
        cap_per_month: Option<Money>,
    }
}

body! {
    /// Another rate for some products or customers.
    #[derive(Clone)]
    pub struct NewRate {
        commission_percent: Percent,
        /// What people call it, such as the name of a collection.
        label: Option<String>,
        /// The platform's ids; absent: every line.
        product_ids: Option<Vec<String>>,
        /// Instead of products: those of a collection, kept in step with the shop.
        collection: Option<Named>,
        /// Absent: every customer.
        customer: Option<Customer>,
    }
}

words!(Customer { "new" => New, "returning" => Returning });
by_serde!(Customer);

view! {
    /// A version of commission terms.
    #[schema(as = Terms)]
    pub struct TermsView {
        id: TermsId,
        commission_percent: Percent,
        starts_at: Time,
        /// From then on the terms before hold again.
        #[schema(required)]
        ends_at: Option<Time>,
        /// Other rates; the first that fits a line holds.
        rates: Vec<RateView>,
        #[schema(required)]
        flat_per_order: Option<Money>,
        first_order_only: bool,
        #[schema(required)]
        cap_per_order: Option<Money>,
        #[schema(required)]
        cap_per_month: Option<Money>,
        /// What made this version; empty for a person.
        reason: String,
    }
}

view! {
    /// Another rate for some products or customers.
    #[schema(as = Rate)]
    pub struct RateView {
        commission_percent: Percent,
        label: String,
        product_ids: Vec<String>,
        /// The collection whose products it is for: see `GET /v1/stores/{id}/collections`.
        #[schema(required)]
        collection_id: Option<CollectionId>,
        #[schema(required)]
        customer: Option<Customer>,
    }
}

impl From<TermsRow> for TermsView {
    fn from(row: TermsRow) -> Self {
        let rules = row.rules;
        Self {
            id: row.id,
            commission_percent: Percent(row.rate_bp),
            starts_at: Time(row.starts_at_ms),
            ends_at: row.ends_at_ms.map(Time),
            rates: rules.rates.into_iter().map(RateView::from).collect(),
            flat_per_order: rules.flat,
            first_order_only: rules.first_order_only,
            cap_per_order: rules.order_cap,
            cap_per_month: rules.month_cap,
            reason: row.reason,
        }
    }
}

impl From<RateRule> for RateView {
    fn from(rule: RateRule) -> Self {
        Self {
            commission_percent: Percent(rule.rate),
            label: rule.label,
            collection_id: rule.collection,
            product_ids: rule.products.iter().map(u64::to_string).collect(),
            customer: rule.customer,
        }
    }
}

/// Notes a start that no terms can have.
pub(super) fn check_start(checks: &mut Checks, starts_at: Option<Time>) {
    if starts_at.is_some_and(|at| at.0 < EARLIEST_START_MS) {
        checks.refuse("starts_at", "must not be before the year 2000");
    }
}

impl NewTerms {
    /// From when on they are wanted, if that is said.
    pub(crate) fn starts_at(&self) -> Option<Millis> {
        self.starts_at.map(|at| at.0)
    }

    /// The version that this body asks for, with everything that is wrong noted in `checks`.
    /// `starts_at_ms` is what an absent start means.
    pub(crate) fn terms(
        self,
        checks: &mut Checks,
        deal: DealId,
        id: TermsId,
        starts_at_ms: Millis,
    ) -> Terms {
        check_start(checks, self.starts_at);
        let starts_at_ms = self.starts_at.map_or(starts_at_ms, |at| at.0);
        if self.ends_at.is_some_and(|end| end.0 <= starts_at_ms) {
            checks.refuse("ends_at", "must be after the start");
        }
        let amounts = [
            ("flat_per_order", self.flat_per_order),
            ("cap_per_order", self.cap_per_order),
            ("cap_per_month", self.cap_per_month),
        ];
        for (field, amount) in amounts {
            if amount.is_some_and(|amount| amount.minor <= 0) {
                checks.refuse(field, "must be more than nothing");
            }
        }
        let rules = Rules {
            rates: rates(checks, self.rates.unwrap_or_default()),
            flat: self.flat_per_order,
            first_order_only: self.first_order_only.unwrap_or(false),
            order_cap: self.cap_per_order,
            month_cap: self.cap_per_month,
        };
        let cited = CitedTerms { id, rate: self.commission_percent.0, rules };
        Terms { deal, starts_at_ms, ends_at_ms: self.ends_at.map(|end| end.0), cited }
    }
}

fn rates(checks: &mut Checks, rates: Vec<NewRate>) -> Vec<RateRule> {
    if rates.len() > MAX_RATES {
        checks.refuse("rates", "must be at most 50");
        return Vec::new();
    }
    let mut rules = Vec::with_capacity(rates.len());
    let mut products = 0;
    for (place, new) in rates.into_iter().enumerate() {
        let of = |field: &str| format!("rates[{place}].{field}");
        let mut rule = RateRule {
            label: String::new(),
            products: Vec::new(),
            collection: None,
            customer: new.customer,
            rate: new.commission_percent.0,
        };
        if let Some(label) = new.label {
            rule.label = checks.text(&of("label"), &label, 100).unwrap_or_default();
        }
        match &new.collection {
            None if new.product_ids.is_none() && rule.customer.is_none() => {
                let why = "a rate needs product_ids, a collection or a customer";
                checks.refuse(&of("product_ids"), why);
            }
            None => (),
            Some(_) if new.product_ids.is_some() => {
                checks
                    .refuse(&of("collection"), "a rate is for products or a collection, not both");
            }
            Some(named) => match named.found() {
                Some((id, title)) => {
                    rule.collection = Some(id);
                    if rule.label.is_empty() {
                        rule.label = title.chars().take(100).collect();
                    }
                }
                None => checks.refuse(&of("collection"), "can't be named here"),
            },
        }
        if new.product_ids.as_ref().is_some_and(Vec::is_empty) {
            checks.refuse(&of("product_ids"), "must name a product");
        }
        for id in new.product_ids.into_iter().flatten() {
            match product_id(&id) {
                Some(id) => rule.products.push(id),
                None => checks.refuse(&of("product_ids"), "must be ids of the platform: digits"),
            }
        }
        products += rule.products.len();
        rules.push(rule);
    }
    if products > MAX_PRODUCTS {
        checks.refuse("rates", "must name at most 250 products in all");
    }
    rules
}

/// A platform's product id: digits, without leading zeros, within 2^63.
fn product_id(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse::<i64>().ok().filter(|_| plain).and_then(|id| u64::try_from(id).ok())
}

/// What the trail says of new terms.
pub(super) struct Noted<'a>(pub &'a Terms);

impl ToJson for Noted<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let Terms { starts_at_ms, ends_at_ms, cited, .. } = self.0;
        json::Fields(&[
            ("id", &cited.id),
            ("rate_bp", &cited.rate.points()),
            ("starts_at", &to_rfc3339(*starts_at_ms)),
            ("ends_at", &ends_at_ms.map(to_rfc3339)),
            ("rules", &RulesText(&cited.rules)),
        ])
        .write(out);
    }
}

/// Rules as they are stored, in JSON.
pub(super) struct RulesText<'a>(pub &'a Rules);

impl ToJson for RulesText<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        // Nothing in rules can fail to be written.
        let _ = serde_json::to_writer(out, self.0);
    }
}

/// What the database's refusal of new terms means.
pub(crate) fn refused(error: DbError) -> Box<Error> {
    match error {
        error if error.is_constraint("terms_before_decided_order") => Error::invalid(
            "starts_at",
            "an order placed after it is already decided; past orders never change",
        ),
        error if error.is_constraint("ends_at_ms") => {
            Error::invalid("ends_at", "must be after the start, which is after the last order")
        }
        error if error.is_constraint("terms.version") => {
            Error::refused("terms-changed", "other terms were agreed meanwhile")
        }
        error => missing_parent(error),
    }
}

/// The batch that adds a version of terms, whose collections were looked up; `refused` tells why it aborts, also
/// because others were agreed since `seen_ms`.
///
/// # Errors
/// 422.
pub fn adding(
    app: &App,
    acting: &Acting<'_>,
    deal: DealId,
    new: NewTerms,
    seen_ms: Option<Millis>,
) -> Result<(Terms, Vec<Statement>)> {
    let mut checks = Checks::default();
    let now_ms = app.now_ms();
    let start = if new.starts_at.is_some() { Start::Exactly } else { Start::Soonest };
    let terms = new.terms(&mut checks, deal, app.new_id(), now_ms);
    checks.done()?;
    let mut batch = rows::insert_terms(acting.brand, &terms, (start, seen_ms), "", now_ms);
    batch.push(acting.note(app, "terms.create", deal, None, Some(json::text(&Noted(&terms)))));
    Ok((terms, batch))
}

/// Adds a version of terms. Past orders never change: one that would start before an order that
/// is already decided is refused.
#[utoipa::path(post, path = "/v1/deals/{id}/terms", tag = "deals", request_body = NewTerms,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path)),
    responses((status = 201, body = TermsView)))]
pub async fn add(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    Body(mut new): Body<NewTerms>,
) -> Result<(StatusCode, Json<TermsView>)> {
    let deal = find(&app, caller.brand, id.0).await?;
    not_erased(&app, caller.brand, deal.creator_id).await?;
    collections::resolve(&app, &caller, &mut new).await?;
    let (terms, batch) = adding(&app, &caller.acting(), id.0, new, None)?;
    app.db().run(batch).await.map_err(refused)?;
    let stored = rows::terms(app.db(), caller.brand, id.0).await?;
    let stored = stored.into_iter().find(|row| row.id == terms.cited.id);
    // Where many start later, the list ends before it.
    let stored = stored.unwrap_or_else(|| TermsRow {
        id: terms.cited.id,
        rate_bp: terms.cited.rate,
        starts_at_ms: terms.starts_at_ms,
        ends_at_ms: terms.ends_at_ms,
        rules: terms.cited.rules,
        reason: String::new(),
    });
    Ok((StatusCode::CREATED, Json(TermsView::from(stored))))
}

/// All versions of a deal's terms, latest start first.
#[utoipa::path(get, path = "/v1/deals/{id}/terms", tag = "deals",
    security(("api_key" = ["read"])), params(("id" = DealId, Path)),
    responses((status = 200, body = List<TermsView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Deal>,
) -> Result<Json<List<TermsView>>> {
    find(&app, caller.brand, id.0).await?;
    let found = rows::terms(app.db(), caller.brand, id.0).await?;
    let data = found.into_iter().map(TermsView::from).collect();
    Ok(Json(List { data, next_cursor: None }))
}
