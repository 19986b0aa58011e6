//! `bench store`: a store of many bills: filled, opened, read, killed, rebuilt, compacted, each in a process of its own.
//!
//! Invariant: only a directory this bench made is filled or killed; a filled one is used again.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{fill, probe, reads};
use skydeck::boot::SystemClock;
use skydeck::cli::out::Out;
use skydeck::domain::time::Clock;
use skydeck::exit::{Exit, Stop};
use skydeck::store::local::LocalStore;
use skydeck::store::{Store, doctor};

/// Marks a directory of this bench; holds the number of bills.
const MARKER: &str = "skydeck-bench-store";
/// Bills of the run during which the process is killed.
const CUT_OFF: u64 = 2_000;

/// `bench store`.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// Bills.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub rows: u64,
    /// Where the store lies; kept, and used again when it holds as many bills.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// One step only, in this process.
    #[arg(long, value_name = "STEP", hide = true)]
    pub step: Option<Step>,
}

/// Steps, each in a process of its own so that memory and caches are its own too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// Fill.
    Fill,
    /// Open after whatever was before, read.
    Read,
    /// Open only.
    Open,
    /// Open, write, be killed.
    Die,
    /// Index anew from the journal.
    Rebuild,
    /// Index into a smaller one, journal sealed.
    Compact,
}

/// Runs it.
pub async fn run(out: &Out, args: &StoreArgs) -> Result<Exit, Stop> {
    let data = args.dir.join("data");
    if let Some(step) = args.step {
        let found = one(step, &data, args.rows).await?;
        out.object(&found)?;
        return Ok(Exit::Ok);
    }
    let marker = args.dir.join(MARKER);
    std::fs::create_dir_all(&args.dir)?;
    let holds = std::fs::read_to_string(&marker).ok().and_then(|n| n.trim().parse::<u64>().ok());
    match holds {
        Some(n) if n == args.rows => {}
        None if !data.exists() => {
            child(out, args, Step::Fill).await?;
            std::fs::write(&marker, args.rows.to_string())?;
        }
        _ => return Err(Stop::usage(format!("{}: holds something else; name another", args.dir.display()))),
    }
    sizes(out, args, "as it grew")?;
    let shown = [
        (Step::Open, "after a clean close"),
        (Step::Read, "again"),
        (Step::Die, "killed while writing"),
        (Step::Open, "after the kill"),
        (Step::Rebuild, ""),
        (Step::Compact, ""),
        (Step::Read, "compacted"),
    ];
    for (step, note) in shown {
        out.note(&format!("{step:?} {note} …"));
        child(out, args, step).await?;
        if step == Step::Compact {
            sizes(out, args, "compacted")?;
        }
    }
    Ok(Exit::Ok)
}

/// Runs one step in a process of its own and tells what it found.
async fn child(out: &Out, args: &StoreArgs, step: Step) -> Result<(), Stop> {
    let name = step.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
    let output = tokio::process::Command::new(std::env::current_exe()?)
        .args(["--json", "bench", "store", "--rows", &args.rows.to_string(), "--step", &name, "--dir"])
        .arg(&args.dir)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    if step == Step::Die {
        return if output.status.success() { Err(Stop::usage("it was to be killed and was not")) } else { Ok(()) };
    }
    if !output.status.success() {
        return Err(Stop::usage(format!("step {name} ended with {}", output.status)));
    }
    let found: Value = serde_json::from_slice(&output.stdout).map_err(|e| Stop::usage(format!("step {name}: {e}")))?;
    tell(out, &found)
}

/// A step's figures, one a line.
fn tell(out: &Out, found: &Value) -> Result<(), Stop> {
    if out.json {
        return Ok(out.object(found)?);
    }
    let Some(fields) = found.as_object() else { return Ok(()) };
    for (name, value) in fields {
        match value {
            Value::Array(both) => {
                let of = |i: usize| both.get(i).and_then(Value::as_f64).unwrap_or(f64::NAN);
                out.line(&format!("  {name:<34} p50 {:>9.3} ms   p99 {:>9.3} ms", of(0), of(1)))?;
            }
            Value::String(text) => out.line(text)?,
            Value::Number(n) => out.line(&format!("  {name:<34} {:>13.1}", n.as_f64().unwrap_or(f64::NAN)))?,
            _ => {}
        }
    }
    Ok(())
}

/// Bytes a bill.
fn sizes(out: &Out, args: &StoreArgs, note: &str) -> Result<(), Stop> {
    let data = args.dir.join("data");
    let (mut sealed, mut plain) = (0, 0);
    for entry in std::fs::read_dir(data.join("journal"))?.flatten() {
        let len = entry.metadata()?.len();
        if entry.path().extension().is_some_and(|e| e == "seal") { sealed += len } else { plain += len }
    }
    let rows = args.rows as f64;
    let index = probe::bytes_below(&data.join("sled")) as f64 / rows;
    tell(
        out,
        &json!({
            "type": format!("size, {note}"), "index_bytes_per_bill": index, "journal_bytes_per_bill": (sealed + plain) as f64 / rows,
            "journal_sealed_bytes_per_bill": sealed as f64 / rows, "journal_unsealed_bytes": plain,
        }),
    )
}

async fn one(step: Step, data: &Path, rows: u64) -> Result<Value, Stop> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let since = Instant::now();
    let seconds = |since: Instant| since.elapsed().as_secs_f64();
    match step {
        Step::Rebuild => {
            let facts = doctor::rebuild(data, &*clock, &|_| {}).map_err(skydeck::boot::store_stop)?;
            let took = seconds(since);
            return Ok(
                json!({"type": "rebuild from the journal", "seconds": took, "facts": facts, "peak_mib": peak()}),
            );
        }
        Step::Compact => {
            doctor::compact(data, &*clock).map_err(skydeck::boot::store_stop)?;
            return Ok(json!({"type": "compact", "seconds": seconds(since), "peak_mib": peak()}));
        }
        Step::Fill | Step::Read | Step::Open | Step::Die => {}
    }
    let store = LocalStore::open(data, clock, "bench", &|_| {}).map_err(skydeck::boot::store_stop)?;
    let store = Arc::new(store);
    let (opened, as_store) = (seconds(since), store.clone() as Arc<dyn Store>);
    let mut found = match step {
        Step::Fill => {
            let filled = fill::fill(&as_store, 0, rows, |_| {}).await?;
            let tenth = rows as f64 / 10.0;
            json!({
                "type": "fill", "seconds": filled.took.as_secs_f64(), "bills_per_s": rows as f64 / filled.took.as_secs_f64(),
                "first_tenth_per_s": tenth / filled.tenths.0.as_secs_f64(),
                "last_tenth_per_s": tenth / filled.tenths.1.as_secs_f64(),
            })
        }
        Step::Die => {
            // A run number no earlier kill has used.
            let n = 1_000_000 + store.last().0;
            fill::begin_and_leave(&as_store, n, CUT_OFF).await?;
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).map_err(std::io::Error::from)?;
            return Err(Stop::usage("still alive"));
        }
        Step::Read => reads::all(&*as_store, rows).await?,
        _ => json!({"type": "open"}),
    };
    if let Some(fields) = found.as_object_mut() {
        fields.insert("open_ms".to_owned(), json!(opened * 1000.0));
        fields.insert("peak_mib".to_owned(), json!(peak()));
    }
    store.close().map_err(skydeck::boot::store_stop)?;
    Ok(found)
}

fn peak() -> f64 {
    probe::memory("VmHWM") as f64 / 1_048_576.0
}
