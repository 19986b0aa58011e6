//! The action log: who ordered what, when, why, and what came of it, as hash-chained JSON lines beside the journal.
//!
//! Invariant: a line is durable before the action it tells of begins; a line is never changed or taken away. The newest
//! line's place and hash also stand in the journal, so that neither can be rewritten without the other.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::account::read::line_hash;
use super::{Store, StoreError, account, file, hex};
use skydeck_core::domain::action_log::{AcceptedFile, LogFault, LogWitness};
use skydeck_core::domain::event::LogPlace;
use skydeck_core::domain::time::{Clock, Ts};
use skydeck_core::domain::who::Who;
use skydeck_core::text::json_safe;

/// Name of the file in the data directory.
pub const FILE: &str = "actions.log";
/// Version of a line.
pub const VERSION: u32 = 1;
/// Most ids written out in one line; the set's hash covers them all.
pub const IDS: usize = 1000;
/// Longest line written, bytes: of a longer one fewer ids are written out.
const LONGEST: usize = 256 * 1024;

/// At which moment of an action a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It was found good and begins now.
    Before,
    /// It was refused; nothing was done.
    Refused,
    /// It was carried out (or could not be): the immediate result.
    After,
    /// The run it led to has ended.
    End,
}

/// What is written of one moment of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// The moment.
    pub phase: Phase,
    /// The order's id; absent at a run's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Who. The user id is a fact of the kernel, login and address are hints.
    pub by: Who,
    /// Verb.
    pub action: String,
    /// Environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// Plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Revision of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_rev: Option<String>,
    /// Run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Hash of the frozen set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_hash: Option<String>,
    /// Bills concerned.
    pub n: u64,
    /// Their FIDs, the first [`IDS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Reason given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it was refused, or how the run ended: a word for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What stands beside the word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<serde_json::Value>,
    /// What came of it, in English.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub result: String,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Version.
    pub v: u32,
    /// Place, from 1, without holes.
    pub seq: u64,
    /// When, UTC.
    pub ts: String,
    /// On which machine.
    pub host: String,
    /// What.
    #[serde(flatten)]
    pub deed: Deed,
    /// Hash of the line before; empty in the first one.
    pub prev: String,
}

/// Where action lines go.
#[async_trait]
pub trait ActionLog: Send + Sync {
    /// Writes one line; durable on return.
    async fn write(&self, deed: Deed) -> Result<LogPlace, StoreError>;

    /// Where the log and the journal disagreed when it was opened, until a person accepted that.
    fn faults(&self) -> Vec<LogFault> {
        Vec::new()
    }

    /// What must be durable in the journal before the first line of this process is written; `None` once there is one.
    fn begins(&self) -> Option<LogWitness> {
        None
    }

    /// What a person accepts: the log as it is now. Reads the file.
    fn acceptable(&self) -> Result<Option<LogWitness>, StoreError> {
        Ok(None)
    }

    /// The journal holds that a person accepted it.
    fn accepted(&self) {}
}

/// The end of the chain.
#[derive(Clone, Debug, Default)]
struct Tip {
    seq: u64,
    hash: String,
}

impl Tip {
    /// The next line's text without its line feed, and the tip after it. The hash covers every byte before `,"h":`.
    fn next(&self, deed: Deed, now: Ts, host: &str) -> Result<(String, Self), StoreError> {
        let ts = chrono::DateTime::from_timestamp_millis(now.0).unwrap_or_default();
        let mut line = Line {
            v: VERSION,
            seq: self.seq + 1,
            ts: ts.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            host: host.to_owned(),
            deed,
            prev: self.hash.clone(),
        };
        let mut text = line_text(&line)?;
        while text.len() > LONGEST && !line.deed.ids.is_empty() {
            line.deed.ids.truncate(line.deed.ids.len() / 2);
            text = line_text(&line)?;
        }
        text.pop(); // the closing brace
        let hash = line_hash(&text);
        text = format!("{text},\"h\":\"{hash}\"}}");
        Ok((text, Self { seq: line.seq, hash }))
    }

    fn place(&self) -> LogPlace {
        LogPlace { seq: self.seq, hash: self.hash.clone() }
    }
}

