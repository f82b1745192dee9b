//! Affiliates: those that are there, and those that deals ask for.

use serde_json::Value;

use super::{Api, Sync};
use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::creator::normal_email;
use crate::domain::ids::{BrandId, DealId, StoreId};
use crate::domain::json::{Fields, ToJson, json, list_of, text};
use crate::domain::time::Millis;
use crate::jobs::outbox::{Step, Work};
use crate::jobs::shopify::Failed;
use crate::partners::goaffpro::{self as api, NewAffiliate, PAGE, ToldAffiliate};
use crate::partners::trouble::Trouble;
use crate::storage::Statement;
use crate::storage::affiliates::{self, RequestRow, RequestState};
use crate::storage::goaffpro::{self as rows, Progress};
use crate::web::extract::{By, note};

const EVERY_MS: Millis = 6 * 3_600_000;
/// More affiliates than these aren't read.
const MOST: usize = 20_000;

/// A page of affiliates.
pub(super) async fn step(sync: &Sync<'_>, payload: &Value) -> Result<Step, Failed> {
    let now_ms = sync.app.now_ms();
    let told = |name: &str| payload.get(name).and_then(Value::as_i64);
    let offset = told("offset").and_then(|offset| usize::try_from(offset).ok()).unwrap_or(0);
    let begun_ms = told("begun").unwrap_or(now_ms);
    let list = sync.list(&api::affiliates_path(offset), "affiliates").await?;
    let found: Vec<ToldAffiliate> = list.iter().filter_map(api::affiliate).collect();
    if found.is_empty() && !list.is_empty() {
        let words = "GoAffPro told affiliates without ids";
        return Err(Trouble::Later(None, words.to_owned()).into());
    }
    let (brand, store) = (sync.brand, sync.store);
    let mut statements = vec![keep(sync.app, brand, store, &found, begun_ms.max(now_ms))];
    if list.len() >= PAGE && offset < MOST {
        let payload = json!({ "offset": offset + PAGE, "begun": begun_ms });
        return Ok(Step::On { payload, due_at_ms: now_ms, statements });
    }
    if list.len() < PAGE {
        statements.push(affiliates::affiliates_gone(brand, store, begun_ms, now_ms));
    }
    statements.push(rows::progress(brand, store, Progress::Affiliates, now_ms));
    Ok(Step::On { payload: "{}".into(), due_at_ms: now_ms + EVERY_MS, statements })
}

/// What keeps affiliates as they are told.
fn keep(
    app: &App,
    brand: BrandId,
    store: StoreId,
    all: &[ToldAffiliate],
    now_ms: Millis,
) -> Statement {
    let one = |told: &ToldAffiliate| {
        let hash = |email: &String| app.config.data_key.email_hash(brand, &normal_email(email));
        let (id, email) = (told.id.to_string(), told.email.as_ref().map(hash));
        let fields: &[(&str, &dyn ToJson)] = &[
            ("id", &id),
            ("name", &told.name),
            ("email", &email),
            ("ref_codes", &told.ref_codes),
            ("coupons", &told.coupons),
            ("status", &told.status),
            ("commission", &told.commission),
        ];
        text(&Fields(fields))
    };
    let all = list_of(&all.iter().map(one).collect::<Vec<_>>());
    affiliates::tell_affiliates(brand, store, &all, now_ms)
}

