//! The brand itself: made by the operator, read and set by its own keys.

use http::StatusCode;

use crate::app::{App, Pending};
use crate::domain::auth::{Actor, Scopes, TokenKind};
use crate::domain::brand::{AttributionRules, Brand, ClickOrder, EarnOn, EarningRules, Precedence};
use crate::domain::creator::{is_email, normal_email};
use crate::domain::ids::BrandId;
use crate::domain::json::json;
use crate::domain::link::{is_host, parse_origin};
use crate::domain::money::{Currency, Money};
use crate::domain::payout::Schedule;
use crate::domain::secret::token_hash;
use crate::domain::session::Role;
use crate::domain::time::{Day, Zone};
use crate::error::{Error, Result};
use crate::storage::brands::{BrandUpdate, StoredBrand};
use crate::storage::{DbError, access, brands, stores};
use crate::web::body::{body, words};
use crate::web::extract::{
    Body, By, Caller, Changing, Checks, Operator, RequestId, checked, may, note,
};
use crate::web::handler::{Json, State, Tagged};
use crate::web::json::{self, by_serde, view};
use crate::web::normal_host;

view! {
    /// A brand as the API shows it.
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
        /// Whether API keys may move money; members do it with a passkey.
        money_keys: bool,
        /// Whether creators may make links of their deals themselves, to any page of the shop.
        creators_make_links: bool,
        /// When drafts of payouts are made by themselves; null: never.
        #[schema(required)]
        payout_schedule: Option<ScheduleView>,
        /// A payout above this, or in another currency, needs two people; null: none does.
        #[schema(required)]
        second_approver_above: Option<Money>,
    }
}

view! {
    #[schema(as = PayoutSchedule)]
    struct ScheduleView {
        /// Of every month, 1 to 28.
        day: u16,
        /// Null: every currency that somebody has something in.
        #[schema(required)]
        currencies: Option<Vec<Currency>>,
    }
}

view! {
    #[schema(as = Attribution)]
    struct AttributionView {
        window_days: u16,
        precedence: Precedence,
        clicks: ClickOrder,
    }
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
            money_keys: stored.money_keys,
            creators_make_links: stored.creators_make_links,
            payout_schedule: stored
                .schedule
                .map(|s| ScheduleView { day: s.day, currencies: s.currencies }),
            second_approver_above: stored.second_above,
        }
    }
}

body! {
    /// A new brand.
    pub struct NewBrand {
        name: String,
        currency: String,
        timezone: Option<String>,
        homepage_url: String,
        owner_email: String,
    }
}

view! {
    /// A new brand and its first API key, which is shown only here.
    pub struct CreatedBrand {
        brand: BrandView,
        api_key: String,
    }
}

/// Makes a brand, and invites its owner by mail.
#[utoipa::path(post, path = "/v1/brands", tag = "operator", request_body = NewBrand,
    security(("operator" = [])), responses((status = 201, body = CreatedBrand)))]
pub async fn create(
    State(app): State<App>,
    _: Operator,
    RequestId(request_id): RequestId,
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
    let key = access::NewKey {
        id: app.new_id(),
        name: "first key",
        scopes: Scopes::all(),
        expires_at_ms: None,
    };
    batch.push(access::insert_key(brand.id, &token_hash(&api_key), &key, now_ms));
    let id = brand.id;
    let owner = normal_email(owner);
    batch.extend(super::members::invitation(&app, id, &brand.name, &owner, Role::Owner)?.0);
    let stored = StoredBrand {
        brand,
        pending_host: None,
        money_keys: true,
        creators_make_links: false,
        schedule: None,
        second_above: None,
        revision: 0,
    };
    let brand = BrandView::from(stored);
    let by = By { actor: Actor::Operator, request_id: &request_id };
    let made = Some(json::text(&brand));
    batch.push(note(&app, id, &by, "brand.create", &id.to_string(), None, made));
    app.db().run(batch).await?;
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
#[utoipa::path(get, path = "/v1/brand", tag = "brand", security(("api_key" = ["read"])),
    responses((status = 200, body = BrandView)))]
pub async fn show(State(app): State<App>, caller: Caller) -> Result<Tagged<BrandView>> {
    Ok(Tagged(find(&app, caller.brand).await?.into()))
}

/// The brand behind a key.
///
/// # Errors
/// 404 if it is gone.
pub fn find(app: &App, brand: BrandId) -> Pending<'_, Result<StoredBrand>> {
    Box::pin(async move {
        Ok(brands::find(app.db(), brand, app.now_ms()).await?.ok_or(Error::NotFound)?)
    })
}

