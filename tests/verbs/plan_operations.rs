//! Plans that submit, close, forbid and enable, run by the real binary against the simulator, whose counts are the judge.
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use skydeck::sim::faults::{FaultPlan, Kind, Rule, When};
use skydeck::sim::{self, AuthMode, SimArgs, SimHandle};

const BIN: &str = env!("CARGO_BIN_EXE_skydeck");
const FORM: &str = "SAL_OUTSTOCK";

/// A simulator in this process, and a place for the binary.
struct Place {
    dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    sim: Option<SimHandle>,
}

/// A bill as the server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bill {
    id: u32,
    number: String,
    status: String,
    closed: bool,
    forbidden: bool,
}

impl Place {
    fn new(bills: usize, allowed: &[&str]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let args = SimArgs {
            kind: skydeck::sim::SimKind::Kingdee,
            port: 0,
            bills,
            seed: 3,
            faults: "none".to_owned(),
            settings: None,
            auth: AuthMode::Any,
            delay: 0,
            bind: std::net::Ipv4Addr::LOCALHOST.into(),
            record: None,
            hostile: false,
            gateway: false,
        };
        let sim = runtime.block_on(sim::start(args.config().unwrap())).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let known = sim::demo_credentials();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, &known.app_secret).unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::create_dir(dir.path().join("plans")).unwrap();
        let config = format!(
            "[environment.test]\nurl = \"{}\"\naccount_set = \"{}\"\nuser = \"{}\"\nsign_in = \"signed\"\napp_id = \"{}\"\n\
             secret = {{ file = \"secret\" }}\nserver_zone = \"Asia/Shanghai\"\nallow_operations = {allowed:?}\n\
             [environment.test.limits]\nper_minute = 60000\nsettle = \"1s\"\ncanary = 0\nbreaker_unknown = 1000\n\
             breaker_failed_percent = 100\n",
            sim.url(),
            known.account,
            known.user,
            known.app_id
        );
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        Self { dir, runtime, sim: Some(sim) }
    }

    fn sim(&self) -> &SimHandle {
        self.sim.as_ref().unwrap()
    }

    fn plan(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(format!("plans/{name}.json")), text).unwrap();
    }

    fn verb(&self, lang: &str, args: &[&str]) -> Output {
        Command::new(BIN)
            .args(["--lang", lang, "--config", "config.toml", "--data", "data"])
            .args(args)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What a verb says on both channels, when it ends with this code.
    fn says(&self, lang: &str, args: &[&str], code: i32) -> String {
        let out = self.verb(lang, args);
        let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert_eq!(out.status.code(), Some(code), "{args:?}: {text}");
        text
    }

    /// The JSON lines of a verb that ends with this code.
    fn json(&self, args: &[&str], code: i32) -> Vec<Value> {
        let out = self.verb("en", &[args, &["--json"]].concat());
        let text = String::from_utf8(out.stdout).unwrap();
        assert_eq!(out.status.code(), Some(code), "{args:?}: {text}{}", String::from_utf8_lossy(&out.stderr));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs a plan; its sum, and what it said last of each bill.
    fn run(&self, plan: &str, code: i32) -> (Value, BTreeMap<String, Value>) {
        let lines = self.json(&["run", plan, "--yes"], code);
        let run = lines.iter().rev().find(|l| l["type"] == "run").unwrap_or_else(|| panic!("{lines:?}")).clone();
        assert_eq!(run["sum_closes"], true, "{run}");
        let bills = lines.into_iter().filter(|l| l["type"] == "bill");
        (run, bills.map(|b| (b["fid"].as_str().unwrap().to_owned(), b)).collect())
    }

    /// Bills of a form as the server has them.
    fn bills(&self, form: &str) -> Vec<Bill> {
        let address = self.sim().url();
        let address = address.trim_start_matches("http://").split('/').next().unwrap().to_owned();
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "GET /admin/bills?form={form}&limit=100000 HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (from, to) = (text.find('{').unwrap(), text.rfind('}').unwrap());
        let page: Value = serde_json::from_str(&text[from..=to]).unwrap();
        let text = |b: &Value, key: &str| b[key].as_str().unwrap_or_default().to_owned();
        let bill = |b: &Value| Bill {
            id: u32::try_from(b["id"].as_u64().unwrap()).unwrap(),
            number: text(b, "number"),
            status: text(b, "status"),
            closed: b["close_status"] == "B",
            forbidden: b["forbid_status"] == "B",
        };
        page["bills"].as_array().unwrap_or_else(|| panic!("{page}")).iter().map(bill).collect()
    }

    fn with_status(&self, form: &str, statuses: &str) -> Vec<Bill> {
        self.bills(form).into_iter().filter(|bill| statuses.contains(&bill.status)).collect()
    }

    /// Calls that named a bill, whatever came of them.
    fn calls(&self, form: &str, id: u32, operation: &str) -> u32 {
        self.sim().with_world(|world| world.counts(form, id, operation).calls)
    }

    /// The answer to the first call of each bill is lost, after the call was executed.
    fn lose_first_answers(&self, operation: &str) {
        self.lose_first(operation, When::After);
    }

    fn lose_first(&self, operation: &str, when: When) {
        let rule = Rule::new(Kind::Reset, when).on(&[operation]).first(1);
        self.sim().with_world(|world| world.add_faults(FaultPlan { rules: vec![rule] }));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(sim) = self.sim.take() {
            self.runtime.block_on(sim.shutdown());
        }
    }
}

/// A plan without a mark, as the vendor's pages print them: `call` is Submit or the name of an operation.
fn plan(call: &str, filter: &str, skydeck: &Value) -> String {
    let entry = |field: &str, value: &str| json!({"field": field, "label": field, "type": "string", "value": value});
    let mut request = vec![entry("FormId", FORM), entry("Ids", "{{FID}}")];
    let api = if call == "Submit" { "Submit" } else { "excuteOperation" };
    if call != "Submit" {
        request.push(entry("Operation", call));
    }
    json!({
        "source": {
            "api": "executeBillQuery", "name": "出库单", "effect": "QUERY", "method": "POST", "id": "FID", "number": "FBillNo",
            "request": [entry("FID", "FID"), entry("FBillNo", "FBillNo"), entry("FApproveDate", "FApproveDate")],
            "otherRequest": [
                entry("FormId", FORM), entry("FilterString", filter), entry("Limit", "{{PAGINATION_PAGE_SIZE}}"),
                entry("StartRow", "{{PAGINATION_START_ROW}}"), entry("FieldKeys", ""),
            ],
        },
        "target": {"api": api, "name": call, "effect": "EXECUTE", "method": "POST", "request": request},
        "skydeck": skydeck,
    })
    .to_string()
}

fn closes(filter: &str) -> String {
    plan("BillClose", filter, &json!({"done": [["FCloseStatus", "in", "B"]], "mine": "FCloserId.FName"}))
}

fn sums(run: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| run[*name].as_u64().unwrap_or_else(|| panic!("{name}: {run}"))).collect()
}

