//! Writing an automation: everything in one form, whose buttons add, order and remove steps by asking the server, so
//! that it works without a script.

use askama::Template;
use serde_json::Value;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::{Automation, AutomationId};
use crate::error::{Error, Result};
use crate::web::api::automations as api;
use crate::web::extract::{Body, Caller, Changing, ItemId, PathId, may};
use crate::web::handler::{Json, State, Tagged, etag};
use crate::web::json;
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html};

use super::draft::{Draft, STEPS, Step, TRIGGERS, Turned, fields_of};
use super::{Choice, Has, Wrong, area, automations, check, choice, words};

#[derive(Template)]
#[template(path = "brand/workflows/editor.html")]
struct Page<'a> {
    home: &'a str,
    csrf: &'a str,
    /// Where the form goes.
    path: String,
    id: Option<AutomationId>,
    seen: &'a str,
    draft: &'a Draft,
    has: &'a Has,
    wrong: &'a Wrong,
    turned: Option<Turned>,
    may_pay: bool,
    trigger: String,
    steps: Vec<String>,
}

fn choices(pairs: &[(&str, &str)]) -> Vec<Choice> {
    pairs.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect()
}

/// What people call a field of the API's.
fn label(field: &str) -> String {
    let (step, name) = match field.strip_prefix("steps[").and_then(|rest| rest.split_once(']')) {
        Some((place, rest)) => {
            let place = place.parse::<usize>().map_or(0, |place| place + 1);
            (format!("Step {place}"), rest.trim_start_matches('.'))
        }
        None => (String::new(), field.trim_start_matches("trigger.")),
    };
    let name = name.rsplit('.').next().unwrap_or_default();
    let name = match name {
        "affiliate_group_id" => "the group",
        "template_id" => "the message",
        "campaign_id" => "the campaign",
        "owner_id" => "the member",
        "commission_percent" => "the commission",
        "at_least" => "the amount to reach",
        "due_in_days" => "the days until it is due",
        "conditions" => "The condition",
        "tiers_id" => "the tiers",
        "steps" => "The number of steps",
        "name" => "The name",
        "stage" => "the stage",
        other => &other.replace('_', " "),
    };
    match (step.as_str(), name) {
        (step, "") => step.to_owned(),
        ("", name) => name.to_owned(),
        (step, name) => format!("{step}: {name}"),
    }
}

