//! The counter object on SQLite.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::domain::click::{Part, Visitor};

const NOON: Millis = 1_795_176_000_000;
const TODAY: i64 = 20_777;
const KEY: [u8; 32] = [5; 32];

/// The storage of an object, which outlives it, with a count of statements and a switch to fail.
#[derive(Clone)]
struct Sqlite {
    db: Rc<RefCell<Connection>>,
    statements: Rc<Cell<u32>>,
    broken: Rc<Cell<bool>>,
}

impl Sqlite {
    fn new() -> Self {
        let db = Rc::new(RefCell::new(Connection::open_in_memory().unwrap()));
        Self { db, statements: Rc::default(), broken: Rc::default() }
    }
    fn number(&self, sql: &str) -> i64 {
        self.db.borrow().query_row(sql, [], |row| row.get(0)).unwrap()
    }
    fn run(&self, sql: &str, input: Option<&str>) -> rusqlite::Result<Vec<String>> {
        let db = self.db.borrow();
        let Some(input) = input.map(|text| [text]) else {
            let mut found = Vec::new();
            if sql.starts_with("SELECT") {
                let mut statement = db.prepare(sql)?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    found.push(row.get("row")?);
                }
            } else {
                db.execute_batch(sql)?;
            }
            return Ok(found);
        };
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query(input)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(row.get("row")?);
        }
        Ok(found)
    }
}

impl SyncSql for Sqlite {
    fn exec(&self, sql: &str, input: Option<&str>) -> Result<Vec<String>, SqlError> {
        if self.broken.get() {
            return Err(SqlError("broken".into()));
        }
        self.statements.set(self.statements.get() + 1);
        self.run(sql, input).map_err(|e| SqlError(format!("{e} in {sql}")))
    }
}

fn open(sql: &Sqlite) -> Counter<Sqlite> {
    Counter::open(sql.clone(), 3, None).unwrap()
}
fn link(n: u16) -> LinkId {
    let [high, low] = n.to_be_bytes();
    LinkId::from_bytes([high, low, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
}
/// One click by each visitor.
fn part(n: u16, day: i64, at_ms: Millis, visitors: impl IntoIterator<Item = u32>) -> Part {
    let hour = u32::try_from(at_ms / 3_600_000).unwrap();
    let fingerprint = |v: u32| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&v.to_be_bytes());
        bytes
    };
    let visitors = visitors.into_iter().map(|v| Visitor { hour, fingerprint: fingerprint(v) });
    let visitors: Vec<_> = visitors.collect();
    Part {
        brand: BrandId::from_bytes([1; 16]),
        deal: DealId::from_bytes([2; 16]),
        link: link(n),
        day: Day(day),
        total: u32::try_from(visitors.len()).unwrap(),
        bot: 0,
        prefetch: 0,
        head: 0,
        visitors,
    }
}
fn absorb(counter: &mut Counter<Sqlite>, now: Millis, parts: Vec<Part>) -> Option<Millis> {
    counter.absorb(&Batch { parts }, now, KEY).unwrap();
    counter.arm(now)
}
/// (clicks, uniques) of the link on `TODAY`.
fn seen(counter: &Counter<Sqlite>, n: u16) -> (u64, u64) {
    let rows = counter.totals(&[link(n)], Day(TODAY), Day(TODAY)).unwrap();
    rows.first().map_or((0, 0), |row| (row.total, row.uniques))
}

#[test]
fn clicks_show_at_once_and_exactly() {
    let sql = Sqlite::new();
    let mut counter = open(&sql);
    let mut first = part(1, TODAY, NOON, 0..3);
    (first.total, first.bot, first.prefetch, first.head) = (7, 4, 5, 6);
    absorb(&mut counter, NOON, vec![first, part(2, TODAY, NOON, 0..1)]);
    absorb(&mut counter, NOON + 1, vec![part(1, TODAY, NOON, 2..5)]);
    let rows = counter.totals(&[link(1), link(1), link(9)], Day(TODAY), Day(TODAY)).unwrap();
    let expected = DayTotals {
        brand_id: BrandId::from_bytes([1; 16]),
        deal_id: DealId::from_bytes([2; 16]),
        link_id: link(1),
        day: Day(TODAY),
        shard: 3,
        total: 10,
        uniques: 5,
        bot: 4,
        prefetch: 5,
        head: 6,
    };
    assert_eq!(rows, [expected]);
    assert_eq!(seen(&counter, 2), (1, 1));
}

