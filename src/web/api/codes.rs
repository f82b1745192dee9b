//! Codes of deals: taken over, or made in the shop.

use http::StatusCode;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::app::App;
use crate::domain::attribution::code_key;
use crate::domain::code::{PATTERN, from_handle, new_code, next_spellings, spelling};
use crate::domain::discount::Discount;
use crate::domain::ids::{BrandId, Code, CodeId, CreatorId, Deal, DealId, GroupId, StoreId};
use crate::domain::json::json;
use crate::domain::money::Currency;
use crate::domain::task::Kind;
use crate::error::{Error, Result};
use crate::jobs::outbox;
use crate::storage::codes::{self as rows, CodeRow, CodeState, Filter, Making, NewCode};
use crate::storage::deals::DealRow;
use crate::storage::groups::{self, GroupRow, Mode};
use crate::storage::store_access::{self, State as Access};
use crate::storage::{DbError, Page, Statement, creators, stores};
use crate::web::body::{FromJson, Wrong, body, words, wrong};
use crate::web::extract::{Acting, Body, Caller, Checks, Params, PathId, checked, may};
use crate::web::handler::{Json, State};
use crate::web::json::{by_serde, view};

use super::deals::{find, missing_parent, not_erased};
use super::discounts::{DiscountView, NewDiscount};
use super::view::{List, Time};

/// A spelling that somebody takes in the same moment: another is tried so often.
const ATTEMPTS: usize = 5;

/// How a code does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CodeState)]
pub enum CodeStateView {
    /// The shop is to make it.
    Creating,
    /// It works.
    Active,
    /// It was changed in the shop: see the reason.
    Changed,
    /// The shop didn't make it: see the reason.
    Failed,
    /// It was switched off.
    Deactivated,
    /// It was deleted in the shop.
    Gone,
}

by_serde!(CodeStateView);

impl From<CodeState> for CodeStateView {
    fn from(state: CodeState) -> Self {
        match state {
            CodeState::Creating => Self::Creating,
            CodeState::Active => Self::Active,
            CodeState::Changed => Self::Changed,
            CodeState::Failed => Self::Failed,
            CodeState::Deactivated => Self::Deactivated,
            CodeState::Gone => Self::Gone,
        }
    }
}

view! {
    /// A discount code.
    #[schema(as = Code)]
    pub struct CodeView {
        id: CodeId,
        deal_id: DealId,
        code: String,
        state: CodeStateView,
        /// The shop hasn't done yet what it is to do.
        pending: bool,
        /// What is in the way or has changed, in words; empty if nothing.
        reason: String,
        /// Another spelling, where this one is taken.
        #[schema(required)]
        suggestion: Option<String>,
        #[schema(required)]
        store_id: Option<StoreId>,
        /// Whether the last look found it in the shop; null before there was one.
        #[schema(required)]
        in_store: Option<bool>,
        #[schema(required)]
        affiliate_group_id: Option<GroupId>,
        /// Its own rule, if it was made by one.
        #[schema(required)]
        discount: Option<DiscountView>,
        ends_with_deal: bool,
        created_at: Time,
    }
}

impl From<CodeRow> for CodeView {
    fn from(row: CodeRow) -> Self {
        Self {
            id: row.id,
            deal_id: row.deal_id,
            code: row.code,
            state: row.state.into(),
            pending: row.pending,
            reason: row.reason,
            suggestion: row.suggestion,
            store_id: row.store_id,
            in_store: row.in_store,
            affiliate_group_id: row.group_id,
            discount: row.rule.map(DiscountView::from),
            ends_with_deal: row.ends_with_deal,
            created_at: Time(row.created_at_ms),
        }
    }
}

/// Which code a link applies: the deal's, one by its id, or none.
pub enum ApplyCode {
    /// The deal's, or none.
    Deals(bool),
    /// This one.
    This(CodeId),
}

impl FromJson for ApplyCode {
    fn from_json(value: &serde_json::Value) -> std::result::Result<Self, Wrong> {
        match value.as_bool() {
            Some(on) => Ok(Self::Deals(on)),
            None => match value.as_str().and_then(|text| text.parse().ok()) {
                Some(id) => Ok(Self::This(id)),
                None => Err(wrong("must be true, false or the id of a code")),
            },
        }
    }