#[test]
fn a_plan_that_submits_alone_submits_each_bill_once() {
    for lost in [false, true] {
        let place = Place::new(60, &[]);
        if lost {
            place.lose_first_answers("Submit");
        }
        place.plan("submit", &plan("Submit", "FDOCUMENTSTATUS in ('A','B')", &json!({})));
        let (created, submitted) = (place.with_status(FORM, "A"), place.with_status(FORM, "B"));
        assert!(created.len() >= 3 && submitted.len() >= 10, "{} {}", created.len(), submitted.len());
        let (run, bills) = place.run("submit", 0);
        let (n, all) = (created.len() as u64, (created.len() + submitted.len()) as u64);
        let want = [all, n, all - n, 0, 0, 0];
        assert_eq!(sums(&run, &["found", "done", "already", "skipped", "failed", "unknown"]), want, "{run}");
        assert_eq!(run["operation"], "Submit");
        for bill in &created {
            assert_eq!(place.calls(FORM, bill.id, "Submit"), 1, "{bill:?}");
            assert_eq!(bills[&bill.id.to_string()]["verified"], lost, "{bill:?}");
        }
        assert!(submitted.iter().all(|bill| place.calls(FORM, bill.id, "Submit") == 0), "submitted already: no call");
        assert!(created.iter().all(|bill| place.calls(FORM, bill.id, "Audit") == 0), "nothing is audited");
        assert!(place.with_status(FORM, "A").is_empty() && place.with_status(FORM, "B").len() as u64 == all);
    }
}

