//! The small parts that pages are made of. Each answers HTML with the texts in it escaped; how they look is
//! `static/shell.css` and the kit, what moves is `static/app.js`.

use std::fmt::{self, Display, Write};

use askama::filters::HtmlSafe;

use crate::domain::money::{BasisPoints, Currency, Money};
use crate::domain::time::{Day, Millis, to_rfc3339};
use crate::web::assets;

pub use super::chart::{bar, chart};

/// HTML: what was a text in it is escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Html(String);

impl Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl HtmlSafe for Html {}

impl Html {
    /// What was put together here. Texts of others go through [`esc`] first.
    pub(super) fn of(html: String) -> Self {
        Self(html)
    }

    /// Whether nothing stands there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A text as HTML, also inside of a quoted attribute.
#[must_use]
pub fn esc(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(letter),
        }
    }
    html
}

/// An icon of the sprite, for the eye only: what it means stands beside it.
#[must_use]
pub fn icon(name: &str) -> Html {
    let sprite = assets::ICONS_SVG;
    Html(format!("<svg class=\"icon\" aria-hidden=\"true\"><use href=\"{sprite}#{name}\"/></svg>"))
}

/// A decimal text with its thousands apart.
fn grouped(decimal: &str) -> String {
    let (whole, rest) = decimal.split_once('.').map_or((decimal, None), |(w, r)| (w, Some(r)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("−", digits));
    let mut text = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(rest) = rest {
        let _ = write!(text, ".{rest}");
    }
    text
}

/// An amount, exact in its attribute; the script writes it as the reader's locale does.
#[must_use]
pub fn money(amount: &Money) -> Html {
    decimal(&amount.to_decimal(), &amount.currency)
}

/// The same of a decimal text, as some views have it.
#[must_use]
pub fn decimal(amount: &str, currency: &Currency) -> Html {
    let (code, text) = (currency.code(), grouped(amount));
    Html(format!(
        "<data class=\"money\" value=\"{amount}\" data-currency=\"{code}\">{text} {code}</data>"
    ))
}

/// Amounts of several currencies, one below the other; a dash for none.
#[must_use]
pub fn monies(amounts: &[Money]) -> Html {
    if amounts.is_empty() {
        return Html("<span class=\"soft\">–</span>".to_owned());
    }
    let all: Vec<String> = amounts.iter().map(|amount| money(amount).0).collect();
    Html(all.join("<br>"))
}

/// A count with its thousands apart.
#[must_use]
pub fn count(number: &i64) -> Html {
    Html(format!(
        "<data class=\"count\" value=\"{number}\">{}</data>",
        grouped(&number.to_string())
    ))
}

/// A rate.
#[must_use]
pub fn percent(rate: &BasisPoints) -> Html {
    Html(format!("{} %", rate.to_percent()))
}

/// A time, to the minute; the script says it in the reader's own zone.
#[must_use]
pub fn time(at_ms: &Millis) -> Html {
    Html(super::time(*at_ms))
}

/// When the figures of a page are of: it is renewed along with them, see [`live`].
#[must_use]
pub fn as_of(words: &str, at_ms: &Millis) -> Html {
    Html(format!("<span id=\"as-of\" data-along>{} {}</span>", esc(words), time(at_ms)))
}

/// The day of a time, for lists.
#[must_use]
pub fn on(at_ms: &Millis) -> Html {
    let exact = to_rfc3339(*at_ms);
    let day = exact.get(..10).unwrap_or_default();
    Html(format!("<time datetime=\"{exact}\" data-style=\"date\">{day}</time>"))
}

/// A time that a view has as text.
#[must_use]
pub fn moment(rfc3339: &str) -> Html {
    crate::domain::time::parse_rfc3339(rfc3339).map_or_else(Html::default, |at| time(&at))
}

/// A text with its unit; a dash for none.
#[must_use]
pub fn tell(text: Option<&str>, unit: &str) -> Html {
    Html(text.map_or_else(|| "–".to_owned(), |text| esc(&format!("{text}{unit}"))))
}

/// A state that is well.
#[must_use]
pub fn good(text: &str) -> Html {
    badge(&Tone::Good, text)
}

/// A text as part of an address.
#[must_use]
pub fn part(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A day.
#[must_use]
pub fn date(day: &Day) -> Html {
    let iso = day.to_iso();
    Html(format!("<time datetime=\"{iso}\">{iso}</time>"))
}

/// How a state is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It works, or is done.
    Good,
    /// It waits.
    Wait,
    /// It needs a hand.
    Bad,
    /// Nothing in particular.
    Plain,
}

/// A state in a word. Its colour says nothing that the word doesn't.
#[must_use]
pub fn badge(tone: &Tone, text: &str) -> Html {
    let class = match tone {
        Tone::Good => "good",
        Tone::Wait => "wait",
        Tone::Bad => "bad",
        Tone::Plain => "plain",
    };
    Html(format!("<span class=\"badge {class}\">{}</span>", esc(text)))
}

/// A word that is no state.
#[must_use]
pub fn tag(text: &str) -> Html {
    badge(&Tone::Plain, text)
}

/// A button that copies a text; without a script it isn't there, and the text can be selected.
#[must_use]
pub fn copy(text: &str, what: &str) -> Html {
    let (text, what, icon) = (esc(text), esc(what), icon("copy"));
    Html(format!(
        "<button type=\"button\" class=\"btn btn-sm btn-icon\" data-copy=\"{text}\" aria-label=\"Copy {what}\" \
         title=\"Copy {what}\" hidden>{icon}</button>"
    ))
}

/// The hidden field of every form.
#[must_use]
pub fn proof(csrf: &str) -> Html {
    Html(format!("<input type=\"hidden\" name=\"csrf\" value=\"{}\">", esc(csrf)))
}

/// How far something is.
#[must_use]
pub fn progress(done: i64, of: i64, what: &str) -> Html {
    let what = esc(what);
    Html(format!(
        "<progress max=\"{}\" value=\"{done}\" aria-label=\"{what}\">{done} of {of}</progress>",
        of.max(1)
    ))
}

/// A number that matters.
#[must_use]
pub fn stat(label: &str, value: Html, hint: &str) -> Html {
    let (label, hint) = (esc(label), esc(hint));
    let hint = if hint.is_empty() { hint } else { format!("<div class=\"hint\">{hint}</div>") };
    Html(format!("<div class=\"card stat\"><dt>{label}</dt><dd>{value}{hint}</dd></div>"))
}

/// What a list says that has nothing.
#[must_use]
pub fn empty(icon_name: &str, title: &str, text: &str) -> Html {
    let (icon, title, text) = (icon(icon_name), esc(title), esc(text));
    Html(format!(
        "<div class=\"empty-state\">{icon}<p class=\"strong\">{title}</p><p>{text}</p></div>"
    ))
}

/// HTML whose texts are escaped already.
#[must_use]
pub(super) fn html(text: String) -> Html {
    Html(text)
}

/// A field of a form that is one line, with what is wrong with it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Field<'a> {
    /// Its name in the form; what the page calls it begins with `f-`.
    pub name: &'a str,
    /// What it is called.
    pub label: &'a str,
    /// What is in it.
    pub value: &'a str,
    /// What helps to fill it in.
    pub hint: &'a str,
    /// `text`, `email`, `date`, …
    pub kind: &'a str,
    /// What is wrong with it; empty if nothing.
    pub wrong: &'a str,
    /// Whether it must be filled in.
    pub required: bool,
}

