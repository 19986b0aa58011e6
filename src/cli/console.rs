//! The console: terminal, language and theme chosen, model made, loop run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{Global, Looks};
use crate::boot;
use crate::config::Config;
use crate::domain::cause::CauseTable;
use crate::domain::ids::PlanId;
use crate::domain::language::Language;
use crate::domain::live::Live;
use crate::domain::time::Clock;
use crate::engine::api::Link;
use crate::erp::files;
use crate::exit::{Exit, Stop};
use crate::link::pending::{Opening, pending};
use crate::secret::Known;
use crate::shell::{self, Caps, Colors, Ended, Notify, ShellError, ShellOptions};
use crate::text::Measure;
use crate::ui::Model;
use crate::ui::skin::{Depth, Skin};
use crate::ui::{Lang, UiConfig};

/// What a console is started with.
pub struct Console<'a> {
    /// Options of every verb.
    pub global: &'a Global,
    /// Looks from the command line.
    pub looks: &'a Looks,
    /// Configuration.
    pub config: &'a Config,
    /// Directory relative paths of the configuration start from.
    pub base: PathBuf,
    /// Labels of causes.
    pub causes: Arc<CauseTable>,
    /// Secrets of this process.
    pub known: Arc<Known>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Data directory, for named filters.
    pub data: PathBuf,
    /// Plan under the cursor at first.
    pub select: Option<PlanId>,
    /// Shown beside the product's name, e.g. `demo`.
    pub label: &'a str,
    /// The engine outlives this console: leaving it ends no run.
    pub detachable: bool,
}

/// Said in letters that such a terminal shows.
const NOT_UNICODE: &str =
    "this terminal's locale is not UTF-8: other letters than ASCII show as ?; set LANG=C.UTF-8 or zh_CN.UTF-8";

/// What a theme's name stands for.
enum Theme {
    BuiltIn,
    File(String),
    Unknown,
}

/// A built-in theme, or the text of a file: relative to the configuration where that names it, else to where one is.
fn theme(name: &str, base: Option<&PathBuf>) -> Theme {
    if Skin::built_in(name).is_some() {
        return Theme::BuiltIn;
    }
    let path = base.map_or_else(|| PathBuf::from(name), |base| base.join(name));
    files::read_text(&path, files::LARGEST).map_or(Theme::Unknown, Theme::File)
}

/// Refuses a theme of the command line that is none: who typed it is there to type it again.
///
/// # Errors
/// With the name that may be meant, and those there are.
pub(super) fn require_theme(looks: &Looks) -> Result<(), Stop> {
    match looks.theme.as_deref() {
        Some(wish) if matches!(theme(wish, None), Theme::Unknown) => {
            Err(Stop::both(Exit::Usage, Skin::unknown(wish, Language::En), Skin::unknown(wish, Language::Zh)))
        }
        Some(_) | None => Ok(()),
    }
}

/// With lists as they were shown last; a file that cannot be used is named, and left as it is until something is chosen anew.
fn with_lists(mut ui: UiConfig, path: Option<&Path>) -> UiConfig {
    match path.map_or(Ok(Vec::new()), shell::looks::load_lists) {
        Ok(lists) => ui.lists = lists,
        Err(why) => ui.warnings.push(match ui.lang {
            Lang::Zh => format!("{why}；已忽略：列表按原样显示，重新选择列后覆盖此文件"),
            Lang::En => format!(
                "{why}; ignored: lists are shown as they come, and the next choice of columns replaces the file"
            ),
        }),
    }
    ui
}

/// How finely colours are told apart.
fn depth(colors: Colors) -> Depth {
    match colors {
        Colors::None => Depth::Mono,
        Colors::Ansi => Depth::Ansi16,
        Colors::Indexed => Depth::Indexed,
        Colors::True => Depth::True,
    }
}

