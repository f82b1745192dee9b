//! Files of rows that become something: what all imports have in common.
//!
//! A file is previewed first, which tells what each row would do and a hash; sent again with that hash it
//! happens, all of it or nothing. The first line names the columns, in any order.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::ids::{BrandId, CreatorId, DealId};
use crate::domain::json::json;
use crate::domain::merkle::hex;
use crate::error::{Error, FieldError, Result};
use crate::storage::{codes as rows, imports};
use crate::web::MAX_API_BODY;
use crate::web::csv::{self, Line};
use crate::web::extract::Params;
use crate::web::handler::{Call, Extract};

use super::creator_import::{Named, People, Told, called};

/// So many rows a file holds.
pub const MOST_ROWS: usize = 10_000;
/// What is wrong with a row that ends too early or too late.
pub const NOT_WHOLE: &str = "it has another number of cells than the first line";
/// So many rows that are wrong are told at once.
const MOST_TOLD: usize = 100;

/// A file in the body.
pub struct File(Vec<u8>);

impl File {
    /// A file that a form has as text.
    ///
    /// # Errors
    /// 413.
    pub fn of_text(text: &str) -> Result<Self> {
        Self::of(text.as_bytes())
    }

    fn of(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_API_BODY {
            return Err(Error::TooLarge.into());
        }
        Ok(Self(bytes.to_vec()))
    }
}

impl Extract for File {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let told = call.request.header("content-type").unwrap_or_default();
        let essence = told.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("text/csv") {
            return Err(Error::UnsupportedMediaType.into());
        }
        Self::of(call.request.body)
    }
}

/// What is to happen with a file.
pub struct Asked(Option<String>);

impl Asked {
    /// `preview=true`, or the `hash` of a preview.
    ///
    /// # Errors
    /// 422.
    pub fn of(params: &Params) -> Result<Self> {
        match (params.get("preview"), params.get("hash")) {
            (Some("true"), None) => Ok(Self(None)),
            (None | Some("false"), Some(hash)) => Ok(Self(Some(hash.to_owned()))),
            _ => {
                let reason = "must be true, or the hash of a preview be given";
                Err(Error::invalid("preview", reason))
            }
        }
    }

    /// Whether only to tell what would happen. Otherwise nothing may be wrong, and what happens must be what
    /// was previewed.
    ///
    /// # Errors
    /// 422 naming the rows that are wrong; 409 if it isn't what was previewed.
    pub fn is_preview(&self, wrong: Vec<FieldError>, hash: &str) -> Result<bool> {
        match &self.0 {
            None => Ok(true),
            Some(_) if !wrong.is_empty() => {
                Err(Error::Invalid(wrong.into_iter().take(MOST_TOLD).collect()).into())
            }
            Some(told) if told != hash => Err(changed()),
            Some(_) => Ok(false),
        }
    }
}

/// What it would do isn't what was previewed.
#[must_use]
pub fn changed() -> Box<Error> {
    let why = "the file, or what it is about, isn't that of the preview any more";
    Error::refused("preview-changed", why)
}

/// What a preview is recognised by.
#[must_use]
pub fn hash_of(rows: &[String]) -> String {
    hex(&Sha256::digest(json!(rows)))
}

/// A row that is wrong.
#[must_use]
pub fn wrong(line: usize, reason: &str) -> FieldError {
    FieldError { field: format!("line {line}"), reason: reason.to_owned() }
}

/// A file's rows under the names of their columns.
pub struct Sheet {
    columns: Vec<String>,
    lines: Vec<Line>,
    digest: String,
}

impl Sheet {
    /// Reads a file whose columns are among these.
    ///
    /// # Errors
    /// 422 naming the line.
    pub fn read(file: &File, names: &[&str]) -> Result<Self> {
        Self::read_with(file, names, |_| None)
    }

