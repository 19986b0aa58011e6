//! Made-up runs as facts.

use skydeck_core::domain::bill::{Failure, Found, Outcome, Rev, Slot, Status};
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::ids::{EnvId, Fid, FormId, OpId, PlanId, PlanRev, RunId};
use skydeck_core::domain::run::{Revision, RunEnd, RunHead, RunKind, RunState};
use skydeck_core::domain::step::{Step, Verdict};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::{BillChange, Change};
use skydeck_core::domain::who::Who;
use skydeck_forecast::{Alarm, Folder};
use ulid::Ulid;

use super::office::Run;

pub fn head(plan: &PlanId, at: i64) -> RunHead {
    RunHead {
        id: RunId(Ulid::from_parts(at as u64, 7)),
        kind: RunKind::Fresh,
        plan: plan.clone(),
        name: plan.to_string(),
        rev: PlanRev::default(),
        env: EnvId::new("demo"),
        production: false,
        form: FormId::default(),
        columns: Vec::new(),
        by: Who::schedule(1),
        opened: Ts(at),
        of: None,
        filter: String::new(),
        revision: Revision::Newest,
        op: OpId::default(),
        server: None,
        range: None,
        headless: false,
        due: None,
        text: None,
    }
}

/// Bills, of which a run takes as many as it finds.
pub struct Feed {
    bills: Vec<Found>,
}

impl Feed {
    pub fn new() -> Self {
        let bill = Found {
            fid: Fid::from(1),
            no: "N1".to_owned(),
            rev: Rev::new(Status::Submitted, None),
            approver: None,
            approved: None,
            marked: None,
            columns: Vec::new(),
            probe: None,
            absent: false,
            outside: false,
            will: None,
            body: None,
            lines: Vec::new(),
            looked: None,
            fields: Vec::new(),
        };
        Self { bills: vec![bill; 100] }
    }

    fn found(&self, folder: &mut Folder, id: RunId, n: u64, at: i64) {
        let mut left = n as usize;
        while left > 0 {
            let some = left.min(self.bills.len());
            folder.fold(&Change::Found { run: id, bills: &self.bills[..some] }, Ts(at));
            left -= some;
        }
    }

    /// A run up to its set: what is seen of volume.
    pub fn collect(&self, folder: &mut Folder, plan: &PlanId, at: i64, found: u64) -> (RunId, Vec<Alarm>) {
        let head = head(plan, at);
        folder.fold(&Change::Opened(&head), Ts(at));
        self.found(folder, head.id, found, at + 1500);
        let to = if found == 0 { RunState::Closed(RunEnd::Empty) } else { RunState::AwaitingApproval };
        let alarms = folder.fold(&Change::Run { run: head.id, to, approves: false }, Ts(at + 2000));
        (head.id, alarms)
    }

    /// A whole run.
    pub fn run(&self, folder: &mut Folder, plan: &PlanId, run: &Run) -> Vec<Alarm> {
        let (id, mut alarms) = self.collect(folder, plan, run.at, run.found);
        if run.found == 0 {
            return alarms;
        }
        let fid = Fid::from(1);
        let mut now = run.at + 5000;
        folder.fold(&Change::Run { run: id, to: RunState::Working, approves: true }, Ts(now));
        let failed = Outcome::Failed(Failure {
            cause: Cause::new("stock"),
            msg_code: None,
            field: None,
            message: String::new(),
        });
        let done = Outcome::Done { verified: false };
        let ms = run.ms.exp() as u32;
        for n in 0..run.found {
            now += i64::from(ms);
            let verdict = Verdict::Done;
            let answered = BillChange::Answered { step: Step::Audit, verdict: &verdict, made: None, ms };
            folder.fold(&Change::Bill { run: id, fid: &fid, change: answered }, Ts(now));
            let outcome = if n < run.failed { &failed } else { &done };
            let settled = BillChange::Settled { no: "N1", was: Slot::Waiting, outcome };
            folder.fold(&Change::Bill { run: id, fid: &fid, change: settled }, Ts(now));
        }
        let to = RunState::Closed(RunEnd::Completed);
        alarms.extend(folder.fold(&Change::Run { run: id, to, approves: false }, Ts(now)));
        alarms
    }

    /// A run whose bills settle at these moments; gives how many facts that were.
    pub fn queue(&self, folder: &mut Folder, plan: &PlanId, at: i64, settled: &[(i64, Option<i64>)]) {
        let bills = settled.iter().filter(|(_, until)| until.is_none()).count();
        let (id, _) = self.collect(folder, plan, at - 5000, bills as u64);
        folder.fold(&Change::Run { run: id, to: RunState::Working, approves: true }, Ts(at));
        let (fid, outcome) = (Fid::from(1), Outcome::Done { verified: false });
        let cause = Cause::new("lock");
        for (now, until) in settled {
            let settled = BillChange::Settled { no: "N1", was: Slot::Waiting, outcome: &outcome };
            let put_off =
                |until| BillChange::Deferred { no: "N1", was: Slot::Waiting, until, cause: &cause, failure: None };
            let change = until.map_or(settled, |until| put_off(Ts(until)));
            folder.fold(&Change::Bill { run: id, fid: &fid, change }, Ts(*now));
        }
        let last = settled.last().map_or(at, |(now, _)| *now);
        folder.fold(&Change::Run { run: id, to: RunState::Closed(RunEnd::Completed), approves: false }, Ts(last));
    }
}
