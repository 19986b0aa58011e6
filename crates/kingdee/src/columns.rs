//! Which columns a query asks for, and a bill from its row.
//!
//! Invariant: the plan's columns come back in the plan's order; no column is asked for twice, whatever its case.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::date_of;
use skydeck_core::domain::bill::{Found, Rev, Status};
use skydeck_core::domain::bounds;
use skydeck_core::domain::ids::Fid;

const STATUS: &str = "FDocumentStatus";
const MODIFIED: &str = "FModifyDate";
const APPROVER: &str = "FApproverId.FName";
const APPROVED: &str = "FApproveDate";
/// Technical columns that some forms do not have.
const OPTIONAL: [&str; 3] = [MODIFIED, APPROVER, APPROVED];

/// The columns of one query and where each is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    columns: Vec<String>,
    plan: Vec<usize>,
    id: usize,
    number: usize,
    status: usize,
    modified: Option<usize>,
    approver: Option<usize>,
    approved: Option<usize>,
    marked: Option<usize>,
    /// Fields that an operation looks at.
    fields: Vec<(String, usize)>,
    /// Optional columns asked for by us alone.
    droppable: Vec<&'static str>,
}

impl Layout {
    /// The plan's columns, then what the engine needs, less what the form is known not to have.
    pub(super) fn new(
        plan: &[String],
        id_path: &str,
        number_path: &str,
        mark: Option<&str>,
        fields: &[String],
        missing: &BTreeSet<String>,
    ) -> Self {
        let mut columns: Vec<String> = Vec::new();
        let mut place = |path: &str| {
            let path = path.trim();
            columns.iter().position(|c| c.eq_ignore_ascii_case(path)).unwrap_or_else(|| {
                columns.push(path.to_owned());
                columns.len() - 1
            })
        };
        let plan_places: Vec<usize> = plan.iter().map(|path| place(path)).collect();
        let (id, number, status) = (place(id_path), place(number_path), place(STATUS));
        let marked = mark.map(&mut place);
        let fields = fields.iter().map(|path| (path.clone(), place(path))).collect();
        let mut droppable = Vec::new();
        let mut optional = |path: &'static str| {
            let known = columns.iter().position(|c| c.eq_ignore_ascii_case(path));
            if known.is_some() || missing.contains(path) {
                return known;
            }
            droppable.push(path);
            columns.push(path.to_owned());
            Some(columns.len() - 1)
        };
        let [modified, approver, approved] = OPTIONAL.map(&mut optional);
        Self { columns, plan: plan_places, id, number, status, modified, approver, approved, marked, fields, droppable }
    }

    /// What to ask for.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The optional column that a refusal says the form does not have.
    pub(super) fn missing_in(&self, message: &str) -> Option<&'static str> {
        let message = message.to_ascii_lowercase();
        self.droppable.iter().copied().find(|path| {
            let base = path.split('.').next().unwrap_or(path).to_ascii_lowercase();
            message.contains(&base)
        })
    }

    /// The plan's columns of a row, whole.
    pub(super) fn whole(&self, row: &[String]) -> Vec<String> {
        self.plan.iter().map(|at| row.get(*at).cloned().unwrap_or_default()).collect()
    }

    /// The id of a row.
    fn id_of<'r>(&self, row: &'r [String]) -> &'r str {
        row.get(self.id).map_or("", |id| id.trim())
    }

    /// Every row of each bill, in the order of the bills.
    pub(super) fn lines(&self, rows: &[Vec<String>], bills: &[Found]) -> Vec<Vec<Vec<String>>> {
        let mut all: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
        for row in rows {
            all.entry(self.id_of(row)).or_default().push(self.whole(row));
        }
        bills.iter().map(|bill| all.remove(bill.fid.as_str()).unwrap_or_default()).collect()
    }

    /// Rows without those of the last bill, which the end of the page may have cut. `None`: there is no other bill.
    pub(super) fn uncut<'r>(&self, rows: &'r [Vec<String>]) -> Option<&'r [Vec<String>]> {
        let last = self.id_of(rows.last()?);
        let keep = rows.iter().rposition(|row| self.id_of(row) != last)?;
        rows.get(..=keep)
    }

    /// A bill from a row of [`Layout::columns`]; `Err` says what is wrong with the row.
    pub(super) fn found(&self, row: &[String], zone_minutes: i32) -> Result<Found, String> {
        let text = |at: usize| row.get(at).map_or("", String::as_str);
        let id = text(self.id).trim();
        if id.is_empty() {
            return Err("a row has no id".to_owned());
        }
        if id.parse::<f64>().is_ok() && !id.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("a row has the id {id}, which is no whole number"));
        }
        let no = text(self.number).trim();
        for (what, value) in [("an id", id), ("a number", no)] {
            let length = value.chars().count();
            if length > bounds::NUMBER {
                return Err(format!("a row has {what} of {length} characters (limit {})", bounds::NUMBER));
            }
        }
        let mut dates = [self.modified, self.approved, self.marked].into_iter().map(|at| {
            let Some(at) = at else { return Ok(None) };
            let cell = text(at);
            match date_of(cell, zone_minutes) {
                None if !may_be_a_date(cell) => {
                    let column = self.columns.get(at).map_or("", String::as_str);
                    let cell = bounds::cell(cell);
                    Err(format!("the row of {id} holds {cell:?} where {column} was asked for, which is no date: its columns are those of another query"))
                }
                date => Ok(date),
            }
        });
        let mut date = || dates.next().unwrap_or(Ok(None));
        let (modified, approved, marked) = (date()?, date()?, date()?);
        Ok(Found {
            probe: None,
            absent: false,
            outside: false,
            will: None,
            body: None,
            looked: None,
            lines: Vec::new(),
            fid: Fid::new(id),
            no: no.to_owned(),
            rev: Rev::new(Status::from(text(self.status).to_owned()), modified),
            approver: self.approver.map(|at| bounds::cell(text(at).trim())).filter(|name| !name.is_empty()),
            approved,
            marked,
            columns: self.plan.iter().map(|at| bounds::cell(text(*at))).collect(),
            fields: self.fields.iter().map(|(path, at)| (path.clone(), bounds::cell(text(*at)))).collect(),
        })
    }
}

