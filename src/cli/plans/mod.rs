//! `plan …`: everything about plan files that needs no run.

mod lint;
mod preview;

use std::path::{Path, PathBuf};

use crate::boot::{self, Booted, plan_files};
use crate::cli::args::PlanVerb;
use crate::cli::json;
use crate::cli::out::Out;
use crate::domain::env::Environment;
use crate::domain::ids::{EnvId, PlanId};
use crate::domain::language::Language;
use crate::domain::operation::{Operation, Test};
use crate::domain::operation_words::name;
use crate::domain::plan::Plan;
use crate::domain::query::{PlanProblem, Query};
use crate::domain::reason::Reason;
use crate::domain::time::ErpDate;
use crate::exit::{Exit, Stop};
use crate::plan::lint::{Hazard, ID_PASSED_OVER, Severity};
use crate::plan::render::RenderContext;
use crate::plan::{self, PlanError, PlanFile};
use lint::lint;
use preview::{Asked, preview};

/// Names of the plans of a directory.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = plan_files::listed(dir).iter().map(|path| boot::plan_id(path).0).collect();
    names.sort();
    names
}

/// The file of a plan: a path as it stands, or a name of the directory.
fn file(out: &Out, dir: &Path, plan: &str) -> Result<PathBuf, Stop> {
    let direct = PathBuf::from(plan);
    if direct.extension().is_some_and(|e| e == "json") {
        return if direct.exists() {
            Ok(direct)
        } else {
            Err(Stop::usage(format!("{}{}", direct.display(), out.t(": no such plan file", "：没有这个方案文件"))))
        };
    }
    let named = dir.join(format!("{plan}.json"));
    if named.exists() {
        return Ok(named);
    }
    Err(no_plan(out, dir, plan))
}

/// That a plan is not there, and what is.
pub(super) fn no_plan(out: &Out, dir: &Path, plan: &str) -> Stop {
    let (at, there) = (dir.display(), names(dir).join(out.t(", ", "、")));
    if there.is_empty() {
        return out.usage(
            &format!("no plan {plan} in {at}, nor any other: `skydeck plan new` and `plan import` make one"),
            &format!(
                "没有方案 {plan}（目录 {at}）。现有：无。用 `skydeck plan new` 新建，或用 `skydeck plan import` 导入"
            ),
        );
    }
    out.usage(
        &format!("no plan {plan} in {at}; there are: {there}"),
        &format!("没有方案 {plan}（目录 {at}）。现有：{there}"),
    )
}

/// Whether a file is one of the plan directory, however the two are written.
pub fn stands_in(file: &Path, dir: &Path) -> bool {
    let parent = file.canonicalize().ok().and_then(|file| file.parent().map(Path::to_path_buf));
    parent.is_some() && parent == dir.canonicalize().ok()
}

fn read(out: &Out, dir: &Path, plan: &str) -> Result<(PathBuf, PlanFile, Vec<Hazard>), Stop> {
    let path = file(out, dir, plan)?;
    let (file, hazards) = boot::read_plan(&path).map_err(|problem| Stop::usage(problem.said(out.is_zh())))?;
    Ok((path, file, hazards))
}

/// The text of a plan file, or why it is none.
pub(super) fn text_of(out: &Out, path: &Path) -> Result<String, Stop> {
    plan_files::read_text(path).map_err(|why| {
        let ((en, zh), at) = (why.words(), path.display());
        Stop::usage(if out.is_zh() { format!("{at}：{zh}") } else { format!("{at}: {en}") })
    })
}

/// Reads a file for lint and show: one that refuses to run is read as far as it goes.
fn inspect(out: &Out, dir: &Path, plan: &str) -> Result<(PathBuf, PlanFile), Stop> {
    let path = file(out, dir, plan)?;
    let text = text_of(out, &path)?;
    let file = plan_files::inspect(&path, &text).map_err(|e| Stop::usage(at_file(out, &path.display(), &e)))?;
    Ok((path, file))
}

/// Where plans stand, and the environments they may name; none where those are not known.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The plan directory.
    pub dir: &'a Path,
    /// As the configuration has them.
    pub envs: &'a [Environment],
}

