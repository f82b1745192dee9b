//! Exact decimals for amounts whose currency may not be known yet.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::money::{MAX_MINOR, MoneyError, round_half_away, scaled};

/// Decimals that a value has room for: no ISO 4217 currency has more.
pub const MAX_DECIMALS: u32 = 4;

/// One, in units of the last decimal.
const ONE: i128 = unit(MAX_DECIMALS);

/// `10^decimals`.
const fn unit(decimals: u32) -> i128 {
    10_i128.pow(decimals)
}

/// An exact number with at most [`MAX_DECIMALS`] decimals. Values that were read or made are below
/// 10^19 in their last decimal, so that sums and shares of them are far from overflowing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(i128);

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// `number` with its last `decimals` digits, at most [`MAX_DECIMALS`], after the point:
    /// (1850, 2) is 18.5.
    #[must_use]
    pub const fn new(number: i64, decimals: u32) -> Self {
        Self(number as i128 * unit(MAX_DECIMALS.saturating_sub(decimals)))
    }

    /// Whether it is 0.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// So many units of the `decimals`th decimal, halves away from zero.
    #[must_use]
    pub fn rounded(self, decimals: u32) -> i64 {
        round_half_away(self.0 * unit(decimals), ONE)
    }

    /// The same without its sign.
    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// So many of it.
    #[must_use]
    pub fn times(self, count: i64) -> Self {
        Self(self.0 * i128::from(count))
    }

    /// `numerator` of `denominator` equal parts of a value that is not negative, to so many
    /// decimals, halves to the even neighbour. `None` of no parts.
    #[must_use]
    pub fn part(self, numerator: i64, denominator: i64, decimals: u32) -> Option<Self> {
        let last = unit(MAX_DECIMALS.saturating_sub(decimals));
        let (whole, parts) = (self.0 * i128::from(numerator), i128::from(denominator) * last);
        let (down, rest) = (whole.checked_div(parts)?, whole.checked_rem(parts)?);
        let up = rest * 2 > parts || (rest * 2 == parts && down % 2 == 1);
        Some(Self((down + i128::from(up)) * last))
    }
}

impl Add for Decimal {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}
impl Sub for Decimal {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}
impl AddAssign for Decimal {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}
impl SubAssign for Decimal {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}
impl Sum for Decimal {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        Self(values.map(|value| value.0).sum())
    }
}

impl FromStr for Decimal {
    type Err = MoneyError;
    /// Plain digits with at most one point between them and maybe a `-` before them.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        // What the books take of a currency without decimals.
        let most = i128::from(MAX_MINOR) * ONE;
        scaled(text, MAX_DECIMALS as usize, most).map(Self)
    }
}

/// The shortest text, so that one value has one spelling: `18.5`, `125`, `-0.005`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) =
            (self.0.unsigned_abs() / ONE as u128, self.0.unsigned_abs() % ONE as u128);
        let decimals = format!("{rest:0>width$}", width = MAX_DECIMALS as usize);
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{decimals}")
    }
}
impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::{Decimal as Oracle, RoundingStrategy};

    fn oracle(value: Decimal) -> Oracle {
        Oracle::from_str(&value.to_string()).unwrap()
    }

    /// Any value that the books take, of a currency with 0 to 4 decimals.
    fn value() -> impl Strategy<Value = Decimal> {
        (-MAX_MINOR..=MAX_MINOR, 0..1_000_000_i64, 0..=MAX_DECIMALS, any::<bool>()).prop_map(
            |(large, small, decimals, is_small)| {
                Decimal::new(if is_small { small } else { large }, decimals)
            },
        )
    }

    #[test]
    fn texts_are_read_exactly_and_written_shortly() {
        let written = |text: &str| text.parse::<Decimal>().map(|value| value.to_string());
        for (text, short) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("18.50", "18.5"),
            ("-0.0050", "-0.005"),
            ("007", "7"),
            ("1.00000000000000000000000000000000", "1"),
            ("900000000000000", "900000000000000"),
            ("-0.0001", "-0.0001"),
        ] {
            assert_eq!(written(text).as_deref(), Ok(short), "{text}");
        }
        for text in ["", "-", "+1", "1.", ".5", "1e3", "1,5", "1_000", " 1", "--1"] {
            assert_eq!(written(text), Err(MoneyError::NotDecimal), "{text}");
        }
        assert_eq!(written("0.00001"), Err(MoneyError::TooManyDecimals));
        assert_eq!(written("900000000000000.0001"), Err(MoneyError::TooLarge));
        assert_eq!(written(&"9".repeat(400)), Err(MoneyError::TooLarge));
    }

    proptest! {
        #[test]
        fn values_are_spelled_as_the_oracle_does(number in -MAX_MINOR..=MAX_MINOR, decimals in 0..=MAX_DECIMALS) {
            let value = Decimal::new(number, decimals);
            assert_eq!(value.to_string(), Oracle::new(number, decimals).normalize().to_string());
            assert_eq!(value.to_string().parse(), Ok(value));
            let json = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Decimal>(&json).unwrap(), value);
        }

        #[test]
        fn sums_and_order_are_the_oracles(a in value(), b in value()) {
            assert_eq!(oracle(a + b), oracle(a) + oracle(b));
            assert_eq!(oracle(a - b), oracle(a) - oracle(b));
            assert_eq!(oracle([a, b, b].into_iter().sum()), oracle(a) + oracle(b) + oracle(b));
            assert_eq!(a.cmp(&b), oracle(a).cmp(&oracle(b)));
        }

        #[test]
        fn roundings_are_the_oracles(value in value(), decimals in 0..=MAX_DECIMALS) {
            let away = RoundingStrategy::MidpointAwayFromZero;
            let theirs = oracle(value).round_dp_with_strategy(decimals, away);
            assert_eq!(oracle(Decimal::new(value.rounded(decimals), decimals)), theirs);
        }

        #[test]
        fn parts_are_the_oracles(
            value in value(),
            numerator in 0..1_000_i64,
            denominator in 0..1_000_i64,
            decimals in 0..=MAX_DECIMALS,
        ) {
            let value = if value < Decimal::ZERO { Decimal::ZERO - value } else { value };
            let theirs = oracle(value)
                .checked_mul(Oracle::from(numerator))
                .and_then(|whole| whole.checked_div(Oracle::from(denominator)))
                .map(|part| part.round_dp(decimals));
            assert_eq!(value.part(numerator, denominator, decimals).map(oracle), theirs);
        }
    }
}
