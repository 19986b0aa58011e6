//! `plan new`: a plan to start from, for the operation that is asked for.
//!
//! Invariant: what it prints can run as it stands, or it prints nothing and says what is missing.

use super::args::NewPlan;
use super::out::Out;
use crate::domain::ids::{FormId, PlanId};
use crate::domain::operation::shown_by;
use crate::domain::step::Verb;
use crate::exit::{Exit, Stop};
use crate::plan::{self, undoes};

/// Prints the plan.
pub(super) fn print(out: &Out, asked: &NewPlan) -> Result<Exit, Stop> {
    let form = FormId::new(asked.form.clone());
    let verb = match asked.operation.trim() {
        name if name.eq_ignore_ascii_case("audit") => Verb::Audit,
        name if name.eq_ignore_ascii_case("submit") => Verb::Submit,
        name => Verb::Operation(name.to_owned()),
    };
    if asked.submit && verb != Verb::Audit {
        let words = out.t("--submit goes before an audit alone", "--submit 只用于审核之前");
        return Err(Stop::usage(format!("{words}: --operation {}", asked.operation)));
    }
    let text = match (&verb, &asked.done) {
        (Verb::Operation(name), _) if undoes(name) => {
            let words = out.t("takes back what was done: not offered", "是撤回类操作：不提供");
            return Err(Stop::usage(format!("`{name}` {words}")));
        }
        (Verb::Audit | Verb::Submit | Verb::Save | Verb::Push, Some(_)) => {
            let words = out
                .t("is for other operations: what this one leads to is known", "只用于其他操作：此操作的结果是已知的");
            return Err(Stop::usage(format!("--done {words}")));
        }
        (Verb::Operation(name), Some(shown)) => {
            let (field, value) = shown.split_once('=').unwrap_or((shown, ""));
            plan::new_operation(&form, None, name, field.trim(), value.trim())
        }
        (Verb::Operation(name), None) if shown_by(name).is_none() => {
            let words = out.t(
                "say what shows that it is done: --done FIELD=VALUE, e.g. --done FCloseStatus=B",
                "请说明怎样看出已完成：--done 字段=值，例如 --done FCloseStatus=B",
            );
            return Err(Stop::usage(format!("`{name}`: {words}")));
        }
        (Verb::Audit | Verb::Submit | Verb::Operation(_) | Verb::Save | Verb::Push, None) => {
            plan::new_plan(&form, None, &verb, asked.submit)
        }
    };
    // What was typed went into it: a name or a field that a plan cannot hold is said, not printed.
    plan::read(PlanId::new("new"), &text)
        .map_err(|e| Stop::usage(if out.is_zh() { e.said_in_chinese() } else { e.message() }))?;
    out.document(&text)?;
    if let Verb::Operation(name) = &verb {
        out.note(&out.t(
            "before the first run: narrow FilterString (as it stands it takes every bill in that state), and let the \
             environment allow it: allow_operations = [\"{}\"]",
            "首次运行前：请收窄 FilterString（现在会取处于该状态的全部单据），并在环境中允许：allow_operations = [\"{}\"]",
        ).replace("{}", name));
    }
    Ok(Exit::Ok)
}
