//! Sequences of messages.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::ids::Sequence;
use crate::error::{Error, Result};
use crate::storage::sequences as rows;
use crate::web::api::sequences::{self as api, SequenceView};
use crate::web::extract::{Body, Caller, ItemId, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html};

use super::super::read;
use super::{Has, Wrong, choice};

/// A step in a form: template, days, hours.
type Step = [String; 3];
const NAMES: [&str; 3] = ["template_id", "delay_days", "delay_hours"];

#[derive(Template)]
#[template(path = "brand/workflows/sequence-new.html")]
struct Editor<'a> {
    home: &'a str,
    csrf: &'a str,
    name: &'a str,
    steps: &'a [Step],
    has: Has,
    wrong: &'a Wrong,
    turned: &'a str,
    focus: Option<(usize, &'static str)>,
}

impl Editor<'_> {
    fn name_line(&self) -> Html {
        let (name, label, wrong) = ("name", "Name", self.wrong.at("name"));
        let value = self.name;
        ui::field(&Field { name, label, value, wrong, required: true, ..Field::default() })
    }

    fn fields(&self, step: &Step, place: &usize) -> Vec<Html> {
        let [template, days, hours] = step;
        let own = NAMES.map(|name| format!("s{place}.{name}"));
        let wrong = NAMES.map(|name| self.wrong.at(&format!("steps[{place}].{name}")));
        let [message, days_name, hours_name] = &own;
        let [message_wrong, days_wrong, hours_wrong] = wrong;
        let line = |name: &str, label: &str, value: &str, wrong: &str| {
            let kind = "number";
            ui::field(&Field { name, label, value, wrong, kind, ..Field::default() })
        };
        let options = self.has.template_choices();
        vec![
            choice((message, "Message"), &options, template, ("", message_wrong)),
            line(days_name, "After days", days, days_wrong),
            line(hours_name, "and hours", hours, hours_wrong),
        ]
    }

    fn begins(&self, place: &usize, part: &str) -> bool {
        let Some((at, wanted)) = self.focus else { return false };
        let wanted = match wanted {
            "up" if at == 0 => "down",
            "down" if at + 1 == self.steps.len() => "up",
            other => other,
        };
        at == *place && wanted == part
    }

    fn summary(&self) -> Html {
        self.wrong.summary(&|field| {
            let place = field.strip_prefix("steps[").and_then(|rest| rest.split_once(']'));
            match place {
                Some((place, rest)) => {
                    let place = place.parse::<usize>().map_or(0, |place| place + 1);
                    let name = rest.trim_start_matches('.').replace('_', " ");
                    format!("Step {place}: {}", name.replace("template id", "the message"))
                }
                None => field.replace('_', " "),
            }
        })
    }
}

struct Writing<'a> {
    name: &'a str,
    steps: &'a [Step],
    wrong: &'a Wrong,
    turned: &'a str,
    focus: Option<(usize, &'static str)>,
}

async fn editor(app: &App, at: &At, writing: Writing<'_>) -> Result<Response> {
    let Writing { name, steps, wrong, turned, focus } = writing;
    let has = Has::of(app, at).await?;
    let csrf = at.csrf(app);
    let content = Editor { home: &at.home, csrf: &csrf, name, steps, has, wrong, turned, focus };
    at.render((wrong.status, "New sequence", Area::Automations), &csrf, &content)
}

fn blank(days: &str) -> Step {
    [String::new(), days.to_owned(), "0".to_owned()]
}

/// From nothing: one step at once.
pub async fn new(State(app): State<App>, at: At) -> Result<Response> {
    let _: Caller<may::Deals> = at.seat.caller()?;
    let (steps, wrong) = ([blank("0")], Wrong::default());
    let writing = Writing { name: "", steps: &steps, wrong: &wrong, turned: "", focus: None };
    editor(&app, &at, writing).await
}

