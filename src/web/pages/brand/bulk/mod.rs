//! One thing done to many deals: what and to which, what it would do, and the job that does it.

pub mod form;
pub mod job;

use askama::Template;
use http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;
use crate::domain::auth::Scope;
use crate::domain::brand::Brand;
use crate::domain::ids::{DealId, SegmentId};
use crate::error::{Error, Result};
use crate::storage::rows::parse;
use crate::web::api::bulk::{self as api, NewBulkAction};
use crate::web::api::stores::{self, StoreView};
use crate::web::api::{brand as brands, filtering, segments};
use crate::web::extract::{Body, Caller, Params, PathId};
use crate::web::handler::{Json, State, Tagged};
use crate::web::message::Response;
use crate::web::once::{Once, Perhaps};
use crate::web::pages::form::once;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html, esc};

use super::read;
use super::workflows::{self, Choice, Has, Picked, Wrong, words};
use form::{ACTIONS, Kind, Part, Which, action, parts};

/// A filter finds so many deals at most, as in the API.
const MOST: usize = 5000;
/// So many can be named.
const MOST_NAMED: usize = 1000;
/// So many are looked up in one query.
const AT_ONCE: usize = 200;
/// So many of those that were chosen are called by their names.
const NAMES: usize = 5;

/// Which deals it is about, in words.
struct About {
    count: usize,
    /// After the count: what they match, or who they are.
    told: String,
}

/// A deal in a preview.
struct Change {
    deal: String,
    name: String,
    outcome: String,
    before: String,
    after: String,
    reason: String,
}

/// What an action would do.
struct Preview {
    change: i64,
    unchanged: i64,
    refused: i64,
    hash: String,
    rows: Vec<Change>,
    /// Whether there are more than these.
    more: bool,
    /// What it does, in a sentence.
    what: String,
    once: String,
}

#[derive(Template)]
#[template(path = "brand/bulk/new.html")]
struct Page<'a> {
    home: &'a str,
    csrf: &'a str,
    which: &'a Which,
    about: Option<About>,
    filled: &'a (dyn Fn(&str) -> String + Sync),
    has: Has,
    stores: Vec<Choice>,
    wrong: Wrong,
    preview: Option<Preview>,
    may_change: bool,
    may_pay: bool,
}

fn refused() -> Html {
    ui::badge(&ui::Tone::Bad, "Refused")
}

impl Page<'_> {
    fn kind(&self) -> String {
        (self.filled)("do")
    }

    fn is(&self, action: &str) -> bool {
        self.kind() == action
    }

    fn called(&self) -> &'static str {
        let kind = self.kind();
        ACTIONS.iter().find(|(known, _)| *known == kind).map_or("", |(_, name)| name)
    }

    /// The actions that whoever looks may ask for.
    fn actions(&self) -> Vec<(&'static str, &'static str)> {
        let all = ACTIONS.iter().copied();
        all.filter(|(action, _)| *action != "fee" || self.may_pay).collect()
    }

    /// Hidden: the deals; with the action and its fields for the form that starts it.
    fn hidden(&self, also: bool) -> Html {
        let mut pairs: Vec<(&str, String)> =
            self.which.pairs().into_iter().map(|(name, text)| (name, text.to_owned())).collect();
        let kind = self.kind();
        if also {
            let fields = parts(&kind).iter().map(|part| (part.name, (self.filled)(part.name)));
            pairs.extend(fields);
            pairs.push(("do", kind.clone()));
        }
        let lines = pairs.iter().map(|(name, text)| {
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", esc(text))
        });
        Html::of(lines.collect())
    }

    fn fields(&self) -> Html {
        let kind = self.kind();
        let all = parts(&kind).iter().map(|part| self.field(part).to_string());
        Html::of(all.collect())
    }

    fn field(&self, part: &Part) -> Html {
        let value = &(self.filled)(part.name);
        let wrong = self.wrong.at(&format!("action.{}", part.at));
        let choice = |options: &[Choice]| {
            workflows::choice((part.name, part.label), options, value, (part.hint, wrong))
        };
        let none = |text: &str| vec![(String::new(), text.to_owned())];
        match part.kind {
            Kind::Line(kind) => ui::field(&Field {
                name: part.name,
                label: part.label,
                hint: part.hint,
                value,
                kind,
                wrong,
                required: false,
            }),
            Kind::Area => workflows::area((part.name, part.label, 3), value, (part.hint, wrong)),
            Kind::Check => workflows::check(part.name, part.label, value == "yes"),
            Kind::Stage if self.is("fee") => {
                choice(&[none("Any stage"), self.has.stage_choices()].concat())
            }
            Kind::Stage => choice(&self.has.stage_choices()),
            Kind::Member => choice(&self.has.member_choices()),
            Kind::Owner => {
                let nobody = vec![("nobody".to_owned(), "Nobody in particular".to_owned())];
                let mine = none("Whoever looks after the deal");
                choice(&[mine, nobody, self.has.members.clone()].concat())
            }
            Kind::Template => choice(&self.has.template_choices()),
            Kind::Group => choice(&self.has.group_choices()),
            Kind::Store => choice(&[none("The brand’s first"), self.stores.clone()].concat()),
        }
    }

    /// What is wrong, above the form.
    fn summary(&self) -> Html {
        let kind = self.kind();
        self.wrong.summary(&|field: &str| {
            let inner = field.strip_prefix("action.").unwrap_or(field);
            let fits = |part: &&Part| inner.starts_with(part.at);
            let of_action = parts(&kind).iter().find(fits).map(|part| part.label);
            let label = of_action.unwrap_or(match field {
                "filter" => "The filter",
                "segment" => "The segment",
                "action.do" => "What to do",
                _ => "The selection of deals",
            });
            format!("{label}:")
        })
    }
}

