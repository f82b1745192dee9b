//! Deals from a file, with their first terms, links and codes that exist in the shop.

use std::collections::{HashMap, HashSet};

use crate::app::App;
use crate::domain::attribution::code_key;
use crate::domain::deal::DealKind;
use crate::domain::ids::{BrandId, CampaignId, CreatorId, DealId, LinkId, MemberId, StoreId};
use crate::domain::json::json;
use crate::domain::link::Slug;
use crate::domain::money::BasisPoints;
use crate::domain::terms::Rules;
use crate::domain::time::{Day, Millis, Zone, parse_rfc3339};
use crate::error::{FieldError, Result};
use crate::storage::codes::{self, OneOfMany};
use crate::storage::imports::{self as rows, Board, DealThere, ToDeal, ToStore};
use crate::storage::rows::FromColumn;
use crate::storage::{Page, stores};
use crate::web::extract::{Caller, Params, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;
use crate::web::redirect;

use super::code_import::{code_fault, taking_over};
use super::creator_import::{Named, People, Told, called, new_creator, refused, tags_of};
use super::import::{Asked, File, NOT_WHOLE, Row, Sheet, hash_of, several, wrong};
use super::terms::EARLIEST_START_MS;

/// The columns of a file. `link` and `last_contact_at` are read over.
const COLUMNS: [&str; 17] = [
    "id",
    "creator_id",
    "email",
    "creator",
    "campaign_id",
    "campaign",
    "stage",
    "state",
    "kind",
    "owner_id",
    "commission_percent",
    "starts_at",
    "tags",
    "slug",
    "link",
    "code",
    "last_contact_at",
];
/// A row makes so many links or codes at most.
const MOST_EACH: usize = 20;
/// What a column that is read over is called here before its own name,
pub(super) const IGNORED: &str = "ignored ";
/// and one that isn't known.
pub(super) const UNKNOWN: &str = "unknown ";
/// So many links are made known at once; others are found within two minutes.
const MOST_FORGOTTEN: usize = 50;
/// No terms start later than this: the year 2200.
const LATEST_START_MS: Millis = 7_258_118_400_000;

/// What is wrong, in words.
type Fault = String;

const NOBODY: &str = "there is no such creator";
const NO_MEMBER: &str = "there is no such member";

view! {
    /// What a file does, or did.
    pub struct DealImport {
        rows: Vec<ImportedDeal>,
        /// What to send along with the same file to do it; null while a row is wrong.
        #[schema(required)]
        hash: Option<String>,
        /// So many deals that weren't there.
        new: usize,
        /// So many creators who weren't there.
        new_creators: usize,
        /// So many are wrong: then nothing is done.
        wrong: usize,
        /// So many deals were made: none by a preview.
        taken_in: usize,
        /// Columns that are read over.
        ignored: Vec<String>,
        /// Columns that aren't known: nothing is done while there are any.
        unknown: Vec<String>,
    }
}

view! {
    /// What becomes of a row.
    pub struct ImportedDeal {
        pub(super) line: usize,
        /// As the file names her.
        pub(super) creator: String,
        /// Who it is, if she is known.
        #[schema(required)]
        pub(super) creator_id: Option<CreatorId>,
        /// Her open deal in the campaign, if she has one.
        #[schema(required)]
        pub(super) deal_id: Option<DealId>,
        #[schema(required)]
        pub(super) campaign_id: Option<CampaignId>,
        pub(super) stage: String,
        /// The first terms; empty if none are agreed.
        pub(super) commission_percent: String,
        pub(super) slugs: Vec<String>,
        pub(super) codes: Vec<String>,
        /// `new`, `known` (she has an open deal there: it stays as it is), `left_out` or `wrong`.
        pub(super) outcome: &'static str,
        /// What is wrong, why it is left out, or what isn't taken over.
        pub(super) reason: String,
    }
}

/// Who a row is about.
pub(super) struct Who {
    /// What is told of her.
    pub(super) told: Told,
    /// Whether she is made if nobody is her.
    pub(super) made: bool,
}

/// The deal that a row wants.
pub(super) struct Wish {
    pub(super) who: Who,
    pub(super) campaign: (CampaignId, String),
    pub(super) tags: Vec<String>,
    pub(super) kind: DealKind,
    pub(super) owner: Option<MemberId>,
    /// The first terms: rate and start.
    pub(super) terms: Option<(BasisPoints, Option<Millis>)>,
    pub(super) slugs: Vec<Slug>,
    pub(super) codes: Vec<String>,
    /// Something that isn't taken over.
    pub(super) note: String,
}

/// What a row comes to before it is compared with what there is.
pub(super) enum Read {
    Wanted(Box<Wish>),
    /// A deal that is there.
    Known(DealThere),
    LeftOut(String),
    Wrong(Fault),
}

/// Codes of a cell that exist in the shop.
pub(super) fn codes_of(text: &str) -> std::result::Result<Vec<String>, Fault> {
    let codes = several(text);
    if codes.len() > MOST_EACH {
        return Err(format!("there are more than {MOST_EACH} codes"));
    }
    match codes.iter().map(|code| code_fault(code)).find(|fault| !fault.is_empty()) {
        Some(fault) => Err(fault.to_owned()),
        None => Ok(once_each(codes, |code| code_key(code))),
    }
}

/// Slugs of a cell.
pub(super) fn slugs_of(text: &str) -> std::result::Result<Vec<Slug>, Fault> {
    let slugs = several(text);
    if slugs.len() > MOST_EACH {
        return Err(format!("there are more than {MOST_EACH} slugs"));
    }
    let slugs = slugs.iter().map(|slug| Slug::parse(slug).map_err(|why| format!("slug {why}")));
    Ok(once_each(slugs.collect::<std::result::Result<_, _>>()?, Slug::key))
}

/// Without those that are there before.
fn once_each<T>(all: Vec<T>, key: impl Fn(&T) -> String) -> Vec<T> {
    let mut seen = HashSet::new();
    all.into_iter().filter(|one| seen.insert(key(one))).collect()
}

/// Nothing begins in a campaign that was put away.
const PUT_AWAY: &str = "the campaign was put away";

fn campaign_of<'a>(
    row: &Row<'_>,
    boards: &'a [Board],
) -> std::result::Result<&'a Board, &'static str> {
    match (row.cell("campaign_id"), row.cell("campaign")) {
        (Some(id), _) => {
            let id: Option<CampaignId> = id.parse().ok();
            let board = boards.iter().find(|board| Some(board.id) == id);
            let board = board.ok_or("there is no such campaign")?;
            if board.archived_at_ms.is_some() { Err(PUT_AWAY) } else { Ok(board) }
        }
        (None, Some(name)) => {
            let called = || boards.iter().filter(|board| board.name == name);
            let mut open = called().filter(|board| board.archived_at_ms.is_none());
            match (open.next(), open.next()) {
                (Some(board), None) => Ok(board),
                (None, _) if called().next().is_some() => Err(PUT_AWAY),
                (None, _) => Err("there is no such campaign"),
                _ => Err("several campaigns are called that: name it by campaign_id"),
            }
        }
        (None, None) => Err("no campaign is named"),
    }
}

