//! Reports: what creators, campaigns and stages brought and cost, compared.
//!
//! All figures are whole numbers, money in minor units of one currency; a report is in one currency, and what
//! is in others stands apart. Quotients are compared as fractions and written with two decimals. What has no
//! denominator is unknown, which is below everything and something else than zero.

use std::cmp::Ordering;

use super::decimal::Decimal;
use super::money::round_half_away;

/// What a report tells of one creator, campaign or stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Creators.
    pub creators: i64,
    /// Deals.
    pub deals: i64,
    /// Of these, closed ones.
    pub closed: i64,
    /// Orders in the report's currency that aren't cancelled.
    pub orders: i64,
    /// Those in other currencies.
    pub other_orders: i64,
    /// Base after refunds.
    pub revenue: i64,
    /// Commission.
    pub commission: i64,
    /// Fees that were posted.
    pub fees: i64,
    /// Products and shipping.
    pub gifts: i64,
    /// Shoppers' clicks.
    pub clicks: i64,
    /// Unique ones.
    pub uniques: i64,
    /// Posts that count.
    pub posts: i64,
    /// Of how many the impressions are known.
    pub with_impressions: i64,
    /// Impressions of these.
    pub impressions: i64,
    /// Of how many the earned media value is known.
    pub valued: i64,
    /// That value, in minor units of the brand's currency.
    pub media: i64,
}

impl Figures {
    /// Commission, fees and gifts.
    #[must_use]
    pub fn cost(&self) -> i64 {
        self.commission.saturating_add(self.fees).saturating_add(self.gifts)
    }

    /// Orders of any currency.
    #[must_use]
    pub fn all_orders(&self) -> i64 {
        self.orders.saturating_add(self.other_orders)
    }

    /// All of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            creators: self.creators + other.creators,
            deals: self.deals + other.deals,
            closed: self.closed + other.closed,
            orders: self.orders + other.orders,
            other_orders: self.other_orders + other.other_orders,
            revenue: self.revenue.saturating_add(other.revenue),
            commission: self.commission.saturating_add(other.commission),
            fees: self.fees.saturating_add(other.fees),
            gifts: self.gifts.saturating_add(other.gifts),
            clicks: self.clicks + other.clicks,
            uniques: self.uniques + other.uniques,
            posts: self.posts + other.posts,
            with_impressions: self.with_impressions + other.with_impressions,
            impressions: self.impressions.saturating_add(other.impressions),
            valued: self.valued + other.valued,
            media: self.media.saturating_add(other.media),
        }
    }
}

/// What a report can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Revenue.
    Revenue,
    /// Orders in the report's currency.
    Orders,
    /// Unique clicks.
    Clicks,
    /// Orders for each unique click.
    Conversion,
    /// Commission.
    Commission,
    /// Revenue for each unit of commission.
    RevenuePerCommission,
    /// Commission, fees and gifts.
    Cost,
    /// Revenue for each unit of that.
    ReturnOnSpend,
    /// Earned media value.
    EarnedMediaValue,
    /// Impressions.
    Impressions,
    /// Deals.
    Deals,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Revenue,
        Self::Orders,
        Self::Clicks,
        Self::Conversion,
        Self::Commission,
        Self::RevenuePerCommission,
        Self::Cost,
        Self::ReturnOnSpend,
        Self::EarnedMediaValue,
        Self::Impressions,
        Self::Deals,
    ];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Revenue => "revenue",
            Self::Orders => "orders",
            Self::Clicks => "clicks",
            Self::Conversion => "conversion",
            Self::Commission => "commission",
            Self::RevenuePerCommission => "revenue_per_commission",
            Self::Cost => "cost",
            Self::ReturnOnSpend => "return_on_spend",
            Self::EarnedMediaValue => "earned_media_value",
            Self::Impressions => "impressions",
            Self::Deals => "deals",
        }
    }

    /// The measure of figures as a fraction with a positive denominator; `None` if it is unknown.
    fn of(self, f: &Figures) -> Option<(i64, i64)> {
        let known = |count: i64, value: i64| (count > 0).then_some((value, 1));
        let quotient = |value: i64, by: i64| (by > 0).then_some((value, by));
        match self {
            Self::Revenue => Some((f.revenue, 1)),
            Self::Orders => Some((f.orders, 1)),
            Self::Clicks => Some((f.uniques, 1)),
            Self::Commission => Some((f.commission, 1)),
            Self::Cost => Some((f.cost(), 1)),
            Self::Deals => Some((f.deals, 1)),
            Self::Conversion => quotient(f.all_orders(), f.uniques),
            Self::RevenuePerCommission => quotient(f.revenue, f.commission),
            Self::ReturnOnSpend => quotient(f.revenue, f.cost()),
            Self::EarnedMediaValue => known(f.valued, f.media),
            Self::Impressions => known(f.with_impressions, f.impressions),
        }
    }

    fn compared(self, a: &Figures, b: &Figures) -> Ordering {
        match (self.of(a), self.of(b)) {
            (Some((a, per_a)), Some((b, per_b))) => {
                (i128::from(a) * i128::from(per_b)).cmp(&(i128::from(b) * i128::from(per_a)))
            }
            (a, b) => a.is_some().cmp(&b.is_some()),
        }
    }
}

/// An order of a report: a measure, from the greatest on where a `-` stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: Measure,
    /// From the greatest on.
    pub descending: bool,
}

