//! Takes one run from order to closing without a screen: watches facts, asks for approval, shows progress,
//! stops after the calls in flight on the first Ctrl-C.
//!
//! Invariant: the engine decides; this only gives orders and says what the facts say.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use tokio::time::Instant;
use ulid::Ulid;

use super::args::Approval;
use super::bills;
use super::exit::{Exit, Stop};
use super::json;
use super::out::Out;
use crate::domain::command::{Command, Order, Receipt, Refusal};
use crate::domain::confirm::{self, Rung};
use crate::domain::event::Fact;
use crate::domain::filter::Filter;
use crate::domain::ids::{CommandId, EnvId, RunId};
use crate::domain::live::{Live, RunLive};
use crate::domain::query::Scope;
use crate::domain::run::{Collected, Flag, PauseWhy, Revision, RunEnd, RunKind, RunRow, RunState};
use crate::domain::who::Who;
use crate::link::{Link, Notice, Watch};

/// Bills listed after a run; the rest is in `history RUN`.
const LISTED: u32 = 40;

/// How long a paused run without an operator waits for its unknown bills to be read back.
const UNKNOWN_LIMIT: std::time::Duration = std::time::Duration::from_secs(300);
/// How often a run on the built-in simulator goes on by itself after a pause.
const RESUMES: u32 = 200;

/// A headless operator.
pub struct Driver {
    /// Engine.
    pub link: Arc<dyn Link>,
    /// Output.
    pub out: Out,
    /// Who gives the orders.
    pub by: Who,
    /// How sets are approved.
    pub approval: Approval,
    /// Gives what the confirm ladder asks for by itself. For the built-in simulator alone.
    pub trusting: bool,
}

impl Driver {
    /// Gives an order; a refusal is a [`Stop`].
    pub async fn order(&self, command: Command) -> Result<(Option<RunId>, u64), Stop> {
        let order = Order { id: CommandId(Ulid::generate()), by: self.by.clone(), session: None, command };
        match self.link.submit(order).await? {
            Receipt::Accepted { run, bills } => Ok((run, bills)),
            Receipt::Refused(refusal) => Err(Stop::new(exit_of(&refusal), refusal.to_string())),
        }
    }

    /// Unlocks the environment of a plan where `--unlock` asks for it; the reason is kept in the action log.
    pub async fn unlock(&self, env: &EnvId) -> Result<(), Stop> {
        if !self.approval.unlock {
            return Ok(());
        }
        let reason = self.approval.reason.clone().ok_or_else(|| Stop::usage("--unlock needs --reason"))?;
        self.order(Command::Unlock { env: env.clone(), reason }).await.map(|_| ())
    }

    /// Gives an order that opens or continues a run, and follows that run to its end.
    pub async fn run(&self, command: Command) -> Result<Exit, Stop> {
        let watch = self.link.watch().await?;
        let (run, _) = self.order(command).await?;
        let Some(run) = run else { return Ok(Exit::Ok) };
        self.follow(run, watch).await
    }

    /// Gives an order that opens a run, and waits until its set is collected (or the run is over).
    pub async fn collect(&self, command: Command) -> Result<RunRow, Stop> {
        let watch = self.link.watch().await?;
        let (run, _) = self.order(command).await?;
        let run = run.ok_or_else(|| Stop::usage("no run was opened"))?;
        reached(run, watch, |state| state.is_closed() || *state == RunState::AwaitingApproval).await
    }

    /// Declines a collected set, and waits until the run is closed.
    pub async fn decline(&self, run: RunId) -> Result<RunRow, Stop> {
        let watch = self.link.watch().await?;
        self.order(Command::Decline { run }).await?;
        reached(run, watch, RunState::is_closed).await
    }

