//! One exported bill as named fields, raw: the writer of each format makes them safe for its reader.

use chrono::{DateTime, Utc};

use skydeck_core::domain::bill::{BillState, Outcome};
use skydeck_core::domain::erp_status::After;
use skydeck_core::domain::language::Language;
use skydeck_core::domain::making_words;
use skydeck_core::domain::operation_words;
use skydeck_core::domain::query::Scope;
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::time::{ErpDate, Ts};
use skydeck_core::domain::zone::Zone;

/// A bill with the names of its columns.
#[derive(Clone, Debug)]
pub struct Row {
    /// The bill.
    pub bill: BillRow,
    /// Names of [`BillRow::columns`].
    pub names: Vec<String>,
    /// Zone of its dates.
    pub zone: Zone,
}

/// A column of the export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// Bill number.
    No,
    /// Internal id.
    Fid,
    /// Column of the sum line.
    Outcome,
    /// Cause, reason or way of not knowing.
    Cause,
    /// The server's message, or the transport's.
    Message,
    /// `MsgCode`.
    Code,
    /// Status in the ERP after what was done; empty where it is not known.
    Status,
    /// Writing calls made.
    Attempts,
    /// Last change.
    At,
    /// Since when unresolved.
    OpenSince,
    /// Plan.
    Plan,
    /// Run.
    Run,
    /// Environment.
    Env,
    /// Business object.
    Form,
    /// One column of the plan, by its place.
    Column(usize, String),
    /// What the status is known by.
    StatusBy,
    /// Since when it is known (or is not), by our clock.
    StatusAt,
    /// When the bill was audited, by the ERP's clock, where that was read.
    AuditedErp,
    /// Status in the ERP before what was done.
    StatusBefore,
    /// Last change before that, by the ERP's clock.
    ModifiedErp,
    /// The name of the outcome for scripts, where its own column has the word of the lists.
    OutcomeCode,
    /// The same of the cause.
    CauseCode,
    /// The operation; there where any row has another one than Audit, and last, so that the others keep their places.
    Operation,
    /// Number of the bill that was made of it; there where any row has one, and behind all others.
    Made,
}

/// What some rows of a list have and others do not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Others {
    /// There are rows of other operations than Audit.
    pub operation: bool,
    /// There are rows of which a bill was made.
    pub made: bool,
}

impl Field {
    /// Fields of a list; the columns of its plans stand each for itself. `others`: what some rows have.
    pub fn all(scope: Scope, columns: &[String], others: Others) -> Vec<Self> {
        let mut fields = vec![
            Self::No,
            Self::Fid,
            Self::Outcome,
            Self::Cause,
            Self::Message,
            Self::Code,
            Self::Status,
            Self::Attempts,
            Self::At,
        ];
        if scope == Scope::Ledger {
            fields.push(Self::OpenSince);
        }
        fields.extend([Self::Plan, Self::Run, Self::Env, Self::Form]);
        fields.extend(columns.iter().cloned().enumerate().map(|(i, name)| Self::Column(i, name)));
        fields.extend([Self::StatusBy, Self::StatusAt, Self::AuditedErp, Self::StatusBefore, Self::ModifiedErp]);
        fields.extend(others.operation.then_some(Self::Operation));
        fields.extend(others.made.then_some(Self::Made));
        fields
    }

    /// Name in JSON, the same in every language.
    pub fn key(&self) -> &str {
        match self {
            Self::No => "no",
            Self::Fid => "fid",
            Self::Outcome => "outcome",
            Self::Cause => "cause",
            Self::Message => "message",
            Self::Code => "msg_code",
            Self::Status => "erp_status",
            Self::Attempts => "attempts",
            Self::At => "at",
            Self::OpenSince => "open_since",
            Self::Plan => "plan",
            Self::Run => "run",
            Self::Env => "env",
            Self::Form => "form",
            Self::Column(_, name) => name,
            Self::StatusBy => "erp_status_by",
            Self::StatusAt => "erp_status_at",
            Self::AuditedErp => "audit_erp_time",
            Self::StatusBefore => "erp_status_before",
            Self::ModifiedErp => "modified_before_erp_time",
            Self::OutcomeCode => "outcome_code",
            Self::CauseCode => "cause_code",
            Self::Operation => "operation",
            Self::Made => "made_no",
        }
    }

    /// Heading for people.
    pub fn heading(&self, lang: Language) -> &str {
        if lang == Language::En {
            return self.key();
        }
        match self {
            Self::No => "单据编号",
            Self::Fid => "内码",
            Self::Outcome => "处理结果",
            Self::Cause => "原因",
            Self::Message => "ERP 返回信息",
            Self::Code => "错误码",
            Self::Status => "处理后单据状态",
            Self::Attempts => "尝试次数",
            Self::At => "时间",
            Self::OpenSince => "遗留自",
            Self::Plan => "集成方案",
            Self::Run => "运行",
            Self::Env => "环境",
            Self::Form => "业务对象",
            Self::Column(_, name) => name,
            Self::StatusBy => "状态依据",
            Self::StatusAt => "状态时间（本机）",
            Self::AuditedErp => "审核时间（ERP）",
            Self::StatusBefore => "处理前单据状态",
            Self::ModifiedErp => "处理前修改时间（ERP）",
            Self::OutcomeCode => "处理结果代码",
            Self::CauseCode => "原因代码",
            Self::Operation => "业务操作",
            Self::Made => "新单编号",
        }
    }
}

