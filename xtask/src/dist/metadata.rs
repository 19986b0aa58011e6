//! Which crates of others are in the program, as cargo tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::target::Target;
use super::{Job, told};

/// A crate.
#[derive(Clone, Debug)]
pub struct Part {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Licences, as the crate declares them.
    pub licence: String,
    /// Where its source is to be had.
    pub repository: String,
    /// Who wrote it.
    pub authors: String,
    /// SHA-256 of the archive it came in.
    pub checksum: Option<String>,
    /// Where its source lies here.
    pub dir: PathBuf,
    /// Names and versions of the crates it uses.
    pub uses: Vec<String>,
}

impl Part {
    /// How others name it.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

/// What is in a program: the product's own crates, and those of others.
pub struct Parts {
    /// Of others, by name.
    pub others: Vec<Part>,
    /// Ours.
    pub own: Vec<Part>,
}

/// All that the program is made of for a target, but what only builds or tests it.
///
/// `cargo metadata` names what a crate could use with every feature that anything in the workspace asks for; `cargo tree`
/// names what is built. Who depends on whom comes from the one, what there is from the other.
pub fn parts(job: &Job<'_>, target: Target) -> anyhow::Result<Parts> {
    let mut cargo = crate::cargo();
    cargo.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target.triple()]);
    let tree: Value = serde_json::from_str(&told(&mut cargo)?)?;
    let sums = checksums(job)?;
    let packages: BTreeMap<&str, &Value> =
        list(tree.pointer("/packages")).filter_map(|package| Some((package.get("id")?.as_str()?, package))).collect();
    let nodes: BTreeMap<&str, &Value> =
        list(tree.pointer("/resolve/nodes")).filter_map(|node| Some((node.get("id")?.as_str()?, node))).collect();
    let first = packages
        .iter()
        .find(|(_, package)| package.get("name").is_some_and(|name| name == "skydeck"))
        .map(|(id, _)| *id);
    let built = built(target)?;
    let is_built = |id: &&str| packages.get(*id).is_some_and(|package| built.contains(&part(package, &sums).id()));
    let mut open = vec![first.context("cargo metadata does not name the program")?];
    let mut seen = BTreeSet::new();
    let (mut own, mut others) = (Vec::new(), Vec::new());
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = nodes.get(id).with_context(|| format!("{id}: not resolved"))?;
        let normal = |dep: &&Value| list(dep.get("dep_kinds")).any(|kind| kind.get("kind").is_none_or(Value::is_null));
        let uses: Vec<&str> =
            list(node.get("deps")).filter(normal).filter_map(|dep| dep.get("pkg")?.as_str()).filter(is_built).collect();
        let package = packages.get(id).with_context(|| format!("{id}: no such package"))?;
        let mut part = part(package, &sums);
        part.uses =
            uses.iter().filter_map(|id| packages.get(id)).map(|package| self::part(package, &sums).id()).collect();
        part.uses.sort();
        if package.get("source").is_none_or(Value::is_null) {
            own.push(part)
        } else {
            others.push(part)
        }
        open.extend(uses);
    }
    let by_name = |a: &Part, b: &Part| (&a.name, &a.version).cmp(&(&b.name, &b.version));
    own.sort_by(by_name);
    others.sort_by(by_name);
    let found: BTreeSet<String> = own.iter().chain(&others).map(Part::id).collect();
    let lost: Vec<&String> = built.difference(&found).collect();
    ensure!(lost.is_empty(), "cargo metadata does not lead to {lost:?}, and cargo tree says that they are built");
    Ok(Parts { others, own })
}

/// Names and versions of the crates that are built into the program, as [`Part::id`] writes them.
fn built(target: Target) -> anyhow::Result<BTreeSet<String>> {
    let mut cargo = crate::cargo();
    cargo.args([
        "tree",
        "--locked",
        "--package",
        "skydeck",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let tree = told(cargo.args(["--target", target.triple()]))?;
    Ok(tree.lines().filter_map(id_of).collect())
}

/// From a line such as `serde_derive v1.0.228 (proc-macro) (*)`.
fn id_of(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    Some(format!("{}@{}", words.next()?, words.next()?.strip_prefix('v')?))
}

fn part(package: &Value, sums: &BTreeMap<String, String>) -> Part {
    let text = |name: &str| package.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let authors: Vec<&str> = list(package.get("authors")).filter_map(Value::as_str).collect();
    let (name, version) = (text("name"), text("version"));
    Part {
        checksum: sums.get(&format!("{name}@{version}")).cloned(),
        name,
        version,
        licence: text("license"),
        repository: text("repository"),
        authors: authors.join(", "),
        dir: PathBuf::from(text("manifest_path")).parent().map(PathBuf::from).unwrap_or_default(),
        uses: Vec::new(),
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// Hashes of the crates' archives, from the lock file.
fn checksums(job: &Job<'_>) -> anyhow::Result<BTreeMap<String, String>> {
    let lock: toml::Table = std::fs::read_to_string(job.root.join("Cargo.lock"))?.parse()?;
    let packages = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
    let sum = |package: &toml::Value| {
        let text = |name| package.get(name).and_then(toml::Value::as_str);
        Some((format!("{}@{}", text("name")?, text("version")?), text("checksum")?.to_owned()))
    };
    Ok(packages.filter_map(sum).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_named_and_what_a_feature_that_is_off_would_bring_is_not() {
        let job = Job { root: crate::root(), build: PathBuf::new(), epoch: 0, version: "0" };
        for target in Target::ALL {
            let parts = parts(&job, target).unwrap();
            let all: BTreeSet<&str> = parts.own.iter().chain(&parts.others).map(|part| part.name.as_str()).collect();
            for wanted in ["skydeck-store-postgres", "tokio-postgres", "skydeck-http", "ratatui", "ring", "sled"] {
                assert!(all.contains(wanted), "{target:?} {wanted}");
            }
            // Backends of ratatui that are not asked for, and what only tests use.
            for absent in ["ratatui-termwiz", "terminfo", "wezterm-bidi", "openssl-sys", "proptest"] {
                assert!(!all.contains(absent), "{target:?} {absent}");
            }
        }
    }

    #[test]
    fn a_line_of_the_tree_is_read() {
        assert_eq!(id_of("serde_derive v1.0.228 (proc-macro) (*)").as_deref(), Some("serde_derive@1.0.228"));
        assert_eq!(id_of("skydeck v0.2.0 (/srv/li/skydeck)").as_deref(), Some("skydeck@0.2.0"));
        assert_eq!(id_of(""), None);
    }
}
