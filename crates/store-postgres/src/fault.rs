//! What can be wrong with the database, in words: what, where, what to do next.
//!
//! Invariant: no password is ever in them; what the database or the system said is shown as text from outside.

use skydeck_core::domain::ids::RunId;
use skydeck_core::text::show;
use skydeck_store::{AppendError, BatchId, StoreError};
use tokio_postgres::error::SqlState;

/// Why the database does not do what is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.en())]
pub enum PgFault {
    /// The address cannot be read.
    Url(String),
    /// The address holds a password.
    PasswordInUrl,
    /// The address asks for a connection that anybody on the way can read.
    Plain(String),
    /// A file of certificates cannot be used.
    Certificates {
        /// Which.
        file: String,
        /// Why.
        said: String,
    },
    /// Nobody answers there.
    Away(String),
    /// It did not answer in time.
    Slow,
    /// The sign-in was refused.
    SignIn(String),
    /// There is no such database.
    NoDatabase(String),
    /// There is no store in the database.
    NoStore,
    /// The role lacks a right.
    NoRight(String),
    /// Its schema is older than this program.
    TooOld {
        /// Its version.
        found: u32,
        /// The version this program needs.
        needs: u32,
    },
    /// Its schema asks for a newer program.
    TooNew {
        /// The form it asks for.
        asks: u32,
        /// The form of this program.
        is: u32,
    },
    /// A migration that ran is not the one this program knows.
    Migration(String),
    /// The server is too old.
    Server(String),
    /// Somebody else writes.
    Taken {
        /// Its machine.
        host: String,
        /// Until when it has to be heard of, as the database says.
        until: String,
    },
    /// It was opened to look only.
    Looking,
    /// The server takes no writes: it is a standby, or was one.
    ReadOnly,
    /// Its disk is full, or its memory.
    Full(String),
    /// Something between forgets what was prepared.
    Pooler(String),
    /// Tables or functions are not as they were made.
    Altered(Vec<String>),
    /// It said something else.
    Said(String),
}

impl PgFault {
    /// In English.
    pub fn en(&self) -> String {
        match self {
            Self::Url(said) => format!(
                "the address of the store cannot be read ({said}): write `[store] url = \"postgresql://ROLE@HOST/DATABASE\"`"
            ),
            Self::PasswordInUrl => {
                "the address of the store holds a password: take it out of `[store] url` and name a file in \
                                    `password`"
                    .to_owned()
            }
            Self::Plain(host) => format!(
                "the address of the store asks for a connection to {host} that anybody on the way can read: take `sslmode` out, \
                 then the certificate is verified"
            ),
            Self::Certificates { file, said } => {
                format!("{file} cannot be used: {said}: name a file of PEM certificates")
            }
            Self::Away(said) => {
                format!("the store's database cannot be reached: {said}: is it up, and is its address right?")
            }
            Self::Slow => {
                "the store's database did not answer in time: look at its load, and at what holds locks there"
                    .to_owned()
            }
            Self::SignIn(said) => {
                format!(
                    "the store's database refuses the sign-in: {said}: check the role, its password and pg_hba.conf"
                )
            }
            Self::NoDatabase(said) => format!("{said}: create the database, then `skydeck store init`"),
            Self::NoStore => "there is no store in this database: `skydeck store init` makes one".to_owned(),
            Self::NoRight(said) => format!(
                "the role lacks a right: {said}: `skydeck store init --print` shows what is granted to skydeck_host and \
                 skydeck_reader; sign in as one of them"
            ),
            Self::TooOld { found, needs } => format!(
                "the store's schema is of version {found}, and this program needs version {needs}: `skydeck store migrate` \
                 raises it"
            ),
            Self::TooNew { asks, is } => format!(
                "the store's schema asks for a program of form {asks}, and this one is of form {is}: use the newer program; \
                 nothing was changed"
            ),
            Self::Migration(said) => format!(
                "the store's schema was made by other steps than this program knows: {said}: use the program that made it"
            ),
            Self::Server(found) => format!("PostgreSQL {found} is too old for the store: 14 or newer is needed"),
            Self::Taken { host, until } => taken(host, until).to_string(),
            Self::Looking => {
                "the store was opened to look only: order it from a verb or console that writes".to_owned()
            }
            Self::ReadOnly => {
                "the store's database takes no writes: it is a standby, or was one until now: name all hosts in the \
                               address, with target_session_attrs=read-write"
                    .to_owned()
            }
            Self::Full(said) => {
                format!("the store's database has no room left: {said}: free some space there; nothing was stored")
            }
            Self::Pooler(said) => format!(
                "something between this program and the database forgets prepared statements ({said}): use PgBouncer 1.21 or \
                 newer with max_prepared_statements, or connect without a pooler"
            ),
            Self::Altered(names) => format!(
                "altered by hand since they were made: {}: put them back as `skydeck store init --print` shows them",
                names.join(", ")
            ),
            Self::Said(said) => format!("the store's database said: {said}"),
        }
    }

