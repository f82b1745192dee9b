//! The brand itself: made by the operator, read and set by its own keys.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::auth::TokenKind;
use crate::domain::brand::{AttributionRules, Brand, ClickOrder, EarnOn, EarningRules, Precedence};
use crate::domain::creator::is_email;
use crate::domain::ids::BrandId;
use crate::domain::link::{is_host, parse_origin};
use crate::domain::money::{Currency, Money};
use crate::domain::secret::token_hash;
use crate::domain::time::Zone;
use crate::error::{Error, Result};
use crate::jobs::domains;
use crate::storage::brands::StoredBrand;
use crate::storage::{DbError, access, brands, orders, stores};
use crate::web::extract::{Body, Caller, Checks, Operator, checked, clearable, present};
use crate::web::normal_host;

/// A brand as the API shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = Brand)]
pub struct BrandView {
    id: BrandId,
    name: String,
    currency: Currency,
    timezone: String,
    homepage_url: String,
    /// The host its links are handed out on.
    #[schema(required)]
    link_domain: Option<String>,
    /// A host that was set and waits to be verified.
    #[schema(required)]
    link_domain_pending: Option<String>,
    attribution: AttributionView,
    hold_days: u16,
    earn_on: EarnOn,
    count_test_orders: bool,
    #[schema(required)]
    payout_minimum: Option<Money>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Attribution)]
struct AttributionView {
    window_days: u16,
    precedence: Precedence,
    clicks: ClickOrder,
}

impl From<StoredBrand> for BrandView {
    fn from(stored: StoredBrand) -> Self {
        let brand = stored.brand;
        Self {
            id: brand.id,
            name: brand.name,
            currency: brand.currency,
            timezone: brand.timezone.name().to_owned(),
            homepage_url: brand.homepage_url,
            link_domain: brand.link_domain,
            link_domain_pending: stored.pending_host,
            attribution: AttributionView {
                window_days: brand.attribution.window_days,
                precedence: brand.attribution.precedence,
                clicks: brand.attribution.clicks,
            },
            hold_days: brand.earning.hold_days,
            earn_on: brand.earning.earn_on,
            count_test_orders: brand.earning.count_test_orders,
            payout_minimum: brand.payout_minimum,
        }
    }
}

/// A new brand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBrand {
    name: String,
    currency: String,
    #[serde(default, deserialize_with = "present")]
    timezone: Option<String>,
    homepage_url: String,
    owner_email: String,
}

/// A new brand and its first API key, which is shown only here.
#[derive(Serialize, ToSchema)]
pub struct CreatedBrand {
    brand: BrandView,
    api_key: String,
}

/// Makes a brand.
#[utoipa::path(post, path = "/v1/brands", tag = "operator", request_body = NewBrand,
    security(("operator" = [])), responses((status = 201, body = CreatedBrand)))]
pub async fn create(
    State(app): State<App>,
    _: Operator,
    Body(new): Body<NewBrand>,
) -> Result<(StatusCode, Json<CreatedBrand>)> {
    let mut checks = Checks::default();
    let name = checks.text("name", &new.name, 200);
    let currency = checks.field("currency", new.currency.parse::<Currency>());
    let timezone = checks.field("timezone", zone(new.timezone.as_deref().unwrap_or("UTC")));
    let homepage_url = checks.field("homepage_url", homepage(&new.homepage_url, app.config.local));
    let owner = new.owner_email.trim();
    if !is_email(owner) {
        checks.refuse("owner_email", "must be an e-mail address");
    }
    checks.done()?;
    let brand = Brand {
        id: app.new_id(),
        name: checked(name)?,
        currency: checked(currency)?,
        timezone: checked(timezone)?,
        homepage_url: checked(homepage_url)?,
        link_domain: None,
        attribution: AttributionRules::default(),
        earning: EarningRules::default(),
        payout_minimum: None,
    };
    let api_key = TokenKind::ApiKey.token(app.random());
    let now_ms = app.now_ms();
    let mut batch = brands::insert(&brand, owner, now_ms);
    batch.push(access::insert_key(brand.id, app.new_id(), &token_hash(&api_key), now_ms));
    app.db().run(batch).await?;
    let brand = StoredBrand { brand, pending_host: None }.into();
    Ok((StatusCode::CREATED, Json(CreatedBrand { brand, api_key })))
}

