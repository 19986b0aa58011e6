//! An owner that is told to end writes it into its lock file before its connections go.
//!
//! Invariant: whoever loses an owner can tell one that was ended from one that died, whatever order the pieces of its end
//! reach him in: the word on his own connection may never come.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use skydeck_store::file;

/// The lock file of a data directory, beside the socket.
const LOCK: &str = "owner.lock";
/// Longest such file, bytes.
const LONGEST: u64 = 4096;
/// How the line begins. The next owner begins the file anew.
const ENDED: &str = "ended ";

/// Writes down that this process, which holds the directory, ends because of `by`.
pub fn note(data: &Path, by: &str) -> io::Result<()> {
    let mut file = file::regular(OpenOptions::new().append(true), &data.join(LOCK))?;
    file.write_all(format!("{ENDED}{by}\n").as_bytes())
}

/// Which process held the directory of this socket last, and what it was ended by, if it was.
pub fn read(socket: &Path) -> (Option<u32>, Option<String>) {
    let text = file::read_text(&socket.with_file_name(LOCK), LONGEST).unwrap_or_default();
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    (line("pid ").and_then(|pid| pid.parse().ok()), line(ENDED).map(str::to_owned))
}
