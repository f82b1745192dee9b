//! A brand's settings: what holds for all of it. Whoever belongs to the brand may read what the API lets her
//! read; only an owner changes something, and with a passkey that was just shown where the API asks for one.
//!
//! Each page posts to its own address and says by the field `do` what is wanted: the address that a browser
//! shows is always one that can be opened again.

pub mod audit;
pub mod data;
pub mod domain;
pub mod general;
pub mod hooks;
pub mod keys;
pub mod meaning;
pub mod members;
pub mod rules;

use std::fmt::Write;

use askama::Template;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::error::{Error, Result};
use crate::web::message::Response;
use crate::web::pages::form::Form;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Field, Html, esc};

/// The pages: path, name, icon.
const PAGES: [(&str, &str, &str); 8] = [
    ("", "Brand", "building-store"),
    ("/domain", "Link domain", "world"),
    ("/rules", "Attribution and holds", "clock"),
    ("/members", "Members", "users-group"),
    ("/keys", "API keys", "key"),
    ("/webhooks", "Webhooks", "webhook"),
    ("/audit", "Audit", "history"),
    ("/data", "Data and books", "shield-lock"),
];

/// The ways between the pages of settings.
fn ways(home: &str, current: &str) -> Html {
    let mut html = "<nav class=\"settings-ways\" aria-label=\"Settings\"><ul>".to_owned();
    for (path, name, icon) in PAGES {
        let here = if path == current { " aria-current=\"page\"" } else { "" };
        let icon = ui::icon(icon);
        let _ = write!(html, "<li><a href=\"{home}/settings{path}\"{here}>{icon}{name}</a></li>");
    }
    html.push_str("</ul></nav>");
    Html::of(html)
}

/// What a page needs to know of who looks at it.
struct Base<'a> {
    home: &'a str,
    csrf: String,
    ways: Html,
    /// Whether she may change something.
    may: bool,
    /// Until when her passkey counts as just shown.
    fresh_until: i64,
}

impl<'a> Base<'a> {
    fn of(app: &App, at: &'a At, path: &str) -> Self {
        Self {
            home: &at.home,
            csrf: at.csrf(app),
            ways: ways(&at.home, path),
            may: at.seat.may(Scope::Admin),
            fresh_until: at.seat.session.fresh_until_ms(),
        }
    }

    /// The beginning of a form that posts to this page; `fresh`: it needs a passkey that was just shown.
    fn form(&self, path: &str, wanted: &str, fresh: bool) -> Html {
        let step =
            if fresh { format!(" data-step-up=\"{}\"", self.fresh_until) } else { String::new() };
        let (home, proof) = (self.home, ui::proof(&self.csrf));
        Html::of(format!(
            "<form method=\"post\" action=\"{home}/settings{}\"{step}>{proof}\
             <input type=\"hidden\" name=\"do\" value=\"{}\">",
            esc(path),
            esc(wanted)
        ))
    }
}

#[derive(Template)]
#[template(path = "brand/settings/closed.html")]
struct Closed<'a> {
    base: Base<'a>,
    title: &'a str,
}

/// What whoever may not see a page sees there: why, and who can help.
fn closed(app: &App, at: &At, (path, title): (&str, &str)) -> Result<Response> {
    let base = Base::of(app, at, path);
    let csrf = base.csrf.clone();
    at.render((StatusCode::FORBIDDEN, title, Area::Settings), &csrf, &Closed { base, title })
}

/// What a page says beside what is there: what was wrong with a form and what was typed, or what is shown once.
#[derive(Default)]
pub struct Told {
    status: StatusCode,
    wrong: String,
    /// Somebody changed meanwhile what the form was about.
    stale: bool,
    form: Option<Form>,
    /// A secret, this once.
    made: String,
}

impl Told {
    fn of(form: Form, error: Error) -> Result<Self> {
        let met = match &error {
            Error::Denied { rule, .. } => *rule,
            Error::Refused { rule, .. } => *rule,
            _ => "",
        };
        let stale = ["stale", "changed-meanwhile", "formula-changed"].contains(&met);
        let (status, mut wrong) = wrong(error)?;
        if stale {
            wrong = "Somebody changed this meanwhile, so nothing was saved. What you typed is still here, \
                     beside what was saved: look it through and save again."
                .to_owned();
        }
        Ok(Self { status, wrong, stale, form: Some(form), made: String::new() })
    }

