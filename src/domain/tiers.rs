//! Commission tiers: who sells enough in a period gets a better rate from that moment on.
//!
//! Reaching a level starts a new version of terms in each of the creator's open deals that the tiers
//! are for; nothing that was ordered before changes (DESIGN.md, "Terms"). Where the brand wants rates
//! to fall back, the version ends with the period. A level never lowers a rate.

use serde::Serialize;

use super::ids::{CampaignId, DealId, TermsId, TiersId};
use super::money::{BasisPoints, Currency};
use super::terms::{CitedTerms, Rules, Terms, in_force, month_of};
use super::time::{Day, Millis, Zone};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Orders that aren't cancelled, in any currency.
    Orders,
    /// The base of orders after refunds, in the tiers' currency.
    Revenue,
    /// What they earned, in the tiers' currency.
    Commission,
}

/// Over which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A month of the brand's calendar.
    Month,
    /// Three months from January, April, July or October on.
    Quarter,
    /// From the beginning.
    All,
}

/// Tiers of a brand, or of one of its campaigns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiers {
    /// Which.
    pub id: TiersId,
    /// Only for this campaign's deals; `None` for all of the brand's.
    pub campaign: Option<CampaignId>,
    /// What is measured.
    pub metric: Metric,
    /// Over which time.
    pub period: Period,
    /// The currency of amounts.
    pub currency: Currency,
    /// Rates hold to the end of the period only.
    pub falls_back: bool,
    /// Levels by rising threshold.
    pub levels: Vec<Level>,
}

/// One level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Level {
    /// What people call it: Gold.
    pub name: String,
    /// Reached with so many orders, or minor units.
    pub threshold: i64,
    /// The rate from then on.
    pub rate: BasisPoints,
}

/// What a deal came to in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// Whose.
    pub deal: DealId,
    /// In which currency.
    pub currency: Currency,
    /// Orders, base and commission of this month, of this quarter, and of all time.
    pub month: (i64, i64, i64),
    /// Of this quarter.
    pub quarter: (i64, i64, i64),
    /// Of all time.
    pub all: (i64, i64, i64),
}

/// One of the creator's deals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TieredDeal {
    /// Which.
    pub id: DealId,
    /// In which campaign.
    pub campaign: CampaignId,
    /// It is open.
    pub open: bool,
    /// All versions of its terms, by their starts.
    pub terms: Vec<Terms>,
}

/// A level that a deal reached before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Of which tiers.
    pub tiers: TiersId,
    /// Which deal.
    pub deal: DealId,
    /// In the period that began on this day.
    pub since: Day,
    /// Its place among the levels, from 1 on.
    pub level: i64,
}

/// A level that is reached now, with the versions of terms that it starts: none if the deal's rates
/// are as good already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is reached.
    pub reached: Reached,
    /// The level's name.
    pub name: String,
    /// The measured value.
    pub measured: i64,
    /// How many versions the deal had: with another one by the time of the commit, it must fail.
    pub versions: i64,
    /// New versions.
    pub terms: Vec<Terms>,
}

/// The days of the period that `today` is in: from, and the day after the last.
#[must_use]
pub fn span(period: Period, today: Day) -> Option<(Day, Day)> {
    let (first, last) = month_of(today);
    match period {
        Period::All => None,
        Period::Month => Some((first, last.plus(1))),
        Period::Quarter => {
            let month: i64 = first.to_iso().get(5..7).and_then(|m| m.parse().ok()).unwrap_or(1);
            let before = (0..(month - 1) % 3).fold(first, |day, _| month_of(day.plus(-1)).0);
            let after = (0..3).fold(before, |day, _| month_of(day).1.plus(1));
            Some((before, after))
        }
    }
}

