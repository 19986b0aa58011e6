//! The floors of docs/architecture.md, as a test: a forbidden import fails here.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

struct Layer {
    folder: &'static str,
    /// Our own layers it may use, besides itself.
    ours: &'static [&'static str],
    /// Foreign crates it must never name.
    never: &'static [&'static str],
}

const LAYERS: &[Layer] = &[
    Layer { folder: "domain", ours: &[], never: &["tokio", "ratatui", "crossterm", "sled", "reqwest", "hyper"] },
    Layer { folder: "plan", ours: &["domain"], never: &["tokio", "ratatui", "crossterm", "sled", "reqwest", "hyper"] },
    Layer { folder: "text", ours: &[], never: &["tokio", "crossterm", "sled", "reqwest", "hyper"] },
    Layer { folder: "store", ours: &["domain", "text"], never: &["ratatui", "crossterm", "reqwest", "hyper"] },
    Layer { folder: "erp", ours: &["domain", "plan"], never: &["sled", "ratatui", "crossterm", "hyper"] },
    Layer {
        folder: "engine",
        ours: &["domain", "plan", "store", "erp", "link", "text"],
        never: &["sled", "reqwest", "ratatui", "crossterm", "hyper"],
    },
    Layer { folder: "link", ours: &["domain", "engine", "store"], never: &["ratatui", "crossterm", "sled", "reqwest"] },
    Layer { folder: "host", ours: &["domain", "link", "plan", "text"], never: &["ratatui", "crossterm", "sled"] },
    Layer { folder: "ui", ours: &["domain", "text"], never: &["tokio", "crossterm", "sled", "reqwest", "hyper"] },
    Layer { folder: "term", ours: &[], never: &["tokio", "ratatui", "crossterm", "sled", "reqwest", "hyper"] },
    Layer { folder: "shell", ours: &["ui", "link", "domain", "term", "text"], never: &["sled", "reqwest", "hyper"] },
    Layer { folder: "sim", ours: &[], never: &["sled", "reqwest", "ratatui", "crossterm"] },
];

const ALL: &[&str] = &[
    "boot", "cli", "config", "domain", "engine", "erp", "host", "link", "plan", "secret", "shell", "sim", "store",
    "term", "text", "ui",
];

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// The code of a file without comments and without its test module, which may use more.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let before_tests = text.split("#[cfg(test)]").next().unwrap();
    before_tests.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn names(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn no_layer_imports_what_it_must_not() {
    let mut faults = Vec::new();
    for layer in LAYERS {
        let mut files = Vec::new();
        rust_files(&src().join(layer.folder), &mut files);
        assert!(!files.is_empty(), "{} has no files", layer.folder);
        for file in files {
            let code = code(&file);
            for other in ALL {
                let allowed = *other == layer.folder || layer.ours.contains(other);
                if !allowed && names(&code, &format!("crate::{other}")) {
                    faults.push(format!("{}: `{}` must not use crate::{other}", file.display(), layer.folder));
                }
            }
            for foreign in layer.never {
                if names(&code, &format!("{foreign}::")) {
                    faults.push(format!("{}: `{}` must not use {foreign}", file.display(), layer.folder));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_pure_layers_have_no_clock() {
    let mut faults = Vec::new();
    for folder in ["domain", "plan", "text", "store", "erp", "engine", "link", "ui"] {
        let mut files = Vec::new();
        rust_files(&src().join(folder), &mut files);
        for file in files {
            let code = code(&file);
            for clock in ["Utc::now", "Local::now", "SystemTime::now", "std::time::Instant::now", "thread::sleep"] {
                if code.contains(clock) {
                    faults.push(format!("{}: {clock} outside the clock and the shell", file.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn only_the_permission_check_issues_write_tokens() {
    let mut files = Vec::new();
    rust_files(&src(), &mut files);
    for file in files {
        let issues = code(&file).contains("WriteToken::issue(");
        assert!(!issues || file.ends_with("engine/permit.rs"), "{} issues a write token", file.display());
    }
}

#[test]
fn the_check_would_notice() {
    assert!(names("use crate::store::Store;", "crate::store"));
    assert!(names("let x = sled::open();", "sled::"));
    assert!(!names("let x = unsled::open();", "sled::"));
}
