//! From arguments to the verb, from the verb's end to the exit code.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser};

use super::args::{Approval, Cli, DemoArgs, EnvVerb, ExportArgs, Format, Global, Looks, RunArgs, ServeArgs, Verb};
use super::console::Console;
use super::demo::Demo;
use super::drive::Driver;
use super::exit::{Exit, Stop};
use super::out::Out;
use super::{bills, demo, doctor, environments, plans, serve};
use crate::boot::owner::{Detached, Word};
use crate::boot::{self, Booted, Paths, PlanFiles, Setup, SystemClock};
use crate::config::{Config, SecretSource};
use crate::domain::cause::CauseTable;
use crate::domain::command::{Command, StartParams};
use crate::domain::ids::{EnvId, PlanId};
use crate::domain::query::Scope;
use crate::domain::run::RunState;
use crate::domain::time::Clock;
use crate::link::Link;
use crate::link::pending::Opening;
use crate::link::remote::RemoteLink;
use crate::ui::msg::{Export, ExportFormat};

/// The program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build() {
        Ok(runtime) => runtime,
        Err(e) => return complain(&Stop::usage(format!("no threads: {e}"))),
    };
    let result = runtime.block_on(run(cli));
    // A thread that waits for a key, or a call that was given up, must not hold the exit.
    runtime.shutdown_background();
    match result {
        Ok(code) => ExitCode::from(code),
        Err(stop) => complain(&stop),
    }
}

fn complain(stop: &Stop) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "skydeck: {}", stop.message);
    ExitCode::from(stop.exit.code())
}

/// What every verb needs.
struct Ground {
    global: Global,
    paths: Paths,
    config: Config,
    causes: Arc<CauseTable>,
    clock: Arc<dyn Clock>,
}

impl Ground {
    fn out(&self) -> Out {
        let lang = boot::language(self.global.lang, self.config.console.language.as_deref());
        Out { json: self.global.json, lang, causes: self.causes.clone() }
    }

    fn plan_dir(&self) -> std::path::PathBuf {
        let base = self.paths.config_dir();
        base.join(self.config.plans.clone().unwrap_or_else(|| "plans".into()))
    }

    /// The engine with every environment of the configuration.
    async fn boot(&self, extra: Vec<std::path::PathBuf>, connect: bool) -> Result<Booted, Stop> {
        let out = self.out();
        Booted::start(self.setup(extra, connect, false)?, move |text| out.note(text)).await
    }

    /// What an engine needs. Fetches the secrets, which may ask at the terminal.
    fn setup(&self, extra: Vec<std::path::PathBuf>, connect: bool, schedules: bool) -> Result<Setup, Stop> {
        let base = self.paths.config_dir();
        let mut envs = Vec::new();
        for config in &self.config.environments {
            let erp = if connect {
                boot::client(config, &base, &self.causes, &self.clock)?
            } else {
                // Verbs that only read the history need no secret.
                Arc::new(boot::Offline(config.environment.id.clone())) as Arc<dyn crate::erp::Erp>
            };
            envs.push((config.environment.clone(), erp));
        }
        Ok(Setup {
            data: self.paths.data.clone(),
            envs,
            plans: PlanFiles { dir: self.plan_dir(), extra },
            causes: self.causes.clone(),
            clock: self.clock.clone(),
            schedules,
        })
    }

    fn driver(&self, booted: &Booted, approval: Approval) -> Driver {
        Driver { link: booted.link.clone(), out: self.out(), by: boot::who(), approval, trusting: false }
    }
}

async fn run(cli: Cli) -> Result<u8, Stop> {
    let global = cli.global;
    match &cli.verb {
        Some(Verb::Completions { shell }) => {
            clap_complete::generate(*shell, &mut Cli::command(), "skydeck", &mut std::io::stdout().lock());
            return Ok(Exit::Ok.code());
        }
        Some(Verb::Man) => {
            clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout().lock())?;
            return Ok(Exit::Ok.code());
        }
        Some(Verb::Keys) => {
            let lang = match boot::language(global.lang, None) {
                super::args::Language::Zh => crate::ui::Lang::Zh,
                super::args::Language::En => crate::ui::Lang::En,
            };
            write!(std::io::stdout().lock(), "{}", crate::ui::keymap::markdown(lang))?;
            return Ok(Exit::Ok.code());
        }
        _ => {}
    }
    let paths = Paths::find(&global)?;
    let named = global.config.is_some();
    let config = boot::config(&paths, named)?;
    let causes = Arc::new(boot::causes(&config, &paths.config_dir())?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let ground = Ground { global, paths, config, causes, clock };
    match cli.verb {
        None => console(&ground).await,
        Some(Verb::Demo(args)) => run_demo(&ground, &args).await,
        Some(verb) => headless(&ground, verb).await.map(Exit::code),
    }
}