/// That field.
#[must_use]
pub fn field(field: &Field<'_>) -> Html {
    let Field { name, label, value, hint, kind, wrong, required } = *field;
    let kind = if kind.is_empty() { "text" } else { kind };
    let (label, value) = (esc(label), esc(value));
    let mut html = format!(
        "<div class=\"field\"><label class=\"form-label\" for=\"f-{name}\">{label}</label>\
         <input class=\"form-control\" id=\"f-{name}\" name=\"{name}\" type=\"{kind}\" value=\"{value}\" autocomplete=\"off\""
    );
    if required {
        html.push_str(" required");
    }
    if kind == "decimal" {
        html.push_str(" inputmode=\"decimal\"");
    }
    let about = [(hint, "hint"), (wrong, "wrong")].into_iter().filter(|(text, _)| !text.is_empty());
    let ids: Vec<String> = about.clone().map(|(_, id)| format!("f-{name}-{id}")).collect();
    if !ids.is_empty() {
        let _ = write!(html, " aria-describedby=\"{}\"", ids.join(" "));
    }
    html.push_str(if wrong.is_empty() { ">" } else { " aria-invalid=\"true\">" });
    for (text, id) in about {
        let _ = write!(html, "<div class=\"{id}\" id=\"f-{name}-{id}\">{}</div>", esc(text));
    }
    html.push_str("</div>");
    Html(html)
}

/// A choice of one.
#[must_use]
pub fn select(name: &str, label: &str, options: &[(String, String)], chosen: &str) -> Html {
    let mut html = format!(
        "<div class=\"field\"><label class=\"form-label\" for=\"f-{name}\">{}</label>\
         <select class=\"form-select\" id=\"f-{name}\" name=\"{name}\">",
        esc(label)
    );
    for (value, text) in options {
        let selected = if value == chosen { " selected" } else { "" };
        let _ = write!(html, "<option value=\"{}\"{selected}>{}</option>", esc(value), esc(text));
    }
    html.push_str("</select></div>");
    Html(html)
}

