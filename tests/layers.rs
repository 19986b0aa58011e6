//! The table of rooms in docs/architecture.md, as a test: an import that it does not allow fails here.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A row of the page's table.
struct Room {
    name: String,
    /// What it may use of ours besides itself, as paths below the crate; `None` where that is everything.
    ours: Option<Vec<String>>,
    /// Foreign crates it must never name.
    never: Vec<String>,
}

/// The words of a cell that stand in backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rooms() -> Vec<Room> {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let table = page.lines().skip_while(|line| !line.starts_with("| Room |")).skip(2);
    table
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
            Room {
                name: quoted(cells[0]).remove(0),
                ours: (cells[1].trim() != "all").then(|| quoted(cells[1])),
                never: quoted(cells[2]),
            }
        })
        .collect()
}

/// What follows a prefix of paths wherever code names it.
fn after<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(prefix).filter_map(|(at, found)| {
        let before = code[..at].chars().next_back();
        let part_of_a_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
        (!part_of_a_name).then(|| &code[at + found.len()..])
    })
}

/// Where the rooms of other crates are: how code begins a path into them, and the room that is meant, where it does not
/// stand in the path.
fn crates() -> Vec<(String, Option<String>)> {
    let lib = fs::read_to_string(src().join("lib.rs")).unwrap();
    let uses = lib.lines().filter_map(|line| line.strip_prefix("pub use skydeck_")?.strip_suffix(';'));
    uses.map(|path| match path.split_once(" as ") {
        Some((name, room)) => (format!("skydeck_{name}::"), Some(room.to_owned())),
        None => (format!("skydeck_{}::", path.split_once("::").unwrap().0), None),
    })
    .collect()
}

/// The rooms, with what is meant in them, that a file names outside of its own crate, or in the program's outside of its room.
fn used(file: &Path, code: &str) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    if file.starts_with(src()) {
        paths.extend(after(code, "crate::").map(str::to_owned));
    }
    for (prefix, room) in crates() {
        paths.extend(after(code, &prefix).map(|path| match &room {
            Some(room) => format!("{room}::{path}"),
            None => path.to_owned(),
        }));
    }
    let end = |c: char| c.is_whitespace() || c == ';';
    paths.iter().map(|path| path.split(end).next().unwrap().to_owned()).collect()
}

/// Whether a path begins with another, whole names only.
fn within(path: &str, allowed: &str) -> bool {
    let next = path.strip_prefix(allowed).map(|rest| rest.chars().next());
    next.is_some_and(|next| !next.is_some_and(|c| c.is_alphanumeric() || c == '_'))
}

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

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn src() -> PathBuf {
    root().join("src")
}

/// The files of a room: a folder or a file of the program, a crate, or a folder of one.
fn files_of(room: &str) -> Vec<PathBuf> {
    let name = crates().into_iter().find(|(_, of)| of.as_deref() == Some(room)).map(|(prefix, _)| prefix);
    let name =
        name.map_or(room.to_owned(), |prefix| prefix["skydeck_".len()..prefix.len() - "::".len()].replace('_', "-"));
    let mut folders = vec![src().join(room), root().join("crates").join(name).join("src")];
    let packages = fs::read_dir(root().join("crates")).unwrap();
    folders.extend(packages.map(|package| package.unwrap().path().join("src").join(room)));
    let mut files = Vec::new();
    // The first that is there: a crate may have a module of another room's name.
    if let Some(folder) = folders.iter().find(|folder| folder.is_dir()) {
        rust_files(folder, &mut files);
    }
    let file = src().join(format!("{room}.rs"));
    files.extend(file.is_file().then_some(file));
    files
}

