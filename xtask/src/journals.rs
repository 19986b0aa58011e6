//! `journals`: one hash over the journals of random histories, to be compared with that of another commit.
//!
//! Invariant: equal seeds give equal facts, whatever the machine's load. The histories run on a virtual clock, in one thread
//! each; ids and waits come from the seed. What is hashed is every fact of a history's journal, with its place and time.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use sha2::{Digest, Sha256};

use skydeck::cli::output;

/// `journals`.
#[derive(Debug, Args)]
pub struct JournalsArgs {
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub histories: u64,
    /// Seed of the first one; the next ones count up from it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Writes a line for each history here: seed, number of facts, SHA-256. Two such files show which seeds differ.
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

/// Runs the model's histories and prints what their journals came to.
pub fn write(args: &JournalsArgs) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let noted = dir.path().join("journals.txt");
    let mut cargo = crate::cargo();
    cargo.args(["test", "--locked", "--package", "skydeck", "--test", "model"]);
    cargo.env("SKYDECK_SEED", args.seed.to_string()).env("SKYDECK_HISTORIES", args.histories.to_string());
    cargo.env("SKYDECK_JOURNALS", &noted);
    // What the test says goes to the other stream: this one has the hash.
    cargo.stdout(std::io::stderr());
    crate::run(&mut cargo)?;
    let lines = sorted(&std::fs::read_to_string(&noted).context("no history noted its journal")?);
    let found = u64::try_from(lines.len())?;
    anyhow::ensure!(found == args.histories, "{found} of {} histories noted their journal", args.histories);
    if let Some(to) = &args.to {
        std::fs::write(to, lines.concat()).with_context(|| to.display().to_string())?;
    }
    let facts: u64 = lines.iter().filter_map(|line| line.split(' ').nth(1)?.parse::<u64>().ok()).sum();
    output::line(&format!("{} histories from seed {}, {facts} facts: {}", args.histories, args.seed, hash(&lines)))?;
    Ok(())
}

/// The lines in the order of their seeds: threads come to them in any order.
fn sorted(noted: &str) -> Vec<String> {
    let seed = |line: &str| line.split(' ').next().and_then(|seed| seed.parse::<u64>().ok());
    let mut lines: Vec<String> = noted.lines().map(|line| format!("{line}\n")).collect();
    lines.sort_by_key(|line| seed(line));
    lines
}

fn hash(lines: &[String]) -> String {
    let hash = Sha256::digest(lines.concat());
    hash.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_threads_makes_no_difference_and_anything_else_does() {
        let of = |noted: &str| hash(&sorted(noted));
        let noted = of("2 10 aa\n10 3 bb\n9 4 cc\n");
        assert_eq!(noted, of("9 4 cc\n2 10 aa\n10 3 bb\n"));
        assert_eq!(sorted("10 3 bb\n9 4 cc\n"), ["9 4 cc\n", "10 3 bb\n"]);
        for other in ["2 10 aa\n10 3 bb\n9 4 cd\n", "2 11 aa\n10 3 bb\n9 4 cc\n", "2 10 aa\n10 3 bb\n"] {
            assert_ne!(noted, of(other), "{other}");
        }
    }
}
