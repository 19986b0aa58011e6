//! The action log: who ordered what, when, why, and what came of it, as hash-chained JSON lines beside the journal.
//!
//! Invariant: a line is durable before the action it tells of begins; a line is never changed or taken away. The newest
//! line's place and hash also stand in the journal, so that neither can be rewritten without the other.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::{StoreError, hex};
use crate::domain::event::LogPlace;
use crate::domain::time::{Clock, Ts};
use crate::domain::who::Who;

/// Name of the file in the data directory.
pub const FILE: &str = "actions.log";
/// Version of a line.
const VERSION: u32 = 1;
/// Most ids written out in one line; the set's hash covers them all.
pub const IDS: usize = 1000;
/// Longest line looked for at the file's end, bytes.
const LONGEST: u64 = 256 * 1024;

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
        let line = Line {
            v: VERSION,
            seq: self.seq + 1,
            ts: ts.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            host: host.to_owned(),
            deed,
            prev: self.hash.clone(),
        };
        let mut text = serde_json::to_string(&line).map_err(|e| StoreError::Write(format!("action log: {e}")))?;
        text.pop(); // the closing brace
        let hash = hex(&sha2::Sha256::digest(text.as_bytes()));
        text = format!("{text},\"h\":\"{hash}\"}}");
        Ok((text, Self { seq: line.seq, hash }))
    }
}

/// Reads one line: what it says, and its own hash where that fits its bytes.
fn parse(text: &str) -> Result<(Line, String), String> {
    let (body, rest) = text.rsplit_once(",\"h\":\"").ok_or("it has no hash")?;
    let hash = rest.strip_suffix("\"}").ok_or("its end is not a hash")?;
    if hex(&sha2::Sha256::digest(body.as_bytes())) != hash {
        return Err("its hash does not fit its words".to_owned());
    }
    let line = serde_json::from_str(&format!("{body}}}")).map_err(|e| format!("it cannot be read: {e}"))?;
    Ok((line, hash.to_owned()))
}

/// The log as a file.
pub struct FileLog {
    inner: Arc<FileInner>,
}

struct FileInner {
    clock: Arc<dyn Clock>,
    host: String,
    state: Mutex<(File, Tip)>,
}

impl FileLog {
    /// Opens or begins the log of a data directory that is held. A torn last line (its action never began) is cut; an end
    /// that does not fit its own hash is put aside under another name, and the new file's first line says so.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let failed = |what: &str, e: std::io::Error| StoreError::Directory(format!("{}: {what}: {e}", path.display()));
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let open = || OpenOptions::new().read(true).create(true).append(true).mode(0o600).open(&path);
        let mut file = open().map_err(|e| failed("cannot be opened", e))?;
        let (mut aside, mut tip) = (None, Tip::default());
        match last_line(&mut file).map_err(|e| failed("cannot be read", e))? {
            None => {}
            Some(Ok((line, hash))) => tip = Tip { seq: line.seq, hash },
            Some(Err(why)) => {
                let kept = aside_name(&path, clock.now());
                std::fs::rename(&path, &kept).map_err(|e| failed("cannot be put aside", e))?;
                file = open().map_err(|e| failed("cannot be opened", e))?;
                aside = Some(format!("the former file's last line: {why}; kept as {}", kept.display()));
            }
        }
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| failed("cannot be made durable", e))?;
        let log = Self { inner: Arc::new(FileInner { clock, host, state: Mutex::new((file, tip)) }) };
        if let Some(why) = aside {
            tracing::warn!(%why, "the action log was begun anew");
            let uid = rustix::process::getuid().as_raw();
            log.inner.write(Deed {
                phase: Phase::After,
                order: None,
                by: Who::engine(uid),
                action: "begin_anew".into(),
                env: None,
                plan: None,
                plan_rev: None,
                run: None,
                set_hash: None,
                n: 0,
                ids: Vec::new(),
                reason: Some(why),
                code: None,
                args: None,
                result: "accepted".into(),
            })?;
        }
        Ok(log)
    }
}

impl FileInner {
    fn write(&self, deed: Deed) -> Result<LogPlace, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, tip) = &mut *state;
        let (mut text, next) = tip.next(deed, self.clock.now(), &self.host)?;
        text.push('\n');
        let failed = |e: std::io::Error| StoreError::Write(format!("the action log: {e}"));
        let before = file.metadata().map_err(failed)?.len();
        if let Err(e) = file.write_all(text.as_bytes()).and_then(|()| file.sync_data()) {
            // What half-reached the file is taken back; where even that fails, the next opening cuts it.
            let _ = file.set_len(before);
            return Err(failed(e));
        }
        *tip = next;
        Ok(LogPlace { seq: tip.seq, hash: tip.hash.clone() })
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
        Ok(LogPlace { seq: state.1.seq, hash: state.1.hash.clone() })
    }
}

fn aside_name(path: &Path, now: Ts) -> PathBuf {
    let at = chrono::DateTime::from_timestamp_millis(now.0).unwrap_or_default();
    path.with_file_name(format!("{FILE}.bad-{}", at.format("%Y%m%dT%H%M%S%3f")))
}

/// The last whole line, after cutting what follows it; `None` for an empty file.
fn last_line(file: &mut File) -> std::io::Result<Option<Result<(Line, String), String>>> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LONGEST);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(LONGEST).read_to_end(&mut end)?;
    let whole = end.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    if whole < end.len() && (whole > 0 || from == 0) {
        tracing::warn!(bytes = end.len() - whole, "the action log's last line was torn by a crash and is cut");
        file.set_len(from + whole as u64)?;
        file.sync_all()?;
    }
    let lines = end.get(..whole.saturating_sub(1)).unwrap_or_default();
    if lines.is_empty() {
        return Ok((from > 0).then(|| Err("it is longer than any line".to_owned())));
    }
    let last = lines.iter().rposition(|b| *b == b'\n').map_or(lines, |at| lines.get(at + 1..).unwrap_or_default());
    Ok(Some(std::str::from_utf8(last).map_err(|e| e.to_string()).and_then(parse)))
}

