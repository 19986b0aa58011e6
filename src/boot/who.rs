//! Who runs this process.

use crate::domain::who::Who;

/// Who runs this process.
pub fn who() -> Who {
    let login = ["LOGNAME", "USER"].iter().find_map(|v| std::env::var(v).ok()).filter(|l| !l.is_empty());
    let uid = rustix::process::getuid().as_raw();
    let from = std::env::var("SSH_CONNECTION").ok().and_then(|c| c.split(' ').next().map(str::to_owned));
    let known = crate::link::serve::person(uid, String::new(), from.filter(|f| !f.is_empty()));
    // Who claims nothing is called what the system calls him.
    let login = login.or_else(|| known.name.clone()).unwrap_or_default();
    Who { login, ..known }
}
