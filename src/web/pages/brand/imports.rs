//! Files of creators, deals, posts and codes: what each row would do, and with the hash of that it is done.

use askama::Template;
use http::StatusCode;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::error::Result;
use crate::web::api::campaigns::{self, CampaignView};
use crate::web::api::code_import::{self, CodeImport};
use crate::web::api::creator_import::{self, CreatorImport};
use crate::web::api::deal_import::{self, DealImport};
use crate::web::api::goaffpro_import;
use crate::web::api::import::File;
use crate::web::api::post_import::{self, PostImport};
use crate::web::extract::Params;
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent, wrong};
use crate::web::pages::ui::{self, Html};

/// So many rows of a file are shown, those that are wrong first: the rest is counted.
const MOST_SHOWN: usize = 100;

/// What a file may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Creators,
    Deals,
    Affiliates,
    Posts,
    Codes,
}

/// Each with its name in addresses, its name for people, and the columns of its files.
const KINDS: [(Kind, &str, &str, &str); 5] = [
    (
        Kind::Creators,
        "creators",
        "Creators",
        "name, handle, email, country, language, niche, followers, engagement_percent, tags; instagram, tiktok, \
         youtube and the like; field.<name> for a field of your own",
    ),
    (
        Kind::Deals,
        "deals",
        "Deals",
        "creator (a handle or an e-mail address), campaign; stage, kind, commission_percent, starts_at, tags, slug \
         (of a link to make), code (one that exists in the shop)",
    ),
    (
        Kind::Affiliates,
        "affiliates",
        "Affiliates of GoAffPro",
        "As GoAffPro’s export has them: name, email, ref_code, coupon, status, commission, commission_type",
    ),
    (
        Kind::Posts,
        "posts",
        "Posts",
        "creator or deal_id, platform, url, published_at; impressions, views, likes, comments, shares, measured_at",
    ),
    (
        Kind::Codes,
        "codes",
        "Codes",
        "code (as the shop has it), and creator (a handle or an e-mail address) or deal_id",
    ),
];

impl Kind {
    fn named(name: &str) -> Self {
        KINDS
            .iter()
            .find(|(_, known, ..)| *known == name)
            .map_or(Self::Creators, |(kind, ..)| *kind)
    }

    fn of(self) -> (&'static str, &'static str, &'static str) {
        let found = KINDS.iter().find(|(kind, ..)| *kind == self);
        found.map_or(("", "", ""), |(_, name, label, columns)| (name, label, columns))
    }

    /// Where to look at what came in.
    fn page(self) -> &'static str {
        match self {
            Self::Creators => "/creators?done=imported",
            Self::Deals | Self::Affiliates => "/deals?done=imported",
            Self::Posts => "/imports?kind=posts&done=imported",
            Self::Codes => "/stores/codes?done=taken-over",
        }
    }
}

/// A row, and what becomes of it.
struct Line {
    number: usize,
    what: String,
    outcome: &'static str,
    reason: String,
}

impl Line {
    fn badge(&self) -> Html {
        match self.outcome {
            "new" => ui::badge(&ui::Tone::Good, "New"),
            "changed" => ui::badge(&ui::Tone::Good, "Told otherwise"),
            "measured" => ui::badge(&ui::Tone::Good, "New numbers"),
            "known" => ui::badge(&ui::Tone::Plain, "Known already"),
            "left_out" => ui::badge(&ui::Tone::Wait, "Left out"),
            _ => ui::badge(&ui::Tone::Bad, "Wrong"),
        }
    }
}

/// What a file would do.
struct Found {
    lines: Vec<Line>,
    /// What would come in, in words.
    does: Vec<String>,
    wrong: usize,
    hash: Option<String>,
    /// Columns that nobody knows here: they must be read over knowingly.
    unknown: Vec<String>,
    /// Columns that are read over.
    ignored: Vec<String>,
}

