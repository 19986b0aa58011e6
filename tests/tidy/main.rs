//! House rules as tests: headers, file sizes, leftovers, and words that do not belong in the repository.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod lengths;
mod signatures;

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
        // In a worktree `.git` is a file.
        if ["target", ".git"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
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
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .filter(|p| p.starts_with(root().join("src")) || p.starts_with(root().join("crates")))
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
    let crates = fs::read_dir(root().join("crates")).unwrap().map(|package| package.unwrap().path());
    for package in crates.chain([root().to_path_buf()]) {
        let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap();
        let section = manifest.split("\n[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        for line in section.lines().filter(|l| l.contains('=')) {
            assert!(line.contains(" # "), "{}: no reason given: {line}", package.display());
        }
    }
}

/// Text files that people read or that cite something.
fn texts() -> Vec<(PathBuf, String)> {
    let reads = ["rs", "toml", "md", "sh", "yml", "service", "json"];
    files()
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| reads.iter().any(|r| e == *r)))
        .filter(|p| !p.starts_with(root().join("tests/golden")))
        .filter_map(|p| fs::read_to_string(&p).ok().map(|text| (p, text)))
        .collect()
}

/// A heading as the forge names it in links.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The lines of a page outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced && !line.trim_start().starts_with("```")
    })
}

fn anchors(page: &str) -> Vec<String> {
    prose(page).filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// Why a path, with or without a heading behind `#`, leads nowhere from a folder.
fn leads_nowhere(from: &Path, target: &str) -> Option<String> {
    let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
    let file = from.join(path);
    if !file.exists() {
        return Some(format!("there is no {path}"));
    }
    let heading = heading.filter(|_| file.extension().is_some_and(|e| e == "md"))?;
    let known = anchors(&fs::read_to_string(&file).unwrap());
    (!known.iter().any(|known| known == heading)).then(|| format!("{path} has no heading #{heading}"))
}

/// The pages that a line names, by path or name, with the heading behind `#`.
fn pages(line: &str) -> Vec<String> {
    let part = |c: char| c.is_alphanumeric() || "/._-#".contains(c);
    let words = line.split(|c: char| !part(c)).map(|word| word.trim_end_matches(['.', '#']));
    let is_page = |word: &&str| Path::new(word.split('#').next().unwrap()).extension().is_some_and(|e| e == "md");
    words.filter(is_page).map(str::to_owned).collect()
}

/// The comment of a line of code.
fn comment<'a>(path: &Path, line: &'a str) -> Option<&'a str> {
    let sign = if path.extension().is_some_and(|e| e == "rs") { "//" } else { "#" };
    line.trim_start().strip_prefix(sign).or_else(|| line.split_once(&format!(" {sign} ")).map(|(_, said)| said))
}

