//! What must hold whatever happens, held against what really happened: each outcome at the moment at which it is told, the
//! calls, and the ledger at the end.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use skydeck::domain::bill::{Outcome, Rev, Skip, UnknownWhy};
use skydeck::domain::cause::{Repeat, known};
use skydeck::domain::event::{Event, Fact};
use skydeck::domain::ids::{EnvId, Fid, FormId, OpId, RecordKey, RunId, WorkKey};
use skydeck::domain::run::RunEnd;
use skydeck::domain::step::Step;
use skydeck::store::LedgerEntry;
use skydeck::store::memory::MemoryStore;

use crate::engine_support::{AUDIT, Bench, FORM, TokioClock};

/// What is never to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wrong {
    Missed,
    Blind,
    Overlapping,
    Unread,
    DoneAndIsNot,
    FailedAndIsDone,
    Twice,
    Entry,
    Elsewhere,
    Other,
}

impl Wrong {
    pub const ALL: [Self; 10] = [
        Self::Missed,
        Self::Blind,
        Self::Overlapping,
        Self::Unread,
        Self::DoneAndIsNot,
        Self::FailedAndIsDone,
        Self::Twice,
        Self::Entry,
        Self::Elsewhere,
        Self::Other,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Blind => "blind repeats",
            Self::Overlapping => "overlapping calls",
            Self::Unread => "called as not read",
            Self::DoneAndIsNot => "told done and is not",
            Self::FailedAndIsDone => "told failed and is done",
            Self::Twice => "done twice in one revision",
            Self::Entry => "entries that hang on another plan",
            Self::Elsewhere => "calls on another server",
            Self::Other => "otherwise wrong",
        }
    }

    /// The kind of a broken rule, by its words.
    pub fn of_rule(rule: &str) -> Self {
        if rule.contains("blind repeat") {
            Self::Blind
        } else if rule.contains("overlapping calls") {
            Self::Overlapping
        } else if rule.contains("applied twice") {
            Self::Twice
        } else {
            Self::Unread
        }
    }
}

/// What was found wrong, in words.
pub type Found = Vec<(Wrong, String)>;

/// What an operation on a record really came to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// What it leads to is there now.
    pub there: bool,
    /// It is there by our call, and nobody undid that since.
    pub by_us: bool,
    /// How often a call of ours brought it about.
    pub ours: u64,
    /// How often such a call arrived after the limit that the environment declares: no look can foretell that, so it was
    /// rightly told as not done.
    pub overdue: u64,
    /// How often it came about, whoever did it.
    pub came: u64,
    /// The last call of ours was refused, and what it asked for was there.
    pub refused_as_done: bool,
    /// The last call of ours was answered as done, and nothing happened.
    pub hollow: bool,
    /// The bill is no longer there.
    pub gone: bool,
}

impl Truth {
    /// How often a call of ours brought it about within the limit of a call.
    fn in_time(self) -> u64 {
        self.ours - self.overdue
    }
}

/// Tells what really is.
pub trait Real: Send + Sync {
    fn truth(&self, op: &OpId, fid: &Fid) -> Truth;
}

/// What was said last of one work.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    /// What was true when the first call left that nothing has come of yet, and the run it left in.
    called: Option<(RunId, Truth)>,
    /// What was true when it was told last that it is done: one effect is told once, whichever run tells it.
    told: Option<Truth>,
    /// How many effects of ours there were when it was told that there is none.
    told_not: Option<u64>,
}

/// A success that was told, and had no effect.
struct Hollow {
    /// What was said of the work before.
    word: Word,
    /// What was true when its run called the bill.
    called: Option<Truth>,
    /// How often it had come about by then, whoever did it.
    came: u64,
    what: String,
}

/// Hears every fact as it is stored and holds outcomes against the truth of that moment.
pub struct Witness {
    real: Arc<dyn Real>,
    /// Operations that name nobody who did them: what came after our call counts as ours.
    nobody: HashSet<OpId>,
    ops: HashMap<RunId, OpId>,
    words: HashMap<(OpId, Fid), Word>,
    /// What was true when a run first called a bill, until it tells what came of that.
    called: HashMap<(RunId, Fid), Truth>,
    /// Told as done by an answer that was hollow, with what was known before: to be taken back before its run ends.
    hollow: HashMap<(RunId, Fid), Hollow>,
    pub found: Found,
}

