//! The journal: every fact ever stored, in order, in segments that are only ever appended to and then sealed.
//!
//! Invariant: it is the truth. What cannot be read is said with segment, offset and place, and is never skipped,
//! guessed or cut, but for the torn end of a write that nobody was told of.

pub mod frame;
pub mod later;
pub mod recent;
pub mod sealed;
pub mod segment;
pub mod tail;
pub mod walk;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use self::frame::Chain;
use self::sealed::{Table, sealed_path};
use self::segment::{HEADER, Header, damaged, plain_path, unreadable};
use super::{StoreError, file};
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::Seq;

/// Opened pieces kept for the next reader.
const PIECES: usize = 4;
/// Pieces larger than this are not kept.
const PIECE_LIMIT: usize = 4 * 1024 * 1024;

/// Makes a directory's entries durable.
pub fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    let failed = |e: std::io::Error| StoreError::Write(format!("{}: {e}", dir.display()));
    File::open(dir).and_then(|d| d.sync_all()).map_err(failed)
}

/// One segment as readers know it.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Number.
    pub no: u32,
    /// Place of its first fact.
    pub first: Seq,
    /// Place after its last fact.
    pub next: Seq,
    /// Chain hash after its last frame.
    pub chain: Chain,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Plain { landmarks: Vec<(Seq, u64)>, len: u64 },
    Sealed(Arc<Table>),
}

impl Segment {
    /// Whether it is sealed.
    pub fn is_sealed(&self) -> bool {
        matches!(self.form, Form::Sealed(_))
    }

    /// Number of pieces it is read in, and which one holds a place.
    fn piece_of(&self, seq: Seq) -> usize {
        let before = match &self.form {
            Form::Plain { landmarks, .. } => landmarks.partition_point(|(first, _)| *first <= seq),
            Form::Sealed(table) => table.blocks.partition_point(|block| block.first <= seq),
        };
        before.saturating_sub(1)
    }

    fn pieces(&self) -> usize {
        match &self.form {
            Form::Plain { landmarks, .. } => landmarks.len(),
            Form::Sealed(table) => table.blocks.len(),
        }
    }

    fn read_piece(&self, dir: &Path, piece: usize) -> Result<Vec<u8>, StoreError> {
        match &self.form {
            Form::Sealed(table) => match table.blocks.get(piece) {
                Some(block) => table.open(&sealed_path(dir, self.no), block),
                None => Ok(Vec::new()),
            },
            Form::Plain { landmarks, len } => {
                let Some((_, from)) = landmarks.get(piece).copied() else { return Ok(Vec::new()) };
                let to = landmarks.get(piece + 1).map_or(*len, |(_, at)| *at);
                let path = plain_path(dir, self.no);
                let io = |e: std::io::Error| unreadable(&path, &e);
                let mut file = file::open(&path).map_err(io)?;
                file.seek(SeekFrom::Start(from)).map_err(io)?;
                let mut bytes = Vec::new();
                file.take(to.saturating_sub(from)).read_to_end(&mut bytes).map_err(io)?;
                Ok(bytes)
            }
        }
    }

    /// Whether a piece may still grow.
    fn grows(&self, piece: usize) -> bool {
        !self.is_sealed() && piece + 1 >= self.pieces()
    }
}

type Piece = ((u32, usize), Arc<Vec<u8>>);

/// A piece being read, with its segment's number.
type Held = (u32, Arc<Vec<u8>>);

/// The journal as readers see it.
pub struct Journal {
    dir: PathBuf,
    segments: RwLock<Vec<Segment>>,
    held: Mutex<VecDeque<Piece>>,
    last: AtomicU64,
}

/// A torn end that was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Segment.
    pub segment: u32,
    /// Where it was cut.
    pub offset: u64,
    /// Bytes cut.
    pub bytes: u64,
    /// Where the bytes were put aside.
    pub kept: PathBuf,
}

impl Journal {
    /// Last place that readers may see.
    pub fn last(&self) -> Seq {
        Seq(self.last.load(Ordering::Acquire))
    }

    /// Lets readers see up to a place.
    pub fn publish(&self, last: Seq) {
        self.last.store(last.0, Ordering::Release);
    }

