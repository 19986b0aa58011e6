//! A page and its Chinese twin say the same: headings, commands, keys, numbers, links, and in words of the glossary.

use std::collections::BTreeSet;

use crate::pages::{Page, all, root, spans};
use crate::{english, style};

/// The pages that an operator reads, and has in Chinese too.
const FOR_OPERATORS: [&str; 14] = [
    "README",
    "docs/alerts",
    "docs/connections",
    "docs/filters",
    "docs/forecast",
    "docs/for-it",
    "docs/handed-on",
    "docs/keys",
    "docs/operations",
    "docs/outcomes",
    "docs/packages",
    "docs/plans",
    "docs/troubleshooting",
    "docs/verbs",
];

fn pairs() -> Vec<(Page, Page)> {
    all().into_iter().filter_map(|page| page.chinese().map(|zh| (page, zh))).collect()
}

/// The lines of a block without their comments, which each language has in its own words.
fn commands(text: &str) -> Vec<&str> {
    let bare = text.lines().map(|line| line.split(" #").next().unwrap().trim());
    bare.filter(|line| !line.is_empty()).collect()
}

/// A text without the places its links lead to.
fn without_targets(text: &str) -> String {
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |said, part| said + "]" + part.split_once(')').map_or(part, |(_, rest)| rest))
}

/// Numbers in a text, outside of code and links, without the comma of thousands.
fn numbers(text: &str) -> BTreeSet<String> {
    let plain: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    let chars: Vec<char> = without_targets(&plain).chars().collect();
    let mut found = BTreeSet::new();
    let mut number = String::new();
    for (at, c) in chars.iter().enumerate() {
        let next_is_digit = chars.get(at + 1).is_some_and(char::is_ascii_digit);
        match c {
            c if c.is_ascii_digit() => number.push(*c),
            ',' if !number.is_empty() && next_is_digit => {}
            '.' if !number.is_empty() && next_is_digit => number.push('.'),
            _ if !number.is_empty() => {
                found.insert(std::mem::take(&mut number));
            }
            _ => {}
        }
    }
    found
}

/// Code that both languages have; words of the screen are each language's own.
fn code(text: &str) -> BTreeSet<String> {
    let own = |span: &str| {
        let sentence = span.matches(' ').count() > 1 && !span.contains(['"', '|', '[', '<']);
        let command =
            ["skydeck ", "sudo ", "run ", "plan ", "resolve ", "demo ", "X_Bill "].iter().any(|c| span.starts_with(c));
        span.chars().any(|c| !c.is_ascii() && c.is_alphabetic()) || span.contains(": ") || sentence && !command
    };
    let kept = spans(text).into_iter().filter(|span| !own(span));
    kept.map(|span| span.replace(".zh.md", ".md").trim_end_matches('…').trim().to_owned()).collect()
}

/// Where links lead, without the heading, which each language has in its own words.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let pages = targets.filter_map(|target| target.split('#').next()).filter(|page| !page.is_empty());
    let mut pages: Vec<String> = pages.map(str::to_owned).collect();
    pages.sort();
    pages
}

fn only_in<T: Ord + std::fmt::Debug>(one: &BTreeSet<T>, other: &BTreeSet<T>, what: &str, at: &str) -> Option<String> {
    let lone: Vec<&T> = one.difference(other).collect();
    (!lone.is_empty()).then(|| format!("{at}: {what} {lone:?} not in the other language"))
}

#[test]
fn every_page_for_operators_is_there_in_chinese() {
    let there: BTreeSet<String> = pairs().into_iter().map(|(en, _)| en.name).collect();
    for name in FOR_OPERATORS {
        assert!(there.contains(&format!("{name}.md")), "{name}.md is not there in Chinese");
    }
    for (en, zh) in pairs() {
        let name = |page: &Page| page.name.rsplit('/').next().unwrap().to_owned();
        assert!(en.text.contains(&format!("[中文]({})", name(&zh))), "{} does not lead to {}", en.name, zh.name);
        assert!(zh.text.contains(&format!("[English]({})", name(&en))), "{} does not lead to {}", zh.name, en.name);
    }
}

