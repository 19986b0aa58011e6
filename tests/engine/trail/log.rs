//! The lines of accepting the log; and what a reason and a long word of somebody else come to in a line.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Trail, bench, env};
use crate::engine_support::*;
use async_trait::async_trait;
use skydeck::domain::action_log::{AcceptedFile, LogFault, LogPlace, LogWitness};
use skydeck::domain::command::{Command, Refusal, StartParams};
use skydeck::domain::event::Event;
use skydeck::domain::ids::PlanId;
use skydeck::domain::query::PlanProblem;
use skydeck::domain::reason::Reason;
use skydeck::store::StoreError;
use skydeck::store::actions::{ActionLog, Deed, Line, MemoryLog};

/// A log that does not agree with the journal until somebody accepts it.
struct Disagreeing {
    log: Arc<MemoryLog>,
    faults: Mutex<Vec<LogFault>>,
}

#[async_trait]
impl ActionLog for Disagreeing {
    async fn write(&self, deed: Deed) -> Result<LogPlace, StoreError> {
        self.log.write(deed).await
    }

    fn faults(&self) -> Vec<LogFault> {
        self.faults.lock().unwrap().clone()
    }

    fn acceptable(&self) -> Result<Option<LogWitness>, StoreError> {
        let accepted = Some(AcceptedFile { bytes: 7, sha256: "ab".into() });
        let at = LogPlace::new(40, "cd".into());
        let witness = LogWitness { at, open: true, loose: Vec::new(), accepted };
        Ok((!self.faults().is_empty()).then_some(witness))
    }

    fn accepted(&self) {
        self.faults.lock().unwrap().clear();
    }
}

#[tokio::test(start_paused = true)]
async fn accepting_the_log_leaves_its_whole_lines_and_what_was_wrong() {
    let mut bench = Bench::new();
    let faults = vec![LogFault::Cut { last: 4, told: 9 }, LogFault::Replaced { line: 2 }];
    let log = Disagreeing { log: Arc::clone(&bench.actions), faults: Mutex::new(faults) };
    bench.log = Some(Arc::new(log));
    bench.try_start().await.unwrap();
    let start = || Command::Start { plan: PlanId::new("p"), params: StartParams::default() };
    let accept = |reason: &str| Command::AcceptLog { reason: reason.into() };
    bench.refused(start()).await;
    bench.refused(accept(" \u{feff}\t")).await;
    bench.accepted(accept(" the disk was replaced ")).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    bench.refused(accept("again")).await;
    let trail = Trail(&bench, Vec::new());
    assert_eq!(trail.lines(), LINES_OF_THE_LOG);
    assert_eq!(trail.entries(), ENTRIES_OF_THE_LOG);
    let run = bench.accepted(start()).await.unwrap();
    bench.closed(run).await;
}

const LINES_OF_THE_LOG: [&str; 5] = [
    r#"refused start order=1 by=wang/1000 env=test plan=p n=0 code=log_disagrees args={"more":1,"fault":{"k":"cut","last":4,"told":9}}: actions.log ends at line 4, and the journal tells of line 9, and 1 more: no run starts before a person has looked (`skydeck log verify`) and accepted it (`skydeck log accept --reason …`)"#,
    "refused accept_log order=2 by=wang/1000 n=0 reason= \u{feff}\t code=needs_reason args={\"verb\":\"accept_log\"}: not confirmed: accept_log needs a written reason",
    "before accept_log order=3 by=wang/1000 n=0 reason=the disk was replaced",
    "after accept_log order=3 by=wang/1000 n=0 reason=the disk was replaced: accepted; actions.log ends at line 4, and the journal tells of line 9; line 2 of actions.log is not the one the journal tells of",
    "refused accept_log order=4 by=wang/1000 n=0 reason=again code=log_agrees args={}: nothing to do: the action log and the journal agree",
];
const ENTRIES_OF_THE_LOG: [&str; 4] = [
    "1 start by=wang/1000 plan=p n=0: actions.log ends at line 4, and the journal tells of line 9, and 1 more: no run starts before a person has looked (`skydeck log verify`) and accepted it (`skydeck log accept --reason …`)",
    "2 accept_log by=wang/1000 n=0: not confirmed: accept_log needs a written reason",
    "3 accept_log order=3 by=wang/1000 n=0 reason=the disk was replaced: accepted; actions.log ends at line 4, and the journal tells of line 9; line 2 of actions.log is not the one the journal tells of",
    "5 accept_log by=wang/1000 n=0: nothing to do: the action log and the journal agree",
];