    /// Segments as they stand.
    pub fn segments(&self) -> Vec<Segment> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Plain segments that no longer grow.
    pub fn unsealed(&self) -> Vec<u32> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let end = segments.len().saturating_sub(1);
        segments.iter().take(end).filter(|s| !s.is_sealed()).map(|s| s.no).collect()
    }

    /// A segment was sealed: readers turn to the sealed form, then the plain one goes.
    pub fn sealed(&self, no: u32, table: Table) -> Result<(), StoreError> {
        {
            let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(segment) = segments.iter_mut().find(|s| s.no == no) {
                segment.form = Form::Sealed(Arc::new(table));
            }
        }
        self.held.lock().unwrap_or_else(PoisonError::into_inner).retain(|((of, _), _)| *of != no);
        let path = plain_path(&self.dir, no);
        std::fs::remove_file(&path).map_err(|e| StoreError::Write(format!("{}: {e}", path.display())))?;
        sync_dir(&self.dir)
    }

    fn grew(&self, first: Seq, offset: u64, next: Seq, chain: Chain, len: u64) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = segments.last_mut()
            && let Form::Plain { landmarks, len: was } = &mut segment.form
        {
            if landmarks.last().is_none_or(|(_, at)| offset >= at + segment::LANDMARK) {
                landmarks.push((first, offset));
            }
            *was = len;
            segment.next = next;
            segment.chain = chain;
        }
    }

    fn began(&self, header: &Header) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        segments.push(Segment {
            no: header.no,
            first: header.first,
            next: header.first,
            chain: header.before,
            form: Form::Plain { landmarks: Vec::new(), len: HEADER as u64 },
        });
    }

    fn place(&self, seq: Seq) -> Option<(Segment, usize)> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let at = segments.partition_point(|s| s.next <= seq);
        let segment = segments.get(at).filter(|s| s.first <= seq)?.clone();
        let piece = segment.piece_of(seq);
        Some((segment, piece))
    }

    fn piece(&self, seq: Seq) -> Result<Option<Held>, StoreError> {
        let mut tries = 0;
        loop {
            let Some((segment, piece)) = self.place(seq) else { return Ok(None) };
            let id = (segment.no, piece);
            let hit = {
                let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
                held.iter().find(|(of, _)| *of == id).map(|(_, bytes)| Arc::clone(bytes))
            };
            if let Some(bytes) = hit {
                return Ok(Some((segment.no, bytes)));
            }
            match segment.read_piece(&self.dir, piece) {
                Ok(bytes) => {
                    let bytes = Arc::new(bytes);
                    if !segment.grows(piece) && bytes.len() <= PIECE_LIMIT {
                        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
                        held.push_back((id, Arc::clone(&bytes)));
                        while held.len() > PIECES {
                            held.pop_front();
                        }
                    }
                    return Ok(Some((segment.no, bytes)));
                }
                // Sealed in between: its plain file is gone, the sealed one is there.
                Err(StoreError::Read(_)) if !segment.is_sealed() && tries < 3 => tries += 1,
                Err(e) => return Err(e),
            }
        }
    }

    /// Facts of the frames of one piece, from the frame that holds `seq` on; stops when `take` says no. Frames before
    /// that one are passed by their heads alone.
    fn in_piece(
        no: u32,
        bytes: &[u8],
        seq: Seq,
        take: &mut dyn FnMut(Fact) -> bool,
    ) -> Result<(Option<Seq>, bool), StoreError> {
        let (mut rest, mut next) = (bytes, None);
        while !rest.is_empty() {
            let bad = |what: &str| damaged(no, 0, next.unwrap_or(seq), what);
            let head = frame::head(rest).ok_or_else(|| bad("no frame begins here"))?;
            let payload = rest.get(frame::HEAD..frame::HEAD + head.len);
            let payload = payload.ok_or_else(|| bad("it ends within a frame"))?;
            rest = rest.get(frame::HEAD + head.len..).unwrap_or_default();
            if frame::head(rest).is_some_and(|after| after.first <= seq) {
                continue;
            }
            if !frame::whole(&head, payload) {
                return Err(bad("the checksum does not fit"));
            }
            let facts = frame::facts(payload).map_err(|e| bad(&e.to_string()))?;
            next = Some(Seq(head.first.0 + facts.len() as u64));
            for fact in facts {
                if fact.seq >= seq && !take(fact) {
                    return Ok((next, false));
                }
            }
        }
        Ok((next, true))
    }

    /// Gives facts in order from a place on, until `take` says no or the visible end.
    pub fn each_from(&self, from: Seq, take: &mut dyn FnMut(Fact) -> bool) -> Result<(), StoreError> {
        let mut at = Seq(from.0.max(1));
        let last = self.last();
        while at <= last {
            let Some((no, bytes)) = self.piece(at)? else { return Ok(()) };
            let mut within = |fact: Fact| fact.seq <= last && take(fact);
            let (next, on) = Self::in_piece(no, &bytes, at, &mut within)?;
            match next {
                Some(next) if on && next > at => at = next,
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Facts after a place.
    pub fn after(&self, after: Seq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        let mut facts = Vec::new();
        if limit > 0 {
            self.each_from(Seq(after.0.saturating_add(1)), &mut |fact| {
                facts.push(fact);
                facts.len() < limit
            })?;
        }
        Ok(facts)
    }

    /// Facts at places, ascending.
    pub fn at(&self, places: &[Seq]) -> Result<Vec<Fact>, StoreError> {
        let mut facts = Vec::with_capacity(places.len());
        for seq in places {
            let Some((no, bytes)) = self.piece(*seq)? else {
                return Err(StoreError::Read(format!("fact {seq} is not in the journal")));
            };
            Self::in_piece(no, &bytes, *seq, &mut |fact| {
                if fact.seq == *seq {
                    facts.push(fact);
                }
                false
            })?;
        }
        Ok(facts)
    }
}