    /// Follows a run to its end.
    pub async fn follow(&self, run: RunId, mut watch: Watch) -> Result<Exit, Stop> {
        let bar = self.bar();
        let mut live = watch.live;
        let mut stopping = false;
        let mut seen = None;
        let mut resumed = 0;
        // A run that paused by itself: ended once nothing is unknown any more, or when this time has come.
        let mut end_at: Option<Instant> = None;
        loop {
            let state = live.runs.get(&run).map(|r| r.row.state.clone());
            if state != seen {
                seen.clone_from(&state);
                if let (Some(state), Some(run)) = (state, live.runs.get(&run)) {
                    if state.is_closed() {
                        bar.finish_and_clear();
                        return self.closed(&run.row).await;
                    }
                    match &state {
                        RunState::Paused(PauseWhy::Operator) => {
                            self.out.note(self.out.t("paused by an operator", "操作员已暂停"))
                        }
                        RunState::Paused(why) if !stopping => {
                            let (_, detail) = json::run_state(&RunState::Paused(why.clone()));
                            self.out.note(&format!(
                                "{} {}",
                                self.out.t("paused:", "已暂停："),
                                detail.map(|why| self.out.reason_of(&why)).unwrap_or_default()
                            ));
                            if self.trusting && resumed < RESUMES {
                                resumed += 1;
                                self.order(Command::Resume { run: run.row.head.id }).await?;
                            } else {
                                end_at = Some(Instant::now() + UNKNOWN_LIMIT);
                            }
                        }
                        _ => self.entered(run, &state, &bar).await?,
                    }
                }
            }
            // Nobody is here to mend it: end the run and keep what was not reached in the ledger, but first let the
            // engine read back what is unknown.
            let unknown = live.runs.get(&run).map_or(0, |run| run.tally().unknown);
            if end_at.is_some_and(|at| unknown == 0 || Instant::now() >= at) {
                (end_at, stopping) = (None, true);
                self.order(Command::Cancel { run }).await?;
            }
            tokio::select! {
                // Biased: what happened is shown before a Ctrl-C is obeyed, so the last line is never stale.
                biased;
                notice = watch.notices.recv() => match notice {
                    Some(Notice::Facts(facts)) => self.facts(run, &facts, &mut live, &bar)?,
                    Some(Notice::Resync(now)) => live = *now,
                    Some(Notice::Pulse(_) | Notice::PlansReloaded) => {}
                    None => return Err(Stop::new(Exit::Unknown, "the engine ended; start again to recover")),
                },
                () = tokio::time::sleep_until(end_at.unwrap_or_else(Instant::now)), if end_at.is_some() => {}
                signal = tokio::signal::ctrl_c() => {
                    signal?;
                    if stopping {
                        return Err(Stop::new(Exit::Interrupted, "interrupted; calls in flight become unknown and are verified at the next start"));
                    }
                    stopping = true;
                    self.out.note(self.out.t("stopping after the calls in flight; once more to leave at once", "在途调用结束后停止；再按一次立即离开"));
                    self.order(Command::Cancel { run }).await?;
                }
            }
        }
    }

