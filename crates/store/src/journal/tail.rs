//! The growing end of the journal, and how a journal is opened.
//!
//! Invariant: bytes behind the last whole frame are cut only when nothing says that they ever counted; what is
//! cut is put aside, not lost.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

use super::frame::{self, Chain};
use super::sealed::{self, Table, sealed_path};
use super::segment::{HEADER, Header, Rest, Scanned, damaged, plain_path, scan, unreadable};
use super::{Form, Journal, Segment, Torn, sync_dir};
use crate::local::disk::Disk;
use crate::{StoreError, file};
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::Seq;

/// Size at which a segment is closed and sealed.
pub const ROTATE: u64 = 64 * 1024 * 1024;

/// The writing end.
pub struct Tail {
    journal: Arc<Journal>,
    disk: Arc<dyn Disk>,
    file: File,
    no: u32,
    len: u64,
    chain: Chain,
    next: Seq,
    rotate: u64,
}

/// Frames worked out but not written.
#[derive(Default)]
pub struct Pending {
    bytes: Vec<u8>,
    frames: Vec<(Seq, usize)>,
    next: Option<Seq>,
    chain: Option<Chain>,
}

impl Pending {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Tail {
    /// Place of the next fact.
    pub fn next(&self) -> Seq {
        self.next
    }

    /// Segment, length and chain hash, for the note of a clean close.
    pub fn end(&self) -> (u32, u64, Chain) {
        (self.no, self.len, self.chain)
    }

    /// Adds one append to what will be written together.
    pub fn add(&self, facts: &[Fact], pending: &mut Pending) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (facts.first(), facts.last()) else { return Ok(()) };
        let at = pending.bytes.len();
        let before = pending.chain.unwrap_or(self.chain);
        let chain = frame::write(facts, &before, &mut pending.bytes)?;
        pending.frames.push((first.seq, at));
        pending.chain = Some(chain);
        pending.next = Some(Seq(last.seq.0 + 1));
        Ok(())
    }

    /// Writes and makes durable. On an error the file is cut back as far as the disk allows.
    pub fn write(&mut self, pending: &Pending) -> std::io::Result<()> {
        let (Some(next), Some(chain)) = (pending.next, pending.chain) else { return Ok(()) };
        let done = self.disk.write(&mut self.file, &pending.bytes).and_then(|()| self.disk.sync(&self.file));
        if let Err(e) = done {
            let _ = self.file.set_len(self.len);
            let _ = self.file.seek(SeekFrom::Start(self.len));
            return Err(e);
        }
        let begin = self.len;
        self.len += pending.bytes.len() as u64;
        self.next = next;
        self.chain = chain;
        for (i, (first, at)) in pending.frames.iter().enumerate() {
            let end = pending.frames.get(i + 1);
            // Only the whole group counts: readers see it through `publish` alone.
            let next = end.map_or(next, |(first, _)| *first);
            self.journal.grew(*first, begin + *at as u64, next, chain, self.len);
        }
        Ok(())
    }

    /// Whether it is time for a new segment.
    pub fn is_full(&self) -> bool {
        self.len >= self.rotate
    }

    /// Begins a new segment; gives the number of the one that ended.
    pub fn rotate(&mut self) -> Result<u32, StoreError> {
        let ended = self.no;
        let header = Header { no: self.no + 1, first: self.next, before: self.chain };
        self.file = begin(&self.journal.dir, &header, self.disk.as_ref())?;
        self.no = header.no;
        self.len = HEADER as u64;
        self.journal.began(&header);
        Ok(ended)
    }
}

fn begin(dir: &Path, header: &Header, disk: &dyn Disk) -> Result<File, StoreError> {
    let path = plain_path(dir, header.no);
    let failed = |e: std::io::Error| StoreError::Write(format!("{}: {e}", path.display()));
    let mut file = file::create(&path).map_err(failed)?;
    disk.write(&mut file, &header.bytes()).map_err(failed)?;
    disk.sync(&file).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    sync_dir(dir)?;
    Ok(file)
}

