//! Codes: what they may be spelled like, how one is made from a creator's handle, and the next free
//! spelling of one that is taken.

use super::attribution::code_key;

/// What a code is at most, in characters: Shopify's limit.
pub const MAX_CODE: usize = 255;
/// A pattern is at most so long.
const MAX_PATTERN: usize = 60;
/// So much of a handle goes into a code.
const MAX_HANDLE: usize = 40;
/// What codes are made by where nothing else is said.
pub const PATTERN: &str = "{handle}{value}";

/// Why a text is no new code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 letters, digits, - . or _, beginning with a letter or digit")]
pub struct NotACode;

/// A code that a shop is to make: what is read aloud, typed and put into an address.
///
/// # Errors
/// [`NotACode`].
pub fn new_code(text: &str) -> Result<String, NotACode> {
    let text = text.trim();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    let good = text.chars().count() <= MAX_CODE
        && text.starts_with(char::is_alphanumeric)
        && text.chars().all(fits);
    good.then(|| text.to_owned()).ok_or(NotACode)
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have {{handle}} in it, perhaps {{value}}, and else letters, digits, - or _")]
pub struct NotAPattern;

/// A pattern that codes are made by.
///
/// # Errors
/// [`NotAPattern`].
pub fn pattern(text: &str) -> Result<String, NotAPattern> {
    let rest = text.replacen("{handle}", "", 1).replacen("{value}", "", 1);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '{');
    let good = text.contains("{handle}") && text.len() <= MAX_PATTERN && begins;
    (good && rest.chars().all(plain)).then(|| text.to_owned()).ok_or(NotAPattern)
}

/// The code that a handle suggests: `@anna.home` by `{handle}{value}` at 10 % is `ANNAHOME10`.
#[must_use]
pub fn from_handle(pattern: &str, handle: &str, figure: &str) -> String {
    let letters = handle.chars().filter(char::is_ascii_alphanumeric).take(MAX_HANDLE);
    let handle: String = letters.collect::<String>().to_ascii_uppercase();
    let handle = if handle.is_empty() { "CREATOR" } else { &handle };
    let code = pattern.replacen("{handle}", handle, 1).replacen("{value}", figure, 1);
    code.to_ascii_uppercase()
}

/// The spelling that comes after so many others: `ANNA10`, `ANNA10-2`, `ANNA10-3`.
#[must_use]
pub fn spelling(base: &str, attempt: u32) -> String {
    if attempt == 0 {
        return base.to_owned();
    }
    let suffix = format!("-{}", attempt + 1);
    let kept = base.chars().take(MAX_CODE - suffix.len());
    kept.chain(suffix.chars()).collect()
}

/// The next spellings after `attempt` that aren't among `known` (as they are compared), at most `most`,
/// each with its own attempt.
#[must_use]
pub fn next_spellings(
    base: &str,
    attempt: u32,
    known: &[String],
    most: usize,
) -> Vec<(u32, String)> {
    let all = (attempt + 1..).take(known.len() + most);
    let spelled = all.map(|attempt| (attempt, spelling(base, attempt)));
    spelled.filter(|(_, code)| !known.contains(&code_key(code))).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_makes_a_code() {
        assert_eq!(from_handle(PATTERN, "@anna.home", "10"), "ANNAHOME10");
        assert_eq!(from_handle("WITH-{handle}", "anna", "10"), "WITH-ANNA");
        assert_eq!(from_handle("{value}off-{handle}", "anna", "10"), "10OFF-ANNA");
        assert_eq!(from_handle(PATTERN, "Åsa", "5"), "SA5");
        assert_eq!(from_handle(PATTERN, "@@@", ""), "CREATOR");
        assert_eq!(from_handle(PATTERN, "{value}{handle}", "10"), "VALUEHANDLE10");
        for handle in ["日本", "%2F..", &"x".repeat(500), "a b\r\nc"] {
            let code = from_handle(PATTERN, handle, "10");
            assert_eq!(new_code(&code), Ok(code.clone()), "{handle}");
            assert!(code.len() <= MAX_HANDLE + 2);
        }
    }

    #[test]
    fn the_next_spelling_is_free_and_always_the_same() {
        assert_eq!(spelling("ANNA10", 0), "ANNA10");
        assert_eq!(spelling("ANNA10", 1), "ANNA10-2");
        let known = ["anna10".to_owned(), "anna10-2".to_owned(), "anna10-4".to_owned()];
        let next = next_spellings("ANNA10", 0, &known, 2);
        assert_eq!(next, [(2, "ANNA10-3".to_owned()), (4, "ANNA10-5".to_owned())]);
        let long = "x".repeat(MAX_CODE);
        let suffixed = spelling(&long, 99);
        assert!(suffixed.len() == MAX_CODE && suffixed.ends_with("-100"));
    }

    #[test]
    fn new_codes_can_be_typed() {
        for good in ["ANNA10", "änna_10", "a.b-c", "日本", &"a".repeat(255)] {
            assert!(new_code(good).is_ok(), "{good}");
        }
        for bad in
            ["", "-a", "a b", "a/b", "a?b", "a%b", "=A", "a\u{202e}b", "a\n", &"a".repeat(256)]
        {
            let trimmed = bad.trim() != bad;
            assert_eq!(new_code(bad).is_err(), !trimmed, "{bad}");
        }
    }

    #[test]
    fn patterns_have_the_handle_in_them() {
        for good in ["{handle}", "{handle}{value}", "X-{handle}_{value}"] {
            assert!(pattern(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ANNA",
            "{value}",
            "{handle}{other}",
            "{handle} x",
            "-{handle}",
            "{handle}{handle}",
        ] {
            assert_eq!(pattern(bad), Err(NotAPattern), "{bad}");
        }
    }
}