fn turn(steps: &mut Vec<Step>, act: &str) -> Option<(String, Option<(usize, &'static str)>)> {
    if act == "add" {
        steps.push(blank("3"));
        let place = steps.len() - 1;
        return Some((format!("Step {} added.", place + 1), Some((place, "remove"))));
    }
    let (what, place) = act.split_once('.')?;
    let place: usize = place.parse().ok().filter(|place| *place < steps.len())?;
    match what {
        "up" if place > 0 => {
            steps.swap(place, place - 1);
            Some((format!("Step {} is step {place} now.", place + 1), Some((place - 1, "up"))))
        }
        "down" if place + 1 < steps.len() => {
            steps.swap(place, place + 1);
            let told = format!("Step {} is step {} now.", place + 1, place + 2);
            Some((told, Some((place + 1, "down"))))
        }
        "remove" => {
            steps.remove(place);
            Some((format!("Step {} removed.", place + 1), None))
        }
        _ => None,
    }
}

fn asked(name: &str, steps: &[Step]) -> Value {
    let steps = steps.iter().map(|step| {
        let fields = NAMES.iter().zip(step).filter_map(|(name, text)| {
            let text = text.trim();
            let value = match *name {
                "template_id" => Value::from(text),
                _ if text.is_empty() => return None,
                _ => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
            };
            Some(((*name).to_owned(), value))
        });
        Value::Object(fields.collect())
    });
    let mut told = Map::new();
    told.insert("steps".to_owned(), steps.collect());
    told.insert("name".to_owned(), Value::from(name));
    Value::Object(told)
}

/// Makes it, or does what another button says and shows the form again.
pub async fn create(State(app): State<App>, sent: Sent) -> Result<Response> {
    let _: Caller<may::Deals> = sent.at.seat.caller()?;
    let mut steps: Vec<Step> = Vec::new();
    for place in 0..=20 {
        if sent.get(&format!("s{place}")) != "step" {
            break;
        }
        steps.push(NAMES.map(|name| sent.get(&format!("s{place}.{name}")).to_owned()));
    }
    let turned = turn(&mut steps, sent.get("act"));
    let (mut wrong, name) = (Wrong::default(), sent.get("name"));
    if turned.is_none() {
        let work = async {
            let new = Body(read(&asked(name, &steps))?);
            api::create(State(app.clone()), sent.at.seat.caller()?, new).await
        };
        match work.await {
            Ok((_, Json(made))) => {
                return Ok(sent.at.see(&format!("/sequences/{}?done=added", made.id)));
            }
            Err(error) => {
                wrong = match *error {
                    Error::NotFound => Wrong {
                        status: StatusCode::CONFLICT,
                        told: "A message of it is gone: choose another.".to_owned(),
                        ..Wrong::default()
                    },
                    other => Wrong::of(other)?,
                };
            }
        }
    }
    let (turned, focus) = turned.unwrap_or_default();
    let writing = Writing { name, steps: &steps, wrong: &wrong, turned: &turned, focus };
    editor(&app, &sent.at, writing).await
}

#[derive(Template)]
#[template(path = "brand/workflows/sequence.html")]
struct Page<'a> {
    home: &'a str,
    csrf: &'a str,
    sequence: SequenceView,
    has: Has,
    may_change: bool,
}

/// How long a step waits, in words.
fn delay(hours: &i64) -> String {
    let many = |number: i64, one: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{number} {one}s")),
    };
    let parts = [many(hours / 24, "day"), many(hours % 24, "hour")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "At once".to_owned() } else { format!("After {}", parts.join(", ")) }
}

impl Page<'_> {
    fn message(&self, id: &crate::domain::ids::TemplateId) -> &str {
        let found = self.has.templates.iter().find(|one| one.id == *id);
        found.map_or("A message that is gone", |one| &one.name)
    }
}

/// One sequence.
pub async fn show(State(app): State<App>, at: At, id: ItemId<Sequence>) -> Result<Response> {
    let brand = at.seat.member()?.brand_id;
    let row = rows::find(app.db(), brand, id.0).await?.ok_or(Error::NotFound)?;
    let sequence = SequenceView::from(row);
    let csrf = at.csrf(&app);
    let has = Has::of(&app, &at).await?;
    let may_change = at.seat.may(Scope::Deals);
    let title = sequence.name.clone();
    let content = Page { home: &at.home, csrf: &csrf, sequence, has, may_change };
    at.render((StatusCode::OK, &title, Area::Automations), &csrf, &content)
}

/// Puts it away: it takes no more deals.
pub async fn archive(State(app): State<App>, sent: Sent, id: ItemId<Sequence>) -> Result<Response> {
    api::archive(State(app), sent.at.seat.caller()?, PathId(id.0)).await?;
    Ok(sent.at.see(&format!("/sequences/{}?done=saved", id.0)))
}
