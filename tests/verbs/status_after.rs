//! The status a bill has in the ERP after what was done: in lists, exports and JSON, each with what it is known by and whose
//! clock, through the real program. The status before is labelled so.
use std::sync::atomic::{AtomicBool, Ordering};

use crate::erp::{Erp, Said, Site, answer};
use serde_json::Value;

struct Place(Site);

impl Place {
    fn new(erp: Erp) -> Self {
        Self(Site::new(erp, "1s", "", "breaker_unknown = 1000\nbreaker_failed_percent = 100"))
    }

    /// What a verb writes to standard output.
    fn verb(&self, lang: &str, args: &[&str]) -> String {
        let out = self.0.command(lang, &[&["--standalone"], args].concat()).output().unwrap();
        assert!(out.status.code().is_some(), "{args:?}");
        String::from_utf8(out.stdout).unwrap()
    }

    /// What an export holds.
    fn export(&self, lang: &str, run: &str, name: &str) -> String {
        let file = self.0.dir.path().join(name);
        self.verb(lang, &["export", "--run", run, file.to_str().unwrap()]);
        std::fs::read_to_string(file).unwrap()
    }

    fn lines(&self, args: &[&str]) -> Vec<Value> {
        self.verb("en", args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn asks(data: &Value, id: &str) -> bool {
    data.to_string().contains(id)
}

/// Six bills: the fourth is refused, the last gets no usable answer and cannot be read back, the others are audited.
fn mixed() -> Place {
    let lost = AtomicBool::new(false);
    let erp = Erp::start(6, move |service, data, _| match service {
        "Audit" if asks(data, "100003") => Said::Http(200, answer(false, &["客户信用额度不足"], &[], 0)),
        "Audit" if asks(data, "100005") => {
            lost.store(true, Ordering::SeqCst);
            Said::Http(502, "<html>bad gateway</html>".to_owned())
        }
        "ExecuteBillQuery" if lost.load(Ordering::SeqCst) && asks(data, "100005") => {
            Said::Http(500, "<html>no</html>".to_owned())
        }
        _ => Said::Good,
    });
    Place::new(erp)
}

/// Of every bill by number: outcome, status after, what it is known by, and the status before.
fn told(lines: &[Value], keys: [&str; 4]) -> Vec<(String, [String; 4])> {
    let text = |value: &Value| value.as_str().unwrap_or("null").to_owned();
    let mut rows: Vec<_> = lines.iter().map(|line| (text(&line["no"]), keys.map(|key| text(&line[key])))).collect();
    rows.sort();
    rows
}

#[test]
fn lists_exports_and_json_tell_the_status_after_and_label_the_one_before() {
    let place = mixed();
    place.verb("en", &["--json", "run", "p", "--yes"]);
    assert_eq!(place.0.erp.audited(), 4);
    let run = place.lines(&["--json", "history"])[0]["run"].as_str().unwrap().to_owned();

    let audited = ["audited", "C", "answer", "B"];
    // What was refused in words was read before it was told.
    let refused = ["failed", "B", "read", "B"];
    let lost = ["unknown", "null", "unknown_since", "B"];
    let want: Vec<(String, [String; 4])> = [audited, audited, audited, refused, audited, lost]
        .iter()
        .enumerate()
        .map(|(n, cells)| (format!("XSCKD{n:06}"), cells.map(str::to_owned)))
        .collect();

    let bills = place.lines(&["--json", "history", &run]);
    let bills: Vec<Value> = bills.into_iter().filter(|line| line["type"] == "bill").collect();
    assert_eq!(told(&bills, ["outcome", "status_after", "status_after_by", "status_when_read"]), want);
    assert!(bills.iter().all(|bill| bill["status_after_at_ms"].is_i64() == (bill["status_after_by"] != "before_call")));

    let export: Vec<Value> =
        place.export("en", &run, "bills.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told(&export, ["outcome", "erp_status", "erp_status_by", "erp_status_before"]), want);

    // A person reads the same: the audited rows hold no B but under a heading that says before.
    let csv = place.export("zh", &run, "bills.csv");
    let mut rows = csv.trim_start_matches('\u{feff}').lines().map(|line| line.split(',').collect::<Vec<_>>());
    let heads = rows.next().unwrap();
    let place_of =
        |name: &str| heads.iter().position(|head| *head == name).unwrap_or_else(|| panic!("{name}: {heads:?}"));
    let (after, before) = (place_of("处理后单据状态"), place_of("处理前单据状态"));
    let clocks = ["状态时间（本机）", "审核时间（ERP）", "处理前修改时间（ERP）"].map(place_of);
    let audited: Vec<_> = rows.filter(|row| row.contains(&"audited")).collect();
    assert_eq!(audited.len(), 4, "{csv}");
    for row in audited {
        assert_eq!((row[after], row[before]), ("已审核 C", "审核中 B"), "{row:?}");
        assert!(row[clocks[0]].contains('+') || row[clocks[0]].contains('-'), "our time has its offset: {row:?}");
    }

    // The life of one bill, in both languages.
    let life = place.verb("zh", &["bill", "XSCKD000001"]);
    assert!(life.contains("处理后单据状态 已审核 C（按响应，"), "{life}");
    let life = place.verb("en", &["bill", "XSCKD000005"]);
    assert!(life.contains("ERP status after not known since "), "{life}");
    assert!(life.contains("before submitted B"), "{life}");

    // A filter by status means the status now; what is not known is in none.
    let now_c = place.lines(&["--json", "history", &run, "--filter", "status:C"]);
    let now_b = place.lines(&["--json", "history", &run, "--filter", "status:B"]);
    let count = |lines: &[Value]| lines.iter().filter(|line| line["type"] == "bill").count();
    assert_eq!((count(&now_c), count(&now_b)), (4, 1));
}

#[test]
fn a_read_back_is_what_is_told_after_a_lost_answer() {
    // Every call for this bill is lost and none takes effect; each time the bill is read back.
    let erp = Erp::start(2, |service, data, _| match service {
        "Audit" if asks(data, "100001") => Said::Http(502, "<html>bad gateway</html>".to_owned()),
        _ => Said::Good,
    });
    let place = Place::new(erp);
    place.verb("en", &["--json", "run", "p", "--yes"]);
    let ledger = place.lines(&["--json", "ledger"]);
    let bills: Vec<Value> = ledger.into_iter().filter(|line| line["type"] == "bill").collect();
    let want = ["failed", "B", "read", "B"].map(str::to_owned);
    assert_eq!(
        told(&bills, ["outcome", "status_after", "status_after_by", "status_when_read"]),
        [("XSCKD000001".to_owned(), want)]
    );
    assert!(
        place.verb("zh", &["bill", "XSCKD000001"]).contains("处理后单据状态 审核中 B（"),
        "read back, with its time"
    );
}
