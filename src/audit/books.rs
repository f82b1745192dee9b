//! An export, line by line: orders against the journal, entries against orders and causes, balances
//! and heads against entries.

mod orders;

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::Value;

use super::Difference;
use super::report::Report;
use super::rules::{Rules, unquoted};
use crate::domain::attribution::Decision;
use crate::domain::ids::{BrandId, CreatorId, DealId, OrderId, StoreId};
use crate::domain::merkle::{Frontier, hex, unhex};
use crate::domain::money::Currency;
use crate::domain::order::{Facts, order_id};
use crate::domain::time::{Day, Millis};
use crate::storage::Rows;
use crate::storage::ledger::EntryRow;
use crate::storage::row;
use crate::storage::rows::{FromRow, parse};

row! {
    struct OrderLine {
        as_of: i64,
        id: OrderId,
        store: StoreId,
        external_id: String,
        state: String,
        placed_at_ms: Option<Millis>,
        placed_day: Option<Day>,
        currency: Option<Currency>,
        base_minor: i64,
        commission_minor: i64,
        deal: Option<DealId>,
        creator: Option<CreatorId>,
        available_day: Option<Day>,
        decision_version: Option<i64>,
        facts: Facts,
        decision: Option<Decision>,
    }
    /// A fee, a correction or a line of a payout.
    struct CauseLine {
        as_of: i64,
        id: String,
        creator: String,
        currency: String,
        amount_minor: i64,
    }
    struct BalanceLine {
        as_of: i64,
        creator: String,
        currency: String,
        account: String,
        day: i64,
        amount_minor: i64,
    }
    struct HeadLine {
        size: i64,
        root: String,
    }
    struct EntryLine {
        sequence: i64,
        txn: i64,
        account: String,
        creator: Option<String>,
        day: i64,
        currency: String,
        amount_minor: i64,
        cause: String,
        cause_id: String,
        posted_at_ms: Millis,
        salt: String,
    }
    struct RuleLine {
        version: i64,
        of: String,
        id: String,
        value: Option<Raw>,
    }
}

/// JSON as it is.
struct Raw(Value);

impl crate::storage::FromColumn for Raw {
    fn from_column(value: &Value) -> Option<Self> {
        Some(Self(value.clone()))
    }
    fn placeholder() -> Self {
        Self(Value::Null)
    }
}

type Checked<T = ()> = Result<T, Difference>;

/// What an order or another cause must have in the ledger.
struct Expected {
    line: u64,
    as_of: i64,
    creator: Option<String>,
    currency: String,
    minor: i64,
    /// What it has, by creator and currency, up to `as_of`.
    posted: Vec<(String, String, i64)>,
    transactions: u64,
}

type Account = (String, String, String, i64);

/// An audit under way.
#[derive(Default)]
pub struct Audit {
    number: u64,
    counted: i64,
    ended: bool,
    brand: Option<BrandId>,
    section: String,
    /// Up to which entry each section has all that causes entries.
    complete: HashMap<String, i64>,
    rules: Rules,
    /// Orders that were decided after the journal's first part was read.
    waiting: Vec<(u64, OrderLine)>,
    causes: HashMap<(String, String), Expected>,
    heads: VecDeque<(u64, HeadLine)>,
    balances: VecDeque<(u64, BalanceLine)>,
    books: BTreeMap<Account, i64>,
    transaction: Vec<(u64, EntryLine)>,
    frontier: Frontier,
    sealed: u64,
    report: Report,
}

impl Audit {
    /// Takes the next line.
    ///
    /// # Errors
    /// The first [`Difference`].
    pub fn line(&mut self, text: &str) -> Checked {
        self.number += 1;
        let Ok(value) = parse(text) else { return self.differs("this is no JSON object") };
        let kind = value["kind"].as_str().unwrap_or_default().to_owned();
        if self.brand.is_none() && kind != "export" {
            return self.differs("the export doesn't begin with a line of the kind `export`");
        }
        if self.ended {
            return self.differs("there are lines after the end");
        }
        if kind == "continue" {
            // What follows is the next part.
            return Ok(());
        }
        self.counted += 1;
        match kind.as_str() {
            "export" => self.begin(&value),
            "section" => self.begin_section(&value),
            "rule" => self.rule(self.read(value)?),
            "order" => self.order_line(value),
            "fee" | "adjustment" | "payout_line" => self.cause(&kind, &value),
            "balance" => {
                let line = self.read(value)?;
                self.balances.push_back((self.number, line));
                Ok(())
            }
            "head" => {
                let line = self.read(value)?;
                self.heads.push_back((self.number, line));
                Ok(())
            }
            "entry" => self.entry(self.read(value)?),
            "end" => self.finish(&value),
            _ => {
                self.report.unknown += 1;
                Ok(())
            }
        }
    }

