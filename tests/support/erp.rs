//! A small ERP on loopback that does what a test tells it to: it knows bills, queries by id, audits, and any misdeed.
//! Plain threads and blocking sockets, so that it stands beside a real process and needs no runtime.

#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// What a request is answered with in place of the good answer.
#[derive(Clone, Debug)]
pub enum Said {
    /// As a healthy server would.
    Good,
    /// This status and body.
    Http(u16, String),
    /// The good answer, after a while.
    Slow(Duration),
    /// Nobody listens from now on.
    Gone,
}

/// Chooses the answer: service, what it is about, how many of that service came before.
pub type Script = Box<dyn Fn(&str, &Value, usize) -> Said + Send + Sync>;

#[derive(Clone, Debug)]
pub struct Bill {
    pub id: u64,
    pub no: String,
    pub status: &'static str,
    /// Changes by people so far.
    pub changes: u32,
}

struct World {
    bills: Vec<Bill>,
    /// Requests so far: service and data.
    seen: Vec<(String, Value)>,
}

struct Inner {
    world: Mutex<World>,
    script: Mutex<Script>,
    gone: AtomicBool,
    /// Seconds its `Date` is ahead of the machine's clock; `i64::MIN`: it sends none.
    ahead: AtomicI64,
}

/// A running ERP.
pub struct Erp {
    pub addr: SocketAddr,
    inner: Arc<Inner>,
}