/// The way to the next page of a list; empty on the last.
#[must_use]
pub fn pager(path: &str, query: &[(&str, &str)], next: Option<&String>) -> Html {
    let Some(next) = next else { return Html::default() };
    let href = address(path, query.iter().copied().chain([("cursor", next.as_str())]));
    let (href, icon) = (esc(&href), icon("chevron-right"));
    Html(format!(
        "<nav class=\"pager\" aria-label=\"Pages\"><a class=\"btn\" href=\"{href}\">Next page {icon}</a></nav>"
    ))
}

/// An address with what is asked in it: parameters that are empty are left out.
#[must_use]
pub fn address<'a>(path: &str, query: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query.filter(|(_, value)| !value.is_empty()) {
        pairs.append_pair(name, value);
    }
    let query = pairs.finish();
    let sign = if query.is_empty() { "" } else { "?" };
    format!("{path}{sign}{query}")
}

/// How a table is sorted, for the head of one of its columns: what a click on it sorts by (the greatest first, then
/// the least), what tells a reader about it, and its sign. `now` is how it is sorted: `-commission`.
#[must_use]
pub fn sorting(now: &str, by: &str) -> (String, &'static str, Html) {
    let (name, falls) = now.strip_prefix('-').map_or((now, false), |name| (name, true));
    let next = if name == by && falls { by.to_owned() } else { format!("-{by}") };
    let (state, sign) = match (name == by, falls) {
        (false, _) => ("", icon("selector")),
        (true, true) => (" aria-sort=\"descending\"", icon("arrow-down")),
        (true, false) => (" aria-sort=\"ascending\"", icon("arrow-up")),
    };
    (next, state, sign)
}

/// A small line over days, drawn here, with its first, last and highest value as text: the days' numbers stand in a
/// table beside it. The values are whole: counts, or minor units.
#[must_use]
pub fn sparkline(title: &str, values: &[i64]) -> Html {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let last = i64::try_from(values.len()).unwrap_or(1).saturating_sub(1).max(1);
    let mut points = String::new();
    for (at, value) in (0_i64..).zip(values) {
        let down = 30 - (value.max(&0).saturating_mul(28) / most);
        let _ = write!(points, "{},{down} ", at.saturating_mul(200) / last);
    }
    let (title, points) = (esc(title), points.trim_end());
    Html(format!(
        "<div class=\"spark\"><span class=\"soft\">{title}</span><svg viewBox=\"0 0 200 32\" \
         preserveAspectRatio=\"none\" aria-hidden=\"true\"><polygon points=\"0,31 {points} 200,31\"/>\
         <polyline points=\"{points}\"/></svg></div>"
    ))
}

/// What makes a part of a page ask for itself again while somebody looks at the page: its id, the page's address, and
/// what comes along (`#latest,#needs`; each is marked `data-along`). It says that nobody asked, so that a session ends as if it hadn't.
#[must_use]
pub fn live(id: &str, page: &str, along: &str) -> Html {
    let (id, page, along) = (esc(id), esc(page), esc(along));
    let along = match &*along {
        "" => along,
        ids => format!(" hx-select-oob=\"{ids}\""),
    };
    Html(format!(
        "id=\"{id}\" data-live hx-get=\"{page}\" hx-trigger=\"every 30s\" hx-select=\"#{id}\" hx-swap=\"outerHTML\" \
         hx-headers='{{\"{}\":\"1\"}}'{along}",
        crate::web::caller::BY_ITSELF
    ))
}

/// Ways between pages that belong together: where each goes, what it is called, and whether one is there.
#[must_use]
pub fn tabs(label: &str, ways: &[(String, &str, bool)]) -> Html {
    let ways = ways.iter().map(|(href, label, current)| {
        let here = if *current { " aria-current=\"page\"" } else { "" };
        format!("<a href=\"{}\"{here}>{}</a>", esc(href), esc(label))
    });
    let ways: Vec<String> = ways.collect();
    Html::of(format!(
        "<nav class=\"tabs no-print\" aria-label=\"{}\">{}</nav>",
        esc(label),
        ways.concat()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (plain, told) in [
            ("0", "0"),
            ("999.50", "999.50"),
            ("1000", "1,000"),
            ("-1234567.891", "−1,234,567.891"),
            ("-100.00", "−100.00"),
        ] {
            assert_eq!(grouped(plain), told);
        }
    }

    #[test]
    fn texts_are_texts() {
        let bad = "\"><img src=x onerror=hit=1>'&";
        let shown = [
            badge(&Tone::Plain, bad),
            copy(bad, bad),
            empty("x", bad, bad),
            stat(bad, Html::default(), bad),
            field(&Field { label: bad, value: bad, hint: bad, wrong: bad, ..Field::default() }),
            select("x", bad, &[(bad.to_owned(), bad.to_owned())], ""),
            pager("/x", &[("q", bad)], Some(&bad.to_owned())),
        ];
        for html in shown {
            assert!(!html.0.contains("<img") && !html.0.contains("\"\">"), "{html}");
        }
    }
}
