//! What a shell offers when Tab is pressed: plans, environments, runs, bill numbers, views and causes as they are now.
//!
//! Invariants: nothing is written, no lock is taken and nothing is said but candidates; whoever waits for it waits a tenth of
//! a second at most; no candidate holds a character that a terminal or a shell obeys.

mod shells;
mod values;

use std::ffi::OsString;

use clap::{Arg, Command};
use clap_complete::env::{EnvCompleter, Fish, Shells, Zsh};
use clap_complete::{ArgValueCompleter, CompleteEnv, Shell};

use self::shells::Bash;
use self::values::Offered;
use super::help;
use crate::domain::language::Language;

/// The variable by which a shell asks.
const ASKED: &str = "SKYDECK_COMPLETE";

/// Which arguments take what, by the verb's path (`*`: wherever it stands) and the argument's name.
const TAKES: &[(&str, &str, Offered)] = &[
    ("*", "plan", Offered::Plan),
    ("demo", "plan", Offered::Shipped),
    ("plan diff", "old", Offered::Plan),
    ("plan diff", "new", Offered::Plan),
    ("*", "env", Offered::Environment),
    ("env check", "name", Offered::Environment),
    ("env adopt", "name", Offered::Environment),
    ("*", "run", Offered::Run),
    ("bill", "number", Offered::Bill),
    ("plan preview", "numbers", Offered::Bill),
    ("reopen", "numbers", Offered::Bill),
    ("run", "numbers", Offered::Bill),
    ("*", "filter", Offered::Filter),
];

/// Answers a shell, if one asks. Gives whether it did.
///
/// # Errors
/// The shell is not known, or standard output takes no more.
pub fn answer() -> clap::error::Result<bool> {
    let lang = crate::boot::language(None, None);
    let shells: [&dyn EnvCompleter; 3] = [&Bash, &Zsh, &Fish];
    let here = std::env::current_dir().ok();
    CompleteEnv::with_factory(move || command(lang))
        .var(ASKED)
        .shells(Shells(&shells))
        .try_complete(std::env::args_os(), here.as_deref())
}

/// The script that makes a shell ask; `None` for shells that cannot, or for which nothing is made yet.
pub fn script(shell: Shell) -> Option<Vec<u8>> {
    let completer: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        _ => return None,
    };
    let mut script = Vec::new();
    // Into memory: nothing can fail.
    completer.write_registration(ASKED, "skydeck", "skydeck", "skydeck", &mut script).ok()?;
    Some(script)
}

/// The verbs, each argument with what is offered for it.
fn command(lang: Language) -> Command {
    fn with(command: Command, path: &str) -> Command {
        command.mut_args(|arg| taking(arg, path)).mut_subcommands(|verb| {
            let inner =
                if path.is_empty() { verb.get_name().to_owned() } else { format!("{path} {}", verb.get_name()) };
            with(verb, &inner)
        })
    }
    with(help::completed(lang), "")
}

fn taking(arg: Arg, path: &str) -> Arg {
    let name = arg.get_id().as_str().to_owned();
    let of = |verb: &str| TAKES.iter().find(|(at, option, _)| *at == verb && *option == name).map(|(_, _, kind)| *kind);
    match of(path).or_else(|| of("*")) {
        Some(kind) => arg.add(ArgValueCompleter::new(move |typed: &std::ffi::OsStr| kind.candidates(typed))),
        None => arg,
    }
}

/// Options of the line that is being typed: what stands behind `--` in our own arguments.
fn option(name: &str) -> Option<OsString> {
    let line: Vec<OsString> = std::env::args_os().skip_while(|arg| arg != "--").skip(1).collect();
    line.iter().enumerate().find_map(|(at, word)| {
        let word = word.to_str()?.strip_prefix(name)?;
        match word.strip_prefix('=') {
            Some(value) => Some(OsString::from(value)),
            None if word.is_empty() => line.get(at + 1).cloned(),
            None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_of_an_argument_that_is_there() {
        let mut command = command(Language::En);
        command.build();
        for (path, option, _) in TAKES.iter().filter(|(path, ..)| *path != "*") {
            let verb = path.split(' ').try_fold(&command, |at, word| at.find_subcommand(word)).expect(path);
            assert!(verb.get_arguments().any(|arg| arg.get_id() == option), "{path} {option}");
        }
    }

    #[test]
    fn every_shell_that_is_answered_gets_a_script_that_asks() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(script(shell).unwrap()).unwrap();
            assert!(script.contains(ASKED) && script.contains("skydeck"), "{script}");
        }
        assert!(script(Shell::Elvish).is_none());
    }
}