/// What reading a log from its beginning found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Lines that are whole and in chain.
    pub lines: u64,
    /// The last good line.
    pub head: LogPlace,
    /// The first line that is not: its number in the file and what is wrong. Nothing is read after it.
    pub fault: Option<(u64, String)>,
    /// Actions begun (phase `before`) of which no `after` follows: cut short by a crash.
    pub unfinished: Vec<u64>,
    /// Hash of every line by its place.
    pub hashes: Vec<String>,
    /// Lines whose time is before that of the line before them: place, the time before, the time there.
    pub back: Vec<(u64, String, String)>,
    said: String,
}

/// A clock that is kept true by the network steps by less than this.
pub const CLOCK_STEP: Duration = Duration::from_secs(1);

impl Verified {
    /// Notes where the clock went back; the chain is whole all the same.
    fn note_time(&mut self, line: &Line) {
        let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| Ts(at.timestamp_millis()));
        if let (Some(before), Some(now)) = (at(&self.said), at(&line.ts))
            && before.since(now) > CLOCK_STEP
        {
            self.back.push((line.seq, self.said.clone(), line.ts.clone()));
        }
        self.said.clone_from(&line.ts);
    }
}

/// Reads a log and checks its chain; each good line is given to `each`.
pub fn verify(path: &Path, mut each: impl FnMut(&str, &Line) -> std::io::Result<()>) -> std::io::Result<Verified> {
    let mut found = Verified::default();
    let mut begun = std::collections::BTreeMap::new();
    for (i, text) in BufReader::new(File::open(path)?).lines().enumerate() {
        let text = text?;
        let wrong = match parse(&text) {
            Err(why) => Some(why),
            Ok((line, _)) if line.v != VERSION => Some(format!("version {} is not known here", line.v)),
            Ok((line, _)) if line.seq != found.lines + 1 => {
                Some(format!("it says place {}, {} was to come", line.seq, found.lines + 1))
            }
            Ok((line, _)) if line.prev != found.head.hash => Some("it does not follow the line before".to_owned()),
            Ok((line, hash)) => {
                each(&text, &line)?;
                found.note_time(&line);
                match (line.deed.phase, line.deed.order) {
                    (Phase::Before, Some(order)) => {
                        begun.insert(order, line.seq);
                    }
                    (Phase::After, Some(order)) => {
                        begun.remove(&order);
                    }
                    _ => {}
                }
                found.lines += 1;
                found.head = LogPlace { seq: line.seq, hash: hash.clone() };
                found.hashes.push(hash);
                None
            }
        };
        if let Some(why) = wrong {
            found.fault = Some((i as u64 + 1, why));
            break;
        }
    }
    found.unfinished = begun.into_values().collect();
    found.unfinished.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn open(dir: &Path) -> FileLog {
        FileLog::open(dir, Arc::new(Still)).unwrap()
    }

    fn written(dir: &Path) -> Vec<String> {
        std::fs::read_to_string(dir.join(FILE)).unwrap().lines().map(str::to_owned).collect()
    }

    fn check(dir: &Path) -> Verified {
        verify(&dir.join(FILE), |_, _| Ok(())).unwrap()
    }

    #[test]
    fn lines_chain_over_a_reopening_and_say_what_was_left_open() {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        for (phase, order) in [(Phase::Before, "a"), (Phase::After, "a"), (Phase::Before, "b")] {
            log.inner.write(deed(phase, order)).unwrap();
        }
        drop(log);
        let place = open(dir.path()).inner.write(deed(Phase::Refused, "c")).unwrap();
        let found = check(dir.path());
        assert_eq!((found.lines, found.fault, found.unfinished), (4, None, vec![3]));
        assert_eq!(found.head, place);
        assert_eq!(found.hashes.len(), 4);
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
        forged[1] = format!("{body},\"h\":\"{}\"}}", hex(&sha2::Sha256::digest(body.as_bytes())));
        for (lines, at, words) in [
            (changed, 2, "does not fit its words"),
            (missing, 2, "it says place 3, 2 was to come"),
            (swapped, 2, "it says place 3, 2 was to come"),
            (forged, 3, "does not follow"),
        ] {
            std::fs::write(dir.path().join(FILE), lines.join("\n") + "\n").unwrap();
            let (line, why) = check(dir.path()).fault.unwrap();
            assert_eq!(line, at, "{why}");
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn a_torn_line_is_cut_and_a_damaged_end_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        log.inner.write(deed(Phase::Before, "a")).unwrap();
        log.inner.write(deed(Phase::After, "a")).unwrap();
        drop(log);
        let path = dir.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..whole.len() {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            open(dir.path()).inner.write(deed(Phase::Before, "b")).unwrap();
            let found = check(dir.path());
            assert_eq!(found.fault, None, "cut {cut}");
            assert!((1..=2).contains(&found.lines), "cut {cut}: {found:?}");
        }
        std::fs::write(&path, String::from_utf8(whole).unwrap().replace("accepted", "refused").replace("100001", "7"))
            .unwrap();
        open(dir.path());
        let found = check(dir.path());
        assert_eq!((found.lines, found.fault), (1, None));
        assert!(written(dir.path())[0].contains("begin_anew"));
        let kept = std::fs::read_dir(dir.path())
            .unwrap()
            .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("actions.log.bad-"));
        assert_eq!(kept.count(), 1);
    }
}