    /// In Chinese; what the database or the system said stays as it was said.
    pub fn zh(&self) -> String {
        match self {
            Self::Url(said) => {
                format!("无法识别存储地址（{said}）：请写成 `[store] url = \"postgresql://角色@主机/数据库\"`")
            }
            Self::PasswordInUrl => {
                "存储地址中含有密码：请从 `[store] url` 中去掉，并在 `password` 中写明密码文件".to_owned()
            }
            Self::Plain(host) => {
                format!("存储地址要求以明文连接 {host}，途中任何人都能读到：请去掉 `sslmode`，连接将校验证书")
            }
            Self::Certificates { file, said } => format!("{file} 无法使用：{said}：请写明 PEM 证书文件"),
            Self::Away(said) => format!("无法连接存储数据库：{said}：请检查其是否在运行、地址是否正确"),
            Self::Slow => "存储数据库没有及时响应：请检查其负载和锁".to_owned(),
            Self::SignIn(said) => format!("存储数据库拒绝登录：{said}：请检查角色、密码和 pg_hba.conf"),
            Self::NoDatabase(said) => format!("{said}：请先创建数据库，再执行 `skydeck store init`"),
            Self::NoStore => "该数据库中没有存储：请执行 `skydeck store init` 创建".to_owned(),
            Self::NoRight(said) => format!(
                "角色权限不足：{said}：`skydeck store init --print` 列出授予 skydeck_host 和 skydeck_reader 的权限；请以其中之一登录"
            ),
            Self::TooOld { found, needs } => {
                format!("存储结构为版本 {found}，本程序需要版本 {needs}：请执行 `skydeck store migrate` 升级")
            }
            Self::TooNew { asks, is } => {
                format!("存储结构要求程序形式 {asks}，本程序为 {is}：请使用较新的程序；未作任何更改")
            }
            Self::Migration(said) => format!("存储结构的创建步骤与本程序所知不同：{said}：请使用创建它的程序"),
            Self::Server(found) => format!("PostgreSQL {found} 版本过低：存储需要 14 或更高版本"),
            Self::Taken { host, until } => taken(host, until).zh(),
            Self::Looking => "存储以只读方式打开：请在可写入的命令或控制台中执行".to_owned(),
            Self::ReadOnly => "存储数据库不接受写入：它是备库，或刚才还是备库：请在地址中写明所有主机，并加上 \
                               target_session_attrs=read-write"
                .to_owned(),
            Self::Full(said) => format!("存储数据库空间不足：{said}：请在该主机上腾出空间；未存入任何内容"),
            Self::Pooler(said) => format!(
                "程序与数据库之间的连接池丢失了预备语句（{said}）：请使用 PgBouncer 1.21 或更高版本并设置 \
                 max_prepared_statements，或不经连接池直接连接"
            ),
            Self::Altered(names) => {
                format!("创建后被人工改动：{}：请按 `skydeck store init --print` 所示恢复", names.join("、"))
            }
            Self::Said(said) => format!("存储数据库返回：{said}"),
        }
    }

    /// Whether it may be otherwise in a moment: nothing is wrong with what was asked.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Slow | Self::ReadOnly | Self::Full(_))
    }
}

