//! End to end: bills a second from the query to the durable outcome, beside the bare loop and the server's own limit.
//!
//! Invariant: both sides meet a fresh simulator with the same bills and send the same requests.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::bare::{self, Bare};
use super::database::Made;
use super::ours::{self, Ours};
use super::probe::{self, Times};
use super::{FlowArgs, Room};
use skydeck::boot::{SHIPPED, SystemClock};
use skydeck::cli::out::Out;
use skydeck::domain::cause::CauseTable;
use skydeck::domain::plan::Plan;
use skydeck::domain::time::Clock;
use skydeck::exit::{Exit, Stop};

/// The plan of every cell.
pub const PLAN: &str = "bench";
/// Seconds a cell would take at the server's own limit.
const SECONDS: f64 = 6.0;
/// Bills a cell has at least and at most.
const BILLS: (usize, usize) = (200, 8_000);

/// One combination.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Calls in flight.
    pub concurrency: u32,
    /// Milliseconds every answer takes.
    pub delay: u64,
    /// Bills a call.
    pub batch: u32,
    /// Bills.
    pub bills: usize,
}

impl Cell {
    /// Bills the simulator needs so that enough of them are submitted (about two of three are).
    pub fn sim_bills(&self) -> usize {
        self.bills * 8 / 5 + 100
    }

    /// Bills a second when only the server's answers took time.
    fn ideal(&self) -> Option<f64> {
        (self.delay > 0).then(|| f64::from(self.concurrency * self.batch) * 1000.0 / self.delay as f64)
    }
}

/// Both sides of a cell.
struct Pair {
    bare: Bare,
    ours: Ours,
}

impl Pair {
    fn ratio(&self) -> f64 {
        self.bare.wall.as_secs_f64() / self.ours.wall.as_secs_f64()
    }
}

