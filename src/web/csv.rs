//! Files for spreadsheets (RFC 4180), in which nothing is a formula.

/// Appends a line of cells.
pub fn line(out: &mut String, cells: &[&str]) {
    for (place, text) in cells.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        cell(out, text);
    }
    out.push_str("\r\n");
}

/// A cell: quoted where it must be, and never a formula for the spreadsheet that opens it.
fn cell(out: &mut String, text: &str) {
    let formula = is_guarded(text);
    let quoted = text.contains(['"', ',', '\n', '\r']);
    out.push_str(if quoted { "\"" } else { "" });
    out.push_str(if formula { "'" } else { "" });
    out.push_str(&text.replace('"', "\"\""));
    out.push_str(if quoted { "\"" } else { "" });
}

/// Whether a cell needs a `'` in front: it begins as a formula does, or like one that has such a `'` already, so
/// that [`unguarded`] finds back to every text. An amount below zero is none: with a `'` it would be text, which a
/// spreadsheet leaves out of its sums.
fn is_guarded(text: &str) -> bool {
    let begins = ['=', '+', '-', '@', '\t', '\r', '\n', '\0'];
    text.trim_start_matches('\'').starts_with(begins) && !is_below_zero(text)
}

/// Whether a cell is `-` and digits, perhaps with a point and digits after them, and nothing else.
fn is_below_zero(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.strip_prefix('-').is_some_and(|number| {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        digits(whole) && digits(fraction)
    })
}

/// A cell's text without the `'` that [`line`] put before it.
#[must_use]
pub fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| is_guarded(rest)).unwrap_or(text)
}

/// A line of a file: its number, and its cells.
pub type Line = (usize, Vec<String>);

/// What is wrong with a file: in which line, and what.
pub type Fault = (usize, &'static str);

/// A cell is at most so long, in bytes.
const MAX_CELL: usize = 2_000;
/// A line has at most so many cells.
const MAX_CELLS: usize = 50;

/// Reads a file (RFC 4180): UTF-8, perhaps with a mark of that, separated by what its first line is
/// separated by (`,` `;` or a tab), lines ended by any of CR, LF and both. Empty lines are left out.
///
/// # Errors
/// Another encoding, quotes that don't fit, control characters, cells or lines of absurd size, or more than `most` lines.
pub fn read(bytes: &[u8], most: usize) -> Result<Vec<Line>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| (1, "the file is not UTF-8 text"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.split(['\r', '\n']).next().unwrap_or_default();
    let separator = [';', '\t'].into_iter().find(|c| first.contains(*c) && !first.contains(','));
    let separator = separator.unwrap_or(',');
    let mut lines = Vec::new();
    let (mut number, mut begun) = (1, 1);
    let mut cells: Vec<String> = Vec::new();
    let mut cell = String::new();
    // Before a cell's text, in it, within quotes, after them.
    let mut place = Place::Before;
    let mut chars = text.chars().peekable();
    loop {
        let next = chars.next();
        let ends = matches!(next, None | Some('\r' | '\n'));
        match (place, next) {
            (Place::Quoted, None) => return Err((begun, "a quote is opened and not closed")),
            (Place::Quoted, Some('"')) if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            (Place::Quoted, Some('"')) => place = Place::After,
            (Place::Quoted, Some(c)) => cell.push(c),
            (Place::Before, Some('"')) => place = Place::Quoted,
            (Place::Plain, Some('"')) => return Err((number, "a quote stands within a cell")),
            (_, Some(c)) if c == separator || ends => (),
            (Place::After, Some(_)) => return Err((number, "text stands after a closed quote")),
            (_, Some(c)) => {
                cell.push(c);
                place = Place::Plain;
            }
            (_, None) => (),
        }
        if cell.len() > MAX_CELL {
            return Err((number, "a cell is too long"));
        }
        if place == Place::Quoted {
            number += usize::from(next == Some('\n'));
            continue;
        }
        if cell.chars().next_back().is_some_and(|c| c.is_control() && c != '\t') {
            return Err((number, "a control character"));
        }
        if ends || next == Some(separator) && place != Place::Quoted {
            cells.push(std::mem::take(&mut cell).trim().to_owned());
            place = Place::Before;
        }
        if cells.len() > MAX_CELLS {
            return Err((number, "too many cells"));
        }
        if !ends {
            continue;
        }
        let line = std::mem::take(&mut cells);
        if line.iter().any(|cell| !cell.is_empty()) {
            lines.push((begun, line));
        }
        if lines.len() > most {
            return Err((number, "too many lines"));
        }
        if next == Some('\r') && chars.peek() == Some(&'\n') {
            chars.next();
        }
        number += 1;
        begun = number;
        if next.is_none() {
            return Ok(lines);
        }
    }
}

/// Where in a cell a reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Plain,
    Quoted,
    After,
}