#[test]
fn no_room_imports_what_it_must_not() {
    let mut faults = Vec::new();
    for room in rooms() {
        let files = files_of(&room.name);
        assert!(!files.is_empty(), "{} has no files", room.name);
        for file in files {
            let code = code(&file);
            let ours = room.ours.as_ref();
            let may =
                |path: &String| ours.is_none_or(|ours| ours.iter().chain([&room.name]).any(|ours| within(path, ours)));
            for path in used(&file, &code).iter().filter(|path| !may(path)) {
                faults.push(format!("{}: `{}` must not use {path}", file.display(), room.name));
            }
            for foreign in &room.never {
                if names(&code, &format!("{foreign}::")) {
                    faults.push(format!("{}: `{}` must not use {foreign}", file.display(), room.name));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_room_has_its_row() {
    let rooms: Vec<String> = rooms().into_iter().map(|room| room.name).collect();
    let lib = fs::read_to_string(src().join("lib.rs")).unwrap();
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let crates = lib.lines().filter_map(|line| line.strip_prefix("pub use skydeck_")?.strip_suffix(';'));
    let named = crates.flat_map(|path| match path.split_once(" as ") {
        Some((_, room)) => vec![room],
        None => path.split_once("::").unwrap().1.trim_matches(['{', '}']).split(", ").collect(),
    });
    let all: Vec<&str> = modules.chain(named).collect();
    assert_eq!(all.len(), rooms.len(), "{all:?} {rooms:?}");
    for room in all {
        assert!(rooms.iter().any(|row| row == room), "{room} has no row in docs/architecture.md");
    }
}

#[test]
fn the_pure_layers_have_no_clock() {
    let mut faults = Vec::new();
    for folder in ["domain", "plan", "text", "store", "erp", "engine", "link", "export", "ui"] {
        for file in files_of(folder) {
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
    rust_files(&root().join("crates"), &mut files);
    for file in files {
        let code = code(&file);
        // No other crate can; that one has one place for it.
        let issues = code.contains("WriteToken::issue(");
        assert!(!issues || file.ends_with("engine/src/permit.rs"), "{} issues a write token", file.display());
        // Tests turn the feature on, and with it this would compile.
        assert!(!code.contains("WriteToken::for_tests("), "{} takes a token of the tests", file.display());
    }
}

/// The modules of a crate by their paths, the file of each.
fn modules(src: &Path) -> BTreeMap<Vec<String>, PathBuf> {
    let mut files = Vec::new();
    rust_files(src, &mut files);
    let path = |file: &PathBuf| {
        let name = file.strip_prefix(src).unwrap().with_extension("");
        let mut path: Vec<String> = name.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        path.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
        path
    };
    files.iter().map(|file| (path(file), file.clone())).collect()
}

/// The paths that stand at the end of a `use` or in an expression, lists taken apart: `super::{a::b, c}` is two.
fn paths(text: &str) -> Vec<Vec<String>> {
    let (head, rest) = match text.split_once('{') {
        Some((head, rest)) => (head, Some(rest)),
        None => (text, None),
    };
    let names = |head: &str| -> Vec<String> {
        head.split("::")
            .map(|name| name.trim().split(" as ").next().unwrap().to_owned())
            .filter(|n| !n.is_empty())
            .collect()
    };
    let Some(rest) = rest else { return vec![names(head)] };
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for c in rest.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            _ => {}
        }
        if c != ',' || depth > 0 {
            part.push(c);
        }
    }
    parts.push(part);
    let inner = parts.iter().filter(|part| !part.trim().is_empty()).flat_map(|part| paths(part));
    inner.map(|path| [names(head), path].concat()).collect()
}

/// The modules that a module names, its own ancestors left out: what stands in a folder's `mod.rs` is there for all in it.
fn named(me: &[String], code: &str, all: &BTreeMap<Vec<String>, PathBuf>) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for start in ["crate::", "super::", "self::"] {
        for rest in after(code, start) {
            let end = rest.find([';', '(', ')', '<', '>', '!', '=', '&', '|', '?', '"']).unwrap_or(rest.len());
            let text = rest[..end].split("\n\n").next().unwrap();
            let text = if text.contains('{') { text } else { text.split_whitespace().next().unwrap_or_default() };
            for path in paths(text) {
                let mut base = match start {
                    "crate::" => Vec::new(),
                    "self::" => me.to_vec(),
                    _ => me[..me.len().saturating_sub(1)].to_vec(),
                };
                for name in path {
                    if name == "super" {
                        base.pop();
                    } else {
                        base.push(name);
                    }
                }
                while !base.is_empty() && !all.contains_key(&base) {
                    base.pop();
                }
                if !base.is_empty() && !me.starts_with(&base) {
                    found.insert(base);
                }
            }
        }
    }
    found
}

/// Modules that use one another, in circles; each circle once.
fn circles(src: &Path) -> Vec<Vec<String>> {
    let all = modules(src);
    let uses: BTreeMap<_, _> = all.iter().map(|(path, file)| (path, named(path, &code(file), &all))).collect();
    let reach = |from: &Vec<String>| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(at) = left.pop() {
            left.extend(uses[&at].iter().filter(|to| seen.insert((*to).clone())).cloned());
        }
        seen
    };
    let reached: BTreeMap<_, _> = all.keys().map(|path| (path, reach(path))).collect();
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (path, to) in &reached {
        let both: Vec<String> =
            to.iter().filter(|other| reached[other].contains(*path)).map(|other| other.join("::")).collect();
        if both.len() > 1 {
            circles.insert(both);
        }
    }
    circles.into_iter().collect()
}

/// How many circles of modules a crate has at most, and how many modules are in them together. It never grows.
const CIRCLES: [(&str, usize, usize); 16] = [
    ("src", 0, 0),
    ("crates/core/src", 2, 6),
    ("crates/term/src", 0, 0),
    ("crates/plan/src", 1, 10),
    ("crates/forecast/src", 0, 0),
    ("crates/store/src", 0, 0),
    ("crates/store-postgres/src", 0, 0),
    ("crates/store-testkit/src", 0, 0),
    ("crates/engine/src", 0, 0),
    ("crates/kingdee/src", 0, 0),
    ("crates/http/src", 0, 0),
    ("crates/ipc/src", 0, 0),
    ("crates/export/src", 0, 0),
    ("crates/console/src", 0, 0),
    ("crates/annals/src", 0, 0),
    ("crates/sim/src", 1, 13),
];

#[test]
fn modules_use_one_another_in_no_more_circles_than_before() {
    let mut faults = Vec::new();
    for (src, most, within) in CIRCLES {
        let found = circles(&root().join(src));
        let modules: usize = found.iter().map(Vec::len).sum();
        if found.len() > most || modules > within {
            faults.push(format!("{src}: {} circles of {modules} modules: {found:?}", found.len()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let crates = fs::read_dir(root().join("crates")).unwrap().count();
    assert_eq!(CIRCLES.len(), crates + 1, "a crate has no line here");
}

#[test]
fn the_check_would_notice() {
    assert_eq!(
        paths("a::{b::{c, d}, e}::"),
        [
            ["a", "b", "c"].map(str::to_owned).to_vec(),
            ["a", "b", "d"].map(str::to_owned).to_vec(),
            ["a", "e"].map(str::to_owned).to_vec()
        ]
    );
    let all: BTreeMap<Vec<String>, PathBuf> =
        [["x", "a"], ["x", "b"]].map(|path| (path.map(str::to_owned).to_vec(), PathBuf::new())).into();
    let me = ["x", "a"].map(str::to_owned);
    assert_eq!(named(&me, "use super::b::Thing;", &all), BTreeSet::from([["x", "b"].map(str::to_owned).to_vec()]));
    assert!(named(&me, "use super::Thing; use crate::y::b;", &all).is_empty());
    let code =
        "use crate::store::Store; pub(crate) fn f(_: &crate::engine::api::Link) { skydeck_term::x(mycrate::y()) }";
    assert_eq!(used(&src().join("x.rs"), code), ["store::Store", "engine::api::Link)", "term::x(mycrate::y())"]);
    assert_eq!(used(&root().join("crates/x/src/x.rs"), code), ["term::x(mycrate::y())"]);
    assert!(within("engine::api::Link", "engine::api") && within("engine::api;", "engine::api"));
    assert!(!within("engine::apis", "engine::api") && !within("engine::ports::Erp", "engine::api"));
    assert!(!within("{store::Store, ui}", "store"), "a list of rooms is not read, so it is refused");
    assert!(names("let x = sled::open();", "sled::"));
    assert!(!names("let x = unsled::open();", "sled::"));
}
