//! Rebuilding a brand's books from its export, and checking a creator's statement, with the product's
//! own decisions and without asking anybody anything. Native only: the worker carries none of it.
//!
//! Decisions, commissions and postings are made anew from facts; sums, balances and the sealed tree from
//! entries. What can't be made anew is taken as given and told: whether a click id is genuine (that
//! needs the key), what a decision saw of other orders, and what was forgotten about people.

#![allow(
    clippy::indexing_slicing,
    reason = "JSON answers null for what isn't there; nothing is set so"
)]

mod books;
mod report;
mod rules;
mod statement;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;

pub use books::Audit;
pub use report::Report;
pub use statement::{Shown, check as check_statement};

/// The first thing that isn't as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In which line of the export; 0 where it is about all of it.
    pub line: u64,
    /// What differs, with both values.
    pub words: String,
}

impl Difference {
    fn at<T>(line: u64, words: impl Into<String>) -> Result<T, Self> {
        Err(Self { line, words: words.into() })
    }
}

/// Why there is no result.
enum Failed {
    Differs(Difference),
    Unreadable(String),
}

impl From<Difference> for Failed {
    fn from(difference: Difference) -> Self {
        Self::Differs(difference)
    }
}

/// Does what the command line says, and prints it.
#[must_use]
pub fn main(args: Vec<String>) -> ExitCode {
    let done = match args.first().map(String::as_str) {
        Some("statement") => of_statement(args.get(1..).unwrap_or_default()),
        Some(path) if args.len() == 1 && !path.starts_with('-') => of_export(path),
        _ => Err(Failed::Unreadable(
            "usage: tributary-audit EXPORT.ndjson\n       tributary-audit statement \
             PAGE.json… [--previous PAGE.json…]"
                .to_owned(),
        )),
    };
    match done {
        Ok(lines) => {
            for line in lines {
                println!("{line}");
            }
            ExitCode::SUCCESS
        }
        Err(Failed::Differs(Difference { line: 0, words })) => {
            println!("DIFFERENT: {words}");
            ExitCode::from(1)
        }
        Err(Failed::Differs(Difference { line, words })) => {
            println!("DIFFERENT, line {line}: {words}");
            ExitCode::from(1)
        }
        Err(Failed::Unreadable(words)) => {
            eprintln!("{words}");
            ExitCode::from(2)
        }
    }
}

fn of_export(path: &str) -> Result<Vec<String>, Failed> {
    let unreadable = |e: std::io::Error| Failed::Unreadable(format!("{path}: {e}"));
    let mut audit = Audit::default();
    for line in BufReader::new(File::open(path).map_err(unreadable)?).lines() {
        audit.line(&line.map_err(unreadable)?)?;
    }
    Ok(audit.end()?.lines())
}

fn of_statement(args: &[String]) -> Result<Vec<String>, Failed> {
    let (mut now, mut before, mut earlier) = (Vec::new(), Vec::new(), false);
    for path in args {
        if path == "--previous" {
            earlier = true;
            continue;
        }
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failed::Unreadable(format!("{path}: {e}")))?;
        let page = crate::storage::rows::parse(&text)
            .map_err(|e| Failed::Unreadable(format!("{path}: {e}")))?;
        if earlier { &mut before } else { &mut now }.push(page);
    }
    if now.is_empty() {
        return Err(Failed::Unreadable("there is no statement to check".to_owned()));
    }
    Ok(check_statement(&now, &before)?.lines())
}