#[test]
fn days_are_kept_apart_and_a_range_includes_both_ends() {
    let mut counter = open(&Sqlite::new());
    for day in 0..5 {
        let at = NOON + day * DAY_MS;
        absorb(&mut counter, at, vec![part(1, TODAY + day, at, 0..3)]);
    }
    let days = |from, to| {
        let rows = counter.totals(&[link(1)], Day(TODAY + from), Day(TODAY + to)).unwrap();
        rows.iter().map(|row| (row.day.0 - TODAY, row.uniques)).collect::<Vec<_>>()
    };
    assert_eq!(days(1, 3), [(1, 3), (2, 3), (3, 3)]);
    assert_eq!(days(3, 1), []);
}

#[test]
fn the_first_click_is_written_at_once_and_later_ones_wait_for_the_alarm() {
    let sql = Sqlite::new();
    let mut counter = open(&sql);
    let stored = || sql.number("SELECT total FROM link_days");
    // Nothing but the push waits.
    assert_eq!(absorb(&mut counter, NOON, vec![part(1, TODAY, NOON, 0..1)]), Some(NOON + PUSH_MS));
    assert_eq!(stored(), 1);
    let alarm = absorb(&mut counter, NOON + 1000, vec![part(1, TODAY, NOON, 1..2)]);
    assert_eq!((alarm, stored()), (Some(NOON + 1000 + WRITE_MS), 1));
    // Set already.
    assert_eq!(absorb(&mut counter, NOON + 2000, vec![part(1, TODAY, NOON, 2..3)]), None);
    assert_eq!((stored(), seen(&counter, 1)), (1, (3, 3)));
    assert_eq!(counter.alarm(NOON + 1000 + WRITE_MS).unwrap().map(|push| push.rows.len()), Some(1));
    assert_eq!(stored(), 3);
    // Old enough to be written at once again.
    let later = NOON + 1000 + 2 * WRITE_MS;
    absorb(&mut counter, later, vec![part(1, TODAY, NOON, 3..4)]);
    assert_eq!(stored(), 4);
}

#[test]
fn a_restart_loses_only_what_was_not_written() {
    let sql = Sqlite::new();
    let mut counter = open(&sql);
    absorb(&mut counter, NOON, vec![part(1, TODAY, NOON, 0..200)]);
    absorb(&mut counter, NOON + 1, vec![part(1, TODAY, NOON, 200..230)]);
    let mut counter = open(&sql);
    assert_eq!(seen(&counter, 1), (200, 200));
    // The same visitors under the same key are still the same.
    absorb(&mut counter, NOON + 6000, vec![part(1, TODAY, NOON, 100..210)]);
    assert_eq!(seen(&counter, 1), (310, 210));
    assert_eq!(seen(&open(&sql), 1), (310, 210));
    assert_eq!(sql.number("SELECT count(*) FROM daily_keys"), 1);
}

#[test]
fn totals_are_pushed_once_and_a_repeat_is_the_same() {
    let sql = Sqlite::new();
    let mut counter = open(&sql);
    absorb(&mut counter, NOON, vec![part(1, TODAY, NOON, 0..2), part(2, TODAY, NOON, 0..1)]);
    let due = NOON + PUSH_MS;
    let push = counter.alarm(due).unwrap().unwrap();
    assert_eq!(push.rows.len(), 2);
    // D1 was away: the same again, but five minutes later.
    assert_eq!(counter.arm(due), Some(due + PUSH_MS));
    assert_eq!(counter.alarm(due + 5000).unwrap(), None);
    let again = counter.alarm(due + PUSH_MS).unwrap().unwrap();
    assert_eq!(again.rows, push.rows);
    // A click while the push is under way is not taken for pushed.
    absorb(&mut counter, due + PUSH_MS, vec![part(2, TODAY, NOON, 1..2)]);
    counter.pushed(&again).unwrap();
    let last = counter.alarm(due + 2 * PUSH_MS).unwrap().unwrap();
    let rows: Vec<_> = last.rows.iter().map(|row| (row.link_id, row.total)).collect();
    assert_eq!(rows, [(link(2), 2)]);
    counter.pushed(&last).unwrap();
    assert_eq!(counter.alarm(due + 3 * PUSH_MS).unwrap(), None);
    // Another life knows it too.
    assert_eq!(open(&sql).alarm(due + 4 * PUSH_MS).unwrap(), None);
}

