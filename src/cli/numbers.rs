//! The list of bill numbers of `run --numbers`: typed, in a file, or on standard input.

use std::io::Read as _;
use std::path::Path;

use super::out::Out;
use crate::domain::listed::{self, MOST_BYTES};
use crate::erp::files;
use crate::exit::{Exit, Stop};

/// The numbers that are meant, each once. `given`: as the arguments have them.
///
/// # Errors
/// A file that cannot be read, or what in it cannot be asked for, by its line.
pub(super) fn of(out: &Out, given: &[String]) -> Result<Vec<String>, Stop> {
    if given.is_empty() {
        return Ok(Vec::new());
    }
    let (name, text) = match given {
        [one] if one == "-" => (out.t("standard input", "标准输入").to_owned(), typed(out)?),
        [one] if is_file(one) => (one.clone(), of_file(out, one)?),
        all => ("--numbers".to_owned(), all.join("\n")),
    };
    listed::read(&text).map_err(|fault| {
        let line = fault.line.filter(|_| name != "--numbers");
        let at = line.map(|n| if out.is_zh() { format!(" 第 {n} 行") } else { format!(" line {n}") });
        let name = crate::text::show(&name, 256);
        let at = format!("{}{}", name.as_str(), at.unwrap_or_default());
        Stop::new(Exit::Usage, out.colon(&at, &at, &out.reason_of(&fault.why)))
    })
}

/// Whether a word is a file: one that is there, or one that no bill is called like.
fn is_file(word: &str) -> bool {
    let path = Path::new(word);
    let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
    let named = ["txt", "csv", "tsv", "lst"].iter().any(|known| end.eq_ignore_ascii_case(known));
    named || word.contains('/') || path.is_file()
}

fn of_file(out: &Out, name: &str) -> Result<String, Stop> {
    files::read_text(Path::new(name), MOST_BYTES as u64).map_err(|why| {
        let (en, zh) = why.words();
        let name = crate::text::show(name, 256);
        Stop::usage(if out.is_zh() { format!("{}：{zh}", name.as_str()) } else { format!("{}: {en}", name.as_str()) })
    })
}

/// What is typed or piped in, up to its end.
fn typed(out: &Out) -> Result<String, Stop> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|e| {
        let line = 1 + e.as_bytes().iter().take(e.utf8_error().valid_up_to()).filter(|byte| **byte == b'\n').count();
        out.usage(
            &format!("standard input line {line}: is no UTF-8"),
            &format!("标准输入 第 {line} 行：不是 UTF-8 编码"),
        )
    })
}
