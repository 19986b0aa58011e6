//! What can stand for an argument: read from files, asked of the engine, or seen in the newest facts where none is running.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap_complete::CompletionCandidate;

use super::option;
use crate::boot::{self, EXAMPLES, Paths, SHIPPED, who};
use crate::cli::plans;
use crate::config::Config;
use crate::domain::event::Event;
use crate::domain::filter::Word;
use crate::domain::filter::values::statuses;
use crate::domain::language::Language;
use crate::domain::query::{Answer, PageRequest, Query};
use crate::engine::api::Link as _;
use crate::link::remote::RemoteLink;
use crate::shell;
use crate::store::journal::recent;
use crate::text::hostile;

/// How long the engine may take to answer.
const PATIENCE: Duration = Duration::from_millis(80);
/// Most candidates of one kind: more are no help.
const MOST: usize = 60;
/// Runs that are looked through.
const RUNS: u32 = 200;
/// So much of the journal is read where no engine is asked, bytes.
const RECENT: usize = 1 << 20;

/// What is offered for an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Plans of the plan directory.
    Plan,
    /// Plans in the program.
    Shipped,
    /// Environments.
    Environment,
    /// Runs, newest first.
    Run,
    /// Bill numbers.
    Bill,
    /// The last word of a filter: a saved view, a key, a value of one.
    Filter,
}

/// A candidate, and what it is.
type Candidate = (String, String);

impl Offered {
    /// What continues what was typed.
    pub fn candidates(self, typed: &OsStr) -> Vec<CompletionCandidate> {
        let Some(typed) = typed.to_str() else { return Vec::new() };
        let site = Site::find();
        let found = match self {
            Self::Plan => site.plans(),
            Self::Shipped => {
                SHIPPED.iter().chain(EXAMPLES).map(|(name, _)| ((*name).to_owned(), String::new())).collect()
            }
            Self::Environment => site.environments(),
            Self::Run => site.runs(typed),
            Self::Bill => site.bills(typed),
            Self::Filter => site.filter(typed),
        };
        let fits = |(word, _): &Candidate| {
            let obeyed = |c: char| c.is_control() || c == ' ' || hostile(c) || "'\"\\$`!;|&<>()*?[]{}#~".contains(c);
            // What was typed was typed by whoever reads it.
            word.strip_prefix(typed).is_some_and(|rest| !rest.contains(obeyed))
        };
        let found = found.into_iter().filter(fits).take(MOST);
        found
            .map(|(word, what)| {
                let what = crate::text::show(&what, 120).into_string();
                CompletionCandidate::new(word).help((!what.is_empty()).then(|| what.into()))
            })
            .collect()
    }
}

/// Where the line that is being typed would work.
struct Site {
    paths: Option<Paths>,
    config: Config,
    lang: Language,
}

/// Words of an outcome, of one of the two languages.
fn words_of(of_language: fn(&str) -> bool) -> Vec<Candidate> {
    let words: BTreeSet<String> = statuses().into_iter().filter(|word| of_language(word)).collect();
    words.into_iter().map(|word| (word, String::new())).collect()
}

/// Words of the calendar.
fn days(lang: Language) -> Vec<Candidate> {
    Word::offered(lang).map(|word| (word.to_owned(), String::new())).collect()
}

impl Site {
    /// By the options of the line, as the verb itself would find it. What cannot be read is empty.
    fn find() -> Self {
        let path = |name: &str| option(name).map(PathBuf::from);
        let paths = Paths::find(path("--config").as_deref(), path("--data").as_deref()).ok();
        let lang = boot::language(None, None);
        let config = paths.as_ref().and_then(|paths| boot::config(paths, false, lang).ok()).unwrap_or_default();
        Self { paths, config, lang }
    }

    fn plans(&self) -> Vec<Candidate> {
        let Some(paths) = &self.paths else { return Vec::new() };
        let dir = paths.config_dir().join(self.config.plans.clone().unwrap_or_else(|| "plans".into()));
        let named = plans::names(&dir).into_iter().map(|name| {
            let read = boot::read_plan(&dir.join(format!("{name}.json")));
            (name, read.map(|(file, _)| file.plan.name).unwrap_or_default())
        });
        named.collect()
    }

    fn environments(&self) -> Vec<Candidate> {
        let all = self.config.environments.iter().map(|env| &env.environment);
        all.map(|env| (env.id.to_string(), format!("{} {}", env.address, env.account_set))).collect()
    }

    fn runs(&self, typed: &str) -> Vec<Candidate> {
        if let Some(Answer::Runs(page)) = self.ask(Query::Runs(PageRequest::first(RUNS))) {
            let of = |row: &crate::domain::run::RunRow| (row.head.id.to_string(), row.head.plan.to_string());
            return page.rows.iter().map(|(_, row)| of(row)).collect();
        }
        let mut seen = BTreeSet::new();
        let mut found: Vec<Candidate> = Vec::new();
        for fact in self.recent() {
            let plan = if let Event::RunOpened(head) = &fact.event { head.plan.to_string() } else { String::new() };
            let Some(run) = fact.event.run() else { continue };
            let id = run.to_string();
            if !id.starts_with(typed) {
                continue;
            }
            if seen.insert(id.clone()) {
                found.push((id, plan));
            } else if let Some(known) = found.iter_mut().find(|(known, what)| *known == id && what.is_empty()) {
                known.1 = plan;
            }
        }
        found
    }

