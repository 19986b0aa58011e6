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
use crate::domain::ids::FormId;
use crate::engine::ports::FormInfo;
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
            None
        }
        Err((fault, _)) => return Err(not_read(&out, bench.environment, &fault)),
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
    if let Some(why) = tried.query {
        return Err(out.usage(
            &format!("not made: its query fails: {why}"),
            &format!("未生成：查询失败：{}", crate::domain::reason::fault_zh(&why)),
        ));
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
