//! A toy model and engine behind the real shell: a list of a million rows, and keys that provoke what is tested.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Style};
use skydeck::domain::command::{Order, Receipt};
use skydeck::domain::live::{Live, Pulse};
use skydeck::domain::query::{Answer, Query};
use skydeck::domain::time::{Clock, Ts};
use skydeck::domain::who::Who;
use skydeck::engine::api::{Gone, Link, LinkError, Notice, Watch};
use skydeck::shell::{self, App, Caps, Notify, ShellOptions, crash};
use skydeck::text::{TABLE, clip, show};
use skydeck::ui::msg::{Code, Drawn, Effect, Key, ListHint, Msg, Ticket};
use tokio::sync::mpsc;

const ROWS: u64 = 1_000_000;

#[derive(Default)]
struct Toy {
    size: (u16, u16),
    row: u64,
    top: u64,
    pulses: u64,
    engine: bool,
    pasted: Option<usize>,
    said: String,
    panics: bool,
    dirty: bool,
}

impl Toy {
    fn height(&self) -> u64 {
        u64::from(self.size.1.saturating_sub(3)).max(1)
    }

    fn go(&mut self, row: u64) {
        self.row = row.min(ROWS - 1);
        self.top = self.top.clamp(self.row.saturating_sub(self.height() - 1), self.row);
    }

    fn key(&mut self, key: Key) -> Vec<Effect> {
        match (key.code, key.ctrl) {
            (Code::Char('z'), true) => return vec![Effect::Suspend],
            (Code::Char('l'), true) => return vec![Effect::Redraw],
            (Code::Char('j'), false) => self.go(self.row + 1),
            (Code::Char('k'), false) => self.go(self.row.saturating_sub(1)),
            (Code::Char(' '), false) => self.go(self.row + 40),
            (Code::Char('p'), false) => self.panics = true,
            (Code::Char('x'), false) => return vec![Effect::Ask(Ticket(1), Query::Plans)],
            (Code::Char('y'), false) => return vec![Effect::Copy("a\nb\x1b[2J".to_owned())],
            (Code::Char('b'), false) => return vec![Effect::Bell, Effect::Title("toy \x1b]0;x\x07".to_owned())],
            (Code::Char('q'), false) => return vec![Effect::Quit],
            _ => {}
        }
        Vec::new()
    }
}

impl App for Toy {
    fn update(&mut self, msg: Msg) -> Vec<Effect> {
        self.dirty |= !matches!(msg, Msg::Now(_));
        match msg {
            Msg::Key(key) => return self.key(key),
            Msg::Resize(columns, rows) => {
                self.size = (columns, rows);
                self.go(self.row);
            }
            Msg::Pulse(_) => self.pulses += 1,
            Msg::Resync(_) => self.engine = true,
            Msg::Paste(text) => self.pasted = Some(text.len()),
            Msg::Done(Ok(text) | Err(text)) => self.said = text,
            _ => {}
        }
        Vec::new()
    }

    fn view(&self, picture: &mut Buffer) -> Drawn {
        assert!(!self.panics, "the toy's view \x1b[2J password=hunter2");
        let (columns, rows) = (picture.area.width, picture.area.height);
        let plain = Style::new();
        let head = format!("READY {columns}x{rows} row {}; ", self.row);
        picture.set_stringn(0, 0, head, usize::from(columns), Style::new().fg(Color::Rgb(90, 170, 250)));
        for (i, y) in (1..rows.saturating_sub(2)).enumerate() {
            let row = self.top + i as u64;
            let style = match row {
                r if r == self.row => Style::new().bg(Color::Blue),
                r if r % 97 == 0 => Style::new().fg(Color::Red),
                _ => plain,
            };
            let hostile =
                if row.is_multiple_of(5) { "\x1b]0;x\x07\u{202e}" } else { "字段“基本单位”是必填项" };
            let text = show(&format!("{row:>8} XSCKD{:07} {hostile}", row * 31 % 10_000_000), TABLE);
            picture.set_stringn(0, y, clip(text.as_str(), usize::from(columns)), usize::from(columns), style);
            picture.set_style(ratatui::layout::Rect::new(0, y, columns, 1), style);
        }
        let engine = if self.engine { "engine seen" } else { "" };
        let pasted = self.pasted.map(|n| format!("pasted {n}")).unwrap_or_default();
        let foot = format!("pulses {} {engine} {pasted} {}", self.pulses, show(&self.said, TABLE));
        picture.set_stringn(0, rows - 1, clip(&foot, usize::from(columns)), usize::from(columns), plain);
        let list = ListHint { id: 1, top: 1, bottom: rows.saturating_sub(2), first: self.top };
        Drawn { caret: None, list: Some(list) }
    }

    fn wants_tick(&self) -> Option<Duration> {
        None
    }

    fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }
}

/// An engine that knows nothing, and beats fast when `TOY_FLOOD` is set.
struct Nothing {
    flood: bool,
}

#[async_trait]
impl Link for Nothing {
    async fn submit(&self, _: Order) -> Result<Receipt, LinkError> {
        Err(LinkError::Gone(Gone::Other("a toy".to_owned())))
    }

    async fn ask(&self, _: Query) -> Result<Answer, LinkError> {
        panic!("the toy's engine does not answer");
    }

    async fn watch(&self) -> Result<Watch, LinkError> {
        let (sender, notices) = mpsc::channel(64);
        let flood = self.flood;
        tokio::spawn(async move {
            while flood && sender.send(Notice::Pulse(Pulse::default())).await.is_ok() {
                tokio::time::sleep(Duration::from_micros(300)).await;
            }
            sender.closed().await;
        });
        Ok(Watch { live: Live::default(), notices })
    }
}

struct Wall;

impl Clock for Wall {
    fn now(&self) -> Ts {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Ts(i64::try_from(since.as_millis()).unwrap_or(0))
    }

    fn mono(&self) -> Duration {
        Duration::ZERO
    }
}

/// Runs the toy; the exit code.
pub fn main() -> i32 {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    if let Some(dir) = set("TOY_DATA") {
        crash::install(PathBuf::from(dir), str::to_owned);
    }
    let options = ShellOptions {
        clock: Arc::new(Wall),
        who: Who { uid: 0, login: "toy".to_owned(), from: None, name: None, origin: None, person: None, host: None },
        caps: Caps::detect(),
        chinese: false,
        mouse: false,
        title: true,
        copy: true,
        notify: Notify::Bell,
        zone: skydeck::domain::zone::Zone::utc(),
        filters: None,
        looks: None,
        lists: None,
        causes: Arc::default(),
    };
    let link = Arc::new(Nothing { flood: set("TOY_FLOOD").is_some() });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ended = runtime.block_on(shell::run(Toy::default(), Vec::new(), link, options));
    if let Some(path) = set("TOY_DRAIN") {
        let before = cpu_ms();
        std::thread::sleep(Duration::from_secs(1));
        std::fs::write(path, (cpu_ms() - before).to_string()).unwrap();
    }
    runtime.shutdown_background();
    match ended {
        Ok(end) => {
            let code = end.exit_code();
            // After a signal nobody may be there to read it, and a full terminal would hold it for ever.
            if code.is_none() {
                let _ = writeln!(std::io::stdout(), "ended: {end:?}");
            }
            code.map_or(0, i32::from)
        }
        Err(e) => {
            eprintln!("cannot start: {e}");
            5
        }
    }
}

/// CPU time of this process so far.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks * 10
}
