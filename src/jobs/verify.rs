//! Verification: a brand's sums, balances and tree, recomputed part by part.
//!
//! A part goes from one sealed head to a later one, page by page: what is in memory is a page, the
//! tree's frontier and the sums. The frontier of a head is stored with it, and its root is what was
//! sealed; so parts can be checked one by one, whenever, and all of them together are the whole. What
//! was checked before a part is in the cursor, which only its holder could deceive herself with.

use serde::Serialize;

use crate::app::App;
use crate::domain::ids::BrandId;
use crate::domain::merkle::{Frontier, hex, leaf};
use crate::domain::money::Currency;
use crate::domain::sorted::Sorted;
use crate::domain::time::to_rfc3339;
use crate::error::{Error, Result};
use crate::storage::ledger::{self as books, EntryRow, HeadRow};
use crate::storage::proofs;

/// So many entries are read at once.
const PAGE: i64 = 2000;
/// So many creators' balances are compared at once, and at most in one part.
const CREATORS: i64 = 50;
const MOST_CREATORS: i64 = 10_000;
/// Later than any creator's id.
const LAST: &str = "creator_~";

/// The latest head of a brand's tree as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Head {
    /// Entries sealed.
    pub size: i64,
    /// Root of the Merkle tree over them, SHA-256 in hex.
    pub root: String,
    /// When it was sealed.
    pub sealed_at: String,
}

impl From<HeadRow> for Head {
    fn from(row: HeadRow) -> Self {
        Self { size: row.size, root: row.root, sealed_at: to_rfc3339(row.sealed_at_ms) }
    }
}

/// What verification found up to some place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// How many entries were checked.
    pub entries: i64,
    /// How many transactions begin among them.
    pub transactions: i64,
    /// Their sums per currency.
    pub sums: Sorted<Currency, i64>,
    /// Every transaction sums to zero, and every balance is the fold of its entries.
    pub balances_match: bool,
    /// The tree recomputed from the entries has the sealed roots.
    pub chain_intact: bool,
    /// The sequence up to which entries were read.
    at: i64,
    /// The creator up to whom balances were compared, once all entries are done.
    after: Option<String>,
}

impl Default for Verification {
    fn default() -> Self {
        Self {
            entries: 0,
            transactions: 0,
            sums: Sorted::new(),
            balances_match: true,
            chain_intact: true,
            at: 0,
            after: None,
        }
    }
}

impl Verification {
    /// What it takes to go on from here, as a cursor's key.
    #[must_use]
    pub fn key(&self) -> String {
        let (Self { entries, transactions, at, .. }, after) = (self, self.after.as_deref());
        let flags = u8::from(self.balances_match) * 2 + u8::from(self.chain_intact);
        let mut key = format!("{entries}/{transactions}/{at}/{flags}/{}", after.unwrap_or("-"));
        for (currency, minor) in self.sums.clone() {
            key.push_str(&format!("/{}/{minor}", currency.code()));
        }
        key
    }

    /// What a cursor's key says.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        let mut parts = key.split('/');
        let mut number = || parts.next()?.parse::<i64>().ok().filter(|n| *n >= 0);
        let (entries, transactions, at, flags) = (number()?, number()?, number()?, number()?);
        let after = parts.next().filter(|after| *after != "-").map(str::to_owned);
        let mut sums = Sorted::new();
        while let Some(currency) = parts.next() {
            sums.insert(currency.parse().ok()?, parts.next()?.parse().ok()?);
        }
        let (balances_match, chain_intact) = (flags & 2 == 2, flags & 1 == 1);
        Some(Self { entries, transactions, sums, balances_match, chain_intact, at, after })
    }

    /// Takes a page of entries in, in the order of their sequences. Only a whole transaction is
    /// compared: `open` is what the one under way comes to.
    fn take(&mut self, entries: &[EntryRow], open: &mut Open) {
        for entry in entries {
            if entry.sequence != self.at + 1 {
                self.chain_intact = false;
            }
            self.at = entry.sequence;
            self.entries += 1;
            if entry.txn == entry.sequence {
                self.close(open);
                self.transactions += 1;
                open.txn = entry.txn;
            }
            if entry.txn != open.txn {
                self.balances_match = false;
            }
            let Ok(currency) = entry.currency.parse::<Currency>() else {
                self.balances_match = false;
                continue;
            };
            open.sums.change(currency, |sum| *sum += entry.amount_minor);
            self.sums.change(currency, |sum| *sum += entry.amount_minor);
        }
    }

    fn close(&mut self, open: &mut Open) {
        let sums = std::mem::take(&mut open.sums);
        self.balances_match &= sums.values().all(|sum| *sum == 0);
    }
}

