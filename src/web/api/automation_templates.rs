//! Automations that are ready to be used: what they name is asked for, the rest is there.

use http::StatusCode;

use crate::app::App;
use crate::domain::json::json;
use crate::error::{Error, Result};
use crate::storage::automations as rows;
use crate::storage::rows::parse;
use crate::storage::templates::{self, TemplateRow};
use crate::storage::{Page, groups};
use crate::web::body::{FromJson, body};
use crate::web::extract::{Body, Caller, may};
use crate::web::handler::{Json, State};
use crate::web::json::{self, view};

use super::automations::{AutomationView, NewAutomation, StateWord, StepsView, made, today};
use super::view::List;

/// What is ready.
struct Ready {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    /// The stage that starts it, or what else does in JSON.
    trigger: &'static str,
    first_only: bool,
    /// Its steps, in JSON: `$group` and `$template` stand for what has to be named.
    steps: &'static str,
    /// The message that is written where no template is named.
    subject: &'static str,
    text: &'static str,
}

const READY: [Ready; 3] = [
    Ready {
        name: "awaiting_post",
        title: "Link, code and message for who is about to post",
        description: "When a deal is moved to \"Awaiting Post\", its link is made, a code of a group is assigned, \
            and a message with both is sent as soon as the shop has the code.",
        trigger: r#"{"on":"stage_entered","stage":"Awaiting Post"}"#,
        first_only: true,
        steps: r#"[{"do":"create_link"},{"do":"assign_code","affiliate_group_id":"$group"},{"do":"message","template_id":"$template"}]"#,
        subject: "Your link and code for {{brand.name}}",
        text: "Hi {{creator.first_name}},\n\nhere is all you need for your post:\n\nYour link: {{deal.link}}\nYour code: {{deal.code}}\n\nThank you!\n{{brand.name}}",
    },
    Ready {
        name: "first_sale",
        title: "A word after the first sale",
        description: "When the first order is a deal's, its creator gets a message.",
        trigger: r#"{"on":"order_attributed"}"#,
        first_only: true,
        steps: r#"[{"do":"message","template_id":"$template"}]"#,
        subject: "Your first sale for {{brand.name}}",
        text: "Hi {{creator.first_name}},\n\nyour first sale is in: congratulations, and thank you!\n\n{{brand.name}}",
    },
    Ready {
        name: "no_sale",
        title: "A reminder when nothing was sold for 30 days",
        description: "When 30 days pass without a sale, whoever looks after the deal gets a follow-up.",
        trigger: r#"{"on":"no_sale","days":30}"#,
        first_only: false,
        steps: r#"[{"do":"follow_up","text":"No sale for 30 days: ask how it goes.","due_in_days":2}]"#,
        subject: "",
        text: "",
    },
];

impl Ready {
    fn needs_group(&self) -> bool {
        self.steps.contains("$group")
    }

    fn writes(&self) -> bool {
        self.steps.contains("$template")
    }
}

view! {
    /// An automation that is ready to be used.
    pub struct AutomationTemplate {
        name: &'static str,
        title: &'static str,
        description: &'static str,
        /// What has to be named to use it.
        needs: Vec<&'static str>,
        /// What it does; `$group` and `$template` stand for what is named.
        steps: StepsView,
        /// The message that it sends, where no template is named.
        #[schema(required)]
        subject: Option<&'static str>,
        #[schema(required)]
        text: Option<&'static str>,
    }
}

/// Automations that are ready to be used.
#[utoipa::path(get, path = "/v1/automations/templates", tag = "automations", security(("api_key" = ["read"])),
    responses((status = 200, body = List<AutomationTemplate>)))]
pub async fn list(_: Caller) -> Result<Json<List<AutomationTemplate>>> {
    let view = |ready: &Ready| AutomationTemplate {
        name: ready.name,
        title: ready.title,
        description: ready.description,
        needs: if ready.needs_group() { vec!["affiliate_group_id"] } else { Vec::new() },
        steps: StepsView(ready.steps.to_owned()),
        subject: ready.writes().then_some(ready.subject),
        text: ready.writes().then_some(ready.text),
    };
    Ok(Json(List { data: READY.iter().map(view).collect(), next_cursor: None }))
}

