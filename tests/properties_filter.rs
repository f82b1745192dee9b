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

mod support;

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

/// Reproducible numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()].clone()
    }

    fn number(&mut self, below: i64) -> i64 {
        i64::try_from(self.below(u64::try_from(below).unwrap())).unwrap()
    }
}

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

const TODAY: Day = Day(20_779); // 2026-11-22
const TAGS: [&str; 4] = ["vip", "new \"kid\"", "late'); DROP TABLE deals; --", "gone"];
const STAGES: [&str; 3] = ["Invited", "Posted", "Nowhere"];
const WORDS: [&str; 8] = ["yoga", "mat", "yogurt", "anna", "x", "berlin", "AND", "matrix"];
const CURRENCIES: [&str; 3] = ["EUR", "USD", "JPY"];
const COUNTRIES: [&str; 3] = ["DE", "FR", "BR"];
const CAMPAIGNS: [&str; 3] = ["Spring", "Fall", "Winter"];

fn quoted(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

fn insert(db: &Sqlite, table: &str, row: &Value) {
    let row = row.as_object().unwrap();
    let columns = row.keys().cloned().collect::<Vec<_>>().join(", ");
    let values = row.values().map(quoted).collect::<Vec<_>>().join(", ");
    let sql = format!("INSERT INTO {table} ({columns}) VALUES ({values})");
    db.execute(&sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
}

/// A brand with deals, in the database and as the evaluator sees them.
struct World {
    brand: BrandId,
    zone: Zone,
    deals: Vec<Subject>,
    /// Creators as those of no deal are seen: one who was merged isn't in it.
    creators: Vec<Subject>,
    owners: Vec<String>,
    campaigns: Vec<(String, String)>,
}

fn id(dice: &mut Dice) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.iter_mut().for_each(|byte| *byte = u8::try_from(dice.below(256)).unwrap());
    bytes
}

impl World {
    fn new(db: &Sqlite, dice: &mut Dice) -> Self {
        let brand = BrandId::from_bytes(id(dice));
        let b = brand.to_string();
        let zone =
            Zone::named(dice.of(&["UTC", "America/Los_Angeles", "Pacific/Auckland"])).unwrap();
        insert(
            db,
            "brands",
            &json!({ "id": b, "name": "B", "currency": "EUR", "timezone": zone.name(),
            "homepage_url": "", "owner_email": "", "hold_days": 30, "earn_on": "paid",
            "count_test_orders": 0, "created_at_ms": 0 }),
        );
        let store = StoreId::from_bytes(id(dice)).to_string();
        db.execute("PRAGMA foreign_keys = OFF").unwrap();
        let owners: Vec<String> =
            (0..2).map(|_| MemberId::from_bytes(id(dice)).to_string()).collect();
        let campaigns: Vec<(String, String)> = CAMPAIGNS
            .map(|name| (CampaignId::from_bytes(id(dice)).to_string(), name.to_owned()))
            .into();
        for (id, name) in &campaigns {
            insert(
                db,
                "campaigns",
                &json!({ "brand_id": b, "id": id, "name": name,
                "stages": json!(STAGES).to_string(), "created_at_ms": 0 }),
            );
        }
        insert(
            db,
            "creator_fields",
            &json!({ "brand_id": b, "id": "f1", "name": "Size", "kind": "text", "created_at_ms": 0 }),
        );
        insert(
            db,
            "creator_fields",
            &json!({ "brand_id": b, "id": "f2", "name": "age", "kind": "number", "created_at_ms": 0 }),
        );
        let (mut deals, mut creators) = (Vec::new(), Vec::<Subject>::new());
        for n in 0..10 {
            let maybe =
                |dice: &mut Dice, value: Value| if dice.one_in(3) { Value::Null } else { value };
            let creator = CreatorId::from_bytes(id(dice)).to_string();
            let words = |dice: &mut Dice| format!("{} {}", dice.of(&WORDS), dice.of(&WORDS));
            let mut text = vec![words(dice), dice.of(&WORDS).to_uppercase()];
            let (name, handle) = (text[0].clone(), text[1].clone());
            let niche = if dice.one_in(2) { Some(dice.of(&WORDS).to_owned()) } else { None };
            text.extend(niche.clone());
            let country = maybe(dice, json!(dice_of(n, &COUNTRIES)));
            let (language, followers) = (maybe(dice, json!("de")), dice.number(5) * 500);
            let followers = maybe(dice, json!(followers));
            let bp = dice.number(4) * 125;
            let engagement = maybe(dice, json!(bp));
            let tags: Vec<String> =
                TAGS.iter().filter(|_| dice.one_in(5)).map(|&t| t.to_owned()).collect();
            let (size, age) =
                (maybe(dice, json!(dice_of(n, &["S", "M"]))), maybe(dice, json!(20 + n)));
            let mut fields = json!({});
            let mut shown = json!({});
            for (key, name, value) in [("f1", "size", &size), ("f2", "age", &age)] {
                if !value.is_null() {
                    fields[key] = value.clone();
                    shown[name] = value.clone();
                }
            }
            let person =
                if dice.one_in(4) { json!(format!("{creator}-person")) } else { Value::Null };
            insert(
                db,
                "creators",
                &json!({ "brand_id": b, "id": creator, "name": name, "handle": handle,
                "niche": niche, "country": country, "language": language, "followers": followers,
                "engagement_bp": engagement, "tags": json!(tags).to_string(), "created_at_ms": 0,
                "fields": fields.to_string(), "person_id": person }),
            );
            if dice.one_in(2) {
                let handle = dice.of(&WORDS);
                text.push(handle.to_owned());
                insert(
                    db,
                    "creator_handles",
                    &json!({ "brand_id": b, "creator_id": creator,
                    "platform": "tiktok", "handle": handle, "handle_key": handle }),
                );
            }
            let first = deals.len();
            for _ in 0..dice.below(5) {
                let deal = DealId::from_bytes(id(dice)).to_string();
                let campaign = dice.of(&campaigns);
                let stage = dice.of(&STAGES).to_owned();
                let its: Vec<String> =
                    TAGS.iter().filter(|_| dice.one_in(5)).map(|&t| t.to_owned()).collect();
                let created =
                    zone.start_of(TODAY.plus(-dice.number(40))) + dice.number(2) * (DAY_MS - 1);
                let contacted = zone.start_of(TODAY.plus(-dice.number(40))) - dice.number(2);
                let contacted = maybe(dice, json!(contacted));
                let who = dice.of(&owners);
                let owner = maybe(dice, json!(who));
                let closed = dice.one_in(3);
                let kind = dice.of(&["affiliate", "gifting"]);
                insert(
                    db,
                    "deals",
                    &json!({ "brand_id": b, "id": deal, "creator_id": creator,
                    "campaign_id": campaign.0, "stage": stage, "tags": json!(its).to_string(),
                    "created_at_ms": created, "contacted_at_ms": contacted, "kind": kind,
                    "closed_at_ms": if closed { json!(1) } else { Value::Null } }),
                );
                db.execute("DROP TRIGGER IF EXISTS deals_owned_by_a_member").unwrap();
                db.execute(&format!(
                    "UPDATE deals SET owner_id = {} WHERE id = '{deal}'",
                    quoted(&owner)
                ))
                .unwrap();
                let mut flags = Vec::new();
                let links: Vec<String> =
                    (0..dice.below(3)).map(|_| LinkId::from_bytes(id(dice)).to_string()).collect();
                for link in &links {
                    let closed = dice.one_in(3);
                    if !closed {
                        flags.push(Flag::HasLink);
                    }
                    insert(
                        db,
                        "links",
                        &json!({ "brand_id": b, "id": link, "deal_id": deal, "store_id": store,
                        "slug": link, "slug_key": link, "host": "", "target": "", "created_at_ms": 0,
                        "closed_at_ms": if closed { json!(1) } else { Value::Null } }),
                    );
                }
                if dice.one_in(2) {
                    let state = dice.of(&["active", "deactivated"]);
                    if state == "active" {
                        flags.push(Flag::HasCode);
                    }
                    insert(
                        db,
                        "codes",
                        &json!({ "brand_id": b, "code_key": deal, "id": deal, "deal_id": deal,
                        "code": deal, "created_at_ms": 0, "state": state }),
                    );
                }
                let invitation = dice.one_in(4);
                if invitation {
                    insert(
                        db,
                        "invitations",
                        &json!({ "secret_hash": format!("{:x<64}", deal), "brand_id": b,
                        "id": deal, "deal_id": deal, "creator_id": creator, "created_at_ms": 0,
                        "expires_at_ms": 1, "revision": 0 }),
                    );
                }
                if invitation || !person.is_null() {
                    flags.push(Flag::Invited);
                }
                if dice.one_in(3) {
                    let note = words(dice);
                    text.push(note.clone());
                    insert(
                        db,
                        "notes",
                        &json!({ "brand_id": b, "deal_id": deal, "id": deal, "text": note,
                        "contact": 0, "author_kind": "key", "author_id": "k", "created_at_ms": 0 }),
                    );
                }
                let mut clicks = Vec::new();
                for link in &links {
                    for shard in 0..dice.below(3) {
                        let day = TODAY.plus(-dice.number(70));
                        let total = 1 + dice.number(9);
                        let uniques = dice.number(total + 1);
                        let row = json!({ "brand_id": b, "link_id": link, "day": day.0, "shard": shard,
                            "deal_id": deal, "total": total, "uniques": uniques, "bot": 0, "prefetch": 0, "head": 0 });
                        insert(db, "click_days", &row);
                        let more = dice.number(2);
                        db.execute(&format!("UPDATE click_days SET total = total + {more} WHERE link_id = '{link}' AND shard = {shard}")).unwrap();
                        clicks.push((day, total + more, uniques));
                    }
                }
                let sales = orders(db, dice, (&b, &store), &deal, &creator);
                deals.push(Subject {
                    id: deal,
                    tags: its.into_iter().chain(tags.clone()).collect(),
                    stage,
                    campaign,
                    kind: kind.to_owned(),
                    owner: owner.as_str().map(str::to_owned),
                    country: country.as_str().map(str::to_owned),
                    language: language.as_str().map(str::to_owned),
                    niche: niche.clone(),
                    followers: followers.as_i64(),
                    engagement_bp: engagement.as_i64(),
                    flags,
                    open: !closed,
                    contacted_at_ms: contacted.as_i64(),
                    created_at_ms: created,
                    fields: shown.clone(),
                    creator: creator.clone(),
                    name: name.clone(),
                    sales,
                    clicks,
                    ..Subject::default()
                });
            }
            deals[first..].iter_mut().for_each(|deal| deal.text = text.join(" "));
            let into = creators.first().map(|into| into.creator.clone());
            if let Some(into) = into.filter(|_| first == deals.len() && dice.one_in(3)) {
                db.execute(&format!(
                    "UPDATE creators SET merged_into = '{into}' WHERE id = '{creator}'"
                ))
                .unwrap();
                continue;
            }
            creators.push(Subject {
                tags,
                country: country.as_str().map(str::to_owned),
                language: language.as_str().map(str::to_owned),
                niche: niche.clone(),
                followers: followers.as_i64(),
                engagement_bp: engagement.as_i64(),
                flags: if person.is_null() { Vec::new() } else { vec![Flag::Invited] },
                fields: shown,
                creator,
                name,
                text: text.join(" "),
                ..Subject::default()
            });
        }
        Self { brand, zone, deals, creators, owners, campaigns }
    }
}

impl World {
    /// The creators of whose deals a filter finds one, or who have none and are found.
    fn creators_of(&self, filter: &Filter, sort: Sort, now: &Now<'_>) -> Vec<String> {
        let mut found: Vec<&Subject> = self.creators.iter().collect();
        found.retain(|creator| {
            let mut hers =
                self.deals.iter().filter(|deal| deal.creator == creator.creator).peekable();
            match hers.peek() {
                None => naive::finds(filter, creator, now),
                Some(_) => hers.any(|deal| naive::finds(filter, deal, now)),
            }
        });
        let by = if sort.is_of_creators() { sort.key } else { SortKey::Created };
        found.sort_by(|a, b| {
            let sort = Sort { key: by, descending: false };
            naive::order(sort, a, b, now).then_with(|| a.creator.cmp(&b.creator))
        });
        if sort.descending {
            found.reverse();
        }
        found.into_iter().map(|creator| creator.creator.clone()).collect()
    }
}

fn dice_of(n: usize, all: &[&'static str]) -> &'static str {
    all[n % all.len()]
}

/// Orders that change their minds: what they come to in the end.
fn orders(
    db: &Sqlite,
    dice: &mut Dice,
    (brand, store): (&str, &str),
    deal: &str,
    creator: &str,
) -> Vec<(Day, Currency, i64, i64, i64)> {
    let mut sales = Vec::new();
    for n in 0..dice.below(5) {
        let currency = dice.of(&CURRENCIES);
        let mut day = TODAY.plus(-dice.number(70));
        let (mut base, mut state) = (dice.number(8) * 250, "paid");
        let order = format!("order-{deal}-{n}");
        insert(
            db,
            "orders",
            &json!({ "brand_id": brand, "id": order, "store_id": store, "external_id": order,
            "revision": 1, "name": "#1", "placed_at_ms": day.0 * DAY_MS, "state": state, "currency": currency,
            "base_minor": base, "commission_minor": base / 10, "deal_id": deal, "creator_id": creator,
            "facts": "{}", "placed_day": day.0 }),
        );
        for _ in 0..dice.below(3) {
            match dice.below(4) {
                0 => base = dice.number(base + 1),
                1 => (base, state) = (0, "cancelled"),
                2 => day = TODAY.plus(-dice.number(70)),
                _ => state = "paid",
            }
            let sql = format!(
                "UPDATE orders SET state = '{state}', base_minor = {base}, commission_minor = {}, placed_day = {} WHERE id = '{order}'",
                base / 10,
                day.0
            );
            db.execute(&sql).unwrap();
        }
        sales.push((
            day,
            currency.parse().unwrap(),
            i64::from(state != "cancelled"),
            base,
            base / 10,
        ));
    }
    sales
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
