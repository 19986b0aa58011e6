//! What pages name is there: verbs and options, exit codes, keys, configuration, plans, messages, causes, files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use skydeck::cli::args::Cli;
use skydeck::config::Config;
use skydeck::domain::cause::{BUILT_IN, CauseTable};
use skydeck::domain::group_words;
use skydeck::domain::language::Language;
use skydeck::engine::Calendar;
use skydeck::exit::Exit;
use skydeck::ui::Lang;
use skydeck::ui::keymap::markdown;

use crate::literals::literals;
use crate::pages::{Page, Section, all, root, spans};

/// Commands of others whose options pages name.
const OTHERS: [&str; 10] = ["cargo", "git", "systemctl", "loginctl", "journalctl", "perf", "set", "ssh", "wrk", "tmux"];

fn pages() -> Vec<Page> {
    // Pages that measure name options of what they were measured with.
    all()
        .into_iter()
        .filter(|page| !["docs/measured.md", "docs/performance.md"].contains(&page.name.as_str()))
        .collect()
}

/// Code of a page with the section it stands in: in the text, and each line of a block of commands.
fn code(page: &Page) -> Vec<String> {
    let text = page.sections();
    let inline = text.iter().flat_map(|section| spans(&section.text)).map(str::to_owned);
    let blocks = page.blocks();
    let lines = blocks.iter().filter(|block| ["sh", "console"].contains(&block.kind.as_str()));
    let lines = lines.flat_map(|block| block.text.lines()).map(|line| line.split(" #").next().unwrap().to_owned());
    inline.chain(lines).collect()
}

/// Splits a command as a shell does, as far as pages need it.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in command.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => quote = Some(c),
            (' ', None) => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            (c, _) => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// Why a command of ours is not one; `…` and brackets stand for what may follow.
fn wrong(command: &str) -> Option<String> {
    let plain = command.replace(['[', ']'], "");
    let cut = plain.split([';', '|', '>', '<', ')']).next().unwrap_or_default();
    let mut words = words(cut);
    words.retain(|word| word != "…");
    let mut at = Cli::command();
    at.build();
    let mut given = Vec::new();
    for word in words.iter().skip(1) {
        let names =
            |command: &Command| command.get_name() == word || command.get_all_aliases().any(|alias| alias == word);
        let next = at.get_subcommands().find(|command| names(command)).cloned();
        if let Some(next) = next {
            at = next;
        } else if let Some(option) = word.strip_prefix("--") {
            given.push(option.split('=').next().unwrap().to_owned());
        } else if at.get_name() == "help" {
            return None;
        } else if at.get_name() == "skydeck" && given.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()) {
            return Some(format!("`{command}`: there is no verb `{word}`"));
        } else if at.get_positionals().next().is_none()
            && given.is_empty()
            && !word.starts_with('-')
            && at.get_name() != "skydeck"
        {
            return Some(format!("`{command}`: `{}` takes no `{word}`", at.get_name()));
        }
    }
    let known: Vec<String> = at.get_arguments().filter_map(|arg| arg.get_long()).map(str::to_owned).collect();
    let lost = given.iter().find(|option| !known.contains(option))?;
    Some(format!("`{command}`: `{}` has no option `--{lost}`", at.get_name()))
}

fn options(command: &Command, into: &mut BTreeSet<String>) {
    into.extend(command.get_arguments().filter_map(|arg| arg.get_long()).map(str::to_owned));
    command.get_subcommands().for_each(|sub| options(sub, into));
}

