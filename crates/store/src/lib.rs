//! Where facts live. The journal is the truth; the index (sled) can be rebuilt from it.
//!
//! Invariant: `append` is all-or-nothing and durable on return; nothing is shown before it is durable.

pub mod account;
pub mod actions;
pub mod backup;
pub mod batch;
pub mod codec;
pub mod doctor;
pub mod evidence;
pub mod fault;
pub mod file;
pub mod hosts;
pub mod index;
pub mod journal;
pub mod local;
pub mod memory;
pub mod msgpack;
pub mod prune;
mod reads;
pub mod sorted;
pub mod words;

use std::ops::{Deref, Range};

use async_trait::async_trait;

pub use batch::{AppendError, Batch, BatchId};
pub use index::hours::HOURS_AT_ONCE;
pub use reads::{Embedded, Inside, Pace};
use skydeck_core::domain::action_log::LogWitness;
use skydeck_core::domain::bill::Found;
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::event::{ActionEntry, Event, Fact};
use skydeck_core::domain::handed_in::Taken;
use skydeck_core::domain::hours::Hour;
use skydeck_core::domain::ids::{EnvId, Fid, FormId, OpId, PlanId, PlanRev, RecordKey, RunId, Seq, WorkKey};
use skydeck_core::domain::live::Live;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::{BillsAsked, FilterValues, LedgerGroup, Page, PageRequest, RunColumn};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{BillRow, Mark, RunRow, StoppedRun};
use skydeck_core::domain::run_list::{RunLine, RunsAsked};
use skydeck_core::domain::server::ServerBound;
use skydeck_core::domain::step::{Blob, Body, LastMade};
use skydeck_core::domain::time::Ts;
pub(crate) use skydeck_core::text::hex;

/// An append that became durable.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The facts as stamped, in order.
    pub facts: std::sync::Arc<[Fact]>,
}

/// What can go wrong in a store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else owns the data directory.
    #[error(
        "data directory {dir} is held by process {pid} ({who}) since {since}: {}",
        Self::until_free(dir, who, false)
    )]
    Held {
        /// Directory.
        dir: String,
        /// Owner's process id.
        pid: u32,
        /// Owner's user.
        who: String,
        /// Since when, local time.
        since: String,
    },
    /// The directory cannot be used: which, why, what to do.
    #[error("{0}")]
    Directory(String),
    /// Written by a newer version.
    #[error(
        "data directory {dir} was written by store version {found}; this program knows up to {known}: use the newer program, \
         or restore a backup from before it was raised into a new directory; nothing was changed"
    )]
    TooNew {
        /// Directory.
        dir: String,
        /// Version found.
        found: u32,
        /// Version known.
        known: u32,
    },
    /// It is not known which version wrote the directory.
    #[error(
        "data directory {dir}: its file `version` {}; one of this program says `skydeck store {}`: put the file back from a \
         backup of this directory, or restore the backup into a new one; nothing was changed",
        said.as_ref().map_or("is not there, and a journal is".to_owned(), |said| format!("says `{said}`")),
        local::place::VERSION
    )]
    NoVersion {
        /// Directory.
        dir: String,
        /// What stands in its file, made safe to show; unset where there is none beside a journal.
        said: Option<String>,
    },
    /// A write or flush failed. No further write is taken until the store is reopened.
    #[error("the store cannot write: {0}; nothing more is sent to the ERP until it is reopened")]
    Write(String),
    /// The disk is nearly full: outcomes of calls that were made are still taken, nothing that leads to a call is.
    #[error("the store takes no new work: {0}")]
    Full(String),
    /// A read failed.
    #[error("the store cannot read: {0}")]
    Read(String),
    /// The journal is damaged: segment, offset, what.
    #[error("the journal is damaged: {0}; run `skydeck doctor`")]
    Damaged(String),
    /// A directory, or a copy of one, that does not verify, where only a whole one is taken.
    #[error(
        "{dir} does not verify: {}; `{}` says more, and nothing was changed",
        damage.en(),
        local::place::command("log verify", std::path::Path::new(dir))
    )]
    Unverified {
        /// Which.
        dir: String,
        /// What is wrong with it.
        damage: Box<backup::Damage>,
    },
    /// A cursor of another list, or from an older version.
    #[error("this page cannot be continued: {0}")]
    Cursor(String),
    /// Another machine writes to the database that holds the facts.
    #[error(
        "{host} writes to this store (it was heard of, and its turn lasts until {until}): end it in order there with \
         `skydeck serve --end`, or wait; look only meanwhile"
    )]
    Taken {
        /// How it is called.
        host: String,
        /// Until when it has to be heard of again, as the database says.
        until: String,
    },
    /// Runs that another machine has taken over: what becomes of them is that machine's to tell.
    #[error("another machine has taken over run {}; what becomes of it is told there", Self::named(.0))]
    Fenced(Vec<RunId>),
    /// The database that holds the facts: what is wrong there and what to do, in both languages.
    #[error("{en}")]
    Database {
        /// In English.
        en: String,
        /// In Chinese.
        zh: String,
    },
    /// Facts that contradict what is stored (a sum that would not close); nothing was written.
    #[error("refused to store a contradiction: {0}")]
    Contradiction(String),
}

