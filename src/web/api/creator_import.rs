//! Creators from a file: who a row is about, and what it tells of her.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::creator::{
    FieldKind, country_of, is_email, language_of, normal_email, normal_handle, platform_of,
};
use crate::domain::ids::{BrandId, CreatorId};
use crate::domain::json::json;
use crate::domain::money::BasisPoints;
use crate::error::{Error, FieldError, Result};
use crate::storage::creators::{self, FieldRow};
use crate::storage::imports::{self as rows, KnownCreator, Names, ToStore};
use crate::storage::{DbError, rows::parse};
use crate::web::extract::{Caller, Params, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;
use crate::web::listed::PLATFORMS;

use super::creators::field_value;
use super::import::{Asked, File, NOT_WHOLE, Row, Sheet, changed, hash_of, several, short, wrong};

/// So many handles on platforms a creator has at most.
const MOST_HANDLES: usize = 20;
/// The columns of a file, beside those of platforms and of the brand's own fields.
const COLUMNS: [&str; 10] = [
    "id",
    "name",
    "handle",
    "email",
    "country",
    "language",
    "niche",
    "followers",
    "engagement_percent",
    "tags",
];

/// What is wrong, in words.
type Fault = String;

view! {
    /// What a file does, or did.
    pub struct CreatorImport {
        rows: Vec<ImportedCreator>,
        /// What to send along with the same file to do it; null while a row is wrong.
        #[schema(required)]
        hash: Option<String>,
        /// So many creators nobody knew.
        new: usize,
        /// So many that are known are told otherwise; none without `update=true`.
        changed: usize,
        /// So many are wrong: then nothing is done.
        wrong: usize,
        /// So many rows were taken in: none by a preview.
        taken_in: usize,
    }
}

view! {
    /// What becomes of a row.
    pub struct ImportedCreator {
        line: usize,
        handle: String,
        /// Who it is, if she is known.
        #[schema(required)]
        creator_id: Option<CreatorId>,
        /// `new`, `changed`, `known`, `left_out` (she was erased) or `wrong`.
        outcome: &'static str,
        /// What is wrong.
        reason: String,
    }
}

/// What a row tells of a creator; what it is silent about is `None`.
#[derive(Default)]
pub(super) struct Told {
    /// An id of the brand's; another names nobody here.
    pub(super) id: Option<CreatorId>,
    pub(super) name: Option<String>,
    pub(super) handle: Option<String>,
    pub(super) email: Option<String>,
    pub(super) niche: Option<String>,
    pub(super) followers: Option<i64>,
    pub(super) engagement_bp: Option<u16>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) country: Option<String>,
    pub(super) language: Option<String>,
    /// Platform, handle, handle as compared.
    pub(super) handles: Vec<(String, String, String)>,
    /// The brand's own fields by their ids.
    pub(super) fields: Vec<(String, Value)>,
}

/// What a cell says of a field of the brand's own.
fn value_of(field: &FieldRow, text: &str) -> std::result::Result<Value, Fault> {
    let value = match field.kind {
        FieldKind::Number => number_of(text),
        _ => Some(text.into()),
    };
    let value = value.ok_or("must be a number in plain digits, such as 12.5");
    let value = value.and_then(|value| field_value(field, &value));
    value.map_err(|why| format!("{} {why}", field.name))
}

/// A number in plain digits that is kept as it stands there: not rounded, no exponent, no thousands.
fn number_of(text: &str) -> Option<Value> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    let value = parse(text).ok().filter(|value| plain && value.is_number())?;
    let short = |text: &str| match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => text.to_owned(),
    };
    let exact = value.is_i64() || short(&value.as_f64()?.to_string()) == short(text);
    exact.then_some(value)
}

