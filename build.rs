//! Makes what the worker carries as data. Tables, out of crates that are much larger than what is
//! asked of them:
//!
//! - Bots: the patterns of `src/domain/bots.txt` as deterministic automata, so that a user agent is
//!   judged in one pass without a regex engine. Patterns are JavaScript's. Their few look-arounds
//!   stand at an end and name plain texts; they are rewritten to the contexts they allow. One that
//!   this can't do stops the build.
//! - Time zones: for every name of the IANA database when the offset changes.
//! - Currencies: every ISO 4217 code that has a minor unit, with its decimals.
//!
//! And the static assets: the names of the files in `static/`, which carry a hash of their content,
//! and a copy of the folder as it is deployed, for the tests. scripts/lib/assets.mjs makes the one
//! that is deployed.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::{env, fs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind};
use sha2::{Digest, Sha256, Sha384};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PATTERNS: &str = "src/domain/bots.txt";

const DOCUMENT: &str = "openapi.json";

const STATIC: &str = "static";

/// Changes of time zones are told from 2012 to the end of 2054, in days since 1970.
/// `src/domain/time.rs` says what holds before and after.
const ZONE_DAYS: std::ops::Range<i64> = 15_340..31_046;

/// The input after the last byte, where `$` and `\b` are decided.
const END: usize = 256;
/// States: nothing can match any more, a match, before the first byte.
const REJECT: u16 = 0;
const ACCEPT: u16 = 1;
const START: u16 = 2;

/// One row per state: where each byte, and the end, leads.
type Rows = Vec<Vec<u16>>;

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={PATTERNS}");
    println!("cargo:rerun-if-changed={DOCUMENT}");
    println!("cargo:rerun-if-changed={STATIC}");
    let out = env::var("OUT_DIR")?;
    let (names, changes) = time_zones()?;
    fs::write(format!("{out}/zones.txt"), names)?;
    fs::write(format!("{out}/zones.bin"), changes)?;
    fs::write(format!("{out}/currencies.txt"), currencies())?;
    fs::write(format!("{out}/bots.bin"), bots()?)?;
    fs::write(format!("{out}/assets.rs"), assets(&format!("{out}/assets"))?)?;
    Ok(())
}

/// Copies the static assets to `folder` as they are deployed: files of `static/` under `/assets`
/// with a hash in their names, the storefront snippets, texts for pages (`static/pages`) and the API's
/// description as they are called. Answers Rust: a constant for each address, and the table of what may
/// be asked for.
fn assets(folder: &str) -> Result<String> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(format!("{folder}/assets"))?;
    fs::create_dir_all(format!("{folder}/pages"))?;
    fs::write(format!("{folder}/openapi.json"), compact(&fs::read_to_string(DOCUMENT)?))?;
    for page in fs::read_dir(format!("{STATIC}/pages"))? {
        let page = page?;
        fs::copy(page.path(), format!("{folder}/pages/{}", page.file_name().display()))?;
    }
    let mut names = Vec::new();
    for file in fs::read_dir(STATIC)?.collect::<std::result::Result<Vec<_>, _>>()? {
        if file.file_type()?.is_file() {
            names.push(file.file_name().into_string().map_err(|name| format!("{name:?}"))?);
        }
    }
    names.sort();
    let (mut constants, mut table) = (String::new(), String::new());
    for name in names {
        let content = fs::read(format!("{STATIC}/{name}"))?;
        let hash: String = Sha256::digest(&content).iter().map(|b| format!("{b:02x}")).collect();
        let (stem, extension) = name.split_once('.').ok_or("an asset without an extension")?;
        let path = format!("/assets/{stem}.{}.{extension}", hash.get(..10).ok_or("no hash")?);
        fs::write(format!("{folder}{path}"), content)?;
        let constant = name.to_uppercase().replace(['.', '-'], "_");
        constants += &format!("/// `static/{name}`\npub const {constant}: &str = {path:?};\n");
        table += &format!("    ({constant}, {:?}),\n", content_type(extension)?);
    }
    let (snippet, paths) = snippets(folder)?;
    constants += &snippet;
    for path in paths {
        table += &format!("    ({path:?}, {:?}),\n", content_type("js")?);
    }
    Ok(format!(
        "{constants}/// Every asset with its content type.\n\
        pub const ALL: &[(&str, &str)] = &[\n{table}];\n"
    ))
}

