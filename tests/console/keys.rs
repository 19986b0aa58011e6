//! The key table: everything bound, described in both languages, one meaning a key at a place; changes are checked.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use skydeck::ui::Lang;
use skydeck::ui::keymap::{Action, Keymap, KeymapError, PANES, Scope, TABLE, key_name, markdown, reaches, read_key};
use skydeck::ui::msg::Key;

#[test]
fn every_action_stands_in_the_table_once_bound_and_described_in_both_languages() {
    let map = Keymap::standard();
    let mut seen = BTreeSet::new();
    let mut names = BTreeSet::new();
    for row in TABLE {
        assert!(seen.insert(row.action), "{:?} stands twice", row.action);
        assert!(names.insert(row.name), "{} names two actions", row.name);
        assert!(!map.keys(row.action).is_empty(), "{} has no key", row.name);
        for lang in [Lang::En, Lang::Zh] {
            let (short, long) = lang.action(row.action);
            assert!(!short.is_empty() && !long.is_empty(), "{} is not described", row.name);
        }
    }
    // `Revision` is the last of the enum: the table is as long as the enum.
    assert_eq!(seen.len(), Action::Revision as usize + 1);
}

#[test]
fn no_key_means_two_things_at_one_place() {
    for place in PANES.into_iter().chain([Scope::Dialog]) {
        let mut keys = BTreeSet::new();
        for row in TABLE.iter().filter(|r| reaches(r, place)) {
            for key in row.keys {
                assert!(keys.insert(*key), "{place:?}: {key} means {} and something else", row.name);
            }
        }
    }
}

#[test]
fn what_operators_expect_is_bound() {
    let map = Keymap::standard();
    for (place, key, action) in [
        (Scope::Plans, "r", Action::Run),
        (Scope::Results, "R", Action::Retry),
        (Scope::Ledger, "v", Action::Verify),
        (Scope::Ledger, "space", Action::Mark),
        (Scope::Results, "*", Action::MarkAll),
        (Scope::History, "/", Action::Filter),
        (Scope::Queue, "s", Action::Stop),
        (Scope::Queue, "f", Action::Freeze),
        (Scope::Log, "esc", Action::Back),
        (Scope::Log, "ctrl-z", Action::Suspend),
        (Scope::Bill, "7", Action::Log),
        (Scope::Bill, "G", Action::Last),
        (Scope::Plans, "ctrl-d", Action::HalfDown),
        (Scope::Dialog, "y", Action::Yes),
    ] {
        assert_eq!(map.action(place, read_key(key).unwrap()), Some(action), "{place:?} {key}");
    }
}

#[test]
fn own_keys_replace_and_conflicts_are_refused_by_name() {
    let own = |pairs: &[(&str, &[&str])]| {
        let pairs: Vec<(String, Vec<String>)> =
            pairs.iter().map(|(n, k)| ((*n).to_owned(), k.iter().map(|k| (*k).to_owned()).collect())).collect();
        Keymap::new(&pairs)
    };
    let map = own(&[("down", &["ctrl-n", "down"])]).unwrap();
    assert_eq!(map.action(Scope::Log, Key::ctrl('n')), Some(Action::Down));
    assert_eq!(map.action(Scope::Log, Key::char('j')), None);
    let conflict = own(&[("zoom", &["j"])]).unwrap_err();
    assert!(matches!(conflict, KeymapError::Conflict { .. }));
    assert_eq!(conflict.to_string(), "keys: `j` would mean both `down` and `zoom`");
    assert_eq!(own(&[("zooom", &["j"])]).unwrap_err(), KeymapError::NoAction("zooom".into()));
    assert!(matches!(own(&[("zoom", &["ctrl"])]).unwrap_err(), KeymapError::NoKey { .. }));
    assert_eq!(own(&[("zoom", &[])]).unwrap_err(), KeymapError::Unbound("zoom".into()));
    // The same key may mean different things at different places.
    assert!(own(&[("raw", &["r"])]).is_ok());
}

#[test]
fn keys_are_read_as_they_are_written() {
    for row in TABLE {
        for text in row.keys {
            let key = read_key(text).unwrap();
            assert_eq!(
                key_name(key).to_lowercase().replace("shift-tab", "backtab"),
                match *text {
                    "pagedown" => "pgdn".into(),
                    "pageup" => "pgup".into(),
                    other => other.to_lowercase(),
                }
            );
        }
    }
}

#[test]
fn the_manual_lists_every_action() {
    for lang in [Lang::En, Lang::Zh] {
        let text = markdown(lang);
        for row in TABLE {
            assert!(text.contains(&format!("`{}` |", row.name)), "{}", row.name);
        }
    }
}

#[test]
fn the_pages_of_keys_have_the_programs_own_tables() {
    for (lang, page) in [("en", "docs/keys.md"), ("zh", "docs/keys.zh.md")] {
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_skydeck")).args(["--lang", lang, "keys"]).output().unwrap();
        let table = String::from_utf8(output.stdout).unwrap();
        assert!(table.lines().count() > 30, "{table}");
        let part = page.split("<!-- keys -->\n").nth(1).unwrap();
        let part = part.split("<!-- /keys -->").next().unwrap();
        assert_eq!(part.trim(), table.trim(), "`cargo xtask keys` writes it anew");
    }
}