/// The first terms of a row: a rate, and a time or the beginning of a day of the brand.
fn terms_of(
    row: &Row<'_>,
    zone: &Zone,
) -> std::result::Result<Option<(BasisPoints, Option<Millis>)>, Fault> {
    let rate = row.cell("commission_percent").map(BasisPoints::parse_percent).transpose();
    let rate = rate.map_err(|why| format!("commission_percent {why}"))?;
    let Some(text) = row.cell("starts_at") else { return Ok(rate.map(|rate| (rate, None))) };
    let rate = rate.ok_or("starts_at needs a commission_percent that starts then")?;
    let at = Day::from_iso(text).map(|day| zone.start_of(day)).or_else(|| parse_rfc3339(text));
    let at = at.filter(|at| (EARLIEST_START_MS..LATEST_START_MS).contains(at));
    Ok(Some((rate, Some(at.ok_or("starts_at must be a date or time after the year 2000")?))))
}

fn wished(
    row: &Row<'_>,
    boards: &[Board],
    zone: &Zone,
) -> std::result::Result<Option<Wish>, Fault> {
    match row.cell("state") {
        None | Some("open") => (),
        Some("closed") => return Ok(None),
        Some(_) => return Err("state must be open or closed".to_owned()),
    }
    let told = match (row.cell("creator_id"), row.cell("email"), row.cell("creator")) {
        (Some(id), ..) => Told { id: Some(id.parse().map_err(|_| NOBODY)?), ..Told::default() },
        (None, None, None) => return Err("no creator is named".to_owned()),
        (None, Some(email), _) => Told { email: Some(email.to_owned()), ..Told::default() },
        (None, None, Some(name)) => called(name),
    };
    let who = Who { told, made: false };
    let board = campaign_of(row, boards)?;
    let stage = match row.cell("stage") {
        None => board.stages.first(),
        Some(wanted) => board.stages.iter().find(|stage| *stage == wanted),
    };
    let stage = stage.ok_or("stage must be a stage of the campaign")?.clone();
    let kind = match row.cell("kind") {
        None => DealKind::Affiliate,
        Some(text) => DealKind::from_column(&text.into()).ok_or("kind is none of a deal")?,
    };
    let owner = row.cell("owner_id").map(|id| id.parse().map_err(|_| NO_MEMBER)).transpose()?;
    Ok(Some(Wish {
        who,
        campaign: (board.id, stage),
        tags: row.cell("tags").map_or(Ok(Vec::new()), tags_of)?,
        kind,
        owner,
        terms: terms_of(row, zone)?,
        slugs: row.cell("slug").map_or(Ok(Vec::new()), slugs_of)?,
        codes: row.cell("code").map_or(Ok(Vec::new()), codes_of)?,
        note: String::new(),
    }))
}