impl Found {
    /// Its rows, those that are wrong first.
    fn shown(&self) -> Vec<&Line> {
        let (wrong, good): (Vec<_>, Vec<_>) =
            self.lines.iter().partition(|line| line.outcome == "wrong");
        wrong.into_iter().chain(good).take(MOST_SHOWN).collect()
    }

    fn more(&self) -> usize {
        self.lines.len().saturating_sub(MOST_SHOWN)
    }

    fn of_creators(told: CreatorImport) -> Self {
        let lines = told.rows.into_iter().map(|row| Line {
            number: row.line,
            what: row.handle,
            outcome: row.outcome,
            reason: row.reason,
        });
        let does = [(told.new, "new creators"), (told.changed, "are told otherwise")];
        let does = in_words(&does);
        let (hash, wrong) = (told.hash, told.wrong);
        Self { lines: lines.collect(), does, wrong, hash, unknown: Vec::new(), ignored: Vec::new() }
    }

    fn of_deals(told: DealImport) -> Self {
        let lines = told.rows.into_iter().map(|row| {
            let mut what = vec![row.creator];
            what.extend(Some(row.stage).filter(|stage| !stage.is_empty()));
            let rate = Some(row.commission_percent).filter(|rate| !rate.is_empty());
            what.extend(rate.map(|rate| format!("{rate} %")));
            what.extend(row.slugs.iter().map(|slug| format!("/{slug}")));
            what.extend(row.codes);
            let what = what.join(" · ");
            Line { number: row.line, what, outcome: row.outcome, reason: row.reason }
        });
        let does = [(told.new, "new deals"), (told.new_creators, "new creators")];
        let does = in_words(&does);
        let (hash, wrong) = (told.hash, told.wrong);
        Self {
            lines: lines.collect(),
            does,
            wrong,
            hash,
            unknown: told.unknown,
            ignored: told.ignored,
        }
    }

    fn of_posts(told: PostImport) -> Self {
        let lines = told.rows.into_iter().map(|row| Line {
            number: row.line,
            what: row.url,
            outcome: row.outcome,
            reason: row.reason,
        });
        let does = [(told.new, "new posts"), (told.measured, "with new numbers")];
        let does = in_words(&does);
        let (hash, wrong) = (told.hash, told.wrong);
        Self { lines: lines.collect(), does, wrong, hash, unknown: Vec::new(), ignored: Vec::new() }
    }

    fn of_codes(told: CodeImport) -> Self {
        let lines = told.rows.into_iter().map(|row| Line {
            number: row.line,
            what: row.code,
            outcome: row.outcome,
            reason: row.reason,
        });
        let does = in_words(&[(told.new, "codes taken over")]);
        let (hash, wrong) = (told.hash, told.wrong);
        Self { lines: lines.collect(), does, wrong, hash, unknown: Vec::new(), ignored: Vec::new() }
    }
}

fn in_words(counts: &[(usize, &str)]) -> Vec<String> {
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    counts.map(|(count, what)| format!("{count} {what}")).collect()
}

#[derive(Template)]
#[template(path = "brand/imports.html")]
struct Shown<'a> {
    home: &'a str,
    csrf: &'a str,
    tabs: Html,
    kind: Kind,
    name: &'static str,
    columns: &'static str,
    /// Those that GoAffPro's affiliates can come into.
    campaigns: Vec<CampaignView>,
    may_change: bool,
    wrong: &'a str,
    /// What was sent.
    sent: Option<&'a Sent>,
    found: Option<&'a Found>,
}

impl Shown<'_> {
    fn was(&self, name: &str) -> &str {
        self.sent.map_or("", |sent| sent.get(name))
    }

    fn is(&self, kind: &str) -> bool {
        self.kind.of().0 == kind
    }

    fn campaign(&self) -> Html {
        let open = self.campaigns.iter().filter(|campaign| campaign.is_open());
        let all = open.map(|campaign| (campaign.id().to_string(), campaign.name().to_owned()));
        ui::select(
            "campaign_id",
            "Into the campaign",
            &all.collect::<Vec<_>>(),
            self.was("campaign_id"),
        )
    }
}

