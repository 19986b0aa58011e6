//! Arguments → boot → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    skydeck::cli::main()
}
