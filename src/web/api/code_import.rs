//! Codes that exist in the shop, taken over from a file: first a preview, then exactly what was previewed.

use std::collections::HashMap;

use crate::app::App;
use crate::domain::attribution::code_key;
use crate::domain::ids::{BrandId, CodeId, DealId};
use crate::domain::json::json;
use crate::domain::task::Kind;
use crate::error::{FieldError, Result};
use crate::jobs::outbox;
use crate::storage::Statement;
use crate::storage::codes::{self as rows, OneOfMany};
use crate::web::extract::{Caller, Params, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use super::codes::{Shop, shop_of};
use super::import::{Asked, Deals, File, NOT_WHOLE, Sheet, changed, hash_of, wrong};

/// The columns of a file: those that say something, and those of the list as a file that are read over.
const COLUMNS: [&str; 13] = [
    "id",
    "code",
    "deal_id",
    "creator",
    "state",
    "pending",
    "reason",
    "suggestion",
    "store_id",
    "affiliate_group_id",
    "in_store",
    "ends_with_deal",
    "created_at",
];

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

/// What is wrong with a code, in words; empty if nothing.
pub(super) fn code_fault(code: &str) -> &'static str {
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

/// What becomes of each row. `owners`: the deals that have the codes.
fn judged(
    sheet: &Sheet,
    deals: &Deals,
    owners: &HashMap<String, DealId>,
    ids: &[CodeId],
) -> Vec<ImportedRow> {
    let mut seen: HashMap<String, DealId> = HashMap::new();
    let mut all = Vec::new();
    for row in sheet.rows() {
        let code = row.raw("code").to_owned();
        let deal = deals.of(&row);
        let key = code_key(&code);
        let there = row
            .cell("id")
            .is_some_and(|id| id.parse().is_ok_and(|id| ids.binary_search(&id).is_ok()));
        let (outcome, reason) = match &deal {
            _ if !row.is_whole() => ("wrong", NOT_WHOLE),
            _ if there => ("known", ""),
            _ if !code_fault(&code).is_empty() => ("wrong", code_fault(&code)),
            Err(reason) => ("wrong", reason.as_str()),
            Ok(deal) => match (seen.get(&key), owners.get(&key)) {
                (Some(other), _) if other != deal => {
                    ("wrong", "the file gives the code to two deals")
                }
                (_, Some(owner)) if owner != deal => ("wrong", "another deal has the code"),
                (Some(_), _) | (_, Some(_)) => ("known", ""),
                (None, None) => ("new", ""),
            },
        };
        if let (Ok(deal), false) = (&deal, there) {
            seen.entry(key).or_insert(*deal);
        }
        let reason = reason.to_owned();
        all.push(ImportedRow { line: row.number(), code, deal_id: deal.ok(), outcome, reason });
    }
    all
}

/// Takes codes over from a file: a line names the columns `code` and `deal_id` or `creator` (a handle or an
/// e-mail address with one open deal); a code whose `id` it tells is known. With `preview=true` it tells what would
/// happen, and a hash; with that `hash` and the same file it happens, all of it or nothing.
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
    let asked = Asked::of(&params.only(&["preview", "hash"])?)?;
    let sheet = Sheet::read(&file, &COLUMNS)?;
    sheet.need(&["code"])?;
    sheet.need(&["deal_id", "creator"])?;
    let deals = Deals::load(&app, caller.brand, &sheet).await?;
    let keys: Vec<String> = sheet.rows().map(|row| code_key(row.raw("code"))).collect();
    let owners = rows::owners(app.db(), caller.brand, &keys).await?;
    let owners = owners.into_iter().map(|row| (row.code_key, row.deal_id)).collect();
    let ids: Vec<CodeId> = sheet.rows().filter_map(|row| row.cell("id")?.parse().ok()).collect();
    let mut ids = rows::known(app.db(), caller.brand, &ids).await?;
    ids.sort_unstable();
    let judged = judged(&sheet, &deals, &owners, &ids);
    let told = |row: &ImportedRow| json!([row.line, row.code, row.deal_id, row.outcome]);
    let hash = hash_of(&judged.iter().map(told).collect::<Vec<_>>());
    let bad = judged.iter().filter(|row| row.outcome == "wrong");
    let bad: Vec<FieldError> = bad.map(|row| wrong(row.line, &row.reason)).collect();
    let (count, faults) = (judged.iter().filter(|row| row.outcome == "new").count(), bad.len());
    let preview = asked.is_preview(bad, &hash)?;
    let mut outcome = CodeImport {
        rows: judged,
        hash: Some(hash).filter(|_| faults == 0),
        new: count,
        wrong: faults,
        taken_over: 0,
    };
    if count > 0 && !preview {
        commit(&app, &caller, &outcome).await?;
        outcome.taken_over = count;
    }
    Ok(Json(outcome))
}

/// Takes codes over that exist in the shop, which is asked for them soon. One that some deal has aborts all.
pub(super) async fn taking_over(app: &App, brand: BrandId, codes: &[OneOfMany]) -> Vec<Statement> {
    let shop: Option<Shop> = shop_of(app, brand, None).await.ok();
    let store = shop.as_ref().map(|shop| shop.id);
    let mut batch = rows::insert_many(brand, codes, None, store, app.now_ms());
    if let Some(shop) = shop.filter(|shop| shop.connected) {
        batch.push(outbox::put(app, brand, shop.id, (Kind::LookAtCodes, ""), "{}"));
    }
    batch
}

async fn commit(app: &App, caller: &Caller<may::Deals>, outcome: &CodeImport) -> Result<()> {
    let brand = caller.brand;
    let new = outcome.rows.iter().filter(|row| row.outcome == "new");
    let codes: Vec<OneOfMany> = new
        .filter_map(|row| {
            let (deal, code) = (row.deal_id?, row.code.trim().to_owned());
            Some(OneOfMany { id: app.new_id(), deal, code, base: None, attempt: 0 })
        })
        .collect();
    let mut batch = taking_over(app, brand, &codes).await;
    let subjects: Vec<String> = codes.iter().map(|code| code.id.to_string()).collect();
    batch.push(caller.note_many(app, "code.import", &subjects, json!({ "codes": codes.len() })));
    app.db().run(batch).await.map_err(|error| {
        if error.is_constraint("codes.code_key") { changed() } else { error.into() }
    })?;
    Ok(())
}