async fn page(
    app: &App,
    at: &At,
    (status, wrong): (StatusCode, &str),
    (sent, found): (Option<&Sent>, Option<&Found>),
) -> Result<Response> {
    let kind = Kind::named(sent.map_or_else(|| at.get("kind"), |sent| sent.get("kind")));
    let mut open = Vec::new();
    if kind == Kind::Affiliates {
        let many = Params::of(&[("limit", "200")]);
        let Json(found) = campaigns::list(State(app.clone()), at.seat.caller()?, many).await?;
        open = found.data;
    }
    let ways = KINDS.map(|(one, name, label, _)| {
        (format!("{}/imports?kind={name}", at.home), label, one == kind)
    });
    let csrf = at.csrf(app);
    let (name, _, columns) = kind.of();
    let content = Shown {
        home: &at.home,
        csrf: &csrf,
        tabs: ui::tabs("Imports", &ways),
        kind,
        name,
        columns,
        campaigns: open,
        may_change: at.seat.may(Scope::Deals),
        wrong,
        sent,
        found,
    };
    let area = match kind {
        Kind::Creators | Kind::Posts => Area::Creators,
        Kind::Deals | Kind::Affiliates => Area::Deals,
        Kind::Codes => Area::Stores,
    };
    at.render((status, "Import", area), &csrf, &content)
}

/// Where a file is given.
pub async fn show(State(app): State<App>, at: At) -> Result<Response> {
    page(&app, &at, (StatusCode::OK, ""), (None, None)).await
}

/// What the API makes of the file: a preview, or what was done.
async fn read(app: &App, sent: &Sent) -> Result<Found> {
    let (hash, kind) = (sent.get("hash"), Kind::named(sent.get("kind")));
    let mut asked = vec![if hash.is_empty() { ("preview", "true") } else { ("hash", hash) }];
    let file = File::of_text(sent.get("csv"))?;
    let (state, caller) = (State(app.clone()), sent.at.seat.caller()?);
    match kind {
        Kind::Creators => {
            asked.extend(Some(("update", "true")).filter(|_| !sent.get("update").is_empty()));
            let told = creator_import::import(state, caller, Params::of(&asked), file).await?;
            Ok(Found::of_creators(told.0))
        }
        Kind::Deals => {
            let told = deal_import::import(state, caller, Params::of(&asked), file).await?;
            Ok(Found::of_deals(told.0))
        }
        Kind::Affiliates => {
            asked.extend([("kind", "affiliates"), ("campaign_id", sent.get("campaign_id"))]);
            asked.extend(Some(("ignore", "unknown")).filter(|_| !sent.get("ignore").is_empty()));
            let told = goaffpro_import::import(state, caller, Params::of(&asked), file).await?;
            Ok(Found::of_deals(told.0))
        }
        Kind::Posts => {
            let told = post_import::import(state, caller, Params::of(&asked), file).await?;
            Ok(Found::of_posts(told.0))
        }
        Kind::Codes => {
            let told = code_import::import(state, caller, Params::of(&asked), file).await?;
            Ok(Found::of_codes(told.0))
        }
    }
}

/// Tells what a file would do; with the hash of that it is done.
pub async fn file(State(app): State<App>, sent: Sent) -> Result<Response> {
    match read(&app, &sent).await {
        Ok(_) if !sent.get("hash").is_empty() => {
            Ok(sent.at.see(Kind::named(sent.get("kind")).page()))
        }
        Ok(found) => page(&app, &sent.at, (StatusCode::OK, ""), (Some(&sent), Some(&found))).await,
        Err(error) => {
            let (status, told) = wrong(*error)?;
            page(&app, &sent.at, (status, &told), (Some(&sent), None)).await
        }
    }
}
