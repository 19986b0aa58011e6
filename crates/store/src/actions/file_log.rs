//! The action log of a data directory: a file that only grows.
//!
//! Invariant: a line is on the disk when it is said to be written; where file and journal disagree nothing is cut, and lines
//! go on behind what is there.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::line::Tip;
use super::{ActionLog, Deed, FILE};
use crate::{Store, StoreError, account, file, hex};
use skydeck_core::domain::action_log::{AcceptedFile, LogFault, LogPlace, LogWitness};
use skydeck_core::domain::time::{Clock, Ts};

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
    /// How the journal calls it, where several machines have one each.
    name: Option<String>,
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
        Self::open_named(dir, clock, store, None).await
    }

    /// The same of one of several machines, each of which has a file of its own beside one journal. `name`: how the journal calls
    /// this one.
    pub async fn open_named(
        dir: &Path,
        clock: Arc<dyn Clock>,
        store: &dyn Store,
        name: Option<String>,
    ) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let failed = |e: std::io::Error| StoreError::Directory(format!("{}: {e}", path.display()));
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let (told, log, account) = account::of_store(&path, store, name.as_deref()).await?;
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
            at: LogPlace { file: name.clone(), ..head.clone() },
            open: false,
            loose: account.loose,
            accepted: None,
        });
        let tip = Tip { seq: head.seq, hash: head.hash };
        let state = Writing { file, tip, is_begun: false, is_closed: false, faults: account.faults };
        Ok(Self { inner: Arc::new(FileInner { clock, host, path, name, state: Mutex::new(state) }), adopted })
    }

    /// Writes lines of moments that are past, in their order, with one flush for all of them: a history that is made, not lived.
    pub fn write_past(&self, deeds: Vec<(Ts, Deed)>) -> Result<Vec<LogPlace>, StoreError> {
        self.inner.write_all(deeds)
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
        let (_, log, account) = account::of_store(&self.inner.path, store, self.inner.name.as_deref()).await?;
        let is_sound = account.faults.is_empty();
        Ok(is_sound.then(|| LogWitness {
            at: self.inner.named(log.head()),
            open: false,
            loose: account.loose,
            accepted: None,
        }))
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

    /// A place of the file as the journal tells of it.
    fn named(&self, place: LogPlace) -> LogPlace {
        LogPlace { file: self.name.clone(), ..place }
    }

    fn write(&self, deed: Deed) -> Result<LogPlace, StoreError> {
        let places = self.write_all(vec![(self.clock.now(), deed)])?;
        places.into_iter().next().ok_or_else(|| StoreError::Write("the action log: no line was given".to_owned()))
    }

    fn write_all(&self, deeds: Vec<(Ts, Deed)>) -> Result<Vec<LogPlace>, StoreError> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(StoreError::Write("the action log is closed".to_owned()));
        }
        let (mut text, mut next, mut places) = (String::new(), state.tip.clone(), Vec::with_capacity(deeds.len()));
        for (at, deed) in deeds {
            let (line, tip) = next.next(deed, at, &self.host)?;
            text.push_str(&line);
            text.push('\n');
            places.push(self.named(tip.place()));
            next = tip;
        }
        if places.is_empty() {
            return Ok(places);
        }
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
        Ok(places)
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
        Ok(Some(LogWitness { at: self.named(state.tip.place()), open: true, loose: Vec::new(), accepted }))
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
        begins.then(|| LogWitness {
            at: self.inner.named(state.tip.place()),
            open: true,
            loose: Vec::new(),
            accepted: None,
        })
    }

    fn acceptable(&self) -> Result<Option<LogWitness>, StoreError> {
        self.inner.acceptable()
    }

    fn accepted(&self) {
        self.inner.lock().faults.clear();
    }
}

#[cfg(test)]
mod tests;