#[test]
fn every_command_and_option_that_a_page_names_is_there() {
    let mut known = BTreeSet::new();
    let mut root = Cli::command();
    root.build();
    options(&root, &mut known);
    let mut faults = Vec::new();
    let mut commands = 0;
    for page in pages() {
        for span in code(&page) {
            let span = span.trim().trim_start_matches("$ ");
            // `$(skydeck …)`: what stands in it is a command, too.
            let inner = span.split("$(").skip(1).filter_map(|rest| rest.split(')').next());
            for command in [span].into_iter().chain(inner).filter(|command| command.starts_with("skydeck ")) {
                commands += 1;
                faults.extend(wrong(command).map(|why| format!("{}: {why}", page.name)));
            }
            let first = span.split([' ', '=']).next().unwrap();
            let ours = !OTHERS.contains(&first) && !span.contains("cargo ");
            if ours && span.starts_with("--") {
                let option = span.trim_start_matches('-').split([' ', '=', '…']).next().unwrap();
                if !option.is_empty() && !known.contains(option) {
                    faults.push(format!("{}: no verb has the option `--{option}`", page.name));
                }
            }
        }
    }
    assert!(commands > 60, "only {commands} commands were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_page_of_verbs_has_every_verb_and_no_other() {
    let page = fs::read_to_string(root().join("docs/verbs.md")).unwrap();
    let table = page.split("## Verbs").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let mut named = BTreeSet::new();
    let mut faults = Vec::new();
    for cell in rows {
        for span in spans(&format!("`{cell}")) {
            let command = span.replace("\\|", " ").replace(", ", " ");
            let verb = command.split([' ', '[']).next().unwrap().to_owned();
            if verb != "skydeck" {
                named.insert(verb.clone());
            }
            if verb != "plan" {
                faults.extend(wrong(&format!("skydeck {}", command.trim_start_matches("skydeck"))));
            }
        }
    }
    let mut root = Cli::command();
    root.build();
    let verbs: BTreeSet<String> = root
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
        .map(|verb| verb.get_name().to_owned())
        .collect();
    assert_eq!(named, verbs, "verbs of the page, and of the program");
    let plan = root.get_subcommands().find(|verb| verb.get_name() == "plan").unwrap();
    for verb in plan.get_subcommands().filter(|verb| verb.get_name() != "help" && !verb.is_hide_set()) {
        assert!(table.contains(verb.get_name()), "plan {}", verb.get_name());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn exit_codes_are_those_of_the_program() {
    let known: BTreeSet<u8> = (0..=255).filter(|code| Exit::from_code(*code).code() == *code).collect();
    for name in ["docs/verbs.md", "docs/verbs.zh.md"] {
        let page = all().into_iter().find(|page| page.name == name).unwrap();
        let rows = page.text.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok());
        assert_eq!(rows.collect::<BTreeSet<u8>>(), known, "{name}");
    }
    let mut named = 0;
    for page in pages() {
        for before in ["xit code ", "退出码 ", "exits with ", "ends with "] {
            for (at, _) in page.text.match_indices(before) {
                let digits: String = page.text[at + before.len()..].chars().take_while(char::is_ascii_digit).collect();
                if let Ok(code) = digits.parse::<u8>() {
                    assert!(known.contains(&code), "{}: there is no exit code {code}", page.name);
                    named += 1;
                }
            }
        }
    }
    assert!(named > 10, "only {named} codes are named");
}

/// A configuration in which one environment more is there, so that a part of one can be read.
fn config(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("page.toml"), text).map_err(|e| e.to_string())
}

const ENVIRONMENT: &str = "url = \"https://k3.example.invalid/k3cloud/\"\naccount_set = \"60aa0000000000\"\nuser = \"u\"\n\
                           sign_in = \"signed\"\napp_id = \"1_x\"\nsecret = { prompt = true }\n";

/// `[access]` names people of the machine: whoever is on each.
fn with_people_of_here(text: &str) -> String {
    let people =
        [("\"k3ops\"", "\"root\""), ("@finance", "@root"), ("@k3ops", "@root"), ("\"li\"", "0"), ("\"wang\"", "0")];
    people.iter().fold(text.to_owned(), |text, (shown, here)| text.replace(shown, here))
}

#[test]
fn every_configuration_of_a_page_is_read_by_the_program() {
    let mut read = 0;
    for page in all() {
        for block in page.blocks().iter().filter(|block| block.kind == "toml" && page.name != "docs/simulator.md") {
            let at = format!("{} line {}", page.name, block.line);
            read += 1;
            if block.text.contains("[[rule]]") {
                toml::from_str::<CauseTable>(&block.text).unwrap_or_else(|e| panic!("{at}: {e}"));
                continue;
            }
            if block.text.contains("\nwork = [") {
                Calendar::parse(&block.text).unwrap_or_else(|e| panic!("{at}: {e}"));
                continue;
            }
            // What stands there as a remark is read, too: with the sign taken away.
            let remarks = block.text.lines().map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.contains(" = ") => rest.to_owned(),
                _ => line.to_owned(),
            });
            for text in [block.text.clone(), remarks.collect::<Vec<_>>().join("\n")] {
                let text = with_people_of_here(&text);
                let text = if text.contains("[environment.prod]\nallow_operations") {
                    text.replace("[environment.prod]\n", &format!("[environment.prod]\n{ENVIRONMENT}"))
                } else {
                    text
                };
                let themes = text.contains("[console]") || text.contains("fg");
                if let Err(why) = config(&text) {
                    assert!(themes && why.is_empty(), "{at}: {why}\n{text}");
                }
            }
        }
    }
    assert!(read > 12, "only {read} blocks");
}

