//! Codes that exist in the shop, taken over from a file: first a preview, then exactly what was previewed.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::attribution::code_key;
use crate::domain::ids::{BrandId, DealId};
use crate::domain::json::json;
use crate::domain::merkle::hex;
use crate::domain::task::Kind;
use crate::error::{Error, FieldError, Result};
use crate::jobs::outbox;
use crate::storage::codes::{self as rows, HandleRow, OneOfMany};
use crate::web::MAX_API_BODY;
use crate::web::csv::{self, Line};
use crate::web::extract::{Caller, Params, may};
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::json::view;

use super::codes::{Shop, shop_of};

/// So many codes a file holds.
const MOST_ROWS: usize = 10_000;
/// So many rows that are wrong are told at once.
const MOST_TOLD: usize = 100;

/// A file in the body.
pub struct File(Vec<u8>);

impl Extract for File {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let told = call.request.header("content-type").unwrap_or_default();
        let essence = told.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("text/csv") {
            return Err(Error::UnsupportedMediaType.into());
        }
        if call.request.body.len() > MAX_API_BODY {
            return Err(Error::TooLarge.into());
        }
        Ok(Self(call.request.body.to_vec()))
    }
}

view! {
    /// What a file does, or did.
    pub struct CodeImport {
        rows: Vec<ImportedRow>,
        /// What to send along with the same file to do it; null while a row is wrong.
        #[schema(required)]
        hash: Option<String>,
        /// So many codes it takes over that no deal has.
        new: usize,
        /// So many are wrong: then nothing is done.
        wrong: usize,
        /// So many were taken over: none by a preview.
        taken_over: usize,
    }
}

view! {
    /// What becomes of a row.
    pub struct ImportedRow {
        line: usize,
        code: String,
        #[schema(required)]
        deal_id: Option<DealId>,
        /// `new`, `known` (the deal has it) or `wrong`.
        outcome: &'static str,
        /// What is wrong.
        reason: String,
    }
}

/// Where a file's columns stand.
struct Columns {
    code: usize,
    deal: Option<usize>,
    creator: Option<usize>,
}

fn columns(lines: &[Line]) -> std::result::Result<Columns, String> {
    let (_, header) = lines.first().ok_or("the file is empty")?;
    let (mut code, mut deal, mut creator) = (None, None, None);
    for (place, name) in header.iter().enumerate() {
        let column = match name.to_lowercase().as_str() {
            "code" => &mut code,
            "deal_id" => &mut deal,
            "creator" => &mut creator,
            _ => {
                return Err(
                    "columns are deal_id or creator (handle or e-mail address), and code".into()
                );
            }
        };
        if column.replace(place).is_some() {
            return Err(format!("the column {} is there twice", name.to_lowercase()));
        }
    }
    let code = code.ok_or("the column code is missing")?;
    if deal.is_none() && creator.is_none() {
        return Err("a column deal_id or creator is missing".into());
    }
    Ok(Columns { code, deal, creator })
}

/// A handle or address as it is compared.
fn name_key(text: &str) -> String {
    let key = text.trim().to_lowercase();
    key.strip_prefix('@').map_or(key.clone(), str::to_owned)
}

/// What the rows of a file are compared with.
struct Known {
    deals: HashMap<DealId, HandleRow>,
    named: HashMap<String, Vec<DealId>>,
    owners: HashMap<String, DealId>,
}