/// People print the file as it is: a name or reason in it moves no cursor and turns no text around.
fn line_text(line: &Line) -> Result<String, StoreError> {
    let text = serde_json::to_string(line).map_err(|e| StoreError::Write(format!("action log: {e}")))?;
    Ok(json_safe(&text).into_owned())
}

/// The log as a file.
pub struct FileLog {
    inner: Arc<FileInner>,
    /// What the journal must hold before the engine starts.
    pub adopted: Option<LogWitness>,
}

struct FileInner {
    clock: Arc<dyn Clock>,
    host: String,
    path: PathBuf,
    state: Mutex<Writing>,
}

struct Writing {
    file: File,
    tip: Tip,
    /// A line was written by this process.
    is_begun: bool,
    /// No line is taken any more.
    is_closed: bool,
    faults: Vec<LogFault>,
}

impl FileLog {
    /// Opens or begins the log of a data directory that is held, and compares it with its journal. A torn last line (its
    /// action never began) is cut. Where the two disagree nothing is cut, and lines go on behind what is there.
    pub async fn open(dir: &Path, clock: Arc<dyn Clock>, store: &dyn Store) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let failed = |e: std::io::Error| StoreError::Directory(format!("{}: {e}", path.display()));
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let (told, log, account) = account::of_store(&path, store).await?;
        let mut file = file::ours(OpenOptions::new().read(true).create(true).append(true), &path).map_err(failed)?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        let newest = told.witnesses.last().map(|(_, witness)| witness);
        let mut head = log.head();
        if let Some(accepted) = told.accepted().filter(|accepted| accepted.at.seq > head.seq) {
            head = accepted.at.clone();
        }
        if account.faults.is_empty() {
            if log.torn > 0 {
                tracing::warn!(bytes = log.torn, "the action log's last line was torn by a crash and is cut");
                file.set_len(log.whole).and_then(|()| file.sync_all()).map_err(failed)?;
            }
        } else {
            for fault in &account.faults {
                tracing::error!(fault = %fault.en(), "the action log and the journal disagree: no run starts");
            }
            end_line(&mut file).map_err(failed)?;
            // No place that the journal tells of is given a second time.
            let told = told.newest_line();
            head = if told.seq > head.seq { told } else { head };
        }
        let is_known = newest.is_some_and(|witness| !witness.open && witness.at == head);
        let is_new = newest.is_none() && head.seq == 0;
        let adopted = (account.faults.is_empty() && !is_known && !is_new).then(|| LogWitness {
            at: head.clone(),
            open: false,
            loose: account.loose,
            accepted: None,
        });
        let tip = Tip { seq: head.seq, hash: head.hash };
        let state = Writing { file, tip, is_begun: false, is_closed: false, faults: account.faults };
        Ok(Self { inner: Arc::new(FileInner { clock, host, path, state: Mutex::new(state) }), adopted })
    }

    /// Takes no more lines. Gives what the journal is to hold of the last one, where this process wrote any: what was cut off
    /// on the way stands in it.
    pub async fn close(&self, store: &dyn Store) -> Result<Option<LogWitness>, StoreError> {
        {
            let mut state = self.inner.lock();
            state.is_closed = true;
            if !state.is_begun || !state.faults.is_empty() {
                return Ok(None);
            }
        }
        let (_, log, account) = account::of_store(&self.inner.path, store).await?;
        let is_sound = account.faults.is_empty();
        Ok(is_sound.then(|| LogWitness { at: log.head(), open: false, loose: account.loose, accepted: None }))
    }
}

/// Ends a last line that has no end, so that the next one begins as one.
fn end_line(file: &mut File) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt;
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    if last == [b'\n'] { Ok(()) } else { file.write_all(b"\n") }
}

