//! What an audit found to be right.

/// What was found to be right.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Orders whose standing follows from their facts.
    pub orders: u64,
    /// Decisions made again with the same outcome.
    pub decisions: u64,
    /// Decisions from before the journal, or newer than it: taken as given.
    pub given: u64,
    /// Decisions that rest on what was forgotten about people.
    pub forgotten: u64,
    /// Orders that somebody moved: whose they are is taken as given.
    pub by_hand: u64,
    /// Entries.
    pub entries: u64,
    /// Transactions.
    pub transactions: u64,
    /// Balances that are the fold of their entries.
    pub balances: u64,
    /// Sealed heads whose root the entries have.
    pub heads: u64,
    /// Entries that no head covers yet.
    pub unsealed: u64,
    /// Lines of kinds that this program doesn't know.
    pub unknown: u64,
}

impl Report {
    /// It in words.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("{} orders: what they earn follows from their facts", self.orders),
            format!("{} decisions made again, with the same outcome", self.decisions),
            format!("{} transactions of {} entries sum to zero", self.transactions, self.entries),
            format!("{} balances are the fold of their entries", self.balances),
            format!("{} sealed heads have the root of their entries", self.heads),
        ];
        for (count, words) in [
            (self.given, "decisions taken as given: made before the journal, or after it was read"),
            (self.forgotten, "decisions taken as given: people in them are forgotten"),
            (self.by_hand, "orders were moved by hand: whose they are is taken as given"),
            (self.unsealed, "entries are not sealed yet"),
            (self.unknown, "lines are of kinds that this program doesn't know"),
        ] {
            if count > 0 {
                lines.push(format!("{count} {words}"));
            }
        }
        lines
    }
}
