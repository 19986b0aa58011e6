//! Reports: every bill of the list once, under its cause, cell by cell what the store has; and no file where none could be
//! finished.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use calamine::{Data, Reader as _, Xlsx, open_workbook};
use skydeck::domain::bill::{BillState, Failure, Outcome, Rev, Skip, Status, Unknown, UnknownWhy};
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
use skydeck::export::report::{Form, Report, Reported, Seen, to_file};
use skydeck::export::{ExportError, Style};
use skydeck::text::show;
use ulid::Ulid;

const NOW: i64 = 1_764_000_000_000;
/// What a spreadsheet, a browser or a terminal could take for more than text.
const HOSTILE: &str = "=cmd|' /C calc'!A0<script>alert(1)</script>\x1b]0;x\x07\u{202e}\nend";

/// Bills of three causes and two plans.
struct Store {
    rows: usize,
    fails_at: Option<usize>,
}

fn run(n: u64) -> RunId {
    RunId(Ulid::from_parts(n + 1, 2))
}

impl Store {
    fn bill(i: usize) -> BillRow {
        let failed = |cause: &str, message: &str| {
            let message = message.to_owned();
            Outcome::Failed(Failure { cause: Cause::new(cause), msg_code: Some(11), field: None, message })
        };
        let unknown = Unknown { why: UnknownWhy::TimedOut, detail: "no answer".to_owned(), sent: Ts(NOW) };
        let outcome = match i % 7 {
            0..=2 => failed("stock", HOSTILE),
            3 | 4 => failed("a site's own: [period]/2026?", "期间已关账"),
            5 => Outcome::Unknown(unknown),
            _ => Outcome::Skipped(Skip::Created),
        };
        let plan = (i % 2) as u64;
        let columns = match plan {
            0 => vec![format!("XSCKD{i:06}"), format!("{i:020}"), "2026-11-01T08:30:00".to_owned(), HOSTILE.to_owned()],
            _ => vec!["2026-11-02".to_owned(), format!("K{i}"), String::new()],
        };
        BillRow {
            run: run(plan),
            plan: PlanId::new(format!("p{plan}")),
            key: RecordKey {
                env: EnvId::new("demo"),
                form: FormId::new("SAL_OUTSTOCK"),
                fid: Fid::from(100_000 + i as u64),
            }
            .under(&OpId::default()),
            no: format!("XSCKD{i:06}"),
            state: BillState::Settled(outcome),
            rev: Rev { status: Status::Submitted, modified: None, state: None },
            attempts: 1,
            at: Ts(NOW),
            columns,
            found: None,
            heard: None,
            made: None,
            open_since: Some(Ts(NOW - 1000 * i as i64)),
            untold: false,
            resolved_before: None,
            will: None,
        }
    }
}

fn head(id: RunId) -> RunHead {
    let plan = usize::from(id != run(0));
    let columns = [&["FBillNo", "客户", "日期", "客户"][..], &["日期", "客户", "备注"]];
    RunHead {
        id,
        kind: RunKind::Fresh,
        plan: PlanId::new(format!("p{plan}")),
        name: format!("方案 {plan}"),
        rev: PlanRev::new("r"),
        env: EnvId::new("demo"),
        production: false,
        form: FormId::new("SAL_OUTSTOCK"),
        columns: columns[plan].iter().map(|name| (*name).to_owned()).collect(),
        by: Who { uid: 0, login: "op".to_owned(), from: None, name: None, origin: None, person: None, host: None },
        opened: Ts(0),
        of: None,
        filter: String::new(),
        revision: Revision::Newest,
        text: None,
        op: OpId::default(),
        server: None,
        range: None,
        headless: false,
        due: None,
    }
}

#[async_trait]
impl Link for Store {
    async fn submit(&self, _: Order) -> Result<Receipt, LinkError> {
        Err(LinkError::Gone(Gone::Other("not here".to_owned())))
    }

