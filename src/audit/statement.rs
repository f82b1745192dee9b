//! A creator's statement: her entries stand in the sealed ledger, add up, and nothing was rewritten
//! since her earlier statement.

use serde_json::{Value, json};

use super::Difference;
use crate::domain::merkle::check::{grew, leaf_hash, root_of};
use crate::domain::merkle::{Hash, unhex};
use crate::domain::money::{Currency, Money};
use crate::domain::sorted::Sorted;
use crate::domain::time::{Day, parse_rfc3339};

/// What a statement shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// How many of its entries stand in the sealed ledger.
    pub proven: u64,
    /// How many aren't sealed yet.
    pub unsealed: u64,
    /// Whether the balances were found to add up: only of a whole statement.
    pub adds_up: bool,
    /// The size of the earlier statement's head, if nothing was rewritten since.
    pub since: Option<u64>,
    /// Notes for whoever reads this.
    pub notes: Vec<String>,
}

impl Shown {
    /// It in words.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{} entries stand in the sealed ledger", self.proven)];
        if self.unsealed > 0 {
            lines.push(format!("{} entries are not sealed yet", self.unsealed));
        }
        if self.adds_up {
            lines.push("what was owed, the entries and what is owed then add up".to_owned());
        }
        if let Some(size) = self.since {
            lines.push(format!("nothing of the first {size} entries was rewritten since"));
        }
        lines.extend(self.notes.clone());
        lines
    }
}

/// A head as a statement names it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Head {
    size: u64,
    root: Hash,
}

type Checked<T> = Result<T, Difference>;

fn differs<T>(words: impl Into<String>) -> Checked<T> {
    Difference::at(0, words)
}

/// Checks a statement, given page by page, and if there is an earlier one that nothing was rewritten
/// since.
///
/// # Errors
/// The first [`Difference`].
pub fn check(pages: &[Value], earlier: &[Value]) -> Checked<Shown> {
    let mut shown = Shown::default();
    let head = one_statement(pages, &mut shown, true)?;
    if earlier.is_empty() {
        return Ok(shown);
    }
    let before = one_statement(earlier, &mut Shown::default(), false)?;
    for name in ["brand_id", "creator_id"] {
        if of_first(pages, name) != of_first(earlier, name) {
            return differs(format!("the earlier statement has another {name}"));
        }
    }
    follows(pages, earlier)?;
    let Some(before) = before else {
        shown.notes.push("the earlier statement names no head: nothing to compare".to_owned());
        return Ok(shown);
    };
    let Some(head) = head else {
        return differs(format!(
            "the earlier ledger had {} sealed entries, this one none",
            before.size
        ));
    };
    if head.size < before.size {
        return differs(format!(
            "the earlier ledger had {} sealed entries, this one {}",
            before.size, head.size
        ));
    }
    let path = if head.size == before.size {
        Vec::new()
    } else {
        let told = of_first(pages, "consistency");
        if told["since"].as_u64() != Some(before.size) {
            return differs(format!(
                "no proof of consistency with {} entries: ask for the statement with since={}",
                before.size, before.size
            ));
        }
        hashes(&told["path"], "the proof of consistency")?
    };
    if !grew((before.size, before.root), (head.size, head.root), &path) {
        return differs(format!(
            "the ledger of {} entries doesn't begin with the {} of the earlier statement: \
             something was rewritten",
            head.size, before.size
        ));
    }
    shown.since = Some(before.size);
    Ok(shown)
}

fn of_first<'a>(pages: &'a [Value], name: &str) -> &'a Value {
    pages.first().map_or(&Value::Null, |page| &page[name])
}

/// The pages of one statement: they belong together, every entry is proven, and they add up.
fn one_statement(pages: &[Value], shown: &mut Shown, noted: bool) -> Checked<Option<Head>> {
    for page in pages {
        for name in ["brand_id", "creator_id", "month", "head", "balances"] {
            if page[name] != *of_first(pages, name) {
                return differs(format!(
                    "the pages don't belong together: they differ in `{name}`"
                ));
            }
        }
    }
    let head = match of_first(pages, "head") {
        Value::Null => None,
        told => {
            let root = told["root"].as_str().and_then(unhex);
            let (Some(size), Some(root)) = (told["size"].as_u64(), root) else {
                return differs("the head is none");
            };
            Some(Head { size, root })
        }
    };
    let mut last = 0;
    let mut sums: Sorted<Currency, (i64, i64)> = Sorted::new();
    for page in pages {
        for entry in page["data"].as_array().into_iter().flatten() {
            let sequence = entry["sequence"].as_u64().unwrap_or(0);
            if sequence <= last {
                return differs(format!("entry {sequence} comes after entry {last}"));
            }
            last = sequence;
            if proven(page, entry, sequence, head)? {
                shown.proven += 1;
            } else {
                shown.unsealed += 1;
            }
            let (minor, currency) = amount(entry, sequence)?;
            let paid = entry["account"] == "paid";
            sums.change(currency, |(owed, all)| *if paid { all } else { owed } += minor);
        }
    }
    if pages.last().is_some_and(|page| page["next_cursor"].is_null()) {
        adds_up(of_first(pages, "balances"), &sums)?;
        shown.adds_up = true;
    } else if noted {
        shown.notes.push("pages are missing: balances were not compared".to_owned());
    }
    if head.is_none() && noted {
        shown
            .notes
            .push("no head: nothing is sealed, or it was asked without proofs=true".to_owned());
    }
    Ok(head)
}

