//! When a verb leaves the run that it follows, or the engine leaves the verb.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::domain::ids::RunId;
use crate::domain::run::{RunRow, RunState};
use crate::exit::{Exit, Stop};

/// The wish to leave a run that is followed: Ctrl-C, or the end that a service manager sends. A terminal that is closed is
/// none: the run goes on to its end, and nobody is told.
pub struct Leave {
    signals: [Signal; 2],
}

impl Leave {
    /// From now on.
    ///
    /// # Errors
    /// The system gives no signals.
    pub fn listen() -> Result<Self, Stop> {
        let hear =
            |kind| signal(kind).map_err(|e| Stop::system(Exit::Usage, "signals cannot be heard", "无法接收信号", &e));
        // Once heard, it no longer ends the process.
        drop(hear(SignalKind::hangup())?);
        Ok(Self { signals: [hear(SignalKind::interrupt())?, hear(SignalKind::terminate())?] })
    }

    /// Ends when it is said.
    pub async fn asked(&mut self) {
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// The engine of a run that was followed is gone. `row`: the run as it was last told.
pub fn engine_ended(run: RunId, row: Option<&RunRow>) -> Stop {
    let (exit, verb, named) = match row.map(|row| (&row.state, &row.head.plan)) {
        Some((RunState::Collecting, plan)) => (Exit::Stopped, "run", plan.to_string()),
        Some((RunState::AwaitingApproval, _)) => (Exit::Stopped, "approve", run.to_string()),
        _ => (Exit::Unknown, "resume", run.to_string()),
    };
    let (en, zh) = match exit {
        Exit::Stopped => ("nothing was written", "未写入任何内容"),
        _ => ("what became of the calls in flight is not known", "在途调用的结果未知"),
    };
    Stop::both(
        exit,
        format!("the engine ended while this verb followed run {run}; {en}: run `skydeck {verb} {named}` to continue"),
        format!("跟踪运行 {run} 时引擎已结束；{zh}：执行 `skydeck {verb} {named}` 继续"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::tests::{row, sum};

    #[test]
    fn a_run_whose_engine_is_gone_names_the_command_that_goes_on_with_it() {
        let run = RunId(ulid::Ulid::from_parts(7, 7));
        let of = |state| {
            let stop = engine_ended(run, Some(&row(state, sum(1, 0, 0, 0, 2))));
            assert!(stop.zh.as_ref().is_some_and(|zh| zh.contains(&run.to_string())));
            (stop.exit, stop.message)
        };
        for (state, exit, command) in [
            (RunState::Collecting, Exit::Stopped, "`skydeck run p`".to_owned()),
            (RunState::AwaitingApproval, Exit::Stopped, format!("`skydeck approve {run}`")),
            (RunState::Working, Exit::Unknown, format!("`skydeck resume {run}`")),
            (RunState::Settling, Exit::Unknown, format!("`skydeck resume {run}`")),
        ] {
            let (is, said) = of(state);
            assert!(is == exit && said.contains(&command), "{said}");
        }
        assert!(engine_ended(run, None).message.contains("skydeck resume"));
    }
}
