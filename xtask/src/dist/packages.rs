//! Archives and packages of a tree.
//!
//! Invariant: the bytes depend on the tree and the commit's time alone: entries in the order of their names, one owner, one time.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::Job;
use super::target::Target;
use super::tools::Tools;
use super::tree::{DOC, Tree, packed};

/// What the packages say of themselves.
const ABOUT: &str = "Terminal operations console for Kingdee K/3Cloud integration plans.\n\
                     Queries bills, audits them, and knows what happened to each. 金蝶云星空集成方案的终端运维控制台。";

/// Writes all that a target is handed out as.
pub fn make(job: &Job<'_>, tools: &Tools, target: Target, tree: &Tree, out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut made = vec![archive(job, target, tree, out)?];
    let sbom = out.join(format!("skydeck-{}-{}.cdx.json", job.version, target.name()));
    let document = tree.get(&format!("{DOC}/skydeck.cdx.json")).context("the tree holds no bill of materials")?;
    std::fs::write(&sbom, &document.bytes).with_context(|| sbom.display().to_string())?;
    made.push(sbom);
    let Some(arch) = target.package_arch() else { return Ok(made) };
    let dir = job.build.join("dist-tree").join(target.name());
    let _ = std::fs::remove_dir_all(&dir);
    unfold(tree, &dir)?;
    let config = dir.with_extension("json");
    std::fs::write(&config, serde_json::to_string_pretty(&description(job, arch, tree, &dir))?)?;
    for (packager, name) in [
        ("deb", format!("skydeck_{}_{arch}.deb", job.version)),
        ("rpm", format!("skydeck-{}-1.{}.rpm", job.version, if arch == "amd64" { "x86_64" } else { "aarch64" })),
    ] {
        let file = out.join(name);
        let mut nfpm = tools.command("nfpm");
        nfpm.args(["package", "--packager", packager, "--config"]).arg(&config).arg("--target").arg(&file);
        nfpm.env("SOURCE_DATE_EPOCH", job.epoch.to_string()).env("TZ", "UTC").stdout(std::process::Stdio::null());
        crate::run(&mut nfpm)?;
        made.push(file);
    }
    Ok(made)
}

/// The tree as files, for the packager to read.
fn unfold(tree: &Tree, dir: &Path) -> anyhow::Result<()> {
    for (path, file) in tree {
        let at = dir.join(path);
        std::fs::create_dir_all(at.parent().unwrap_or(dir))?;
        std::fs::write(&at, &file.bytes).with_context(|| at.display().to_string())?;
        std::fs::set_permissions(&at, std::fs::Permissions::from_mode(mode(file.program)))?;
    }
    Ok(())
}

fn mode(program: bool) -> u32 {
    if program { 0o755 } else { 0o644 }
}

/// What nfpm is told; JSON is YAML.
fn description(job: &Job<'_>, arch: &str, tree: &Tree, dir: &Path) -> Value {
    let time = time(job.epoch);
    let owner = |mode: u32| json!({ "mode": mode, "mtime": time, "owner": "root", "group": "root" });
    let mut contents: Vec<Value> = tree
        .iter()
        .map(|(path, file)| {
            json!({ "src": dir.join(path), "dst": format!("/{path}"), "file_info": owner(mode(file.program)) })
        })
        .collect();
    for own in own_dirs(tree) {
        contents.push(json!({ "dst": own, "type": "dir", "file_info": owner(0o755) }));
    }
    let script = |name: &str| job.root.join("contrib/package").join(name);
    json!({
        "name": "skydeck", "arch": arch, "platform": "linux", "version": job.version, "release": "1", "mtime": time,
        "section": "utils", "priority": "optional", "license": "Apache-2.0", "description": ABOUT,
        "maintainer": "The Skydeck authors <skydeck@example.invalid>",
        "umask": 0o022, "contents": contents,
        "scripts": {
            "postinstall": script("postinstall.sh"), "preremove": script("preremove.sh"), "postremove": script("postremove.sh"),
        },
        "overrides": {
            "deb": { "depends": ["libc6 (>= 2.17)"], "recommends": ["ca-certificates"] },
            "rpm": { "depends": ["glibc >= 2.17"] },
        },
        "deb": { "compression": "xz" },
        // The rpm of CentOS 7 reads xz, and no newer kind.
        "rpm": { "compression": "xz", "group": "Applications/System", "buildhost": "skydeck", "summary": ABOUT.lines().next() },
    })
}

/// Directories that are the package's own, and go with it: rpm leaves each that is not named. `/var/lib/skydeck` is made by
/// tmpfiles.d, and stays with what is in it.
fn own_dirs(tree: &Tree) -> BTreeSet<String> {
    let above = tree.keys().flat_map(|path| Path::new(path).ancestors().skip(1));
    let own = above.filter(|dir| dir.starts_with("usr/share/skydeck") || dir.starts_with(DOC));
    own.map(|dir| format!("/{}", dir.display())).chain(["/etc/skydeck".to_owned()]).collect()
}