/// Text of the database or the system, made safe to show and on one line.
pub(crate) fn said(text: &str) -> String {
    show(text, 400).into_string()
}

/// The whole of an error, with what it came from.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    said(&text)
}

impl From<tokio_postgres::Error> for PgFault {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            let text = chain(&error);
            return if error.is_closed() || has_io(&error) { Self::Away(text) } else { Self::Said(text) };
        };
        let text = said(db.message());
        let code = db.code();
        match code.code() {
            "42501" => Self::NoRight(text),
            "3F000" | "42P01" | "42883" | "42704" => Self::NoStore,
            "3D000" => Self::NoDatabase(text),
            "28000" | "28P01" => Self::SignIn(text),
            "26000" | "42P05" => Self::Pooler(text),
            "25006" => Self::ReadOnly,
            "57014" | "55P03" | "40P01" => Self::Slow,
            "53100" | "53200" => Self::Full(text),
            "53300" | "57P01" | "57P02" | "57P03" => Self::Away(text),
            class if class.starts_with("08") || class.starts_with("58") => Self::Away(text),
            _ => Self::Said(format!("{text} ({})", code.code())),
        }
    }
}

fn has_io(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if cause.is::<std::io::Error>() {
            return true;
        }
        next = cause.source();
    }
    false
}

impl From<PgFault> for StoreError {
    fn from(fault: PgFault) -> Self {
        match fault {
            PgFault::Taken { host, until } => taken(&host, &until),
            fault => Self::Database { en: fault.en(), zh: fault.zh() },
        }
    }
}

fn taken(host: &str, until: &str) -> StoreError {
    StoreError::Taken { host: host.to_owned(), until: until.to_owned() }
}

/// What an append that failed means: whether it may be stored, whether to send it again.
pub(crate) enum Refused {
    /// The writer's turn was taken.
    Fenced(String),
    /// Runs that are in other hands.
    Elsewhere(String),
    /// A record has a newer fact than what is held here knew.
    Moved,
    /// The end of the chain is elsewhere.
    Behind,
    /// Another machine has the next append to itself.
    Wait,
    /// Batches that are stored.
    Seen(String),
    /// What was sent contradicts the tables.
    Contradiction(String),
    /// Nothing was stored; it may be sent again.
    Away(PgFault),
    /// Nobody knows whether it was stored.
    Unsure(PgFault),
    /// It cannot be stored.
    Final(PgFault),
}

impl Refused {
    pub fn of(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else { return Self::Unsure(error.into()) };
        let text = db.message().to_owned();
        match db.code().code() {
            "SK001" => Self::Fenced(said(&text)),
            "SK002" => Self::Moved,
            "SK005" => Self::Behind,
            "SK006" => Self::Seen(text),
            "SK008" => Self::Wait,
            "SK007" => Self::Elsewhere(text),
            code if code == SqlState::CHECK_VIOLATION.code() || code.starts_with("23") => {
                Self::Contradiction(said(&text))
            }
            // The connection ends with it, and perhaps after the commit.
            "57P01" | "57P02" => Self::Unsure(error.into()),
            _ => {
                let fault = PgFault::from(error);
                if fault.is_away() { Self::Away(fault) } else { Self::Final(fault) }
            }
        }
    }

    /// As whoever waits for the append is told.
    pub fn told(&self, batch: BatchId) -> AppendError {
        match self {
            Self::Fenced(why) => AppendError::Write(why.clone()),
            Self::Contradiction(what) => AppendError::Contradiction(what.clone()),
            Self::Away(fault) => AppendError::Away(fault.en()),
            Self::Unsure(_) => AppendError::Unsure(batch),
            Self::Final(fault) => AppendError::Write(fault.en()),
            Self::Elsewhere(runs) => {
                AppendError::Fenced(runs.split(' ').filter_map(|run| run.parse().ok().map(RunId)).collect())
            }
            Self::Moved | Self::Behind | Self::Wait | Self::Seen(_) => {
                AppendError::Away("others wrote to the store meanwhile".to_owned())
            }
        }
    }
}
