//! Standard output and error of the verbs: tables for people, JSON lines for programs.
//!
//! Invariant: text from outside passes [`show`] before it is printed.

use std::borrow::Cow;
use std::io::{self, IsTerminal};
use std::path::Path;

use comfy_table::{ContentArrangement, Table, presets};

use super::{json, output};
use crate::domain::bill::{BillState, Outcome, Skip, Slot, Unknown, UnknownWhy};
use crate::domain::cause::{Cause, CauseTable};
use crate::domain::command::Refusal;
use crate::domain::detail_words;
use crate::domain::ids::OpId;
use crate::domain::language::Language;
use crate::domain::making_words;
use crate::domain::operation_words::{self as names, Tongue, Words};
use crate::domain::reached;
use crate::domain::reason::Reason;
use crate::domain::run::{BillRow, RunEnd, RunHead, RunRow, RunState, Tally};
use crate::domain::step::Step;
use crate::domain::system_words;
use crate::domain::time::Ts;
use crate::exit::Stop;
use crate::text::show;

/// Longest text of a table cell, bytes.
const CELL: usize = 1024;
/// Longest text of a sentence, bytes.
const TEXT: usize = 8 * 1024;

/// Where a verb writes.
pub struct Out {
    /// JSON lines instead of tables.
    pub json: bool,
    /// Language of people's text.
    pub lang: Language,
    /// Where the console keeps the views that `@name` means.
    pub views: std::path::PathBuf,
    /// Labels of causes.
    pub causes: std::sync::Arc<CauseTable>,
    /// Lines go to standard error: standard output holds something else.
    pub beside: bool,
}

impl Out {
    /// One of two texts.
    pub fn t<'a>(&self, en: &'a str, zh: &'a str) -> &'a str {
        match self.lang {
            Language::En => en,
            Language::Zh => zh,
        }
    }

    /// Whether people read Chinese.
    pub fn is_zh(&self) -> bool {
        self.lang == Language::Zh
    }

    /// A text after what it is: a colon and a blank in English, the wide colon alone in Chinese.
    pub fn colon(&self, en: &str, zh: &str, text: &str) -> String {
        match self.lang {
            Language::En => format!("{en}: {text}"),
            Language::Zh => format!("{zh}：{text}"),
        }
    }

    /// Words of others after what they are about; in Chinese in quotation marks.
    pub fn quoting(&self, about: &str, said: &str) -> String {
        match self.lang {
            Language::En => format!("{about}: {said}"),
            Language::Zh => format!("{about}：“{said}”"),
        }
    }

    /// What a call came to, after what it is about: what our own client noted in the chosen language, words of others quoted.
    pub fn noting(&self, about: &str, said: &str) -> String {
        match (self.lang, detail_words::zh(said)) {
            (Language::Zh, Some(ours)) => format!("{about}：{ours}"),
            (Language::Zh | Language::En, _) => self.quoting(about, said),
        }
    }

    /// The same of what went wrong on its way, where no word is the server's.
    pub fn on_the_way(&self, about: &str, said: &str) -> String {
        match self.lang {
            Language::En => format!("{about}: {said}"),
            Language::Zh => format!("{about}：{}", detail_words::of_the_way(said)),
        }
    }

    /// Wrong usage, in the chosen language.
    pub fn usage(&self, en: &str, zh: &str) -> Stop {
        Stop::usage(self.t(en, zh))
    }

    /// What cannot be done to a file, and what the system says of it.
    pub fn failed(&self, file: &str, en: &str, zh: &str, why: &dyn std::fmt::Display) -> Stop {
        Stop::usage(match self.lang {
            Language::En => format!("{file}: {en}: {why}"),
            Language::Zh => format!("{file}：{zh}：{}", system_words::chinese(&why.to_string())),
        })
    }

