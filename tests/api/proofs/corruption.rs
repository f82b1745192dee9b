//! Corruptions that are planted in an export: the audit finds and names each.

use super::*;

/// The line of `text` in which `part` stands, changed.
fn changed(text: &str, part: &str, change: impl Fn(&str) -> String) -> String {
    let at = text.lines().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}"));
    let lines = text.lines().enumerate();
    lines.map(|(n, line)| if n == at { change(line) } else { format!("{line}\n") }).collect()
}

#[tokio::test]
async fn every_planted_corruption_is_found_and_named() {
    let product = Product::new();
    let (p, _) = busy(&product).await;
    let text = exported(&product, &p).await;
    audited(&text).unwrap();
    let line = |part: &str| {
        let (n, line) = text
            .lines()
            .enumerate()
            .find(|(_, l)| l.contains(part))
            .unwrap_or_else(|| panic!("{part}"));
        (n as u64 + 1, line.to_owned())
    };
    let replaced = |part: &str, from: &str, to: &str| {
        changed(&text, part, |line| {
            assert!(line.contains(from), "{from}: {line}");
            format!("{}\n", line.replacen(from, to, 1))
        })
    };
    let gone = |part: &str| changed(&text, part, |_| String::new());
    let entry = |n: u64| format!(r#""kind":"entry","sequence":{n},"#);
    let order_one = r##""name":"#1","##;
    let swapped = {
        let (a, b) = (line(&entry(1)).1, line(&entry(2)).1);
        text.replace(&a, "\0").replace(&b, &a).replace('\0', &b)
    };
    let renumbered = {
        let (a, b) = (line(&entry(1)).1, line(&entry(2)).1);
        let swap = |of: &str, like: &str| {
            let part = |l: &str| {
                l[l.find("\"account\"").unwrap()..l.find("\"cause\"").unwrap()].to_owned()
            };
            of.replace(&part(of), &part(like))
        };
        let (c, d) = (swap(&a, &b), swap(&b, &a));
        text.replace(&a, "\0").replace(&b, &d).replace('\0', &c)
    };
    let rate = r#""rate":1000"#;
    let terms = r#""of":"terms""#;
    let head = line(r#""kind":"head""#).1;
    let root = head.split("\"root\":\"").nth(1).unwrap()[..64].to_owned();
    let other_root = root.chars().rev().collect::<String>();
    let balance = line(r#""kind":"balance""#);
    let amount = balance.1.rsplit(':').next().unwrap().trim_end_matches('}').to_owned();
    let orders = |part: &str| line(part).0;
    for (what, corrupt, at, words) in [
        (
            "an amount",
            replaced(&entry(2), r#""amount_minor":1350"#, r#""amount_minor":1351"#),
            line(&entry(1)).0,
            "comes to 1 USD, not to zero",
        ),
        ("an entry removed", gone(&entry(2)), line(&entry(2)).0, "entry 3 follows after entry 1"),
        ("entries swapped", swapped, line(&entry(1)).0, "entry 2 follows after entry 0"),
        ("entries swapped and numbered", renumbered, 0, "something among them is not as it was"),
        ("a rate of terms", replaced(terms, rate, r#""rate":2000"#), 0, "it cites"),
        (
            "a rate cited",
            replaced(order_one, rate, r#""rate":2000"#),
            orders(order_one),
            "it cites",
        ),
        (
            "the winner",
            {
                let deal = |part: &str| {
                    let text = line(part).1;
                    let at = text.find("\"winner\":{\"deal\":\"").unwrap() + 18;
                    text[at..at + 31].to_owned()
                };
                let (hers, others) = (deal(order_one), deal(r##""name":"#3","##));
                replaced(
                    order_one,
                    &format!("\"winner\":{{\"deal\":\"{hers}"),
                    &format!("\"winner\":{{\"deal\":\"{others}"),
                )
            },
            orders(order_one),
            "its evidence comes to",
        ),
        (
            "a refund removed",
            {
                changed(&text, order_one, |l| {
                    let mut order: Value = serde_json::from_str(l).unwrap();
                    order["facts"].as_object_mut().unwrap().remove("refunds").unwrap();
                    format!("{order}\n")
                })
            },
            orders(order_one),
            "its facts come to",
        ),
        (
            "facts of an order",
            replaced(order_one, r#""price_minor":10000"#, r#""price_minor":20000"#),
            orders(order_one),
            "the base in minor units is 11250; its facts come to 21250",
        ),
        (
            "a commission",
            replaced(order_one, r#""commission_minor":1125"#, r#""commission_minor":1126"#),
            orders(order_one),
            "the commission in minor units is 1126; its facts come to 1125",
        ),
        (
            "a sealed root",
            replaced(r#""kind":"head""#, &root, &other_root),
            0,
            "something among them is not as it was",
        ),
        (
            "a balance",
            replaced(
                r#""kind":"balance""#,
                &format!(r#""amount_minor":{amount}"#),
                r#""amount_minor":77"#,
            ),
            balance.0,
            "is 77; its entries up to",
        ),
        ("a balance removed", gone(r#""kind":"balance""#), 0, "accounts hold something"),
        (
            "an entry twice",
            changed(&text, &entry(2), |l| format!("{l}\n{l}\n")),
            line(&entry(2)).0 + 1,
            "entry 2 follows after entry 2",
        ),
        (
            "a start of terms",
            changed(&text, terms, |l| {
                let at = l.find("\"starts_at_ms\":").unwrap() + 15;
                format!("{}{}{}\n", &l[..at], NOW_MS, &l[at + 13..])
            }),
            0,
            "its evidence comes to no deal (BeforeTerms)",
        ),
        ("an order removed", gone(order_one), line(&entry(1)).0 - 1, "is not in the export"),
        (
            "a fee's amount",
            replaced(r#""kind":"fee""#, r#""amount_minor":4000"#, r#""amount_minor":5000"#),
            line(r#""kind":"fee""#).0,
            "must have 5000 USD",
        ),
        (
            "when it was posted",
            {
                let posted =
                    line(&entry(1)).1.split("\"posted_at_ms\":").nth(1).unwrap()[..13].to_owned();
                text.replace(
                    &format!(
                        "\"cause_id\":\"{}\",\"posted_at_ms\":{posted}",
                        line(&entry(1))
                            .1
                            .split("\"cause_id\":\"")
                            .nth(1)
                            .unwrap()
                            .split('"')
                            .next()
                            .unwrap()
                    ),
                    &format!(
                        "\"cause_id\":\"{}\",\"posted_at_ms\":1",
                        line(&entry(1))
                            .1
                            .split("\"cause_id\":\"")
                            .nth(1)
                            .unwrap()
                            .split('"')
                            .next()
                            .unwrap()
                    ),
                )
            },
            0,
            "something among them is not as it was",
        ),
        (
            "attribution rules",
            replaced(r#""of":"rules""#, r#""window_days":30"#, r#""window_days":31"#),
            orders(r#""kind":"order""#),
            "was decided by the rules",
        ),
        (
            "a code's deal",
            changed(&text, r#""of":"code","id":"anna""#, |l| {
                let other = line(r#""of":"code","id":"berta""#).1;
                let value = |l: &str| l[l.find("\"deal\":").unwrap()..].to_owned();
                format!("{}\n", l.replace(&value(l), &value(&other)))
            }),
            0,
            "its evidence comes to deal",
        ),
        (
            "the end",
            text.trim_end().rsplit_once('\n').unwrap().0.to_owned(),
            text.lines().count() as u64 - 1,
            "breaks off",
        ),
        ("a line of another kind", gone(r#""kind":"adjustment""#), 0, "is not in the export"),
    ] {
        assert_ne!(corrupt, text, "{what}");
        let found = audited(&corrupt).expect_err(what);
        assert!(found.words.contains(words), "{what}: {found:?}");
        assert!(at == 0 || found.line == at, "{what}: {found:?}, not {at}");
    }
}
