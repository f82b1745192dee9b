//! Files that GoAffPro exports: its affiliates become creators with a deal in a campaign.

use crate::app::App;
use crate::domain::ids::{Campaign, CampaignId};
use crate::domain::money::BasisPoints;
use crate::error::{Error, Result};
use crate::storage::imports as rows;
use crate::web::extract::{Caller, Params, may};
use crate::web::handler::{Json, State};

use super::creator_import::{Told, email_of};
use super::deal_import::{DealImport, Read, Who, Wish, codes_of, slugs_of, take_in};
use super::import::{Asked, File, Row, Sheet, several, short};

/// What columns are called in files, with spaces and hyphens as `_`: the names of GoAffPro's API, and such as
/// its pages have for the same. Of the files themselves no sample was at hand.
const COLUMNS: [(&str, &[&str]); 9] = [
    ("name", &["name", "affiliate_name", "full_name"]),
    ("first_name", &["first_name"]),
    ("last_name", &["last_name"]),
    ("email", &["email", "email_address", "affiliate_email"]),
    ("ref_code", &["ref_code", "ref_codes", "referral_code", "refcode"]),
    ("coupon", &["coupon", "coupons", "coupon_code", "coupon_codes"]),
    ("status", &["status"]),
    ("commission", &["commission", "commission_rate", "commission_amount", "commission.amount"]),
    ("commission_type", &["commission_type", "commission.type"]),
];

/// Columns of GoAffPro's that are read over: what it counts and pays is its own, how somebody is paid is told
/// by herself.
const IGNORED: [&str; 24] = [
    "id",
    "affiliate_id",
    "phone",
    "company",
    "company_name",
    "website",
    "address",
    "address_1",
    "address_2",
    "city",
    "state",
    "zip",
    "country",
    "group_id",
    "group",
    "payment_method",
    "payment_details",
    "total_referral_earnings",
    "total_amount_paid",
    "total_amount_pending",
    "number_of_orders",
    "created_at",
    "updated_at",
    "commission_on",
];

/// What is wrong, in words.
type Fault = String;

/// A column's name here.
fn column_of(name: &str, any: bool) -> Option<String> {
    let plain = name.replace([' ', '-'], "_");
    let known = COLUMNS.iter().find(|(_, names)| names.contains(&plain.as_str()));
    match known {
        Some((name, _)) => Some((*name).to_owned()),
        None if any || IGNORED.contains(&plain.as_str()) => Some(format!("ignored {name}")),
        None => None,
    }
}

/// A rate, where it is a percentage: `10%`, or `10` of the type `percentage`. Zeros at the end say nothing.
fn rate_of(row: &Row<'_>) -> std::result::Result<(Option<BasisPoints>, &'static str), Fault> {
    const BY_HAND: &str = "the commission is no percentage: its terms aren't taken over";
    let Some(text) = row.cell("commission") else { return Ok((None, "")) };
    let (amount, sign) = text.strip_suffix('%').map_or((text, false), |t| (t.trim_end(), true));
    match row.cell("commission_type").map(str::to_lowercase).as_deref() {
        Some("percentage" | "percent") => (),
        None if sign => (),
        Some("fixed_amount" | "fixed_amount_on_order") if !sign => return Ok((None, BY_HAND)),
        None => return Ok((None, BY_HAND)),
        Some(_) => return Err("commission_type is none that is known".to_owned()),
    }
    let plain = match amount.split_once('.') {
        Some((whole, part)) if part.trim_end_matches('0').is_empty() && !part.is_empty() => whole,
        Some(_) => amount.trim_end_matches('0'),
        None => amount,
    };
    let rate = BasisPoints::parse_percent(plain).map_err(|why| format!("commission {why}"))?;
    Ok((Some(rate), ""))
}