    /// A sentence of the store.
    pub fn of_store<'a>(&self, said: &'a str) -> Cow<'a, str> {
        match self.lang {
            Language::En => Cow::Borrowed(said),
            Language::Zh => Cow::Owned(crate::store::words::chinese(said)),
        }
    }

    /// There is no data directory to look at.
    pub fn nothing_in(&self, data: &Path) -> Stop {
        let words = self.t(": no data directory; nothing was ever run here", "：没有数据目录，这里从未运行过");
        Stop::usage(format!("{}{words}", data.display()))
    }

    /// No environment is there to work with.
    pub fn no_environment(&self, config: &Path) -> Stop {
        let file = config.display();
        self.usage(
            &format!("no environment is configured: write {file}, or let `skydeck env add` do it"),
            &format!("没有配置环境：请编写 {file}，或用 `skydeck env add` 添加"),
        )
    }

    /// A line on standard output.
    pub fn line(&self, text: &str) -> io::Result<()> {
        if self.beside {
            output::note(text);
            return Ok(());
        }
        output::line(text)
    }

    /// The same, with its lines on standard error.
    #[must_use]
    pub fn aside(&self) -> Self {
        Self {
            json: false,
            beside: true,
            lang: self.lang,
            views: self.views.clone(),
            causes: std::sync::Arc::clone(&self.causes),
        }
    }

    /// A JSON document of several lines.
    pub fn document(&self, json: &str) -> io::Result<()> {
        output::json(json)
    }

    /// A JSON object on a line of standard output.
    pub fn object(&self, value: &serde_json::Value) -> io::Result<()> {
        output::object(value)
    }

    /// A line for the person at standard error.
    pub fn note(&self, text: &str) {
        output::note(text);
    }

    /// A table on standard output.
    pub fn table(&self, head: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(head.iter().map(|h| h.to_uppercase()));
        if io::stdout().is_terminal() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        for row in rows {
            table.add_row(row.iter().map(|cell| show(cell, CELL).as_str().to_owned()));
        }
        output::lines(table.trim_fmt().lines())
    }

    /// A moment in local time, with the zone said.
    pub fn time(&self, at: Ts) -> String {
        chrono::DateTime::from_timestamp_millis(at.0)
            .map(|utc| utc.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M:%S %:z").to_string())
            .unwrap_or_default()
    }

    /// Words for bills of an operation.
    pub fn words(&self, op: &OpId) -> &'static Tongue {
        names::words(op).tongue(self.lang)
    }

    /// Where a bill of an operation stands, in a word.
    pub fn slot(&self, op: &OpId, slot: Slot) -> &'static str {
        names::words(op).column(self.lang, slot)
    }

    /// The sum line: `found 10 = audited 7 + … + unknown 0`; of any other operation than Audit with its name before it.
    pub fn sum(&self, row: &RunRow) -> String {
        let (op, tally) = (&row.head.op, &row.tally);
        let sum = self.columns(names::in_sum(op), tally);
        let name = if op.is_audit() { String::new() } else { self.named(op) + self.t(": ", "：") };
        let said = if row.op_unknown { self.t(" (said by 0.1.0)", "（0.1.0 所记）") } else { "" };
        let left = row.collected.as_ref().and_then(|collected| collected.unchanged.as_ref());
        let left = left.map(|left| {
            format!("{}{}{}", self.t("; ", "；"), left.bills, self.t(" carried, unchanged", " 张未变化，保持遗留"))
        });
        format!("{name}{} {} = {sum}{said}{}", self.t("found", "共"), tally.found, left.unwrap_or_default())
    }

    /// The name of an operation, safe to show.
    pub fn named(&self, op: &OpId) -> String {
        show(names::name(op), CELL).as_str().to_owned()
    }

    fn columns(&self, words: &'static Words, tally: &Tally) -> String {
        let shown =
            Slot::ALL.iter().filter(|slot| !matches!(slot, Slot::Waiting | Slot::NotReached) || tally.get(**slot) > 0);
        let parts: Vec<String> =
            shown.map(|slot| format!("{} {}", words.column(self.lang, *slot), tally.get(*slot))).collect();
        parts.join(" + ")
    }

    /// A call: the step's word, or the operation's name. 0.1.0 wrote the call of every operation down as `audit`.
    pub fn step(&self, op: &OpId, step: Step) -> String {
        match (self.lang, step) {
            (Language::Zh, step) => crate::ui::step_word(self.console(), op, step),
            (Language::En, Step::Audit | Step::Operate) if !op.is_audit() && names::made_form(op).is_none() => {
                names::call_en(op).to_owned()
            }
            (Language::En, step) => step.word().to_owned(),
        }
    }

    /// A call in its place among those of the bill: `audit, try 1`, `第 1 次审核`.
    pub fn tried(&self, op: &OpId, step: Step, attempt: u64) -> String {
        let step = self.step(op, step);
        match self.lang {
            Language::En => format!("{step}, try {attempt}"),
            Language::Zh => format!("第 {attempt} 次{step}"),
        }
    }

    /// The sum line of a run. Nothing is told of the bills of one that closed without anybody approving it.
    pub fn sum_of(&self, row: &RunRow) -> String {
        if row.is_untold() && row.tally.found > 0 {
            let words = if row.state == RunState::Closed(RunEnd::Collected) {
                self.t("kept for look-ups, nothing was called", "已留存供查找，未作任何调用")
            } else {
                self.t("not approved, nothing was done", "未批准，未做任何处理")
            };
            return format!("{} {}{}{words}", self.t("found", "共"), row.tally.found, self.t("; ", "；"));
        }
        if row.has_read_nothing() {
            return self.t("nothing was read back", "没有回查任何单据").to_owned();
        }
        self.sum(row)
    }

    /// Where a run stands: the words of the console.
    pub fn run_state(&self, row: &RunRow) -> String {
        let lang = self.console();
        let word = crate::ui::run_word(lang, &row.state, &row.tally);
        match json::run_state(&row.state).1 {
            Some(why) => self.colon(word, word, &self.reason_of(&why)),
            None => word.to_owned(),
        }
    }

    /// Where a bill stands, and why, in the run it is listed for.
    pub fn bill(&self, row: &BillRow) -> (String, String) {
        if row.untold {
            (self.t("not approved", "未批准").to_owned(), String::new())
        } else {
            let (state, why) = self.state(&row.key.op, &row.state);
            (state, reached::before(row, self.lang, why))
        }
    }

    /// Where a bill stands, and why: (state, reason).
    pub fn state(&self, op: &OpId, state: &BillState) -> (String, String) {
        match state {
            BillState::Waiting => (self.slot(op, Slot::Waiting).to_owned(), String::new()),
            BillState::Trying { step, attempt, .. } => {
                (self.t("trying", "处理中").to_owned(), self.tried(op, *step, u64::from(*attempt)))
            }
            BillState::RetryAt { at, cause, .. } => {
                (self.t("retry at", "待重试").to_owned(), format!("{} {}", self.time(*at), self.cause(cause.as_str())))
            }
            BillState::Settled(outcome) => (self.slot(op, outcome.slot()).to_owned(), self.reason(op, outcome)),
        }
    }

    /// Why an outcome is what it is, with the server's own words.
    pub fn reason(&self, op: &OpId, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Done { verified: true } => self.t("read back", "回查证实").to_owned(),
            // Of these the column says all there is.
            Outcome::Done { verified: false } | Outcome::Skipped(Skip::NotReached) => String::new(),
            Outcome::Already { by, on } => {
                let by = by.as_deref().unwrap_or_else(|| names::nobody(op, self.lang));
                let on = on.as_ref().map(|d| d.as_str().replace('T', " ")).unwrap_or_default();
                format!("{by} {on}").trim().to_owned()
            }
            Outcome::Skipped(skip) => self.cause(skip.word()),
            Outcome::Failed(failure) => {
                let cause = self.causes.info_failed(&failure.cause).map_or(&failure.cause, |info| &info.cause);
                let label = self.cause(cause.as_str());
                let label = match self.causes.flag(failure) {
                    Some(flag) => match self.lang {
                        Language::En => format!("{label} (flag {flag})"),
                        Language::Zh => format!("{label}（交互标志 {flag}）"),
                    },
                    None => label,
                };
                match making_words::ours(failure, self.lang) {
                    Some(said) => self.colon(&label, &label, &said),
                    None if failure.message.is_empty() => label,
                    None => self.noting(&label, &failure.message),
                }
            }
            Outcome::Unknown(unknown) if unknown.detail.is_empty() => self.cause(unknown.why.word()),
            Outcome::Unknown(Unknown { why: why @ UnknownWhy::Broken, detail, .. }) => {
                self.on_the_way(&self.cause(why.word()), detail)
            }
            Outcome::Unknown(unknown) => self.noting(&self.cause(unknown.why.word()), &unknown.detail),
        }
    }

    /// A reason in the chosen language.
    pub fn reason_of(&self, why: &Reason) -> String {
        let label = |cause: &Cause| self.cause(cause.as_str());
        let said = match self.lang {
            Language::En => why.en_with(&label),
            Language::Zh => why.zh_with(&label),
        };
        // Its arguments may be the server's words.
        show(&said, TEXT).into_string()
    }

    /// Why an order was refused, in the chosen language.
    pub fn refusal(&self, refusal: &Refusal) -> String {
        match (self.lang, refusal) {
            (Language::En, refusal) => refusal.to_string(),
            (Language::Zh, Refusal::SecondPerson(why)) => self.reason_of(why),
            (Language::Zh, Refusal::Nothing(why)) => format!("无事可做：{}", self.reason_of(why)),
            (Language::Zh, refusal) => format!("未执行：{}", self.reason_of(refusal.reason())),
        }
    }

    /// What a run was cut to by hand, safe to show.
    pub fn range(&self, head: &RunHead) -> Option<String> {
        let range = head.range.as_ref()?;
        let said = match self.lang {
            Language::En => range.en(),
            Language::Zh => range.zh(),
        };
        Some(show(&said, CELL).as_str().to_owned())
    }

    /// The console's language.
    pub fn console(&self) -> crate::ui::Lang {
        match self.lang {
            Language::En => crate::ui::Lang::En,
            Language::Zh => crate::ui::Lang::Zh,
        }
    }

    /// Label of a cause, a skip or a way of not knowing in the chosen language; its name where nobody described it.
    pub fn cause(&self, name: &str) -> String {
        if let Some(info) = self.causes.cause.iter().find(|info| info.cause.as_str() == name) {
            return self.t(&info.en, &info.zh).to_owned();
        }
        self.console().group(name).unwrap_or(name).to_owned()
    }
}
