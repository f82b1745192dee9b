//! Migrations of databases that have something in them: what is filled in is what the triggers would have made.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where an expectation fails"
)]

use rusqlite::Connection;

/// A database with the migrations whose numbers are in the span.
fn migrate(db: &Connection, from: &str, to: &str) {
    let mut files: Vec<_> =
        std::fs::read_dir("migrations").unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if name.as_str() >= from && &name[..4] <= to {
            db.execute_batch(&std::fs::read_to_string(file).unwrap())
                .unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
}

/// All rows of a query, as text.
fn rows(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap();
    let columns = statement.column_count();
    let read = |row: &rusqlite::Row<'_>| {
        let all: Vec<String> =
            (0..columns).map(|n| format!("{:?}", row.get_ref(n).unwrap())).collect();
        Ok(all.join(" "))
    };
    statement.query_map([], read).unwrap().map(Result::unwrap).collect()
}

/// A brand with orders by codes, links and journeys, by hand and cancelled, in two currencies.
const BOOKS: &str = r#"
INSERT INTO brands (id, name, currency, timezone, homepage_url, owner_email, hold_days, earn_on, count_test_orders, created_at_ms)
  VALUES ('brand_b', 'B', 'EUR', 'UTC', '', '', 30, 'paid', 0, 0);
INSERT INTO creators (brand_id, id, name, handle, tags, niche, created_at_ms) VALUES ('brand_b', 'creator_c', 'Zoë', 'zoe', '[]', 'Yoga', 0), ('brand_b', 'creator_d', 'Bea', 'bea', '[]', NULL, 0);
INSERT INTO campaigns (brand_id, id, name, stages, created_at_ms) VALUES ('brand_b', 'k', 'K', '["Posted"]', 0);
INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, created_at_ms) VALUES ('brand_b', 'd', 'creator_c', 'k', 'Posted', '[]', 0), ('brand_b', 'e', 'creator_d', 'k', 'Posted', '[]', 0);
INSERT INTO notes (brand_id, deal_id, id, text, contact, author_kind, author_id, created_at_ms) VALUES ('brand_b', 'd', 'n', 'Likes mats', 0, 'key', 'k', 0);
"#;

/// Orders, by whose winners the days are told apart.
const ORDERS: &str = r#"
INSERT INTO orders (brand_id, id, store_id, external_id, revision, name, placed_at_ms, state, currency, base_minor, commission_minor, deal_id, creator_id, available_day, facts, decision, placed_day) VALUES
  ('brand_b', 'o1', 's', '1', 1, '#1', 5, 'paid', 'EUR', 1000, 100, 'd', 'creator_c', 30, '{}', '{"winner":{"method":"code"}}', 20000),
  ('brand_b', 'o2', 's', '2', 1, '#2', 5, 'paid', 'EUR', 2000, 200, 'd', 'creator_c', 30, '{}', '{"winner":{"method":"link"}}', 20000),
  ('brand_b', 'o3', 's', '3', 1, '#3', 5, 'partially_refunded', 'EUR', 300, 30, 'd', 'creator_c', 30, '{}', '{"winner":{"method":"journey"}}', 20000),
  ('brand_b', 'o4', 's', '4', 1, '#4', 5, 'cancelled', 'EUR', 0, 0, 'd', 'creator_c', 30, '{}', '{"winner":{"method":"code"}}', 20000),
  ('brand_b', 'o5', 's', '5', 1, '#5', 5, 'paid', 'USD', 700, 70, 'd', 'creator_c', 30, '{}', '{"winner":{"method":"code"}}', 20000),
  ('brand_b', 'o6', 's', '6', 1, '#6', 5, 'paid', 'EUR', 40, 4, 'd', 'creator_c', 30, '{}', '{"moved":{}}', 20001),
  ('brand_b', 'o7', 's', '7', 1, '#7', 5, 'paid', 'EUR', 5, 1, 'e', 'creator_d', 30, '{}', NULL, 20000),
  ('brand_b', 'o8', 's', '8', 1, '#8', 5, 'paid', 'EUR', 5, 0, NULL, NULL, NULL, '{}', NULL, 20000);
"#;

#[test]
fn what_codes_and_links_brought_is_filled_in_as_the_triggers_count_it() {
    let old = Connection::open_in_memory().unwrap();
    migrate(&old, "0001", "0029");
    old.execute_batch(BOOKS).unwrap();
    old.execute_batch(ORDERS).unwrap();
    migrate(&old, "0030", "9999");
    let new = Connection::open_in_memory().unwrap();
    migrate(&new, "0001", "9999");
    new.execute_batch(BOOKS).unwrap();
    new.execute_batch(ORDERS).unwrap();
    let days = "SELECT * FROM deal_days ORDER BY 1, 2, 3, 4";
    assert_eq!(rows(&old, days), rows(&new, days));
    let by = "SELECT code_orders, code_base_minor, link_orders, link_base_minor, link_commission_minor FROM deal_days WHERE deal_id = 'd' AND currency = 'EUR' ORDER BY day";
    let numbers = |numbers: [i64; 5]| numbers.map(|n| format!("Integer({n})")).join(" ");
    assert_eq!(rows(&old, by), [numbers([1, 1000, 2, 2300, 230]), numbers([0; 5])]);
    // They go on from there alike.
    for db in [&old, &new] {
        db.execute_batch("UPDATE orders SET state = 'refunded', base_minor = 0, commission_minor = 0, revision = 2, postings = NULL WHERE id IN ('o1', 'o3')").unwrap();
    }
    assert_eq!(rows(&old, days), rows(&new, days));
    assert_eq!(rows(&old, by)[0], numbers([1, 0, 2, 2000, 200]));
}

#[test]
fn words_are_found_after_the_index_was_made_anew() {
    let db = Connection::open_in_memory().unwrap();
    migrate(&db, "0001", "0036");
    db.execute_batch(BOOKS).unwrap();
    migrate(&db, "0037", "9999");
    let finds = |asked: &str| {
        rows(
            &db,
            &format!(
                "SELECT s.creator_id FROM search CROSS JOIN search_docs s ON s.doc = search.rowid WHERE search MATCH '{asked}'"
            ),
        )
    };
    for asked in
        ["text:\"zoe\"*", "text:\"mats\" AND brand:\"b\"", "text:\"yoga\" AND doc:(1 OR 7)"]
    {
        assert_eq!(finds(asked), ["Text([99, 114, 101, 97, 116, 111, 114, 95, 99])"], "{asked}");
    }
    assert!(finds("text:\"yoga\" AND doc:(2 OR 7)").is_empty());
    db.execute_batch("UPDATE creators SET niche = 'Tea' WHERE id = 'creator_c'; DELETE FROM notes; INSERT INTO search (search, rank) VALUES ('integrity-check', 1)").unwrap();
    assert!(finds("text:\"yoga\"").is_empty() && finds("text:\"mats\"").is_empty());
}
