//! Rows of an append as the database's own composite types; see `sql/V2__append.sql`.
//!
//! Invariant: a type here has the name and the fields of the one there, in the same order; the client compares them when the
//! append is prepared.

use postgres_types::ToSql;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::transition::{Change, transition};

#[derive(Debug, ToSql)]
#[postgres(name = "batch_v1")]
pub(crate) struct BatchIn {
    pub batch: String,
    pub n: i32,
}

#[derive(Debug, ToSql)]
#[postgres(name = "slot_v1")]
pub(crate) struct SlotIn {
    pub plan: String,
    pub remedy: bool,
    pub due: i64,
    pub run: String,
}

#[derive(Debug, ToSql)]
#[postgres(name = "fact_v1")]
pub(crate) struct FactIn {
    pub at: i64,
    pub run: Option<String>,
    pub body: Vec<u8>,
    pub digest: Vec<u8>,
}

#[derive(Debug, ToSql)]
#[postgres(name = "known_v1")]
pub(crate) struct KnownIn {
    pub env: String,
    pub form: String,
    pub fk: Vec<u8>,
    pub last: i64,
}

#[derive(Debug, ToSql)]
#[postgres(name = "name_v1")]
pub(crate) struct NameIn {
    pub kind: i16,
    pub no: i32,
    pub a: String,
    pub b: String,
    pub c: String,
}

#[derive(Debug, ToSql)]
#[postgres(name = "rev_v1")]
pub(crate) struct RevIn {
    pub rev: String,
    pub body: Vec<u8>,
}

#[derive(Debug, ToSql)]
#[postgres(name = "run_v1")]
pub(crate) struct RunIn {
    pub no: i32,
    pub id: String,
    pub plan: i32,
    pub family: i32,
    pub kind: String,
    pub state: String,
    pub counts: bool,
    pub opened: i64,
    pub closed: Option<i64>,
    pub found: i64,
    pub done: i64,
    pub already: i64,
    pub skipped: i64,
    pub failed: i64,
    pub unknown: i64,
    pub waiting: i64,
    pub not_reached: i64,
    pub live: Vec<u8>,
    pub sort: Option<Vec<u8>>,
}

#[derive(Debug, ToSql)]
#[postgres(name = "run_head_v1")]
pub(crate) struct RunHeadIn {
    pub no: i32,
    pub rec: Vec<u8>,
}

#[derive(Debug, ToSql)]
#[postgres(name = "bill_row_v1")]
pub(crate) struct BillRowIn {
    pub run: i32,
    pub fk: Vec<u8>,
    pub fid: String,
    pub no: String,
    pub slot: i16,
    pub trying: bool,
    pub cause: Option<String>,
    pub attempts: i32,
    pub at: i64,
    pub h_seq: i64,
    pub h_place: i32,
    pub rec: Vec<u8>,
}

#[derive(Debug, ToSql)]
#[postgres(name = "bill_v1")]
pub(crate) struct BillIn {
    pub family: i32,
    pub fk: Vec<u8>,
    pub fid: String,
    pub found_run: i32,
    pub changed_run: i32,
    pub deaths: i32,
    pub since: Option<i64>,
    pub open_run: Option<i32>,
    pub open_plan: Option<i32>,
    pub open_slot: Option<i16>,
    pub open_group: Option<String>,
    pub rec: Vec<u8>,
}

#[derive(Debug, ToSql)]
#[postgres(name = "record_v1")]
pub(crate) struct RecordIn {
    pub env: String,
    pub form: String,
    pub fk: Vec<u8>,
    pub fid: String,
    pub hand: Option<i32>,
    pub keeps: bool,
    pub last: i64,
}

#[derive(Debug, ToSql)]
#[postgres(name = "number_v1")]
pub(crate) struct NumberIn {
    pub k: Vec<u8>,
    pub number: String,
    pub family: i32,
    pub made: bool,
}

#[derive(Debug, ToSql)]
#[postgres(name = "places_v1")]
pub(crate) struct PlacesIn {
    pub run: i32,
    pub fk: Vec<u8>,
    pub chunk: i32,
    pub rec: Vec<u8>,
}

#[derive(Debug, ToSql)]
#[postgres(name = "hour_v1")]
pub(crate) struct HourIn {
    pub plan: i32,
    pub begins: i64,
    pub kind: i16,
    pub runs: i64,
    pub found: i64,
    pub calls: i64,
    pub answers: i64,
    pub call_ms: i64,
    pub rec: Vec<u8>,
}

#[derive(Debug, ToSql)]
#[postgres(name = "action_v1")]
pub(crate) struct ActionIn {
    pub seq: i64,
    pub at: i64,
    pub verb: String,
    pub who: String,
    pub run: Option<String>,
    pub result: String,
    pub rec: Vec<u8>,
}

#[derive(Debug, Default, ToSql)]
#[postgres(name = "kept_v1")]
pub(crate) struct KeptIn {
    pub kind: String,
    pub plan: Option<i32>,
    pub env: Option<i32>,
    pub slot: Option<i16>,
    pub a: Option<String>,
    pub b: Option<String>,
    pub k: Option<Vec<u8>>,
    pub n: Option<i64>,
    pub rec: Option<Vec<u8>>,
}

/// Everything of one append.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Due times that the facts' runs were started for.
    pub slots: Vec<SlotIn>,
    /// Runs that the facts go on with, and those that begin with them.
    pub held: Vec<String>,
    pub opened: Vec<String>,
    pub batches: Vec<BatchIn>,
    pub facts: Vec<FactIn>,
    pub known: Vec<KnownIn>,
    pub names: Vec<NameIn>,
    pub revs: Vec<RevIn>,
    pub runs: Vec<RunIn>,
    pub heads: Vec<RunHeadIn>,
    pub in_runs: Vec<BillRowIn>,
    pub bills: Vec<BillIn>,
    pub records: Vec<RecordIn>,
    pub numbers: Vec<NumberIn>,
    pub places: Vec<PlacesIn>,
    pub hours: Vec<HourIn>,
    pub actions: Vec<ActionIn>,
    pub kept: Vec<KeptIn>,
}

impl Rows {
    /// Notes whose run a fact goes on with, or begins.
    pub fn in_hand(&mut self, event: &Event) {
        let note = |list: &mut Vec<String>, run: RunId| {
            let run = run.to_string();
            if !list.contains(&run) {
                list.push(run);
            }
        };
        match transition(event) {
            Change::Opened(head) => {
                note(&mut self.opened, head.id);
                let (plan, run) = (head.plan.as_str().to_owned(), head.id.to_string());
                self.slots.extend(head.due.map(|due| SlotIn { plan, remedy: due.remedy, due: due.at.0, run }));
            }
            Change::Found { run, .. } | Change::Run { run, .. } | Change::Bill { run, .. } => note(&mut self.held, run),
            // What is said of a run by whoever has none of it in hand: its bills leave with time, a person resolves one.
            Change::Nothing
            | Change::Gone { .. }
            | Change::Resolved { .. }
            | Change::Reopened { .. }
            | Change::NotUnderstood(_) => {}
        }
    }
}