impl FileInner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Writing> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, deed: Deed) -> Result<LogPlace, StoreError> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(StoreError::Write("the action log is closed".to_owned()));
        }
        let (mut text, next) = state.tip.next(deed, self.clock.now(), &self.host)?;
        text.push('\n');
        let failed = |e: std::io::Error| StoreError::Write(format!("the action log: {e}"));
        let before = state.file.metadata().map_err(failed)?.len();
        let written = state.file.write_all(text.as_bytes());
        if let Err(e) = written.and_then(|()| state.file.sync_data()) {
            // What half-reached the file is taken back; where even that fails, the next opening cuts it.
            let _ = state.file.set_len(before);
            return Err(failed(e));
        }
        state.tip = next;
        state.is_begun = true;
        Ok(state.tip.place())
    }

    fn acceptable(&self) -> Result<Option<LogWitness>, StoreError> {
        let state = self.lock();
        if state.faults.is_empty() {
            return Ok(None);
        }
        let failed = |e: std::io::Error| StoreError::Read(format!("{}: {e}", self.path.display()));
        let (mut hash, mut bytes) = (Sha256::new(), 0_u64);
        let mut from = file::open(&self.path).map_err(failed)?;
        let mut buffer = vec![0_u8; 1 << 16];
        loop {
            let n = from.read(&mut buffer).map_err(failed)?;
            let Some(part) = buffer.get(..n).filter(|part| !part.is_empty()) else { break };
            hash.update(part);
            bytes += n as u64;
        }
        let accepted = Some(AcceptedFile { bytes, sha256: hex(&hash.finalize()) });
        Ok(Some(LogWitness { at: state.tip.place(), open: true, loose: Vec::new(), accepted }))
    }
}

#[async_trait]
impl ActionLog for FileLog {
    async fn write(&self, deed: Deed) -> Result<LogPlace, StoreError> {
        let inner = Arc::clone(&self.inner);
        let written = tokio::task::spawn_blocking(move || inner.write(deed)).await;
        let place = written.map_err(|e| StoreError::Write(format!("the action log: {e}")))??;
        // Under systemd this reaches its journal: whoever rewrites the file is seen against it.
        tracing::info!(seq = place.seq, head = %place.hash, "action logged");
        Ok(place)
    }

    fn faults(&self) -> Vec<LogFault> {
        self.inner.lock().faults.clone()
    }

    fn begins(&self) -> Option<LogWitness> {
        let state = self.inner.lock();
        // What was found wrong stays found until a person accepts it: no witness hides it from the next opening.
        let begins = !state.is_begun && state.faults.is_empty();
        begins.then(|| LogWitness { at: state.tip.place(), open: true, loose: Vec::new(), accepted: None })
    }

    fn acceptable(&self) -> Result<Option<LogWitness>, StoreError> {
        self.inner.acceptable()
    }

    fn accepted(&self) {
        self.inner.lock().faults.clear();
    }
}

/// The log of a store that is in memory.
pub struct MemoryLog {
    clock: Arc<dyn Clock>,
    state: Mutex<(Vec<String>, Tip)>,
}

impl MemoryLog {
    /// An empty one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Its lines.
    pub fn lines(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

#[async_trait]
impl ActionLog for MemoryLog {
    async fn write(&self, deed: Deed) -> Result<LogPlace, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, next) = state.1.next(deed, self.clock.now(), "memory")?;
        state.0.push(text);
        state.1 = next;
        Ok(state.1.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::read::Reading;
    use skydeck_core::domain::action_log::Flaw;
    use skydeck_core::domain::event::Event;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Ts {
            Ts(1_790_000_000_000)
        }
        fn mono(&self) -> std::time::Duration {
            std::time::Duration::ZERO
        }
    }

    fn deed(phase: Phase, order: &str) -> Deed {
        Deed {
            phase,
            order: Some(order.into()),
            by: Who {
                uid: 1000,
                login: "li".into(),
                from: Some("10.0.3.7".into()),
                name: None,
                origin: None,
                person: None,
            },
            action: "approve".into(),
            env: Some("demo".into()),
            plan: Some("p".into()),
            plan_rev: None,
            run: None,
            set_hash: Some("ab".into()),
            n: 2,
            ids: vec!["100001".into(), "100002".into()],
            reason: Some("line one\nline \"two\",\"h\":\"".into()),
            code: Some("read_only".into()),
            args: Some(serde_json::json!({"env": "prod", "said": "\",\"h\":\""})),
            result: String::new(),
        }
    }

    fn store() -> crate::memory::MemoryStore {
        crate::memory::MemoryStore::new(Arc::new(Still))
    }

    /// On a thread of its own: some of these tests are on a runtime themselves.
    fn block<F: Future<Output: Send> + Send>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        std::thread::scope(|scope| scope.spawn(|| runtime.block_on(future)).join().unwrap())
    }

