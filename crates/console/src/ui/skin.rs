//! Colours by meaning: a [`Skin`] gives each [`Role`] a style; themes are small TOML files.
//!
//! Invariant: a bad theme never stops the console; what it does not say falls back to the built-in dark theme.

use ratatui::style::{Color, Modifier, Style};
use skydeck_core::domain::language::Language;
use skydeck_core::domain::suggest::nearest;

use super::theme_fault::ThemeFault;

/// What a cell means. Views name roles, never colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Role {
    Text,
    Dim,
    Title,
    Accent,
    Border,
    /// A production environment's frame and name.
    Production,
    Warning,
    Ok,
    Already,
    Skipped,
    Failed,
    Unknown,
    Waiting,
    /// The one-column marker of the row under the cursor.
    Marker,
    /// Laid over the key cells of the row under the cursor, or over all of it ([`Skin::has_bar`]).
    Selection,
    /// The sign of a marked row.
    Marked,
    /// A key in the footer.
    Key,
    Input,
    Notice,
    Error,
}

impl Role {
    /// All, in the order of the enum.
    pub const ALL: [Self; 20] = [
        Self::Text,
        Self::Dim,
        Self::Title,
        Self::Accent,
        Self::Border,
        Self::Production,
        Self::Warning,
        Self::Ok,
        Self::Already,
        Self::Skipped,
        Self::Failed,
        Self::Unknown,
        Self::Waiting,
        Self::Marker,
        Self::Selection,
        Self::Marked,
        Self::Key,
        Self::Input,
        Self::Notice,
        Self::Error,
    ];

    /// Its name in a theme file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Dim => "dim",
            Self::Title => "title",
            Self::Accent => "accent",
            Self::Border => "border",
            Self::Production => "production",
            Self::Warning => "warning",
            Self::Ok => "ok",
            Self::Already => "already",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
            Self::Marker => "marker",
            Self::Selection => "selection",
            Self::Marked => "marked",
            Self::Key => "key",
            Self::Input => "input",
            Self::Notice => "notice",
            Self::Error => "error",
        }
    }

    /// One letter, for screens written as text.
    pub fn letter(self) -> char {
        match self {
            Self::Text => '.',
            Self::Dim => 'd',
            Self::Title => 't',
            Self::Accent => 'a',
            Self::Border => 'b',
            Self::Production => 'P',
            Self::Warning => 'W',
            Self::Ok => 'o',
            Self::Already => 'l',
            Self::Skipped => 's',
            Self::Failed => 'F',
            Self::Unknown => 'U',
            Self::Waiting => 'w',
            Self::Marker => 'm',
            Self::Selection => 'S',
            Self::Marked => 'M',
            Self::Key => 'k',
            Self::Input => 'i',
            Self::Notice => 'n',
            Self::Error => 'E',
        }
    }
}

/// How many colours the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// 24 bits.
    True,
    /// The 256-colour cube.
    Indexed,
    /// The 16 named ones: the theme `ansi16` is used.
    Ansi16,
    /// `NO_COLOR`, or a terminal without: the theme `mono` is used.
    Mono,
}

impl Depth {
    /// There is one theme for so few colours, whichever is asked for.
    pub fn is_poor(self) -> bool {
        match self {
            Self::Ansi16 | Self::Mono => true,
            Self::True | Self::Indexed => false,
        }
    }
}

/// A theme, ready to paint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skin {
    name: String,
    styles: [Style; Role::ALL.len()],
    bar: bool,
}

/// The themes that are built in: name and file.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("dark", include_str!("../../../../themes/dark.toml")),
    ("light", include_str!("../../../../themes/light.toml")),
    ("high-contrast", include_str!("../../../../themes/high-contrast.toml")),
    ("ansi16", include_str!("../../../../themes/ansi16.toml")),
    ("mono", include_str!("../../../../themes/mono.toml")),
    ("ink", include_str!("../../../../themes/ink.toml")),
    ("harbour", include_str!("../../../../themes/harbour.toml")),
];

