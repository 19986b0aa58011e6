//! Reads the bills of a report, a page at a time, and puts each aside with others of its cause.
//!
//! Invariant: memory does not grow with the list; what is put aside has no name on the disk, and is gone with this process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use skydeck_core::domain::bill::{Outcome, Slot};
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::group_words;
use skydeck_core::domain::ids::OpId;
use skydeck_core::domain::language::Language;
use skydeck_core::domain::operation_words;
use skydeck_core::domain::query::{Answer, Cursor, Page, PageRequest, Query, Scope};
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::time::Ts;
use skydeck_engine::api::Link;

use crate::ExportError;
use crate::heads::{Head, Heads};
use crate::style::Style;

/// Rows asked for at a time.
const PAGE: u32 = 500;
/// Causes with a list of their own; a site's own table can have many.
const GROUPS: usize = 60;
/// What the bills of all further causes are grouped by.
const OTHERS: &str = "…";

/// Bills of one cause.
pub(crate) struct Group {
    /// Column of the sum line.
    pub slot: Slot,
    /// Cause, reason or way of not knowing; empty where there is none.
    pub name: String,
    /// Of runs that nobody approved.
    pub untold: bool,
    /// The operation of the first of them.
    op: OpId,
    /// Bills.
    pub count: u64,
    /// Since when the oldest of them is unresolved, or when it changed last.
    pub oldest: Option<Ts>,
    /// Came after the last report.
    pub new: u64,
    /// There are bills of another operation than Audit.
    pub others: bool,
    /// Of some of them a bill was made.
    pub made: bool,
    /// Of each head that it has bills of: which of the plan's columns say anything that the report does not say anyway.
    pub told: BTreeMap<usize, Vec<bool>>,
    rows: Aside,
}

/// All bills of a report.
#[derive(Default)]
pub(crate) struct Gathered {
    /// By cause, the one first that must be looked at first.
    pub groups: Vec<Group>,
    /// Of runs, each once: rows name it by its place.
    pub heads: Vec<Arc<Head>>,
    /// Bills.
    pub total: u64,
}

/// Rows in a file without a name.
struct Aside {
    out: BufWriter<File>,
}

impl Group {
    fn begin(row: &BillRow, slot: Slot, name: String, dir: &Path) -> io::Result<Self> {
        let out = BufWriter::new(tempfile::tempfile_in(dir)?);
        let (untold, op) = (row.untold, row.key.op.clone());
        let told = BTreeMap::new();
        Ok(Self {
            slot,
            name,
            untold,
            op,
            count: 0,
            oldest: None,
            new: 0,
            others: false,
            made: false,
            told,
            rows: Aside { out },
        })
    }

    fn add(&mut self, head: usize, row: &BillRow, last: Option<Ts>) -> io::Result<()> {
        let since = row.open_since.unwrap_or(row.at);
        self.count += 1;
        self.oldest = Some(self.oldest.map_or(since, |oldest| oldest.min(since)));
        self.others |= !row.key.op.is_audit();
        self.made |= row.made.is_some();
        self.new += u64::from(last.is_some_and(|last| since > last));
        let told = self.told.entry(head).or_default();
        told.resize(told.len().max(row.columns.len()), false);
        for (told, value) in told.iter_mut().zip(&row.columns) {
            *told |= !value.is_empty() && *value != row.no && value != row.fid().as_str();
        }
        serde_json::to_writer(&mut self.rows.out, &(head, row))?;
        self.rows.out.write_all(b"\n")
    }

    /// The name by which the next report knows it.
    pub fn code(&self) -> String {
        let slot = if self.untold { "not_approved" } else { self.slot.code() };
        if self.name.is_empty() { slot.to_owned() } else { format!("{slot}/{}", self.name) }
    }

    /// What people call it.
    pub fn label(&self, style: &Style) -> String {
        let lang = style.lang;
        match self.name.as_str() {
            OTHERS => lang.t("other causes", "其余原因").to_owned(),
            _ if self.untold => lang.t("not approved", "未批准").to_owned(),
            "" => self.outcome(lang).to_owned(),
            name => group_words::label(&style.causes, lang, self.slot, name),
        }
    }