    fn placeholder() -> Self {
        Self::Deals(false)
    }
}

impl PartialSchema for ApplyCode {
    fn schema() -> RefOr<Schema> {
        let one = utoipa::openapi::schema::OneOfBuilder::new();
        RefOr::T(Schema::OneOf(one.item(bool::schema()).item(CodeId::schema()).build()))
    }
}
impl ToSchema for ApplyCode {}

impl ApplyCode {
    /// The code that is meant, of a deal's.
    pub(super) fn code_of(&self, codes: &[CodeRow]) -> Result<Option<CodeId>> {
        let none = |why| Error::invalid("apply_code", why);
        match self {
            Self::Deals(false) => Ok(None),
            Self::Deals(true) => {
                let code = code_to_apply(codes).ok_or_else(|| none("the deal has no code"))?;
                Ok(Some(code))
            }
            Self::This(id) if codes.iter().any(|code| code.id == *id) => Ok(Some(*id)),
            Self::This(_) => Err(none("must be a code of the link's deal")),
        }
    }
}

/// The code of a deal's that a link applies, where nobody says which: one that works, or will.
#[must_use]
pub fn code_to_apply(codes: &[CodeRow]) -> Option<CodeId> {
    let rank = |code: &&CodeRow| {
        let place = [CodeState::Active, CodeState::Changed, CodeState::Creating];
        (place.iter().position(|state| *state == code.state), code.id)
    };
    let fit = codes.iter().filter(|code| rank(code).0.is_some());
    fit.min_by_key(rank).map(|code| code.id)
}

body! {
    /// A code: an existing one to take over, or one to make in the shop.
    pub struct NewCodeBody {
        /// Absent: made from the creator's handle, with the next free suffix.
        code: Option<String>,
        /// False: it exists in the shop and is taken over.
        create_in_store: Option<bool>,
        /// The group whose rule it has.
        affiliate_group_id: Option<String>,
        /// Its own rule.
        discount: Option<NewDiscount>,
        /// Absent: the brand's first.
        store_id: Option<String>,
        /// With a rule of its own: it is deactivated when the deal is closed.
        ends_with_deal: Option<bool>,
    }
}

/// A shop that codes can be made in, with its currency.
pub(super) struct Shop {
    pub(super) id: StoreId,
    pub(super) currency: Currency,
    /// It was reached.
    pub(super) connected: bool,
}

/// The shop that is named, else the brand's first.
pub(super) async fn shop_of(app: &App, brand: BrandId, wanted: Option<&str>) -> Result<Shop> {
    let row = match wanted {
        Some(text) => {
            let id = text.parse().map_err(|e| Error::invalid("store_id", e))?;
            stores::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?
        }
        None => {
            let all = Page { limit: 200, after: String::new() };
            let all = stores::list(app.db(), brand, &all).await?;
            let fit =
                |row: &stores::StoreRow| row.platform == "shopify" && row.closed_at_ms.is_none();
            let none = || Error::refused("no-store", "connect a Shopify store first");
            all.into_iter().find(fit).ok_or_else(none)?
        }
    };
    if row.platform != "shopify" || row.closed_at_ms.is_some() {
        let why = "codes are made in Shopify stores that are connected";
        return Err(Error::refused("store-without-codes", why));
    }
    let access = store_access::find(app.db(), brand, row.id).await?;
    let told = access.as_ref().and_then(|access| access.currency.as_deref()?.parse().ok());
    let currency = match told {
        Some(currency) => currency,
        None => super::brand::find(app, brand).await?.brand.currency,
    };
    let connected = access.is_some_and(|access| access.state == Some(Access::Connected));
    Ok(Shop { id: row.id, currency, connected })
}

pub(super) fn code_taken() -> Box<Error> {
    Error::refused("code-taken", "a deal of this brand has the code already")
}

pub(crate) fn refused(error: DbError) -> Box<Error> {
    if error.is_constraint("codes.code_key") { code_taken() } else { missing_parent(error) }
}

pub(crate) fn deal_closed() -> Box<Error> {
    Error::refused("deal-closed", "the deal is closed")
}

