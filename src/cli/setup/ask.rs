//! Questions to the person at the terminal, one at a time.
//!
//! Invariant: whatever is being asked or waited for, Ctrl-C ends it at once and leaves the terminal as it was.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::Duration;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use tokio::signal::unix::{Signal, SignalKind, signal};
use zeroize::Zeroizing;

use crate::cli::out::Out;
use crate::cli::output;
use crate::exit::{Exit, Stop};
use crate::secret;

/// Longest line that is taken, bytes: a terminal gives no longer one.
const LONGEST: usize = 4096;

/// A person at a terminal.
pub struct Asker<'a> {
    /// Where words go, and their language.
    pub out: &'a Out,
    interrupts: Signal,
    /// What stands when the person leaves now, in both languages.
    pub left: (&'static str, &'static str),
}

/// Whether somebody is there who can be asked.
pub fn is_attended() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// How long the driver of a terminal may take to drop its output after Ctrl-C.
const AFTER_INTERRUPT: Duration = Duration::from_millis(50);

impl<'a> Asker<'a> {
    /// Begins to listen.
    ///
    /// # Errors
    /// The system gives no signals.
    pub fn new(out: &'a Out) -> Result<Self, Stop> {
        let interrupts =
            signal(SignalKind::interrupt()).map_err(|e| Stop::system(Exit::Usage, "signals", "无法接收信号", &e))?;
        Ok(Self { out, interrupts, left: ("nothing was written", "未写入任何内容") })
    }

    /// How many lines of a list are seen at once above a question, at most `most`.
    pub fn room(most: usize) -> usize {
        // The question itself, and what is said of the list.
        const BESIDE: usize = 5;
        let rows = rustix::termios::tcgetwinsize(rustix::stdio::stderr()).map_or(0, |size| usize::from(size.ws_row));
        // A terminal that does not say how large it is has 0.
        if rows == 0 { most } else { rows.saturating_sub(BESIDE).clamp(BESIDE.min(most), most) }
    }

    /// Says something.
    pub fn say(&self, en: &str, zh: &str) {
        self.out.note(self.out.t(en, zh));
    }

    /// The person left in order.
    pub fn leaves(&self) -> Stop {
        Stop::both(Exit::Refused, self.left.0, self.left.1)
    }

    /// Waits for something that takes its time, unless the person ends it.
    ///
    /// # Errors
    /// Ctrl-C was pressed.
    pub async fn wait<T>(&mut self, what: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            done = what => Ok(done),
            _ = self.interrupts.recv() => {
                // The terminal's driver signals first and then drops what is on its way to the screen: said at once, it may be lost.
                tokio::time::sleep(AFTER_INTERRUPT).await;
                // The terminal shows ^C: what is said begins a line of its own.
                self.out.note("");
                Err(Stop::both(
                    Exit::Interrupted,
                    format!("interrupted; {}", self.left.0),
                    format!("已中断；{}", self.left.1),
                ))
            }
        }
    }

    /// One line, without what surrounds it.
    async fn line(&mut self, question: &str) -> Result<String, Stop> {
        output::question(question)?;
        let typed = self.wait(tokio::task::spawn_blocking(read_line)).await?;
        let Ok(Some(line)) = typed else { return Err(self.leaves()) };
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        if line.chars().any(char::is_control) {
            self.say(
                "that holds a control character (an arrow key, perhaps): type it again",
                "输入中含控制字符（可能是方向键）：请重新输入",
            );
            return Box::pin(self.line(question)).await;
        }
        Ok(line)
    }

    /// A text. Enter alone takes `known`, where there is one.
    ///
    /// # Errors
    /// The person left.
    pub async fn text(&mut self, label: &str, known: Option<&str>) -> Result<String, Stop> {
        let shown = known.map(|known| format!(" [{known}]")).unwrap_or_default();
        let question = format!("{label}{shown} >");
        loop {
            let line = self.line(&question).await?;
            match known {
                _ if !line.is_empty() => return Ok(line),
                Some(known) => return Ok(known.to_owned()),
                None => self.say("this cannot be empty; Ctrl-C leaves", "不能为空；按 Ctrl-C 退出"),
            }
        }
    }

    /// As [`Asker::text`], where nothing is an answer.
    ///
    /// # Errors
    /// The person left.
    pub async fn any(&mut self, label: &str) -> Result<String, Stop> {
        self.line(&format!("{label} >")).await
    }

    /// One of some letters; Enter alone is the first of them.
    ///
    /// # Errors
    /// The person left.
    pub async fn choice(&mut self, question: &str, letters: &[char]) -> Result<char, Stop> {
        loop {
            let line = self.line(question).await?;
            let typed = line.chars().next().map(|c| c.to_ascii_lowercase());
            match (typed, letters.first()) {
                (None, Some(first)) => return Ok(*first),
                (Some(letter), _) if letters.contains(&letter) && line.chars().count() == 1 => return Ok(letter),
                _ => {
                    let all = letters.iter().map(char::to_string).collect::<Vec<_>>().join(self.out.t(", ", "、"));
                    self.out.note(&self.out.colon("type one of", "请输入其中之一", &all));
                }
            }
        }
    }

    /// Yes or no; Enter alone is no.
    ///
    /// # Errors
    /// The person left.
    pub async fn agrees(&mut self, question: &str) -> Result<bool, Stop> {
        Ok(self.choice(&format!("{question} [y/N] >"), &['n', 'y']).await? == 'y')
    }

    /// A secret, which is not shown while it is typed.
    ///
    /// # Errors
    /// The person left, or the terminal cannot hide what is typed.
    pub async fn secret(&mut self, label: &str) -> Result<SecretString, Stop> {
        loop {
            let typed = {
                // Before the question is seen: whoever answers quickly, or pastes, is not shown either.
                let _hidden = Hidden::begin()?;
                output::question(&format!("{label}{}", self.out.t(" (not shown) >", "（不显示） >")))?;
                self.wait(tokio::task::spawn_blocking(read_line)).await?
            };
            // The line's end was not shown either.
            self.out.note("");
            let Ok(Some(line)) = typed else { return Err(self.leaves()) };
            match secret::typed(line.strip_suffix(b"\n").unwrap_or(&line)) {
                Ok(secret) => return Ok(secret),
                Err(fault) => {
                    let (en, zh) = fault.of_typed();
                    self.say(&en, &zh);
                }
            }
        }
    }
}

/// One line with its end; `None` where there is no more.
fn read_line() -> Option<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let read = std::io::Read::take(std::io::stdin().lock(), LONGEST as u64).read_until(b'\n', &mut line);
    read.ok().filter(|n| *n > 0).map(|_| line)
}

/// The terminal shows nothing that is typed, as long as this lives.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> Result<Self, Stop> {
        let stdin = std::io::stdin();
        let failed = |e: rustix::io::Errno| {
            Stop::system(Exit::Terminal, "the terminal cannot hide what is typed", "终端无法隐藏输入", &e)
        };
        let before = tcgetattr(&stdin).map_err(failed)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &hidden).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
