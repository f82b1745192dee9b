//! How two reports of one order merge: to the same facts, whichever came first. Which of the two counts is
//! named by hand.

use super::*;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}
fn code(code: &str) -> UsedCode {
    UsedCode { code: code.into(), discount_minor: 0, is_code: true }
}
fn codes(of: &[&str]) -> Evidence {
    Evidence { codes: of.iter().map(|text| code(text)).collect(), ..Evidence::default() }
}
fn snapshot(minute: i64, evidence: Evidence) -> Snapshot {
    Snapshot {
        updated_at_ms: minute * 60_000,
        placed_at_ms: 60_000,
        name: "#1".into(),
        currency: "USD".parse().unwrap(),
        payment: Payment::Paid,
        cancelled: false,
        test: false,
        taxes_included: false,
        lines: Vec::new(),
        evidence,
    }
}
fn told(snapshot: Snapshot) -> Report {
    Report::Snapshot(Box::new(snapshot), Vec::new())
}
fn after(reports: &[&Report]) -> Facts {
    reports.iter().fold(Facts::default(), |facts, report| facts.merge(report).unwrap())
}
/// Both, in either order, and each of them again.
fn either(one: &Report, other: &Report) -> Facts {
    let facts = after(&[one, other]);
    assert_eq!(facts, after(&[other, one]));
    assert_eq!(facts, after(&[one, other, one, other]));
    facts
}
/// What the evidence of two snapshots, of these minutes, comes to.
fn evidence(one: (i64, &Evidence), other: (i64, &Evidence)) -> Evidence {
    let report = |(minute, evidence): (i64, &Evidence)| told(snapshot(minute, evidence.clone()));
    either(&report(one), &report(other)).evidence.unwrap().1
}

#[test]
fn the_earliest_evidence_counts_that_could_name_a_deal() {
    let click = Evidence { clicks: vec!["c1".into()], ..Evidence::default() };
    let bare = Evidence { bare_ref: Some("bea".into()), ..Evidence::default() };
    let title =
        Evidence { codes: vec![UsedCode { is_code: false, ..code("Sale") }], ..bare.clone() };
    let says = [codes(&["ANNA"]), click, bare, title.clone()];
    // Who buys and the title of a discount name no deal.
    let who = Evidence { email_hash: Some("buyer".into()), web: true, ..Evidence::default() };
    let silent = [who, Evidence { bare_ref: None, ..title }];
    for said in &says {
        assert_eq!(&evidence((1, said), (2, &codes(&["BEA"]))), said);
        for nothing in &silent {
            assert_eq!(&evidence((1, nothing), (2, said)), said);
            assert_eq!(&evidence((1, said), (2, nothing)), said);
        }
    }
}

#[test]
fn of_two_tellings_of_one_moment_the_one_that_says_more_counts() {
    let little = codes(&["ANNA"]);
    let b = codes(&["BEA"]);
    let click = Evidence { clicks: vec!["c1".into()], ..b.clone() };
    let buyer = Evidence { email_hash: Some("buyer".into()), ..b.clone() };
    let landed = Evidence { bare_ref: Some("bea".into()), ..b.clone() };
    let web = Evidence { web: true, ..b.clone() };
    for more in [codes(&["BEA", "CARA"]), click, buyer, landed, web] {
        assert_eq!(evidence((1, &little), (1, &more)), more);
    }
    // As much is said: then it is the same one, whichever came first.
    assert_eq!(evidence((1, &little), (1, &b)), little);
}

#[test]
fn an_order_that_was_cancelled_once_stays_so() {
    let cancelled = told(Snapshot { cancelled: true, ..snapshot(1, Evidence::default()) });
    let later = told(snapshot(2, Evidence::default()));
    let facts = either(&cancelled, &later);
    assert!(facts.cancelled && !facts.snapshot.unwrap().cancelled);
    assert!(either(&Report::Deleted, &later).cancelled);
    assert!(!after(&[&later]).cancelled);
}

fn refund(id: &str, subtotals: &[&str], amount: &str) -> Refund {
    let line = |subtotal: &&str| RefundLine {
        line_id: 1,
        quantity: 1,
        subtotal: decimal(subtotal),
        tax: Decimal::default(),
    };
    let lines = subtotals.iter().map(line).collect();
    Refund { id: id.into(), currency: None, lines, amount: decimal(amount) }
}

#[test]
fn of_one_refund_told_differently_what_takes_more_counts() {
    let light_and_heavy = [
        (refund("1", &[], "90.00"), refund("1", &["1.00"], "0.00")),
        (refund("1", &["5.00"], "90.00"), refund("1", &["3.00", "2.01"], "0.00")),
        (refund("1", &[], "9.99"), refund("1", &[], "10.00")),
    ];
    for (light, heavy) in light_and_heavy {
        let facts = either(&Report::Refund(light), &Report::Refund(heavy.clone()));
        assert_eq!(facts.refunds.get("1"), Some(&heavy));
        assert_eq!(facts.refunds.values().count(), 1);
    }
}

#[test]
fn refunds_of_other_currencies_are_found() {
    let of = |id: &str, currency: &str| {
        let currency = Some(currency.parse().unwrap());
        Report::Refund(Refund { currency, ..refund(id, &[], "1.00") })
    };
    let (unnamed, dollars) = (Report::Refund(refund("1", &[], "1.00")), of("2", "USD"));
    let (euros, yen) = (of("3", "EUR"), of("4", "JPY"));
    let order = told(snapshot(1, Evidence::default()));
    assert_eq!(after(&[&order, &unnamed, &dollars]).foreign_refunds(), 0);
    assert_eq!(after(&[&order, &unnamed, &dollars, &euros]).foreign_refunds(), 1);
    assert_eq!(after(&[&euros, &order, &yen, &unnamed]).foreign_refunds(), 2);
    assert_eq!(after(&[&euros]).foreign_refunds(), 0, "of what currency the order is isn't known");
}

#[test]
fn the_latest_word_of_another_programme_counts() {
    let word = |affiliate: &str, as_of_ms| Affiliation {
        affiliate: affiliate.into(),
        deal: None,
        as_of_ms,
        rejected: false,
    };
    for (before, counts) in [(word("a/9", 1), word("a/1", 2)), (word("a/1", 2), word("a/9", 2))] {
        let facts = either(&Report::Affiliate(before), &Report::Affiliate(counts.clone()));
        assert_eq!(facts.affiliation, Some(counts));
    }
}

#[test]
fn of_two_tellings_of_visits_the_one_that_says_more_counts() {
    let none = || Journey { customer_order: Some(9), ..Journey::default() };
    let click = |id: &str| Journey { clicks: vec![id.into()], ..Journey::default() };
    let bare = || Journey { bare_ref: Some("bea".into()), ..Journey::default() };
    let both = Journey { bare_ref: Some("bea".into()), ..click("a") };
    let pairs = [
        (none(), click("a")),
        (none(), bare()),
        (click("z"), both.clone()),
        (Journey { customer_order: Some(9), ..bare() }, both),
        (click("z"), Journey { customer_order: Some(1), ..click("a") }),
    ];
    for (little, more) in pairs {
        let facts = either(&Report::Journey(little), &Report::Journey(more.clone()));
        assert_eq!(facts.journey, Some(more));
    }
}
