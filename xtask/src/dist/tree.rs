//! What lies in a package, and where: the program, its manual, completions, units, examples, pages, licences.
//!
//! Invariant: it is made of the commit and the program alone; no file bears a time of its own.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use clap_complete::Shell;
use flate2::{Compression, GzBuilder};
use skydeck::boot;
use skydeck::cli::man;
use skydeck::domain::language::Language;

use super::target::Target;
use super::{Job, metadata, notices, sbom};

/// A file of a package.
pub struct File {
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Whether it can be executed.
    pub program: bool,
}

/// Files by their path below `/`, in its order.
pub type Tree = BTreeMap<String, File>;

/// Where pages go.
pub const DOC: &str = "usr/share/doc/skydeck";
/// Where examples go.
const SHARE: &str = "usr/share/skydeck";

/// Puts everything together.
pub fn stage(job: &Job<'_>, target: Target, program: &Path) -> anyhow::Result<Tree> {
    let mut tree = Tree::new();
    let program = std::fs::read(program).with_context(|| program.display().to_string())?;
    tree.insert("usr/bin/skydeck".to_owned(), File { bytes: program, program: true });
    beside(job, &mut tree)?;
    let parts = metadata::parts(job, target)?;
    add(&mut tree, &format!("{DOC}/THIRD-PARTY-NOTICES.txt"), notices::text(job, target, &parts)?);
    add(&mut tree, &format!("{DOC}/skydeck.cdx.json"), sbom::document(job, target, &parts)?);
    Ok(tree)
}

/// All that is the same on every machine.
fn beside(job: &Job<'_>, tree: &mut Tree) -> anyhow::Result<()> {
    for (lang, dir) in [(Language::En, "man1"), (Language::Zh, "zh_CN/man1")] {
        for (name, page) in man::pages(lang)? {
            add(tree, &format!("usr/share/man/{dir}/{name}.1.gz"), packed(&page)?);
        }
    }
    for (shell, lang, at) in [
        (Shell::Bash, Language::En, "usr/share/bash-completion/completions/skydeck"),
        (Shell::Zsh, Language::En, "usr/share/zsh/site-functions/_skydeck"),
        (Shell::Fish, Language::En, "usr/share/fish/vendor_completions.d/skydeck.fish"),
        (Shell::Zsh, Language::Zh, "usr/share/skydeck/completions.zh/_skydeck"),
        (Shell::Fish, Language::Zh, "usr/share/skydeck/completions.zh/skydeck.fish"),
    ] {
        add(tree, at, man::completions(shell, lang));
    }
    for (name, plan) in boot::SHIPPED.iter().chain(boot::EXAMPLES) {
        add(tree, &format!("{SHARE}/plans/{name}.json"), plan.as_bytes().to_vec());
    }
    for (name, records) in boot::HANDED_IN {
        add(tree, &format!("{SHARE}/plans/{name}.jsonl"), records.as_bytes().to_vec());
    }
    for (name, table) in boot::TABLES {
        add(tree, &format!("{SHARE}/plans/{name}"), table.as_bytes().to_vec());
    }
    for (from, to) in [
        ("contrib/systemd/skydeck.service", "usr/lib/systemd/user/skydeck.service".to_owned()),
        ("contrib/systemd/skydeck@.service", "usr/lib/systemd/system/skydeck@.service".to_owned()),
        ("contrib/package/tmpfiles.conf", "usr/lib/tmpfiles.d/skydeck.conf".to_owned()),
        ("contrib/package/config.toml", format!("{SHARE}/config.toml")),
        ("contrib/check-evidence.py", format!("{SHARE}/check-evidence.py")),
        ("README.md", format!("{DOC}/README.md")),
        ("README.zh.md", format!("{DOC}/README.zh.md")),
        ("CHANGELOG.md", format!("{DOC}/CHANGELOG.md")),
        ("CONTRIBUTING.md", format!("{DOC}/CONTRIBUTING.md")),
        ("LICENSE", format!("{DOC}/copyright")),
    ] {
        let bytes = std::fs::read(job.root.join(from)).with_context(|| from.to_owned())?;
        add(tree, &to, bytes);
    }
    pages(&job.root.join("docs"), &format!("{DOC}/docs"), tree)
}

/// Pages and pictures of a directory and of those below it: what a page leads to is there.
fn pages(dir: &Path, to: &str, tree: &mut Tree) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        let (path, to) = (entry.path(), format!("{to}/{}", entry.file_name().to_string_lossy()));
        if path.is_dir() {
            pages(&path, &to, tree)?;
        } else if path.extension().is_some_and(|e| e == "md" || e == "svg") {
            add(tree, &to, std::fs::read(path)?);
        }
    }
    Ok(())
}