impl Witness {
    pub fn new(real: Arc<dyn Real>, nobody: HashSet<OpId>) -> Arc<Mutex<Self>> {
        let (ops, words, called, hollow) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        Arc::new(Mutex::new(Self { real, nobody, ops, words, called, hollow, found: Vec::new() }))
    }

    /// Lets it hear what the bench's store takes.
    pub fn listen(this: &Arc<Mutex<Self>>, bench: &Bench) {
        let this = Arc::clone(this);
        let hear = move |facts: &[Fact]| {
            let mut witness = this.lock().unwrap();
            for fact in facts {
                witness.hear(&fact.event);
            }
        };
        *bench.store.witness.lock().unwrap() = Some(Box::new(hear));
    }

    fn wrong(&mut self, kind: Wrong, what: String) {
        self.found.push((kind, what));
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::RunOpened(head) => drop(self.ops.insert(head.id, head.op.clone())),
            Event::StepTried { run, fid, step, .. } => {
                let op = self.ops[run].clone();
                // Of submit, then audit, the audit is what counts.
                if op.as_str() == AUDIT && *step == Step::Submit {
                    return;
                }
                let truth = self.look(&op, fid);
                let word = self.words.entry((op, fid.clone())).or_default();
                word.told_not = None;
                word.called.get_or_insert((*run, truth));
                self.called.entry((*run, fid.clone())).or_insert(truth);
            }
            Event::BillSettled { run, fid, outcome, .. } => {
                let op = self.ops[run].clone();
                self.settled(*run, &op, fid, outcome);
            }
            Event::RunClosed { run, end } => self.closed(*run, *end == RunEnd::Cancelled),
            _ => {}
        }
    }

    /// A hollow success that was not taken back by now stands for good; where the bill is gone, or was done by somebody else
    /// meanwhile, whatever became of it then, no read can tell. A person who cancels what a dead process left does not wait for a read.
    fn closed(&mut self, run: RunId, cancelled: bool) {
        let left: Vec<(RunId, Fid)> = self.hollow.keys().filter(|(of, _)| *of == run).cloned().collect();
        for key in left {
            let Some(hollow) = self.hollow.remove(&key) else { continue };
            let truth = self.real.truth(&self.ops[&run].clone(), &key.1);
            if truth.came == hollow.came && !truth.gone && !cancelled {
                self.wrong(Wrong::DoneAndIsNot, format!("{}; at the end {truth:?}", hollow.what));
            }
        }
    }

    /// The truth now; and whether something took effect that was told as failed.
    fn look(&mut self, op: &OpId, fid: &Fid) -> Truth {
        let truth = self.real.truth(op, fid);
        let word = self.words.entry((op.clone(), fid.clone())).or_default();
        if word.told_not.is_some_and(|n| truth.in_time() > n) {
            word.told_not = None;
            let what = format!("bill {fid}, {op:?}: told as not done, and our call took effect after that: {truth:?}");
            self.wrong(Wrong::FailedAndIsDone, what);
        }
        truth
    }

    fn settled(&mut self, run: RunId, op: &OpId, fid: &Fid, outcome: &Outcome) {
        let truth = self.look(op, fid);
        if matches!(outcome, Outcome::Unknown(unknown) if unknown.why == UnknownWhy::Contradicted)
            && let Some(hollow) = self.hollow.remove(&(run, fid.clone()))
        {
            self.words.insert((op.clone(), fid.clone()), hollow.word);
            self.called.extend(hollow.called.map(|truth| ((run, fid.clone()), truth)));
            return;
        }
        // Told as done, and undone by somebody before it was read back: what is told next may be of that call once more.
        if matches!(outcome, Outcome::Unknown(unknown) if unknown.why == UnknownWhy::Contradicted) {
            let word = self.words.entry((op.clone(), fid.clone())).or_default();
            (word.called, word.told) = (Some((run, Truth::default())), None);
            return;
        }
        if matches!(outcome, Outcome::Skipped(Skip::Gone)) && !truth.gone {
            self.wrong(Wrong::Missed, format!("bill {fid}, {op:?}: told as gone, and it is there"));
        }
        let own = self.called.get(&(run, fid.clone())).copied();
        if !matches!(outcome, Outcome::Unknown(_)) {
            self.called.remove(&(run, fid.clone()));
        }
        let word = self.words.entry((op.clone(), fid.clone())).or_default();
        let before = *word;
        // A run that skips what another run has called, or finds it done already, says nothing about that call.
        if matches!(outcome, Outcome::Skipped(_) | Outcome::Already { .. })
            && word.called.is_some_and(|(of, _)| of != run)
        {
            if matches!(outcome, Outcome::Already { .. }) && truth.came == 0 {
                let what = format!("bill {fid}, {op:?}: {outcome:?} is told, and it never was: {truth:?}");
                self.wrong(Wrong::DoneAndIsNot, what);
            }
            return;
        }
        // A run tells of its own call, even where another one has told of the bill since.
        let called = own.or(word.called.map(|(_, truth)| truth));
        let is_not = match outcome {
            Outcome::Unknown(_)
            | Outcome::Skipped(
                Skip::NotReached | Skip::Missing | Skip::UnknownElsewhere | Skip::Held(_) | Skip::Excluded,
            ) => return,
            Outcome::Failed(_) | Outcome::Skipped(_) => {
                (word.called, word.told_not) = (None, Some(truth.in_time()));
                let ours = called.is_some_and(|before| truth.in_time() > before.in_time()) && truth.by_us;
                if ours || (truth.refused_as_done && truth.there && matches!(outcome, Outcome::Failed(_))) {
                    let what =
                        format!("bill {fid}, {op:?}: {outcome:?} is told; before our call {called:?}, now {truth:?}");
                    self.wrong(Wrong::FailedAndIsDone, what);
                }
                return;
            }
            Outcome::Done { .. } => {
                let nobody = self.nobody.contains(op);
                let since = |before: Truth| if nobody { truth.came > before.came } else { truth.ours > before.ours };
                let new = word.told.is_none_or(since);
                word.told = Some(truth);
                // Where nobody is named, what came about between our look and our call counts as ours, too.
                !(new && called.is_some_and(|before| since(before) || (nobody && truth.there)))
            }
            Outcome::Already { .. } => truth.came == 0,
        };
        let word = self.words.entry((op.clone(), fid.clone())).or_default();
        (word.called, word.told_not) = (None, None);
        if is_not && *outcome == (Outcome::Done { verified: false }) && truth.hollow {
            let what = format!("bill {fid}, {op:?}: a hollow success was not taken back: {called:?}, {truth:?}");
            let hollow = Hollow { word: before, called: own, came: truth.came, what };
            self.hollow.insert((run, fid.clone()), hollow);
        } else if is_not {
            let what = format!("bill {fid}, {op:?}: {outcome:?} is told; before our call {called:?}, now {truth:?}");
            self.wrong(Wrong::DoneAndIsNot, what);
        }
    }

    /// Looks once more at all that was ever told.
    pub fn end(&mut self) {
        let all: Vec<(OpId, Fid)> = self.words.keys().cloned().collect();
        for (op, fid) in all {
            self.look(&op, &fid);
        }
    }
}

