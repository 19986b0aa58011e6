//! Exports: complete whatever the pages look like, safe for what opens them, and there only when they are finished.
use std::io::Write;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use skydeck::domain::bill::{BillState, Failure, Outcome, Rev, Status};
use skydeck::domain::cause::{Cause, CauseTable};
use skydeck::domain::command::{Order, Receipt};
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{EnvId, Fid, FormId, OpId, PlanId, PlanRev, RecordKey, RunId};
use skydeck::domain::language::Language;
use skydeck::domain::query::{Answer, Cursor, Page, Query, Scope};
use skydeck::domain::run::{BillRow, Revision, RunHead, RunKind, RunRow, RunState, Tally};
use skydeck::domain::time::Ts;
use skydeck::domain::who::Who;
use skydeck::engine::api::{Gone, Link, LinkError, Watch};
use skydeck::export::{Export, ExportError, Format, Listing, Style, to_file, write};
use ulid::Ulid;

fn causes() -> Arc<CauseTable> {
    Arc::new(toml::from_str(skydeck::domain::cause::BUILT_IN).unwrap())
}

fn style() -> Style {
    Style {
        zone: "Asia/Shanghai".parse().unwrap(),
        lang: Language::En,
        causes: causes(),
        codes: false,
        now: Ts(1_764_000_000_000),
    }
}

fn run() -> RunId {
    RunId(Ulid::from_parts(1, 2))
}

/// A store of `rows` failed bills that answers in pages, now and then with a scan that found nothing yet.
struct Store {
    rows: usize,
    message: &'static str,
    fails_at: Option<usize>,
    /// Bills that are closed and not audited; their outcome is that it is done.
    closed: std::ops::Range<usize>,
}

impl Store {
    fn bill(&self, i: usize) -> BillRow {
        let failure =
            Failure { cause: Cause::new("stock"), msg_code: Some(11), field: None, message: self.message.to_owned() };
        BillRow {
            run: run(),
            plan: PlanId::new("seed"),
            key: RecordKey {
                env: EnvId::new("demo"),
                form: FormId::new("SAL_OUTSTOCK"),
                fid: Fid::from(100_000 + i as u64),
            }
            .under(&if self.closed.contains(&i) { OpId::new("BillClose") } else { OpId::default() }),
            no: format!("XSCKD{i:06}"),
            state: BillState::Settled(if self.closed.contains(&i) {
                Outcome::Done { verified: false }
            } else {
                Outcome::Failed(failure)
            }),
            rev: Rev { status: Status::Submitted, modified: None, state: None },
            attempts: 1,
            at: Ts(1_764_000_000_000),
            columns: vec!["100".to_owned(), "=1+1".to_owned()],
            found: None,
            heard: None,
            made: None,
            open_since: None,
            untold: false,
            resolved_before: None,
            will: None,
        }
    }
}

#[async_trait]
impl Link for Store {
    async fn submit(&self, _: Order) -> Result<Receipt, LinkError> {
        Err(LinkError::Gone(Gone::Other("not here".to_owned())))
    }