fn zone(name: &str) -> Result<Zone, &'static str> {
    Zone::named(name).ok_or("must be a time zone of the IANA database, such as Europe/Berlin")
}

/// A home page may have a path; its origin obeys the rule for storefronts.
fn homepage(url: &str, local: bool) -> Result<String, &'static str> {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(after_scheme..).unwrap_or_default();
    let path_at = rest.find('/').map_or(url.len(), |at| after_scheme + at);
    let (origin, path) = url.split_at_checked(path_at).ok_or("must be a web address")?;
    let origin = parse_origin(origin, local)?;
    if path.len() > 2000 || !path.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("must be a web address");
    }
    Ok(format!("{origin}{path}"))
}

/// The brand of the key.
#[utoipa::path(get, path = "/v1/brand", tag = "brand", security(("api_key" = [])),
    responses((status = 200, body = BrandView)))]
pub async fn show(State(app): State<App>, caller: Caller) -> Result<Json<BrandView>> {
    Ok(Json(find(&app, caller.brand).await?.into()))
}

/// The brand behind a key.
///
/// # Errors
/// 404 if it is gone.
pub async fn find(app: &App, brand: BrandId) -> Result<StoredBrand> {
    brands::find(app.db(), brand, app.now_ms()).await?.ok_or(Error::NotFound)
}

/// Settings to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BrandChanges {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    timezone: Option<String>,
    #[serde(default, deserialize_with = "present")]
    homepage_url: Option<String>,
    #[serde(default, deserialize_with = "clearable")]
    link_domain: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    attribution: Option<AttributionChanges>,
    #[serde(default, deserialize_with = "present")]
    hold_days: Option<u16>,
    #[serde(default, deserialize_with = "present")]
    earn_on: Option<EarnOn>,
    #[serde(default, deserialize_with = "present")]
    count_test_orders: Option<bool>,
    #[serde(default, deserialize_with = "clearable")]
    payout_minimum: Option<Option<Money>>,
}

/// Attribution settings to change: a new version of them, in force from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributionChanges {
    #[serde(default, deserialize_with = "present")]
    window_days: Option<u16>,
    #[serde(default, deserialize_with = "present")]
    precedence: Option<Precedence>,
    #[serde(default, deserialize_with = "present")]
    clicks: Option<ClickOrder>,
}

/// Changes settings.
#[utoipa::path(patch, path = "/v1/brand", tag = "brand", request_body = BrandChanges,
    security(("api_key" = [])), responses((status = 200, body = BrandView),
    (status = 409, description = "The domain is taken, or the time zone is fixed by orders")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller,
    Body(changes): Body<BrandChanges>,
) -> Result<Json<BrandView>> {
    let stored = find(&app, caller.brand).await?;
    let brand = apply(&app, &stored.brand, &changes)?;
    if brand.timezone != stored.brand.timezone && orders::any(app.db(), brand.id).await? {
        return Err(Error::refused(
            "timezone-fixed",
            "days are counted in the brand's time zone, so it can't change once there are orders",
        ));
    }
    let mut batch = vec![brands::update(&brand)];
    if brand.attribution != stored.brand.attribution {
        batch.push(brands::rules(brand.id, &brand.attribution, app.now_ms()));
    }
    let host = changes
        .link_domain
        .as_ref()
        .map(|domain| domain.as_deref().map(|host| normal_host(host.trim())).unwrap_or_default());
    if let Some(host) = &host {
        batch.extend(host_statements(&app, &brand, host).await?);
    }
    app.db().run(batch).await.map_err(|error| match error {
        error if error.is_constraint("hosts.brand_id") => host_taken(),
        error => error.into(),
    })?;
    if let Some(host) = &host {
        app.memory.forget_host(host);
    }
    Ok(Json(find(&app, brand.id).await?.into()))
}