impl Skin {
    /// The built-in theme of this name.
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, text) = BUILT_IN.iter().find(|(n, _)| *n == name)?;
        Some(Self::read(name, text, &Self::plain()).0)
    }

    /// The theme for a configuration: `name` is a built-in theme (the dark one where there is none of this name) or the name of
    /// `file`'s text; `depth` is what the terminal can show. The second part says what is wrong in the file, for a notice.
    pub fn choose(name: &str, file: Option<&str>, depth: Depth) -> (Self, Vec<ThemeFault>) {
        let base = Self::built_in("dark").unwrap_or_else(Self::plain);
        let (skin, warnings) = match (depth, file, Self::built_in(name)) {
            (Depth::Mono, ..) => (Self::built_in("mono").unwrap_or_else(Self::plain), Vec::new()),
            (Depth::Ansi16, ..) => (Self::built_in("ansi16").unwrap_or_else(Self::plain), Vec::new()),
            (_, Some(text), _) => Self::read(name, text, &base),
            (_, None, skin) => (skin.unwrap_or(base), Vec::new()),
        };
        (if depth == Depth::Indexed { skin.indexed() } else { skin }, warnings)
    }

    /// Says of a name that no theme has it, which is meant perhaps, and which there are.
    pub fn unknown(name: &str, lang: Language) -> String {
        let names: Vec<&str> = BUILT_IN.iter().map(|(n, _)| *n).collect();
        let (near, name) = (nearest(name, &names), skydeck_core::text::show(name, 200));
        let between = if lang == Language::Zh { "、" } else { ", " };
        let names = names.join(between);
        match (lang, near) {
            (Language::En, Some(near)) => {
                format!("no theme `{name}`; did you mean `{near}`? There are {names}, or the path of a theme file")
            }
            (Language::En, None) => format!("no theme `{name}`; there are {names}, or the path of a theme file"),
            (Language::Zh, Some(near)) => {
                format!("没有主题 `{name}`；是不是 `{near}`？现有 {names}，或写主题文件的路径")
            }
            (Language::Zh, None) => format!("没有主题 `{name}`；现有 {names}，或写主题文件的路径"),
        }
    }

    /// Reads a theme: one line a role, `role = "[colour] [on colour] [bold|dim|italic|underline|reverse]…"`; a colour
    /// is `#rrggbb`, 0–255 or a name; and `cursor = "marker"` or `"bar"`. Faults are told and leave things as in `base`.
    pub fn read(name: &str, text: &str, base: &Self) -> (Self, Vec<ThemeFault>) {
        let mut skin = Self { name: name.to_owned(), styles: base.styles, bar: base.bar };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(e) => {
                let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                return (skin, vec![ThemeFault::Unreadable(1 + before.matches('\n').count())]);
            }
        };
        let mut warnings = Vec::new();
        for (key, value) in &table {
            let role = Role::ALL.iter().find(|r| r.name() == key);
            match (role, value.as_str().map(style)) {
                (Some(role), Some(Ok(style))) => skin.set(*role, style),
                (Some(role), Some(Err(word))) => warnings.push(ThemeFault::NoColour { role: role.name(), word }),
                (Some(role), None) => warnings.push(ThemeFault::NotText(role.name())),
                (None, _) if key == "about" => {}
                (None, _) if key == "cursor" => match value.as_str() {
                    Some("bar") => skin.bar = true,
                    Some("marker") => skin.bar = false,
                    _ => warnings.push(ThemeFault::Cursor),
                },
                (None, _) => {
                    let near = nearest(key, &Role::ALL.map(Role::name));
                    warnings.push(ThemeFault::NoRole { key: key.clone(), near });
                }
            }
        }
        (skin, warnings)
    }

    /// A skin whose every role has its own colour, so that a test can read roles back from a painted buffer.
    pub fn of_roles() -> Self {
        let mut skin = Self::plain();
        "roles".clone_into(&mut skin.name);
        for role in Role::ALL {
            if role != Role::Selection {
                skin.set(role, Style::new().fg(Color::Indexed(role as u8)));
            }
        }
        skin.set(Role::Selection, Style::new().add_modifier(Modifier::BOLD));
        skin
    }

    /// The role a cell was painted with under [`Skin::of_roles`].
    pub fn role_of(style: Style) -> Option<Role> {
        match style.fg {
            Some(Color::Indexed(n)) => Role::ALL.get(usize::from(n)).copied(),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the whole row under the cursor wears the selection style, not its key cells alone. A bar repaints two rows
    /// with every move.
    pub fn has_bar(&self) -> bool {
        self.bar
    }

    /// Style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }

    fn set(&mut self, role: Role, style: Style) {
        if let Some(slot) = self.styles.get_mut(role as usize) {
            *slot = style;
        }
    }

    fn plain() -> Self {
        Self { name: "plain".to_owned(), styles: [Style::new(); Role::ALL.len()], bar: false }
    }

    fn indexed(mut self) -> Self {
        for style in &mut self.styles {
            style.fg = style.fg.map(to_indexed);
            style.bg = style.bg.map(to_indexed);
        }
        self
    }
}

fn style(text: &str) -> Result<Style, String> {
    let mut style = Style::new();
    let mut ground = false;
    for word in text.split_whitespace() {
        let modifier = match word {
            "bold" => Modifier::BOLD,
            "dim" => Modifier::DIM,
            "italic" => Modifier::ITALIC,
            "underline" => Modifier::UNDERLINED,
            "reverse" => Modifier::REVERSED,
            "on" => {
                ground = true;
                continue;
            }
            _ => {
                let colour = colour(word).ok_or_else(|| word.to_owned())?;
                style = if ground { style.bg(colour) } else { style.fg(colour) };
                ground = false;
                continue;
            }
        };
        style = style.add_modifier(modifier);
    }
    Ok(style)
}

fn colour(word: &str) -> Option<Color> {
    if let Some(hex) = word.strip_prefix('#') {
        let n = u32::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 6)?;
        return Some(Color::from_u32(n));
    }
    if let Ok(n) = word.parse::<u8>() {
        return Some(Color::Indexed(n));
    }
    Some(match word {
        "default" => Color::Reset,
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "white" => Color::Gray,
        "bright-black" => Color::DarkGray,
        "bright-red" => Color::LightRed,
        "bright-green" => Color::LightGreen,
        "bright-yellow" => Color::LightYellow,
        "bright-blue" => Color::LightBlue,
        "bright-magenta" => Color::LightMagenta,
        "bright-cyan" => Color::LightCyan,
        "bright-white" => Color::White,
        _ => return None,
    })
}