    /// A secret that is shown this once.
    fn made(text: String) -> Self {
        Self { made: text, ..Self::default() }
    }

    /// What was typed into one form of the page, if that is the one that was sent.
    fn part(&self, wanted: &str) -> Part<'_> {
        let form = self.form.as_ref().filter(|form| form.get("do") == wanted);
        Part { stale: self.stale && form.is_some(), form }
    }

    fn alert(&self) -> Html {
        if self.wrong.is_empty() {
            return Html::default();
        }
        let (icon, text) = (ui::icon("alert-triangle"), esc(&self.wrong));
        Html::of(format!("<p class=\"alert bad\" role=\"alert\">{icon}{text}</p>"))
    }
}

/// One form of a page.
struct Part<'a> {
    form: Option<&'a Form>,
    stale: bool,
}

impl Part<'_> {
    /// What stands in a field: what was typed, else what is there.
    fn value<'b>(&'b self, name: &str, now: &'b str) -> &'b str {
        self.form.map_or(now, |form| form.get(name))
    }

    fn is_on(&self, name: &str, now: bool) -> bool {
        self.form.map_or(now, |form| form.get(name) == "yes")
    }

    /// What somebody else saved, where it isn't what was typed.
    fn meanwhile(&self, name: &str, now: &str) -> String {
        let other = self.stale && self.value(name, now) != now;
        let told = if now.is_empty() { "nothing" } else { now };
        if other { format!("Saved meanwhile: {told}") } else { String::new() }
    }

    fn line(&self, field: &Field<'_>, now: &str) -> Html {
        let wrong = self.meanwhile(field.name, now);
        ui::field(&Field { value: self.value(field.name, now), wrong: &wrong, ..*field })
    }

    fn choice(&self, (name, label): (&str, &str), options: &[(&str, &str)], now: &str) -> Html {
        let own = |(value, text): &(&str, &str)| ((*value).to_owned(), (*text).to_owned());
        let all: Vec<(String, String)> = options.iter().map(own).collect();
        let there = options.iter().find(|(value, _)| *value == now).map_or(now, |(_, text)| text);
        let mut label = label.to_owned();
        if !self.meanwhile(name, now).is_empty() {
            let _ = write!(label, " (saved meanwhile: {there})");
        }
        ui::select(name, &label, &all, self.value(name, now))
    }

    fn check(&self, (name, label, hint): (&str, &str, &str), now: bool) -> Html {
        let on = self.is_on(name, now);
        let checked = if on { " checked" } else { "" };
        let mut hint = esc(hint);
        if self.stale && on != now {
            hint.push_str(if now { " Saved meanwhile: on." } else { " Saved meanwhile: off." });
        }
        let (name, label) = (esc(name), esc(label));
        let about = match hint.is_empty() {
            true => String::new(),
            false => format!("<span class=\"hint\" id=\"f-{name}-hint\">{hint}</span>"),
        };
        let by = if hint.is_empty() {
            String::new()
        } else {
            format!(" aria-describedby=\"f-{name}-hint\"")
        };
        Html::of(format!(
            "<div class=\"settings-check\"><input type=\"checkbox\" id=\"f-{name}\" name=\"{name}\" value=\"yes\"{by}{checked}>\
             <div><label for=\"f-{name}\">{label}</label>{about}</div></div>"
        ))
    }
}

/// What a form's text is in JSON where the API wants a number: what isn't one is for the API to refuse.
fn number(text: &str) -> Value {
    text.trim().parse::<i64>().map_or_else(|_| Value::from(text), Value::from)
}

/// An object of JSON.
fn object(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// Where a form leads: to its page with what was done, or the same page with what is wrong.
fn split(sent: Sent) -> (At, Form) {
    (sent.at, sent.form)
}

/// A table's surroundings: it scrolls by itself where it is wider than the page.
fn scroll(label: &str) -> Html {
    let label = esc(label);
    Html::of(format!(
        "<div class=\"table-responsive\" tabindex=\"0\" role=\"region\" aria-label=\"{label}, table\">"
    ))
}
