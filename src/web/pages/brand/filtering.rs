//! The filter above a list: in words and pickers, which make conditions of the filter language; the whole stands in
//! the address, so that it can be kept, sent and gone back to.

use std::fmt::Write as _;

use askama::Template;

use crate::app::App;
use crate::domain::filter::{Filter, parse};
use crate::error::{Error, Result};
use crate::web::api::campaigns;
use crate::web::api::segments::{self, SegmentView};
use crate::web::extract::Params;
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::see;
use crate::web::pages::shell::At;
use crate::web::pages::ui::{self, Html};

use super::words;

/// What can be compared, by its name in the filter language.
pub const MEASURES: [(&str, &str); 9] = [
    ("revenue", "Revenue"),
    ("orders", "Orders"),
    ("clicks", "Clicks"),
    ("commission", "Commission"),
    ("conversion", "Conversion, %"),
    ("revenue_per_commission", "Revenue ÷ commission"),
    ("days_since_last_sale", "Days since the last sale"),
    ("followers", "Followers"),
    ("engagement", "Engagement, %"),
];
/// Those that are of no period.
const OF_NOW: [&str; 3] = ["days_since_last_sale", "followers", "engagement"];
const OPERATORS: [(&str, &str); 3] = [(">=", "at least"), ("<=", "at most"), (">", "more than")];
const PERIODS: [(&str, &str); 6] = [
    ("all", "in all"),
    ("this_month", "this month"),
    ("last_month", "last month"),
    ("7d", "in 7 days"),
    ("30d", "in 30 days"),
    ("90d", "in 90 days"),
];
const OWNERS: [(&str, &str); 3] = [("", "Anybody’s"), ("me", "Mine"), ("nobody", "Nobody’s")];
const STATES: [(&str, &str); 7] = [
    ("", "Anything"),
    ("has_link", "A link"),
    ("NOT has_link", "No link"),
    ("has_code", "A code"),
    ("NOT has_code", "No code"),
    ("invited", "An invitation"),
    ("NOT invited", "No invitation"),
];
/// The fields that become conditions.
const PICKERS: [&str; 12] = [
    "q", "tag", "stage", "campaign", "kind", "country", "owner", "has", "measure", "op", "value",
    "period",
];

/// A condition of the filter, and the list without it.
pub struct Chip {
    text: String,
    without: String,
}

/// The bar.
#[derive(Template)]
#[template(path = "brand/filter_bar.html")]
pub struct Bar<'a> {
    /// The list that it is above.
    path: String,
    csrf: &'a str,
    /// The filter, as it was written if it is none.
    pub text: String,
    /// What is wrong with it.
    pub wrong: String,
    /// The segment that the list is of.
    pub segment: String,
    /// What else stands in the address: sort and columns.
    kept: Vec<(&'static str, String)>,
    chips: Vec<Chip>,
    segments: Vec<SegmentView>,
    campaigns: Vec<(String, String)>,
    /// The name of a segment that couldn't be saved, and why.
    name: String,
    unsaved: String,
    may_save: bool,
}