impl Page<'_> {
    fn line(&self, name: &str, label: &str, kind: &str, hint: &str) -> Html {
        let wrong = match name {
            "name" => self.wrong.at("name"),
            name => self.wrong.at(&format!("trigger.{name}")),
        };
        let value = self.draft.get(name);
        ui::field(&Field { name, label, value, hint, kind, wrong, required: name == "name" })
    }

    fn trigger_choice(&self) -> Html {
        let wrong = self.wrong.at("trigger.on");
        choice(("on", "It starts when"), &choices(&TRIGGERS), self.draft.get("on"), ("", wrong))
    }

    fn campaign_choice(&self) -> Html {
        let wrong = self.wrong.at("trigger.campaign_id");
        let chosen = self.draft.get("campaign_id");
        choice(("campaign_id", "In"), &self.has.campaign_choices(), chosen, ("", wrong))
    }

    fn stage_choice(&self) -> Html {
        let wrong = self.wrong.at("trigger.stage");
        let chosen = self.draft.get("stage");
        choice(("stage", "Stage"), &self.has.stage_choices(), chosen, ("", wrong))
    }

    fn metric_choice(&self) -> Html {
        let all = [("orders", "Orders"), ("revenue", "Revenue"), ("commission", "Commission")];
        let wrong = self.wrong.at("trigger.metric");
        let chosen = self.draft.get("metric");
        let chosen = if chosen.is_empty() { "orders" } else { chosen };
        choice(("metric", "What is counted"), &choices(&all), chosen, ("", wrong))
    }

    fn level_choice(&self) -> Html {
        let wrong = self.wrong.at("trigger.level");
        let wrong = if wrong.is_empty() { self.wrong.at("trigger.tiers_id") } else { wrong };
        let chosen = self.draft.get("level");
        choice(("level", "Level"), &self.has.level_choices(), chosen, ("", wrong))
    }

    fn at_least(&self) -> Html {
        let code = self.draft.get("currency");
        let code = if code.is_empty() { self.has.currency.code() } else { code };
        let hint = format!("A number of orders, or an amount in {code}");
        self.line("at_least", "At least", "decimal", &hint)
    }

    fn code(&self) -> &str {
        self.has.currency.code()
    }

    fn conditions(&self) -> Html {
        let wrong = self.wrong.at("conditions");
        let hint = "Empty: any deal. For example: followers >= 10000 AND tag = \"vip\"";
        let value = self.draft.get("conditions");
        area(("conditions", "Only if the deal fits", 2), value, (hint, wrong))
    }

    fn runs_choice(&self) -> Html {
        let all = [("every_time", "Every time"), ("first_time", "Only the first time in a deal")];
        let chosen = self.draft.get("runs");
        choice(("runs", "How often"), &choices(&all), chosen, ("", self.wrong.at("runs")))
    }

    fn new_choice(&self) -> Html {
        let kinds = STEPS.iter().filter(|(kind, _)| *kind != "fee" || self.may_pay);
        let kinds: Vec<(&str, &str)> = kinds.copied().collect();
        choice(("new", "Another step"), &choices(&kinds), "create_link", ("", ""))
    }

    fn fields(&self, step: &Step, place: &usize) -> Vec<Html> {
        fields_of(&step.kind).iter().map(|name| self.step_field(step, *place, name)).collect()
    }

    fn step_field(&self, step: &Step, place: usize, name: &str) -> Html {
        let own = &*format!("s{place}.{name}");
        let value = step.get(name);
        let inner = match name {
            "commission_percent" => format!("steps[{place}].terms.commission_percent"),
            "flat_per_order" | "cap_per_order" | "cap_per_month" | "first_order_only" => {
                format!("steps[{place}].terms.{name}")
            }
            name => format!("steps[{place}].{name}"),
        };
        let wrong = self.wrong.at(&inner);
        let one = |label: &str, options: Vec<Choice>, hint: &str| {
            choice((own, label), &options, value, (hint, wrong))
        };
        let line = |label: &str, kind: &str, hint: &str| {
            ui::field(&Field { name: own, label, value, hint, kind, wrong, required: false })
        };
        match (step.kind.as_str(), name) {
            (_, "apply_code") => check(own, "The link applies the deal’s code", value == "yes"),
            (_, "affiliate_group_id") => one(
                "Group",
                self.has.group_choices(),
                if self.has.groups.is_empty() {
                    "There is no group of codes yet: stores have them"
                } else {
                    ""
                },
            ),
            (_, "template_id") => one(
                "Message",
                self.has.template_choices(),
                if self.has.templates.is_empty() {
                    "There is no message yet: write a template first"
                } else {
                    ""
                },
            ),
            ("fee", "stage") => {
                let any = (String::new(), "At once".to_owned());
                let all = [any].into_iter().chain(self.has.stage_choices()).collect();
                one("Once the deal is at", all, "A stage of its campaign")
            }
            (_, "stage") => one("Stage", self.has.stage_choices(), ""),
            (_, "store_id") => one("Store", self.has.store_choices(), ""),
            (_, "due_on") => line("Not before", "date", "Empty: at once"),
            (_, "flat_per_order") => line("On top for each order", "decimal", self.code()),
            (_, "cap_per_order") => line("At most for an order", "decimal", self.code()),
            (_, "cap_per_month") => line("At most in a month", "decimal", self.code()),
            (_, "first_order_only") => {
                check(own, "Only a customer’s first order earns", value == "yes")
            }
            (_, "owner_id") => one("Member", self.has.member_choices(), ""),
            (_, "target") => line(
                "Where it leads",
                "text",
                "A path such as /products/vase; empty: the home page",
            ),
            (_, "commission_percent") => line("Commission, %", "decimal", ""),
            (_, "tags") => line("Tags", "text", "With commas between"),
            (_, "text") => line("What is to be done", "text", ""),
            (_, "due_in_days") => line("Due after days", "number", ""),
            (_, "amount") => line(&format!("Amount, {}", self.has.currency.code()), "decimal", ""),
            (_, "note") => line("Note", "text", ""),
            (_, "label") => line("Label", "text", "What your servers tell steps apart by"),
            (_, "days") => line("Days", "number", ""),
            (_, "hours") => line("Hours", "number", ""),
            (_, "minutes") => line("Minutes", "number", ""),
            _ => Html::default(),
        }
    }

    /// Whether the page begins at this part of this step.
    fn begins(&self, place: &usize, part: &str) -> bool {
        let Some(turned) = &self.turned else { return false };
        let last = place + 1 == self.draft.steps.len();
        let part_there = match turned.part {
            "up" if turned.step == 0 => "down",
            "down" if last => "up",
            other => other,
        };
        turned.step == *place && part_there == part
    }

    fn begins_new(&self) -> bool {
        self.turned.as_ref().is_some_and(|turned| turned.part == "new")
    }

    fn summary(&self) -> Html {
        self.wrong.summary(&label)
    }
}

struct Writing<'a> {
    id: Option<AutomationId>,
    seen: &'a str,
    draft: &'a Draft,
    wrong: &'a Wrong,
    turned: Option<Turned>,
}

