//! Takes one run from order to closing without a screen: gives orders, asks for approval, says how it ended.
//!
//! Invariant: the engine decides; this only gives orders and says what the facts say.

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

use ulid::Ulid;

use super::args::Approval;
use super::bills;
use super::end_words;
use super::json;
use super::lines::Lines;
use super::out::Out;
use super::output;
use super::set_words;
use crate::domain::command::{Command, Order, Receipt, Refusal};
use crate::domain::confirm::{self, ConfirmationLevel};
use crate::domain::filter::Filter;
use crate::domain::ids::{CommandId, EnvId, RunId};
use crate::domain::live::RunLive;
use crate::domain::operation::Operation;
use crate::domain::query::{Answer as QueryAnswer, Query, Scope};
use crate::domain::reason::Reason;
use crate::domain::run::{Flag, Revision, RunEnd, RunKind, RunRow, RunState};
use crate::domain::who::Who;
use crate::engine::api::Link;
use crate::exit::{Exit, Stop};

/// Bills listed after a run; the rest is in `history RUN`.
const LISTED: u32 = 40;

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
    /// Gives an order; a refusal is a [`Stop`]. Gives the runs it opened or concerns.
    pub async fn order(&self, command: Command) -> Result<(Vec<RunId>, u64), Stop> {
        match self.submit(command).await? {
            Ok(taken) => Ok(taken),
            Err(refusal) => Err(Stop::new(Exit::of_refusal(&refusal), self.out.refusal(&refusal))),
        }
    }

    pub(super) async fn submit(&self, command: Command) -> Result<Result<(Vec<RunId>, u64), Refusal>, Stop> {
        // One that goes on by itself after a pause is as good as somebody at a console.
        let headless = !self.trusting;
        let order = Order { id: CommandId(Ulid::generate()), by: self.by.clone(), session: None, headless, command };
        Ok(match self.link.submit(order).await? {
            Receipt::Accepted { run, more, bills } => Ok((run.into_iter().chain(more).collect(), bills)),
            Receipt::Refused(refusal) => Err(refusal),
        })
    }

    /// Unlocks the environment of a plan where `--unlock` asks for it; the reason is kept in the action log.
    pub async fn unlock(&self, env: &EnvId) -> Result<(), Stop> {
        if !self.approval.unlock {
            return Ok(());
        }
        let reason = self
            .approval
            .reason
            .clone()
            .ok_or_else(|| self.out.usage("--unlock needs --reason", "--unlock 需要 --reason"))?;
        self.order(Command::Unlock { env: env.clone(), reason }).await.map(|_| ())
    }

    /// Declines the set that this verb collected and may not approve, so that it is not in the way of the next run.
    async fn withdraw(&self, row: &RunRow, set: Set) -> Result<Option<Exit>, Stop> {
        match self.submit(Command::Decline { run: row.head.id }).await? {
            Ok(_) => Ok(None),
            Err(refusal) => {
                self.out.note(&format!("skydeck: {}", self.out.refusal(&refusal)));
                self.over(row, None, set).await.map(Some)
            }
        }
    }

    /// How many bills of a set are submitted before the audit; `None` where the plan submits none, or is another one by now.
    pub(super) async fn submitted_first(&self, row: &RunRow) -> Result<Option<u64>, Stop> {
        let Some(collected) = row.collected.as_ref().filter(|_| row.head.op.is_audit()) else { return Ok(None) };
        let QueryAnswer::Plans(rows) = self.link.ask(Query::Plans).await? else { return Ok(None) };
        let mut plans = rows.iter().filter_map(|row| row.plan.as_ref().ok());
        let plan = plans.find(|plan| plan.id == row.head.plan && plan.rev == row.head.rev);
        Ok(plan.and_then(|plan| Operation::of(plan).submitted_first(&collected.by_status)))
    }

    /// `first`: how many of the bills are submitted before the audit, where some may be.
    pub(super) fn approve(&self, run: &RunLive, first: Option<u64>) -> Result<Answer, Stop> {
        let head = &run.row.head;
        let collected = run
            .row
            .collected
            .clone()
            .ok_or_else(|| Stop::both(Exit::Refused, "nothing was collected", "没有读取到任何单据"))?;
        self.out.note(&set_words::collected(&self.out, &run.row, &collected));
        if let Some(n) = first {
            self.out.note(&set_words::submitted_first(&self.out, n));
        }
        if let Some(range) = self.out.range(head) {
            self.out.note(&self.out.colon("range", "范围", &range));
        }
        if head.revision == Revision::Original {
            let words = self.out.t("under the plan's original revision", "按方案的原版本");
            self.out.note(&format!("{words} {}", head.rev.short()));
        }
        let probes = crate::ui::probes(&self.out.causes, self.out.console(), &collected);
        for words in [
            set_words::listed(&self.out, &collected),
            set_words::absent(&self.out, &collected),
            set_words::unchanged(&self.out, &collected),
            set_words::sights(&self.out, &collected),
            set_words::unmade(&self.out, &collected),
            set_words::doubles(&self.out, &collected),
            set_words::not_compared(&self.out, &collected),
            probes,
        ]
        .into_iter()
        .flatten()
        {
            self.out.note(&words);
        }
        let grave = !self.approval.flags.is_empty();
        let level = confirm::confirmation_level(collected.callable, head.production, head.env.as_str(), grave);
        let typed = match (&level, &self.approval.confirm) {
            (_, Some(typed)) => Some(typed.clone()),
            (ConfirmationLevel::Yes, None) if self.approval.yes || collected.callable == 0 => None,
            (level, None) if self.trusting => Some(wish(level)),
            _ => match self.ask(&level)? {
                Some(typed) => Some(typed),
                None => return Ok(Answer::No),
            },
        };
        Ok(Answer::Yes(Command::Approve {
            run: head.id,
            hash: collected.hash,
            typed,
            flags: self.approval.flags.iter().cloned().map(Flag).collect(),
            reason: self.approval.reason.clone(),
        }))
    }

    /// Asks at the terminal. `None` = no.
    fn ask(&self, level: &ConfirmationLevel) -> Result<Option<String>, Stop> {
        let wish = wish(level);
        if !std::io::stdin().is_terminal() {
            let option =
                if *level == ConfirmationLevel::Yes { "--yes".to_owned() } else { format!("--confirm {wish}") };
            self.out.note(&format!("{} {option}", self.out.t("not confirmed: add", "未确认：加")));
            return Ok(None);
        }
        output::question(&format!(
            "{} {wish} {}",
            self.out.t("Enter", "输入"),
            self.out.t("to continue: ", "并回车：")
        ))?;
        let mut line = String::new();
        // A terminal that is gone says nothing, and that is no yes.
        let typed = std::io::stdin().lock().read_line(&mut line).is_ok() && line.trim() == wish;
        Ok(typed.then(|| line.trim().to_owned()))
    }

    /// Says how a run ended, or how it stands where this verb leaves it; its exit.
    pub(super) async fn over(&self, row: &RunRow, lines: Option<&Lines>, set: Set) -> Result<Exit, Stop> {
        let mut exit = Exit::of_run(row).unwrap_or(Exit::Stopped);
        if set == Set::Cancelled && is_cancelled_unapproved(row) {
            // What was asked for was done, and there was nothing else.
            exit = Exit::Ok;
            self.out.note(self.out.t("stopped; nothing was approved or written", "已停止；未批准，未写入任何内容"));
        } else if let Some(words) = end_words::why(&self.out, row) {
            self.out.note(&words);
        }
        let gap = lines.map_or(Exit::Ok, |lines| lines.gap(&self.out, row));
        match self.print(row, exit).await {
            Ok(()) => Ok(exit.or(gap)),
            // Said, and not an end: of several runs the next one is still to be followed.
            Err(stop) => {
                let stop = stop.spoken(self.out.lang);
                let own = self.out.t("the run's own exit code is", "本次运行的退出码为");
                self.out.note(&format!("skydeck: {}; {own} {}", stop.message, exit.code()));
                Ok(exit.or(gap).or(stop.exit))
            }
        }
    }

    async fn print(&self, row: &RunRow, exit: Exit) -> Result<(), Stop> {
        // Where something was found, it was said before the approval.
        let nothing = row.collected.as_ref().filter(|_| row.tally.found == 0 || row.head.op.collects());
        if let Some(words) = nothing.and_then(|set| set_words::listed(&self.out, set)) {
            self.out.note(&words);
        }
        if self.out.json {
            let mut line = json::run(row);
            json::merge(&mut line, serde_json::json!({"exit": exit.code()}));
            return Ok(self.out.object(&line)?);
        }
        // What nobody approved was never this run's business: its sum is enough.
        if row.state.is_closed() && !row.is_untold() {
            self.list(row).await?;
        }
        Ok(self.out.line(&format!("{}  {}", row.head.id, self.out.sum_of(row)))?)
    }

    async fn list(&self, row: &RunRow) -> Result<(), Stop> {
        let filter = match row.head.kind {
            RunKind::Verify => Filter::default(),
            RunKind::Fresh | RunKind::Retry => {
                Filter::parse("status:failed,unknown,skipped,not_reached").map_err(|e| Stop::usage(e.to_string()))?
            }
        };
        bills::print(&*self.link, &self.out, Scope::Run(row.head.id), &filter, LISTED).await.map(|_| ())
    }
}

