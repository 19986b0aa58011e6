//! From arguments to the verb, from the verb's end to the exit code.

use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::signal::unix::SignalKind;

use super::args::{AlertsVerb, Cli, ConfigVerb, DemoArgs, EnvVerb, Looks, PlanVerb, SelfVerb, ServeArgs, Verb};
use super::console::Console;
use super::console_modes::{Opened, console};
use super::context::{self, Context, screen};
use super::demo::Demo;
use super::out::Out;
use super::verb_kinds::{changes, here_only, needs_data, orders, reads};
use super::{
    approval, bill, bills, complete, demo, demo_headless, doctor, elsewhere, environments, help, history, man,
    named_data, output, plans, serve, setup, slips, upgrade, write,
};
use crate::boot::owner::Word;
use crate::boot::{self, Booted, Paths, SystemClock};
use crate::domain::ids::{EnvId, PlanId};
use crate::domain::language::Language;
use crate::domain::time::Clock;
use crate::exit::{Exit, Stop};
use crate::link::pending::Opening;
use crate::store::backup::SnapshotDir;
use crate::store::local::Raise;

/// The program.
pub fn main() -> ExitCode {
    // Whatever mask we were started under, we can read what we write; what others may is each file's own to say.
    let mask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(mask & !rustix::fs::Mode::RWXU);
    // Before anything that makes a table or an id.
    if let Err(stop) = boot::has_random_numbers() {
        return complain(stop, None);
    }
    // A shell that asks for candidates runs the program as any other call does; nothing else may be done then.
    match complete::answer() {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(error) => error.exit(),
    }
    let cli = match help::parse() {
        Ok(cli) => cli,
        // Help and version are output as any other.
        Err((asked, lang)) if !asked.use_stderr() => match help::print(&asked, lang) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => return complain(Stop::from(error), None),
        },
        Err((wrong, Language::Zh)) => {
            help::wrong(&wrong).lines().for_each(output::note);
            return ExitCode::from(Exit::Usage.code());
        }
        Err((wrong, Language::En)) => wrong.exit(),
    };
    // One worker: what an answer sets off runs on without a change of threads, each of which costs a wake-up of a
    // sleeping processor. The picture is drawn on this thread, the store reads and writes on theirs.
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build() {
        Ok(runtime) => runtime,
        Err(e) => return complain(Stop::system(Exit::Usage, "no threads", "无法创建线程", &e), None),
    };
    let lang = cli.global.lang;
    // Boxed, or every verb would be compiled once for each of the runtime's ways to wait.
    let verb: Pin<Box<dyn Future<Output = Result<u8, Stop>>>> = Box::pin(run(cli));
    let result = runtime.block_on(verb);
    // A thread that waits for a key, or a call that was given up, must not hold the exit.
    runtime.shutdown_background();
    match result {
        Ok(0) => match output::lost() {
            Some(why) => complain(Stop::from(std::io::Error::other(why)), lang),
            None => ExitCode::SUCCESS,
        },
        Ok(code) => ExitCode::from(code),
        Err(stop) => complain(stop, lang),
    }
}

/// `lang`: the language that was asked for, where the verb did not get far enough to settle it.
fn complain(stop: Stop, lang: Option<Language>) -> ExitCode {
    let stop = stop.spoken(context::language(lang, None));
    output::note(&format!("skydeck: {}", stop.message));
    ExitCode::from(stop.exit.code())
}

