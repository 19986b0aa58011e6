//! The console is opened: attached to an engine, or with an engine of its own in this process.

use std::sync::Arc;

use super::console::Console;
use super::context::{Context, screen};
use super::upgrade;
use crate::boot::owner::Detached;
use crate::boot::{self, Booted, Setup};
use crate::config::EnvironmentConfig;
use crate::domain::run::RunState;
use crate::engine::api::Link;
use crate::exit::{Exit, Stop};
use crate::link::pending::Opening;
use crate::link::remote::RemoteLink;
use crate::store::local::Raise;
use crate::store::local::place::Place;

/// How opening the console ended.
pub(super) enum Opened {
    /// It was open, and was left with this code.
    Ended(u8),
    /// There is nothing to open it on.
    Unconfigured,
}

pub(super) async fn console(context: &Context) -> Result<Opened, Stop> {
    let configured =
        context.global.attach.is_some() || context.snapshot.is_some() || !context.config.environments.is_empty();
    Console::require_terminal().map_err(|stop| if configured { stop } else { unconfigured(context, stop) })?;
    if !configured {
        return Ok(Opened::Unconfigured);
    }
    open(context).await.map(Opened::Ended)
}

/// Without a terminal nobody can be asked for an environment either: both ways out are named.
fn unconfigured(context: &Context, stop: Stop) -> Stop {
    let stop = stop.spoken(context.out().lang);
    let file = context.paths.config.display();
    let (en, zh) = (
        format!(
            "{}; and no environment is configured ({file}): `skydeck env add NAME --url … --secret-file …` writes one, \
             `skydeck demo --headless` needs none",
            stop.message
        ),
        format!(
            "{}；并且尚未配置环境（{file}）：可用 `skydeck env add NAME --url … --secret-file …` 写入，或执行 \
             `skydeck demo --headless`",
            stop.message
        ),
    );
    Stop { message: context.out().t(&en, &zh).to_owned(), zh: None, ..stop }
}

async fn open(context: &Context) -> Result<u8, Stop> {
    if let Some(socket) = &context.global.attach {
        let link = RemoteLink::of_console(socket, boot::who(), None).expecting(context.global.owner);
        let link: Arc<dyn Link> = Arc::new(link);
        let mut screen = screen(context, &context.global.looks, &context.paths.data, None, "");
        screen.detachable = true;
        return screen.run(link).await;
    }
    if let Some(snapshot) = &context.snapshot {
        let label = format!("snapshot {}", snapshot.made);
        return console_alone(context, &label, Raise::Plain).await;
    }
    // A secret that is typed can only be typed here, so the engine must live here too.
    let typed = context.config.environments.iter().any(EnvironmentConfig::is_typed);
    let raise = upgrade::before_console(context).await?;
    if context.global.standalone || typed {
        console_alone(context, "", raise).await
    } else {
        console_attached(context, &raise).await
    }
}

/// Attaches to the engine of the data directory, or starts one that outlives this console.
async fn console_attached(context: &Context, raise: &Raise) -> Result<u8, Stop> {
    let data = &context.paths.data;
    // Who serves in somebody else's directory is not our engine, and nothing is written there.
    if data.exists() {
        Place::new(data).check().map_err(boot::store_stop)?;
    }
    let lang = Console::language(&context.global, &context.config);
    // Only a file that was named: one that is missing at its usual place is an empty configuration.
    let named = context.global.config.is_some().then_some(context.paths.config.as_path());
    let starter = Arc::new(Detached::new(named, data, raise, lang));
    let mut fatal = starter.fatal();
    let link: Arc<dyn Link> = Arc::new(RemoteLink::of_console(&data.join(boot::SOCKET), boot::who(), Some(starter)));
    let mut screen = screen(context, &context.global.looks, data, None, "");
    screen.detachable = true;
    // The first frame needs no engine. When the very first start fails, the console ends with its reason.
    let ended = tokio::select! {
        ended = screen.run(link.clone()) => ended,
        failed = fatal.wait_for(Option::is_some) => Err(match failed.ok().and_then(|why| why.clone()) {
            Some(why) => Stop::new(Exit::from_code(why.code), why.message),
            None => Stop::new(Exit::Refused, context.out().t("the engine could not be started", "引擎无法启动")),
        }),
    };
    if ended.as_ref().is_ok_and(|code| *code == Exit::Ok.code()) {
        left_at_work(context, &*link).await;
    }
    ended
}

/// Says that a run goes on without this console.
async fn left_at_work(context: &Context, link: &dyn Link) {
    let watched = tokio::time::timeout(std::time::Duration::from_millis(500), link.watch()).await;
    if let Ok(Ok(watch)) = watched
        && watch
            .live
            .open()
            .any(|run| matches!(run.row.state, RunState::Collecting | RunState::Working | RunState::Settling))
    {
        let out = context.out();
        out.note(out.t(
            "A run continues in the background; run `skydeck` again to see it",
            "有运行在后台继续；再次执行 skydeck 即可查看",
        ));
    }
}

async fn console_alone(context: &Context, label: &str, raise: Raise) -> Result<u8, Stop> {
    // A secret that is typed is typed before the screen is taken.
    let setup = context.setup(Vec::new(), true, context.snapshot.is_none())?;
    let setup = Setup { raise, lang: Console::language(&context.global, &context.config), ..setup };
    let open = async |opening: Opening| {
        let booted = Booted::start(setup, opening.say()).await?;
        opening.ready(booted.console());
        Ok(booted)
    };
    let (booted, code) =
        screen(context, &context.global.looks, &context.paths.data, None, label).run_while_opening(open).await;
    if let Some(booted) = booted {
        booted.end(None).await?;
    }
    code
}
