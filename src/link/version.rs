//! Two programs of different versions at the two ends of the owner's socket: what the owner says, and what that means to
//! whoever hears it.
//!
//! Invariant: the sentence of 0.1.0 is understood for ever, because its owners are met by every later program.

use std::path::Path;

use super::frame::VERSION;
use crate::store::local::place::Place;

/// An owner that speaks another version of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherVersion {
    /// The owner's process id.
    pub pid: u32,
    /// What it speaks.
    pub theirs: u32,
    /// What this program speaks.
    pub ours: u32,
    /// The command that ends it in order; `None` where it is another user's.
    pub end: Option<String>,
}

/// What an owner says to a client of another version. Clients take the numbers out of it.
pub fn refusal(client: u32) -> String {
    let pid = std::process::id();
    let advice = if client < VERSION { "use the newer program, or end the owner" } else { "end the owner" };
    format!(
        "the owner (process {pid}) speaks version {VERSION} of the protocol, this program {client}: {advice}, then start \
         again"
    )
}

impl OtherVersion {
    /// Understands [`refusal`]; `None` where something else was refused.
    pub fn of(why: &str, socket: &Path) -> Option<Self> {
        let number = |after: &str| {
            let (_, rest) = why.split_once(after)?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        };
        let pid = number("the owner (process ")?;
        let theirs = number(") speaks version ").filter(|theirs| *theirs != VERSION)?;
        let dir = socket.parent().filter(|dir| dir.join("owner.lock").exists());
        let end = dir.map(|dir| Place::new(dir).command("serve --end"));
        Some(Self { pid, theirs, ours: VERSION, end })
    }

    /// Whether the owner is the older of the two.
    pub fn is_older(&self) -> bool {
        self.theirs < self.ours
    }

    /// In Chinese what its `Display` says in English.
    pub fn zh(&self) -> String {
        let Self { pid, theirs, ours, end } = self;
        let found = format!("引擎（进程 {pid}）使用协议版本 {theirs}，本程序使用版本 {ours}");
        if !self.is_older() {
            return format!("{found}：请使用较新的程序");
        }
        let advice = match end {
            Some(command) => format!("请先执行 `{command}` 让它按序结束，再重新启动"),
            None => "需由其用户执行 `skydeck serve --end`，并启动较新的程序".to_owned(),
        };
        format!("{found}：{advice}；在途调用会等其完成，正在执行的运行之后可以恢复")
    }
}

impl std::fmt::Display for OtherVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pid, theirs, ours, end } = self;
        write!(f, "the engine (process {pid}) speaks version {theirs} of the protocol, this program {ours}: ")?;
        if !self.is_older() {
            return f.write_str("use the newer program");
        }
        match end {
            Some(command) => write!(f, "end it in order with `{command}`, then start again")?,
            None => f.write_str("its user has to end it with `skydeck serve --end` and start the newer program")?,
        }
        f.write_str("; calls in flight are let finish, and a run that was at work can be resumed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_of_every_owner_is_understood() {
        let socket = Path::new("/nowhere/owner.sock");
        let first = "the owner (process 4711) speaks version 4 of the protocol, this program 5: end the owner, then start \
                     again";
        let found = OtherVersion::of(first, socket).unwrap();
        assert_eq!((found.pid, found.theirs, found.ours, found.is_older()), (4711, 4, VERSION, true));
        assert!(found.to_string().contains("skydeck serve --end"), "{found}");
        assert_eq!(OtherVersion::of("too many consoles are attached", socket), None);
        // Our own sentence names our own version: whoever hears it speaks another one.
        assert_eq!(OtherVersion::of(&refusal(4), socket), None);
        assert!(refusal(4).contains("use the newer program") && refusal(9).contains("end the owner"));
        let newer = OtherVersion::of(&first.replace("version 4", "version 99"), socket).unwrap();
        assert!(newer.to_string().contains("version 99") && newer.to_string().contains("use the newer program"));
    }
}
