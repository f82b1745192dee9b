//! Filters as SQL find what the naive evaluator finds, in the order that it says; totals are what the orders
//! and clicks come to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test stops where an expectation fails"
)]

#[path = "../support/mod.rs"]
mod support;
mod world;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use support::sqlite::Sqlite;
use tributary::app::Pending;
use tributary::domain::filter::naive::{self, Subject};
use tributary::domain::filter::{
    Amount, Condition, Date, Filter, Flag, Knowable, MAX_CONDITIONS, Measure, Month, Now, Number,
    Op, Over, Period, Sort, SortKey, Text, When, parse,
};
use tributary::domain::ids::{BrandId, CampaignId, CreatorId, DealId, LinkId, MemberId, StoreId};
use tributary::domain::money::Currency;
use tributary::domain::time::{DAY_MS, Day, Zone};
use tributary::storage::filter::creators;
use tributary::storage::filter::deals::{self, Budget, Key, Query};
use tributary::storage::{Database, DbError, Freshness, Rows, Statement};
use world::*;

/// Remembers what it was asked.
struct Listening {
    db: Sqlite,
    heard: Arc<Mutex<Vec<Statement>>>,
}

impl Database for Listening {
    fn run_on(
        &self,
        freshness: Freshness,
        statements: Vec<Statement>,
    ) -> Pending<'_, Result<Vec<Rows>, DbError>> {
        self.heard.lock().unwrap().extend(statements.iter().cloned());
        self.db.run_on(freshness, statements)
    }
}

fn over(dice: &mut Dice, money: bool) -> Over {
    let month = |dice: &mut Dice| Month(Month::of(TODAY).0 - dice.number(4));
    let period = match dice.below(7) {
        0 | 1 => Period::All,
        2 => Period::Month(month(dice)),
        3 => Period::ThisMonth,
        4 => Period::LastMonth,
        5 => Period::Days(1 + u32::try_from(dice.below(70)).unwrap()),
        _ => {
            let from = TODAY.plus(-dice.number(80));
            Period::Between(from, from.plus(dice.number(75)))
        }
    };
    let currency = money && dice.one_in(3);
    Over { period, currency: currency.then(|| dice.of(&CURRENCIES).parse().unwrap()) }
}

fn measure(dice: &mut Dice) -> Measure {
    dice.of(Measure::ALL).0
}

fn amount(dice: &mut Dice) -> Amount {
    match dice.below(4) {
        0 => Amount { digits: dice.number(3), scale: 0 },
        1 => Amount { digits: dice.number(2000), scale: 0 },
        2 => Amount { digits: 1 + 2 * dice.number(40) - i64::from(false), scale: 1 },
        _ => Amount { digits: 1 + 10 * dice.number(900), scale: 2 },
    }
}