/// Segment files of a journal by number: plain, sealed.
pub fn files(dir: &Path) -> Result<BTreeMap<u32, (bool, bool)>, StoreError> {
    let io = |e: std::io::Error| unreadable(dir, &e);
    let mut found: BTreeMap<u32, (bool, bool)> = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let no = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse().ok());
        let kind = path.extension().and_then(|e| e.to_str());
        match (no, kind) {
            (Some(no), Some("log")) => found.entry(no).or_default().0 = true,
            (Some(no), Some("seal")) => found.entry(no).or_default().1 = true,
            _ => {}
        }
    }
    Ok(found)
}

/// Opens a journal. `witness`: last place that is known to have been durable (by the index, by a clean close);
/// nothing up to there may be missing.
pub fn open(
    dir: &Path,
    disk: Arc<dyn Disk>,
    rotate: u64,
    witness: Seq,
    stamp: &str,
) -> Result<(Arc<Journal>, Tail, Option<Torn>), StoreError> {
    remove_unfinished(dir)?;
    let found = files(dir)?;
    let last_no = found.keys().next_back().copied();
    let mut reading =
        Reading { dir, witness, stamp, segments: Vec::new(), next: Seq(1), chain: Chain::default(), torn: None };
    let mut open = None;
    for (i, (no, (plain, sealed))) in found.into_iter().enumerate() {
        if no as usize != i + 1 {
            return Err(damaged(i as u32 + 1, 0, reading.next, "the segment is missing"));
        }
        let is_last = Some(no) == last_no;
        match if sealed { one_form(dir, no, plain)? } else { None } {
            Some(table) => reading.continued_by(sealed_segment(no, table))?,
            None => open = reading.plain(no, is_last)?,
        }
    }
    let Reading { segments, next, chain, torn, .. } = reading;
    if next <= witness {
        return Err(damaged(
            segments.len() as u32,
            0,
            next,
            &format!("the journal ends here, but facts up to {witness} were stored: a segment was cut or removed"),
        ));
    }
    let journal = Arc::new(Journal {
        dir: dir.to_path_buf(),
        segments: RwLock::new(segments),
        held: Mutex::default(),
        last: AtomicU64::new(next.0 - 1),
    });
    let (file, no, len) = if let Some((no, len)) = open {
        (grows_on(dir, no, len)?, no, len)
    } else {
        let no = journal.segments().last().map_or(1, |s| s.no + 1);
        let header = Header { no, first: next, before: chain };
        let file = begin(dir, &header, disk.as_ref())?;
        journal.began(&header);
        (file, no, HEADER as u64)
    };
    let tail = Tail { journal: Arc::clone(&journal), disk, file, no, len, chain, next, rotate };
    Ok((journal, tail, torn))
}

/// A journal as far as it was read on opening.
struct Reading<'a> {
    dir: &'a Path,
    /// Nothing up to here may be missing.
    witness: Seq,
    stamp: &'a str,
    segments: Vec<Segment>,
    next: Seq,
    chain: Chain,
    torn: Option<Torn>,
}

impl Reading<'_> {
    /// Reads a plain segment, of which the last may end in a torn write. Gives number and length of one that can grow on.
    fn plain(&mut self, no: u32, is_last: bool) -> Result<Option<(u32, u64)>, StoreError> {
        let path = plain_path(self.dir, no);
        let size = std::fs::metadata(&path).map_err(|e| unreadable(&path, &e))?.len();
        if is_last && size < HEADER as u64 && self.next > self.witness {
            // The process died while it began this segment: nothing was ever in it.
            std::fs::remove_file(&path).map_err(|e| unreadable(&path, &e))?;
            return Ok(None);
        }
        let scanned = scan(&path, no, false, |_, _, _| Ok(()))?;
        if let Some(rest) = &scanned.rest {
            if !is_last || rest.whole_behind || scanned.next <= self.witness {
                return Err(damaged(no, rest.offset, scanned.next, rest.what));
            }
            self.torn = Some(cut(&path, no, rest, self.stamp)?);
        }
        let open = is_last.then_some((no, scanned.len));
        self.continued_by(plain_segment(no, scanned))?;
        Ok(open)
    }

    /// Takes the next segment in, if it is the next.
    fn continued_by(&mut self, segment: Segment) -> Result<(), StoreError> {
        if segment.first != self.next || first_chain(self.dir, &segment)? != self.chain {
            return Err(damaged(segment.no, 0, self.next, "it does not continue the segment before it"));
        }
        self.next = segment.next;
        self.chain = segment.chain;
        self.segments.push(segment);
        Ok(())
    }
}