/// How many deals it is about, and which, in words.
async fn about(app: &App, at: &At, brand: &Brand, which: &Which) -> Result<About> {
    if which.is_found() {
        if !which.deals.is_empty() {
            return Err(Error::invalid("deal_ids", "say which, or what they match, not both"));
        }
        let segment: Option<SegmentId> = match which.segment.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|e| Error::invalid("segment", e))?),
        };
        let mut told = Vec::new();
        if let Some(id) = segment {
            let caller: Caller = at.seat.caller()?;
            let Tagged(found) = segments::show(State(app.clone()), caller, PathId(id)).await?;
            told.push(format!("are in the segment “{}”", found.name));
        }
        let filter = Some(which.filter.as_str()).filter(|text| !text.is_empty());
        if let Some(filter) = filter {
            told.push(format!("match: {filter}"));
        }
        let mut found = filtering::all(app, brand, (filter, segment), MOST).await?;
        found.sort_by_key(|deal| deal.bytes());
        found.dedup();
        return Ok(About { count: found.len(), told: format!("that {}", told.join(" and ")) });
    }
    let ids = which.named()?;
    if ids.len() > MOST_NAMED {
        return Err(Error::invalid("deal_ids", "must be 1 to 1000"));
    }
    let mut names: Vec<String> = Vec::with_capacity(ids.len());
    for some in ids.chunks(AT_ONCE) {
        let found: Vec<Picked> = workflows::named(app, at, some).await?;
        names.extend(found.into_iter().map(|one| one.label));
    }
    if names.len() != ids.len() {
        return Err(Error::invalid("deal_ids", "names a deal that isn't there"));
    }
    let more = names.len().saturating_sub(NAMES);
    names.truncate(NAMES);
    let mut told = format!("that you chose: {}", names.join("; "));
    if more > 0 {
        told.push_str(&format!(" and {more} more"));
    }
    Ok(About { count: ids.len(), told })
}

/// The stores that links can lead to.
async fn stores_of(app: &App, at: &At) -> Result<Vec<Choice>> {
    let many = Params::of(&[("limit", "200")]);
    let Json(found) = stores::list(State(app.clone()), at.seat.caller()?, many).await?;
    let choice = |store: StoreView| (store.id.to_string(), store.shop_domain);
    Ok(found.data.into_iter().map(choice).collect())
}

