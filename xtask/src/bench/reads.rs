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

/// What was asked, with how long it took.
struct Figures(serde_json::Map<String, Value>);

impl Default for Figures {
    fn default() -> Self {
        Self(serde_json::Map::from_iter([("type".to_owned(), json!("read, pages of 50"))]))
    }
}

impl Figures {
    async fn any(
        &mut self,
        times: usize,
        name: &str,
        least: usize,
        mut ask: impl AsyncFnMut() -> Result<usize, Stop>,
    ) -> Result<(), Stop> {
        let mut took = Times::default();
        for _ in 0..times {
            let since = Instant::now();
            let rows = ask().await?;
            took.note(since.elapsed());
            if rows < least {
                return Err(Stop::usage(format!("{name}: {rows} rows came, {least} were to come")));
            }
        }
        self.0.insert(name.to_owned(), json!([took.percentile(50), took.percentile(99)]));
        Ok(())
    }
}

/// Asks everything; fields of two figures are p50 and p99 in milliseconds.
pub async fn all(store: &dyn Store, rows: u64) -> Result<Value, Stop> {
    let mut rng = Rng::with_seed(7);
    let mut found = Figures::default();
    let page = async |scope: Scope, filter: &str, cursor: Option<Cursor>, back: bool| {
        let filter = Filter::parse(filter).map_err(|e| Stop::usage(e.to_string()))?;
        let request = PageRequest { cursor, back, limit: PAGE };
        store.bills(scope.asked(&filter, &request, Ts(0))).await.map_err(skydeck::boot::store_stop)
    };
    let first = async |scope, filter: &str| Ok(page(scope, filter, None, false).await?.rows.len());
    found.any(TIMES, "newest page", PAGE as usize, async || first(Scope::History, "").await).await?;
    // From the far end on, page by page: no two the same.
    let mut at: Option<Cursor> = None;
    found
        .any(TIMES, "deep page", 1, async || {
            let page = page(Scope::History, "", at.clone(), true).await?;
            at = page.rows.iter().map(|(cursor, _)| cursor.clone()).max().filter(|_| page.more);
            Ok(page.rows.len())
        })
        .await?;
    found.any(TIMES, "newest failed", PAGE as usize, async || first(Scope::History, "status:failed").await).await?;
    found
        .any(TIMES, "newest page of a run", 1, async || {
            first(Scope::Run(run_id(rng.u64(0..rows.div_ceil(RUN)))), "").await
        })
        .await?;
    found
        .any(TIMES, "failed of a run", 1, async || {
            first(Scope::Run(run_id(rng.u64(0..rows.div_ceil(RUN)))), "status:failed").await
        })
        .await?;
    found.any(TIMES, "ledger", PAGE as usize, async || first(Scope::Ledger, "").await).await?;
    found.any(TIMES, "ledger of a cause", PAGE as usize, async || first(Scope::Ledger, "cause:stock").await).await?;
    found
        .any(TIMES, "ledger groups", 1, async || {
            store.ledger_groups(None).await.map(|g| g.len()).map_err(skydeck::boot::store_stop)
        })
        .await?;
    found
        .any(TIMES, "count of unresolved", 1, async || {
            store.unresolved(None).await.map(|n| n as usize).map_err(skydeck::boot::store_stop)
        })
        .await?;
    found
        .any(TIMES, "bill by number", 1, async || {
            let no = number(FIRST + rng.u64(0..rows));
            store.find_number(&no, 10).await.map(|found| found.len()).map_err(skydeck::boot::store_stop)
        })
        .await?;
    found
        .any(TIMES, "life of a bill", 2, async || {
            let fid = Fid::from(FIRST + rng.u64(0..rows));
            let key = RecordKey { env: EnvId::new("bench"), form: FormId::new("SAL_OUTSTOCK"), fid };
            store
                .facts_of(&key.under(&OpId::default()), 500)
                .await
                .map(|(facts, _)| facts.len())
                .map_err(skydeck::boot::store_stop)
        })
        .await?;
    found
        .any(TIMES, "filter with an index", 1, async || {
            first(Scope::History, &format!("no:{}*", &number(FIRST + rng.u64(0..rows)).get(..11).unwrap_or_default()))
                .await
        })
        .await?;
    found.any(SCANS, "filter without (20 000 rows)", 0, async || first(Scope::History, "~不存在的文字").await).await?;
    Ok(Value::Object(found.0))
}