/// Tags of a cell: short texts, each once, at most 50.
pub(super) fn tags_of(text: &str) -> std::result::Result<Vec<String>, Fault> {
    let mut tags: Vec<String> = Vec::new();
    for tag in several(text) {
        let tag = short("a tag", &tag, 60)?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if tags.len() > 50 { Err("tags must be at most 50".to_owned()) } else { Ok(tags) }
}

pub(super) fn email_of(text: &str) -> std::result::Result<String, Fault> {
    let email = text.trim().to_owned();
    if is_email(&email) { Ok(email) } else { Err("email must be an e-mail address".to_owned()) }
}

/// What a row tells.
fn told(row: &Row<'_>, sheet: &Sheet, fields: &[FieldRow]) -> std::result::Result<Told, Fault> {
    if !row.is_whole() {
        return Err(NOT_WHOLE.to_owned());
    }
    let text = |name: &str, most| row.cell(name).map(|text| short(name, text, most)).transpose();
    let mut told = Told {
        id: row.cell("id").and_then(|id| id.parse().ok()),
        name: text("name", 200)?,
        handle: text("handle", 100)?,
        email: row.cell("email").map(email_of).transpose()?,
        niche: text("niche", 200)?,
        tags: row.cell("tags").map(tags_of).transpose()?,
        ..Told::default()
    };
    if let Some(text) = row.cell("followers") {
        let digits = text.len() <= 11 && text.bytes().all(|byte| byte.is_ascii_digit());
        let count = text.parse().ok().filter(|n| digits && *n <= 10_000_000_000);
        told.followers = Some(count.ok_or("followers must be a whole number in digits")?);
    }
    if let Some(text) = row.cell("engagement_percent") {
        let rate = BasisPoints::parse_percent(text);
        let rate = rate.map_err(|why| format!("engagement_percent {why}"))?;
        told.engagement_bp = Some(rate.points());
    }
    if let Some(text) = row.cell("country") {
        told.country = Some(country_of(text).ok_or("country must be two letters, such as DE")?);
    }
    if let Some(text) = row.cell("language") {
        told.language = Some(language_of(text).ok_or("language must be a tag, such as pt-BR")?);
    }
    for column in sheet.columns() {
        let Some(cell) = row.cell(column).filter(|_| !COLUMNS.contains(&column.as_str())) else {
            continue;
        };
        if let Some(id) = column.strip_prefix("field.") {
            let field = fields.iter().find(|field| field.id.to_string() == id);
            let field = field.ok_or("there is no such field")?;
            told.fields.push((id.to_owned(), value_of(field, cell)?));
            continue;
        }
        let platform = column.strip_prefix("handle.").unwrap_or(column);
        for handle in several(cell) {
            let handle = short(column, &handle, 100)?;
            let key = normal_handle(&handle);
            let known = told.handles.iter().any(|(p, _, k)| p == platform && *k == key);
            if !key.is_empty() && !known {
                told.handles.push((platform.to_owned(), handle, key));
            }
        }
    }
    if told.handles.len() > MOST_HANDLES {
        return Err(format!("there are more than {MOST_HANDLES} handles on platforms"));
    }
    if told.handle.is_none() {
        told.handle = told.handles.first().map(|(_, handle, _)| handle.clone());
    }
    Ok(told)
}

/// What a handle or an e-mail address in a cell tells.
pub(super) fn called(name: &str) -> Told {
    let email = name.trim_start_matches('@').contains('@');
    let name = Some(name.to_owned());
    if email {
        Told { email: name, ..Told::default() }
    } else {
        Told { handle: name, ..Told::default() }
    }
}

/// The creators of the brand whom a file may be about. What is another brand's is as if it weren't there.
pub(super) struct People {
    rows: Vec<KnownCreator>,
    by_id: HashMap<CreatorId, usize>,
    by_email: HashMap<String, Vec<usize>>,
    by_handle: HashMap<String, Vec<usize>>,
    /// By platform, space, handle as compared.
    by_platform: HashMap<String, Vec<usize>>,
}

/// What names one of them.
#[derive(Default)]
pub(super) struct Named<'a> {
    pub(super) id: Option<CreatorId>,
    /// The keyed hash of an address.
    pub(super) hash: Option<String>,
    pub(super) handle: Option<&'a str>,
    /// Platform, handle, handle as compared.
    pub(super) handles: &'a [(String, String, String)],
}

impl<'a> Named<'a> {
    /// What a row tells names her.
    pub(super) fn by(app: &App, brand: BrandId, told: &'a Told) -> Self {
        let hash = told.email.as_deref().map(|email| hash(app, brand, email));
        Self { id: told.id, hash, handle: told.handle.as_deref(), handles: &told.handles }
    }
}