/// A preview of the API's, with names.
async fn told(app: &App, at: &At, answer: &Value, what: String) -> Result<Preview> {
    let number = |name: &str| answer.get(name).and_then(Value::as_i64).unwrap_or_default();
    let text = |of: &Value, name: &str| {
        of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let data = answer.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
    let ids: Vec<DealId> =
        data.iter().filter_map(|row| text(row, "deal_id").parse().ok()).collect();
    let names = workflows::named(app, at, &ids).await?;
    let row = |row: &Value| {
        let deal = text(row, "deal_id");
        let name = names.iter().find(|one| one.id.to_string() == deal);
        Change {
            name: name.map_or_else(|| "A deal".to_owned(), |one| one.label.clone()),
            outcome: text(row, "outcome"),
            before: text(row, "before"),
            after: text(row, "after"),
            reason: text(row, "reason"),
            deal,
        }
    };
    let deals = usize::try_from(number("deals")).unwrap_or_default();
    Ok(Preview {
        more: deals > data.len(),
        change: number("change"),
        unchanged: number("unchanged"),
        refused: number("refused"),
        hash: text(answer, "hash"),
        rows: data.iter().map(row).collect(),
        what,
        once: once(app),
    })
}

/// What came of a form: nothing yet, what is wrong, or what it would do.
enum Came {
    Nothing,
    Wrong(Wrong),
    Seen(Value, Value),
}

async fn page(
    app: &App,
    at: &At,
    which: &Which,
    filled: &(dyn Fn(&str) -> String + Sync),
    came: Came,
) -> Result<Response> {
    let has = Has::of(app, at).await?;
    let (mut wrong, mut preview) = (Wrong { status: StatusCode::OK, ..Wrong::default() }, None);
    match came {
        Came::Nothing => (),
        Came::Wrong(told) => wrong = told,
        Came::Seen(action, answer) => {
            preview = Some(told(app, at, &answer, words::step(&action, &has)).await?);
        }
    }
    let brand = brands::find(app, at.seat.member()?.brand_id).await?.brand;
    let about = if which.is_empty() {
        None
    } else {
        match about(app, at, &brand, which).await {
            Ok(about) => Some(about),
            Err(error) => {
                if wrong.told.is_empty() {
                    wrong = Wrong::of(*error)?;
                    wrong.told = "The deals can’t be told:".to_owned();
                }
                None
            }
        }
    };
    let csrf = &at.csrf(app);
    let status = wrong.status;
    let stores = stores_of(app, at).await?;
    let content = Page {
        home: &at.home,
        csrf,
        which,
        about,
        filled,
        has,
        stores,
        wrong,
        preview,
        may_change: at.seat.may(Scope::Deals),
        may_pay: at.seat.may(Scope::Money),
    };
    at.render((status, "Many deals at once", Area::Board), csrf, &content)
}

/// Asks what is to be done.
pub async fn ask(State(app): State<App>, at: At) -> Result<Response> {
    let which = Which::at(&at);
    let filled = |name: &str| if name == "do" { at.get("do").to_owned() } else { String::new() };
    page(&app, &at, &which, &filled, Came::Nothing).await
}

/// The API's body of a form, with its action.
async fn asked(
    app: &App,
    sent: &Sent,
    which: &Which,
    also: (&str, Value),
) -> Result<(Value, NewBulkAction)> {
    let brand = brands::find(app, sent.at.seat.member()?.brand_id).await?.brand;
    let today = brand.timezone.day(app.now_ms());
    let action = action(&|name| sent.get(name).to_owned(), &brand, today);
    let new = read(&which.body(action.clone(), also))?;
    Ok((action, new))
}

fn answer(response: &Response) -> Result<Value> {
    let text = core::str::from_utf8(&response.body).unwrap_or_default();
    parse(text).map_err(|error| Error::Internal(error.to_string()).into())
}

/// The form again, with what is wrong.
async fn again(app: &App, sent: &Sent, which: &Which, error: Error) -> Result<Response> {
    let mut wrong = Wrong::of(error)?;
    if !wrong.fields.is_empty() {
        wrong.told = "Nothing is done yet: something needs another look.".to_owned();
    }
    let filled = |name: &str| sent.get(name).to_owned();
    page(app, &sent.at, which, &filled, Came::Wrong(wrong)).await
}

/// Shows what it would do. Nothing changes.
pub async fn look(State(app): State<App>, sent: Sent) -> Result<Response> {
    let which = Which::sent(&sent.form);
    let work = async {
        let caller = sent.at.seat.caller()?;
        let (action, new) = asked(&app, &sent, &which, ("preview", json!(true))).await?;
        let seen = api::create(State(app.clone()), caller, Perhaps(None), Body(new)).await?;
        Ok((action, answer(&seen)?))
    };
    match work.await {
        Ok((action, seen)) => {
            let filled = |name: &str| sent.get(name).to_owned();
            page(&app, &sent.at, &which, &filled, Came::Seen(action, seen)).await
        }
        Err(error) => {
            let error: Box<Error> = error;
            again(&app, &sent, &which, *error).await
        }
    }
}

/// Makes the job. A form that is sent twice makes one.
pub async fn start(State(app): State<App>, sent: Sent) -> Result<Response> {
    let which = Which::sent(&sent.form);
    let work = async {
        let caller = sent.at.seat.caller()?;
        let hash = sent.get("hash");
        let (action, new) = asked(&app, &sent, &which, ("hash", json!(hash))).await?;
        let actor = sent.at.seat.session.person_id.to_string();
        let told = ["bulk", &*action.to_string(), hash];
        let once = Once::of_form(sent.get("once"), &actor, &told)?;
        let made = api::create(State(app.clone()), caller, Perhaps(Some(once)), Body(new)).await?;
        answer(&made)
    };
    match work.await {
        Ok(job) => {
            let id = job.get("id").and_then(Value::as_str).unwrap_or_default();
            Ok(sent.at.see(&format!("/bulk/{id}?done=bulk-begun")))
        }
        Err(error) => {
            let error: Box<Error> = error;
            again(&app, &sent, &which, *error).await
        }
    }
}
