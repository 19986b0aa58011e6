//! `plan new --form FORM`: a new plan with the fields that the ERP says the form has.

use std::sync::Arc;

use super::ask::{Asker, is_attended};
use super::files;
use super::first_plan::{Bench, default_name, described, read};
use super::form::{self, Column, Wanted};
use crate::boot;
use crate::cli::args::NewPlan;
use crate::cli::context::Context;
use crate::cli::environments::not_read;
use crate::cli::fresh::{self, Done};
use crate::cli::out::Out;
use crate::cli::rights;
use crate::domain::env::Environment;
use crate::domain::ids::FormId;
use crate::engine::ports::{Fault, FaultKind, FormInfo};
use crate::exit::{Exit, Stop};

/// Reads the form, lets the person choose among its fields, tries the query, and prints or writes the plan.
///
/// # Errors
/// The ERP cannot be asked, the form has no such field, or its query fails.
pub(in crate::cli) async fn from_erp(context: &Context, form: &str, asked: &NewPlan) -> Result<Exit, Stop> {
    let out = context.out();
    let environment = context.environment(asked.env.as_deref())?;
    context.warn_of_clear_text(environment);
    let base = context.paths.config_dir();
    let (causes, clock, known) = (&context.causes, &context.clock, &context.known);
    let erp = boot::client(environment, &base, causes, clock, known, &Arc::default())?;
    let bench = Bench { context, environment: &environment.environment, erp: &*erp };
    let form = FormId::new(form);
    let Done { verb, shown } = fresh::wanted(&out, asked)?;
    let info = match described(&out, &*erp, &form).await {
        Ok(info) => Some(info),
        // What is named by hand needs no list; the query tells whether it is right.
        Err((_, said)) if !asked.fields.is_empty() => {
            out.note(&said);
            out.note(out.t(
                "! the fields named are not checked against the form, and their labels are their own names: write better ones \
                 into the plan. The query that follows tells whether they are there",
                "! 所填字段未能与业务对象核对，标签即字段名，请在方案中改为合适的名称；字段是否存在由下面的查询检验",
            ));
            None
        }
        Err((fault, _)) => return Err(untold(&out, bench.environment, &fault)),
    };
    if let Some(lacks) = info.as_ref().map(form::lacks).filter(|lacks| !lacks.is_empty()) {
        return Err(form::unfit(&out, &form, &lacks));
    }
    let shown = shown.as_ref().map(|(field, value)| (field.as_str(), value.as_str()));
    let wanted = Wanted { form: &form, env: bench.env(), verb: &verb, submit: asked.submit, shown };
    let columns = columns(&out, &form, info.as_ref(), asked).await?;
    let text = form::text(&wanted, info.as_ref(), columns);
    let plan = read(&out, &text)?;
    // What is printed is the plan alone.
    let tried = rights::of_plan(&out.aside(), bench.environment, &*erp, &plan).await?;
    if let Some(fault) = tried.query {
        return Err(not_made(&out, &fault));
    }
    let name = default_name(&form, &verb);
    let path = match (&asked.output, asked.keep) {
        (Some(path), _) => Some(path.clone()),
        (None, true) => Some(context.plan_dir().join(format!("{name}.json"))),
        (None, false) => None,
    };
    match path {
        Some(path) => {
            files::write_new(&path, &text)?;
            out.note(&out.colon("written", "已写入", &path.display().to_string()));
        }
        None => out.document(&text)?,
    }
    fresh::warn(&out, &verb);
    Ok(if tried.is_well { Exit::Ok } else { Exit::Failed })
}

/// That the ERP does not tell a form's fields, and that a person who knows them needs no list.
fn untold(out: &Out, environment: &Environment, fault: &Fault) -> Stop {
    let stop = not_read(out, environment, fault);
    let (en, zh) = (
        ". Whoever knows the fields names them: --fields FDate,FCustomerID.FName",
        "；若已知字段，可直接填写：--fields FDate,FCustomerID.FName",
    );
    match fault.kind {
        FaultKind::NoAnswer
        | FaultKind::Http(_)
        | FaultKind::Unreadable
        | FaultKind::TooLarge
        | FaultKind::Refused { .. } => Stop { message: format!("{}{}", stop.message, out.t(en, zh)), ..stop },
        FaultKind::NotConnected
        | FaultKind::SessionLost
        | FaultKind::Credentials
        | FaultKind::AccountSet
        | FaultKind::Redirected
        | FaultKind::Config => stop,
    }
}

/// That no plan was made. Why its query failed was said before: a field is the person's to change, an ERP that does not answer
/// is not.
fn not_made(out: &Out, fault: &Fault) -> Stop {
    match fault.kind {
        FaultKind::Refused { .. } if !rights::is_of_the_user(fault) => out.usage(
            "no plan was made, because the ERP refuses its query (above); name other fields with --fields, or another form",
            "未生成方案：ERP 拒绝其查询（见上）；请用 --fields 改填字段，或换一个业务对象",
        ),
        _ => Stop::new(
            Exit::Failed,
            out.t("no plan was made, because its query failed (above)", "未生成方案：查询失败（见上）").to_owned(),
        ),
    }
}

async fn columns(out: &Out, form: &FormId, info: Option<&FormInfo>, asked: &NewPlan) -> Result<Vec<Column>, Stop> {
    if !asked.fields.is_empty() {
        return asked.fields.iter().map(|typed| form::named(out, form, info, typed.trim())).collect();
    }
    match info {
        Some(info) if is_attended() && !out.json => form::chosen(&mut Asker::new(out)?, form, info).await,
        Some(info) => Ok(form::offered(info)),
        None => Ok(Vec::new()),
    }
}