async fn console(ground: &Ground) -> Result<u8, Stop> {
    Console::require_terminal()?;
    if ground.config.environments.is_empty() {
        return Err(Stop::usage(format!(
            "no environment is configured: write {} (the README shows one), or try `skydeck demo`",
            ground.paths.config.display()
        )));
    }
    // A secret that is typed can only be typed here, so the engine must live here too.
    let typed = ground.config.environments.iter().any(|env| matches!(env.secret, SecretSource::Prompt));
    if ground.global.standalone || typed { console_alone(ground).await } else { console_attached(ground).await }
}

/// Attaches to the engine of the data directory, or starts one that outlives this console.
async fn console_attached(ground: &Ground) -> Result<u8, Stop> {
    let data = &ground.paths.data;
    let starter = Arc::new(Detached::new(&ground.global, &ground.paths.config, data));
    let mut fatal = starter.fatal();
    let link: Arc<dyn Link> = Arc::new(RemoteLink::new(&data.join(boot::SOCKET), boot::who(), Some(starter)));
    let looks = Looks::default();
    let mut screen = screen(ground, &looks, data, None, "");
    screen.detachable = true;
    // The first frame needs no engine. When the very first start fails, the console ends with its reason.
    let ended = tokio::select! {
        ended = screen.run(link.clone()) => ended,
        failed = fatal.wait_for(Option::is_some) => Err(match failed.ok().and_then(|why| why.clone()) {
            Some(why) => Stop::new(Exit::from_code(why.code), why.message),
            None => Stop::new(Exit::Refused, "the engine could not be started"),
        }),
    };
    if ended.as_ref().is_ok_and(|code| *code == Exit::Ok.code()) {
        left_at_work(ground, &*link).await;
    }
    ended
}

/// Says that a run goes on without this console.
async fn left_at_work(ground: &Ground, link: &dyn Link) {
    let watched = tokio::time::timeout(std::time::Duration::from_millis(500), link.watch()).await;
    if let Ok(Ok(watch)) = watched
        && watch
            .live
            .open()
            .any(|run| matches!(run.row.state, RunState::Collecting | RunState::Working | RunState::Settling))
    {
        let out = ground.out();
        out.note(out.t(
            "a run goes on in the background; `skydeck` shows it again",
            "有运行在后台继续；再次执行 skydeck 即可查看",
        ));
    }
}

async fn console_alone(ground: &Ground) -> Result<u8, Stop> {
    // A secret that is typed is typed before the screen is taken.
    let setup = ground.setup(Vec::new(), true, true)?;
    let looks = Looks::default();
    let open = async |opening: Opening| {
        let booted = Booted::start(setup, opening.say()).await?;
        opening.ready(booted.link.clone());
        Ok(booted)
    };
    let (booted, code) = screen(ground, &looks, &ground.paths.data, None, "").run_while_opening(open).await;
    if let Some(booted) = booted {
        booted.end(None).await?;
    }
    code
}

async fn serve(ground: &Ground, args: &ServeArgs) -> Result<Exit, Stop> {
    let out = ground.out();
    if args.end {
        return serve::end(&ground.paths.data, &out).await;
    }
    if ground.config.environments.is_empty() {
        return Err(Stop::usage(format!("no environment is configured: write {}", ground.paths.config.display())));
    }
    if !args.detached {
        let note = ground.out();
        let booted = Booted::start(ground.setup(Vec::new(), true, true)?, move |text| note.note(text)).await?;
        return serve::run(booted, args, &out).await;
    }
    serve::detach()?;
    let booted = match ground.setup(Vec::new(), true, true) {
        Ok(setup) => Booted::start(setup, |text| serve::say(&Word::Doing(text.to_owned()))).await,
        Err(stop) => Err(stop),
    };
    match booted {
        Ok(booted) => serve::run(booted, args, &out).await,
        Err(stop) => {
            serve::say(&Word::Stopped(stop.exit.code(), stop.message.clone()));
            Err(stop)
        }
    }
}

fn screen<'a>(
    ground: &'a Ground,
    looks: &'a Looks,
    data: &std::path::Path,
    select: Option<PlanId>,
    label: &'a str,
) -> Console<'a> {
    Console {
        global: &ground.global,
        looks,
        config: &ground.config,
        base: ground.paths.config_dir(),
        causes: ground.causes.clone(),
        clock: ground.clock.clone(),
        data: data.to_path_buf(),
        select,
        label,
        detachable: false,
    }
}