/// What is there that the rows may be about.
struct There {
    people: People,
    open: HashMap<(CreatorId, CampaignId), DealId>,
    members: Vec<MemberId>,
    owned: HashSet<String>,
    taken: HashSet<String>,
    store: Option<StoreId>,
    host: String,
}

impl There {
    async fn load(app: &App, brand: BrandId, read: &[(usize, String, Read)]) -> Result<Self> {
        let wishes = || {
            read.iter().filter_map(|(.., read)| match read {
                Read::Wanted(wish) => Some(wish),
                _ => None,
            })
        };
        let named: Vec<Named<'_>> =
            wishes().map(|wish| Named::by(app, brand, &wish.who.told)).collect();
        let people = People::load(app, brand, &named).await?;
        let mut members: Vec<MemberId> = wishes().filter_map(|wish| wish.owner).collect();
        members.sort();
        members.dedup();
        let members = rows::members(app.db(), brand, &members).await?;
        let open = rows::open_deals(app.db(), brand, &people.ids()).await?;
        let open = open.into_iter().map(|d| ((d.creator_id, d.campaign_id), d.id)).collect();
        let keys: Vec<String> =
            wishes().flat_map(|wish| &wish.codes).map(|code| code_key(code)).collect();
        let owned = codes::owners(app.db(), brand, &keys).await?;
        let host = super::brand::find(app, brand).await?.brand.link_domain.unwrap_or_default();
        let slugs: Vec<String> = wishes().flat_map(|wish| &wish.slugs).map(Slug::key).collect();
        let taken = rows::taken(app.db(), brand, &host, &slugs).await?;
        let first = Page { limit: 1, after: String::new() };
        let store = stores::list(app.db(), brand, &first).await?.into_iter().next();
        Ok(Self {
            people,
            open,
            members,
            owned: owned.into_iter().map(|row| row.code_key).collect(),
            taken: taken.into_iter().collect(),
            store: store.map(|store| store.id),
            host,
        })
    }
}

/// What the rows come to, row by row, and what is to be kept.
#[derive(Default)]
struct Judged {
    rows: Vec<ImportedDeal>,
    creators: Vec<ToStore>,
    deals: Vec<ToDeal>,
    codes: Vec<OneOfMany>,
    /// What the rows before name: a deal, a code, a slug, a new creator.
    seen: HashMap<String, usize>,
}

impl Judged {
    /// Notes what a row names that only one row may.
    fn once(&mut self, key: String, line: usize, what: &str) -> std::result::Result<(), Fault> {
        match self.seen.insert(key, line) {
            Some(other) => Err(format!("line {other} names the same {what}")),
            None => Ok(()),
        }
    }