#[test]
fn a_close_that_does_not_say_how_it_is_seen_is_refused_everywhere_and_nothing_is_sent() {
    let place = Place::new(60, &["BillClose"]);
    let add = r#""skydeck": {"done": [["FCloseStatus", "in", "B"]]}"#;
    for (name, filter) in [("submitted", "FDOCUMENTSTATUS='B'"), ("audited", "FDOCUMENTSTATUS='C'")] {
        place.plan(name, &plan("BillClose", filter, &json!({})));
        for args in [vec!["plan", "lint", name], vec!["plan", "preview", name], vec!["run", name, "--yes"]] {
            let en = place.says("en", &args, 2);
            assert!(en.contains(add) && en.contains("nothing says how a bill shows that it is done"), "{args:?}: {en}");
            let zh = place.says("zh", &args, 2);
            assert!(zh.contains(add) && zh.contains("没有说明怎样看出单据已完成"), "{args:?}: {zh}");
        }
    }
    let list = place.says("zh", &["plan", "list"], 2);
    assert_eq!(list.matches("没有说明怎样看出单据已完成").count(), 2, "{list}");
    for line in place.json(&["plan", "list"], 2) {
        assert_eq!((&line["runnable"], &line["reason"]), (&json!(false), &json!("no_effect")), "{line}");
        assert_eq!(line["reason_args"]["operation"], "BillClose");
    }
    let stats = place.sim().stats();
    assert!(stats.calls.is_empty(), "nothing was sent: {:?}", stats.calls);
    assert!(!place.dir.path().join("data").exists(), "nothing was opened");
}

#[test]
fn a_close_is_done_when_its_field_says_so_and_called_once_even_when_its_answer_is_lost() {
    for (status, filter) in [("B", "FDOCUMENTSTATUS='B'"), ("C", "FDOCUMENTSTATUS='C'")] {
        for lost in [false, true] {
            let place = Place::new(60, &["BillClose"]);
            if lost {
                place.lose_first_answers("BillClose");
            }
            place.plan("close", &closes(filter));
            let open = place.with_status(FORM, status);
            assert!(open.len() >= 5 && open.iter().all(|bill| !bill.closed));
            let n = open.len() as u64;
            let (run, bills) = place.run("close", 0);
            let want = [n, n, 0, 0, 0, 0];
            assert_eq!(sums(&run, &["found", "done", "already", "skipped", "failed", "unknown"]), want, "{run}");
            for bill in place.with_status(FORM, status) {
                assert!(bill.closed, "{bill:?}");
                assert_eq!(place.calls(FORM, bill.id, "BillClose"), 1, "{bill:?} {lost}");
                let told = &bills[&bill.id.to_string()];
                assert_eq!(told["verified"], lost, "{told}");
                // The status stays what it was: the bill's life says which field proved it, and that it was read after the call.
                let life = place.says("zh", &["bill", &bill.number], 0);
                assert!(life.contains(&format!("{} FCloseStatus=B", bill.status)), "{life}");
                let stands = &place.json(&["bill", &bill.number], 0)[0];
                assert_eq!(
                    (&stands["status_after"], &stands["status_after_by"]),
                    (&json!(bill.status), &json!("read")),
                    "{stands}"
                );
            }
            // Found again by the filter, they are done already, and nothing is called.
            let (again, _) = place.run("close", 0);
            assert_eq!(sums(&again, &["found", "done", "already"]), [n, 0, n], "{again}");
            assert!(open.iter().all(|bill| place.calls(FORM, bill.id, "BillClose") == 1));
        }
    }
}