/// Copies the storefront snippets, `static/snippet/v<version>.js`, to where shops ask for them: every
/// version that was ever handed out. Answers what the latest is, as Rust, and all addresses.
fn snippets(folder: &str) -> Result<(String, Vec<String>)> {
    let mut versions = Vec::new();
    for file in fs::read_dir(format!("{STATIC}/snippet"))? {
        let name = file?.file_name().into_string().map_err(|name| format!("{name:?}"))?;
        let version = name.strip_prefix('v').and_then(|name| name.strip_suffix(".js"));
        versions.push(version.ok_or("no version of the snippet")?.parse::<u32>()?);
    }
    versions.sort_unstable();
    let (mut latest, mut paths) = (String::new(), Vec::new());
    for version in versions {
        let content = fs::read(format!("{STATIC}/snippet/v{version}.js"))?;
        let hash: String = Sha256::digest(&content).iter().map(|b| format!("{b:02x}")).collect();
        let path = format!("/snippet/v{version}/{}.js", hash.get(..16).ok_or("no hash")?);
        let integrity = format!("sha384-{}", BASE64.encode(Sha384::digest(&content)));
        fs::create_dir_all(format!("{folder}/snippet/v{version}"))?;
        fs::write(format!("{folder}{path}"), content)?;
        latest = format!(
            "/// The latest storefront snippet.\npub const SNIPPET: Snippet = \
            Snippet {{ version: {version}, path: {path:?}, integrity: {integrity:?} }};\n"
        );
        paths.push(path);
    }
    Ok((latest, paths))
}

fn content_type(extension: &str) -> Result<&'static str> {
    Ok(match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        other => return Err(format!("no content type is known for .{other}").into()),
    })
}

/// JSON without white space between its tokens.
fn compact(json: &str) -> String {
    let (mut in_text, mut escaped) = (false, false);
    let kept = json.chars().filter(|c| {
        let keep = in_text || !c.is_ascii_whitespace();
        if *c == '"' && !escaped {
            in_text = !in_text;
        }
        escaped = *c == '\\' && !escaped;
        keep
    });
    kept.collect()
}

/// The names of the time zones, those that share their changes in one line, and for each line how
/// many changes there are and what they are.
fn time_zones() -> Result<(String, Vec<u8>)> {
    let mut lines: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
    for name in jiff::tz::db().available() {
        let zone = TimeZone::get(name.as_str())?;
        lines.entry(changes(&zone)?).or_default().push(name.to_string());
    }
    let names: Vec<String> = lines.values().map(|names| names.join(" ")).collect();
    Ok((names.join("\n"), lines.into_keys().flatten().collect()))
}

/// How many changes of its offset a zone has, then all their days, all their minutes of the day
/// and all the new offsets in minutes, as 16-bit words. By columns, because what is alike (the
/// days of one continent, the offsets of one zone) then compresses well. The first "change" is
/// what holds in the beginning.
fn changes(zone: &TimeZone) -> Result<Vec<u8>> {
    let second = |day: i64| Timestamp::from_second(day * 86_400);
    let (first, last) = (second(ZONE_DAYS.start)?, second(ZONE_DAYS.end)?);
    let mut rows = vec![(first.as_second(), zone.to_offset(first).seconds())];
    for change in zone.following(first).take_while(|change| change.timestamp() < last) {
        let offset = change.offset().seconds();
        // A change of nothing but the name or the daylight saving flag is none.
        if rows.last().is_some_and(|(_, held)| *held != offset) {
            rows.push((change.timestamp().as_second(), offset));
        }
    }
    if rows.iter().any(|(second, offset)| second % 60 != 0 || offset % 60 != 0) {
        return Err(format!("{zone:?} changes by seconds").into());
    }
    let days = rows.iter().map(|(second, _)| second / 86_400);
    let minutes = rows.iter().map(|(second, _)| second % 86_400 / 60);
    let offsets = rows.iter().map(|(_, offset)| i64::from(offset / 60));
    let mut bytes = vec![u8::try_from(rows.len())?];
    for word in days.chain(minutes).chain(offsets) {
        bytes.extend(i16::try_from(word)?.to_le_bytes());
    }
    Ok(bytes)
}

