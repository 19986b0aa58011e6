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

/// What a plan is to do, as it was asked for.
pub(super) struct Done {
    pub verb: Verb,
    /// What shows that it is done, where that was said: a field and its value.
    pub shown: Option<(String, String)>,
}

/// Reads what is to be done.
pub(super) fn wanted(out: &Out, asked: &NewPlan) -> Result<Done, Stop> {
    let verb = match asked.operation.trim() {
        name if name.eq_ignore_ascii_case("audit") => Verb::Audit,
        name if name.eq_ignore_ascii_case("submit") => Verb::Submit,
        name => Verb::Operation(name.to_owned()),
    };
    if asked.submit && verb != Verb::Audit {
        let words = out.t("--submit goes before an audit alone", "--submit 只用于审核之前");
        return Err(Stop::usage(format!("{words}: --operation {}", asked.operation)));
    }
    let shown = match (&verb, &asked.done) {
        (Verb::Operation(name), _) if undoes(name) => {
            let words = out.t("takes back what was done: not offered", "是撤回类操作：不提供");
            return Err(Stop::usage(format!("`{name}` {words}")));
        }
        (Verb::Audit | Verb::Submit | Verb::Save | Verb::Push | Verb::Send, Some(_)) => {
            let words = out
                .t("is for other operations: what this one leads to is known", "只用于其他操作：此操作的结果是已知的");
            return Err(Stop::usage(format!("--done {words}")));
        }
        (Verb::Operation(_), Some(shown)) => {
            let (field, value) = shown.split_once('=').unwrap_or((shown, ""));
            Some((field.trim().to_owned(), value.trim().to_owned()))
        }
        (Verb::Operation(name), None) if shown_by(name).is_none() => {
            let words = out.t(
                "say what shows that it is done: --done FIELD=VALUE, e.g. --done FCloseStatus=B",
                "请说明怎样看出已完成：--done 字段=值，例如 --done FCloseStatus=B",
            );
            return Err(Stop::usage(format!("`{name}`: {words}")));
        }
        (Verb::Audit | Verb::Submit | Verb::Operation(_) | Verb::Save | Verb::Push | Verb::Send, None) => None,
    };
    Ok(Done { verb, shown })
}

/// Prints a plan of what is known of the form here; the ERP is not asked.
pub(super) fn print(out: &Out, form: &str, asked: &NewPlan) -> Result<Exit, Stop> {
    if asked.env.is_some() || !asked.fields.is_empty() || asked.output.is_some() || asked.keep {
        return Err(out.usage(
            "--env, --fields, --output and --keep belong to --form FORM, which asks the ERP",
            "--env、--fields、--output、--keep 只与 --form FORM 同用（向 ERP 查询字段）",
        ));
    }
    let (form, Done { verb, shown }) = (FormId::new(form), wanted(out, asked)?);
    let text = match (&verb, &shown) {
        (Verb::Operation(name), Some((field, value))) => plan::new_operation(&form, None, name, field, value),
        (Verb::Audit | Verb::Submit | Verb::Operation(_) | Verb::Save | Verb::Push | Verb::Send, _) => {
            plan::new_plan(&form, None, &verb, asked.submit)
        }
    };
    // What was typed went into it: a name or a field that a plan cannot hold is said, not printed.
    plan::read(PlanId::new("new"), &text)
        .map_err(|e| Stop::usage(if out.is_zh() { e.said_in_chinese() } else { e.message() }))?;
    out.document(&text)?;
    warn(out, &verb);
    Ok(Exit::Ok)
}

/// What has to be done before a plan of an operation is run.
pub(super) fn warn(out: &Out, verb: &Verb) {
    if let Verb::Operation(name) = verb {
        out.note(&out.t(
            "before the first run: narrow FilterString (as it stands it takes every bill in that state), and let the \
             environment allow it: allow_operations = [\"{}\"]",
            "首次运行前：请收窄 FilterString（现在会取处于该状态的全部单据），并在环境中允许：allow_operations = [\"{}\"]",
        ).replace("{}", name));
    }
}
