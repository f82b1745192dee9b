//! A brand with everything that a filter looks at, thrown by dice, and what is known of it.

use super::*;

/// Reproducible numbers.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()].clone()
    }

    pub fn number(&mut self, below: i64) -> i64 {
        i64::try_from(self.below(u64::try_from(below).unwrap())).unwrap()
    }
}

pub const TODAY: Day = Day(20_779); // 2026-11-22
pub const TAGS: [&str; 4] = ["vip", "new \"kid\"", "late'); DROP TABLE deals; --", "gone"];
pub const STAGES: [&str; 3] = ["Invited", "Posted", "Nowhere"];
pub const WORDS: [&str; 8] = ["yoga", "mat", "yogurt", "anna", "x", "berlin", "AND", "matrix"];
pub const CURRENCIES: [&str; 3] = ["EUR", "USD", "JPY"];
pub const COUNTRIES: [&str; 3] = ["DE", "FR", "BR"];
pub const CAMPAIGNS: [&str; 3] = ["Spring", "Fall", "Winter"];

pub fn quoted(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

pub fn insert(db: &Sqlite, table: &str, row: &Value) {
    let row = row.as_object().unwrap();
    let columns = row.keys().cloned().collect::<Vec<_>>().join(", ");
    let values = row.values().map(quoted).collect::<Vec<_>>().join(", ");
    let sql = format!("INSERT INTO {table} ({columns}) VALUES ({values})");
    db.execute(&sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
}

/// A brand with deals, in the database and as the evaluator sees them.
pub struct World {
    pub brand: BrandId,
    pub zone: Zone,
    pub deals: Vec<Subject>,
    /// Creators as those of no deal are seen: one who was merged isn't in it.
    pub creators: Vec<Subject>,
    pub owners: Vec<String>,
    pub campaigns: Vec<(String, String)>,
}

pub fn id(dice: &mut Dice) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.iter_mut().for_each(|byte| *byte = u8::try_from(dice.below(256)).unwrap());
    bytes
}

impl World {
    pub fn new(db: &Sqlite, dice: &mut Dice) -> Self {
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
    pub fn creators_of(&self, filter: &Filter, sort: Sort, now: &Now<'_>) -> Vec<String> {
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

pub fn dice_of(n: usize, all: &[&'static str]) -> &'static str {
    all[n % all.len()]
}

/// Orders that change their minds: what they come to in the end.
pub fn orders(
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