    /// The same where `called` may know another column, and by which name it goes here.
    ///
    /// # Errors
    /// 422 naming the line.
    pub fn read_with(
        file: &File,
        names: &[&str],
        called: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let refuse = |line, why: &str| Box::new(Error::Invalid(vec![wrong(line, why)]));
        let read = csv::read(&file.0, MOST_ROWS + 1);
        let mut lines = read.map_err(|(line, why)| refuse(line, why))?.into_iter();
        let (_, header) = lines.next().ok_or_else(|| refuse(1, "the file is empty"))?;
        let mut columns: Vec<String> = Vec::with_capacity(header.len());
        for name in &header {
            let name = name.trim().to_lowercase();
            if names.contains(&name.as_str()) {
                columns.push(name);
                continue;
            }
            let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
            let why =
                || format!("no column is called {shown:?}: columns are among {}", names.join(", "));
            columns.push(called(&name).ok_or_else(|| refuse(1, &why()))?);
        }
        for (place, name) in columns.iter().enumerate() {
            if columns.iter().take(place).any(|other| other == name) {
                return Err(refuse(1, &format!("the column {name} is there twice")));
            }
        }
        let lines: Vec<Line> = lines.collect();
        if lines.is_empty() {
            return Err(refuse(1, "the file has no rows"));
        }
        Ok(Self { columns, lines, digest: hex(&Sha256::digest(&file.0)) })
    }

    /// The names of its columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// What the file is recognised by.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Refuses a file without any of these columns.
    ///
    /// # Errors
    /// 422.
    pub fn need(&self, any: &[&str]) -> Result<()> {
        if any.iter().any(|name| self.columns.iter().any(|column| column == name)) {
            return Ok(());
        }
        let reason = format!("a column {} is missing", any.join(" or "));
        Err(Error::Invalid(vec![wrong(1, &reason)]).into())
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.lines.iter().map(|line| Row { sheet: self, line })
    }
}

/// A row of a [`Sheet`].
#[derive(Clone, Copy)]
pub struct Row<'a> {
    sheet: &'a Sheet,
    line: &'a Line,
}

impl<'a> Row<'a> {
    /// Its number in the file.
    #[must_use]
    pub fn number(&self) -> usize {
        self.line.0
    }

    /// Whether it has as many cells as the file has columns.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.line.1.len() == self.sheet.columns.len()
    }

    /// A cell as it stands there, without the `'` that an export puts before what could be a formula.
    #[must_use]
    pub fn raw(&self, name: &str) -> &'a str {
        let place = self.sheet.columns.iter().position(|column| column == name);
        place.and_then(|place| self.line.1.get(place)).map_or("", |text| csv::unguarded(text))
    }

    /// What a cell says, if it says anything.
    #[must_use]
    pub fn cell(&self, name: &str) -> Option<&'a str> {
        Some(self.raw(name).trim()).filter(|text| !text.is_empty())
    }
}

/// What a cell of several says: texts separated by `|` or `;`, in which `\\` keeps the sign after it as it is.
#[must_use]
pub fn several(text: &str) -> Vec<String> {
    let (mut all, mut one, mut chars) = (Vec::new(), String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => one.extend(chars.next()),
            '|' | ';' => all.push(std::mem::take(&mut one)),
            _ => one.push(c),
        }
    }
    all.push(one);
    all.into_iter().map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
}

/// A line of text in a cell: not too long, no control characters.
///
/// # Errors
/// What is wrong, in words.
pub fn short(name: &str, text: &str, most: usize) -> std::result::Result<String, String> {
    if text.chars().count() > most {
        Err(format!("{name} must have at most {most} characters"))
    } else if text.chars().any(char::is_control) {
        Err(format!("{name} must not contain control characters"))
    } else {
        Ok(text.to_owned())
    }
}

/// The deals that a file's rows name in their columns `deal_id` or `creator` (a handle or an e-mail address
/// with one open deal). What is another brand's is as if it weren't there.
pub struct Deals {
    by_id: HashSet<DealId>,
    /// By the cell that names her: her open deals, or what is in the way.
    named: HashMap<String, std::result::Result<Vec<DealId>, String>>,
}