/// The transaction under way.
#[derive(Default)]
struct Open {
    txn: i64,
    sums: Sorted<Currency, i64>,
}

/// Goes on with a verification: `most` entries or a little more, then the balances. Answers what was
/// found so far, whether there is more to do, and the latest head.
///
/// # Errors
/// [`Error`] if D1 was away.
pub async fn verify(
    app: &App,
    brand: BrandId,
    mut found: Verification,
    most: i64,
) -> Result<(Verification, bool, Option<Head>)> {
    let head = books::head(app.db(), brand).await?;
    if found.after.is_none() {
        let sealed = head.as_ref().map_or(0, |head| head.size);
        let left = chain(app, brand, &mut found, (most, sealed)).await?;
        if left {
            return Ok((found, true, head.map(Head::from)));
        }
        found.after = Some(String::new());
    }
    let left = balances(app, brand, &mut found).await?;
    Ok((found, left, head.map(Head::from)))
}

/// Checks entries from head to head, and at last those that aren't sealed yet.
async fn chain(
    app: &App,
    brand: BrandId,
    found: &mut Verification,
    (most, sealed): (i64, i64),
) -> Result<bool> {
    let started = found.at;
    // The head at which the part before ended; one that isn't there can't be gone on from.
    let mut frontier = match proofs::head_up_to(app.db(), brand, started).await? {
        Some(head) if head.size == started => {
            let frontier = head.frontier()?;
            found.chain_intact &= hex(&frontier.root()) == head.root;
            frontier
        }
        _ if started == 0 => Frontier::default(),
        _ => return Err(Error::invalid("cursor", "is none that this verification gave")),
    };
    let mut open = Open::default();
    while found.at < sealed {
        if found.at - started >= most {
            // A head is at the end of a transaction.
            found.close(&mut open);
            return Ok(true);
        }
        // The last head within reach, or else the next one, however far it is.
        let reach = found.at.saturating_add(most).min(sealed);
        let within = proofs::head_up_to(app.db(), brand, reach).await?;
        let next = match within.filter(|head| head.size > found.at) {
            Some(head) => Some(head),
            None => proofs::head_after(app.db(), brand, found.at).await?,
        };
        let Some(HeadRow { size: goal, root, .. }) = next else { break };
        read(app, brand, found, &mut open, (Some(&mut frontier), goal)).await?;
        found.chain_intact &= found.at == goal && hex(&frontier.root()) == root;
        found.at = goal;
    }
    read(app, brand, found, &mut open, (None, i64::MAX >> 11)).await?;
    found.close(&mut open);
    Ok(false)
}

/// Reads entries up to a sequence, and lets the tree grow by them.
async fn read(
    app: &App,
    brand: BrandId,
    found: &mut Verification,
    open: &mut Open,
    (mut frontier, up_to): (Option<&mut Frontier>, i64),
) -> Result<()> {
    let salt_key = app.config.data_key.subkey("ledger-salt", Some(brand));
    loop {
        let entries = books::entries(app.db(), brand, found.at, up_to, PAGE).await?;
        for entry in &entries {
            if let Some(frontier) = &mut frontier {
                frontier.push(&leaf(&salt_key, entry.sequence, &entry.canonical(brand)));
            }
        }
        found.take(&entries, open);
        if !i64::try_from(entries.len()).is_ok_and(|n| n >= PAGE) {
            return Ok(());
        }
    }
}

/// Compares balances with the folds of their entries, some creators at a time.
async fn balances(app: &App, brand: BrandId, found: &mut Verification) -> Result<bool> {
    let mut after = found.after.clone().unwrap_or_default();
    for _ in 0..MOST_CREATORS / CREATORS {
        let creators = proofs::creators_after(app.db(), brand, &after, CREATORS).await?;
        let full = i64::try_from(creators.len()).is_ok_and(|n| n >= CREATORS);
        // The last part takes in whoever is no creator of the brand.
        let up_to = creators.last().filter(|_| full).map_or(LAST.to_owned(), ToString::to_string);
        found.balances_match &= proofs::are_folds(app.db(), brand, &after, &up_to).await?;
        if !full {
            return Ok(false);
        }
        after = up_to;
        found.after = Some(after.clone());
    }
    Ok(true)
}