#[test]
fn a_restart_before_the_push_does_not_lose_it_nor_set_the_alarm_again() {
    let sql = Sqlite::new();
    let alarm = absorb(&mut open(&sql), NOON, vec![part(1, TODAY, NOON, 0..2)]);
    let mut counter = Counter::open(sql.clone(), 3, alarm).unwrap();
    assert_eq!(absorb(&mut counter, NOON + 20_000, vec![part(1, TODAY, NOON, 2..3)]), None);
    let push = open(&sql).alarm(alarm.unwrap()).unwrap().unwrap();
    assert_eq!(push.rows[0].total, 3);
}

#[test]
fn a_clock_that_was_turned_back_hides_nothing_from_the_push() {
    let sql = Sqlite::new();
    let mut counter = open(&sql);
    absorb(&mut counter, NOON, vec![part(1, TODAY, NOON, 0..1)]);
    let push = counter.alarm(NOON + PUSH_MS).unwrap().unwrap();
    counter.pushed(&push).unwrap();
    let mut counter = open(&sql);
    let before = NOON - DAY_MS;
    absorb(&mut counter, before, vec![part(1, TODAY, NOON, 1..2)]);
    assert_eq!(sql.number("SELECT total FROM link_days"), 2);
    let push = counter.alarm(before + PUSH_MS).unwrap().unwrap();
    assert_eq!(push.rows[0].total, 2);
}

#[test]
fn keys_are_of_a_day_and_die_after_two() {
    let sql = Sqlite::new();
    let mut counter = open(&sql);
    absorb(&mut counter, NOON, vec![part(1, TODAY, NOON, 0..1)]);
    let push = counter.alarm(NOON + PUSH_MS).unwrap().unwrap();
    counter.pushed(&push).unwrap();
    // Nothing else waits: the alarm is for the key.
    assert_eq!(counter.arm(NOON + PUSH_MS), Some(NOON + KEY_MS));
    let tomorrow = NOON + DAY_MS;
    absorb(&mut counter, tomorrow, vec![part(1, TODAY + 1, tomorrow, 0..1)]);
    assert_eq!(sql.number("SELECT count(DISTINCT key) FROM daily_keys"), 2);
    counter.alarm(NOON + KEY_MS - 1).unwrap();
    assert_eq!(sql.number("SELECT count(*) FROM daily_keys"), 2);
    counter.alarm(NOON + KEY_MS).unwrap();
    assert_eq!(sql.number("SELECT count(*) FROM daily_keys"), 1);
    assert_eq!(sql.number("SELECT min(day) FROM daily_keys"), tomorrow / DAY_MS);
}

#[test]
fn a_batch_about_midnight_uses_a_key_for_either_day() {
    let sql = Sqlite::new();
    let mut counter = open(&sql);
    let midnight = (NOON / DAY_MS + 1) * DAY_MS;
    let parts = vec![part(1, TODAY, midnight - 1, 0..2), part(1, TODAY + 1, midnight, 0..2)];
    absorb(&mut counter, midnight + 10, parts);
    assert_eq!(sql.number("SELECT count(DISTINCT key) FROM daily_keys"), 2);
    assert_eq!(sql.number("SELECT sum(uniques) FROM link_days"), 4);
}

#[test]
fn old_days_go_when_they_are_pushed_and_not_before() {
    let sql = Sqlite::new();
    let mut counter = open(&sql);
    let count = || sql.number("SELECT count(*) FROM link_days");
    absorb(&mut counter, NOON, vec![part(1, TODAY, NOON, 0..1)]);
    let late = NOON + 41 * DAY_MS;
    let push = counter.alarm(late).unwrap().unwrap();
    assert_eq!(count(), 1);
    counter.pushed(&push).unwrap();
    counter.alarm(late + 1000).unwrap();
    assert_eq!(count(), 1);
    counter.alarm(late + DAY_MS).unwrap();
    assert_eq!((count(), seen(&counter, 1)), (0, (0, 0)));
}

#[test]
fn a_batch_takes_few_statements_however_many_links_it_has() {
    let sql = Sqlite::new();
    let mut counter = open(&sql);
    let batch = |v| (0..500).map(move |n| part(n, TODAY, NOON, v..v + 1)).collect::<Vec<_>>();
    let statements = |counter: &mut Counter<Sqlite>, at, v| {
        sql.statements.set(0);
        absorb(counter, at, batch(v));
        sql.statements.get()
    };
    // Load, new key, write; then memory only; then write.
    assert_eq!(statements(&mut counter, NOON, 0), 3);
    assert_eq!(statements(&mut counter, NOON + 1, 1), 0);
    assert_eq!(statements(&mut counter, NOON + WRITE_MS, 2), 1);
    assert_eq!(sql.number("SELECT sum(total) FROM link_days"), 1500);
}

