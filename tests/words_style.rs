//! The words of `docs/glossary.md` and the rules of style, over every text for people and over the screens.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/english.rs"]
mod english;
#[path = "support/literals.rs"]
mod literals;
#[path = "support/style.rs"]
mod style;

use std::fs;
use std::path::{Path, PathBuf};

use skydeck::domain::cause::{BUILT_IN, CauseTable};
use skydeck::domain::detail_words;

/// Where texts for people stand.
const ROOMS: [&str; 9] = [
    "src",
    "crates/console/src",
    "crates/core/src/domain",
    "crates/engine/src",
    "crates/export/src",
    "crates/kingdee/src/config_words.rs",
    "crates/plan/src",
    "crates/sim/src/args.rs",
    "crates/store/src",
];

/// Files with words of the ERP, of the vendor's pages or of their tests.
const OF_OTHERS: [&str; 7] = [
    "cause.rs",
    "folded.rs",
    "crates/plan/src/fresh.rs",
    "plan/src/import/sides.rs",
    "properties.rs",
    "tests.rs",
    // Beside the English sentences that facts hold.
    "fault_words.rs",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(room: &Path, into: &mut Vec<PathBuf>) {
    if room.is_file() {
        into.push(room.to_path_buf());
        return;
    }
    for entry in fs::read_dir(room).unwrap() {
        files(&entry.unwrap().path(), into);
    }
}

/// File, line and text of every literal.
fn texts() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for room in ROOMS {
        files(&root().join(room), &mut all);
    }
    let mut found = Vec::new();
    for file in all.iter().filter(|file| file.extension().is_some_and(|end| end == "rs")) {
        if OF_OTHERS.iter().any(|other| file.ends_with(other)) {
            continue;
        }
        let code = fs::read_to_string(file).unwrap();
        let lines: Vec<&str> = code.lines().collect();
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        for (line, text) in literals::literals(&code) {
            // A message of the service log is English, and is for whoever reads code.
            let source = lines[line - 1];
            if source.contains("tracing::") || source.contains("error!(") || source.contains("expect(") {
                continue;
            }
            // Of words with their former ones only those of now are said.
            let former = source.split_once("&[").is_some_and(|(_, former)| former.contains(&format!("\"{text}\"")));
            if !former {
                found.push((format!("{name}:{line}"), text));
            }
        }
    }
    found
}

/// What an operator types into the filter line: it has narrow signs in both languages.
fn is_a_filter(text: &str) -> bool {
    text.split(' ').all(|term| term.contains(':') && !term.ends_with(':') || term.starts_with(['~', '>', '<']))
}

fn han(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[test]
fn every_chinese_text_has_wide_signs_and_blanks_where_they_belong() {
    let texts = texts();
    assert!(texts.iter().filter(|(_, text)| han(text)).count() > 1500, "{}", texts.len());
    let faults: Vec<String> = texts
        .iter()
        .filter(|(_, text)| han(text) && !text.contains("age:>2d") && !text.contains("时长:>2d") && !is_a_filter(text))
        .flat_map(|(at, text)| style::signs(text).into_iter().map(move |fault| format!("{at}: {fault}")))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_text_says_a_word_that_another_one_stands_for() {
    let mut faults = Vec::new();
    for (at, text) in texts() {
        let words = match han(&text) {
            true => style::dropped_zh(&text),
            // The store's English stands in reports of damage, and its Chinese beside it.
            false if text.contains(' ') && !at.starts_with("crates/store/") => style::dropped_en(&text),
            false => Vec::new(),
        };
        faults.extend(words.into_iter().map(|word| format!("{at}: {word}: {text}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Why a request did not leave is written by the engine and by each client, and read in the operator's language.
#[test]
fn every_reason_why_nothing_was_sent_is_said_in_chinese_too() {
    let mut files_of = Vec::new();
    for room in ["engine", "kingdee", "http"] {
        files(&root().join("crates").join(room).join("src"), &mut files_of);
    }
    let (mut reasons, mut quoted) = (0, Vec::new());
    for path in files_of {
        let code = fs::read_to_string(&path).unwrap();
        for (line, text) in literals::literals(&code).into_iter().filter(|(_, text)| text.starts_with("not sent: ")) {
            // What is filled in is a number or a name.
            let mut said = String::new();
            for (at, piece) in text.split('{').enumerate() {
                said.push_str(if at == 0 { piece } else { piece.split_once('}').unwrap().1 });
                said.push_str(if at + 1 < text.split('{').count() { "7" } else { "" });
            }
            reasons += 1;
            let zh = detail_words::zh(&said).unwrap();
            if zh.contains('“') && said != "not sent: 7" {
                quoted.push(format!("{} line {line}: {text}", path.display()));
            }
        }
    }
    assert!(reasons > 8 && quoted.is_empty(), "{reasons} reasons; in English alone: {quoted:#?}");
}

#[test]
fn labels_and_advice_of_causes_keep_the_rules() {
    let table: CauseTable = toml::from_str(BUILT_IN).unwrap();
    let mut faults = Vec::new();
    for info in &table.cause {
        for zh in [&info.zh, &info.advice_zh] {
            faults.extend(
                style::signs(zh).into_iter().chain(style::dropped_zh(zh)).map(|fault| format!("{zh}: {fault}")),
            );
        }
        for en in [&info.en, &info.advice_en] {
            faults.extend(style::dropped_en(en).into_iter().map(|fault| format!("{en}: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_chinese_screen_has_an_english_sentence_or_a_dropped_word() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(root().join("tests/screens")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.contains(".zh.") {
            continue;
        }
        seen += 1;
        let picture = fs::read_to_string(&path).unwrap();
        // Above the letters of the roles; names of the data are not ours.
        for line in picture.split("\n----").next().unwrap().lines() {
            let line = &line.replace("演示账套", "").replace("Enter l Right", "");
            // A word that a dialog covers is cut where its frame begins.
            let line = &line.replace("单╭", "╭").replace("单│", "│");
            // What 0.1.0 wrote down is quoted, and may be cut.
            let line = &line
                .split('“')
                .enumerate()
                .map(|(i, part)| if i == 0 { part } else { part.split_once('”').map_or("", |(_, after)| after) })
                .collect::<String>();
            let words = english::sentences(line).into_iter().chain(style::dropped_zh(line));
            faults.extend(words.map(|fault| format!("{name}: {fault}: {line}")));
        }
    }
    assert!(seen > 100 && faults.is_empty(), "{seen}\n{}", faults.join("\n"));
}

#[test]
fn the_rules_find_what_they_are_for() {
    for (text, faults) in [
        ("已批准，开始写入: 167", 1),
        ("审核 第1次", 2),
        ("结果： 失败", 1),
        ("过滤 ，清除", 1),
        ("目录 (空)", 2),
        ("见 `plan lint`，共 8 处", 0),
        ("“原文:abc”已保留；FID 100001", 0),
    ] {
        assert_eq!(style::signs(text).len(), faults, "{text}: {:?}", style::signs(text));
    }
    assert_eq!(style::dropped_zh("未结清单；未结束的运行"), ["未结", "结清"]);
    assert_eq!(style::dropped_zh("将调用 {} 单，{n} 张单据"), ["单 for a number of bills"]);
    assert_eq!(style::dropped_en("Mend it; {waved} the mark, `put off`"), ["mend", "the mark"]);
}
