//! Where the copy of totals has what a list is sorted by.

use super::Compiler;
use super::deals::Query;
use crate::domain::filter::{Measure, Over, SortKey, Span};

/// Where the copy of totals has what a list is sorted by.
pub(super) struct Rank {
    pub(super) table: &'static str,
    pub(super) column: &'static str,
    /// What deals without totals have.
    pub(super) default: i64,
    /// The months, and the currency, if it is money.
    pub(super) period: i64,
    pub(super) currency: Option<&'static str>,
}

impl Rank {
    /// Its rows `r`.
    pub(super) fn rows(&self, compiler: &mut Compiler<'_>) -> String {
        let period = compiler.values.int(self.period);
        let currency = self.currency.map(|code| compiler.values.text(code));
        let currency = currency.map(|code| format!(" AND r.currency = {code}")).unwrap_or_default();
        format!("r.brand_id = ?1 AND r.period = {period}{currency}")
    }
}

impl Query<'_> {
    /// Where the copy of totals has what the list is sorted by.
    pub(super) fn rank(&self) -> Option<Rank> {
        match self.sort.key {
            SortKey::Measure(measure, over) => self.rank_of(measure, over),
            SortKey::DaysSinceLastSale => Some(Rank {
                table: "deal_ranks",
                column: "idle",
                default: 0,
                period: 0,
                currency: None,
            }),
            _ => None,
        }
    }

    pub(super) fn rank_of(&self, measure: Measure, over: Over) -> Option<Rank> {
        if !over.period.is_kept() {
            return None;
        }
        let period = match over.period.span(self.now.today) {
            Span::All => 0,
            Span::Parts { months, .. } => months?.0.0,
        };
        let (column, default) = match measure {
            Measure::Orders => ("orders", 0),
            Measure::Clicks => ("clicks", 0),
            Measure::Conversion => ("conversion", -1),
            Measure::Revenue => ("base_minor", 0),
            Measure::Commission => ("commission_minor", 0),
            Measure::RevenuePerCommission => ("per_commission", -1),
        };
        let money = measure.is_money();
        let table = if money { "deal_money_ranks" } else { "deal_ranks" };
        let currency = money.then(|| over.currency.unwrap_or(self.now.currency).code());
        Some(Rank { table, column, default, period, currency })
    }
}