#[test]
fn a_close_that_never_arrived_is_seen_not_to_be_done_and_called_once_more() {
    let place = Place::new(60, &["BillClose"]);
    place.lose_first("BillClose", When::Before);
    place.plan("close", &closes("FDOCUMENTSTATUS='C'"));
    let open = place.with_status(FORM, "C");
    let n = open.len() as u64;
    let (run, _) = place.run("close", 0);
    assert_eq!(sums(&run, &["found", "done", "failed", "unknown"]), [n, n, 0, 0], "{run}");
    for bill in place.with_status(FORM, "C") {
        let counts = place.sim().with_world(|world| world.counts(FORM, bill.id, "BillClose"));
        assert!(bill.closed);
        assert_eq!((counts.calls, counts.changed, counts.refused), (2, 1, 0), "{bill:?}");
    }
}

#[test]
fn a_close_that_the_server_refuses_is_failed_with_its_words_and_never_called_already_done() {
    let place = Place::new(60, &["BillClose"]);
    place.plan("close", &closes("FDOCUMENTSTATUS in ('Z','A','D')"));
    let open = place.with_status(FORM, "ZAD");
    assert!(open.len() >= 3);
    let n = open.len() as u64;
    let (run, bills) = place.run("close", 1);
    assert_eq!(sums(&run, &["found", "done", "already", "failed"]), [n, 0, 0, n], "{run}");
    for bill in &open {
        let told = &bills[&bill.id.to_string()];
        assert_eq!(told["outcome"], "failed", "{told}");
        // The words hold 已审核, which for an audit would mean "done already".
        assert!(told["message"].as_str().unwrap().contains("只有审核中和已审核的数据才允许关闭"), "{told}");
        assert_eq!(place.calls(FORM, bill.id, "BillClose"), 1, "{bill:?}");
    }
    assert!(place.bills(FORM).iter().all(|bill| !bill.closed));
}

#[test]
fn an_operation_that_the_environment_does_not_allow_is_previewed_and_not_called() {
    let place = Place::new(60, &[]);
    place.plan("close", &closes("FDOCUMENTSTATUS='B'"));
    let preview = place.json(&["plan", "preview", "close"], 2);
    let n = place.with_status(FORM, "B").len();
    assert_eq!((&preview[0]["callable"], &preview[0]["operation"]), (&json!(n), &json!("BillClose")), "{preview:?}");
    assert_eq!(preview[0]["done"], json!([["FCloseStatus", "in", "B"]]));
    assert_eq!(preview[0]["mine"], "FCloserId.FName");
    assert_eq!(
        (&preview[0]["runnable"], &preview[0]["reason"]),
        (&json!(false), &json!("operation_not_allowed")),
        "{preview:?}"
    );
    for verb in ["list", "check"] {
        let told = place.json(&["plan", verb], 2);
        let (runnable, reason) = (&told[0]["runnable"], &told[0]["reason"]);
        assert_eq!((runnable, reason), (&json!(false), &json!("operation_not_allowed")), "{told:?}");
        let told = place.says("zh", &["plan", verb], 2);
        assert!(told.contains("不能运行") && told.contains("allow_operations"), "{told}");
    }
    assert!(place.says("zh", &["plan", "preview", "close"], 2).contains("不会开始运行：操作 `BillClose`"));
    let listed = place.says("en", &["plan", "list"], 2);
    assert!(listed.contains("OPERATION") && listed.contains("BillClose (FCloseStatus"), "{listed}");
    // The file itself is good: lint says what the environment lacks.
    let lint = place.says("zh", &["plan", "lint", "close"], 0);
    assert!(lint.contains("allow_operations") && lint.contains("提示") && !lint.contains("info"), "{lint}");
    // Refused before anything is read: no run is left open that nobody could approve.
    assert!(place.says("en", &["run", "close", "--yes"], 2).contains("allow_operations"));
    assert_eq!(place.json(&["history"], 0), [Value::Null; 0]);
    assert!(place.sim().with_world(|world| world.record().is_empty()), "nothing was changed or refused");
    // Allowed, the same plan runs; what it left over is not retried once that is taken back.
    let config = place.dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("allow_operations = []", "allow_operations = [\"Forbid\", \"BillClose\"]"))
        .unwrap();
    assert_eq!(place.json(&["plan", "check"], 0)[0]["runnable"], true);
    let (run, _) = place.run("close", 0);
    assert_eq!(run["done"], n, "{run}");
}

