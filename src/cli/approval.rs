//! What an approval lacks before anything was collected: an order that would be refused at its end is not begun.

use std::io::IsTerminal;

use super::args::{Approval, Verb};
use super::out::Out;
use crate::exit::Stop;
use crate::text::readable;

/// The approval that a verb carries.
pub(super) fn of(verb: &Verb) -> Option<&Approval> {
    match verb {
        Verb::Run(args) => Some(&args.approval),
        Verb::Retry(args) => Some(&args.approval),
        Verb::Approve(args) => Some(&args.approval),
        _ => None,
    }
}

/// Refuses an approval that no set could be approved with, and names all that it lacks.
///
/// # Errors
/// Usage: a written reason, or what must be typed where nobody can be asked for it.
pub(super) fn complete(out: &Out, approval: &Approval) -> Result<(), Stop> {
    let lacks = lacking(out, approval, std::io::stdin().is_terminal());
    if lacks.is_empty() {
        return Ok(());
    }
    let what = if approval.flags.is_empty() { "--unlock" } else { "--flag" };
    let (en, zh) = (
        format!("nothing was read: {what} needs {}", lacks.join(" and ")),
        format!("未读取任何单据：{what} 需要 {}", lacks.join(" 和 ")),
    );
    Err(out.usage(&en, &zh))
}

fn lacking<'a>(out: &'a Out, approval: &Approval, terminal: bool) -> Vec<&'a str> {
    let mut lacks = Vec::new();
    let grave = !approval.flags.is_empty();
    if grave || approval.unlock {
        match approval.reason.as_deref() {
            None => lacks.push("--reason"),
            Some(text) if readable(text).is_none() => {
                lacks.push(out.t("a --reason that can be read", "能看见文字的 --reason"));
            }
            Some(_) => {}
        }
    }
    // The number of bills is not known yet, but that one must be typed is.
    if grave && approval.confirm.is_none() && !terminal {
        lacks.push(out.t(
            "--confirm (the number of bills, as `skydeck plan preview` says it; in production the environment's name)",
            "--confirm（单据张数，见 `skydeck plan preview`；生产环境为环境名）",
        ));
    }
    lacks
}
