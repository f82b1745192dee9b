//! Numbers as the text they are: 10.1 is ten and a tenth, not the float next to it.

/// JSON with every number outside a text made a text: amounts are read from what was written, and ids
/// beyond 2^53 stay exact. Whatever is no JSON stays none.
#[must_use]
pub fn as_texts(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 8);
    let mut rest = json;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let length = match from.strip_prefix('"') {
            Some(text) => 1 + end_of_text(text),
            None => {
                let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
                from.find(|c| !part(c)).unwrap_or(from.len())
            }
        };
        let (token, after) = from.split_at(length);
        // What has the form of no number stays, so that the parser refuses it.
        let quote = if is_number(token) { "\"" } else { "" };
        out.extend([quote, token, quote]);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// How much of what follows an opening quote belongs to the text, its closing quote included.
fn end_of_text(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => (),
        }
    }
    text.len()
}

/// The grammar of JSON's numbers.
fn is_number(token: &str) -> bool {
    let token = token.strip_prefix('-').unwrap_or(token);
    let (number, exponent) = token.split_once(['e', 'E']).unwrap_or((token, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && digits(fraction)
        && digits(exponent)
}