#[test]
fn an_environment_that_is_not_there_is_named_with_its_line_before_anything_runs() {
    let place = Place::new(20, &[]);
    for (key, other) in [("env", ""), ("target_env", ", \"env\": \"test\"")] {
        let text = closes("FDOCUMENTSTATUS='B'").replacen(
            "\"skydeck\":{",
            &format!("\"skydeck\":{{\"{key}\": \"tset\"{other},\n"),
            1,
        );
        let line = text.lines().position(|line| line.contains("tset")).unwrap() + 1;
        place.plan("close", &text);
        let told = place.json(&["plan", "lint", "close"], 2);
        let named =
            told.iter().find(|hazard| hazard["reason"] == "no_environment").unwrap_or_else(|| panic!("{told:?}"));
        assert_eq!((&named["line"], &named["severity"]), (&json!(line), &json!("refuses")), "{named}");
        assert!(place.says("en", &["plan", "lint", "close"], 2).contains(&format!("close.json:{line}: refuses env:")));
        let told = place.json(&["plan", "check"], 2);
        assert_eq!((&told[0]["runnable"], &told[0]["reason_args"]["env"]), (&json!(false), &json!("tset")), "{told:?}");
        assert!(place.says("zh", &["plan", "list"], 2).contains("没有环境 `tset`"));
        // Nothing made a directory, so that there is no history of a run to look at.
        assert!(place.says("zh", &["history"], 2).contains("没有这个数据目录"), "{key}");
    }
}