#[tokio::test(start_paused = true)]
async fn a_reason_that_nobody_can_see_is_none_wherever_one_is_asked_for() {
    let mut bench = bench().await;
    bench.world.submitted(1..=2);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let key = bench.store.bill_of_run(run, &fid(1)).unwrap().unwrap().key;
    let hash = bench.run(run).collected.unwrap().hash;
    for unseen in ["", " ", "\u{3000}\u{a0}", "\u{200b}\u{200d}", "\u{202e}\u{2066}", "\u{feff}\n", "\u{2800}\u{ad}"] {
        let reason = || unseen.to_owned();
        for command in [
            Command::Unlock { env: env(), reason: reason() },
            Command::Resolve { selection: Bench::all_matching(), reason: reason() },
            Command::Reopen { keys: vec![key.clone()], reason: reason() },
            Command::AdoptServer { env: env(), reason: reason() },
            Command::AcceptLog { reason: reason() },
        ] {
            let verb = command.verb().to_owned();
            let refusal = bench.refused(command).await;
            assert_eq!(refusal, Refusal::NotConfirmed(Reason::NeedsReason { verb }), "{unseen:?}");
        }
        let flags = vec![flag("STK_InvCheckResult")];
        let typed = Some("test".to_owned());
        let approve = Command::Approve { run, hash: hash.clone(), typed, flags, reason: Some(reason()) };
        assert_eq!(bench.refused(approve).await, Refusal::NotConfirmed(Reason::FlagsNeedReason {}), "{unseen:?}");
    }
    let accepted = bench.facts().into_iter().filter_map(|fact| match fact.event {
        Event::ActionTaken(entry) if entry.result.starts_with("accepted") => Some(entry.verb),
        _ => None,
    });
    assert_eq!(accepted.collect::<Vec<_>>(), ["start"]);
}

#[tokio::test(start_paused = true)]
async fn long_words_of_somebody_else_are_cut_to_what_a_line_takes() {
    let mut bench = Bench::started().await;
    for (signs, kept) in [(4096, None), (4097, Some(4096)), (9000, Some(4096))] {
        let said = "x".repeat(signs);
        let problem = PlanProblem { id: PlanId::new("bad"), message: said.clone(), zh: None, reason: None };
        *bench.plans.1.lock().unwrap() = vec![problem];
        bench.accepted(Command::ReloadPlans).await;
        let start = Command::Start { plan: PlanId::new("bad"), params: StartParams::default() };
        let refusal = bench.refused(start).await;
        assert_eq!(
            refusal,
            Refusal::BadPlan(Reason::PlanProblem { said: said.clone(), zh: None }),
            "told whole to who ordered"
        );
        let line: Line = serde_json::from_str(bench.actions.lines().last().unwrap()).unwrap();
        let cut = kept.map_or_else(|| said.clone(), |kept| format!("{}…", "x".repeat(kept)));
        assert_eq!(line.deed.args, Some(serde_json::json!({"said": cut})), "{signs}");
        let words = refusal.to_string();
        let words = if words.len() > 4096 { format!("{}…", &words[..4096]) } else { words };
        assert_eq!(line.deed.result, words, "{signs}");
        let good = Command::Start { plan: PlanId::new("p"), params: StartParams::default() };
        let run = bench.accepted(good).await.unwrap();
        bench.closed(run).await;
    }
}