    fn bills(&self, typed: &str) -> Vec<Candidate> {
        // Of a list, the last number is being typed.
        let (before, last) = typed.rsplit_once(',').map_or(("", typed), |(before, last)| (before, last));
        let head = if before.is_empty() { String::new() } else { format!("{before},") };
        let limit = u32::try_from(MOST).unwrap_or(u32::MAX);
        let asked = self.ask(Query::FindBill { number: last.to_owned(), limit });
        let mut seen = BTreeSet::new();
        let numbers: Vec<Candidate> = if let Some(Answer::Bills(page)) = asked {
            page.rows.into_iter().map(|(_, row)| (row.no.clone(), row.plan.to_string())).collect()
        } else {
            let found = self.recent().into_iter().filter_map(|fact| match fact.event {
                Event::BillsFound { bills, .. } => Some(bills),
                _ => None,
            });
            found.flatten().map(|bill| (bill.no, String::new())).collect()
        };
        let numbers = numbers.into_iter().filter(|(no, _)| no.starts_with(last) && seen.insert(no.clone()));
        numbers.map(|(no, what)| (format!("{head}{no}"), what)).collect()
    }

    fn filter(&self, typed: &str) -> Vec<Candidate> {
        // One word of it is being typed; what stands before stays.
        let (before, last) = typed.rsplit_once(' ').map_or(("", typed), |(before, last)| (before, last));
        let head = if before.is_empty() { String::new() } else { format!("{before} ") };
        let (sign, word) = last.strip_prefix('-').map_or(("", last), |word| ("-", word));
        let of = |key: &str, values: Vec<Candidate>| -> Vec<Candidate> {
            values.into_iter().map(|(value, what)| (format!("{key}{value}"), what)).collect()
        };
        let found = match word.split_once(':') {
            Some((key @ "cause", _)) => of(&format!("{key}:"), self.causes(self.lang)),
            // In the words of the lists, as they are read there.
            Some((key @ "原因", _)) => {
                let causes = self.causes(Language::Zh);
                let said = causes.iter().map(|(id, label)| (label.clone(), id.clone()));
                of(&format!("{key}:"), said.chain(causes.iter().cloned()).collect())
            }
            Some((key @ ("status" | "outcome"), _)) => of(&format!("{key}:"), words_of(str::is_ascii)),
            Some((key @ ("结果" | "处理结果"), _)) => of(&format!("{key}:"), words_of(|word| !word.is_ascii())),
            Some((key @ ("date" | "ran" | "since"), _)) => of(&format!("{key}:"), days(Language::En)),
            Some((key @ ("日期" | "运行时间" | "首次"), _)) => of(&format!("{key}:"), days(Language::Zh)),
            Some((key @ ("plan" | "方案"), _)) => of(&format!("{key}:"), self.plans()),
            Some((key @ ("env" | "环境"), _)) => of(&format!("{key}:"), self.environments()),
            Some((key @ ("run" | "运行"), rest)) => of(&format!("{key}:"), self.runs(rest)),
            Some(_) => Vec::new(),
            None => {
                let keys = self.lang.t(
                    "cause status plan env run date ran since",
                    "cause status plan env run date ran since 原因 结果 方案 环境 运行 日期 运行时间 首次",
                );
                let keys = keys.split(' ').map(|key| (format!("{key}:"), String::new()));
                self.views().into_iter().chain(keys).collect()
            }
        };
        found.into_iter().map(|(word, what)| (format!("{head}{sign}{word}"), what)).collect()
    }

    /// Names of the causes, each with its words.
    fn causes(&self, lang: Language) -> Vec<Candidate> {
        let base = self.paths.as_ref().map(Paths::config_dir).unwrap_or_default();
        let table = boot::causes(&self.config, &base, self.lang).unwrap_or_default();
        let label = |zh: String, en: String| if lang == Language::Zh { zh } else { en };
        table.cause.into_iter().map(|info| (info.cause.to_string(), label(info.zh, info.en))).collect()
    }

    fn views(&self) -> Vec<Candidate> {
        let Some(paths) = &self.paths else { return Vec::new() };
        let views = shell::filters::load(&paths.data.join("filters.toml")).unwrap_or_default();
        views.into_iter().map(|view| (format!("@{}", view.name), view.text)).collect()
    }

    /// Asks the engine of the line, where one is running and answers soon.
    fn ask(&self, query: Query) -> Option<Answer> {
        let socket = match option("--attach") {
            Some(socket) => PathBuf::from(socket),
            None => self.paths.as_ref()?.data.join(boot::SOCKET),
        };
        if !socket.exists() {
            return None;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let asked = async move {
            let link = RemoteLink::new(&socket, who(), None);
            tokio::time::timeout(PATIENCE, link.ask(query)).await
        };
        let answer = runtime.block_on(asked).ok()?.ok();
        runtime.shutdown_background();
        answer
    }

    /// The newest facts of the directory.
    fn recent(&self) -> Vec<crate::domain::event::Fact> {
        let own = option("--attach").is_none();
        let data = self.paths.as_ref().filter(|_| own).map(|paths| paths.data.join("journal"));
        data.map(|journal| recent::recent(&journal, RECENT)).unwrap_or_default()
    }
}
