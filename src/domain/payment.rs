//! Payment details: where a creator's money goes, checked before anything is kept.
//!
//! What is refused is never repeated in the refusal: it would end up in logs.

use super::creator::is_email;

/// Where to pay.
#[derive(Clone, PartialEq, Eq)]
pub enum Details {
    /// A PayPal account.
    Paypal {
        /// Its address.
        email: String,
    },
    /// A bank account with an IBAN.
    Iban {
        /// Whose.
        holder: String,
        /// Without spaces, in capitals.
        iban: String,
        /// The bank, where the sender asks for it.
        bic: Option<String>,
    },
    /// A bank account in the United States.
    Ach {
        /// Whose.
        holder: String,
        /// The bank: nine digits.
        routing_number: String,
        /// The account.
        account_number: String,
        /// `checking` or `savings`.
        account_type: String,
    },
}

impl std::fmt::Debug for Details {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Details({})", self.method())
    }
}

impl Details {
    /// Its name in the API.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Paypal { .. } => "paypal",
            Self::Iban { .. } => "iban",
            Self::Ach { .. } => "ach",
        }
    }

    /// The last four characters of the account, to recognise it by; none of PayPal's.
    #[must_use]
    pub fn last4(&self) -> Option<String> {
        let account = match self {
            Self::Paypal { .. } => return None,
            Self::Iban { iban, .. } => iban,
            Self::Ach { account_number, .. } => account_number,
        };
        let from = account.len().saturating_sub(4);
        account.get(from..).map(str::to_owned)
    }

    /// The account's country, where that is known.
    #[must_use]
    pub fn country(&self) -> Option<&str> {
        match self {
            Self::Paypal { .. } => None,
            Self::Iban { iban, .. } => iban.get(..2),
            Self::Ach { .. } => Some("US"),
        }
    }
}

/// A PayPal address.
///
/// # Errors
/// It is none.
pub fn paypal(email: &str) -> Result<String, &'static str> {
    let email = email.trim();
    is_email(email).then(|| email.to_owned()).ok_or("must be an e-mail address")
}

/// How long the IBANs of a country are (ISO 13616 registry, version 99).
const IBAN_LENGTHS: &str = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22\
DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27\
JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28\
PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";

/// An IBAN, without spaces and in capitals.
///
/// # Errors
/// No country has such ones, or its check digits are wrong.
pub fn iban(text: &str) -> Result<String, &'static str> {
    let plain: String = text.chars().filter(|c| *c != ' ').collect::<String>().to_ascii_uppercase();
    let bytes = plain.as_bytes();
    if !bytes.iter().all(u8::is_ascii_alphanumeric) {
        return Err("must consist of letters and digits");
    }
    let expected = bytes.get(..2).and_then(|country| {
        let mut entries = IBAN_LENGTHS.as_bytes().chunks_exact(4);
        let entry = entries.find(|entry| entry.starts_with(country))?;
        std::str::from_utf8(entry.get(2..)?).ok()?.parse::<usize>().ok()
    });
    if expected != Some(bytes.len()) {
        return Err("must be as long as its country's are");
    }
    // ISO 7064: the country and check digits to the end, letters as two digits, modulo 97.
    let (head, tail) = bytes.split_at(4);
    let remainder = tail.iter().chain(head).fold(0_u32, |rest, byte| {
        let value = char::from(*byte).to_digit(36).unwrap_or(0);
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    });
    (remainder == 1).then_some(plain).ok_or("has a typing error: its check digits are wrong")
}

/// A BIC, in capitals.
///
/// # Errors
/// It isn't 8 or 11 characters of the right kind.
pub fn bic(text: &str) -> Result<String, &'static str> {
    let plain = text.trim().to_ascii_uppercase();
    let bytes = plain.as_bytes();
    let right = matches!(bytes.len(), 8 | 11)
        && bytes.iter().all(u8::is_ascii_alphanumeric)
        && bytes.iter().take(6).all(u8::is_ascii_alphabetic);
    right.then_some(plain).ok_or("must have 8 or 11 letters and digits")
}

/// A routing number of a bank in the United States.
///
/// # Errors
/// It isn't nine digits, or its check digit is wrong.
pub fn routing_number(text: &str) -> Result<String, &'static str> {
    let plain = text.trim();
    if plain.len() != 9 || !plain.bytes().all(|b| b.is_ascii_digit()) {
        return Err("must have nine digits");
    }
    let weights = [3, 7, 1].into_iter().cycle();
    let sum: u32 = plain.bytes().zip(weights).map(|(b, weight)| u32::from(b - b'0') * weight).sum();
    let right = sum > 0 && sum.is_multiple_of(10);
    right.then(|| plain.to_owned()).ok_or("has a typing error: its check digit is wrong")
}

