//! Creators from a file: who a row is about, and what it tells of her.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::app::App;
use crate::domain::creator::{
    country_of, is_email, language_of, normal_email, normal_handle, platform_of,
};
use crate::domain::ids::{BrandId, CreatorId};
use crate::domain::json::json;
use crate::domain::money::BasisPoints;
use crate::domain::time::Day;
use crate::error::{Error, FieldError, Result};
use crate::storage::DbError;
use crate::storage::imports::{self as rows, Field, KnownCreator, ToStore};
use crate::web::extract::{Caller, Params, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use super::import::{Asked, File, Row, Sheet, changed, hash_of, several, short, wrong};
use super::listed::PLATFORMS;

/// The columns of a file, beside those of platforms and of the brand's own fields. `id` is read over: an id is
/// given here.
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
        /// `new`, `changed`, `known` or `wrong`.
        outcome: &'static str,
        /// What is wrong.
        reason: String,
    }
}

/// What a row tells of a creator; what it is silent about is `None`.
#[derive(Default)]
pub(super) struct Told {
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
fn value_of(field: &Field, text: &str) -> std::result::Result<Value, Fault> {
    let name = &field.name;
    match field.kind.as_str() {
        "number" => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
            let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
            let one_way = whole == "0" || !whole.starts_with('0');
            let fits = plain(whole) && plain(part) && one_way && whole.len() + part.len() <= 15;
            let number = serde_json::from_str(text).ok().filter(|_| fits);
            number.ok_or_else(|| format!("{name} must be a number in plain digits, such as 12.5"))
        }
        "date" => match Day::from_iso(text) {
            Some(_) => Ok(text.into()),
            None => Err(format!("{name} must be a date such as 2026-11-22")),
        },
        "choice" => match field.choices.iter().find(|choice| *choice == text) {
            Some(choice) => Ok(choice.as_str().into()),
            None => Err(format!("{name} is none of its choices")),
        },
        _ => short(name, text, 500).map(Value::from),
    }
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
fn told(row: &Row<'_>, sheet: &Sheet, fields: &[Field]) -> std::result::Result<Told, Fault> {
    if !row.is_whole() {
        return Err("it has another number of cells than the first line".to_owned());
    }
    let text = |name: &str, most| row.cell(name).map(|text| short(name, text, most)).transpose();
    let mut told = Told {
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
            let field =
                fields.iter().find(|field| field.id == id).ok_or("there is no such field")?;
            told.fields.push((field.id.clone(), value_of(field, cell)?));
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
    if told.handles.len() > 50 {
        return Err("there are more than 50 handles".to_owned());
    }
    if told.handle.is_none() {
        told.handle = told.handles.first().map(|(_, handle, _)| handle.clone());
    }
    Ok(told)
}

/// The creators of the brand whom a file may be about. What is another brand's is as if it weren't there.
pub(super) struct People {
    rows: Vec<KnownCreator>,
    by_email: HashMap<String, Vec<usize>>,
    by_handle: HashMap<String, Vec<usize>>,
}

impl People {
    /// Looks up who has one of these addresses, handles or ids.
    ///
    /// # Errors
    /// 503 if D1 is away.
    pub(super) async fn load(
        app: &App,
        brand: BrandId,
        told: &[(Option<String>, Option<String>)],
        ids: &[CreatorId],
    ) -> Result<Self> {
        let hashes = told.iter().filter_map(|(email, _)| Some(hash(app, brand, email.as_deref()?)));
        let handles = told.iter().filter_map(|(_, handle)| Some(normal_handle(handle.as_deref()?)));
        let mut handles: Vec<String> = handles.filter(|key| !key.is_empty()).collect();
        handles.sort_unstable();
        handles.dedup();
        let rows = rows::known(app.db(), brand, &hashes.collect::<Vec<_>>(), &handles, ids).await?;
        let mut found = Self { rows, by_email: HashMap::new(), by_handle: HashMap::new() };
        for (place, row) in found.rows.iter().enumerate() {
            if let Some(hash) = &row.email_hash {
                found.by_email.entry(hash.clone()).or_default().push(place);
            }
            found.by_handle.entry(row.handle_key.clone()).or_default().push(place);
        }
        Ok(found)
    }

    /// All who were found.
    pub(super) fn ids(&self) -> Vec<CreatorId> {
        self.rows.iter().map(|row| row.id).collect()
    }

    /// The creator with this id.
    pub(super) fn by_id(&self, id: CreatorId) -> Option<&KnownCreator> {
        let place = self.rows.binary_search_by_key(&id, |row| row.id).ok()?;
        self.rows.get(place)
    }

    /// Whom an address and a handle name. The address decides: case makes no difference, anything else does. Only
    /// where nobody has it, or none is told, the handle does, and never for one who has another address.
    ///
    /// # Errors
    /// What is in the way, in words.
    pub(super) fn find(
        &self,
        hash: Option<&str>,
        handle: Option<&str>,
    ) -> std::result::Result<Option<&KnownCreator>, Fault> {
        let at = |places: &[usize]| places.first().and_then(|place| self.rows.get(*place));
        let with = |map: &HashMap<String, Vec<usize>>, key: &str| {
            map.get(key).cloned().unwrap_or_default()
        };
        let has_it = hash.map(|hash| with(&self.by_email, hash)).unwrap_or_default();
        if has_it.len() > 1 {
            return Err("several creators have this e-mail: merge them first".to_owned());
        }
        if !has_it.is_empty() {
            return Ok(at(&has_it));
        }
        let key = handle.map(normal_handle).filter(|key| !key.is_empty());
        let has_it = key.map(|key| with(&self.by_handle, &key)).unwrap_or_default();
        if has_it.len() > 1 {
            return Err("several creators have this handle: name her by e-mail".to_owned());
        }
        let found = at(&has_it);
        if hash.is_some() && found.is_some_and(|row| row.email_hash.is_some()) {
            return Err("a creator with another e-mail has this handle".to_owned());
        }
        Ok(found)
    }
}

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
        handles: Vec::new(),
    };
    Ok(ToStore { creator, handles: told.handles })
}

