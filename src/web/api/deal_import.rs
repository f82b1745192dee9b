//! Deals from a file, with their first terms, links and codes that exist in the shop.

use std::collections::{HashMap, HashSet};

use crate::app::App;
use crate::domain::attribution::code_key;
use crate::domain::ids::{BrandId, CampaignId, CreatorId, DealId, LinkId, StoreId};
use crate::domain::json::json;
use crate::domain::link::Slug;
use crate::domain::money::BasisPoints;
use crate::domain::terms::Rules;
use crate::domain::time::{Day, Millis, Zone, parse_rfc3339};
use crate::error::{FieldError, Result};
use crate::storage::codes::{self, OneOfMany};
use crate::storage::imports::{self as rows, Board, ToDeal, ToStore};
use crate::storage::{Page, stores};
use crate::web::extract::{Caller, Params, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;
use crate::web::redirect;

use super::code_import::{code_fault, taking_over};
use super::creator_import::{People, Told, hash, new_creator, refused, tags_of};
use super::import::{Asked, File, Row, Sheet, hash_of, several, wrong};
use super::terms::EARLIEST_START_MS;

/// The columns of a file. `id` and `link` are read over: they are given here.
const COLUMNS: [&str; 15] = [
    "id",
    "creator_id",
    "email",
    "creator",
    "campaign_id",
    "campaign",
    "stage",
    "state",
    "kind",
    "commission_percent",
    "starts_at",
    "tags",
    "slug",
    "link",
    "code",
];
/// The kinds of deals.
const KINDS: [&str; 6] = ["affiliate", "gifting", "paid", "ambassador", "giveaway", "usage_rights"];
/// A row makes so many links or codes at most.
const MOST_EACH: usize = 20;
/// So many links are made known at once; others are found within two minutes.
const MOST_FORGOTTEN: usize = 50;
/// No terms start later than this: the year 2200.
const LATEST_START_MS: Millis = 7_258_118_400_000;

/// What is wrong, in words.
type Fault = String;

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
        /// Columns that were read over because nothing is known of them.
        ignored: Vec<String>,
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
pub(super) enum Who {
    Id(CreatorId),
    Named {
        email: Option<String>,
        handle: Option<String>,
    },
    /// One who is made if nobody is her.
    Made(Box<Told>),
}

/// The deal that a row wants.
pub(super) struct Wish {
    pub(super) who: Who,
    pub(super) campaign: (CampaignId, String),
    pub(super) tags: Vec<String>,
    pub(super) kind: &'static str,
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
        None => Ok(codes),
    }
}

/// Slugs of a cell.
pub(super) fn slugs_of(text: &str) -> std::result::Result<Vec<Slug>, Fault> {
    let slugs = several(text);
    if slugs.len() > MOST_EACH {
        return Err(format!("there are more than {MOST_EACH} slugs"));
    }
    slugs.iter().map(|slug| Slug::parse(slug).map_err(|why| format!("slug {why}"))).collect()
}

