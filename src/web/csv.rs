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
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0']);
    let quoted = text.contains(['"', ',', '\n', '\r']);
    out.push_str(if quoted { "\"" } else { "" });
    out.push_str(if formula { "'" } else { "" });
    out.push_str(&text.replace('"', "\"\""));
    out.push_str(if quoted { "\"" } else { "" });
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_are_quoted_and_no_formulas() {
        let line = |cells: &[&str]| {
            let mut out = String::new();
            super::line(&mut out, cells);
            out
        };
        assert_eq!(line(&["deal.update", ""]), "deal.update,\r\n");
        assert_eq!(line(&[r#"{"a":"b,c"}"#]), "\"{\"\"a\"\":\"\"b,c\"\"}\"\r\n");
        for bad in ["=cmd()", "+1", "-1", "@x", "\tx", "\0=1"] {
            assert_eq!(line(&[bad]), format!("'{bad}\r\n"));
        }
        assert_eq!(line(&["=a,b"]), "\"'=a,b\"\r\n");
    }
}
