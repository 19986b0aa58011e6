//! The sentences of [`Reason`] in English. One sentence a variant: what happened, to what, and what to do next.

use super::Reason as R;
use crate::domain::operation::declaration;

/// A reason in English.
pub(super) fn sentence(reason: &R) -> String {
    match reason {
        R::Legacy { said } => said.clone(),
        R::Breaker { cause: Some(cause), n, of } => format!("{n} of the last {of} bills were refused: {cause}"),
        R::Breaker { cause: None, n, of } => format!("{n} of the last {of} bills were refused"),
        R::BreakerUnknown { n } => format!("{n} calls in a row without a usable answer"),
        R::WrongIds {} => "an answer named bills that were not asked".to_owned(),
        R::Unreachable { said } | R::SignInRefused { said } | R::ReadFailed { said } | R::QueryFailed { said } => {
            said.clone()
        }
        R::SessionLost { times, minutes } => format!("the session was lost {times} times in {minutes} minutes"),
        R::PlanWide { failure } => failure.message.clone(),
        R::SuccessWithoutEffect { no } => format!("the ERP said success for {no}, and nothing changed"),
        R::KeyNotHonoured { sent, got } => format!("the ERP numbered the bill {got}, not {sent} as asked"),
        R::Canary { cause, n } => format!("among the first calls, {n} refused: {cause}"),
        R::CanaryUnknown {} => "no usable answer among the first calls".to_owned(),
        R::PagesOutOfOrder {} => "the server answers pages out of order of the id; nothing was written".to_owned(),
        R::NoCounterpart { source, target, found, first } => format!(
            "environment {source} found {found} bills, and {target} holds none of these numbers exactly once: {}",
            first.join(", ")
        ),
        R::TooManyAcross { most } => {
            format!("more than {most} bills between two environments in one run; cut the query by date")
        }
        R::BadNumber { said } => format!("a bill number of the source: {said}"),
        R::Interrupted {} => "interrupted while collecting: the process ended; start it again".to_owned(),
        R::TaskDied { said: Some(said) } => format!("a bill's task died: {said}; its bill is unknown"),
        R::TaskDied { said: None } => "the run's task died; resume it, and report the log".to_owned(),
        R::Disk { said } => said.clone(),
        R::Unattended { minutes, why: Some(why) } => {
            format!("paused and left alone for {minutes} minutes: {}", sentence(why))
        }
        R::Unattended { minutes, why: None } => format!("paused and left alone for {minutes} minutes"),
        R::WrongServer { .. }
        | R::ServerUnknown { .. }
        | R::OtherAccountSet { .. }
        | R::ServerKnown { .. }
        | R::SameServer { .. } => server(reason),
        other => refusal(other),
    }
}

fn server(reason: &R) -> String {
    match reason {
        R::WrongServer { env, was, is } => format!(
            "environment {env} is {is} now, and this run was read from {was}: nothing was sent. Adopt the new address \
             with `skydeck env adopt {env}`, or put the old one back"
        ),
        R::ServerUnknown { env, is } => format!(
            "bills of environment {env} are open or unknown from before servers were noted: say with `skydeck env adopt \
             {env}` that they belong to {is}"
        ),
        R::OtherAccountSet { env, was, is } => format!(
            "environment {env} belongs to {was}; {is} is another account set: make it an environment of its own"
        ),
        R::ServerKnown { env, is } => format!("environment {env} is bound to {is} already"),
        R::SameServer { env, other } => format!(
            "environments {env} and {other} write to one server and account set: remove one, or give it \
             read_only = \"always\""
        ),
        other => refusal(other),
    }
}

