//! Posts from a file, with how they did.

use std::collections::{HashMap, HashSet};

use crate::app::App;
use crate::domain::ids::{DealId, PostId};
use crate::domain::json::json;
use crate::domain::post::{MAX_COUNT, Metrics, Platform, PostUrl, Source};
use crate::domain::time::{DAY_MS, Day, Millis, Zone, parse_rfc3339};
use crate::error::{FieldError, Result};
use crate::storage::posts::{self as rows, KnownRow, NewPost};
use crate::web::extract::{Caller, Params, may};
use crate::web::handler::{Json, State};
use crate::web::json::view;

use super::import::{Asked, Deals, File, NOT_WHOLE, Row, Sheet, changed, hash_of, wrong};

/// The columns of a file.
const COLUMNS: [&str; 18] = [
    "deal_id",
    "creator",
    "platform",
    "url",
    "published_at",
    "impressions",
    "views",
    "likes",
    "comments",
    "shares",
    "measured_at",
    // Of the list as a file, and read over.
    "id",
    "state",
    "reported_by",
    "created_at",
    "earned_media_value",
    "earned_media_value_currency",
    "formula",
];

view! {
    /// What a file does, or did.
    pub struct PostImport {
        rows: Vec<ImportedPost>,
        /// What to send along with the same file to do it; null while a row is wrong.
        #[schema(required)]
        hash: Option<String>,
        /// So many posts nobody reported before.
        new: usize,
        /// So many rows tell something new of posts that are known.
        measured: usize,
        /// So many are wrong: then nothing is done.
        wrong: usize,
        /// So many rows were taken in: none by a preview.
        taken_in: usize,
    }
}

view! {
    /// What becomes of a row.
    pub struct ImportedPost {
        line: usize,
        url: String,
        #[schema(required)]
        deal_id: Option<DealId>,
        /// `new`, `measured` (a known post did better or worse), `known` or `wrong`.
        outcome: &'static str,
        /// What is wrong.
        reason: String,
    }
}

/// A row that can be used.
struct Told {
    deal: DealId,
    platform: Platform,
    url: PostUrl,
    published_at_ms: Millis,
    metrics: Metrics,
    measured_at_ms: Option<Millis>,
}

/// A time, or the beginning of a day of the brand.
fn time_of(text: &str, zone: &Zone, now_ms: Millis) -> Option<Millis> {
    let at_ms =
        Day::from_iso(text).map(|day| zone.start_of(day)).or_else(|| parse_rfc3339(text))?;
    (0..=now_ms + DAY_MS).contains(&at_ms).then_some(at_ms)
}

/// A count: digits only, for a thousand has many spellings.
fn count_of(row: &Row<'_>, name: &str) -> std::result::Result<Option<i64>, String> {
    let Some(text) = row.cell(name) else { return Ok(None) };
    let digits = text.len() <= 11 && text.bytes().all(|byte| byte.is_ascii_digit());
    let count = text.parse().ok().filter(|count| digits && (0..=MAX_COUNT).contains(count));
    count.map(Some).ok_or_else(|| format!("{name} must be a whole number in digits"))
}

fn told(
    row: &Row<'_>,
    deals: &Deals,
    zone: &Zone,
    now_ms: Millis,
) -> std::result::Result<Told, String> {
    if !row.is_whole() {
        return Err(NOT_WHOLE.to_owned());
    }
    let deal = deals.of(row)?;
    let platform = row.cell("platform").and_then(Platform::named);
    let platform = platform.ok_or("platform is none that is known")?;
    let url = PostUrl::parse(row.raw("url")).map_err(|why| format!("url {why}"))?;
    let time = |name: &str| {
        let read = |text| time_of(text, zone, now_ms);
        let wrong = || format!("{name} must be a date or time that isn't to come");
        row.cell(name).map(|text| read(text).ok_or_else(wrong)).transpose()
    };
    let published_at_ms = time("published_at")?.ok_or("published_at is missing")?;
    let metrics = Metrics {
        impressions: count_of(row, "impressions")?,
        views: count_of(row, "views")?,
        likes: count_of(row, "likes")?,
        comments: count_of(row, "comments")?,
        shares: count_of(row, "shares")?,
    };
    let measured_at_ms = time("measured_at")?;
    Ok(Told { deal, platform, url, published_at_ms, metrics, measured_at_ms })
}

/// Whether a row tells a count that isn't the latest that is known.
fn is_news(told: &Metrics, known: &Metrics) -> bool {
    let differs = |told: Option<i64>, known| told.is_some() && told != known;
    differs(told.impressions, known.impressions)
        || differs(told.views, known.views)
        || differs(told.likes, known.likes)
        || differs(told.comments, known.comments)
        || differs(told.shares, known.shares)
}

/// What the rows come to, row by row, and what is to be kept.
struct Judged {
    rows: Vec<ImportedPost>,
    new: Vec<NewPost>,
    measured: Vec<(PostId, Millis, Metrics)>,
}