fn condition(dice: &mut Dice, world: &World) -> Condition {
    let op = dice.of(Op::ALL).0;
    let is = !dice.one_in(3);
    let when = if dice.one_in(2) {
        When::Ago(u32::try_from(dice.below(40)).unwrap())
    } else {
        When::Day(TODAY.plus(-dice.number(40)))
    };
    match dice.below(13) {
        0 => Condition::Keyword(match dice.below(4) {
            0 => format!("{} {}", dice.of(&WORDS), dice.of(&WORDS)),
            1 => "yog* OR \"mat\" NEAR (a) -b".to_owned(),
            2 => dice.of(&WORDS)[..1].to_owned(),
            _ => dice.of(&WORDS).to_uppercase(),
        }),
        1 => Condition::Flag(dice.of(Flag::ALL).0),
        2 => {
            let text = dice.of(Text::ALL).0;
            let mut values = vec![match text {
                Text::Stage => dice.of(&STAGES).to_owned(),
                Text::Campaign if dice.one_in(2) => dice.of(&world.campaigns).0,
                Text::Campaign => dice.of(&CAMPAIGNS).to_owned(),
                Text::Kind => "gifting".to_owned(),
                Text::Owner => dice.of(&world.owners),
                Text::Country => dice.of(&COUNTRIES).to_owned(),
                Text::Language => "de".to_owned(),
                Text::Niche => dice.of(&WORDS).to_owned(),
            }];
            if is && dice.one_in(3) {
                values.push("OTHER".to_owned());
            }
            Condition::Text(text, is, values)
        }
        3 | 4 => Condition::Tag(is, vec![dice.of(&TAGS).to_owned()]),
        5 => Condition::Open(is),
        6 => Condition::Number(dice.of(Number::ALL).0, op, amount(dice)),
        7 => Condition::Date(dice.of(Date::ALL).0, op, when),
        8 if dice.one_in(2) => Condition::FieldText("size".to_owned(), is, "M".to_owned()),
        8 => Condition::FieldNumber("age".to_owned(), op, Amount { digits: 235, scale: 1 }),
        9 => {
            let what = match dice.below(6) {
                0 => Knowable::Text(dice.of(&[Text::Owner, Text::Country, Text::Niche])),
                1 => Knowable::Number(dice.of(Number::ALL).0),
                2 => Knowable::Date(Date::LastContact),
                3 => Knowable::Field("age".to_owned()),
                _ => Knowable::Field("nothing".to_owned()),
            };
            Condition::Unknown(what, is)
        }
        _ => {
            let measure = measure(dice);
            Condition::Measure(measure, over(dice, measure.is_money()), op, amount(dice))
        }
    }
}

fn filter(dice: &mut Dice, world: &World, depth: u64) -> Filter {
    if depth == 0 || dice.one_in(3) {
        return Filter::Is(condition(dice, world));
    }
    match dice.below(5) {
        0 => Filter::Not(Box::new(filter(dice, world, depth - 1))),
        n => {
            let mut parts = Vec::new();
            while parts.len() < 2 || dice.one_in(3) {
                match (filter(dice, world, depth - 1), n < 3) {
                    (Filter::And(inner), true) | (Filter::Or(inner), false) => parts.extend(inner),
                    (part, _) => parts.push(part),
                }
            }
            if n < 3 { Filter::And(parts) } else { Filter::Or(parts) }
        }
    }
}

/// A filter with no more conditions than there may be.
fn short(dice: &mut Dice, world: &World) -> Filter {
    loop {
        let (found, mut conditions) = (filter(dice, world, 3), 0);
        found.each(&mut |_| conditions += 1);
        if conditions <= MAX_CONDITIONS {
            return found;
        }
    }
}

fn sort(dice: &mut Dice) -> Sort {
    let key = match dice.below(9) {
        0 | 1 => SortKey::Created,
        2 => SortKey::Name,
        3 => SortKey::Followers,
        4 => SortKey::LastContact,
        5 => SortKey::DaysSinceLastSale,
        _ => {
            let measure = measure(dice);
            SortKey::Measure(measure, over(dice, measure.is_money()))
        }
    };
    Sort { descending: dice.one_in(2), key }
}

/// All pages, one after the other.
async fn all(db: &dyn Database, query: &Query<'_>, limit: i64, of_creators: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut after: Option<Key> = None;
    for _ in 0..500 {
        let next = if of_creators {
            creators::page(db, query, after.as_ref(), limit).await
        } else {
            deals::page(db, query, after.as_ref(), limit).await
        };
        let next = next.unwrap_or_else(|e| panic!("{e:?}: {}", query.filter.unwrap()));
        assert!(next.keys.len() <= usize::try_from(limit).unwrap());
        found.extend(next.keys.iter().map(|key| key.id.clone()));
        match next.next {
            None => return found,
            some => after = some,
        }
    }
    panic!("pages without an end");
}

async fn rank_all(db: &Sqlite, brand: BrandId) {
    while tributary::storage::ranks::refresh(db, brand, 7).await.unwrap() > 0 {}
}

