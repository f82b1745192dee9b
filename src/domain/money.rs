//! Amounts: integer minor units with the currency's own exponent, and rates in basis points.
//!
//! No float comes near money. Decimal text is parsed exactly or refused; the only rounding is
//! [`BasisPoints::of`], half away from zero, once per order (DESIGN.md, "Earning").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::decimal::Decimal;

/// The largest amount the books take, in minor units: well inside 2^53, so that every number
/// survives a JSON number and D1's REAL parameters, and the `CHECK`s in `schema.sql` agree.
pub const MAX_MINOR: i64 = 900_000_000_000_000;

/// All currencies as `build.rs` wrote them: lines such as `USD2`.
const CURRENCIES: &str = include_str!(concat!(env!("OUT_DIR"), "/currencies.txt"));

/// An ISO 4217 currency that has a minor unit (codes without one, like XXX or XAU, are no money).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency {
    code: &'static str,
    exponent: u8,
}

/// Why a text is not an amount, a rate or a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code with a minor unit, in capitals.
    #[error("must be an ISO 4217 currency code in capitals")]
    UnknownCurrency,
    /// Not plain decimal digits.
    #[error("must be a decimal number in digits")]
    NotDecimal,
    /// More decimals than the currency has.
    #[error("has more decimals than the currency")]
    TooManyDecimals,
    /// Beyond [`MAX_MINOR`].
    #[error("is too large")]
    TooLarge,
    /// A percentage outside 0 to 100.
    #[error("must be between 0 and 100")]
    OutOfRange,
    /// Two currencies where one is needed.
    #[error("is in another currency")]
    CurrencyMismatch,
}

impl Currency {
    /// None: ISO 4217's own code for that, which no text is parsed to.
    pub const NONE: Self = Self { code: "XXX", exponent: 0 };

    /// How many decimals an amount has: USD 2, JPY 0, KWD 3.
    #[must_use]
    pub fn exponent(self) -> u32 {
        u32::from(self.exponent)
    }

    /// The three letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.code
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(code: &str) -> Result<Self, MoneyError> {
        let mut known = CURRENCIES.lines().filter_map(|line| line.split_at_checked(3));
        let found = known.find(|(known, _)| *known == code);
        found
            .and_then(|(code, exponent)| Some(Self { code, exponent: exponent.parse().ok()? }))
            .ok_or(MoneyError::UnknownCurrency)
    }
}
impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An exact amount of one currency, in its minor unit (cents; yen; thousandths of a dinar).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Signed minor units.
    pub minor: i64,
    /// What they are units of.
    pub currency: Currency,
}

impl Money {
    /// `minor` units of `currency`.
    #[must_use]
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The amount that a decimal text means, exactly: `-18.5` USD is -1850.
    ///
    /// # Errors
    /// Anything but an optional `-`, digits and one point with digits on both sides; non-zero
    /// digits beyond the currency's decimals; more than [`MAX_MINOR`]. `1e3`, ` 1`, `+1`, `.5`,
    /// `NaN` and the empty text are refused.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let minor = scaled(text, currency.exponent() as usize, i128::from(MAX_MINOR))?;
        let minor = i64::try_from(minor).map_err(|_| MoneyError::TooLarge)?;
        Ok(Self { minor, currency })
    }

    /// The amount with exactly the currency's own number of decimals: `18.00`, `125`, `-0.005`.
    #[must_use]
    pub fn to_decimal(self) -> String {
        let exponent = self.currency.exponent() as usize;
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = exponent + 1);
        let (whole, fraction) = digits.split_at(digits.len() - exponent);
        let sign = if self.minor < 0 { "-" } else { "" };
        let point = if exponent == 0 { "" } else { "." };
        format!("{sign}{whole}{point}{fraction}")
    }
}

/// The whole number that a decimal text means in units of its `decimals`th decimal.
///
/// # Errors
/// Those of [`Money::parse`]; too large is what is beyond `most`.
pub(super) fn scaled(text: &str, decimals: usize, most: i128) -> Result<i128, MoneyError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return Err(MoneyError::NotDecimal),
        Some(parts) => parts,
        None => (digits, ""),
    };
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(MoneyError::NotDecimal);
    }
    let significant = fraction.trim_end_matches('0');
    if significant.len() > decimals {
        return Err(MoneyError::TooManyDecimals);
    }
    let mut number: i128 = 0;
    let padding = std::iter::repeat_n(b'0', decimals - significant.len());
    for digit in whole.bytes().chain(significant.bytes()).chain(padding) {
        number = number * 10 + i128::from(digit - b'0');
        if number > most {
            return Err(MoneyError::TooLarge);
        }
    }
    Ok(if negative { -number } else { number })
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

