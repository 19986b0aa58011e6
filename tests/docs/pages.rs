//! Pages taken apart: sections, code blocks, code in the text.

use std::fs;
use std::path::{Path, PathBuf};

/// A page for people who use the program.
pub struct Page {
    /// Its path from the root of the repository.
    pub name: String,
    pub text: String,
}

/// A block between fences.
pub struct Block {
    /// Line of its opening fence.
    pub line: usize,
    /// What the fence says it is: `sh`, `toml`, …
    pub kind: String,
    pub text: String,
    /// The comment of the page that stands right before it: `<!-- … -->`.
    pub mark: Option<String>,
}

/// What stands under one heading, without code blocks.
#[derive(Default)]
pub struct Section {
    pub heading: String,
    pub level: usize,
    pub text: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn named(path: &Path) -> Page {
    let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    Page { name, text: fs::read_to_string(path).unwrap() }
}

/// The README and the pages beside each other in `docs/`; those below it are for people who work on the program.
pub fn all() -> Vec<Page> {
    let here = fs::read_dir(root()).unwrap().chain(fs::read_dir(root().join("docs")).unwrap());
    let mut files: Vec<PathBuf> = here.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| {
        let name = file.file_name().unwrap().to_string_lossy();
        let of_the_house = ["CONTRIBUTING.md", "CHANGELOG.md"].contains(&&*name);
        file.is_file() && file.extension().is_some_and(|e| e == "md") && !of_the_house
    });
    files.sort();
    files.iter().map(|file| named(file)).collect()
}

impl Page {
    /// The page in the other language, where this one is English and has one.
    pub fn chinese(&self) -> Option<Self> {
        let path = root().join(self.name.strip_suffix(".md")?.to_owned() + ".zh.md");
        (!self.is_chinese() && path.is_file()).then(|| named(&path))
    }

    pub fn is_chinese(&self) -> bool {
        self.name.ends_with(".zh.md")
    }

    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let mut mark = None;
        for (at, line) in self.text.lines().enumerate() {
            match (&mut open, line.trim().strip_prefix("```")) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(block), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, Some(kind)) => {
                    let kind = kind.to_owned();
                    open = Some(Block { line: at + 1, kind, text: String::new(), mark: mark.take() });
                }
                (None, None) if line.trim().is_empty() => {}
                (None, None) => {
                    mark = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")).map(str::to_owned);
                }
            }
        }
        assert!(open.is_none(), "{}: a code block without an end", self.name);
        blocks
    }

    pub fn sections(&self) -> Vec<Section> {
        let mut sections = vec![Section::default()];
        let mut fenced = false;
        for line in self.text.lines() {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            if fenced || fence {
                continue;
            }
            if line.starts_with('#') {
                let level = line.chars().take_while(|c| *c == '#').count();
                let heading = line[level..].trim().to_owned();
                sections.push(Section { heading, level, text: String::new() });
            } else {
                let section = sections.last_mut().unwrap();
                section.text.push_str(line);
                section.text.push('\n');
            }
        }
        sections
    }
}

/// Code in a text: what stands between two backquotes.
pub fn spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