impl Row {
    /// The column of the sum line this bill stands in, as programs know it.
    pub fn outcome(&self) -> &'static str {
        if self.bill.untold {
            return "not_approved";
        }
        operation_words::code(&self.bill.key.op, self.bill.state.slot())
    }

    /// The operation's own word for it.
    pub fn word(&self) -> &'static str {
        if self.bill.untold {
            return "not_approved";
        }
        operation_words::words(&self.bill.key.op).script_of(self.bill.state.slot())
    }

    /// The operation's name.
    pub fn operation(&self) -> &str {
        operation_words::name(&self.bill.key.op)
    }

    /// The raw value of a field; empty when there is none.
    pub fn value(&self, field: &Field) -> String {
        let bill = &self.bill;
        let outcome = bill.state.outcome().filter(|_| !bill.untold);
        match field {
            Field::No => bill.no.clone(),
            Field::Fid => bill.fid().as_str().to_owned(),
            Field::Outcome | Field::OutcomeCode => self.outcome().to_owned(),
            Field::Cause | Field::CauseCode => match &bill.state {
                BillState::RetryAt { cause, .. } => cause.as_str().to_owned(),
                _ => outcome.and_then(Outcome::group).unwrap_or_default(),
            },
            Field::Message => match (outcome, &bill.state) {
                (Some(Outcome::Failed(failure)), _) => failure.message.clone(),
                (Some(Outcome::Unknown(unknown)), _) => unknown.detail.clone(),
                (_, BillState::RetryAt { failure: Some(failure), .. }) => failure.message.clone(),
                _ => String::new(),
            },
            Field::Code => match outcome {
                Some(Outcome::Failed(failure)) => failure.msg_code.map(|code| code.to_string()).unwrap_or_default(),
                _ => String::new(),
            },
            Field::Status => After::of(bill).code().to_owned(),
            Field::StatusBy => After::of(bill).ground.word().to_owned(),
            Field::StatusAt => After::of(bill).at.map(|at| date(at, &self.zone)).unwrap_or_default(),
            Field::AuditedErp => erp_date(After::of(bill).audited.as_ref()),
            Field::StatusBefore => bill.before().status.code().to_owned(),
            Field::ModifiedErp => erp_date(bill.before().modified.as_ref()),
            Field::Attempts => bill.attempts.to_string(),
            Field::At => date(bill.at, &self.zone),
            Field::OpenSince => bill.open_since.map(|at| date(at, &self.zone)).unwrap_or_default(),
            Field::Plan => bill.plan.as_str().to_owned(),
            Field::Run => bill.run.to_string(),
            Field::Env => bill.record().env.as_str().to_owned(),
            Field::Form => bill.record().form.as_str().to_owned(),
            Field::Column(i, _) => bill.columns.get(*i).cloned().unwrap_or_default(),
            Field::Operation => self.operation().to_owned(),
            Field::Made => bill.made_no().unwrap_or_default().to_owned(),
        }
    }

    /// The server's words, for people; `Skydeck` stands before what no server said, because the column is that of its words.
    pub fn message(&self, lang: Language) -> String {
        match self.bill.state.failure().and_then(|failure| making_words::ours(failure, lang)) {
            Some(own) => format!("Skydeck{}{own}", lang.t(": ", "：")),
            None => self.value(&Field::Message),
        }
    }

    /// A status for people: its word, and the letter of the ERP beside it; empty where none is known.
    pub fn status(&self, field: &Field, lang: Language) -> String {
        let status = match field {
            Field::StatusBefore => Some(self.bill.before().status.clone()),
            _ => After::of(&self.bill).status,
        };
        status.filter(|status| !status.code().is_empty()).map(|status| status.told(lang)).unwrap_or_default()
    }

    /// The plan's columns with their names, numbered where a name is missing.
    pub fn columns(&self) -> impl Iterator<Item = (String, &str)> {
        self.bill.columns.iter().enumerate().map(|(i, value)| {
            (self.names.get(i).cloned().unwrap_or_else(|| format!("column{}", i + 1)), value.as_str())
        })
    }
}

/// A date as the ERP wrote it: in its own zone, which it does not tell.
fn erp_date(at: Option<&ErpDate>) -> String {
    at.map(|at| at.as_str().replace('T', " ")).unwrap_or_default()
}

/// A date with its offset, so that no reader has to guess the zone.
pub fn date(at: Ts, zone: &Zone) -> String {
    DateTime::<Utc>::from_timestamp_millis(at.0)
        .map(|at| at.with_timezone(zone).format("%Y-%m-%d %H:%M:%S%:z").to_string())
        .unwrap_or_default()
}