    fn bar(&self) -> ProgressBar {
        let target = if std::io::stderr().is_terminal() && !self.out.json {
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

    fn facts(&self, run: RunId, facts: &[Fact], live: &mut Live, bar: &ProgressBar) -> Result<(), Stop> {
        for fact in facts {
            live.apply(fact);
            if self.out.json
                && fact.event.run() == Some(run)
                && let Some(line) = live.runs.get(&run).and_then(|live| json::settled(&live.row.head, fact))
            {
                self.out.object(&line)?;
            }
        }
        if let Some(run) = live.runs.get(&run) {
            let tally = run.tally();
            bar.set_length(tally.found);
            bar.set_position(tally.found.saturating_sub(tally.waiting));
            bar.set_message(format!(
                "{} {} · {} {}",
                self.out.t("failed", "失败"),
                tally.failed,
                self.out.t("unknown", "未知"),
                tally.unknown
            ));
        }
        Ok(())
    }

    async fn entered(&self, run: &RunLive, state: &RunState, bar: &ProgressBar) -> Result<(), Stop> {
        match state {
            RunState::AwaitingApproval => bar.suspend(|| self.approve(run))?.submit(self).await,
            RunState::Settling => {
                self.out.note(self.out.t(
                    "unknown bills wait out the server's limit, then are read back",
                    "未知单据等待服务器时限后回读核实",
                ));
                Ok(())
            }
            RunState::Collecting
            | RunState::Working
            | RunState::Interrupted
            | RunState::Paused(_)
            | RunState::Closed(_) => Ok(()),
        }
    }

    fn approve(&self, run: &RunLive) -> Result<Verdict, Stop> {
        let head = &run.row.head;
        let collected = run.row.collected.clone().ok_or_else(|| Stop::new(Exit::Refused, "nothing was collected"))?;
        let statuses: Vec<String> = collected.by_status.iter().map(|(s, n)| format!("{} {n}", s.code())).collect();
        let op = if head.op.is_audit() { String::new() } else { format!("{} ", self.out.named(&head.op)) };
        self.out.note(&format!(
            "{} {}: {} ({}), {} {op}{}, {} {}",
            self.out.t("collected in", "已收集，环境"),
            head.env,
            run.tally().found,
            statuses.join(" "),
            self.out.t("to be called", "将调用"),
            collected.callable,
            self.out.t("set", "集合"),
            collected.hash.short(),
        ));
        if head.revision == Revision::Original {
            let words = self.out.t("under the plan's original revision", "按方案的原修订");
            self.out.note(&format!("{words} {}", head.rev.short()));
        }
        if let Some(words) = absent(&self.out, &collected) {
            self.out.note(&words);
        }
        let grave = !self.approval.flags.is_empty();
        let rung = confirm::rung(collected.callable, head.production, head.env.as_str(), grave);
        let typed = match (&rung, &self.approval.confirm) {
            (_, Some(typed)) => Some(typed.clone()),
            (Rung::Yes, None) if self.approval.yes || collected.callable == 0 => None,
            (rung, None) if self.trusting => Some(wish(rung)),
            _ => match self.ask(&rung)? {
                Some(typed) => Some(typed),
                None => return Ok(Verdict(Command::Decline { run: head.id })),
            },
        };
        Ok(Verdict(Command::Approve {
            run: head.id,
            hash: collected.hash,
            typed,
            flags: self.approval.flags.iter().cloned().map(Flag).collect(),
            reason: self.approval.reason.clone(),
        }))
    }

    /// Asks at the terminal. `None` = no.
    fn ask(&self, rung: &Rung) -> Result<Option<String>, Stop> {
        let wish = wish(rung);
        if !std::io::stdin().is_terminal() {
            let option = if *rung == Rung::Yes { "--yes".to_owned() } else { format!("--confirm {wish}") };
            self.out.note(&format!("{} {option}", self.out.t("not confirmed; add", "未确认；请加")));
            return Ok(None);
        }
        let mut stderr = std::io::stderr().lock();
        write!(stderr, "{} {wish} {} ", self.out.t("type", "请输入"), self.out.t("to go on:", "以继续："))?;
        stderr.flush()?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        Ok((line.trim() == wish).then(|| line.trim().to_owned()))
    }

    async fn closed(&self, row: &RunRow) -> Result<Exit, Stop> {
        // The store's row, not the fold: what is printed last is what is on disk.
        let row = bills::run_row(&*self.link, row.head.id).await?.unwrap_or_else(|| row.clone());
        // What was declined was never this run's business: its sum is enough.
        if !self.out.json && row.state != RunState::Closed(RunEnd::Declined) {
            self.list(&row).await?;
        }
        let line = format!("{}  {}", row.head.id, self.out.sum(&row));
        if self.out.json {
            self.out.object(&json::run(&row))?;
        } else {
            self.out.line(&line)?;
        }
        if !row.tally.closes() {
            return Err(Stop::new(Exit::Unknown, format!("the sum does not close: {}", json!(row.tally))));
        }
        match &row.state {
            RunState::Closed(RunEnd::CollectFailed(why)) => Err(Stop::new(
                Exit::Failed,
                format!("the query failed, nothing was written, the mark did not move: {why}"),
            )),
            RunState::Closed(RunEnd::Declined) => {
                Err(Stop::new(Exit::Refused, self.out.t("not approved; nothing was written", "未批准；未写入任何内容")))
            }
            _ => Ok(Exit::of(&row.tally)),
        }
    }

    async fn list(&self, row: &RunRow) -> Result<(), Stop> {
        let filter = match row.head.kind {
            RunKind::Verify => Filter::default(),
            RunKind::Fresh | RunKind::Retry => {
                Filter::parse("status:failed,unknown,skipped,not_reached").map_err(|e| Stop::usage(e.to_string()))?
            }
        };
        bills::print(&*self.link, &self.out, Scope::Run(row.head.id), &filter, LISTED).await
    }
}

/// Waits until a run is in a wanted state.
async fn reached(run: RunId, mut watch: Watch, wanted: impl Fn(&RunState) -> bool) -> Result<RunRow, Stop> {
    let mut live = std::mem::take(&mut watch.live);
    loop {
        if let Some(run) = live.runs.get(&run)
            && wanted(&run.row.state)
        {
            return Ok(run.row.clone());
        }
        match watch.notices.recv().await {
            Some(Notice::Facts(facts)) => facts.iter().for_each(|fact| live.apply(fact)),
            Some(Notice::Resync(now)) => live = *now,
            Some(Notice::Pulse(_) | Notice::PlansReloaded) => {}
            None => return Err(Stop::new(Exit::Unknown, "the engine ended")),
        }
    }
}

/// What must be typed for a rung.
fn wish(rung: &Rung) -> String {
    match rung {
        Rung::Yes => "y".to_owned(),
        Rung::TypeCount(n) => n.to_string(),
        Rung::TypeEnvironment(name) => name.clone(),
    }
}

struct Verdict(Command);

impl Verdict {
    async fn submit(self, driver: &Driver) -> Result<(), Stop> {
        driver.order(self.0).await.map(|_| ())
    }
}

fn exit_of(refusal: &Refusal) -> Exit {
    match refusal {
        Refusal::NotFound(_) | Refusal::BadPlan(_) => Exit::Usage,
        Refusal::Nothing(_) => Exit::Ok,
        Refusal::Denied(_)
        | Refusal::SecondPerson(_)
        | Refusal::Busy(_)
        | Refusal::NotConfirmed(_)
        | Refusal::WrongState(_)
        | Refusal::Store(_) => Exit::Refused,
    }
}

/// What the target environment does not hold, in words.
pub(super) fn absent(out: &Out, collected: &Collected) -> Option<String> {
    (collected.absent > 0).then(|| {
        format!(
            "{} {}: {}",
            collected.absent,
            out.t(
                "bills of the source are not in the target exactly once; no call, asked again next time",
                "张源单据在目标账套里没有（或不止一张），不调用，下次再查"
            ),
            crate::text::show(&collected.absent_first.join(" "), 1024).as_str()
        )
    })
}