/// A time as it is written for the packager.
fn time(epoch: u64) -> String {
    let at = i64::try_from(epoch).ok().and_then(|at| chrono::DateTime::from_timestamp(at, 0)).unwrap_or_default();
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The archive for hosts where nothing may be installed: unpacked anywhere, the program runs from there.
fn archive(job: &Job<'_>, target: Target, tree: &Tree, out: &Path) -> anyhow::Result<PathBuf> {
    let top = format!("skydeck-{}-{}", job.version, target.name());
    let mut tar = tar::Builder::new(Vec::new());
    let mut put = |path: &str, bytes: Option<&[u8]>, mode: u32| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(if bytes.is_some() { tar::EntryType::Regular } else { tar::EntryType::Directory });
        header.set_size(bytes.map_or(0, |bytes| bytes.len() as u64));
        header.set_mode(mode);
        header.set_mtime(job.epoch);
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        tar.append_data(&mut header, path, bytes.unwrap_or_default())
    };
    let files: Vec<(String, &super::tree::File)> =
        tree.iter().map(|(path, file)| (format!("{top}/{}", in_archive(path)), file)).collect();
    let dirs: BTreeSet<&Path> = files.iter().flat_map(|(path, _)| Path::new(path).ancestors().skip(1)).collect();
    for dir in dirs.into_iter().filter(|dir| !dir.as_os_str().is_empty()) {
        put(&format!("{}/", dir.display()), None, 0o755)?;
    }
    for (path, file) in &files {
        put(path, Some(&file.bytes), mode(file.program))?;
    }
    let bytes = packed(&tar.into_inner()?)?;
    let file = out.join(format!("{top}.tar.gz"));
    std::fs::write(&file, bytes).with_context(|| file.display().to_string())?;
    Ok(file)
}

/// Where a file of the package lies in the archive: below one directory, the pages first.
fn in_archive(path: &str) -> String {
    let path = path.strip_prefix("usr/").unwrap_or(path);
    match path.strip_prefix("share/doc/skydeck/") {
        Some("copyright") => "LICENSE".to_owned(),
        Some(page) => page.to_owned(),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::tree::File;

    #[test]
    fn an_archive_is_the_same_twice_and_lies_below_one_directory() {
        let file = |text: &str, program| File { bytes: text.as_bytes().to_vec(), program };
        let tree = Tree::from([
            ("usr/bin/skydeck".to_owned(), file("program", true)),
            ("usr/share/doc/skydeck/README.zh.md".to_owned(), file("page", false)),
            ("usr/share/doc/skydeck/copyright".to_owned(), file("licence", false)),
        ]);
        let temp = tempfile::tempdir().unwrap();
        let job = Job { root: crate::root(), build: temp.path().to_path_buf(), epoch: 1_700_000_000, version: "9.8.7" };
        let made = || std::fs::read(archive(&job, Target::X86Gnu, &tree, temp.path()).unwrap()).unwrap();
        let (one, two) = (made(), made());
        assert_eq!(one, two);
        let mut read = tar::Archive::new(flate2::read::GzDecoder::new(one.as_slice()));
        let entries = read.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let (header, path) = (entry.header(), entry.path().unwrap().display().to_string());
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (1_700_000_000, 0), "{path}");
            (path, header.mode().unwrap())
        });
        let top = "skydeck-9.8.7-x86_64-linux-glibc2.17";
        let wanted =
            [("/", 0o755), ("/bin/", 0o755), ("/bin/skydeck", 0o755), ("/README.zh.md", 0o644), ("/LICENSE", 0o644)];
        let wanted: Vec<(String, u32)> = wanted.iter().map(|(path, mode)| (format!("{top}{path}"), *mode)).collect();
        assert_eq!(entries.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn every_directory_of_its_own_is_named_and_none_of_the_hosts() {
        let file = || File { bytes: Vec::new(), program: false };
        let paths = [
            "usr/bin/skydeck",
            "usr/share/skydeck/plans/a.json",
            "usr/share/doc/skydeck/README.md",
            "usr/share/man/man1/a",
        ];
        let tree: Tree = paths.iter().map(|path| ((*path).to_owned(), file())).collect();
        let own: Vec<String> = own_dirs(&tree).into_iter().collect();
        assert_eq!(own, ["/etc/skydeck", "/usr/share/doc/skydeck", "/usr/share/skydeck", "/usr/share/skydeck/plans"]);
    }

    #[test]
    fn a_time_is_written_for_the_packager() {
        assert_eq!(time(1_700_000_000), "2023-11-14T22:13:20Z");
    }
}
