//! Amounts as other programmes tell them: with up to six decimals, whatever the currency has.
//!
//! They stand beside our books and are compared with them. What comes into the books is rounded once.

use std::fmt;
use std::ops::{AddAssign, Sub};
use std::str::FromStr;

use super::money::{Currency, MAX_MINOR, Money, MoneyError, round_half_away, scaled};

const DECIMALS: u32 = 6;
const ONE: i128 = 10_i128.pow(DECIMALS);

/// An exact number with at most six decimals, below [`MAX_MINOR`] of a currency without any.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Micros(i128);

impl Micros {
    /// In minor units of a currency, halves away from zero: the one rounding of an amount that has
    /// more decimals than its currency.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] beyond what the books take.
    pub fn rounded(self, currency: Currency) -> Result<i64, MoneyError> {
        let minor = round_half_away(self.0 * 10_i128.pow(currency.exponent()), ONE);
        if minor.abs() > MAX_MINOR { Err(MoneyError::TooLarge) } else { Ok(minor) }
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl From<Money> for Micros {
    fn from(money: Money) -> Self {
        let decimals = DECIMALS.saturating_sub(money.currency.exponent());
        Self(i128::from(money.minor) * 10_i128.pow(decimals))
    }
}
impl FromStr for Micros {
    type Err = MoneyError;
    /// Plain digits with at most one point between them and maybe a `-` before them.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        scaled(text, DECIMALS as usize, i128::from(MAX_MINOR) * ONE).map(Self)
    }
}
impl Sub for Micros {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}
impl AddAssign for Micros {
    fn add_assign(&mut self, other: Self) {
        // A sum that leaves i128 would take 10^17 of the largest amounts.
        self.0 = self.0.saturating_add(other.0);
    }
}
/// At least two decimals, so that it reads as an amount: `8.7548`, `10.00`, `-0.005`.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) =
            (self.0.unsigned_abs() / ONE as u128, self.0.unsigned_abs() % ONE as u128);
        let sign = if self.0 < 0 { "-" } else { "" };
        let digits = format!("{rest:0>width$}", width = DECIMALS as usize);
        let kept = digits.trim_end_matches('0').len().max(2);
        write!(f, "{sign}{whole}.{}", digits.get(..kept).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> Micros {
        text.parse().unwrap()
    }

    #[test]
    fn six_decimals_are_exact_and_rounded_once() {
        let rounded = |text, code: &str| micros(text).rounded(code.parse().unwrap());
        assert_eq!(rounded("8.754800", "USD"), Ok(875));
        assert_eq!(rounded("8.755000", "USD"), Ok(876));
        assert_eq!(rounded("8.754999", "USD"), Ok(875));
        assert_eq!(rounded("-0.005", "USD"), Ok(-1));
        assert_eq!(rounded("1234.5", "JPY"), Ok(1235));
        assert_eq!(rounded("1.0005", "KWD"), Ok(1001));
        assert_eq!(rounded("900000000000000", "JPY"), Ok(MAX_MINOR));
        assert_eq!(rounded("9000000000000.01", "USD"), Err(MoneyError::TooLarge));
        for text in ["1,234.56", "1e2", "", "NaN", "1.1234567", " 1", ".5"] {
            assert!(text.parse::<Micros>().is_err(), "{text}");
        }
    }

    #[test]
    fn they_are_written_as_they_were_said() {
        for (said, written) in
            [("8.754800", "8.7548"), ("10", "10.00"), ("-0.005", "-0.005"), ("0", "0.00")]
        {
            assert_eq!(micros(said).to_string(), written);
        }
        let usd = |minor| Micros::from(Money::new(minor, "USD".parse().unwrap()));
        assert_eq!((usd(875) - micros("8.7548")).to_string(), "-0.0048");
        let mut sum = usd(1);
        sum += micros("0.000001");
        assert_eq!((sum.to_string().as_str(), sum.is_negative()), ("0.010001", false));
    }
}