body! {
    /// Settings to change; what is absent stays.
    pub struct BrandChanges {
        name: Option<String>,
        timezone: Option<String>,
        homepage_url: Option<String>,
        link_domain: Option<Option<String>>,
        attribution: Option<AttributionChanges>,
        hold_days: Option<u16>,
        earn_on: Option<EarnOn>,
        count_test_orders: Option<bool>,
        payout_minimum: Option<Option<Money>>,
        money_keys: Option<bool>,
        creators_make_links: Option<bool>,
        payout_schedule: Option<Option<NewSchedule>>,
        second_approver_above: Option<Option<Money>>,
    }
}

body! {
    /// When drafts of payouts are made by themselves.
    pub struct NewSchedule {
        day: u16,
        currencies: Option<Option<Vec<Currency>>>,
    }
}

body! {
    /// Attribution settings to change: a new version of them, in force from now on.
    pub struct AttributionChanges {
        window_days: Option<u16>,
        precedence: Option<Precedence>,
        clicks: Option<ClickOrder>,
    }
}

by_serde!(EarnOn, Precedence, ClickOrder);
words!(EarnOn { "paid" => Paid, "placed" => Placed });
words!(Precedence { "code_first" => CodeFirst, "link_first" => LinkFirst });
words!(ClickOrder { "last" => Last, "first" => First });

/// Changes settings.
#[utoipa::path(patch, path = "/v1/brand", tag = "brand", request_body = BrandChanges,
    security(("api_key" = ["admin"])), params(("If-Match" = Option<String>, Header)),
    responses((status = 200, body = BrandView),
    (status = 409, description = "The domain is taken, or the time zone is fixed by orders"),
    (status = 412, description = "Changed since it was read")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller<may::Admin>,
    changing: Changing<BrandChanges>,
) -> Result<Tagged<BrandView>> {
    let changes = &changing.body;
    // What earns and when decides about money: a member does it with a fresh passkey.
    caller.stepped_up(&app)?;
    if changes.money_keys == Some(true) && matches!(caller.actor, Actor::Key(_)) {
        return Err(Error::Forbidden("only a member may let keys move money").into());
    }
    if changes.second_approver_above.is_some() && !matches!(caller.actor, Actor::Member(_)) {
        return Err(Error::Forbidden("only an owner may say what needs two people").into());
    }
    let stored = find(&app, caller.brand).await?;
    // Changes of different settings don't undo each other: only who says what she saw is refused.
    let revision = changing.is_conditional().then_some(stored.revision);
    let brand = stored.brand.clone();
    let schedule = stored.schedule.clone();
    let before = json::text(&BrandView::from(stored));
    changing.fits(&before)?;
    let changes = changing.body;
    let host = changes
        .link_domain
        .as_ref()
        .map(|domain| domain.as_deref().map(|host| normal_host(host.trim())).unwrap_or_default());
    let rules = attribution(brand.attribution, changes.attribution.as_ref());
    let update = check(&app, (&brand, schedule.as_ref()), &rules, changes)?;
    let changed = changed(&update, &rules, host.as_deref());
    let mut batch = vec![
        brands::update(brand.id, &update, revision),
        caller.note(&app, "brand.update", brand.id, Some(before), Some(changed)),
    ];
    if rules != brand.attribution {
        batch.push(brands::rules(brand.id, &rules, app.now_ms()));
    }
    if let Some(host) = &host {
        batch.extend(host_statements(&app, &brand, host).await?);
    }
    app.db().run(batch).await.map_err(|error| match error {
        error if error.is_constraint("hosts.brand_id") => host_taken(),
        error if error.is_constraint("brands.revision") => changed_meanwhile(),
        error if error.is_constraint("brands.timezone") => Error::refused(
            "timezone-fixed",
            "days are counted in the brand's time zone, so it can't change once there are orders",
        ),
        error => error.into(),
    })?;
    if let Some(host) = &host {
        app.memory.forget_host(host);
    }
    Ok(Tagged(find(&app, brand.id).await?.into()))
}

/// What a change of settings asks for, for the audit trail.
fn changed(update: &BrandUpdate, rules: &AttributionRules, host: Option<&str>) -> String {
    json!({
        "name": update.name,
        "timezone": update.timezone.as_ref().map(Zone::name),
        "homepage_url": update.homepage_url,
        "link_domain": host,
        "window_days": rules.window_days,
        "precedence": rules.precedence,
        "clicks": rules.clicks,
        "hold_days": update.hold_days,
        "earn_on": update.earn_on,
        "count_test_orders": update.count_test_orders,
        "money_keys": update.money_keys,
        "creators_make_links": update.creators_make_links,
        "payout_minimum": update.payout_minimum.map(|minimum| minimum.map(|m| m.to_decimal())),
        "payout_day": update.schedule.as_ref().map(|schedule| schedule.as_ref().map(|s| s.day)),
        "second_approver_above": update.second_above.map(|most| most.map(|m| m.to_decimal())),
    })
}

