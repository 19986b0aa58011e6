//! The key tables of docs/keys.md and docs/keys.zh.md.

use std::fs;

use anyhow::Context as _;
use skydeck::ui::Lang;
use skydeck::ui::keymap::markdown;

/// Puts the program's own table, in the language of the page, between each page's marks.
pub fn write() -> anyhow::Result<()> {
    for (page, lang) in [("docs/keys.md", Lang::En), ("docs/keys.zh.md", Lang::Zh)] {
        let file = crate::root().join(page);
        let text = fs::read_to_string(&file)?;
        let missing = || format!("{page} does not mark the place of the table");
        let (before, rest) = text.split_once("<!-- keys -->\n").with_context(missing)?;
        let (_, after) = rest.split_once("<!-- /keys -->").with_context(missing)?;
        let text = format!("{before}<!-- keys -->\n{}\n<!-- /keys -->{after}", markdown(lang).trim_end());
        fs::write(file, text)?;
    }
    Ok(())
}