impl Deals {
    /// Looks them up.
    ///
    /// # Errors
    /// 503 if D1 is away.
    pub async fn load(app: &App, brand: BrandId, sheet: &Sheet) -> Result<Self> {
        let ids = sheet.rows().filter_map(|row| row.cell("deal_id")?.parse().ok());
        let ids: Vec<DealId> = ids.collect();
        let names: HashSet<&str> = sheet.rows().filter_map(|row| row.cell("creator")).collect();
        let mut found = Self { by_id: HashSet::new(), named: HashMap::new() };
        if !ids.is_empty() {
            let known = rows::handles(app.db(), brand, &ids).await?;
            found.by_id.extend(known.iter().map(|row| row.deal_id));
        }
        if names.is_empty() {
            return Ok(found);
        }
        let told: Vec<(&str, Told)> = names.into_iter().map(|name| (name, called(name))).collect();
        let named = told.iter().map(|(_, told)| Named::by(app, brand, told));
        let people = People::load(app, brand, &named.collect::<Vec<_>>()).await?;
        let mut open: HashMap<CreatorId, Vec<DealId>> = HashMap::new();
        for deal in imports::open_deals(app.db(), brand, &people.ids()).await? {
            open.entry(deal.creator_id).or_default().push(deal.id);
        }
        for (name, told) in &told {
            let creator = people.find(&Named::by(app, brand, told));
            let deals = creator.map(|creator| {
                creator.and_then(|creator| open.get(&creator.id)).cloned().unwrap_or_default()
            });
            found.named.insert((*name).to_owned(), deals);
        }
        Ok(found)
    }

    /// The deal that a row names.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn of(&self, row: &Row<'_>) -> std::result::Result<DealId, String> {
        let of = |name: &str| match self.named.get(name) {
            Some(Ok(deals)) => match deals.as_slice() {
                [one] => Ok(*one),
                [] => Err("there is no such creator with an open deal".to_owned()),
                _ => Err("several deals fit: name one by deal_id".to_owned()),
            },
            Some(Err(why)) => Err(why.clone()),
            None => Err("there is no such creator with an open deal".to_owned()),
        };
        match (row.cell("deal_id"), row.cell("creator")) {
            (Some(id), None) => {
                let id = id.parse().ok().filter(|id| self.by_id.contains(id));
                id.ok_or_else(|| "there is no such deal".to_owned())
            }
            (None, Some(name)) => of(name),
            (None, None) => Err("no deal is named".to_owned()),
            (Some(_), Some(_)) => Err("name a deal or a creator, not both".to_owned()),
        }
    }
}

/// The deals that somebody names, in the order of the names: each by its id, or its creator by a handle or an e-mail
/// address with one open deal. What is wrong with one is told in words.
///
/// # Errors
/// 503 if D1 is away.
pub async fn deals_named(
    app: &App,
    brand: BrandId,
    names: &[&str],
) -> Result<Vec<std::result::Result<DealId, String>>> {
    let cells = |name: &&str| match name.parse::<DealId>() {
        Ok(_) => vec![(*name).to_owned(), String::new()],
        Err(_) => vec![String::new(), (*name).to_owned()],
    };
    let columns = ["deal_id", "creator"].map(str::to_owned).to_vec();
    let lines = names.iter().enumerate().map(|(n, name)| (n, cells(name))).collect();
    let sheet = Sheet { columns, lines, digest: String::new() };
    let deals = Deals::load(app, brand, &sheet).await?;
    Ok(sheet.rows().map(|row| deals.of(&row)).collect())
}

/// The creator whom somebody names, by her id, a handle or her e-mail address.
///
/// # Errors
/// What is wrong, in words; the outer error if D1 is away.
pub async fn creator_named(
    app: &App,
    brand: BrandId,
    name: &str,
) -> Result<std::result::Result<CreatorId, String>> {
    let told = match name.parse::<CreatorId>() {
        Ok(id) => Told { id: Some(id), ..Told::default() },
        Err(_) => called(name),
    };
    let named = Named::by(app, brand, &told);
    let people = People::load(app, brand, std::slice::from_ref(&named)).await?;
    let found = people.find(&named).map(|found| found.map(|creator| creator.id));
    Ok(found.and_then(|id| id.ok_or_else(|| "there is no such creator".to_owned())))
}