#[test]
fn two_languages_have_the_same_headings_one_to_one() {
    for (en, zh) in pairs() {
        let levels = |page: &Page| page.sections().iter().map(|s| s.level).collect::<Vec<_>>();
        assert_eq!(levels(&en), levels(&zh), "{} and {}", en.name, zh.name);
        for section in zh.sections().iter().skip(1) {
            let in_chinese = section.heading.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            assert!(in_chinese || section.heading.is_ascii(), "{}: {}", zh.name, section.heading);
        }
        for section in en.sections().iter().skip(1) {
            assert!(section.heading.is_ascii(), "{}: a heading in both languages: {}", en.name, section.heading);
        }
    }
}

#[test]
fn two_languages_have_the_same_commands_and_configuration() {
    for (en, zh) in pairs() {
        let (one, other) = (en.blocks(), zh.blocks());
        assert_eq!(one.len(), other.len(), "{}: code blocks", en.name);
        for (one, other) in one.iter().zip(&other) {
            let at = format!("{} line {} and {} line {}", en.name, one.line, zh.name, other.line);
            assert_eq!((&one.kind, &one.mark), (&other.kind, &other.mark), "{at}");
            assert_eq!(commands(&one.text), commands(&other.text), "{at}");
        }
    }
}

#[test]
fn two_languages_name_the_same_keys_numbers_and_pages_section_by_section() {
    let mut faults = Vec::new();
    for (en, zh) in pairs() {
        for (one, other) in en.sections().iter().zip(&zh.sections()) {
            let at = format!("{} “{}”", en.name, one.heading);
            let twin = format!("{} “{}”", zh.name, other.heading);
            let (a, b) = (code(&one.text), code(&other.text));
            faults.extend(only_in(&a, &b, "code", &at));
            faults.extend(only_in(&b, &a, "code", &twin));
            let (a, b) = (numbers(&one.text), numbers(&other.text));
            faults.extend(only_in(&a, &b, "numbers", &at));
            faults.extend(only_in(&b, &a, "numbers", &twin));
            let rows = |text: &str| text.lines().filter(|line| line.starts_with('|')).count();
            if rows(&one.text) != rows(&other.text) {
                faults.push(format!("{at}: rows of tables, not as many as in {twin}"));
            }
            let lists = |text: &str| text.lines().filter(|line| line.starts_with("- ")).count();
            if lists(&one.text) != lists(&other.text) {
                faults.push(format!("{at}: points of lists, not as many as in {twin}"));
            }
            if one.level > 0 {
                let same = |links: Vec<String>| -> Vec<String> {
                    let to_english = |link: String| link.replace(".zh.", ".").replace("-zh.svg", "-en.svg");
                    let mut links: Vec<String> = links.into_iter().map(to_english).collect();
                    // Names sort otherwise in the other language.
                    links.sort();
                    links
                };
                let (a, b) = (same(links(&one.text)), same(links(&other.text)));
                let (a, b): (Vec<_>, Vec<_>) = (
                    a.into_iter()
                        .filter(|l| !l.starts_with("README") && Some(l.as_str()) != en.name.rsplit('/').next())
                        .collect(),
                    b.into_iter()
                        .filter(|l| !l.starts_with("README") && Some(l.as_str()) != en.name.rsplit('/').next())
                        .collect(),
                );
                if a != b {
                    faults.push(format!("{at} leads to {a:?}, its twin to {b:?}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_page_leads_to_pages_of_its_own_language() {
    let mut faults = Vec::new();
    let twins: BTreeSet<String> =
        pairs().into_iter().map(|(en, _)| en.name.rsplit('/').next().unwrap().to_owned()).collect();
    for (en, zh) in pairs() {
        let twin = en.name.rsplit('/').next().unwrap().to_owned();
        for link in links(&zh.text) {
            let page = link.rsplit('/').next().unwrap();
            if twins.contains(page) && page != twin {
                faults.push(format!("{} leads to {link}, which is there in Chinese", zh.name));
            }
        }
        for link in links(&en.text) {
            if link.ends_with(".zh.md") && link.rsplit('/').next() != zh.name.rsplit('/').next() {
                faults.push(format!("{} leads to {link}", en.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn pictures_are_of_the_pages_language_and_light_enough_to_be_loaded_with_it() {
    let screens: Vec<_> = std::fs::read_dir(root().join("docs/screens")).unwrap().map(|entry| entry.unwrap()).collect();
    let bytes: u64 = screens.iter().map(|entry| entry.metadata().unwrap().len()).sum();
    assert!(bytes <= 1_500_000, "all pictures together have {bytes} bytes");
    let all = all();
    for entry in &screens {
        let name = entry.file_name().to_string_lossy().into_owned();
        let of_chinese = name.ends_with("-zh.svg");
        let shown: Vec<&Page> = all.iter().filter(|page| page.text.contains(&format!("screens/{name})"))).collect();
        assert!(!shown.is_empty(), "no page shows {name}");
        assert!(
            shown.iter().all(|page| page.is_chinese() == of_chinese),
            "{name} stands in a page of the other language"
        );
        // What a page of the forge may hold: no script, nothing that is loaded from elsewhere.
        let text = std::fs::read_to_string(entry.path()).unwrap();
        assert!(text.starts_with("<svg ") && text.trim_end().ends_with("</svg>"), "{name}");
        let foreign = ["<script", "href", "@import", "url("].into_iter().find(|part| text.contains(part));
        assert_eq!(foreign, None, "{name}");
    }
}

#[test]
fn chinese_pages_speak_by_the_glossary() {
    let mut faults = Vec::new();
    for page in all().iter().filter(|page| page.is_chinese()) {
        for section in page.sections() {
            for line in section.text.lines().chain([section.heading.as_str()]) {
                // What a table says in English beside the Chinese word, where links lead, and stress are no signs of the text.
                let plain = without_targets(line).replace(['[', ']', '*'], "");
                if line.starts_with("<!--") {
                    continue;
                }
                for cell in plain.split('|') {
                    let found = style::signs(cell.trim()).into_iter().chain(style::dropped_zh(cell));
                    faults.extend(found.map(|fault| format!("{}: {fault}", page.name)));
                }
                let left = english::sentences(&plain).into_iter().filter(|_| !line.starts_with('|'));
                faults.extend(left.map(|left| format!("{}: English: {left}", page.name)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn english_pages_speak_by_the_glossary() {
    let mut faults = Vec::new();
    for (page, _) in pairs() {
        for section in page.sections() {
            let found = style::dropped_en(&section.text);
            faults.extend(found.into_iter().map(|word| format!("{} “{}”: {word}", page.name, section.heading)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_difference_between_two_languages_would_be_noticed() {
    assert_eq!(
        numbers("after 1,000 calls, `9` in code, [5](a6.md#7) and 60 s."),
        ["1000", "5", "60"].map(str::to_owned).into()
    );
    assert_eq!(numbers("超过 1,000 次调用，[5](a6.zh.md) 与 60 秒"), ["1000", "5", "60"].map(str::to_owned).into());
    assert_eq!(
        code("`R` retries, `breaker: …`, `原因:库存`, `skydeck bill NO`"),
        ["R", "skydeck bill NO"].map(str::to_owned).into()
    );
    assert_eq!(commands("a = 1   # one\n\n# b = 2   # two\n"), ["a = 1", "# b = 2"]);
    assert_eq!(links("see [x](a.md#b) and [y](#c)"), ["a.md"]);
    assert!(!style::signs("按q退出").is_empty() && !style::dropped_zh("未结清单").is_empty());
}