    fn open(dir: &Path) -> FileLog {
        block(FileLog::open(dir, Arc::new(Still), &store())).unwrap()
    }

    fn written(dir: &Path) -> Vec<String> {
        std::fs::read_to_string(dir.join(FILE)).unwrap().lines().map(str::to_owned).collect()
    }

    fn check(dir: &Path) -> Reading {
        account::read::read(&dir.join(FILE), None, |_, _| Ok(())).unwrap()
    }

    #[test]
    fn lines_chain_over_a_reopening_and_say_what_was_left_open() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).inner.write(deed(Phase::Before, "a")).unwrap();
        let log = open(dir.path());
        for (phase, order) in [(Phase::After, "a"), (Phase::Before, "b")] {
            log.inner.write(deed(phase, order)).unwrap();
        }
        let place = log.inner.write(deed(Phase::Refused, "c")).unwrap();
        let found = check(dir.path());
        assert_eq!((found.rows.len(), found.fault.clone(), found.unfinished.clone()), (4, None, vec![3]));
        assert_eq!(found.head(), place);
        block(log.close(&store())).unwrap();
        assert!(log.inner.write(deed(Phase::Refused, "d")).is_err(), "a line that came late would have no witness");
    }

    #[test]
    fn a_change_a_missing_line_and_a_swapped_one_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        for order in ["a", "b", "c", "d"] {
            log.inner.write(deed(Phase::Before, order)).unwrap();
        }
        let good = written(dir.path());
        let swapped = vec![good[0].clone(), good[2].clone(), good[1].clone(), good[3].clone()];
        let missing = vec![good[0].clone(), good[2].clone(), good[3].clone()];
        let mut changed = good.clone();
        changed[1] = changed[1].replace("100002", "100003");
        // Somebody who recomputes one line's hash still breaks the next one.
        let mut forged = good.clone();
        let body = forged[1].rsplit_once(",\"h\":\"").unwrap().0.replace("\"n\":2", "\"n\":1");
        forged[1] = format!("{body},\"h\":\"{}\"}}", line_hash(&body));
        for (lines, line, flaw) in
            [(changed, 2, Flaw::Hash), (missing, 2, Flaw::Place), (swapped, 2, Flaw::Place), (forged, 3, Flaw::Order)]
        {
            std::fs::write(dir.path().join(FILE), lines.join("\n") + "\n").unwrap();
            assert_eq!(check(dir.path()).fault, Some(LogFault::Broken { line, flaw }));
        }
    }

    #[test]
    fn a_torn_line_is_cut_and_a_damaged_file_is_kept_and_gone_on_with_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        log.inner.write(deed(Phase::Before, "a")).unwrap();
        let path = dir.path().join(FILE);
        let first = std::fs::read(&path).unwrap().len();
        log.inner.write(deed(Phase::Refused, "b")).unwrap();
        drop(log);
        let whole = std::fs::read(&path).unwrap();
        for end in first..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            open(dir.path()).inner.write(deed(Phase::Before, "b")).unwrap();
            let found = check(dir.path());
            assert_eq!((found.fault, found.rows.len()), (None, 2), "cut at {end}");
        }
        // A line nobody wrote, without an end: nothing of it is lost, and nothing is written into it.
        let damaged = [&whole[..first], b"{\"v\":1,\"seq\":2}"].concat();
        std::fs::write(&path, [damaged.clone(), b"\nnonsense".to_vec()].concat()).unwrap();
        let log = open(dir.path());
        assert_eq!(log.faults(), [LogFault::Broken { line: 2, flaw: Flaw::Unreadable }]);
        log.inner.write(deed(Phase::Refused, "c")).unwrap();
        let now = std::fs::read(&path).unwrap();
        assert!(now.starts_with(&[damaged, b"\nnonsense\n{".to_vec()].concat()));
        assert_eq!(open(dir.path()).faults().len(), 1, "what was found stays found");
    }

    #[test]
    fn a_line_is_bounded_whatever_the_order_names() {
        let dir = tempfile::tempdir().unwrap();
        let ids = (0..IDS).map(|n| format!("{n:0>600}")).collect();
        open(dir.path()).inner.write(Deed { ids, ..deed(Phase::Before, "a") }).unwrap();
        assert!(written(dir.path())[0].len() <= LONGEST + 100);
        assert_eq!(check(dir.path()).rows.len(), 1);
    }

    #[tokio::test]
    async fn a_line_is_what_it_always_was() {
        assert_eq!((FILE, VERSION, IDS, LONGEST), ("actions.log", 1, 1000, 262_144));
        let log = MemoryLog::new(Arc::new(Still));
        let plain = Deed { reason: None, args: None, code: None, ..deed(Phase::Before, "a") };
        let first = log.write(plain.clone()).await.unwrap();
        let second = log.write(Deed { phase: Phase::After, result: "accepted".into(), ids: Vec::new(), ..plain }).await;
        let second = second.unwrap();
        let body = |seq: u64, phase: &str, ids: &str, result: &str, prev: &str| {
            format!(
                "{{\"v\":1,\"seq\":{seq},\"ts\":\"2026-09-21T14:13:20.000Z\",\"host\":\"memory\",\"phase\":\"{phase}\",\
                 \"order\":\"{}\",\"by\":{{\"uid\":1000,\"login\":\"li\",\"from\":\"10.0.3.7\"}},\"action\":\"approve\",\
                 \"env\":\"demo\",\"plan\":\"p\",\"set_hash\":\"ab\",\"n\":2{ids}{result},\"prev\":\"{prev}\"",
                "a"
            )
        };
        let ids = ",\"ids\":[\"100001\",\"100002\"]";
        let one = body(1, "before", ids, "", "");
        let two = body(2, "after", "", ",\"result\":\"accepted\"", &line_hash(&one));
        let whole = |body: &str| format!("{body},\"h\":\"{}\"}}", line_hash(body));
        assert_eq!(log.lines(), [whole(&one), whole(&two)]);
        assert_eq!((first.seq, first.hash, second.seq, second.hash), (1, line_hash(&one), 2, line_hash(&two)));
    }

    #[test]
    fn of_a_line_that_is_too_long_half_of_the_ids_stay_until_it_fits() {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        let ids = |n: usize, length: usize| Deed {
            ids: (0..n).map(|i| "0".repeat(length - 4) + &format!("{i:0>4}")).collect(),
            ..deed(Phase::Before, "a")
        };
        // 400 of 600 bytes fit, 500 do not, and one that is longer than a line is left out.
        for (n, length, kept) in [(400, 600, 400), (500, 600, 250), (1000, 600, 250), (1, 300_000, 0)] {
            log.inner.write(ids(n, length)).unwrap();
            let line: Line = serde_json::from_str(written(dir.path()).last().unwrap()).unwrap();
            assert_eq!(line.deed.ids.len(), kept, "{n} of {length}");
            assert_eq!(line.deed.ids.first().map(String::len), (kept > 0).then_some(length));
        }
        assert_eq!(check(dir.path()).fault, None);
    }

    #[test]
    fn the_bound_of_a_line_is_exact_and_what_names_nothing_is_written_however_long() {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        let last = |result: String| {
            log.inner.write(Deed { result, ..deed(Phase::After, "a") }).unwrap();
            let text = written(dir.path()).pop().unwrap();
            let line: Line = serde_json::from_str(&text).unwrap();
            // Without the hash, in whose place a brace stood.
            (text.rsplit_once(",\"h\":").unwrap().0.len() + 1, line.deed.ids.len())
        };
        last("x".to_owned());
        let (length, _) = last("x".to_owned());
        let of = |length_wanted: usize| "x".repeat(1 + length_wanted - length);
        assert_eq!(last(of(LONGEST)), (LONGEST, 2));
        assert_eq!(last(of(LONGEST + 1)).1, 1, "half of them");
        assert_eq!(last(of(2 * LONGEST)).1, 0);
        let none = Deed { ids: Vec::new(), result: "x".repeat(2 * LONGEST), ..deed(Phase::After, "a") };
        log.inner.write(none).unwrap();
        assert_eq!(check(dir.path()).rows.len(), 6);
    }

    #[test]
    fn what_is_accepted_is_the_file_as_it_is_and_only_where_something_was_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        assert_eq!(log.begins().unwrap(), LogWitness { open: true, ..witness(0, "") }, "before the first line");
        assert_eq!(log.acceptable().unwrap(), None);
        let place = log.inner.write(deed(Phase::Before, "a")).unwrap();
        assert_eq!(log.begins(), None, "a line was written");
        let closed = block(log.close(&store())).unwrap().unwrap();
        assert_eq!(closed, LogWitness { loose: vec![1], ..witness(1, &place.hash) });
        drop(log);
        let path = dir.path().join(FILE);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("nonsense\n");
        std::fs::write(&path, &text).unwrap();
        let log = open(dir.path());
        assert_eq!((log.faults().len(), log.begins()), (1, None), "no witness hides what is wrong");
        let accepted = Some(AcceptedFile { bytes: text.len() as u64, sha256: line_hash(&text) });
        assert_eq!(log.acceptable().unwrap(), Some(LogWitness { open: true, accepted, ..witness(1, &place.hash) }));
        assert_eq!(block(log.close(&store())).unwrap(), None, "nor at the end");
        log.accepted();
        assert_eq!((log.faults(), log.acceptable().unwrap()), (Vec::new(), None));
    }

    /// A log of so many refusals, and their places; the first place is the one before them.
    fn refusals(n: usize) -> (tempfile::TempDir, Vec<LogPlace>) {
        let (dir, mut places) = (tempfile::tempdir().unwrap(), vec![LogPlace::default()]);
        let log = open(dir.path());
        places.extend((0..n).map(|i| log.inner.write(deed(Phase::Refused, &i.to_string())).unwrap()));
        (dir, places)
    }

    /// Opens it beside a journal with these witnesses.
    fn beside(dir: &Path, witnesses: &[LogWitness]) -> FileLog {
        let store = store();
        for witness in witnesses {
            store.append_now(&vec![Event::LogWitnessed(Box::new(witness.clone()))].into()).unwrap();
        }
        block(FileLog::open(dir, Arc::new(Still), &store)).unwrap()
    }

    /// The place and the one before it of the line that is written now.
    fn next(log: &FileLog, dir: &Path) -> (u64, String) {
        log.inner.write(deed(Phase::Refused, "next")).unwrap();
        let line: Line = serde_json::from_str(written(dir).last().unwrap()).unwrap();
        (line.seq, line.prev)
    }

    #[test]
    fn what_the_journal_does_not_know_of_a_sound_file_is_adopted_when_it_is_opened() {
        let (dir, at) = refusals(3);
        let known = |n: usize, open: bool| LogWitness {
            at: at[n].clone(),
            open,
            loose: (1..=n as u64).collect(),
            accepted: None,
        };
        let adopted = |loose: &[u64]| Some(LogWitness { loose: loose.to_vec(), ..witness(3, &at[3].hash) });
        for (witnesses, expected) in [
            (vec![known(3, false)], None),
            (vec![known(3, true)], adopted(&[])),
            (vec![known(2, true)], adopted(&[3])),
            (vec![known(3, true), known(3, false)], None),
            (vec![known(3, false), known(3, true)], adopted(&[])),
        ] {
            let log = beside(dir.path(), &witnesses);
            assert_eq!((log.faults(), &log.adopted), (vec![], &expected), "{witnesses:?}");
        }
        let (before, at) = refusals(1);
        let first = LogWitness { loose: vec![1], ..witness(1, &at[1].hash) };
        assert_eq!(beside(before.path(), &[]).adopted, Some(first), "of a program that told the journal of no line");
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(beside(empty.path(), &[]).adopted, None, "a new one");
        let begun = LogWitness { open: true, ..witness(0, "") };
        assert_eq!(beside(empty.path(), &[begun]).adopted, Some(witness(0, "")));
    }

    #[test]
    fn no_place_that_the_journal_tells_of_is_given_again_whatever_became_of_the_file() {
        let (dir, at) = refusals(3);
        let path = dir.path().join(FILE);
        let whole = std::fs::read_to_string(&path).unwrap();
        let first = format!("{}\n", whole.lines().next().unwrap());
        let closed = LogWitness { loose: vec![1, 2, 3], ..witness(3, &at[3].hash) };
        let other = LogWitness { at: LogPlace { seq: 3, hash: "ff".into() }, ..closed.clone() };
        for (name, text, told, prev, begins) in [
            ("cut", Some(first.as_str()), &closed, &at[3], format!("{first}{{")),
            ("emptied", Some(""), &closed, &at[3], "{".to_owned()),
            ("gone", None, &closed, &at[3], "{".to_owned()),
            ("one byte of it", Some("x"), &closed, &at[3], "x\n{".to_owned()),
            ("its end torn", Some(whole.trim_end()), &closed, &at[3], format!("{whole}{{")),
            ("another last line", Some(whole.as_str()), &other, &at[3], format!("{whole}{{")),
        ] {
            std::fs::remove_file(&path).unwrap();
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            let log = beside(dir.path(), std::slice::from_ref(told));
            assert!(!log.faults().is_empty() && log.adopted.is_none(), "{name}: {:?}", log.adopted);
            assert_eq!(next(&log, dir.path()), (4, prev.hash.clone()), "{name}");
            assert!(std::fs::read_to_string(&path).unwrap().starts_with(&begins), "{name}");
        }
    }

    #[test]
    fn behind_what_a_person_accepted_the_next_place_follows_and_later_lines_count() {
        let (dir, at) = refusals(1);
        let path = dir.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap() + "nonsense\n";
        std::fs::write(&path, &text).unwrap();
        let accepted = Some(AcceptedFile { bytes: text.len() as u64, sha256: line_hash(&text) });
        let witness = [LogWitness { open: true, accepted, ..witness(1, &at[1].hash) }];
        let mut newest = LogPlace::default();
        for seq in [2, 3] {
            let log = beside(dir.path(), &witness);
            assert_eq!(log.faults(), []);
            assert_eq!(next(&log, dir.path()).0, seq);
            newest = log.inner.lock().tip.place();
        }
        // What is told of them later counts, and not that they were accepted once.
        let [accepted] = witness;
        let closed = LogWitness { at: newest, open: false, loose: vec![2, 3], accepted: None };
        let log = beside(dir.path(), &[accepted, closed]);
        assert_eq!((log.faults(), &log.adopted), (vec![], &None));

        // A file that was cut, and accepted as it was: the places that are gone are not given again.
        let (dir, at) = refusals(3);
        let path = dir.path().join(FILE);
        let text = format!("{}\n", written(dir.path())[0]);
        std::fs::write(&path, &text).unwrap();
        let accepted = Some(AcceptedFile { bytes: text.len() as u64, sha256: line_hash(&text) });
        let accepted = LogWitness { open: true, accepted, loose: Vec::new(), at: at[3].clone() };
        let log = beside(dir.path(), &[accepted]);
        assert_eq!((log.faults(), next(&log, dir.path())), (vec![], (4, at[3].hash.clone())));
    }

    #[test]
    fn a_line_that_could_not_be_written_is_said_and_takes_no_place() {
        let (dir, at) = refusals(1);
        let log = open(dir.path());
        let readable = File::open(dir.path().join(FILE)).unwrap();
        let good = std::mem::replace(&mut log.inner.lock().file, readable);
        assert!(matches!(log.inner.write(deed(Phase::Before, "b")), Err(StoreError::Write(_))));
        assert!(log.begins().is_some(), "none was written yet");
        log.inner.lock().file = good;
        assert_eq!(next(&log, dir.path()), (2, at[1].hash.clone()));
        assert_eq!(check(dir.path()).fault, None);
    }

    fn witness(seq: u64, hash: &str) -> LogWitness {
        let at = LogPlace { seq, hash: hash.into() };
        LogWitness { at, open: false, loose: Vec::new(), accepted: None }
    }
}