    async fn ask(&self, query: Query) -> Result<Answer, LinkError> {
        match query {
            Query::Run(id) => Ok(Answer::Run(Some(Box::new(RunRow {
                head: head(id),
                state: RunState::Working,
                tally: Tally::default(),
                collected: None,
                closed: None,
                flags: Vec::new(),
                consent: None,
                pruned: 0,
                op_unknown: false,
                labels: Vec::new(),
            })))),
            Query::Plans => Ok(Answer::Plans(Vec::new())),
            Query::Bills { page, .. } => {
                let from = page.cursor.map_or(0, |c| c.0.parse::<usize>().unwrap());
                if self.fails_at.is_some_and(|at| from >= at) {
                    return Err(LinkError::Gone(Gone::Other("killed".to_owned())));
                }
                let to = (from + page.limit as usize).min(self.rows);
                let rows: Vec<_> = (from..to).map(|i| (Cursor((i + 1).to_string()), Self::bill(i))).collect();
                Ok(Answer::Bills(Page { rows, more: to < self.rows, ..Page::default() }))
            }
            other => panic!("{other:?}"),
        }
    }

    async fn watch(&self) -> Result<Watch, LinkError> {
        Err(LinkError::Gone(Gone::Other("not here".to_owned())))
    }
}

fn style(lang: Language) -> Style {
    let causes: CauseTable = toml::from_str(skydeck::domain::cause::BUILT_IN).unwrap();
    Style { zone: "Asia/Shanghai".parse().unwrap(), lang, causes: Arc::new(causes), codes: false, now: Ts(NOW) }
}

fn report(form: Form, path: &Path) -> Report {
    let (scope, filter, typed) = (Scope::Ledger, Filter::default(), "@月末".to_owned());
    Report { scope, filter, typed, form, path: path.display().to_string(), force: false, codes: false }
}

async fn made(rows: usize, wanted: &Report, last: Option<Seen>) -> Reported {
    to_file(Arc::new(Store { rows, fails_at: None }), wanted, style(Language::Zh), last).await.unwrap()
}

/// A cell as text, whoever read it; a date with its time.
fn text(cell: &Data) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::DateTime(at) => at.as_datetime().map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// By number: the sheet a bill stands in, and each heading with its cell.
type Bills = BTreeMap<String, (String, BTreeMap<String, String>)>;

/// The bills of all sheets behind the first, by number: each heading with its cell.
fn read(path: &Path) -> (Vec<String>, Bills) {
    let mut book: Xlsx<_> = open_workbook(path).unwrap();
    let sheets = book.sheet_names();
    let mut bills = BTreeMap::new();
    for sheet in sheets.iter().skip(1) {
        let range = book.worksheet_range(sheet).unwrap();
        let rows = range.rows().map(|row| row.iter().map(text).collect()).collect();
        assert!(book.worksheet_formula(sheet).unwrap().is_empty(), "{sheet} calculates something");
        take(sheet, rows, &mut bills);
    }
    (sheets, bills)
}

fn take(sheet: &str, rows: Vec<Vec<String>>, bills: &mut Bills) {
    let mut rows = rows.into_iter();
    let heads = rows.next().unwrap();
    for row in rows {
        let cells: BTreeMap<String, String> = heads.iter().cloned().zip(row).collect();
        let before = bills.insert(cells["单据编号"].clone(), (sheet.to_owned(), cells));
        assert!(before.is_none(), "a bill stands twice");
    }
}

/// What each cell of a bill has to be, by the store.
fn compare(bills: &Bills, rows: usize) {
    let shown = |raw: &str| show(raw, raw.len()).into_string();
    assert_eq!(bills.len(), rows);
    for i in 0..rows {
        let row = Store::bill(i);
        let (sheet, cells) = &bills[&row.no];
        let (want, message) = match row.state.outcome().unwrap() {
            Outcome::Failed(failure) if failure.cause.as_str() == "stock" => ("库存不足", failure.message.clone()),
            Outcome::Failed(failure) => ("a site's own period 2026", failure.message.clone()),
            Outcome::Unknown(unknown) => ("超时", unknown.detail.clone()),
            _ => ("未提交", String::new()),
        };
        assert_eq!(sheet, want);
        assert_eq!(cells["ERP 返回信息"], shown(&message));
        assert_eq!(cells["尝试次数"], "1");
        assert_eq!(cells["时间"], "2025-11-25 00:00:00");
        assert_eq!(cells["集成方案"], format!("方案 {}", i % 2));
        let of_plan = |label: &str| cells.get(label).cloned().unwrap_or_default();
        let got = ["客户", "日期", "客户 (2)"].map(of_plan);
        let want = match i % 2 {
            0 => [format!("{i:020}"), "2026-11-01 08:30:00".to_owned(), shown(HOSTILE)],
            _ => [format!("K{i}"), "2026-11-02 00:00:00".to_owned(), String::new()],
        };
        assert_eq!(got, want, "{i}");
    }
}

