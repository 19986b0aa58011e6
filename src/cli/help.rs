//! The words of `--help` and of wrong usage in Chinese; clap's own are those of English.
//!
//! Invariant: a verb or option that has no row here is found by the test below, not by an operator.

use std::ffi::OsString;

use clap::builder::PossibleValuesParser;
use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, Command, CommandFactory, FromArgMatches};

use super::args::Cli;
use super::help_page::{cells, folded};
use super::help_words::{MORE, OPTIONS, VERBS};
use super::output;
use crate::boot;
use crate::domain::language::Language;

/// The language that help is wanted in: that of `--lang`, else of the locale.
fn language(args: &[OsString]) -> Language {
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let named = words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix("--lang") {
        Some("") => words.get(at + 1).copied(),
        Some(rest) => rest.strip_prefix('='),
        None => None,
    });
    let lang = match named {
        Some("zh") => Some(Language::Zh),
        Some("en") => Some(Language::En),
        _ => None,
    };
    boot::language(lang, None)
}

/// The arguments of this process, read.
///
/// # Errors
/// Help or version that was asked for, and wrong usage; both in the language that people read.
pub(super) fn parse() -> Result<Cli, (clap::Error, Language)> {
    let args: Vec<OsString> = std::env::args_os().collect();
    let lang = language(&args);
    let mut command = command(lang);
    let read = command.try_get_matches_from_mut(args).and_then(|found| Cli::from_arg_matches(&found));
    read.map_err(|error| (error.format(&mut command), lang))
}

/// The command with its words in one language.
pub(super) fn command(lang: Language) -> Command {
    let mut command = Cli::command();
    match lang {
        Language::En => command,
        Language::Zh => {
            // Built first: help flags, and what is passed on to every verb, stand in the tree then.
            command.build();
            in_chinese(command, "")
        }
    }
}

/// The command as completions are made of it: what its values and hidden options say stands in English only, and is left out
/// of Chinese ones. It reads no arguments.
pub(super) fn completed(lang: Language) -> Command {
    fn bare(command: Command) -> Command {
        let arg = |arg: Arg| {
            let known = arg.get_possible_values().into_iter().map(|value| value.help(None::<&str>)).collect::<Vec<_>>();
            match known.is_empty() || !arg.get_action().takes_values() {
                _ if arg.is_hide_set() => arg.help("").long_help(""),
                true => arg,
                false => arg.value_parser(PossibleValuesParser::new(known)),
            }
        };
        command.mut_args(arg).mut_subcommands(bare)
    }
    match lang {
        Language::En => command(lang),
        Language::Zh => bare(command(lang)),
    }
}

/// Prints help or version.
///
/// # Errors
/// Standard output takes no more.
pub(super) fn print(asked: &clap::Error, lang: Language) -> std::io::Result<()> {
    match lang {
        // Standard output may be gone from the start: said before anything is lost.
        Language::En => output::raw(&[]).and_then(|()| asked.print()),
        // In the encoding of the terminal.
        Language::Zh => output::lines(page(asked).iter().map(String::as_str)),
    }
}

/// A Chinese page in lines that fit.
fn page(asked: &clap::Error) -> Vec<String> {
    // The library ends headings with a narrow sign.
    let wide = |line: &str| match line.strip_suffix(':').filter(|head| HEADINGS.contains(head)) {
        Some(head) => format!("{head}："),
        None => line.to_owned(),
    };
    let cells = cells();
    asked.render().to_string().lines().flat_map(|line| folded(&wide(line), cells)).collect()
}

/// Headings of a page of help.
const HEADINGS: [&str; 3] = ["命令", "参数", "选项"];

fn in_chinese(command: Command, path: &str) -> Command {
    let about = VERBS.iter().find(|(verb, _)| *verb == path).map(|(_, about)| *about);
    // Of the help of `help` itself there is nothing more to say.
    let about = about.or_else(|| path.contains("help").then_some("显示帮助"));
    let mut command = command
        .help_template("{before-help}{about-with-newline}\n用法：{usage}\n\n{all-args}{after-help}")
        .subcommand_help_heading("命令")
        // Lines are folded by us: the library breaks them at blanks.
        .term_width(0)
        .mut_args(|arg| option(arg, path))
        .mut_subcommands(|verb| {
            let inner =
                if path.is_empty() { verb.get_name().to_owned() } else { format!("{path} {}", verb.get_name()) };
            in_chinese(verb, &inner)
        });
    if let Some(about) = about {
        command = command.about(about).long_about(if path.is_empty() {
            format!("{about}\n\n{MORE}")
        } else {
            about.to_owned()
        });
    }
    command
}