/// What the deals came to by the measure of these tiers.
#[must_use]
pub fn measure(tiers: &Tiers, sums: &[Sums], deals: &[TieredDeal]) -> i64 {
    let counts = |sum: &&Sums| {
        let in_scope = |deal: &TieredDeal| deal.id == sum.deal && is_for(tiers, deal);
        (tiers.metric == Metric::Orders || sum.currency == tiers.currency)
            && deals.iter().any(in_scope)
    };
    let of = |sum: &Sums| {
        let (orders, base, commission) = match tiers.period {
            Period::Month => sum.month,
            Period::Quarter => sum.quarter,
            Period::All => sum.all,
        };
        match tiers.metric {
            Metric::Orders => orders,
            Metric::Revenue => base,
            Metric::Commission => commission,
        }
    };
    sums.iter().filter(counts).map(of).fold(0, i64::saturating_add)
}

fn is_for(tiers: &Tiers, deal: &TieredDeal) -> bool {
    tiers.campaign.is_none_or(|campaign| campaign == deal.campaign)
}

/// What a creator reaches now of these tiers, for each of her open deals that they are for.
/// `new_id` gives an id for each new version.
pub fn steps(
    tiers: &Tiers,
    deals: &[TieredDeal],
    sums: &[Sums],
    reached: &[Reached],
    at: (&Zone, Millis),
    new_id: &mut dyn FnMut() -> TermsId,
) -> Vec<Step> {
    let (zone, now_ms) = at;
    let measured = measure(tiers, sums, deals);
    let place = tiers.levels.iter().rposition(|level| measured >= level.threshold);
    let Some((place, level)) = place.and_then(|at| tiers.levels.get(at).map(|level| (at, level)))
    else {
        return Vec::new();
    };
    let number = i64::try_from(place).unwrap_or(i64::MAX).saturating_add(1);
    let period = span(tiers.period, zone.day(now_ms)).filter(|_| tiers.falls_back);
    let since = period.map_or(Day(0), |(first, _)| first);
    let ends_at_ms = period.map(|(_, after)| zone.start_of(after));
    let mut made = Vec::new();
    for deal in deals.iter().filter(|deal| deal.open && is_for(tiers, deal)) {
        let had = |r: &Reached| {
            r.tiers == tiers.id && r.deal == deal.id && r.since == since && r.level >= number
        };
        if reached.iter().any(had) {
            continue;
        }
        // A deal whose terms only begin later reaches the level once they hold.
        let Some(terms) = better(deal, level.rate, ends_at_ms, now_ms, new_id) else { continue };
        made.push(Step {
            reached: Reached { tiers: tiers.id, deal: deal.id, since, level: number },
            name: level.name.clone(),
            measured,
            versions: i64::try_from(deal.terms.len()).unwrap_or(i64::MAX),
            terms,
        });
    }
    made
}

