//! What the terminal can do, read from the environment alone: no query is sent, so a slow link costs nothing at start.
//!
//! Invariant: a doubt is decided for the poorer terminal.

use skydeck_core::text::Measure;

/// How many colours may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colors {
    /// None: `NO_COLOR`, or a monochrome terminal. Attributes remain.
    None,
    /// The sixteen of the terminal's own palette.
    Ansi,
    /// The 256 of xterm.
    Indexed,
    /// 24 bit.
    True,
}

/// What stands between us and the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Through {
    /// Nothing that we know of.
    #[default]
    Nothing,
    /// tmux, which passes a copied text on where it is told to.
    Tmux,
    /// GNU screen, which does not.
    Screen,
}

/// What the terminal can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Colours.
    pub colors: Colors,
    /// Whether the locale is UTF-8; without it frames are ASCII and the language is English.
    pub unicode: bool,
    /// Whether it knows titles, clipboard and synchronized output (anything that talks xterm).
    pub xterm: bool,
    /// How wide it makes characters of ambiguous width; no variable says so, the configuration does.
    pub measure: Measure,
    /// What stands between, by `TMUX`, `STY` and `TERM`.
    pub through: Through,
}

impl Caps {
    /// From this process's environment.
    pub fn detect() -> Self {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// From the variables `NO_COLOR`, `COLORTERM`, `TERM`, `LC_ALL`, `LC_CTYPE`, `LANG`, `TMUX`, `STY`.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let truecolor = set("COLORTERM").is_some_and(|c| c == "truecolor" || c == "24bit") || term.ends_with("-direct");
        let monochrome = ["vt1", "vt2", "vt3", "vt5", "dumb"].iter().any(|old| term.starts_with(old))
            || term.ends_with("-m")
            || term.ends_with("-mono")
            || term.is_empty();
        let colors = match () {
            () if set("NO_COLOR").is_some() || monochrome => Colors::None,
            () if truecolor => Colors::True,
            () if term.contains("256") || term.contains("kitty") || term.contains("alacritty") => Colors::Indexed,
            () => Colors::Ansi,
        };
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_lowercase();
        let unicode = locale.contains("utf-8") || locale.contains("utf8");
        let xterm = !monochrome && !term.starts_with("linux") && !term.starts_with("cons");
        // The inner one of the two sets TERM; over ssh that is all there is left of it.
        let through = match () {
            () if term.starts_with("tmux") => Through::Tmux,
            () if set("TMUX").is_some() => Through::Tmux,
            () if set("STY").is_some() || term.starts_with("screen") => Through::Screen,
            () => Through::Nothing,
        };
        Self { colors, unicode, xterm, measure: Measure::Narrow, through }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides() {
        for (vars, colors, unicode, xterm) in [
            (
                &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "zh_CN.UTF-8")][..],
                Colors::True,
                true,
                true,
            ),
            (&[("TERM", "xterm-256color"), ("LANG", "en_US.utf8")], Colors::Indexed, true, true),
            (&[("TERM", "xterm"), ("LANG", "C")], Colors::Ansi, false, true),
            (&[("TERM", "xterm"), ("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")], Colors::Ansi, false, true),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], Colors::None, false, true),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "")], Colors::Indexed, false, true),
            (&[("TERM", "vt100"), ("COLORTERM", "truecolor")], Colors::None, false, false),
            (&[("TERM", "linux"), ("LANG", "C.UTF-8")], Colors::Ansi, true, false),
            (&[("TERM", "xterm-direct")], Colors::True, false, true),
            (&[], Colors::None, false, false),
        ] {
            let caps = Caps::from_vars(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()));
            let through = Through::Nothing;
            assert_eq!(caps, Caps { colors, unicode, xterm, measure: Measure::Narrow, through }, "{vars:?}");
        }
    }

    #[test]
    fn what_stands_between_is_told_by_its_own_variables_or_by_the_terminals_name() {
        for (vars, through) in [
            (&[("TERM", "xterm-256color")][..], Through::Nothing),
            (&[("TERM", "screen-256color"), ("TMUX", "/tmp/tmux-1/default,1,0")], Through::Tmux),
            (&[("TERM", "tmux-256color")], Through::Tmux),
            (&[("TERM", "screen.xterm-256color"), ("STY", "1.pts-0.h")], Through::Screen),
            (&[("TERM", "screen")], Through::Screen),
            (&[("TERM", "tmux-256color"), ("STY", "1.pts-0.h")], Through::Tmux),
        ] {
            let caps = Caps::from_vars(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()));
            assert_eq!(caps.through, through, "{vars:?}");
        }
    }
}