fn add(tree: &mut Tree, path: &str, bytes: Vec<u8>) {
    tree.insert(path.to_owned(), File { bytes, program: false });
}

/// Packed, with no time and no name in it.
pub fn packed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packer.write_all(bytes)?;
    packer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck::config::Config;

    fn job(build: &Path) -> Job<'static> {
        Job { root: crate::root(), build: build.to_path_buf(), epoch: 0, version: "0" }
    }

    #[test]
    fn all_that_lies_beside_the_program_is_there_and_the_same_twice() {
        let temp = tempfile::tempdir().unwrap();
        let tree = |tree: &mut Tree| beside(&job(temp.path()), tree).unwrap();
        let (mut one, mut two) = (Tree::new(), Tree::new());
        tree(&mut one);
        tree(&mut two);
        let bytes =
            |tree: &Tree| tree.iter().map(|(path, file)| (path.clone(), file.bytes.clone())).collect::<Vec<_>>();
        assert_eq!(bytes(&one), bytes(&two));
        for wanted in [
            "usr/share/man/man1/skydeck.1.gz",
            "usr/share/man/zh_CN/man1/skydeck-plan-lint.1.gz",
            "usr/share/skydeck/plans/sal_outstock_audit.json",
            "usr/share/man/zh_CN/man1/skydeck-store-check.1.gz",
            "usr/share/man/man1/skydeck-take.1.gz",
            "usr/share/skydeck/plans/tables/suppliers.csv",
            "usr/lib/systemd/system/skydeck@.service",
            "usr/share/doc/skydeck/README.zh.md",
            "usr/share/doc/skydeck/docs/operations.md",
        ] {
            assert!(one.contains_key(wanted), "{wanted}");
        }
        let (en, zh) = ("usr/share/man/man1/", "usr/share/man/zh_CN/man1/");
        let of = |dir: &str| one.keys().filter(|path| path.starts_with(dir)).count();
        assert!(of(en) == of(zh) && of(en) > 35, "a page a verb in each language: {} {}", of(en), of(zh));
    }

    /// The files below a directory of the repository, by their path from it.
    fn files(dir: &Path, from: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let below = |path: std::path::PathBuf| {
            if path.is_dir() {
                files(&path, from)
            } else {
                vec![path.strip_prefix(from).unwrap().display().to_string()]
            }
        };
        entries.flat_map(below).collect()
    }

    /// Whether a file's name ends in one of these.
    fn is_of(path: &str, endings: &[&str]) -> bool {
        Path::new(path).extension().and_then(|end| end.to_str()).is_some_and(|end| endings.contains(&end))
    }

    #[test]
    fn every_shipped_plan_is_in_the_package_with_what_it_names_and_no_page_leads_nowhere() {
        let (temp, mut tree) = (tempfile::tempdir().unwrap(), Tree::new());
        beside(&job(temp.path()), &mut tree).unwrap();
        let plans = crate::root().join("plans");
        let plans = files(&plans, &plans);
        assert!(plans.len() > 8, "{plans:?}");
        for plan in plans {
            assert!(tree.contains_key(&format!("{SHARE}/plans/{plan}")), "{plan}");
        }
        let mut led = 0;
        for (at, page) in tree.iter().filter(|(at, _)| is_of(at, &["md"])) {
            let text = String::from_utf8(page.bytes.clone()).unwrap();
            let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
            for target in targets.filter(|to| is_of(to, &["md", "svg"]) && !to.contains("://")) {
                let mut to: Vec<&str> = at.split('/').collect();
                to.pop();
                for part in target.split('/') {
                    if part == ".." {
                        to.pop();
                    } else {
                        to.push(part);
                    }
                }
                assert!(tree.contains_key(&to.join("/")), "{at} leads to {target}, which is not in the package");
                led += 1;
            }
        }
        assert!(led > 100, "{led}");
    }

    #[test]
    fn the_example_configuration_is_one_and_so_is_what_stands_in_it_as_a_comment() {
        let text = std::fs::read_to_string(crate::root().join("contrib/package/config.toml")).unwrap();
        let plain = Config::parse(Path::new("config.toml"), &text).unwrap();
        assert_eq!(plain.environments.len(), 1);
        // A comment that is a setting has no blank after its sign.
        let on = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
            _ => line.to_owned(),
        };
        let all: Vec<String> = text.lines().map(on).collect();
        let all = Config::parse(Path::new("config.toml"), &all.join("\n")).unwrap();
        assert!(all.environments.iter().any(|env| env.environment.production), "{all:?}");
        assert!(all.access != plain.access);
        assert!(
            all.store.is_some() && all.environments.iter().any(|env| env.environment.account_set == "wms-main"),
            "{all:?}"
        );
    }
}
