//! The manual: one page of everything for `skydeck man`, one a verb for packages, and the completions; in one language each.
//!
//! Invariant: pages and scripts are made of the tables that the arguments are read by, so none can name what is not there.

use clap::Command;

use super::{complete, help};
use crate::domain::language::Language;

/// Headings of a page in Chinese; those of options and arguments are Chinese already where they stand in the tables.
const HEADINGS: [(&str, &str); 7] = [
    ("NAME", "名称"),
    ("SYNOPSIS", "用法"),
    ("DESCRIPTION", "说明"),
    ("OPTIONS", "选项"),
    ("SUBCOMMANDS", "命令"),
    ("COMMANDS", "命令"),
    ("VERSION", "版本"),
];

/// The manual page of the program.
///
/// # Errors
/// Never: it is written into memory.
pub fn page(lang: Language) -> std::io::Result<Vec<u8>> {
    render(help::command(lang), lang)
}

/// The pages of the program and of each verb, as (name of the page, text): `skydeck`, `skydeck-run`, `skydeck-plan-lint`, …
///
/// # Errors
/// Never: they are written into memory.
pub fn pages(lang: Language) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = help::command(lang);
    // What is passed on to every verb, and the verbs' whole names, stand in the tree once it is built.
    command.build();
    let mut pages = Vec::new();
    all(&command, "skydeck", lang, &mut pages)?;
    Ok(pages)
}

/// A completion script: one that asks the program, where the shell can.
pub fn completions(shell: clap_complete::Shell, lang: Language) -> Vec<u8> {
    if let Some(script) = complete::script(shell) {
        return script;
    }
    // Into memory first: the generator takes no error from what it writes to.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut help::completed(lang), "skydeck", &mut script);
    script
}

fn all(command: &Command, name: &str, lang: Language, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    pages.push((name.to_owned(), render(command.clone().display_name(name.to_owned()), lang)?));
    // Of `help` there is nothing to say that `--help` does not.
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        all(verb, &format!("{name}-{}", verb.get_name()), lang, pages)?;
    }
    Ok(())
}

fn render(command: Command, lang: Language) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    if lang == Language::En {
        return Ok(page);
    }
    let chinese = |line: &str| {
        let known = HEADINGS.iter().find(|(en, _)| line.strip_prefix(".SH ") == Some(*en));
        known.map_or_else(|| line.to_owned(), |(_, zh)| format!(".SH {zh}")) + "\n"
    };
    Ok(String::from_utf8_lossy(&page).lines().map(chinese).collect::<String>().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_of_its_own_in_both_languages() {
        let name = |page: &(String, Vec<u8>)| page.0.clone();
        let (en, zh) = (pages(Language::En).unwrap(), pages(Language::Zh).unwrap());
        let names: Vec<String> = en.iter().map(name).collect();
        assert_eq!(names, zh.iter().map(name).collect::<Vec<_>>());
        for wanted in ["skydeck", "skydeck-run", "skydeck-plan", "skydeck-plan-lint", "skydeck-serve"] {
            assert!(names.iter().any(|name| name == wanted), "{wanted}: {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("help") || name.contains("keys")), "{names:?}");
        for (name, page) in zh {
            let page = String::from_utf8(page).unwrap();
            assert!(page.starts_with(".ie") && page.contains(".SH 名称"), "{name}: {page}");
            for heading in page.lines().filter_map(|line| line.strip_prefix(".SH ")) {
                assert!(!heading.is_ascii(), "{name}: {heading}");
            }
        }
        for (name, page) in en {
            let page = String::from_utf8(page).unwrap();
            assert!(page.contains(".SH NAME") && page.is_ascii() || page.contains('…'), "{name}: {page}");
        }
    }
}
