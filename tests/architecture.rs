//! The rings hold: dependencies only inward, the core pure, SQL in one place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test stops where an expectation fails"
)]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push((path.clone(), code(&path)));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} is empty");
    found
}

/// A file without comments and without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let is_tests = path.components().any(|c| c.as_os_str() == "tests")
        || path.file_stem().is_some_and(|s| s.to_str().unwrap().ends_with("tests"));
    if is_tests {
        return String::new();
    }
    let text = text.split("#[cfg(test)]").next().unwrap();
    text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn forbids(folder: &str, words: &[&str], why: &str) {
    for (path, text) in sources(folder) {
        for word in words {
            assert!(!text.contains(word), "{}: `{word}`: {why}", path.display());
        }
    }
}

#[test]
fn the_core_is_pure() {
    let outer = [
        "crate::storage",
        "crate::web",
        "crate::jobs",
        "crate::partners",
        "crate::app",
        "crate::worker",
        "crate::error",
    ];
    forbids("src/domain", &outer, "the core names no outer ring");
    let impure = [
        "async ",
        ".await",
        "axum",
        "worker::",
        "rusqlite",
        "std::time",
        "getrandom",
        "Timestamp::now",
        "std::fs",
        "std::net",
        "std::env::var",
    ];
    forbids("src/domain", &impure, "the core does no I/O and reads no clock");
    for (path, text) in sources("src/domain") {
        // The estimate of distinct visitors is the one place with floats: it decides no money.
        let float = text.contains("f64") || text.contains("f32");
        assert!(
            !float || path.ends_with("counter.rs"),
            "{}: no float comes near money",
            path.display()
        );
    }
}

#[test]
fn dependencies_point_inward() {
    forbids(
        "src/storage",
        &["crate::web", "crate::jobs", "crate::partners"],
        "storage is inside web and jobs",
    );
    forbids(
        "src/partners",
        &["crate::web", "crate::jobs", "crate::storage"],
        "partners only translate",
    );
    forbids("src/partners", &["async ", ".await"], "partners only translate");
    forbids("src/jobs", &["crate::worker"], "the worker is the outermost ring");
    forbids("src/web", &["crate::worker"], "the worker is the outermost ring");
}

#[test]
fn only_the_worker_names_workers_rs() {
    for folder in ["src/domain", "src/storage", "src/partners", "src/jobs", "src/web"] {
        forbids(folder, &["worker::", "wasm_bindgen", "js_sys"], "workers-rs stays in src/worker");
    }
    let manifest = fs::read_to_string("Cargo.toml").unwrap();
    let wasm = manifest.split("cfg(target_arch = \"wasm32\")").nth(1).unwrap();
    assert!(
        wasm.split("\n[").next().unwrap().contains("worker = "),
        "workers-rs is a wasm dependency only"
    );
}

#[test]
fn sql_stands_in_storage_only() {
    let sql = ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM"];
    for folder in ["src/domain", "src/partners", "src/jobs", "src/web", "src/worker"] {
        forbids(folder, &sql, "SQL stands in src/storage");
    }
}

#[test]
fn files_stay_readable() {
    for (path, _) in sources("src") {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 600, "{} has {lines} lines: make it a folder", path.display());
    }
}
