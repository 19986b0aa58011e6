//! Arguments → boot → exit code.
fn main() {}