impl People {
    /// Looks up who is named so.
    ///
    /// # Errors
    /// 503 if D1 is away.
    pub(super) async fn load(app: &App, brand: BrandId, named: &[Named<'_>]) -> Result<Self> {
        let mut names = Names::default();
        for one in named {
            names.ids.extend(one.id);
            names.hashes.extend(one.hash.clone());
            let key = one.handle.map(normal_handle).filter(|key| !key.is_empty());
            names.on_platforms.extend(key.clone().map(|key| (OTHER.to_owned(), key)));
            names.handles.extend(key);
            let on = one.handles.iter().map(|(platform, _, key)| (platform.clone(), key.clone()));
            names.on_platforms.extend(on);
        }
        names.handles.sort_unstable();
        names.handles.dedup();
        names.on_platforms.sort_unstable();
        names.on_platforms.dedup();
        let rows = rows::known(app.db(), brand, &names).await?;
        let mut found = Self {
            rows,
            by_id: HashMap::new(),
            by_email: HashMap::new(),
            by_handle: HashMap::new(),
            by_platform: HashMap::new(),
        };
        for (place, row) in found.rows.iter().enumerate() {
            found.by_id.extend(row.merged.iter().chain([&row.id]).map(|id| (*id, place)));
            if let Some(hash) = &row.email_hash {
                found.by_email.entry(hash.clone()).or_default().push(place);
            }
            found.by_handle.entry(row.handle_key.clone()).or_default().push(place);
            for handle in &row.handles {
                found.by_platform.entry(handle.clone()).or_default().push(place);
            }
        }
        Ok(found)
    }

    /// All who were found.
    pub(super) fn ids(&self) -> Vec<CreatorId> {
        self.rows.iter().map(|row| row.id).collect()
    }

    /// Whom a row names. An id of the brand's decides, else the address: case makes no difference, anything else
    /// does. Only where nobody has it, or none is told, handles do, and never for one who has another address,
    /// unless it is one that she took over from somebody who was merged into her.
    ///
    /// # Errors
    /// What is in the way, in words.
    pub(super) fn find(
        &self,
        named: &Named<'_>,
    ) -> std::result::Result<Option<&KnownCreator>, Fault> {
        let at = |places: &[usize]| places.first().and_then(|place| self.rows.get(*place));
        let with = |map: &HashMap<String, Vec<usize>>, key: &str| {
            map.get(key).cloned().unwrap_or_default()
        };
        let by_email = named.hash.as_deref().map(|hash| with(&self.by_email, hash));
        let by_email = by_email.unwrap_or_default();
        if by_email.len() > 1 {
            return Err("several creators have this e-mail: merge them first".to_owned());
        }
        if let Some(place) = named.id.and_then(|id| self.by_id.get(&id)) {
            if by_email.first().is_some_and(|other| other != place) {
                return Err("the id is one creator's, the e-mail another's".to_owned());
            }
            return Ok(self.rows.get(*place));
        }
        if !by_email.is_empty() {
            return Ok(at(&by_email));
        }
        let key = named.handle.map(normal_handle).filter(|key| !key.is_empty());
        let mut goes_by = key.as_deref().map(|key| with(&self.by_handle, key)).unwrap_or_default();
        let mut has = key.map(|key| with(&self.by_platform, &format!("{OTHER} {key}")));
        let on = |(platform, _, key): &(String, String, String)| format!("{platform} {key}");
        for key in named.handles.iter().map(on) {
            has.get_or_insert_default().extend(with(&self.by_platform, &key));
        }
        goes_by.extend(has.unwrap_or_default());
        goes_by.sort_unstable();
        goes_by.dedup();
        if goes_by.len() > 1 {
            return Err("several creators have this handle: name her by e-mail".to_owned());
        }
        let found = at(&goes_by);
        let hers = found.is_some_and(|row| row.email_hash.is_some() && row.merged.is_empty());
        if named.hash.is_some() && hers {
            return Err("a creator with another e-mail has this handle".to_owned());
        }
        Ok(found)
    }
}

/// Where a handle goes by which somebody went who was merged.
const OTHER: &str = "other";

/// The keyed hash of an address.
pub(super) fn hash(app: &App, brand: BrandId, email: &str) -> String {
    app.config.data_key.email_hash(brand, &normal_email(email))
}

/// A new creator as a row tells her.
///
/// # Errors
/// She has no handle.
pub(super) fn new_creator(
    app: &App,
    brand: BrandId,
    told: Told,
) -> std::result::Result<ToStore, Fault> {
    let handle = told.handle.ok_or("a handle is missing")?;
    let creator = KnownCreator {
        id: app.new_id(),
        name: told.name.unwrap_or_else(|| handle.clone()),
        handle_key: normal_handle(&handle),
        handle,
        email_hash: told.email.as_deref().map(|email| hash(app, brand, email)),
        email: told.email,
        niche: told.niche,
        followers: told.followers,
        engagement_bp: told.engagement_bp,
        tags: told.tags.unwrap_or_default(),
        country: told.country,
        language: told.language,
        fields: Value::Object(told.fields.into_iter().collect::<Map<_, _>>()).to_string(),
        revision: 0,
        erased_at_ms: None,
        handles: Vec::new(),
        merged: Vec::new(),
    };
    Ok(ToStore { creator, handles: told.handles })
}

/// A known creator with what a row tells otherwise, if it does. Cells that say nothing change nothing.
///
/// # Errors
/// She would have too many handles.
fn with_news(
    app: &App,
    brand: BrandId,
    known: &KnownCreator,
    told: Told,
) -> std::result::Result<Option<ToStore>, Fault> {
    let mut to = known.clone();
    let mut news = false;
    let mut set = |differs: bool| {
        news |= differs;
        differs
    };
    macro_rules! take {
        ($($field:ident),*) => {$(
            if told.$field.is_some() && set(told.$field != to.$field) {
                to.$field = told.$field;
            }
        )*};
    }
    take!(niche, followers, engagement_bp, country, language);
    if let Some(name) = told.name.filter(|name| set(*name != to.name)) {
        to.name = name;
    }
    // A handle that she took over with somebody stays where it is.
    let taken =
        |handle: &str| known.handles.contains(&format!("{OTHER} {}", normal_handle(handle)));
    let handle = told.handle.filter(|handle| !taken(handle));
    if let Some(handle) = handle.filter(|handle| set(*handle != to.handle)) {
        to.handle_key = normal_handle(&handle);
        to.handle = handle;
    }
    if let Some(tags) = told.tags.filter(|tags| set(*tags != to.tags)) {
        to.tags = tags;
    }
    // Another spelling of her address isn't news, and she is never found by another address.
    if let Some(email) = told.email.filter(|_| to.email.is_none()) {
        set(true);
        to.email_hash = Some(hash(app, brand, &email));
        to.email = Some(email);
    }
    let mut fields = match parse(&to.fields) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    for (id, value) in told.fields {
        if set(fields.get(&id) != Some(&value)) {
            fields.insert(id, value);
        }
    }
    to.fields = Value::Object(fields).to_string();
    let mut handles = told.handles;
    handles.retain(|(platform, _, key)| !known.handles.contains(&format!("{platform} {key}")));
    if set(!handles.is_empty()) && known.handles.len() + handles.len() > MOST_HANDLES {
        return Err(format!("she would have more than {MOST_HANDLES} handles on platforms"));
    }
    Ok(news.then_some(ToStore { creator: to, handles }))
}

/// The name by which a column goes here that a file calls `name`: a platform's, or a field of the brand's own.
fn column_of(name: &str, fields: &[FieldRow]) -> Option<String> {
    if PLATFORMS.contains(&name) {
        return Some(name.to_owned());
    }
    if let Some(platform) = name.strip_prefix("handle.") {
        let platform = platform_of(platform)?;
        let own = PLATFORMS.contains(&platform.as_str());
        return Some(if own { platform } else { format!("handle.{platform}") });
    }
    let wanted = name.strip_prefix("field.")?;
    let called =
        |field: &&FieldRow| field.id.to_string() == wanted || field.name.to_lowercase() == wanted;
    fields.iter().find(called).map(|field| format!("field.{}", field.id))
}

/// What the rows come to, row by row, and what is to be kept.
#[derive(Default)]
struct Judged {
    rows: Vec<ImportedCreator>,
    new: Vec<ToStore>,
    changed: Vec<ToStore>,
    /// Those among them who have an address now.
    reachable: Vec<CreatorId>,
    /// What the preview is recognised by, beside the file.
    facts: Vec<String>,
}

fn judged(
    app: &App,
    brand: BrandId,
    (sheet, fields): (&Sheet, &[FieldRow]),
    people: &People,
    update: bool,
) -> Judged {
    let mut judged = Judged::default();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for row in sheet.rows() {
        let line = row.number();
        let mut creator_id = None;
        let outcome = told(&row, sheet, fields).and_then(|told| {
            let named = Named::by(app, brand, &told);
            let known = people.find(&named)?;
            creator_id = known.map(|known| known.id);
            let on = |(platform, _, key): &(String, String, String)| format!("{platform} {key}");
            let keys: Vec<String> = match known {
                Some(known) => vec![known.id.to_string()],
                None => {
                    let handle = named.handle.map(|handle| format!("@{}", normal_handle(handle)));
                    let on = named.handles.iter().map(on);
                    named.hash.clone().into_iter().chain(handle).chain(on).collect()
                }
            };
            for key in keys {
                if let Some(other) = seen.insert(key, line).filter(|other| *other != line) {
                    return Err(format!("line {other} is about the same creator"));
                }
            }
            let Some(known) = known else {
                judged.new.push(new_creator(app, brand, told)?);
                return Ok("new");
            };
            judged.facts.push(json!([known.id, known.revision]));
            if known.erased_at_ms.is_some() {
                return Ok("left_out");
            }
            let news = if update { with_news(app, brand, known, told)? } else { None };
            let outcome = if news.is_some() { "changed" } else { "known" };
            if news.as_ref().is_some_and(|to| to.creator.email != known.email) {
                judged.reachable.push(known.id);
            }
            judged.changed.extend(news);
            Ok(outcome)
        });
        let (outcome, reason) = match outcome {
            Ok("left_out") => ("left_out", "she was erased".to_owned()),
            Ok(outcome) => (outcome, String::new()),
            Err(reason) => ("wrong", reason),
        };
        judged.facts.push(json!([line, creator_id, outcome]));
        let handle = row.raw("handle").chars().take(100).collect();
        judged.rows.push(ImportedCreator { line, handle, creator_id, outcome, reason });
    }
    judged
}

/// Takes creators in from a file: columns `name`, `handle`, `email`, `country`, `language`, `niche`, `followers`,
/// `engagement_percent`, `tags` (with `|` or `;` between), handles by platform (`instagram`, `tiktok`, …,
/// `handle.<platform>`) and fields of the brand's own (`field.<name>`). A row is about the creator with its id, else
/// with its e-mail, else with one of its handles. Who is known stays as she is, with `update=true` she gets what the row's
/// cells say. With `preview=true` it tells what would happen, and a hash; with that `hash` and the same file it
/// happens, all of it or nothing.
#[utoipa::path(post, path = "/v1/creators/import", tag = "creators", security(("api_key" = ["deals"])),
    params(("preview" = Option<bool>, Query), ("hash" = Option<String>, Query), ("update" = Option<bool>, Query)),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = CreatorImport),
    (status = 409, description = "The file or the creators aren't those of the preview any more")))]
