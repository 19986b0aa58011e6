//! Golden files, each written by the test that compares with it.

use clap::ValueEnum;

/// Kinds of golden files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Golden {
    /// What a person is told of the plans in `tests/fixtures`.
    Plans,
    /// Every screen, in both languages and sizes.
    Screens,
    /// Journal and state of this version of the store; once a version, never over older ones.
    Journal,
}

/// Runs the test so that it writes.
pub fn write(which: Golden) -> anyhow::Result<()> {
    let mut cargo = crate::cargo();
    cargo.args(["test", "--locked", "--package", "skydeck", "--test"]);
    match which {
        Golden::Plans => cargo.args(["plan", "golden::"]).env("BLESS", "1"),
        Golden::Screens => cargo.args(["console", "screens::"]).env("UPDATE_SCREENS", "1"),
        Golden::Journal => cargo.args(["store", "golden::write_the_golden_journal", "--", "--ignored"]),
    };
    crate::run(&mut cargo)
}