    async fn ask(&self, query: Query) -> Result<Answer, LinkError> {
        match query {
            Query::Run(id) => {
                let head = RunHead {
                    id,
                    kind: RunKind::Fresh,
                    plan: PlanId::new("seed"),
                    name: "seed".to_owned(),
                    rev: PlanRev::new("r"),
                    env: EnvId::new("demo"),
                    production: false,
                    form: FormId::new("SAL_OUTSTOCK"),
                    columns: vec!["FSaleOrgId.FNumber".to_owned(), "FNote".to_owned()],
                    by: Who {
                        uid: 0,
                        login: "op".to_owned(),
                        from: None,
                        name: None,
                        origin: None,
                        person: None,
                        host: None,
                    },
                    opened: Ts(0),
                    of: None,
                    filter: String::new(),
                    revision: Revision::Newest,
                    text: None,
                    op: skydeck::domain::ids::OpId::default(),
                    server: None,
                    range: None,
                    headless: false,
                    due: None,
                };
                let row = RunRow {
                    head,
                    state: RunState::Working,
                    tally: Tally::default(),
                    collected: None,
                    closed: None,
                    flags: Vec::new(),
                    consent: None,
                    pruned: 0,
                    op_unknown: false,
                    labels: Vec::new(),
                };
                Ok(Answer::Run(Some(Box::new(row))))
            }
            Query::Bills { page, .. } => {
                let from = page.cursor.map_or(0, |c| c.0.trim_start_matches('s').parse::<usize>().unwrap());
                if self.fails_at.is_some_and(|at| from >= at) {
                    return Err(LinkError::Gone(Gone::Other("killed".to_owned())));
                }
                let to = (from + page.limit as usize).min(self.rows);
                // Every full page is followed by a scan that ran into its bound with nothing found.
                let to = if from % 1000 == 500 { from + 100 } else { to }.min(self.rows);
                let rows: Vec<_> = (from..to).map(|i| (Cursor((i + 1).to_string()), self.bill(i))).collect();
                let stopped_at = (from % 1000 == 500 && to < self.rows).then(|| Cursor(format!("s{to}")));
                let more = stopped_at.is_none() && to < self.rows;
                Ok(Answer::Bills(Page { rows, more, stopped_at, ..Page::default() }))
            }
            // No plan is there any more that had labels for the columns.
            Query::Plans => Ok(Answer::Plans(Vec::new())),
            other => panic!("{other:?}"),
        }
    }