/// An option with its words; its defaults and values are said in them.
fn option(arg: Arg, path: &str) -> Arg {
    let name = arg.get_id().as_str().to_owned();
    let of =
        |verb: &str| OPTIONS.iter().find(|(at, option, _)| *at == verb && *option == name).map(|(_, _, help)| *help);
    let Some(help) = of(path).or_else(|| of("*")) else { return arg };
    let mut help = help.to_owned();
    let flag = !arg.get_action().takes_values();
    if !flag && !arg.is_hide_default_value_set() && !arg.get_default_values().is_empty() {
        let values: Vec<String> = arg.get_default_values().iter().map(|v| v.to_string_lossy().into_owned()).collect();
        help.extend(["［默认：", &values.join(","), "］"]);
    }
    let values: Vec<String> = if flag {
        Vec::new()
    } else {
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect()
    };
    if !values.is_empty() {
        help.extend(["［可选：", &values.join("、"), "］"]);
    }
    let heading = if arg.is_positional() { "参数" } else { "选项" };
    arg.long_help(help.clone()).help(help).hide_default_value(true).hide_possible_values(true).help_heading(heading)
}

/// What the value of an option has to be, by the name of the value; what a reader of ours says in Chinese is said itself.
fn wanted(arg: &str, why: &str) -> String {
    let name = arg.rsplit('<').next().unwrap_or_default().trim_end_matches('>');
    // The words of the library, which has no others; what a type ends at helps nobody.
    let ends = [u64::from(u32::MAX), u64::MAX, i64::MAX.cast_unsigned()].map(|end| end.to_string());
    let range = why.split_once(" is not in ").and_then(|(_, range)| range.split_once("..="));
    match range {
        Some((from, to)) if !ends.iter().any(|end| end == to) => return format!("应为 {from} 至 {to} 的整数"),
        Some((from, _)) if from != "0" => return format!("应为不小于 {from} 的整数"),
        _ => {}
    }
    match name {
        "DAYS" => "应为整数，如 365".to_owned(),
        "N" | "MS" | "BILLS" | "SEED" => "应为整数，如 20".to_owned(),
        "SPAN" => "应为时长，如 6s、5m、2h".to_owned(),
        "DAY" => "应为日期，如 2026-11-23".to_owned(),
        "TIME" => "应为时间，如 2026-11-23 08:00".to_owned(),
        "USER" => "本机没有该用户".to_owned(),
        "HEAD" => "应为 `skydeck log head` 打印的一行".to_owned(),
        "BIND" => "应为 IP 地址，如 127.0.0.1".to_owned(),
        "PORT" => "应为 0 至 65535 的整数".to_owned(),
        _ => format!("“{why}”"),
    }
}