impl Bar<'_> {
    fn choice(&self, name: &str, label: &str, all: &[(&str, &str)]) -> Html {
        let all = all.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned()));
        ui::select(name, label, &all.collect::<Vec<_>>(), "")
    }

    fn campaign(&self) -> Html {
        let none = (String::new(), "Any".to_owned());
        let all: Vec<_> = [none].into_iter().chain(self.campaigns.iter().cloned()).collect();
        ui::select("campaign", "Campaign", &all, "")
    }

    fn measures(&self) -> &'static [(&'static str, &'static str)] {
        &MEASURES
    }

    fn operators(&self) -> &'static [(&'static str, &'static str)] {
        &OPERATORS
    }

    fn periods(&self) -> &'static [(&'static str, &'static str)] {
        &PERIODS
    }

    fn owners(&self) -> &'static [(&'static str, &'static str)] {
        &OWNERS
    }

    fn kinds(&self) -> Html {
        let none = (String::new(), "Any".to_owned());
        let all = words::DEAL_KINDS.iter();
        let all = all.map(|(_, name, label)| ((*name).to_owned(), (*label).to_owned()));
        ui::select("kind", "Kind", &[none].into_iter().chain(all).collect::<Vec<_>>(), "")
    }

    fn states(&self) -> &'static [(&'static str, &'static str)] {
        &STATES
    }

    /// What the API's list is asked.
    #[must_use]
    pub fn params(&self, more: &[(&str, &str)]) -> Params {
        let own = [("filter", self.text.as_str()), ("segment", self.segment.as_str())];
        Params::of(&[&own[..], more].concat())
    }

    /// The address of a list with this filter, `?…`, and with these in place of what it has.
    #[must_use]
    pub fn query(&self, instead: &[(&str, &str)]) -> String {
        let own = [("filter", self.text.as_str()), ("segment", self.segment.as_str())];
        let kept = self.kept.iter().map(|(name, value)| (*name, value.as_str()));
        let replaced = |name: &str| instead.iter().any(|(other, _)| *other == name);
        let all_of = own.into_iter().chain(kept).filter(|(name, _)| !replaced(name));
        // Of an address that has nothing else `?` is left: the list without a filter.
        match ui::address("", all_of.chain(instead.iter().copied())) {
            none if none.is_empty() => "?".to_owned(),
            query => query,
        }
    }

    /// What stands in the address beside the columns.
    #[must_use]
    pub fn address(&self) -> Vec<(&str, &str)> {
        let own = [("filter", self.text.as_str()), ("segment", self.segment.as_str())];
        let kept = self.kept.iter().map(|(name, value)| (*name, value.as_str()));
        let all = own.into_iter().chain(kept.filter(|(name, _)| *name != "columns"));
        all.filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The bar of a page that saves no segments.
    #[must_use]
    pub fn only_narrowing(self) -> Self {
        Self { may_save: false, ..self }
    }

    /// Whether the list is narrowed.
    #[must_use]
    pub fn narrows(&self) -> bool {
        !self.text.is_empty() || !self.segment.is_empty()
    }
}

/// A text of the filter language.
fn quoted(text: &str) -> String {
    let mut told = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            told.push('\\');
        }
        told.push(c);
    }
    told.push('"');
    told
}

/// An amount without the commas between its thousands; with commas elsewhere it is left for the language to refuse.
fn ungrouped(text: &str) -> String {
    let text: String = text.chars().filter(|c| !matches!(c, '$' | ' ')).collect();
    let whole = text.split('.').next().unwrap_or_default();
    let mut groups = whole.split(',');
    let first = groups.next().is_some_and(|group| (1..=3).contains(&group.len()));
    let thousands = first && groups.all(|group| group.len() == 3);
    if thousands { text.replace(',', "") } else { text }
}