fn refusal(reason: &R) -> String {
    match reason {
        R::ReadOnly { env } => format!("environment {env} is read-only: unlock it first, with a reason"),
        R::AlwaysReadOnly { env } => {
            format!("environment {env} is read-only by its configuration (read_only = \"always\")")
        }
        R::NotAllowed { verb, role, needed } => {
            format!("not allowed: {verb} needs the role {needed}, yours is {role} (see [access] in the configuration)")
        }
        R::SecondPerson { run, hash } => {
            format!("noted: run {run} waits for a second approver, another user, within 10 minutes; set {hash}")
        }
        R::Busy { plan, run } => {
            format!("plan {plan} already has an open run {run}: finish, resume or cancel it first")
        }
        R::NoRun { run } => format!("there is no run {run}"),
        R::NoPlan { plan } => format!("there is no plan `{plan}`"),
        R::NoEnvironment { env } => format!("there is no environment `{env}`"),
        R::PlanNamesNoEnvironment { plan, env } => {
            format!("plan {plan} names environment `{env}`, which is not configured")
        }
        R::NothingConfigured {} => "no environment is configured".to_owned(),
        R::SetChanged { run, is, seen } => {
            format!("the set of run {run} has the hash {}, not {}: look at it again", is.short(), seen.short())
        }
        R::TypeCount { n } => format!("type the number of bills, {n}"),
        R::TypeEnvironment { env } => format!("type the environment's name, {env}"),
        R::NeedsReason { verb } => format!("{verb} needs a written reason"),
        R::FlagsNeedReason {} => "flags that wave an ERP rule through need a written reason".to_owned(),
        R::ScheduleApproves {} => "in production a person approves, never the schedule".to_owned(),
        R::OtherFlags { first } => {
            format!("{first} approved other flags: approve the same ones, or let {first} approve anew")
        }
        R::PlanChanged { plan, run, was, is } => format!(
            "plan {plan} changed since run {run} was collected (then {}, now {}): cancel it and start again",
            was.short(),
            is.short()
        ),
        R::BreakerOpen { env, why } => format!("the breaker of {env} is open: {}", sentence(why)),
        R::NotAwaiting { run } => format!("run {run} does not wait for an approval"),
        R::NotWriting { run } => format!("run {run} is not writing; it can be cancelled"),
        R::NotPaused { run } => format!("run {run} is not paused"),
        R::OnlyReads { run } => format!("run {run} only reads and goes on by itself"),
        R::Closing { run } => format!("run {run} is being closed"),
        R::Closed { run } => format!("run {run} is closed; a closed run never changes"),
        R::PaceZero {} => "a pace of 0 would wait for ever: pause the run instead".to_owned(),
        R::EngineEnds {} => "the engine is ending: give the order again after the next start".to_owned(),
        other => of_plan(other),
    }
}

fn of_plan(reason: &R) -> String {
    match reason {
        R::PlanProblem { said } => said.clone(),
        R::NoEffect { plan, operation, rev: None } => format!(
            "plan {plan} executes `{operation}` and does not say how a bill shows that it is done: add {}",
            declaration(operation)
        ),
        R::NoEffect { plan, operation, rev: Some(rev) } => format!(
            "revision {} of plan {plan} executes `{operation}` and does not say how a bill shows that it is done: use the \
             newest revision, which must hold {}",
            rev.short(),
            declaration(operation)
        ),
        R::OtherOperation { plan, was, is } => format!(
            "plan {plan} executes {} now, and these bills were to get {}: retry them under their original revision, or \
             resolve them",
            is.name(),
            was.name()
        ),
        R::OperationNotAllowed { env, operation } => format!(
            "operation `{operation}` is not among allow_operations of environment {env}: its owner must name it there"
        ),
        R::RevisionNotKept { plan, rev, newest } => format!(
            "revision {} of plan {plan} is not kept here (its run is older than the keeping of revisions): retry with the \
             newest, {}",
            rev.short(),
            newest.short()
        ),
        R::OffInProduction { plan } => format!(
            "plan {plan} runs in production, where a schedule is off unless the plan says skydeck.schedule.production"
        ),
        R::NoRemedy { plan } => format!("plan {plan} has no omissionRemedy"),
        R::NotHere { plan, form, env } => {
            format!("plan {plan} no longer queries {form} in environment {env}, where these bills are")
        }
        R::FormsDiffer { plan, source, target } => {
            format!("plan {plan} queries {source} and calls {target}: status could not be read back")
        }
        R::UnknownZone { env, zone } => {
            format!("environment {env} has the unknown server_zone `{zone}`; write e.g. Asia/Shanghai")
        }
        R::NothingMatches { left_out } if left_out.is_empty() => "no unresolved bill matches".to_owned(),
        R::NothingMatches { left_out } => {
            let parts: Vec<String> = left_out.iter().map(|(why, n)| format!("{n} {why}")).collect();
            format!("no unresolved bill matches; left out: {}", parts.join(", "))
        }
        // Every variant stands in one of the tables above; the test of both languages walks them all.
        other => format!("{other:?}"),
    }
}