body! {
    /// Which automation to use, and what it needs.
    pub struct UseTemplate {
        /// The template's name: `awaiting_post`.
        template: String,
        /// Absent: the template's title.
        name: Option<String>,
        /// Only in deals of this campaign.
        campaign_id: Option<String>,
        /// Where a code is assigned: of which group.
        affiliate_group_id: Option<String>,
        /// Where a message is sent: from which template. Absent: one is made.
        message_template_id: Option<String>,
        /// Absent: enabled.
        state: Option<StateWord>,
    }
}

/// Makes an automation from a template, with the message template that it needs if none is named.
#[utoipa::path(post, path = "/v1/automations/templates", tag = "automations", request_body = UseTemplate,
    security(("api_key" = ["deals"])), responses((status = 201, body = AutomationView)))]
pub async fn use_one(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    Body(asked): Body<UseTemplate>,
) -> Result<(StatusCode, Json<AutomationView>)> {
    let ready = READY.iter().find(|ready| ready.name == asked.template);
    let ready = ready.ok_or_else(|| Error::invalid("template", "is no template"))?;
    let group = match (&asked.affiliate_group_id, ready.needs_group()) {
        (Some(group), true) => group.clone(),
        (None, false) => String::new(),
        (None, true) => return Err(Error::invalid("affiliate_group_id", "is needed for this")),
        (Some(_), false) => return Err(Error::invalid("affiliate_group_id", "isn't needed here")),
    };
    let template = match (&asked.message_template_id, ready.writes()) {
        (Some(_), false) => return Err(Error::invalid("message_template_id", "isn't needed here")),
        (Some(named), true) => named.clone(),
        (None, true) => message(&app, &caller, ready, &asked).await?,
        (None, false) => String::new(),
    };
    let steps = ready.steps.replace("\"$group\"", &json!(group));
    let steps = steps.replace("\"$template\"", &json!(template));
    let mut fields = vec![
        format!("\"name\":{}", json!(asked.name.as_deref().unwrap_or(ready.title))),
        format!("\"runs\":\"{}\"", if ready.first_only { "first_time" } else { "every_time" }),
        format!("\"steps\":{steps}"),
    ];
    if asked.state == Some(StateWord::Disabled) {
        fields.push("\"state\":\"disabled\"".to_owned());
    }
    let campaign = asked.campaign_id.map(|id| format!(",\"campaign_id\":{}}}", json!(id)));
    let trigger = ready.trigger.trim_end_matches('}');
    fields.push(format!("\"trigger\":{trigger}{}", campaign.as_deref().unwrap_or("}")));
    let new = format!("{{{}}}", fields.join(","));
    let new = parse(&new).map_err(|error| Error::Internal(error.to_string()))?;
    let new = NewAutomation::from_json(&new).map_err(|wrong| Error::Invalid(vec![*wrong]))?;
    let now = today(&app, caller.brand).await?;
    let row = made(&app, &caller, now, new).await?;
    let mut batch = rows::insert(caller.brand, &row);
    let view = AutomationView::from(row);
    let told = Some(json::text(&view));
    batch.push(caller.note(&app, "automation.create", view.id, None, told));
    app.db().run(batch).await.map_err(super::automations::refused)?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Makes the message template that an automation needs. It is there before the automation that names it; made once
/// more it is found again by its name.
async fn message(
    app: &App,
    caller: &Caller<may::Deals>,
    ready: &Ready,
    asked: &UseTemplate,
) -> Result<String> {
    // What is wrong with the rest is told before anything is made.
    if let Some(group) = &asked.affiliate_group_id {
        let id = group.parse().map_err(|e| Error::invalid("affiliate_group_id", e))?;
        let found = groups::find(app.db(), caller.brand, id).await?;
        found.ok_or_else(|| Error::invalid("affiliate_group_id", "is no group"))?;
    }
    let page = Page { limit: 200, after: String::new() };
    let known = templates::list(app.db(), caller.brand, &page).await?;
    let same = |row: &&TemplateRow| row.name == ready.title && row.text == ready.text;
    if let Some(row) = known.iter().find(same) {
        return Ok(row.id.to_string());
    }
    let (id, now_ms) = (app.new_id(), app.now_ms());
    let [name, subject, text] = [ready.title, ready.subject, ready.text].map(str::to_owned);
    let (created_at_ms, updated_at_ms) = (now_ms, now_ms);
    let row = TemplateRow { id, name, subject, text, revision: 0, created_at_ms, updated_at_ms };
    let told = json!({ "id": id, "name": row.name });
    let note = caller.note(app, "template.create", id, None, Some(told));
    app.db().run(vec![templates::insert(caller.brand, &row), note]).await?;
    Ok(id.to_string())
}
