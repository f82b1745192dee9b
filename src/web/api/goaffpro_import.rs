//! Files that GoAffPro exports: its affiliates become creators with a deal in a campaign.

use crate::app::App;
use crate::domain::deal::DealKind;
use crate::domain::ids::{Campaign, CampaignId};
use crate::domain::money::BasisPoints;
use crate::error::{Error, Result};
use crate::storage::imports as rows;
use crate::web::extract::{Caller, Params, may};
use crate::web::handler::{Json, State};

use super::creator_import::{Told, email_of};
use super::deal_import::{
    DealImport, IGNORED, Read, UNKNOWN, Who, Wish, codes_of, slugs_of, take_in,
};
use super::import::{Asked, File, NOT_WHOLE, Row, Sheet, several, short};

/// What columns are called in files, in small letters and digits only, so that `Ref Code`, `ref_code`, `refCode` and
/// `ref-code` are one: the names of GoAffPro's API, and such as mean the same. Of the files themselves no sample was
/// at hand.
const COLUMNS: [(&str, &[&str]); 11] = [
    ("name", &["name", "affiliatename", "fullname", "affiliate"]),
    ("first_name", &["firstname", "givenname"]),
    ("last_name", &["lastname", "surname", "familyname"]),
    ("email", &["email", "emailaddress", "affiliateemail"]),
    ("ref_code", &["refcode", "referralcode", "ref", "affiliatecode"]),
    ("ref_codes", &["refcodes", "referralcodes"]),
    ("coupon", &["coupon", "couponcode", "discountcode"]),
    ("coupons", &["coupons", "couponcodes", "discountcodes"]),
    ("status", &["status", "affiliatestatus"]),
    (
        "commission",
        &[
            "commission",
            "commissionrate",
            "commissionamount",
            "commissionvalue",
            "commissionpercent",
        ],
    ),
    ("commission_type", &["commissiontype"]),
];

/// Columns of GoAffPro's that are read over: what it counts and pays is its own, how somebody is paid is told
/// by herself.
const LEFT: [&str; 37] = [
    "id",
    "affiliateid",
    "phone",
    "company",
    "companyname",
    "website",
    "address",
    "address1",
    "address2",
    "city",
    "state",
    "zip",
    "postcode",
    "country",
    "groupid",
    "group",
    "groupname",
    "paymentmethod",
    "paymentdetails",
    "totalreferralearnings",
    "totalearnings",
    "totalamountpaid",
    "totalamountpending",
    "amountpaid",
    "amountpending",
    "numberoforders",
    "totalorders",
    "totalsales",
    "createdat",
    "updatedat",
    "datecreated",
    "commissionon",
    "referrallink",
    "tags",
    "discounttype",
    "discountvalue",
    "subid",
];

/// What is wrong, in words.
type Fault = String;

/// A column's name here; one that isn't known is told in the preview.
fn column_of(name: &str, any: bool) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let known = COLUMNS.iter().find(|(_, names)| names.contains(&plain.as_str()));
    match known {
        Some((name, _)) => (*name).to_owned(),
        None if any || LEFT.contains(&plain.as_str()) => format!("{IGNORED}{name}"),
        None => format!("{UNKNOWN}{name}"),
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

/// What two columns of a row say of the same.
fn cells(row: &Row<'_>, names: [&str; 2]) -> String {
    names.iter().filter_map(|name| row.cell(name)).collect::<Vec<_>>().join("|")
}

fn read(row: &Row<'_>, campaign: &(CampaignId, String)) -> std::result::Result<Read, Fault> {
    if !row.is_whole() {
        return Err(NOT_WHOLE.to_owned());
    }
    if let Some(status) = row.cell("status").map(str::to_lowercase).filter(|s| s != "approved") {
        let known = ["pending", "invited", "rejected", "blocked"].contains(&status.as_str());
        let why =
            if known { status } else { return Err("status is none that is known".to_owned()) };
        return Ok(Read::LeftOut(format!("GoAffPro has the affiliate as {why}")));
    }
    let email = email_of(row.cell("email").ok_or("an e-mail is missing")?)?;
    let ref_code = cells(row, ["ref_code", "ref_codes"]);
    let ref_codes = several(&ref_code);
    let names: Vec<&str> = ["first_name", "last_name"].iter().filter_map(|n| row.cell(n)).collect();
    let name = row.cell("name").map_or_else(|| names.join(" "), str::to_owned);
    let name = Some(short("name", &name, 200)?).filter(|name| !name.is_empty());
    let local = email.split('@').next().unwrap_or_default().to_owned();
    let handle = Some(short("ref_code", &ref_codes.first().cloned().unwrap_or(local), 100)?);
    let (rate, note) = rate_of(row)?;
    Ok(Read::Wanted(Box::new(Wish {
        who: Who { told: Told { name, handle, email: Some(email), ..Told::default() }, made: true },
        campaign: campaign.clone(),
        tags: Vec::new(),
        kind: DealKind::Affiliate,
        owner: None,
        terms: rate.map(|rate| (rate, None)),
        slugs: slugs_of(&ref_code)?,
        codes: codes_of(&cells(row, ["coupon", "coupons"]))?,
        note: note.to_owned(),
    })))
}

/// Takes affiliates over from a file that GoAffPro exported (`kind=affiliates`): each becomes a creator with a deal
/// in the campaign, known ones stay who they are; ref codes become slugs of links, coupons become codes that were
/// taken over, a commission that is a percentage becomes the first terms. Columns that aren't known are
/// named by the preview, which has no hash then, or read over with `ignore=unknown`. With `preview=true` it tells what would happen, and a hash; with that
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
    if board.archived_at_ms.is_some() {
        return Err(Error::invalid("campaign_id", "the campaign was put away"));
    }
    let stage = board.stages.first().cloned().unwrap_or_default();
    let sheet = Sheet::read_with(&file, &[], |name| Some(column_of(name, any)))?;
    sheet.need(&["email"])?;
    let to = (board.id, stage);
    let read = sheet.rows().map(|row| {
        let read = read(&row, &to).unwrap_or_else(Read::Wrong);
        (row.number(), row.cell("email").unwrap_or_default().to_owned(), read)
    });
    let asked_by = format!("{campaign} {any}");
    Ok(Json(take_in(&app, &caller, &asked, (&sheet, &asked_by), read.collect()).await?))
}
