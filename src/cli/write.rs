//! The verbs that give orders: `run`, `retry`, `verify`, `approve`, `resume`, `cancel`, `resolve`, `reopen`.
//!
//! Invariant: a plan that cannot run names its place before anything is opened.

use super::args::{Approval, RevisionArg, RunArgs, SelectArgs, Verb};
use super::context::Context;
use super::drive::{Driver, Set};
use super::{asked, numbers, plans, select};
use crate::boot::{self, Booted};
use crate::domain::command::{Command, StartParams};
use crate::domain::ids::PlanId;
use crate::domain::run::{Revision, RunState};
use crate::exit::{Exit, Stop};

fn params(args: RunArgs, numbers: Vec<String>) -> StartParams {
    let RunArgs { sweep, since, until, remedy, .. } = args;
    StartParams { sweep, numbers, since, until, remedy, due: None }
}

/// Runs a plan of the owner behind a socket: its plans, its environments.
async fn run_plan_there(context: &Context, args: RunArgs) -> Result<Exit, Stop> {
    let numbers = numbers::of(&context.out(), &args.numbers)?;
    let booted = context.boot(Vec::new(), true).await?;
    let plan = PlanId::new(args.plan.clone());
    let driver = context.driver(&booted, args.approval.clone());
    if args.approval.unlock {
        driver.unlock(&asked::env_of(&*booted.link, &driver.out, &plan).await?).await?;
    }
    driver.run(Command::Start { plan, params: params(args, numbers) }).await
}

/// Runs a plan to its end.
pub(super) async fn run_plan(context: &Context, args: RunArgs) -> Result<Exit, Stop> {
    if context.global.attach.is_some() {
        return run_plan_there(context, args).await;
    }
    let file = std::path::PathBuf::from(&args.plan);
    let named_as_file = file.extension().is_some_and(|e| e == "json");
    // A file of the plan directory is a plan that every engine of this configuration reads by itself.
    let is_file = named_as_file && !plans::stands_in(&file, &context.plan_dir());
    if is_file && !file.exists() {
        let words = context.out().t(": no such plan file", "：没有这个方案文件").to_owned();
        return Err(Stop::usage(format!("{}{words}", file.display())));
    }
    let plan = if named_as_file { boot::plan_id(&file) } else { PlanId::new(args.plan.clone()) };
    // Said before anything is opened: a plan that cannot run names its place.
    let path = if is_file { file.clone() } else { context.plan_dir().join(format!("{plan}.json")) };
    let env = if path.exists() {
        let (file, _) = boot::read_plan(&path).map_err(|problem| Stop::usage(problem.said(context.out().is_zh())))?;
        file.plan.env
    } else {
        return Err(plans::no_plan(&context.out(), &context.plan_dir(), plan.as_str()));
    };
    let numbers = numbers::of(&context.out(), &args.numbers)?;
    let env = env.or_else(|| context.config.environments.first().map(|e| e.environment.id.clone()));
    let env = env.ok_or_else(|| context.out().no_environment(&context.paths.config))?;
    let booted = context.boot(if is_file { vec![file] } else { Vec::new() }, true).await?;
    if is_file && booted.is_attached() {
        let (data, dir) = (context.paths.data.display(), context.plan_dir());
        let (plan, dir) = (&args.plan, dir.display());
        let en = format!(
            "{data} holds an engine of another process, which does not know {plan}: put the plan into {dir} and name it, \
             or end that process first"
        );
        let zh = format!("{data} 上的引擎属于另一进程，不认识 {plan}：请将方案放入 {dir} 并写其名称，或先结束该进程");
        return Err(Stop::new(Exit::Refused, context.out().t(&en, &zh)));
    }
    let driver = context.driver(&booted, args.approval.clone());
    let exit = async {
        driver.unlock(&env).await?;
        driver.run(Command::Start { plan, params: params(args, numbers) }).await
    }
    .await;
    super::output::after(exit, booted.end(None).await, context.out().lang)
}

/// Gives an order about entries of the ledger; where none is meant, what was asked for is said.
async fn of_entries(driver: &Driver, args: &SelectArgs, command: Command) -> Result<Exit, Stop> {
    match driver.run(command).await {
        Err(stop) if stop.exit == Exit::Ok => Err(select::nothing(&*driver.link, &driver.out, args, stop).await?),
        ended => ended,
    }
}

/// Gives one of the other orders.
pub(super) async fn write(context: &Context, booted: &Booted, verb: Verb) -> Result<Exit, Stop> {
    let link = &*booted.link;
    match verb {
        Verb::Retry(args) => {
            let selection = select::selection(link, &context.out(), &args.select).await?;
            let revision = match args.revision {
                RevisionArg::Newest => Revision::Newest,
                RevisionArg::Original => Revision::Original,
            };
            let driver = context.driver(booted, args.approval);
            of_entries(&driver, &args.select, Command::Retry { selection, revision }).await
        }
        Verb::Verify(args) => {
            let selection = select::selection(link, &context.out(), &args).await?;
            let driver = context.driver(booted, Approval::default());
            of_entries(&driver, &args, Command::Verify { selection }).await
        }
        Verb::Resume(args) => {
            let row = asked::open_run(link, &context.out(), args.run.as_deref()).await?;
            let driver = context.driver(booted, Approval::default());
            let watch = booted.link.watch().await?;
            driver.order(Command::Resume { run: row.head.id }).await?;
            driver.follow(row.head.id, watch, Set::Theirs).await
        }
        Verb::Approve(args) => {
            let row = asked::open_run(link, &context.out(), args.run.as_deref()).await?;
            let driver = context.driver(booted, args.approval);
            if row.state != RunState::AwaitingApproval {
                let words = driver.out.t("is not waiting for approval", "不处于待批准状态");
                return Err(Stop::new(Exit::Refused, format!("{} {words}", row.head.id)));
            }
            driver.unlock(&row.head.env).await?;
            let watch = booted.link.watch().await?;
            driver.follow(row.head.id, watch, Set::Theirs).await
        }
        Verb::Cancel(args) => {
            let row = asked::open_run(link, &context.out(), args.run.as_deref()).await?;
            let driver = context.driver(booted, Approval::default());
            let watch = booted.link.watch().await?;
            driver.order(Command::Cancel { run: row.head.id }).await?;
            driver.follow(row.head.id, watch, Set::Cancelled).await
        }
        Verb::Resolve(args) => {
            select::meant(&context.out(), &args)?;
            let selection = select::selection(link, &context.out(), &args.select).await?;
            let driver = context.driver(booted, Approval::default());
            let (_, n) = driver.order(Command::Resolve { selection, reason: args.reason }).await?;
            driver.out.line(&format!("{} {n}{}", driver.out.t("resolved", "已办结"), driver.out.t("", " 张")))?;
            Ok(Exit::Ok)
        }
        Verb::Reopen(args) => {
            let keys = asked::keys_of(link, &context.out(), &args.numbers, args.plan.as_deref()).await?;
            let driver = context.driver(booted, Approval::default());
            let (_, n) = driver.order(Command::Reopen { keys, reason: args.reason }).await?;
            driver.out.line(&format!("{} {n}{}", driver.out.t("re-opened", "已撤销办结"), driver.out.t("", " 张")))?;
            Ok(Exit::Ok)
        }
        _ => Err(Stop::odd_answer()),
    }
}