pub fn record(fid: &Fid) -> RecordKey {
    RecordKey { env: EnvId::new("test"), form: FormId::new(FORM), fid: fid.clone() }
}

/// Whether a person must act before anything is called for this work.
pub fn waits_for_operator(bench: &Bench, key: &WorkKey) -> bool {
    let entry = bench.store.ledger_entry(key).unwrap();
    entry.is_some_and(|e| {
        let asks = |why: &UnknownWhy| why.needs_operator() || *why == UnknownWhy::Contradicted;
        e.deaths >= 3 || matches!(e.row.state.outcome(), Some(Outcome::Unknown(u)) if asks(&u.why))
    })
}

/// Whether a bill is carried: it was refused for a cause that neither time nor a probe cures, in the revision it has.
pub fn is_carried(bench: &Bench, key: &WorkKey, is: impl Fn(&Rev) -> bool) -> bool {
    let causes = crate::engine_support::causes();
    bench.store.ledger_entry(key).unwrap().is_some_and(|entry| {
        let Some(Outcome::Failed(failure)) = entry.row.state.outcome() else { return false };
        let cured = failure.cause.as_str() == known::NOT_APPLIED;
        let cured = cured
            || match causes.repeat(&failure.cause) {
                Repeat::Delayed | Repeat::VerifyFirst | Repeat::Singly => true,
                Repeat::AfterFix | Repeat::StopPlan | Repeat::Done => causes.of_environment(&failure.cause),
            };
        !cured && is(&entry.row.rev)
    })
}

