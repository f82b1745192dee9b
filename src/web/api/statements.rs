//! Monthly statements: what was owed, everything that was posted, what is owed then.

use http::StatusCode;

use crate::app::App;
use crate::domain::brand::Brand;
use crate::domain::ids::{BrandId, Creator, CreatorId};
use crate::domain::merkle::{Hash, hex, salt, tiles};
use crate::domain::money::{Currency, Money};
use crate::domain::time::{Day, Millis, to_rfc3339};
use crate::error::{Error, Result};
use crate::jobs::verify::Head;
use crate::storage::ledger::{self as books, HeadRow};
use crate::storage::statement::{self as rows, OpeningRow, StatementRow};
use crate::storage::{creators, proofs};
use crate::web::csv;
use crate::web::extract::{Caller, Me, Params, PathId, encode_cursor};
use crate::web::handler::{Answer, Json, State};
use crate::web::json::view;
use crate::web::message::Response;

use super::view::Time;

view! {
    /// A creator's statement of a month, in the brand's calendar.
    #[schema(as = Statement)]
    pub struct StatementView {
        brand_id: BrandId,
        creator_id: CreatorId,
        /// `2026-10`
        month: String,
        /// What she was owed when the month began and ended, per currency.
        balances: Vec<StatementBalance>,
        /// Her entries, as they were posted.
        data: Vec<StatementEntry>,
        #[schema(required)]
        next_cursor: Option<String>,
        /// The sealed head that the proofs are about; null unless `proofs=true`, or while nothing is
        /// sealed.
        #[schema(required)]
        head: Option<Head>,
        /// That this head's ledger begins with all of an earlier one's; null unless `since` was given.
        #[schema(required)]
        consistency: Option<ConsistencyView>,
    }
}

view! {
    /// That nothing was rewritten since an earlier head (RFC 6962, section 2.1.2).
    #[schema(as = Consistency)]
    pub struct ConsistencyView {
        /// The size of the earlier head. Its root is in the statement that named it.
        since: i64,
        /// Hashes in hex.
        path: Vec<String>,
    }
}

view! {
    /// That an entry stands in the ledger of a head (RFC 6962, section 2.1.1). Its leaf is the salt's
    /// 16 bytes and then this text; docs/proofs.md says how it is checked.
    #[schema(as = Proof)]
    pub struct ProofView {
        /// The entry as it is sealed.
        leaf: String,
        /// In hex.
        salt: String,
        /// The leaf's place, from 0.
        index: i64,
        /// Hashes in hex, from the leaf up.
        path: Vec<String>,
    }
}

view! {
    /// What was owed (pending, available and in payouts, less what she owes back), decimal texts.
    pub struct StatementBalance {
        pub(crate) currency: Currency,
        pub(crate) opening: String,
        /// The next month's opening.
        pub(crate) closing: String,
        /// Paid within the month.
        pub(crate) paid: String,
    }
}

view! {
    /// An entry of the ledger on one of her accounts.
    pub struct StatementEntry {
        /// Its place in the brand's ledger.
        pub(crate) sequence: i64,
        pub(crate) posted_at: Time,
        /// `pending`, `available`, `in_payout`, `paid` or `clawback`.
        pub(crate) account: &'static str,
        pub(crate) amount: Money,
        /// `order`, `release`, `fee`, `adjustment`, `payout` or `settlement`.
        pub(crate) cause: String,
        pub(crate) cause_id: String,
        /// The order's name, the fee's note, the adjustment's reason.
        #[schema(required)]
        pub(crate) text: Option<String>,
        /// Null unless `proofs=true`, and while the entry isn't sealed: that takes some minutes.
        #[schema(required)]
        pub(crate) proof: Option<ProofView>,
    }
}