async fn run(cli: Cli) -> Result<u8, Stop> {
    let global = cli.global;
    let lang = boot::language(global.lang, None);
    check_looks(&global.looks, cli.verb.as_ref())?;
    if let Some(exit) = cli.verb.as_ref().map_or(Ok(None), |verb| about_itself(verb, lang))? {
        return Ok(exit.code());
    }
    // Before anything is read that may be what is wrong.
    if matches!(&cli.verb, Some(Verb::Own(SelfVerb::Check))) && global.attach.is_none() {
        return super::self_check::run(&global).await.map(Exit::code);
    }
    // A file that would become longer than `ulimit -f` allows is an error, not the process's end.
    let _ignored = tokio::signal::unix::signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    let paths = Paths::find(global.config.as_deref(), global.data.as_deref())?;
    // A file that is to be made need not be there.
    let makes = matches!(cli.verb, Some(Verb::Env(EnvVerb::Add(_))));
    let named = global.config.is_some() && !makes;
    let config = boot::config(&paths, named, lang)?;
    let lang = boot::language(global.lang, config.console.language.as_deref());
    slips::note_odd_zone(lang);
    let causes = Arc::new(boot::causes(&config, &paths.config_dir(), lang)?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    boot::settable(&*clock, lang == Language::Zh)?;
    let mut context = Context { global, paths, config, causes, clock, known: Arc::default(), snapshot: None };
    let nowhere = look_for_data(&context, cli.verb.as_ref())?;
    if let Some(empty) = &nowhere {
        context.paths.data = empty.path().join("data");
    }
    look_at_copy(&mut context, cli.verb.as_ref())?;
    if let (Some(verb), Some(_)) = (cli.verb.as_ref().and_then(here_only), &context.global.attach) {
        return Err(not_behind_attach(&context.out(), verb));
    }
    if let Some(snapshot) = upgrade::look(&context, cli.verb.as_ref())? {
        context.paths.data = snapshot.data();
        context.snapshot = Some(snapshot);
    }
    let lang = context.out().lang;
    let ended = match cli.verb {
        None => begin(&context).await,
        Some(Verb::Demo(args)) => Box::pin(run_demo(&context, &args)).await,
        Some(verb) => Box::pin(headless(&context, verb)).await.map(Exit::code),
    };
    ended.map_err(|stop| stop.spoken(lang))
}

/// The console; where nothing is configured, what leads to one.
async fn begin(context: &Context) -> Result<u8, Stop> {
    let next = match console(context).await? {
        Opened::Ended(code) => return Ok(code),
        Opened::Unconfigured => setup::offer(context).await?,
    };
    match next {
        setup::Next::Demo => Box::pin(run_demo(context, &DemoArgs::default())).await,
        setup::Next::Console(context) => match console(&context).await? {
            Opened::Ended(code) => Ok(code),
            Opened::Unconfigured => Err(context.out().no_environment(&context.paths.config)),
        },
    }
}

/// An empty directory, gone after the verb, where one that needs what is there finds nothing: it makes none. One that was named
/// and is not there is refused.
fn look_for_data(context: &Context, verb: Option<&Verb>) -> Result<Option<TempDir>, Stop> {
    let (global, data) = (&context.global, &context.paths.data);
    let Some(verb) = verb.filter(|_| global.attach.is_none() && global.snapshot.is_none()) else { return Ok(None) };
    // Where the facts are in a database, that directory holds none of them.
    let is_local = context.config.store.is_none();
    if global.data.is_some() && is_local && needs_data(verb) {
        named_data::check(&context.out(), data)?;
    }
    let is_nowhere = (reads(verb) || is_local && orders(verb)) && named_data::is_absent(data);
    Ok(if is_nowhere { Some(tempfile::tempdir()?) } else { None })
}

/// Looks are the console's: any other verb would take no notice of them.
fn check_looks(looks: &Looks, verb: Option<&Verb>) -> Result<(), Stop> {
    match (verb, looks.given()) {
        (None, _) => super::console::require_theme(looks),
        (Some(Verb::Demo(args)), _) => super::console::require_theme(&args.looks.or(looks)),
        (Some(_), None) => Ok(()),
        (Some(_), Some(option)) => Err(Stop::both(
            Exit::Usage,
            format!("{option} is about the console's looks, and this verb shows none: leave it out"),
            format!("{option} 只用于控制台的外观，此命令不打开控制台：请去掉"),
        )),
    }
}

/// The verbs that tell of the program itself: they need no configuration.
fn about_itself(verb: &Verb, lang: Language) -> Result<Option<Exit>, Stop> {
    match verb {
        Verb::Completions { shell } => {
            output::raw(&man::completions(*shell, lang))?;
        }
        Verb::Man => output::raw(&man::page(lang)?)?,
        Verb::Keys => {
            let lang = match lang {
                Language::Zh => crate::ui::Lang::Zh,
                Language::En => crate::ui::Lang::En,
            };
            output::lines(crate::ui::keymap::markdown(lang).lines())?;
        }
        _ => return Ok(None),
    }
    Ok(Some(Exit::Ok))
}

/// Opens the copy that `--snapshot` names in the place of the data directory. It takes no verb that changes something.
fn look_at_copy(context: &mut Context, verb: Option<&Verb>) -> Result<(), Stop> {
    let Some(from) = &context.global.snapshot else { return Ok(()) };
    if let Some(verb) = verb.and_then(changes) {
        let (en, zh) = (
            format!(
                "--snapshot opens a copy that is only looked at, and `{verb}` changes something: leave --snapshot out"
            ),
            format!("--snapshot 打开的副本只供查看，不能执行 `{verb}`：请去掉 --snapshot"),
        );
        return Err(Stop::new(Exit::Refused, context.out().t(&en, &zh)));
    }
    let snapshot = SnapshotDir::open(from).map_err(boot::store_stop)?;
    if let Some(damage) = &snapshot.damage {
        super::backup::note_damaged(&context.out(), from, damage);
    }
    context.paths.data = snapshot.data();
    context.snapshot = Some(snapshot);
    Ok(())
}

fn not_behind_attach(out: &Out, verb: &str) -> Stop {
    let en = format!(
        "`{verb}` works on this user's own configuration and data directory, not on the engine behind --attach: leave \
         --attach out, or run it as that user"
    );
    let zh = format!(
        "`{verb}` 只用于本用户自己的配置和数据目录，与 --attach 所指的引擎无关：请去掉 --attach，或以该用户身份执行"
    );
    out.usage(&en, &zh)
}

async fn serve(context: &Context, args: &ServeArgs) -> Result<Exit, Stop> {
    let out = context.out();
    if args.end {
        return serve::end(&context.paths.data, &out).await;
    }
    if context.config.environments.is_empty() {
        return Err(out.no_environment(&context.paths.config));
    }
    if !args.detached {
        let note = context.out();
        let mut setup = context.setup(Vec::new(), true, true)?;
        setup.logging.serves(true);
        serve::leave()?;
        let mut told = serve::Told::listen()?;
        let booted = told.or_end(serve::starting(Box::pin(Booted::start(setup, move |text| note.note(text))))).await?;
        return serve::run(booted, told, args, &out).await;
    }
    serve::detach()?;
    let mut told = serve::Told::listen()?;
    let mut lang = out.lang;
    let booted = match context.setup(Vec::new(), true, true) {
        Ok(mut setup) => {
            setup.logging.serves(false);
            serve::leave()?;
            if args.no_backup {
                setup.raise = Raise::Plain;
            }
            lang = args.words.unwrap_or(setup.lang);
            setup.lang = lang;
            Box::pin(told.or_end(Booted::start(setup, |text| serve::say(&Word::Doing(text.to_owned()))))).await
        }
        Err(stop) => Err(stop),
    };
    match booted {
        Ok(booted) => serve::run(booted, told, args, &out).await,
        Err(stop) => {
            let stop = stop.spoken(lang);
            serve::say(&Word::Stopped(stop.exit.code(), stop.message.clone()));
            Err(stop)
        }
    }
}

async fn run_demo(context: &Context, args: &DemoArgs) -> Result<u8, Stop> {
    if !args.headless {
        Console::require_terminal().map_err(|stop| Stop {
            message: format!("{}; `skydeck demo --headless` runs without one", stop.message),
            zh: stop.zh.map(|zh| format!("{zh}；不用终端可执行 `skydeck demo --headless`")),
            ..stop
        })?;
    }
    demo::shipped(&context.out(), &args.plan)?;
    let place = demo::DemoDir::prepare(&context.out(), context.global.data.as_deref(), args.fresh)?;
    if args.headless {
        let out = context.out();
        let demo = Demo::start(args, place, context.causes.clone(), out.lang, move |text| out.note(text)).await?;
        let driver = demo_headless::driver(&demo.booted, context.out());
        let exit = demo_headless::headless(&demo, &driver).await;
        return output::after(exit, demo.end().await, context.out().lang).map(Exit::code);
    }
    let data = place.data();
    let open = async |opening: Opening| {
        let lang = Console::language(&context.global, &context.config);
        let demo = Demo::start(args, place, context.causes.clone(), lang, opening.say()).await?;
        opening.ready(demo.booted.console());
        Ok(demo)
    };
    let looks = args.looks.or(&context.global.looks);
    let screen = screen(context, &looks, &data, Some(PlanId::new(args.plan.clone())), "demo");
    let (demo, code) = screen.run_while_opening(open).await;
    if let Some(demo) = demo {
        demo.end().await?;
    }
    code
}

async fn headless(context: &Context, verb: Verb) -> Result<Exit, Stop> {
    elsewhere::of_a_directory(context, &verb)?;
    if let Some(approval) = approval::of(&verb) {
        approval::complete(&context.out(), approval)?;
    }
    match verb {
        Verb::Sim(args) => {
            let stop = async {
                let _ = tokio::signal::ctrl_c().await;
            };
            let ran = crate::sim::run(args, context.out().is_zh(), output::Stdout, stop).await;
            ran.map(|()| Exit::Ok).map_err(super::demo_other::not_started)
        }
        Verb::Serve(args) => Box::pin(serve(context, &args)).await,
        Verb::Env(verb) => env(context, verb).await,
        Verb::Config(ConfigVerb::Check) => setup::check(context),
        Verb::Backup { to, damaged } => {
            super::backup::make(&context.out(), &context.paths.data, &to, damaged.as_deref(), &*context.clock)
        }
        Verb::Restore { from, damaged } => super::backup::restore(&context.out(), &from, &context.paths.data, damaged),
        Verb::Alerts(AlertsVerb::Test) => super::alerts::test(context).await,
        Verb::Log(args) => super::log::run(context, args).await,
        Verb::Forecast(args) => super::forecast::run(context, args).await,
        Verb::Prune { yes } => super::prune::run(context, yes).await,
        #[cfg(feature = "postgres")]
        Verb::Store(verb) => Box::pin(super::store::run(context, verb)).await,
        #[cfg(not(feature = "postgres"))]
        Verb::Store(_) => Err(boot::without_database()),
        Verb::Upgrade(args) => upgrade::run(context, args).await,
        Verb::Doctor(args) => doctor::run(&context.out(), &context.paths.data, &*context.clock, &args),
        Verb::Plan(PlanVerb::New(asked)) => match &asked.described {
            Some(form) => Box::pin(setup::from_erp(context, form, &asked)).await,
            None => super::fresh::print(&context.out(), asked.form.as_deref().unwrap_or_default(), &asked),
        },
        Verb::Plan(verb) => {
            // The owner's environments are not known here.
            let all = context.config.environments.iter().filter(|_| context.global.attach.is_none());
            let envs: Vec<_> = all.map(|env| env.environment.clone()).collect();
            let place = plans::Place { dir: &context.plan_dir(), envs: &envs };
            plans::run(context.out(), place, verb, || context.boot(Vec::new(), true)).await
        }
        Verb::Run(args) => write::run_plan(context, args).await,
        Verb::Evidence(args) => super::files::evidence(context, &args).await,
        Verb::Take(args) => super::take::take(context, &args).await,
        writing @ (Verb::Retry(_)
        | Verb::Approve(_)
        | Verb::Verify(_)
        | Verb::Resume(_)
        | Verb::Cancel(_)
        | Verb::Resolve(_)
        | Verb::Reopen(_)) => {
            let booted = context.boot(Vec::new(), true).await?;
            let exit = write::write(context, &booted, writing).await;
            output::after(exit, booted.end(None).await, context.out().lang)
        }
        reading => {
            let asks_erp = matches!(&reading, Verb::Bill(args) if args.ask);
            if asks_erp {
                can_ask(context)?;
            }
            let booted = context.boot(Vec::new(), asks_erp).await?;
            let exit = read(context, &booted, reading).await;
            output::after(exit, booted.end(None).await, context.out().lang)
        }
    }
}

async fn env(context: &Context, verb: EnvVerb) -> Result<Exit, Stop> {
    let all = &context.config.environments;
    match verb {
        EnvVerb::List => {
            let environments: Vec<_> = all.iter().map(|e| e.environment.clone()).collect();
            environments::list(&context.out(), &environments)
        }
        EnvVerb::Add(args) => Box::pin(setup::add(context, args)).await,
        EnvVerb::Check { name } => {
            let found = context.environment(name.as_deref())?;
            let base = context.paths.config_dir();
            let (causes, clock, known) = (&context.causes, &context.clock, &context.known);
            context.warn_of_clear_text(found);
            let erp = boot::client(found, &base, causes, clock, known, &Arc::default())?;
            environments::check(context, &found.environment, &*erp).await
        }
        EnvVerb::Adopt { name, reason } => environments::adopt(context, &EnvId::new(name), reason).await,
    }
}

/// Whether there is an ERP to be asked from here.
fn can_ask(context: &Context) -> Result<(), Stop> {
    let out = context.out();
    if context.snapshot.is_some() {
        return Err(out.usage(
            "not asked: --ask asks the ERP, and a copy or a directory of an earlier version is only looked at; leave \
             --snapshot out, or run `skydeck upgrade` first",
            "未查询：--ask 要向 ERP 查询，而副本或早期版本的数据目录只供查看；请去掉 --snapshot，或先执行 `skydeck upgrade`",
        ));
    }
    // Whoever holds the directory has environments of its own.
    let asks_here = context.global.attach.is_none() && boot::owner::holder(&context.paths.data)?.is_none();
    if asks_here && context.config.environments.is_empty() {
        return Err(out.no_environment(&context.paths.config));
    }
    Ok(())
}

async fn read(context: &Context, booted: &Booted, verb: Verb) -> Result<Exit, Stop> {
    let (link, out) = (&*booted.link, context.out());
    match verb {
        Verb::Ledger(args) => bills::ledger(link, &out, &args).await,
        Verb::History(args) => history::history(link, &out, &args).await,
        Verb::Bill(args) => bill::bill(link, &out, &args).await,
        Verb::Export(args) => super::files::export(booted, &out, &args).await,
        Verb::Report(args) => super::files::report(booted, &out, &args).await,
        Verb::Handover(args) => super::files::handover(booted, &out, &args).await,
        Verb::Health => super::health::run(link, &out, booted.is_attached()).await,
        _ => Err(Stop::odd_answer()),
    }
}
