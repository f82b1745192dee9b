//! What the creator's pages say, in English: all of it is here, so that a second language is a second table
//! ([`texts`]) and a second set of these sentences.

mod texts;

pub use texts::{EN, Texts};

use crate::domain::attribution::{Decision, Method};
use crate::domain::claim::ClaimState;
use crate::domain::locale::Locale;
use crate::domain::money::{BasisPoints, Money};
use crate::domain::post::Platform;
use crate::domain::terms::{Customer, RateRule, Rules};
use crate::domain::time::Day;

/// How a state is coloured. Colour never stands alone: each has its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Waits for something.
    Waits,
    /// Nothing comes of it.
    Off,
    /// Needs a look.
    Bad,
}

impl Tone {
    /// The class of its badge.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Waits => "wait",
            Self::Off => "plain",
            Self::Bad => "bad",
        }
    }
}

/// What is to be said of an order.
pub struct OrderFacts<'a> {
    /// As the API tells it.
    pub state: &'a str,
    /// What is posted for it.
    pub commission: Money,
    /// What that is computed from.
    pub base: Money,
    /// When its commission becomes available.
    pub available: Option<Day>,
    /// Now, in the brand's calendar.
    pub today: Day,
}

/// An order's state: a word, its tone, and what it means for her money.
#[must_use]
pub fn order_state(order: &OrderFacts<'_>, locale: &Locale) -> (&'static str, Tone, String) {
    let earns = order.commission.minor > 0;
    let when = match order.available {
        Some(day) if day > order.today => {
            (Tone::Waits, format!("The commission becomes available on {}.", locale.date(day)))
        }
        _ => (Tone::Good, "The commission is available, or paid already.".to_owned()),
    };
    let (word, (tone, text)) = match order.state {
        "unpaid" if earns => ("not paid yet", when),
        "unpaid" => (
            "not paid yet",
            (Tone::Waits, "It earns as soon as the customer has paid it in full.".to_owned()),
        ),
        "paid" if earns => ("earned", when),
        "paid" if order.base.minor == 0 => {
            ("earns nothing", (Tone::Off, "Nothing in it counts for commission.".to_owned()))
        }
        "paid" => (
            "earns nothing",
            (
                Tone::Off,
                "By your terms nothing is due for it: a cap was reached, for instance, or the customer had ordered before."
                    .to_owned(),
            ),
        ),
        "partially_refunded" => (
            "partly returned",
            (when.0, format!("The commission is for what the customer kept. {}", when.1)),
        ),
        "refunded" => {
            ("returned", (Tone::Off, "The customer got the money back: nothing is due.".to_owned()))
        }
        "cancelled" => ("cancelled", (Tone::Off, "The order was cancelled: nothing is due.".to_owned())),
        "disputed" => (
            "disputed",
            (
                Tone::Bad,
                "The customer disputes the payment. The commission is held back until that is decided.".to_owned(),
            ),
        ),
        _ => ("known", (Tone::Off, String::new())),
    };
    (word, tone, text)
}

/// Why an order is hers, in words; empty where that isn't known.
#[must_use]
pub fn why_hers(decision: Option<&Decision>) -> String {
    let Some(decision) = decision else { return String::new() };
    if decision.moved.is_some() {
        return "The brand gave you this order.".to_owned();
    }
    let Some(winner) = &decision.winner else { return String::new() };
    match winner.method {
        Method::Code => {
            let won = |c: &&crate::domain::attribution::Candidate| {
                c.deal_id == Some(winner.deal)
                    && c.method == Method::Code
                    && c.reason == crate::domain::attribution::Reason::Won
            };
            match decision.candidates.iter().find(won) {
                Some(candidate) => format!("Your code {} was used.", candidate.evidence),
                None => "Your code was used.".to_owned(),
            }
        }
        Method::Link => "The customer came by your link.".to_owned(),
        Method::Journey => "The shop saw that the customer came by your link.".to_owned(),
        Method::Affiliate => "Another affiliate programme of the brand named you.".to_owned(),
        Method::Hand => "The brand gave you this order.".to_owned(),
    }
}

/// What a platform calls itself.
#[must_use]
pub fn platform(platform: Platform) -> &'static str {
    match platform {
        Platform::Instagram => "Instagram",
        Platform::TikTok => "TikTok",
        Platform::YouTube => "YouTube",
        Platform::Facebook => "Facebook",
        Platform::X => "X",
        Platform::Pinterest => "Pinterest",
        Platform::Twitch => "Twitch",
        Platform::Blog => "Blog",
        Platform::Podcast => "Podcast",
        Platform::Other => "Elsewhere",
    }
}

/// The state of a payment to her.
#[must_use]
pub fn payment_state(state: &str) -> (&'static str, Tone) {
    match state {
        "settled" => ("paid", Tone::Good),
        "failed" => ("came back", Tone::Bad),
        _ => ("on its way", Tone::Waits),
    }
}

/// What a payment that came back means.
pub const CAME_BACK: &str = "The money is available again and goes into the next payout. Look whether your payment details are right.";

