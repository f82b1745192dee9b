//! `tributary-audit export.ndjson` rebuilds a brand's books from an export; `tributary-audit statement
//! page.json … [--previous page.json …]` checks a creator's statement. Neither asks anybody anything.
//!
//! Exit code 0: nothing differs; 1: something does, and the first difference is told; 2: it could not
//! be read.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    tributary::audit::main(std::env::args().skip(1).collect())
}

#[cfg(target_arch = "wasm32")]
fn main() {}