    fn differs<T>(&self, words: impl Into<String>) -> Checked<T> {
        Difference::at(self.number, words)
    }

    fn read<T: FromRow>(&self, value: Value) -> Checked<T> {
        match Rows(vec![value]).first() {
            Ok(Some(line)) => Ok(line),
            Ok(None) => self.differs("this line is empty"),
            Err(error) => self.differs(error.to_string()),
        }
    }

    fn begin(&mut self, value: &Value) -> Checked {
        if self.brand.is_some() {
            return self.differs("a second export begins");
        }
        if value["format"] != 1 {
            return self.differs(format!("this program reads format 1, not {}", value["format"]));
        }
        self.brand = value["brand"].as_str().and_then(|id| id.parse().ok());
        if self.brand.is_none() { self.differs("the export names no brand") } else { Ok(()) }
    }

    fn begin_section(&mut self, value: &Value) -> Checked {
        let name = value["name"].as_str().unwrap_or_default().to_owned();
        if name == "rules" {
            let version = value["version"].as_i64().unwrap_or(0);
            if version < self.rules.version {
                return self.differs("the journal goes back");
            }
            self.rules.version = version;
        } else {
            self.settle_waiting()?;
            self.complete.insert(name.clone(), value["as_of"].as_i64().unwrap_or(0));
        }
        self.section = name;
        Ok(())
    }

    fn rule(&mut self, line: RuleLine) -> Checked {
        let mut value = line.value.map_or(Value::Null, |raw| raw.0);
        unquoted(&mut value);
        self.rules.take(line.version, &line.of, &line.id, value);
        Ok(())
    }

    fn order_line(&mut self, mut value: Value) -> Checked {
        for path in ["/facts", "/decision/winner", "/decision"] {
            if let Some(told) = value.pointer_mut(path) {
                unquoted(told);
            }
        }
        let order: OrderLine = self.read(value)?;
        if order_id(order.store, &order.external_id) != order.id {
            return self.differs(format!("{} is not the id of this store's order", order.id));
        }
        let line = self.number;
        let expected = Expected {
            line,
            as_of: order.as_of,
            creator: order.creator.map(|id| id.to_string()),
            currency: order.currency.map_or(String::new(), |c| c.code().to_owned()),
            minor: order.commission_minor,
            posted: Vec::new(),
            transactions: 0,
        };
        let key = ("order".to_owned(), order.id.to_string());
        if self.causes.insert(key, expected).is_some() {
            return self.differs(format!("{} stands there twice", order.id));
        }
        if order.decision_version.is_some_and(|version| version > self.rules.version) {
            self.waiting.push((line, order));
            return Ok(());
        }
        self.order(line, &order)
    }

    fn settle_waiting(&mut self) -> Checked {
        for (line, order) in std::mem::take(&mut self.waiting) {
            self.order(line, &order)?;
        }
        Ok(())
    }

