//! Which crates of others are in the program, as cargo tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context as _;
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
            list(node.get("deps")).filter(normal).filter_map(|dep| dep.get("pkg")?.as_str()).collect();
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
    Ok(Parts { others, own })
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
