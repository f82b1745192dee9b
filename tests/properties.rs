//! Orders against a small reference model: whatever way their deliveries take, the books end the
//! same, sum to zero, and balances are the fold of the entries.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test stops where an expectation fails"
)]

mod support;

mod properties {
    pub mod books;
    pub mod story;
}

use properties::books::*;
use properties::story::*;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;
use tributary::domain::attribution::DealFacts;
use tributary::domain::dispute::DisputeState;
use tributary::domain::ids::{CreatorId, DealId, TermsId};
use tributary::domain::ledger::Account;
use tributary::domain::money::BasisPoints;
use tributary::domain::moved::NotMoved;
use tributary::domain::order::{Delivery, Payment};
use tributary::domain::terms::{CitedTerms, Rules};

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// Any interleaving and repetition, with holds ending in between, and every delivery coming at
    /// last: the books are the model's.
    #[test]
    fn any_way_of_deliveries_ends_in_the_same_books(
        story in story(),
        way in prop::collection::vec((any::<Index>(), prop::bool::weighted(0.1)), 0..14),
        last in any::<prop::sample::Selector>(),
    ) {
        let all = story.deliveries();
        let mut books = Books::new(&story);
        for (index, release_now) in &way {
            books.take(index.get(&all));
            if *release_now {
                books.release();
            }
        }
        // What was lost on the way is delivered again, in yet another order.
        let mut missing: Vec<&Delivery> = all.iter().collect();
        while !missing.is_empty() {
            let next = last.select(0..missing.len());
            books.take(missing.swap_remove(next));
        }
        prop_assert_eq!(books.earned(), story.model(), "{:?}", story);
        prop_assert_eq!(books.held(Account::Commission, 0), -story.model());
        let kept = books.order.as_ref().unwrap().facts.evidence().email_hash;
        prop_assert_eq!(kept.is_none(), story.redacted, "who placed it is forgotten for good");
        // And now nothing says anything new.
        let writes = books.writes;
        for delivery in all.iter().rev() {
            books.take(delivery);
        }
        prop_assert_eq!(books.writes, writes, "a repeat writes nothing");
    }

    /// Moves by hand in between: each that is done posts on both sides, the last one stands whatever
    /// comes later, and only who bought it herself can't have it.
    #[test]
    fn what_was_moved_by_hand_stays_where_it_is(
        story in story(),
        way in prop::collection::vec((any::<Index>(), prop::option::weighted(0.3, 0u8..3), prop::bool::weighted(0.1)), 0..14),
        rival_rate in 0u16..=10_000,
    ) {
        let all = story.deliveries();
        let mut books = Books::new(&story);
        let rival = CreatorId::from_bytes([2; 16]);
        let hers = books.known.codes[0].deal.clone();
        let other = DealFacts {
            deal: DealId::from_bytes([2; 16]),
            creator: rival,
            email_hash: None,
            closed_at_ms: Some(1),
            terms: Some(CitedTerms { id: TermsId::from_bytes([2; 16]), rate: BasisPoints::new(rival_rate).unwrap(), rules: Rules::default() }),
        };
        let mut moved: Option<Option<u8>> = None;
        for (index, hand, release_now) in &way {
            books.take(index.get(&all));
            let Some(hand) = hand else { continue };
            let (to, whose) = match hand {
                0 => (None, None),
                1 => (Some(&hers), Some(1)),
                _ => (Some(&other), Some(2)),
            };
            match books.moves(to) {
                Ok(()) => moved = Some(whose),
                Err(NotMoved::SelfPurchase) => prop_assert!(story.own && whose == Some(1)),
                Err(NotMoved::There | NotMoved::Undecided) => (),
                Err(other) => prop_assert!(false, "{}", other),
            }
            if *release_now {
                books.release();
            }
        }
        for delivery in all.iter().rev() {
            books.take(delivery);
        }
        let expected = match moved {
            None => (story.model(), 0),
            Some(None) => (0, 0),
            Some(Some(1)) => (story.worth(None), 0),
            Some(Some(_)) => (0, story.worth(Some(rival_rate))),
        };
        prop_assert_eq!((books.earned(), books.earned_by(rival)), expected, "{:?} {:?}", story, moved);
        prop_assert_eq!(books.held(Account::Commission, 0), -expected.0 - expected.1);
    }

    /// The merged facts are the same set of facts, whatever the order: merging commutes.
    #[test]
    fn facts_do_not_depend_on_the_order_of_deliveries(story in story(), order in any::<prop::sample::Selector>()) {
        let all = story.deliveries();
        let merge = |deliveries: &mut dyn Iterator<Item = &Delivery>| {
            deliveries.fold(Default::default(), |facts: tributary::domain::order::Facts, d| facts.merge(&d.report).unwrap())
        };
        let straight = merge(&mut all.iter());
        let mut rest: Vec<&Delivery> = all.iter().collect();
        let mut shuffled = Vec::new();
        while !rest.is_empty() {
            let next = order.select(0..rest.len());
            shuffled.push(rest.swap_remove(next));
        }
        prop_assert_eq!(merge(&mut shuffled.into_iter()), straight);
    }

    /// Any split of a refund ends where one refund of the whole would.
    #[test]
    fn any_split_of_a_refund_ends_where_one_would(
        sold in 1i64..100_000,
        parts in prop::collection::vec(1i64..2_000, 1..20),
        rate in 0u16..=10_000,
    ) {
        let whole = Story {
            lines: vec![(1, sold, 0)],
            edit: None,
            snapshots: vec![Moment { minute: 0, payment: Payment::Paid, cancelled: false, refunds_known: 0 }],
            refunds: vec![Back::Amount(parts.iter().sum())],
            disputes: vec![],
            deleted: false,
            redacted: false,
            own: false,
            rate,
            agreed: Agreed::default(),
        };
        let split = Story { refunds: parts.iter().map(|p| Back::Amount(*p)).collect(), ..whole.clone() };
        let end = |story: &Story| {
            let mut books = Books::new(story);
            story.deliveries().iter().for_each(|d| books.take(d));
            books.earned()
        };
        prop_assert_eq!(end(&split), end(&whole));
        prop_assert_eq!(end(&split), whole.model());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, ..ProptestConfig::default() })]

    /// The same through the front door: signed bodies, SQL, triggers, several orders of two
    /// creators, time passing and holds ending in between.
    #[test]
    fn the_product_agrees_with_the_model(
        stories in prop::collection::vec(story(), 1..4),
        way in prop::collection::vec((any::<Index>(), any::<Index>(), 0i64..3), 0..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(the_product(stories, way));
    }
}