/// Nearest of the 6×6×6 cube or the grey ramp.
fn to_indexed(colour: Color) -> Color {
    let Color::Rgb(r, g, b) = colour else { return colour };
    let level = |v: u8| -> (u8, i32) {
        let steps = [0i32, 95, 135, 175, 215, 255];
        let near = steps.iter().enumerate().min_by_key(|(_, s)| (**s - i32::from(v)).abs());
        near.map_or((0, 0), |(i, s)| (i as u8, *s))
    };
    let far =
        |x: i32, y: i32, z: i32| (x - i32::from(r)).pow(2) + (y - i32::from(g)).pow(2) + (z - i32::from(b)).pow(2);
    let ((ri, rv), (gi, gv), (bi, bv)) = (level(r), level(g), level(b));
    let mean = (i32::from(r) + i32::from(g) + i32::from(b)) / 3;
    let grey = ((mean - 8).max(0) / 10).min(23);
    let grey_value = 8 + grey * 10;
    if far(grey_value, grey_value, grey_value) < far(rv, gv, bv) {
        Color::Indexed(232 + grey as u8)
    } else {
        Color::Indexed(16 + 36 * ri + 6 * gi + bi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_theme_reads_without_a_warning_and_names_every_role() {
        for (name, text) in BUILT_IN {
            let (_, warnings) = Skin::read(name, text, &Skin::plain());
            assert_eq!(warnings, [], "{name}");
            let table: toml::Table = text.parse().unwrap();
            for role in Role::ALL {
                assert!(table.contains_key(role.name()), "{name} lacks {}", role.name());
            }
        }
    }

    #[test]
    fn default_themes_paint_no_ground_under_lists() {
        for (name, _) in BUILT_IN {
            let skin = Skin::built_in(name).unwrap();
            for role in [Role::Text, Role::Selection, Role::Marker, Role::Dim] {
                assert_eq!(skin.style(role).bg, None, "{name} {role:?}");
            }
        }
    }

    /// How bright a colour is to the eye, of those whose shade does not depend on the terminal.
    fn brightness(colour: Color) -> Option<f64> {
        let step = |v: u8| if v == 0 { 0 } else { 55 + 40 * v };
        let (r, g, b) = match colour {
            Color::Rgb(r, g, b) => (r, g, b),
            Color::Indexed(n @ 232..) => (8 + 10 * (n - 232), 8 + 10 * (n - 232), 8 + 10 * (n - 232)),
            Color::Indexed(n @ 16..) => (step((n - 16) / 36), step((n - 16) / 6 % 6), step((n - 16) % 6)),
            _ => return None,
        };
        let linear = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.03928 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        Some(0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b))
    }

    #[test]
    fn every_theme_can_be_read_on_the_ground_it_is_made_for() {
        for (name, _) in BUILT_IN {
            let skin = Skin::built_in(name).unwrap();
            let dark = brightness(Color::Rgb(0x1c, 0x1c, 0x1c)).unwrap();
            let ground = if *name == "light" { 1.0 } else { dark };
            for role in Role::ALL.into_iter().filter(|role| *role != Role::Border) {
                let style = skin.style(role);
                let Some(fore) = style.fg.and_then(brightness) else { continue };
                let back = style.bg.and_then(brightness).unwrap_or(ground);
                let contrast = (fore.max(back) + 0.05) / (fore.min(back) + 0.05);
                assert!(contrast >= 4.5, "{name} {role:?}: {contrast:.2}");
            }
        }
    }

    #[test]
    fn mono_has_no_colour_at_all() {
        let (skin, _) = Skin::choose("dark", None, Depth::Mono);
        for role in Role::ALL {
            assert_eq!((skin.style(role).fg, skin.style(role).bg), (None, None), "{role:?}");
        }
    }

    #[test]
    fn a_bad_theme_warns_and_falls_back() {
        let dark = Skin::built_in("dark").unwrap();
        for (text, en, zh) in [
            ("ok = \"gren\"", "`ok`: no colour `gren`; expected a name", "`ok` 中没有颜色 `gren`；可写颜色名"),
            ("okk = \"green\"", "no role `okk`; did you mean `ok`?", "没有名为 `okk` 的角色；是不是 `ok`？已忽略该行"),
            ("zzzzzzzzz = 1", "no role `zzzzzzzzz`; the line", "没有名为 `zzzzzzzzz` 的角色；已忽略该行"),
            ("ok = 3", "`ok` must be a text", "`ok` 应为文本"),
            ("cursor = \"block\"", "`cursor` is \"marker\" or", "`cursor` 只能是"),
            ("\n\nok = ", "cannot be read from line 3 on", "从第 3 行起无法读取"),
        ] {
            let (skin, faults) = Skin::choose("mine", Some(text), Depth::True);
            let said = |lang| faults.iter().map(|fault| fault.said("mine", lang)).collect::<Vec<_>>();
            let (said_en, said_zh) = (said(Language::En), said(Language::Zh));
            assert!(said_en.len() == 1 && said_en[0].starts_with(&format!("theme `mine`: {en}")), "{said_en:?}");
            assert!(said_zh.len() == 1 && said_zh[0].starts_with(&format!("主题 `mine`：{zh}")), "{said_zh:?}");
            assert_eq!(skin.style(Role::Ok), dark.style(Role::Ok));
        }
        assert_eq!(Skin::choose("nope", None, Depth::True), (dark, Vec::new()));
        assert!(Skin::unknown("lihgt", Language::En).contains("did you mean `light`? There are dark, light"));
        assert!(
            Skin::unknown("High_Contrats", Language::Zh)
                .starts_with("没有主题 `High_Contrats`；是不是 `high-contrast`？")
        );
        assert!(Skin::unknown("春天", Language::Zh).contains("现有 dark、light"));
    }

    #[test]
    fn true_colours_come_down_to_the_cube() {
        assert_eq!(to_indexed(Color::Rgb(255, 0, 0)), Color::Indexed(196));
        assert_eq!(to_indexed(Color::Rgb(128, 128, 128)), Color::Indexed(244));
        assert_eq!(to_indexed(Color::Red), Color::Red);
    }
}
