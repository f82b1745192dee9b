//! What a counter object does with clicks: it holds many links' days in memory, writes them to
//! its own SQLite at most every few seconds, and hands absolute totals on to D1.
//!
//! Never over-counts. A restart loses what was not yet written: the clicks of at most
//! [`WRITE_MS`] on days that were written shortly before.
//!
//! Every statement takes at most one parameter, a JSON text, and gives at most one column of JSON
//! text: numbers bound to the object's SQL would arrive as floats, JSON integers don't.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::rows::from_json;
use super::{FromColumn, row};
use crate::domain::click::Batch;
use crate::domain::counter::{DailyKey, LinkDay, Sketch};
use crate::domain::ids::{BrandId, DealId, LinkId};
use crate::domain::json::json;
use crate::domain::sorted::Sorted;
use crate::domain::time::{DAY_MS, Day, Millis};

/// A link's day is written at once if its last write is as old as this, else by an alarm.
pub const WRITE_MS: Millis = 5_000;
/// How often totals go to D1.
pub const PUSH_MS: Millis = 5 * 60_000;
/// How long a daily key lives.
pub const KEY_MS: Millis = 48 * 3_600_000;
/// How long days are kept here; after that D1 alone has them.
pub const KEPT_DAYS: i64 = 40;
/// How many links' days are held in memory, and how many bytes of sketches: many objects share
/// the 128 MB of one isolate.
const MAX_HELD: usize = 2_048;
const MAX_SKETCHES: usize = 1 << 20;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS link_days (
  link_id    TEXT    NOT NULL,
  day        INTEGER NOT NULL, -- days since 1970 in the brand's calendar
  deal_id    TEXT    NOT NULL,
  brand_id   TEXT    NOT NULL,
  total      INTEGER NOT NULL CHECK (total >= 0), -- shoppers
  uniques    INTEGER NOT NULL CHECK (uniques BETWEEN 0 AND total),
  bot        INTEGER NOT NULL CHECK (bot >= 0),
  prefetch   INTEGER NOT NULL CHECK (prefetch >= 0),
  head       INTEGER NOT NULL CHECK (head >= 0),
  written_at INTEGER NOT NULL, -- milliseconds; above pushes.through until D1 has the row
  visitors   TEXT    NOT NULL, -- sketch in base64; last, so that scans don't read it
  PRIMARY KEY (link_id, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS daily_keys (
  day     INTEGER PRIMARY KEY, -- days since 1970 in UTC
  key     TEXT    NOT NULL,    -- 32 random bytes in base64, deleted after 48 hours
  made_at INTEGER NOT NULL     -- milliseconds
) STRICT;
CREATE TABLE IF NOT EXISTS pushes (
  id      INTEGER PRIMARY KEY CHECK (id = 1),
  through INTEGER NOT NULL     -- D1 has every row of link_days written up to then
) STRICT;
";

/// The synchronous SQL of a Durable Object, or SQLite in tests.
pub trait SyncSql {
    /// Runs `sql` (several statements only without input) with `input` as `?1`. Gives the first
    /// column of every row, always text; it is called `row`.
    ///
    /// # Errors
    /// What the database says.
    fn exec(&self, sql: &str, input: Option<&str>) -> Result<Vec<String>, SqlError>;
}

/// The object's storage failed, or holds what was never written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("click counter: {0}")]
pub struct SqlError(pub String);

row! {
    /// The absolute numbers of one link's day, as D1 gets them: writing them twice changes nothing.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct DayTotals {
        /// The tenant.
        pub brand_id: BrandId,
        /// The deal that the link belongs to.
        pub deal_id: DealId,
        /// The link.
        pub link_id: LinkId,
        /// The day in the brand's calendar.
        pub day: Day,
        /// Which counter object says so; part of the key in D1, in case the number of objects changes.
        pub shard: u32,
        /// Visits by shoppers.
        pub total: u64,
        /// Shoppers, each once an hour.
        pub uniques: u64,
        /// Visits by bots.
        pub bot: u64,
        /// Visits by browsers that looked ahead.
        pub prefetch: u64,
        /// `HEAD` requests.
        pub head: u64,
    }
}

row! {
    /// A daily key as it is stored.
    struct KeyRow {
        day: u32,
        key: String,
        made_at: Millis,
    }

    /// A link's day as it is stored.
    struct DayRow {
        brand_id: BrandId,
        deal_id: DealId,
        link_id: LinkId,
        day: Day,
        total: u64,
        bot: u64,
        prefetch: u64,
        head: u64,
        visitors: String,
        written_at: Millis,
    }
}

/// Totals on their way to D1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// What changed since the last push, all of it stored here before.
    pub rows: Vec<DayTotals>,
    through: Millis,
}