fn read(row: &Row<'_>, campaign: &(CampaignId, String)) -> std::result::Result<Read, Fault> {
    if !row.is_whole() {
        return Err("it has another number of cells than the first line".to_owned());
    }
    if let Some(status) = row.cell("status").map(str::to_lowercase).filter(|s| s != "approved") {
        let known = ["pending", "invited", "rejected", "blocked"].contains(&status.as_str());
        let why =
            if known { status } else { return Err("status is none that is known".to_owned()) };
        return Ok(Read::LeftOut(format!("GoAffPro has the affiliate as {why}")));
    }
    let email = email_of(row.cell("email").ok_or("an e-mail is missing")?)?;
    let ref_codes = row.cell("ref_code").map(several).unwrap_or_default();
    let names: Vec<&str> = ["first_name", "last_name"].iter().filter_map(|n| row.cell(n)).collect();
    let name = row.cell("name").map_or_else(|| names.join(" "), str::to_owned);
    let name = Some(short("name", &name, 200)?).filter(|name| !name.is_empty());
    let local = email.split('@').next().unwrap_or_default().to_owned();
    let handle = Some(short("ref_code", &ref_codes.first().cloned().unwrap_or(local), 100)?);
    let (rate, note) = rate_of(row)?;
    Ok(Read::Wanted(Box::new(Wish {
        who: Who::Made(Box::new(Told { name, handle, email: Some(email), ..Told::default() })),
        campaign: campaign.clone(),
        tags: Vec::new(),
        kind: "affiliate",
        terms: rate.map(|rate| (rate, None)),
        slugs: row.cell("ref_code").map_or(Ok(Vec::new()), slugs_of)?,
        codes: row.cell("coupon").map_or(Ok(Vec::new()), codes_of)?,
        note: note.to_owned(),
    })))
}

/// Takes affiliates over from a file that GoAffPro exported (`kind=affiliates`): each becomes a creator with a deal
/// in the campaign, known ones stay who they are; ref codes become slugs of links, coupons become codes that were
/// taken over, a commission that is a percentage becomes the first terms. Columns that aren't known are refused by
/// name, or read over with `ignore=unknown`. With `preview=true` it tells what would happen, and a hash; with that
/// `hash` and the same file it happens, all of it or nothing.
#[utoipa::path(post, path = "/v1/goaffpro/import", tag = "deals", security(("api_key" = ["deals"])),
    params(("kind" = String, Query), ("campaign_id" = CampaignId, Query), ("ignore" = Option<String>, Query),
    ("preview" = Option<bool>, Query), ("hash" = Option<String>, Query)),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = DealImport),
    (status = 409, description = "The file or what is there isn't that of the preview any more")))]
pub async fn import(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    params: Params,
    file: File,
) -> Result<Json<DealImport>> {
    let params = params.only(&["kind", "campaign_id", "ignore", "preview", "hash"])?;
    let asked = Asked::of(&params)?;
    if params.get("kind") != Some("affiliates") {
        return Err(Error::invalid("kind", "must be affiliates"));
    }
    let any = match params.get("ignore") {
        None => false,
        Some("unknown") => true,
        Some(_) => return Err(Error::invalid("ignore", "must be unknown")),
    };
    let campaign = params.id::<Campaign>("campaign_id")?;
    let campaign = campaign.ok_or_else(|| Error::invalid("campaign_id", "is missing"))?;
    let boards = rows::boards(app.db(), caller.brand).await?;
    let board = boards.iter().find(|board| board.id == campaign);
    let board = board.ok_or_else(|| Error::invalid("campaign_id", "there is no such campaign"))?;
    let stage = board.stages.first().cloned().unwrap_or_default();
    let names = COLUMNS.map(|(name, _)| name);
    let sheet = Sheet::read_with(&file, &names, |name| column_of(name, any))?;
    sheet.need(&["email"])?;
    let to = (board.id, stage);
    let read = sheet.rows().map(|row| {
        let read = read(&row, &to).unwrap_or_else(Read::Wrong);
        (row.number(), row.cell("email").unwrap_or_default().to_owned(), read)
    });
    let asked_by = format!("{campaign} {any}");
    let done = take_in(&app, &caller, &asked, (&sheet, &asked_by), read.collect()).await?;
    let over = sheet.columns().iter().filter_map(|name| name.strip_prefix("ignored "));
    Ok(Json(done.ignoring(over.map(str::to_owned).collect())))
}
