//! The audit trail in plain words.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::time::{Day, Zone, to_rfc3339};
use crate::error::{Error, Result};
use crate::web::api::audit::{self as api, ActorView, AuditView};
use crate::web::api::{brand, keys, members};
use crate::web::csv;
use crate::web::extract::Params;
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, wrong};
use crate::web::pages::ui::{self, Field, Html};

use super::{Base, closed};

const HERE: (&str, &str) = ("/audit", "Audit");
const FILTERS: [&str; 5] = ["actor_id", "action", "subject_id", "from", "to"];
/// So many rows are in a file.
const MOST_ROWS: usize = 10_000;

/// Whom ids stand for, as far as that is known.
struct Names(Vec<(String, String)>);

impl Names {
    async fn of(app: &App, at: &At) -> Result<Self> {
        let all = || Params::of(&[("limit", "200")]);
        let Json(team) = members::list(State(app.clone()), at.seat.caller()?, all()).await?;
        let Json(keys) = keys::list(State(app.clone()), at.seat.caller()?, all()).await?;
        let team = team.data.into_iter().map(|member| (member.id.to_string(), member.email));
        let keys =
            keys.data.into_iter().map(|key| (key.id.to_string(), format!("Key “{}”", key.name)));
        Ok(Self(team.chain(keys).collect()))
    }

    fn who(&self, actor: &ActorView) -> String {
        let known = self.0.iter().find(|(id, _)| *id == actor.id).map(|(_, name)| name.clone());
        known.unwrap_or_else(|| {
            let kind = match actor.kind.as_str() {
                "operator" => "Whoever runs Tributary",
                "key" => "A key",
                "creator" => "A creator",
                "member" => "A former member",
                "job" => "Tributary by itself",
                other => other,
            };
            kind.to_owned()
        })
    }
}

/// What was done, as a sentence without its beginning: `deal.update` is “changed a deal”.
fn what(action: &str) -> String {
    let known = match action {
        "brand.create" => "made the brand",
        "brand.update" => "changed the brand’s settings",
        "outreach.settings" => "changed when messages go out",
        "domain.check" => "had the link domain looked at",
        "domain.activate" => "took the link domain into use",
        "domain.fail" => "found that the link domain can’t be used",
        "member.invite" => "invited a member",
        "member.join" => "joined the team",
        "invitation.accept" => "accepted an invitation",
        "key.revoke" => "revoked an API key",
        "session.begin" => "signed in",
        "session.end" => "signed out",
        "passkey.add" => "added a passkey",
        "passkey.show" => "showed a passkey",
        "recovery.make" => "made recovery codes",
        "recovery.use" => "used a recovery code",
        "payout.approve_first" => "approved a payout, as the first of two",
        "payout.settle" => "noted what became of a payment",
        "payout.export" => "took a payment file, with payment details",
        "webhook_endpoint.rotate_secret" => "gave a webhook endpoint a new secret",
        "webhook_endpoint.resend" => "sent an event again",
        "webhook_endpoint.test" => "tried a webhook endpoint",
        "data_request.complete" => "noted that a customer was told what is stored",
        "creator.erase" => "erased a creator’s data",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let (subject, verb) = action.split_once('.').unwrap_or((action, ""));
    let subject = match subject {
        "key" => "API key".to_owned(),
        "terms" => "deal’s terms".to_owned(),
        "media_formula" => "way to value reach".to_owned(),
        other => other.replace('_', " "),
    };
    let done = match verb {
        "create" | "made" => "made",
        "update" | "changed" => "changed",
        "delete" | "remove" => "removed",
        "invite" => "invited",
        "uninvite" => "took back the invitation of",
        "move" => "moved",
        "import" => "imported",
        "cancel" => "cancelled",
        "approve" => "approved",
        "draft" => "drafted",
        "archive" => "archived",
        "pause" => "paused",
        "resume" => "resumed",
        "send" => "sent",
        "decide" => "decided",
        "answer" => "answered",
        "withdraw" => "took back",
        "read" => "read",
        "connect" => "connected",
        "replay" => "tried again",
        "retry" | "retry_first" => "tried again",
        other => return format!("{subject}: {}", other.replace('_', " ")),
    };
    let article = if subject.starts_with(['a', 'e', 'i', 'o', 'A']) { "an" } else { "a" };
    format!("{done} {article} {subject}")
}

/// What was there, or is now: a line for each that is told.
fn lines(stored: &api::Stored) -> String {
    let value = stored.0.as_deref().and_then(|text| crate::storage::rows::parse(text).ok());
    let Some(serde_json::Value::Object(fields)) = value else {
        return stored.0.clone().unwrap_or_default();
    };
    let told = fields.iter().filter(|(_, value)| !value.is_null());
    let told = told.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}: {text}"),
        None => format!("{name}: {value}"),
    });
    told.collect::<Vec<_>>().join("\n")
}

#[derive(Template)]
#[template(path = "brand/settings/audit.html")]
struct Page<'a> {
    base: Base<'a>,
    at: &'a At,
    entries: Vec<AuditView>,
    names: Names,
    pager: Html,
    file: String,
    wrong: String,
}