/// An account number of a bank in the United States.
///
/// # Errors
/// It isn't 4 to 17 digits, all of them are zeros, or it is a payment card's.
pub fn account_number(text: &str) -> Result<String, &'static str> {
    let plain = text.trim();
    if !(4..=17).contains(&plain.len()) || !plain.bytes().all(|b| b.is_ascii_digit()) {
        return Err("must have 4 to 17 digits");
    }
    if plain.bytes().all(|b| b == b'0') {
        return Err("must not be all zeros");
    }
    if is_card(plain) {
        return Err("must not be a card's number");
    }
    Ok(plain.to_owned())
}

/// Whether digits are a payment card's number: its length, how it begins, and Luhn's check digit.
fn is_card(digits: &str) -> bool {
    let begins = |signs: &[&str]| signs.iter().any(|sign| digits.starts_with(sign));
    let network = begins(&["4", "34", "37", "51", "52", "53", "54", "55", "6011", "64", "65"])
        || begins(&["22", "23", "24", "25", "26", "27", "35", "30", "36", "38", "62"]);
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0') * if place % 2 == 1 { 2 } else { 1 };
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    network && (13..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ibans_of_the_registry_and_no_others() {
        for good in [
            "DE89 3704 0044 0532 0130 00",
            "gb82west12345698765432",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "FR1420041010050500013M02606",
            "KW81CBKU0000000000001234560101",
        ] {
            assert!(iban(good).is_ok(), "{good}");
        }
        assert_eq!(iban("DE89 3704 0044 0532 0130 00").unwrap(), "DE89370400440532013000");
        for bad in [
            "",
            "DE",
            "DE88370400440532013000",
            "DE8937040044053201300",
            "DE893704004405320130000",
            "XX89370400440532013000",
            "DE89-3704-0044-0532-0130-00",
            "DÉ89370400440532013000",
            "4111111111111111",
        ] {
            assert!(iban(bad).is_err(), "{bad}");
        }
        // Every single wrong digit and every swap of two neighbours is noticed.
        let good = "DE89370400440532013000";
        for place in 2..good.len() {
            let mut wrong = good.as_bytes().to_vec();
            wrong[place] = if wrong[place] == b'9' { b'0' } else { wrong[place] + 1 };
            assert!(iban(std::str::from_utf8(&wrong).unwrap()).is_err());
            let mut swapped = good.as_bytes().to_vec();
            swapped.swap(place, place.max(3) - 1);
            if swapped != good.as_bytes() {
                assert!(iban(std::str::from_utf8(&swapped).unwrap()).is_err(), "{place}");
            }
        }
    }

    #[test]
    fn other_numbers() {
        assert!(routing_number("021000021").is_ok());
        for bad in ["021000022", "02100002", "0210000210", "000000000", "02100002a"] {
            assert!(routing_number(bad).is_err(), "{bad}");
        }
        assert_eq!(account_number(" 000123456789 ").unwrap(), "000123456789");
        for bad in
            ["123", "123456789012345678", "12a4", "0000", "4111111111111111", "5555555555554444"]
        {
            assert!(account_number(bad).is_err(), "{bad}");
        }
        // The networks' own examples; then one digit off, another network's digit, and too short for a card.
        for card in ["4012888888881881", "378282246310005", "6011000990139424", "30569309025904"] {
            assert!(account_number(card).is_err(), "{card}");
        }
        for none in ["4012888888881882", "1234567812345670", "400000000002", "000000000000018"] {
            assert!(account_number(none).is_ok(), "{none}");
        }
        assert_eq!(bic("deutdeff").unwrap(), "DEUTDEFF");
        assert!(bic("DEUTDEFF500").is_ok());
        for bad in ["DEUTDEF", "DEUTDEFF5", "1EUTDEFF", "DEUTDE F"] {
            assert!(bic(bad).is_err(), "{bad}");
        }
        assert!(paypal("anna@creator.example").is_ok() && paypal("anna").is_err());
    }

    #[test]
    fn details_show_little() {
        let details = Details::Iban {
            holder: "Anna".into(),
            iban: "DE89370400440532013000".into(),
            bic: None,
        };
        assert_eq!(format!("{details:?}"), "Details(iban)");
        assert_eq!((details.last4().as_deref(), details.country()), (Some("3000"), Some("DE")));
        let paypal = Details::Paypal { email: "a@b.example".into() };
        assert_eq!((paypal.last4(), paypal.country()), (None, None));
    }
}
