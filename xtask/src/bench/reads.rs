//! What the console and the verbs ask of a store, timed at places chosen at random.

use std::time::Instant;

use fastrand::Rng;
use serde_json::{Value, json};

use super::fill::{FIRST, RUN, number, run_id};
use super::probe::Times;
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{EnvId, Fid, FormId, OpId, RecordKey};
use skydeck::domain::query::{Cursor, PageRequest, Scope};
use skydeck::domain::time::Ts;
use skydeck::exit::Stop;
use skydeck::store::Store;

/// Rows of a page.
const PAGE: u32 = 50;
/// Times each question is asked.
const TIMES: usize = 300;
/// Times a question without an index is asked.
const SCANS: usize = 20;

/// Asks everything; fields of two figures are p50 and p99 in milliseconds.
pub fn all(store: &dyn Store, rows: u64) -> Result<Value, Stop> {
    let mut rng = Rng::with_seed(7);
    let mut found = serde_json::Map::new();
    found.insert("type".to_owned(), json!("read, pages of 50"));
    let mut any = |times: usize, name: &str, least: usize, ask: &mut dyn FnMut() -> Result<usize, Stop>| {
        let mut took = Times::default();
        for _ in 0..times {
            let since = Instant::now();
            let rows = ask()?;
            took.note(since.elapsed());
            if rows < least {
                return Err(Stop::usage(format!("{name}: {rows} rows came, {least} were to come")));
            }
        }
        found.insert(name.to_owned(), json!([took.percentile(50), took.percentile(99)]));
        Ok(())
    };
    let page = |scope: Scope, filter: &str, cursor: Option<Cursor>, back: bool| {
        let filter = Filter::parse(filter).map_err(|e| Stop::usage(e.to_string()))?;
        let request = PageRequest { cursor, back, limit: PAGE };
        store.bills(scope, &filter, &request, Ts(0)).map_err(skydeck::boot::store_stop)
    };
    let first = |scope, filter: &str| Ok(page(scope, filter, None, false)?.rows.len());
    any(TIMES, "newest page", PAGE as usize, &mut || first(Scope::History, ""))?;
    // From the far end on, page by page: no two the same.
    let mut at: Option<Cursor> = None;
    any(TIMES, "deep page", 1, &mut || {
        let page = page(Scope::History, "", at.clone(), true)?;
        at = page.rows.iter().map(|(cursor, _)| cursor.clone()).max().filter(|_| page.more);
        Ok(page.rows.len())
    })?;
    any(TIMES, "newest failed", PAGE as usize, &mut || first(Scope::History, "status:failed"))?;
    any(TIMES, "newest page of a run", 1, &mut || first(Scope::Run(run_id(rng.u64(0..rows.div_ceil(RUN)))), ""))?;
    any(TIMES, "failed of a run", 1, &mut || {
        first(Scope::Run(run_id(rng.u64(0..rows.div_ceil(RUN)))), "status:failed")
    })?;
    any(TIMES, "ledger", PAGE as usize, &mut || first(Scope::Ledger, ""))?;
    any(TIMES, "ledger of a cause", PAGE as usize, &mut || first(Scope::Ledger, "cause:stock"))?;
    any(TIMES, "ledger groups", 1, &mut || {
        store.ledger_groups(None).map(|g| g.len()).map_err(skydeck::boot::store_stop)
    })?;
    any(TIMES, "count of unresolved", 1, &mut || {
        store.unresolved(None).map(|n| n as usize).map_err(skydeck::boot::store_stop)
    })?;
    any(TIMES, "bill by number", 1, &mut || {
        let no = number(FIRST + rng.u64(0..rows));
        store.find_number(&no, 10).map(|found| found.len()).map_err(skydeck::boot::store_stop)
    })?;
    any(TIMES, "life of a bill", 2, &mut || {
        let fid = Fid::from(FIRST + rng.u64(0..rows));
        let key = RecordKey { env: EnvId::new("bench"), form: FormId::new("SAL_OUTSTOCK"), fid };
        store
            .facts_of(&key.under(&OpId::default()), 500)
            .map(|(facts, _)| facts.len())
            .map_err(skydeck::boot::store_stop)
    })?;
    any(TIMES, "filter with an index", 1, &mut || {
        first(Scope::History, &format!("no:{}*", &number(FIRST + rng.u64(0..rows)).get(..11).unwrap_or_default()))
    })?;
    any(SCANS, "filter without (20 000 rows)", 0, &mut || first(Scope::History, "~不存在的文字"))?;
    Ok(Value::Object(found))
}