#[tokio::test]
async fn a_workbook_has_every_bill_once_under_its_cause_cell_by_cell_as_the_store_has_it() {
    let dir = tempfile::tempdir().unwrap();
    for rows in [0, 1, 700, 1_201] {
        let path = dir.path().join(format!("{rows}.xlsx"));
        let done = made(rows, &report(Form::Xlsx, &path), None).await;
        assert_eq!((done.bills, done.path.as_path()), (rows as u64, path.as_path()));
        let (sheets, bills) = read(&path);
        compare(&bills, rows);
        if rows > 7 {
            // What nobody can say anything about first, then what failed, the most first.
            assert_eq!(sheets, ["汇总", "超时", "库存不足", "a site's own period 2026", "未提交"]);
        }
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4, "and nothing beside them");
}

/// A program of the system that is not there on every machine.
fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).flat_map(|dir| names.iter().map(move |name| dir.join(name)));
    let found = found.into_iter().find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: none of {names:?} is installed here");
    }
    found
}

#[tokio::test]
async fn libreoffice_reads_of_a_workbook_what_the_store_has() {
    let Some(office) = program(&["soffice", "libreoffice"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.xlsx");
    made(300, &report(Form::Xlsx, &path), None).await;
    let mut convert = Command::new(office);
    convert.env("HOME", dir.path()).arg("--headless").arg("--convert-to");
    convert.arg("csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1");
    let out = convert.arg("--outdir").arg(dir.path()).arg(&path).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut bills = BTreeMap::new();
    for sheet in ["超时", "库存不足", "a site's own period 2026", "未提交"] {
        let csv = std::fs::read_to_string(dir.path().join(format!("r-{sheet}.csv"))).unwrap();
        let mut csv = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv.as_bytes());
        let rows = csv.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        take(sheet, rows, &mut bills);
    }
    compare(&bills, 300);
}

#[tokio::test]
async fn a_page_loads_nothing_and_prints_and_a_browser_finds_every_bill_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.html");
    made(300, &report(Form::Html, &path), None).await;
    let page = std::fs::read_to_string(&path).unwrap();
    for has_not in ["<script", "src=", "url(", "@import", "http:", "https:", "\x1b", "\u{202e}"] {
        assert!(!page.contains(has_not), "{has_not}");
    }
    for has in ["default-src 'none'", "&lt;script&gt;", "@media print", "由仓库处理：", "@月末", "共 300 张"]
    {
        assert!(page.contains(has), "{has}");
    }
    let Some(browser) = program(&["chromium-headless-shell", "chromium", "google-chrome"]) else { return };
    let chromium = |args: &[&str]| {
        let mut run = Command::new(&browser);
        run.env("HOME", dir.path()).args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]);
        let out = run.args(args).arg(format!("file://{}", path.display())).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!said.contains("CONSOLE"), "the page complains: {said}");
        String::from_utf8(out.stdout).unwrap()
    };
    let dom = chromium(&["--dump-dom"]);
    for i in 0..300 {
        assert_eq!(dom.matches(&format!("<td>XSCKD{i:06}</td>")).count(), 1, "{i}");
    }
    let pdf = dir.path().join("r.pdf");
    chromium(&["--no-pdf-header-footer", &format!("--print-to-pdf={}", pdf.display())]);
    let pages = std::fs::read(pdf).unwrap();
    assert!(pages.starts_with(b"%PDF") && pages.len() > 20_000);
}