/// Runs all cells.
pub async fn run(out: &Out, args: &FlowArgs) -> Result<Exit, Stop> {
    let room = Room::new(&args.dir, "flow")?;
    let mut flush = Times::from(probe::flushes(&room.0, 300)?);
    let flush = (flush.percentile(50), flush.percentile(99));
    if out.json {
        out.object(&json!({"type": "bench_flush", "fdatasync_ms_p50": flush.0, "fdatasync_ms_p99": flush.1}))?;
    } else {
        out.line(&format!("write of 400 B + fdatasync: p50 {:.2} ms, p99 {:.2} ms", flush.0, flush.1))?;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let causes = out.causes.clone();
    let mut rows = Vec::new();
    for cell in cells(args) {
        out.note(&format!(
            "{} in flight, {} ms, {} a call, {} bills …",
            cell.concurrency, cell.delay, cell.batch, cell.bills
        ));
        let mut pairs = Vec::new();
        for _ in 0..args.repeat.max(1) {
            pairs.push(pair(&cell, &room.0, args, (&causes, &clock)).await?);
        }
        pairs.sort_by(|a, b| a.ratio().total_cmp(&b.ratio()));
        let middle = (pairs.len() - 1) / 2;
        let Some(pair) = pairs.into_iter().nth(middle) else { continue };
        let found = told(&cell, pair);
        if out.json {
            out.object(&found)?;
        }
        rows.push(found);
    }
    if !out.json {
        table(out, &rows)?;
    }
    Ok(Exit::Ok)
}

async fn pair(
    cell: &Cell,
    room: &Path,
    args: &FlowArgs,
    (causes, clock): (&Arc<CauseTable>, &Arc<dyn Clock>),
) -> Result<Pair, Stop> {
    let plans = room.join("plans");
    let plan = write_plan(&plans, cell)?;
    let bare = bare::run(cell, &plan, causes, clock).await?;
    let made = match &args.store {
        Some(server) => Some(Made::new(server).await?),
        None => None,
    };
    let database = made.as_ref().map(|made| made.database(args.together)).transpose()?;
    let ours = ours::run(cell, (room, &plans), database, causes, clock).await?;
    drop(made);
    std::fs::remove_dir_all(room.join("data"))?;
    Ok(Pair { bare, ours })
}

fn cells(args: &FlowArgs) -> Vec<Cell> {
    let middle = args.concurrency.get(args.concurrency.len() / 2).copied().unwrap_or(1);
    let mut cells = Vec::new();
    for (&batch, &delay) in args.batch.iter().flat_map(|batch| args.delay.iter().map(move |delay| (batch, delay))) {
        for &concurrency in args.concurrency.iter().filter(|c| batch == 1 || **c == middle) {
            let mut cell = Cell { concurrency, delay, batch, bills: 0 };
            let seconds = if args.quick { SECONDS / 4.0 } else { SECONDS };
            let most = if args.quick { BILLS.1 / 4 } else { BILLS.1 };
            let wish = cell.ideal().map_or(most, |rate| (rate * seconds) as usize);
            cell.bills = args.bills.unwrap_or_else(|| wish.clamp(BILLS.0, most)).max(10);
            cells.push(cell);
        }
    }
    cells
}

/// The shipped plan, asking for submitted bills only, so that every bill found is called for.
fn write_plan(dir: &Path, cell: &Cell) -> Result<Plan, Stop> {
    let wrong = || Stop::usage("the shipped plan is not what the bench expects");
    let (_, text) = SHIPPED.first().ok_or_else(wrong)?;
    let mut plan: serde_json::Value = serde_json::from_str(text).map_err(|_| wrong())?;
    let fields = plan.pointer_mut("/source/otherRequest").and_then(|v| v.as_array_mut()).ok_or_else(wrong)?;
    for field in fields {
        let value = match field.pointer("/field").and_then(|f| f.as_str()) {
            Some("FilterString") => "FDocumentStatus='B'".to_owned(),
            Some("TopRowCount") => cell.bills.to_string(),
            _ => continue,
        };
        *field.pointer_mut("/value").ok_or_else(wrong)? = json!(value);
    }
    plan.as_object_mut().ok_or_else(wrong)?.insert("skydeck".to_owned(), json!({"batch": cell.batch}));
    std::fs::create_dir_all(dir)?;
    let file = dir.join(format!("{PLAN}.json"));
    std::fs::write(&file, plan.to_string())?;
    let (read, _) = skydeck::boot::read_plan(&file).map_err(|e| Stop::usage(e.message))?;
    Ok(read.plan)
}

/// A cell's figures.
fn told(cell: &Cell, pair: Pair) -> serde_json::Value {
    let ratio = pair.ratio();
    let Pair { bare, mut ours } = pair;
    let n = cell.bills as f64;
    let rate = n / ours.wall.as_secs_f64();
    let per_bill = |time: std::time::Duration| time.as_secs_f64() * 1000.0 / n;
    let both = |times: &mut Times| json!([times.percentile(50), times.percentile(99)]);
    json!({
        "type": "bench_cell", "concurrency": cell.concurrency, "delay_ms": cell.delay, "batch": cell.batch, "bills": cell.bills,
        "bills_per_s": rate, "bare_per_s": n / bare.wall.as_secs_f64(), "ratio": ratio,
        "ideal_per_s": cell.ideal(), "of_ideal": cell.ideal().map(|ideal| rate / ideal),
        "cpu_ms_per_bill": per_bill(ours.cpu), "bare_cpu_ms_per_bill": per_bill(bare.cpu),
        "sim_cpu_ms_per_bill": per_bill(ours.sim_cpu),
        "page_ms": both(&mut ours.page), "read_ms": both(&mut ours.read), "call_ms": both(&mut ours.call),
        "intent_to_outcome_ms": both(&mut ours.life),
        "first_tenth_per_s": ours.tenths.0, "last_tenth_per_s": ours.tenths.1,
        "journal_bytes_per_bill": ours.journal as f64 / n, "index_bytes_per_bill": ours.index as f64 / n,
        "peak_bytes": ours.peak,
    })
}

fn table(out: &Out, rows: &[serde_json::Value]) -> Result<(), Stop> {
    let number = |row: &serde_json::Value, key: &str| row.pointer(key).and_then(serde_json::Value::as_f64);
    let shown = |row: &serde_json::Value, key: &str, digits: usize, scale: f64| {
        number(row, key).map_or("–".to_owned(), |n| format!("{:.digits$}", n * scale))
    };
    let pair = |row: &serde_json::Value, key: &str| {
        format!("{}/{}", shown(row, &format!("{key}/0"), 1, 1.0), shown(row, &format!("{key}/1"), 1, 1.0))
    };
    let lines = rows.iter().map(|row| {
        vec![
            shown(row, "/concurrency", 0, 1.0),
            shown(row, "/delay_ms", 0, 1.0),
            shown(row, "/batch", 0, 1.0),
            shown(row, "/bills", 0, 1.0),
            shown(row, "/bills_per_s", 0, 1.0),
            shown(row, "/bare_per_s", 0, 1.0),
            shown(row, "/ratio", 1, 100.0),
            shown(row, "/of_ideal", 1, 100.0),
            shown(row, "/cpu_ms_per_bill", 2, 1.0),
            shown(row, "/bare_cpu_ms_per_bill", 2, 1.0),
            shown(row, "/sim_cpu_ms_per_bill", 2, 1.0),
            pair(row, "/read_ms"),
            pair(row, "/call_ms"),
            pair(row, "/intent_to_outcome_ms"),
            shown(row, "/peak_bytes", 0, 1.0 / 1_048_576.0),
        ]
    });
    let head = [
        "c",
        "ms",
        "batch",
        "bills",
        "bills/s",
        "bare/s",
        "ratio %",
        "of c/ms %",
        "cpu ms",
        "bare cpu",
        "sim cpu",
        "read p50/99",
        "call p50/99",
        "life p50/99",
        "peak MiB",
    ];
    out.table(&head, lines.collect())?;
    Ok(())
}