/// The creator's statement of a month.
#[utoipa::path(get, path = "/v1/me/statement", tag = "creator", security(("creator" = [])),
    params(("month" = String, Query, description = "`2026-10`"), ("cursor" = Option<String>, Query),
    ("limit" = Option<i64>, Query), ("format" = Option<String>, Query, 
        description = "`csv`: the whole month, up to 20,000 entries"),
    ("proofs" = Option<bool>, Query, description = "`true`: with proofs"),
    ("since" = Option<i64>, Query, description = "The size of the head in an earlier statement")),
    responses((status = 200, body = StatementView),
    (status = 409, description = "Too many entries for a file")))]
pub async fn mine(State(app): State<App>, me: Me, params: Params) -> Result<Response> {
    let brand = super::brand::find(&app, me.brand).await?.brand;
    statement(&app, &brand, me.creator, params).await
}

/// A creator's statement of a month.
#[utoipa::path(get, path = "/v1/creators/{id}/statement", tag = "payouts",
    security(("api_key" = ["read"])), params(("id" = CreatorId, Path),
    ("month" = String, Query, description = "`2026-10`"), ("cursor" = Option<String>, Query),
    ("limit" = Option<i64>, Query), ("format" = Option<String>, Query, 
        description = "`csv`: the whole month, up to 20,000 entries"),
    ("proofs" = Option<bool>, Query, description = "`true`: with proofs"),
    ("since" = Option<i64>, Query, description = "The size of the head in an earlier statement")),
    responses((status = 200, body = StatementView),
    (status = 409, description = "Too many entries for a file")))]
pub async fn of_creator(
    State(app): State<App>,
    caller: Caller,
    id: PathId<Creator>,
    params: Params,
) -> Result<Response> {
    creators::find(app.db(), caller.brand, id.0).await?.ok_or(Error::NotFound)?;
    let brand = super::brand::find(&app, caller.brand).await?.brand;
    statement(&app, &brand, id.0, params).await
}

async fn statement(
    app: &App,
    brand: &Brand,
    creator: CreatorId,
    params: Params,
) -> Result<Response> {
    let params = params.only(&["month", "limit", "cursor", "format", "proofs", "since"])?;
    let month = params.get("month").unwrap_or_default();
    let period = period_of(brand, month)?;
    let page = params.page()?;
    let (after, sealed) = place(&page.after)?;
    let as_csv = match params.get("format") {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(Error::invalid("format", "must be json or csv")),
    };
    let proving = Proving::asked(app, brand.id, &params, sealed).await?;
    if as_csv {
        // A file has no place for a cursor: it is the whole month.
        if let Some(name) = ["limit", "cursor"].into_iter().find(|name| params.get(name).is_some())
        {
            return Err(Error::invalid(name, "goes with format=json: a file is the whole month"));
        }
        let text = file(app, (brand.id, creator), period).await?;
        return Ok(Response::new(StatusCode::OK, "text/csv; charset=utf-8", text));
    }
    let found = rows::page(app.db(), (brand.id, creator), period, (after, page.limit)).await?;
    let full = i64::try_from(found.entries.len()).is_ok_and(|n| n >= page.limit);
    let last = found.entries.last().filter(|_| full).map(|row| row.sequence);
    let head = proving.as_ref().and_then(|proving| proving.head.clone());
    let of_head = head.as_ref().map_or(String::new(), |head| format!("/{}", head.size));
    let (data, consistency) = match proving {
        Some(proving) => proving.prove(app, (brand.id, creator), found.entries).await?,
        None => (found.entries.into_iter().map(|row| entry(row, None)).collect(), None),
    };
    let opening = found.opening;
    let view = StatementView {
        brand_id: brand.id,
        creator_id: creator,
        month: month.to_owned(),
        balances: found.closing.iter().map(|closing| balance(&opening, closing)).collect(),
        data,
        next_cursor: last.map(|sequence| encode_cursor(&format!("{sequence}{of_head}"))),
        head: head.map(Head::from),
        consistency,
    };
    Json(view).answer()
}

