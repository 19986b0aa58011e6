//! Pictures of the real console for the README, as SVG.

use std::fmt::Write;
use std::fs;

use anyhow::Context as _;

use crate::pty::{Pty, Start};
use crate::{cargo, root, run};

/// Cell size in the picture.
const CELL: (f32, f32) = (8.4, 18.0);

fn colour(colour: vt100::Color, otherwise: &str) -> String {
    const BASE: [&str; 16] = [
        "#1c1c1c", "#d75f5f", "#5faf5f", "#d7af5f", "#5f87d7", "#af87d7", "#5fafaf", "#c6c6c6", "#767676", "#ff8787",
        "#87d787", "#ffd787", "#87afff", "#d7afff", "#87d7d7", "#ffffff",
    ];
    match colour {
        vt100::Color::Default => otherwise.to_owned(),
        vt100::Color::Idx(n) if let Some(base) = BASE.get(usize::from(n)) => (*base).to_owned(),
        vt100::Color::Idx(n @ ..=231) => {
            let level = |v: u8| if v == 0 { 0 } else { 55 + 40 * u16::from(v) };
            let n = n - 16;
            format!("rgb({},{},{})", level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        vt100::Color::Idx(n) => {
            let v = 8 + 10 * u16::from(n - 232);
            format!("rgb({v},{v},{v})")
        }
        vt100::Color::Rgb(r, g, b) => format!("rgb({r},{g},{b})"),
    }
}

fn svg(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (w, h) = (f32::from(columns) * CELL.0 + 16.0, f32::from(rows) * CELL.1 + 16.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w:.0}\" height=\"{h:.0}\" viewBox=\"0 0 {w:.0} {h:.0}\">\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#16181d\"/>\n<g font-family=\"ui-monospace,'DejaVu Sans Mono','Noto Sans Mono CJK SC','Noto Sans CJK SC',monospace\" font-size=\"14\" xml:space=\"preserve\">\n"
    );
    for row in 0..rows {
        for column in 0..columns {
            let Some(cell) = screen.cell(row, column) else { continue };
            let text = cell.contents();
            let (mut fore, mut back) = (colour(cell.fgcolor(), "#d0d0d0"), colour(cell.bgcolor(), "#16181d"));
            if cell.inverse() {
                std::mem::swap(&mut fore, &mut back);
            }
            let (x, y) = (8.0 + f32::from(column) * CELL.0, 8.0 + f32::from(row) * CELL.1);
            let wide = if cell.is_wide() { 2.0 } else { 1.0 };
            if back != "#16181d" {
                let _ = writeln!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{}\" fill=\"{back}\"/>",
                    CELL.0 * wide,
                    CELL.1
                );
            }
            if text.trim().is_empty() {
                continue;
            }
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            let bold = if cell.bold() { " font-weight=\"bold\"" } else { "" };
            let dim = if cell.dim() { " opacity=\"0.6\"" } else { "" };
            let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{fore}\"{bold}{dim}>{text}</text>", y + 14.0);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// Builds the program, lets it audit the demo's bills in both languages, and draws what it shows on the way.
pub fn write() -> anyhow::Result<()> {
    run(cargo().args(["build", "--locked", "--package", "skydeck"]))?;
    let program = std::env::current_exe()?.with_file_name("skydeck");
    let program = program.to_str().context("the program's path is not text")?;
    for (lang, name) in [("en_US.UTF-8", "queue-en"), ("zh_CN.UTF-8", "queue-zh")] {
        let dir = tempfile::tempdir()?;
        let data = dir.path().join("demo").display().to_string();
        let args = ["demo", "--data", &data, "--per-minute", "1200"];
        let mut console = Pty::start(&Start { program, args: &args, env: &[("LANG", lang)], size: (110, 30) });
        console.wait_text("Skydeck");
        console.wait_text("SAL_OUTSTOCK");
        console.send(b"r");
        console.wait_for("the set that is asked for", |text| text.contains("167") && text.contains(" y "));
        console.send(b"y");
        console.wait_for("the run under way", |text| [" 60%", " 65%", " 70%"].iter().any(|done| text.contains(done)));
        fs::write(root().join(format!("docs/screens/{name}.svg")), console.screen(svg))?;
        console.send(b"\x03");
    }
    Ok(())
}
