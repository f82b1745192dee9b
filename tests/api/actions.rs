//! One action on one deal: done, unchanged or refused, once for each cause, and never by half.

use serde_json::{Value, json};
use tributary::domain::auth::Actor;
use tributary::domain::ids::{BrandId, DealId};
use tributary::error::Error;
use tributary::jobs::actions::{Action, Cause, Outcome, perform};
use tributary::web::extract::By;

use crate::support::sqlite::Fault;
use crate::support::{Product, Programme, at_once};

const BY: By<'static> = By { actor: Actor::Job("test"), request_id: "request" };

fn brand(p: &Programme) -> BrandId {
    p.brand["id"].as_str().unwrap().parse().unwrap()
}

fn deal(p: &Programme) -> DealId {
    p.deal.parse().unwrap()
}

async fn act(
    product: &Product,
    p: &Programme,
    action: &Value,
    cause: &str,
) -> Result<Outcome, Box<Error>> {
    let action = Action::read(&action.to_string()).unwrap();
    perform(&product.app, brand(p), deal(p), &action, &Cause::new(BY, cause)).await
}

/// A programme in which every action finds what it names; what names it.
struct Stage {
    p: Programme,
    template: String,
    group: String,
    owner: String,
}

async fn stage(product: &Product) -> Stage {
    let p = Programme::new(product).await;
    let id = |json: Value| json["id"].as_str().unwrap().to_owned();
    let template = json!({ "name": "T", "subject": "Hi {{creator.first_name}}", "text": "From {{brand.name}}" });
    let template = id(p.post(product, "/v1/message-templates", template).await.expect(201));
    let ten = json!({ "kind": "percentage", "percent": "10" });
    let group = json!({ "name": "Ten", "discount": ten, "mode": "one_discount" });
    let group = id(p.post(product, "/v1/affiliate-groups", group).await.expect(201));
    let owner = product.db.rows("SELECT id FROM members")[0]["id"].as_str().unwrap().to_owned();
    Stage { p, template, group, owner }
}

impl Stage {
    /// Every action, with what is made by it: a count that grows by one, or what the deal shows.
    fn actions(&self) -> Vec<(Value, &'static str)> {
        vec![
            (
                json!({ "do": "new_terms", "terms": { "commission_percent": "15" } }),
                "SELECT count(*) AS n FROM terms",
            ),
            (
                json!({ "do": "add_tags", "tags": ["b", " a ", "b"] }),
                "SELECT count(*) AS n FROM deals WHERE tags = '[\"b\",\"a\"]'",
            ),
            (
                json!({ "do": "remove_tags", "tags": ["b"] }),
                "SELECT count(*) AS n FROM deals WHERE tags = '[\"a\"]'",
            ),
            (
                json!({ "do": "move", "stage": "Posted" }),
                "SELECT count(*) AS n FROM deals WHERE stage = 'Posted'",
            ),
            (
                json!({ "do": "assign", "owner_id": self.owner }),
                "SELECT count(*) AS n FROM deals WHERE owner_id IS NOT NULL",
            ),
            (
                json!({ "do": "message", "template_id": self.template }),
                "SELECT count(*) AS n FROM messages",
            ),
            (
                json!({ "do": "follow_up", "text": "Ask", "due_in_days": 3 }),
                "SELECT count(*) AS n FROM follow_ups WHERE owner_id IS NOT NULL",
            ),
            (
                json!({ "do": "invite" }),
                "SELECT count(*) AS n FROM mails WHERE cause LIKE 'invite/invitation%'",
            ),
            (json!({ "do": "create_link", "target": "/shoes" }), "SELECT count(*) AS n FROM links"),
            (
                json!({ "do": "assign_code", "affiliate_group_id": self.group }),
                "SELECT count(*) AS n FROM codes",
            ),
            (
                json!({ "do": "fee", "amount": { "amount": "50.00", "currency": "USD" }, "note": "Hi" }),
                "SELECT count(*) AS n FROM fees",
            ),
        ]
    }
}

fn count(product: &Product, sql: &str) -> i64 {
    product.db.rows(sql)[0]["n"].as_i64().unwrap()
}

const TRAIL: &str = "SELECT count(*) AS n FROM audit";