    async fn watch(&self) -> Result<Watch, LinkError> {
        Err(LinkError::Gone(Gone::Other("not here".to_owned())))
    }
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn written(store: Store, scope: Scope, format: Format) -> (u64, String) {
    let sink = Sink::default();
    let mut told = Vec::new();
    let listing = Listing { scope, filter: Filter::default(), format, style: style() };
    let rows = write(Arc::new(store), listing, Box::new(sink.clone()), |n| told.push(n)).await.unwrap();
    assert!(told.is_sorted() && told.last() == Some(&rows));
    let bytes = sink.0.lock().unwrap().clone();
    (rows, String::from_utf8(bytes).unwrap())
}

fn store(rows: usize, message: &'static str) -> Store {
    Store { rows, message, fails_at: None, closed: 0..0 }
}

#[tokio::test]
async fn every_row_is_there_once_whatever_the_pages() {
    for rows in [0, 1, 499, 500, 501, 1_600, 2_345] {
        let (n, csv) = written(store(rows, "x"), Scope::Run(run()), Format::Csv).await;
        assert_eq!(n, rows as u64);
        assert!(csv.starts_with("\u{feff}no,fid,outcome"));
        let mut numbers: Vec<&str> = csv.lines().skip(1).map(|l| l.split(',').next().unwrap()).collect();
        assert_eq!(numbers.len(), rows);
        numbers.dedup();
        assert_eq!(numbers.len(), rows);
    }
}

#[tokio::test]
async fn what_opens_it_executes_nothing() {
    let hostile = "=HYPERLINK(\"http://x.invalid\")<script>|\x1b]0;x\x07\u{9b}2J\u{202e}\nend";
    for (format, scope, has, has_not) in [
        (
            Format::Csv,
            Scope::Run(run()),
            &[
                "\"'=HYPERLINK(\"\"http://x.invalid\"\")<script>|␛]0;x␇⟨9B⟩2J⟨202E⟩⏎end\"",
                ",'=1+1",
                "FSaleOrgId.FNumber",
            ][..],
            &["\x1b"][..],
        ),
        (
            Format::Html,
            Scope::Ledger,
            &["&lt;script&gt;", "default-src 'none'", "1 bills: failed 1"],
            &["<script", "\x1b", "\u{202e}"],
        ),
        (Format::Markdown, Scope::History, &["&lt;script&gt;\\|", "2025-11-25 00:00:00+08:00"], &["<script", "\x1b"]),
        (
            Format::JsonLines,
            Scope::History,
            &["\\u001b]0;x\\u0007\\u009b2J\\u202e\\nend", "\"FSaleOrgId.FNumber\":\"100\"", "\"msg_code\":11"],
            &["\x1b", "\u{9b}", "\u{202e}"],
        ),
    ] {
        let (_, text) = written(store(1, hostile), scope, format).await;
        for part in has {
            assert!(text.contains(part), "{format:?} wants {part:?}:\n{text}");
        }
        for part in has_not {
            assert!(!text.contains(part), "{format:?} has {part:?}:\n{text}");
        }
    }
    // JSON loses nothing.
    let (_, json) = written(store(1, hostile), Scope::Ledger, Format::JsonLines).await;
    let value: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
    assert_eq!(value["message"], hostile);
}

#[tokio::test]
async fn a_file_is_there_when_it_is_complete_and_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.csv");
    let wanted = Export {
        scope: Scope::History,
        filter: Filter::default(),
        format: Format::Csv,
        path: path.to_str().unwrap().to_owned(),
        force: false,
    };
    let broken = Store { rows: 2_000, message: "x", fails_at: Some(1_000), closed: 0..0 };
    let failed = to_file(Arc::new(broken), &wanted, style(), |_| {}).await;
    assert!(matches!(failed, Err(ExportError::Link(_))), "{failed:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    let done = to_file(Arc::new(store(3, "x")), &wanted, style(), |_| {}).await.unwrap();
    assert_eq!((done.rows, done.path.as_path()), (3, path.as_path()));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let again = to_file(Arc::new(store(3, "x")), &wanted, style(), |_| {}).await;
    assert!(matches!(again, Err(ExportError::Exists(_))), "{again:?}");
}

#[tokio::test]
async fn a_bill_of_another_operation_is_told_by_it_and_lists_of_audit_alone_stay_as_they_are() {
    let (_, csv) = written(store(3, "x"), Scope::History, Format::Csv).await;
    let first = |csv: &str| csv.lines().next().unwrap().to_owned();
    let after = ",erp_status_by,erp_status_at,audit_erp_time,erp_status_before,modified_before_erp_time";
    let (columns, codes) = (",form,FSaleOrgId.FNumber,FNote", ",outcome_code,cause_code");
    assert!(first(&csv).ends_with(&format!("{columns}{after}{codes}")), "{csv}");
    // The only other one stands far down: the heading knows of it.
    let mixed = || Store { closed: 1_500..1_501, ..store(1_600, "x") };
    for scope in [Scope::History, Scope::Ledger, Scope::Run(run())] {
        let (_, csv) = written(mixed(), scope, Format::Csv).await;
        assert!(first(&csv).ends_with(&format!(",operation{codes}")), "{csv}");
        let line = |no: &str| csv.lines().find(|l| l.starts_with(no)).unwrap().to_owned();
        assert!(line("XSCKD000001").contains(",failed,insufficient stock,"));
        assert!(line("XSCKD000001").ends_with(",Audit,failed,stock"));
        assert!(line("XSCKD001500").contains(",closed,,") && line("XSCKD001500").ends_with(",BillClose,done,"));
    }
    // Codes alone, where they are asked for: as scripts have read them from the first version on.
    let sink = Sink::default();
    let (coded, all, out) = (Style { codes: true, ..style() }, Filter::default(), Box::new(sink.clone()));
    let listing = Listing { scope: Scope::History, filter: all, format: Format::Csv, style: coded };
    write(Arc::new(mixed()), listing, out, |_| {}).await.unwrap();
    let csv = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    assert!(first(&csv).starts_with("\u{feff}no,fid,outcome,cause,") && first(&csv).ends_with(",operation"), "{csv}");
    let line = |no: &str| csv.lines().find(|l| l.starts_with(no)).unwrap().to_owned();
    assert!(line("XSCKD000001").contains(",failed,stock,") && line("XSCKD000001").ends_with(",Audit"));
    assert!(line("XSCKD001500").contains(",done,,") && line("XSCKD001500").ends_with(",BillClose"));
    let (_, lines) = written(mixed(), Scope::History, Format::JsonLines).await;
    let values: Vec<serde_json::Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((&values[1_500]["outcome"], &values[1_500]["word"]), (&"done".into(), &"closed".into()));
    assert_eq!((&values[1_500]["operation"], &values[0]["operation"]), (&"BillClose".into(), &"Audit".into()));
    assert!(values[0].get("word").is_none());
    for format in [Format::Markdown, Format::Html] {
        let (_, text) = written(mixed(), Scope::History, format).await;
        assert!(text.contains("closed") && text.contains("BillClose") && text.contains("done 1"), "{format:?}");
        assert!(!text.contains("audited"), "{format:?}");
    }
}