pub async fn import(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    params: Params,
    file: File,
) -> Result<Json<CreatorImport>> {
    let params = params.only(&["preview", "hash", "update"])?;
    let asked = Asked::of(&params)?;
    let update = match params.get("update") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Error::invalid("update", "must be true or false")),
    };
    let brand = caller.brand;
    let fields = creators::fields(app.db(), brand).await?;
    let sheet = Sheet::read_with(&file, &COLUMNS, |name| column_of(name, &fields))?;
    let tell = |row: Row<'_>| told(&row, &sheet, &fields).unwrap_or_default();
    let tells: Vec<Told> = sheet.rows().map(tell).collect();
    let named: Vec<Named<'_>> = tells.iter().map(|told| Named::by(&app, brand, told)).collect();
    let people = People::load(&app, brand, &named).await?;
    let Judged { rows: judged, new, changed: again, reachable, mut facts } =
        judged(&app, brand, (&sheet, &fields), &people, update);
    facts.push(json!([sheet.digest(), update]));
    let hash = hash_of(&facts);
    let bad = judged.iter().filter(|row| row.outcome == "wrong");
    let bad: Vec<FieldError> = bad.map(|row| wrong(row.line, &row.reason)).collect();
    let faults = bad.len();
    let preview = asked.is_preview(bad, &hash)?;
    let (fresh, changes) = (new.len(), again.len());
    if !preview && fresh + changes > 0 {
        let mut batch = rows::insert_creators(brand, &new, app.now_ms());
        batch.extend(rows::update_creators(brand, &again, &reachable));
        // What of them isn't told: the trail names nobody.
        let subjects = new.iter().chain(&again).map(|to| to.creator.id.to_string());
        let counts = json!({ "new": fresh, "changed": changes });
        batch.push(caller.note_many(&app, "creator.import", &subjects.collect::<Vec<_>>(), counts));
        app.db().run(batch).await.map_err(refused)?;
    }
    Ok(Json(CreatorImport {
        rows: judged,
        hash: Some(hash).filter(|_| faults == 0),
        new: fresh,
        changed: changes,
        wrong: faults,
        taken_in: if preview { 0 } else { fresh + changes },
    }))
}

/// Whatever refuses a batch that was decided from what was read is there since then.
pub(super) fn refused(error: DbError) -> Box<Error> {
    if matches!(error, DbError::Constraint(_)) { changed() } else { error.into() }
}
