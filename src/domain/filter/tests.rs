use super::*;
use crate::domain::time::Zone;

fn reason(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn a_filter_is_printed_in_one_form() {
    for (text, printed) in [
        (
            "followers >= 10000 AND (tag = \"vip\" OR stage = 'Posted') and not has_code AND revenue[30d]>=500.00 AND \"yoga mat\"",
            "followers >= 10000 AND (tag = \"vip\" OR stage = \"Posted\") AND NOT has_code AND revenue[30d] >= 500 AND \"yoga mat\"",
        ),
        ("((invited))", "invited"),
        ("a_and", ""),
        ("(invited AND has_link) AND has_code", "invited AND has_link AND has_code"),
        ("invited OR has_link AND has_code", "invited OR (has_link AND has_code)"),
        ("NOT NOT (invited OR has_link)", "NOT NOT (invited OR has_link)"),
        ("state != open", "state = closed"),
        ("country in ('de', 'DE','fr')", "country IN (\"DE\", \"FR\")"),
        ("revenue[all] > 0.50", "revenue > 0.5"),
        ("revenue[all, eur] > 1", "revenue[all, EUR] > 1"),
        (
            "commission[2026-10-01..2026-10-20,USD] <= 1.25",
            "commission[2026-10-01..2026-10-20, USD] <= 1.25",
        ),
        ("conversion[2026-10] >= 2.50%", "conversion[2026-10] >= 2.5"),
        ("last_contact < today-030d", "last_contact < today-30d"),
        ("created >= today - 0d", "created >= today"),
        ("owner = unknown OR niche != UNKNOWN", "owner = unknown OR niche != unknown"),
        ("field.Size = \"M\"", "field.size = \"M\""),
        ("field.\"shoe size\" >= 38.5", "field.\"shoe size\" >= 38.5"),
        ("\"say \\\"hi\\\" \\\\\"", "\"say \\\"hi\\\" \\\\\""),
    ] {
        if printed.is_empty() {
            assert!(parse(text).is_err(), "{text}");
            continue;
        }
        let filter = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(filter.to_string(), printed);
        assert_eq!(parse(printed).unwrap(), filter);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, expected) in [
        ("", "at character 1: expected a field"),
        ("followers", "at character 10: expected =, !="),
        ("followers >= ", "at character 14: expected a number"),
        ("followers >= -1", "at character 14: expected a number"),
        ("followers >= 1e9", "at character 14: expected a number"),
        ("followers >= 1234567890123", "at character 14: expected a number of at most twelve"),
        ("tag = vip", "at character 7: expected a text in quotes"),
        ("tag < \"vip\"", "at character 5: expected =, != or IN"),
        ("tag = \"vip", "at character 7: expected a text that ends"),
        ("tag = \"v\u{7}\"", "at character 9: expected no control"),
        ("é", "at character 1: expected a field"),
        ("\"é\" ;DROP", "at character 5: expected a field, a text"),
        ("has_code has_link", "at character 10: expected AND, OR or the end"),
        ("(has_code", "at character 10: expected AND, OR or `)`"),
        ("has_code)", "at character 9: expected AND, OR or the end"),
        ("NOT", "at character 4: expected a field"),
        ("revenue[2026-13] > 1", "at character 9: expected all, this_month"),
        ("revenue[2026-02-30..2026-03-01] > 1", "at character 9: expected all"),
        (
            "revenue[2026-03-02..2026-03-01] > 1",
            "at character 21: expected a day that isn't before",
        ),
        ("revenue[0d] > 1", "at character 9: expected all"),
        ("revenue[9999d] > 1", "at character 9: expected all"),
        ("revenue[1850-01] > 1", "at character 9: expected all"),
        ("revenue[all, XYZ] > 1", "at character 14: expected a currency"),
        ("orders[all, EUR] > 1", "at character 11: expected `]`"),
        ("created = 2026-02-30", "at character 11: expected a day such"),
        ("created = 20260201", "at character 11: expected a day such"),
        ("created = unknown", "at character 11: expected a value"),
        ("stage = unknown", "at character 9: expected a text in quotes"),
        ("field.x > \"a\"", "at character 11: expected a number"),
        ("state = ajar", "at character 9: expected open or closed"),
        ("\"...\"", "at character 1: expected a text with"),
        ("tag in ()", "at character 9: expected a text in quotes"),
    ] {
        let told = reason(text);
        assert!(told.starts_with(expected), "{text}: {told}");
    }
    for bad in
        ["sort", "-", "--revenue", "revenue[", "name[30d]", "revenue;DROP", "niche", "-created x"]
    {
        assert!(bad.parse::<Sort>().is_err(), "{bad}");
    }
    for good in ["created", "-revenue[30d, EUR]", "-orders", "conversion[2026-10]", "-last_contact"]
    {
        assert_eq!(good.parse::<Sort>().unwrap().to_string(), good);
    }
}

#[test]
fn a_filter_has_bounds() {
    let long = format!("\"{}\"", "x".repeat(MAX_LENGTH - 2));
    assert!(parse(&long).is_ok());
    assert!(
        reason(&format!("{long} ")).contains("at character 2001: expected at most 2000 characters")
    );
    let deep = |n: usize| format!("{}invited{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&deep(MAX_DEPTH - 1)).is_ok());
    assert!(reason(&deep(MAX_DEPTH)).contains("deep"));
    assert!(reason(&deep(900)).contains("deep"));
    assert!(reason(&"NOT ".repeat(400)).contains("deep"));
    let many = |n: usize| vec!["invited"; n].join(" OR ");
    assert!(parse(&many(MAX_CONDITIONS)).is_ok());
    assert!(reason(&many(MAX_CONDITIONS + 1)).contains("at most 30 conditions"));
}

#[test]
fn what_is_unknown_fulfils_nothing_and_not_of_it_holds() {
    let zone = Zone::utc();
    let now = Now { today: Day(20_000), zone: &zone, currency: "EUR".parse().unwrap() };
    let subject = naive::Subject::default();
    for (text, found) in [
        ("followers >= 0", false),
        ("followers != 7", false),
        ("NOT followers >= 0", true),
        ("NOT followers != 7", true),
        ("country != \"DE\"", false),
        ("NOT country = \"DE\"", true),
        ("country = unknown", true),
        ("followers != unknown", false),
        ("tag != \"vip\"", true),
        ("days_since_last_sale > 0", false),
        ("conversion >= 0", false),
        ("revenue_per_commission = 0", false),
        ("revenue = 0", true),
        ("clicks < 1", true),
        ("last_contact < today", false),
        ("field.x != \"y\"", false),
    ] {
        assert_eq!(naive::finds(&parse(text).unwrap(), &subject, &now), found, "{text}");
    }
}

#[test]
fn periods_are_sums_of_months_and_days() {
    let day = |text| Day::from_iso(text).unwrap();
    for period in [
        Period::Days(1),
        Period::Days(30),
        Period::Days(61),
        Period::Days(400),
        Period::Between(day("2026-10-01"), day("2026-10-31")),
        Period::Between(day("2026-10-02"), day("2026-10-30")),
        Period::Between(day("2025-12-31"), day("2026-03-01")),
        Period::Between(day("2026-01-31"), day("2026-02-01")),
        Period::Month(Month::from_iso("2024-02").unwrap()),
        Period::LastMonth,
    ] {
        let today = day("2026-03-31");
        let (from, to) = period.ends(today);
        let Span::Parts { months, days } = period.span(today) else { panic!("{period:?}") };
        let mut all: Vec<i64> = days.iter().flat_map(|(from, to)| from.0..=to.0).collect();
        assert!(all.len() <= 61 && days.len() <= 2, "{period:?}: {days:?}");
        if let Some((first, last)) = months {
            all.extend(first.first().0..=last.last().0);
        }
        all.sort_unstable();
        assert_eq!(all, (from.0..=to.0).collect::<Vec<_>>(), "{period:?}");
    }
    assert_eq!(Period::All.span(Day(0)), Span::All);
}

#[test]
fn a_threshold_between_two_units_stays_one() {
    let amount = Amount { digits: 25, scale: 1 };
    assert_eq!(amount.in_units(Op::Ge, 1), (Op::Gt, 2));
    assert_eq!(amount.in_units(Op::Lt, 1), (Op::Le, 2));
    assert_eq!(amount.in_units(Op::Eq, 10), (Op::Eq, 25));
    assert_eq!(amount.in_units(Op::Eq, 1).0, Op::Lt);
}