impl Erp {
    /// With so many bills that wait for their audit.
    pub fn start(bills: u64, script: impl Fn(&str, &Value, usize) -> Said + Send + Sync + 'static) -> Self {
        let bill = |n: u64| Bill { id: 100_000 + n, no: format!("XSCKD{n:06}"), status: "B", changes: 0 };
        let world = World { bills: (0..bills).map(bill).collect(), seen: Vec::new() };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let inner = Arc::new(Inner {
            world: Mutex::new(world),
            script: Mutex::new(Box::new(script)),
            gone: AtomicBool::new(false),
            ahead: AtomicI64::new(i64::MIN),
        });
        let shared = Arc::clone(&inner);
        std::thread::spawn(move || {
            while !shared.gone.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let inner = Arc::clone(&shared);
                        std::thread::spawn(move || inner.serve(stream));
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self { addr, inner }
    }

    pub fn url(&self) -> String {
        format!("http://{}/k3cloud/", self.addr)
    }

    /// From now on it answers so.
    pub fn answer_with(&self, script: impl Fn(&str, &Value, usize) -> Said + Send + Sync + 'static) {
        *self.inner.script.lock().unwrap() = Box::new(script);
    }

    /// From now on its answers are dated so many seconds ahead of the machine's clock.
    pub fn dated(&self, ahead: i64) {
        self.inner.ahead.store(ahead, Ordering::SeqCst);
    }

    /// The filters of the queries so far that do not ask for bills by id.
    pub fn filters(&self) -> Vec<String> {
        let world = self.inner.world.lock().unwrap();
        let queries = world.seen.iter().filter(|(service, _)| service == "ExecuteBillQuery");
        let filters = queries.filter_map(|(_, data)| data["FilterString"].as_str().map(str::to_owned));
        filters.filter(|filter| filter.contains("FModifyDate")).collect()
    }

    /// A further bill that waits for its audit.
    pub fn add(&self, n: u64) {
        let bill = Bill { id: 100_000 + n, no: format!("XSCKD{n:06}"), status: "B", changes: 0 };
        self.inner.world.lock().unwrap().bills.push(bill);
    }

    /// Somebody changes a bill, which stays in its status.
    pub fn change(&self, n: u64) {
        let mut world = self.inner.world.lock().unwrap();
        world.bills.iter_mut().filter(|bill| bill.id == 100_000 + n).for_each(|bill| bill.changes += 1);
    }

    /// Requests of a service so far.
    pub fn count(&self, service: &str) -> usize {
        self.inner.world.lock().unwrap().seen.iter().filter(|(s, _)| s == service).count()
    }

    /// Bills that are audited.
    pub fn audited(&self) -> usize {
        self.inner.world.lock().unwrap().bills.iter().filter(|bill| bill.status == "C").count()
    }
}

impl Drop for Erp {
    fn drop(&mut self) {
        self.inner.gone.store(true, Ordering::SeqCst);
    }
}

impl Inner {
    fn date(&self) -> String {
        let ahead = self.ahead.load(Ordering::SeqCst);
        if ahead == i64::MIN {
            return String::new();
        }
        let at = chrono::Utc::now() + chrono::Duration::seconds(ahead);
        format!("Date: {}\r\n", at.format("%a, %d %b %Y %H:%M:%S GMT"))
    }

    fn serve(&self, stream: TcpStream) {
        stream.set_nonblocking(false).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        while let Some((service, data)) = request(&mut reader) {
            let nth = {
                let mut world = self.world.lock().unwrap();
                let nth = world.seen.iter().filter(|(s, _)| *s == service).count();
                world.seen.push((service.clone(), data.clone()));
                nth
            };
            let said = (self.script.lock().unwrap())(&service, &data, nth);
            let (status, body) = match said {
                Said::Good => (200, self.world.lock().unwrap().good(&service, &data)),
                Said::Http(status, body) => (status, body),
                Said::Slow(wait) => {
                    std::thread::sleep(wait);
                    (200, self.world.lock().unwrap().good(&service, &data))
                }
                Said::Gone => {
                    self.gone.store(true, Ordering::SeqCst);
                    return;
                }
            };
            if self.gone.load(Ordering::SeqCst) {
                return;
            }
            let head = format!(
                "HTTP/1.1 {status} Said\r\nContent-Type: text/html; charset=utf-8\r\n{}Content-Length: {}\r\n\r\n",
                self.date(),
                body.len()
            );
            if writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(body.as_bytes())).is_err() {
                return;
            }
        }
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let path = line.split_whitespace().nth(1)?.trim_end_matches(".common.kdsvc").to_owned();
    let service = path.rsplit('.').next()?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    let data = match &value["data"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        data => data.clone(),
    };
    Some((service, data))
}

impl World {
    fn good(&mut self, service: &str, data: &Value) -> String {
        match service {
            "ValidateUser" | "LoginByAppSecret" | "LoginBySign" => json!({
                "Message": null, "MessageCode": null, "LoginResultType": 1,
                "Context": {"DBid": "60aa0000000000", "UserName": "demo", "DataCenterName": "Demo"},
                "KDSVCSessionId": "0f1e2d3c-4b5a", "IsSuccessByAPI": true,
            })
            .to_string(),
            "ExecuteBillQuery" => self.query(data),
            _ => self.audit(data),
        }
    }

    fn query(&self, data: &Value) -> String {
        let filter = data["FilterString"].as_str().unwrap_or_default();
        let after = filter.rsplit("FID").find_map(|rest| rest.trim_start().strip_prefix('>').map(number));
        let asked = filter.rsplit("FID").find_map(|rest| {
            let rest = rest.trim_start();
            let list = rest.strip_prefix("in").or_else(|| rest.strip_prefix("IN"))?;
            let list = list.trim_start().strip_prefix('(')?.split(')').next()?;
            Some(list.split(',').map(number).collect::<Vec<u64>>())
        });
        let limit = data["Limit"].as_u64().filter(|n| *n > 0).unwrap_or(2000) as usize;
        let rows = self.bills.iter().filter(|bill| match &asked {
            Some(ids) => ids.contains(&bill.id),
            None => bill.status == "B" && after.is_none_or(|after| bill.id > after),
        });
        let cells = |bill: &Bill| -> Vec<Value> {
            let keys = data["FieldKeys"].as_str().unwrap_or_default().split(',');
            keys.map(|key| match key.trim() {
                "FID" => json!(bill.id),
                "FBillNo" => json!(bill.no),
                "FDocumentStatus" => json!(bill.status),
                "FModifyDate" => json!(format!("2026-01-02T03:04:{:02}", 5 + bill.changes)),
                "FApproverId.FName" if bill.status == "C" => json!("demo"),
                _ => Value::Null,
            })
            .collect()
        };
        json!(rows.take(limit).map(cells).collect::<Vec<_>>()).to_string()
    }

    fn audit(&mut self, data: &Value) -> String {
        let ids: Vec<u64> = data["Ids"].as_str().unwrap_or_default().split(',').map(number).collect();
        let mut done = Vec::new();
        for bill in self.bills.iter_mut().filter(|bill| ids.contains(&bill.id)) {
            bill.status = "C";
            done.push(json!({"Id": bill.id, "Number": bill.no, "DIndex": done.len()}));
        }
        answer(true, &[], &done, 0)
    }
}

/// The envelope of a writing call.
pub fn answer(success: bool, errors: &[&str], done: &[Value], code: i64) -> String {
    let errors: Vec<Value> =
        errors.iter().map(|message| json!({"FieldName": "", "Message": message, "DIndex": 0})).collect();
    json!({"Result": {"ResponseStatus": {
        "IsSuccess": success, "Errors": errors, "SuccessEntitys": done, "SuccessMessages": [], "MsgCode": code,
    }}})
    .to_string()
}

fn number(text: &str) -> u64 {
    let digits: String = text.trim().trim_start_matches('\'').chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_skydeck");

pub const PLAN: &str = r#"{"source":{"api":"executeBillQuery","request":[{"field":"FID","value":"FID"},
{"field":"FBillNo","value":"FBillNo"}],"otherRequest":[{"field":"FormId","value":"SAL_OUTSTOCK"},
{"field":"FilterString","value":"FModifyDate>='{{LAST_SYNC_TIME|datetime}}' and FDocumentStatus='B'"}]},
"target":{"api":"Audit","request":[{"field":"Ids","value":"{{FID}}"}]},"skydeck":{"env":"demo"}}"#;

/// A configuration with one plan, and a data directory, beside an ERP.
pub struct Site {
    pub dir: tempfile::TempDir,
    pub erp: Erp,
}

impl Site {
    /// `env` and `limits`: further lines of the environment's tables.
    pub fn new(erp: Erp, settle: &str, env: &str, limits: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("plans")).unwrap();
        std::fs::write(dir.path().join("plans/p.json"), PLAN).unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "not-a-real-one").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        let config = format!(
            "plans = \"plans\"\n[environment.demo]\nurl = \"{}\"\naccount_set = \"60aa0000000000\"\nuser = \"demo\"\n\
             sign_in = \"signed\"\napp_id = \"demo_app\"\nsecret = {{ file = \"secret\" }}\n{env}\n\
             [environment.demo.limits]\nper_minute = 6000\ncall_timeout = \"10s\"\nsettle = \"{settle}\"\n{limits}\n",
            erp.url()
        );
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        Self { dir, erp }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The data directory, in which nothing was ever done.
    pub fn empty_data(&self) {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().mode(0o700).create(self.data()).unwrap();
    }

    /// The program with arguments, its input closed and its output heard.
    pub fn command(&self, lang: &str, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(self.dir.path().join("config.toml")).arg("--data").arg(self.data());
        command.args(["--lang", lang]).args(args).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}
