//! Records that come as JSON, handed in or listed: as a query would have found them, with what is to be made of each.
//!
//! Invariant: a record whose lines do not belong together is in the set, and nothing is made of it.

use skydeck_core::domain::bill::{Failure, Found, Rendered, Rev, Status};
use skydeck_core::domain::bounds;
use skydeck_core::domain::cause::{Cause, known};
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::reason::BadRecord;
use skydeck_core::domain::time::ErpDate;
use skydeck_plan::record::Unfit;
use skydeck_plan::render::RenderContext;

use super::pages::Failed;
use super::runner::Runner;
use crate::ports::FoundPage;

/// A record, cut into the plan's columns.
pub(super) struct JsonRecord {
    pub fid: Fid,
    /// What tells one content of it from another.
    pub state: Option<u64>,
    /// Its date in the mark's field, where the plan names one.
    pub marked: Option<ErpDate>,
    /// Its rows, or why it has none.
    pub rows: Result<Vec<Vec<String>>, Unfit>,
}

impl JsonRecord {
    fn found(&self) -> Found {
        let first = self.rows.as_ref().ok().and_then(|rows| rows.first());
        Found {
            fid: self.fid.clone(),
            no: self.fid.as_str().to_owned(),
            rev: Rev { state: self.state, ..Rev::new(Status::Other(String::new()), None) },
            approver: None,
            approved: None,
            marked: self.marked.clone(),
            columns: first.into_iter().flatten().map(|cell| bounds::cell(cell)).collect(),
            fields: Vec::new(),
            lines: Vec::new(),
            looked: None,
            body: None,
            outside: false,
            will: None,
            absent: false,
            probe: None,
        }
    }
}

/// Nothing is made of a record whose lines do not belong together. It came before the plan read from two lists.
fn unfit(why: &Unfit) -> Rendered {
    let Unfit::TwoLists { one, other } = why else { return Rendered::default() };
    let said = BadRecord::TwoLists { one: one.clone(), other: other.clone() };
    let failure = Failure { cause: Cause::new(known::MAPPING), msg_code: None, field: None, message: said.en() };
    Rendered { fault: Some(Box::new(failure)), ..Rendered::default() }
}

impl Runner {
    /// Records as a query would have found them, with what is to be made of each.
    pub(super) async fn as_found(
        &mut self,
        page: Vec<JsonRecord>,
        context: Option<&RenderContext>,
    ) -> Result<Vec<Found>, Failed> {
        let (mut bills, mut all) = (Vec::with_capacity(page.len()), Vec::with_capacity(page.len()));
        let mut unread = Vec::new();
        for record in page {
            let found = record.found();
            match record.rows {
                Ok(rows) => {
                    bills.push(found);
                    all.push(rows);
                }
                Err(why) => unread.push(Found { body: Some(Box::new(unfit(&why))), ..found }),
            }
        }
        let raw_rows = all.iter().map(Vec::len).sum::<usize>() as u32;
        let mut bills = self.made_of(FoundPage { bills, raw_rows, rows: all }, context).await?.bills;
        bills.extend(unread);
        Ok(bills)
    }
}
