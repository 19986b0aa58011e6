//! Follows one run without a screen: answers the states it comes into, shows progress, and stops after the calls in flight
//! on the first Ctrl-C.
//!
//! Invariant: the engine decides; this only gives orders and says what the facts say.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::asked;
use super::drive::{Driver, Set};
use super::leave::{self, Leave};
use super::lines::Lines;
use crate::domain::command::{Command, Refusal};
use crate::domain::event::{Event, Fact};
use crate::domain::ids::RunId;
use crate::domain::live::{EnvPulse, Live, RunLive};
use crate::domain::run::{PauseWhy, RunRow, RunState};
use crate::engine::api::{Notice, Watch};
use crate::exit::{Exit, Stop};

/// How often a run on the built-in simulator goes on by itself after a pause.
const RESUMES: u32 = 200;

impl Driver {
    /// Gives an order that opens or continues runs, and follows them to their end, one after the other.
    pub async fn run(&self, command: Command) -> Result<Exit, Stop> {
        let watch = self.link.watch().await?;
        let (runs, _) = self.order(command).await?;
        let (mut exit, mut watch) = (Exit::Ok, Some(watch));
        for run in runs {
            let watch = match watch.take() {
                Some(watch) => watch,
                None => self.link.watch().await?,
            };
            exit = exit.or(self.follow(run, watch, Set::Ours).await?);
        }
        Ok(exit)
    }

    /// Follows a run to its end, or to where it stays without this verb. A pause that stands at the beginning is one that
    /// an order was just given about.
    pub async fn follow(&self, run: RunId, watch: Watch, set: Set) -> Result<Exit, Stop> {
        let mut leave = Leave::listen()?;
        let mut following = Following::begin(self, run, watch.live, set).await?;
        let mut notices = watch.notices;
        loop {
            if let Some(exit) = following.answer().await? {
                return Ok(exit);
            }
            tokio::select! {
                // Biased: what happened is shown before a Ctrl-C is obeyed, so the last line is never stale.
                biased;
                notice = notices.recv() => following.take(notice).await?,
                () = leave.asked() => following.stop().await?,
            }
        }
    }
}

/// A run that is followed.
struct Following<'a> {
    driver: &'a Driver,
    run: RunId,
    set: Set,
    bar: ProgressBar,
    live: Live,
    lines: Option<Lines>,
    /// The state that was answered last.
    seen: Option<RunState>,
    /// The run came into another state, or into the same one anew.
    moved: bool,
    /// Ctrl-C was pressed once.
    stopping: bool,
    /// Pauses after which it went on by itself.
    resumed: u32,
    /// The pace that was said last.
    slowed: Option<u32>,
}

impl<'a> Following<'a> {
    async fn begin(driver: &'a Driver, run: RunId, live: Live, set: Set) -> Result<Self, Stop> {
        let waits = |state: &RunState| matches!(state, RunState::Paused(_) | RunState::Interrupted);
        let row = live.runs.get(&run).map(|live| &live.row);
        let seen = row.map(|row| row.state.clone()).filter(waits);
        let lines = if driver.out.json { Some(Lines::begin(&*driver.link, row).await?) } else { None };
        let bar = bar(driver.out.json);
        Ok(Self { driver, run, set, bar, live, lines, seen, moved: false, stopping: false, resumed: 0, slowed: None })
    }

    /// Does what the state asks for that the run has come into; the exit where it is left there.
    async fn answer(&mut self) -> Result<Option<Exit>, Stop> {
        let driver = self.driver;
        let Some(now) = self.live.runs.get(&self.run) else { return self.told_no_more().await };
        if !self.moved && self.seen.as_ref() == Some(&now.row.state) {
            return Ok(None);
        }
        self.moved = false;
        self.seen = Some(now.row.state.clone());
        match &now.row.state {
            // The close follows; but not where it cannot be stored.
            RunState::Paused(why) if self.stopping && !matches!(why, PauseWhy::Store(_)) => Ok(None),
            // A store that takes no writes takes none after a resume either.
            RunState::Paused(why)
                if driver.trusting
                    && !matches!(why, PauseWhy::Operator | PauseWhy::Store(_))
                    && self.resumed < RESUMES =>
            {
                self.resumed += 1;
                driver.order(Command::Resume { run: self.run }).await?;
                Ok(None)
            }
            RunState::AwaitingApproval if self.set == Set::Cancelled => Ok(None),
            RunState::AwaitingApproval => {
                let first = driver.submitted_first(&now.row).await?;
                self.bar.suspend(|| driver.approve(now, first))?.give(driver, &now.row, self.set).await
            }
            RunState::Paused(_) | RunState::Interrupted | RunState::Closed(_) => self.leave(now).await.map(Some),
            RunState::Settling => {
                driver.out.note(driver.out.t(
                    "unknown bills are read back after the server's time-out",
                    "结果未知的单据等过服务器超时后回查",
                ));
                Ok(None)
            }
            RunState::Collecting | RunState::Working => Ok(None),
        }
    }

    /// So many others were closed since that this run is told no more: it is told from the store where it is closed.
    async fn told_no_more(&self) -> Result<Option<Exit>, Stop> {
        let row = asked::run_row(&*self.driver.link, self.run).await?;
        let Some(row) = row.filter(|row| row.state.is_closed()) else { return Ok(None) };
        self.bar.finish_and_clear();
        self.driver.over(&row, self.lines.as_ref(), self.set).await.map(Some)
    }