/// A link's day in memory.
#[derive(Debug)]
struct Held {
    counts: LinkDay,
    /// When it was last written; 0: never.
    written_at: Millis,
    dirty: bool,
}

impl Held {
    fn waits(&self, _: Millis) -> bool {
        self.dirty
    }

    fn is_due(&self, now_ms: Millis) -> bool {
        // A time in the future is a clock that was turned back.
        self.dirty && !(0..WRITE_MS).contains(&(now_ms - self.written_at))
    }
}

/// The key of one UTC day in memory.
struct HeldKey {
    day: u32,
    key: DailyKey,
    made_at: Millis,
}

/// One counter object.
pub struct Counter<S> {
    sql: S,
    shard: u32,
    days: HashMap<(LinkId, Day), Held>,
    /// The keys of two or three UTC days.
    keys: Vec<HeldKey>,
    /// What D1 has, see the table `pushes`, and what was handed out to be pushed since.
    through: Millis,
    taken: Millis,
    /// When the next push is due, if anything is known to wait for it.
    push_at: Option<Millis>,
    /// A push before the first look at the table would be a guess.
    looked: bool,
    changed: bool,
    pruned: Day,
    armed_at: Option<Millis>,
}

impl<S: SyncSql> Counter<S> {
    /// Opens the storage of one shard. `armed_at` is the object's present alarm, which may be of
    /// an earlier life.
    ///
    /// # Errors
    /// The storage fails.
    pub fn open(sql: S, shard: u32, armed_at: Option<Millis>) -> Result<Self, SqlError> {
        sql.exec(SCHEMA, None)?;
        let select = "SELECT json_object('day', day, 'key', key, 'made_at', made_at) AS row
           FROM daily_keys";
        let mut keys = Vec::new();
        for KeyRow { day, key, made_at } in rows(&sql.exec(select, None)?)? {
            let key = STANDARD_NO_PAD.decode(key).ok().and_then(|key| key.try_into().ok());
            let key = key.ok_or_else(|| SqlError("a stored key can't be read".into()))?;
            keys.push(HeldKey { day, key: DailyKey::new(&key), made_at });
        }
        let select = "SELECT json_array(through) AS row FROM pushes";
        let pushes: Vec<Vec<Millis>> = rows(&sql.exec(select, None)?)?;
        let through = pushes.into_iter().flatten().next().unwrap_or(0);
        let (days, taken, changed) = (HashMap::new(), through, false);
        let (push_at, looked, pruned) = (armed_at, false, Day::default());
        Ok(Self {
            sql,
            shard,
            days,
            keys,
            through,
            taken,
            push_at,
            looked,
            changed,
            pruned,
            armed_at,
        })
    }

    /// Counts a batch. `random` becomes the daily key if a new one is needed. Afterwards
    /// [`Self::arm`] says whether an alarm has to be set.
    ///
    /// # Errors
    /// The storage fails: before anything was counted, or with the counts kept in memory. In both
    /// cases the batch may not be sent again.
    pub fn absorb(
        &mut self,
        batch: &Batch,
        now_ms: Millis,
        random: [u8; 32],
    ) -> Result<(), SqlError> {
        self.load(batch)?;
        self.make_keys(batch, now_ms, random)?;
        let keys = &self.keys;
        for part in &batch.parts {
            let held = self.days.entry((part.link, part.day)).or_insert_with(|| Held {
                counts: LinkDay::new(part),
                written_at: 0,
                dirty: false,
            });
            held.counts.absorb(part, |day| keys.iter().find(|k| k.day == day).map(|k| &k.key));
            held.dirty = true;
        }
        self.changed |= !batch.parts.is_empty();
        if self.changed {
            self.push_at.get_or_insert(now_ms + PUSH_MS);
        }
        self.write(now_ms, Held::is_due)?;
        self.shrink(now_ms)
    }