#[tokio::test]
async fn a_text_for_a_chat_stays_short_and_says_what_it_leaves_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.md");
    made(3_000, &report(Form::Markdown, &path), None).await;
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.lines().count() < 130 && !text.contains("<script"), "{text}");
    assert_eq!(text.matches("\n- XSCKD").count(), 80);
    assert!(text.contains("## 失败：库存不足 · 1287") && text.contains("… 另有 1267 张，见 xlsx"), "{text}");
}

#[tokio::test]
async fn the_next_report_says_what_changed_since_the_last_one() {
    let dir = tempfile::tempdir().unwrap();
    let first = made(70, &report(Form::Markdown, &dir.path().join("1.md")), None).await;
    assert_eq!(first.seen.groups["failed/stock"], 30);
    // The last one was made after all but the newest eleven had come, and had a cause that is gone by now.
    let mut last = Seen { at: Ts(NOW - 10_500), ..first.seen };
    last.groups.insert("failed/period".to_owned(), 4);
    let path = dir.path().join("2.md");
    made(70, &report(Form::Markdown, &path), Some(last)).await;
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("新增 11 张，减少 15 张；已清空：期间已关账 4"), "{text}");
    assert!(text.contains("- XSCKD000000 · 新 · ") && !text.contains("- XSCKD000014 · 新"), "{text}");
}

#[tokio::test]
async fn no_file_is_left_where_none_could_be_finished_and_one_that_is_there_stays_without_force() {
    let dir = tempfile::tempdir().unwrap();
    for (name, form) in [("r.xlsx", Form::Xlsx), ("r.html", Form::Html), ("r.md", Form::Markdown)] {
        let path = dir.path().join(name);
        let wanted = report(form, &path);
        let broken = Store { rows: 2_000, fails_at: Some(1_000) };
        let failed = to_file(Arc::new(broken), &wanted, style(Language::En), None).await;
        assert!(matches!(failed, Err(ExportError::Link(_))), "{failed:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        std::fs::write(&path, "mine").unwrap();
        let taken = to_file(Arc::new(Store { rows: 3, fails_at: None }), &wanted, style(Language::En), None).await;
        assert!(matches!(taken, Err(ExportError::Exists(_))), "{taken:?}");
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        let forced = Report { force: true, ..wanted.clone() };
        let broken = Store { rows: 2_000, fails_at: Some(1_000) };
        assert!(to_file(Arc::new(broken), &forced, style(Language::En), None).await.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"mine", "replaced by nothing that is not whole");
        made(3, &forced, None).await;
        assert_ne!(std::fs::read(&path).unwrap(), b"mine");
        std::fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn a_place_that_takes_no_file_is_named_with_what_to_do_about_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "mine").unwrap();
    let at = |name: &str| dir.path().join(name);
    for (path, en, zh) in [
        (at("."), "is a directory: add the name of a file", "是目录。请加上文件名"),
        (at("none/r.xlsx"), "none: make it first, or choose another", "none。请先建立，或换一个目录"),
        (at("file/r.xlsx"), "file: make it first, or choose another", "file。请先建立，或换一个目录"),
        (PathBuf::from("/sys/r.xlsx"), "; choose a directory in which you may write", "；请选择有写入权限的目录"),
    ] {
        for force in [false, true] {
            let wanted = Report { force, ..report(Form::Xlsx, &path) };
            let store = Arc::new(Store { rows: 3, fails_at: None });
            let error = to_file(store, &wanted, style(Language::En), None).await.unwrap_err();
            assert!(error.to_string().contains(en) && error.said(Language::Zh).contains(zh), "{path:?}: {error:?}");
        }
    }
    let full = |code| ExportError::File { path: "r.xlsx".into(), error: std::io::Error::from_raw_os_error(code) };
    assert!(full(28).to_string().ends_with("free some space, or choose another disk"), "{}", full(28));
    assert!(full(28).said(Language::Zh).ends_with("没有留下半个文件：请释放空间，或换一个磁盘"));
    assert!(full(5).said(Language::Zh).ends_with('）'), "nothing is advised where nothing is known");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