    /// The column of the sum line in words.
    pub fn outcome(&self, lang: Language) -> &'static str {
        if self.untold {
            return lang.t("not approved", "未批准");
        }
        operation_words::words(&self.op).column(lang, self.slot)
    }

    /// What to do, and who does it; of what is done, nothing.
    pub fn advice(&self, style: &Style) -> Option<(String, &'static str)> {
        let stuck = matches!(self.slot, Slot::Failed | Slot::Unknown | Slot::Skipped | Slot::NotReached);
        (stuck && !self.untold).then(|| group_words::advice(&style.causes, style.lang, self.slot, &self.name))
    }

    /// Goes through its bills in the order they were read.
    pub fn each(&mut self, mut f: impl FnMut(usize, &BillRow) -> io::Result<()>) -> io::Result<()> {
        self.rows.out.flush()?;
        let file = self.rows.out.get_mut();
        file.rewind()?;
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            if lines.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let (head, row): (usize, BillRow) = serde_json::from_slice(&line)?;
            f(head, &row)?;
        }
    }

    fn urgency(&self) -> u8 {
        match self.slot {
            _ if self.untold => 4,
            Slot::Unknown => 0,
            Slot::Failed => 1,
            Slot::NotReached => 2,
            Slot::Skipped => 3,
            Slot::Waiting => 4,
            Slot::Already => 5,
            Slot::Done => 6,
        }
    }
}

impl Gathered {
    /// Where the bills of a cause are put.
    fn group(&mut self, row: &BillRow, slot: Slot, name: String, how: &How) -> io::Result<usize> {
        let place = |name: &str| {
            let same = |group: &Group| (group.slot, group.untold) == (slot, row.untold) && group.name == name;
            self.groups.iter().position(|group| !how.by_cause || same(group))
        };
        if let Some(at) = place(&name) {
            return Ok(at);
        }
        let name = if self.groups.len() >= GROUPS && !name.is_empty() { OTHERS.to_owned() } else { name };
        if let Some(at) = place(&name) {
            return Ok(at);
        }
        self.groups.push(Group::begin(row, slot, name, &how.dir)?);
        Ok(self.groups.len() - 1)
    }

    pub fn add(&mut self, head: &Arc<Head>, row: &BillRow, how: &How) -> io::Result<()> {
        let known = self.heads.iter().rposition(|known| Arc::ptr_eq(known, head) || known == head);
        let head = known.unwrap_or_else(|| {
            self.heads.push(Arc::clone(head));
            self.heads.len() - 1
        });
        let slot = row.state.slot();
        let name = row.state.outcome().filter(|_| !row.untold).and_then(Outcome::group).unwrap_or_default();
        let group = self.group(row, slot, name, how)?;
        self.total += 1;
        self.groups.get_mut(group).map_or(Ok(()), |group| group.add(head, row, how.last))
    }
}

/// How they are put aside.
#[derive(Clone, Debug)]
pub(crate) struct How {
    /// By cause, or all in one.
    pub by_cause: bool,
    /// Where.
    pub dir: PathBuf,
    /// What came later than this is counted as new.
    pub last: Option<Ts>,
}

/// Reads them.
pub(crate) async fn gather(
    link: &Arc<dyn Link>,
    (scope, filter): (Scope, &Filter),
    how: How,
    fault: impl Fn(io::Error) -> ExportError,
) -> Result<Gathered, ExportError> {
    let mut heads = Heads::new(Arc::clone(link));
    let mut all = Gathered::default();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = PageRequest { cursor, back: false, limit: PAGE };
        let answer = link.ask(Query::Bills { scope, filter: filter.clone(), page }).await?;
        let Answer::Bills(Page { rows, more, stopped_at, .. }) = answer else { return Err(ExportError::WrongAnswer) };
        cursor = stopped_at.or(rows.last().map(|(cursor, _)| cursor.clone()).filter(|_| more));
        let mut named = Vec::with_capacity(rows.len());
        for (_, bill) in rows {
            named.push((heads.head(bill.run).await?, bill));
        }
        let how = how.clone();
        // Disks wait; the loop's threads do not.
        let put = tokio::task::spawn_blocking(move || {
            named.iter().try_for_each(|(head, row)| all.add(head, row, &how)).map(|()| all)
        });
        all = put.await.map_err(io::Error::other).and_then(|put| put).map_err(&fault)?;
        if cursor.is_none() {
            break;
        }
    }
    all.groups.sort_by_key(|group| (group.urgency(), std::cmp::Reverse(group.count)));
    Ok(all)
}