#[test]
fn memory_is_bounded_and_forgetting_counts_nothing_twice() {
    let sql = Sqlite::new();
    let mut counter = open(&sql);
    for round in 0..3 {
        for chunk in 0..6_u16 {
            let at = NOON + i64::from(round) * 1000;
            let parts = (0..500).map(|n| part(chunk * 500 + n, TODAY, NOON, round..round + 2));
            absorb(&mut counter, at, parts.collect());
            assert!(counter.days.len() <= MAX_HELD);
        }
    }
    counter.alarm(NOON + 10_000).unwrap();
    assert_eq!(sql.number("SELECT sum(total) FROM link_days"), 3000 * 6);
    assert_eq!(sql.number("SELECT sum(uniques) FROM link_days"), 3000 * 4);
    for n in 0..300 {
        absorb(&mut counter, NOON + 20_000, vec![part(n, TODAY, NOON, 0..300)]);
    }
    let sketches: usize = counter.days.values().map(|held| held.counts.visitors.memory()).sum();
    assert!(sketches <= MAX_SKETCHES, "{sketches}");
}

#[test]
fn broken_storage_refuses_and_counts_nothing_twice() {
    let sql = Sqlite::new();
    let mut counter = open(&sql);
    absorb(&mut counter, NOON, vec![part(1, TODAY, NOON, 0..1)]);
    sql.broken.set(true);
    let new = Batch { parts: vec![part(2, TODAY, NOON, 0..1)] };
    assert!(counter.absorb(&new, NOON + 1, KEY).is_err());
    let held = Batch { parts: vec![part(1, TODAY, NOON, 1..2)] };
    assert!(counter.absorb(&held, NOON + WRITE_MS, KEY).is_err());
    assert!(counter.alarm(NOON + WRITE_MS).is_err());
    assert_eq!(counter.arm(NOON + WRITE_MS), Some(NOON + 2 * WRITE_MS));
    sql.broken.set(false);
    counter.alarm(NOON + 2 * WRITE_MS).unwrap();
    assert_eq!((seen(&counter, 1), seen(&counter, 2)), ((2, 2), (0, 0)));
    assert_eq!(seen(&open(&sql), 1), (2, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever happens in whatever order, nothing is over-counted, and what D1 was told is what
    /// was stored.
    #[test]
    fn never_more_is_counted_than_was_sent(
        steps in prop::collection::vec((0_u8..6, 0_u16..4, 1_u32..6, 0_i64..20_000), 1..60),
    ) {
        let sql = Sqlite::new();
        let (mut counter, mut now) = (open(&sql), NOON);
        let (mut sent, mut restarted) = (HashMap::new(), false);
        let mut d1: HashMap<LinkId, u64> = HashMap::new();
        for (step, n, clicks, pause) in steps {
            now += pause;
            match step {
                0..=2 => {
                    absorb(&mut counter, now, vec![part(n, TODAY, NOON, 0..clicks)]);
                    *sent.entry(n).or_insert(0) += u64::from(clicks);
                }
                3 => {
                    now += PUSH_MS;
                    if let Some(push) = counter.alarm(now).unwrap() {
                        for row in &push.rows {
                            let told = d1.entry(row.link_id).or_insert(0);
                            prop_assert!(*told <= row.total);
                            *told = row.total;
                        }
                        if clicks > 1 {
                            counter.pushed(&push).unwrap();
                        }
                    }
                }
                4 => drop(counter.alarm(now).unwrap()),
                _ => {
                    counter = open(&sql);
                    restarted = true;
                }
            }
        }
        for (n, clicks) in sent {
            let (total, uniques) = seen(&counter, n);
            prop_assert!(total <= clicks && uniques <= 5);
            prop_assert!(restarted || total == clicks);
            prop_assert!(d1.get(&link(n)).copied().unwrap_or(0) <= total);
        }
        // In the end D1 knows everything that is left.
        now += PUSH_MS;
        for row in open(&sql).alarm(now).unwrap().map(|push| push.rows).unwrap_or_default() {
            d1.insert(row.link_id, row.total);
        }
        let stored = sql.number("SELECT ifnull(sum(total), 0) FROM link_days");
        prop_assert_eq!(d1.values().sum::<u64>(), u64::try_from(stored).unwrap());
    }
}