impl Place<'_> {
    /// What of the configuration keeps a plan from running.
    fn objection(&self, plan: &Plan) -> Option<Reason> {
        let known = |id: &EnvId| self.envs.iter().find(|env| env.id == *id);
        let missing = plan.env.iter().chain(&plan.target_env).find(|id| known(id).is_none());
        if let (Some(env), false) = (missing, self.envs.is_empty()) {
            return Some(Reason::NoEnvironment { env: env.clone() });
        }
        let named = plan.target_env.as_ref().or(plan.env.as_ref());
        let env = named.map_or(self.envs.first(), known)?;
        if plan.target.collects {
            return None;
        }
        if let Some(why) = self.unresolved(plan) {
            return Some(why);
        }
        env.allows(&plan.target.verb).err()
    }
}

impl Place<'_> {
    /// What keeps the look-ups of a plan from being made, as far as the plans of the directory tell.
    fn unresolved(&self, plan: &Plan) -> Option<Reason> {
        if plan::make::looks_in(plan).is_empty() {
            return None;
        }
        let read = |id: String| boot::read_plan(&self.dir.join(format!("{id}.json"))).ok().map(|(file, _)| file.plan);
        let plans: Vec<(PlanId, Option<Plan>)> =
            names(self.dir).into_iter().map(|id| (PlanId::new(id.clone()), read(id))).collect();
        let others: Vec<(PlanId, Option<&Plan>)> = plans.iter().map(|(id, plan)| (id.clone(), plan.as_ref())).collect();
        plan::make::unresolved(plan, &others)
    }
}

/// What is wrong with a plan, behind the name of its file.
fn at_file(out: &Out, file: &dyn std::fmt::Display, error: &PlanError) -> String {
    match out.lang {
        Language::En => format!("{file}: {error}"),
        Language::Zh => format!("{file}：{}", error.in_chinese()),
    }
}

