//! Words, numbers, texts and signs of a filter, each with its place.

use super::parse::FilterError;

/// One piece of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or keyword, in lower case.
    Word(String),
    /// What stands between quotes.
    Text(String),
    /// What begins with a digit: numbers, days, months, `30d`.
    Digits(String),
    /// `( ) [ ] , . .. % - = != < <= > >=`.
    Sign(&'static str),
    /// Nothing more.
    End,
}

const SIGNS: [&str; 16] =
    ["..", "!=", "<=", ">=", "(", ")", "[", "]", ",", ".", "%", "-", "=", "<", ">", "+"];

/// The tokens with the place of each, counted in characters from 1.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, FilterError> {
    let mut found = Vec::new();
    let (mut rest, mut at) = (text, 1);
    loop {
        let trimmed = rest.trim_start();
        at += chars(rest.get(..rest.len() - trimmed.len()).unwrap_or_default());
        rest = trimmed;
        let Some(first) = rest.chars().next() else { break };
        let (token, length) = if matches!(first, '"' | '\'') {
            quoted(rest, first).map_err(|(offset, what)| FilterError::new(at + offset, what))?
        } else if first.is_ascii_digit() {
            let length = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-')))
                .unwrap_or(rest.len());
            // `2026-10-01..2026-10-20`: two points end a number.
            let length = rest.find("..").map_or(length, |points| points.min(length));
            (Token::Digits(rest.get(..length).unwrap_or_default().to_owned()), length)
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length =
                rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            (Token::Word(rest.get(..length).unwrap_or_default().to_ascii_lowercase()), length)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            return Err(FilterError::new(at, "a field, a text in quotes, NOT or ("));
        };
        let (taken, left) = rest.split_at_checked(length).unwrap_or((rest, ""));
        found.push((at, token));
        at += chars(taken);
        rest = left;
    }
    found.push((at, Token::End));
    Ok(found)
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

/// A text in quotes; a backslash takes the next character as it is. The error says how many characters on.
fn quoted(text: &str, quote: char) -> Result<(Token, usize), (usize, &'static str)> {
    let mut value = String::new();
    let mut all = text.char_indices().enumerate().skip(1);
    while let Some((nth, (at, c))) = all.next() {
        if c == quote {
            return Ok((Token::Text(value), at + 1));
        }
        let c = if c == '\\' { all.next().map(|(_, (_, c))| c) } else { Some(c) };
        match c {
            Some(c) if c.is_control() => return Err((nth, "no control character")),
            Some(c) => value.push(c),
            None => break,
        }
    }
    Err((0, "a text that ends with the quote it began with"))
}