/// Every call was for the revision its run was approved with, or for the one our own submit led to.
pub fn approvals(bench: &Bench) -> Found {
    let mut submitted = HashSet::new();
    let mut wrong = Vec::new();
    for fact in bench.facts() {
        let Event::StepTried { run, fid, step, rev, .. } = fact.event else { continue };
        let found = bench.store.found(run, &fid).unwrap().unwrap();
        if found.rev != rev && !submitted.contains(&(run, fid.clone())) {
            wrong.push((Wrong::Other, format!("bill {fid} was called as {rev:?} but approved as {:?}", found.rev)));
        }
        if step == Step::Submit {
            submitted.insert((run, fid));
        }
    }
    wrong
}

/// What the ledger says of each work of one operation does not hang on what was done under another: it says the same when
/// only the facts of that operation's runs were ever stored.
pub fn entries_stand_alone(bench: &Bench, ops: &[&str], fids: &[Fid]) -> Found {
    let mut wrong = Vec::new();
    let facts = bench.facts();
    for op in ops.iter().map(|op| OpId::new(*op)) {
        let alone = MemoryStore::new(TokioClock::new());
        let mut runs = HashSet::new();
        for fact in &facts {
            if let Event::RunOpened(head) = &fact.event
                && head.op == op
            {
                runs.insert(head.id);
            }
            if fact.event.run().is_some_and(|run| runs.contains(&run))
                && let Err(error) = alone.append_now(&vec![fact.event.clone()].into())
            {
                wrong.push((Wrong::Entry, format!("the facts of {op:?} do not stand alone: {error}")));
                return wrong;
            }
        }
        for fid in fids {
            let key = record(fid).under(&op);
            let say = |entry: Option<LedgerEntry>| {
                entry.map(|e| (e.row.plan, e.row.run, e.row.state.outcome().cloned(), e.deaths))
            };
            let all = say(bench.store.ledger_entry(&key).unwrap());
            let one = say(alone.index().ledger_entry(&key).unwrap());
            if all != one {
                wrong.push((
                    Wrong::Entry,
                    format!("bill {fid}, {op:?}: the ledger says {all:?}, alone it says {one:?}"),
                ));
            }
        }
    }
    wrong
}

/// What the store was told of the bills that something is wrong with, in order.
pub fn trails(bench: &Bench, wrong: &Found) -> Vec<String> {
    let bill = |what: &String| {
        Some(["bill ", "record "].iter().find_map(|word| what.strip_prefix(word)).unwrap_or(what))
            .and_then(|rest| rest.split([',', ' ', ':']).next())
            .map(Fid::new)
    };
    let fids: HashSet<Fid> = wrong.iter().filter_map(|(_, what)| bill(what)).collect();
    let mut lines = Vec::new();
    for fact in bench.facts() {
        let of = match &fact.event {
            Event::StepTried { fid, .. }
            | Event::StepAnswered { fid, .. }
            | Event::BillRead { fid, .. }
            | Event::BillDeferred { fid, .. }
            | Event::BillSettled { fid, .. } => fids.contains(fid),
            Event::BillsFound { bills, .. } => bills.iter().any(|b| fids.contains(&b.fid)),
            _ => false,
        };
        if of && !fids.is_empty() {
            let words = format!("{:?}", fact.event).replace("RunId", "").replace("ErpDate", "");
            lines.push(format!("fact {} {}", fact.seq, words.chars().take(400).collect::<String>()));
        }
    }
    lines
}
