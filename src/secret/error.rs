//! Why a secret cannot be had, in words.
//!
//! Invariant: what is held here is never a part of the secret.

use std::path::PathBuf;

use crate::domain::system_words::chinese;

/// What a secret is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// An environment's ERP user, or another part of its connection, by its key in the configuration.
    Environment(String, Option<&'static str>),
    /// A target of alerts, and which of its keys.
    Alerts(String, &'static str),
    /// The store's database, by its key in the configuration.
    Store(&'static str),
}

impl Of {
    /// Its name among a service manager's credentials.
    pub(super) fn credential(&self) -> String {
        match self {
            Self::Environment(env, None) => format!("erp-{env}"),
            Self::Environment(env, Some(part)) => format!("erp-{env}-{}", part.replace('_', "-")),
            Self::Alerts(target, part) => format!("alert-{target}-{part}"),
            Self::Store(part) => format!("store-{}", part.replace('_', "-")),
        }
    }

    /// In English.
    pub(super) fn en(&self) -> String {
        match self {
            Self::Environment(env, None) => format!("environment {env}"),
            Self::Environment(env, Some(part)) => format!("environment {env} ({part})"),
            Self::Alerts(target, part) => format!("alert target {target} ({part})"),
            Self::Store(part) => format!("store ({part})"),
        }
    }

    /// In Chinese.
    pub(super) fn zh(&self) -> String {
        match self {
            Self::Environment(env, None) => format!("环境 {env} "),
            Self::Environment(env, Some(part)) => format!("环境 {env}（{part}）"),
            Self::Alerts(target, part) => format!("告警目标 {target}（{part}）"),
            Self::Store(part) => format!("存储（{part}）"),
        }
    }
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A file.
    File(PathBuf),
    /// The output of a program.
    Command(String),
    /// A person at the terminal.
    Terminal,
}

/// A secret that cannot be had: of what, from where, why. Never holds the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.en())]
pub struct SecretError {
    /// What it is the secret of.
    pub of: Of,
    /// Which source.
    pub from: From,
    /// What is wrong.
    pub fault: SecretFault,
}

/// Why a secret cannot be had. What the system says of a file or program holds no part of the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFault {
    /// The file cannot be opened.
    Unopened {
        /// What the system says.
        said: String,
        /// It is a symbolic link.
        is_link: bool,
    },
    /// It cannot be read.
    Unread {
        /// What the system says.
        said: String,
    },
    /// It is a directory, device or pipe.
    NotOrdinary,
    /// It belongs to another user.
    NotOurs,
    /// Others may read it.
    Open {
        /// Its permissions.
        mode: u32,
    },
    /// Nothing is in it.
    Empty,
    /// It is longer than any secret.
    TooLong {
        /// Most bytes that are taken.
        max: u64,
    },
    /// It is not UTF-8.
    NotText,
    /// It begins with a byte order mark.
    ByteOrderMark,
    /// It holds a carriage return or NUL.
    LineEnd,
    /// It holds another control character.
    Control,
    /// It holds a character that cannot be seen.
    Unseen,
    /// It begins or ends with a blank.
    Blank,
    /// The configuration names no program.
    NoCommand,
    /// The program cannot be started.
    Unstarted {
        /// What the system says.
        said: String,
    },
    /// The program did not end in time.
    Endless {
        /// Seconds it had.
        seconds: u64,
    },
    /// The program ended with a fault.
    Failed {
        /// Its exit status.
        status: String,
    },
    /// There is no terminal to ask at.
    NoTerminal {
        /// What the system says.
        said: String,
    },
}

impl SecretError {
    /// In English: what, where, what to do.
    pub fn en(&self) -> String {
        let from = match &self.from {
            From::File(path) => path.display().to_string(),
            From::Command(program) => format!("command {program}"),
            From::Terminal => "the terminal".to_owned(),
        };
        format!("secret of {} from {from}: {}", self.of.en(), self.fault.en())
    }

    /// In Chinese.
    pub fn zh(&self) -> String {
        let from = match &self.from {
            From::File(path) => path.display().to_string(),
            From::Command(program) => format!("命令 {program}"),
            From::Terminal => "终端".to_owned(),
        };
        format!("{}的密钥（取自 {from}）：{}", self.of.zh(), self.fault.zh())
    }
}

impl SecretFault {
    /// Of what was typed, in both languages.
    pub fn of_typed(&self) -> (String, String) {
        match self {
            Self::Empty => {
                ("the secret is empty: type it; Ctrl-C leaves".into(), "密钥为空：请输入；按 Ctrl-C 退出".into())
            }
            other => (format!("the secret {}", other.en()), format!("密钥{}", other.zh())),
        }
    }

    pub(super) fn en(&self) -> String {
        match self {
            Self::Unopened { said, is_link: false } => format!("cannot be opened: {said}"),
            Self::Unopened { said, is_link: true } => {
                format!("cannot be opened: {said}; it is a symbolic link, name the file itself")
            }
            Self::Unread { said } => format!("cannot be read: {said}"),
            Self::NotOrdinary => "is no ordinary file; name one with the secret in it".into(),
            Self::NotOurs => "belongs to another user; it must be yours".into(),
            Self::Open { mode } => format!("others may read it (mode {mode:o}); run chmod 600"),
            Self::Empty => "is empty; write the secret on its first line".into(),
            Self::TooLong { max } => {
                format!("is longer than {max} bytes; is it another file or program that was meant?")
            }
            Self::NotText => "is not UTF-8; save it as UTF-8 without a byte order mark".into(),
            Self::ByteOrderMark => "begins with a byte order mark; save it as UTF-8 without one".into(),
            Self::LineEnd => "holds a carriage return or NUL; save it with plain line ends".into(),
            Self::Control => {
                "holds a control character (a tabulator or escape, perhaps); write it again without".into()
            }
            Self::Unseen => {
                "holds a character that cannot be seen (a zero-width space or direction mark); write it again \
                             without"
                    .into()
            }
            Self::Blank => "has a blank at its beginning or end; take it away".into(),
            Self::NoCommand => "the command is empty; name a program that prints the secret".into(),
            Self::Unstarted { said } => format!("cannot be started: {said}"),
            Self::Endless { seconds } => {
                format!("did not end within {seconds} s; it must print the secret and end, and ask nobody")
            }
            Self::Failed { status } => format!("ended with {status}; run it by hand to see why"),
            Self::NoTerminal { said } => {
                format!("cannot be asked for: {said}; there is no terminal, use a file or a command")
            }
        }
    }

    pub(super) fn zh(&self) -> String {
        match self {
            Self::Unopened { said, is_link: false } => format!("无法打开：{}", chinese(said)),
            Self::Unopened { said, is_link: true } => {
                format!("无法打开：{}；这是符号链接，请直接写明该文件", chinese(said))
            }
            Self::Unread { said } => format!("无法读取：{}", chinese(said)),
            Self::NotOrdinary => "不是普通文件；请写明存放密钥的文件".into(),
            Self::NotOurs => "属于其他用户；须为本用户所有".into(),
            Self::Open { mode } => format!("其他人可以读取（权限 {mode:o}）；请执行 chmod 600"),
            Self::Empty => "为空；请把密钥写在第一行".into(),
            Self::TooLong { max } => format!("超过 {max} 字节；是否写错了文件或命令？"),
            Self::NotText => "不是 UTF-8；请另存为不带 BOM 的 UTF-8".into(),
            Self::ByteOrderMark => "开头有 BOM；请另存为不带 BOM 的 UTF-8".into(),
            Self::LineEnd => "含回车符或 NUL；请使用普通换行保存".into(),
            Self::Control => "含控制字符（可能是制表符或 ESC）；请重新写入".into(),
            Self::Unseen => "含不可见字符（零宽空格或方向标记）；请重新写入".into(),
            Self::Blank => "首尾有空白；请去掉".into(),
            Self::NoCommand => "命令为空；请写明输出密钥的程序".into(),
            Self::Unstarted { said } => format!("无法启动：{}", chinese(said)),
            Self::Endless { seconds } => format!("{seconds} 秒内未结束；该命令应输出密钥后退出，不得询问"),
            Self::Failed { status } => format!("以 {status} 结束；请手工执行以查明原因"),
            Self::NoTerminal { said } => format!("无法询问：{}；没有终端，请改用文件或命令", chinese(said)),
        }
    }
}