fn judged(
    app: &App,
    sheet: &Sheet,
    deals: &Deals,
    zone: &Zone,
    known: &HashMap<String, KnownRow>,
) -> Judged {
    let now_ms = app.now_ms();
    let mut judged = Judged { rows: Vec::new(), new: Vec::new(), measured: Vec::new() };
    let mut seen: HashSet<String> = HashSet::new();
    for row in sheet.rows() {
        let told = told(&row, deals, zone, now_ms);
        let deal_id = told.as_ref().ok().map(|told| told.deal);
        let outcome = told.and_then(|told| match known.get(&told.url.key) {
            _ if !seen.insert(told.url.key.clone()) => {
                Err("the post is in the file twice".to_owned())
            }
            Some(post) if post.deal_id != told.deal => Err("another deal has the post".to_owned()),
            Some(post) => {
                let news = is_news(&told.metrics, &post.metrics());
                if news {
                    let at_ms = told.measured_at_ms.unwrap_or(now_ms);
                    judged.measured.push((post.id, at_ms, told.metrics));
                }
                Ok(if news { "measured" } else { "known" })
            }
            None => {
                let Told { deal, platform, published_at_ms, metrics, .. } = told;
                let (id, PostUrl { url, key }) = (app.new_id(), told.url);
                judged.new.push(NewPost { id, deal, platform, url, key, published_at_ms });
                if !metrics.is_empty() {
                    judged.measured.push((id, told.measured_at_ms.unwrap_or(now_ms), metrics));
                }
                Ok("new")
            }
        });
        let (outcome, reason) = match outcome {
            Ok(outcome) => (outcome, String::new()),
            Err(reason) => ("wrong", reason),
        };
        let (line, url) = (row.number(), row.raw("url").chars().take(1_000).collect());
        judged.rows.push(ImportedPost { line, url, deal_id, outcome, reason });
    }
    judged
}

/// Takes posts in from a file: columns `deal_id` or `creator` (a handle or an e-mail address with one open
/// deal), `platform`, `url`, `published_at`, and as many of `impressions`, `views`, `likes`, `comments`, `shares`
/// and `measured_at` as are known. A post that is known gets what the row tells that is new. With
/// `preview=true` it tells what would happen, and a hash; with that `hash` and the same file it happens, all
/// of it or nothing.
#[utoipa::path(post, path = "/v1/posts/import", tag = "posts", security(("api_key" = ["deals"])),
    params(("preview" = Option<bool>, Query), ("hash" = Option<String>, Query)),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = PostImport),
    (status = 409, description = "The file or the posts aren't those of the preview any more")))]
pub async fn import(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    params: Params,
    file: File,
) -> Result<Json<PostImport>> {
    let asked = Asked::of(&params.only(&["preview", "hash"])?)?;
    let sheet = Sheet::read(&file, &COLUMNS)?;
    for needed in [&["url"][..], &["platform"], &["published_at"], &["deal_id", "creator"]] {
        sheet.need(needed)?;
    }
    let brand = caller.brand;
    let deals = Deals::load(&app, brand, &sheet).await?;
    let zone = super::brand::find(&app, brand).await?.brand.timezone;
    let keys =
        sheet.rows().filter_map(|row| PostUrl::parse(row.raw("url")).ok().map(|url| url.key));
    let known = rows::known(app.db(), brand, &keys.collect::<Vec<_>>()).await?;
    let known = known.into_iter().map(|row| (row.url_key.clone(), row)).collect();
    let Judged { rows: judged, new, measured } = judged(&app, &sheet, &deals, &zone, &known);
    let told = |row: &ImportedPost| json!([row.line, row.url, row.deal_id, row.outcome]);
    let hash = hash_of(&judged.iter().map(told).collect::<Vec<_>>());
    let bad = judged.iter().filter(|row| row.outcome == "wrong");
    let bad: Vec<FieldError> = bad.map(|row| wrong(row.line, &row.reason)).collect();
    let count = |outcome| judged.iter().filter(|row| row.outcome == outcome).count();
    let (fresh, again, faults) = (count("new"), count("measured"), bad.len());
    let preview = asked.is_preview(bad, &hash)?;
    if !preview && fresh + again > 0 {
        let now_ms = app.now_ms();
        let mut subjects: Vec<String> = new.iter().map(|post| post.id.to_string()).collect();
        subjects.extend(measured.iter().map(|(id, ..)| id.to_string()));
        subjects.sort_unstable();
        subjects.dedup();
        let counts = json!({ "new": fresh, "measured": again });
        let batch = vec![
            rows::insert(brand, &new, Source::Brand, now_ms),
            rows::measure(brand, &measured, Source::Brand, now_ms),
            caller.note_many(&app, "post.import", &subjects, counts),
        ];
        app.db().run(batch).await.map_err(|error| {
            if error.is_constraint("posts.url_key") {
                changed()
            } else {
                super::posts::refused(error)
            }
        })?;
    }
    Ok(Json(PostImport {
        rows: judged,
        hash: Some(hash).filter(|_| faults == 0),
        new: fresh,
        measured: again,
        wrong: faults,
        taken_in: if preview { 0 } else { fresh + again },
    }))
}
