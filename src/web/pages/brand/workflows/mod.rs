//! What is done by itself and what is written again and again: automations with their runs, templates of messages and
//! of terms, sequences.

pub mod automations;
pub mod draft;
pub mod editor;
pub mod messages;
pub mod runs;
pub mod sequences;
pub mod terms;
pub mod words;

use http::StatusCode;

use crate::app::App;
use crate::domain::ids::{CreatorId, DealId};
use crate::domain::money::Currency;
use crate::error::{Error, Result};
use crate::web::api::campaigns::{self, CampaignView};
use crate::web::api::deals::{self, DealView, LinkState};
use crate::web::api::groups::{self, GroupView};
use crate::web::api::stores::{self, StoreView};
use crate::web::api::templates::{self, TemplateView};
use crate::web::api::tiers::{self, TiersView};
use crate::web::api::{brand, members};
use crate::web::extract::Params;
use crate::web::handler::{Json, State};
use crate::web::pages::form::mendable;
use crate::web::pages::shell::At;
use crate::web::pages::ui::{self, Html, esc};

/// A value and what it is called.
pub type Choice = (String, String);

/// What a brand has that automations and sequences can name.
pub struct Has {
    /// Its open campaigns.
    pub campaigns: Vec<CampaignView>,
    /// Its groups of codes that make new ones.
    pub groups: Vec<GroupView>,
    /// Its templates of messages.
    pub templates: Vec<TemplateView>,
    /// Its tiers.
    pub tiers: Vec<TiersView>,
    /// Its members, as far as who looks may know them.
    pub members: Vec<Choice>,
    /// Its stores.
    pub stores: Vec<StoreView>,
    /// Its currency.
    pub currency: Currency,
}

impl Has {
    /// Asks the API for all of it.
    ///
    /// # Errors
    /// 503.
    pub async fn of(app: &App, at: &At) -> Result<Self> {
        let (state, many) = (|| State(app.clone()), || Params::of(&[("limit", "200")]));
        let Json(campaigns) = campaigns::list(state(), at.seat.caller()?, many()).await?;
        let Json(groups) = groups::list(state(), at.seat.caller()?, many()).await?;
        let Json(templates) = templates::list(state(), at.seat.caller()?, many()).await?;
        let Json(tiers) = tiers::list(state(), at.seat.caller()?, many()).await?;
        let Json(stores) = stores::list(state(), at.seat.caller()?, many()).await?;
        let me = at.seat.member()?;
        let mut people = vec![(me.id.to_string(), at.seat.session.email.clone())];
        // Who may not see the team assigns to herself, to nobody, or to whom it was before.
        if let Ok(caller) = at.seat.caller() {
            let Json(found) = members::list(state(), caller, many()).await?;
            people = found.data.into_iter().map(|one| (one.id.to_string(), one.email)).collect();
        }
        let mut open = campaigns.data;
        open.retain(CampaignView::is_open);
        let mut groups = groups.data;
        groups.retain(|group| group.state == LinkState::Open);
        Ok(Self {
            campaigns: open,
            groups,
            templates: templates.data,
            tiers: tiers.data,
            members: people,
            stores: stores.data,
            currency: brand::find(app, me.brand_id).await?.brand.currency,
        })
    }

    /// The campaigns, and that any is meant.
    #[must_use]
    pub fn campaign_choices(&self) -> Vec<Choice> {
        let any = [(String::new(), "Any campaign".to_owned())];
        let all = self.campaigns.iter().map(|one| (one.id.to_string(), one.name.clone()));
        any.into_iter().chain(all).collect()
    }

    /// The stages of all campaigns, each once.
    #[must_use]
    pub fn stage_choices(&self) -> Vec<Choice> {
        let mut all: Vec<Choice> = Vec::new();
        for stage in self.campaigns.iter().flat_map(|campaign| &campaign.stages) {
            if !all.iter().any(|(known, _)| known == stage) {
                all.push((stage.clone(), stage.clone()));
            }
        }
        all
    }

    /// The groups.
    #[must_use]
    pub fn group_choices(&self) -> Vec<Choice> {
        self.groups.iter().map(|one| (one.id.to_string(), one.name.clone())).collect()
    }

    /// The templates of messages.
    #[must_use]
    pub fn template_choices(&self) -> Vec<Choice> {
        self.templates.iter().map(|one| (one.id.to_string(), one.name.clone())).collect()
    }

    /// The stores, and that the first is meant.
    #[must_use]
    pub fn store_choices(&self) -> Vec<Choice> {
        let first = [(String::new(), "The brand’s first".to_owned())];
        let all = self.stores.iter().map(|one| (one.id.to_string(), one.shop_domain.clone()));
        first.into_iter().chain(all).collect()
    }