#[tokio::test]
async fn sql_finds_what_the_evaluator_finds_in_its_order() {
    let cases = std::env::var("FILTERS").ok().and_then(|n| n.parse().ok()).unwrap_or(1500);
    let per_world = 100;
    let (mut matched, mut seen) = (0, 0);
    for seed in 0..cases / per_world {
        let mut dice = Dice(seed);
        let db = Sqlite::new();
        let world = World::new(&db, &mut dice);
        // Its neighbour's data is never seen.
        World::new(&db, &mut dice);
        rank_all(&db, world.brand).await;
        let currency = "EUR".parse().unwrap();
        let now = Now { today: TODAY, zone: &world.zone, currency };
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listening = Listening { db: db.clone(), heard: heard.clone() };
        for nth in 0..per_world {
            let (filter, sort) = (short(&mut dice, &world), sort(&mut dice));
            let text = filter.to_string();
            assert_eq!(parse(&text).as_ref(), Ok(&filter), "{text}");
            assert_eq!(sort.to_string().parse::<Sort>().as_ref(), Ok(&sort), "{sort}");
            let rows = 10 + dice.number(60);
            let small =
                Budget { rows, many: dice.number(12), few: dice.number(12), free: dice.number(12) };
            let budget = dice.of(&[Budget::PAGE, small]);
            let query = Query { brand: world.brand, filter: Some(&filter), sort, now, budget };
            let limit = 1 + dice.number(12);
            let found = all(&listening, &query, limit, false).await;
            let mut expected: Vec<&Subject> =
                world.deals.iter().filter(|deal| naive::finds(&filter, deal, &now)).collect();
            expected.sort_by(|a, b| naive::order(sort, a, b, &now));
            let expected: Vec<String> = expected.into_iter().map(|deal| deal.id.clone()).collect();
            assert_eq!(
                found, expected,
                "seed {seed}/{nth}, {text}, sort {sort}, limit {limit}, {budget:?}"
            );
            matched += usize::from(!found.is_empty() && found.len() < world.deals.len());
            let found = all(&listening, &query, limit, true).await;
            assert_eq!(
                found,
                world.creators_of(&filter, sort, &now),
                "creators, seed {seed}/{nth}, {text}, sort {sort}, limit {limit}, {budget:?}"
            );
            seen += 1;
        }
        for statement in heard.lock().unwrap().iter() {
            within_the_brand(&db, statement);
        }
    }
    assert!(matched * 3 > seen, "{matched} of {seen} filters tell some from others");
}

/// Every look into a table is within the brand; no text has a value in it.
fn within_the_brand(db: &Sqlite, statement: &Statement) {
    let sql = &statement.sql;
    assert!(!sql.contains("DROP") && !sql.contains("vip") && sql.is_ascii(), "{sql}");
    for step in db.rows(&format!("EXPLAIN QUERY PLAN {sql}")) {
        let detail = step["detail"].as_str().unwrap();
        let looks = detail.starts_with("SEARCH ") || detail.starts_with("SCAN ");
        let within = ["(brand_id=?", "VIRTUAL TABLE", "CONSTANT ROW"].iter().any(|w| detail.contains(w))
            // Found by what is unique in the deployment, then compared with the brand.
            || detail.contains("USING INTEGER PRIMARY KEY (rowid=?)") && sql.contains("s.brand_id = ?1")
            || ["SCAN w", "SCAN asked", "SCAN s", "SCAN n", "SCAN k", "SCAN j", "SCAN (subquery", "SCAN (join", "SEARCH (subquery"].iter().any(|w| detail.starts_with(w));
        assert!(!looks || within, "{detail}: {sql}");
    }
}

