//! One creator: who she is, with her deals, posts and balances; what is kept of her, told and let go.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::creator::FieldKind;
use crate::domain::ids::{Creator, CreatorId};
use crate::domain::json::text;
use crate::error::{Error, Result};
use crate::storage::deals::{self, DealRow};
use crate::web::api::campaigns::{self, CampaignView};
use crate::web::api::creators::{self as api, CreatorView};
use crate::web::api::merging::{self, FieldView};
use crate::web::api::money::{self, BalanceView};
use crate::web::api::posts::{self, PostView};
use crate::web::api::{fees, personal};
use crate::web::extract::{Body, Changing, ItemId, Params, PathId};
use crate::web::handler::{Json, State, Tagged};
use crate::web::message::Response;
use crate::web::once::Paying;
use crate::web::pages::form;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Field, Html};

use super::deal_forms::once;
use super::{body, read, words};

#[derive(Template)]
#[template(path = "brand/creator.html")]
struct Shown<'a> {
    home: &'a str,
    csrf: &'a str,
    once: String,
    fresh_until: i64,
    creator: CreatorView,
    merged: Option<(CreatorId, String)>,
    fields: Vec<(FieldView, String)>,
    balances: Vec<BalanceView>,
    deals: Vec<DealRow>,
    campaigns: Vec<CampaignView>,
    posts: Vec<PostView>,
    may_change: bool,
    may_pay: bool,
    may_all: bool,
    editing: bool,
    wrong: &'a str,
    /// What was filled in.
    sent: &'a [(String, String)],
}

impl Shown<'_> {
    fn was<'b>(&'b self, name: &str, now: &'b str) -> &'b str {
        self.sent.iter().find(|(known, _)| known == name).map_or(now, |(_, value)| value)
    }

    fn line(
        &self,
        name: &'static str,
        label: &str,
        kind: &str,
        hint: &str,
        now: impl AsRef<str>,
    ) -> Html {
        let value = self.was(name, now.as_ref());
        ui::field(&Field { name, label, kind, hint, value, ..Field::default() })
    }

    fn followers(&self) -> String {
        self.creator.followers.map(|count| count.to_string()).unwrap_or_default()
    }

    fn engagement(&self) -> String {
        self.creator.engagement_percent.map(|rate| rate.0.to_percent()).unwrap_or_default()
    }

    /// Handles on platforms, a line each.
    fn handles(&self) -> String {
        let all = self.creator.handles.iter().map(|one| format!("{} {}", one.platform, one.handle));
        let now = all.collect::<Vec<_>>().join("\n");
        self.was("handles", &now).to_owned()
    }

    fn own(&self, field: &FieldView, value: &str) -> Html {
        let name = format!("field_{}", field.id);
        own_field(field, &name, self.was(&name, value))
    }

    fn campaign_choice(&self) -> Html {
        let open = self.campaigns.iter().filter(|campaign| campaign.is_open());
        let all = open.map(|campaign| (campaign.id.to_string(), campaign.name.clone()));
        ui::select("campaign_id", "Campaign", &all.collect::<Vec<_>>(), "")
    }
}

/// A field of the brand's own, as it is filled in.
pub(super) fn own_field(field: &FieldView, name: &str, value: &str) -> Html {
    if field.kind == FieldKind::Choice {
        let none = (String::new(), "–".to_owned());
        let all = field.choices.iter().map(|choice| (choice.clone(), choice.clone()));
        let all: Vec<_> = [none].into_iter().chain(all).collect();
        return ui::select(name, &field.name, &all, value);
    }
    let kind = match field.kind {
        FieldKind::Number => "decimal",
        FieldKind::Date => "date",
        _ => "text",
    };
    ui::field(&Field { name, label: &field.name, kind, value, ..Field::default() })
}

/// What a form led to that something was wrong with.
#[derive(Default)]
struct Told {
    status: StatusCode,
    wrong: String,
    sent: Vec<(String, String)>,
}

