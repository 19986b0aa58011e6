//! Whether a program may be handed out: what it asks of its host, and what it tells of the machine it was built on.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::symbols::{Needs, numbers};
use super::tools::Tools;
use super::{Job, build, hex};

/// What was found.
#[derive(Debug)]
pub struct Found {
    name: String,
    bytes: usize,
    sha256: String,
    needs: Needs,
    /// Directories of this machine that stand in it, with what stands after them.
    paths: Vec<String>,
}

/// Looks at a program.
pub fn program(job: &Job<'_>, file: &Path) -> anyhow::Result<Found> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let needs = Needs::of(&bytes).with_context(|| file.display().to_string())?;
    let mut places: Vec<PathBuf> =
        build::places(job, &job.build.join("dist-build"))?.into_iter().map(|(place, _)| place).collect();
    places.extend([job.build.clone(), Tools::home(job)]);
    places.extend(std::env::var_os("HOME").map(|home| PathBuf::from(home).join("")));
    let paths = found(&bytes, &places);
    Ok(Found { name: file.display().to_string(), bytes: bytes.len(), sha256: hex(&bytes), needs, paths })
}

/// Places that stand in the bytes. One that is the root, or a single name below it, may stand there for other reasons.
fn found(bytes: &[u8], places: &[PathBuf]) -> Vec<String> {
    let mut all = Vec::new();
    for place in places {
        let name = place.as_os_str().as_encoded_bytes();
        if memchr::memchr_iter(b'/', name).count() < 2 {
            continue;
        }
        for at in memchr::memmem::find_iter(bytes, name).take(3) {
            let end = bytes.len().min(at + name.len() + 60);
            let rest = bytes.get(at..end).unwrap_or_default();
            let line: Vec<u8> = rest.iter().copied().take_while(u8::is_ascii_graphic).collect();
            all.push(String::from_utf8_lossy(&line).into_owned());
        }
    }
    all.sort();
    all.dedup();
    all
}

impl Found {
    /// For the page that quotes it.
    pub fn lines(&self) -> Vec<String> {
        let Self { name, bytes, sha256, needs, paths } = self;
        let libraries = if needs.libraries.is_empty() { "none, static".to_owned() } else { needs.libraries.join(" ") };
        let mut lines = vec![
            format!("{name}: {bytes} bytes, sha256 {sha256}"),
            format!("libraries: {libraries}"),
            format!("directories of this machine in it: {}", paths.len()),
        ];
        let mut versions: Vec<_> = needs.symbols.iter().collect();
        versions.sort_by_key(|(version, _)| (numbers(version), (*version).clone()));
        for (version, names) in versions {
            let some = if names.len() > 6 {
                format!("{}, …", names.get(..5).unwrap_or_default().join(", "))
            } else {
                names.join(", ")
            };
            lines.push(format!("| {version} | {} | {some} |", names.len()));
        }
        lines
    }

    /// An error that names every reason not to hand it out.
    pub fn refuse(&self) -> anyhow::Result<()> {
        let new = self.needs.too_new();
        ensure!(
            new.is_empty(),
            "{}: newer than glibc 2.17, so it would not start on CentOS 7: {}",
            self.name,
            new.join(", ")
        );
        ensure!(
            self.needs.own_names == 0,
            "{}: it carries {} names of its own parts, a fifth of its size: the profile of the release does not strip it",
            self.name,
            self.needs.own_names
        );
        ensure!(self.paths.is_empty(), "{}: it names this machine: {}", self.name, self.paths.join(", "));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_this_machine_is_found_with_what_stands_after_it() {
        let places = ["/srv/li/skydeck", "/", "/opt"].map(PathBuf::from);
        let bytes = b"\0/srv/li/skydeck/src/main.rs\0/opt/x\0/\0";
        assert_eq!(found(bytes, &places), ["/srv/li/skydeck/src/main.rs"]);
        assert_eq!(found(b"/skydeck/src/main.rs", &places), Vec::<String>::new());
    }

    #[test]
    fn the_newest_symbol_decides_and_other_libraries_take_no_part() {
        let needs = |versions: &[&str]| Needs {
            libraries: Vec::new(),
            own_names: 0,
            symbols: versions.iter().map(|version| ((*version).to_owned(), vec!["f".to_owned()])).collect(),
        };
        assert_eq!(needs(&["GLIBC_2.2.5", "GLIBC_2.17", "GCC_3.0", "GLIBC_2.9"]).too_new(), Vec::<String>::new());
        assert_eq!(needs(&["GLIBC_2.17", "GLIBC_2.18"]).too_new(), ["f@GLIBC_2.18"]);
        assert_eq!(needs(&["GLIBC_2.17.1"]).too_new(), ["f@GLIBC_2.17.1"]);
        assert_eq!(
            needs(&["GLIBC_3.0", "GLIBC_PRIVATE"]).too_new().len(),
            2,
            "what is no number is not taken on trust"
        );
    }

    #[test]
    fn this_machines_own_program_is_read() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = Needs::of(&own).unwrap();
        assert!(needs.libraries.iter().any(|name| name.starts_with("libc.so")), "{needs:?}");
        assert!(needs.symbols.keys().any(|version| version.starts_with("GLIBC_2")), "{needs:?}");
        let found = |own_names| {
            let needs = Needs { own_names, ..Needs::default() };
            Found { name: "skydeck".to_owned(), bytes: 1, sha256: String::new(), needs, paths: Vec::new() }
        };
        assert!(found(0).refuse().is_ok() && found(needs.own_names).refuse().is_err(), "{}", needs.own_names);
        assert!(Needs::of(b"#!/bin/sh\n").is_err() && Needs::of(&own[..100]).is_err());
    }
}