impl Sort {
    /// Reads `-revenue`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let by = Measure::ALL.into_iter().find(|measure| measure.name() == name)?;
        Some(Self { by, descending })
    }

    /// Puts rows in this order; what is equal stands in the order of keys.
    pub fn apply(self, rows: &mut [Row]) {
        rows.sort_by(|a, b| {
            let order = self.by.compared(&a.figures, &b.figures);
            let order = if self.descending { order.reverse() } else { order };
            order.then_with(|| a.key.cmp(&b.key))
        });
    }
}

/// A row of a report: whose figures, and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The creator, campaign or stage.
    pub key: String,
    /// Its figures.
    pub figures: Figures,
    /// Its place by revenue, from 1; equal ones stand in the order of their keys.
    pub place: usize,
}

/// Who is the best so many hundredths of all, by revenue: at least one, and only who brought revenue.
/// The places up to this number are.
#[must_use]
pub fn top(rows: &[Row], percent: usize) -> usize {
    let sold = rows.iter().filter(|row| row.figures.revenue > 0).count();
    (rows.len() * percent).div_ceil(100).min(sold)
}

/// Gives each row its place by revenue.
pub fn rank(rows: &mut [Row]) {
    Sort { by: Measure::Revenue, descending: true }.apply(rows);
    for (place, row) in rows.iter_mut().enumerate() {
        row.place = place + 1;
    }
}

/// Who is a high performer: at least so many orders, and revenue of at least so many times what she cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HighRule {
    /// Orders in the report's currency.
    pub orders: i64,
    /// Hundredths of the cost that the revenue must be.
    pub return_hundredths: i64,
}

impl HighRule {
    /// What holds if nothing else is asked for: 5 orders and three times the cost.
    pub const USUAL: Self = Self { orders: 5, return_hundredths: 300 };

    /// Whether these figures fulfil it. Who cost nothing and sold does.
    #[must_use]
    pub fn fits(&self, f: &Figures) -> bool {
        let wanted = i128::from(f.cost()) * i128::from(self.return_hundredths);
        f.orders >= self.orders && f.revenue > 0 && i128::from(f.revenue) * 100 >= wanted
    }
}

/// A part of a whole, in percent with two decimals; `None` if there is no whole.
#[must_use]
pub fn percent(part: i64, whole: i64) -> Option<Decimal> {
    let points = round_half_away(i128::from(part) * 10_000, i128::from(whole));
    (whole > 0).then_some(Decimal::new(points, 2))
}

/// One amount for each unit of another, with two decimals; `None` where there is nothing to share by.
#[must_use]
pub fn per(value: i64, by: i64) -> Option<Decimal> {
    let hundredths = round_half_away(i128::from(value) * 100, i128::from(by));
    (by > 0).then_some(Decimal::new(hundredths, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, revenue: i64, commission: i64) -> Row {
        let figures = Figures { revenue, commission, orders: 5, ..Figures::default() };
        Row { key: key.to_owned(), figures, place: 0 }
    }

    fn keys(rows: &[Row]) -> String {
        rows.iter().map(|row| row.key.as_str()).collect()
    }

    #[test]
    fn quotients_are_compared_exactly_and_what_is_unknown_is_below() {
        let huge = 900_000_000_000_000;
        let mut rows = [
            row("a", 10, 3),
            row("b", 5, 0),
            row("c", huge, huge / 3 - 1),
            row("d", huge, huge / 3),
            row("e", 3, 1),
        ];
        let sort = |text: &str| Sort::parse(text).unwrap();
        sort("-revenue_per_commission").apply(&mut rows);
        assert_eq!(keys(&rows), "acdeb");
        sort("revenue_per_commission").apply(&mut rows);
        assert_eq!(keys(&rows), "bdeca");
        sort("-impressions").apply(&mut rows);
        assert_eq!(keys(&rows), "abcde", "nothing is known of any");
        for bad in ["", "-", "name", "--revenue", "Revenue", "revenue "] {
            assert_eq!(Sort::parse(bad), None, "{bad}");
        }
        for measure in Measure::ALL {
            assert_eq!(Sort::parse(measure.name()).unwrap().by, measure);
        }
    }

    #[test]
    fn the_top_is_rounded_up_and_sold_something() {
        let mut rows: Vec<Row> =
            (0..30).map(|n| row(&format!("{n:02}"), if n < 4 { 10 } else { 0 }, 1)).collect();
        rank(&mut rows);
        assert_eq!((top(&rows, 5), top(&rows, 10), top(&rows, 100)), (2, 3, 4));
        assert_eq!((rows[0].key.as_str(), rows[0].place, rows[29].place), ("00", 1, 30));
        assert_eq!(top(&[], 10), 0);
    }

    #[test]
    fn high_performers_bring_more_than_they_cost() {
        let rule = HighRule::USUAL;
        let of = |orders, revenue, commission, fees, gifts| Figures {
            orders,
            revenue,
            commission,
            fees,
            gifts,
            ..Figures::default()
        };
        assert!(rule.fits(&of(5, 300, 50, 30, 20)));
        assert!(!rule.fits(&of(5, 299, 50, 30, 20)));
        assert!(!rule.fits(&of(4, 300, 50, 30, 20)));
        assert!(rule.fits(&of(5, 1, 0, 0, 0)));
        assert!(!rule.fits(&of(5, 0, 0, 0, 0)));
    }

    #[test]
    fn shares_have_two_decimals_and_need_a_whole() {
        let text = |value: Option<Decimal>| value.map(|value| value.to_string());
        assert_eq!(text(percent(1, 3)).as_deref(), Some("33.33"));
        assert_eq!(text(percent(1, 0)), None);
        assert_eq!(text(per(200, 3)).as_deref(), Some("66.67"));
        assert_eq!(text(per(1, 0)), None);
    }
}