    /// Does what the object's alarm is for: writes what waits, deletes old keys and days, and
    /// hands out what D1 does not have if five minutes are over. After the push was committed,
    /// [`Self::pushed`]; in any case [`Self::arm`].
    ///
    /// # Errors
    /// The storage fails; nothing is lost and a later alarm does the work.
    pub fn alarm(&mut self, now_ms: Millis) -> Result<Option<Push>, SqlError> {
        self.armed_at = None;
        self.write(now_ms, Held::waits)?;
        self.expire_keys(now_ms)?;
        self.prune(now_ms)?;
        self.shrink(now_ms)?;
        if self.looked && self.push_at.is_none_or(|at| now_ms < at) {
            return Ok(None);
        }
        let select = format!(
            "SELECT {TOTALS} AS row FROM link_days AS d WHERE d.written_at > (?1 ->> '$.through')"
        );
        let input = json!({ "through": self.through });
        let rows = self.totals_of(&select, &input)?;
        self.looked = true;
        self.changed = false;
        if rows.is_empty() {
            self.push_at = None;
            return Ok(None);
        }
        // Until it is known that D1 took it: again after the usual time, not at once.
        self.push_at = Some(now_ms + PUSH_MS);
        self.taken = self.taken.max(now_ms);
        Ok(Some(Push { rows, through: self.taken }))
    }

    /// Notes that D1 has committed a push.
    ///
    /// # Errors
    /// The storage fails: the same totals are pushed again, which changes nothing.
    pub fn pushed(&mut self, push: &Push) -> Result<(), SqlError> {
        self.sql.exec(
            "INSERT INTO pushes (id, through) SELECT 1, ?1 ->> '$.through' WHERE true
             ON CONFLICT (id) DO UPDATE SET through = excluded.through",
            Some(&json!({ "through": push.through })),
        )?;
        self.through = push.through;
        if !self.changed {
            self.push_at = None;
        }
        Ok(())
    }

    /// When the alarm has to go off, if it isn't set for then or earlier: each setting is billed
    /// as a written row. Call it last and set the alarm that it gives.
    pub fn arm(&mut self, now_ms: Millis) -> Option<Millis> {
        let write = self.days.values().any(|held| held.dirty).then_some(now_ms + WRITE_MS);
        let expiry = self.keys.iter().map(|key| key.made_at + KEY_MS).min();
        let next = [write, self.push_at, expiry].into_iter().flatten().min()?;
        // One that should have gone off long ago was given up by the platform.
        if self.armed_at.is_some_and(|at| at <= next && at > now_ms - PUSH_MS) {
            return None;
        }
        self.armed_at = Some(next);
        self.armed_at
    }

    /// The numbers of these links on the days `from` to `to`, both included, up to this moment,
    /// by link and day.
    /// Days older than [`KEPT_DAYS`] may be missing: D1 has them.
    ///
    /// # Errors
    /// The storage fails.
    pub fn totals(&self, links: &[LinkId], from: Day, to: Day) -> Result<Vec<DayTotals>, SqlError> {
        let select = format!(
            "SELECT {TOTALS} AS row FROM json_each(?1, '$.links') AS l
             CROSS JOIN link_days AS d ON d.link_id = l.value
               AND d.day BETWEEN (?1 ->> '$.from') AND (?1 ->> '$.to')"
        );
        let mut asked = Sorted::new();
        for link in links {
            asked.insert(*link, ());
        }
        let mut rows =
            self.totals_of(&select, &json!({ "links": links, "from": from, "to": to }))?;
        // What memory holds is at least as new as what is stored.
        rows.retain(|row| !self.days.contains_key(&(row.link_id, row.day)));
        let live = self.days.values().map(|held| &held.counts);
        let live = live.filter(|c| asked.get(&c.link).is_some());
        let live = live.filter(|c| (from..=to).contains(&c.day));
        rows.extend(live.map(|counts| self.totals_held(counts)));
        rows.sort_unstable_by_key(|row| (row.link_id, row.day));
        Ok(rows)
    }