fn host_taken() -> Error {
    Error::refused("link-domain-taken", "this host can't be used for links: it is taken")
}

/// The brand with the changes, or everything that is wrong with them.
fn apply(app: &App, brand: &Brand, changes: &BrandChanges) -> Result<Brand> {
    let mut checks = Checks::default();
    let mut brand = brand.clone();
    if let Some(name) = &changes.name {
        brand.name = checks.text("name", name, 200).unwrap_or_default();
    }
    if let Some(name) = &changes.timezone
        && let Some(zone) = checks.field("timezone", zone(name))
    {
        brand.timezone = zone;
    }
    if let Some(url) = &changes.homepage_url {
        let checked = checks.field("homepage_url", homepage(url, app.config.local));
        brand.homepage_url = checked.unwrap_or_default();
    }
    if let Some(changes) = &changes.attribution {
        let rules = &mut brand.attribution;
        rules.window_days = changes.window_days.unwrap_or(rules.window_days);
        rules.precedence = changes.precedence.unwrap_or(rules.precedence);
        rules.clicks = changes.clicks.unwrap_or(rules.clicks);
        if !(1..=365).contains(&rules.window_days) {
            checks.refuse("attribution.window_days", "must be 1 to 365");
        }
    }
    let earning = &mut brand.earning;
    earning.hold_days = changes.hold_days.unwrap_or(earning.hold_days);
    earning.earn_on = changes.earn_on.unwrap_or(earning.earn_on);
    earning.count_test_orders = changes.count_test_orders.unwrap_or(earning.count_test_orders);
    if earning.hold_days > 365 {
        checks.refuse("hold_days", "must be 0 to 365");
    }
    if let Some(minimum) = changes.payout_minimum {
        if minimum.is_some_and(|m| m.currency != brand.currency || m.minor < 0) {
            checks.refuse("payout_minimum", "must be an amount in the brand's currency");
        }
        brand.payout_minimum = minimum;
    }
    if let Some(Some(host)) = &changes.link_domain
        && !is_host(&normal_host(host.trim()))
    {
        checks.refuse("link_domain", "must be a public host name such as go.example.com");
    }
    checks.done()?;
    Ok(brand)
}

/// A local run takes a domain as verified at once; elsewhere the domain is asked first.
async fn host_statements(
    app: &App,
    brand: &Brand,
    host: &str,
) -> Result<Vec<crate::storage::Statement>> {
    if host.is_empty() {
        return Ok(brands::use_host(brand.id, host));
    }
    let own = app.config.public_origin.split("://").nth(1).unwrap_or_default();
    if host == normal_host(own) || leads_to_a_shop(app, brand.id, host).await? {
        return Err(host_taken());
    }
    let taken: Option<brands::HostRow> = brands::host(app.db(), host).await.map_err(Error::from)?;
    if taken.is_some_and(|row| row.brand_id != brand.id) {
        return Err(host_taken());
    }
    let mut batch = vec![brands::claim_host(brand.id, host, app.config.local, app.now_ms())];
    if app.config.local {
        batch.extend(brands::use_host(brand.id, host));
    }
    Ok(batch)
}

/// A link domain that is a storefront would redirect in a circle.
async fn leads_to_a_shop(app: &App, brand: BrandId, host: &str) -> Result<bool, DbError> {
    let page = crate::storage::Page { limit: 200, after: String::new() };
    let stores = stores::list(app.db(), brand, &page).await?;
    Ok(stores
        .iter()
        .any(|s| s.storefront_url.split("://").nth(1).map(normal_host).as_deref() == Some(host)))
}

/// What a link domain answers on the proof path.
#[must_use]
pub fn domain_proof(app: &App, host: &str) -> String {
    domains::proof(app, host)
}