/// Gives a deal a code: one that exists in the shop, or one that is made there by a rule.
#[utoipa::path(post, path = "/v1/deals/{id}/codes", tag = "codes", request_body = NewCodeBody,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path)),
    responses((status = 201, body = CodeView),
    (status = 409, description = "Another deal has the code, or there is no store")))]
pub async fn add(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    Body(new): Body<NewCodeBody>,
) -> Result<(StatusCode, Json<CodeView>)> {
    let deal = find(&app, caller.brand, id.0).await?;
    let asked = asked(&app, &caller, &deal, new).await?;
    for _ in 0..ATTEMPTS {
        let (id, batch) = asked.batch(&app, &caller.acting(), deal.id).await?;
        match app.db().run(batch).await {
            Ok(_) => {
                let row = rows::find(app.db(), caller.brand, id).await?.ok_or(Error::NotFound)?;
                return Ok((StatusCode::CREATED, Json(CodeView::from(row))));
            }
            Err(error) if asked.may_differ() && error.is_constraint("codes.code_key") => (),
            Err(error) => return Err(refused(error)),
        }
    }
    Err(code_taken())
}

/// A code that a body asks for, found to be one that can be had.
pub(super) enum Asked {
    /// It exists in the shop.
    Taken(CodeId, Vec<Statement>),
    /// It is to be made there.
    Made(Box<(Wanted, Spelled)>),
}

impl Asked {
    /// Whether another spelling does as well.
    pub(super) fn may_differ(&self) -> bool {
        matches!(self, Self::Made(made) if made.1.may_differ())
    }

    /// The batch that gives it to the deal; [`refused`] tells why it aborts.
    pub(super) async fn batch(
        &self,
        app: &App,
        acting: &Acting<'_>,
        deal: DealId,
    ) -> Result<(CodeId, Vec<Statement>)> {
        match self {
            Self::Taken(id, batch) => Ok((*id, batch.clone())),
            Self::Made(made) => {
                let (id, _, batch) = making(app, acting, deal, &made.0, &made.1).await?;
                Ok((id, batch))
            }
        }
    }
}

/// The code that a body asks for.
pub(super) async fn asked(
    app: &App,
    caller: &Caller<may::Deals>,
    deal: &DealRow,
    new: NewCodeBody,
) -> Result<Asked> {
    if new.affiliate_group_id.is_none() && new.discount.is_none() {
        return take_over(app, caller, deal.id, new).await;
    }
    if deal.closed_at_ms.is_some() {
        return Err(deal_closed());
    }
    not_erased(app, caller.brand, deal.creator_id).await?;
    make(app, caller, deal.creator_id, new).await
}

async fn take_over(
    app: &App,
    caller: &Caller<may::Deals>,
    deal: DealId,
    new: NewCodeBody,
) -> Result<Asked> {
    let mut checks = Checks::default();
    let code = match &new.code {
        Some(code) => checks.text("code", code, 255),
        None => checks.field("code", Err("missing field `code`")),
    };
    if new.create_in_store != Some(false) {
        let why = "must be false, to take an existing code over; to make one, name an affiliate group or a discount";
        checks.refuse("create_in_store", why);
    }
    if new.ends_with_deal == Some(true) {
        checks.refuse("ends_with_deal", "is for codes that are made here");
    }
    checks.done()?;
    let (id, code, brand): (CodeId, String, _) = (app.new_id(), checked(code)?, caller.brand);
    let shop = match shop_of(app, brand, new.store_id.as_deref()).await {
        Ok(shop) => Some(shop),
        Err(error) if new.store_id.is_some() => return Err(error),
        Err(_) => None,
    };
    let store = shop.as_ref().map(|shop| shop.id);
    let row = NewCode { id, deal, code: &code, store, making: None };
    let made = json!({ "id": id, "deal_id": deal, "code": code });
    let mut batch = vec![
        rows::insert(brand, &row, app.now_ms()),
        caller.note(app, "code.create", id, None, Some(made)),
    ];
    // Whether it is there is looked at after the answer, where somebody can look.
    if let Some(shop) = shop.filter(|shop| shop.connected) {
        let subject = id.to_string();
        batch.push(outbox::put(app, brand, shop.id, (Kind::LookAtCodes, &subject), "{}"));
    }
    Ok(Asked::Taken(id, batch))
}