/// What must be typed for a level.
fn wish(level: &ConfirmationLevel) -> String {
    match level {
        ConfirmationLevel::Yes => "y".to_owned(),
        ConfirmationLevel::TypeCount(n) => n.to_string(),
        ConfirmationLevel::TypeEnvironment(name) => name.clone(),
    }
}

/// Whose set is to be approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// This verb collected it: without an approval it is declined, so that it is in nobody's way.
    Ours,
    /// Somebody else did: without an approval it waits on.
    Theirs,
    /// It is being cancelled: nothing is approved.
    Cancelled,
}

/// Whether a run was cancelled before anybody had approved anything.
fn is_cancelled_unapproved(row: &RunRow) -> bool {
    row.state == RunState::Closed(RunEnd::Cancelled) && (row.is_untold() || row.collected.is_none())
}

/// What becomes of a set.
pub(super) enum Answer {
    /// This approval is given.
    Yes(Command),
    /// Not confirmed.
    No,
}

impl Answer {
    /// Gives it to the engine; the exit where the set is left waiting.
    pub(super) async fn give(self, driver: &Driver, row: &RunRow, set: Set) -> Result<Option<Exit>, Stop> {
        let refused = match self {
            Self::Yes(approval) => driver.submit(approval).await?.err(),
            Self::No if set == Set::Theirs => return driver.over(row, None, set).await.map(Some),
            Self::No => driver.submit(Command::Decline { run: row.head.id }).await?.err(),
        };
        let Some(refusal) = refused else { return Ok(None) };
        driver.out.note(&format!("skydeck: {}", driver.out.refusal(&refusal)));
        match refusal.reason() {
            // Somebody else was quicker: what became of it is on its way.
            Reason::NotAwaiting { .. } | Reason::Closing { .. } | Reason::Closed { .. } => Ok(None),
            // Another person is what it lacks: the set waits for him.
            Reason::SecondPerson { .. }
            | Reason::OtherFlags { .. }
            | Reason::UnknownPerson { .. }
            | Reason::NotAllowed { .. } => driver.over(row, None, set).await.map(Some),
            _ if set == Set::Ours => driver.withdraw(row, set).await,
            _ => driver.over(row, None, set).await.map(Some),
        }
    }
}