async fn page(app: App, at: At, id: CreatorId, told: &Told) -> Result<Response> {
    let (state, brand) = (|| State(app.clone()), at.seat.member()?.brand_id);
    let Tagged(creator) = api::show(state(), at.seat.caller()?, PathId(id)).await?;
    let Json(balances) = money::balances(state(), at.seat.caller()?, PathId(id)).await?;
    let ids = deals::ids_of_creator(app.db(), brand, id).await?;
    let deals = deals::by_ids(app.db(), brand, &ids, app.now_ms()).await?;
    let Json(fields) = merging::fields(state(), at.seat.caller()?).await?;
    let many = Params::of(&[("limit", "200")]);
    let Json(campaigns) = campaigns::list(state(), at.seat.caller()?, many).await?;
    let hers = Params::of(&[("limit", "20"), ("creator_id", &id.to_string())]);
    let Json(posts) = posts::list(state(), at.seat.caller()?, hers).await?;
    let merged = match creator.merged_into {
        Some(into) => super::orders::people(&app, brand, &[into])
            .await?
            .into_iter()
            .next()
            .map(|row| (into, row.name)),
        None => None,
    };
    let values =
        creator.fields.0.as_deref().and_then(|text| crate::storage::rows::parse(text).ok());
    let value =
        |field: &FieldView| match values.as_ref().and_then(|all| all.get(field.id.to_string())) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
    let title = creator.name.clone();
    let csrf = at.csrf(&app);
    let content = Shown {
        home: &at.home,
        csrf: &csrf,
        once: form::once(&app),
        fresh_until: at.seat.session.fresh_until_ms(),
        merged,
        fields: fields
            .data
            .into_iter()
            .map(|field| {
                let value = value(&field);
                (field, value)
            })
            .collect(),
        balances: balances.data,
        deals,
        campaigns: campaigns.data,
        posts: posts.data,
        may_change: at.seat.may(Scope::Deals) && creator.merged_into.is_none(),
        may_pay: at.seat.may(Scope::Money),
        may_all: at.seat.may(Scope::Admin),
        editing: told.sent.iter().any(|(name, _)| name == "handle"),
        creator,
        wrong: &told.wrong,
        sent: &told.sent,
    };
    at.render((told.status, &title, Area::Creators), &csrf, &content)
}

/// One creator.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Creator>) -> Result<Response> {
    page(app, at, id.0, &Told::default()).await
}

/// What a form led to.
pub(super) async fn after(
    app: App,
    sent: Sent,
    id: CreatorId,
    (done, name): (Result<()>, &str),
    fields: &[&str],
) -> Result<Response> {
    match done {
        Ok(()) => Ok(sent.at.see(&format!("/creators/{id}?done={name}"))),
        Err(error) => {
            let (status, wrong) = wrong(*error)?;
            let filled = fields.iter().map(|name| ((*name).to_owned(), sent.get(name).to_owned()));
            let told = Told { status, wrong, sent: filled.collect() };
            page(app, sent.at, id, &told).await
        }
    }
}

/// The lines of the form that says who she is.
pub(super) const LINES: [&str; 7] =
    ["name", "handle", "email", "niche", "engagement_percent", "country", "language"];

/// What the form says of her; what is empty is cleared.
pub(super) async fn changes(app: &App, sent: &Sent) -> Result<Value> {
    let mut told = Map::new();
    for name in LINES {
        let text = sent.get(name).trim();
        let must = matches!(name, "name" | "handle");
        told.insert(
            name.to_owned(),
            if text.is_empty() && !must { Value::Null } else { text.into() },
        );
    }
    let followers = match sent.get("followers").trim() {
        "" => Value::Null,
        text => {
            let digits: String = text.chars().filter(|c| !matches!(c, ',' | ' ' | '_')).collect();
            let count: i64 = digits
                .parse()
                .map_err(|_| Error::invalid("followers", "must be a whole number"))?;
            count.into()
        }
    };
    told.insert("followers".to_owned(), followers);
    let tags = sent.get("tags").split(',').map(str::trim).filter(|tag| !tag.is_empty());
    told.insert("tags".to_owned(), tags.collect::<Vec<_>>().into());
    let lines = sent.get("handles").lines().map(str::trim).filter(|line| !line.is_empty());
    let handle = |line: &str| {
        let (platform, handle) = line.split_once(char::is_whitespace).unwrap_or(("", line));
        json!({ "platform": platform.trim_end_matches(':').to_ascii_lowercase(), "handle": handle.trim() })
    };
    told.insert("handles".to_owned(), lines.map(handle).collect::<Vec<_>>().into());
    let Json(fields) = merging::fields(State(app.clone()), sent.at.seat.caller()?).await?;
    let value = |field: &FieldView| {
        let text = sent.get(&format!("field_{}", field.id)).trim().to_owned();
        let number = || crate::storage::rows::parse(&text).ok().filter(Value::is_number);
        let value = match field.kind {
            _ if text.is_empty() => Value::Null,
            FieldKind::Number => number().unwrap_or(Value::from(text.clone())),
            _ => text.clone().into(),
        };
        (field.id.to_string(), value)
    };
    let values: Map<String, Value> = fields.data.iter().map(value).collect();
    if !values.is_empty() {
        told.insert("fields".to_owned(), Value::Object(values));
    }
    Ok(Value::Object(told))
}