    /// What becomes of a row that wants a deal.
    fn wish(
        &mut self,
        (app, brand): (&App, BrandId),
        there: &There,
        wish: Wish,
        row: &mut ImportedDeal,
    ) -> std::result::Result<&'static str, Fault> {
        let (campaign, stage) = wish.campaign;
        (row.campaign_id, row.stage) = (Some(campaign), stage.clone());
        let line = row.line;
        let Who { told, made } = wish.who;
        let known = there.people.find(&Named::by(app, brand, &told))?;
        row.creator_id = known.map(|known| known.id);
        row.slugs = wish.slugs.iter().map(|slug| slug.as_str().to_owned()).collect();
        row.codes.clone_from(&wish.codes);
        row.commission_percent =
            wish.terms.map_or(String::new(), |(rate, _)| rate.to_percent().to_string());
        row.reason = wish.note;
        let creator = match known {
            Some(known) => known.id,
            None if !made => return Err(NOBODY.to_owned()),
            None => {
                let to = new_creator(app, brand, told)?;
                let id = to.creator.id;
                self.once(format!("@{}", to.creator.handle_key), line, "creator")?;
                if let Some(hash) = to.creator.email_hash.clone() {
                    self.once(hash, line, "creator")?;
                }
                self.creators.push(to);
                id
            }
        };
        self.once(format!("{creator}/{campaign}"), line, "deal")?;
        if let Some(deal) = there.open.get(&(creator, campaign)) {
            row.deal_id = Some(*deal);
            return Ok("known");
        }
        if known.is_some_and(|known| known.erased_at_ms.is_some()) {
            return Err("she was erased".to_owned());
        }
        if wish.owner.is_some_and(|owner| !there.members.contains(&owner)) {
            return Err(NO_MEMBER.to_owned());
        }
        let id: DealId = app.new_id();
        for code in wish.codes {
            let key = code_key(&code);
            if there.owned.contains(&key) {
                return Err(format!("another deal has the code {code}"));
            }
            self.once(format!("code {key}"), line, "code")?;
            let (base, attempt) = (None, 0);
            self.codes.push(OneOfMany { id: app.new_id(), deal: id, code, base, attempt });
        }
        let mut links: Vec<(LinkId, String, String)> = Vec::new();
        for slug in wish.slugs {
            if there.store.is_none() {
                return Err("connect a store first: a link leads to its storefront".to_owned());
            }
            if there.taken.contains(&slug.key()) {
                return Err(format!("the slug {} is taken", slug.as_str()));
            }
            self.once(format!("slug {}", slug.key()), line, "slug")?;
            links.push((app.new_id(), slug.as_str().to_owned(), slug.key()));
        }
        let terms = wish.terms.map(|(rate, start)| {
            (app.new_id(), rate.points(), start.unwrap_or_else(|| app.now_ms()))
        });
        let (tags, kind, owner) = (wish.tags, wish.kind, wish.owner);
        self.deals.push(ToDeal { id, creator, campaign, stage, tags, kind, owner, terms, links });
        Ok("new")
    }
}

/// Looks at all that rows want, and does it unless it is a preview. `asked_by` are the parameters it depends on.
///
/// # Errors
/// 422 naming the rows that are wrong; 409 if it isn't what was previewed.
pub(super) async fn take_in(
    app: &App,
    caller: &Caller<may::Deals>,
    asked: &Asked,
    (sheet, asked_by): (&Sheet, &str),
    read: Vec<(usize, String, Read)>,
) -> Result<DealImport> {
    let column = |name: &str| {
        sheet.columns().iter().filter_map(|c| c.strip_prefix(name)).map(str::to_owned).collect()
    };
    let (ignored, unknown): (Vec<String>, Vec<String>) = (column(IGNORED), column(UNKNOWN));
    let brand = caller.brand;
    let there = There::load(app, brand, &read).await?;
    let mut judged = Judged::default();
    for (line, creator, read) in read {
        let mut row = ImportedDeal {
            line,
            creator: creator.chars().take(254).collect(),
            creator_id: None,
            deal_id: None,
            campaign_id: None,
            stage: String::new(),
            commission_percent: String::new(),
            slugs: Vec::new(),
            codes: Vec::new(),
            outcome: "wrong",
            reason: String::new(),
        };
        let outcome = match read {
            Read::Wanted(wish) => judged.wish((app, brand), &there, *wish, &mut row),
            Read::Known(deal) => {
                (row.deal_id, row.creator_id) = (Some(deal.id), Some(deal.creator_id));
                row.campaign_id = Some(deal.campaign_id);
                Ok("known")
            }
            Read::LeftOut(reason) => {
                row.reason = reason;
                Ok("left_out")
            }
            Read::Wrong(fault) => Err(fault),
        };
        match outcome {
            Ok(outcome) => row.outcome = outcome,
            Err(fault) => row.reason = fault,
        }
        judged.rows.push(row);
    }
    let fact = |row: &ImportedDeal| {
        json!([row.line, row.creator_id, row.deal_id, row.campaign_id, row.stage, row.outcome])
    };
    let mut facts: Vec<String> = judged.rows.iter().map(fact).collect();
    facts.push(json!([sheet.digest(), asked_by, there.store, there.host]));
    let hash = hash_of(&facts);
    let bad = judged.rows.iter().filter(|row| row.outcome == "wrong");
    let bad: Vec<FieldError> = bad.map(|row| wrong(row.line, &row.reason)).collect();
    let faults = bad.len();
    let columns = unknown.iter().map(|name| wrong(1, &format!("no column is called {name:?}")));
    let bad: Vec<FieldError> = columns.chain(bad).collect();
    let fine = bad.is_empty();
    let preview = asked.is_preview(bad, &hash)?;
    let (new, new_creators) = (judged.deals.len(), judged.creators.len());
    if !preview && new > 0 {
        commit(app, caller, &there, &judged).await?;
    }
    Ok(DealImport {
        rows: judged.rows,
        hash: Some(hash).filter(|_| fine),
        new,
        new_creators,
        wrong: faults,
        taken_in: if preview { 0 } else { new },
        ignored,
        unknown,
    })
}

