//! A scripted server: bytes in, scripted bytes out. It knows enough of HTTP to find the end of a request, and nothing
//! of the client under test. Every misdeed of the transport in docs/design/faults.md is an [`Answer`].

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does with a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    pub how: How,
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    /// Body; `{ID}` and `{NO}` stand for the first bill. Without one: the good body of the call.
    pub body: Option<String>,
    /// Body as hex, for bytes that are no text.
    pub body_hex: Option<String>,
    /// Body made here.
    pub generate: Option<Generate>,
    pub framing: Framing,
    /// Bytes at the end of the body that are promised and never come.
    pub cut: usize,
    /// Only so many bytes of head and body are sent, then the connection closes.
    pub stop_after: Option<usize>,
    /// The whole answer is sent twice.
    pub twice: bool,
    /// The very bytes to send.
    pub raw: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    #[default]
    Reply,
    /// Nobody listens.
    Refuse,
    /// Reset when the head has come, before the body is read.
    ResetBeforeBody,
    /// Reset when the whole request was read.
    ResetAfterBody,
    /// Close when the whole request was read.
    Close,
    /// Accept and say nothing.
    Silence,
    /// The answer, one byte every 50 ms.
    Drip,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    #[default]
    Length,
    Chunked,
    /// Ends with the connection.
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generate {
    /// 4 MiB of blanks, gzipped.
    GzipBomb,
    /// Blanks without end.
    Endless,
    /// 100 000 opening brackets.
    Deep,
    /// A header of 2 MB.
    LongHeader,
    /// The good body with a byte order mark in front.
    Bom,
    /// The good body, gzipped.
    Gzip,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `Audit`, `ExecuteBillQuery`, `ValidateUser`, …
    pub service: String,
    pub head: String,
    pub body: Vec<u8>,
    /// Which connection it came on.
    pub connection: usize,
}

/// Chooses the answer to a request: `n` counts requests of the same service from 0.
pub type Script = Arc<dyn Fn(&Seen, usize) -> Answer + Send + Sync>;

/// A running server on loopback.
pub struct Stub {
    pub addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    pub async fn start(script: Script) -> Self {
        Self::start_with(script, false).await
    }

    /// With `rude`, every connection is reset when the head of its first request has come.
    pub async fn start_with(script: Script, rude: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = seen.clone();
        let task = tokio::spawn(async move {
            // Bounded by the test that owns it; dropping the set ends the connections.
            let mut connections = tokio::task::JoinSet::new();
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                connections.spawn(serve(stream, connection, script.clone(), log.clone(), rude));
            }
        });
        Self { addr, seen, task }
    }

    /// Nobody listens on the returned stub's port any more.
    pub async fn refusing() -> Self {
        let stub = Self::start(Arc::new(|_, _| Answer::default())).await;
        stub.task.abort();
        while !stub.task.is_finished() {
            tokio::task::yield_now().await;
        }
        stub
    }

    pub fn url(&self) -> String {
        format!("http://{}/k3cloud/", self.addr)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Requests of the services whose name satisfies `which`.
    pub fn count(&self, which: impl Fn(&str) -> bool) -> usize {
        self.seen().iter().filter(|seen| which(&seen.service)).count()
    }
}

pub fn is_login(service: &str) -> bool {
    service == "ValidateUser" || service.starts_with("LoginBy")
}