async fn run_demo(ground: &Ground, args: &DemoArgs) -> Result<u8, Stop> {
    if !args.headless {
        Console::require_terminal().map_err(|stop| {
            Stop::new(stop.exit, format!("{}; `skydeck demo --headless` runs without one", stop.message))
        })?;
    }
    let place = demo::Ground::prepare(ground.global.data.as_deref(), args.fresh)?;
    if args.headless {
        let out = ground.out();
        let demo = Demo::start(args, place, ground.causes.clone(), move |text| out.note(text)).await?;
        let driver = demo::driver(&demo.booted, ground.out());
        let exit = demo::headless(&demo, &driver).await;
        demo.end().await?;
        return exit.map(Exit::code);
    }
    let data = place.data();
    let open = async |opening: Opening| {
        let demo = Demo::start(args, place, ground.causes.clone(), opening.say()).await?;
        opening.ready(demo.booted.link.clone());
        Ok(demo)
    };
    let screen = screen(ground, &args.looks, &data, Some(PlanId::new(demo::PLAN)), "demo");
    let (demo, code) = screen.run_while_opening(open).await;
    if let Some(demo) = demo {
        demo.end().await?;
    }
    code
}

async fn headless(ground: &Ground, verb: Verb) -> Result<Exit, Stop> {
    match verb {
        Verb::Sim(args) => {
            let stop = async {
                let _ = tokio::signal::ctrl_c().await;
            };
            crate::sim::run(args, stop).await.map(|()| Exit::Ok).map_err(|e| Stop::usage(format!("the simulator: {e}")))
        }
        Verb::Serve(args) => serve(ground, &args).await,
        Verb::Bench(args) => super::bench::run(&ground.out(), &args).await,
        Verb::Env(verb) => env(ground, verb).await,
        Verb::Doctor(args) => doctor::run(&ground.out(), &ground.paths.data, &*ground.clock, &args),
        Verb::Plan(verb) => plans::run(ground.out(), &ground.plan_dir(), verb, || ground.boot(Vec::new(), true)).await,
        Verb::Run(args) => run_plan(ground, args).await,
        writing @ (Verb::Retry(_) | Verb::Verify(_) | Verb::Resume(_) | Verb::Cancel(_) | Verb::Resolve(_)) => {
            let booted = ground.boot(Vec::new(), true).await?;
            let exit = write(ground, &booted, writing).await;
            booted.end(None).await?;
            exit
        }
        reading => {
            let booted = ground.boot(Vec::new(), false).await?;
            let exit = read(ground, &booted, reading).await;
            booted.end(None).await?;
            exit
        }
    }
}

async fn env(ground: &Ground, verb: EnvVerb) -> Result<Exit, Stop> {
    let all = &ground.config.environments;
    match verb {
        EnvVerb::List => {
            let environments: Vec<_> = all.iter().map(|e| e.environment.clone()).collect();
            environments::list(&ground.out(), &environments)
        }
        EnvVerb::Check { name } => {
            let found = match &name {
                Some(name) => all.iter().find(|e| e.environment.id == EnvId::new(name.clone())),
                None => all.first(),
            };
            let names: Vec<&str> = all.iter().map(|e| e.environment.id.as_str()).collect();
            let found = found.ok_or_else(|| {
                Stop::usage(format!(
                    "no environment {}; {} has: {}",
                    name.unwrap_or_default(),
                    ground.paths.config.display(),
                    names.join(", ")
                ))
            })?;
            let erp = boot::client(found, &ground.paths.config_dir(), &ground.causes, &ground.clock)?;
            environments::check(&ground.out(), &found.environment, &*erp).await
        }
    }
}

