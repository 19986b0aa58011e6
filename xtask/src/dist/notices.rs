//! Licences of what others wrote and the program holds: who, under which, and every text that has to be handed on with it.
//!
//! Invariant: a crate whose licence asks for its text is never packed without one.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};

use super::Job;
use super::metadata::{Part, Parts};
use super::target::Target;

/// How files are called that hold a licence or a notice.
const NAMES: [&str; 6] = ["license", "licence", "copying", "notice", "copyright", "unlicense"];
/// Directories of a crate that hold those of the library of C inside it.
const WITHIN: [&str; 4] = ["zstd", "licenses", "LICENSES", "third_party/fiat"];

/// What comes with every program beside crates.
const BESIDE: &str = "\
Rust standard library, The Rust Project Developers: MIT OR Apache-2.0. https://github.com/rust-lang/rust
  It holds backtrace, hashbrown, libc, memchr, miniz_oxide and others of the same licences.
LLVM libunwind and compiler-rt builtins: Apache-2.0 WITH LLVM-exception. https://github.com/llvm/llvm-project
Zig compiler-rt, Zig contributors: MIT. https://ziglang.org
";
/// What comes with a static one.
const BESIDE_STATIC: &str = "\
musl libc, Copyright (c) 2005-2020 Rich Felker, et al.: MIT. https://musl.libc.org
";

/// The words of MIT, for crates that name the licence and have no file of it.
const MIT: &str = "\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation \
files (the \"Software\"), to deal in the Software without restriction, including without limitation the rights to use, copy, \
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software \
is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE \
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT \
HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, \
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
";

/// The whole page.
pub fn text(job: &Job<'_>, target: Target, parts: &Parts) -> anyhow::Result<Vec<u8>> {
    let apache = std::fs::read_to_string(job.root.join("LICENSE")).context("LICENSE")?;
    let mut page = format!(
        "Skydeck {} for {} holds the work of others. Each stands here with its licence; the texts follow.\n\
         Skydeck 包含他人的作品，许可如下；许可全文附后。\n\n\
         金蝶 (Kingdee), 云星空 (K/3 Cloud) and 轻易云 (QCloud) are trade marks of their owners; Skydeck is not theirs, and calls the\n\
         vendor's published interface. Source under MPL-2.0 is to be had unchanged at the address of the crate.\n\n",
        job.version,
        target.triple()
    );
    page.push_str(BESIDE);
    if target.is_static() {
        page.push_str(BESIDE_STATIC);
    }
    page.push('\n');
    // One text that many crates have stands once.
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in &parts.others {
        page.push_str(&line(part));
        for text in texts_of(part, &apache)? {
            texts.entry(text).or_default().push(part.id());
        }
    }
    let mut texts: Vec<(String, Vec<String>)> = texts.into_iter().collect();
    // By the first crate that has it, then by the text itself.
    texts.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
    for (text, of) in texts {
        page.extend(["\n", &"-".repeat(78), "\n", &of.join(", "), "\n\n", text.trim_end(), "\n"]);
    }
    Ok(page.into_bytes())
}

fn line(part: &Part) -> String {
    let repository = if part.repository.is_empty() {
        "https://crates.io/crates/".to_owned() + &part.name
    } else {
        part.repository.clone()
    };
    format!("{} {}: {}. {repository}\n", part.name, part.version, part.licence)
}

/// The texts of a crate: its files, else those of the licence that it names.
fn texts_of(part: &Part, apache: &str) -> anyhow::Result<Vec<String>> {
    ensure!(!part.licence.is_empty(), "{}: it names no licence", part.id());
    let mut found = files(&part.dir)?;
    for within in WITHIN {
        found.extend(files(&part.dir.join(within))?);
    }
    let may = |name: &str| part.licence.split([' ', '/', '(', ')']).any(|word| word == name);
    if found.is_empty() && may("Apache-2.0") {
        found.push(apache.to_owned());
    } else if found.is_empty() && may("MIT") {
        found.push(format!(
            "Copyright (c) {}\n\n{MIT}",
            if part.authors.is_empty() { &part.name } else { &part.authors }
        ));
    }
    ensure!(!found.is_empty(), "{}: {} asks for its text, and the crate has no file of it", part.id(), part.licence);
    Ok(found)
}

/// Texts of licences and notices that lie in a directory, in the order of their names.
fn files(dir: &Path) -> anyhow::Result<Vec<String>> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Ok(Vec::new()) };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    let named = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_code = path.extension().is_some_and(|end| end == "rs" || end == "hbs");
        NAMES.iter().any(|start| name.starts_with(start)) && !is_code
    };
    let mut texts = Vec::new();
    for path in paths.iter().filter(|path| named(path)) {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
        texts.push(text.trim_matches('\n').to_owned());
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::metadata;

    #[test]
    fn every_crate_of_others_is_named_and_the_texts_that_must_be_handed_on_are_there() {
        let temp = tempfile::tempdir().unwrap();
        let job = Job { root: crate::root(), build: temp.path().to_path_buf(), epoch: 0, version: "0" };
        let parts = metadata::parts(&job, Target::X86Gnu).unwrap();
        assert!(parts.others.len() > 150 && parts.own.len() > 8, "{} {}", parts.others.len(), parts.own.len());
        let page = String::from_utf8(text(&job, Target::X86Gnu, &parts).unwrap()).unwrap();
        for part in &parts.others {
            assert!(page.contains(&line(part)), "{}", part.id());
        }
        for (licence, words) in [
            ("MPL-2.0", "Mozilla Public License Version 2.0"),
            ("BSD-3-Clause", "Redistributions in binary form must reproduce"),
            ("ISC", "Permission to use, copy, modify, and/or distribute this software"),
            ("Unicode-3.0", "UNICODE LICENSE V3"),
        ] {
            assert!(parts.others.iter().any(|part| part.licence.contains(licence)), "{licence}");
            assert!(page.contains(words), "{licence}");
        }
    }

    #[test]
    fn a_crate_without_any_text_is_refused_unless_its_licence_needs_no_names() {
        let temp = tempfile::tempdir().unwrap();
        let part = |licence: &str| Part {
            name: "made-up".into(),
            version: "1.0.0".into(),
            licence: licence.into(),
            repository: String::new(),
            authors: "Li".into(),
            checksum: None,
            dir: temp.path().to_path_buf(),
            uses: Vec::new(),
        };
        assert_eq!(texts_of(&part("MIT OR Apache-2.0"), "apache").unwrap(), ["apache"]);
        assert!(texts_of(&part("MIT"), "apache").unwrap()[0].starts_with("Copyright (c) Li\n"));
        for licence in ["BSD-3-Clause", "MPL-2.0", ""] {
            let error = texts_of(&part(licence), "apache").unwrap_err().to_string();
            assert!(error.contains("made-up@1.0.0"), "{error}");
        }
        std::fs::write(temp.path().join("LICENSE-BSD"), "three\r\nclauses\n").unwrap();
        std::fs::write(temp.path().join("license.rs"), "fn main() {}").unwrap();
        assert_eq!(texts_of(&part("BSD-3-Clause"), "apache").unwrap(), ["three\nclauses"]);
    }
}
