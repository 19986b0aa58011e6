//! A data directory that was named on the command line and is none: said with what to do, and nothing is made in its place.
//!
//! Invariant: no verb that works on what is there already makes a directory, and none answers "nothing" of one that was
//! mistyped.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::out::Out;
use crate::domain::language::Language;
use crate::domain::suggest::nearest;
use crate::exit::{Exit, Stop};
use crate::text::show;

/// Names in a directory that are looked through for one that may be meant.
const LOOKED_AT: usize = 200;
/// What stands in a data directory, from its first opening on.
const PARTS: [&str; 3] = ["journal", "version", "owner.lock"];

/// Whether it is not there.
pub(super) fn is_absent(data: &Path) -> bool {
    std::fs::symlink_metadata(data).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

/// Refuses a directory that was named and is not there, and one that holds other things.
pub(super) fn check(out: &Out, data: &Path) -> Result<(), Stop> {
    let Err(error) = std::fs::read_dir(data) else {
        let holds_others = !is_empty(data) && !is_data(data);
        return if holds_others { Err(said(out, data, Wrong::Other)) } else { Ok(()) };
    };
    match error.kind() {
        std::io::ErrorKind::NotFound => Err(said(out, data, Wrong::Absent)),
        std::io::ErrorKind::NotADirectory => Err(said(out, data, Wrong::File)),
        // What may not be looked at is refused by whoever opens it, with its own words.
        _ => Ok(()),
    }
}

/// What is wrong with it.
#[derive(Clone, Copy)]
enum Wrong {
    Absent,
    File,
    Other,
}

fn is_data(dir: &Path) -> bool {
    PARTS.iter().any(|part| dir.join(part).exists())
}

fn said(out: &Out, data: &Path, wrong: Wrong) -> Stop {
    let what = match wrong {
        Wrong::Absent => out.t("there is no such data directory", "没有这个数据目录"),
        Wrong::File => out.t("this is no directory", "这不是目录"),
        Wrong::Other => out.t("this is no data directory: it has no journal", "这不是数据目录：其中没有流水"),
    };
    let meant = match wrong {
        Wrong::Absent | Wrong::File => beside(data),
        Wrong::Other => within(data),
    };
    let at = shown(data);
    let next = match (out.lang, meant) {
        (Language::En, Some(meant)) => format!("did you mean {}? Correct --data, or leave it out", shown(&meant)),
        (Language::En, None) => "correct --data, or leave it out".to_owned(),
        (Language::Zh, Some(meant)) => format!("是不是 {}？请改正或去掉 --data", shown(&meant)),
        (Language::Zh, None) => "请改正或去掉 --data".to_owned(),
    };
    let makes = out.t(
        "; a first `skydeck env add` or `skydeck run` with this --data makes it",
        "；以此 --data 首次执行 `skydeck env add` 或 `skydeck run` 时才会建立该目录",
    );
    let makes = if matches!(wrong, Wrong::Absent) { makes } else { "" };
    let [colon, then] = out.lang.t([": ", "; "], ["：", "；"]);
    Stop::new(Exit::Usage, format!("--data {at}{colon}{what}{then}{next}{makes}"))
}

fn shown(path: &Path) -> String {
    show(&path.to_string_lossy(), 400).into_string()
}

/// The path with the nearest name in the place of the first part that is not there.
fn beside(data: &Path) -> Option<PathBuf> {
    let missing = data.ancestors().take_while(|path| !path.is_dir()).last()?;
    let (parent, word) = (missing.parent()?, missing.file_name()?.to_string_lossy().into_owned());
    let names: Vec<String> = dirs_in(parent).map(|name| name.to_string_lossy().into_owned()).collect();
    let rest = data.strip_prefix(missing).ok()?;
    // A data directory before any other.
    let whole = |name: &str| parent.join(name).join(rest);
    let (good, others): (Vec<&str>, Vec<&str>) =
        names.iter().map(String::as_str).filter(|name| *name != word).partition(|name| is_data(&whole(name)));
    let found = nearest(&word, &good).or_else(|| nearest(&word, &others))?;
    let path = whole(found);
    // Without the slash that joining nothing leaves at the end.
    Some(path.components().collect::<PathBuf>()).map(|path| if path.exists() { path } else { parent.join(found) })
}

/// The one data directory in a directory.
fn within(dir: &Path) -> Option<PathBuf> {
    let mut found = dirs_in(dir).map(|name| dir.join(name)).filter(|path| is_data(path));
    found.next().filter(|_| found.next().is_none())
}

fn dirs_in(parent: &Path) -> impl Iterator<Item = OsString> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten().take(LOOKED_AT);
    entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_path_finds_the_data_directory_that_is_meant() {
        let temp = tempfile::tempdir().unwrap();
        let dir = |path: &str| temp.path().join(path);
        for (path, is_data) in [("state/skydeck", true), ("state/skydeck2-old", false), ("copies/skydec", false)] {
            std::fs::create_dir_all(dir(path)).unwrap();
            if is_data {
                std::fs::create_dir(dir(path).join("journal")).unwrap();
            }
        }
        for (typed, meant) in [
            ("state/skydec", Some("state/skydeck")),
            ("state/Skydeck", Some("state/skydeck")),
            ("stat/skydeck", Some("state/skydeck")),
            ("copis/skydec", Some("copies/skydec")),
            ("copies/skydeck", Some("copies/skydec")),
            ("state/elsewhere", None),
            ("nowhere/at/all", None),
        ] {
            assert_eq!(beside(&dir(typed)), meant.map(dir), "{typed}");
        }
        assert_eq!(within(&dir("state")), Some(dir("state/skydeck")));
        assert_eq!(within(&dir("copies")), None);
        assert!(is_absent(&dir("none")) && is_empty(&dir("copies/skydec")) && !is_absent(&dir("copies")));
    }
}