/// Money as the API writes it: `{"amount": "18.00", "currency": "USD"}`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MoneyJson {
    amount: String,
    currency: String,
}
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json =
            MoneyJson { amount: self.to_decimal(), currency: self.currency.code().to_owned() };
        json.serialize(serializer)
    }
}
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = MoneyJson::deserialize(deserializer)?;
        json.currency
            .parse()
            .and_then(|currency| Self::parse(&json.amount, currency))
            .map_err(serde::de::Error::custom)
    }
}

/// A rate in hundredths of a percent: 10 % is 1000. Between 0 and 10,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BasisPoints(u16);

impl BasisPoints {
    /// 100 %.
    pub const MAX: u16 = 10_000;
    /// 0 %.
    pub const ZERO: Self = Self(0);

    /// A rate of so many basis points, if that is at most 100 %.
    #[must_use]
    pub fn new(points: u16) -> Option<Self> {
        (points <= Self::MAX).then_some(Self(points))
    }

    /// The number of basis points.
    #[must_use]
    pub fn points(self) -> u16 {
        self.0
    }

    /// `"12.5"` is 1250: a plain decimal with at most two decimals, 0 to 100.
    ///
    /// # Errors
    /// Other text, a third decimal, or a value above 100.
    pub fn parse_percent(text: &str) -> Result<Self, MoneyError> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(MoneyError::NotDecimal),
            Some(parts) => parts,
            None => (text, ""),
        };
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return Err(MoneyError::NotDecimal);
        }
        if fraction.len() > 2 {
            return Err(MoneyError::TooManyDecimals);
        }
        let digits = format!("{whole}{fraction:0<2}");
        let points: u32 = digits.parse().map_err(|_| MoneyError::OutOfRange)?;
        u16::try_from(points).ok().and_then(Self::new).ok_or(MoneyError::OutOfRange)
    }

    /// The shortest percent text: 1250 is `12.5`, 1000 is `10`.
    #[must_use]
    pub fn to_percent(self) -> String {
        Decimal::new(i64::from(self.0), 2).to_string()
    }

    /// This share of `minor`, rounded to a whole minor unit half away from zero.
    #[must_use]
    pub fn of(self, minor: i64) -> i64 {
        let product = i128::from(minor) * i128::from(self.0);
        round_half_away(product, i128::from(Self::MAX))
    }
}

impl Serialize for BasisPoints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.0)
    }
}
impl<'de> Deserialize<'de> for BasisPoints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u16::deserialize(deserializer)?)
            .ok_or_else(|| serde::de::Error::custom("more than 100 %"))
    }
}