/// Two changes met, and the other one came first.
pub(super) fn changed_meanwhile() -> Box<Error> {
    Error::refused("changed-meanwhile", "it was changed at the same moment; nothing was done")
}

fn host_taken() -> Box<Error> {
    Error::refused("link-domain-taken", "this host can't be used for links: it is taken")
}

/// The attribution rules with the changes.
fn attribution(
    mut rules: AttributionRules,
    changes: Option<&AttributionChanges>,
) -> AttributionRules {
    if let Some(changes) = changes {
        rules.window_days = changes.window_days.unwrap_or(rules.window_days);
        rules.precedence = changes.precedence.unwrap_or(rules.precedence);
        rules.clicks = changes.clicks.unwrap_or(rules.clicks);
    }
    rules
}

/// What to change, or everything that is wrong with it.
fn check(
    app: &App,
    (brand, stored): (&Brand, Option<&Schedule>),
    rules: &AttributionRules,
    changes: BrandChanges,
) -> Result<BrandUpdate> {
    let mut checks = Checks::default();
    let name = changes.name.and_then(|name| checks.text("name", &name, 200));
    let timezone = changes.timezone.and_then(|name| checks.field("timezone", zone(&name)));
    let homepage_url = changes
        .homepage_url
        .and_then(|url| checks.field("homepage_url", homepage(&url, app.config.local)));
    if !(1..=365).contains(&rules.window_days) {
        checks.refuse("attribution.window_days", "must be 1 to 365");
    }
    if changes.hold_days.is_some_and(|days| days > 365) {
        checks.refuse("hold_days", "must be 0 to 365");
    }
    let amounts = [
        ("payout_minimum", changes.payout_minimum.flatten()),
        ("second_approver_above", changes.second_approver_above.flatten()),
    ];
    for (field, amount) in amounts {
        if amount.is_some_and(|m| m.currency != brand.currency || m.minor < 0) {
            checks.refuse(field, "must be an amount in the brand's currency");
        }
    }
    let schedule = changes.payout_schedule.map(|new| new.map(|new| schedule(&mut checks, new)));
    let domain = changes.link_domain.flatten();
    if domain.is_some_and(|host| !is_host(&normal_host(host.trim()))) {
        checks.refuse("link_domain", "must be a public host name such as go.example.com");
    }
    checks.done()?;
    Ok(BrandUpdate {
        name,
        timezone,
        homepage_url,
        hold_days: changes.hold_days,
        earn_on: changes.earn_on,
        count_test_orders: changes.count_test_orders,
        payout_minimum: changes.payout_minimum,
        money_keys: changes.money_keys,
        creators_make_links: changes.creators_make_links,
        schedule: schedule.map(|schedule| {
            // Days before it was set are nobody's: they don't make drafts at once.
            let today = brand.timezone.day(app.now_ms());
            schedule.map(|new| {
                // Saved again as it was, it goes on: a day that is due isn't passed by.
                let same = stored.filter(|s| s.day == new.day && s.currencies == new.currencies);
                Schedule { since: same.map_or(today, |same| same.since), ..new }
            })
        }),
        second_above: changes.second_approver_above,
    })
}

fn schedule(checks: &mut Checks, new: NewSchedule) -> Schedule {
    if !(1..=28).contains(&new.day) {
        checks.refuse("payout_schedule.day", "must be 1 to 28");
    }
    let mut currencies = new.currencies.flatten();
    if let Some(list) = &mut currencies {
        list.sort_unstable();
        list.dedup();
        if list.is_empty() {
            checks.refuse("payout_schedule.currencies", "must not be empty");
        }
    }
    Schedule { day: new.day, currencies, since: Day::default() }
}

/// A local run takes a domain as verified at once; elsewhere it waits for `jobs/domains`.
async fn host_statements(
    app: &App,
    brand: &Brand,
    host: &str,
) -> Result<Vec<crate::storage::Statement>> {
    let mut batch = vec![brands::drop_pending(brand.id, host)];
    if host.is_empty() {
        batch.extend(brands::use_host(brand.id, host, app.now_ms()));
        return Ok(batch);
    }
    let own = app.config.public_origin.split("://").nth(1).unwrap_or_default();
    if host == normal_host(own) || leads_to_a_shop(app, brand.id, host).await? {
        return Err(host_taken());
    }
    let known: Option<brands::HostRow> = brands::host(app.db(), host).await?;
    let active = known.filter(|row| row.state == "active");
    if active.as_ref().is_some_and(|row| row.brand_id != brand.id) {
        return Err(host_taken());
    }
    let at_once = app.config.local && app.hostnames.is_none();
    batch.push(brands::claim_host(brand.id, host, at_once, app.now_ms()));
    if at_once || active.is_some() {
        batch.extend(brands::use_host(brand.id, host, app.now_ms()));
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