/// What the pickers say, as conditions.
fn picked(at: &At) -> Vec<String> {
    let mut all = Vec::new();
    let text = |name: &str| Some(at.get(name).trim()).filter(|text| !text.is_empty());
    all.extend(text("q").map(quoted));
    for name in ["tag", "stage", "campaign", "kind"] {
        all.extend(text(name).map(|value| format!("{name} = {}", quoted(value))));
    }
    all.extend(text("country").map(|value| format!("country = {}", quoted(&value.to_uppercase()))));
    match (at.get("owner"), at.seat.member()) {
        ("me", Ok(member)) => all.push(format!("owner = \"{}\"", member.id)),
        ("nobody", _) => all.push("owner = unknown".to_owned()),
        _ => (),
    }
    all.extend(
        text("has").filter(|has| STATES.iter().any(|(name, _)| name == has)).map(str::to_owned),
    );
    if let Some(value) = text("value") {
        let one = |name: &str, all: &[(&'static str, &str)], usual: &'static str| {
            let told = at.get(name);
            all.iter().map(|(known, _)| *known).find(|known| *known == told).unwrap_or(usual)
        };
        let measure = one("measure", &MEASURES, "revenue");
        let (op, period) = (one("op", &OPERATORS, ">="), one("period", &PERIODS, "all"));
        let over = if OF_NOW.contains(&measure) { String::new() } else { format!("[{period}]") };
        let value = ungrouped(value);
        all.push(format!("{measure}{over} {op} {value}"));
    }
    all
}

/// The conditions of a filter that must all hold.
fn chips(text: &str) -> Vec<Chip> {
    let parts = match parse(text) {
        Ok(Filter::And(all)) => all,
        Ok(one) => vec![one],
        Err(_) => Vec::new(),
    };
    let without = |place: usize| {
        let rest = parts.iter().enumerate().filter(|(at, _)| *at != place);
        let rest: Vec<Filter> = rest.map(|(_, part)| part.clone()).collect();
        match rest.len() {
            0 => String::new(),
            1 => rest.first().map(ToString::to_string).unwrap_or_default(),
            _ => Filter::And(rest).to_string(),
        }
    };
    let chip =
        |(place, part): (usize, &Filter)| Chip { text: part.to_string(), without: without(place) };
    parts.iter().enumerate().map(chip).collect()
}

/// The whole filter with what was picked, if something was: the list is shown under that address then.
fn composed(at: &At) -> Option<String> {
    let more = picked(at);
    if more.is_empty() {
        return None;
    }
    let mut whole = String::new();
    let text = at.get("filter").trim();
    if !text.is_empty() {
        // What can't be read stays as it was written, and is told.
        match parse(text) {
            Ok(Filter::Or(_)) => {
                let _ = write!(whole, "({text})");
            }
            _ => whole.push_str(text),
        }
    }
    for one in more {
        if !whole.is_empty() {
            whole.push_str(" AND ");
        }
        whole.push_str(&one);
    }
    Some(whole)
}

/// Where the list is shown whose filter has what was picked as conditions; nothing where nothing was picked.
#[must_use]
pub fn redirected(at: &At, path: &str) -> Option<Response> {
    let whole = composed(at);
    let asked = PICKERS.iter().any(|name| at.has(name));
    if !asked {
        return None;
    }
    let whole = whole.unwrap_or_else(|| at.get("filter").trim().to_owned());
    let kept = ["segment", "sort", "columns"].map(|name| (name, at.get(name)));
    let asked = [("filter", whole.as_str())].into_iter().chain(kept);
    Some(see(ui::address(&format!("{}{path}", at.home), asked)))
}

/// The bar of a list.
///
/// # Errors
/// 503 if D1 is away.
pub async fn bar<'a>(
    app: &App,
    at: &'a At,
    (path, csrf): (&str, &'a str),
    (unsaved, name): (&str, &str),
) -> Result<Bar<'a>> {
    let state = || State(app.clone());
    let many = || Params::of(&[("limit", "200")]);
    let Json(saved) = segments::list(state(), at.seat.caller()?, many()).await?;
    let Json(campaigns) = campaigns::list(state(), at.seat.caller()?, many()).await?;
    let text = at.get("filter").trim().to_owned();
    let named = campaigns.data.iter().map(|one| (one.id().to_string(), one.name().to_owned()));
    Ok(Bar {
        path: format!("{}{path}", at.home),
        csrf,
        chips: chips(&text),
        text,
        wrong: String::new(),
        segment: at.get("segment").to_owned(),
        kept: ["sort", "columns"].map(|name| (name, at.get(name).to_owned())).to_vec(),
        segments: saved.data,
        campaigns: named.collect(),
        name: name.to_owned(),
        unsaved: unsaved.to_owned(),
        may_save: at.seat.may(crate::domain::auth::Scope::Deals),
    })
}

/// Whether an error is about what the filter says, and what to say of it.
///
/// # Errors
/// The error, if it is of another kind.
#[allow(clippy::boxed_local, reason = "errors travel in boxes")]
pub fn of_filter(error: Box<Error>) -> Result<String> {
    match *error {
        Error::Invalid(_) => crate::web::pages::shell::wrong(*error).map(|(_, told)| told),
        Error::NotFound => Ok("There is no such segment any more.".to_owned()),
        other => Err(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{chips, quoted, ungrouped};
    use crate::domain::filter::parse;

    #[test]
    fn what_is_picked_is_quoted_so_that_it_says_nothing_else() {
        for text in ["yoga", "a \" OR revenue > 0 OR \"", "back\\slash", "\\\""] {
            let filter = parse(&format!("tag = {}", quoted(text))).unwrap();
            assert!(matches!(filter, crate::domain::filter::Filter::Is(_)), "{text}");
        }
    }

    #[test]
    fn commas_stand_between_thousands_or_are_refused() {
        for (text, read) in [("1,500", "1500"), ("$1,234,567.50", "1234567.50"), ("500", "500")] {
            assert_eq!(ungrouped(text), read);
        }
        for text in ["12,50", "0,5", "1,50,000", ",5"] {
            assert!(parse(&format!("revenue > {}", ungrouped(text))).is_err(), "{text}");
        }
    }

    #[test]
    fn each_condition_can_be_taken_away() {
        let all = chips("revenue >= 500 AND NOT has_code AND (stage = \"A\" OR stage = \"B\")");
        assert_eq!(all.len(), 3);
        let without: Vec<&str> = all.iter().map(|chip| chip.without.as_str()).collect();
        for text in without {
            parse(text).unwrap();
            assert!(!text.is_empty());
        }
        assert_eq!(chips("has_link").first().map(|chip| chip.without.as_str()), Some(""));
        assert!(chips("revenue >").is_empty());
    }
}