/// Does one plan verb. `boot` gives an engine, for the verbs that need one.
pub async fn run<F>(out: Out, place: Place<'_>, verb: PlanVerb, boot: impl FnOnce() -> F) -> Result<Exit, Stop>
where
    F: Future<Output = Result<Booted, Stop>>,
{
    let dir = place.dir;
    match verb {
        PlanVerb::List | PlanVerb::Check => check(&out, place),
        PlanVerb::Show { plan, effective } => {
            let (_, file) = inspect(&out, dir, &plan)?;
            let value = if effective { plan::effective(&file.plan) } else { file.raw.clone() };
            out.document(&serde_json::to_string_pretty(&value).map_err(|e| Stop::usage(e.to_string()))?)?;
            Ok(Exit::Ok)
        }
        PlanVerb::New(asked) => super::fresh::print(&out, asked.form.as_deref().unwrap_or_default(), &asked),
        PlanVerb::Lint { plan } => {
            let (path, file) = inspect(&out, dir, &plan)?;
            lint(&out, &path, &file, place)
        }
        PlanVerb::Render { plan, since } => render(&out, dir, &plan, since.as_deref()),
        PlanVerb::Preview { plan, sweep, numbers } => {
            let numbers = super::numbers::of(&out, &numbers)?;
            let (path, file, hazards) = read(&out, dir, &plan)?;
            let booted = boot().await?;
            let own = stands_in(&path, dir);
            let text = (!own).then(|| file.text.clone());
            let tables = if own { Vec::new() } else { plan_files::tables_of(&path, &file.plan) };
            let query = Query::Preview { plan: boot::plan_id(&path), sweep, text, tables, numbers };
            let asked = Asked { plan: &file.plan, hazards: &hazards, objection: place.objection(&file.plan) };
            let exit = preview(&out, &booted, asked, query).await;
            super::output::after(exit, booted.end(None).await, out.lang)
        }
        PlanVerb::Import { file, output } => import(&out, &file, output.as_deref()),
        PlanVerb::Diff { old, new } => {
            let (_, old) = inspect(&out, dir, &old)?;
            let (_, new) = inspect(&out, dir, &new)?;
            let changes = plan::diff(&old, &new);
            for change in &changes {
                let value =
                    |side: &Option<serde_json::Value>| side.as_ref().map_or("-".to_owned(), ToString::to_string);
                let text = format!("{} → {}", value(&change.before), value(&change.after));
                out.line(&out.colon(&change.field, &change.field, &text))?;
            }
            if changes.is_empty() {
                out.line(out.t("no difference in meaning", "含义相同"))?;
            }
            Ok(Exit::Ok)
        }
        PlanVerb::Schema => {
            out.document(plan::SCHEMA)?;
            Ok(Exit::Ok)
        }
    }
}

fn check(out: &Out, place: Place<'_>) -> Result<Exit, Stop> {
    let dir = place.dir;
    let mut exit = Exit::Ok;
    let mut rows = Vec::new();
    for id in names(dir) {
        let read = boot::read_plan(&dir.join(format!("{id}.json")));
        let objection = read.as_ref().ok().and_then(|(file, _)| place.objection(&file.plan));
        if read.is_err() || objection.is_some() {
            exit = Exit::Usage;
        }
        if out.json {
            out.object(&checked_object(&id, &read, objection.as_ref()))?;
        } else {
            rows.push(checked_row(out, id, &read, objection.as_ref()));
        }
    }
    if rows.is_empty() && !out.json {
        out.note(
            &out.t("no plans in {}", "没有方案（目录 {}）：用 `skydeck plan import` 导入")
                .replace("{}", &dir.display().to_string()),
        );
    } else if !out.json {
        let head = [
            out.t("plan", "方案"),
            out.t("name", "名称"),
            out.t("form", "业务对象"),
            out.t("operation", "操作"),
            out.t("revision", "版本"),
            out.t("state", "状态"),
        ];
        out.table(&head, rows)?;
    }
    Ok(exit)
}

/// A file of the directory as it was read: the plan with its hazards, or why it is none.
type Checked = Result<(PlanFile, Vec<Hazard>), PlanProblem>;

/// A plan of the list for programs. `objection`: why it cannot run.
fn checked_object(id: &str, read: &Checked, objection: Option<&Reason>) -> serde_json::Value {
    let (file, hazards) = match read {
        Ok(read) => read,
        Err(problem) => {
            return serde_json::json!({
                "type": "plan", "plan": id, "runnable": false, "problem": problem.message,
                "reason": problem.reason.as_ref().map(|r| r.code()), "reason_args": problem.reason.as_ref().map(|r| r.args()),
            });
        }
    };
    let mut value = serde_json::json!({
        "type": "plan", "plan": id, "name": file.plan.name, "revision": file.plan.rev,
        "form": file.plan.source.form, "env": file.plan.env, "hazards": hazards.len(),
        "runnable": objection.is_none(),
        "operation": name(&Operation::id_of(&file.plan.target)), "submit": file.plan.policy.submit,
        "done": plan::done_as_written(&file.plan.policy.done), "mine": file.plan.policy.mine,
        "id": file.plan.source.id_path,
    });
    if let Some(why) = objection {
        let problem = serde_json::json!({
            "problem": why.en(), "reason": why.code(), "reason_args": why.args(),
        });
        json::merge(&mut value, problem);
    }
    value
}

/// A plan of the list for people.
fn checked_row(out: &Out, id: String, read: &Checked, objection: Option<&Reason>) -> Vec<String> {
    let (file, hazards) = match read {
        Ok(read) => read,
        Err(problem) => {
            let why = out.colon("cannot run", "不能运行", problem.said(out.is_zh()));
            return vec![id, String::new(), String::new(), String::new(), String::new(), why];
        }
    };
    let mut state = format!("{} {}", hazards.len(), out.t("hazards", "处隐患"));
    if let Some(why) = objection {
        let why = out.colon("cannot run", "不能运行", &out.reason_of(why));
        state = format!("{why}{}{state}", out.t("; ", "；"));
    }
    for hazard in hazards.iter().filter(|hazard| hazard.number == ID_PASSED_OVER) {
        state = format!("{state}; {}", said(out, hazard));
    }
    let plan = &file.plan;
    vec![id, plan.name.clone(), plan.source.form.to_string(), call(plan), plan.rev.short().to_owned(), state]
}

/// What a plan calls: `Audit`, `Submit, Audit`, `BillClose (FCloseStatus in B)`.
fn call(plan: &Plan) -> String {
    let id = Operation::id_of(&plan.target);
    let first = if plan.policy.submit && id.is_audit() { "Submit, " } else { "" };
    let shown = plan.policy.done.iter().map(Test::to_string).collect::<Vec<_>>().join(", ");
    let shown = if shown.is_empty() { shown } else { format!(" ({shown})") };
    format!("{first}{}{shown}", name(&id))
}

/// A hazard in the language of whoever reads it.
fn said<'a>(out: &Out, hazard: &'a Hazard) -> &'a str {
    match out.lang {
        Language::En => &hazard.message_en,
        Language::Zh => &hazard.message_zh,
    }
}