/// Wrong usage in Chinese: what, what would be right, and where to look.
pub(super) fn wrong(error: &clap::Error) -> String {
    // A command that has commands of its own: its page lists them, and is in Chinese already.
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return page(error).join("\n");
    }
    let get = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let (arg, value) = (get(ContextKind::InvalidArg), get(ContextKind::InvalidValue));
    let near = |kind| match get(kind) {
        near if near.is_empty() => String::new(),
        near => format!("：是不是 `{}`？", near.replace(", ", "` 或 `")),
    };
    let said = match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() => format!("{arg} 缺少值"),
        ErrorKind::InvalidValue => {
            format!("`{value}` 不能作为 {arg} 的值：可选 {}", get(ContextKind::ValidValue).replace(", ", "、"))
        }
        ErrorKind::ValueValidation => match std::error::Error::source(error) {
            Some(why) => format!("`{value}` 不能作为 {arg} 的值：{}", wanted(&arg, &why.to_string())),
            None => format!("`{value}` 不能作为 {arg} 的值"),
        },
        ErrorKind::UnknownArgument => format!("未知的参数 `{arg}`{}", near(ContextKind::SuggestedArg)),
        ErrorKind::InvalidSubcommand => {
            format!("未知的命令 `{}`{}", get(ContextKind::InvalidSubcommand), near(ContextKind::SuggestedSubcommand))
        }
        ErrorKind::ArgumentConflict if get(ContextKind::PriorArg) == arg => format!("{arg} 只能写一次"),
        ErrorKind::ArgumentConflict => format!("{arg} 不能与 {} 同用", get(ContextKind::PriorArg)),
        ErrorKind::MissingRequiredArgument => format!("缺少参数：{arg}"),
        ErrorKind::MissingSubcommand => "缺少命令".to_owned(),
        ErrorKind::NoEquals => format!("{arg} 的值须用等号给出"),
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("{arg} 的值的个数不对")
        }
        ErrorKind::InvalidUtf8 => "参数不是有效的 UTF-8".to_owned(),
        _ => "命令行有误".to_owned(),
    };
    let usage = get(ContextKind::Usage);
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let usage = if usage.is_empty() { String::new() } else { format!("\n用法：{usage}") };
    format!("skydeck：{said}{usage}\n用 --help 查看帮助")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn han(text: &str) -> bool {
        text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
    }

    /// The words of a command and of all beneath it, with where they stand; hidden ones are for nobody.
    fn words(command: &Command, path: &str, out: &mut Vec<(String, String)>) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        out.push((path.to_owned(), about));
        out.extend(command.get_long_about().map(|about| (format!("{path} (long)"), about.to_string())));
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let id = format!("{path} --{}", arg.get_id());
            out.push((id.clone(), arg.get_help().map(ToString::to_string).unwrap_or_default()));
            out.extend(arg.get_long_help().map(|help| (id, help.to_string())));
        }
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            words(verb, &format!("{path} {}", verb.get_name()), out);
        }
    }

    fn all(lang: Language) -> Vec<(String, String)> {
        let mut command = command(lang);
        command.build();
        let mut out = Vec::new();
        words(&command, "skydeck", &mut out);
        out
    }

    #[test]
    fn a_number_out_of_its_range_is_told_with_the_range() {
        assert_eq!(super::wanted("--history <DAYS>", "0 is not in 1..=3650"), "应为 1 至 3650 的整数");
        assert_eq!(super::wanted("--history <DAYS>", "invalid digit found in string"), "应为整数，如 365");
        assert_eq!(super::wanted("--limit <N>", "99999999999 is not in 0..=4294967295"), "应为整数，如 20");
        assert_eq!(super::wanted("--bills <N>", "99999999999 is not in 0..=2000000"), "应为 0 至 2000000 的整数");
    }

    #[test]
    fn every_verb_and_option_is_explained_in_the_language_that_is_asked_for() {
        let (zh, en) = (all(Language::Zh), all(Language::En));
        assert!(zh.len() > 300 && en.len() > 300, "{} {}", zh.len(), en.len());
        let missing: Vec<_> = zh.iter().filter(|(_, said)| !han(said)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        let strange: Vec<_> = en.iter().filter(|(_, said)| said.is_empty() || han(said)).collect();
        assert!(strange.is_empty(), "{strange:?}");
    }

    #[test]
    fn a_page_of_help_is_chinese_but_for_names() {
        let mut command = command(Language::Zh);
        let page = command.render_long_help().to_string();
        for word in ["Usage", "Options", "Commands", "Print", "default:", "possible values"] {
            assert!(!page.contains(word), "{word}: {page}");
        }
        let run = command.find_subcommand_mut("run").unwrap().render_help().to_string();
        assert!(run.contains("用法：") && run.contains("参数") && run.contains("选项"), "{run}");
    }

    #[test]
    fn what_is_wrong_with_a_command_is_told_with_what_there_is() {
        let wrong = |args: &[&str]| super::wrong(&command(Language::Zh).try_get_matches_from(args).unwrap_err());
        let env = wrong(&["skydeck", "env"]);
        assert!(["check", "add", "用法："].iter().all(|word| env.contains(word)) && !env.contains("Usage"), "{env}");
        let near = wrong(&["skydeck", "ledgr"]);
        assert!(near.contains("`ledger`") && !near.contains(", "), "{near}");
        for option in ["--per-minute", "--concurrency"] {
            let none = wrong(&["skydeck", "demo", option, "0"]);
            assert!(none.contains("应为 1 至"), "{none}");
        }
        assert!(wrong(&["skydeck", "demo", "--delay", "99999999999"]).contains("应为 0 至 3600000"));
    }

    #[test]
    fn every_row_is_of_a_verb_or_option_that_is_there() {
        let mut command = Cli::command();
        command.build();
        for (path, _) in VERBS {
            let verb =
                path.split(' ').filter(|w| !w.is_empty()).try_fold(&command, |at, word| at.find_subcommand(word));
            assert!(verb.is_some(), "{path}");
        }
        for (path, option, _) in OPTIONS.iter().filter(|(path, ..)| *path != "*") {
            let verb = path.split(' ').try_fold(&command, |at, word| at.find_subcommand(word)).expect(path);
            assert!(verb.get_arguments().any(|arg| arg.get_id() == option), "{path} {option}");
        }
    }
}
