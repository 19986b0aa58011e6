//! The README's key table.

use std::fs;

use anyhow::Context as _;
use skydeck::ui::Lang;
use skydeck::ui::keymap::markdown;

/// Puts the program's own between the README's two marks.
pub fn write() -> anyhow::Result<()> {
    let file = crate::root().join("README.md");
    let text = fs::read_to_string(&file)?;
    let marks = "the README does not mark the place of the key table";
    let (before, rest) = text.split_once("<!-- keys -->\n").context(marks)?;
    let (_, after) = rest.split_once("<!-- /keys -->").context(marks)?;
    let table = markdown(Lang::En);
    fs::write(file, format!("{before}<!-- keys -->\n{}\n<!-- /keys -->{after}", table.trim_end()))?;
    Ok(())
}