/// What an action did is done once, whoever asks again; under another cause what is idempotent is unchanged.
#[tokio::test]
async fn every_action_is_done_once_for_its_cause() {
    let product = Product::new();
    let s = stage(&product).await;
    let again = ["message", "follow_up", "fee"];
    for (action, sql) in s.actions() {
        let word = action["do"].as_str().unwrap();
        let (before, trail) = (count(&product, sql), count(&product, TRAIL));
        let first = act(&product, &s.p, &action, "test/1").await;
        // The same cause has other actions behind it here: each gets its own.
        let cause = format!("test/{word}");
        assert!(word == "new_terms" || first.unwrap() == Outcome::Done(made(&product)), "{word}");
        if word != "new_terms" {
            assert_eq!(count(&product, sql), before, "{word}: the cause did another before");
        }
        let done = act(&product, &s.p, &action, &cause).await.unwrap();
        if word == "new_terms" {
            assert_eq!(done, Outcome::Unchanged, "the terms are these already");
        } else {
            assert!(matches!(done, Outcome::Done(_)), "{word}: {done:?}");
        }
        assert_eq!(count(&product, sql), before + 1, "{word}");
        assert_eq!(count(&product, TRAIL), trail + 1, "{word} is in the trail once");
        let all = product.db.checksum();
        assert_eq!(act(&product, &s.p, &action, &cause).await.unwrap(), done, "{word}");
        assert_eq!(product.db.checksum(), all, "{word} again does nothing");
        let other = act(&product, &s.p, &action, &format!("{cause}/2")).await.unwrap();
        if again.contains(&word) {
            assert!(matches!(other, Outcome::Done(_)), "{word}: {other:?}");
        } else {
            assert_eq!(other, Outcome::Unchanged, "{word}");
            assert_eq!(count(&product, sql), before + 1, "{word}");
        }
    }
    s.p.verify(&product).await;
    let balance = s.p.balance(&product, &s.p.creator, "USD").await;
    assert_eq!(balance["available"], "100.00", "two fees, by two causes");
}

fn made(product: &Product) -> String {
    let row = product.db.rows("SELECT subject FROM deal_actions WHERE cause = 'test/1'");
    row[0]["subject"].as_str().unwrap().to_owned()
}

/// The n-th call of D1 is lost, before or after it was done, for every action and every n: tried again for the
/// same cause, it was done once.
#[tokio::test]
async fn any_call_may_be_lost() {
    for at in 0..11 {
        for fault in [Fault::Before, Fault::After] {
            for n in 0.. {
                let product = Product::new();
                let s = stage(&product).await;
                if at == 2 {
                    act(&product, &s.p, &json!({ "do": "add_tags", "tags": ["a", "b"] }), "t")
                        .await
                        .unwrap();
                }
                if at == 6 {
                    act(&product, &s.p, &json!({ "do": "assign", "owner_id": s.owner }), "t")
                        .await
                        .unwrap();
                }
                let (action, sql) = s.actions().swap_remove(at);
                let (before, trail) = (count(&product, sql), count(&product, TRAIL));
                let calls = product.db.calls();
                product.db.fail_call(n, fault);
                let first = act(&product, &s.p, &action, "auto/1/1").await;
                let failed = product.db.calls() - calls > n;
                product.db.fail_no_call();
                let word = &action["do"];
                if let Err(error) = &first {
                    assert!(matches!(**error, Error::Unavailable(_)), "{word} {n}: {error}");
                }
                let outcome = act(&product, &s.p, &action, "auto/1/1").await.unwrap();
                assert!(matches!(outcome, Outcome::Done(_)), "{word} {fault:?} {n}: {outcome:?}");
                assert_eq!(count(&product, sql), before + 1, "{word} {fault:?} {n}");
                assert_eq!(count(&product, TRAIL), trail + 1, "{word} {fault:?} {n}");
                if !failed {
                    assert!(n >= 2, "{word}");
                    break;
                }
            }
        }
    }
}