/// What totals must be: days and clicks added up in Rust.
fn folded(db: &Sqlite) -> Vec<Value> {
    use std::collections::BTreeMap;
    let mut all: BTreeMap<(String, i64, String), [i64; 6]> = BTreeMap::new();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    for row in db.rows("SELECT deal_id, placed_day, currency, state, base_minor, commission_minor FROM orders WHERE deal_id IS NOT NULL") {
        let day = row["placed_day"].as_i64().unwrap();
        for period in [0, Month::of(Day(day)).0] {
            let total = all.entry((text(&row, "deal_id"), period, text(&row, "currency"))).or_default();
            let counts = row["state"] != "cancelled";
            total[0] += i64::from(counts);
            total[1] += row["base_minor"].as_i64().unwrap();
            total[2] += row["commission_minor"].as_i64().unwrap();
            if counts && period == 0 {
                total[5] = total[5].max(day);
            }
        }
    }
    for row in db.rows("SELECT deal_id, day, total, uniques FROM click_days") {
        for period in [0, Month::of(Day(row["day"].as_i64().unwrap())).0] {
            let total = all.entry((text(&row, "deal_id"), period, "EUR".to_owned())).or_default();
            total[3] += row["total"].as_i64().unwrap();
            total[4] += row["uniques"].as_i64().unwrap();
        }
    }
    let rows = all.into_iter().filter(|(_, total)| *total != [0; 6]);
    rows.map(|((deal, period, currency), t)| {
        json!([deal, period, currency, t[0], t[1], t[2], t[3], t[4], t[5]])
    })
    .collect()
}

#[tokio::test]
async fn totals_are_what_orders_and_clicks_come_to() {
    for seed in 0..15 {
        let db = Sqlite::new();
        let mut dice = Dice(1000 + seed);
        let worlds = [World::new(&db, &mut dice), World::new(&db, &mut dice)];
        // Orders that move to another deal.
        let ids: Vec<(String, String)> =
            worlds[0].deals.iter().map(|d| (d.id.clone(), d.creator.clone())).collect();
        for row in db.rows(&format!("SELECT id FROM orders WHERE brand_id = '{}'", worlds[0].brand))
        {
            if dice.one_in(3) {
                let (deal, creator) = dice.of(&ids);
                let (deal, creator) = if dice.one_in(4) {
                    ("NULL".to_owned(), "NULL".to_owned())
                } else {
                    (format!("'{deal}'"), format!("'{creator}'"))
                };
                let money = if deal == "NULL" { ", commission_minor = 0" } else { "" };
                db.execute(&format!("UPDATE orders SET deal_id = {deal}, creator_id = {creator}{money} WHERE id = {}", quoted(&row["id"]))).unwrap();
            }
        }
        for world in &worlds {
            rank_all(&db, world.brand).await;
        }
        let kept = db.rows("SELECT json_array(deal_id, period, currency, orders, base_minor, commission_minor, clicks, uniques, last_day) AS t FROM deal_totals WHERE orders + base_minor + commission_minor + clicks + uniques + last_day > 0 ORDER BY deal_id, period, currency");
        let kept: Vec<Value> = kept
            .iter()
            .map(|row| serde_json::from_str(row["t"].as_str().unwrap()).unwrap())
            .collect();
        assert_eq!(kept, folded(&db), "seed {seed}");
        assert!(kept.len() > 30);
        // The copy that sorts is the same.
        let differs = db.rows("SELECT t.deal_id FROM deal_totals t LEFT JOIN deal_money_ranks r USING (brand_id, deal_id, period, currency) WHERE r.base_minor IS NOT t.base_minor OR r.commission_minor IS NOT t.commission_minor");
        assert!(differs.is_empty(), "{differs:?}");
        let differs = db.rows("SELECT t.deal_id FROM (SELECT brand_id, deal_id, period, sum(orders) AS orders, sum(clicks) AS clicks, max(last_day) AS last_day FROM deal_totals GROUP BY 1, 2, 3) t LEFT JOIN deal_ranks r USING (brand_id, deal_id, period) WHERE r.orders IS NOT t.orders OR r.clicks IS NOT t.clicks OR r.idle IS NOT -t.last_day");
        assert!(differs.is_empty(), "{differs:?}");
    }
}