/// Changes what is known of her.
pub async fn edit(State(app): State<App>, sent: Sent, id: ItemId<Creator>) -> Result<Response> {
    let work = async {
        let told = Changing::anyway(read(&changes(&app, &sent).await?)?);
        api::update(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), told).await
    };
    let done = work.await.map(|_| ());
    let names = [&LINES[..], &["followers", "tags", "handles"]].concat();
    after(app, sent, id.0, (done, "saved"), &names).await
}

/// Takes her into a campaign.
pub async fn deal(State(app): State<App>, sent: Sent, id: ItemId<Creator>) -> Result<Response> {
    let work = async {
        let told = [
            ("creator_id", &*id.0.to_string()),
            ("campaign_id", sent.get("campaign_id")),
            ("commission_percent", sent.get("percent").trim()),
        ];
        let new = Body(body(&told)?);
        crate::web::api::deals::create(State(app.clone()), sent.at.seat.caller()?, new).await
    };
    match work.await {
        Ok((_, Json(deal))) => Ok(sent.at.see(&format!("/deals/{}?done=deal", deal.id))),
        Err(error) => after(app, sent, id.0, (Err(error), ""), &["percent"]).await,
    }
}

/// Corrects what she has. A form that is sent twice does it once.
pub async fn adjust(State(app): State<App>, sent: Sent, id: ItemId<Creator>) -> Result<Response> {
    let work = async {
        let [amount, currency, reason] =
            ["amount", "currency", "reason"].map(|name| sent.get(name).trim());
        let once = once(&sent, (&id.0.to_string(), "adjust"), &[amount, currency, reason])?;
        let told =
            json!({ "amount": { "amount": amount, "currency": currency }, "reason": reason });
        let paying = Paying { once, body: read(&told)? };
        fees::adjust(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), paying).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "saved"), &["amount", "reason"]).await
}

/// Everything that is stored about her, as one file. It is asked for by a form: nobody finds it in a history.
pub async fn export(State(app): State<App>, sent: Sent, id: ItemId<Creator>) -> Result<Response> {
    let (mut all, mut cursor) = (String::from("{\"data\":["), String::new());
    // Each page is a thousand records: more than these are nobody's.
    for at in 0..200 {
        let params = Params::of(&[("cursor", &cursor)]);
        let Json(found) =
            personal::export(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), params)
                .await?;
        for (nth, record) in found.data.iter().enumerate() {
            if at > 0 || nth > 0 {
                all.push_str(",\n");
            }
            all.push_str(&text(record));
        }
        match found.next_cursor {
            Some(next) => cursor = next,
            None => break,
        }
    }
    all.push_str("]}\n");
    let mut response = Response::new(StatusCode::OK, "application/json", all);
    response.set("content-disposition", format!("attachment; filename=\"{}.json\"", id.0));
    Ok(response)
}

/// Lets go of who she is.
pub async fn erase(State(app): State<App>, sent: Sent, id: ItemId<Creator>) -> Result<Response> {
    let work = async {
        let told = Body(read(&json!({ "confirm": sent.get("confirm") }))?);
        personal::erase(State(app.clone()), sent.at.seat.caller()?, PathId(id.0), told).await
    };
    let done = work.await.map(|_| ());
    after(app, sent, id.0, (done, "erased"), &["confirm"]).await
}
