//! A deal: who she is, what was agreed, what it brings, and what is to be done.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::brand::Brand;
use crate::domain::ids::{Deal, DealId};
use crate::domain::qr;
use crate::domain::terms::Customer;
use crate::domain::time::{Day, Millis};
use crate::error::{Error, Result};
use crate::web::api::campaigns::{self, CampaignView};
use crate::web::api::codes::CodeStateView;
use crate::web::api::costs::{self, CostView};
use crate::web::api::creators::{self, CreatorView};
use crate::web::api::days::{self, PerformanceDay};
use crate::web::api::deals::{self as api, DealView, LinkState};
use crate::web::api::fees::{self, FeeView};
use crate::web::api::groups::{self, GroupView};
use crate::web::api::invitations::{self, InvitationState};
use crate::web::api::money::{self, BalanceView, PerformanceView};
use crate::web::api::notes::{self, FollowUpView};
use crate::web::api::offers::{self, OfferView};
use crate::web::api::orders::{self, OrderView};
use crate::web::api::posts::{self, PostView};
use crate::web::api::term_templates::{self, TermTemplateView};
use crate::web::api::tiers::{self, StepView};
use crate::web::api::timeline;
use crate::web::extract::{ItemId, Params, PathId};
use crate::web::handler::{Json, State, Tagged};
use crate::web::message::Response;
use crate::web::pages::form;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Field, Html};

use super::collaboration::{self, Edit};
use super::history::{self, Line};
use super::words;

#[derive(Template)]
#[template(path = "brand/deal.html")]
struct Page<'a> {
    home: &'a str,
    /// The address that shows this again.
    here: String,
    csrf: &'a str,
    once: String,
    now_ms: Millis,
    today: Day,
    brand: Brand,
    deal: DealView,
    creator: CreatorView,
    campaign: CampaignView,
    performance: PerformanceView,
    days: Vec<PerformanceDay>,
    periods: Vec<(&'static str, String, bool)>,
    balances: Vec<BalanceView>,
    orders: Vec<OrderView>,
    posts: Vec<PostView>,
    fees: Vec<FeeView>,
    costs: Vec<CostView>,
    offers: Vec<OfferView>,
    steps: Vec<StepView>,
    follow_ups: Vec<FollowUpView>,
    invitation: InvitationState,
    kind: &'a str,
    timeline: Vec<Line>,
    older: Option<String>,
    groups: Vec<GroupView>,
    templates: Vec<TermTemplateView>,
    edit: Edit,
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
    /// The terms that were filled in.
    edit: Option<Edit>,
    /// What else was.
    filled: Vec<(String, String)>,
}

/// What forms of the page have beside terms.
const FIELDS: [&str; 20] = [
    "rate",
    "code",
    "group",
    "slug",
    "target",
    "text",
    "due_on",
    "amount",
    "note",
    "fee_due",
    "fee_stage",
    "product",
    "shipping",
    "gift_on",
    "gift_note",
    "post_url",
    "platform",
    "published",
    "offer_note",
    "invitation",
];

impl Told {
    /// What was wrong with a form.
    ///
    /// # Errors
    /// The error, if whoever filled it in can't mend it.
    pub fn of(sent: &Sent, error: Error) -> Result<Self> {
        let (status, wrong) = wrong(error)?;
        let filled = FIELDS.iter().map(|name| ((*name).to_owned(), sent.get(name).to_owned()));
        let edit = Some(Edit::sent(sent)).filter(|edit| !edit.rate.is_empty() || edit.more());
        Ok(Self { status, wrong, edit, filled: filled.collect(), ..Self::default() })
    }

    /// What stands in the form of the collaboration: what was sent, or what is agreed.
    fn edit(&self, deal: &DealView, brand: &Brand, now_ms: Millis) -> Edit {
        self.edit.clone().unwrap_or_else(|| Edit::of(deal.terms.as_ref(), brand, now_ms))
    }

    /// An invitation that was just made.
    #[must_use]
    pub fn invited(url: String) -> Self {
        Self { invitation: url, ..Self::default() }
    }

