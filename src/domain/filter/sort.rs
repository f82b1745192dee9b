//! What a list is sorted by.

use super::{Measure, Over};

/// An order of a list. What is equal stands in the order of ids; what isn't known stands below
/// everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// From the greatest down.
    pub descending: bool,
    /// By what.
    pub key: SortKey,
}

impl Sort {
    /// As they were made, the oldest first.
    pub const DEFAULT: Self = Self { descending: false, key: SortKey::Created };

    /// Whether creators can be sorted so: by what is theirs and no deal's.
    #[must_use]
    pub fn is_of_creators(self) -> bool {
        matches!(self.key, SortKey::Created | SortKey::Name | SortKey::Followers)
    }
}

/// What can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// When it was made: the order of ids.
    Created,
    /// The creator's name, byte by byte.
    Name,
    /// How many follow the creator.
    Followers,
    /// The last contact about the deal.
    LastContact,
    /// Days since its last sale; one that never sold has the most.
    DaysSinceLastSale,
    /// A measure over a period.
    Measure(Measure, Over),
}
