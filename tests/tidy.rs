//! House rules as tests: headers, file sizes, leftovers, and words that do not belong in the repository.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", ".git"].contains(&name.as_str()) {
            walk(&path, into);
        } else if path.is_file() {
            into.push(path);
        }
    }
}

fn files() -> Vec<PathBuf> {
    let mut into = Vec::new();
    walk(root(), &mut into);
    into
}

fn sources() -> Vec<(PathBuf, String)> {
    files()
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "rs") && p.starts_with(root().join("src")))
        .map(|p| (p.clone(), fs::read_to_string(&p).unwrap()))
        .collect()
}

#[test]
fn every_module_opens_with_what_it_is_for() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} does not open with `//! `", path.display());
    }
}

#[test]
fn nothing_is_left_open() {
    // Put together so that this file does not find itself.
    let words =
        [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["todo", "!("].concat(), ["unimplemented", "!("].concat()];
    for (path, text) in sources() {
        for word in &words {
            assert!(!text.contains(word.as_str()), "{}: {word}", path.display());
        }
        assert!(!text.contains(&["#[al", "low("].concat()), "{}: use #[expect(.., reason)]", path.display());
    }
}

#[test]
fn no_module_is_a_drawer_for_anything() {
    for (path, _) in sources() {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        for bad in ["util", "utils", "helper", "helpers", "manager", "misc", "common"] {
            assert_ne!(stem, bad, "{}", path.display());
        }
    }
}

#[test]
fn no_machine_path_or_foreign_word_stands_in_the_repository() {
    let words = [["/wor", "k/"].concat(), ["/ro", "ot/"].concat(), ["bash_", "jobs"].concat(), ["/ho", "me/"].concat()];
    for path in files() {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for word in &words {
            assert!(!text.contains(word.as_str()), "{} holds {word}", path.display());
        }
    }
}

#[test]
fn no_tracked_file_is_a_megabyte() {
    for path in files() {
        let size = fs::metadata(&path).unwrap().len();
        assert!(size <= 1 << 20, "{} has {size} bytes", path.display());
    }
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for line in section.lines().filter(|l| l.contains('=')) {
        assert!(line.contains(" # ") || line.starts_with("serde ="), "no reason given: {line}");
    }
}