/// Whether a cell may be a date, written in whatever way a server writes dates: nothing, or a number and a sign behind it. An
/// answer that came late to another query has a name, a number or an id there.
fn may_be_a_date(cell: &str) -> bool {
    let cell = cell.trim();
    let behind = cell.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = cell.len() - behind.len();
    cell.is_empty()
        || cell.starts_with("/Date(")
        || ((1..=4).contains(&digits) && behind.chars().next().is_some_and(|c| !c.is_ascii_alphanumeric()))
}

/// Folds rows to bills: one entry an id, the plan's columns as the first row has them. `Err` says why the rows cannot be
/// trusted: numeric ids out of order, or not above `after`, would make a keyset skip bills; and of two rows that tell another
/// thing of one bill nobody knows which is true.
pub(super) fn fold(
    layout: &Layout,
    rows: &[Vec<String>],
    after: Option<&Fid>,
    zone_minutes: i32,
) -> Result<Vec<Found>, String> {
    let mut bills: Vec<Found> = Vec::new();
    let mut seen: BTreeMap<Fid, usize> = BTreeMap::new();
    for row in rows {
        let bill = layout.found(row, zone_minutes)?;
        if let Some(last) = bills.last()
            && bill.fid.is_number()
            && last.fid.is_number()
            && bill.fid < last.fid
        {
            return Err(format!("the server did not order by id: {} came after {}", bill.fid, last.fid));
        }
        if let Some(after) = after
            && bill.fid.is_number()
            && after.is_number()
            && bill.fid <= *after
        {
            return Err(format!("the server sent bill {}, though only ids above {after} were asked for", bill.fid));
        }
        let Some(first) = seen.get(&bill.fid).and_then(|at| bills.get(*at)) else {
            seen.insert(bill.fid.clone(), bills.len());
            bills.push(bill);
            continue;
        };
        if let Some(what) = contradiction(first, &bill) {
            return Err(format!("the server gave bill {} in several rows with another {what} each", bill.fid));
        }
    }
    Ok(bills)
}