async fn serve(mut stream: TcpStream, connection: usize, script: Script, log: Arc<Mutex<Vec<Seen>>>, rude: bool) {
    let mut buffer = Vec::new();
    loop {
        let Some(head_end) = read_until(&mut stream, &mut buffer, |b| find(b, b"\r\n\r\n")).await else { return };
        let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
        let service = service_of(&head);
        let length: usize = header(&head, "content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        let whole = head_end + 4 + length;
        if rude {
            log.lock().unwrap().push(Seen { service, head, body: Vec::new(), connection });
            return reset(stream);
        }
        if read_until(&mut stream, &mut buffer, |b| (b.len() >= whole).then_some(whole)).await.is_none() {
            return;
        }
        let body = buffer[head_end + 4..whole].to_vec();
        buffer.drain(..whole);
        let seen = Seen { service, head, body, connection };
        let nth = log.lock().unwrap().iter().filter(|s| s.service == seen.service).count();
        let answer = script(&seen, nth);
        log.lock().unwrap().push(seen.clone());
        match answer.how {
            How::ResetBeforeBody | How::ResetAfterBody => return reset(stream),
            How::Close | How::Refuse => return,
            How::Silence => return std::future::pending().await,
            How::Reply | How::Drip => {}
        }
        if !send(&mut stream, &answer, &seen).await {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

/// Sends the answer; whether the connection stays open.
async fn send(stream: &mut TcpStream, answer: &Answer, seen: &Seen) -> bool {
    if answer.generate == Some(Generate::Endless) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = [b"8000\r\n".as_slice(), &b" ".repeat(0x8000), b"\r\n"].concat();
        let mut ok = stream.write_all(head.as_bytes()).await.is_ok();
        while ok {
            ok = stream.write_all(&chunk).await.is_ok();
        }
        return false;
    }
    let mut bytes = bytes_of(answer, seen);
    if answer.twice {
        bytes.extend_from_within(..);
    }
    if let Some(stop) = answer.stop_after {
        bytes.truncate(stop);
    }
    if answer.how == How::Drip {
        for byte in bytes {
            if stream.write_all(&[byte]).await.is_err() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        return false;
    }
    stream.write_all(&bytes).await.is_ok()
        && answer.stop_after.is_none()
        && answer.cut == 0
        && answer.framing != Framing::Close
}

fn bytes_of(answer: &Answer, seen: &Seen) -> Vec<u8> {
    if let Some(raw) = &answer.raw {
        return raw.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
    }
    let mut extra = String::new();
    let body = match (answer.generate, &answer.body, &answer.body_hex) {
        (Some(Generate::GzipBomb), ..) => {
            extra.push_str("Content-Encoding: gzip\r\n");
            gzip(&vec![b' '; 4 << 20])
        }
        (Some(Generate::Gzip), ..) => {
            extra.push_str("Content-Encoding: gzip\r\n");
            gzip(good(seen).as_bytes())
        }
        (Some(Generate::Deep), ..) => vec![b'['; 100_000],
        (Some(Generate::Bom), ..) => format!("\u{feff}{}", good(seen)).into_bytes(),
        (Some(Generate::LongHeader), ..) => {
            extra = format!("X-Long: {}\r\n", "a".repeat(2_000_000));
            good(seen).into_bytes()
        }
        (Some(Generate::Endless), ..) => Vec::new(),
        (None, Some(text), _) => text.replace("{ID}", FIRST.0).replace("{NO}", FIRST.1).into_bytes(),
        (None, None, Some(hex)) => {
            let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
            digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
        }
        (None, None, None) => good(seen).into_bytes(),
    };
    let status = answer.status.unwrap_or(200);
    let mut head = format!("HTTP/1.1 {status} Said\r\nContent-Type: text/html; charset=utf-8\r\n{extra}");
    for (name, value) in &answer.headers {
        head = format!("{head}{name}: {value}\r\n");
    }
    let kept = body.len() - answer.cut.min(body.len());
    let sent = &body[..kept];
    match answer.framing {
        Framing::Length => [format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), sent].concat(),
        Framing::Close => [format!("{head}Connection: close\r\n\r\n").as_bytes(), sent].concat(),
        Framing::Chunked => {
            let size = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len());
            let end: &[u8] = if answer.cut == 0 { b"\r\n0\r\n\r\n" } else { b"" };
            [size.as_bytes(), sent, end].concat()
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The bill of the good answers: id and number.
pub const FIRST: (&str, &str) = ("100123", "XSCKD000123");

/// What a healthy server answers to this request.
pub fn good(seen: &Seen) -> String {
    match seen.service.as_str() {
        "ValidateUser" | "LoginByAppSecret" | "LoginBySign" => concat!(
            r#"{"Message":null,"MessageCode":null,"LoginResultType":1,"Context":{"DBid":"60aa0000000000","UserName":"demo","#,
            r#""DataCenterName":"Demo DC","DisplayVersion":"9.0.553.10"},"KDSVCSessionId":"0f1e2d3c-4b5a","IsSuccessByAPI":true}"#
        )
        .to_owned(),
        "ExecuteBillQuery" => {
            let request: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
            let cell = |key: &str| match key.to_ascii_lowercase().as_str() {
                "fid" => FIRST.0.to_owned(),
                "fbillno" => format!("\"{}\"", FIRST.1),
                "fdocumentstatus" => "\"B\"".to_owned(),
                "fmodifydate" => "\"2025-01-02T03:04:05\"".to_owned(),
                _ => "null".to_owned(),
            };
            let cells: Vec<String> = request["data"]["FieldKeys"].as_str().unwrap().split(',').map(cell).collect();
            format!("[[{}]]", cells.join(","))
        }
        _ => success(&[FIRST]),
    }
}

/// A success that names these bills.
pub fn success(bills: &[(&str, &str)]) -> String {
    let named: Vec<String> =
        bills.iter().map(|(id, no)| format!(r#"{{"Id":{id},"Number":"{no}","DIndex":0}}"#)).collect();
    format!(
        r#"{{"Result":{{"ResponseStatus":{{"IsSuccess":true,"Errors":[],"SuccessEntitys":[{}],"SuccessMessages":[],"MsgCode":0}}}}}}"#,
        named.join(",")
    )
}

fn service_of(head: &str) -> String {
    let path = head.split_whitespace().nth(1).unwrap_or_default();
    let name = path.trim_end_matches(".common.kdsvc");
    name.rsplit('.').next().unwrap_or_default().to_owned()
}

/// A header of a request.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().filter_map(|l| l.split_once(':')).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

async fn read_until(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    done: impl Fn(&[u8]) -> Option<usize>,
) -> Option<usize> {
    loop {
        if let Some(at) = done(buffer) {
            return Some(at);
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Closes with a reset instead of a FIN.
#[allow(clippy::needless_pass_by_value, reason = "the stream ends here: dropping it sends the reset")]
fn reset(stream: TcpStream) {
    #[allow(deprecated, reason = "linger 0 is what makes the reset")]
    let _ = stream.set_linger(Some(Duration::ZERO));
}
