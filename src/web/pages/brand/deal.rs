//! A deal: who she is, what was agreed, what it brings, and what is to be done.

use askama::Template;
use http::StatusCode;
use serde_json::Value;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{Deal, DealId};
use crate::domain::qr;
use crate::error::{Error, Result};
use crate::web::api::campaigns::{self, CampaignView};
use crate::web::api::creators::{self, CreatorView};
use crate::web::api::deals::{self as api, DealView, LinkState};
use crate::web::api::fees::{self, FeeView};
use crate::web::api::groups::{self, GroupView};
use crate::web::api::money::{self, BalanceView, PerformanceView};
use crate::web::api::notes::{self, FollowUpPath, FollowUpView};
use crate::web::api::orders::{self, OrderView};
use crate::web::api::timeline::{self, ItemView};
use crate::web::api::{codes, links, terms};
use crate::web::extract::{Body, ItemId, Params, PathId};
use crate::web::handler::{Json, State, Tagged};
use crate::web::message::Response;
use crate::web::once::{Once, Paying};
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Field, Html};

use super::{body, read, words};

#[derive(Template)]
#[template(path = "brand/deal.html")]
struct Page<'a> {
    home: &'a str,
    csrf: &'a str,
    once: String,
    deal: DealView,
    creator: CreatorView,
    campaign: CampaignView,
    performance: PerformanceView,
    balances: Vec<BalanceView>,
    orders: Vec<OrderView>,
    fees: Vec<FeeView>,
    follow_ups: Vec<FollowUpView>,
    timeline: Vec<ItemView>,
    groups: Vec<GroupView>,
    rate: String,
    from: &'a str,
    to: &'a str,
    may_change: bool,
    may_pay: bool,
    told: &'a Told,
}

/// What a page says beside what is there: what was wrong with a form, and what is shown once.
#[derive(Default)]
pub struct Told {
    status: StatusCode,
    wrong: String,
    invitation: String,
    /// What was filled in.
    filled: Vec<(String, String)>,
}

impl Told {
    fn of(sent: &Sent, error: Error) -> Result<Self> {
        let (status, wrong) = wrong(error)?;
        let names = ["rate", "code", "group", "slug", "target", "text", "due_on", "amount", "note"];
        let filled = names.iter().map(|name| ((*name).to_owned(), sent.get(name).to_owned()));
        Ok(Self { status, wrong, filled: filled.collect(), ..Self::default() })
    }

    fn was(&self, name: &str) -> &str {
        self.filled.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    fn rate(&self, now: &str) -> String {
        let was = self.was("rate");
        if was.is_empty() { now.to_owned() } else { was.to_owned() }
    }
}

impl Page<'_> {
    fn line(&self, name: &'static str, label: &str, kind: &str, hint: &str) -> Html {
        ui::field(&Field {
            name,
            label,
            kind,
            hint,
            value: self.told.was(name),
            ..Field::default()
        })
    }

    fn rate_field(&self) -> Html {
        let value = &self.told.rate(&self.rate);
        let (label, hint) = ("Commission, %", "Holds from now on; orders before keep theirs");
        let field = Field { name: "rate", label, hint, value, kind: "decimal", ..Field::default() };
        ui::field(&field)
    }

    fn group_choice(&self) -> Html {
        let mut options = vec![(String::new(), "As typed: it exists in the shop".to_owned())];
        let open = self.groups.iter().filter(|group| group.state == LinkState::Open);
        options.extend(open.map(|group| (group.id.to_string(), format!("New, of {}", group.name))));
        ui::select("group", "Where the code comes from", &options, self.told.was("group"))
    }

    fn stage_choice(&self) -> Html {
        let stages = self.campaign.stages.iter().map(|stage| (stage.clone(), stage.clone()));
        ui::select("stage", "Stage", &stages.collect::<Vec<_>>(), &self.deal.stage)
    }

    fn return_on_spend(&self) -> Html {
        let told = self.performance.return_on_spend.iter().filter_map(|row| {
            row.value.as_ref().map(|value| format!("{value}× {}", row.currency.code()))
        });
        let told: Vec<String> = told.collect();
        Html::of(if told.is_empty() { "–".to_owned() } else { told.join("<br>") })
    }
}