#[cfg(test)]
mod tests {
    use super::{Fault, Line};

    fn read(text: &str) -> Result<Vec<Line>, Fault> {
        super::read(text.as_bytes(), 5)
    }

    fn cells(text: &str) -> Vec<Vec<String>> {
        read(text).unwrap().into_iter().map(|(_, cells)| cells).collect()
    }

    #[test]
    fn files_are_read_as_spreadsheets_write_them() {
        let two = [["a", "b"], ["1", "x"]];
        for text in [
            "a,b\n1,x\n",
            "a,b\r\n1,x",
            "a,b\r1,x\r",
            "\u{feff}a;b\n1;x",
            "a\tb\n1\tx",
            "\"a\",\"b\"\n\n,\n1,x",
        ] {
            assert_eq!(cells(text), two, "{text:?}");
        }
        assert_eq!(cells("a,b\n\"x, \"\"y\"\"\nz\", 2 "), [["a", "b"], ["x, \"y\"\nz", "2"]]);
        assert_eq!(read("a\n\"x\ny\"\nz").unwrap()[2].0, 4, "lines are counted as an editor does");
        assert_eq!(cells(""), [[""; 0]; 0]);
        assert_eq!(cells("a,\n,b"), [["a", ""], ["", "b"]]);
    }

    #[test]
    fn what_is_no_file_is_told_with_its_line() {
        assert_eq!(read("a\n\"x"), Err((2, "a quote is opened and not closed")));
        assert_eq!(read("a\nx\"y"), Err((2, "a quote stands within a cell")));
        assert_eq!(read("a\n\"x\"y"), Err((2, "text stands after a closed quote")));
        assert_eq!(read("a\nx\0"), Err((2, "a control character")));
        assert_eq!(read(&format!("a\n{}", "x".repeat(3000))).unwrap_err().0, 2);
        assert_eq!(read(&"a\n".repeat(6)), Err((6, "too many lines")));
        assert_eq!(read(&",".repeat(60)), Err((1, "too many cells")));
        for bytes in [&b"\xff\xfea\0"[..], b"caf\xe9"] {
            assert_eq!(super::read(bytes, 5), Err((1, "the file is not UTF-8 text")));
        }
    }

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        let line = |cells: &[&str]| {
            let mut out = String::new();
            super::line(&mut out, cells);
            out
        };
        assert_eq!(line(&["deal.update", ""]), "deal.update,\r\n");
        assert_eq!(line(&[r#"{"a":"b,c"}"#]), "\"{\"\"a\"\":\"\"b,c\"\"}\"\r\n");
        for bad in [
            "=cmd()", "+1", "-x", "-1+1", "-", "-.5", "-1.", "-1.2.3", "-1e3", "--1", "-1 ", "@x",
            "\tx", "\0=1",
        ] {
            assert_eq!(line(&[bad]), format!("'{bad}\r\n"));
        }
        for number in ["-1", "-12.34", "-0.005"] {
            assert_eq!(line(&[number]), format!("{number}\r\n"), "a spreadsheet adds it up");
        }
        assert_eq!(line(&["=a,b"]), "\"'=a,b\"\r\n");
        assert_eq!(line(&["'=a", "'a"]), "''=a,'a\r\n", "told apart from what was guarded");
        for text in ["=x", "'=x", "''-1", "'-1", "-1", "-x", "'x", "x", "", "'", "+49 1"] {
            let written = line(&[text]);
            assert_eq!(super::unguarded(written.trim_end_matches("\r\n")), text);
        }
    }
}