/// How a code is to be made.
pub struct Wanted {
    group: Option<GroupRow>,
    rule: Option<Discount>,
    shop: StoreId,
    ends_with_deal: bool,
}

impl Wanted {
    fn pattern(&self) -> (&str, String) {
        let of_group = |group: &GroupRow| group.rule.figure();
        let figure = self.rule.as_ref().map(Discount::figure);
        let figure = figure.or_else(|| self.group.as_ref().map(of_group)).unwrap_or_default();
        (self.group.as_ref().map_or(PATTERN, |group| &group.code_pattern), figure)
    }
}

async fn wanted(
    app: &App,
    brand: BrandId,
    new: &mut NewCodeBody,
    checks: &mut Checks,
) -> Result<Wanted> {
    if new.affiliate_group_id.is_some() && new.discount.is_some() {
        checks.refuse("discount", "must be absent: the group has one");
    }
    if new.create_in_store == Some(false) {
        checks.refuse("create_in_store", "must be absent or true, where a code is made");
    }
    if let Some(text) = &new.affiliate_group_id {
        let id: GroupId = text.parse().map_err(|e| Error::invalid("affiliate_group_id", e))?;
        let group = groups::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?;
        let wanted = Wanted::of_group(group)?;
        if new.store_id.is_some() || new.ends_with_deal.is_some() {
            checks.refuse(
                "affiliate_group_id",
                "says in which store, and whether codes end with deals",
            );
        }
        return Ok(wanted);
    }
    let shop = shop_of(app, brand, new.store_id.as_deref()).await?;
    let rule = new
        .discount
        .take()
        .map(|discount| discount.rule(checks, "discount.", shop.currency, app.now_ms()));
    let ends_with_deal = new.ends_with_deal.unwrap_or(false);
    Ok(Wanted { group: None, rule, shop: shop.id, ends_with_deal })
}

/// That a group still makes codes.
pub(super) fn open(group: &GroupRow) -> Result<()> {
    match group.archived_at_ms {
        None => Ok(()),
        Some(_) => Err(Error::refused("group-archived", "the affiliate group is archived")),
    }
}

async fn make(
    app: &App,
    caller: &Caller<may::Deals>,
    creator: CreatorId,
    mut new: NewCodeBody,
) -> Result<Asked> {
    let mut checks = Checks::default();
    let brand = caller.brand;
    let wanted = wanted(app, brand, &mut new, &mut checks).await?;
    let typed = new.code.as_deref().map(|code| checks.field("code", new_code(code)));
    checks.done()?;
    let spelled = match typed.map(checked).transpose()? {
        Some(code) => Spelled::As(code),
        None => {
            let creator = creators::find(app.db(), brand, creator).await?.ok_or(Error::NotFound)?;
            wanted.spelled(&creator.handle)
        }
    };
    Ok(Asked::Made(Box::new((wanted, spelled))))
}

/// How a code is spelled.
pub enum Spelled {
    /// So.
    As(String),
    /// So, or as the first after it that is free.
    From(String),
}

impl Spelled {
    fn may_differ(&self) -> bool {
        matches!(self, Self::From(_))
    }
}

impl Wanted {
    /// A code of this group.
    ///
    /// # Errors
    /// 409 if it is archived.
    pub fn of_group(group: GroupRow) -> Result<Self> {
        open(&group)?;
        let (shop, ends_with_deal) = (group.store_id, group.ends_with_deal);
        Ok(Self { group: Some(group), rule: None, shop, ends_with_deal })
    }

    /// Its spelling for who has this handle.
    #[must_use]
    pub fn spelled(&self, handle: &str) -> Spelled {
        let (pattern, figure) = self.pattern();
        Spelled::From(from_handle(pattern, handle, &figure))
    }
}