    fn cause(&mut self, kind: &str, value: &Value) -> Checked {
        // What has a state may not be posted yet.
        let state = value["state"].as_str().unwrap_or("posted").to_owned();
        let cause: CauseLine = self.read(value.clone())?;
        // Each try of a payment takes the money out once; all but the last came back.
        let tries = value["attempt"].as_i64().unwrap_or(1);
        let (out, settled) = match state.as_str() {
            "in_payout" => (tries, tries - 1),
            "settled" | "failed" => (tries, tries),
            _ => (0, 0),
        };
        let causes: &[(&str, i64)] = match kind {
            "payout_line" => &[("payout", out), ("settlement", settled)],
            _ => &[("", i64::from(state == "posted"))],
        };
        for (name, times) in causes {
            let name = if name.is_empty() { kind } else { name };
            let expected = Expected {
                line: self.number,
                as_of: cause.as_of,
                creator: Some(cause.creator.clone()),
                currency: cause.currency.clone(),
                minor: cause.amount_minor * times,
                posted: Vec::new(),
                transactions: 0,
            };
            let key = (name.to_owned(), cause.id.clone());
            if self.causes.insert(key, expected).is_some() {
                return self.differs(format!("{} stands there twice", cause.id));
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: EntryLine) -> Checked {
        let number = entry.sequence;
        let next = i64::try_from(self.report.entries).unwrap_or(0) + 1;
        if number != next {
            return self.differs(format!("entry {number} follows after entry {}", next - 1));
        }
        if entry.txn == number {
            self.close_transaction()?;
        } else if self.transaction.first().is_none_or(|(_, first)| {
            (first.txn, &first.cause, &first.cause_id, first.posted_at_ms)
                != (entry.txn, &entry.cause, &entry.cause_id, entry.posted_at_ms)
        }) {
            return self
                .differs(format!("entry {number} doesn't belong to transaction {}", entry.txn));
        }
        self.compare_balances(number)?;
        self.count_balances()?;
        self.fold(&entry)?;
        self.seal(&entry)?;
        self.report.entries += 1;
        self.transaction.push((self.number, entry));
        Ok(())
    }

    /// An account after an entry: none of a creator's is ever below zero but what she owes.
    fn fold(&mut self, entry: &EntryLine) -> Checked {
        let Some(creator) = &entry.creator else {
            return if entry.account == "commission" {
                Ok(())
            } else {
                self.differs(format!("entry {} is on nobody's {}", entry.sequence, entry.account))
            };
        };
        let key = (creator.clone(), entry.currency.clone(), entry.account.clone(), entry.day);
        let held = self.books.get(&key).copied().unwrap_or(0) + entry.amount_minor;
        let possible = if entry.account == "clawback" { held <= 0 } else { held >= 0 };
        if !possible {
            return self.differs(format!(
                "after entry {} the account {} of {creator} would hold {held}",
                entry.sequence, entry.account
            ));
        }
        if held == 0 {
            self.books.remove(&key);
        } else {
            self.books.insert(key, held);
        }
        Ok(())
    }

    /// The tree grows by the entry; where a head was sealed its root must be the same.
    fn seal(&mut self, entry: &EntryLine) -> Checked {
        let salt = unhex(&format!("{:0<64}", entry.salt)).filter(|_| entry.salt.len() == 32);
        let (Some(salt), Some(brand)) = (salt, self.brand) else {
            return self.differs(format!("the salt of entry {} is none", entry.sequence));
        };
        let row = EntryRow {
            sequence: entry.sequence,
            txn: entry.txn,
            account: entry.account.clone(),
            creator_id: entry.creator.clone(),
            day: entry.day,
            currency: entry.currency.clone(),
            amount_minor: entry.amount_minor,
            cause: entry.cause.clone(),
            cause_id: entry.cause_id.clone(),
            posted_at_ms: entry.posted_at_ms,
        };
        let content =
            [salt.get(..16).unwrap_or_default(), row.canonical(brand).as_bytes()].concat();
        self.frontier.push(&content);
        let Some((line, head)) = self.heads.front() else { return Ok(()) };
        if head.size != entry.sequence {
            return Ok(());
        }
        let root = hex(&self.frontier.root());
        if root != head.root {
            let from = self.report.heads;
            return self.differs(format!(
                "the first {} entries come to the root {root}, but line {line} has sealed {}: \
                 something among them is not as it was ({from} earlier heads are as they were)",
                head.size, head.root
            ));
        }
        self.report.heads += 1;
        self.sealed = self.frontier.size();
        self.heads.pop_front();
        Ok(())
    }

    /// Compares balances that were read before this entry was there.
    fn compare_balances(&mut self, sequence: i64) -> Checked {
        while self.balances.front().is_some_and(|(_, balance)| balance.as_of < sequence) {
            let Some((line, balance)) = self.balances.pop_front() else { break };
            let BalanceLine { creator, currency, account, day, .. } = balance;
            let key = (creator, currency, account, day);
            let held = self.books.get(&key).copied().unwrap_or(0);
            if held != balance.amount_minor {
                let (creator, currency, account, day) = key;
                let words = format!(
                    "the balance {account} of {creator} in {currency}, day {day}, is {}; its \
                     entries up to {} come to {held}",
                    balance.amount_minor, balance.as_of
                );
                return Difference::at(line, words);
            }
            self.report.balances += 1;
        }
        Ok(())
    }

    /// No balance is missing, if all were read at one moment: that after the last entry so far.
    fn count_balances(&self) -> Checked {
        let last = i64::try_from(self.report.entries).unwrap_or(0);
        if self.complete.get("balances") != Some(&last) || !self.balances.is_empty() {
            return Ok(());
        }
        let (told, held) = (self.report.balances, self.books.len() as u64);
        if told < held {
            return self.differs(format!(
                "{held} accounts hold something after entry {last}, but there are {told} balances"
            ));
        }
        Ok(())
    }

    fn close_transaction(&mut self) -> Checked {
        let transaction = std::mem::take(&mut self.transaction);
        let Some((line, first)) = transaction.first() else { return Ok(()) };
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        let mut hers: BTreeMap<(&str, &str), (i64, i64)> = BTreeMap::new();
        for (_, entry) in &transaction {
            *sums.entry(&entry.currency).or_default() += entry.amount_minor;
            if let Some(creator) = &entry.creator {
                let (all, out) = hers.entry((creator, &entry.currency)).or_default();
                *all += entry.amount_minor;
                if entry.account == "in_payout" {
                    *out += entry.amount_minor;
                }
            }
        }
        if let Some((currency, sum)) = sums.iter().find(|(_, sum)| **sum != 0) {
            let words = format!("transaction {} comes to {sum} {currency}, not to zero", first.txn);
            return Difference::at(*line, words);
        }
        self.report.transactions += 1;
        let key = (first.cause.clone(), first.cause_id.clone());
        let Some(expected) = self.causes.get_mut(&key) else {
            return self.without_cause(*line, first);
        };
        if first.sequence > expected.as_of {
            // It was read before this was posted.
            return Ok(());
        }
        expected.transactions += 1;
        for ((creator, currency), (all, out)) in hers {
            let minor = match key.0.as_str() {
                "payout" => out,
                "settlement" => -out,
                _ => all,
            };
            let posted = &mut expected.posted;
            match posted.iter_mut().find(|(c, u, _)| c == creator && u == currency) {
                Some((_, _, sum)) => *sum += minor,
                None => posted.push((creator.to_owned(), currency.to_owned(), minor)),
            }
        }
        Ok(())
    }

    /// An entry without its cause is right only if it came after causes were read, or needs none.
    fn without_cause(&self, line: u64, entry: &EntryLine) -> Checked {
        let section = match entry.cause.as_str() {
            "order" => "orders",
            "fee" => "fees",
            "adjustment" => "adjustments",
            "payout" | "settlement" => "payout_lines",
            _ => return Ok(()),
        };
        let complete = self.complete.get(section).copied().unwrap_or(0);
        if entry.sequence > complete {
            return Ok(());
        }
        let words = format!(
            "transaction {} was posted for {} {}, which is not in the export",
            entry.txn, entry.cause, entry.cause_id
        );
        Difference::at(line, words)
    }

    fn finish(&mut self, value: &Value) -> Checked {
        self.settle_waiting()?;
        self.close_transaction()?;
        self.compare_balances(i64::MAX)?;
        self.count_balances()?;
        if let Some((line, head)) = self.heads.front() {
            let words = format!(
                "a head of {} entries was sealed, but there are {}",
                head.size, self.report.entries
            );
            return Difference::at(*line, words);
        }
        let mut causes: Vec<_> = std::mem::take(&mut self.causes).into_iter().collect();
        causes.sort_by_key(|(_, expected)| expected.line);
        for ((kind, id), expected) in causes {
            posted_as_expected(&kind, &id, &expected)?;
        }
        if value["lines"] != self.counted {
            return self.differs(format!(
                "the export had {} lines, but there are {}",
                value["lines"], self.counted
            ));
        }
        self.report.unsealed = self.report.entries - self.sealed;
        self.ended = true;
        Ok(())
    }

    /// The result.
    ///
    /// # Errors
    /// The export breaks off.
    pub fn end(self) -> Checked<Report> {
        if self.ended {
            return Ok(self.report);
        }
        Difference::at(self.number, "the export breaks off here")
    }
}

/// What was posted for a cause up to the moment it was read is what it comes to.
fn posted_as_expected(kind: &str, id: &str, expected: &Expected) -> Checked {
    let mut told = false;
    for (creator, currency, minor) in &expected.posted {
        let own = Some(creator) == expected.creator.as_ref() && *currency == expected.currency;
        told |= own;
        let wanted = if own { expected.minor } else { 0 };
        if *minor != wanted {
            let words = format!(
                "{kind} {id}: {creator} must have {wanted} {currency} (minor units) for it, but \
                 the entries come to {minor}"
            );
            return Difference::at(expected.line, words);
        }
    }
    if !told && expected.minor != 0 {
        let words = format!(
            "{kind} {id} comes to {} {} (minor units), but has no entries",
            expected.minor, expected.currency
        );
        return Difference::at(expected.line, words);
    }
    let once = matches!(kind, "fee" | "adjustment");
    if once && expected.transactions != u64::from(expected.minor != 0) {
        let words = format!("{kind} {id} was posted {} times", expected.transactions);
        return Difference::at(expected.line, words);
    }
    Ok(())
}