impl From<StoreError> for Refusal {
    /// An order that the store could not take.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken { host, .. } => Self::Denied(Reason::WritesElsewhere { host }),
            StoreError::Fenced(ref runs) => match runs.first() {
                Some(run) => Self::Denied(Reason::RunElsewhere { run: *run, host: None }),
                None => Self::Store(error.reason()),
            },
            error => Self::Store(error.reason()),
        }
    }
}

impl StoreError {
    /// What to do about who holds a data directory. A `doctor` ends by itself, and one that is ended begins anew.
    fn until_free(dir: &str, who: &str, zh: bool) -> String {
        let end = local::place::command("serve --end", std::path::Path::new(dir));
        match (who == "doctor", zh) {
            (true, false) => "it checks or rebuilds the index and ends by itself: wait for it".to_owned(),
            (true, true) => "它在检查或重建索引，完成后自行结束：请等待".to_owned(),
            (false, false) => format!("end it in order first with `{end}`"),
            (false, true) => format!("请先用 `{end}` 让它按序结束"),
        }
    }

    fn named(runs: &[RunId]) -> String {
        runs.iter().map(RunId::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Why a run or an order could not be stored, in both languages.
    pub fn reason(&self) -> Reason {
        Reason::Disk { said: self.to_string(), zh: Some(self.zh()) }
    }

    /// In Chinese; what the system or a deeper part said stays as it was said.
    pub fn zh(&self) -> String {
        match self {
            Self::Held { dir, pid, who, since } => {
                format!("数据目录 {dir} 自 {since} 起由进程 {pid}（{who}）占用：{}", Self::until_free(dir, who, true))
            }
            Self::Directory(what) => words::chinese(what),
            Self::TooNew { dir, found, known } => format!(
                "数据目录 {dir} 由存储版本 {found} 写成，本程序只支持到版本 {known}：请使用较新的程序，或把升级前的备份恢复到\
                 新目录；未作任何更改"
            ),
            Self::NoVersion { dir, said } => {
                let is = said.as_ref().map_or("不存在，但有流水".to_owned(), |said| format!("内容为 `{said}`"));
                format!(
                    "数据目录 {dir}：其中的 `version` 文件{is}；本程序写的应为 `skydeck store {}`：请从该目录的备份中取回此文件，\
                     或把备份恢复到新目录；未作任何更改",
                    local::place::VERSION
                )
            }
            Self::Write(what) => format!("存储无法写入：{}；重新打开之前不再向 ERP 发送任何内容", words::chinese(what)),
            Self::Full(what) => format!("存储不再接受新的工作：{}", words::chinese(what)),
            Self::Read(what) => format!("存储无法读取：{}", words::chinese(what)),
            Self::Damaged(what) => format!("流水已损坏：{}；请运行 `skydeck doctor`", words::chinese(what)),
            Self::Unverified { dir, damage } => format!(
                "{dir} 未通过核对：{}；详情见 `{}`；未作任何更改",
                damage.zh(),
                local::place::command("log verify", std::path::Path::new(dir))
            ),
            Self::Taken { host, until } => format!(
                "{host} 正在写入该存储（其占用持续到 {until}）：请在该主机上用 `skydeck serve --end` 按序结束，或等待；其间只能查看"
            ),
            Self::Fenced(runs) => format!("运行 {} 已由另一台主机接管，其结果以该主机所记为准", Self::named(runs)),
            Self::Database { zh, .. } => zh.clone(),
            Self::Cursor(what) => format!("该页无法继续：{}", words::chinese(what)),
            Self::Contradiction(what) => format!("拒绝存入自相矛盾的内容：{}", words::chinese(what)),
        }
    }
}

/// Whose records are meant that were handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedIn {
    /// For which plan.
    pub plan: PlanId,
    /// In which environment.
    pub env: EnvId,
    /// Under which name.
    pub form: FormId,
}

/// A ledger entry as the engine needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The bill with its latest outcome, in the run that gave it: a later run that only found the bill again
    /// does not hide what is unresolved.
    pub row: BillRow,
    /// Since when it has been unresolved.
    pub since: Ts,
    /// How often a process died while a call for it was in flight.
    pub deaths: u32,
}