/// A known creator with what a row tells otherwise, if it does. Cells that say nothing change nothing.
fn with_news(app: &App, brand: BrandId, known: &KnownCreator, told: Told) -> Option<ToStore> {
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
    if let Some(handle) = told.handle.filter(|handle| set(*handle != to.handle)) {
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
    let mut fields: Map<String, Value> = serde_json::from_str(&to.fields).unwrap_or_default();
    for (id, value) in told.fields {
        if set(fields.get(&id) != Some(&value)) {
            fields.insert(id, value);
        }
    }
    to.fields = Value::Object(fields).to_string();
    let mut handles = told.handles;
    handles.retain(|(platform, _, key)| !known.handles.contains(&format!("{platform} {key}")));
    set(!handles.is_empty());
    news.then_some(ToStore { creator: to, handles })
}

/// The name by which a column goes here that a file calls `name`: a platform's, or a field of the brand's own.
fn column_of(name: &str, fields: &[Field]) -> Option<String> {
    if PLATFORMS.contains(&name) {
        return Some(name.to_owned());
    }
    if let Some(platform) = name.strip_prefix("handle.") {
        let platform = platform_of(platform)?;
        let own = PLATFORMS.contains(&platform.as_str());
        return Some(if own { platform } else { format!("handle.{platform}") });
    }
    let wanted = name.strip_prefix("field.")?;
    let called = |field: &&Field| field.id == wanted || field.name.to_lowercase() == wanted;
    fields.iter().find(called).map(|field| format!("field.{}", field.id))
}

/// What the rows come to, row by row, and what is to be kept.
#[derive(Default)]
struct Judged {
    rows: Vec<ImportedCreator>,
    new: Vec<ToStore>,
    changed: Vec<ToStore>,
    /// What the preview is recognised by, beside the file.
    facts: Vec<String>,
}

fn judged(
    app: &App,
    brand: BrandId,
    (sheet, fields): (&Sheet, &[Field]),
    people: &People,
    update: bool,
) -> Judged {
    let mut judged = Judged::default();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for row in sheet.rows() {
        let line = row.number();
        let mut creator_id = None;
        let outcome = told(&row, sheet, fields).and_then(|told| {
            let hash = told.email.as_deref().map(|email| hash(app, brand, email));
            let known = people.find(hash.as_deref(), told.handle.as_deref())?;
            creator_id = known.map(|known| known.id);
            let handle = told.handle.as_deref().map(normal_handle);
            let keys = match known {
                Some(known) => vec![known.id.to_string()],
                None => hash.into_iter().chain(handle.map(|key| format!("@{key}"))).collect(),
            };
            for key in keys {
                if let Some(other) = seen.insert(key, line) {
                    return Err(format!("line {other} is about the same creator"));
                }
            }
            let Some(known) = known else {
                judged.new.push(new_creator(app, brand, told)?);
                return Ok("new");
            };
            judged.facts.push(json!([known.id, known.revision]));
            match with_news(app, brand, known, told).filter(|_| update) {
                Some(to) => {
                    judged.changed.push(to);
                    Ok("changed")
                }
                None => Ok("known"),
            }
        });
        let (outcome, reason) = match outcome {
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
/// `handle.<platform>`) and fields of the brand's own (`field.<name>`). A row is about the creator with its e-mail,
/// else about the one with its handle. Who is known stays as she is, with `update=true` she gets what the row's
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
    let fields = rows::fields(app.db(), brand).await?;
    let sheet = Sheet::read_with(&file, &COLUMNS, |name| column_of(name, &fields))?;
    let names = sheet.rows().map(|row| {
        let told = told(&row, &sheet, &fields).unwrap_or_default();
        (told.email, told.handle)
    });
    let people = People::load(&app, brand, &names.collect::<Vec<_>>(), &[]).await?;
    let Judged { rows: judged, new, changed: again, mut facts } =
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
        batch.extend(rows::update_creators(brand, &again));
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
