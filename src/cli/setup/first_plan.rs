//! The first plan of an environment: one of the integration platform's, or a new one for a form. It is tried before it is
//! kept.
//!
//! Invariant: a plan that is there already is never replaced.

use std::path::{Path, PathBuf};

use super::ask::Asker;
use super::files;
use super::form::{self, Wanted};
use crate::boot;
use crate::cli::context::Context;
use crate::cli::out::Out;
use crate::cli::{plans, rights};
use crate::domain::env::Environment;
use crate::domain::ids::{EnvId, FormId, PlanId};
use crate::domain::plan::Plan;
use crate::domain::reason::fault_zh;
use crate::domain::step::Verb;
use crate::engine::ports::{Erp, Fault, FormInfo};
use crate::exit::Stop;
use crate::plan;
use crate::text::show;

/// Where a plan is being made.
pub struct Bench<'a> {
    /// Configuration with the environment in it.
    pub context: &'a Context,
    /// The environment.
    pub environment: &'a Environment,
    /// Its client.
    pub erp: &'a dyn Erp,
}

impl Bench<'_> {
    /// What a plan has to name: nothing where the environment is the default one.
    pub fn env(&self) -> Option<&EnvId> {
        let first = self.context.config.environments.first().map(|env| &env.environment.id);
        Some(&self.environment.id).filter(|id| first != Some(id))
    }
}

/// Asks for a first plan until there is one, or none is wanted.
///
/// # Errors
/// The person left; what is written stays.
pub async fn make(asker: &mut Asker<'_>, bench: &Bench<'_>) -> Result<Vec<PathBuf>, Stop> {
    loop {
        asker.say(
            "A plan says which bills are looked for and what is done with them.",
            "方案说明查询哪些单据、对其做什么。",
        );
        let question = asker.out.t(
            "[n] a new plan for a business object (default)   [i] import one of the integration platform   [l] later >",
            "[n] 为一个业务对象新建（默认）   [i] 导入集成平台的方案   [l] 以后再说 >",
        );
        let made = match asker.choice(question, &['n', 'i', 'l']).await? {
            'n' => new(asker, bench).await,
            'i' => import(asker, bench).await,
            _ => return Ok(Vec::new()),
        };
        match made {
            Ok(paths) if !paths.is_empty() => return Ok(paths),
            Ok(_) => {}
            Err(stop) if matches!(stop.exit, crate::exit::Exit::Interrupted | crate::exit::Exit::Refused) => {
                return Err(stop);
            }
            Err(stop) => asker.out.note(&stop.spoken(asker.out.lang).message),
        }
    }
}

/// What the ERP says a form is made of, or what went wrong in words.
pub async fn described(out: &Out, erp: &dyn Erp, form: &FormId) -> Result<FormInfo, (Fault, String)> {
    erp.describe(form).await.map_err(|fault| {
        let said = show(&fault.message, 2000).into_string();
        let said = if out.is_zh() { fault_zh(&said) } else { said };
        (fault, said)
    })
}

/// A new plan for a form.
async fn new(asker: &mut Asker<'_>, bench: &Bench<'_>) -> Result<Vec<PathBuf>, Stop> {
    let (form, info) = loop {
        let label = asker
            .out
            .t("business object, e.g. SAL_OUTSTOCK, STK_InStock", "业务对象标识，如 SAL_OUTSTOCK、STK_InStock");
        let form = FormId::new(asker.text(label, None).await?);
        asker.say("Reading its fields from the ERP (Ctrl-C ends it) …", "正在从 ERP 读取字段（Ctrl-C 结束）…");
        match asker.wait(described(asker.out, bench.erp, &form)).await? {
            Ok(info) => break (form, Some(info)),
            Err((_, said)) => asker.out.note(&said),
        }
        let question = asker.out.t(
            "[o] another business object (default)   [h] this one, with the usual fields >",
            "[o] 换一个业务对象（默认）   [h] 就用它，取常用字段 >",
        );
        if asker.choice(question, &['o', 'h']).await? == 'h' {
            break (form, None);
        }
    };
    if let Some(info) = &info {
        let name = show(&info.name, 80).into_string();
        asker.out.note(&asker.out.colon(form.as_str(), form.as_str(), &name));
        let lacks = form::lacks(info);
        if !lacks.is_empty() {
            return Err(form::unfit(asker.out, &form, &lacks));
        }
    }
    let question = asker.out.t(
        "[a] audit what is submitted (default)   [b] submit, then audit   [s] submit >",
        "[a] 审核已提交的单据（默认）   [b] 先提交再审核   [s] 提交 >",
    );
    let (verb, submit) = match asker.choice(question, &['a', 'b', 's']).await? {
        'b' => (Verb::Audit, true),
        's' => (Verb::Submit, false),
        _ => (Verb::Audit, false),
    };
    let wanted = Wanted { form: &form, env: bench.env(), verb: &verb, submit, shown: None };
    loop {
        let columns = match &info {
            Some(info) => form::chosen(asker, &form, info).await?,
            None => Vec::new(),
        };
        let text = match &info {
            Some(info) => form::text(&wanted, Some(info), columns),
            None => plan::new_plan(&form, bench.env(), &verb, submit),
        };
        let read = read(asker.out, &text)?;
        let tried = asker.wait(rights::of_plan(asker.out, bench.environment, bench.erp, &read)).await??;
        if tried.query.is_none() {
            say_refused(asker, tried.is_well);
            return keep(asker, bench, &default_name(&form, &verb), &text).await;
        }
        let question = asker.out.t(
            "[c] choose the columns again (default)   [k] keep the plan all the same   [o] another business object >",
            "[c] 重新选择列（默认）   [k] 仍保存此方案   [o] 换一个业务对象 >",
        );
        match asker.choice(question, &['c', 'k', 'o']).await? {
            'c' if info.is_some() => {}
            'k' => return keep(asker, bench, &default_name(&form, &verb), &text).await,
            _ => return Ok(Vec::new()),
        }
    }
}