impl Known {
    async fn load(app: &App, brand: BrandId, lines: &[Line], at: &Columns) -> Result<Self> {
        let cell = |line: &Line, place: Option<usize>| {
            place.and_then(|place| line.1.get(place)).cloned().unwrap_or_default()
        };
        let ids: Vec<DealId> =
            lines.iter().filter_map(|line| cell(line, at.deal).parse().ok()).collect();
        let mut names: Vec<String> = lines
            .iter()
            .map(|line| name_key(&cell(line, at.creator)))
            .filter(|n| !n.is_empty())
            .collect();
        names.sort_unstable();
        names.dedup();
        let keys: Vec<String> =
            lines.iter().map(|line| code_key(&cell(line, Some(at.code)))).collect();
        let mut known =
            Self { deals: HashMap::new(), named: HashMap::new(), owners: HashMap::new() };
        if !ids.is_empty() {
            for row in rows::handles(app.db(), brand, &ids).await? {
                known.deals.insert(row.deal_id, row);
            }
        }
        if !names.is_empty() {
            for row in rows::deals_of(app.db(), brand, &names).await? {
                let email = row.email.as_deref().map(name_key);
                let mut called = vec![name_key(&row.handle)];
                called.extend(email);
                called.dedup();
                for name in called {
                    known.named.entry(name).or_default().push(row.deal_id);
                }
            }
        }
        for row in rows::owners(app.db(), brand, &keys).await? {
            known.owners.insert(row.code_key, row.deal_id);
        }
        Ok(known)
    }

    /// The deal that a row names. What is another brand's is as if it weren't there.
    fn deal(
        &self,
        deal: Option<&String>,
        creator: Option<&String>,
    ) -> std::result::Result<DealId, &'static str> {
        let text = |cell: Option<&String>| {
            cell.map(|text| text.trim().to_owned()).filter(|t| !t.is_empty())
        };
        match (text(deal), text(creator)) {
            (Some(id), None) => {
                let id = id.parse().ok().filter(|id| self.deals.contains_key(id));
                id.ok_or("there is no such deal")
            }
            (None, Some(name)) => {
                let deals = self.named.get(&name_key(&name)).map(Vec::as_slice).unwrap_or_default();
                match deals {
                    [one] => Ok(*one),
                    [] => Err("there is no such creator with an open deal"),
                    _ => Err("several deals fit: name one by deal_id"),
                }
            }
            (None, None) => Err("no deal is named"),
            (Some(_), Some(_)) => Err("name a deal or a creator, not both"),
        }
    }
}

fn code_fault(code: &str) -> &'static str {
    if code.is_empty() {
        "the code is empty"
    } else if code.chars().count() > 255 {
        "the code is longer than 255 characters"
    } else if code.chars().any(char::is_control) {
        "the code has control characters in it"
    } else {
        ""
    }
}

/// What becomes of each row.
fn judged(lines: &[Line], width: usize, at: &Columns, known: &Known) -> Vec<ImportedRow> {
    let mut seen: HashMap<String, DealId> = HashMap::new();
    let mut all = Vec::with_capacity(lines.len());
    for (line, cells) in lines {
        let code = cells.get(at.code).cloned().unwrap_or_default();
        let cell = |place: Option<usize>| place.and_then(|place| cells.get(place));
        let deal = known.deal(cell(at.deal), cell(at.creator));
        let key = code_key(&code);
        let (outcome, reason) = match &deal {
            _ if cells.len() != width => {
                ("wrong", "it has another number of cells than the first line")
            }
            _ if !code_fault(&code).is_empty() => ("wrong", code_fault(&code)),
            Err(reason) => ("wrong", *reason),
            Ok(deal) => match (seen.get(&key), known.owners.get(&key)) {
                (Some(other), _) if other != deal => {
                    ("wrong", "the file gives the code to two deals")
                }
                (_, Some(owner)) if owner != deal => ("wrong", "another deal has the code"),
                (Some(_), _) | (_, Some(_)) => ("known", ""),
                (None, None) => ("new", ""),
            },
        };
        if let Ok(deal) = &deal {
            seen.entry(key).or_insert(*deal);
        }
        let reason = reason.to_owned();
        all.push(ImportedRow { line: *line, code, deal_id: deal.ok(), outcome, reason });
    }
    all
}

/// Takes codes over from a file: a line names the columns `code` and `deal_id` or `creator` (a handle or an
/// e-mail address with one open deal). With `preview=true` it tells what would happen, and a hash; with that
/// `hash` and the same file it happens, all of it or nothing.
#[utoipa::path(post, path = "/v1/codes/import", tag = "codes", security(("api_key" = ["deals"])),
    params(("preview" = Option<bool>, Query), ("hash" = Option<String>, Query)),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = CodeImport),
    (status = 409, description = "The file or the codes aren't those of the preview any more")))]