    fn was(&self, name: &str) -> &str {
        self.filled.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    fn collaborating(&self) -> bool {
        !self.wrong.is_empty()
            && ["rate", "code", "group", "slug", "target"]
                .iter()
                .any(|name| !self.was(name).is_empty())
    }
}

impl Page<'_> {
    fn line(&self, name: &'static str, label: &str, kind: &str, hint: &str) -> Html {
        self.filled(name, label, kind, hint, self.told.was(name))
    }

    /// What an amount of the terms is an amount of: that of before keeps its currency.
    fn amount_of(&self, field: &str) -> String {
        let known = self.deal.terms.as_ref().and_then(|terms| match field {
            "flat" => terms.flat_per_order,
            "order_cap" => terms.cap_per_order,
            _ => terms.cap_per_month,
        });
        let currency = known.map_or(self.brand.currency, |known| known.currency);
        let beside = if field == "flat" { ", beside the share" } else { "" };
        format!("In {currency}{beside}")
    }

    fn filled(
        &self,
        name: &'static str,
        label: &str,
        kind: &str,
        hint: &str,
        value: impl AsRef<str>,
    ) -> Html {
        let value = value.as_ref();
        ui::field(&Field { name, label, kind, hint, value, ..Field::default() })
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

    fn fee_stage(&self) -> Html {
        let stages = self.campaign.stages.iter().map(|stage| (stage.clone(), stage.clone()));
        let none = (String::new(), "Any".to_owned());
        let all: Vec<_> = [none].into_iter().chain(stages).collect();
        ui::select("fee_stage", "Not before the stage", &all, self.told.was("fee_stage"))
    }

    fn template_choice(&self) -> Html {
        let all =
            self.templates.iter().map(|template| (template.id.to_string(), template.name.clone()));
        ui::select("template_id", "Terms", &all.collect::<Vec<_>>(), "")
    }

    fn kind_choice(&self) -> Html {
        let all =
            words::DEAL_KINDS.iter().map(|(_, key, name)| ((*key).to_owned(), (*name).to_owned()));
        ui::select("kind", "Kind", &all.collect::<Vec<_>>(), words::deal_kind(&self.deal.kind).0)
    }

    fn platform_choice(&self) -> Html {
        let all =
            words::PLATFORMS.iter().map(|(key, name)| ((*key).to_owned(), (*name).to_owned()));
        ui::select("platform", "Where", &all.collect::<Vec<_>>(), self.told.was("platform"))
    }

    fn return_on_spend(&self) -> Html {
        let all = &self.performance.return_on_spend;
        let told = all.iter().filter_map(|row| {
            let value = row.value.as_ref()?;
            let code = if all.len() > 1 { row.currency.code() } else { "" };
            Some(format!("{value}× {code}"))
        });
        let told: Vec<String> = told.collect();
        Html::of(if told.is_empty() { "–".to_owned() } else { told.join("<br>") })
    }

    /// Three lines over the days: clicks, orders, and what they came to in the brand's currency.
    fn sparks(&self) -> Html {
        let own = |amounts: &[crate::domain::money::Money]| {
            amounts
                .iter()
                .find(|amount| amount.currency == self.brand.currency)
                .map_or(0, |amount| amount.minor)
        };
        let of = |value: &dyn Fn(&PerformanceDay) -> i64| {
            self.days.iter().map(value).collect::<Vec<i64>>()
        };
        let all = [
            ui::sparkline("Clicks", &of(&|day| day.clicks)),
            ui::sparkline("Orders", &of(&|day| day.orders)),
            ui::sparkline(
                &format!("Revenue, {}", self.brand.currency.code()),
                &of(&|day| own(&day.revenue)),
            ),
        ];
        Html::of(all.iter().map(ToString::to_string).collect())
    }
}

/// A code that a camera reads, as a picture.
fn picture(url: &str) -> Html {
    Html::of(qr::svg(url).unwrap_or_default())
}

/// Periods to choose: their names, their addresses' parts, and whether it is the one that is shown.
fn periods(today: Day, (from, to): (&str, &str)) -> Vec<(&'static str, String, bool)> {
    let of = |name: &'static str, count: i64| {
        let (first, last) = (today.plus(1 - count).to_iso(), today.to_iso());
        let here = from == first && to == last;
        (name, format!("?from={first}&to={last}#performance"), here)
    };
    let all = ("All time", "?#performance".to_owned(), from.is_empty() && to.is_empty());
    vec![of("7 days", 7), of("30 days", 30), of("90 days", 90), of("A year", 365), all]
}