#[test]
fn every_page_that_a_comment_cites_is_there() {
    let mut faults = Vec::new();
    for (path, text) in texts().iter().filter(|(path, _)| path.extension().is_none_or(|e| e != "md" && e != "json")) {
        for said in text.lines().filter_map(|line| comment(path, line)) {
            for page in pages(said) {
                let near = leads_nowhere(path.parent().unwrap(), &page);
                if let (Some(why), Some(_)) = (leads_nowhere(root(), &page), near) {
                    faults.push(format!("{}: {why}", path.display()));
                }
            }
            // A number of a section says nothing to whoever does not have the page, and moves when the page changes.
            if said.split('§').skip(1).any(|after| after.starts_with(|c: char| c.is_ascii_digit())) {
                faults.push(format!("{}: cites a section by number: {said}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let mut faults = Vec::new();
    for (path, text) in texts().iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "md")) {
        for line in prose(text) {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
                if target.contains("://") {
                    continue;
                }
                let whole = if target.starts_with('#') {
                    format!("{}{target}", path.file_name().unwrap().to_string_lossy())
                } else {
                    target.to_owned()
                };
                faults.extend(
                    leads_nowhere(path.parent().unwrap(), &whole).map(|why| format!("{}: {why}", path.display())),
                );
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_row_that_a_fault_file_names_stands_in_the_matrix() {
    let page = fs::read_to_string(root().join("docs/design/faults.md")).unwrap();
    let known: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()).collect();
    let mut named = 0;
    for (path, text) in texts().iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "toml")) {
        let rows = text.lines().filter_map(|line| line.strip_prefix("rows = [")?.strip_suffix(']'));
        for row in rows.flat_map(|rows| rows.split(',').map(str::trim)).filter(|row| !row.is_empty()) {
            assert!(known.contains(&row), "{}: there is no row {row}", path.display());
            named += 1;
        }
    }
    assert!(named > 50, "only {named} rows are named: are the files there?");
}

/// Folders whose files pages name.
const NAMED: [&str; 7] = ["src/", "crates/", "tests/", "benches/", "fuzz/", "contrib/", ".ci/"];

#[test]
fn every_file_that_a_page_names_is_there() {
    let changes = root().join("CHANGELOG.md");
    let mut faults = Vec::new();
    for (path, text) in texts().iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "md")) {
        if *path == changes {
            continue;
        }
        for name in prose(text).flat_map(|line| line.split('`').skip(1).step_by(2)) {
            let is_path = NAMED.iter().any(|folder| name.starts_with(folder));
            let plain = name.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
            if is_path && plain && !root().join(name).exists() {
                faults.push(format!("{}: there is no {name}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_citation_that_leads_nowhere_would_be_noticed() {
    let there = |target| leads_nowhere(root(), target).is_none();
    for (target, found) in [
        ("docs/plans.md", true),
        ("docs/plans.md#hazards", true),
        ("docs/plans.md#the-skydeck-object", true),
        ("docs/simulator.md#what-is-invented--虚构部分", true),
        ("docs/plans.md#no-such-heading", false),
        ("docs/no_such_page.md", false),
        ("docs/no_such_page.md#hazards", false),
        ("src/lib.rs", true),
        ("src/lib.rs#L5", true),
    ] {
        assert_eq!(there(target), found, "{target}");
    }
    assert_eq!(
        pages("as (docs/a-b.md#two-words), b_c.md; and d.md. No .mdx"),
        ["docs/a-b.md#two-words", "b_c.md", "d.md"]
    );
    assert_eq!(anchor(" Who may do what · 权限"), "who-may-do-what--权限");
    let (rust, toml) = (Path::new("a.rs"), Path::new("a.toml"));
    assert_eq!(comment(rust, "    /// see README.md"), Some("/ see README.md"));
    assert_eq!(comment(rust, "let a = 1; // see README.md"), Some("see README.md"));
    assert_eq!(
        (comment(rust, "let a = \"README.md\";"), comment(toml, "a = 1 # README.md")),
        (None, Some("README.md"))
    );
}

/// The readers of facts that name the events they know one by one: column of the table, and their files.
const READERS: [(&str, &[&str]); 4] = [
    ("bill's life", &["crates/console/src/ui/panes/bill_lines.rs", "src/cli/bill.rs"]),
    ("past", &["crates/engine/src/bill_history.rs"]),
    ("alerts", &["src/host/alerts/watch.rs"]),
    ("account", &["crates/store/src/account/mod.rs"]),
];

fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
}

/// Whether code names an event, and not one whose name begins alike.
fn reads(code: &str, event: &str) -> bool {
    let name = format!("Event::{event}");
    code.match_indices(&name).any(|(at, _)| !code[at + name.len()..].starts_with(|c: char| c.is_alphanumeric()))
}

#[test]
fn the_table_of_facts_and_readers_is_true() {
    let events = fs::read_to_string(root().join("crates/core/src/domain/event.rs")).unwrap();
    let body = events.split("pub enum Event {").nth(1).unwrap().split("\n}").next().unwrap();
    let named =
        body.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| line.starts_with(char::is_uppercase));
    let events: Vec<String> = named.map(|line| line.chars().take_while(|c| c.is_alphanumeric()).collect()).collect();

    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let mut table =
        page.lines().skip_while(|line| !line.starts_with("| Event |")).take_while(|line| line.starts_with('|'));
    let head = cells(table.next().unwrap());
    let rows: Vec<Vec<String>> = table.skip(1).map(cells).collect();
    assert_eq!(rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), events, "each event has its row, in order");

    for (column, files) in READERS {
        let at = head.iter().position(|title| title == column).unwrap();
        let code: String = files.iter().map(|file| fs::read_to_string(root().join(file)).unwrap()).collect();
        for row in &rows {
            assert_eq!(!row[at].is_empty(), reads(&code, &row[0]), "{column} of {}", row[0]);
        }
    }
}

/// Facts by which a bill or a run moves.
const MOVING: [&str; 14] = [
    "RunOpened",
    "BillsFound",
    "RunCollected",
    "RunApproved",
    "StepTried",
    "StepAnswered",
    "BillDeferred",
    "BillSettled",
    "RunPaused",
    "RunResumed",
    "RunSettling",
    "RunInterrupted",
    "RunClosed",
    "RunPruned",
];

/// Who matches on them, and for what: none of these asks them for a column or a state.
const FACT_READERS: [(&str, &str); 19] = [
    ("crates/core/src/domain/transition.rs", "the one place"),
    ("crates/core/src/domain/live.rs", "keeps what a fact carries besides"),
    ("crates/core/src/domain/story.rs", "who closed an entry, and what became of it"),
    ("crates/store/src/index/fold.rs", "keeps what a fact carries besides"),
    ("crates/store/src/lib.rs", "cuts bodies, and the other bills of a page"),
    ("crates/store/src/prune.rs", "leaves out facts of forgotten bills"),
    ("crates/store/src/account/mod.rs", "which runs ended, beside the action log's lines"),
    ("crates/store/src/evidence.rs", "what an auditor asks for first, beside the bytes that hold it"),
    ("crates/store/src/local/writer.rs", "which facts lead to calls, and how many records they are"),
    ("crates/engine/src/answers.rs", "the bodies of a call"),
    ("crates/engine/src/ending.rs", "where a bill was found"),
    ("crates/engine/src/bill_history.rs", "what the calls for one bill came to"),
    ("crates/console/src/ui/overlays/mod.rs", "who answered a question first"),
    ("crates/console/src/ui/panes/bill_lines.rs", "words for a bill's life"),
    ("src/cli/bill.rs", "words for a bill's life"),
    ("src/cli/complete/values.rs", "bill numbers that a shell is offered"),
    ("src/cli/follow.rs", "when a run is worth another look"),
    ("src/cli/json.rs", "a line for each outcome"),
    ("src/cli/lines.rs", "a line for each outcome"),
];
/// Readers in whole rooms.
const ROOMS: [(&str, &str); 3] = [
    ("src/cli/bench/", "measures how long facts take"),
    ("src/host/alerts/", "when a run is worth another look"),
    ("crates/store-testkit/", "a second reading, by which that of a store is checked"),
];

/// Whether a line takes such a fact apart; making one names no `..` and no arrow.
fn takes_apart(line: &str) -> bool {
    MOVING.iter().any(|name| {
        let Some(at) = line.find(&format!("Event::{name}")) else { return false };
        let rest = &line[at..];
        let whole = rest.as_bytes().get("Event::".len() + name.len()).is_none_or(|b| !b.is_ascii_alphanumeric());
        whole && (rest.contains(".. }") || rest.contains("=>") || rest.contains("(_)") || line.trim().starts_with('|'))
    })
}

#[test]
fn facts_are_read_for_columns_and_states_in_one_place() {
    let mut readers = std::collections::BTreeSet::new();
    for (path, text) in sources() {
        let shown = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let code = text.split("#[cfg(test)]").next().unwrap();
        if path.components().any(|part| part.as_os_str() == "tests") || !code.lines().any(takes_apart) {
            continue;
        }
        if !ROOMS.iter().any(|(room, _)| shown.starts_with(room)) {
            readers.insert(shown);
        }
    }
    let known: std::collections::BTreeSet<String> = FACT_READERS.iter().map(|(file, _)| (*file).to_owned()).collect();
    let new: Vec<_> = readers.difference(&known).collect();
    assert!(
        new.is_empty(),
        "{new:?} match on facts: fold `transition`'s `Change` in their place, or say here for what else"
    );
    let gone: Vec<_> = known.difference(&readers).collect();
    assert!(gone.is_empty(), "{gone:?} match on facts no more");
    for folds in ["crates/core/src/domain/live.rs", "crates/store/src/index/fold.rs", "src/host/metrics.rs"] {
        let text = fs::read_to_string(root().join(folds)).unwrap();
        assert!(text.contains("transition(&fact.event)"), "{folds} does not fold changes");
        for name in ["BillSettled", "BillDeferred", "RunClosed", "RunPaused"] {
            let open = format!("Event::{name} {{ ");
            let named = text.lines().any(|line| line.contains(&open) && !line.contains("{ .. }"));
            assert!(!named, "{folds} takes {name} apart by itself");
        }
    }
    assert!(
        takes_apart("Event::BillSettled { outcome, .. } => 1,") && !takes_apart("Event::BillSettled { run, fid, no }")
    );
}

/// Places of the key table that are panes and nothing else of the console's.
const PANES: [&str; 5] = ["Plans", "Queue", "Results", "Bill", "Log"];

/// Whether a line does one thing for one pane and another for others, in the place of asking the pane.
fn asks_which_pane(line: &str) -> bool {
    PANES.iter().any(|pane| {
        let name = format!("Scope::{pane}");
        line.match_indices(&name).any(|(at, _)| {
            let (before, after) = (line[..at].trim_end(), &line[at + name.len()..]);
            let whole = !after.starts_with(|c: char| c.is_alphanumeric());
            whole && (after.contains("=>") || before.ends_with("==") || before.ends_with("!="))
        })
    })
}

#[test]
fn nothing_of_the_console_asks_which_pane_is_shown_and_what_panes_share_does_not_grow() {
    for (path, text) in sources() {
        let shown = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let Some(file) = shown.strip_prefix("crates/console/src/ui/") else { continue };
        // What a place is called, and which keys it has, is no matter of the pane.
        if file == "keymap.rs" || file.starts_with("lang/") {
            continue;
        }
        for line in text.lines() {
            assert!(!asks_which_pane(line), "{shown}: a method of `Pane` in the place of: {line}");
        }
    }
    for (line, asks) in [
        ("            Scope::Queue => model.queue.step(by),", true),
        ("        if shared.nav.here() == Scope::Plans {", true),
        ("        desk.show(Scope::Queue);", false),
        ("        Scope::Plans", false),
    ] {
        assert_eq!(asks_which_pane(line), asks, "{line}");
    }
    let shared = fs::read_to_string(root().join("crates/console/src/ui/shared/mod.rs")).unwrap();
    let fields = shared.split("pub(crate) struct Shared {").nth(1).unwrap().split("\n}").next().unwrap();
    let fields = fields.lines().filter(|line| line.starts_with("    pub ")).count();
    assert!((15..=21).contains(&fields), "{fields} fields: what one pane owns is that pane's; the set-up is one of 21");
}
