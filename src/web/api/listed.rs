//! Lists as files for spreadsheets: with `format=csv` a list answers the rows that it would answer in JSON, made
//! by the same function, so that whatever narrows or sorts it holds for the file.

use http::StatusCode;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::Pending;
use crate::error::{Error, Result};
use crate::web::csv;
use crate::web::extract::Params;
use crate::web::handler::{Answer, Json};
use crate::web::json::{self, ToJson};
use crate::web::message::Response;

use super::view::List;

/// So many rows a file holds; the header `x-next-cursor` says where the next one begins.
const MOST_ROWS: usize = 10_000;
/// So many are read at a time.
const AT_ONCE: usize = 500;

/// A column of a file: its name, and where it stands in what the API shows: names with dots between. Of a list
/// each item's is told, with `|` between.
pub type Column = (&'static str, &'static str);

/// Platforms whose handles have a column by their own name; others are `handle.<platform>`.
pub const PLATFORMS: [&str; 12] = [
    "instagram",
    "tiktok",
    "youtube",
    "facebook",
    "x",
    "twitch",
    "pinterest",
    "snapchat",
    "linkedin",
    "threads",
    "blog",
    "podcast",
];

/// A list in the format that was asked for.
pub enum Listed<T: ToSchema> {
    /// A page.
    Page(List<T>),
    /// A file.
    File(Response),
}

impl<T: ToSchema + ToJson> Answer for Listed<T> {
    fn answer(self) -> Result<Response> {
        match self {
            Self::Page(list) => Json(list).answer(),
            Self::File(response) => Ok(response),
        }
    }
}

/// A page of a list, or with `format=csv` all of it from `cursor` on, up to 10,000 rows or `limit`.
///
/// # Errors
/// 422, and those of `page`.
pub async fn listed<'a, T: ToSchema + ToJson>(
    mut params: Params,
    columns: &[Column],
    page: impl Fn(Params) -> Pending<'a, Result<List<T>>>,
) -> Result<Listed<T>> {
    match params.take("format")?.as_deref() {
        None | Some("json") => return Ok(Listed::Page(page(params).await?)),
        Some("csv") => (),
        Some(_) => return Err(Error::invalid("format", "must be json or csv")),
    }
    let most = match params.get("limit") {
        None => MOST_ROWS,
        Some(text) => {
            let most = text.parse().ok().filter(|most| (1..=MOST_ROWS).contains(most));
            most.ok_or_else(|| Error::invalid("limit", "must be 1 to 10000"))?
        }
    };
    let mut file = Table::new(columns);
    let mut cursor = params.get("cursor").map(str::to_owned);
    loop {
        let rows = AT_ONCE.min(most - file.rows.len());
        let rows_i64 = i64::try_from(rows).unwrap_or(1);
        let list = page(params.for_page(rows_i64, cursor.as_deref())).await?;
        for row in &list.data {
            let row = serde_json::from_str(&json::text(row));
            file.add(&row.map_err(|error| Error::Internal(error.to_string()))?);
        }
        cursor = list.next_cursor;
        if cursor.is_none() || file.rows.len() >= most {
            break;
        }
    }
    let mut response = Response::new(StatusCode::OK, "text/csv; charset=utf-8", file.text());
    response.set("content-disposition", "attachment");
    if let Some(cursor) = cursor {
        response.set("x-next-cursor", cursor);
    }
    Ok(Listed::File(response))
}

/// Cells by the names of their columns.
type Named = Vec<(String, String)>;

/// Rows on their way into a file: those columns that every list of the kind has, then such as only some rows have.
struct Table<'a> {
    columns: &'a [Column],
    more: Vec<String>,
    rows: Vec<(Vec<String>, Named)>,
}

impl<'a> Table<'a> {
    fn new(columns: &'a [Column]) -> Self {
        Self { columns, more: Vec::new(), rows: Vec::new() }
    }

    fn add(&mut self, row: &Value) {
        let cells = self.columns.iter().map(|(_, path)| cell(row, path)).collect();
        let mut more = Named::new();
        for one in row.get("handles").and_then(Value::as_array).into_iter().flatten() {
            let (platform, handle) = (cell(one, "platform"), escaped(&cell(one, "handle")));
            let own = PLATFORMS.contains(&platform.as_str());
            let name = if own { platform } else { format!("handle.{platform}") };
            match more.iter_mut().find(|(other, _)| *other == name) {
                Some((_, handles)) => *handles = format!("{handles}|{handle}"),
                None => more.push((name, handle)),
            }
        }
        for (name, value) in row.get("fields").and_then(Value::as_object).into_iter().flatten() {
            more.push((format!("field.{name}"), scalar(value)));
        }
        for (name, _) in &more {
            if !self.more.contains(name) {
                self.more.push(name.clone());
            }
        }
        self.rows.push((cells, more));
    }

    fn text(mut self) -> String {
        self.more.sort_unstable();
        let mut header: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        header.extend(self.more.iter().map(String::as_str));
        let mut out = String::new();
        csv::line(&mut out, &header);
        for (cells, more) in &self.rows {
            let of = |name: &String| {
                more.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value.as_str())
            };
            let cells = cells.iter().map(String::as_str).chain(self.more.iter().map(of));
            csv::line(&mut out, &cells.collect::<Vec<_>>());
        }
        out
    }
}

/// What stands at a path.
fn cell(row: &Value, path: &str) -> String {
    let mut found = row;
    let mut rest = Some(path);
    while let Some(path) = rest {
        if let Value::Array(items) = found {
            let items = items.iter().map(|item| escaped(&cell(item, path)));
            return items.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("|");
        }
        let (name, after) =
            path.split_once('.').map_or((path, None), |(n, after)| (n, Some(after)));
        let Some(next) = found.get(name) else { return String::new() };
        (found, rest) = (next, after);
    }
    match found {
        Value::Array(items) => {
            items.iter().map(|item| escaped(&scalar(item))).collect::<Vec<_>>().join("|")
        }
        other => scalar(other),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        _ => String::new(),
    }
}

/// One of several in a cell: see [`super::import::several`].
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(';', "\\;")
}

#[cfg(test)]
mod tests {
    use super::super::import::several;
    use super::*;

    #[test]
    fn rows_become_lines_whatever_they_have() {
        let mut table = Table::new(&[
            ("id", "id"),
            ("rate", "terms.rate"),
            ("slug", "links.slug"),
            ("tags", "tags"),
        ]);
        table.add(&serde_json::json!({ "id": "1", "terms": null, "links": [], "tags": ["a|b", "=c"],
            "handles": [{ "platform": "tiktok", "handle": "t" }, { "platform": "bluesky", "handle": "b" }] }));
        table.add(&serde_json::json!({ "id": "2", "terms": { "rate": "1.5" }, "links": [{ "slug": "x" }, { "slug": "y" }],
            "tags": [], "fields": { "size": 38 } }));
        assert_eq!(
            table.text(),
            "id,rate,slug,tags,field.size,handle.bluesky,tiktok\r\n1,,,a\\|b|=c,,b,t\r\n2,1.5,x|y,,38,,\r\n"
        );
        assert_eq!(several("a\\|b|=c"), ["a|b", "=c"]);
        for text in ["a", "a|b;c", "\\", "\\|", "a\\b"] {
            assert_eq!(several(&escaped(text)), [text]);
        }
        assert_eq!(several(" a ; b||\\"), ["a", "b"]);
    }
}