/// Has GoAffPro make the affiliate that a deal asked for; looks first whether it is there, because nobody
/// knows what became of a try that got no answer.
///
/// # Errors
/// [`Failed`].
pub async fn create(work: &mut Work<'_>, subject: &str) -> Result<Step, Failed> {
    let (app, brand, store) = (work.app, work.brand, work.store);
    let Ok(deal) = subject.parse::<DealId>() else { return Ok(Step::Done(Vec::new())) };
    let asked = affiliates::request(app.db(), brand, deal, store).await?;
    let Some(asked) = asked.filter(|asked| asked.state == RequestState::Creating) else {
        return Ok(Step::Done(Vec::new()));
    };
    let failed = |words: &str| {
        let failed = (RequestState::Failed, words, None);
        let (state, problem, affiliate) = failed;
        let noted = affiliates::answer_request(brand, (deal, store), state, problem, affiliate);
        Ok(Step::Failed(words.to_owned(), vec![noted]))
    };
    let person = affiliates::person(app.db(), brand, deal).await?;
    let Some((name, email)) = person.and_then(|person| Some((person.name, person.email?))) else {
        return failed("the creator has no e-mail address");
    };
    let api = Api::open(app, brand, store).await?;
    let found = match look(&api, app, "email", &email).await? {
        Some(found) => found,
        None => {
            if let Some(code) = &asked.ref_code
                && look(&api, app, "ref_code", code).await?.is_some()
            {
                return failed("another affiliate at GoAffPro has this ref code");
            }
            match make(&api, app, &asked, &name, &email).await {
                Ok(made) => look(&api, app, "email", &email).await?.unwrap_or(made),
                Err(Trouble::Refused(words)) => return failed(&words),
                Err(other) => return Err(other.into()),
            }
        }
    };
    let id = found.id.to_string();
    let known = affiliates::affiliate(app.db(), brand, store, &id).await?;
    let belongs = known.and_then(|known| known.deal_id);
    if belongs.is_some_and(|other| other != deal) {
        return failed("the affiliate with her address belongs to another deal here");
    }
    let others = affiliates::of_deal(app.db(), brand, deal, store).await?;
    if others.is_some_and(|other| other.id != id) {
        return failed("the deal has another affiliate at this store by now");
    }
    let now_ms = app.now_ms();
    let mut statements = vec![keep(app, brand, store, &[found], now_ms)];
    if belongs.is_none() {
        statements.extend(affiliates::belongs(brand, (store, &id), Some(deal), now_ms, now_ms));
        let by = By { actor: Actor::Job("outbox"), request_id: "" };
        let told = Some(json!({ "store_id": store, "affiliate_id": id, "deal_id": deal }));
        statements.push(note(app, brand, &by, "affiliate.assign", &deal.to_string(), None, told));
    }
    let (state, of) = (RequestState::Active, (deal, store));
    statements.push(affiliates::answer_request(brand, of, state, "", Some(&id)));
    Ok(Step::Done(statements))
}

/// What shows that a request was given up.
#[must_use]
pub fn given_up(brand: BrandId, store: StoreId, subject: &str, words: &str) -> Vec<Statement> {
    let answer =
        |deal| affiliates::answer_request(brand, (deal, store), RequestState::Failed, words, None);
    subject.parse().ok().map(answer).into_iter().collect()
}

/// The affiliate with this address or ref code. Filters aren't trusted: only one that says so itself is it.
async fn look(
    api: &Api,
    app: &App,
    by: &str,
    value: &str,
) -> Result<Option<ToldAffiliate>, Failed> {
    let page = api.get(app, &api::affiliate_path(by, value)).await?;
    let list = api::rows(&page, "affiliates").map_err(|words| Trouble::Later(None, words))?;
    let is_it = |told: &ToldAffiliate| match by {
        "email" => told.email.as_deref().map(normal_email) == Some(normal_email(value)),
        _ => told.ref_codes.iter().any(|code| code == value),
    };
    Ok(list.iter().filter_map(api::affiliate).find(is_it))
}

async fn make(
    api: &Api,
    app: &App,
    asked: &RequestRow,
    name: &str,
    email: &str,
) -> Result<ToldAffiliate, Trouble> {
    let new = NewAffiliate {
        email,
        name,
        ref_code: asked.ref_code.as_deref(),
        coupon: asked.coupon.as_deref(),
        percent: asked.percent.as_deref(),
    };
    let answer = api.post(app, "/v1/admin/affiliates", &api::new_affiliate(&new)).await?;
    let id = api::id(&answer, "affiliate_id").or_else(|| api::id(&answer, "id"));
    Ok(ToldAffiliate {
        id: id.ok_or_else(|| Trouble::Unknown("GoAffPro didn't name the affiliate".to_owned()))?,
        name: String::new(),
        email: Some(email.to_owned()),
        ref_codes: asked.ref_code.iter().cloned().collect(),
        coupons: asked
            .coupon
            .iter()
            .map(|code| crate::domain::attribution::code_key(code))
            .collect(),
        status: "approved".to_owned(),
        commission: String::new(),
    })
}