/// Writes a plan as `plan new` prints it.
fn fresh(place: &Place, name: &str, args: &[&str]) {
    let out = place.verb("en", &[&["plan", "new"], args].concat());
    assert_eq!(out.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    place.plan(name, &String::from_utf8(out.stdout).unwrap());
}

#[test]
fn new_plans_lint_clean_and_find_what_they_can_call() {
    let place = Place::new(300, &["BillClose", "Forbid", "Enable"]);
    let count = |form: &str, statuses: &str| place.with_status(form, statuses).len();
    for (name, args, form, callable) in [
        ("audit", vec![FORM], FORM, count(FORM, "B")),
        ("both", vec![FORM, "--submit"], FORM, count(FORM, "AB")),
        ("submit", vec![FORM, "--operation", "Submit"], FORM, count(FORM, "ZAD")),
        ("close", vec!["SAL_SaleOrder", "--operation", "BillClose"], "SAL_SaleOrder", count("SAL_SaleOrder", "C")),
        (
            "forbid",
            vec!["PUR_PriceCategory", "--operation", "Forbid"],
            "PUR_PriceCategory",
            count("PUR_PriceCategory", "C"),
        ),
        ("material", vec!["BD_MATERIAL", "--operation", "Forbid"], "BD_MATERIAL", count("BD_MATERIAL", "C")),
        (
            "own",
            vec!["SAL_SaleOrder", "--operation", "Confirm", "--done", "FCloseStatus=B"],
            "SAL_SaleOrder",
            count("SAL_SaleOrder", "C"),
        ),
    ] {
        assert!(callable > 0, "{name}: {form}");
        fresh(&place, name, &args);
        place.says("en", &["plan", "lint", name], 0);
        // What the environment has yet to allow is previewed all the same.
        let preview = &place.json(&["plan", "preview", name], if name == "own" { 2 } else { 0 })[0];
        assert_eq!(
            (&preview["found"], &preview["callable"]),
            (&json!(callable), &json!(callable)),
            "{name}: {preview}"
        );
    }
    for (args, words) in [
        (vec!["X_Bill", "--operation", "Confirm"], "--done FIELD=VALUE"),
        (vec!["X_Bill", "--operation", "UnAudit"], "takes back"),
        (vec!["X_Bill", "--operation", "Cancel"], "takes back"),
        (vec!["X_Bill", "--operation", "Submit", "--submit"], "--submit"),
        (vec!["X_Bill", "--done", "FX=1"], "--done"),
        (vec!["X_Bill", "--operation", "Confirm", "--done", "FX"], "empty value"),
        (vec!["X_Bill", "--operation", "Confirm", "--done", "F X=1"], "not a field path"),
        (vec!["X Bill"], "no form id"),
    ] {
        let said = place.verb("en", &[&["plan", "new"], args.as_slice()].concat());
        let error = String::from_utf8_lossy(&said.stderr);
        assert_eq!((said.status.code(), said.stdout.is_empty()), (Some(2), true), "{args:?}: {error}");
        assert!(error.contains(words), "{args:?}: {error}");
    }
}

#[test]
fn what_is_forbidden_is_enabled_again_each_called_once() {
    for (form, bills) in [("PUR_PriceCategory", 300), ("BD_MATERIAL", 60)] {
        let place = Place::new(bills, &["Forbid", "Enable"]);
        fresh(&place, "forbid", &[form, "--operation", "Forbid"]);
        fresh(&place, "enable", &[form, "--operation", "Enable"]);
        let rows = place.with_status(form, "C");
        let n = rows.len() as u64;
        let (run, _) = place.run("forbid", 0);
        assert_eq!(sums(&run, &["found", "done"]), [n, n], "{form}: {run}");
        assert!(place.with_status(form, "C").iter().all(|row| row.forbidden));
        place.lose_first_answers("Enable");
        let (run, told) = place.run("enable", 0);
        assert_eq!(sums(&run, &["found", "done"]), [n, n], "{form}: {run}");
        for row in place.with_status(form, "C") {
            assert!(!row.forbidden, "{row:?}");
            let calls = [place.calls(form, row.id, "Forbid"), place.calls(form, row.id, "Enable")];
            assert_eq!(calls, [1, 1], "{row:?}");
            assert_eq!(told[&row.id.to_string()]["verified"], true, "proven by its field");
        }
    }
}

#[test]
fn what_a_plan_calls_is_named_and_how_much_of_a_set_is_submitted_first() {
    let place = Place::new(60, &[]);
    let text = place.says("en", &["plan", "new", FORM, "--submit"], 0);
    assert!(text.contains("提交并审核单据"), "{text}");
    place.plan("both", &text);
    place.plan("audit", &place.says("en", &["plan", "new", FORM], 0));
    let listed = place.json(&["plan", "list"], 0);
    let told: Vec<_> = listed.iter().map(|plan| (&plan["plan"], &plan["operation"], &plan["submit"])).collect();
    assert_eq!(
        told,
        [(&json!("audit"), &json!("Audit"), &json!(false)), (&json!("both"), &json!("Audit"), &json!(true))]
    );
    assert!(place.says("en", &["plan", "list"], 0).contains("Submit, Audit"));
    let first = place.with_status(FORM, "A").len();
    assert!(first > 0);
    let preview = place.json(&["plan", "preview", "both"], 0);
    let told = (&preview[0]["operation"], &preview[0]["submitted_first"], &preview[0]["by_status"]["A"]);
    assert_eq!(told, (&json!("Audit"), &json!(first), &json!(first)));
    assert_eq!(place.json(&["plan", "preview", "audit"], 0)[0]["submitted_first"], Value::Null);
    for (lang, words) in
        [("en", format!("{first} of them are submitted first")), ("zh", format!("其中 {first} 张先提交"))]
    {
        assert!(place.says(lang, &["plan", "preview", "both"], 0).contains(&words), "{lang}");
        // Before it is approved, too.
        assert!(place.says(lang, &["run", "both"], 4).contains(&words), "{lang}");
    }
}