pub async fn import(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    params: Params,
    file: File,
) -> Result<Json<CodeImport>> {
    let params = params.only(&["preview", "hash"])?;
    let preview = match (params.get("preview"), params.get("hash")) {
        (Some("true"), None) => true,
        (None | Some("false"), Some(_)) => false,
        _ => {
            return Err(Error::invalid(
                "preview",
                "must be true, or the hash of a preview be given",
            ));
        }
    };
    let wrong = |line: usize, reason: &str| {
        let field = format!("line {line}");
        Box::new(Error::Invalid(vec![FieldError { field, reason: reason.to_owned() }]))
    };
    let lines = csv::read(&file.0, MOST_ROWS + 1).map_err(|(line, why)| wrong(line, why))?;
    let at = columns(&lines).map_err(|why| wrong(1, &why))?;
    let width = lines.first().map_or(0, |(_, header)| header.len());
    let lines = lines.get(1..).unwrap_or_default();
    if lines.is_empty() {
        return Err(wrong(1, "the file has no rows"));
    }
    let known = Known::load(&app, caller.brand, lines, &at).await?;
    let judged = judged(lines, width, &at, &known);
    let told = |row: &ImportedRow| json!([row.line, row.code, row.deal_id, row.outcome]);
    let hash = hex(&Sha256::digest(json!(judged.iter().map(told).collect::<Vec<_>>())));
    let faults: Vec<FieldError> = judged
        .iter()
        .filter(|row| row.outcome == "wrong")
        .map(|row| FieldError { field: format!("line {}", row.line), reason: row.reason.clone() })
        .collect();
    let (count, bad) = (judged.iter().filter(|row| row.outcome == "new").count(), faults.len());
    let mut outcome = CodeImport {
        rows: judged,
        hash: Some(hash).filter(|_| bad == 0),
        new: count,
        wrong: bad,
        taken_over: 0,
    };
    if preview {
        return Ok(Json(outcome));
    }
    if bad > 0 {
        return Err(Error::Invalid(faults.into_iter().take(MOST_TOLD).collect()).into());
    }
    if outcome.hash.as_deref() != params.get("hash") {
        return Err(preview_changed());
    }
    if count > 0 {
        commit(&app, &caller, &outcome).await?;
        outcome.taken_over = count;
    }
    Ok(Json(outcome))
}

fn preview_changed() -> Box<Error> {
    Error::refused("preview-changed", "the file or the codes aren't those of the preview any more")
}

async fn commit(app: &App, caller: &Caller<may::Deals>, outcome: &CodeImport) -> Result<()> {
    let brand = caller.brand;
    let shop: Option<Shop> = shop_of(app, brand, None).await.ok();
    let new = outcome.rows.iter().filter(|row| row.outcome == "new");
    let codes: Vec<OneOfMany> = new
        .filter_map(|row| {
            let (deal, code) = (row.deal_id?, row.code.trim().to_owned());
            Some(OneOfMany { id: app.new_id(), deal, code, base: None, attempt: 0 })
        })
        .collect();
    let store = shop.as_ref().map(|shop| shop.id);
    let mut batch = rows::insert_many(brand, &codes, None, store, app.now_ms());
    if let Some(shop) = shop.filter(|shop| shop.connected) {
        batch.push(outbox::put(app, brand, shop.id, (Kind::LookAtCodes, ""), "{}"));
    }
    let subjects: Vec<String> = codes.iter().map(|code| code.id.to_string()).collect();
    batch.push(caller.note_many(app, "code.import", &subjects, json!({ "codes": codes.len() })));
    app.db().run(batch).await.map_err(|error| {
        if error.is_constraint("codes.code_key") { preview_changed() } else { error.into() }
    })?;
    Ok(())
}