async fn page(app: &App, at: &At, writing: Writing<'_>) -> Result<Response> {
    let has = Has::of(app, at).await?;
    let csrf = at.csrf(app);
    let Writing { id, seen, draft, wrong, turned } = writing;
    let told = draft.json(has.currency);
    let steps = told.get("steps").and_then(Value::as_array).into_iter().flatten();
    let content = Page {
        home: &at.home,
        csrf: &csrf,
        path: match id {
            Some(id) => format!("{}/automations/{id}/edit", at.home),
            None => format!("{}/automations/new", at.home),
        },
        id,
        seen,
        draft,
        trigger: words::trigger(told.get("trigger").unwrap_or(&Value::Null), &has),
        steps: steps.map(|step| words::step(step, &has)).collect(),
        has: &has,
        wrong,
        turned,
        may_pay: at.seat.may(Scope::Money),
    };
    let title = if id.is_some() { "Edit the automation" } else { "New automation" };
    at.render((wrong.status, title, Area::Automations), &csrf, &content)
}

/// From nothing.
pub async fn new(State(app): State<App>, at: At) -> Result<Response> {
    let _: Caller<may::Deals> = at.seat.caller()?;
    let (draft, wrong) = (Draft::blank(), Wrong::default());
    let writing = Writing { id: None, seen: "", draft: &draft, wrong: &wrong, turned: None };
    page(&app, &at, writing).await
}

/// What is there.
pub async fn edit(State(app): State<App>, at: At, id: ItemId<Automation>) -> Result<Response> {
    let _: Caller<may::Deals> = at.seat.caller()?;
    let Tagged(view) = api::show(State(app.clone()), at.seat.caller()?, PathId(id.0)).await?;
    let seen = etag(&json::text(&view));
    let (draft, wrong) = (Draft::of_json(&automations::shown(&view)), Wrong::default());
    let writing =
        Writing { id: Some(id.0), seen: &seen, draft: &draft, wrong: &wrong, turned: None };
    page(&app, &at, writing).await
}

/// Makes it, switched off; or does what another button says and shows the form again.
pub async fn create(State(app): State<App>, sent: Sent) -> Result<Response> {
    let _: Caller<may::Deals> = sent.at.seat.caller()?;
    let mut draft = Draft::of_form(&sent.form);
    let turned = draft.turn(sent.get("act"), sent.get("new"));
    let mut wrong = Wrong::default();
    if turned.is_none() && sent.get("act") == "save" {
        let work = async {
            let currency = Has::of(&app, &sent.at).await?.currency;
            let mut told = draft.json(currency);
            told.insert("state".to_owned(), Value::from("disabled"));
            let new = Body(automations::changes(told)?);
            api::create(State(app.clone()), sent.at.seat.caller()?, new).await
        };
        match work.await {
            Ok((_, Json(made))) => {
                return Ok(sent.at.see(&format!("/automations/{}?done=automation", made.id)));
            }
            Err(error) => wrong = Wrong::of(*error)?,
        }
    }
    let writing = Writing { id: None, seen: "", draft: &draft, wrong: &wrong, turned };
    page(&app, &sent.at, writing).await
}

/// Saves what is changed, if nobody else changed it since; or does what another button says.
pub async fn save(State(app): State<App>, sent: Sent, id: ItemId<Automation>) -> Result<Response> {
    let _: Caller<may::Deals> = sent.at.seat.caller()?;
    let mut draft = Draft::of_form(&sent.form);
    let turned = draft.turn(sent.get("act"), sent.get("new"));
    let mut wrong = Wrong::default();
    if turned.is_none() && sent.get("act") == "save" {
        match saved(&app, &sent, id.0, &draft).await {
            Ok(()) => return Ok(sent.at.see(&format!("/automations/{}?done=saved", id.0))),
            Err(error) => wrong = Wrong::of(*error)?,
        }
    }
    let seen = sent.get("seen");
    let writing = Writing { id: Some(id.0), seen, draft: &draft, wrong: &wrong, turned };
    page(&app, &sent.at, writing).await
}

async fn saved(app: &App, sent: &Sent, id: AutomationId, draft: &Draft) -> Result<()> {
    let (state, at) = (|| State(app.clone()), &sent.at);
    let Tagged(view) = api::show(state(), at.seat.caller()?, PathId(id)).await?;
    let currency = Has::of(app, at).await?.currency;
    let told = draft.changes(&automations::shown(&view), currency);
    // What only this page would leave out is what somebody else wrote meanwhile.
    if sent.get("seen").is_empty() {
        return Err(Error::Forbidden("this form doesn't say what it is a change of").into());
    }
    let told = Changing::seen(automations::changes(told)?, sent.get("seen"));
    let _ = api::update(state(), at.seat.caller()?, PathId(id), told).await?;
    Ok(())
}