/// The page, with what a form led to.
///
/// # Errors
/// As the API's.
pub async fn page(app: App, at: At, id: DealId, told: &Told) -> Result<Response> {
    let (state, path) = (|| State(app.clone()), || PathId::<Deal>(id));
    let (few, many) = (|| Params::of(&[("limit", "50")]), || Params::of(&[("limit", "200")]));
    let (one, two, three) = (at.seat.caller()?, at.seat.caller()?, at.seat.caller()?);
    let Tagged(deal) = api::show(state(), one, path()).await?;
    let creator_id = || PathId(deal.creator_id);
    let Tagged(creator) = creators::show(state(), two, creator_id()).await?;
    let Tagged(campaign) = campaigns::show(state(), three, PathId(deal.campaign_id)).await?;
    let brand = crate::web::api::brand::find(&app, at.seat.member()?.brand_id).await?.brand;
    let today = brand.timezone.day(app.now_ms());
    let asked = || Params::of(&[("from", at.get("from")), ("to", at.get("to"))]);
    let Json(performance) = money::performance(state(), at.seat.caller()?, path(), asked()).await?;
    // A period that is too long for days is drawn as the last thirty of them.
    let days = match days::list(state(), at.seat.caller()?, path(), asked()).await {
        Ok(Json(found)) => found.data,
        Err(_) => days::list(state(), at.seat.caller()?, path(), Params::of(&[])).await?.0.data,
    };
    let Json(balances) = money::balances(state(), at.seat.caller()?, creator_id()).await?;
    let hers = |limit| Params::of(&[("limit", limit), ("deal_id", &id.to_string())]);
    let Json(orders) = orders::list(state(), at.seat.caller()?, hers("10")).await?;
    let Json(posts) = posts::list(state(), at.seat.caller()?, hers("20")).await?;
    let Json(fees) = fees::list(state(), at.seat.caller()?, path(), few()).await?;
    let Json(costs) = costs::list(state(), at.seat.caller()?, path(), few()).await?;
    let Json(offers) = offers::of_deal(state(), at.seat.caller()?, path(), few()).await?;
    let Json(steps) = tiers::steps(state(), at.seat.caller()?, path()).await?;
    let Json(follow) = notes::follow_ups(state(), at.seat.caller()?, path(), few()).await?;
    let Json(invitation) = invitations::show(state(), at.seat.caller()?, path()).await?;
    let kinds = history::kinds(at.get("kind"));
    let wanted = Params::of(&[("limit", "20"), ("kind", kinds), ("cursor", at.get("cursor"))]);
    let Json(timeline) = timeline::show(state(), at.seat.caller()?, path(), wanted).await?;
    let Json(groups) = groups::list(state(), at.seat.caller()?, many()).await?;
    let Json(templates) = term_templates::list(state(), at.seat.caller()?, many()).await?;
    let csrf = at.csrf(&app);
    let title = format!("{}, {}", creator.name, campaign.name);
    let content = Page {
        home: &at.home,
        here: at.here(&format!("/deals/{id}")),
        csrf: &csrf,
        once: form::once(&app),
        now_ms: app.now_ms(),
        today,
        edit: told.edit(&deal, &brand, app.now_ms()),
        periods: periods(today, (at.get("from"), at.get("to"))),
        days,
        balances: balances.data,
        orders: orders.data,
        posts: posts.data,
        fees: fees.data,
        costs: costs.data,
        offers: offers.data,
        steps: steps.data,
        follow_ups: follow.data,
        invitation,
        kind: at.get("kind"),
        older: timeline.next_cursor,
        timeline: timeline.data.into_iter().map(Line::from).collect(),
        groups: groups.data,
        templates: templates.data.into_iter().filter(|template| template.state == "open").collect(),
        from: at.get("from"),
        to: at.get("to"),
        may_change: at.seat.may(Scope::Deals),
        may_pay: at.seat.may(Scope::Money),
        brand,
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
