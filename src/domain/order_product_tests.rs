//! Which product a line is, told by some and not by others, in whatever order.

use super::*;

/// The lines that a snapshot of this minute has, with the products it tells.
fn told(minute: i64, lines: &[(u64, Option<u64>)]) -> Report {
    let line = |(id, product_id): &(u64, Option<u64>)| Line {
        id: *id,
        product_id: *product_id,
        quantity: 1,
        current_quantity: None,
        price_minor: 100,
        discount_minor: 0,
        tax_minor: 0,
        earns: true,
    };
    let snapshot = Snapshot {
        updated_at_ms: minute * 60_000,
        placed_at_ms: 60_000,
        name: "#1".into(),
        currency: "USD".parse().unwrap(),
        payment: Payment::Paid,
        cancelled: false,
        test: false,
        taxes_included: false,
        lines: lines.iter().map(line).collect(),
        evidence: Evidence::default(),
    };
    Report::Snapshot(Box::new(snapshot), Vec::new())
}

fn permutations(of: &[Report]) -> Vec<Vec<Report>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in of.iter().enumerate() {
        let mut rest = of.to_vec();
        rest.remove(at);
        all.extend(permutations(&rest).into_iter().map(|mut one| {
            one.push(first.clone());
            one
        }));
    }
    all
}

#[test]
fn a_line_is_the_product_that_was_told_last_whatever_came_first() {
    let (first, corrected) = (told(1, &[(1, Some(500))]), told(2, &[(1, Some(300))]));
    let silent = told(3, &[(1, None), (2, None)]);
    let gone = told(4, &[(2, Some(7))]);
    let back = told(5, &[(2, None), (1, None)]);
    let at_once = told(5, &[(2, None), (1, Some(250))]);
    for (reports, expected) in [
        (vec![first.clone(), corrected.clone()], vec![Some(300)]),
        (vec![first.clone(), silent.clone()], vec![Some(500), None]),
        (vec![first.clone(), corrected.clone(), silent.clone()], vec![Some(300), None]),
        (vec![first.clone(), corrected.clone(), gone.clone()], vec![Some(7)]),
        (
            vec![first, corrected.clone(), silent.clone(), gone.clone(), back.clone()],
            vec![Some(7), Some(300)],
        ),
        (vec![corrected, silent, gone, back, at_once], vec![Some(7), Some(250)]),
    ] {
        let mut ends = Vec::new();
        for order in permutations(&reports) {
            let mut facts = Facts::default();
            for report in order.iter().flat_map(|report| [report, report]) {
                facts = facts.merge(report).unwrap();
            }
            let lines = &facts.snapshot.as_ref().unwrap().lines;
            let found: Vec<_> = lines.iter().map(|line| line.product_id).collect();
            assert_eq!(found, expected, "{order:?}");
            ends.push(facts);
        }
        assert!(ends.windows(2).all(|two| two[0] == two[1]));
    }
}
