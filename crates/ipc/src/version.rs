//! Two programs of different versions at the two ends of the owner's socket: what the owner says, and what that means to
//! whoever hears it.
//!
//! Invariant: the sentence of 0.1.0 is understood for ever, because its owners are met by every later program.

use std::path::Path;

use super::frame::VERSION;
use skydeck_engine::api::OtherVersion;
use skydeck_store::local::place::Place;

/// What an owner says to a client of another version. Clients take the numbers out of it.
pub fn refusal(client: u32) -> String {
    let pid = std::process::id();
    let advice = if client < VERSION { "use the newer program, or end the owner" } else { "end the owner" };
    format!(
        "the owner (process {pid}) speaks version {VERSION} of the protocol, this program {client}: {advice}, then start \
         again"
    )
}

/// Understands [`refusal`]; `None` where something else was refused.
pub fn understood(why: &str, socket: &Path) -> Option<OtherVersion> {
    let number = |after: &str| {
        let (_, rest) = why.split_once(after)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    let pid = number("the owner (process ")?;
    let theirs = number(") speaks version ").filter(|theirs| *theirs != VERSION)?;
    let dir = socket.parent().filter(|dir| dir.join("owner.lock").exists());
    let end = dir.map(|dir| Place::new(dir).command("serve --end"));
    Some(OtherVersion { pid, theirs, ours: VERSION, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_of_every_owner_is_understood() {
        let socket = Path::new("/nowhere/owner.sock");
        let first = "the owner (process 4711) speaks version 4 of the protocol, this program 5: end the owner, then start \
                     again";
        let found = understood(first, socket).unwrap();
        assert_eq!((found.pid, found.theirs, found.ours, found.is_older()), (4711, 4, VERSION, true));
        assert!(found.to_string().contains("skydeck serve --end"), "{found}");
        assert_eq!(understood("too many consoles are attached", socket), None);
        // Our own sentence names our own version: whoever hears it speaks another one.
        assert_eq!(understood(&refusal(4), socket), None);
        assert!(refusal(4).contains("use the newer program") && refusal(9).contains("end the owner"));
        let newer = understood(&first.replace("version 4", "version 99"), socket).unwrap();
        assert!(newer.to_string().contains("version 99") && newer.to_string().contains("use the newer program"));
    }
}