/// A code that a camera reads, as a picture.
fn picture(url: &str) -> Html {
    Html::of(qr::svg(url).unwrap_or_default())
}

/// A note's or an order's own words in a timeline, if it has any.
fn details(item: &ItemView) -> String {
    let value = item.details.0.as_deref().and_then(|text| crate::storage::rows::parse(text).ok());
    let text = value.as_ref().and_then(|value| value.get("text").and_then(Value::as_str));
    text.unwrap_or_default().to_owned()
}

async fn page(app: App, at: At, id: DealId, told: &Told) -> Result<Response> {
    let state = || State(app.clone());
    let (few, many) = (|| Params::of(&[("limit", "20")]), || Params::of(&[("limit", "200")]));
    let Tagged(deal) = api::show(state(), at.seat.caller()?, PathId(id)).await?;
    let creator_id = || PathId(deal.creator_id);
    let Tagged(creator) = creators::show(state(), at.seat.caller()?, creator_id()).await?;
    let campaign_id = PathId(deal.campaign_id);
    let Tagged(campaign) = campaigns::show(state(), at.seat.caller()?, campaign_id).await?;
    let period = [("from", at.get("from")), ("to", at.get("to"))];
    let asked = Params::of(&period);
    let Json(performance) =
        money::performance(state(), at.seat.caller()?, PathId(id), asked).await?;
    let Json(balances) = money::balances(state(), at.seat.caller()?, creator_id()).await?;
    let hers = Params::of(&[("limit", "10"), ("deal_id", &id.to_string())]);
    let Json(orders) = orders::list(state(), at.seat.caller()?, hers).await?;
    let Json(fees) = fees::list(state(), at.seat.caller()?, PathId(id), few()).await?;
    let Json(follow) = notes::follow_ups(state(), at.seat.caller()?, PathId(id), few()).await?;
    let Json(timeline) = timeline::show(state(), at.seat.caller()?, PathId(id), few()).await?;
    let Json(groups) = groups::list(state(), at.seat.caller()?, many()).await?;
    let csrf = at.csrf(&app);
    let rate = deal.terms.as_ref().map(|terms| terms.commission_percent.0.to_percent());
    let title = format!("{}, {}", creator.name, campaign.name);
    let content = Page {
        home: &at.home,
        csrf: &csrf,
        once: crate::domain::merkle::hex(&app.random::<16>()),
        rate: rate.unwrap_or_default(),
        balances: balances.data,
        orders: orders.data,
        fees: fees.data,
        follow_ups: follow.data,
        timeline: timeline.data,
        groups: groups.data,
        from: at.get("from"),
        to: at.get("to"),
        may_change: at.seat.may(Scope::Deals),
        may_pay: at.seat.may(Scope::Money),
        deal,
        creator,
        campaign,
        performance,
        told,
    };
    at.render((told.status, &title, Area::Board), &csrf, &content)
}

/// A deal's page.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Deal>) -> Result<Response> {
    page(app, at, id.0, &Told::default()).await
}

/// What a form led to: the deal's page, with what was done or what is wrong.
async fn after(
    app: App,
    sent: Sent,
    id: DealId,
    (done, name): (Result<()>, &str),
) -> Result<Response> {
    match done {
        Ok(()) => Ok(sent.at.see(&format!("/deals/{id}?done={name}"))),
        Err(error) => {
            let told = Told::of(&sent, *error)?;
            page(app, sent.at, id, &told).await
        }
    }
}

