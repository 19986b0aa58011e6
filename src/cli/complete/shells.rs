//! Bash, which takes a colon for the end of a word: `cause:lock` reaches us as three.
//!
//! Invariant: what is given back replaces exactly what Bash takes for the word under the cursor.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use clap::Command;
use clap_complete::env::{Bash as Library, EnvCompleter};

/// Where the library's script tells what is typed of the word.
const WORD: &str = "words[COMP_CWORD]=\"$2\"";

/// The library's Bash, with words joined that a colon parted.
pub struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == "bash"
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn io::Write,
    ) -> io::Result<()> {
        let mut script = Vec::new();
        Library.write_registration(var, name, bin, completer, &mut script)?;
        // Right behind a colon the word is empty, and the colon would be lost.
        let script =
            String::from_utf8_lossy(&script).replace(WORD, &format!("[[ \"${{words[COMP_CWORD]}}\" == : ]] || {WORD}"));
        buf.write_all(script.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        args: Vec<OsString>,
        here: Option<&Path>,
        buf: &mut dyn io::Write,
    ) -> io::Result<()> {
        let at = std::env::var("_CLAP_COMPLETE_INDEX").ok().and_then(|at| at.parse().ok()).unwrap_or(0);
        let (args, at, parted) = joined(args, at);
        let found = clap_complete::engine::complete(command, args, at, here)?;
        let parting = std::env::var("_CLAP_IFS").unwrap_or_else(|_| "\n".to_owned());
        let words = found.iter().map(|candidate| candidate.get_value().to_string_lossy());
        let words: Vec<String> = words.filter_map(|word| word.strip_prefix(&parted).map(str::to_owned)).collect();
        buf.write_all(words.join(&parting).as_bytes())
    }
}

/// The words with those joined again that a colon parted, the place of the one under the cursor, and its part that stands
/// before what Bash takes for the word.
fn joined(args: Vec<OsString>, at: usize) -> (Vec<OsString>, usize, String) {
    let mut words: Vec<OsString> = Vec::new();
    let (mut place, mut parted, mut open) = (0, String::new(), false);
    for (n, word) in args.into_iter().enumerate() {
        let colon = word == OsStr::new(":");
        let continues = n > 1 && (colon || open);
        let before = match words.last_mut() {
            Some(last) if continues => {
                let before = last.to_string_lossy().into_owned();
                last.push(&word);
                before
            }
            _ => {
                words.push(word);
                String::new()
            }
        };
        if n == at {
            // Bash gives the colon itself as the word where nothing is typed behind it, and replaces nothing of it.
            parted = if colon { format!("{before}:") } else { before };
            place = words.len().saturating_sub(1);
        }
        open = colon;
    }
    (words, place, parted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_colon_parted_are_one_again() {
        for (args, at, words, place, parted) in [
            (&["skydeck", "ledger", "cause", ":", "lo"][..], 4, &["skydeck", "ledger", "cause:lo"][..], 2, "cause:"),
            (&["skydeck", "ledger", "cause", ":"], 3, &["skydeck", "ledger", "cause:"], 2, "cause:"),
            (&["skydeck", "run", "se"], 2, &["skydeck", "run", "se"], 2, ""),
            (&["skydeck", "ledger", "a", ":", "b", "x"], 5, &["skydeck", "ledger", "a:b", "x"], 3, ""),
            (&["skydeck", ""], 1, &["skydeck", ""], 1, ""),
        ] {
            let found = joined(args.iter().map(OsString::from).collect(), at);
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(found, (words, place, parted.to_owned()), "{args:?}");
        }
    }
}
