//! The key tables of docs/keys.md.

use std::fs;

use anyhow::Context as _;
use skydeck::ui::Lang;
use skydeck::ui::keymap::markdown;

/// Puts the program's own tables, in both languages, between the page's marks.
pub fn write() -> anyhow::Result<()> {
    let file = crate::root().join("docs/keys.md");
    let mut text = fs::read_to_string(&file)?;
    for (mark, lang) in [("keys", Lang::En), ("keys.zh", Lang::Zh)] {
        let (open, close) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
        let missing = || format!("docs/keys.md does not mark the place of the table `{mark}`");
        let (before, rest) = text.split_once(&open).with_context(missing)?;
        let (_, after) = rest.split_once(&close).with_context(missing)?;
        text = format!("{before}{open}{}\n{close}{after}", markdown(lang).trim_end());
    }
    fs::write(file, text)?;
    Ok(())
}