/// Lines such as `USD2`: a code and the decimals of its amounts.
fn currencies() -> String {
    let letters = || 'A'..='Z';
    let codes = letters().flat_map(|a| letters().map(move |b| (a, b)));
    let codes = codes.flat_map(|(a, b)| letters().map(move |c| format!("{a}{b}{c}")));
    let lines = codes.filter_map(|code| {
        let exponent = iso_currency::Currency::from_code(&code)?.exponent()?;
        Some(format!("{code}{exponent}"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The automata of the bots' patterns, in words: first the low bytes of all, then the high ones.
fn bots() -> Result<Vec<u8>> {
    let mut groups: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for line in fs::read_to_string(PATTERNS)?.lines().filter(|line| !line.starts_with("# ")) {
        groups.entry(group(line)).or_default().push(without_look_around(line)?);
    }
    let mut table = vec![u16::try_from(groups.len())?];
    for patterns in groups.values() {
        table.extend(compressed(&minimal(rows(patterns)?))?);
    }
    let halves = table.iter().map(|word| word.to_le_bytes());
    let (low, high): (Vec<u8>, Vec<u8>) = halves.map(|[low, high]| (low, high)).unzip();
    let bytes = [low, high].concat();
    if bytes.len() > 64 << 10 {
        return Err(format!("the bot table has {} bytes: regroup the patterns", bytes.len()).into());
    }
    Ok(bytes)
}

/// Patterns that would multiply each other's states go into automata of their own: long counts,
/// and repetitions that run from the start along with everything else.
fn group(pattern: &str) -> u8 {
    let repeats = pattern.contains(['+', '*', '{']);
    match (pattern.contains(",}"), pattern.starts_with('^') && repeats) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}

/// The same pattern with `(?<!…)` at its start and `(?!…)` at its end spelled out.
fn without_look_around(pattern: &str) -> Result<String> {
    let mut middle = pattern;
    let (mut before, mut after) = (String::new(), String::new());
    if let Some(rest) = middle.strip_prefix("(?<!") {
        let (texts, rest) = rest.split_once(')').ok_or(pattern)?;
        before = not_beside(&plain(texts)?, Side::Before);
        middle = rest;
    }
    if let Some((rest, texts)) = middle.split_once("(?!") {
        let texts = texts.strip_suffix(')').ok_or(pattern)?;
        let inner = texts.strip_prefix("(?:").and_then(|t| t.strip_suffix(')')).unwrap_or(texts);
        after = not_beside(&plain(inner)?, Side::After);
        middle = rest;
    }
    if ["(?!", "(?=", "(?<"].iter().any(|look| middle.contains(look)) {
        return Err(format!("look-around in the middle of {pattern}").into());
    }
    // In JavaScript a hyphen after a class escape is a hyphen.
    let middle = middle.replace("\\d-", "\\d\\-").replace("\\w-", "\\w\\-");
    Ok(format!("{before}{middle}{after}"))
}

/// The alternatives of a look-around, which have to be plain text.
fn plain(alternatives: &str) -> Result<Vec<String>> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " /;|".contains(c);
    if !alternatives.chars().all(is_plain) {
        return Err(format!("not plain text: {alternatives}").into());
    }
    Ok(alternatives.split('|').map(str::to_owned).collect())
}

#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

/// A pattern for what may stand beside a match when none of `texts` may: where the text ends, or
/// a character departs from all of them, after each beginning that they have.
fn not_beside(texts: &[String], side: Side) -> String {
    let mut nexts: BTreeMap<String, String> = BTreeMap::new();
    for text in texts {
        let letters: Vec<char> = match side {
            Side::After => text.chars().collect(),
            Side::Before => text.chars().rev().collect(),
        };
        let mut seen = String::new();
        for letter in letters {
            nexts.entry(seen.clone()).or_default().push(letter);
            seen.push(letter);
        }
    }
    // Beyond a whole text nothing is allowed.
    let begins_with_a_text = |seen: &str| {
        texts.iter().any(|text| match side {
            Side::After => seen.starts_with(text.as_str()),
            Side::Before => seen.chars().rev().collect::<String>().ends_with(text.as_str()),
        })
    };
    let contexts = nexts.iter().filter(|(seen, _)| !begins_with_a_text(seen));
    let contexts = contexts.map(|(seen, letters)| match side {
        Side::After => format!("{seen}(?:$|[^{letters}])"),
        Side::Before => format!("(?:^|[^{letters}]){}", seen.chars().rev().collect::<String>()),
    });
    format!("(?:{})", contexts.collect::<Vec<_>>().join("|"))
}

/// The automaton that accepts what contains any of the patterns, ASCII letters in any case.
fn rows(patterns: &[String]) -> Result<Rows> {
    let dfa = dense::Builder::new()
        .configure(
            dense::Config::new().start_kind(StartKind::Unanchored).match_kind(MatchKind::All),
        )
        .syntax(syntax::Config::new().unicode(false).utf8(false).case_insensitive(true))
        .build(&format!("(?:{})", patterns.join("|")))?;
    let start = dfa.start_state(&start::Config::new().anchored(Anchored::No))?;
    let mut number = HashMap::from([(start, START)]);
    let mut found = vec![start];
    let mut rows: Rows = vec![vec![REJECT; END + 1], vec![ACCEPT; END + 1]];
    while let Some(&state) = found.get(rows.len() - 2) {
        let mut row = Vec::with_capacity(END + 1);
        for byte in 0..=u8::MAX {
            let next = dfa.next_state(state, byte);
            row.push(if dfa.is_match_state(next) {
                ACCEPT
            } else if dfa.is_dead_state(next) {
                REJECT
            } else if let Some(&known) = number.get(&next) {
                known
            } else {
                let new = START + u16::try_from(found.len())?;
                found.push(next);
                number.insert(next, new);
                new
            });
        }
        let end = dfa.next_eoi_state(state);
        row.push(if dfa.is_match_state(end) { ACCEPT } else { REJECT });
        rows.push(row);
    }
    Ok(rows)
}

/// The same automaton with as few states as possible: states are told apart only as far as
/// their futures differ (Moore).
fn minimal(rows: Rows) -> Rows {
    let mut class: Vec<u16> = (0..rows.len()).map(|state| u16::from(state == 1)).collect();
    let mut classes = 2;
    loop {
        let mut number: HashMap<(u16, Vec<u16>), u16> = HashMap::new();
        let of = |state: &u16| class.get(usize::from(*state)).copied().unwrap_or(REJECT);
        let mut finer = Vec::with_capacity(rows.len());
        let mut representatives = Vec::new();
        for (row, own) in rows.iter().zip(&class) {
            let futures: Vec<u16> = row.iter().map(of).collect();
            let new = number.len() as u16;
            finer.push(*number.entry((*own, futures.clone())).or_insert_with(|| {
                representatives.push(futures);
                new
            }));
        }
        if number.len() == classes {
            return representatives;
        }
        classes = number.len();
        class = finer;
    }
}

/// The table as words: how many states and inputs, the input of each byte and of the end, then by
/// columns for every state the earlier state that it resembles most, at how many inputs it differs
/// from that one, at which, and where these lead. By columns, because what is alike compresses well.
fn compressed(rows: &Rows) -> Result<Vec<u16>> {
    let mut inputs: Vec<Vec<u16>> = Vec::new();
    let mut of_byte = Vec::new();
    for byte in 0..=END {
        let column: Vec<u16> = rows.iter().filter_map(|row| row.get(byte).copied()).collect();
        let known = inputs.iter().position(|other| *other == column);
        of_byte.push(u16::try_from(known.unwrap_or(inputs.len()))?);
        if known.is_none() {
            inputs.push(column);
        }
    }
    let narrow: Rows = (0..rows.len())
        .map(|state| inputs.iter().filter_map(|column| column.get(state).copied()).collect())
        .collect();
    let mut words = vec![u16::try_from(rows.len())?, u16::try_from(inputs.len())?];
    words.extend(of_byte);
    let (mut bases, mut counts, mut at, mut next) = (vec![], vec![], vec![], vec![]);
    for (state, row) in narrow.iter().enumerate() {
        let distance = |other: &Vec<u16>| row.iter().zip(other).filter(|(a, b)| a != b).count();
        let nearest = narrow.iter().take(state).enumerate().min_by_key(|(_, o)| distance(o));
        let nothing = vec![REJECT; row.len()];
        let (base, resembled) = nearest.unwrap_or((0, &nothing));
        bases.push(u16::try_from(base)?);
        counts.push(u16::try_from(distance(resembled))?);
        for (input, (own, other)) in row.iter().zip(resembled).enumerate() {
            if own != other {
                at.push(u16::try_from(input)?);
                next.push(*own);
            }
        }
    }
    words.extend([bases, counts, at, next].concat());
    Ok(words)
}