    /// The members, and nobody.
    #[must_use]
    pub fn member_choices(&self) -> Vec<Choice> {
        let nobody = [(String::new(), "Nobody".to_owned())];
        nobody.into_iter().chain(self.members.iter().cloned()).collect()
    }

    /// The levels of all tiers: `tiers|level`.
    #[must_use]
    pub fn level_choices(&self) -> Vec<Choice> {
        let mut all = vec![(String::new(), "Any level of any tiers".to_owned())];
        for tiers in &self.tiers {
            let rates: Vec<&str> = tiers.levels.iter().map(|level| level.name.as_str()).collect();
            let rates = rates.join(", ");
            all.push((format!("{}|", tiers.id), format!("Any level of: {rates}")));
            for level in &tiers.levels {
                let value = format!("{}|{}", tiers.id, level.name);
                all.push((value, format!("{} (of {rates})", level.name)));
            }
        }
        all
    }
}

/// What is wrong with a form: the API's name of each field, and why.
#[derive(Default)]
pub struct Wrong {
    /// Of the answer.
    pub status: StatusCode,
    /// Of fields.
    pub fields: Vec<(String, String)>,
    /// What is wrong with the whole.
    pub told: String,
}

impl Wrong {
    /// What an error says.
    ///
    /// # Errors
    /// The error, if whoever filled the form in can't mend it.
    pub fn of(error: Error) -> Result<Self> {
        let status = error.status();
        if let Error::Invalid(errors) = error {
            let fields = errors.into_iter().map(|wrong| (wrong.field, in_words(&wrong.reason)));
            let told = "Nothing is saved yet: something needs another look.".to_owned();
            return Ok(Self { status, fields: fields.collect(), told });
        }
        let (status, told) = mendable(error)?;
        Ok(Self { status, told, ..Self::default() })
    }

    /// What is wrong with a field, or with something in it; empty if nothing.
    #[must_use]
    pub fn at(&self, field: &str) -> &str {
        let fits = |name: &str| {
            name.strip_prefix(field).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('.') || rest.starts_with('[')
            })
        };
        self.fields.iter().find(|(name, _)| fits(name)).map_or("", |(_, why)| why)
    }

    /// All of it, above a form; what belongs to a field by its name among `labels`.
    #[must_use]
    pub fn summary(&self, labels: &dyn Fn(&str) -> String) -> Html {
        if self.told.is_empty() {
            return Html::default();
        }
        let mut html = format!(
            "<div class=\"alert bad\" role=\"alert\">{}<div>{}",
            ui::icon("alert-triangle"),
            esc(&self.told)
        );
        if !self.fields.is_empty() {
            html.push_str("<ul>");
            for (field, why) in &self.fields {
                html.push_str(&format!("<li>{} {}</li>", esc(&labels(field)), esc(why)));
            }
            html.push_str("</ul>");
        }
        html.push_str("</div></div>");
        Html::of(html)
    }
}

/// What the API says to programmers, for people.
fn in_words(reason: &str) -> String {
    if reason.starts_with("invalid type") && reason.contains("expected i64") {
        return "must be a whole number".to_owned();
    }
    if reason.starts_with("unknown variant") {
        return "must be one of those listed".to_owned();
    }
    if reason.starts_with("missing field") || reason.starts_with("invalid type") {
        return "is needed".to_owned();
    }
    reason.to_owned()
}

/// A choice of one, with what is wrong with it. What was chosen and isn't there any more can still be kept.
#[must_use]
pub fn choice(
    (name, label): (&str, &str),
    options: &[Choice],
    chosen: &str,
    (hint, wrong): (&str, &str),
) -> Html {
    let mut all = options.to_vec();
    if !all.iter().any(|(value, _)| value == chosen) {
        let gone =
            if chosen.is_empty() { "Choose …".to_owned() } else { format!("{chosen} (gone)") };
        all.insert(0, (chosen.to_owned(), gone));
    }
    let mut html = format!(
        "<div class=\"field\"><label class=\"form-label\" for=\"f-{name}\">{}</label>\
         <select class=\"form-select\" id=\"f-{name}\" name=\"{name}\"",
        esc(label)
    );
    described(&mut html, name, (hint, wrong));
    for (value, text) in &all {
        let selected = if value == chosen { " selected" } else { "" };
        html.push_str(&format!(
            "<option value=\"{}\"{selected}>{}</option>",
            esc(value),
            esc(text)
        ));
    }
    html.push_str("</select>");
    notes(&mut html, name, (hint, wrong));
    html.push_str("</div>");
    Html::of(html)
}