/// The batch that gives a deal a code which its shop is to make, with the id and the spelling. It aborts by
/// `codes.code_key` if somebody takes the spelling meanwhile.
///
/// # Errors
/// 409 if no spelling is free; 503 if D1 is away.
pub async fn making(
    app: &App,
    acting: &Acting<'_>,
    deal: DealId,
    wanted: &Wanted,
    spelled: &Spelled,
) -> Result<(CodeId, String, Vec<Statement>)> {
    let brand = acting.brand;
    let ((attempt, code), base) = match spelled {
        Spelled::As(code) => ((0, code.clone()), None),
        Spelled::From(base) => (free(app, brand, base, &[]).await?, Some(base.as_str())),
    };
    let id: CodeId = app.new_id();
    let making = Making {
        group: wanted.group.as_ref().map(|group| group.id),
        rule: wanted.rule.as_ref(),
        base,
        attempt,
        ends_with_deal: wanted.ends_with_deal,
    };
    let row = NewCode { id, deal, code: &code, store: Some(wanted.shop), making: Some(making) };
    let made = json!({ "id": id, "deal_id": deal, "code": code, "state": "creating",
        "affiliate_group_id": wanted.group.as_ref().map(|group| group.id) });
    let batch = vec![
        rows::insert(brand, &row, app.now_ms()),
        acting.note(app, "code.create", id, None, Some(made)),
        task(app, brand, wanted.shop, wanted.group.as_ref(), id),
    ];
    Ok((id, code, batch))
}

/// The task that makes a code, or a group's codes.
pub(super) fn task(
    app: &App,
    brand: BrandId,
    store: StoreId,
    group: Option<&GroupRow>,
    id: CodeId,
) -> Statement {
    match group.filter(|group| group.mode == Mode::OneDiscount) {
        Some(group) => {
            app.note_work(brand, store);
            groups::more_codes(brand, (app.new_id(), store), group.id, app.now_ms())
        }
        None => outbox::put(app, brand, store, (Kind::MakeCode, &id.to_string()), "{}"),
    }
}

/// The first spelling that no deal has, and which one it is. `avoid`: spellings that others get.
pub(super) async fn free(
    app: &App,
    brand: BrandId,
    base: &str,
    avoid: &[String],
) -> Result<(u32, String)> {
    let mut ahead = vec![(0, spelling(base, 0))];
    ahead.extend(next_spellings(base, 0, &[], 200));
    let keys: Vec<String> = ahead.iter().map(|(_, code)| code_key(code)).collect();
    let known = rows::known_keys(app.db(), brand, &keys).await?;
    let is_free = |code: &str| {
        let key = code_key(code);
        !known.contains(&key) && !avoid.contains(&key)
    };
    ahead.into_iter().find(|(_, code)| is_free(code)).ok_or_else(code_taken)
}

words!(CodeStateView {
    "creating" => Creating, "active" => Active, "changed" => Changed, "failed" => Failed,
    "deactivated" => Deactivated, "gone" => Gone,
});

/// The brand's codes.
#[utoipa::path(get, path = "/v1/codes", tag = "codes", security(("api_key" = ["read"])),
    params(("deal_id" = Option<String>, Query), ("state" = Option<String>, Query),
    ("affiliate_group_id" = Option<String>, Query), ("limit" = Option<i64>, Query),
    ("cursor" = Option<String>, Query)), responses((status = 200, body = List<CodeView>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<List<CodeView>>> {
    let params = params.only(&["deal_id", "state", "affiliate_group_id", "limit", "cursor"])?;
    let page = params.page()?;
    let state = match params.get("state") {
        None => None,
        Some(text) => {
            let known = crate::storage::rows::FromColumn::from_column(&text.into());
            Some(known.ok_or_else(|| Error::invalid("state", "is no state of a code"))?)
        }
    };
    let filter =
        Filter { deal: params.id("deal_id")?, state, group: params.id("affiliate_group_id")? };
    let found = rows::list(app.db(), caller.brand, &filter, &page).await?;
    Ok(Json(List::page(found, &page, |row| row.id.to_string(), CodeView::from)))
}

/// One code.
#[utoipa::path(get, path = "/v1/codes/{id}", tag = "codes", security(("api_key" = ["read"])),
    params(("id" = CodeId, Path)), responses((status = 200, body = CodeView)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Code>,
) -> Result<Json<CodeView>> {
    let row = rows::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    Ok(Json(CodeView::from(row)))
}