/// Opens the last segment at its end.
fn grows_on(dir: &Path, no: u32, len: u64) -> Result<File, StoreError> {
    let path = plain_path(dir, no);
    let failed = |e: std::io::Error| StoreError::Write(format!("{}: {e}", path.display()));
    let mut file = file::regular(OpenOptions::new().write(true), &path).map_err(failed)?;
    file.seek(SeekFrom::Start(len)).map_err(failed)?;
    // What a killed process wrote may be in the page cache only; it is about to be answered for.
    file.sync_all().map_err(failed)?;
    Ok(file)
}

/// Removes sealed segments that were never finished; their plain ones are still there.
fn remove_unfinished(dir: &Path) -> Result<(), StoreError> {
    let io = |e: std::io::Error| unreadable(dir, &e);
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|e| e == "seal-new") {
            std::fs::remove_file(&path).map_err(io)?;
        }
    }
    Ok(())
}

/// Settles a segment that may stand in both forms: sealing was interrupted before the plain one was removed.
fn one_form(dir: &Path, no: u32, plain: bool) -> Result<Option<Table>, StoreError> {
    let path = sealed_path(dir, no);
    if !plain {
        return Table::read(&path, no).map(Some);
    }
    let remove = |path: PathBuf| std::fs::remove_file(&path).map_err(|e| unreadable(&path, &e));
    if sealed::verify(&path, no).is_ok() {
        let table = Table::read(&path, no)?;
        remove(plain_path(dir, no))?;
        return Ok(Some(table));
    }
    remove(path)?;
    Ok(None)
}

fn sealed_segment(no: u32, table: Table) -> Segment {
    let (first, next, chain) = (table.header.first, table.next, table.chain);
    Segment { no, first, next, chain, form: Form::Sealed(Arc::new(table)) }
}

fn plain_segment(no: u32, s: Scanned) -> Segment {
    Segment {
        no,
        first: s.header.first,
        next: s.next,
        chain: s.chain,
        form: Form::Plain { landmarks: s.landmarks, len: s.len },
    }
}

fn first_chain(dir: &Path, segment: &Segment) -> Result<Chain, StoreError> {
    if let Form::Sealed(table) = &segment.form {
        return Ok(table.header.before);
    }
    let path = plain_path(dir, segment.no);
    let mut bytes = [0_u8; HEADER];
    let mut file = file::open(&path).map_err(|e| unreadable(&path, &e))?;
    frame::fill(&mut file, &mut bytes).map_err(|e| unreadable(&path, &e))?;
    Header::read(&bytes).map(|h| h.before).map_err(|what| damaged(segment.no, 0, segment.first, what))
}

fn cut(path: &Path, no: u32, &Rest { offset, bytes, .. }: &Rest, stamp: &str) -> Result<Torn, StoreError> {
    let kept = path.with_extension(format!("torn-{stamp}"));
    let failed = |e: std::io::Error| StoreError::Write(format!("{}: {e}", kept.display()));
    let mut from = file::regular(OpenOptions::new().read(true).write(true), path).map_err(failed)?;
    from.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut torn = Vec::new();
    from.read_to_end(&mut torn).map_err(failed)?;
    let mut to = file::create(&kept).map_err(failed)?;
    std::io::Write::write_all(&mut to, &torn).map_err(failed)?;
    to.sync_all().map_err(failed)?;
    from.set_len(offset).map_err(failed)?;
    from.sync_all().map_err(failed)?;
    Ok(Torn { segment: no, offset, bytes, kept })
}