/// A state that a reader made of the facts up to a place, kept beside them so that it need not read them all again. It is
/// worth nothing by itself: whoever finds none, or one of another form, makes it anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Number of what is in it, and how.
    pub form: u32,
    /// The last fact that is in it.
    pub place: Seq,
    /// Its parts by name.
    pub rows: Vec<(String, Vec<u8>)>,
    /// What is kept under other names is not of it any more.
    pub whole: bool,
}

/// What is going on, as it was at one place of the journal: the facts after it bring it to the present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Every fact up to here is in it, and none after.
    pub at: Seq,
    /// Runs, each once, by their ids.
    pub runs: Vec<RunRow>,
}

impl Snapshot {
    /// As readers of facts keep it.
    pub fn live(self) -> Live {
        Live::at(self.at, self.runs)
    }
}

/// The store: facts are added here, and read by [`Reads`], which stand behind it.
#[async_trait]
pub trait Store: Send + Sync {
    /// Stamps and stores a batch's events together, if its conditions hold. Durable when it returns. Group commit: concurrent
    /// callers share a flush.
    async fn append(&self, batch: Batch) -> Result<Appended, AppendError>;

    /// What answers questions about what was added.
    fn reads(&self) -> &(dyn Reads + 'static);

    /// The machines that write, where there may be several.
    fn hosts(&self) -> Option<&dyn hosts::Hosts> {
        None
    }
}

/// Whoever has a store asks it as it is: a store that stands before another one says whose the answers are, and no more.
impl Deref for dyn Store + '_ {
    type Target = dyn Reads + 'static;

    fn deref(&self) -> &Self::Target {
        self.reads()
    }
}

/// The questions that a store answers. A read may wait for the disk, or for a network, and never holds up the runtime.
#[async_trait]
pub trait Reads: Send + Sync {
    /// Last durable place.
    async fn last_seq(&self) -> Result<Seq, StoreError>;
    /// The feed: facts after a place, at most `limit`, each at the place after the one before it. Who asks again behind the
    /// last one misses none and gets none twice; nothing comes where none was added yet.
    async fn facts_after(&self, after: Seq, limit: usize) -> Result<Vec<Fact>, StoreError>;
    /// The runs that are open and the `newest` ones, all as they were at one place, whatever is added meanwhile. With
    /// [`Self::facts_after`] from there on a reader follows a store that others write to.
    async fn snapshot(&self, newest: u32) -> Result<Snapshot, StoreError>;

    /// One run.
    async fn run(&self, id: RunId) -> Result<Option<RunRow>, StoreError>;
    /// Runs that are not closed.
    async fn open_runs(&self) -> Result<Vec<RunRow>, StoreError>;
    /// Runs that ended by themselves, the latest of their plan: no later one of it went through, and no person at a console
    /// started one.
    async fn stopped_runs(&self) -> Result<Vec<StoppedRun>, StoreError> {
        Ok(Vec::new())
    }
    /// Runs, newest first, optionally of one plan.
    async fn runs(&self, plan: Option<&PlanId>, page: &PageRequest) -> Result<Page<RunRow>, StoreError>;
    /// Runs as people read them: those that a filter lets pass, by days. `now`: for words of the calendar in the filter.
    async fn run_lines(&self, asked: &RunsAsked, page: &PageRequest, now: Ts) -> Result<Page<RunLine>, StoreError>;

