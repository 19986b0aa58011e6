//! `serve`: the engine without a screen. In the foreground for systemd, or detached, as a console starts it.
//!
//! Invariants: an owner that is told to end lets calls in flight end, then says so to every console; a detached owner
//! goes by itself only when nobody is attached, no run is at work, no bill is unknown and no plan has a schedule.

use std::io::Write;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::ServeArgs;
use super::out::Out;
use crate::boot::Booted;
use crate::boot::owner::{self, Word};
use crate::domain::live::Live;
use crate::domain::query::Query;
use crate::domain::run::RunState;
use crate::engine::api::{Notice, Watch};
use crate::exit::{Exit, Stop};

/// How often a service manager is told that the start goes on, and how long it is asked to wait for the next word.
const WORD_AGAIN: Duration = Duration::from_secs(10);
const STILL_STARTING: Duration = Duration::from_secs(60);

/// Says one word to whoever started us. Nobody may be left to hear it.
pub fn say(word: &Word) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", word.line()).and_then(|()| out.flush());
}

/// Leaves the session, and with it the terminal, of the console that started us: its hang-up is not ours.
pub fn detach() -> Result<(), Stop> {
    rustix::process::setsid()
        .map(drop)
        .map_err(|e| Stop::system(Exit::Refused, "no session of its own", "无法建立独立会话", &e))
}

/// Leaves the directory that the engine was started in: it must not keep a file system from being unmounted, and nothing of
/// it depends on where that was.
pub fn leave() -> Result<(), Stop> {
    rustix::process::chdir("/")
        .map_err(|e| Stop::system(Exit::Refused, "the directory cannot be left", "无法离开当前目录", &e))
}

/// Serves until it is told to end, or (detached) until there is nothing left to do.
pub async fn run(booted: Booted, mut told: Told, args: &ServeArgs, out: &Out) -> Result<Exit, Stop> {
    if booted.is_attached() {
        // Two consoles that start an owner at once: the other one's is as good.
        return if args.detached {
            say(&Word::Ready);
            Ok(Exit::Ok)
        } else {
            Err(Stop::both(
                Exit::Refused,
                "another process serves this data directory already; `skydeck serve --end` ends it",
                "已有其他进程服务此数据目录；用 `skydeck serve --end` 结束它",
            ))
        };
    }
    if booted.only_looks() && !args.detached {
        booted.end(None).await?;
        return Err(Stop::both(
            Exit::Refused,
            "another machine writes to this store (`skydeck store check` names it): a service takes over once its turn has \
             ended; consoles here look on meanwhile",
            "另一台主机正在写入该存储（`skydeck store check` 会写明）：其占用结束后服务可以接手；其间此处的控制台可以查看",
        ));
    }
    let ended = if args.detached {
        say(&Word::Ready);
        tokio::select! {
            by = told.word() => Some(by),
            () = nothing_to_do(&booted, args.idle) => None,
        }
    } else {
        out.note(out.t("serving; Ctrl-C ends it", "正在服务；按 Ctrl-C 结束"));
        notify(&[NotifyState::Ready]);
        tokio::select! {
            by = told.word() => Some(by),
            () = watchdog(&booted) => None,
        }
    };
    if !args.detached {
        notify(&[NotifyState::Stopping]);
    }
    booted.end(ended.map(str::to_owned)).await?;
    Ok(Exit::Ok)
}

/// The signals that end an owner. Taken before anybody can see it, so that none of them ends it out of order.
pub struct Told {
    term: Signal,
    int: Signal,
    hup: Signal,
    quit: Signal,
}

impl Told {
    /// Listens from now on.
    pub fn listen() -> Result<Self, Stop> {
        let of =
            |kind| signal(kind).map_err(|e| Stop::system(Exit::Refused, "signals cannot be taken", "无法接收信号", &e));
        Ok(Self {
            term: of(SignalKind::terminate())?,
            int: of(SignalKind::interrupt())?,
            hup: of(SignalKind::hangup())?,
            quit: of(SignalKind::quit())?,
        })
    }

    /// Waits for one; its name.
    async fn word(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
            _ = self.hup.recv() => "SIGHUP",
            _ = self.quit.recv() => "SIGQUIT",
        }
    }

    /// What a start leads to, unless it is told to end before: a long rebuild must not hold a service's stop. What it
    /// had begun is begun anew at the next start.
    pub async fn or_end<T>(&mut self, start: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        tokio::select! {
            biased;
            started = start => started,
            by = self.word() => Err(Stop::both(Exit::Interrupted, format!("ended by {by} before it served"), format!("开始服务之前已被 {by} 结束"))),
        }
    }
}