fn render(out: &Out, dir: &Path, plan: &str, since: Option<&str>) -> Result<Exit, Stop> {
    let (_, file, _) = read(out, dir, plan)?;
    let last_sync = match since {
        Some(text) => Some(ErpDate::parse(text).ok_or_else(|| {
            out.usage(
                &format!("--since {text}: write 2026-11-01 or \"2026-11-01 08:00:00\""),
                &format!("--since {text}：请写 2026-11-01 或 \"2026-11-01 08:00:00\""),
            )
        })?),
        None => None,
    };
    let context = RenderContext {
        last_sync,
        now: chrono::Local::now().naive_local(),
        zone_minutes: 480,
        page_size: file.plan.policy.page_size,
        open: false,
    };
    let rows = plan::render::table(&file, &context)
        .map_err(|e| Stop::usage(if out.is_zh() { e.in_chinese() } else { e.to_string() }))?;
    if out.json {
        for row in &rows {
            out.object(
                &serde_json::json!({"type": "field", "field": row.field, "template": row.template, "value": row.value}),
            )?;
        }
    } else {
        let head = [out.t("field", "字段"), out.t("template", "模板"), out.t("value", "值")];
        out.table(
            &head,
            rows.into_iter().map(|row| vec![row.field, row.template, row.value.unwrap_or_default()]).collect(),
        )?;
    }
    Ok(Exit::Ok)
}

fn import(out: &Out, file: &str, output: Option<&Path>) -> Result<Exit, Stop> {
    let text = if file == "-" {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::io::stdin().lock(), &mut text)?;
        text
    } else {
        std::fs::read_to_string(file).map_err(|e| out.failed(file, "cannot be read", "无法读取", &e))?
    };
    let imported = plan::import(&text).map_err(|e| {
        let said = if out.is_zh() { e.in_chinese() } else { e.to_string() };
        Stop::usage(format!("{file}{}{said}", out.t(": ", "：")))
    })?;
    let several = imported.len() > 1;
    let targets: Vec<Option<PathBuf>> = (1..=imported.len())
        .map(|n| output.map(|path| if several { numbered(path, n) } else { path.to_owned() }))
        .collect();
    if let Some(path) = targets.iter().flatten().find(|path| path.exists()) {
        let words = out.t(" is there already: choose another name", " 已存在：请换一个文件名");
        return Err(Stop::usage(format!("{}{words}", path.display())));
    }
    let mut exit = Exit::Ok;
    for (plan, target) in imported.iter().zip(&targets) {
        let at = if several { format!("{file}:{}: ", plan.line) } else { String::new() };
        for guess in &plan.guesses {
            out.note(&format!("{at}{}", out.colon("assumed", "推断", guess.said(out.is_zh()))));
        }
        match target {
            Some(path) => {
                let name = path.display().to_string();
                std::fs::write(path, &plan.json).map_err(|e| out.failed(&name, "cannot be written", "无法写入", &e))?;
                out.note(&format!("{at}→ {}", path.display()));
            }
            None => out.document(&plan.json)?,
        }
        if refuses(out, target.as_deref(), &plan.json, &at)? {
            exit = Exit::Usage;
        }
    }
    Ok(exit)
}

/// `plan.json` → `plan_2.json`, for the plans of a list.
fn numbered(path: &Path, n: usize) -> PathBuf {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!("{stem}_{n}.json"))
}

/// Names what keeps an imported plan from running.
pub(super) fn refuses(out: &Out, target: Option<&Path>, text: &str, at: &str) -> Result<bool, Stop> {
    let id = boot::plan_id(target.unwrap_or(Path::new("imported.json")));
    let file = plan::inspect(id, text)
        .map_err(|e| Stop::usage(format!("{at}{}", if out.is_zh() { e.in_chinese() } else { e.to_string() })))?;
    let name = target.map(|path| format!("{}:", path.display())).unwrap_or_default();
    let found = plan::lint(&file);
    let blocking: Vec<&Hazard> = found.iter().filter(|hazard| hazard.severity == Severity::Refuses).collect();
    for hazard in &blocking {
        let mend = hazard.mend_in(out.is_zh()).map(|mend| format!("{}{mend}", out.t(" — ", "。建议：")));
        let mend = mend.unwrap_or_default();
        out.note(&format!(
            "{at}{name}{}{}{}{}{}{mend}",
            hazard.line,
            out.t(": ", "："),
            hazard.field,
            out.t(": ", "："),
            said(out, hazard)
        ));
    }
    if !blocking.is_empty() {
        out.note(out.t(
            "the plan does not run as it is: fix what is named, then check it with `skydeck plan lint`",
            "此方案不能直接运行：请修正上面列出的各处，再用 `skydeck plan lint` 检查",
        ));
    }
    Ok(!blocking.is_empty())
}