/// What two rows of one bill tell otherwise, of what is decided by. A plan's own columns may be of the bill's lines, each of
/// which is a row, and so may be the date that its mark is taken from.
fn contradiction(one: &Found, other: &Found) -> Option<String> {
    let differs = [
        ("number", one.no != other.no),
        ("status", one.rev.status != other.rev.status),
        ("date of change", one.rev.modified != other.rev.modified),
        ("approver", one.approver != other.approver),
        ("date of approval", one.approved != other.approved),
    ];
    let head = differs.iter().find(|(_, differs)| *differs).map(|(what, _)| (*what).to_owned());
    let mut fields = one.fields.iter().zip(&other.fields);
    head.or_else(|| fields.find(|(one, other)| one != other).map(|((path, _), _)| path.clone()))
}

/// An id as a literal of a FilterString.
pub(super) fn literal(fid: &Fid) -> String {
    if fid.is_number() { fid.as_str().to_owned() } else { format!("'{}'", fid.as_str().replace('\'', "''")) }
}

/// The plan's filter with the keyset condition.
pub(super) fn keyset(filter: &str, id_path: &str, after: Option<&Fid>) -> String {
    match (filter.trim(), after) {
        (filter, None) => filter.to_owned(),
        ("", Some(after)) => format!("{id_path} > {}", literal(after)),
        (filter, Some(after)) => format!("({filter}) and {id_path} > {}", literal(after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(items: &[&str]) -> Vec<String> {
        items.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn technical_columns_are_added_once_whatever_their_case() {
        let plan = strings(&["FBillTypeID.FNumber", "fid", "FBillNo", "FDate", "FApproveDate", "FBillNo"]);
        let layout = Layout::new(&plan, "FID", "FBillNo", Some("FCreateDate"), &[], &BTreeSet::new());
        assert_eq!(
            layout.columns().join(","),
            "FBillTypeID.FNumber,fid,FBillNo,FDate,FApproveDate,FDocumentStatus,FCreateDate,FModifyDate,FApproverId.FName"
        );
        let row = strings(&[
            "T",
            "7",
            "N7",
            "2025-01-02T00:00:00",
            "",
            "B",
            "2025-01-01T00:00:00",
            "2025-01-03T00:00:00",
            " ",
        ]);
        let bill = layout.found(&row, 480).unwrap();
        assert_eq!(bill.columns, strings(&["T", "7", "N7", "2025-01-02T00:00:00", "", "N7"]));
        assert_eq!((bill.fid, bill.no, bill.approver, bill.approved), (Fid::new("7"), "N7".to_owned(), None, None));
        assert_eq!(bill.marked.unwrap().as_str(), "2025-01-01T00:00:00");
        assert_eq!(layout.missing_in("元数据中标识为 fmodifydate 的字段不存在"), Some("FModifyDate"));
        assert_eq!(layout.missing_in("元数据中标识为FApproveDate的字段不存在"), None, "the plan itself asks for it");
    }

    #[test]
    fn rows_that_would_break_a_keyset_are_refused() {
        let layout = Layout::new(&[], "FID", "FBillNo", None, &[], &OPTIONAL.map(str::to_owned).into());
        let row = |id: &str| strings(&[id, "N", "B"]);
        for (ids, after, expected) in [
            (vec!["1", "1", "2"], None, Ok(vec!["1", "2"])),
            (vec!["9", "10"], Some("8"), Ok(vec!["9", "10"])),
            (vec!["b", "a"], Some("c"), Ok(vec!["b", "a"])),
            (vec!["2", "1"], None, Err("did not order by id")),
            (vec!["8"], Some("8"), Err("only ids above 8")),
            (vec![""], None, Err("no id")),
            (vec!["1.5"], None, Err("no whole number")),
            (vec!["-1"], None, Err("no whole number")),
        ] {
            let rows: Vec<_> = ids.iter().map(|id| row(id)).collect();
            let after = after.map(Fid::new);
            match (fold(&layout, &rows, after.as_ref(), 0), expected) {
                (Ok(bills), Ok(ids)) => assert_eq!(bills.iter().map(|b| b.fid.as_str()).collect::<Vec<_>>(), ids),
                (Err(said), Err(part)) => assert!(said.contains(part), "{said}"),
                (got, expected) => panic!("{ids:?}: {got:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn rows_of_one_bill_are_one_bill_unless_they_contradict_each_other() {
        let plan = strings(&["FEntity_FSeq"]);
        let fields = strings(&["FCloseStatus"]);
        let layout = Layout::new(&plan, "FID", "FBillNo", None, &fields, &BTreeSet::new());
        let row = |cells: [&str; 8]| strings(&cells);
        let first = ["1", "7", "N7", "B", "A", "2025-01-03T00:00:00", "li", "2025-01-03"];
        assert_eq!(layout.columns().len(), first.len());
        // Lines of one bill; the last row is another bill's.
        let lines = [row(first), row(["2", "7", "N7", "B", "A", "2025-01-03T00:00:00", "li", "2025-01-03"])];
        let bills =
            fold(&layout, &[&lines[..], &[row(["1", "8", "N8", "C", "B", "", "", ""])]].concat(), None, 0).unwrap();
        assert_eq!(
            bills.iter().map(|bill| (bill.no.as_str(), bill.columns.concat())).collect::<Vec<_>>(),
            [("N7", "1".to_owned()), ("N8", "1".to_owned()),]
        );
        for (at, cell, what) in [
            (2, "N70", "number"),
            (3, "C", "status"),
            (4, "B", "FCloseStatus"),
            (5, "2025-01-03T00:00:01", "date of change"),
            (6, "zhang", "approver"),
            (7, "2025-01-04", "date of approval"),
        ] {
            let mut other = row(first);
            other[at] = cell.to_owned();
            for rows in [vec![row(first), other.clone()], vec![other.clone(), row(first), row(first)]] {
                let said = fold(&layout, &rows, None, 0).unwrap_err();
                assert!(said.contains("bill 7") && said.contains(what), "{said}");
            }
        }
    }

    #[test]
    fn an_answer_to_a_query_with_other_columns_is_refused_though_it_is_as_wide() {
        let layout = Layout::new(&[], "FID", "FBillNo", Some("FCreateDate"), &strings(&["FOrg"]), &BTreeSet::new());
        let row = strings(&["7", "N7", "B", "2025-01-01", "100", "2025-01-03T00:00:00", "li", ""]);
        assert_eq!(layout.columns().len(), row.len());
        assert!(layout.found(&row, 480).is_ok());
        // One column to the right, as the same bill stands in a query that asks for a column of the plan first.
        let mut shifted = strings(&["100"]);
        shifted.extend_from_slice(&["7", "N7", "B", "2025-01-01", "2025-01-03T00:00:00", "li", ""].map(str::to_owned));
        let said = layout.found(&shifted, 480).unwrap_err();
        assert!(said.contains("FModifyDate") || said.contains("FCreateDate"), "{said}");
        for (cell, may) in [
            ("", true),
            (" ", true),
            ("2025-01-03 10:00", true),
            ("3.1.2025 10:00:00", true),
            ("31/12/2025", true),
            ("2025年1月3日", true),
            ("/Date(1735862400000)/", true),
            ("li", false),
            ("XSCKD000026", false),
            ("100141", false),
            ("2025", false),
            ("B", false),
        ] {
            assert_eq!(may_be_a_date(cell), may, "{cell:?}");
        }
    }

    #[test]
    fn the_keyset_closes_the_plans_filter_in_brackets() {
        let after = Fid::new("9007199254740993");
        assert_eq!(keyset("a=1 or b=2", "FID", Some(&after)), "(a=1 or b=2) and FID > 9007199254740993");
        assert_eq!(keyset(" ", "FID", Some(&after)), "FID > 9007199254740993");
        assert_eq!(keyset("a=1", "FID", None), "a=1");
        assert_eq!(literal(&Fid::new("o'x")), "'o''x'");
    }
}
