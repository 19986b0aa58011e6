//! Plan files: which files of a directory are plans, and reading them without being held up by where they lie.
//!
//! Invariants: only ordinary files are read, up to [`LARGEST`]; a directory or file that does not answer costs one
//! thread for as long as that lasts, however often it is asked for, and whoever waits for it is told after [`ANSWER`].

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use crate::domain::ids::PlanId;
use crate::domain::plan::Plan;
use crate::domain::query::PlanProblem;
use crate::domain::system_words;
use crate::engine::{Found, PlanRead, PlanSource, Reading};
use crate::erp::files;
use crate::plan;
use crate::plan::make::{Beside, MOST_TABLE, NotRead};

/// Largest plan file that is read, bytes.
pub const LARGEST: u64 = 4 << 20;
/// How long a directory or file may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Plan files read at a time.
const AT_A_TIME: usize = 16;

/// Why a plan file is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Directory, FIFO, device, socket.
    NotOrdinary,
    /// More than [`LARGEST`].
    TooLarge(u64),
    /// The system's or the text's fault.
    Other(String),
}

impl Unread {
    /// In words, English and Chinese.
    pub fn words(&self) -> (String, String) {
        match self {
            Self::NotOrdinary => (
                "is no ordinary file; a plan is one, with its JSON in it".to_owned(),
                "不是普通文件；方案须为内含 JSON 的普通文件".to_owned(),
            ),
            Self::TooLarge(bytes) => (
                format!("has {bytes} bytes, and a plan has {LARGEST} at most: take out what does not belong to a plan"),
                format!("有 {bytes} 字节，超过方案文件上限 {LARGEST} 字节：请删去与方案无关的内容"),
            ),
            Self::Other(why) => (format!("cannot be read: {why}"), format!("无法读取：{}", system_words::chinese(why))),
        }
    }

    fn problem(&self, path: &Path) -> PlanProblem {
        let ((en, zh), at) = (self.words(), path.display());
        PlanProblem { zh: Some(format!("{at}：{zh}")), ..PlanProblem::new(plan_id(path), format!("{at}: {en}")) }
    }
}

/// The text of a plan file.
///
/// # Errors
/// [`Unread`]; a FIFO or device is not even opened.
pub fn read_text(path: &Path) -> Result<String, Unread> {
    files::read_text(path, LARGEST).map_err(|unread| match unread {
        files::Unread::NotOrdinary => Unread::NotOrdinary,
        files::Unread::TooLarge { bytes, most: _ } => Unread::TooLarge(bytes),
        files::Unread::Io(e) => Unread::Other(e.to_string()),
    })
}

/// A plan's name: its file name without `.json`.
pub fn plan_id(path: &Path) -> PlanId {
    PlanId::new(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default())
}