impl Page<'_> {
    fn line(&self, name: &str, label: &str, kind: &str) -> Html {
        let value = self.at.get(name);
        ui::field(&Field { name, label, kind, value, ..Field::default() })
    }

    fn actors(&self) -> Html {
        let mut all = vec![(String::new(), "Everybody".to_owned())];
        all.extend(self.names.0.iter().cloned());
        let chosen = self.at.get("actor_id");
        if !all.iter().any(|(id, _)| id == chosen) {
            all.push((chosen.to_owned(), chosen.to_owned()));
        }
        ui::select("actor_id", "Who", &all, chosen)
    }
}

/// What the API is asked by what the address says: days are the brand's, the last one included.
fn filters(at: &At, zone: &Zone) -> Result<Vec<(&'static str, String)>> {
    let mut asked = Vec::new();
    for name in FILTERS {
        let told = at.get(name).trim();
        if told.is_empty() {
            continue;
        }
        let days = match name {
            "from" => Some(0),
            "to" => Some(1),
            _ => None,
        };
        let text = match days {
            None => told.to_owned(),
            Some(more) => {
                let day = Day::from_iso(told).filter(|day| (0..100_000).contains(&day.0));
                let why = || Error::invalid(name, "must be a day such as 2026-11-22");
                to_rfc3339(zone.start_of(day.ok_or_else(why)?.plus(more)))
            }
        };
        asked.push((name, text));
    }
    Ok(asked)
}

async fn found(
    app: &App,
    at: &At,
    cursor: &str,
    limit: &str,
) -> Result<(Vec<AuditView>, Option<String>)> {
    let caller = at.seat.caller()?;
    let zone = brand::find(app, at.seat.member()?.brand_id).await?.brand.timezone;
    let filters = filters(at, &zone)?;
    let mut asked: Vec<(&str, &str)> =
        filters.iter().map(|(n, text)| (*n, text.as_str())).collect();
    asked.extend([("cursor", cursor), ("limit", limit)]);
    let Json(list) = api::list(State(app.clone()), caller, Params::of(&asked)).await?;
    Ok((list.data, list.next_cursor))
}

/// Who did what and when, latest first.
pub async fn show(State(app): State<App>, at: At) -> Result<Response> {
    if !at.seat.may(Scope::Admin) {
        return closed(&app, &at, HERE);
    }
    let (status, wrong, entries, next) = match found(&app, &at, at.get("cursor"), "50").await {
        Ok((entries, next)) => (StatusCode::OK, String::new(), entries, next),
        Err(error) => {
            let (status, told) = wrong(*error)?;
            (status, told, Vec::new(), None)
        }
    };
    let base = Base::of(&app, &at, HERE.0);
    let csrf = base.csrf.clone();
    let query = FILTERS.map(|name| (name, at.get(name)));
    let file = ui::address("", query.into_iter());
    let content = Page {
        base,
        at: &at,
        names: Names::of(&app, &at).await?,
        entries,
        pager: ui::pager(&format!("{}/settings/audit", at.home), &query, next.as_ref()),
        file,
        wrong,
    };
    at.render((status, HERE.1, Area::Settings), &csrf, &content)
}

/// The same as a file for a spreadsheet, up to 10,000 rows, with the columns that the API's file has.
pub async fn file(State(app): State<App>, at: At) -> Result<Response> {
    let mut text = String::new();
    let columns =
        ["at", "actor", "actor_id", "action", "subject_id", "request_id", "before", "after"];
    csv::line(&mut text, &columns);
    let (mut cursor, mut rows) = (String::new(), 0);
    loop {
        let (entries, next) = found(&app, &at, &cursor, "200").await?;
        for entry in &entries {
            let stored = |told: &api::Stored| told.0.clone().unwrap_or_default();
            let (time, before, after) =
                (to_rfc3339(entry.at.0), stored(&entry.before), stored(&entry.after));
            let (kind, id) = (entry.actor.kind.as_str(), entry.actor.id.as_str());
            let (action, subject) = (entry.action.as_str(), entry.subject_id.as_str());
            let cells = [&*time, kind, id, action, subject, &entry.request_id, &before, &after];
            csv::line(&mut text, &cells);
        }
        rows += entries.len();
        match next {
            Some(next) if rows < MOST_ROWS => cursor = next,
            _ => break,
        }
    }
    let mut response = Response::new(StatusCode::OK, "text/csv; charset=utf-8", text);
    response.set("content-disposition", "attachment; filename=\"audit.csv\"".to_owned());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::what;

    #[test]
    fn actions_are_told_in_words() {
        for (action, told) in [
            ("deal.update", "changed a deal"),
            ("automation.create", "made an automation"),
            ("key.create", "made an API key"),
            ("payout.approve", "approved a payout"),
            ("store.rotate_secret", "store: rotate secret"),
            ("brand.update", "changed the brand’s settings"),
            ("odd", "odd: "),
        ] {
            assert_eq!(what(action), told, "{action}");
        }
    }
}