    /// Says where the run stays without this verb.
    async fn leave(&self, now: &RunLive) -> Result<Exit, Stop> {
        self.bar.finish_and_clear();
        let stored = asked::run_row(&*self.driver.link, self.run).await?;
        // The store's row, not the fold: what is printed last is what is on disk. A pause of a store that takes no writes,
        // and the calls that were lost by it, stand in the fold alone.
        let (state, mut tally) = (now.row.state.clone(), now.row.tally);
        if let (Some(row), false) = (&stored, matches!(state, RunState::Paused(PauseWhy::Store(_)))) {
            tally = row.tally;
        }
        let row = stored.map_or_else(|| now.row.clone(), |row| RunRow { state, tally, ..row });
        self.driver.over(&row, self.lines.as_ref(), self.set).await
    }

    /// Takes in what the engine says; nothing is said any more where it has ended.
    async fn take(&mut self, notice: Option<Notice>) -> Result<(), Stop> {
        match notice {
            Some(Notice::Facts(facts)) => self.facts(&facts),
            Some(Notice::Resync(now)) => {
                (self.live, self.moved) = (*now, true);
                if let Some(lines) = &mut self.lines {
                    lines.catch_up(&*self.driver.link, &self.driver.out, self.run).await?;
                }
            }
            Some(Notice::Pulse(pulse)) => {
                let env = self.live.runs.get(&self.run).map(|r| &r.row.head.env);
                if let Some(now) = pulse.envs.iter().find(|now| Some(&now.env) == env) {
                    self.bar.suspend(|| pace(self.driver, now, &mut self.slowed));
                }
            }
            Some(Notice::PlansReloaded | Notice::Unusual) => {}
            None => return Err(leave::engine_ended(self.run, self.live.runs.get(&self.run).map(|live| &live.row))),
        }
        Ok(())
    }

    fn facts(&mut self, facts: &[Fact]) {
        for fact in facts {
            self.live.apply(fact);
            if fact.event.run() != Some(self.run) {
                continue;
            }
            self.moved |= matches!(
                fact.event,
                Event::RunCollected { .. }
                    | Event::RunPaused { .. }
                    | Event::RunSettling { .. }
                    | Event::RunInterrupted { .. }
                    | Event::RunClosed { .. }
            );
            if let (Some(lines), Some(live)) = (&mut self.lines, self.live.runs.get(&self.run)) {
                lines.fact(&self.driver.out, &live.row.head, fact);
            }
        }
        if let Some(run) = self.live.runs.get(&self.run) {
            self.progress(run);
        }
    }

    fn progress(&self, run: &RunLive) {
        let (tally, out) = (run.tally(), &self.driver.out);
        // What is settled without a call takes no time: the bar's rate and end are those of the calls.
        let called = tally.audited + tally.failed + tally.unknown;
        self.bar.set_length(called + run.row.to_call());
        self.bar.set_position(called);
        let (failed, unknown) = (out.t("failed", "失败"), out.t("unknown", "未知"));
        self.bar.set_message(format!("{failed} {} · {unknown} {}", tally.failed, tally.unknown));
    }

    /// Obeys a Ctrl-C: the first stops after the calls in flight, the second leaves at once.
    async fn stop(&mut self) -> Result<(), Stop> {
        let out = &self.driver.out;
        if self.stopping {
            return Err(Stop::both(
                Exit::Interrupted,
                "interrupted; calls in flight become unknown and are read back at the next start",
                "已中断；在途单据结果未知，下次启动时回查",
            ));
        }
        self.stopping = true;
        out.note(out.t(
            "stopping after the calls in flight; once more to leave at once",
            "在途调用返回后停止；再按一次立即离开",
        ));
        // Refused where the run has just ended: its end is on its way.
        if let Err(refusal) = self.driver.submit(Command::Cancel { run: self.run }).await? {
            let words = out.refusal(&refusal);
            if matches!(refusal, Refusal::Store(_)) {
                // Nothing can be ordered any more: what the run comes to is not waited for.
                let exit = self.live.runs.get(&self.run).and_then(|live| Exit::of_run(&live.row));
                return Err(Stop::new(exit.unwrap_or(Exit::Stopped), words));
            }
            out.note(&words);
        }
        Ok(())
    }
}

/// Says that the ERP asked to slow down, and that the configured pace is back. `said`: the pace that was said last.
fn pace(driver: &Driver, now: &EnvPulse, said: &mut Option<u32>) {
    let out = &driver.out;
    match (&now.slowed, *said) {
        (Some(slowed), said_last) if said_last.is_none_or(|n| now.per_minute < n) => {
            let (held, full) = (out.time(slowed.held), out.time(slowed.full));
            let (allowed, configured) = (now.per_minute, slowed.configured);
            out.note(&if out.is_zh() {
                let why = slowed.why.zh();
                format!("ERP 要求降速（{why}）：{held} 前不调用，之后每分钟 {allowed} 次；{configured} 次将于 {full} 恢复")
            } else {
                let why = slowed.why.en();
                format!("the ERP asked to slow down ({why}): no call before {held}, then {allowed} a minute; {configured} again by {full}")
            });
            *said = Some(allowed);
        }
        (None, Some(_)) => {
            let n = now.per_minute;
            let (en, zh) = (format!("{n} calls a minute again"), format!("已恢复每分钟 {n} 次调用"));
            out.note(out.t(&en, &zh));
            *said = None;
        }
        (Some(_) | None, _) => {}
    }
}

/// Where people look on, and not for lines of JSON.
fn bar(json: bool) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() && !json {
        ProgressDrawTarget::stderr_with_hz(4)
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {per_sec} ETA {eta} {msg}") {
        bar.set_style(style);
    }
    bar
}