/// A field of several lines.
#[must_use]
pub fn area(
    (name, label, rows): (&str, &str, u8),
    value: &str,
    (hint, wrong): (&str, &str),
) -> Html {
    let mut html = format!(
        "<div class=\"field\"><label class=\"form-label\" for=\"f-{name}\">{}</label>\
         <textarea class=\"form-control\" id=\"f-{name}\" name=\"{name}\" rows=\"{rows}\"",
        esc(label)
    );
    described(&mut html, name, (hint, wrong));
    // A line break right after the tag is none of the text's.
    html.push_str(&format!("\n{}</textarea>", esc(value)));
    notes(&mut html, name, (hint, wrong));
    html.push_str("</div>");
    Html::of(html)
}

/// A yes or no.
#[must_use]
pub fn check(name: &str, label: &str, on: bool) -> Html {
    let checked = if on { " checked" } else { "" };
    Html::of(format!(
        "<div class=\"field\"><label class=\"wf-check\"><input type=\"checkbox\" name=\"{name}\" value=\"yes\"{checked}> \
         {}</label></div>",
        esc(label)
    ))
}

fn described(html: &mut String, name: &str, (hint, wrong): (&str, &str)) {
    let about = [(hint, "hint"), (wrong, "wrong")].into_iter().filter(|(text, _)| !text.is_empty());
    let ids: Vec<String> = about.map(|(_, id)| format!("f-{name}-{id}")).collect();
    if !ids.is_empty() {
        html.push_str(&format!(" aria-describedby=\"{}\"", ids.join(" ")));
    }
    html.push_str(if wrong.is_empty() { ">" } else { " aria-invalid=\"true\">" });
}

fn notes(html: &mut String, name: &str, (hint, wrong): (&str, &str)) {
    for (text, id) in [(hint, "hint"), (wrong, "wrong")] {
        if !text.is_empty() {
            html.push_str(&format!("<div class=\"{id}\" id=\"f-{name}-{id}\">{}</div>", esc(text)));
        }
    }
}

/// A deal by its creator, campaign and stage.
pub struct Picked {
    /// Which.
    pub id: DealId,
    /// In words.
    pub label: String,
}

/// Open deals to try something on, the newest first: of one campaign, and with these words, where they are named.
///
/// # Errors
/// 503.
pub async fn deals(app: &App, at: &At, campaign: &str, words: &str) -> Result<Vec<Picked>> {
    let quoted = |text: &str| {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{text}\"")
    };
    let mut filter = "state = open".to_owned();
    if !campaign.is_empty() {
        filter.push_str(&format!(" AND campaign = {}", quoted(campaign)));
    }
    if !words.trim().is_empty() {
        filter.push_str(&format!(" AND {}", quoted(words.trim())));
    }
    let asked = Params::of(&[("limit", "50"), ("filter", &filter), ("sort", "-created")]);
    let found = match deals::list(State(app.clone()), at.seat.caller()?, asked).await {
        Ok(Json(found)) => found.data,
        // Words of which none can be looked for.
        Err(error) => match *error {
            Error::Invalid(_) => Vec::new(),
            other => return Err(other.into()),
        },
    };
    labelled(app, at, found).await
}

async fn labelled(app: &App, at: &At, found: Vec<DealView>) -> Result<Vec<Picked>> {
    let ids: Vec<CreatorId> = found.iter().map(|deal| deal.creator_id).collect();
    let brand = at.seat.member()?.brand_id;
    let people = super::orders::people(app, brand, &ids).await?;
    let campaigns = Params::of(&[("limit", "200")]);
    let Json(campaigns) = campaigns::list(State(app.clone()), at.seat.caller()?, campaigns).await?;
    Ok(found
        .into_iter()
        .map(|deal| {
            let name = people.iter().find(|one| one.id == deal.creator_id);
            let name = name.map_or("A creator", |one| &one.name);
            let campaign = campaigns.data.iter().find(|one| one.id == deal.campaign_id);
            let campaign = campaign.map_or("a campaign", |one| &one.name);
            Picked { id: deal.id, label: format!("{name}, {campaign}: {}", deal.stage) }
        })
        .collect())
}

/// Deals by their ids, in words.
///
/// # Errors
/// 503.
pub async fn named(app: &App, at: &At, ids: &[DealId]) -> Result<Vec<Picked>> {
    let brand = at.seat.member()?.brand_id;
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let now_ms = app.now_ms();
    let (found, _) = crate::storage::actions::load_many(app.db(), brand, &ids, now_ms).await?;
    let creators: Vec<CreatorId> = found.iter().map(|deal| deal.creator_id).collect();
    let people = super::orders::people(app, brand, &creators).await?;
    Ok(found
        .into_iter()
        .map(|deal| {
            let name = people.iter().find(|one| one.id == deal.creator_id);
            let name = name.map_or("A creator", |one| &one.name);
            Picked { id: deal.id, label: format!("{name}, {}", deal.campaign) }
        })
        .collect())
}
