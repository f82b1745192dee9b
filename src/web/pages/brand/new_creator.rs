//! A new creator, and if a campaign is named, her deal in it.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::error::{Error, Result};
use crate::web::api::campaigns::{self, CampaignView};
use crate::web::api::creators as api;
use crate::web::api::deals::{self, NewDealBody};
use crate::web::api::merging::{self, FieldView};
use crate::web::extract::{Body, Params};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Field, Html};

use super::creator::{after, changes};
use super::{body, read};

#[derive(Template)]
#[template(path = "brand/new_creator.html")]
struct Shown<'a> {
    home: &'a str,
    csrf: &'a str,
    campaigns: Vec<CampaignView>,
    fields: Vec<FieldView>,
    may_change: bool,
    /// The campaign that the page was asked with.
    campaign: &'a str,
    wrong: &'a str,
    /// What was filled in.
    sent: Option<&'a Sent>,
}

impl Shown<'_> {
    fn was(&self, name: &str) -> &str {
        self.sent.map_or("", |sent| sent.get(name))
    }

    fn line(&self, name: &'static str, label: &str, kind: &str, hint: &str) -> Html {
        let required = matches!(name, "name" | "handle");
        let value = self.was(name);
        ui::field(&Field { name, label, kind, hint, value, required, ..Field::default() })
    }

    fn own(&self, field: &FieldView) -> Html {
        let name = format!("field_{}", field.id);
        let value = self.was(&name);
        super::creator::own_field(field, &name, value)
    }

    fn campaign_choice(&self) -> Html {
        let none = (String::new(), "None yet".to_owned());
        let open = self.campaigns.iter().filter(|campaign| campaign.is_open());
        let all = open.map(|campaign| (campaign.id().to_string(), campaign.name().to_owned()));
        let all: Vec<_> = [none].into_iter().chain(all).collect();
        ui::select("campaign_id", "Campaign", &all, self.campaign)
    }
}

async fn page(
    app: &App,
    at: &At,
    (status, wrong): (StatusCode, &str),
    sent: Option<&Sent>,
) -> Result<Response> {
    let state = || State(app.clone());
    let many = Params::of(&[("limit", "200")]);
    let Json(campaigns) = campaigns::list(state(), at.seat.caller()?, many).await?;
    let Json(fields) = merging::fields(state(), at.seat.caller()?).await?;
    let csrf = at.csrf(app);
    let content = Shown {
        home: &at.home,
        csrf: &csrf,
        campaigns: campaigns.data,
        fields: fields.data,
        may_change: at.seat.may(Scope::Deals),
        campaign: sent.map_or_else(|| at.get("campaign"), |sent| sent.get("campaign_id")),
        wrong,
        sent,
    };
    at.render((status, "New creator", Area::Creators), &csrf, &content)
}

/// The form.
pub async fn show(State(app): State<App>, at: At) -> Result<Response> {
    page(&app, &at, (StatusCode::OK, ""), None).await
}

/// What the form says of a deal; nothing where no campaign is chosen. Looked at before the creator is made.
async fn wanted(app: &App, sent: &Sent) -> Result<bool> {
    let campaign = sent.get("campaign_id");
    let percent = sent.get("percent").trim();
    if campaign.is_empty() {
        return if percent.is_empty() {
            Ok(false)
        } else {
            Err(Error::invalid("campaign_id", "must be chosen for a commission to be agreed"))
        };
    }
    let id = campaign.parse().map_err(|_| Error::invalid("campaign_id", "is none"))?;
    let row = campaigns::find(app, sent.at.seat.member()?.brand_id, id).await;
    let row = row.map_err(|_| Error::invalid("campaign_id", "is none"))?;
    if row.archived_at_ms.is_some() {
        return Err(Error::invalid("campaign_id", "was put away"));
    }
    body::<NewDealBody>(&[
        ("creator_id", "later"),
        ("campaign_id", campaign),
        ("commission_percent", percent),
    ])?;
    Ok(true)
}

/// Signs her up, and makes her deal.
pub async fn create(State(app): State<App>, sent: Sent) -> Result<Response> {
    let work = async {
        let with_deal = wanted(&app, &sent).await?;
        let new = Body(read(&changes(&app, &sent).await?)?);
        let (_, Json(made)) = api::create(State(app.clone()), sent.at.seat.caller()?, new).await?;
        Ok::<_, Box<Error>>((with_deal, made.id))
    };
    let (with_deal, id) = match work.await {
        Ok(made) => made,
        Err(error) => {
            let (status, told) = wrong(*error)?;
            return page(&app, &sent.at, (status, &told), Some(&sent)).await;
        }
    };
    if !with_deal {
        return Ok(sent.at.see(&format!("/creators/{id}?done=added")));
    }
    let work = async {
        let told = [
            ("creator_id", &*id.to_string()),
            ("campaign_id", sent.get("campaign_id")),
            ("commission_percent", sent.get("percent").trim()),
        ];
        deals::create(State(app.clone()), sent.at.seat.caller()?, Body(body(&told)?)).await
    };
    match work.await {
        Ok((_, Json(deal))) => Ok(sent.at.see(&format!("/deals/{}?done=deal", deal.id))),
        // Something changed in this moment: she is there, and her page says what is wrong with the deal.
        Err(error) => after(app, sent, id, (Err(error), ""), &[]).await,
    }
}
