//! `plan lint`: what a file and the configuration say against a plan, each with its place.

use std::path::Path;

use super::{Place, said};
use crate::cli::out::Out;
use crate::domain::language::Language;
use crate::domain::reason::Reason;
use crate::exit::{Exit, Stop};
use crate::plan::lint::Severity;
use crate::plan::{self, PlanFile};

/// Says what of the configuration keeps a plan from running: an environment that is not there, an operation that is not allowed;
/// the exit that leads to, where there is any.
fn lint_env(out: &Out, path: &Path, file: &PlanFile, place: Place<'_>) -> Result<Option<Exit>, Stop> {
    let Some(why) = place.objection(&file.plan) else { return Ok(None) };
    // The file itself is good where the environment's owner has yet to allow what it calls: that is no fault of the plan.
    let (field, named, grave, exit) = match &why {
        Reason::NoEnvironment { env } => ("env", format!("\"{env}\""), Severity::Refuses, Exit::Usage),
        Reason::OperationNotAllowed { operation, .. } => {
            ("target.request", format!("\"{operation}\""), Severity::Info, Exit::Ok)
        }
        Reason::LookupCircle { .. } | Reason::LookupUnknown { .. } | Reason::LookupCalls { .. } => {
            ("target.request", "_findCollection".to_owned(), Severity::Refuses, Exit::Usage)
        }
        _ => return Ok(None),
    };
    let line = file.text.lines().position(|line| line.contains(&named)).map_or(1, |at| at + 1);
    let message = out.reason_of(&why);
    if out.json {
        out.object(&serde_json::json!({
            "type": "hazard", "number": null, "line": line, "field": field, "severity": grave.word(),
            "message": message, "mend": null, "reason": why.code(), "reason_args": why.args(),
        }))?;
    } else {
        out.line(&format!("{}:{line}: {} {field}: {message}", path.display(), severity(out, grave)))?;
    }
    Ok(Some(exit))
}

/// How grave a finding is, for people.
fn severity(out: &Out, severity: Severity) -> &'static str {
    match (out.lang, severity) {
        (Language::En, severity) => severity.word(),
        (Language::Zh, Severity::Info) => "提示",
        (Language::Zh, Severity::Warning) => "警告",
        (Language::Zh, Severity::Refuses) => "不能运行",
    }
}

pub(super) fn lint(out: &Out, path: &Path, file: &PlanFile, place: Place<'_>) -> Result<Exit, Stop> {
    let objection = lint_env(out, path, file, place)?;
    let unknown = objection.unwrap_or(Exit::Ok);
    let hazards = plan::lint(file);
    for hazard in &hazards {
        let message = said(out, hazard);
        if out.json {
            out.object(&serde_json::json!({
                "type": "hazard", "number": hazard.number, "line": hazard.line, "field": hazard.field,
                "severity": hazard.severity.word(), "message": message, "mend": hazard.mend_in(out.is_zh()),
            }))?;
            continue;
        }
        out.line(&format!(
            "{}:{}: {} #{} {}{}{message}",
            path.display(),
            hazard.line,
            severity(out, hazard.severity),
            hazard.number,
            hazard.field,
            out.t(": ", "："),
        ))?;
        if let Some(mend) = hazard.mend_in(out.is_zh()) {
            out.line(&format!("    {}", out.colon("fix", "建议", mend)))?;
        }
    }
    if hazards.is_empty() && objection.is_none() && !out.json {
        out.line(out.t("no known hazard", "没有已知隐患"))?;
    }
    let bad = hazards.iter().any(|h| h.severity == Severity::Refuses);
    let worst = hazards.iter().any(|h| h.severity == Severity::Warning);
    Ok(if bad {
        Exit::Usage
    } else if worst {
        Exit::Failed.or(unknown)
    } else {
        unknown
    })
}