async fn run_plan(ground: &Ground, args: RunArgs) -> Result<Exit, Stop> {
    let file = std::path::PathBuf::from(&args.plan);
    let is_file = file.extension().is_some_and(|e| e == "json");
    if is_file && !file.exists() {
        return Err(Stop::usage(format!("{}: no such plan file", file.display())));
    }
    let plan = if is_file { boot::plan_id(&file) } else { PlanId::new(args.plan.clone()) };
    // Said before anything is opened: a plan that cannot run names its place.
    let path = if is_file { file.clone() } else { ground.plan_dir().join(format!("{plan}.json")) };
    let env = if path.exists() {
        let (file, _) = boot::read_plan(&path).map_err(|problem| Stop::usage(problem.message))?;
        file.plan.env
    } else {
        let known: Vec<String> = plans::names(&ground.plan_dir());
        return Err(Stop::usage(format!(
            "no plan {plan} in {}; there are: {}",
            ground.plan_dir().display(),
            known.join(", ")
        )));
    };
    let env = env.or_else(|| ground.config.environments.first().map(|e| e.environment.id.clone()));
    let env = env
        .ok_or_else(|| Stop::usage(format!("no environment is configured: write {}", ground.paths.config.display())))?;
    let booted = ground.boot(if is_file { vec![file] } else { Vec::new() }, true).await?;
    if is_file && booted.is_attached() {
        return Err(Stop::new(
            Exit::Refused,
            format!(
                "{} holds an engine of another process, which does not know {}: put the plan into {} and name it, or \
                 end that process first",
                ground.paths.data.display(),
                args.plan,
                ground.plan_dir().display()
            ),
        ));
    }
    let driver = ground.driver(&booted, args.approval.clone());
    let exit = async {
        driver.unlock(&env).await?;
        let params = StartParams { sweep: args.sweep, numbers: args.numbers, since: args.since, remedy: args.remedy };
        driver.run(Command::Start { plan, params }).await
    }
    .await;
    booted.end(None).await?;
    exit
}

async fn write(ground: &Ground, booted: &Booted, verb: Verb) -> Result<Exit, Stop> {
    let link = &*booted.link;
    match verb {
        Verb::Retry(args) => {
            let selection = bills::selection(link, &args.select).await?;
            ground.driver(booted, args.approval).run(Command::Retry { selection }).await
        }
        Verb::Verify(args) => {
            let selection = bills::selection(link, &args).await?;
            ground.driver(booted, Approval::default()).run(Command::Verify { selection }).await
        }
        Verb::Resume(args) => {
            let row = bills::open_run(link, args.run.as_deref()).await?;
            let driver = ground.driver(booted, Approval::default());
            let watch = booted.link.watch().await?;
            driver.order(Command::Resume { run: row.head.id }).await?;
            driver.follow(row.head.id, watch).await
        }
        Verb::Cancel(args) => {
            let row = bills::open_run(link, args.run.as_deref()).await?;
            ground.driver(booted, Approval::default()).run(Command::Cancel { run: row.head.id }).await
        }
        Verb::Resolve(args) => {
            let selection = bills::selection(link, &args.select).await?;
            let driver = ground.driver(booted, Approval::default());
            let (_, n) = driver.order(Command::Resolve { selection, reason: args.reason }).await?;
            driver.out.line(&format!("{} {n}", driver.out.t("resolved", "已结清")))?;
            Ok(Exit::Ok)
        }
        _ => Err(Stop::usage("not a writing verb")),
    }
}

async fn read(ground: &Ground, booted: &Booted, verb: Verb) -> Result<Exit, Stop> {
    let (link, out) = (&*booted.link, ground.out());
    match verb {
        Verb::Ledger(args) => bills::ledger(link, &out, &args).await,
        Verb::History(args) => bills::history(link, &out, &args).await,
        Verb::Bill(args) => bills::bill(link, &out, &args).await,
        Verb::Export(args) => export(booted, &out, &args).await,
        _ => Err(Stop::usage("not a reading verb")),
    }
}

async fn export(booted: &Booted, out: &Out, args: &ExportArgs) -> Result<Exit, Stop> {
    let scope = match (&args.run, args.all) {
        (Some(run), _) => Scope::Run(bills::find_run(&*booted.link, run).await?.head.id),
        (None, true) => Scope::History,
        (None, false) => Scope::Ledger,
    };
    let ending = args.file.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let format = match (args.format, ending.as_str()) {
        (Some(Format::Csv), _) | (None, "csv") => ExportFormat::Csv,
        (Some(Format::Jsonl), _) | (None, "jsonl" | "json") => ExportFormat::JsonLines,
        (Some(Format::Md), _) | (None, "md") => ExportFormat::Markdown,
        (Some(Format::Html), _) | (None, "html" | "htm") => ExportFormat::Html,
        (None, _) => {
            return Err(Stop::usage("which format? give --format, or a file ending in .csv, .jsonl, .md or .html"));
        }
    };
    let wanted = Export { scope, filter: bills::filter(&args.filter)?, format, path: args.file.display().to_string() };
    let chinese = out.lang == super::args::Language::Zh;
    let style = crate::shell::export::Style { zone: boot::zone(), chinese, now: boot::SystemClock::default().now() };
    let written = crate::shell::export::to_file(booted.link.clone(), &wanted, style, |_| {})
        .await
        .map_err(|e| Stop::new(Exit::Usage, e.to_string()))?;
    out.line(&format!("{} {} → {}", written.rows, out.t("bills", "张单据"), written.path.display()))?;
    Ok(Exit::Ok)
}