impl Console<'_> {
    /// Refuses early where there is no terminal, before anything is started.
    pub fn require_terminal() -> Result<(), Stop> {
        shell::require_terminal().map_err(|e| Stop::both(Exit::Terminal, e.to_string(), e.zh()))
    }

    /// The language a console of this configuration speaks on this terminal.
    pub fn language(global: &Global, config: &Config) -> Language {
        // Chinese on a terminal that cannot show it would be a wall of question marks.
        match boot::language(global.lang, config.console.language.as_deref()) {
            Language::Zh if Caps::detect().unicode => Language::Zh,
            _ => Language::En,
        }
    }

    /// Runs until the operator leaves. Gives the exit code.
    pub async fn run(self, link: Arc<dyn Link>) -> Result<u8, Stop> {
        let looks = &self.config.console;
        let measure = if looks.ambiguous_width == Some(2) { Measure::Wide } else { Measure::Narrow };
        let caps = Caps { measure, ..Caps::detect() };
        let lang = match Self::language(self.global, self.config) {
            Language::Zh => Lang::Zh,
            Language::En => Lang::En,
        };
        let who = boot::who();
        let (filters, look) = (self.data.join("filters.toml"), shell::looks::place(&self.data, who.uid));
        let ui = UiConfig {
            start: looks.start,
            looked: look.as_deref().and_then(shell::looks::load),
            ..self.model_config(caps, lang, who.to_string(), &filters)
        };
        let lists = shell::looks::lists_place(&self.data, who.uid);
        let ui = with_lists(ui, lists.as_deref());
        let (model, first) = Model::new(ui);
        let options = ShellOptions {
            clock: self.clock,
            who,
            caps,
            chinese: lang == Lang::Zh,
            mouse: self.looks.mouse || looks.mouse,
            title: looks.title,
            copy: true,
            notify: match (looks.notification, looks.bell) {
                (true, _) => Notify::Desktop,
                (_, true) => Notify::Bell,
                _ => Notify::Off,
            },
            zone: boot::zone(),
            filters: Some(filters),
            looks: look,
            lists,
            causes: self.causes,
        };
        // Nothing in this process prints a secret; what looks like one is taken out all the same.
        let known = Arc::clone(&self.known);
        shell::crash::install(self.data.clone(), move |report| known.redact(report));
        match shell::run(model, first, link, options).await {
            Ok(ended) => Ok(ended
                .exit_code()
                .unwrap_or_else(|| if ended == Ended::Quit { Exit::Ok.code() } else { Exit::Terminal.code() })),
            Err(e @ (ShellError::NoTerminal(_) | ShellError::DumbTerminal(_) | ShellError::Terminal(_))) => {
                Err(Stop::both(Exit::Terminal, e.to_string(), e.zh()))
            }
        }
    }

    /// What the model is made with.
    fn model_config(&self, caps: Caps, lang: Lang, user: String, filters: &Path) -> UiConfig {
        let looks = &self.config.console;
        let (skin, mut warnings) = self.skin(depth(caps.colors), lang);
        let named = shell::filters::load(filters).unwrap_or_else(|why| {
            warnings.push(why);
            Vec::new()
        });
        if !caps.unicode {
            warnings.push(NOT_UNICODE.to_owned());
        }
        UiConfig {
            lang,
            skin,
            unicode: caps.unicode,
            ascii: self.looks.ascii || looks.ascii.unwrap_or(!caps.unicode),
            measure: caps.measure,
            now: self.clock.now(),
            zone_minutes: chrono::Local::now().offset().local_minus_utc() / 60,
            site: boot::zone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            user,
            causes: (*self.causes).clone(),
            digits: looks.digits,
            keys: self.config.keys.clone().into_iter().collect(),
            filters: named,
            live: Live::default(),
            select: self.select.clone(),
            warnings,
            bell: looks.bell || looks.notification,
            label: self.label.to_owned(),
            detachable: self.detachable,
            ..UiConfig::default()
        }
    }

    /// Paints at once and opens the engine behind the picture. Gives what was opened, which is to be ended in order,
    /// and how the console ended; when opening fails, the console ends and its reason is the answer.
    pub async fn run_while_opening<B>(
        self,
        open: impl AsyncFnOnce(Opening) -> Result<B, Stop>,
    ) -> (Option<B>, Result<u8, Stop>) {
        let (opening, link) = pending();
        let mut console = std::pin::pin!(self.run(Arc::new(link)));
        let mut open = std::pin::pin!(open(opening));
        tokio::select! {
            opened = &mut open => match opened {
                Ok(opened) => (Some(opened), console.await),
                Err(stop) => (None, Err(stop)),
            },
            // Left before it was open: what is half open is opened, to be closed in order.
            code = &mut console => match open.await {
                Ok(opened) => (Some(opened), code),
                Err(stop) => (None, Err(stop)),
            },
        }
    }

    /// The theme of the command line, else of the configuration; with what is wrong with it.
    fn skin(&self, depth: Depth, lang: Lang) -> (Skin, Vec<String>) {
        let asked = self.looks.theme.as_deref();
        let wish = asked.or(self.config.console.theme.as_deref()).unwrap_or("dark");
        let spoken = if lang == Lang::Zh { Language::Zh } else { Language::En };
        let (skin, mut warnings) = match theme(wish, asked.is_none().then_some(&self.base)) {
            Theme::BuiltIn => (Skin::choose(wish, None, depth).0, Vec::new()),
            Theme::File(text) => {
                let (skin, faults) = Skin::choose(wish, Some(&text), depth);
                (skin, faults.iter().map(|fault| fault.said(wish, spoken)).collect())
            }
            Theme::Unknown => {
                let used = if lang == Lang::Zh { "；使用 `dark`" } else { "; `dark` is used" };
                (Skin::choose("dark", None, depth).0, vec![Skin::unknown(wish, spoken) + used])
            }
        };
        // Who names one sees why it is another.
        if asked.is_some() && depth.is_poor() && skin.name() != wish {
            warnings.push(match lang {
                Lang::Zh => format!("此终端的颜色太少，或设置了 NO_COLOR：使用主题 `{}`", skin.name()),
                Lang::En => {
                    format!("this terminal has too few colours, or NO_COLOR is set: theme `{}` is used", skin.name())
                }
            });
        }
        (skin, warnings)
    }
}