/// Sets the commission, gives a code and makes a link: whatever the form says, one after the other.
async fn collaborate(app: &App, sent: &Sent, id: DealId) -> Result<()> {
    let rate = sent.get("rate");
    let Tagged(deal) = api::show(State(app.clone()), sent.at.seat.caller()?, PathId(id)).await?;
    let now = deal.terms.as_ref().map(|terms| terms.commission_percent.0.to_percent());
    if !rate.is_empty() && now.as_deref() != Some(rate) {
        let new = Body(body(&[("commission_percent", rate)])?);
        let _ = terms::add(State(app.clone()), sent.at.seat.caller()?, PathId(id), new).await?;
    }
    let (code, group) = (sent.get("code"), sent.get("group"));
    if !code.is_empty() || !group.is_empty() {
        let mut told = serde_json::Map::new();
        if !code.is_empty() {
            told.insert("code".to_owned(), Value::from(code));
        }
        if group.is_empty() {
            told.insert("create_in_store".to_owned(), Value::from(false));
        } else {
            told.insert("affiliate_group_id".to_owned(), Value::from(group));
        }
        let new = Body(read(&Value::Object(told))?);
        let _ = codes::add(State(app.clone()), sent.at.seat.caller()?, PathId(id), new).await?;
    }
    if sent.get("link") == "yes" {
        let new = Body(body(&[("slug", sent.get("slug")), ("target", sent.get("target"))])?);
        let _ =
            links::add_link(State(app.clone()), sent.at.seat.caller()?, PathId(id), new).await?;
    }
    Ok(())
}

/// The one form of the collaboration.
pub async fn collaboration(
    State(app): State<App>,
    sent: Sent,
    id: ItemId<Deal>,
) -> Result<Response> {
    let done = collaborate(&app, &sent, id.0).await;
    after(app, sent, id.0, (done, "saved")).await
}

/// Writes a note.
pub async fn note(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let mut told = serde_json::Map::new();
        told.insert("text".to_owned(), Value::from(sent.get("text")));
        told.insert("contact".to_owned(), Value::from(sent.get("contact") == "yes"));
        let new = Body(read(&Value::Object(told))?);
        notes::add(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), new).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "note")).await
}

/// Writes down what is to be done.
pub async fn follow_up(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let new = Body(body(&[("text", sent.get("text")), ("due_on", sent.get("due_on"))])?);
        notes::add_follow_up(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), new).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "follow-up")).await
}

/// Says that it is done.
pub async fn followed_up(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let at = sent.get("id").parse().map_err(|_| Error::NotFound)?;
    let mut told = serde_json::Map::new();
    told.insert("done".to_owned(), Value::from(true));
    let told = Body(read(&Value::Object(told))?);
    let caller = sent.at.seat.caller()?;
    let done =
        notes::update_follow_up(State(app.clone()), caller, FollowUpPath(id.0, at), told).await;
    after(app, sent, id.0, (done.map(|_| ()), "follow-up-done")).await
}

/// Agrees on a fee. A form that is sent twice makes one.
pub async fn fee(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let work = async {
        let names = ["amount", "note", "due_on", "currency"];
        let [amount, note, due_on, currency] = names.map(|name| sent.get(name));
        let mut told = serde_json::Map::new();
        let money = [("amount", amount), ("currency", currency)];
        let money = money.map(|(name, text)| (name.to_owned(), Value::from(text)));
        told.insert("amount".to_owned(), Value::Object(money.into_iter().collect()));
        for (name, text) in [("note", note), ("due_on", due_on)] {
            if !text.is_empty() {
                told.insert(name.to_owned(), Value::from(text));
            }
        }
        let actor = sent.at.seat.session.person_id.to_string();
        let said = [&*id.0.to_string(), "fee", amount, note, due_on, currency];
        let once = Once::of_form(sent.get("once"), &actor, &said)?;
        let paying = Paying { once, body: read(&Value::Object(told))? };
        fees::create(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), paying).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "fee")).await
}

/// Invites the creator, and shows the link this once.
pub async fn invite(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let caller = sent.at.seat.caller()?;
    match api::invite(State(app.clone()), caller, PathId(id.0)).await {
        Ok((_, Json(made))) => {
            let told = Told { invitation: made.url, ..Told::default() };
            page(app, sent.at, id.0, &told).await
        }
        Err(error) => after(app, sent, id.0, (Err(error), "invited")).await,
    }
}

/// Takes an invitation back, with the access that came of it.
pub async fn uninvite(State(app): State<App>, sent: Sent, id: ItemId<Deal>) -> Result<Response> {
    let caller = sent.at.seat.caller()?;
    let done = api::uninvite(State(app.clone()), caller, PathId(id.0)).await;
    after(app, sent, id.0, (done.map(|_| ()), "uninvited")).await
}
