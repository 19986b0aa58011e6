//! What the console is started with, how it ends, and why it may not start.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::caps::Caps;
use skydeck_core::domain::time::Clock;
use skydeck_core::domain::who::Who;

/// What the shell must know besides the model.
#[derive(Clone)]
pub struct ShellOptions {
    /// Wall time for [`crate::ui::msg::Msg::Now`].
    pub clock: Arc<dyn Clock>,
    /// Who gives the orders; the link overwrites it with what the kernel says.
    pub who: Who,
    /// What the terminal can do, [`Caps::detect`] outside tests.
    pub caps: Caps,
    /// Whether the few words of the shell itself are Chinese.
    pub chinese: bool,
    /// Report clicks and the wheel; off leaves selection to the terminal.
    pub mouse: bool,
    /// Set the window title, and put the old one back at the end.
    pub title: bool,
    /// Let the model copy to the terminal's clipboard (OSC 52).
    pub copy: bool,
    /// What [`crate::ui::msg::Effect::Bell`] does.
    pub notify: Notify,
    /// Zone of dates in exports.
    pub zone: skydeck_core::domain::zone::Zone,
    /// Labels of causes, for exports.
    pub causes: std::sync::Arc<skydeck_core::domain::cause::CauseTable>,
    /// Where named filters are kept; `None` = nowhere.
    pub filters: Option<PathBuf>,
    /// Where it is kept when each user last looked at Today.
    pub looks: Option<PathBuf>,
    /// Where it is kept how each user's lists are shown.
    pub lists: Option<PathBuf>,
}

/// What a bell is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notify {
    /// Nothing.
    #[default]
    Off,
    /// BEL.
    Bell,
    /// A desktop notification (OSC 9) that says `Skydeck`, and nothing a server said.
    Desktop,
}

/// How the console ended. The terminal is restored in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The operator left.
    Quit,
    /// A signal asked for the end: SIGTERM, SIGINT, SIGQUIT, or SIGHUP.
    Signal(i32),
    /// The terminal went away; nothing can be shown any more.
    TerminalGone,
}

impl Ended {
    /// The process's exit code where the end decides it: 128 + signal, 129 for a lost terminal, none after `q`.
    pub fn exit_code(self) -> Option<u8> {
        match self {
            Self::Quit => None,
            Self::Signal(number) => Some(128u8.saturating_add(u8::try_from(number).unwrap_or(1))),
            Self::TerminalGone => Some(129),
        }
    }
}

/// Why the console cannot start or go on. Exit code 5.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// Input or output is no terminal.
    #[error(
        "{0} is not a terminal, and the console needs one: run it in a terminal, or use the verbs (`skydeck help`)"
    )]
    NoTerminal(&'static str),
    /// The terminal cannot hold a picture.
    #[error(
        "TERM is `{0}`, a terminal that cannot hold a picture: set TERM (for example xterm-256color), or use the verbs (`skydeck help`)"
    )]
    DumbTerminal(String),
    /// The terminal refused.
    #[error("the terminal: {0}")]
    Terminal(#[from] std::io::Error),
}

impl ShellError {
    /// The same in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::NoTerminal(what) => {
                let what = if *what == "standard input" { "标准输入" } else { "标准输出" };
                format!("{what}不是终端，而控制台需要终端：请在终端中运行，或改用命令（`skydeck help`）")
            }
            Self::DumbTerminal(term) => format!(
                "TERM 为 `{term}`，该终端不能显示画面：请设置 TERM（例如 xterm-256color），或改用命令（`skydeck help`）"
            ),
            Self::Terminal(why) => format!("终端：{}", skydeck_core::domain::system_words::chinese(&why.to_string())),
        }
    }
}

/// Whether there is a terminal on both sides that can hold a picture. Says what to do where there is none; writes
/// nothing.
///
/// # Errors
/// [`ShellError::NoTerminal`] for a pipe or file, [`ShellError::DumbTerminal`] for `TERM=dumb`, none or `unknown`.
pub fn require_terminal() -> Result<(), ShellError> {
    for (name, is_tty) in
        [("standard input", std::io::stdin().is_terminal()), ("standard output", std::io::stdout().is_terminal())]
    {
        if !is_tty {
            return Err(ShellError::NoTerminal(name));
        }
    }
    let term = std::env::var("TERM").unwrap_or_default();
    if matches!(term.as_str(), "" | "dumb" | "unknown") {
        return Err(ShellError::DumbTerminal(skydeck_core::text::show(&term, 64).into_string()));
    }
    Ok(())
}