#[test]
fn every_setting_that_a_text_names_is_one() {
    let environment = format!("[environment.e]\n{ENVIRONMENT}");
    let places: Vec<(String, String)> = [
        (String::new(), String::new()),
        (environment.clone(), String::new()),
        (format!("{environment}proxy = \"http://p:1\"\nproxy_user = \"u\"\n"), String::new()),
        (format!("{environment}[environment.e.limits]\n"), String::new()),
        ("[console]\n".into(), String::new()),
        ("[log]\n".into(), String::new()),
        ("[metrics]\n".into(), String::new()),
        ("[alerts]\n".into(), String::new()),
        ("[store]\nurl = \"postgresql://r@h/d\"\n".into(), String::new()),
        ("[forecast]\n".into(), String::new()),
        ("[retention]\n".into(), String::new()),
        ("[keys]\n".into(), String::new()),
        ("[access]\ngroup = \"root\"\n".into(), String::new()),
        (format!("[environment.e]\n{}", ENVIRONMENT.replace("sign_in = \"signed\"\n", "")), String::new()),
        (format!("[environment.e]\n{}", ENVIRONMENT.replace("secret = { prompt = true }\n", "")), String::new()),
    ]
    .to_vec();
    let mut named = 0;
    for page in
        pages().iter().filter(|page| !page.name.starts_with("docs/architecture") && !page.name.contains("simulator"))
    {
        for section in page.sections() {
            for span in spans(&section.text) {
                let Some((key, value)) = span.split_once(" = ") else { continue };
                let plain = key.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !key.is_empty();
                if !plain || key == "found" || value.contains('…') || value.contains("a +") || span.contains("prompt")
                {
                    continue;
                }
                named += 1;
                let reads = |(head, tail): &(String, String)| config(&format!("{head}{span}\n{tail}")).is_ok();
                assert!(places.iter().any(reads), "{} “{}”: `{span}` is no setting", page.name, section.heading);
            }
        }
    }
    assert!(named > 15, "only {named} settings are named");
}

/// A table of a section: its rows, cell by cell.
fn rows(section: &Section) -> Vec<Vec<String>> {
    let lines = section.text.lines().filter(|line| line.starts_with("| ")).skip(1);
    lines
        .map(|line| {
            let line = line.replace("\\|", "¦");
            line.trim_matches('|').split('|').map(|cell| cell.trim().replace('¦', "|")).collect()
        })
        .collect()
}

fn section(page: &str, part: &str) -> Section {
    let page = all().into_iter().find(|one| one.name == page).unwrap_or_else(|| panic!("{page}"));
    let found = page.sections().into_iter().find(|section| section.heading.contains(part));
    found.unwrap_or_else(|| panic!("{}: no section with `{part}`", page.name))
}

#[test]
fn the_keys_of_the_skydeck_object_are_all_there_with_none_besides() {
    let schema: serde_json::Value = serde_json::from_str(skydeck::plan::SCHEMA).unwrap();
    let keys = schema.pointer("/properties/skydeck/properties").unwrap().as_object().unwrap();
    let known: BTreeSet<String> = keys.keys().cloned().collect();
    for page in ["docs/plans.md", "docs/plans.zh.md"] {
        let table = rows(&section(page, "`skydeck`"));
        let named: BTreeSet<String> =
            table.iter().flat_map(|row| spans(&row[0]).into_iter().map(str::to_owned).collect::<Vec<_>>()).collect();
        assert_eq!(named, known, "{page}");
    }
}

/// The keys of a terminal that stand alone in code of the README and of pages about the console.
#[test]
fn every_key_that_a_page_names_does_something() {
    let table = markdown(Lang::En);
    let cells = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let mut known: BTreeSet<String> =
        cells.flat_map(|cell| spans(cell).into_iter().map(|key| key.replace("\\|", "|")).collect::<Vec<_>>()).collect();
    // Of dialogs and lines of text, which take more than the table has.
    known.extend(["Tab", "Shift-Tab", "Ctrl-S", "Ctrl-R", "Ctrl-X", "Left", "Enter", "Esc"].map(str::to_owned));
    let mut named = 0;
    for name in ["README", "docs/operations", "docs/filters", "docs/handed-on", "docs/troubleshooting", "docs/outcomes"]
    {
        for name in [format!("{name}.md"), format!("{name}.zh.md")] {
            let page = all().into_iter().find(|page| page.name == name).unwrap();
            for section in page.sections() {
                let alone = |span: &&str| {
                    let one = span.chars().count() == 1 && span.chars().all(|c| c.is_ascii_graphic());
                    one || span.starts_with("Ctrl-") || span.starts_with("Shift-")
                };
                for key in spans(&section.text).into_iter().filter(alone) {
                    // A sign of the filter's language, a status of a bill, a unit of time.
                    let other = ["-", ",", "B", "C", "D", "Z", "A", "s", "m", "h", "d", "+", "&"].contains(&key);
                    if !other {
                        named += 1;
                        assert!(known.contains(key), "{name} “{}”: no key `{key}`", section.heading);
                    }
                }
            }
        }
    }
    assert!(named > 60, "only {named} keys are named");
}