/// Where a page begins: after which entry, and which head its proofs are about if there were any on
/// the page before.
fn place(after: &str) -> Result<(i64, Option<i64>)> {
    let bad = |_| Error::invalid("cursor", "is none that this list gave");
    let (sequence, size) = after.split_once('/').map_or((after, None), |(s, h)| (s, Some(h)));
    let sequence = if sequence.is_empty() { 0 } else { sequence.parse().map_err(bad)? };
    Ok((sequence, size.map(str::parse).transpose().map_err(bad)?))
}

/// The proofs that a statement is asked for.
struct Proving {
    head: Option<HeadRow>,
    since: Option<i64>,
}

impl Proving {
    async fn asked(
        app: &App,
        brand: BrandId,
        params: &Params,
        sealed: Option<i64>,
    ) -> Result<Option<Self>> {
        let size = |size: &str| size.parse::<i64>().ok().filter(|size| *size > 0);
        let since = params.get("since").map(size);
        match params.get("proofs") {
            Some("true") => (),
            None | Some("false") if since.is_none() => return Ok(None),
            None | Some("false") => return Err(Error::invalid("since", "goes with proofs=true")),
            Some(_) => return Err(Error::invalid("proofs", "must be true or false")),
        }
        // All pages of a statement are about the head of the first.
        let head = match sealed {
            Some(size) => proofs::head_up_to(app.db(), brand, size).await?,
            None => books::head(app.db(), brand).await?,
        };
        let size = head.as_ref().map_or(0, |head| head.size);
        let since = match since {
            None => None,
            Some(Some(since)) if since <= size => Some(since),
            Some(_) => return Err(Error::invalid("since", "is no size that the ledger had")),
        };
        Ok(Some(Self { head, since }))
    }

    /// The entries with their proofs, and that of consistency.
    async fn prove(
        self,
        app: &App,
        (brand, creator): (BrandId, CreatorId),
        found: Vec<StatementRow>,
    ) -> Result<(Vec<StatementEntry>, Option<ConsistencyView>)> {
        let place = |n: i64| u64::try_from(n).unwrap_or(0);
        let size = self.head.as_ref().map_or(0, |head| place(head.size));
        let places: Vec<u64> = found.iter().map(|row| place(row.sequence - 1)).collect();
        let since = self.since.map(place);
        let mut wanted = since.map_or(Vec::new(), |since| tiles::needed_since(since, size));
        let sealed: Vec<u64> = places.iter().copied().filter(|place| *place < size).collect();
        wanted.extend(tiles::needed(&sealed, size));
        let mut loaded = tiles::Tiles::default();
        // A tile is 16 kB: some at a time.
        for some in wanted.chunks(64) {
            loaded.extend(proofs::tiles(app.db(), brand, some).await?);
        }
        let salt_key = app.config.data_key.subkey("ledger-salt", Some(brand));
        let prove = |row: &StatementRow, place| {
            let path = texts(loaded.inclusion(place, size)?);
            let leaf = row.entry(creator).canonical(brand);
            let salt = hex(&salt(&salt_key, row.sequence));
            Some(ProofView { leaf, salt, index: row.sequence - 1, path })
        };
        let entries = found.into_iter().zip(places).map(|(row, place)| {
            let proof = prove(&row, place);
            entry(row, proof)
        });
        let consistency = since.and_then(|since| {
            let path = texts(loaded.consistency(since, size)?);
            Some(ConsistencyView { since: self.since?, path })
        });
        Ok((entries.collect(), consistency))
    }
}

fn texts(hashes: Vec<Hash>) -> Vec<String> {
    hashes.iter().map(|hash| hex(hash)).collect()
}

/// What a creator was owed around a month, and a page of its entries.
pub struct Monthly {
    /// Per currency.
    pub balances: Vec<StatementBalance>,
    /// After the place in the ledger that was asked for.
    pub entries: Vec<StatementEntry>,
    /// The last entry's place, if there may be more.
    pub next: Option<i64>,
}

