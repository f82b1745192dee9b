//! The schema: migrations add up to it, every statement fits it, hot ones never scan, and the
//! ledger can't be rewritten.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test stops where an expectation fails"
)]

mod support;

use rusqlite::Connection;
use support::sqlite::Sqlite;
use tributary::storage::all_statements;

/// What a database consists of, without comments and layout.
fn shape(sql: &[String]) -> Vec<(String, String)> {
    let connection = Connection::open_in_memory().unwrap();
    for text in sql {
        connection.execute_batch(text).unwrap();
    }
    let mut statement = connection
        .prepare("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        .unwrap();
    let rows = statement
        .query_map([], |row| {
            let sql: String = row.get(1)?;
            let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
            let plain = lines.collect::<Vec<_>>().join(" ");
            let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
            // ALTER TABLE leaves its own layout, and quotes a new name.
            Ok((row.get(0)?, plain.replace(" ,", ",").replace(" )", ")").replace('"', "")))
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn migrations_add_up_to_the_schema() {
    let mut files: Vec<_> =
        std::fs::read_dir("migrations").unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let number = |file: &std::path::PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        let number = name.split_once('_').filter(|(digits, _)| digits.len() == 4);
        number.unwrap_or_else(|| panic!("{name} has no number")).0.to_owned()
    };
    for pair in files.windows(2) {
        assert!(number(&pair[0]) < number(&pair[1]), "two of the same number: {pair:?}");
    }
    let migrations: Vec<String> =
        files.iter().map(|f| std::fs::read_to_string(f).unwrap()).collect();
    let schema = std::fs::read_to_string("schema.sql").unwrap();
    assert_eq!(shape(&migrations), shape(&[schema]));
}

/// Orders that were there before a migration go on as if they had been made after it.
#[test]
fn migrations_keep_what_is_there() {
    let connection = Connection::open_in_memory().unwrap();
    let migration = |name: &str| std::fs::read_to_string(format!("migrations/{name}")).unwrap();
    connection.execute_batch(&migration("0001_initial.sql")).unwrap();
    connection
        .execute_batch(
            r#"INSERT INTO orders (brand_id, id, store_id, external_id, revision, name, placed_at_ms,
  state, currency, base_minor, commission_minor, deal_id, creator_id, available_day, facts, decision)
VALUES ('b', 'void', 's', '1', 1, '#1', 5, 'cancelled', 'EUR', 0, 0, 'd', 'c', 20030, '{}',
  '{"earning":{"hold_days":30}}'),
('b', 'refund', 's', '2', 1, '', NULL, 'unpaid', NULL, 0, 0, NULL, NULL, NULL, '{}', NULL);"#,
        )
        .unwrap();
    connection.execute_batch(&migration("0002_orders_commit_in_one_row.sql")).unwrap();
    let day = |id: &str| -> Option<i64> {
        let sql = "SELECT placed_day FROM orders WHERE id = ?1";
        connection.query_row(sql, [id], |row| row.get(0)).unwrap()
    };
    assert_eq!((day("void"), day("refund")), (Some(20_000), None));
    // It had no totals, because it came to nothing; then it is paid after all.
    connection
        .execute_batch(
            "UPDATE orders SET state = 'paid', base_minor = 1000, commission_minor = 100,
             revision = 2, postings = NULL WHERE id = 'void'",
        )
        .unwrap();
    let sql = "SELECT orders || ' ' || base_minor || ' ' || commission_minor FROM deal_days";
    let totals: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(totals, "1 1000 100");
}

/// What decides orders counts the brand's version up; what doesn't leaves it, so that isolates may
/// go on with what they remember.
#[test]
fn only_what_decides_orders_is_a_new_version() {
    let db = Sqlite::new();
    let run = |sql: &str| db.execute(sql).unwrap();
    run("INSERT INTO brands (id, name, currency, timezone, homepage_url, owner_email, hold_days,
           earn_on, count_test_orders, created_at_ms)
         VALUES ('b', 'B', 'EUR', 'UTC', '', '', 30, 'paid', 0, 0)");
    run("INSERT INTO creators (brand_id, id, name, handle, tags, created_at_ms)
         VALUES ('b', 'c', 'C', 'c', '[]', 0)");
    run("INSERT INTO campaigns (brand_id, id, name, stages, created_at_ms)
         VALUES ('b', 'k', '', '[\"Posted\", \"Lost\"]', 0)");
    run("INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, created_at_ms)
         VALUES ('b', 'd', 'c', 'k', 'Posted', '[]', 0)");
    let version = || db.rows("SELECT version FROM brands")[0]["version"].as_i64().unwrap();
    for (sql, counts) in [
        ("INSERT INTO terms VALUES ('b', 'd', 0, 1, 't', 1000, 0, NULL, '{}', '')", true),
        (
            "INSERT INTO codes (brand_id, code_key, id, deal_id, code, created_at_ms, counts, state) VALUES ('b', 'x', 'x', 'd', 'X', 0, 0, 'creating')",
            false,
        ),
        ("UPDATE codes SET state = 'active', counts = 1", true),
        ("UPDATE codes SET state = 'deactivated', counts = 1, reason = 'x'", false),
        ("DELETE FROM codes", true),
        ("INSERT INTO attribution_rules VALUES ('b', 0, 30, 'code_first', 'last')", true),
        ("UPDATE attribution_rules SET window_days = 7", true),
        ("UPDATE brands SET hold_days = 7", true),
        ("UPDATE brands SET hold_days = 7, name = 'Casa'", false),
        ("UPDATE deals SET closed_at_ms = 5", true),
        ("UPDATE deals SET closed_at_ms = 5, stage = 'Lost'", false),
        ("UPDATE creators SET email_hash = 'h'", true),
        ("UPDATE creators SET email_hash = 'h', name = 'D'", false),
    ] {
        let before = version();
        run(sql);
        assert_eq!(version() - before, i64::from(counts), "{sql}");
    }
    for sql in ["UPDATE terms SET rate_bp = 1", "DELETE FROM terms"] {
        assert!(db.execute(sql).is_err(), "{sql}");
    }
}

/// What the trail said of creators before it could be erased moves to where it can.
#[test]
fn a_migration_moves_what_the_trail_says_of_creators() {
    let connection = Connection::open_in_memory().unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir("migrations").unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let later = files.iter().position(|f| f.to_str().unwrap().ends_with("_data_protection.sql"));
    let (before, after) = files.split_at(later.unwrap());
    let run = |files: &[std::path::PathBuf]| {
        for file in files {
            connection.execute_batch(&std::fs::read_to_string(file).unwrap()).unwrap();
        }
    };
    run(before);
    connection
        .execute_batch(
            r#"INSERT INTO creators (brand_id, id, name, handle, tags, created_at_ms) VALUES ('b', 'c', 'Ada', 'ada', '[]', 0);
INSERT INTO campaigns VALUES ('b', 'k', '', '[]', 0);
INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, created_at_ms) VALUES ('b', 'd', 'c', 'k', '', '[]', 0);
INSERT INTO audit VALUES ('b', '1', 0, 'key', 'x', 'creator.create', 'c', 'r', NULL, '{"name":"Ada"}'),
  ('b', '2', 0, 'key', 'x', 'deal.update', 'd', 'r', '{"tags":["rude"]}', '{}'),
  ('b', '3', 0, 'key', 'x', 'brand.update', 'b', 'r', NULL, '{"name":"Casa"}');"#,
        )
        .unwrap();
    run(after);
    let text = |sql: &str| -> String { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    let told = "SELECT group_concat(audit_id || creator_id || coalesce(before, '') || after) FROM (SELECT * FROM audit_personal ORDER BY audit_id)";
    assert_eq!(text(told), r#"1c{"name":"Ada"},2c{"tags":["rude"]}{}"#);
    let left = "SELECT group_concat(coalesce(before, '-') || coalesce(after, '-')) FROM (SELECT * FROM audit ORDER BY id)";
    assert_eq!(text(left), r#"--,--,-{"name":"Casa"}"#);
    assert!(connection.execute("UPDATE audit SET after = NULL", []).is_err());
    for sql in ["DELETE FROM audit_personal", "UPDATE audit_personal SET after = NULL"] {
        assert!(connection.execute(sql, []).is_err(), "{sql}");
    }
    connection.execute("UPDATE creators SET erased_at_ms = 1", []).unwrap();
    assert_eq!(connection.execute("DELETE FROM audit_personal", []).unwrap(), 2);
}

/// What was on its way before lines had ways may stand in a file already: it is never sent by a provider.
#[test]
fn a_migration_takes_what_is_in_payout_for_paid_by_file() {
    let connection = Connection::open_in_memory().unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir("migrations").unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let at = files.iter().position(|f| f.to_str().unwrap().ends_with("0013_payments.sql"));
    let (before, after) = files.split_at(at.unwrap());
    let run = |file: &std::path::PathBuf| {
        connection.execute_batch(&std::fs::read_to_string(file).unwrap()).unwrap();
    };
    before.iter().for_each(run);
    for state in ["draft", "in_payout", "settled", "failed", "cancelled"] {
        let values = format!("('b', 'p', '{state}', 'c', 5, '{state}', 0)");
        let columns = "brand_id, payout_id, id, creator_id, amount_minor, state, revision";
        connection
            .execute(&format!("INSERT INTO payout_lines ({columns}) VALUES {values}"), [])
            .unwrap();
    }
    after.iter().for_each(run);
    let sql = "SELECT group_concat(id || ' ' || coalesce(way, '-')) FROM payout_lines";
    let ways: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(ways, "cancelled -,draft -,failed -,in_payout file,settled -");
}

/// docs/data.md says of every table what personal data it holds, why, how long, and how it goes.
#[test]
fn every_table_is_in_the_inventory() {
    let schema = std::fs::read_to_string("schema.sql").unwrap();
    let inventory = std::fs::read_to_string("docs/data.md").unwrap();
    let mut named: Vec<&str> = inventory
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let mut tables: Vec<&str> = schema
        .lines()
        .filter_map(|line| line.strip_prefix("CREATE TABLE ")?.strip_suffix(" ("))
        .collect();
    for names in [&mut named, &mut tables] {
        names.sort_unstable();
    }
    assert_eq!(named, tables);
}

#[test]
fn tables_are_strict_and_triggers_stand_on_one_line() {
    let schema = std::fs::read_to_string("schema.sql").unwrap();
    for line in schema.lines() {
        if line.starts_with(')') {
            assert!(line.starts_with(") STRICT"), "{line}");
        }
        if line.starts_with("CREATE TRIGGER") {
            // Longer ones have been split wrongly by remote migrations.
            assert!(line.ends_with("END;"), "{line}");
        }
    }
    let tables: Vec<&str> = schema.split("CREATE TABLE ").collect();
    for before in &tables[..tables.len() - 1] {
        let comment = before.trim_end().lines().last().unwrap();
        assert!(comment.starts_with("--"), "a table without a comment after: {comment}");
    }
}

#[test]
fn every_statement_fits_the_schema() {
    let db = Sqlite::new();
    for (module, statements) in all_statements() {
        for (name, sql) in statements {
            db.with(|connection| {
                connection.prepare(sql).unwrap_or_else(|e| panic!("{module}::{name}: {e}"));
            });
        }
    }
}

/// Statements that are about all brands, or find out whose something is.
const UNSCOPED: &[(&str, &str)] = &[
    ("access", "FIND_KEY"),
    ("access", "REVOKE_KEY"),
    ("access", "FIND_INVITATION"),
    ("access", "FIND_TOKEN"),
    ("audit", "INSERT_LEAK"),
    ("brands", "FIND_HOST"),
    ("brands", "ALL_IDS"),
    ("brands", "EXPIRE_PENDING"),
    ("brands", "NOTE_EXPIRED"),
    ("clicks", "PUSH"),
    ("hosts", "DUE"),
    ("hosts", "ORPHAN"),
    ("hosts", "REMOVALS"),
    ("hosts", "REQUIRE_REMOVAL"),
    ("hosts", "TAKE_REMOVAL"),
    ("hosts", "REMOVE_LATER"),
    ("jobs", "RECORD"),
    ("jobs", "LIST"),
    ("links", "RESOLVE"),
    ("links", "RESOLVE_ALL"),
    ("outbox", "DUE_STORES"),
    ("outbox", "OUTBOX_STANDING"),
    ("privacy", "OPEN"),
    ("ranks", "BRANDS"),
    ("retention", "NOTE"),
    ("retention", "CAUSES_OF_NOBODY"),
    ("retention", "ORDERS_OF_NOBODY"),
    ("retention", "RUN_STEPS"),
    ("retention", "RUNS"),
    ("retention", "BULK_RESULTS"),
    ("retention", "SENT"),
    ("retention", "NOTE_PEOPLE"),
    ("retention", "AUDIT_MEMBERS"),
    ("retention", "TOKENS"),
    ("retention", "INVITATIONS"),
    ("retention", "MEMBERS_INVITED"),
    ("retention", "KEYS"),
    ("retention", "SIGN_INS"),
    ("retention", "SESSIONS"),
    ("retention", "PEOPLE"),
    ("retention", "MAILS_OF_NOBODY"),
    ("retention", "SESSIONS_OF_NOBODY"),
    ("retention", "PASSKEYS_OF_NOBODY"),
    ("retention", "CODES_OF_NOBODY"),
    ("retention", "SECRETS"),
    ("retention", "REQUESTS"),
    ("retention", "AUTHORIZATIONS"),
    ("retention", "TASKS_OVER"),
    ("retention", "REGULAR_TASKS_OVER"),
    ("retention", "ANSWERS"),
    ("retention", "HOOK_DELIVERIES"),
    ("retention", "HOOK_EVENTS"),
    ("retention", "HOOK_SECRETS"),
    ("retention", "CAUSES"),
    ("automations", "LISTENING"),
    ("automations", "WAITING"),
    ("automation_runs", "DUE"),
    ("rewrap", "HOOKS_LEFT"),
    ("rewrap", "HOOKS"),
    ("rewrap", "HOOKS_BEFORE_LEFT"),
    ("rewrap", "HOOKS_BEFORE"),
    ("hooks", "DUE"),
    ("bulk", "DUE"),
    ("rewrap", "ACCOUNTS_LEFT"),
    ("rewrap", "ACCOUNTS"),
    ("sendings", "DUE_SENDINGS"),
    ("store_access", "TO_LOOK"),
    ("store_access", "BY_STATE"),
    ("rewrap", "STORES_LEFT"),
    ("rewrap", "STORES"),
    ("rewrap", "PREVIOUS_LEFT"),
    ("rewrap", "PREVIOUS"),
    ("rewrap", "QUARANTINE_LEFT"),
    ("rewrap", "QUARANTINE"),
    ("rewrap", "DETAILS_LEFT"),
    ("rewrap", "DETAILS"),
    ("rewrap", "MAILS_LEFT"),
    ("rewrap", "MAILS"),
    ("rewrap", "MESSAGES_LEFT"),
    ("rewrap", "MESSAGES"),
    ("messages", "DUE"),
    ("messages", "BY_REPLY"),
    ("messages", "BRAND"),
    ("sequences", "DUE"),
    ("rewrap", "TOKEN_LEFT"),
    ("rewrap", "TOKENS"),
    ("rewrap", "REFRESH_LEFT"),
    ("rewrap", "REFRESHES"),
    ("rewrap", "REMAINING"),
    ("mails", "DUE"),
    ("mails", "LOSE"),
    ("mails", "EXPIRE"),
    ("mails", "NOTE_EXPIRE"),
    ("mails", "RECENT"),
    ("mails", "TOLD"),
    ("members", "IS_ANYWHERE"),
    ("members", "NOTE_FORGET"),
    ("members", "FORGET"),
    ("members", "FORGET_MAILS"),
    ("members", "FORGET_SIGN_INS"),
    ("members", "FIND_INVITATION"),
    ("members", "FIND_CREATOR_INVITATION"),
    ("stores", "SECRETS"),
    ("outbox", "PUT_IF_CONNECTED"),
    ("orders", "INSERT_ALL"),
    ("syncs", "FACTS_OF"),
    ("syncs", "KNOWN_OF"),
    ("syncs", "KNOWN_COUNT"),
    ("syncs", "WITHOUT_JOURNEY"),
    ("syncs", "ADD_MISSED"),
    ("syncs", "TELL_DAY"),
    ("hooks", "NEWS"),
];

/// What this module's tables hold is people's and no brand's: each statement is about one person,
/// by her id or by a secret of hers. Only what she may do for which brand is looked up in theirs.
const PEOPLES: &str = "sessions";

#[test]
fn every_statement_is_scoped_by_brand() {
    for (module, statements) in all_statements() {
        for (name, sql) in statements {
            if UNSCOPED.contains(&(module, name)) {
                continue;
            }
            if module == PEOPLES {
                let hers = [
                    "person_id=?",
                    "person_id=(SELECT person_id FROM members WHERE brand_id=?",
                    "secret_hash=?",
                    "token_hash=?",
                    "browser_hash=?",
                    "email=?",
                    "INSERT INTO",
                ];
                assert!(hers.iter().any(|h| sql.contains(h)), "{module}::{name} is about no one");
                continue;
            }
            let of_brand = sql.contains("brand_id=?")
                || sql.contains("brand_id=+?")
                || sql.contains("INSERT INTO")
                || (module == "brands" && (sql.contains("id=?1") || sql.contains("brand_id=b.id")));
            assert!(of_brand, "{module}::{name} is not scoped by brand");
        }
    }
}

/// As SQLite sees it: wherever a statement looks into a table, joined or in a subquery, it does so
/// within one brand. (Text alone would let a join pass whose other side is scoped.)
#[test]
fn every_look_into_a_brands_table_is_within_the_brand() {
    let db = Sqlite::new();
    let mut seen = 0;
    for (module, statements) in all_statements() {
        for (name, sql) in statements {
            if UNSCOPED.contains(&(module, name)) || module == PEOPLES {
                continue;
            }
            for step in db.rows(&format!("EXPLAIN QUERY PLAN {sql}")) {
                let detail = step["detail"].as_str().unwrap();
                let Some(at) = ["SEARCH ", "SCAN "].iter().find_map(|w| detail.strip_prefix(w))
                else {
                    continue;
                };
                seen += 1;
                let within = at.contains("(brand_id=?") || at.contains("AND brand_id=?");
                // The brand itself; parameters; rows found before; people by their address; jobs.
                let elsewhere = [
                    "VIRTUAL TABLE",
                    "json_each",
                    "CONSTANT ROW",
                    "people ",
                    "people_by_email (email=?)",
                    "job_runs",
                    "brands USING PRIMARY KEY (id=?)",
                    "b USING PRIMARY KEY (id=?)",
                ];
                let of_none = elsewhere.iter().any(|e| at.contains(e)) || DERIVED.contains(&at);
                // Found by what is unique in the deployment, then compared with the brand.
                let unique = UNIQUE.iter().any(|key| at.contains(key));
                let compared =
                    unique && ["brand_id=?", "brand_id=+?"].iter().any(|b| sql.contains(b));
                assert!(within || of_none || compared, "{module}::{name}: {detail}");
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

/// Subqueries that found their rows within the brand.
const DERIVED: &[&str] = &[
    "h",
    "f",
    "s",
    "part",
    "(subquery-2)",
    "(subquery-3)",
    "(subquery-4)",
    "(subquery-5)",
    "(subquery-6)",
    "(subquery-7)",
];
const UNIQUE: &[&str] = &[
    "(secret_hash=?)",
    "hosts USING PRIMARY KEY (host=?)",
    "(host=? AND slug_key=?)",
    "stores_by_id (id=?)",
    "mails_by_cause (cause=?)",
];

/// Statements that a shopper, a store or a page waits for.
const HOT: &[(&str, &str)] = &[
    ("access", "FIND_KEY"),
    ("access", "FIND_TOKEN"),
    ("actions", "FIND"),
    ("brands", "FIND"),
    ("bulk", "DUE"),
    ("bulk", "HOLD"),
    ("bulk", "TELL"),
    ("bulk", "WAITING"),
    ("bulk", "RESULTS"),
    ("bulk", "FINISH"),
    ("clicks", "PUSH"),
    ("clicks", "OF_DEALS"),
    ("deals", "BY_IDS"),
    ("deals", "IDS_OF_CREATOR"),
    ("automation_runs", "DUE"),
    ("automation_runs", "TAKE"),
    ("automation_runs", "LATELY"),
    ("hooks", "DUE"),
    ("hooks", "CLAIM"),
    ("hooks", "SETTLE"),
    ("hooks", "LAST"),
    ("ledger", "BALANCES"),
    ("ledger", "POST"),
    ("links", "RESOLVE"),
    ("links", "RESOLVE_ALL"),
    ("timeline", "NOTES"),
    ("timeline", "FOLLOW_UPS"),
    ("timeline", "MESSAGES"),
    ("timeline", "POSTS"),
    ("timeline", "ORDERS"),
    ("timeline", "PAYOUTS"),
    ("reports", "AROUND"),
    ("reports", "CLICKS_AROUND"),
    ("mails", "CLAIM"),
    ("mails", "DUE"),
    ("mails", "LOSE"),
    ("sendings", "DUE_SENDINGS"),
    ("mails", "TOLD"),
    ("order_facts", "LOAD"),
    ("order_facts", "OTHERS"),
    ("tiers", "DEALS"),
    ("tiers", "SUMS"),
    ("tiers", "REACHED"),
    ("orders", "INSERT"),
    ("orders", "UPDATE"),
    ("orders", "UPDATE_IN_PLACE"),
    ("orders", "LIST"),
    ("orders", "LIST_OF_DEALS"),
    ("orders", "PERFORMANCE"),
    ("stores", "SECRETS"),
];

#[test]
fn no_statement_on_a_hot_path_scans_a_table() {
    let db = Sqlite::new();
    let mut seen = 0;
    for (module, statements) in all_statements() {
        for (name, sql) in statements.iter().filter(|(name, _)| HOT.contains(&(module, name))) {
            seen += 1;
            for step in db.rows(&format!("EXPLAIN QUERY PLAN {sql}")) {
                let detail = step["detail"].as_str().unwrap();
                // A SCAN is fine over the JSON parameter and over rows found before.
                let harmless = [
                    "json_each",
                    "SCAN j",
                    "SCAN h",
                    "SCAN CONSTANT ROW",
                    "SCAN l",
                    "VIRTUAL TABLE",
                ];
                let scans =
                    detail.starts_with("SCAN") && !harmless.iter().any(|h| detail.contains(h));
                assert!(!scans, "{module}::{name}: {detail}");
                // Nor does it walk all rows of the brand, except for the greatest and the few
                // (versions of its rules).
                let few = [("ledger", "POST"), ("brands", "FIND")].contains(&(module, *name))
                    || detail == "SEARCH r USING PRIMARY KEY (brand_id=?)";
                let walks = detail.ends_with("(brand_id=?)") && !few;
                assert!(!walks, "{module}::{name}: {detail}");
            }
        }
    }
    assert_eq!(seen, HOT.len(), "a hot statement was renamed");
}

/// No order pays for being found by its name: a claim reads a span of the index by time, and of the table
/// only what fits.
#[test]
fn orders_are_found_by_their_name_in_the_index_alone() {
    let named = all_statements().into_iter().find(|(module, _)| *module == "orders").unwrap();
    let (_, sql) = named.1.iter().find(|(name, _)| *name == "NAMED").unwrap();
    let plan = Sqlite::new().rows(&format!("EXPLAIN QUERY PLAN {sql}"));
    let searches: Vec<&str> = plan
        .iter()
        .map(|step| step["detail"].as_str().unwrap())
        .filter(|d| d.contains("SEARCH"))
        .collect();
    assert_eq!(
        searches,
        [
            "SEARCH orders USING COVERING INDEX orders_by_time (brand_id=? AND placed_at_ms>? AND placed_at_ms<?)",
            "SEARCH o USING PRIMARY KEY (brand_id=? AND id=?)"
        ]
    );
}

/// The seven ways to rewrite a row that reliability reviews try.
#[test]
fn ledger_entries_can_not_be_rewritten() {
    let db = Sqlite::new();
    let row = "('brand_x', 1, 1, 'commission', NULL, 0, 'USD', -5, 'order', 'order_x', 0)";
    let again = "('brand_x', 1, 1, 'commission', NULL, 0, 'USD', -6, 'order', 'order_x', 0)";
    let columns = "(brand_id, sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id, posted_at_ms)";
    db.execute(&format!("INSERT INTO entries {columns} VALUES {row}")).unwrap();
    let before = db.rows("SELECT * FROM entries");
    for attack in [
        "UPDATE entries SET amount_minor = -6".to_owned(),
        "DELETE FROM entries".to_owned(),
        format!("INSERT OR REPLACE INTO entries {columns} VALUES {again}"),
        format!("REPLACE INTO entries {columns} VALUES {again}"),
        format!(
            "INSERT INTO entries {columns} VALUES {again} ON CONFLICT DO UPDATE SET amount_minor = -6"
        ),
        "UPDATE OR REPLACE entries SET sequence = 1, amount_minor = -6".to_owned(),
        format!("INSERT OR IGNORE INTO entries {columns} VALUES {again}"),
    ] {
        assert!(db.execute(&attack).is_err(), "{attack}");
        assert_eq!(db.rows("SELECT * FROM entries"), before, "{attack}");
    }
}

#[test]
fn balances_refuse_what_no_creator_can_have() {
    let db = Sqlite::new();
    let entry = |sequence: i64, account: &str, amount: i64| {
        db.execute(&format!(
            "INSERT INTO entries (brand_id, sequence, txn, account, creator_id, day, currency, amount_minor, cause, cause_id, posted_at_ms)
             VALUES ('b', {sequence}, 1, '{account}', 'c', 0, 'USD', {amount}, 'order', 'o', 0)"
        ))
    };
    assert!(entry(1, "available", -1).is_err(), "a debit of an account that holds nothing");
    assert!(entry(1, "clawback", 1).is_err(), "a claw-back is never positive");
    entry(1, "available", 5).unwrap();
    assert!(entry(2, "available", -6).is_err());
    entry(2, "available", -5).unwrap();
    entry(3, "clawback", -3).unwrap();
    assert!(entry(4, "clawback", 4).is_err());
    entry(4, "clawback", 3).unwrap();
    let held = db.rows("SELECT account, amount_minor FROM balances ORDER BY account");
    assert_eq!(held.iter().map(|r| r["amount_minor"].as_i64().unwrap()).sum::<i64>(), 0);
    // Numbers that came as REAL must be whole.
    assert!(db.execute("UPDATE balances SET amount_minor = 1.5").is_err());
}