    /// Brings the days that the batch is about into memory.
    fn load(&mut self, batch: &Batch) -> Result<(), SqlError> {
        let wanted = batch.parts.iter().map(|part| (part.link, part.day));
        let missing: Vec<_> = wanted.filter(|key| !self.days.contains_key(key)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let found = self.sql.exec(
            "SELECT json_object('brand_id', d.brand_id, 'deal_id', d.deal_id, 'link_id', d.link_id,
               'day', d.day, 'total', d.total, 'bot', d.bot, 'prefetch', d.prefetch,
               'head', d.head, 'visitors', d.visitors, 'written_at', d.written_at) AS row
             FROM json_each(?1) AS k
             CROSS JOIN link_days AS d ON d.link_id = k.value ->> 0 AND d.day = k.value ->> 1",
            Some(&json!(missing)),
        )?;
        for row in rows::<DayRow>(&found)? {
            // One of a later version, after a rollback: uniques start anew and are too few, but
            // the clicks of the whole shard go on counting.
            let sketch = STANDARD_NO_PAD.decode(row.visitors).ok();
            let visitors = sketch.and_then(|bytes| Sketch::from_bytes(&bytes)).unwrap_or_default();
            let counts = LinkDay {
                brand: row.brand_id,
                deal: row.deal_id,
                link: row.link_id,
                day: row.day,
                total: row.total,
                bot: row.bot,
                prefetch: row.prefetch,
                head: row.head,
                visitors,
            };
            let held = Held { counts, written_at: row.written_at, dirty: false };
            self.days.insert((row.link_id, row.day), held);
        }
        Ok(())
    }