fn amount(entry: &Value, sequence: u64) -> Checked<(i64, Currency)> {
    let told = &entry["amount"];
    let currency = told["currency"].as_str().and_then(|c| c.parse::<Currency>().ok());
    let text = told["amount"].as_str().unwrap_or_default();
    let money = currency.and_then(|c| Some((Money::parse(text, c).ok()?.minor, c)));
    money.map_or_else(|| differs(format!("entry {sequence} has no amount")), Ok)
}

/// Whether the entry is sealed; then its leaf says what is shown, and stands in the ledger.
fn proven(page: &Value, entry: &Value, sequence: u64, head: Option<Head>) -> Checked<bool> {
    let proof = &entry["proof"];
    let Some(head) = head else { return Ok(false) };
    if proof.is_null() {
        if sequence <= head.size {
            return differs(format!("entry {sequence} is within the head but has no proof"));
        }
        return Ok(false);
    }
    let (minor, currency) = amount(entry, sequence)?;
    let text = proof["leaf"].as_str().unwrap_or_default();
    let leaf: Value = serde_json::from_str(text).unwrap_or_default();
    let posted = entry["posted_at"].as_str().and_then(parse_rfc3339);
    let told = json!([
        1,
        page["brand_id"],
        sequence,
        leaf[3],
        entry["account"],
        page["creator_id"],
        leaf[6],
        currency.code(),
        minor,
        entry["cause"],
        entry["cause_id"],
        posted
    ]);
    if leaf != told {
        return differs(format!("entry {sequence} is shown as {told}, but sealed as {leaf}"));
    }
    let salt = proof["salt"].as_str().unwrap_or_default();
    let salt = unhex(&format!("{salt:0<64}")).filter(|_| salt.len() == 32);
    let Some(salt) = salt.as_ref().and_then(|salt| salt.first_chunk::<16>()) else {
        return differs(format!("the salt of entry {sequence} is none"));
    };
    let place = proof["index"].as_u64();
    if place.map(|place| place + 1) != Some(sequence) {
        return differs(format!("the proof of entry {sequence} is about another place"));
    }
    let path = hashes(&proof["path"], &format!("the proof of entry {sequence}"))?;
    let leaf = leaf_hash(&[salt.as_slice(), text.as_bytes()].concat());
    let root = root_of(leaf, (sequence - 1, head.size), &path);
    if root != Some(head.root) {
        return differs(format!(
            "entry {sequence} doesn't stand in the ledger of {} entries",
            head.size
        ));
    }
    Ok(true)
}

fn hashes(list: &Value, what: &str) -> Checked<Vec<Hash>> {
    let read = list.as_array().and_then(|list| list.iter().map(|h| unhex(h.as_str()?)).collect());
    read.map_or_else(|| differs(format!("{what} is no list of hashes")), Ok)
}

/// Opening, entries and closing of each currency.
fn adds_up(balances: &Value, sums: &Sorted<Currency, (i64, i64)>) -> Checked<()> {
    let mut sums = sums.clone();
    for balance in balances.as_array().into_iter().flatten() {
        let Some(currency) = balance["currency"].as_str().and_then(|c| c.parse::<Currency>().ok())
        else {
            return differs("a balance has no currency");
        };
        let minor = |name: &str| {
            let text = balance[name].as_str().unwrap_or_default();
            let read = Money::parse(text, currency).map(|money| money.minor);
            read.or_else(|_| differs(format!("{name} of {currency} is no amount: {text}")))
        };
        let (owed, paid) = sums.remove(&currency).unwrap_or_default();
        let (opening, closing, told) = (minor("opening")?, minor("closing")?, minor("paid")?);
        let text = |minor| Money::new(minor, currency).to_decimal();
        if opening + owed != closing {
            return differs(format!(
                "{currency}: the opening balance {} and the entries come to {}, but the closing \
                 balance is {}",
                text(opening),
                text(opening + owed),
                text(closing)
            ));
        }
        if paid != told {
            return differs(format!(
                "{currency}: the entries say that {} was paid, the statement {}",
                text(paid),
                text(told)
            ));
        }
    }
    if sums.is_empty() {
        Ok(())
    } else {
        differs("there are entries in a currency without a balance")
    }
}

/// An opening balance is the closing one of the month before.
fn follows(pages: &[Value], earlier: &[Value]) -> Checked<()> {
    let month = |pages| of_first(pages, "month").as_str().unwrap_or_default().to_owned();
    let (now, before) = (month(pages), month(earlier));
    let next = Day::from_iso(&format!("{before}-01")).map(|day| day.plus(31).to_iso());
    if next.is_none_or(|next| next.get(..7) != Some(&now)) {
        return Ok(());
    }
    for balance in of_first(pages, "balances").as_array().into_iter().flatten() {
        let closed = of_first(earlier, "balances").as_array().into_iter().flatten();
        let mut closed =
            closed.filter(|b| b["currency"] == balance["currency"]).map(|b| &b["closing"]);
        let closed = closed.next_back().and_then(Value::as_str).unwrap_or("0");
        let opened = balance["opening"].as_str().unwrap_or_default();
        let nothing = |text: &str| text.bytes().all(|b| b == b'0' || b == b'.');
        if closed != opened && !(nothing(closed) && nothing(opened)) {
            return differs(format!(
                "{}: {before} closed with {closed}, but {now} opens with {opened}",
                balance["currency"].as_str().unwrap_or_default()
            ));
        }
    }
    Ok(())
}
