//! The whole ledger with all that it follows from, as a stream of lines.

use http::StatusCode;

use crate::app::{App, Pending};
use crate::domain::ids::BrandId;
use crate::domain::json::json;
use crate::domain::merkle::{hex, salt};
use crate::error::{Error, Result};
use crate::storage::export::{self as rows, Line, Section};
use crate::web::extract::{Caller, Params, encode_cursor, may};
use crate::web::handler::State;
use crate::web::limits;
use crate::web::message::{Chunks, Response};

/// What the lines look like; `tributary-audit` reads this one.
const FORMAT: i64 = 1;
/// So many pages are read for one request, which may make 1,000 queries.
const MAX_PAGES: usize = 900;
/// So many exports are begun for a brand in an hour.
const PER_HOUR: u32 = 60;
const HOUR_MS: i64 = 3_600_000;

/// Everything that the ledger follows from, and the ledger, a JSON object a line: what decides orders,
/// orders with their facts and decisions, fees, adjustments and payouts, balances, sealed heads,
/// entries. `tributary-audit` rebuilds the books from it. An export that is too large for one request
/// ends with a line of the kind `continue`, whose `cursor` gives the rest.
#[utoipa::path(get, path = "/v1/ledger/export", tag = "money",
    security(("api_key" = ["money"])),
    params(("cursor" = Option<String>, Query)), responses(
    (status = 200, description = "JSON objects, one a line", content_type = "application/x-ndjson",
        body = String)))]
pub async fn export(
    State(app): State<App>,
    caller: Caller<may::Money>,
    params: Params,
) -> Result<Response> {
    let after = params.only(&["cursor"])?.page()?.after;
    let place = Place::of_key(&after)
        .ok_or_else(|| Error::invalid("cursor", "is none that this list gave"))?;
    limits::take(&app, &format!("export/{}", caller.brand), PER_HOUR, HOUR_MS).await?;
    let salt_key = app.config.data_key.subkey("ledger-salt", Some(caller.brand));
    let brand = caller.brand;
    let export = Export { app, brand, salt_key, place, pages: 0, done: false };
    let mut response = Response::new(StatusCode::OK, "application/x-ndjson", Vec::new());
    response.stream = Some(Box::new(export));
    response.set("content-disposition", "attachment; filename=\"ledger.ndjson\"");
    Ok(response)
}

/// How far an export has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Place {
    /// Lines so far.
    lines: i64,
    /// Up to which version it has told what decides orders; 0 before it began.
    version: i64,
    /// Which section is at work, by its place among all.
    section: usize,
    /// After what in it; `None` if it hasn't begun.
    after: Option<String>,
}

impl Place {
    fn key(&self) -> String {
        let Self { lines, version, section, after } = self;
        match after {
            Some(after) => format!("{lines}/{version}/{section}/{after}"),
            None => format!("{lines}/{version}/{section}"),
        }
    }

    fn of_key(key: &str) -> Option<Self> {
        if key.is_empty() {
            return Some(Self::default());
        }
        let mut parts = key.splitn(4, '/');
        let mut number = || parts.next()?.parse().ok().filter(|n: &i64| *n > 0);
        let (lines, version) = (number()?, number()?);
        let section = parts.next()?.parse().ok().filter(|n| *n < Section::ALL.len())?;
        Some(Self { lines, version, section, after: parts.next().map(str::to_owned) })
    }
}

/// An export under way.
struct Export {
    app: App,
    brand: BrandId,
    salt_key: [u8; 32],
    place: Place,
    pages: usize,
    done: bool,
}

impl Chunks for Export {
    fn next(&mut self) -> Pending<'_, Result<Option<Vec<u8>>>> {
        Box::pin(async move { if self.done { Ok(None) } else { self.more().await.map(Some) } })
    }
}

impl Export {
    fn say(&mut self, out: &mut Vec<u8>, line: &str) {
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
        self.place.lines += 1;
    }

    /// The next lines: a page of them.
    async fn more(&mut self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        if self.place.version == 0 {
            self.begin(&mut out).await?;
            return Ok(out);
        }
        let Some(section) = Section::ALL.get(self.place.section).copied() else {
            self.say_end(&mut out);
            return Ok(out);
        };
        if self.pages >= MAX_PAGES {
            let cursor = encode_cursor(&self.place.key());
            out.extend_from_slice(json!({ "kind": "continue", "cursor": cursor }).as_bytes());
            out.push(b'\n');
            self.done = true;
            return Ok(out);
        }
        if self.place.after.is_none() {
            let now = self.moment().await?;
            let name = section.name();
            self.say(&mut out, &json!({ "kind": "section", "name": name, "as_of": now.as_of }));
            self.place.after = Some(String::new());
        }
        let after = self.place.after.clone().unwrap_or_default();
        let (lines, more) = rows::page(self.app.db(), self.brand, section, &after).await?;
        self.pages += 1;
        for Line { key, line } in lines {
            let line = match section {
                Section::Entries => self.salted(&key.0, line),
                Section::Orders => quoted(line),
                _ => line,
            };
            self.say(&mut out, &line);
            self.place.after = Some(key.0);
        }
        if !more {
            if section == Section::Orders {
                // Orders may have been decided by what came since the export began.
                self.rules(&mut out).await?;
            }
            self.place.section += 1;
            self.place.after = None;
        }
        Ok(out)
    }