/// `numerator / denominator` to the nearest integer, halves away from zero.
///
/// `denominator` must be positive; the quotient saturates at the limits of `i64`, which amounts
/// inside [`MAX_MINOR`] never reach.
#[must_use]
pub fn round_half_away(numerator: i128, denominator: i128) -> i64 {
    let doubled = numerator.unsigned_abs() * 2;
    let denominator = denominator.unsigned_abs().max(1);
    let magnitude = (doubled + denominator) / (denominator * 2);
    let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX);
    if numerator < 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }
    fn usd(text: &str) -> Result<i64, MoneyError> {
        Money::parse(text, currency("USD")).map(|m| m.minor)
    }

    #[test]
    fn a_currency_is_told_by_its_code() {
        let yen: Currency = "JPY".parse().unwrap();
        assert_eq!((format!("{yen}"), format!("{yen:?}")), ("JPY".into(), "JPY".into()));
    }

    #[test]
    fn amounts_are_read_exactly() {
        assert_eq!(usd("18.00"), Ok(1800));
        assert_eq!(usd("18"), Ok(1800));
        assert_eq!(usd("-0.05"), Ok(-5));
        assert_eq!(usd("0.10"), Ok(10));
        assert_eq!(usd("1.500000"), Ok(150));
        assert_eq!(usd("9000000000000.00"), Ok(MAX_MINOR));
        assert_eq!(Money::parse("125", currency("JPY")).map(|m| m.minor), Ok(125));
        assert_eq!(Money::parse("125.0", currency("JPY")).map(|m| m.minor), Ok(125));
        assert_eq!(Money::parse("1.005", currency("KWD")).map(|m| m.minor), Ok(1005));
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for text in
            ["", "-", "+1", " 1", "1 ", ".5", "5.", "1e3", "NaN", "1,0", "٣", "--1", "1.2.3"]
        {
            assert_eq!(usd(text), Err(MoneyError::NotDecimal), "{text}");
        }
        assert_eq!(usd("12.345"), Err(MoneyError::TooManyDecimals));
        assert_eq!(usd("0.001"), Err(MoneyError::TooManyDecimals));
        assert_eq!(usd("9000000000000.01"), Err(MoneyError::TooLarge));
        assert_eq!(usd(&"9".repeat(400)), Err(MoneyError::TooLarge));
        assert_eq!(Money::parse("1.5", currency("JPY")), Err(MoneyError::TooManyDecimals));
    }

    #[test]
    fn amounts_are_written_with_the_currencys_decimals() {
        let write = |minor, code| Money::new(minor, currency(code)).to_decimal();
        assert_eq!(write(1800, "USD"), "18.00");
        assert_eq!(write(5, "USD"), "0.05");
        assert_eq!(write(-5, "USD"), "-0.05");
        assert_eq!(write(-1234, "USD"), "-12.34");
        assert_eq!(write(0, "USD"), "0.00");
        assert_eq!(write(125, "JPY"), "125");
        assert_eq!(write(1005, "KWD"), "1.005");
    }

    #[test]
    fn currencies_without_a_minor_unit_or_in_small_letters_are_refused() {
        for code in ["XXX", "XAU", "usd", "US", "", "USDX"] {
            assert_eq!(code.parse::<Currency>(), Err(MoneyError::UnknownCurrency), "{code}");
        }
        assert_eq!(currency("JPY").exponent(), 0);
        assert_eq!(currency("KWD").exponent(), 3);
    }

    #[test]
    fn currencies_are_those_of_the_standard() {
        let letters = || 'A'..='Z';
        let pairs = letters().flat_map(|a| letters().map(move |b| (a, b)));
        for code in pairs.flat_map(|(a, b)| letters().map(move |c| format!("{a}{b}{c}"))) {
            let known = iso_currency::Currency::from_code(&code).and_then(|c| c.exponent());
            let ours = code.parse::<Currency>().ok();
            assert_eq!(ours.map(Currency::exponent), known.map(u32::from), "{code}");
            assert!(ours.is_none_or(|c| c.code() == code));
        }
    }

    #[test]
    fn percentages() {
        let parse = |t| BasisPoints::parse_percent(t).map(BasisPoints::points);
        assert_eq!(parse("10"), Ok(1000));
        assert_eq!(parse("12.5"), Ok(1250));
        assert_eq!(parse("0.01"), Ok(1));
        assert_eq!(parse("100"), Ok(10_000));
        assert_eq!(parse("100.00"), Ok(10_000));
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse("100.01"), Err(MoneyError::OutOfRange));
        assert_eq!(parse("99999999999"), Err(MoneyError::OutOfRange));
        assert_eq!(parse("10.005"), Err(MoneyError::TooManyDecimals));
        for text in ["-1", "10%", "1e309", "", "10.", ".5", " 1"] {
            assert_eq!(parse(text), Err(MoneyError::NotDecimal), "{text}");
        }
        let write = |p| BasisPoints::new(p).unwrap().to_percent();
        assert_eq!(
            (write(1250), write(1000), write(1), write(0)),
            ("12.5".into(), "10".into(), "0.01".into(), "0".into())
        );
        assert_eq!(BasisPoints::new(10_001), None);
    }

    #[test]
    fn a_share_rounds_half_away_from_zero() {
        let of = |percent, minor| BasisPoints::parse_percent(percent).unwrap().of(minor);
        assert_eq!(of("10", 13_500), 1350);
        assert_eq!(of("10", 11_250), 1125);
        assert_eq!(of("12.5", 1000), 125);
        assert_eq!(of("12.5", 999), 125);
        assert_eq!(of("10", 5), 1);
        assert_eq!(of("10", 4), 0);
        assert_eq!(of("10", -5), -1);
        assert_eq!(of("10", -4), 0);
        assert_eq!(of("100", MAX_MINOR), MAX_MINOR);
        assert_eq!(of("0", MAX_MINOR), 0);
    }
}