/// Ten at once, for one cause: one does it and all are told so. For ten causes: what may be done again is.
#[tokio::test]
async fn at_once_it_is_done_once() {
    let product = Product::new();
    let s = stage(&product).await;
    for (action, sql) in s.actions() {
        let before = count(&product, sql);
        let all =
            at_once((0..10).map(|_| act(&product, &s.p, &action, action["do"].as_str().unwrap())))
                .await;
        let all: Vec<Outcome> = all.into_iter().map(Result::unwrap).collect();
        assert!(matches!(all[0], Outcome::Done(_)), "{action}: {:?}", all[0]);
        assert!(all.iter().all(|one| *one == all[0]), "{action}: {all:?}");
        assert_eq!(count(&product, sql), before + 1, "{action}");
    }
    s.p.verify(&product).await;
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_its_rule_and_changes_nothing() {
    let product = Product::new();
    let s = stage(&product).await;
    let p = &s.p;
    let nobody = "member_01h455vb4pex5vsknk084sn02q";
    let template = |id: &str| json!({ "do": "message", "template_id": id });
    let hungry = json!({ "name": "T", "subject": "Yours", "text": "Use {{deal.code}}" });
    let hungry = p.post(&product, "/v1/message-templates", hungry).await.expect(201);
    p.post(&product, &format!("/v1/affiliate-groups/{}/archive", s.group), json!({}))
        .await
        .expect(200);
    let cases = [
        (json!({ "do": "move", "stage": "Nowhere" }), "no-such-stage"),
        (json!({ "do": "assign", "owner_id": nobody }), "invalid"),
        (
            json!({ "do": "add_tags", "tags": (0..51).map(|n| n.to_string()).collect::<Vec<_>>() }),
            "invalid",
        ),
        (json!({ "do": "add_tags", "tags": [] }), "invalid"),
        (template("template_01h455vb4pex5vsknk084sn02q"), "invalid"),
        (template(hungry["id"].as_str().unwrap()), "invalid"),
        (json!({ "do": "follow_up", "text": "A", "due_in_days": 4000 }), "invalid"),
        (json!({ "do": "follow_up", "text": " ", "due_in_days": 1 }), "invalid"),
        (json!({ "do": "create_link", "target": "//evil" }), "invalid"),
        (
            json!({ "do": "create_link", "store_id": "store_01h455vb4pex5vsknk084sn02q" }),
            "not-found",
        ),
        (json!({ "do": "assign_code", "affiliate_group_id": s.group }), "group-archived"),
        (json!({ "do": "fee", "amount": { "amount": "0.00", "currency": "USD" } }), "invalid"),
        (
            json!({ "do": "fee", "amount": { "amount": "1.00", "currency": "USD" }, "stage": "Nowhere" }),
            "invalid",
        ),
        (
            json!({ "do": "new_terms", "terms": { "commission_percent": "5", "starts_at": "1999-01-01T00:00:00Z" } }),
            "invalid",
        ),
    ];
    for (number, (action, rule)) in cases.into_iter().enumerate() {
        let cause = format!("bad/{number}");
        let tables = "SELECT (SELECT count(*) FROM audit) || (SELECT json_group_array(revision) FROM deals) AS n";
        let before = product.db.rows(tables);
        match act(&product, p, &action, &cause).await.unwrap() {
            Outcome::Refused { rule: told, why } => {
                assert_eq!(told, rule, "{action}: {why}");
                assert!(!why.is_empty());
            }
            other => panic!("{action}: {other:?}"),
        }
        assert_eq!(product.db.rows(tables), before, "{action}");
    }
    // What a rule refused stays refused for its cause, whatever is changed then.
    let gone = DealId::from_bytes([7; 16]);
    let action = Action::read("{\"do\":\"invite\"}").unwrap();
    let told = perform(&product.app, brand(p), gone, &action, &Cause::new(BY, "x")).await.unwrap();
    assert!(matches!(told, Outcome::Refused { rule, .. } if rule == "deal-gone"));
    product.db.execute("UPDATE creators SET email = NULL").unwrap();
    for action in [json!({ "do": "invite" }), template(&s.template)] {
        let told = act(&product, p, &action, action["do"].as_str().unwrap()).await.unwrap();
        assert!(matches!(told, Outcome::Refused { rule, .. } if rule == "no-address"), "{action}");
    }
    product.db.execute("UPDATE creators SET email = 'anna@creator.example'").unwrap();
    let told = act(&product, p, &json!({ "do": "invite" }), "invite").await.unwrap();
    assert!(matches!(told, Outcome::Refused { rule, .. } if rule == "no-address"));
    p.post(
        &product,
        &format!("/v1/creators/{}/erasure", p.creator),
        json!({ "handle": "@anna.home" }),
    )
    .await;
    product.db.execute("UPDATE creators SET erased_at_ms = 1").unwrap();
    for (action, _) in s.actions() {
        let told = act(&product, p, &action, &format!("erased/{}", action["do"])).await.unwrap();
        let said = matches!(&told, Outcome::Refused { rule, .. } if rule == "creator-erased" || rule == "group-archived");
        assert!(said, "{action}: {told:?}");
    }
}

/// Forms that are no action are told what is wrong.
#[test]
fn actions_are_read_strictly() {
    for (text, field) in [
        ("{}", "do"),
        ("[]", ""),
        ("{\"do\":\"dance\"}", "do"),
        ("{\"do\":7}", "do"),
        ("{\"do\":\"move\"}", "stage"),
        ("{\"do\":\"move\",\"stage\":\"A\",\"x\":1}", "x"),
        ("{\"do\":\"move\",\"stage\":7}", "stage"),
        ("{\"do\":\"assign\"}", "owner_id"),
        ("{\"do\":\"invite\",\"deal_id\":\"x\"}", "deal_id"),
        ("{\"do\":\"follow_up\",\"text\":\"a\",\"due_in_days\":1.5}", "due_in_days"),
        ("{\"do\":\"fee\",\"amount\":{\"amount\":\"x\",\"currency\":\"USD\"}}", "amount"),
        (
            "{\"do\":\"new_terms\",\"terms\":{\"commission_percent\":\"101\"}}",
            "terms.commission_percent",
        ),
        ("{", ""),
    ] {
        match Action::read(text).map_err(|error| *error) {
            Err(Error::Invalid(wrong)) => assert_eq!(wrong[0].field, field, "{text}: {wrong:?}"),
            _ => panic!("{text}"),
        }
    }
}