/// The state of a claim.
#[must_use]
pub fn claim_state(state: ClaimState) -> (&'static str, Tone) {
    match state {
        ClaimState::Open => ("the brand looks at it", Tone::Waits),
        ClaimState::Hers => ("yours already", Tone::Good),
        ClaimState::Unknown => ("not found", Tone::Off),
        ClaimState::Granted => ("granted", Tone::Good),
        ClaimState::Declined => ("declined", Tone::Off),
    }
}

/// The state of offered terms, or of what she asked for.
#[must_use]
pub fn offer_state(state: &str, request: bool) -> (&'static str, Tone) {
    match (state, request) {
        ("waiting", false) => ("waits for your answer", Tone::Waits),
        ("waiting", true) => ("waits for the brand’s answer", Tone::Waits),
        ("accepted", false) => ("you accepted", Tone::Good),
        ("accepted", true) => ("granted", Tone::Good),
        ("declined", false) => ("you declined", Tone::Off),
        ("declined", true) => ("declined", Tone::Off),
        _ => ("taken back", Tone::Off),
    }
}

/// Terms in sentences: what an order earns, and from when until when.
#[must_use]
pub fn terms(
    rate: BasisPoints,
    rules: &Rules,
    (from, until): (Option<Day>, Option<Day>),
    locale: &Locale,
) -> Vec<String> {
    let percent = |rate: BasisPoints| locale.percent(&rate.to_percent());
    let mut told = vec![format!("{} of what customers pay for the products.", percent(rate))];
    told.extend(rules.rates.iter().map(|rule| special(rule, &percent(rule.rate))));
    if let Some(flat) = rules.flat {
        told.push(format!("{} more for each order.", locale.money(flat)));
    }
    if rules.first_order_only {
        told.push("Only a customer’s first order earns.".to_owned());
    }
    if let Some(cap) = rules.order_cap {
        told.push(format!("At most {} for one order.", locale.money(cap)));
    }
    if let Some(cap) = rules.month_cap {
        told.push(format!("At most {} in a month.", locale.money(cap)));
    }
    if let Some(day) = from {
        told.push(format!(
            "For orders from {} on, at the soonest from when you accept.",
            locale.date(day)
        ));
    }
    if let Some(day) = until {
        told.push(format!("Until {}; after that the terms before hold again.", locale.date(day)));
    }
    told
}

/// A rate of its own for some products or customers.
fn special(rule: &RateRule, percent: &str) -> String {
    let what = match (rule.label.as_str(), rule.products.len()) {
        ("", 0) => "all products".to_owned(),
        ("", 1) => "one product".to_owned(),
        ("", count) => format!("{count} products"),
        (label, _) => label.to_owned(),
    };
    let who = match rule.customer {
        None => "",
        Some(Customer::New) => ", for customers who are new",
        Some(Customer::Returning) => ", for customers who came before",
    };
    format!("{percent} for {what}{who}.")
}

/// What a line of a statement says of an amount that was earned or taken back.
#[must_use]
pub fn posted(cause: &str, text: Option<&str>, taken: bool) -> String {
    let about = text.filter(|text| !text.is_empty());
    match (cause, about) {
        ("order", Some(name)) if taken => format!("Taken back: order {name}"),
        ("order", None) if taken => "Taken back: an order".to_owned(),
        ("order", Some(name)) => format!("Commission: order {name}"),
        ("order", None) => "Commission: an order".to_owned(),
        ("fee", Some(note)) => format!("Fee: {note}"),
        ("fee", None) => "Fee".to_owned(),
        ("adjustment", Some(reason)) => format!("Correction: {reason}"),
        ("adjustment", None) => "Correction".to_owned(),
        _ => "Posting".to_owned(),
    }
}

/// What a line of a statement says of an amount that only moved, by the account that it went to.
#[must_use]
pub fn moved(cause: &str, to: &str) -> &'static str {
    match (cause, to) {
        ("settlement", "paid") => "Paid to you",
        ("settlement", _) => "A payment came back",
        ("payout", _) => "Put into a payout",
        ("release", "clawback") => "Settled what you owed back",
        ("release", _) => "Became available",
        (_, "clawback") => "Settled what you owed back",
        _ => "Moved",
    }
}

/// How somebody is paid: `IBAN, ends in 3000, DE`.
#[must_use]
pub fn paid_to(method: &str, last4: Option<&str>, country: Option<&str>) -> String {
    let name = match method {
        "paypal" => "PayPal",
        "iban" => "Bank account",
        _ => "US bank account",
    };
    let mut told = name.to_owned();
    if let Some(last4) = last4 {
        told.push_str(", ends in ");
        told.push_str(last4);
    }
    if let Some(country) = country {
        told.push_str(", ");
        told.push_str(country);
    }
    told
}