    async fn moment(&self) -> Result<rows::Moment> {
        Ok(rows::moment(self.app.db(), self.brand).await?.ok_or(Error::NotFound)?)
    }

    async fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let now = self.moment().await?;
        let head = json!({ "kind": "export", "format": FORMAT, "brand": self.brand,
            "at_ms": self.app.now_ms(), "as_of": now.as_of });
        self.say(out, &head);
        self.rules(out).await
    }

    /// What decides orders, from where it was told up to up to now.
    async fn rules(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let version = self.moment().await?.version;
        let told = self.place.version;
        self.say(out, &json!({ "kind": "section", "name": "rules", "version": version }));
        // After all of the version that was told.
        let mut after = format!("{told}/~/");
        loop {
            let (lines, more) = rows::rules(self.app.db(), self.brand, &after, version).await?;
            self.pages += 1;
            for Line { key, line } in lines {
                self.say(out, &quoted(line));
                after = key.0;
            }
            if !more {
                self.place.version = version;
                return Ok(());
            }
        }
    }

    fn say_end(&mut self, out: &mut Vec<u8>) {
        let lines = self.place.lines + 1;
        self.say(out, &json!({ "kind": "end", "lines": lines }));
        self.done = true;
    }

    /// An entry with the salt of its leaf.
    fn salted(&self, sequence: &str, mut line: String) -> String {
        let salt = salt(&self.salt_key, sequence.parse().unwrap_or(0));
        line.pop();
        line.push_str(",\"salt\":\"");
        line.push_str(&hex(&salt));
        line.push_str("\"}");
        line
    }
}

/// The same JSON with integers beyond 2^53 as texts: JavaScript, for one, would round them.
fn quoted(line: String) -> String {
    const DIGITS: usize = 16;
    let bytes = line.as_bytes();
    let long = bytes.windows(DIGITS).any(|w| w.iter().all(u8::is_ascii_digit));
    if !long {
        return line;
    }
    let (mut out, mut number) = (String::with_capacity(line.len() + 32), String::new());
    let (mut within, mut escaped) = (false, false);
    for c in line.chars() {
        if !within && (c.is_ascii_digit() || (c == '-' && number.is_empty())) {
            number.push(c);
            continue;
        }
        if !number.is_empty() {
            let exact = number.parse::<i64>().is_ok_and(|n| n.unsigned_abs() <= 1 << 53);
            // What has a point or an exponent is none of ours.
            let quote = if exact || matches!(c, '.' | 'e' | 'E' | '+' | '-') { "" } else { "\"" };
            for part in [quote, &number, quote] {
                out.push_str(part);
            }
            number.clear();
        }
        if within {
            within = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else {
            within = c == '"';
        }
        out.push(c);
    }
    out.push_str(&number);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_large_integers_become_texts() {
        for (before, after) in [
            (r#"{"a":9007199254740992}"#, r#"{"a":9007199254740992}"#),
            (r#"{"a":9007199254740993}"#, r#"{"a":"9007199254740993"}"#),
            (
                r#"[-9007199254740993,18446744073709551615]"#,
                r#"["-9007199254740993","18446744073709551615"]"#,
            ),
            (r#"{"a\"":"9007199254740993\\","b":[1]}"#, r#"{"a\"":"9007199254740993\\","b":[1]}"#),
            (
                r#"{"9007199254740993":9007199254740993}"#,
                r#"{"9007199254740993":"9007199254740993"}"#,
            ),
        ] {
            assert_eq!(quoted(before.to_owned()), after);
        }
    }

    #[test]
    fn places_survive_their_cursor() {
        let place =
            Place { lines: 7, version: 3, section: 4, after: Some("creator_1/USD/x/0".into()) };
        for place in [Place { after: None, ..place.clone() }, place] {
            assert_eq!(Place::of_key(&place.key()), Some(place));
        }
        assert_eq!(Place::of_key(""), Some(Place::default()));
        for bad in ["x", "1/2", "0/1/0", "1/0/0", "1/1/7", "1/1/-1"] {
            assert_eq!(Place::of_key(bad), None, "{bad}");
        }
    }
}