/// A creator's month for the page that shows it: the same figures as the API's.
///
/// # Errors
/// 422 for what is no month.
pub async fn monthly(
    app: &App,
    brand: &Brand,
    creator: CreatorId,
    month: &str,
    (after, limit): (i64, i64),
) -> Result<Monthly> {
    let period = period_of(brand, month)?;
    let found = rows::page(app.db(), (brand.id, creator), period, (after, limit)).await?;
    let full = i64::try_from(found.entries.len()).is_ok_and(|n| n >= limit);
    let next = found.entries.last().filter(|_| full).map(|row| row.sequence);
    let opening = found.opening;
    Ok(Monthly {
        balances: found.closing.iter().map(|closing| balance(&opening, closing)).collect(),
        entries: found.entries.into_iter().map(|row| entry(row, None)).collect(),
        next,
    })
}

/// A creator's month as a file.
///
/// # Errors
/// 422 for what is no month; 409 if it has too many entries.
pub async fn month_file(
    app: &App,
    brand: &Brand,
    creator: CreatorId,
    month: &str,
) -> Result<String> {
    file(app, (brand.id, creator), period_of(brand, month)?).await
}

/// The first moment of a month and of the one after it.
fn period_of(brand: &Brand, month: &str) -> Result<(Millis, Millis)> {
    let wrong = || Error::invalid("month", "must be a month such as 2026-10");
    let first = Day::from_iso(&format!("{month}-01")).ok_or_else(wrong)?;
    // Some day of the next month, and then its first.
    let next = first.plus(31).to_iso();
    let next = Day::from_iso(&format!("{}-01", next.get(..7).unwrap_or_default()));
    let zone = &brand.timezone;
    Ok((zone.start_of(first), zone.start_of(next.ok_or_else(wrong)?)))
}

fn balance(opening: &[OpeningRow], closing: &OpeningRow) -> StatementBalance {
    let before = opening.iter().find(|row| row.currency == closing.currency);
    let text = |minor| Money::new(minor, closing.currency).to_decimal();
    StatementBalance {
        currency: closing.currency,
        opening: text(before.map_or(0, |row| row.owed_minor)),
        closing: text(closing.owed_minor),
        paid: text(closing.paid_minor - before.map_or(0, |row| row.paid_minor)),
    }
}

fn entry(row: StatementRow, proof: Option<ProofView>) -> StatementEntry {
    StatementEntry {
        sequence: row.sequence,
        posted_at: Time(row.posted_at_ms),
        account: row.account.as_str(),
        amount: Money::new(row.amount_minor, row.currency),
        cause: row.cause,
        cause_id: row.cause_id,
        text: row.text.filter(|text| !text.is_empty()),
        proof,
    }
}

/// A statement as a file has so many entries at most, read so many at a time.
const MOST_IN_FILE: usize = 20_000;
const FILE_PAGE: i64 = 500;

/// All entries of a period as a table.
async fn file(app: &App, whose: (BrandId, CreatorId), period: (Millis, Millis)) -> Result<String> {
    let mut out =
        String::from("sequence,posted_at,account,amount,currency,cause,cause_id,text\r\n");
    let (mut after, mut told) = (0, 0);
    loop {
        let found = rows::page(app.db(), whose, period, (after, FILE_PAGE)).await?.entries;
        told += found.len();
        if told > MOST_IN_FILE {
            let why = "this month has more than 20000 entries: read it by pages, with format=json";
            return Err(Error::refused("statement-too-large", why));
        }
        table(&mut out, &found);
        after = match found.last() {
            Some(last) if i64::try_from(found.len()).is_ok_and(|n| n >= FILE_PAGE) => last.sequence,
            _ => return Ok(out),
        };
    }
}

fn table(out: &mut String, found: &[StatementRow]) {
    for row in found {
        let amount = Money::new(row.amount_minor, row.currency).to_decimal();
        csv::line(
            out,
            &[
                &row.sequence.to_string(),
                &to_rfc3339(row.posted_at_ms),
                row.account.as_str(),
                &amount,
                row.currency.code(),
                &row.cause,
                &row.cause_id,
                row.text.as_deref().unwrap_or_default(),
            ],
        );
    }
}