fn campaign_of<'a>(
    row: &Row<'_>,
    boards: &'a [Board],
) -> std::result::Result<&'a Board, &'static str> {
    match (row.cell("campaign_id"), row.cell("campaign")) {
        (Some(id), _) => {
            let id: Option<CampaignId> = id.parse().ok();
            boards.iter().find(|board| Some(board.id) == id).ok_or("there is no such campaign")
        }
        (None, Some(name)) => {
            let mut called = boards.iter().filter(|board| board.name == name);
            match (called.next(), called.next()) {
                (Some(board), None) => Ok(board),
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
    if !row.is_whole() {
        return Err("it has another number of cells than the first line".to_owned());
    }
    match row.cell("state") {
        None | Some("open") => (),
        Some("closed") => return Ok(None),
        Some(_) => return Err("state must be open or closed".to_owned()),
    }
    let who = match (row.cell("creator_id"), row.cell("email"), row.cell("creator")) {
        (Some(id), ..) => Who::Id(id.parse().map_err(|_| "there is no such creator")?),
        (None, None, None) => return Err("no creator is named".to_owned()),
        (None, Some(email), _) => Who::Named { email: Some(email.to_owned()), handle: None },
        (None, None, Some(name)) if name.trim_start_matches('@').contains('@') => {
            Who::Named { email: Some(name.to_owned()), handle: None }
        }
        (None, None, Some(name)) => Who::Named { email: None, handle: Some(name.to_owned()) },
    };
    let board = campaign_of(row, boards)?;
    let stage = match row.cell("stage") {
        None => board.stages.first(),
        Some(wanted) => board.stages.iter().find(|stage| *stage == wanted),
    };
    let stage = stage.ok_or("stage must be a stage of the campaign")?.clone();
    let kind = match row.cell("kind") {
        None => "affiliate",
        Some(text) => *KINDS.iter().find(|kind| **kind == text).ok_or("kind is none of a deal")?,
    };
    Ok(Some(Wish {
        who,
        campaign: (board.id, stage),
        tags: row.cell("tags").map_or(Ok(Vec::new()), tags_of)?,
        kind,
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
        let (mut ids, mut names) = (Vec::new(), Vec::new());
        for wish in wishes() {
            match &wish.who {
                Who::Id(id) => ids.push(*id),
                Who::Named { email, handle } => names.push((email.clone(), handle.clone())),
                Who::Made(told) => names.push((told.email.clone(), told.handle.clone())),
            }
        }
        let people = People::load(app, brand, &names, &ids).await?;
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
        let (known, told) = match wish.who {
            Who::Id(id) => (there.people.by_id(id), None),
            Who::Named { email, handle } => {
                let hash = email.map(|email| hash(app, brand, &email));
                (there.people.find(hash.as_deref(), handle.as_deref())?, None)
            }
            Who::Made(told) => {
                let hash = told.email.as_deref().map(|email| hash(app, brand, email));
                let known = there.people.find(hash.as_deref(), told.handle.as_deref())?;
                (known, Some((hash, *told)))
            }
        };
        row.creator_id = known.map(|known| known.id);
        row.slugs = wish.slugs.iter().map(|slug| slug.as_str().to_owned()).collect();
        row.codes.clone_from(&wish.codes);
        row.commission_percent =
            wish.terms.map_or(String::new(), |(rate, _)| rate.to_percent().to_string());
        row.reason = wish.note;
        let creator = match (known, told) {
            (Some(known), _) => known.id,
            (None, None) => return Err("there is no such creator".to_owned()),
            (None, Some((hash, told))) => {
                let to = new_creator(app, brand, told)?;
                let id = to.creator.id;
                self.once(format!("@{}", to.creator.handle_key), line, "creator")?;
                if let Some(hash) = hash {
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
        let (tags, kind) = (wish.tags, wish.kind);
        self.deals.push(ToDeal { id, creator, campaign, stage, tags, kind, terms, links });
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
    let preview = asked.is_preview(bad, &hash)?;
    let (new, new_creators) = (judged.deals.len(), judged.creators.len());
    if !preview && new > 0 {
        commit(app, caller, &there, &judged).await?;
    }
    Ok(DealImport {
        rows: judged.rows,
        hash: Some(hash).filter(|_| faults == 0),
        new,
        new_creators,
        wrong: faults,
        taken_in: if preview { 0 } else { new },
        ignored: Vec::new(),
    })
}

impl DealImport {
    /// The same, naming columns that were read over.
    pub(super) fn ignoring(self, ignored: Vec<String>) -> Self {
        Self { ignored, ..self }
    }
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
/// `campaign_id` or `campaign` (its name), `stage`, `kind`, `commission_percent`, `starts_at`, `tags`, `slug` (of
/// a link to make) and `code` (one that exists in the shop). Where the creator has an open deal in the campaign, it
/// stays as it is. With `preview=true` it tells what would happen, and a hash; with that `hash` and the same file
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
    let read = sheet.rows().map(|row| {
        let named = ["creator", "email", "creator_id"].iter().find_map(|name| row.cell(name));
        let read = match wished(&row, &boards, &zone) {
            Ok(Some(wish)) => Read::Wanted(Box::new(wish)),
            Ok(None) => Read::LeftOut("the deal is closed".to_owned()),
            Err(fault) => Read::Wrong(fault),
        };
        (row.number(), named.unwrap_or_default().to_owned(), read)
    });
    Ok(Json(take_in(&app, &caller, &asked, (&sheet, ""), read.collect()).await?))
}