async fn commit(
    app: &App,
    caller: &Caller<may::Deals>,
    there: &There,
    judged: &Judged,
) -> Result<()> {
    let (brand, now_ms) = (caller.brand, app.now_ms());
    let Judged { creators, deals, codes, .. } = judged;
    let rules = serde_json::to_string(&Rules::default()).unwrap_or_default();
    let to = (there.store, there.host.as_str());
    let mut batch = rows::insert_creators(brand, creators, now_ms);
    batch.extend(rows::insert_deals(brand, deals, &rules, to, now_ms));
    if !codes.is_empty() {
        batch.extend(taking_over(app, brand, codes).await);
    }
    let new = creators.iter().map(|to| to.creator.id.to_string()).collect::<Vec<_>>();
    if !new.is_empty() {
        let counts = json!({ "new": new.len(), "changed": 0_usize });
        batch.push(caller.note_many(app, "creator.import", &new, counts));
    }
    let subjects: Vec<String> = deals.iter().map(|deal| deal.id.to_string()).collect();
    let links = deals.iter().flat_map(|deal| &deal.links);
    let counts =
        json!({ "deals": deals.len(), "codes": codes.len(), "links": links.clone().count() });
    batch.push(caller.note_many(app, "deal.import", &subjects, counts));
    app.db().run(batch).await.map_err(refused)?;
    for (_, slug, _) in links.take(MOST_FORGOTTEN) {
        redirect::forget(app, &there.host, slug).await;
    }
    Ok(())
}

/// Takes deals in from a file: columns `creator_id`, `email` or `creator` (a handle or an e-mail address),
/// `campaign_id` or `campaign` (its name), `stage`, `kind`, `owner_id`, `commission_percent`, `starts_at`, `tags`, `slug` (of
/// a link to make) and `code` (one that exists in the shop). Where the creator has an open deal in the campaign, it
/// stays as it is, and so does a deal whose `id` the row tells. With `preview=true` it tells what would happen, and a hash; with that `hash` and the same file
/// it happens, all of it or nothing.
#[utoipa::path(post, path = "/v1/deals/import", tag = "deals", security(("api_key" = ["deals"])),
    params(("preview" = Option<bool>, Query), ("hash" = Option<String>, Query)),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = DealImport),
    (status = 409, description = "The file or what is there isn't that of the preview any more")))]
pub async fn import(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    params: Params,
    file: File,
) -> Result<Json<DealImport>> {
    let asked = Asked::of(&params.only(&["preview", "hash"])?)?;
    let sheet = Sheet::read(&file, &COLUMNS)?;
    sheet.need(&["creator_id", "email", "creator"])?;
    sheet.need(&["campaign_id", "campaign"])?;
    let boards = rows::boards(app.db(), caller.brand).await?;
    let zone = super::brand::find(&app, caller.brand).await?.brand.timezone;
    let ids: Vec<DealId> = sheet.rows().filter_map(|row| row.cell("id")?.parse().ok()).collect();
    let there = rows::deals(app.db(), caller.brand, &ids).await?;
    let there: HashMap<DealId, DealThere> = there.into_iter().map(|deal| (deal.id, deal)).collect();
    let read = sheet.rows().map(|row| {
        let known = row.cell("id").and_then(|id| there.get(&id.parse().ok()?));
        let named = ["creator", "email", "creator_id"].iter().find_map(|name| row.cell(name));
        let read = match (known, wished(&row, &boards, &zone)) {
            _ if !row.is_whole() => Read::Wrong(NOT_WHOLE.to_owned()),
            (Some(deal), _) => Read::Known(deal.clone()),
            (_, read) => match read {
                Ok(Some(wish)) => Read::Wanted(Box::new(wish)),
                Ok(None) => Read::LeftOut("the deal is closed".to_owned()),
                Err(fault) => Read::Wrong(fault),
            },
        };
        (row.number(), named.unwrap_or_default().to_owned(), read)
    });
    Ok(Json(take_in(&app, &caller, &asked, (&sheet, ""), read.collect()).await?))
}