/// The versions that give a deal at least this rate: one in place of the terms that have no end, and,
/// while a season lasts, one in place of the season, raised no longer than this rate holds. `None` if no
/// terms without an end hold yet.
fn better(
    deal: &TieredDeal,
    rate: BasisPoints,
    ends_at_ms: Option<Millis>,
    now_ms: Millis,
    new_id: &mut dyn FnMut() -> TermsId,
) -> Option<Vec<Terms>> {
    let lasting: Vec<&Terms> = deal.terms.iter().filter(|t| t.ends_at_ms.is_none()).collect();
    let standing = in_force(&lasting, |t| (t.starts_at_ms, None), now_ms).copied()?;
    let present = in_force(&deal.terms, |t| (t.starts_at_ms, t.ends_at_ms), now_ms);
    let mut made = Vec::new();
    let mut add = |terms: &Terms, ends_at_ms| {
        let rules: Rules = terms.cited.rules.clone();
        let cited = CitedTerms { id: new_id(), rate: terms.cited.rate.max(rate), rules };
        made.push(Terms { deal: deal.id, starts_at_ms: now_ms, ends_at_ms, cited });
    };
    if standing.cited.rate < rate {
        add(standing, ends_at_ms);
        if let Some(season) = present.filter(|terms| terms.ends_at_ms.is_some()) {
            // It started later than what stands, and still holds: later versions go first. After a
            // raised copy's end the season itself holds again.
            let raised = season.cited.rate < rate;
            let end = season.ends_at_ms.into_iter().chain(ends_at_ms.filter(|_| raised)).min();
            add(season, end);
        }
    }
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_795_334_400_000; // 2026-11-22T08:00:00Z
    fn day(iso: &str) -> Day {
        Day::from_iso(iso).unwrap()
    }
    fn points(n: u16) -> BasisPoints {
        BasisPoints::new(n).unwrap()
    }
    fn usd() -> Currency {
        "USD".parse().unwrap()
    }
    fn terms(starts_at_ms: Millis, ends_at_ms: Option<Millis>, rate: u16) -> Terms {
        let id = TermsId::from_bytes([9; 16]);
        let cited = CitedTerms { id, rate: points(rate), rules: Rules::default() };
        Terms { deal: DealId::from_bytes([1; 16]), starts_at_ms, ends_at_ms, cited }
    }
    fn deal(n: u8, terms: Vec<Terms>) -> TieredDeal {
        let campaign = CampaignId::from_bytes([n; 16]);
        TieredDeal { id: DealId::from_bytes([n; 16]), campaign, open: true, terms }
    }
    fn sums(n: u8, currency: &str, orders: i64) -> Sums {
        let of = |times| (orders * times, orders * times * 1_000, orders * times * 100);
        let deal = DealId::from_bytes([n; 16]);
        Sums { deal, currency: currency.parse().unwrap(), month: of(1), quarter: of(2), all: of(5) }
    }
    fn tiers(metric: Metric, period: Period, falls_back: bool) -> Tiers {
        let level = |name: &str, threshold, rate| Level {
            name: name.into(),
            threshold,
            rate: points(rate),
        };
        let levels = vec![level("Silver", 10, 1_200), level("Gold", 20, 1_500)];
        let id = TiersId::from_bytes([7; 16]);
        Tiers { id, campaign: None, metric, period, currency: usd(), falls_back, levels }
    }
    fn run(tiers: &Tiers, deals: &[TieredDeal], sums: &[Sums], reached: &[Reached]) -> Vec<Step> {
        let mut next = 0;
        let mut new_id = || {
            next += 1;
            TermsId::from_bytes([next; 16])
        };
        steps(tiers, deals, sums, reached, (&Zone::utc(), NOW), &mut new_id)
    }
    fn rates(steps: &[Step]) -> Vec<(u16, Option<Millis>)> {
        let all = steps.iter().flat_map(|step| &step.terms);
        all.map(|terms| (terms.cited.rate.points(), terms.ends_at_ms)).collect()
    }

    #[test]
    fn periods_are_the_calendars() {
        let quarter = |iso| span(Period::Quarter, day(iso)).unwrap();
        assert_eq!(quarter("2026-11-22"), (day("2026-10-01"), day("2027-01-01")));
        assert_eq!(quarter("2026-10-01"), (day("2026-10-01"), day("2027-01-01")));
        assert_eq!(quarter("2026-12-31"), (day("2026-10-01"), day("2027-01-01")));
        assert_eq!(quarter("2028-02-29"), (day("2028-01-01"), day("2028-04-01")));
        let month = span(Period::Month, day("2026-12-05")).unwrap();
        assert_eq!(month, (day("2026-12-01"), day("2027-01-01")));
        assert_eq!(span(Period::All, day("2026-12-05")), None);
    }

    #[test]
    fn the_highest_level_that_is_reached_holds_from_now_on() {
        let deals = [deal(1, vec![terms(0, None, 1_000)])];
        let by_month = tiers(Metric::Orders, Period::Month, false);
        assert!(run(&by_month, &deals, &[sums(1, "USD", 9)], &[]).is_empty());
        let silver = run(&by_month, &deals, &[sums(1, "USD", 10)], &[]);
        assert_eq!(rates(&silver), [(1_200, None)]);
        assert_eq!((silver[0].measured, silver[0].versions), (10, 1));
        assert_eq!(silver[0].terms[0].starts_at_ms, NOW);
        let gold = run(&by_month, &deals, &[sums(1, "USD", 20)], &[]);
        assert_eq!((gold[0].reached.level, gold[0].name.as_str()), (2, "Gold"));
        // What was reached before isn't reached again, what is above it is.
        let had = [silver[0].reached];
        assert!(run(&by_month, &deals, &[sums(1, "USD", 19)], &had).is_empty());
        assert_eq!(run(&by_month, &deals, &[sums(1, "USD", 20)], &had).len(), 1);
        assert!(run(&by_month, &deals, &[sums(1, "USD", 10)], &[gold[0].reached]).is_empty());
    }

    #[test]
    fn each_measure_and_period_is_its_own() {
        let deals = [deal(1, vec![terms(0, None, 1_000)]), deal(2, vec![terms(0, None, 1_000)])];
        let all = [sums(1, "USD", 1), sums(1, "EUR", 1), sums(2, "USD", 2)];
        let of = |metric, period| measure(&tiers(metric, period, false), &all, &deals);
        assert_eq!(of(Metric::Orders, Period::Month), 4);
        assert_eq!(of(Metric::Orders, Period::Quarter), 8);
        assert_eq!(of(Metric::Orders, Period::All), 20);
        assert_eq!(of(Metric::Revenue, Period::Month), 3_000);
        assert_eq!(of(Metric::Commission, Period::All), 1_500);
        let campaign = Some(CampaignId::from_bytes([2; 16]));
        let one = Tiers { campaign, ..tiers(Metric::Orders, Period::Month, false) };
        assert_eq!(measure(&one, &all, &deals), 2, "a campaign's tiers count its deals only");
        let steps = run(&one, &deals, &[sums(2, "USD", 10)], &[]);
        assert_eq!(steps.iter().map(|s| s.reached.deal).collect::<Vec<_>>(), [deals[1].id]);
    }

    #[test]
    fn a_rate_may_fall_back_with_the_period_and_is_reached_anew_in_the_next() {
        let deals = [deal(1, vec![terms(0, None, 1_000)])];
        let by_month = tiers(Metric::Orders, Period::Month, true);
        let steps = run(&by_month, &deals, &[sums(1, "USD", 10)], &[]);
        let december = Zone::utc().start_of(day("2026-12-01"));
        assert_eq!(rates(&steps), [(1_200, Some(december))]);
        assert_eq!(steps[0].reached.since, day("2026-11-01"));
        let before = Reached { since: day("2026-10-01"), ..steps[0].reached };
        assert_eq!(run(&by_month, &deals, &[sums(1, "USD", 10)], &[before]).len(), 1);
        let all = tiers(Metric::Orders, Period::All, true);
        assert_eq!(rates(&run(&all, &deals, &[sums(1, "USD", 2)], &[])), [(1_200, None)]);
    }

    #[test]
    fn no_level_lowers_a_rate_or_ends_a_season() {
        let gold = tiers(Metric::Orders, Period::Month, false);
        let reach = |versions| run(&gold, &[deal(1, versions)], &[sums(1, "USD", 20)], &[]);
        let already = reach(vec![terms(0, None, 1_500)]);
        assert_eq!((already.len(), rates(&already).len()), (1, 0), "noted, and nothing changes");
        let in_season = reach(vec![terms(0, None, 1_000), terms(5, Some(NOW + 9), 3_000)]);
        assert_eq!(rates(&in_season), [(1_500, None), (3_000, Some(NOW + 9))]);
        let low_season = reach(vec![terms(0, None, 1_000), terms(5, Some(NOW + 9), 500)]);
        assert_eq!(rates(&low_season), [(1_500, None), (1_500, Some(NOW + 9))]);
        let over = reach(vec![terms(0, None, 1_000), terms(5, Some(NOW), 3_000)]);
        assert_eq!(rates(&over), [(1_500, None)]);
        // What falls back raises a season no longer than it holds itself.
        let falls = tiers(Metric::Orders, Period::Month, true);
        let december = Zone::utc().start_of(day("2026-12-01"));
        let long = december + 40 * 86_400_000;
        let in_long = |rate| {
            let versions = vec![terms(0, None, 1_000), terms(5, Some(long), rate)];
            rates(&run(&falls, &[deal(1, versions)], &[sums(1, "USD", 20)], &[]))
        };
        assert_eq!(in_long(1_200), [(1_500, Some(december)), (1_500, Some(december))]);
        assert_eq!(in_long(1_500), [(1_500, Some(december)), (1_500, Some(long))], "not raised");
        assert_eq!(in_long(2_000), [(1_500, Some(december)), (2_000, Some(long))]);
        assert!(reach(vec![terms(NOW + 1, None, 1_000)]).is_empty(), "reached once they hold");
        let mut closed = deal(1, vec![terms(0, None, 1_000)]);
        closed.open = false;
        assert!(run(&gold, &[closed], &[sums(1, "USD", 20)], &[]).is_empty());
        assert!(run(&gold, &[deal(1, vec![])], &[sums(1, "USD", 20)], &[]).is_empty());
    }

    #[test]
    fn the_rules_beside_the_rate_stay() {
        let mut with_rules = terms(0, None, 1_000);
        with_rules.cited.rules.first_order_only = true;
        let deals = [deal(1, vec![with_rules])];
        let steps =
            run(&tiers(Metric::Orders, Period::Month, false), &deals, &[sums(1, "USD", 10)], &[]);
        assert!(steps[0].terms[0].cited.rules.first_order_only);
    }

    proptest::proptest! {
        /// Whatever is sold when, looked at after each sale: the rate in force is the best of what was
        /// agreed and of the levels reached, in this month where they fall back; each level starts terms
        /// once, and none of them begins before it was reached.
        #[test]
        fn any_sales_climb_as_the_model_says(
            falls_back in proptest::bool::ANY,
            base in 0u16..2_000,
            season in proptest::option::of((0u16..3_000, 0i64..90)),
            sales in proptest::collection::vec((0i64..4, 0i64..12), 1..40),
        ) {
            const DAY: Millis = 86_400_000;
            let tiers = tiers(Metric::Orders, Period::Month, falls_back);
            let start = Zone::utc().start_of(day("2026-01-01"));
            let mut versions = vec![terms(0, None, base)];
            let season = season.map(|(rate, days)| (rate, start + (days + 1) * DAY));
            versions.extend(season.map(|(rate, end)| terms(1, Some(end), rate)));
            let mut one = deal(1, versions);
            let (mut reached, mut now) = (Vec::new(), start);
            let mut sold: std::collections::BTreeMap<Day, i64> = std::collections::BTreeMap::new();
            let (mut best_ever, mut next) = (0, 0);
            for (orders, days) in sales {
                now += days * DAY + 1_000;
                let month = month_of(Zone::utc().day(now)).0;
                *sold.entry(month).or_default() += orders;
                let sum = |n| Sums { month: (n, 0, 0), ..sums(1, "USD", 0) };
                let mut new_id = || {
                    next += 1;
                    TermsId::from_bytes([next; 16])
                };
                let at = (&Zone::utc(), now);
                let made = steps(&tiers, &[one.clone()], &[sum(sold[&month])], &reached, at, &mut new_id);
                for step in made {
                    proptest::prop_assert!(!reached.contains(&step.reached), "reached twice");
                    reached.push(step.reached);
                    proptest::prop_assert!(step.terms.iter().all(|t| t.starts_at_ms == now));
                    one.terms.extend(step.terms);
                }
                let level = |n: i64| tiers.levels.iter().rfind(|l| n >= l.threshold).map_or(0, |l| l.rate.points());
                best_ever = best_ever.max(level(sold[&month]));
                let climbed = if falls_back { level(sold[&month]) } else { best_ever };
                let agreed = season.filter(|(_, end)| now < *end).map_or(base, |(rate, _)| rate);
                // A level that is no better than the lasting terms starts nothing, also in a season.
                let expected = if climbed > base { agreed.max(climbed) } else { agreed };
                let held = in_force(&one.terms, |t| (t.starts_at_ms, t.ends_at_ms), now).unwrap();
                proptest::prop_assert_eq!(held.cited.rate.points(), expected);
            }
        }
    }
}