    /// Writes the days that `which` picks, in one statement.
    fn write(&mut self, now_ms: Millis, which: fn(&Held, Millis) -> bool) -> Result<(), SqlError> {
        // Above everything that was pushed or is on its way, whatever the clock says.
        let written_at = now_ms.max(self.taken + 1);
        let picked: Vec<_> = self.days.values().filter(|held| which(held, now_ms)).collect();
        if picked.is_empty() {
            return Ok(());
        }
        let values: Vec<_> = picked
            .iter()
            .map(|Held { counts: c, .. }| {
                let sketch = STANDARD_NO_PAD.encode(c.visitors.to_bytes());
                (
                    c.link,
                    c.day,
                    c.deal,
                    c.brand,
                    c.total,
                    c.uniques(),
                    c.bot,
                    c.prefetch,
                    c.head,
                    written_at,
                    sketch,
                )
            })
            .collect();
        let input = serde_json::to_string(&values).map_err(|e| SqlError(e.to_string()))?;
        self.sql.exec(
            "INSERT INTO link_days (link_id, day, deal_id, brand_id, total, uniques, bot, prefetch,
               head, written_at, visitors)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
               value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10
             FROM json_each(?1) WHERE true
             ON CONFLICT (link_id, day) DO UPDATE SET total = excluded.total,
               uniques = excluded.uniques, bot = excluded.bot, prefetch = excluded.prefetch,
               head = excluded.head, written_at = excluded.written_at,
               visitors = excluded.visitors",
            Some(&input),
        )?;
        for held in self.days.values_mut().filter(|held| which(held, now_ms)) {
            held.written_at = written_at;
            held.dirty = false;
        }
        Ok(())
    }

    /// Forgets days that are written when memory holds too much.
    fn shrink(&mut self, now_ms: Millis) -> Result<(), SqlError> {
        let too_much = |days: &HashMap<_, Held>| {
            let sketches: usize = days.values().map(|held| held.counts.visitors.memory()).sum();
            days.len() > MAX_HELD || sketches > MAX_SKETCHES
        };
        if too_much(&self.days) {
            self.days.retain(|_, held| held.dirty);
            if too_much(&self.days) {
                self.write(now_ms, Held::waits)?;
                self.days.clear();
            }
            self.days.shrink_to_fit();
        }
        Ok(())
    }

    /// Makes the keys of UTC days that the batch touches and that have none.
    fn make_keys(
        &mut self,
        batch: &Batch,
        now_ms: Millis,
        random: [u8; 32],
    ) -> Result<(), SqlError> {
        self.expire_keys(now_ms)?;
        let visitors = batch.parts.iter().flat_map(|part| &part.visitors);
        for day in visitors.map(|visitor| visitor.hour / 24) {
            if self.keys.iter().any(|key| key.day == day) {
                continue;
            }
            // A batch about midnight may need two keys from one drawing.
            let hash = Sha256::new().chain_update(random).chain_update(day.to_le_bytes());
            let key: [u8; 32] = hash.finalize().into();
            self.sql.exec(
                "INSERT INTO daily_keys (day, key, made_at)
                 SELECT ?1 ->> 0, ?1 ->> 1, ?1 ->> 2",
                Some(&json!([day, STANDARD_NO_PAD.encode(key), now_ms])),
            )?;
            self.keys.push(HeldKey { day, key: DailyKey::new(&key), made_at: now_ms });
        }
        Ok(())
    }

    /// Deletes the keys whose 48 hours are over.
    fn expire_keys(&mut self, now_ms: Millis) -> Result<(), SqlError> {
        let last = now_ms - KEY_MS;
        if self.keys.iter().any(|key| key.made_at <= last) {
            let input = json!([last]);
            self.sql.exec("DELETE FROM daily_keys WHERE made_at <= ?1 ->> 0", Some(&input))?;
            self.keys.retain(|key| key.made_at > last);
        }
        Ok(())
    }

    /// Deletes days that are old and known to D1, once a day.
    fn prune(&mut self, now_ms: Millis) -> Result<(), SqlError> {
        let today = Day(now_ms.div_euclid(DAY_MS));
        if self.pruned == today {
            return Ok(());
        }
        let oldest = today.plus(-KEPT_DAYS);
        self.sql.exec(
            "DELETE FROM link_days WHERE day < ?1 ->> 0 AND written_at <= ?1 ->> 1",
            Some(&json!([oldest, self.through])),
        )?;
        self.days.retain(|(_, day), held| held.dirty || *day >= oldest);
        self.pruned = today;
        Ok(())
    }

    fn totals_of(&self, select: &str, input: &str) -> Result<Vec<DayTotals>, SqlError> {
        let found = self.sql.exec(select, Some(input))?;
        let mut totals = rows::<DayTotals>(&found)?;
        totals.iter_mut().for_each(|row| row.shard = self.shard);
        Ok(totals)
    }

    fn totals_held(&self, counts: &LinkDay) -> DayTotals {
        DayTotals {
            brand_id: counts.brand,
            deal_id: counts.deal,
            link_id: counts.link,
            day: counts.day,
            shard: self.shard,
            total: counts.total,
            uniques: counts.uniques(),
            bot: counts.bot,
            prefetch: counts.prefetch,
            head: counts.head,
        }
    }
}

/// A row of `link_days AS d` as [`DayTotals`].
const TOTALS: &str = "json_object('brand_id', d.brand_id, 'deal_id', d.deal_id,
  'link_id', d.link_id, 'day', d.day, 'total', d.total, 'uniques', d.uniques, 'bot', d.bot,
  'prefetch', d.prefetch, 'head', d.head, 'shard', 0)";

fn rows<T: FromColumn>(texts: &[String]) -> Result<Vec<T>, SqlError> {
    let unfit = || SqlError("a stored row has another form".to_owned());
    texts.iter().map(|text| from_json(text).ok_or_else(unfit)).collect()
}

#[cfg(test)]
#[path = "click_counter_tests.rs"]
mod tests;