async fn the_product(stories: Vec<Story>, way: Vec<(Index, Index, i64)>) {
    use support::{Product, Programme};
    let product = Product::new();
    let p = Programme::with(&product, "USD", "10").await;
    let (_, berta) = p.rival(&product, "BERTA").await;
    let path = format!("/v1/deals/{}/codes", p.deal);
    p.post(&product, &path, serde_json::json!({ "code": "ANNA", "create_in_store": false }))
        .await
        .expect(201);
    let bodies: Vec<Vec<serde_json::Value>> =
        stories.iter().enumerate().map(|(n, story)| bodies(n, story)).collect();
    for (which, step, days) in &way {
        let of_order = which.get(&bodies);
        assert_eq!(p.deliver(&product, step.get(of_order)).await, 200);
        if *days == 2 {
            product.pass(20 * 86_400_000);
            tributary::jobs::run_all(&product.app).await;
        }
    }
    for body in bodies.iter().flatten().rev() {
        assert_eq!(p.deliver(&product, body).await, 200);
    }
    tributary::jobs::run_all(&product.app).await;
    let telling =
        "SELECT 1 FROM orders WHERE json_extract(facts, '$.evidence[1].email_hash') IS NOT NULL";
    let redacted = stories.iter().filter(|story| story.redacted).count();
    assert_eq!(product.db.rows(telling).len(), stories.len() - redacted);
    p.verify(&product).await;
    let mut expected = BTreeMap::from([(p.creator.clone(), 0), (berta.clone(), 0)]);
    for (n, story) in stories.iter().enumerate() {
        let (creator, rate) = if n % 2 == 0 { (&p.creator, 1000) } else { (&berta, 2000) };
        // Of Berta no address is known, so that nobody knows that she buys from herself.
        let own = story.own && n % 2 == 0;
        *expected.get_mut(creator).unwrap() +=
            Story { rate, own, agreed: Agreed::default(), ..story.clone() }.model();
    }
    for (creator, minor) in expected {
        let balance = p.balance(&product, &creator, "USD").await;
        let lifetime =
            balance["lifetime"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
        assert_eq!(lifetime, minor, "{balance} {stories:?}");
    }
    let externals: BTreeSet<usize> = (0..stories.len()).collect();
    assert_eq!(
        p.get(&product, "/v1/orders").await["data"].as_array().unwrap().len(),
        externals.len()
    );
    p.verify(&product).await;
}

/// A story's deliveries as Shopify would send them.
fn bodies(n: usize, story: &Story) -> Vec<serde_json::Value> {
    use serde_json::json;
    use support::shop::{coded, goodwill, later, line, order, refund, shipping_refund, with};
    let id = 5000 + n as u64;
    let decimal = |minor: i64| format!("{}.{:02}", minor / 100, minor % 100);
    let lines_at = |minute: i64| -> Vec<_> {
        let lines = story.lines_at(minute);
        let one = |(i, (q, price, discount, left)): (usize, &(i64, i64, i64, Option<i64>))| {
            let line = line(i as u64 + 1, *q, &decimal(*price), &decimal(*discount), "USD");
            match left {
                Some(left) => with(line, json!({ "current_quantity": left })),
                None => line,
            }
        };
        lines.iter().enumerate().map(one).collect()
    };
    let backs: Vec<_> = story
        .refunds
        .iter()
        .enumerate()
        .map(|(i, back)| {
            let refund_id = id * 100 + i as u64;
            match back {
                Back::Lines(lines) => {
                    let texts: Vec<(u64, String)> = lines
                        .iter()
                        .map(|(line, minor)| {
                            ((line % story.lines.len()) as u64 + 1, decimal(*minor))
                        })
                        .collect();
                    let lines: Vec<_> =
                        texts.iter().map(|(line, text)| (*line, 1, text.as_str())).collect();
                    refund(refund_id, id, &lines)
                }
                Back::Amount(minor) => goodwill(refund_id, id, &decimal(*minor)),
                Back::Shipping => shipping_refund(refund_id, id, i % 2 == 0),
            }
        })
        .collect();
    let code = if n.is_multiple_of(2) { "anna" } else { "Berta" };
    let email = if story.own { "anna@creator.example" } else { "buyer@example.com" };
    let mut all: Vec<_> = story
        .snapshots
        .iter()
        .map(|moment| {
            let status = match moment.payment {
                Payment::Unpaid => "pending",
                Payment::PartiallyPaid => "partially_paid",
                Payment::Paid => "paid",
                Payment::PartiallyRefunded => "partially_refunded",
                Payment::Refunded => "refunded",
                Payment::Voided => "voided",
            };
            let cancelled =
                if moment.cancelled { json!("2026-11-22T07:30:00Z") } else { json!(null) };
            let known: Vec<_> = backs.iter().take(moment.refunds_known).cloned().collect();
            later(
                coded(
                    with(
                        order(id),
                        json!({ "line_items": lines_at(moment.minute), "email": email }),
                    ),
                    code,
                ),
                moment.minute,
                json!({ "financial_status": status, "cancelled_at": cancelled, "refunds": known }),
            )
        })
        .collect();
    all.extend(backs);
    all.extend(story.disputes.iter().map(|(dispute, state, minute)| {
        let at = tributary::domain::time::to_rfc3339(support::NOW_MS - 3_600_000 + minute * 60_000);
        let (status, end) = match state {
            DisputeState::Open => ("under_review", json!(null)),
            DisputeState::Won => ("won", json!(at)),
            DisputeState::Lost => ("accepted", json!(at)),
        };
        json!({ "id": id * 10 + *dispute as u64, "order_id": id, "type": "chargeback", "status": status,
            "amount": "11.50", "currency": "USD", "finalized_on": end, "initiated_at": at })
    }));
    if story.deleted {
        all.push(json!({ "id": id }));
    }
    if story.redacted {
        all.push(json!({ "shop_id": 1, "shop_domain": "casa.myshopify.com",
            "customer": { "email": email }, "orders_to_redact": [id] }));
    }
    all
}