fn code_files(room: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(room).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// What the program can say: its literals, with a sign where a value is put in.
fn sayings() -> Vec<String> {
    let mut files = Vec::new();
    for room in ["src", "crates"] {
        code_files(&root().join(room), &mut files);
    }
    let texts = files.iter().filter(|file| !file.ends_with("tests.rs")).map(|file| fs::read_to_string(file).unwrap());
    texts.flat_map(|text| literals(&text)).map(|(_, text)| text).collect()
}

#[test]
fn every_message_that_a_table_explains_is_one_of_the_programs() {
    let sayings = sayings();
    let tables = [
        ("README", ["When a run pauses", "自动暂停时"]),
        ("docs/troubleshooting", ["sign-in is refused", "登录被拒绝"]),
        ("docs/troubleshooting", ["is not reached", "连接不上"]),
        ("docs/troubleshooting", ["pauses, stops", "运行暂停"]),
        ("docs/troubleshooting", ["does not start", "程序不能启动"]),
    ];
    let mut faults = Vec::new();
    for (page, headings) in tables {
        for (name, heading) in [(format!("{page}.md"), headings[0]), (format!("{page}.zh.md"), headings[1])] {
            let section = section(&name, heading);
            for row in rows(&section) {
                for span in spans(&row[0]) {
                    // Where a value stands in it, what is around it.
                    let parts = span.split('…').map(str::trim).filter(|part| !part.is_empty());
                    let is_said = |part: &str| sayings.iter().any(|said| said.contains(part));
                    let lost: Vec<&str> = parts.filter(|part| !is_said(part)).collect();
                    if !lost.is_empty() {
                        faults.push(format!("{name}: the program never says {lost:?}"));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn causes_are_explained_as_the_program_explains_them() {
    let table: CauseTable = toml::from_str(BUILT_IN).unwrap();
    let mut explained = BTreeSet::new();
    for (name, lang, heading) in [
        ("docs/troubleshooting.md", Language::En, "refused a bill"),
        ("docs/troubleshooting.zh.md", Language::Zh, "拒绝了单据"),
    ] {
        let section = section(name, heading);
        let words = |cause: &str| {
            let info = table.cause.iter().find(|info| info.cause.as_str() == cause).unwrap();
            let (label, advice) =
                (lang.t(info.en.as_str(), &info.zh), lang.t(info.advice_en.as_str(), &info.advice_zh));
            [label.to_owned(), group_words::who(lang, &info.who).to_owned(), advice.to_owned()]
        };
        let is_rule = |row: &[String]| row.iter().all(|cell| cell.chars().all(|c| c == '-' || c == ':'));
        let all = section.text.lines().filter(|line| line.starts_with('|'));
        let all = all.map(|line| line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>());
        for row in all.filter(|row| !is_rule(row)) {
            let cause = if let Some(message) = row[0].strip_prefix('`') {
                let message = message.trim_end_matches('`').replace('…', "“x”");
                // A message about a lock names who has it; one about a field names the field.
                table.classify(None, None, &message)
            } else if row[0].starts_with(|c: char| c.is_ascii_digit()) {
                let codes = row[0].split(", ").map(|code| table.classify(Some(code.parse().unwrap()), None, "…"));
                let codes: BTreeSet<_> = codes.collect();
                assert_eq!(codes.len(), 1, "{name}: {row:?}");
                codes.into_iter().next().unwrap()
            } else if let Some(info) = table.cause.iter().find(|info| *lang.t(info.en.as_str(), &info.zh) == row[0]) {
                assert_eq!(row[..], words(info.cause.as_str())[..], "{name}");
                explained.insert(info.cause.as_str().to_owned());
                continue;
            } else {
                assert!(row[0].len() < 40 && row[1].len() < 20, "{name}: {row:?}");
                continue;
            };
            assert_eq!(row[1..], words(cause.as_str())[..], "{name}: {}", row[0]);
            explained.insert(cause.as_str().to_owned());
        }
    }
    let all: BTreeSet<String> = table.cause.iter().map(|info| info.cause.as_str().to_owned()).collect();
    let lost: Vec<&String> = all.difference(&explained).filter(|cause| *cause != "credentials").collect();
    assert!(lost.is_empty(), "causes that the page does not explain: {lost:?}");
}
