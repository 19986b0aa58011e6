//! Screens after each other as one SVG that moves: a row that stays is there once, and is shown while it stays.
//!
//! Invariant: without the animation (a printer, a converter) one whole screen is seen, not all of them at once.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::svg::{CELL, MARGIN, head, rows_of};

/// What a row of the picture shows, and in which of the screens.
type Versions = BTreeMap<String, Vec<usize>>;

/// Screens with the time they are shown and the words below them.
pub struct Film {
    size: (u16, u16),
    /// Milliseconds of each screen.
    times: Vec<u64>,
    /// Of each row, the words below included as the last.
    rows: Vec<Versions>,
}

impl Film {
    /// For a terminal of so many columns and rows.
    pub fn new(size: (u16, u16)) -> Self {
        Self { size, times: Vec::new(), rows: vec![Versions::new(); usize::from(size.1) + 1] }
    }

    /// Another screen, shown for so long.
    pub fn take(&mut self, screen: &vt100::Screen, millis: u64, caption: &str) {
        let at = self.times.len();
        self.times.push(millis);
        let words = caption.replace('&', "&amp;").replace('<', "&lt;");
        let below =
            format!("<text x=\"0\" y=\"21\" fill=\"#ffd787\" class=\"b\" style=\"font-size:15px\">{words}</text>");
        for (row, shown) in rows_of(screen).into_iter().chain([below]).enumerate() {
            if let Some(versions) = self.rows.get_mut(row).filter(|_| !shown.is_empty()) {
                versions.entry(shown).or_default().push(at);
            }
        }
    }

    /// When a screen begins, in hundredths of a percent of the whole.
    fn begins(&self, screen: usize) -> u64 {
        let all: u64 = self.times.iter().sum();
        let before: u64 = self.times.iter().take(screen).sum();
        (before * 10_000).checked_div(all).unwrap_or_default()
    }

    /// The steps of something that is shown in these screens.
    fn steps(&self, screens: &[usize]) -> String {
        let percent = |at: u64| format!("{}.{:02}%", at / 100, at % 100);
        let mut steps = String::new();
        if screens.first() != Some(&0) {
            steps += "0%{visibility:hidden}";
        }
        for (nth, screen) in screens.iter().enumerate() {
            if nth == 0 || screens.get(nth - 1) != Some(&(screen - 1)) {
                let _ = write!(steps, "{}{{visibility:visible}}", percent(self.begins(*screen)));
            }
            let stays = screens.get(nth + 1) == Some(&(screen + 1));
            if !stays && screen + 1 < self.times.len() {
                let _ = write!(steps, "{}{{visibility:hidden}}", percent(self.begins(screen + 1)));
            }
        }
        steps
    }

    /// The picture.
    pub fn svg(&self) -> String {
        let all: u64 = self.times.iter().sum();
        let whole = self.times.len();
        // The screen that stands for all: the one that is shown longest.
        let poster = (0..whole).max_by_key(|at| self.times.get(*at)).unwrap_or_default();
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut body = String::new();
        for (at, versions) in self.rows.iter().enumerate() {
            let y = MARGIN + at as u32 * CELL.1;
            for (shown, screens) in versions {
                let mut how = String::new();
                if screens.len() < whole {
                    let next = format!("s{}", names.len());
                    let name = names.entry(self.steps(screens)).or_insert(next);
                    let hidden = if screens.contains(&poster) { "" } else { " visibility=\"hidden\"" };
                    how = format!(" style=\"animation-name:{name}\"{hidden}");
                }
                let _ = writeln!(body, "<g transform=\"translate({MARGIN},{y})\"{how}>{shown}</g>");
            }
        }
        let mut style = format!(
            "g{{animation:{}.{:03}s step-end infinite}}@media(prefers-reduced-motion:reduce){{g{{animation:none!important}}}}",
            all / 1000,
            all % 1000
        );
        for (steps, name) in &names {
            let _ = write!(style, "\n@keyframes {name}{{{steps}}}");
        }
        head(self.size.0, u32::from(self.size.1) + 2, &style) + &body + "</svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(text: &str) -> vt100::Parser {
        let mut parser = vt100::Parser::new(2, 20, 0);
        parser.process(text.as_bytes());
        parser
    }

    #[test]
    fn a_row_that_stays_is_there_once_and_a_wide_sign_takes_two_cells() {
        let mut film = Film::new((20, 2));
        for (text, millis) in [("方案 a\r\nb", 1000), ("方案 a\r\nc", 3000), ("方案 a\r\nb", 1000)] {
            film.take(screen(text).screen(), millis, "x");
        }
        let svg = film.svg();
        assert_eq!(svg.matches("方案").count(), 1, "{svg}");
        assert!(svg.contains("<text x=\"0 16\"") && svg.contains("<text x=\"40\" y=\"13\""), "{svg}");
        // The second row has two versions; the first of them comes back.
        assert!(svg.contains("0.00%{visibility:visible}20.00%{visibility:hidden}80.00%{visibility:visible}"), "{svg}");
        assert!(svg.contains("0%{visibility:hidden}20.00%{visibility:visible}80.00%{visibility:hidden}"), "{svg}");
        // Without animation: the screen that is shown longest, alone.
        assert_eq!(svg.matches(" visibility=\"hidden\"").count(), 1, "{svg}");
    }
}