/// How a form calls a field that the API refused.
#[must_use]
pub fn field(name: &str) -> &'static str {
    let name = name.rsplit('.').next().unwrap_or(name);
    match name {
        "page" => EN.page_address,
        "slug" => EN.link_name,
        "deal_id" => EN.for_deal,
        "url" => EN.post_address,
        "published_at" => EN.published,
        "platform" => EN.platform,
        "impressions" => EN.impressions,
        "views" => EN.views,
        "likes" => EN.likes,
        "comments" => EN.comments,
        "shares" => EN.shares,
        "order_number" => EN.order_number,
        "note" => EN.note,
        "method" => EN.method,
        "email" => EN.paypal_email,
        "holder" => EN.holder,
        "iban" => EN.iban,
        "bic" => EN.bic,
        "routing_number" => EN.routing,
        "account_number" => EN.account,
        "account_type" => EN.account_type,
        "commission_percent" => EN.terms_rate,
        "agree" => EN.terms_agree,
        _ => "This",
    }
}

/// How much is missing until the minimum.
#[must_use]
pub fn missing(amount: &str, minimum: &str) -> String {
    format!("{amount} more until {minimum}, the least that is paid out.")
}

/// From when on payment details are used.
#[must_use]
pub fn used_from(date: &str) -> String {
    format!("Used from {date} on. Until then nothing is paid out to you.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attribution::{Candidate, Outcome, Reason, Winner};
    use crate::domain::brand::{AttributionRules, EarningRules};
    use crate::domain::ids::{CreatorId, DealId, TermsId};
    use crate::domain::money::BasisPoints;
    use crate::domain::terms::{CitedTerms, Rules};

    fn facts(state: &str, commission: i64, available: Option<i64>) -> OrderFacts<'_> {
        let usd = "USD".parse().unwrap();
        OrderFacts {
            state,
            commission: Money::new(commission, usd),
            base: Money::new(10_000, usd),
            available: available.map(Day),
            today: Day(20_000),
        }
    }

    #[test]
    fn an_orders_state_says_what_it_means_for_her() {
        let told = |state, commission, available| {
            let (word, tone, text) =
                order_state(&facts(state, commission, available), &Locale::default());
            format!("{word}/{tone:?}: {text}")
        };
        assert_eq!(
            told("paid", 1800, Some(20_001)),
            "earned/Waits: The commission becomes available on Oct 5, 2024."
        );
        // On its day it is available: as the books reckon it.
        assert_eq!(
            told("paid", 1800, Some(20_000)),
            "earned/Good: The commission is available, or paid already."
        );
        assert!(told("paid", 0, None).starts_with("earns nothing/Off: By your terms"));
        assert!(told("unpaid", 0, None).ends_with("as soon as the customer has paid it in full."));
        assert!(told("unpaid", 5, Some(20_009)).contains("becomes available on"));
        assert!(
            told("partially_refunded", 900, Some(20_001))
                .contains("what the customer kept. The commission becomes")
        );
        assert!(told("disputed", 0, None).starts_with("disputed/Bad"));
        for state in ["refunded", "cancelled"] {
            assert!(told(state, 0, None).ends_with("nothing is due."), "{state}");
        }
    }

    #[test]
    fn every_way_to_an_order_has_its_words() {
        let deal = DealId::from_bytes([1; 16]);
        let decision = |method| Decision {
            winner: Some(Winner {
                deal,
                creator: CreatorId::from_bytes([2; 16]),
                method,
                terms: CitedTerms {
                    id: TermsId::from_bytes([3; 16]),
                    rate: BasisPoints::new(1000).unwrap(),
                    rules: Rules::default(),
                },
            }),
            reason: Reason::Won,
            candidates: vec![Candidate {
                deal_id: Some(deal),
                method,
                evidence: "ANNA15".to_owned(),
                at_ms: None,
                outcome: Outcome::Won,
                reason: Reason::Won,
            }],
            rules: AttributionRules::default(),
            earning: EarningRules::default(),
            decided_at_ms: 0,
            moved: None,
            members: Default::default(),
            seen: Default::default(),
        };
        assert_eq!(why_hers(Some(&decision(Method::Code))), "Your code ANNA15 was used.");
        // A click id stands for somebody's visit: it is never shown.
        for method in [Method::Link, Method::Journey, Method::Affiliate, Method::Hand] {
            let told = why_hers(Some(&decision(method)));
            assert!(told.ends_with('.') && !told.contains("ANNA15"), "{told}");
        }
        assert_eq!(why_hers(None), "");
    }

    #[test]
    fn statements_say_what_was_posted_and_what_moved() {
        assert_eq!(posted("order", Some("#1001"), false), "Commission: order #1001");
        assert_eq!(posted("order", Some("#1001"), true), "Taken back: order #1001");
        assert_eq!(posted("fee", Some(""), false), "Fee");
        assert_eq!(moved("settlement", "paid"), "Paid to you");
        assert_eq!(moved("settlement", "available"), "A payment came back");
        assert_eq!(moved("release", "available"), "Became available");
        assert_eq!(paid_to("iban", Some("3000"), Some("DE")), "Bank account, ends in 3000, DE");
    }
}