/// The files of a directory that are plans, in the order of their names. Hidden files are none, nor are the `._` twins
/// that other systems leave beside a file.
pub fn listed(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .map(|entries| entries.filter_map(Result::ok).map(|e| e.path()).collect())
        .unwrap_or_default();
    files.retain(|path| path.extension().is_some_and(|e| e == "json") && !is_hidden(path));
    files.sort();
    files
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// What stands beside a plan's file.
struct Directory(PathBuf);

impl Directory {
    fn of(path: &Path) -> Self {
        Self(path.parent().map(Path::to_path_buf).unwrap_or_default())
    }
}

impl Beside for Directory {
    fn bytes(&self, file: &str) -> Result<Vec<u8>, NotRead> {
        files::read(&self.0.join(file), MOST_TABLE).map_err(|unread| match unread {
            files::Unread::NotOrdinary => NotRead::NotOrdinary,
            files::Unread::TooLarge { bytes, most: _ } => NotRead::TooLarge(bytes),
            files::Unread::Io(e) if e.kind() == std::io::ErrorKind::NotFound => NotRead::Missing,
            files::Unread::Io(e) => NotRead::Other(e.to_string(), system_words::chinese(&e.to_string())),
        })
    }
}

/// Reads a plan's text as far as it can be understood, its mapping tables beside it.
pub fn inspect(path: &Path, text: &str) -> Result<plan::PlanFile, plan::PlanError> {
    plan::inspect_beside(plan_id(path), text, &Directory::of(path))
}

/// The mapping tables of a plan as their files have them, by the names that the plan gives them.
pub fn tables_of(path: &Path, plan: &Plan) -> Vec<(String, String)> {
    let directory = Directory::of(path);
    let tables = plan.target.make.iter().flat_map(|make| &make.mapping.tables);
    let text = |file: &String| String::from_utf8(directory.bytes(file).ok()?).ok().map(|text| (file.clone(), text));
    tables.filter_map(|table| text(&table.file)).collect()
}

/// Reads one plan file, with the hazards lint found.
pub fn read_plan(path: &Path) -> Result<(plan::PlanFile, Vec<plan::lint::Hazard>), PlanProblem> {
    let id = plan_id(path);
    let at = path.display();
    let text = read_text(path).map_err(|why| why.problem(path))?;
    let file = plan::read_beside(id.clone(), &text, &Directory::of(path)).map_err(|e| PlanProblem {
        zh: Some(format!("{at}：{}", e.in_chinese())),
        reason: e.problem.reason().map(Box::new),
        ..PlanProblem::new(id, format!("{at}: {e}"))
    })?;
    let hazards = plan::lint(&file);
    Ok((file, hazards))
}

/// A plan's file as the engine takes it.
fn plan_of(path: &Path) -> PlanRead {
    match read_plan(path) {
        Ok((file, hazards)) => (Ok(file.plan), u32::try_from(hazards.len()).unwrap_or(u32::MAX)),
        Err(problem) => (Err(problem), 0),
    }
}

/// Plans from a directory, and single files named on the command line.
pub struct PlanFiles {
    /// Directory of `*.json`.
    dir: PathBuf,
    /// Further files.
    extra: Vec<PathBuf>,
    /// What is being read now, each by a thread of its own.
    reading: Arc<Mutex<HashSet<PathBuf>>>,
}

impl PlanFiles {
    /// Plans of a directory, and further files.
    pub fn new(dir: PathBuf, extra: Vec<PathBuf>) -> Self {
        Self { dir, extra, reading: Arc::default() }
    }

    fn found(&self, path: &Path) -> Found {
        within(&self.reading, path, plan_of)
            .map_or_else(|| Found::Silent(silent(path)), |read| Found::Read(Box::new(read)))
    }
}

/// Does `work` about a path on a thread of its own; `None` when it does not end in time, or when such a thread is still
/// held up by this path from before.
fn within<T: Send + 'static>(
    reading: &Arc<Mutex<HashSet<PathBuf>>>,
    path: &Path,
    work: impl FnOnce(&Path) -> T + Send + 'static,
) -> Option<T> {
    let taken = Taken::of(reading, path)?;
    let (send, receive) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name("plan file".to_owned()).spawn(move || {
        let done = work(&taken.path);
        drop(taken);
        let _ = send.send(done);
    });
    thread.ok()?;
    receive.recv_timeout(ANSWER).ok()
}

/// A path in the hands of one thread.
struct Taken {
    reading: Arc<Mutex<HashSet<PathBuf>>>,
    path: PathBuf,
}

impl Taken {
    fn of(reading: &Arc<Mutex<HashSet<PathBuf>>>, path: &Path) -> Option<Self> {
        let is_free = reading.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_path_buf());
        is_free.then(|| Self { reading: Arc::clone(reading), path: path.to_path_buf() })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }
}

fn silent(path: &Path) -> PlanProblem {
    let (at, seconds) = (path.display(), ANSWER.as_secs());
    let en =
        format!("{at}: does not answer for {seconds} s; is the disk or server it lies on away? Nothing was started");
    let zh = format!("{at}：{seconds} 秒内无响应；所在磁盘或服务器是否已断开？未启动任何操作");
    PlanProblem { zh: Some(zh), ..PlanProblem::new(plan_id(path), en) }
}

impl PlanSource for PlanFiles {
    fn load(&self) -> Result<Vec<Found>, PlanProblem> {
        let mut files = within(&self.reading, &self.dir, listed).ok_or_else(|| silent(&self.dir))?;
        files.extend(self.extra.iter().cloned());
        // Several at a time: one that does not answer must not hold up the others, one after the other.
        let mut found = Vec::with_capacity(files.len());
        for group in files.chunks(AT_A_TIME) {
            std::thread::scope(|scope| {
                let read = |path| std::thread::Builder::new().spawn_scoped(scope, move || self.found(path));
                let threads: Vec<_> = group.iter().map(|path| (path, read(path))).collect();
                for (path, thread) in threads {
                    let one = thread.ok().and_then(|thread| thread.join().ok());
                    found.push(one.unwrap_or_else(|| Found::Silent(silent(path))));
                }
            });
        }
        Ok(found)
    }

    fn newest(&self, plan: &PlanId) -> Option<Reading> {
        // A name with a separator in it is none of a file in the directory, and a hidden file is no plan.
        let named = Path::new(plan.as_str()).components().count() == 1 && !is_hidden(Path::new(plan.as_str()));
        let own = self.extra.iter().find(|path| plan_id(path) == *plan).cloned();
        let path = own.or_else(|| named.then(|| self.dir.join(format!("{plan}.json"))))?;
        let reading = Arc::clone(&self.reading);
        Some(Box::new(move || {
            let read = |path: &Path| path.exists().then(|| plan_of(path));
            match within(&reading, &path, read) {
                Some(Some(read)) => Found::Read(Box::new(read)),
                Some(None) => Found::Nothing,
                None => Found::Silent(silent(&path)),
            }
        }))
    }
}