    /// One bill of a run.
    async fn bill_of_run(&self, run: RunId, fid: &Fid) -> Result<Option<BillRow>, StoreError>;
    /// What a run's query said about a bill when it was found.
    async fn found(&self, run: RunId, fid: &Fid) -> Result<Option<Found>, StoreError>;
    /// What is to be made of a bill of a run, as it is sent; `None` where nothing is, and where it is kept no longer.
    async fn body(&self, run: RunId, fid: &Fid) -> Result<Option<String>, StoreError>;
    /// All rows of a bill as a run found them, each with the plan's columns; none where there is one, and its columns are
    /// that row, or where the run's plan keeps none.
    async fn lines(&self, run: RunId, fid: &Fid) -> Result<Vec<Vec<String>>, StoreError>;
    /// What a call made last of a form.
    async fn last_made(&self, env: &EnvId, form: &FormId) -> Result<Option<LastMade>, StoreError>;
    /// Bills of a run in one column of the sum line, by FID, after `after`, at most `limit`.
    async fn bills_in(&self, of: RunColumn, after: Option<&Fid>, limit: usize) -> Result<Vec<BillRow>, StoreError>;
    /// Bills of a run whose intent has no answer (state `Trying`), over the whole run.
    async fn in_flight(&self, run: RunId) -> Result<Vec<BillRow>, StoreError>;
    /// A page of bills.
    async fn bills(&self, asked: BillsAsked<'_>) -> Result<Page<BillRow>, StoreError>;

    /// The entry that a person closed, where no outcome came after that.
    async fn resolved_entry(&self, key: &WorkKey) -> Result<Option<LedgerEntry>, StoreError>;
    /// When a bill of a plan that was refused for a cause last went through in the revision it had been refused in.
    async fn cured(&self, plan: &PlanId, cause: &Cause) -> Result<Option<Ts>, StoreError>;
    /// The ledger's entry for a bill, if it is unresolved.
    async fn ledger_entry(&self, key: &WorkKey) -> Result<Option<LedgerEntry>, StoreError>;
    /// Groups of the ledger with counts, biggest first.
    async fn ledger_groups(&self, plan: Option<&PlanId>) -> Result<Vec<LedgerGroup>, StoreError>;
    /// What the keys of a filter may be asked for; with the values of a column in the newest rows where one is named.
    async fn filter_values(&self, _column: Option<&str>) -> Result<FilterValues, StoreError> {
        Ok(FilterValues::default())
    }
    /// Number of unresolved bills, of one plan or all.
    async fn unresolved(&self, plan: Option<&PlanId>) -> Result<u64, StoreError>;

    /// Latest row of a bill over all runs.
    async fn bill(&self, key: &WorkKey) -> Result<Option<BillRow>, StoreError>;
    /// Latest rows of bills whose number begins with a text, in any environment and form.
    async fn find_number(&self, beginning: &str, limit: usize) -> Result<Vec<BillRow>, StoreError>;
    /// All facts about a bill over all runs, oldest first, at most `limit` newest ones; true when older ones were
    /// left out. Of the bills found together only this one is told.
    async fn facts_of(&self, key: &WorkKey, limit: usize) -> Result<(Vec<Fact>, bool), StoreError>;
    /// What was done about a bill over all runs (all its facts but those by which a query found it), oldest first, of
    /// its `limit` newest facts; with the place of the newest fact of all. For deciding: a bill nobody touched costs
    /// no look into the journal.
    async fn deeds_of(&self, key: &WorkKey, limit: usize) -> Result<(Vec<Fact>, Seq), StoreError> {
        let (mut facts, _) = self.facts_of(key, limit).await?;
        let last = facts.last().map(|fact| fact.seq).unwrap_or_default();
        facts.retain(|fact| !matches!(fact.event, Event::BillsFound { .. }));
        Ok((facts, last))
    }
    /// Operations that runs were opened under for the records of this one's form.
    async fn operations_of(&self, key: &RecordKey) -> Result<Vec<OpId>, StoreError>;
    /// Place of the newest fact about a record, whatever was done to it; zero when there is none.
    async fn newest_of(&self, key: &RecordKey) -> Result<Seq, StoreError> {
        let mut newest = Seq(0);
        for op in self.operations_of(key).await? {
            let last = self.facts_of(&key.under(&op), 1).await?.0.last().map(|fact| fact.seq);
            newest = newest.max(last.unwrap_or_default());
        }
        Ok(newest)
    }
    /// The start of the machine under which a run worked at a place of the journal; `None` where no fact tells.
    async fn boot_of(&self, run: RunId, at: Seq) -> Result<Option<String>, StoreError>;
    /// The server an environment is bound to.
    async fn server_of(&self, env: &EnvId) -> Result<Option<ServerBound>, StoreError>;

    /// The mark of a plan in an environment.
    async fn mark(&self, plan: &PlanId, env: &EnvId) -> Result<Option<Mark>, StoreError>;
    /// The newest body of each record that was handed in for a plan, in the order in which they came, after a place, at most
    /// `limit`.
    async fn handed_in(&self, of: &HandedIn, after: Seq, limit: usize) -> Result<Vec<Taken>, StoreError>;
    /// The newest body that was handed in of one record.
    async fn handed_in_of(&self, plan: &PlanId, key: &RecordKey) -> Result<Option<Taken>, StoreError>;
    /// What happened in the hours of a plan that began in a span of time, oldest first, by kind of run: hours in which nothing
    /// did are left out. Of many the first [`HOURS_AT_ONCE`]; who wants more goes on behind the last one.
    async fn hourly(&self, plan: &PlanId, hours: Range<Ts>) -> Result<Vec<Hour>, StoreError>;
    /// What a reader kept of this form ([`Kept`]); `None` where there is nothing of it.
    async fn kept(&self, _form: u32) -> Result<Option<Kept>, StoreError> {
        Ok(None)
    }
    /// Keeps a reader's state. It is no fact, nothing waits for it, and a crash may lose it.
    async fn keep(&self, _kept: Kept) -> Result<(), StoreError> {
        Ok(())
    }
    /// The plan of a revision, as it was when a run was first opened under it. `None`: runs of that revision are older
    /// than the keeping of plans.
    async fn plan_of(&self, rev: &PlanRev) -> Result<Option<Plan>, StoreError>;
    /// The newest witness of the action log's file, after the newest one by which a person accepted it. `file`: whose, where
    /// several machines have one each.
    async fn log_witnesses(&self, _file: Option<&str>) -> Result<Vec<(Seq, LogWitness)>, StoreError> {
        Ok(Vec::new())
    }
    /// The action log, newest first.
    async fn actions(&self, page: &PageRequest) -> Result<Page<(Seq, Ts, ActionEntry)>, StoreError>;
}

/// Bytes of a body kept with a fact; the rest is known by its length and hash.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// An event with the bodies of its answer cut to what is kept.
pub fn limited(event: &Event) -> Event {
    let mut event = event.clone();
    if let Event::StepAnswered { evidence: Some(evidence), .. } = &mut event {
        limit_body(&mut evidence.request);
        if let Some(body) = &mut evidence.response {
            limit_body(body);
        }
    }
    event
}

fn limit_body(body: &mut Body) {
    use sha2::Digest;
    if body.bytes.0.len() > BODY_LIMIT {
        if body.sha256.is_none() {
            body.sha256 = Some(hex(&sha2::Sha256::digest(&body.bytes.0)));
        }
        body.bytes = Blob(body.bytes.0.get(..BODY_LIMIT).unwrap_or_default().to_vec());
    }
}

/// Leaves of the bills found together only one.
pub(crate) fn trim_to_bill(mut fact: Fact, fid: &Fid) -> Fact {
    if let Event::BillsFound { bills, .. } = &mut fact.event {
        bills.retain(|bill| bill.fid == *fid);
    }
    fact
}