fn say_refused(asker: &Asker<'_>, is_well: bool) {
    if !is_well {
        asker.say(
            "this user may not do all of it (!): have the right granted, or the bills will fail with these words",
            "该用户不能完成上面带 ! 的操作：请管理员授权，否则单据会以此原因失败",
        );
    }
}

/// `sal_outstock_audit`.
pub fn default_name(form: &FormId, verb: &Verb) -> String {
    let what = match verb {
        Verb::Audit => "audit",
        Verb::Submit => "submit",
        Verb::Save => "save",
        Verb::Push => "push",
        Verb::Send => "send",
        Verb::Operation(name) => name,
    };
    format!("{form}_{what}").to_lowercase()
}

/// The plan that a text is.
pub fn read(out: &Out, text: &str) -> Result<Plan, Stop> {
    let read = plan::read(PlanId::new("new"), text);
    read.map(|file| file.plan).map_err(|e| Stop::usage(if out.is_zh() { e.said_in_chinese() } else { e.message() }))
}

/// Writes a plan under a name that is free.
async fn keep(asker: &mut Asker<'_>, bench: &Bench<'_>, name: &str, text: &str) -> Result<Vec<PathBuf>, Stop> {
    let dir = bench.context.plan_dir();
    let mut free = name.to_owned();
    for n in 2.. {
        if !dir.join(format!("{free}.json")).exists() {
            break;
        }
        free = format!("{name}_{n}");
    }
    loop {
        let typed = asker.text(asker.out.t("name of the plan", "方案名称"), Some(&free)).await?;
        let typed = typed.strip_suffix(".json").unwrap_or(&typed);
        if typed.starts_with('.') || typed.contains(['/', '\\', '\0']) {
            asker.say("a name has no / and does not begin with a dot", "名称不能含 /，也不能以点开头");
            continue;
        }
        let path = dir.join(format!("{typed}.json"));
        match files::write_new(&path, text) {
            Ok(()) => {
                asker.out.note(&asker.out.colon("written", "已写入", &path.display().to_string()));
                return Ok(vec![path]);
            }
            Err(stop) if path.exists() => asker.out.note(&stop.spoken(asker.out.lang).message),
            Err(stop) => return Err(stop),
        }
    }
}

/// A plan file of ours or the vendor's, or a table printed from its page.
async fn import(asker: &mut Asker<'_>, bench: &Bench<'_>) -> Result<Vec<PathBuf>, Stop> {
    let typed = asker.text(asker.out.t("file", "文件"), None).await?;
    let path = at_home(&typed);
    let text = plans::text_of(asker.out, &path)?;
    let name = boot::plan_id(&path).0;
    let mut texts = Vec::new();
    if plan::inspect(PlanId::new(name.clone()), &text).is_ok() {
        texts.push(text);
    } else {
        let imported = plan::import(&text).map_err(|e| {
            let said = if asker.out.is_zh() { e.in_chinese() } else { e.to_string() };
            Stop::usage(asker.out.colon(&typed, &typed, &said))
        })?;
        for plan in imported {
            for guess in &plan.guesses {
                asker.out.note(&asker.out.colon("assumed", "推断", guess.said(asker.out.is_zh())));
            }
            texts.push(plan.json);
        }
    }
    let mut written = Vec::new();
    for text in texts {
        let text = bench.env().map_or(Ok(text.clone()), |env| naming(&text, env))?;
        // What keeps it from running is named; it can be mended where it is kept.
        if !plans::refuses(asker.out, None, &text, "")?
            && let Ok(plan) = read(asker.out, &text)
        {
            let tried = asker.wait(rights::of_plan(asker.out, bench.environment, bench.erp, &plan)).await??;
            say_refused(asker, tried.is_well);
        }
        written.extend(keep(asker, bench, &name, &text).await?);
    }
    Ok(written)
}

/// The same plan, of this environment unless it names another.
fn naming(text: &str, env: &EnvId) -> Result<String, Stop> {
    let mut value: serde_json::Value = serde_json::from_str(text).map_err(|e| Stop::usage(e.to_string()))?;
    if let Some(plan) = value.as_object_mut()
        && let Some(policy) = plan.entry("skydeck").or_insert_with(|| serde_json::json!({})).as_object_mut()
    {
        policy.entry("env").or_insert_with(|| serde_json::json!(env));
    }
    Ok(plan::text(&value))
}

/// A path as a shell would take it.
fn at_home(typed: &str) -> PathBuf {
    let typed = typed.trim_matches(['\'', '"']);
    match (typed.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(typed),
    }
}