/// A start that may last: a backup or a new index of a long history takes minutes, and a service manager that was told
/// nothing would end it again and again before it is done.
pub async fn starting<T>(start: impl Future<Output = T>) -> T {
    let mut start = std::pin::pin!(start);
    loop {
        tokio::select! {
            started = &mut start => return started,
            () = tokio::time::sleep(WORD_AGAIN) => {
                let micros = u32::try_from(STILL_STARTING.as_micros()).unwrap_or(u32::MAX);
                notify(&[NotifyState::ExtendTimeoutUsec(micros)]);
            }
        }
    }
}

fn notify(state: &[NotifyState<'_>]) {
    // Not under systemd there is nobody to tell, and that is no error.
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

/// Feeds systemd's watchdog as long as the engine itself answers; without a watchdog, waits for ever.
async fn watchdog(booted: &Booted) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    loop {
        tokio::time::sleep(limit / 3).await;
        if booted.link.ask(Query::Environments).await.is_ok() {
            notify(&[NotifyState::Watchdog]);
        }
    }
}

/// Ends when nobody was attached and nothing was to be done for this long.
async fn nothing_to_do(booted: &Booted, stay: Duration) {
    let Some(mut clients) = booted.clients() else { return std::future::pending().await };
    let Some(mut scheduled) = booted.scheduled() else { return };
    let Ok(Watch { mut live, mut notices }) = booted.link.watch().await else { return };
    // One that only looks starts nothing by the clock.
    let mut starts = true;
    loop {
        let idle = *clients.borrow_and_update() == 0 && !has_work(&live) && !*scheduled.borrow_and_update();
        let pause = async {
            if idle {
                tokio::time::sleep(stay).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = pause => return,
            changed = clients.changed() => if changed.is_err() { return },
            changed = scheduled.changed(), if starts => starts = changed.is_ok(),
            notice = notices.recv() => match notice {
                Some(Notice::Facts(facts)) => facts.iter().for_each(|fact| live.apply(fact)),
                Some(Notice::Resync(now)) => live = *now,
                Some(Notice::Pulse(_) | Notice::PlansReloaded | Notice::Unusual) => {}
                None => return,
            },
        }
    }
}

fn has_work(live: &Live) -> bool {
    live.runs.values().any(|run| {
        matches!(run.row.state, RunState::Collecting | RunState::Working | RunState::Settling)
            || (!run.row.state.is_closed() && run.row.tally.unknown > 0)
    })
}

/// `serve --end`: tells the owner of a data directory to end, and waits until it has.
pub async fn end(data: &std::path::Path, out: &Out) -> Result<Exit, Stop> {
    let Some(pid) = owner::holder(data)? else {
        out.line(out.t("no process holds this data directory", "没有进程占用该数据目录"))?;
        return Ok(Exit::Ok);
    };
    let process = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let process = process
        .ok_or_else(|| Stop::both(Exit::Usage, format!("{pid} is not a process id"), format!("{pid} 不是进程编号")))?;
    rustix::process::kill_process(process, rustix::process::Signal::TERM).map_err(|e| {
        Stop::system(
            Exit::Refused,
            format!("process {pid} cannot be told to end"),
            format!("无法通知进程 {pid} 结束"),
            &e,
        )
    })?;
    let (en, zh) = (
        format!("process {pid} told to end; it ends after the calls in flight"),
        format!("已通知进程 {pid} 结束；在途调用返回后退出"),
    );
    out.note(out.t(&en, &zh));
    while owner::holder(data)? == Some(pid) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (en, zh) = (format!("process {pid} ended"), format!("进程 {pid} 已结束"));
    out.line(out.t(&en, &zh))?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_as_it_was_said() {
        for word in [
            Word::Doing("rebuilding the index: 10000 of 20000 facts".into()),
            Word::Ready,
            Word::Stopped(4, "held by process 7".into()),
        ] {
            assert_eq!(Word::of(&word.line()), Some(word));
        }
        assert_eq!(Word::of(&Word::Stopped(2, "two\nlines".into()).line()), Some(Word::Stopped(2, "two lines".into())));
        assert_eq!(Word::of("anything else"), None);
    }
}
